"""Products, running sums, spreads, lengths and quantiles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..convert import shape_of
from ..errors import ShapeError
from ..value import expand, reshape, select
from .arithmetic import absolute, power, sign
from .arranging import dtype_of, flip, moveaxis, ravel
from .comparisons import isnan
from .exponential import quiet
from .reductions import ALONG, REDUCED, average, count, max, mean, share
from .registry import call, composed, row
from .selection import where
from .shapes import concatenate, getitem, transpose
from .sorting import sort

__all__ = ["cumprod", "cumsum", "lerp", "median", "prod", "quantile", "std", "var", "vector_norm"]


# ----------------------------------------------------------------------------------------- products and running sums
def order(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """All axes, those of a reduction last."""
    last = tuple(range(len(shape))) if axis is None else normalize_axis_tuple(axis, len(shape))
    return (*[i for i in range(len(shape)) if i not in last], *last)


def together(x: Any, axis: Any) -> Any:
    """x with the axes of a reduction made one, the last."""
    shape = shape_of(x)
    if axis is None or not shape:
        return ravel(x)
    axes = order(shape, axis)
    lead = [shape[i] for i in axes[: len(shape) - len(normalize_axis_tuple(axis, len(shape)))]]
    return reshape(transpose(x, axes=axes), (*lead, math.prod(shape) // (math.prod(lead) or 1)))


def apart(y: Any, x: Any, axis: Any) -> Any:
    """The reverse of `together`: y in the shape of x again."""
    shape = shape_of(x)
    axes = order(shape, axis if shape else None)
    return transpose(reshape(y, tuple([shape[i] for i in axes])), axes=tuple(np.argsort(axes).tolist()))


def before(y: Any) -> Any:
    """The product of all numbers before each along the last axis; none of them is divided by, so zeros do no harm."""
    *lead, n = shape_of(y)
    first = np.ones((*lead, 1 if n else 0), dtype_of(y))
    return cumprod(concatenate([first, getitem(y, (..., slice(-1)))], axis=-1), axis=-1)


def prod_slope(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """To each number the product of those before and those after it."""
    y = together(x, axis)
    others = before(y) * flip(before(flip(y, -1)), -1)
    return expand(g, x, axis, keepdims) * apart(others, x, axis)


def cumprod_slope(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    """To x_j the product before it times s_j = g_j + x_{j+1} g_{j+1} + x_{j+1} x_{j+2} g_{j+2} + ...

    These sums are the recurrence s_j = g_j + x_{j+1} s_{j+1}, taken in log2(n) steps that double what each s_j spans.
    """
    if axis is None:
        return reshape(cumprod_slope(g, out, ravel(x), 0), shape_of(x))
    s, y = moveaxis(g, axis, -1), moveaxis(x, axis, -1)
    n, span = shape_of(y)[-1], 1
    factor = getitem(y, (..., slice(1, None)))  # over which s_j reaches s_{j+span}
    while span < n:
        longer = getitem(s, (..., slice(n - span))) + factor * getitem(s, (..., slice(span, None)))
        s = concatenate([longer, getitem(s, (..., slice(n - span, None)))], axis=-1)
        farther = getitem(factor, (..., slice(span, None)))
        factor = getitem(factor, (..., slice(shape_of(farther)[-1]))) * farther
        span *= 2
    return moveaxis(before(y) * s, -1, axis)


def cumsum_slope(g: Any, out: Any, x: Any, axis: Any = None) -> Any:
    """Each number is in its own sum and in all later ones."""
    return reshape(flip(cumsum(flip(g, axis), axis=axis), axis), shape_of(x))


prod = row(
    "prod",
    lambda x, axis=None, keepdims=False: np.multiply.reduce(x, axis=axis, keepdims=keepdims),
    vjp=[prod_slope],
    symbol="Π",
    domain=REDUCED,
    leading=True,
)
cumsum: Any = row("cumsum", lambda x, axis=None: np.cumsum(x, axis), vjp=[cumsum_slope], domain=[*ALONG, call(())])
cumprod: Any = row("cumprod", lambda x, axis=None: np.cumprod(x, axis), vjp=[cumprod_slope], domain=[*ALONG, call(())])


# ------------------------------------------------------------------------------------------------- spreads and norms
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


@quiet
def variance(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    x, e = scaled(x, axis)
    return unscaled(squares(x, axis, ddof), 2 * e, axis, keepdims)


@quiet
def deviation(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    x, e = scaled(x, axis)
    return unscaled(np.sqrt(squares(x, axis, ddof)), e, axis, keepdims)


def centred(x: Any, axis: Any) -> Any:
    """x minus its mean, and once more: the second time takes off what rounding left of a mean that is large."""
    x = x - mean(x, axis=axis, keepdims=True)
    return x - mean(x, axis=axis, keepdims=True)


def variance_slope(g: Any, out: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    n = freedom(x, out, ddof)
    return expand(g, x, axis, keepdims) * (centred(x, axis) * (2.0 / n if n else np.inf))


def deviation_slope(g: Any, out: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    """(x - mean) / (n out), and 0 where all numbers are equal."""
    d, n = centred(x, axis), freedom(x, out, ddof)
    s = expand(out, x, axis, keepdims)
    return expand(g, x, axis, keepdims) * select(s != 0.0, d / where(s == 0.0, 1.0, s) * (1.0 / n if n else np.inf))


@quiet
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


# --------------------------------------------------------------------------------------------------------- quantiles
def between(a: Any, b: Any, t: Any) -> Any:
    """a + t (b - a) as C++'s std::lerp: exact at equal ends, and nothing overflows on the way."""
    with np.errstate(all="ignore"):
        crossing = (1.0 - t) * a + t * b
        return np.where(a == b, a, np.where(np.signbit(a) == np.signbit(b), a + t * (b - a), crossing))


