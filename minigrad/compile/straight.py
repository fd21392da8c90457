"""Scalars that don't repeat themselves: straight-line Python over floats.

A `Block` takes in scalar gates, forward and backward, in the order in which they were recorded, and writes each as an
expression of Python: `v3 = tanh(v1 * a + b)`.  Where Python raises and IEEE has an answer (1 / 0, log(0)), the whole
call is made again eagerly; where something has been changed already, so that it can't be, the gates are called.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..gates import REGISTRY
from ..value import Gate, Value
from .program import Line
from .text import Writer

__all__ = ["Block", "is_scalar", "pick"]

PART = 5_000  # so many steps make a function of their own: Python compiles a longer one slowly, and in much memory
NEAR, SHORT = 30, 60  # a result is written into its only use, if that is so many steps later and the text so short
HEADINGS = {False: "# forward", True: "# backward: from the newest gate to the oldest, upstream times local"}

# ------------------------------------------------------------------------------------------------------------ spelling
CONDITIONAL, LOGIC, COMPARISON, SUM, PRODUCT, ATOM = range(6)  # how tightly an expression binds


class Spelling:
    """A gate as an expression of its inputs {0}, {1}, ...; {f} is `function`, {all} all inputs.

    It binds as tightly as `level`; an input must bind as tightly as `inner`, the second one more: a - (b - c).  An
    input that is written `twice` must be a name.
    """

    def __init__(
        self, text: str, level: int = ATOM, inner: int = CONDITIONAL, *, raises: bool = False, function: Any = None
    ) -> None:
        self.text, self.level, self.inner, self.raises, self.function = text, level, inner, raises, function
        self.simpler: Callable[..., Any] | None = None
        self.twice = [i for i in range(3) if text.count(f"{{{i}}}") > 1]


def infix(sign: str, level: int, inner: int, raises: bool = False) -> Spelling:
    return Spelling(f"{{0}} {sign} {{1}}", level, inner, raises=raises)


SECH, TANH = REGISTRY["sech"], REGISTRY["tanh"]
OURS = ("number", "detach")  # gates that only the recorder makes
SPELLINGS = {
    "add": infix("+", SUM, SUM),
    "subtract": infix("-", SUM, SUM),
    "multiply": infix("*", PRODUCT, PRODUCT),
    "divide": infix("/", PRODUCT, PRODUCT, raises=True),
    "positive": Spelling("{0}"),
    "detach": Spelling("{0}"),
    "negative": Spelling("-{0}", PRODUCT, ATOM),
    "reciprocal": Spelling("1.0 / {0}", PRODUCT, ATOM, raises=True),
    "square": Spelling("{0} * {0}", PRODUCT),
    "power": Spelling("{f}({0}, {1})", raises=True, function=math.pow),
    "absolute": Spelling("abs({0})"),
    "sign": Spelling("1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else 0.0 * {0}", CONDITIONAL),
    "sigmoid": Spelling("1.0 / (1.0 + {f}(-{0}))", PRODUCT, ATOM, raises=True, function=math.exp),
    "relu": Spelling("0.0 if {0} <= 0.0 else {0}", CONDITIONAL),
    "maximum": Spelling("{0} if {0} >= {1} or {0} != {0} else {1}", CONDITIONAL),
    "minimum": Spelling("{0} if {0} <= {1} or {0} != {0} else {1}", CONDITIONAL),
    "select": Spelling("{1} if {0} else 0.0", CONDITIONAL, LOGIC),
    "where": Spelling("{1} if {0} else {2}", CONDITIONAL, LOGIC),
    "number": Spelling("float({0})"),
    "isnan": Spelling("{0} != {0}", COMPARISON),
    "equal": infix("==", COMPARISON, SUM),
    "not_equal": infix("!=", COMPARISON, SUM),
    "less": infix("<", COMPARISON, SUM),
    "less_equal": infix("<=", COMPARISON, SUM),
    "greater": infix(">", COMPARISON, SUM),
    "greater_equal": infix(">=", COMPARISON, SUM),
    "bitwise_and": infix("and", LOGIC, COMPARISON),
    "bitwise_or": infix("or", LOGIC, COMPARISON),
    "invert": Spelling("not {0}", LOGIC, COMPARISON),
}


def spelling(gate: Gate, params: dict[str, Any]) -> Spelling:
    """How a gate is written; one that has no expression, or parameters, is called."""
    ours = gate.catalogued or gate.__module__.startswith("minigrad.")
    if ours and gate.name in SPELLINGS and (not params or gate.name in OURS):
        return SPELLINGS[gate.name]
    if gate.catalogued and not params and getattr(gate.scalar, "__module__", "") == "math":
        return Spelling("{f}({all})", raises=True, function=gate.scalar)
    return called(gate, params)


def called(gate: Gate, params: dict[str, Any]) -> Spelling:
    def call(*numbers: Any) -> Any:
        return gate.compute(numbers, params)

    call.__name__ = gate.name
    return Spelling("{f}({all})", function=call)


def sech_squared(x: float) -> float:
    y: float = SECH.compute((x,), {})
    return y * y


# 1 - tanh² while that doesn't round to 0: what the gate's rule has for Python's floats
SECH_SQUARED = Spelling("1.0 - _ if (_ := {0} * {0}) < 0.81 else {f}({1})", CONDITIONAL, function=sech_squared)


# The result without computing, from the texts of constants: an input, or a constant; None where that isn't known.
SIMPLER: dict[str, Callable[..., Any]] = {
    "positive": lambda x: x,
    "detach": lambda x: x,
    "multiply": lambda x, y: y if x == "1.0" else x if y == "1.0" else None,
    "divide": lambda x, y: x if y == "1.0" else None,
    "power": lambda x, y: x if y == "1.0" else None,
    "select": lambda mask, x: {"True": x, "False": "0.0"}.get(mask),
    "where": lambda mask, x, y: {"True": x, "False": y}.get(mask),
    "bitwise_and": lambda x, y: "False" if "False" in (x, y) else {"True": y}.get(x, {"True": x}.get(y)),
    "bitwise_or": lambda x, y: "True" if "True" in (x, y) else {"False": y}.get(x, {"False": x}.get(y)),
}
for name, rule in SIMPLER.items():
    SPELLINGS[name].simpler = rule


# --------------------------------------------------------------------------------------------------------------- block
def is_scalar(x: Any) -> bool:
    """Whether it is, or holds, one number or truth value of Python."""
    return type(x._raw if isinstance(x, Value) else x) in SCALARS


SCALARS = frozenset((float, bool, np.bool_, int))


def pick(block: Any, step: int) -> Any:
    """What the line of a block's result calls: the block has given it a name."""


