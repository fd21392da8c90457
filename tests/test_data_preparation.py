"""Splits, scaling, whitening, one-hot and moved images, against scikit-learn, NumPy and what they promise."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, errors, nn, optim

RNG = np.random.default_rng(0)


# -------------------------------------------------------------------------------------------------------- random_split
def test_every_row_is_in_one_part_with_its_label():
    X, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    parts = data.random_split((X, y), [0.5, 0.3, 0.2], rng=0)
    assert [len(labels) for _, labels in parts] == [5, 3, 2]
    assert sorted(np.concatenate([labels for _, labels in parts])) == list(range(10))
    for rows, labels in parts:
        assert np.array_equal(rows, X[labels])


def test_an_array_alone_and_counts():
    train, test = data.random_split(np.arange(10), [7, 3], rng=0)
    assert (len(train), len(test)) == (7, 3)
    assert sorted([*train, *test]) == list(range(10))
    names, _ = data.random_split(["a", "b", "c"], [2, 1], rng=0)
    assert names.dtype.kind == "U"


def test_fractions_are_rounded_as_in_pytorch():
    """Down, and what is left over goes to the first parts."""
    assert [len(p) for p in data.random_split(np.arange(11), [0.4, 0.3, 0.3], rng=0)] == [5, 3, 3]
    assert [len(p) for p in data.random_split(np.arange(10), [1 / 3, 1 / 3, 1 / 3], rng=0)] == [4, 3, 3]
    assert [len(p) for p in data.random_split(np.arange(100), [0.71, 0.29], rng=0)] == [71, 29]  # not 28.999..


def test_a_split_repeats_with_its_seed_and_is_a_copy():
    X = np.arange(50)
    first, second, other = [data.random_split(X, [0.5, 0.5], rng=seed) for seed in (1, 1, 2)]
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    first[0][:] = -1
    assert X.min() == 0


@pytest.mark.parametrize("sizes", [(500, 500), (997, 3), (10, 11, 979), (150, 50, 50), (3, 4, 5, 6, 7)])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.31])
def test_classes_have_their_share_of_both_parts(sizes, fraction):
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(labels)
    test = round(n * fraction)
    if fraction * min(sizes) < 1.0:
        return
    for seed in range(5):
        train_y, test_y = data.random_split(labels, [n - test, test], stratify=labels, rng=seed)
        assert len(test_y) == test
        share = np.array(sizes) * test / n
        assert np.abs(np.bincount(test_y, minlength=len(sizes)) - share).max() < 1.0
        assert np.array_equal(np.sort(np.concatenate([train_y, test_y])), np.sort(labels))


def test_stratified_rows_are_drawn_evenly():
    """Each row is in the test part as often as any other, and the parts aren't sorted."""
    labels = np.repeat([0, 1], [30, 10])
    drawn = np.zeros(40)
    for seed in range(2000):
        _, test = data.random_split(np.arange(40), [0.8, 0.2], stratify=labels, rng=seed)
        drawn[test] += 1
    assert np.abs(drawn / 2000 - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 2000)
    train, _ = data.random_split(labels, [0.8, 0.2], stratify=labels, rng=0)
    assert np.any(np.diff(train) < 0)


def test_labels_of_text_and_three_parts():
    labels = np.repeat(["cat", "dog"], [60, 40])
    parts = data.random_split(labels, [0.6, 0.2, 0.2], stratify=labels, rng=0)
    assert [(int(np.sum(p == "cat")), int(np.sum(p == "dog"))) for p in parts] == [(36, 24), (12, 8), (12, 8)]


