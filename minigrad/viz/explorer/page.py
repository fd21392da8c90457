"""The page as one HTML file: the graph and its layouts as data, the gates' rules and the program as one script.

Labels are input.  They are in the data alone, which the script reads and writes into the page as text; the page's
Content Security Policy allows this script and this style sheet by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import unicodedata
from collections.abc import Callable
from math import isfinite
from string import Template
from typing import Any

import numpy as np

from ...convert import shape_of
from ...value import Value, pull, sent, upstream_of
from ..words import number, shorten
from .emit import SCRIPTS, Constants, script
from .graph import Box, Graph, Level, levels_of, operands_of
from .layout import place
from .record import Rules
from .sentences import pattern_of, statements_of

__all__ = ["page"]

LARGEST = 5_000  # values that the page computes with, whether or not it draws them
CHARACTER = 7.3  # width of one, in the page's font of 12 pixels
NUMBER = 10  # characters: -1.234e-05
PICTURE = 48  # the side of a heatmap
CELLS = 64  # rows and columns of it; drawing.js pools larger arrays
FRAME, LOWEST, HIGHEST = 530, 130, 340  # pixels of a frame in a notebook: all but the circuit; the circuit


def page(
    v: Value, model: Any, gradient: Any, title: str | None, max_nodes: int, remark: str = "",
    training: Callable[[Graph, Rules], dict[str, Any]] | None = None,
) -> tuple[str, str, str, int]:  # fmt: skip
    """The HTML text, its title, what it says about what is missing, and how high a frame should be for it; `remark` is
    added to what it says, and `training` to what training.js needs."""
    graph = Graph.behind(v, model, max(LARGEST, max_nodes))
    levels, note = ([], "") if graph.note else levels_of(graph, max_nodes)
    if not levels:
        graph = Graph.behind(v, model, max_nodes)
        levels, note = levels_of(graph, max_nodes)
    rules = Rules(Constants())
    data = facts(graph, v, gradient, rules)
    if training is not None:
        data["training"] = training(graph, rules)
    data["constants"] = [encoded(array) for array in rules.constants.arrays]
    notes = [text for text in (graph.note, note, *data.pop("notes"), remark) if text]
    data["levels"] = [drawn(graph, level, data["nodes"]) for level in levels]
    name = shorten(title or "") or (f"The circuit of {shorten(v.label)}" if shorten(v.label) else "A circuit")
    data |= {"title": name, "note": " ".join(notes)}
    program = "\n".join([script(file) for file in SCRIPTS])
    texts = ",\n".join(rules.texts)
    program = f'"use strict";\n(() => {{\n{program}\nconst RULES = (K) => [\n{texts}\n];\nstart(RULES);\n}})();\n'
    style = script("page.css")
    text = Template(script("page.html")).substitute(
        title=html.escape(name), style=style, data=safe_json(data), program=program, style_hash=digest(style),
        program_hash=digest(program),
    )  # fmt: skip
    height = FRAME + round(min(HIGHEST, max(LOWEST, data["levels"][0]["size"][1])))
    return text, name, data["note"], height


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def safe_json(data: Any) -> str:
    """JSON in which no character can end the element that it stands in."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII: line separators are escaped, too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# ------------------------------------------------------------------------------------------------------------ the data
def nodes_of(graph: Graph, rules: Rules) -> list[dict[str, Any]]:
    """Each value's name and data, or from which others and by which rule it is computed."""
    nodes, names = [], Labels()
    for at, value in enumerate(graph.values):
        is_value = isinstance(value, Value)
        node: dict[str, Any] = {
            "name": names(str(graph.names.get(value) or value.label)) if is_value else "",
            "named": bool(is_value and (value.label or value in graph.names)),
            "needs": is_value and value.requires_grad,
            "inputs": graph.inputs[at],
        }
        if graph.inputs[at]:
            node |= {"gate": value.gate.name, "symbol": shorten(value.gate.symbol) or "?", "rule": rules.of(value)}
        if not graph.inputs[at] or node["rule"] in rules.no_forward:
            node["data"] = encoded(raw(graph, at))
        nodes.append(node)
    return nodes


