"""Finite differences and gradcheck: right where calculus is known, red where a gate is wrong."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError, GradcheckError, GradientError, MinigradError


# ------------------------------------------------------------------------------------------------- numerical gradients
@pytest.mark.parametrize(("h", "error"), [(1e-1, 4.53e-3), (1e-3, 4.53e-7), (1e-5, 5.9e-11)])
def test_the_error_of_a_centred_difference(h, error):
    """SOURCES, exp at 1."""
    assert abs(mg.numerical_grad(mg.exp, 1.0, eps=h) - math.e) == pytest.approx(error, rel=0.01)


def test_the_error_falls_with_the_square_of_the_step():
    steps = np.array([1e-1, 3e-2, 1e-2, 3e-3, 1e-3])
    errors = [abs(mg.numerical_grad(mg.exp, 1.0, eps=h) - math.e) for h in steps]
    slope, _ = np.polyfit(np.log(steps), np.log(errors), 1)
    assert slope == pytest.approx(2.0, abs=0.01)
    tiny = [abs(mg.numerical_grad(mg.exp, 1.0, eps=h) - math.e) for h in (1e-5, 1e-9, 1e-13)]
    assert tiny[0] < tiny[1] < tiny[2]  # then rounding takes over


def test_a_difference_of_a_quadratic_is_exact():
    assert mg.numerical_grad(lambda x, y: x * y, 4.0, -3.0, eps=0.5) == (-3.0, 4.0)
    A = np.array([[2.0, 1.0], [0.0, 3.0]])
    np.testing.assert_allclose(mg.numerical_grad(lambda x: x @ A @ x, [1.0, -2.0]), (A + A.T) @ [1.0, -2.0], rtol=1e-9)


def test_numerical_gradients_have_the_arguments_shapes():
    x, y, z = 2.0, np.ones((2, 3)), mg.Value(np.ones(4))
    gx, gy, gz = mg.numerical_grad(lambda x, y, z: x * (y * y).sum() + z.mean(), x, y, z)
    assert type(gx) is float
    assert gx == pytest.approx(6.0)
    np.testing.assert_allclose(gy, np.full((2, 3), 4.0), rtol=1e-9)
    np.testing.assert_allclose(gz, np.full(4, 0.25), rtol=1e-9)
    assert mg.numerical_grad(lambda x: x.sum(), np.zeros((0, 2))).shape == (0, 2)
    assert z.grad is None


def test_numerical_gradients_leave_their_arguments_alone():
    x = np.array([1.0, 2.0])

    def greedy(v):
        v.data[...] = v.data * 2.0  # writes on its argument
        return v.sum()

    np.testing.assert_allclose(mg.numerical_grad(greedy, x), [2.0, 2.0], rtol=1e-9)
    assert x.tolist() == [1.0, 2.0]


def test_raw_functions_and_conditions_can_be_differenced():
    assert mg.numerical_grad(lambda x: math.sin(x.data), 0.3) == pytest.approx(math.cos(0.3), rel=1e-9)
    assert mg.numerical_grad(lambda x: x * x if x > 0 else -x, -2.0) == pytest.approx(-1.0)
    assert mg.numerical_grad(lambda x: 3, 2.0) == 0.0


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: None, "returned None; it must return one number"),
        (lambda x: x * np.ones(3), "it must return one number"),
        (lambda x: [1.0, 2.0], "it must return one number"),
        (lambda x: "1.0", "it must return one number"),
        (lambda x: x > 1.0, "returned (True|False); it must return one number"),
    ],
)
def test_a_difference_needs_one_number(f, text):
    with pytest.raises(GradientError, match=text):
        mg.numerical_grad(f, 2.0)


@pytest.mark.parametrize("eps", [0.0, -1e-5, float("nan"), float("inf")])
def test_a_step_above_zero(eps):
    with pytest.raises(ValueError, match=rf"eps={eps}.*above 0"):
        mg.numerical_grad(lambda x: x, 2.0, eps=eps)
    with pytest.raises(ValueError, match="eps="):
        mg.gradcheck(lambda x: x, 2.0, eps=eps)


# ----------------------------------------------------------------------------------------------------------- gradcheck
@pytest.mark.parametrize("order", [1, 2])
def test_what_is_right_passes(order, rng):
    X, W = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    cases = [
        (lambda x, y: x * y, (4.0, -3.0)),
        (lambda x, y, z: (x + y) * z, (-2.0, 5.0, -4.0)),
        (lambda w, x: mg.sigmoid(w @ x), (np.array([2.0, -3.0, -3.0]), np.array([-1.0, -2.0, 1.0]))),
        (lambda x, w: mg.softmax(x @ w.T, axis=1), (X, W)),
        (lambda x: x.reshape(-1)[[0, 0, 5]] ** 3, (X,)),
        (lambda x: mg.Value(1.0) * 2.0, (3.0,)),
        (lambda x: x - x, (3.0,)),  # both zero
        (lambda x: mg.relu(x), (np.array([-1.0, 2.0]),)),
    ]
    for f, xs in cases:
        report = mg.gradcheck(f, *xs, order=order)
        assert report
        assert report.max_error < 1e-6


def test_the_report_is_a_table():
    report = mg.gradcheck(lambda x, y: x * x * y, 2.0, np.ones(2), order=2)
    assert bool(report) is True
    assert [(order, argument) for order, argument, _ in report.rows] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert report.max_error == max(error for _, _, error in report.rows) < 1e-7
    lines = str(report).splitlines()
    assert lines[0].split() == ["order", "argument", "largest", "error"]
    assert [line.split()[:2] for line in lines[1:]] == [["1", "0"], ["1", "1"], ["2", "0"], ["2", "1"]]
    assert all(float(line.split()[2]) < 1e-7 for line in lines[1:])
    assert len(mg.gradcheck(lambda x: x, 1.0).rows) == 1


def test_values_may_be_given_and_are_left_alone():
    x = mg.Value(np.ones(3))
    x.grad = np.full(3, 7.0)
    assert mg.gradcheck(lambda x: x * x, x, order=2)
    assert x.grad.tolist() == [7.0] * 3
    assert x.data.tolist() == [1.0] * 3


def test_any_output_shape_is_weighted():
    """With equal weights, errors that cancel in the sum would pass: softmax's gradient of a sum is 0, as is 0."""
    zero = mg.Gate("zero", lambda x: mg.softmax(x, axis=-1), vjp=[lambda g, out, x: g * 0.0])
    assert abs(mg.grad(lambda x: mg.softmax(x).sum())(np.array([0.3, 0.4, 0.9]))).max() < 1e-15
    with pytest.raises(GradcheckError):
        mg.gradcheck(zero, np.array([0.3, 0.4, 0.9]))


