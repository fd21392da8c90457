"""The derivative statements that derivations show: what is printed is read back, and gives what the engine sends."""

import ast
import importlib
import pkgutil
import re

import numpy as np
import pytest

import minigrad.gates
import minigrad.value
from minigrad import Value, viz
from minigrad.check.sampling import cases_of
from minigrad.gates import REGISTRY
from minigrad.gates.table import entry
from minigrad.value import sent
from minigrad.viz.formula import latex_number, rule_of, write
from minigrad.viz.names import number

CASES = [case for gate in REGISTRY.values() if gate.differentiable and gate.name != "pick" for case in cases_of(gate)]
SIGNS = {"·": "*", "−": "-", "^": "**", "≠": "!=", "≤": "<=", "≥": ">=", " = ": " == ", "∧": "&", "∨": "|"}
MODULES = {
    m.name: importlib.import_module(f"minigrad.gates.{m.name}")
    for m in pkgutil.iter_modules(minigrad.gates.__path__)
    if not m.name.startswith("_")
}


def names_in(module):
    return {name: x for name, x in vars(module).items() if not name.startswith("__")}


HELPERS = {name: getattr(np, name) for name in dir(np)}
for module in [*MODULES.values(), minigrad.value]:
    HELPERS |= names_in(module)
HELPERS |= REGISTRY | {"list": list, "len": len, "tuple": tuple, "__builtins__": {}}


def read(text, gate, known):
    """The value of a formula as it is printed."""
    for sign, python in SIGNS.items():
        text = text.replace(sign, python)
    text = re.sub(r"(?<![\w\])])\[([^\[\]]* (?:==|!=|<|<=|>|>=) [^\[\]]*)\]", r"(\1)", text)  # Iverson's brackets
    home = MODULES.get(entry(gate.name).file.removeprefix("gates/").removesuffix(".py"), minigrad.value)
    return eval(compile(ast.parse(text, mode="eval"), text, "eval"), HELPERS | names_in(home) | known)


def like(x, target):
    """x summed over the axes that were broadcast, and stretched where it is a constant."""
    x = np.asarray(x, float)
    while x.ndim > target.ndim:
        x = x.sum(0)
    for axis, n in enumerate(target.shape[target.ndim - x.ndim :]):
        if n == 1 != x.shape[axis]:
            x = x.sum(axis, keepdims=True)
    return np.broadcast_to(x, target.shape)


def recorded(case):
    """A gate's node, made of labelled values."""
    inputs = [
        Value(x, label="abcdef"[i]) if np.asarray(x).dtype == float and i not in case.gate.plain else x
        for i, x in enumerate(case.sample(np.random.default_rng(5)))
    ]
    out = case.call(*inputs)
    first = out[0] if isinstance(out, tuple) else out
    return first.inputs[0] if first.gate.name == "pick" else first


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_printed_is_what_the_engine_sends(case):
    rng = np.random.default_rng(7)
    v = recorded(case)
    if isinstance(v.data, tuple):
        g = tuple([rng.normal(size=np.shape(part)) for part in v.data])
        arriving = sent(v, tuple(enumerate(g)))
    else:
        g = rng.normal(size=v.shape) if v.shape else 1.7
        arriving = sent(v, g)
    for wire, (x, local) in enumerate(zip(v.inputs, v.local_gradients(), strict=True)):
        if not isinstance(x, Value):
            continue
        rule, known = rule_of(v, wire), {"g": g}
        shown = {name: stand_in(x, name, known) for name, x in rule.known.items() if name != "g" or local is None}
        shown |= {"out": stand_in(v, "out", known)} | ({"g": 1.0} if local is not None else {})
        text = write(rule.statement, lambda x: x.label, shown)
        got = read(text, case.gate, rule.settings | known)
        if local is not None:
            got = np.multiply(got, 1.0) * g
        np.testing.assert_allclose(like(got, np.asarray(arriving[wire])), arriving[wire], rtol=1e-5, atol=1e-12)


def stand_in(x, name, known):
    """What is printed by its name, and known by it; numbers are printed as they are."""
    if isinstance(x, tuple):
        return tuple([stand_in(one, f"{name}{i}", known) for i, one in enumerate(x)])
    if isinstance(x, (float, str)):
        return x
    label = (x.label if isinstance(x, Value) else "") or name
    known[label] = x.data if isinstance(x, Value) else x
    return Value(0.0, label=label)


SCALARS = [
    case
    for case in CASES
    if case.gate.elementwise and all(not isinstance(shape, tuple) or shape == () for shape in case.shapes)
]


EQUALS = re.compile(r" = (?![^\[]*\])")  # but not in [a = 0]


