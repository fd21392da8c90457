"""Sorting and picking by index arrays, composed of `getitem` and its reverse, `put`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ..convert import describe, is_raw, is_value, shape_of
from ..errors import OutOfRangeError, ShapeError
from .arranging import at
from .axes import ravel
from .questions import argsort
from .registry import composed
from .shapes import getitem, put

__all__ = ["gather", "scatter_add", "sort", "take", "take_along_axis"]


@composed
def sort(x: Any, axis: int | None = -1) -> Any:
    """x in increasing order along `axis` (no axis: as if flat); equal numbers keep their order, nan comes last.

    >>> from minigrad import Value
    >>> sort(Value([3.0, 1.0, 2.0])).data
    array([1., 2., 3.])
    """
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis_index(axis, len(shape_of(x)))
    return take_along_axis(x, argsort(x, axis=axis), axis)


@composed
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The entries of x at `indices` along `axis` (no axis: as if flat), in the shape of `indices`.

    >>> from minigrad import Value
    >>> take(Value([3.0, 1.0, 2.0]), [2, 2, 0]).data
    array([2., 2., 3.])
    """
    indices = whole("take", x, indices)
    if axis is None:
        x, axis = ravel(x), 0
    return getitem(x, at(normalize_axis_index(axis, len(shape_of(x))), indices))


@composed
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """From each line of x along `axis` the entries at that line's `indices`, such as `argsort` or `argmax` gives.

    `indices` has as many axes as x, and their lengths match except along `axis` (no axis: x as if flat).

    >>> from minigrad import Value
    >>> take_along_axis(Value([[3.0, 1.0], [5.0, 7.0]]), [[0], [1]], axis=1).data
    array([[3.],
           [7.]])
    """
    indices = whole("take_along_axis", x, indices)
    if axis is None:
        x, axis = ravel(x), 0
    shape = shape_of(x)
    if indices.ndim != len(shape):
        raise ShapeError(f"take_along_axis: {describe(x)} needs an index with as many axes, not {indices.shape}.")
    return getitem(x, lines(shape, indices, normalize_axis_index(axis, len(shape))))


@composed
def gather(x: Any, axis: int, index: Any) -> Any:
    """PyTorch's gather, out[i, j] = x[index[i, j], j] for axis 0: in the shape of `index`, which may be smaller than x.

    >>> from minigrad import Value
    >>> gather(Value([[1.0, 2.0], [3.0, 4.0]]), 1, [[0, 0], [1, 0]]).data
    array([[1., 1.],
           [4., 3.]])
    """
    return getitem(x, places(x, axis, index, "gather"))


@composed
def scatter_add(x: Any, axis: int, index: Any, src: Any) -> Any:
    """PyTorch's scatter_add, the reverse of `gather`: x with src[i, j] added at [index[i, j], j] for axis 0.

    Repeated places add up; `src` may be larger than `index`.

    >>> from minigrad import Value
    >>> scatter_add(Value([0.0, 0.0, 0.0]), 0, [2, 2, 0], [1.0, 2.0, 5.0]).data
    array([5., 0., 3.])
    """
    to = places(x, axis, index, "scatter_add")
    size = np.shape(index)
    if len(shape_of(src)) != len(size) or np.any(np.less(shape_of(src), size)):
        raise ShapeError(f"scatter_add: src {describe(src)} has no number for each entry of index {size}.")
    return x + put(getitem(src, tuple([slice(n) for n in size])), to, shape_of(x))


def whole(name: str, x: Any, index: Any) -> Any:
    """The index as an array of whole numbers; a list of none picks nothing."""
    index = index if is_raw(index) and is_value(index) else np.asarray(index)  # what mg.compile records stays
    if index.dtype.kind not in "iu" and index.size:
        remedy = "; with a mask, index: x[mask]" if index.dtype.kind == "b" else ""
        raise OutOfRangeError(f"{name}: {describe(x)}: an index holds integers, not {index.dtype}{remedy}.")
    return index.astype(np.intp)


def places(x: Any, axis: int, index: Any, name: str) -> tuple[Any, ...]:
    shape, index = shape_of(x), whole(name, x, index)
    axis = normalize_axis_index(axis, len(shape))
    fits = [m <= n or i == axis for i, (m, n) in enumerate(zip(index.shape, shape, strict=False))]
    if index.ndim != len(shape) or False in fits:
        raise ShapeError(
            f"{name}: {describe(x)} along axis {axis} by an index of shape {index.shape}: it must have as many axes, "
            "and be no longer along the others."
        )
    return lines(index.shape, index, axis)


def lines(shape: tuple[int, ...], index: Any, axis: int) -> tuple[Any, ...]:
    """The index that is `index` along one axis and counts along the others."""
    counts: list[Any] = list(np.ix_(*[np.arange(n) for n in shape]))
    counts[axis] = index
    return tuple(counts)
