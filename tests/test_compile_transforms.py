"""Compiled transforms, gates of one's own, and loops that end when a number is small enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import compile
from minigrad.tree import tree_leaves

pytestmark = pytest.mark.filterwarnings("error")
RNG = np.random.default_rng(0)
X, V, M = RNG.normal(size=4), RNG.normal(size=4), RNG.normal(size=(4, 4))


def f(x: Any) -> Any:
    return (mg.tanh(M @ x) * mg.exp(-x * x)).sum()


def g(x: Any) -> Any:
    return mg.tanh(M @ x) * x


TRANSFORMS: dict[str, Any] = {
    "grad": mg.grad(f),
    "value_and_grad": mg.value_and_grad(f),
    "hessian": mg.hessian(f),
    "jacobian": mg.jacobian(g),
    "jacobian of grad": mg.jacobian(mg.grad(f)),
    "hvp": lambda x: mg.hvp(f, x, V),
    "jvp": lambda x: mg.jvp(g, (x,), (V,)),
    "vjp": lambda x: mg.vjp(g, x)[1](V),
    "third derivatives": mg.grad(lambda x: mg.hessian(f)(x).sum()),
    "grad of containers": lambda x: mg.grad(lambda p: (p["a"] * p["b"][0]).sum())({"a": x, "b": [x[0]]}),
}


def same(got: Any, want: Any, tolerance: float = 1e-12) -> None:
    got, want = tree_leaves(got), tree_leaves(want)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        b = np.asarray(getattr(b, "data", b))
        np.testing.assert_allclose(a.data, b, rtol=0, atol=tolerance * np.max(np.abs(b), initial=1.0))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name: str) -> None:
    compiled = compile(TRANSFORMS[name])
    for scale in (0.5, 1.0, -2.0):
        same(compiled(scale * X), TRANSFORMS[name](scale * X))
    assert compiled.count == 1


def test_a_jacobian_in_several_passes() -> None:
    slopes = mg.jacobian(lambda x: mg.sin(x) * x.sum())
    compiled, x = compile(slopes), RNG.normal(size=300)
    for scale in (0.5, 1.0):
        same(compiled(scale * x), slopes(scale * x))


def loop(x: Any) -> Any:
    """A forward rule that is no row of NumPy calls."""
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = x[i] ** 3
    return out


GATES: dict[str, mg.Gate] = {
    "NumPy": mg.Gate("softplus2", lambda x: np.logaddexp(0.0, x) * 2.0, local=[lambda out, x: 2.0 * mg.sigmoid(x)]),
    "a loop": mg.Gate("cube", loop, local=[lambda out, x: 3.0 * x * x]),
    "a vjp": mg.Gate("turn", lambda x: x[::-1] * 2.0, vjp=[lambda g, out, x: g[::-1] * 2.0]),
    "decides": mg.Gate("steep", lambda x: x * 2.0 if x.sum() > 0 else x, local=[lambda out, x: out / x]),
}


@pytest.mark.parametrize("name", GATES)
def test_gates_of_ones_own(name: str) -> None:
    gate = GATES[name]
    slopes = mg.grad(lambda x: (gate(x) * x).sum())
    curved = mg.grad(lambda x: (slopes(x) ** 2.0).sum())
    for function in (gate, slopes, curved):
        compiled = compile(function)
        for scale in (0.5, 1.0, -1.0, 1.0):
            same(compiled(scale * X), function(scale * X))


def test_a_loop_until_a_number_is_small() -> None:
    def root(x: Any) -> Any:
        y = x * 0.0 + 1.0
        while abs(y * y - x) > 1e-9:
            y = 0.5 * (y + x / y)
        return y

    compiled = compile(root)
    for x in (2.0, 3.0, 2.0, 9.0, 100.0, 2.0):
        assert compiled(x).item() == pytest.approx(np.sqrt(x), rel=1e-9)
    assert compiled.count <= 4  # as many as there are numbers of steps