def lines_of(case):
    """For each scalar input: its gate's local gradient, and the steps of its line in Unicode and in LaTeX."""
    v = recorded(case)
    for x, local in zip(v.inputs, v.local_gradients(), strict=True):
        if isinstance(x, Value):
            text, latex = next(
                line for line in viz.derive(v, x).lines if line[0].strip().startswith(f"∂loss/∂{x.label} = ")
            )
            yield (
                local,
                *[EQUALS.split(line) for line in (text.split("   (")[0].split(" = ", 1)[1], latex.split("&= ")[1])],
            )


@pytest.mark.parametrize("case", SCALARS, ids=str)
def test_the_numbers_put_in_give_the_local_gradient(case):
    for local, steps, tex_steps in lines_of(case):
        assert steps[-1] == number(local)
        for text in (*steps[1:], *[from_latex(tex) for tex in tex_steps[1:]]):
            got = float(read(text, case.gate, {}))
            assert got == pytest.approx(local, rel=1e-3, abs=1e-4)
        assert len(tex_steps) == len(steps)


@pytest.mark.parametrize(
    "code",
    ["(a / b) ** 2", "a / b / c", "a / (b / c)", "a / (b * c)", "a * (b / c)", "a * b / c", "a - (b - c)", "a - b - c",
     "a - (b + c)", "(a + b) * c", "-(a + b)", "(-a) ** 2", "-(a ** 2)", "a ** -b", "c ** (b - a)", "(a ** 2) ** 2",
     "a * -b", "a - -b", "(a * b) ** 2", "(a < b) * c", "exp(-a) / (1 + exp(b))", "1e-7 * a", "(a / b) * (c / a)"],
)  # fmt: skip
def test_formulas_mean_what_the_code_does(code):
    statement = ast.parse(code, mode="eval").body
    for numbers in (
        {"a": 2.0, "b": 3.0, "c": 5.0},
        {"a": -2.5e-07, "b": -3.0, "c": 0.5},
        {"a": 4e8, "b": -2.0, "c": 9.0},
    ):
        values = {name: Value(x) for name, x in numbers.items()}
        expected = eval(code, {"__builtins__": {}, "exp": np.exp}, {n: np.float64(x) for n, x in numbers.items()})
        text = write(statement, lambda x: number(x.data), values)
        tex = from_latex(write(statement, lambda x: latex_number(number(x.data)), values, latex=True))
        for form in (text, tex):
            assert float(read(form, REGISTRY["add"], {})) == pytest.approx(expected, rel=1e-12)


def test_products_of_matrices_keep_their_order():
    known = {name: np.random.default_rng(i).normal(size=(2, 2)) for i, name in enumerate("abc")}
    values = {name: Value(x, label=name) for name, x in known.items()}
    for code in ("a @ (b * c)", "(a @ b) * c", "a * (b @ c)", "a @ b @ c", "-a @ b"):
        statement = ast.parse(code, mode="eval").body
        expected = eval(code, {"__builtins__": {}}, known)
        for form in (write(statement, lambda x: x.label, values),
                     from_latex(write(statement, lambda x: x.label, values, latex=True))):  # fmt: skip
            np.testing.assert_allclose(read(form, REGISTRY["add"], known), expected)


def from_latex(tex):
    """A formula in LaTeX as it would be printed in Unicode."""
    at = tex.find(r"\frac{")
    if at >= 0:
        above, rest = group(tex[at + 5 :])
        below, rest = group(rest)
        return from_latex(f"{tex[:at]}(({above}) / ({below})){rest}")
    tex = re.sub(r"\\(?:mathrm|mathtt|text)\{((?:[^{}\\]|\\.)*)\}", r"\1", tex)
    while (at := tex.find("^{")) >= 0:
        exponent, rest = group(tex[at + 1 :])
        tex = f"{tex[:at]}**({exponent}){rest}"
    for sign, python in {
        r"\cdot": "*",
        r"\,": "@",
        r"\neq": "!=",
        r"\leq": "<=",
        r"\geq": ">=",
        r"\infty": "inf",
    }.items():
        tex = tex.replace(sign, python)
    return re.sub(r"\\(\w+)", r"\1", tex.replace(r"\_", "_"))


def group(tex):
    """`{...}rest` as the inside and the rest."""
    depth = 0
    for at, c in enumerate(tex):
        depth += (c == "{") - (c == "}")
        if not depth:
            return tex[1:at], tex[at + 1 :]
    raise AssertionError(tex)


@pytest.mark.parametrize("case", {case.name: case for case in reversed(CASES)}.values(), ids=str)
def test_latex_can_be_typeset(case):
    mathtext = pytest.importorskip("matplotlib.mathtext")
    v = recorded(case)
    outs = minigrad.value.outputs(v) if isinstance(v.data, tuple) else (v,)
    for x in v.inputs:
        if isinstance(x, Value):
            for text, latex in viz.derive(sum([(out * out).sum() for out in outs]), x).lines[1:-1]:
                if f"/∂{x.label}" in text:
                    formula = latex.replace("&", "").split(r" \quad")[0]
                    mathtext.MathTextParser("path").parse(f"${formula}$")
