"""The graph behind a value in the order of its making, and the boxes in which a level of the page shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...compile.wires import drawn, read
from ...value import Value
from ..circuit import nearest
from ..modules import Modules, chain

__all__ = ["Box", "Graph", "Level", "Wire", "levels_of", "operands_of"]

FEWEST = 4  # boxes: with fewer, a level shows nothing
LABELLED = 90  # wires: with more, there is no room for the numbers on them


@dataclass
class Graph:
    """Values and constants, inputs before what they feed; the root last."""

    values: list[Any] = field(default_factory=list)  # a Value, or the raw number of a constant
    inputs: list[list[int]] = field(default_factory=list)  # places of a gate's inputs; empty for leaves
    modules: list[str | None] = field(default_factory=list)  # the path of the module that each belongs to
    known: dict[str, str] = field(default_factory=dict)  # path: what it is
    names: dict[Value, str] = field(default_factory=dict)  # parameters by their path
    note: str = ""

    @classmethod
    def behind(cls, root: Value, model: Any, most: int) -> Graph:
        """All of it, or of more than `most` values and constants those nearest to the root."""
        opened, note = nearest(root, most)
        modules = Modules(model)
        graph = cls(known=modules.known, names=modules.names, note=note)
        places: dict[Value, int] = {}
        gates = [v for v in found(root, opened) if is_gate(v, opened)]
        for value in sorted(gates, key=lambda v: v._number) or [root]:
            inputs = []
            module = modules.of(value, value.inputs)
            for x in inputs_of(value) if is_gate(value, opened) else ():
                if not isinstance(x, Value) or x not in places:
                    own = modules.of(x, ()) if isinstance(x, Value) else None
                    place = graph.add(x, [], own if own is not None else module if not isinstance(x, Value) else None)
                    if isinstance(x, Value):
                        places[x] = place
                else:
                    place = places[x]
                inputs.append(place)
            places[value] = graph.add(value, inputs, module)
        return graph

    def add(self, value: Any, inputs: list[int], module: str | None) -> int:
        self.values.append(value)
        self.inputs.append(inputs)
        self.modules.append(module)
        return len(self.values) - 1

    def uses(self) -> list[list[tuple[int, int]]]:
        """For each value the (gate, wire) places that it feeds."""
        out: list[list[tuple[int, int]]] = [[] for _ in self.values]
        for gate, inputs in enumerate(self.inputs):
            for wire, source in enumerate(inputs):
                out[source].append((gate, wire))
        return out


def found(root: Value, opened: set[Value] | None) -> list[Value]:
    seen, stack = {root}, [root]
    while stack:
        value = stack.pop()
        if is_gate(value, opened):
            new = [x for x in inputs_of(value) if isinstance(x, Value) and x not in seen]
            seen.update(new)
            stack += new
    return list(seen)


def is_gate(value: Value, opened: set[Value] | None) -> bool:
    return value.gate is not None and (opened is None or value in opened)


def operands_of(value: Value) -> list[tuple[Any, Any, bool]]:
    """What a gate was given, in order: the value or number, its raw number, and whether it is an input in the page.

    Texts, whole numbers, flags and what is given by position after the inputs belong to the gate.
    """
    if value._saved is None:
        return [(x, x._raw if isinstance(x, Value) else x, True) for x in value.inputs]
    wires, (_, *args), _ = value._saved
    if not wires and value.gate is not drawn:  # a recorded comparison: all that it compares
        wires = args
    raws = [x._raw if isinstance(x, Value) else x for x in args]
    given = [w if isinstance(w, Value) else raw for w, raw in zip([*wires, *args[len(wires) :]], raws, strict=True)]
    known = [i < len(wires) and isinstance(x, (Value, float, np.ndarray)) for i, x in enumerate(given)]
    return list(zip(given, raws, known, strict=True))


def inputs_of(value: Value) -> list[Any]:
    """The values that feed a gate, and raw numbers as constants."""
    return [source(x) if isinstance(x, Value) else raw for x, raw, known in operands_of(value) if known]


def source(x: Value) -> Value:
    """A leaf in the place of the wire that stood for its array while it was recorded."""
    return x._saved[0][0] if x.gate is read else x


# -------------------------------------------------------------------------------------------------------------- levels
@dataclass
class Box:
    """What is drawn as one: a value with its gate, or all that belongs to a module."""

    members: list[int]
    title: str = ""  # of a box with several members


@dataclass
class Wire:
    """From a value to a box: `parts` are the (gate, wire) places in that box which it feeds."""

    source: int
    start: int  # the box it comes from
    end: int
    parts: list[tuple[int, int]]


@dataclass
class Level:
    """One way to see the graph: its boxes in order, and the wires between them."""

    name: str
    boxes: list[Box]
    wires: list[Wire]

    @property
    def labelled(self) -> bool:
        return len(self.wires) <= LABELLED


def levels_of(graph: Graph, max_nodes: int) -> tuple[list[Level], str]:
    """The levels that are small enough to be drawn, the most detailed first, and a note if that is not all."""
    groups: list[tuple[str, list[int], dict[int, str]]] = [("every gate", list(range(len(graph.values))), {})]
    trees = grouped_trees(graph)
    if FEWEST <= len(set(trees)) < len(trees):
        groups.append(("expressions as boxes", trees, {}))
    depths = [len(chain(path, graph.known)) for path in graph.modules if path is not None]
    for depth in range(max(depths, default=0) - 1, -1, -1):
        name = f"modules as boxes, depth {depth}" if depth else "the model as one box"
        groups.append((name, *grouped_modules(graph, depth)))
    counts = [len(set(keys)) for _, keys, _ in groups]
    small = [(name, keys, titles) for (name, keys, titles), n in zip(groups, counts, strict=True) if n <= max_nodes]
    if not small:  # only a part of it can be
        return [], ""
    note = ""
    if len(small[0][1]) == counts[0] and groups[0][0] != small[0][0]:
        note = f"{counts[0]:,} values: each box stands for several. max_nodes={counts[0]} opens them."
    return [level(graph, *one) for one in small], note


def grouped_trees(graph: Graph) -> list[int]:
    """What is used once belongs to the gate that uses it, up to the next activation: a neuron is one box."""
    uses = graph.uses()
    keys = list(range(len(graph.values)))
    for place in range(len(keys) - 1, -1, -1):
        if len(uses[place]) == 1 and not ends_an_expression(graph, place, uses[place][0][0]):
            keys[place] = keys[uses[place][0][0]]
    return keys


def ends_an_expression(graph: Graph, place: int, user: int) -> bool:
    """Whether this is a function of one input, such as tanh, whose result goes into a sum or product."""
    return len(graph.inputs[place]) == 1 and len(graph.inputs[user]) > 1


def grouped_modules(graph: Graph, depth: int) -> tuple[list[int], dict[int, str]]:
    """The modules at this depth as one box each; outside of them, every gate."""
    keys = list(range(len(graph.values)))
    first: dict[str, int] = {}
    names: dict[int, str] = {}
    for place, path in enumerate(graph.modules):
        outer = chain(path, graph.known)[depth : depth + 1] if path is not None else []
        if outer:
            keys[place] = first.setdefault(outer[0], place)
            names[keys[place]] = f"{outer[0] or 'model'}: {graph.known[outer[0]].partition('(')[0]}"
    return keys, names


def level(graph: Graph, name: str, keys: list[int], names: dict[int, str]) -> Level:
    members: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        members.setdefault(key, []).append(place)
    order = sorted(members, key=lambda key: members[key][-1])
    box_of = {key: i for i, key in enumerate(order)}
    boxes = [Box(members[key], names.get(key, "") if len(members[key]) > 1 else "") for key in order]
    wires: dict[Any, Wire] = {}
    for gate, inputs in enumerate(graph.inputs):
        for i, source in enumerate(inputs):
            start, end = box_of[keys[source]], box_of[keys[gate]]
            if start == end:
                continue
            at = ("joined", source, end) if len(boxes[end].members) > 1 else ("own", gate, i)
            wires.setdefault(at, Wire(source, start, end, [])).parts.append((gate, i))
    return Level(name, boxes, list(wires.values()))
