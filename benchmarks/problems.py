"""The workloads: data, initial weights and the recipe of a training step, as raw arrays and always the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["PROBLEMS", "Chain", "Curvature", "Graph", "Training", "Update", "classes", "irregular"]


@dataclass
class Training:
    """Train a network with ReLU between its layers, on one fixed batch.

    A step returns the loss, and then moves the parameters.  `loss` is "hinge", mean max(0, 1 - y score) for y = ±1,
    "multiclass hinge", the mean of sum max(0, 1 + score - label's score) over the other classes, or "cross entropy";
    `l2` times the sum of all squared parameters is added to it.  `optimizer` is "SGD" or "Adam" (with PyTorch's
    defaults), and adds `weight_decay` times the parameter to its gradient.  A weight with four axes, (out, in, 3, 3),
    is a convolution without padding, and a 2 x 2 max-pool comes after its ReLU.
    """

    X: np.ndarray
    y: np.ndarray
    weights: list[np.ndarray]  # (out, in) per layer
    biases: list[np.ndarray]
    loss: str
    optimizer: str
    lr: float
    l2: float = 0.0
    weight_decay: float = 0.0
    momentum: float = 0.0

    @property
    def dtype(self) -> Any:
        return self.X.dtype

    @property
    def sizes(self) -> list[int]:
        return [self.X.shape[1], *[len(b) for b in self.biases]]

    def parameters(self) -> list[np.ndarray]:
        """Copies in the order weight, bias, weight, bias, ..."""
        return [p.copy() for layer in zip(self.weights, self.biases, strict=True) for p in layer]


@dataclass
class Chain:
    """x <- tanh(a x + b), again and again: three gates a turn.  A step returns the last x and moves x, a and b."""

    x: float = 0.5
    a: float = 1.0
    b: float = 0.0
    turns: int = 33_333
    lr: float = 1e-9


@dataclass
class Graph:
    """Scalar gates without a pattern: `plan` says of each result how it is made, and from which two numbers.

    The first numbers are x, which a step moves; it returns the sum of the `ends`, those that nothing else uses.
    """

    x: list[float]
    plan: list[tuple[str, int, int]]
    ends: list[int]
    lr: float = 1e-3


# How each is made of a and b, all between -1 and 1, and of how many gates.
KINDS = {
    "mean": 2,  # (a + b) / 2
    "product": 1,  # a b
    "maximum": 3,  # b + relu(a - b)
    "quotient": 3,  # a / (b b + 1)
    "square": 1,  # a²
    "exp": 2,  # exp(a - 1)
    "tanh": 1,
    "relu": 1,
}


def irregular(gates: int = 10_000) -> Graph:
    """So many gates.  Every number is used, one in two more than once."""
    rng = np.random.default_rng(gates)
    plan: list[tuple[str, int, int]] = []
    ends = list(range(100))
    while gates > 0:
        kind, last = str(rng.choice(list(KINDS))), 100 + len(plan)
        at = int(rng.integers(100))
        plan.append((kind, ends[at], int(rng.integers(last - 100, last))))
        ends[at] = last
        gates -= KINDS[kind]
    return Graph(rng.uniform(0.1, 1.0, 100).tolist(), plan, ends)


@dataclass
class Update:
    """Adam's update of these parameters with these gradients, no model.  A step returns the first number after it."""

    parameters: list[np.ndarray]
    gradients: list[np.ndarray]
    lr: float = 1e-3


def hundred() -> Update:
    """The weights and biases of 50 layers of 8 units: 3600 numbers in 100 parameters."""
    rng = np.random.default_rng(100)
    shapes: list[tuple[int, ...]] = [(8, 8), (8,)] * 50
    return Update([rng.normal(size=shape) for shape in shapes], [rng.normal(size=shape) for shape in shapes])


@dataclass
class Curvature:
    """The second derivatives of an MLP's loss: in -> hidden -> out with tanh and softmax cross-entropy, float64.

    All parameters are in one vector x, split by `parts`.  A step computes the Hessian at x (H1), or its product with
    v (H1v), returns `mark` of it, a number into which all entries go, and moves x along v.
    """

    X: np.ndarray
    Y: np.ndarray  # one-hot
    hidden: int
    x: np.ndarray
    v: np.ndarray
    weights: np.ndarray  # of the mark
    speed: float = 1e-3

    def parts(self, x: Any) -> tuple[Any, Any, Any, Any]:
        """W1 (hidden, in), b1, W2 (out, hidden), b2, of the last axis of x."""
        m, n, k = self.hidden, self.X.shape[1], self.Y.shape[1]
        i, j, end = m * n, m * n + m, m * n + m + k * m
        rows = x.shape[:-1]
        W1, W2 = x[..., :i].reshape(*rows, m, n), x[..., j:end].reshape(*rows, k, m)
        return W1, x[..., i:j], W2, x[..., end:]

    def loss(self, xp: Any, x: Any, X: Any = None, Y: Any = None) -> Any:
        """In the functions of `xp`, a library that follows NumPy's names; X and Y in its arrays if it needs that."""
        X, Y = self.X if X is None else X, self.Y if Y is None else Y
        W1, b1, W2, b2 = self.parts(x)
        scores = xp.tanh(X @ W1.T + b1) @ W2.T + b2
        return xp.mean(xp.log(xp.sum(xp.exp(scores), axis=1)) - xp.sum(scores * Y, axis=1))

    def mark(self, result: Any) -> float:
        numbers = np.asarray(result).ravel()
        return float(np.dot(self.weights[: len(numbers)], numbers))


def curvature(batch: int = 32, sizes: tuple[int, int, int] = (4, 10, 5)) -> Curvature:
    """4 -> 10 -> 5: 105 parameters."""
    rng = np.random.default_rng(105)
    n, m, k = sizes
    size = m * n + m + k * m + k
    Y = np.eye(k)[rng.integers(k, size=batch)]
    x, v = rng.normal(0.0, 0.5, size), rng.normal(size=size)
    return Curvature(rng.normal(size=(batch, n)), Y, m, x, v, rng.normal(size=size * size))


def svm() -> Training:
    """CS231n's first classifier: pixels of 256 images, 10 classes, a linear layer, momentum and L2, float32."""
    rng = np.random.default_rng(3072)
    X, y = rng.normal(size=(256, 3072)).astype(np.float32), rng.integers(10, size=256)
    weights, biases = [rng.normal(0.0, 0.01, (10, 3072)).astype(np.float32)], [np.zeros(10, np.float32)]
    return Training(X, y, weights, biases, "multiclass hinge", "SGD", lr=1e-4, l2=0.1, momentum=0.9)


def images() -> Training:
    """Two convolutions, 8 and 16 filters of 3 x 3, each with ReLU and max-pool, on 32 images of 28 x 28; float32."""
    rng = np.random.default_rng(28)
    X, y = rng.normal(size=(32, 1, 28, 28)).astype(np.float32), rng.integers(10, size=32)
    shapes = [(8, 1, 3, 3), (16, 8, 3, 3), (10, 400)]
    bounds = [np.prod(shape[1:]) ** -0.5 for shape in shapes]
    weights = [rng.uniform(-r, r, shape).astype(np.float32) for r, shape in zip(bounds, shapes, strict=True)]
    biases = [rng.uniform(-r, r, shape[0]).astype(np.float32) for r, shape in zip(bounds, shapes, strict=True)]
    return Training(X, y, weights, biases, "cross entropy", "SGD", lr=1e-3)


def moons() -> Training:
    """micrograd's demo: MLP(2, [16, 16, 1]) on 100 points of two moons, hinge loss and L2, float64."""
    rng = np.random.default_rng(1337)
    t = np.linspace(0.0, np.pi, 50)
    outer, inner = np.c_[np.cos(t), np.sin(t)], np.c_[1.0 - np.cos(t), 0.5 - np.sin(t)]
    X = np.concatenate([outer, inner]) + rng.normal(0.0, 0.1, (100, 2))
    y = np.repeat([-1.0, 1.0], 50)
    shuffled = rng.permutation(100)
    sizes = [2, 16, 16, 1]
    weights = [rng.uniform(-1.0, 1.0, (m, n)) for n, m in pairwise(sizes)]
    biases = [np.zeros(m) for m in sizes[1:]]
    return Training(X[shuffled], y[shuffled], weights, biases, "hinge", "SGD", lr=0.1, l2=1e-4)


def classes(sizes: list[int], batch: int) -> Training:
    """An MLP of these sizes on random points with random classes, softmax cross-entropy and Adam, float32.

    The learning rate is small, so that in 20 steps the loss stays where float32 can tell two engines apart.
    """
    rng = np.random.default_rng(sizes[0])
    X = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    y = rng.integers(sizes[-1], size=batch)
    bounds = [n**-0.5 for n in sizes]
    pairs = list(zip(sizes, sizes[1:], bounds, strict=False))
    weights = [rng.uniform(-r, r, (m, n)).astype(np.float32) for n, m, r in pairs]
    biases = [rng.uniform(-r, r, m).astype(np.float32) for n, m, r in pairs]
    return Training(X, y, weights, biases, "cross entropy", "Adam", lr=1e-4)


PROBLEMS: dict[str, Callable[[], Any]] = {
    "S1": moons,  # S1 and T1 are the same network: once neuron by neuron, once in arrays
    "S2": Chain,
    "S3": irregular,
    "T1": moons,
    "T1wd": lambda: replace(moons(), l2=0.0, weight_decay=2e-4),  # the L2 term left to the optimiser
    "T2": lambda: classes([64, 128, 64, 10], batch=64),
    "T3": lambda: classes([784, 256, 128, 10], batch=128),
    "T4": svm,
    "T5": images,
    "H1": curvature,
    "H1v": curvature,
    "O100": hundred,
}
