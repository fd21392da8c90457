"""A graph as plain records: its values and its wires, in an order that is the same on every run.

Every picture is made from a `Circuit`; nothing here knows how it will be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ShapeError
from ..value import Value

__all__ = ["Circuit", "Node", "Wire", "trace"]


@dataclass(frozen=True)
class Node:
    """A value and, unless it is a leaf, the gate that made it."""

    id: str  # v0, v1, ... : inputs before the values that need them
    label: str
    data: Any
    grad: Any  # None: no backward pass has reached it
    gate: str | None  # the gate's name; None for a leaf
    symbol: str | None  # what is drawn in the gate
    constant: bool  # no gradient flows here


@dataclass(frozen=True)
class Wire:
    """One input of one gate: a value that is used twice has two wires."""

    id: str  # e0, e1, ... : gate by gate, in the order of the gate's inputs
    source: str  # the value it comes from
    target: str  # the value that its gate computes
    local: Any  # d target / d source; None for constants and for gates that mix elements
    contribution: Any  # upstream times local, in the source's shape; None without a local or an upstream gradient


@dataclass(frozen=True)
class Circuit:
    """The values behind a root, the root last, and the wires between them."""

    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]


def trace(root: Value, max_nodes: int | None = None) -> Circuit:
    """Everything behind `root`, inputs first; each raw constant is a node of its own.

    The walk keeps its own stack, visits a value once however many paths lead to it, and stops with a `ShapeError` as
    soon as it has found more than `max_nodes` values and constants.

    >>> x = Value(3.0, label="x")
    >>> circuit = trace(x * x)
    >>> [(node.id, node.label, node.symbol) for node in circuit.nodes]
    [('v0', 'x', None), ('v1', '', '*')]
    >>> [(wire.source, wire.target, wire.local) for wire in circuit.wires]
    [('v0', 'v1', 3.0), ('v0', 'v1', 3.0)]
    """
    nodes: list[Node] = []
    wires: list[Wire] = []
    ids: dict[Value, str | None] = {root: None}  # None: found, and waiting for its inputs
    constants = 0
    stack = [root]
    while stack:
        value = stack[-1]
        if ids[value] is not None:
            stack.pop()
            continue
        inputs = value.inputs
        waiting = [x for x in inputs if isinstance(x, Value) and ids.get(x) is None]
        if waiting:
            ids.update(dict.fromkeys(waiting))
            stack += reversed(waiting)
        else:
            stack.pop()
            sources = []
            for x in inputs:
                sources.append(ids[x] if isinstance(x, Value) else f"v{len(nodes)}")
                if not isinstance(x, Value):
                    nodes.append(Node(f"v{len(nodes)}", "", x, None, None, None, constant=True))
                    constants += 1
            ids[value] = target = f"v{len(nodes)}"
            name, symbol = (value.gate.name, value.gate.symbol) if value.gate is not None else (None, None)
            label = str(value.label or "")
            grad = None if isinstance(value.data, tuple) else value.grad  # which the outputs show, one by one
            nodes.append(Node(target, label, value.data, grad, name, symbol, not value.requires_grad))
            slopes, sent = value.local_gradients(), value.contributions()
            for source, local, d in zip(sources, slopes, sent, strict=True):
                wires.append(Wire(f"e{len(wires)}", str(source), target, local, None if local is None else d))
        if max_nodes is not None and len(ids) + constants > max_nodes:
            raise ShapeError(
                f"draw: the graph has more than max_nodes={max_nodes} values and constants. "
                "Draw a value nearer to its inputs, compute with arrays instead of single numbers, or raise max_nodes."
            )
    return Circuit(tuple(nodes), tuple(wires))
