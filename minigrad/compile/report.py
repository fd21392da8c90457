"""What a program costs, before and after each pass."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..tree import tree_leaves
from .program import Line, Program

__all__ = ["Stage", "constants", "measure"]


class Stage(NamedTuple):
    """A program at one point of its way: how many calls, operations on numbers, and bytes of results."""

    name: str
    calls: int
    views: int
    flops: int
    bytes: int

    def __str__(self) -> str:
        work = f"{self.flops:>12,} flops {self.bytes:>12,} bytes"
        return f"{self.name:<18} {self.calls:>6} calls {self.views:>6} views {work}"


def measure(name: str, program: Program) -> Stage:
    calls = [line for line in program if line.kind == "call"]
    views = sum([line.kind == "view" for line in program])
    results = [np.asarray(x).nbytes for line in calls for x in tree_leaves(line.value)]
    return Stage(name, len(calls), views, sum(map(flops, calls)), sum(results))


def flops(line: Line) -> int:
    """A multiplication and an addition for each product in a matrix product, one operation for any other number."""
    if line.call in (np.matmul, np.vdot) and line.ndim:
        a = line.args[0]
        inner: int = np.shape(a.value if isinstance(a, Line) else a)[-1]
        return 2 * int(prod(line.shape)) * inner
    return max([size(x) for x in [line, *line.inputs]])


def size(x: Line) -> int:
    """How many numbers a result has."""
    return sum([int(np.size(part)) for part in tree_leaves(x.value)])


def constants(program: Program) -> list[Any]:
    """The arrays that are part of the program: raw data of the function, the same on every call."""
    found = [x for line in program for x in tree_leaves([line.args, list(line.kwargs.values())])]
    return list({id(x): x for x in found if isinstance(x, np.ndarray) and x.ndim}.values())
