"""A pass for skinny matrix products: one call for a stack of small ones.  Why, and which: see skinny.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..skinny import how_to_cut
from .program import Line, Program

__all__ = ["in_small_products"]


def in_small_products(program: Program) -> Program:
    """A skinny matrix product becomes a stack of small ones."""
    lines: list[Line] = []
    for line in program:
        how = None
        if line.kind == "call" and line.call in (np.matmul, np.dot) and line.ndim == 2:
            how = how_to_cut(*map(value_of, line.args))
        lines += [line] if how is None else in_pieces(line, *how)
    return program.with_lines(lines, program.outputs)


def in_pieces(line: Line, axis: str, size: int) -> list[Line]:
    """The lines that compute the product of `line` cut along `axis`; `line` itself is the last, with the result."""
    (a, b), written = line.args, []
    (m, k), n = np.shape(value_of(a)), line.shape[1]

    def write(call: Any, *args: Any, value: Any = None, **kwargs: Any) -> Line:
        kind = "call" if call in (np.matmul, np.add.reduce) else "view"
        value = call(*map(value_of, args), **kwargs) if value is None else value
        written.append(Line(call, args, kwargs, value, kind))
        return written[-1]

    if axis == "rows":
        stack = write(np.matmul, write(np.reshape, a, (m // size, size, k)), b)
        write(np.reshape, stack, (m, n))
    elif axis == "columns":  # the result has its pieces side by side in memory
        parts = write(np.swapaxes, write(np.reshape, b, (k, n // size, size)), 0, 1)
        out = np.empty((m, n // size, size), line.dtype).swapaxes(0, 1)
        stack = write(np.matmul, a, parts, value=np.matmul(value_of(a), parts.value, out=out))
        write(np.reshape, write(np.swapaxes, stack, 0, 1), (m, n))
    else:
        left = write(np.swapaxes, write(np.reshape, a, (m, k // size, size)), 0, 1)
        write(np.add.reduce, write(np.matmul, left, write(np.reshape, b, (k // size, size, n))), axis=0)
    last = written.pop()
    line.call, line.args, line.kwargs, line.kind, line.value = last.call, last.args, last.kwargs, last.kind, last.value
    for part in written:
        part.comment, part.backward = line.comment, line.backward
    return [*written, line]


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Line) else x
