"""Every gate of the catalogue: right numbers, right slopes, in every form in which inputs come.

Each test runs over `REGISTRY`, so a new row is tested as soon as it is there; what NumPy and PyTorch call the gate,
where they have it, is all that this file adds.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.check import sampling
from minigrad.check.sampling import BINARY_SHAPES, UNARY_SHAPES, is_float
from minigrad.gates import REGISTRY
from minigrad.gates.registry import Call


class Case(sampling.Case):
    """One way to call a gate."""

    def total(self, *inputs: Any) -> Any:
        """One number made of all outputs, each with a weight of its own; on raw numbers and on Values."""
        out = self.call(*inputs)
        return mg.sum(out * weights(out.shape)) if hasattr(out, "shape") and out.shape else out * 0.7


def weights(shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(7).uniform(0.5, 1.5, shape)


def per_output(case: sampling.Case) -> list[Case]:
    """A gate with several outputs has a case for each of them."""
    case = Case(*case)
    out = case.call(*case.sample(np.random.default_rng(0)))
    return [case._replace(output=i) for i in range(len(out))] if isinstance(out, tuple) else [case]


def more(name: str, *shapes: Any, **params: Any) -> Case:
    return Case(REGISTRY[name], shapes, ((-2.0, 2.0),) * len(shapes), params)


# Parameters and shapes that the catalogue's own examples leave out, and where such gates tend to break.
MORE = [
    *[
        more(name, (2, 3, 4), **params)
        for name in ("sum", "mean", "max", "min", "logsumexp")
        for params in ({"axis": (-1,)}, {"axis": (0, -1), "keepdims": True}, {"axis": -2}, {"axis": ()})
    ],
    *[more(name, (3, 1, 2), axis=axis) for name in ("softmax", "log_softmax") for axis in (0, 1, -2)],
    more("softmax", ()),
    more("transpose", (2, 3, 4), axes=(-1, 0, -2)),
    more("transpose", (3,)),
    more("transpose", ()),
    more("reshape", (2, 3), shape=-1),
    more("reshape", (6,), shape=(1, 2, 3)),
    more("broadcast_to", (1, 3), shape=(1, 3)),
    more("broadcast_to", (1,), shape=(2, 3, 4)),
    more("concatenate", (2, 3)),
    more("concatenate", (0, 3), (2, 3)),
    more("concatenate", (2,), (1,), (3,)),
    more("stack", (2, 3), (2, 3), (2, 3), axis=-2),
    more("stack", (2,)),
    more("clip", (2, 3)),
    more("clip", (2, 3), a_min=np.array([-1.0, 0.0, 0.5]), a_max=np.array([[0.3], [1.0]])),
    more("clip", (3,), a_min=1, a_max=2),
    *[more("round", shape, decimals=1) for shape in ((), (2, 3))],
    *[more("nan_to_num", shape, nan=3.0) for shape in ((), (2, 3))],
    *[more("hardtanh", shape, min_val=-0.5, max_val=1.5) for shape in ((), (2, 3))],
    *[more("leaky_relu", shape, negative_slope=0.2) for shape in ((), (2, 3))],
    *[more(name, shape, alpha=0.7) for name in ("elu", "celu") for shape in ((), (2, 3))],
    *[more("softplus", shape, beta=3.0) for shape in ((), (2, 3))],
    *[more("gelu", shape, approximate="tanh") for shape in ((), (2, 3))],
    more("where", np.array([[True], [False]]), (3,), (2, 1)),
    more("where", np.array([1, 0, 2]), (3,), ()),
    more("getitem", (3, 4, 2), index=(0, slice(None), np.array([0, 1]))),
    more("getitem", (3, 4), index=(slice(None), None, np.array([1, 1, 3]))),
    more("getitem", (3, 4), index=(np.array([[0, 1], [2, 2]]), np.array([3, 3]))),
    more("getitem", (3, 4), index=np.array([-1, 2, -1])),
    more("getitem", (3, 4), index=slice(1, 1)),
    more("getitem", (3, 4), index=()),
    more("getitem", (3, 4), index=np.zeros((3, 4), bool)),
    more("getitem", (3, 4), index=[2, 0, 2]),
    more("matmul", (1, 2, 3), (4, 3, 1)),
    more("matmul", (2, 1, 2, 3), (3,)),
    more("matmul", (3,), (2, 4, 3, 2)),
    more("matmul", (0, 3), (3, 2)),
]
CASES = [part for gate in REGISTRY.values() for case in sampling.cases_of(gate) for part in per_output(case)] + MORE
DIFFERENTIABLE = [case for case in CASES if case.differentiable]
ELEMENTWISE = [case for case in DIFFERENTIABLE if case.gate.elementwise and not isinstance(case.gate.domain[0], Call)]
each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_differentiable = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)


def leaves(inputs: list[Any]) -> list[Any]:
    """Values of the float inputs; masks stay raw."""
    return [mg.Value(x) if is_float(x) else x for x in inputs]


def raw(x: Any) -> Any:
    return x.data if isinstance(x, mg.Value) else x


def wires(inputs: list[Any]) -> list[int]:
    return [i for i, x in enumerate(inputs) if is_float(x)]


def total_gradients(case: Case, inputs: list[Any]) -> list[Any]:
    """Through backward(), which is the engine's first-order path."""
    values = leaves(inputs)
    case.total(*values).backward()
    return [x.grad if isinstance(x, mg.Value) else None for x in values]


