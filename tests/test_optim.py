"""The optimisers: formulas, what a step does to parameters and state, and what is refused.

PyTorch's trajectories are in test_optim_torch.py, the readings' numbers in test_optim_rows.py.
"""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import DtypeError, GradientError, MinigradError, ShapeError

EVERY = {
    "SGD": lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.5),
    "EMAMomentum": lambda p: optim.EMAMomentum(p, 0.1, nesterov=True, weight_decay=0.5),
    "Adagrad": lambda p: optim.Adagrad(p, 0.1, lr_decay=0.1, weight_decay=0.5, initial_accumulator_value=0.1),
    "RMSprop": lambda p: optim.RMSprop(p, 0.05, momentum=0.5, centered=True, nesterov=True, weight_decay=0.5),
    "Adadelta": lambda p: optim.Adadelta(p, weight_decay=0.5),
    "Rprop": lambda p: optim.Rprop(p, 0.1),
    "Adam": lambda p: optim.Adam(p, 0.05, weight_decay=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, 0.05),
    "NAdam": lambda p: optim.NAdam(p, 0.05, weight_decay=0.5),
    "RAdam": lambda p: optim.RAdam(p, 0.05, betas=(0.9, 0.8), decoupled_weight_decay=True, weight_decay=0.5),
    "Adamax": lambda p: optim.Adamax(p, 0.05, weight_decay=0.5),
}
every_optimiser = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)

A = np.array([[3.0, 2.0], [2.0, 3.0]])  # eigenvalues 1 and 5 (Goodfellow et al., figure 4.6)


def descend(make, steps, start=(1.0, 0.5)):
    """The path of an optimiser on ½ wᵀ A w."""
    w = mg.Value(np.array(start))
    optimizer = make([w])
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        (w @ A @ w * 0.5).backward()
        optimizer.step()
        path.append(w.data.copy())
    return np.array(path)


# ------------------------------------------------------------------------------------------- numbers that need no torch
def test_plain_sgd_is_one_matrix_per_step():
    path = descend(lambda p: optim.SGD(p, lr=0.1), 50)
    expected = [np.linalg.matrix_power(np.eye(2) - 0.1 * A, k) @ [1.0, 0.5] for k in range(1, 51)]
    np.testing.assert_allclose(path, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_the_textbooks_recursion(momentum, nesterov):
    """Goodfellow's v <- momentum v - lr g, with the gradient at the look-ahead point for Nesterov.

    PyTorch's form keeps the look-ahead point as the parameter, so Nesterov's are compared there.
    """
    path = descend(lambda p: optim.SGD(p, lr=0.02, momentum=momentum, nesterov=nesterov), 200)
    theta, v, expected = np.array([1.0, 0.5]), np.zeros(2), []
    for _ in range(200):
        ahead = theta + momentum * v if nesterov else theta
        v = momentum * v - 0.02 * A @ ahead
        theta = theta + v
        expected.append(theta + momentum * v if nesterov else theta)
    np.testing.assert_allclose(path, expected, rtol=1e-9, atol=1e-14)


def test_dampening_spares_the_first_step():
    w = mg.Value([0.0])
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5, dampening=0.25)
    path = []
    for g in (1.0, 1.0, 2.0):
        w.grad = np.array([g])
        optimizer.step()
        path.append(w.data.item())
    assert path == [-1.0, -1.0 - (0.5 + 0.75), -2.25 - (0.5 * 1.25 + 1.5)]


def test_weight_decay_is_the_gradient_of_half_the_square():
    a, b = mg.Value([1.0, -2.0]), mg.Value([1.0, -2.0])
    decayed, penalised = optim.SGD([a], lr=0.1, weight_decay=0.3), optim.SGD([b], lr=0.1)
    for _ in range(20):
        for w, optimizer, penalty in ((a, decayed, 0.0), (b, penalised, 0.3)):
            optimizer.zero_grad()
            ((w - 1.0) * (w - 1.0) + w * w * (penalty / 2.0)).sum().backward()
            optimizer.step()
    np.testing.assert_allclose(a.data, b.data, rtol=1e-14)


W, DW = np.linspace(-0.4, 0.6, 20).reshape(4, 5), np.linspace(-0.6, 0.4, 20).reshape(4, 5)


def test_cs231n_momentum_array():
    w, v = mg.Value(W), np.linspace(0.6, 0.9, 20).reshape(4, 5)
    optimizer = optim.SGD([w], lr=1e-3, momentum=0.9)
    state = optimizer.state_dict()
    state["state"] = {0: {"step": 1, "momentum_buffer": -v / 1e-3}}  # CS231n's velocity has the learning rate in it
    optimizer.load_state_dict(state)
    w.grad = DW
    optimizer.step()
    velocity = -1e-3 * optimizer.state_dict()["state"][0]["momentum_buffer"]
    np.testing.assert_allclose([w.data[0, 0], w.data[-1, -1]], [0.1406, 1.4096], rtol=1e-8)
    np.testing.assert_allclose([velocity[0, 0], velocity[-1, -1]], [0.5406, 0.8096], rtol=1e-8)


def test_cs231n_adam_array():
    w = mg.Value(W)
    optimizer = optim.Adam([w], lr=1e-2)
    m, v = np.linspace(0.6, 0.9, 20).reshape(4, 5), np.linspace(0.7, 0.5, 20).reshape(4, 5)
    state = optimizer.state_dict()
    state["state"] = {0: {"step": 5, "exp_avg": m, "exp_avg_sq": v}}
    optimizer.load_state_dict(state)
    w.grad = DW
    optimizer.step()
    after = optimizer.state_dict()["state"][0]
    expected = [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977]
    np.testing.assert_allclose(w.data[0], expected, rtol=1e-7)
    assert after["step"] == 6
    assert after["exp_avg"][0, 0] == pytest.approx(0.48)
    assert after["exp_avg"][-1, -1] == pytest.approx(0.85)
    assert after["exp_avg_sq"][0, 0] == pytest.approx(0.69966)


def test_adam_is_kingma_and_bas_algorithm():
    path = descend(lambda p: optim.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1), 200)
    w, m, v = np.array([1.0, 0.5]), np.zeros(2), np.zeros(2)
    for t in range(1, 201):
        g = A @ w + 0.1 * w
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        w = w - 0.05 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        np.testing.assert_allclose(path[t - 1], w, rtol=0, atol=1e-12)


# ------------------------------------------------------------------------------------- each rule, number by number
def adagrad(gs, lr=0.1, decay=0.2, r=0.5, eps=1e-3):
    for t, g in enumerate(gs):
        r += g * g
        yield -lr / (1.0 + t * decay) * g / (math.sqrt(r) + eps)


def rmsprop_centered(gs, lr=0.1, alpha=0.8, eps=1e-2, momentum=0.5):
    r = a = b = 0.0
    for g in gs:
        r, a = alpha * r + (1.0 - alpha) * g * g, alpha * a + (1.0 - alpha) * g
        b = momentum * b + g / (math.sqrt(r - a * a) + eps)
        yield -lr * b


