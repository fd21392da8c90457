"""Initial weights: each function fills a parameter with new numbers and returns it.  Weights are (out, in, ...)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import at_least_zero, finite, number
from ..convert import describe, is_value
from ..errors import DtypeError, ShapeError
from ..random import generator
from ..value import Value

__all__ = [
    "calculate_gain", "constant_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "uniform_",
    "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75}


def fans(p: Value) -> tuple[int, int]:
    """How many numbers feed a unit, and how many units a number feeds: (in, out) for a weight (out, in, ...)."""
    if len(shape_to_fill(p)) < 2 or not p.size:
        raise ShapeError(f"init: a weight has at least two axes (out, in), this one has the shape {p.shape}.")
    field = math.prod(p.shape[2:])
    return p.shape[1] * field, p.shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity; `param` is the slope of leaky_relu.

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1.0 + finite("calculate_gain: param", 0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: {nonlinearity!r} is not one of {[*GAINS, 'leaky_relu']}.")
    return GAINS[nonlinearity]


def shape_to_fill(p: Any) -> tuple[int, ...]:
    """The shape of a parameter; `DtypeError` for what is none."""
    if not is_value(p):
        raise DtypeError(f"init: {describe(p)} is no parameter: pass layer.weight or layer.bias.")
    return p.shape  # type: ignore[no-any-return]


def fill(p: Value, numbers: Any) -> Value:
    p.data = float(numbers) if isinstance(p.data, float) else np.asarray(numbers, p.dtype)
    return p


def uniform_(p: Value, a: float = 0.0, b: float = 1.0, rng: Any = None) -> Value:
    """U(a, b)."""
    if not finite("uniform_: a", a) <= finite("uniform_: b", b):
        raise ValueError(f"uniform_: a={a} is above b={b}.")
    return fill(p, generator(rng).uniform(a, b, shape_to_fill(p)))


def normal_(p: Value, mean: float = 0.0, std: float = 1.0, rng: Any = None) -> Value:
    """N(mean, std²)."""
    finite("normal_: mean", mean), at_least_zero("normal_: std", std)
    return fill(p, generator(rng).normal(mean, std, shape_to_fill(p)))


def constant_(p: Value, val: float) -> Value:
    """The same number everywhere."""
    return fill(p, np.full(shape_to_fill(p), number("constant_: val", val), dtype=np.float64))


def zeros_(p: Value) -> Value:
    """Zeros."""
    return constant_(p, 0.0)


def ones_(p: Value) -> Value:
    """Ones."""
    return constant_(p, 1.0)


def xavier_uniform_(p: Value, gain: float = 1.0, rng: Any = None) -> Value:
    """U(-b, b) with b = gain sqrt(6 / (in + out)), variance 2 gain² / (in + out).  Glorot & Bengio 2010.

    >>> from minigrad import Value
    >>> import numpy as np
    >>> bool(abs(xavier_uniform_(Value(np.zeros((3, 3))), rng=0).data).max() <= 1.0)
    True
    """
    bound = at_least_zero("xavier_uniform_: gain", gain) * math.sqrt(6.0 / sum(fans(p)))
    return uniform_(p, -bound, bound, rng)


def xavier_normal_(p: Value, gain: float = 1.0, rng: Any = None) -> Value:
    """N(0, 2 gain² / (in + out)).  Glorot & Bengio 2010."""
    return normal_(p, 0.0, at_least_zero("xavier_normal_: gain", gain) * math.sqrt(2.0 / sum(fans(p))), rng)


def kaiming_std(p: Value, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode={mode!r}: it is 'fan_in' or 'fan_out'.")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(p)[mode == "fan_out"])


def kaiming_uniform_(
    p: Value, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", rng: Any = None
) -> Value:
    """U(-b, b) with b = gain sqrt(3 / fan).  He et al. 2015."""
    bound = math.sqrt(3.0) * kaiming_std(p, a, mode, nonlinearity)
    return uniform_(p, -bound, bound, rng)


def kaiming_normal_(
    p: Value, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", rng: Any = None
) -> Value:
    """N(0, gain² / fan); for relu and fan_in the variance is 2 / in.  He et al. 2015."""
    return normal_(p, 0.0, kaiming_std(p, a, mode, nonlinearity), rng)