@pytest.mark.parametrize(
    ("what", "lengths", "options", "error", "text"),
    [
        ((np.ones(3), np.ones(4)), [0.5, 0.5], {}, errors.ShapeError, "the arrays have 3 and 4 rows"),
        (
            np.ones(4),
            [0.5, 0.4],
            {},
            errors.ShapeError,
            r"\[0\.5, 0\.4\] add up to 0\.9, neither to 1 nor to all 4 rows",
        ),
        (np.ones(4), [3, 2], {}, errors.ShapeError, "add up to 5"),
        (np.ones(4), [1.5, -0.5], {}, errors.ShapeError, "neither"),
        (np.ones(4), [5, -1], {}, errors.ShapeError, "each needs a row"),
        (np.ones(4), [float("nan"), 1.0], {}, errors.ShapeError, "add up to nan"),
        (np.ones(4), [float("inf"), 1.0], {}, errors.ShapeError, "add up to inf"),
        (np.ones(4), [0.9, 0.1, 0.0], {}, errors.ShapeError, r"make parts of \[4, 0, 0\]; each needs a row"),
        (np.ones(4), [], {}, errors.ShapeError, r"lengths=\[\]; give one per part"),
        (np.ones(4), 0.8, {}, errors.ShapeError, r"lengths=0\.8; give one per part: \[0\.8, 0\.2\]"),
        (np.ones(4), ["a", "b"], {}, errors.DtypeError, "lengths='a' is not a number"),
        (1.0, [1.0], {}, errors.ShapeError, "has no rows"),
        ([np.ones((4, 2)), np.ones(4)], [0.5, 0.5], {}, errors.ShapeError, r"several arrays are a tuple: \(X, y\)"),
        (mg.Value([1.0, 2.0]), [1, 1], {}, errors.DtypeError, r"pass its \.data"),
        (np.ones(4), [2, 2], {"stratify": [0, 1]}, errors.ShapeError, r"stratify has shape \(2,\).* \(4,\)"),
        (np.ones(4), [2, 2], {"stratify": [0, 0, 0, 1]}, errors.ShapeError, "class 1 has 1 of 4 rows, too few"),
        (np.ones(4), [2, 2], {"stratify": ["a", "b", "b", "b"]}, errors.ShapeError, "class 'a' has 1 of 4 rows"),
        (np.ones(4), [2, 2], {"rng": "x"}, errors.DtypeError, "rng='x'"),
    ],
)
def test_splits_that_can_not_be(what, lengths, options, error, text):
    with pytest.raises(error, match=text):
        data.random_split(what, lengths, **options)


# --------------------------------------------------------------------------------------------------------- Standardize
def test_standardize_is_that_of_scikit_learn():
    scalers = pytest.importorskip("sklearn.preprocessing")
    X_train, _, X_test, _ = data.load_wine()
    ours, theirs = data.Standardize(X_train), scalers.StandardScaler().fit(X_train)
    np.testing.assert_allclose(ours(X_train), theirs.transform(X_train), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ours(X_test), theirs.transform(X_test), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ours.inverse(ours(X_test)), X_test, rtol=1e-12)
    assert ours(X_train).mean(axis=0) == pytest.approx(np.zeros(13), abs=1e-13)
    assert ours(X_train).std(axis=0) == pytest.approx(np.ones(13))
    assert np.abs(ours(X_test).mean(axis=0)).max() > 0.01  # the test rows count for nothing


def test_constant_columns_become_zero_and_not_nan():
    X = RNG.normal(size=(7, 3))
    X[:, 1] = 0.1  # 0.1 + 0.1 + ... is not 7 · 0.1
    standardize = data.Standardize(X)
    assert np.array_equal(standardize(X)[:, 1], np.zeros(7))
    assert standardize(X[:1] + 1.0)[0, 1] == pytest.approx(1.0)
    assert np.array_equal(data.Standardize(np.full((1, 2), 5.0))([[5.0, 6.0]]), [[0.0, 1.0]])
    digits = data.load_digits()
    assert np.isfinite(data.Standardize(digits.X_train)(digits.X_test)).all()


def test_one_mean_per_channel():
    X = RNG.normal(3.0, 2.0, size=(5, 3, 4, 6))
    standardize = data.Standardize(X, axis=(0, 2, 3))
    expected = (X - X.mean((0, 2, 3), keepdims=True)) / X.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(standardize(X), expected, rtol=1e-12)
    assert standardize(X[:2, :, :2, :2]).shape == (2, 3, 2, 2)  # images of another size
    with pytest.raises(errors.ShapeError, match=r"knows rows of shape \(3, 1, 1\), not those of \(5, 2, 4, 6\)"):
        standardize(X[:, :2])


