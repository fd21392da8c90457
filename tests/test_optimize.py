"""`minigrad.optimize`: the readings' numbers (tests named after the row of the sources table), SciPy's, and misuse.

Rows 6-21 are Goodfellow, Bengio and Courville, "Deep Learning", chapter 4, and 8.2; row 61 is chapter 8.6.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import optimize, theory
from minigrad.errors import DtypeError, GradientError, MinigradError, MissingExtraError, ShapeError

H = np.array([[3.0, 2.0], [2.0, 3.0]])
METHODS = {
    "gradient_descent": lambda f, x0: optimize.gradient_descent(f, x0, maxiter=5000),
    "newton": optimize.newton,
    "trust region": lambda f, x0: optimize.newton(f, x0, radius=1.0),
    "saddle_free_newton": optimize.saddle_free_newton,
    "conjugate_gradient": optimize.conjugate_gradient,
    "newton_cg": optimize.newton_cg,
    "minimize": optimize.minimize,
}


def quadratic(A: Any, b: Any = 0.0) -> Any:
    return lambda x: 0.5 * (x @ A @ x) - (b * x).sum()


def rosenbrock(x: Any) -> Any:
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def saddle(x: Any) -> Any:
    """Minima at y = ±√2 with f = -1, a saddle point at 0."""
    return x[0] ** 2 - x[1] ** 2 + x[1] ** 4 / 4.0


def positive_definite(rng: np.random.Generator, n: int) -> Any:
    B = rng.normal(size=(n, n))
    return B @ B.T / n + np.eye(n)


# ----------------------------------------------------------------------------------------- 6-8: gradient descent, steps
def test_row_06_gradient_descent_solves_least_squares(rng: np.random.Generator) -> None:
    A, b = rng.normal(size=(20, 5)), rng.normal(size=20)
    found = optimize.gradient_descent(lambda x: 0.5 * ((A @ x - b) ** 2).sum(), np.zeros(5), step=0.02, tol=1e-9)
    assert found.success
    np.testing.assert_allclose(found.x, np.linalg.lstsq(A, b)[0], rtol=0.0, atol=1e-8)


def test_row_06_it_ends_where_the_gradient_is_small() -> None:
    found = optimize.gradient_descent(quadratic(H), [1.0, 0.0], step=0.3, tol=1e-3)
    sizes = [np.linalg.norm(H @ x) for x in found.path]
    assert sizes[-1] <= 1e-3 < min(sizes[:-1])
    assert found.nit == len(found.path) - 1
    np.testing.assert_allclose(found.jac, H @ found.x, rtol=1e-12)


def test_row_07_exact_step() -> None:
    assert optimize.exact_step(quadratic(H), [1.0, 0.0]) == pytest.approx(13.0 / 63.0, rel=1e-15)
    assert 13.0 / 63.0 == 0.20634920634920634
    assert optimize.exact_step(quadratic(H), [1.0, 1.0]) == pytest.approx(1.0 / 5.0, rel=1e-15)  # the top eigenvector
    assert optimize.exact_step(quadratic(H), [1.0, -1.0]) == pytest.approx(1.0, rel=1e-15)  # 1/λmin


def test_row_07_after_an_exact_step_the_gradient_is_orthogonal_to_the_old(rng: np.random.Generator) -> None:
    A, x = positive_definite(rng, 4), rng.normal(size=4)
    g = A @ x
    step = optimize.exact_step(quadratic(A), x)
    assert abs(g @ (A @ (x - step * g))) < 1e-12 * (g @ g)
    eigenvalues = np.linalg.eigvalsh(A)
    assert 1.0 / eigenvalues[-1] <= step <= 1.0 / eigenvalues[0]  # the worst case is 1/λmax


def test_row_07_exact_steps_turn_at_right_angles() -> None:
    path = optimize.gradient_descent(quadratic(np.diag([1.0, 10.0])), [10.0, 1.0], step="exact").path
    moves = np.diff(path, axis=0)[:20]
    np.testing.assert_allclose((moves[1:] * moves[:-1]).sum(axis=1), 0.0, atol=1e-12)


@pytest.mark.parametrize("shrink", [0.5, 0.9])
def test_row_07_backtracking_finds_the_first_step_that_lowers_f_enough(shrink: float) -> None:
    f, x = rosenbrock, np.array([-1.2, 1.0])
    g = mg.grad(f)(x)
    step = optimize.line_search(f, x, shrink=shrink)
    enough = lambda t: f(x - t * g) <= f(x) - 1e-4 * t * (g @ g)  # noqa: E731
    assert enough(step)
    assert not enough(step / shrink)
    assert math.log(step, shrink) == pytest.approx(round(math.log(step, shrink)))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.9, 2.1])
def test_row_08_the_model_of_a_step_is_exact_on_quadratics(factor: float, rng: np.random.Generator) -> None:
    A, x = positive_definite(rng, 4), rng.normal(size=4)
    f = quadratic(A)
    fun, g = mg.value_and_grad(f)(x)
    step = factor * optimize.exact_step(f, x)
    predicted = theory.gd_step_change(g, mg.hessian(f)(x), step)
    assert f(x - step * g) - fun == pytest.approx(predicted, rel=1e-12, abs=1e-12 * abs(fun))
    assert (predicted > 0.0) == (factor > 2.0)  # an increase iff the step exceeds 2 gᵀg / gᵀHg


# ------------------------------------------------------------------------------------- 11, 12: critical points, saddles
@pytest.mark.parametrize(
    ("f", "kind"),
    [
        (lambda x, y: x**2 + y**2, "minimum"),
        (lambda x, y: -(x**2) - y**2, "maximum"),
        (lambda x, y: x**2 - y**2, "saddle"),
        (lambda x, y: x**4 + y**4, "inconclusive"),
        (lambda x, y: x**2 + y**4, "inconclusive"),
        (lambda x, y: x**2 + 0.0 * y, "inconclusive"),  # a flat valley
        (lambda x, y: x**3 + 0.0 * y, "inconclusive"),
        (lambda x, y: 1e12 * x**2 + y**2, "minimum"),
        (lambda x, y: 1e12 * x**2 - y**2, "saddle"),
        (lambda x, y: (0.1 * x + 0.3 * y) ** 2, "inconclusive"),  # an eigenvalue that is 0 but for rounding
    ],
)
def test_row_11_second_derivative_test(f: Any, kind: str) -> None:
    assert optimize.classify_critical_point(lambda p: f(p[0], p[1]), [0.0, 0.0]) == kind


def test_row_11_of_one_number() -> None:
    assert optimize.classify_critical_point(lambda x: x**3, 0.0) == "inconclusive"
    assert optimize.classify_critical_point(mg.cos, 0.0) == "maximum"
    assert optimize.classify_critical_point(mg.cos, math.pi) == "minimum"


def test_row_11_two_signs_are_a_saddle_even_if_another_direction_is_flat() -> None:
    assert optimize.classify_critical_point(lambda x: x[0] ** 2 - x[1] ** 2 + x[2] ** 4, np.zeros(3)) == "saddle"


def test_row_11_only_of_critical_points() -> None:
    with pytest.raises(GradientError, match="no critical point"):
        optimize.classify_critical_point(lambda x: x**2, 1.0)


def test_row_12_newton_goes_to_the_saddle() -> None:
    found = optimize.newton(saddle, [1.0, 0.5])
    assert found.path[1:4, 1] == pytest.approx([-0.2, 0.0085106, -6.2e-7], rel=1e-2)
    assert found.path[2, 1] == pytest.approx(0.0085106, abs=5e-8)
    np.testing.assert_allclose(found.x, 0.0, atol=1e-15)
    assert not found.success
    assert "saddle" in found.message
    assert optimize.classify_critical_point(saddle, found.x) == "saddle"


def test_row_12_gradient_descent_leaves_it() -> None:
    found = optimize.gradient_descent(saddle, [1.0, 1e-3], step=0.1)
    errors = np.abs(found.path[:, 1] - math.sqrt(2.0))
    assert np.argmax(errors < 1e-6) == 67
    assert found.fun == pytest.approx(-1.0, rel=1e-15)


def test_row_12_but_not_from_the_ridge() -> None:
    found = optimize.gradient_descent(saddle, [1.0, 0.0], step=0.1)
    np.testing.assert_allclose(found.x, 0.0, atol=1e-8)


# ----------------------------------------------------------------------------------------------- 13-15: Newton's method
def test_row_13_newton_root() -> None:
    path = optimize.newton_root(lambda x: x * x - 2.0, 1.0).path
    assert path[1:5] == pytest.approx([1.5, 1.4166666667, 1.4142156863, 1.4142135624], abs=5e-11)


def test_row_13_of_several_equations() -> None:
    found = optimize.newton_root(lambda x: mg.stack([x[0] ** 2 + x[1] ** 2 - 2.0, x[0] - x[1]]), [2.0, 0.5])
    np.testing.assert_allclose(found.x, [1.0, 1.0], rtol=1e-12)
    np.testing.assert_allclose(found.jac, [[2.0, 2.0], [1.0, -1.0]], rtol=1e-9)


def test_row_14_one_step_on_a_quadratic(rng: np.random.Generator) -> None:
    for n in (1, 2, 7):
        A, b = positive_definite(rng, n), rng.normal(size=n)
        found = optimize.newton(quadratic(A, b), rng.normal(size=n), tol=1e-9)
        assert (found.success, found.nit) == (True, 1)
        np.testing.assert_allclose(found.x, np.linalg.solve(A, b), rtol=0.0, atol=1e-10)


def test_row_14_the_error_squares() -> None:
    found = optimize.newton(lambda x: x - mg.log(x), 0.5)
    errors = 1.0 - found.path
    assert errors[1:6] == pytest.approx([0.25, 0.0625, 0.00390625, 1.52588e-5, 2.32831e-10], rel=1e-5)
    np.testing.assert_allclose(errors[1:5], errors[:4] ** 2, rtol=1e-10)
    assert isinstance(found.x, float)


def test_row_14_damping_shortens_the_step() -> None:
    path = optimize.newton(quadratic(H), [1.0, 2.0], damping=0.7).path
    np.testing.assert_allclose(path[1], path[0] - np.linalg.inv(H + 0.7 * np.eye(2)) @ H @ path[0], rtol=1e-12)


def test_row_14_damping_must_exceed_the_most_negative_eigenvalue() -> None:
    found = optimize.newton(saddle, [1.0, 0.1], damping=1.0)
    assert not found.success
    assert found.message == "H + 1 I is not positive definite: damping must exceed 1.97."
    enough = optimize.newton(saddle, [1.0, 0.1], damping=2.5)
    assert enough.success
    assert enough.x == pytest.approx([0.0, math.sqrt(2.0)], abs=1e-7)


def test_row_15_saddle_free_newton() -> None:
    found = optimize.saddle_free_newton(saddle, [1.0, 0.5])
    assert found.success
    assert found.x[1] == pytest.approx(1.41421356, abs=5e-9)
    assert found.fun == pytest.approx(-1.0, rel=1e-15)


def test_row_15_saddle_free_newton_on_the_ridge_is_no_success() -> None:
    found = optimize.saddle_free_newton(saddle, [1.0, 0.0])  # no slope along y to follow
    np.testing.assert_allclose(found.x, 0.0, atol=1e-15)
    assert not found.success
    assert "at a saddle" in found.message
    assert "radius=1.0" in found.message


def test_methods_of_the_slope_alone_say_so() -> None:
    for method in (optimize.gradient_descent, optimize.conjugate_gradient, optimize.newton_cg):
        assert method(saddle, [0.0, 0.0]).success, method
        assert "the slope only" in " ".join(str(method.__doc__).split()), method


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"newton"}))
def test_row_15_methods_that_leave_a_saddle(method: str) -> None:
    found = METHODS[method](saddle, [1.0, 0.5])
    assert found.success
    assert abs(found.x[1]) == pytest.approx(math.sqrt(2.0), abs=1e-5)


def test_row_15_a_trust_region_leaves_the_saddle_from_its_ridge() -> None:
    """No gradient leads away from y = 0; the model's lowest eigenvector does (the hard case)."""
    found = optimize.newton(saddle, [1.0, 0.0], radius=2.0)
    assert abs(found.x[1]) == pytest.approx(math.sqrt(2.0), abs=1e-7)