def adadelta(gs, lr=0.5, rho=0.8, eps=1e-3):
    r = s = 0.0
    for g in gs:
        r = rho * r + (1.0 - rho) * g * g
        d = math.sqrt((s + eps) / (r + eps)) * g
        s = rho * s + (1.0 - rho) * d * d
        yield -lr * d


def rprop(gs, lr=0.1, etas=(0.4, 1.5), sizes=(0.03, 0.3)):
    s, last = lr, 0.0
    for g in gs:
        s = min(sizes[1], max(sizes[0], s * (etas[1] if g * last > 0 else etas[0] if g * last < 0 else 1.0)))
        last = 0.0 if g * last < 0 else g
        yield -s * ((last > 0) - (last < 0))


def adamax(gs, lr=0.1, b1=0.8, b2=0.7, eps=1e-2):
    m = u = 0.0
    for t, g in enumerate(gs, 1):
        m, u = b1 * m + (1.0 - b1) * g, max(b2 * u, abs(g) + eps)
        yield -lr * m / (1.0 - b1**t) / u


def nadam(gs, lr=0.1, b1=0.8, b2=0.9, eps=1e-2, decay=0.5):
    m = v = 0.0
    mu = [b1 * (1.0 - 0.5 * 0.96 ** (t * decay)) for t in range(len(gs) + 2)]
    for t, g in enumerate(gs, 1):
        m, v = b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g
        now, soon = 1.0 - math.prod(mu[1 : t + 1]), 1.0 - math.prod(mu[1 : t + 2])
        yield -lr * ((1.0 - mu[t]) * g / now + mu[t + 1] * m / soon) / (math.sqrt(v / (1.0 - b2**t)) + eps)


def radam(gs, lr=0.1, b1=0.8, b2=0.9, eps=1e-2):
    m = v = 0.0
    rho = 2.0 / (1.0 - b2) - 1.0
    for t, g in enumerate(gs, 1):
        m, v = b1 * m + (1.0 - b1) * g, b2 * v + (1.0 - b2) * g * g
        m_hat, seen = m / (1.0 - b1**t), rho - 2.0 * t * b2**t / (1.0 - b2**t)
        if seen > 5.0:
            r = math.sqrt((seen - 4.0) * (seen - 2.0) * rho / ((rho - 4.0) * (rho - 2.0) * seen))
            yield -lr * m_hat * r * math.sqrt(1.0 - b2**t) / (math.sqrt(v) + eps)
        else:
            yield -lr * m_hat


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda p: optim.Adagrad(p, 0.1, lr_decay=0.2, initial_accumulator_value=0.5, eps=1e-3), adagrad),
        (lambda p: optim.RMSprop(p, 0.1, alpha=0.8, eps=1e-2, momentum=0.5, centered=True), rmsprop_centered),
        (lambda p: optim.Adadelta(p, 0.5, rho=0.8, eps=1e-3), adadelta),
        (lambda p: optim.Rprop(p, 0.1, etas=(0.4, 1.5), step_sizes=(0.03, 0.3)), rprop),
        (lambda p: optim.Adamax(p, 0.1, betas=(0.8, 0.7), eps=1e-2), adamax),
        (lambda p: optim.NAdam(p, 0.1, betas=(0.8, 0.9), eps=1e-2, momentum_decay=0.5), nadam),
        (lambda p: optim.RAdam(p, 0.1, betas=(0.8, 0.9), eps=1e-2), radam),
    ],
    ids=lambda x: x.__name__ if x.__name__ != "<lambda>" else "",
)
def test_a_rule_is_its_papers_formula(make, steps, rng):
    gs = [*rng.normal(0.5, 1.0, 30).tolist(), 0.0, 0.001, -0.001]
    w = mg.Value(0.0)
    optimizer, at = make([w]), 0.0
    for g, step in zip(gs, steps(gs), strict=True):
        w.grad = g
        optimizer.step()
        at += step
        assert w.data == pytest.approx(at, rel=1e-12, abs=1e-13)


@every_optimiser
def test_maximize_is_the_descent_of_the_negative(make, rng):
    a, b = mg.Value([1.0, 2.0]), mg.Value([1.0, 2.0])
    down, up = make([a]), make([b])
    up.param_groups[0]["maximize"] = True
    for g in rng.normal(size=(10, 2)):
        a.grad, b.grad = g, -g
        down.step()
        up.step()
    assert np.array_equal(a.data, b.data)


def test_decoupled_decay_is_no_part_of_the_gradient():
    """Lr times weight_decay of p itself, whatever the gradient's size."""
    for make in (optim.AdamW, lambda p, **s: optim.NAdam(p, decoupled_weight_decay=True, **s)):
        a, b = mg.Value(2.0), mg.Value(2.0)
        a.grad = b.grad = 5.0
        make([a], lr=0.1, weight_decay=0.0).step()
        make([b], lr=0.1, weight_decay=0.3).step()
        assert a.data - b.data == pytest.approx(0.1 * 0.3 * 2.0)


# --------------------------------------------------------------------------------------------------------- parameters
@every_optimiser
def test_a_parameter_without_gradient_is_skipped_entirely(make):
    a, b, c = mg.Value([1.0]), mg.Value([2.0]), mg.Value(3.0)
    optimizer = make([a, b, c])
    a.grad = np.ones(1)
    optimizer.step()
    assert (b.data.tolist(), c.data) == ([2.0], 3.0)
    assert list(optimizer.state_dict()["state"]) == [0]
    b.grad, c.grad = np.ones(1), 1.0
    optimizer.step()
    assert [m["step"] for m in optimizer.state_dict()["state"].values()] == [2, 1, 1]
    fresh = mg.Value([2.0])
    late = make([fresh])
    fresh.grad = np.ones(1)
    late.step()
    assert fresh.data == b.data  # as if its first step were the optimiser's


def test_scalars_arrays_and_float32_side_by_side():
    def leaves():
        return [mg.Value(1.0), mg.Value([1.0, 1.0]), mg.Value(np.float32(1.0)), mg.Value(np.ones((2, 1), np.float32))]

    together, apart = leaves(), leaves()
    optimizers = [optim.Adam(together, lr=0.1)], [optim.Adam([p], lr=0.1) for p in apart]
    for ps, os in zip((together, apart), optimizers, strict=True):
        for _ in range(5):
            for p in ps:
                p.grad = None
                (p * p * p).sum().backward()
            for o in os:
                o.step()
    for p, q, kind in zip(together, apart, (float, np.ndarray, np.ndarray, np.ndarray), strict=True):
        assert type(p.data) is kind
        assert np.array_equal(p.data, q.data)
    assert [p.dtype for p in together] == [np.float64, np.float64, np.float32, np.float32]
    assert [p.shape for p in together] == [(), (2,), (), (2, 1)]


