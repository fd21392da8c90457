"""A graph as plain records: its values and its wires, in an order that is the same on every run.

Every picture is made from a `Circuit`; nothing here knows how it will be drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..convert import ieee
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
            nodes.append(Node(target, label, value.data, value.grad, name, symbol, not value.requires_grad))
            for i, (x, source, local) in enumerate(zip(inputs, sources, value.local_gradients(), strict=True)):
                sent = None
                if local is not None and value.grad is not None:
                    sent = contribution(value.grad, local, x.shape)
                    if type(sent) is float and math.isnan(sent) and local == 0.0 and is_closed(value, i):
                        sent = 0.0
                wires.append(Wire(f"e{len(wires)}", str(source), target, local, sent))
        if max_nodes is not None and len(ids) + constants > max_nodes:
            raise ShapeError(
                f"draw: the graph has more than max_nodes={max_nodes} values and constants. "
                "Draw a value nearer to its inputs, compute with arrays instead of single numbers, or raise max_nodes."
            )
    return Circuit(tuple(nodes), tuple(wires))


def is_closed(value: Value, i: int) -> bool:
    """Whether a slope of 0 on wire `i` of a scalar gate is a closed wire, as relu's below 0, and not a factor of 0.

    A closed wire sends 0 even when upstream is infinite.
    """
    if value.gate is None or not isinstance(value.gate.local, tuple):
        return False
    numbers = [x.data if isinstance(x, Value) else x for x in value.inputs]
    return isinstance(ieee(value.gate.local[i], (value.data, *numbers)), (bool, np.bool_))


def contribution(upstream: Any, local: Any, shape: tuple[int, ...]) -> Any:
    """Upstream times local, or upstream where a bool local selects; summed over axes that were broadcast."""
    with np.errstate(all="ignore"):
        selects = isinstance(local, bool) or getattr(local, "dtype", None) == np.bool_
        sent = np.where(local, upstream, 0.0) if selects else upstream * local
    extra = np.ndim(sent) - len(shape)
    stretched = [i + extra for i, n in enumerate(shape) if n == 1 != np.shape(sent)[i + extra]]
    sent = np.sum(sent, axis=(*range(extra), *stretched)) if extra or stretched else sent
    return np.reshape(sent, shape) if shape else float(sent)
