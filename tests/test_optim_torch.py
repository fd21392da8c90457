"""Every optimiser, schedule and clipping function next to PyTorch's, in float64.

On a convex problem the paths agree to 1e-10 over 200 steps.  (The rates are such that the optimum isn't reached and
circled: dividing by a gradient that is nearly 0 makes any two paths part, PyTorch's from its own as well.)  On a
network, with minibatches, rounding errors grow, in PyTorch as well: there the difference may be 1e-10, or 100 times
what a change of one ulp in the start does to PyTorch's own run; both are printed (pytest -s).
"""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.optim import lr_scheduler
from minigrad.optim.lbfgs import Point, strong_wolfe

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # its threads wait for each other longer than these small tensors take
pytestmark = pytest.mark.oracle

OPTIMISERS = [
    ("SGD", dict(lr=0.05)),
    ("SGD", dict(lr=0.02, momentum=0.9)),
    ("SGD", dict(lr=0.02, momentum=0.8, dampening=0.3, weight_decay=0.01)),
    ("SGD", dict(lr=0.02, momentum=0.9, nesterov=True)),
    ("SGD", dict(lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.1)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.01, weight_decay=0.1, initial_accumulator_value=0.5, eps=1e-6)),
    ("RMSprop", dict(lr=0.01)),
    ("RMSprop", dict(lr=0.003, alpha=0.9, momentum=0.5, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.003, alpha=0.9, centered=True, eps=1e-2)),
    ("RMSprop", dict(lr=0.003, momentum=0.9, centered=True, eps=1e-3)),
    ("Adam", dict(lr=0.01)),
    ("Adam", dict(lr=0.01, betas=(0.7, 0.9), eps=1e-3, weight_decay=0.1)),
    ("Adam", dict(lr=0.01, betas=(0.8, 0.9), amsgrad=True)),
    ("Adam", dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)),
    ("AdamW", dict(lr=0.01)),
    ("AdamW", dict(lr=0.01, betas=(0.8, 0.95), weight_decay=0.3, amsgrad=True)),
    ("NAdam", dict(lr=0.01)),
    ("NAdam", dict(lr=0.005, betas=(0.8, 0.9), momentum_decay=0.1, weight_decay=0.1)),
    ("NAdam", dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)),
    ("RAdam", dict(lr=0.01)),
    ("RAdam", dict(lr=0.01, betas=(0.8, 0.9), weight_decay=0.1)),
    ("RAdam", dict(lr=0.01, betas=(0.8, 0.5), weight_decay=0.1, decoupled_weight_decay=True)),
    ("Adamax", dict(lr=0.01)),
    ("Adamax", dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    ("Adadelta", dict()),
    ("Adadelta", dict(lr=0.5, rho=0.95, eps=1e-4, weight_decay=0.1)),
    ("Rprop", dict(lr=0.01)),
    ("Rprop", dict(lr=0.1, etas=(0.3, 1.5), step_sizes=(1e-3, 0.2))),
]
every_optimiser = pytest.mark.parametrize(("name", "settings"), OPTIMISERS)


@pytest.fixture(autouse=True)
def float64_by_default():
    """NAdam keeps a product of its momenta in PyTorch's default dtype, and would round it to float32."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def pair(name, settings, starts):
    """The same parameters and optimiser twice: ours, PyTorch's."""
    ours, theirs = [mg.Value(x) for x in starts], [torch.tensor(x, requires_grad=True) for x in starts]
    return ours, theirs, getattr(optim, name)(ours, **settings), getattr(torch.optim, name)(theirs, **settings)


BOWL = np.array([[3.0, 2.0, 0.0], [2.0, 3.0, 0.5], [0.0, 0.5, 1.0]])


