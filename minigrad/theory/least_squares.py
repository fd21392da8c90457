"""Gradient descent on ‖Xw - y‖²: rates by singular values, poles in the unit circle, and the solution of least norm.

The step is w <- w - 2η Xᵀ(Xw - y), as in the lecture: without a ½ in the loss, there is a 2 in every rate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import tidy

__all__ = [
    "eigenfeatures", "ema_stability_limit", "min_norm", "ols_max_step", "ols_mode_rates", "ols_optimal_step",
    "ols_poles", "projector_null",
]  # fmt: skip


def ols_mode_rates(s: Any, eta: float) -> Any:
    """The factor per step of the modes with singular values s: |1 - 2η s²|.  On the border 1 it swings forever.

    >>> ols_mode_rates([3.0, 1.0, 0.5], 0.1).round(12)
    array([0.8 , 0.8 , 0.95])
    """
    return tidy(np.abs(1.0 - 2.0 * eta * np.asarray(s, dtype=float) ** 2))


def ols_max_step(s: Any) -> float:
    """The η below which every mode converges: 1 / s_max².

    >>> ols_max_step([2.0, 1.0])
    0.25
    """
    return float(1.0 / np.max(s) ** 2)


def ols_optimal_step(s: Any) -> float:
    """The η of the best rate: 1 / (s_max² + s_min²).

    >>> round(ols_optimal_step([3.0, 1.0, 0.5]), 7)
    0.1081081
    """
    return float(1.0 / (np.max(s) ** 2 + np.min(s) ** 2))


def ols_poles(s: float, eta: float, b: float = 1.0) -> np.ndarray:
    """The two poles of a mode under a <- (1-b) a + b u, w <- w - η a:  z² - (2 - b - 2ηbs²) z + (1-b) = 0, complex.

    The mode converges iff both are inside the unit circle.  b = 1 is plain gradient descent: poles 1 - 2ηs² and 0.

    >>> ols_poles(1.0, 0.4).real.round(12)
    array([0.2, 0. ])
    """
    middle = (2.0 - b - 2.0 * eta * b * s**2) / 2.0
    root = np.sqrt(complex(middle**2 - (1.0 - b)))
    return np.array([middle + root, middle - root])


def ema_stability_limit(b: float) -> float:
    """The η s² below which that converges: (2-b)/b, 1 without momentum and 19 for b = 0.1.

    >>> round(ema_stability_limit(0.1), 12)
    19.0
    """
    return (2.0 - b) / b


def min_norm(X: Any, y: Any, w0: Any = 0.0) -> np.ndarray:
    """Where gradient descent from w0 ends: pinv(X) y + P w0, with P the projector onto the null space of X.

    Every step lies in the span of the rows of X, so what w0 has outside stays, and from 0 it is the solution of least
    norm.  True of momentum and SGD too, not of methods that scale coordinates (Adam, AdaGrad).  For full row rank
    pinv(X) is Xᵀ(XXᵀ)⁻¹.

    >>> min_norm([[1.0, 1.0]], [2.0]).round(12)
    array([1., 1.])
    >>> min_norm([[1.0, 1.0]], [2.0], [3.0, 0.0]).round(12)
    array([ 2.5, -0.5])
    """
    X = np.asarray(X, dtype=float)
    return np.asarray(np.linalg.pinv(X) @ np.asarray(y) + projector_null(X) @ np.broadcast_to(w0, X.shape[1]))


def projector_null(X: Any) -> np.ndarray:
    """The matrix that projects onto the null space of X: I - pinv(X) X.

    >>> projector_null([[1.0, 0.0]])
    array([[0., 0.],
           [0., 1.]])
    """
    X = np.asarray(X, dtype=float)
    return np.asarray(np.eye(X.shape[1]) - np.linalg.pinv(X) @ X)


def eigenfeatures(Z: Any) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvalues of ZᵀZ, largest first, and its eigenvectors as columns: features Z q that are learned one by one.

    Source: Goh, Distill 2017, "Example: polynomial regression", where Z has the powers of the points as columns.

    >>> eigenfeatures([[2.0, 0.0], [0.0, 1.0]])[0]
    array([4., 1.])
    """
    Z = np.asarray(Z, dtype=float)
    _, s, Qt = np.linalg.svd(Z, full_matrices=False)
    return s * s, Qt.T
