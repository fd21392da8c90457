"""200 random programs over the catalogue, compiled and eager: other contents, layouts, aliases, parameters, dtypes.

A program is a list of steps on a pool of values: each takes random values from the pool (so that they fan out) through
gates with broadcasting, reductions, indexing, masks and matrix products, and puts the result there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile
from minigrad.gates import REGISTRY
from minigrad.gates.registry import Call
from minigrad.tree import tree_leaves

Rng = np.random.Generator
pytestmark = pytest.mark.filterwarnings("error")  # a program that can't be recorded warns


def unary_gates() -> dict[str, tuple[float, float]]:
    """Every elementwise gate of one wire, and where it is smooth enough to be compared in second order."""
    rows = {}
    for name, gate in REGISTRY.items():
        domain = gate.domain
        if gate.elementwise and gate.arity == 1 and domain and not isinstance(domain[0], Call):
            rows[name] = domain[0]
    return rows


UNARY = unary_gates()
SOFT = (mg.tanh, mg.sigmoid, mg.sin, mg.cos, mg.arctan, mg.softplus, mg.relu, mg.absolute)


def squashed(x: Any, low: float, high: float) -> Any:
    """x between low and high, smoothly: no gate is sampled where it overflows or ends."""
    low, high = max(low, -2.0), min(high, 2.0)
    return (low + high) / 2 + 0.4 * (high - low) * mg.tanh(0.7 * x)


def a_step(rng: Rng) -> Callable[[list[Any]], Any]:
    """One random step: a function of the pool.  All decisions are made here, none while it runs."""
    kind = rng.integers(12)
    i, j, k = (int(n) for n in rng.integers(10**6, size=3))
    name = str(rng.choice(list(UNARY)))
    axis, sign, number = int(rng.integers(2)), float(rng.choice([-1.0, 1.0])), float(rng.normal())

    def pick(pool: list[Any], n: int) -> Any:
        return pool[-1 - n % min(len(pool), 5)]

    def run(pool: list[Any]) -> Any:
        x, y = pick(pool, i), pick(pool, j)
        n = x.ndim
        if kind == 0:
            return REGISTRY[name](squashed(x, *UNARY[name]))
        if kind == 1:
            return SOFT[k % len(SOFT)](x) * number
        if kind == 2:
            return (x + sign * 1.0, x - 1.0, 2.0 * x, -x, x * 1.0, x + 0.0, x**2, 1.0 / (1.5 + x * x))[k % 8]
        if kind == 3:  # two values, broadcast against each other
            y = y if y.shape == x.shape else y.mean() if k % 2 else y.reshape(-1)[0]
            two = (mg.add, mg.subtract, mg.multiply, mg.maximum, mg.minimum, mg.hypot, mg.logaddexp, mg.arctan2)
            return two[k % 8](mg.tanh(x), mg.sigmoid(y) + 0.5)
        if kind == 4:
            return mg.tanh(x / (1.5 + mg.sin(y).mean()))
        if kind == 5 and n:  # reductions
            a, keep = axis % n, bool(k % 2)
            reduce = (mg.sum, mg.mean, mg.max, mg.min, mg.logsumexp, mg.var)[k % 6]
            return mg.tanh(reduce(x, axis=a, keepdims=keep))
        if kind == 6 and n:  # views and gathers
            views = (
                lambda: x[::-1], lambda: x.T, lambda: x[..., 1:], lambda: x[..., ::2], lambda: x.reshape(-1),
                lambda: mg.flip(x, axis=0), lambda: mg.roll(x, 1, axis=0), lambda: mg.expand_dims(x, 0),
                lambda: x[np.array([0, 0, -1])], lambda: mg.concatenate([x, x * 0.5]), lambda: mg.stack([x, x]),
                lambda: mg.broadcast_to(x, (2, *x.shape)), lambda: mg.repeat(x, 2, axis=0),
                lambda: x[:, None] if x.ndim == 1 else x[0],
            )  # fmt: skip
            return views[k % len(views)]() if x.shape[0] > 1 and x.shape[-1] > 1 else x * 2.0
        if kind == 7:  # masks
            if k % 3 == 0:
                return mg.where(x > 0.1, x * number, mg.sin(x))
            if k % 3 == 1:
                return x * (x < 0.3) + 0.1
            return mg.clip(x, -0.5, 0.8) + 0.1 * x
        if kind == 8 and n:  # matrix products
            m = x.reshape(-1, x.shape[-1])
            return mg.tanh(m @ m.T) if k % 2 else mg.tanh(m.T @ m * 0.3)
        if kind == 9 and n:
            return (mg.softmax, mg.cumsum, mg.sort, mg.log_softmax)[k % 4](x, axis=axis % n) * 0.5
        if kind == 10 and n:  # places that depend on the numbers
            flat = x.reshape(-1)
            return (flat[mg.argmax(flat)], mg.take(flat, mg.argsort(flat)), mg.max(flat) - mg.min(flat))[k % 3] * 0.5
        return mg.sin(x) * y.mean()

    return run


class Program:
    """Random steps on parameters `w` and arguments `x`; what comes out feels every value in the pool."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        self.steps = [a_step(rng) for _ in range(int(rng.integers(3, 8)))]
        shape = [(3, 4), (4,), (2, 3), (5, 2), (3, 3)][int(rng.integers(5))]
        self.shapes = (shape, shape if rng.random() < 0.5 else shape[-1:], ())
        self.size = 0.0  # the largest magnitude that came up

    def draw(self, dtype: Any = np.float64) -> list[Any]:
        return [
            np.asarray(self.rng.normal(size=shape), dtype) if shape else float(self.rng.normal())
            for shape in self.shapes
        ]

    def __call__(self, *xs: Any) -> Any:
        pool = list(xs)
        for step in self.steps:
            out = step(pool)
            if out.size <= 500:
                pool.append(out)
        values = [v for v in pool if isinstance(v, Value)]
        total: Any = 0.0
        for i, v in enumerate(values):
            weights = np.cos(np.arange(v.size).reshape(v.shape) + i)
            total = total + (v * weights.astype(v.dtype)).sum() / v.size
        return total


