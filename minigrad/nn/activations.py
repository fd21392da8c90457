"""Activations as layers: each calls the gate of its name; `softmax` with PyTorch's `dim`."""

from __future__ import annotations

from typing import Any

from .. import gates
from ..arguments import finite, whole
from .module import Module

__all__ = [
    "ELU", "GELU", "LeakyReLU", "LogSoftmax", "ReLU", "Sigmoid", "SiLU", "Softmax", "Softplus", "Tanh", "log_softmax",
    "softmax",
]  # fmt: skip


class ReLU(Module):
    """max(0, x), with slope 0 at 0.

    >>> import numpy as np
    >>> ReLU()(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """

    def forward(self, x: Any) -> Any:
        return gates.relu(x)


class LeakyReLU(Module):
    """x where x > 0, negative_slope · x elsewhere.  Maas et al. 2013."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = finite("LeakyReLU: negative_slope", negative_slope)

    def forward(self, x: Any) -> Any:
        return gates.leaky_relu(x, negative_slope=self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where x > 0, alpha (exp(x) - 1) elsewhere.  Clevert et al. 2016."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = finite("ELU: alpha", alpha)

    def forward(self, x: Any) -> Any:
        return gates.elu(x, alpha=self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x Φ(x), Φ the normal distribution; `approximate="tanh"` has a formula with tanh.  Hendrycks & Gimpel 2016."""

    def __init__(self, approximate: str = "none") -> None:
        gates.gelu(0.0, approximate=approximate)  # which refuses a form that it does not have
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        return gates.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x sigmoid(x), also called swish.  Elfwing et al. 2018."""

    def forward(self, x: Any) -> Any:
        return gates.silu(x)


class Tanh(Module):
    """tanh(x)."""

    def forward(self, x: Any) -> Any:
        return gates.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Any) -> Any:
        return gates.sigmoid(x)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, exact everywhere: PyTorch's `threshold`, beyond which it is a line, isn't needed."""

    def __init__(self, beta: float = 1.0) -> None:
        gates.softplus(0.0, beta=finite("Softplus: beta", beta))  # which refuses a 0
        self.beta = beta

    def forward(self, x: Any) -> Any:
        return gates.softplus(x, beta=self.beta)

    def extra_repr(self) -> str:
        return f"beta={self.beta}"


def softmax(input: Any, dim: int = -1) -> Any:
    """exp(x) / sum exp(x) along the axis `dim`, after subtracting the maximum; the last axis if not given.

    >>> softmax([[0.0, 0.0], [1000.0, 0.0]], dim=1)
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    return gates.softmax(input, axis=whole("softmax: dim", dim))


def log_softmax(input: Any, dim: int = -1) -> Any:
    """The logarithm of `softmax`, exact where that rounds to 0.

    >>> log_softmax([1000.0, 0.0])
    array([    0., -1000.])
    """
    return gates.log_softmax(input, axis=whole("log_softmax: dim", dim))


class Softmax(Module):
    """The softmax along `dim`, the last axis if not given: see `functional.softmax`.

    >>> import numpy as np
    >>> Softmax()(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = whole(f"{type(self).__name__}: dim", dim)

    def forward(self, x: Any) -> Any:
        return softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`, exact where that rounds to 0."""

    def forward(self, x: Any) -> Any:
        return log_softmax(x, self.dim)
