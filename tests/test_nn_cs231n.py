"""CS231n's notebooks: their arrays and losses to the printed digits, their error targets, and what a network must do.

The arrays of the optimisers are in test_optim_rows.py, those of convolution and pooling in test_windows.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def fill(p: Any, low: float, high: float) -> None:
    """Evenly spaced numbers; the notebooks' weights are (in, out)."""
    numbers = np.linspace(low, high, p.size)
    p.data = numbers.reshape(p.shape[::-1]).T.copy() if p.ndim == 2 else numbers


def l2(model: nn.Module) -> Any:
    return mg.sum_of_squares([p for name, p in model.named_parameters() if "weight" in name])


def rel_error(x: Any, y: Any) -> float:
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))


def measured(f: Callable[[Any], Any], x: Any, dout: Any, h: float = 1e-5) -> Any:
    """Σ dout · df / dx by central differences: the notebooks' eval_numerical_gradient_array."""
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = h
        dx[index] = np.sum((f(x + step) - f(x - step)) * dout) / (2.0 * h)
    return dx


# ---------------------------------------------------------------------------------------------------- printed digits
def test_cs231n_affine_forward() -> None:
    layer = nn.Linear(120, 3)
    fill(layer.weight, -0.2, 0.3)
    fill(layer.bias, -0.3, 0.1)
    expected = np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]])
    assert rel_error(layer(np.linspace(-0.1, 0.5, 240).reshape(2, 120)).data, expected) < 2e-9  # their target is 1e-9


def two_layer_net() -> tuple[nn.Module, Any, list[int]]:
    model = nn.MLP([5, 50, 7])
    for p, range_ in zip(model.parameters(), [(-0.7, 0.3), (-0.1, 0.9), (-0.3, 0.4), (-0.9, 0.1)], strict=True):
        fill(p, *range_)
    return model, np.linspace(-5.5, 4.5, 15).reshape(5, 3).T, [0, 5, 1]


def test_cs231n_two_layer_net() -> None:
    model, X, y = two_layer_net()
    scores = model(X)
    np.testing.assert_allclose(scores.data[0, [0, 1, -1]], [11.53165108, 12.2917344, 16.09215096], rtol=1e-8)
    loss = nn.CrossEntropyLoss()(scores, y)
    assert loss.item() == pytest.approx(3.4702243556, abs=5e-11)
    assert (loss + l2(model) * 0.5).item() == pytest.approx(26.5948426952, abs=5e-11)


@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_cs231n_two_layer_gradients(reg: float) -> None:
    model, X, y = two_layer_net()

    def loss() -> Any:
        return F.cross_entropy(model(X), y) + l2(model) * (0.5 * reg)

    loss().backward()
    for name, p in model.named_parameters():
        start = p.data

        def at(data: Any, p: Any = p) -> float:
            p.data = data
            return float(loss().item())

        error = rel_error(p.grad, measured(at, start, 1.0))
        p.data = start
        assert error < 3e-7, name  # about 1e-7, says the notebook: most of it is the rounding of the differences


def test_cs231n_toy_net_and_its_training() -> None:
    np.random.seed(0)
    weights = 0.1 * np.random.randn(4, 10), 0.1 * np.random.randn(10, 3)
    np.random.seed(1)
    X, y = 10.0 * np.random.randn(5, 4), [0, 1, 2, 2, 1]
    model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))
    for layer, weight in zip((model[0], model[2]), weights, strict=True):
        layer.weight.data = weight.T.copy()
        nn.init.zeros_(layer.bias)
    np.testing.assert_allclose(model(X).data[0], [-0.81233741, -1.27654624, -0.70335995], rtol=1e-7)
    loss = F.cross_entropy(model(X), y) + l2(model) * 0.05  # this assignment's penalty has no factor ½
    assert loss.item() == pytest.approx(1.30378789133, abs=5e-12)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X), y) + l2(model) * 5e-6
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


