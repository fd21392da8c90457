"""Normalisation: to mean 0 and variance 1 over the batch, or within each example."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..arguments import at_least_zero, number, whole
from ..convert import describe, is_value, shape_of
from ..errors import ShapeError
from ..gates import mean, reshape, sqrt
from .module import Module, Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm"]


def spread(centred: Any, axes: tuple[int, ...], eps: float) -> Any:
    """sqrt(mean(centred²) + eps).  Where the squares would overflow, of numbers scaled by a power of two.

    The scale cancels out, and so counts as a constant in the derivative.
    """
    largest = np.max(np.abs(raw(centred)), initial=0.0)
    scale = 1.0
    if largest > np.sqrt(np.finfo(centred.dtype).max) / 1e6:
        scale = float(2.0 ** np.frexp(largest)[1]) if np.isfinite(largest) else 1.0
    scaled = centred / scale if scale != 1.0 else centred
    deviation = sqrt(mean(scaled * scaled, axis=axes, keepdims=True) + eps / scale / scale)
    return deviation * scale if scale != 1.0 else deviation


class BatchNorm(Module):
    """What `BatchNorm1d` and `BatchNorm2d` share."""

    shapes: dict[int, str]  # what x may look like, by its number of axes
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: Any = np.float64,
        rng: Any = None,  # every layer takes one; nothing is random here
    ) -> None:
        n = self.num_features = whole(f"{type(self).__name__}: num_features", num_features, least=1)
        self.eps, self.momentum = at_least_zero(f"{type(self).__name__}: eps", eps), momentum
        if momentum is not None and not 0.0 <= number(f"{type(self).__name__}: momentum", momentum) <= 1.0:
            raise ValueError(f"{type(self).__name__}: momentum={momentum}; it is a number from 0 to 1, or None.")
        self.weight = Parameter(np.ones(n), dtype=dtype, label="weight") if affine else None
        self.bias = Parameter(np.zeros(n), dtype=dtype, label="bias") if affine else None
        self.register_buffer("running_mean", np.zeros(n, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(n, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.array(0) if track_running_stats else None)

    def forward(self, x: Any) -> Any:
        shape = shape_of(x)
        if len(shape) not in self.shapes or shape[1] != self.num_features:
            wanted = " or ".join(self.shapes.values())
            raise ShapeError(
                f"{type(self).__name__}: {describe(x)}: x is {wanted} with {self.num_features} channels, not {shape}."
            )
        per_channel = (1, -1, *[1] * (len(shape) - 2))
        if self.training or self.running_mean is None:
            others = (0, *range(2, len(shape)))
            n = prod(shape) // shape[1]
            if n < 2:
                raise ShapeError(
                    f"{type(self).__name__}: {describe(x)}: {n} number per channel has no variance: take a larger "
                    "batch, or model.eval() for the running statistics."
                )
            centre = mean(x, axis=others, keepdims=True)
            centred = x - centre
            deviation = spread(centred, others, self.eps)
            if self.running_mean is not None:
                with np.errstate(over="ignore"):
                    variance = np.mean(np.square(raw(centred)), axis=others)
                self.follow(raw(centre).reshape(-1), variance * (n / (n - 1)))
        else:
            centred = x - self.running_mean.reshape(per_channel)
            deviation = sqrt(self.running_var.reshape(per_channel) + self.eps)
        out = centred / deviation
        if self.weight is None:
            return out
        return out * reshape(self.weight, per_channel) + reshape(self.bias, per_channel)

    def follow(self, centre: Any, variance: Any) -> None:
        """Move the running statistics towards those of a batch."""
        self.num_batches_tracked = np.asarray(self.num_batches_tracked + 1)
        part = 1.0 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        dtype = self.running_mean.dtype
        self.running_mean = ((1.0 - part) * self.running_mean + part * centre).astype(dtype)
        self.running_var = ((1.0 - part) * self.running_var + part * variance).astype(dtype)

    def extra_repr(self) -> str:
        plain = ", affine=False" if self.weight is None else ""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}{plain}"


class BatchNorm1d(BatchNorm):
    """y = weight (x - mean) / sqrt(var + eps) + bias, with mean and variance of each channel over the batch.

    x is (batch, channels) or (batch, channels, length).  The gradient flows through mean and variance, too: no part of
    it would only shift or scale the batch.  In evaluation the running statistics take their place, which each training
    pass moves: running = (1 - momentum) running + momentum batch; `momentum=None` makes them the mean of all passes.
    As in PyTorch, x is divided by the biased variance while `running_var` follows the unbiased one.  (Goodfellow,
    Bengio and Courville, section 8.7.1, have eps = 1e-8, and momentum elsewhere is often 1 minus this one.)

    Raises `ShapeError` for another shape and, in training, for a single number per channel, which would become 0.

    >>> layer = BatchNorm1d(2)
    >>> layer(np.array([[1.0, 2.0], [3.0, 6.0]])).data.round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> layer.running_mean, layer.running_var
    (array([0.2, 0.4]), array([1.1, 1.7]))
    """

    shapes = {2: "(batch, channels)", 3: "(batch, channels, length)"}  # noqa: RUF012


class BatchNorm2d(BatchNorm):
    """`BatchNorm1d` for images (batch, channels, height, width): statistics per channel, over batch and places.

    >>> BatchNorm2d(3)(np.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    shapes = {4: "(batch, channels, height, width)"}  # noqa: RUF012


class LayerNorm(Module):
    """y = weight (x - mean) / sqrt(var + eps) + bias, with mean and (biased) variance over the last axes of x.

    `normalized_shape` is the size of the last axis, or a tuple of the sizes of the last axes; weight and bias have that
    shape.  Raises `ShapeError` for an x that ends otherwise.

    >>> LayerNorm(2)(np.array([[1.0, 3.0], [10.0, 30.0]])).data.round(4)
    array([[-1.,  1.],
           [-1.,  1.]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = np.float64,
        rng: Any = None,  # every layer takes one; nothing is random here
    ) -> None:
        sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        self.normalized_shape = tuple([whole("LayerNorm: normalized_shape", n, least=1) for n in sizes])
        self.eps = at_least_zero("LayerNorm: eps", eps)
        shape = self.normalized_shape
        self.weight = Parameter(np.ones(shape), dtype=dtype, label="weight") if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape), dtype=dtype, label="bias") if elementwise_affine and bias else None

    def forward(self, x: Any) -> Any:
        n = len(self.normalized_shape)
        if shape_of(x)[-n:] != self.normalized_shape:
            raise ShapeError(f"LayerNorm: {describe(x)}: x ends in {self.normalized_shape}, not {shape_of(x)}.")
        last = tuple(range(-n, 0))
        centred = x - mean(x, axis=last, keepdims=True)
        out = centred / spread(centred, last, self.eps)
        out = out if self.weight is None else out * self.weight
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


def raw(x: Any) -> Any:
    return x.data if is_value(x) else x
