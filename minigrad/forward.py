"""Forward mode: tangents pushed from the inputs to the outputs, through the same derivative statements.

An elementwise gate sends on the sum of tangent times local.  Any other gate states how it *pulls* a gradient, a linear
map; pulling through that pull turns the map around, and so pushes a tangent.  Nothing about derivatives is said twice.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .convert import ieee, shape_of
from .rows import in_front, pull_rows
from .value import Gate, Value, as_recorded, astype, broadcast_to, pull, recording, tape, times, unbroadcast, zeros

__all__ = ["push"]


def push(outs: list[Value], tangents: dict[Value, Any], record: bool, rows: tuple[int, ...] = ()) -> list[Any]:
    """The tangent of each of `outs`, for the tangents of some values behind them; None where no path leads there.

    With `record`, the tangents are `Value`s, and so are the results.  With `rows=(k,)`, every tangent has a first axis
    of length k: so many passes in one.
    """
    nodes = {node for out in outs for node in tape(out)[0]} - set(tangents)
    tangents = dict(tangents)
    watched = type(mode := recording.get()) is not bool and not mode.calls
    for node in sorted(nodes, key=operator.attrgetter("_number")):
        assert node.gate is not None
        wires, args, params = node._saved or (node.inputs, None, {})
        moving = [i for i, x in enumerate(wires) if isinstance(x, Value) and x in tangents]
        if not moving:
            continue
        if record:
            args = tuple(as_recorded(node, wires, args))
        total: Any = None
        for i in moving:
            t = tangents[wires[i]]
            if rows and node.gate.elementwise:
                t = in_front(t, len(node.shape))
            if args is None:  # a scalar gate keeps its locals
                d = times(t, node._kept()[1][i])
            elif isinstance(t, tuple):  # of a gate with several outputs, into `pick`
                d = t[args[-1]]
            elif node.gate.elementwise:
                d = push_elementwise(node.gate, i, t, args, params)
            else:
                d = push_through_pull(node, i, t, args, params, rows)
            total = d if total is None else plus(total, d)
        tangents[node] = shaped(total, node._raw, rows)
        if watched:
            mode.moved(node, tangents)
    return [tangents.get(out) for out in outs]


def plus(a: Any, b: Any) -> Any:
    return tuple(map(plus, a, b)) if isinstance(a, tuple) else a + b


def push_elementwise(gate: Gate, i: int, t: Any, args: Any, params: dict[str, Any]) -> Any:
    rule = gate.rule(i)
    if gate.local is None:  # its vjp at the tangent: the Jacobian is diagonal
        sent = ieee(rule, (t, *args), params)
        return sent if gate.arity is not None else sent[i]
    local = ieee(rule, args, params)
    return times(t, local if gate.arity is not None else local[i])


def push_through_pull(node: Value, i: int, t: Any, args: Any, params: dict[str, Any], rows: tuple[int, ...]) -> Any:
    """The pull of wire `i` as a function of an upstream u, pulled back from the tangent to u."""
    gate, several = node.gate, isinstance(node._raw, tuple)
    assert gate is not None
    us = [Value(zeros(raw)) for raw in (node._raw if several else (node._raw,))]
    sent = ieee(gate.rule(i), (tuple(us) if several else us[0], *args), params)
    sent = sent if gate.arity is not None else sent[i]
    x = node.inputs[i]
    sent = unbroadcast(sent, x, gate) if isinstance(sent, Value) else sent
    moved: dict[Value, Any] = {}  # stays empty where no gradient flows on this wire
    if isinstance(sent, Value) and sent.requires_grad:
        moved = pull_rows(sent, t) if rows else pull(sent, t)
    tangents = [0.0 if (d := moved.get(u)) is None else d for u in us]
    return tuple(tangents) if several else tangents[0]


def shaped(t: Any, raw: Any, rows: tuple[int, ...]) -> Any:
    """A tangent in the shape and dtype of the data that it belongs to, behind the rows."""
    if isinstance(raw, tuple):
        return tuple([shaped(part, out, rows) for part, out in zip(t, raw, strict=True)])
    if shape_of(t) != (*rows, *shape_of(raw)):
        t = broadcast_to(t, (*rows, *shape_of(raw)))
    dtype = getattr(raw, "dtype", np.float64)
    if isinstance(t, Value):
        return t if t.dtype == dtype else astype(t, dtype)
    return float(t) if type(raw) is float and not rows else np.asarray(t, dtype)
