"""`Value` itself: what it may hold, what it remembers, how it behaves among numbers, and its conventions at kinks."""

from __future__ import annotations

import decimal
import fractions
import math
import operator
import threading
import warnings
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError, GradientError, ShapeError

inf, nan = math.inf, math.nan


# ---------------------------------------------------------------------------------------------------- construction
@pytest.mark.parametrize(
    "data", [3, 3.0, np.int64(3), np.int8(3), np.uint16(3), np.float64(3.0)], ids=lambda x: type(x).__name__
)
def test_numbers_become_python_floats(data: Any) -> None:
    v = mg.Value(data)
    assert type(v.data) is float
    assert v.data == 3.0
    assert (v.shape, v.ndim, v.size, v.dtype) == ((), 0, 1, np.float64)


@pytest.mark.parametrize("data", [np.float32(2.5), np.array(2.5, np.float32), np.array(2.5), np.array(2)], ids=repr)
def test_0d_arrays_and_float32_scalars_stay_0d_arrays(data: Any) -> None:
    v = mg.Value(data)
    assert type(v.data) is np.ndarray
    assert v.data.shape == ()
    assert v.dtype == (np.float32 if data.dtype == np.float32 else np.float64)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "float64", ">f8", ">i4"])
def test_integer_and_foreign_arrays_become_native_float64(dtype: str) -> None:
    v = mg.Value(np.array([1, 2, 3], dtype))
    assert v.data.dtype == np.float64
    assert v.data.dtype.isnative
    assert v.data.tolist() == [1.0, 2.0, 3.0]


def test_float32_arrays_stay_float32() -> None:
    assert mg.Value(np.ones(2, np.float32)).data.dtype == np.float32
    swapped = mg.Value(np.ones(2, ">f4"))
    assert swapped.data.dtype == np.float32
    assert swapped.data.dtype.isnative


def test_lists_become_arrays_and_float_arrays_are_not_copied() -> None:
    assert mg.Value([[1, 2], [3, 4]]).data.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert mg.Value((1.0, 2.0)).shape == (2,)
    assert mg.Value([]).shape == (0,)
    array = np.ones(3)
    assert np.shares_memory(mg.Value(array).data, array)


def test_dtype_argument() -> None:
    assert mg.Value(2.0, dtype=np.float32).data.dtype == np.float32
    assert mg.Value([1, 2], dtype="float32").data.dtype == np.float32
    assert type(mg.Value(np.float64(2.0), dtype=np.float64).data) is float
    assert mg.Value(np.ones(2, np.float32), dtype=np.float64).data.dtype == np.float64
    for dtype in (int, bool, complex, np.float16):
        with pytest.raises(DtypeError, match="a Value holds float64 or float32"):
            mg.Value(2.0, dtype=dtype)


REFUSED = {
    "bool": (True, "bool"),
    "numpy bool": (np.True_, "bool"),
    "bool array": (np.array([True, False]), r"bool data .* where\(\)"),
    "complex": (1 + 2j, "complex"),
    "complex array": (np.ones(2, complex), r"complex128 data .*\.real and \.imag"),
    "object array": (np.array([1.0, None]), r"object data .* mg\.stack"),
    "string": ("3.0", "'3.0' is a str"),
    "string array": (np.array(["a"]), "convert it first"),
    "bytes": (b"3", "bytes"),
    "None": (None, "NoneType"),
    "float16": (np.float16(1), r"float16 data .*\.astype\(np\.float32\)"),
    "float16 array": (np.ones(2, np.float16), r"\.astype\(np\.float32\)"),
    "longdouble": (np.ones(2, np.longdouble), r"\.astype\(np\.float64\)"),
    "longdouble scalar": (np.longdouble(1.0), r"\.astype\(np\.float64\)"),
    "masked array": (np.ma.masked_array([1.0, 2.0], [True, False]), r"mask.*\.filled"),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), "convert it first"),
    "dict": ({"a": 1.0}, "dict"),
    "set": ({1.0}, "set"),
    "generator": ((x for x in [1.0]), "generator"),
    "Decimal": (decimal.Decimal(1), "Decimal"),
    "Fraction": (fractions.Fraction(1, 2), "Fraction"),
    "ragged list": ([[1.0, 2.0], [3.0]], "rectangular"),
    "list of strings": (["a", "b"], "convert it first"),
    "list of bools": ([True, False], "bool"),
    "function": (math.sin, "builtin_function_or_method"),
}


if np.dtype(np.longdouble).itemsize == 8:  # a float64 under another name, on some machines
    REFUSED = {name: entry for name, entry in REFUSED.items() if "longdouble" not in name}


@pytest.mark.parametrize("name", REFUSED)
def test_data_without_a_derivative_is_refused_with_advice(name: str) -> None:
    data, text = REFUSED[name]
    with pytest.raises(DtypeError, match=text) as caught:
        mg.Value(data)
    assert isinstance(caught.value, TypeError)


def test_a_list_of_values_says_mg_stack() -> None:
    x = mg.Value(1.0)
    for data in ([x, x], [[x, 1.0]], (1.0, x), [1.0, [2.0, x]]):
        with pytest.raises(TypeError, match=r"mg\.stack"):
            mg.Value(data)


def test_a_value_of_a_value_is_that_value() -> None:
    x = mg.Value(2.0, label="x")
    x.grad = 5.0
    assert mg.Value(x) is x
    assert (x.data, x.label, x.grad, x.gate) == (2.0, "x", 5.0, None)
    y = x * 2.0
    assert mg.Value(y) is y
    assert y.gate is mg.multiply


