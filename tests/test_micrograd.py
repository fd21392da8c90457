"""Code written for micrograd (README, tests, demo) runs unchanged and gives the same numbers.

Source: Andrej Karpathy, micrograd 0.1.0.  What micrograd answers silently wrong is a right answer or an error here.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from minigrad import Value
from minigrad.errors import GradientError


def readme(value: Any) -> tuple[Any, Any, Any]:
    """The example of micrograd's README, line by line."""
    a = value(-4.0)
    b = value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return a, b, g


def sanity_check(value: Any, relu: Any = lambda v: v.relu()) -> tuple[Any, Any]:
    """The expression of micrograd's test_sanity_check."""
    x = value(-4.0)
    z = 2 * x + 2 + x
    q = relu(z) + z * x
    h = relu(z * z)
    y = h + q + q * x
    y.backward()
    return x, y


def test_readme_example() -> None:
    a, b, g = readme(Value)
    assert f"{g.data:.4f}" == "24.7041"
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"
    # exactly, by hand: e = -7 and f = 49
    assert g.data == 49.0 / 2.0 + 10.0 / 49.0
    assert a.grad == pytest.approx(138.8338192419825, rel=1e-15)
    assert b.grad == pytest.approx(645.5772594752187, rel=1e-15)


def test_sanity_check() -> None:
    x, y = sanity_check(Value)
    assert (y.data, x.grad) == (-20.0, 46.0)


@pytest.mark.oracle
def test_micrograds_own_tests_against_pytorch() -> None:
    torch = pytest.importorskip("torch")

    def tensor(number: float) -> Any:
        return torch.tensor([number], dtype=torch.float64, requires_grad=True)

    x, y = sanity_check(Value)
    x_torch, y_torch = sanity_check(tensor)
    assert (y.data, x.grad) == (y_torch.item(), x_torch.grad.item())
    ours, theirs = readme(Value), readme(tensor)
    assert ours[2].data == pytest.approx(theirs[2].item(), rel=1e-15)
    assert [v.grad for v in ours[:2]] == pytest.approx([v.grad.item() for v in theirs[:2]], rel=1e-15)


def test_every_operator_of_micrograd() -> None:
    engine = pytest.importorskip("micrograd.engine")

    def expression(value: Any) -> list[float]:
        a, b = value(1.5), value(-0.75)
        out = (a + 2) * (3 - b) / (a * a + 1) - (2 / a) ** 3 + (-b).relu() * (a - b) ** 0.5 + 4 * b / 2 + (b * 2).relu()
        out = sum([out, a, b]) + 1
        out.backward()
        return [out.data, a.grad, b.grad]

    assert expression(Value) == pytest.approx(expression(engine.Value), rel=1e-14)


# -------------------------------------------------------------------------------------------------------- the demo
def train_the_demo(nn: Any, value: Any, steps: int) -> list[tuple[float, float]]:
    """The training loop of micrograd's demo notebook: an MLP with a max-margin loss on two moons."""
    make_moons = pytest.importorskip("sklearn.datasets").make_moons
    np.random.seed(1337)
    random.seed(1337)
    X, y = make_moons(n_samples=100, noise=0.1)
    y = y * 2 - 1  # make y be -1 or 1
    model = nn.MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337

    def loss() -> tuple[Any, float]:
        inputs = [list(map(value, xrow)) for xrow in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        alpha = 1e-4
        reg_loss = alpha * sum(p * p for p in model.parameters())
        total_loss = data_loss + reg_loss
        accuracy = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(y, scores, strict=True)]
        return total_loss, sum(accuracy) / len(accuracy)

    history = []
    for k in range(steps):
        total_loss, acc = loss()
        model.zero_grad()
        total_loss.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        history.append((total_loss.data, float(acc)))
    return history


NOTEBOOK = [(0.8958441028683222, 0.50), (1.7235905336972022, 0.81), (0.7429006313851131, 0.77)]  # as micrograd prints


def test_the_demo_with_micrograds_own_nn(monkeypatch: pytest.MonkeyPatch) -> None:
    """micrograd/nn.py as installed, only its `Value` replaced."""
    nn = pytest.importorskip("micrograd.nn")
    theirs = train_the_demo(nn, nn.Value, 4)
    monkeypatch.setattr(nn, "Value", Value)
    ours = train_the_demo(nn, Value, 4)
    assert [acc for _, acc in ours] == [acc for _, acc in theirs]
    assert [loss for loss, _ in ours] == pytest.approx([loss for loss, _ in theirs], rel=1e-12)


class Neuron:
    """A neuron that behaves as micrograd's: the same random numbers in the same order, the same arithmetic."""

    def __init__(self, nin: int, nonlin: bool = True) -> None:
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0)
        self.nonlin = nonlin

    def __call__(self, x: list[Any]) -> Any:
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        return act.relu() if self.nonlin else act


class MLP:
    def __init__(self, nin: int, nouts: list[int]) -> None:
        sizes = [nin, *nouts]
        self.layers = [
            [Neuron(n, nonlin=i != len(nouts) - 1) for _ in range(m)]
            for i, (n, m) in enumerate(zip(sizes, nouts, strict=False))
        ]

    def __call__(self, x: list[Any]) -> Any:
        for layer in self.layers:
            x = [neuron(x) for neuron in layer]
        return x[0] if len(x) == 1 else x

    def parameters(self) -> list[Value]:
        return [p for layer in self.layers for neuron in layer for p in [*neuron.w, neuron.b]]

    def zero_grad(self) -> None:
        for p in self.parameters():
            p.grad = 0


class own_nn:
    MLP = MLP


def test_the_demo_gives_the_numbers_of_micrograds_notebook() -> None:
    history = train_the_demo(own_nn, Value, 3)
    assert [acc for _, acc in history] == [acc for _, acc in NOTEBOOK]
    assert [loss for loss, _ in history] == pytest.approx([loss for loss, _ in NOTEBOOK], rel=1e-9)


# -------------------------------------------------------------------------------------------------- where it differs
def test_a_second_backward_adds_instead_of_compounding() -> None:
    """micrograd's interior gradients pile up: 12, then 36 in all, where 24 is right."""
    x = Value(3.0)
    y = (x * x) * 2
    y.backward()
    assert x.grad == 12.0
    y.backward()
    assert x.grad == 24.0


def test_a_value_as_an_exponent() -> None:
    """An assertion error in micrograd."""
    a, b = Value(2.0), Value(3.0)
    (a**b + 2**a).backward()
    assert a.grad == pytest.approx(12.0 + 4.0 * np.log(2.0))
    assert b.grad == pytest.approx(8.0 * np.log(2.0))


def test_data_changed_between_forward_and_backward() -> None:
    """micrograd's closures read the new number."""
    x = Value(3.0)
    y = x * x
    x.data = 100.0
    y.backward()
    assert x.grad == 6.0


def test_deeper_than_the_recursion_limit() -> None:
    """A RecursionError in micrograd."""
    x = Value(1.0)
    y = x
    for _ in range(5000):
        y = y + 1
    y.backward()
    assert x.grad == 1.0


def test_an_array_as_data_is_not_summed_by_accident() -> None:
    """micrograd's gradients of arrays keep the broadcast shape, and backward starts from any shape."""
    x, b = Value(np.ones((2, 3))), Value(2.0)
    with pytest.raises(GradientError, match="gradient="):
        (x * b).backward()
    (x * b).sum().backward()
    assert b.grad == 6.0


def test_internal_names_of_micrograd_are_not_there() -> None:
    for name in ("_prev", "_op", "_backward"):
        assert not hasattr(Value(1.0) * 2.0, name)
