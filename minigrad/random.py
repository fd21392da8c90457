"""The default source of randomness: one NumPy generator, set by `seed`."""

from __future__ import annotations

import numpy as np

__all__ = ["generator", "seed"]

_default = np.random.default_rng()


def seed(n: int) -> None:
    """Start the default generator at `n`; everything random that is not given `rng=` draws from it.

    >>> seed(0); a = generator().random(); seed(0); a == generator().random()
    True
    """
    global _default
    _default = np.random.default_rng(n)


def generator(rng: np.random.Generator | int | None = None) -> np.random.Generator:
    """`rng` itself, a new generator from a number, or the default one."""
    if rng is None:
        return _default
    return np.random.default_rng(rng) if isinstance(rng, (int, np.integer)) else rng
