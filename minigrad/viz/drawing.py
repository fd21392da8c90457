"""Circuits in the style of the CS231n notes: the value above each wire, its gradient below, gates as circles."""

from __future__ import annotations

import html
import os
import pathlib
import unicodedata
from collections.abc import Iterable
from typing import Any

import graphviz
import numpy as np

from ..arguments import whole
from ..errors import DtypeError
from ..io import atomic_write
from ..value import Value
from .circuit import Circuit, Node, Wire, trace
from .renderer import render

__all__ = ["Drawing", "draw"]

# Six-digit colours and one font name: older Graphviz paints #eee black and measures a list of fonts wrongly.
# Verdana is as wide as DejaVu Sans, which takes its place on Linux: the boxes fit the text on every system.
FONT = "Verdana"
INK, GREEN, RED, DIM = "#202124", "#0b6b2b", "#c5221f", "#6b7075"
GATE_FILL, WIRE = "#eef3fb", "#5f6368"
GRAPH_STYLE = {"nodesep": "0.2", "ranksep": "0.3", "pad": "0.15", "bgcolor": "#ffffff"}
NODE_STYLE = {"fontname": FONT, "fontsize": "14", "fontcolor": INK, "shape": "plain"}
GATE_STYLE = {"margin": "0.04", "style": "filled", "color": WIRE, "fillcolor": GATE_FILL}
EDGE_STYLE = {"fontname": FONT, "fontsize": "12", "color": WIRE, "penwidth": "1.5", "arrowsize": "0.6"}
SIDES = {"LR": ("e", "w"), "RL": ("w", "e"), "TB": ("s", "n"), "BT": ("n", "s")}  # where a wire leaves and arrives
LONGEST_LABEL = 40  # characters drawn of a label
SMALL = 3  # arrays of up to so many numbers are written out


