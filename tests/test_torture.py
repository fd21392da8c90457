"""Torture: numbers where formulas overflow, underflow or cancel, against the same function in 50 digits and more.

Each row of the table names a gate, its inputs, and the function in mpmath's words; the true slopes are differences of
that function in 800 digits, so that nothing here is computed by the formulas that are tested.  Every row runs as a
Python float, as an array of one, inside a longer array, and in float32; a result may be off by a few units in the last
place (ulps).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad.gates import REGISTRY
from minigrad.gates.registry import Call
from minigrad.nn.functional import cross_entropy, hinge_loss, multiclass_hinge_loss

mpmath = pytest.importorskip("mpmath")
m = mpmath.mp
inf, nan = math.inf, math.nan
TINY, SMALLEST, LARGEST = 5e-324, 2.0**-1022, 1.7976931348623157e308  # subnormal, normal, and the other end
NEAR_1 = 1.0 - 2.0**-50


class Row(NamedTuple):
    """A gate at one place; its truth, a function in mpmath's words or the numbers themselves (at kinks and poles)."""

    name: str
    at: tuple[Any, ...]
    truth: Callable[..., Any] | tuple[float, tuple[float, ...]]
    ulps: float = 4.0
    params: dict[str, Any] = {}  # noqa: RUF012  never changed

    def __str__(self) -> str:
        params = "".join([f",{k}={v}" for k, v in self.params.items()])
        return f"{self.name}({','.join([format(x, '.6g') for x in self.at])}{params})"


def rows(name: str, truth: Any, *places: Any, ulps: float = 4.0, **params: Any) -> list[Row]:
    return [Row(name, x if isinstance(x, tuple) else (x,), truth, ulps, params) for x in places]


def exactly(name: str, at: Any, value: float, *slopes: float, **params: Any) -> Row:
    return Row(name, at if isinstance(at, tuple) else (at,), (value, slopes), 0.0, params)


def sigma(x: Any) -> Any:
    return 1 / (1 + m.exp(-x))


def bell(x: Any) -> Any:
    return x * m.erfc(-x / m.sqrt(2)) / 2


def selu(x: Any) -> Any:
    scale, alpha = m.mpf(1.0507009873554804934193349852946), m.mpf(1.6732632423543772848170429916717)
    return scale * (x if x > 0 else alpha * m.expm1(x))


def gelu_tanh(x: Any) -> Any:
    return x * (1 + m.tanh(m.sqrt(2 / m.pi) * (x + m.mpf(0.044715) * x**3))) / 2


