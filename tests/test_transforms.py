"""grad and value_and_grad: any arguments, any containers, any nesting, and never a touch of `.grad`."""

from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.check.sampling import Case, cases_of, is_float
from minigrad.errors import DtypeError, GradientError
from minigrad.gates import REGISTRY
from minigrad.transforms import Trace, by_columns, by_rows
from minigrad.tree import tree_leaves, tree_map

Point = namedtuple("Point", "x y")


def volume(x, y, z):
    return x * y * y * z * z * z


SLOPES = (9.0 * 64.0, 2.0 * 2.0 * 3.0 * 64.0, 2.0 * 9.0 * 3.0 * 16.0)  # at (2, 3, 4)


# ------------------------------------------------------------------------------------------------------------ arguments
@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, SLOPES[0]),
        (2, SLOPES[2]),
        (-1, SLOPES[2]),
        (-3, SLOPES[0]),
        ((0, 1, 2), SLOPES),
        ((2, 0), (SLOPES[2], SLOPES[0])),
        ((-1, 0), (SLOPES[2], SLOPES[0])),
        ((1,), (SLOPES[1],)),
        ((1, 1), (SLOPES[1], SLOPES[1])),
        ((), ()),
    ],
)
def test_argnums(argnums, expected):
    assert mg.grad(volume, argnums)(2.0, 3.0, 4.0) == expected
    assert mg.value_and_grad(volume, argnums=argnums)(2.0, 3.0, 4.0) == (2.0 * 9.0 * 64.0, expected)


@pytest.mark.parametrize("argnums", [3, -4, (0, 3)])
def test_an_argument_that_is_not_there(argnums):
    with pytest.raises(GradientError, match=r"argnums=.*volume was called with 3 arguments"):
        mg.grad(volume, argnums)(2.0, 3.0, 4.0)
    with pytest.raises(GradientError, match="called with 0 arguments"):
        mg.grad(volume)(x=2.0, y=3.0, z=4.0)


def test_keyword_arguments_are_passed_on():
    def power(x, *, n, shift=0.0):
        return x**n + shift

    assert mg.grad(power)(2.0, n=3) == 12.0
    assert mg.value_and_grad(power)(2.0, n=3, shift=1.0) == (9.0, 12.0)
    value, slope = mg.value_and_grad(power)(2.0, n=3, shift=mg.Value(1.0))
    assert isinstance(value, mg.Value)
    assert isinstance(slope, mg.Value)
    assert (value.data, slope.data) == (9.0, 12.0)


def test_the_function_keeps_its_name():
    assert mg.grad(volume).__name__ == "volume"
    assert mg.value_and_grad(volume).__name__ == "volume"


@pytest.mark.parametrize(
    ("make", "unpack"),
    [
        (lambda w, b: [w, b], lambda p: p),
        (lambda w, b: (w, b), lambda p: p),
        (lambda w, b: {"w": w, "b": b}, lambda p: (p["w"], p["b"])),
        (lambda w, b: Point(w, b), lambda p: (p.x, p.y)),
        (lambda w, b: {"b": [b], "deep": ({"w": w},)}, lambda p: (p["deep"][0]["w"], p["b"][0])),
        (lambda w, b: [[], {}, (w, (), Point(b, []))], lambda p: (p[2][0], p[2][2].x)),
    ],
    ids=["list", "tuple", "dict", "namedtuple", "nested", "empty parts"],
)
def test_containers_come_back_as_they_are(make, unpack):
    w, b = np.array([[1.0, 2.0], [3.0, 4.0]]), 5.0
    given = make(w, b)

    def f(p):
        w, b = unpack(p)
        return (w * w).sum() * b

    slopes = mg.grad(f)(given)
    assert type(slopes) is type(given)
    dw, db = unpack(slopes)
    np.testing.assert_array_equal(dw, 2.0 * w * b)
    assert db == 30.0
    assert type(db) is float
    assert repr(make(0, 1)) == repr(mg.tree.tree_map(lambda x: int(np.ndim(x) == 0), slopes))
    recorded = mg.grad(f)(make(mg.Value(w), b))
    assert all(isinstance(g, mg.Value) for g in unpack(recorded))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_have_the_kind_and_dtype_of_their_argument(dtype):
    def f(x):
        return (x * x * 3.0).sum()

    x = np.array([1.0, 2.0], dtype)
    assert mg.grad(f)(x).dtype == dtype
    assert mg.grad(f)(x.reshape(2, 1)).shape == (2, 1)
    assert type(mg.grad(f)(2)) is float
    assert type(mg.grad(f)(np.float64(2.0))) is float
    assert mg.grad(f)(np.array([1, 2])).tolist() == [6.0, 12.0]
    zero_d = mg.grad(f)(np.float32(2.0))
    assert (zero_d.shape, zero_d.dtype) == ((), np.float32)
    assert mg.grad(f)(mg.Value(x)).dtype == dtype


