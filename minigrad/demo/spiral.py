"""The spiral case study: softmax on three arms of a spiral, linear and with one hidden layer.

Source: CS231n, "Putting it together: Minimal Neural Network Case Study"; its data and settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, optim
from ..data import DataLoader, make_spiral
from ..train import accuracy, fit
from ..value import no_grad
from ..viz import decision_boundary
from .interrupts import finished
from .page import Section, Table

__all__ = ["small_normal", "train_softmax", "untangle_spiral"]

REGULARISATION = 1e-3


def small_normal(model: nn.Module, rng: Any) -> nn.Module:
    """Start as the case study does: weights 0.01 times normal numbers, biases zero."""
    for name, p in model.named_parameters():
        if name.endswith("weight"):
            p.data = 0.01 * rng.standard_normal(p.shape[::-1]).T  # the notes write X W, we X Wᵀ
        else:
            p.data = np.zeros(p.shape)
    return model


def train_softmax(model: nn.Module, X: Any, y: Any, updates: int) -> tuple[float, float]:
    """`updates` full-batch steps of size 1: the loss with its L2 penalty, and the accuracy."""
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
    groups = [{"params": weights, "weight_decay": REGULARISATION}, {"params": biases}]
    loss = nn.CrossEntropyLoss()
    sgd = optim.SGD(groups, lr=1.0)
    finished(fit(model, DataLoader(X, y, batch_size=len(X)), loss=loss, optimizer=sgd, epochs=updates))
    with no_grad():
        scores = model(X)
        penalty = sum([0.5 * REGULARISATION * float((w * w).sum()) for w in weights])
        return float(loss(scores, y)) + penalty, accuracy(scores, y) or 0.0


def untangle_spiral(folder: Path, quick: bool = False) -> Section:
    """Train both models on the notes' 300 points and draw their regions side by side."""
    from matplotlib.figure import Figure

    rng = np.random.RandomState(0)  # the notes' own generator: the same points
    X, y = make_spiral(rng=rng)
    runs = [
        ("linear softmax", small_normal(nn.Linear(2, 3), rng), 190, "0.786302, 49%"),
        ("MLP 2-100-3", small_normal(nn.MLP([2, 100, 3]), rng), 2000 if quick else 10_000, "0.245292 (9000), 98%"),
    ]
    figure, rows = Figure(figsize=(10, 5.2), layout="constrained"), []
    for (name, model, updates, notes), axes in zip(runs, figure.subplots(1, 2), strict=True):
        loss, share = train_softmax(model, X, y, updates)
        rows.append([name, str(updates), f"{loss:.6f}", f"{share:.4f}", notes])
        decision_boundary(model, X, y, ax=axes, title=f"{name}: {share:.1%}")
        axes.set_aspect("equal")
    figure.savefig(folder / "spiral.png", dpi=150)
    return Section(
        "The spiral",
        "The case study of the CS231n notes, with their 300 points: three arms that no lines can separate. One hidden "
        "layer of 100 ReLUs can.",
        [
            Table(["model", "updates", "loss", "accuracy", "in the notes"], rows),
            ("spiral.png", "The regions of a linear softmax classifier and of a network with one hidden layer."),
        ],
    )
