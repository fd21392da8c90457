"""Quantiles: two neighbours in the sorted order, and a step from one to the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import ShapeError
from ..value import reshape
from .arranging import dtype_of
from .axes import moveaxis
from .comparisons import isnan
from .cumulative import together
from .reductions import max, mean
from .registry import call, composed, row
from .selection import where
from .shapes import getitem
from .sorting import sort

__all__ = ["lerp", "median", "quantile"]


def between(a: Any, b: Any, t: Any) -> Any:
    """a + t (b - a) as C++'s std::lerp: exact at equal ends, and nothing overflows on the way."""
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
