"""Learning-rate schedules: stop and continue, what is refused, and warnings.  The rates: test_optim_torch.py."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.errors import DtypeError
from minigrad.optim import lr_scheduler


def sgd(groups=1, lr=0.1):
    return optim.SGD([{"params": [mg.Value(1.0)], "lr": lr / (i + 1)} for i in range(groups)], momentum=0.5)


def rates(optimizer, schedule, steps):
    seen = []
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        seen.append([(g["lr"], g["momentum"]) for g in optimizer.param_groups])
    return seen


SCHEDULES = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 7]),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "InverseTimeLR": lambda o: lr_scheduler.InverseTimeLR(o, 0.1),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, total_iters=8),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 6),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 2),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, [0.4, 0.2], total_steps=20),
}
every_schedule = pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)


@every_schedule
@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_loaded_schedule_continues_with_the_same_rates(make, through_a_file, tmp_path):
    whole = sgd(2)
    expected = rates(whole, make(whole), 12)
    half = sgd(2)
    schedule = make(half)
    rates(half, schedule, 5)
    state = {"optimizer": half.state_dict(), "schedule": schedule.state_dict()}
    if through_a_file:
        mg.save(tmp_path / "run.npz", state)
        state = mg.load(tmp_path / "run.npz")
    other = sgd(2, lr=0.7)
    resumed = make(other)
    other.load_state_dict(state["optimizer"])
    resumed.load_state_dict(state["schedule"])
    assert rates(other, resumed, 7) == expected[5:]
    assert resumed.last_epoch == 12


@every_schedule
def test_a_copied_schedule_moves_its_copied_optimiser(make):
    optimizer = sgd(2)
    schedule = make(optimizer)
    rates(optimizer, schedule, 3)
    twin_optimizer, twin = copy.deepcopy((optimizer, schedule))
    before = [g["lr"] for g in optimizer.param_groups]
    expected = rates(twin_optimizer, twin, 4)
    assert [g["lr"] for g in optimizer.param_groups] == before
    assert rates(optimizer, schedule, 4) == expected


def test_plateau_continues_too(tmp_path):
    losses = [3.0, 2.0, 2.1, 2.2, 2.3, 1.0, 1.1, 1.2, 1.3, 1.4]

    def run(optimizer, schedule, losses):
        seen = []
        for loss in losses:
            schedule.step(mg.Value(loss))
            seen.append(optimizer.param_groups[0]["lr"])
        return seen

    make = lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, factor=0.5)  # noqa: E731
    whole, half, other = sgd(), sgd(), sgd(lr=0.9)
    expected = run(whole, make(whole), losses)
    assert len(set(expected)) > 2
    schedule = make(half)
    run(half, schedule, losses[:4])
    mg.save(tmp_path / "run.npz", {"optimizer": half.state_dict(), "schedule": schedule.state_dict()})
    state = mg.load(tmp_path / "run.npz")
    resumed = make(other)
    other.load_state_dict(state["optimizer"])
    resumed.load_state_dict(state["schedule"])
    assert run(other, resumed, losses[4:]) == expected[4:]


def test_an_optimiser_state_from_a_scheduled_run_loads_before_the_schedule_is_made():
    optimizer = sgd()
    rates(optimizer, lr_scheduler.ExponentialLR(optimizer, 0.5), 2)
    other = sgd(lr=0.9)
    other.load_state_dict(optimizer.state_dict())
    schedule = lr_scheduler.InverseTimeLR(other, 1.0)
    assert schedule.get_last_lr() == [0.1], "the rate at the very start, not the one of the moment"


def test_a_group_that_is_added_later_joins():
    optimizer = sgd()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    rates(optimizer, schedule, 1)
    optimizer.add_param_group({"params": [mg.Value(1.0)], "lr": 0.8})
    rates(optimizer, schedule, 1)
    assert schedule.get_last_lr() == [0.025, 0.4]


@pytest.mark.parametrize("name", ["LambdaLR", "OneCycleLR"])
def test_one_with_settings_per_group_says_so(name):
    optimizer = sgd(2)
    schedule = SCHEDULES[name](optimizer)
    rates(optimizer, schedule, 3)
    optimizer.add_param_group({"params": [mg.Value(1.0)]})
    before = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(ValueError, match=f"{name}: made for 2 groups, and now there are 3: make a new schedule"):
        schedule.step()
    assert (schedule.last_epoch, optimizer.param_groups) == (3, before)


def test_a_function_that_fails_leaves_the_schedule_where_it_was():
    optimizer = sgd(2)
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda t: 0.5**t, lambda t: 1.0 / (2 - t)])
    rates(optimizer, schedule, 1)
    with pytest.raises(ZeroDivisionError):
        schedule.step()
    assert (schedule.last_epoch, schedule.get_last_lr()) == (1, [0.05, 0.05])


def test_a_schedule_of_ones_own_is_one_rule():
    class Root(lr_scheduler.LRScheduler):
        def rate(self, lr, base, t):
            return base / (1 + t) ** 0.5

    optimizer = sgd()
    assert rates(optimizer, Root(optimizer), 3)[-1][0][0] == 0.05
    with pytest.raises(TypeError, match=r"no rule: define rate\(lr, base, t\)"):
        lr_scheduler.LRScheduler(optimizer)


def test_the_wrong_order_is_warned_of():
    optimizer = sgd()
    schedule = lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"StepLR: step\(\) was called before optimizer.step\(\)"):
        schedule.step()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()


def test_one_cycle_ends():
    optimizer = sgd()
    schedule = lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=5)
    rates(optimizer, schedule, 5)
    last = optimizer.param_groups[0]["lr"]
    for _ in range(2):
        with pytest.raises(ValueError, match="more than total_steps=5 times"):
            schedule.step()
    assert (optimizer.param_groups[0]["lr"], schedule.last_epoch) == (last, 5)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda o: lr_scheduler.StepLR(mg.Value(1.0), 3), DtypeError, "StepLR: Value is not an optimizer"),
        (lambda o: lr_scheduler.LambdaLR(None, len), DtypeError, "LambdaLR: NoneType is not an optimizer"),
        (lambda o: lr_scheduler.OneCycleLR([o], 0.1, 9), DtypeError, "OneCycleLR: list is not an optimizer"),
        (lambda o: lr_scheduler.StepLR(o, 0), ValueError, "StepLR: step_size=0; it is at least 1"),
        (lambda o: lr_scheduler.StepLR(o, 2.5), TypeError, "StepLR: step_size=2.5 is not a whole number"),
        (lambda o: lr_scheduler.StepLR(o, 2, gamma=-0.1), ValueError, "StepLR: gamma=-0.1"),
        (lambda o: lr_scheduler.ExponentialLR(o, float("nan")), ValueError, "ExponentialLR: gamma=nan"),
        (lambda o: lr_scheduler.ExponentialLR(o, "0.9"), DtypeError, "ExponentialLR: gamma='0.9' is not a number"),
        (lambda o: lr_scheduler.MultiStepLR(o, [3, -1]), ValueError, "MultiStepLR: a milestone=-1"),
        (lambda o: lr_scheduler.InverseTimeLR(o, -1.0), ValueError, "InverseTimeLR: decay=-1.0"),
        (lambda o: lr_scheduler.LinearLR(o, start_factor=0.0), ValueError, "start_factor=0.0; it is above 0"),
        (lambda o: lr_scheduler.LinearLR(o, end_factor=1.1), ValueError, "end_factor=1.1; it is between 0 and 1"),
        (lambda o: lr_scheduler.LinearLR(o, total_iters=0), ValueError, "LinearLR: total_iters=0"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 0), ValueError, "CosineAnnealingLR: T_max=0"),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 5, -0.1), ValueError, "CosineAnnealingLR: eta_min=-0.1"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0=0"),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 0), ValueError, "T_mult=0"),
        (lambda o: lr_scheduler.LambdaLR(o, [len]), ValueError, "LambdaLR: 1 functions for 2 groups"),
        (lambda o: lr_scheduler.LambdaLR(o, 0.5), DtypeError, "lr_lambda is a function of the step count or a list"),
        (lambda o: lr_scheduler.LambdaLR(o, lambda t: None), DtypeError, r"lr_lambda\(t\)=None is not a number"),
        (lambda o: lr_scheduler.LambdaLR(o, [lambda t: 0.5, lambda t: float("nan")]), ValueError, r"\(t\)=nan"),
        (lambda o: lr_scheduler.MultiStepLR(o, 5), DtypeError, "MultiStepLR: milestones=5 is not a list"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1), ValueError, "give total_steps, or epochs and steps_per_epoch"),
        (lambda o: lr_scheduler.OneCycleLR(o, [0.1], 9), ValueError, "OneCycleLR: max_lr: 1 numbers for 2 groups"),
        (lambda o: lr_scheduler.OneCycleLR(o, float("nan"), 9), ValueError, "OneCycleLR: max_lr=nan"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 9, pct_start=1.5), ValueError, "pct_start=1.5"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 9, anneal_strategy="sin"), ValueError, "'cos' and 'linear'"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 9, div_factor=0.0), ValueError, "div_factor=0.0; it is above 0"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, pct_start=0.1), ValueError, "a phase of no steps"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 9, cycle_momentum="no"), DtypeError, "cycle_momentum is True or Fa"),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 9, three_phase=1), DtypeError, "three_phase=1; three_phase is True"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ValueError, "mode='least'"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor=1.0; it is below 1"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=-1), ValueError, "patience=-1"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "min_lr: 1 numbers for 2 groups"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o).step(), DtypeError, "needs the number to watch"),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o).step("low"), DtypeError, "metric='low' is not a number"),
    ],
)
def test_what_a_schedule_refuses_leaves_the_rates_alone(make, error, text):
    optimizer = sgd(2)
    with pytest.raises(error, match=text):
        make(optimizer)
    assert [(g["lr"], g["momentum"]) for g in optimizer.param_groups] == [(0.1, 0.5), (0.05, 0.5)]


def test_a_function_that_fails_for_one_group_changes_none():
    optimizer = sgd(2)
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda t: 0.5**t, lambda t: "x" if t else 1.0])
    optimizer.step()
    with pytest.raises(DtypeError, match=r"LambdaLR: lr_lambda\(t\)='x' is not a number"):
        schedule.step()
    assert (schedule.get_last_lr(), schedule.last_epoch) == ([0.1, 0.05], 0)


def test_the_metric_may_be_any_single_number():
    for metric in (2.0, 2, np.float32(2.0), np.array(2.0, np.float32), mg.Value(2.0), mg.Value([2.0])):
        schedule = lr_scheduler.ReduceLROnPlateau(sgd())
        schedule.step(metric)
        assert schedule.best == 2.0


def test_one_cycle_needs_a_momentum_to_cycle():
    optimizer = optim.Adagrad([mg.Value(1.0)])
    with pytest.raises(ValueError, match="no momentum or betas; use cycle_momentum=False"):
        lr_scheduler.OneCycleLR(optimizer, 0.1, 9)
    lr_scheduler.OneCycleLR(optimizer, 0.1, 9, cycle_momentum=False)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("gamma"), "StepLR: the state of another schedule: it has"),
        (lambda s: s.update(T_max=3), "another schedule"),
        (lambda s: s.update(last_epoch=-1), "StepLR: last_epoch=-1"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, text):
    schedule = lr_scheduler.StepLR(sgd(), 3)
    before = schedule.state_dict()
    state = {**before, "step_size": 9}
    change(state)
    with pytest.raises(ValueError, match=text):
        schedule.load_state_dict(state)
    with pytest.raises(ValueError, match="StepLR: the state of another schedule: it has NoneType"):
        schedule.load_state_dict(None)
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("name", "change", "text"),
    [
        ("StepLR", {"step_size": 0}, "StepLR: step_size=0"),
        ("StepLR", {"gamma": float("nan")}, "StepLR: gamma=nan"),
        ("MultiStepLR", {"milestones": [2.5]}, "a milestone=2.5 is not a whole number"),
        ("ExponentialLR", {"gamma": -1.0}, "ExponentialLR: gamma=-1.0"),
        ("InverseTimeLR", {"decay": "much"}, "decay='much' is not a number"),
        ("LinearLR", {"total_iters": 0}, "LinearLR: total_iters=0"),
        ("LinearLR", {"start_factor": 0.0}, "LinearLR: start_factor=0.0"),
        ("CosineAnnealingLR", {"T_max": 0}, "CosineAnnealingLR: T_max=0"),
        ("CosineAnnealingWarmRestarts", {"T_0": 0}, "T_0=0"),
        ("OneCycleLR", {"total_steps": 0}, "OneCycleLR: total_steps=0"),
        ("OneCycleLR", {"anneal_strategy": "sin"}, "'cos' and 'linear'"),
        ("OneCycleLR", {"cycle_momentum": None}, "cycle_momentum=None; cycle_momentum is True or False"),
        ("OneCycleLR", {"ends": [0.0, 9]}, "a phase of no steps"),
        ("OneCycleLR", {"lrs": [[0.1, 0.2]]}, "2 phases have one corner more, not 2"),
        ("OneCycleLR", {"lrs": []}, "made for 0 groups, and now there are 1"),
        ("OneCycleLR", {"momenta": [[0.9, float("inf"), 0.9]]}, "a corner of the cycle=inf"),
        ("ReduceLROnPlateau", {"mode": "least"}, "mode='least'"),
        ("ReduceLROnPlateau", {"num_bad_epochs": -1}, "num_bad_epochs=-1"),
        ("ReduceLROnPlateau", {"min_lr": [0.1, 0.1]}, "min_lr: 2 numbers for 1 groups"),
    ],
)
def test_a_state_is_held_to_what_the_constructor_asks_for(name, change, text):
    settings = {
        "StepLR": (3,), "MultiStepLR": ([1, 3],), "ExponentialLR": (0.5,), "InverseTimeLR": (0.5,), "LinearLR": (),
        "CosineAnnealingLR": (4,), "CosineAnnealingWarmRestarts": (2,), "OneCycleLR": (1.0, 10),
        "ReduceLROnPlateau": (),
    }  # fmt: skip
    schedule = getattr(lr_scheduler, name)(sgd(), *settings[name])
    before = schedule.state_dict()
    with pytest.raises((ValueError, TypeError), match=text):
        schedule.load_state_dict({**before, "last_epoch": 7, **change})
    assert schedule.state_dict() == before


def test_a_state_is_a_copy_both_ways():
    schedule = lr_scheduler.MultiStepLR(sgd(), milestones=[1, 3])
    state = schedule.state_dict()
    state["milestones"].append(5)
    assert schedule.milestones == [1, 3]
    schedule.load_state_dict(state)
    state["milestones"].clear()
    assert schedule.milestones == [1, 3, 5]
