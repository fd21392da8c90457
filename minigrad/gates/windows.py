"""Windows that slide over an image; `convolution` and `pooling` are made of them.

Two gates do the moving: `windows` shows each window as axes of their own (a view, no copies), `unwindows` adds windows
back to where they lie.  Each is the other's derivative.
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

__all__ = ["unfold", "unwindows", "windows"]


def gather(x: Any, size: Any, stride: Any, dilation: Any, writeable: bool = False) -> Any:
    """A view of x in which the last len(size) axes have become places, followed by as many axes within a window."""
    n = len(size)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    view = sliding_window_view(x, reach, axis=tuple(range(-n, 0)), writeable=writeable)
    steps: Any = [slice(None, None, step) for step in (*stride, *dilation)]
    return view[(..., *steps)]


def scatter(g: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
    out = np.zeros(shape, g.dtype)
    view = gather(out, size, stride, dilation, writeable=True)
    for inside in np.ndindex(*size):  # one number of every window at a time: these never overlap
        view[(..., *inside)] += g[(..., *inside)]
    return out


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
    scatter,
    vjp=[lambda g, out, x, shape, size, stride, dilation: windows(g, size, stride, dilation)],
    domain=[call((2, 2, 2, 2, 3), shape=(2, 5, 6), **IMAGE), call((2, 3, 3), shape=(2, 8), **LINE)],
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


def slide(function: str, x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """The windows of x, which must hold at least one."""
    reach = reach_of(size, dilation)
    if any([r > m for r, m in zip(reach, shape_of(x)[-len(size) :], strict=True)]):
        raise ShapeError(
            f"{function}: a window of {reach} is larger than the padded image, {shape_of(x)[-len(size) :]}."
        )
    return windows(x, size=tuple(size), stride=stride, dilation=dilation)


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
    parts = slide(function, frame(x, [(p, p) for p in padding]), size, stride, dilation)
    batch, channels, *places = shape_of(parts)[:4]
    out = reshape(transpose(parts, axes=(0, 1, 4, 5, 2, 3)), shape=(batch, channels * prod(size), prod(places)))
    return without_batch(out, alone)
