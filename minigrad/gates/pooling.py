"""Pooling, as `torch.nn.functional` has it: the largest number or the mean of each window."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import ShapeError
from ..value import Gate, reshape, select
from .convolution import filtered
from .registry import call, composed, row
from .windows import as_image, as_rows, batch_of, each, frame, gather, reach_of, slide, without_batch

__all__ = ["avg_pool1d", "avg_pool2d", "largest", "max_pool1d", "max_pool2d"]


def tops(columns: Any, count: int, places: Any) -> Any:
    """The largest of each `count` numbers of a column."""
    parts = np.reshape(columns, (columns.shape[0] // count, count, columns.shape[1]))
    return as_image(np.maximum.reduce(parts, axis=1), places)


def firsts(parts: Any, top: Any) -> Any:
    """Where a column of parts (channels, count, n) has the first of its largest numbers; a nan is larger than all."""
    won = (parts == top[:, None]) | (parts != parts)
    first, taken = [won[:, 0]], won[:, 0]
    for i in range(1, won.shape[1]):
        first.append(won[:, i] & ~taken)
        taken = taken | won[:, i]
    return np.stack(first, axis=1)


first_of_largest = Gate("first_of_largest", firsts, arity=2)


def to_first(g: Any, out: Any, columns: Any, count: int, places: Any) -> Any:
    """The upstream gradient to the first of each window's largest numbers, 0 to the others."""
    channels, n = shape_of(columns)[0] // count, shape_of(columns)[1]
    won = first_of_largest(reshape(columns, shape=(channels, count, n)), as_rows(out))
    return reshape(select(won, reshape(as_rows(g), shape=(channels, 1, n))), shape=shape_of(columns))


largest: Gate = row(  # what a max-pool makes of `columns`
    "largest",
    tops,
    vjp=[to_first],
    domain=[call((12, 12), count=4, places=(2, 3)), call((6, 6), count=3, places=(3,))],
)


def sizes(function: str, n: int, size: Any, stride: Any, padding: Any, dilation: Any = 1) -> tuple[Any, ...]:
    """The parameters as a number per axis; without a stride the windows lie side by side."""
    size, dilation = each(function, "kernel_size", size, n, 1), each(function, "dilation", dilation, n, 1)
    stride = size if stride is None else each(function, "stride", stride, n, 1)
    padding = each(function, "padding", padding, n, 0)
    if any([2 * p > k for p, k in zip(padding, size, strict=True)]):
        raise ShapeError(f"{function}: padding={padding} must be at most half of kernel_size={size}.")
    return size, stride, padding, dilation


def borders(shape: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> list[tuple[int, int]]:
    """The padding before and after each axis; with `ceil_mode` room for a last window that only begins inside."""
    widths = []
    for n, reach, s, p in zip(shape[-len(size) :], reach_of(size, dilation), stride, padding, strict=True):
        last = -((reach - n - 2 * p) // s) * s if ceil_mode else 0  # where the last window begins
        last -= s if last >= n + p else 0
        widths.append((p, max(p, last + reach - n - p) if ceil_mode else p))
    return widths


def max_pool(
    function: str, n: int, x: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Any:
    """The first of the largest numbers of each window takes the gradient, as PyTorch's does."""
    x, alone = batch_of(function, x, n)
    size, stride, padding, dilation = sizes(function, n, size, stride, padding, dilation)
    widths = borders(shape_of(x), size, stride, padding, dilation, ceil_mode)
    columns, places = slide(function, frame(x, widths, fill=-np.inf), size, stride, dilation)
    return without_batch(largest(columns, count=prod(size), places=places), alone)


def average(
    function: str, n: int, x: Any, size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
    divisor: Any = None,
) -> Any:  # fmt: skip
    """The sum of each window, divided by how many numbers in it count."""
    x, alone = batch_of(function, x, n)
    size, stride, padding, dilation = sizes(function, n, size, stride, padding)
    widths = borders(shape_of(x), size, stride, padding, dilation, ceil_mode)
    columns, places = slide(function, frame(x, widths), size, stride, dilation)
    if divisor == 0:
        raise ShapeError(f"{function}: divisor_override=0; a mean of nothing. None divides by the size of the window.")
    if divisor is None:
        image = np.ones(shape_of(x)[-n:], getattr(x, "dtype", None))
        kept = [(p, p) if count_include_pad else (0, 0) for p in padding]  # what ceil_mode adds never counts
        rest = [(a - p, b - q) for (a, b), (p, q) in zip(widths, kept, strict=True)]
        counted = np.pad(np.pad(image, kept, constant_values=1.0), rest)
        divisor = np.add.reduce(gather(counted, size, stride, dilation), axis=tuple(range(-n, 0)))
    channels, dtype = shape_of(x)[1], getattr(columns, "dtype", None)
    ones, zeros = np.ones((channels, 1, *size), dtype), np.zeros(channels, dtype)
    total = filtered(columns, ones, zeros, places=places, groups=channels)
    return without_batch(total / divisor, alone)


@composed
def max_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """The largest number of each window of signals x (batch, channels, length); see `max_pool2d`.

    >>> max_pool1d(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[5., 3.]]])
    """
    return max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode)


@composed
def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """The largest number of each window of images x (batch, channels, height, width); nan is larger than all.

    Without `stride` the windows lie side by side.  Of equal numbers the first takes the gradient, as in PyTorch.
    Padding counts as minus infinity, and is at most half a window: otherwise `ShapeError`.  With `ceil_mode` a last
    window may hang over the edge.  The batch axis may be missing.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode)


@composed
def avg_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:  # fmt: skip
    """The mean of each window of signals x (batch, channels, length); see `avg_pool2d`.

    >>> avg_pool1d(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[3. , 2.5]]])
    """
    return average("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@composed
def avg_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = None,
) -> Any:  # fmt: skip
    """The mean of each window of images x (batch, channels, height, width), or its sum / `divisor_override`.

    Padding counts as zeros, or with `count_include_pad=False` not at all; otherwise as `max_pool2d`.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    return average("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
