"""Activations, with PyTorch's names, parameters and slopes at the kinks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..value import Gate, select
from .arithmetic import absolute, square
from .exponential import exp, scalar_sigmoid, sigmoid, stable_sigmoid
from .hyperbolic import sech_squared, tanh
from .registry import row
from .selection import bounded, where
from .special import bell, erfc

__all__ = [
    "celu", "elu", "gelu", "hardsigmoid", "hardtanh", "leaky_relu", "logsigmoid", "mish", "relu6", "selu", "silu",
    "softplus", "softsign",
]  # fmt: skip

SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717  # Klambauer et al., 2017: selu
CUBIC = 0.044715  # Hendrycks and Gimpel, 2016: gelu
BEND = 2.0 * math.sqrt(2.0 / math.pi)
FAR = 1000.0  # what passes there is 0 or all; cut off at it, infinity meets no 0, which would make nan


# ------------------------------------------------------------------------------------------------------ made of lines
def between(x: Any, low: Any, high: Any) -> Any:
    """True on the open interval, and for nan."""
    return ((x > low) & (x < high)) | (x != x)


def clipped(x: Any, min_val: Any = -1.0, max_val: Any = 1.0) -> Any:
    if not np.all(np.less_equal(min_val, max_val)):
        raise ValueError(f"min_val={min_val} is above max_val={max_val}.")
    return np.clip(x, min_val, max_val)


relu6 = row("relu6", lambda x: np.clip(x, 0.0, 6.0), local=[lambda out, x: between(x, 0.0, 6.0)])
hardtanh = row(
    "hardtanh",
    clipped,
    local=[lambda out, x, min_val=-1.0, max_val=1.0: between(x, min_val, max_val)],
)
hardsigmoid = row(
    "hardsigmoid",
    lambda x: np.clip(x + 3.0, 0.0, 6.0) / 6.0,
    elementwise=True,
    vjp=[lambda g, out, x: select(between(x, -3.0, 3.0), g / 6.0)],
)
leaky_relu = row(
    "leaky_relu",
    lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
    elementwise=True,
    vjp=[lambda g, out, x, negative_slope=0.01: where(x > 0, g, negative_slope * g)],
)


# ------------------------------------------------------------------------------------ exponential on the negative side
def below(x: Any) -> Any:
    """x up to 0; then 0, so that exp(x) stays finite where it isn't used."""
    return select(x <= 0, x)


def elu_forward(x: Any, alpha: Any = 1.0) -> Any:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def celu_forward(x: Any, alpha: Any = 1.0) -> Any:
    if not np.all(np.not_equal(alpha, 0)):
        raise ValueError(f"alpha={alpha}: x / alpha needs an alpha other than 0.")
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0) / alpha))


def elu_pull(g: Any, out: Any, x: Any, alpha: Any = 1.0) -> Any:
    """The slope is alpha exp(x), not out + alpha, which would round to 0."""
    return where(x <= 0, g * (alpha * exp(below(x))), g)


elu = row("elu", elu_forward, elementwise=True, vjp=[elu_pull])
selu = row(
    "selu",
    lambda x: SCALE * elu_forward(x, ALPHA),
    elementwise=True,
    vjp=[lambda g, out, x: SCALE * elu_pull(g, out, x, ALPHA)],
)
celu = row(
    "celu",
    celu_forward,
    elementwise=True,
    vjp=[lambda g, out, x, alpha=1.0: where(x <= 0, g * exp(below(x) / alpha), g)],
)


# -------------------------------------------------------------------------------------------------------------- smooth
def log_sigmoid(x: Any) -> Any:
    return np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))


def soft_plus(x: Any, beta: Any = 1.0) -> Any:
    if not np.all(np.not_equal(beta, 0)):
        raise ValueError(f"beta={beta}: log(1 + exp(beta x)) / beta needs a beta other than 0.")
    u = beta * x  # which may overflow, where the answer is x
    return np.where(u > 0, x, 0.0) + np.log1p(np.exp(-np.abs(u))) / beta


def bend(x: Any) -> Any:
    """The argument of the sigmoid in gelu's tanh form (tanh u = 2 sigmoid(2u) - 1); flat where that is 0 or 1."""
    x = bounded(x, 100.0)
    return BEND * (x + CUBIC * x * x * x)


def passed(x: Any, approximate: str) -> Any:
    """The part of x that a gelu lets through: the probability that a normal number is below x."""
    if approximate == "none":
        return 0.5 * erfc(-math.sqrt(0.5) * x)
    if approximate == "tanh":
        return sigmoid(bend(x))
    raise ValueError(f'approximate={approximate!r}: gelu has the forms "none" (exact) and "tanh".')


def gelu_forward(x: Any, approximate: str = "none") -> Any:
    return np.maximum(x, -FAR) * passed(x, approximate)


def soft_sign(x: Any) -> Any:
    x = np.clip(x, -1e30, 1e30)  # where it is ±1 already, and infinity would be over infinity
    return x / (1.0 + np.abs(x))


def gelu_slope(out: Any, x: Any, approximate: str = "none") -> Any:
    """The product rule: what passes, and x times the slope of that."""
    if approximate == "none":
        return passed(x, approximate) + bounded(x, FAR) * bell(x, 0.5) / math.sqrt(2.0 * math.pi)
    part, x = passed(x, approximate), bounded(x, 100.0)
    return part + x * part * sigmoid(-bend(x)) * (BEND * (1.0 + 3.0 * CUBIC * x * x))


def mish_slope(out: Any, x: Any) -> Any:
    """The product rule for x tanh(softplus(x))."""
    s = softplus(x)
    t = tanh(s)
    return t + bounded(x, FAR) * sech_squared(t, s) * sigmoid(x)


logsigmoid = row("logsigmoid", log_sigmoid, local=[lambda out, x: sigmoid(-x)])
softplus: Gate = row(  # exact everywhere: PyTorch switches to a line at beta x = 20, an error of 2e-9
    "softplus",
    soft_plus,
    local=[lambda out, x, beta=1.0: sigmoid(beta * x)],
)
gelu = row("gelu", gelu_forward, local=[gelu_slope])
silu = row(
    "silu",
    lambda x: np.maximum(x, -FAR) * stable_sigmoid(x),
    scalar=lambda x: max(x, -FAR) * scalar_sigmoid(x),
    local=[lambda out, x: sigmoid(x) * (1.0 + bounded(x, FAR) * sigmoid(-x))],
)
mish = row("mish", lambda x: np.maximum(x, -FAR) * np.tanh(soft_plus(x)), local=[mish_slope])
softsign = row(
    "softsign",
    soft_sign,
    scalar=lambda x: x / (1.0 + abs(x)) if abs(x) < 1e30 else soft_sign(x).item(),
    local=[lambda out, x: square(1.0 / (1.0 + absolute(x)))],
)
