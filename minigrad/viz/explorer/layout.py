"""Where the boxes and wires of a level lie, found by Graphviz from sizes and generated ids alone."""

from __future__ import annotations

import json
from typing import Any

from ..renderer import render
from .graph import Level

__all__ = ["place"]

WIRE = (74, 34)  # the room on a wire for two numbers
POINT = 72.0  # per inch


def place(level: Level, sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """`size` of the whole, the middle of each box, and for each wire its path and the middle of its numbers.

    A wire with numbers runs through a box of its own that holds them: so they collide with nothing.
    """
    gap = 0.22 if level.labelled else 1.5  # without numbers, many wires need room to spread
    lines = ["digraph {", f"rankdir=LR; ordering=in; nodesep=0.15; ranksep={gap}; splines=true;"]
    lines += ['node [shape=box, fixedsize=true, label=""]; edge [arrowhead=none, tailport=e, headport=w];']
    lines += [f"b{i} [width={w / POINT:.4f}, height={h / POINT:.4f}];" for i, (w, h) in enumerate(sizes)]
    for i, wire in enumerate(level.wires):
        if level.labelled:
            lines.append(f"l{i} [width={WIRE[0] / POINT:.4f}, height={WIRE[1] / POINT:.4f}];")
            lines.append(f'b{wire.start} -> l{i} [id="s{i}"]; l{i} -> b{wire.end} [id="e{i}"];')
        else:
            lines.append(f'b{wire.start} -> b{wire.end} [id="e{i}"];')
    found = json.loads(render("\n".join([*lines, "}"]), "json"))
    _, _, width, height = map(float, found["bb"].split(","))

    def point(text: str) -> tuple[float, float]:
        x, y = text.split(",")[-2:]
        return round(float(x), 1), round(height - float(y), 1)

    middles = {node["name"]: point(node["pos"]) for node in found["objects"] if "pos" in node}
    paths = {edge["id"]: curve([point(p) for p in edge["pos"].split()]) for edge in found.get("edges", [])}
    wires = []
    for i in range(len(level.wires)):
        path = paths[f"s{i}"] + "L" + paths[f"e{i}"][1:] if level.labelled else paths[f"e{i}"]
        wires.append({"path": path, "at": middles.get(f"l{i}")})
    return {
        "size": [round(width, 1), round(height, 1)],
        "boxes": [middles[f"b{i}"] for i in range(len(level.boxes))],
        "wires": wires,
    }


def curve(points: list[tuple[float, float]]) -> str:
    """Graphviz's control points as the path of an SVG."""
    (x, y), rest = points[0], points[1:]
    return f"M{x} {y}C" + " ".join([f"{a} {b}" for a, b in rest])