def test_raw_in_raw_out_and_values_in_values_out():
    value, slope = mg.value_and_grad(lambda x: x * x)(3.0)
    assert (type(value), type(slope)) == (float, float)
    value, slope = mg.value_and_grad(lambda x: (x * x).sum())(np.ones(2))
    assert (type(value), type(slope)) == (float, np.ndarray)
    x = mg.Value(3.0)
    value, slope = mg.value_and_grad(lambda x: x * x)(x)
    assert (value.data, slope.data) == (9.0, 6.0)
    (slope * value).backward()  # 2x · x², recorded all the way to the Value that was given
    assert x.grad == 6.0 * 9.0
    for f in (mg.grad(lambda x, y: x * y), mg.grad(lambda y, x: x * y, 1)):
        assert isinstance(f(2.0, mg.Value(3.0)), mg.Value)


def test_a_constant_given_as_a_value_is_still_differentiated():
    frozen = mg.Value(3.0, requires_grad=False)
    slope = mg.grad(lambda x: x * x)(frozen)
    assert slope.data == 6.0
    assert not frozen.requires_grad


def test_a_captured_parameter_is_a_constant():
    model = nn.Linear(3, 1, rng=0)
    X = np.ones((2, 3))
    slope = mg.grad(lambda x: model(x).sum())(X)
    assert type(slope) is np.ndarray
    np.testing.assert_array_equal(slope, np.tile(model.weight.data, (2, 1)))
    assert model.weight.grad is None
    loss = model(mg.grad(lambda x: model(x * x).sum())(mg.Value(X))).sum()  # and yet recorded when Values come in
    loss.backward()
    assert model.weight.grad is not None


# --------------------------------------------------------------------------------------------------------- no gradients
def test_no_path_gives_zeros():
    unused = (np.array([1.0, np.inf]), float("nan"), np.float32(2.0))
    slopes = mg.grad(lambda a, b: b * b)(unused, 3.0)
    assert slopes[0].tolist() == [0.0, 0.0]
    assert slopes[1] == 0.0
    assert slopes[2] == 0.0
    assert slopes[2].dtype == np.float32
    assert mg.grad(lambda x: mg.Value(7.0))(2.0) == 0.0
    assert mg.grad(lambda x: 7.0)(2.0) == 0.0
    assert mg.grad(lambda x: x.detach() * 2.0)(2.0) == 0.0
    assert mg.grad(lambda x: x // 1.0)(2.5) == 0.0


def test_a_raw_result_comes_out_as_a_value_where_values_went_in():
    value, slope = mg.value_and_grad(lambda x: 7)(mg.Value(2.0))
    assert (value.data, slope.data) == (7.0, 0.0)
    assert type(value.data) is float
    assert mg.value_and_grad(lambda x: np.float64(7.0))(mg.Value(2.0))[0].data == 7.0


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: None, "returned None; it must return one number"),
        (lambda x: "3.0", "returned '3.0'; it must return one number"),
        (lambda x: (x, x), "must return one number"),
        (lambda x: [x], "must return one number"),
        (lambda x: {"loss": x}, "must return one number"),
        (lambda x: x > 1.0, "returned True; it must return one number"),
        (lambda x: x * np.ones(3), r"with 3 numbers; a gradient is of one number: reduce it, as with .sum\(\)"),
        (lambda x: np.ones((2, 2)), r"\(2, 2\) with 4 numbers"),
        (lambda x: np.array([True]), "must return one number"),
        (lambda x: np.zeros(0), "with 0 numbers"),
    ],
)
def test_what_is_not_a_number(f, text):
    for x in (2.0, mg.Value(2.0)):
        with pytest.raises(GradientError, match=text):
            mg.grad(f)(x)
        with pytest.raises(GradientError, match=text):
            mg.value_and_grad(f)(x)


def test_the_message_names_the_function():
    def my_model(x):
        return x * np.ones(3)

    with pytest.raises(GradientError, match=r"my_model returned .*3"):
        mg.grad(my_model)(1.0)


