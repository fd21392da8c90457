"""Where gates are sampled: the example calls that checks and tests make of a gate, with random numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..convert import tidy
from ..gates.registry import Call
from ..value import Gate

__all__ = ["Case", "cases_of", "is_float"]

UNARY_SHAPES: list[tuple[Any, ...]] = [((),), ((2, 3),)]
BINARY_SHAPES: list[tuple[Any, ...]] = [
    ((), ()), ((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)), ((2, 2, 3), (2, 1))
]  # fmt: skip


class Case(NamedTuple):
    """One way to call a gate: an entry per wire (a shape, or a raw mask) with its range, and the parameters.

    `output` picks one of several outputs.
    """

    gate: Gate
    shapes: tuple[Any, ...]
    ranges: tuple[tuple[float, float], ...]
    params: dict[str, Any]
    output: int | None = None

    @property
    def name(self) -> str:
        return str(self.gate.name)

    @property
    def differentiable(self) -> bool:
        return bool(self.gate.differentiable)

    @property
    def joint(self) -> bool:
        """Any number of wires, given as a list: concatenate([a, b])."""
        return self.differentiable and self.gate.arity is None

    def sample(self, rng: np.random.Generator) -> list[Any]:
        """Floats for the shape (), float64 arrays for other shapes, masks as they are."""
        wires = zip(self.shapes, self.ranges, strict=True)
        return [tidy(rng.uniform(*ends, shape)) if isinstance(shape, tuple) else shape for shape, ends in wires]

    def call(self, *inputs: Any) -> Any:
        """The gate on these inputs; a gate with any number of wires takes them as a list."""
        out = self.gate(list(inputs), **self.params) if self.joint else self.gate(*inputs, **self.params)
        return out if self.output is None else out[self.output]

    def __str__(self) -> str:
        shapes = ",".join(str(s).replace(" ", "") if isinstance(s, tuple) else "mask" for s in self.shapes)
        params = ",".join(f"{k}={v}".replace(" ", "").replace("\n", "") for k, v in self.params.items())
        return f"{self.name}[{shapes}]{params}" + ("" if self.output is None else f"[{self.output}]")


def cases_of(gate: Gate) -> list[Case]:
    """The example calls of a gate: those in its `.domain`, or some shapes with numbers from the ranges in it.

    A gate of the user that states no domain is sampled in (-2, 2), an elementwise one with shapes that broadcast,
    any other with 3 by 3 matrices.  Raises `ValueError` for one with any number of wires, which has to state calls.

    >>> print(*cases_of(Gate("twice", lambda x: 2.0 * x, local=[2.0])))
    twice[()] twice[(2,3)]
    """
    if gate.domain is None and gate.arity is None:
        raise ValueError(f"{gate.name} takes any number of wires: how many to try?")
    domain: Any = gate.domain if gate.domain is not None else [(-2.0, 2.0)] * (gate.arity or 0)
    if isinstance(domain[0], Call):
        return [Case(gate, c.shapes, ((c.low, c.high),) * len(c.shapes), c.params) for c in domain]
    return [Case(gate, shapes, tuple(domain), {}) for shapes in shapes_for(gate, len(domain))]


def shapes_for(gate: Gate, wires: int) -> list[tuple[Any, ...]]:
    if gate.domain is None and gate.differentiable and not gate.elementwise:
        return [((3, 3),) * wires]
    many = [((),) * wires, ((2, 3),) * wires, ((2, 3), *[(3,), (2, 1)] * wires)[:wires]]
    return {1: UNARY_SHAPES, 2: BINARY_SHAPES}.get(wires, many)


def is_float(x: Any) -> bool:
    """Whether an input is one that a derivative is taken for: a float or float array, no mask and no index."""
    return isinstance(x, float) or getattr(x, "dtype", None) in (np.float64, np.float32)
