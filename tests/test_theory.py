"""`minigrad.theory`: the closed forms, against what training measures; tests are named after the sources table's rows.

Rows 62-73 are Goh, "Why Momentum Really Works" (Distill 2017), with its errata; rows 74-80 are the lecture on
optimisation as filtering; rows 41, 47, 48, 53, 54 and 58 are Goodfellow et al., chapter 8, and Kingma and Ba, "Adam".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest

import minigrad as mg
from minigrad import optim, theory

H = np.array([[3.0, 2.0], [2.0, 3.0]])
SLOW_TO_FAST = np.array([0.01, 0.1, 1.0])
XI = np.array([-0.6, -0.55, -0.5, -0.45, -0.4, 0.4, 0.45, 0.5, 0.55, 0.6])
D = np.array([-1.5, -2.0, -2.5, -1.5, -1.0, 0.5, 1.0, 1.5, 1.0, 0.5])

Make = Callable[[list[Any]], Any]


def sgd(lr: float, **settings: Any) -> Make:
    return lambda params: optim.SGD(params, lr=lr, **settings)


def train(loss: Callable[[Any], Any], start: Any, make: Make, steps: int) -> Any:
    """Every iterate of a run of an optimiser, (steps + 1, *shape)."""
    w = mg.Value(np.array(start, dtype=float))
    optimizer, path = make([w]), [w.data.copy()]
    for _ in range(steps):
        optimizer.zero_grad()
        loss(w).backward()
        optimizer.step()
        path.append(w.data.copy())
    return np.array(path)


def quadratic(A: Any, b: Any = 0.0) -> Callable[[Any], Any]:
    return lambda w: 0.5 * (w @ A @ w) - (b * w).sum()


def bowl(eigenvalues: Any) -> Callable[[Any], Any]:
    """½ Σ λ w²."""
    return lambda w: 0.5 * (eigenvalues * w * w).sum()


def bowl_and_start(rng: np.random.Generator, n: int = 5) -> Any:
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return Q @ np.diag(np.geomspace(0.05, 1.0, n)) @ Q.T, rng.normal(size=n), rng.normal(size=n)


# ---------------------------------------------------------------------------------- 41: how fast can a method be at all
def test_row_41_bounds_on_the_chain_of_201() -> None:
    A, b = theory.chain_quadratic(201)
    slope, best = mg.grad(quadratic(A, b)), np.linalg.solve(A, b)
    f = lambda w: 0.5 * (w @ A @ w) - b @ w  # noqa: E731
    np.testing.assert_allclose(best, 1.0 - np.arange(1, 202) / 202.0, rtol=1e-10)

    descent = train(quadratic(A, b), np.zeros(201), sgd(1.0 / 4.0), 100)[-1]
    x = y = np.zeros(201)
    for weight in theory.nesterov_weights(100):
        old, x = x, y - slope(y) / 4.0
        y = x + weight * (x - old)
    assert f(x) - f(best) == pytest.approx(0.00791, abs=5e-6)
    assert f(descent) - f(best) == pytest.approx(0.03729, abs=1e-5)

    r = np.linalg.norm(best)
    assert theory.nesterov_bound(4.0, r, 100) == pytest.approx(0.0524, abs=5e-5)
    assert theory.gd_bound(4.0, r, 100) == pytest.approx(1.337, abs=5e-4)
    assert theory.lower_bound(4.0, r, 100) == pytest.approx(0.00246, abs=5e-6)
    assert theory.lower_bound(4.0, r, 100) <= f(x) - f(best) <= theory.nesterov_bound(4.0, r, 100)
    assert f(descent) - f(best) <= theory.gd_bound(4.0, r, 100)


# ---------------------------------------------------------------------------------------------- 42-51: adaptive methods
def steps_of(make: Make, gradients: Any) -> Any:
    """The size of each step for these gradients, one after the other."""
    w = mg.Value(np.zeros(1))
    optimizer, sizes = make([w]), []
    for g in gradients:
        before, w.grad = w.data.copy(), np.array([g])
        optimizer.step()
        sizes.append(abs(w.data - before).item())
    return np.array(sizes)


def adam(lr: float = 1.0, betas: tuple[float, float] = (0.9, 0.999), eps: float = 0.0) -> Make:
    return lambda params: optim.Adam(params, lr=lr, betas=betas, eps=eps)


def test_row_42_adagrad_on_a_constant_gradient() -> None:
    sizes = steps_of(lambda params: optim.Adagrad(params, lr=0.1, eps=0.0), np.full(50, 7.0))
    np.testing.assert_allclose(sizes, theory.adagrad_step(np.arange(1, 51), lr=0.1), rtol=1e-12)


@pytest.mark.parametrize("g", [1e-3, 1.0, 1e3])
def test_row_43_rmsprops_first_step(g: float) -> None:
    sizes = steps_of(lambda params: optim.RMSprop(params, lr=0.1, alpha=0.99, eps=0.0), [g])
    assert sizes[0] == pytest.approx(theory.rmsprop_first_step(0.99, lr=0.1), rel=1e-12)


@pytest.mark.parametrize(("t", "ratio"), [(1, 1.0), (100, 0.9758), (1000, 2.5146), (5000, 3.1516)])
def test_row_47_adam_after_silence(t: int, ratio: float) -> None:
    sizes = steps_of(adam(eps=1e-12), [0.0] * (t - 1) + [1.0])
    assert sizes[-1] == pytest.approx(theory.adam_sparse_step(t), rel=1e-9)
    assert sizes[-1] == pytest.approx(ratio, abs=5e-5)
    assert sizes[-1] <= theory.adam_paper_bound()


def test_row_47_the_papers_bound_is_not_one() -> None:
    """Gradients that grow as (β2/β1)ᵏ take steps beyond it, and never beyond B(t)."""
    sizes = steps_of(adam(), (0.999 / 0.9) ** np.arange(400.0))
    assert sizes[-1] == pytest.approx(4.175, abs=1e-3)
    assert sizes[-1] > theory.adam_paper_bound() == pytest.approx(3.1623, abs=5e-5)
    bounds = theory.adam_step_bound(np.arange(1, 401))
    assert (sizes <= bounds * (1.0 + 1e-12)).all()
    np.testing.assert_allclose(sizes, bounds, rtol=1e-9)  # the worst case: it is reached


def test_row_47_limits_of_the_bound() -> None:
    assert theory.adam_step_bound(np.inf) == pytest.approx(7.2703, abs=5e-5)
    assert theory.adam_step_bound(np.inf, 0.9, 0.99) == pytest.approx(2.3452, abs=5e-5)
    assert theory.adam_paper_bound(0.9, 0.99) == 1.0
    sizes = steps_of(adam(betas=(0.9, 0.99)), (0.99 / 0.9) ** np.arange(400.0))
    assert sizes.max() == pytest.approx(2.324, abs=5e-4)
    with pytest.raises(ValueError, match="no bound"):
        theory.adam_step_bound(10, 0.9, 0.8)


def test_row_47_gradients_that_are_not_adversaries_keep_the_papers_bound(rng: np.random.Generator) -> None:
    w = mg.Value(np.zeros(200))
    optimizer, largest = adam(lr=1.0)([w]), 0.0
    for _ in range(200):
        before, w.grad = w.data.copy(), rng.normal(size=200)
        optimizer.step()
        largest = max(largest, np.abs(w.data - before).max())
    assert largest == pytest.approx(1.0, abs=0.01)  # the first step; the readings measured 1.0013


@pytest.mark.parametrize(("mean", "ratio"), [(0.0, 0.182), (0.1, 0.200), (0.5, 0.449), (1.0, 0.708), (3.0, 0.949)])
def test_row_48_signal_to_noise(mean: float, ratio: float, rng: np.random.Generator) -> None:
    w = mg.Value(np.zeros(5000))
    optimizer, sizes = adam()([w]), []
    for t in range(600):
        before, w.grad = w.data.copy(), mean + rng.normal(size=5000)
        optimizer.step()
        if t >= 400:
            sizes.append(np.abs(w.data - before).mean())
    assert np.mean(sizes) == pytest.approx(ratio, abs=2e-3)
    assert theory.adam_snr(mean, 1.0) == pytest.approx(ratio, abs=1.1e-3)
    assert theory.adam_snr(mean, 1.0, beta1=1.0 - 1e-9) == pytest.approx(mean / math.hypot(mean, 1.0), abs=1e-4)


def test_row_49_without_bias_correction() -> None:
    assert theory.adam_uncorrected_step() == pytest.approx(3.1623, abs=5e-5)
    m, v = 0.1 * 2.0, 0.001 * 4.0  # the first averages of a gradient of 2
    assert theory.adam_uncorrected_step(lr=0.01) == pytest.approx(0.01 * m / math.sqrt(v), rel=1e-12)


# ----------------------------------------------------------------------------------- 53, 54, 58: many dimensions, depth
@pytest.mark.parametrize(("n", "fraction"), [(1, 0.498), (2, 0.147), (3, 0.025), (4, 0.0028), (6, 0.0)])
def test_row_53_minima_are_rare_among_random_hessians(n: int, fraction: float, rng: np.random.Generator) -> None:
    measured = theory.positive_definite_fraction(n, 20_000, rng=rng)
    assert measured == pytest.approx(fraction, abs=4.0 * math.sqrt(max(fraction, 1e-5) / 20_000))
    assert measured <= 2.0**-n + 0.02


def test_the_default_generator_is_the_one_that_seed_sets() -> None:
    found = set()
    for _ in range(3):
        mg.seed(0)
        found.add(theory.positive_definite_fraction(2, 200))
    assert len(found) == 1


@pytest.mark.parametrize(("factor", "gain"), [(0.9, 2.656e-5), (1.1, 13780.6)])
def test_row_54_gain_of_a_hundred_layers(factor: float, gain: float) -> None:
    """Measured on a recurrent cell in test_nn_modules.py."""
    assert theory.power_gain(factor, 100) == pytest.approx(gain, rel=1e-4)


def test_row_54_along_an_eigenvector_of_the_layers_matrix() -> None:
    eigenvalues, V = np.linalg.eigh(H / 4.0)  # 1/4 and 5/4
    x = mg.Value(V[:, 1].copy())
    out = x
    for _ in range(30):
        out = (H / 4.0) @ out
    (V[:, 1] * out).sum().backward()
    np.testing.assert_allclose(x.grad, theory.power_gain(eigenvalues[1], 30) * V[:, 1], rtol=1e-10)


@pytest.mark.parametrize(
    ("activation", "gain", "low", "high"),
    [(mg.sigmoid, 1.0, 1e-14, 1e-10), (mg.tanh, 1.0, 0.2, 5.0), (mg.relu, 2.0, 0.2, 5.0)],
)
def test_row_54_the_gradient_in_the_first_of_20_layers(
    activation: Any, gain: float, low: float, high: float, rng: np.random.Generator
) -> None:
    """1.6e-12 of the last layer's with sigmoids, about as large with tanh (Xavier) and relu (He)."""
    layers = [mg.Value(rng.normal(size=(64, 64)) * math.sqrt(gain / 64.0)) for _ in range(20)]
    x = rng.normal(size=(32, 64))
    for W in layers:
        x = activation(x @ W)
    (x * rng.normal(size=(32, 64))).sum().backward()
    ratio = np.linalg.norm(layers[0].grad) / np.linalg.norm(layers[-1].grad)
    assert low < ratio < high


