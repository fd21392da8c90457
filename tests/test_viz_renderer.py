"""Pictures with and without an installed `dot`: which program runs, and what happens when none can."""

from __future__ import annotations

import os
import struct
import sys
import sysconfig
import threading
import warnings
from pathlib import Path
from typing import Any

import graphviz
import pytest

import minigrad as mg
from minigrad.errors import MinigradError, MissingExtraError
from minigrad.viz import draw, renderer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in programs are shell scripts")


def program(folder: Path, name: str, script: str) -> Path:
    """A stand-in for a Graphviz program."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH of one empty folder, and no scripts beside the interpreter."""
    folder = tmp_path / "bin of mine"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("MINIGRAD_DOT", raising=False)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "none"))
    return folder


@pytest.fixture
def drawing() -> Any:
    x = mg.Value(3.0, label="x")
    f = x * x
    f.backward()
    return draw(f)


ECHO = 'while read -r line; do :; done; echo "${0##*/} $@"'


def test_the_program_from_pip_comes_before_the_systems(nothing_installed: Path, drawing: Any) -> None:
    program(nothing_installed, "dot", ECHO)
    assert drawing.pipe() == b"dot -Kdot -Tsvg\n"
    program(nothing_installed, "graphviz-pure", ECHO)
    assert drawing.pipe(format="png") == b"graphviz-pure -Kdot -Tpng\n"