@pytest.mark.parametrize("x", [True, "2.0", None, 1j, np.array([True]), np.float16(1.0)])
def test_what_has_no_gradient(x):
    with pytest.raises(DtypeError):
        mg.grad(lambda x: x)(x)
    with pytest.raises(DtypeError):
        mg.grad(lambda p: p["a"])({"a": 1.0, "b": [x]})


def test_an_error_inside_leaves_no_trace():
    def fails(x):
        raise KeyError("on purpose")

    for _ in range(2):
        with pytest.raises(KeyError, match="on purpose"):
            mg.grad(lambda w: mg.grad(fails)(w))(1.0)
    with mg.no_grad(), pytest.raises(KeyError):
        mg.grad(fails)(1.0)
    assert mg.Value(1.0) * 2.0 is not None
    assert (mg.Value(1.0) * 2.0).requires_grad  # recording is as it was
    assert type(mg.grad(lambda x: x * x)(2.0)) is float  # and no variable is around us


# -------------------------------------------------------------------------------------------------------------- nesting
CURVES = {
    "polynomial": (
        lambda x: x * x * x * x * 2.0 - x * x,
        [lambda x: 8 * x**3 - 2 * x, lambda x: 24 * x**2 - 2, lambda x: 48 * x],
    ),
    "exp": (lambda x: mg.exp(x * 2.0), [lambda x, n=n: 2**n * math.exp(2 * x) for n in (1, 2, 3)]),
    "log": (mg.log, [lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3]),
    "power": (lambda x: x**2.5, [lambda x: 2.5 * x**1.5, lambda x: 3.75 * x**0.5, lambda x: 1.875 * x**-0.5]),
    "tanh": (
        mg.tanh,
        [
            lambda x: 1 - math.tanh(x) ** 2,
            lambda x: -2 * math.tanh(x) * (1 - math.tanh(x) ** 2),
            lambda x: (1 - math.tanh(x) ** 2) * (6 * math.tanh(x) ** 2 - 2),
        ],
    ),
    "reciprocal": (lambda x: 1.0 / x, [lambda x: -1 / x**2, lambda x: 2 / x**3, lambda x: -6 / x**4]),
    "branches": (lambda x: x * x * x if x > 0.5 else x, [lambda x: 3 * x * x, lambda x: 6 * x, lambda x: 6.0]),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("x", [0.7, 1.9])
def test_three_orders_are_the_closed_forms(name, x):
    f, derivatives = CURVES[name]
    for expected in derivatives:
        f = mg.grad(f)
        assert type(f(x)) is float
        assert f(x) == pytest.approx(expected(x), rel=1e-12)
    if name == "branches":  # no array decides between branches
        return
    f, _ = CURVES[name]
    points = np.array([x, x + 0.1])
    for expected in derivatives:
        f = mg.grad(lambda x, f=f: mg.sum(f(x)))
        np.testing.assert_allclose(f(points), [expected(p) for p in points], rtol=1e-12)


def test_mixed_derivatives_in_either_order():
    def f(x, y):
        return x * x * x * y * y

    for outer, inner in ((0, 1), (1, 0)):
        assert mg.grad(mg.grad(f, inner), outer)(2.0, 3.0) == 6.0 * 4.0 * 3.0
    third = mg.grad(mg.grad(mg.grad(f, 0), 0), 1)
    assert third(2.0, 3.0) == 12.0 * 2.0 * 3.0


def test_inner_derivatives_with_inner_variables():
    def f(x):  # x · d/dy (y² x + y) at y = x: x (2x² + 1)
        return x * mg.grad(lambda y: y * y * x + y)(x)

    assert f(3.0) == 57.0
    assert mg.grad(f)(3.0) == 6.0 * 9.0 + 1.0
    assert mg.grad(mg.grad(f))(3.0) == 36.0
    assert mg.grad(mg.grad(mg.grad(f)))(3.0) == 12.0


def test_the_hessian_of_rosenbrocks_function():
    def f(p):
        return (p[1] - p[0] * p[0]) ** 2 * 100.0 + (1.0 - p[0]) ** 2

    at = np.array([1.0, 1.0])
    rows = [mg.grad(lambda p, i=i: mg.grad(f)(p)[i])(at) for i in (0, 1)]
    np.testing.assert_allclose(rows, [[802.0, -400.0], [-400.0, 200.0]], rtol=1e-13)
    assert np.linalg.cond(np.array(rows)) == pytest.approx(2508.01, abs=0.01)


def test_value_and_grad_nests():
    def penalised(x):
        value, slope = mg.value_and_grad(lambda y: y * y * y)(x)
        return value + slope * slope  # x³ + 9x⁴

    assert mg.value_and_grad(penalised)(2.0) == (8.0 + 144.0, 12.0 + 36.0 * 8.0)


def test_training_through_a_step_of_gradient_descent():
    """The derivative of a loss after a step, to the learning rate: L((1 - 2 lr)² x²) for L = x²."""

    def after_one_step(lr, x):
        return (x - lr * mg.grad(lambda x: x * x)(x)) ** 2

    assert mg.grad(after_one_step)(0.1, 3.0) == pytest.approx(-4.0 * (1 - 0.2) * 9.0)


def test_an_inner_result_that_depends_on_nothing_around_is_raw():
    seen = []

    def f(x):
        seen.append(mg.grad(lambda y: y * y)(5.0))
        seen.append(mg.grad(lambda y: y * x)(5.0))
        seen.append(mg.grad(lambda y: y * 1.0)(np.float32(5.0)))
        return x * seen[0]

    assert mg.grad(f)(2.0) == 10.0
    assert type(seen[0]) is float
    assert isinstance(seen[1], mg.Value)
    assert type(seen[2]) is np.ndarray
    assert mg.grad(lambda w: mg.grad(lambda x: x * 3.0)(np.float32(2.0)))(3.0) == 0.0


def test_under_no_grad_there_are_still_gradients_but_no_recording():
    x = mg.Value(3.0)
    with mg.no_grad():
        assert mg.grad(lambda v: v * v)(3.0) == 6.0
        assert mg.grad(mg.grad(lambda v: v * v * v))(2.0) == 12.0
        value, slope = mg.value_and_grad(lambda v: v * v)(x)
    assert (value.data, slope.data) == (9.0, 6.0)
    assert not value.requires_grad
    assert not slope.requires_grad


def test_no_grad_inside_stops_the_path():
    def f(x):
        with mg.no_grad():
            y = x * x
        return y * x

    assert mg.grad(f)(3.0) == 9.0


# --------------------------------------------------------------------------------------------------------- side effects
def test_grads_are_neither_read_nor_written():
    a, b = mg.Value(np.ones(2)), mg.Value(3.0)
    product = a * b
    for v in (a, b, product):
        v.grad = v.data * 0.0 + 17.0
    mg.value_and_grad(lambda x, y: (x * y * product * b).sum(), argnums=(0, 1))(a, 2.0)
    mg.grad(lambda x: mg.grad(lambda y: (x * y * y * a).sum())(b))(b)
    assert a.grad.tolist() == product.grad.tolist() == [17.0, 17.0]
    assert b.grad == 17.0


def test_arguments_are_not_changed_and_results_are_the_callers():
    data = {"w": np.ones(3), "b": [np.zeros(2)]}
    value, slopes = mg.value_and_grad(lambda p: mg.sum(p["w"] * 1.0) + mg.sum(p["b"][0]))(data)
    slopes["w"][:] = 9.0
    slopes["b"][0][:] = 9.0
    assert value == 3.0
    assert data["w"].tolist() == [1.0] * 3
    assert data["b"][0].tolist() == [0.0] * 2
    same = np.ones(2)
    value, slope = mg.value_and_grad(lambda x: x[0] * 1.0)(same)
    assert value == 1.0
    slope[:] = 5.0
    assert same.tolist() == [1.0, 1.0]
    whole = mg.value_and_grad(lambda x: x)(same[:1])
    whole[0][...] = 7.0
    whole[1][...] = 8.0
    assert same.tolist() == [1.0, 1.0]


@pytest.mark.oracle
def test_a_gradient_penalty_is_pytorchs(rng):
    """The gradient, by the weights, of the squared norm of the gradient by the inputs."""
    torch = pytest.importorskip("torch")
    X, W, V = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)

    def penalty(W, V):
        slope = mg.grad(lambda x: (mg.tanh(x @ W.T) @ V).sum())(mg.Value(X))
        return (slope * slope).sum()

    tX, tW, tV = (torch.tensor(a, requires_grad=True) for a in (X, W, V))
    (slope,) = torch.autograd.grad((torch.tanh(tX @ tW.T) @ tV).sum(), tX, create_graph=True)
    expected = torch.autograd.grad((slope * slope).sum(), (tW, tV))
    for ours, theirs in zip(mg.grad(penalty, (0, 1))(W, V), expected, strict=True):
        np.testing.assert_allclose(getattr(ours, "data", ours), theirs.numpy(), rtol=1e-11)