def magnitude(*trees: Any) -> float:
    arrays = [np.asarray(raw(x), float) for tree in trees for x in tree_leaves(tree)]
    return float(np.max([np.max(np.abs(a), initial=0.0) for a in arrays]))


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def close(a: Any, b: Any, tolerance: float, scale: float) -> None:
    a, b = tree_leaves(a), tree_leaves(b)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        x, y = np.asarray(raw(x)), np.asarray(raw(y))
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        assert np.isfinite(y).all()
        assert np.max(np.abs(x - y), initial=0.0) <= tolerance * scale


def layouts(rng: Rng, xs: list[Any]) -> Any:
    """The same kinds of arguments again: other contents, two other layouts, the same array twice, overlapping views."""
    yield xs
    yield [x + 0.1 if isinstance(x, float) else (x * 0.9).astype(x.dtype) for x in xs]
    for i in rng.permutation(4)[:2]:
        yield [x if isinstance(x, float) else LAYOUTS[i](x) for x in xs]
    if xs[0].shape == xs[1].shape:
        yield [xs[0], xs[0], xs[2]]
        both = rng.normal(size=(xs[0].shape[0] + 1, *xs[0].shape[1:])).astype(xs[0].dtype)
        yield [both[:-1], both[1:], xs[2]]


LAYOUTS: list[Callable[[Any], Any]] = [
    np.asfortranarray,
    lambda x: np.repeat(x, 2, -1)[..., ::2],
    lambda x: x[::-1].copy()[::-1],
    lambda x: np.broadcast_to(x[:1], x.shape),
]


def check(seed: int, dtype: Any, tolerance: float) -> None:
    f = Program(seed)
    n = tuple(range(len(f.shapes)))
    both = mg.value_and_grad(f, argnums=n)
    first = compile(both)
    for xs in layouts(f.rng, f.draw(dtype)):
        before = [np.copy(x) for x in xs]
        want = both(*xs)
        close(first(*xs), want, tolerance, magnitude(want, xs, 1.0))
        for x, copy in zip(xs, before, strict=True):
            np.testing.assert_array_equal(x, copy)
    slopes = mg.grad(f, argnums=n)
    second = mg.grad(lambda *ys: sum([(g * g * 0.5).sum() for g in slopes(*ys)]), argnums=n)
    compiled = compile(second)
    first_xs = f.draw(dtype)
    others = [x * 0.9 if isinstance(x, float) else (x * 0.9).astype(dtype) for x in first_xs]
    for xs in (first_xs, others):
        want = second(*xs)
        close(compiled(*xs), want, tolerance * 10, magnitude(want, slopes(*xs), xs, 1.0))


@pytest.mark.parametrize("seed", range(200))
def test_program(seed: int) -> None:
    check(seed, np.float64, 1e-12)


@pytest.mark.parametrize("seed", range(1000, 1040))
def test_program_in_float32(seed: int) -> None:
    check(seed, np.float32, 1e-5)