def assert_near(got: Any, expected: Any, rtol: float = 1e-7, atol: float = 1e-8) -> None:
    assert np.shape(got) == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)


# ------------------------------------------------------------------------------------------------------- forward
def longhand_softmax(x: Any, axis: int = -1) -> Any:
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def longhand_put(g: Any, index: Any, shape: Any) -> Any:
    """Adds the numbers one at a time."""
    out = np.zeros(shape)
    places = np.arange(out.size).reshape(shape)[index]
    for place, number in zip(places.ravel(), g.ravel(), strict=True):
        out.ravel()[place] += number
    return out


def longhand_neuron(*wires: Any) -> Any:
    n = len(wires) // 2
    return sum(wires[i] * wires[n + i] for i in range(n)) + wires[-1]


def by_mpmath(name: str) -> Any:
    """A function of mpmath, number by number."""
    return lambda *xs: np.vectorize(lambda *ys: float(getattr(pytest.importorskip("mpmath"), name)(*ys)))(*xs)


def longhand_gelu(x: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1.0 + by_mpmath("erf")(x / np.sqrt(2.0)))


def longhand_cofactor(a: Any) -> Any:
    return np.linalg.det(a)[..., None, None] * np.swapaxes(np.linalg.inv(a), -1, -2)


def longhand_cofactor_slope(a: Any, e: Any) -> Any:
    """Of regular matrices: the product rule on det(A) A⁻ᵀ."""
    b = np.swapaxes(np.linalg.inv(a), -1, -2)
    along = np.einsum("...ij,...ij->...", b, e)[..., None, None]
    return np.linalg.det(a)[..., None, None] * (along * b - b @ np.swapaxes(e, -1, -2) @ b)


