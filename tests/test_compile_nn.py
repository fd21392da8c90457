"""Compiled training steps equal eager ones: every layer, loss and optimiser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad import compile, nn, optim

RNG = np.random.default_rng(3)
ROWS, IMAGES = RNG.normal(size=(6, 4)), RNG.normal(size=(3, 2, 6, 6))

SEQUENCES, SIGNALS = RNG.normal(size=(3, 5, 4)), RNG.normal(size=(3, 2, 9))


class Unrolled(nn.Module):
    """A recurrent cell over time, and a list of layers."""

    def __init__(self, cell: Any) -> None:
        self.cell, self.layers = cell, nn.ModuleList([nn.Linear(3, 3, rng=1), nn.Identity(), nn.Linear(3, 2, rng=2)])

    def forward(self, x: Any) -> Any:
        h = None
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        for layer in self.layers:
            h = layer(h)
        return h


LAYERS: dict[str, tuple[Any, Any]] = {
    "RNNCell": (lambda: Unrolled(nn.RNNCell(4, 3, rng=0)), SEQUENCES),
    "RNNCell, relu": (lambda: Unrolled(nn.RNNCell(4, 3, nonlinearity="relu", rng=0)), SEQUENCES),
    "LinearSVM": (lambda: nn.LinearSVM(4, 3, rng=0), ROWS),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1, rng=0), SIGNALS),
    "Linear": (lambda: nn.Linear(4, 3, rng=0), ROWS),
    "Linear, no bias": (lambda: nn.Linear(4, 3, bias=False, rng=0), ROWS),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3, rng=0), IMAGES),
    "Conv2d, padded": (lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, rng=0), IMAGES),
    "MaxPool2d": (lambda: nn.Sequential(nn.Conv2d(2, 2, 1, rng=0), nn.MaxPool2d(2)), IMAGES),
    "AvgPool2d": (lambda: nn.Sequential(nn.Conv2d(2, 2, 1, rng=0), nn.AvgPool2d(3, 1, padding=1)), IMAGES),
    "Flatten": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 2, rng=0)), IMAGES),
    "BatchNorm1d": (lambda: nn.Sequential(nn.Linear(4, 3, rng=0), nn.BatchNorm1d(3)), ROWS),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(2), IMAGES),
    "LayerNorm": (lambda: nn.Sequential(nn.Linear(4, 3, rng=0), nn.LayerNorm(3)), ROWS),
    "Dropout": (lambda: nn.Sequential(nn.Linear(4, 9, rng=0), nn.Dropout(0.4, rng=5)), ROWS),
    "Embedding": (lambda: nn.Embedding(9, 3, rng=0), RNG.integers(9, size=(5,))),
    "MLP": (lambda: nn.MLP([4, 8, 8, 2], rng=0), ROWS),
    **{
        name: (lambda name=name: nn.Sequential(nn.Linear(4, 3, rng=0), getattr(nn, name)()), ROWS)
        for name in ("ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Tanh", "Sigmoid", "Softplus")
    },
    **{
        name: (lambda name=name: nn.Sequential(nn.Linear(4, 3, rng=0), getattr(nn, name)(1)), ROWS)
        for name in ("Softmax", "LogSoftmax")
    },
}


def trained(make: Any, loss: Any, optimizer: Any, batches: Any, wrap: Any) -> tuple[list[float], Any]:
    """The losses of some steps, and the model's state after them."""
    model = make()
    steps = optimizer(model.parameters())

    def step(X: Any, y: Any) -> Any:
        steps.zero_grad()
        value = loss(model(X), y)
        value.backward()
        steps.step()
        return value

    run = wrap(step)
    return [run(X, y).item() for X, y in batches], model.state_dict()


def compare(make: Any, loss: Any, optimizer: Any, batches: Any, tolerance: float = 1e-11) -> None:
    (losses, state), (same, compiled) = [trained(make, loss, optimizer, batches, w) for w in (lambda f: f, compile)]
    np.testing.assert_allclose(same, losses, rtol=tolerance)
    assert list(state) == list(compiled)
    for name in state:
        np.testing.assert_allclose(compiled[name], state[name], rtol=tolerance, atol=tolerance, err_msg=name)


