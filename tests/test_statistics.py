"""Products, running sums, spreads, norms, and questions: conventions, extremes, and wrong use."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import MinigradError

EXTREME = [1e-200, 1.0, 1e200, 1e-308, 1e307]


def slope(f: Any, x: Any) -> Any:
    return mg.grad(f)(np.asarray(x, float))


# ------------------------------------------------------------------------------------------- products and running sums
def test_products_with_zeros_are_exact() -> None:
    assert slope(mg.prod, [2.0, 3.0, 5.0]).tolist() == [15.0, 10.0, 6.0]
    assert slope(mg.prod, [2.0, 0.0, 5.0]).tolist() == [0.0, 10.0, 0.0]
    assert slope(mg.prod, [0.0, 3.0, 0.0]).tolist() == [0.0, 0.0, 0.0]
    assert mg.hessian(mg.prod)(np.array([0.0, 3.0, 0.0])).tolist() == [[0, 0, 3], [0, 0, 0], [3, 0, 0]]
    assert mg.hessian(mg.prod)(np.array([2.0, 0.0, 5.0])).tolist() == [[0, 5, 0], [5, 0, 2], [0, 2, 0]]


def test_the_third_derivative_of_a_product_of_zeros() -> None:
    def third(x: Any) -> Any:
        return mg.grad(lambda y: mg.grad(lambda z: mg.grad(mg.prod)(z)[0])(y)[1])(x)

    assert third(np.zeros(4)).tolist() == [0.0, 0.0, 0.0, 0.0]
    assert third(np.array([0.0, 0.0, 0.0, 7.0])).tolist() == [0.0, 0.0, 7.0, 0.0]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 8, 9, 33])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_running_products_with_zeros_are_exact(n: int, zeros: int, rng: np.random.Generator) -> None:
    """Against the sum over later products, each made of its factors."""
    x, g = rng.integers(1, 3, n).astype(float), rng.integers(1, 5, n).astype(float)
    x[rng.permutation(n)[:zeros]] = 0.0
    expected = [sum(g[i] * np.prod(np.delete(x[: i + 1], j)) for i in range(j, n)) for j in range(n)]
    v = mg.Value(x)
    v.cumprod().backward(g)
    assert v.grad.tolist() == expected


def test_products_over_several_axes_and_of_nothing() -> None:
    x = mg.Value(np.zeros((2, 0, 3)))
    assert x.prod(axis=1).data.tolist() == np.ones((2, 3)).tolist()
    x.prod(axis=1).sum().backward()
    assert x.grad.shape == (2, 0, 3)
    for axis in ((0, 2), (-1, 0), (), None, (1,)):
        data = np.arange(1.0, 13.0).reshape(2, 3, 2)
        v = mg.Value(data)
        v.prod(axis=axis, keepdims=True).sum().backward()
        np.testing.assert_allclose(v.grad, data.prod(axis=axis, keepdims=True) / data, rtol=1e-14)


@pytest.mark.oracle
@pytest.mark.parametrize("data", [[2.0, 3.0, -1.5], [2.0, 0.0, 5.0, 1.0], [0.0, 3.0, 0.0], [[0.0, 1.0], [2.0, 3.0]]])
def test_products_are_pytorchs(data: Any) -> None:
    torch = pytest.importorskip("torch")
    for name in ("prod", "cumprod", "cumsum"):
        theirs, ours = torch.tensor(data, dtype=torch.float64, requires_grad=True), mg.Value(data)
        a, b = getattr(theirs, name)(0), getattr(ours, name)(0)
        (a**2 + a).sum().backward()
        (b**2 + b).sum().backward()
        np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-14)
        square = mg.hessian(lambda x, name=name: mg.sum(getattr(x, name)(0) ** 2))(np.array(data))
        expected = torch.autograd.functional.hessian(
            lambda x, name=name: (getattr(x, name)(0) ** 2).sum(), torch.tensor(data, dtype=torch.float64)
        )
        np.testing.assert_allclose(square, expected, rtol=1e-13, atol=1e-13)


# ---------------------------------------------------------------------------------------------------------- spreads
def test_spreads_of_equal_numbers() -> None:
    for number in (0.0, 0.1, 1e300, -7.3):
        x = mg.Value(np.full(7, number))
        assert (x.std().item(), x.var().item()) == (0.0, 0.0)
        x.std().backward()
        assert x.grad.tolist() == [0.0] * 7, "the slope of std at 0 is 0"
    rows = mg.Value([[1.0, 1.0], [0.0, 2.0]])
    rows.std(axis=1).sum().backward()
    assert rows.grad.tolist() == [[0.0, 0.0], [-0.5, 0.5]]
    assert np.isfinite(mg.hessian(mg.std)(np.ones(3))).all()


@pytest.mark.parametrize("size", EXTREME)
def test_std_at_extremes(size: float) -> None:
    data = np.array([1.0, 4.0, 2.0, 9.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = mg.Value(data * size)
        out = x.std()
        np.testing.assert_allclose(out.item(), data.std() * size, rtol=1e-13)
        out.backward()
    np.testing.assert_allclose(x.grad, (data - data.mean()) / (4.0 * data.std()), rtol=1e-13, atol=1e-15)


def test_spreads_keep_their_digits_beside_a_large_mean() -> None:
    mpmath = pytest.importorskip("mpmath")
    data = 1e9 + np.array([4.0, 7.0, 13.0, 16.0, 0.1])
    with mpmath.workdps(50):
        exact = [mpmath.mpf(float(x)) for x in data]
        m = sum(exact) / 5
        var = sum((x - m) ** 2 for x in exact) / 4
        expected = float(var), float(mpmath.sqrt(var))
    got = mg.var(data, ddof=1), mg.std(data, ddof=1)
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_the_spread_of_too_few_is_numpys() -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x, ddof in ((np.array([3.0]), 1), (np.zeros(0), 0), (np.array([1.0, 2.0]), 3)):
            for ours, theirs in ((mg.var, np.var), (mg.std, np.std)):
                np.testing.assert_equal(ours(x, ddof=ddof), theirs(x, ddof=ddof))
        v = mg.Value([3.0])
        v.var(ddof=1).backward()
        assert np.isnan(v.grad).all()


def test_a_nan_or_infinity_in_the_spread() -> None:
    with np.errstate(all="ignore"):
        rows = mg.std(np.array([[1.0, np.nan], [np.inf, 1.0], [1.0, 3.0]]), axis=1)
    np.testing.assert_array_equal(rows, [np.nan, np.nan, 1.0])


# ------------------------------------------------------------------------------------------------------------ norms
NORMS = [
    ((5,), {}), ((5,), {"ord": 2}), ((5,), {"ord": 1}), ((5,), {"ord": np.inf}), ((5,), {"ord": -np.inf}),
    ((5,), {"ord": 0}), ((5,), {"ord": 3}), ((5,), {"ord": -1}), ((5,), {"ord": 0.5}), ((2, 3), {}),
    ((2, 3), {"ord": "fro"}), ((2, 3, 4), {}), ((2, 3), {"axis": 1}), ((2, 3), {"axis": 0, "keepdims": True}),
    ((2, 3), {"ord": 1}), ((2, 3), {"ord": -1}), ((2, 3), {"ord": np.inf}), ((2, 3), {"ord": -np.inf}),
    ((2, 3, 4), {"axis": (0, 2), "ord": 1}), ((2, 3, 4), {"axis": (2, 0), "ord": np.inf, "keepdims": True}),
    ((2, 3, 4), {"axis": (-1, 1)}), ((2, 3, 4), {"axis": 1, "ord": 1.5}), ((2, 3), {"keepdims": True}),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "params"), NORMS, ids=str)
def test_norms_are_numpys_with_the_measured_slope(
    shape: Any, params: Any, rng: np.random.Generator, finite_differences: Any
) -> None:
    data = rng.uniform(0.5, 2.0, shape) * rng.choice([-1.0, 1.0], shape)
    expected = np.linalg.norm(data, **params)
    for out in (mg.norm(mg.Value(data), **params), np.linalg.norm(mg.Value(data), **params)):
        assert out.shape == np.shape(expected)
        np.testing.assert_allclose(out.data, expected, rtol=1e-14)
    weight = rng.uniform(0.5, 1.5, np.shape(expected))
    x = mg.Value(data)
    mg.sum(x.norm(**params) * weight).backward()
    measured = finite_differences(lambda y: np.sum(np.linalg.norm(y, **params) * weight), [data])[0]
    np.testing.assert_allclose(x.grad, measured, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("size", EXTREME)
@pytest.mark.parametrize("ord", [1, 2, 3, 1.5, np.inf])
def test_norms_at_extremes(ord: float, size: float) -> None:
    data = np.array([3.0, -4.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = mg.Value(data * size)
        out = x.norm(ord)
        np.testing.assert_allclose(out.item(), np.linalg.norm(data, ord) * size, rtol=1e-13)
        out.backward()
    plain = mg.Value(data)
    plain.norm(ord).backward()
    np.testing.assert_allclose(x.grad, plain.grad, rtol=1e-13)


@pytest.mark.parametrize("ord", [0, 0.5, 1, 1.5, 2, 3, np.inf, -np.inf])
def test_the_slope_of_a_norm_at_zero_is_zero(ord: float) -> None:
    x = mg.Value(np.zeros(3))
    x.norm(ord).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_a_zero_makes_a_norm_of_negative_order_zero_and_flat() -> None:
    x = mg.Value([0.0, 2.0])
    with np.errstate(divide="ignore"):
        x.norm(-1).backward()
    assert x.grad.tolist() == [0.0, 0.0]


@pytest.mark.oracle
@pytest.mark.parametrize("ord", [1, 1.5, 2, 2.5, 3, np.inf, -np.inf])
@pytest.mark.parametrize("data", [[3.0, -4.0, 1.0], [3.0, 0.0, -3.0], [0.0, 0.0, 0.0]])
def test_norms_are_pytorchs(ord: float, data: Any) -> None:
    torch = pytest.importorskip("torch")
    theirs, ours = torch.tensor(data, dtype=torch.float64, requires_grad=True), mg.Value(data)
    torch.linalg.vector_norm(theirs, ord).backward()
    ours.norm(ord).backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, rtol=1e-14)


def test_the_second_derivative_of_the_norm_where_a_component_is_zero() -> None:
    hessian = mg.hessian(mg.norm)(np.array([3.0, 0.0, 4.0]))
    unit = np.array([0.6, 0.0, 0.8])
    np.testing.assert_allclose(hessian, (np.eye(3) - np.outer(unit, unit)) / 5.0, atol=1e-16)


# ------------------------------------------------------------------------------------------------- max, min, questions
def test_a_nan_wins_over_everything() -> None:
    for name in ("max", "min"):
        x = mg.Value([[1.0, np.nan, 3.0], [1.0, 3.0, 1.0], [np.nan, np.nan, 0.0]])
        out = getattr(x, name)(axis=1)
        assert np.isnan(out.data).tolist() == [True, False, True]
        out.sum().backward()
        assert x.grad[0].tolist() == [0.0, 1.0, 0.0]
        assert x.grad[2].tolist() == [0.5, 0.5, 0.0]
        assert x.grad[1].tolist() == ([0.0, 1.0, 0.0] if name == "max" else [0.5, 0.0, 0.5])


@pytest.mark.oracle
def test_a_nan_in_max_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    data = [1.0, np.nan, 3.0, np.nan]
    theirs, ours = torch.tensor(data, dtype=torch.float64, requires_grad=True), mg.Value(data)
    theirs.max().backward()
    ours.max().backward()
    np.testing.assert_array_equal(ours.grad, theirs.grad)


DATA = np.array([[1.0, 0.0, 5.0], [2.0, 7.0, 0.0]])


@pytest.mark.parametrize("name", ["all", "any", "argmax", "argmin", "count_nonzero", "argsort"])
@pytest.mark.parametrize("params", [{}, {"axis": 0}, {"axis": 1, "keepdims": True}])
def test_questions_have_raw_answers_by_every_way_to_reach_them(name: str, params: Any) -> None:
    if name == "argsort":
        params = {k: v for k, v in params.items() if k == "axis"}
    expected = getattr(np, name)(DATA, **params)
    v = mg.Value(DATA)
    for answer in (getattr(np, name)(v, **params), getattr(v, name)(**params), getattr(mg, name)(v, **params)):
        assert not isinstance(answer, mg.Value)
        np.testing.assert_array_equal(answer, expected)
        if np.ndim(expected) == 0:
            assert type(answer) in (bool, int)
    if "axis" in params and len(params) == 1:
        np.testing.assert_array_equal(getattr(v, name)(params["axis"]), expected)


def test_the_place_of_the_largest_picks_it() -> None:
    v = mg.Value(DATA)
    best = v.take_along_axis(v.argmax(axis=1, keepdims=True), axis=1)
    best.sum().backward()
    assert v.grad.tolist() == [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert v.ravel()[v.argmax()].item() == 7.0


# ----------------------------------------------------------------------------------------------------------- misuse
X = mg.Value(DATA, label="X")


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: X.norm("nuc", axis=0), "norm: there is no ord='nuc' of 1 axes"),
        (lambda: X.norm(3), "norm: there is no ord=3 of 2 axes; a vector norm takes axis="),
        (lambda: X.norm("fro", axis=1), "ord='fro' of 1 axes"),
        (lambda: X.expand_dims(0).norm(3), "3 axes"),
        (lambda: X.norm(axis=4), r"norm: X \(2, 3\).*axis 4"),
        (lambda: np.var(X, dtype=np.float32), "var: X.*dtype"),
        (lambda: X.var(1, 1), r"var: X \(2, 3\)"),
        (lambda: np.prod(X, initial=2.0), "prod: X.*initial"),
        (lambda: np.median(X, overwrite_input=True), "median.*overwrite_input"),
        (lambda: mg.std(X, ddof=mg.Value(1.0)), "a parameter is a raw number"),
    ],
)
def test_misuse_is_explained(wrong: Any, text: str) -> None:
    with pytest.raises(MinigradError, match=text):
        wrong()
