"""Losses as gates: each a few gates in one, because its derivative is shorter than theirs."""

from __future__ import annotations

from builtins import sum as add_up
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import select
from .reductions import shifted_log_softmax, softmax
from .registry import call, row

__all__ = ["hinge", "negative_log_softmax", "sum_of_squares"]

LABELS = np.array([2, 0, 2, 1])
SIGNS = np.array([1.0, -1.0, 1.0])


def one_hot(labels: Any, like: Any) -> Any:
    """1 at each row's label, 0 elsewhere."""
    out = np.zeros(shape_of(like), like.dtype)
    out[np.arange(len(labels)), labels] = 1.0
    return out


def total_of_squares(*xs: Any) -> Any:
    return add_up([np.vdot(x, x) for x in xs])


def cost_of_labels(scores: Any, labels: Any) -> Any:
    if np.ndim(scores) != 2 or np.shape(labels) != np.shape(scores)[:1]:
        raise ValueError("needs scores of shape (examples, classes) and a label for each example.")
    if np.min(labels, initial=0) < 0:
        raise IndexError(f"the label {np.min(labels)}: classes are numbered from 0.")
    return -shifted_log_softmax(scores, axis=1)[np.arange(len(labels)), labels]


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
        lambda g, out, scores, labels: g[..., None] * (softmax(scores, axis=1) - one_hot(labels, scores)),
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
