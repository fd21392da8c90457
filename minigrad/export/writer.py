"""ONNX nodes, written one after the other: what the rows call `op`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import ExportError
from .trace import Step

__all__ = ["Wire", "Writer", "named"]


@dataclass(frozen=True)
class Wire:
    """The name of an array in the file, and what is known of it."""

    name: str
    shape: tuple[int, ...] = ()
    dtype: Any = None  # None: of a node inside a row, which knows


class Writer:
    """`op.Mul(x, 2.0)` writes a Mul and returns its output; other attributes of ONNX go by name.

    Floats become constants of the `dtype` of the gate at hand, whose result has the `shape` and the numbers `out`.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.gates: list[str] = []  # for each node, the gate that it belongs to
        self.constants: dict[str, Any] = {}  # name to array, in order
        self.known: dict[Any, str] = {}  # the name of a constant, by its bytes
        self.taken: set[str] = set()
        self.dtype: Any = np.dtype(float)
        self.step: Any = None

    @property
    def out(self) -> Any:
        return self.step.out

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.step.out)

    def unsupported(self, what: str) -> ExportError:
        return ExportError(f"export: {named(self.step)}: ONNX has no counterpart for {what}.")

    # ------------------------------------------------------------------------------------------------ nodes and names
    def __getattr__(self, operator: str) -> Any:
        if not operator[0].isupper():
            raise AttributeError(operator)

        def write(*inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
            from onnx import helper

            names = [self.wire(x).name for x in inputs]
            while names and not names[-1]:
                names.pop()  # inputs that are left out at the end
            results = [Wire(self.unique(operator.lower())) for _ in range(outputs)]
            made = [wire.name for wire in results]
            self.gates.append(named(self.step))
            self.nodes.append(helper.make_node(operator, names, made, name=made[0], **attributes))
            return results[0] if outputs == 1 else results

        return write

    def unique(self, name: str) -> str:
        """`name`, with a number behind it if it is taken."""
        wanted, n = name, 1
        while name in self.taken:
            n += 1
            name = f"{wanted}_{n}"
        self.taken.add(name)
        return name

    def is_wire(self, x: Any) -> bool:
        return isinstance(x, Wire)

    # ---------------------------------------------------------------------------------------------------- the constants
    def wire(self, x: Any) -> Wire:
        """A wire as it is, None as a missing input, a number or array as a constant."""
        if x is None or isinstance(x, Wire):
            return Wire("") if x is None else x
        return self.constant(np.asarray(x, self.dtype) if not isinstance(x, np.ndarray) else x)

    def constant(self, array: Any, name: str = "") -> Wire:
        array = np.array(array, order="C")
        key = (name, array.dtype, array.shape, array.tobytes())
        if key not in self.known:
            self.known[key] = self.unique(name or "constant")
            self.constants[self.known[key]] = array
        return Wire(self.known[key], array.shape, array.dtype)

    def ints(self, *numbers: Any) -> Wire:
        """Axes, sizes, places: whole numbers in one array."""
        return self.constant(np.array(numbers, np.int64))

    # ------------------------------------------------------------------------------------------------- common operators
    def cast(self, x: Any, dtype: Any) -> Any:
        from onnx import helper

        dtype = np.dtype(dtype)
        if isinstance(x, Wire):
            if x.dtype == dtype:
                return x
            wire = self.Cast(x, to=helper.np_dtype_to_tensor_dtype(dtype))
            return Wire(wire.name, x.shape, dtype)
        return self.constant(np.asarray(x).astype(dtype))

    def reduce(self, operator: str, x: Any, axis: Any, keepdims: Any) -> Any:
        """A reduction over some axes, none (`()`) or, with None, all."""
        axes = () if axis is None else self.ints(*np.atleast_1d(np.asarray(axis, int)).tolist())
        given = {"noop_with_empty_axes": 1} if axis == () else {}
        if isinstance(x, Wire) and not x.shape and x.dtype is not None:
            axes = ()  # of a single number there is no axis to name
        return getattr(self, operator)(x, *[axes] if axes else [], keepdims=int(bool(keepdims)), **given)


def named(step: Step) -> str:
    """The gate and, if it has one, the label of what it made."""
    return f"the gate {step.op}" + (f" ({step.label})" if step.label else "")
