"""The scalar circuit behind a small expression of arrays: every product and sum of a matmul as a gate of its own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import whole
from ..convert import shape_of
from ..errors import GradientError, ShapeError
from ..gates import getitem, reshape, stack
from ..value import Gate, Value, tape
from .expansions import EXPANSIONS, MOVES, cells, estimate
from .names import Names, parameters

__all__ = ["Expansion", "expand", "expansion"]


@dataclass(frozen=True)
class Expansion:
    """A scalar circuit, and what its leaves are entries of."""

    root: Value  # the same number as the original; of an array, the stack of its entries
    leaves: dict[Value, Any]  # each original leaf: an array of objects of its shape, the scalar `Value`s of its entries
    kept: tuple[str, ...]  # the names of gates that have no scalar circuit here, and stay as they are


def expand(v: Value, *, max_nodes: int = 2000) -> Value:
    """The scalar circuit that computes `v`: its leaves are single numbers, labelled W[0,1]; same numbers, same slopes.

    Gates that have no scalar circuit (solve, svd, your own vjp gates) stay as they are, with a warning that names them.
    Raises `ShapeError` when there would be about more than `max_nodes` gates and leaves, `GradientError` for data
    that were replaced after `v` was computed.  `expansion(v)` also tells which leaf belongs to which entry.

    >>> W, x = Value([[1.0, 2.0]], label="W"), Value([3.0, 4.0], label="x")
    >>> f = expand((W @ x).sum())
    >>> f.data, f.gate.name, [v.gate.name for v in f.inputs], [v.label for v in f.inputs[1].inputs]
    (11.0, 'add', ['multiply', 'multiply'], ['W[0,1]', 'x[1]'])
    """
    made = expansion(v, max_nodes=max_nodes)
    if made.kept:
        gates = ", ".join(made.kept)
        warnings.warn(f"expand: {gates}: no scalar circuit is known, so that the gate stays as it is.", stacklevel=2)
    return made.root


def expansion(v: Value, *, max_nodes: int = 2000) -> Expansion:
    """As `expand`, with the scalar leaves for each original leaf, and the gates that were kept.

    >>> x = Value([3.0, 4.0], label="x")
    >>> made = expansion((x * x).sum())
    >>> made.root.backward()
    >>> [entry.grad for entry in made.leaves[x]]
    [6.0, 8.0]
    """
    if not isinstance(v, Value):
        raise GradientError(f"expand: {type(v).__name__} is no Value: there is no graph behind it.")
    max_nodes = whole("expand: max_nodes", max_nodes, least=1)
    gates = list(reversed(tape(v)[0]))
    check_size(v, gates, max_nodes)
    names, leaves, kept = Names(), dict[Value, Any](), dict[str, None]()
    made: dict[Value, Any] = {}

    def entries(x: Any) -> Any:
        if isinstance(x, Value):
            if x not in made:
                made[x] = leaves[x] = scalar_leaves(x, names(x))
            return made[x]
        return cells(shape_of(x), [x if isinstance(x, str) else entry(x, i) for i in np.ndindex(shape_of(x))])

    for node in gates:
        assert node.gate is not None
        extra, params = parameters(node)
        inputs = [entries(x) for x in node.inputs]
        out = expanded(node, node.gate, inputs, extra, params)
        if out is None:
            kept[node.gate.name] = None
            out = as_it_is(node.gate, inputs, extra, params)
        made[node] = out
    root = assembled(entries(v))
    if not np.allclose(np.asarray(root.data), np.asarray(v.data), rtol=1e-5, atol=1e-8, equal_nan=True):
        raise GradientError("expand: the data of a leaf were replaced after this graph was computed: run it again.")
    if v.label and not root.label and root.gate is not None:
        root.label = v.label
    return Expansion(root, leaves, tuple(kept))


def check_size(v: Value, gates: list[Value], max_nodes: int) -> None:
    leaves = {x for node in gates for x in node.inputs if isinstance(x, Value) and x.gate is None}
    n = sum([x.size for x in leaves])
    for node in gates:
        out = sum([int(np.size(part)) for part in node.data]) if isinstance(node.data, tuple) else node.size
        n += estimate(node.gate.name if node.gate else "", [shape_of(x) for x in node.inputs], out)
    if n > max_nodes:
        raise ShapeError(
            f"expand: the scalar circuit would have about {n} gates and leaves, more than max_nodes={max_nodes}. "
            "Expand one entry of the result, or use smaller arrays (two examples, three units), or raise max_nodes."
        )


def entry(x: Any, index: tuple[int, ...]) -> Any:
    """One number of raw data: a Python float, int or bool; a float32 stays one."""
    one = np.asarray(x)[index]
    return one if one.dtype == np.float32 else one.item()


def scalar_leaves(x: Value, name: str) -> Any:
    single = []
    for i in np.ndindex(x.shape):
        label = f"{name}[{','.join([str(n) for n in i])}]" if i else x.label
        one = entry(x.data, i)
        single.append(Value(one if type(one) is float else np.asarray(one), label, x.requires_grad))
    return cells(x.shape, single)


def expanded(node: Value, gate: Gate, inputs: list[Any], extra: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The entries of the result of a gate, made of scalar gates; None if that is not known."""
    if gate.name == "pick":
        return inputs[0][extra[0] if extra else params["i"]]
    if gate.elementwise or gate.name == "astype":
        rows = np.broadcast_arrays(*inputs, *[as_objects(p) for p in (*extra, *params.values())])
        n, by_position = len(inputs), len(inputs) + len(extra)
        each = [
            call(gate, [row[i] for row in rows[:n]], tuple([row[i] for row in rows[n:by_position]]),
                 dict(zip(params, [row[i] for row in rows[by_position:]], strict=True)))
            for i in np.ndindex(rows[0].shape)
        ]  # fmt: skip
        return cells(rows[0].shape, each)
    if gate.name in MOVES:
        return moved(gate, inputs, extra, params)
    if gate.name in ("std", "vector_norm") and not np.all(node.data):
        return None  # their slope at 0 is stated as 0; that of a square root isn't
    try:
        out = EXPANSIONS[gate.name](*inputs, *extra, **params)
    except (KeyError, TypeError):
        return None
    return out if out is None or isinstance(out, np.ndarray) else cells((), [out])