def test_groups_have_their_own_settings():
    a, b = mg.Value([1.0]), mg.Value([1.0])
    optimizer = optim.SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1)
    optimizer.add_param_group({"params": (c for c in [mg.Value(1.0, label="c")]), "weight_decay": 1.0})
    c = optimizer.param_groups[2]["params"][0]
    for p in (a, b, c):
        p.grad = p.data * 0.0 + 1.0
    optimizer.step()
    assert (a.data.item(), b.data.item(), c.data) == (0.5, 0.9, 0.8)
    optimizer.param_groups[1]["lr"] = 0.2  # as schedules do
    optimizer.step()
    assert b.data.item() == pytest.approx(0.7)


def test_users_arrays_are_never_written():
    start = np.ones(3)
    replaced = np.full(3, 7.0)
    w = mg.Value(start)
    optimizer = optim.SGD([w], lr=1.0)
    w.grad = np.ones(3)
    optimizer.step()
    w.data = replaced  # rebinding: taken over at the next step
    optimizer.step()
    assert start.tolist() == [1.0] * 3
    assert replaced.tolist() == [7.0] * 3
    assert w.data.tolist() == [6.0] * 3
    w.data[0] = 100.0  # and writing into it
    optimizer.step()
    assert w.data.tolist() == [99.0, 5.0, 5.0]
    gradient = np.ones(3)
    w.grad = gradient
    optim.Adam([w], weight_decay=0.1).step()
    assert gradient.tolist() == [1.0] * 3


def test_parameters_that_swap_their_arrays():
    a, b = mg.Value([1.0, 2.0]), mg.Value([3.0, 4.0])
    optimizer = optim.SGD([a, b], lr=1.0)
    a.data, b.data = b.data, a.data
    a.grad, b.grad = np.zeros(2), np.zeros(2)
    optimizer.step()
    assert (a.data.tolist(), b.data.tolist()) == ([3.0, 4.0], [1.0, 2.0])


@pytest.mark.parametrize("start", [2.0, np.array([2.0, 3.0])], ids=["scalar", "array"])
def test_two_optimisers_on_one_model_see_each_others_steps(start):
    w = mg.Value(start)
    first, second = optim.SGD([w], lr=0.1), optim.SGD([w], lr=0.01, momentum=0.9)
    expected, v = np.array(start), 0.0
    for _ in range(5):
        for optimizer in (first, second):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
        expected = expected - 0.1 * 2.0 * expected
        v = 0.9 * v + 2.0 * expected
        expected = expected - 0.01 * v
    np.testing.assert_allclose(w.data, expected, rtol=1e-14)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_a_copied_model_is_trained_by_its_copied_optimiser(duplicate):
    """The copy's parameters are no views of the copy's buffers: its steps must reach them all the same."""

    def step(model, optimizer):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(np.eye(3)), [0, 1, 0]).backward()
        optimizer.step()

    model = nn.Linear(3, 2, rng=0)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    step(model, optimizer)
    twins = duplicate((model, optimizer))
    before = model.state_dict()
    step(*twins)
    assert np.array_equal(model.weight.data, before["weight"])
    step(model, optimizer)
    assert np.array_equal(model.weight.data, twins[0].weight.data)
    assert not np.array_equal(model.weight.data, before["weight"])


