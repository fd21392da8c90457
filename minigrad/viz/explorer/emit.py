"""Recorded gates as JavaScript expressions: `F.multiply(x[0], K[2])`.

Only names of functions in gates.js, places in the page's data and literal numbers come into the script; no labels.
Indices, windows and cuts are resolved here, into positions: shapes don't change in the page.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...compile.wires import detach, number, read
from ...convert import shape_of
from ...gates import REGISTRY
from ...gates.einsum import letters
from ...gates.pooling import first_of_largest
from ...gates.shapes import permutation
from ...tree import tree_leaves
from ...value import Gate, Value, pick

__all__ = ["Constants", "NoScript", "function_of", "script", "script_name"]

HERE = Path(__file__).parent
SCRIPTS = (
    "arrays.js", "special.js", "matrices.js", "gates.js", "replay.js", "words.js", "state.js", "drawing.js",
    "panels.js", "training.js", "page.js",
)  # fmt: skip
REDUCTIONS = {
    "sum", "mean", "max", "min", "prod", "logsumexp", "var", "std", "vector_norm", "all", "any", "argmax", "argmin",
    "count_nonzero",
}  # fmt: skip
ALONG = {"softmax", "log_softmax", "cumsum", "cumprod"}
REVERSED = {"put": "getitem", "unwindows": "windows", "uncolumns": "columns"}
OTHERS = {pick: "pick", number: "number", read: "read", detach: "detach", first_of_largest: "first_of_largest"}
QUESTIONS: dict[Any, str] = {  # NumPy's functions, as gates for masks
    np.bitwise_and: "bitwise_and", np.bitwise_or: "bitwise_or", np.bitwise_xor: "bitwise_xor", np.invert: "invert",
    np.add.reduce: "sum", np.multiply.reduce: "prod", np.maximum.reduce: "max", np.minimum.reduce: "min",
}  # fmt: skip


class NoScript(Exception):
    """There is no JavaScript for this: the page says so."""


class Constants:
    """Arrays that rules contain (masks, positions): the page's data has each once."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.places: dict[Any, int] = {}

    def place(self, array: Any) -> str:
        array = np.ascontiguousarray(array)
        key = (array.shape, str(array.dtype), array.tobytes())
        if key not in self.places:
            self.places[key] = len(self.arrays)
            self.arrays.append(array)
        return f"K[{self.places[key]}]"


@cache
def script(name: str) -> str:
    """A script of the page."""
    return (HERE / name).read_text(encoding="utf-8")


@cache
def functions() -> frozenset[str]:
    """The gates whose forward rule is in JavaScript: lines `F.name = ...`."""
    return frozenset(re.findall(r"^F\.(\w+) =", script("gates.js"), re.MULTILINE))


def script_name(gate: Gate) -> str | None:
    """Its name there, if the gate is one that is in JavaScript, too."""
    name = gate.name
    if REGISTRY.get(name) is gate:
        return name if name in functions() or name in LOWERED else None
    try:
        return OTHERS.get(gate) or (QUESTIONS.get(gate.forward) if not gate.differentiable else None)
    except TypeError:  # a function that is no key
        return None


def wired(node: Value) -> list[Any]:
    """What a gate was given, with values in the place of their numbers: inputs, then parameters by position."""
    if node._saved is None:
        return list(node.inputs)
    wires, (_, *args), _ = node._saved
    return [*[w if isinstance(w, Value) else x for w, x in zip(wires, args, strict=False)], *args[len(wires) :]]


# ------------------------------------------------------------------------------------------------------------ functions
def function_of(head: str, names: dict[Value, str], result: Any, constants: Constants) -> str:
    """An arrow function: what is used twice gets a name."""
    order, uses = recorded(result, names)
    names, lines = dict(names), list[str]()
    for node in order:
        text = expression(node, names, constants)
        if uses[node] > 1:
            lines.append(f"const t{len(lines)} = {text}; ")
            text = f"t{len(lines) - 1}"
        names[node] = text
    body = literal(result, names, constants)
    return f"({head}) => {{ {''.join(lines)}return {body}; }}" if lines else f"({head}) => {body}"