@every_optimiser
@pytest.mark.parametrize("maximize", [False, True])
def test_200_steps_on_a_bowl(name, settings, maximize):
    """½ wᵀ A w + b² / 2, or the maximum of its negative; w an array, b a scalar."""
    sign = -1.0 if maximize else 1.0
    (w, b), (v, c), a, o = pair(name, settings | dict(maximize=maximize), [np.array([1.0, 0.5, -0.7]), 2.0])
    A = torch.tensor(BOWL)
    for _ in range(200):
        a.zero_grad()
        (sign * (w @ BOWL @ w * 0.5 + 0.5 * b * b)).backward()
        a.step()
        o.zero_grad()
        (sign * (v @ A @ v * 0.5 + 0.5 * c * c)).backward()
        o.step()
        np.testing.assert_allclose(w.data, v.detach().numpy(), rtol=0, atol=1e-10)
        assert b.data == pytest.approx(c.item(), rel=0, abs=1e-10)


FUSED = ("SGD", "Adagrad", "Adam", "AdamW")  # there are fused kernels for a processor


@pytest.mark.parametrize(
    ("name", "settings", "execution"),
    [(*o, "foreach") for o in OPTIMISERS] + [(*o, "fused") for o in OPTIMISERS if o[0] in FUSED],
)
def test_200_steps_however_pytorch_executes_them(name, settings, execution):
    """With its loops over all parameters at once, and its fused kernels."""
    (w, b), (v, c), a, _ = pair(name, settings, [np.array([1.0, 0.5, -0.7]), 2.0])
    o, A = getattr(torch.optim, name)([v, c], **settings, **{execution: True}), torch.tensor(BOWL)
    for _ in range(200):
        a.zero_grad(), o.zero_grad()
        (w @ BOWL @ w * 0.5 + 0.5 * b * b).backward()
        (v @ A @ v * 0.5 + 0.5 * c * c).backward()
        a.step(), o.step()
        np.testing.assert_allclose([*w.data, b.data], [*v.tolist(), c.item()], rtol=0, atol=1e-10)


# ------------------------------------------------------------------------------------------- many valleys, by a closure
def valleys(w, cos):
    """A minimum about ±5 in each direction, saddles and a maximum between them."""
    return (0.1 * w * w + 5.0 * cos(0.5 * w)).sum() + 0.1 * w[0] * w[1]


def path(optimizer, w, f, steps=200):
    """Every point of a run whose steps call a closure."""

    def closure():
        optimizer.zero_grad()
        loss = f(w)
        loss.backward()
        return loss

    points = []
    for _ in range(steps):
        optimizer.step(closure)
        points.append(w.data.copy() if isinstance(w, mg.Value) else w.detach().numpy().copy())
    return np.array(points)


@every_optimiser
def test_200_steps_between_many_valleys(name, settings, rng):
    start = rng.normal(size=5)

    def theirs(start):
        v = torch.tensor(start, requires_grad=True)
        return path(getattr(torch.optim, name)([v], **settings), v, lambda w: valleys(w, torch.cos))

    w = mg.Value(start)
    ours = path(getattr(optim, name)([w], **settings), w, lambda w: valleys(w, mg.cos))
    expected = theirs(start)
    drift = np.abs(expected - theirs(np.nextafter(start, np.inf))).max()
    error = np.abs(ours - expected).max()
    print(f"\n{name} {settings}: differs by {error:.1e}; one ulp at the start moves PyTorch by {drift:.1e}")
    assert error <= max(1e-10, 100 * drift)
    assert np.abs(expected[-1] - start).max() > 1e-2, "it moved"


# ---------------------------------------------------------------------------------------------- a network, minibatches
def train_torch(name, settings, start, batches):
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    model.load_state_dict({key: torch.tensor(x) for key, x in start.items()})
    optimizer = getattr(torch.optim, name)(groups(model, settings), **settings)
    for X, y in batches:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y)).backward()
        optimizer.step()
    return {key: x.numpy() for key, x in model.state_dict().items()}


def train_ours(name, settings, start, batches):
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))
    model.load_state_dict(start)
    optimizer = getattr(optim, name)(groups(model, settings), **settings)
    for X, y in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), y).backward()
        optimizer.step()
    return model.state_dict()


def groups(model, settings):
    """The last layer with a learning rate of its own."""
    params = list(model.parameters())
    return [{"params": params[:2]}, {"params": params[2:], "lr": 0.5 * settings.get("lr", 1.0)}]