def test_a_new_leaf() -> None:
    x = mg.Value(2.0)
    assert (x.grad, x.gate, x.inputs, x.local_gradients(), x.label, x.requires_grad) == (None, None, (), (), "", True)
    assert mg.Value(2.0, "name").label == "name"
    assert not mg.Value(2.0, requires_grad=False).requires_grad


def test_assigning_data_follows_the_same_rules() -> None:
    x = mg.Value(2.0)
    x.data = 5
    assert type(x.data) is float
    assert x.data == 5.0
    x.data = np.array([1, 2])
    assert x.data.dtype == np.float64
    for bad in ("3", None, True, 1j, [mg.Value(1.0)]):
        with pytest.raises(DtypeError):
            x.data = bad
    assert x.data.tolist() == [1.0, 2.0], "a refused assignment changes nothing"


def test_unknown_attributes_are_refused() -> None:
    """Slots: a misspelt `x.gard = 0` is an error."""
    with pytest.raises(AttributeError):
        mg.Value(1.0).gard = 0
    for name in ("_prev", "_op", "_backward"):
        assert not hasattr(mg.Value(1.0), name)


# --------------------------------------------------------------------------------------------- what it remembers
def test_inputs_align_with_local_gradients() -> None:
    x, y = mg.Value(3.0, label="x"), mg.Value(-4.0, label="y")
    assert (x * y).inputs == (x, y)
    assert (x * y).local_gradients() == (-4.0, 3.0)
    assert (x * x).inputs == (x, x)
    assert (x * x).local_gradients() == (3.0, 3.0)
    assert (x * 7).inputs == (x, 7.0)
    assert (x * 7).local_gradients() == (7.0, None)
    assert (7 - x).inputs == (7.0, x)
    assert (7 - x).local_gradients() == (None, -1.0)
    assert type((x * 7).inputs[1]) is float
    assert (2.0**x).inputs == (2.0, x)
    assert (2.0**x).local_gradients() == (None, pytest.approx(8.0 * math.log(2.0)))
    assert (-x).inputs == (x,)
    assert (-x).local_gradients() == (-1.0,)
    assert mg.relu(x).local_gradients() == (1.0,)
    assert type(mg.relu(x).local_gradients()[0]) is float
    assert mg.maximum(x, y).inputs == (x, y)
    assert mg.maximum(x, y).local_gradients() == (1.0, 0.0)
    assert mg.tanh(x).local_gradients() == (pytest.approx(1.0 - math.tanh(3.0) ** 2),)


def test_inputs_of_array_gates() -> None:
    W, x = mg.Value(np.ones((2, 3))), np.arange(3)
    out = W @ x
    assert out.inputs[0] is W
    assert out.local_gradients() == (None, None)
    np.testing.assert_array_equal(out.inputs[1], [0.0, 1.0, 2.0])
    assert not isinstance(out.inputs[1], mg.Value)
    product = W * x
    np.testing.assert_array_equal(product.local_gradients()[0], [0.0, 1.0, 2.0])
    assert product.local_gradients()[1] is None
    total = W.sum(axis=0)
    assert total.inputs == (W,)
    assert total.local_gradients() == (None,)
    joined = mg.concatenate([x * 1.0, product[0], W[0], product[0] * 0.0])
    assert len(joined.inputs) == len(joined.local_gradients()) == 4
    mask = np.array([True, False, True])
    chosen = mg.where(mask, W, 5.0)
    assert [isinstance(v, mg.Value) for v in chosen.inputs] == [False, True, False]
    assert chosen.local_gradients()[0] is None
    assert chosen.local_gradients()[2] is None


def test_a_frozen_wire_is_a_wire_without_a_local_gradient() -> None:
    x, w = mg.Value(3.0), mg.Value(2.0, requires_grad=False)
    y = x * w
    assert y.inputs == (x, w)
    assert y.local_gradients() == (2.0, None)
    y.backward()
    assert w.grad is None
    assert x.grad == 2.0


