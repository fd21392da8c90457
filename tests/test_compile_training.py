"""Compiled training steps: gradients, optimisers, schedules, modes and randomness stay what they are eagerly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, nn, optim

pytestmark = pytest.mark.filterwarnings("error")
X, Y = np.random.default_rng(0).normal(size=(8, 3)), np.random.default_rng(1).integers(2, size=8)


def recordings(f: Any) -> int:
    return sum(map(len, f.entries.values()))


def same(eager: Any, compiled: Any, tolerance: float = 1e-11) -> None:
    for a, b in zip(eager, compiled, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)


def both_ways(run: Any, limit: int = 4) -> None:
    """`run(wrap)` gives numbers; compiled they are the same, from few recordings."""
    made: list[Any] = []

    def wrap(f: Any) -> Any:
        made.append(compile(f))
        return made[-1]

    same(run(lambda f: f), run(wrap))
    assert all([1 <= recordings(f) <= limit for f in made])


# --------------------------------------------------------------------------------------------------- gradients
def test_gradients_that_are_set_to_zero_by_hand() -> None:
    def run(wrap: Any) -> Any:
        w, b = Value([1.0, 2.0]), Value(0.5)
        zero: Any = 0

        def f(x: Any) -> Any:
            w.grad = zero
            b.grad = 0.0
            ((w * x).sum() * b).backward()

        f = wrap(f)
        seen = []
        for k in (1.0, 2.0, 3.0):
            f(np.array([k, 10.0]))
            seen += [np.copy(w.grad), b.grad]
        return seen

    both_ways(run)


@pytest.mark.parametrize("reset", ["zero_grad", "assign", "optimizer", "zeros", "module", "never"])
def test_ways_to_reset(reset: str) -> None:
    def run(wrap: Any) -> Any:
        model = nn.Linear(3, 2, rng=0)
        model.unused = nn.Parameter(np.ones(2))
        model.unused.grad = np.ones(2)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x: Any) -> Any:
            if reset == "zero_grad":
                for p in model.parameters():
                    p.zero_grad()
            elif reset == "assign":
                for p in model.parameters():
                    p.grad = None
            elif reset == "optimizer":
                optimizer.zero_grad()
            elif reset == "zeros":
                optimizer.zero_grad(set_to_none=False)
            elif reset == "module":
                model.zero_grad()
            loss = (model(x) ** 2.0).mean()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        losses = [step(X * k).item() for k in (1.0, 0.5, 2.0, 1.0)]
        return losses, *[p.data for p in model.parameters()], *[p.grad for p in model.parameters()]

    both_ways(run)


def test_gradients_that_are_read() -> None:
    def run(wrap: Any) -> Any:
        w, v = Value([1.0, 2.0]), Value([3.0, 4.0])

        def f(x: Any) -> Any:
            w.zero_grad()
            (w * w * x).sum().backward()
            penalty = (w.grad * w.grad).sum() + (0.0 if v.grad is None else v.grad.sum())
            h = w * x
            (h * h).sum().backward()
            return penalty, h.grad * 1.0, w.grad * 1.0

        f = wrap(f)
        seen = []
        for k in (1.0, 2.0, 3.0):
            seen += [
                x if isinstance(x, np.ndarray) else np.asarray(getattr(x, "data", x)) for x in f(np.array([k, 1.0]))
            ]
            v.grad = np.array([k, k])
        return [*seen, w.grad]

    both_ways(run)


def test_gradients_that_are_changed_by_hand() -> None:
    def run(wrap: Any) -> Any:
        w, b = Value([1.0, 2.0]), Value(3.0)
        optimizer = optim.SGD([w, b], lr=0.1)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = ((w * x).sum() * b) ** 2.0
            loss.backward()
            w.grad = mg.clip(w.grad, -1.0, 1.0) * 0.5
            b.grad *= 0.1
            optimizer.step()
            return loss

        f = wrap(step)
        return [f(np.array([k, 1.0])).item() for k in (1.0, 2.0, -1.0)], w.data, w.grad, b.grad

    both_ways(run)


def test_gradients_that_accumulate_over_calls_of_a_step() -> None:
    """Four small batches, then a step; the reset is in another compiled function."""

    def run(wrap: Any) -> Any:
        model = nn.MLP([3, 4, 2], nn.Tanh, rng=0)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        part = wrap(lambda x, y: (nn.CrossEntropyLoss()(model(x), y) / 4.0).backward())

        def finish() -> None:
            optimizer.step()
            optimizer.zero_grad()

        done = wrap(finish)
        for i in range(12):
            part(X[i % 4 * 2 :][:2], Y[i % 4 * 2 :][:2])
            if i % 4 == 3:
                done()
        return [*[p.data for p in model.parameters()], *[p.grad for p in model.parameters()]]

    both_ways(run)


@pytest.mark.parametrize("reset", [None, 2, 1])
@pytest.mark.parametrize("steps", [False, True])
def test_scalar_gradients_over_two_passes_in_a_call(reset: int | None, steps: bool) -> None:
    """Accumulating scalar leaves: over steps, and after none, some or all of them were reset."""

    def run(wrap: Any) -> Any:
        weights = [Value(0.1 * i) for i in range(30)]
        optimizer = optim.SGD(weights, lr=0.001)

        def loss_of(X: Any) -> Any:
            return sum([sum([w * x for w, x in zip(weights, row, strict=True)]).tanh() ** 2.0 for row in X])

        def f(X: Any) -> Any:
            loss_of(X).backward()
            if steps:
                optimizer.step()
            for w in weights[::reset] if reset else []:
                w.grad = None
            loss_of(X).backward()
            optimizer.step()

        f, rng = wrap(f), np.random.default_rng(0)
        for _ in range(3):
            f(rng.normal(size=(30, 30)))
        return [w.data for w in weights], [w.grad for w in weights]

    both_ways(run)


@pytest.mark.parametrize("steps", [False, True])
def test_the_gradient_from_before_is_read_late(steps: bool) -> None:
    def run(wrap: Any) -> Any:
        w = Value([1.0, 2.0, 3.0])
        optimizer = optim.SGD([w], lr=0.1)

        def f(x: Any) -> Any:
            old = w.grad
            (w * w * x).sum().backward()
            if steps:
                optimizer.step()
            return (x if old is None else old * x).sum()

        f = wrap(f)
        seen = [f(np.array([k, 1.0, 2.0])) for k in (1.0, 2.0, 3.0, 4.0, 5.0)]
        return [x.item() for x in seen], w.grad, w.data

    both_ways(run)


@pytest.mark.parametrize("clipped", [False, True])
def test_two_backward_passes_around_clipping(clipped: bool) -> None:
    def run(wrap: Any) -> Any:
        model = nn.Linear(3, 2, rng=0)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            (model(x) ** 2.0).mean().backward()
            norm: Any = nn.utils.clip_grad_norm_(model.parameters(), 0.1) if clipped else None
            (model(x) ** 4.0).mean().backward()
            half = model.weight.grad * 0.5
            optimizer.step()
            return Value(0.0, requires_grad=False) if norm is None else norm * 2.0, half * 1.0

        step = wrap(step)
        seen = [step(X * k) for k in (1.0, 0.5, 2.0)]
        return [np.asarray(getattr(x, "data", x)) for pair in seen for x in pair] + [p.data for p in model.parameters()]

    both_ways(run)


def test_a_gradient_from_before_that_clipping_has_changed() -> None:
    def run(wrap: Any) -> Any:
        w, v = Value([1.0, 2.0]), Value([3.0, 4.0])

        def f(x: Any) -> Any:
            w.grad = None
            (w * x).sum().backward()
            before = v.grad * 1.0
            nn.utils.clip_grad_value_([w, v], 0.5)
            return before, v.grad * 1.0, w.grad * 1.0

        f, seen = wrap(f), []
        for k in (1.0, 0.1, 3.0):
            v.grad = np.array([k, -k])
            seen += [np.asarray(g if isinstance(g, np.ndarray) else g.data) for g in f(np.array([k, 0.2]))]
        return [*seen, v.grad, w.grad]

    both_ways(run)


# ------------------------------------------------------------------------------------- optimisers and schedules
def test_many_steps_in_one_call() -> None:
    def run(wrap: Any) -> Any:
        model = nn.MLP([3, 5, 2], nn.Tanh, rng=0)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        schedule = optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)

        def steps(x: Any, y: Any) -> Any:
            losses = []
            for i in range(3):
                optimizer.zero_grad()
                loss = nn.CrossEntropyLoss()(model(x[i : i + 4]), y[i : i + 4])
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss)
            return losses

        steps = wrap(steps)
        losses = [loss.item() for _ in range(4) for loss in steps(X, Y)]
        return losses, *[p.data for p in model.parameters()], optimizer.param_groups[0]["lr"], schedule.last_epoch

    both_ways(run, limit=1)


def test_two_optimisers_with_groups() -> None:
    def run(wrap: Any) -> Any:
        a, b = nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1)
        groups = [{"params": [a.weight], "lr": 0.1}, {"params": [a.bias], "weight_decay": 0.1}]
        first, second = optim.SGD(groups, lr=0.05, momentum=0.5), optim.Adam(b.parameters(), lr=0.02)

        def step(x: Any, y: Any) -> Any:
            first.zero_grad(), second.zero_grad()
            loss = nn.CrossEntropyLoss()(b(mg.tanh(a(x))), y)
            loss.backward()
            first.step()
            again = nn.CrossEntropyLoss()(b(mg.tanh(a(x))), y)
            second.step()
            return loss, again

        step = wrap(step)
        losses = [x.item() for _ in range(5) for x in step(X, Y)]
        return losses, *[p.data for p in (*a.parameters(), *b.parameters())]

    both_ways(run, limit=1)


def test_settings_and_schedules_between_calls() -> None:
    def run(wrap: Any) -> Any:
        model = nn.Linear(3, 2, rng=0)
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
        plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            plateau.step(loss)
            return loss

        step = wrap(step)
        losses = []
        for i in range(8):
            losses.append(step(X * (1.0 + i), Y).item())
            cosine.step()
            if i == 3:
                optimizer.param_groups[0].update(momentum=0.1, nesterov=True, weight_decay=0.01)
            if i == 5:
                optimizer.param_groups[0]["lr"] = 0.3
        return losses, *[p.data for p in model.parameters()], plateau.num_bad_epochs, plateau.best

    both_ways(run, limit=1)


def test_shared_parameters_and_states_loaded_between_calls() -> None:
    def run(wrap: Any) -> Any:
        first = nn.Linear(3, 3, rng=0)
        model = nn.Sequential(first, nn.Tanh(), first, nn.Linear(3, 2, rng=1))
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y) + (first.weight * first.weight).sum() * 0.01
            loss.backward()
            optimizer.step()
            return loss

        step, losses, kept = wrap(step), [], None
        for i in range(9):
            losses.append(step(X[: 8 - i % 3], Y[: 8 - i % 3]).item())
            if i == 2:
                kept = model.state_dict(), optimizer.state_dict()
            if i == 5 and kept is not None:
                model.load_state_dict(kept[0]), optimizer.load_state_dict(kept[1])
            if i == 6:
                first.weight.data[0] = 0.0
                first.bias.data = np.ones(3)
        return losses, *[p.data for p in model.parameters()]

    both_ways(run, limit=3)


# ------------------------------------------------------------------------------------------ modes and randomness
def test_dropout_draws_what_it_would_draw_eagerly() -> None:
    def run(wrap: Any) -> Any:
        model = nn.Sequential(nn.Linear(3, 20, rng=0), nn.Dropout(0.5, rng=7), nn.Linear(20, 2, rng=1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(X, Y).item() for _ in range(6)], *[p.data for p in model.parameters()]

    both_ways(run, limit=1)


def test_statistics_and_modes_that_the_function_sets() -> None:
    def run(wrap: Any) -> Any:
        model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Linear(4, 2, rng=1))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            model.train()
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            model.eval()
            with mg.no_grad():
                return loss, nn.CrossEntropyLoss()(model(x), y)

        step = wrap(step)
        seen = []
        for k in (1.0, 2.0, 3.0, 4.0):
            seen += [x.item() for x in step(X * k, Y)]
            seen.append(float(model.training))
            model.train(k != 2.0)
        return seen, *model.state_dict().values()

    both_ways(run, limit=1)


def test_running_statistics_are_read_anew() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3)).eval()
    f = compile(lambda x: model(x))
    for k in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(f(X).data, model(X).data, rtol=1e-13)
        model.train()
        model(X * k)
        model.eval()
        if k == 2.0:
            model.load_state_dict({name: x + 1 for name, x in model.state_dict().items()})
    assert recordings(f) == 1


def test_a_frozen_layer_is_recorded_anew() -> None:
    def run(wrap: Any) -> Any:
        model = nn.MLP([3, 4, 2], nn.Tanh, rng=0)
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step, losses = wrap(step), []
        for i in range(6):
            losses.append(step(X, Y).item())
            for p in model.layers[0].parameters():
                p.requires_grad = i % 2 == 1
        return losses, *[p.data for p in model.parameters()]

    both_ways(run)


# --------------------------------------------------------------------------------------------------------- drift
OPTIMIZERS: dict[str, Any] = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "SGD, Nesterov": lambda p: optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
    "EMAMomentum": lambda p: optim.EMAMomentum(p, lr=0.05),
    "Adagrad": lambda p: optim.Adagrad(p),
    "RMSprop": lambda p: optim.RMSprop(p, lr=1e-3, centered=True, momentum=0.5),
    "Adam": lambda p: optim.Adam(p, lr=1e-3),
    "Adam, amsgrad": lambda p: optim.Adam(p, lr=1e-3, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=1e-3),
    "NAdam": lambda p: optim.NAdam(p, lr=1e-3),
    "RAdam": lambda p: optim.RAdam(p, lr=1e-3),
    "Adamax": lambda p: optim.Adamax(p, lr=1e-3),
    "Adadelta": lambda p: optim.Adadelta(p),
    "Rprop": lambda p: optim.Rprop(p, lr=1e-3),
}
QUICK = ("SGD", "Adam", "Rprop")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in OPTIMIZERS]
)
def test_drift_over_1000_steps(name: str) -> None:
    """At most 100 times what one unit in the last place of one number at the start makes of it, eagerly."""
    rng = np.random.default_rng(5)
    batches = [(rng.normal(size=(8, 3)), rng.integers(2, size=8)) for _ in range(20)]

    def trained(wrap: Any, ulps: int = 0) -> Any:
        model = nn.MLP([3, 6, 2], nn.Tanh, rng=0)
        weight = model.layers[0].weight.data
        for _ in range(ulps):
            weight[:] = np.nextafter(weight, np.inf)
        optimizer = OPTIMIZERS[name](model.parameters())

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(x), y)
            loss.backward()
            optimizer.step()

        step = wrap(step)
        for i in range(1000):
            step(*batches[i % len(batches)])
        return np.concatenate([p.data.ravel() for p in model.parameters()])

    eager = trained(lambda f: f)
    allowed = np.max(np.abs(trained(lambda f: f, ulps=1) - eager))
    assert np.max(np.abs(trained(compile) - eager)) <= 100.0 * allowed
