"""General bounds and constraints: SciPy's solvers, with our gradients and Hessian-vector products."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MissingExtraError
from ..transforms import hvp, jacobian
from ..value import Value
from .objective import Objective, made_of_x
from .result import OptimizeResult

__all__ = ["minimize"]

HESSIAN = ("dogleg", "trust-exact")
PRODUCTS = ("Newton-CG", "trust-ncg", "trust-krylov", "trust-constr")
NO_GRADIENT = ("Nelder-Mead", "Powell", "COBYLA", "COBYQA")


def minimize(
    f: Callable[[Any], Any],
    x0: Any,
    *,
    bounds: Any = None,
    constraints: Any = (),
    method: str | None = None,
    tol: float | None = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """`scipy.optimize.minimize` with the derivatives that minigrad finds: nothing to derive by hand.

    `f` takes x as `mg.grad` hands it over, in the shape of `x0`.  Methods that use second derivatives get
    Hessian-vector products (or the Hessian).  Of `constraints` as SciPy takes them, the functions of dicts,
    {"type": "ineq", "fun": c} for c(x) >= 0 (note the sign) or "eq" for c(x) = 0, and of `NonlinearConstraint` are
    differentiated, too.  Bounds and constraints count the entries of x flat.  Needs SciPy: raises `MissingExtraError`
    without.

    >>> rosenbrock = lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2
    >>> minimize(rosenbrock, [-1.2, 1.0], bounds=[(-2.0, 0.5), (-2.0, 2.0)]).x.round(6)
    array([0.5 , 0.25])
    """
    solvers = scipy_optimize()
    objective = Objective("minimize", f, x0)
    names = {name.lower(): name for name in (*HESSIAN, *PRODUCTS, *NO_GRADIENT)}
    known = names.get(str(method).lower())
    derivatives: dict[str, Any] = {} if known in NO_GRADIENT else {"jac": True}
    if known in HESSIAN:
        derivatives["hess"] = objective.hessian
    elif known in PRODUCTS:
        derivatives["hessp"] = objective.product
    path = [objective.start]

    def keep(xk: np.ndarray, *state: Any) -> None:
        path.append(np.array(xk))

    found = solvers.minimize(
        objective.value_and_gradient if derivatives else objective.value,
        objective.start,
        method=method,
        bounds=bounds,
        constraints=[differentiated(objective, c, solvers) for c in listed(constraints)],
        tol=tol,
        options=options,
        callback=keep,
        **derivatives,
    )
    if not np.array_equal(path[-1], found.x):
        path.append(np.array(found.x))
    result = objective.result(path, bool(found.success), str(found.message))
    result.nit = int(getattr(found, "nit", result.nit))
    return result


def listed(constraints: Any) -> list[Any]:
    return list(constraints) if isinstance(constraints, (list, tuple)) else [constraints]


def differentiated(objective: Objective, constraint: Any, solvers: Any) -> Any:
    """The constraint on flat raw vectors, with its Jacobian (and Hessian) by minigrad; linear ones as they are."""
    if isinstance(constraint, dict):
        if "jac" in constraint or "args" in constraint or "fun" not in constraint:
            return constraint
        made_of_x("minimize", "constraint", constraint["fun"], objective.shaped(objective.start))
        return {**constraint, "fun": raw(objective, constraint["fun"]), "jac": slopes(objective, constraint["fun"])}
    if not isinstance(constraint, solvers.NonlinearConstraint):
        return constraint
    c = constraint.fun
    made_of_x("minimize", "constraint", c, objective.shaped(objective.start))

    def bend(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The Hessian of vᵀc, column by column."""
        weighted = lambda x: (c(x).reshape(-1) * v).sum()  # noqa: E731
        columns = [hvp(weighted, objective.shaped(x), objective.shaped(e)) for e in np.eye(x.size)]
        return np.reshape(columns, (x.size, x.size))

    return solvers.NonlinearConstraint(
        raw(objective, c),
        constraint.lb,
        constraint.ub,
        jac=slopes(objective, c),
        hess=bend,
        keep_feasible=constraint.keep_feasible,
    )


def raw(objective: Objective, c: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    def numbers(x: np.ndarray) -> np.ndarray:
        out = c(Value(objective.shaped(x), requires_grad=False))
        return np.reshape(out.data if isinstance(out, Value) else out, -1)

    return numbers


def slopes(objective: Objective, c: Callable[[Any], Any]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.reshape(jacobian(c)(objective.shaped(x)), (-1, x.size))


def scipy_optimize() -> Any:
    try:
        return importlib.import_module("scipy.optimize")
    except ImportError as error:
        raise MissingExtraError('minimize needs SciPy: pip install "minigrad-engine[scipy]"') from error