def distance(a, b):
    return max(np.abs(a[key] - b[key]).max() for key in a)


@every_optimiser
def test_200_minibatch_steps_of_a_network(name, settings, rng):
    start = nn.Sequential(nn.Linear(3, 8, rng=1), nn.Tanh(), nn.Linear(8, 3, rng=2)).state_dict()
    batches = [(rng.normal(size=(12, 3)), rng.integers(0, 3, 12)) for _ in range(200)]
    theirs = train_torch(name, settings, start, batches)
    moved = {key: np.nextafter(x, np.inf) for key, x in start.items()}
    drift = distance(theirs, train_torch(name, settings, moved, batches))
    error = distance(theirs, train_ours(name, settings, start, batches))
    print(f"\n{name} {settings}: differs by {error:.1e}; one ulp at the start moves PyTorch by {drift:.1e}")
    assert error <= max(1e-10, 100 * drift)
    assert max(np.abs(theirs[key] - start[key]).max() for key in start) > 1e-3, "it moved"


@every_optimiser
def test_gradients_that_come_and_go_are_skipped_as_pytorch_does(name, settings, rng):
    ours, theirs, a, b = pair(name, settings, [*rng.normal(size=(4, 3)), 1.5])
    for _ in range(40):
        present = rng.random(5) < 0.6
        for p, q, here in zip(ours, theirs, present, strict=True):
            g = rng.normal(size=p.shape)
            p.grad, q.grad = (g, torch.tensor(g)) if here else (None, None)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=0, atol=1e-12)


@every_optimiser
def test_float32_parameters(name, settings, rng):
    ours, theirs, a, b = pair(name, settings, [rng.normal(size=4).astype(np.float32), np.float32(0.5)])
    for _ in range(20):
        for p, q in zip(ours, theirs, strict=True):
            g = rng.normal(size=p.shape).astype(np.float32)
            p.grad, q.grad = g, torch.tensor(g)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        assert p.dtype == np.float32
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-4, atol=1e-5)


def to_numpy(x):
    if isinstance(x, dict):
        return {key: to_numpy(value) for key, value in x.items()}
    if isinstance(x, list):
        return [to_numpy(value) for value in x]
    return x.numpy().copy() if isinstance(x, torch.Tensor) else x


