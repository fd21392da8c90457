"""A function seen as gates: run it once on example inputs and note what each gate was given, and what it gave.

Python calls a "profiler" at every call and return; ours looks at the calls of gates.  The engine needs to know nothing
of it, and results that are no `Value`s (a comparison, an argmax) are seen, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ..gates.registry import COMPOSED
from ..tree import tree_map
from ..value import Gate, Value, no_grad
from .errors import ExportError

__all__ = ["Step", "arguments", "raw", "trace"]

Test = Callable[[dict[str, Any]], bool]
GATE = Gate.__call__.__code__
SHORT = {Value.__add__.__code__, Value.exp.__code__}  # operators and methods on Python floats: see gates/operators.py
FUNCTIONS: dict[CodeType, str] = {f.__wrapped__.__code__: name for name, f in COMPOSED.items()}  # type: ignore[attr-defined]


@dataclass(eq=False)
class Step:
    """One gate or composed function at work, or (`op` "input", "parameter", "constant") what comes from outside."""

    op: str
    inputs: tuple[Any, ...] = ()  # Steps; what is no number (None, the letters of einsum) as it is
    more: tuple[Any, ...] = ()  # parameters by position, and by name: they may hold Steps, too (an index)
    params: Any = None
    out: Any = None  # the numbers, in this run
    label: str = ""
    gate: Any = None


def trace(
    f: Callable[..., Any], inputs: dict[str, Any], names: dict[int, str], wanted: Mapping[str, Test]
) -> tuple[Any, list[Step]]:
    """What `f` returns, each array or `Value` in it as a `Step`, and all steps that lead there, in order.

    `names` are those of parameters and buffers, by id.  A composed function in `wanted` is one step if the test that
    stands there agrees; otherwise its gates are.
    """
    watch = Watch(names, wanted)
    values = arguments(inputs)
    for name, x in zip(inputs, values, strict=True):
        watch.keep(x, Step("input", out=raw(x), label=name))
    before = sys.getprofile()
    with no_grad():
        sys.setprofile(watch)
        try:
            out = f(*values)
        finally:
            sys.setprofile(before)
    if watch.escaped:
        raise ExportError(
            f"export: {watch.escaped[0]} gave a single Python bool or int, which can't be "
            "followed into the file. Keep it an array: keepdims=True, or an input with a batch axis."
        )
    out = tree_map(watch.step, out)
    return out, watch.order


def arguments(inputs: dict[str, Any]) -> list[Any]:
    """What `f` is called with: floats as `Value`s, whole numbers and masks as they are."""
    return [Value(x, name, requires_grad=False) if x.dtype.kind == "f" else x for name, x in inputs.items()]


class Watch:
    def __init__(self, names: dict[int, str], wanted: Mapping[str, Test]) -> None:
        self.names, self.wanted = names, wanted
        self.steps: dict[Any, Step] = {}  # by `identity` of a Value or array, which no other can get ...
        self.kept: list[Any] = []  # ... because these stay alive
        self.order: list[Step] = []
        self.escaped: list[str] = []  # gates whose results can't be followed: True is the same object everywhere
        self.given: dict[FrameType, dict[str, Any]] = {}

    def __call__(self, frame: FrameType, event: str, result: Any) -> None:
        code = frame.f_code
        if event == "call" and code in FUNCTIONS:
            self.given[frame] = dict(frame.f_locals)  # before the function gives its arguments other values
        elif event == "return":
            if code is GATE and result is not None:
                self.note_gate(frame.f_locals, result)
            elif code in SHORT and isinstance(result, Value) and identity(result) not in self.steps:
                here = frame.f_locals
                if "gate" in here:
                    wires = (here["a"], here["b"]) if "b" in here else (here["a"],)
                    self.note(here["gate"].name, wires, (), {}, result, here["gate"])
            elif code in FUNCTIONS:
                given = self.given.pop(frame, {})
                name, values = FUNCTIONS[code], [*given.values()]
                if isinstance(result, Value) and name in self.wanted and not any([result is x for x in values]):
                    fits = self.wanted[name]
                    if fits(given):
                        self.note(name, tuple(values), (), {}, result)

    def note_gate(self, here: dict[str, Any], result: Any) -> None:
        gate, inputs, wires = here["self"], here["inputs"], here["wires"]
        watched = [x for x in (*inputs, *here["params"].values()) if isinstance(x, Value) or self.known(x)]
        if not watched and not isinstance(result, (Value, tuple)):
            return  # on raw numbers that come from nowhere
        if not isinstance(result, (Value, np.ndarray, tuple)):
            self.escaped.append(gate.name)
        listed = gate.arity is None and gate.differentiable
        more = () if listed else inputs[len(wires) :]
        self.note(gate.name, wires, more, here["params"], result, gate)

    def note(self, op: str, wires: Any, more: Any, params: Any, result: Any, gate: Any = None) -> None:
        arrays = (Value, np.ndarray) if gate is None else object  # among the arguments of a function
        inputs = tuple([self.step(x) if isinstance(x, arrays) else x for x in wires])
        step = Step(op, inputs, self.found(more), self.found(params), raw(result), getattr(result, "label", ""), gate)
        self.order.append(step)
        if isinstance(result, tuple):
            for i, part in enumerate(result):
                self.order.append(Step("pick", (step,), (i,), {}, raw(part), gate=gate))
                self.keep(part, self.order[-1])
        else:
            self.keep(result, step)

    def keep(self, x: Any, step: Step) -> None:
        for y in (x, raw(x)):
            if isinstance(y, (Value, np.ndarray)):
                self.steps[identity(y)] = step
                self.kept.append(y)

    def known(self, x: Any) -> Step | None:
        """The step that made a `Value` or array, or the array in it."""
        if not isinstance(x, (Value, np.ndarray)):
            return None
        return self.steps.get(identity(x)) or (self.known(x.data) if isinstance(x, Value) else None)

    def found(self, x: Any) -> Any:
        """Parameters, with a `Step` in the place of an array that one has made."""
        if isinstance(x, (tuple, list)):
            return tuple([self.found(y) for y in x])
        if isinstance(x, dict):
            return {name: self.found(y) for name, y in x.items()}
        return self.known(x) or x

    def step(self, x: Any) -> Any:
        """The step that made `x`; a parameter or constant if none did."""
        if not isinstance(x, (Value, np.ndarray)):
            number = isinstance(x, (bool, int, float, np.generic))
            return Step("constant", out=x) if number else np.asarray(x) if isinstance(x, list) else x
        if (step := self.known(x)) is None:
            base = getattr(raw(x), "base", None)
            same = [x, raw(x)] if base is None or base.size != raw(x).size else [x, raw(x), base]  # in another shape
            name = next((self.names[id(y)] for y in same if id(y) in self.names), getattr(x, "label", ""))
            step = Step("parameter" if name else "constant", out=raw(x), label=name)
            self.keep(x, step)
        return step


def identity(x: Any) -> Any:
    """What tells a `Value` or array from all others; a view of the same numbers in the same order is the same array."""
    if isinstance(x, Value):
        return id(x)
    return x.__array_interface__["data"][0], x.shape, x.strides, x.dtype.str


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x