def test_row_58_the_promise_is_the_slope_times_the_step(rng: np.random.Generator) -> None:
    w, x, eps = rng.normal(size=4), 0.7, 0.01
    f = lambda w: mg.prod(w) * x  # noqa: E731
    fun, g = mg.value_and_grad(f)(w)
    assert theory.coordinated_update(w, x, eps) == pytest.approx((fun - eps * (g @ g), f(w - eps * g)), rel=1e-12)


@pytest.mark.parametrize(("eps", "promised", "got"), [(0.1, 0.0, 0.3487), (0.01, 0.9, 0.90438)])
def test_row_58_layers_do_not_know_of_each_other(eps: float, promised: float, got: float) -> None:
    layers = [mg.Value(1.0) for _ in range(10)]

    def product() -> Any:
        out: Any = 1.0
        for w in layers:
            out = out * w
        return out

    product().backward()
    optim.SGD(layers, lr=eps).step()
    assert product().data == pytest.approx(got, abs=5e-5)
    assert theory.coordinated_update(np.ones(10), 1.0, eps) == pytest.approx((promised, product().data), abs=1e-12)


# ------------------------------------------------------------------------------- 62, 63: gradient descent on quadratics
def test_row_62_gradient_descent_in_closed_form(rng: np.random.Generator) -> None:
    A, b, start = bowl_and_start(rng)
    path = train(quadratic(A, b), start, sgd(0.7), 200)
    for k in (0, 1, 10, 200):
        np.testing.assert_allclose(theory.quadratic_gd(A, b, 0.7, k, start), path[k], rtol=0.0, atol=1e-12)


def test_row_62_the_loss_by_modes_has_a_half() -> None:
    path = train(bowl(SLOW_TO_FAST), np.ones(3), sgd(1.5), 20)
    losses = [bowl(SLOW_TO_FAST)(w) for w in path]
    k = np.arange(21)[:, None]
    by_modes = 0.5 * ((1.0 - 1.5 * SLOW_TO_FAST) ** (2 * k) * SLOW_TO_FAST).sum(axis=1)
    np.testing.assert_allclose(losses, by_modes, rtol=1e-12)