@pytest.mark.parametrize(("foreach", "maximize"), [(False, False), (True, True)])
@every_optimiser
def test_pytorchs_state_continues_here(name, settings, foreach, maximize, rng):
    """Its `state_dict()`, tensors as arrays and nothing else changed, in an optimiser made with defaults."""
    ours, theirs, *_ = pair(name, settings, [rng.normal(size=3), rng.normal(size=(2, 2)), 1.5])
    b = getattr(torch.optim, name)(theirs, **settings, foreach=foreach, maximize=maximize)
    gradients = [[rng.normal(size=p.shape) for p in ours] for _ in range(20)]
    for step, gs in enumerate(gradients):
        for p, q, g in zip(ours, theirs, gs, strict=True):
            p.grad, q.grad = g, torch.tensor(g)
        if step == 10:
            for p, q in zip(ours, theirs, strict=True):
                p.data = q.detach().numpy().copy() if p.ndim else q.item()
            a = getattr(optim, name)(ours)
            a.load_state_dict(to_numpy(b.state_dict()))
            assert set(a.param_groups[0]) == {"params", *a.defaults}
        if step >= 10:
            a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("flag", ["foreach", "fused", "differentiable", "capturable"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_how_pytorch_executes_a_step_is_left_out(name, flag):
    theirs = getattr(torch.optim, name)([torch.ones(2, requires_grad=True)], lr=0.7)
    theirs.param_groups[0][flag] = True
    ours = getattr(optim, name)([mg.Value([1.0, 1.0])])
    ours.load_state_dict(to_numpy(theirs.state_dict()))
    assert set(ours.param_groups[0]) == {"params", *ours.defaults}
    assert ours.param_groups[0]["lr"] == 0.7


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_names_and_what_pytorchs_cycle_keeps_in_a_group_are_left_out(kind):
    model = torch.nn.Linear(2, 1)
    theirs = getattr(torch.optim, kind)(model.named_parameters(), **(dict(momentum=0.9) if kind == "SGD" else {}))
    torch.optim.lr_scheduler.OneCycleLR(theirs, 0.1, 10)
    ours = getattr(optim, kind)([mg.Value([[1.0, 1.0]]), mg.Value([1.0])])
    ours.load_state_dict(to_numpy(theirs.state_dict()))
    assert set(ours.param_groups[0]) == {"params", "initial_lr", *ours.defaults}
    assert settings_of(ours) == settings_of(theirs)


def test_a_setting_that_changes_numbers_is_no_flag_and_is_refused():
    theirs = torch.optim.Adam([torch.ones(1, requires_grad=True)], foreach=True)
    state = to_numpy(theirs.state_dict())
    state["param_groups"][0]["beta3"] = 0.5
    with pytest.raises(ValueError, match=r"the state of another optimizer, with \['beta3'\]"):
        optim.Adam([mg.Value([1.0])]).load_state_dict(state)


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_pytorchs_lbfgs_continues_here(line_search):
    start, settings = np.array([-1.2, 1.0, -0.5, 0.8]), dict(max_iter=3, history_size=4, line_search_fn=line_search)
    settings["lr"] = 1.0 if line_search else 0.002
    q = torch.tensor(start, requires_grad=True)
    b = torch.optim.LBFGS([q], **settings)

    def closure(w, optimizer):
        def compute():
            optimizer.zero_grad()
            loss = rosenbrock(w)
            loss.backward()
            return loss

        return compute

    for _ in range(3):
        b.step(closure(q, b))
    p = mg.Value(q.detach().numpy().copy())
    a = optim.LBFGS([p])
    a.load_state_dict(to_numpy(b.state_dict()))
    for _ in range(3):
        a.step(closure(p, a)), b.step(closure(q, b))
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=0, atol=1e-10)
    assert a.state_dict()["state"][0]["func_evals"] == b.state_dict()["state"][0]["func_evals"]


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adadelta",
                                  "Rprop", "LBFGS"])  # fmt: skip
def test_defaults_are_pytorchs(name):
    (ours,), (theirs,) = [mg.Value([1.0])], [torch.ones(1, requires_grad=True)]
    a, b = getattr(optim, name)([ours]).defaults, getattr(torch.optim, name)([theirs]).defaults
    assert {key: x for key, x in a.items() if key in b} == {key: b[key] for key in a if key in b}
    assert set(b) - set(a) <= {"foreach", "differentiable", "fused", "capturable"}
    assert set(a) - set(b) <= {"nesterov"}


# --------------------------------------------------------------------------------------------------------------- LBFGS
def rosenbrock(w):
    return ((1.0 - w[:-1]) ** 2).sum() + 100.0 * ((w[1:] - w[:-1] ** 2) ** 2).sum()


def quadratic(w):
    return 0.5 * ((w - 1.0) * (w - 1.0) * np.linspace(1.0, 30.0, 6)).sum()


LBFGS = [
    dict(lr=0.1),
    dict(lr=0.5, max_iter=5, history_size=3),
    dict(line_search_fn="strong_wolfe"),
    dict(line_search_fn="strong_wolfe", max_iter=4, history_size=2),
    dict(line_search_fn="strong_wolfe", max_iter=30, max_eval=11, lr=0.3),
]


def lbfgs_torch(f, start, settings, steps):
    w = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], **settings)
    weights = torch.linspace(1.0, 30.0, 6)
    g = (lambda w: 0.5 * ((w - 1.0) * (w - 1.0) * weights).sum()) if f is quadratic else f

    def closure():
        optimizer.zero_grad()
        loss = g(w)
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(steps)]
    state = optimizer.state_dict()["state"][0]
    return w.detach().numpy(), losses, (state["n_iter"], state["func_evals"])


