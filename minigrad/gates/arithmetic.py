"""Arithmetic: one row per gate, its forward rule and its local gradient on each wire."""

from __future__ import annotations

import operator

import numpy as np

from ..value import Gate, add, multiply, positive, select
from .registry import call, register, row

__all__ = [
    "absolute", "add", "divide", "floor_divide", "multiply", "negative", "positive", "power", "reciprocal",
    "remainder", "select", "sign", "square", "subtract",
]  # fmt: skip

NONZERO = (0.5, 2.0)
MASK = np.array([[True, False, True], [False, False, True]])

register(add)
register(multiply)
register(positive)
register(select, domain=[call(MASK, (2, 3)), call(False, ())])

subtract = row("subtract", np.subtract, scalar=operator.sub, symbol="-", local=[1.0, -1.0])
negative = row("negative", np.negative, scalar=operator.neg, symbol="-", local=[-1.0])
divide = row(
    "divide",
    np.divide,
    scalar=operator.truediv,
    symbol="/",
    local=[lambda out, a, b: 1.0 / b, lambda out, a, b: -out / b],
    domain=[(-2.0, 2.0), NONZERO],
)
reciprocal = row(
    "reciprocal",
    lambda x: np.divide(1.0, x),  # np.reciprocal(2) is 0
    scalar=lambda x: 1.0 / x,
    symbol="1/x",
    local=[lambda out, x: -out * out],
    domain=[NONZERO],
)
floor_divide = row(
    "floor_divide",
    np.floor_divide,
    scalar=operator.floordiv,
    symbol="//",
    local=[0.0, 0.0],
    domain=[(0.1, 0.9), (1.1, 1.9)],
)
remainder = row(
    "remainder",
    np.remainder,
    scalar=operator.mod,
    symbol="%",
    local=[1.0, lambda out, a, b: -floor_divide(a, b)],
    domain=[(2.1, 2.9), (1.1, 1.9)],
)
square = row("square", np.square, scalar=lambda x: x * x, symbol="²", local=[lambda out, x: 2.0 * x])
absolute = row("absolute", np.absolute, scalar=abs, symbol="|·|", local=[lambda out, x: sign(x)])
sign: Gate = row("sign", np.sign, local=[0.0], domain=[NONZERO])

# power: where the formulas b·a^(b-1) and out·log(a) are 0·inf, the slope is 0 (0**0 = 1 counts as a constant).
#   a > 0                 both formulas            a = 0, b > 1   0 to a      a = 0, b >= 0   0 to b
#   a < 0, b an integer   to a the formula,        a = 0, b = 1   1 to a      a = 0, b < 0    -inf to b
#                         to b nan (log of a < 0)  a = 0, b < 1   inf to a    a = 0, b = 0    0 to both
power: Gate = row(
    "power",
    np.power,
    scalar=operator.pow,
    symbol="**",
    local=[
        lambda out, a, b: b * power(where((a == 0) & (b == 0), 1.0, a), b - 1.0),
        lambda out, a, b: out * log(where((a == 0) & (b >= 0), 1.0, a)),
    ],
    domain=[(0.5, 2.0), (-2.0, 2.0)],
)

from .exponential import log  # noqa: E402  the rules above need them when they are called, not before
from .selection import where  # noqa: E402
