"""Windows that slide over an image; `convolution` and `pooling` are made of them.

Two pairs of gates do the moving, and in each pair one is the other's derivative.  `windows` shows each window as axes
of its own (a view, no copies), `unwindows` adds windows back to where they lie.  `columns` copies every window into a
column of a matrix ("im2col"), `uncolumns` adds columns back.

In memory the batch is the last axis of the columns, and of the images that are computed from them, whatever the order
of their axes: so what is moved are long runs of numbers.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..convert import describe, shape_of
from ..errors import ShapeError
from ..value import Gate, reshape
from .registry import call, composed, row
from .shapes import getitem, put, transpose

__all__ = ["columns", "unfold", "uncolumns", "unwindows", "windows"]


def gather(x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """A view of x in which the last len(size) axes have become places, followed by as many axes within a window."""
    view = sliding_window_view(x, reach_of(size, dilation), axis=tuple(range(-len(size), 0)))
    steps: Any = [slice(None, None, step) for step in (*stride, *dilation)]
    return view[(..., *steps)]


def scatter(g: Any, shape: Any, size: Any, stride: Any, dilation: Any, out: Any = None) -> Any:
    """The sum of windows g (..., *places, *size), each where it lies in an image of this shape."""
    n = len(size)
    out = np.empty(shape, g.dtype) if out is None else out
    apart = all([s >= reach for s, reach in zip(stride, reach_of(size, dilation), strict=True)])
    if not (apart and g.size == out.size):  # otherwise each number is written once
        out.fill(0.0)
    for inside in np.ndindex(*size):  # one number of every window at a time: these never overlap
        along = zip(inside, g.shape[-2 * n : -n], stride, dilation, strict=True)
        part = out[(..., *[slice(i * d, i * d + s * (m - 1) + 1, s) for i, m, s, d in along])]
        if apart:
            np.copyto(part, g[(..., *inside)])
        else:
            np.add(part, g[(..., *inside)], out=part)
    return out


def in_columns(x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """The windows of a batch as columns: a row for each channel and place in the window, a column for each window."""
    n = len(size)
    last = np.moveaxis(x, 0, -1)  # the batch
    if not last.flags.c_contiguous:
        last = np.copy(last, "C")
    parts = gather(np.moveaxis(last, -1, 0), size, stride, dilation)
    batch, channels, *places = parts.shape[: 2 + n]
    parts = np.transpose(parts, (1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n), 0))
    return np.reshape(parts, (channels * prod(size), prod(places) * batch))


def from_columns(g: Any, shape: Any, size: Any, stride: Any, dilation: Any, out: Any = None) -> Any:
    """The sum of columns, each where its window lies in a batch of this shape."""
    n, (batch, channels, *image) = len(size), shape
    places = [(m - r) // s + 1 for m, r, s in zip(image, reach_of(size, dilation), stride, strict=True)]
    parts = np.reshape(g, (channels, *size, *places, batch))
    parts = np.transpose(parts, (1 + 2 * n, 0, *range(1 + n, 1 + 2 * n), *range(1, 1 + n)))
    if out is None:
        out = np.moveaxis(np.empty((channels, *image, batch), g.dtype), -1, 0)
    return scatter(parts, shape, size, stride, dilation, out)


def as_image(rows: Any, places: Any) -> Any:
    """An array (channels, places and batch) as an image (batch, channels, *places)."""
    return np.moveaxis(np.reshape(rows, (len(rows), *places, -1)), -1, 0)


def as_rows(image: Any) -> Any:
    """An image (batch, channels, *places) as a row for each channel: its places, and the batch at each; by gates."""
    last = transpose(image, axes=(*range(1, len(shape_of(image))), 0))
    return reshape(last, shape=(shape_of(image)[1], -1))


IMAGE: dict[str, Any] = {"size": (2, 3), "stride": (2, 1), "dilation": (1, 2)}
LINE: dict[str, Any] = {"size": (3,), "stride": (2,), "dilation": (1,)}
windows: Gate = row(  # (..., height, width) to (..., rows, columns, *size)
    "windows",
    lambda x, size, stride, dilation: gather(x, size, stride, dilation),
    vjp=[lambda g, out, x, size, stride, dilation: unwindows(g, shape_of(x), size, stride, dilation)],
    domain=[call((2, 5, 6), **IMAGE), call((2, 8), **LINE), call((4, 4), size=(2, 2), stride=(2, 2), dilation=(1, 1))],
)
unwindows: Gate = row(  # (..., rows, columns, *size) to the shape (..., height, width)
    "unwindows",
    lambda g, shape, size, stride, dilation: scatter(g, shape, size, stride, dilation),
    vjp=[lambda g, out, x, shape, size, stride, dilation: windows(g, size, stride, dilation)],
    domain=[call((2, 2, 2, 2, 3), shape=(2, 5, 6), **IMAGE), call((2, 3, 3), shape=(2, 8), **LINE)],
)
columns: Gate = row(  # a batch (batch, channels, *image) to (channels · numbers in a window, places · batch)
    "columns",
    in_columns,
    vjp=[lambda g, out, x, size, stride, dilation: uncolumns(g, shape_of(x), size, stride, dilation)],
    domain=[call((2, 3, 5, 6), **IMAGE), call((3, 2, 8), **LINE)],
)
uncolumns: Gate = row(  # the columns to the shape of the batch
    "uncolumns",
    lambda g, shape, size, stride, dilation: from_columns(g, shape, size, stride, dilation),
    vjp=[lambda g, out, x, shape, size, stride, dilation: columns(g, size, stride, dilation)],
    domain=[call((18, 8), shape=(2, 3, 5, 6), **IMAGE), call((6, 9), shape=(3, 2, 8), **LINE)],
)


# ------------------------------------------------------------------------------------------------- sizes and borders
def each(function: str, name: str, number: Any, n: int, least: int) -> tuple[int, ...]:
    """A number per spatial axis, from one for all of them or from as many."""
    numbers = tuple(number) if isinstance(number, (tuple, list)) else (number,) * n
    if len(numbers) != n or any([not isinstance(i, (int, np.integer)) or i < least for i in numbers]):
        raise ShapeError(f"{function}: {name}={number!r}: it is an integer, at least {least}, or {n} of them.")
    return tuple([int(i) for i in numbers])


def batch_of(function: str, x: Any, n: int) -> tuple[Any, bool]:
    """x as a batch, and whether it was one image alone, without the first axis."""
    axes = "channels, height, width" if n == 2 else "channels, length"
    if len(shape_of(x)) not in (n + 1, n + 2):
        raise ShapeError(f"{function}: {describe(x)}: the input is (batch, {axes}) or ({axes}), not {shape_of(x)}.")
    alone = len(shape_of(x)) == n + 1
    return (reshape(x, (1, *shape_of(x))) if alone else x), alone


def without_batch(out: Any, alone: bool) -> Any:
    return getitem(out, 0) if alone else out


def reach_of(size: Any, dilation: Any) -> tuple[int, ...]:
    """How many numbers a window spans along each axis."""
    return tuple([d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)])


def frame(x: Any, widths: Any, fill: float = 0.0) -> Any:
    """x with a border: `widths` are pairs (before, after) for its last axes."""
    if not any([any(width) for width in widths]):
        return x
    lead = len(shape_of(x)) - len(widths)
    wide = shape_of(x)[:lead] + tuple([n + a + b for n, (a, b) in zip(shape_of(x)[lead:], widths, strict=True)])
    inside: Any = (..., *[slice(a, n - b) for (a, b), n in zip(widths, wide[lead:], strict=True)])
    out = put(x, inside, wide)
    if not fill:
        return out
    border = np.full(wide[lead:], fill, np.result_type(out.dtype, np.float16))  # whole numbers have no infinity
    border[inside] = 0.0
    return out + border


def places_of(function: str, x: Any, size: Any, stride: Any, dilation: Any) -> tuple[int, ...]:
    """How many windows lie along each axis of the images x; there must be one."""
    reach, image = reach_of(size, dilation), shape_of(x)[2:]
    if any([r > m for r, m in zip(reach, image, strict=True)]):
        raise ShapeError(f"{function}: a window of {reach} is larger than the padded image, {image}.")
    return tuple([(m - r) // s + 1 for m, r, s in zip(image, reach, stride, strict=True)])


def slide(function: str, x: Any, size: Any, stride: Any, dilation: Any) -> tuple[Any, tuple[int, ...]]:
    """The columns of the images x, and how many windows lie along each axis."""
    places = places_of(function, x, size, stride, dilation)
    return columns(x, size=tuple(size), stride=stride, dilation=dilation), places


@composed
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of images x (batch, channels, height, width) as columns: (batch, channels · kh · kw, places).

    An image alone, (channels, height, width), gives one matrix.  Raises `ShapeError` for parameters that don't fit.

    >>> unfold(np.arange(6.0).reshape(1, 1, 2, 3), 2)
    array([[[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]]])
    """
    function = "unfold"
    x, alone = batch_of(function, x, 2)
    size, dilation = each(function, "kernel_size", kernel_size, 2, 1), each(function, "dilation", dilation, 2, 1)
    stride, padding = each(function, "stride", stride, 2, 1), each(function, "padding", padding, 2, 0)
    x = frame(x, [(p, p) for p in padding])
    places, (batch, channels) = places_of(function, x, size, stride, dilation), shape_of(x)[:2]
    parts = transpose(windows(x, size=size, stride=stride, dilation=dilation), axes=(0, 1, 4, 5, 2, 3))
    out = reshape(parts, shape=(batch, channels * prod(size), prod(places)))
    return without_batch(out, alone)
