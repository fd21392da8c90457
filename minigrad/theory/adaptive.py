"""How far adaptive methods step: AdaGrad, RMSProp and Adam, in closed form for gradients that are simple enough.

Source: Kingma and Ba, 2015, "Adam", sections 2.1, 3 and 5.  The paper's bound on Adam's step, α (1-β1)/√(1-β2), holds
for one gradient among zeros; the bound that always holds is `adam_step_bound`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..convert import tidy

__all__ = [
    "adagrad_step", "adam_paper_bound", "adam_snr", "adam_sparse_step", "adam_step_bound", "adam_uncorrected_step",
    "rmsprop_first_step",
]  # fmt: skip


def adam_step_bound(t: Any, beta1: float = 0.9, beta2: float = 0.999, lr: float = 1.0) -> Any:
    """B(t), the largest step that Adam (ε = 0) can take at step t, whatever the gradients were; t may be inf.

    lr (1-β1)/(1-β1ᵗ) · √((1-β2ᵗ)/(1-β2)) · √(Σ_{k<t} (β1²/β2)ᵏ), by Cauchy and Schwarz; reached for gradients that
    grow as (β2/β1)ᵏ.  Needs β1² < β2.

    >>> round(adam_step_bound(1), 12), round(adam_step_bound(np.inf), 4)
    (1.0, 7.2703)
    """
    ratio = beta1**2 / beta2
    if not ratio < 1.0:
        raise ValueError(f"beta1={beta1}, beta2={beta2}: without beta1² < beta2 the step has no bound.")
    t = np.asarray(t, dtype=float)
    memory = np.sqrt((1.0 - ratio**t) / (1.0 - ratio))
    return tidy(lr * (1.0 - beta1) / (1.0 - beta1**t) * np.sqrt((1.0 - beta2**t) / (1.0 - beta2)) * memory)


def adam_paper_bound(beta1: float = 0.9, beta2: float = 0.999, lr: float = 1.0) -> float:
    """The paper's bound: lr · max(1, (1-β1)/√(1-β2)).  Exact for one gradient among zeros, not in general.

    >>> round(adam_paper_bound(), 4)
    3.1623
    """
    return float(lr * max(1.0, (1.0 - beta1) / np.sqrt(1.0 - beta2)))


def adam_sparse_step(t: Any, beta1: float = 0.9, beta2: float = 0.999, lr: float = 1.0) -> Any:
    """Adam's step for the only non-zero gradient so far, at step t: lr (1-β1)/(1-β1ᵗ) · √((1-β2ᵗ)/(1-β2)).

    >>> adam_sparse_step(np.array([1.0, 100.0, 1000.0, 5000.0])).round(4)
    array([1.    , 0.9758, 2.5146, 3.1516])
    """
    t = np.asarray(t, dtype=float)
    return tidy(lr * (1.0 - beta1) / (1.0 - beta1**t) * np.sqrt((1.0 - beta2**t) / (1.0 - beta2)))


def adam_uncorrected_step(beta1: float = 0.9, beta2: float = 0.999, lr: float = 1.0) -> float:
    """The first step without bias correction: lr (1-β1)/√(1-β2), too long when β2 is near 1.

    >>> round(adam_uncorrected_step(), 4)
    3.1623
    """
    return float(lr * (1.0 - beta1) / np.sqrt(1.0 - beta2))


def adam_snr(mean: Any, std: Any, beta1: float = 0.9) -> Any:
    """E|m̂| / √v̂ in the long run, for independent normal gradients of that mean and standard deviation (β2 near 1).

    m̂ is normal around the mean with variance s² = std² (1-β1)/(1+β1), so E|m̂| = s √(2/π) e^{-r²} + mean · erf r with
    r = mean / (s√2), and √v̂ = √(mean² + std²).  The paper's signal-to-noise ratio: Adam's steps shrink by themselves
    where the sign of the gradient becomes uncertain.  As β1 nears 1 it is |mean| / √(mean² + std²).

    >>> adam_snr([0.0, 0.1, 0.5, 1.0, 3.0], 1.0).round(3)
    array([0.183, 0.199, 0.449, 0.707, 0.949])
    """
    mean, s = np.asarray(mean, dtype=float), np.asarray(std) * np.sqrt((1.0 - beta1) / (1.0 + beta1))
    r = mean / (s * np.sqrt(2.0))
    size = s * np.sqrt(2.0 / np.pi) * np.exp(-(r**2)) + mean * np.vectorize(math.erf)(r)
    return tidy(size / np.hypot(mean, std))


def adagrad_step(i: Any, lr: float = 1.0) -> Any:
    """AdaGrad's i-th step (i = 1, 2, ...) for gradients of constant size, ε = 0: lr / √i.

    >>> adagrad_step(4)
    0.5
    """
    return tidy(lr / np.sqrt(np.asarray(i, dtype=float)))


def rmsprop_first_step(rho: float = 0.9, lr: float = 1.0) -> float:
    """RMSProp's first step, ε = 0, whatever the gradient: lr / √(1-ρ), for it has no bias correction.

    >>> round(rmsprop_first_step(0.99), 12)
    10.0
    """
    return float(lr / np.sqrt(1.0 - rho))
