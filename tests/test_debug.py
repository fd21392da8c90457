"""detect_anomaly: the first value that is not finite, and arrays that were written to behind the graph's back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import AnomalyError
from minigrad.value import recording


def caught(f: Any) -> str:
    with pytest.raises(AnomalyError) as error, mg.detect_anomaly():
        f()
    return str(error.value)


def test_forward_a_scalar() -> None:
    x = mg.Value(-1.0, label="x")
    text = caught(lambda: x.log() * 2.0)
    assert text.startswith("log: the first nan. Its input: x = -1.0. In ")
    assert "test_debug.py" in text
    assert text.endswith("text = caught(lambda: x.log() * 2.0)")


def test_forward_an_operator_of_two_floats() -> None:
    a, b = mg.Value(1e200, label="a"), mg.Value(1e200)
    assert "multiply: the first infinity. Its inputs: a = 1e+200, 1e+200." in caught(lambda: a * b)


def test_forward_an_array_inside_a_model_names_the_users_line() -> None:
    model = nn.MLP([2, 8, 1], rng=np.random.default_rng(0))
    x = np.full((4, 2), 1e200)
    for p in model.parameters():
        p.data = np.full(p.shape, 1e200)
    text = caught(lambda: model(x).sum())
    assert text.startswith("linear: the first infinity, at [0, 0]. Its inputs: (4, 2) from 1e+200 to 1e+200, ")
    assert "text = caught(lambda: model(x).sum())" in text


def test_forward_a_number_from_outside_is_named_as_such() -> None:
    bad = mg.Value([1.0, np.nan], label="bad")
    assert "exp: its input bad = [ 1., nan] came in from outside like that." in caught(lambda: mg.exp(bad))
    inside = mg.Value([1.0, 2.0])
    assert "came in from outside" in caught(lambda: inside + np.array([0.0, np.nan]))


def test_an_infinite_leaf_is_no_constant() -> None:
    big = mg.Value([1.0, np.inf], label="big")
    assert "multiply: its input big = [ 1., inf] came in from outside" in caught(lambda: big * 2.0)


def test_tangents_are_watched() -> None:
    point, direction = (np.array([0.0, 1.0]),), (np.ones(2),)
    assert "jvp: sqrt sends on the first infinity" in caught(lambda: mg.jvp(mg.sqrt, point, direction))
    assert "jvp: sqrt sends" in caught(lambda: mg.jacobian(lambda x: mg.sqrt(x) * np.ones(3))(0.0))


def test_infinite_constants_are_taken_as_meant() -> None:
    mask = np.array([0.0, -np.inf])
    with mg.detect_anomaly():
        x = mg.Value([1.0, 2.0])
        mg.softmax(x + mask).sum().backward()
        mg.where(np.array([True, False]), x, -np.inf).max().backward()
    assert "subtract: the first nan" in caught(lambda: (x + mask) - (x + mask))


def test_backward_names_the_gate_that_sends_it() -> None:
    x = mg.Value(0.0, label="x")
    text = caught(lambda: (mg.sqrt(x) * 3.0).backward())
    assert "backward: sqrt sends the first infinity, to x: the upstream gradient is 3.0. Its input: x = 0.0." in text
    x = mg.Value(np.zeros((3, 4)), label="h")
    text = caught(lambda: mg.sqrt(x).sum().backward())
    assert "backward: sqrt sends the first infinity, to h (3, 4)" in text
    assert x.grad is None


def test_backward_a_sum_that_overflows() -> None:
    x = mg.Value(1.0, label="x")

    def f() -> None:
        y = x * 1.0
        (y * 1.2e308 * 0.5 + y * 1.3e308 * 0.5).backward(1.6)

    assert "the gradient of multiply's result is the first infinity" in caught(f)


def test_backward_an_upstream_that_is_no_number() -> None:
    x = mg.Value([1.0, 2.0])
    assert "the gradient that it starts from is the first nan" in caught(lambda: (x * x).backward([1.0, np.nan]))


def test_transforms_are_watched_too() -> None:
    assert "log: the first infinity" in caught(lambda: mg.grad(lambda x: x * mg.log(x))(0.0))
    assert "sqrt sends the first infinity" in caught(lambda: mg.grad(lambda x: mg.sqrt(x))(0.0))
    assert "infinity" in caught(lambda: mg.hessian(lambda x: (x**1.5).sum())(np.array([0.0, 1.0])))
    assert "first nan" in caught(lambda: mg.qr(mg.Value(np.full((2, 2), 1e200)))[1].log().sum().backward())


def test_a_direct_write_to_an_input() -> None:
    W, x = mg.Value(np.ones((3, 4)), label="W"), np.ones((2, 3))

    def f() -> None:
        loss = mg.tanh(x @ W).sum()
        W.data[0, 0] = 5.0
        loss.backward()

    text = caught(f)
    assert "matmul: its input W (3, 4) was written to after the forward pass" in text
    assert text.endswith("loss = mg.tanh(x @ W).sum()")
    assert W.grad is None


def test_a_direct_write_to_a_result_or_a_constant() -> None:
    x, c = mg.Value(np.ones(3), label="x"), np.ones(3)

    def to_result() -> None:
        y = mg.exp(x)
        y.data[0] = 7.0
        y.sum().backward()

    def to_constant() -> None:
        y = x * c
        c[0] = 7.0
        y.sum().backward()

    assert "exp: its result was written to" in caught(to_result)
    assert "multiply: its input (3,) was written to" in caught(to_constant)


def test_an_optimizers_loop_is_no_anomaly() -> None:
    model = nn.Linear(3, 1, rng=np.random.default_rng(0))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x = np.random.default_rng(1).normal(size=(8, 3))
    with mg.detect_anomaly():
        for _ in range(5):
            optimizer.zero_grad()
            (model(x) ** 2).mean().backward()
            optimizer.step()
            for p in model.parameters():
                p.data[...] *= 0.99


def test_the_numbers_are_the_same() -> None:
    def f(x: Any) -> Any:
        h = mg.tanh(x @ np.arange(6.0).reshape(3, 2))
        return (h * h).sum() + mg.logsumexp(h) + x[0] * 2.0

    x = np.array([0.1, -0.2, 0.3])
    with mg.detect_anomaly():
        slope, bend = mg.grad(f)(x), mg.hessian(f)(x)
    np.testing.assert_array_equal(slope, mg.grad(f)(x))
    np.testing.assert_array_equal(bend, mg.hessian(f)(x))


def test_it_ends_with_its_context_and_respects_no_grad() -> None:
    with pytest.raises(ValueError, match="mine"), mg.detect_anomaly():
        raise ValueError("mine")
    assert recording.get() is True
    assert mg.log(mg.Value(0.0)).data == -np.inf
    with mg.detect_anomaly(), mg.no_grad():
        assert mg.log(mg.Value(0.0)).data == -np.inf
    with mg.no_grad(), mg.detect_anomaly():
        assert not mg.exp(mg.Value(0.0)).requires_grad


def test_as_a_decorator() -> None:
    @mg.detect_anomaly()
    def f(x: Any) -> Any:
        return mg.log(x)

    for _ in range(2):
        with pytest.raises(AnomalyError, match="log: the first infinity"):
            f(mg.Value(0.0))


def test_only_this_thread_and_this_task_are_watched() -> None:
    seen = []
    with mg.detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append(mg.log(mg.Value(0.0)).data))
        thread.start()
        thread.join()
    assert seen == [-np.inf]

    async def watched(turn: asyncio.Event, done: asyncio.Event) -> None:
        with mg.detect_anomaly():
            turn.set()
            await done.wait()

    async def other(turn: asyncio.Event, done: asyncio.Event) -> float:
        await turn.wait()
        out = mg.log(mg.Value(0.0)).data
        done.set()
        return float(out)

    async def both() -> Any:
        turn, done = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(watched(turn, done), other(turn, done))

    assert asyncio.run(both())[1] == -np.inf


def test_a_graph_from_before_is_walked_without_its_lines() -> None:
    y = mg.sqrt(mg.Value(0.0, label="x"))
    assert caught(lambda: y.backward()).endswith("In code outside detect_anomaly()")
