"""The learning-rate range test: train for a moment at ever higher rates, and look where the loss falls and explodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import number, whole
from ..errors import AnomalyError
from .checkpoint import state_of, take_over
from .loop import steps as training
from .measures import mode

__all__ = ["RateTest", "find_lr"]


@dataclass(eq=False)
class RateTest:
    """The rates tried, the loss of each step, the smoothed losses, and the rate to begin with (None: it never fell)."""

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None

    def plot(self) -> Any:
        """Loss over learning rate, as a matplotlib `Figure`."""
        from ..viz.plots import COLORS, new_figure

        figure = new_figure()
        axes = figure.subplots()
        axes.plot(self.rates, self.losses, color=COLORS[5], alpha=0.6, label="loss")
        axes.plot(self.rates, self.smoothed, color=COLORS[0], label="smoothed")
        if self.suggestion is not None:
            axes.axvline(self.suggestion, color=COLORS[1], linestyle="--", label=f"suggestion {self.suggestion:.2g}")
        axes.set(xlabel="learning rate", ylabel="loss", xscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
        return figure


def find_lr(
    model: Callable[[Any], Any],
    data: Any,
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: Any,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    rng: Any = None,
) -> RateTest:
    """Train for up to `steps` steps at rates from `lowest` to `highest`, evenly on a log scale, all groups at the same.

    Ends early when the smoothed loss is 4 times the best, or not finite.  Suggested is the rate where the smoothed loss
    falls fastest: high enough to learn, and well below where it explodes.  Then everything is as before, to the bit:
    model, optimizer, and all generators of random numbers.  Arguments as for `fit`.
    Raises `ValueError` unless 0 < lowest < highest.
    Source: Smith 2017 ("Cyclical learning rates for training neural networks"), with fastai's smoothing and stop.

    >>> from minigrad import nn, optim
    >>> model = nn.Linear(2, 2, rng=0)
    >>> sgd = optim.SGD(model.parameters(), lr=0.1)
    >>> found = find_lr(model, (np.eye(2), [0, 1]), loss=nn.CrossEntropyLoss(), optimizer=sgd, highest=1e3)
    >>> 0.1 < found.suggestion < 100.0, sgd.param_groups[0]["lr"]
    (True, 0.1)
    """
    if not 0.0 < number("lowest", lowest) < number("highest", highest) < math.inf:
        raise ValueError(f"find_lr: lowest={lowest}, highest={highest}; they are above 0, and lowest is below highest.")
    rates = np.geomspace(lowest, highest, whole("steps", steps, least=2))
    run = training(model, data, loss=loss, optimizer=optimizer, epochs=len(rates), rng=rng)
    before, gradients = state_of(run), [p.grad for p in run.parameters]
    steps_taken = optimizer.steps_taken
    losses: list[float] = []
    try:
        with mode(model, training=True):
            for rate in rates:
                for group in optimizer.param_groups:
                    group["lr"] = float(rate)
                losses.append(next(run).loss)
                means = smooth(losses)
                if means[-1] > 4.0 * means.min():
                    break
    except AnomalyError:
        pass
    finally:
        take_over(before, run)
        optimizer.steps_taken = steps_taken
        for p, g in zip(run.parameters, gradients, strict=True):
            p.grad = g
    rates = rates[: len(losses)]
    return RateTest(rates, np.array(losses), smooth(losses), steepest(rates, smooth(losses)))


def smooth(losses: list[float], beta: float = 0.9) -> np.ndarray:
    """The running mean m <- beta m + (1 - beta) loss, divided by 1 - beta^t as in Adam."""
    means, m = [], 0.0
    for t, loss in enumerate(losses, start=1):
        m = beta * m + (1.0 - beta) * loss
        means.append(m / (1.0 - beta**t))
    return np.array(means)


def steepest(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """Where the losses fall fastest over the logarithm of the rate, on the way to their minimum."""
    way = int(losses.argmin()) + 1 if len(losses) else 0
    if way < 3 or losses[0] - losses.min() <= 1e-9 * abs(losses[0]):  # not more than rounding
        return None
    start = min(10, way // 2)  # the first means are those of a few losses, and jump
    return float(rates[start:way][np.gradient(losses[start:way], np.log(rates[start:way])).argmin()])