def test_a_trust_region_grows_where_the_model_is_right() -> None:
    found = optimize.newton(quadratic(H), [1000.0, -500.0], radius=1.0)
    lengths = np.linalg.norm(np.diff(found.path, axis=0), axis=1)
    np.testing.assert_allclose(lengths[:9], 2.0 ** np.arange(9), rtol=1e-9)
    assert found.success


@pytest.mark.parametrize("hard", [False, True])
def test_a_step_in_the_ball_is_its_best_point(hard: bool, rng: np.random.Generator) -> None:
    from minigrad.optimize.newton_methods import best_in_ball

    for _ in range(20):
        eigenvalues, g, radius = np.sort(rng.normal(size=3)), rng.normal(size=3), rng.uniform(0.1, 3.0)
        if hard:
            g[0] = 0.0  # no slope along the lowest eigenvector
        p = best_in_ball(eigenvalues, g, radius)
        assert np.linalg.norm(p) <= radius * (1.0 + 1e-9)
        others = rng.normal(size=(5000, 3))
        others *= radius * rng.random((5000, 1)) ** (1.0 / 6.0) / np.linalg.norm(others, axis=1, keepdims=True)
        model = lambda p: p @ g + 0.5 * (p * p) @ eigenvalues  # noqa: E731, B023
        assert model(p) <= model(others).min() + 1e-9