def swapped_rows(g, out, x, y):
    return g[::-1]


@pytest.mark.parametrize(
    ("gate", "xs", "where"),
    [
        (mg.Gate("sign", np.sin, local=[lambda out, x: -np.cos(x)]), (0.4,), "argument 0:"),
        (mg.Gate("twice", np.square, local=[lambda out, x: x]), (np.array([[0.5, 2.0]]),), r"argument 0\[0, 0\]"),
        (mg.Gate("second", np.multiply, local=[lambda out, a, b: b, 1.0]), (2.0, 3.0), "argument 1:"),
        (
            mg.Gate("rows", np.add, vjp=[lambda g, out, x, y: g, swapped_rows]),
            (np.ones(3), np.ones(3)),
            r"argument 1\[0\]",
        ),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_a_wrong_gate_is_named_by_argument_index_and_both_numbers(gate, xs, where):
    with pytest.raises(GradcheckError, match=rf"order 1: {where}.*gradient says .*differences say .*entries disagree"):
        mg.gradcheck(gate, *xs)


def test_the_two_numbers_in_the_message():
    gate = mg.Gate("twice too much", np.square, local=[lambda out, x: 4.0 * x])
    with pytest.raises(GradcheckError) as caught:
        mg.gradcheck(gate, 3.0)
    said, measured = re.search(r"says ([\d.]+), differences say ([\d.]+) \(1 of 1 entries", str(caught.value)).groups()
    assert float(said) / float(measured) == pytest.approx(2.0, rel=1e-6)


SECOND_ORDER_ONLY = {
    "raw out": (mg.Gate("g", np.exp, local=[lambda out, x: out.data if isinstance(out, mg.Value) else out]), 0.4),
    "raw input": (
        mg.Gate("g", np.square, local=[lambda out, x: 2.0 * (x.data if isinstance(x, mg.Value) else x)]),
        0.4,
    ),
    "a factor only when recorded": (
        mg.Gate("g", np.exp, local=[lambda out, x: out * 0.9 if isinstance(out, mg.Value) else out]),
        0.4,
    ),
}


@pytest.mark.parametrize("name", SECOND_ORDER_ONLY)
def test_wrong_in_second_order_only(name):
    gate, x = SECOND_ORDER_ONLY[name]
    assert mg.gradcheck(gate, x)
    with pytest.raises(GradcheckError, match="order 2: argument 0"):
        mg.gradcheck(gate, x, order=2)


def test_not_a_number_is_wrong_never_equal():
    for bad in (float("nan"), float("inf")):
        gate = mg.Gate("bad", np.square, local=[lambda out, x, bad=bad: x * bad])
        with pytest.raises(GradcheckError, match=r"nan|inf"):
            mg.gradcheck(gate, np.array([1.0, 2.0]))


def test_tolerances():
    gate = mg.Gate("off", np.square, local=[lambda out, x: 2.0 * x * 1.001])
    with pytest.raises(GradcheckError):
        mg.gradcheck(gate, 3.0)
    assert mg.gradcheck(gate, 3.0, rtol=1e-2).max_error == pytest.approx(1e-3, rel=0.01)
    assert mg.gradcheck(gate, 3.0, atol=1.0)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: mg.gradcheck(mg.exp, np.ones(2, np.float32)), DtypeError, r"needs float64.*astype\(float\)"),
        (lambda: mg.gradcheck(mg.exp, mg.Value(np.float32(1.0))), DtypeError, "needs float64"),
        (lambda: mg.gradcheck(mg.multiply, 1.0, np.ones(2, np.float32)), DtypeError, "needs float64"),
        (lambda: mg.gradcheck(mg.exp, np.array([True])), DtypeError, "mask"),
        (lambda: mg.gradcheck(mg.exp, "1"), DtypeError, "number"),
        (lambda: mg.gradcheck(mg.exp), ValueError, "at least one argument"),
        (lambda: mg.gradcheck(mg.exp, 1.0, order=3), ValueError, "order=3"),
        (lambda: mg.gradcheck(mg.exp, 1.0, order=0), ValueError, "order=0"),
        (lambda: mg.gradcheck(lambda x: x.data, 1.0), GradientError, "returned 1.0, not a Value"),
        (lambda: mg.gradcheck(lambda x: None, 1.0), GradientError, "returned None, not a Value"),
    ],
)
def test_what_gradcheck_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_whole_numbers_are_checked_as_floats():
    assert mg.gradcheck(lambda x: x * x, 3)
    assert mg.gradcheck(lambda x: x * x, np.array([1, 2]), order=2)


