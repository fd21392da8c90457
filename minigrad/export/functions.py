"""Rows of functions that are composed of several gates and have an operator of their own in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..convert import shape_of
from ..gates.convolution import borders
from ..gates.pooling import borders as pool_borders
from ..gates.pooling import sizes
from ..gates.windows import each

__all__ = ["FUNCTIONS", "WANTED"]


def batched(op: Any, x: Any, n: int, write: Callable[[Any], Any]) -> Any:
    """`write` for a batch; an image alone is a batch of one."""
    if len(x.shape) == n + 2:
        return write(x)
    return op.Squeeze(write(op.Unsqueeze(x, op.ints(0))), op.ints(0))


def ends(widths: Any) -> list[int]:
    """ONNX's order: all that is before the axes, then all that is after."""
    return [a for a, _ in widths] + [b for _, b in widths]


def conv(n: int) -> Any:
    def write(op: Any, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
        size = weight.shape[2:]
        stride, dilation = each("conv", "stride", stride, n, 1), each("conv", "dilation", dilation, n, 1)
        pads = ends(borders("conv", padding, size, stride, dilation))
        given: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": pads, "dilations": dilation}
        return batched(op, x, n, lambda x: op.Conv(x, weight, bias, group=groups, **given))

    return write


def conv_transpose2d(
    op: Any, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any
) -> Any:
    stride, dilation = each("conv", "stride", stride, 2, 1), each("conv", "dilation", dilation, 2, 1)
    padding, more = each("conv", "padding", padding, 2, 0), each("conv", "output_padding", output_padding, 2, 0)
    given: dict[str, Any] = {"kernel_shape": weight.shape[2:], "strides": stride, "pads": [*padding, *padding]}
    given |= {"dilations": dilation, "output_padding": more, "group": groups}
    return batched(op, x, 2, lambda x: op.ConvTranspose(x, weight, bias, **given))


def max_pool(n: int) -> Any:
    def write(op: Any, x: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
        size, stride, padding, dilation = sizes("max_pool", n, size, stride, padding, dilation)
        pads = ends(pool_borders(x.shape, size, stride, padding, dilation, ceil_mode))
        given: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": pads, "dilations": dilation}
        return batched(op, x, n, lambda x: op.MaxPool(x, **given))

    return write


def avg_pool(n: int) -> Any:
    def write(
        op: Any, x: Any, size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool, *divisor: Any
    ) -> Any:
        size, stride, padding, _ = sizes("avg_pool", n, size, stride, padding)
        given: dict[str, Any] = {"kernel_shape": size, "strides": stride, "pads": [*padding, *padding]}
        count = int(count_include_pad)
        return batched(op, x, n, lambda x: op.AveragePool(x, count_include_pad=count, **given))

    return write


def sort(op: Any, x: Any, axis: Any) -> Any:
    x, axis = (op.Reshape(x, op.ints(-1)), 0) if axis is None else (x, axis)
    return op.TopK(x, op.ints(op.shape[axis]), axis=axis, largest=0, outputs=2)[0]


def take(op: Any, x: Any, indices: Any, axis: Any) -> Any:
    x, axis = (op.Reshape(x, op.ints(-1)), 0) if axis is None else (x, axis)
    return op.Gather(x, op.cast(indices, np.int64), axis=axis)


def take_along_axis(op: Any, x: Any, indices: Any, axis: int) -> Any:
    return op.GatherElements(x, op.cast(indices, np.int64), axis=axis)


def always(given: dict[str, Any]) -> bool:
    return True


def plain(given: dict[str, Any]) -> bool:
    """A mean whose count ONNX can express; others are exported as the gates inside."""
    return not given["ceil_mode"] and given.get("divisor_override") is None


def aligned(given: dict[str, Any]) -> bool:
    """An index array for each line of x, none of them broadcast."""
    x, indices, axis = shape_of(given["x"]), shape_of(given["indices"]), given["axis"]
    if axis is None or len(x) != len(indices):
        return False
    return all([m == n or i == axis % len(x) for i, (m, n) in enumerate(zip(x, indices, strict=True))])


FUNCTIONS: dict[str, Callable[..., Any]] = {  # given all arguments of the function, in order
    "conv1d": conv(1),
    "conv2d": conv(2),
    "conv_transpose2d": conv_transpose2d,
    "max_pool1d": max_pool(1),
    "max_pool2d": max_pool(2),
    "avg_pool1d": avg_pool(1),
    "avg_pool2d": avg_pool(2),
    "sort": sort,
    "take": take,
    "take_along_axis": take_along_axis,
}
TESTS: dict[str, Any] = {"avg_pool1d": plain, "avg_pool2d": plain, "take_along_axis": aligned}
WANTED = {name: TESTS.get(name, always) for name in FUNCTIONS}
