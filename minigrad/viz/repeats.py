"""Rows of equal parts, found in the graph itself: twelve layers made in a loop are one box, "× 12", without a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from .circuit import Circuit, Node, Wire
from .collapse import contents

__all__ = ["fold_repeats"]

ROW = 3  # so many equal parts are a row
LONGEST = 32  # values on the way from a part's input to its output
MANY = 100  # a value that is used so often is no part of anything

Part = tuple[Any, list[str]]  # what it looks like, None if there are other ways in or out; its values, the output first


def fold_repeats(circuit: Circuit) -> Circuit:
    """Each row of equal parts as one box.

    A part has one way in and one way out; its leaves are its own.  Parts are equal that have the same gates, wired the
    same way, and arrays of the same shapes.  The box has the wires of the first part, with what they send.

    >>> from ..value import Value
    >>> from .circuit import trace
    >>> y = Value(1.0, label="x")
    >>> for _ in range(12):
    ...     y = (y * 0.5).tanh()
    >>> [(node.label, node.symbol, node.inside) for node in fold_repeats(trace(y)).nodes]
    [('x', None, ()), ('', '* tanh × 12', ('2 gates', 'each'))]
    """
    graph = Graph(circuit)
    way = graph.way()
    parts = [graph.part(*ends) for ends in pairwise(way)]
    way, parts = better_ended(graph, way, parts)
    kinds: dict[Any, int] = {}
    looks = [kinds.setdefault(look, len(kinds)) if look else -1 - i for i, (look, _) in enumerate(parts)]
    gone: set[str] = set()
    boxes: dict[str, Node] = {}
    entries: dict[tuple[str, str], str] = {}  # a wire into the first part of a row, (from, to): the box
    for first, length, count in rows(looks):
        end, after = way[first], first + length * count
        one = {id for _, ids in parts[first : first + length] for id in ids}
        boxes[end] = box(graph.nodes[end], [node for node in circuit.nodes if node.id in one], count)
        gone |= {id for _, ids in parts[first:after] for id in ids} - {end}
        entries |= {(way[after], id): end for id in parts[after - 1][1]}
    wires = []
    for wire in circuit.wires:
        if into := entries.get((wire.source, wire.target)):
            wires.append(Wire(wire.id, wire.source, into, None, wire.contribution))
        elif wire.target not in gone and wire.target not in boxes:
            wires.append(wire)
    kept = [boxes.get(node.id, node) for node in circuit.nodes if node.id not in gone]
    return replace(circuit, nodes=tuple(kept), wires=tuple(wires))


def box(output: Node, members: list[Node], count: int) -> Node:
    symbols = [str(node.symbol) for node in members if node.symbol is not None]
    shown = " ".join(symbols) if len(symbols) <= 4 else f"{symbols[0]} … {symbols[-1]}"
    inside = [line for line in contents(members) if line[0] != "|"]  # a gradient is not that of each
    return replace(output, gate="repeat", symbol=f"{shown} × {count}", inside=(*inside, "each"), given="")


class Graph:
    """A circuit with its wires by their ends, and for each value the next one that all ways from it to the root go
    through (`above`: its immediate dominator), and how many of such it has.

    As in Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm" (2001).
    """

    def __init__(self, circuit: Circuit) -> None:
        self.nodes = {node.id: node for node in circuit.nodes}
        self.into: dict[str, list[str]] = {id: [] for id in self.nodes}
        self.uses: dict[str, list[str]] = {id: [] for id in self.nodes}
        for wire in circuit.wires:
            self.into[wire.target].append(wire.source)
            self.uses[wire.source].append(wire.target)
        self.root = circuit.nodes[-1].id
        self.above, self.depth = {self.root: self.root}, {self.root: 0}
        for node in reversed(circuit.nodes[:-1]):
            targets = list(dict.fromkeys(self.uses[node.id]))
            self.above[node.id] = reduce(self.meet, targets) if len(targets) <= MANY else self.root
            self.depth[node.id] = self.depth[self.above[node.id]] + 1

    def meet(self, a: str, b: str) -> str:
        while a != b:
            if self.depth[a] < self.depth[b]:
                a, b = b, a
            a = self.above[a]
        return a

    def leaves(self) -> list[str]:
        return [id for id, node in self.nodes.items() if node.gate is None and not node.constant]

    def way(self) -> list[str]:
        """The longest chain of values that are above each other, the root first."""
        way = [max(self.leaves() or [self.root], key=self.depth.__getitem__)]
        while way[-1] != self.root:
            way.append(self.above[way[-1]])
        return way[::-1]

    def part(self, end: str, start: str, most: float = math.inf) -> Part:
        """What lies between a value and one further back, unless that is more than `most` values."""
        numbers, look, stack = {end: 0}, [], [end]
        while stack:
            id = stack.pop()
            node, feeds = self.nodes[id], []
            for source in self.into[id]:
                if source != start and source not in numbers:
                    if self.depth[source] <= self.depth[end] or len(numbers) >= most:  # used further on, too; or many
                        return None, []
                    numbers[source] = len(numbers)
                    stack.append(source)
                feeds.append(numbers.get(source, -1))
            shape = () if isinstance(node.data, tuple) else np.shape(node.data)
            look.append((numbers[id], node.gate, node.given, node.constant, shape, *feeds))
        own = all([numbers.keys() >= {*self.uses[id]} for id in numbers if id != end])
        return (tuple(look), [*numbers]) if own else (None, [])


def better_ended(graph: Graph, way: list[str], parts: list[Part]) -> tuple[list[str], list[Part]]:
    """The longest way may end at a weight of the first part instead of at what comes in there: another leaf as its end,
    if that makes the last part look like one before it."""
    nearby = {id: j for j, id in enumerate(way) if j >= len(way) - LONGEST}
    for leaf in graph.leaves():
        j = nearby.get(graph.above[leaf])
        if j is not None and leaf != way[-1]:
            seen = {look: len(ids) for look, ids in parts[:j] if look}
            last = graph.part(way[j], leaf, max(seen.values(), default=0))
            if last[0] in seen:
                return [*way[: j + 1], leaf], [*parts[:j], last]
    return way, parts


def rows(looks: list[int]) -> Iterator[tuple[int, int, int]]:
    """(first, length of a part, how many) of each row of at least `ROW` parts.

    >>> list(rows([7, 1, 2, 1, 2, 1, 2, 8]))
    [(1, 2, 3)]
    """
    i = 0
    while i < len(looks):
        best = (i, 1, 1)
        for length in range(1, LONGEST + 1):
            one, count = looks[i : i + length], 1
            while looks[i + count * length : i + (count + 1) * length] == one:
                count += 1
            if count >= ROW and length * count > best[1] * best[2]:
                best = (i, length, count)
        if best[2] >= ROW:
            yield best
        i += best[1] * best[2]
