"""Filters: momentum as a low-pass filter of gradients, early stopping as a filter of the modes of least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import tidy

__all__ = [
    "early_stopping_filter", "ema_frequency_response", "ema_impulse", "ema_noise_gain", "ema_step",
    "equivalent_decay", "terminal_velocity", "tikhonov_filter",
]  # fmt: skip


def ema_impulse(b: float, k: Any) -> Any:
    """What the average a <- (1-b) a + b u remembers after k steps of an impulse u: b (1-b)ᵏ.

    >>> round(ema_impulse(0.1, 2), 12)
    0.081
    """
    return tidy(b * (1.0 - b) ** np.asarray(k, dtype=float))


def ema_step(b: float, k: Any) -> Any:
    """The average after k steps of u = 1, from 0: 1 - (1-b)ᵏ, which Adam's bias correction divides by.

    >>> round(ema_step(0.1, 10), 7)
    0.6513216
    """
    return tidy(1.0 - (1.0 - b) ** np.asarray(k, dtype=float))


def ema_frequency_response(b: float, omega: Any) -> Any:
    """By what complex factor the average passes the frequency ω (radians per step): b / (1 - (1-b) e^{-jω}).

    |H| is 1 for what doesn't change and b / (2-b) for what changes sign at every step (ω = π): a low-pass filter.

    >>> round(abs(ema_frequency_response(0.1, np.pi)), 7)
    0.0526316
    """
    return tidy(b / (1.0 - (1.0 - b) * np.exp(-1j * np.asarray(omega))))


def ema_noise_gain(b: float) -> float:
    """The variance of the average of white noise of variance 1: b / (2-b), the sum of the squared impulse response.

    >>> round(ema_noise_gain(0.1), 4)
    0.0526
    """
    return b / (2.0 - b)


def terminal_velocity(beta: float, g: float = 1.0, lr: float = 1.0) -> float:
    """The step that momentum reaches under a constant gradient: lr g / (1-β).  Source: Goodfellow, eq. 8.17.

    >>> round(terminal_velocity(0.9), 12)
    10.0
    """
    return lr * g / (1.0 - beta)


def early_stopping_filter(lam: Any, alpha: float, k: int) -> Any:
    """How much of 1/λ gradient descent from 0 has found of a mode after k steps: (1 - (1-αλ)ᵏ) / λ.

    Large eigenvalues are learned, small ones not yet, as under Tikhonov's penalty.

    >>> round(early_stopping_filter(2.0, 0.1, 3), 12)
    0.244
    """
    lam = np.asarray(lam, dtype=float)
    return tidy((1.0 - (1.0 - alpha * lam) ** k) / lam)


def tikhonov_filter(lam: Any, eta: float) -> Any:
    """The same under the penalty ½ η‖w‖²: 1/(λ+η) = (1 - (1 + λ/η)⁻¹) / λ.  Source: Goh, Distill 2017.

    >>> tikhonov_filter(2.0, 0.5)
    0.4
    """
    return tidy(1.0 / (np.asarray(lam, dtype=float) + eta))


def equivalent_decay(alpha: float, k: int) -> float:
    """The penalty η = 1/(αk) that stopping after k steps resembles, for αλ ≪ 1.  Source: Goodfellow, eq. 7.45.

    >>> equivalent_decay(0.25, 2)
    2.0
    """
    return 1.0 / (alpha * k)
