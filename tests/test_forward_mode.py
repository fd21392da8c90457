"""Forward mode, Jacobians and Hessians: against reverse mode, closed forms and the numbers of the notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.check.sampling import Case, cases_of, is_float
from minigrad.errors import GradientError, ShapeError
from minigrad.gates import REGISTRY
from minigrad.tree import tree_leaves, tree_map

CASES = [case for gate in REGISTRY.values() if gate.differentiable for case in cases_of(gate)]


def number_or_array(rng: np.random.Generator, like: Any) -> Any:
    return rng.standard_normal(np.shape(like)) if np.shape(like) else float(rng.standard_normal())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_pushing_is_the_transpose_of_pulling(case: Case) -> None:
    """<u, J t> = <Jᵀ u, t>, for every gate and, at once, its inputs' dtypes and shapes."""
    rng = np.random.default_rng(5)
    inputs = case.sample(rng)
    moving = [i for i, x in enumerate(inputs) if is_float(x)]

    def f(*xs: Any) -> Any:
        full = list(inputs)
        for i, x in zip(moving, xs, strict=True):
            full[i] = x
        return case.call(*full)

    point = tuple(inputs[i] for i in moving)
    tangents = tuple(number_or_array(rng, x) for x in point)
    out, moved = mg.jvp(f, point, tangents)
    same, pull_back = mg.vjp(f, *point)
    for a, b, m in zip(*map(tree_leaves, (out, same, moved)), strict=True):  # some gates have several outputs
        np.testing.assert_array_equal(a, b)
        assert np.shape(m) == np.shape(a)
        assert type(m) is type(a)
    u = tree_map(lambda x: number_or_array(rng, x), out)
    pulled = pull_back(u)
    left = sum(np.sum(g * m) for g, m in zip(tree_leaves(u), tree_leaves(moved), strict=True))
    right = sum(np.sum(g * t) for g, t in zip(pulled, tangents, strict=True))
    assert left == pytest.approx(right, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(("n_in", "n_out"), [(2, 5), (5, 2), (3, 3), (1, 4), (4, 1)])
def test_rows_and_columns_give_the_same_jacobian(n_in: int, n_out: int) -> None:
    A = np.random.default_rng(0).standard_normal((n_out, n_in))
    x = np.linspace(-1.0, 1.0, n_in)
    J = mg.jacobian(lambda v: mg.tanh(A @ v))(x)
    np.testing.assert_allclose(J, (1.0 - np.tanh(A @ x) ** 2)[:, None] * A, rtol=1e-12)


def test_shapes_are_out_then_in() -> None:
    assert mg.jacobian(lambda x: x * 2.0)(3.0) == 2.0
    assert mg.jacobian(lambda x: mg.stack([x, x]))(3.0).shape == (2,)
    assert mg.jacobian(lambda x: x.sum())(np.ones((2, 3))).shape == (2, 3)
    assert mg.jacobian(lambda x: x.reshape(3, 2) * 1.0)(np.ones((2, 3))).shape == (3, 2, 2, 3)
    assert mg.jacobian(lambda x: mg.stack([x * y for y in (1.0, 2.0, 3.0)]))(np.ones(2)).shape == (3, 2, 2)
    both = mg.jacobian(lambda x, y: x * y, argnums=(0, 1))(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    np.testing.assert_array_equal(both[0], np.diag([3.0, 4.0]))
    np.testing.assert_array_equal(both[1], np.diag([1.0, 2.0]))


def test_containers() -> None:
    f = lambda p: {"a": p["x"] * p["y"], "b": [p["x"]]}  # noqa: E731
    out, moved = mg.jvp(f, ({"x": 2.0, "y": 3.0},), ({"x": 1.0, "y": 0.0},))
    assert (out, moved) == ({"a": 6.0, "b": [2.0]}, {"a": 3.0, "b": [1.0]})
    out, pull_back = mg.vjp(lambda x: (x * x, {"c": x.sum()}), np.array([1.0, 2.0]))
    (g,) = pull_back((np.array([1.0, 0.0]), {"c": 10.0}))
    np.testing.assert_array_equal(g, [12.0, 10.0])
    H = mg.hessian(lambda p: (p["w"] * p["w"]).sum() * p["b"])({"w": np.arange(2.0), "b": 3.0})
    np.testing.assert_array_equal(H["w"]["w"], 6.0 * np.eye(2))
    np.testing.assert_array_equal(H["w"]["b"], [0.0, 2.0])
    assert H["b"]["b"] == 0.0


def test_modes_nest_in_each_other() -> None:
    assert mg.grad(lambda w: mg.jvp(lambda x: x * x * w, (3.0,), (1.0,))[1])(2.0) == 6.0
    assert mg.jvp(lambda x: mg.grad(lambda y: y**3)(x), (2.0,), (1.0,)) == (12.0, 12.0)
    assert mg.jvp(lambda x: mg.jvp(lambda y: x * y * y, (x,), (1.0,))[1], (3.0,), (1.0,)) == (18.0, 12.0)
    third = mg.jacobian(mg.hessian(lambda x: (x**4).sum()))(np.array([1.0, 2.0]))
    assert third.shape == (2, 2, 2)
    assert (third[0, 0, 0], third[1, 1, 1]) == (24.0, 48.0)
    w = mg.Value(2.0)
    slope = mg.jvp(lambda x: x * x * w, (mg.Value(3.0),), (1.0,))[1]  # Values in, Values out: 2 x w
    slope.backward()
    assert (slope.data, w.grad) == (12.0, 6.0)


def test_perturbations_are_not_confused() -> None:
    assert mg.jvp(lambda x: x * mg.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1.0


def test_no_path_gives_zeros() -> None:
    out, moved = mg.jvp(lambda x: mg.Value(5.0), (2.0,), (1.0,))
    assert (out, moved) == (5.0, 0.0)
    np.testing.assert_array_equal(mg.vjp(lambda x, y: x * 1.0, 2.0, np.ones(2))[1](1.0)[1], [0.0, 0.0])
    np.testing.assert_array_equal(mg.jacobian(lambda x: mg.Value(np.ones(2)))(3.0), [0.0, 0.0])


def test_float32_stays_float32() -> None:
    x = np.ones(3, np.float32)
    out, moved = mg.jvp(lambda v: mg.tanh(v) * 2.0, (x,), (x,))
    assert out.dtype == moved.dtype == np.float32
    assert mg.vjp(lambda v: v * 2.0, x)[1](x)[0].dtype == np.float32


def test_closed_wires_push_zero_even_beside_infinity() -> None:
    assert mg.jvp(mg.relu, (-1.0,), (np.inf,))[1] == 0.0
    np.testing.assert_array_equal(mg.jvp(mg.relu, (np.array([-1.0, 1.0]),), (np.array([np.inf, 2.0]),))[1], [0.0, 2.0])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: mg.jvp(lambda x: x, 1.0, 1.0), GradientError, "tuples, with an entry per argument"),
        (lambda: mg.jvp(lambda x: x, (1.0,), (1.0, 2.0)), GradientError, "structure of the arguments"),
        (lambda: mg.jvp(lambda x: x, (np.ones(2),), (np.ones(3),)), ShapeError, r"tangents of shape \(3,\)"),
        (lambda: mg.vjp(lambda x: x * 1.0, np.ones(2))[1](1.0), ShapeError, "cotangent of shape"),
        (lambda: mg.vjp(lambda x: [x, x], 1.0)[1](1.0), GradientError, "structure of the output"),
        (lambda: mg.jacobian(lambda x: x, argnums=1)(1.0), GradientError, "called with 1 argument"),
        (lambda: mg.hessian(lambda x: x * 1.0)(np.ones(2)), GradientError, "must return one number|of one number"),
    ],
)
def test_misuse_is_explained(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
