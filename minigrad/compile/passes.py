"""Passes: each takes a program and gives one with the same results and fewer or cheaper calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tree import tree_leaves, tree_map
from .program import Line, Program
from .report import Stage, measure
from .rules import put_plain

__all__ = ["PASSES", "optimise"]


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
    """The same call on the same inputs is made once."""
    seen: dict[Any, Line] = {}

    def rule(line: Line) -> Any:
        if line.kind not in ("call", "view") or not isinstance(line.value, (np.ndarray, np.generic, float)):
            return None
        key = (line.call, identity(line.args), identity(list(line.kwargs.items())))
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
            and getattr(np, line.call.__name__, None) is line.call  # SciPy's take Python's numbers for float64
            and line.call.signature is None
            and line.kind == "call"
            and len(line.args) == 2
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
            if twice and isinstance(a.args[1], float) and np.isfinite(b * a.args[1]):
                line.args = (a.args[0], b * a.args[1])
        return None

    return rewritten(program, rule)


def is_number(x: Any, n: float) -> bool:
    return isinstance(x, float) and x == n


def fits(x: Any, line: Line) -> bool:
    """Whether x can stand for the line: views of it rely on its layout, too."""
    if not isinstance(x, Line) or x.shape != line.shape or x.dtype != line.dtype:
        return False
    return getattr(x.value, "strides", None) == getattr(line.value, "strides", None)


def dot_products(program: Program) -> Program:
    """The sum of all products a * b is np.vdot(a, b)."""

    def rule(line: Line) -> Any:
        if (
            line.kind == "call"
            and line.call == np.add.reduce
            and line.kwargs.get("axis", 0) is None
            and not line.kwargs.get("keepdims")
        ):
            (x,) = line.args
            if isinstance(x, Line) and x.call is np.multiply and x.kind == "call":
                a, b = x.args
                if isinstance(a, Line) and isinstance(b, Line) and a.shape == b.shape and a.dtype == b.dtype:
                    line.call, line.args, line.kwargs = np.vdot, (a, b), {}
        return None

    return rewritten(program, rule)


def outer_products(program: Program) -> Program:
    """A product of a column and a row needs no sums."""

    def rule(line: Line) -> Any:
        if line.call is np.matmul and line.ndim == 2 and all([isinstance(x, Line) or x.ndim == 2 for x in line.args]):
            a, b = line.args
            if a.shape[-1] == 1 and len(a.shape) == len(b.shape) == 2:
                line.call = np.multiply
        return None

    return rewritten(program, rule)


def sums_in_place(program: Program) -> Program:
    """What is put at some places among zeros and added to something is added there directly."""
    uses: dict[Line, int] = {}
    for x in [x for line in program for x in line.inputs] + tree_leaves(program.outputs):
        if isinstance(x, Line):
            uses[x] = uses.get(x, 0) + 1

    def terms(line: Line) -> list[Any]:
        """What a chain of additions adds up."""
        found, stack = [], [line]
        while stack:
            x = stack.pop()
            if x is line or (
                isinstance(x, Line) and x.call is np.add and x.kind == "call" and uses[x] == 1 and fits(x, line)
            ):
                stack += reversed(x.args)
            else:
                found.append(x)
        return found

    inner = {x for line in program if line.call is np.add for x in line.args if isinstance(x, Line) and uses[x] == 1}
    lines: list[Line] = []
    new: dict[Line, Any] = {}
    for line in program:
        line.replaced(new)
        if line.kind == "call" and line.call is np.add and line.ndim and line not in inner:
            parts = terms(line)
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


def add_in_place(x: Any, index: Any, y: Any) -> Any:
    x[index] += y
    return x


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
    drop_unused, fold, uniform_constants, arithmetic, share, arithmetic, dot_products, outer_products, share,
    drop_unused, sums_in_place,
]  # fmt: skip
