"""Gradient clipping: what is done to gradients between `loss.backward()` and `optimizer.step()`.

>>> from minigrad import Value
>>> a, b = Value([1.0, 1.0]), Value([1.0])
>>> (3.0 * a[0] + 4.0 * b).sum().backward()
>>> clip_grad_norm_([a, b], max_norm=1.0)  # the norm before
5.0
>>> a.grad.round(6), b.grad.round(6)
(array([0.6, 0. ]), array([0.8]))
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..arguments import at_least_zero, number
from ..errors import DtypeError, GradientError
from ..recorded import on_gradients
from ..value import Value

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]


@on_gradients
def clip_grad_norm_(
    parameters: Value | Iterable[Value], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one factor, so that together they are no longer than `max_norm`; return their norm before.

    The factor is max_norm / (norm + 1e-6), as in PyTorch, and gradients that are shorter stay untouched: the direction
    never changes.  Parameters without a gradient are passed over.  With `error_if_nonfinite` a norm of inf or nan
    raises `GradientError` and changes nothing; without it the gradients become 0 and nan.  An infinite
    `max_norm` only measures.
    Source: Goodfellow et al., ch. 10.11.1.
    """
    if max_norm != math.inf:
        at_least_zero("clip_grad_norm_: max_norm", max_norm)
    found = with_gradient("clip_grad_norm_", parameters)
    norm = get_total_norm([p.grad for p in found], norm_type)
    if error_if_nonfinite and not math.isfinite(norm):
        raise GradientError(
            f"clip_grad_norm_: the gradients' norm is {norm}, so it cannot be clipped. "
            "mg.detect_anomaly() finds the gate it came from."
        )
    if max_norm != math.inf:
        scale(found, max_norm / (norm + 1e-6))
    return norm


@on_gradients
def clip_grad_value_(parameters: Value | Iterable[Value], clip_value: float) -> None:
    """Limit every number of the gradients to [-clip_value, clip_value], each for itself: the direction may change."""
    limit = at_least_zero("clip_grad_value_: clip_value", clip_value)
    for p in with_gradient("clip_grad_value_", parameters):
        p.grad = np.clip(p.grad, -limit, limit) if np.ndim(p.grad) else clamp(p.grad, limit)


def get_total_norm(gradients: Iterable[Any], norm_type: float = 2.0) -> float:
    """The length of all arrays together, (Σ |x|^p)^(1/p) with p = `norm_type`; inf is the largest number; 0 of nothing.

    >>> get_total_norm([np.array([3.0, 0.0]), 4.0])
    5.0
    """
    if not number("get_total_norm: norm_type", norm_type) > 0:
        raise ValueError(f"get_total_norm: norm_type={norm_type}; it is a number above 0, or inf.")
    flat = np.concatenate([np.zeros(1), *[np.ravel(g) for g in gradients]], dtype=np.float64)
    with np.errstate(over="ignore", under="ignore"):
        norm = float(np.linalg.norm(flat, norm_type))
    if 1e-140 < norm < math.inf or norm != norm:
        return norm
    size = float(np.abs(flat).max())  # squares of 1e200 are inf, of 1e-200 they are 0: divide before
    return size * float(np.linalg.norm(flat / size, norm_type)) if 0.0 < size < math.inf else size


def scale(parameters: list[Value], factor: float) -> None:
    """Multiply all gradients by `factor`, unless it is 1 or more."""
    if not factor >= 1.0:
        with np.errstate(invalid="ignore"):
            for p in parameters:
                p.grad = p.grad * factor


def with_gradient(function: str, parameters: Value | Iterable[Value]) -> list[Value]:
    """The parameters that have a gradient."""
    if isinstance(parameters, Value):
        parameters = [parameters]
    if hasattr(parameters, "parameters") or not isinstance(parameters, Iterable):
        raise DtypeError(f"{function}: parameters is a list of Values: use model.parameters().")
    found = list(parameters)
    for i, p in enumerate(found):
        if not isinstance(p, Value):
            raise DtypeError(f"{function}: parameter {i} is {type(p).__name__}, not a Value.")
    return [p for p in found if p.grad is not None]


def clamp(x: float, limit: float) -> float:
    return x if x != x else max(-limit, min(limit, x))