def test_a_failed_check_is_an_assertion_and_a_minigrad_error():
    assert issubclass(GradcheckError, AssertionError)
    assert issubclass(GradcheckError, MinigradError)


def test_checks_draw_nothing_from_the_default_generator():
    mg.seed(0)
    expected = mg.random.generator().random()
    mg.seed(0)
    mg.gradcheck(lambda x: x * x, np.ones(3), order=2)
    assert mg.random.generator().random() == expected


# --------------------------------------------------------------------------------------------------------------- kinks
X_LOG_X = mg.Gate(
    "x_log_x",
    lambda x: np.where(x == 0.0, 0.0, x * np.log(np.where(x == 0.0, 1.0, x))),
    local=[lambda out, x: mg.log(x) + 1.0],
)


def kinks(f, *xs, **how):
    return [(k.kind, k.index, k.left, k.right, k.analytic) for k in mg.gradcheck(f, *xs, **how).kinks]


@pytest.mark.parametrize(
    ("f", "xs", "found"),
    [
        (mg.relu, (0.0,), [("kink", (), 0, 1, 0)]),
        (abs, (0.0,), [("kink", (), -1, 1, 0)]),  # the centred difference agrees, and still it is a kink
        (mg.maximum, (1.5, 1.5), [("kink", (), 0, 1, 0.5)] * 2),
        (lambda x: mg.max(x), (np.ones(3),), [("kink", (i,), 0, 1, 1 / 3) for i in range(3)]),
        (lambda x: mg.linalg.norm(x), (np.zeros(2),), [("kink", (i,), -1, 1, 0) for i in range(2)]),
        (lambda x: mg.relu(x).sum(), (np.array([1.0, 0.0, -2.0]),), [("kink", (1,), 0, 1, 0)]),
        (lambda x: 1e-9 * mg.relu(x), (0.0,), [("kink", (), 0, 1e-9, 0)]),
        (lambda x: 1e9 * mg.relu(x - 1e5), (1e5,), [("kink", (), 0, 1e9, 0)]),
        (mg.sqrt, (0.0,), [("edge", (), math.nan, math.inf, math.inf)]),
        (mg.log, (0.0,), [("edge", (), math.nan, math.inf, math.inf)]),
        (mg.cbrt, (0.0,), [("vertical", (), math.inf, math.inf, math.inf)]),
        (lambda x: x**0.9, (0.0,), [("edge", (), math.nan, math.inf, math.inf)]),
        (X_LOG_X, (0.0,), [("edge", (), math.nan, -math.inf, -math.inf)]),
        (lambda x: abs(x) ** 0.9, (1e-300,), []),
        (mg.arccos, (-1.0,), [("edge", (), math.nan, -math.inf, -math.inf)]),
        (mg.floor, (2.0,), [("jump", (), 0, 0, 0)]),
        (mg.sign, (0.0,), [("jump", (), 0, 0, 0)]),
    ],
)
def test_a_kink_is_reported_and_is_no_mistake(f, xs, found):
    for got, expected in zip(kinks(f, *xs), found, strict=True):
        assert got[:2] == expected[:2]
        assert got[2:] == pytest.approx(expected[2:], rel=1e-6, abs=1e-12, nan_ok=True)


