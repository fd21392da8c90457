"""Axes rearranged, all composed of `reshape` and `transpose`: ravel, squeeze, moveaxis, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..convert import shape_of
from ..errors import ShapeError
from ..value import reshape
from .registry import composed
from .shapes import transpose

__all__ = ["expand_dims", "flatten", "moveaxis", "ravel", "squeeze", "swapaxes"]


def shape_after(function: Callable[..., Any], x: Any, axis: Any) -> tuple[int, ...]:
    """The shape that a NumPy function makes of an array like x: it is shown one that takes no memory."""
    return shape_of(function(np.broadcast_to(0.0, shape_of(x)), axis))


@composed
def ravel(x: Any) -> Any:
    """All numbers of x in one axis, row by row.

    >>> from minigrad import Value
    >>> ravel(Value([[1.0, 2.0], [3.0, 4.0]])).data
    array([1., 2., 3., 4.])
    """
    return reshape(x, -1)


@composed
def flatten(x: Any) -> Any:
    """All numbers of x in one axis, row by row; the same as `ravel`.

    >>> from minigrad import Value
    >>> flatten(Value([[1.0, 2.0], [3.0, 4.0]])).data
    array([1., 2., 3., 4.])
    """
    return reshape(x, -1)


@composed
def squeeze(x: Any, axis: Any = None) -> Any:
    """x without its axes of length 1, or without those given; `ShapeError` if one of these is longer.

    >>> from minigrad import Value
    >>> squeeze(Value([[[1.0], [2.0]]])).shape
    (2,)
    """
    return reshape(x, shape_after(np.squeeze, x, axis))


@composed
def expand_dims(x: Any, axis: Any) -> Any:
    """x with new axes of length 1, at the given places in the result.

    >>> from minigrad import Value
    >>> expand_dims(Value([1.0, 2.0]), 1).shape
    (2, 1)
    """
    return reshape(x, shape_after(np.expand_dims, x, axis))


@composed
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with the axes `source` moved to the places `destination`, the others in their order.

    >>> from minigrad import Value
    >>> moveaxis(Value(np.zeros((2, 3, 4))), 0, -1).shape
    (3, 4, 2)
    """
    n = len(shape_of(x))
    source, destination = normalize_axis_tuple(source, n), normalize_axis_tuple(destination, n)
    if len(source) != len(destination):
        raise ShapeError(f"moveaxis: {len(source)} axes can't move to {len(destination)} places.")
    order = [axis for axis in range(n) if axis not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return transpose(x, axes=tuple(order))


@composed
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged.

    >>> from minigrad import Value
    >>> swapaxes(Value(np.zeros((2, 3, 4))), 0, 2).shape
    (4, 3, 2)
    """
    order = list(range(len(shape_of(x))))
    i, j = normalize_axis_index(axis1, len(order)), normalize_axis_index(axis2, len(order))
    order[i], order[j] = j, i
    return transpose(x, axes=tuple(order))
