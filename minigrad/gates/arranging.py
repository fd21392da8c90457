"""Arrangements composed of gates: flip, roll, tile, pad, ...  Their derivatives are those of the gates inside."""

from __future__ import annotations

import builtins
import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..convert import describe, shape_of
from ..errors import ShapeError
from ..value import broadcast_to, reshape, select, sum
from .axes import moveaxis, ravel, swapaxes
from .registry import composed
from .shapes import concatenate, getitem, put

__all__ = [
    "diag", "diagonal", "flip", "pad", "repeat", "roll", "rot90", "tile", "trace", "tril", "triu",
]  # fmt: skip


def at(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that takes `index` on one axis and everything on the others."""
    return (*(slice(None),) * axis, index)


def dtype_of(x: Any) -> Any:
    return getattr(x, "dtype", np.float64)


# --------------------------------------------------------------------------------------------------- turning and moving
@composed
def flip(x: Any, axis: Any = None) -> Any:
    """x backwards along the given axes, or along all.

    >>> from minigrad import Value
    >>> flip(Value([1.0, 2.0, 3.0])).data
    array([3., 2., 1.])
    """
    n = len(shape_of(x))
    axes = range(n) if axis is None else normalize_axis_tuple(axis, n)
    return getitem(x, tuple([slice(None, None, -1 if i in axes else None) for i in range(n)]))


@composed
def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """x turned by k quarters, from the first of the two axes towards the second.

    >>> from minigrad import Value
    >>> rot90(Value([[1.0, 2.0]])).data
    array([[2.],
           [1.]])
    """
    first, second = normalize_axis_tuple(axes, len(shape_of(x)))
    k = operator.index(k)
    if k % 4 == 0:
        return getitem(x, ...)
    if k % 4 == 2:
        return flip(x, (first, second))
    return swapaxes(flip(x, second), first, second) if k % 4 == 1 else flip(swapaxes(x, first, second), second)


@composed
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """x moved by `shift` places along `axis`; what leaves at the end comes in at the front.  No axis: as if flat.

    >>> from minigrad import Value
    >>> roll(Value([1.0, 2.0, 3.0]), 1).data
    array([3., 1., 2.])
    """
    if axis is None:
        return reshape(roll(ravel(x), builtins.sum(map(operator.index, np.atleast_1d(shift))), 0), shape_of(x))
    for by, i in np.broadcast(shift, normalize_axis_tuple(axis, len(shape_of(x)), allow_duplicate=True)):
        start = -by % (shape_of(x)[i] or 1)
        x = concatenate([getitem(x, at(i, slice(start, None))), getitem(x, at(i, slice(start)))], axis=i)
    return x


# ----------------------------------------------------------------------------------------------------- repeated
@composed
def tile(x: Any, reps: Any) -> Any:
    """x repeated as a whole, `reps` times along each axis.

    >>> from minigrad import Value
    >>> tile(Value([1.0, 2.0]), 2).data
    array([1., 2., 1., 2.])
    """
    reps = tuple(np.atleast_1d(reps).tolist())
    n = len(reps) - len(shape_of(x))
    reps, shape = (1,) * -n + reps, (1,) * n + shape_of(x)
    pairs = [pair for both in zip(reps, shape, strict=True) for pair in both]  # (reps, shape, reps, shape, ...)
    ones = [1 if i % 2 == 0 else size for i, size in enumerate(pairs)]
    whole = tuple([r * size for r, size in zip(reps, shape, strict=True)])
    return reshape(broadcast_to(reshape(x, tuple(ones)), tuple(pairs)), whole)


@composed
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each entry of x along `axis` repeated: the same number of times, or as often as `repeats` says for it.

    >>> from minigrad import Value
    >>> repeat(Value([1.0, 2.0]), 2).data
    array([1., 1., 2., 2.])
    """
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis_index(axis, len(shape_of(x)))
    n = shape_of(x)[axis]
    if np.size(repeats) and np.asarray(repeats).dtype.kind not in "iu":
        raise TypeError(f"repeats={repeats}: counts are integers.")
    if np.size(repeats) not in (1, n):
        raise ShapeError(f"repeat: {np.size(repeats)} counts for {n} entries along axis {axis}.")
    return getitem(x, at(axis, np.repeat(np.arange(n), repeats)))


@composed
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    """x with a border: of `constant_values`, or of its own numbers ("reflect", "symmetric", "edge", "wrap").

    `pad_width` is as in NumPy: a number, a pair (before, after), or such a pair per axis.  Raises `ShapeError` for
    another mode, which would have to compute with the numbers.

    >>> from minigrad import Value
    >>> pad(Value([1.0, 2.0, 3.0]), 2, "reflect").data
    array([3., 2., 1., 2., 3., 2., 1.])
    """
    shape = shape_of(x)
    if np.shape(widths := np.asarray(pad_width)) not in ((), (1,), (2,), (1, 2), (len(shape), 1), (len(shape), 2)):
        raise ShapeError(f"pad: {describe(x)}: pad_width={pad_width} is no number, pair, or pair per axis.")
    widths = np.broadcast_to(widths, (len(shape), 2)).tolist()
    if mode == "constant":
        if not np.all(np.asarray(pad_width) >= 0):
            raise ShapeError(f"pad: pad_width={pad_width} has negative entries; to cut, index.")
        border = np.pad(np.zeros(shape, dtype_of(x)), widths, constant_values=constant_values)
        inside = tuple([slice(before, before + n) for n, (before, _) in zip(shape, widths, strict=True)])
        out = put(x, inside, border.shape)
        return out + border if border.any() else out
    if mode not in ("reflect", "symmetric", "edge", "wrap"):
        raise ShapeError(f"pad: mode={mode!r} is not one of constant, reflect, symmetric, edge, wrap.")
    for axis, width in enumerate(widths):
        if any(width):
            x = getitem(x, at(axis, np.pad(np.arange(shape[axis]), width, mode=mode)))  # type: ignore[call-overload]
    return x


# -------------------------------------------------------------------------------------- triangles and diagonals
@composed
def tril(x: Any, k: int = 0) -> Any:
    """The lower triangle of each matrix, 0 above the k-th diagonal.

    >>> from minigrad import Value
    >>> tril(Value([[1.0, 2.0], [3.0, 4.0]])).data
    array([[1., 0.],
           [3., 4.]])
    """
    return select(lower(x, k, "tril"), x)


@composed
def triu(x: Any, k: int = 0) -> Any:
    """The upper triangle of each matrix, 0 below the k-th diagonal.

    >>> from minigrad import Value
    >>> triu(Value([[1.0, 2.0], [3.0, 4.0]])).data
    array([[1., 2.],
           [0., 4.]])
    """
    return select(~lower(x, k - 1, "triu"), x)


def lower(x: Any, k: int, name: str) -> Any:
    """True on and below the k-th diagonal of the matrices in x."""
    if len(shape_of(x)) < 2:
        raise ShapeError(f"{name}: a triangle is cut from a matrix; the input has the shape {shape_of(x)}.")
    rows, columns = shape_of(x)[-2:]
    return np.tri(rows, columns, operator.index(k), dtype=bool)


@composed
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal, `offset` above the main one, of the matrices in two axes of x, as the last axis of the result.

    >>> from minigrad import Value
    >>> diagonal(Value([[1.0, 2.0], [3.0, 4.0]])).data
    array([1., 4.])
    """
    x = moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = shape_of(x)[-2:]
    along = np.arange(max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)))
    return getitem(x, (..., along + max(0, -offset), along + max(0, offset)))


@composed
def diag(v: Any, k: int = 0) -> Any:
    """The matrix with v on its k-th diagonal, or the k-th diagonal of the matrix v.

    >>> from minigrad import Value
    >>> diag(Value([1.0, 2.0])).data
    array([[1., 0.],
           [0., 2.]])
    """
    if len(shape_of(v)) == 2:
        return diagonal(v, k)
    if len(shape_of(v)) != 1:
        raise ShapeError(f"diag: expected a vector or a matrix, not the shape {shape_of(v)}; see diagonal.")
    along, size = np.arange(shape_of(v)[0]), shape_of(v)[0] + abs(k)
    return put(v, (along + max(0, -k), along + max(0, k)), (size, size))


@composed
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal.

    >>> from minigrad import Value
    >>> trace(Value([[1.0, 2.0], [3.0, 4.0]])).item()
    5.0
    """
    return sum(diagonal(x, offset, axis1, axis2), axis=-1)
