"""What all methods share: `f` as a function of a flat vector, and the loop around one rule for a step."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..arguments import at_least_zero, whole
from ..convert import describe, to_data
from ..errors import DtypeError, GradientError, ShapeError
from ..transforms import hessian, hvp, value_and_grad, vjp
from ..value import Value
from .result import OptimizeResult

__all__ = ["Objective", "Stop", "iterate", "made_of_x"]

Step = Callable[[np.ndarray, float, np.ndarray], np.ndarray]  # (x, f(x), gradient) -> the next x


class Stop(GradientError):
    """Ends a run that can't go on; its text becomes the message of the result."""


class Objective:
    """`f` and its derivatives as functions of a flat vector (n,) of float64, whatever the shape of `x0`.

    Raises `GradientError` where f(x0) is not one finite number that depends on x as a `Value`.
    """

    def __init__(self, name: str, f: Callable[[Any], Any], x0: Any) -> None:
        self.name, self.f = name, f
        data = np.asarray(to_data(x0, np.float64), dtype=np.float64)
        if not data.size:
            raise ShapeError(f"{name}: x0 is empty, of shape {data.shape}: there is nothing to choose.")
        self.shape, self.start = data.shape, data.reshape(-1).copy()
        if not np.isfinite(self.start).all():
            raise GradientError(f"{name}: x0 has entries that are not finite: {describe(x0)}.")
        made_of_x(name, "f", f, self.shaped(self.start))
        with np.errstate(all="ignore"):
            fun, slope = self.value_and_gradient(self.start)
        if not np.isfinite(fun) or not np.isfinite(slope).all():
            raise GradientError(
                f"{name}: f(x0) = {fun}, its gradient {slope if slope.size < 9 else slope.shape}: "
                "start where both are finite."
            )

    def shaped(self, x: np.ndarray) -> Any:
        """The vector as `f` takes it: a float, or an array in the shape of `x0`."""
        return x.reshape(self.shape) if self.shape else float(x[0])

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        fun, slope = value_and_grad(self.f)(self.shaped(x))
        return float(np.asarray(fun).item()), np.array(slope, dtype=np.float64).reshape(-1)

    def value(self, x: np.ndarray) -> float:
        out = self.f(Value(self.shaped(x), requires_grad=False))
        return float(np.asarray(out.data if isinstance(out, Value) else out).item())

    def change(self, x: np.ndarray, fun: float, g: np.ndarray, move: np.ndarray) -> float:
        """f(x + move) - f(x), from the slopes at both ends where rounding hides the difference."""
        with np.errstate(all="ignore"):  # outside its domain f is nan or inf
            difference = self.value(x + move) - fun
            if abs(difference) <= 1e-10 * abs(fun) + 1e-15:
                return float((g + self.value_and_gradient(x + move)[1]) @ move) / 2.0
        return difference

    def hessian(self, x: np.ndarray) -> np.ndarray:
        H = np.asarray(hessian(self.f)(self.shaped(x)), dtype=np.float64).reshape(x.size, x.size)
        if not np.isfinite(H).all():
            raise Stop(f"the Hessian at {self.shaped(x)} has entries that are not finite.")
        return (H + H.T) / 2.0  # symmetric to the last digit

    def product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The Hessian at x times v, without the Hessian."""
        return np.asarray(hvp(self.f, self.shaped(x), self.shaped(v)), dtype=np.float64).reshape(-1)

    def result(self, path: list[np.ndarray], success: bool, message: str, multipliers: Any = None) -> OptimizeResult:
        """The end of a path, as the user gets it."""
        x = path[-1]
        with np.errstate(all="ignore"):
            fun, slope = self.value_and_gradient(x)
        points = np.array(path).reshape(-1, *self.shape)
        shown = self.shaped(x.copy()), self.shaped(slope)
        return OptimizeResult(shown[0], fun, shown[1], len(path) - 1, success, message, points, multipliers)


def made_of_x(name: str, what: str, f: Any, x: Any) -> Value:
    """f(x), after checking that `f` is a function whose result depends on x as a `Value`; errors call it `what`."""
    if not callable(f):
        raise DtypeError(f"{name}: {what} is a function of x, not {describe(f)}.")
    outs: list[Any] = []

    @wraps(f)
    def watched(x: Any) -> Any:
        outs.append(f(x))
        return outs[-1]

    with np.errstate(all="ignore"):
        vjp(watched, x)
    if isinstance(outs[0], (list, tuple, dict)):
        raise GradientError(f"{name}: {what} returned a {type(outs[0]).__name__}: make one Value of it, by mg.stack.")
    if not isinstance(outs[0], Value) or not outs[0].requires_grad:
        raise GradientError(
            f"{name}: {what}(x0) is {describe(outs[0])}, a constant: write {what} with operators and mg's functions of "
            "x, not with .data, float(x) or math."
        )
    return outs[0]


def iterate(objective: Objective, step: Step, tol: float, maxiter: int) -> OptimizeResult:
    """x <- step(x, f(x), g) until the gradient's norm is at most `tol`: every method is one such rule."""
    at_least_zero(f"{objective.name}: tol", tol)
    whole(f"{objective.name}: maxiter", maxiter, least=0)
    path = [objective.start]
    while True:
        x, nit = path[-1], len(path) - 1
        with np.errstate(all="ignore"):  # a run that diverges is answered by its result
            fun, slope = objective.value_and_gradient(x)
            size = float(np.linalg.norm(slope))
            if not np.isfinite(fun) or not np.isfinite(size):
                return objective.result(
                    path, False, f"f is {fun} after {nit} steps: try shorter steps, or has f no least value?"
                )
            if size <= tol:
                return objective.result(path, True, f"the gradient's norm, {size:.2g}, is at most tol={tol:g}.")
            if nit == maxiter:
                text = f"the gradient's norm is still {size:.2g} after maxiter={maxiter} steps."
                return objective.result(path, False, text)
            try:
                path.append(step(x, fun, slope))
            except Stop as reason:
                return objective.result(path, False, str(reason))
