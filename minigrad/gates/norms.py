"""Norms of vectors and matrices, and the condition number, composed of gates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..convert import shape_of
from ..errors import ShapeError
from ..value import sum
from .arithmetic import absolute
from .axes import expand_dims, moveaxis
from .factorizations import svdvals
from .matrices import inv
from .reductions import max, min
from .registry import composed
from .shapes import getitem
from .statistics import vector_norm

__all__ = ["cond", "norm"]


@composed
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The length of vectors, (Σ|x|^p)^(1/p) for p = `ord` (2 without), or the size of matrices.

    Matrices have "fro" (2 of all numbers), 1 and inf (the largest sum of absolute values of a column, of a row), 2 (the
    largest singular value), "nuc" (the sum of these), and -1, -inf, -2 (the smallest).  No axis: over all numbers; an
    axis: of the vectors that lie along it; two axes: of the matrices in them.  The slope of a vector's length at 0
    is 0.  Raises
    `ShapeError` for what `ord` doesn't fit.

    >>> from minigrad import Value
    >>> norm(Value([3.0, 4.0])).item(), norm(Value([3.0, -4.0]), 1).item()
    (5.0, 7.0)
    """
    n = len(shape_of(x))
    axes = tuple(range(n)) if axis is None else normalize_axis_tuple(axis, n)
    if ord is None or (ord == "fro" and len(axes) == 2):
        return vector_norm(x, axis=axis, keepdims=keepdims)
    if len(axes) == 1 and not isinstance(ord, str) and ord == ord:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=ord)
    if len(axes) != 2 or ord not in (1, -1, 2, -2, np.inf, -np.inf, "nuc"):
        raise ShapeError(f"norm: there is no ord={ord!r} of {len(axes)} axes; a vector norm takes axis=.")
    if ord in (2, -2, "nuc"):
        s = svdvals(moveaxis(x, axes, (-2, -1)))
        out = {"nuc": sum, 2: max, -2: min}[ord](s, axis=-1)
        return expand_dims(out, tuple(sorted(axes))) if keepdims else out
    sums = sum(absolute(x), axis=axes[0] if abs(ord) == 1 else axes[1], keepdims=True)
    return (max if ord > 0 else min)(sums, axis=axes, keepdims=keepdims)


@composed
def cond(x: Any, p: Any = None) -> Any:
    """The condition number of matrices (..., m, n): how many times larger an error in A⁻¹ b can be than one in b.

    Without `p`, or for 2, the largest singular value over the smallest (-2: the smallest over the largest); for another
    `ord` of `norm`, the norm of A times that of its inverse, infinite where there is none.

    >>> from minigrad import Value
    >>> cond(Value([[4.0, 0.0], [0.0, 0.5]])).item()
    8.0
    """
    if p in (None, 2, -2):
        s = svdvals(x)
        largest, smallest = getitem(s, (..., 0)), getitem(s, (..., -1))
        return smallest / largest if p == -2 else largest / smallest
    size = norm(x, p, axis=(-2, -1))
    try:
        return size * norm(inv(x), p, axis=(-2, -1))
    except np.linalg.LinAlgError:
        return size * np.inf
