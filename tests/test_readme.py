"""The README's examples give the numbers that it prints, and its picture is the one that viz.draw makes."""

import doctest
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_examples():
    pytest.importorskip("sklearn")
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 10
    assert result.failed == 0


def test_the_first_picture_is_the_one_that_the_ten_lines_draw():
    first = re.search(r"!\[[^\]]*\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert first[1] == "docs/pictures/circuit.svg"
    example = doctest.DocTestParser().get_doctest((ROOT / "README.md").read_text(), {}, "README", None, None)
    names: dict = {}
    for line in example.examples[: next(i for i, e in enumerate(example.examples) if "picture" in e.source) + 1]:
        exec(line.source, names)
    drawn = runpy.run_path(str(ROOT / "docs" / "gallery.py"))["circuit"]()  # test_viz_gallery.py compares the file
    assert names["picture"].source == drawn.source, "the README's ten lines don't draw its picture"
