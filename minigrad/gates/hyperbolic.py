"""Hyperbolic functions and their inverses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..value import Gate
from .arithmetic import reciprocal
from .exponential import sqrt
from .registry import row
from .trigonometric import hypot

__all__ = ["arccosh", "arcsinh", "arctanh", "cosh", "sech", "sinh", "tanh"]


def sech_squared(out: Any, x: Any) -> Any:
    """1 - tanh² = 1 / cosh²: the second form where the first rounds to 0, and on arrays, which have such numbers."""
    if type(out) is float and -0.9 < out < 0.9:
        return 1.0 - out * out
    s = sech(x)
    return s * s


sinh: Gate = row("sinh", np.sinh, scalar=math.sinh, local=[lambda out, x: cosh(x)])
cosh: Gate = row("cosh", np.cosh, scalar=math.cosh, local=[lambda out, x: sinh(x)])
sech: Gate = row(  # 1 / cosh: a gate, for the slope of that fraction is infinity over infinity where cosh overflows
    "sech",
    lambda x: 1.0 / np.cosh(x),
    scalar=lambda x: 1.0 / math.cosh(x),
    local=[lambda out, x: -out * tanh(x)],
)
tanh: Gate = row("tanh", np.tanh, scalar=math.tanh, local=[sech_squared])
arcsinh = row("arcsinh", np.arcsinh, scalar=math.asinh, local=[lambda out, x: 1.0 / hypot(1.0, x)])  # not sqrt(1 + x²)
arccosh = row(
    "arccosh",
    np.arccosh,
    scalar=math.acosh,
    local=[lambda out, x: reciprocal(sqrt(x - 1.0) * sqrt(x + 1.0))],
    domain=[(1.2, 3.0)],
)
arctanh = row(
    "arctanh",
    np.arctanh,
    scalar=math.atanh,
    local=[lambda out, x: 1.0 / ((1.0 - x) * (1.0 + x))],  # not 1 - x², which cancels
    domain=[(-0.8, 0.8)],
)
