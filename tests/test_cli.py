"""The command: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

import minigrad
from minigrad import cli, errors


def test_info_names_versions_extras_and_the_renderer(capsys):
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"minigrad {minigrad.__version__}"
    assert lines[1].startswith("python 3.")
    for name in cli.PACKAGES:
        assert any(line.startswith(f"{name} ") for line in lines), name
    assert lines[-1].startswith("pictures are drawn by ")


def test_info_says_how_to_get_what_is_missing(monkeypatch, capsys):
    def missing(name):
        raise cli.PackageNotFoundError(name)

    monkeypatch.setattr(cli, "version", missing)
    monkeypatch.setenv("MINIGRAD_DOT", "no-such-program")
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert 'matplotlib is missing: pip install "minigrad-engine[plot]"' in out
    assert "graphviz is missing: pip install graphviz\n" in out
    assert "pictures can't be drawn: MINIGRAD_DOT=no-such-program" in out


def test_python_m_minigrad_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "minigrad", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"minigrad {minigrad.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["demo", "--fast"]])
def test_wrong_usage_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: minigrad" in capsys.readouterr().err


def test_a_folder_that_can_not_be_made_is_an_error_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["demo", "--quick", "--out", str(tmp_path / "file" / "out")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("minigrad: ")
    assert err.count("\n") == 1


def test_the_demo_names_the_extra_that_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 1
    assert 'pip install "minigrad-engine[all]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_errors_of_minigrad_are_told_and_others_are_not_hidden(monkeypatch, capsys):
    import minigrad.demo

    def fails(error):
        def run(*args, **kwargs):
            raise error

        return run

    monkeypatch.setattr(minigrad.demo, "run", fails(errors.ShapeError("it does not fit")))
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == "minigrad: it does not fit\n"
    monkeypatch.setattr(minigrad.demo, "run", fails(KeyboardInterrupt()))
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "minigrad: interrupted\n"
    monkeypatch.setattr(minigrad.demo, "run", fails(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])
