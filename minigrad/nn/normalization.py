"""Normalisation: to mean 0 and variance 1 over the batch, or within each example."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..arguments import at_least_zero, flag, number, whole
from ..convert import describe, shape_of
from ..errors import DtypeError, ShapeError
from ..gates import mean, reshape, sqrt, subtract
from ..recorded import beside, drawn, measured
from .module import Module, Parameter

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "batch_norm", "layer_norm"]


def magnitude(x: Any) -> Any:
    return np.maximum.reduce(np.abs(x), axis=None, initial=0.0)


def spread(centred: Any, axes: tuple[int, ...], eps: float) -> Any:
    """sqrt(mean(centred²) + eps).  Where the squares would overflow, of numbers scaled by a power of two.

    The scale cancels out, and so counts as a constant in the derivative.
    """
    scale = 1.0
    if (largest := measured(magnitude, centred)) > np.sqrt(np.finfo(centred.dtype).max) / 1e6:
        scale = float(2.0 ** np.frexp(largest)[1]) if np.isfinite(largest) else 1.0
    scaled = centred / scale if scale != 1.0 else centred
    deviation = sqrt(mean(scaled * scaled, axis=axes, keepdims=True) + eps / scale / scale)
    return deviation * scale if scale != 1.0 else deviation


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """y = weight (x - mean) / sqrt(var + eps) + bias for x (batch, channels, ...), all others (channels,).

    In training, mean and variance are the batch's, and the running ones, arrays or None, are moved towards them in
    place; otherwise they are the running ones.  See `BatchNorm1d`.

    >>> mean, var = np.zeros(2), np.ones(2)
    >>> batch_norm(np.array([[1.0, 2.0], [3.0, 6.0]]), mean, var, training=True).round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> mean, var
    (array([0.2, 0.4]), array([1.1, 1.7]))
    """
    at_least_zero("batch_norm: eps", eps), share("batch_norm", momentum)
    if not flag("batch_norm: training", training) and (running_mean is None or running_var is None):
        raise DtypeError("batch_norm: a running statistic is None: only with training=True the batch has its own.")
    running = {"running_mean": running_mean, "running_var": running_var}
    check_channels(input, running, {"weight": weight, "bias": bias})
    if training:
        centre, centred, out = by_the_batch("batch_norm", input, weight, bias, eps)
        if any([a is not None for a in running.values()]):
            beside(lambda *batch: follow(running.values(), batch, momentum), centre, centred)
        return out
    return by_statistics(input, running_mean, running_var, weight, bias, eps)


def by_statistics(input: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, eps: float) -> Any:
    per_channel = (1, -1, *[1] * (len(shape_of(input)) - 2))
    centred = subtract(input, running_mean.reshape(per_channel))
    return scaled(centred / sqrt(running_var.reshape(per_channel) + eps), weight, bias, per_channel)


def by_the_batch(name: str, input: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """The batch's mean, what it leaves of x, and the result."""
    shape = shape_of(input)
    others = (0, *range(2, len(shape)))
    n = prod(shape) // shape[1] if shape[1] else 0
    if n < 2:
        raise ShapeError(
            f"{name}: {describe(input)}: {n} number per channel has no variance: take a larger "
            "batch, or model.eval() for the running statistics."
        )
    centre = mean(input, axis=others, keepdims=True)
    centred = subtract(input, centre)
    out = centred / spread(centred, others, eps)
    return centre, centred, scaled(out, weight, bias, (1, -1, *[1] * (len(shape) - 2)))


def scaled(x: Any, weight: Any, bias: Any, per_channel: tuple[int, ...]) -> Any:
    x = x if weight is None else x * reshape(weight, per_channel)
    return x if bias is None else x + reshape(bias, per_channel)


def follow(running: Any, batch: Any, momentum: float) -> None:
    """Move the running mean and variance towards those of a batch, of which the mean and what is left are known."""
    centre, centred = batch
    n = centred.size // centre.size
    with np.errstate(over="ignore"):
        variance = np.mean(np.square(centred), axis=(0, *range(2, centred.ndim))) * (n / (n - 1))
    for a, now in zip(running, (centre.reshape(-1), variance), strict=True):
        if a is not None:
            a[...] = (1.0 - momentum) * a + momentum * now


def check_channels(input: Any, running: dict[str, Any], others: dict[str, Any]) -> None:
    """Refuse an x without channels, and arrays that have no number for each of them, or can't follow the batch's."""
    shape = shape_of(input)
    if len(shape) < 2:
        raise ShapeError(f"batch_norm: {describe(input)}: x is (batch, channels, ...), not {shape}.")
    for name, a in {**running, **others}.items():
        if a is not None and name in running and (not isinstance(a, np.ndarray) or a.dtype.kind != "f"):
            raise DtypeError(f"batch_norm: {name} is {a!r:.60}, not an array of floats, which can be changed in place.")
        if a is not None and shape_of(a) != shape[1:2]:
            raise ShapeError(f"batch_norm: {name} has shape {shape_of(a)}; x {shape} needs {shape[1:2]}.")


