"""The pictures on the page of a run, each a matplotlib `Figure` with its caption."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..train import History
from ..viz.images import plain, plot_answers, plot_templates
from ..viz.plots import COLORS, decision_boundary, new_figure, plot_history
from .examples import Examples
from .predictor import Predictor

__all__ = ["as_data", "curves", "learned"]

POINTS = 2000  # of a scatter plot: more hide each other


def curves(history: History) -> tuple[Any, str]:
    """Loss and accuracy by epoch."""
    return plot_history(history), "After each pass over the rows: on those it learns from, and on those held back."


def learned(model: str, examples: Examples, trained: Predictor, answers: Any) -> Iterator[tuple[Any, str]]:
    """What can be seen of what was learned; `answers` are the predictions for the rows held back."""
    linear = model in ("svm", "softmax")
    if examples.image and linear:
        weight = trained.model.state_dict()["weight"]
        caption = "The weights of each class as an image: red where ink speaks for the class, blue where against it."
        yield plot_templates(weight, examples.image, examples.classes), caption
    if examples.image:
        figure = plot_answers(examples.X_held, examples.y_held, answers, examples.image, examples.classes)
        yield figure, "Images held back, as the model reads them; mistakes first, in red."
    elif 0 < len(examples.classes) <= len(COLORS) and examples.X.shape[1] == 2:
        yield boundary(model, examples, trained), "The regions of the classes, and the rows held back on top."
    elif not examples.classes:
        caption = (
            "The rows held back. Left: what was predicted over what is true; right answers lie on the line. Right: the "
            "error over what was predicted; where there is a pattern in it, something is left to learn."
        )
        yield residuals(examples, answers), caption


def boundary(model: str, examples: Examples, trained: Predictor) -> Any:
    margins = model == "svm" and len(examples.classes) == 2  # the score ahead of the other one: 1 at the margin

    def predict(X: Any) -> Any:
        scores = trained.scores(X)
        return scores[:, 1] - scores[:, 0] if margins else scores

    kept = slice(POINTS)
    figure = decision_boundary(predict, examples.X_held[kept], examples.y_held[kept])
    axes = figure.axes[0]
    axes.set(xlabel=plain(examples.features[0]), ylabel=plain(examples.features[1]))
    legend = axes.get_legend()
    legend.set_title(plain(examples.target))
    for text in legend.get_texts():
        text.set_text(plain(examples.classes[int(text.get_text())]))
    return figure


def residuals(examples: Examples, answers: Any) -> Any:
    true, answers = examples.y_held[:POINTS], answers[:POINTS]
    figure = new_figure(width=10.0)
    left, right = figure.subplots(1, 2)
    style = {"s": 16, "color": COLORS[0], "alpha": 0.7, "edgecolors": "none"}
    left.scatter(true, answers, **style)
    middle = float(np.mean(true))
    left.axline((middle, middle), slope=1.0, color=COLORS[1], linestyle="--")
    left.set(xlabel="true", ylabel="predicted", title=plain(examples.target))
    right.scatter(answers, answers - true, **style)
    right.axhline(0.0, color=COLORS[1], linestyle="--")
    right.set(xlabel="predicted", ylabel="predicted − true", title="error")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def as_data(figure: Any) -> str:
    """A figure as a PNG in a data URI."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # names in scripts that the font lacks: boxes on the picture
        figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