def lbfgs_ours(f, start, settings, steps):
    w = mg.Value(start)
    optimizer = optim.LBFGS([w], **settings)

    def closure():
        optimizer.zero_grad()
        loss = f(w)
        loss.backward()
        return loss

    losses = [float(optimizer.step(closure).data) for _ in range(steps)]
    state = optimizer.state_dict()["state"][0]
    return w.data, losses, (state["n_iter"], state["func_evals"])


@pytest.mark.parametrize("settings", LBFGS)
def test_lbfgs_on_a_bowl(settings):
    start = np.linspace(-2.0, 2.0, 6)
    ours, theirs = (run(quadratic, start, settings, 10) for run in (lbfgs_ours, lbfgs_torch))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-12)
    assert ours[2] == theirs[2], "iterations and evaluations"


@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize(
    "settings", [s | dict(lr=s.get("lr", 1.0) * (1.0 if "line_search_fn" in s else 0.002)) for s in LBFGS]
)
def test_lbfgs_in_rosenbrocks_valley(settings, steps):
    start = np.array([-1.2, 1.0, -0.5, 0.8])
    theirs = lbfgs_torch(rosenbrock, start, settings, steps)
    drift = np.abs(theirs[0] - lbfgs_torch(rosenbrock, np.nextafter(start, 9.0), settings, steps)[0]).max()
    ours = lbfgs_ours(rosenbrock, start, settings, steps)
    error = np.abs(ours[0] - theirs[0]).max()
    print(
        f"\nLBFGS {settings}, {steps} steps: differs by {error:.1e}; one ulp at the start moves PyTorch by {drift:.1e}"
    )
    assert error <= max(1e-10, 100 * drift)


@pytest.mark.parametrize("settings", [dict(lr=0.05, max_iter=3), dict(line_search_fn="strong_wolfe", max_iter=3)])
def test_lbfgs_trains_a_network_on_minibatches(settings, rng):
    """10 steps of up to 3 iterations on ever new batches, where the memory of the last batch misleads it."""
    start = nn.Sequential(nn.Linear(3, 8, rng=1), nn.Tanh(), nn.Linear(8, 3, rng=2)).state_dict()
    batches = [(rng.normal(size=(12, 3)), rng.integers(0, 3, 12)) for _ in range(10)]

    def run(layers, optim, cross_entropy, array, start):
        model = layers.Sequential(layers.Linear(3, 8), layers.Tanh(), layers.Linear(8, 3))
        model.load_state_dict({key: array(x) for key, x in start.items()})
        optimizer = optim.LBFGS(list(model.parameters()), **settings)
        for X, y in batches:

            def closure(X=X, y=y):
                optimizer.zero_grad()
                loss = cross_entropy(model(array(X)), array(y))
                loss.backward()
                return loss

            optimizer.step(closure)
        return {key: np.asarray(x) for key, x in model.state_dict().items()}

    def theirs(start):
        return run(torch.nn, torch.optim, torch.nn.functional.cross_entropy, torch.tensor, start)

    expected = theirs(start)
    drift = distance(expected, theirs({key: np.nextafter(x, np.inf) for key, x in start.items()}))
    error = distance(expected, run(nn, optim, nn.functional.cross_entropy, np.array, start))
    print(f"\nLBFGS {settings}: differs by {error:.1e}; one ulp at the start moves PyTorch by {drift:.1e}")
    assert error <= max(1e-10, 100 * drift)
    assert distance(expected, start) > 1e-2, "it moved"