def test_large_parameters_are_updated_to_the_last_number(rng):
    """Updates run in blocks of 65,536."""
    numbers, g = rng.normal(size=(400, 500)), rng.normal(size=(400, 500))
    w, b = mg.Value(numbers), mg.Value(np.ones(3))
    optimizer = optim.SGD([w, b], lr=0.1, momentum=0.9)
    for _ in range(2):
        w.grad, b.grad = g, np.ones(3)
        optimizer.step()
    np.testing.assert_allclose(w.data, numbers - 0.1 * g - 0.19 * g, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(b.data, 1.0 - 0.29)


def test_zero_grad():
    a, b, c = mg.Value([1.0]), mg.Value(2.0), mg.Value([3.0])
    optimizer = optim.SGD([a, b, c])
    a.grad, b.grad = np.array([np.inf]), 2.0
    optimizer.zero_grad(set_to_none=False)
    assert (a.grad.tolist(), b.grad, c.grad) == ([0.0], 0.0, None)
    optimizer.zero_grad()
    assert (a.grad, b.grad) == (None, None)


def test_a_closure_recomputes_the_loss_first():
    w = mg.Value(3.0)
    optimizer = optim.SGD([w], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = w * w
        loss.backward()
        return loss

    assert optimizer.step(closure).data == 9.0
    assert w.data == pytest.approx(2.4)
    assert optimizer.step() is None


# --------------------------------------------------------------------------------------------------- stop and continue
def train(model, optimizer, updates):
    X, y = np.linspace(-1.0, 1.0, 12).reshape(4, 3), [0, 1, 1, 0]
    for _ in range(updates):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()


@every_optimiser
@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_loaded_state_continues_bit_for_bit(make, through_a_file, tmp_path):
    def start():
        model = nn.MLP([3, 5, 2], rng=0)
        return model, make(model.parameters())

    whole, half, other = start(), start(), start()
    train(*whole, 9)
    train(*half, 4)
    train(*other, 2)  # what it learnt is replaced
    state = {"model": half[0].state_dict(), "optimizer": half[1].state_dict()}
    if through_a_file:
        mg.save(tmp_path / "run.npz", state)
        state = mg.load(tmp_path / "run.npz")
    other[0].load_state_dict(state["model"])
    other[1].load_state_dict(state["optimizer"])
    train(*half, 1)  # the state is a copy: what goes on here does not reach it
    train(*other, 5)
    for name, array in whole[0].state_dict().items():
        assert np.array_equal(array, other[0].state_dict()[name]), name


def test_the_same_seed_gives_the_same_numbers_bit_for_bit():
    def run():
        mg.seed(7)
        model = nn.MLP([3, 16, 2])
        train(model, optim.Adam(model.parameters(), lr=0.01), 30)
        return b"".join(a.tobytes() for a in model.state_dict().values())

    assert run() == run()


def changed(**parts):
    def change(state):
        for name, part in parts.items():
            state[name] = part(state[name])

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (changed(state=lambda s: [s[0]]), '"state" is a dict, "param_groups" a list of dicts with "params"'),
        (changed(param_groups=lambda g: None), '"param_groups" a list of dicts'),
        (changed(param_groups=lambda g: [3]), '"param_groups" a list of dicts'),
        (changed(param_groups=lambda g: [{"lr": 0.1}]), '"param_groups" a list of dicts'),
        (lambda s: s.pop("state"), r"has 'state' and 'param_groups'; this one has \['param_groups'\]"),
        (changed(param_groups=lambda g: g * 2), "other parameter groups"),
        (changed(param_groups=lambda g: [{**g[0], "params": [0]}]), "other parameter groups"),
        (changed(param_groups=lambda g: [{**g[0], "lr": -1.0}]), "lr=-1.0"),
        (changed(param_groups=lambda g: [{**g[0], "betas": (0.9, 0.9)}]), r"another optimizer, with \['betas'\]"),
        (
            changed(state=lambda s: {**s, 1: {"step": 1, "momentum_buffer": np.ones(9)}}),
            r"parameter 1 has shape \(9,\)",
        ),
        (changed(state=lambda s: {**s, 5: s[0]}), "state 5 belongs to no parameter"),
        (changed(state=lambda s: {0: s[0], 1: {"velocity": np.ones(1)}}), "no 'step'"),
        (changed(state=lambda s: {**s, 1: {**s[1], "step": 1.5}}), "step of parameter 1 is 1.5, not a whole number"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, text):
    ps = [mg.Value([1.0, 2.0]), mg.Value([3.0])]
    optimizer = optim.SGD(ps, lr=0.1, momentum=0.9)
    for p in ps:
        p.grad = np.ones(p.shape)
    optimizer.step()
    before, state = optimizer.state_dict(), optimizer.state_dict()
    state["param_groups"][0]["lr"] = 55.0
    state["state"][0]["momentum_buffer"] = np.zeros(2)
    change(state)
    with pytest.raises(ValueError, match=text):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i in (0, 1):
        assert np.array_equal(after["state"][i]["momentum_buffer"], before["state"][i]["momentum_buffer"])


# ------------------------------------------------------------------------------------------------------------- errors
W1 = mg.Value([1.0], label="w1")


@pytest.mark.parametrize(
    ("params", "settings", "error", "text"),
    [
        ([], {}, ValueError, r"no parameters.*attributes count when they are nn\.Parameter"),
        ((p for p in []), {}, ValueError, "no parameters"),
        ([{"params": []}], {}, ValueError, "group has no parameters"),
        (W1, {}, DtypeError, r"not a Value: use \[p\]"),
        (nn.Linear(1, 1), {}, DtypeError, r"not a Linear: use .*model\.parameters\(\)"),
        ([W1, np.ones(2)], {}, DtypeError, "parameter 1 is ndarray, not a Value"),
        ([[W1]], {}, DtypeError, "parameter 0 is list"),
        ([W1 * 2.0], {}, GradientError, "a result of multiply, not a leaf"),
        (nn.Linear(1, 1).named_parameters(), {}, DtypeError, r"0 is tuple, not a Value; of named_parameters\(\) take"),
        (0.1, {}, DtypeError, r"params=0.1 is no list of Values: use model\.parameters\(\)"),
        ([{"params": 3}], {}, DtypeError, "params=3 is no list of Values"),
        ([W1, mg.Value(1.0), W1], {}, ValueError, "w1 is listed twice"),
        ([{"params": [W1]}, {"params": [W1]}], {}, ValueError, "w1 is listed twice"),
        ([{"params": [W1], "learning_rate": 0.1}], {}, TypeError, r"SGD: a group has no setting \['learning_rate'\]"),
        ([{"weights": [W1]}], {}, DtypeError, "a group is a dict .*weights"),
        ([{"params": [W1]}, mg.Value(2.0)], {}, DtypeError, "a group is a dict"),
        ([W1, {"params": [W1]}], {}, DtypeError, "parameter 1 is dict"),
        ([W1], dict(lr=-0.1), ValueError, "SGD: lr=-0.1; it is a number of at least 0"),
        ([W1], dict(lr="0.1"), DtypeError, "SGD: lr='0.1' is not a number"),
        ([W1], dict(lr=None), DtypeError, "SGD: lr=None is not a number"),
        ([W1], dict(lr=mg.Value(0.1)), DtypeError, "SGD: lr=Value.* is not a number"),
        ([W1], dict(momentum="0.9"), DtypeError, "SGD: momentum='0.9' is not a number"),
        (nn.Linear(2, 1).parameters, {}, DtypeError, r"call it: model\.parameters\(\)"),
        ([{"params": nn.Linear(2, 1).parameters}], {}, DtypeError, r"call it: model\.parameters\(\)"),
        ([W1], dict(lr=float("nan")), ValueError, "lr=nan"),
        ([W1], dict(lr=float("inf")), ValueError, "lr=inf"),
        ([{"params": [W1], "lr": -1.0}], {}, ValueError, "lr=-1.0"),
        ([W1], dict(momentum=1.0), ValueError, "momentum=1.0; it is at least 0 and below 1"),
        ([W1], dict(momentum=-0.1), ValueError, "momentum=-0.1"),
        ([W1], dict(weight_decay=-1.0), ValueError, "weight_decay=-1.0"),
        ([W1], dict(nesterov=True), ValueError, "nesterov=True needs momentum > 0 and dampening = 0"),
        ([W1], dict(nesterov=True, momentum=0.9, dampening=0.1), ValueError, "nesterov=True needs"),
    ],
)
def test_what_an_optimiser_refuses(params, settings, error, text):
    with pytest.raises(error, match=text):
        optim.SGD(params, **settings)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (dict(lr=-1.0), "Adam: lr=-1.0"),
        (dict(betas=(0.9, 1.0)), r"betas=\(0.9, 1.0\)"),
        (dict(betas=[-0.1, 0.9]), "betas="),
        (dict(eps=-1e-8), "eps=-1e-08"),
        (dict(weight_decay=float("nan")), "weight_decay=nan"),
    ],
)
def test_what_adam_refuses(settings, text):
    with pytest.raises(ValueError, match=text):
        optim.Adam([W1], **settings)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: optim.EMAMomentum([W1], beta=0.0), ValueError, "beta=0.0; it is above 0 and at most 1"),
        (lambda: optim.EMAMomentum([W1], beta=1.1), ValueError, "beta=1.1"),
        (lambda: optim.EMAMomentum([W1], beta="b"), DtypeError, "beta='b' is not a number"),
        (lambda: optim.SGD([W1], dampening="d"), DtypeError, "dampening='d' is not a number"),
        (lambda: optim.Adagrad([W1], lr_decay=-1.0), ValueError, "Adagrad: lr_decay=-1.0"),
        (lambda: optim.Adagrad([W1], initial_accumulator_value=-1.0), ValueError, "initial_accumulator_value=-1"),
        (lambda: optim.RMSprop([W1], alpha=1.0), ValueError, "RMSprop: alpha=1.0; it is at least 0 and below 1"),
        (lambda: optim.RMSprop([W1], nesterov=True), ValueError, "RMSprop: nesterov=True needs momentum > 0"),
        (lambda: optim.Adadelta([W1], rho=-0.1), ValueError, "Adadelta: rho=-0.1"),
        (lambda: optim.Rprop([W1], etas=(1.2, 0.5)), ValueError, r"etas=\(1.2, 0.5\); they are a factor below 1"),
        (lambda: optim.Rprop([W1], etas=0.5), DtypeError, "etas is a pair"),
        (lambda: optim.Rprop([W1], step_sizes=(1.0, 0.1)), ValueError, "the smallest and the largest step"),
        (lambda: optim.NAdam([W1], momentum_decay=float("nan")), ValueError, "NAdam: momentum_decay=nan"),
        (lambda: optim.LBFGS([W1], max_iter=0), ValueError, "LBFGS: max_iter=0; it is at least 1"),
        (lambda: optim.LBFGS([W1], history_size=1.5), DtypeError, "history_size=1.5 is not a whole number"),
        (lambda: optim.LBFGS([W1], tolerance_grad=-1.0), ValueError, "tolerance_grad=-1.0"),
        (lambda: optim.LBFGS([W1], line_search_fn="wolfe"), ValueError, "line_search_fn='wolfe'; it is None or"),
        (lambda: optim.LBFGS([{"params": [W1]}, {"params": [mg.Value(1.0)]}]), ValueError, "form one group"),
        (lambda: optim.LBFGS([W1, mg.Value(np.ones(2, np.float32))]), DtypeError, "need the same dtype"),
        (lambda: optim.LBFGS([W1]).step(), DtypeError, r"step\(closure\) needs the closure"),
        (lambda: optim.LBFGS([W1]).step(lambda: None), DtypeError, "closure returned None; it ends with `return loss`"),
    ],
)
def test_what_the_others_refuse(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("name", [*EVERY, "LBFGS"])
@pytest.mark.parametrize("lr", [-0.1, float("nan"), float("inf")])
def test_rates_that_no_optimiser_takes(name, lr):
    with pytest.raises(ValueError, match=f"{name}: lr={lr}; it is a number of at least 0"):
        getattr(optim, name)([W1], lr=lr)


@pytest.mark.parametrize("betas", [0.9, (0.9, 0.99, 0.999), None])
def test_betas_are_a_pair(betas):
    with pytest.raises(DtypeError, match="betas is a pair"):
        optim.Adam([W1], betas=betas)


def wrong_shape(p, optimizer):
    p.grad = np.ones(3)


def wrong_kind(p, optimizer):
    p.grad = np.array([1j])


def a_value(p, optimizer):
    p.grad = mg.Value([1.0])


def new_shape(p, optimizer):
    p.data = np.ones(2)


def new_dtype(p, optimizer):
    p.data = np.ones(1, np.float32)


def bad_setting(p, optimizer):
    optimizer.param_groups[1]["lr"] = float("nan")


@pytest.mark.parametrize(
    ("spoil", "error", "text"),
    [
        (wrong_shape, ShapeError, r"b has shape \(1,\), its grad \(3,\)"),
        (wrong_kind, DtypeError, "complex"),
        (a_value, DtypeError, "Value"),
        (new_shape, ShapeError, r"b was float64 \(1,\) and is float64 \(2,\).*new optimizer"),
        (new_dtype, DtypeError, r"b was float64 \(1,\) and is float32 \(1,\).*new optimizer"),
        (bad_setting, ValueError, "lr=nan"),
    ],
)
@pytest.mark.parametrize("same_group", [False, True])
@every_optimiser
def test_a_step_that_fails_has_updated_nothing(spoil, error, text, same_group, make):
    """Whatever is wrong with the last parameter, the first ones must not have moved, nor their memory."""
    a, c, b = mg.Value([1.0, 2.0], label="a"), mg.Value(4.0, label="c"), mg.Value([3.0], label="b")
    groups = [{"params": [a, c, b]}] if same_group else [{"params": [a, c]}, {"params": [b]}]
    if same_group:
        groups.append({"params": [mg.Value(0.0)]})  # for bad_setting
    optimizer = make(groups)
    a.grad, b.grad, c.grad = np.ones(2), np.ones(1), 1.0
    optimizer.step()
    before, numbers = optimizer.state_dict(), (a.data.copy(), c.data)
    a.grad, b.grad, c.grad = np.ones(2), np.ones(1), 1.0
    spoil(b, optimizer)
    spoilt = b.data.copy()
    with pytest.raises(error, match=text):
        optimizer.step()
    after = optimizer.state_dict()
    assert np.array_equal(a.data, numbers[0])
    assert c.data == numbers[1]
    assert np.array_equal(b.data, spoilt)
    for i in (0, 1):
        for name, array in before["state"][i].items():
            assert np.array_equal(array, after["state"][i][name]), name


def test_a_closure_that_fails_updates_nothing():
    w = mg.Value([1.0])
    w.grad = np.ones(1)
    with pytest.raises(ZeroDivisionError):
        optim.SGD([w], lr=0.1).step(lambda: 1 // 0)
    assert w.data.tolist() == [1.0]


def test_errors_are_minigrads():
    w = mg.Value([1.0])
    optimizer = optim.SGD([w])
    w.grad = np.ones(2)
    with pytest.raises(MinigradError):
        optimizer.step()


class Signs(optim.Optimizer):
    """An optimiser of one's own: p moves against the sign of the sum of all gradients so far."""

    def __init__(self, params, rate, weight_decay=0.0):
        super().__init__(params, {"rate": rate, "weight_decay": weight_decay})

    def update(self, p, g, slots, t, group):
        total = slots["total"]
        total += g
        p -= group["rate"] / t * np.sign(total)


def test_an_optimiser_of_ones_own_is_one_rule():
    """Groups, scalars, skipping, decay, and its memory in the state come with the base."""
    a, b, c = mg.Value([1.0, -1.0]), mg.Value(0.0), mg.Value([5.0])
    optimizer = Signs([{"params": [a, b]}, {"params": [c], "rate": 1.0, "weight_decay": 1.0}], rate=0.5)
    for ga, gb, gc in (([1.0, -3.0], -2.0, [-4.0]), ([-2.0, 1.0], None, [-7.0])):
        a.grad, b.grad, c.grad = np.array(ga), gb, np.array(gc)
        optimizer.step()
    assert (a.data.tolist(), b.data) == ([0.5 + 0.25, -0.5 + 0.25], 0.5)
    assert c.data.tolist() == [4.0 + 0.5]  # 5 - sign(1), then totals 1 and 1 - 7 + 4 = -2
    state = optimizer.state_dict()["state"]
    assert [m["step"] for m in state.values()] == [2, 1, 2]
    assert state[0]["total"].tolist() == [-1.0, -2.0]
    assert repr(optimizer) == (
        "Signs(2 parameters, rate=0.5, weight_decay=0.0; 1 parameters, rate=1.0, weight_decay=1.0)"
    )


def test_an_optimiser_without_a_rule_says_so():
    w = mg.Value([1.0])
    w.grad = np.ones(1)
    with pytest.raises(TypeError, match="no update rule"):
        optim.Optimizer([w], {"lr": 0.1}).step()


# -------------------------------------------------------------------------------------------------------------- L-BFGS
def lbfgs(ps, **settings):
    """An optimiser and the closure of Rosenbrock's valley in two parameters, an array and a scalar."""
    optimizer = optim.LBFGS(ps, line_search_fn="strong_wolfe", **settings)
    x, y = ps

    def closure():
        optimizer.zero_grad()
        loss = ((1.0 - x) ** 2).sum() + 100.0 * ((y - x * x) ** 2).sum()
        loss.backward()
        return loss

    return optimizer, closure


def test_lbfgs_finds_the_minimum_of_an_array_and_a_scalar_together():
    x, y = mg.Value([-1.2]), mg.Value(1.0)
    optimizer, closure = lbfgs([x, y], max_iter=100, tolerance_change=1e-14)
    assert optimizer.step(closure).item() == pytest.approx(24.2)
    assert (x.data.item(), y.data) == pytest.approx((1.0, 1.0), abs=1e-8)
    assert type(y.data) is float


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_solves_a_quadratic_of_n_dimensions_in_a_few_more_than_n_steps(line_search):
    """Row 61: with exact steps it is conjugate gradients, n steps; with Wolfe's a few more."""
    w, H = mg.Value(np.ones(5)), np.diag([1.0, 2.0, 3.0, 4.0, 5.0])
    optimizer = optim.LBFGS([w], max_iter=25, max_eval=100, line_search_fn=line_search, tolerance_change=1e-30)

    def closure():
        optimizer.zero_grad()
        loss = 0.5 * w @ H @ w
        loss.backward()
        return loss

    optimizer.step(closure)
    assert np.abs(w.data).max() < 1e-6


def test_lbfgs_leaves_a_parameter_without_gradient_where_it_is():
    x, y, z = mg.Value([-1.2]), mg.Value(1.0), mg.Value([3.0, 4.0])
    closure = lbfgs([x, y])[1]
    optim.LBFGS([x, z, y], line_search_fn="strong_wolfe").step(closure)
    assert z.data.tolist() == [3.0, 4.0]
    alone = [mg.Value([-1.2]), mg.Value(1.0)]
    optimizer, closure = lbfgs(alone)
    optimizer.step(closure)
    assert (x.data.item(), y.data) == pytest.approx((alone[0].data.item(), alone[1].data), rel=1e-9)


@pytest.mark.parametrize("through_a_file", [False, True])
def test_lbfgs_continues_bit_for_bit(through_a_file, tmp_path):
    def start():
        ps = [mg.Value([-1.2]), mg.Value(1.0)]
        return ps, *lbfgs(ps, max_iter=4, history_size=3)

    (whole, a, f), (half, b, g), (other, c, h) = start(), start(), start()
    for _ in range(5):
        a.step(f)
    for _ in range(2):
        b.step(g)
    c.step(h)
    state = b.state_dict()
    if through_a_file:
        mg.save(tmp_path / "run.npz", state)
        state = mg.load(tmp_path / "run.npz")
    for p, q in zip(other, half, strict=True):
        p.data = np.copy(q.data) if q.ndim else q.data
    c.load_state_dict(state)
    b.step(g)  # the state is a copy
    for _ in range(3):
        c.step(h)
    assert (other[0].data.item(), other[1].data) == (whole[0].data.item(), whole[1].data)


def test_a_closure_that_fails_in_the_line_search_changes_nothing():
    ps = [mg.Value([-1.2]), mg.Value(1.0)]
    optimizer, closure = lbfgs(ps, max_iter=3)
    optimizer.step(closure)
    before, numbers, calls = optimizer.state_dict()["state"], (ps[0].data.copy(), ps[1].data), 0

    def failing():
        nonlocal calls
        calls += 1
        return 1 // 0 if calls == 3 else closure()

    with pytest.raises(ZeroDivisionError):
        optimizer.step(failing)
    assert (ps[0].data, ps[1].data) == numbers
    after = optimizer.state_dict()["state"]
    assert (after[0]["n_iter"], after[0]["func_evals"]) == (before[0]["n_iter"], before[0]["func_evals"])
    np.testing.assert_array_equal(after[0]["d"], before[0]["d"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: m.update(d=np.ones(3)), r"LBFGS: d has shape \(3,\), not \(2,\)"),
        (lambda m: m["old_dirs"].append(np.ones(5)), r"old_dirs has shape \(5,\)"),
        (lambda m: m["old_dirs"].append(np.ones(2)), "are pairs; there are more of one"),
        (lambda m: m.pop("H_diag"), "the memory is .*H_diag"),
        (lambda m: m.update(n_iter=-1), "n_iter=-1"),
        (lambda m: m.update(t="far"), "t='far' is not a number"),
    ],
)
def test_an_lbfgs_state_that_does_not_fit_changes_nothing(change, text):
    ps = [mg.Value([-1.2]), mg.Value(1.0)]
    optimizer, closure = lbfgs(ps)
    optimizer.step(closure)
    before, state = optimizer.state_dict(), optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.5
    state["state"][0]["prev_loss"] = -7.0
    change(state["state"][0])
    with pytest.raises((ValueError, TypeError), match=text):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["state"][0]["prev_loss"] == before["state"][0]["prev_loss"]


# ------------------------------------------------------------------------------------------------------- live graphs
def test_a_graph_that_is_alive_after_the_step_is_refused_by_name():
    w = mg.Value([1.0, 2.0], label="w")
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    w.grad = np.ones(2)
    optimizer.step()
    w.grad = None
    with pytest.raises(GradientError, match=r"multiply: w \(2,\) was changed in place"):
        loss.backward()
    assert w.grad is None


def test_a_live_graph_keeps_its_numbers_when_the_data_was_assigned_before_the_step():
    """The step writes neither the array that the graph needs nor the one assigned."""
    w = mg.Value([1.0, 2.0], label="w")
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    w.data = np.array([10.0, 20.0])
    w.grad = np.ones(2)
    optimizer.step()
    w.grad = None
    loss.backward()
    assert np.array_equal(w.grad, [2.0, 4.0])


def test_graphs_from_before_the_optimiser_and_after_the_step_are_fine():
    w = mg.Value([1.0, 2.0])
    old = (w * w).sum()
    optimizer = optim.SGD([w], lr=0.5)
    w.grad = np.ones(2)
    optimizer.step()
    w.grad = None
    old.backward()  # its array is still the user's, with the old numbers
    assert w.grad.tolist() == [2.0, 4.0]
    w.grad = None
    (w * w).sum().backward()
    assert w.grad.tolist() == [1.0, 3.0]


def test_an_untouched_parameter_keeps_its_graph():
    a, b = mg.Value([1.0]), mg.Value([2.0])
    optimizer = optim.SGD([a, b], lr=0.1)
    loss = (b * b).sum()
    a.grad = np.ones(1)
    optimizer.step()
    loss.backward()
    assert b.grad.tolist() == [4.0]


def test_a_scalar_graph_keeps_its_recorded_slopes():
    w = mg.Value(3.0)
    optimizer = optim.SGD([w], lr=0.1)
    loss = w * w
    loss.backward()
    optimizer.step()
    w.grad = None
    loss.backward()
    assert w.grad == 6.0


def test_a_step_after_an_assignment_leaves_the_array_that_was_there_before():
    """`p.data = new` never writes the old array, nor does a step that follows; the other parameters go on as before."""
    p, q, r = mg.Value(np.ones(2)), mg.Value(np.full(3, 5.0)), mg.Value(2.0)
    optimizer = optim.SGD([p, q, r], lr=1.0, momentum=0.5)
    for held in (p.data, p.data[:1], p.data.T):
        before, new = held.copy(), p.data + 10.0
        p.data, start, others = new, new.copy(), (q.data.copy(), r.data)
        p.grad, q.grad, r.grad = np.ones(2), np.ones(3), 1.0
        velocity = optimizer.state_dict()["state"].get(0, {"momentum_buffer": np.zeros(2)})["momentum_buffer"][0]
        optimizer.step()
        assert np.array_equal(held, before)
        assert np.array_equal(new, start)
        v = 0.5 * velocity + 1.0
        assert np.array_equal(p.data, start - v)
        assert np.array_equal(q.data, others[0] - v)
        assert r.data == others[1] - v


def test_a_step_without_an_assignment_moves_nothing():
    p = mg.Value(np.ones(2))
    optimizer = optim.SGD([p], lr=1.0)
    held = p.data
    for _ in range(2):
        p.grad = np.ones(2)
        optimizer.step()
    assert held is p.data
    assert np.array_equal(held, [-1.0, -1.0])


def test_two_optimisers_of_one_parameter_take_turns():
    p = mg.Value(np.zeros(2))
    a, b = optim.SGD([p], lr=1.0), optim.SGD([p], lr=10.0)
    for optimizer in (a, b, a, b):
        p.grad = -np.ones(2)
        optimizer.step()
    assert np.array_equal(p.data, [22.0, 22.0])


# ------------------------------------------------------------------------------------------------ incomplete memory
def stepped(make):
    ps = [mg.Value([1.0, 2.0]), mg.Value(3.0)]
    optimizer = make(ps)
    for _ in range(2):
        ps[0].grad, ps[1].grad = np.array([1.0, -2.0]), 0.5
        optimizer.step()
    return optimizer


def check_refused(optimizer, state, text):
    before = repr(optimizer.state_dict())
    state["param_groups"][0]["lr"] = 55.0
    with pytest.raises(ValueError, match=text):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


@every_optimiser
def test_a_memory_that_lacks_a_slot_is_refused(make):
    optimizer = stepped(make)
    for name in set(optimizer.state_dict()["state"][0]) - {"step"}:
        for i in (0, 1):
            state = optimizer.state_dict()
            del state["state"][i][name]
            check_refused(optimizer, state, f"the memory of parameter {i} has .*it needs .*'{name}'")


@every_optimiser
def test_a_memory_of_another_rule_is_refused(make):
    optimizer = stepped(make)
    state = optimizer.state_dict()
    state["state"][1]["velocity"] = 0.0
    check_refused(optimizer, state, "parameter 1 has .*'velocity'.*nothing unknown")
    state = optimizer.state_dict()
    state["state"][0] = 3.0
    check_refused(optimizer, state, "state 0 belongs to no parameter, or has no 'step'")


@every_optimiser
def test_a_state_whose_group_lacks_a_setting_is_refused(make):
    optimizer = stepped(make)
    for name in set(optimizer.defaults) - {"lr"}:
        state = optimizer.state_dict()
        del state["param_groups"][0][name]
        check_refused(optimizer, state, rf"a group of the state lacks \['{name}'\]")


@pytest.mark.parametrize("name", [*EVERY, "LBFGS"])
def test_a_setting_that_is_misspelt_or_deleted_later_is_refused_and_nothing_is_updated(name):
    """`param_groups[0]["momentun"] = ...` would change nothing, and nobody would know."""
    p = mg.Value([1.0, 2.0])
    optimizer = getattr(optim, name)([p], lr=0.1)

    def closure():
        p.grad = np.ones(2)
        return 1.0

    group, settings = optimizer.param_groups[0], dict(optimizer.param_groups[0])
    group["momentun"] = 0.9
    with pytest.raises(TypeError, match=rf"{name}: a group has no setting \['momentun'\]; there are \[.*'lr'"):
        optimizer.step(closure)
    assert p.data.tolist() == [1.0, 2.0]
    del group["momentun"], group["lr"]
    with pytest.raises(TypeError, match=rf"{name}: a group lacks \['lr'\]"):
        optimizer.step(closure)
    assert p.data.tolist() == [1.0, 2.0]
    group.update(settings)
    optimizer.step(closure)
    assert (p.data < [1.0, 2.0]).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda groups, p: groups[0]["params"].append(p),
        lambda groups, p: groups[0]["params"].clear(),
        lambda groups, p: groups[0].update(params=[p]),
        lambda groups, p: groups[0]["params"].reverse(),
        lambda groups, p: groups.append({**groups[0], "params": [p]}),
        lambda groups, p: groups.pop(),
    ],
)
@pytest.mark.parametrize("name", [*EVERY, "LBFGS"])
def test_parameters_put_into_a_group_by_hand_are_refused(name, change):
    """The buffers don't know of them: they wouldn't be trained, and nobody would know."""
    a, b, c = mg.Value([1.0, 2.0]), mg.Value([3.0]), mg.Value([5.0])
    optimizer = getattr(optim, name)([a, b], lr=0.1)
    for p in (a, b, c):
        p.grad = np.ones(p.shape)
    change(optimizer.param_groups, c)
    with pytest.raises(ValueError, match=f"{name}: param_groups has other parameters than those given: use add_param"):
        optimizer.step(lambda: 1.0)
    assert (a.data.tolist(), b.data.tolist(), c.data.tolist()) == ([1.0, 2.0], [3.0], [5.0])


