"""From a recording to a program: every gate as NumPy calls, in the order in which they were made."""

from __future__ import annotations

from bisect import bisect
from typing import Any

import numpy as np

from ..tree import tree_leaves, tree_map
from ..value import Value
from .program import Builder, Line, Program, lower, take_at
from .recording import Recorder, given_to
from .straight import Block, is_scalar
from .wires import Effect, Gradient, Guard, drawn, read

__all__ = ["build"]

LONG = 100  # from so many scalar gates on they are taken together in blocks


def build(recorder: Recorder, arguments: dict[Value, int], out: Any) -> Program:
    """The program of a recording: `arguments` are the wires of the call's arguments, `out` what the function returned.

    Gates that no output, decision or gradient needs are left out.
    """
    return Build(recorder, arguments).program(out)


class Build:
    """One recording on its way to a program: `line_for` has the line, or the number, of every value so far."""

    def __init__(self, recorder: Recorder, arguments: dict[Value, int]) -> None:
        self.recorder, self.arguments = recorder, arguments
        self.builder = Builder()
        self.line_for: dict[Value, Any] = {}
        self.inputs: dict[Any, Line] = {}
        self.scalars: dict[Value, Any] = {}  # gates on single numbers, if there are many; and what they are given
        self.blocks: list[Block] = []  # they go into the last one,
        self.open = False  # as long as nobody else asks for a result of it
        self.stored: dict[Value, Any] = {}  # gradients that the leaves don't have yet
        self.turns = sorted([turn for one_pass in recorder.passes for turn in one_pass])  # forward, backward, forward
        self.steps = [e.at for e in recorder.events if isinstance(e, Effect) and e.optimizer is not None]
        for x, i in arguments.items():
            self.input("argument", i, x._raw, x.label)

    def program(self, out: Any) -> Program:
        gates, scalars = reachable(self.recorder, out)
        self.scalars = scalars if len(scalars) >= LONG else {}
        made = [*gates, *self.recorder.events]
        for each in sorted(made, key=lambda each: each._number if isinstance(each, Value) else each.at):
            if not isinstance(each, Value):
                self.event(each)
            elif each in self.scalars:
                self.scalar(each)
            else:
                self.gate(each)
        self.store_gradients()
        outputs = tree_map(lambda x: self.line(x, float("inf")), out)
        lines = decided_first(self.builder.lines)
        for block in self.blocks:
            block.forget()
        return Program(list(self.inputs.values()), lines, outputs, self.recorder.vectors)

    def event(self, event: Guard | Gradient | Effect) -> None:
        lines = self.builder.lines
        if isinstance(event, Guard):
            lines.append(Line(bool, (self.line(event.wire, event.at),), {}, event.answer, "guard"))
        elif isinstance(event, Gradient):
            self.stored[event.leaf] = None if event.wire is None else self.line(event.wire, event.at)
            for one in self.recorder.vectors.get(event.leaf, ()):
                self.stored.pop(one, None)
        elif event.optimizer is not None or event.gradients:
            self.store_gradients()
            self.builder.may_decide = False
            self.line_for = {x: line for x, line in self.line_for.items() if x.gate is not None or x in self.arguments}
            lines.append(Line(event.optimizer or event.action, (), {}, None, "step" if event.optimizer else "clip"))
        else:
            args = tuple([self.line(x, event.at) for x in event.args])
            lines.append(Line(event.action, args, {}, None, "effect"))

    def store_gradients(self) -> None:
        for leaf, line in self.stored.items():
            self.builder.lines.append(Line(leaf, (line,), {}, None, "grad"))
        self.stored.clear()

    # ------------------------------------------------------------------------------------------------------ values
    def gate(self, node: Value) -> None:
        """The lines of one gate."""
        gate, at, recorder = node.gate, node._number, self.recorder
        assert gate is not None
        if gate is read:
            self.line_for[node] = self.leaf(node._saved[0][0], node._raw, at)
            return
        if gate is drawn:
            self.builder.lines.append(Line(node._saved[1][1], (), {}, node._raw, "draw"))
            self.line_for[node] = self.builder.lines[-1]
            return
        args, params = (tree_map(lambda x: self.line(x, at), tree) for tree in given_to(node))
        self.builder.comment = recorder.lines.get(node, "")
        self.builder.backward = self.is_backward(at)
        self.line_for[node] = line = lower(self.builder, gate, args, params, node._raw)
        if isinstance(line, Line) and line.kind != "input":
            line.name = line.name or name_of(node, recorder)

    def scalar(self, node: Value) -> None:
        """A step of the block that is open."""
        at, (given, params) = node._number, self.scalars[node]
        for x in given:
            if isinstance(x, Value) and not (self.open and x in self.blocks[-1]):
                self.line(x, at)  # which may need a result of the open block: that is closed then
        if not self.open:
            self.blocks.append(Block(len(self.blocks), self.recorder.gradient_of))
            self.open = True
        block = self.blocks[-1]
        refs = [
            ref if isinstance(x, Value) and (ref := block.refs.get(x)) is not None else block.outside(self.line(x, at))
            for x in given
        ]
        block.add(node, tuple(refs), params, self.is_backward(at))

    def is_backward(self, at: float) -> bool:
        return bisect(self.turns, at) % 2 == 1

    def line(self, x: Any, at: float) -> Any:
        """The line that makes a value, or the number that it always is."""
        if not isinstance(x, Value):
            return x
        if x not in self.line_for and x in self.scalars:
            (block,) = [block for block in self.blocks if x in block]
            if self.open and block is self.blocks[-1]:
                block.close()
                self.builder.lines.append(block.line)
                self.open = False
            self.line_for[x] = block.value(x, self.builder.lines)
        if x not in self.line_for:
            if x in self.recorder.places:  # a scalar that was made part of an array
                array, i = self.recorder.places[x]
                line = self.line(array, at)
                self.line_for[x] = self.builder.add(take_at, (line, i), {}, x._raw) if array.shape else line
            else:
                self.line_for[x] = self.leaf(x, x._raw, at)
        return self.line_for[x]

    def leaf(self, x: Value, value: Any, at: float) -> Any:
        """What a leaf is to the program: an argument, something that is read on every call, or the same number."""
        if x in self.arguments:
            return self.inputs["argument", self.arguments[x]]
        if x in self.recorder.grad_inputs:
            return self.input("grad", self.recorder.grad_inputs[x], x._raw, "")
        many = self.recorder.vectors.get(x)
        if many is None and not self.recorder.captured(x):
            return x._raw  # made by the function itself
        if any([step < at for step in self.steps]):
            return self.read_now(x, many, value)
        return self.input("leaf" if many is None else "vector", x, value, x.label)

    def read_now(self, x: Value, many: list[Value] | None, value: Any) -> Line:
        """The numbers of a leaf, or of many, at this point of the program: an optimiser's step has changed them."""

        def read_now() -> Any:
            return x._raw if many is None else np.array([leaf._raw for leaf in many])

        self.builder.lines.append(Line(read_now, (), {}, value, "draw"))
        return self.builder.lines[-1]

    def input(self, kind: str, source: Any, value: Any, name: str) -> Line:
        key = (kind, source)
        if key not in self.inputs:
            self.inputs[key] = Line(None, (key,), {}, value, "input")
            self.inputs[key].name = name
        return self.inputs[key]


