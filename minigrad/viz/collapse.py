"""Modules as single boxes: a circuit in which a layer is one gate, and a row of equal layers one gate, "× 12"."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from .circuit import Circuit, Node, Wire
from .modules import chain

__all__ = ["collapse", "depth_of", "fold"]


def depth_of(circuit: Circuit) -> int:
    """How deep the modules are nested that values of this circuit belong to; 0 for the model itself alone."""
    paths = {node.module for node in circuit.nodes if node.module is not None}
    return max([len(chain(path, circuit.modules)) - 1 for path in paths], default=0)


def collapse(circuit: Circuit, depth: int) -> Circuit:
    """The modules at this depth as one gate each (0: the whole model); what is not in a module stays as it is.

    The gate's wires are those that come into the module from outside; what it puts out stays a value of its own, with
    its number and gradient.  The parameters are in the box.
    """
    outer = {path: chain(path, circuit.modules)[depth : depth + 1] for path in circuit.modules}
    inside = [node for node in circuit.nodes if node.module is not None and outer[node.module]]
    groups = {node.id: outer[str(node.module)][0] for node in inside}
    made = {groups[node.id] for node in circuit.nodes if node.symbol is not None and node.id in groups}
    groups = {id: path for id, path in groups.items() if path in made}
    root = circuit.nodes[-1].id
    out = {w.source for w in circuit.wires if groups.get(w.source) != groups.get(w.target)} | {root}
    inner = {node.id for node in circuit.nodes if node.id in groups and node.id not in out}
    members: dict[str, list[Node]] = {}
    for node in circuit.nodes:
        if node.id in groups:
            members.setdefault(groups[node.id], []).append(node)
    insides = {path: (path or "the model", *contents(some)) for path, some in members.items()}
    nodes: list[Node] = []
    boxes: dict[str, str] = {}  # module: the first value that it puts out
    for node in circuit.nodes:
        if node.id in inner:
            continue
        if node.id in groups and node.symbol is not None:
            box = groups[node.id]
            name = circuit.modules[box]
            above = ([None, *chain(box, circuit.modules)[:-1]])[-1]
            node = replace(
                node, gate="module", symbol=name, inside=insides[box], box=boxes.get(box), module=above, given=""
            )
            boxes.setdefault(box, node.id)
        nodes.append(node)
    wires = []
    for w in circuit.wires:
        path = groups.get(w.target)
        if path is None:
            wires.append(w)
        elif groups.get(w.source) != path:
            wires.append(Wire(w.id, w.source, boxes[path], None, w.contribution))
    return replace(circuit, nodes=tuple(nodes), wires=tuple(wires))


def contents(members: list[Node]) -> list[str]:
    """ "3 gates, 48 parameters": what a box stands for."""
    gates = len([node for node in members if node.symbol is not None])
    leaves = [node for node in members if node.symbol is None and not node.constant]
    lines = [f"{gates} gate{'s' * (gates != 1)}"]
    if leaves:
        lines.append(f"{sum([np.size(node.data) for node in leaves]):,} parameters")
    known = [node.grad for node in leaves if node.grad is not None]
    if known:
        with np.errstate(all="ignore"):
            norm = math.sqrt(sum([float(np.sum(np.square(np.asarray(g, float)))) for g in known]))
        lines.append(f"|gradient| {norm:.3g}")
    return lines


def fold(circuit: Circuit) -> Circuit:
    """A row of boxes of the same kind, each fed by the one before alone, as one box: "× 12"."""
    nodes = {node.id: node for node in circuit.nodes}
    into: dict[str, list[Wire]] = {}
    uses: dict[str, int] = {}
    for w in circuit.wires:
        into.setdefault(w.target, []).append(w)
        uses[w.source] = uses.get(w.source, 0) + 1
    rows: dict[str, list[str]] = {}  # the last box of a row: all of its boxes
    for node in circuit.nodes:
        if node.gate != "module" or node.box:
            continue
        rows[node.id] = [node.id]
        feeds = into.get(node.id, [])
        before: Any = nodes[feeds[0].source] if len({w.source for w in feeds}) == 1 else None  # by one or more wires
        if before is not None and before.id in rows and uses[before.id] == len(feeds) and same(before, node):
            rows[node.id] = [*rows.pop(before.id), node.id]
    gone: dict[str, str] = {}
    for last, row in rows.items():
        if len(row) > 1:
            gone |= dict.fromkeys(row[:-1], last)
            first = nodes[row[0]]
            inside = (f"{first.inside[0]} … {nodes[last].inside[0]}", *first.inside[1:3], "each")
            nodes[last] = replace(nodes[last], symbol=f"{first.symbol} × {len(row)}", inside=inside)
    kept = [w for w in circuit.wires if w.source not in gone]
    wires = tuple([replace(w, target=gone.get(w.target, w.target)) for w in kept])
    return replace(circuit, nodes=tuple([n for id, n in nodes.items() if id not in gone]), wires=wires)


def same(a: Node, b: Node) -> bool:
    """Whether two boxes are of one kind, with as many gates and parameters inside."""
    return (a.symbol, a.inside[1:3]) == (b.symbol, b.inside[1:3]) and np.shape(a.data) == np.shape(b.data)
