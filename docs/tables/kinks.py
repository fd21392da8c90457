"""Where gates bend, jump or end: found by trying, never written down by hand.

A gate is tried at small whole and half numbers: the slope to the left and to the right of each is measured by one-sided
differences, and where the two differ the page says what they are, and what minigrad answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import Gate
from minigrad.gates.registry import COMPOSED, REGISTRY, Call
from minigrad.gates.table import entry, input_names

__all__ = ["kinks", "number"]

LINE = (-6.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 6.0)
PLANE = tuple(product((-2.0, -1.0, 0.0, 1.0, 2.0), repeat=2))
TIES = ([1.0, 1.0], [0.0, 0.0], [0.0, 1.0])  # what reductions are tried on
STEPS = (1e-4, 1e-8)
JUMP = "jump"
Point = tuple[float, ...]


def number(x: Any) -> str:
    """A number as the tables print it."""
    x = float(x)
    if not math.isfinite(x):
        return "nan" if x != x else "∞" if x > 0 else "−∞"
    return f"{x + 0.0:.4g}".replace("-", "−")


def side(f: Callable[[float], float], x: float, sign: float) -> str:
    """The slope on one side: a number, infinite, a jump, or nothing beyond the end of the domain."""
    here = f(x)
    slopes = [(f(x + sign * h) - here) / (sign * h) for h in STEPS]
    if any([s != s for s in slopes]):
        return "none"
    coarse, fine = slopes
    if math.isinf(fine) or abs(fine) < 100.0 or abs(fine) < 2.0 * abs(coarse):
        return number(round(fine, 4))
    return JUMP if abs(fine) > 5e3 * abs(coarse) else number(math.copysign(math.inf, fine))


def differ(left: str, right: str) -> bool:
    if left == right:
        return left in (JUMP, "∞", "−∞")
    try:
        return abs(float(left.replace("−", "-")) - float(right.replace("−", "-"))) > 1e-3
    except ValueError:  # one of them is no number
        return True


def kinks(name: str) -> list[str]:
    """A sentence for each place where `name` has no derivative in the usual sense, as far as trying finds them."""
    gate = REGISTRY.get(name)
    with np.errstate(all="ignore"):
        if gate is None or not gate.elementwise:
            return bends_of_reduction(name)
        return bends_of_elementwise(gate) if gate.arity is not None and name not in ("power", "select") else []


def bends_of_elementwise(gate: Gate) -> list[str]:
    assert gate.arity is not None
    example = gate.domain[0] if isinstance(gate.domain[0], Call) else Call((), {})
    fixed = dict.fromkeys(gate.plain, 1)  # a mask that is true, a count of one
    free = [i for i in range(gate.arity) if i not in fixed]
    params = {k: v for k, v in example.params.items() if isinstance(v, float)}
    line = sorted({*LINE, *params.values()})
    points: list[Point] = [(x,) for x in line] if len(free) == 1 else list(PLANE)
    if len(free) > 2:
        return []
    found: dict[tuple[int, str, str], list[Point]] = {}
    answers: dict[tuple[int, str, str], set[float]] = {}
    for point in points:

        def at(*xs: Any) -> Any:
            inputs = [fixed.get(i) for i in range(gate.arity or 0)]
            for i, x in zip(free, xs, strict=True):
                inputs[i] = x
            return gate(*inputs, **params)

        if not math.isfinite(at(*point)):
            continue
        for k in range(len(free)):

            def along(x: float, k: int = k, point: Point = point) -> float:
                return float(at(*point[:k], x, *point[k + 1 :]))

            left, right = side(along, point[k], -1.0), side(along, point[k], 1.0)
            if {left, right} != {"none"} and differ(left, right):
                answer = mg.grad(at, argnums=k)(*point) + 0.0
                key = (k, slopes(left, right), "" if JUMP in (left, right) else number(answer))
                found.setdefault(key, []).append(point)
                answers.setdefault(key, set()).add(answer)
    names = [input_names(gate)[i] for i in free]
    wires: dict[tuple[str, str, str], list[str]] = {}  # wires that bend in the same way share a sentence
    for key, places in found.items():
        wire, differs = names[key[0]], len(answers[key]) > 1  # where the answer depends on the place, its formula
        says = dict(entry(gate.name).derivatives)[wire].code if differs else number(*answers[key])
        wires.setdefault((place(names, points, places), key[1], says), []).append(wire)
    with_params = f" (with {', '.join([f'{k}={number(v)}' for k, v in params.items()])})" if params else ""
    return [
        f"{where}: {towards(text, by) if len(names) > 1 else text}; minigrad says {says}{with_params}"
        for (where, text, says), by in wires.items()
    ]


def slopes(left: str, right: str) -> str:
    if JUMP in (left, right):
        return "a jump"
    if "none" in (left, right):
        inside = left if right == "none" else right
        return f"the end of the domain, slope {inside}"
    return f"slope {left}" if left == right else f"slopes {left} | {right}"


def towards(text: str, by: list[str]) -> str:
    """Which input moves: "slopes 0 | 1 by a and by b", "jumps as a moves"."""
    if text == "a jump":
        return "jumps as " + " or ".join(by) + " moves"
    return f"{text} by {' and by '.join(by)}"


def place(names: list[str], tried: list[Point], at: list[Point]) -> str:
    """The points in words: the first of some short descriptions that fits them all and no other point."""
    if len(names) == 1:
        whole = [p for p in tried if p[0].is_integer()]
        if at == whole:
            return f"every whole {names[0]}"
        if at == [p for p in whole if p[0]]:
            return f"every whole {names[0]} but 0"
        return f"{names[0]} = {', '.join([number(p[0]) for p in at])}"
    a, b = names
    for text, holds in {
        f"{a} = {b}": lambda x, y: x == y,
        f"{a} = {b} ≠ 0": lambda x, y: x == y != 0,
        f"{a} = {b} = 0": lambda x, y: x == y == 0,
        f"{a} = 0": lambda x, y: x == 0,
        f"{b} = 0": lambda x, y: y == 0,
        f"{a} = 0, {b} ≠ 0": lambda x, y: x == 0 != y,
        f"{b} = 0, {a} ≠ 0": lambda x, y: y == 0 != x,
        f"{a} = 0, {b} < 0": lambda x, y: x == 0 and y < 0,
        f"{a} = 0, {b} > 0": lambda x, y: x == 0 and y > 0,
        f"{a} = 0, {b} ≤ 0": lambda x, y: x == 0 and y <= 0,
        f"{b} = 0, {a} > 0": lambda x, y: y == 0 and x > 0,
        f"{b} = 0, {a} < 0": lambda x, y: y == 0 and x < 0,
        f"{a} / {b} whole": lambda x, y: y and x % y == 0,
        f"{a} / {b} whole, not 0": lambda x, y: y and x and x % y == 0,
        f"{a} {b} = 1": lambda x, y: x * y == 1,
    }.items():
        if at == [p for p in tried if holds(*p)]:
            return text
    some = ", ".join([f"({number(x)}, {number(y)})" for x, y in at[:3]])
    return f"({a}, {b}) = {some}" + (" and others" if len(at) > 3 else "")


def bends_of_reduction(name: str) -> list[str]:
    """The same for a function of an array, by its first number; its outputs are weighted with 1, 2, ... and summed."""
    gate = REGISTRY.get(name)
    if gate is not None and not gate.differentiable:
        return []
    function = COMPOSED[name] if gate is None else gate

    def total(x: Any) -> Any:
        out = function(x)
        weights = np.arange(1.0, mg.Value(out).size + 1.0).reshape(np.shape(mg.Value(out).data))
        return mg.sum(out * weights)

    found: dict[str, list[str]] = {}
    for tie in TIES:

        def along(x: float, rest: Iterable[float] = tie[1:]) -> float:
            out = total(np.array([x, *rest]))
            return float(out.data if isinstance(out, mg.Value) else out)

        try:
            answer = mg.grad(total)(np.array(tie))[0]
            left, right = side(along, tie[0], -1.0), side(along, tie[0], 1.0)
        except Exception:  # it is not a function of one vector
            return []
        if {left, right} != {"none"} and differ(left, right):
            text = f"by the first number {slopes(left, right)}; minigrad says {number(answer)}"
            found.setdefault(text, []).append(f"[{', '.join(map(number, tie))}]")
    return [f"x = {' or '.join(ties)}: {text}" for text, ties in found.items()]
