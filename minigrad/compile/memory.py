"""The memory plan: which results share a buffer, because one is needed no longer when the other is made."""

from __future__ import annotations

from math import prod

import numpy as np

from ..tree import tree_leaves
from .program import Line, Program

__all__ = ["Plan", "plan"]


class Plan:
    """For each line that owns memory the number of its buffer; `sizes` are those of the buffers, in bytes."""

    def __init__(self) -> None:
        self.buffer: dict[Line, int] = {}
        self.sizes: list[int] = []
        self.root: dict[Line, Line] = {}  # of a view: the line whose memory it shows


def plan(program: Program, kept: set[Line]) -> Plan:
    """Give every array result a buffer; those of `kept` have one of their own, for their numbers outlive the call.

    An elementwise call may write over an input that nobody reads afterwards.
    """
    result = Plan()
    last: dict[Line, int] = {}
    forever: set[Line] = set()
    for i, line in enumerate(program):
        if line.kind == "view":
            result.root[line] = root_of(result, line.inputs[0])  # what it shows comes first: x[...], reshape(x, ...)
        for x in line.inputs:
            last[root_of(result, x)] = i
    for x in tree_leaves(program.outputs):
        if isinstance(x, Line):  # what is returned is never overwritten
            last.pop(root_of(result, x), None)
            forever.add(root_of(result, x))
    free: list[int] = []
    dying: dict[int, list[Line]] = {}
    for line, i in last.items():
        dying.setdefault(i, []).append(line)
    for i, line in enumerate(program):
        released = [x for x in dying.get(i, ()) if x in result.buffer and x not in kept]
        over = [x for x in released if owns_memory(line) and elementwise(line) and not spoiled(result, x, line)]
        free += [result.buffer[x] for x in over]
        if owns_memory(line):
            n = line.dtype.itemsize * prod(line.shape)
            if line in kept:
                result.buffer[line] = new_buffer(result, n)
            else:
                fitting = [b for b in free if n <= result.sizes[b] <= 2 * n]
                if fitting:
                    best = min(fitting, key=lambda b: (result.sizes[b], -free.index(b)))
                    free.remove(best)
                    result.buffer[line] = best
                else:
                    result.buffer[line] = new_buffer(result, n)
                if line not in last and line not in forever:
                    free.append(result.buffer[line])
        free += [result.buffer[x] for x in released if x not in over]
    return result


def spoiled(result: Plan, base: Line, line: Line) -> bool:
    """Whether writing the result over `base`, element by element, would spoil what is still to be read of it."""
    for x in [x for x in line.inputs if root_of(result, x) is base]:
        if x.value.strides != line.value.strides or x.shape != line.shape:
            return True
        if x is not base and not (x.value.flags.c_contiguous and x.value.nbytes == base.value.nbytes):
            return True
    return False


def new_buffer(result: Plan, size: int) -> int:
    result.sizes.append(size)
    return len(result.sizes) - 1


def owns_memory(line: Line) -> bool:
    return line.kind == "call" and isinstance(line.value, np.ndarray) and line.value.ndim > 0


def elementwise(line: Line) -> bool:
    return isinstance(line.call, np.ufunc) and line.call.signature is None


def root_of(result: Plan, line: Line) -> Line:
    return result.root.get(line, line)