def as_objects(x: Any) -> Any:
    return cells(np.shape(x), np.asarray(x).flat) if isinstance(x, np.ndarray) and x.ndim else cells((), [x])


def moved(gate: Gate, inputs: list[Any], extra: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Where a gate only moves numbers, let it move the numbers 1, 2, 3, ... and see where they went."""
    ends = np.cumsum([0] + [x.size for x in inputs])
    numbered = [1.0 + start + np.arange(x.size).reshape(x.shape) for start, x in zip(ends, inputs, strict=False)]
    everything = [0.0] + [one for x in inputs for one in x.flat]
    out = call(gate, numbered, extra, params)

    def look_up(places: Any) -> Any:
        found = np.asarray(places).astype(int)
        return cells(found.shape, [everything[i] for i in found.flat])

    if gate.name == "put" and np.count_nonzero(out) != len(everything) - 1:
        return None  # repeated indices, which add up
    return tuple([look_up(part) for part in out]) if isinstance(out, (tuple, list)) else look_up(out)


def call(gate: Gate, inputs: list[Any], extra: tuple[Any, ...], params: dict[str, Any]) -> Any:
    return gate(list(inputs), **params) if gate.sequence else gate(*inputs, *extra, **params)


def as_it_is(gate: Gate, inputs: list[Any], extra: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """The gate itself, between a stack of scalars and the entries of its result."""
    out = call(gate, [assembled(x) if x.dtype == object else x for x in inputs], extra, params)
    return tuple([taken_apart(part) for part in out]) if isinstance(out, tuple) else taken_apart(out)


def assembled(x: Any) -> Any:
    """A single `Value` from an array of them: for arrays, the stack of all entries."""
    if not x.shape:
        return x[()]
    flat = list(x.flat)
    if not any([isinstance(one, Value) for one in flat]):
        return np.asarray([np.asarray(one) for one in flat]).reshape(x.shape)
    line = stack(flat)
    return line if x.ndim == 1 else reshape(line, shape=x.shape)


def taken_apart(x: Any) -> Any:
    if not isinstance(x, Value):
        return cells(shape_of(x), [entry(x, i) for i in np.ndindex(shape_of(x))])
    return cells(x.shape, [getitem(x, i) for i in np.ndindex(x.shape)] if x.shape else [x])
