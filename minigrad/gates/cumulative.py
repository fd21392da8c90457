"""Products and running sums: each number meets all those before it, and its slope all the others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..convert import shape_of
from ..value import expand, reshape
from .arranging import dtype_of, flip
from .axes import moveaxis, ravel
from .reductions import ALONG, REDUCED
from .registry import call, row
from .shapes import concatenate, getitem, transpose

__all__ = ["cumprod", "cumsum", "prod"]


def order(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """All axes, those of a reduction last."""
    last = tuple(range(len(shape))) if axis is None else normalize_axis_tuple(axis, len(shape))
    return (*[i for i in range(len(shape)) if i not in last], *last)


def together(x: Any, axis: Any) -> Any:
    """x with the axes of a reduction made one, the last."""
    shape = shape_of(x)
    if axis is None or not shape:
        return ravel(x)
    axes = order(shape, axis)
    lead = [shape[i] for i in axes[: len(shape) - len(normalize_axis_tuple(axis, len(shape)))]]
    return reshape(transpose(x, axes=axes), (*lead, math.prod(shape) // (math.prod(lead) or 1)))


def apart(y: Any, x: Any, axis: Any) -> Any:
    """The reverse of `together`: y in the shape of x again."""
    shape = shape_of(x)
    axes = order(shape, axis if shape else None)
    return transpose(reshape(y, tuple([shape[i] for i in axes])), axes=tuple(np.argsort(axes).tolist()))


def before(y: Any) -> Any:
    """The product of all numbers before each along the last axis; none of them is divided by, so zeros do no harm."""
    *lead, n = shape_of(y)
    first = np.ones((*lead, 1 if n else 0), dtype_of(y))
    return cumprod(concatenate([first, getitem(y, (..., slice(-1)))], axis=-1), axis=-1)


def prod_slope(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """To each number the product of those before and those after it."""
    y = together(x, axis)
    others = before(y) * flip(before(flip(y, -1)), -1)
    return expand(g, x, axis, keepdims) * apart(others, x, axis)


def cumprod_slope(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    """To x_j the product before it times s_j = g_j + x_{j+1} g_{j+1} + x_{j+1} x_{j+2} g_{j+2} + ...

    These sums are the recurrence s_j = g_j + x_{j+1} s_{j+1}, taken in log2(n) steps that double what each s_j spans.
    """
    if axis is None:
        return reshape(cumprod_slope(g, out, ravel(x), 0), shape_of(x))
    s, y = moveaxis(g, axis, -1), moveaxis(x, axis, -1)
    n, span = shape_of(y)[-1], 1
    factor = getitem(y, (..., slice(1, None)))  # over which s_j reaches s_{j+span}
    while span < n:
        longer = getitem(s, (..., slice(n - span))) + factor * getitem(s, (..., slice(span, None)))
        s = concatenate([longer, getitem(s, (..., slice(n - span, None)))], axis=-1)
        farther = getitem(factor, (..., slice(span, None)))
        factor = getitem(factor, (..., slice(shape_of(farther)[-1]))) * farther
        span *= 2
    return moveaxis(before(y) * s, -1, axis)


def cumsum_slope(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    """Each number is in its own sum and in all later ones."""
    return reshape(flip(cumsum(flip(g, axis), axis=axis), axis), shape_of(x))


prod = row(
    "prod",
    lambda x, axis=None, keepdims=False: np.multiply.reduce(x, axis=axis, keepdims=keepdims),
    vjp=[prod_slope],
    symbol="Π",
    domain=REDUCED,
    leading=True,
)
cumsum: Any = row("cumsum", lambda x, axis=None: np.cumsum(x, axis), vjp=[cumsum_slope], domain=[*ALONG, call(())])
cumprod: Any = row("cumprod", lambda x, axis=None: np.cumprod(x, axis), vjp=[cumprod_slope], domain=[*ALONG, call(())])
