"""NumPy's functions on `Value`s: `np.exp(v)`, `array * v` and `np.sum(v, axis=0)` find the gate of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..convert import describe
from ..errors import DtypeError
from ..value import Value
from .registry import COMPOSED, REGISTRY

ANSWERS: dict[str, Callable[..., Any]] = {  # questions about a value that need no gate
    "shape": lambda v: v.shape,
    "ndim": lambda v: v.ndim,
    "size": lambda v: v.size,
}


NOT_NUMPYS = ("put", "select")  # gates for derivative statements: NumPy has other functions of these names


def array_ufunc(self: Value, ufunc: Any, how: str, *inputs: Any, **kwargs: Any) -> Any:
    """`np.exp(v)`, `np.add.reduce(v)`, `ndarray * v`."""
    if kwargs.get("out") is not None:
        raise DtypeError(f"np.{ufunc.__name__}: out= can't hold a Value; write `a = a + v`, not `a += v`.")
    if how == "reduce" and ufunc in (np.add, np.maximum, np.minimum):
        gate = {np.add: "sum", np.maximum: "max", np.minimum: "min"}[ufunc]
        return REGISTRY[gate](*inputs, **{"axis": 0, **kwargs})
    if how != "__call__" or kwargs:
        extra = f" with {', '.join(kwargs)}=" if kwargs else ""
        raise DtypeError(f"np.{ufunc.__name__}.{how}{extra} has no gate in minigrad; use v.data for raw numbers.")
    return lookup(ufunc.__name__)(*inputs)


def array_function(self: Value, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """`np.sum(v, axis=0)`, `np.concatenate([v, w])`."""
    name = func.__name__
    if func is not getattr(np, name, None) and func is not getattr(np.linalg, name, None):  # np.strings.add
        return lookup(f"{func.__module__.removeprefix('numpy.')}.{name}")
    defaults = {"out": None, "dtype": None, "where": np._NoValue, "initial": np._NoValue}  # as libraries pass them on
    kwargs = {key: x for key, x in kwargs.items() if key not in defaults or x is not defaults[key]}
    if func in (np.linalg.trace, np.linalg.diagonal):  # which differ from np.trace in the axes they take
        kwargs = {"axis1": -2, "axis2": -1, **kwargs}
    return (ANSWERS.get(name) or lookup(name))(*args, **kwargs)


def lookup(name: str) -> Any:
    name = {"degrees": "rad2deg", "radians": "deg2rad"}.get(name, name)
    if name in NOT_NUMPYS or (found := REGISTRY.get(name) or COMPOSED.get(name)) is None:
        raise DtypeError(f"np.{name} has no gate in minigrad: use v.data for raw numbers, or mg.Gate to define one.")
    return found


def as_array(self: Value, *args: Any, **kwargs: Any) -> Any:
    raise DtypeError(
        f"{describe(self)} doesn't turn into an ndarray by itself, for its gradient would be lost: use v.data for the "
        "raw numbers, and mg.stack(list) to make one Value of several."
    )


def attach(aliases: dict[str, str]) -> None:
    for alias, name in aliases.items():
        ANSWERS[alias] = REGISTRY[name]
    for name, function in {
        "__array_ufunc__": array_ufunc,
        "__array_function__": array_function,
        "__array__": as_array,
    }.items():
        setattr(Value, name, function)
