"""Pooling, as `torch.nn.functional` has it: the largest number or the mean of each window."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import ShapeError
from ..value import reshape, select, sum
from .questions import argmax
from .registry import composed
from .windows import batch_of, each, frame, gather, reach_of, slide, without_batch

__all__ = ["avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d"]


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


def largest(function: str, n: int, x: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """The first of the largest numbers of each window takes the gradient, as PyTorch's does."""
    x, alone = batch_of(function, x, n)
    size, stride, padding, dilation = sizes(function, n, size, stride, padding, dilation)
    widths = borders(shape_of(x), size, stride, padding, dilation, ceil_mode)
    parts = slide(function, frame(x, widths, fill=-np.inf), size, stride, dilation)
    shape = shape_of(parts)
    parts = reshape(parts, shape=(*shape[: 2 + n], prod(shape[2 + n :])))
    won = argmax(parts, axis=-1, keepdims=True) == np.arange(shape_of(parts)[-1])
    return without_batch(sum(select(won, parts), axis=-1), alone)


def average(
    function: str, n: int, x: Any, size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
    divisor: Any = None,
) -> Any:  # fmt: skip
    """The sum of each window, divided by how many numbers in it count."""
    x, alone = batch_of(function, x, n)
    size, stride, padding, dilation = sizes(function, n, size, stride, padding)
    widths = borders(shape_of(x), size, stride, padding, dilation, ceil_mode)
    parts = slide(function, frame(x, widths), size, stride, dilation)
    inside = tuple(range(-n, 0))
    if divisor == 0:
        raise ShapeError(f"{function}: divisor_override=0; a mean of nothing. None divides by the size of the window.")
    if divisor is None:
        image = np.ones(shape_of(x)[-n:], getattr(x, "dtype", None))
        kept = [(p, p) if count_include_pad else (0, 0) for p in padding]  # what ceil_mode adds never counts
        rest = [(a - p, b - q) for (a, b), (p, q) in zip(widths, kept, strict=True)]
        counted = np.pad(np.pad(image, kept, constant_values=1.0), rest)
        divisor = np.add.reduce(gather(counted, size, stride, dilation), axis=inside)
    return without_batch(sum(parts, axis=inside) / divisor, alone)


@composed
def max_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> Any:
    """The largest number of each window of signals x (batch, channels, length); see `max_pool2d`.

    >>> max_pool1d(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[5., 3.]]])
    """
    return largest("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode)


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
    return largest("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode)


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
