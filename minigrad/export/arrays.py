"""Rows of gates that rearrange or reduce arrays.

They name no size that they can avoid: a shape says 0 ("as it was") and -1 ("the rest"), so that a batch of another
size fits through the same file.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..gates.shapes import permutation
from ..gates.windows import gather
from .rows import ROWS, row

__all__: list[str] = []

FAR = 2**63 - 1  # an end that ONNX takes for the end of the axis


def full(index: Any) -> bool:
    return isinstance(index, slice) and index == slice(None)


# ----------------------------------------------------------------------------------------------------------- reductions
def reduce(operator: str) -> Any:
    return lambda op, x, axis=None, keepdims=False: op.reduce(operator, x, axis, keepdims)


def flattened(op: Any, x: Any) -> Any:
    return op.Reshape(x, op.ints(-1))


def variance(op: Any, x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    d = op.Sub(x, op.reduce("ReduceMean", x, axis, True))
    if not ddof:
        return op.reduce("ReduceMean", op.Mul(d, d), axis, keepdims)
    n = prod(x.shape) / prod(op.shape)
    return op.Div(op.reduce("ReduceSumSquare", d, axis, keepdims), max(n - ddof, 0.0))


def length(op: Any, x: Any, axis: Any = None, keepdims: Any = False, ord: float = 2) -> Any:
    if ord in (1, 2):
        return op.reduce(f"ReduceL{int(ord)}", x, axis, keepdims)
    if np.isinf(ord):
        return op.reduce("ReduceMax" if ord > 0 else "ReduceMin", op.Abs(x), axis, keepdims)
    if ord == 0:
        return op.reduce("ReduceSum", op.cast(op.cast(x, bool), op.dtype), axis, keepdims)
    return op.Pow(op.reduce("ReduceSum", op.Pow(op.Abs(x), float(ord)), axis, keepdims), 1.0 / ord)


def log_sum_exp(op: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    return op.reduce("ReduceLogSumExp", x, axis, keepdims) if x.shape else op.Identity(x)


def softmax(op: Any, x: Any, axis: Any = -1) -> Any:
    return op.Softmax(x, axis=axis) if isinstance(axis, int) else op.Exp(log_softmax(op, x, axis))


def log_softmax(op: Any, x: Any, axis: Any = -1) -> Any:
    if isinstance(axis, int):
        return op.LogSoftmax(x, axis=axis)
    return op.Sub(x, op.reduce("ReduceLogSumExp", x, axis, True))


def place_of(operator: str) -> Any:
    """argmax and argmin: the first place, also where the number occurs again."""

    def write(op: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is not None and x.shape:
            return getattr(op, operator)(x, axis=axis, keepdims=int(keepdims))
        place = getattr(op, operator)(flattened(op, x), axis=0, keepdims=0)
        return op.Reshape(place, op.ints(*op.shape))

    return write


def asked(operator: str) -> Any:
    """any and all: the largest and the smallest of 0 and 1."""

    def write(op: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return op.cast(op.reduce(operator, op.cast(op.cast(x, bool), np.int32), axis, keepdims), bool)

    return write


@row("argsort")
def argsort(op: Any, x: Any, axis: Any = -1) -> Any:
    x, axis = (flattened(op, x), 0) if axis is None else (x, axis)
    n = op.shape[axis] if op.shape else 1
    return op.TopK(x, op.ints(n), axis=axis, largest=0, outputs=2)[1]


@row("cumsum")
def cumsum(op: Any, x: Any, axis: Any = None) -> Any:
    x, axis = (flattened(op, x), 0) if axis is None or not x.shape else (x, axis)
    return op.CumSum(x, np.array(axis, np.int64))


ROWS |= {
    "sum": reduce("ReduceSum"),
    "mean": reduce("ReduceMean"),
    "max": reduce("ReduceMax"),
    "min": reduce("ReduceMin"),
    "prod": reduce("ReduceProd"),
    "logsumexp": lambda op, x, axis=None, keepdims=False: log_sum_exp(op, x, axis, keepdims),
    "var": variance,
    "std": lambda op, x, axis=None, *, ddof=0, keepdims=False: op.Sqrt(
        variance(op, x, axis, ddof=ddof, keepdims=keepdims)
    ),
    "vector_norm": length,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "det": lambda op, x: op.Det(x),
    "argmax": place_of("ArgMax"),
    "argmin": place_of("ArgMin"),
    "any": asked("ReduceMax"),
    "all": asked("ReduceMin"),
    "count_nonzero": lambda op, x, axis=None, keepdims=False: op.reduce(
        "ReduceSum", op.cast(op.cast(x, bool), np.int64), axis, keepdims
    ),
}


# --------------------------------------------------------------------------------------------------------------- shapes
@row("reshape")
def reshape(op: Any, x: Any, *dims: Any, shape: Any = None) -> Any:
    if 0 in op.shape:
        return op.Reshape(x, op.ints(*op.shape), allowzero=1)
    return op.Reshape(x, op.ints(*relative(x.shape, op.shape)))


def relative(old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """0 for the axes in front that stay as they were, and -1 for the first that doesn't."""
    kept = next((i for i, (m, n) in enumerate(zip(old, new, strict=False)) if m != n), min(len(old), len(new)))
    return (*[0] * kept, *[-1 if i == kept else n for i, n in enumerate(new) if i >= kept])


