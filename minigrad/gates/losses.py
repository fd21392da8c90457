"""Losses as gates: each a few gates in one, because its derivative is shorter than theirs."""

from __future__ import annotations

from builtins import sum as add_up
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import select
from .exponential import expm1
from .reductions import softmax, sum_along, top
from .registry import call, row
from .selection import where

__all__ = ["hinge", "negative_log_softmax", "sum_of_squares"]

LABELS = np.array([2, 0, 2, 1])
SIGNS = np.array([1.0, -1.0, 1.0])


def with_labels(x: Any, labels: Any, numbers: Any) -> Any:
    """x with other numbers at the rows' labels; a raw array, which must be new, is written into."""
    if isinstance(x, np.ndarray):
        x[np.arange(len(labels)), labels] = numbers
        return x
    return where(labels[:, None] == np.arange(shape_of(x)[1]), numbers[..., None], x)


def total_of_squares(*xs: Any) -> Any:
    return add_up([np.vdot(x, x) for x in xs])


def cost_of_labels(scores: Any, labels: Any) -> Any:
    if shape_of(scores)[:-1] != shape_of(labels) or len(shape_of(scores)) != 2:
        raise ValueError("needs scores of shape (examples, classes) and a label for each example.")
    classes = shape_of(scores)[1]
    if len(labels) and labels.astype(np.uint64).max() >= classes:  # negative ones turn into very large ones
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise IndexError(f"the label {wrong} is none of the classes 0 to {classes - 1}.")
    at, shifted = (np.arange(len(labels)), labels), scores - top(scores, 1)
    own, e = shifted[at], np.exp(shifted)
    if isinstance(e, np.ndarray):
        e[at] = 0.0
    else:  # while the rule is written down
        e = np.where(labels[:, None] == np.arange(classes), 0.0, e)
    return np.log1p(sum_along(e, axis=1) + np.expm1(own)) - own  # near 0, all digits are the others'


def error_of_labels(out: Any, scores: Any, labels: Any) -> Any:
    """p - onehot(label), where p - 1 is expm1(-loss): the others' share is not lost beside a 1."""
    return with_labels(softmax(scores, axis=1), labels, expm1(-out))


hinge = row(  # max(0, 1 - label * score): a margin that is met passes nothing
    "hinge",
    lambda score, label: np.maximum(1.0 - label * score, 0.0),
    local=[lambda out, score, label: select(out > 0, -label), lambda out, score, label: select(out > 0, -score)],
    domain=[call((3,), SIGNS), call((2, 3), SIGNS)],
)
negative_log_softmax = row(  # -log p[label] of each row of scores; its gradient is p - onehot(label)
    "negative_log_softmax",
    cost_of_labels,
    vjp=[
        lambda g, out, scores, labels: g[..., None] * error_of_labels(out, scores, labels),
        None,
    ],
    symbol="-log p",
    leading=True,
    domain=[call((4, 3), LABELS)],
)
sum_of_squares = row(  # the L2 penalty of many parameters at once: sum_of_squares([W, b, ...])
    "sum_of_squares",
    total_of_squares,
    vjp=lambda g, out, *xs: tuple([(2.0 * g) * x for x in xs]),
    symbol="Σx²",
    domain=[call((2, 3), (4,), ())],
)
