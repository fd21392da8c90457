"""einsum and the products made of matmul: NumPy's numbers, measured slopes, and errors that say what doesn't fit."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError, ShapeError


def array(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-2.0, 2.0, shape)


PRODUCTS: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    "dot numbers": (np.dot, (), ()),
    "dot number array": (np.dot, (), (2, 3)),
    "dot vectors": (np.dot, (3,), (3,)),
    "dot matrices": (np.dot, (2, 3), (3, 4)),
    "dot stacks": (np.dot, (2, 2, 3), (4, 3, 2)),
    "dot stack vector": (np.dot, (2, 2, 3), (3,)),
    "inner vectors": (np.inner, (3,), (3,)),
    "inner stacks": (np.inner, (2, 3), (2, 2, 3)),
    "inner number": (np.inner, (), (2, 3)),
    "outer": (np.outer, (2, 2), (3,)),
    "outer numbers": (np.outer, (), ()),
    "linalg.outer": (np.linalg.outer, (2,), (3,)),
    "vdot": (np.vdot, (2, 3), (2, 3)),
    "vdot reshaped": (np.vdot, (2, 3), (3, 2)),
    "vdot numbers": (np.vdot, (), ()),
    "tensordot": (np.tensordot, (2, 3, 4), (3, 4, 2)),
    "tensordot 0": (lambda a, b: np.tensordot(a, b, 0), (2,), (3,)),
    "tensordot 1": (lambda a, b: np.tensordot(a, b, axes=1), (2, 3), (3, 2)),
    "tensordot pairs": (lambda a, b: np.tensordot(a, b, axes=([2, 0], [0, -1])), (2, 3, 4), (4, 3, 2)),
    "tensordot numbers": (lambda a, b: np.tensordot(a, b, axes=(1, 0)), (2, 3), (3, 4)),
    "tensordot everything": (lambda a, b: np.tensordot(a, b, axes=2), (2, 3), (2, 3)),
    "tensordot empty": (lambda a, b: np.tensordot(a, b, axes=1), (2, 0), (0, 3)),
    "kron vectors": (np.kron, (2,), (3,)),
    "kron matrices": (np.kron, (2, 3), (2, 1)),
    "kron ranks": (np.kron, (2,), (2, 1, 2)),
    "kron number": (np.kron, (), (2, 2)),
    "cross": (np.cross, (3,), (3,)),
    "cross broadcast": (np.cross, (2, 3), (3,)),
    "cross axis": (lambda a, b: np.cross(a, b, axis=0), (3, 2), (3, 2)),
    "cross axes": (lambda a, b: np.cross(a, b, axisa=0, axisc=0), (3, 2), (2, 3)),
    "linalg.cross": (np.linalg.cross, (2, 3), (2, 3)),
    "multi_dot": (lambda a, b: np.linalg.multi_dot([a, b, array(4, 2)]), (2, 3), (3, 4)),
    "multi_dot vectors": (lambda a, b: np.linalg.multi_dot([a, array(3, 4), b]), (3,), (4,)),
    "einsum": (lambda a, b: np.einsum("ij, jk -> ki", a, b), (2, 3), (3, 4)),
    "einsum implicit": (lambda a, b: np.einsum("zb,bA", a, b), (2, 3), (3, 4)),
    "einsum repeated and summed": (lambda a, b: np.einsum("iij,kj->i", a, b), (2, 2, 3), (4, 3)),
    "einsum three times": (lambda a, b: np.einsum("iii,i->i", a, b), (2, 2, 2), (2,)),
    "einsum implicit ellipsis": (lambda a, b: np.einsum("...ij,...jk", a, b), (2, 1, 2, 3), (3, 3, 2)),
    "einsum ellipsis of one": (lambda a, b: np.einsum("...i,i->...i", a, b), (3,), (3,)),
    "einsum ellipsis summed": (lambda a, b: np.einsum("...i,i->i...", a, b), (2, 3), (3,)),
    "einsum stretched": (lambda a, b: np.einsum("ij,ij->", a, b), (3, 1), (1, 4)),
    "einsum optimized": (lambda a, b: np.einsum("ij,jk,kl->il", a, b, array(4, 2), optimize=True), (2, 3), (3, 4)),
    "einsum empty": (lambda a, b: np.einsum("ij,jk->ik", a, b), (2, 0), (0, 3)),
    "einsum same letter alone": (lambda a, b: np.einsum("ij,kl->", a, b), (2, 3), (2, 1)),
}


def number(f: Any) -> Any:
    """f, with its results weighted and added up."""

    def total(*xs: Any) -> Any:
        out = f(*xs)
        return mg.sum(out * np.random.default_rng(7).uniform(0.5, 1.5, np.shape(out)))

    return total


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_numpys(name: str, finite_differences: Any) -> None:
    f, *shapes = PRODUCTS[name]
    inputs = [array(*shape, seed=i) if shape else 1.5 + i for i, shape in enumerate(shapes)]
    expected = f(*inputs)
    out = f(*[mg.Value(x) for x in inputs])
    assert isinstance(out, mg.Value)
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out.data, expected, rtol=1e-14, atol=1e-14)
    gradients = mg.grad(number(f), argnums=(0, 1))(*inputs)
    for got, measured in zip(gradients, finite_differences(number(f), inputs), strict=True):
        np.testing.assert_allclose(got, measured, rtol=1e-8, atol=1e-9)
    assert mg.gradcheck(lambda *xs: number(f)(*xs) ** 2, *inputs, order=2)
    if "multi_dot" not in name and "optimized" not in name:  # these have a float64 factor
        assert f(*[mg.Value(np.asarray(x, np.float32)) for x in inputs]).dtype == np.float32


@pytest.mark.parametrize("name", ["dot", "inner", "outer", "vdot", "tensordot", "kron", "cross"])
def test_raw_in_raw_out(name: str) -> None:
    out = getattr(mg, name)(np.ones((3, 3)), np.ones((3, 3)))
    assert not isinstance(out, mg.Value)
    np.testing.assert_array_equal(out, getattr(np, name)(np.ones((3, 3)), np.ones((3, 3))))


def test_einsum_keeps_closed_wires_closed() -> None:
    """Off the diagonal nothing flows, even where the upstream gradient is infinite."""
    x = mg.Value(np.ones((2, 2)))
    mg.einsum("ii->i", x).backward(np.array([np.inf, 1.0]))
    assert x.grad.tolist() == [[np.inf, 0.0], [0.0, 1.0]]


def test_einsum_of_the_same_value() -> None:
    x = mg.Value(array(3, 3))
    mg.einsum("ij,ji->", x, x).backward()
    np.testing.assert_allclose(x.grad, 2.0 * x.data.T, rtol=1e-15)


def test_einsum_in_forward_mode_and_in_a_pickle() -> None:
    a, b = array(2, 3), array(3, 2)
    _, tangent = mg.jvp(lambda x: mg.einsum("ij,jk", x, b), (a,), (np.ones((2, 3)),))
    np.testing.assert_allclose(tangent, np.ones((2, 3)) @ b, rtol=1e-14)
    recorded = mg.einsum("ij,jk->", mg.Value(a), b)
    copy = pickle.loads(pickle.dumps(recorded))
    assert copy.gate is mg.einsum
    assert copy.inputs[0] == "ij,jk->"


def test_the_order_of_multi_dot_saves_work() -> None:
    sizes = [10, 100, 5, 50]
    matrices = [mg.Value(array(m, n)) for m, n in pairwise(sizes)]
    out = mg.multi_dot(matrices)
    assert [x.shape for x in out.inputs] == [(10, 5), (5, 50)]  # (AB)C: 7500 multiplications, A(BC) takes 75000


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda v: np.einsum(v, [0, 1], [0]), DtypeError, r"einsum: .*subscripts come first, as in einsum\('ij"),
        (lambda v: mg.einsum("ij,jk", v, v), ShapeError, r"einsum: .*'ij,jk'.*W \(2, 3\)"),
        (lambda v: mg.einsum("ij,j", v), ShapeError, "einsum: .*"),
        (lambda v: mg.einsum("i1", v), ShapeError, "einsum: .*"),
        (lambda v: mg.einsum("ij", v, out=np.ones((2, 3))), DtypeError, "einsum: .*out"),
        (lambda v: mg.tensordot(v, np.ones((2, 2)), axes=1), ShapeError, r"tensordot: W .*differ: \(3,\) and \(2,\)"),
        (lambda v: mg.tensordot(v, v, axes=3), ShapeError, r"tensordot: W \(2, 3\) and W \(2, 3\) have no axes=3"),
        (lambda v: mg.dot(v, v), ShapeError, r"inner sizes differ \(3 and 2\)"),
        (lambda v: mg.vdot(v, np.ones(5)), ShapeError, r"inner sizes differ \(6 and 5\)"),
        (lambda v: mg.cross(v, np.ones(2)), ShapeError, r"cross: .* must have 3 components"),
        (lambda v: mg.cross(v, v, axis=5), ShapeError, r"cross: W \(2, 3\): axis 5"),
        (lambda v: mg.multi_dot([v]), ShapeError, "multi_dot: takes two or more"),
        (lambda v: mg.multi_dot([v, np.ones(3), v]), ShapeError, "only the first and the last may be vectors"),
    ],
)
def test_errors_teach(call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        call(mg.Value(np.ones((2, 3)), label="W"))
