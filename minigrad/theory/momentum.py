"""Momentum on a quadratic: y <- β y + g, w <- w - α y.  Per mode a 2×2 matrix, whose eigenvalues say everything.

With x the error along an eigenvector of eigenvalue λ, g = λx and (y, x) <- R (y, x), R = [[β, λ], [-αβ, 1 - αλ]].
Source: Goh, "Why Momentum Really Works", Distill 2017, with its errata: where R has complex eigenvalues the rate is √β
(printed 2√β), and in the closed form of Rᵏ the two matrices change places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import tidy
from .quadratic import check_spectrum

__all__ = [
    "critical_beta", "momentum_converges", "momentum_matrix", "momentum_power", "momentum_rate", "momentum_regime",
    "optimal_momentum", "optimal_momentum_rate", "quadratic_momentum",
]  # fmt: skip


def momentum_matrix(alpha: float, beta: float, lam: Any) -> np.ndarray:
    """R, 2×2 for each λ, so of shape (..., 2, 2), which takes (y, x) to the next step.

    >>> momentum_matrix(0.5, 0.5, 2.0)
    array([[ 0.5 ,  2.  ],
           [-0.25,  0.  ]])
    """
    lam = np.asarray(lam, dtype=float)
    R = np.empty((*lam.shape, 2, 2))
    R[..., 0, 0], R[..., 0, 1], R[..., 1, 0], R[..., 1, 1] = beta, lam, -alpha * beta, 1.0 - alpha * lam
    return R


def roots(alpha: Any, beta: Any, lam: Any) -> tuple[Any, Any]:
    """The eigenvalues of R: s² - (1 + β - αλ) s + β = 0, complex."""
    trace, beta = np.asarray(1.0 + beta - np.multiply(alpha, lam)), np.asarray(beta)
    root = np.sqrt((trace**2 - 4.0 * beta).astype(complex))
    return (trace + root) / 2.0, (trace - root) / 2.0


def momentum_rate(alpha: Any, beta: Any, lam: Any) -> Any:
    """The larger absolute eigenvalue of R, the factor per step in the long run; arrays broadcast, for a map of it.

    √β where they are complex (the error swings), else (|t| + √(t² - 4β)) / 2 with t = 1 + β - αλ.

    >>> round(momentum_rate(1.0, 0.5, 1.0), 5)  # √0.5
    0.70711
    >>> momentum_rate([2.99, 3.0, 3.01], 0.5, 1.0).round(5)  # the border: αλ = 2 + 2β
    array([0.97957, 1.     , 1.01962])
    """
    first, second = roots(alpha, beta, lam)
    return tidy(np.maximum(np.abs(first), np.abs(second)))


def momentum_converges(alpha: Any, beta: Any, lam: Any) -> Any:
    """Whether it does: 0 < αλ < 2 + 2β and 0 <= β < 1.

    >>> momentum_converges(3.9, 0.99, 1.0), momentum_converges(3.9, 0.5, 1.0)
    (True, False)
    """
    product, beta = np.multiply(alpha, lam), np.asarray(beta)
    return tidy((product > 0.0) & (product < 2.0 + 2.0 * beta) & (beta >= 0.0) & (beta < 1.0))


def momentum_regime(alpha: float, beta: float, lam: float) -> str:
    """How the error of a mode goes to 0: one of the five regions of the article's map.

    >>> [momentum_regime(alpha, beta, 100.0) for alpha, beta in
    ...  [(0.0015, 0.9), (0.0015, 0.125), (0.01, 0.0), (0.02, 0.05), (0.025, 0.235)]]
    ['ripples', 'monotonic decrease', 'one step', 'monotonic oscillations', 'divergence']
    """
    first, second = roots(alpha, beta, lam)
    larger = first if abs(first) >= abs(second) else second
    if abs(larger) >= 1.0:
        return "divergence"
    if abs(larger) < 1e-12:
        return "one step"
    if larger.imag:
        return "ripples"
    return "monotonic decrease" if larger.real > 0.0 else "monotonic oscillations"


def critical_beta(alpha: float, lam: float) -> float:
    """The momentum that damps a mode critically, its fastest: β = (1 - √(αλ))², of rate |1 - √(αλ)|.

    >>> round(critical_beta(1e-4, 100.0), 12)
    0.81
    """
    return float((1.0 - np.sqrt(alpha * lam)) ** 2)


def optimal_momentum(l1: float, ln: float) -> tuple[float, float]:
    """(α, β) of the best rate for eigenvalues from l1 to ln: (2/(√l1 + √ln))² and ((√ln - √l1)/(√ln + √l1))².

    Both ends are critically damped.  Best in the long run only: before, errors may grow.

    >>> alpha, beta = optimal_momentum(0.01, 1.0)
    >>> round(alpha, 8), round(beta, 8)
    (3.30578512, 0.66942149)
    """
    check_spectrum(l1, ln)
    low, high = np.sqrt(l1), np.sqrt(ln)
    return float((2.0 / (low + high)) ** 2), float(((high - low) / (high + low)) ** 2)


def optimal_momentum_rate(kappa: float) -> float:
    """The rate at `optimal_momentum`: (√κ - 1) / (√κ + 1); of gradient descent it is (κ - 1) / (κ + 1).

    >>> round(optimal_momentum_rate(100.0), 8)
    0.81818182
    """
    return float((np.sqrt(kappa) - 1.0) / (np.sqrt(kappa) + 1.0))


def momentum_power(alpha: float, beta: float, lam: float, k: int) -> np.ndarray:
    """Rᵏ in closed form: s1ᵏ R2 - s2ᵏ R1 with Rj = (R - sj I) / (s1 - s2); for a double root sᵏ⁻¹ (k R - (k-1) s I).

    >>> R = momentum_matrix(0.5, 0.5, 1.0)
    >>> bool(np.allclose(momentum_power(0.5, 0.5, 1.0, 3), R @ R @ R))
    True
    """
    R, (s1, s2) = momentum_matrix(alpha, beta, lam), roots(alpha, beta, lam)
    identity = np.eye(2)
    if abs(s1 - s2) < 1e-9:
        s = float((s1 + s2).real / 2.0)
        return np.asarray(s ** (k - 1) * (k * R - (k - 1) * s * identity)) if k else identity
    power = (s1**k * (R - s2 * identity) - s2**k * (R - s1 * identity)) / (s1 - s2)
    return np.asarray(power.real)


def quadratic_momentum(A: Any, b: Any, alpha: float, beta: float, k: int, w0: Any) -> np.ndarray:
    """The iterate after k steps of momentum on ½ wᵀA w - bᵀw, from w0 and y = 0, by Rᵏ for each mode.

    >>> quadratic_momentum([[3.0, 2.0], [2.0, 3.0]], [1.0, 1.0], 0.1, 0.5, 2, [1.0, 0.0]).round(12)
    array([ 0.58, -0.18])
    """
    eigenvalues, Q = np.linalg.eigh(A)
    best = np.linalg.solve(A, np.asarray(b, dtype=float))
    x = Q.T @ (np.asarray(w0) - best)
    powers = np.linalg.matrix_power(momentum_matrix(alpha, beta, eigenvalues), k)
    return np.asarray(best + Q @ (powers[:, 1, 1] * x))