def recorded(result: Any, names: dict[Value, str]) -> tuple[list[Value], dict[Value, int]]:
    """The recorded gates behind a result, inputs first, and how often each is used."""
    uses: dict[Value, int] = {}
    stack = [x for x in tree_leaves(result) if isinstance(x, Value)]
    for x in stack:
        uses[x] = uses.get(x, 0) + 1
    stack, found = list(dict.fromkeys(stack)), []
    while stack:
        node = stack.pop()
        if node in names:
            continue
        if node.gate is None:
            raise NoScript
        found.append(node)
        for x in tree_leaves([wired(node), node._saved[2] if node._saved else {}]):
            if isinstance(x, Value):
                if x not in uses:
                    stack.append(x)
                uses[x] = uses.get(x, 0) + 1
    found.sort(key=lambda node: node._number)
    return found, uses


def expression(node: Value, names: dict[Value, str], constants: Constants) -> str:
    gate, params = node.gate, node._saved[2] if node._saved is not None else {}
    assert gate is not None
    name, args = script_name(gate), wired(node)
    if name is None:
        raise NoScript

    def put(x: Any) -> str:
        return literal(x, names, constants)

    if name in LOWERED:
        return LOWERED[name](node, args, dict(params), put)
    return f"F.{name}({', '.join(map(put, bound(gate, args, params)))})"


def bound(gate: Gate, args: list[Any], params: dict[str, Any]) -> list[Any]:
    """Inputs and parameters in the order of the forward rule's signature; of a joint gate the inputs are one list."""
    if isinstance(gate.forward, np.ufunc) or gate.forward is np.where:
        return args
    given = inspect.signature(gate.forward).bind(*args, **params)
    given.apply_defaults()
    flat = [*given.args, *given.kwargs.values()]
    if gate.arity is not None or not gate.differentiable:
        return flat
    return [flat[: len(args)], *flat[len(args) :]]


def literal(x: Any, names: dict[Value, str], constants: Constants) -> str:
    """A value by its name, a number, list or text as JavaScript writes it, an array by its place in the data."""
    if isinstance(x, Value):
        return names[x]
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "fiub":
            raise NoScript
        return constants.place(x)
    if isinstance(x, np.generic):
        x = x.item()
    if x is None or isinstance(x, (bool, int)):
        return json.dumps(x)
    if isinstance(x, float):
        return repr(x) if isfinite(x) else "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"
    if isinstance(x, str):
        return json.dumps(x).replace("<", "\\u003c")
    if isinstance(x, (list, tuple)):
        return f"[{', '.join([literal(y, names, constants) for y in x])}]"
    raise NoScript


# ------------------------------------------------------------------------------------------ what depends on shapes only
def shape(x: Any) -> list[int]:
    return list(shape_of(x._raw if isinstance(x, Value) else x))


def places_in(size: list[int]) -> Any:
    """An array of this shape that holds the position of each number."""
    return np.arange(int(np.prod(size, dtype=int)), dtype=np.int32).reshape(size)


def resolved(x: Any) -> Any:
    """A parameter that must be known beforehand."""
    if any([isinstance(part, Value) for part in tree_leaves(x)]):
        raise NoScript
    return x


