"""Gates that are wrong on purpose, as people get them wrong: gradcheck names the gate, the wire and the mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Gate
from minigrad.errors import GradcheckError

RNG = np.random.default_rng(5)
VECTOR, MATRIX, SQUARE, OTHER = (RNG.normal(size=shape) for shape in ((3,), (2, 3), (3, 3), (3, 3)))
SIGNS = np.array([-1.0, 2.0, 0.5, -0.3])


class Wrong(NamedTuple):
    """A gate, where to check it, and what the message has to say."""

    gate: Gate
    xs: tuple[Any, ...]
    text: str
    wire: int = 0
    order: int = 1


def numbers(x: Any) -> Any:
    """What a rule does that leaves the graph."""
    return x.data if isinstance(x, mg.Value) else x


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def affine(name: str, to_bias: Callable[[Any], Any]) -> Gate:
    """x W + b as one gate, right but for what it sends to b."""
    return Gate(
        name,
        lambda x, w, b: x @ w + b,
        vjp=[
            lambda g, out, x, w, b: g @ mg.transpose(w),
            lambda g, out, x, w, b: mg.transpose(x) @ g,
            lambda g, out, x, w, b: to_bias(g),
        ],
    )


def product(name: str, *rules: Callable[..., Any]) -> Gate:
    """A matrix product with one wrong rule, or two."""
    right = [lambda g, out, a, b: g @ mg.transpose(b), lambda g, out, a, b: mg.transpose(a) @ g]
    return Gate(name, np.matmul, vjp=[*right[: 2 - len(rules)], *rules])


def assigned(g: Any, out: Any, table: Any, index: Any) -> Any:
    """Like `grad[index] = g`: the last row to arrive wins, where += was needed."""
    sent = np.zeros(table.shape)
    sent[index] = numbers(g)
    return sent


looked_up = Gate("looked_up", lambda table, index: table[index], vjp=[assigned, None])

WRONG: dict[str, Wrong] = {
    "sign": Wrong(Gate("my_cos", np.cos, local=[lambda out, x: mg.sin(x)]), (0.4,), "the sign"),
    "sign of one wire": Wrong(Gate("minus", np.subtract, local=[1.0, 1.0]), (MATRIX, VECTOR), "the sign", wire=1),
    "factor 2": Wrong(
        Gate("my_square", np.square, local=[lambda out, x: 4.0 * x]),
        (VECTOR,),
        "a constant factor, 2 times the right gradient",
    ),
    "factor 1/2": Wrong(
        Gate("my_square", np.square, local=[lambda out, x: x]),
        (0.7,),
        "1/2 times the right gradient: the 2 of a square",
    ),
    "factor n": Wrong(
        Gate("my_mean", np.mean, vjp=[lambda g, out, x: mg.broadcast_to(g, x.shape)]),
        (MATRIX,),
        "6 times the right gradient: 6 is the number of entries of the input, by which an average divides",
    ),
    "factor 1/n": Wrong(
        Gate("my_sum", np.sum, vjp=[lambda g, out, x: mg.broadcast_to(g / 3.0, x.shape)]),
        (VECTOR,),
        "1/3 times the right gradient: 3 is the number of entries of the input, averaged where it should be summed",
    ),
    "batch length": Wrong(
        Gate("mean0", lambda x: x.mean(axis=0), vjp=[lambda g, out, x: mg.broadcast_to(g, x.shape)]),
        (RNG.normal(size=(5, 2)),),
        "5 times the right gradient: 5 is the length of axis 0 of the input",
    ),
    "transposed, square": Wrong(
        product("my_matmul", lambda g, out, a, b: mg.transpose(g) @ a), (SQUARE, OTHER), "transposed", wire=1
    ),
    "transposed, not square": Wrong(
        product("my_matmul", lambda g, out, a, b: mg.transpose(g) @ a),
        (MATRIX, RNG.normal(size=(3, 4))),
        r"the shape \(4, 3\), its input \(3, 4\).*transposed",
        wire=1,
    ),
    "transposed and reshaped": Wrong(
        product("my_matmul", lambda g, out, a, b: mg.reshape(mg.transpose(g) @ a, b.shape)),
        (MATRIX, RNG.normal(size=(3, 4))),
        "transposed: the numbers of the transpose, reshaped to fit",
        wire=1,
    ),
    "factors in the wrong order": Wrong(
        product("my_matmul", lambda g, out, a, b: g @ mg.transpose(a)),
        (SQUARE, OTHER),
        "factors of a product stand in the wrong order",
        wire=1,
    ),
    "the Jacobian, not its transpose": Wrong(
        Gate("running", np.cumsum, vjp=[lambda g, out, x: mg.cumsum(g)]), (VECTOR,), "transposed: it sends the Jacobian"
    ),
    "un-broadcast: the first row": Wrong(
        affine("affine", lambda g: g[0]), (MATRIX, SQUARE, VECTOR), r"not un-broadcast.*\(3,\).*\(2, 3\).*first", wire=2
    ),
    "un-broadcast: the mean": Wrong(
        affine("affine", lambda g: mg.mean(g, axis=0)),
        (RNG.normal(size=(4, 3)), SQUARE, VECTOR),
        "1/4 times the right gradient: not un-broadcast.*sum over that axis",
        wire=2,
    ),
    "un-broadcast: the other axis": Wrong(
        affine("affine", lambda g: mg.sum(g, axis=1)),
        (SQUARE, OTHER, VECTOR),
        "the wrong axis: right if axes 0 and 1 of the upstream gradient were exchanged",
        wire=2,
    ),
    "un-broadcast: too far": Wrong(
        affine("affine", mg.sum),
        (MATRIX, SQUARE, VECTOR),
        r"the shape \(\), its input \(3,\).*summed over too many axes",
        wire=2,
    ),
    "un-broadcast: repeated": Wrong(
        Gate("shift_all", np.add, vjp=[lambda g, out, x, b: g, lambda g, out, x, b: mg.sum(g) * np.ones(3) / 3.0]),
        (MATRIX, VECTOR),
        "summed over too many axes and shared out",
        wire=1,
    ),
    "accumulation: one of two uses": Wrong(
        Gate("x_exp", lambda x: x * np.exp(x), local=[lambda out, x: mg.exp(x)]),
        (0.7,),
        "missing accumulation: the forward rule uses this input 2 times, and only 1",
    ),
    "accumulation: a forgotten term": Wrong(
        Gate("poly", lambda x: x * x + x, local=[lambda out, x: 2.0 * x]), (VECTOR,), "missing accumulation.*3 times.*2"
    ),
    "accumulation: a forgotten term, of a rule that Values can't follow": Wrong(
        Gate("table", lambda x: np.array(x.tolist()) ** 2 + x, local=[lambda out, x: 2.0 * x]),
        (VECTOR,),
        "the local gradient lacks 1 everywhere: a forgotten term",
    ),
    "accumulation: = instead of +=": Wrong(
        looked_up, (np.array([0.1, 0.2, 0.3]), np.array([0, 1, 0, 2])), "missing accumulation.*last.*np.add.at"
    ),
    "at the output": Wrong(
        Gate("my_sin", np.sin, local=[lambda out, x: mg.cos(out)]),
        (0.7,),
        "the derivative at the output instead of the input",
    ),
    "at the input": Wrong(
        Gate("my_tanh", np.tanh, local=[lambda out, x: 1.0 - x * x]),
        (VECTOR,),
        "the derivative at the input instead of the output",
    ),
    "swapped wires": Wrong(
        Gate("times", np.multiply, local=[lambda out, a, b: a, lambda out, a, b: b]),
        (2.0, 3.0),
        "swapped: this is the gradient of wire 1",
    ),
    "swapped wires, other shapes": Wrong(
        product("my_matmul", lambda g, out, a, b: mg.transpose(a) @ g, lambda g, out, a, b: g @ mg.transpose(b)),
        (MATRIX, SQUARE),
        "swapped wires; that is the shape of another input",
    ),
    "zero": Wrong(Gate("my_exp", np.exp, local=[0.0]), (2.0,), "zero where it should not be"),
    "no rule": Wrong(Gate("times", np.multiply, local=[lambda o, a, b: b, None]), (2.0, 3.0), "zero where", wire=1),
    "dropped mask": Wrong(
        Gate("my_relu", lambda x: np.maximum(x, 0.0), local=[1.0]), (SIGNS,), "a dropped mask: gradient flows where"
    ),
    "inverted mask": Wrong(
        Gate("my_relu", lambda x: np.maximum(x, 0.0), local=[lambda out, x: x < 0.0]), (SIGNS,), "the mask is inverted"
    ),
    "mask that closes too much": Wrong(
        Gate("my_relu", lambda x: np.maximum(x, 0.0), local=[lambda out, x: x > 1.0]),
        (SIGNS,),
        "a mask that closes too",
    ),
    "other axis": Wrong(
        Gate("soft", softmax, vjp=[lambda g, out, x: out * (g - mg.sum(g * out, axis=0, keepdims=True))]),
        (MATRIX,),
        "the wrong axis: the rule works along axis 0 or 1",
    ),
    "off by one": Wrong(
        Gate("first_three", lambda x: x[:3] * 1.0, vjp=[lambda g, out, x: mg.concatenate([np.zeros(1), g])]),
        (SIGNS,),
        "off by one: moved by 1 along axis 0",
    ),
    "not reversed": Wrong(
        Gate("turned", lambda x: x[::-1].copy(), vjp=[lambda g, out, x: g]), (VECTOR,), "reversed along axis 0"
    ),
    "one minus": Wrong(
        Gate("my_tanh", np.tanh, local=[lambda out, x: out * out]), (VECTOR,), "1 minus the right local gradient"
    ),
    "reciprocal": Wrong(Gate("my_log", np.log, local=[lambda out, x: x]), (np.abs(VECTOR),), "1 over the right local"),
    "nan": Wrong(Gate("my_log", np.square, local=[lambda out, x: x * np.nan]), (VECTOR,), "nan or inf where the slope"),
    "nothing usual": Wrong(
        Gate("odd", np.sin, local=[lambda out, x: mg.exp(x * x)]), (VECTOR,), "No usual mistake fits: derive this rule"
    ),
    "second order: raw output": Wrong(
        Gate("my_exp", np.exp, local=[lambda out, x: numbers(out)]),
        (0.4,),
        "in second order only.*raw numbers",
        order=2,
    ),
    "second order: one raw factor": Wrong(
        Gate("x_squared", lambda x: x * x, local=[lambda out, x: x + numbers(x)]),
        (VECTOR,),
        "in second order only.*loses how it depends on input 0",
        order=2,
    ),
    "second order: other numbers": Wrong(
        Gate("my_exp", np.exp, local=[lambda out, x: out * 0.9 if isinstance(out, mg.Value) else out]),
        (0.4,),
        "in second order only.*gives other numbers on Values",
        order=2,
    ),
    "second order: raw in a product": Wrong(
        Gate("energy", lambda x: np.sum(x**3), vjp=[lambda g, out, x: g * 3.0 * x * numbers(x)]),
        (VECTOR,),
        "in second order only.*its vjp loses how it depends on input 0",
        order=2,
    ),
    "forward mode: raw upstream": Wrong(
        Gate("half_square", lambda x: 0.5 * np.square(x), vjp=[lambda g, out, x: numbers(g) * x]),
        (VECTOR,),
        "in forward mode only.*its vjp loses how it depends on g",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_gate_the_wire_and_the_mistake_are_named(name: str) -> None:
    wrong = WRONG[name]
    floats = [x for x in wrong.xs if isinstance(x, float) or x.dtype == np.float64]
    if wrong.order == 2:
        assert mg.gradcheck(wrong.gate, *floats), "right in first order"
    with pytest.raises(GradcheckError) as caught:
        mg.gradcheck(lambda *xs: wrong.gate(*xs, *wrong.xs[len(xs) :]), *floats, order=wrong.order)
    message = str(caught.value)
    assert f"order {wrong.order}" in message.splitlines()[0]
    assert f"gate '{wrong.gate.name}'" in message
    assert f"wire {wrong.wire}" in message
    assert re.search(wrong.text, message, re.DOTALL), message
    assert caught.value.report is not None
    assert not caught.value.report


INNOCENT = {  # the same forward rules with the right derivative, or the same rules where they are right
    "sign": (Gate("my_cos", np.cos, local=[lambda out, x: -mg.sin(x)]), (0.4,)),
    "mean": (Gate("my_mean", np.mean, vjp=[lambda g, out, x: mg.broadcast_to(g / x.size, x.shape)]), (MATRIX,)),
    "matmul": (product("my_matmul"), (MATRIX, SQUARE)),
    "the engine sums over stretched axes": (affine("affine", lambda g: g), (MATRIX, SQUARE, VECTOR)),
    "affine": (affine("affine", lambda g: mg.sum(g, axis=0)), (MATRIX, SQUARE, VECTOR)),
    "relu": (Gate("my_relu", lambda x: np.maximum(x, 0.0), local=[lambda out, x: x > 0.0]), (SIGNS,)),
    "relu at 0": (Gate("my_relu", lambda x: np.maximum(x, 0.0), local=[lambda out, x: x > 0.0]), (np.zeros(3),)),
    "relu at 0, from the right": (
        Gate("my_relu", lambda x: np.maximum(x, 0.0), local=[lambda out, x: x >= 0.0]),
        (np.zeros(3),),
    ),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_right_gates_pass(name: str) -> None:
    gate, xs = INNOCENT[name]
    assert mg.gradcheck(gate, *xs, order=2)


# ------------------------------------------------------------------------------------- one wrong gate among many others
def test_the_wrong_gate_is_found_in_a_graph_and_named_by_its_label() -> None:
    thrice = Gate("thrice", lambda x: 3.0 * x, local=[1.0])

    def f(x: Any, w: Any) -> Any:
        hidden = mg.tanh(x @ w)
        scaled = thrice(hidden)
        scaled.label = "scaled"
        return mg.log_softmax(scaled * 2.0 + 1.0).sum()

    with pytest.raises(GradcheckError) as caught:
        mg.gradcheck(f, MATRIX, SQUARE)
    message = str(caught.value)
    assert (
        "gate 'thrice' (label 'scaled'), checked alone, is wrong on wire 0: for an upstream gradient of 1 it sends"
        in message
    )
    assert "1/3 times the right gradient" in message


def test_the_first_of_two_wrong_gates_is_named() -> None:
    first = Gate("first", np.sin, local=[lambda out, x: -mg.cos(x)])
    second = Gate("second", np.cos, local=[lambda out, x: mg.sin(x)])
    with pytest.raises(GradcheckError, match="gate 'first'"):
        mg.gradcheck(lambda x: second(first(x) + mg.exp(x)), VECTOR)


def test_a_mistake_that_cancels_another_is_found_in_neither() -> None:
    """What is checked is the function: two wrong signs make a right gradient."""
    first = Gate("first", np.sin, local=[lambda out, x: -mg.cos(x)])
    second = Gate("second", np.cos, local=[lambda out, x: mg.sin(x)])
    assert mg.gradcheck(lambda x: second(first(x)), VECTOR)


def test_a_kink_on_the_way_is_not_blamed() -> None:
    """relu at 0 is right by itself; the wrong gate behind it is not."""
    wrong = Gate("wrong", np.exp, local=[2.0])
    with pytest.raises(GradcheckError, match="gate 'wrong'"):
        mg.gradcheck(lambda x: wrong(mg.relu(x - 1.0)), np.array([1.0, 2.0, 0.5]))


def test_a_gate_of_many_numbers_is_named_without_a_guess() -> None:
    gate = Gate("big", np.square, local=[lambda out, x: 3.0 * x])
    with pytest.raises(
        GradcheckError, match=r"(?s)gate 'big', checked alone.*small arrays to learn the likely mistake"
    ):
        mg.gradcheck(lambda x: gate(x).sum(), np.linspace(0.5, 1.0, 3000))


def test_one_of_several_outputs() -> None:
    halves = Gate(
        "halves",
        lambda x: (x[:2] * 1.0, x[2:] * 1.0),
        vjp=[lambda g, out, x: mg.concatenate([g[0], -g[1]])],
    )
    with pytest.raises(GradcheckError, match=r"gate 'halves', checked alone, is wrong on wire 0"):
        mg.gradcheck(halves, SIGNS)


# -------------------------------------------------------------------------------------------- functions written by hand
@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: x * x.data, "1/2 times.*missing accumulation.*multiply.*leaves the graph"),
        (
            lambda x: x * mg.sin(x.detach()),
            r"right by themselves \(multiply\).*leaves the graph.*contribution is missing",
        ),
        (lambda x: mg.Value(np.exp(x.data)), "zero where it should not be: no gradient arrives"),
        (lambda x: mg.exp(mg.Value(x.data)), "zero where it should not be"),
        (lambda x: x + float(mg.sum(x)), "leaves the graph: what it takes from a Value"),
    ],
)
def test_a_function_that_leaves_the_graph(f: Any, text: str) -> None:
    with pytest.raises(GradcheckError, match=f"(?s){text}"):
        mg.gradcheck(f, VECTOR)


def test_a_hand_written_sum_over_a_stretched_axis() -> None:
    """Un-broadcasting by hand, forgotten: a bias that is taken from .data for all rows but one."""

    def f(x: Any, b: Any) -> Any:
        rows = [x[0] + b] + [x[i] + b.data for i in range(1, 2)]
        return mg.stack(rows)

    with pytest.raises(GradcheckError, match=r"(?s)argument 1\[0\].*not un-broadcast: an input \(3,\).*first"):
        mg.gradcheck(f, MATRIX, VECTOR)


def test_a_rule_that_uses_a_wrong_gate() -> None:
    slope = mg.Gate("slope", lambda x: 3.0 * x * x, local=[lambda out, x: -6.0 * x])
    cube = mg.Gate("cube", lambda x: x**3, local=[lambda out, x: slope(x)])
    words = "'cube'.*in second order only.*uses a gate that is wrong.*'slope'.*the sign"
    with pytest.raises(GradcheckError, match=words):
        mg.gradcheck(cube, 1.3, order=2)


@pytest.mark.parametrize(("gate", "x"), [(mg.arcsin, 1.0), (mg.arccosh, 1.0), (mg.cbrt, 0.0)])
def test_a_slope_that_is_not_finite_is_no_mistake_of_the_gate(gate: mg.Gate, x: float) -> None:
    with pytest.raises(GradcheckError, match="not finite at this point, and so has no slope"):
        mg.gradcheck(gate, x, order=2)


@pytest.mark.parametrize("x", [1.5, np.array([1.5]), np.array([1.5, -0.5])])
def test_a_rule_that_ignores_the_upstream_gradient(x: Any) -> None:
    square = mg.Gate("square_of", lambda x: x * x, vjp=[lambda g, out, x: 2.0 * x])
    with pytest.raises(GradcheckError, match="the upstream gradient is ignored: multiply by g"):
        mg.gradcheck(square, x)


def test_where_the_function_is_infinite_no_gate_is_blamed() -> None:
    with pytest.raises(GradcheckError, match="The function is not finite at this point") as caught:
        mg.gradcheck(mg.exp, 800.0)
    assert "wrong" not in str(caught.value)
