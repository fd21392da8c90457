"""Matrices taken apart: qr, eigh and svd.  Each is one gate with several outputs.

Eigenvectors of equal eigenvalues can be turned into each other, and so have no derivative: where a loss depends on how
they are turned, its gradient is nan; where it doesn't, equal eigenvalues do no harm (`ratio`).  The same holds for svd.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import GradientError
from ..value import Gate, reshape, select
from .arranging import tril
from .linalg import swap
from .matrices import DEFINITE, REGULAR, STACK, solve, square
from .registry import call, composed, row
from .selection import where
from .shapes import concatenate

__all__ = ["eigh", "eigvalsh", "qr", "svd", "svdvals"]

TALL = np.array([[2.0, -0.5], [0.4, 1.5], [-0.2, 0.6]])


def ratio(x: Any, y: Any) -> Any:
    """x / y, but 0 / 0 = 0."""
    return x / where((x == 0.0) & (y == 0.0), 1.0, y)


def column(x: Any) -> Any:
    return reshape(x, (*shape_of(x), 1))


def differences(x: Any) -> Any:
    """x_j - x_i for each pair of numbers along the last axis."""
    return swap(column(x)) - column(x)


def on_diagonal(x: Any) -> Any:
    return select(np.eye(shape_of(x)[-1], dtype=bool), column(x))


def matrices(a: Any) -> tuple[int, int]:
    if len(shape_of(a)) < 2:
        raise ValueError(f"needs matrices, (..., m, n); {shape_of(a)} is none.")
    m, n = shape_of(a)[-2:]
    return m, n


# ------------------------------------------------------------------------------------------------------------------- qr
def orthogonal(a: Any, mode: Any = "reduced") -> tuple[Any, ...] | Any:
    m, n = matrices(a)
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and m > n):
        raise ValueError(f"mode={mode!r} of a {m} by {n} matrix has no derivative; mode is 'reduced' or 'r'.")
    return np.linalg.qr(a, mode)


def qr_slope(g: Any, out: Any, a: Any, mode: str = "reduced") -> Any:
    """dA = (dQ + Q sym(M)) R⁻ᵀ with M = R dRᵀ - dQᵀ Q, sym the lower triangle mirrored.  Source: Walter et al. 2010.

    A wide matrix is [X Y] with X square: there Y = Q V, and so dQ gains Y dVᵀ.
    """
    if mode == "r":
        return qr_slope((0.0 * a[..., : min(matrices(a))], g), qr(a), a)
    (q, r), (dq, dr) = out, g
    m, n = matrices(a)
    y, dv = a[..., m:], dr[..., m:]
    if m < n:
        r, dr, dq = r[..., :m], dr[..., :m], dq + y @ swap(dv)
    low = tril(r @ swap(dr) - swap(dq) @ q)
    both = low + swap(tril(low, -1))
    dx = swap(solve(r, swap(dq + q @ both)))
    return concatenate([dx, q @ dv], axis=-1) if m < n else dx


qr: Gate = row(
    "qr",
    orthogonal,
    vjp=[qr_slope],
    domain=[call(REGULAR), call(TALL), call(TALL.T), call(STACK), call(TALL, mode="r"), call(TALL.T, mode="r")],
)


# ----------------------------------------------------------------------------------------------------------------- eigh
def eigen(a: Any, UPLO: Any = "L") -> tuple[Any, ...]:
    """np.linalg.eigh of the symmetric part; for a symmetric matrix that is the same, whichever triangle is read."""
    square(a.shape)
    return np.linalg.eigh(0.5 * a + 0.5 * swap(a), UPLO)


def eigh_slope(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    """dA = V (diag(dw) + Vᵀ dV / (w_j - w_i)) Vᵀ, its symmetric part.  Source: Giles 2008, section 3.1."""
    (w, v), (dw, dv) = out, g
    turn = swap(v) @ dv
    return v @ (on_diagonal(dw) + ratio(0.5 * (turn - swap(turn)), differences(w))) @ swap(v)


eigh: Gate = row(  # of the symmetric part of `a`, as `cholesky`
    "eigh", eigen, vjp=[eigh_slope], domain=[call(DEFINITE), call(REGULAR + REGULAR.T), call((1, 1))]
)


@composed
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """The eigenvalues of symmetric matrices (..., n, n), in increasing order.

    >>> from minigrad import Value
    >>> eigvalsh(Value([[2.0, 1.0], [1.0, 2.0]])).data.round(6)
    array([1., 3.])
    """
    return eigh(a, UPLO=UPLO)[0]


# ------------------------------------------------------------------------------------------------------------------ svd
def singular(a: Any, full_matrices: Any = True, compute_uv: Any = True) -> tuple[Any, ...] | Any:
    matrices(a)
    return np.linalg.svd(a, full_matrices, compute_uv)


def svd_slope(g: Any, out: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """dA = U (diag(ds) + (K S + S L)) Vᵀ + what leaves the spans of U and V.

    K and L are the antisymmetric parts of 2 Uᵀ dU and 2 Vᵀ dV over s_j² - s_i².  Source: Giles 2008, section 3.2.
    """
    m, n = matrices(a)
    if not compute_uv:
        u, s, vt = svd(a, full_matrices=False)
        return u @ on_diagonal(g) @ vt
    if full_matrices and m != n:
        raise GradientError(
            f"svd: the last columns of the larger square matrix, of a {m} by {n} input, can be turned freely and so "
            "have no derivative: use full_matrices=False."
        )
    (u, s, vt), (du, ds, dvt) = out, g
    row_of, v, dv = swap(column(s)), swap(vt), swap(dvt)
    gap = differences(s) * (row_of + column(s))
    in_u, in_v = swap(u) @ du, vt @ dv
    middle = on_diagonal(ds) + ratio(in_u - swap(in_u), gap) * row_of + column(s) * ratio(in_v - swap(in_v), gap)
    d = u @ middle @ vt
    if m > n:
        d = d + ratio(du - u @ in_u, row_of) @ vt
    if n > m:
        d = d + u @ swap(ratio(dv - v @ in_v, row_of))
    return d


svd: Gate = row(
    "svd",
    singular,
    vjp=[svd_slope],
    domain=[
        call(REGULAR), call(TALL, full_matrices=False), call(TALL.T, full_matrices=False), call(STACK),
        call(TALL, compute_uv=False), call(STACK, compute_uv=False),
    ],
)  # fmt: skip


@composed
def svdvals(x: Any) -> Any:
    """The singular values of matrices (..., m, n), in decreasing order.

    >>> from minigrad import Value
    >>> svdvals(Value([[3.0, 0.0], [0.0, -4.0]])).data
    array([4., 3.])
    """
    return svd(x, compute_uv=False)