def test_newton_cg_goes_down_where_f_bends_down_along_the_gradient() -> None:
    found = optimize.newton_cg(saddle, [0.0, 0.5])
    assert found.success
    np.testing.assert_allclose(found.path[1], [0.0, 0.5 + 0.875], rtol=1e-12)  # a step of steepest descent


def test_newton_at_a_maximum_says_so() -> None:
    found = optimize.newton(mg.cos, 0.3)
    assert (round(found.x, 12), found.success) == (0.0, False)
    assert "maximum" in found.message


# --------------------------------------------------------------------------------------------------- 18-21: constraints
@pytest.mark.parametrize("step", [None, 0.1])
def test_row_18_projected_gradient_onto_the_ball(step: Any) -> None:
    A, b = np.diag([2.0, 1.0]), np.array([3.0, 5.6])
    f = lambda x: 0.5 * ((A @ x - b) ** 2).sum()  # noqa: E731
    found = optimize.projected_gradient(f, np.zeros(2), optimize.onto_ball(1.0), step=step)
    assert found.success
    np.testing.assert_allclose(found.x, [0.6, 0.8], rtol=0.0, atol=1e-6)
    assert np.linalg.norm(found.path, axis=1).max() <= 1.0 + 1e-12


def test_row_18_the_same_by_an_angle() -> None:
    """Reparametrised: x = (cos θ, sin θ) has norm 1 without a constraint."""
    A, b = np.diag([2.0, 1.0]), np.array([3.0, 5.6])
    f = lambda t: 0.5 * ((A @ mg.stack([mg.cos(t), mg.sin(t)]) - b) ** 2).sum()  # noqa: E731
    angle = optimize.newton(f, 1.0).x
    assert [math.cos(angle), math.sin(angle)] == pytest.approx([0.6, 0.8], abs=1e-12)


@pytest.mark.parametrize("start", [[-2.0, -0.5], [-1.0, -2.0], [-0.1, -3.0]])
def test_row_19_lagrange_multiplier_of_a_circle(start: Any) -> None:
    circle = lambda x: (x * x).sum() - 2.0  # noqa: E731
    found = optimize.lagrangian_solve(lambda x: x.sum(), start, equality=circle)
    assert found.success
    np.testing.assert_allclose(found.x, [-1.0, -1.0], rtol=1e-10)
    np.testing.assert_allclose(found.multipliers[0], [0.5], rtol=1e-10)
    residual = optimize.kkt_residual(lambda x: x.sum(), [-1.0, -1.0], equality=circle, lam=0.5)
    assert residual.max == 0.0


def test_row_19_kkt_is_necessary_not_sufficient() -> None:
    """The maximum (1, 1) has no residual either; the solver says that f falls along the circle."""
    circle = lambda x: (x * x).sum() - 2.0  # noqa: E731
    assert optimize.kkt_residual(lambda x: x.sum(), [1.0, 1.0], equality=circle, lam=-0.5).max == 0.0
    found = optimize.lagrangian_solve(lambda x: x.sum(), [1.5, 1.0], equality=circle)
    np.testing.assert_allclose(found.x, [1.0, 1.0], rtol=1e-10)
    assert not found.success
    assert "no minimum" in found.message


@pytest.mark.parametrize(("bound", "x", "alpha"), [(1.0, 1.0, 4.0), (5.0, 3.0, 0.0)])
def test_row_19_an_inactive_constraint_has_multiplier_0(bound: float, x: float, alpha: float) -> None:
    found = optimize.lagrangian_solve(lambda x: (x - 3.0) ** 2, 0.0, inequality=lambda x: x - bound)
    assert found.success
    assert found.x == pytest.approx(x, abs=1e-12)
    np.testing.assert_allclose(found.multipliers[1], [alpha], atol=1e-12)


def test_row_19_both_kinds_of_constraints() -> None:
    """Nocedal and Wright, example 16.4: the last constraints are not active."""
    A = np.array([[-1.0, 2.0], [1.0, 2.0], [1.0, -2.0], [-1.0, 0.0], [0.0, -1.0]])
    b = np.array([2.0, 6.0, 2.0, 0.0, 0.0])
    f = lambda x: (x[0] - 1.0) ** 2 + (x[1] - 2.5) ** 2  # noqa: E731
    found = optimize.lagrangian_solve(f, [0.0, 0.0], inequality=lambda x: A @ x - b)
    assert found.success
    np.testing.assert_allclose(found.x, [1.4, 1.7], rtol=1e-12)
    np.testing.assert_allclose(found.multipliers[1], [0.8, 0.0, 0.0, 0.0, 0.0], atol=1e-12)


