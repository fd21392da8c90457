"""The registry: every gate of the catalogue under its NumPy name, each made by one `row`.

Beside it stand the functions that are `composed` of gates: they need no derivative of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

from ..convert import explained
from ..errors import MinigradError
from ..value import Gate

__all__ = ["COMPOSED", "REGISTRY", "Call", "call", "composed", "register", "row"]

REGISTRY: dict[str, Gate] = {}
COMPOSED: dict[str, Callable[..., Any]] = {}  # functions made of several gates, under their NumPy names
F = TypeVar("F", bound=Callable[..., Any])


class Call(NamedTuple):
    """An example call that tests make: a shape per wire, the range to draw from, and the parameters.

    An entry of `shapes` that is not a tuple is passed as it is (a mask, for instance).
    """

    shapes: tuple[Any, ...]
    params: dict[str, Any]
    low: float = -2.0
    high: float = 2.0


def call(*shapes: Any, low: float = -2.0, high: float = 2.0, **params: Any) -> Call:
    return Call(shapes, params, low, high)


def row(
    name: str, forward: Callable[..., Any], *, domain: Any = None, hint: Any = None, leading: bool = False, **rules: Any
) -> Gate:
    """Make a gate and enter it in the catalogue: this is all that adding a gate takes.

    `domain` says where tests sample it: for an elementwise gate a (low, high) range per wire, otherwise a list of
    example calls.  `leading` says of a vjp that it takes a `g` with more axes in front, many gradients at once.
    Everything else is as in `Gate`.
    """
    return register(Gate(name, forward, **rules), domain, hint, leading)


def register(gate: Gate, domain: Any = None, hint: Any = None, leading: bool = False) -> Gate:
    if gate.name in REGISTRY:
        raise ValueError(f"a gate named {gate.name!r} is in the catalogue already.")
    gate.__module__ = "minigrad.gates"
    gate.domain = domain if domain is not None else [(-2.0, 2.0)] * (gate.arity or 2)
    gate.catalogued = True
    gate.hint, gate.leading, gate.fresh = hint, leading, True
    REGISTRY[gate.name] = gate
    return gate


def composed(function: F) -> F:
    """Decorate a function made of gates: `mg.name`, `np.name` on `Value`s and methods find it, as they find a gate.

    Its errors name it and its inputs, as those of a gate do, also where a gate inside has failed.
    """

    name = function.__name__

    @wraps(function)
    def checked(*args: Any, **params: Any) -> Any:
        try:
            return function(*args, **params)
        except (ValueError, TypeError, IndexError) as error:
            if isinstance(error, MinigradError) and str(error).startswith(f"{name}: "):
                raise
            raise explained(checked, error, args or tuple(params.values())) from error

    checked.name, checked.symbol, checked.hint = name, name, None  # type: ignore[attr-defined]
    COMPOSED[name] = checked
    return cast(F, checked)


class Doc:
    """`help(mg.exp)`: read from the gate's row when somebody asks; `Gate.__doc__` is that of the class."""

    def __init__(self, of_class: str | None) -> None:
        self.of_class = of_class

    def __get__(self, gate: Gate | None, owner: type) -> str | None:
        if gate is None:
            return self.of_class
        if REGISTRY.get(gate.name) is not gate:
            return f"{gate.name}: a gate that is not in the catalogue."
        from .table import describe_gate

        return describe_gate(gate)


class Signature:
    """`inspect.signature(mg.sum)`: the parameters of the gate's forward rule."""

    def __get__(self, gate: Gate | None, owner: type) -> Any:
        if gate is None:
            return None
        from .table import signature

        return signature(gate)


Gate.__doc__ = Doc(Gate.__doc__)  # type: ignore[assignment]
Gate.__signature__ = Signature()  # type: ignore[attr-defined]