TABLE = [
    # ---------------------------------------------------------------------------------------------------- arithmetic
    *rows("add", lambda a, b: a + b, (1e308, -1e308), (1.0, TINY), (1e308, 7e307), (-0.0, 0.0)),
    *rows("subtract", lambda a, b: a - b, (1e308, 1e308), (1.0 + 2.0**-52, 1.0), (SMALLEST, TINY)),
    *rows("multiply", lambda a, b: a * b, (1e200, 1e-200), (1e308, 10.0), (1e-200, 1e-200), (-1e154, 1e154)),
    *rows("divide", lambda a, b: a / b, (1e308, 1e308), (1e-200, 1e200), (TINY, TINY), (1e200, 1e-100), (1.0, 1e200)),
    *rows("reciprocal", lambda x: 1 / x, 1e-150, -1e150, 1e200, LARGEST, 1e-308),
    *rows("square", lambda x: x * x, 1e154, 1e200, -1e-200, TINY),
    *rows("power", lambda a, b: a**b, (1e-200, 1.5), (1e150, 2.0), (1.0 + 2.0**-52, 1e15), (2.0, -1e3), (1e308, 0.5)),
    *rows("remainder", lambda a, b: a - b * m.floor(a / b), (5.5, 1e300), (-1e-3, 3.0), (7.5, -2.0)),
    exactly("divide", (1.0, 0.0), inf, inf, -inf),
    exactly("divide", (1.0, inf), 0.0, 0.0, 0.0),
    exactly("reciprocal", 0.0, inf, -inf),
    exactly("power", (0.0, 0.0), 1.0, 0.0, 0.0),
    exactly("power", (0.0, 2.0), 0.0, 0.0, 0.0),
    exactly("power", (-3.0, 2.0), 9.0, -6.0, nan),
    exactly("remainder", (1e300, 7.0), float(int(1e300) % 7), 1.0, -float(int(1e300) // 7)),
    exactly("remainder", (5.0, inf), 5.0, 1.0, 0.0),
    exactly("absolute", -0.0, 0.0, 0.0),
    exactly("absolute", -inf, inf, -1.0),
    exactly("absolute", -TINY, TINY, -1.0),
    exactly("sign", -TINY, -1.0, 0.0),
    exactly("negative", LARGEST, -LARGEST, -1.0),
    exactly("floor_divide", (1e300, 1e-10), inf, 0.0, 0.0),
    # ------------------------------------------------------------------------------------------- powers and logarithms
    *rows("exp", m.exp, -745.0, -700.0, -1e-300, 709.0, 1e-20),
    *rows("exp2", lambda x: m.mpf(2) ** x, -1074.0, -1000.5, 1e-20, 1023.5),
    *rows("expm1", m.expm1, -745.0, -50.0, -1e-20, TINY, 1e-8, 709.0),
    *rows("log", m.log, TINY, SMALLEST, 1.0 + 2.0**-52, NEAR_1, LARGEST),
    *rows("log2", lambda x: m.log(x, 2), SMALLEST, 1.0 + 2.0**-52, 1e308),
    *rows("log10", m.log10, SMALLEST, 1.0 + 2.0**-52, 1e308),
    *rows("log1p", m.log1p, -1.0 + 2.0**-53, -1e-20, TINY, 1e-8, 1e308),
    *rows("sqrt", m.sqrt, TINY, 1e-200, 1e308),
    *rows("cbrt", m.cbrt, 1e-300, 1e200, LARGEST),
    *rows("cbrt", lambda x: -m.cbrt(-x), -1e-300, -8.0),
    exactly("exp", -inf, 0.0, 0.0),
    exactly("exp", inf, inf, inf),
    exactly("expm1", -inf, -1.0, 0.0),
    exactly("log", 0.0, -inf, inf),
    exactly("log", -1.0, nan, -1.0),  # as PyTorch: the slope 1/x has no doubts
    exactly("log1p", -1.0, -inf, inf),
    exactly("sqrt", 0.0, 0.0, inf),
    exactly("sqrt", inf, inf, 0.0),
    *rows("sigmoid", sigma, -745.0, -700.0, -40.0, TINY, 40.0, 700.0, 745.0, 1e308, -1e308),
    exactly("sigmoid", inf, 1.0, 0.0),
    exactly("sigmoid", -inf, 0.0, 0.0),
    *rows("logaddexp", lambda a, b: m.log(m.exp(a) + m.exp(b)), (-3e2, 3e2), (7e2, 7e2), (-1e3, -1e3), (1.0, -40.0)),
    # the slope 1 / (1 + 2**(b - a)) magnifies the rounding of (b - a) log(2) as often as that is large
    *rows("logaddexp2", lambda a, b: m.log(2**a + 2**b, 2), (500.0, -500.0), (-1e3, -1e3), (1.0, -40.0), ulps=400.0),
    exactly("logaddexp", (1e308, -1e308), 1e308, 1.0, 0.0),
    exactly("logaddexp", (inf, inf), inf, 0.5, 0.5),
    exactly("logaddexp", (-inf, 0.0), 0.0, 0.0, 1.0),
    # ----------------------------------------------------------------------------------------------------------- angles
    *rows("sin", m.sin, TINY, 1e-8, 3.141592653589793, 1e22, 1e308),
    *rows("cos", m.cos, TINY, 1e-8, 1.5707963267948966, 1e22, 1e308),
    *rows("tan", m.tan, TINY, 1.5707963267948966, 1e22),
    *rows("arcsin", m.asin, TINY, NEAR_1, -NEAR_1, 0.5),
    *rows("arccos", m.acos, TINY, NEAR_1, -NEAR_1, 0.5),
    *rows("arctan", m.atan, TINY, 1e8, 1e155, -1e160, 1e200),
    *rows("arctan2", m.atan2, (3e-200, 4e-200), (3e200, 4e200), (1e-300, 1.0), (1.0, 1e-300), (1e300, -1.0)),
    *rows("arctan2", m.atan2, (-1e154, 1e155), (TINY, -1.0)),
    *rows("hypot", lambda a, b: m.hypot(a, b), (3e-200, 4e-200), (3e200, -4e200), (1e-300, 1.0), (1e308, 1e308)),
    *rows("sinc", m.sincpi, TINY, 1e-200, 1e-8, 0.1, 0.4999, 0.5001, 7.3, -1e5 - 0.3, 1e15 + 0.125, 1e308),
    *rows("deg2rad", lambda x: x * m.pi / 180, TINY, 1e-300, 1e308),
    *rows("rad2deg", lambda x: x * 180 / m.pi, TINY, 1e-300, 1e306),
    exactly("arctan", inf, math.pi / 2.0, 0.0),
    exactly("arctan2", (0.0, 0.0), 0.0, 0.0, 0.0),
    exactly("hypot", (0.0, 0.0), 0.0, 0.0, 0.0),
    exactly("hypot", (TINY, 0.0), TINY, 1.0, 0.0),
    exactly("sinc", 0.0, 1.0, 0.0),
    exactly("sinc", -3.0, 0.0, 1.0 / 3.0),
    exactly("arcsin", 1.0, math.pi / 2.0, inf),
    # ------------------------------------------------------------------------------------------------------- hyperbolic
    *rows("sinh", m.sinh, TINY, 1e-8, -700.0, 710.0),
    *rows("cosh", m.cosh, TINY, 1e-8, 700.0, -710.0),
    *rows("sech", m.sech, TINY, 1e-8, 20.0, -700.0, 1e308),
    *rows("tanh", m.tanh, TINY, 1e-8, 0.89, 0.91, 20.0, -50.0, 300.0, 372.0, 1e308),
    *rows("arcsinh", m.asinh, TINY, 1e-8, 1e155, -1e200, LARGEST),
    *rows("arccosh", m.acosh, 1.0 + 2.0**-52, 1.0 + 1e-8, 1e155, LARGEST),
    *rows("arctanh", m.atanh, TINY, 1e-8, NEAR_1, -NEAR_1),
    exactly("tanh", -inf, -1.0, 0.0),
    exactly("arccosh", 1.0, 0.0, inf),
    exactly("arctanh", 1.0, inf, inf),
    exactly("cosh", inf, inf, inf),
    # ---------------------------------------------------------------------------------------------------------- special
    *rows("erf", m.erf, TINY, 1e-8, 5.0, 20.0, -26.0),
    *rows("erfc", m.erfc, TINY, -20.0, 5.0, 26.0),
    *rows("erfc", m.erfc, 20.3, ulps=32.0),  # SciPy's value, for arrays,
    *rows("erfinv", m.erfinv, TINY, 0.5, 1.0 - 2.0**-40, ulps=8.0),
    *rows("lgamma", lambda x: m.loggamma(x).real, 1e-300, 1e-100, 0.1, 1e10, 1e200, -1.5),
    *rows("digamma", m.digamma, 1e-100, 0.1, 1e10),
    *rows("polygamma", lambda n, x: m.psi(int(n), x), (1, 0.1), (1, 1e5), (2, 30.0)),
    *rows("xlogy", lambda x, y: x * m.log(y), (1e-300, 1e-300), (TINY, 2.0), (1e300, 1.0 + 2.0**-52), (3.0, TINY)),
    *rows("logit", lambda x: m.log(x / (1 - x)), TINY, 1e-200, 0.25, 0.5 + 2.0**-40, NEAR_1),
    exactly("erf", inf, 1.0, 0.0),
    exactly("erfc", inf, 0.0, 0.0),
    exactly("erfc", -1e308, 2.0, 0.0),
    exactly("xlogy", (0.0, 0.0), 0.0, 0.0, 0.0),
    exactly("xlogy", (0.0, inf), 0.0, inf, 0.0),
    exactly("logit", 0.0, -inf, inf),
    # ------------------------------------------------------------------------------------------------------ activations
    *rows("softplus", lambda x: m.log1p(m.exp(x)), -745.0, -40.0, TINY, 19.9, 20.1, 700.0, 1e308, -1e308),
    *rows("softplus", lambda x: m.log1p(m.exp(10 * x)) / 10, -70.0, 1e308, beta=10.0),
    *rows("logsigmoid", lambda x: -m.log1p(m.exp(-x)), -1e308, -745.0, -40.0, TINY, 40.0, 700.0, 745.0),
    *rows("silu", lambda x: x * sigma(x), -700.0, -40.0, TINY, 1e-8, 40.0, 1e308, -1e308),
    *rows("mish", lambda x: x * m.tanh(m.log1p(m.exp(x))), -700.0, -40.0, TINY, 1e-8, 40.0, 1e308, -1e308),
    *rows("gelu", bell, TINY, 1e-8, 8.0, 1e308),
    exactly("gelu", -1e308, 0.0, 0.0),
    *rows("gelu", bell, -8.0, -37.0, ulps=1500.0),  # x / √2 is rounded, which the tail of erfc magnifies x² times
    *rows("gelu", gelu_tanh, TINY, 1e-8, 8.0, 1e308, -1e308, approximate="tanh"),
    *rows("gelu", gelu_tanh, -8.0, -20.0, ulps=1500.0, approximate="tanh"),  # likewise
    *rows("elu", lambda x: x if x > 0 else m.expm1(x), -745.0, -40.0, -TINY, -1e-20, 1e308, -1e308),
    *rows("selu", selu, -745.0, -40.0, -1e-20, 1e307, -1e308),
    *rows("celu", lambda x: x if x > 0 else 3 * m.expm1(x / 3), -1e-20, 1e308, alpha=3.0),
    # x / 3 is rounded, which exp magnifies as often as it is large
    *rows("celu", lambda x: x if x > 0 else 3 * m.expm1(x / 3), -2100.0, -100.0, alpha=3.0, ulps=400.0),
    *rows("softsign", lambda x: x / (1 + abs(x)), TINY, -1e-20, 1e150, -1e200, LARGEST),
    *rows("leaky_relu", lambda x: x if x > 0 else m.mpf(0.01) * x, TINY, -TINY, -1e308, 1e308),
    exactly("leaky_relu", 0.0, 0.0, 0.01),
    exactly("relu", -0.0, 0.0, 0.0),
    exactly("relu", TINY, TINY, 1.0),
    exactly("relu", -inf, 0.0, 0.0),
    exactly("relu", inf, inf, 1.0),
    exactly("relu6", 1e308, 6.0, 0.0),
    exactly("hardtanh", -inf, -1.0, 0.0),
    exactly("hardsigmoid", 1e308, 1.0, 0.0),
    exactly("hardsigmoid", TINY, 0.5, 1.0 / 6.0),
    *[exactly(name, inf, inf, 1.0) for name in ("softplus", "silu", "mish", "gelu", "elu", "celu")],
    *[exactly(name, -inf, 0.0, 0.0) for name in ("softplus", "silu", "mish", "gelu")],
    exactly("gelu", inf, inf, 1.0, approximate="tanh"),
    exactly("gelu", -inf, 0.0, 0.0, approximate="tanh"),
    exactly("elu", -inf, -1.0, 0.0),
    exactly("logsigmoid", -inf, -inf, 1.0),
    exactly("logsigmoid", inf, 0.0, 0.0),
    exactly("softsign", -inf, -1.0, 0.0),
    # ------------------------------------------------------------------------------------------- choices, steps and nan
    exactly("maximum", (1e308, 1e308), 1e308, 0.5, 0.5),
    exactly("maximum", (nan, 1.0), nan, 1.0, 1.0),
    exactly("maximum", (0.0, -0.0), 0.0, 0.5, 0.5),
    exactly("minimum", (-inf, -inf), -inf, 0.5, 0.5),
    exactly("fmax", (nan, 1.0), 1.0, 0.0, 1.0),
    exactly("fmin", (TINY, 0.0), 0.0, 0.0, 1.0),
    exactly("clip", inf, 1.0, 0.0, a_min=-1.0, a_max=1.0),
    exactly("clip", 1.0, 1.0, 1.0, a_min=-1.0, a_max=1.0),
    exactly("nan_to_num", -inf, -LARGEST, 0.0),
    exactly("floor", -TINY, -1.0, 0.0),
    exactly("ceil", TINY, 1.0, 0.0),
    exactly("trunc", -0.9999999999999999, 0.0, 0.0),
    exactly("round", 0.49999999999999994, 0.0, 0.0),
    exactly("heaviside", (TINY, 0.5), 1.0, 0.0, 0.0),
    exactly("lerp", (LARGEST, LARGEST, 0.3), LARGEST, 0.7, 0.3, 0.0),
    *rows("lerp", lambda a, b, t: a + t * (b - a), (-1e308, 1.5e308, 0.5), (1.0, 1.0 + 2.0**-52, 0.5)),
    *[exactly(name, nan, nan, nan) for name in ("exp", "log", "tanh", "sigmoid", "softplus", "erf", "silu", "sinc")],
]  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the truth
@cache
def measured(truth: Any, at: tuple[float, ...]) -> tuple[float, tuple[float, ...]]:
    """The value and the slopes at these numbers: central differences in 800 digits, for 1e-300 beside 1e300."""
    with m.workdps(800):
        exact = [m.mpf(x) for x in at]
        slopes = []
        for i, x in enumerate(exact):
            step = (min(abs(x), 1) or 1) * m.mpf(10) ** -40
            ends = [truth(*exact[:i], x + s, *exact[i + 1 :]) for s in (step, -step)]
            slopes.append(as_float((ends[0] - ends[1]) / (2 * step)))
        return as_float(truth(*exact)), tuple(slopes)


def as_float(x: Any) -> float:
    """To the nearest float; mpmath refuses what is beyond the largest."""
    return float(x) if abs(x) < m.mpf(2) ** 1024 else math.copysign(inf, x)


def answer(row: Row, dtype: Any = np.float64) -> tuple[float, tuple[float, ...]]:
    """The true value and slopes of a row, for its inputs as this dtype holds them."""
    return measured(row.truth, tuple([float(dtype(x)) for x in row.at])) if callable(row.truth) else row.truth


def ulps_off(got: Any, want: float, dtype: Any = np.float64) -> float:
    """How many units in the last place of `want` a result is away from it."""
    with np.errstate(all="ignore"):
        want = dtype(want)
        if np.isnan(want) or np.isinf(want) or np.isnan(got) or np.isinf(got):
            return 0.0 if np.isnan(got) == np.isnan(want) and (got == want or np.isnan(want)) else inf
        return float(abs((float(got) - float(want)) / float(np.spacing(abs(want)))))


# ----------------------------------------------------------------------------------------------------------- the forms
def harmless(name: str, i: int) -> float:
    """A number in the middle of a gate's domain, on wire i."""
    domain = REGISTRY[name].domain
    low, high = (domain[0].low, domain[0].high) if isinstance(domain[0], Call) else domain[min(i, len(domain) - 1)]
    return 0.5 * (low + high) + 0.1


def run(row: Row, form: Callable[[float, int], Any]) -> tuple[Any, list[Any]]:
    """The gate's value and gradients with the inputs in this form; masks and counts stay as they are."""
    gate = REGISTRY[row.name]
    values = [x if i in gate.plain else mg.Value(form(x, i)) for i, x in enumerate(row.at)]
    out = gate(*values, **row.params)
    mg.sum(out).backward()
    return out.data, [0.0 if not isinstance(v, mg.Value) else v.grad for v in values]


def compare(row: Row, got: tuple[Any, list[Any]], where: Any = (), dtype: Any = np.float64) -> None:
    value, slopes = answer(row, dtype)
    wires = [i for i in range(len(row.at)) if i not in REGISTRY[row.name].plain]
    pairs = [("value", got[0], value), *[(f"slope {i}", got[1][i], slopes[i]) for i in wires]]
    for what, number, want in pairs:
        off = ulps_off(np.asarray(number)[where], want, dtype)
        assert off <= row.ulps, f"{row}: {what} {np.asarray(number)[where]!r}, should be {want!r}: {off:.3g} ulps off"


each_row = pytest.mark.parametrize("row", TABLE, ids=str)


@each_row
def test_a_python_float(row: Row) -> None:
    compare(row, run(row, lambda x, i: float(x)))


@each_row
def test_an_array_of_one(row: Row) -> None:
    with np.errstate(all="ignore"):
        compare(row, run(row, lambda x, i: np.array([x])), 0)


@each_row
def test_inside_a_longer_array(row: Row) -> None:
    """Among ordinary numbers, where NumPy takes other instructions than for one."""

    def surrounded(x: float, i: int) -> Any:
        array = np.full(37, harmless(row.name, i))
        array[[4, 36]] = x
        return array

    with np.errstate(all="ignore"):
        got = run(row, surrounded)
    compare(row, got, 4)
    compare(row, got, 36)


def fits_float32(row: Row) -> bool:
    """Whether these inputs, and a value that is stated, are in float32's range, and not rounded to an edge (to 1)."""
    numbers = row.at if callable(row.truth) else (*row.at, row.truth[0])
    inside = [not math.isfinite(x) or x == 0.0 or 1e-37 < abs(x) < 1e37 for x in numbers]
    return all(inside) and not any([math.isfinite(x) and np.float32(x) == round(x) != x for x in row.at])


IN_FLOAT32 = [row for row in TABLE if fits_float32(row)]


@pytest.mark.parametrize("row", IN_FLOAT32, ids=str)
def test_float32(row: Row) -> None:
    if not callable(row.truth):
        row = row._replace(ulps=1.0)
    with np.errstate(all="ignore"):
        compare(row, run(row, lambda x, i: np.array([x], np.float32)), 0, np.float32)


# ---------------------------------------------------------------------------------------------- every gate, and quietly
PLAIN = {"positive", "select", "where", "neuron", "hinge", "floor_divide"}  # which move numbers, or are made of others


def test_every_elementwise_gate_is_tortured() -> None:
    """With its first digits in float64: a constant that has passed float32 is wrong in the eighth."""
    differentiable = {name for name, gate in REGISTRY.items() if gate.elementwise and gate.differentiable}
    assert len(TABLE) >= 150
    assert sorted(differentiable - {row.name for row in TABLE} - PLAIN) == []


@each_row
def test_a_right_answer_warns_nobody(row: Row) -> None:
    """Where value and slopes are finite numbers there is nothing to warn of; poles and overflow may be reported."""
    value, slopes = answer(row)
    if not all(map(math.isfinite, (value, *slopes))):
        pytest.skip("a pole")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(row, lambda x, i: float(x))
        run(row, lambda x, i: np.array([x]))


EDGES = [
    0.0, -0.0, TINY, -TINY, 1e-310, -1e-310, SMALLEST, 40.0, -40.0, 745.0, -745.0, 1e308, -1e308, LARGEST, inf, -inf,
]  # fmt: skip
STABLE: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in (
        "sigmoid", "softplus", "logsigmoid", "tanh", "sech", "erf", "erfc", "gelu", "silu", "mish", "elu", "selu",
        "celu", "softsign", "relu", "relu6", "hardtanh", "hardsigmoid", "leaky_relu", "arctan", "arcsinh", "log1p",
        "expm1", "sinc", "nan_to_num", "absolute", "cbrt",
    )],
    ("gelu", {"approximate": "tanh"}), ("softplus", {"beta": 10.0}), ("celu", {"alpha": 3.0}),
    ("clip", {"a_min": -1.0, "a_max": 1.0}),
]  # fmt: skip
EXCEPT = {  # where the true answer is a pole, overflows or does not exist
    "log1p": lambda x: x < -1.0,
    "expm1": lambda x: x > 700.0,
    "sinc": lambda x: math.isinf(x),
    "cbrt": lambda x: abs(x) < 1e-300 or math.isinf(x),
    "arctan": lambda x: math.isinf(x),  # has a value and a slope there, but its second slope is inf/inf
    "arcsinh": lambda x: math.isinf(x),
}