# ------------------------------------------------------------------------------------------------------ error targets
TARGETS: dict[str, tuple[float, tuple[int, ...], tuple[tuple[int, ...], ...], Callable[..., Any]]] = {
    # their target; the shape of x, of the other arrays; and what is computed
    "affine": (1e-10, (10, 2, 3), ((6, 5), (5,)), lambda x, w, b: F.linear(F.flatten(x, 1), w.T, b)),
    "relu": (1e-12, (10, 10), (), F.relu),
    "affine and relu": (1e-10, (2, 3, 4), ((12, 10), (10,)), lambda x, w, b: F.relu(F.linear(F.flatten(x, 1), w.T, b))),
    "convolution": (1e-8, (4, 3, 5, 5), ((2, 3, 3, 3), (2,)), lambda x, w, b: F.conv2d(x, w, b, 1, 1)),
    "max pooling": (1e-12, (3, 2, 8, 8), (), lambda x: F.max_pool2d(x, 2, 2)),
    "dropout": (1e-10, (10, 10), (), lambda x: F.dropout(x, 0.2, rng=123)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_cs231n_error_targets(name: str) -> None:
    """Each gradient beside central differences; "1e-10 or less" they say of an error that ends in e-11."""
    target, shape, others, f = TARGETS[name]
    np.random.seed(231)
    xs = [np.random.randn(*shape), *[np.random.randn(*s) for s in others]]
    xs[0] += 10.0 * (name == "dropout")
    dout = np.random.randn(*np.shape(f(*xs)))
    values = [mg.Value(x) for x in xs]
    f(*values).backward(dout)
    for i, x in enumerate(xs):
        truth = measured(lambda v, i=i: f(*xs[:i], v, *xs[i + 1 :]), x, dout)  # type: ignore[misc]
        assert rel_error(values[i].grad, truth) < 10.0 * target


def test_cs231n_batchnorm_targets() -> None:
    """dx between 1e-13 and 1e-8; the weights' gradients, too."""
    np.random.seed(231)
    xs = [5.0 * np.random.randn(4, 5) + 12.0, np.random.randn(5), np.random.randn(5)]
    dout = np.random.randn(4, 5)

    def f(x: Any, gamma: Any, beta: Any) -> Any:
        return F.batch_norm(x, None, None, gamma, beta, training=True)

    values = [mg.Value(x) for x in xs]
    f(*values).backward(dout)
    for i, x in enumerate(xs):
        truth = measured(lambda v, i=i: f(*xs[:i], v, *xs[i + 1 :]), x, dout)  # type: ignore[misc]
        assert rel_error(values[i].grad, truth) < 1e-8


@pytest.mark.parametrize(
    ("loss", "first", "target"),
    [(F.multiclass_hinge_loss, 9.0, 1e-9), (F.cross_entropy, np.log(10.0), 1e-8)],
    ids=["svm", "softmax"],
)
def test_cs231n_svm_loss_and_softmax_loss(loss: Callable[..., Any], first: float, target: float) -> None:
    """The first loss, classes - 1 or log(classes), and the error they ask of dx."""
    np.random.seed(231)
    x, y = 0.001 * np.random.randn(50, 10), np.random.randint(10, size=50)
    assert loss(x, y) == pytest.approx(first, abs=2e-3)
    dx = mg.grad(lambda v: loss(v, y))(x)
    assert rel_error(dx, measured(lambda v: loss(v, y), x, 1.0)) < 10.0 * target


# ------------------------------------------------------------------------------------------------------ sanity checks
def test_cs231n_a_step_can_be_too_long() -> None:
    """Their table of step sizes: the loss falls with longer steps up to a best, and one ten times that overshoots."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 30)), rng.integers(0, 10, 100)
    svm = nn.LinearSVM(30, 10, rng=0)
    before = F.multiclass_hinge_loss(svm(X), y)
    before.backward()
    start, losses = svm.weight.data, []
    for step in 10.0 ** np.arange(-8, 2):
        svm.weight.data = start - step * svm.weight.grad
        losses.append(F.multiclass_hinge_loss(svm(X), y).item())
    best = int(np.argmin(losses))
    assert np.all(np.diff(losses[: best + 1]) < 0.0)
    assert losses[0] < before.item() < losses[best + 1]


@pytest.mark.parametrize("hidden", [2, 4], ids=["three layers", "five layers"])
def test_cs231n_fifty_examples_are_learnt_by_heart(hidden: int) -> None:
    """100 % within 20 epochs of two batches, with three and with five layers."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 64)), rng.integers(0, 10, 50)
    model = nn.MLP([64, *[100] * hidden, 10], rng=0)
    for p in model.parameters():
        if p.ndim == 2:
            nn.init.kaiming_normal_(p, nonlinearity="relu", rng=rng)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(20):
        for rows in rng.permutation(50).reshape(2, 25):
            optimizer.zero_grad()
            F.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
    assert np.array_equal(np.argmax(model(X).data, axis=1), y)


# ---------------------------------------------------------------------------------------------- the case study's spiral
def spiral() -> tuple[Any, Any]:
    """Three arms of 100 points; the weights of the case study are drawn from what comes next."""
    np.random.seed(0)
    X, y = np.zeros((300, 2)), np.repeat(np.arange(3), 100)
    for j in range(3):
        r, t = np.linspace(0.0, 1.0, 100), np.linspace(j * 4, (j + 1) * 4, 100) + np.random.randn(100) * 0.2
        X[y == j] = np.c_[r * np.sin(t), r * np.cos(t)]
    return X, y


def train(model: nn.Module, X: Any, y: Any, steps: int) -> list[float]:
    """Steps of size 1 against the gradient of softmax cross-entropy and ½ · 1e-3 ‖W‖²."""
    for name, p in model.named_parameters():
        p.data = 0.01 * np.random.randn(*p.shape[::-1]).T if "weight" in name else np.zeros(p.shape)
    optimizer, losses = optim.SGD(model.parameters(), lr=1.0), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X), y) + 0.5e-3 * l2(model)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def accuracy(model: nn.Module, X: Any, y: Any) -> float:
    return float(np.mean(np.argmax(model(X).data, axis=1) == y))


def test_cs231n_spiral_linear_softmax() -> None:
    """The loss at step 190, with its six digits, and the accuracy of a line through a spiral."""
    X, y = spiral()
    model = nn.Linear(2, 3)
    assert train(model, X, y, 200)[190] == pytest.approx(0.786302, abs=5e-7)
    assert accuracy(model, X, y) == pytest.approx(0.4933, abs=5e-5)


def test_cs231n_spiral_network() -> None:
    """Six digits for a thousand steps; by 9000 the last bits have decided on which side of a kink some points are."""
    X, y = spiral()
    np.random.randn(2, 3)  # the linear model's weights
    model = nn.MLP([2, 100, 3])
    losses = train(model, X, y, 10000)
    assert losses[0] == pytest.approx(1.098637, abs=5e-7)
    assert losses[1000] == pytest.approx(0.294416, abs=5e-7)
    assert losses[9000] == pytest.approx(0.245214, abs=1e-3)
    assert accuracy(model, X, y) >= 0.97
