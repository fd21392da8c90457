"""Reading digits: a linear support vector machine and a multilayer perceptron on 1797 real images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, optim
from ..data import load_digits
from ..train import History, evaluate, fit
from ..value import no_grad
from ..viz import plot_history
from .interrupts import finished
from .page import Section, Table

__all__ = ["SEED", "read_digits", "train_mlp", "train_svm"]

SEED = 0


def train_svm(digits: Any, epochs: int) -> tuple[nn.Module, float, History]:
    """Scores W x + b, the Weston-Watkins hinge loss, weight decay: the model, its first loss, the history."""
    model, loss = nn.LinearSVM(64, 10, rng=SEED), nn.MulticlassHingeLoss()
    first = evaluate(model, (digits.X_train, digits.y_train), loss=loss)["loss"]
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
    history = fit(
        model, (digits.X_train, digits.y_train), loss=loss, optimizer=optimizer, epochs=epochs,
        validation=(digits.X_test, digits.y_test), rng=SEED,
    )  # fmt: skip
    return model, first, finished(history)


def train_mlp(digits: Any, epochs: int) -> tuple[nn.Module, float, History]:
    """One hidden layer of 64 ReLUs and the softmax cross-entropy: the model, its first loss, the history."""
    model, loss = nn.MLP([64, 64, 10], rng=SEED), nn.CrossEntropyLoss()
    nn.init.normal_(model.layers[-1].weight, 0.0, 1e-3, SEED)  # small scores first: every digit is as likely
    nn.init.zeros_(model.layers[-1].bias)
    first = evaluate(model, (digits.X_train, digits.y_train), loss=loss)["loss"]
    history = fit(
        model, (digits.X_train, digits.y_train), loss=loss, optimizer=optim.Adam(model.parameters(), lr=3e-3),
        epochs=epochs, validation=(digits.X_test, digits.y_test), rng=SEED,
    )  # fmt: skip
    return model, first, finished(history)


def read_digits(folder: Path, quick: bool = False) -> Section:
    """Train both, look at the first losses, the validation accuracy, the loss curves and the SVM's templates."""
    digits, epochs = load_digits(), 4 if quick else 25
    svm, svm_first, svm_history = train_svm(digits, epochs)
    mlp, mlp_first, mlp_history = train_mlp(digits, epochs)
    rows = []
    for name, first, expected, history in [
        ("linear SVM", svm_first, 9.0, svm_history),
        ("MLP 64-64-10", mlp_first, math.log(10.0), mlp_history),
    ]:
        last = history.epochs[-1]
        rows.append(
            [name, f"{first:.4f}", f"{expected:.4f}", f"{last['loss']:.4f}", f"{last['accuracy']:.4f}",
             f"{last['val_accuracy']:.4f}"]
        )  # fmt: skip
    plot_history(svm_history).savefig(folder / "digits-svm.png", dpi=150)
    plot_history(mlp_history).savefig(folder / "digits-mlp.png", dpi=150)
    plot_templates(folder / "digits-templates.png", svm)
    plot_answers(folder / "digits-answers.png", mlp, digits)
    return Section(
        "Reading digits",
        f"{len(digits.X_train)} images of handwritten digits to learn from, {len(digits.X_test)} others held back for "
        f"validation, {epochs} passes. A sanity check comes first: with small weights all classes score alike, so that "
        "the first loss is 9 margins of 1 for the SVM, and ln 10 for the softmax.",
        [
            Table(["model", "first loss", "expected", "last loss", "training accuracy", "validation accuracy"], rows),
            ("digits-svm.png", "The SVM learns: loss and accuracy after each pass, on training and validation images."),
            ("digits-templates.png", "The SVM's ten rows of W as images: red where ink speaks for the digit."),
            ("digits-mlp.png", "The MLP learns."),
            ("digits-answers.png", "Validation images and the MLP's answers; mistakes in red, with the right answer."),
        ],
    )


def plot_templates(path: Path, svm: Any) -> None:
    """The weights of each class as an image of 8x8 pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.4), layout="constrained")
    limit = abs(svm.weight.data).max()
    for digit, axes in enumerate(figure.subplots(1, 10)):
        axes.imshow(svm.weight.data[digit].reshape(8, 8), cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(str(digit))
        axes.axis("off")
    figure.savefig(path, dpi=150)


def plot_answers(path: Path, model: Any, digits: Any, count: int = 20) -> None:
    """The first mistakes, and images that were read right, with the model's answers."""
    from matplotlib.figure import Figure

    with no_grad():
        answers = model(digits.X_test).data.argmax(axis=1)
    shown = np.argsort(answers == digits.y_test, kind="stable")[:count]
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    for axes, i in zip(figure.subplots(2, count // 2).flat, shown, strict=True):
        right = answers[i] == digits.y_test[i]
        axes.imshow(digits.X_test[i].reshape(8, 8), cmap="gray_r")
        title = f"{answers[i]}" if right else f"read {answers[i]}, is {digits.y_test[i]}"
        axes.set_title(title, color="black" if right else "#c5221f", fontsize=10)
        axes.axis("off")
    figure.savefig(path, dpi=150)
