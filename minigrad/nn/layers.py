"""Layers and losses as modules."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import whole
from ..random import generator
from . import functional as F
from .init import uniform_
from .module import Module, Parameter

__all__ = ["CrossEntropyLoss", "HingeLoss", "Linear", "MulticlassHingeLoss", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class Linear(Module):
    """y = x Wᵀ + b, with weight of shape (out, in) and bias of shape (out,).

    Both start as U(-1/sqrt(in), 1/sqrt(in)), as in PyTorch.  `x` has shape (..., in).

    >>> import numpy as np
    >>> Linear(3, 2, rng=0)(np.ones((4, 3))).shape
    (4, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = np.float64, rng: Any = None
    ) -> None:
        in_features = whole("Linear: in_features", in_features, least=1)
        out_features = whole("Linear: out_features", out_features, least=1)
        rng = generator(rng)  # one stream for weight and bias
        bound = 1.0 / math.sqrt(in_features)
        self.weight = Parameter(np.zeros((out_features, in_features)), dtype=dtype, label="weight")
        uniform_(self.weight, -bound, bound, rng)
        self.bias = Parameter(np.zeros(out_features), dtype=dtype, label="bias") if bias else None
        if self.bias is not None:
            uniform_(self.bias, -bound, bound, rng)

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}" + ("" if self.bias is not None else ", bias=False")


class ReLU(Module):
    """max(0, x)."""

    def forward(self, x: Any) -> Any:
        return F.relu(x)


class Tanh(Module):
    """tanh(x)."""

    def forward(self, x: Any) -> Any:
        return F.tanh(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Any) -> Any:
        return F.sigmoid(x)


class Softmax(Module):
    """exp(x) / sum exp(x) along `axis`, after subtracting the maximum."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return F.softmax(x, axis=self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class CrossEntropyLoss(Module):
    """Softmax cross-entropy of scores (batch, classes) and class numbers (batch,): see `functional.cross_entropy`."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction

    def forward(self, scores: Any, labels: Any) -> Any:
        return F.cross_entropy(scores, labels, self.reduction)


class HingeLoss(Module):
    """The binary SVM's loss of scores (batch,) and labels -1 or +1: see `functional.hinge_loss`."""

    def __init__(self, squared: bool = False, reduction: str = "mean") -> None:
        self.squared, self.reduction = squared, reduction

    def forward(self, scores: Any, labels: Any) -> Any:
        return F.hinge_loss(scores, labels, self.squared, self.reduction)


class MulticlassHingeLoss(Module):
    """The multiclass SVM's loss (Weston and Watkins, summed over classes): see `functional.multiclass_hinge_loss`."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        self.margin, self.reduction = margin, reduction

    def forward(self, scores: Any, labels: Any) -> Any:
        return F.multiclass_hinge_loss(scores, labels, self.margin, self.reduction)