def test_a_slot_whose_setting_was_turned_off_is_kept():
    optimizer = stepped(lambda p: optim.SGD(p, 0.1, momentum=0.9))
    optimizer.param_groups[0]["momentum"] = 0.0
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == repr(state)


def test_a_rule_that_declares_nothing_remembers_the_same_for_all_parameters():
    class Own(optim.Optimizer):
        def update(self, p, g, slots, t, group):
            slots["seen"][...] += g
            p -= group["lr"] * g

    optimizer = stepped(lambda p: Own(p, {"lr": 0.1}))
    optimizer.load_state_dict(optimizer.state_dict())
    state = optimizer.state_dict()
    del state["state"][1]["seen"]
    check_refused(optimizer, state, r"parameter 1 has \[\]; it needs \['seen'\]")


# --------------------------------------------------------------------------------------------------- True or False
@every_optimiser
@pytest.mark.parametrize("bad", ["no", 1, 0.0, None])
def test_flags_are_true_or_false(make, bad):
    optimizer = stepped(make)
    flags = {"maximize", "nesterov", "amsgrad", "centered", "decoupled_weight_decay"} & set(optimizer.defaults)
    assert flags == {name for name, x in optimizer.defaults.items() if isinstance(x, bool)}
    for name in flags:
        text = f"{type(optimizer).__name__}: {name}={bad!r}; {name} is True or False"
        with pytest.raises(DtypeError, match=text):
            optimizer.add_param_group({"params": [mg.Value(1.0)], name: bad})
        state, before = optimizer.state_dict(), repr(optimizer.state_dict())
        state["param_groups"][0][name] = bad
        with pytest.raises(DtypeError, match=text):
            optimizer.load_state_dict(state)
        assert repr(optimizer.state_dict()) == before