def test_row_19_what_each_part_of_the_residual_measures() -> None:
    half, above = lambda x: x[0] - 1.5, lambda x: x[1] + 0.25
    residual = optimize.kkt_residual(
        lambda x: x.sum(), [2.0, 0.0], equality=half, inequality=above, lam=-1.0, alpha=-2.0
    )
    assert residual.equality == 0.5
    assert residual.inequality == 0.25
    assert residual.sign == 2.0
    assert residual.complementarity == 0.5
    assert residual.stationarity == 1.0
    assert residual.max == 2.0


def test_row_20_least_squares_in_a_ball() -> None:
    A, b = np.diag([2.0, 1.0]), np.array([3.0, 5.6])
    unconstrained = np.linalg.pinv(A) @ b
    np.testing.assert_allclose(unconstrained, [1.5, 5.6], rtol=1e-14)
    assert unconstrained @ unconstrained == pytest.approx(33.61)
    found = optimize.least_squares_ball(A, b)
    np.testing.assert_allclose(found.x, [0.6, 0.8], rtol=1e-13)
    assert found.multipliers == pytest.approx(3.0, rel=1e-12)
    stationarity = A.T @ (A @ found.x - b) + 2.0 * found.multipliers * found.x
    assert np.abs(stationarity).max() < 1e-12
    f = lambda x: 0.5 * ((A @ x - b) ** 2).sum()  # noqa: E731
    ball = lambda x: (x * x).sum() - 1.0  # noqa: E731
    assert optimize.kkt_residual(f, found.x, inequality=ball, alpha=found.multipliers).max < 1e-12
    other = optimize.lagrangian_solve(f, [0.5, 0.5], inequality=ball)
    np.testing.assert_allclose(other.x, found.x, rtol=1e-10)
    np.testing.assert_allclose(other.multipliers[1], [3.0], rtol=1e-9)


def test_row_20_inside_the_ball_the_multiplier_is_0() -> None:
    found = optimize.least_squares_ball(np.diag([2.0, 1.0]), [0.5, 0.1])
    np.testing.assert_allclose(found.x, [0.25, 0.1], rtol=1e-15)
    assert found.multipliers == 0.0
    assert found.message == "the constraint is not active."


@pytest.mark.parametrize("shape", [(8, 3), (3, 8), (1, 1), (5, 5)])
@pytest.mark.parametrize("radius", [1e-3, 0.3, 100.0])
def test_row_20_kkt_conditions_hold_for_any_shape(shape: Any, radius: float, rng: np.random.Generator) -> None:
    A, b = rng.normal(size=shape), rng.normal(size=shape[0])
    A[:, -1] = A[:, 0]  # rank deficient, but for one column
    found = optimize.least_squares_ball(A, b, radius)
    x, lam = found.x, found.multipliers
    assert found.success
    assert lam >= 0.0
    assert np.linalg.norm(x) <= radius * (1.0 + 1e-12)
    assert lam * (x @ x - radius**2) == pytest.approx(0.0, abs=1e-9 * max(1.0, lam * radius**2))
    np.testing.assert_allclose(A.T @ (A @ x - b) + 2.0 * lam * x, 0.0, atol=1e-10 * max(1.0, lam))
    unconstrained = np.linalg.pinv(A) @ b
    assert (lam == 0.0) == (np.linalg.norm(unconstrained) <= radius)
    if not lam:
        np.testing.assert_allclose(x, unconstrained, atol=1e-10)


def test_row_21_least_squares_three_ways(rng: np.random.Generator) -> None:
    A, b = rng.normal(size=(20, 5)), rng.normal(size=20)
    f = lambda x: 0.5 * ((A @ x - b) ** 2).sum()  # noqa: E731
    np.testing.assert_allclose(mg.grad(f)(np.ones(5)), A.T @ (A @ np.ones(5) - b), rtol=1e-12)
    descent = optimize.gradient_descent(f, np.zeros(5), step=0.02, tol=1e-10)
    newton = optimize.newton(f, np.zeros(5))
    assert newton.nit == 1
    pinv = mg.linalg.pinv(A) @ b
    np.testing.assert_allclose(descent.x, pinv, rtol=0.0, atol=1e-8)
    np.testing.assert_allclose(newton.x, pinv, rtol=0.0, atol=1e-8)


# ---------------------------------------------------------------------------------------------- 61: conjugate gradients
@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_row_61_conjugate_gradients_take_n_steps(n: int, rng: np.random.Generator) -> None:
    A, b = positive_definite(rng, n), rng.normal(size=n)
    found = optimize.conjugate_gradient(quadratic(A, b), np.zeros(n), tol=1e-9)
    assert found.success
    assert found.nit <= n
    np.testing.assert_allclose(found.x, np.linalg.solve(A, b), rtol=0.0, atol=1e-8)
    moves = np.diff(found.path, axis=0)
    conjugate = moves @ A @ moves.T
    np.testing.assert_allclose(conjugate - np.diag(np.diag(conjugate)), 0.0, atol=1e-8 * conjugate.max())


# -------------------------------------------------------------------------------------------- every method, and SciPy's
@pytest.mark.parametrize("method", sorted(METHODS))
def test_any_shape_and_plain_numbers(method: str) -> None:
    run = METHODS[method]
    target = np.arange(6.0).reshape(2, 3)
    found = run(lambda x: mg.cosh(x - target).sum(), np.zeros((2, 3)) + 2.0)
    assert found.success, found.message
    assert found.x.shape == found.jac.shape == (2, 3)
    assert found.path.shape[1:] == (2, 3)
    np.testing.assert_allclose(found.x, target, atol=1e-5)
    one = run(lambda x: mg.cosh(x - 1.5) + 2.0, 0)
    assert type(one.x) is type(one.fun) is type(one.jac) is float
    assert one.path.ndim == 1
    assert one.x == pytest.approx(1.5, abs=1e-5)
    assert one.fun == pytest.approx(3.0)


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"gradient_descent"}))
def test_rosenbrock(method: str) -> None:
    found = METHODS[method](rosenbrock, [-1.2, 1.0])
    assert found.success, found.message
    np.testing.assert_allclose(found.x, [1.0, 1.0], atol=1e-4 if method == "minimize" else 1e-7)
    assert found.path[0].tolist() == [-1.2, 1.0]
    assert found.path[-1].tolist() == found.x.tolist()


