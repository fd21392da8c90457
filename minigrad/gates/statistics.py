"""Spreads and lengths: sums of squares that neither overflow nor underflow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..convert import shape_of
from ..value import expand, select
from .arithmetic import absolute, power, sign
from .arranging import dtype_of
from .reductions import REDUCED, average, count, mean, share
from .registry import call, row
from .selection import where

__all__ = ["std", "var", "vector_norm"]


def scaled(x: Any, axis: Any) -> tuple[Any, Any]:
    """x / 2**e, and the e that brings the largest number of each line near 1: exact, and its squares stay finite."""
    x = np.multiply(x, 1.0)
    e = np.frexp(np.maximum.reduce(np.abs(x), axis=axis, keepdims=True, initial=0.0))[1]
    return np.ldexp(x, -e), e


def unscaled(y: Any, e: Any, axis: Any, keepdims: bool) -> Any:
    out = np.ldexp(y, e)
    return out if keepdims else np.squeeze(out, axis=axis)


def squares(x: Any, axis: Any, ddof: float) -> Any:
    """The mean square of the deviations from the mean; of equal numbers it is 0 exactly."""
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    x = x - x[tuple([slice(1 if i in axes else None) for i in range(x.ndim)])]
    d = x - average(x, axis, True)
    total = np.add.reduce(d * d, axis=axis, keepdims=True)
    return total / freedom(x, total, ddof)


def freedom(x: Any, out: Any, ddof: float) -> float:
    """How many numbers there are, less those that the mean has fixed; the spread of too few is 0/0."""
    return float(np.maximum(count(x, out) - ddof, 0.0))


def variance(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    x, e = scaled(x, axis)
    return unscaled(squares(x, axis, ddof), 2 * e, axis, keepdims)


def deviation(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    x, e = scaled(x, axis)
    return unscaled(np.sqrt(squares(x, axis, ddof)), e, axis, keepdims)


def centred(x: Any, axis: Any) -> Any:
    """x minus its mean, and once more: the second time takes off what rounding left of a mean that is large."""
    x = x - mean(x, axis=axis, keepdims=True)
    return x - mean(x, axis=axis, keepdims=True)


def variance_slope(g: Any, out: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """2 (x - mean) / n: that the mean moves, too, cancels out."""
    n = freedom(x, out, ddof)
    return expand(g, x, axis, keepdims) * (centred(x, axis) * (2.0 / n if n else np.inf))


def deviation_slope(g: Any, out: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """(x - mean) / (n out), and 0 where all numbers are equal."""
    d, n = centred(x, axis), freedom(x, out, ddof)
    s = expand(out, x, axis, keepdims)
    return expand(g, x, axis, keepdims) * select(s != 0.0, d / where(s == 0.0, 1.0, s) * (1.0 / n if n else np.inf))


def length(x: Any, axis: Any = None, keepdims: Any = False, ord: float = 2) -> Any:
    if ord == 0:
        return np.add.reduce(np.not_equal(x, 0.0), axis=axis, keepdims=keepdims).astype(dtype_of(x))
    if np.isinf(ord):
        return (np.maximum if ord > 0 else np.minimum).reduce(np.abs(x), axis=axis, keepdims=keepdims)
    x, e = scaled(x, axis)
    total = np.add.reduce(x * x if ord == 2 else np.abs(x) ** ord, axis=axis, keepdims=True)
    return unscaled(np.sqrt(total) if ord == 2 else total ** (1.0 / ord), e, axis, keepdims)


def length_slope(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    """sign(x) (|x| / out)^(p-1): a power of ratios, which don't overflow; 0 where out is 0."""
    if ord == 0:
        return select(np.zeros(shape_of(x), bool), expand(g, x, axis, keepdims))
    if np.isinf(ord):
        return share(g, out, absolute(x), axis, keepdims) * sign(x)
    out = expand(out, x, axis, keepdims)
    ratio = x / where(out == 0.0, 1.0, out)
    if ord >= 2:  # written so that its own slope at x = 0 is right, too
        slope = ratio if ord == 2 else ratio * power(absolute(ratio), ord - 2.0)
    else:
        slope = select(x != 0.0, sign(x) * power(where(x == 0.0, 1.0, absolute(ratio)), ord - 1.0))
    return expand(g, x, axis, keepdims) * select(out != 0.0, slope)


SPREAD = [*REDUCED[:4], call((2, 3), axis=0, ddof=1)]
LENGTHS = [call((3,), ord=p) for p in (1, 0, 3, 1.5, -1, 0.5, np.inf, -np.inf)]
var = row("var", variance, vjp=[variance_slope], domain=SPREAD, leading=True)
std = row("std", deviation, vjp=[deviation_slope], domain=SPREAD, leading=True)
vector_norm = row(
    "vector_norm", length, vjp=[length_slope], symbol="‖·‖", domain=[*REDUCED[:4], *LENGTHS], leading=True
)