def share(name: str, momentum: Any) -> Any:
    if not 0.0 <= number(f"{name}: momentum", momentum) <= 1.0:
        raise ValueError(f"{name}: momentum={momentum}; it is a number from 0 to 1, or None.")
    return momentum


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
        name = type(self).__name__
        n = self.num_features = whole(f"{name}: num_features", num_features, least=1)
        self.eps = at_least_zero(f"{name}: eps", eps)
        self.momentum = momentum if momentum is None else share(name, momentum)
        affine, tracked = flag(f"{name}: affine", affine), flag(f"{name}: track_running_stats", track_running_stats)
        self.weight = Parameter(np.ones(n), dtype=dtype, label="weight") if affine else None
        self.bias = Parameter(np.zeros(n), dtype=dtype, label="bias") if affine else None
        self.register_buffer("running_mean", np.zeros(n, dtype) if tracked else None)
        self.register_buffer("running_var", np.ones(n, dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", np.array(0) if tracked else None)

    def forward(self, x: Any) -> Any:
        shape = shape_of(x)
        if len(shape) not in self.shapes or shape[1] != self.num_features:
            wanted = " or ".join(self.shapes.values())
            raise ShapeError(
                f"{type(self).__name__}: {describe(x)}: x is {wanted} with {self.num_features} channels, not {shape}."
            )
        rest = (self.weight, self.bias)
        if self.running_mean is None:
            return batch_norm(x, None, None, *rest, training=True, eps=self.eps)
        if not self.training:
            return by_statistics(x, drawn(lambda: self.running_mean), drawn(lambda: self.running_var), *rest, self.eps)
        centre, centred, out = by_the_batch(type(self).__name__, x, *rest, self.eps)
        beside(self.follow, centre, centred)
        return out

    def follow(self, *batch: Any) -> None:
        """Move the running statistics towards those of a batch: new arrays, an earlier state keeps its numbers."""
        running, count = (self.running_mean.copy(), self.running_var.copy()), np.asarray(self.num_batches_tracked + 1)
        follow(running, batch, 1.0 / int(count) if self.momentum is None else self.momentum)
        self.running_mean, self.running_var, self.num_batches_tracked = *running, count

    def extra_repr(self) -> str:
        plain = ", affine=False" if self.weight is None else ""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}{plain}"


class BatchNorm1d(BatchNorm):
    """y = weight (x - mean) / sqrt(var + eps) + bias, with mean and variance of each channel over the batch.

    x is (batch, channels) or (batch, channels, length).  The gradient flows through mean and variance, too: no part of
    it would only shift or scale the batch.  In evaluation the running statistics take their place, which each training
    pass moves: running = (1 - momentum) running + momentum batch; `momentum=None` makes them the mean of all passes.
    As in PyTorch, x is divided by the biased variance while `running_var` follows the unbiased one.  Source: Ioffe &
    Szegedy 2015.  (Goodfellow, Bengio and Courville, section 8.7.1, have eps = 1e-8, and momentum elsewhere is often 1
    minus this one.)

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


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """y = weight (x - mean) / sqrt(var + eps) + bias, with mean and (biased) variance over the last axes of x.

    `normalized_shape` is the size of the last axis, or a tuple of the sizes of the last axes; weight and bias have that
    shape.  Raises `ShapeError` for an x that ends otherwise.  Source: Ba et al. 2016.

    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), 2).round(4)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    shape = last_axes("layer_norm", normalized_shape)
    at_least_zero("layer_norm: eps", eps)
    if shape_of(input)[-len(shape) :] != shape:
        raise ShapeError(f"layer_norm: {describe(input)}: x ends in {shape}, not {shape_of(input)}.")
    for name, a in (("weight", weight), ("bias", bias)):
        if a is not None and shape_of(a) != shape:
            raise ShapeError(f"layer_norm: {name} has shape {shape_of(a)}; normalized_shape is {shape}.")
    last = tuple(range(-len(shape), 0))
    centred = subtract(input, mean(input, axis=last, keepdims=True))
    out = centred / spread(centred, last, eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


class LayerNorm(Module):
    """Each example to mean 0 and variance 1, whatever the batch: see `functional.layer_norm`.

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
        shape = self.normalized_shape = last_axes("LayerNorm", normalized_shape)
        self.eps = at_least_zero("LayerNorm: eps", eps)
        affine, bias = flag("LayerNorm: elementwise_affine", elementwise_affine), flag("LayerNorm: bias", bias)
        self.weight = Parameter(np.ones(shape), dtype=dtype, label="weight") if affine else None
        self.bias = Parameter(np.zeros(shape), dtype=dtype, label="bias") if affine and bias else None

    def forward(self, x: Any) -> Any:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"


def last_axes(name: str, normalized_shape: Any) -> tuple[int, ...]:
    sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not sizes:
        raise ShapeError(f"{name}: normalized_shape={normalized_shape}; it has at least one size.")
    return tuple([whole(f"{name}: normalized_shape", n, least=1) for n in sizes])