def all_orders(f: Callable[..., Any], *xs: Any) -> list[Any]:
    """f, its gradient, and the gradient of the sum of its gradient, all in an atmosphere where NumPy raises."""
    places = tuple(range(len(xs)))

    def total(*ys: Any) -> Any:
        return mg.sum(f(*ys))

    def slope(*ys: Any) -> Any:
        return sum([mg.sum(g) for g in mg.grad(total, places)(*ys)])

    with np.errstate(all="raise"):
        return [f(*xs), *mg.grad(total, places)(*xs), *mg.grad(slope, places)(*xs)]


@pytest.mark.parametrize(("name", "params"), STABLE, ids=str)
def test_a_stable_function_raises_nothing(name: str, params: Any) -> None:
    for x in EDGES:
        if not EXCEPT.get(name, lambda x: False)(x):
            for form in (float, np.atleast_1d):
                numbers = all_orders(lambda y: REGISTRY[name](y, **params), form(x))
                assert not any(np.isnan(number).any() for number in numbers), (x, numbers)


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2", "hypot", "arctan2", "maximum", "minimum", "fmax", "fmin"])
def test_a_stable_function_of_two_raises_nothing(name: str) -> None:
    sizes = [0.0, 1e-310, 745.0, -745.0, 1e300, -1e300]
    for a in sizes:
        for b in sizes:
            for form in (float, np.atleast_1d):
                numbers = all_orders(REGISTRY[name], form(a), form(b))[: 3 if name in ("hypot", "arctan2") else None]
                assert not any(np.isnan(number).any() for number in numbers), (a, b, numbers)