GATES = [
    (lambda x, y: x + y, "add", "+"),
    (lambda x, y: x - y, "subtract", "-"),
    (lambda x, y: x * y, "multiply", "*"),
    (lambda x, y: x / y, "divide", "/"),
    (lambda x, y: x // y, "floor_divide", "//"),
    (lambda x, y: x % y, "remainder", "%"),
    (lambda x, y: x**y, "power", "**"),
    (lambda x, y: 2 + x, "add", "+"),
    (lambda x, y: 2 - x, "subtract", "-"),
    (lambda x, y: 2 / x, "divide", "/"),
    (lambda x, y: -x, "negative", "-"),
    (lambda x, y: abs(x), "absolute", "|·|"),
    (lambda x, y: mg.exp(x), "exp", "exp"),
    (lambda x, y: x.relu(), "relu", "relu"),
    (lambda x, y: mg.maximum(x, y), "maximum", "max"),
    (lambda x, y: mg.stack([x, y]) @ np.ones(2), "matmul", "@"),
    (lambda x, y: mg.stack([x, y]).sum(), "sum", "Σ"),
    (lambda x, y: mg.stack([x, y])[0], "getitem", "[]"),
    (lambda x, y: mg.stack([x, y]).T, "transpose", "ᵀ"),
]


@pytest.mark.parametrize(("f", "name", "symbol"), GATES, ids=lambda g: g if isinstance(g, str) else "")
def test_gates_have_the_numpy_name_and_a_symbol(f: Any, name: str, symbol: str) -> None:
    gate = f(mg.Value(3.0), mg.Value(2.0)).gate
    assert (gate.name, gate.symbol) == (name, symbol)
    assert gate is mg.gates.REGISTRY[name] is getattr(mg, name)


def test_repr_shows_data_label_and_gate() -> None:
    x = mg.Value(2.0, label="x")
    assert repr(x) == "Value(2.0, label='x')"
    assert repr(x * 3.0) == "Value(6.0, gate=multiply)"
    assert repr(mg.Value(np.array([1.0, 2.0]))) == "Value([1., 2.])"
    assert len(repr(mg.Value(np.zeros((1000, 1000))))) < 500


# ------------------------------------------------------------------------------------------ among Python's numbers
def test_float_int_item_numpy() -> None:
    for data in (2.75, np.array(2.75), np.array([2.75]), np.array([[2.75]]), np.float32(2.75)):
        v = mg.Value(data)
        assert float(v) == v.item() == 2.75
        assert int(v) == 2
        assert type(float(v)) is type(v.item()) is float
        assert type(int(v)) is int
    assert mg.Value(2.0).numpy().shape == ()
    array = np.ones(3)
    assert np.shares_memory(mg.Value(array).numpy(), array)
    for convert in (float, int, bool, lambda v: v.item()):
        with pytest.raises(ShapeError, match=r"x .*has 2 numbers"):
            convert(mg.Value([1.0, 2.0], label="x"))
    with pytest.raises(ValueError, match="NaN"):
        int(mg.Value(nan))


def test_bool() -> None:
    assert mg.Value(1.0)
    assert mg.Value(-0.5)
    assert mg.Value([3.0])
    assert not mg.Value(0.0)
    assert not mg.Value([[0.0]])
    assert bool(mg.Value(nan)) is True
    with pytest.raises(ShapeError, match="0 numbers"):
        bool(mg.Value([]))


def test_len_and_iter() -> None:
    x = mg.Value(np.arange(6.0).reshape(3, 2))
    assert len(x) == 3
    rows = list(x)
    assert all(isinstance(r, mg.Value) and r.shape == (2,) for r in rows)
    a, _, c = x
    (a * 1.0 + c * 3.0).sum().backward()
    assert x.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [3.0, 3.0]]
    assert [v.data for v in mg.Value([1.0, 2.0])] == [1.0, 2.0]
    for f in (len, iter, list):
        with pytest.raises(TypeError, match="x is a scalar: it has no length and can't be iterated"):
            f(mg.Value(1.0, label="x"))


def test_hash_by_identity_and_membership() -> None:
    x, y = mg.Value(1.0), mg.Value(1.0)
    assert len({x, y}) == 2
    assert {x: 1}[x] == 1
    assert hash(x) == hash(x)


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [3, 3.0, np.float64(3.0), np.int64(3), np.float32(3.0), np.array(3.0)], ids=repr)
def test_operators_with_every_kind_of_number_on_either_side(op: Any, other: Any) -> None:
    x = mg.Value(2.5)
    assert isinstance(op(x, other), mg.Value)
    assert isinstance(op(other, x), mg.Value)
    digits = 1e-7 if isinstance(other, np.float32) else 0.0  # a Python float doesn't upcast a float32
    assert float(op(x, other)) == pytest.approx(op(2.5, 3.0), rel=digits, abs=0.0)
    assert float(op(other, x)) == pytest.approx(op(3.0, 2.5), rel=digits, abs=0.0)


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_operators_on_arrays(op: Any) -> None:
    a, b = np.array([2.5, 7.0, 1.5]), np.array([[1.5], [2.0]])
    for left, right in ((mg.Value(a), mg.Value(b)), (mg.Value(a), b), (a, mg.Value(b)), (a.tolist(), mg.Value(b))):
        out = op(left, right)
        assert isinstance(out, mg.Value)
        np.testing.assert_allclose(out.data, op(a, b), rtol=1e-15)
    integers = np.array([1, 2, 3])
    assert op(mg.Value(a), integers).data.tolist() == op(a, integers.astype(float)).tolist()


def test_matmul_operator_both_ways() -> None:
    A, B = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    for out in (mg.Value(A) @ mg.Value(B), A @ mg.Value(B), mg.Value(A) @ B, mg.Value(A) @ B.tolist()):
        np.testing.assert_array_equal(out.data, A @ B)


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.__name__)
def test_comparisons_are_raw_booleans(op: Any) -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    for left, right in ((mg.Value(a), mg.Value(b)), (mg.Value(a), 2), (a, mg.Value(b)), (mg.Value(a), b)):
        answer = op(left, right)
        assert type(answer) is np.ndarray
        assert answer.dtype == bool
        np.testing.assert_array_equal(answer, op(a, b))
    for x, y in ((1.0, 2.0), (2.0, 2.0), (3.0, 2.0)):
        answer = op(mg.Value(x), mg.Value(y))
        assert not isinstance(answer, mg.Value)
        assert bool(answer) is op(x, y)
        assert bool(op(x, mg.Value(y))) is op(x, y)


def test_comparison_with_what_is_no_number() -> None:
    x = mg.Value(1.0)
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "a") is False
    with pytest.raises(TypeError):
        _ = x < None
    with pytest.raises(TypeError):
        _ = x < "a"


UNARY_METHODS = [
    "exp", "log", "sqrt", "tanh", "sigmoid", "relu", "absolute", "abs", "square", "negative", "sign", "sum", "mean",
    "max", "min", "logsumexp",
]  # fmt: skip


@pytest.mark.parametrize("name", UNARY_METHODS)
def test_gates_of_one_wire_are_methods(name: str) -> None:
    for data in (0.7, np.array([0.7, 1.3])):
        x, y = mg.Value(data), mg.Value(data)
        a, b = getattr(x, name)(), getattr(mg, name)(y)
        assert a.gate is b.gate
        np.testing.assert_array_equal(a.data, b.data)
        mg.sum(a).backward()
        mg.sum(b).backward()
        np.testing.assert_array_equal(x.grad, y.grad)


