"""Determinants, with the matrix of cofactors: their derivatives exist for singular matrices, too."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import Gate, reshape, sum
from .linalg import swap
from .matrices import REGULAR, STACK, inv, square
from .registry import call, row

__all__ = ["cofactor", "cofactor_slope", "det", "slogdet"]

SINGULAR = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]])


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


def log_determinant(a: Any) -> tuple[Any, ...]:
    square(a.shape)
    return np.linalg.slogdet(a)


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
slogdet = row(  # the sign is flat
    "slogdet",
    log_determinant,
    vjp=[lambda g, out, a: per_matrix(g[1]) * swap(inv(a))],
    domain=[call(REGULAR), call(STACK), call((1, 1), low=0.5)],
)