def test_xlogy_raises_nothing() -> None:
    for x in (0.0, TINY, 1e-310, 1e308, -1e308):
        for y in (0.0, SMALLEST, 745.0, inf):
            if x == 0.0 or 0.0 < y < inf:
                for form in (float, np.atleast_1d):
                    assert not np.isnan(all_orders(mg.xlogy, form(x), form(y))[0]).any()


VECTORS = [
    [1e308, -1e308, 0.0], [745.0, -745.0, TINY], [1e308, 1e308, 1e308], [1e-200, 2e-200, -4e-200], [0.0, 0.0, 0.0],
    [1e200, -3e200, 2e200], [1e-200, 1.0, 1e200], [TINY, -TINY, 0.0],
]  # fmt: skip


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "std", "var", "norm", "mean", "median", "max"])
def test_a_stable_reduction_raises_nothing(name: str) -> None:
    for vector in VECTORS:
        value, slope, second = all_orders(getattr(mg, name), np.array(vector))
        assert not np.isnan(value).any()
        assert not np.isnan(slope).any()
        if TINY not in vector:  # 1 / TINY overflows
            assert not np.isnan(second).any()


def test_stable_losses_raise_nothing() -> None:
    for vector in VECTORS:
        scores = 0.4 * np.array([vector, vector])  # whose differences don't overflow
        for loss in (cross_entropy, multiclass_hinge_loss):
            numbers = all_orders(lambda s, loss=loss: loss(s, [0, 2]), scores)
            assert not any(np.isnan(number).any() for number in numbers), (loss, vector)
        assert not any(np.isnan(number).any() for number in all_orders(lambda s: hinge_loss(s, [1, -1, 1]), scores[0]))


