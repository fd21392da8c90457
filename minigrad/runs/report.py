"""The page of a run: how it went, how good it is, where it is wrong, what it learned, and how to have it again."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import MissingExtraError
from ..train import History
from ..viz.page import Code, Facts, Part, Section, Table, write_html
from .examples import Examples
from .predictor import Predictor
from .settings import Settings

__all__ = ["write_report"]

KINDS = {
    "mlp": "a multilayer perceptron", "svm": "a linear support vector machine", "softmax": "a softmax classifier",
    "linear": "a linear regression",
}  # fmt: skip
MOST = 20  # classes in a confusion matrix; of more, the commonest mistakes are listed


def write_report(folder: Path, settings: Settings, examples: Examples, trained: Predictor, history: History) -> str:
    """Write report.html into `folder`; returns the result in a sentence."""
    answers = trained.predict(examples.X_held)
    result = classified if examples.classes else estimated
    sentence, numbers, more = result(examples, trained.predict(examples.X), answers)
    sections = [
        Section("How good it is", "", [numbers, *caveats(settings, history)]),
        Section("How it learned", told(settings.model, examples.task), drawn(lambda: [pictures().curves(history)])),
        *more,
    ]
    shown = drawn(lambda: pictures().learned(settings.model, examples, trained, answers))
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
        Code(f"minigrad export {folder / 'model.npz'} --onnx {folder / 'model.onnx'}"),
    ]
    sections.append(Section("Once more", again, use))
    title = f"{Path(settings.data).name}: {KINDS[settings.model]}"
    header = f"<p><strong>{escape(sentence)}</strong></p>"
    write_html(folder / "report.html", title, header, sections, "<p>Made by <code>minigrad train</code>.</p>", "data:")
    return sentence


# -------------------------------------------------------------------------------------------------------------- results
def classified(examples: Examples, learned: Any, answers: Any) -> tuple[str, Table, list[Section]]:
    """The result in a sentence and in numbers, and where it is wrong."""
    y, held, n = examples.y, examples.y_held, len(examples.classes)
    right = int((answers == held).sum())
    usual = int(np.bincount(y, minlength=n).argmax())
    rows = [
        ["rows", str(len(y)), str(len(held))],
        ["right", f"{(learned == y).mean():.2%}", f"{right / len(held):.2%}"],
        ["right if always the commonest class", f"{(y == usual).mean():.2%}", f"{(held == usual).mean():.2%}"],
    ]
    counts = np.zeros((n, n), int)
    np.add.at(counts, (held, answers), 1)
    part = confusion(counts, examples.classes) if n <= MOST else mistakes(counts, examples.classes)
    intro = "A row per class, of the rows held back; a column per answer. Right answers are on the diagonal, in blue."
    if n > MOST:
        intro = "The commonest mistakes on the rows held back."
    where = Section("Where it is wrong", intro, [part])
    sentence = f"{right} of {len(held)} held-out rows are right: {right / len(held):.2%}."
    return sentence, Table(["", "learned from", "held out"], rows), [where]


def confusion(counts: Any, classes: tuple[str, ...]) -> Table:
    rows, shades = [], []
    for i, (name, row) in enumerate(zip(classes, counts, strict=True)):
        share = row / max(row.sum(), 1)
        rows.append([short(name), *[str(k) if k else "·" for k in row], f"{share[i]:.1%}"])
        levels = [1 + (x > 0.05) + (x > 0.2) if i != j else 1 + (x > 0.5) + (x > 0.9) for j, x in enumerate(share)]
        kinds = ["right" if i == j else "wrong" for j in range(len(classes))]
        cells = [f"{kind}-{level}" if k else "" for kind, level, k in zip(kinds, levels, row, strict=True)]
        shades.append(["", *cells, ""])
    return Table(["is ↓  read as →", *map(short, classes), "right"], rows, shades)


def mistakes(counts: Any, classes: tuple[str, ...]) -> Table:
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST]
    pairs = [np.unravel_index(k, wrong.shape) for k in order]
    rows = [[f"is {short(classes[i])}", short(classes[j]), str(wrong[i, j])] for i, j in pairs if wrong[i, j]]
    return Table(["", "answer", "times"], rows)


def estimated(examples: Examples, learned: Any, answers: Any) -> tuple[str, Table, list[Section]]:
    """The result of a regression in a sentence and in numbers."""
    mean = examples.y.mean()
    rows = [["rows", str(len(examples.y)), str(len(examples.y_held))]]
    measures: dict[str, Callable[[Any, Any], float]] = {
        "error, root mean square": lambda y, out: float(np.sqrt(np.mean((out - y) ** 2))),
        "error, mean absolute": lambda y, out: float(np.mean(np.abs(out - y))),
        "error if always the mean, root mean square": lambda y, out: float(np.sqrt(np.mean((mean - y) ** 2))),
        "share of the variance explained, R²": explained,
    }
    for name, measure in measures.items():
        rows.append([name, f"{measure(examples.y, learned):.4g}", f"{measure(examples.y_held, answers):.4g}"])
    error = measures["error, root mean square"](examples.y_held, answers)
    share = explained(examples.y_held, answers)
    n = len(examples.y_held)
    sentence = f"On {n} held-out rows the error is {error:.4g} (root mean square); R² is {share:.3f}."
    return sentence, Table(["", "learned from", "held out"], rows), []


def explained(y: Any, out: Any) -> float:
    """R²: 1 - the squared error / that of always answering the mean of y; nan for a single value."""
    spread = float(np.sum((y - np.mean(y)) ** 2))
    return 1.0 - float(np.sum((out - y) ** 2)) / spread if spread else float("nan")


def caveats(settings: Settings, history: History) -> list[Part]:
    if not settings.early_stopping:
        return []
    best = min(history.epochs, key=lambda record: record["val_loss"])
    return [
        f"The weights are those of epoch {int(best['epoch'])}, the best one on the held-out rows (--early-stopping "
        f"{settings.early_stopping}). As these rows have chosen it, they flatter it a little."
    ]


def weighed(examples: Examples, trained: Predictor) -> list[Part]:
    """The weights of a linear model, the largest first."""
    weight = trained.model.state_dict()["model.weight"]
    order = np.argsort(-np.abs(weight).max(axis=0), kind="stable")[:MOST]
    rows = [[short(examples.columns[i], 32), *[f"{w:+.3g}" for w in weight[:, i]]] for i in order]
    least = f" The {MOST} largest of {weight.shape[1]}." if weight.shape[1] > MOST else ""
    goal = "the score of each class" if examples.classes else "the prediction"
    told = f"What a column adds to {goal} when it is one standard deviation above its mean.{least}"
    return [told, Table(["column", *map(short, examples.classes or (examples.target,))], rows)]


# ------------------------------------------------------------------------------------------------------------ the run
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
    rows = {
        "data": settings.data,
        "to be predicted": examples.target + (f", {len(examples.classes)} classes" if examples.classes else ""),
        "model": f"{KINDS[settings.model]}, {'-'.join(map(str, sizes))}",
        "activation": settings.activation,
        "parameters": f"{sum([p.size for p in trained.model.parameters()])}",
        "optimizer": f"{settings.optimizer}, learning rate {settings.lr:g}, falling to 0 like a cosine",
        "weight decay": settings.weight_decay,
        "batches": f"{settings.batch_size} rows",
        "epochs": f"{len(history.epochs)} of {settings.epochs}",
        "time": f"{sum(history['seconds']):.1f} s",
        "seed": settings.seed,
        "versions": f"minigrad {__version__}, NumPy {np.__version__}, Python {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}",
    }
    return Facts([(name, str(x)) for name, x in rows.items() if x is not None])


def pictures() -> Any:
    from . import pictures

    return pictures


def drawn(figures: Callable[[], Iterable[tuple[Any, str]]]) -> list[Part]:
    """The figures as pictures in the page; without matplotlib, how to get them."""
    try:
        return [(pictures().as_data(figure), caption) for figure, caption in figures()]
    except MissingExtraError as error:
        return [f"{error}; then minigrad train --resume draws them."]


def short(name: str, longest: int = 16) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"
