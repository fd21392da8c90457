"""The paths from a value to a loss: how many, which carry most of the gradient, and what each carries.

A gradient is a sum over paths, each the product of the local gradients along it.  There may be 2^n of them, so
nothing here lists them all: one pass over the gates, oldest first, counts them and finds for every value the best way
back to x; the second, third, ... best path then leave a better one at a single place (as in Eppstein's algorithm for
the k shortest paths, 1998).
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import GradientError
from ..value import Value, pull, sent, tape, upstream_of
from .names import size_of

__all__ = ["Path", "Survey", "survey"]

CLOSED = 1e9  # stands for -log 0, so that paths with fewer closed wires come first; and for log inf
WIDTH = 64  # for arrays: how many paths are followed through each value ...
WORK = 40_000  # ... or fewer in a large graph: wires times paths
MEMORY = 20_000_000  # numbers
Way = tuple[float, int, int, Any]  # log|product| of the best path by it, wire, the place of its source, local gradient
Route = list[tuple[int, int, Any]]  # from the loss down: (place, wire, local gradient)


@dataclass(frozen=True)
class Path:
    """One way from x to the loss: `steps` has (value, wire) pairs, the loss first; the last wire comes from x."""

    steps: tuple[tuple[Value, int], ...]
    contribution: Any  # the part of the gradient that flows along it: the product of its local gradients, or an array


@dataclass
class Survey:
    """What lies between x and the loss."""

    gradient: Any  # d loss / d x, by backpropagation
    gates: list[Value]  # results on some path, oldest first; the loss is the last
    count: float  # of paths; exact up to 2^53
    open: float  # of paths without a wire whose local gradient is 0; nan if gates mix elements
    total: float  # the sum of the sizes of the contributions; nan if not all paths were followed
    paths: list[Path] = field(default_factory=list)  # the strongest, strongest first
    exact: bool = True  # whether these are known to be the strongest


def survey(loss: Value, x: Value, k: int, index: Any = None) -> Survey:
    """The k strongest paths from x to the single number `loss`, and sums over all of them.

    `index` picks one entry of an array x.  For single numbers in elementwise gates the paths are the strongest of
    all; where gates mix elements, each value keeps the strongest few that reach it (all, if they are few).
    """
    with np.errstate(all="ignore"):
        gradient = pull(loss, upstream_of(loss, 1.0))[x]
        gates = between(loss, x)
        if all([single(v) for v in gates]) and single(x):
            return scalar_survey(loss, x, gates, gradient, k)
        return array_survey(loss, x, gates, gradient, k, index)


def single(v: Value) -> bool:
    return not v.shape and not isinstance(v.data, tuple) and (v.gate is None or v.gate.elementwise)


def between(loss: Value, x: Value) -> list[Value]:
    """The results through which a change of x reaches the loss, oldest first."""
    reached, gates = {x}, []
    for v in reversed(tape(loss)[0]):
        if v is not x and any([isinstance(s, Value) and s in reached for s in v.inputs]):
            reached.add(v)
            gates.append(v)
    return gates


# ------------------------------------------------------------------------------------------------------ single numbers
def scalar_survey(loss: Value, x: Value, gates: list[Value], gradient: Any, k: int) -> Survey:
    place = {x: 0}
    best, count, opened, mass = [0.0], [1.0], [1.0], [1.0]  # per value: the best log|product|; sums over all paths to x
    ways: list[list[Way]] = [[]]  # per value: its wires towards x, best first
    for v in gates:
        mine, n, passing, size = [], 0.0, 0.0, 0.0
        for i, (s, local) in enumerate(zip(v.inputs, v.local_gradients(), strict=True)):
            if local is not None and s in place:
                j = place[s]
                mine.append((weight(local) + best[j], i, j, local))
                n += count[j]
                passing += opened[j] if local != 0 else 0.0
                size += mass[j] * abs(float(local)) if local != 0 else 0.0
        if len(mine) > 1:
            mine.sort(key=lambda way: (-way[0], way[1]))
        place[v] = len(best)
        best.append(mine[0][0])
        ways.append(mine)
        count.append(n)
        opened.append(passing)
        mass.append(size)
    values = [x, *gates]
    top = place[loss]
    paths = []
    for route in strongest(ways, top, k):
        steps = tuple([(values[at], wire) for at, wire, _ in route])
        size = math.prod([local for _, _, local in route])
        paths.append(Path(steps, product(steps) if size != size else float(size)))
    return Survey(gradient, gates, count[top], opened[top], mass[top], paths)


def weight(local: Any) -> float:
    size = abs(float(local))
    return math.log(size) if 0.0 < size < math.inf else -CLOSED if size == 0.0 else CLOSED


def product(steps: tuple[tuple[Value, int], ...]) -> float:
    """Multiplied by the engine, for whom a closed wire sends 0 also for an infinite upstream gradient."""
    g = 1.0
    for v, wire in steps:
        g = sent(v, g)[wire]
    return float(g)


def strongest(ways: list[list[Way]], top: int, k: int) -> list[Route]:
    """The k best routes from `top` down to 0.

    A route follows the best way everywhere below the place where it last left it: at position p, by the way of rank r.
    The routes next to it leave it there by rank r + 1, or at a later position by rank 1.
    """
    routes: list[Route] = []
    queue: list[tuple[float, int, Route, int, int]] = [(0.0, 0, [], 0, 0)]  # how much worse than the best; p, r
    made = 1
    while queue and len(routes) < k:
        behind, _, before, p, rank = heapq.heappop(queue)
        at = top
        if p:
            above, wire, _ = before[p - 1]
            at = next(way[2] for way in ways[above] if way[1] == wire)
        route, turns = before[:p], []
        while at:
            mine = ways[at]
            if len(mine) > rank + 1:
                turns.append((behind + mine[rank][0] - mine[rank + 1][0], made, len(route), rank + 1))
                made += 1
            _, wire, below, local = mine[rank]
            route.append((at, wire, local))
            at, rank = below, 0
        routes.append(route)
        for worse, n, position, r in heapq.nsmallest(k - len(routes), turns):
            heapq.heappush(queue, (worse, n, route, position, r))
    return routes


# --------------------------------------------------------------------------------------------------------------- arrays
def array_survey(loss: Value, x: Value, gates: list[Value], gradient: Any, k: int, index: Any) -> Survey:
    inside = {x, *gates}
    wires = [[i for i, s in enumerate(v.inputs) if isinstance(s, Value) and s in inside] for v in gates]
    wired, largest = sum([len(mine) for mine in wires]), max([v.size for v in inside])
    width = max(1, min(WIDTH, WORK // (wired or 1), MEMORY // (largest or 1)))
    count = {x: 1.0}
    flows: dict[Value, list[tuple[float, int, Any, Any]]] = {loss: [(1.0, 0, upstream_of(loss, 1.0), None)]}
    made, exact = 1, True
    for v, mine in zip(gates, wires, strict=True):
        count[v] = sum([count[v.inputs[i]] for i in mine])
    for v, mine in zip(reversed(gates), reversed(wires), strict=True):
        arriving = sorted(flows.pop(v, []), key=lambda flow: (-flow[0], flow[1]))
        exact = exact and len(arriving) <= width
        for _, _, g, link in arriving[:width]:
            parts = sent(v, g)
            for i in mine:
                if parts[i] is not None:
                    flows.setdefault(v.inputs[i], []).append((size_of(parts[i]), made, parts[i], (v, i, link)))
                    made += 1
    ends = [(g if index is None else float(g[index]), link) for _, _, g, link in flows[x]]
    ends.sort(key=lambda end: -size_of(end[0]))
    total = sum([size_of(g) for g, _ in ends]) if exact else math.nan
    paths = [Path(unlinked(link), g) for g, link in ends[:k]]
    part = gradient if index is None else float(gradient[index])
    return Survey(part, gates, count[loss], math.nan, total, paths, exact)


def unlinked(link: Any) -> tuple[tuple[Value, int], ...]:
    steps = []
    while link is not None:
        v, i, link = link
        steps.append((v, i))
    return tuple(reversed(steps))


def check_ends(loss: Any, x: Any, function: str) -> None:
    """`loss` is a single number and both are `Value`s, or an error says what to do."""
    for name, v in (("loss", loss), ("x", x)):
        if not isinstance(v, Value):
            raise GradientError(f"{function}: {name} is a {type(v).__name__}, not a Value.")
    if loss.size != 1:
        raise GradientError(
            f"{function}: loss has the shape {loss.shape}; a gradient starts from a single number: "
            "take loss.sum(), or one entry, loss[0]."
        )