def test_line_searches_try_the_same_points(rng):
    """On wavy and on steep lines, with first steps from much too short to much too long: the same trials, the same end.

    Not counted are lines where one ulp of the first step leads PyTorch's own search elsewhere.
    """
    from torch.optim.lbfgs import _strong_wolfe

    counted = []
    for _ in range(600):
        a, b, c, k = rng.uniform(0.0, 3.0), rng.uniform(0.1, 3.0), rng.uniform(0.0, 6.3), rng.uniform(0.3, 8.0)
        t, limit = float(10.0 ** rng.uniform(-2.0, 2.0)), int(rng.integers(1, 26))

        def waves(x, a=a, b=b, c=c, k=k):
            wave, slope = a * np.sin(k * x + c), a * k * np.cos(k * x + c)
            return wave + b * np.hypot(1.0, x), slope + b * x / np.hypot(1.0, x)

        def walls(x, b=b, c=c, k=k):  # a narrow valley between exponentials
            return b * np.cosh(0.5 * k * (x - c)), 0.5 * b * k * np.sinh(0.5 * k * (x - c))

        f = waves if rng.random() < 0.5 else walls
        d = -np.sign(f(0.0)[1])  # downhill

        def ours(t, f=f, d=d):
            tried = []

            def at(t):
                tried.append(float(t))
                value, slope = f(d * t)
                return Point(np.float64(t), np.float64(value), np.array([slope]), np.float64(slope * d))

            point, used = strong_wolfe(at, at(0.0), t, limit, 1.0, 1e-9)  # noqa: B023
            return [*tried[1:], float(point.t)], used

        def theirs(t, f=f, d=d):
            tried = []

            def at(x, t, d):
                tried.append(float(t))
                value, slope = f(float(d) * float(t))
                return value, torch.tensor([slope])

            value, slope = f(0.0)
            start = (value, torch.tensor([slope]), torch.tensor(slope * d))
            found = _strong_wolfe(at, None, t, torch.tensor([d]), *start, max_ls=limit)  # noqa: B023
            return [*tried, float(found[2])], found[3]

        expected, moved = theirs(t), theirs(float(np.nextafter(t, np.inf)))
        if expected[1] == moved[1] and np.allclose(expected[0], moved[0], rtol=1e-9):
            points, used = ours(t)
            assert used == expected[1]
            np.testing.assert_allclose(points, expected[0], rtol=1e-6)
            counted.append(used)
    assert len(counted) > 400
    assert max(counted) > 8


# ----------------------------------------------------------------------------------------------------------- schedules
SCHEDULES = [
    ("StepLR", dict(step_size=7, gamma=0.3)),
    ("StepLR", dict(step_size=1)),
    ("MultiStepLR", dict(milestones=[3, 3, 10, 40], gamma=0.7)),
    ("MultiStepLR", dict(milestones=[0, 5])),
    ("ExponentialLR", dict(gamma=0.93)),
    ("LinearLR", dict()),
    ("LinearLR", dict(start_factor=0.1, end_factor=0.7, total_iters=23)),
    ("LinearLR", dict(start_factor=1.0, end_factor=0.01, total_iters=40)),
    ("CosineAnnealingLR", dict(T_max=17)),
    ("CosineAnnealingLR", dict(T_max=30, eta_min=0.003)),
    ("CosineAnnealingLR", dict(T_max=1, eta_min=0.01)),
    ("CosineAnnealingWarmRestarts", dict(T_0=5)),
    ("CosineAnnealingWarmRestarts", dict(T_0=3, T_mult=2, eta_min=0.001)),
    ("OneCycleLR", dict(max_lr=0.4, total_steps=60)),
    ("OneCycleLR", dict(max_lr=[0.4, 0.2], epochs=6, steps_per_epoch=11, anneal_strategy="linear", pct_start=0.4)),
    ("OneCycleLR", dict(max_lr=0.4, total_steps=64, three_phase=True, base_momentum=[0.8, 0.7], div_factor=10.0)),
    ("OneCycleLR", dict(max_lr=0.4, total_steps=61, cycle_momentum=False, pct_start=0.0, final_div_factor=100.0)),
    ("LambdaLR", dict(lr_lambda=lambda t: 0.95**t)),
    ("LambdaLR", dict(lr_lambda=[lambda t: 1.0 / (1 + t), lambda t: 1.0])),
]


def two_groups(library, kind="SGD"):
    params = [mg.Value(1.0), mg.Value(2.0)] if library is optim else [torch.ones(1, requires_grad=True) for _ in "ab"]
    settings = dict(momentum=0.9) if kind == "SGD" else {}
    return getattr(library, kind)([{"params": [params[0]]}, {"params": [params[1]], "lr": 0.03}], lr=0.1, **settings)


