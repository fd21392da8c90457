"""Learning-rate schedules: each is one rule that gives a group's next rate.

>>> from minigrad import Value, optim
>>> optimizer = optim.SGD([Value(1.0)], lr=0.8)
>>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
>>> for epoch in range(5):
...     print(optimizer.param_groups[0]["lr"])
...     optimizer.step()
...     schedule.step()
0.8
0.8
0.4
0.4
0.2

A schedule of your own is one method, `rate(lr, base, t)`: the rate now, the rate that the group started with, and how
many times `step()` was called.  Most rules change the rate that is there, as PyTorch's do, so that two schedules on one
optimiser multiply.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..arguments import at_least_zero, number, whole
from ..errors import DtypeError
from ..recorded import beside
from ..value import Value
from .optimizer import Group, Optimizer, true_or_false

__all__ = [
    "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR", "InverseTimeLR", "LRScheduler", "LambdaLR",
    "LinearLR", "MultiStepLR", "OneCycleLR", "ReduceLROnPlateau", "StepLR",
]  # fmt: skip


class LRScheduler:
    """Base of the schedules: sets each group's "lr" when it is made, and at each `step()`, to what `rate` answers.

    Call `step()` after `optimizer.step()`, once per epoch (or per batch, if the rule counts batches).
    Raises `DtypeError` for what is no optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = checked(type(self), optimizer)
        self.last_epoch = 0
        self.check()
        self.set_rates()

    def check(self) -> None:
        """Raise for settings of the wrong kind or out of range; asked when it is made, and for a state to be loaded."""
        whole(f"{type(self).__name__}: last_epoch", self.last_epoch, least=0)

    def rate(self, lr: float, base: float, t: int) -> float:
        """The rate after `t` calls of step(); `lr` is the one before this call, `base` the one at the start."""
        raise TypeError(f"{type(self).__name__} has no rule: define rate(lr, base, t).")

    def step(self) -> None:
        """Go on to the next rate."""
        beside(self.go_on)

    def go_on(self) -> None:
        if self.last_epoch == 0 and self.optimizer.steps_taken == 0:
            warnings.warn(
                f"{type(self).__name__}: step() was called before optimizer.step(): the first rate is never used.",
                stacklevel=4,
            )
        self.last_epoch += 1
        try:
            self.set_rates()
        except BaseException:
            self.last_epoch -= 1
            raise

    def set_rates(self) -> None:
        """Give each group the rate of `last_epoch`: all, or on an error none."""
        groups = self.optimizer.param_groups
        for group in groups:
            group.setdefault("initial_lr", group["lr"])
        rates = [self.rate(group["lr"], group["initial_lr"], self.last_epoch) for group in groups]
        for group, lr in zip(groups, rates, strict=True):
            group["lr"] = lr

    def groups(self, count: int) -> list[Group]:
        """The groups of the optimizer, if there are as many as this schedule has settings for."""
        groups = self.optimizer.param_groups
        if len(groups) != count:
            raise ValueError(
                f"{type(self).__name__}: made for {count} groups, and now there are {len(groups)}: make a new schedule."
            )
        return groups

    def get_last_lr(self) -> list[float]:
        """The rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule is, and its settings; functions are not saved.  The rates are in the optimizer's state."""
        return copy.deepcopy({name: x for name, x in vars(self).items() if name not in ("optimizer", "lr_lambdas")})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict` of the same kind of schedule; on an error nothing has changed.

        The rates are in the optimizer's state: load that, too.
        """
        if not isinstance(state, dict) or set(state) != set(self.state_dict()):
            found = sorted(state) if isinstance(state, dict) else type(state).__name__
            raise ValueError(
                f"{type(self).__name__}: the state of another schedule: it has {found}, not "
                f"{sorted(self.state_dict())}."
            )
        trial = copy.copy(self)
        vars(trial).update(copy.deepcopy(state))
        trial.check()
        vars(self).update(vars(trial))


class LambdaLR(LRScheduler):
    """base times lr_lambda(t), with any function of the step count, or one for each group.

    >>> schedule = LambdaLR(example(), lambda t: 1.0 / (1 + t))
    >>> rates(schedule, 4)
    [1.0, 0.5, 0.3333, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        count = len(checked(LambdaLR, optimizer).param_groups)
        given = [lr_lambda] * count if callable(lr_lambda) else lr_lambda
        if not isinstance(given, (list, tuple)) or not all(map(callable, given)):
            raise DtypeError(
                f"LambdaLR: lr_lambda is a function of the step count or a list of them, not {given!r:.60}."
            )
        if len(given) != count:
            raise ValueError(f"LambdaLR: {len(given)} functions for {count} groups.")
        self.lr_lambdas = list(given)
        super().__init__(optimizer)

    def set_rates(self) -> None:
        factors = [at_least_zero("LambdaLR: lr_lambda(t)", factor(self.last_epoch)) for factor in self.lr_lambdas]
        for group, factor in zip(self.groups(len(factors)), factors, strict=True):
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor


class StepLR(LRScheduler):
    """lr times gamma after every `step_size` calls.

    >>> rates(StepLR(example(), step_size=2, gamma=0.5), 5)
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        self.step_size = whole("StepLR: step_size", self.step_size, least=1)
        at_least_zero("StepLR: gamma", self.gamma)

    def rate(self, lr: float, base: float, t: int) -> float:
        return lr * self.gamma if t > 0 and t % self.step_size == 0 else lr


class MultiStepLR(LRScheduler):
    """lr times gamma at each of the `milestones`.

    >>> rates(MultiStepLR(example(), milestones=[1, 3], gamma=0.5), 5)
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1) -> None:
        if not isinstance(milestones, Iterable):
            raise DtypeError(f"MultiStepLR: milestones={milestones!r:.60} is not a list: [30, 80].")
        self.milestones, self.gamma = list(milestones), gamma
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        self.milestones = sorted([whole("MultiStepLR: a milestone", m, least=0) for m in self.milestones])
        at_least_zero("MultiStepLR: gamma", self.gamma)

    def rate(self, lr: float, base: float, t: int) -> float:
        return lr * self.gamma ** self.milestones.count(t)


class ExponentialLR(LRScheduler):
    """lr times gamma at every call: base gamma^t.

    >>> rates(ExponentialLR(example(), gamma=0.5), 4)
    [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        at_least_zero("ExponentialLR: gamma", self.gamma)

    def rate(self, lr: float, base: float, t: int) -> float:
        return lr * self.gamma if t else lr


class InverseTimeLR(LRScheduler):
    """base / (1 + decay t): the 1/t decay under which SGD's noise dies out; not in PyTorch.

    Σ lr = ∞ and Σ lr² < ∞, the condition for convergence.  Source: CS231n notes; Goodfellow et al., ch. 8.3.1.

    >>> rates(InverseTimeLR(example(), decay=1.0), 4)
    [1.0, 0.5, 0.3333, 0.25]
    """

    def __init__(self, optimizer: Optimizer, decay: float) -> None:
        self.decay = decay
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        at_least_zero("InverseTimeLR: decay", self.decay)

    def rate(self, lr: float, base: float, t: int) -> float:
        return base / (1.0 + self.decay * t)


class LinearLR(LRScheduler):
    """From base times `start_factor` in a straight line to base times `end_factor`, in `total_iters` calls.

    Goodfellow's decay (ch. 8.3.1, to 1 % in τ steps) is LinearLR(start_factor=1, end_factor=0.01, total_iters=τ).

    >>> rates(LinearLR(example(), start_factor=0.5, total_iters=2), 4)
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        if not 0.0 < number("LinearLR: start_factor", self.start_factor) <= 1.0:
            raise ValueError(f"LinearLR: start_factor={self.start_factor}; it is above 0 and at most 1.")
        if not 0.0 <= number("LinearLR: end_factor", self.end_factor) <= 1.0:
            raise ValueError(f"LinearLR: end_factor={self.end_factor}; it is between 0 and 1.")
        self.total_iters = whole("LinearLR: total_iters", self.total_iters, least=1)

    def rate(self, lr: float, base: float, t: int) -> float:
        rise = self.end_factor - self.start_factor
        if t == 0:
            return lr * self.start_factor
        if t > self.total_iters:
            return lr
        return lr * (1.0 + rise / (self.total_iters * self.start_factor + (t - 1) * rise))


class CosineAnnealingLR(LRScheduler):
    """From base down to `eta_min` along half a cosine in `T_max` calls (and up again in as many).

    Source: Loshchilov & Hutter 2017, without restarts.

    >>> rates(CosineAnnealingLR(example(), T_max=4), 5)
    [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        self.T_max = whole("CosineAnnealingLR: T_max", self.T_max, least=1)
        at_least_zero("CosineAnnealingLR: eta_min", self.eta_min)

    def rate(self, lr: float, base: float, t: int) -> float:
        if t == 0:
            return lr
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:
            return lr + (base - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        now, before = (1 + math.cos(math.pi * step / self.T_max) for step in (t, t - 1))
        return now / before * (lr - self.eta_min) + self.eta_min


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from base to `eta_min` in `T_0` calls, then again from base, each time `T_mult` times as long.

    Source: Loshchilov & Hutter 2017.

    >>> rates(CosineAnnealingWarmRestarts(example(), T_0=2, T_mult=2), 7)
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> None:
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        self.T_0 = whole("CosineAnnealingWarmRestarts: T_0", self.T_0, least=1)
        self.T_mult = whole("CosineAnnealingWarmRestarts: T_mult", self.T_mult, least=1)
        at_least_zero("CosineAnnealingWarmRestarts: eta_min", self.eta_min)

    def rate(self, lr: float, base: float, t: int) -> float:
        length = self.T_0
        while t >= length:
            t, length = t - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / length)) / 2


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to `max_lr` in the first `pct_start` of the steps, then down to far below the start.

    Counts batches: `total_steps`, or `epochs` times `steps_per_epoch`.  With `cycle_momentum` the momentum (or Adam's
    first beta) goes the other way, from `max_momentum` to `base_momentum` and back.  `three_phase` comes down as it
    went up and spends the rest on the last descent.  `max_lr` and the momenta may be lists, a number for each group.
    Source: Smith & Topin 2018, as PyTorch has it.

    >>> rates(OneCycleLR(example(), max_lr=1.0, total_steps=10, cycle_momentum=False), 10)
    [0.04, 0.52, 1.0, 0.9505, 0.8117, 0.6113, 0.3887, 0.1883, 0.0495, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch.")
            epochs = whole("OneCycleLR: epochs", epochs, least=1)
            total_steps = epochs * whole("OneCycleLR: steps_per_epoch", steps_per_epoch, least=1)
        self.total_steps = whole("OneCycleLR: total_steps", total_steps, least=1)
        true_or_false("OneCycleLR", "three_phase", three_phase)
        if not 0.0 <= number("OneCycleLR: pct_start", pct_start) <= 1.0:
            raise ValueError(f"OneCycleLR: pct_start={pct_start}; it is between 0 and 1.")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy={anneal_strategy!r}; there are 'cos' and 'linear'.")
        for name, x in {"div_factor": div_factor, "final_div_factor": final_div_factor}.items():
            if not at_least_zero(f"OneCycleLR: {name}", x):
                raise ValueError(f"OneCycleLR: {name}={x}; it is above 0.")
        self.anneal_strategy, self.cycle_momentum = anneal_strategy, cycle_momentum
        ends = [float(pct_start * self.total_steps) - 1, self.total_steps - 1]  # the last step of each phase
        if three_phase:
            ends.insert(1, float(2 * pct_start * self.total_steps) - 2)
        starts = [0.0, *ends[:-1]]
        if any([start == end for start, end in zip(starts, ends, strict=True)]):
            raise ValueError(f"OneCycleLR: a phase of no steps: total_steps={total_steps}, pct_start={pct_start}.")
        self.starts, self.ends = starts, ends
        true_or_false("OneCycleLR", "cycle_momentum", cycle_momentum)
        groups = checked(type(self), optimizer).param_groups
        tops, lows, highs = (
            one_each(f"OneCycleLR: {name}", x, groups)
            for name, x in (("max_lr", max_lr), ("base_momentum", base_momentum), ("max_momentum", max_momentum))
        )
        if cycle_momentum and not {"momentum", "betas"} & set(groups[0]):
            raise ValueError("OneCycleLR: this optimizer has no momentum or betas; use cycle_momentum=False.")
        # The values between which a cycle moves, per group: at its start, its top, and its end.
        firsts = [top / div_factor for top in tops]
        self.lrs = [[a, b, *[a] * three_phase, a / final_div_factor] for a, b in zip(firsts, tops, strict=True)]
        self.momenta = [[a, b, *[a] * three_phase, a] for a, b in zip(highs, lows, strict=True)]
        for group, first in zip(groups, firsts, strict=True):
            group["initial_lr"] = first
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        whole("OneCycleLR: total_steps", self.total_steps, least=1)
        true_or_false("OneCycleLR", "cycle_momentum", self.cycle_momentum)
        if self.anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy={self.anneal_strategy!r}; there are 'cos' and 'linear'.")
        if any([start == end for start, end in zip(self.starts, self.ends, strict=True)]):
            raise ValueError(f"OneCycleLR: a phase of no steps: from {self.starts} to {self.ends}.")
        for corners in (self.lrs, self.momenta):
            for _, values in zip(self.groups(len(corners)), corners, strict=True):
                if len(values) != len(self.ends) + 1:
                    raise ValueError(f"OneCycleLR: {len(self.ends)} phases have one corner more, not {len(values)}.")
                for x in values:
                    at_least_zero("OneCycleLR: a corner of the cycle", x)

    def set_rates(self) -> None:
        if self.last_epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step() was called more than total_steps={self.total_steps} times.")
        for group, lr, momentum in zip(self.groups(len(self.lrs)), self.lrs, self.momenta, strict=True):
            group["lr"] = self.between(lr)
            if self.cycle_momentum and "betas" in group:
                group["betas"] = (self.between(momentum), *group["betas"][1:])
            elif self.cycle_momentum:
                group["momentum"] = self.between(momentum)

    def between(self, corners: list[float]) -> float:
        """The point of the curve through these corners where we are."""
        phase = next((i for i, end in enumerate(self.ends) if self.last_epoch <= end), len(self.ends) - 1)
        done = (self.last_epoch - self.starts[phase]) / (self.ends[phase] - self.starts[phase])
        start, end = corners[phase : phase + 2]
        if self.anneal_strategy == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


class ReduceLROnPlateau(LRScheduler):
    """lr times `factor` when the number given to `step(metric)` has not become better for `patience` calls.

    Better is smaller (`mode="min"`) or larger ("max") by `threshold`, as a part of the best ("rel") or as it is
    ("abs").  After a reduction `cooldown` calls don't count; lr stays at or above `min_lr` (one, or one for each
    group), and changes of less than `eps` are left.

    >>> schedule = ReduceLROnPlateau(example(), factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode, self.factor, self.threshold_mode, self.threshold = mode, factor, threshold_mode, threshold
        self.patience, self.cooldown, self.min_lr, self.eps = patience, cooldown, min_lr, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def check(self) -> None:
        super().check()
        if at_least_zero("ReduceLROnPlateau: factor", self.factor) >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor={self.factor}; it is below 1.")
        if self.mode not in ("min", "max") or self.threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: mode={self.mode!r}, threshold_mode={self.threshold_mode!r}; mode is 'min' or "
                "'max', threshold_mode 'rel' or 'abs'."
            )
        at_least_zero("ReduceLROnPlateau: threshold", self.threshold)
        at_least_zero("ReduceLROnPlateau: eps", self.eps)
        number("ReduceLROnPlateau: best", self.best)
        for name in ("patience", "cooldown", "num_bad_epochs", "cooldown_counter"):
            whole(f"ReduceLROnPlateau: {name}", getattr(self, name), least=0)
        one_each("ReduceLROnPlateau: min_lr", self.min_lr, self.optimizer.param_groups)

    def step(self, metric: Any = None) -> None:
        """Look at the metric (a number, or a scalar Value), and reduce the rates if it is time."""
        if metric is None:
            raise DtypeError("ReduceLROnPlateau: step(metric) needs the number to watch, such as the validation loss.")
        beside(self.look_at, metric)

    def look_at(self, metric: Any) -> None:
        one = np.asarray(metric).item() if np.size(metric) == 1 else metric
        current = float(number("ReduceLROnPlateau: metric", one))
        self.last_epoch += 1
        better = self.is_better(current)
        if better:
            self.best = current
        self.num_bad_epochs = 0 if better else self.num_bad_epochs + 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.set_rates()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def is_better(self, current: float) -> bool:
        sign = -1.0 if self.mode == "min" else 1.0
        if self.threshold_mode == "rel":
            bound = self.best * (1.0 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return bool(current < bound if self.mode == "min" else current > bound)

    def set_rates(self) -> None:
        if self.last_epoch == 0:
            return
        groups = self.optimizer.param_groups
        for group, least in zip(groups, one_each("ReduceLROnPlateau: min_lr", self.min_lr, groups), strict=True):
            lr = max(group["lr"] * self.factor, least)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr


def checked(kind: type, optimizer: Optimizer) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise DtypeError(f"{kind.__name__}: {type(optimizer).__name__} is not an optimizer.")
    return optimizer


def one_each(name: str, x: float | Sequence[float], groups: list[Group]) -> list[float]:
    """A number for each group: a list of as many, or one for all."""
    given = list(x) if isinstance(x, Sequence) else [x] * len(groups)
    if len(given) != len(groups):
        raise ValueError(f"{name}: {len(given)} numbers for {len(groups)} groups.")
    return [at_least_zero(name, number) for number in given]


def example() -> Optimizer:
    """For the examples above: an optimiser with lr = 1, one step behind it."""
    from .sgd import SGD

    optimizer = SGD([Value(1.0)], lr=1.0)
    optimizer.step()
    return optimizer


def rates(schedule: LRScheduler, steps: int) -> list[float]:
    """For the examples above: the rates of a single group over `steps` steps, rounded."""
    seen = []
    for _ in range(steps):
        seen.append(round(schedule.get_last_lr()[0], 4))
        schedule.step()
    return seen
