"""How fast first-order methods can be: the bounds for convex functions, and the quadratics that reach them.

Source: Nesterov, "Introductory Lectures on Convex Optimization", ch. 2.1; Goh, Distill 2017, "The limits of descent".
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "chain_quadratic", "convex_rosenbrock", "convex_rosenbrock_solution", "gd_bound", "lower_bound", "nesterov_bound",
    "nesterov_weights",
]  # fmt: skip


def gd_bound(L: float, distance: float, k: int) -> float:
    """f(xᵏ) - f* of gradient descent with step 1/L on a convex f is at most L ‖x⁰ - x*‖² / 2k.

    >>> gd_bound(4.0, 1.0, 100)
    0.02
    """
    return L * distance**2 / (2.0 * k)


def nesterov_bound(L: float, distance: float, k: int) -> float:
    """The same for Nesterov's method with `nesterov_weights`: 2 L ‖x⁰ - x*‖² / (k+1)², so O(1/k²) instead of O(1/k).

    >>> nesterov_bound(4.0, 1.0, 99)
    0.0008
    """
    return 2.0 * L * distance**2 / (k + 1) ** 2


def lower_bound(L: float, distance: float, k: int) -> float:
    """No first-order method is better, on the worst function of 2k+1 variables or more: 3 L ‖x⁰ - x*‖² / 32 (k+1)².

    >>> lower_bound(4.0, 1.0, 99)
    3.75e-05
    """
    return 3.0 * L * distance**2 / (32.0 * (k + 1) ** 2)


def nesterov_weights(k: int) -> np.ndarray:
    """By how much the moves 1 .. k are prolonged, each before the next gradient: (t_i - 1) / t_{i+1}.

    t_1 = 1, t_{i+1} = (1 + √(1 + 4 t_i²)) / 2.  x_i = y_i - ∇f(y_i)/L, y_{i+1} = x_i + weight_i (x_i - x_{i-1}).

    >>> nesterov_weights(3).round(4)
    array([0.    , 0.2818, 0.434 ])
    """
    t, weights = 1.0, []
    for _ in range(k):
        new = (1.0 + np.sqrt(1.0 + 4.0 * t * t)) / 2.0
        weights.append((t - 1.0) / new)
        t = new
    return np.array(weights)


def chain_quadratic(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(A, b) of the worst function, ½ wᵀAw - w₁ with A = tridiag(-1, 2, -1): L = 4, w*_i = 1 - i/(n+1).

    >>> A, b = chain_quadratic(3)
    >>> np.linalg.solve(A, b).round(12)
    array([0.75, 0.5 , 0.25])
    """
    return 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), np.eye(n)[0]


def convex_rosenbrock(n: int, kappa: float) -> tuple[np.ndarray, np.ndarray]:
    """(A, b) of ½ (w₁ - 1)² + ½ Σ (wᵢ - wᵢ₊₁)² + 2/(κ-1) ‖w‖² = ½ wᵀAw - bᵀw + ½, with w_{n+1} = 0.

    A step from 0 tells one more entry that something is to be done: after k steps all beyond the k-th are 0.

    >>> A, b = convex_rosenbrock(2, 5.0)
    >>> A
    array([[ 3., -1.],
           [-1.,  3.]])
    """
    return (2.0 + 4.0 / (kappa - 1.0)) * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1), np.eye(n)[0]


def convex_rosenbrock_solution(n: int, kappa: float) -> np.ndarray:
    """w*_i = qⁱ with q = (√κ - 1)/(√κ + 1), as n grows; so after k steps an error of at least q^(k+1) is left.

    >>> convex_rosenbrock_solution(3, 9.0)
    array([0.5  , 0.25 , 0.125])
    """
    q = (np.sqrt(kappa) - 1.0) / (np.sqrt(kappa) + 1.0)
    return np.asarray(q ** np.arange(1.0, n + 1.0))
