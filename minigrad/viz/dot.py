"""A circuit as DOT, the text that Graphviz draws.

Labels are input: only generated ids (v0, g2, e7, cluster_1) and escaped text come into the DOT text, no addresses.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from .circuit import Circuit, Node, Wire
from .health import ailment, gradient_sizes
from .heatmap import CELL, heatmap, pooled
from .modules import frames
from .themes import Theme, mix
from .words import SMALL, gradient_text, local_text, sent_text, shorten, value_text

__all__ = ["FONT", "SIDES", "SMALL_PRINT", "Style", "gate_lines", "gate_of", "gate_style", "wire_words", "write_dot"]

# One font name: Graphviz measures a list of fonts wrongly.
# Verdana is as wide as DejaVu Sans, which takes its place on Linux: the boxes fit the text on every system.
FONT = "Verdana"
SMALL_PRINT = 11  # points, in a gate, below its symbol
SIDES = {  # where a wire leaves a value and arrives: at its box, or at one of the two cells, "above" and "below"
    "LR": ("e", "w"), "RL": ("w", "e"), "TB": ("below:s", "above:n"), "BT": ("above:n", "below:s"),
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """What is drawn of a circuit, and how."""

    theme: Theme
    direction: str = "LR"
    digits: int = 4
    values: bool = True
    grads: bool = True
    local: bool = True
    heatmaps: bool = True
    health: bool = False


def attributes(style: Style) -> dict[str, dict[str, str]]:
    """What holds for the whole graph, for all nodes and for all edges."""
    theme = style.theme
    return {
        "graph_attr": {"rankdir": style.direction, "ordering": "in"}  # a gate's first wire on top
        | {"nodesep": "0.2", "ranksep": "0.3", "pad": "0.15", "bgcolor": theme.paper}
        | {"fontname": FONT, "fontsize": "12", "fontcolor": theme.ink},  # of the note, and of the frames' titles
        "node_attr": {"fontname": FONT, "fontsize": "14", "fontcolor": theme.ink, "shape": "plain"},
        "edge_attr": {"fontname": FONT, "fontsize": "12", "fontcolor": theme.ink, "color": theme.wire}
        | {"penwidth": "1.5", "arrowsize": "0.6"},
    }


def write_dot(circuit: Circuit, style: Style, graph: Any) -> None:
    """Write the circuit into a `graphviz.Digraph`: nodes v0, v1, ... for values and g2 for the gate that makes v2;
    edges e0, e1, ... for wires; a dashed cluster for each module."""
    theme = style.theme
    leave, arrive = SIDES[style.direction]
    nodes = {node.id: node for node in circuit.nodes}
    into: dict[str, list[Wire]] = {}
    for wire in circuit.wires:
        into.setdefault(wire.target, []).append(wire)
    sizes = gradient_sizes(circuit) if style.health else {}
    if circuit.note:
        graph.attr(label=f"<{escape(circuit.note)}>", labelloc="t")

    def write(node: Node, part: Any) -> None:
        part.node(node.id, value_label(node, style), id=node.id)
        if node.symbol is None:
            return
        gate = gate_of(node.box or node.id)
        if not node.box:
            sick = ailment(into.get(node.id, [])) if style.health else ""
            part.node(gate, gate_label(node, sick), id=gate, **gate_style(node, theme, sick, sizes.get(node.id)))
        part.edge(gate, node.id, id=f"w{node.id[1:]}", arrowhead="none", headport=arrive, weight="8")

    inside, parts = frames(circuit)
    for node in inside.get("", []):
        write(node, graph)
    numbers = {path: i for i, path in enumerate(circuit.modules)}

    def cluster(path: str, part: Any) -> None:
        with part.subgraph(name=f"cluster_{numbers[path]}") as module:
            module.attr(
                label=f"<{escape(shorten(f'{path}: {circuit.modules[path]}'))}>", style="dashed", color=theme.wire,
                labeljust="l", bgcolor=theme.module, id=f"m{numbers[path]}",
            )  # fmt: skip
            for node in inside.get(path, []):
                write(node, module)
            for child in parts.get(path, []):
                cluster(child, module)

    for path in parts.get("", []):
        cluster(path, graph)
    for wire in circuit.wires:
        look = {"color": theme.dim, "style": "dashed"} if nodes[wire.source].constant else {"weight": "4"}
        graph.edge(wire.source, gate_of(wire.target), wire_label(wire, style), id=wire.id, tailport=leave, **look)


def gate_of(value_id: str) -> str:
    return f"g{value_id[1:]}"


def gate_lines(node: Node, sick: str) -> list[str]:
    """What stands in a gate: its symbol, its parameters or what is in it if it stands for a module, what is wrong."""
    return [shorten(node.symbol or "") or "?", *[shorten(line) for line in (node.given, *node.inside, sick) if line]]


def gate_label(node: Node, sick: str) -> str:
    symbol, *lines = [escape(line) for line in gate_lines(node, sick)]
    small = "".join([f'<BR/><FONT POINT-SIZE="{SMALL_PRINT}">{line}</FONT>' for line in lines])
    return f"<{symbol}{small}>"


def gate_style(node: Node, theme: Theme, sick: str, size: float | None) -> dict[str, str]:
    symbol = shorten(node.symbol or "") or "?"
    fill = theme.gate if size is None else mix(theme.paper, theme.gradient, 0.45 * size)
    look = {"margin": "0.04", "style": "filled", "color": theme.wire, "fillcolor": theme.alarm if sick else fill}
    if node.inside:
        return look | {"shape": "box", "margin": "0.12", "style": "filled,rounded", "fontsize": "14"}
    shape = "circle" if len(symbol) <= 4 and not sick and not node.given else "ellipse"
    return {"shape": shape, "fontsize": "20" if len(symbol) == 1 else "14"} | look


def value_label(node: Node, style: Style) -> str:
    """A small table: the name, and beside it the wire, with the value above and the gradient below."""
    theme = style.theme
    above = font(value_text(node, style.digits), theme.dim if node.constant else theme.value) if style.values else " "
    gradient = gradient_text(node, style.digits) if style.grads else ""
    below = font(gradient, theme.gradient) if gradient else " "
    label = ("… " if node.cut else "") + shorten(node.label)
    name = f'<TD ROWSPAN="2"><B>{escape(label.strip())}</B></TD>' if label.strip() else ""
    height = ""
    if style.heatmaps and not isinstance(node.data, tuple) and np.size(node.data) > SMALL:
        if style.values:
            above = beside(above, heatmap(node.data, theme.paper, theme.positive, theme.negative))
        if style.grads and node.grad is not None:
            below = beside(below, heatmap(node.grad, theme.paper, theme.up, theme.down))
        if ("<TABLE" in above) != ("<TABLE" in below):  # the wire is in the middle
            height = f' HEIGHT="{CELL * len(pooled(node.data)) + 13}"'
    upper, lower = ('PORT="above" ', 'PORT="below" ') if style.direction in ("TB", "BT") else ("", "")
    return (
        '<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3">'
        f'<TR>{name}<TD {upper}BORDER="1" SIDES="B" COLOR="{theme.wire}"{height}>{above}</TD></TR>'
        f'<TR><TD {lower}BORDER="1" SIDES="T" COLOR="{theme.wire}"{height}>{below}</TD></TR></TABLE>>'
    )


def beside(text: str, picture: str) -> str:
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="0">'
        f"<TR><TD>{text}</TD><TD>{picture}</TD></TR></TABLE>"
    )


def wire_words(wire: Wire, style: Style) -> tuple[str, str]:
    """(`local -4 →`, `-4`): the gate's local gradient, and what the wire adds to the gradient of its source."""
    local = local_text(wire, style.digits) if style.local else ""
    sent = sent_text(wire, style.digits) if style.grads else ""
    return f"{local} {sent[:2]}".strip(), sent[2:]


def wire_label(wire: Wire, style: Style) -> str:
    before, amount = wire_words(wire, style)
    if not before:
        return ""
    # the space keeps the text off a wire that runs downwards
    return f"< {escape(before)}{' ' + font(amount, style.theme.gradient) if amount else ''}>"


def font(text: str, color: str) -> str:
    return f'<FONT COLOR="{color}">{escape(text)}</FONT>'


def escape(text: str) -> str:
    r"""Text for an HTML-like label, where Graphviz reads markup also \N and \G (names) and \\."""
    return html.escape(text).replace("\\", "\\\\")
