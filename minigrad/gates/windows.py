"""Windows that slide over an image: convolution and pooling, as PyTorch's `torch.nn.functional` has them.

Two gates do the moving: `windows` shows each window as axes of their own (a view, no copies), `unwindows` adds windows
back to where they lie.  Each is the other's derivative; the rest is made of them and of matrix products.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..convert import describe, shape_of
from ..errors import ShapeError
from ..value import Gate, reshape, select, sum
from .linalg import matmul
from .questions import argmax
from .reductions import mean
from .registry import call, composed, row
from .shapes import getitem, put, transpose

__all__ = [
    "avg_pool1d", "avg_pool2d", "conv1d", "conv2d", "conv_transpose2d", "max_pool1d", "max_pool2d", "unfold",
    "unwindows", "windows",
]  # fmt: skip


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


# ------------------------------------------------------------------------------------------------------------- checks
def each(function: str, name: str, number: Any, n: int, least: int) -> tuple[int, ...]:
    """A number per spatial axis, from one for all of them or from as many."""
    numbers = tuple(number) if isinstance(number, (tuple, list)) else (number,) * n
    if len(numbers) != n or any([not isinstance(i, (int, np.integer)) or i < least for i in numbers]):
        raise ShapeError(f"{function}: {name}={number!r}: it is an integer, at least {least}, or {n} of them.")
    return tuple([int(i) for i in numbers])


def check_image(function: str, x: Any, n: int) -> None:
    if len(shape_of(x)) != n + 2:
        axes = "(batch, channels, height, width)" if n == 2 else "(batch, channels, length)"
        raise ShapeError(f"{function}: {describe(x)}: the input is {axes}, not {shape_of(x)}.")


def check_fits(function: str, x: Any, size: Any, dilation: Any) -> None:
    n = len(size)
    reach = tuple([d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)])
    if any([r > m for r, m in zip(reach, shape_of(x)[-n:], strict=True)]):
        raise ShapeError(f"{function}: a window of {reach} is larger than the padded image, {shape_of(x)[-n:]}.")


def frame(x: Any, padding: tuple[int, ...], fill: float = 0.0) -> Any:
    """x with `padding` numbers on both ends of each of its last axes."""
    if not any(padding):
        return x
    lead = len(shape_of(x)) - len(padding)
    wide = shape_of(x)[:lead] + tuple([n + 2 * p for n, p in zip(shape_of(x)[lead:], padding, strict=True)])
    inside: Any = (..., *[slice(p, n - p) for p, n in zip(padding, wide[lead:], strict=True)])
    out = put(x, inside, wide)
    if not fill:
        return out
    border = np.full(wide[lead:], fill, out.dtype)
    border[inside] = 0.0
    return out + border


# -------------------------------------------------------------------------------------------------------- convolutions
def convolve(
    function: str, n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """One matrix product per group: the windows as rows, the filters as columns."""
    check_image(function, x, n)
    batch, channels = shape_of(x)[:2]
    if len(shape_of(weight)) != n + 2:
        raise ShapeError(f"{function}: weight {shape_of(weight)} must be (out, in / groups, *kernel), {n + 2} axes.")
    filters, depth, *size = shape_of(weight)
    if groups < 1 or depth * groups != channels or filters % groups:
        raise ShapeError(
            f"{function}: the input {shape_of(x)} has {channels} channels; weight {shape_of(weight)} with "
            f"groups={groups} takes {depth * groups}, and makes {filters}, which {groups} must divide."
        )
    if bias is not None and shape_of(bias) != (filters,):
        raise ShapeError(f"{function}: bias {shape_of(bias)} must be ({filters},), one for each filter.")
    stride, dilation = each(function, "stride", stride, n, 1), each(function, "dilation", dilation, n, 1)
    x = frame(x, each(function, "padding", padding, n, 0))
    check_fits(function, x, size, dilation)
    parts = windows(x, size=tuple(size), stride=stride, dilation=dilation)
    places = shape_of(parts)[2 : 2 + n]
    parts = reshape(parts, shape=(batch, groups, depth, *places, *size))
    axes = range(3, 3 + n)  # those of the places
    rows = transpose(parts, axes=(1, 0, *axes, 2, *range(3 + n, 3 + 2 * n)))
    rows = reshape(rows, shape=(groups, batch * prod(places), depth * prod(size)))
    columns = transpose(reshape(weight, shape=(groups, filters // groups, depth * prod(size))), axes=(0, 2, 1))
    out = matmul(rows, columns)
    if bias is not None:
        out = out + reshape(bias, shape=(groups, 1, filters // groups))
    out = reshape(out, shape=(groups, batch, *places, filters // groups))
    out = transpose(out, axes=(1, 0, 2 + n, *range(2, 2 + n)))
    return reshape(out, shape=(batch, filters, *places))


@composed
def conv1d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Cross-correlation of signals x (batch, in, length) with filters weight (out, in / groups, k), as PyTorch's.

    The result is (batch, out, places).  Raises `ShapeError` for shapes that don't fit.

    >>> conv1d(np.array([[[1.0, 2.0, 4.0, 8.0]]]), np.array([[[-1.0, 1.0]]]))
    array([[[1., 2., 4.]]])
    """
    return convolve("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


@composed
def conv2d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Cross-correlation of images x (batch, in, height, width) with filters weight (out, in / groups, kh, kw).

    out[b, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] x[b, c, i·stride + k·dilation - padding, ...].
    `stride`, `padding` and `dilation` are numbers or pairs, as PyTorch's.  Raises `ShapeError` for shapes that don't
    fit.  Source: CS231n, "Convolutional Networks".

    >>> conv2d(np.ones((1, 1, 4, 4)), np.ones((1, 1, 3, 3)), padding=1, stride=2)
    array([[[[4., 6.],
             [6., 9.]]]])
    """
    return convolve("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


@composed
def conv_transpose2d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1,
    dilation: Any = 1,
) -> Any:  # fmt: skip
    """conv2d turned round: each number of x (batch, in, height, width) adds its multiple of weight to an image.

    `weight` is (in, out / groups, kh, kw).  What conv2d with the same weight and parameters sends back as gradient of
    its input is this, of its upstream gradient.  `output_padding` adds rows and columns at the far end.  Raises
    `ShapeError` for shapes that don't fit.

    >>> conv_transpose2d(np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 10.0]]]]))
    array([[[[ 1., 12., 20.]]]])
    """
    function = "conv_transpose2d"
    check_image(function, x, 2)
    batch, channels, height, width = shape_of(x)
    if len(shape_of(weight)) != 4 or shape_of(weight)[0] != channels or groups < 1 or channels % groups:
        raise ShapeError(
            f"{function}: weight {shape_of(weight)} must be (in, out / groups, kh, kw) with in = {channels}, the "
            f"channels of the input {shape_of(x)}, which groups={groups} must divide."
        )
    _, depth, *size = shape_of(weight)
    if bias is not None and shape_of(bias) != (groups * depth,):
        raise ShapeError(f"{function}: bias {shape_of(bias)} must be ({groups * depth},), one for each filter.")
    stride, dilation = each(function, "stride", stride, 2, 1), each(function, "dilation", dilation, 2, 1)
    padding, more = each(function, "padding", padding, 2, 0), each(function, "output_padding", output_padding, 2, 0)
    if any([m >= s and m >= d for m, s, d in zip(more, stride, dilation, strict=True)]):
        raise ShapeError(f"{function}: output_padding={more} must be smaller than stride or dilation.")
    rows = transpose(reshape(x, shape=(batch, groups, channels // groups, height * width)), axes=(1, 0, 3, 2))
    rows = reshape(rows, shape=(groups, batch * height * width, channels // groups))
    parts = matmul(rows, reshape(weight, shape=(groups, channels // groups, depth * prod(size))))
    parts = transpose(reshape(parts, shape=(groups, batch, height, width, depth, *size)), axes=(1, 0, 4, 2, 3, 5, 6))
    parts = reshape(parts, shape=(batch, groups * depth, height, width, *size))
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip((height, width), stride, dilation, size, strict=True)]
    out = unwindows(parts, shape=(batch, groups * depth, *full), size=tuple(size), stride=stride, dilation=dilation)
    if any(more):
        wide = [n + m for n, m in zip(full, more, strict=True)]
        out, full = put(out, (..., *[slice(n) for n in full]), (batch, groups * depth, *wide)), wide
    if any(padding):
        out = getitem(out, (..., *[slice(p, n - p) for p, n in zip(padding, full, strict=True)]))
    return out if bias is None else out + reshape(bias, shape=(-1, 1, 1))


@composed
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of images x (batch, channels, height, width) as columns: (batch, channels · kh · kw, places).

    >>> unfold(np.arange(6.0).reshape(1, 1, 2, 3), 2)
    array([[[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]]])
    """
    parts = slide("unfold", 2, x, kernel_size, stride, padding, dilation)
    batch, channels, *places = shape_of(parts)[:4]
    size = shape_of(parts)[4:]
    return reshape(transpose(parts, axes=(0, 1, 4, 5, 2, 3)), shape=(batch, channels * prod(size), prod(places)))


