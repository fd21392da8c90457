"""The readings' numbers, row by row: each test is named after the row of the sources table that it takes them from.

Rows 1-5, 9, 10, 16 and 17 are Goodfellow, Bengio and Courville, "Deep Learning", chapter 4; rows 22-31 are the CS231n
notes on gradient checks and backpropagation.  That the pictures of the circuits show the same numbers is tested with
the pictures, in test_viz.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Gate, Value, nn

SMOOTH = ["multiply", "divide", "exp", "log", "sqrt", "tanh", "sigmoid", "sin", "arctan", "softplus", "hypot", "erf"]
KINKED = ["relu", "absolute", "maximum", "minimum", "clip", "leaky_relu", "hardtanh"]
FLAT = ["sign", "floor", "ceil", "round", "floor_divide"]


def naive_softmax(x: Any) -> Any:
    e = mg.exp(x)
    return e / mg.sum(e)


def quadratic(H: Any) -> Any:
    return lambda x: 0.5 * (x @ H @ x)


# ----------------------------------------------------------------------------------------------- 1-4: overflow, softmax
@pytest.mark.parametrize("big", [1000.0, -1000.0])
def test_row_01_overflow_and_underflow(big: float) -> None:
    with np.errstate(all="ignore"):
        out = naive_softmax(Value(np.full(3, big)))
        assert np.isnan(out.data).all()  # inf / inf, and 0 / 0
        assert mg.exp(big) == (math.inf if big > 0 else 0.0)
    np.testing.assert_allclose(mg.softmax(Value(np.full(3, big))).data, 1.0 / 3.0, rtol=1e-15)


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 88.7228), (np.float64, 709.7827)])
def test_row_01_where_exp_overflows(dtype: Any, limit: float) -> None:
    with np.errstate(over="ignore"):
        below, above = mg.exp(Value(np.array([limit - 1e-4, limit + 1e-4], dtype))).data
    assert math.isfinite(below)
    assert math.isinf(above)


def test_row_01_where_exp_is_zero() -> None:
    assert mg.exp(Value(-745.13)).data > 0.0
    assert mg.exp(Value(-745.14)).data == 0.0


def test_row_02_stable_softmax() -> None:
    np.testing.assert_allclose(
        mg.softmax(Value([1000.0, 1001.0])).data, [0.2689414213699951, 0.7310585786300049], rtol=1e-15
    )
    np.testing.assert_allclose(mg.softmax(Value([1000.0] * 3)).data, 1.0 / 3.0, rtol=1e-15)
    np.testing.assert_allclose(
        mg.softmax(Value([123.0, 456.0, 789.0])).data, [5.7527e-290, 2.3985e-145, 1.0], rtol=1e-4
    )


def test_row_02_softmax_ignores_a_shift(rng: np.random.Generator) -> None:
    x = np.round(rng.normal(size=8), 3)  # so that x + 1e4 - 1e4 is x, but for the last digits
    np.testing.assert_allclose(mg.softmax(Value(x + 1e4)).data, mg.softmax(Value((x + 1e4) - 1e4)).data, rtol=1e-12)


def test_row_03_log_softmax_and_logsumexp() -> None:
    with np.errstate(divide="ignore"):
        assert mg.log(mg.softmax(Value([1000.0, 0.0]))).data.tolist() == [0.0, -math.inf]  # what is to be avoided
    assert mg.log_softmax(Value([1000.0, 0.0])).data.tolist() == [0.0, -1000.0]
    assert mg.logsumexp(Value([1000.0, 1000.0])).item() == pytest.approx(1000.6931471805599, rel=1e-16)


def test_row_03_gradient_of_the_cross_entropy() -> None:
    logits = Value(np.log([[0.2, 0.3, 0.5]]))
    nn.CrossEntropyLoss()(logits, np.array([1])).backward()
    np.testing.assert_allclose(logits.grad, [[0.2, -0.7, 0.5]], rtol=1e-14)


def test_row_04_condition_number() -> None:
    H = mg.hessian(quadratic(np.array([[3.0, 2.0], [2.0, 3.0]])))(np.zeros(2))
    eigenvalues, vectors = mg.linalg.eigh(H)
    np.testing.assert_allclose(eigenvalues, [1.0, 5.0], rtol=1e-14)
    np.testing.assert_allclose(np.abs(vectors), math.sqrt(0.5), rtol=1e-14)
    assert vectors[0, 0] * vectors[1, 0] < 0.0 < vectors[0, 1] * vectors[1, 1]  # (1, -1) and (1, 1)
    assert mg.linalg.cond(Value(H)).item() == pytest.approx(5.0, rel=1e-14)


@pytest.mark.parametrize(("n", "expected"), [(3, 524.0568), (5, 4.766e5), (8, 1.5258e10)])
def test_row_04_condition_of_the_hilbert_matrix(n: int, expected: float) -> None:
    i = np.arange(1.0, n + 1.0)
    hilbert = mg.divide(1.0, Value(i[:, None]) + i - 1.0)
    assert mg.linalg.cond(hilbert).item() == pytest.approx(expected, rel=1e-4)


# --------------------------------------------------------------------------------------------- 5, 9, 10: derivatives
def test_row_05_directional_derivative() -> None:
    f = lambda x: x[0] ** 2 - x[1] ** 2  # noqa: E731
    x, u = np.array([1.0, 2.0]), np.array([3.0, 4.0]) / 5.0
    assert mg.jvp(f, (x,), (u,))[1] == pytest.approx(-2.0, abs=1e-14)
    assert mg.grad(f)(x) @ u == pytest.approx(-2.0, abs=1e-14)
    assert mg.grad(lambda a: f(x + a * u))(0.0) == pytest.approx(-2.0, abs=1e-14)


def test_row_05_steepest_descent_goes_against_the_gradient(rng: np.random.Generator) -> None:
    f = lambda x: x[..., 0] ** 2 - x[..., 1] ** 2  # noqa: E731
    g = mg.grad(f)(np.array([1.0, 2.0]))
    steepest = -g / np.linalg.norm(g)
    directions = rng.normal(size=(10_000, 2))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = np.broadcast_to([1.0, 2.0], directions.shape)
    slopes = mg.jvp(f, (points,), (directions,))[1]
    assert slopes.shape == (10_000,)
    assert slopes.min() >= g @ steepest
    assert directions[slopes.argmin()] == pytest.approx(steepest, abs=1e-2)


def test_row_09_jacobian() -> None:
    f = lambda p: mg.stack([p[0] ** 2 * p[1], 5.0 * p[0] + mg.sin(p[1])])  # noqa: E731
    at, v = np.array([1.0, 2.0]), np.array([0.3, -0.7])
    J = mg.jacobian(f)(at)
    np.testing.assert_allclose(J, [[4.0, 1.0], [5.0, math.cos(2.0)]], rtol=1e-15)
    np.testing.assert_allclose(mg.vjp(f, at)[1](v)[0], v @ J, rtol=1e-14)
    np.testing.assert_allclose(mg.jvp(f, (at,), (v,))[1], J @ v, rtol=1e-14)


def test_row_09_jacobian_of_softmax(rng: np.random.Generator) -> None:
    x = rng.normal(size=5)
    J, p = mg.jacobian(mg.softmax)(x), mg.softmax(x)
    np.testing.assert_allclose(J, np.diag(p) - np.outer(p, p), atol=1e-16)
    np.testing.assert_allclose(J.sum(axis=1), 0.0, atol=1e-16)


def test_row_10_hessian() -> None:
    rosenbrock = lambda p: 100.0 * (p[1] - p[0] ** 2) ** 2 + (1.0 - p[0]) ** 2  # noqa: E731
    minimum = np.ones(2)
    H = mg.hessian(rosenbrock)(minimum)
    np.testing.assert_allclose(H, [[802.0, -400.0], [-400.0, 200.0]], rtol=1e-13)
    assert mg.linalg.cond(H) == pytest.approx(2508.01, abs=0.005)
    np.testing.assert_allclose(H, H.T, rtol=0.0, atol=1e-12)
    for eigenvalue, d in zip(np.linalg.eigvalsh(H), np.linalg.eigh(H)[1].T, strict=True):
        assert d @ mg.hvp(rosenbrock, minimum, d) == pytest.approx(eigenvalue, rel=1e-9)


# ----------------------------------------------------------------------------------------------- 16, 17: how it bends
def data_and_labels(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.normal(size=(12, 3)), rng.integers(0, 3, size=12)


def smallest_eigenvalues(loss: Any, size: int, rng: np.random.Generator, points: int = 100) -> list[float]:
    return [float(np.linalg.eigvalsh(mg.hessian(loss)(rng.normal(size=size)))[0]) for _ in range(points)]


def test_row_16_linear_models_are_convex(rng: np.random.Generator) -> None:
    X, y = data_and_labels(rng)
    signs = np.where(y > 0, 1.0, -1.0)
    losses = {
        "least squares": (lambda w: 0.5 * mg.mean((X @ w - signs) ** 2), 3),
        "logistic": (lambda w: mg.mean(mg.softplus(-signs * (X @ w))), 3),
        "softmax": (lambda w: mg.mean(mg.negative_log_softmax(X @ w.reshape(3, 3), y)), 9),
    }
    for name, (loss, size) in losses.items():
        assert min(smallest_eigenvalues(loss, size, rng)) > -1e-10, name


def test_row_16_a_network_is_not_convex(rng: np.random.Generator) -> None:
    X, y = data_and_labels(rng)

    def loss(w: Any) -> Any:
        hidden = mg.tanh(X @ w[:6].reshape(3, 2))
        return mg.mean(mg.negative_log_softmax(hidden @ w[6:].reshape(2, 3), y))

    assert min(smallest_eigenvalues(loss, 12, rng, points=10)) < -1e-3


def test_row_17_local_smoothness_along_an_eigenvector_is_its_eigenvalue(rng: np.random.Generator) -> None:
    B = rng.normal(size=(4, 4))
    H = B @ B.T + np.eye(4)
    slope = mg.grad(quadratic(H))
    eigenvalues, vectors = np.linalg.eigh(H)
    for eigenvalue, d in zip(eigenvalues, vectors.T, strict=True):
        x = rng.normal(size=4)
        measured = mg.norm(Value(slope(x + d) - slope(x))) / mg.norm(Value(d))
        assert measured.item() == pytest.approx(eigenvalue, rel=1e-9)


def test_row_17_the_largest_eigenvalue_bounds_the_slope_s_change(rng: np.random.Generator) -> None:
    B = rng.normal(size=(4, 4))
    slope, largest = mg.grad(quadratic(B @ B.T)), np.linalg.eigvalsh(B @ B.T)[-1]
    for x, y in rng.normal(size=(100, 2, 4)):
        assert np.linalg.norm(slope(x) - slope(y)) <= largest * np.linalg.norm(x - y) * (1.0 + 1e-12)


# ------------------------------------------------------------------------------------------------- 22, 23: is it right?
@pytest.mark.parametrize(("h", "error"), [(1e-1, 4.53e-3), (1e-3, 4.53e-7), (1e-5, 5.9e-11)])
def test_row_22_centred_difference(h: float, error: float) -> None:
    assert abs(mg.numerical_grad(mg.exp, 1.0, eps=h) - math.e) == pytest.approx(error, rel=1e-2)


def test_row_22_forward_difference() -> None:
    h = 1e-5
    assert (mg.exp(1.0 + h) - mg.exp(1.0)) / h - math.e == pytest.approx(1.36e-5, rel=1e-2)


def test_row_22_the_error_falls_with_the_square_of_the_step() -> None:
    errors = [abs(mg.numerical_grad(mg.exp, 1.0, eps=h) - math.e) for h in (1e-1, 1e-2, 1e-3)]
    slope = np.polyfit(np.log([1e-1, 1e-2, 1e-3]), np.log(errors), 1)[0]
    assert slope == pytest.approx(2.0, abs=1e-3)


def relative_errors(name: str, rng: np.random.Generator) -> list[float]:
    """|a - n| / max(|a|, |n|) of each wire of an elementwise gate, at ten points where no kink is near; 0 for 0 / 0."""
    gate = mg.gates.REGISTRY[name]
    params = {"a_min": -1.0, "a_max": 1.0} if name == "clip" else {}
    inputs = [np.round(rng.uniform(0.2, 1.8, size=10), 1) + 0.05 * i + 0.013 for i in range(gate.arity or 1)]
    if name not in ("log", "sqrt"):
        inputs[0][::2] *= -1.0
    upstream = rng.uniform(0.5, 1.5, size=10)
    f = lambda *xs: mg.sum(gate(*xs, **params) * upstream)  # noqa: E731
    analytic = mg.grad(f, argnums=tuple(range(len(inputs))))(*inputs)
    measured = mg.numerical_grad(f, *inputs)
    errors = []
    for a, n in zip(analytic, measured if len(inputs) > 1 else (measured,), strict=True):
        size = max(np.linalg.norm(a), np.linalg.norm(n))
        errors.append(float(np.linalg.norm(a - n) / size) if size else 0.0)
    return errors


@pytest.mark.parametrize("name", [*SMOOTH, *KINKED])
def test_row_23_gates_pass_the_gradient_check(name: str, rng: np.random.Generator) -> None:
    assert max(relative_errors(name, rng)) < 1e-7


def test_row_23_most_smooth_gates_are_better_than_1e_9(rng: np.random.Generator) -> None:
    errors = [max(relative_errors(name, rng)) for name in SMOOTH]
    assert sum(error < 1e-9 for error in errors) > len(SMOOTH) / 2


@pytest.mark.parametrize("name", FLAT)
def test_row_23_both_zero_passes(name: str, rng: np.random.Generator) -> None:
    assert relative_errors(name, rng) == [0.0] * (mg.gates.REGISTRY[name].arity or 1)
    gate, others = mg.gates.REGISTRY[name], [0.3] * ((mg.gates.REGISTRY[name].arity or 1) - 1)
    assert mg.gradcheck(lambda x: gate(x, *others), np.array([0.7, -1.2]))


# ----------------------------------------------------------------------------------------------------- 24-29: circuits
def test_row_24_sensitivity_of_a_product() -> None:
    x, y = Value(4.0), Value(-3.0)
    f = x * y
    f.backward()
    assert (f.data, x.grad, y.grad) == (-12.0, -3.0, 4.0)
    h = 1e-3
    assert ((x + h) * y - f).item() == pytest.approx(-3.0 * h, rel=1e-12)  # changes by -3h


def test_row_25_the_chain_rule_on_a_circuit() -> None:
    x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    q = x + y
    f = q * z
    f.backward()
    assert (q.data, f.data) == (3.0, -12.0)
    assert (x.grad, y.grad, z.grad, q.grad, f.grad) == (-4.0, -4.0, 3.0, -4.0, 1.0)


def test_row_26_a_gate_of_ones_own() -> None:
    """The local gradient is that of the output with respect to the input; upstream times local goes back."""
    cube = Gate("cube", lambda x: x * x * x, local=[lambda out, x: 3.0 * x * x])
    x = Value(2.0)
    f = cube(x) * 5.0
    f.backward()
    assert f.inputs[0].local_gradients() == (12.0,)
    assert f.inputs[0].grad == 5.0  # upstream
    assert x.grad == 60.0
    assert mg.gradcheck(cube, np.array([0.5, -1.5]), order=2)


def test_row_27_sigmoid_neuron() -> None:
    w, x = Value([2.0, -3.0, -3.0]), Value([-1.0, -2.0])
    dot = w[:2] @ x + w[2]
    f = mg.sigmoid(dot)
    f.backward()
    assert dot.data == 1.0
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-15)
    np.testing.assert_allclose(x.grad, [0.3932238664829637, -0.5898357997244456], rtol=1e-15)
    np.testing.assert_allclose(w.grad, [-0.19661193324148185, -0.3932238664829637, 0.19661193324148185], rtol=1e-15)


def test_row_27_the_neuron_in_the_simplest_gates() -> None:
    w0, x0, w1, x1, w2 = [Value(number) for number in (2.0, -1.0, -3.0, -2.0, -3.0)]
    dot = w0 * x0 + w1 * x1 + w2
    turned = dot * -1.0
    power = mg.exp(turned)
    below = power + 1.0
    f = 1.0 / below
    f.backward()
    assert f.data == pytest.approx(0.7310585786300049, rel=1e-15)
    on_the_way = [v.grad for v in (f, below, power, turned, dot)]
    assert on_the_way == pytest.approx([1.0, -0.53, -0.53, -0.20, 0.20], abs=0.005)  # as printed in the notes
    assert [x0.grad, x1.grad] == pytest.approx([0.3932238664829637, -0.5898357997244456], rel=1e-14)
    assert [w0.grad, w1.grad, w2.grad] == pytest.approx(
        [-0.19661193324148185, -0.3932238664829637, 0.19661193324148185], rel=1e-14
    )


def test_row_28_staged_computation() -> None:
    x, y = Value(3.0), Value(-4.0)
    f = (x + mg.sigmoid(y)) / (mg.sigmoid(x) + (x + y) ** 2)
    f.backward()
    assert f.data == pytest.approx(1.545644884106644, rel=1e-15)
    assert x.grad == pytest.approx(2.059569795572165, rel=1e-14)
    assert y.grad == pytest.approx(1.592232751483809, rel=1e-14)


def test_row_29_patterns_in_the_flow() -> None:
    x, y, z, w = [Value(number) for number in (3.0, -4.0, 2.0, -1.0)]
    product, larger = x * y, mg.maximum(z, w)
    f = 2.0 * (product + larger)
    f.backward()
    assert f.data == -20.0
    assert (product.grad, larger.grad) == (2.0, 2.0)  # a sum distributes
    assert (z.grad, w.grad) == (2.0, 0.0)  # a maximum routes
    assert (x.grad, y.grad) == (-8.0, 6.0)  # a product swaps


# ---------------------------------------------------------------------------------------------------- 30, 31: matrices
def test_row_30_gradients_of_a_matrix_product(rng: np.random.Generator) -> None:
    W, X, dD = Value(rng.normal(size=(5, 10))), Value(rng.normal(size=(10, 3))), rng.normal(size=(5, 3))
    (W @ X).backward(dD)
    np.testing.assert_allclose(W.grad, dD @ X.data.T, rtol=1e-14)
    np.testing.assert_allclose(X.grad, W.data.T @ dD, rtol=1e-14)
    assert mg.gradcheck(mg.matmul, W.data, X.data, rtol=1e-8)


def test_row_30_broadcasting_sums_over_the_broadcast_axes(rng: np.random.Generator) -> None:
    D, bias, dD = Value(rng.normal(size=(5, 3))), Value(rng.normal(size=(5, 1))), rng.normal(size=(5, 3))
    (D + bias).backward(dD)
    np.testing.assert_array_equal(D.grad, dD)
    np.testing.assert_allclose(bias.grad, dD.sum(axis=1, keepdims=True), rtol=1e-15)


def test_row_31_scale_of_the_input() -> None:
    X, upstream = np.arange(12.0).reshape(4, 3) - 5.0, np.arange(8.0).reshape(4, 2) - 3.0  # whole: nothing is rounded
    slopes = []
    for scale in (1.0, 1000.0):
        layer = nn.Linear(3, 2, rng=0)
        layer(scale * X).backward(upstream)
        slopes.append(layer.weight.grad)
    assert np.count_nonzero(slopes[0]) == 6
    np.testing.assert_array_equal(slopes[1], 1000.0 * slopes[0])
