"""Compiled equals eager, for every gate of the catalogue: its value, its gradients and its second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import compile
from minigrad.check.sampling import Case, cases_of, is_float
from minigrad.gates import REGISTRY
from minigrad.tree import tree_leaves

CASES = [case for gate in REGISTRY.values() for case in cases_of(gate)]
ids = [str(case) for case in CASES]


def close(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    """Equal to `tolerance` of the largest magnitude involved, of the same type and shape."""
    a, b = tree_leaves(a), tree_leaves(b)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        x, y = (v.data if isinstance(v, mg.Value) else v for v in (x, y))
        assert np.shape(x) == np.shape(y)
        assert np.asarray(x).dtype == np.asarray(y).dtype
        with np.errstate(all="ignore"):
            scale = np.max(np.abs(np.asarray(y, float)), initial=0.0)
            np.testing.assert_allclose(np.asarray(x, float), np.asarray(y, float), rtol=1e-10, atol=tolerance * scale)


def of_floats(case: Case, inputs: list[Any]) -> Any:
    moving = [i for i, x in enumerate(inputs) if is_float(x)]

    def f(*xs: Any) -> Any:
        full = list(inputs)
        for i, x in zip(moving, xs, strict=True):
            full[i] = x
        return case.call(*full)

    return f, [inputs[i] for i in moving]


def points(case: Case) -> Any:
    rng = np.random.default_rng(17)
    return [case.sample(rng) for _ in range(3)]


def weighted(f: Any) -> Any:
    """A number that feels every output, each by a weight of its own."""

    def total(*xs: Any) -> Any:
        parts = [out for out in tree_leaves(f(*xs)) if isinstance(out, mg.Value)]
        return sum([(out * np.cos(np.arange(out.size).reshape(out.shape) + i)).sum() for i, out in enumerate(parts)])

    return total


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_values(case: Case) -> None:
    first = points(case)[0]
    f, _ = of_floats(case, first)
    compiled = compile(f)
    for inputs in points(case):
        xs = [x for x in inputs if is_float(x)]
        if all(x is y for x, y in zip(inputs, first, strict=True) if not is_float(x)):
            close(compiled(*xs), f(*xs))
    assert len(compiled.entries) == 1


DIFFERENTIABLE = [case for case in CASES if case.differentiable]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_gradients(case: Case) -> None:
    inputs = points(case)[0]
    f, xs = of_floats(case, inputs)
    slopes = mg.grad(weighted(f), argnums=tuple(range(len(xs))))
    compiled = compile(slopes)
    for _ in range(2):
        close(compiled(*xs), slopes(*xs))
    xs = [x * 0.99 for x in xs]
    close(compiled(*xs), slopes(*xs))


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_second_derivatives(case: Case) -> None:
    inputs = points(case)[0]
    f, xs = of_floats(case, inputs)
    n = tuple(range(len(xs)))
    total = weighted(f)

    def along(*xs: Any) -> Any:  # the slope of the gradient's norm
        return mg.grad(lambda *ys: sum([(g * g * 0.5).sum() for g in mg.grad(total, argnums=n)(*ys)]), argnums=n)(*xs)

    compiled = compile(along)
    for _ in range(2):
        close(compiled(*xs), along(*xs), 1e-11)


def in_float32(inputs: list[Any]) -> list[Any]:
    return [np.asarray(x, np.float32) if is_float(x) else x for x in inputs]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_float32(case: Case) -> None:
    inputs = in_float32(points(case)[0])
    f, xs = of_floats(case, inputs)
    compiled = compile(f)
    slopes = mg.grad(weighted(f), argnums=tuple(range(len(xs)))) if case.differentiable else None
    steep = compile(slopes) if slopes else None
    for _ in range(2):
        close(compiled(*xs), f(*xs), 1e-5)
        if slopes:
            close(steep(*xs), slopes(*xs), 1e-5)
        xs = [np.asarray(x * np.float32(0.99)) for x in xs]
