"""Constraints that are a simple set: project onto it after each step, or solve for the multiplier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import at_least_zero, number, whole
from ..convert import to_data
from ..errors import DtypeError, ShapeError
from .objective import Objective
from .result import OptimizeResult

__all__ = ["least_squares_ball", "onto_ball", "onto_box", "projected_gradient"]

Projection = Callable[[Any], Any]


def projected_gradient(
    f: Callable[[Any], Any],
    x0: Any,
    project: Projection,
    *,
    step: float | None = None,
    tol: float = 1e-8,
    maxiter: int = 1000,
) -> OptimizeResult:
    """Gradient descent that returns to the feasible set after each step: x <- P(x - step · g).

    `project` maps a point to the nearest feasible one, on raw numbers: `onto_ball(1.0)`, `onto_box(low, high)`, or
    your own.  Without a `step` it is halved until f falls (Armijo).  It ends where a step of length 1 along -g comes
    back to x: ‖x - P(x - g)‖ <= tol.  Raises `ValueError` for an infeasible start.  Source: Goodfellow et al.,
    ch. 4.4; Bertsekas, "Nonlinear Programming", ch. 2.3.

    >>> projected_gradient(lambda x: (x - 3.0) ** 2, 0.0, onto_box(-1.0, 1.0)).x
    1.0
    """
    objective = Objective("projected_gradient", f, x0)
    at_least_zero("projected_gradient: tol", tol)
    whole("projected_gradient: maxiter", maxiter, least=0)
    if not callable(project):
        raise DtypeError(f"projected_gradient: project is a function, as onto_ball(1.0) gives, not {project!r:.40}.")
    if step is not None:
        at_least_zero("projected_gradient: step", step)

    def onto(x: np.ndarray) -> np.ndarray:
        nearest = np.asarray(project(objective.shaped(x.copy())), dtype=np.float64)
        if nearest.shape != objective.shape or not np.isfinite(nearest).all():
            raise ShapeError(f"projected_gradient: project returned {nearest} for an x of shape {objective.shape}.")
        return nearest.reshape(-1)

    nearest = onto(objective.start)
    away = float(np.linalg.norm(nearest - objective.start))
    if away > 1e-9 * (1.0 + float(np.linalg.norm(objective.start))):
        raise ValueError(f"projected_gradient: x0 is infeasible, {away:.3g} away from project(x0): start there.")
    path, length = [objective.start], 1.0
    while True:
        x, nit = path[-1], len(path) - 1
        with np.errstate(all="ignore"):
            fun, g = objective.value_and_gradient(x)
        if not np.isfinite(fun) or not np.isfinite(g).all():
            return objective.result(
                path, False, f"f is {fun} after {nit} steps: try shorter steps, or has f no least value?"
            )
        size = float(np.linalg.norm(x - onto(x - g)))
        if size <= tol:
            return objective.result(path, True, f"a step along -g comes back to within {size:.2g} of x.")
        if nit == maxiter:
            text = f"a step along -g still leads {size:.2g} away after maxiter={maxiter} steps."
            return objective.result(path, False, text)
        new = onto(x - (length if step is None else step) * g)
        while step is None and not objective.change(x, fun, g, new - x) <= 1e-4 * float(g @ (new - x)):
            length /= 2.0
            if length < 1e-30:
                return objective.result(path, False, "no step lowers f: is its gradient right, or is x at a kink?")
            new = onto(x - length * g)
        length = min(2.0 * length, 1e8)
        path.append(new)


def onto_ball(radius: float = 1.0) -> Projection:
    """The projection onto the ball of that radius around 0: x · min(1, radius / ‖x‖).

    >>> onto_ball(1.0)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    at_least_zero("onto_ball: radius", radius)

    def project(x: Any) -> Any:
        size = float(np.linalg.norm(x))
        return x if size <= radius else x * (radius / size)

    return project


def onto_box(low: Any, high: Any) -> Projection:
    """The projection onto low <= x <= high (numbers, or arrays that broadcast to x), entry by entry.

    >>> onto_box(0.0, [1.0, 2.0])(np.array([-1.0, 5.0]))
    array([0., 2.])
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if not (low <= high).all():
        raise ValueError(f"onto_box: low={low} exceeds high={high} somewhere: no point is in the box.")
    return lambda x: np.clip(x, low, high)


def least_squares_ball(A: Any, b: Any, radius: float = 1.0, *, tol: float = 1e-14) -> OptimizeResult:
    """min ½‖Ax - b‖² subject to xᵀx <= radius²:  x = (AᵀA + 2λI)⁻¹ Aᵀb with the least λ >= 0 that fits.

    Where pinv(A) b is in the ball it is the answer, and λ = 0.  Else λ is the root of 1/‖x(λ)‖ = 1/radius, which is
    nearly straight in λ: Newton's method from 0 needs a few steps.  `multipliers` is λ, of the Lagrangian
    ½‖Ax - b‖² + λ (xᵀx - radius²); `path` has x(λ) for each.  A (m, n), b (m,).  Source: Goodfellow et al., ch. 4.5
    (which raises λ step by step); Moré, 1978.

    >>> result = least_squares_ball([[2.0, 0.0], [0.0, 1.0]], [3.0, 5.6])
    >>> result.x.round(12), round(result.multipliers, 12)
    (array([0.6, 0.8]), 3.0)
    """
    A, b = np.asarray(to_data(A, np.float64)), np.asarray(to_data(b, np.float64))
    if A.ndim != 2 or b.shape != A.shape[:1] or not A.size:
        raise ShapeError(f"least_squares_ball: A {A.shape} and b {b.shape}; expected (m, n) and (m,).")
    if not (np.isfinite(A).all() and np.isfinite(b).all()):
        raise DtypeError("least_squares_ball: A or b has entries that are not finite.")
    if not 0.0 < number("least_squares_ball: radius", radius) < np.inf:
        raise ValueError(f"least_squares_ball: radius={radius}; it is a number above 0.")
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    c = np.where(s > s[0] * max(A.shape) * np.finfo(float).eps, s * (U.T @ b), 0.0)  # Aᵀb along each direction

    c, s, Vt = c[c != 0.0], s[c != 0.0], Vt[c != 0.0]
    lam, path = 0.0, [c / (s * s)]  # x(λ) along the right singular vectors
    while (size := float(np.linalg.norm(path[-1]))) > radius * (1.0 + tol) and len(path) < 100:
        slope = 2.0 * float(path[-1] @ (path[-1] / (s * s + 2.0 * lam)))  # of -½‖x(λ)‖²
        if (new := lam + (size / radius - 1.0) * size * size / slope) == lam:
            break
        lam = new
        path.append(c / (s * s + 2.0 * lam))
    x = np.asarray(path[-1] @ Vt)
    residual = A @ x - b
    inside = size <= radius * (1.0 + 1e-10)
    message = "the constraint is not active." if not lam else f"the constraint is active, with multiplier {lam:.6g}."
    gradient, points = A.T @ residual, np.array(path) @ Vt
    fun = 0.5 * float(residual @ residual)
    return OptimizeResult(x, fun, gradient, len(path) - 1, inside, message, points, lam)
