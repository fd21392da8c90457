"""Every gate of the catalogue and random graphs, drawn: the picture is parsed, and says what the engine says.

Once as Graphviz lays it out and once as minigrad does alone.  Gradients are compared with finite differences.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_viz import SVG, random_graph
from test_viz_modules import deep, mlp
from test_viz_spans import cnn

import minigrad as mg
from minigrad.check.sampling import cases_of, is_float
from minigrad.value import times
from minigrad.viz.circuit import Circuit, Node
from minigrad.viz.drawing import Drawing, draw
from minigrad.viz.svg import draw_svg
from minigrad.viz.words import data_text, size_text

LAYOUTS: dict[str, Callable[[Drawing], bytes]] = {
    "graphviz": lambda drawing: drawing.picture("svg"),
    "own": lambda drawing: draw_svg(drawing.circuit, drawing.style),
}
BY_GATE = [cases_of(gate) for gate in mg.REGISTRY.values() if gate.differentiable]
CASES = [case for cases in BY_GATE for case in cases]
LAST = {id(cases[-1]) for cases in BY_GATE}  # one of each gate: Graphviz takes a while
EITHER = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


class Picture:
    """An SVG, read."""

    def __init__(self, svg: bytes) -> None:
        self.groups = {g.attrib["id"]: g for g in ET.fromstring(svg).iter(f"{SVG}g")}

    def said(self, id: str) -> list[str]:
        lines = [(t.text or "").replace("\xa0", " ") for t in self.groups[id].findall(f"{SVG}text")]
        return [" ".join(line.split()) for line in lines if line.strip()]

    def points(self, id: str, tag: str, attribute: str) -> list[np.ndarray]:
        found = [e.attrib[attribute] for e in self.groups[id].findall(f"{SVG}{tag}")]
        return [np.array(re.findall(r"-?[\d.]+", numbers), float).reshape(-1, 2) for numbers in found]

    def rule(self, id: str) -> tuple[np.ndarray, np.ndarray]:
        """The ends of the piece of wire of a value."""
        (line, *_) = self.points(id, "polyline", "points")
        return line[line[:, 0].argmin()], line[line[:, 0].argmax()]

    def line(self, id: str) -> tuple[np.ndarray, np.ndarray]:
        """Where a wire begins, and the tip of its arrowhead (or its end, if it has none)."""
        (path,) = self.points(id, "path", "d")
        heads = self.points(id, "polygon", "points")
        middle = path[-1]
        return path[0], max([p for head in heads for p in head], key=lambda p: np.hypot(*(p - middle)), default=middle)

    def outside(self, gate: str, point: np.ndarray) -> float:
        """How far a point is from the border of a gate."""
        for e in self.groups[gate].findall(f"{SVG}ellipse"):
            middle, radii = (
                np.array([float(e.attrib[name]) for name in names]) for names in (("cx", "cy"), ("rx", "ry"))
            )
            far = np.hypot(*((point - middle) / radii))
            return float(abs(far - 1.0) * np.hypot(*(point - middle)) / far)
        corners = np.vstack(self.points(gate, "polygon", "points") + self.points(gate, "path", "d"))
        low, high = corners.min(axis=0), corners.max(axis=0)
        inside = np.clip(point, low, high)
        return float(np.hypot(*(point - inside)) + min(*(inside - low), *(high - inside)))


def check_wires(picture: Picture, circuit: Circuit, direction: str = "LR") -> None:
    """Every wire goes on from the piece of wire of its value, and ends at the border of its gate."""
    for wire in circuit.wires:
        start, tip = picture.line(wire.id)
        left, right = picture.rule(wire.source)
        if direction == "LR":
            assert np.abs(start - right).max() < 4.0, wire
        elif direction == "RL":  # where its name may stand
            assert -4.0 < left[0] - start[0] < 400
            assert abs(start[1] - left[1]) < 4.0
        else:
            assert abs(start[0] - (left[0] + right[0]) / 2) < 4.0
            assert 5.0 < (start[1] - left[1]) * (1 if direction == "TB" else -1) < 60.0
        assert picture.outside(f"g{wire.target[1:]}", tip) < 4.0, wire
    for node in circuit.nodes:
        if node.symbol is not None:
            start, end = picture.line(f"w{node.id[1:]}")
            assert picture.outside(f"g{(node.box or node.id)[1:]}", start) < 4.0
            if direction == "LR":  # before the name that may stand there
                left, _ = picture.rule(node.id)
                assert abs(end[1] - left[1]) < 2.5
                assert -2.5 < left[0] - end[0] < (2.5 if not node.label else 13.0 * len(node.label) + 12)


def check_numbers(picture: Picture, circuit: Circuit, digits: int = 17) -> None:
    """Text by text: values, gradients; local gradients and what is sent; and what is sent adds up."""
    nodes = {node.id: node for node in circuit.nodes}
    sent: dict[str, list[Any]] = {}
    for wire in circuit.wires:
        source, target = nodes[wire.source], nodes[wire.target]
        said = " ".join(picture.said(wire.id))
        if source.constant:
            assert said == ""
            continue
        shape = f"{np.shape(wire.contribution)} " if wire.local is None and np.ndim(wire.contribution) else ""
        local = "" if wire.local is None else f"local {data_text(wire.local, digits)} "
        assert said == f"{local}→ {shape}{size_text(wire.contribution, digits)}"
        if wire.local is not None:  # upstream times local, in the source's shape
            with np.errstate(all="ignore"):
                product = np.asarray(times(np.asarray(target.grad), np.asarray(wire.local)))
            extra = product.ndim - np.ndim(source.data)
            product = product.sum(axis=tuple(range(extra)))
            stretched = [i for i, n in enumerate(np.shape(source.data)) if n == 1 != product.shape[i]]
            product = product.sum(axis=tuple(stretched), keepdims=True)
            np.testing.assert_allclose(wire.contribution, product, rtol=1e-9, atol=1e-12)
        if not isinstance(source.data, tuple):
            assert np.shape(wire.contribution) == np.shape(source.data)
        sent.setdefault(wire.source, []).append(wire.contribution)
    for node in circuit.nodes:
        said = picture.said(node.id)
        if node.label:
            assert said.pop(0) == node.label
        if node.constant or isinstance(node.data, tuple):
            assert said == [data_text(node.data, digits)]
            continue
        assert said == [data_text(node.data, digits), size_text(node.grad, digits)]
        assert node.marks == ()
        if node.id in sent:
            np.testing.assert_allclose(sum(sent[node.id]), node.grad, rtol=1e-9, atol=1e-12)
        if node.symbol is not None and not node.box:
            assert picture.said(f"g{node.id[1:]}")[0] == node.symbol


def drawn_case(case: Any) -> tuple[mg.Value, Callable[..., Any], list[Any]]:
    """A case's gate with numbers, summed up to a root that has been walked back from; the same as a plain function."""
    rng = np.random.default_rng(0)
    raw = case.sample(rng)
    weights: list[Any] = []

    def total(*xs: Any) -> Any:
        out = case.call(*xs)
        outs = out if isinstance(out, tuple) else (out,)
        while len(weights) < len(outs):
            weights.append(rng.normal(size=np.shape(outs[len(weights)].data)))
        return sum([mg.sum(o * mg.Value(w, requires_grad=False)) for o, w in zip(outs, weights, strict=True)], 0.0)

    plain = case.gate.plain
    inputs = [mg.Value(x, label=f"x{i}") if is_float(x) and i not in plain else x for i, x in enumerate(raw)]
    root = total(*inputs)
    root.backward()
    return root, total, inputs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_gates_picture_says_what_the_engine_says(case: Any) -> None:
    root, _, _ = drawn_case(case)
    drawing = draw(root, digits=17, max_nodes=100)
    for name in ("own", "graphviz") if id(case) in LAST else ("own",):
        picture = Picture(LAYOUTS[name](drawing))
        check_numbers(picture, drawing.circuit)
        check_wires(picture, drawing.circuit)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_gates_drawn_gradients_are_slopes(case: Any) -> None:
    """Along a random direction, against finite differences: not against the rule that made them."""
    root, total, inputs = drawn_case(case)
    nodes: dict[str, Node] = {node.label: node for node in draw(root).circuit.nodes if node.label}
    rng = np.random.default_rng(1)
    for i, x in enumerate(inputs):
        if not isinstance(x, mg.Value) or not x.size:
            continue
        way = rng.normal(size=x.shape)

        def at(step: float, i: int = i, way: Any = way) -> float:
            moved = [mg.Value(y.data + step * way) if j == i else y for j, y in enumerate(inputs)]
            return float(total(*moved).data)

        slope = (at(1e-6) - at(-1e-6)) / 2e-6
        grad = nodes[f"x{i}"].grad
        assert float(np.sum(grad * way)) == pytest.approx(slope, rel=1e-4, abs=1e-5 * (1 + abs(float(root.data))))


