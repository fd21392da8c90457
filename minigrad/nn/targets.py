"""What the losses share: checks of labels, targets and weights, and the reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import finite, flag, number, whole
from ..convert import as_array, describe, is_raw, is_value, shape_of
from ..errors import DtypeError, ShapeError
from ..gates import divide, mean, moveaxis, reshape, select, sum

__all__ = [
    "at_least_zeros", "by_example", "check_options", "class_axis", "class_labels", "class_weights", "factors", "like",
    "numbers", "probabilities", "reduce", "reduce_examples", "signs", "without",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- options
def check_options(loss: str, **options: Any) -> None:
    """Refuse options, by their names, that `loss` doesn't have: when its class is made, and when it is computed."""
    for name, x in options.items():
        if name == "delta" and not number(f"{loss}: delta", x) > 0.0:
            raise ValueError(f"{loss}: delta={x}; it is a number above 0.")
        if name == "beta" and not number(f"{loss}: beta", x) >= 0.0:
            raise ValueError(f"{loss}: beta={x}; it is a number of at least 0.")
        if name == "label_smoothing" and not 0.0 <= number(f"{loss}: label_smoothing", x) <= 1.0:
            raise ValueError(f"{loss}: label_smoothing={x}; it is a number from 0 to 1.")
        if name == "margin":
            finite(f"{loss}: margin", x)
        if name == "ignore_index":
            whole(f"{loss}: ignore_index", x)
        if name == "weight" and x is not None and np.ndim(x) != 1 and loss != "binary_cross_entropy_with_logits":
            raise ShapeError(f"{loss}: weight has shape {shape_of(x)}; it has one number per class, (classes,).")
        if name in ("squared", "log_target"):
            flag(f"{loss}: {name}", x)
        if name in CHOICES:
            allowed = [choice for choice in CHOICES[name] if choice != "batchmean" or loss == "kl_div"]
            if x not in allowed:
                *most, last = [repr(choice) for choice in allowed]
                raise ValueError(f"{loss}: {name}={x!r}; it is {', '.join(most)} or {last}.")


CHOICES: dict[str, tuple[Any, ...]] = {
    "reduction": ("mean", "sum", "batchmean", "none"),
    "over_classes": ("sum", "max"),
    "p": (1, 2),
}


# -------------------------------------------------------------------------------------------------------------- scores
def class_axis(loss: str, input: Any) -> int:
    """Which axis of the scores counts the classes: of (classes,), (batch, classes) or (batch, classes, ...)."""
    if not shape_of(input):
        raise ShapeError(f"{loss}: the scores are a single number; they are (classes,) or (batch, classes, ...).")
    return min(len(shape_of(input)) - 1, 1)


def without(x: Any, axis: int) -> tuple[int, ...]:
    """The shape of x without one axis."""
    shape = shape_of(x)
    return (*shape[:axis], *shape[axis + 1 :])


def by_example(loss: str, input: Any) -> Any:
    """The scores as rows, one for each example: (batch, classes, ...) as (batch * ..., classes)."""
    scores = numbers(loss, input)
    if len(scores.shape) == 2:
        return scores
    rows = moveaxis(scores, class_axis(loss, input), -1)
    *examples, classes = rows.shape
    return reshape(rows, (int(np.prod(examples)), classes))


def numbers(loss: str, input: Any) -> Any:
    """The input as a Value or an array of floats."""
    return input if is_value(input) else floats(f"{loss}: the input", input)