def facts(graph: Graph, v: Value, gradient: Any, rules: Rules) -> dict[str, Any]:
    """What the page has to know about a graph."""
    nodes = nodes_of(graph, rules)
    forward = {at for at, node in enumerate(nodes) if node.get("rule") in rules.no_forward}
    backward = {at for at, node in enumerate(nodes) if node.get("rule") in rules.no_backward}
    seed = upstream_of(v, 1.0 if gradient is None else gradient)
    if backward:
        with np.errstate(all="ignore"):
            grads = pull(v, seed)
        for at in backward:
            d = sent(graph.values[at], grads[graph.values[at]])
            pairs = zip(d, operands_of(graph.values[at]), strict=False)
            nodes[at]["sent"] = [encoded(part) for part, (_, _, known) in pairs if known]
    examples = {node["rule"]: at for at, node in enumerate(nodes) if "rule" in node}
    leaves = [at for at, node in enumerate(nodes) if "rule" not in node and node["name"]]
    return {
        "nodes": nodes,
        "seed": encoded(seed),
        "words": {rule: words(graph.values[at].gate, len(graph.inputs[at])) for rule, at in examples.items()},
        "leaves": sorted(leaves, key=lambda at: graph.values[at]._number),
        "frozen": frozen(graph, forward, bool(backward)),
        "notes": notes_about(graph, forward | backward, bool(backward)),
    }


class Labels:
    """Each value's name in the page: its label, with a prime if another has it, too; or v1, v2, ..."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.next = 1

    def __call__(self, label: str) -> str:
        name = shorten(label)
        while not name:
            name = f"v{self.next}" if f"v{self.next}" not in self.taken else ""
            self.next += 1
        while name in self.taken:
            name += "′"
        self.taken.add(name)
        return isolated(name)


def isolated(name: str) -> str:
    """A name that is written from right to left must not turn the formula around it."""
    turns = any([unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in name])
    return f"\u2068{name}\u2069" if turns else name


def words(gate: Any, wires: int) -> dict[str, Any]:
    return {"statements": statements_of(gate, wires), "pattern": pattern_of(gate)}


def frozen(graph: Graph, stuck: set[int], everything: bool) -> list[int]:
    """The leaves whose numbers can't be changed in the page: those before gates that it can't compute, or all."""
    behind = set(range(len(graph.values))) if everything else set(stuck)
    for at in range(len(graph.values) - 1, -1, -1):
        if at in behind:
            behind.update(graph.inputs[at])
    return [at for at in sorted(behind) if not graph.inputs[at]]


def notes_about(graph: Graph, stuck: set[int], everything: bool) -> list[str]:
    notes = []
    if gates := dict.fromkeys([graph.values[at].gate.name for at in sorted(stuck)]):
        which = "All inputs" if everything else "The inputs before them"
        notes.append(f"Not recomputed here: {', '.join(map(shorten, gates))}. {which} are fixed.")
    baked = {"where", "select", "getitem", "put"}
    for at, inputs in enumerate(graph.inputs):
        if inputs and graph.values[at].gate.name in baked and chosen_by_numbers(graph.values[at]):
            notes.append(
                "Choices by masks and index arrays (where, sorting) are those of this run: they don't "
                "follow the sliders. Explore a function, and they do."
            )
            break
    if any([changed(graph, at) for at in range(len(graph.values))]):
        notes.append("Some data were replaced after this graph was computed: the page computes with the new ones.")
    return notes


def chosen_by_numbers(value: Value) -> bool:
    """Whether a mask or an index array, which may stem from a comparison, decides what this gate passes."""
    wires, (_, *args), params = value._saved if value._saved is not None else ((), (None,), {})
    index = [*args[len(wires) :], *params.values()]
    arrays = [x for i in index for x in (i if isinstance(i, tuple) else (i,)) if isinstance(x, np.ndarray)]
    masks = [x for x in wires if getattr(x, "dtype", None) == np.bool_ and not isinstance(x, Value)]
    return bool(arrays or masks)


def changed(graph: Graph, at: int) -> bool:
    value = graph.values[at]
    if not graph.inputs[at] or not isinstance(value, Value):
        return False
    if value._saved is None:
        return any([isinstance(x, Value) and (x._number > value._number or x._number % 1) for x in value.inputs])
    pairs = zip(value._saved[0], value._saved[1][1:], strict=False)
    return any([isinstance(x, Value) and x._raw is not then for x, then in pairs])


def encoded(x: Any) -> Any:
    """Numbers as JSON; those that it doesn't know as texts, arrays as their bytes."""
    if x is None or isinstance(x, (bool, np.bool_)):
        return None if x is None else bool(x)
    if isinstance(x, (list, tuple)):
        return [encoded(part) for part in x]
    if isinstance(x, (int, float, np.integer, np.floating)):
        x = float(x)
        return x if isfinite(x) else str(x)
    kind = {"f": x.dtype.char, "b": "b", "i": "i", "u": "i"}[x.dtype.kind]
    data = np.ascontiguousarray(x, "<i4" if kind == "i" else "<f8")
    return {"shape": list(x.shape), "dtype": kind, "data": base64.b64encode(data.tobytes()).decode()}


