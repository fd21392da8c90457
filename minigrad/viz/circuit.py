"""A graph as plain records: its values and its wires, in an order that is the same on every run.

Every picture is made from a `Circuit`; nothing here knows how it will be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..value import Value, changed_since, sent
from .modules import Modules
from .names import parameters, settings, spelled

__all__ = ["Circuit", "Node", "Wire", "trace"]

COUNTED = 100_000  # of a larger graph it is only said that it is larger


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
    module: str | None = None  # the path of the module that it belongs to: "layers.0"; "" is the model itself
    cut: bool = False  # the graph goes on behind it, but is not in this circuit
    marks: tuple[str, ...] = ()  # what to know before believing the gradient: see `marks_of`
    inside: tuple[str, ...] = ()  # of a gate that stands for a whole module, or for a row of equal parts: what is in it
    box: str | None = None  # of a further output of such a module: the value whose gate made it, too
    given: str = ""  # what the gate was called with beside its wires: "axis=0"


@dataclass(frozen=True)
class Wire:
    """One input of one gate: a value that is used twice has two wires."""

    id: str  # e0, e1, ... : gate by gate, in the order of the gate's inputs
    source: str  # the value it comes from
    target: str  # the value that its gate computes
    local: Any  # d target / d source; None for constants and for gates that mix elements
    contribution: Any  # upstream times local, or the gate's vjp of upstream; None for constants and before backward()


@dataclass(frozen=True)
class Circuit:
    """The values behind a root, the root last, and the wires between them."""

    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]
    modules: dict[str, str] = field(default_factory=dict)  # path: what it is; a module before its parts
    note: str = ""  # what of the graph is not here


def trace(
    root: Value, max_nodes: int | None = None, model: Any = None, grads: dict[Value, Any] | None = None
) -> Circuit:
    """Everything behind `root`, inputs first; each raw constant is a node of its own.

    The walk keeps its own stack and visits a value once however many paths lead to it.  Of more than `max_nodes` values
    and constants it takes those nearest to the root, marks where it stops (`Node.cut`) and says so (`Circuit.note`).
    Parameters of `model` have their path in it as label.  The gradients are those of the last pass, or `grads`.

    >>> x = Value(3.0, label="x")
    >>> circuit = trace(x * x)
    >>> [(node.id, node.label, node.symbol) for node in circuit.nodes]
    [('v0', 'x', None), ('v1', '', '*')]
    >>> [(wire.source, wire.target, wire.local) for wire in circuit.wires]
    [('v0', 'v1', 3.0), ('v0', 'v1', 3.0)]
    """
    opened, note = (None, "") if max_nodes is None else nearest(root, max_nodes)
    modules = Modules(model)
    nodes: list[Node] = []
    wires: list[Wire] = []
    places: dict[int, Value] = {}  # which of the nodes are values, not constants
    changed: set[str] = set()  # whose data are not what a gate here has read
    received: dict[str, list[Any]] = {}
    ids: dict[Value, str | None] = {root: None}  # None: found, and waiting for its inputs
    stack = [root]
    while stack:
        value = stack[-1]
        if ids[value] is not None:
            stack.pop()
            continue
        cut = opened is not None and value not in opened and value.gate is not None
        inputs = () if cut else value.inputs
        waiting = [x for x in inputs if isinstance(x, Value) and ids.get(x) is None]
        if waiting:
            ids.update(dict.fromkeys(waiting))
            stack += reversed(waiting)
            continue
        stack.pop()
        module = modules.of(value, inputs)
        sources = []
        for x in inputs:
            sources.append(ids[x] if isinstance(x, Value) else f"v{len(nodes)}")
            if not isinstance(x, Value):
                nodes.append(Node(f"v{len(nodes)}", "", x, None, None, None, constant=True, module=module))
        ids[value] = target = f"v{len(nodes)}"
        name, symbol = (None, None) if value.gate is None or cut else (value.gate.name, value.gate.symbol)
        label = str(modules.names.get(value) or value.label or "")
        upstream = value.grad if grads is None else grads.get(value)
        parts = (None,) * len(value.inputs) if value.gate is None or upstream is None else sent(value, upstream)
        grad = None if isinstance(value.data, tuple) else upstream  # which the outputs show, one by one
        places[len(nodes)] = value
        node = Node(target, label, value.data, grad, name, symbol, not value.requires_grad, module, cut)
        nodes.append(node if cut else replace(node, given=called_with(value)))
        if not cut:
            changed |= {str(source) for i, source in enumerate(sources) if replaced(value, i, inputs[i])}
            for source, local, d in zip(sources, value.local_gradients(), parts, strict=True):
                d = d[0][1] if isinstance(d, tuple) else d  # from `pick`: (which output, its gradient)
                wires.append(Wire(f"e{len(wires)}", str(source), target, local, d))
                received.setdefault(str(source), []).append(d)
    for i, value in places.items():
        node = nodes[i]
        if marks := marks_of(value, node.grad, received.get(node.id, []), node.id in changed, not note):
            nodes[i] = replace(node, marks=marks)
    return Circuit(tuple(nodes), tuple(wires), modules.known, note)


def nearest(root: Value, max_nodes: int) -> tuple[set[Value] | None, str]:
    """The values to open so that at most `max_nodes` values and constants are seen, those nearest to the root; and a
    note about the rest.  None: all of them."""
    found, opened, queue = {root}, set(), [root]
    shown, total, full = 1, 1, False
    for value in queue:
        inputs = value.inputs
        new = list(dict.fromkeys([x for x in inputs if isinstance(x, Value) and x not in found]))
        cost = len(new) + len([x for x in inputs if not isinstance(x, Value)])
        full = full or shown + cost > max_nodes
        if not full:
            opened.add(value)
            shown += cost
        total += cost
        if total > COUNTED:
            break
        found.update(new)
        queue += new
    if not full:
        return None, ""
    of = f"more than {COUNTED:,}" if total > COUNTED else f"{total:,}"
    many = f"{shown:,} values" if shown > 1 else "one value"
    note = f"The {many} nearest to the result, of {of}."
    return opened, f"{note} … marks where it goes on; a larger max_nodes shows more."


def called_with(value: Value) -> str:
    """The parameters of a value's gate as text: those that say the same on every run, so no functions."""
    if parameters(value) == ((), {}):
        return ""
    kept = {name: x for name, x in settings(value).items() if isinstance(x, type) or not callable(x)}
    if isinstance(dims := kept.get("dims"), tuple) and len(dims) == 1:  # reshape((2, 3)) is reshape(2, 3)
        kept["dims"] = dims[0]
    said = {name: spelled(x, inner=True) for name, x in kept.items()}
    return ", ".join([f"{name}={text}" for name, text in said.items() if " at 0x" not in text])


