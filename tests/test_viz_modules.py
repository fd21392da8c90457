"""Models as frames and boxes, themes, small pictures, health, and the files that a drawing can be written to."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_viz import HOSTILE, leaf, sum_times_z, texts, visible

import minigrad as mg
from minigrad import nn
from minigrad.errors import DtypeError, MinigradError
from minigrad.viz.circuit import Circuit, trace
from minigrad.viz.collapse import collapse
from minigrad.viz.drawing import draw
from minigrad.viz.health import ailment
from minigrad.viz.heatmap import heatmap, pooled
from minigrad.viz.svg import draw_svg
from minigrad.viz.themes import THEMES
from minigrad.viz.writers import mermaid, table


class Block(nn.Module):
    def __init__(self, n: int, seed: int) -> None:
        self.fc, self.norm = nn.Linear(n, n, rng=seed), nn.LayerNorm(n)

    def forward(self, x: Any) -> Any:
        return x + self.norm(self.fc(x).relu())


class Deep(nn.Module):
    def __init__(self, blocks: int) -> None:
        self.blocks = nn.Sequential(*[Block(4, i) for i in range(blocks)])
        self.head = nn.Linear(4, 1, rng=0)

    def forward(self, x: Any) -> Any:
        return self.head(self.blocks(x))


def deep(blocks: int = 12) -> tuple[Deep, mg.Value]:
    model = Deep(blocks)
    X = mg.Value(np.random.default_rng(0).normal(size=(5, 4)), "X")
    loss = model(X).mean()
    loss.label = "loss"
    loss.backward()
    return model, loss


def mlp() -> tuple[nn.MLP, mg.Value]:
    model = nn.MLP([3, 4, 1], rng=0)
    loss = model(mg.Value(np.random.default_rng(0).normal(size=(5, 3)), "X", requires_grad=False)).mean()
    loss.backward()
    return model, loss


def balanced(circuit: Circuit) -> None:
    """What the wires send to a value adds up to its gradient."""
    for node in circuit.nodes[:-1]:
        sent = [w.contribution for w in circuit.wires if w.source == node.id and w.contribution is not None]
        if node.grad is not None:
            np.testing.assert_allclose(sum(sent), node.grad, rtol=1e-9, atol=1e-12)


def test_parameters_have_their_path_and_modules_a_frame() -> None:
    model, loss = mlp()
    drawing = draw(loss, model=model)
    names = [node.label for node in drawing.circuit.nodes if node.label]
    assert set(names) == {"X", *dict(model.named_parameters())}
    modules = {node.label or node.gate: node.module for node in drawing.circuit.nodes if node.label or node.gate}
    assert modules["layers.0.weight"] == "layers.0"
    assert modules["relu"] == "layers.1"
    assert modules["X"] is modules["mean"] is None
    said = [lines[0] for key, lines in texts(drawing).items() if key[0] == "m"]
    assert said == ["layers: Sequential", "layers.0: Linear(3, 4)", "layers.1: ReLU()", "layers.2: Linear(4, 1)"]


def test_without_the_times_of_the_calls_a_gate_belongs_to_the_module_of_its_parameters() -> None:
    model, loss = mlp()
    for module in model.modules():
        vars(module).pop("_span", None)
    made = {node.gate: node.module for node in trace(loss, model=model).nodes if node.gate}
    assert made == {"linear": "layers.2", "relu": None, "mean": None}


@pytest.mark.parametrize("depth", range(4))
def test_a_module_is_one_box_and_the_sums_still_hold(depth: int) -> None:
    model, loss = deep(3)
    whole = trace(loss, model=model)
    balanced(whole)
    closed = collapse(whole, depth)
    balanced(closed)
    ids = {node.id for node in closed.nodes}
    assert ids <= {node.id for node in whole.nodes}
    assert all(w.source in ids and w.target in ids for w in closed.wires)
    boxes = [node.inside[0] for node in closed.nodes if node.gate == "module"]
    assert boxes == [
        ["the model"], ["blocks", "head"], ["blocks.0", "blocks.1", "blocks.2"],
        [f"blocks.{i}.{part}" for i in range(3) for part in ("fc", "norm")],
    ][depth]  # fmt: skip


def test_rows_of_equal_blocks_are_one_box() -> None:
    model, loss = deep(12)
    circuit = draw(loss, model=model, depth=2).circuit
    (box,) = [node for node in circuit.nodes if node.gate == "module"]
    assert box.symbol == "Block × 12"
    assert box.inside[0] == "blocks.0 … blocks.11"
    assert box.inside[2] == f"{4 * 4 + 4 + 4 + 4} parameters"
    (first,) = {w.source for w in circuit.wires if w.target == box.id}
    source = next(node for node in circuit.nodes if node.id == first)
    assert source.label == "X"
    model, loss = deep(3)
    model.blocks[1].extra = nn.Linear(4, 4, rng=0)  # two alike, then another: no row of three
    loss = model(np.ones((2, 4))).mean()
    assert "× 3" in draw(loss, model=model, depth=2).source


def test_a_large_model_is_drawn_as_boxes_and_says_so() -> None:
    model, loss = deep(12)
    drawing = draw(loss, model=model, max_nodes=100)
    assert len(drawing.circuit.nodes) <= 100
    size = len(trace(loss).nodes)
    assert drawing.circuit.note == f"{size} values; modules at depth 3 are drawn as boxes. max_nodes={size} opens them."
    assert texts(drawing)["graph0"] == [drawing.circuit.note]


def test_arguments_that_make_no_sense_are_refused() -> None:
    x = leaf(1.0)
    with pytest.raises(DtypeError, match="model=3 is a int, not an nn"):
        draw(x, model=3)
    with pytest.raises(MinigradError, match="give model=, too"):
        draw(x, depth=1)
    with pytest.raises(ValueError, match="theme='pink' is not one of light, dark, print"):
        draw(x, theme="pink")
    with pytest.raises(DtypeError, match="values='no'; it is True or False"):
        draw(x, values="no")  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------- what is left out
def test_numbers_can_be_left_out() -> None:
    f = sum_times_z()
    f.backward()
    assert texts(draw(f, local=False))["e2"] == ["→", "-4"]
    assert texts(draw(f, grads=False))["e2"] == ["local -4"]
    assert texts(draw(f, grads=False))["v0"] == ["x", "-2"]
    assert texts(draw(f, values=False))["v0"] == ["x", "-4"]
    assert texts(draw(f, local=False, grads=False))["e2"] == []


# ------------------------------------------------------------------------------------------------------------ themes
def contrast(a: str, b: str) -> float:
    def light(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted([light(a), light(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_in_every_theme(name: str) -> None:
    theme = THEMES[name]
    for color in (theme.ink, theme.value, theme.gradient, theme.dim):
        assert contrast(color, theme.paper) >= 4.5
        assert contrast(color, theme.module) >= 4.5
    assert contrast(theme.ink, theme.gate) >= 4.5
    assert contrast(theme.ink, theme.alarm) >= 4.5
    f = sum_times_z()
    f.backward()
    assert texts(draw(f, theme=name)) == texts(draw(f))


# --------------------------------------------------------------------------------------------- small pictures, health
def test_a_heatmap_frames_negative_cells() -> None:
    made = heatmap(np.array([[1.0, -2.0, 0.0, np.nan]]), "#ffffff", "#00ff00", "#ff00ff")
    assert made.count("<TD") == 4
    assert made.count('BORDER="1" COLOR="#ff00ff"') == 1
    assert 'BGCOLOR="#75ff75"' in made  # half as large as the largest
    assert 'BGCOLOR="#ff73ff"' in made  # the lowest is lighter than its frame
    assert ">x<" in made


@pytest.mark.parametrize("shape", [(1,), (7,), (64, 64), (3, 4, 5, 6), (1, 100), (100, 1), (9, 9)])
def test_a_large_array_is_pooled_to_what_is_furthest_from_zero(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    cells = pooled(x)
    assert max(cells.shape) <= 8
    assert set(cells.ravel()) <= set(x.ravel())
    assert abs(cells).max() == abs(x).max()


def test_health_names_dead_closed_and_saturated_gates() -> None:
    def said(v: mg.Value) -> str:
        return ailment([*trace(v).wires])

    assert said(leaf(np.array([-1.0, -2.0])).relu()) == "dead"
    assert said(leaf(np.array([-1.0, 2.0])).relu()) == "closed 50 %"
    assert said(leaf(np.array([10.0, 0.1, 0.2, 0.3])).tanh()) == "saturated 25 %"
    assert said(leaf(np.array([1.0, 2.0])).relu()) == said(leaf(1e-5) * leaf(1e-5)) == ""
    x = leaf(np.array([-1.0, -2.0]), "x")
    f = x.relu().sum()
    f.backward()
    assert texts(draw(f, health=True))["g1"] == ["relu", "dead"]
    assert THEMES["light"].alarm in draw(f, health=True).source


# ------------------------------------------------------------------------------------------------------------- files
def test_every_kind_of_file(tmp_path: Path) -> None:
    f = sum_times_z()
    f.backward()
    drawing = draw(f)
    for suffix, start in [
        ("svg", b"<?xml"), ("png", b"\x89PNG"), ("dot", b"digraph"), ("gv", b"digraph"), ("mmd", b"flowchart LR"),
        ("json", b"{"), ("txt", b"name"), ("html", b"<!doctype html>"),
    ]:  # fmt: skip
        path = tmp_path / f"c.{suffix}"
        assert drawing.export(path) == str(path)
        first = path.read_bytes()
        assert first.startswith(start)
        drawing.export(path)
        assert path.read_bytes() == first
    with pytest.raises(MinigradError, match=r"'c.foo' doesn't say what to write"):
        drawing.export(tmp_path / "c.foo")
    assert drawing.copy().circuit is drawing.circuit


def test_json_has_everything(tmp_path: Path) -> None:
    x = leaf(np.array([[1.0, np.inf], [np.nan, 2.0]]), "x")
    f = (x * 2.0).sum()
    f.backward()
    tree = json.loads(Path(draw(f).export(tmp_path / "c.json")).read_text())
    first = tree["nodes"][0]
    assert first["label"] == "x"
    assert first["data"]["numbers"] == [[1.0, "inf"], ["nan", 2.0]]
    assert first["grad"] == {"shape": [2, 2], "dtype": "float64", "norm": 4.0, "numbers": [[2.0, 2.0], [2.0, 2.0]]}
    assert [(w["source"], w["target"]) for w in tree["wires"]] == [("v0", "v2"), ("v1", "v2"), ("v2", "v3")]


def test_the_table_says_what_the_picture_says() -> None:
    f = sum_times_z()
    f.backward()
    assert table(trace(f)).rows[2] == ["q", "+(x, y)", "3", "-4", "x: local 1 → -4; y: local 1 → -4"]


def test_mermaid() -> None:
    a = leaf(3.0, "a")
    f = a + a
    f.backward()
    assert mermaid(trace(f)).splitlines() == [
        "flowchart LR", '    v0["a<br>3<br>2"]', '    v1["6<br>1"]', '    g1(("+"))', "    g1 --- v1",
        '    v0 -->|"local 1 → 1"| g1', '    v0 -->|"local 1 → 1"| g1',
    ]  # fmt: skip


def test_mermaid_frames_the_modules() -> None:
    model, loss = mlp()
    lines = mermaid(trace(loss, model=model)).splitlines()
    titles = [line for line in lines if "subgraph" in line]
    assert titles == [
        '    subgraph m1["layers: Sequential"]', '        subgraph m2["layers.0: Linear(3, 4)"]',
        '        subgraph m3["layers.1: ReLU()"]', '        subgraph m4["layers.2: Linear(4, 1)"]',
    ]  # fmt: skip
    assert [line.strip() for line in lines].count("end") == 4
    start = lines.index(titles[2])
    inside = [line.strip() for line in lines[start + 1 : lines.index("        end", start)]]
    assert inside[1] == f'g{inside[0].partition("[")[0][1:]}(("relu"))'


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("label", HOSTILE, ids=lambda label: ascii(label)[:25])
def test_hostile_labels_stay_text_in_every_file(label: str, tmp_path: Path) -> None:
    x = leaf(2.0, label)
    f = x * x
    f.backward()
    drawing = draw(f)
    shown = visible(label) or "v0"
    chart = Path(drawing.export(tmp_path / "c.mmd")).read_text(encoding="utf-8")
    for line in chart.splitlines():
        inner = line.replace("<br>", "")
        assert not set(inner) & set("<>{}\\'`") - ({">"} if "-->" in line else set())
        assert inner.count('"') in (0, 2)
    codes = re.sub(r"#(\d+);", lambda code: chr(int(code[1])), chart.splitlines()[1])
    assert codes == f'    v0["{visible(label)}{"<br>" if visible(label) else ""}2<br>4"]'
    page = Path(drawing.export(tmp_path / "c.html")).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "default-src 'none'" in page
    tags = Tags()
    tags.feed(page)
    assert not tags.seen & {"script", "iframe", "object", "embed", "link", "base", "form", "b", "port", "svg"}
    assert not [name for name in tags.attributes if name.startswith("on") or name == "srcdoc"]
    assert shown in tags.text
    tree = json.loads(Path(drawing.export(tmp_path / "c.json")).read_text(encoding="utf-8"))
    assert tree["nodes"][0]["label"] == label
    rows = Path(drawing.export(tmp_path / "c.txt")).read_text(encoding="utf-8").splitlines()
    assert rows[1].startswith(shown)
    assert len(rows) == 3  # a label breaks no line
    assert Path(drawing.export(tmp_path / "c.dot")).read_text(encoding="utf-8") == drawing.source


def test_hostile_names_of_modules_are_shown_as_text() -> None:
    class Named(nn.ReLU):
        name = ""

        def extra_repr(self) -> str:
            return self.name

    for label in HOSTILE:
        layer = Named()
        layer.name = label
        model = nn.Sequential(layer)
        f = model(leaf(2.0))
        drawing = draw(f, model=model)
        said = texts(drawing)["m1"][0]
        assert said in (visible(f"0: Named({label})"), "0: Named")
        closed = draw(f, model=model, depth=1)
        for svg in (closed.pipe(format="svg"), draw_svg(closed.circuit, closed.style)):
            assert texts(closed, svg)["g1"][0] in (visible(f"Named({label})"), "Named")
