"""`minigrad draw "(x + y) * z" x=-2 y=5 z=-4 -o circuit.svg`."""

from __future__ import annotations

import argparse

from ..errors import MinigradError

__all__ = ["add_options", "draw_expression"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minigrad draw` understands."""
    parser.add_argument("expression", metavar="EXPR", help='such as "(x + y) * z", "q = x + y; tanh(q)"')
    parser.add_argument("values", nargs="*", metavar="name=value", help="x=-2, w=[1,2,3]")
    parser.add_argument("-o", "--output", metavar="FILE", help=".svg .png .pdf .html .dot .mmd .json or .txt")
    parser.add_argument("--explain", action="store_true", help="say where each gradient comes from")
    parser.add_argument("--theme", default="light", choices=["light", "dark", "print"])
    parser.add_argument("--direction", default="LR", choices=["LR", "RL", "TB", "BT"])


def draw_expression(given: argparse.Namespace) -> str:
    """Compute the expression and its gradients, write the picture, and return what to print: its file, or a table."""
    from .drawing import draw
    from .expression import compute, parse_value
    from .writers import table

    leaves = [parse_value(text) for text in given.values]
    root = compute(given.expression, leaves)
    if root.size != 1:
        raise MinigradError(f"the result has the shape {root.shape}: reduce it to one number, as with .sum().")
    if not root.requires_grad:
        raise MinigradError("nothing in the expression has a gradient: give names their values, x=-2.")
    root.backward()
    drawing = draw(root, theme=given.theme, direction=given.direction)
    said = [f"wrote {drawing.export(given.output)}"] if given.output else []
    if given.explain:
        from . import explain

        said += [str(explain(root, x)) for x in leaves if x.grad is not None]
    elif not given.output:
        said.append(table(drawing.circuit).as_text())
    return "\n\n".join(said)
