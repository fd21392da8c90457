"""Names for the values of a graph, as explanations write them: the label, or v1, v2, ... in order of appearance.

And how numbers, and the parameters of gates (axis=0), are written.
"""

from __future__ import annotations

import math
from types import EllipsisType
from typing import Any

import numpy as np

from ..convert import shape_of
from ..errors import DtypeError
from ..gates.table import forward_signature
from ..nn.module import Module
from ..value import Value

__all__ = ["Names", "given", "number", "parameters", "settings", "size_of", "spelled"]


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


def parameters(v: Value) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the gate of v was called with beside its wires: by position, and by name."""
    if v._saved is None or v.gate is None:
        return (), {}
    wires, (_, *args), params = v._saved
    return tuple(args[len(wires) :]), params


def settings(v: Value, defaults: bool = False) -> dict[str, Any]:
    """The same by name; with `defaults`, also those that were not given.

    >>> x = Value([[1.0, 2.0]])
    >>> settings(x.sum(0)), settings(x.sum(), defaults=True)
    ({'axis': 0}, {'axis': None, 'keepdims': False})
    """
    signature = None if v.gate is None else forward_signature(v.gate)
    if signature is None or v.gate is None:
        return parameters(v)[1]
    extra, params = parameters(v)
    bound = signature.bind(*v.inputs, *extra, **params)
    if defaults:
        bound.apply_defaults()
    wires = list(signature.parameters)[: v.gate.arity]
    if v.gate.arity is None:  # any number of wires: *xs
        wires = [p.name for p in signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    return {name: x for name, x in bound.arguments.items() if name not in wires and not name.startswith("_")}


def given(v: Value) -> str:
    """The parameters that were given, as in a call: `axis=0, keepdims=True`."""
    return ", ".join([f"{name}={spelled(x, inner=True)}" for name, x in settings(v).items()])[:80]


def spelled(x: Any, inner: bool = False) -> str:
    """A parameter or an index as Python writes it.

    >>> spelled((0, slice(None, 2))), spelled(-1), spelled("ij->i"), spelled(np.ones((2, 2)))
    ('0, :2', '-1', "'ij->i'", 'array (2, 2)')
    """
    if isinstance(x, slice):
        parts = ["" if i is None else spelled(i) for i in (x.start, x.stop, x.step)]
        return ":".join(parts if x.step is not None else parts[:2])
    if isinstance(x, EllipsisType):
        return "..."
    if isinstance(x, (tuple, list)):
        text = ", ".join([spelled(i, inner=True) for i in x])
        return f"[{text}]" if isinstance(x, list) else f"({text}{',' * (len(x) == 1)})" if inner else text
    if isinstance(x, (type, np.dtype)):
        return str(np.dtype(x))
    return number(raw(x)).replace("−", "-") if isinstance(x, (float, int, np.number)) or shape_of(x) else repr(x)[:40]


class Names:
    """A name for each value that is asked for; two values with the same label get two names.

    The parameters of a model are called by their path in it: layers.0.weight.

    >>> x = Value(2.0, label="x")
    >>> names = Names()
    >>> names(x), names(x * 3.0), names(Value(0.0, label="x"))
    ('x', 'v1', "x'")
    """

    def __init__(self, model: Any = None, function: str = "explain") -> None:
        if model is not None and not isinstance(model, Module):
            raise DtypeError(f"{function}: model={model!r:.60} is a {type(model).__name__}, not an nn.Module.")
        self.given: dict[Value, str] = {}
        self.taken: set[str] = set()
        self.next = 1
        for path, p in model.named_parameters() if model is not None else ():
            self(p, path=path)

    def __call__(self, value: Value, default: str = "", path: str = "") -> str:
        if value in self.given:
            return self.given[value]
        name = "".join([c if c.isprintable() else "?" for c in str(path or value.label or default)])[:40]
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
        parts, symbol, more = [self.any(x) for x in value.inputs], value.gate.symbol, given(value)
        if value.gate.name in ("getitem", "pick"):
            made = f"{parts[0]}[{spelled(next(iter(settings(value).values())))}]"
        elif len(parts) == 2 and not symbol[0].isalnum() and len(symbol) <= 2:
            made = f" {symbol} ".join(parts)
        else:
            shown = [*parts[:6], "…"] if len(parts) > 6 else parts
            made = f"{value.gate.name}({', '.join([*shown, *[more] * bool(more)])})"
        return f"{name} = {made} = {number(value.data)}"


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x
