"""Passes: each takes a program and gives one with the same results and fewer or cheaper calls."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..tree import tree_leaves, tree_map
from .beside import side_by_side
from .pieces import in_small_products
from .program import Line, Program, fits, terms
from .report import Stage, measure
from .rules import add_in_place, put_plain

__all__ = ["PASSES", "optimise"]

SMALL = 2**20  # multiplications, which take longer than a call
FEW = 1000  # numbers: their sum takes less time than the call; for more of them NumPy's sum by pairs is more accurate


def optimise(program: Program) -> tuple[Program, list[Stage]]:
    """The program after all passes, and what it cost before and after each."""
    stages = [measure("as recorded", program)]
    for one_pass in PASSES:
        program = one_pass(program)
        stages.append(measure(one_pass.__name__.replace("_", " "), program))
    return program, stages


def rewritten(program: Program, rule: Callable[[Line], Any]) -> Program:
    """The program with lines replaced by what `rule` says: by another line, by a number, or, for None, not at all."""
    new: dict[Line, Any] = {}
    lines = []
    for line in program:
        line.replaced(new)
        instead = rule(line)
        if instead is None:
            lines.append(line)
        else:
            new[line] = instead
    return program.with_lines(lines, tree_map(lambda x: new.get(x, x) if isinstance(x, Line) else x, program.outputs))


# ------------------------------------------------------------------------------------------------- fewer calls
def drop_unused(program: Program) -> Program:
    """What no output, gradient, decision or effect needs is not computed."""
    needed = {x for x in tree_leaves(program.outputs) if isinstance(x, Line)}
    lines = []
    for line in reversed(program.lines):
        if line in needed or line.kind in ("guard", "effect", "grad", "clip", "step"):
            needed.update(line.inputs)
            lines.append(line)
    program = program.with_lines(lines[::-1], program.outputs)
    program.inputs = [x for x in program.inputs if x in needed or x.args[0][0] == "argument"]
    return program


def share(program: Program) -> Program:
    """The same call on the same inputs is made once, and the same decision checked once."""
    seen: dict[Any, Line] = {}

    def rule(line: Line) -> Any:
        if line.kind == "guard":
            return None if seen.setdefault(("guard", line.args[0]), line) is line else line.value
        if line.kind not in ("call", "view") or not isinstance(line.value, (np.ndarray, np.generic, float, int)):
            return None
        settings = [(name, x) for name, x in line.kwargs.items() if (name, x) != ("keepdims", False)]
        key = (line.call, identity(line.args), identity(settings))
        return None if seen.setdefault(key, line) is line else seen[key]

    return rewritten(program, rule)


def identity(x: Any) -> Any:
    """A key that is equal for arguments that are the same."""
    if isinstance(x, (list, tuple)):
        return (type(x), *map(identity, x))
    if isinstance(x, slice):
        return slice, identity((x.start, x.stop, x.step))
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype, x.tobytes() if x.size <= 4096 else id(x)
    if isinstance(x, (Line, np.dtype, type(None), type(...))):
        return x
    return type(x), repr(x)


# ---------------------------------------------------------------------------------------------- cheaper calls
def uniform_constants(program: Program) -> Program:
    """An array of equal numbers in an elementwise call is one number."""

    def rule(line: Line) -> Any:
        if (
            isinstance(line.call, np.ufunc)
            and line.call.signature is None
            and line.kind == "call"
            and len(line.args) == 2
            and getattr(np, line.call.__name__, None) is line.call  # SciPy's take Python's numbers for float64
        ):
            for i, x in enumerate(line.args):
                other = line.args[1 - i]
                if not isinstance(x, np.ndarray) or not x.size or x.dtype.kind != "f" or not isinstance(other, Line):
                    continue
                if (other.shape, other.dtype) == (line.shape, line.dtype) and (x == x.flat[0]).all():
                    args: list[Any] = [x.flat[0].item()] * 2
                    args[1 - i] = other
                    line.args = tuple(args)
        return None

    return rewritten(program, rule)


def arithmetic(program: Program) -> Program:
    """x + 0, x * 1, x + x, c * (d * x), -(-x): school algebra on numbers known beforehand."""

    def rule(line: Line) -> Any:
        if not isinstance(line.call, np.ufunc) or line.kind != "call" or line.kwargs:
            return None
        a, b = (*line.args, None)[:2]
        if line.call is np.positive and fits(a, line):
            return a
        if len(line.args) != 2:
            return None
        if line.call is np.add:
            if is_number(a, 0.0) and fits(b, line):
                return b
            if is_number(b, 0.0) and fits(a, line):
                return a
            if a is b and isinstance(a, Line):
                line.call, line.args = np.multiply, (a, 2.0)
                a, b = line.args
        if line.call is np.multiply:
            if isinstance(a, float):
                a, b = line.args = (b, a)
            if is_number(b, 1.0) and fits(a, line):
                return a
            twice = isinstance(b, float) and isinstance(a, Line) and a.call is np.multiply
            if twice and isinstance(a.args[1], float) and moderate(b) and moderate(a.args[1]):
                line.args = (a.args[0], b * a.args[1])
        return None

    return rewritten(program, rule)


def moderate(x: float) -> bool:
    """Whether a product with it, here or there in a chain, neither overflows nor vanishes: also in float32."""
    return 1e-9 < abs(x) < 1e9


def is_number(x: Any, n: float) -> bool:
    return isinstance(x, float) and x == n


def same_shape(program: Program) -> Program:
    """A view of an array in the shape that it has is the array."""

    def rule(line: Line) -> Any:
        return line.args[0] if line.call is np.reshape and line.kind == "view" and fits(line.args[0], line) else None

    return rewritten(program, rule)


def dot_products(program: Program) -> Program:
    """The sum of all products a * b is np.vdot(a, b), and that of a few numbers x is np.vdot(x, 1)."""

    def rule(line: Line) -> Any:
        if line.kind != "call" or line.call != np.add.reduce or line.kwargs.get("keepdims"):
            return None
        (x,), axis = line.args, line.kwargs.get("axis", 0)
        if not isinstance(x, Line) or not (axis is None or axis == 0 == x.ndim - 1) or line.dtype != x.dtype:
            return None
        if x.call is np.multiply and x.kind == "call":
            a, b = x.args
            if isinstance(a, Line) and isinstance(b, Line) and a.shape == b.shape and a.dtype == b.dtype:
                line.call, line.args, line.kwargs = np.vdot, (a, b), {}
        elif x.ndim and x.dtype.kind == "f" and prod(x.shape) <= FEW and x.value.flags.c_contiguous:
            line.call, line.args, line.kwargs = np.vdot, (x, np.ones(x.shape, x.dtype)), {}
        return None

    return rewritten(program, rule)


def products(program: Program) -> Program:
    """A small matrix product is np.dot, which begins sooner than np.matmul; a matrix for a whole stack lies in rows."""
    lines: list[Line] = []
    for line in program:
        if line.call is np.matmul and line.ndim and line.dtype.kind == "f":
            a, b = map(value_of, line.args)
            if a.ndim <= 2 and b.ndim <= 2:
                if a.dtype == b.dtype and line.value.flags.c_contiguous and line.value.size * a.shape[-1] < SMALL:
                    line.call = np.dot
            elif b.ndim == 2 and not b.flags.c_contiguous and isinstance(line.args[1], Line):
                new = [line_of(np.ascontiguousarray, line.args[1])]
                new.append(line_of(np.matmul, line.args[0], new[0]))
                lines += instead_of(line, new)
                continue
        lines.append(line)
    return program.with_lines(lines, program.outputs)


def sums_as_products(program: Program) -> Program:
    """A sum along an axis is a product with ones: NumPy's own sums are slow where a row has few numbers."""
    lines: list[Line] = []
    for line in program:
        axis = one_axis(line, np.add.reduce)
        if axis is None:
            lines.append(line)
            continue
        (x,) = line.args
        n = x.shape[axis]
        ones = np.ones(n, x.dtype)
        if axis == x.ndim - 1:
            rows = line_of(np.reshape, x, (x.value.size // n, n), kind="view")
            new = [rows, line_of(np.dot, rows, ones)]
        elif axis == 0:
            rows = line_of(np.reshape, x, (n, x.value.size // n), kind="view")
            new = [rows, line_of(np.dot, ones, rows)]
        else:
            new = [line_of(np.matmul, ones, x)]
        new[-1].name = line.name
        lines += instead_of(line, [*new, line_of(np.reshape, new[-1], line.shape, kind="view")])
    return program.with_lines(lines, program.outputs)


def short_rows(program: Program) -> Program:
    """The largest number of each row of a few numbers is found along the columns of the transpose."""
    lines: list[Line] = []
    for line in program:
        if (
            one_axis(line, np.maximum.reduce, np.minimum.reduce) != 1
            or line.args[0].ndim != 2
            or line.args[0].shape[1] > 32
        ):
            lines.append(line)
            continue
        columns = line_of(np.transpose, line.args[0], kind="view")
        copy = line_of(np.ascontiguousarray, columns)
        along = Line(line.call, (copy,), {**line.kwargs, "axis": 0, "keepdims": False}, line.value.reshape(-1), "call")
        lines += instead_of(line, [columns, copy, along, line_of(np.reshape, along, line.shape, kind="view")])
    return program.with_lines(lines, program.outputs)


def one_axis(line: Line, *calls: Any) -> int | None:
    """The axis along which a call goes over floats that lie in the usual order; None for other calls."""
    if line.kind != "call" or line.call not in calls:
        return None
    (x,), axis = line.args, line.kwargs.get("axis", 0)
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    usual = isinstance(x, Line) and x.ndim > 1 and x.value.flags.c_contiguous and x.dtype.kind == "f"
    if not usual or not isinstance(axis, int) or line.dtype != x.dtype or not 1 < x.shape[axis] <= FEW:
        return None
    axis %= x.ndim
    return axis if axis in (0, x.ndim - 2, x.ndim - 1) else None


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Line) else x


def line_of(call: Any, *args: Any, kind: str = "call") -> Line:
    """A new line, with its value."""
    return Line(call, args, {}, call(*map(value_of, args)), kind)


def instead_of(line: Line, new: list[Line]) -> list[Line]:
    """New lines, of which the last becomes `line`, for others read that."""
    last = new[-1]
    line.call, line.args, line.kwargs, line.kind, line.value = last.call, last.args, last.kwargs, last.kind, last.value
    for part in new:
        part.backward, part.comment = line.backward, line.comment
    return [*new[:-1], line]


def sums_in_place(program: Program) -> Program:
    """What is put at some places among zeros and added to something is added there directly."""
    uses = program.uses()
    inner = {x for line in program if line.call is np.add for x in line.args if isinstance(x, Line) and uses[x] == 1}
    lines: list[Line] = []
    new: dict[Line, Any] = {}
    for line in program:
        line.replaced(new)
        if line.kind == "call" and line.call is np.add and line.ndim and line not in inner:
            parts = terms(line, uses)
            places = [
                x
                for x in parts
                if isinstance(x, Line) and x.call is put_plain and uses[x] == 1 and x.shape == line.shape
            ]
            others = [x for x in parts if not any([x is place for place in places])]
            if len(places) > 1 and all([fits(x, line) for x in parts]):
                if not others:
                    base = Line(np.zeros, (line.shape, line.dtype), {}, np.zeros_like(line.value), "call")
                elif len(others) == 1:
                    base = Line(np.positive, (others[0],), {}, others[0].value, "call")
                else:
                    base = Line(np.add, (others[0], others[1]), {}, others[0].value + others[1].value, "call")
                chain = [base]
                for x in others[2:]:
                    chain.append(Line(np.add, (chain[-1], x), {}, chain[-1].value + x.value, "call"))
                for x in places:
                    y, index, _ = x.args
                    chain.append(Line(add_in_place, (chain[-1], index, y), {}, chain[-1].value, "view"))
                chain[-1].name = line.name
                for part in chain:
                    part.backward, part.comment = line.backward, line.comment
                lines += chain
                new[line] = chain[-1]
                continue
        lines.append(line)
    return drop_unused(
        program.with_lines(lines, tree_map(lambda x: new.get(x, x) if isinstance(x, Line) else x, program.outputs))
    )


def fold(program: Program) -> Program:
    """Calls on constants alone have been made."""

    def rule(line: Line) -> Any:
        if (
            line.kind in ("call", "view")
            and not line.inputs
            and line.call is not None
            and not isinstance(line.value, tuple)
        ):
            return line.value
        return None

    return rewritten(program, rule)


PASSES: list[Callable[[Program], Program]] = [
    drop_unused, fold, uniform_constants, arithmetic, share, arithmetic, dot_products, sums_as_products, short_rows,
    products, same_shape, share, side_by_side, drop_unused, sums_in_place, in_small_products,
]  # fmt: skip
