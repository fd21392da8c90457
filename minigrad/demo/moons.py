"""Two moons: what a straight line can separate, and what it takes to bend it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import nn, optim
from ..data import DataLoader, make_moons
from ..train import evaluate, fit
from ..viz import decision_boundary
from .interrupts import finished
from .page import Section, Table

__all__ = ["separate_moons", "train_binary"]

SEED = 0


def train_binary(model: nn.Module, X: Any, y: Any, epochs: int) -> dict[str, float]:
    """Train on labels -1 and +1 with the binary hinge loss, whole data at a time; the loss and accuracy in the end."""
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    history = fit(model, DataLoader(X, y, batch_size=len(X)), loss=nn.HingeLoss(), optimizer=optimizer, epochs=epochs)
    finished(history)
    return evaluate(model, (X, y), loss=nn.HingeLoss())


def separate_moons(folder: Path, quick: bool = False) -> Section:
    """Train a linear SVM and an MLP, both with the hinge loss, and draw their borders side by side."""
    from matplotlib.figure import Figure

    X, y = make_moons(200, noise=0.1, rng=SEED)
    y = 2 * y - 1
    models = {"linear SVM": nn.LinearSVM(2, 1, rng=SEED), "MLP 2-16-16-1": nn.MLP([2, 16, 16, 1], rng=SEED)}
    figure, rows = Figure(figsize=(10, 4), layout="constrained"), []
    for (name, model), axes in zip(models.items(), figure.subplots(1, 2), strict=True):
        result = train_binary(model, X, y, epochs=50 if quick else 300)
        rows.append([name, f"{result['loss']:.4f}", f"{result['accuracy']:.4f}"])
        decision_boundary(model, X, y, ax=axes, title=f"{name}: {result['accuracy']:.1%}")
    figure.savefig(folder / "moons.png", dpi=150)
    return Section(
        "Two moons",
        "The same loss, max(0, 1 - y f(x)), and the same 200 points. The SVM's f is linear, so its border is a line; "
        "the network bends it until every margin is kept. The dashed lines are the margins, f = -1 and f = 1.",
        [
            Table(["model", "loss", "accuracy"], rows),
            ("moons.png", "The borders that a linear SVM and a multilayer perceptron draw between two moons."),
        ],
    )