def test_methods_with_parameters() -> None:
    x = mg.Value(np.arange(6.0).reshape(2, 3))
    assert x.sum(axis=0).shape == x.sum(0).shape == (3,)
    assert x.mean(axis=1, keepdims=True).shape == (2, 1)
    assert x.max(1).data.tolist() == [2.0, 5.0]
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == x.reshape(-1, 2).shape == (3, 2)
    assert x.transpose().shape == x.T.shape == x.transpose(1, 0).shape == x.transpose((1, 0)).shape == (3, 2)
    assert x.clip(1.0, 2.0).data.max() == 2.0
    assert x.softmax().data.sum() == pytest.approx(2.0)
    assert x.log_softmax(axis=0).shape == (2, 3)
    assert x.astype(np.float32).dtype == np.float32
    assert mg.Value(3.0).sum().data == 3.0
    assert mg.Value(3.0).T.data == 3.0


INDICES = {
    "int": 1,
    "negative": -1,
    "slice": slice(1, 3),
    "step": slice(None, None, -2),
    "pair": (1, 2),
    "row and slice": (slice(None), 1),
    "ellipsis": (..., 0),
    "newaxis": (None, 1),
    "mask": np.arange(4) % 2 == 0,
    "full mask": np.arange(12).reshape(4, 3) % 5 == 0,
    "integers": np.array([3, 0, 0]),
    "list": [0, 2, 2],
    "pairs": (np.array([0, 1, 1]), np.array([2, 0, 0])),
    "empty": slice(2, 2),
    "numpy integer": np.int64(2),
    "mixed": (np.array([0, 1]), slice(1, None)),
}


@pytest.mark.parametrize("name", INDICES)
def test_indexing_is_numpys(name: str, finite_differences: Any) -> None:
    data = np.linspace(-1.0, 1.0, 12).reshape(4, 3)
    x = mg.Value(data)
    out = x[INDICES[name]]
    np.testing.assert_array_equal(out.data, data[INDICES[name]])
    (out * out).sum().backward()
    expected = finite_differences(lambda d: np.sum(d[INDICES[name]] ** 2), [data])[0]
    np.testing.assert_allclose(x.grad, expected, atol=1e-9)


# ------------------------------------------------------------------------------------------- flags and contexts
def test_requires_grad_is_set_on_leaves_only() -> None:
    x = mg.Value(2.0, label="x")
    y = x * 3.0
    y.label = "y"
    with pytest.raises(GradientError, match=r"y is a result of multiply.*leaves only.*v\.detach\(\)"):
        y.requires_grad = False
    x.requires_grad = False
    assert not (x * 3.0).requires_grad
    x.requires_grad = True
    assert (x * 3.0).requires_grad


def test_frozen_leaves_get_no_gradient() -> None:
    w, x = mg.Value(np.ones(3)), mg.Value(np.ones(3))
    w.requires_grad = False
    (w * x).sum().backward()
    assert w.grad is None
    assert x.grad.tolist() == [1.0] * 3


def test_detach_cuts_the_path() -> None:
    x = mg.Value(3.0, label="x")
    y = x * x
    z = y.detach() * x
    z.backward()
    assert x.grad == 9.0
    assert y.grad is None
    assert y.detach().gate is None
    assert not y.detach().requires_grad
    assert x.detach() is not x
    assert x.detach().data == 3.0


def test_no_grad_as_context_and_decorator() -> None:
    x = mg.Value(2.0)
    with mg.no_grad():
        y = x * x
        with mg.no_grad():
            pass
        assert (x + 1.0).gate is None, "leaving an inner block doesn't end the outer one"
    assert y.data == 4.0
    assert y.gate is None
    assert not y.requires_grad
    assert y.inputs == ()
    assert (x * x).requires_grad

    @mg.no_grad()
    def f(v: Any) -> Any:
        return v * v

    assert f(x).gate is None
    assert f(x).gate is None
    assert f.__name__ == "f"
    with pytest.raises(ZeroDivisionError), mg.no_grad():
        raise ZeroDivisionError
    assert (x * x).requires_grad, "an error inside restores the recording"


def test_backward_without_a_path_is_an_error() -> None:
    with mg.no_grad():
        y = mg.Value(2.0) * 3.0
    for v in (y, mg.Value(1.0, requires_grad=False), mg.Value(1.0).detach()):
        with pytest.raises(GradientError, match=r"depends on nothing that requires a gradient.*no_grad\(\)"):
            v.backward()


def test_no_grad_is_per_thread() -> None:
    x = mg.Value(2.0)
    inside, done = threading.Event(), threading.Event()
    seen: list[bool] = []

    def other() -> None:
        inside.wait(5.0)
        seen.append((x * x).requires_grad)
        with mg.no_grad():
            pass
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with mg.no_grad():
        inside.set()
        assert done.wait(5.0)
        assert not (x * x).requires_grad
    thread.join()
    assert seen == [True]


def test_graphs_built_in_several_threads_at_once() -> None:
    w = mg.Value(np.linspace(0.1, 1.0, 4))
    answers: dict[int, Any] = {}

    def work(k: int) -> None:
        x = mg.Value(float(k))
        y = x
        for _ in range(500):
            y = mg.tanh(y * 1.01) + x * 0.01
        (y * w).sum()
        y.backward()
        answers[k] = (y.data, x.grad)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    threaded = dict(answers)
    for k in range(4):
        work(k)
    assert threaded == answers
    assert w.grad is None


