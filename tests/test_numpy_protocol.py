"""NumPy's functions and operators on Values: `np.exp(v)` records `exp`, and nothing loses a gradient without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError, MinigradError

DATA = np.array([[0.5, -1.5, 2.0], [1.25, 0.75, -0.25]])

UFUNCS = [
    np.exp, np.tanh, np.square, np.absolute, np.negative, np.positive, np.sign,
]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("data", [DATA, DATA[0], 0.5], ids=["2-d", "1-d", "scalar"])
def test_unary_ufuncs(ufunc: Any, data: Any) -> None:
    x, y = mg.Value(data), mg.Value(data)
    out = ufunc(x)
    assert isinstance(out, mg.Value)
    assert out.gate is mg.gates.REGISTRY[ufunc.__name__]
    np.testing.assert_allclose(out.data, ufunc(data), rtol=1e-15)
    mg.sum(out).backward()
    mg.sum(getattr(y, ufunc.__name__)()).backward()
    np.testing.assert_array_equal(x.grad, y.grad)


@pytest.mark.parametrize("ufunc", [np.log, np.sqrt], ids=lambda f: f.__name__)
def test_ufuncs_of_positive_numbers(ufunc: Any) -> None:
    x = mg.Value(np.abs(DATA))
    np.testing.assert_array_equal(ufunc(x).data, ufunc(np.abs(DATA)))


@pytest.mark.parametrize("ufunc", BINARY, ids=lambda f: f.__name__)
def test_binary_ufuncs_with_a_value_on_either_side(ufunc: Any) -> None:
    other = np.array([1.0, 2.0, 4.0])
    for left, right in ((mg.Value(DATA), other), (DATA, mg.Value(other)), (mg.Value(DATA), mg.Value(other))):
        out = ufunc(left, right)
        assert isinstance(out, mg.Value)
        np.testing.assert_array_equal(out.data, ufunc(DATA, other))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (np.float64(3.0), 6.0),
        (np.float32(3.0), 6.0),
        (np.int64(3), 6.0),
        (np.int8(3), 6.0),
        (np.bool_(True), 2.0),
        (np.array(3.0), 6.0),
        (np.array(3), 6.0),
    ],
    ids=repr,
)
def test_numpy_scalars_on_the_left(number: Any, expected: float) -> None:
    """`np.float64.__mul__` must not turn the Value into an object array."""
    x = mg.Value(2.0)
    for out in (number * x, x * number):
        assert isinstance(out, mg.Value)
        assert out.shape == ()
        assert float(out) == expected
    (number * x).backward()
    assert x.grad == expected / 2.0


@pytest.mark.parametrize(
    "op",
    ["__add__", "__sub__", "__mul__", "__truediv__", "__pow__", "__matmul__", "__floordiv__", "__mod__"],
)
def test_arrays_on_the_left_of_an_operator(op: str) -> None:
    """One Value of the whole shape, not an object array of scalar Values."""
    left = np.array([[2.0, 3.0], [4.0, 5.0]])
    x = mg.Value(np.array([[1.5, 2.0], [0.5, 1.0]]))
    import operator

    function = getattr(operator, op)
    out = function(left, x)
    assert isinstance(out, mg.Value)
    np.testing.assert_allclose(out.data, function(left, x.data), rtol=1e-15)
    out.backward(np.ones((2, 2)))
    assert x.grad.shape == (2, 2)


def test_an_array_times_a_scalar_value() -> None:
    x = mg.Value(2.0)
    out = DATA * x
    assert isinstance(out, mg.Value)
    assert out.shape == (2, 3)
    out.sum().backward()
    assert type(x.grad) is float
    assert x.grad == pytest.approx(DATA.sum())


FUNCTIONS = {
    "sum": lambda v: np.sum(v),
    "sum axis": lambda v: np.sum(v, axis=0),
    "sum positional axis": lambda v: np.sum(v, 1),
    "sum keepdims": lambda v: np.sum(v, axis=1, keepdims=True),
    "mean": lambda v: np.mean(v, axis=(0, 1)),
    "max": lambda v: np.max(v, axis=1),
    "amax": lambda v: np.amax(v, axis=1),
    "min": lambda v: np.min(v),
    "amin": lambda v: np.amin(v, axis=0),
    "reshape": lambda v: np.reshape(v, (3, 2)),
    "reshape -1": lambda v: np.reshape(v, -1),
    "transpose": lambda v: np.transpose(v),
    "transpose axes": lambda v: np.transpose(v, (1, 0)),
    "clip": lambda v: np.clip(v, -0.5, 1.0),
    "clip upper": lambda v: np.clip(v, None, 1.0),
    "broadcast_to": lambda v: np.broadcast_to(v, (4, 2, 3)),
    "where": lambda v: np.where(DATA > 0.0, v, 0.0),
    "where second": lambda v: np.where(DATA > 0.0, 1.0, v),
    "concatenate": lambda v: np.concatenate([v, v]),
    "concatenate axis": lambda v: np.concatenate([v, v], axis=1),
    "concatenate positional axis": lambda v: np.concatenate((v, v), 1),
    "concatenate mixed": lambda v: np.concatenate([DATA, v, np.ones((1, 3))]),
    "stack": lambda v: np.stack([v, v]),
    "stack axis": lambda v: np.stack([v, v], axis=-1),
    "stack mixed": lambda v: np.stack([DATA, v]),
    "matmul": lambda v: np.matmul(v, DATA.T),
    "matmul reflected": lambda v: np.matmul(DATA.T, v),
    "operator matmul": lambda v: DATA.T @ v,
    "power": lambda v: np.power(v, 2.0),
    "add.reduce": lambda v: np.add.reduce(v),
    "maximum.reduce": lambda v: np.maximum.reduce(v, axis=1),
    "abs": lambda v: np.abs(v),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions_record(name: str, finite_differences: Any) -> None:
    """Same shape and numbers as on the raw array, and the measured gradient."""
    f = FUNCTIONS[name]
    x = mg.Value(DATA)
    out = f(x)
    assert isinstance(out, mg.Value)
    assert out.gate is not None
    np.testing.assert_allclose(out.data, f(DATA), rtol=1e-15)
    weight = np.random.default_rng(1).uniform(0.5, 1.5, out.shape)
    mg.sum(out * weight).backward()
    measured = finite_differences(lambda d: np.sum(f(d) * weight), [DATA])[0]
    np.testing.assert_allclose(x.grad, measured, atol=1e-9)


def test_concatenate_and_stack_of_scalars() -> None:
    xs = [mg.Value(1.0), mg.Value(2.0), 3.0]
    out = np.stack(xs)
    assert out.data.tolist() == [1.0, 2.0, 3.0]
    (out * out).sum().backward()
    assert [x.grad for x in xs[:2]] == [2.0, 4.0]


def test_questions_about_a_value() -> None:
    x = mg.Value(DATA)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 3), 2, 6)
    for f in (np.isnan, np.isfinite, np.isinf):
        answer = f(x)
        assert type(answer) is np.ndarray
        assert answer.dtype == bool
    assert np.greater(x, 0.0).tolist() == (DATA > 0.0).tolist()
    assert (x < DATA).tolist() == np.zeros((2, 3), bool).tolist()
    assert (x == DATA).all()
    assert (DATA[0] <= x).shape == (2, 3)


@pytest.mark.parametrize(
    "convert",
    [np.asarray, np.array, np.asanyarray, np.ascontiguousarray, lambda v: np.asarray(v, dtype=float), np.float64],
    ids=["asarray", "array", "asanyarray", "ascontiguousarray", "asarray dtype", "float64"],
)
@pytest.mark.parametrize("data", [DATA, 2.0], ids=["array", "scalar"])
def test_conversion_to_an_array_says_to_use_data(convert: Any, data: Any) -> None:
    if convert is np.float64 and data is not DATA:
        assert convert(mg.Value(data)) == 2.0  # it asks for float(v), which is allowed
        return
    with pytest.raises(TypeError, match=r"v\.data"):
        convert(mg.Value(data, label="weights"))


def test_conversion_error_names_the_value() -> None:
    with pytest.raises(DtypeError, match=r"weights \(2, 3\)"):
        np.asarray(mg.Value(DATA, label="weights"))


def test_a_list_of_values_does_not_become_an_object_array() -> None:
    xs = [mg.Value(1.0), mg.Value(2.0)]
    with pytest.raises(TypeError, match=r"mg\.stack"):
        np.array(xs)
    with pytest.raises(TypeError, match=r"mg\.stack"):
        np.sum(xs)
    arrays = [mg.Value(DATA[0]), mg.Value(DATA[1])]
    with pytest.raises(TypeError, match=r"mg\.stack"):
        np.array(arrays)


def test_writing_a_value_into_an_array_is_refused() -> None:
    buffer = np.zeros(3)
    with pytest.raises(TypeError, match=r"v\.data"):
        buffer[:] = mg.Value(np.ones(3))
    assert buffer.tolist() == [0.0] * 3


def test_an_array_cannot_be_updated_in_place_with_a_value() -> None:
    buffer = np.ones(3)
    with pytest.raises(DtypeError, match=r"out= can't hold a Value; write `a = a \+ v`"):
        buffer += mg.Value(np.ones(3))
    with pytest.raises(DtypeError, match="out="):
        np.add(mg.Value(1.0), 1.0, out=buffer)
    with pytest.raises(TypeError, match="out"):
        np.sum(mg.Value(DATA), axis=0, out=buffer)
    with pytest.raises(TypeError, match="out"):
        np.exp(mg.Value(buffer), out=(buffer,))
    assert buffer.tolist() == [1.0] * 3


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda v: np.linalg.eig(v), "eig"),
        (lambda v: np.fft.fft(v), "fft"),
        (lambda v: np.bitwise_and(v, v), "bitwise_and"),
        (lambda v: np.histogram(v), "histogram"),
        (lambda v: np.interp(v, [0.0, 1.0], [0.0, 1.0]), "interp"),
        (lambda v: np.spacing(v), "spacing"),
        (lambda v: np.nextafter(v, 1.0), "nextafter"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_functions_without_a_gate_are_named(call: Any, name: str) -> None:
    with pytest.raises(DtypeError, match=rf"np\.(\w+\.)*{name} has no gate in minigrad: use v\.data.*mg\.Gate"):
        call(mg.Value(DATA))


@pytest.mark.parametrize(
    "call",
    [
        lambda v: np.multiply.reduce(v),
        lambda v: np.add.accumulate(v),
        lambda v: np.add.outer(v, v),
        lambda v: np.add.at(v, 0, 1.0),
        lambda v: np.add.reduceat(v, [0, 1]),
        lambda v: np.exp(v, where=DATA > 0.0),
        lambda v: np.exp(v, dtype=np.float32),
    ],
    ids=["multiply.reduce", "add.accumulate", "add.outer", "add.at", "add.reduceat", "where=", "dtype="],
)
def test_ufunc_methods_and_options_are_refused_or_right(call: Any) -> None:
    """Never a silent drop of the option, never an object array."""
    with pytest.raises(DtypeError, match=r"np\.\w+.*has no gate in minigrad; use v\.data"):
        call(mg.Value(DATA))


@pytest.mark.parametrize(
    "call",
    [
        lambda v: np.sum(v, where=DATA > 0.0),
        lambda v: np.sum(v, dtype=np.float32),
        lambda v: np.sum(v, initial=5.0),
        lambda v: np.mean(v, dtype=np.float32),
        lambda v: np.max(v, initial=9.0),
        lambda v: np.concatenate([v, v], axis=None),
        lambda v: np.clip(v, 0.0, 1.0, out=np.zeros((2, 3))),
        lambda v: np.reshape(v, (3, 2), order="F"),
    ],
    ids=["sum where", "sum dtype", "sum initial", "mean dtype", "max initial", "concatenate None", "clip out", "order"],
)
def test_options_that_a_gate_does_not_have_are_not_dropped(call: Any) -> None:
    """Either NumPy's answer or an error of ours: never the answer without the option."""
    try:
        out = call(mg.Value(DATA))
    except (MinigradError, TypeError):
        return
    np.testing.assert_array_equal(out.data, call(DATA))