def test_minigrad_dot_comes_first_and_must_exist(
    nothing_installed: Path, drawing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(nothing_installed, "graphviz-pure", "echo pure")
    monkeypatch.setenv("MINIGRAD_DOT", str(program(tmp_path, "my dot", "echo mine")))
    assert drawing.pipe() == drawing.pipe(format="pdf") == b"mine\n"
    monkeypatch.setenv("MINIGRAD_DOT", str(tmp_path / "gone; echo x"))
    with pytest.raises(MissingExtraError, match=r"MINIGRAD_DOT=.*gone; echo x is not a program"):
        drawing.pipe()


def test_scripts_of_an_environment_that_is_not_activated_are_found(
    nothing_installed: Path, drawing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path, "graphviz-pure", "echo beside python")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert drawing.pipe() == b"beside python\n"


def test_without_any_program_svg_is_laid_out_here_and_others_say_what_to_install(
    nothing_installed: Path, drawing: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINIGRAD_DOT", "")  # as good as none
    for attempt in (drawing.pipe, lambda: drawing._repr_image_svg_xml().encode()):
        with pytest.warns(UserWarning, match="a simpler layout .* pip install graphviz-pure"):
            assert b'<g id="e1">' in attempt()
    for suffix in ("svg", "html"):
        with pytest.warns(UserWarning, match="a simpler layout"):
            assert Path(drawing.export(tmp_path / f"x.{suffix}")).stat().st_size > 1000
    for attempt in (lambda: drawing.pipe(format="png"), lambda: drawing.render(tmp_path / "x.gv", format="pdf")):
        with pytest.raises(MissingExtraError, match="pip install graphviz-pure"):
            attempt()
    assert drawing.source.startswith("digraph circuit {")


def test_the_dot_text_is_the_same_whatever_draws_it(nothing_installed: Path, drawing: Any) -> None:
    """A program that answers with what it was given."""
    alone = drawing.source
    for name in ("dot", "graphviz-pure"):
        program(nothing_installed, name, "/bin/cat")
        assert drawing.pipe().decode() == drawing.source == alone


def test_a_bitmap_is_drawn_with_letters_as_wide_as_their_boxes(nothing_installed: Path, drawing: Any) -> None:
    """graphviz-pure has no Verdana to paint with, but a Helvetica; a label may say what it likes."""
    drawing.node("label", label="fontname=Verdana is a label")
    program(nothing_installed, "graphviz-pure", "/bin/cat")
    swapped = drawing.pipe(format="png").decode()
    assert swapped.count("fontname=Helvetica") == 3
    assert swapped.count("Verdana") == 1
    assert drawing.source.count("fontname=Verdana") == 4


def test_a_bitmap_that_would_be_too_large_is_made_smaller_and_says_so() -> None:
    x = mg.Value(1.0, label="x")
    y = x
    for _ in range(120):
        y = y * 1.01
    with pytest.warns(UserWarning, match=r"a png of this drawing would be too large: it is drawn at \d\d% of its size"):
        picture = draw(y).pipe(format="png")
    width, height = struct.unpack(">II", picture[16:24])
    assert 0.99 * renderer.MAX_SIDE < width <= renderer.MAX_SIDE
    assert width * height <= renderer.MAX_PIXELS
    svg = b'<svg width="%dpt" height="%dpt"'
    assert renderer.shrunk(svg % (750, 750)) == 1.0
    assert renderer.shrunk(svg % (15_000, 15_000)) == pytest.approx((25e6 / 20_000**2) ** 0.5)
    assert renderer.shrunk(b"anything else") == 1.0


def test_pdf_falls_through_to_the_systems_dot_and_says_so(nothing_installed: Path, drawing: Any) -> None:
    program(nothing_installed, "graphviz-pure", "echo pure")
    with pytest.raises(MissingExtraError, match="graphviz-pure can't write pdf, and no other Graphviz"):
        drawing.pipe(format="pdf")
    program(nothing_installed, "dot", "echo system")
    with pytest.warns(UserWarning, match="can't write pdf; using .*dot"):
        assert drawing.pipe(format="pdf") == b"system\n"


def test_a_failing_program_is_quoted(nothing_installed: Path, drawing: Any, capfd: pytest.CaptureFixture[str]) -> None:
    program(nothing_installed, "dot", "echo 'syntax error in line 3' >&2; exit 1")
    with pytest.raises(MinigradError, match=r"could not draw svg \(exit status 1\): syntax error in line 3"):
        drawing.pipe()
    program(nothing_installed, "dot", "echo some warning >&2; echo picture")
    assert drawing.pipe() == b"picture\n"
    assert capfd.readouterr() == ("", "")  # quiet


def test_a_program_that_is_not_executable_code(nothing_installed: Path, drawing: Any) -> None:
    (nothing_installed / "dot").write_bytes(b"\x00\x01")
    (nothing_installed / "dot").chmod(0o755)
    with pytest.raises(MinigradError, match="dot could not be run"):
        drawing.pipe()


def test_a_slow_program_is_stopped(nothing_installed: Path, drawing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "TIMEOUT", 0.2)
    program(nothing_installed, "dot", "exec /bin/sleep 60")
    with pytest.raises(MinigradError, match=r"took more than 0.2 s"):
        drawing.pipe()


def test_a_text_too_big_is_refused(drawing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderer, "MAX_SOURCE", 100)
    with pytest.raises(MinigradError, match="bytes of DOT, more than 100"):
        drawing.pipe()


def test_a_half_written_picture_does_not_replace_the_old_one(
    nothing_installed: Path, drawing: Any, tmp_path: Path
) -> None:
    (tmp_path / "x.svg").write_text("old")
    program(nothing_installed, "dot", "echo half; exit 1")
    with pytest.raises(MinigradError, match="exit status 1"):
        drawing.render(outfile=tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_text() == "old"


# -------------------------------------------------------------------------------- what users of graphviz know, for real
def test_render_writes_where_the_graphviz_package_would(drawing: Any, tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    assert drawing.render(folder / "a.gv") == str(folder / "a.gv.svg")
    assert drawing.render(outfile=folder / "b.png", cleanup=True) == str(folder / "b.png")
    assert drawing.render("c", directory=folder, format="json") == str(folder / "c.json")
    assert sorted(p.name for p in folder.iterdir()) == ["a.gv", "a.gv.svg", "b.png", "c", "c.json"]
    assert (folder / "b.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "a.gv.svg").read_bytes() == drawing.pipe()
    with pytest.raises(graphviz.FileExistsError, match="exists"):
        drawing.render(outfile=folder / "b.png", raise_if_result_exists=True)


def test_it_is_a_digraph(drawing: Any, tmp_path: Path) -> None:
    assert isinstance(drawing, graphviz.Digraph)
    assert drawing.pipe(encoding="utf-8") == drawing.pipe(format="svg").decode()
    assert drawing.pipe(encoding="latin-1") == drawing.pipe(format="svg").decode("latin-1")
    assert drawing._repr_mimebundle_()["image/svg+xml"] == drawing.pipe(encoding="utf-8")
    assert Path(drawing.save(tmp_path / "x.gv")).read_text(encoding="utf-8") == drawing.source == str(drawing)
    copy = drawing.copy()
    copy.attr(bgcolor="#000000")
    assert type(copy) is type(drawing)
    assert copy.pipe() != drawing.pipe()
    with pytest.raises(ValueError, match="unknown format"):
        drawing.pipe(format="svg; rm")
    with pytest.raises(ValueError, match="unknown engine"):
        drawing.pipe(engine="dot -o x")


@pytest.mark.parametrize(("format", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("json", b"{")])
def test_pictures_have_the_same_bytes_twice(drawing: Any, format: str, start: bytes) -> None:
    first = drawing.pipe(format=format)
    assert first.startswith(start)
    assert first == drawing.pipe(format=format)


def test_several_threads_draw_at_once(drawing: Any) -> None:
    pictures: list[bytes] = []
    threads = [threading.Thread(target=lambda: pictures.append(drawing.pipe())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pictures == [drawing.pipe()] * 4


def test_the_graphviz_package_is_left_alone(drawing: Any) -> None:
    before = graphviz.backend.dot_command.DOT_BINARY
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing.pipe()
    assert before is graphviz.backend.dot_command.DOT_BINARY


def test_a_real_program_is_found_here() -> None:
    """The pictures of the other tests come from a Graphviz; `graphviz-pure` is a dependency where it has a wheel."""
    assert Path(renderer.find_renderer("svg")).exists(), sys.platform
