"""What a failed gradient check means: the gate at fault, found by checking each gate alone, and the likely mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..convert import describe, shape_of
from ..errors import GradientError
from ..gates import REGISTRY
from ..tree import tree_leaves
from ..value import Value, chain_rule, joint_parts, one_part, tape
from .comparison import Mistake, Pair, compare
from .differences import Tolerance
from .hypotheses import all_right, likely_mistake, take_samples, wrong_shape

__all__ = ["explain"]

MOST = 200  # gates that are checked alone, the user's before those of the catalogue


class Suspect(NamedTuple):
    """One gate of the graph with the numbers it had: `call` replays it on its wires that want a gradient."""

    node: Value
    call: Callable[..., Any]
    points: list[Any]
    wires: list[int]

    def __str__(self) -> str:
        label = f" (label {self.node.label!r})" if self.node.label else ""
        return f"gate {self.node.gate.name!r}{label}"  # type: ignore[union-attr]

    def wire(self, k: int) -> str:
        x = self.node.inputs[self.wires[k]]
        return f"wire {self.wires[k]}" + (f" ({describe(x)})" if getattr(x, "label", "") else "")


def explain(f: Callable[..., Any], points: list[Any], mistake: Mistake, pairs: list[Pair], mode: str) -> str:
    """The message of a failed check: what disagrees, where it comes from, and what is probably wrong there."""
    said = headline(mistake, pairs, mode == "directions")
    if mistake.kind == "noise":
        return said
    suspects = gates_behind(f, points)
    if mistake.kind == "refused":
        causes = [words for suspect in suspects if (words := refused(suspect))]
        return "\n".join([said, *causes[:1]])
    for suspect in suspects:
        found = alone(suspect, mistake)
        if found is not None:
            return f"{said}\n{found}"
    return f"{said}\n{whole(f, points, mistake, suspects)}"


def headline(mistake: Mistake, pairs: list[Pair], directions: bool) -> str:
    index = f"[{', '.join(map(str, mistake.index))}]" if mistake.index else ""
    at = f"gradcheck, order {mistake.order}: argument {mistake.argument}{index}"
    says = f"{at}: the gradient says {mistake.analytic:.8g}, differences say "
    pass_ = "the backward pass" if mistake.order == 1 else "the second backward pass"
    if mistake.kind == "refused":
        return f"gradcheck, order {mistake.order}: {pass_} failed: {mistake.cause}"
    if mistake.kind == "forward":
        if mistake.cause is not None:
            return f"{at}: backward is right, but the forward mode (jvp) failed: {mistake.cause}"
        return (
            f"{at}: along a random direction the forward mode (jvp) says {mistake.numeric:.8g}, backward and "
            f"differences say {mistake.analytic:.8g}."
        )
    if mistake.kind == "noise":
        return (
            f"{says}{mistake.numeric:.8g}, but differences are unreliable here: rounding in the function, or the edge "
            "of its domain, leaves them too few digits to tell right from wrong. Check at another point."
        )
    wrong = pairs[-1].wrong
    count = f"({np.sum(wrong)} of {np.size(wrong)} {'directions' if directions else 'entries'} disagree)"
    if np.isnan(mistake.left) and np.isnan(mistake.right):
        return f"{says}{mistake.numeric:.8g} {count}."
    sides = [
        f"{slope:.8g} on the {side}"
        if np.isfinite(slope)
        else f"no bound on the {side}, where the slope grows and grows"
        for side, slope in (("left", mistake.left), ("right", mistake.right))
        if not np.isnan(slope)
    ]
    edge = "" if len(sides) == 2 else ", at the edge of the domain"
    return f"{says}{' and '.join(sides)}{edge}; the gradient has to lie between the one-sided slopes {count}."


# ---------------------------------------------------------------------------------------------------- the gate at fault
def gates_behind(f: Callable[..., Any], points: list[Any]) -> list[Suspect]:
    """The gates that `f` records: the user's first, then those of the catalogue, each in the order of creation."""
    leaves = [Value(p if isinstance(p, float) else p.copy()) for p in points]
    with np.errstate(all="ignore"):
        outs = [out for out in tree_leaves(f(*leaves)) if isinstance(out, Value)]
    nodes = {node for out in outs if out.requires_grad for node in tape(out)[0]}
    ordered = sorted(nodes, key=lambda node: (node.gate in REGISTRY.values(), node._number))
    return [suspect for node in ordered[:MOST] for suspect in replay(node)]


def replay(node: Value) -> Iterator[Suspect]:
    gate = node.gate
    assert gate is not None
    wires, (_, *args), params = node._saved or (node.inputs, (None, *map(raw, node.inputs)), {})
    moving = [i for i, x in enumerate(wires) if isinstance(x, Value) and x.requires_grad]
    points = [args[i] for i in moving]
    if not all([isinstance(x, float) or getattr(x, "dtype", None) == np.float64 for x in points]):
        return  # float32, or what picks one of several outputs: not to be checked alone

    def call(*xs: Any) -> Any:
        inputs = list(args)
        for i, x in zip(moving, xs, strict=True):
            inputs[i] = x
        return gate(inputs, **params) if gate.arity is None else gate(*inputs, **params)

    yield Suspect(node, call, points, moving)


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def alone(suspect: Suspect, mistake: Mistake) -> str | None:
    """What is wrong with one gate, checked with the numbers it had; None if nothing is."""
    mode = "full" if small(suspect.points, 1000) else "directions"
    random = np.random.default_rng(0)
    found = compare(suspect.call, suspect.points, mistake.order, 1e-5, Tolerance(1e-5, None), mode, random)[2]
    if found is None or found.kind == "noise":
        return None
    where = f"{suspect}, checked alone, is wrong"
    if found.kind == "refused":
        return f"The {where}: {found.cause}"
    where = f"The {where} on {suspect.wire(found.argument)}"
    gate = suspect.node.gate
    assert gate is not None
    if found.kind == "forward" or found.order == 2:
        order = "in forward mode" if found.kind == "forward" else "in second order"
        return f"{where}, {order} only. Likely mistake: {unrecorded(suspect, found.argument)}"
    words = "Check it on small arrays to learn the likely mistake."
    if small([*suspect.points, *tree_leaves(suspect.node._raw)], 300):
        words = likely_mistake(take_samples(suspect.call, suspect.points), found.argument, gate, suspect.wires)
    upstream = "an upstream gradient of 1" if isinstance(suspect.node._raw, float) else "random upstream gradients"
    said = f"for {upstream} it sends {found.analytic:.6g}, differences say {found.numeric:.6g}"
    return f"{where}: {said}. {words}"


