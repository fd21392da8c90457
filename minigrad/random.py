"""The default source of randomness: one NumPy generator, set by `seed`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DtypeError

__all__ = ["generator", "seed"]

_default = np.random.default_rng()


def seed(n: int) -> None:
    """Start the default generator at `n`; everything random that is not given `rng=` draws from it.

    >>> seed(0); a = generator().random(); seed(0); a == generator().random()
    True
    """
    global _default
    _default = np.random.default_rng(n)


def generator(rng: Any = None) -> Any:
    """`rng` itself, a new generator from a number, or the default one; `DtypeError` for anything else."""
    if rng is None:
        return _default
    if isinstance(rng, (int, np.integer)):
        return np.random.default_rng(rng)
    if not isinstance(rng, (np.random.Generator, np.random.RandomState)):
        raise DtypeError(f"rng={rng!r:.60}; it is a whole number, np.random.default_rng(number) or None.")
    return rng
