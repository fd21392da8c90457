"""The second-derivative test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import at_least_zero
from ..errors import GradientError
from .objective import Objective, Stop

__all__ = ["classify_critical_point", "kind"]


def classify_critical_point(f: Callable[[Any], Any], x: Any, *, tol: float = 1e-6) -> str:
    """What kind of point x is, by the signs of the Hessian's eigenvalues.

    "minimum" where all are positive, "maximum" where all are negative, "saddle" where there are some of both; else
    "inconclusive": the test says nothing where the curvature is zero along some direction and nowhere of two signs.
    Of n eigenvalues those count as zero that are rounding beside the largest, up to 100 n ε |λ|.  Raises
    `GradientError` where the gradient's norm exceeds `tol`: then x is no critical point.  Source: Goodfellow et al.,
    ch. 4.3.1.

    >>> classify_critical_point(lambda x: x[0] ** 2 - x[1] ** 2, [0.0, 0.0])
    'saddle'
    >>> classify_critical_point(lambda x: x**3, 0.0)
    'inconclusive'
    """
    at_least_zero("classify_critical_point: tol", tol)
    objective = Objective("classify_critical_point", f, x)
    size = np.linalg.norm(objective.value_and_gradient(objective.start)[1])
    if size > tol:
        raise GradientError(
            f"classify_critical_point: the gradient at x has norm {size:.3g}, above tol={tol:g}: x is no critical "
            "point; find one with newton(f, x)."
        )
    try:
        return kind(np.linalg.eigvalsh(objective.hessian(objective.start)))
    except Stop as reason:
        raise GradientError(f"classify_critical_point: {reason}") from None


def kind(eigenvalues: np.ndarray) -> str:
    """The kind of a critical point from the eigenvalues of its Hessian."""
    zero = 100.0 * eigenvalues.size * np.finfo(float).eps * np.abs(eigenvalues).max()
    up, down = eigenvalues > zero, eigenvalues < -zero
    if up.any() and down.any():
        return "saddle"
    return "minimum" if up.all() else "maximum" if down.all() else "inconclusive"