def test_row_63_best_step_and_rate() -> None:
    step = theory.optimal_step(0.01, 1.0)
    assert step == pytest.approx(1.9801980, abs=5e-8)
    assert theory.gd_rate(step, SLOW_TO_FAST) == pytest.approx(0.9801980, abs=5e-8)
    assert theory.optimal_gd_rate(100.0) == pytest.approx(theory.gd_rate(step, SLOW_TO_FAST), rel=1e-12)
    path = train(bowl(SLOW_TO_FAST), np.ones(3), sgd(step), 60)
    np.testing.assert_allclose(np.abs(path[60] / path[59]).max(), theory.gd_rate(step, SLOW_TO_FAST), rtol=1e-12)
    tried = theory.gd_rate(np.linspace(0.01, 1.999, 2000), SLOW_TO_FAST)
    assert tried.min() >= theory.gd_rate(step, SLOW_TO_FAST) - 1e-12


@pytest.mark.parametrize(("alpha", "converges"), [(1.999, True), (2.001, False)])
def test_row_63_the_border_of_convergence(alpha: float, converges: bool) -> None:
    path = train(bowl(SLOW_TO_FAST), np.ones(3), sgd(alpha), 300)
    assert (abs(path[-1, 2]) < 1.0) == converges == (theory.gd_rate(alpha, SLOW_TO_FAST) < 1.0)


def steps_until(path: Any, small: float) -> int:
    """The first step at which the distance to 0 is below `small`."""
    return int(np.argmax(np.linalg.norm(path, axis=1) < small))


def test_row_63_and_66_steps_to_1e_8() -> None:
    assert theory.optimal_step(1.0, 5.0) == pytest.approx(1.0 / 3.0, rel=1e-15)
    assert theory.condition_number(H) == pytest.approx(5.0, rel=1e-12)
    descent = train(quadratic(H), [1.0, 0.2], sgd(1.0 / 3.0), 80)
    alpha, beta = theory.optimal_momentum(1.0, 5.0)
    momentum = train(quadratic(H), [1.0, 0.2], sgd(alpha, momentum=beta), 80)
    assert (steps_until(descent, 1e-8), steps_until(momentum, 1e-8)) == (46, 23)


# ------------------------------------------------------------------------------------------------------ 64-67: momentum
def long_run_rate(alpha: float, beta: float, lam: float, steps: int = 400) -> float:
    """The factor per step, measured: the growth of (y, x) over many steps.  Not for double roots."""
    path = train(bowl(np.array([lam])), [1.0], sgd(alpha, momentum=beta), 2 * steps)[:, 0]
    y = -np.diff(path) / alpha  # the velocity that led to each x
    sizes = np.hypot(y, path[1:])
    window = 24
    return float((np.linalg.norm(sizes[-window:]) / np.linalg.norm(sizes[steps - window : steps])) ** (1.0 / steps))


@pytest.mark.parametrize(("product", "rate"), [(2.99, 0.97957), (3.0, 1.0), (3.01, 1.0196)])
def test_row_64_the_border_of_momentum(product: float, rate: float) -> None:
    assert theory.momentum_rate(product, 0.5, 1.0) == pytest.approx(rate, abs=5e-5)
    assert long_run_rate(product, 0.5, 1.0, 200) == pytest.approx(rate, abs=5e-5)
    assert theory.momentum_converges(product, 0.5, 1.0) == (product < 3.0)


def test_row_64_where_it_swings_the_rate_is_the_root_of_beta() -> None:
    """The article prints twice that."""
    assert theory.momentum_rate(1.0, 0.5, 1.0) == pytest.approx(0.70711, abs=5e-6)
    assert long_run_rate(1.0, 0.5, 1.0, 240) == pytest.approx(math.sqrt(0.5), abs=1e-3)
    assert theory.momentum_regime(1.0, 0.5, 1.0) == "ripples"


def test_row_64_the_matrix_is_momentum(rng: np.random.Generator) -> None:
    A, b, start = bowl_and_start(rng)
    path = train(quadratic(A, b), start, sgd(0.7, momentum=0.8), 200)
    for k in (0, 1, 10, 200):
        np.testing.assert_allclose(theory.quadratic_momentum(A, b, 0.7, 0.8, k, start), path[k], rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.81, 0.97])
@pytest.mark.parametrize("product", [0.01, 0.5, 1.7, 3.5])
def test_row_64_rates_are_eigenvalues(beta: float, product: float) -> None:
    eigenvalues = np.linalg.eigvals(theory.momentum_matrix(product / 100.0, beta, 100.0))
    assert theory.momentum_rate(product / 100.0, beta, 100.0) == pytest.approx(np.abs(eigenvalues).max(), abs=1e-7)


def test_row_64_the_five_regions() -> None:
    """The article's marked points, at λ = 100, seen in a run of each."""
    for alpha, beta, region in [
        (0.0015, 0.9, "ripples"),
        (0.0015, 0.125, "monotonic decrease"),
        (0.01, 0.0, "one step"),
        (0.02, 0.05, "monotonic oscillations"),
        (0.025, 0.235, "divergence"),
    ]:
        assert theory.momentum_regime(alpha, beta, 100.0) == region
        x = train(bowl(np.array([100.0])), [1.0], sgd(alpha, momentum=beta), 40)[:, 0]
        signs = np.diff(np.signbit(x[np.abs(x) > 1e-12]).astype(int))
        seen = {
            "ripples": 0 < np.abs(signs).sum() < 10,
            "monotonic decrease": (np.diff(x) < 0.0).all() and (x > 0.0).all(),
            "one step": np.abs(x[1:]).max() < 1e-12,
            "monotonic oscillations": (np.abs(signs) == 1).all() and abs(x[-1]) < 0.1,
            "divergence": abs(x[-1]) > abs(x[0]),
        }
        assert seen[region], (region, x)


def test_row_65_critical_damping() -> None:
    assert theory.critical_beta(1e-4, 100.0) == pytest.approx(0.81, rel=1e-12)
    assert theory.momentum_rate(1e-4, 0.81, 100.0) == pytest.approx(0.9, abs=1e-7)
    others = theory.momentum_rate(1e-4, np.linspace(0.0, 0.999, 1000), 100.0)
    assert others.min() >= 0.9 - 1e-7  # no other momentum is faster
    x = train(bowl(np.array([100.0])), [1.0], sgd(1e-4, momentum=0.81), 200)[:, 0]
    k = np.arange(201)
    np.testing.assert_allclose(x, 0.9**k * (1.0 + 0.1 * k), rtol=1e-9)  # a double root: k times a power