def small(numbers: list[Any], most: int) -> bool:
    return sum([np.size(x) for x in numbers]) <= most


def refused(suspect: Suspect) -> str | None:
    """For a gate whose rule fails or gives a wrong shape."""
    node, gate = suspect.node, suspect.node.gate
    assert gate is not None
    if node._saved is None or isinstance(node._raw, tuple):
        return None
    g = np.ones(node.shape) if node.shape else 1.0
    try:
        chain_rule(node, g)
    except GradientError:
        pass
    else:
        return None
    wires, args, params = node._saved
    try:
        parts = joint_parts(gate, g, wires, args, params) if gate.arity is None else None
        stated = [shape_of(parts[i] if parts else one_part(gate, i, g, args, params)) for i in suspect.wires]
    except (GradientError, ValueError, TypeError):
        return None
    for k, have in enumerate(stated):
        want = shape_of(suspect.points[k])
        others = [shape_of(x) for j, x in enumerate(suspect.points) if j != k]
        if words := wrong_shape(have, want, others):
            return f"The {suspect}, {suspect.wire(k)}: its derivative has the shape {have}, its input {want}. {words}"
    return None


def unrecorded(suspect: Suspect, k: int) -> str:
    """Which number a rule takes out of the graph, so that the derivative of the derivative is lost."""
    gate, i = suspect.node.gate, suspect.wires[k]
    assert gate is not None
    remedy = "Write it with gates and operators on its arguments themselves, which record themselves."
    if isinstance(suspect.node._raw, tuple):
        return f"its vjp computes with raw numbers (.data, float(), math or plain NumPy arrays). {remedy}"
    _, args, params = suspect.node._saved or ((), (suspect.node._raw, *map(raw, suspect.node.inputs)), {})
    g = () if gate.local is not None else (np.ones(suspect.node.shape) if suspect.node.shape else 1.0,)
    names = [*["g"][: len(g)], "out", *[f"input {j}" for j in range(len(args) - 1)]]
    inputs = [*g, *args]
    moving = [j for j, x in enumerate(inputs) if isinstance(x, float) or getattr(x, "dtype", None) == np.float64]

    def rule(*xs: Any) -> Any:
        given = list(inputs)
        for j, x in zip(moving, xs, strict=True):
            given[j] = x
        sent = gate.rule(i)(*given, **params)
        return sent if gate.arity is not None else sent[i]

    statement = "local" if gate.local is not None else "vjp"
    try:
        points = [inputs[j] for j in moving]
        plain, recorded = rule(*points), rule(*map(Value, points))
        if isinstance(recorded, Value) and not np.allclose(raw(recorded), raw(plain), rtol=1e-9, equal_nan=True):
            return f"its {statement} gives other numbers on Values than on raw numbers, so the recorded rule is wrong."
        found = compare(rule, points, 1, 1e-5, Tolerance(1e-5, None), "full", np.random.default_rng(0))[2]
    except (GradientError, TypeError, ValueError, AttributeError):
        return f"its {statement} computes with raw numbers (.data, float(), math or plain NumPy arrays). {remedy}"
    lost = f"loses how it depends on {names[moving[found.argument]]}" if found else "can't be recorded"
    return (
        f"its {statement} {lost}: it computes with raw numbers there (.data, float(), .detach(), a stored array), "
        f"which are constants for the second derivative. {remedy}"
    )


# ------------------------------------------------------------------------------------------------- the function itself
def whole(f: Callable[..., Any], points: list[Any], mistake: Mistake, suspects: list[Suspect]) -> str:
    """No gate is wrong by itself, so the function leaves the graph somewhere."""
    names = list(dict.fromkeys([suspect.node.gate.name for suspect in suspects]))  # type: ignore[union-attr]
    right = f"The gates that it records are right by themselves ({', '.join(names[:8])}{', …' if names[8:] else ''}). "
    words = ""
    if mistake.kind == "wrong" and mistake.order == 1 and small(points, 300):
        samples = take_samples(f, points)
        if all_right(samples, mistake.argument):
            return (
                "Near this point the gradient is right. The point is special (a tie, a pole, the edge of a domain): "
                "what the gates take for their slopes there doesn't make up a slope of the function."
            )
        words = likely_mistake(samples, mistake.argument, None, list(range(len(points))))
    return (
        f"{words + ' ' if words else ''}{right if names else ''}So the function leaves the graph: what it takes from a "
        "Value as .data, float(x), .detach(), under no_grad(), or with math.*, counts as a constant, and that "
        "contribution is missing."
    )
