"""The gallery in docs/: its page and pictures are what the code draws."""

from __future__ import annotations

import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from minigrad.viz.renderer import find_renderer

DOCS = Path(__file__).parent.parent / "docs"
GALLERY = runpy.run_path(str(DOCS / "gallery.py"))
FILES = GALLERY["files"]()


@pytest.mark.parametrize("name", FILES)
def test_the_gallery_is_fresh(name: str) -> None:
    if name.endswith(".svg") and Path(find_renderer("svg")).stem != "graphviz-pure":
        pytest.skip("other programs lay out a little differently")
    assert (DOCS / name).read_bytes() == FILES[name], "run: make docs-gallery, and look at the pictures"


def test_no_picture_is_left_over() -> None:
    assert {f"pictures/{file.name}" for file in (DOCS / "pictures").iterdir()} == {*FILES} - {"gallery.md"}


def test_the_pictures_hold_nothing_but_shapes_and_text() -> None:
    for name, content in FILES.items():
        if name.endswith(".svg"):
            tags = {element.tag.partition("}")[2] for element in ET.fromstring(content).iter()}
            assert tags <= {"svg", "g", "title", "text", "path", "polygon", "polyline", "ellipse"}


def test_the_lines_on_the_page_draw_the_picture_beside_them() -> None:
    page = FILES["gallery.md"].decode()
    parts = page.split("```python\n")[1:]
    assert len(parts) == len(GALLERY["PICTURES"]) >= 14
    for part, function in zip(parts, GALLERY["PICTURES"], strict=True):
        lines = part.partition("\n```")[0].splitlines()
        names = dict(GALLERY)
        exec("\n".join(lines[:-1]), names)
        drawing = eval(lines[-1].partition(".export(")[0], names)
        assert drawing.source == function().source