def test_row_66_optimal_momentum() -> None:
    alpha, beta = theory.optimal_momentum(0.01, 1.0)
    assert (alpha, beta) == pytest.approx((3.30578512, 0.66942149), abs=5e-9)
    assert theory.optimal_momentum_rate(100.0) == pytest.approx(0.81818182, abs=5e-9)
    ends = theory.momentum_rate(alpha, beta, np.array([0.01, 1.0]))
    np.testing.assert_allclose(ends, 9.0 / 11.0, atol=1e-7)  # both are critically damped
    assert theory.critical_beta(alpha, 0.01) == pytest.approx(theory.critical_beta(alpha, 1.0), rel=1e-9)


def test_row_66_no_point_of_a_grid_is_better() -> None:
    alphas, betas = np.linspace(2.5, 4.0, 151), np.linspace(0.55, 0.8, 126)
    grid = theory.momentum_rate(alphas[:, None, None], betas[:, None], SLOW_TO_FAST).max(axis=-1)
    i, j = np.unravel_index(grid.argmin(), grid.shape)
    assert theory.optimal_momentum_rate(100.0) <= grid.min() <= 1.01 * theory.optimal_momentum_rate(100.0)
    assert (alphas[i], betas[j]) == pytest.approx((3.3058, 0.6694), rel=0.02)
    assert theory.momentum_rate(3.287, 0.672, SLOW_TO_FAST).max() == pytest.approx(0.8195, abs=3e-4)  # another grid's


def test_row_67_optimal_momentum_overshoots_first() -> None:
    eigenvalues, start = np.array([1.0, 10.0, 100.0]), np.array([1.0, 1.0 / math.sqrt(10.0), 0.1])
    losses = lambda path: 0.5 * (eigenvalues * path * path).sum(axis=1)  # noqa: E731
    alpha, beta = theory.optimal_momentum(1.0, 100.0)
    momentum = losses(train(bowl(eigenvalues), start, sgd(alpha, momentum=beta), 100))
    descent = losses(train(bowl(eigenvalues), start, sgd(theory.optimal_step(1.0, 100.0)), 700))
    assert momentum[0] == descent[0] == pytest.approx(1.5)
    assert (momentum.argmax(), momentum.max()) == (4, pytest.approx(7.2309, abs=5e-5))
    assert (np.diff(descent) < 0.0).all()
    first = lambda losses, small: int(np.argmax(losses < small))  # noqa: E731
    assert [first(momentum, 1e-6), first(momentum, 1e-12)] == [56, 93]
    assert [first(descent, 1e-6), first(descent, 1e-12)] == [346, 691]


@pytest.mark.parametrize("k", [0, 1, 2, 7, 40])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.5), (0.1, 0.9), (0.02, 0.3), (0.01, 0.81), (0.5, 0.0)])
def test_errata_the_power_of_the_matrix(alpha: float, beta: float, k: int) -> None:
    """Rᵏ = s1ᵏ R2 - s2ᵏ R1: the article has R1 and R2 the other way round."""
    R = theory.momentum_matrix(alpha, beta, 1.0)
    expected = np.linalg.matrix_power(R, k)
    np.testing.assert_allclose(theory.momentum_power(alpha, beta, 1.0, k), expected, rtol=0.0, atol=1e-12)


def test_errata_the_printed_power_is_wrong() -> None:
    R = theory.momentum_matrix(0.1, 0.9, 10.0)
    s1, s2 = np.linalg.eigvals(R)
    R1, R2 = ((R - s * np.eye(2)) / (s1 - s2) for s in (s1, s2))
    assert np.abs(s1**3 * R1 - s2**3 * R2 - np.linalg.matrix_power(R, 3)).max() > 0.1
    assert np.abs(s1**3 * R2 - s2**3 * R1 - np.linalg.matrix_power(R, 3)).max() < 1e-12


# ----------------------------------------------------------------------------------- 68-71: regression, filters, graphs
def test_row_68_polynomial_regression_is_ill_conditioned() -> None:
    Z = XI[:, None] ** np.arange(6)
    eigenvalues, Q = theory.eigenfeatures(Z)
    assert eigenvalues == pytest.approx([10.7033, 2.75998, 0.0597976, 0.0147104, 1.36507e-4, 3.30797e-5], rel=1e-5)
    assert eigenvalues[0] / eigenvalues[-1] == pytest.approx(3.2356e5, rel=1e-5)
    alpha = 1.8 / eigenvalues[0]
    steps = theory.steps_to(1.0 - alpha * eigenvalues, 1e-3)
    assert steps.tolist() == [31, 12, 684, 2789, 300900, 1241708]

    fit = lambda w: 0.5 * ((Z @ w - D) ** 2).sum()  # noqa: E731
    best = np.linalg.lstsq(Z, D)[0]
    path = train(fit, np.zeros(6), sgd(alpha), 2789)
    left = np.abs((path - best) @ Q) / np.abs(best @ Q)
    for i, k in enumerate(steps[:4].astype(int)):
        assert left[k, i] < 1e-3 < left[k - 1, i]
    np.testing.assert_allclose(path[500], theory.quadratic_gd(Z.T @ Z, Z.T @ D, alpha, 500, np.zeros(6)), atol=1e-7)


def test_row_69_early_stopping_is_a_filter_like_tikhonovs() -> None:
    Z = XI[:, None] ** np.arange(6)
    eigenvalues, Q = theory.eigenfeatures(Z)
    fit = lambda w: 0.5 * ((Z @ w - D) ** 2).sum()  # noqa: E731
    stopped = train(fit, np.zeros(6), sgd(0.1), 100)[-1]
    by_filter = Q @ (theory.early_stopping_filter(eigenvalues, 0.1, 100) * (Q.T @ (Z.T @ D)))
    np.testing.assert_allclose(stopped, by_filter, rtol=0.0, atol=1e-10)

    eta = theory.equivalent_decay(0.1, 100)
    penalised = np.linalg.solve(Z.T @ Z + eta * np.eye(6), Z.T @ D)
    by_filter = Q @ (theory.tikhonov_filter(eigenvalues, eta) * (Q.T @ (Z.T @ D)))
    np.testing.assert_allclose(penalised, by_filter, rtol=0.0, atol=1e-12)
    both = theory.early_stopping_filter(eigenvalues, 0.1, 100) / theory.tikhonov_filter(eigenvalues, eta)
    assert (both > 0.9).all()
    assert (both < 1.35).all()


