"""Functions composed of gates that move numbers: NumPy's answers, measured slopes, and every way to reach them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DtypeError, MinigradError, ShapeError
from minigrad.gates.registry import COMPOSED

# name, shape of the input, positional parameters, keyword parameters
CALLS: list[tuple[str, tuple[int, ...], tuple[Any, ...], dict[str, Any]]] = [
    ("ravel", (2, 3), (), {}),
    ("ravel", (), (), {}),
    ("squeeze", (1, 3, 1), (), {}),
    ("squeeze", (1, 3, 1), (), {"axis": -1}),
    ("squeeze", (1, 1), (), {}),
    ("expand_dims", (2, 3), (1,), {}),
    ("expand_dims", (2, 3), ((0, -1),), {}),
    ("expand_dims", (), (0,), {}),
    ("swapaxes", (2, 3, 4), (0, -1), {}),
    ("moveaxis", (2, 3, 4), (0, -1), {}),
    ("moveaxis", (2, 3, 4), ([0, 2], [1, 0]), {}),
    ("flip", (2, 3), (), {}),
    ("flip", (2, 3), (0,), {}),
    ("flip", (2, 3, 2), (), {"axis": (0, -1)}),
    *[("rot90", (2, 3), (k,), {}) for k in (0, 1, 2, 3, -1, 5)],
    ("rot90", (2, 3, 4), (1, (2, 0)), {}),
    ("roll", (5,), (2,), {}),
    ("roll", (2, 3), (-1,), {}),
    ("roll", (2, 3), (7,), {"axis": 1}),
    ("roll", (2, 3), ((1, 2), (0, 1)), {}),
    ("roll", (2, 3), (1, (0, 1)), {}),
    ("roll", (4,), ((1, 2), (0, 0)), {}),
    ("roll", (0, 3), (1, 0), {}),
    ("tile", (3,), (2,), {}),
    ("tile", (2, 3), ((2, 1),), {}),
    ("tile", (2, 3), ((2, 1, 3),), {}),
    ("tile", (2, 3), (2,), {}),
    ("tile", (), (3,), {}),
    ("tile", (2, 3), (0,), {}),
    ("repeat", (2, 3), (2,), {}),
    ("repeat", (2, 3), (2,), {"axis": 0}),
    ("repeat", (2, 3), ([1, 0, 3],), {"axis": -1}),
    ("repeat", (), (3,), {}),
    ("pad", (3,), (2,), {}),
    ("pad", (2, 3), (((1, 0), (0, 2)),), {}),
    ("pad", (2, 3), ((1, 2),), {"constant_values": 5.0}),
    *[("pad", (3, 4), (((1, 2), (3, 0)),), {"mode": mode}) for mode in ("reflect", "symmetric", "edge", "wrap")],
    ("pad", (2,), (5, "reflect"), {}),
    ("tril", (3, 3), (), {}),
    ("triu", (2, 3), (1,), {}),
    ("triu", (2, 3, 2), (), {"k": -1}),
    ("tril", (3, 2), (-1,), {}),
    ("diag", (3,), (), {}),
    ("diag", (3,), (-2,), {}),
    ("diag", (2,), (1,), {}),
    ("diag", (3, 4), (1,), {}),
    ("diagonal", (3, 4), (), {}),
    ("diagonal", (3, 4), (2,), {}),
    ("diagonal", (3, 4), (-1,), {}),
    ("diagonal", (3, 4), (9,), {}),
    ("diagonal", (2, 3, 4), (), {"axis1": 2, "axis2": 0}),
    ("trace", (3, 3), (), {}),
    ("trace", (2, 3, 4), (1, 1, 2), {}),
    ("sort", (2, 5), (), {}),
    ("sort", (4, 3), (0,), {}),
    ("sort", (4, 3), (), {"axis": None}),
    ("take", (4, 3), ([0, 2, 2],), {"axis": 0}),
    ("take", (4, 3), ([[1, -1], [0, 0]],), {"axis": 1}),
    ("take", (4, 3), (5,), {}),
    ("take_along_axis", (2, 3), (np.array([[2, 2, 0, 1], [0, 0, -1, 1]]), 1), {}),
    ("take_along_axis", (2, 3), (np.array([[1, 0, 1]]), 0), {}),
    ("take_along_axis", (2, 3), (np.array([5, 0, 0]), None), {}),
    ("median", (5,), (), {}),
    ("median", (2, 4), (), {"axis": 1}),
    ("median", (2, 3, 4), (), {"axis": (0, 2), "keepdims": True}),
    ("quantile", (7,), (0.3,), {}),
    ("quantile", (2, 5), ([0.0, 0.25, 1.0],), {"axis": 0}),
    ("quantile", (2, 5), ([[0.1, 0.9], [0.5, 0.7]],), {"axis": -1, "keepdims": True}),
    ("quantile", (2, 5), (0.5,), {"keepdims": True}),
    ("quantile", (), (0.5,), {}),
]
each_call = pytest.mark.parametrize(("name", "shape", "args", "params"), CALLS, ids=lambda x: str(x).replace(" ", ""))


def sample(shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    x = rng.permutation(np.arange(1.0, 1.0 + np.prod(shape, dtype=int))).reshape(shape) / 3.0  # no two near each other
    return x if shape else 0.7


@each_call
def test_numbers_are_numpys_by_every_way_to_reach_them(
    name: str, shape: Any, args: Any, params: Any, rng: np.random.Generator
) -> None:
    x = sample(shape, rng)
    expected = getattr(np, name)(x, *args, **params)
    v = mg.Value(x)
    ways = [getattr(mg, name)(v, *args, **params), getattr(v, name)(*args, **params)]
    ways.append(getattr(np, name)(v, *args, **params))
    for out in ways:
        assert isinstance(out, mg.Value)
        assert out.shape == np.shape(expected)
        np.testing.assert_allclose(out.data, expected, rtol=1e-15)
    raw = getattr(mg, name)(x.tolist() if shape and x.size else x, *args, **params)
    assert not isinstance(raw, mg.Value)
    np.testing.assert_allclose(raw, expected, rtol=1e-15)


@each_call
def test_slopes_are_the_measured_ones(
    name: str, shape: Any, args: Any, params: Any, rng: np.random.Generator, finite_differences: Any
) -> None:
    x = sample(shape, rng)
    weight = rng.uniform(0.5, 1.5, np.shape(getattr(np, name)(x, *args, **params)))

    def total(y: Any) -> Any:
        return mg.sum(getattr(mg, name)(y, *args, **params) * weight)

    def squared(y: Any) -> Any:  # so that there is a second derivative
        return total(y * y * y)

    v = mg.Value(x)
    total(v).backward()
    assert np.shape(v.grad) == np.shape(x)
    np.testing.assert_allclose(v.grad, finite_differences(total, [x])[0], rtol=1e-7, atol=1e-9)
    second = mg.grad(lambda y: mg.sum(mg.grad(squared)(y) * 0.5))(x)
    measured = finite_differences(lambda y: np.sum(mg.grad(squared)(y) * 0.5), [x])[0]
    np.testing.assert_allclose(second, measured, rtol=1e-6, atol=1e-7)


@each_call
def test_float32_stays_float32(name: str, shape: Any, args: Any, params: Any, rng: np.random.Generator) -> None:
    v = mg.Value(np.asarray(sample(shape, rng), np.float32))
    out = getattr(mg, name)(v, *args, **params)
    assert out.dtype == np.float32
    out.backward(np.ones(out.shape, np.float32))
    assert v.grad.dtype == np.float32


@pytest.mark.parametrize("name", sorted(set(COMPOSED) & {c[0] for c in CALLS}))
def test_every_function_is_described(name: str) -> None:
    function = getattr(mg, name)
    assert function.__name__ == name
    assert function.__doc__


# -------------------------------------------------------------------------------------------------------- conventions
def test_ties_are_sorted_stably() -> None:
    x = mg.Value([1.0, 0.0, 1.0, 0.0])
    x.sort().backward(np.array([1.0, 2.0, 3.0, 4.0]))
    assert x.grad.tolist() == [3.0, 1.0, 4.0, 2.0]


def test_nan_is_sorted_last_and_makes_quantiles_nan() -> None:
    x = mg.Value([2.0, np.nan, 1.0])
    np.testing.assert_array_equal(x.sort().data, [1.0, 2.0, np.nan])
    assert np.isnan(x.median().item())
    both = mg.median(mg.Value([[1.0, 2.0, 3.0], [1.0, np.nan, 0.0]]), axis=1)
    np.testing.assert_array_equal(both.data, [2.0, np.nan])


def test_the_median_of_an_even_number_shares() -> None:
    x = mg.Value([4.0, 1.0, 2.0, 8.0])
    m = x.median()
    assert m.item() == 3.0
    m.backward()
    assert x.grad.tolist() == [0.5, 0.0, 0.5, 0.0]


def test_quantiles_of_equal_and_of_huge_numbers() -> None:
    x = mg.Value(np.full(5, 0.1))
    for q in np.linspace(0.0, 1.0, 23):
        assert x.quantile(q).item() == 0.1
    assert mg.median([-1.5e308, 1.5e308]) == 0.0
    assert mg.median([1.7e308, 1.5e308]) == 1.6e308
    assert mg.quantile([np.inf, 1.0, np.inf, np.inf], 0.7) == np.inf
    assert mg.quantile([1.0, 2.0, np.inf], 0.5) == 2.0


def test_the_median_of_nothing_is_nan_as_numpys() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(mg.median(np.zeros(0)))
    with pytest.raises(ShapeError, match="0 numbers"):
        mg.quantile(mg.Value(np.zeros(0)), 0.5)


def test_triangles_drop_infinities() -> None:
    x = mg.Value([[1.0, np.inf], [2.0, np.nan]])
    np.testing.assert_array_equal(x.tril().data, [[1.0, 0.0], [2.0, np.nan]])
    x.tril().sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0], [1.0, 1.0]]


def test_numpy_linalg_has_its_own_trace() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    np.testing.assert_array_equal(np.linalg.trace(mg.Value(x)).data, np.linalg.trace(x))
    np.testing.assert_array_equal(np.linalg.diagonal(mg.Value(x), offset=1).data, np.linalg.diagonal(x, offset=1))


def test_gather_and_scatter_add_are_each_others_reverse(finite_differences: Any) -> None:
    x, index = np.arange(12.0).reshape(3, 4), np.array([[0, 2, 2], [1, 0, 0]])
    expected = [[x[index[i, j], j] for j in range(3)] for i in range(2)]
    v = mg.Value(x)
    out = v.gather(0, index)
    np.testing.assert_array_equal(out.data, expected)
    weight = np.arange(1.0, 7.0).reshape(2, 3)
    out.backward(weight)
    np.testing.assert_array_equal(v.grad, mg.scatter_add(np.zeros((3, 4)), 0, index, weight))
    src = mg.Value(np.ones((2, 4)))
    total = mg.scatter_add(v, 0, index, src)
    assert total.data.sum() == x.sum() + 6.0
    (total * x).sum().backward()
    np.testing.assert_array_equal(src.grad[:, :3], expected)
    assert src.grad[:, 3].tolist() == [0.0, 0.0]


@pytest.mark.oracle
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_and_scatter_add_are_pytorchs(axis: int, rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    x, index, src = rng.normal(size=(3, 4)), rng.integers(0, 3, size=(3, 3)), rng.normal(size=(3, 3))
    theirs, ours = torch.tensor(x, requires_grad=True), mg.Value(x)
    their_src, our_src = torch.tensor(src, requires_grad=True), mg.Value(src)
    at = torch.tensor(index)
    a = theirs.gather(axis, at) ** 2
    b = theirs.scatter_add(axis, at, their_src) ** 2
    c, d = ours.gather(axis, index) ** 2, ours.scatter_add(axis, index, our_src) ** 2
    (a.sum() + b.sum()).backward()
    (c.sum() + d.sum()).backward()
    np.testing.assert_allclose(d.data, b.detach(), rtol=1e-13)
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-13)
    np.testing.assert_allclose(our_src.grad, their_src.grad, rtol=1e-13)


@pytest.mark.oracle
def test_sort_and_quantile_share_ties_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    data = np.array([2.0, 1.0, 2.0, 1.0, 3.0])
    for q in (0.0, 0.1, 0.5, 0.6, 1.0):
        theirs, ours = torch.tensor(data, requires_grad=True), mg.Value(data)
        torch.quantile(theirs, q).backward()
        ours.quantile(q).backward()
        np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-15)


# --------------------------------------------------------------------------------------------------------------- misuse
X = mg.Value(np.arange(6.0).reshape(2, 3), label="X")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: X.squeeze(0), r"squeeze: X \(2, 3\)"),
        (lambda: X.expand_dims(5), r"expand_dims: X \(2, 3\), 5: axis 5 is out of bounds"),
        (lambda: X.flip(2), r"flip: X \(2, 3\), 2: axis 2 is out of bounds"),
        (lambda: X.swapaxes(0, 3), "swapaxes.*axis 3"),
        (lambda: X.moveaxis(0, (0, 1)), "moveaxis: 1 axes can't move to 2 places"),
        (lambda: X.roll(1, axis=4), "roll.*axis 4"),
        (lambda: X.rot90(1, (0, 0)), "rot90.*repeated axis"),
        (lambda: X.repeat([1, 2], axis=1), "repeat: 2 counts for 3 entries along axis 1"),
        (lambda: X.repeat(-1), "repeat.*negative"),
        (lambda: X.pad(1, mode="mean"), "mode='mean' is not one of constant, reflect"),
        (lambda: X.pad(-1), "negative"),
        (lambda: X.pad(((1, 1),) * 3), r"pad: X \(2, 3\)"),
        (lambda: X.pad(1, constant_values=mg.Value(2.0)), r"v\.data"),
        (lambda: X[0].tril(), "a triangle is cut from a matrix"),
        (lambda: X.expand_dims(0).diag(), "diag: expected a vector or a matrix"),
        (lambda: X[0].trace(), "axis"),
        (lambda: X.sort(axis=2), "axis 2"),
        (lambda: X.take([0], axis=2), "axis 2"),
        (lambda: X.take_along_axis([0, 1], axis=1), r"take_along_axis: X \(2, 3\) needs an index with as many axes"),
        (lambda: X.gather(0, [0, 1]), "gather: X .* as many axes"),
        (lambda: X.gather(1, [[0], [0], [0]]), "no longer along the others"),
        (lambda: mg.scatter_add(X, 1, [[0], [0]], [[1.0]]), "no number for each entry"),
        (lambda: X.quantile(1.5), "q is from 0 to 1"),
        (lambda: X.quantile(mg.Value(0.5)), r"v\.data"),
        (lambda: np.sort(X, order="name"), "sort.*order"),
        (lambda: np.ravel(X, order="F"), "ravel.*order"),
        (lambda: np.quantile(X, 0.5, method="lower"), "quantile.*method"),
        (lambda: mg.flip([X, X]), r"mg\.stack"),
    ],
)
def test_misuse_is_explained(wrong: Any, text: str) -> None:
    with pytest.raises(MinigradError, match=text) as caught:
        wrong()
    assert isinstance(caught.value, (ShapeError, DtypeError))
