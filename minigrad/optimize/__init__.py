"""Optimisation that is more than a step on parameters: Newton, line searches, conjugate gradients, constraints.

Every method takes a function of one argument as `mg.grad` does, a start, and returns an `OptimizeResult`.  Read
`gradient_descent` first; `newton` shows what curvature is good for, `lagrangian_solve` what constraints do.

>>> from minigrad import optimize
>>> optimize.newton(lambda x: (x - 3.0) ** 2, 0.0).x
3.0
"""

from .conjugate import conjugate_gradient, newton_cg
from .constrained import least_squares_ball, onto_ball, onto_box, projected_gradient
from .critical import classify_critical_point
from .descent import gradient_descent
from .interface import minimize
from .lagrange import KKTResidual, kkt_residual, lagrangian_solve
from .newton_methods import newton, newton_root, saddle_free_newton
from .result import OptimizeResult
from .steps import exact_step, line_search

__all__ = [
    "OptimizeResult", "gradient_descent", "exact_step", "line_search", "newton", "newton_root", "saddle_free_newton",
    "conjugate_gradient", "newton_cg", "classify_critical_point", "projected_gradient", "onto_ball", "onto_box",
    "least_squares_ball", "lagrangian_solve", "KKTResidual", "kkt_residual", "minimize",
]  # fmt: skip
