"""Convolution and pooling layers.  What they compute is in gates/convolution.py and gates/pooling.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import gates
from ..arguments import flag, whole
from ..convert import shape_of
from ..errors import ShapeError
from ..gates.convolution import borders
from ..gates.pooling import sizes
from ..gates.windows import batch_of, each
from ..random import generator
from .init import uniform_
from .module import Module, Parameter

__all__ = ["AvgPool2d", "Conv1d", "Conv2d", "MaxPool2d"]

PADDING = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # NumPy's names


class Conv(Module):
    """What `Conv1d` and `Conv2d` share; `axes` is how many axes a window has, `convolve` the function."""

    axes: int
    convolve: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: Any = np.float64,
        rng: Any = None,
    ) -> None:
        name = type(self).__name__
        self.in_channels = in_channels = whole(f"{name}: in_channels", in_channels, least=1)
        self.out_channels = out_channels = whole(f"{name}: out_channels", out_channels, least=1)
        self.groups = whole(f"{name}: groups", groups, least=1)
        if in_channels % groups or out_channels % groups:
            raise ShapeError(f"{name}: groups={groups} must divide {in_channels} in and {out_channels} out channels.")
        if padding_mode not in [*PADDING]:
            raise ShapeError(f"{name}: padding_mode={padding_mode!r} is not one of {', '.join(PADDING)}.")
        self.kernel_size = size = each(name, "kernel_size", kernel_size, self.axes, 1)
        self.stride = each(name, "stride", stride, self.axes, 1)
        self.dilation = each(name, "dilation", dilation, self.axes, 1)
        self.padding, self.padding_mode = padding, padding_mode
        self.borders = borders(name, padding, size, self.stride, self.dilation)
        rng = generator(rng)  # one stream for weight and bias
        bound = 1.0 / math.sqrt(in_channels // groups * math.prod(size))
        self.weight = Parameter(np.zeros((out_channels, in_channels // groups, *size)), dtype=dtype, label="weight")
        uniform_(self.weight, -bound, bound, rng)
        self.bias = None
        if flag(f"{name}: bias", bias):
            self.bias = uniform_(Parameter(np.zeros(out_channels), dtype=dtype, label="bias"), -bound, bound, rng)

    def forward(self, x: Any) -> Any:
        padding = self.padding
        if self.padding_mode != "zeros":
            batch_of(self.convolve.name, x, self.axes)  # which refuses what is no image
            around = [(0, 0)] * (len(shape_of(x)) - self.axes) + self.borders
            self.check_borders(shape_of(x)[-self.axes :])
            x, padding = gates.pad(x, around, PADDING[self.padding_mode]), 0
        return self.convolve(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def check_borders(self, image: tuple[int, ...]) -> None:
        """Refuse a border that the image is too small to be copied into."""
        for n, width in zip(image, self.borders, strict=True):
            most = {"reflect": n - 1, "circular": n}.get(self.padding_mode)
            if most is not None and max(width) > most:
                raise ShapeError(
                    f"{type(self).__name__}: padding {max(width)} with padding_mode={self.padding_mode!r} is at most "
                    f"{most} for an image of shape {image}."
                )

    def extra_repr(self) -> str:
        told = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}"]
        usual = {"stride": (1,) * self.axes, "padding": 0, "dilation": (1,) * self.axes, "groups": 1}
        for name, default in {**usual, "padding_mode": "zeros"}.items():
            if getattr(self, name) != default:
                told.append(f"{name}={getattr(self, name)!r}")
        return ", ".join(told + ["bias=False"] * (self.bias is None))


class Conv1d(Conv):
    """Filters sliding over signals (batch, in, length); weight (out, in / groups, k).  See `Conv2d`.

    >>> Conv1d(1, 2, 3, rng=0)(np.zeros((5, 1, 10))).shape
    (5, 2, 8)
    """

    axes, convolve = 1, staticmethod(gates.conv1d)


class Conv2d(Conv):
    """Filters sliding over images (batch, in, height, width); weight (out, in / groups, kh, kw), bias (out,).

    Both start as U(-1/sqrt(n), 1/sqrt(n)) with n = in / groups · kh · kw, as in PyTorch.  `padding` is a number, a
    pair, "same" or "valid"; `padding_mode` says what it is filled with: "zeros", or the image's own numbers
    ("reflect", "replicate", "circular").  Raises `ShapeError` for sizes that don't fit.

    >>> Conv2d(3, 8, 3, padding=1, rng=0)(np.zeros((2, 3, 6, 6))).shape
    (2, 8, 6, 6)
    """

    axes, convolve = 2, staticmethod(gates.conv2d)


class MaxPool2d(Module):
    """The largest number of each window of images (batch, channels, height, width).

    Without `stride` the windows lie side by side.  Padding counts as minus infinity.

    >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, *, ceil_mode: bool = False
    ) -> None:
        sizes("MaxPool2d", 2, kernel_size, stride, padding, dilation)  # which refuses what no window has
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.dilation, self.ceil_mode = dilation, flag("MaxPool2d: ceil_mode", ceil_mode)

    def forward(self, x: Any) -> Any:
        return gates.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window of images (batch, channels, height, width).

    Padding counts as zeros, or not at all with `count_include_pad=False`.

    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        sizes("AvgPool2d", 2, kernel_size, stride, padding)
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode = flag("AvgPool2d: ceil_mode", ceil_mode)
        self.count_include_pad = flag("AvgPool2d: count_include_pad", count_include_pad)
        if divisor_override is not None:
            divisor_override = whole("AvgPool2d: divisor_override", divisor_override, least=1)
        self.divisor_override = divisor_override

    def forward(self, x: Any) -> Any:
        counted = self.count_include_pad, self.divisor_override
        return gates.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, *counted)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