# --------------------------------------------------------------------------------------------------- second derivatives
CURVED = [
    row for row in TABLE
    if callable(row.truth) and len(row.at) == 1 and row.name not in ("elu", "selu", "celu", "leaky_relu")
    and 1e-150 < abs(row.at[0]) < 1e300
]  # fmt: skip
LOOSE = {  # two slopes that cancel; a rounded argument that the tail magnifies, as above
    ("arctanh", 1e-8): 1e-8, ("gelu", -20.0): 1e-13, ("gelu", -37.0): 1e-12, ("erfinv", 1.0 - 2.0**-40): 1e-13,
}  # fmt: skip


@pytest.mark.parametrize("row", CURVED, ids=str)
def test_second_slopes(row: Row) -> None:
    x = row.at[0]
    with m.workdps(800):
        exact, step = m.mpf(x), (min(abs(m.mpf(x)), 1)) * m.mpf(10) ** -40
        ends = [row.truth(exact + s) for s in (step, 0, -step)]
        want = as_float((ends[0] - 2 * ends[1] + ends[2]) / step**2)
    for form in (float, np.atleast_1d):
        with np.errstate(all="ignore"):
            slope = mg.grad(lambda y: mg.sum(REGISTRY[row.name](y, **row.params)))
            got = mg.grad(lambda y, slope=slope: mg.sum(slope(y)))(form(x))
        np.testing.assert_allclose(got, want, rtol=LOOSE.get((row.name, x), 2e-14), atol=2e-323)


