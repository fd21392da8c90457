"""The page of a run: how it went, how good it is, where it is wrong, what it learned, and how to have it again."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import MissingExtraError
from ..train import History
from ..viz.page import Code, Facts, Part, Section, write_html
from . import pictures
from .examples import Examples
from .predictor import Predictor
from .results import classified, diverged, estimated, weighed
from .settings import Settings

__all__ = ["write_report"]

KINDS = {
    "mlp": "a multilayer perceptron", "svm": "a linear support vector machine", "softmax": "a softmax classifier",
    "linear": "a linear regression",
}  # fmt: skip


def write_report(folder: Path, settings: Settings, examples: Examples, trained: Predictor, history: History) -> str:
    """Write report.html into `folder`; returns the result in a sentence."""
    answers = trained.predict(examples.X_held)
    result = classified if examples.classes else estimated
    learned = trained.predict(examples.X)
    sentence, numbers, more = result(examples, learned, answers)
    if diverged(settings.model, examples, learned, history):
        sentence += f" The training diverged: a learning rate smaller than --lr {settings.lr:g} may help."
    sections = [
        Section("How good it is", "", [numbers, *caveats(settings, history)]),
        Section("How it learned", told(settings.model, examples.task), drawn(lambda: [pictures.curves(history)])),
        *more,
    ]
    shown = drawn(lambda: pictures.learned(settings.model, examples, trained, answers))
    if settings.model != "mlp" and not examples.image:
        shown += weighed(examples, trained)
    if shown:
        sections.append(Section("What it learned", "", shown))
    sections.append(Section("The run", "", [facts(settings, examples, trained, history)]))
    again = (
        "Into a new folder, this command trains the same model: with the versions above and on the same machine, to "
        "the last bit."
    )
    use: list[Part] = [
        Code(settings.command(str(folder))),
        "In Python, and as a file for other programs:",
        Code(f"from minigrad import runs\n\ntrained = runs.load({str(folder)!r})\ntrained.predict(X)"),
        Code(shlex.join(["minigrad", "export", str(folder / "model.npz"), "--onnx", str(folder / "model.onnx")])),
    ]
    sections.append(Section("Once more", again, use))
    title = f"{Path(settings.data).name}: {KINDS[settings.model]}"
    header = f"<p><strong>{escape(sentence)}</strong></p>"
    write_html(folder / "report.html", title, header, sections, "<p>Made by <code>minigrad train</code>.</p>", "data:")
    return sentence


def caveats(settings: Settings, history: History) -> list[Part]:
    if not settings.early_stopping:
        return []
    best = min(history.epochs, key=lambda record: record["val_loss"])
    return [
        f"The weights are those of epoch {int(best['epoch'])}, the best one on the held-out rows (--early-stopping "
        f"{settings.early_stopping}). As these rows have chosen it, they flatter it a little."
    ]


def told(model: str, task: str) -> str:
    """What the loss means."""
    if task == "regression":
        return (
            "The loss is the mean squared error, in units of the variance of what is to be predicted: 1 is what always "
            "answering the mean gives, 0 is perfect."
        )
    if model == "svm":
        return (
            "The loss is the hinge loss: how far each wrong class comes within 1 of the right one's score, added up "
            "over the classes. While all score alike, it is the number of classes minus 1."
        )
    means = "The loss is the cross-entropy: ln(classes) while all are as likely, 0 if each answer is sure and right."
    smooth = " A tenth of each label is spread over all classes, so that it stays above 0."
    return means + (smooth if model == "mlp" else "")


def facts(settings: Settings, examples: Examples, trained: Predictor, history: History) -> Facts:
    """Sizes, settings, time and versions."""
    sizes = [examples.X.shape[1], *(settings.hidden or ()), len(examples.classes) or 1]
    momentum = " with momentum 0.9" if settings.optimizer == "sgd" else ""
    rows = {
        "data": settings.data,
        "to be predicted": examples.target + (f", {len(examples.classes)} classes" if examples.classes else ""),
        "model": f"{KINDS[settings.model]}, {'-'.join(map(str, sizes))}",
        "activation": settings.activation,
        "parameters": f"{sum([p.size for p in trained.model.parameters()])}",
        "optimizer": f"{settings.optimizer}{momentum}, learning rate {settings.lr:g}, falling to 0 like a cosine",
        "weight decay": settings.weight_decay,
        "batches": f"{settings.batch_size} rows",
        "epochs": f"{len(history.epochs)} of {settings.epochs}",
        "time": f"{sum(history['seconds']):.1f} s",
        "seed": settings.seed,
        "versions": f"minigrad {__version__}, NumPy {np.__version__}, Python {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}",
    }
    return Facts([(name, str(x)) for name, x in rows.items() if x is not None])


def drawn(figures: Callable[[], Iterable[tuple[Any, str]]]) -> list[Part]:
    """The figures as pictures in the page; without matplotlib, how to get them."""
    try:
        return [(pictures.as_data(figure), caption) for figure, caption in figures()]
    except MissingExtraError as error:
        return [f"{error}; then minigrad train --resume draws them."]