def test_a_flag_that_is_a_word_does_not_climb():
    p = mg.Value(1.0)
    with pytest.raises(DtypeError, match="SGD: maximize='no'; maximize is True or False"):
        optim.SGD([p], maximize="no")
    optimizer = optim.SGD([p], maximize=np.bool_(True), lr=1.0)
    p.grad = 1.0
    optimizer.step()
    assert p.data == 2.0


# ------------------------------------------------------------------------------------- everything at once, many times
class Naive:
    """Momentum and weight decay by the book: a velocity per parameter, no buffers, every array new."""

    def __init__(self, lr, momentum, weight_decay):
        self.lr, self.momentum, self.weight_decay, self.v = lr, momentum, weight_decay, {}

    def step(self, data, grads):
        for i, g in grads.items():
            if g is not None:
                g = g + self.weight_decay * data[i]
                self.v[i] = self.momentum * self.v[i] + g if i in self.v else g
                data[i] = data[i] - self.lr * self.v[i]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_to_parameters_steps_are_the_books_and_no_old_array_is_written(seed):
    """Arrays assigned, viewed, swapped; gradients that come and go; two optimisers; a state that is loaded."""
    rng = np.random.default_rng(seed)
    shapes = [(3,), (), (2, 2), (), (0,), (1,), (4,)]
    ps = [mg.Value(rng.normal(size=shape) if shape else float(rng.normal())) for shape in shapes]
    data = {i: np.array(p.data) for i, p in enumerate(ps)}
    parts = [(range(7), (0.1, 0.9, 0.0)), ((5, 1, 2, 4), (0.03, 0.5, 0.2))]  # two optimisers share parameters
    ours = [optim.SGD([ps[i] for i in part], lr, momentum, weight_decay=wd) for part, (lr, momentum, wd) in parts]
    books = [Naive(*settings) for _, settings in parts]
    held = []  # arrays that somebody took before an assignment, and what was in them then

    def hold(array):
        if isinstance(array, np.ndarray):
            held.append((array, array.copy()))

    for _ in range(40):
        i = int(rng.choice(7))
        match rng.integers(0, 6):
            case 0:  # a new array, sometimes a view of a larger one, sometimes not contiguous
                hold(ps[i].data)
                big = rng.normal(size=(2, 2 * max(1, ps[i].size)))
                new = big[0, ::2][: ps[i].size].reshape(shapes[i]) if shapes[i] else float(big[0, 0])
                ps[i].data, data[i] = new, np.array(new)
                hold(new)
                hold(big)
            case 1 if shapes[i]:  # what it holds is assigned to it, changed: the array of an expression
                hold(ps[i].data)
                ps[i].data = ps[i].data * 0.5
                data[i] = data[i] * 0.5
            case 2:  # two swap what they hold
                hold(ps[1].data)
                ps[1].data, ps[3].data = ps[3].data, ps[1].data
                data[1], data[3] = data[3], data[1]
            case 3 if shapes[i]:  # and a write in place, which the next step sees
                held = [(a, b) for a, b in held if not np.may_share_memory(a, ps[i].data)]
                ps[i].data[...] += 1.0
                data[i] = data[i] + 1.0
            case 4:  # the state goes out and in
                ours[0].load_state_dict(copy.deepcopy(ours[0].state_dict()))
            case _:
                pass
        which = int(rng.integers(0, 2))
        grads = {}
        for j in range(7):
            g = rng.normal(size=shapes[j]) if rng.random() < 0.7 else None
            ps[j].grad = g if g is None or shapes[j] else float(g)
            if j in parts[which][0]:
                grads[j] = g
        ours[which].step()
        books[which].step(data, grads)
        for j, p in enumerate(ps):
            assert isinstance(p.data, float) if shapes[j] == () else p.data.shape == shapes[j]
            np.testing.assert_allclose(p.data, data[j], rtol=1e-12, atol=1e-14)
        for array, before in held:
            np.testing.assert_array_equal(array, before)


