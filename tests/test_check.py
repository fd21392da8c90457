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
    assert lines[0].split() == ["order", "argument", "largest", "relative", "error"]
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


# ---------------------------------------------------------------------------------------------------------- randomness
def test_a_generator_from_a_number_is_new_and_another_is_itself():
    generator = mg.random.generator
    assert generator(5).random() == generator(np.int64(5)).random() == np.random.default_rng(5).random()
    own = np.random.default_rng(1)
    assert generator(own) is own
    assert generator() is generator(None)
    mg.seed(1)
    assert generator().random() == np.random.default_rng(1).random()