def marks_of(value: Value, grad: Any, sent: list[Any], changed: bool, whole: bool) -> tuple[str, ...]:
    """What to know before believing a gradient, given what the wires have sent to it.

    "changed since": its data were replaced after this graph was computed.  "stale": the gates that use it have no
    gradient, so that its own is of another pass.  "accumulated", and "from elsewhere, too" where gradients don't
    accumulate: it is not what these wires sent (of a `whole` graph).
    """
    marks = ["changed since"] if changed else []
    if sent and grad is not None:
        known = [d for d in sent if d is not None]
        if not known:
            marks.append("stale")
        elif whole and not adds_up(known, grad):
            marks.append("accumulated" if value.gate is None else "from elsewhere, too")
    return tuple(marks)


def replaced(node: Value, i: int, x: Any) -> bool:
    """Whether the data of `x` are not those that `node` read on its wire `i` any more."""
    if not isinstance(x, Value):
        return False
    if node._saved is None:  # a scalar gate kept its local gradients, not what it read
        return x._number > node._number or type(x._number) is float
    raw = node._saved[1][i + 1]
    return changed_since(x, raw, node) or (x._raw is not raw and not np.array_equal(x._raw, raw, equal_nan=True))


def adds_up(parts: list[Any], total: Any) -> bool:
    """Whether the parts sum to the total, as far as their dtype can tell; infinities and nan prove nothing."""
    with np.errstate(all="ignore"):
        rest = abs(sum([np.asarray(d) for d in parts]) - total)
        scale = sum([abs(np.asarray(d)) for d in parts]) + abs(np.asarray(total))
        epsilon = np.finfo(np.asarray(total).dtype).eps
        return not np.any(rest > 64.0 * epsilon * len(parts) * scale)
