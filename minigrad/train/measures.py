"""How good a model is on data: `evaluate`, `accuracy`, and the means over the batches of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..nn import Module
from ..value import Value, no_grad
from .checks import loader, pair
from .history import Record

__all__ = ["Mean", "accuracy", "evaluate", "mode"]


def evaluate(model: Callable[[Any], Any], data: Any, *, loss: Callable[[Any, Any], Any]) -> Record:
    """The mean loss and, for class labels, the accuracy of `model` on `data`, in evaluation mode; nothing is recorded.

    >>> from minigrad import nn
    >>> evaluate(lambda X: Value(X), (np.array([2.0, -3.0]), np.array([1, 1])), loss=nn.HingeLoss())
    {'loss': 2.0, 'accuracy': 0.5}
    """
    seen = Mean()
    with mode(model, training=False), no_grad():
        for batch in loader(data):
            X, y = pair(batch)
            scores = model(X)
            seen.add(float(loss(scores, y)), accuracy(scores, y), len(X))
    return seen.record()


def accuracy(scores: Any, labels: Any) -> float | None:
    """The share of right answers: the highest of several scores, or the sign of one score for labels -1 and +1.

    Labels of several scores are class numbers (n,), or one-hot (n, classes).  None for anything else, such as targets
    of a regression.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), [1, 1]), accuracy(np.array([0.5, -2.0]), [1, -1])
    (0.5, 1.0)
    """
    raw, labels = np.asarray(scores.data if isinstance(scores, Value) else scores), np.asarray(labels)
    if raw.ndim == 2 and raw.shape[1] > 1:
        if labels.shape == raw.shape and np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1):
            labels = labels.argmax(axis=1)
        if labels.shape != raw.shape[:1] or labels.dtype.kind not in "iu":
            return None
        return float(np.mean(np.argmax(raw, axis=1) == labels))
    if raw.size != labels.size or not np.all(np.abs(labels) == 1):
        return None
    return float(np.mean(np.where(raw.reshape(-1) >= 0.0, 1, -1) == labels.reshape(-1)))


class Mean:
    """Loss and accuracy over the batches of an epoch, each batch counted by its rows."""

    def __init__(self, rows: int = 0, loss: float = 0.0, right: float = 0.0, classes: bool = True) -> None:
        self.rows, self.loss, self.right, self.classes = rows, loss, right, classes

    def add(self, loss: float, right: float | None, rows: int) -> None:
        self.rows += rows
        self.loss += loss * rows
        self.right += (right or 0.0) * rows
        self.classes = self.classes and right is not None

    def record(self) -> Record:
        if not self.rows:
            raise ShapeError("the data dealt no rows: there is nothing to measure.")
        means = {"loss": self.loss / self.rows, "accuracy": self.right / self.rows}
        return means if self.classes else {"loss": means["loss"]}


@contextmanager
def mode(model: Any, training: bool) -> Iterator[None]:
    """While the block runs, a module trains or is evaluated; then each of its layers is as it was."""
    before = [(layer, layer.training) for layer in model.modules()] if isinstance(model, Module) else []
    if isinstance(model, Module):
        model.train(training)
    try:
        yield
    finally:
        for layer, was in before:
            layer.training = was
