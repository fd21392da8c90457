"""The readings' claims about training as a whole, a test per row of the table of sources, with its numbers.

Rows about one optimiser are in test_optim_rows.py, those with a closed form in test_theory.py.  The tests of rows 50
and 77 and of section 1d here hold their numbers to exact laws, so that no seed has to be known.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, nn, optim, theory, train


# ------------------------------------------------------------------------- 36: score function, loss, optimisation
def hinge_slope(scores, y):
    return -y[:, None] * (y[:, None] * scores < 1.0) / len(y)


def multiclass_hinge_slope(scores, y):
    rows = np.arange(len(y))
    violated = (scores - scores[rows, y][:, None] + 1.0 > 0.0).astype(float)
    violated[rows, y] = 0.0
    violated[rows, y] = -violated.sum(axis=1)
    return violated / len(y)


def cross_entropy_slope(scores, y):
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1.0
    return p / len(y)


PARTS = {
    "row 33, hinge": (nn.HingeLoss(), hinge_slope, 1, 1.0),
    "row 34, multiclass hinge": (nn.MulticlassHingeLoss(), multiclass_hinge_slope, 3, 2.0),
    "row 35, cross-entropy": (nn.CrossEntropyLoss(), cross_entropy_slope, 3, math.log(3.0)),
}


@pytest.mark.parametrize("row", PARTS)
def test_row_36_one_loop_trains_the_models_of_rows_33_to_35(row, rng):
    """`train.fit` knows none of the three parts; NumPy with the rows' own slopes takes the same steps."""
    loss, slope, outputs, first_loss = PARTS[row]
    y = np.arange(60) % 3
    X = rng.normal(size=(60, 2)) + 6.0 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[y]
    if outputs == 1:
        y = np.where(y == 0, -1, 1)
    model = nn.Linear(2, outputs)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    assert float(loss(model(X), y)) == pytest.approx(first_loss, rel=1e-15)

    W, b = np.zeros((outputs, 2)), np.zeros(outputs)
    for _ in range(60):
        for i in range(0, 60, 20):
            d = slope(X[i : i + 20] @ W.T + b, y[i : i + 20])
            W, b = W - 0.1 * d.T @ X[i : i + 20], b - 0.1 * d.sum(axis=0)

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    train.fit(model, data.DataLoader(X, y, batch_size=20), loss=loss, optimizer=optimizer, epochs=60)
    np.testing.assert_allclose(model.weight.data, W, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(model.bias.data, b, rtol=0.0, atol=1e-12)
    assert train.accuracy(model(X), y) > 0.95


# ---------------------------------------------------------------------------- 37: gradients of minibatches
def regression(n, features, rng):
    X = rng.normal(size=(n, features))
    return X, X @ rng.normal(size=features) + rng.normal(size=n)


def gradient(X, y):
    """Of the mean squared error at w = 0."""
    w = mg.Value(np.zeros(X.shape[1]))
    nn.functional.mse_loss(X @ w, y).backward()
    return w.grad


def variance(gradients, mean):
    return np.mean(np.sum((np.array(gradients) - mean) ** 2, axis=1))


@pytest.mark.parametrize("m", [1, 10, 100])
@pytest.mark.parametrize("shuffle", [False, True])
def test_row_37_minibatch_gradients_of_an_epoch_average_to_the_full_gradient(m, shuffle, rng):
    X, y = regression(1000, 5, rng)
    loader = data.DataLoader(X, y, batch_size=m, shuffle=shuffle, rng=0)
    gradients = [gradient(*batch) for batch in loader]
    assert len(gradients) == len(loader) == 1000 // m
    np.testing.assert_allclose(np.mean(gradients, axis=0), gradient(X, y), rtol=0.0, atol=1e-12)


def test_row_37_an_epoch_is_n_over_m_updates(rng):
    model = nn.Linear(5, 1, rng=0)
    X, y = regression(1000, 5, rng)
    loader = data.DataLoader(X, y[:, None], batch_size=50)
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    run = train.steps(model, loader, loss=nn.MSELoss(), optimizer=optimizer, epochs=3)
    assert [(step.number, step.epoch) for step in run] == [(k + 1, k // 20 + 1) for k in range(60)]


@pytest.mark.parametrize(("m", "draws"), [(1, 20_000), (10, 5_000), (100, 5_000)])
def test_row_37_the_variance_is_one_mth(m, draws, rng):
    """Draws enough that .03 is about three standard errors: those of single examples spread most."""
    X, y = regression(1000, 30, rng)
    of_one = variance([gradient(X[i : i + 1], y[i : i + 1]) for i in range(1000)], gradient(X, y))
    drawn = rng.integers(0, 1000, size=(draws, m))
    of_m = variance([gradient(X[i], y[i]) for i in drawn], gradient(X, y))
    assert m * of_m / of_one == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_row_37_the_variance_over_all_minibatches_there_are(m, rng):
    """Exact: 1/m over all draws with replacement, (N - m)/(N - 1) of that over all without."""
    X, y = regression(6, 3, rng)
    full, indices = gradient(X, y), range(6)
    of_one = variance([gradient(X[[i]], y[[i]]) for i in indices], full)
    without = [gradient(X[list(i)], y[list(i)]) for i in itertools.combinations(indices, m)]
    np.testing.assert_allclose(np.mean(without, axis=0), full, rtol=0.0, atol=1e-12)
    assert m * variance(without, full) / of_one == pytest.approx((6 - m) / 5, abs=1e-12)
    if m <= 3:
        drawn = [gradient(X[list(i)], y[list(i)]) for i in itertools.product(indices, repeat=m)]
        assert m * variance(drawn, full) / of_one == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("m", [1, 10, 50, 100])
def test_row_37_a_shuffled_loader_deals_without_replacement(m, rng):
    X, y = regression(100, 30, rng)
    full = gradient(X, y)
    of_one = variance([gradient(X[i : i + 1], y[i : i + 1]) for i in range(100)], full)
    loader = data.DataLoader(X, y, batch_size=m, shuffle=True, rng=1)
    dealt = [gradient(*batch) for _ in range(1 if m == 1 else 20 * m) for batch in loader]
    assert m * variance(dealt, full) / of_one == pytest.approx((100 - m) / 99, abs=0.03)


def test_row_37_consecutive_rows_of_ordered_data_mislead(rng):
    """Sorted by target, the first batch says little about the rest; dealt out, it errs as the law says."""
    X, y = regression(1000, 5, rng)
    X, y = X[np.argsort(y)], np.sort(y)
    X[:, 0] = 1.0  # a feature that is always there: its slope is -2 mean(y)
    spread = 2.0 * y.std() / math.sqrt(50)

    def error(shuffle):
        X_first, y_first = next(iter(data.DataLoader(X, y, batch_size=50, shuffle=shuffle, rng=0)))
        return abs(gradient(X_first, y_first)[0] + 2.0 * y.mean())

    assert error(shuffle=True) < 3.0 * spread
    assert error(shuffle=False) > 10.0 * spread


# ----------------------------------------------------------------------- 50: Reddi's counterexample, in digits
def test_row_50_amsgrad_ends_at_minus_9996():
    """v̂ settles on its largest value, after the gradient 3; from x = -1 two steps lr/√v̂ lead up, then one back.

    The row leaves the number of steps out; two steps up from -1 end at -.9996 for every multiple of 3 about 30 000.
    """
    x = mg.Value(0.0)
    optimizer = optim.Adam([x], lr=0.1, betas=(0.0, 0.1), eps=1e-8, amsgrad=True)
    path = []
    for t in range(1, 30_001):
        optimizer.param_groups[0]["lr"] = 0.1 / math.sqrt(t)
        x.grad = 3.0 if t % 3 == 1 else -1.0
        optimizer.step()
        x.data = min(1.0, max(-1.0, x.data))
        path.append(x.data)
    assert path[-1] == pytest.approx(-0.9996, abs=5e-5)
    v = 0.9 * (9.0 + 0.1 * 1.0 + 0.01 * 1.0) / (1.0 - 0.1**3)  # of the squares 9, 1, 1, 9, 1, 1, ...
    first, second = (0.1 / math.sqrt(t * v) for t in (29_999, 30_000))
    assert path[-3:] == pytest.approx([-1.0, -1.0 + first, -1.0 + first + second], abs=1e-10)


# -------------------------------------------------------------------------------- 52: oscillation and scale
BOWL = np.array([1.0, 100.0])  # the elongated one; (1, 1) is round

RACE = {  # name: (optimiser, its steps until the distance is 1e-6 of what it was)
    "gradient descent": (lambda p: optim.SGD(p, theory.optimal_step(1.0, 100.0)), 691),
    "heavy ball": (lambda p: optim.SGD(p, *theory.optimal_momentum(1.0, 100.0)), 93),
    "Nesterov": (lambda p: optim.SGD(p, 0.01, momentum=9 / 11, nesterov=True), 154),
    "Adagrad": (lambda p: optim.Adagrad(p, 0.5, eps=0.0), 25),
    "RMSprop": (lambda p: optim.RMSprop(p, 0.01, eps=0.0), None),  # at a constant rate it ends up swinging
    "Adam": (lambda p: optim.Adam(p, 0.05, eps=0.0), 263),
}


def descend(make, curvatures, steps):
    """The path on the bowl ½ Σ curvature w², from (1, 1)."""
    w = mg.Value(np.ones(2))
    optimizer, path = make([w]), [w.data.copy()]
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (curvatures * w * w).sum()).backward()
        optimizer.step()
        path.append(w.data.copy())
    return np.array(path)


def steps_to_a_millionth(path):
    """The steps after which the distance stays below 1e-6 of the first."""
    distance = np.linalg.norm(path, axis=1)
    return int(np.flatnonzero(distance >= 1e-6 * distance[0])[-1]) + 1


@pytest.mark.parametrize("name", [name for name, (_, steps) in RACE.items() if steps])
def test_row_52_steps_to_a_millionth(name):
    make, steps = RACE[name]
    assert steps_to_a_millionth(descend(make, BOWL, 800)) == steps


def test_row_52_closed_forms_of_the_race():
    assert math.ceil(theory.steps_to(99 / 101, 1e-6)) == RACE["gradient descent"][1]
    rate, (alpha, beta) = 9 / 11, theory.optimal_momentum(1.0, 100.0)
    path = descend(RACE["heavy ball"][0], BOWL, 200)
    k = np.arange(201)
    # Both roots coincide at ±rate: w_k = (1 + c k)(±rate)^k, where c is fixed by the first step, w_1 = 1 - alpha lam.
    for axis, (lam, root) in enumerate(((1.0, rate), (100.0, -rate))):
        c = (1.0 - alpha * lam) / root - 1.0
        np.testing.assert_allclose(path[:, axis], (1.0 + c * k) * root**k, rtol=0.0, atol=1e-10)
    assert beta == pytest.approx(rate**2, rel=1e-15)


def test_row_52_momentum_bears_a_rate_at_which_gradient_descent_swings_ever_wider():
    """Along the steep axis αλ = 2.5: above 2, below 2 + 2β = 3."""
    plain = descend(lambda p: optim.SGD(p, 0.025), BOWL, 40)[:, 1]
    np.testing.assert_allclose(plain, (-1.5) ** np.arange(41.0), rtol=1e-10)
    assert np.abs(descend(lambda p: optim.SGD(p, 0.025, momentum=0.5), BOWL, 300)[-1]).max() < 1e-3


@pytest.mark.parametrize("name", RACE)
def test_row_52_adaptive_rates_make_the_bowl_round(name):
    """With eps = 0 they cannot tell curvature 100 from 1: both axes take the steps of the round bowl."""
    elongated, rounded = (descend(RACE[name][0], curvatures, 100) for curvatures in (BOWL, np.ones(2)))
    if name in ("Adagrad", "RMSprop", "Adam"):
        np.testing.assert_allclose(elongated, rounded, rtol=0.0, atol=1e-12)
    else:
        assert np.abs(elongated - rounded).max() > 0.5


# --------------------------------------------------------------- 53: where fifty networks of one kind end
@pytest.mark.parametrize("width", [4, 16])
def test_row_53_wide_networks_end_alike(width):
    """Minima matter less than saddles: of 50 starts, narrow nets get stuck here and there, wide ones nowhere."""
    X, y = data.make_moons(60, noise=0.15, rng=0)
    signs, rng = 2.0 * y[:, None] - 1.0, np.random.default_rng(0)
    shapes = [((50, 2, width), 0.7), ((50, 1, width), 0.0), ((50, width, 1), width**-0.5), ((50, 1, 1), 0.0)]
    W, b, V, c = parameters = [mg.Value(scale * rng.normal(size=shape)) for shape, scale in shapes]
    optimizer, losses = optim.Adam(parameters, lr=0.03), []
    for _ in range(400):
        optimizer.zero_grad()
        loss = mg.softplus(-signs * (mg.tanh(X @ W + b) @ V + c)).mean(axis=(1, 2))
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.data)
    ends = np.sort(losses[-1])
    print(f"\nwidth {width}: from {np.mean(losses[0]):.2f} to {ends[0]:.2g} ... {ends[25]:.2g} ... {ends[-1]:.2g}")
    assert (ends[-1] < 0.01) == (width == 16)
    if width == 4:
        assert ends[-1] > 10.0 * ends[25]


# ------------------------------------------------------------------------ 77: what the distances have to satisfy
@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, lr=0.01), lambda p: optim.Adagrad(p, lr=0.3)])
def test_row_77_distance_and_norms_are_the_sides_of_a_right_triangle(make, rng):
    """Any solution is the least one plus something orthogonal to it; the row's norms and distances say so too."""
    for distance, norm in ((0.376, 0.597), (0.320, 0.563)):
        assert math.hypot(distance, 0.464) == pytest.approx(norm, abs=1e-3)
    X, y = rng.normal(size=(5, 20)), rng.normal(size=5)
    w = mg.Value(np.zeros(20))
    optimizer = make([w])
    for _ in range(3000):
        optimizer.zero_grad()
        ((X @ w - y) ** 2).sum().backward()
        optimizer.step()
    least = theory.min_norm(X, y)
    distance = np.linalg.norm(w.data - least)
    assert distance > 0.3 * np.linalg.norm(least)
    assert math.hypot(distance, np.linalg.norm(least)) == pytest.approx(np.linalg.norm(w.data), rel=1e-6)
    np.testing.assert_allclose(theory.projector_null(X) @ w.data, w.data - least, rtol=0.0, atol=1e-6)


