"""The table of a model's layers, their output shapes and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..convert import shape_of
from ..value import no_grad

__all__ = ["Row", "Summary"]


class Row(NamedTuple):
    """A layer: its path, repr (or name), shape of its output ("" where not known), and how many parameters it owns."""

    layer: str
    type: str
    output: str
    parameters: int
    trainable: int


@dataclass(frozen=True)
class Summary:
    """A row per layer, and one of the model with all parameters; printed, it is a table.

    Modules that only hold others have no row: what they put out is what the last of these does.
    """

    rows: list[Row]
    total: Row

    def __repr__(self) -> str:
        rows = [(*row[:3], *[f"{n:,}" for n in row[3:]]) for row in (*self.rows, self.total)]
        rows = [("layer", "type", "output", "parameters", "trainable"), *rows]
        widths = [max([len(row[i]) for row in rows]) for i in range(5)]
        return "\n".join(
            ["   ".join([f"{cell:{'<' if i < 3 else '>'}{widths[i]}}" for i, cell in enumerate(row)]) for row in rows]
        )


def summarise(model: Any, inputs: tuple[Any, ...]) -> Summary:
    shapes = output_shapes(model, inputs) if inputs else {}
    rows: list[Row] = []
    counted: dict[int, Any] = {}
    for path, module in model.named_modules():
        new = {id(p): p for p in module.parameters(recurse=False) if id(p) not in counted}
        counted |= new
        if new or not [*module.children()]:
            rows.append(Row(path, headline(module), shapes.get(id(module), ""), *sizes(new)))
    return Summary(rows, Row("total", type(model).__name__, shapes.get(id(model), ""), *sizes(counted)))


def headline(module: Any) -> str:
    """A layer as its repr, a module whose repr takes several lines, as of one with parts, as its name."""
    text = repr(module)
    return type(module).__name__ if "\n" in text else text


def sizes(parameters: dict[int, Any]) -> tuple[int, int]:
    """How many numbers, and how many of them learn."""
    found = [*parameters.values()]
    return sum([p.size for p in found]), sum([p.size for p in found if p.requires_grad])


def output_shapes(model: Any, inputs: tuple[Any, ...]) -> dict[int, str]:
    """The shape of each module's last output, by id; the model is in evaluation mode meanwhile."""
    shapes: dict[int, str] = {}

    def note(module: Any, args: Any, out: Any) -> None:
        outs = out if isinstance(out, tuple) else (out,)
        shapes[id(module)] = ", ".join([str(shape_of(x)) for x in outs])

    modules = [(module, module.training, module.register_forward_hook(note)) for module in model.modules()]
    try:
        with no_grad():
            model.eval()(*inputs)
    finally:
        for module, training, handle in modules:
            module.training = training
            handle.remove()
    return shapes
