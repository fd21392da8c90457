"""Exponentials, logarithms and the squashing functions made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..value import Gate
from .registry import row

__all__ = ["exp", "log", "sigmoid", "sqrt", "tanh"]

POSITIVE = (0.2, 3.0)


def stable_sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def scalar_sigmoid(x: float) -> float:
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


exp = row("exp", np.exp, scalar=math.exp, local=[lambda out, x: out])
log = row("log", np.log, scalar=math.log, local=[lambda out, x: 1.0 / x], domain=[POSITIVE])
sqrt = row("sqrt", np.sqrt, scalar=math.sqrt, symbol="√", local=[lambda out, x: 0.5 / out], domain=[POSITIVE])
tanh = row("tanh", np.tanh, scalar=math.tanh, local=[lambda out, x: 1.0 - out * out])
sigmoid: Gate = row(
    "sigmoid",
    stable_sigmoid,
    scalar=scalar_sigmoid,
    symbol="σ",
    local=[lambda out, x: out * sigmoid(-x)],  # = out (1 - out), which would round to 0 for large x
)