def test_row_69_the_identity() -> None:
    lam, eta = np.geomspace(1e-4, 1e2, 50), 0.3
    np.testing.assert_allclose(lam * theory.tikhonov_filter(lam, eta), 1.0 - 1.0 / (1.0 + lam / eta), atol=1e-15)


def colorization(L: Any, colored: Any) -> Callable[[Any], Any]:
    edges = np.argwhere(np.triu(L) < 0.0)
    return lambda w: 0.5 * ((w[colored] - 1.0) ** 2).sum() + 0.5 * ((w[edges[:, 0]] - w[edges[:, 1]]) ** 2).sum()


def test_row_70_colorization_of_a_grid() -> None:
    L = theory.graph_laplacian(100, theory.grid_edges(10, 10))
    A, b = theory.colorization_matrix(L, [0])
    f = colorization(L, [0])
    np.testing.assert_allclose(mg.hessian(f)(np.zeros(100)), A, atol=1e-14)
    np.testing.assert_allclose(mg.grad(f)(np.zeros(100)), -b, atol=1e-14)
    low, high = np.linalg.eigvalsh(A)[[0, -1]]
    assert theory.condition_number(A) == pytest.approx(1804.96, abs=0.005)
    alpha, beta = theory.optimal_momentum(low, high)
    errors = np.abs(train(f, np.zeros(100), sgd(alpha, momentum=beta), 220) - 1.0).max(axis=1)
    assert np.argmax(errors < 1e-3) == 198
    step = theory.optimal_step(low, high)
    error = lambda k: np.abs(theory.quadratic_gd(A, b, step, k, np.zeros(100)) - 1.0).max()  # noqa: E731
    assert error(6311) < 1e-3 < error(6310)


def test_row_70_colorization_of_the_maze() -> None:
    """1858 steps instead of 553,680, from the closed forms: 298 times fewer."""
    free = theory.maze()
    L = theory.graph_laplacian(1120, theory.maze_edges(free))
    A, b = theory.colorization_matrix(L, [448, 560], strength=0.1)  # nodes 449 and 561 counted from one
    eigenvalues, Q = np.linalg.eigh(A)
    low, high = eigenvalues[[0, -1]]
    assert low == pytest.approx(5.1092746e-5, rel=1e-7)
    assert high == pytest.approx(7.9244307, rel=1e-8)
    assert high / low == pytest.approx(155098.9, abs=0.05)
    np.testing.assert_allclose(np.linalg.solve(A, b), 1.0, rtol=1e-9)
    start = Q.T @ -np.ones(1120)
    descent = lambda k: np.abs(Q @ ((1.0 - theory.optimal_step(low, high) * eigenvalues) ** k * start)).max()  # noqa: E731
    assert descent(553_680) < 1e-3 < descent(553_679)
    alpha, beta = theory.optimal_momentum(low, high)
    R = theory.momentum_matrix(alpha, beta, eigenvalues)
    powers = np.linalg.matrix_power(R, 1800)
    errors = []
    for _ in range(60):
        errors.append(np.abs(Q @ (powers[:, 1, 1] * start)).max())
        powers = R @ powers
    assert 1800 + int(np.argmax(np.array(errors) < 1e-3)) == 1858
    assert round(553_680 / 1858) == 298


@pytest.mark.parametrize(
    ("edges", "condition"),
    [(theory.complete_edges(36), 1.0), (theory.grid_edges(6, 6), 27.8564), (theory.path_edges(36), 524.58)],
)
def test_row_71_conditioning_of_graphs(edges: Any, condition: float) -> None:
    assert theory.laplacian_condition(theory.graph_laplacian(36, edges)) == pytest.approx(condition, rel=1e-5)


def test_row_71_needs_a_connected_graph() -> None:
    with pytest.raises(ValueError, match="not connected"):
        theory.laplacian_condition(theory.graph_laplacian(4, [(0, 1), (2, 3)]))


# ------------------------------------------------------------------------------------------- 72, 73: limits of momentum
def test_row_72_convex_rosenbrock() -> None:
    A, b = theory.convex_rosenbrock(400, 1000.0)
    best = np.linalg.solve(A, b)
    np.testing.assert_allclose(best, theory.convex_rosenbrock_solution(400, 1000.0), rtol=0.0, atol=9.1e-12)

    def f(w: Any) -> Any:
        return 0.5 * (w[0] - 1.0) ** 2 + 0.5 * ((w[:-1] - w[1:]) ** 2).sum() + 0.5 * w[-1] ** 2 + 2.0 / 999.0 * (w @ w)

    np.testing.assert_allclose(mg.hessian(f)(np.zeros(400)), A, atol=1e-14)
    alpha, beta = theory.optimal_momentum(*np.linalg.eigvalsh(A)[[0, -1]])
    path = train(f, np.zeros(400), sgd(alpha, momentum=beta), 50)
    for k in (1, 20, 50):
        assert (path[k, k:] == 0.0).all()  # nobody has told them yet
    bound = theory.convex_rosenbrock_solution(51, 1000.0)[-1]
    assert bound == pytest.approx(0.0396923, abs=5e-8)
    assert np.abs(path[50] - best).max() == pytest.approx(bound, rel=1e-9)  # tight


@pytest.mark.parametrize(("n", "condition"), [(25, 214.6), (100, 805.0), (400, 985.0)])
def test_row_72_condition_of_the_finite_one(n: int, condition: float) -> None:
    assert theory.condition_number(theory.convex_rosenbrock(n, 1000.0)[0]) == pytest.approx(condition, abs=0.3)


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, lr=0.1), lambda p: optim.Adagrad(p, lr=0.1)])
def test_row_72_adaptive_methods_are_bound_by_it_too(make: Make) -> None:
    A, b = theory.convex_rosenbrock(60, 1000.0)
    path = train(quadratic(A, b), np.zeros(60), make, 30)
    assert (path[30, 30:] == 0.0).all()
    assert np.abs(path[30] - np.linalg.solve(A, b)).max() >= theory.convex_rosenbrock_solution(31, 1000.0)[-1] * 0.99


@pytest.mark.parametrize(("beta", "variance"), [(0.0, 0.0526316), (0.9, 0.5135135)])
def test_row_73_noise_compounds(beta: float, variance: float, rng: np.random.Generator) -> None:
    assert theory.stationary_variance(0.1, beta, 1.0) == pytest.approx(variance, abs=5e-8)
    R, kick = theory.momentum_matrix(0.1, beta, 1.0), np.array([1.0, -0.1])
    lyapunov = np.linalg.solve(np.eye(4) - np.kron(R, R), np.outer(kick, kick).reshape(-1))[3]
    assert theory.stationary_variance(0.1, beta, 1.0) == pytest.approx(lyapunov, rel=1e-12)

    w = mg.Value(np.zeros(20_000))  # as many runs side by side
    optimizer = optim.SGD([w], lr=0.1, momentum=beta)
    for _ in range(300):
        w.grad = w.data + rng.normal(size=20_000)
        optimizer.step()
    assert w.data.var() == pytest.approx(variance, rel=0.03)