def test_a_kink_in_words():
    assert str(mg.gradcheck(mg.relu, 0.0)).splitlines()[-1] == (
        "order 1, argument 0: kink, slope 0 on the left, 1 on the right, gradient 0"
    )
    assert "edge of the domain, nothing on the left, slope inf, gradient inf" in str(mg.gradcheck(mg.sqrt, 0.0))
    assert "argument 1[2]: kink" in str(mg.gradcheck(lambda x, y: x * abs(y).sum(), 2.0, np.array([1.0, 2.0, 0.0])))


def test_where_the_first_derivative_jumps_there_is_no_second():
    assert [k[0] for k in kinks(mg.relu, 0.0, order=2)] == ["kink", "jump"]
    X, W = np.array([[0.0, 0.0], [1.0, -2.0]]), np.array([[0.5, -1.5], [1.0, 0.3]])
    assert {k[0] for k in kinks(lambda x, w: mg.relu(x @ w), X, W, order=2)} == {"kink", "jump"}


@pytest.mark.parametrize("at_zero", [0.0, 0.25, 1.0])
def test_any_gradient_between_the_slopes_will_do(at_zero):
    gate = mg.Gate("ramp", lambda x: np.maximum(x, 0.0), local=[lambda out, x: mg.where(x == 0.0, at_zero, x > 0.0)])
    assert mg.gradcheck(gate, np.zeros(1)).kinks


