"""Replay allocates nothing but the arrays it returns, and keeps nothing from one call to the next."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, nn, optim

SMALL_OBJECTS = 6_000  # bytes: frames, headers of arrays that are views, numbers
NUMPYS = 2 * 67_000  # NumPy's loops take 8,192 numbers of an operand that is broadcast or cast at a time
N = 192
BYTES = 8 * N * N  # of an array: more than these two


def peak_of(call: Any) -> int:
    """The most memory that a call holds beyond what there was before, in bytes, after some calls to warm up."""
    for _ in range(5):
        call()
    gc.collect()
    tracemalloc.start()
    try:
        start, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - start
    finally:
        tracemalloc.stop()


RNG = np.random.default_rng(0)
X, Y, LABELS = RNG.normal(size=(N, N)), RNG.normal(size=(N, N)), RNG.integers(N, size=N)
SIGNS = RNG.choice([-1.0, 1.0], size=N)


def mlp_step(make: Any, loss: Any = None, activation: Any = nn.Tanh, dtype: Any = np.float64) -> Any:
    model = nn.MLP([N, N, N, N], activation, rng=0, dtype=dtype)
    optimizer, loss = make(model.parameters()), loss or nn.CrossEntropyLoss()
    x = X.astype(dtype)

    @compile
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return lambda: step(x, LABELS)


def f(x: Any, y: Any) -> Any:
    return (mg.tanh(x @ y) * mg.exp(-x * x)).sum() + mg.relu(x - y).mean()


def steps() -> dict[str, tuple[Any, int]]:
    both, product = compile(mg.value_and_grad(f, argnums=(0, 1))), compile(lambda x, v: mg.hvp(lambda x: f(x, x), x, v))
    forward, w = compile(lambda x: mg.softmax(x @ Y, axis=1)), Value(Y, label="w")
    return {
        "SGD": (mlp_step(lambda p: optim.SGD(p, lr=0.01, momentum=0.9)), 0),
        "Adam": (mlp_step(lambda p: optim.Adam(p, lr=0.001)), 0),
        "AdamW, ReLU": (mlp_step(lambda p: optim.AdamW(p, lr=0.001), activation=nn.ReLU), 0),
        "float32": (mlp_step(lambda p: optim.Adam(p, lr=0.001), dtype=np.float32), 0),
        "GELU": (mlp_step(lambda p: optim.SGD(p, lr=0.001), activation=nn.GELU), 0),
        "value_and_grad": (lambda: both(X, Y), 2 * BYTES),
        "hvp": (lambda: product(X, Y), BYTES),
        "forward": (lambda: forward(X), BYTES),
        "backward": (lambda: compiled_backward(w), 0),
    }


@compile
def compiled_backward(w: Any) -> Any:
    w.grad = None
    (mg.tanh(X @ w) * w).sum().backward()


STEPS = steps()
BROADCASTING = ("SGD", "Adam", "AdamW, ReLU", "float32", "GELU", "forward")


@pytest.mark.parametrize("name", STEPS)
def test_nothing_is_allocated_but_what_is_returned(name: str) -> None:
    call, returned = STEPS[name]
    assert peak_of(call) <= returned + SMALL_OBJECTS + (NUMPYS if name in BROADCASTING else 0)


def counted(call: Any, times: int) -> tuple[int, int]:
    """How many objects, and how many bytes, there are more after so many calls."""
    for _ in range(20):
        call()
    gc.collect()
    objects = len(gc.get_objects())
    tracemalloc.start()
    for _ in range(20):
        call()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(times):
        call()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return len(gc.get_objects()) - objects, grown


def small_calls() -> dict[str, Any]:
    w = Value(np.ones(3), label="w")
    optimizer = optim.Adam([w], lr=1e-6)
    weights = [Value(0.01 * i) for i in range(5)]
    x = np.ones((4, 3))

    @compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = ((x @ w) ** 2.0).mean()
        loss.backward()
        optimizer.step()
        return loss

    @compile
    def scalars(row: Any) -> Any:
        for p in weights:
            p.grad = 0
        loss = sum([p * r for p, r in zip(weights, row, strict=True)]).tanh()
        loss.backward()
        return loss

    results = compile(lambda x: ((x @ w).sum(), mg.exp(x)))
    slopes = compile(mg.value_and_grad(lambda x: (x * x).sum()))
    decided = compile(lambda x: x * 2.0 if x.sum() > 0.0 else x)
    passed = compile(lambda v: (v * v).sum().backward())
    state = {"sign": 1.0}

    def both_ways() -> None:
        state["sign"] = -state["sign"]
        decided(x * state["sign"])

    return {
        "step": lambda: step(x),
        "scalars": lambda: scalars([0.1, 0.2, 0.3, 0.4, 0.5]),
        "results in graphs": lambda: results(x)[0].backward(),
        "slopes": lambda: slopes(x),
        "decisions": both_ways,
        "fresh Values": lambda: passed(Value(np.ones(3))),
        "mistakes": lambda: mistake(slopes),
    }


def mistake(f: Any) -> None:
    with pytest.raises(TypeError):
        f("text")


SMALL = small_calls()


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_left_behind(name: str) -> None:
    objects, grown = counted(SMALL[name], 300)
    assert objects <= 10
    assert grown <= 3_000


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_left_behind_after_100000_calls(name: str) -> None:
    objects, grown = counted(SMALL[name], 100_000)
    assert objects <= 10
    assert grown <= 10_000


def test_a_program_dies_with_its_function() -> None:
    w = Value(np.ones(1000), label="w")
    g = compile(lambda x: (x * w).sum())
    g(np.ones(1000))
    g(np.ones(1000))
    entry = weakref.ref(g.last[0])
    del g
    gc.collect()
    assert entry() is None


def test_gradients_are_views_until_the_next_call() -> None:
    """As documented: the array of p.grad is written by the next call; a copy stays."""
    w = Value(np.ones(3), label="w")
    optimizer = optim.SGD([w], lr=0.1)

    @compile
    def step(x: Any) -> None:
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    step(np.ones(3))
    step(np.ones(3))
    first, copy = w.grad, w.grad.copy()
    step(np.full(3, 2.0))
    np.testing.assert_array_equal(w.grad, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(copy, [1.0, 1.0, 1.0])
    assert np.shares_memory(first, w.grad)