def test_row_73_the_ratio() -> None:
    ratio = theory.stationary_variance(0.1, 0.9, 1.0) / theory.stationary_variance(0.1, 0.0, 1.0)
    assert ratio == pytest.approx(9.8, abs=0.05)
    assert theory.stationary_variance(5.0, 0.5, 1.0) == np.inf


def test_row_73_transient_and_noise_add_up(rng: np.random.Generator) -> None:
    """The article's figure 14: λ = 1, noise of 3, f0 = 1.5."""
    alpha, beta = 0.05, 0.8
    transient, noise = theory.noisy_loss(alpha, beta, 1.0, sigma=3.0, x0=math.sqrt(3.0), k=150)
    exact = [0.5 * x**2 for x in train(bowl(np.ones(1)), [math.sqrt(3.0)], sgd(alpha, momentum=beta), 150)[:, 0]]
    np.testing.assert_allclose(transient, exact, rtol=1e-9, atol=1e-15)
    assert noise[-1] == pytest.approx(0.5 * theory.stationary_variance(alpha, beta, 1.0, 3.0), rel=1e-3)
    w = mg.Value(np.full(20_000, math.sqrt(3.0)))
    optimizer = optim.SGD([w], lr=alpha, momentum=beta)
    for k in range(1, 41):
        w.grad = w.data + 3.0 * rng.normal(size=20_000)
        optimizer.step()
        if k in (1, 5, 40):
            assert 0.5 * (w.data**2).mean() == pytest.approx(transient[k] + noise[k], rel=0.03)


# ------------------------------------------------------------------------------------ 74-77: least squares by its modes
def data_with_modes(s: Any, rng: np.random.Generator) -> Any:
    n = len(s)
    U = np.linalg.qr(rng.normal(size=(n + 3, n)))[0]
    V = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return U @ np.diag(s) @ V.T, V, rng.normal(size=n + 3)


def squared_error(X: Any, y: Any) -> Callable[[Any], Any]:
    return lambda w: ((X @ w - y) ** 2).sum()


S = np.array([3.0, 1.0, 0.5])


@pytest.mark.parametrize(("eta", "rates"), [(0.1, [0.8, 0.8, 0.95]), (0.05, [0.1, 0.9, 0.975])])
def test_row_74_and_76_mode_rates(eta: float, rates: Any, rng: np.random.Generator) -> None:
    """Which mode is learned first depends on the step."""
    X, V, y = data_with_modes(S, rng)
    assert theory.ols_mode_rates(S, eta) == pytest.approx(rates, rel=1e-12)
    path = train(squared_error(X, y), np.zeros(3), sgd(eta), 8)
    modes = (path - np.linalg.pinv(X) @ y) @ V
    np.testing.assert_allclose(np.abs(modes[4] / modes[3]), rates, rtol=1e-7)
    assert np.array(rates).argmin() == 0


def test_row_74_the_largest_and_the_best_step(rng: np.random.Generator) -> None:
    assert theory.ols_max_step(S) == pytest.approx(1.0 / 9.0, rel=1e-15)
    assert theory.ols_mode_rates(S, 0.112).max() == pytest.approx(1.016, rel=1e-12)
    assert theory.ols_optimal_step(S) == pytest.approx(0.1081081, abs=5e-8)
    assert theory.ols_mode_rates(S, theory.ols_optimal_step(S)).max() == pytest.approx(35.0 / 37.0, rel=1e-12)
    X, V, y = data_with_modes(S, rng)
    path = train(squared_error(X, y), np.zeros(3), sgd(1.0 / 9.0), 200)
    modes = np.abs((path - np.linalg.pinv(X) @ y) @ V)[:, 0]
    np.testing.assert_allclose(modes, modes[0], rtol=1e-9)  # on the border it swings, it doesn't diverge


@pytest.mark.parametrize(("b", "limit"), [(1.0, 1.0), (0.5, 3.0), (0.1, 19.0)])
def test_row_75_poles_in_the_unit_circle(b: float, limit: float) -> None:
    assert theory.ema_stability_limit(b) == pytest.approx(limit, rel=1e-12)
    for factor, stable in ((0.99, True), (1.01, False)):
        assert (np.abs(theory.ols_poles(1.0, factor * limit, b)).max() < 1.0) == stable
        make: Make = lambda params: optim.EMAMomentum(params, lr=factor * limit, beta=b)  # noqa: E731, B023
        path = train(lambda w: (w * w).sum(), [1.0], make, 3000)
        assert (np.abs(path[-100:]).max() < 0.5) == stable


def test_row_75_where_poles_are_complex(rng: np.random.Generator) -> None:
    poles = theory.ols_poles(1.0, 0.3, 0.1)
    assert poles[0].imag != 0.0
    np.testing.assert_allclose(np.abs(poles), 0.9487, atol=5e-5)  # √(1 - b)
    w = train(lambda w: (w * w).sum(), [1.0], lambda p: optim.EMAMomentum(p, lr=0.3, beta=0.1), 30)[:, 0]
    middle, product = poles.sum().real, (poles[0] * poles[1]).real
    np.testing.assert_allclose(w[2:], middle * w[1:-1] - product * w[:-2], atol=1e-12)  # the recursion with these poles


def test_row_76_resumed_training_is_bit_identical(rng: np.random.Generator) -> None:
    X, _, y = data_with_modes(S, rng)
    loss, whole = squared_error(X, y), mg.Value(np.zeros(3))

    def steps(w: Any, optimizer: Any, n: int) -> None:
        for _ in range(n):
            optimizer.zero_grad()
            loss(w).backward()
            optimizer.step()

    optimizer = optim.SGD([whole], lr=0.02, momentum=0.9)
    steps(whole, optimizer, 10)
    resumed = mg.Value(whole.data.copy())
    other = optim.SGD([resumed], lr=0.5)
    other.load_state_dict(optimizer.state_dict())
    steps(whole, optimizer, 10)
    steps(resumed, other, 10)
    assert whole.data.tobytes() == resumed.data.tobytes()


MIN_NORM = {
    "gradient descent": sgd(0.01),
    "heavy ball": sgd(0.005, momentum=0.9),
    "nesterov": sgd(0.005, momentum=0.9, nesterov=True),
    "average": lambda params: optim.EMAMomentum(params, lr=0.02, beta=0.2),
}


