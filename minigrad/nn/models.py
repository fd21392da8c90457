"""Ready models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..arguments import at_least_zero
from ..convert import describe
from ..errors import DtypeError, ShapeError
from ..random import generator
from ..value import no_grad
from .activations import ReLU
from .containers import Sequential
from .init import normal_, zeros_
from .layers import Linear
from .losses import hinge_loss, multiclass_hinge_loss
from .module import Module

__all__ = ["MLP", "LinearSVM"]


class MLP(Module):
    """A multilayer perceptron: `Linear` layers of the given sizes with an activation between them.

    >>> MLP([2, 16, 1], rng=0)
    MLP(
      (layers): Sequential(
        (0): Linear(2, 16)
        (1): ReLU()
        (2): Linear(16, 1)
      )
    )
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[], Callable[..., Any]] = ReLU,
        dtype: Any = np.float64,
        rng: Any = None,
    ) -> None:
        if np.ndim(sizes) != 1:
            raise DtypeError(f"MLP: sizes={sizes!r:.60} is not a list: MLP([2, 16, 1]).")
        if len(sizes) < 2:
            raise ShapeError(f"MLP({list(sizes)}): give at least two sizes, of the input and of the output.")
        rng = generator(rng)
        layers: list[Callable[..., Any]] = []
        for n_in, n_out in pairwise(sizes):
            layers += [Linear(n_in, n_out, dtype=dtype, rng=rng), new_layer(activation)]
        self.layers = Sequential(*layers[:-1])

    def forward(self, x: Any) -> Any:
        return self.layers(x)


def new_layer(activation: Any) -> Callable[..., Any]:
    """A layer from its class, or from another function without arguments that makes one."""
    try:
        layer = activation()
    except TypeError as error:  # no function, or one that wants arguments: a layer, or relu itself
        raise DtypeError(f"MLP: activation={describe(activation)}: give the class: activation=nn.ReLU.") from error
    if not callable(layer):
        raise DtypeError(f"MLP: activation() is {describe(layer)}: give the class of a layer: activation=nn.ReLU.")
    return layer  # type: ignore[no-any-return]


class LinearSVM(Linear):
    """A linear support vector machine: linear scores, to be trained with a hinge loss and weight decay.

    One output is the binary machine for labels -1 and +1 (`HingeLoss`); several are a score per class
    (`MulticlassHingeLoss`).  The weights start near zero, as CS231n's do, so that the first multiclass loss is close
    to classes - 1.

    >>> LinearSVM(64, 10)
    LinearSVM(64, 10)
    """

    def __init__(self, in_features: int, out_features: int = 1, dtype: Any = np.float64, rng: Any = None) -> None:
        super().__init__(in_features, out_features, dtype=dtype, rng=rng)
        normal_(self.weight, 0.0, 1e-3, rng)
        if self.bias is not None:
            zeros_(self.bias)

    def predict(self, x: Any) -> Any:
        """The labels of the rows of x as a raw integer array: -1 or +1, or the class with the highest score."""
        scores = self.scores(x)
        return np.argmax(scores, axis=-1) if scores.shape[-1] > 1 else np.where(scores[..., 0] >= 0.0, 1, -1)

    def support_(self, x: Any, y: Any, tolerance: float = 1e-2) -> Any:
        """The support vectors: which rows of x have a margin below 1 + tolerance, as a raw integer array.

        They are the examples that the hinge loss still pushes, or that lie on the edge where it stops; the trained
        machine would be the same without all others.  The margin is label · score; among several classes it is the
        score of the label minus the best other one.  Raises as the loss does for labels that don't fit.

        >>> svm = LinearSVM(1)
        >>> svm.weight.data = np.array([[1.0]])
        >>> svm.support_([[-3.0], [-1.0], [1.0], [2.0], [0.5]], [-1, -1, 1, 1, 1])
        array([1, 2, 4])
        """
        scores, margin = self.scores(x), 1.0 + at_least_zero("LinearSVM: tolerance", tolerance)
        if scores.shape[-1] > 1:
            losses = multiclass_hinge_loss(scores, y, margin=margin, reduction="none")
        else:
            losses = hinge_loss(scores / margin, y, reduction="none")
        return np.flatnonzero(losses)

    def scores(self, x: Any) -> Any:
        with no_grad():
            return self(x).data
