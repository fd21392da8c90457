"""A pass for whole optimisers: what is done to every parameter alike is done once, to all of them side by side.

The parameters of an optimiser lie in one flat array, and so do their gradients.  The sum of all `vdot(p, p)` is one
`vdot` of that array, and adding `p * 0.0002` to the gradient of every p is one multiply and one add.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np

from ..tree import tree_map
from .program import Line, Program, terms
from .rules import add_in_place

__all__ = ["beside", "side_by_side"]


def beside(*arrays: Any, flat: Any) -> Any:
    """The arrays in a row, as the parameters lie in `flat`."""
    return np.concatenate([np.reshape(x, -1) for x in arrays])


def side_by_side(program: Program) -> Program:
    """One call for all parameters of an optimiser in place of the same call on each."""
    optimizers = [line.call for line in program if line.kind == "step"]
    flats = [flat for optimizer in optimizers for flat in chain.from_iterable(optimizer.flats)]
    params = Counter([p for flat in flats for p in flat.params])
    if any([line.kind == "clip" for line in program]):
        return program  # which changes the gradients one by one
    for flat in flats:
        if all([params[p] == 1 for p in flat.params]):  # by one optimizer, in one step
            program = together(program, flat)
    return program


def together(program: Program, flat: Any) -> Program:
    """The program with calls on the whole of `flat`."""
    read = {line.args[0]: line for line in program.inputs}
    params = [read.get(("leaf", p)) for p in flat.params]
    if len(params) < 2 or None in params:
        return program
    whole = Line(None, (("flat", flat),), {}, flat.data, "input")
    whole.name = "parameters"
    lines, outputs = one_square(program, whole, params)
    lines = one_decay(lines, whole, params, flat)
    if lines == program.lines:
        return program
    program = program.with_lines(lines, outputs)
    program.inputs = [whole, *program.inputs]
    return program


def one_square(program: Program, whole: Line, params: list[Any]) -> tuple[list[Line], Any]:
    """Where the squares of all parameters are added up, that is the square of the flat array."""
    uses = program.uses()
    squares = {
        x.args[0]: x for x in program if x.call is np.vdot and x.args[0] is x.args[1] and isinstance(x.args[0], Line)
    }
    wanted = {squares[p] for p in params if p in squares}
    tops = [x for x in program if x.call is np.add and wanted <= {y for y in terms(x, uses) if isinstance(y, Line)}]
    if not tops or len(wanted) < len(params) or any([uses[x] != 1 for x in wanted]):
        return program.lines, program.outputs
    top, square = tops[0], Line(np.vdot, (whole, whole), {}, np.vdot(whole.value, whole.value), "call")
    new = [square]
    for x in [x for x in terms(top, uses) if not (isinstance(x, Line) and x in wanted)]:
        value = new[-1].value + (x.value if isinstance(x, Line) else x)
        new.append(Line(np.add, (new[-1], x), {}, value, "call"))
    new[-1].name = top.name
    for line in new:
        line.comment, line.backward = top.comment, top.backward
    at, swap = program.lines.index(top), {top: new[-1]}
    for line in program.lines[at:]:
        line.replaced(swap)
    outputs = tree_map(lambda x: swap.get(x, x) if isinstance(x, Line) else x, program.outputs)
    return [*program.lines[:at], *new, *program.lines[at + 1 :]], outputs


def one_decay(lines: list[Line], whole: Line, params: list[Any], flat: Any) -> list[Line]:
    """Where a multiple of each parameter is added to its gradient, it is added to the flat array of gradients."""
    steps = [i for i, line in enumerate(lines) if line.kind == "step" and flat in chain.from_iterable(line.call.flats)]
    stored = [line for line in lines[: steps[0]] if line.kind == "grad" and line.call in set(flat.params)]
    last = {line.call: line for line in stored}
    grads = [last.get(p) for p in flat.params]
    uses = Counter([x for line in lines for x in line.inputs])
    slopes, factors = [], set()
    for p, grad in zip(params, grads, strict=True):
        total = grad.args[0] if grad is not None else None
        if not (isinstance(total, Line) and total.call is np.add and total.kind == "call" and uses[total] == 1):
            return lines
        shrinks = [x for x in total.args if isinstance(x, Line) and x.call is np.multiply and x.args[0] is p]
        slope = [x for x in total.args if isinstance(x, Line) and x.shape == p.shape and x not in shrinks[:1]]
        if not shrinks or not slope or type(shrinks[0].args[1]) is not float:
            return lines
        slopes.append(slope[0])
        factors.add(shrinks[0].args[1])
    at = min([lines.index(grad) for grad in grads if grad is not None])
    if len(factors) > 1 or not set(slopes) <= set(lines[:at]):
        return lines
    factor = factors.pop()
    row = Line(beside, tuple(slopes), {"flat": flat}, beside(*[x.value for x in slopes], flat=flat), "call")
    decay = Line(np.multiply, (whole, factor), {}, whole.value * factor, "call")
    total = Line(add_in_place, (row, slice(None), decay), {}, row.value + decay.value, "view")
    for line in (row, decay, total):
        line.backward = True
    for grad in grads:
        if grad is not None:
            grad.args = (total,)
    return [*lines[:at], row, decay, total, *lines[at:]]