def test_the_start_is_not_written_to() -> None:
    for run in METHODS.values():
        x0 = np.array([-1.2, 1.0])
        found = run(saddle, x0)
        assert x0.tolist() == [-1.2, 1.0]
        found.x[...] = 7.0
        assert not (found.path == 7.0).any()


def test_rows_of_a_matrix_start_where_they_are() -> None:
    """Not contiguous, and float32: computed in float64."""
    x0 = np.ones((3, 2), np.float32).T
    found = optimize.newton(lambda x: (x * x).sum(), x0)
    assert found.x.dtype == np.float64
    assert found.x.shape == (2, 3)


def logistic(rng: np.random.Generator) -> Any:
    X, y = rng.normal(size=(60, 5)), np.where(rng.random(60) > 0.4, 1.0, -1.0)
    return lambda w: mg.softplus(-y * (X @ w)).mean() + 0.01 * (w * w).sum()


@pytest.mark.parametrize("method", ["newton", "newton_cg", "conjugate_gradient", "trust region", "saddle_free_newton"])
def test_a_logistic_regression_is_scipys(method: str, rng: np.random.Generator) -> None:
    scipy = pytest.importorskip("scipy.optimize")
    f = logistic(rng)
    theirs = scipy.minimize(f, np.zeros(5), jac=mg.grad(f), hess=mg.hessian(f), method="trust-exact", tol=1e-12)
    ours = METHODS[method](f, np.zeros(5))
    assert ours.success
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-7)
    assert ours.fun == pytest.approx(theirs.fun, rel=1e-12)


def test_projected_gradient_is_scipys_l_bfgs_b(rng: np.random.Generator) -> None:
    pytest.importorskip("scipy")
    A, b = positive_definite(rng, 6), 3.0 * rng.normal(size=6)
    f = quadratic(A, b)
    ours = optimize.projected_gradient(f, np.zeros(6), optimize.onto_box(-0.1, 0.2))
    theirs = optimize.minimize(f, np.zeros(6), bounds=[(-0.1, 0.2)] * 6, method="L-BFGS-B", tol=1e-12)
    assert ours.success
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-6)
    inside = (ours.x > -0.1) & (ours.x < 0.2)
    np.testing.assert_allclose(ours.jac[inside], 0.0, atol=1e-7)
    assert (ours.jac[ours.x == 0.2] <= 0.0).all()
    assert (ours.jac[ours.x == -0.1] >= 0.0).all()


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_lagrangian_solve_is_scipys_slsqp(method: str) -> None:
    scipy = pytest.importorskip("scipy.optimize")
    below = lambda x: mg.stack([x[0] ** 2 + x[1] ** 2 - 1.5, x[0] - 2.0])  # noqa: E731
    line = lambda x: x[0] + 2.0 * x[1] - 1.0  # noqa: E731
    ours = optimize.lagrangian_solve(rosenbrock, [0.5, 0.2], equality=line, inequality=below)
    assert ours.success
    if method == "SLSQP":
        constraints: Any = [{"type": "ineq", "fun": lambda x: -below(x)}, {"type": "eq", "fun": line}]
    else:
        constraints = [scipy.NonlinearConstraint(below, -np.inf, 0.0), scipy.LinearConstraint([[1.0, 2.0]], 1.0, 1.0)]
    theirs = optimize.minimize(rosenbrock, [0.5, 0.2], constraints=constraints, method=method, tol=1e-10)
    assert theirs.success
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)


def test_least_squares_ball_is_scipys_slsqp(rng: np.random.Generator) -> None:
    pytest.importorskip("scipy")
    A, b = rng.normal(size=(8, 4)), rng.normal(size=8)
    ours = optimize.least_squares_ball(A, b, 0.3)
    ball = {"type": "ineq", "fun": lambda x: 0.09 - (x * x).sum()}
    theirs = optimize.minimize(lambda x: 0.5 * ((A @ x - b) ** 2).sum(), np.zeros(4), constraints=ball, tol=1e-12)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-6)


