"""Gates that make one number of many, along `axis` or over everything."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import expand, select, sum
from .comparisons import equal
from .exponential import exp
from .registry import call, register, row

__all__ = ["log_softmax", "logsumexp", "max", "mean", "min", "softmax", "sum"]

REDUCED = [call((2, 3)), call((2, 3), axis=0), call((2, 3, 4), axis=(0, 2)), call((2, 3), axis=-1, keepdims=True), call(())]
ALONG = [call((5,)), call((2, 3)), call((2, 3, 4), axis=1)]


def average(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / count(x, axis)


def count(x: Any, axis: Any) -> float:
    """How many numbers each result is made of."""
    shape = shape_of(x)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, (tuple, list)) else [axis]
    return float(np.prod([shape[a] for a in axes])) if shape else 1.0


def share(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The gradient of max or min: to the winner, in equal parts to winners that tie."""
    won = equal(x, expand(out, x, axis, keepdims))
    return select(won, expand(g / np.add.reduce(won, axis=axis, keepdims=keepdims), x, axis, keepdims))


def top(x: Any, axis: Any) -> Any:
    """The largest number along `axis`, or 0 where that is infinite: what the softmax family subtracts first."""
    largest = np.max(x, axis=axis, keepdims=True)
    return np.where(np.isfinite(largest), largest, 0.0)


def log_sum_exp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    shift = top(x, axis)
    out = np.log(np.add.reduce(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return out if keepdims else np.squeeze(out, axis=axis)


def normalised_exp(x: Any, axis: Any = -1) -> Any:
    e = np.exp(x - top(x, axis))
    return e / np.add.reduce(e, axis=axis, keepdims=True)


register(sum, domain=REDUCED)
mean = row(
    "mean",
    average,
    vjp=[lambda g, out, x, axis=None, keepdims=False: expand(g, x, axis, keepdims) / count(x, axis)],
    domain=REDUCED,
)
max = row("max", np.max, vjp=[share], domain=REDUCED)
min = row("min", np.min, vjp=[share], domain=REDUCED)
logsumexp = row(
    "logsumexp",
    log_sum_exp,
    vjp=[
        lambda g, out, x, axis=None, keepdims=False: (
            expand(g, x, axis, keepdims) * exp(x - expand(out, x, axis, keepdims))
        )
    ],
    domain=REDUCED,
)
softmax = row(
    "softmax",
    normalised_exp,
    vjp=[lambda g, out, x, axis=-1: out * (g - sum(g * out, axis=axis, keepdims=True))],
    domain=ALONG,
)
log_softmax = row(
    "log_softmax",
    lambda x, axis=-1: x - log_sum_exp(x, axis, keepdims=True),
    vjp=[lambda g, out, x, axis=-1: g - exp(out) * sum(g, axis=axis, keepdims=True)],
    domain=ALONG,
)
