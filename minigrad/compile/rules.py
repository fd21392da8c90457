"""Gates whose lines are written down here, because their forward rule would need more calls, or a call of its own.

The numbers are those of the forward rule (a test compares them); only the calls differ.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..gates.windows import from_columns, scatter
from .program import SUM, Sym, Unsupported

__all__ = ["SHORTER", "add_in_place", "put_plain"]


def select(mask: Any, x: Any) -> Any:
    """x where the mask is true, 0 elsewhere: the bits of x times 1 or 0, for branches cost ten times as much."""
    if not isinstance(mask, Sym) or not isinstance(x, Sym) or mask.dtype != bool or not x.ndim:
        return np.where(mask, x, 0.0)
    if mask.shape != np.broadcast_shapes(mask.shape, x.shape):
        return np.where(mask, x, 0.0)
    return np.multiply(x.view(np.dtype(f"i{x.dtype.itemsize}")), mask).view(x.dtype)


def broadcast(x: Any, shape: Any) -> Any:
    if not isinstance(x, Sym):
        raise Unsupported
    return np.broadcast_to(x, shape)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The sum over the count, while it is finite: otherwise the gate's own rule, which divides first."""
    total = SUM(x, axis=axis, keepdims=keepdims)
    n = x.size / (prod(total.shape) or 1)
    if not np.isfinite(total if not total.ndim else np.add.reduce(total, axis=None)):
        raise Unsupported
    return total / n


def put(x: Any, index: Any, shape: Any) -> Any:
    """With a plain index the rest stays zero from one call to the next."""
    parts = index if isinstance(index, tuple) else (index,)
    if not isinstance(x, Sym):
        raise Unsupported
    if all([isinstance(i, (int, slice, type(None), type(...))) for i in parts]):
        return x.call(put_plain, (x, index, shape), {})
    if any(map(rising, parts)) and all([isinstance(i, (Sym, np.ndarray)) and i.ndim == 1 for i in parts]):
        return x.call(put_once, (x, index, shape), {})
    raise Unsupported


def put_plain(x: Any, index: Any, shape: Any) -> Any:
    out = np.zeros_like(x, shape=shape) if x.ndim == len(shape) else np.zeros(shape, x.dtype)
    out[index] = x
    return out


def rising(i: Any) -> bool:
    """Whether these are places none of which comes twice, such as the numbers of the rows."""
    return isinstance(i, np.ndarray) and i.dtype.kind in "iu" and bool((i[:1] >= 0).all() and (np.diff(i) > 0).all())


def put_once(x: Any, index: Any, shape: Any, out: Any = None) -> Any:
    """As `put`, for places of which none comes twice."""
    out = np.empty(shape, x.dtype) if out is None else out
    out.fill(0.0)
    out[index] = x
    return out


def add_in_place(x: Any, index: Any, y: Any) -> Any:
    x[index] += y
    return x


def number(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


def filling(function: Callable[..., Any]) -> Callable[..., Any]:
    """A rule that fills an array bit by bit, and is given the array: `function` takes out=."""

    def call(g: Any, *args: Any, **params: Any) -> Any:
        if not isinstance(g, Sym):
            raise Unsupported
        return g.call(function, (g, *args), params)

    return call


SHORTER: dict[str, Callable[..., Any]] = {
    "select": select,
    "broadcast_to": broadcast,
    "mean": mean,
    "put": put,
    "number": number,
    "detach": lambda x: x,
    "uncolumns": filling(from_columns),
    "unwindows": filling(scatter),
}
