"""Constraints by Lagrange multipliers: the Karush-Kuhn-Tucker conditions, measured and solved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import at_least_zero, whole
from ..convert import to_data
from ..errors import GradientError, ShapeError
from ..gates import concatenate, minimum, reshape
from ..transforms import grad, hessian, jacobian
from ..value import Value
from .objective import Objective, made_of_x
from .result import OptimizeResult

__all__ = ["KKTResidual", "kkt_residual", "lagrangian_solve"]

Function = Callable[[Any], Any]


@dataclass(frozen=True)
class KKTResidual:
    """How far each of the KKT conditions is from holding, as its largest absolute deviation; `max` is the worst.

    stationarity: ∇f + Jgᵀλ + Jhᵀα = 0; equality: g = 0; inequality: h <= 0; sign: α >= 0; complementarity: α h = 0.
    """

    stationarity: float
    equality: float
    inequality: float
    sign: float
    complementarity: float

    @property
    def max(self) -> float:
        """The largest of the five."""
        return max(self.stationarity, self.equality, self.inequality, self.sign, self.complementarity)


def kkt_residual(
    f: Function,
    x: Any,
    *,
    equality: Function | None = None,
    inequality: Function | None = None,
    lam: Any = (),
    alpha: Any = (),
) -> KKTResidual:
    """The KKT conditions of min f(x) subject to equality(x) = 0 and inequality(x) <= 0, at x with λ and α.

    The Lagrangian is f + λᵀ equality + αᵀ inequality; each constraint function returns a number or an array, and there
    is a multiplier per number.  The conditions are necessary at a minimum (where the constraints' slopes are
    independent), not sufficient.  Source: Goodfellow et al., ch. 4.4.

    >>> residual = kkt_residual(
    ...     lambda x: x.sum(), [-1.0, -1.0], equality=lambda x: (x * x).sum() - 2.0, lam=0.5)
    >>> residual.max
    0.0
    """
    problem = Problem("kkt_residual", f, x, equality, inequality)
    multipliers = [np.asarray(to_data(m, np.float64)).reshape(-1) if np.size(m) else np.zeros(0) for m in (lam, alpha)]
    sizes = [m.size for m in multipliers]
    if sizes != [problem.n_equal, problem.n_below]:
        raise ShapeError(
            f"kkt_residual: {sizes[0]} λ and {sizes[1]} α for {problem.n_equal} equality and {problem.n_below} "
            "inequality constraints: one per number that they return."
        )
    return problem.residual(problem.objective.start, *multipliers)


def lagrangian_solve(
    f: Function,
    x0: Any,
    *,
    equality: Function | None = None,
    inequality: Function | None = None,
    tol: float = 1e-10,
    maxiter: int = 100,
) -> OptimizeResult:
    """min f(x) subject to equality(x) = 0 and inequality(x) <= 0: solve the KKT conditions by Newton's method.

    The unknowns are x, λ and α, the equations ∇ₓ(f + λᵀg + αᵀh) = 0, g = 0 and min(α, -h) = 0, which says α >= 0,
    h <= 0 and α h = 0 at once; steps are halved until the residual falls.  `multipliers` is the pair (λ, α).  Where
    the point found is no minimum along the constraints, `success` is False: start elsewhere.  For small smooth
    problems, from a start nearby; larger ones are for `minimize`, which has SciPy's sign: there c(x) >= 0.  Source:
    Goodfellow et al., ch. 4.4; Nocedal and Wright, ch. 18.1.

    >>> result = lagrangian_solve(lambda x: x.sum(), [-2.0, -0.5], equality=lambda x: (x * x).sum() - 2.0)
    >>> result.x.round(10), result.multipliers[0].round(10)
    (array([-1., -1.]), array([0.5]))
    """
    at_least_zero("lagrangian_solve: tol", tol)
    whole("lagrangian_solve: maxiter", maxiter, least=0)
    problem = Problem("lagrangian_solve", f, x0, equality, inequality)
    n, start = problem.objective.start.size, problem.objective.start
    z = np.concatenate([start, problem.first_multipliers(start)])
    path, reason = [z], ""
    while not reason:
        z, size = path[-1], problem.size(path[-1])
        if size <= tol or len(path) > maxiter:
            break
        J = np.asarray(jacobian(problem.conditions)(z))
        if not np.isfinite(J).all():
            reason = "a second slope is not finite: start elsewhere."
            break
        step, t = np.linalg.lstsq(J, -np.asarray(problem.conditions(z)), rcond=None)[0], 1.0
        while not problem.size(z + t * step) <= (1.0 - 1e-4 * t) * size and t > 1e-12:
            t /= 2.0
        if t <= 1e-12:
            reason = f"no step brings the conditions, {size:.2g} from holding, nearer: start elsewhere."
        else:
            path.append(z + t * step)
    lam, alpha = problem.multipliers(z)
    residual = problem.residual(z[:n], lam, alpha).max
    success = problem.size(z) <= tol
    message = reason or f"the KKT conditions hold to {residual:.2g}."
    if not success and not reason:
        message = f"the KKT conditions are {residual:.2g} from holding after maxiter={maxiter} steps: start elsewhere."
    elif success and problem.bends_down(z):
        success, message = False, f"{message[:-1]}, but f falls along the constraints: no minimum. Start elsewhere."
    return problem.objective.result([z[:n] for z in path], success, message, (lam, alpha))


class Problem:
    """f, g and h of a flat vector z = (x, λ, α)."""

    def __init__(self, name: str, f: Function, x0: Any, equality: Function | None, inequality: Function | None) -> None:
        self.objective = Objective(name, f, x0)
        self.f, self.g, self.h = f, equality, inequality
        self.n_equal, self.n_below = self.count("equality", equality), self.count("inequality", inequality)

    def count(self, what: str, c: Function | None) -> int:
        """How many numbers a constraint returns at the start, after checking that it can be differentiated there."""
        if c is None:
            return 0
        out = made_of_x(self.objective.name, what, c, self.objective.shaped(self.objective.start))
        if not np.isfinite(out.data).all():
            raise GradientError(f"{self.objective.name}: {what}(x0) is {out.data}: start where it is finite.")
        return int(out.size)

    def split(self, z: Any) -> tuple[Any, Any, Any]:
        n, m = self.objective.start.size, self.n_equal
        x = z[:n].reshape(self.objective.shape) if self.objective.shape else z[0]
        return x, z[n : n + m], z[n + m :]

    def multipliers(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.split(z)[1], self.split(z)[2]

    def lagrangian(self, x: Any, lam: Any, alpha: Any) -> Any:
        total = self.f(x)
        if self.g is not None:
            total = total + (lam * reshape(self.g(x), -1)).sum()
        if self.h is not None:
            total = total + (alpha * reshape(self.h(x), -1)).sum()
        return total

    def conditions(self, z: Any) -> Any:
        """What is zero where the KKT conditions hold."""
        x, lam, alpha = self.split(z)
        parts = [reshape(grad(self.lagrangian)(x, lam, alpha), -1)]
        if self.g is not None:
            parts.append(reshape(self.g(x), -1))
        if self.h is not None:
            parts.append(minimum(alpha, -reshape(self.h(x), -1)))
        return concatenate(parts)

    def size(self, z: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            return float(np.linalg.norm(self.conditions(z)))

    def slopes(self, c: Function | None, x: np.ndarray) -> np.ndarray:
        """The Jacobian of a constraint, (numbers it returns, n)."""
        if c is None:
            return np.zeros((0, x.size))
        return np.asarray(jacobian(c)(self.objective.shaped(x)), dtype=np.float64).reshape(-1, x.size)

    def numbers(self, c: Function | None, x: np.ndarray) -> np.ndarray:
        if c is None:
            return np.zeros(0)
        return np.asarray(c(Value(self.objective.shaped(x))).data, dtype=np.float64).reshape(-1)

    def first_multipliers(self, x: np.ndarray) -> np.ndarray:
        """Those that make the Lagrangian's slope smallest; 0 for inequalities that are not violated, nor negative."""
        slopes = np.concatenate([self.slopes(self.g, x), self.slopes(self.h, x)])
        active = np.concatenate([np.ones(self.n_equal, bool), self.numbers(self.h, x) >= 0.0])
        found = np.zeros(len(slopes))
        g = self.objective.value_and_gradient(x)[1]
        found[active] = np.linalg.lstsq(slopes[active].T, -g, rcond=None)[0]
        found[self.n_equal :] = np.maximum(found[self.n_equal :], 0.0)
        return found

    def residual(self, x: np.ndarray, lam: np.ndarray, alpha: np.ndarray) -> KKTResidual:
        g, h = self.numbers(self.g, x), self.numbers(self.h, x)
        slope = self.objective.value_and_gradient(x)[1]
        slope = slope + self.slopes(self.g, x).T @ lam + self.slopes(self.h, x).T @ alpha
        parts = [slope, g, np.maximum(h, 0.0), np.maximum(-alpha, 0.0), alpha * h]
        return KKTResidual(*[float(np.abs(part).max(initial=0.0)) for part in parts])

    def bends_down(self, z: np.ndarray) -> bool:
        """Whether the Lagrangian bends down along a direction in which the active constraints stay as they are."""
        x, lam, alpha = z[: self.objective.start.size], *self.multipliers(z)
        H = np.asarray(hessian(self.lagrangian)(self.objective.shaped(x), lam, alpha)).reshape(x.size, x.size)
        active = np.concatenate([self.slopes(self.g, x), self.slopes(self.h, x)[alpha > 1e-8]])
        _, s, Vt = np.linalg.svd(active) if len(active) else (None, np.zeros(0), np.eye(x.size))
        free = Vt[int((s > 1e-10 * s.max(initial=0.0)).sum()) :]
        bends = np.linalg.eigvalsh(free @ H @ free.T) if len(free) else np.zeros(0)
        return bool((bends < -1e-8 * max(1.0, np.abs(H).max())).any())
