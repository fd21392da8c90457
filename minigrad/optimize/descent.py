"""Gradient descent: the simplest method, and the file to read first.

>>> from minigrad.optimize import gradient_descent
>>> bowl = lambda x: x[0] ** 2 + 5.0 * x[1] ** 2
>>> result = gradient_descent(bowl, [3.0, 1.0], step=0.1)
>>> result.success, result.nit
(True, 91)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import at_least_zero
from .objective import Objective, Step, iterate
from .result import OptimizeResult
from .steps import armijo, exact

__all__ = ["gradient_descent"]


def gradient_descent(
    f: Callable[[Any], Any], x0: Any, step: float | str = "backtracking", *, tol: float = 1e-8, maxiter: int = 1000
) -> OptimizeResult:
    """Steepest descent: x <- x - step · g, until the gradient's norm is at most `tol`.

    `step` is a number, "exact" (the best step of the quadratic model, `exact_step`) or "backtracking" (halved until f
    falls enough, `line_search`).  `f` takes x as `mg.grad` hands it over, a `Value` of the shape of `x0`, and returns
    one number.  `success` speaks of the slope only: a start exactly on a saddle's ridge can end at the saddle (see
    `classify_critical_point`).  Raises `GradientError` where f or its gradient at `x0` is no finite number.  Source:
    Goodfellow et al., ch. 4.3.

    >>> gradient_descent(lambda x: (x - 3.0) ** 2, 0.0, step=0.5).x
    3.0
    """
    objective = Objective("gradient_descent", f, x0)
    return iterate(objective, rule(objective, step), tol, maxiter)


def rule(objective: Objective, step: float | str) -> Step:
    if step == "exact":
        return lambda x, fun, g: x - exact(objective, x, g, -g) * g
    if step == "backtracking":
        return lambda x, fun, g: x - armijo(objective, x, fun, g, -g) * g
    if isinstance(step, str):
        raise ValueError(f'{objective.name}: step="{step}"; it is a number, "exact" or "backtracking".')
    length = float(at_least_zero(f"{objective.name}: step", step))
    return lambda x, fun, g: np.asarray(x - length * g)