# --------------------------------------------------------------------------------------------- one rule, and its source
def test_every_optimiser_is_one_update_rule_with_its_formula_and_source():
    """But LBFGS, whose step is a loop.  Beside it: settings, and what PyTorch has otherwise in a state."""
    for name in EVERY:
        kind = getattr(optim, name)
        own = {key for key, x in vars(kind).items() if callable(x)}
        assert own <= {"__init__", "check", "update", "from_pytorch"}
        assert "update" in own or name == "AdamW"  # Adam with another default
        doc = " ".join(kind.__doc__.split())
        assert re.search(r"\bp <- p - ", doc) or name == "Rprop", name
        assert "Source: " in doc, name
        assert ">>> " in doc, name
        lines = inspect.getsource(kind.update).splitlines()
        assert len(lines) <= 20, name


def test_the_file_to_read_first_begins_with_the_simplest_optimiser():
    """Six lines; the tests of the documentation run them."""
    first = optim.sgd.__doc__
    start = first.index(">>> class Descent(Optimizer):")
    example = first[start : first.index(">>> w = Value", start)].strip().splitlines()
    assert len(example) == 6
    assert "sgd.py` is the one to read first" in optim.__doc__


def test_sign_descent_is_as_long_as_its_formula():
    """p <- p - lr sign(g): two lines for the settings, two for the rule; momentum is one more, in a slot."""

    class SignDescent(optim.Optimizer):
        def __init__(self, params, lr=0.01, momentum=0.0, weight_decay=0.0):
            super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

        def update(self, p, g, slots, t, group):
            slots["m"][:] = group["momentum"] * slots["m"] + (1.0 - group["momentum"]) * g
            p -= group["lr"] * np.sign(slots["m"])

    w, b = mg.Value([1.0, -2.0]), mg.Value(0.5)
    optimizer = SignDescent([w, b], momentum=0.9)
    for _ in range(10):
        optimizer.zero_grad()
        ((w * w).sum() + b * b).backward()
        optimizer.step()
    np.testing.assert_allclose([*w.data, b.data], [0.9, -1.9, 0.4], rtol=1e-12)
    again = SignDescent([mg.Value(w.data.copy()), mg.Value(b.data)])
    again.load_state_dict(optimizer.state_dict())
    assert repr(again.state_dict()) == repr(optimizer.state_dict())


def test_a_gradient_set_to_zero_is_zeros() -> None:
    w = mg.Value([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1, weight_decay=1.0)
    w.grad = 0  # as micrograd's zero_grad writes it
    optimizer.step()
    np.testing.assert_allclose(w.data, [0.9, 1.8])


def test_a_step_takes_no_loss() -> None:
    w = mg.Value([1.0, 2.0], label="w")
    with pytest.raises(DtypeError, match=r"SGD: step\(Value\(5\)\): step takes no loss: call loss.backward\(\) first"):
        optim.SGD([w]).step((w * w).sum())


def test_floating_point_errors_do_not_stop_a_step_half_way() -> None:
    w = mg.Value([1.0, 1.0])
    optimizer = optim.Adam([w])
    w.grad = np.array([1e200, 1.0])
    with np.errstate(all="raise"):
        optimizer.step()  # the square of 1e200 is inf
    assert optimizer.state_dict()["state"][0]["step"] == 1
    np.testing.assert_allclose(w.data, [1.0, 0.999])
