"""What drawings and explorer pages give to notebooks: HTML that runs nothing outside of its frame, svg, and text."""

from __future__ import annotations

import base64
import re
from contextlib import nullcontext
from html.parser import HTMLParser
from typing import Any

import graphviz
import numpy as np
import pytest

from minigrad import Value, nn, train, viz
from minigrad.nn import Module
from minigrad.optim import SGD

HOSTILE = [
    "<script>parent.__pwn=1</script>", "</script><script>parent.__pwn=1</script>", "<img src=x onerror=__pwn=1>",
    "\"><img src=x onerror='__pwn=1'>", "'><svg onload=__pwn=1>", "</iframe><script>__pwn=1</script>", "<!--", "-->",
    "</style><script>__pwn=1</script>", "</details></div><script>__pwn=1</script>",
    "&lt;script&gt;__pwn=1&lt;/script&gt;",
    "&quot; onload=&quot;__pwn=1", "javascript:__pwn=1", "<a href='javascript:__pwn=1'>x</a>",
    "]]><script>__pwn=1</script>",
    "{{__pwn=1}} ${__pwn=1}", "\u2028__pwn=1//", "<iframe srcdoc='<script>parent.__pwn=1</script>'>", "\x00<b>\x1b[31m",
]  # fmt: skip


class Elements(HTMLParser):
    """The elements of a text with their attributes, as browsers read them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))


def named(label: str) -> Value:
    x = Value(3.0, label="x")
    f = x * x
    f.label = label
    return f


def picture_in(html: str) -> str:
    (image,) = [attributes for tag, attributes in Elements(html).found if tag == "img"]
    return base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,")).decode()


def test_a_drawing_is_html_svg_and_text() -> None:
    drawing = viz.draw(named("f"))
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["image/svg+xml"] == picture_in(bundle["text/html"]) == drawing.pipe(encoding="utf-8")
    assert bundle["text/plain"] == repr(drawing)
    assert repr(drawing) == "Drawing(circuit of f, 2 values, 1 gate; .export('circuit.svg') writes it)"
    assert drawing._mime_() == ("text/html", bundle["text/html"])


@pytest.mark.parametrize("program", [True, False])
def test_letters_of_a_picture_are_as_large_as_a_notebook_s(monkeypatch: pytest.MonkeyPatch, program: bool) -> None:
    """14 points are written as 14 pixels; with Graphviz, or laid out without."""
    monkeypatch.setattr("minigrad.viz.drawing.has_renderer", lambda: program)
    with nullcontext() if program else pytest.warns(UserWarning, match="no Graphviz program"):
        html = viz.draw(named("f"))._repr_mimebundle_()["text/html"]
    points = float(re.findall(r'<svg[^>]*? width="([0-9.]+)pt"', picture_in(html))[0])
    assert dict(Elements(html).found)["img"]["width"] == str(round(points))


def test_a_drawing_is_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing, calls = viz.draw(named("f")), []
    pipe = drawing.pipe
    monkeypatch.setattr(drawing, "pipe", lambda *args, **options: calls.append(args) or pipe(*args, **options))
    drawing._repr_mimebundle_()
    assert len(calls) == 1


def test_a_notebook_asks_for_some_or_for_other_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing, page = viz.draw(named("f")), viz.explore(named("f"))
    assert set(drawing._repr_mimebundle_(include=["image/svg+xml"])) == {"image/svg+xml"}
    assert set(page._repr_mimebundle_(exclude=["text/html"])) == {"image/svg+xml", "text/plain"}
    assert drawing._repr_mimebundle_(include=[]) == page._repr_mimebundle_(include=[]) == {}
    png = drawing._repr_mimebundle_(include=["image/png", "text/plain"])
    assert set(png) == {"image/png", "text/plain"}
    assert png["image/png"].startswith(b"\x89PNG")
    monkeypatch.setattr(graphviz.Digraph, "_jupyter_mimetype", "image/png")  # as graphviz.set_jupyter_format does
    assert set(drawing._repr_mimebundle_()) == {"image/png", "text/plain"}


def test_a_page_is_in_a_sandboxed_frame_and_comes_out_of_it_unchanged() -> None:
    page = viz.explore(named("f"))
    bundle = page._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == repr(page)
    tags = [tag for tag, _ in Elements(bundle["text/html"]).found]
    assert tags == ["style", "iframe", "details", "summary", "div", "img"]
    frame = dict(Elements(bundle["text/html"]).found)["iframe"]
    assert frame["srcdoc"] == page.html
    assert frame["sandbox"] == "allow-scripts"  # and no same origin: it can't reach the notebook
    assert frame["title"] == page.title
    assert page._mime_() == ("text/html", bundle["text/html"])


@pytest.mark.parametrize("show", [viz.draw, viz.explore])
def test_ids_of_two_outputs_can_not_collide(show: Any) -> None:
    for _, attributes in Elements(show(named("f"))._repr_mimebundle_()["text/html"]).found:
        assert "id" not in attributes


@pytest.mark.parametrize("show", [viz.draw, viz.explore])
def test_hostile_labels_add_no_element_and_no_attribute(show: Any) -> None:
    def shape(v: Value) -> list[tuple[str, list[str]]]:
        found = Elements(show(v)._repr_mimebundle_()["text/html"]).found
        return [(tag, sorted(attributes)) for tag, attributes in found]

    plain = shape(named("f"))
    for label in HOSTILE:
        assert shape(named(label)) == plain


def test_a_value_s_own_text_is_all_that_it_shows() -> None:
    """An echoed loss of many gates must not start a layout."""
    assert [name for name in dir(Value) if name.startswith(("_repr_", "_mime_", "_display_"))] == []


def test_the_picture_of_a_page_has_the_gradients_and_the_graph_keeps_its_own() -> None:
    x, y = Value(2.0, label="x"), Value(5.0, label="y")
    f = x * y + x
    drawing = viz.explore(f).drawing
    assert [node.grad for node in drawing.circuit.nodes] == [6.0, 2.0, 1.0, 1.0]
    assert [wire.contribution for wire in drawing.circuit.wires] == [5.0, 2.0, 1.0, 1.0]
    assert not any([node.marks for node in drawing.circuit.nodes])
    assert f.grad is x.grad is y.grad is None
    x.grad = 100.0
    assert viz.explore(f).drawing.circuit.nodes[0].grad == 6.0
    assert x.grad == 100.0


def test_the_picture_of_a_page_follows_the_given_gradient() -> None:
    x = Value(np.array([1.0, 2.0, 3.0]), label="x")
    drawing = viz.explore(x * x, gradient=np.array([1.0, 0.0, 10.0])).drawing
    np.testing.assert_array_equal(drawing.circuit.nodes[0].grad, [2.0, 0.0, 60.0])


def test_the_picture_of_a_large_page_is_small_and_says_so() -> None:
    values = [Value(0.5), Value(-0.25)]
    for _ in range(150):
        values.append(values[-1] * values[-2] + 1.0)
    drawing = viz.explore(values[-1]).drawing
    assert len(drawing.circuit.nodes) <= 100
    assert drawing.circuit.note == "A part of the circuit, or its modules as boxes: the page has more."
    assert len(viz.explore(values[-1])._repr_mimebundle_()["text/html"]) < 1_000_000


def test_the_picture_of_a_model_names_its_parameters() -> None:
    model: Module = nn.MLP([2, 3, 1], rng=0)
    loss = (model(Value([[0.5, -1.0]], label="x")) ** 2).sum()
    assert "layers.0.weight" in viz.explore(loss, model=model)._repr_mimebundle_()["image/svg+xml"]


def test_a_training_shows_itself_too() -> None:
    X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([-1.0, 1.0])
    model, kept = nn.LinearSVM(2, 1, rng=0), viz.Snapshots()
    sgd = SGD(model.parameters(), lr=0.1)
    train.fit(model, (X, y), loss=nn.HingeLoss(), optimizer=sgd, epochs=2, callbacks=[kept], progress=False)
    page = viz.explore_training(kept)
    frame = dict(Elements(page._repr_mimebundle_()["text/html"]).found)["iframe"]
    assert frame["srcdoc"] == page.html


def test_frames_are_as_high_as_the_circuit_needs_but_not_endless() -> None:
    heights = []
    for n in (2, 8, 40):
        values = [Value(1.0, label=f"x{i}") for i in range(n)]
        heights.append(viz.explore(sum(values[1:], values[0])).height)
    assert 500 < heights[0] < heights[1] <= heights[2] < 900
