"""The operators that a function becomes, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import gates
from ..convert import FLOAT64
from ..nn import Module
from ..tree import tree_leaves
from .errors import ExportError
from .functions import FUNCTIONS, WANTED
from .rows import ROWS
from .trace import Step, trace
from .writer import Wire, Writer, named

__all__ = ["differ", "module_of", "written"]


def written(f: Callable[..., Any], inputs: dict[str, Any]) -> tuple[Writer, dict[str, Any]]:
    """The operators that `f` becomes for these inputs, and the numbers of its outputs by name."""
    names: dict[int, str] = {}
    if module := module_of(f):
        names |= {id(p): name for name, p in module.named_parameters()}
        names |= {id(array): name for name, array in module.named_buffers()}
    tree, steps = trace(f, inputs, names, WANTED)
    outputs = {f"{name}_out" if name in inputs else name: step for name, step in outputs_of(tree).items()}
    steps = needed(steps, [*outputs.values()])
    missing = [step for step in steps if step.op not in ROWS and step.op not in FUNCTIONS and step.op != "pick"]
    if missing:
        listed = dict.fromkeys([named(step) for step in missing])
        never = sorted(set(gates.REGISTRY) - {*ROWS, "pick"})
        raise ExportError(
            f"export: {', '.join(listed)}: ONNX has no counterpart. The gates without one are {', '.join(never)}, and "
            "those of your own."
        )
    op = Writer()
    op.taken |= {*inputs, *outputs}
    wires: dict[int, Any] = {}
    for step in steps:
        wires[id(step)] = write(op, step, wires)
    deliver(op, {name: op.wire(wire_of(op, step, wires)).name for name, step in outputs.items()})
    return op, {name: np.asarray(step.out) for name, step in outputs.items()}


def deliver(op: Writer, outputs: dict[str, str]) -> None:
    """Give the wires the names of the outputs that they are; an input, a constant, or one given twice is copied."""
    from onnx import helper

    made = {name for node in op.nodes for name in node.output}
    names: dict[str, str] = {}
    for name, wire in outputs.items():
        if wire not in made or wire in names:
            op.nodes.append(helper.make_node("Identity", [wire], [name], name=f"to_{name}"))
            op.gates.append("the output")
        else:
            names[wire] = name
    for node in op.nodes:
        for ends in (node.input, node.output):
            ends[:] = [names.get(wire, wire) for wire in ends]
    used = {name for node in op.nodes for name in node.input}
    op.constants = {name: array for name, array in op.constants.items() if name in used}


def outputs_of(tree: Any) -> dict[str, Step]:
    """The results by name: the keys of a dict, "output", or "output_0" and so on."""
    leaves = [leaf if isinstance(leaf, Step) else Step("constant", out=np.asarray(leaf)) for leaf in tree_leaves(tree)]
    others = [leaf.out for leaf in leaves if leaf.op == "constant" and np.asarray(leaf.out).dtype.kind not in "biuf"]
    if others or not leaves:
        what = f"{others[0]!r:.60}" if others else "nothing"
        raise ExportError(f"export: the function returns {what}; it is arrays, alone or in dicts, lists and tuples.")
    if isinstance(tree, dict) and len(tree) == len(leaves) and all([isinstance(key, str) and key for key in tree]):
        return dict(zip(tree, leaves, strict=True))
    return {f"output_{i}" if len(leaves) > 1 else "output": leaf for i, leaf in enumerate(leaves)}


def needed(steps: list[Step], roots: list[Step]) -> list[Step]:
    """The steps that lead to `roots`, in their order."""
    found = {id(step) for step in roots}
    for step in reversed(steps):
        if id(step) in found:
            inside = tree_leaves([[*step.inputs], [*step.more], step.params or {}])
            found |= {id(x) for x in inside if isinstance(x, Step)}
    return [step for step in steps if id(step) in found]


def write(op: Writer, step: Step, wires: dict[int, Any]) -> Any:
    """Write the operators of one step: its wire, or a list of them."""
    if step.op == "pick":
        return wire_of(op, step.inputs[0], wires)[step.more[0]]
    op.step, op.dtype = step, dtype_of(step)
    plain = step.gate.plain if step.gate is not None else ()
    inputs = [wire_of(op, x, wires) for x in step.inputs]
    for i, x in enumerate(step.inputs):
        if isinstance(x, Step) and i not in plain:
            inputs[i] = aligned(op, step, x, inputs[i])
    more, params = [replaced(op, y, wires) for y in (list(step.more), step.params or {})]
    rule = FUNCTIONS[step.op] if step.gate is None else ROWS[step.op]
    out = rule(op, *inputs, *more, **params)
    if isinstance(step.out, tuple):
        return [Wire(wire.name, np.shape(x), x.dtype) for wire, x in zip(out, step.out, strict=True)]
    return Wire(op.wire(out).name, np.shape(step.out), np.asarray(step.out).dtype)


def aligned(op: Writer, step: Step, x: Step, wire: Any) -> Any:
    """An input in the dtype of the gate, as ONNX wants them; indices, counts and masks that are asked stay."""
    own = np.asarray(x.out).dtype
    if step.gate is None and own.kind != "f":
        return wire
    if step.gate is not None and not step.gate.differentiable and len(step.inputs) == 1:
        return wire
    if x.op == "constant" and not isinstance(x.out, np.ndarray):
        return op.constant(np.asarray(x.out, op.dtype))
    return op.cast(wire, op.dtype)


def dtype_of(step: Step) -> Any:
    """The dtype of a gate: that of its result or, if this is no float, of its inputs."""
    out = step.out[0] if isinstance(step.out, tuple) else step.out
    kind = getattr(out, "dtype", FLOAT64)
    if kind.kind == "f":
        return kind
    arrays = [x.out for x in step.inputs if isinstance(x, Step) and isinstance(x.out, np.ndarray)]
    return np.result_type(*arrays) if arrays else FLOAT64


def wire_of(op: Writer, x: Any, wires: dict[int, Any]) -> Any:
    """The wire of a step; what comes from outside gets its name now."""
    if not isinstance(x, Step):
        return x
    if id(x) not in wires:
        array = np.asarray(x.out)
        if x.op == "input":
            wires[id(x)] = Wire(x.label, array.shape, array.dtype)
        else:
            wires[id(x)] = op.constant(array, x.label)
    return wires[id(x)]


def replaced(op: Writer, x: Any, wires: dict[int, Any]) -> Any:
    """Parameters with wires in the place of steps."""
    if isinstance(x, dict):
        return {name: replaced(op, y, wires) for name, y in x.items()}
    if isinstance(x, (tuple, list)):
        return type(x)([replaced(op, y, wires) for y in x])
    return wire_of(op, x, wires)


def module_of(f: Any) -> Module | None:
    """The module that is `f`, or whose method it is."""
    owner = f if isinstance(f, Module) else getattr(f, "__self__", None)
    return owner if isinstance(owner, Module) else None


def differ(a: Writer, b: Writer) -> str:
    """Which gate made the files different, in words; nothing if they are the same."""
    for i, node in enumerate(a.nodes):
        if i >= len(b.nodes) or str(node) != str(b.nodes[i]):
            return a.gates[i]
        for name in node.input:
            x, y = a.constants.get(name), b.constants.get(name)
            if x is not None and y is not None and (x.shape != y.shape or x.tobytes() != y.tobytes()):
                return f"{'a number' if x.size == 1 else f'an array of shape {x.shape}'} in {a.gates[i]}"
    return "" if len(a.nodes) == len(b.nodes) else "the number of gates"
