"""Names for the values of a graph, as explanations write them: the label, or v1, v2, ... in order of appearance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import Value

__all__ = ["Names", "number", "size_of"]


def number(x: Any) -> str:
    """A number or array in a few characters.

    >>> number(0.1 + 0.2), number(np.ones((2, 3)))
    ('0.3', 'array (2, 3)')
    """
    if isinstance(x, (bool, np.bool_)):
        return str(x)
    if isinstance(x, tuple):
        return f"{len(x)} arrays"
    if shape_of(x):
        return f"[{', '.join([number(i) for i in np.asarray(x).tolist()])}]" if fits(x) else f"array {shape_of(x)}"
    if isinstance(x, (float, int, np.number, np.ndarray)):
        return f"{float(x):.6g}".replace("-", "−")
    return repr(x)[:30]


def fits(x: Any) -> bool:
    return len(shape_of(x)) == 1 and len(x) <= 4


def size_of(g: Any) -> float:
    """The Euclidean length of a gradient; of all parts of one that goes to several outputs of a gate."""
    if isinstance(g, tuple):
        return float(np.sqrt(sum([size_of(part) ** 2 for _, part in g])))
    if not shape_of(g):
        return abs(float(g))
    numbers = np.asarray(g, np.float64).ravel()
    return math.sqrt(np.dot(numbers, numbers))


class Names:
    """A name for each value that is asked for; two values with the same label get two names.

    >>> x = Value(2.0, label="x")
    >>> names = Names()
    >>> names(x), names(x * 3.0), names(Value(0.0, label="x"))
    ('x', 'v1', "x'")
    """

    def __init__(self) -> None:
        self.given: dict[Value, str] = {}
        self.taken: set[str] = set()
        self.next = 1

    def __call__(self, value: Value, default: str = "") -> str:
        if value in self.given:
            return self.given[value]
        name = "".join([c if c.isprintable() else "?" for c in str(value.label or default)])[:40]
        if not name:
            while f"v{self.next}" in self.taken:
                self.next += 1
            name = f"v{self.next}"
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        self.given[value] = name
        return name

    def any(self, x: Any) -> str:
        """The name of a value that has one, the number of others."""
        return self(x) if isinstance(x, Value) and (x.label or x in self.given) else number(raw(x))

    def recipe(self, value: Value) -> str:
        """How a value was made: its gate and what fed it.

        >>> x = Value(2.0, label="x")
        >>> Names().recipe(x * 3.0)
        'v1 = x * 3 = 6'
        """
        name = self(value)
        if value.gate is None:
            return f"{name} = {number(value.data)}"
        parts, symbol = [self.any(x) for x in value.inputs], value.gate.symbol
        if len(parts) == 2 and not symbol[0].isalnum() and len(symbol) <= 2:
            made = f" {symbol} ".join(parts)
        else:
            more = ", …" if len(parts) > 6 else ""
            made = f"{value.gate.name}({', '.join(parts[:6])}{more})"
        return f"{name} = {made} = {number(value.data)}"


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x