# -------------------------------------------------------------------------------------------------------------- labels
def class_labels(loss: str, input: Any, target: Any, ignore_index: int | None = None) -> tuple[Any, Any]:
    """Class numbers as a flat integer array, and which of them count (None: all), after checking each.

    A label that is ignored becomes a 0.
    """
    labels, shape = raw_labels(loss, target), shape_of(input)
    axis = class_axis(loss, input)
    wanted, classes = without(input, axis), shape[axis]
    if labels.shape != wanted:
        hint = "."
        if labels.shape == shape:
            hint = f"; for one-hot rows use y.argmax(axis={axis})."
        elif labels.size == np.prod(wanted):
            hint = f"; use y.reshape({list(wanted)})."
        raise ShapeError(
            f"{loss}: labels have shape {labels.shape}; scores {shape} need {wanted}: one class each{hint}"
        )
    if labels.dtype.kind not in "iu" and labels.size:
        raise DtypeError(f"{loss}: labels are class numbers (integers), not {labels.dtype}; use y.astype(int).")
    labels, kept, fit = labels.ravel(), None, all_below(labels, classes)
    if ignore_index is not None and (not fit or 0 <= ignore_index < classes):
        counts = labels != ignore_index
        if not counts.all():
            labels, kept = np.where(counts, labels, 0), counts
        fit = all_below(labels, classes)
    if not fit:
        wrong = first_outside(labels, range(classes))
        hint = "; for yes or no by one score use binary_cross_entropy_with_logits." if classes == 1 else "."
        raise ShapeError(f"{loss}: label {wrong}, but the scores have the classes 0 to {classes - 1}{hint}")
    return (labels if labels.size else labels.astype(int)), kept


def all_below(labels: Any, classes: int) -> bool:
    """Whether each label is a class; a negative number turns into a very large one."""
    return not labels.size or bool(labels.astype(np.uint64).max() < classes)


def signs(loss: str, input: Any, target: Any) -> Any:
    """Labels -1 and +1 as floats in the shape of the scores, (batch,) or (batch, 1)."""
    labels, shape = raw_labels(loss, target), shape_of(input)
    if labels.shape in (shape[:1], (*shape[:1], 1)) and shape in (shape[:1], (*shape[:1], 1)):
        labels = labels.reshape(shape)
    if labels.shape != shape:
        raise ShapeError(f"{loss}: scores {shape} and labels {labels.shape} differ; there is one label per score.")
    if labels.dtype.kind not in "iuf" or not np.logical_and.reduce(np.abs(labels) == 1, axis=None):
        hint = "; for 0 and 1 use 2 * y - 1." if np.isin(labels, (0, 1)).all() else "."
        raise DtypeError(f"{loss}: labels are -1 or +1, not {first_outside(labels, (-1, 1))}{hint}")
    return labels.astype(getattr(input, "dtype", float), copy=False)


def raw_labels(loss: str, given: Any) -> Any:
    """The labels as an array, unless they are a Value (scores and labels swapped, perhaps) or text."""
    if not is_raw(given):
        raise DtypeError(f"{loss}: labels are raw class numbers: pass y.data; the order is loss(scores, labels).")
    labels = as_array(given)
    if labels.dtype.kind in "UO" and any([isinstance(label, str) for label in labels.flat[:1]]):
        raise DtypeError(f"{loss}: labels are text; number the classes: np.unique(y, return_inverse=True)[1].")
    if labels.dtype.kind == "O":
        raise DtypeError(f"{loss}: labels are {describe(given)}, not class numbers.")
    return labels


def first_outside(labels: Any, allowed: Any) -> str:
    index = int(np.argmax(~np.isin(labels, list(allowed))))
    return f"{labels.flat[index].item()!r} (number {index})"


# ------------------------------------------------------------------------------------------------- targets and weights
def like(loss: str, input: Any, target: Any) -> Any:
    """The target, which has the input's shape; a raw one takes its dtype."""
    target = target if not is_raw(target) else floats(f"{loss}: the target", target, float_type(input))
    have, wanted = target.shape, shape_of(input)
    if have != wanted:
        same_size = np.prod(have) == np.prod(wanted)
        remedy = f"use target.reshape{wanted}." if same_size else "there is one target for each number."
        raise ShapeError(f"{loss}: input {wanted} and target {have} differ in shape; {remedy}")
    return target


