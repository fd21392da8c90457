"""Matrix functions, on one matrix or on a stack of them: (..., n, n)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import ShapeError
from ..value import Gate, Value, select, sum
from .linalg import matmul, swap
from .registry import call, composed, row
from .selection import where

__all__ = ["cholesky", "inv", "lstsq", "matrix_power", "pinv", "solve"]

REGULAR = np.array([[2.0, -0.5, 0.3], [0.4, 1.5, -0.7], [-0.2, 0.6, 1.8]])
STACK = np.stack([REGULAR, REGULAR.T - 0.5])
DEFINITE = STACK @ np.swapaxes(STACK, -1, -2)


def square(*shapes: tuple[int, ...]) -> None:
    for shape in shapes:
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError(f"needs square matrices, (..., n, n); {shape} is none.")


def inverse(a: Any) -> Any:
    square(a.shape)
    return np.linalg.inv(a)


def solution(a: Any, b: Any) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    square(a.shape)
    if not b.ndim or b.shape[-1 if b.ndim == 1 else -2] != a.shape[-1]:
        raise ValueError(f"b must be a vector of {a.shape[-1]}, or matrices with {a.shape[-1]} rows.")
    return np.linalg.solve(a, b)


def solve_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    """dA = -dB Xᵀ, with columns in the place of vectors."""
    d = solve_right(g, out, a, b)
    return -d[..., :, None] * out[..., None, :] if len(shape_of(b)) == 1 else -(d @ swap(out))


def solve_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    """dB = A⁻ᵀ G.  A stack of matrices with one vector has a stack of results: they are columns, not a matrix."""
    if len(shape_of(b)) == 1 and len(shape_of(a)) > 2:
        return solve(swap(a), g[..., None])[..., 0]
    return solve(swap(a), g)


def lower_factor(a: Any) -> Any:
    square(a.shape)
    return np.linalg.cholesky(0.5 * a + 0.5 * swap(a))


def cholesky_slope(g: Any, out: Any, a: Any) -> Any:
    """dA = sym(L⁻ᵀ Φ(Lᵀ dL) L⁻¹); Φ keeps the lower triangle and half of the diagonal.  Source: Murray 2016."""
    n = shape_of(a)[-1]
    half = np.tri(n, dtype=out.dtype) - 0.5 * np.eye(n, dtype=out.dtype)
    middle = half * (swap(out) @ select(np.tri(n, dtype=bool), g))
    d = swap(solve(swap(out), swap(solve(swap(out), middle))))
    return 0.5 * (d + swap(d))


def pseudo_inverse(a: Any, rcond: Any = None) -> Any:
    if a.ndim < 2:
        raise ValueError("needs matrices, (..., m, n).")
    return np.linalg.pinv(a) if rcond is None else np.linalg.pinv(a, rcond)


def pinv_slope(g: Any, out: Any, a: Any, rcond: Any = None) -> Any:
    """The derivative at a rank that stays the same.  Source: Golub and Pereyra 1973."""
    p, pt, gt = out, swap(out), swap(g)
    return (gt - a @ (p @ gt)) @ p @ pt + pt @ p @ (gt - (gt @ p) @ a) - pt @ g @ pt


inv: Gate = row(
    "inv",
    inverse,
    vjp=[lambda g, out, a: -(swap(out) @ g @ swap(out))],
    symbol="⁻¹",
    domain=[call(REGULAR), call(STACK), call((1, 1), low=0.5)],
)
solve: Gate = row(
    "solve",
    solution,
    vjp=[solve_left, solve_right],
    domain=[
        call(REGULAR, (3,)), call(REGULAR, (3, 2)), call(STACK, (3,)), call(STACK, (3, 2)), call(REGULAR, (4, 3, 1)),
    ],
)  # fmt: skip
cholesky = row(  # of the symmetric part of `a`, so that its gradient is symmetric, as PyTorch's
    "cholesky",
    lower_factor,
    vjp=[cholesky_slope],
    domain=[call(DEFINITE), call(DEFINITE[0]), call((1, 1), low=0.5)],
)
pinv = row(
    "pinv",
    pseudo_inverse,
    vjp=[pinv_slope],
    symbol="⁺",
    domain=[call((4, 2)), call((2, 4)), call(REGULAR), call((2, 4, 2))],
)


@composed
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """The x of least norm that minimises |a x - b|²: (x, residuals, rank, singular values), as NumPy's.

    x = pinv(a) b, for `a` of shape (m, n) and `b` of shape (m,) or (m, k); x and the sums of squared residuals, which
    are empty unless m > n = rank, have gradients (for a rank that stays the same), the other two are raw.  Raises
    `ShapeError` where `a` and `b` don't have the same number of rows.

    >>> x, _, rank, _ = lstsq(Value([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), [1.0, 3.0, 5.0])
    >>> x.data.round(6), rank
    (array([1., 2.]), 2)
    """
    if len(shape_of(a)) != 2 or shape_of(b)[:1] != shape_of(a)[:1] or len(shape_of(b)) > 2:
        raise ShapeError(f"lstsq: a {shape_of(a)} must be a matrix, and b {shape_of(b)} have as many rows.")
    m, n = shape_of(a)
    singular = np.linalg.svd(a.data if isinstance(a, Value) else np.asarray(a), compute_uv=False)
    cut = np.finfo(singular.dtype).eps * np.maximum(m, n) if rcond is None else rcond
    rank = int(np.count_nonzero(singular > cut * np.max(singular, initial=0.0)))
    x = matmul(pinv(a, rcond=cut), b)
    off = b - matmul(a, x)
    residuals = sum(off * off, axis=0, keepdims=len(shape_of(b)) == 1)
    return x, residuals if rank == n < m else residuals[:0], rank, singular


@composed
def matrix_power(a: Any, n: int) -> Any:
    """The product of `n` factors `a`, by repeated squaring; of its inverse for negative `n`, the identity for 0.

    Raises `ShapeError` unless `a` is square, `TypeError` unless `n` is an integer.

    >>> matrix_power(Value([[1.0, 1.0], [0.0, 1.0]]), 5).data
    array([[1., 5.],
           [0., 1.]])
    """
    if not isinstance(n, (int, np.integer)):
        raise TypeError(f"n={n!r} is no integer.")
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"matrix_power: needs square matrices, (..., n, n); {shape} is none.")
    if n == 0:
        return where(True, np.eye(shape[-1], dtype=getattr(a, "dtype", None)), a)
    if n < 0:
        a, n = inv(a), -n
    power = None
    while True:
        if n % 2:
            power = a if power is None else matmul(power, a)
        if (n := n // 2) == 0:
            return power
        a = matmul(a, a)
