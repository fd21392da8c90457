"""The catalogue of gates.

Each family is a module of rows: `arithmetic`, `exponential`, `selection`, `comparisons`, `reductions`, `shapes`,
`linalg`.  This file makes the rows reachable: as `Value`'s operators and methods, and through NumPy's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..value import Gate, Value, method
from . import numpy_protocol
from .arithmetic import *  # noqa: F403
from .comparisons import *  # noqa: F403
from .exponential import *  # noqa: F403
from .linalg import *  # noqa: F403
from .reductions import *  # noqa: F403
from .registry import REGISTRY
from .selection import *  # noqa: F403
from .shapes import *  # noqa: F403

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul",
}  # fmt: skip
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute"}
COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
ALIASES = {"abs": "absolute", "amax": "max", "amin": "min"}


def reflected(gate: Gate) -> Callable[[Any, Any], Any]:
    """`2 - v` calls v.__rsub__(2): the same gate, the wires in their written order."""
    return lambda self, other: gate(other, self)


def compared(gate: Gate) -> Callable[[Any, Any], Any]:
    """A comparison; with something that is no number, such as None, Python's own answer."""
    return lambda self, other: NotImplemented if other is None or isinstance(other, str) else gate(self, other)


def attach() -> None:
    """Give `Value` its operators, and every gate of one wire as a method."""
    for name, gate in OPERATORS.items():
        setattr(Value, f"__{name}__", method(REGISTRY[gate]))
        setattr(Value, f"__r{name}__", reflected(REGISTRY[gate]))
    for name, gate in UNARY.items():
        setattr(Value, f"__{name}__", method(REGISTRY[gate]))
    for name, gate in COMPARISONS.items():
        setattr(Value, f"__{name}__", compared(REGISTRY[gate]))
    for name, row in REGISTRY.items():
        if row.arity == 1:
            setattr(Value, name, method(row))
    for name in ("maximum", "minimum", "matmul"):
        setattr(Value, name, method(REGISTRY[name]))
    for name, gate in ALIASES.items():
        setattr(Value, name, getattr(Value, gate))
    Value.__getitem__ = REGISTRY["getitem"]  # type: ignore[method-assign, assignment]
    Value.T = property(REGISTRY["transpose"], doc="The axes in reverse order.")  # type: ignore[method-assign, assignment]
    numpy_protocol.attach(ALIASES)


attach()
abs, amax, amin = REGISTRY["absolute"], REGISTRY["max"], REGISTRY["min"]
__all__ = [*(name for name in REGISTRY if name not in ("select", "put", "positive")), "abs", "amax", "amin", "REGISTRY"]