@pytest.mark.parametrize("name", sorted(MIN_NORM))
@pytest.mark.parametrize("from_zero", [True, False])
def test_row_77_minimum_norm(name: str, from_zero: bool, rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(5, 20)), rng.normal(size=5)
    start = np.zeros(20) if from_zero else rng.normal(size=20)
    found = train(squared_error(X, y), start, MIN_NORM[name], 1500)[-1]
    np.testing.assert_allclose(found, theory.min_norm(X, y, start), rtol=0.0, atol=1e-12)
    if from_zero:
        np.testing.assert_allclose(found, X.T @ np.linalg.solve(X @ X.T, y), rtol=0.0, atol=1e-12)
    else:
        outside = found - np.linalg.pinv(X) @ y
        np.testing.assert_allclose(outside, theory.projector_null(X) @ start, rtol=0.0, atol=1e-12)


def test_row_77_stochastic_gradients_too(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(5, 20)), rng.normal(size=5)
    w = mg.Value(np.zeros(20))
    optimizer = optim.SGD([w], lr=0.02)
    for i in rng.integers(0, 5, size=6000):
        optimizer.zero_grad()
        ((X[i] @ w - y[i]) ** 2).backward()
        optimizer.step()
    np.testing.assert_allclose(w.data, theory.min_norm(X, y), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, lr=0.01), lambda p: optim.Adagrad(p, lr=0.3)])
def test_row_77_not_by_methods_that_scale_coordinates(make: Make, rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(5, 20)), rng.normal(size=5)
    found, least = train(squared_error(X, y), np.zeros(20), make, 3000)[-1], theory.min_norm(X, y)
    np.testing.assert_allclose(X @ found, y, atol=1e-6)  # a solution
    assert np.linalg.norm(found - least) > 0.1
    assert np.linalg.norm(found) > 1.02 * np.linalg.norm(least)


def test_row_77_without_full_row_rank_it_is_the_pseudoinverse(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(5, 20)), rng.normal(size=5)
    X[4] = X[0] + X[1]
    found = train(squared_error(X, y), np.zeros(20), sgd(0.008), 3000)[-1]
    np.testing.assert_allclose(found, theory.min_norm(X, y), rtol=0.0, atol=1e-10)


# --------------------------------------------------------------------------- 78-80: filters, circuits, axes that matter
def averages(b: float, inputs: Any) -> Any:
    """The running average of the optimiser, read from its steps: p moves by lr times it."""
    w = mg.Value(np.zeros(1))
    optimizer, seen = optim.EMAMomentum([w], lr=1.0, beta=b), []
    for u in inputs:
        before, w.grad = w.data.copy(), np.array([u])
        optimizer.step()
        seen.append((before - w.data).item())
    return np.array(seen)


def test_row_78_low_pass_filter(rng: np.random.Generator) -> None:
    impulse = averages(0.1, [1.0] + [0.0] * 29)
    np.testing.assert_allclose(impulse, theory.ema_impulse(0.1, np.arange(30)), rtol=0.0, atol=1e-15)
    step = averages(0.1, np.ones(10))
    np.testing.assert_allclose(step, theory.ema_step(0.1, np.arange(1, 11)), rtol=0.0, atol=1e-14)
    assert step[-1] == pytest.approx(0.6513216, abs=5e-8)
    assert abs(theory.ema_frequency_response(0.1, 0.0)) == pytest.approx(1.0, rel=1e-15)
    assert abs(theory.ema_frequency_response(0.1, np.pi)) == pytest.approx(0.0526316, abs=5e-8)
    alternating = averages(0.1, (-1.0) ** np.arange(400))
    assert abs(alternating[-1]) == pytest.approx(0.1 / 1.9, rel=1e-12)
    noise = averages(0.1, rng.normal(size=30_000))[100:]
    assert theory.ema_noise_gain(0.1) == pytest.approx(0.0526, abs=5e-5)
    assert noise.var() == pytest.approx(theory.ema_noise_gain(0.1), rel=0.06)


@pytest.mark.parametrize("omega", [0.1, 0.5, 2.0])
def test_row_78_a_sine_is_scaled_and_shifted(omega: float) -> None:
    t = np.arange(400)
    out = averages(0.1, np.cos(omega * t))[300:]
    H = theory.ema_frequency_response(0.1, omega)
    np.testing.assert_allclose(out, abs(H) * np.cos(omega * t[300:] + np.angle(H)), rtol=0.0, atol=1e-12)


def test_row_78_the_impulse_response_is_the_transform_of_the_frequency_response() -> None:
    omega = 2.0 * np.pi * np.arange(512) / 512
    np.testing.assert_allclose(np.fft.ifft(theory.ema_frequency_response(0.1, omega)).real,
                               theory.ema_impulse(0.1, np.arange(512)), rtol=0.0, atol=1e-12)  # fmt: skip
    assert (theory.ema_impulse(0.1, np.arange(512)) ** 2).sum() == pytest.approx(theory.ema_noise_gain(0.1), rel=1e-12)


def test_row_78_terminal_velocity() -> None:
    w = mg.Value(np.zeros(1))
    optimizer = optim.SGD([w], lr=0.01, momentum=0.9)
    for _ in range(400):
        before, w.grad = w.data.copy(), np.array([2.0])
        optimizer.step()
    assert (before - w.data).item() == pytest.approx(theory.terminal_velocity(0.9, 2.0, 0.01), rel=1e-12)


def test_row_79_rl_circuit() -> None:
    assert theory.rl_current(1.0) == pytest.approx(0.632121, abs=5e-7)
    dt = 1e-3  # L i' = R (I - i) in steps of dt is the running average with b = R dt / L
    assert averages(dt, np.ones(1000))[-1] == pytest.approx(theory.rl_current(1.0), abs=1e-3)


@pytest.mark.parametrize("R", [0.5, 1.0, 2.0])
def test_row_79_rlc_circuit_is_the_heavy_ball(R: float) -> None:
    """Semi-implicit Euler steps of L C i'' + (L/R) i' + i = I, and momentum on ½ (i - I)²: the same numbers."""
    L, C, dt, I = 1.0, 0.25, 0.01, 1.0  # noqa: E741
    product, beta = theory.rlc_as_momentum(R, L, C, dt)
    assert (product, beta) == pytest.approx((dt**2 / (L * C), 1.0 - dt / (R * C)), rel=1e-15)
    path = train(lambda w: 0.5 * ((w - I) ** 2).sum(), [0.0], sgd(product, momentum=beta), 2000)[:, 0]
    i, v, euler = 0.0, 0.0, [0.0]
    for _ in range(2000):
        v += dt * (-v / (R * C) + (I - i) / (L * C))
        i += dt * v
        euler.append(i)
    np.testing.assert_allclose(path, euler, rtol=0.0, atol=1e-14)
    t = dt * np.arange(2001)
    np.testing.assert_allclose(path, theory.rlc_current(t, R, L, C, I), rtol=0.0, atol=3.0 * dt)


