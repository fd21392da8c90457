"""Elementwise gates where it is hard to be right: kinks, tails, overflow, infinities; and their parameters' errors."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import MinigradError, MissingExtraError
from minigrad.gates import REGISTRY, exponential, hyperbolic, rounding, trigonometric

inf, nan = math.inf, math.nan


def slopes(name: str, *numbers: float, **params: Any) -> tuple[float, ...]:
    """The gradient on each wire, as a scalar and as an array, which must agree."""
    answers = []
    for form in (float, np.atleast_1d):
        values = [mg.Value(form(x)) for x in numbers]
        mg.sum(REGISTRY[name](*values, **params)).backward()
        answers.append([float(np.asarray(x.grad).item()) for x in values])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-13)
    return tuple(answers[0])


def second_slope(name: str, x: float) -> float:
    return mg.grad(mg.grad(REGISTRY[name]))(x)


# ------------------------------------------------------------------------------------------------------------ kinks
KINKS = [  # what PyTorch answers in float64, except where the last column says why not
    ("relu6", (0.0,), (0.0,)),
    ("relu6", (6.0,), (0.0,)),
    ("relu6", (nan,), (1.0,)),
    ("hardtanh", (1.0,), (0.0,)),
    ("hardtanh", (-1.0,), (0.0,)),
    ("hardsigmoid", (3.0,), (0.0,)),
    ("hardsigmoid", (-3.0,), (0.0,)),
    ("leaky_relu", (0.0,), (0.01,)),
    ("elu", (0.0,), (1.0,)),
    ("celu", (0.0,), (1.0,)),
    ("selu", (0.0,), (1.0507009873554805 * 1.6732632423543773,)),
    ("softsign", (0.0,), (1.0,)),
    ("sinc", (0.0,), (0.0,)),
    ("cbrt", (0.0,), (inf,)),
    ("reciprocal", (0.0,), (-inf,)),
    ("arcsin", (1.0,), (inf,)),
    ("arccos", (1.0,), (-inf,)),
    ("arccosh", (1.0,), (inf,)),
    ("arctanh", (1.0,), (inf,)),
    ("erfinv", (1.0,), (inf,)),
    ("logit", (0.0,), (inf,)),
    ("logit", (1.0,), (inf,)),
    ("logit", (2.0,), (nan,)),
    ("log1p", (-1.0,), (inf,)),
    ("lgamma", (0.0,), (-inf,)),
    ("digamma", (0.0,), (inf,)),
    ("fmax", (nan, 1.0), (0.0, 1.0)),
    ("fmin", (1.0, nan), (1.0, 0.0)),
    ("arctan2", (0.0, 0.0), (0.0, 0.0)),
    ("xlogy", (0.0, -1.0), (0.0, 0.0)),
    ("xlogy", (1.0, 0.0), (-inf, inf)),
    ("nan_to_num", (nan,), (0.0,)),
    ("nan_to_num", (inf,), (0.0,)),
    ("floor", (2.0,), (0.0,)),
    ("round", (2.5,), (0.0,)),
]
OURS = [  # where PyTorch has nan, an error or a one-sided choice
    ("fmax", (1.0, 1.0), (0.5, 0.5)),  # ties share
    ("fmin", (nan, nan), (0.5, 0.5)),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),  # as the norm of (0, 0)
    ("logaddexp", (inf, inf), (0.5, 0.5)),
    ("logaddexp", (-inf, -inf), (0.5, 0.5)),
    ("logaddexp2", (-inf, -inf), (0.5, 0.5)),
    ("xlogy", (0.0, 0.0), (0.0, 0.0)),  # 0 log y is 0 for every y
    ("heaviside", (0.0, 0.5), (0.0, 1.0)),
    ("heaviside", (1.0, 0.5), (0.0, 0.0)),
]


@pytest.mark.parametrize(("name", "numbers", "expected"), KINKS + OURS)
def test_slope_at_the_kink(name: str, numbers: Any, expected: Any) -> None:
    np.testing.assert_allclose(slopes(name, *numbers), expected, rtol=1e-15)


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "numbers", "expected"), KINKS)
def test_slope_at_the_kink_is_pytorchs(name: str, numbers: Any, expected: Any) -> None:
    torch = pytest.importorskip("torch")
    if name == "cbrt":
        pytest.skip("PyTorch has no cbrt")
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    xs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
    function(*xs).backward()
    np.testing.assert_allclose([x.grad.item() for x in xs], expected, rtol=1e-7)


@pytest.mark.parametrize(("name", "expected"), [("sinc", -(math.pi**2) / 3.0), ("tanh", 0.0), ("hardtanh", 0.0)])
def test_second_slope_at_zero(name: str, expected: float) -> None:
    assert second_slope(name, 0.0) == pytest.approx(expected, rel=1e-14)


def test_third_slopes_at_zero() -> None:
    """A rule with |x| in it would have none there."""
    for name, expected in (("tanh", -2.0), ("sinc", 0.0), ("softplus", 0.0), ("logsigmoid", 0.0), ("silu", 0.0)):
        assert mg.grad(mg.grad(mg.grad(REGISTRY[name])))(0.0) == pytest.approx(expected, abs=1e-15)


def test_log_of_a_sum_of_equal_terms_curves() -> None:
    assert mg.grad(mg.grad(lambda a: mg.logaddexp(a, 2.0)))(2.0) == 0.25


def test_rounding_like_numpy() -> None:
    x = mg.Value(np.array([-2.5, -0.5, 0.5, 1.5, 2.675]))
    for name in ("floor", "ceil", "trunc", "round"):
        out = getattr(x, name)()
        np.testing.assert_array_equal(out.data, getattr(np, name)(x.data))
        np.testing.assert_array_equal(np.signbit(out.data), np.signbit(getattr(np, name)(x.data)))
    np.testing.assert_array_equal(np.round(x, 2).data, np.round(x.data, 2))


def test_mod_is_remainder_and_reciprocal_of_an_integer_is_no_integer() -> None:
    assert mg.mod is mg.remainder
    assert np.mod(mg.Value(7.5), 2.0).data == 1.5
    assert mg.reciprocal(4) == 0.25


# ---------------------------------------------------------------------------------------- tails, against 50 digits
FORMULAS: dict[str, Any] = {  # in mpmath's words
    "tanh": lambda m, x: m.tanh(x),
    "sigmoid": lambda m, x: 1 / (1 + m.exp(-x)),
    "logsigmoid": lambda m, x: -m.log1p(m.exp(-x)),
    "softplus": lambda m, x: m.log1p(m.exp(x)),
    "expm1": lambda m, x: m.expm1(x),
    "log1p": lambda m, x: m.log1p(x),
    "exp2": lambda m, x: m.mpf(2) ** x,
    "log2": lambda m, x: m.log(x, 2),
    "log10": lambda m, x: m.log10(x),
    "cbrt": lambda m, x: m.cbrt(x),
    "reciprocal": lambda m, x: 1 / x,
    "sin": lambda m, x: m.sin(x),
    "cos": lambda m, x: m.cos(x),
    "tan": lambda m, x: m.tan(x),
    "sinc": lambda m, x: m.sincpi(x),
    "arcsin": lambda m, x: m.asin(x),
    "arccos": lambda m, x: m.acos(x),
    "arctan": lambda m, x: m.atan(x),
    "sinh": lambda m, x: m.sinh(x),
    "cosh": lambda m, x: m.cosh(x),
    "arcsinh": lambda m, x: m.asinh(x),
    "arccosh": lambda m, x: m.acosh(x),
    "arctanh": lambda m, x: m.atanh(x),
    "erf": lambda m, x: m.erf(x),
    "erfc": lambda m, x: m.erfc(x),
    "erfinv": lambda m, x: m.erfinv(x),
    "lgamma": lambda m, x: m.loggamma(x).real,
    "digamma": lambda m, x: m.digamma(x),
    "logit": lambda m, x: m.log(x / (1 - x)),
    "elu": lambda m, x: x if x > 0 else m.expm1(x),
    "celu": lambda m, x: x if x > 0 else m.expm1(x),
    "gelu": lambda m, x: x * m.erfc(-x / m.sqrt(2)) / 2,
    "silu": lambda m, x: x / (1 + m.exp(-x)),
    "mish": lambda m, x: x * m.tanh(m.log1p(m.exp(x))),
    "softsign": lambda m, x: x / (1 + abs(x)),
}
TAILS = {
    "tanh": [1e-200, 0.89, 1.5, 20.0, -50.0, 300.0],
    "sigmoid": [-700.0, -40.0, 40.0, 700.0],
    "logsigmoid": [-1e308, -40.0, 1e-20, 40.0, 700.0],
    "softplus": [-700.0, -40.0, 19.0, 21.0, 40.0, 1e308],
    "expm1": [-700.0, -50.0, -1e-20, 1e-20, 700.0],
    "log1p": [-1 + 2.0**-50, -1e-20, 1e-300, 1e300],
    "exp2": [-1000.0, 1e-20, 1000.0],
    "log2": [1e-300, 1 + 2.0**-50, 1e300],
    "log10": [1e-300, 1 + 2.0**-50, 1e300],
    "cbrt": [1e-200, 1e200, 1e308],
    "reciprocal": [1e-150, 1e150],
    "sin": [1e-300, 1e5, 1e22],
    "cos": [1e-8, 1e5, 1e22],
    "tan": [1e-300, 1.5707, 1e5],
    "sinc": [1e-200, 1e-8, 1e-3, 0.1, 0.499, 0.501, 3.3],
    "arcsin": [1e-200, 0.5, 1 - 1e-7, 1 - 2.0**-50],
    "arccos": [1e-8, 0.5, 1 - 1e-7, 1 - 2.0**-50, -1 + 2.0**-50],
    "arctan": [1e-200, 1e8, 1e150],
    "sinh": [1e-200, 1e-8, 700.0],
    "cosh": [1e-200, 700.0],
    "arcsinh": [1e-200, 1e-8, 1e200, 1e308],
    "arccosh": [1 + 2.0**-40, 1e200, 1e308],
    "arctanh": [1e-200, 1 - 1e-7, 1 - 2.0**-50],
    "erf": [1e-200, 1e-8, 5.0, 20.0],
    "erfc": [-20.0, 1e-8, 5.0, 20.0, 26.0],
    "erfinv": [1e-200, 0.5, 1 - 2.0**-40],
    "lgamma": [1e-100, 0.1, 1e10, 1e200, -1.5],
    "digamma": [1e-10, 0.1, 1e10],
    "logit": [1e-200, 0.25, 1 - 1e-7, 1 - 2.0**-50],
    "elu": [-700.0, -40.0, -1e-20, 1e200],
    "celu": [-700.0, -40.0, -1e-20, 1e200],
    "gelu": [-20.0, -8.0, 1e-200, 8.0, 1e200],
    "silu": [-700.0, -40.0, 1e-200, 40.0, 1e200],
    "mish": [-700.0, -40.0, 1e-200, 10.0, 40.0, 1e200],
    "softsign": [-1e100, 1e-200, 1e150],
}
POINTS = [(name, x) for name, points in TAILS.items() for x in points]


@pytest.mark.parametrize(("name", "x"), POINTS)
def test_value_and_slope_keep_their_relative_accuracy(name: str, x: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    exact, point = FORMULAS[name], mpmath.mpf(x)
    with mpmath.workdps(800):  # for numbers from 1e-300 to 1e300 beside each other
        step = min(abs(point), 1) * mpmath.mpf(10) ** -40
        value = float(exact(mpmath, point))
        slope = float((exact(mpmath, point + step) - exact(mpmath, point - step)) / (2 * step))
    for form in (float, np.atleast_1d):
        v = mg.Value(form(x))
        out = REGISTRY[name](v)
        mg.sum(out).backward()
        np.testing.assert_allclose(out.data, value, rtol=1e-12, atol=0.0)
        np.testing.assert_allclose(v.grad, slope, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_lengths_and_angles_at_any_scale(scale: float) -> None:
    a, b = 3.0 * scale, 4.0 * scale
    assert mg.hypot(a, b) == pytest.approx(5.0 * scale, rel=1e-15)
    assert slopes("hypot", a, b) == pytest.approx((0.6, 0.8), rel=1e-15)
    assert slopes("arctan2", a, b) == pytest.approx((0.16 / scale, -0.12 / scale), rel=1e-15)


def test_slopes_of_logaddexp_are_shares() -> None:
    assert slopes("logaddexp", -300.0, 300.0) == pytest.approx((math.exp(-600.0), 1.0), rel=1e-14)
    assert slopes("logaddexp2", 500.0, -500.0) == pytest.approx((1.0, 2.0**-1000), rel=1e-12)
    assert slopes("logaddexp", 1e308, -1e308) == (1.0, 0.0)


def test_gelu_by_tanh_at_any_size() -> None:
    x = np.array([-1e300, -1e103, -101.0, -40.0, 40.0, 101.0, 1e103, 1e300])
    v = mg.Value(x)
    out = mg.gelu(v, approximate="tanh")
    mg.sum(out).backward()
    np.testing.assert_array_equal(out.data, np.where(x > 0, x, -0.0))
    np.testing.assert_array_equal(v.grad, np.where(x > 0, 1.0, 0.0))
    for number in x.tolist():
        assert mg.grad(mg.grad(lambda y: mg.gelu(y, approximate="tanh")))(number) == 0.0
        assert mg.grad(mg.grad(mg.gelu))(number) == 0.0


SECOND: dict[str, Any] = {  # the second derivative in closed form
    "tanh": lambda m, x: -2 * m.tanh(x) / m.cosh(x) ** 2,
    "sigmoid": lambda m, x: m.exp(-x) * (m.exp(-x) - 1) / (1 + m.exp(-x)) ** 3,
    "softplus": lambda m, x: m.exp(-x) / (1 + m.exp(-x)) ** 2,
    "erfc": lambda m, x: 4 * x * m.exp(-x * x) / m.sqrt(m.pi),
    "arcsinh": lambda m, x: -x / (1 + x * x) ** 1.5,
}


@pytest.mark.parametrize("x", [-30.0, -15.0, 0.3, 15.0])
@pytest.mark.parametrize("name", SECOND)
def test_second_slopes_in_the_tails(name: str, x: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50):
        expected = float(SECOND[name](mpmath, mpmath.mpf(x)))
    np.testing.assert_allclose(second_slope(name, x), expected, rtol=1e-11, atol=0.0)


STABLE = [
    "tanh", "sigmoid", "logsigmoid", "softplus", "elu", "selu", "celu", "gelu", "silu", "mish", "relu6", "hardtanh",
    "hardsigmoid", "softsign", "erf", "erfc", "arctan", "arcsinh",
]  # fmt: skip


@pytest.mark.parametrize("name", STABLE)
def test_a_stable_function_raises_no_warning(name: str) -> None:
    numbers = np.array([0.0, 1e-300, 1e308, -1e308, 800.0, -800.0, 40.0, -40.0, 5e-324])
    with np.errstate(all="raise"):
        for x in (*map(float, numbers), numbers):
            v = mg.Value(x)
            out = REGISTRY[name](v)
            mg.sum(out).backward()
            assert np.all(np.isfinite(out.data))
            assert np.all(np.isfinite(v.grad))


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2", "hypot", "arctan2", "fmax", "fmin"])
def test_a_stable_function_of_two_raises_no_warning(name: str) -> None:
    a, b = np.array([800.0, -800.0, 1e300, 1e300, 1e-300, 0.0]), np.array([-800.0, 0.0, 1e300, 1.0, 1e-300, 0.0])
    with np.errstate(all="raise"):
        for pair in [*zip(map(float, a), map(float, b), strict=True), (a, b)]:
            values = [mg.Value(x) for x in pair]
            out = REGISTRY[name](*values)
            mg.sum(out).backward()
            assert all(np.all(np.isfinite(x)) for x in (out.data, *[v.grad for v in values]))


@pytest.mark.parametrize("name", sorted(set(TAILS) | {"selu", "leaky_relu", "relu6", "hardtanh", "hardsigmoid"}))
def test_nan_in_nan_out(name: str) -> None:
    assert math.isnan(REGISTRY[name](mg.Value(nan)).data)
    assert np.isnan(REGISTRY[name](mg.Value(np.array([nan]))).data).all()


# ----------------------------------------------------------------------------------------- parameters, and misuse
def test_parameters_by_position_and_by_name() -> None:
    x = mg.Value(np.array([-1.5, 0.5]))
    np.testing.assert_array_equal(mg.leaky_relu(x, 0.3).data, x.leaky_relu(negative_slope=0.3).data)
    np.testing.assert_array_equal(mg.softplus(x, 2.0).data, x.softplus(beta=2.0).data)
    np.testing.assert_array_equal(mg.hardtanh(x, -0.2, 0.1).data, [-0.2, 0.1])
    np.testing.assert_array_equal(np.nan_to_num(mg.Value([nan, inf]), nan=7.0, posinf=8.0).data, [7.0, 8.0])
    scalar = mg.Value(-1.5)
    assert scalar.elu(2.0).data == pytest.approx(2.0 * math.expm1(-1.5), rel=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mg.gelu(x, approximate="erf"), r"gelu: .*approximate='erf'.*\"none\".*\"tanh\""),
        (lambda x: mg.hardtanh(x, 1.0, -1.0), r"hardtanh: .*min_val=1.0 is above max_val=-1.0"),
        (lambda x: mg.softplus(x, beta=0.0), r"softplus: .*beta=0.0"),
        (lambda x: mg.celu(x, alpha=0), r"celu: .*alpha=0"),
        (lambda x: mg.polygamma(0, x), r"polygamma: .*n=0.*1 or more"),
        (lambda x: mg.polygamma(1.5, x), r"polygamma: .*n=1.5.*1 or more"),
        (lambda x: mg.leaky_relu(x, negative_slope=mg.Value(0.1)), r"leaky_relu: .*parameter is a raw number"),
        (lambda x: mg.hypot(x), r"hypot: .*takes 2 inputs"),
        (lambda x: mg.sin(x, axis=0), r"sin: .*takes no axis="),
        (lambda x: mg.nan_to_num(x, False), r"nan_to_num: "),
        (lambda x: np.nan_to_num(x, copy=False), r"nan_to_num: .*copy"),
        (lambda x: mg.arctan2(x, np.ones(4)), r"arctan2: .*\(3,\).*\(4,\)"),
        (lambda x: mg.logaddexp(x, 1j), r"logaddexp: "),
    ],
)
def test_misuse_is_answered(call: Any, message: str) -> None:
    with pytest.raises(MinigradError, match=message):
        call(mg.Value(np.ones(3)))


def test_without_scipy_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_scipy(name: str, *args: Any) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", no_scipy)
    for name in ("erfinv", "lgamma", "digamma", "logit"):
        with pytest.raises(MissingExtraError, match=r'SciPy: pip install "minigrad-engine\[scipy\]"'):
            REGISTRY[name](mg.Value(np.array([0.5])))
    assert mg.erf(mg.Value(0.5)).data == math.erf(0.5), "Python has this one"
    assert mg.gelu(mg.Value(0.0), approximate="tanh").data == 0.0


FAMILIES = (exponential, hyperbolic, rounding, trigonometric)
NUMPYS = [name for family in FAMILIES for name in family.__all__ if hasattr(np, name)]


@pytest.mark.parametrize("name", [*NUMPYS, "reciprocal", "fmax", "fmin"])
def test_numpys_functions_find_the_gates(name: str) -> None:
    numbers = np.array([1.5, 1.25]) if name == "arccosh" else np.array([0.5, 0.75])
    inputs = [numbers] * len(REGISTRY[name].domain)
    out = getattr(np, name)(*map(mg.Value, inputs))
    assert out.gate is REGISTRY[name] is getattr(mg, name)
    np.testing.assert_allclose(out.data, getattr(np, name)(*inputs), rtol=1e-15)
    np.testing.assert_allclose(getattr(mg, name)(*inputs), getattr(np, name)(*inputs), rtol=1e-15)


def test_scipys_own_functions_find_the_gates() -> None:
    special = pytest.importorskip("scipy.special")
    x = mg.Value(np.array([0.2, 0.7]))
    for name in ("erf", "erfc", "erfinv", "logit"):
        out = getattr(special, name)(x)
        assert out.gate is REGISTRY[name]
        np.testing.assert_array_equal(out.data, getattr(special, name)(x.data))
