"""How gates that mix elements are made of scalar gates: forward rules only, on arrays whose entries are `Value`s.

An array of Python objects adds and multiplies with the objects' own operators, so NumPy's matmul of such arrays is the
circuit of products and sums.  No derivative is stated here: those of the scalar gates give it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np

from ..gates import REGISTRY, exp, log, maximum, minimum, sqrt
from ..gates.convolution import products
from ..gates.windows import as_image

__all__ = ["EXPANSIONS", "MOVES", "cells", "estimate"]

MOVES = {
    "reshape", "broadcast_to", "transpose", "getitem", "put", "concatenate", "stack", "split", "windows", "columns",
}  # fmt: skip


def cells(shape: tuple[int, ...], entries: Any) -> Any:
    """An array of objects from an iterable of them, in C order."""
    out = np.empty(shape, object)
    for index, entry in zip(np.ndindex(shape), entries, strict=True):
        out[index] = entry
    return out


def lines(x: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """The axes of x that are kept in front, the reduced ones flattened behind; and which those are."""
    n = x.ndim
    axes = tuple(range(n)) if axis is None else tuple([a % n for a in np.atleast_1d(axis).tolist()]) if n else ()
    kept = [a for a in range(n) if a not in axes]
    return x.transpose(*kept, *axes).reshape(*[x.shape[a] for a in kept], -1), axes


def along(fold: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction over `axis`, from what it does to one list of numbers."""

    def rule(x: Any, axis: Any = None, keepdims: bool = False, **more: Any) -> Any:
        rows, axes = lines(x, axis)
        shape = tuple([1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else rows.shape[:-1]
        return cells(shape, [fold(list(rows[index]), **more) for index in np.ndindex(rows.shape[:-1])])

    return rule


def line_by_line(f: Callable[[list[Any]], list[Any]], default: int | None = -1) -> Callable[..., Any]:
    """A gate that turns every line along `axis` into another of the same length."""

    def rule(x: Any, axis: Any = default) -> Any:
        if axis is None:  # a running sum over everything
            x, axis = x.reshape(-1), 0
        rows = np.moveaxis(x, axis, -1)
        entries = [entry for index in np.ndindex(rows.shape[:-1]) for entry in f(list(rows[index]))]
        return np.moveaxis(cells(rows.shape, entries), -1, axis)

    return rule


def raw(x: Any) -> float:
    return float(getattr(x, "data", x))


def total(xs: list[Any]) -> Any:
    return reduce(lambda a, b: a + b, xs) if xs else 0.0


def mean(xs: list[Any]) -> Any:
    return total(xs) / float(len(xs))


def winner(better: Any) -> Callable[[list[Any]], Any]:
    """The largest or smallest; winners that tie share equally, and so do two wires of a scalar gate, but not three."""

    def fold(xs: list[Any]) -> Any:
        best = float(reduce(better, [raw(x) for x in xs]))
        tied = [x for x in xs if raw(x) == best]
        return mean(tied) if len(tied) > 2 else reduce(better, xs)

    return fold


def largest(columns: Any, count: int, places: Any) -> Any:
    """The largest of each `count` numbers of a column; of winners that tie, the first passes alone."""
    parts = columns.reshape(-1, count, columns.shape[1])

    def fold(xs: list[Any]) -> Any:
        best = max([raw(x) for x in xs])
        tied = [x for x in xs if raw(x) == best]
        return tied[0] if len(tied) > 1 else reduce(maximum, xs)

    channels, _, n = parts.shape
    tops = cells((channels, n), [fold(list(parts[i, :, j])) for i, j in np.ndindex(channels, n)])
    return as_image(tops, places)


def shifted(xs: list[Any]) -> tuple[float, list[Any]]:
    """The largest number, as a constant, and how far the others are below it: nothing overflows."""
    top = max([raw(x) for x in xs])
    return top, [x - top for x in xs]


def logsumexp(xs: list[Any]) -> Any:
    top, below = shifted(xs)
    return log(total([exp(x) for x in below])) + top


def softmax(xs: list[Any]) -> list[Any]:
    powers = [exp(x) for x in shifted(xs)[1]]
    whole = total(powers)
    return [p / whole for p in powers]


def log_softmax(xs: list[Any]) -> list[Any]:
    below = shifted(xs)[1]
    whole = log(total([exp(x) for x in below]))
    return [x - whole for x in below]


def cost_of_labels(scores: Any, labels: Any) -> Any:
    pairs = zip(scores, labels, strict=True)
    return cells(labels.shape, [logsumexp(list(row)) - row[int(label)] for row, label in pairs])


def length(xs: list[Any]) -> Any:
    return sqrt(total([x * x for x in xs]))


def sum_of_squares(*xs: Any) -> Any:
    return cells((), [total([entry * entry for x in xs for entry in x.flat])])


def variance(xs: list[Any], ddof: int = 0) -> Any:
    middle = mean(xs)
    return total([(x - middle) * (x - middle) for x in xs]) / float(len(xs) - ddof)


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return along(length)(x, axis, keepdims) if ord == 2 else None


EXPANSIONS: dict[str, Callable[..., Any]] = {  # by gate; None as a result: not with these parameters
    "matmul": lambda a, b: np.matmul(a, b),
    "linear": lambda x, weight, bias: np.matmul(x, weight.T) + bias,
    "filtered": products,
    "largest": largest,
    "einsum": lambda subscripts, *xs, optimize=False: np.einsum(str(subscripts.item()), *xs),
    "sum": along(total),
    "mean": along(mean),
    "prod": along(math.prod),
    "max": along(winner(maximum)),
    "min": along(winner(minimum)),
    "var": along(variance),
    "std": along(lambda xs, ddof=0: sqrt(variance(xs, ddof))),
    "vector_norm": vector_norm,
    "sum_of_squares": sum_of_squares,
    "logsumexp": along(logsumexp),
    "softmax": line_by_line(softmax),
    "log_softmax": line_by_line(log_softmax),
    "cumsum": line_by_line(lambda xs: list(accumulate(xs)), None),
    "cumprod": line_by_line(lambda xs: list(accumulate(xs, operator.mul)), None),
    "negative_log_softmax": cost_of_labels,
}


def estimate(gate: str, shapes: list[tuple[int, ...]], out: int) -> int:
    """About how many scalar gates a gate becomes, from the shapes of its inputs and the size of its output."""
    if gate in MOVES:
        return 0
    if gate in ("matmul", "linear"):
        return 2 * out * (shapes[0] or (1,))[-1]
    if gate == "filtered":
        return 2 * out * math.prod(shapes[1][1:])
    if gate == "einsum":
        return 2 * out * max([math.prod(shape) for shape in shapes])
    if REGISTRY[gate].elementwise if gate in REGISTRY else False:
        return out
    return max(out, 4 * max([math.prod(shape) for shape in shapes], default=1))
