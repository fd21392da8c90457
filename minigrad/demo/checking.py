"""Gradient checks: every parameter of the models of this tour, moved a little up and a little down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..check import gradcheck, numerical_grad
from ..data import load_digits
from ..gates import matmul, tanh
from .page import Section, Table

__all__ = ["check_gradients", "compare"]


def compare(model: nn.Module, loss: Any, X: Any, y: Any) -> list[tuple[str, tuple[int, ...], float, float]]:
    """Per parameter of `model`: name, shape, the gradient's norm, and its relative distance from the numerical one.

    The distance is |a - n| / max(|a|, |n|) of the whole arrays: 1e-7 and less is right, 1e-2 is wrong (CS231n).
    """
    names, params = zip(*model.named_parameters(), strict=True)

    def loss_at(*values: Any) -> Any:
        for p, value in zip(params, values, strict=True):
            p.data = value.data
        return loss(model(X), y)

    model.zero_grad()
    loss(model(X), y).backward()
    start = [p.data for p in params]
    numerical = numerical_grad(loss_at, *start)
    for p, data in zip(params, start, strict=True):
        p.data = data
    rows = []
    for name, p, n in zip(names, params, numerical, strict=True):
        size = max(np.linalg.norm(p.grad), np.linalg.norm(n))
        rows.append((name, p.shape, float(np.linalg.norm(p.grad)), float(np.linalg.norm(p.grad - n) / (size or 1.0))))
    return rows


def check_gradients(folder: Path, quick: bool = False) -> Section:
    """Check the linear SVM and the MLP on real digits, and the second derivatives of a small net."""
    hidden, images = (8, 4) if quick else (64, 8)
    X, y = [part[:images] for part in load_digits()[:2]]
    models: list[tuple[str, nn.Module, nn.Module]] = [
        ("linear SVM, hinge loss", nn.LinearSVM(64, 10, rng=0), nn.MulticlassHingeLoss()),
        (f"MLP 64-{hidden}-10, cross-entropy", nn.MLP([64, hidden, 10], rng=0), nn.CrossEntropyLoss()),
    ]
    rows = []
    for title, model, loss in models:
        for name, shape, norm, error in compare(model, loss, X, y):
            size = " × ".join(map(str, shape))
            rows.append([f"{title}: {name}", size, f"{norm:.4g}", f"{error:.1e}", "ok" if error < 1e-6 else "WRONG"])

    rng = np.random.default_rng(0)
    points, weights = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    report = gradcheck(lambda x, w: tanh(matmul(x, w)).sum(), points, weights, order=2)
    return Section(
        "Are the gradients right?",
        "Move one weight up by 0.00001 and down by as much: the difference of the two losses, divided by the distance, "
        "is the slope. Backpropagation has to give the same for every weight of the models below, in one pass.",
        [
            Table(["parameter", "shape", "norm of gradient", "relative error", "verdict"], rows),
            f"Second derivatives, from the same statements: tanh(X W) agrees with differences of its gradients to "
            f"{report.max_error:.0e} (relative).",
        ],
    )
