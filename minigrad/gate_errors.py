"""Checks of gates, their inputs and their derivatives: they only turn wrong ones away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .convert import describe, is_value, shape_of
from .errors import DtypeError, GradientError, MinigradError, ShapeError

__all__ = [
    "check_count", "check_elementwise", "check_grad", "check_outputs", "check_parameters", "check_rules",
    "check_slopes", "derivative_failed",
]  # fmt: skip


def check_rules(name: Any, forward: Any, local: Any, vjp: Any) -> None:
    """What `Gate` is given."""
    if not isinstance(name, str) or not callable(forward):
        raise TypeError(f"Gate({name!r}, {forward!r:.40}): the name is a text, the forward rule a function.")
    if local is not None and vjp is not None:
        raise TypeError(f"Gate {name!r}: state the derivative once, as local= or as vjp=, not both.")
    for rules in (local, vjp):
        entries = rules if isinstance(rules, (list, tuple)) else [rules]
        if not all([d is None or callable(d) or (rules is local and isinstance(d, (int, float))) for d in entries]):
            raise TypeError(f"Gate {name!r}: a derivative is a function or (local=) a number, not {rules!r:.50}")


PAIRS = {
    "max": " (of two values: mg.maximum(a, b))",
    "min": " (of two values: mg.minimum(a, b))",
    "concatenate": ": concatenate([a, b]) takes a list",
    "stack": ": stack([a, b]) takes a list",
}


def check_parameters(gate: Any, inputs: tuple[Any, ...], params: dict[str, Any]) -> None:
    """A `Value` where a gate has no wire would lose its gradient; so would one more wire than derivatives."""
    if params and isinstance(gate.forward, np.ufunc):
        raise TypeError(f"takes no {', '.join(params)}=.")
    if gate.arity is None:
        beyond = list(params.values())
    elif len(inputs) < gate.arity:
        raise TypeError(f"takes {gate.arity} inputs, a derivative for each; {len(inputs)} given.")
    else:
        beyond = [*inputs[gate.arity :], *params.values()]
    if any(map(is_value, beyond)):
        raise TypeError(
            f"has {gate.arity or 'no such'} wire(s); a parameter is a raw number, through which no gradient flows: "
            f"use v.data, or a gate that has a wire for it{PAIRS.get(gate.name, '')}."
        )


def check_outputs(gate: Any, out: Any) -> bool:
    """What a forward rule returned: whether it is a tuple, of several outputs."""
    several = isinstance(out, tuple)
    for o in out if several else (out,):
        if type(o) is not float and (type(o) is not np.ndarray or o.dtype.char not in "df"):
            raise DtypeError(f"{gate.name}: forward returned {describe(o)}, not a float or an array of floats.")
    return several


def check_slopes(gate: Any, slopes: Sequence[Any], wires: tuple[Any, ...]) -> None:
    """The local gradients of a user's scalar gate."""
    for i, (slope, x) in enumerate(zip(slopes, wires, strict=True)):
        number = np.ndim(slope) == 0 and np.asarray(slope).dtype.kind in "bfiu" and not is_value(slope)
        if not number and is_value(x) and x.requires_grad:
            raise GradientError(f"{gate.name}: its derivative on wire {i} is {describe(slope)}, not a float.")


def check_count(gate: Any, parts: Any, wires: tuple[Any, ...]) -> None:
    """What a joint rule returns."""
    if not isinstance(parts, (tuple, list)):
        raise GradientError(
            f"{gate.name}: its derivative is one function, which serves any number of wires and returns a tuple; it "
            f"returned {parts!r:.40}. For one wire write a list, local=[f] or vjp=[f]."
        )
    if len(parts) != len(wires):
        raise GradientError(f"{gate.name}: its derivative has {len(parts)} entries, for {len(wires)} wires.")


def check_elementwise(gate: Any, what: str, x: Any, wires: tuple[Any, ...]) -> None:
    """Of a user's gate: its numbers and slopes must belong to numbers of its inputs, or un-broadcasting hides it."""
    shape = np.broadcast_shapes(*map(shape_of, wires))
    if shape_of(x) != shape and (what == "result" or shape_of(x) != ()):
        raise GradientError(
            f"{gate.name}: not elementwise: {', '.join(map(describe, wires))} broadcast to {shape}, and its {what} "
            f"has shape {shape_of(x)}. State it as vjp=[lambda g, out, ...], which may mix elements."
        )


def check_grad(value: Any) -> None:
    """What stands in `.grad` before a backward pass adds to it."""
    if is_value(value.grad) or np.asarray(value.grad).dtype.kind not in "fi":
        raise DtypeError(
            f"backward: {describe(value)} has a .grad that is no number or float array, but {value.grad!r:.40}: set it "
            "to None, or to an array (of a Value, its .data)."
        )
    if shape_of(value.grad) not in ((), value.shape):
        raise ShapeError(f"backward: {describe(value)} has a .grad of shape {shape_of(value.grad)}: set it to None.")


def derivative_failed(gate: Any, i: int, error: Exception) -> Exception:
    """A derivative statement raised `error`."""
    if isinstance(error, MinigradError):
        return error
    called = ""
    if isinstance(error, TypeError):
        called = "local(out, *inputs)" if gate.local is not None else "vjp(g, out, *inputs, **params)"
        called = f", called as {called}"
    return GradientError(f"{gate.name}: its derivative on wire {i}{called}: {error}")
