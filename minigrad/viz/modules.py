"""Which module of a model a value belongs to, and what its parameters are called there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DtypeError
from ..nn.module import Module
from ..nn.summary import headline
from ..value import Value

if TYPE_CHECKING:
    from .circuit import Circuit, Node

__all__ = ["Modules", "chain", "frames"]


class Modules:
    """The modules of `model`: their paths, the names of their parameters, and which values they made.

    A gate belongs to the innermost module that was running when it was recorded: `Module.__call__` notes from which
    creation number to which it ran last.  Of an earlier call, as of one module that is called for each step of a
    sequence, only the gates are known that read its parameters; so of a model that was copied or loaded.
    """

    def __init__(self, model: Any = None) -> None:
        if model is not None and not isinstance(model, Module):
            raise DtypeError(f"draw: model={model!r:.60} is a {type(model).__name__}, not an nn.Module.")
        modules = dict(model.named_modules()) if model is not None else {}
        self.known = {path: headline(module) for path, module in modules.items()}
        self.names: dict[Value, str] = {}
        self.owners: dict[Value, str] = {}
        self.spans: dict[str, tuple[int, int]] = {}  # path: first and last creation number
        for path, module in modules.items():
            for name, parameter in module.named_parameters(path, recurse=False):
                self.names.setdefault(parameter, name)
                self.owners.setdefault(parameter, path)
            if span := vars(module).get("_span"):
                self.spans[path] = span

    def of(self, value: Value, inputs: tuple[Any, ...]) -> str | None:
        """The path of the module that `value` belongs to, given the inputs of its gate; None outside of the model."""
        if value.gate is None:
            return self.owners.get(value)
        number = value._number
        paths = [path for path, (first, last) in self.spans.items() if first < number < last]
        owner = next((self.owners[x] for x in inputs if isinstance(x, Value) and x in self.owners), None)
        if owner is not None and number < self.spans.get(owner, (number + 1, 0))[0]:  # later: the loss reads a weight
            paths.append(owner)
        return max(paths, key=len, default=None)


def frames(circuit: Circuit) -> tuple[dict[str, list[Node]], dict[str, list[str]]]:
    """The values in each module that is drawn open, and the modules that are directly in each ("": in no other)."""
    inside: dict[str, list[Node]] = {}
    for node in circuit.nodes:
        inside.setdefault(node.module or "", []).append(node)
    parts: dict[str, list[str]] = {}
    for path in circuit.modules:
        if path and any([p == path or p.startswith(f"{path}.") for p in inside]):
            *_, above, _ = ["", "", *[p for p in chain(path, circuit.modules) if p]]
            parts.setdefault(above, []).append(path)
    return inside, parts


def chain(path: str, known: dict[str, str]) -> list[str]:
    """A module and all that it is in, the model first: ["", "layers", "layers.0"]."""
    return [outer for outer in known if outer in ("", path) or path.startswith(f"{outer}.")]
