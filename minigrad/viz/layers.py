"""A layered layout: where the boxes of a graph go, and which way its wires take, without any program.

Sugiyama's steps, each in its simplest form: ranks, then the order in each rank, then places.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["Place", "lay_out"]

Place = tuple[float, float]  # the middle of a box: along the direction of flow, and across it
APART = 16.0  # what is free between two boxes side by side, and
AHEAD = 22.0  # from one rank to the next


def lay_out(sizes: dict[str, Place], arrows: list[tuple[str, str]]) -> tuple[dict[str, Place], list[list[Place]]]:
    """A place for every box, and for every arrow the places that it passes between its two boxes.

    `sizes` says how long and how broad a box is, the last one being where all arrows lead; an arrow goes from a box to
    one further on in `sizes`.  A box stands in the rank before the first that needs it.

    >>> lay_out({"a": (10, 4), "b": (10, 4), "c": (10, 4)}, [("a", "b"), ("b", "c")])
    ({'a': (5.0, 0.0), 'b': (37.0, 0.0), 'c': (69.0, 0.0)}, [[], []])
    """
    after: dict[str, list[str]] = {id: [] for id in sizes}
    for a, b in arrows:
        after[a].append(b)
    ranks: dict[str, int] = {}
    for id in reversed(sizes):
        ranks[id] = min([ranks[b] for b in after[id]], default=1) - 1
    first = min(ranks.values())
    rank = {id: ranks[id] - first for id in sizes}
    sizes, passed = dict(sizes), []
    steps: dict[str, list[str]] = {id: [] for id in sizes}  # what comes into each box from the rank before, in order
    root = next(reversed(sizes))
    for i, (a, b) in enumerate(arrows):
        between = [f"{i}/{r}" for r in range(rank[a] + 1, rank[b])]  # no id of a box has a /
        for r, (start, end) in enumerate(zip([a, *between], [*between, b], strict=True), start=rank[a] + 1):
            steps.setdefault(end, []).append(start)
            sizes.setdefault(end, (0.0, 6.0))
            rank[end] = r
        passed.append(between)
    rows = in_rows(steps, rank, root)
    across = spread(rows, steps, sizes)
    along: dict[str, float] = {}
    edge = 0.0
    for row in rows:
        long = max([sizes[id][0] for id in row])
        along |= dict.fromkeys(row, edge + long / 2)
        edge += long + AHEAD
    places = {id: (along[id], across[id]) for id in sizes}
    return places, [[places[id] for id in between] for between in passed]


def in_rows(steps: dict[str, list[str]], rank: dict[str, int], root: str) -> list[list[str]]:
    """The boxes of each rank in their order: that of a walk back from the root, inputs in order, so that a tree has no
    crossings; then sorted by the middle of their neighbours, if that leaves fewer crossings."""
    rows: list[list[str]] = [[] for _ in range(1 + rank[root])]
    seen, stack = {root}, [root]
    while stack:
        id = stack.pop()
        rows[rank[id]].append(id)
        new = [a for a in dict.fromkeys(steps[id]) if a not in seen]
        seen.update(new)
        stack += reversed(new)
    ahead = turned(steps)
    best, fewest = rows, crossings(rows, ahead)
    for attempt in range(8):
        if not fewest:
            break
        back = attempt % 2 == 0
        rows = [[*row] for row in rows]
        for fixed, row in pairwise(rows[::-1] if back else rows):
            at = {id: float(i) for i, id in enumerate(fixed)}
            middle = {id: np.mean([at[n] for n in (ahead if back else steps)[id]] or [0.0]) for id in row}
            row.sort(key=middle.__getitem__)
        if (number := crossings(rows, ahead)) < fewest:
            best, fewest = rows, number
    return best


def turned(steps: dict[str, list[str]]) -> dict[str, list[str]]:
    """Where the wires of each box go, given what comes into each."""
    ahead: dict[str, list[str]] = {id: [] for id in steps}
    for b, feeds in steps.items():
        for a in feeds:
            ahead[a].append(b)
    return ahead


def crossings(rows: list[list[str]], ahead: dict[str, list[str]]) -> int:
    """How many wires cross between neighbouring ranks."""
    total = 0
    for row, following in pairwise(rows):
        at = {id: i for i, id in enumerate(following)}
        ends = [at[b] for a in row for b in sorted(ahead[a], key=at.__getitem__)]  # those of one box don't cross
        seen = np.zeros(len(following), int)
        for end in ends:
            total += int(seen[end + 1 :].sum())
            seen[end] += 1
    return total


def spread(rows: list[list[str]], steps: dict[str, list[str]], sizes: dict[str, Place]) -> dict[str, float]:
    """Where the boxes lie across: as near to the middle of their neighbours as their breadth and order allow."""
    ahead = turned(steps)
    across = {id: 40.0 * i for row in rows for i, id in enumerate(row)}
    for attempt in range(8):
        back = attempt % 2 == 0
        neighbours = ahead if back else steps
        for row in reversed(rows) if back else rows:
            wanted = [float(np.mean([across[n] for n in neighbours[id] or [id]])) for id in row]
            across |= zip(row, apart(wanted, [sizes[id][1] for id in row]), strict=True)
    return across


def apart(wanted: list[float], broad: list[float]) -> list[float]:
    """Numbers as near to those wanted (least squares) as boxes that broad, in this order, can have them: the pools of
    isotonic regression.

    >>> apart([0.0, 0.0, 100.0], [4.0, 4.0, 4.0])
    [-10.0, 10.0, 100.0]
    """
    shift, shifts = 0.0, []
    for i, b in enumerate(broad):
        shift += (broad[i - 1] + b) / 2 + APART if i else 0.0
        shifts.append(shift)
    pools: list[list[Any]] = []  # mean, how many
    for want, s in zip(wanted, shifts, strict=True):
        pools.append([want - s, 1])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            mean, count = pools.pop()
            other, many = pools[-1]
            pools[-1] = [(mean * count + other * many) / (count + many), count + many]
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + s for mean, s in zip(flat, shifts, strict=True)]