# ------------------------------------------------------------------------------------ many rows of a Jacobian at once
CASES = [case for gate in REGISTRY.values() if gate.differentiable for case in cases_of(gate)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_at_once_are_rows_one_by_one(case: Case) -> None:
    """The Jacobian by rows and by columns, raw and recorded, against a pull per number of the output."""
    inputs = case.sample(np.random.default_rng(11))
    moving = [i for i, x in enumerate(inputs) if is_float(x)]

    def f(*xs: Any) -> Any:
        full = list(inputs)
        for i, x in zip(moving, xs, strict=True):
            full[i] = x
        return case.call(*full)

    point, at = tuple(inputs[i] for i in moving), tuple(range(len(moving)))
    out, pull_back = mg.vjp(f, *point)
    outs = tree_leaves(out)
    for values in (False, True):
        trace = Trace(f, tuple(map(mg.Value, point)) if values else point, at)
        by_column = by_columns(trace)
        for j, o in enumerate(outs):
            by_row = by_rows(trace, trace.outs[j])
            for i, x in enumerate(point):
                expected = np.zeros((np.size(o), *np.shape(x)))
                for k in range(np.size(o)):
                    units = [np.zeros(np.shape(p)) for p in outs]
                    units[j].reshape(-1)[k] = 1.0
                    flat = iter([u if u.ndim else u.item() for u in units])
                    expected[k] = pull_back(tree_map(lambda _, flat=flat: next(flat), out))[i]
                for got in (by_row[i], by_column[j][i]):
                    got = got.data if isinstance(got, mg.Value) else got
                    assert np.shape(got) == np.shape(o) + np.shape(x)
                    np.testing.assert_allclose(np.reshape(got, expected.shape), expected, rtol=1e-10, atol=1e-12)


def test_a_network_takes_no_loop_over_rows() -> None:
    """As many rules run for the Hessian of 2 parameters as for that of 20."""
    model = nn.Sequential(nn.Linear(3, 4, rng=np.random.default_rng(0)), nn.Tanh())
    x, labels = np.random.default_rng(1).normal(size=(5, 3)), np.array([0, 1, 2, 3, 1])

    def loss(w: Any) -> Any:
        h = mg.linear(x, w, model[0].bias.data)
        return mg.log_softmax(mg.tanh(h), axis=1)[np.arange(5), labels].mean()

    def calls(w: Any) -> int:
        seen = 0
        original = mg.Gate.compute

        def counting(self: Any, args: Any, params: Any) -> Any:
            nonlocal seen
            seen += 1
            return original(self, args, params)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mg.Gate, "compute", counting)
            mg.hessian(lambda v: (mg.tanh(v * v.sum()) ** 2).sum())(w)
        return seen

    assert calls(np.ones(2)) == calls(np.ones(20))
    w = np.random.default_rng(2).normal(size=(4, 3))
    rows = mg.hessian(loss)(w).reshape(12, 12)
    each = [mg.hvp(loss, w, unit.reshape(4, 3)).reshape(12) for unit in np.eye(12)]
    np.testing.assert_allclose(rows, each, rtol=1e-10, atol=1e-14)