@row("astype")
def astype(op: Any, x: Any, dtype: Any) -> Any:
    return op.Identity(x)  # inputs come in the dtype of the result


@row("broadcast_to")
def broadcast_to(op: Any, x: Any, *args: Any, **params: Any) -> Any:
    old = (1,) * (len(op.shape) - len(x.shape)) + x.shape
    return op.Expand(x, op.ints(*[1 if m == n else n for m, n in zip(old, op.shape, strict=True)]))


@row("transpose")
def transpose(op: Any, x: Any, *dims: Any, axes: Any = None) -> Any:
    n = len(x.shape)
    order = permutation(dims, axes)
    return op.Transpose(x, perm=[a % n for a in (range(n - 1, -1, -1) if order is None else order)])


@row("concatenate")
def concatenate(op: Any, *xs: Any, axis: Any = 0) -> Any:
    return op.Concat(*[flattened(op, x) for x in xs] if axis is None else xs, axis=axis or 0)


@row("stack")
def stack(op: Any, *xs: Any, axis: int = 0) -> Any:
    return op.Concat(*[op.Unsqueeze(x, op.ints(axis)) for x in xs], axis=axis)


@row("split")
def split(op: Any, x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    return op.Split(x, op.ints(*[piece.shape[axis] for piece in op.out]), axis=axis, outputs=len(op.out))


# -------------------------------------------------------------------------------------------------------------- indices
@row("getitem")
def getitem(op: Any, x: Any, index: Any) -> Any:
    """Slices and integers; one index array among them; anything else that is constant by places in the flat array."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [i for i in parts if op.is_wire(i) or np.ndim(i) or isinstance(i, (bool, np.bool_))]
    if not arrays:
        return basic(op, x, parts)
    if len(arrays) == 1 and not any([i is None for i in parts]):
        if any([i is Ellipsis for i in parts]):
            at = next(i for i, part in enumerate(parts) if part is Ellipsis)
            parts = (*parts[:at], *[slice(None)] * (len(x.shape) - len(parts) + 1), *parts[at + 1 :])
        axis = next(i for i, part in enumerate(parts) if part is arrays[0])
        ids = arrays[0] if op.is_wire(arrays[0]) else np.asarray(arrays[0])
        if all([full(part) for i, part in enumerate(parts) if i != axis]) and ids.dtype.kind in "iu":
            return op.Gather(x, op.cast(ids, np.int64), axis=axis)
    if any([op.is_wire(i) for i in parts]):
        raise op.unsupported("an index that depends on the input, unless it is one array of whole numbers for one axis")
    places = np.arange(prod(x.shape)).reshape(x.shape)[index]
    return op.Gather(flattened(op, x), places, axis=0)


def basic(op: Any, x: Any, parts: tuple[Any, ...]) -> Any:
    axes = len(x.shape) - sum([i is not None and i is not Ellipsis for i in parts])
    if Ellipsis not in parts:
        parts = (*parts, Ellipsis)
    at = parts.index(Ellipsis)
    parts = (*parts[:at], *[slice(None)] * axes, *parts[at + 1 :])
    along = [i for i in parts if i is not None]
    cut = [(axis, s) for axis, s in enumerate(along) if isinstance(s, slice) and not full(s)]
    if cut:
        starts, stops, steps = zip(*[ends(s) for _, s in cut], strict=True)
        x = op.Slice(x, op.ints(*starts), op.ints(*stops), op.ints(*[axis for axis, _ in cut]), op.ints(*steps))
    for axis in reversed(range(len(along))):
        if not isinstance(along[axis], slice):
            x = op.Gather(x, np.array(int(along[axis])), axis=axis)  # which takes the axis away
    left = [i for i in parts if i is None or isinstance(i, slice)]
    new = [axis for axis, i in enumerate(left) if i is None]
    return op.Unsqueeze(x, op.ints(*new)) if new else op.Identity(x)


def ends(s: slice) -> tuple[int, int, int]:
    """Start, stop and step with what is left out filled in, for an axis of any length."""
    step = 1 if s.step is None else s.step
    first, last = (0, FAR) if step > 0 else (FAR, -FAR)
    return first if s.start is None else s.start, last if s.stop is None else s.stop, step


@row("put")
def put(op: Any, g: Any, index: Any, shape: Any) -> Any:
    """A border of zeros where `index` is slices, as in padding; otherwise numbers added at their places."""
    places = np.arange(prod(shape)).reshape(shape)[index]
    parts = index if isinstance(index, tuple) else (index,)
    slices = all([i is Ellipsis or (isinstance(i, slice) and i.step in (None, 1)) for i in parts])
    if slices and places.size and len(g.shape) == len(shape):
        first = np.unravel_index(places.flat[0], shape)
        after = [n - start - m for n, start, m in zip(shape, first, g.shape, strict=True)]
        return op.Pad(g, op.ints(*first, *after))
    return added_at(op, g, places, shape)


def added_at(op: Any, g: Any, places: Any, shape: Any) -> Any:
    zeros = np.zeros(prod(shape), op.dtype)
    out = op.ScatterND(zeros, places.reshape(-1, 1), flattened(op, g), reduction="add")
    return op.Reshape(out, op.ints(*shape))


@row("windows")
def windows(op: Any, x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """The image as one axis, gathered into windows."""
    lead, image = len(x.shape) - len(size), x.shape[-len(size) :]
    places = gather(np.arange(prod(image)).reshape(image), size, stride, dilation)
    return op.Gather(op.Reshape(x, op.ints(*[0] * lead, -1)), np.ascontiguousarray(places), axis=lead)


@row("unwindows")
def unwindows(op: Any, g: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
    return added_at(op, g, gather(np.arange(prod(shape)).reshape(shape), size, stride, dilation), shape)


@row("columns")
def columns(op: Any, x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """The batch as the last axis, the rest as one, gathered: (channels, *size, *places, batch)."""
    n, image = len(size), x.shape[1:]
    places = gather(np.arange(prod(image)).reshape(image), size, stride, dilation)
    places = places.transpose(0, *range(1 + n, 1 + 2 * n), *range(1, 1 + n))
    last = op.Transpose(op.Reshape(x, op.ints(0, -1)), perm=[1, 0])
    parts = op.Gather(last, places.reshape(image[0] * prod(size), -1), axis=0)
    return op.Reshape(parts, op.ints(0, -1))


@row("uncolumns")
def uncolumns(op: Any, g: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
    n = len(size)
    places = gather(np.arange(prod(shape)).reshape(shape), size, stride, dilation)
    places = places.transpose(1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n), 0)
    return added_at(op, g, places, shape)


@row("filtered")
def filtered(op: Any, x: Any, weight: Any, bias: Any, places: Any, groups: int = 1) -> Any:
    filters = weight.shape[0]
    stack = op.Reshape(x, op.ints(groups, x.shape[0] // groups, -1))
    rows = op.MatMul(op.Reshape(weight, op.ints(groups, filters // groups, -1)), stack)
    return image(op, op.Add(op.Reshape(rows, op.ints(filters, -1)), op.Reshape(bias, op.ints(-1, 1))), places)


@row("largest")
def largest(op: Any, x: Any, count: int, places: Any) -> Any:
    parts = op.Reshape(x, op.ints(x.shape[0] // count, count, -1))
    return image(op, op.reduce("ReduceMax", parts, 1, False), places)


def image(op: Any, rows: Any, places: Any) -> Any:
    n = len(places)
    return op.Transpose(op.Reshape(rows, op.ints(0, *places, -1)), perm=[n + 1, *range(n + 1)])