lerp = row(  # from a (t = 0) to b (t = 1)
    "lerp",
    between,
    local=[lambda out, a, b, t: 1.0 - t, lambda out, a, b, t: t, lambda out, a, b, t: b - a],
    domain=[call((), (), ()), call((2, 3), (2, 3), (3,))],
)


@composed
def quantile(x: Any, q: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The number below which a part q of the numbers lies, between two of them linearly.

    `q` is a number from 0 to 1, or an array of them, whose axes come first in the result.  A nan among the numbers
    makes the result nan.  Raises `ShapeError` for other q, and for the quantile of nothing.

    >>> from minigrad import Value
    >>> quantile(Value([1.0, 2.0, 4.0]), [0.5, 0.75]).data
    array([2., 3.])
    """
    y, q = sort(together(x, axis)), np.asarray(q, np.float64)
    n = shape_of(y)[-1]
    if n == 0 or not np.all((q >= 0.0) & (q <= 1.0)):
        raise ShapeError(f"quantile: q={q} of {n} numbers; q is from 0 to 1, and there must be some numbers.")
    place = q * (n - 1)
    low, high = np.floor(place).astype(int), np.ceil(place).astype(int)
    t = (place - low).astype(dtype_of(x)) if q.ndim else float(place - low)
    last = getitem(y, (..., np.full(q.shape, n - 1)))  # where nan is sorted to
    out = where(isnan(last), last, lerp(getitem(y, (..., low)), getitem(y, (..., high)), t))
    if q.ndim:
        out = moveaxis(out, tuple(range(-q.ndim, 0)), tuple(range(q.ndim)))
    return reshape(out, (*q.shape, *shape_of(max(x, axis=axis, keepdims=True)))) if keepdims else out


@composed
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle number, or the mean of the middle two; of nothing it is nan.

    >>> from minigrad import Value
    >>> median(Value([1.0, 5.0, 2.0, 4.0])).item()
    3.0
    """
    return quantile(x, 0.5, axis, keepdims) if shape_of(together(x, axis))[-1] else mean(x, axis, keepdims)
