"""Arrays cut into pieces: a gate with as many outputs as there are pieces."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..convert import shape_of
from ..errors import ShapeError
from .registry import call, composed, row
from .shapes import concatenate

__all__ = ["array_split", "split"]


def pieces(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Any, ...]:
    if np.ndim(indices_or_sections) == 0 and operator.index(indices_or_sections) < 1:
        raise ValueError(f"{indices_or_sections} pieces; at least 1.")
    out = tuple(np.split(x, indices_or_sections, normalize_axis_index(axis, np.ndim(x))))
    if np.sum([piece.shape[axis] for piece in out]) != x.shape[axis]:
        raise ValueError(f"the places to cut must increase, not {indices_or_sections}: the pieces would overlap.")
    return out


split = row(
    "split",
    pieces,
    vjp=[lambda g, out, x, indices_or_sections, axis=0: concatenate(list(g), axis=axis)],
    domain=[
        call((4, 3), indices_or_sections=2), call((4, 3), indices_or_sections=3, axis=1),
        call((5, 2), indices_or_sections=[1, 1, 4]),
    ],
)  # fmt: skip


@composed
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """x in pieces along `axis`: before and behind the given places, or so many pieces, the first ones longer by one.

    >>> from minigrad import Value
    >>> [piece.data for piece in array_split(Value([1.0, 2.0, 3.0]), 2)]
    [array([1., 2.]), array([3.])]
    """
    if np.ndim(indices_or_sections) == 0:
        n, k = shape_of(x)[normalize_axis_index(axis, len(shape_of(x)))], operator.index(indices_or_sections)
        if k < 1:
            raise ShapeError(f"array_split: {k} pieces; at least 1.")
        indices_or_sections = np.cumsum([n // k + (i < n % k) for i in range(k - 1)])
    return split(x, indices_or_sections=indices_or_sections, axis=axis)
