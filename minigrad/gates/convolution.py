"""Convolutions, as `torch.nn.functional` has them: windows as columns, and one matrix product with the filters."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import ShapeError
from ..skinny import product
from ..value import Gate, reshape
from .linalg import ones, swap
from .registry import call, composed, row
from .shapes import getitem, put
from .windows import as_image, as_rows, batch_of, each, frame, reach_of, slide, uncolumns, without_batch

__all__ = ["conv1d", "conv2d", "conv_transpose2d", "filtered"]


def by_group(x: Any, groups: int) -> Any:
    """A matrix as a stack of `groups` matrices with as many rows each; of filters, each is a row."""
    x = x if len(shape_of(x)) == 2 else reshape(x, shape=(shape_of(x)[0], prod(shape_of(x)[1:])))
    m, n = shape_of(x)
    return x if groups == 1 else reshape(x, shape=(groups, m // groups, n))


def together(x: Any) -> Any:
    """A stack of matrices as one, below each other."""
    return x if len(shape_of(x)) == 2 else reshape(x, shape=(shape_of(x)[0] * shape_of(x)[1], shape_of(x)[2]))


def products(columns: Any, weight: Any, bias: Any, places: Any, groups: int = 1) -> Any:
    """Each filter, a row of its group's matrix, times the columns of the group's channels, and its bias."""
    filters, taps, n = len(weight), prod(weight.shape[1:]), columns.shape[1]
    if groups == 1:
        out = product(np.reshape(weight, (filters, taps)), columns)
    else:
        stack = np.reshape(columns, (groups, taps, n))
        out = np.reshape(np.matmul(np.reshape(weight, (groups, filters // groups, taps)), stack), (filters, n))
    bias = np.reshape(bias, (filters, 1))
    out = np.add(out, bias, out=out if np.result_type(out, bias) == out.dtype else None)
    return as_image(out, places)


filtered: Gate = row(  # every filter times every column: weight (out, in / groups, *size), an image with out channels
    "filtered",
    products,
    vjp=[
        lambda g, out, columns, weight, bias, places, groups=1: together(
            product(swap(by_group(weight, groups)), by_group(as_rows(g), groups))
        ),
        lambda g, out, columns, weight, bias, places, groups=1: reshape(
            product(by_group(as_rows(g), groups), swap(by_group(columns, groups))), shape_of(weight)
        ),
        lambda g, out, columns, weight, bias, places, groups=1: as_rows(g) @ ones(shape_of(columns)[1], columns.dtype),
    ],
    domain=[
        call((12, 12), (4, 3, 2, 2), (4,), places=(2, 3)),
        call((12, 6), (4, 2, 3), (4,), places=(3,), groups=2),
    ],
)


def convolve(
    function: str, n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """One matrix product per group of channels: the filters are its rows, the windows its columns."""
    x, alone = batch_of(function, x, n)
    channels = shape_of(x)[1]
    if len(shape_of(weight)) != n + 2:
        raise ShapeError(f"{function}: weight {shape_of(weight)} must be (out, in / groups, *kernel), {n + 2} axes.")
    filters, depth, *size = shape_of(weight)
    (groups,) = each(function, "groups", groups, 1, 1)
    if depth * groups != channels or filters % groups:
        raise ShapeError(
            f"{function}: the input {shape_of(x)} has {channels} channels; weight {shape_of(weight)} with "
            f"groups={groups} takes {depth * groups}, and makes {filters}, which {groups} must divide."
        )
    if bias is not None and shape_of(bias) != (filters,):
        raise ShapeError(f"{function}: bias {shape_of(bias)} must be ({filters},), one for each filter.")
    stride, dilation = each(function, "stride", stride, n, 1), each(function, "dilation", dilation, n, 1)
    x = frame(x, borders(function, padding, size, stride, dilation))
    columns, places = slide(function, x, size, stride, dilation)
    bias = np.zeros(filters, columns.dtype) if bias is None else bias
    return without_batch(filtered(columns, weight, bias, places=places, groups=groups), alone)


def borders(function: str, padding: Any, size: Any, stride: Any, dilation: Any) -> list[tuple[int, int]]:
    """The zeros before and after each axis; "same" makes as many places as the image has numbers."""
    if padding == "valid":
        return [(0, 0)] * len(size)
    if padding == "same":
        if any([step != 1 for step in stride]):
            raise ShapeError(f'{function}: padding="same" goes with stride 1, not {stride}.')
        around = [r - 1 for r in reach_of(size, dilation)]
        return [(n // 2, n - n // 2) for n in around]
    if isinstance(padding, str):
        raise ShapeError(f'{function}: padding={padding!r}: in words, it is "same" or "valid".')
    return [(p, p) for p in each(function, "padding", padding, len(size), 0)]


@composed
def conv1d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Cross-correlation of signals x (batch, in, length) with filters weight (out, in / groups, k), as PyTorch's.

    The result is (batch, out, places); for the rest see `conv2d`.

    >>> import numpy as np
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
    `stride`, `padding` and `dilation` are numbers or pairs; padding may be "valid" (none) or "same" (as many places as
    pixels), and the batch axis may be missing, all as in PyTorch.  Raises `ShapeError` for shapes that don't fit.
    Source: CS231n, "Convolutional Networks".

    >>> import numpy as np
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

    >>> import numpy as np
    >>> conv_transpose2d(np.array([[[[1.0, 2.0]]]]), np.array([[[[1.0, 10.0]]]]))
    array([[[[ 1., 12., 20.]]]])
    """
    function = "conv_transpose2d"
    x, alone = batch_of(function, x, 2)
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
    columns = together(product(swap(by_group(weight, groups)), by_group(as_rows(x), groups)))
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip((height, width), stride, dilation, size, strict=True)]
    shape = (batch, groups * depth, *full)
    out = uncolumns(columns, shape=shape, size=tuple(size), stride=stride, dilation=dilation)
    if any(more):
        wide = [n + m for n, m in zip(full, more, strict=True)]
        out, full = put(out, (..., *[slice(n) for n in full]), (batch, groups * depth, *wide)), wide
    if any(padding):
        out = getitem(out, (..., *[slice(p, n - p) for p, n in zip(padding, full, strict=True)]))
    return without_batch(out if bias is None else out + reshape(bias, shape=(-1, 1, 1)), alone)
