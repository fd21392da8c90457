"""Pictures of images: what a linear model looks for in them, and how a model reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .plots import new_figure

__all__ = ["plain", "plot_answers", "plot_templates"]


def plot_templates(weight: Any, shape: tuple[int, int], names: Sequence[str], columns: int = 10) -> Any:
    """The weights (classes, pixels) of a linear model, each class an image of `shape`: red where ink speaks for it."""
    rows = -(-len(names) // columns)
    figure = new_figure(width=10.0, height=1.4 * rows)
    limit = abs(weight).max() or 1.0
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, template, name in zip(grid, weight, names, strict=False):
        axes.imshow(template.reshape(shape), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(plain(name))
    return figure


def plot_answers(
    images: Any, labels: Any, answers: Any, shape: tuple[int, int], names: Sequence[str], count: int = 20
) -> Any:
    """Images (n, pixels) with a model's answers: its first mistakes in red, then what it read right."""
    shown = np.argsort(answers == labels, kind="stable")[:count]
    columns = 10
    rows = -(-len(shown) // columns)
    figure = new_figure(width=10.0, height=1.45 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, i in zip(grid, shown, strict=False):
        right, name = answers[i] == labels[i], plain(names[answers[i]])
        axes.imshow(images[i].reshape(shape), cmap="gray_r")
        title = name if right else f"read {name}, is {plain(names[labels[i]])}"
        axes.set_title(title, color="black" if right else "#c5221f", fontsize=10)
    return figure


def plain(text: str, longest: int = 24) -> str:
    """`text` as matplotlib shows it, not as mathematics between $ signs, and not too long."""
    return (text if len(text) <= longest else text[: longest - 1] + "…").replace("$", r"\$")