@pytest.mark.parametrize("at_zero", [-0.1, 1.1, 2.0, math.nan, math.inf])
def test_a_gradient_outside_the_slopes_is_a_mistake_that_names_both(at_zero):
    gate = mg.Gate("ramp", lambda x: np.maximum(x, 0.0), local=[lambda out, x: mg.where(x == 0.0, at_zero, x > 0.0)])
    text = r"argument 0\[0\]: the gradient says \S+, differences say 0 on the left and 1 on the right;"
    with pytest.raises(GradcheckError, match=text):
        mg.gradcheck(gate, np.zeros(2))


@pytest.mark.parametrize("finite", [0.0, 1.0, -math.inf])
def test_a_finite_gradient_where_the_slope_grows_without_bound(finite):
    gate = mg.Gate("root", np.sqrt, local=[lambda out, x: mg.where(x == 0.0, finite, 0.5 / np.maximum(out, 1e-300))])
    with pytest.raises(GradcheckError, match="no bound on the right, where the slope grows and grows, at the edge"):
        mg.gradcheck(gate, np.zeros(1))


def test_a_point_where_conventions_do_not_add_up():
    """x log x has the slope log x + 1, -inf at 0; the gate xlogy takes 0 log 0 for 0 on both wires."""
    with pytest.raises(GradcheckError, match=r"(?s)no bound on the right.*Near this point the gradient is right"):
        mg.gradcheck(lambda x: mg.xlogy(x, x), 0.0)


def test_curvature_is_no_kink():
    """At an extremum the two slopes differ by 100 %, and on a sharp bend by more than a kink's worth."""
    for f, x in [
        (mg.square, 0.0),
        (mg.cos, 0.0),
        (lambda x: mg.sqrt(x * x + 1e-4), 0.0),
        (lambda x: mg.softplus(1e3 * x), 0.0),
        (lambda x: 1e4 * x * x + x, 0.0),
        (lambda x: mg.tanh(1e3 * x), 1e-3),
    ]:
        report = mg.gradcheck(f, x, order=2)
        assert not report.kinks
        assert report.max_error < 1e-5


@pytest.mark.parametrize("factor", [0.0, 0.99, 1.01, -1.0, 2.0])
@pytest.mark.parametrize("x", [0.0, 1e-4, -1e-3, 0.7])
def test_curvature_hides_no_mistake(factor, x):
    """A wrong slope of 1000 x² + x is wrong at the bottom too, where the slopes on both sides differ."""
    gate = mg.Gate("bowl", lambda x: 1e3 * x * x + x, local=[lambda out, x: factor * (2e3 * x + 1.0)])
    with pytest.raises(GradcheckError):
        mg.gradcheck(gate, x)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-6, 1e-7, 1e-9, 1e-12])
def test_beside_a_kink_the_slope_is_the_near_one(distance):
    for x in (distance, -distance):
        assert mg.gradcheck(mg.relu, x)
        assert mg.gradcheck(lambda y: mg.relu(y - 1.0), 1.0 + x)
    if distance > 1e-12:
        with pytest.raises(GradcheckError):
            mg.gradcheck(mg.Gate("leak", lambda x: np.maximum(x, 0.0), local=[0.3]), distance)


# --------------------------------------------------------------------------------------------------- steps and rounding
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (mg.log, 1e-10), (mg.log, 1e-200), (mg.log, 1e200), (mg.reciprocal, 1e-30), (mg.sqrt, 1e-20),
        (mg.square, 1e150), (mg.square, 1e-150), (mg.sin, 1e5), (mg.sin, 1e10), (mg.exp, 700.0), (mg.exp, -700.0),
        (lambda x: mg.sin(1e4 * x), 1.0), (lambda x: x**5, 1e3), (mg.sigmoid, 30.0), (mg.lgamma, 1e8),
    ],
)  # fmt: skip
def test_steps_fit_large_and_tiny_numbers(f, x):
    assert mg.gradcheck(f, x, order=1)
    for factor in (0.5, 1.001, -1.0):
        wrong = mg.Gate("wrong", lambda y: f(y), vjp=[lambda g, out, y, k=factor: g * mg.grad(f)(y) * k])
        if abs(mg.grad(f)(x)) * abs(1.0 - factor) > 1e-9 * abs(f(x)):  # else it drowns in the rounding of f
            with pytest.raises(GradcheckError):
                mg.gradcheck(wrong, x)


