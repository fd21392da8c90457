"""`minigrad draw "(x + y) * z" x=-2 y=5 z=-4 -o circuit.svg`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from ..errors import MinigradError, MissingExtraError

__all__ = ["add_options", "arranged", "draw_expression"]

EPILOG = """\
An expression has names, numbers, + - * / // % ** @ and comparisons, indices as in w[0, 1:], and the gates of minigrad
as functions or methods, tanh(x) or x.tanh(). Steps can be named: "q = x + y; q * z". It is not run as Python."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `minigrad draw` understands."""
    parser.epilog = EPILOG
    parser.add_argument("expression", metavar="EXPR", help='such as "(x + y) * z" or "q = x + y; tanh(q)"')
    parser.add_argument("values", nargs="*", metavar="name=value", help="x=-2, w=[1,2,3], W=[[1,2],[3,4]]")
    parser.add_argument("-o", "--output", metavar="FILE", help=".svg .png .pdf .html .dot .mmd .json or .txt")
    parser.add_argument("--explain", action="store_true", help="say where each gradient comes from")
    parser.add_argument("--theme", default="light", choices=["light", "dark", "print"], help="default: light")
    parser.add_argument("--direction", default="LR", choices=["LR", "RL", "TB", "BT"], help="default: left to right")


def arranged(arguments: Sequence[str]) -> list[str]:
    """The arguments with the options of `minigrad draw` first: values may stand behind them, and an expression may
    begin with a minus, which argparse takes for an option.

    >>> arranged(["-x * y", "-o", "f.svg", "x=1", "y=2"])
    ['-o', 'f.svg', '--', '-x * y', 'x=1', 'y=2']
    """
    options: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for text in rest:
        if text == "--":
            others += rest
        elif text in ("-o", "--output", "--theme", "--direction"):
            options += [text, *[following for following in [next(rest, None)] if following is not None]]
        elif re.match("--[a-z]|-o|-h$", text):
            options.append(text)
        else:
            others.append(text)
    return [*options, "--", *others] if others else options


def draw_expression(given: argparse.Namespace) -> str:
    """Compute the expression and its gradients, write the picture, and return what to print: its file, or a table.

    Raises `ExpressionError` for what can't be understood or computed, `OSError` for a file that can't be written.
    """
    from . import explain
    from .drawing import draw
    from .expression import ExpressionError, compute, parse_value
    from .writers import table

    leaves = [parse_value(text) for text in given.values]
    root = compute(given.expression, leaves)
    if root.size != 1:
        raise ExpressionError(f"the result has the shape {root.shape}: reduce it to one number, as with .sum().")
    root.backward()
    drawing = draw(root, theme=given.theme, direction=given.direction)
    try:
        said = [f"wrote {drawing.export(given.output)}"] if given.output is not None else []
    except MissingExtraError:
        raise
    except MinigradError as error:  # the name of the file
        raise ExpressionError(str(error)) from error
    if given.explain:
        said += [str(explain(root, x)) for x in leaves]
    elif given.output is None:
        said.append(table(drawing.circuit).as_text())
    return "\n\n".join(said)