# ----------------------------------------------------------------------------------------------- gradient storage
def test_gradient_argument() -> None:
    x = mg.Value(np.arange(3.0))
    y = x * 2.0
    y.backward(np.array([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [2.0, 20.0, 200.0]
    x.zero_grad()
    y.backward([1, 2, 3])
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
    s = mg.Value(3.0)
    (s * s).backward(10)
    assert s.grad == 60.0
    assert type(s.grad) is float
    (s * s).backward(mg.Value(1.0))
    assert s.grad == 66.0
    one = mg.Value([[5.0]])
    (one * 2.0).backward()
    assert one.grad.tolist() == [[2.0]], "one number needs no gradient="


def test_gradients_have_the_shape_and_dtype_of_their_value() -> None:
    s, single = mg.Value(2.0), mg.Value(np.ones(3, np.float32))
    out = (single * s).sum()
    assert out.dtype == np.float32
    out.backward()
    assert type(s.grad) is float
    assert s.grad == 3.0
    assert single.grad.dtype == np.float32
    zero_d = mg.Value(np.array(2.0))
    (zero_d * zero_d).backward()
    assert type(zero_d.grad) is np.ndarray
    assert zero_d.grad.shape == ()
    assert zero_d.grad == 4.0
    mixed = mg.Value(np.ones(2, np.float32))
    (mixed * mg.Value(np.ones(2))).sum().backward()
    assert mixed.grad.dtype == np.float32, "a float64 upstream is cast"


def test_recorded_gradients_have_the_dtype_of_their_value_too() -> None:
    double = mg.Value(np.array([2.0, 3.0]))
    single = mg.Value(np.ones(2, np.float32))
    first = mg.grad(lambda x: mg.sum(x * x * double))
    assert first(single).dtype == np.float32
    assert mg.grad(lambda x: mg.sum(first(x) * double))(single).dtype == np.float32
    second = mg.grad(lambda x: mg.sum(first(x) * double))(np.ones(2, np.float32))
    assert second.dtype == np.float32
    assert second.tolist() == [8.0, 18.0]


def test_python_floats_do_not_upcast_a_stack_of_float32() -> None:
    for other in (2.0, mg.Value(2.0), 2):
        single = mg.Value(np.float32(1.0))
        out = mg.stack([single, other])
        assert out.dtype == np.float32
        out.sum().backward()
        assert single.grad.dtype == np.float32
    for out in (
        mg.where(True, mg.Value(np.float32(1.0)), 2.0),
        mg.maximum(2.0, mg.Value(np.float32(1.0))),
        mg.clip(mg.Value(np.float32(1.0)), 0.0, 0.5),
        mg.concatenate([mg.Value(np.ones(2, np.float32)), [2.0]]),
        mg.Value(np.ones(2, np.float32)) * mg.Value(2.0),
        mg.Value(np.float32(1.0)) * mg.Value(2.0),
    ):
        assert out.dtype == np.float32


def test_gradients_share_no_memory() -> None:
    x, y = mg.Value(np.ones(3)), mg.Value(np.ones(3))
    z = x + y
    upstream = np.ones(3)
    z.backward(upstream)
    upstream[:] = 7.0
    x.grad[0] = 50.0
    assert y.grad.tolist() == [1.0, 1.0, 1.0]
    assert z.grad.tolist() == [1.0, 1.0, 1.0]
    a = mg.Value(np.arange(6.0).reshape(2, 3))
    b = a.T
    c = b.reshape(6)
    c.backward(np.ones(6))
    c.grad[:] = 9.0
    assert b.grad.max() == 1.0
    assert a.grad.max() == 1.0
    p = mg.Value(np.ones(3))
    q = mg.Value(np.ones(3))
    (p * q).sum().backward()
    p.grad[:] = 9.0
    assert q.data.tolist() == [1.0] * 3


def test_grad_may_be_assigned() -> None:
    """micrograd's code says `p.grad = 0`."""
    for data in (2.0, np.ones(2), np.ones(2, np.float32)):
        p = mg.Value(data)
        p.grad = 0
        mg.sum(p * 3.0).backward()
        np.testing.assert_array_equal(p.grad, np.full(np.shape(data), 3.0))
        assert np.asarray(p.grad).dtype == p.dtype


# ----------------------------------------------------------------------------------------------------------- kinks
FORMS = [float, np.asarray, np.atleast_1d, np.float32]
forms = pytest.mark.parametrize("form", FORMS, ids=["scalar", "0-d", "1-element", "float32"])


def slope_at(f: Any, *numbers: float, form: Any = float) -> list[float]:
    values = [mg.Value(form(x)) for x in numbers]
    f(*values).backward()
    return [float(np.asarray(v.grad).item()) for v in values]


KINKS = {
    "relu at 0": (mg.relu, (0.0,), (0.0,)),
    "relu at -0": (mg.relu, (-0.0,), (0.0,)),
    "absolute at 0": (abs, (0.0,), (0.0,)),
    "sign": (mg.sign, (0.3,), (0.0,)),
    "sign at 0": (mg.sign, (0.0,), (0.0,)),
    "floor_divide": (lambda a, b: a // b, (7.0, 2.0), (0.0, 0.0)),
    "remainder": (lambda a, b: a % b, (7.0, 2.0), (1.0, -3.0)),
    "remainder of a negative": (lambda a, b: a % b, (-7.0, 2.0), (1.0, 4.0)),
    "maximum, a tie": (mg.maximum, (2.0, 2.0), (0.5, 0.5)),
    "minimum, a tie": (mg.minimum, (2.0, 2.0), (0.5, 0.5)),
    "maximum": (mg.maximum, (2.0, 3.0), (0.0, 1.0)),
    "minimum": (mg.minimum, (2.0, 3.0), (1.0, 0.0)),
    "sqrt at 0": (mg.sqrt, (0.0,), (inf,)),
    "log at 0": (mg.log, (0.0,), (inf,)),
    "clip on the lower bound": (lambda x: mg.clip(x, -1.0, 1.0), (-1.0,), (1.0,)),
    "clip on the upper bound": (lambda x: mg.clip(x, -1.0, 1.0), (1.0,), (1.0,)),
    "clip outside": (lambda x: mg.clip(x, -1.0, 1.0), (1.5,), (0.0,)),
    "clip without an upper bound": (lambda x: mg.clip(x, 0.0, None), (9.0,), (1.0,)),
    "square at 0": (mg.square, (0.0,), (0.0,)),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@forms
@pytest.mark.parametrize("name", KINKS)
def test_kinks(name: str, form: Any) -> None:
    f, at, expected = KINKS[name]
    assert slope_at(f, *at, form=form) == list(expected)


@pytest.mark.parametrize("name", ["relu at 0", "absolute at 0", "maximum, a tie", "clip on the lower bound"])
def test_second_derivatives_at_kinks_are_zero(name: str) -> None:
    f, (first, *rest), _ = KINKS[name]
    for start in (first, np.array([first])):
        assert np.all(mg.grad(lambda x: mg.sum(mg.grad(lambda y: mg.sum(f(y, *rest)))(x)))(start) == 0.0)


def test_ties_along_an_axis_share_equally() -> None:
    for gate, data in ((mg.max, [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), (mg.min, [[9.0, 3.0, 3.0], [2.0, 2.0, 2.0]])):
        x = mg.Value(data)
        gate(x, axis=1).sum().backward()
        np.testing.assert_allclose(x.grad, [[0.0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-15)
        y = mg.Value(data)
        gate(y).backward()
        assert y.grad.sum() == pytest.approx(1.0)


POWERS = [  # a, b, a**b, to a, to b
    (2.0, 3.0, 8.0, 12.0, 8.0 * math.log(2.0)),
    (2.0, -1.0, 0.5, -0.25, 0.5 * math.log(2.0)),
    (2.0, 0.0, 1.0, 0.0, math.log(2.0)),
    (0.0, 0.0, 1.0, 0.0, 0.0),
    (0.0, 2.0, 0.0, 0.0, 0.0),
    (0.0, 1.0, 0.0, 1.0, 0.0),
    (0.0, 0.5, 0.0, inf, 0.0),
    (0.0, -1.0, inf, -inf, -inf),
    (-2.0, 3.0, -8.0, 12.0, nan),
    (-2.0, 2.0, 4.0, -4.0, nan),
    (-2.0, -2.0, 0.25, 0.25, nan),
    (-2.0, 0.0, 1.0, 0.0, nan),
    (-8.0, 1.0 / 3.0, nan, nan, nan),
    (1.0, 5.0, 1.0, 5.0, 0.0),
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", FORMS[:3], ids=["scalar", "0-d", "1-element"])
@pytest.mark.parametrize(("a", "b", "value", "to_a", "to_b"), POWERS)
def test_power_table(a: float, b: float, value: float, to_a: float, to_b: float, form: Any) -> None:
    assert float((mg.Value(form(a)) ** mg.Value(form(b))).item()) == pytest.approx(value, nan_ok=True)
    assert slope_at(operator.pow, a, b, form=form) == pytest.approx([to_a, to_b], nan_ok=True)
    assert slope_at(lambda x: x**b, a, form=form) == pytest.approx([to_a], nan_ok=True), "constant exponent"
    assert slope_at(lambda x: a**x, b, form=form) == pytest.approx([to_b], nan_ok=True), "constant base"


@pytest.mark.parametrize(("a", "b"), [(0.0, 2.0), (0.0, 3.0), (-2.0, 3.0), (-2.0, 2.0), (0.0, 1.0), (0.0, 0.0)])
def test_second_derivative_of_integer_powers(a: float, b: float) -> None:
    expected = b * (b - 1.0) * a ** (b - 2.0) if b >= 2.0 else 0.0
    assert mg.grad(mg.grad(lambda x: x**b))(a) == expected
    assert mg.grad(lambda x: mg.grad(lambda y: mg.sum(y**b))(x).sum())(np.array([a])).tolist() == [expected]


@pytest.mark.oracle
@pytest.mark.parametrize(("a", "b", "value", "to_a", "to_b"), POWERS)
def test_power_table_is_pytorchs(a: float, b: float, value: float, to_a: float, to_b: float) -> None:
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (a, b))
    (x**y).backward()
    assert [x.grad.item(), y.grad.item()] == pytest.approx([to_a, to_b], nan_ok=True)


# ------------------------------------------------------------------------------------------------------ IEEE math
IEEE = {  # f, at, value, slopes
    "log(0)": (mg.log, (0.0,), -inf, (inf,)),
    "log(-1)": (mg.log, (-1.0,), nan, (-1.0,)),
    "sqrt(-1)": (mg.sqrt, (-1.0,), nan, (nan,)),
    "exp(1000)": (mg.exp, (1000.0,), inf, (inf,)),
    "exp(-1000)": (mg.exp, (-1000.0,), 0.0, (0.0,)),
    "1/0": (lambda a, b: a / b, (1.0, 0.0), inf, (inf, -inf)),
    "-1/0": (lambda a, b: a / b, (-1.0, 0.0), -inf, (inf, inf)),
    "0/0": (lambda a, b: a / b, (0.0, 0.0), nan, (inf, nan)),
    "10**400": (lambda a, b: a**b, (10.0, 400.0), inf, (inf, inf)),
    "0**-1": (lambda a: a**-1, (0.0,), inf, (-inf,)),
    "1//0": (lambda a, b: a // b, (1.0, 0.0), inf, (0.0, 0.0)),
    "1%0": (lambda a, b: a % b, (1.0, 0.0), nan, (1.0, -inf)),
    "overflow": (lambda a, b: a * b, (1e200, 1e200), inf, (1e200, 1e200)),
    "exp(nan)": (mg.exp, (nan,), nan, (nan,)),
    "inf - inf": (lambda a, b: a - b, (inf, inf), nan, (1.0, -1.0)),
    "1/x": (lambda x: 1 / x, (0.0,), inf, (-inf,)),
    "square": (mg.square, (1e200,), inf, (2e200,)),
    "sigmoid(1000)": (mg.sigmoid, (1000.0,), 1.0, (0.0,)),
    "sigmoid(-1000)": (mg.sigmoid, (-1000.0,), 0.0, (0.0,)),
    "tanh(1000)": (mg.tanh, (1000.0,), 1.0, (0.0,)),
}


@pytest.mark.parametrize("name", IEEE)
def test_math_errors_follow_ieee_for_scalars_without_a_sound(name: str) -> None:
    f, at, value, slopes = IEEE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = f(*[mg.Value(x) for x in at])
        assert type(out.data) is float
        assert out.data == pytest.approx(value, nan_ok=True)
        assert slope_at(f, *at) == pytest.approx(list(slopes), nan_ok=True)
        locals_ = out.local_gradients()
        assert all(type(d) is float for d in locals_ if d is not None)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("form", FORMS[1:3], ids=["0-d", "1-element"])
@pytest.mark.parametrize("name", IEEE)
def test_math_errors_are_the_same_for_arrays(name: str, form: Any) -> None:
    f, at, value, slopes = IEEE[name]
    assert f(*[mg.Value(form(x)) for x in at]).item() == pytest.approx(value, nan_ok=True)
    assert slope_at(f, *at, form=form) == pytest.approx(list(slopes), nan_ok=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (mg.log, 0.0, -inf),
        (lambda x: 1.0 / x, 0.0, inf),
        (mg.sqrt, 0.0, -inf),
        (mg.exp, 1000.0, inf),
        (lambda x: x**0.5, 0.0, -inf),
        (lambda x: x**-1.0, 0.0, inf),
        (lambda x: x ** (1.0 / 3.0), -8.0, nan),
    ],
    ids=["log", "1/x", "sqrt", "exp", "x**0.5", "x**-1", "cube root of -8"],
)
def test_math_errors_inside_derivative_statements(f: Any, at: float, expected: float) -> None:
    """The second derivative runs the statement of the first on Values; there 1/0 is inf as well."""
    assert mg.grad(mg.grad(f))(at) == pytest.approx(expected, nan_ok=True)
    second = mg.grad(lambda x: mg.sum(mg.grad(lambda y: mg.sum(f(y)))(x)))(np.array([at]))
    assert second.item() == pytest.approx(expected, nan_ok=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@forms
def test_a_closed_wire_stays_closed_under_an_infinite_upstream(form: Any) -> None:
    """0 · inf is nan; a wire that selects passes 0."""
    cases = [mg.relu, lambda x: mg.maximum(x, 0.0), lambda x: mg.clip(x, 0.0, 1.0), lambda x: mg.where(False, x, 0.0)]
    for f in cases:
        x = mg.Value(form(-1.0))
        out = f(x)
        out.backward(inf if out.shape == () else np.full(out.shape, inf))
        assert np.all(np.asarray(x.grad) == 0.0)
    x = mg.Value(form(-1.0))
    mg.sum(mg.relu(x) / 0.0).backward()  # upstream 1/0
    assert np.all(np.asarray(x.grad) == 0.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_closed_wire_stays_closed_in_the_recorded_pass() -> None:
    for start in (-1.0, np.array([-1.0])):
        recorded = mg.grad(lambda x: mg.sum(mg.relu(x) / 0.0))(mg.Value(start))
        assert np.all(recorded.data == 0.0)


# ------------------------------------------------------------------------------------------------------- stability
HUGE = 1e308


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_the_softmax_family_at_the_ends_of_the_floats() -> None:
    x = mg.Value([HUGE, -HUGE, HUGE])
    s = mg.softmax(x)
    assert s.data.tolist() == [0.5, 0.0, 0.5]
    (s * np.array([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [-0.5, 0.0, 0.5]
    y = mg.Value([HUGE, HUGE])
    total = mg.logsumexp(y)
    total.backward()
    assert total.data == HUGE
    assert np.all(np.isfinite(y.grad))
    assert mg.log_softmax(np.array([HUGE, HUGE])).tolist() == pytest.approx([-math.log(2.0)] * 2)
    near = mg.Value(np.array([1e8, 1e8], np.float32))
    apart = mg.log_softmax(near)
    apart[0].backward()
    assert apart.data.tolist() == pytest.approx([-math.log(2.0)] * 2, rel=1e-6)
    assert near.grad.tolist() == [0.5, -0.5]
    z = mg.Value([HUGE / 2, -HUGE / 2])
    logs = mg.log_softmax(z)
    assert logs.data.tolist() == [0.0, -HUGE]
    logs.sum().backward()
    assert np.all(np.isfinite(z.grad))
    assert mg.log_softmax(np.array([-HUGE, HUGE])).tolist() == [-inf, 0.0]
    low = mg.Value([-HUGE, -HUGE])
    assert mg.logsumexp(low).data == -HUGE


@pytest.mark.parametrize("x", [HUGE, -HUGE, 745.0, -745.0, 40.0, -40.0])
def test_sigmoid_is_stable_and_accurate_in_its_tails(x: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    exact, slope = float(x > 0), 0.0
    if abs(x) < 1e4:
        with mpmath.workdps(400):
            e = mpmath.exp(-mpmath.mpf(x))
            exact, slope = float(1 / (1 + e)), float(e / (1 + e) ** 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form in (float, np.atleast_1d):
            assert mg.sigmoid(mg.Value(form(x))).item() == pytest.approx(exact, rel=1e-15, abs=0.0)
            assert slope_at(mg.sigmoid, x, form=form)[0] == pytest.approx(slope, rel=1e-14, abs=0.0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_masked_scores_of_minus_infinity() -> None:
    """The usual way to forbid an entry: probability 0, gradient 0, no nan anywhere."""
    for f in (mg.logsumexp, lambda v: mg.softmax(v)[1], lambda v: mg.log_softmax(v)[1]):
        x = mg.Value([-inf, 0.5, 1.5])
        f(x).backward()
        assert x.grad[0] == 0.0
        assert np.all(np.isfinite(x.grad))
    assert mg.softmax(np.array([-inf, 0.0])).tolist() == [0.0, 1.0]
    assert mg.logsumexp(np.array([-inf, -inf])) == -inf
    assert mg.logsumexp(np.array([inf, 0.0])) == inf


def test_nan_is_not_hidden() -> None:
    x = mg.Value([nan, 1.0])
    for f in (mg.relu, mg.softmax, mg.log_softmax, lambda v: mg.maximum(v, 0.0), lambda v: mg.clip(v, 0.0, 1.0)):
        assert np.isnan(f(x).data[0])
    assert math.isnan(mg.max(x).data)
    assert math.isnan(mg.logsumexp(x).data)
    assert math.isnan(mg.relu(mg.Value(nan)).data)
    assert math.isnan(mg.maximum(mg.Value(nan), 1.0).data)
    assert math.isnan(mg.maximum(mg.Value(1.0), nan).data)


def test_a_rule_that_divides_by_what_a_gate_gives_follows_ieee() -> None:
    gate = mg.Gate("g", lambda x: x, local=[lambda out, x: 1.0 / mg.sqrt(x)])
    x = mg.Value(0.0)
    gate(x).backward()
    assert x.grad == np.inf


def test_a_joint_rule_that_divides_by_what_a_gate_gives_follows_ieee() -> None:
    gate = mg.Gate("j", lambda a, b: a * b, local=lambda out, a, b: (1.0 / mg.sqrt(a), 1.0 / mg.sqrt(b)))
    x, y = mg.Value(0.0), mg.Value(4.0)
    gate([x, y]).backward()
    assert (x.grad, y.grad) == (np.inf, 0.5)


def test_a_float64_scalar_is_a_float_and_upcasts_nothing() -> None:
    v = mg.Value(np.ones(2, np.float32))
    for out in (v * np.float64(2.0), np.float64(2.0) * v, v + np.float64(1.0), mg.maximum(v, np.float64(2.0))):
        assert out.dtype == np.float32
    assert type((mg.Value(2.0) * np.float64(3.0)).inputs[1]) is float


def test_a_nan_passes_through_relu() -> None:
    x = mg.Value(np.nan)
    x.relu().backward()
    assert x.grad == 1.0


def test_contributions_are_upstream_times_local() -> None:
    x, y = mg.Value(-2.0), mg.Value(3.0)
    f = (x * y) * (x * y)
    assert f.contributions() == (None, None)  # no backward pass yet
    f.backward()
    product = f.inputs[0]
    assert f.contributions() == (-6.0, 0.0 - 6.0)
    assert product.contributions() == (product.grad * 3.0, product.grad * -2.0)
    closed = mg.Value(-1.0)
    r = closed.relu()
    (r * np.inf).backward()
    assert r.contributions() == (0.0,)  # a closed wire sends 0, whatever comes from above


def test_contributions_of_gates_that_mix_elements() -> None:
    A, b = mg.Value(np.arange(6.0).reshape(2, 3)), mg.Value(np.ones(3))
    out = A @ b
    out.backward(np.array([1.0, 2.0]))
    to_A, to_b = out.contributions()
    np.testing.assert_array_equal(to_A, np.outer([1.0, 2.0], np.ones(3)))
    np.testing.assert_array_equal(to_b, A.data.T @ [1.0, 2.0])
    assert (A * 2.0).contributions() == (None, None)
    assert mg.neuron([mg.Value(2.0), mg.Value(3.0), mg.Value(1.0)]).contributions() == (None,) * 3


@pytest.mark.parametrize(
    ("f", "same"),
    [
        (lambda x: mg.clip(x, -0.3, 0.3) * x, lambda x: mg.clip(x, a_min=-0.3, a_max=0.3) * x),
        (lambda x: mg.softplus(x, 3.0), lambda x: mg.softplus(x, beta=3.0)),
        (lambda x: mg.elu(x, 0.5), lambda x: mg.elu(x, alpha=0.5)),
    ],
)
def test_a_parameter_by_position_is_there_in_second_order(f: Any, same: Any) -> None:
    for x in (0.2, 0.7, -0.4):
        assert mg.grad(mg.grad(f))(x) == mg.grad(mg.grad(same))(x)
        assert mg.grad(f)(x) == mg.grad(same)(x)