def decided_first(lines: list[Line]) -> list[Line]:
    """Effects wait until the last decision has been made: a call that has to be recorded anew has done nothing yet.

    Decisions that come after an optimiser's step depend on nothing that it changes, and are made before it.
    """
    start = min([i for i, line in enumerate(lines) if line.kind in ("grad", "clip", "step")], default=len(lines))
    early: set[Line] = set()
    for line in reversed(lines[start:]):
        if line.kind == "guard" or line in early:
            early.update([line, *line.inputs])
    moved = [line for line in lines[start:] if line in early]
    lines = [*lines[:start], *moved, *[line for line in lines[start:] if line not in early]]
    last = max([i for i, line in enumerate(lines) if line.kind == "guard"], default=-1)
    waiting = [line for line in lines[: last + 1] if line.kind == "effect"]
    return [*[line for line in lines[: last + 1] if line.kind != "effect"], *waiting, *lines[last + 1 :]]


def name_of(node: Value, recorder: Recorder) -> str:
    """What a result is called in the program: by its label or gate; a gradient d_ and the name of its value."""
    of = recorder.gradient_of.get(node)
    x = node if of is None else of
    return "d_" * (of is not None) + (x.label or (x.gate.name if x.gate is not None else "leaf"))


def reachable(recorder: Recorder, out: Any) -> tuple[list[Value], dict[Value, Any]]:
    """The gates behind what the program is to compute, in no order; and what those on scalars alone are given."""
    stack = tree_leaves(out)
    for event in recorder.events:
        stack += tree_leaves(event.args) if isinstance(event, Effect) else [event.wire]
    seen: set[Value] = set()
    scalars: dict[Value, Any] = {}
    places = recorder.places
    while stack:
        node = stack.pop()
        if not isinstance(node, Value):
            continue
        if places:
            node = places.get(node, (node, 0))[0]
        if node in seen or node.gate is None:
            continue
        seen.add(node)
        given, params = given_to(node)
        if node._saved is None:
            scalars[node] = given, params
            stack += given
            continue
        beside = [x for x in tree_leaves(params) if isinstance(x, (Value, np.ndarray))] if params else []
        if is_scalar(node) and all(map(is_scalar, given)) and not beside and node.gate is not read:
            scalars[node] = given, params
            stack += given
        else:
            stack += tree_leaves(given) + beside
    return list(seen), scalars