ENDS = [("logit", 1e-200, -inf), ("logit", NEAR_1, 2.0**100), ("tanh", 1e308, 0.0), ("mish", 1e308, 0.0)]


@pytest.mark.parametrize(("name", "x", "expected"), ENDS)
def test_second_slopes_at_the_ends(name: str, x: float, expected: float) -> None:
    """Where infinity minus infinity or 0 times infinity lies near."""
    for form in (float, np.atleast_1d):
        second = mg.grad(lambda y: mg.sum(mg.grad(lambda z: mg.sum(REGISTRY[name](z)))(y)))(form(x))
        np.testing.assert_allclose(second, expected, rtol=1e-14)


# ------------------------------------------------------------------------------------- gates that make one of many
class Many(NamedTuple):
    """A reduction of these numbers, or entry `pick` of what keeps their shape, and its truth for a list of them."""

    name: str
    at: list[float]
    truth: Callable[..., Any]
    pick: int | None = None
    ulps: float = 4.0  # of the value, and for the gradient of its largest entry
    params: dict[str, Any] = {}  # noqa: RUF012

    def __str__(self) -> str:
        params = "".join([f",{k}={v}" for k, v in self.params.items()])
        return f"{self.name}({[float(format(x, '.4g')) for x in self.at]}{params},pick={self.pick})"

    def call(self, x: Any, axis: int) -> Any:
        out = getattr(mg, self.name)(x, axis=axis, **self.params)
        return out if self.pick is None else mg.take(out, self.pick, axis=axis)


def mean(xs: Any) -> Any:
    return sum(xs) / len(xs)


def var(xs: Any, ddof: int = 0) -> Any:
    return sum((x - mean(xs)) ** 2 for x in xs) / (len(xs) - ddof)


def p_norm(p: Any) -> Any:
    return lambda xs: sum(abs(x) ** m.mpf(p) for x in xs) ** (1 / m.mpf(p))


def softmax(pick: int) -> Any:
    return lambda xs: m.exp(xs[pick]) / sum(map(m.exp, xs))


def log_softmax(pick: int) -> Any:
    return lambda xs: -m.log(sum(m.exp(x - xs[pick]) for x in xs))


def logsumexp(xs: Any) -> Any:
    return m.log(sum(m.exp(x - max(xs)) for x in xs)) + max(xs)


def product(xs: Any) -> Any:
    return m.fprod(xs)


FOUR, WIDE, BESIDE = [1.0, 4.0, 2.0, 9.0], [3e-200, 1.0, -4e200], [1e9 + x for x in (4.0, 7.0, 13.0, 0.1)]


def times(size: float, xs: list[float] = FOUR) -> list[float]:
    return [x * size for x in xs]


