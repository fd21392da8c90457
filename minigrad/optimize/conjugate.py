"""Conjugate gradients, which need Hessian-vector products but no Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .objective import Objective, Stop, iterate
from .result import OptimizeResult
from .steps import armijo, exact

__all__ = ["conjugate_gradient", "newton_cg"]


def conjugate_gradient(f: Callable[[Any], Any], x0: Any, *, tol: float = 1e-8, maxiter: int = 1000) -> OptimizeResult:
    """Conjugate gradients: d <- -g + β d with β = max(0, gᵀ(g - g_old) / g_oldᵀg_old) (Polak-Ribière), x <- x + t d.

    t is the exact step of the quadratic model, from one Hessian-vector product, and halved until f falls.  A quadratic
    of n variables is solved in at most n steps; where it is ill conditioned, rounding adds some, or ends the run early
    with `success` False.  `success` speaks of the slope only, as in `gradient_descent`.
    Source: Goodfellow et al., ch. 8.6.2; Nocedal and Wright, ch. 5.

    >>> import numpy as np
    >>> H = np.array([[3.0, 2.0], [2.0, 3.0]])
    >>> result = conjugate_gradient(lambda x: 0.5 * (x @ H @ x) - x.sum(), [5.0, -7.0])
    >>> result.nit, result.x
    (2, array([0.2, 0.2]))
    """
    objective = Objective("conjugate_gradient", f, x0)
    d_old, g_old = np.zeros_like(objective.start), np.ones_like(objective.start)

    def step(x: np.ndarray, fun: float, g: np.ndarray) -> np.ndarray:
        nonlocal d_old, g_old
        d = -g + max(0.0, float(g @ (g - g_old) / (g_old @ g_old))) * d_old
        if g @ d >= 0.0:  # the memory misleads: begin anew
            d = -g
        try:
            best = exact(objective, x, g, d)
        except Stop:  # f bends down along d: any step lowers the model
            best = 1.0
        d_old, g_old = d, g
        return np.asarray(x + armijo(objective, x, fun, g, d, step=best) * d)

    return iterate(objective, step, tol, maxiter)


def newton_cg(f: Callable[[Any], Any], x0: Any, *, tol: float = 1e-8, maxiter: int = 100) -> OptimizeResult:
    """Newton's method whose equation H p = -g is solved by conjugate gradients on Hessian-vector products.

    The solution is stopped early far from the minimum, and where a direction is found along which f bends down; steps
    are halved until f falls.  Memory is of the order of x, never of the Hessian, so `success` speaks of the slope
    only, as in `gradient_descent`.  Source: Nocedal and Wright, algorithm 7.1.

    >>> rosenbrock = lambda x: 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2
    >>> newton_cg(rosenbrock, [-1.2, 1.0]).x.round(8)
    array([1., 1.])
    """
    objective = Objective("newton_cg", f, x0)

    def step(x: np.ndarray, fun: float, g: np.ndarray) -> np.ndarray:
        size = float(np.linalg.norm(g))
        p = solve_cg(lambda v: objective.product(x, v), -g, min(0.5, np.sqrt(size)) * size)
        return np.asarray(x + armijo(objective, x, fun, g, p) * p)

    return iterate(objective, step, tol, maxiter)


def solve_cg(product: Callable[[np.ndarray], np.ndarray], b: np.ndarray, tol: float) -> np.ndarray:
    """H p = b by at most 2n products, up to a residual of `tol` or until a direction d has dᵀHd <= 0."""
    p, r = np.zeros_like(b), b.copy()
    d = r.copy()
    for _ in range(2 * b.size):
        Hd = product(d)
        bend = d @ Hd
        if not bend > 0.0:
            return p if p.any() else d
        t = (r @ r) / bend
        p = p + t * d
        r_new = r - t * Hd
        if np.linalg.norm(r_new) <= tol:
            break
        d = r_new + (r_new @ r_new) / (r @ r) * d
        r = r_new
    return p
