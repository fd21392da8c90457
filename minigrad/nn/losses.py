"""Losses: each is a function of the model's output and the target, and a class that keeps the function's options.

`input` comes first and `target` second, as in PyTorch, whose names, defaults and shapes these are.  `reduction` says
what becomes of the losses of a batch: their "mean", their "sum", or "none" (all of them).  What PyTorch has after its
deprecated `size_average` is passed by name here.

Losses of classes take scores (classes,), (batch, classes) or (batch, classes, ...) and labels of the same shape without
the axis of the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np

from ..convert import as_array, describe, shape_of
from ..errors import ShapeError
from ..gates import (
    absolute,
    argmax,
    clip,
    exp,
    getitem,
    hinge,
    isinf,
    log,
    max,
    negative_log_softmax,
    relu,
    select,
    softplus,
    square,
    subtract,
    sum,
    where,
)
from .module import Module
from .targets import (
    at_least_zeros,
    by_example,
    check_options,
    class_axis,
    class_labels,
    class_weights,
    factors,
    like,
    numbers,
    probabilities,
    reduce,
    reduce_examples,
    signs,
    without,
)

__all__ = [
    "BCEWithLogitsLoss", "CrossEntropyLoss", "HingeLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss",
    "MultiMarginLoss", "MulticlassHingeLoss", "NLLLoss", "SmoothL1Loss", "binary_cross_entropy_with_logits",
    "cross_entropy", "hinge_loss", "huber_loss", "kl_div", "l1_loss", "mse_loss", "multi_margin_loss",
    "multiclass_hinge_loss", "nll_loss", "smooth_l1_loss",
]  # fmt: skip


class Loss(Module):
    """Base of the losses: a function of (input, target), and its options as attributes of the same names.

    Weights are buffers, as in PyTorch.
    """

    function: Callable[..., Any]

    def __init__(self, **options: Any) -> None:
        check_options(self.function.__name__, **options)
        self.options = tuple(options)
        for name, x in options.items():
            if name in ("weight", "pos_weight"):
                self.register_buffer(name, x if x is None else at_least_zeros(self.function.__name__, name, x))
            else:
                setattr(self, name, x)

    def forward(self, input: Any, target: Any) -> Any:
        return self.function(input, target, **{name: getattr(self, name) for name in self.options})

    def extra_repr(self) -> str:
        options = [(name, getattr(self, name), p) for name, p in signature(type(self)).parameters.items()]
        return ", ".join([f"{name}={describe(x)}" for name, x, p in options if x is not p.default])


# ---------------------------------------------------------------------------------------------------------- of numbers
def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The squared error, (input - target)².

    >>> mse_loss([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return reduce("mse_loss", square(subtract(input, like("mse_loss", input, target))), reduction)


class MSELoss(Loss):
    """The mean squared error: see `functional.mse_loss`."""

    function = staticmethod(mse_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


def l1_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The absolute error, |input - target|; its slope at 0 is 0.

    >>> l1_loss([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return reduce("l1_loss", absolute(subtract(input, like("l1_loss", input, target))), reduction)


class L1Loss(Loss):
    """The mean absolute error: see `functional.l1_loss`."""

    function = staticmethod(l1_loss)

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """d² / 2 for an error |d| up to delta, then the line delta (|d| - delta / 2).  Huber 1964.

    >>> huber_loss([0.5, 3.0], [0.0, 0.0], reduction="none").tolist()
    [0.125, 2.5]
    """
    check_options("huber_loss", delta=delta)
    d = subtract(input, like("huber_loss", input, target))
    c = clip(d, a_min=-delta, a_max=delta)
    return reduce("huber_loss", c * (d - 0.5 * c), reduction)


class HuberLoss(Loss):
    """A parabola that goes on as a line beyond delta: see `functional.huber_loss`."""

    function = staticmethod(huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction, delta=delta)


def smooth_l1_loss(input: Any, target: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    """|d| - beta / 2 for an error |d| of at least beta, rounded off by the parabola d² / (2 beta) below.

    It is `huber_loss` over beta; beta = 0 is `l1_loss`.  Girshick 2015.

    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none", beta=2.0).tolist()
    [0.0625, 2.0]
    """
    check_options("smooth_l1_loss", beta=beta)
    d = subtract(input, like("smooth_l1_loss", input, target))
    c = clip(d, a_min=-beta, a_max=beta)
    return reduce("smooth_l1_loss", (c / beta) * (d - 0.5 * c) if beta else absolute(d), reduction)


class SmoothL1Loss(Loss):
    """The absolute error with its kink rounded off: see `functional.smooth_l1_loss`."""

    function = staticmethod(smooth_l1_loss)

    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction, beta=beta)


# ---------------------------------------------------------------------------------------------------- of probabilities
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Softmax cross-entropy, -Σ q log p with p = softmax(input): for a label, -log p[label].

    `target` is a class number per example or, as floats in the input's shape, a probability q per class, which may be a
    `Value`.  `weight` has a factor per class.  Examples whose label is `ignore_index` cost nothing.  `label_smoothing`
    mixes q with equal probabilities: (1 - s) q + s / classes.  The mean of labelled examples is the sum over the sum of
    their labels' weights.

    Stable for scores of any size; the gradient is p - q, without loss of digits where p is nearly 1.  Raises
    `ShapeError`, `DtypeError` or `ValueError` for a target that doesn't fit.  Source: CS231n, "Linear classification".

    >>> from minigrad import Value
    >>> round(cross_entropy(Value([[-2.85, 0.86, 0.28]]), [2]).item(), 4)
    1.0402
    """
    name, s = "cross_entropy", label_smoothing
    check_options(name, ignore_index=ignore_index, label_smoothing=s)
    axis, rows = class_axis(name, input), by_example(name, input)
    if weight is not None:
        weight = class_weights(name, weight, rows)
    if shape_of(target) == shape_of(input) and as_array(target).dtype.kind == "f":
        if ignore_index >= 0:
            raise ValueError(f"{name}: ignore_index={ignore_index} is for labels, and the target holds probabilities.")
        own = kept = None
        each = soft_cross_entropy(rows, by_example(name, probabilities(name, input, target, axis)), weight, s)
    else:
        labels, kept = class_labels(name, input, target, ignore_index)
        own = None if weight is None else getitem(weight, labels)
        if s:
            one_hot = np.equal(labels[:, None], np.arange(rows.shape[1])).astype(rows.dtype)
            each = soft_cross_entropy(rows, one_hot, weight, s)
        else:
            each = negative_log_softmax(rows, labels)
            each = each if own is None else expected(own, each)
    return reduce_examples(name, each, own, kept, reduction, without(input, axis))


