"""Transforms: functions that turn a function into its derivative.  They never read or write `.grad`.

`grad(f)` runs `f` on fresh leaves and pulls the gradient back to them.  Because the leaves are fresh, transforms nest:
a derivative inside a derivative sees the variables around it as constants of its own pass, and as variables of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

import numpy as np

from .convert import describe
from .errors import GradientError
from .tree import tree_leaves, tree_map
from .value import Value, new_value, positive, pull, recording, tape

__all__ = ["grad", "value_and_grad"]

enclosing: ContextVar[tuple[Value, ...]] = ContextVar("enclosing", default=())  # variables of the transforms around us


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of `f`, which returns a single number, as a function of the same arguments.

    The result has the structure, shapes and dtypes of argument `argnums` (a tuple of them for a tuple of numbers):
    floats and arrays in give floats and arrays out, `Value`s in give `Value`s out.  Raises `GradientError` where `f`
    doesn't return a single number.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda p: p["w"] * p["w"] + p["b"])({"w": 3.0, "b": 1.0})
    {'w': 6.0, 'b': 1.0}
    """
    both = value_and_grad(f, argnums)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """As `grad`, but the function returns the pair (f(x), gradient).

    >>> value_and_grad(lambda x, y: x * y, argnums=(0, 1))(3.0, 4.0)
    (12.0, (4.0, 3.0))
    """
    positions = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        for i in positions:
            if not -len(args) <= i < len(args):
                raise GradientError(f"argnums={argnums}, but the function was called with {len(args)} arguments.")
        around, recorded_before = enclosing.get(), recording.get()
        given_values = any([isinstance(x, Value) for x in tree_leaves([args, kwargs])])
        tokens = recording.set(True), enclosing.set(around)
        try:
            traced = list(args)
            for i in positions:
                traced[i] = tree_map(variable, args[i])
            variables = tree_leaves([traced[i] for i in positions])
            enclosing.set((*around, *variables))
            out = f(*traced, **kwargs)
            enclosing.set(around)
            check_single_number(f, out)
            grads = gradients(out, variables, record=given_values or bool(around))
        finally:
            recording.reset(tokens[0])
            enclosing.reset(tokens[1])

        def result(x: Any) -> Any:
            """Raw, unless a `Value` was given or an enclosing variable is in it."""
            if not isinstance(x, Value):
                return new_value(x) if given_values else x
            if given_values or depends_on(x, around):
                return x if recorded_before else x.detach()
            return own(x.data)

        found = iter(grads)
        trees = [tree_map(lambda _: result(next(found)), args[i]) for i in positions]
        return result(out), (trees[0] if isinstance(argnums, int) else tuple(trees))

    return both


def variable(x: Any) -> Value:
    """A fresh leaf with the data of `x`; if `x` is a `Value`, one through which gradients still reach it."""
    if isinstance(x, Value):
        through: Value = positive(x)
        return through if through.requires_grad else Value(x.data)
    return Value(x)


def gradients(out: Any, variables: list[Value], record: bool) -> list[Any]:
    """d out / d variable for each variable, zeros where no path leads there; as `Value`s if `record`."""
    found: dict[Value, Any] = {}
    if isinstance(out, Value) and out.requires_grad:
        one = 1.0 if not out.shape and isinstance(out.data, float) else np.ones(out.shape, out.dtype)
        with np.errstate(all="ignore"):
            found = pull(out, new_value(one) if record else one)
    return [x.data * 0.0 if (g := found.get(x)) is None else g for x in variables]


def depends_on(x: Value, variables: tuple[Value, ...]) -> bool:
    if not variables or not x.requires_grad:
        return False
    behind = tape(x)[1]
    return any([v in behind for v in variables])


def own(data: Any) -> Any:
    """An array that shares memory with nothing in the graph."""
    return data if isinstance(data, float) else np.array(data)


def check_single_number(f: Callable[..., Any], out: Any) -> None:
    name = getattr(f, "__name__", "f")
    if not isinstance(out, (Value, float, int, np.floating)):
        raise GradientError(f"grad: {name} returned {describe(out)}; it must return one number, as a Value.")
    if isinstance(out, Value) and out.size != 1:
        raise GradientError(
            f"grad: {name} returned {describe(out)} with {out.size} numbers; a gradient is of one number: "
            "reduce it, as with .sum()."
        )
