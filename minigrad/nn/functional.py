"""Layers, activations and losses as functions; the gates that PyTorch has in this place are found here, too.

In the losses `scores` is (batch, classes) and `labels` are class numbers of shape (batch,).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import describe, is_value, shape_of
from ..errors import DtypeError, ShapeError
from ..gates import (
    avg_pool1d,
    avg_pool2d,
    celu,
    conv1d,
    conv2d,
    conv_transpose2d,
    elu,
    gelu,
    hardsigmoid,
    hardtanh,
    hinge,
    leaky_relu,
    log_softmax,
    logsigmoid,
    matmul,
    max_pool1d,
    max_pool2d,
    mean,
    mish,
    negative_log_softmax,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    sum,
    tanh,
    transpose,
    unfold,
)
from ..gates import linear as linear_gate

__all__ = [
    "avg_pool1d", "avg_pool2d", "celu", "conv1d", "conv2d", "conv_transpose2d", "cross_entropy", "elu", "gelu",
    "hardsigmoid", "hardtanh", "hinge_loss", "leaky_relu", "linear", "log_softmax", "logsigmoid", "max_pool1d",
    "max_pool2d", "mish", "multiclass_hinge_loss", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "tanh", "unfold",
]  # fmt: skip


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b for x of shape (..., in), weight (out, in) and bias (out,)."""
    return matmul(x, transpose(weight)) if bias is None else linear_gate(x, weight, bias)


def cross_entropy(scores: Any, labels: Any, reduction: str = "mean") -> Any:
    """Softmax cross-entropy, -log p[label] = logsumexp(scores) - scores[label].

    Stable for scores of any size; the gradient of the scores is p - onehot(label).  Raises `ShapeError` or
    `DtypeError` for labels that don't fit.  Source: CS231n, "Linear classification".

    >>> from minigrad import Value
    >>> round(cross_entropy(Value([[-2.85, 0.86, 0.28]]), [2]).item(), 4)
    1.0402
    """
    labels = class_labels("cross_entropy", scores, labels)
    return reduce("cross_entropy", negative_log_softmax(scores, labels), reduction)


def hinge_loss(scores: Any, labels: Any, squared: bool = False, reduction: str = "mean") -> Any:
    """The binary SVM's loss max(0, 1 - label * score), or its square, for labels -1 and +1.

    `scores` has shape (batch,) or (batch, 1).

    >>> from minigrad import Value
    >>> hinge_loss(Value([2.0, 0.3, -1.0]), [1, 1, 1], reduction="none").data.tolist()
    [0.0, 0.7, 2.0]
    """
    labels, shape = raw_labels("hinge_loss", labels), shape_of(scores)
    if labels.shape in (shape[:1], (*shape[:1], 1)) and shape in (shape[:1], (*shape[:1], 1)):
        labels = labels.reshape(shape)
    if labels.shape != shape:
        raise ShapeError(f"hinge_loss: scores {shape} and labels {labels.shape} differ; there is one label per score.")
    if not labels.size:
        raise ShapeError("hinge_loss: the batch is empty.")
    if labels.dtype.kind not in "iuf" or not np.logical_and.reduce(np.abs(labels) == 1, axis=None):
        raise DtypeError(f"hinge_loss: labels are -1 or +1, not {first_outside(labels, (-1, 1))}.")
    losses = hinge(scores, labels.astype(getattr(scores, "dtype", float), copy=False))
    return reduce("hinge_loss", losses * losses if squared else losses, reduction)


def multiclass_hinge_loss(scores: Any, labels: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """The multiclass SVM of Weston and Watkins: sum over j != label of max(0, scores[j] - scores[label] + margin).

    It sums over the classes (small random weights and margin 1 give a loss of about classes - 1), unlike PyTorch's
    MultiMarginLoss, which divides by their number.  Source: CS231n, "Linear classification".

    >>> from minigrad import Value
    >>> multiclass_hinge_loss(Value([[13.0, -7.0, 11.0]]), [0], margin=10.0).item()
    8.0
    """
    labels = class_labels("multiclass_hinge_loss", scores, labels)
    rows = np.arange(len(labels))
    others = np.ones(shape_of(scores), bool)
    others[rows, labels] = False
    violations = relu(scores - scores[rows, labels].reshape(-1, 1) + margin)
    return reduce("multiclass_hinge_loss", sum(violations * others, axis=1), reduction)


def class_labels(loss: str, scores: Any, labels: Any) -> Any:
    """The labels as an integer array of shape (batch,), after checking that each names a class."""
    labels, shape = raw_labels(loss, labels), shape_of(scores)
    if len(shape) != 2:
        raise ShapeError(f"{loss}: scores are (batch, classes), not {describe(scores)} of shape {shape}.")
    if labels.shape != shape[:1]:
        raise ShapeError(f"{loss}: labels have shape {labels.shape}; scores {shape} need {shape[:1]}: one class each.")
    if not labels.size:
        raise ShapeError(f"{loss}: the batch is empty.")
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"{loss}: labels are class numbers (integers), not {labels.dtype}; use y.astype(int).")
    if labels.astype(np.uint64).max() >= shape[1]:  # a negative number turns into a very large one
        wrong = first_outside(labels, range(shape[1]))
        raise ShapeError(f"{loss}: label {wrong}, but the scores have the classes 0 to {shape[1] - 1}.")
    return labels


def raw_labels(loss: str, labels: Any) -> Any:
    """The labels as an array, unless they are a Value (scores and labels swapped, perhaps) or text."""
    if is_value(labels):
        raise DtypeError(f"{loss}: labels are raw class numbers: pass y.data; the order is loss(scores, labels).")
    labels = np.asarray(labels)
    if labels.dtype.kind in "UO" and any([isinstance(label, str) for label in labels.flat[:1]]):
        raise DtypeError(f"{loss}: labels are text; number the classes: np.unique(y, return_inverse=True)[1].")
    return labels


def first_outside(labels: Any, allowed: Any) -> str:
    index = int(np.argmax(~np.isin(labels, list(allowed))))
    return f"{labels.flat[index].item()!r} (number {index})"


def reduce(loss: str, each: Any, reduction: str) -> Any:
    """One number of the losses of a batch: their mean or sum, or all of them."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{loss}: reduction={reduction!r}; it is 'mean', 'sum' or 'none'.")
    return mean(each) if reduction == "mean" else sum(each) if reduction == "sum" else each