def settings_of(optimizer):
    return [(g["lr"], g.get("momentum"), g.get("betas")) for g in optimizer.param_groups]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
def test_schedules_are_equal_to_the_last_bit(name, settings, kind):
    a, b = two_groups(optim, kind), two_groups(torch.optim, kind)
    ours = getattr(lr_scheduler, name)(a, **settings)
    theirs = getattr(torch.optim.lr_scheduler, name)(b, **settings)
    assert settings_of(a) == settings_of(b)
    for _ in range(60):
        a.step(), b.step(), ours.step(), theirs.step()
        assert settings_of(a) == settings_of(b)
        assert ours.get_last_lr() == theirs.get_last_lr()


def test_two_schedules_on_one_optimiser_multiply():
    a, b = two_groups(optim), two_groups(torch.optim)
    ours, theirs = [], []
    for library, optimizer, made in ((lr_scheduler, a, ours), (torch.optim.lr_scheduler, b, theirs)):
        made += [library.LinearLR(optimizer, total_iters=8), library.ExponentialLR(optimizer, 0.9)]
    for _ in range(20):
        a.step(), b.step()
        for schedule in ours + theirs:
            schedule.step()
        assert settings_of(a) == settings_of(b)


@pytest.mark.parametrize(
    "settings",
    [
        dict(patience=2),
        dict(patience=0, factor=0.5, threshold=0.1),
        dict(mode="max", patience=1, factor=0.3, cooldown=2, min_lr=[0.001, 0.02]),
        dict(patience=1, threshold=0.05, threshold_mode="abs", eps=1e-3),
        dict(mode="max", patience=1, threshold_mode="abs", threshold=0.01, min_lr=1e-4),
    ],
)
def test_reduce_on_plateau(settings, rng):
    a, b = two_groups(optim), two_groups(torch.optim)
    ours, theirs = (
        lr_scheduler.ReduceLROnPlateau(a, **settings),
        torch.optim.lr_scheduler.ReduceLROnPlateau(b, **settings),
    )
    for loss in [*(1.0 / np.arange(1, 30) + rng.normal(0.0, 0.05, 29)), np.nan, 0.1, np.inf, *[0.2] * 20]:
        ours.step(float(loss)), theirs.step(float(loss))
        assert settings_of(a) == settings_of(b)
        assert (ours.best, ours.num_bad_epochs) == (theirs.best, theirs.num_bad_epochs)


# ------------------------------------------------------------------------------------------------------------ clipping
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.5, np.inf])
@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_clip_grad_norm(norm_type, scale, rng):
    gradients = [scale * rng.normal(size=(2, 3)), scale * rng.normal(size=4), None, scale * 0.5]
    ours = [mg.Value(np.zeros(np.shape(g)) if g is not None else 0.0) for g in gradients]
    theirs = [torch.zeros(np.shape(g) if g is not None else (), requires_grad=True) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = g, None if g is None else torch.tensor(g)
    norm = nn.utils.clip_grad_norm_(ours, 0.7, norm_type)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, 0.7, norm_type).item(), rel=1e-14)
    for p, q in zip(ours, theirs, strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-14)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_clip_grad_norm_of_inf_and_nan(bad):
    p, q = mg.Value([0.0, 0.0]), torch.zeros(2, requires_grad=True)
    p.grad, q.grad = np.array([1.0, bad]), torch.tensor([1.0, bad])
    nn.utils.clip_grad_norm_(p, 1.0)
    torch.nn.utils.clip_grad_norm_(q, 1.0)
    np.testing.assert_array_equal(p.grad, q.grad.numpy())


def test_clip_grad_value(rng):
    p, q = mg.Value(np.zeros(9)), torch.zeros(9, requires_grad=True)
    g = np.array([*rng.normal(size=6), np.inf, -np.inf, np.nan])
    p.grad, q.grad = g.copy(), torch.tensor(g)
    nn.utils.clip_grad_value_(p, 0.3)
    torch.nn.utils.clip_grad_value_(q, 0.3)
    np.testing.assert_array_equal(p.grad, q.grad.numpy())
