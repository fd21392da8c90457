"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import number
from ..convert import shape_of
from ..errors import ShapeError
from ..random import generator
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, each number becomes 0 with probability p, and x / (1 - p) otherwise; in evaluation, x itself.

    So the mean stays the same ("inverted" dropout; source: CS231n).  Each pass draws anew from `rng`, or from the
    generator that `mg.seed` sets.  Raises `ShapeError` for a p outside 0 to 1.

    >>> Dropout(0.5, rng=0)(np.ones(8))
    array([2., 0., 0., 0., 2., 2., 2., 2.])
    >>> Dropout(0.5).eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, rng: Any = None) -> None:
        if not 0.0 <= number("Dropout: p", p) <= 1.0:
            raise ShapeError(f"Dropout: p={p}; it is the probability to drop a number, from 0 to 1.")
        self.p, self.rng = p, rng if rng is None else generator(rng)

    def forward(self, x: Any) -> Any:
        if not self.training or self.p == 0.0:
            return x
        kept = generator(self.rng).random(shape_of(x)) >= self.p
        mask = kept / (1.0 - self.p) if self.p < 1.0 else kept * 0.0
        return x * (mask.astype(np.float32) if getattr(x, "dtype", None) == np.float32 else mask)

    def extra_repr(self) -> str:
        return f"p={self.p}"
