"""Skinny matrix products in pieces: the same numbers, whatever is cut and however the factors lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import skinny

SHAPES = [
    (256, 3072, 10), (10, 256, 3072), (8, 9, 21632), (8, 21632, 9), (16, 72, 3872), (16, 3872, 72), (72, 16, 3872),
    (1000, 784, 10), (784, 1000, 10), (128, 256, 10), (2, 600, 1000),
]  # fmt: skip


def matrix(rng: Any, m: int, n: int, turned: bool, dtype: Any) -> Any:
    return rng.normal(size=(n, m)).astype(dtype).T if turned else rng.normal(size=(m, n)).astype(dtype)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a CPU whose BLAS has kernels for small products."""
    monkeypatch.setattr(skinny, "small_kernels", lambda: True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_product_is_the_same(small: None, rng: Any, shape: Any, turned: Any, dtype: Any) -> None:
    m, k, n = shape
    a, b = matrix(rng, m, k, turned[0], dtype), matrix(rng, k, n, turned[1], dtype)
    f = mg.compile(lambda a, b: (a @ b) * 2.0)
    for _ in range(2):
        out = f(a, b).data
    exact = 2.0 * (a.astype(np.longdouble) @ b.astype(np.longdouble))
    np.testing.assert_allclose(out, exact, rtol=0.0, atol=8 * np.finfo(dtype).eps * k**0.5 * np.abs(exact).max())
    np.testing.assert_allclose(2.0 * skinny.product(a, b), out, rtol=0.0, atol=1e-5 * np.abs(out).max())
    other = np.asfortranarray(a) if not turned[0] else np.ascontiguousarray(a)  # recorded for another order
    np.testing.assert_allclose(f(other, b).data, out, rtol=0.0, atol=1e-5 * np.abs(out).max())


def test_what_is_cut() -> None:
    assert skinny.cut(256, 3072, 10, False, False, np.float32) == ("sum", 384)
    assert skinny.cut(256, 3072, 10, False, True, np.float32) == ("rows", 32)  # products of rows with rows
    assert skinny.cut(8, 9, 21632, False, False, np.float32) == ("columns", 10816)
    assert skinny.cut(32, 144, 15488, False, False, np.float32) == ("columns", 176)
    assert skinny.cut(32, 144, 16384, False, False, np.float32) is None  # its rows lie in each other's way
    assert skinny.cut(100, 100, 100, False, False, np.float32) is None  # small as it is
    assert skinny.cut(128, 784, 256, False, True, np.float32) is None  # not skinny
    assert skinny.cut(3001, 3001, 2, False, False, np.float32) is None  # into what?
    assert skinny.cut(3001, 1, 3001, False, False, np.float32) is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])
def test_every_piece_is_small_and_together_they_are_the_whole(shape: Any, turned: Any) -> None:
    found = skinny.cut(*shape, *turned, np.float32)
    if found is not None:
        axis, size = found
        sizes = dict(zip(("rows", "sum", "columns"), shape, strict=True))
        assert sizes[axis] % size == 0
        assert sizes[axis] > size >= 32
        assert int(np.prod([*sizes.values()])) // sizes[axis] * size <= 1e6


def test_gradients_of_a_linear_layer(small: None, rng: Any) -> None:
    w, x = mg.Value(rng.normal(size=(10, 3072)), label="w"), rng.normal(size=(256, 3072))

    def loss(w: Any, x: Any) -> Any:
        return ((x @ w.T) ** 2.0).mean()

    f = mg.compile(mg.value_and_grad(loss))
    for _ in range(2):
        value, slope = f(w.data, x)
    expected = mg.value_and_grad(loss)(w.data, x)
    np.testing.assert_allclose(value.data, expected[0], rtol=1e-13)
    np.testing.assert_allclose(slope.data, expected[1], rtol=0.0, atol=1e-13 * np.abs(expected[1]).max())
    assert f.source.count("np.matmul") == 2  # each product is still one call


def test_a_wide_linear_layer_in_float32_is_written_as_numpy_calls(small: None, rng: Any) -> None:
    """Eager multiplies in pieces, too: some sums are nearly 0 and differ by more than their own rounding."""
    x, y = rng.normal(size=(256, 3072)).astype(np.float32), rng.integers(10, size=256)
    layer = mg.nn.Linear(3072, 10, dtype=np.float32, rng=0)

    def step(x: Any, y: Any) -> Any:
        layer.zero_grad()
        loss = mg.nn.functional.cross_entropy(layer(x), y)
        loss.backward()
        return loss

    f = mg.compile(step)
    assert f(x, y).item() == pytest.approx(step(x, y).item(), rel=1e-5)
    assert "affine" not in f.source
    assert f.source.count("(8, 32, 10)") >= 1  # forward, rows in pieces
    assert f.source.count("(8, 10, 384)") >= 1  # backward, columns in pieces