@EITHER
@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_say_what_the_engine_says(seed: int, layout: Callable[[Drawing], bytes]) -> None:
    f = random_graph(100 + seed)
    f.backward()
    drawing = draw(f, digits=17)
    picture = Picture(layout(drawing))
    check_numbers(picture, drawing.circuit)
    check_wires(picture, drawing.circuit)
    total: dict[str, float] = {}  # from the texts alone
    for wire in drawing.circuit.wires:
        if said := picture.said(wire.id):
            total[wire.source] = total.get(wire.source, 0.0) + float(" ".join(said).split("→")[1])
    for node in drawing.circuit.nodes[:-1]:
        if not node.constant:
            assert total[node.id] == pytest.approx(float(picture.said(node.id)[-1]), rel=1e-12, abs=1e-15)


@EITHER
@pytest.mark.parametrize("direction", ["RL", "TB", "BT"])
@pytest.mark.parametrize("seed", range(3))
def test_wires_end_at_their_boxes_in_every_direction(
    seed: int, direction: str, layout: Callable[[Drawing], bytes]
) -> None:
    f = random_graph(200 + seed)
    f.backward()
    drawing = draw(f, digits=17, direction=direction)
    picture = Picture(layout(drawing))
    check_numbers(picture, drawing.circuit)
    check_wires(picture, drawing.circuit, direction)


def models() -> dict[str, tuple[Any, mg.Value]]:
    model = cnn()
    loss = model(np.random.default_rng(0).normal(size=(2, 1, 8, 8))).sum()
    loss.backward()
    return {"mlp": mlp(), "deep": deep(3), "cnn": (model, loss)}


@EITHER
@pytest.mark.parametrize("name", ["mlp", "deep", "cnn"])
@pytest.mark.parametrize("depth", [None, 0, 1, 2])
def test_wires_end_at_the_boxes_of_modules(name: str, depth: int | None, layout: Callable[[Drawing], bytes]) -> None:
    model, loss = models()[name]
    drawing = draw(loss, model=model, depth=depth, max_nodes=1000)
    picture = Picture(layout(drawing))
    check_wires(picture, drawing.circuit)
    for node in drawing.circuit.nodes:
        if node.inside and not node.box:
            assert picture.said(f"g{node.id[1:]}")[1:] == [*node.inside]
