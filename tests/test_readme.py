"""The README's examples give the numbers that it prints, and its picture is the one that viz.draw makes."""

import doctest
import runpy
from pathlib import Path

import pytest

import minigrad as mg

ROOT = Path(__file__).parent.parent


def test_examples():
    pytest.importorskip("sklearn")
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 10
    assert result.failed == 0


def test_picture():
    circuit = runpy.run_path(str(ROOT / "docs" / "pictures.py"))["circuit"]
    stored = (ROOT / "docs" / "pictures" / "circuit.dot").read_text()
    example = doctest.DocTestParser().get_doctest((ROOT / "README.md").read_text(), {}, "README", None, None)
    names: dict = {}
    for line in example.examples[: next(i for i, e in enumerate(example.examples) if "picture" in e.source) + 1]:
        exec(line.source, names)
    assert names["picture"].source == stored, "the README's ten lines don't draw its picture"
    assert mg.viz.draw(circuit()).source == stored, "run: python docs/pictures.py"
