"""A circuit as SVG without any program, where no Graphviz is installed: the same texts and ids, a simpler layout.

Modules have no frames here; those that `depth=` closes are boxes as ever.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np

from .circuit import Circuit, Node, Wire
from .dot import FONT, SMALL_PRINT, Style, gate_lines, gate_of, gate_style, wire_words
from .health import ailment, gradient_sizes
from .heatmap import CELL, Cell, shades
from .layers import Place, lay_out
from .themes import Theme, mix
from .words import SMALL, gradient_text, shorten, value_text

__all__ = ["draw_svg"]

LINE, PAD, ARROW = 20.0, 12.0, 8.0  # a line of text, the border, an arrowhead
FLOW = {"LR": (1, 0), "RL": (-1, 0), "TB": (0, 1), "BT": (0, -1)}
Box = tuple[float, float, Callable[[float, float], str]]  # width, height, and how it is drawn with its middle at x, y


def draw_svg(circuit: Circuit, style: Style) -> bytes:
    """The picture: a group v0, v1, ... for each value, g2 for the gate that makes v2, e0, e1, ... for each wire."""
    dx, dy = FLOW[style.direction]
    level, theme = dx != 0, style.theme
    into: dict[str, list[Wire]] = {}
    for wire in circuit.wires:
        into.setdefault(wire.target, []).append(wire)
    sizes = gradient_sizes(circuit) if style.health else {}
    boxes: dict[str, Box] = {}
    arrows: list[tuple[str, str]] = []
    for node in circuit.nodes:
        if node.symbol is not None:
            gate = gate_of(node.box or node.id)
            if not node.box:
                for wire in into.get(node.id, []):
                    boxes[wire.id] = wire_box(wire, style, level)
                    arrows += [(wire.source, wire.id), (wire.id, gate)]
                sick = ailment(into.get(node.id, [])) if style.health else ""
                boxes[gate] = gate_box(node, style, sick, sizes.get(node.id))
            arrows.append((gate, node.id))
        boxes[node.id] = value_box(node, style, level)
    flow, passed = lay_out({id: (w, h) if level else (h, w) for id, (w, h, _) in boxes.items()}, arrows)
    places = {id: (dx * along, across) if level else (across, dy * along) for id, (along, across) in flow.items()}
    between = dict(zip(arrows, passed, strict=True))

    def side(id: str, end: int) -> Place:
        """The middle of the side where wires arrive (-1) or leave (1)."""
        (x, y), (width, height, _) = places[id], boxes[id]
        return x + end * dx * width / 2, y + end * dy * height / 2

    def route(a: str, b: str) -> list[Place]:
        passing = [(dx * along, across) if level else (across, dy * along) for along, across in between[a, b]]
        return [side(a, 1), *passing, side(b, -1)]

    lines = {}  # of each wire, and w2 from a gate to the value v2
    for a, b in arrows:
        if b[0] == "v":
            lines[f"w{b[1:]}"] = curve(route(a, b), level, theme.wire)
    constants = {node.id for node in circuit.nodes if node.constant}
    square = {gate_of(node.id) for node in circuit.nodes if node.inside}
    for wire in circuit.wires:
        gate = gate_of(wire.target)
        points = [*route(wire.source, wire.id), side(wire.id, 1)]
        tip = edge_of(boxes[gate], places[gate], points[-1], gate in square)
        back = math.dist(tip, points[-1]) or 1.0
        ahead = (tip[0] - points[-1][0]) / back, (tip[1] - points[-1][1]) / back
        neck = tip[0] - ARROW * ahead[0], tip[1] - ARROW * ahead[1]
        color, dashes = (theme.dim, True) if wire.source in constants else (theme.wire, False)
        lines[wire.id] = curve(points, level, color, dashes, neck) + arrowhead(tip, ahead, color)
    parts = [group(id, lines.pop(id, "") + drawn(*places[id])) for id, (_, _, drawn) in boxes.items()]
    parts += [group(id, line) for id, line in lines.items()]
    room = [(*places[id], w, h) for id, (w, h, _) in boxes.items()]
    room += [(x, y, 0.0, 0.0) for arrow in arrows for x, y in route(*arrow)]
    return page(circuit.note, theme, parts, room)


# --------------------------------------------------------------------------------------------------------------- boxes
def value_box(node: Node, style: Style, level: bool) -> Box:
    """The name, and beside it the wire, with the value above and the gradient below; upright, it is in the middle."""
    theme = style.theme
    name = (("… " if node.cut else "") + shorten(node.label)).strip()
    above = value_text(node, style.digits) if style.values else ""
    below = gradient_text(node, style.digits) if style.grads else ""
    arrays: list[Any] = [None, None]
    if style.heatmaps and not isinstance(node.data, tuple) and np.size(node.data) > SMALL:
        arrays = [node.data if style.values else None, node.grad if style.grads else None]
    colors = [(theme.positive, theme.negative), (theme.up, theme.down)]
    maps = [[] if x is None else shades(x, theme.paper, *pair) for x, pair in zip(arrays, colors, strict=True)]
    inks = [theme.dim if node.constant else theme.value, theme.gradient]
    wide = [
        long(said) + CELL * len(rows[0] if rows else []) + 6 for said, rows in zip((above, below), maps, strict=True)
    ]
    high = max([LINE, *[CELL * len(rows) + 6 for rows in maps]])
    named = long(name, bold=True) + 6 if name else 0.0
    width = named + max(*wide, 24.0) + (0.0 if level else named)

    def drawn(x: float, y: float) -> str:
        left, right = x - width / 2 + named, x + width / 2 - (0.0 if level else named)
        out = text(left - 4, y + 5, name, theme.ink, anchor="end", bold=True)
        out += f'<polyline fill="none" stroke="{theme.wire}" points="{flat([(left, y), (right, y)])}"/>'
        for said, rows, color, ink, up in zip((above, below), maps, colors, inks, (-1, 1), strict=True):
            cells = CELL * len(rows[0] if rows else [])
            out += text((left + right - cells) / 2, y + up * high / 2 + 5, said, ink)
            out += cells_at(right - cells - 2, y + up * high / 2 - CELL * len(rows) / 2, rows, color, theme.paper)
        return out

    return width, 2 * high, drawn


def cells_at(x: float, y: float, rows: list[list[Cell]], paint: tuple[str, str], paper: str) -> str:
    """The cells of a heatmap in a frame, from its upper left corner."""
    if not rows:
        return ""
    out = square(x - 1, y - 1, CELL * len(rows[0]), CELL * len(rows), "none", mix(paper, paint[0], 0.5))
    for i, row in enumerate(rows):
        for j, (color, framed) in enumerate(row):
            left, top = x + CELL * j, y + CELL * i
            if color is None:
                out += text(left + 4, top + 7, "x", paint[1], size=7)
            else:
                out += square(left, top, CELL - 2, CELL - 2, color, paint[1] if framed else "none")
    return out


def square(x: float, y: float, width: float, height: float, fill: str, stroke: str) -> str:
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return f'<polygon fill="{fill}" stroke="{stroke}" points="{flat(corners)}"/>'


def gate_box(node: Node, style: Style, sick: str, size: float | None) -> Box:
    """A circle, an ellipse for more text, a rectangle for what stands for a module."""
    look = gate_style(node, style.theme, sick, size)
    symbol, *lines = gate_lines(node, sick)
    large = int(look["fontsize"])
    wide = max([long(symbol, large), *[long(line, SMALL_PRINT) for line in lines]])
    high = large + 4.0 + 14 * len(lines)
    if look["shape"] == "box":
        width, height = wide + 20, high + 14
    elif look["shape"] == "circle":
        width = height = max(wide, high) + 12
    else:
        width, height = 1.3 * wide + 12, 1.4 * high + 8

    def drawn(x: float, y: float) -> str:
        if look["shape"] == "box":
            out = square(x - width / 2, y - height / 2, width, height, look["fillcolor"], look["color"])
        else:
            out = (
                f'<ellipse fill="{look["fillcolor"]}" stroke="{look["color"]}" cx="{x:.1f}" cy="{y:.1f}" '
                f'rx="{width / 2:.1f}" ry="{height / 2:.1f}"/>'
            )
        base = y - high / 2 + large
        out += text(x, base, symbol, style.theme.ink, size=large)
        for i, line in enumerate(lines, start=1):
            out += text(x, base + 14 * i, line, style.theme.ink, size=SMALL_PRINT)
        return out

    return width, height, drawn


def wire_box(wire: Wire, style: Style, level: bool) -> Box:
    """What is written on a wire: above it if it is level, or else on its right."""
    before, amount = wire_words(wire, style)
    first, second = long(before, 12), long(amount, 12)
    wide = first + second + 6 if before else 0.0

    def drawn(x: float, y: float) -> str:
        split = x - wide / 2 + first + 2 if level else x + 6 + first
        base = y - 5 if level else y + 4
        return text(split, base, before, style.theme.ink, 12, "end") + text(
            split + 4, base, amount, style.theme.gradient, 12, "start"
        )

    return (max(wide, 6.0), 28.0 if wide else 8.0, drawn) if level else (2 * wide + 12, 20.0, drawn)


# --------------------------------------------------------------------------------------------------- texts and lines
def long(said: str, size: int = 14, bold: bool = False) -> float:
    """How long a text is at most, in Verdana or DejaVu Sans."""
    wide = sum([1.6 if c in "MW@%mw" or unicodedata.east_asian_width(c) in "WF" else 1.0 for c in said])
    return wide * size * (0.72 if bold else 0.64)


def text(
    x: float, y: float, said: str, color: str, size: int = 14, anchor: str = "middle", bold: bool = False
) -> str:  # fmt: skip
    weight = ' font-weight="bold"' if bold else ""
    return said and (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{weight} fill="{color}">'
        f"{escape(said, quote=False)}</text>"
    )


def flat(points: list[Place]) -> str:
    return " ".join([f"{x:.1f},{y:.1f}" for x, y in points])


def curve(points: list[Place], level: bool, color: str, dashed: bool = False, end: Place | None = None) -> str:
    """A smooth line through the points, level (or upright) in each, and straight on to the end."""
    (x, y), *others = points
    line = f"M{x:.1f},{y:.1f}"
    for u, v in others:
        bends = [((x + u) / 2, y), ((x + u) / 2, v)] if level else [(x, (y + v) / 2), (u, (y + v) / 2)]
        line += f" C{flat([*bends, (u, v)])}"
        x, y = u, v
    line += f" L{flat([end])}" if end else ""
    dashes = ' stroke-dasharray="5,2"' if dashed else ""
    return f'<path fill="none" stroke="{color}" stroke-width="1.5"{dashes} d="{line}"/>'


def edge_of(box: Box, middle: Place, start: Place, square: bool) -> Place:
    """Where a line from `start` to the middle of a box, round or square, comes in."""
    (x, y), (u, v) = middle, start
    across, up = (u - x) / (box[0] / 2), (v - y) / (box[1] / 2)
    far = (max(abs(across), abs(up)) if square else math.hypot(across, up)) or 1.0
    return x + (u - x) / far, y + (v - y) / far


def arrowhead(tip: Place, ahead: Place, color: str) -> str:
    (x, y), (u, v) = tip, ahead
    back, wide = (x - ARROW * u, y - ARROW * v), (-3 * v, 3 * u)
    corners = [tip, (back[0] + wide[0], back[1] + wide[1]), (back[0] - wide[0], back[1] - wide[1])]
    return f'<polygon fill="{color}" stroke="{color}" points="{flat(corners)}"/>'


def group(id: str, inside: str) -> str:
    return f'<g id="{id}"><title>{id}</title>{inside}</g>'


def page(note: str, theme: Theme, parts: list[str], boxes: list[tuple[float, float, float, float]]) -> bytes:
    """The parts on paper that is as large as they are, the note above them."""
    left = min([x - w / 2 for x, _, w, _ in boxes]) - PAD
    right = max([x + w / 2 for x, _, w, _ in boxes], default=0.0) + PAD
    top = min([y - h / 2 for _, y, _, h in boxes]) - PAD - (LINE if note else 0.0)
    bottom = max([y + h / 2 for _, y, _, h in boxes]) + PAD
    right = max(right, left + long(note, 12) + 2 * PAD)
    width, height = right - left, bottom - top
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    said = text((left + right) / 2, top + PAD + 5, note, theme.ink, 12)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}pt" height="{height:.0f}pt" font-family="{FONT},sans-serif"
 viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}">
<g id="graph0"><title>circuit</title><polygon fill="{theme.paper}" stroke="none" points="{flat(corners)}"/>{said}
{chr(10).join(parts)}
</g>
</svg>
""".encode()