@pytest.mark.parametrize("R", [0.5, 1.0, 1.0 + 1e-6, 2.0])
def test_row_79_rlc_current_solves_its_equation(R: float) -> None:
    L, C, t, h = 1.0, 0.25, np.linspace(0.1, 5.0, 50), 1e-4
    i = lambda t: theory.rlc_current(t, R, L, C, 2.0)  # noqa: E731
    slope, bend = (i(t + h) - i(t - h)) / (2.0 * h), (i(t + h) - 2.0 * i(t) + i(t - h)) / h**2
    np.testing.assert_allclose(L * C * bend + L / R * slope + i(t), 2.0, atol=1e-5)
    assert i(0.0) == pytest.approx(0.0, abs=1e-12)
    assert i(100.0) == pytest.approx(2.0, rel=1e-9)


def test_row_79_critical_resistance_is_critical_momentum() -> None:
    L, C = 1.0, 0.25
    assert theory.critical_resistance(L, C) == 1.0
    assert theory.damping_ratio(1.0, L, C) == 1.0
    t = np.linspace(0.0, 10.0, 1001)
    assert theory.rlc_current(t, 0.99, L, C).max() <= 1.0
    assert theory.rlc_current(t, 2.0, L, C).max() > 1.1  # overshoots
    product, beta = theory.rlc_as_momentum(1.0, L, C, 1e-4)
    assert theory.critical_beta(product, 1.0) == pytest.approx(beta, abs=1e-7)


def test_row_79_the_circuit_is_stable_its_imitation_not_always() -> None:
    product, beta = theory.rlc_as_momentum(2.0, 1.0, 0.25, 0.7)
    assert product > 2.0 + 2.0 * beta
    assert theory.momentum_rate(product, beta, 1.0) == pytest.approx(1.61, abs=5e-3)
    assert theory.rlc_current(100.0, 2.0, 1.0, 0.25) == pytest.approx(1.0, rel=1e-12)


def test_row_80_coordinates_matter_to_adaptive_methods() -> None:
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / math.sqrt(2.0)
    A, start = np.diag([1.0, 100.0]), np.array([1.0, 0.3])
    distances = {}
    for name, make in {"gd": sgd(0.01), "adam": adam(lr=0.01, eps=1e-8)}.items():
        straight = train(quadratic(A), start, make, 100)
        turned = train(quadratic(turn @ A @ turn.T), turn @ start, make, 100)
        distances[name] = np.abs(turned - straight @ turn.T).max()
    assert distances["gd"] < 1e-15
    assert distances["adam"] == pytest.approx(0.48, abs=5e-3)


# ------------------------------------------------------------------------------------------------------- 83: whitening
def test_row_83_whitened_data_has_the_identity_as_covariance(rng: np.random.Generator) -> None:
    X = rng.normal(size=(200, 4)) @ np.diag([10.0, 3.0, 1.0, 0.5]) @ np.linalg.qr(rng.normal(size=(4, 4)))[0] + 5.0
    centred, W = X - X.mean(axis=0), theory.zca_matrix(X)
    white = centred @ W
    np.testing.assert_allclose(white.T @ white / 200.0, np.eye(4), rtol=0.0, atol=1e-6)
    np.testing.assert_allclose(W, W.T, atol=1e-12)
    moved = ((white - centred) ** 2).sum()
    for _ in range(20):  # other whitenings: turned
        turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
        assert ((white @ turn - centred) ** 2).sum() > moved


def test_row_83_one_step_is_enough_on_white_data(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(200, 4)) * [10.0, 3.0, 1.0, 0.1], rng.normal(size=200)
    white = (X - X.mean(axis=0)) @ theory.zca_matrix(X, eps=0.0)
    assert theory.condition_number(white.T @ white) == pytest.approx(1.0, rel=1e-9)
    path = train(lambda w: ((white @ w - y) ** 2).mean(), np.zeros(4), sgd(0.5), 1)
    np.testing.assert_allclose(path[1], np.linalg.lstsq(white, y)[0], rtol=1e-9)


# ----------------------------------------------------------------------------------------------------------- properties
betas = hypothesis.strategies.floats(0.0, 0.999)
products = hypothesis.strategies.floats(1e-3, 5.0)


@hypothesis.given(betas, products)
def test_rate_below_1_is_convergence(beta: float, product: float) -> None:
    hypothesis.assume(abs(product - 2.0 - 2.0 * beta) > 1e-6)
    assert (theory.momentum_rate(product, beta, 1.0) < 1.0) == theory.momentum_converges(product, beta, 1.0)


@hypothesis.given(betas, products)
def test_no_rate_is_below_the_root_of_beta(beta: float, product: float) -> None:
    """The product of the two eigenvalues is β."""
    assert theory.momentum_rate(product, beta, 1.0) >= math.sqrt(beta) * (1.0 - 1e-12)


@hypothesis.given(hypothesis.strategies.floats(1e-3, 1.0), hypothesis.strategies.floats(1.0, 1e4))
def test_momentum_is_never_worse_than_descent_in_the_long_run(low: float, kappa: float) -> None:
    high = low * kappa
    alpha, beta = theory.optimal_momentum(low, high)
    best = theory.optimal_momentum_rate(kappa)
    assert best <= theory.optimal_gd_rate(kappa) + 1e-12
    between = theory.momentum_rate(alpha, beta, np.geomspace(low, high, 9))
    np.testing.assert_allclose(between, best, atol=1e-6)  # every mode at the same rate, √β


@hypothesis.given(hypothesis.strategies.lists(hypothesis.strategies.floats(-1e3, 1e3), min_size=1, max_size=40))
def test_adam_never_steps_beyond_its_bound(gradients: list[float]) -> None:
    hypothesis.assume(abs(gradients[0]) > 1e-6)
    sizes = steps_of(adam(), gradients)
    assert (sizes <= theory.adam_step_bound(np.arange(1, len(sizes) + 1)) * (1.0 + 1e-9)).all()


@pytest.mark.parametrize("call", [theory.optimal_step, theory.optimal_momentum])
def test_eigenvalues_are_ordered_and_positive(call: Any) -> None:
    for low, high in ((0.0, 1.0), (2.0, 1.0), (-1.0, 1.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="expected 0 < l1 <= ln"):
            call(low, high)


def test_a_singular_matrix_has_infinite_condition() -> None:
    assert theory.condition_number(np.zeros((2, 2))) == math.inf
    assert theory.condition_number(np.diag([-4.0, 1.0])) == 4.0  # sizes of eigenvalues