# ------------------------------------------------------------ 81: surrogate and true loss, training and validation
SURROGATES = {
    "hinge": (nn.HingeLoss(), 1, lambda f, y: np.maximum(0.0, 1.0 - y * f[:, 0]).mean(), 1.0),
    "cross-entropy": (
        nn.CrossEntropyLoss(), 2, lambda f, y: np.log1p(np.exp(f[:, 0] - f[:, 1])[y == 1]).sum() / len(y)
        + np.log1p(np.exp(f[:, 1] - f[:, 0])[y == 0]).sum() / len(y), math.log(2.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SURROGATES)
def test_row_81_the_surrogate_bounds_the_error_and_falls_on_after_it(name, rng):
    """40 examples in 30 dimensions: the training error is soon 0, the surrogate still falls, and a gap remains."""
    loss, outputs, by_hand, unit = SURROGATES[name]
    X = rng.normal(size=(540, 30))
    y = (X[:, 0] + 0.5 * rng.normal(size=540) > 0.0).astype(int)
    if outputs == 1:
        y = 2 * y - 1
    model = nn.Linear(30, outputs, rng=0)
    seen, held_back = (X[:40], y[:40]), (X[40:], y[40:])
    history = train.fit(
        model, data.DataLoader(*seen, batch_size=40), loss=loss, optimizer=optim.SGD(model.parameters(), lr=0.1),
        epochs=150, validation=held_back,
    )  # fmt: skip

    for prefix in ("", "val_"):  # an error costs at least 1 of the hinge, and log 2 of the cross-entropy
        errors = 1.0 - np.array(history[prefix + "accuracy"])
        assert np.all(errors <= np.array(history[prefix + "loss"]) / unit + 1e-12)
    perfect = history.accuracy.index(1.0)
    after = history.loss[perfect:]
    assert perfect < 140
    assert after[-1] < 0.9 * after[0]
    if name == "cross-entropy":  # smooth, and the rate is small; steps down the hinge may jump over its kinks
        assert np.all(np.diff(after) < 0.0)
    assert history["val_loss"][-1] - history.loss[-1] > 0.1
    assert history.accuracy[-1] - history["val_accuracy"][-1] > 0.05

    scores = held_back[0] @ model.weight.data.T + model.bias.data
    guess = scores.argmax(axis=1) if outputs == 2 else np.where(scores[:, 0] >= 0.0, 1, -1)
    assert history["val_loss"][-1] == pytest.approx(by_hand(scores, held_back[1]), rel=1e-12)
    assert history["val_accuracy"][-1] == pytest.approx(np.mean(guess == held_back[1]), rel=1e-12)


# ----------------------------------------------------------------- 82: the convolutional network of Adam's figure 3
@functools.cache
def small_images():
    """Digits, 8x8, whitened as CIFAR-10's images are in the paper."""
    pytest.importorskip("sklearn")
    split = data.load_digits()
    X = split.X_train.reshape(len(split.X_train), -1)
    return ((X - X.mean(axis=0)) @ theory.zca_matrix(X, eps=1e-2)).reshape(-1, 1, 8, 8), split.y_train


def small_cnn(dropout):
    """c64-c64-c128-1000 made small, c4-c4-c8-64: three stages of 5x5 filters and 3x3 pooling with stride 2."""
    rng = np.random.default_rng(0)
    layers = [nn.Dropout(0.2, rng=rng)] if dropout else []
    for a, b in itertools.pairwise([1, 4, 4, 8]):
        layers += [nn.Conv2d(a, b, 5, padding=2, rng=rng), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
    layers += [nn.Flatten(), nn.Linear(8, 64, rng=rng), nn.ReLU()]
    return nn.Sequential(*layers, *[nn.Dropout(0.5, rng=rng)] * dropout, nn.Linear(64, 10, rng=rng))


FIGURE_3 = {  # the best of a few rates for each
    "AdaGrad": lambda p: optim.Adagrad(p, lr=0.03),
    "SGDNesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
}


def epoch_losses(name, dropout, epochs):
    """The mean loss of each epoch's batches of 128, after that of the untrained network."""
    (X, y), model, rng = small_images(), small_cnn(dropout), np.random.default_rng(5)
    optimizer = FIGURE_3[name](model.parameters())
    means = [nn.functional.cross_entropy(model(X), y).item()]
    for _ in range(epochs):
        losses, order = [], rng.permutation(len(y))
        for i in range(0, len(y) - 127, 128):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(X[order[i : i + 128]]), y[order[i : i + 128]])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        means.append(np.mean(losses))
    return means


@pytest.mark.parametrize("dropout", [False, True])
def test_row_82_after_3_epochs_adam_and_adagrad_are_ahead_of_sgd(dropout):
    """Net and data are small: of the paper's, an epoch is 14 TFLOP, and its images are not shipped."""
    curves = {name: epoch_losses(name, dropout, 3) for name in FIGURE_3}
    print({name: [round(float(loss), 3) for loss in curve] for name, curve in curves.items()})
    for curve in curves.values():
        assert curve[0] == pytest.approx(2.303, abs=0.02)
    assert max(curves["Adam"][3], curves["AdaGrad"][3]) < curves["SGDNesterov"][3] - 0.05


@pytest.mark.slow
def test_row_82_after_45_epochs_adam_and_sgd_are_close_and_adagrad_is_behind():
    """The paper: "marginal improvement over SGD with momentum"; not "significantly faster than other techniques"."""
    ends = {name: epoch_losses(name, False, 45)[-1] for name in FIGURE_3}
    print({name: round(float(end), 3) for name, end in ends.items()})
    assert ends["AdaGrad"] == max(ends.values())
    assert 1 / 3 < ends["Adam"] / ends["SGDNesterov"] < 3


# ----------------------------------------------------------------------------- 1d: how many steps AutoClip clips
def test_section_1d_9017_is_what_chance_allows():
    """Among t independent norms the last has any rank alike, so it is clipped with a chance known for each t.

    np.percentile puts the threshold at 0.1 (t - 1) from below: t - 1 - floor(that) of t ranks are above it.
    """
    t = np.arange(1, 3001)
    chance = (t - 1 - (t - 1) // 10) / t
    expected, spread = chance.mean(), math.sqrt(np.sum(chance * (1.0 - chance))) / 3000
    assert abs(0.9017 - expected) < spread
    w, clip, clipped = mg.Value([0.0, 0.0]), optim.AutoClip(10), []
    norms = np.random.default_rng(0).lognormal(size=3000)
    for norm in norms:
        w.grad = np.array([0.6, 0.8]) * norm
        clip([w])
        clipped.append(bool(np.linalg.norm(w.grad) < norm * (1.0 - 1e-12)))
    assert clipped == [bool(np.sum(norms[:i] < norms[i]) > i // 10) for i in range(3000)]
    assert abs(np.mean(clipped) - expected) < 3.0 * spread


@pytest.mark.parametrize("p", [0, 1, 10, 25, 50, 90, 100])
def test_section_1d_share_of_steps_clipped_at_each_percentile(p):
    """Of t ranks those above p/100 (t - 1) are clipped: all but records at 0, about 1 - p/100, none at 100."""
    ranks, w, clip = np.arange(1, 2001), mg.Value([0.0]), optim.AutoClip(p)
    chance = (ranks - 1 - (ranks - 1) * p // 100) / ranks
    clipped, norms = 0, np.random.default_rng(0).lognormal(size=2000)
    for i, norm in enumerate(norms):
        w.grad = np.array([norm])
        clip([w])
        assert (abs(w.grad[0]) < norm * (1.0 - 1e-12)) == (np.sum(norms[:i] < norm) > i * p // 100)
        clipped += abs(w.grad[0]) < norm * (1.0 - 1e-12)
    spread = math.sqrt(np.sum(chance * (1.0 - chance)))
    assert abs(clipped - chance.sum()) <= 3.0 * spread
    if p == 0:  # then only the smallest so far are not clipped
        assert clipped == 2000 - np.unique(np.minimum.accumulate(norms)).size


@pytest.mark.parametrize("scale", [1e-3, -0.5, 7.0])
def test_section_1d_si_sdr_does_not_hear_the_volume(scale, rng):
    """AutoClip's table is in these decibels; its data set can't be had, so that the score is tested, not the table."""
    source, noise = rng.normal(size=(2, 400))
    noise -= noise @ source / (source @ source) * source  # orthogonal to the source: all of it is distortion
    noise *= np.linalg.norm(source) / np.linalg.norm(noise)
    for decibels in (-3.0, 0.0, 8.3, 10.8):
        estimate = source + 10.0 ** (-decibels / 20.0) * noise
        assert theory.si_sdr(source, estimate) == pytest.approx(decibels, abs=1e-9)
        assert theory.si_sdr(source, scale * estimate) == pytest.approx(decibels, abs=1e-9)
    assert theory.si_sdr(source, scale * 2.0 * source) > 250.0
    assert theory.si_sdr([1.0, 0.0], [0.0, 1.0]) == -math.inf
    with pytest.raises(ValueError, match=r"si_sdr: source \(2,\), estimate \(3,\)"):
        theory.si_sdr([1.0, 0.0], [0.0, 1.0, 2.0])


# ------------------------------------------------------------------------------------------------ where each row is
TRAPS = {
    "T1": "test_row_47_the_papers_bound_is_not_one",
    "T2": "test_row_64_where_it_swings_the_rate_is_the_root_of_beta",
    "T3": "test_row_40_a_rate_that_changes_during_the_run_tells_the_notations_apart",
    "T4": "test_ties_and_repeats",
    "T5": "test_row_34_multi_margin_divides_by_the_classes",
    "T6": "test_cs231n_toy_net_and_its_training",
    "T7": "test_trap_t7_where_eps_stands",
    "T8": "test_trap_t8_the_norm_of_this_step_counts",
    "T9": "test_row_57_two_by_two",
}


def test_every_row_and_trap_of_the_sources_has_a_test():
    """Named after it.  Rows 1 to 31 are the engine's (but for 6-8, 11-15 and 18-21); 85 is a picture of a training."""
    names = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        names |= set(re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    tested = {int(row) for name in names for row in re.findall(r"(?<=row_|ows_|and_)\d\d(?=_)", name)}
    assert set(range(1, 85)) - tested == set()
    assert set(TRAPS.values()) - names == set()
    assert any(["section_1d" in name for name in names])
