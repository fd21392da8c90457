"""Promises of the project as a whole: a light import, names that are there, settings that fit each other."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def python(code):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_minigrad_imports_numpy_and_no_extra():
    loaded = python("import sys, minigrad; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert "numpy" in loaded
    assert not {"graphviz", "matplotlib", "tqdm", "sklearn", "scipy", "pandas", "torch"} & set(loaded)


def test_every_module_can_be_the_first_import():
    """A cycle of imports shows only for some orders."""
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in sorted((ROOT / "minigrad").rglob("*.py"))
        if file.stem not in ("__main__", "value_methods")
    ]
    assert "minigrad.train" in modules
    code = f"""
import importlib, sys
for module in {modules!r}:
    for name in [name for name in sys.modules if name.split(".")[0] == "minigrad"]:
        del sys.modules[name]
    importlib.import_module(module)
"""
    python(code)


@pytest.mark.parametrize("name", ["save", "load", "nn", "optim", "viz", "data", "train", "seed", "grad", "no_grad"])
def test_names_at_the_top(name):
    assert hasattr(minigrad, name)


def test_the_distribution_is_not_called_minigrad():
    assert PROJECT["name"] == "minigrad-engine"
    assert set(PROJECT["optional-dependencies"]) >= {"train", "plot", "data", "all", "test", "lint"}
    for file in ROOT.rglob("*.py"):
        if not {".venv", "build"} & set(file.parts) and file.resolve() != Path(__file__).resolve():
            assert "install minigrad[" not in file.read_text().replace('"', ""), file


def test_graphviz_pure_is_asked_for_where_it_has_wheels():
    from packaging.requirements import Requirement

    [requirement] = [Requirement(r) for r in PROJECT["dependencies"] if r.startswith("graphviz-pure")]
    machines = ["x86_64", "AMD64", "aarch64", "arm64", "ARM64", "riscv64", "i686", "ppc64le"]
    wanted = [m for m in machines if requirement.marker.evaluate({"platform_machine": m})]
    assert wanted == ["x86_64", "AMD64", "aarch64", "arm64", "ARM64"]


def test_the_package_says_that_it_is_typed():
    assert (Path(minigrad.__file__).parent / "py.typed").exists()


def test_the_types_of_the_methods_are_fresh():
    command = [sys.executable, "-m", "minigrad.gates"]
    written = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    stored = (ROOT / "minigrad" / "value_methods.pyi").read_text()
    assert written.stdout == stored, "run: python -m minigrad.gates > minigrad/value_methods.pyi"