def test_functions_with_positional_options() -> None:
    x = mg.Value(DATA)
    np.testing.assert_array_equal(np.clip(x, -1.0, 1.0).data, np.clip(DATA, -1.0, 1.0))
    np.testing.assert_array_equal(np.mean(x, 0).data, DATA.mean(0))


def test_second_derivatives_through_numpys_functions() -> None:
    second = mg.grad(lambda x: mg.sum(mg.grad(lambda y: np.sum(np.exp(y) * np.square(y)))(x)))(np.array([0.3, -0.2]))
    x = np.array([0.3, -0.2])
    np.testing.assert_allclose(second, np.exp(x) * (x**2 + 4.0 * x + 2.0), rtol=1e-13)


def test_float32_arrays_with_python_numbers_and_integers() -> None:
    single = mg.Value(np.ones(3, np.float32))
    for out in (single * 2.5, 2 * single, single * np.arange(3), np.arange(3) * single, single + np.array([True] * 3)):
        assert out.dtype == np.float32
    assert (single * np.ones(3)).dtype == np.float64, "a float64 array is a float64 operand, as in NumPy"
    for out in (np.exp(single), np.sum(single), np.mean(single), np.maximum(single, 0.5), single**2, single / 3):
        assert out.dtype == np.float32


@pytest.mark.parametrize("bad", [1j, np.ones(3, complex), np.array(["a"] * 3), np.array([None] * 3), np.ones(3, "f2")])
def test_operands_without_a_derivative_are_refused(bad: Any) -> None:
    x = mg.Value(np.ones(3))
    for op in (lambda: x * bad, lambda: bad * x, lambda: np.add(x, bad)):
        with pytest.raises(TypeError):
            op()