class Step(NamedTuple):
    spelling: Spelling
    inputs: tuple[Any, ...]  # step i is i, input k of the block -1 - k, a constant its text
    gate: Gate
    label: str
    of: Any  # what it is the gradient of, a step; or None
    backward: bool


class Block:
    """Scalar gates one after the other: one line of a program."""

    def __init__(self, number: int, gradient_of: dict[Value, Value]) -> None:
        self.prefix, self.gradient_of = f"v{number}_" if number else "v", gradient_of
        self.line = Line(self, (), {}, (), "call")
        self.steps: list[Step] = []
        self.refs: dict[Value, Any] = {}  # what stands for a gate among the inputs of a step
        self.inputs: dict[Line, int] = {}
        self.picks: dict[Any, Line] = {}
        self.known: dict[Any, Any] = {}  # the result of a gate on these inputs
        self.spellings: dict[Gate, Spelling] = {}
        self.names: dict[int, str] = {}

    def __contains__(self, x: Value) -> bool:
        return x in self.refs

    def close(self) -> None:
        """All steps are in."""
        self.line.args = tuple(self.inputs)

    def forget(self) -> None:
        """The recording, which is not needed any more."""
        self.refs, self.known, self.gradient_of = {}, {}, {}

    def value(self, x: Value, lines: list[Line]) -> Any:
        """The line of a result, added to `lines`, or the number that it always is."""
        ref = self.refs[x]
        if type(ref) is str:
            return x._raw
        if ref < 0:
            return self.line.args[-1 - ref]
        if ref not in self.picks:
            self.picks[ref] = Line(pick, (self.line, ref), {}, x._raw, "call")
            lines.append(self.picks[ref])
        return self.picks[ref]

    def outside(self, x: Any) -> Any:
        """What stands for an input that is not a result of ours."""
        return self.inputs.setdefault(x, -1 - len(self.inputs)) if isinstance(x, Line) else text_of(x)

    def add(self, node: Value, inputs: tuple[Any, ...], params: dict[str, Any], backward: bool) -> None:
        """A gate; nothing, if its result is there already."""
        key = (node.gate, inputs, repr(params)) if params else (node.gate, inputs)
        if (ref := self.known.get(key)) is None:
            ref = self.known[key] = self.result(node, inputs, params, backward)
        self.refs[node] = ref

    def result(self, node: Value, inputs: tuple[Any, ...], params: dict[str, Any], backward: bool) -> Any:
        gate = node.gate
        assert gate is not None
        if int not in map(type, inputs):
            return text_of(node._raw)
        if (written := self.spellings.get(gate)) is None or params:
            written = self.spellings[gate] = spelling(gate, params)
        if written.simpler is not None:
            if (ref := written.simpler(*inputs)) is not None:
                return ref
            if gate.name == "power" and inputs[1] == "2.0":
                inputs, written = inputs[:1], SPELLINGS["square"]
            elif gate.name == "multiply" and inputs[0] == inputs[1] >= 0 and self.steps[inputs[0]].gate is SECH:
                of = self.steps[inputs[0]].inputs
                if (tanh := self.known.get((TANH, of))) is not None:
                    inputs, written = (tanh, *of), SECH_SQUARED
        of = self.gradient_of.get(node)
        label = node.label if of is None else of.label and f"d_{of.label}"
        self.steps.append(Step(written, inputs, gate, label, self.refs.get(of), backward))  # type: ignore[arg-type]
        return len(self.steps) - 1

    # ------------------------------------------------------------------------------------------------------- to Python
    def write(self, w: Writer, given: tuple[Any, ...], outputs: list[int]) -> tuple[list[str], list[str]]:
        """Statements that give the `outputs` their names, and functions that they call, if there is so much.

        `given` is what the block reads, lines or numbers.
        """
        texts, names = [w.text(x) for x in given], {w.text(x) for x in given if isinstance(x, Line)}
        uses, last = self.uses(outputs)
        live = [i for i, n in enumerate(uses) if n]
        parts = [Part(w) for _ in range(len(live) // PART + 1)]
        part_of = {i: parts[at // PART] for at, i in enumerate(live)}
        safe: dict[Gate, Spelling] = {}
        pending: dict[int, tuple[str, int]] = {}  # expressions without a name, and how tightly they bind
        for i in live:
            part = part_of[i]
            written, inputs, gate, *_, backward = self.steps[i]
            if written.raises and not w.may_raise:
                written = safe[gate] = safe.get(gate) or called(gate, {})
            operands = []
            for k, x in enumerate(inputs):
                if type(x) is str:
                    text = x
                elif x < 0:
                    text = texts[-1 - x]
                    part.given[text] = text in names
                elif x in pending:
                    text, level = pending.pop(x)
                    text = text if level >= written.inner + (k == 1) else f"({text})"
                else:
                    text = self.names[x]
                    if (earlier := part_of[x]) is not part:
                        part.takes(text, earlier)
                operands.append(text)
            if written.function is None:
                text = written.text.format(*operands)
            else:
                f = w.bind(written.function, written.function.__name__)
                text = written.text.format(*operands, f=f, all=", ".join(operands))
            if uses[i] == 1 and len(text) <= SHORT and last[i] - i <= NEAR and part_of[last[i]] is part:
                pending[i] = text, written.level
            else:
                self.names[i] = name = self.name(w, i)
                part.write(f"{name} = {text}", backward)
        for i in outputs:
            part_of[i].outputs[self.names[i]] = None
        if len(parts) == 1:
            return [], parts[0].statements
        return [part.function() for part in parts], [part.call() for part in parts]

    def uses(self, outputs: list[int]) -> tuple[list[int], list[int]]:
        """How often each step is used, 0 for those not needed, and the last step that uses it."""
        uses, last = [0] * len(self.steps), [0] * len(self.steps)
        for i in outputs:
            uses[i] = 2
        for i in range(len(self.steps) - 1, -1, -1):
            if uses[i]:
                written, inputs, *_ = self.steps[i]
                for k, x in enumerate(inputs):
                    if type(x) is int and x >= 0:
                        last[x] = last[x] or i
                        uses[x] += 1 + (k in written.twice)
        return uses, last

    def name(self, w: Writer, i: int) -> str:
        """The label of a value, or a number; d_ and the name of a value for its gradient."""
        step, name = self.steps[i], f"{self.prefix}{i}"
        if step.of in self.names:
            name = f"d_{self.names[step.of]}"
        if step.label or name in w.taken:
            return w.unique(step.label or name)
        w.taken.add(name)
        return name


class Part:
    """As many statements of a block as make a function."""

    def __init__(self, w: Writer) -> None:
        self.w, self.name = w, w.unique("part")
        self.statements: list[str] = []
        self.backward = False
        self.given: dict[str, bool] = {}  # inputs of the block; whether they are names, not numbers
        self.taken: dict[Part, dict[str, None]] = {}  # results of earlier parts,
        self.packs: dict[Part, str] = {}  # in a tuple from each
        self.later: list[Part] = []  # the parts that take results of this one
        self.outputs: dict[str, None] = {}

    def write(self, statement: str, backward: bool) -> None:
        if backward is not self.backward:
            self.backward = backward
            self.statements.append(HEADINGS[backward])
        self.statements.append(statement)

    def takes(self, name: str, part: Part) -> None:
        """A result of an earlier part."""
        if part not in self.taken:
            self.packs[part] = self.w.unique(f"{part.name}_for_{self.name}")
            part.later.append(self)
        self.taken.setdefault(part, {})[name] = None

    def function(self) -> str:
        """The part as a function: it returns a tuple for each later part that takes something, and one of outputs."""
        takes = [f"{listed(names)} = {self.packs[part]}" for part, names in self.taken.items()]
        returns = listed([*[listed(part.taken[self]) for part in self.later], listed(self.outputs)])
        return "\n    ".join([f"def {self.called()}:", *takes, *self.statements, f"return {returns}"]) + "\n"

    def call(self) -> str:
        return f"{listed([*[part.packs[self] for part in self.later], listed(self.outputs)])} = {self.called()}"

    def called(self) -> str:
        given = [name for name, is_name in self.given.items() if is_name]
        return f"{self.name}({', '.join([*given, *self.packs.values()])})"


def listed(names: Any) -> str:
    return f"({', '.join(names)}{',' * (len(names) == 1)})"


def text_of(x: Any) -> str:
    """A constant."""
    x = bool(x) if isinstance(x, np.bool_) else x
    return repr(x) if math.isfinite(x) else f"{'-' * (x < 0)}np.{'nan' if x != x else 'inf'}"