def soft_cross_entropy(rows: Any, q: Any, weight: Any, smoothing: float) -> Any:
    """-Σ weight q log softmax(row) for each row of scores, with smoothed q.

    With m the class of the highest score this is -log p[m] Σ q + Σ q (row[m] - row), a sum of numbers of at least 0: no
    digits are lost where it is near 0.
    """
    if smoothing:
        q = (1.0 - smoothing) * q + smoothing / q.shape[1]
    q = q if weight is None else q * weight
    best = argmax(rows, axis=1)
    return sum(q, axis=1) * negative_log_softmax(rows, best) + sum(expected(q, -ahead_of(rows, best)), axis=1)


def ahead_of(rows: Any, labels: Any, margin: float = 0.0) -> Any:
    """By how much each score, plus a margin, is ahead of the label's in its row; 0 at the label, with no slope."""
    at, others = (np.arange(len(labels)), labels), np.not_equal(labels[:, None], np.arange(shape_of(rows)[1]))
    return select(others, subtract(rows, rows[at].reshape(-1, 1)) + margin)


def expected(q: Any, cost: Any) -> Any:
    """q times cost, where nothing times infinity is nothing: what can't be costs nothing."""
    return q * where((q == 0) & isinf(cost), 0.0, cost)


class CrossEntropyLoss(Loss):
    """Softmax cross-entropy of scores and class numbers or probabilities: see `functional.cross_entropy`."""

    function = staticmethod(cross_entropy)

    def __init__(
        self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing)