def test_rounding_is_told_from_a_mistake():
    with pytest.raises(GradcheckError, match=r"unreliable here.*rounding.*Check at another point") as caught:
        mg.gradcheck(lambda x: (x + 1e15) - 1e15, 0.7)
    assert "mistake" not in str(caught.value)
    assert mg.gradcheck(lambda x: (x + 1e8) - 1e8, 0.7).max_error < 1e-3
    with pytest.raises(GradcheckError, match=r"the gradient says 1.5, differences say"):
        mg.gradcheck(mg.Gate("far", lambda x: (x + 1e8) - 1e8, local=[1.5]), 0.7)


def test_slopes_that_settle_nowhere_excuse_nothing():
    """x sin(1/x) at 0: the slopes on each side wander between -1 and 1."""

    def wobble(x):
        with np.errstate(all="ignore"):
            return np.where(x == 0.0, 0.0, x * np.sin(1.0 / x))

    with pytest.raises(GradcheckError, match="unreliable here"):
        mg.gradcheck(mg.Gate("wobble", wobble, local=[0.0]), np.zeros(1))


def test_outside_the_domain_differences_can_not_tell():
    with pytest.raises(GradcheckError, match="nan"):
        mg.gradcheck(mg.log, -1.0)


def test_a_random_function_is_refused():
    noise = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match=r"two results for the same numbers.*eval\(\)"):
        mg.gradcheck(lambda x: x * noise.random(), 2.0)


# ----------------------------------------------------------------------------------------------------- modes and passes
def counted(f):
    def g(*xs):
        g.calls += 1
        return f(*xs)

    g.calls = 0
    return g


def test_the_cost_of_directions_does_not_grow_with_the_size():
    for n in (10, 2000, 50_000):
        f = counted(lambda x: mg.tanh(x).sum())
        report = mg.gradcheck(f, np.linspace(-1.0, 1.0, n), mode="directions", order=2)
        assert report.mode == "directions"
        assert report.max_error < 1e-6
        assert f.calls < 500


def test_auto_is_full_for_small_inputs():
    assert mg.gradcheck(mg.tanh, np.ones(1000)).mode == "full"
    assert mg.gradcheck(lambda x, y: mg.tanh(x) + y, np.ones((1000, 1)), 1.0).mode == "directions"
    assert mg.gradcheck(mg.tanh, np.ones(1001), mode="full").pairs[0].numeric.shape == (1001,)
    with pytest.raises(ValueError, match=r"mode='some'.*'full', 'directions' and 'auto'"):
        mg.gradcheck(mg.tanh, 1.0, mode="some")


@pytest.mark.parametrize("wrong", [0, 777, 4999])
def test_directions_find_the_one_wrong_entry(wrong, rng):
    def rule(g, out, x):
        sent = g * 2.0 * x
        scale = np.ones(x.shape)
        scale[wrong] = 1.01
        return sent * scale

    gate = mg.Gate("nearly", np.square, vjp=[rule])
    with pytest.raises(
        GradcheckError, match=rf"argument 1\[{wrong}\]: the gradient says.*directions disagree"
    ) as caught:
        mg.gradcheck(lambda y, x: gate(x) * y, 2.0, rng.uniform(0.5, 1.0, 5000))
    assert caught.value.report.mistake.index == (wrong,)


