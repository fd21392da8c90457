"""The paths from a value to a loss: how many, which carry most of the gradient, and what each carries.

A gradient is a sum over paths, each the product of the local gradients along it.  There may be 2^n of them, so
nothing here lists them all: one pass over the gates, oldest first, counts them and finds for every value the best way
back to x; the second, third, ... best path then leave a better one at a single place (as in Eppstein's algorithm for
the k shortest paths, 1998).

How good a wire is: for single numbers the size of its local gradient, so that the path of the best wires is the
strongest.  For arrays, by how much the whole gradient grows or shrinks on it.  That is an estimate; so more paths than
were asked for are followed, and all of them if they are not too many.
"""

from __future__ import annotations

import gc
import heapq
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..convert import ieee
from ..errors import GradientError
from ..value import Value, pull, sent, tape, times, upstream_of
from .names import size_of

__all__ = ["Path", "Survey", "check_ends", "survey"]

CLOSED = 1e9  # stands for -log 0, so that paths with fewer closed wires come first; and for log inf
SMALL = 4096  # numbers: local gradients up to that size are kept while the paths are followed
WORK = 100_000  # gates on the paths through arrays that are followed beyond those asked for ...
MEMORY = 20_000_000  # ... and numbers that are kept for it
Link = tuple[int, int, Any]  # a wire towards x: which input, the place of its source, its local gradient or None
Way = tuple[float, int, int, Any]  # how good the best path by a wire is, and the wire
Route = list[tuple[int, int, Any]]  # from the loss down: (place, wire, local gradient or None)
Start = tuple[int, int]  # of a route: like the n-th one as far as its p-th place


@dataclass(frozen=True)
class Path:
    """One way from x to the loss: `steps` has (value, wire) pairs, the loss first; the last wire comes from x."""

    steps: tuple[tuple[Value, int], ...]
    contribution: Any  # the part of the gradient that flows along it: the product of its local gradients, or an array


@dataclass
class Survey:
    """What lies between x and the loss."""

    gradient: Any  # d loss / d x, by backpropagation; None if no path leads there
    gates: list[Value]  # results on some path, oldest first; the loss is the last
    links: list[list[Link]]  # of each, the wires towards x; x has the place 0, the first gate 1, ...
    count: float = 0.0  # of paths; exact up to 2^53
    open: float = math.nan  # of paths without a wire whose local gradient is 0; nan if there are arrays
    total: float = math.nan  # the sum of the sizes of the contributions; nan if not all paths were followed
    paths: list[Path] = field(default_factory=list)  # the strongest, strongest first
    exact: bool = True  # whether these are known to be the strongest


