"""Gradient descent on a convex quadratic f(w) = ½ wᵀA w - bᵀw: each eigenvector of A is a mode with its own rate.

All of it follows from one line: along an eigenvector with eigenvalue λ the error is multiplied by 1 - αλ per step.
Source: Goh, "Why Momentum Really Works", Distill 2017; Goodfellow et al., ch. 4.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import tidy

__all__ = [
    "condition_number", "gd_rate", "gd_step_change", "optimal_gd_rate", "optimal_step", "quadratic_gd", "steps_to",
]  # fmt: skip


def condition_number(A: Any) -> float:
    """max |λᵢ / λⱼ| over the eigenvalues of a symmetric matrix; inf if one is 0.  Source: Goodfellow, eq. 4.2.

    >>> round(condition_number([[3.0, 2.0], [2.0, 3.0]]), 12)
    5.0
    """
    sizes = np.abs(np.linalg.eigvalsh(A))
    return float(sizes.max() / sizes.min()) if sizes.min() else float("inf")


def gd_step_change(g: Any, H: Any, alpha: float) -> float:
    """What a step of gradient descent does to f by the second-order model: -α gᵀg + ½ α² gᵀHg.

    f falls if 0 < α < 2 gᵀg / gᵀHg, most in the middle.  Exact on quadratics.  Source: Goodfellow, eq. 4.9.

    >>> gd_step_change([3.0, 2.0], [[3.0, 2.0], [2.0, 3.0]], 0.1)
    -0.985
    """
    g = np.asarray(g)
    return float(-alpha * (g @ g) + 0.5 * alpha**2 * (g @ np.asarray(H) @ g))


def gd_rate(alpha: Any, eigenvalues: Any) -> Any:
    """The factor per step of the slowest mode: max |1 - αλ|; gradient descent converges iff it is below 1 (0<αλ<2).

    >>> round(gd_rate(1.5, [0.01, 0.1, 1.0]), 12)
    0.985
    """
    return tidy(np.abs(1.0 - np.multiply.outer(np.asarray(alpha), np.asarray(eigenvalues))).max(axis=-1))


def optimal_step(l1: float, ln: float) -> float:
    """The step with the best rate for eigenvalues from l1 to ln: 2 / (l1 + ln), where both ends are equally slow.

    >>> optimal_step(0.01, 1.0)
    1.9801980198019802
    """
    check_spectrum(l1, ln)
    return 2.0 / (l1 + ln)


def optimal_gd_rate(kappa: float) -> float:
    """The rate of gradient descent at the best step: (κ - 1) / (κ + 1) for a condition number κ.

    >>> round(optimal_gd_rate(100.0), 7)
    0.980198
    """
    return (kappa - 1.0) / (kappa + 1.0)


def quadratic_gd(A: Any, b: Any, alpha: float, k: int, w0: Any) -> np.ndarray:
    """The iterate after k steps, without iterating: w* + Q (1 - αλ)ᵏ Qᵀ (w0 - w*), with A = Q diag(λ) Qᵀ, A w* = b.

    Half the sum of λᵢ (1 - αλᵢ)²ᵏ xᵢ², x = Qᵀ(w0 - w*), is f(wᵏ) - f(w*) (the article prints it without the half).

    >>> quadratic_gd([[3.0, 2.0], [2.0, 3.0]], [1.0, 1.0], 0.1, 2, [1.0, 0.0]).round(12)
    array([ 0.68, -0.13])
    """
    eigenvalues, Q = np.linalg.eigh(A)
    best = np.linalg.solve(A, np.asarray(b, dtype=float))
    return np.asarray(best + Q @ ((1.0 - alpha * eigenvalues) ** k * (Q.T @ (np.asarray(w0) - best))))


def steps_to(rate: Any, factor: float) -> Any:
    """How many steps of |rate| < 1 each make an error `factor` times as large: log(factor) / log(rate), rounded up.

    >>> steps_to(0.9, 1e-3)
    66.0
    """
    return tidy(np.ceil(np.log(factor) / np.log(np.abs(rate)) - 1e-12))


def check_spectrum(l1: float, ln: float) -> None:
    if not 0.0 < l1 <= ln < np.inf:
        raise ValueError(f"eigenvalues from {l1} to {ln}; expected 0 < l1 <= ln.")