def test_directions_see_kinks_and_sizes(rng):
    report = mg.gradcheck(lambda x: mg.relu(x).sum(), np.zeros(2000))
    assert {kink.kind for kink in report.kinks} == {"kink"}
    assert mg.gradcheck(lambda x: mg.log(x).sum(), rng.uniform(1e-6, 1e-3, 2000), order=2)
    assert mg.gradcheck(lambda x: mg.sqrt(x).sum(), rng.uniform(1.0, 1e9, 2000), order=2)


def test_other_directions_are_drawn_with_rng():
    numbers = [mg.gradcheck(mg.tanh, np.ones(9), mode="directions", rng=seed).pairs[0].numeric for seed in (0, 0, 1)]
    assert np.array_equal(numbers[0], numbers[1])
    assert not np.allclose(numbers[0], numbers[2])


def test_the_forward_pass_is_compared_too():
    """Right backwards, wrong forwards: a vjp that squares the upstream gradient agrees where that is 1."""
    gate = mg.Gate("bent", lambda x: np.sum(x * x), vjp=[lambda g, out, x: g * g * 2.0 * x])
    with pytest.raises(GradcheckError, match=r"forward mode \(jvp\) says .*, backward and differences say"):
        mg.gradcheck(gate, np.array([1.0, 2.0]))


def test_a_function_may_return_several_values(rng):
    A = rng.normal(size=(3, 3))
    A = A @ A.T + np.diag([1.0, 2.0, 3.0])
    for f in (mg.linalg.qr, mg.linalg.eigh, mg.linalg.slogdet, lambda a: [a * a, mg.sin(a)], lambda a: (a, 3.0)):
        assert mg.gradcheck(f, A, order=2)
    with pytest.raises(GradcheckError, match="argument 0: the gradient says 2, "):
        mg.gradcheck(lambda x: mg.stack([mg.Gate("g", np.sin, local=[2.0])(x), x])[0], 0.3)


# ---------------------------------------------------------------------------------------------------------- the picture
def test_a_picture_of_gradient_over_differences(tmp_path):
    pytest.importorskip("matplotlib")
    report = mg.gradcheck(lambda x, y: mg.relu(x) * y, np.array([1.0, 0.0, -2.0]), 3.0, order=2)
    figure = report.plot(tmp_path / "check.png")
    assert (tmp_path / "check.png").read_bytes().startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == ["order 1", "order 2"]
    points = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(points[0], [3.0, 3.0], rtol=1e-6)  # of the output that it moves, without a weight
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["argument 0", "argument 1", "kink: left to right slope"]


def test_a_picture_of_a_failed_check_rings_what_disagrees():
    pytest.importorskip("matplotlib")
    gate = mg.Gate("off", np.square, local=[lambda out, x: mg.where(x > 1.0, 3.0 * x, 2.0 * x)])
    with pytest.raises(GradcheckError) as caught:
        mg.gradcheck(gate, np.array([0.5, 2.0]))
    axes = mg.viz.plot_gradcheck(caught.value.report).axes[0]
    rings = [c for c in axes.collections if c.get_label() == "disagrees"]
    assert len(rings) == 1
    assert len(rings[0].get_offsets()) == 1
    assert [text.get_text() for text in axes.texts] == ["argument 0[1]"]


def test_a_picture_of_nothing_says_why():
    pytest.importorskip("matplotlib")
    gate = mg.Gate("wide", np.square, vjp=[lambda g, out, x: mg.sum(g)])
    with pytest.raises(GradcheckError) as caught:
        mg.gradcheck(gate, np.ones(3))
    with pytest.raises(MinigradError, match="nothing was compared"):
        caught.value.report.plot()


# ---------------------------------------------------------------------------------------------------------- randomness
def test_a_generator_from_a_number_is_new_and_another_is_itself():
    generator = mg.random.generator
    assert generator(5).random() == generator(np.int64(5)).random() == np.random.default_rng(5).random()
    own = np.random.default_rng(1)
    assert generator(own) is own
    assert generator() is generator(None)
    mg.seed(1)
    assert generator().random() == np.random.default_rng(1).random()
