"""What CS231n's notebooks and case study print, where it isn't an array of a layer, loss or rule (sources, section 3).

Arrays of layers and losses are in test_nn.py, test_nn_modules.py and test_losses.py, those of optimisers in
test_optim.py and test_optim_rows.py.  The marks of CIFAR-10 models need its images, which are not shipped.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F


def relative_error(x, y):
    """The notebooks' own: the largest |x - y| / max(1e-8, |x| + |y|)."""
    return np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y)))


# --------------------------------------------------------------------------- the errors that the notebooks ask for
def affine(x, w, b):
    return x.reshape(x.shape[0], -1) @ w + b


def conv(x, w, b):
    return F.conv2d(x, w, b, stride=2, padding=1)


def pool(x):
    return F.max_pool2d(x, 2, stride=2)


LAYERS = {  # name: (function, shapes of its inputs, the notebook's error of each gradient)
    "affine": (affine, [(10, 2, 3), (6, 5), (5,)], 1e-10),
    "relu": (mg.relu, [(10, 10)], 1e-12),
    "affine_relu": (lambda x, w, b: mg.relu(affine(x, w, b)), [(2, 3, 4), (12, 10), (10,)], 1e-10),
    "conv": (conv, [(4, 3, 5, 5), (2, 3, 3, 3), (2,)], 1e-8),
    "max_pool": (pool, [(3, 2, 8, 8)], 1e-12),
}


@pytest.mark.parametrize("name", LAYERS)
def test_cs231n_errors_of_backward_passes(name, rng, finite_differences):
    """Errors of 1e-12 can be measured with numbers of few digits only: halves, in any order, and whole slopes."""
    f, shapes, target = LAYERS[name]
    if target == 1e-12:
        inputs = [rng.permutation(math.prod(shape)).reshape(shape) - 20.5 for shape in shapes]
        upstream, step = rng.integers(-9, 9, size=f(*inputs).shape).astype(float), 0.125
    else:
        inputs = [rng.normal(size=shape) for shape in shapes]
        upstream, step = rng.normal(size=f(*inputs).shape), 1e-3
    loss = lambda *xs: (f(*xs) * upstream).sum()  # noqa: E731
    slopes = mg.grad(loss, argnums=tuple(range(len(inputs))))(*inputs)
    measured = finite_differences(loss, inputs, step)
    for slope, by_differences in zip(slopes, measured, strict=True):
        assert relative_error(slope, by_differences) < 10.0 * target  # "errors should be around" it