MANY = [
    *[Many("mean", xs, mean) for xs in ([LARGEST] * 3, [LARGEST, -LARGEST, 1.0], times(1e-308), [1e308, 1.0, 1.0])],
    *[Many("std", xs, lambda xs: m.sqrt(var(xs)), ulps=8.0) for xs in (
        times(1e200), times(1e-200), times(1e307), times(1e-307), [LARGEST, -LARGEST], [1e200, 1e-200, 0.0], BESIDE,
    )],
    *[Many("var", xs, var, ulps=8.0) for xs in (times(1e150), times(1e-150), BESIDE, times(1e-100), [1e154, -1e154])],
    *[Many("var", xs, lambda xs: var(xs, 1), ulps=8.0, params={"ddof": 1}) for xs in (times(1e150), BESIDE)],
    *[Many("norm", xs, p_norm(2)) for xs in (
        times(1e200), times(1e-200), times(1e306), times(1e-307), WIDE, [TINY, 0.0], [-1e308, 1e-308],
    )],
    *[Many("norm", times(size, [1.0, -4.0, 2.0]), p_norm(p), ulps=8.0, params={"ord": p})
      for size in (1e-200, 1e200) for p in (1, 1.5, 3, -1, 0.5)],
    Many("norm", times(1e200), p_norm(30), ulps=32.0, params={"ord": 30}),  # a ratio to the power 29
    Many("sum", [1e308, -1e308, 1.0], sum),
    Many("sum", [1.0, 2.0**-53, 1.0], sum),
    *[Many("prod", xs, product) for xs in (
        [2.0, 0.0, 5.0], [0.0, 3.0, 0.0], [1e-200, 1e200, 3.0], [1e-200, 1e-100, 3.0],
    )],
    *[Many("cumprod", xs, lambda xs: product(xs[:3]), 2) for xs in ([2.0, 0.0, 5.0, 7.0], [0.0, 3.0, 0.0, 7.0])],
    Many("cumsum", [1e308, -1e308, 1.0, 7.0], lambda xs: sum(xs[:3]), 2),
    *[Many("logsumexp", xs, logsumexp) for xs in (
        [1e308, 1e308], [-1e308, 0.0], [745.0, 0.0], [1e5, 1e5 - 40.0], [-1e3, -1e3], [-745.0, -746.0],
    )],
    *[Many("softmax", xs, softmax(1), 1) for xs in ([0.0, 745.0], [1e308, 1e308], [40.0, 0.0], [1e308, -1e308])],
    *[Many("log_softmax", xs, log_softmax(1), 1) for xs in (
        [1e308, 1e308], [745.0, 0.0], [40.0, 0.0], [-7e307, 7e307], [1e5, 1e5 + 1.0],
    )],
    *[Many("median", xs, lambda xs: (sorted(xs)[1] + sorted(xs)[2]) / 2) for xs in (
        [1e308, -1e308, 1.2e308, 1.1e308], [TINY, 1.0, -1.0, TINY * 3],
    )],
    *[Many("quantile", xs, lambda xs: (3 * sorted(xs)[0] + sorted(xs)[1]) / 4, params={"q": 0.25})
      for xs in ([-1e308, 1.7e308], [1e-300, 1e300])],
    *[Many(name, [1e308, TINY, -1e308, 0.0], truth) for name, truth in (("max", max), ("min", min))],
]  # fmt: skip


@cache
def truth_of_many(truth: Any, at: tuple[float, ...]) -> tuple[float, list[float]]:
    with m.workdps(800):
        exact, slopes = [m.mpf(x) for x in at], []
        for i, x in enumerate(exact):
            step = (min(abs(x), 1) or m.mpf(10) ** -200) * m.mpf(10) ** -40
            ends = [truth([*exact[:i], x + s, *exact[i + 1 :]]) for s in (step, -step)]
            slopes.append(as_float((ends[0] - ends[1]) / (2 * step)))
        return as_float(truth(exact)), slopes


def check_many(row: Many, x: Any, axis: int, line: Any) -> None:
    """The entry of the result that `line` of x makes, and the gradient there, against the truth."""
    v = mg.Value(x)
    with np.errstate(all="raise"):
        out = row.call(v, axis)
        mg.sum(out).backward()
    dtype = x.dtype.type
    value, slopes = truth_of_many(row.truth, tuple([float(y) for y in x[line]]))
    got = np.asarray(out.data)[line[0] if axis else line[-1]] if x.ndim == 2 else out.data
    assert ulps_off(got, value, dtype) <= row.ulps, (got, value)
    unit = max(float(np.spacing(dtype(max(map(abs, slopes))))), TINY)
    np.testing.assert_allclose(v.grad[line], slopes, rtol=0.0, atol=row.ulps * unit)


@pytest.mark.parametrize("row", MANY, ids=str)
def test_one_of_many(row: Many) -> None:
    numbers, ordinary = np.array(row.at), np.linspace(0.5, 1.5, len(row.at))
    check_many(row, numbers, 0, slice(None))
    rows_of = np.stack([ordinary, numbers, ordinary])
    check_many(row, rows_of, 1, (1, slice(None)))
    check_many(row, np.ascontiguousarray(rows_of.T), 0, (slice(None), 1))
    if all([x == 0.0 or 1e-30 < abs(x) < 1e30 for x in row.at]):
        check_many(row, numbers.astype(np.float32), 0, slice(None))


# ----------------------------------------------------------------- ties, repeats, empty axes, closed wires, singularity
def slope_of(f: Callable[..., Any], *xs: Any) -> Any:
    with np.errstate(all="raise"):
        return mg.grad(lambda *ys: mg.sum(f(*ys)), tuple(range(len(xs))))(*[np.array(x, float) for x in xs])


