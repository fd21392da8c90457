"""Drawings as a browser shows them: no text lies on another, on a gate, or beside the paper; and labels do nothing."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from test_viz import HOSTILE, visible
from test_viz_layout import PICTURES

import minigrad as mg
from minigrad.viz.drawing import draw
from minigrad.viz.svg import draw_svg

pytestmark = pytest.mark.browser
GALLERY = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "gallery.py"))

# (what is wrong, with which text) of the SVG on the page; a pixel or two are no harm
PROBLEMS = """() => {
  const found = [], paper = document.querySelector("svg").getBoundingClientRect();
  const texts = [...document.querySelectorAll("svg text")].map(t => [t, t.getBoundingClientRect()]);
  const shared = (a, b) => [Math.min(a.right, b.right) - Math.max(a.left, b.left),
                            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
  texts.forEach(([t, a], i) => {
    if (a.left < paper.left - 1 || a.right > paper.right + 1 || a.top < paper.top - 1 || a.bottom > paper.bottom + 1)
      found.push(["beside the paper", t.textContent]);
    for (const [other, b] of texts.slice(i + 1)) {
      const [wide, high] = shared(a, b);
      if (wide > 2 && high > 5) found.push(["on another text", t.textContent + " | " + other.textContent]);
    }
    for (const gate of document.querySelectorAll("svg ellipse")) {
      const b = gate.getBoundingClientRect(), [wide, high] = shared(a, b);
      if (gate.parentNode === t.parentNode) {
        if (a.left < b.left - 1 || a.right > b.right + 1) found.push(["wider than its gate", t.textContent]);
      } else if (wide > 4 && high > 5) found.push(["on a gate", t.textContent]);
    }
  });
  return found;
}"""


def labelled(label, direction):
    rng = np.random.default_rng(0)
    a, b = mg.Value(rng.normal(size=(5, 4)), f"{label} a"), mg.Value(rng.normal(size=4), f"{label} b")
    c = (a * b).tanh()
    d = (c * -1234.5678).sum(axis=(0, 1))
    c.label = d.label = label
    d.backward()
    return draw(d, direction=direction, health=True)


LABELS = ["W" * 38, "数" * 38, "i" * 38, "ünï çødé 数 Ω 🙂 and more", "model.layers.0.attention.weight"]
DRAWINGS = {
    **PICTURES,
    **{f"gallery: {f.__name__}": f for f in GALLERY["PICTURES"]},
    **{f"{label[:5]} {way}": (lambda label=label, way=way: labelled(label, way))
       for label in LABELS for way in ("LR", "RL", "TB", "BT")},
}  # fmt: skip


@pytest.mark.parametrize("make", DRAWINGS.values(), ids=DRAWINGS)
def test_every_text_can_be_read(make, window):
    drawing = make()
    for svg in (drawing.picture("svg"), draw_svg(drawing.circuit, drawing.style)):
        window.set_content(re.sub(r"<[?!][^>]*>", "", svg.decode()))
        assert window.evaluate(PROBLEMS) == []


def test_it_sees_what_is_wrong(window):
    """Two texts at one place, one of them on a gate, and one beside the paper."""
    window.set_content(
        '<svg width="100" height="100"><g><ellipse cx="50" cy="50" rx="20" ry="20"/></g>'
        '<g><text x="40" y="55">one</text><text x="41" y="55">two</text><text x="95" y="20">three</text></g></svg>'
    )
    assert sorted({what for what, _ in window.evaluate(PROBLEMS)}) == [
        "beside the paper",
        "on a gate",
        "on another text",
    ]


def test_labels_do_nothing_in_a_browser(browser, tmp_path):
    """In the page of the picture itself, where nothing guards it, clicked everywhere; and in the exported page."""
    attacks = [
        "<img src=x onerror=pwned()>", "<svg onload=pwned()>", "</text><script>pwned()</script>", "]]><script>pwned()",
        '"><a href="javascript:pwned()">x</a>', "javascript:pwned()", "&lt;script&gt;pwned()&lt;/script&gt;",
        "<a xlink:href='javascript:pwned()'>x", "</title><script>pwned()</script>", "{{constructor}}", "${pwned()}",
    ]  # fmt: skip
    labels = [*attacks, *HOSTILE]
    drawing = draw(mg.stack([mg.Value(1.0, label) for label in labels]))
    page = browser.new_page()
    asked, called = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.expose_function("pwned", lambda *_: called.append("pwned"))
    for svg in (drawing.picture("svg"), draw_svg(drawing.circuit, drawing.style)):
        page.set_content(f"<body>{re.sub(r'<[?!][^>]*>', '', svg.decode())}</body>")
        page.evaluate(
            "document.querySelectorAll('*').forEach(e => e.dispatchEvent(new MouseEvent('click', {bubbles: true})))"
        )
        shown = page.evaluate("[...document.querySelectorAll('svg text')].map(t => t.textContent)")
        shown = {" ".join(text.replace("\xa0", " ").split()) for text in shown}
        assert {visible(label) for label in labels} - {""} <= shown
    assert (asked, called) == ([], [])
    path = drawing.export(tmp_path / "c.html")
    page.goto(f"file://{path}")
    page.wait_for_load_state()
    assert [url for url in asked if not url.startswith("data:")] == [f"file://{path}"]
    assert called == []
    page.close()