# ------------------------------------------------------------------------------------------------------------- pooling
def slide(
    function: str, n: int, x: Any, size: Any, stride: Any, padding: Any, dilation: Any = 1, fill: float = 0.0
) -> Any:
    """The windows of the padded x; without a stride they lie side by side."""
    check_image(function, x, n)
    size, dilation = each(function, "kernel_size", size, n, 1), each(function, "dilation", dilation, n, 1)
    stride = size if stride is None else each(function, "stride", stride, n, 1)
    padding = each(function, "padding", padding, n, 0)
    if "pool" in function and any([2 * p > k for p, k in zip(padding, size, strict=True)]):
        raise ShapeError(f"{function}: padding={padding} must be at most half of kernel_size={size}.")
    x = frame(x, padding, fill)
    check_fits(function, x, size, dilation)
    return windows(x, size=size, stride=stride, dilation=dilation)


def largest(function: str, n: int, x: Any, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """The first of the largest numbers of each window takes the gradient, as PyTorch's does."""
    parts = slide(function, n, x, size, stride, padding, dilation, fill=-np.inf)
    shape = shape_of(parts)
    parts = reshape(parts, shape=(*shape[: 2 + n], prod(shape[2 + n :])))
    won = argmax(parts, axis=-1, keepdims=True) == np.arange(shape_of(parts)[-1])
    return sum(select(won, parts), axis=-1)


@composed
def max_pool1d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Any:
    """The largest number of each window of signals x (batch, channels, length); see `max_pool2d`.

    >>> max_pool1d(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[5., 3.]]])
    """
    return largest("max_pool1d", 1, x, kernel_size, stride, padding, dilation)


@composed
def max_pool2d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1) -> Any:
    """The largest number of each window of images x (batch, channels, height, width); nan is larger than all.

    Without `stride` the windows lie side by side.  Of equal numbers the first takes the gradient, as in PyTorch.
    Padding counts as minus infinity, and is at most half a window: otherwise `ShapeError`.

    >>> max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return largest("max_pool2d", 2, x, kernel_size, stride, padding, dilation)


@composed
def avg_pool1d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window of signals x (batch, channels, length); see `avg_pool2d`.

    >>> avg_pool1d(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[3. , 2.5]]])
    """
    return mean(slide("avg_pool1d", 1, x, kernel_size, stride, padding), axis=-1)


@composed
def avg_pool2d(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """The mean of each window of images x (batch, channels, height, width); padding counts as zeros.

    >>> avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    return mean(slide("avg_pool2d", 2, x, kernel_size, stride, padding), axis=(-2, -1))