class Drawing(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no types
    """A `graphviz.Digraph` that renders with or without an installed `dot` (see `renderer.find_renderer`).

    `.source`, `.pipe(format=)`, `.render(outfile=)`, `.save()` and the display in notebooks are those of the graphviz
    package, which calls the three methods below to run its program.
    """

    def _pipe_lines(self, engine: str, format: str, lines: Iterable[str], **options: Any) -> bytes:
        return render("".join(lines), dotted(format, **options), engine)

    def _pipe_lines_string(self, engine: str, format: str, lines: Iterable[str], **options: Any) -> str:
        return self._pipe_lines(engine, format, lines, **options).decode()

    def _render(
        self, engine: str, format: str, filepath: Any, outfile: Any = None, raise_if_result_exists: bool = False,
        **options: Any,
    ) -> str:  # fmt: skip
        kind = dotted(format, **options)
        path = pathlib.Path(outfile or f"{os.fspath(filepath)}.{'.'.join(reversed(kind.split(':')))}")
        if raise_if_result_exists and path.exists():
            raise graphviz.FileExistsError(f"output file exists: {os.fspath(path)!r}")
        picture = render(self.source, kind, engine)
        with atomic_write(path) as file:
            file.write(picture)
        return os.fspath(path)


def dotted(format: str, renderer: str | None = None, formatter: str | None = None, **_: Any) -> str:
    """Graphviz's name of a format and who writes it: svg, svg:cairo, png:cairo:gd."""
    return ":".join([part for part in (format, renderer, formatter) if part])


def draw(v: Value, *, direction: str = "LR", max_nodes: int = 400, digits: int = 4) -> Drawing:
    """Draw the circuit behind `v`, as in the CS231n notes.

    Each value is a piece of wire with its name, its number above (green) and its gradient below (red); gates are
    circles; each wire into a gate carries the gate's local gradient and its contribution, upstream times local.
    Arrays show their shape and their gradients the (Euclidean) norm, both their numbers if there are at most three;
    constants are grey.  `direction` is LR, RL, TB or BT; numbers have `digits` significant digits.

    Raises `ShapeError` for more than `max_nodes` values and constants, `DtypeError` for what is not a `Value`, and when
    it is rendered `MissingExtraError` where no Graphviz program can be found.

    >>> x, y = Value(4.0, label="x"), Value(-3.0, label="y")
    >>> f = x * y
    >>> f.backward()
    >>> picture = draw(f)  # picture.render(outfile="xy.svg"), or leave it at the end of a notebook cell
    >>> "local -3 →" in picture.source
    True
    """
    if not isinstance(v, Value):
        raise DtypeError(f"draw: expected a Value, got {type(v).__name__}.")
    if direction not in SIDES:
        raise ValueError(f"draw: direction={direction!r} is not one of {', '.join(SIDES)}.")
    digits = whole("draw: digits", digits, least=1)
    return to_dot(trace(v, max_nodes), direction, digits)


def to_dot(circuit: Circuit, direction: str, digits: int) -> Drawing:
    """The DOT text: nodes v0, v1, ... for values and g2 for the gate that makes v2; edges e0, e1, ... for wires."""
    drawing = Drawing(
        "circuit",
        format="svg",
        graph_attr={"rankdir": direction, "ordering": "in"} | GRAPH_STYLE,  # a gate's first wire on top
        node_attr=NODE_STYLE,
        edge_attr=EDGE_STYLE,
    )
    leave, arrive = SIDES[direction]
    nodes = {node.id: node for node in circuit.nodes}
    for node in circuit.nodes:
        drawing.node(node.id, value_label(node, digits), id=node.id)
        if node.symbol is not None:
            gate, symbol = gate_of(node.id), shorten(node.symbol) or "?"
            shape = "circle" if len(symbol) <= 4 else "ellipse"
            size = "20" if len(symbol) == 1 else "14"
            drawing.node(gate, f"<{escape(symbol)}>", id=gate, shape=shape, fontsize=size, **GATE_STYLE)
            drawing.edge(gate, node.id, id=f"w{node.id[1:]}", arrowhead="none", headport=arrive)
    for wire in circuit.wires:
        dim = {"color": DIM, "style": "dashed"} if nodes[wire.source].constant else {}
        drawing.edge(wire.source, gate_of(wire.target), wire_label(wire, digits), id=wire.id, tailport=leave, **dim)
    return drawing


def gate_of(value_id: str) -> str:
    return f"g{value_id[1:]}"


def value_label(node: Node, digits: int) -> str:
    """A small table: the name, and beside it the wire, with the value above and the gradient below."""
    if node.constant:
        above, below = font(data_text(node.data, digits), DIM), " "
    else:
        above = font(data_text(node.data, digits), GREEN)
        below = font("no gradient yet" if node.grad is None else gradient_text(node.grad, digits), RED)
    if isinstance(node.data, tuple):  # several outputs: their gradients stand where each is picked
        below = " "
    label = shorten(node.label)
    name = f'<TD ROWSPAN="2"><B>{escape(label)}</B></TD>' if label else ""
    return (
        '<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3">'
        f'<TR>{name}<TD BORDER="1" SIDES="B" COLOR="{WIRE}">{above}</TD></TR>'
        f'<TR><TD BORDER="1" SIDES="T" COLOR="{WIRE}">{below}</TD></TR></TABLE>>'
    )


def wire_label(wire: Wire, digits: int) -> str:
    """`local -4 → -4`: the gate's local gradient, and what the wire adds to the gradient of its source."""
    if wire.local is None:
        return ""
    local = escape(f" local {data_text(wire.local, digits)}")  # the space keeps it off a wire that runs downwards
    sent = "" if wire.contribution is None else f" → {font(gradient_text(wire.contribution, digits), RED)}"
    return f"<{local}{sent}>"


def font(text: str, color: str) -> str:
    return f'<FONT COLOR="{color}">{escape(text)}</FONT>'


# ----------------------------------------------------------------------------------------------------- numbers as text
def data_text(x: Any, digits: int) -> str:
    """A number, or an array's shape and, if there are few, its numbers."""
    if isinstance(x, tuple):
        return "; ".join([data_text(out, digits) for out in x])
    array = np.asarray(x)
    few = listing(array, digits) if 0 < array.size <= SMALL else ""
    return few if array.ndim == 0 else f"{array.shape} {few}".strip()


def gradient_text(x: Any, digits: int) -> str:
    """A number, an array's numbers if there are few, or else its norm."""
    array = np.asarray(x)
    return listing(array, digits) if array.size <= SMALL else f"norm {number(np.linalg.norm(array).item(), digits)}"


def listing(array: Any, digits: int) -> str:
    if array.ndim == 0:
        return number(array.item(), digits)
    return f"[{', '.join([listing(row, digits) for row in array])}]"


def number(x: Any, digits: int) -> str:
    """So many significant digits; whole numbers below a million in full."""
    if isinstance(x, (int, float)) and np.isfinite(x):
        return f"{x:.0f}" if x == round(x) and abs(x) < 1e6 else f"{x:.{digits}g}"
    return str(x)


# ----------------------------------------------------------------------------------------------------- labels are input
def shorten(label: str) -> str:
    """A label as one line of visible characters, at most `LONGEST_LABEL` of them."""
    line = " ".join("".join([" " if unicodedata.category(c)[0] in "CZ" else c for c in label]).split())
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"


def escape(text: str) -> str:
    r"""Text for an HTML-like label, where Graphviz reads markup and also \N and \G (names) and \\."""
    return html.escape(text).replace("\\", "\\\\")
