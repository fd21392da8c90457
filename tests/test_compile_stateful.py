"""Random training functions: what is done to gradients and by optimisers in a random order, compiled and eager."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, nn, optim

pytestmark = pytest.mark.filterwarnings("error")
STATEMENTS = (
    "backward", "backward", "backward", "zero all", "zero one", "set none", "set zero", "set zeros", "read", "scale",
    "clip norm", "clip value", "step", "step", "other step", "schedule", "detach", "no_grad", "weight decay",
)  # fmt: skip


def function_of(seed: int, wrap: Any, scalars: bool) -> tuple[Any, Any]:
    """A random function of an array, and what shows its state."""
    rng = np.random.default_rng(seed)
    params = [Value(rng.normal(size=(3, 2)), label="W"), Value(rng.normal(size=2), label="b"), Value(0.7, label="s")]
    if scalars:
        params = [Value(float(rng.normal()), label=p.label) for p in params]
    first = optim.SGD(params[:2], lr=0.05, momentum=0.5)
    second = optim.Adam(params[1:] if rng.random() < 0.5 else params, lr=0.01)
    schedule, first.steps_taken = optim.lr_scheduler.ExponentialLR(first, 0.9), 1  # not warned of a first step
    plan = [
        (str(rng.choice(STATEMENTS)), int(rng.integers(3)), int(rng.integers(4))) for _ in range(rng.integers(3, 9))
    ]

    def loss_of(x: Any, kind: int, fixed: Any) -> Any:
        W, b, s = params
        if scalars:
            ys = [(W * x[i, 0] + b * x[i, 1]).tanh() + x[i, 2] for i in range(len(x))]
            return (
                lambda: sum(ys) * s,
                lambda: sum([y * y for y in ys]) + W * W,
                lambda: sum([mg.exp(-y) for y in ys]) * fixed,
                lambda: s * s + b * b,
            )[kind]()
        y = mg.tanh(x @ W + b)
        return (
            lambda: (y * y).mean() * s,
            lambda: (y.sum(axis=0) * b).sum() + (W * W).mean(),
            lambda: (mg.exp(-y) * fixed).mean(),
            lambda: s * s + (b * b).sum(),
        )[kind]()

    def f(x: Any) -> Any:
        seen: list[Any] = []
        fixed: Any = 1.0
        for what, i, kind in plan:
            p = params[i]
            if what == "backward":
                loss = loss_of(x, kind, fixed)
                seen.append(loss)
                loss.backward()
            elif what == "zero all":
                second.zero_grad(set_to_none=bool(kind % 2))
            elif what == "zero one":
                p.zero_grad()
            elif what in ("set none", "set zero"):
                p.grad = None if what == "set none" else 0.0
            elif what == "set zeros":
                p.grad = np.zeros(p.shape) if p.shape else 0.0
            elif what == "read" and p.grad is not None:
                seen.append(p.grad * 1.5)
            elif what == "scale" and p.grad is not None:
                p.grad = p.grad * 0.5
            elif what == "clip norm":
                seen.append(nn.utils.clip_grad_norm_(params, 0.3) * 1.0)
            elif what == "clip value":
                nn.utils.clip_grad_value_(params, 0.1)
            elif what in ("step", "other step"):
                (first if what == "step" else second).step()
            elif what == "schedule":
                schedule.step()
            elif what == "detach":
                fixed = p.detach().sum() if p.shape else p.detach() * 1.0
            elif what == "no_grad":
                with mg.no_grad():
                    fixed = loss_of(x, kind, 1.0)
            elif what == "weight decay":
                square = params[0] * params[0]
                seen.append(square.sum() if square.shape else square)
        return [s * 1.0 for s in seen]

    run, inputs = wrap(f), np.random.default_rng(seed + 1)

    def trial() -> Any:
        for call in range(5):
            out = run(inputs.normal(size=(4 - call % 2, 3)))
            if call == 2:
                params[0].data = params[0].data * 0.9
                params[1].grad = None
            yield [*[value(x) for x in out], *[value(x) for p in params for x in (p.data, p.grad)]]

    return trial, run


def value(x: Any) -> Any:
    return None if x is None else np.array(x.data if isinstance(x, Value) else x)


@pytest.mark.parametrize("scalars", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_random_training_functions(seed: int, scalars: bool) -> None:
    eager, _ = function_of(seed, lambda f: f, scalars)
    compiled, run = function_of(seed, compile, scalars)
    compare(eager, compiled)
    assert run.count <= 8


def compare(eager: Any, compiled: Any) -> None:
    for call, (want, got) in enumerate(zip(eager(), compiled(), strict=True)):
        assert len(want) == len(got)
        for a, b in zip(want, got, strict=True):
            assert (a is None) == (b is None), call
            if a is not None:
                np.testing.assert_allclose(b, np.broadcast_to(a, b.shape), rtol=1e-10, atol=1e-12)


MANY = (
    "backward", "backward", "zero all", "zero half", "zero one", "read one", "step", "step", "clip", "scale one",
    "weights",
)  # fmt: skip


def function_of_many(seed: int, wrap: Any) -> tuple[Any, Any]:
    """The same with 28 numbers for parameters, which are taken together."""
    rng = np.random.default_rng(seed)
    weights, biases = ([Value(float(x)) for x in 0.3 * rng.normal(size=n)] for n in (24, 4))
    params = weights + biases
    first = optim.SGD(weights, lr=0.01, momentum=0.5)
    second = optim.Adam(params if rng.random() < 0.5 else biases, lr=0.01)
    plan = [(str(rng.choice(MANY)), int(rng.integers(28)), int(rng.integers(3))) for _ in range(rng.integers(3, 8))]

    def loss_of(X: Any, kind: int) -> Any:
        total: Any = 0.0
        for row in X:
            h = [sum([weights[6 * j + i] * row[i] for i in range(6)], biases[j]).tanh() for j in range(4)]
            total = total + (sum(h) - row[0]) ** 2 if kind < 2 else total + h[0] * h[1] - h[2]
        return total

    def f(X: Any) -> Any:
        seen: list[Any] = []
        for what, i, kind in plan:
            p = params[i]
            if what == "backward":
                seen.append(loss_of(X, kind))
                seen[-1].backward()
            elif what == "zero all":
                second.zero_grad()
            elif what == "zero half":
                for q in params[::2]:
                    q.grad = None if kind else 0.0
            elif what == "zero one":
                p.zero_grad()
            elif what == "read one" and p.grad is not None:
                seen.append(p.grad * 2.0)
            elif what == "step":
                (first if kind else second).step()
            elif what == "clip":
                nn.utils.clip_grad_value_(params, 0.5)
            elif what == "scale one" and p.grad is not None:
                p.grad = p.grad * 0.5
            elif what == "weights":
                seen.append(sum([q * q for q in params]))
        return [s * 1.0 for s in seen]

    run, inputs = wrap(f), np.random.default_rng(seed + 1)

    def trial() -> Any:
        for call in range(4):
            out = run(inputs.normal(size=(20, 6)))
            if call == 1:
                params[3].data, params[5].grad = 0.25, None
            yield [*[value(x) for x in out], *[value(x) for p in params for x in (p.data, p.grad)]]

    return trial, run


@pytest.mark.parametrize("seed", [*range(12), 28, 45])
def test_random_training_functions_of_many_numbers(seed: int) -> None:
    eager, _ = function_of_many(seed, lambda f: f)
    compiled, _ = function_of_many(seed, compile)
    compare(eager, compiled)