@pytest.mark.parametrize(
    "method",
    [
        *["BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "newton-cg", "trust-ncg", "trust-krylov", "dogleg"],
        *["trust-exact", "trust-constr", "Nelder-Mead", "Powell", "COBYLA"],
    ],
)
@pytest.mark.filterwarnings("error")
def test_minimize_with_each_of_scipys_methods(method: str) -> None:
    """No warning of one that was given derivatives it can't use, or not those that it can."""
    pytest.importorskip("scipy")
    f = lambda x: (x[0] - 1.0) ** 2 + 2.0 * (x[1] - 2.0) ** 2 + 0.1 * (x[0] - 1.0) ** 4  # noqa: E731
    found = optimize.minimize(f, [0.0, 0.0], method=method)
    assert found.success, found.message
    np.testing.assert_allclose(found.x, [1.0, 2.0], atol=2e-4)
    assert found.path[0].tolist() == [0.0, 0.0]


def test_a_constraint_for_scipy_gets_its_derivatives() -> None:
    scipy = pytest.importorskip("scipy.optimize")
    from minigrad.optimize.interface import differentiated
    from minigrad.optimize.objective import Objective

    objective = Objective("minimize", rosenbrock, [-1.2, 1.0])
    c = lambda x: mg.stack([x[0] ** 2 * x[1], mg.sin(x[1])])  # noqa: E731
    ready = differentiated(objective, scipy.NonlinearConstraint(c, -1.0, 2.0, keep_feasible=True), scipy)
    x, v = np.array([2.0, 3.0]), np.array([10.0, 100.0])
    np.testing.assert_allclose(ready.fun(x), [12.0, math.sin(3.0)], rtol=1e-15)
    np.testing.assert_allclose(ready.jac(x), [[12.0, 4.0], [0.0, math.cos(3.0)]], rtol=1e-15)
    np.testing.assert_allclose(ready.hess(x, v), [[60.0, 40.0], [40.0, -100.0 * math.sin(3.0)]], rtol=1e-14)
    assert (ready.lb, ready.ub, ready.keep_feasible) == (-1.0, 2.0, True)
    own = {"type": "eq", "fun": lambda x, a: x[0] - a, "args": (1.0,)}
    linear = scipy.LinearConstraint([[1.0, 2.0]], 0.0, 1.0)
    assert differentiated(objective, own, scipy) is own
    assert differentiated(objective, linear, scipy) is linear


def test_minimize_takes_a_matrix_and_its_bounds_flat() -> None:
    pytest.importorskip("scipy")
    f = lambda W: ((W - np.array([[1.0, 2.0], [3.0, 4.0]])) ** 2).sum()  # noqa: E731
    found = optimize.minimize(f, np.zeros((2, 2)), bounds=[(0.0, 3.5)] * 4)
    np.testing.assert_allclose(found.x, [[1.0, 2.0], [3.0, 3.5]], atol=1e-6)


def test_minimize_refuses_a_constraint_that_left_the_graph() -> None:
    pytest.importorskip("scipy")
    with pytest.raises(GradientError, match=r"constraint\(x0\) is .*a constant"):
        optimize.minimize(saddle, [1.0, 1.0], constraints={"type": "eq", "fun": lambda x: x.data[0] - 1.0})


def test_methods_work_inside_no_grad_and_leave_grad_alone() -> None:
    a = mg.Value(2.0)
    with mg.no_grad():
        assert optimize.newton(lambda x: (a * x - 1.0) ** 2, 0.0).x == 0.5
    assert a.grad is None


def test_minimize_without_scipy_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def missing(name: str, *rest: Any) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "minigrad-engine\[scipy\]"'):
        optimize.minimize(lambda x: x * x, 1.0)


# --------------------------------------------------------------------------------------- runs that end elsewhere say so
def test_too_long_a_step_diverges_and_says_so() -> None:
    found = optimize.gradient_descent(quadratic(H), [1.0, 0.0], step=10.0, maxiter=10_000)
    assert not found.success
    assert "shorter steps" in found.message
    assert np.isfinite(found.path[:-1]).all()
    endless = optimize.gradient_descent(lambda x: -x * x, 1.0, maxiter=10_000)
    assert not endless.success
    assert "has f no least value?" in endless.message
    projected = optimize.projected_gradient(lambda x: -x * x, 1.0, lambda x: x, step=10.0, maxiter=10_000)
    assert not projected.success
    assert "try shorter steps, or has f no least value?" in projected.message


def test_a_kink_from_which_no_step_leads_down_and_a_slope_of_infinite_slope() -> None:
    def kink(x: mg.Value) -> mg.Value:
        return mg.maximum(x, -2.0 * x)  # at 0 the tie is shared: the slope is -1/2, and both ways lead up

    for run in (
        lambda: optimize.projected_gradient(kink, 0.0, optimize.onto_box(-1.0, 1.0)),
        lambda: optimize.newton(kink, 0.0, radius=1.0),
        lambda: optimize.gradient_descent(kink, 0.0),
    ):
        found = run()
        assert (found.x, found.success) == (0.0, False)
        assert "is its gradient right, or is x at a kink?" in found.message
    with pytest.raises(
        GradientError, match=r"classify_critical_point: the Hessian at 0\.0 has entries that are not finite"
    ):
        optimize.classify_critical_point(lambda x: x**1.5, 0.0)
    assert optimize.newton(lambda x: x**1.5, 0.0).success


def test_functions_may_return_a_raw_number_somewhere() -> None:
    f = lambda x: (x - 1.0) ** 2 if x.data < 10.0 else math.inf  # noqa: E731
    assert optimize.gradient_descent(f, -1e6).x == pytest.approx(1.0)


def test_a_projection_may_write_on_its_argument() -> None:
    start = np.array([3.0, 0.0])
    with pytest.raises(ValueError, match="infeasible, 2 away"):
        optimize.projected_gradient(lambda x: (x * x).sum(), start, lambda x: np.clip(x, -1.0, 1.0, out=x))
    assert start.tolist() == [3.0, 0.0]


def test_a_function_without_a_minimum_is_no_success() -> None:
    for run in (optimize.gradient_descent, optimize.conjugate_gradient):
        assert not run(lambda x: 2.0 * x, 0.0, maxiter=2000).success
    assert not optimize.projected_gradient(lambda x: 2.0 * x[0], np.zeros(2), lambda x: x, maxiter=2000).success


def test_an_infinite_hessian_is_an_error_in_scipys_methods_too() -> None:
    pytest.importorskip("scipy")
    with pytest.raises(GradientError, match="Hessian"):
        optimize.minimize(lambda x: mg.absolute(x) ** 1.5 + x, 0.0, method="trust-exact")


def test_too_few_steps_are_no_success() -> None:
    found = optimize.gradient_descent(quadratic(H), [1.0, 0.0], step=0.01, maxiter=5)
    assert (found.success, found.nit) == (False, 5)
    assert "maxiter=5" in found.message
    at_start = optimize.newton(quadratic(H), [1.0, 0.0], maxiter=0)
    assert (at_start.success, at_start.nit, at_start.x.tolist()) == (False, 0, [1.0, 0.0])


def test_at_a_kink_no_step_lowers_f() -> None:
    found = optimize.gradient_descent(lambda x: mg.absolute(x) + mg.absolute(x - 1.0) * 0.5, 1e-3)
    assert not found.success
    assert "kink" in found.message


def test_a_singular_hessian_names_the_remedy() -> None:
    f = lambda x: x[0] ** 2 + x[1]  # noqa: E731
    for method in (optimize.newton, optimize.saddle_free_newton):
        found = method(f, [1.0, 1.0])
        assert not found.success
        assert "singular: try damping=" in found.message


def test_line_search_stays_in_the_domain() -> None:
    found = optimize.gradient_descent(lambda x: x - mg.log(x), 0.01)
    assert found.success
    assert found.path.min() > 0.0
    assert optimize.newton_cg(lambda x: x - mg.log(x), 1.9).x == pytest.approx(1.0)


def test_the_result_reads_as_scipys() -> None:
    lines = repr(optimize.newton(lambda x: (x - 3.0) ** 2, 0.0)).splitlines()
    assert lines[0] == "      x: 3.0"
    assert lines[-1] == "   path: array of shape (2,)"
    assert "multipliers" in repr(optimize.least_squares_ball([[1.0]], [2.0]))


# --------------------------------------------------------------------------------------------------------------- misuse
@pytest.mark.parametrize("name", ["gradient_descent", "newton", "conjugate_gradient", "newton_cg", "minimize"])
@pytest.mark.parametrize(
    ("f", "x0", "error", "text"),
    [
        (lambda x: x * x, [1.0, 2.0], GradientError, r"2 numbers.*\.sum\(\)"),
        (lambda x: mg.log(x), -1.0, GradientError, r"f\(x0\) = nan.*start where both are finite"),
        (lambda x: mg.sqrt(x), 0.0, GradientError, "its gradient .*inf"),
        (lambda x: float(x.data) ** 2, 1.0, GradientError, "a constant: write f with operators"),
        (lambda x: x.detach() * 2.0, 1.0, GradientError, "a constant"),
        (lambda x: None, 1.0, GradientError, "returned None; it must return numbers"),
        (lambda x: x, "far", DtypeError, "expected a number"),
        (lambda x: x.sum(), [], ShapeError, "empty"),
        (lambda x: x.sum(), [1.0, math.nan], GradientError, "not finite"),
        (lambda x: x.sum(), mg.Value([1.0]), DtypeError, r"\.data"),
        (3.0, 1.0, DtypeError, "f is a function of x, not 3.0"),
    ],
)
def test_what_every_method_refuses(name: str, f: Any, x0: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        getattr(optimize, name)(f, x0)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda f: optimize.gradient_descent(f, 1.0, step="fast"), ValueError, '"exact" or "backtracking"'),
        (lambda f: optimize.gradient_descent(f, 1.0, step=-0.1), ValueError, "step=-0.1; it is a number of at least 0"),
        (lambda f: optimize.gradient_descent(f, 1.0, step=math.nan), ValueError, "step=nan"),
        (lambda f: optimize.gradient_descent(f, 1.0, maxiter=1.5), DtypeError, "maxiter=1.5 is not a whole number"),
        (lambda f: optimize.gradient_descent(f, 1.0, tol=-1.0), ValueError, "tol=-1.0"),
        (lambda f: optimize.newton(f, 1.0, damping=-1.0), ValueError, "damping=-1.0"),
        (lambda f: optimize.newton(f, 1.0, radius=0.0), ValueError, "radius=0.0; it is a number above 0"),
        (lambda f: optimize.newton(f, 1.0, radius="small"), DtypeError, "newton: radius='small' is not a number"),
        (lambda f: optimize.newton(f, 1.0, radius=1.0, damping=1.0), ValueError, "give one of them"),
        (lambda f: optimize.line_search(f, 1.0, direction=1.0), GradientError, "doesn't lead down"),
        (lambda f: optimize.line_search(f, 1.0, direction=[1.0, 2.0]), ShapeError, r"shape \(2,\), x \(\)"),
        (lambda f: optimize.line_search(f, 1.0, shrink=1.0), ValueError, "between 0 and 1"),
        (lambda f: optimize.line_search(f, 1.0, step="long"), DtypeError, "line_search: step='long' is not a number"),
        (lambda f: optimize.exact_step(lambda x: -x * x, 1.0), GradientError, "doesn't bend upwards"),
        (lambda f: optimize.projected_gradient(f, 3.0, optimize.onto_box(-1.0, 1.0)), ValueError, "infeasible, 2 "),
        (lambda f: optimize.projected_gradient(f, 0.5, lambda x: [x, x]), ShapeError, "project returned"),
        (lambda f: optimize.onto_box(1.0, 0.0), ValueError, "no point is in the box"),
        (lambda f: optimize.least_squares_ball([1.0], [1.0]), ShapeError, r"expected \(m, n\) and \(m,\)"),
        (lambda f: optimize.least_squares_ball([[1.0]], [1.0], 0.0), ValueError, "radius=0.0"),
        (lambda f: optimize.least_squares_ball([[1.0]], [1.0], "1"), DtypeError, "radius='1' is not a number"),
        (lambda f: optimize.least_squares_ball([[math.nan]], [1.0]), DtypeError, "not finite"),
        (lambda f: optimize.newton_root(lambda x: mg.stack([x, x]), 1.0), ShapeError, "not as many numbers"),
        (lambda f: optimize.newton_root(lambda x: x * x + 1.0, 0.0), GradientError, "singular at x = 0.0"),
        (lambda f: optimize.newton_root(mg.log, -1.0), GradientError, "start elsewhere"),
        (lambda f: optimize.kkt_residual(f, 1.0, equality=lambda x: x), ShapeError, "0 λ and 0 α for 1 equality"),
        (
            lambda f: optimize.lagrangian_solve(f, 1.0, equality=lambda x: 0.0),
            GradientError,
            r"equality\(x0\) is 0.0, a constant",
        ),
        (lambda f: optimize.lagrangian_solve(f, 1.0, equality=0.0), DtypeError, "equality is a function of x, not 0.0"),
        (lambda f: optimize.lagrangian_solve(f, 1.0, equality=lambda x: [x, x]), GradientError, r"a list.*mg\.stack"),
        (lambda f: optimize.projected_gradient(f, 1.0, 1.0), DtypeError, "project is a function"),
        (lambda f: optimize.newton_root(lambda x: 3.0, 1.0), GradientError, "F returned 3.0"),
        (
            lambda f: optimize.lagrangian_solve(f, -1.0, inequality=mg.log),
            GradientError,
            "inequality.* is nan: start where it is",
        ),
    ],
)
def test_what_is_refused(call: Any, error: Any, text: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(error, match=text):
        call(lambda x: x * x)


def test_errors_are_minigrads() -> None:
    with pytest.raises(MinigradError):
        optimize.newton(lambda x: x * x, [1.0, 2.0])


def test_a_slope_that_is_not_finite_ends_the_run() -> None:
    found = optimize.lagrangian_solve(lambda x: mg.absolute(x) ** 1.5 + x, 0.0, inequality=lambda x: x - 2.0)
    assert (found.success, found.x) == (False, 0.0)
    assert found.message == "a second slope is not finite: start elsewhere."
    assert "Hessian" in optimize.newton(lambda x: mg.absolute(x) ** 1.5 + x, 0.0).message


def test_constraints_without_a_common_point_are_no_success() -> None:
    found = optimize.lagrangian_solve(lambda x: x * x, 0.5, inequality=lambda x: mg.stack([x - 1.0, 2.0 - x]))
    assert not found.success
    assert "start elsewhere" in found.message


# --------------------------------------------------------------------------------------- what each method makes use of
def forbidden(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("this was not to be called")


def test_newton_solves_and_never_inverts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("inv", "pinv"):
        monkeypatch.setattr(np.linalg, name, forbidden)
    for run in (METHODS["newton"], METHODS["trust region"], METHODS["saddle_free_newton"], METHODS["newton_cg"]):
        assert run(rosenbrock, [-1.2, 1.0]).success
    assert optimize.newton(rosenbrock, [-1.2, 1.0], damping=0.1).success
    assert optimize.newton_root(lambda x: mg.stack([x[0] * x[1] - 2.0, x[0] - x[1]]), [1.0, 2.0]).success
    # Nearly singular: by the inverse, half of the digits would be lost; the solution of H p = -g has them.
    H = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-9]])
    found = optimize.newton(quadratic(H, H @ np.ones(2)), np.zeros(2), tol=1e-13)
    assert np.linalg.norm(H @ (found.x - 1.0)) < 1e-13