def test_standardized_targets_of_a_regression():
    y = RNG.normal(100.0, 30.0, size=50)
    standardize = data.Standardize(y)
    assert standardize(y).std() == pytest.approx(1.0)
    np.testing.assert_allclose(standardize.inverse(mg.Value(standardize(y)[:, None])).data[:, 0], y)


def test_a_standardize_is_a_layer_and_is_saved():
    X = RNG.normal(5.0, [1.0, 100.0], size=(30, 2))
    model = nn.Sequential(data.Standardize(X), nn.Linear(2, 1, rng=0))
    assert [name for name, _ in model.named_parameters()] == ["1.weight", "1.bias"]
    empty = nn.Sequential(data.Standardize(np.zeros((1, 2))), nn.Linear(2, 1, rng=1))
    empty.load_state_dict(model.state_dict())
    assert np.array_equal(empty(X).data, model(X).data)
    x = mg.Value(X)
    model(x).sum().backward()
    np.testing.assert_allclose(x.grad, np.broadcast_to(model[1].weight.data / model[0].scale, X.shape))


def test_float32_stays():
    X = RNG.normal(size=(9, 4)).astype(np.float32)
    assert data.Standardize(X)(X).dtype == np.float32
    assert data.Whiten(X)(X).dtype == np.float32
    assert data.Standardize(X.astype(int))([[1, 2, 3, 4]]).dtype == np.float64


@pytest.mark.parametrize("layer", [data.Standardize, data.Whiten])
@pytest.mark.parametrize(
    ("X", "error", "text"),
    [
        ([["a", "b"]], errors.DtypeError, "holds <U1, not numbers"),
        ([[1.0, 2.0], [3.0]], errors.ShapeError, "differ in shape"),
        ([[1.0, np.nan], [1.0, 2.0]], errors.AnomalyError, r"X\[0, 1\] is nan .*Fill or drop"),
        ([[1.0, 1.0], [-np.inf, 2.0]], errors.AnomalyError, r"X\[1, 0\] is -inf"),
        (np.ma.masked_greater([[1.0], [9.0]], 5.0), errors.AnomalyError, "X has masked numbers"),
        (np.zeros((0, 2)), errors.ShapeError, "nothing to learn from"),
        (1.0, errors.ShapeError, r"shape \(\)"),
        (mg.Value([[1.0], [2.0]]), errors.DtypeError, r"pass X\.data"),
    ],
)
def test_data_that_teach_nothing(layer, X, error, text):
    with pytest.raises(error, match=text):
        layer(X)


def test_other_columns_than_those_learned():
    standardize, whiten = data.Standardize(RNG.normal(size=(9, 4))), data.Whiten(RNG.normal(size=(9, 4)))
    with pytest.raises(errors.ShapeError, match=r"knows rows of shape \(4,\), not those of \(2, 3\)"):
        standardize(np.ones((2, 3)))
    with pytest.raises(errors.ShapeError, match=r"not those of \(\)"):
        standardize(1.0)
    with pytest.raises(errors.ShapeError, match=r"knows rows of shape \(4,\), not those of \(2, 3\)"):
        whiten(np.ones((2, 3)))
    with pytest.raises(errors.DtypeError, match="not numbers"):
        standardize([["a"] * 4])
    with pytest.raises(errors.ShapeError, match=r"axis=1 for X \(3, 2\)"):
        data.Standardize(np.ones((3, 2)), axis=1)
    with pytest.raises(errors.ShapeError, match=r"axis=\(0, 2\) for X \(3, 2\)"):
        data.Standardize(np.ones((3, 2)), axis=(0, 2))
    with pytest.raises(errors.AnomalyError, match="too large for a variance"):
        data.Standardize([[1e300], [-1e300]])
    with pytest.raises(errors.AnomalyError, match="too small for a variance; multiply"):
        data.Standardize([[1e-200], [2e-200]])


