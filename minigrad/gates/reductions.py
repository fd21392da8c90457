"""Gates that make one number of many, along `axis` or over everything."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import Gate, expand, select, sum
from .comparisons import equal, isnan
from .exponential import exp
from .registry import call, register, row

sum_along: Any = np.add.reduce  # as np.sum, in half the time
__all__ = ["log_softmax", "logsumexp", "max", "mean", "min", "softmax", "sum"]

REDUCED = [
    call((2, 3)), call((2, 3), axis=0), call((2, 3, 4), axis=(0, 2)), call((2, 3), axis=-1, keepdims=True), call(()),
]  # fmt: skip
ALONG = [call((5,)), call((2, 3)), call((2, 3, 4), axis=1)]


def average(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum over the count; where the sum overflows, first divided by a power of 2, which rounds nothing."""
    total = sum_along(x, axis=axis, keepdims=keepdims)
    n = count(x, total)
    if math.isfinite(sum_along(total, axis=None) if total.ndim else total):
        return total / n
    part, e = math.frexp(n)
    scaled = sum_along(np.ldexp(x, -e), axis=axis, keepdims=keepdims)
    return np.where(np.isfinite(total), total / n, scaled / part)


def count(x: Any, out: Any) -> float:
    """How many numbers of x each result is made of."""
    return math.prod(shape_of(x)) / (math.prod(shape_of(out)) or 1)


def share(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The gradient of max or min: to the winner, in equal parts to winners that tie; a nan wins over everything."""
    won = equal(x, expand(out, x, axis, keepdims)) | isnan(x)
    return select(won, expand(g / sum_along(won, axis=axis, keepdims=keepdims), x, axis, keepdims))


def top(x: Any, axis: Any) -> Any:
    """The largest number along `axis`, or 0 where that is infinite: what the softmax family subtracts first."""
    floats = np.result_type(x, np.float32)  # whole numbers have no -inf to start from
    largest = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf, dtype=floats)
    finite = np.isfinite(largest)
    return largest if np.logical_and.reduce(finite, axis=None) else np.where(finite, largest, 0.0)


def from_end(axis: Any, x: Any) -> tuple[int, ...]:
    """The axes of x counted from its last: right for a gradient that has more axes in front, too."""
    n = len(shape_of(x))
    return tuple([a % n - n for a in (range(n) if axis is None else np.atleast_1d(axis).tolist()) if n])


def log_sum_exp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    shift = top(x, axis)
    out = np.log(sum_along(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return out if keepdims else np.squeeze(out, axis=axis)


def shifted_log_softmax(x: Any, axis: Any = -1) -> Any:
    x = x - top(x, axis)  # first, or the logarithm would be lost beside large numbers
    return x - np.log(sum_along(np.exp(x), axis=axis, keepdims=True))


def normalised_exp(x: Any, axis: Any = -1) -> Any:
    e = np.exp(x - top(x, axis))
    return e / sum_along(e, axis=axis, keepdims=True)


register(sum, domain=REDUCED, leading=True)
mean = row(
    "mean",
    average,
    vjp=[lambda g, out, x, axis=None, keepdims=False: expand(g / count(x, out), x, axis, keepdims)],
    domain=REDUCED,
    leading=True,
)
max = row(
    "max",
    lambda x, axis=None, keepdims=False: np.maximum.reduce(x, axis=axis, keepdims=keepdims),
    vjp=[share],
    domain=REDUCED,
    leading=True,
)
min = row(
    "min",
    lambda x, axis=None, keepdims=False: np.minimum.reduce(x, axis=axis, keepdims=keepdims),
    vjp=[share],
    domain=REDUCED,
    leading=True,
)
logsumexp = row(
    "logsumexp",
    log_sum_exp,
    vjp=[  # not exp(x - out), whose digits are lost where out is large
        lambda g, out, x, axis=None, keepdims=False: expand(g, x, axis, keepdims) * softmax(x, axis=axis)
    ],
    domain=REDUCED,
    leading=True,
)
softmax: Gate = row(
    "softmax",
    normalised_exp,
    vjp=[lambda g, out, x, axis=-1: out * (g - sum(g * out, axis=from_end(axis, x), keepdims=True))],
    domain=ALONG,
    leading=True,
)
log_softmax = row(
    "log_softmax",
    shifted_log_softmax,
    vjp=[lambda g, out, x, axis=-1: g - exp(out) * sum(g, axis=from_end(axis, x), keepdims=True)],
    domain=ALONG,
    leading=True,
)
