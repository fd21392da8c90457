"""Products of arrays: functions that are matmul or multiply in other shapes."""

from __future__ import annotations

from builtins import max as largest
from functools import cache
from math import prod
from typing import Any

import numpy as np

from ..convert import describe, shape_of
from ..errors import DtypeError, ShapeError
from ..value import multiply, reshape
from .linalg import matmul
from .registry import composed
from .shapes import stack, transpose

__all__ = ["cross", "dot", "inner", "kron", "multi_dot", "outer", "tensordot", "vdot"]


@composed
def dot(a: Any, b: Any) -> Any:
    """The sum of products over the last axis of `a` and the last but one of `b` (its last, if it is a vector).

    For vectors and matrices that is `a @ b`, for numbers `a * b`; more axes stand side by side in the result, where
    `matmul` would pair them.  Raises `ShapeError` where the summed axes differ in size.

    >>> from minigrad import Value
    >>> dot(Value([1.0, 2.0]), [3.0, 4.0]).item()
    11.0
    """
    m, n = len(shape_of(a)), len(shape_of(b))
    if not m or not n:
        return multiply(a, b)
    return matmul(a, b) if m < 3 and n < 3 else tensordot(a, b, axes=(-1, -1 if n == 1 else -2))


@composed
def inner(a: Any, b: Any) -> Any:
    """The sum of products over the last axes of `a` and `b`; for matrices a @ bᵀ.

    Raises `ShapeError` where these differ in size.

    >>> from minigrad import Value
    >>> inner(Value([[1.0, 2.0]]), [[3.0, 4.0], [5.0, 6.0]]).data
    array([[11., 17.]])
    """
    return tensordot(a, b, axes=(-1, -1)) if shape_of(a) and shape_of(b) else dot(a, b)


@composed
def outer(a: Any, b: Any) -> Any:
    """Every number of `a` times every number of `b`, flattened: an array of shape (a.size, b.size).

    >>> from minigrad import Value
    >>> outer(Value([1.0, 2.0]), [3.0, 4.0]).data
    array([[3., 4.],
           [6., 8.]])
    """
    return dot(reshape(a, shape=(-1, 1)), reshape(b, shape=(1, -1)))


@composed
def vdot(a: Any, b: Any) -> Any:
    """One number: the sum of products of all numbers of `a` and `b`, flattened; raises `ShapeError` if sizes differ.

    >>> from minigrad import Value
    >>> vdot(Value([[1.0, 2.0]]), [[3.0], [4.0]]).item()
    11.0
    """
    return matmul(reshape(a, shape=-1), reshape(b, shape=-1))


@composed
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over several axes: the last `axes` of `a` and as many first of `b`, or `axes=(of_a, of_b)`.

    The result has the remaining axes of `a`, then those of `b`.  Raises `ShapeError` where summed axes differ.

    >>> from minigrad import Value
    >>> tensordot(Value(np.ones((2, 3, 4))), np.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    a_shape, b_shape = shape_of(a), shape_of(b)
    if not isinstance(axes, (int, tuple, list)):
        raise DtypeError(f"tensordot: {describe(a)}, {describe(b)}: axes={axes!r} is no integer or pair of lists.")
    pair = (range(-axes, 0), range(axes)) if isinstance(axes, int) else axes
    pair = [[axis] if isinstance(axis, int) else axis for axis in pair]
    try:  # counted from the front
        of_a, of_b = [[range(len(s))[i] for i in axis] for axis, s in zip(pair, (a_shape, b_shape), strict=True)]
    except IndexError as error:
        raise ShapeError(f"tensordot: {describe(a)} and {describe(b)} have no axes={axes}.") from error
    if len({*of_a}) < len(of_a) or len({*of_b}) < len(of_b):
        raise ShapeError(f"tensordot: {describe(a)} and {describe(b)}: axes={axes} name an axis twice.")
    summed = [a_shape[i] for i in of_a]
    if summed != [b_shape[i] for i in of_b]:
        raise ShapeError(
            f"tensordot: {describe(a)} and {describe(b)}: the axes {of_a} and {of_b}, over which it sums, differ: "
            f"{tuple(summed)} and {tuple([b_shape[i] for i in of_b])}."
        )
    rest_a = [i for i in range(len(a_shape)) if i not in of_a]
    rest_b = [i for i in range(len(b_shape)) if i not in of_b]
    rows, columns = [a_shape[i] for i in rest_a], [b_shape[i] for i in rest_b]
    left = reshape(transpose(a, axes=(*rest_a, *of_a)), shape=(prod(rows), prod(summed)))
    right = reshape(transpose(b, axes=(*of_b, *rest_b)), shape=(prod(summed), prod(columns)))
    return reshape(matmul(left, right), shape=(*rows, *columns))


@composed
def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: an array of blocks, each a number of `a` times the whole of `b`.

    >>> from minigrad import Value
    >>> kron(Value([1.0, 10.0]), [1.0, 2.0]).data
    array([ 1.,  2., 10., 20.])
    """
    n = largest(len(shape_of(a)), len(shape_of(b)))
    left, right = [(1,) * (n - len(shape_of(x))) + shape_of(x) for x in (a, b)]
    a = reshape(a, shape=tuple([size for m in left for size in (m, 1)]))
    b = reshape(b, shape=tuple([size for m in right for size in (1, m)]))
    return reshape(multiply(a, b), shape=tuple([i * j for i, j in zip(left, right, strict=True)]))


@composed
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors with three components, which lie along the given axes.

    Raises `ShapeError` for other sizes (NumPy's two components are deprecated: give them a third, 0).

    >>> from minigrad import Value
    >>> cross(Value([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0]).data
    array([0., 0., 1.])
    """
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    parts = []
    for x, along in ((a, axisa), (b, axisb)):
        shape = shape_of(x)
        if not -len(shape) <= along < len(shape) or shape[along] != 3:
            raise ShapeError(f"cross: {describe(x)}: axis {along} must have 3 components.")
        x = np.asarray(x) if isinstance(x, (list, tuple)) else x
        parts.append([x[(slice(None),) * (along % len(shape)) + (i,)] for i in range(3)])
    (x, y, z), (u, v, w) = parts
    return stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=axisc)


@composed
def multi_dot(arrays: Any) -> Any:
    """The product of many matrices, multiplied in the order that takes the least work; the ends may be vectors.

    >>> from minigrad import Value
    >>> multi_dot([Value(np.ones((2, 9))), np.ones((9, 1)), np.ones((1, 5))]).shape
    (2, 5)
    """
    arrays = list(arrays)
    if len(arrays) < 2 or any([len(shape_of(x)) != 2 for x in arrays[1:-1]]):
        raise ShapeError("multi_dot: takes two or more matrices; only the first and the last may be vectors.")
    sizes = [1 if len(shape_of(arrays[0])) == 1 else shape_of(arrays[0])[0], *[shape_of(x)[0] for x in arrays[1:]]]
    sizes += [1 if len(shape_of(arrays[-1])) == 1 else shape_of(arrays[-1])[-1]]

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The least work for the factors i to j - 1, and where to cut them last."""
        cuts = [(best(i, k)[0] + best(k, j)[0] + sizes[i] * sizes[k] * sizes[j], k) for k in range(i + 1, j)]
        return min(cuts, default=(0, i))

    def product(i: int, j: int) -> Any:
        return arrays[i] if j == i + 1 else matmul(product(i, best(i, j)[1]), product(best(i, j)[1], j))

    return product(0, len(arrays))
