"""Momentum with noisy gradients: the noise of every step comes back, and more momentum keeps more of it.

Along a mode: y <- β y + λx + ε, x <- x - α y, with independent ε of mean 0 and standard deviation σ.  Source: Goh,
Distill 2017, "Momentum with stochastic gradients" (whose sum must carry the ε of each step).
"""

from __future__ import annotations

import numpy as np

from .momentum import momentum_converges, momentum_matrix

__all__ = ["noisy_loss", "stationary_variance"]


def stationary_variance(alpha: float, beta: float, lam: float, sigma: float = 1.0) -> float:
    """The variance of x in the long run: α σ² (1 + β) / (λ (1 - β) (2 (1 + β) - αλ)); inf where steps diverge.

    The solution of the Lyapunov equation P = R P Rᵀ + σ² (1, -α)(1, -α)ᵀ.

    >>> round(stationary_variance(0.1, 0.0, 1.0), 7), round(stationary_variance(0.1, 0.9, 1.0), 7)
    (0.0526316, 0.5135135)
    """
    if not momentum_converges(alpha, beta, lam):
        return float("inf")
    return alpha * sigma**2 * (1.0 + beta) / (lam * (1.0 - beta) * (2.0 * (1.0 + beta) - alpha * lam))


def noisy_loss(alpha: float, beta: float, lam: float, sigma: float, x0: float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The expected loss E ½λx² after 0, 1, ... k steps, in its two parts: what is left of the start, and the noise.

    >>> transient, noise = noisy_loss(0.1, 0.0, 1.0, sigma=1.0, x0=2.0, k=2)
    >>> transient.round(4), noise.round(5)
    (array([2.    , 1.62  , 1.3122]), array([0.     , 0.005  , 0.00905]))
    """
    R = momentum_matrix(alpha, beta, lam)
    start, kick = np.array([0.0, x0]), sigma * np.array([1.0, -alpha])
    transient, noise = np.empty(k + 1), np.zeros(k + 1)
    for i in range(k + 1):
        transient[i] = 0.5 * lam * start[1] ** 2
        if i < k:
            noise[i + 1] = noise[i] + 0.5 * lam * kick[1] ** 2
        start, kick = R @ start, R @ kick
    return transient, noise
