"""What is wrong, or remarkable, about a gradient: closed wires, saturated gates, cancelling paths, no path at all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import Value, sent, upstream_of
from .names import Names, number, size_of
from .paths import Survey

__all__ = ["diagnose", "no_path"]

SHOWN = 4  # findings of one kind; the others are counted
SQUASHING = {"sigmoid": 0.25, "tanh": 1.0, "softsign": 1.0, "erf": 1.13, "arctan": 1.0}  # their largest slope
BENT = {"relu", "relu6", "hardtanh", "hardsigmoid", "clip"}
CHOOSING = {"where", "select", "maximum", "minimum", "fmax", "fmin"}
STEPS = {"sign", "floor", "ceil", "trunc", "round", "heaviside", "floor_divide"}
ALWAYS_OPEN = {"add", "subtract", "negative", "positive"}
FLAT = 0.02  # of its largest slope: a squashing gate below it is saturated
LONG, FADED = 10, 4.0  # a product of ten gates or more that is below 10^-4 has vanished, above 10^4 exploded


def no_path(loss: Value, x: Value, names: Names) -> str:
    """Why no gradient flows from the loss to x."""
    f, name = names(loss), names(x)
    if not x.requires_grad and x.gate is None:
        return f"frozen: {name}.requires_grad is False, as after detach() or freeze(): no gradient is computed for it."
    if not loss.requires_grad:
        return f"not recorded: {f} was computed under no_grad(), or from values that require no gradient."
    if not x.requires_grad:
        return f"not recorded: {name} was computed under no_grad(), or from values that require no gradient."
    for v in everything(loss):
        if v is x:
            return f"not recorded: when {f} was computed, {name} required no gradient. Compute it again."
        for s in v.inputs:
            if s is not x and shares(s, x):
                return (
                    f"detached: {names.recipe(v)} uses the numbers of {name}, but "
                    f"not {name} itself: was it {name}.data or {name}.detach()?"
                )
    return (
        f"unused: no path leads from {name} to {f}. If there should be one: did it pass through .data, detach() or "
        "no_grad(), or was it computed before this value was made?"
    )


def everything(loss: Value) -> Iterable[Value]:
    seen, stack = {loss}, [loss]
    while stack:
        v = stack.pop()
        yield v
        for s in v.inputs:
            if isinstance(s, Value) and s not in seen:
                seen.add(s)
                stack.append(s)


def shares(s: Any, x: Value) -> bool:
    """Whether s, a constant, holds the very numbers of x: its float object, or its memory."""
    if isinstance(s, Value):
        if s.requires_grad:
            return False
        s = s.data
        if s is x.data:
            return True
    return isinstance(s, np.ndarray) and isinstance(x.data, np.ndarray) and np.may_share_memory(s, x.data)


def diagnose(found: Survey, names: Names) -> list[str]:
    """Findings about the gates between x and the loss, one sentence each; none for a gradient without remarks."""
    closed: dict[str, dict[str, None]] = {}  # by kind; a sentence once, in the order of the gates
    for v, links in zip(found.gates, found.links, strict=True):
        gate = v.gate
        if gate is None or not gate.elementwise or gate.name in ALWAYS_OPEN:
            continue
        for i, _, local in links:
            if type(local) in (float, bool) and 0.0 < abs(local) < math.inf and gate.name not in SQUASHING:
                continue  # as nearly always
            if found_here := remark(v, i, v.local_gradients()[i] if local is None else local, names):
                kind, sentence = found_here
                closed.setdefault(kind, {})[sentence] = None
    findings = []
    for kind, sentences in closed.items():
        all_of_them = list(sentences)
        more = f" And {len(all_of_them) - SHOWN} more." if len(all_of_them) > SHOWN else ""
        findings.append(f"{kind}: {'; '.join(all_of_them[:SHOWN])}.{more}")
    findings += not_finite(found, names) + sums(found) + lengths(found)
    return findings or where_it_ends(found, names)


def remark(v: Value, i: int, local: Any, names: Names) -> tuple[str, str] | None:
    """What the local gradient of wire i says: (kind, sentence)."""
    gate, name, slope = v.gate, names, np.asarray(local)
    assert gate is not None
    if not slope.size:
        return None
    shut = slope == 0
    if not np.all(np.isfinite(slope)):
        kind = "nan slope" if np.isnan(slope).any() else "infinite slope"
        return kind, f"{name.recipe(v)}, local gradient {number(local)}"
    if shut.any():
        how = f" for {shut.sum()} of {shut.size} numbers" if slope.ndim else ""
        if gate.name in BENT:
            closed, dead = ("closed ReLU", "dead ReLU") if gate.name == "relu" else ("cut off", "cut off")
            if not slope.ndim:
                return dead, f"{name.recipe(v)}: {gate.name} is flat at {number(v.inputs[i].data)}, nothing passes"
            units = shut.all(axis=0).nonzero()[0] if slope.ndim == 2 and len(slope) > 1 else ()
            if len(units):
                which = ", ".join(map(str, units[:SHOWN])) + ", …" * (len(units) > SHOWN)
                of = f"unit{'s' * (len(units) > 1)} {which} of {shut.shape[1]}"
                return (
                    dead,
                    f"{name.recipe(v)}: {of} let{'s' * (len(units) == 1)} nothing pass for any of {len(slope)} rows",
                )
            return dead if shut.all() else closed, f"{name.recipe(v)}: {gate.name} is flat{how}, nothing passes there"
        if gate.name in CHOOSING:
            return "masked", f"{name.recipe(v)}: {gate.name} chose another input{how}"
        if gate.name in STEPS:
            return "step", f"{name.recipe(v)}: {gate.name} has slope 0 everywhere"
        if gate.name in SQUASHING:
            return "saturated", f"{name.recipe(v)}: the slope has rounded to 0{how}"
        return ("factor 0", f"{name.recipe(v)}: the local gradient is 0") if shut.all() else None
    if gate.name in SQUASHING:
        flat = np.abs(slope) < FLAT * SQUASHING[gate.name]
        if flat.any():
            how = f"for {flat.sum()} of {flat.size} numbers" if slope.ndim else f"local gradient {number(local)}"
            return "saturated", f"{name.recipe(v)}: {gate.name} is nearly flat, {how}"
    return None


def sums(found: Survey) -> list[str]:
    """Paths that cancel, and gradients of zero."""
    size = size_of(found.gradient)
    if found.count > 1 and math.isfinite(found.total) and size < 0.1 * found.total:
        text = f"cancelling paths: {number(found.total)} flows in all, {number(size)} is left"
        if not shape_of(found.gradient):
            up = (found.total + float(found.gradient)) / 2
            text += f" (up {number(up)}, down {number(found.total - up)})"
        return [text + "."]
    return []


def not_finite(found: Survey, names: Names) -> list[str]:
    """For a loss that is inf or nan, the first such value on the paths."""
    if not found.gates or np.isfinite(found.gates[-1].data).all():
        return []
    for v in found.gates:
        if not isinstance(v.data, tuple) and not np.isfinite(v.data).all():
            return [f"not finite: {names.recipe(v)}."]
    return []


def where_it_ends(found: Survey, names: Names) -> list[str]:
    """For a gradient that is 0, infinite or nan, the gate on the strongest path from which on it is."""
    size = size_of(found.gradient)
    if 0.0 < size < math.inf or not found.paths or not found.paths[0].steps:
        return []
    g: Any = upstream_of(found.gates[-1], 1.0)
    for v, wire in found.paths[0].steps:
        g = sent(v, g)[wire]
        if not 0.0 < size_of(g) < math.inf:
            return [f"{number(size_of(g))} from here on: {names.recipe(v)} sends it to {names(v.inputs[wire])}."]
    return []


def lengths(found: Survey) -> list[str]:
    """Products of many factors that vanish or explode, on the strongest path."""
    if not found.paths:
        return []
    steps, size = found.paths[0].steps, size_of(found.paths[0].contribution)
    n = len(steps)
    logs = [math.log(size) if 0.0 < size < math.inf else 0.0]
    if not 1e-300 < size < 1e300:  # the product itself has rounded to 0 or overflowed: its logarithm has not
        logs = []
        for v, i in steps:
            local = v.local_gradients()[i]
            if local is None or shape_of(local) or not 0.0 < abs(float(local)) < math.inf:
                return []
            logs.append(math.log(abs(float(local))))
    log10 = math.fsum(logs) / math.log(10.0)
    if n < LONG or abs(log10) < FADED:
        return []
    word, each = "vanishing" if log10 < 0 else "exploding", number(10.0 ** (log10 / n))
    return [f"{word}: {n} gates in a row, {each} per gate on average, multiply to 10^{number(round(log10, 1))}."]
