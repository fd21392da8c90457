"""A circuit as text: a table of its gates, Mermaid, JSON, and a page with picture and table."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .circuit import Circuit, Node, Wire
from .modules import frames
from .page import Section, Table, write_html
from .words import gradient_text, local_text, sent_text, shorten, value_text

__all__ = ["WRITERS", "as_json", "mermaid", "table", "write_page"]

WRITTEN = 10_000  # numbers of an array that JSON has in full


def name_of(node: Node) -> str:
    return ("… " if node.cut else "") + (shorten(node.label) or node.id)


def table(circuit: Circuit, digits: int = 4) -> Table:
    """A row per value: how it was made, its number, its gradient, and what its gate sends down each wire."""
    names = {node.id: name_of(node) for node in circuit.nodes}
    into: dict[str, list[Wire]] = {}
    for wire in circuit.wires:
        into.setdefault(wire.target, []).append(wire)
    rows = []
    for node in circuit.nodes:
        if node.constant and node.symbol is None and not node.label:
            names[node.id] = shorten(value_text(node, digits))
            continue
        wires = into.get(node.box or node.id, [])
        called = ", ".join([*[names[w.source] for w in wires], *[shorten(node.given)] * bool(node.given)])
        made = f"{shorten(node.symbol)}({called})" if node.symbol else "input"
        parts = [f"{local_text(w, digits)} {sent_text(w, digits)}".strip() for w in wires]
        said = [f"{names[w.source]}: {part}" for w, part in zip(wires, parts, strict=True) if part]
        rows.append([names[node.id], made, value_text(node, digits), gradient_text(node, digits), "; ".join(said)])
    return Table(["name", "made by", "value", "gradient", "local gradient → sent"], rows)


def as_text(circuit: Circuit, digits: int) -> str:
    return "\n".join([*[circuit.note] * bool(circuit.note), table(circuit, digits).as_text(), ""])


def mermaid(circuit: Circuit, digits: int = 4) -> str:
    """Text that GitHub, notebooks and many wikis draw: https://mermaid.js.org."""
    lines = ["flowchart LR"]
    if circuit.note:
        lines.insert(0, f"---\ntitle: {json.dumps(mermaid_text(circuit.note))}\n---")
    inside, parts = frames(circuit)
    numbers = {path: i for i, path in enumerate(circuit.modules)}

    def write(path: str, space: str) -> None:
        for node in inside.get(path, []):
            name = name_of(node) if shorten(node.label) or node.cut else ""
            said = [name, value_text(node, digits), gradient_text(node, digits)]
            lines.append(f'{space}{node.id}["{"<br>".join([mermaid_text(text) for text in said if text])}"]')
            if node.symbol is not None:
                gate = f"g{(node.box or node.id)[1:]}"
                if not node.box:
                    said = [
                        shorten(node.symbol) or "?",
                        *[shorten(line) for line in (node.given, *node.inside) if line],
                    ]
                    lines.append(f'{space}{gate}(("{"<br>".join([mermaid_text(text) for text in said])}"))')
                lines.append(f"{space}{gate} --- {node.id}")
        for module in parts.get(path, []):
            title = mermaid_text(shorten(f"{module}: {circuit.modules[module]}"))
            lines.append(f'{space}subgraph m{numbers[module]}["{title}"]')
            write(module, f"{space}    ")
            lines.append(f"{space}end")

    write("", "    ")
    for wire in circuit.wires:
        said = [text for text in (local_text(wire, digits), sent_text(wire, digits)) if text]
        label = f'|"{mermaid_text(" ".join(said))}"|' if said else ""
        lines.append(f"    {wire.source} -->{label} g{wire.target[1:]}")
    return "\n".join([*lines, ""])


def mermaid_text(text: str) -> str:
    """Letters, digits and the signs of numbers as they are, all else as #code; which Mermaid reads as text."""
    return "".join([c if c.isalnum() or c in " .,-+()[]→…×:=" else f"#{ord(c)};" for c in text])


def as_json(circuit: Circuit, digits: int = 4) -> str:
    """All of the circuit: nodes, wires, modules; arrays as {"shape", "dtype", "norm", "numbers"}, the numbers of large
    ones left out (null); nan and infinities as text."""
    tree = {
        "format": "minigrad circuit 1",
        "nodes": [fields(node) for node in circuit.nodes],
        "wires": [fields(wire) for wire in circuit.wires],
        "modules": circuit.modules,
        "note": circuit.note,
    }
    return json.dumps(tree, indent=1, allow_nan=False) + "\n"


def fields(record: Any) -> dict[str, Any]:
    return {name: plain(x) for name, x in vars(record).items()}


def plain(x: Any) -> Any:
    """Numbers and arrays as JSON has them."""
    if isinstance(x, np.ndarray):
        with np.errstate(all="ignore"):
            norm = float(np.linalg.norm(np.asarray(x, float)))
        numbers = plain(x.tolist()) if x.size <= WRITTEN else None
        return {"shape": list(x.shape), "dtype": str(x.dtype), "norm": plain(norm), "numbers": numbers}
    if isinstance(x, (list, tuple)):
        return [plain(part) for part in x]
    if isinstance(x, np.generic):
        x = x.item()
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def write_page(path: Path, circuit: Circuit, digits: int, svg: bytes) -> None:
    """One file with the picture and, for those who can't see it, the table: no scripts, nothing from the network."""
    picture = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    caption = "Above each wire its value, below it the gradient; at a gate, the local gradient → what it sends back."
    section = Section("The circuit", circuit.note, [(picture, caption), table(circuit, digits)])
    name = shorten(circuit.nodes[-1].label) or "a circuit"
    write_html(path, name, "", [section], html.escape("Drawn by minigrad."), "data:")


WRITERS: dict[str, Callable[[Circuit, int], str]] = {"mmd": mermaid, "json": as_json, "txt": as_text}
