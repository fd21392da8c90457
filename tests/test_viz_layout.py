"""Where things lie: boxes are apart, frames hold what is theirs and nothing else, texts are on the paper."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from test_viz import patterns, random_graph, sigmoid_neuron, staged
from test_viz_modules import deep, mlp
from test_viz_numbers import EITHER, Picture
from test_viz_spans import Scalars, cnn

import minigrad as mg
from minigrad.viz.circuit import trace
from minigrad.viz.collapse import collapse
from minigrad.viz.drawing import Drawing, draw
from minigrad.viz.layers import lay_out
from minigrad.viz.modules import chain

Rectangle = tuple[float, float, float, float]


def apart(a: Rectangle, b: Rectangle) -> bool:
    return a[2] <= b[0] + 0.5 or b[2] <= a[0] + 0.5 or a[3] <= b[1] + 0.5 or b[3] <= a[1] + 0.5


def within(a: Rectangle, b: Rectangle) -> bool:
    return b[0] - 0.5 <= a[0] and b[1] - 0.5 <= a[1] and a[2] <= b[2] + 0.5 and a[3] <= b[3] + 0.5


def laid_out(drawing: Drawing) -> tuple[dict[str, Rectangle], dict[str, Rectangle], Rectangle]:
    """Boxes, frames and paper, as Graphviz says."""
    tree = json.loads(drawing.pipe(format="json"))
    boxes, frames = {}, {}
    for thing in tree.get("objects", []):
        if "bb" in thing:
            x0, y0, x1, y1 = map(float, thing["bb"].split(","))
            frames[thing["id"]] = (x0, y0, x1, y1)
        elif "pos" in thing:
            x, y = map(float, thing["pos"].split(","))
            w, h = 36 * float(thing["width"]), 36 * float(thing["height"])
            boxes[thing["id"]] = (x - w, y - h, x + w, y + h)
    x0, y0, x1, y1 = map(float, tree["bb"].split(","))
    return boxes, frames, (x0, y0, x1, y1)


def with_model(make: Callable[[], tuple[Any, mg.Value]], **options: Any) -> Callable[[], Drawing]:
    def drawing() -> Drawing:
        model, loss = make()
        return draw(loss, model=model, **options)

    return drawing


def small_cnn() -> tuple[Any, mg.Value]:
    model = cnn()
    loss = model(np.random.default_rng(0).normal(size=(2, 1, 8, 8))).sum()
    loss.backward()
    return model, loss


def scalars() -> tuple[Any, mg.Value]:
    model = Scalars(2, 3, 3, 1)
    loss = (model([1.0, -2.0]) - 1.0) ** 2
    loss.backward()
    return model, loss


def plain(make: Callable[[], mg.Value], **options: Any) -> Callable[[], Drawing]:
    def drawing() -> Drawing:
        v = make()
        v.backward()
        return draw(v, **options)

    return drawing


PICTURES = {
    "neuron": plain(sigmoid_neuron), "staged": plain(staged, direction="TB"),
    "patterns": plain(patterns, direction="BT"),
    **{f"random {seed}": plain(lambda seed=seed: random_graph(seed)) for seed in range(4)},
    "mlp": with_model(mlp, health=True), "mlp, dark": with_model(mlp, theme="dark", direction="TB"),
    **{f"mlp at {depth}": with_model(mlp, depth=depth) for depth in range(3)},
    "blocks": with_model(lambda: deep(2)), "12 blocks": with_model(lambda: deep(12), depth=2),
    "12 blocks, open": with_model(lambda: deep(12), depth=3),
    **{f"cnn at {depth}": with_model(small_cnn, depth=depth) for depth in range(3)}, "cnn": with_model(small_cnn),
    "scalars": with_model(scalars), "scalars at 1": with_model(scalars, depth=1),
    "scalars at 2": with_model(scalars, depth=2), "scalars in part": with_model(scalars, max_nodes=9),
}  # fmt: skip


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_boxes_are_apart_and_frames_hold_what_is_theirs(make: Callable[[], Drawing]) -> None:
    drawing = make()
    circuit = drawing.circuit
    boxes, frames, paper = laid_out(drawing)
    placed = [*boxes.items()]
    for i, (a, one) in enumerate(placed):
        assert within(one, paper), a
        for b, other in placed[i + 1 :]:
            assert apart(one, other), (a, b)
    numbers = {path: f"m{i}" for i, path in enumerate(circuit.modules)}
    for node in circuit.nodes:
        mine = {numbers[path] for path in chain(node.module, circuit.modules) if path} if node.module else set()
        for id in [node.id] + [f"g{node.id[1:]}"] * (node.symbol is not None and not node.box):
            for frame, area in frames.items():
                assert (within if frame in mine else apart)(boxes[id], area), (id, frame)
    framed = [*frames]
    for i, a in enumerate(framed):
        for b in framed[i + 1 :]:
            assert apart(frames[a], frames[b]) or within(frames[a], frames[b]) or within(frames[b], frames[a]), (a, b)


@EITHER
@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_every_text_is_on_the_paper(make: Callable[[], Drawing], layout: Callable[[Drawing], bytes]) -> None:
    picture = Picture(layout(make()))
    (paper, *_) = picture.points("graph0", "polygon", "points")
    (left, top), (right, bottom) = paper.min(axis=0), paper.max(axis=0)
    for id, group in picture.groups.items():
        for text in group.iter("{http://www.w3.org/2000/svg}text"):
            x, y = float(text.attrib["x"]), float(text.attrib["y"])
            long = 0.5 * float(text.attrib["font-size"]) * len(text.text or "")
            start = x - long * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]]
            assert left <= start, (id, text.text)
            assert start + long <= right, (id, text.text)
            assert top < y < bottom
        if id[0] in "ew":
            for path in picture.points(id, "path", "d"):
                on_it = path[::3]  # between them are the handles of Bézier curves
                assert (on_it >= paper.min(axis=0)).all()
                assert (on_it <= paper.max(axis=0)).all()


@pytest.mark.parametrize("seed", range(30))
def test_the_layout_of_our_own_keeps_boxes_apart_and_arrows_forward(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    sizes = {f"v{i}": (float(rng.uniform(5, 90)), float(rng.uniform(5, 60))) for i in range(n)}
    arrows = [(f"v{a}", f"v{rng.integers(a + 1, n)}") for a in range(n - 1) for _ in range(rng.integers(1, 4))]
    places, passed = lay_out(sizes, arrows)
    areas = []
    for id, (w, h) in sizes.items():
        x, y = places[id]
        areas.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    assert all(apart(one, other) for i, one in enumerate(areas) for other in areas[i + 1 :])
    for (a, b), between in zip(arrows, passed, strict=True):
        route = [places[a], *between, places[b]]
        assert all(p[0] < q[0] for p, q in pairwise(route))
        for x, y in between:
            assert not [1 for area in areas if area[0] < x < area[2] and area[1] < y < area[3]]


def test_a_tree_is_laid_out_without_crossings_inputs_in_order() -> None:
    leaves = [f"v{i}" for i in range(8)]
    pairs = [f"v{i}" for i in range(8, 15)]
    arrows = list(zip([*leaves, *pairs], [p for p in pairs for _ in range(2)], strict=False))
    places, _ = lay_out(dict.fromkeys([*leaves, *pairs], (10.0, 10.0)), arrows)
    assert [places[v][1] for v in leaves] == sorted([places[v][1] for v in leaves])
    for i, parent in enumerate(pairs[:4]):
        assert places[parent][1] == pytest.approx((places[leaves[2 * i]][1] + places[leaves[2 * i + 1]][1]) / 2)


def test_a_chain_is_straight() -> None:
    """A picture of 200 gates is as high as one of them."""
    y = mg.Value(1.0, label="x")
    for _ in range(50):
        y = y * 1.01
    boxes, _, (_, low, _, high) = laid_out(draw(y))
    assert high - low < 150
    assert len({round(sum(boxes[node.id][1::2])) for node in trace(y).nodes if not node.constant}) <= 3


def test_a_module_that_is_a_box_stays_in_the_frame_of_its_parent() -> None:
    model, loss = deep(3)
    closed = collapse(trace(loss, model=model), 2)
    assert {node.module for node in closed.nodes if node.gate == "module"} == {"blocks"}