# -------------------------------------------------------------------------------------------------------------- Whiten
def mixed(n=400, d=5):
    """Correlated columns of very different sizes."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * [1.0, 2.0, 5.0, 0.5, 1.0][:d] + 3.0


@pytest.mark.parametrize("kind", ["zca", "pca"])
def test_white_rows_have_covariance_one(kind):
    X = mixed()
    white = data.Whiten(X, kind, eps=1e-8)(X)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(5), atol=1e-6)
    np.testing.assert_allclose(white.mean(axis=0), np.zeros(5), atol=1e-12)


def test_pca_is_that_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    X = mixed()
    ours = data.Whiten(X[:300], "pca", components=3, eps=0.0)
    theirs = decomposition.PCA(3, whiten=True).fit(X[:300])
    signs = np.sign(np.sum(ours(X[300:]) * theirs.transform(X[300:]), axis=0))
    scale = np.sqrt(300 / 299)  # scikit-learn divides by n - 1
    np.testing.assert_allclose(ours(X[300:]), theirs.transform(X[300:]) * signs * scale, rtol=1e-9)
    np.testing.assert_allclose(ours.variances[:3], theirs.explained_variance_ / scale**2, rtol=1e-10)


def test_zca_is_the_whitening_that_moves_the_rows_least():
    """Of all rotations of white data; and its matrix is symmetric, so that images stay images."""
    X = mixed()
    whiten = data.Whiten(X, eps=0.0)
    centred, white = X - X.mean(axis=0), whiten(X)
    np.testing.assert_allclose(whiten.matrix, whiten.matrix.T, atol=1e-12)
    for seed in range(20):
        Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0]
        assert np.sum((centred - white @ Q) ** 2) > np.sum((centred - white) ** 2)


def test_whitened_images_are_images():
    images = data.load_digits().X_train.reshape(-1, 1, 8, 8)
    whiten = data.Whiten(images, eps=0.01)
    assert whiten(images[:3]).shape == (3, 1, 8, 8)
    assert data.Whiten(images, "pca", 10)(images[:3]).shape == (3, 10)
    np.testing.assert_allclose(
        whiten(images).reshape(-1, 64), data.Whiten(images.reshape(-1, 64), eps=0.01)(images.reshape(-1, 64))
    )
    # a pixel that was blank in all training images doesn't blow up
    assert np.abs(whiten(data.load_digits().X_test.reshape(-1, 1, 8, 8))).max() < 20


def test_a_white_layer_learns_and_is_saved():
    X = mixed()
    model = nn.Sequential(data.Whiten(X, "pca", 2), nn.Linear(2, 1, rng=0))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model(X).sum().backward()
    optimizer.step()
    other = nn.Sequential(data.Whiten(mixed(50), "pca", 2), nn.Linear(2, 1, rng=1))
    other.load_state_dict(model.state_dict())
    assert np.array_equal(other(X).data, model(X).data)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kind": "lda"}, ValueError, "kind='lda'; it is 'zca' or 'pca'"),
        ({"components": 2}, ValueError, "components are those of kind='pca'"),
        ({"kind": "pca", "components": 6}, errors.ShapeError, "components=6, but the rows have 5 numbers"),
        ({"kind": "pca", "components": 0}, errors.ShapeError, "components=0; it is at least 1"),
        ({"eps": -1.0}, ValueError, r"eps=-1\.0; it is a number of at least 0"),
        ({"X": np.ones((1, 5))}, errors.ShapeError, "at least two rows"),
        ({"X": np.ones(5)}, errors.ShapeError, "at least two rows"),
        ({"X": [[1.0, 2.0], [3.0, 2.0]], "eps": 0.0}, ValueError, "a direction without variance"),
    ],
)
def test_whitenings_that_can_not_be(options, error, text):
    with pytest.raises(error, match=text):
        data.Whiten(**{"X": mixed(), **options})


# ------------------------------------------------------------------------------------------------------------- one_hot
def test_one_hot():
    y = RNG.integers(0, 4, size=(3, 5))
    hot = data.one_hot(y, 4)
    assert hot.shape == (3, 5, 4)
    assert np.array_equal(hot.argmax(axis=-1), y)
    assert np.array_equal(hot.sum(axis=-1), np.ones((3, 5)))
    assert data.one_hot([0, 2], 3).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert data.one_hot(np.array([1, 0], np.uint8)).tolist() == [[0, 1], [1, 0]]
    assert data.one_hot([], 3).shape == (0, 3)
    assert data.one_hot(2).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("y", "classes", "error", "text"),
    [
        ([0, 3], 3, errors.ShapeError, "label 3, but the classes are 0 to 2"),
        ([0, -1], None, errors.ShapeError, "label -1"),
        ([0.0, 1.0], None, errors.DtypeError, "not float64"),
        (["a"], None, errors.DtypeError, r"np\.unique"),
        ([], None, errors.ShapeError, "say how many classes"),
        ([0], 0, errors.ShapeError, "classes=0; it is at least 1"),
    ],
)
def test_labels_that_are_no_classes(y, classes, error, text):
    with pytest.raises(error, match=text):
        data.one_hot(y, classes)


# -------------------------------------------------------------------------------------------------------------- images
@pytest.mark.parametrize("shape", [(40, 6, 5), (40, 3, 6, 5)])
@pytest.mark.parametrize("pixels", [0, 1, 2, 7])
def test_every_image_is_moved_by_up_to_so_many_pixels(shape, pixels):
    X = RNG.uniform(1.0, 2.0, size=shape)
    moved = data.random_shift(X, rng=0, pixels=pixels)
    assert moved.shape == X.shape
    padded = np.pad(X, [(0, 0)] * (X.ndim - 2) + [(pixels, pixels)] * 2)
    steps = range(2 * pixels + 1)
    ways = set()
    for i in range(len(X)):  # each is a cut of the image with a border, at one place for all of its channels
        found = [(a, b) for a in steps for b in steps if np.array_equal(padded[i, ..., a : a + 6, b : b + 5], moved[i])]
        assert found
        ways.add(found[0])
    assert len(ways) >= min(8, len(steps) ** 2)  # and not all the same way


def test_all_shifts_are_as_likely():
    X = np.zeros((18_000, 5, 5))
    X[:, 2, 2] = 1.0
    counts = data.random_shift(X, rng=0, pixels=1).sum(axis=0)[1:4, 1:4]
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)


def test_a_border_of_another_colour():
    moved = data.random_shift(np.zeros((20, 3, 3), np.uint8), rng=0, pixels=1, fill=255)
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) == {0, 255}


@pytest.mark.parametrize("shape", [(1000, 4, 3), (1000, 2, 4, 3)])
def test_half_of_the_images_are_mirrored(shape):
    X = RNG.normal(size=shape)
    flipped = data.random_flip(X, rng=0)
    same = np.array([np.array_equal(a, b) for a, b in zip(X, flipped, strict=True)])
    mirrored = np.array([np.array_equal(a[..., ::-1], b) for a, b in zip(X, flipped, strict=True)])
    assert (same ^ mirrored).all()
    assert 420 < mirrored.sum() < 580
    assert np.array_equal(data.random_flip(X, rng=0, p=0.0), X)
    assert np.array_equal(data.random_flip(X, rng=0, p=1.0), X[..., ::-1])


@pytest.mark.parametrize("change", [data.random_shift, data.random_flip])
def test_images_are_not_changed_in_place_and_repeat_with_the_seed(change):
    X = RNG.normal(size=(6, 4, 4)).astype(np.float32)
    before = X.copy()
    first, again, other = change(X, 1), change(X, 1), change(X, np.random.default_rng(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(X, before)
    assert not np.shares_memory(first, X)
    assert first.dtype == np.float32
    assert change(X[:0], 1).shape == (0, 4, 4)
    assert np.array_equal(change(X, np.random.RandomState(0)), change(X, np.random.RandomState(0)))


@pytest.mark.parametrize("change", [data.random_shift, data.random_flip])
def test_rows_are_no_images(change):
    with pytest.raises(errors.ShapeError, match=r"X has shape \(5, 784\); images are .*X\.reshape"):
        change(np.zeros((5, 784)))
    with pytest.raises(errors.DtypeError, match=r"pass X\.data"):
        change(mg.Value(np.zeros((5, 4, 4))))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="p=2; it is a probability"):
        data.random_flip(np.zeros((1, 2, 2)), p=2)
    with pytest.raises(errors.ShapeError, match="pixels=-1; it is at least 0"):
        data.random_shift(np.zeros((1, 2, 2)), pixels=-1)
    with pytest.raises(errors.DtypeError, match=r"pixels=0\.5 is not a whole number"):
        data.random_shift(np.zeros((1, 2, 2)), pixels=0.5)
