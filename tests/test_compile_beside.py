"""What is done to all parameters of an optimiser alike is done once: fewer calls, the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim

RNG = np.random.default_rng(5)
X, Y = RNG.standard_normal((20, 3)), RNG.integers(0, 4, 20)


def squares(parameters: Any) -> Any:
    return 0.01 * sum((p * p).sum() for p in parameters)


def trained(compiled: bool, penalty: Any = squares, steps: int = 5, make: Any = None, before: Any = None) -> Any:
    """The losses and parameters of a few steps, and the source of a compiled one."""
    model = nn.MLP([3, 5, 4], rng=np.random.default_rng(1))
    parameters = list(model.parameters())
    optimizer = (make or (lambda ps: optim.SGD(ps, lr=0.1)))(parameters)

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(model(x), y) + penalty(parameters)
        optimizer.zero_grad()
        loss.backward()
        if before:
            before(parameters)
        optimizer.step()
        return loss

    run: Any = mg.compile(step) if compiled else step
    losses = []
    for i in range(steps):
        losses.append(run(X, Y).item())
        if i == 2:
            parameters[0].data = parameters[0].data * 0.5  # by hand: the flat array moves
    grads = [p.grad.copy() for p in parameters]
    return losses, [p.data.copy() for p in parameters], grads, run.source if compiled else ""


def compare(**settings: Any) -> str:
    ours, theirs = trained(True, **settings), trained(False, **settings)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    for a, b in zip([*ours[1], *ours[2]], [*theirs[1], *theirs[2]], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)
    return str(ours[3])


def test_one_square_and_one_decay() -> None:
    source = compare()
    assert source.count("np.vdot(parameters, parameters)") == 1
    assert source.count("np.multiply(parameters, ") == 1
    assert source.count("out=gradients)") == 1


@pytest.mark.parametrize(
    "penalty",
    [
        lambda ps: 0.01 * sum((p * p).sum() for p in ps[::2]),  # weights only
        lambda ps: sum(c * (p * p).sum() for c, p in zip([0.01, 0.02, 0.03, 0.04], ps, strict=True)),
        lambda ps: 0.01 * sum((p * p).sum() for p in [*ps, ps[0]]),
        lambda ps: 0.01 * sum((p * p * p).sum() for p in ps),
    ],
)
def test_penalties_of_another_kind(penalty: Any) -> None:
    assert "np.multiply(parameters, " not in compare(penalty=penalty)


def test_two_optimizers_each_have_their_own() -> None:
    class Two:
        def __init__(self, ps: Any) -> None:
            self.parts = [optim.SGD(ps[:2], lr=0.1), optim.Adam(ps[2:], lr=0.01)]

        def zero_grad(self) -> None:
            for part in self.parts:
                part.zero_grad()

        def step(self) -> None:
            for part in self.parts:
                part.step()

    compare(make=Two)


def test_gradients_that_are_clipped() -> None:
    compare(before=lambda ps: nn.utils.clip_grad_norm_(ps, 0.5))


def test_groups() -> None:
    compare(make=lambda ps: optim.SGD([{"params": ps[:1], "lr": 0.2}, {"params": ps[1:]}], lr=0.1))


def test_several_steps_in_one_call() -> None:
    def results(compiled: bool) -> list[float]:
        w = [mg.Value(np.array([1.0, 2.0])), mg.Value(np.array([3.0]))]
        optimizer = optim.SGD(w, lr=0.1)

        def steps() -> Any:
            for _ in range(3):
                optimizer.zero_grad()
                loss = squares(w) + (w[0] * w[1]).sum()
                loss.backward()
                optimizer.step()
            return loss

        run: Any = mg.compile(steps) if compiled else steps
        return [run().item() for _ in range(3)]

    assert results(True) == pytest.approx(results(False), rel=1e-13)