def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """-input[label] for log-probabilities, as `log_softmax` gives; otherwise as `cross_entropy`.

    >>> nll_loss([[-0.5, -2.0], [-3.0, -0.25]], [0, 1], reduction="none").tolist()
    [0.5, 0.25]
    """
    check_options("nll_loss", ignore_index=ignore_index)
    labels, kept = class_labels("nll_loss", input, target, ignore_index)
    rows = by_example("nll_loss", input)
    each = -rows[np.arange(len(labels)), labels]
    own = None if weight is None else getitem(class_weights("nll_loss", weight, rows), labels)
    each = each if own is None else expected(own, each)
    return reduce_examples("nll_loss", each, own, kept, reduction, without(input, class_axis("nll_loss", input)))


class NLLLoss(Loss):
    """The negative log-likelihood of log-probabilities: see `functional.nll_loss`."""

    function = staticmethod(nll_loss)

    def __init__(self, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """-y log p - (1 - y) log(1 - p) with p = sigmoid(input), for a target y from 0 to 1 of the input's shape.

    `weight` multiplies each loss and `pos_weight` only the part of y; both broadcast.  As y softplus(-x) +
    (1 - y) softplus(x), it is stable for any x and keeps all digits of a loss near 0.

    >>> binary_cross_entropy_with_logits([-1e308, 0.0, 1e308], [0.0, 1.0, 1.0], reduction="sum")
    0.6931471805599453
    """
    name = "binary_cross_entropy_with_logits"
    x, y = numbers(name, input), probabilities(name, input, target)
    positive = expected(y, softplus(-x))
    if pos_weight is not None:
        positive = positive * factors(name, "pos_weight", pos_weight, input)
    each = positive + expected(1.0 - y, softplus(x))
    return reduce(name, each if weight is None else expected(factors(name, "weight", weight, input), each), reduction)


class BCEWithLogitsLoss(Loss):
    """The cross-entropy of yes-or-no questions: see `functional.binary_cross_entropy_with_logits`."""

    function = staticmethod(binary_cross_entropy_with_logits)

    def __init__(self, weight: Any = None, *, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)


def kl_div(input: Any, target: Any, *, reduction: str = "mean", log_target: bool = False) -> Any:
    """The Kullback-Leibler divergence of probabilities q from p, q (log q - log p); `input` is log p.

    `target` is q, or log q with `log_target=True`.  "batchmean" divides the sum by the batch's size, which is the
    divergence; "mean" divides by all numbers, as in PyTorch.

    >>> import numpy as np
    >>> round(kl_div(np.log([[0.5, 0.5]]), [[0.25, 0.75]], reduction="batchmean"), 6)
    0.130812
    """
    check_options("kl_div", log_target=log_target)
    x, t = numbers("kl_div", input), like("kl_div", input, target)
    if log_target:
        each = expected(exp(t), t - x)
    else:
        if (negative := as_array(t) < 0).any():
            first = as_array(t)[negative].flat[0]
            raise ValueError(
                f"kl_div: the target has {first:.6g}; probabilities are at least 0. For their logarithms pass "
                "log_target=True."
            )
        each = expected(t, log(where(t > 0, t, 1.0)) - x)
    if reduction != "batchmean":
        return reduce("kl_div", each, reduction)
    if not shape_of(x) or not shape_of(x)[0]:
        raise ShapeError(f"kl_div: reduction='batchmean' needs a batch, and the input's shape is {shape_of(x)}.")
    return sum(each) / float(shape_of(x)[0])


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence: see `functional.kl_div`."""

    function = staticmethod(kl_div)

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction=reduction, log_target=log_target)


# ---------------------------------------------------------------------------------------------------------- of margins
def hinge_loss(input: Any, target: Any, squared: bool = False, reduction: str = "mean") -> Any:
    """The binary SVM's loss max(0, 1 - label * score), or its square, for labels -1 and +1.

    The scores have shape (batch,) or (batch, 1).

    >>> from minigrad import Value
    >>> hinge_loss(Value([2.0, 0.3, -1.0]), [1, 1, 1], reduction="none").data.tolist()
    [0.0, 0.7, 2.0]
    """
    check_options("hinge_loss", squared=squared)
    losses = hinge(input, signs("hinge_loss", input, target))
    return reduce("hinge_loss", losses * losses if squared else losses, reduction)


class HingeLoss(Loss):
    """The binary SVM's loss of scores (batch,) and labels -1 or +1: see `functional.hinge_loss`."""

    function = staticmethod(hinge_loss)

    def __init__(self, squared: bool = False, reduction: str = "mean") -> None:
        super().__init__(squared=squared, reduction=reduction)


def violations(name: str, input: Any, target: Any, margin: float) -> tuple[Any, Any]:
    """max(0, score - score[label] + margin) for each other class of each example, 0 at the label; and the labels."""
    check_options(name, margin=margin)
    labels, rows = class_labels(name, input, target)[0], by_example(name, input)
    return relu(ahead_of(rows, labels, margin)), labels


def multiclass_hinge_loss(
    input: Any, target: Any, margin: float = 1.0, reduction: str = "mean", over_classes: str = "sum"
) -> Any:
    """The multiclass SVM: the sum over j != label of max(0, scores[j] - scores[label] + margin).

    That is the loss of Weston and Watkins; `over_classes="max"`, that of Crammer and Singer, counts only the worst.
    The sum (small random weights and margin 1 give a loss of about classes - 1) is not divided by the number of
    classes, as `multi_margin_loss` does.  Source: CS231n, "Linear classification"; Weston & Watkins 1999; Crammer &
    Singer 2001.

    >>> from minigrad import Value
    >>> multiclass_hinge_loss(Value([[13.0, -7.0, 11.0]]), [0], margin=10.0).item()
    8.0
    """
    name = "multiclass_hinge_loss"
    check_options(name, over_classes=over_classes)
    each = (sum if over_classes == "sum" else max)(violations(name, input, target, margin)[0], axis=1)
    return reduce_examples(name, each, None, None, reduction, without(input, class_axis(name, input)))


class MulticlassHingeLoss(Loss):
    """The multiclass SVM's loss, as CS231n has it: see `functional.multiclass_hinge_loss`."""

    function = staticmethod(multiclass_hinge_loss)

    def __init__(self, margin: float = 1.0, reduction: str = "mean", over_classes: str = "sum") -> None:
        super().__init__(margin=margin, reduction=reduction, over_classes=over_classes)


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean"
) -> Any:
    """PyTorch's multiclass SVM: `multiclass_hinge_loss` over the number of classes, with p = 2 of squared violations.

    `weight` has a factor per class, for the examples with that label.

    >>> from minigrad import Value
    >>> multi_margin_loss(Value([[13.0, -7.0, 11.0]]), [0], p=2, margin=5.0).item()
    3.0
    """
    name = "multi_margin_loss"
    check_options(name, p=p)
    v, labels = violations(name, input, target, margin)
    each = sum(v if p == 1 else v * v, axis=1) / float(v.shape[1])
    each = each if weight is None else each * getitem(class_weights(name, weight, v), labels)
    return reduce_examples(name, each, None, None, reduction, without(input, class_axis(name, input)))


class MultiMarginLoss(Loss):
    """PyTorch's multiclass SVM, which divides by the number of classes: see `functional.multi_margin_loss`."""

    function = staticmethod(multi_margin_loss)

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, *, reduction: str = "mean") -> None:
        super().__init__(p=p, margin=margin, weight=weight, reduction=reduction)
