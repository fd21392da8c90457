"""The explorer pages of the documentation, written while the site is built: docs/exploring.md links to them."""

from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import Value, nn, optim, train, viz
from minigrad.data import make_moons

__all__ = ["write"]


def named(value, label):
    value.label = label
    return value


def circuits():
    """The staged circuit of the CS231n notes: (x + sigmoid(y)) / (sigmoid(x) + (x + y)²)."""
    x, y = Value(3.0, label="x"), Value(-4.0, label="y")
    numerator = named(x + mg.sigmoid(y), "num")
    denominator = named(mg.sigmoid(x) + (x + y) ** 2, "den")
    return viz.explore(named(numerator / denominator, "f"), title="CS231n: a formula in stages")


def neuron():
    """A neuron with two inputs, as in the CS231n notes."""
    numbers = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}
    w0, x0, w1, x1, w2 = [Value(number, label=name) for name, number in numbers.items()]
    return viz.explore(named(mg.sigmoid(w0 * x0 + w1 * x1 + w2), "out"), title="A neuron")


def fan_out():
    """A value that is used three times."""
    a = Value(3.0, label="a")
    b = named(a + a, "b")
    return viz.explore(named(a * b, "f"), title="A fan-out: gradients add up")


def hinge():
    """The loss of a support vector machine on one example."""
    w1, w2, b = Value(1.0, label="w1"), Value(-0.5, label="w2"), Value(0.25, label="b")
    x1, x2, y = Value(0.5, label="x1"), Value(1.0, label="x2"), Value(1.0, label="y", requires_grad=False)
    score = named(w1 * x1 + w2 * x2 + b, "score")
    return viz.explore(named(mg.maximum(1.0 - y * score, 0.0), "loss"), title="The hinge loss of an SVM")


def mlp():
    """A small network on one example."""
    model = nn.MLP([2, 16, 16, 1], activation=nn.Tanh, rng=0)
    loss = ((model(Value([[0.5, -1.0]], label="x")) - 1.0) ** 2).sum()
    return viz.explore(named(loss, "loss"), model=model, title="A network 2-16-16-1")


def moons():
    """The training of a small network, update by update."""
    X, y = make_moons(120, noise=0.12, rng=0)
    model, kept = nn.MLP([2, 8, 8, 1], activation=nn.Tanh, rng=0), viz.Snapshots(most=100)
    train.fit(
        model, (X, 2.0 * y - 1.0), loss=nn.HingeLoss(), optimizer=optim.Adam(model.parameters(), lr=0.03), epochs=50,
        rng=np.random.default_rng(0), callbacks=[kept], progress=False,
    )  # fmt: skip
    return viz.explore_training(kept, example=3, title="Two moons, update by update")


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for make in (circuits, neuron, fan_out, hinge, mlp, moons):
        make().save(folder / f"{make.__name__}.html")
