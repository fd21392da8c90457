"""What a failed gradient check means: the gate at fault, found by checking each gate alone, and the likely mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..convert import describe, ieee, shape_of
from ..errors import GradientError
from ..gates import REGISTRY
from ..tree import tree_leaves
from ..value import Gate, Value, joint_parts, one_part, tape
from .comparison import compare
from .mistakes import likely_mistake, wrong_shape
from .report import Finding, GradcheckReport

__all__ = ["explain"]

MOST = 200  # gates that are checked alone, the user's before those of the catalogue
SMALL = 300  # numbers, of which the likely mistake is looked for
RECORD = "Write it with gates and operators on its arguments themselves, which record themselves."


def explain(f: Callable[..., Any], points: list[Any], report: GradcheckReport) -> str:
    """The message of a failed check: what disagrees, where it comes from, and what is probably wrong there."""
    mistake = report.mistake
    assert mistake is not None
    said = str(mistake)
    if mistake.kind == "noise":
        return said
    with np.errstate(all="ignore"):
        outs = [out.data for out in tree_leaves(f(*map(Value, points))) if isinstance(out, Value)]
    if not all([np.isfinite(out).all() for out in outs]):
        return f"{said.rstrip('.')}. The function is not finite at this point: check it at another one."
    gates = gates_behind(f, points)
    if mistake.kind == "refused":
        return "\n".join([said, *[cause for gate in gates if (cause := refused(gate))][:1]])
    if mistake.kind == "wrong":
        wrong, what = report.pairs[-1].wrong, "directions" if report.mode == "directions" else "entries"
        said += f" ({np.sum(wrong)} of {np.size(wrong)} {what} disagree)"
    causes = (cause for gate in gates if (cause := alone(gate, mistake.order)))
    return f"{said.rstrip('.')}.\n{next(causes, '') or whole(f, points, mistake, gates)}"


class Suspect(NamedTuple):
    """One gate of the graph with the numbers it had: `call` replays it on its wires that want a gradient."""

    node: Value
    gate: Gate
    call: Callable[..., Any]
    points: list[Any]
    wires: list[int]
    saved: tuple[Any, Any, dict[str, Any]]  # wires, (out, *raw inputs), params

    def __str__(self) -> str:
        label = f" (label {self.node.label!r})" if self.node.label else ""
        return f"gate {self.gate.name!r}{label}"

    def wire(self, k: int) -> str:
        x = self.node.inputs[self.wires[k]]
        return f"wire {self.wires[k]}" + (f" ({describe(x)})" if getattr(x, "label", "") else "")


def gates_behind(f: Callable[..., Any], points: list[Any]) -> list[Suspect]:
    """The gates that `f` records: the user's first, then those of the catalogue, each in the order of creation."""
    leaves = [Value(p if isinstance(p, float) else p.copy()) for p in points]
    with np.errstate(all="ignore"):
        outs = [out for out in tree_leaves(f(*leaves)) if isinstance(out, Value)]
    nodes = {node for out in outs if out.requires_grad for node in tape(out)[0]}
    ordered = sorted(nodes, key=lambda node: (node.gate in REGISTRY.values(), node._number))
    return list(filter(None, map(replay, ordered[:MOST])))


def replay(node: Value) -> Suspect | None:
    """None for float32, and for what picks one of several outputs: they can't be checked alone."""
    gate = node.gate
    assert gate is not None
    saved: Any = node._saved or (node.inputs, (node._raw, *map(raw, node.inputs)), {})
    wires, (_, *args), params = saved
    moving = [i for i, x in enumerate(wires) if isinstance(x, Value) and x.requires_grad]
    points = [args[i] for i in moving]

    def call(*xs: Any) -> Any:
        inputs = replaced(args, moving, xs)
        return gate(inputs, **params) if gate.arity is None else gate(*inputs, **params)

    return Suspect(node, gate, call, points, moving, saved) if all(map(is_float64, points)) else None


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def is_float64(x: Any) -> bool:
    return isinstance(x, float) or getattr(x, "dtype", None) == np.float64


def replaced(args: Any, places: list[int], xs: Any) -> list[Any]:
    new = dict(zip(places, xs, strict=True))
    return [new.get(i, x) for i, x in enumerate(args)]


def small(numbers: list[Any]) -> bool:
    return sum([np.size(x) for x in numbers]) <= SMALL


