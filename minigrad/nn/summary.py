"""The table of a model's layers, their output shapes and parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..convert import shape_of
from ..value import no_grad

__all__ = ["Row", "Summary"]


class Row(NamedTuple):
    """A layer: its path and repr, the shape of its output ("" where not known), and how many parameters it owns."""

    layer: str
    output: str
    parameters: int


@dataclass(frozen=True)
class Summary:
    """A row per module, and how many parameters there are; printed, it is a table."""

    rows: list[Row]
    parameters: int
    trainable: int

    def __repr__(self) -> str:
        cells = [("layer", "output", "parameters")]
        cells += [(row.layer, row.output, f"{row.parameters:,}") for row in self.rows]
        left, middle, right = [max([len(cell[i]) for cell in cells]) for i in range(3)]
        lines = [f"{a:{left}}    {b:{middle}}  {c:>{right}}" for a, b, c in cells]
        return "\n".join([*lines, f"total {self.parameters:,}, of which {self.trainable:,} learn"])


def summarise(model: Any, inputs: tuple[Any, ...]) -> Summary:
    modules = dict(model.named_modules())
    shapes = output_shapes(model, inputs) if inputs else {}
    rows: list[Row] = []
    counted: dict[int, Any] = {}
    for path, module in modules.items():
        new = {id(p): p for p in module.parameters(recurse=False) if id(p) not in counted}
        counted |= new
        name = type(module).__name__ if [*module.children()] else repr(module)
        layer = f"{path}: {name}" if path else name
        rows.append(Row(layer, shapes.get(id(module), ""), sum([p.size for p in new.values()])))
    trainable = sum([p.size for p in counted.values() if p.requires_grad])
    return Summary(rows, sum([p.size for p in counted.values()]), trainable)


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
