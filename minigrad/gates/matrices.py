"""Matrix functions, on one matrix or on a stack of them: (..., n, n)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import ShapeError
from ..value import Gate, Value, reshape, select, sum
from .linalg import matmul, swap
from .registry import call, composed, row
from .selection import where

__all__ = ["cholesky", "cofactor", "cofactor_slope", "det", "inv", "lstsq", "matrix_power", "pinv", "solve"]

REGULAR = np.array([[2.0, -0.5, 0.3], [0.4, 1.5, -0.7], [-0.2, 0.6, 1.8]])
STACK = np.stack([REGULAR, REGULAR.T - 0.5])
SINGULAR = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]])
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


def determinant(a: Any) -> Any:
    square(a.shape)
    return np.linalg.det(a)


def per_matrix(x: Any) -> Any:
    """A number for each matrix of a stack, as a factor of the matrix."""
    return reshape(x, shape=(*shape_of(x), 1, 1))


# The derivative of det is the matrix of cofactors, det(A) A⁻ᵀ.  It exists for every matrix, also where A⁻¹ does not.
# From A = U S Vᵀ: cofactor(A) = det(U) det(V) U cofactor(S) Vᵀ, and cofactor(S) holds products of singular values.
def others(s: Any) -> Any:
    """For each number of the last axis the product of the others, without a division; exponents can't overflow."""
    m, e = np.frexp(s)
    before, after = np.ones_like(s), np.ones_like(s)
    np.multiply.accumulate(m[..., :-1], axis=-1, out=before[..., 1:])
    np.multiply.accumulate(m[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return np.ldexp(before * after, e.sum(axis=-1, keepdims=True) - e)


def with_svd(a: Any, middle: Any) -> Any:
    """det(U) det(V) U middle(U, s, Vᵀ) Vᵀ; matrices with a nan or infinity in them give nan."""
    square(a.shape)
    finite = np.isfinite(a).all(axis=(-2, -1), keepdims=True)
    u, s, vt = np.linalg.svd(np.where(finite, a, a.dtype.type(0.0)))
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))[..., None, None]
    return np.where(finite, sign * (u @ middle(u, s, vt) @ vt), a.dtype.type(np.nan))


def cofactors(a: Any) -> Any:
    return with_svd(a, lambda u, s, vt: others(s)[..., None] * np.eye(s.shape[-1], dtype=s.dtype))


def cofactor_change(a: Any, e: Any) -> Any:
    """The change of cofactor(A) for a small step A + E: for a diagonal S, diag(P f) - P ∘ Fᵀ with f = diag(F)."""

    def middle(u: Any, s: Any, vt: Any) -> Any:
        step = swap(u) @ e @ swap(vt)
        same = np.eye(s.shape[-1], dtype=bool)
        two_out = np.where(same, s.dtype.type(0.0), others(np.where(same, s.dtype.type(1.0), s[..., None, :])))
        along = np.einsum("...ij,...jj->...i", two_out, step)
        return np.where(same, along[..., None], -two_out * swap(step))

    return with_svd(a, middle)


def cofactor_bend(g: Any, out: Any, a: Any, e: Any) -> Any:
    """The third derivative of det, for regular A: d/dA of <G, det(A) (<B, E> B - B Eᵀ B)> with B = A⁻ᵀ."""
    b = swap(inv(a))
    be, bg = b @ swap(e), b @ swap(g)
    along_e, along_g = [sum(b * x, axis=(-2, -1), keepdims=True) for x in (e, g)]
    both = along_e * along_g - sum(be * swap(bg), axis=(-2, -1), keepdims=True)
    return per_matrix(det(a)) * (both * b - along_g * (be @ b) - along_e * (bg @ b) + be @ bg @ b + bg @ be @ b)


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
det: Gate = row(
    "det",
    determinant,
    vjp=[lambda g, out, a: per_matrix(g) * cofactor(a)],
    domain=[call(REGULAR), call(STACK), call(SINGULAR), call((4, 4)), call((1, 1))],
)
cofactor: Gate = row(  # each number's cofactor, (-1)^(i+j) times the minor: the adjugate's transpose
    "cofactor",
    cofactors,
    vjp=[lambda g, out, a: cofactor_slope(a, g)],
    domain=[call(REGULAR), call(STACK), call((4, 4))],
)
cofactor_slope: Gate = row(  # the change of cofactor(a) for the step e: linear in e, and symmetric
    "cofactor_slope",
    cofactor_change,
    vjp=[cofactor_bend, lambda g, out, a, e: cofactor_slope(a, g)],
    domain=[call(REGULAR, (3, 3)), call(STACK, (2, 3, 3))],
)
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