# ---------------------------------------------------------------------------------------------------- the gate at fault
def alone(gate: Suspect, order: int) -> str | None:
    """What is wrong with one gate, checked with the numbers it had; None if nothing is."""
    found = compare(gate.call, gate.points, order).mistake
    if found is None or found.kind == "noise":
        return None
    if found.kind == "refused":
        return f"The {gate}, checked alone, is wrong: {found.cause}"
    k = found.argument
    where = f"The {gate}, checked alone, is wrong on {gate.wire(k)}"
    if found.kind == "forward" or found.order == 2:
        which = "in forward mode" if found.kind == "forward" else "in second order"
        return f"{where}, {which} only. {unrecorded(gate, gate.wires[k])}"
    words = "Check it on small arrays to learn the likely mistake."
    if small([*gate.points, *tree_leaves(gate.node._raw)]):
        words = likely_mistake(gate.call, gate.points, k, gate.gate, gate.wires)
    upstream = "random upstream gradients" if found.weighted else "an upstream gradient of 1"
    return f"{where}: for {upstream} it sends {found.analytic:.6g}, differences say {found.numeric:.6g}. {words}"


def refused(gate: Suspect) -> str | None:
    """For a gate with one output, whose rule gives a wrong shape."""
    g = np.ones(gate.node.shape) if gate.node.shape else 1.0
    wires, args, params = gate.saved
    try:
        parts = joint_parts(gate.gate, g, wires, args, params) if gate.gate.arity is None else None
        shapes = [shape_of(parts[i] if parts else one_part(gate.gate, i, g, args, params)) for i in gate.wires]
    except (GradientError, ValueError, TypeError, IndexError):
        return None
    for k, have in enumerate(shapes):
        want, *others = [shape_of(x) for x in [gate.points[k], *gate.points[:k], *gate.points[k + 1 :]]]
        if words := wrong_shape(have, want, others):
            return f"The {gate}, {gate.wire(k)}: its derivative has the shape {have}, its input {want}. {words}"
    return None


def unrecorded(gate: Suspect, i: int) -> str:
    """Why the derivative of the rule of wire i is wrong: mostly, which number the rule takes out of the graph.

    A rule is a function like any other, of the upstream gradient, the output and the inputs: its gradient is checked.
    """
    rule, (_, args, params) = gate.gate.rule(i), gate.saved
    statement, names, inputs = "local", ["out", *[f"input {j}" for j in range(len(args) - 1)]], list(args)
    if gate.gate.local is None:
        g = np.ones(gate.node.shape) if gate.node.shape else 1.0
        statement, names, inputs = "vjp", ["g", *names], [g, *inputs]
    moving = [j for j, x in enumerate(inputs) if is_float64(x)]
    points = [inputs[j] for j in moving]

    def sent(*xs: Any) -> Any:
        parts = ieee(rule, tuple(replaced(inputs, moving, xs)), params)
        return parts if gate.gate.arity is not None else parts[i]

    try:
        if gate.gate.local is None and np.array_equal(raw(sent(*points)), raw(sent(*[2.0 * points[0], *points[1:]]))):
            return "Likely mistake: the upstream gradient is ignored: multiply by g."
        plain, recorded = sent(*points), sent(*map(Value, points))
        if not np.isfinite(raw(plain)).all():
            return f"Its {statement} is not finite at this point, and so has no slope to check: take another point."
        for inner in gates_behind(sent, points):
            if cause := alone(inner, 1):
                return f"Its {statement} uses a gate that is wrong itself. {cause}"
        if isinstance(recorded, Value) and not np.allclose(raw(recorded), raw(plain), rtol=1e-9, equal_nan=True):
            return f"Its {statement} gives other numbers on Values than on raw numbers, so the recorded rule is wrong."
        found = compare(sent, points, 1, mode="full").mistake
    except (GradientError, TypeError, ValueError, AttributeError):
        raw_numbers = ".data, float(), math or plain NumPy arrays"
        return f"Likely mistake: its {statement} computes with raw numbers ({raw_numbers}). {RECORD}"
    lost = f"loses how it depends on {names[moving[found.argument]]}" if found else "can't be recorded"
    return (
        f"Likely mistake: its {statement} {lost}: it computes with raw numbers there (.data, float(), .detach(), a "
        f"stored array), which are constants for the second derivative. {RECORD}"
    )


# ------------------------------------------------------------------------------------------------- the function itself
def whole(f: Callable[..., Any], points: list[Any], mistake: Finding, gates: list[Suspect]) -> str:
    """No gate is wrong by itself, so the function leaves the graph somewhere, or the point is special."""
    words = ""
    if mistake.kind == "wrong" and mistake.order == 1 and small(points):
        words = likely_mistake(f, points, mistake.argument, None, list(range(len(points))))
    if words.startswith("Near this point"):
        return words
    names = list(dict.fromkeys([gate.gate.name for gate in gates]))
    right = f"The gates that it records are right by themselves ({', '.join(names[:8])}{', …' if names[8:] else ''})."
    leaves = (
        "So the function leaves the graph: what it takes from a Value as .data, float(x), .detach(), under no_grad(), "
        "or with math.*, counts as a constant, and that contribution is missing."
    )
    return " ".join(filter(None, [words, right if names else "", leaves]))
