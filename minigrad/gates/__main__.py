"""Write the types of `Value`'s operators and methods: `python -m minigrad.gates > minigrad/value_methods.pyi`.

The methods come from the registry when minigrad is imported; editors and type checkers read this file instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .operators import ALIASES, BINARY_METHODS, COMPARISONS, FUNCTIONS, OPERATORS, UNARY
from .registry import COMPOSED, REGISTRY

HEADER = '''# Generated: python -m minigrad.gates > minigrad/value_methods.pyi
# The types of Value's operators and methods, which the catalogue of gates attaches at run time.
# ruff: noqa: E501

from typing import Any

from .value import Value

class Methods:
'''


def signature(forward: Callable[..., Any]) -> str:
    """The parameters of a method: those of a gate's forward rule, or of a function, with `self` as its input."""
    parameters = []
    if not isinstance(forward, np.ufunc):  # a ufunc: nothing but its inputs
        parameters = list(inspect.signature(forward).parameters.values())[1:]
    typed = [str(p.replace(annotation=Any)).replace("typing.Any", "Any") for p in parameters]
    return ", ".join(["self", *typed])


def result(function: Callable[..., Any]) -> str:
    """What a method returns: a tuple where the function says so."""
    annotation = "" if isinstance(function, np.ufunc) else str(inspect.signature(function).return_annotation)
    return annotation if annotation.startswith("tuple") else "Value"


def lines() -> list[str]:
    out = []
    for name in OPERATORS:
        out += [f"    def __{side}{name}__(self, other: Any) -> Value: ..." for side in ("", "r")]
    out += [f"    def __{name}__(self) -> Value: ..." for name in UNARY]
    for name in COMPARISONS:
        out.append(f"    def __{name}__(self, other: Any) -> Any: ...")
    out += ["    def __getitem__(self, index: Any) -> Value: ...", "    @property", "    def T(self) -> Value: ..."]
    out += [f"    def {name}(self, other: Any) -> Value: ..." for name in BINARY_METHODS]
    for name, gate in REGISTRY.items():
        if gate.arity == 1:
            kind = result(gate.forward) if gate.differentiable else "Any"
            out.append(f"    def {name}({signature(gate.forward)}) -> {kind}: ...")
    for name, function in COMPOSED.items():
        if name not in FUNCTIONS:
            out.append(f"    def {name}({signature(function)}) -> {result(function)}: ...")
    return out + [f"    def {alias}({signature(REGISTRY[a].forward)}) -> Value: ..." for alias, a in ALIASES.items()]


if __name__ == "__main__":
    print(HEADER + "\n".join(lines()))
