"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import flag, number
from ..convert import shape_of
from ..errors import ShapeError
from ..gates import multiply
from ..random import generator
from ..recorded import drawn
from .module import Module

__all__ = ["Dropout", "dropout"]


def dropout(input: Any, p: float = 0.5, training: bool = True, *, rng: Any = None) -> Any:
    """In training, each number becomes 0 with probability p, and x / (1 - p) otherwise; in evaluation, x itself.

    So the mean stays the same ("inverted" dropout; source: CS231n).  Raises `ShapeError` for a p outside 0 to 1.

    >>> dropout(np.ones(8), rng=0)
    array([2., 0., 0., 0., 2., 2., 2., 2.])
    """
    if not flag("dropout: training", training) or probability("dropout", p) == 0.0:
        return input
    kept = drawn(lambda: generator(rng).random(shape_of(input))) >= p
    mask = kept / (1.0 - p) if p < 1.0 else kept * 0.0
    return multiply(input, mask.astype(np.float32) if getattr(input, "dtype", None) == np.float32 else mask)


class Dropout(Module):
    """Drops numbers in training only: see `functional.dropout`.

    Each pass draws anew from `rng`, or from the generator that `mg.seed` sets.

    >>> Dropout(0.5, rng=0)(np.ones(8))
    array([2., 0., 0., 0., 2., 2., 2., 2.])
    >>> Dropout(0.5).eval()(np.ones(3))
    array([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, *, rng: Any = None) -> None:
        self.p, self.rng = float(probability("Dropout", p)), rng if rng is None else generator(rng)

    def forward(self, x: Any) -> Any:
        return dropout(x, self.p, self.training, rng=self.rng)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def probability(name: str, p: Any) -> Any:
    if not 0.0 <= number(f"{name}: p", p) <= 1.0:
        raise ShapeError(f"{name}: p={p}; it is the probability to drop a number, from 0 to 1.")
    return p