@pytest.mark.parametrize("method", ["conjugate_gradient", "newton_cg"])
def test_conjugate_gradients_never_see_the_hessian(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its products with vectors: 10,000 variables, whose Hessian would have 1e8 entries."""
    from minigrad.optimize import objective

    monkeypatch.setattr(objective, "hessian", forbidden)
    products = []
    monkeypatch.setattr(objective, "hvp", lambda *args: products.append(1) or mg.hvp(*args))
    weights = np.linspace(1.0, 10.0, 10_000)
    found = METHODS[method](lambda x: 0.5 * (weights * x * x).sum() - x.sum(), np.zeros(10_000))
    assert found.success
    np.testing.assert_allclose(found.x, 1.0 / weights, atol=1e-7)
    assert 3 < len(products) < 200


@pytest.mark.parametrize(
    ("method", "bounded", "constrained"),
    [
        *[("trust-constr", True, True), ("trust-constr", True, False), ("trust-constr", False, True)],
        *[("SLSQP", True, True), ("L-BFGS-B", True, False), ("TNC", True, False)],
    ],
)
def test_boxes_and_linear_constraints_get_our_gradients_and_products(
    method: str, bounded: bool, constrained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SciPy measures nothing by differences, and the answer satisfies the KKT conditions."""
    scipy = pytest.importorskip("scipy.optimize")
    from minigrad.optimize.objective import Objective

    for module in ("_differentiable_functions", "_optimize", "_slsqp_py"):
        home = getattr(scipy, module)
        if hasattr(home, "approx_derivative"):
            monkeypatch.setattr(home, "approx_derivative", forbidden)
    products, product = [], Objective.product
    monkeypatch.setattr(Objective, "product", lambda self, x, v: products.append(1) or product(self, x, v))
    bounds = scipy.Bounds([-2.0, -2.0], [0.8, 0.5]) if bounded else None
    line = scipy.LinearConstraint([[1.0, 2.0]], -np.inf, 1.0)
    if method == "SLSQP":
        line = {"type": "ineq", "fun": lambda x: 1.0 - x[0] - 2.0 * x[1]}
    constraints = [line] if constrained else []
    found = optimize.minimize(rosenbrock, [-1.2, 0.4], bounds=bounds, constraints=constraints, method=method, tol=1e-10)
    assert bool(products) == (method == "trust-constr")

    def left(x: Any) -> Any:  # the active constraints as g(x) <= 0
        parts = [x[0] - 0.8, x[1] - 0.5] * bounded + [x[0] + 2.0 * x[1] - 1.0] * constrained
        return mg.stack(parts)

    gradients = mg.jacobian(left)(found.x)
    active = left(found.x) > -1e-5
    alpha = np.zeros(len(active))
    alpha[active] = np.linalg.lstsq(gradients[active].T, -mg.grad(rosenbrock)(found.x))[0]
    residual = optimize.kkt_residual(rosenbrock, found.x, inequality=left, alpha=alpha)
    assert active.any()
    assert residual.max < 1e-3


RESULTS = {
    **{name: (lambda run=run: run(lambda x: ((x - 1.0) ** 2).sum(), [3.0, 4.0])) for name, run in METHODS.items()},
    "newton_root": lambda: optimize.newton_root(lambda x: x * x - mg.stack([9.0, 16.0]), [1.0, 1.0]),
    "projected_gradient": lambda: optimize.projected_gradient(
        lambda x: ((x - 1.0) ** 2).sum(), [0.1, 0.2], optimize.onto_ball(0.5)
    ),
    "least_squares_ball": lambda: optimize.least_squares_ball(np.diag([2.0, 1.0]), [3.0, 5.6]),
    "lagrangian_solve": lambda: optimize.lagrangian_solve(
        lambda x: (x * x).sum(), [3.0, 1.0], equality=lambda x: x[0] + x[1] - 1.0
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_scipys_with_the_path_it_took(name: str) -> None:
    found = RESULTS[name]()
    assert isinstance(found, optimize.OptimizeResult)
    assert found.success, found.message
    assert found.path.shape[1:] == np.shape(found.x) == (2,)
    np.testing.assert_array_equal(found.path[-1], found.x)
    assert len(found.path) >= 2
    assert {"x", "fun", "jac", "nit", "success", "message"} <= set(vars(found))
    assert isinstance(found.fun, (float, np.ndarray))