TIES = [
    ("max", mg.max, [2.0, 7.0, 7.0, 2.0], [0.0, 0.5, 0.5, 0.0]),
    ("max of infinities", mg.max, [inf, 1.0, inf], [0.5, 0.0, 0.5]),
    ("max of zeros", mg.max, [0.0, -0.0, -1.0], [0.5, 0.5, 0.0]),
    ("min of subnormals", mg.min, [TINY, TINY, 1.0, TINY], [1 / 3, 1 / 3, 0.0, 1 / 3]),
    ("sort", lambda x: mg.sort(x) * [1.0, 2.0, 3.0], [2.0, 1.0, 2.0], [2.0, 1.0, 3.0]),
    ("median", mg.median, [5.0, 2.0, 5.0, 7.0], [0.5, 0.0, 0.5, 0.0]),
    ("quantile", lambda x: mg.quantile(x, 0.9), [1.0, 3.0, 3.0], [0.0, 0.2, 0.8]),
    ("norm", lambda x: mg.norm(x, inf), [3.0, -3.0, 1.0], [0.5, -0.5, 0.0]),
    ("take", lambda x: mg.take(x, [0, 0, 2, 0]), [1.0, 2.0, 3.0], [3.0, 0.0, 1.0]),
    ("getitem", lambda x: x[[0, -3, 2]] * [1.0, 10.0, 100.0], [1.0, 2.0, 3.0], [11.0, 0.0, 100.0]),
    ("getitem twice", lambda x: x[[1, 1, 0]][[0, 1, 1]], [1.0, 2.0], [0.0, 3.0]),
]


@pytest.mark.parametrize(("name", "f", "x", "expected"), TIES, ids=[row[0] for row in TIES])
def test_ties_and_repeats(name: str, f: Any, x: Any, expected: Any) -> None:
    np.testing.assert_allclose(slope_of(f, x)[0], expected, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "std", "var", "max", "min", "cumsum", "cumprod", "median"])
@pytest.mark.parametrize(("shape", "axis"), [((0,), 0), ((2, 0), 1), ((2, 0), 0), ((0, 3), 0)])
def test_empty_axes_are_numpys(name: str, shape: Any, axis: int) -> None:
    x = mg.Value(np.zeros(shape))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, about the mean of nothing
        try:
            expected = getattr(np, name)(np.zeros(shape), axis=axis)
        except ValueError:
            expected = None
    if expected is None:
        with pytest.raises(mg.errors.ShapeError, match=name):
            getattr(mg, name)(x, axis=axis)
        return
    with np.errstate(all="raise"):
        out = getattr(mg, name)(x, axis=axis)
        np.testing.assert_array_equal(out.data, expected)
        mg.sum(out).backward()
    assert x.grad.shape == shape


def test_a_closed_wire_passes_nothing_whatever_stands_behind_it() -> None:
    mask = np.array([[True], [False], [True]])
    a, b = slope_of(lambda a, b: mg.where(mask, a, b) * [1.0, inf], [[1.0, 2.0]], [[nan], [5.0], [inf]])
    assert a.tolist() == [[2.0, inf]]
    assert b.tolist() == [[0.0], [inf], [0.0]]
    x = np.array([-1e308, 0.0, 2.0, nan])
    upstream = np.array([inf, nan, 3.0, 1.0])
    for name in ("relu", "relu6", "hardtanh", "clip"):
        v = mg.Value(x)
        out = REGISTRY[name](v, **({"a_min": 0.5, "a_max": 3.0} if name == "clip" else {}))
        out.backward(upstream)
        assert v.grad[0] == 0.0, "0 times infinity never happens"


@pytest.mark.parametrize("name", ["relu", "clip", "where", "leaky_relu"])
def test_a_large_array_in_any_layout(name: str, rng: np.random.Generator) -> None:
    """From 1024 numbers on, a mask selects by bits, which must not depend on where they lie."""
    x = rng.normal(size=(40, 30))
    calls = {"clip": lambda v: mg.clip(v, -0.5, 0.5), "where": lambda v: mg.where(x > 0.3, v, 0.0)}
    call = calls.get(name, REGISTRY[name])
    expected = slope_of(lambda v: call(v) * x, x)[0]
    for layout in (np.asfortranarray(x), x[::-1, ::-1].copy()[::-1, ::-1], np.repeat(x, 2, axis=1)[:, ::2]):
        v = mg.Value(layout)
        mg.sum(call(v) * layout).backward()
        np.testing.assert_array_equal(v.grad, expected)


SINGULAR = [
    [[1, 2], [2, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1, 1, 1]] * 3, [[0] * 3] * 3,
    [[2, 0, 0], [0, 0, 0], [0, 0, 3]],
]  # fmt: skip


@pytest.mark.parametrize("matrix", SINGULAR, ids=str)
def test_the_determinant_of_a_singular_matrix(matrix: Any) -> None:
    """Its slope is the matrix of cofactors, whole numbers here, and so is the slope of that."""

    def exact(a: Any) -> Any:
        if not len(a):
            return 1
        minors = [[[x for j, x in enumerate(row) if j != k] for row in a[1:]] for k in range(len(a))]
        return sum((-1) ** k * a[0][k] * exact(minor) for k, minor in enumerate(minors))

    def nudged(*places: tuple[int, int]) -> Any:
        """The determinant's coefficient of these entries: it is linear in each."""
        total = 0
        for signs in np.ndindex(*(2,) * len(places)):
            a = [list(row) for row in matrix]
            for (i, j), s in zip(places, signs, strict=True):
                a[i][j] += s
            total += (-1) ** (len(places) - sum(signs)) * exact(a)
        return total

    a, cells = np.array(matrix, float), list(np.ndindex(len(matrix), len(matrix)))
    value, slope = mg.value_and_grad(mg.det)(a)
    assert abs(value) < 1e-14
    np.testing.assert_allclose(slope.ravel(), [nudged(p) for p in cells], atol=1e-13)
    second = [[nudged(p, q) if p != q else 0.0 for q in cells] for p in cells]
    np.testing.assert_allclose(mg.hessian(mg.det)(a).reshape(len(cells), -1), second, atol=1e-13)