def survey(loss: Value, x: Value, k: int, index: Any = None) -> Survey:
    """The k strongest paths from x to the single number `loss`, and sums over all of them.

    `index` picks one entry of an array x.  For single numbers in elementwise gates the paths are the strongest of
    all; through arrays, the strongest that were found.
    """
    with np.errstate(all="ignore"), collector_paused():
        gates, links = between(loss, x)
        found = Survey(None, gates, links)
        if not gates and loss is not x:
            return found
        if not x.shape and all([v._saved is None or single(v) for v in gates]):
            found.gradient, gains = pull(loss, upstream_of(loss, 1.0))[x], sum_up(found)
            routes, starts = strongest(rated(links, gains), k)
        else:
            found.count = number_of_paths(links)
            found.gradient, gains = flow(loss, gates, links)
            many = min(WORK // (len(gates) or 1), MEMORY // max([v.size for v in (x, *gates)]))
            routes, starts = strongest(rated(links, gains), max(k, many))
            found.exact = found.count <= len(routes)
        parts = follow(loss, gates, routes, starts)
        if index is not None:
            found.gradient, parts = float(found.gradient[index]), [float(g[index]) for g in parts]
        sizes = [size_of(g) for g in parts]
        if found.exact and found.count == len(parts):
            found.total = math.fsum(sizes)
        order = sorted(range(len(parts)), key=lambda n: -sizes[n] if sizes[n] == sizes[n] else -math.inf)
        found.paths = [Path(tuple([(gates[at - 1], i) for at, i, _ in routes[n]]), parts[n]) for n in order[:k]]
        return found


@contextmanager
def collector_paused() -> Iterator[None]:
    """Nothing here makes cycles, and Python's collector would walk through the whole graph again and again."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


# ------------------------------------------------------------------------------------------------- what lies in between
def between(loss: Value, x: Value) -> tuple[list[Value], list[list[Link]]]:
    """The results through which a change of x reaches the loss, oldest first, and the wires on which it does."""
    place = {x: 0} if x.requires_grad else {}
    gates: list[Value] = []
    links: list[list[Link]] = []
    for v in reversed(tape(loss)[0]):
        if v._saved is None:
            wires = enumerate(zip(*v._kept(), strict=True))
            mine = [(i, place[s], local) for i, (s, local) in wires if local is not None and s in place]
        else:
            inputs = enumerate(v._saved[0])
            mine = [(i, place[s], kept_local(v, i, s)) for i, s in inputs if isinstance(s, Value) and s in place]
        if mine and v is not x:
            gates.append(v)
            place[v] = len(gates)
            links.append(mine)
    return gates, links


def single(v: Value) -> bool:
    return not v.shape and not isinstance(v.data, tuple) and v.gate is not None and bool(v.gate.elementwise)


def kept_local(v: Value, i: int, source: Value) -> Any:
    """The local gradient on wire i, with which `times` does all that the engine would; None if there's more to it."""
    gate, data, before = v.gate, v.data, source.data
    if (
        gate is None
        or gate.local is None
        or gate.arity is None
        or not gate.catalogued
        or type(data) is not type(before)
    ):
        return None
    if type(data) is np.ndarray and (data.shape != before.shape or data.dtype != before.dtype or data.size > SMALL):
        return None  # it was broadcast or cast, or is too large to be kept
    wires, args, params = v._saved
    if any([isinstance(s, Value) and s.gate is None and s._saved for s in wires]):
        return None  # a leaf was changed in place: the engine knows whether that was since
    local = ieee(gate.rule(i), args, params)
    return local if getattr(local, "dtype", v.dtype) in (v.dtype, bool) else None


def weight(local: Any) -> float:
    size = abs(float(local))
    return math.log(size) if 0.0 < size < math.inf else -CLOSED if size == 0.0 else CLOSED


def number_of_paths(links: list[list[Link]]) -> float:
    count = [1.0]
    for mine in links:
        count.append(sum([count[j] for _, j, _ in mine]))
    return count[-1]


def sum_up(found: Survey) -> list[list[float]]:
    """Sums over all paths through single numbers: how many there are, how many are open, and their sizes.

    Returns how good each wire is: the logarithm of its local gradient.
    """
    count, opened, sizes = [1.0], [1.0], [1.0]
    gains = []
    for v, mine in zip(found.gates, found.links, strict=True):
        n, passing, size, here = 0.0, 0.0, 0.0, []
        for i, j, kept in mine:
            local = v.local_gradients()[i] if kept is None else kept
            n += count[j]
            if local != 0:
                passing += opened[j]
                size += sizes[j] * abs(float(local))
            here.append(weight(local))
        count.append(n)
        opened.append(passing)
        sizes.append(size)
        gains.append(here)
    found.count, found.open, found.total = count[-1], opened[-1], sizes[-1]
    return gains


def flow(loss: Value, gates: list[Value], links: list[list[Link]]) -> tuple[Any, list[list[float]]]:
    """The gradient at x, and how good each wire is: by what the whole gradient grows or shrinks on it."""
    flows: list[Any] = [None] * (len(gates) + 1)
    sizes = [1.0] * (len(gates) + 1)
    flows[-1] = upstream_of(loss, 1.0)
    gains = []
    for at in range(len(gates), 0, -1):
        g, v, size, here = flows[at], gates[at - 1], sizes[at], []
        flows[at], everything = None, ()
        for i, j, local in links[at - 1]:
            if local is None:
                everything = everything or sent(v, g)
            part = everything[i] if local is None else times(g, local)
            passed = size if part is g else size_of(part)
            here.append(weight(passed / size) if size else -CLOSED)
            if flows[j] is None:
                flows[j], sizes[j] = part, passed
            else:
                flows[j] = flows[j] + part
                sizes[j] = size_of(flows[j])
        gains.append(here)
    return flows[0], gains[::-1]


# ------------------------------------------------------------------------------------------------------- the best paths
def rated(links: list[list[Link]], gains: list[list[float]]) -> list[list[Way]]:
    """For each place the wires towards x, best first."""
    best, ways = [0.0], [list[Way]()]
    for wires, mine in zip(links, gains, strict=True):
        here = [(gain + best[j], i, j, local) for (i, j, local), gain in zip(wires, mine, strict=True)]
        if len(here) > 1:
            here.sort(key=lambda way: (-way[0], way[1]))
        best.append(here[0][0])
        ways.append(here)
    return ways


def strongest(ways: list[list[Way]], k: int) -> tuple[list[Route], list[Start]]:
    """The k best routes from the last place down to 0, and where each left an earlier one.

    A route follows the best way everywhere below the place where it last left it: at position p, by the way of rank r.
    The routes next to it leave it there by rank r + 1, or at a later position by rank 1.
    """
    routes: list[Route] = []
    starts: list[Start] = []
    queue: list[tuple[float, int, int, int, int]] = [(0.0, 0, -1, 0, 0)]  # how much worse than the best; n, p, r
    made = 1
    while queue and len(routes) < k:
        behind, _, n, p, rank = heapq.heappop(queue)
        route, turns, at = routes[n][:p] if p else [], [], len(ways) - 1
        if p:
            above, wire, _ = route[-1]
            at = next(way[2] for way in ways[above] if way[1] == wire)
        while at:
            mine = ways[at]
            if len(mine) > rank + 1:
                turns.append((behind + mine[rank][0] - mine[rank + 1][0], made, len(route), rank + 1))
                made += 1
            _, wire, below, local = mine[rank]
            route.append((at, wire, local))
            at, rank = below, 0
        routes.append(route)
        starts.append((n, p))
        for worse, tie, position, r in heapq.nsmallest(k - len(routes), turns):
            heapq.heappush(queue, (worse, tie, len(routes) - 1, position, r))
    return routes, starts


def follow(loss: Value, gates: list[Value], routes: list[Route], starts: list[Start]) -> list[Any]:
    """What arrives at x on each route.  Where one begins like an earlier one, that part is not followed again."""
    leaving: dict[int, set[int]] = {}
    for n, p in starts:
        leaving.setdefault(n, set()).add(p)
    known = {(-1, 0): upstream_of(loss, 1.0)}
    arrived = []
    for n, (route, start) in enumerate(zip(routes, starts, strict=True)):
        g, stops = known.pop(start), leaving.get(n, ())
        for p in range(start[1], len(route)):
            if p in stops:
                known[n, p] = g
            at, i, local = route[p]
            g = sent(gates[at - 1], g)[i] if local is None else times(g, local)
        arrived.append(g)
    return arrived


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
