"""The gates as `Value`'s operators and methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..value import Gate, Value, new, recording, tick
from .registry import COMPOSED, REGISTRY

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul",
}  # fmt: skip
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute"}
COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
BINARY_METHODS = ("maximum", "minimum", "matmul")
FUNCTIONS = {"multi_dot"}  # no methods: their first input is a list
ALIASES = {"abs": "absolute", "amax": "max", "amin": "min"}


ELSEWHERE = {"view": "reshape", "unsqueeze": "expand_dims", "permute": "transpose", "numel": "size", "dim": "ndim"}


def elsewhere(name: str) -> property:
    """A name of PyTorch's that `Value` doesn't have.  (A `__getattr__` would slow down every attribute.)"""

    def missing(self: Value) -> Any:
        hint = f"NumPy's name is {ELSEWHERE[name]!r}."
        raise AttributeError(f"'Value' object has no attribute {name!r}; {hint}", name=name, obj=self)

    return property(missing)


def attach() -> None:
    """Give `Value` its operators, and every gate of one wire and composed function as a method."""
    for name, gate in OPERATORS.items():
        setattr(Value, f"__{name}__", method(REGISTRY[gate]))
        setattr(Value, f"__r{name}__", reflected(REGISTRY[gate]))
    for name, gate in UNARY.items():
        setattr(Value, f"__{name}__", method(REGISTRY[gate]))
    for name, gate in COMPARISONS.items():
        setattr(Value, f"__{name}__", compared(REGISTRY[gate]))
    for name, row in REGISTRY.items():
        if row.arity == 1 or name in BINARY_METHODS:
            setattr(Value, name, method(row))
    for name in COMPOSED.keys() - FUNCTIONS:
        setattr(Value, name, COMPOSED[name])
    for name, gate in ALIASES.items():
        setattr(Value, name, getattr(Value, gate))
    for name in ELSEWHERE:
        setattr(Value, name, elsewhere(name))
    setattr(Value, "__round__", lambda self, decimals=0: REGISTRY["round"](self, decimals=decimals))  # noqa: B010
    setattr(Value, "__getitem__", REGISTRY["getitem"])  # noqa: B010  mypy knows these two from value_methods.pyi
    setattr(Value, "T", property(REGISTRY["transpose"], doc="The axes in reverse order."))  # noqa: B010


def reflected(gate: Gate) -> Callable[[Any, Any], Any]:
    """`2 - v` calls v.__rsub__(2): the same gate, the wires in their written order."""
    operator = method(gate)
    return lambda self, other: operator(other, self)


def compared(gate: Gate) -> Callable[[Any, Any], Any]:
    """A comparison; with something that is no number, such as None, Python's own answer."""
    return lambda self, other: NotImplemented if other is None or isinstance(other, str) else gate(self, other)


def method(gate: Gate) -> Callable[..., Any]:
    """`gate` as an operator or method of `Value`, with a short way for Python floats (65 % less time per gate).

    It dispatches and records like `Gate.__call__`; whatever is not a plain scalar goes there.  The derivative is the
    gate's own row.
    """
    scalar, enabled = gate.scalar, recording.get
    if scalar is None or gate.arity not in (1, 2) or gate.local is None or None in gate.local:
        return gate
    left, right = gate.local[0], gate.local[-1]

    def unary(a: Value) -> Any:
        x = a._raw
        if type(x) is not float:
            return gate(a)
        try:
            out = scalar(x)
            local = left(out, x) if a._requires_grad else None
        except (ArithmeticError, ValueError):
            return gate(a)
        if type(out) is not float:
            return gate(a)
        node = new(Value)
        node._raw, node.label, node._grad, node.gate, node._saved = out, "", None, None, None
        node._requires_grad, node._number = False, tick()
        if (mode := enabled()) and (local is not None or mode is not True):
            node._requires_grad, node.gate, node._a, node._da, node._b, node._db = True, gate, a, local, None, None
            if mode is not True:
                mode.made(node)
        return node

    def binary(a: Any, b: Any) -> Any:
        if isinstance(a, Value):
            x, a_needs = a._raw, a._requires_grad
        else:
            x = a = float(a) if type(a) is int else a
            a_needs = False
        if isinstance(b, Value):
            y, b_needs = b._raw, b._requires_grad
        else:
            y = b = float(b) if type(b) is int else b
            b_needs = False
        if type(x) is not float or type(y) is not float:
            return gate(a, b)
        try:
            out = scalar(x, y)
            da = left(out, x, y) if a_needs else None
            db = right(out, x, y) if b_needs else None
        except (ArithmeticError, ValueError):
            return gate(a, b)
        if type(out) is not float:
            return gate(a, b)
        node = new(Value)
        node._raw, node.label, node._grad, node.gate, node._saved = out, "", None, None, None
        node._requires_grad, node._number = False, tick()
        if (mode := enabled()) and (da is not None or db is not None or mode is not True):
            node._requires_grad, node.gate, node._a, node._da, node._b, node._db = True, gate, a, da, b, db
            if mode is not True:
                mode.made(node)
        return node

    short = unary if gate.arity == 1 else binary
    short.__name__, short.__qualname__ = gate.name, f"Value.{gate.name}"
    short.__doc__ = f"The gate {gate.name}: see help(mg.{gate.name})."
    return short