# ------------------------------------------------------------------------------------------------------------ the boxes
def drawn(graph: Graph, level: Level, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """A level with the places of its boxes and wires."""
    outer = {wire.source for wire in level.wires} | {len(nodes) - 1}
    shown = [described(graph, box, nodes, outer) for box in level.boxes]
    layout = place(level, [(box["w"], box["h"]) for box in shown])
    for box, (x, y) in zip(shown, layout["boxes"], strict=True):
        box |= {"x": x, "y": y}
    wires = [
        {"source": wire.source, "start": wire.start, "end": wire.end, "parts": wire.parts} | at
        for wire, at in zip(level.wires, layout["wires"], strict=True)
    ]
    return {"name": level.name, "size": layout["size"], "boxes": shown, "wires": wires, "labelled": level.labelled}


def described(graph: Graph, box: Box, nodes: list[dict[str, Any]], outer: set[int]) -> dict[str, Any]:
    """What is in a box, and how large it has to be for that."""
    last = box.members[-1]
    outs = [at for at in box.members if at in outer] or [last]
    gates = [at for at in box.members if graph.inputs[at]]
    out: dict[str, Any] = {"members": box.members, "outs": outs, "gate": bool(gates)}
    title, lines = "", []
    if len(box.members) > 1:
        leaves = [at for at in box.members if not graph.inputs[at] and nodes[at]["needs"]]
        lines = [f"{len(gates)} gate{'s' * (len(gates) != 1)}"]
        if leaves:
            count = sum([int(np.prod(shape(graph, at), dtype=int)) for at in leaves])
            lines.append(f"{count:,} parameter{'s' * (count != 1)}")
    title = shorten(box.title) or nodes[last]["name"]
    if gates and not box.title:
        out["symbol"] = nodes[last]["symbol"]
    picture = len(outs) > 1 or (np.prod(shape(graph, last), dtype=int) != 1 and not isinstance(raw(graph, last), tuple))
    row = len(outs) > 1 or int(np.prod(shape(graph, last)[:-1], dtype=int)) == 1  # a vector is a row of bars
    tall = 0 if not picture else PICTURE // 2 if row else PICTURE
    if picture and len(outs) == 1 and max(flat(shape(graph, last))) > CELLS:
        lines.append(f"pooled to {CELLS} cells")
    needs = nodes[outs[0]]["needs"]
    symbol = (26 + CHARACTER * max(0, len(out.get("symbol", "")) - 2)) if "symbol" in out else 0.0
    text = max([len(title), *map(len, lines), NUMBER if gates or title else len(constant_text(raw(graph, last)))])
    if picture:
        text = max(text, len(str(shape(graph, last))))
    rows = bool(title) + len(lines) + 1 + needs
    width = symbol + CHARACTER * text + 18
    named = bool(box.title) or nodes[last]["named"]
    out |= {"title": title, "named": named, "lines": lines, "picture": tall, "needs": needs}
    out["w"] = round(max(width, symbol + (2 * PICTURE if needs else PICTURE) + 26 if picture else 0))
    out["h"] = 15 * rows + 12 + (tall + 8 if tall else 0)
    out["indent"] = round(symbol)
    return out


def raw(graph: Graph, at: int) -> Any:
    value = graph.values[at]
    return value._raw if isinstance(value, Value) else value


def shape(graph: Graph, at: int) -> tuple[int, ...]:
    return () if isinstance(raw(graph, at), tuple) else shape_of(raw(graph, at))


def flat(size: tuple[int, ...]) -> tuple[int, int]:
    """The rows and columns in which an array is drawn."""
    return int(np.prod(size[:-1], dtype=int)), size[-1]


def constant_text(x: Any) -> str:
    return number(float(x), 4) if np.ndim(x) == 0 and not isinstance(x, tuple) else str(shape_of(x))
