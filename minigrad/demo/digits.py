"""Reading digits: a linear support vector machine and a multilayer perceptron on 1797 real images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from .. import nn, optim
from ..data import load_digits
from ..train import History, evaluate, fit
from ..value import no_grad
from ..viz import plot_history
from ..viz.images import plot_answers, plot_templates
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
    names = [str(digit) for digit in range(10)]
    plot_templates(svm.state_dict()["weight"], (8, 8), names).savefig(folder / "digits-templates.png", dpi=150)
    with no_grad():
        answers = mlp(digits.X_test).data.argmax(axis=1)
    shown = plot_answers(digits.X_test, digits.y_test, answers, (8, 8), names)
    shown.savefig(folder / "digits-answers.png", dpi=150)
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
