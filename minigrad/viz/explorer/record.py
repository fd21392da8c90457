"""Gate rows as JavaScript: the derivative statements of a gate run once on recorded wires, and each gate they go
through becomes a call of its forward function, `F.multiply(g, x[1])`.  No derivative is written in JavaScript.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compile.recording import Recorder
from ...compile.wires import Guard
from ...convert import tidy
from ...errors import CompileError
from ...tree import tree_leaves
from ...value import Value, recording
from .emit import Constants, NoScript, function_of, script_name
from .graph import operands_of

__all__ = ["Rules", "recorded"]


def recorded(f: Callable[[], Any]) -> tuple[Any, str]:
    """What f computes, with the comparisons on the way: recorded, so that masks can be computed anew; and a note where
    it decided by numbers.

    Raises `CompileError` where numbers are taken out of the graph, with `float()` or `.data`.
    """
    recorder = Recorder()
    token = recording.set(recorder)
    try:
        out = f()
    except CompileError as error:
        text = str(error).replace("mg.compile", "viz.explore").replace("the compiled function", "the function")
        raise CompileError(f"explore: {text}") from error
    finally:
        recording.reset(token)
    decided = any([isinstance(event, Guard) for event in recorder.events])
    return out, "An `if` decided by numbers: the page keeps to the branch of this run." if decided else ""


class Rules:
    """The rules of a graph's gates as JavaScript text; gates of the same kind and shapes share one.

    >>> rules = Rules(Constants())
    >>> rules.of(Value(3.0) * 4.0), rules.of(Value(1.0) * Value(2.0))
    (0, 0)
    >>> print(rules.texts[0])
    {forward: (x) => F.multiply(x[0], x[1]), local: [(o, x) => x[1], (o, x) => x[0]]}
    """

    def __init__(self, constants: Constants) -> None:
        self.constants = constants
        self.texts: list[str] = []
        self.numbers: dict[Any, int] = {}
        self.no_forward: set[int] = set()  # rules that the page can't compute, or not backward
        self.no_backward: set[int] = set()

    def of(self, node: Value) -> int:
        """The number of the rule of the gate that made `node`."""
        operands = [kind(raw) if known else identity(raw) for _, raw, known in operands_of(node)]
        key = (node.gate, kind(node._raw), *operands, identity(list(params_of(node).items())))
        if key not in self.numbers:
            self.numbers[key] = len(self.texts)
            self.texts.append(self.write(node))
        return self.numbers[key]

    def write(self, node: Value) -> str:
        gate = node.gate
        assert gate is not None
        number, parts = len(self.texts), []
        try:
            parts.append(f"forward: {self.forward(node)}")
        except NoScript:
            self.no_forward.add(number)
        try:
            parts.append(self.derivative(node))
        except NoScript:
            self.no_backward.add(number)
        return "{" + ", ".join(parts) + "}"

    def forward(self, node: Value) -> str:
        """The gate's own function in JavaScript, or that of a gate which is made of others on NumPy's side."""
        stand_ins = StandIns(node)
        if script_name(node.gate):  # type: ignore[arg-type]
            return function_of("x", stand_ins.names, stand_ins.call(node), self.constants)
        out = stand_ins.run(lambda: node.gate.forward(*stand_ins.args, **params_of(node)))  # type: ignore[union-attr]
        if not isinstance(out, Value) or not same_number(out._raw, node._raw):
            raise NoScript
        return function_of("x", stand_ins.names, out, self.constants)

    def derivative(self, node: Value) -> str:
        """`local: [...]` with a function per wire (null: no gradient), or `send: [...]`; or one function for all."""
        gate = node.gate
        assert gate is not None
        if not gate.differentiable:
            return "send: []"
        by_local = gate.local is not None
        rules, key = (gate.local, "local") if by_local else (gate.vjp, "send")
        head = "o, x" if by_local else "g, o, x"
        written = []
        inputs = [known for _, _, known in operands_of(node)]
        for i, rule in enumerate(rules if gate.arity is not None else [rules]):
            if gate.arity is not None and not inputs[i]:
                continue
            if rule is None:
                written.append("null")
                continue
            s = StandIns(node)
            args = (s.out, *s.args) if by_local else (s.g, s.out, *s.args)
            result = s.run(lambda rule=rule, args=args: rule(*args, **params_of(node)))
            if gate.arity is None:
                result = [d for d, known in zip(result, inputs, strict=False) if known]
            written.append(function_of(head, s.names, result, self.constants))
        text = f"{key}: {written[0]}" if gate.arity is None else f"{key}: [{', '.join(written)}]"
        return f"{text}, elementwise: true" if gate.elementwise and not by_local else text


class StandIns:
    """Recorded wires in the place of a gate's upstream gradient `g`, its output `o`, and its inputs `x[0]`, `x[1]`."""

    def __init__(self, node: Value) -> None:
        self.recorder = Recorder().without_gradients()
        self.names: dict[Value, str] = {}
        self.out = self.stand_in(node._raw, "o")
        self.g = self.stand_in(ones(node._raw), "g")
        self.args: list[Any] = []
        place = 0
        for _, raw, known in operands_of(node):
            self.args.append(self.stand_in(raw, f"x[{place}]") if known else raw)
            place += known

    def stand_in(self, raw: Any, name: str) -> Any:
        if isinstance(raw, tuple):
            parts = [self.stand_in(part, f"{name}[{i}]") for i, part in enumerate(raw)]
            return type(raw)(*parts) if hasattr(raw, "_fields") else tuple(parts)
        wire = self.recorder.wire(raw)
        self.names[wire] = name
        return wire

    def run(self, rule: Any) -> Any:
        """The rule on the stand-ins; `NoScript` if it can't be recorded, or decides by numbers of this one run."""
        token = recording.set(self.recorder)
        try:
            with np.errstate(all="ignore"):
                out = rule()
        except Exception as error:  # the user's own rule: it may raise anything
            raise NoScript from error
        finally:
            recording.reset(token)
        if self.recorder.events:
            raise NoScript
        return out

    def call(self, node: Value) -> Value:
        """The gate itself, on the stand-ins."""
        wire = self.recorder.wire(node._raw)
        wire.gate, wire._saved = node.gate, ((), (node._raw, *self.args), params_of(node))
        return wire


def params_of(node: Value) -> dict[str, Any]:
    return dict(node._saved[2]) if node._saved is not None else {}


def ones(raw: Any) -> Any:
    if isinstance(raw, tuple):
        return tuple([ones(part) for part in raw])
    return 1.0 if isinstance(raw, float) else np.ones_like(raw)


def same_number(a: Any, b: Any) -> bool:
    """Whether a forward rule gave the same on recorded wires as it did on numbers."""
    pairs = list(zip(tree_leaves(a), tree_leaves(b), strict=False))
    return all([np.shape(x) == np.shape(y) and np.allclose(tidy(x), tidy(y), 1e-6, equal_nan=True) for x, y in pairs])


def kind(x: Any) -> Any:
    """What of an input a rule depends on: the shape and dtype."""
    return tuple(map(kind, x)) if isinstance(x, tuple) else (np.shape(x), str(getattr(x, "dtype", "float")))


def identity(x: Any) -> Any:
    """All of what belongs to a gate: an axis, a text, an index."""
    if isinstance(x, (tuple, list)):
        return tuple(map(identity, x))
    if isinstance(x, slice):
        return "slice", *map(identity, (x.start, x.stop, x.step))
    return (x.shape, str(x.dtype), x.tobytes()) if isinstance(x, np.ndarray) else repr(x)