def training(x: Any, y: Any) -> Any:
    """A linear classifier's steps, with a decay of all its parameters and a gradient that is zero in many places."""
    rng = np.random.default_rng(3)
    w, b = mg.Value(rng.normal(size=(10, 3072)), label="w"), mg.Value(np.zeros(10), label="b")
    optimizer = mg.optim.SGD([w, b], lr=1e-3, momentum=0.9)

    def step(x: Any, y: Any) -> Any:
        loss = mg.nn.functional.multiclass_hinge_loss(x @ w.T + b, y) + 0.1 * mg.sum(w[2:5, :7] ** 2.0)
        loss = loss + 0.1 * sum([mg.sum(p * p) for p in (w, b)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return w, step


def test_gradients_lie_in_the_optimizers_place(small: None, rng: Any) -> None:
    """Written there in pieces, in views, or put among zeros, which must be zeros in the next call, too."""
    x, y = rng.normal(size=(256, 3072)), rng.integers(10, size=256)
    (w, eager), (v, step) = training(x, y), training(x, y)
    step = mg.compile(step)
    for _ in range(5):
        assert step(x, y).item() == pytest.approx(eager(x, y).item(), rel=1e-12)
        np.testing.assert_allclose(v.data, w.data, rtol=0.0, atol=1e-13)
        np.testing.assert_allclose(v.grad, w.grad, rtol=0.0, atol=1e-13)


def test_zeros_beside_a_gradient_stay_zeros() -> None:
    def make() -> Any:
        w, b = mg.Value(np.arange(12.0).reshape(4, 3), label="w"), mg.Value(np.ones(3), label="b")
        optimizer = mg.optim.SGD([w, b], lr=0.1)

        def step(x: Any) -> Any:
            loss = mg.sum((x @ w[0:2] + b) ** 2.0) + 0.1 * sum([mg.sum(p * p) for p in (w, b)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return w, step

    (w, eager), (v, step) = make(), make()
    step = mg.compile(step)
    for _ in range(4):
        eager(np.full((5, 2), 0.1)), step(np.full((5, 2), 0.1))
        np.testing.assert_allclose(v.data, w.data, rtol=0.0, atol=1e-13)


def test_a_gradient_at_labels_of_rows_adds_what_is_named_twice(rng: Any) -> None:
    x, y = rng.normal(size=(6, 4)), np.array([1, 3, 3, 0, 2, 1])

    def f(x: Any, y: Any, rows: Any) -> Any:
        return mg.sum(x[rows, y] ** 2.0)

    for rows in (np.arange(6), np.array([0, 0, 1, 1, 0, 1])):
        slope = mg.compile(lambda x, y, rows=rows: mg.grad(f)(x, y, rows))
        for labels in (y, y[::-1].copy()):
            expected = mg.grad(f)(x, labels, rows)
            np.testing.assert_allclose(slope(x, labels).data, expected, rtol=0.0, atol=1e-14)


def test_elsewhere_products_stay_whole(monkeypatch: pytest.MonkeyPatch, rng: Any) -> None:
    monkeypatch.setattr(skinny, "small_kernels", lambda: False)
    f = mg.compile(lambda a, b: a @ b)
    f(rng.normal(size=(1000, 784)), rng.normal(size=(784, 10)))
    assert "reshape" not in f.source


def test_a_rule_that_fills_an_array_is_called_not_baked_in() -> None:
    """np.copyto and the like write into an array that the compiler can't follow."""

    def twice(x: Any) -> Any:
        out = np.empty((2, *x.shape))
        np.copyto(out[0], x)
        np.copyto(out[1], x)
        return out

    gate = mg.Gate("twice", twice, vjp=[lambda g, out, x: g[0] + g[1]])
    f = mg.compile(lambda x: mg.sum(gate(x) * np.array([[1.0], [10.0]])))
    for start in (0.0, 1.0, 2.0):
        x = np.arange(3.0) + start
        assert f(x).item() == 11.0 * x.sum()


def test_convolutions_write_into_buffers(rng: Any) -> None:
    """No array is made on a later call, but for views: the columns are added up where the plan says."""
    x, w = rng.normal(size=(4, 2, 8, 8)), mg.Value(rng.normal(size=(3, 2, 3, 3)), label="w")
    v = mg.Value(rng.normal(size=(2, 3, 3, 3)), label="v")

    def loss(w: Any, v: Any, x: Any) -> Any:
        return mg.sum(mg.max_pool2d(mg.conv2d(mg.conv2d(x, w), v), 2) ** 2.0)

    f = mg.compile(mg.grad(loss, argnums=(0, 1)))
    for sign in (1.0, -1.0):
        got, expected = f(w.data, v.data, sign * x), mg.grad(loss, argnums=(0, 1))(w.data, v.data, sign * x)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a.data, b, rtol=1e-12, atol=1e-12)
    assert f.source.count("from_columns(") == 2
    assert all(["out=" in line for line in f.source.splitlines() if "from_columns(" in line])
