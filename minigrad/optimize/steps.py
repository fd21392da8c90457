"""How far to go along a direction: the exact step of the quadratic model, and backtracking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import number
from ..convert import to_data
from ..errors import GradientError, ShapeError
from .objective import Objective, Stop

__all__ = ["armijo", "exact", "exact_step", "line_search"]


def exact_step(f: Callable[[Any], Any], x: Any, direction: Any = None) -> float:
    """The best step along `direction` d if f were the quadratic that it resembles at x: -gᵀd / dᵀHd.

    Exact for quadratics.  Without a direction it is that of steepest descent, d = -g, and the step gᵀg / gᵀHg lies
    between 1/λmax and 1/λmin.  Raises `GradientError` where f doesn't bend upwards along d.  Source: Goodfellow et
    al., ch. 4.3.1.

    >>> import numpy as np
    >>> H = np.array([[3.0, 2.0], [2.0, 3.0]])
    >>> exact_step(lambda x: 0.5 * (x @ H @ x), [1.0, 0.0])  # 13/63
    0.20634920634920634
    """
    objective = Objective("exact_step", f, x)
    g = objective.value_and_gradient(objective.start)[1]
    try:
        return exact(objective, objective.start, g, along(objective, direction, g))
    except Stop as reason:
        raise GradientError(f"exact_step: {reason}") from None


def line_search(
    f: Callable[[Any], Any],
    x: Any,
    direction: Any = None,
    *,
    step: float = 1.0,
    shrink: float = 0.5,
    decrease: float = 1e-4,
) -> float:
    """Backtracking: the first of step, step·shrink, step·shrink², ... for which f falls enough (Armijo).

    Enough is f(x + t d) <= f(x) + decrease · t gᵀd.  Without a `direction` it is d = -g.  Raises `GradientError` where
    d doesn't lead down, or no step does.  Source: Nocedal and Wright, algorithm 3.1.

    >>> line_search(lambda x: x**4, 1.0)  # 1 - 4t: t=1 leads to -3, t=0.5 to -1, both no lower; t=0.25 to 0
    0.25
    """
    for name, setting in {"step": step, "shrink": shrink, "decrease": decrease}.items():
        number(f"line_search: {name}", setting)
    if not (step > 0.0 and 0.0 < shrink < 1.0 and 0.0 < decrease < 1.0):
        raise ValueError(
            f"line_search: step={step}, shrink={shrink}, decrease={decrease}; step is above 0, the others are between "
            "0 and 1."
        )
    objective = Objective("line_search", f, x)
    fun, g = objective.value_and_gradient(objective.start)
    d = along(objective, direction, g)
    try:
        return armijo(objective, objective.start, fun, g, d, step, shrink, decrease)
    except Stop as reason:
        raise GradientError(f"line_search: {reason}") from None


def exact(objective: Objective, x: np.ndarray, g: np.ndarray, d: np.ndarray) -> float:
    """-gᵀd / dᵀHd by one Hessian-vector product."""
    bend = float(d @ objective.product(x, d))
    if not bend > 0.0:
        raise Stop(f"f doesn't bend upwards along the direction (dᵀHd = {bend:.3g}), so that no step is best.")
    return float(-(g @ d)) / bend


def armijo(
    objective: Objective,
    x: np.ndarray,
    fun: float,
    g: np.ndarray,
    d: np.ndarray,
    step: float = 1.0,
    shrink: float = 0.5,
    decrease: float = 1e-4,
) -> float:
    """The first of step, step·shrink, ... along d for which f falls enough."""
    slope = float(g @ d)
    if not slope < 0.0:
        raise Stop(f"the direction doesn't lead down (gᵀd = {slope:.3g}).")
    while step * np.abs(d).max() > np.finfo(float).eps * 1e-2 * (1.0 + np.abs(x).max()):
        if objective.change(x, fun, g, step * d) <= decrease * step * slope:
            return step
        step *= shrink
    raise Stop("no step along the direction lowers f: is its gradient right, or is x at a kink?")


def along(objective: Objective, direction: Any, g: np.ndarray) -> np.ndarray:
    """The direction as a flat vector; steepest descent if there is none."""
    if direction is None:
        return -g
    d = np.asarray(to_data(direction), dtype=np.float64)
    if d.shape != objective.shape:
        raise ShapeError(f"{objective.name}: the direction has shape {d.shape}, x {objective.shape}.")
    return d.reshape(-1)
