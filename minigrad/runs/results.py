"""How good a model is on the rows held back, in numbers: for classes, and for quantities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..train import History
from ..viz.page import Part, Section, Table
from .examples import Examples
from .predictor import Predictor

__all__ = ["classified", "diverged", "estimated", "weighed"]

MOST = 20  # classes in a confusion matrix, and lines in a list


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
    return Table(["is ↓  read →", *map(short, classes), "right"], rows, shades)


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
        rows.append([name, plain(measure(examples.y, learned)), plain(measure(examples.y_held, answers))])
    error = measures["error, root mean square"](examples.y_held, answers)
    share = explained(examples.y_held, answers)
    n = len(examples.y_held)
    sentence = f"On {n} held-out rows the error is {plain(error)} (root mean square); R² is {plain(share)}."
    return sentence, Table(["", "learned from", "held out"], rows), []


def explained(y: Any, out: Any) -> float:
    """R²: 1 - the squared error / that of always answering the mean of y; nan for a single value."""
    spread = float(np.sum((y - np.mean(y)) ** 2))
    return 1.0 - float(np.sum((out - y) ** 2)) / spread if spread else float("nan")


def diverged(model: str, examples: Examples, learned: Any, history: History) -> bool:
    """Whether the training has made it worse than knowing nothing: by its loss, or by R² on the rows learned from."""
    n = len(examples.classes)
    ignorant = (n - 1.0 if model == "svm" else math.log(n)) if n else 1.0  # the loss of always answering the same
    grew = history.loss[-1] > 2 * max(history.loss[0], ignorant)
    return grew or (not n and explained(examples.y, learned) < -1.0)


def weighed(examples: Examples, trained: Predictor) -> list[Part]:
    """The weights of a linear model, the largest first."""
    weight = trained.model.state_dict()["model.weight"]
    order = np.argsort(-np.abs(weight).max(axis=0), kind="stable")[:MOST]
    rows = [[short(examples.columns[i], 32), *[plain(w, "+", 3) for w in weight[:, i]]] for i in order]
    least = f" The {MOST} largest of {weight.shape[1]}." if weight.shape[1] > MOST else ""
    goal = "the score of each class" if examples.classes else "the prediction"
    told = f"What a column adds to {goal} when it is one standard deviation above its mean.{least}"
    return [told, Table(["column", *map(short, examples.classes or (examples.target,))], rows)]


def plain(x: float, sign: str = "-", digits: int = 4) -> str:
    """
    >>> plain(16912.3), plain(0.00123456), plain(-5.43529e11), plain(2e-5), plain(0.0)
    ('16,910', '0.001235', '-5.435e+11', '2e-05', '0')
    """
    if x and not 1e-3 <= abs(x) <= 1e6:
        return f"{x:{sign}.{digits}g}"
    return f"{float(f'{x:.{digits}g}'):{sign},.12g}"  # rounded first: the second format never takes an exponent


def short(name: str, longest: int = 16) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"
