"""Forward mode: tangents pushed from the inputs to the outputs, through the same derivative statements.

An elementwise gate sends on the sum of tangent times local.  Any other gate states how it *pulls* a gradient, a linear
map; pulling through that pull turns the map around, and so pushes a tangent.  Nothing about derivatives is said twice.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .convert import ieee, shape_of
from .value import Gate, Value, as_recorded, astype, broadcast_to, pull, tape, times, unbroadcast, zeros

__all__ = ["push"]


def push(outs: list[Value], tangents: dict[Value, Any], record: bool) -> list[Any]:
    """The tangent of each of `outs`, for the tangents of some values behind them; None where no path leads there.

    With `record`, the tangents are `Value`s, and so are the results.
    """
    nodes = {node for out in outs for node in tape(out)[0]} - set(tangents)
    tangents = dict(tangents)
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
            if args is None:  # a scalar gate keeps its locals
                d = times(t, node._kept()[1][i])
            elif node.gate.elementwise:
                d = push_elementwise(node.gate, i, t, args, params)
            else:
                d = push_through_pull(node, i, t, args, params)
            total = d if total is None else total + d
        tangents[node] = shaped(total, node)
    return [tangents.get(out) for out in outs]


def push_elementwise(gate: Gate, i: int, t: Any, args: Any, params: dict[str, Any]) -> Any:
    rule = gate.rule(i)
    if gate.local is None:  # its vjp at the tangent: the Jacobian is diagonal
        sent = ieee(rule, (t, *args), params)
        return sent if gate.arity is not None else sent[i]
    local = ieee(rule, args, params)
    return times(t, local if gate.arity is not None else local[i])


def push_through_pull(node: Value, i: int, t: Any, args: Any, params: dict[str, Any]) -> Any:
    """The pull of wire `i` as a function of an upstream u, pulled back from the tangent to u."""
    gate = node.gate
    assert gate is not None
    u = Value(zeros(node._raw))
    sent = ieee(gate.rule(i), (u, *args), params)
    sent = sent if gate.arity is not None else sent[i]
    x = node.inputs[i]
    sent = unbroadcast(sent, x, gate) if isinstance(sent, Value) else sent
    if not isinstance(sent, Value) or not sent.requires_grad:  # no gradient flows on this wire
        return 0.0
    return pull(sent, t).get(u, 0.0)


def shaped(t: Any, node: Value) -> Any:
    """A tangent in the shape and dtype of its value."""
    if shape_of(t) != node.shape:
        t = broadcast_to(t, node.shape)
    if isinstance(t, Value):
        return t if t.dtype == node.dtype else astype(t, node.dtype)
    return float(t) if type(node._raw) is float else np.asarray(t, node.dtype)