def test_cs231n_errors_of_forward_passes(rng):
    """Against loops, as the notebooks' naive versions are."""
    x, w, b = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(3, 3, 4, 4)), rng.normal(size=3)
    padded, out = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), np.zeros((2, 3, 2, 2))
    pooled = np.zeros((2, 3, 2, 2))
    for n, k, i, j in np.ndindex(out.shape):
        out[n, k, i, j] = (padded[n, :, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] * w[k]).sum() + b[k]
        pooled[n, k, i, j] = x[n, k, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max()
    assert relative_error(conv(x, w, b), out) < 1e-8
    assert relative_error(pool(x), pooled) < 1e-8
    v, u, c = rng.normal(size=(2, 5)), rng.normal(size=(5, 4)), rng.normal(size=4)
    by_hand = np.array([[sum(v[i, k] * u[k, j] for k in range(5)) + c[j] for j in range(4)] for i in range(2)])
    assert relative_error(affine(v, u, c), by_hand) < 1e-9
    assert relative_error(mg.relu(v), np.array([[max(0.0, e) for e in row] for row in v])) < 1e-8


@pytest.mark.parametrize("reg", [0.0, 0.7])
@pytest.mark.parametrize(("sizes", "mark"), [([5, 50, 7], 1e-7), ([15, 20, 30, 10], 1e-6)])
def test_cs231n_errors_of_networks(reg, sizes, mark, rng, finite_differences):
    """The two-layer net is to be below 1e-7 (1e-5 may occur on W2 with reg = 0, at kinks), deeper ones about 1e-6."""
    X, y = rng.normal(size=(3, sizes[0])), np.array([0, 5, 1])
    shapes = [shape for a, b in itertools.pairwise(sizes) for shape in ((a, b), (b,))]
    inputs = [0.3 * rng.normal(size=shape) for shape in shapes]

    def loss(*parameters):
        h, weights, biases = X, parameters[::2], parameters[1::2]
        for w, b in zip(weights, biases, strict=True):
            h = affine(h if w is weights[0] else mg.relu(h), w, b)
        return F.cross_entropy(h, y) + 0.5 * reg * sum([(w * w).sum() for w in weights])

    slopes = mg.grad(loss, argnums=tuple(range(len(inputs))))(*inputs)
    for slope, measured in zip(slopes, finite_differences(loss, inputs, 1e-4), strict=True):
        assert relative_error(slope, measured) < mark


# ------------------------------------------------------------------------------------------------- sanity checks
def test_cs231n_the_loss_rises_with_the_penalty(rng):
    """-log 0.1 at first; every step up in the regularisation adds ½ reg ‖W‖²."""
    model, X, y = nn.MLP([64, 30, 10], rng=0), rng.normal(size=(50, 64)), rng.integers(0, 10, 50)
    for p in model.parameters():
        p.data = 1e-3 * p.data
    squares = sum([float((p.data**2).sum()) for name, p in model.named_parameters() if name.endswith("weight")])
    losses = [F.cross_entropy(model(X), y).item() + 0.5 * reg * squares for reg in (0.0, 3.14, 1e4)]
    assert losses[0] == pytest.approx(-math.log(0.1), abs=1e-4)
    assert losses[0] < losses[1] < losses[2]


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    split = data.load_digits()
    return split.X_train, split.y_train


@pytest.mark.parametrize("hidden", [[100, 100], [100, 100, 100, 100]], ids=["3 layers", "5 layers"])
def test_cs231n_50_images_are_learned_by_heart_in_20_epochs(digits, hidden):
    X, y = digits[0][:50], digits[1][:50]
    model = nn.MLP([64, *hidden, 10], rng=0)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(20):
        for rows in (slice(0, 25), slice(25, 50)):
            optimizer.zero_grad()
            F.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
    assert np.array_equal(model(X).data.argmax(axis=1), y)


def test_cs231n_a_step_that_is_too_small_a_good_one_and_one_that_overshoots(digits):
    """The shape of the notes' table: the loss after one step falls as the gradient says, has a best step, and rises.

    With CIFAR-10: 2.200718 at first, 1.647802 after the step 1e-6, 2.844355 after 1e-5.
    """
    X, y = digits
    W, b = mg.Value(np.zeros((64, 10))), mg.Value(np.zeros(10))
    loss = F.multiclass_hinge_loss(X @ W + b, y)
    loss.backward()
    squares = float((W.grad**2).sum() + (b.grad**2).sum())

    def after(step):
        return F.multiclass_hinge_loss(X @ (W.data - step * W.grad) + (b.data - step * b.grad), y)

    assert loss.item() == 9.0
    steps = 10.0 ** np.arange(-8.0, 3.0)
    losses = np.array([after(step) for step in steps])
    best = int(losses.argmin())
    assert (np.diff(losses[: best + 1]) < 0.0).all()
    assert (np.diff(losses[best:]) > 0.0).all()
    assert 0 < best < len(steps) - 1
    assert losses[-1] > 9.0 > losses[best]
    assert 9.0 - losses[0] == pytest.approx(
        steps[0] * squares, rel=1e-6
    )  # far below the best: the slope times the step


# ---------------------------------------------------------------------------------------- the spiral's case study
def spiral(seed):
    """The notes' points, 100 on each of three arms, from their own generator."""
    np.random.seed(seed)
    X, y = np.zeros((300, 2)), np.repeat(np.arange(3), 100)
    for j in range(3):
        r, t = np.linspace(0.0, 1.0, 100), np.linspace(j * 4, (j + 1) * 4, 100) + np.random.randn(100) * 0.2
        X[y == j] = np.c_[r * np.sin(t), r * np.cos(t)]
    return X, y


def train(model, weights, X, y, steps):
    """Steps of size 1 on the whole set with the penalty ½ 1e-3 ‖W‖²; the losses on the way."""
    groups = [{"params": weights, "weight_decay": 1e-3}]
    biases = [p for p in model.parameters() if not any([p is w for w in weights])]
    optimizer, losses = optim.SGD([*groups, {"params": biases}], lr=1.0), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X), y)
        loss.backward()
        losses.append(loss.item() + 0.5e-3 * sum([float((w.data**2).sum()) for w in weights]))
        optimizer.step()
    return losses


@pytest.mark.parametrize(("seed", "accuracy"), [(0, 0.4933), (1, 0.52), (2, 0.5133), (3, 0.5333), (4, 0.5033)])
def test_cs231n_spiral_with_lines(seed, accuracy):
    """Published, of a seed that isn't known: 1.096956 at first, .786302 at step 190, 49 %.

    The first loss is log 3 but for the small weights; .786302 is that of seed 0, to all its digits.
    """
    X, y = spiral(seed)
    model = nn.Linear(2, 3)
    model.weight.data, model.bias.data = 0.01 * np.random.randn(2, 3).T, np.zeros(3)
    losses = train(model, [model.weight], X, y, 200)
    assert losses[0] == pytest.approx(math.log(3.0), abs=3e-3)
    if seed == 0:
        assert losses[0] == pytest.approx(1.096919, abs=5e-7)
        assert losses[190] == pytest.approx(0.786302, abs=5e-7)
    assert np.mean(model(X).data.argmax(axis=1) == y) == pytest.approx(accuracy, abs=5e-5)
    assert 0.45 <= accuracy <= 0.58


def test_cs231n_spiral_with_a_hidden_layer():
    """1.098637 at first and .294416 at step 1000, with the weights drawn after the line's.

    Later steps amplify rounding: at 9000 NumPy's run has .245214, ours .244977, the notes .245292.  That it ends in
    [.235, .26] with at least 97 % is tested with the demo.
    """
    X, y = spiral(0)
    np.random.randn(2, 3)
    model = nn.MLP([2, 100, 3])
    weights, biases = list(model.parameters())[::2], list(model.parameters())[1::2]
    for w, b in zip(weights, biases, strict=True):
        w.data, b.data = 0.01 * np.random.randn(*w.shape[::-1]).T, np.zeros(b.shape)
    losses = train(model, weights, X, y, 1001)
    assert losses[0] == pytest.approx(1.098637, abs=5e-7)
    assert losses[1000] == pytest.approx(0.294416, abs=5e-7)
    assert np.mean(model(X).data.argmax(axis=1) == y) > 0.9
