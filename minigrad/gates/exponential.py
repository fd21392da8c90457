"""Exponentials, logarithms, roots, and the sigmoid that is made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..value import Gate
from .comparisons import isinf
from .registry import row
from .selection import where

__all__ = [
    "cbrt", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "sigmoid", "sqrt",
]  # fmt: skip

POSITIVE = (0.2, 3.0)
LN2 = math.log(2.0)
def stable_sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def scalar_sigmoid(x: float) -> float:
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


def ahead(a: Any, b: Any) -> Any:
    """a - b; 0 for equal infinities, which are as far ahead as each other."""
    return where(isinf(a) & (a == b), 0.0, a - b)


exp = row("exp", np.exp, scalar=math.exp, local=[lambda out, x: out])
exp2 = row("exp2", np.exp2, scalar=math.exp2, local=[lambda out, x: LN2 * out])
expm1 = row("expm1", np.expm1, scalar=math.expm1, local=[lambda out, x: exp(x)])  # out + 1 would round to 0 at x = -50
log = row("log", np.log, scalar=math.log, local=[lambda out, x: 1.0 / x], domain=[POSITIVE])
log2 = row("log2", np.log2, scalar=math.log2, local=[lambda out, x: math.log2(math.e) / x], domain=[POSITIVE])
log10 = row("log10", np.log10, scalar=math.log10, local=[lambda out, x: math.log10(math.e) / x], domain=[POSITIVE])
log1p = row("log1p", np.log1p, scalar=math.log1p, local=[lambda out, x: 1.0 / (1.0 + x)], domain=[(-0.8, 2.0)])
sqrt = row("sqrt", np.sqrt, scalar=math.sqrt, symbol="√", local=[lambda out, x: 0.5 / out], domain=[POSITIVE])
cbrt = row(
    "cbrt", np.cbrt, scalar=math.cbrt, symbol="∛", local=[lambda out, x: 1.0 / (3.0 * out * out)], domain=[POSITIVE]
)
sigmoid: Gate = row(
    "sigmoid",
    stable_sigmoid,
    scalar=scalar_sigmoid,
    symbol="σ",
    local=[lambda out, x: out * sigmoid(-x)],  # = out (1 - out), which would round to 0 for large x
)
logaddexp = row(  # log(exp(a) + exp(b)); each side's slope is its share of the sum
    "logaddexp",
    np.logaddexp,
    local=[lambda out, a, b: sigmoid(ahead(a, b)), lambda out, a, b: sigmoid(ahead(b, a))],
)
logaddexp2 = row(
    "logaddexp2",
    np.logaddexp2,
    local=[lambda out, a, b: sigmoid(LN2 * ahead(a, b)), lambda out, a, b: sigmoid(LN2 * ahead(b, a))],
)