def probabilities(loss: str, input: Any, target: Any, axis: int | None = None) -> Any:
    """A target of probabilities: from 0 to 1, and, along `axis`, with the sum 1.

    A thousandth more or less passes: it is rounding, or a finite difference.
    """
    target = like(loss, input, target)
    p = as_array(target)
    outside = ~((p >= -1e-3) & (p <= 1.001))  # and nan
    if outside.any():
        remedy = "for labels -1 and +1 use (y + 1) / 2, or hinge_loss" if (np.abs(p) == 1).all() else "from 0 to 1"
        raise ValueError(f"{loss}: the target has {p[outside].flat[0]:.6g}; it holds probabilities, {remedy}.")
    if axis is not None and p.size:
        far = abs((totals := p.sum(axis=axis)) - 1.0) > 1e-3
        if far.any():
            total = totals[far].flat[0]
            raise ValueError(
                f"{loss}: the probabilities of an example add up to {total:.6g}, not 1; for several classes at once "
                "use binary_cross_entropy_with_logits."
            )
    return target


def at_least_zeros(loss: str, name: str, weight: Any, dtype: Any = None) -> Any:
    """Weights as an array of finite numbers of at least 0."""
    if not is_raw(weight):
        raise DtypeError(f"{loss}: {name} is a raw array, which no gradient reaches: pass {name}.data.")
    weight = floats(f"{loss}: {name}", weight, dtype)
    bad = ~((weight >= 0) & (weight < np.inf))
    if bad.any():
        raise ValueError(f"{loss}: {name} has {weight[bad].flat[0]:.6g}; weights are finite and at least 0.")
    return weight


def factors(loss: str, name: str, weight: Any, input: Any) -> Any:
    """Weights as an array in the input's dtype: numbers of at least 0 that broadcast to the input's shape."""
    weight, shape = at_least_zeros(loss, name, weight, float_type(input)), shape_of(input)
    if weight.ndim > len(shape) or any(n not in (1, m) for n, m in zip(weight.shape[::-1], shape[::-1], strict=False)):
        raise ShapeError(f"{loss}: {name} {weight.shape} doesn't broadcast to the input's shape {shape}.")
    return weight


def class_weights(loss: str, weight: Any, rows: Any) -> Any:
    """A factor per class for scores (examples, classes)."""
    wanted = shape_of(rows)[1:]
    if shape_of(weight) != wanted:
        raise ShapeError(f"{loss}: weight has shape {shape_of(weight)}; one number per class is {wanted}.")
    return factors(loss, "weight", weight, rows)


def float_type(x: Any) -> Any:
    """float32 for what is float32, so that it stays that."""
    return np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64


def floats(what: str, x: Any, dtype: Any = None) -> Any:
    """Raw numbers as an array of floats, of the given dtype or their own."""
    array = as_array(x)
    if array.dtype.kind not in "iubf":
        raise DtypeError(f"{what} holds {array.dtype}, not numbers.")
    return array.astype(dtype or (array.dtype if array.dtype == np.float32 else np.float64), copy=False)


# ---------------------------------------------------------------------------------------------------------- reductions
def reduce(loss: str, each: Any, reduction: str) -> Any:
    """One number of many losses: their mean or sum, or all of them."""
    check_options(loss, reduction=reduction)
    if reduction == "mean":
        if 0 in shape_of(each):
            raise ShapeError(f"{loss}: the batch is empty.")
        return mean(each)
    return sum(each) if reduction == "sum" else each


def total_of(weight: Any) -> Any:
    total = weight.sum()
    return total if is_value(total) else float(total)


def reduce_examples(loss: str, each: Any, weight: Any, kept: Any, reduction: str, shape: tuple[int, ...]) -> Any:
    """As `reduce`, for one loss per label of an array of `shape`; those that are not `kept` are 0.

    The mean is the sum over the sum of the kept examples' weights; of none, it is 0 / 0 = nan, as in PyTorch.
    """
    if kept is not None:
        each = select(kept, each)
        weight = kept if weight is None else kept * weight
    if reduction == "mean" and weight is not None and weight.size:
        return divide(sum(each), total_of(weight))
    each = reduce(loss, each, reduction)
    return reshape(each, shape) if reduction == "none" and len(shape) != 1 else each