def longhand_windows(x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """One number at a time."""
    n = len(size)
    lead, image = x.shape[: x.ndim - n], x.shape[x.ndim - n :]
    places = [(m - d * (k - 1) - 1) // s + 1 for m, k, s, d in zip(image, size, stride, dilation, strict=True)]
    out = np.zeros((*lead, *places, *size))
    for index in np.ndindex(*places, *size):
        at = [p * s + i * d for p, i, s, d in zip(index[:n], index[n:], stride, dilation, strict=True)]
        out[(..., *index)] = x[(..., *at)]
    return out


def longhand_unwindows(g: Any, shape: Any, **how: Any) -> Any:
    """Each number is added where the window shows it: the transposed matrix, column by column."""
    ones = np.eye(math.prod(shape)).reshape(-1, *shape)
    return np.array([np.sum(longhand_windows(one, **how) * g) for one in ones]).reshape(shape)


def longhand_columns(x: Any, size: Any, **how: Any) -> Any:
    """The windows, one after the other: (batch, channels, *places, *size)."""
    n, parts = len(size), longhand_windows(x, size, **how)
    return np.array(
        [
            [parts[(b, c, *place, *inside)] for place in np.ndindex(parts.shape[2 : 2 + n]) for b in range(len(x))]
            for c in range(x.shape[1])
            for inside in np.ndindex(*size)
        ]
    )


def longhand_uncolumns(g: Any, shape: Any, **how: Any) -> Any:
    ones = np.eye(math.prod(shape)).reshape(-1, *shape)
    return np.array([np.sum(longhand_columns(one, **how) * g) for one in ones]).reshape(shape)


def longhand_image(rows: Any, places: Any) -> Any:
    """A list of rows (places and batch) as an image."""
    batch = len(rows[0]) // math.prod(places)
    each = [[[row[p * batch + b] for p in range(math.prod(places))] for row in rows] for b in range(batch)]
    return np.reshape(each, (batch, len(rows), *places))


def longhand_filtered(columns: Any, weight: Any, bias: Any, places: Any, groups: int = 1) -> Any:
    n, taps = len(weight) // groups, weight[0].size
    rows = [w.ravel() @ columns[i // n * taps : (i // n + 1) * taps] + bias[i] for i, w in enumerate(weight)]
    return longhand_image(rows, places)


def longhand_largest(columns: Any, count: int, places: Any) -> Any:
    return longhand_image([columns[i : i + count].max(axis=0) for i in range(0, len(columns), count)], places)


LONGHAND: dict[str, Any] = {  # what NumPy does not have, or has under another meaning
    "select": lambda mask, x: np.where(mask, x, 0.0),
    "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0.0),
    "astype": lambda x, dtype: np.asarray(x).astype(dtype),
    "vector_norm": np.linalg.vector_norm,
    "lerp": lambda a, b, t: (1.0 - t) * a + t * b,
    "getitem": lambda x, index: x[index],
    "put": longhand_put,
    "einsum": np.einsum,
    "windows": longhand_windows,
    "unwindows": longhand_unwindows,
    "columns": longhand_columns,
    "uncolumns": longhand_uncolumns,
    "filtered": longhand_filtered,
    "largest": longhand_largest,
    **{name: getattr(np.linalg, name) for name in ("inv", "solve", "det", "cholesky", "pinv")},
    **{name: getattr(np.linalg, name) for name in ("qr", "eigh", "svd", "slogdet")},
    "cofactor": longhand_cofactor,
    "cofactor_slope": longhand_cofactor_slope,
    "linear": lambda x, weight, bias: np.einsum("...i,oi->...o", x, weight) + bias,
    "neuron": longhand_neuron,
    "logsumexp": lambda x, axis=None, keepdims=False: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "softmax": longhand_softmax,
    "log_softmax": lambda x, axis=-1: np.log(longhand_softmax(x, axis)),
    "hinge": lambda score, label: np.where(label * score < 1.0, 1.0 - label * score, 0.0),
    "negative_log_softmax": lambda scores, labels: np.array(
        [np.log(np.sum(np.exp(row))) - row[label] for row, label in zip(scores, labels, strict=True)]
    ),
    "sum_of_squares": lambda *xs: sum(float(np.sum(np.square(x))) for x in xs),
    "clip": lambda x, a_min=None, a_max=None: np.clip(x, a_min, a_max),
    "round": lambda x, decimals=0: np.round(x, decimals),
    "relu6": lambda x: np.minimum(np.maximum(x, 0.0), 6.0),
    "hardtanh": lambda x, min_val=-1.0, max_val=1.0: np.minimum(np.maximum(x, min_val), max_val),
    "hardsigmoid": lambda x: np.minimum(np.maximum(x / 6.0 + 0.5, 0.0), 1.0),
    "leaky_relu": lambda x, negative_slope=0.01: np.maximum(x, 0.0) + negative_slope * np.minimum(x, 0.0),
    "elu": lambda x, alpha=1.0: np.where(x > 0.0, x, alpha * (np.exp(x) - 1.0)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0.0, x, 1.6732632423543773 * (np.exp(x) - 1.0)),
    "celu": lambda x, alpha=1.0: np.maximum(x, 0.0) + np.minimum(alpha * (np.exp(x / alpha) - 1.0), 0.0),
    "softplus": lambda x, beta=1.0: np.log(1.0 + np.exp(beta * x)) / beta,
    "logsigmoid": lambda x: -np.log(1.0 + np.exp(-x)),
    "gelu": longhand_gelu,
    "silu": lambda x: x / (1.0 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log(1.0 + np.exp(x))),
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "erf": by_mpmath("erf"),
    "erfc": by_mpmath("erfc"),
    "erfinv": by_mpmath("erfinv"),
    "lgamma": by_mpmath("loggamma"),
    "digamma": by_mpmath("digamma"),
    "sech": by_mpmath("sech"),
    "polygamma": lambda n, x: by_mpmath("polygamma")(n, x),
    "xlogy": lambda x, y: x * np.log(y),
    "logit": lambda x: np.log(x / (1.0 - x)),
}


def numpy_answer(case: Case, inputs: list[Any]) -> Any:
    function = LONGHAND.get(case.name) or getattr(np, case.name, None)
    if function is None:
        pytest.skip(f"NumPy has no {case.name}: add its formula to LONGHAND")
    if case.joint and case.name not in LONGHAND:
        inputs = [inputs]
    out = function(*inputs, **case.params)
    return out if case.output is None else out[case.output]


FACTORED = ("cofactor", "cofactor_slope")  # the reference goes another way, through the inverse


@each_case
def test_forward_is_numpys(case: Case, rng: np.random.Generator) -> None:
    inputs = case.sample(rng)
    expected = numpy_answer(case, inputs)
    near = {"rtol": 1e-12, "atol": 1e-12} if case.name in FACTORED else {"rtol": 1e-14, "atol": 1e-15}
    assert_near(case.call(*inputs), expected, **near)
    recorded = case.call(*leaves(inputs))
    if not case.differentiable:
        assert not isinstance(recorded, mg.Value), "a question about numbers has a raw answer"
    assert_near(raw(recorded), expected, **near)


def test_every_gate_has_a_reference() -> None:
    """Nothing slips through `test_forward_is_numpys` as a skip."""
    assert [name for name in REGISTRY if name not in LONGHAND and not hasattr(np, name)] == []


@each_case
def test_raw_numbers_in_raw_numbers_out(case: Case, rng: np.random.Generator) -> None:
    out = case.call(*case.sample(rng))
    assert not isinstance(out, mg.Value)
    assert type(out) in (float, bool, int, np.bool_, np.ndarray)


@each_differentiable
def test_data_is_a_float_or_an_array(case: Case, rng: np.random.Generator) -> None:
    out = case.call(*leaves(case.sample(rng)))
    assert type(out.data) is float or (type(out.data) is np.ndarray and out.data.dtype == np.float64)
    if out.shape == ():
        assert type(out.data) is float, "a float64 scalar is a Python float"


# --------------------------------------------------------------------------------------------------- derivatives
@each_differentiable
def test_first_derivative_is_the_measured_slope(case: Case, rng: np.random.Generator, finite_differences: Any) -> None:
    inputs = case.sample(rng)
    measured = finite_differences(case.total, inputs)
    gradients = total_gradients(case, inputs)
    for i in wires(inputs):
        assert type(gradients[i]) is type(inputs[i])
        assert_near(gradients[i], measured[i])


@each_differentiable
def test_second_derivative_is_the_measured_slope_of_the_first(
    case: Case, rng: np.random.Generator, finite_differences: Any
) -> None:
    """The slope of (a weighted sum of all first derivatives), measured and differentiated."""
    inputs = case.sample(rng)
    at = tuple(wires(inputs))

    def slope(*xs: Any) -> Any:
        parts = mg.grad(case.total, argnums=at)(*xs)
        return sum(mg.sum(part * weights(np.shape(x))) for part, x in zip(parts, [inputs[i] for i in at], strict=True))

    measured = finite_differences(slope, inputs)
    second = mg.grad(slope, argnums=at)(*inputs)
    for i, got in zip(at, second, strict=True):
        assert type(got) is type(inputs[i])
        assert_near(got, measured[i])


@each_differentiable
def test_gradcheck_agrees(case: Case, rng: np.random.Generator) -> None:
    inputs = case.sample(rng)
    floats = [inputs[i] for i in wires(inputs)]

    def f(*xs: Any) -> Any:
        rest = iter(xs)
        return case.total(*[next(rest) if is_float(x) else x for x in inputs])

    assert mg.gradcheck(f, *floats, order=1)
    assert mg.gradcheck(f, *floats, order=2)


@each_differentiable
def test_the_recorded_pass_gives_the_same_first_derivative(case: Case, rng: np.random.Generator) -> None:
    """`mg.grad` on Values runs the derivative statements on Values; the numbers must not depend on that."""
    inputs = case.sample(rng)
    at = tuple(wires(inputs))
    recorded = mg.grad(case.total, argnums=at)(*leaves(inputs))
    for i, got in zip(at, recorded, strict=True):
        assert isinstance(got, mg.Value)
        assert_near(got.data, total_gradients(case, inputs)[i], rtol=1e-13, atol=1e-14)


@each_differentiable
def test_one_constant_wire_leaves_the_other_gradients_alone(case: Case, rng: np.random.Generator) -> None:
    inputs = case.sample(rng)
    full = total_gradients(case, inputs)
    for constant in wires(inputs):
        if len(wires(inputs)) == 1:
            continue
        values = leaves(inputs)
        values[constant] = inputs[constant]
        case.total(*values).backward()
        for i in wires(inputs):
            if i != constant:
                assert_near(values[i].grad, full[i], rtol=1e-15, atol=0.0)


@each_differentiable
def test_local_gradients_align_with_the_wires(case: Case, rng: np.random.Generator) -> None:
    """On an elementwise gate each is what backward would send for an upstream of 1; None on all other wires."""
    inputs = case.sample(rng)
    values = leaves(inputs)
    out = case.call(*values)
    if case.output is not None:
        (out,) = out.inputs  # the gate behind the pick
    assert len(out.inputs) == len(out.local_gradients()) == len(inputs)
    for i, (wire, local) in enumerate(zip(out.inputs, out.local_gradients(), strict=True)):
        if not is_float(inputs[i]):
            assert not isinstance(wire, mg.Value)
            assert local is None
        else:
            assert wire is values[i]
            if not case.gate.elementwise:
                assert local is None
    if case.gate.elementwise:
        out.backward(np.ones(out.shape) if out.shape else None)
        for i in wires(inputs):
            spread = np.broadcast_to(out.local_gradients()[i], np.broadcast_shapes(out.shape, values[i].shape))
            extra = spread.ndim - values[i].ndim
            axes = (*range(extra), *(extra + k for k, n in enumerate(values[i].shape) if n == 1))
            assert_near(np.sum(spread, axis=axes).reshape(values[i].shape), values[i].grad, rtol=1e-14, atol=1e-15)


# ------------------------------------------------------------------------------------- forms in which inputs come
SCALAR_CASES = [case for case in ELEMENTWISE if all(shape == () for shape in case.shapes)]


@pytest.mark.parametrize("case", SCALAR_CASES, ids=str)
def test_a_scalar_is_a_0d_array_is_an_array_of_one(case: Case, rng: np.random.Generator) -> None:
    for _ in range(20):
        numbers = case.sample(rng)
        answers = []
        for form in (float, np.asarray, np.atleast_1d):
            values = [mg.Value(form(x)) for x in numbers]
            out = case.call(*values)
            out.backward()
            second = mg.grad(lambda *xs: mg.sum(mg.grad(lambda *ys: mg.sum(case.call(*ys)))(*xs)))(*map(form, numbers))
            answers.append([out.item(), *(float(np.asarray(x.grad).item()) for x in values), float(np.sum(second))])
            assert all(np.shape(x.grad) == np.shape(form(0.0)) for x in values)
        # NumPy's loops and Python's math module round tanh, exp and log differently in the last digit
        np.testing.assert_allclose(answers[1], answers[0], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(answers[2], answers[0], rtol=1e-14, atol=1e-15)


BROADCAST = [case for case in ELEMENTWISE if len(case.shapes) == 2 and len(set(case.shapes)) > 1]


@pytest.mark.parametrize("case", BROADCAST, ids=str)
def test_broadcasting_is_tiling_by_hand(case: Case, rng: np.random.Generator) -> None:
    inputs = case.sample(rng)
    shape = np.broadcast_shapes(*map(np.shape, inputs))
    tiled = Case(case.gate, (shape, shape), case.ranges, case.params)
    full = total_gradients(tiled, [np.array(np.broadcast_to(x, shape)) for x in inputs])
    for x, got, tile in zip(inputs, total_gradients(case, inputs), full, strict=True):
        expected = tile
        while np.ndim(expected) > np.ndim(x):
            expected = expected.sum(axis=0)
        for axis, n in enumerate(np.shape(x)):
            if n == 1:
                expected = expected.sum(axis=axis, keepdims=True)
        assert np.shape(got) == np.shape(x)
        assert_near(got, expected, rtol=1e-13, atol=1e-14)


@each_differentiable
def test_float32_stays_float32(case: Case, rng: np.random.Generator) -> None:
    if any(getattr(parameter, "dtype", None) == np.float64 for parameter in case.params.values()):
        pytest.skip("a float64 parameter makes a float64 result, as in NumPy")
    if "dtype" in case.params:
        pytest.skip("a gate that changes the dtype")
    inputs = case.sample(rng)
    values = [mg.Value(np.asarray(x, np.float32)) if is_float(x) else x for x in inputs]
    out = case.call(*values)
    assert out.data.dtype == np.float32
    np.testing.assert_allclose(out.data, raw(case.call(*leaves(inputs))), rtol=2e-5, atol=1e-5)
    out.backward(np.ones(out.shape, np.float32))
    gradients = [x.grad for x in values if isinstance(x, mg.Value)]
    assert all(isinstance(g, np.ndarray) and g.dtype == np.float32 for g in gradients)
    expected = leaves(inputs)
    exact = case.call(*expected)
    exact.backward(np.ones(out.shape) if out.shape else None)
    for i in wires(inputs):
        assert values[i].grad.shape == values[i].shape
        np.testing.assert_allclose(values[i].grad, expected[i].grad, rtol=1e-4, atol=1e-4)
    at = tuple(wires(inputs))
    singles = [raw(x) for x in values]

    def slope(*xs: Any) -> Any:
        return sum(mg.sum(part) for part in mg.grad(lambda *ys: mg.sum(case.call(*ys)), argnums=at)(*xs))

    assert all(g.dtype == np.float32 for g in mg.grad(slope, argnums=at)(*singles)), "second derivatives too"


@each_differentiable
def test_non_contiguous_inputs(case: Case, rng: np.random.Generator) -> None:
    """Every other number of a larger array, walked backwards."""
    inputs = case.sample(rng)
    strided = []
    for x in inputs:
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            room = np.zeros(tuple(2 * n for n in x.shape))
            view = room[(slice(None, None, -2),) * x.ndim]
            view[...] = x
            assert not view.flags.c_contiguous or view.size < 2
            strided.append(view)
        else:
            strided.append(x)
    before = [np.array(x) for x in strided]
    for got, expected in zip(total_gradients(case, strided), total_gradients(case, inputs), strict=True):
        if expected is not None:
            assert_near(got, expected, rtol=1e-14, atol=1e-15)
    for x, then in zip(strided, before, strict=True):
        np.testing.assert_array_equal(x, then)


@each_differentiable
def test_gradients_share_no_memory(case: Case, rng: np.random.Generator) -> None:
    values = leaves(case.sample(rng))
    out = case.call(*values)
    upstream = np.ones(out.shape)
    out.backward(upstream)
    mine = [x for x in values if isinstance(x, mg.Value)]
    arrays = [x.grad for x in [*mine, out]] + [x.data for x in [*mine, out]] + [upstream]
    for a, b in itertools.combinations([a for a in arrays if isinstance(a, np.ndarray)], 2):
        if any(a is d for d in (x.data for x in [*mine, out])) and any(b is d for d in (x.data for x in [*mine, out])):
            continue  # a reshaped result may be a view of its input
        assert not np.shares_memory(a, b)


ALIKE = [
    case for case in DIFFERENTIABLE if len(case.shapes) > 1 == len({*map(str, case.shapes)}) == len({*case.ranges})
]


@pytest.mark.parametrize("case", [case for case in ALIKE if isinstance(case.shapes[0], tuple)], ids=str)
def test_the_same_value_on_every_wire(case: Case, rng: np.random.Generator, finite_differences: Any) -> None:
    inputs = case.sample(rng)
    if len(wires(inputs)) < len(inputs):
        pytest.skip("a mask is no wire")
    if case.name in ("maximum", "minimum"):
        pytest.skip("a tie: see the kinks in test_value.py")
    x = mg.Value(inputs[0])
    out = case.call(*[x] * len(inputs))
    assert all(wire is x for wire in out.inputs)
    case.total(*[x] * len(inputs)).backward()
    assert_near(x.grad, finite_differences(lambda y: case.total(*[y] * len(inputs)), inputs[:1])[0])


@each_differentiable
def test_without_recording(case: Case, rng: np.random.Generator) -> None:
    inputs = case.sample(rng)
    with mg.no_grad():
        out = case.call(*leaves(inputs))
    assert isinstance(out, mg.Value)
    assert out.gate is None
    assert out.inputs == ()
    assert not out.requires_grad
    assert_near(out.data, case.call(*inputs), rtol=1e-15, atol=0.0)
    frozen = [mg.Value(x, requires_grad=False) if is_float(x) else x for x in inputs]
    assert case.call(*frozen).gate is None


LARGE = [case for case in ELEMENTWISE if case.shapes in (UNARY_SHAPES[1], BINARY_SHAPES[1])]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_arrays_are_many_small_ones(case: Case, dtype: Any, rng: np.random.Generator) -> None:
    """Faster ways for large arrays must not show in the numbers."""
    arrays = [rng.uniform(low, high, (80, 64)).astype(dtype) for low, high in case.ranges]
    upstream = rng.normal(size=(80, 64)).astype(dtype)
    large = [mg.Value(x) for x in arrays]
    out = case.call(*large)
    out.backward(upstream)
    for row in range(0, 80, 8):
        small = [mg.Value(x[row].copy()) for x in arrays]
        part = case.call(*small)
        part.backward(upstream[row])
        np.testing.assert_allclose(out.data[row], part.data, rtol=1e-6 if dtype is np.float32 else 1e-14)
        for x, y in zip(large, small, strict=True):
            np.testing.assert_allclose(x.grad[row], y.grad, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=1e-7)


EMPTY = [case for case in ELEMENTWISE if case.shapes in UNARY_SHAPES[1:] + BINARY_SHAPES[1:2]]


@pytest.mark.parametrize("case", EMPTY, ids=str)
def test_empty_arrays(case: Case) -> None:
    values = [mg.Value(np.zeros((0, 3))) for _ in case.shapes]
    out = case.call(*values)
    assert out.shape == (0, 3)
    mg.sum(out).backward()
    assert all(x.grad.shape == (0, 3) for x in values)


@pytest.mark.parametrize("name", ["sum", "mean", "logsumexp"])
def test_reducing_an_empty_axis_gives_what_numpy_gives(name: str) -> None:
    x = mg.Value(np.zeros((0, 3)))
    out = REGISTRY[name](x, axis=1)
    assert out.shape == (0,)
    mg.sum(out).backward()
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize("name", ["max", "min"])
def test_the_largest_of_nothing_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        REGISTRY[name](mg.Value(np.zeros((0, 3))))


# ------------------------------------------------------------------------------------------ PyTorch as an oracle
def torch_functions(torch: Any) -> dict[str, Any]:
    """The gates that PyTorch has under another name or with another signature; None: it has no such function."""

    def reduced(f: Any) -> Any:
        def along(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            if axis == ():
                pytest.skip("no axis is every axis in PyTorch")
            return f(x, dim=tuple(range(x.ndim)) if axis is None else axis, keepdim=keepdims)

        return along

    def product(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        for i in sorted(range(x.ndim) if axis is None else [a % x.ndim for a in np.atleast_1d(axis)])[::-1]:
            x = torch.prod(x, dim=int(i), keepdim=keepdims)
        return x

    def permuted(x: Any, axes: Any = None) -> Any:
        return x.permute(axes if axes is not None else tuple(reversed(range(x.ndim))))

    def indexed(x: Any, index: Any) -> Any:
        if isinstance(index, tuple) and any(isinstance(i, slice) and (i.step or 1) < 0 for i in index):
            pytest.skip("PyTorch has no negative steps")
        if isinstance(index, tuple) and len(index) == 3 and type(index[0]) is int:
            pytest.skip("PyTorch orders the axes of a number and an array around a slice otherwise")
        return x[index]

    return {
        "select": lambda mask, x: torch.where(torch.as_tensor(mask), x, 0.0),
        "where": lambda mask, a, b: torch.where(torch.as_tensor(mask != 0), a, b),
        "max": reduced(torch.amax),
        "min": reduced(torch.amin),
        "sum": reduced(torch.sum),
        "mean": reduced(torch.mean),
        "logsumexp": reduced(torch.logsumexp),
        "clip": lambda x, a_min=None, a_max=None: torch.clip(
            x, *[torch.as_tensor(default if b is None else b) for b, default in ((a_min, -np.inf), (a_max, np.inf))]
        ),
        "astype": lambda x, dtype: x.double(),
        "transpose": permuted,
        "reshape": lambda x, shape: x.reshape(shape),
        "broadcast_to": lambda x, shape: x.broadcast_to(shape),
        "getitem": indexed,
        "put": None,
        "floor_divide": None,  # it refuses to differentiate it
        "concatenate": lambda *xs, axis=0: torch.cat(xs, dim=axis),
        "stack": lambda *xs, axis=0: torch.stack(xs, dim=axis),
        "einsum": torch.einsum,
        **dict.fromkeys(("windows", "unwindows", "columns", "uncolumns", "filtered", "largest")),
        **{name: getattr(torch.linalg, name) for name in ("inv", "solve", "det", "cholesky", "pinv", "slogdet")},
        **dict.fromkeys(("qr", "eigh", "svd")),  # signs of vectors are free: see test_factorizations.py
        "split": lambda x, indices_or_sections, axis=0: torch.tensor_split(x, indices_or_sections, dim=axis),
        "linear": torch.nn.functional.linear,
        "neuron": None,
        "hinge": lambda score, label: torch.clamp(1.0 - label * score, min=0.0),
        "negative_log_softmax": lambda scores, labels: torch.nn.functional.cross_entropy(
            scores, torch.as_tensor(labels), reduction="none"
        ),
        "sum_of_squares": lambda *xs: sum((x * x).sum() for x in xs),
        "softmax": lambda x, axis=-1: torch.softmax(x, dim=axis),
        "log_softmax": lambda x, axis=-1: torch.log_softmax(x, dim=axis),
        "softplus": torch.nn.functional.softplus,
        "power": torch.pow,
        "prod": product,
        "cumsum": lambda x, axis=None: torch.cumsum(x.ravel() if axis is None else x, dim=axis or 0),
        "cumprod": lambda x, axis=None: torch.cumprod(x.ravel() if axis is None else x, dim=axis or 0),
        "var": lambda x, axis=None, ddof=0, keepdims=False: torch.var(x, axis, correction=ddof, keepdim=keepdims),
        "std": lambda x, axis=None, ddof=0, keepdims=False: torch.std(x, axis, correction=ddof, keepdim=keepdims),
        "vector_norm": lambda x, axis=None, keepdims=False, ord=2: torch.linalg.vector_norm(x, ord, axis, keepdims),
        "heaviside": None,  # it has no derivative of it
    }


ROUNDED_BY_PYTORCH = {  # float32 constants in its float64 gradients, and a short series for trigamma
    "hardsigmoid": 1e-7, "celu": 1e-7, "digamma": 1e-9, "polygamma": 1e-8,
}  # fmt: skip


@pytest.mark.oracle
@each_differentiable
def test_values_and_gradients_are_pytorchs(case: Case, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    functions = torch_functions(torch)
    function = functions[case.name] if case.name in functions else getattr(torch, case.name, None)
    function = function or (getattr(torch.nn.functional, case.name, None) if case.name not in functions else None)
    if function is None:
        pytest.skip(f"PyTorch has no {case.name}")
    inputs = case.sample(rng)
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) if is_float(x) else x for x in inputs]
    out = function(*theirs, **case.params)
    out = out if case.output is None else out[case.output]
    ours = leaves(inputs)
    result = case.call(*ours)
    rtol = ROUNDED_BY_PYTORCH.get(case.name, 1e-11)
    assert_near(result.data, out.detach().numpy()[()], rtol=max(rtol / 10, 1e-12), atol=1e-13)
    upstream = weights(tuple(out.shape))
    if out.requires_grad:
        out.backward(torch.tensor(upstream, dtype=torch.float64).reshape(out.shape))
    result.backward(upstream)
    for i in wires(inputs):
        expected = np.zeros(np.shape(inputs[i])) if theirs[i].grad is None else theirs[i].grad.numpy()
        assert_near(ours[i].grad, expected[()], rtol=rtol, atol=1e-12)