def test_more_rows_than_fit_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minigrad.transforms.AT_ONCE", 2)
    x = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_array_equal(mg.jacobian(lambda x: x * x)(x), np.diag(2.0 * x))
    wide = mg.jacobian(lambda x: mg.tile(x * x, 3))(x)
    np.testing.assert_array_equal(wide, np.tile(np.diag(2.0 * x), (3, 1)))


def test_rows_of_a_size_that_equals_one() -> None:
    np.testing.assert_array_equal(mg.jacobian(lambda x: mg.sum(x * np.ones(3), keepdims=True))(2.0), [3.0])


def test_a_jacobian_has_the_dtype_of_its_argument() -> None:
    x = np.array([1.0, 2.0], np.float32)
    for f in (lambda x: x[:1] * np.ones(1), lambda x: mg.concatenate([x, x]) * np.ones(4), lambda x: np.ones(5)):
        assert mg.jacobian(f)(x).dtype == np.float32


def test_a_pull_back_that_was_given_a_value_is_the_same_afterwards() -> None:
    _, pull_back = mg.vjp(lambda x: x * x, 3.0)
    assert mg.grad(lambda c: pull_back(c)[0])(1.0) == 6.0
    assert pull_back(1.0) == (6.0,)
    assert type(pull_back(1.0)[0]) is float