def sgd(params: Any) -> Any:
    return optim.SGD(params, lr=0.05, momentum=0.9)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    make, X = LAYERS[name]
    rng = np.random.default_rng(1)
    batches = [(X if X.dtype.kind == "i" else X + 0.1 * rng.normal(size=X.shape), 0.0) for _ in range(6)]
    shape = make()(X).shape
    weights = rng.normal(size=shape)
    compare(make, lambda out, y: ((out - weights) * (out - weights)).mean(), sgd, batches)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_in_float32(name: str) -> None:
    make, X = LAYERS[name]
    rng = np.random.default_rng(1)
    batches = [(X if X.dtype.kind == "i" else (X + 0.1 * rng.normal(size=X.shape)).astype(np.float32), 0.0)] * 3
    weights = rng.normal(size=make()(X).shape).astype(np.float32)

    def made() -> Any:
        return make().to(np.float32)

    compare(made, lambda out, y: ((out - weights) * (out - weights)).mean(), sgd, batches, 1e-5)


def test_every_layer_and_loss_is_here() -> None:
    text = Path(__file__).read_text()
    known = [getattr(nn, name) for name in dir(nn)]
    layers = [x.__name__ for x in known if isinstance(x, type) and issubclass(x, nn.Module)]
    assert [name for name in layers if name not in text] == []
    rules = [getattr(optim, name) for name in dir(optim)]
    names = [x.__name__ for x in rules if isinstance(x, type) and issubclass(x, optim.Optimizer)]
    assert [name for name in names if name not in text and name not in ("Optimizer", "LBFGS")] == []


Y, K = RNG.normal(size=(6, 3)), RNG.integers(3, size=6)
SIGNS = RNG.choice([-1.0, 1.0], size=6)
P = RNG.dirichlet(np.ones(3), size=6)
LOSSES: dict[str, tuple[Any, Any, int]] = {
    "MSELoss": (nn.MSELoss(), Y, 3),
    "L1Loss": (nn.L1Loss(), Y, 3),
    "HuberLoss": (nn.HuberLoss(), Y, 3),
    "SmoothL1Loss": (nn.SmoothL1Loss(), Y, 3),
    "CrossEntropyLoss": (nn.CrossEntropyLoss(), K, 3),
    "CrossEntropyLoss, smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), K, 3),
    "CrossEntropyLoss, weighted": (nn.CrossEntropyLoss(weight=np.array([1.0, 2.0, 3.0])), K, 3),
    "CrossEntropyLoss, ignoring": (nn.CrossEntropyLoss(ignore_index=1), K, 3),
    "CrossEntropyLoss, probabilities": (nn.CrossEntropyLoss(), P, 3),
    "NLLLoss": (lambda s, y: nn.NLLLoss()(nn.functional.log_softmax(s, 1), y), K, 3),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss(), P, 3),
    "KLDivLoss": (lambda s, y: nn.KLDivLoss(reduction="batchmean")(nn.functional.log_softmax(s, 1), y), P, 3),
    "HingeLoss": (nn.HingeLoss(), SIGNS, 1),
    "HingeLoss, squared": (nn.HingeLoss(squared=True), SIGNS, 1),
    "MultiMarginLoss": (nn.MultiMarginLoss(), K, 3),
    "MulticlassHingeLoss": (nn.MulticlassHingeLoss(), K, 3),
    "MulticlassHingeLoss, max": (nn.MulticlassHingeLoss(over_classes="max"), K, 3),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    loss, y, outputs = LOSSES[name]
    rng = np.random.default_rng(2)
    batches = []
    for _ in range(6):
        order = rng.permutation(6)
        batches.append((ROWS[order], y[order]))
    compare(lambda: nn.MLP([4, 5, outputs], nn.Tanh, rng=0), loss, sgd, batches)


OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD, Nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "EMAMomentum": lambda p: optim.EMAMomentum(p, lr=0.1),
    "Adagrad": lambda p: optim.Adagrad(p),
    "RMSprop": lambda p: optim.RMSprop(p, centered=True, momentum=0.5),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: optim.RAdam(p, lr=0.01),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01),
    "Adadelta": lambda p: optim.Adadelta(p),
    "Rprop": lambda p: optim.Rprop(p),
    "groups": lambda p: optim.SGD([{"params": [q], "lr": 0.1 / (i + 1)} for i, q in enumerate(p)], lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_optimizers(name: str, dtype: Any) -> None:
    rng = np.random.default_rng(4)
    batches = [(rng.normal(size=(8, 4)).astype(dtype), rng.integers(3, size=8)) for _ in range(20)]
    compare(
        lambda: nn.MLP([4, 6, 3], dtype=dtype, rng=0), nn.CrossEntropyLoss(), OPTIMIZERS[name], batches,
        1e-11 if dtype == np.float64 else 2e-5,
    )  # fmt: skip
