"""What a program costs, before and after each pass."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..convert import tidy
from ..tree import tree_leaves, tree_map
from ..value import Value, new_value
from .program import Line, Program
from .straight import Block, pick
from .wires import read

__all__ = ["Stage", "constants", "forward_graph", "measure"]


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
    count, views, work, memory = 0, 0, 0, 0
    for line in program:
        if line.kind == "view":
            views += 1
        elif isinstance(line.call, Block):
            count, work = count + len(line.call.steps), work + len(line.call.steps)
        elif line.kind == "call" and line.call is not pick:
            count, work, memory = count + 1, work + flops(line), memory + in_all("nbytes", line.value)
    return Stage(name, count, views, work, memory)


def flops(line: Line) -> int:
    """A multiplication and an addition for each product in a matrix product, one operation for any other number."""
    if line.call is np.matmul or line.call is np.dot or line.call is np.vdot:
        a = line.args[0].value if isinstance(line.args[0], Line) else line.args[0]
        inner = np.shape(a)[-1:] if line.shape else np.shape(a)
        return 2 * int(prod((*line.shape, *inner)))
    return max([in_all("size", x.value) for x in [line, *line.inputs]])


def in_all(what: str, x: Any) -> int:
    """The size or the bytes of a number, of an array, or of several."""
    if isinstance(x, tuple):
        return sum([in_all(what, part) for part in x])
    return int(getattr(x, what, 8 if what == "nbytes" else 1))


def constants(program: Program) -> list[str]:
    """The raw arrays that the function uses, with the line that does: they are the same on every call."""
    found: dict[int, str] = {}
    for line in program:
        for x in tree_leaves([line.args, list(line.kwargs.values())]) if not line.backward else ():
            if isinstance(x, np.ndarray) and x.ndim and x.size and not plain(x):
                found.setdefault(id(x), f"{x.dtype} {x.shape} in {line.comment}")
    return list(found.values())


def plain(x: Any) -> bool:
    """Zeros, ones, or 0, 1, 2, ...: what layers make for themselves, and no data."""
    return bool((x == 0).all() or (x == 1).all() or (x.ravel() == np.arange(x.size)).all())


def forward_graph(recorder: Any, out: Any) -> Any:
    """The recorded graph behind the results, as values with the data and gradients of the recorded call."""
    roots = [x for x in tree_leaves(out) if isinstance(x, Value)]
    if not roots:
        out = recorder.roots[-1] if recorder.roots else None
        roots = [out]
    known: dict[Any, Value] = {}
    for x in sorted(behind(roots), key=lambda x: x._number):
        known[x] = node = new_value(x._raw)
        source = x._saved[0][0] if x.gate is read else x
        node.label, node._requires_grad = source.label, x._requires_grad
        g = recorder.gradient_known(source)
        node._grad = None if g is None else tidy(np.array(g._raw))
        if x.gate is None or x.gate is read:
            continue
        node.gate = x.gate
        if x._saved is None:
            a, b = (tree_map(lambda w: known.get(w, w) if isinstance(w, Value) else w, w) for w in (x._a, x._b))
            node._a, node._b, node._da, node._db = a, b, x._da, x._db
        else:
            wires, args, params = x._saved
            node._saved = tuple([known.get(w, w) if isinstance(w, Value) else w for w in wires]), args, params
    return tree_map(lambda x: known[x] if isinstance(x, Value) else x, out)


def behind(roots: list[Any]) -> list[Value]:
    """All values behind these; what was read from outside is a leaf."""
    stack = [x for x in roots if x is not None]
    seen = set(stack)
    while stack:
        x = stack.pop()
        for w in x.inputs if x.gate is not read else ():
            if isinstance(w, Value) and w not in seen:
                seen.add(w)
                stack.append(w)
    return list(seen)