def taken(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    """What only moves numbers, moves their positions."""
    x, *more = args
    places = node.gate.forward(places_in(shape(x)), *resolved(more), **resolved(params))  # type: ignore[union-attr]
    return f"F.take({put(x)}, {put(np.asarray(places))}, {shape(node)})"


def added(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    """What adds numbers up at their places; it reverses a gate that takes them from there."""
    gate = node.gate
    assert gate is not None
    given = inspect.signature(gate.forward).bind(*args, **params).arguments
    x, _ = given.pop("g"), given.pop("shape")
    places = REGISTRY[REVERSED[gate.name]].forward(places_in(shape(node)), **resolved(given))
    return f"F.put({put(x)}, {put(np.asarray(places))}, {shape(node)})"


def transposed(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    n = len(shape(args[0]))
    axes = permutation(tuple(args[1:]), params.get("axes"))
    order = [a % n for a in axes] if axes is not None else list(range(n - 1, -1, -1))
    return f"F.transpose({put(args[0])}, {put([int(a) for a in order])})"


def reduced(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    """F.sum(x, axes, shape, ...): the axes counted from the front, the shape of the result, further parameters."""
    name = script_name(node.gate)  # type: ignore[arg-type]
    assert name is not None
    gate = REGISTRY[name]
    given = inspect.signature(gate.forward).bind(*args, **params)
    given.apply_defaults()
    x, axis = given.arguments["x"], given.arguments["axis"]
    n = len(shape(x))
    axes = list(range(n)) if axis is None or not n else [int(a) for a in normalize_axis_tuple(axis, n)]
    more = [value for key, value in given.arguments.items() if key not in ("x", "axis", "keepdims")]
    return f"F.{name}({', '.join([put(x), put(axes), put(shape(node)), *map(put, more)])})"


def along(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    """F.softmax(x, axes): of each line along the axes; without an axis, of all numbers as one line."""
    given = inspect.signature(node.gate.forward).bind(*args, **params)  # type: ignore[union-attr]
    given.apply_defaults()
    x, axis = given.arguments["x"], given.arguments["axis"]
    text, axes = put(x), [0]
    if axis is None or not shape(x):
        text = f"F.reshape({text}, [{int(np.prod(shape(x)))}])"
    else:
        axes = [int(a) for a in normalize_axis_tuple(axis, len(shape(x)))]
    return f"F.reshape(F.{node.gate.name}({text}, {put(axes)}), {shape(node)})"  # type: ignore[union-attr]


def cut(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    given = dict(zip(("x", "indices_or_sections", "axis"), args, strict=False)) | params
    x, axis = given["x"], given.get("axis", 0)
    parts = np.split(places_in(shape(x)), resolved(given["indices_or_sections"]), axis)
    return f"[{', '.join([f'F.take({put(x)}, {put(part)}, {list(part.shape)})' for part in parts])}]"


def summed(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    subscripts, *xs = args
    terms, output = letters(subscripts, [tuple(shape(x)) for x in xs])
    return f"F.einsum({put(terms)}, {put(output)}, {put(xs)})"


def joined(node: Value, args: list[Any], params: dict[str, Any], put: Callable[[Any], str]) -> str:
    axis = params.get("axis", 0) % len(shape(node))
    if node.gate.name == "stack":  # type: ignore[union-attr]
        one = shape(node)
        one[axis] = 1
        return f"F.concatenate([{', '.join([f'F.reshape({put(x)}, {one})' for x in args])}], {axis})"
    return f"F.concatenate({put(args)}, {axis})"


LOWERED: dict[str, Callable[[Value, list[Any], dict[str, Any], Callable[[Any], str]], str]] = {
    "reshape": lambda node, args, params, put: f"F.reshape({put(args[0])}, {shape(node)})",
    "broadcast_to": lambda node, args, params, put: f"F.broadcast_to({put(args[0])}, {shape(node)})",
    "astype": lambda node, args, params, put: f"F.cast({put(args[0])}, {put(node.dtype.char)})",
    "number": lambda node, args, params, put: f"F.cast({put(args[0])}, {put(node.dtype.char)})",
    "pick": lambda node, args, params, put: f"{put(args[0])}[{params.get('i', args[-1])}]",
    "read": lambda node, args, params, put: put(args[0]),
    "detach": lambda node, args, params, put: put(args[0]),
    "getitem": taken, "windows": taken, "columns": taken, "put": added, "unwindows": added, "uncolumns": added,
    "transpose": transposed, "split": cut, "einsum": summed, "concatenate": joined, "stack": joined,
}  # fmt: skip
LOWERED |= dict.fromkeys(REDUCTIONS, reduced) | dict.fromkeys(ALONG, along)
