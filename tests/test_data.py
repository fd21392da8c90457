"""Data sets against scikit-learn and the CS231n notes; batches that cover the data; errors that teach."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, errors


def test_digits_are_split_once_and_for_all():
    X_train, y_train, X_test, y_test = data.load_digits()
    assert (X_train.shape, y_train.shape, X_test.shape, y_test.shape) == ((1437, 64), (1437,), (360, 64), (360,))
    assert X_train.dtype == np.float64
    assert y_train.dtype == np.int64
    assert X_train.min() == 0.0
    assert X_train.max() == 1.0
    counts = np.bincount(y_test)
    assert counts.min() >= 34  # every digit, in its share
    assert counts.max() <= 38
    again = data.load_digits(split=0.2)
    assert all(np.array_equal(a, b) for a, b in zip(again, (X_train, y_train, X_test, y_test), strict=True))


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    whole = load_digits()
    X_train, y_train, X_test, y_test = data.load_digits(split=0.25)
    rows = np.concatenate([np.column_stack([X_train * 16, y_train]), np.column_stack([X_test * 16, y_test])])
    expected = np.column_stack([whole.data, whole.target])
    assert np.array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])


@pytest.mark.parametrize("split", [0.0, 1.0, -0.1, 2, float("nan")])
def test_a_split_outside_its_range(split):
    with pytest.raises(errors.ShapeError, match=r"between 0\.01 and 0\.99"):
        data.load_digits(split=split)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(errors.MissingExtraError, match=r'pip install "minigrad-engine\[data\]"'):
        data.load_digits()


@pytest.mark.parametrize("n", [2, 7, 100])
def test_moons_without_noise_are_those_of_scikit_learn(n):
    from sklearn.datasets import make_moons

    X, y = data.make_moons(n, noise=0.0)
    expected_X, expected_y = make_moons(n, shuffle=False)
    np.testing.assert_allclose(X, expected_X, atol=1e-15)
    assert np.array_equal(y, expected_y)


def test_moons_scatter_as_told():
    spread = data.make_moons(20_000, noise=0.3, rng=0)[0] - data.make_moons(20_000, noise=0.0)[0]
    np.testing.assert_allclose(spread.std(axis=0), 0.3, rtol=0.02)


def test_spiral_is_the_one_of_the_notes():
    random = np.random.RandomState(0)
    X, y = np.zeros((300, 2)), np.zeros(300, dtype="uint8")
    for j in range(3):  # the notes' own lines
        ix = range(100 * j, 100 * (j + 1))
        r = np.linspace(0.0, 1, 100)
        t = np.linspace(j * 4, (j + 1) * 4, 100) + random.randn(100) * 0.2
        X[ix] = np.c_[r * np.sin(t), r * np.cos(t)]
        y[ix] = j
    ours, labels = data.make_spiral(rng=np.random.RandomState(0))
    assert np.array_equal(ours, X)
    assert np.array_equal(labels, y)
    assert labels.dtype == np.int64


@pytest.mark.parametrize("make", [data.make_moons, data.make_spiral])
def test_the_same_seed_gives_the_same_points(make):
    assert np.array_equal(make(50, rng=3)[0], make(50, rng=3)[0])
    assert not np.array_equal(make(50, rng=3)[0], make(50, rng=4)[0])
    mg.seed(5)
    first = make(50)[0]
    mg.seed(5)
    assert np.array_equal(make(50)[0], first)


def test_too_few_points():
    with pytest.raises(errors.ShapeError, match="n=1"):
        data.make_moons(1)
    with pytest.raises(errors.ShapeError, match="points_per_class=0; it is at least 1"):
        data.make_spiral(0)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "text"),
    [
        (data.make_moons, {"noise": -1}, ValueError, "make_moons: noise=-1; it is a number of at least 0"),
        (data.make_moons, {"noise": "a"}, errors.DtypeError, "noise='a' is not a number"),
        (data.make_moons, {"n": 2.5}, errors.DtypeError, "n=2.5 is not a whole number"),
        (data.make_spiral, {"noise": float("nan")}, ValueError, "make_spiral: noise=nan"),
        (data.make_spiral, {"rng": [1]}, errors.DtypeError, r"rng=\[1\]"),
        (data.load_digits, {"split": "a"}, errors.DtypeError, "split='a' is not a number"),
    ],
)
def test_wrong_arguments(make, arguments, error, text):
    with pytest.raises(error, match=text):
        make(**arguments)


# --------------------------------------------------------------------------------------------------------- the loader
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (9, 3), (2, 32), (1, 1)])
def test_each_row_once_per_epoch_with_its_label(n, batch_size, shuffle):
    loader = data.DataLoader(np.arange(2.0 * n).reshape(n, 2), np.arange(n), batch_size, shuffle, rng=0)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == -(-n // batch_size)
        assert [len(X) for X, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
        labels = np.concatenate([y for _, y in batches])
        assert sorted(labels) == list(range(n))
        assert np.array_equal(np.concatenate([X for X, _ in batches])[:, 0], 2.0 * labels)


def test_shuffling_deals_anew_in_every_epoch_and_repeats_with_the_seed():
    def orders(seed):
        loader = data.DataLoader(np.arange(20.0), np.arange(20), 7, shuffle=True, rng=seed)
        return [np.concatenate([y for _, y in loader]).tolist() for _ in range(3)]

    first, second, third = orders(1)
    assert first != second != third
    assert orders(1) == [first, second, third]
    assert orders(2)[0] != first


def test_batches_are_raw_and_keep_their_dtype():
    loader = data.DataLoader(np.ones((4, 2), np.float32), [0, 1, 0, 1], batch_size=4)
    X, y = next(iter(loader))
    assert type(X) is np.ndarray
    assert X.dtype == np.float32
    assert y.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("X", "y", "options", "error", "text"),
    [
        (np.ones((3, 2)), [0, 1], {}, errors.ShapeError, "X has 3 rows and y has 2"),
        (np.ones((0, 2)), [], {}, errors.ShapeError, r"X has shape \(0, 2\)"),
        (1.0, 1.0, {}, errors.ShapeError, r"X has shape \(\)"),
        ([1.0], [1], {"batch_size": 0}, errors.ShapeError, "batch_size=0; it is at least 1"),
        ([1.0], [1], {"batch_size": 2.5}, errors.DtypeError, "batch_size=2.5 is not a whole number"),
        ([[1.0, np.nan], [np.inf, 1.0]], [0, 1], {}, errors.AnomalyError, r"X\[0, 1\] is nan \(2 of 4"),
        ([1.0, 2.0], [0.0, np.inf], {}, errors.AnomalyError, r"y\[1\] is inf"),
        ([1.0, 2.0], [0, 1], {"rng": "x"}, errors.DtypeError, "rng='x'; it is a whole number"),
        ([["a"], ["b"]], [0, 1], {}, errors.DtypeError, "X holds <U1, not numbers"),
        ([{"a": 1.0}], [0], {}, errors.DtypeError, "X holds object"),
        ([[1.0], [2.0, 3.0]], [0, 1], {}, errors.ShapeError, "rows of X differ in shape"),
        ([1.0, 2.0], ["cat", "dog"], {}, errors.DtypeError, r"y holds <U3.*number the classes: np\.unique"),
        ([1.0, 2.0], None, {}, errors.DtypeError, "y is None"),
        (mg.Value([1.0, 2.0], label="X"), [0, 1], {}, errors.DtypeError, r"pass X\.data"),
    ],
)
def test_data_that_no_one_can_learn_from(X, y, options, error, text):
    with pytest.raises(error, match=text):
        data.DataLoader(X, y, **options)
