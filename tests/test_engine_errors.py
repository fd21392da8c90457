"""Misuse is answered by the right exception, in words that name what was wrong and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import errors
from minigrad.errors import DtypeError, GradcheckError, GradientError, MinigradError, ShapeError


def W(*shape: int, label: str = "W") -> mg.Value:
    return mg.Value(np.ones(shape), label=label)


def test_each_error_is_also_the_builtin_that_numpy_would_raise() -> None:
    expected = {
        "ShapeError": ValueError,
        "DtypeError": TypeError,
        "GradientError": RuntimeError,
        "GradcheckError": AssertionError,
        "AnomalyError": FloatingPointError,
        "CheckpointError": ValueError,
        "MissingExtraError": ImportError,
    }
    for name, builtin in expected.items():
        assert issubclass(getattr(errors, name), (MinigradError,))
        assert issubclass(getattr(errors, name), builtin)


SHAPES = {
    "matmul, x @ W with W as Linear stores it": (
        lambda: W(64, 10, label="x") @ W(16, 10),
        r"matmul: x \(64, 10\) @ W \(16, 10\): inner sizes differ \(10 and 16\)\. "
        r"Linear stores weight as \(out, in\): did you mean x @ W\.T\?",
    ),
    "matmul": (lambda: W(2, 3) @ W(4, 5), r"matmul: W \(2, 3\) @ W \(4, 5\): inner sizes differ \(3 and 4\)\.$"),
    "matmul with an array": (lambda: np.ones((2, 3)) @ W(4, 5), r"matmul: \(2, 3\) @ W \(4, 5\): inner sizes differ"),
    "matmul of a scalar": (lambda: W(2, 3) @ 2.0, r"matmul: .*a matrix product needs arrays; for numbers use \*"),
    "matmul, batch": (lambda: W(5, 2, 3) @ W(4, 3, 2), r"matmul: .*the leading \(batch\) axes don't broadcast"),
    "vectors": (lambda: W(3) @ W(4), r"inner sizes differ \(3 and 4\)"),
    "add": (lambda: W(2, 3, label="a") + W(4, label="b"), r"add: a \(2, 3\) \+ b \(4,\): .*broadcast"),
    "multiply": (lambda: W(2) * np.ones(3), r"multiply: W \(2,\) \* \(3,\)"),
    "where": (lambda: mg.where(np.ones(3, bool), W(2), 0.0), r"where: .*W \(2,\)"),
    "reshape": (lambda: W(2, 3).reshape(4, 2), r"reshape: W \(2, 3\)"),
    "concatenate": (lambda: mg.concatenate([W(2, 3), W(2, 4)]), r"concatenate: W \(2, 3\).*W \(2, 4\)"),
    "concatenate of scalars": (lambda: mg.concatenate([mg.Value(1.0), mg.Value(2.0)]), r"concatenate: "),
    "stack": (lambda: mg.stack([W(2), W(3)]), r"stack: W \(2,\).*W \(3,\)"),
    "broadcast_to": (lambda: mg.broadcast_to(W(3), (2, 4)), r"broadcast_to: W \(3,\)"),
    "broadcast_to fewer axes": (lambda: mg.broadcast_to(W(2, 3), (3,)), r"broadcast_to: W \(2, 3\)"),
    "transpose": (lambda: mg.transpose(W(2, 3), (0, 1, 2)), r"transpose: W \(2, 3\)"),
    "linear": (lambda: mg.linear(W(5, 3, label="x"), W(2, 4), W(2)), r"linear: x \(5, 3\).*rows of 4 numbers"),
    "max of nothing": (lambda: mg.max(W(0, 3)), r"max: W \(0, 3\)"),
    "empty concatenate": (lambda: mg.concatenate([]), "need at least one array"),
    "empty stack": (lambda: mg.stack([]), "need at least one array"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_do_not_fit(name: str) -> None:
    call, text = SHAPES[name]
    with pytest.raises(ValueError if name.startswith("empty") else ShapeError, match=text):
        call()


AXES = {
    "sum": lambda: W(2, 3).sum(axis=2),
    "sum negative": lambda: W(2, 3).sum(axis=-3),
    "sum twice": lambda: W(2, 3).sum(axis=(0, 0)),
    "mean": lambda: W(2, 3).mean(axis=5),
    "max": lambda: W(2, 3).max(axis=2),
    "softmax": lambda: mg.softmax(W(2, 3), axis=2),
    "log_softmax": lambda: mg.log_softmax(W(2, 3), axis=-4),
    "logsumexp": lambda: mg.logsumexp(W(2, 3), axis=2),
    "concatenate": lambda: mg.concatenate([W(2, 3), W(2, 3)], axis=2),
    "stack": lambda: mg.stack([W(2, 3), W(2, 3)], axis=3),
}


@pytest.mark.parametrize("name", AXES)
def test_an_axis_that_is_not_there(name: str) -> None:
    gate = name.split(" ", maxsplit=1)[0]
    with pytest.raises(ValueError, match=rf"{gate}: W \(2, 3\).*(axis|out of bounds)") as caught:
        AXES[name]()
    assert isinstance(caught.value, (MinigradError, ValueError))


INDICES = {
    "mask": (lambda: W(4)[np.array([True, False])], IndexError, r"getitem: W \(4,\).*boolean index"),
    "out of range": (lambda: W(3)[3], IndexError, r"getitem: W \(3,\).*out of bounds"),
    "negative out of range": (lambda: W(3)[-4], IndexError, "out of bounds"),
    "integer array": (lambda: W(3)[np.array([0, 7])], IndexError, "out of bounds"),
    "too many": (lambda: W(3)[0, 0], IndexError, "too many indices"),
    "float": (lambda: W(3)[1.0], IndexError, "getitem"),
    "string": (lambda: W(3)["a"], IndexError, "getitem"),
    "a Value": (lambda: W(3)[mg.Value(1.0)], (TypeError, IndexError), "(?i)getitem|index"),
    "a Value in a tuple": (lambda: W(3, 3)[0, mg.Value(1.0)], (TypeError, IndexError), "(?i)getitem|index"),
    "an array Value": (lambda: W(3)[W(2)], (TypeError, IndexError), "(?i)getitem|index"),
    "of a scalar": (lambda: mg.Value(2.0, label="s")[0], (TypeError, IndexError), "getitem"),
}


@pytest.mark.parametrize("name", INDICES)
def test_bad_indices(name: str) -> None:
    call, kind, text = INDICES[name]
    with pytest.raises(kind, match=text):
        call()


def test_item_assignment_is_refused() -> None:
    x = W(3)
    with pytest.raises(TypeError, match="item assignment"):
        x[0] = 1.0


OPERANDS = {
    "complex": (1j, "complex"),
    "complex array": (np.ones(3, complex), "complex128"),
    "object array": (np.array([1, None, 2], dtype=object), "object"),
    "string": ("a", "str"),
    "None": (None, "NoneType"),
    "dict": ({}, "dict"),
    "float16": (np.ones(3, np.float16), "float16"),
    "longdouble": (np.ones(3, np.longdouble), "(longdouble|float128)"),
    "masked": (np.ma.masked_array([1.0, 2.0, 3.0], [1, 0, 0]), r"mask|v\.data"),
    "function": (len, "builtin"),
}


if np.dtype(np.longdouble).itemsize == 8:  # a float64 under another name, on some machines
    OPERANDS = {name: entry for name, entry in OPERANDS.items() if "longdouble" not in name}


@pytest.mark.parametrize("name", OPERANDS)
@pytest.mark.parametrize("x", [mg.Value(2.0), mg.Value(np.ones(3))], ids=["scalar", "array"])
def test_operands_that_are_no_numbers(name: str, x: mg.Value) -> None:
    bad, text = OPERANDS[name]
    for op in (lambda: x + bad, lambda: bad * x, lambda: x - bad, lambda: x / bad, lambda: mg.maximum(x, bad)):
        with pytest.raises(TypeError, match=text):
            op()


def test_lists_that_contain_values() -> None:
    x, y = mg.Value(1.0), mg.Value(2.0)
    vector = mg.Value(np.ones(2))
    for call in (
        lambda: mg.Value([x, y]),
        lambda: vector * [x, y],
        lambda: [x, y] * vector,
        lambda: vector - [x, 1.0],
        lambda: mg.maximum(vector, [x, y]),
        lambda: vector @ [x, y],
    ):
        with pytest.raises(TypeError, match=r"mg\.stack"):
            call()
    for call in (lambda: mg.exp([x, y]), lambda: mg.sum([x, y]), lambda: mg.tanh([[x, y]])):
        with pytest.raises(TypeError, match=r"mg\.stack"):
            call()


def test_a_list_of_numbers_is_an_array() -> None:
    assert (mg.Value(np.ones(2)) * [1, 2]).data.tolist() == [1.0, 2.0]
    assert mg.exp([0.0, 0.0]).tolist() == [1.0, 1.0]


def test_a_value_of_a_value_with_another_dtype() -> None:
    """`Value(v)` is `v`: a dtype that it doesn't have can't be granted."""
    v = mg.Value(np.ones(2))
    assert mg.Value(v, dtype=np.float64) is v
    with pytest.raises(TypeError, match="astype"):
        mg.Value(v, dtype=np.float32)


# ------------------------------------------------------------------------------------------------------- backward
def test_backward_of_many_numbers_needs_gradient() -> None:
    x = W(3, label="x")
    y = x * 2.0
    y.label = "y"
    text = r"backward\(\) starts from a single number, and y \(3,\) has 3: reduce it.*\.sum\(\).*gradient="
    with pytest.raises(GradientError, match=text):
        y.backward()
    assert x.grad is None
    assert y.grad is None


@pytest.mark.parametrize(
    "gradient", [np.ones(4), np.ones((1, 3)), np.ones((3, 1)), np.ones(1), [1.0, 2.0]], ids=np.shape
)
def test_gradient_of_the_wrong_shape(gradient: Any) -> None:
    x = W(3)
    with pytest.raises(ShapeError, match=r"backward: gradient= has shape .*\(3,\)"):
        (x * 2.0).backward(gradient)
    assert x.grad is None
    with pytest.raises(ShapeError, match=r"backward: gradient= has shape"):
        (mg.Value(2.0) * 2.0).backward(gradient)


@pytest.mark.parametrize(
    "gradient", [1j, "1", np.ones(3, complex), {}, [mg.Value(1.0)] * 3], ids=lambda g: type(g).__name__
)
def test_gradient_of_the_wrong_kind(gradient: Any) -> None:
    x = W(3)
    with pytest.raises(DtypeError):
        (x * 2.0).backward(gradient)
    assert x.grad is None


def test_an_assigned_gradient_of_another_shape_does_not_broadcast() -> None:
    x = W(3)
    x.grad = np.zeros((2, 3))
    with pytest.raises((ShapeError, GradientError), match=r"grad.*\(2, 3\)"):
        (x * 2.0).sum().backward()


def test_requires_grad_of_a_result() -> None:
    y = mg.Value(1.0) * 2.0
    for flag in (True, False):
        with pytest.raises(GradientError, match=r"result of multiply.*leaves only"):
            y.requires_grad = flag


def test_read_only_attributes() -> None:
    x = mg.Value(1.0)
    for name in ("shape", "ndim", "size", "dtype", "inputs", "T"):
        with pytest.raises(AttributeError):
            setattr(x, name, 3)


# ----------------------------------------------------------------------------------------------------- calling gates
def test_too_few_inputs() -> None:
    x = mg.Value(2.0)
    for gate, args in ((mg.multiply, (x,)), (mg.where, (True, x)), (mg.power, (x,)), (mg.linear, (W(2, 3), W(4, 3)))):
        with pytest.raises((TypeError, ValueError), match=gate.name):
            gate(*args)
    for gate in (mg.exp, mg.multiply, mg.sum):
        with pytest.raises(TypeError):
            gate()


def test_too_many_inputs() -> None:
    x = mg.Value(2.0)
    for call in (lambda: mg.exp(x, x), lambda: mg.multiply(x, x, x), lambda: mg.exp(x, 3.0), lambda: x.exp(2.0)):
        with pytest.raises(TypeError):
            call()


def test_unknown_keywords() -> None:
    x = W(3)
    for gate in (mg.exp, mg.sum, mg.relu, mg.reshape):
        with pytest.raises(TypeError, match=rf"{gate.name}.*unknown|{gate.name}.*keyword"):
            gate(x, unknown=1)
    with pytest.raises(TypeError, match="unknown"):
        x.sum(unknown=1)
    with pytest.raises(TypeError, match="unknown"):
        mg.concatenate([x, x], unknown=1)
    with pytest.raises(TypeError, match="unknown"):
        mg.multiply(mg.Value(2.0), 3.0, unknown=1)


def test_a_value_where_a_parameter_is_expected() -> None:
    """Silently treating it as a number would lose its gradient."""
    x, bound = W(3), mg.Value(0.5, label="bound")
    for call in (
        lambda: mg.clip(x, bound, 1.0),
        lambda: mg.clip(x, a_min=0.0, a_max=bound),
        lambda: mg.sum(x, axis=mg.Value(0.0)),
        lambda: mg.reshape(x, mg.Value(3.0)),
    ):
        with pytest.raises((TypeError, MinigradError)):
            call()


# ------------------------------------------------------------------------------------------------------ custom gates
def test_local_and_vjp_together() -> None:
    with pytest.raises(TypeError, match=r"Gate 'both': state the derivative once, as local= or as vjp=, not both"):
        mg.Gate("both", lambda x: x, local=[1.0], vjp=[lambda g, out, x: g])


def test_a_contribution_of_the_wrong_shape() -> None:
    broken = mg.Gate("broken", lambda x: x * 2.0, vjp=[lambda g, out, x: np.ones(5)])
    x = W(3, label="x")
    with pytest.raises(GradientError, match=r"broken: its derivative for x \(3,\) has the shape \(5,\)"):
        broken(x).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize(
    ("have", "want"), [((2, 3), (3, 2)), ((3,), (2, 3)), ((), (2, 3)), ((1, 3), (2, 3)), ((6,), (2, 3))]
)
def test_a_contribution_that_numpy_would_broadcast_or_reshape(have: Any, want: Any) -> None:
    """A contribution smaller than its value is a mistake in the gate, not something to stretch."""
    broken = mg.Gate("broken", lambda x: np.ones(want), vjp=[lambda g, out, x: np.ones(have)])
    x = mg.Value(np.ones(want), label="x")
    with pytest.raises(GradientError, match=r"broken: its derivative for x"):
        broken(x).backward(np.ones(want))
    assert x.grad is None


@pytest.mark.parametrize("wrong", [None, "text", 1j, np.ones(3, complex), np.array([None] * 3)], ids=repr)
def test_a_contribution_that_is_no_number(wrong: Any) -> None:
    broken = mg.Gate("broken", lambda x: x * 2.0, vjp=[lambda g, out, x: wrong])
    x = W(3, label="x")
    with pytest.raises((GradientError, TypeError), match="broken"):
        broken(x).sum().backward()
    assert x.grad is None


@pytest.mark.parametrize(
    "result",
    [1, np.arange(3), np.ones(3, bool), 1j, "text", None, [1.0, 2.0], np.ones(3, complex), np.ones(3, np.float16)],
    ids=repr,
)
def test_a_forward_that_returns_no_floats(result: Any) -> None:
    broken = mg.Gate("broken", lambda x: result, local=[1.0])
    for x in (W(3), mg.Value(2.0)):
        with pytest.raises(TypeError, match="broken: forward returned"):
            broken(x)


def test_more_derivatives_than_inputs() -> None:
    two = mg.Gate("two", lambda x, y=1.0: x * y, local=[lambda out, x, y=1.0: y, lambda out, x, y=1.0: x])
    with pytest.raises(TypeError, match="two"):
        two(mg.Value(2.0))


def test_fewer_derivatives_than_inputs() -> None:
    """The second Value would silently get no gradient."""
    one = mg.Gate("one", lambda x, y: x * y, local=[lambda out, x, y: y])
    for x, y in ((mg.Value(2.0), mg.Value(3.0)), (W(3), W(3))):
        with pytest.raises((TypeError, GradientError), match="one"):
            one(x, y)


def test_an_exception_of_the_users_forward_keeps_its_type() -> None:
    def forward(x: Any) -> Any:
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        mg.Gate("broken", forward, local=[1.0])(mg.Value(1.0))


def test_the_original_error_is_chained() -> None:
    with pytest.raises(ShapeError) as caught:
        W(2) + W(3)
    assert isinstance(caught.value.__cause__, ValueError)


def test_two_gates_of_one_name_in_the_catalogue() -> None:
    from minigrad.gates.registry import row

    before = dict(mg.gates.REGISTRY)
    with pytest.raises(ValueError, match="'exp' is in the catalogue already"):
        row("exp", np.exp)
    assert before == mg.gates.REGISTRY


def test_user_gates_are_not_added_to_the_catalogue() -> None:
    mg.Gate("mine", np.exp, local=[lambda out, x: out])
    assert "mine" not in mg.gates.REGISTRY


# --------------------------------------------------------------------------------------------- transforms and checks
def test_grad_of_a_function_that_returns_many_numbers() -> None:
    with pytest.raises(GradientError, match=r"grad: .*\(3,\).*\.sum\(\)"):
        mg.grad(lambda x: x * 2.0)(np.ones(3))


@pytest.mark.parametrize("result", [None, "text", [1.0, 2.0], (1.0,), {}], ids=repr)
def test_grad_of_a_function_that_returns_no_number(result: Any) -> None:
    with pytest.raises(GradientError, match=r"grad: .*must return one number"):
        mg.grad(lambda x: result)(1.0)


def test_grad_with_an_argument_that_is_not_there() -> None:
    for argnums in (1, -2, (0, 1), 7):
        with pytest.raises(GradientError, match=r"argnums=.*1 argument"):
            mg.grad(lambda x: x, argnums=argnums)(1.0)


@pytest.mark.parametrize("argument", ["text", None, 1j, True, np.ones(2, complex)], ids=repr)
def test_grad_of_an_argument_that_is_no_number(argument: Any) -> None:
    with pytest.raises(DtypeError):
        mg.grad(lambda x: mg.sum(x * 1.0))(argument)


def test_a_failing_transform_leaves_no_trace() -> None:
    x = mg.Value(2.0)
    with pytest.raises(ZeroDivisionError):
        mg.grad(lambda y: 1 // 0)(1.0)
    y = x * x
    y.backward()
    assert x.grad == 4.0
    assert type(mg.grad(lambda t: t * t)(3.0)) is float


def test_gradcheck_arguments() -> None:
    with pytest.raises(ValueError, match="order=3"):
        mg.gradcheck(mg.exp, 1.0, order=3)
    with pytest.raises(ValueError, match="at least one argument"):
        mg.gradcheck(lambda: mg.Value(1.0))
    with pytest.raises(DtypeError, match="float64"):
        mg.gradcheck(mg.exp, np.ones(2, np.float32))
    with pytest.raises((GradientError, TypeError)):
        mg.gradcheck(lambda x: 3.0, 1.0)
    with pytest.raises(GradientError, match="one number"):
        mg.numerical_grad(lambda x: x, np.ones(3))


def test_gradcheck_names_argument_index_and_both_numbers() -> None:
    half = mg.Gate("half", np.square, local=[lambda out, x: 1.0 * x])
    with pytest.raises(GradcheckError, match=r"argument 1\[0, 2\].*1\.5.*3\.0*|argument 1\[0, 2\]") as caught:
        mg.gradcheck(lambda a, b: half(b * np.array([[0.0, 0.0, 1.0]])) + a, np.ones((1, 3)), np.full((1, 3), 1.5))
    assert isinstance(caught.value, AssertionError)
