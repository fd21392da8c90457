"""Newton's method and what is done where the Hessian is not positive definite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import at_least_zero, number, whole
from ..convert import describe, to_data
from ..errors import GradientError, ShapeError
from ..transforms import jacobian
from ..value import Value
from .critical import kind
from .objective import Objective, Stop, iterate
from .result import OptimizeResult
from .steps import armijo

__all__ = ["newton", "newton_root", "saddle_free_newton"]


def newton(
    f: Callable[[Any], Any],
    x0: Any,
    *,
    damping: float = 0.0,
    radius: float | None = None,
    tol: float = 1e-8,
    maxiter: int = 100,
) -> OptimizeResult:
    """Newton's method: solve (H + damping · I) p = -g, x <- x + p.  One step on a quadratic, then quadratic rate.

    Undamped it goes to any point where the gradient vanishes, also to saddle points and maxima: then `success` is
    False and `message` names the kind.  `damping` must exceed the size of the most negative eigenvalue of H.  With
    `radius` each step is the best of the quadratic model within a ball around x, whose radius starts there and follows
    how well the model predicts f (a trust region): it leaves saddles.  Source: Goodfellow et al., ch. 4.3.1, 8.2.3,
    8.6.1; Nocedal and Wright, algorithm 4.1.

    >>> import numpy as np
    >>> H = np.array([[3.0, 2.0], [2.0, 3.0]])
    >>> result = newton(lambda x: 0.5 * (x @ H @ x) - x.sum(), [5.0, -7.0])
    >>> result.nit, result.x
    (1, array([0.2, 0.2]))
    """
    at_least_zero("newton: damping", damping)
    if radius is not None and not 0.0 < number("newton: radius", radius) < np.inf:
        raise ValueError(f"newton: radius={radius}; it is a number above 0.")
    if radius is not None and damping:
        raise ValueError("newton: damping and radius are two remedies for the same: give one of them.")
    objective = Objective("newton", f, x0)
    region = None if radius is None else TrustRegion(objective, radius)
    result = iterate(objective, region or (lambda x, _, g: x + damped(objective.hessian(x), g, damping)), tol, maxiter)
    return minimum_only(objective, result, "try radius=1.0 or saddle_free_newton.")


def minimum_only(objective: Objective, result: OptimizeResult, remedy: str) -> OptimizeResult:
    """The result, no longer a success where the gradient vanishes at a saddle point or a maximum."""
    if result.success:
        try:
            found = kind(np.linalg.eigvalsh(objective.hessian(np.reshape(result.x, -1))))
        except Stop as reason:  # second slopes that are infinite
            found = str(reason)
        if found in ("saddle", "maximum"):
            result.success = False
            result.message = f"the gradient vanishes at a {found}, no minimum: {remedy}"
    return result


def damped(H: np.ndarray, g: np.ndarray, damping: float) -> np.ndarray:
    """-(H + damping I)⁻¹ g, solved, not inverted."""
    if damping:
        low = float(np.linalg.eigvalsh(H)[0])
        if low + damping <= 0.0:
            raise Stop(f"H + {damping:g} I is not positive definite: damping must exceed {-low:.3g}.")
    try:
        p = np.linalg.solve(H + damping * np.eye(len(g)), -g)
    except np.linalg.LinAlgError:
        raise Stop("the Hessian is singular: try damping=, or radius=.") from None
    return p


class TrustRegion:
    """The best step of the model within a radius, which shrinks where that is wrong, grows where it is right."""

    def __init__(self, objective: Objective, radius: float) -> None:
        self.objective, self.radius = objective, radius

    def __call__(self, x: np.ndarray, fun: float, g: np.ndarray) -> np.ndarray:
        eigenvalues, V = np.linalg.eigh(self.objective.hessian(x))
        while self.radius > np.finfo(float).eps * (1.0 + np.linalg.norm(x)):
            p = V @ best_in_ball(eigenvalues, V.T @ g, self.radius)
            predicted = float(g @ p + 0.5 * (p @ V) ** 2 @ eigenvalues)
            actual = self.objective.change(x, fun, g, p)
            good = actual / predicted if np.isfinite(actual) and predicted < 0.0 else -1.0
            size = float(np.linalg.norm(p))
            if good < 0.25:
                self.radius = size / 4.0
            elif good > 0.75 and size > 0.99 * self.radius:
                self.radius *= 2.0
            if good > 0.1:
                return np.asarray(x + p)
        raise Stop("no step lowers f as its quadratic model says: is its gradient right, or is x at a kink?")


def best_in_ball(eigenvalues: np.ndarray, g: np.ndarray, radius: float) -> np.ndarray:
    """argmin gᵀp + ½ pᵀ diag(λ) p within ‖p‖ <= radius:  p = -g / (λ + μ) with the least μ >= max(0, -λmin) that fits.

    μ by bisection; in the hard case (no g along the lowest eigenvector) the rest of the radius goes there.
    """
    raised = eigenvalues + max(0.0, -float(eigenvalues[0]))  # none below 0, and the lowest exactly 0 if it was below

    def step(mu: float) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.where(g == 0.0, 0.0, -g / (raised + mu))

    p = step(0.0)
    if np.linalg.norm(p) <= radius:
        if eigenvalues[0] < 0.0:
            p[0] += np.sqrt(max(0.0, radius**2 - p @ p))
        return p
    short, long = 0.0, float(np.linalg.norm(g)) / radius + 1e-300  # with `long` the step fits
    for _ in range(200):
        middle = (short + long) / 2.0
        if np.linalg.norm(step(middle)) > radius:
            short = middle
        else:
            long = middle
        if long - short <= 1e-12 * long:
            break
    return step(long)


def saddle_free_newton(
    f: Callable[[Any], Any], x0: Any, *, damping: float = 0.0, tol: float = 1e-8, maxiter: int = 100
) -> OptimizeResult:
    """Newton's method with |H|, the Hessian with its eigenvalues made positive: p = -(|H| + damping · I)⁻¹ g.

    Along directions in which f bends down it goes down, where Newton climbs; each step is halved until f falls.
    From a point where the slope along such a direction is exactly 0 it ends at the saddle, with `success` False.
    Source: Dauphin et al., 2014, "Identifying and attacking the saddle point problem"; Goodfellow et al., ch. 8.2.3.

    >>> f = lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4.0  # a saddle at 0, minima at y = ±√2
    >>> saddle_free_newton(f, [1.0, 0.5]).x.round(8)
    array([0.        , 1.41421356])
    >>> newton(f, [1.0, 0.5]).x.round(8) + 0.0
    array([0., 0.])
    """
    at_least_zero("saddle_free_newton: damping", damping)
    objective = Objective("saddle_free_newton", f, x0)

    def step(x: np.ndarray, fun: float, g: np.ndarray) -> np.ndarray:
        eigenvalues, V = np.linalg.eigh(objective.hessian(x))
        size = np.abs(eigenvalues) + damping
        if not size.min() > 0.0:
            raise Stop("the Hessian is singular: try damping=.")
        p = -V @ ((V.T @ g) / size)
        return np.asarray(x + armijo(objective, x, fun, g, p) * p)

    result = iterate(objective, step, tol, maxiter)
    return minimum_only(objective, result, "start a little beside, or try newton with radius=1.0.")


def newton_root(F: Callable[[Any], Any], x0: Any, *, tol: float = 1e-12, maxiter: int = 100) -> OptimizeResult:
    """A root of F by Newton's method: solve J p = -F(x), x <- x + p; for one number x - F(x)/F'(x).

    `F` returns as many numbers as `x0` has.  In the result `fun` is the norm of F and `jac` its Jacobian.  Raises
    `GradientError` where F(x0) is not finite, or the Jacobian singular.

    >>> newton_root(lambda x: x * x - 2.0, 1.0).path[:4]
    array([1.        , 1.5       , 1.41666667, 1.41421569])
    """
    at_least_zero("newton_root: tol", tol)
    whole("newton_root: maxiter", maxiter, least=0)
    x = to_data(x0, np.float64)
    path = [x]
    while True:
        out = F(Value(x, requires_grad=False))
        if not isinstance(out, Value):
            raise GradientError(f"newton_root: F returned {describe(out)}; it must return numbers, as a Value.")
        value = np.asarray(out.data, dtype=np.float64)
        if value.size != np.size(x):
            raise ShapeError(f"newton_root: F returned shape {value.shape} for x {np.shape(x)}: not as many numbers.")
        size, J = float(np.linalg.norm(value)), jacobian(F)(x)
        if not np.isfinite(size):
            raise GradientError(f"newton_root: F = {value} at x = {x}, after {len(path) - 1} steps: start elsewhere.")
        found = size <= tol
        if found or len(path) > maxiter:
            message = f"the norm of F is {size:.2g}, after {len(path) - 1} steps."
            return OptimizeResult(x, size, J, len(path) - 1, found, message, np.array(path))
        try:
            p = np.linalg.solve(np.reshape(J, (value.size, value.size)), -value.reshape(-1))
        except np.linalg.LinAlgError:
            raise GradientError(f"newton_root: the Jacobian is singular at x = {x}: start elsewhere.") from None
        x = x + (p.reshape(value.shape) if np.shape(x) else float(p[0]))
        path.append(x)
