"""Depth: what many layers do to a gradient and to a step.  Source: Goodfellow et al., ch. 8.2.3, 8.2.5, 8.7.1."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import tidy
from ..random import generator

__all__ = ["coordinated_update", "positive_definite_fraction", "power_gain"]


def power_gain(lam: Any, t: int) -> Any:
    """What t layers with the same matrix, Wᵗ = V diag(λ)ᵗ V⁻¹, do along an eigenvector: λᵗ.  It vanishes or explodes.

    >>> f"{power_gain(0.9, 100):.4g}, {power_gain(1.1, 100):.6g}"
    '2.656e-05, 13780.6'
    """
    return tidy(np.asarray(lam) ** t)


def coordinated_update(w: Any, x: float, eps: float) -> tuple[float, float]:
    """(promised, got) of f = x w₁ w₂ ... after a gradient step of all layers at once: f - ε gᵀg, and the product anew.

    Each layer's slope assumes that the others stay; the terms of higher order decide.  Batch normalisation is the cure.

    >>> promised, got = coordinated_update(np.ones(10), 1.0, 0.1)
    >>> round(promised, 12) + 0.0, round(got, 4)
    (0.0, 0.3487)
    """
    w = np.asarray(w, dtype=float)
    g = np.array([x * np.prod(np.delete(w, i)) for i in range(len(w))])
    return float(x * np.prod(w) - eps * (g @ g)), float(x * np.prod(w - eps * g))


def positive_definite_fraction(n: int, samples: int = 20_000, *, rng: Any = None) -> float:
    """How often a random symmetric n×n matrix (Gaussian, (M + Mᵀ)/2) is positive definite, so a minimum, by trying.

    Eigenvalues of random sign would give 2⁻ⁿ; they repel each other, so that it falls faster: saddles are the rule.

    >>> positive_definite_fraction(3, 2000, rng=np.random.default_rng(0)) < 2.0**-3
    True
    """
    M = generator(rng).normal(size=(samples, n, n))
    return float((np.linalg.eigvalsh((M + M.transpose(0, 2, 1)) / 2.0)[:, 0] > 0.0).mean())
