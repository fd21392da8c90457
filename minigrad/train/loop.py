"""The training loop: a `Run` is one training, and each `next(run)` is one update.

Read `Run.update` first: it is the loop body that one writes by hand.  All else counts, measures and reports.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..arguments import whole
from ..errors import ShapeError
from ..nn import Module
from ..optim.lr_scheduler import ReduceLROnPlateau
from ..value import Value
from .callbacks import Callback
from .checks import (
    check_broadcast,
    check_gradients,
    check_loss,
    check_parts,
    check_record,
    check_schedule,
    loader,
    pair,
)
from .history import History, Record
from .measures import Mean, accuracy, evaluate
from .plan import description
from .randomness import generators, states

__all__ = ["Run", "Step", "steps"]


class Step(NamedTuple):
    """One update: its epoch and number (both from 1), the loss and accuracy of its batch before the update.

    `accuracy` is None where labels are not classes; `record` is None but after the last batch of an epoch.
    """

    epoch: int
    number: int
    loss: float
    accuracy: float | None
    record: Record | None


def steps(
    model: Callable[[Any], Any],
    data: Any,
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: Any,
    epochs: int,
    validation: Any = None,
    callbacks: Iterable[Callable[[Record], Any]] = (),
    rng: Any = None,
    scheduler: Any = None,
    scheduler_per: str | None = None,
    clip: Callable[[Any], Any] | None = None,
    resume: str | os.PathLike[str] | None = None,
) -> Run:
    """The loop that `fit` runs, to step through: each `next` is one update.  Arguments as for `fit`.

    `save_run` and `load_run` stop and continue it at any step.

    >>> from minigrad import nn, optim
    >>> model = nn.Linear(1, 1, rng=0)
    >>> X, y = np.ones((4, 1)), np.array([1, 1, 1, 1])
    >>> run = steps(model, (X, y), loss=nn.HingeLoss(), optimizer=optim.SGD(model.parameters(), lr=1.0), epochs=2)
    >>> [(step.epoch, step.accuracy) for step in run]
    [(1, 0.0), (2, 1.0)]
    """
    data = loader(data, shuffle=True, rng=rng)
    held_back = None if validation is None else loader(validation)
    callbacks = tuple(callbacks) if isinstance(callbacks, Iterable) else callbacks
    check_parts(model, loss, optimizer, callbacks, clip)
    epochs = whole("epochs", epochs, least=1)
    per = check_schedule(scheduler, scheduler_per, optimizer, epochs, len(data))
    run = Run(model, data, loss, optimizer, epochs, held_back, callbacks, scheduler, per, clip)
    if resume is not None:
        from .checkpoint import load_run

        load_run(resume, run)
    return run


@dataclass(eq=False, repr=False)
class Run:
    """One training: what takes part in it, and how far it is.  Made by `steps`; iterating over it trains.

    `epoch` is the one under way (from 1), `batch` how many of its batches are learnt, `number` that of all updates.
    `resumed` tells whether it was loaded, and `finished` whether the training has come to its end.  `whole` is False
    after an exception, when an update may be half done: only `load_run` helps then.
    """

    model: Any
    data: Any
    loss: Any
    optimizer: Any
    epochs: int
    validation: Any
    callbacks: tuple[Any, ...]
    scheduler: Any
    scheduler_per: str
    clip: Any
    history: History = field(default_factory=History)
    epoch: int = 1
    batch: int = 0
    number: int = 0
    resumed: bool = False
    finished: bool = False
    whole: bool = True
    started: bool = False
    seen: Mean = field(default_factory=Mean)
    batches: Iterator[Any] | None = None  # those of this epoch that are still to come
    first_states: Any = None  # of the generators when this epoch began: they give its data order once more

    def __repr__(self) -> str:
        where = f"epoch {self.epoch} of {self.epochs}, batch {self.batch} of {len(self.data)} learnt"
        return f"Run({'finished' if self.finished else where}, {self.number} steps)"

    def __iter__(self) -> Run:
        return self

    def __next__(self) -> Step:
        self.start()
        if self.finished or not self.whole:
            self.close()
            raise StopIteration
        self.whole = False
        if self.batches is None:
            self.begin_epoch()
        X, y = self.next_batch()
        self.number, self.batch = self.number + 1, self.batch + 1
        scores, value = self.update(X, y)
        step = Step(self.epoch, self.number, float(value), accuracy(scores, y), None)
        self.seen.add(step.loss, step.accuracy, len(X))
        if self.scheduler is not None and self.scheduler_per == "step":
            self.advance_schedule({"loss": step.loss})
        for callback in self.watchers:
            callback.step(step)
        if self.batch == len(self.data):
            step = step._replace(record=self.end_epoch())
        self.whole = True
        return step

    def update(self, X: Any, y: Any) -> tuple[Any, Value]:
        """Learn from one batch; returns the scores and the loss before the update."""
        where = f"step {self.number} (epoch {self.epoch}, batch {self.batch} of {len(self.data)})"
        self.optimizer.zero_grad()
        with np.errstate(all="ignore"):  # what overflows is reported by the two checks
            scores = self.model(X)
            value = self.loss(scores, y)
            check_loss(value, where, self.optimizer)
            if self.number == 1:
                check_broadcast(value, scores, y)
            value.backward()
            check_gradients(self.parameters, where, self.optimizer)
            if self.clip is not None:
                self.clip(self.parameters)
            self.optimizer.step()
        return scores, value

    def begin_epoch(self) -> None:
        if isinstance(self.model, Module):
            self.model.train()
        self.first_states = states(self.generators)
        self.batches, self.batch, self.seen = iter(self.data), 0, Mean()

    def next_batch(self) -> Any:
        try:
            batch = next(self.batches or iter(()))
        except StopIteration:
            n = len(self.data)
            raise ShapeError(f"data dealt {self.batch} batches in epoch {self.epoch}; its len() is {n}.") from None
        return pair(batch)

    def end_epoch(self) -> Record:
        if next(self.batches or iter(()), None) is not None:  # and a generator comes to its end
            raise ShapeError(f"data deals more than the {len(self.data)} batches that its len() says.")
        record: Record = {"epoch": self.epoch, **self.seen.record()}
        if self.validation is not None:
            measured = evaluate(self.model, self.validation, loss=self.loss)
            record |= {f"val_{name}": x for name, x in measured.items()}
        answers = [callback(record) for callback in self.callbacks]
        check_record(record)
        if self.scheduler is not None and self.scheduler_per == "epoch":
            self.advance_schedule(record)
        self.history.epochs.append(record)
        stop = any([isinstance(answer, (bool, np.bool_)) and answer for answer in answers])
        self.finished = stop or self.epoch == self.epochs
        self.epoch, self.batch, self.batches = self.epoch + 1, 0, None
        return record

    def advance_schedule(self, record: Record) -> None:
        """To the next rate; `ReduceLROnPlateau` looks at the validation's number, or else at the training's."""
        if not isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step()
            return
        name = "loss" if self.scheduler.mode == "min" else "accuracy"
        if f"val_{name}" not in record and name not in record:
            raise ShapeError('ReduceLROnPlateau: mode="max" watches the accuracy, and the labels are no classes.')
        self.scheduler.step(record.get(f"val_{name}", record.get(name)))

    def start(self) -> None:
        """Tell the callbacks that the training begins, or goes on; a second call does nothing."""
        if not self.started:
            self.started = True
            for callback in self.watchers:
                callback.start(self)

    def close(self) -> None:
        """Tell the callbacks that the training is over; a second call does nothing."""
        if self.started:
            self.started = False
            for callback in self.watchers:
                callback.end(self)

    @property
    def parameters(self) -> list[Value]:
        """All that the optimizer moves."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    @property
    def watchers(self) -> list[Callback]:
        """The callbacks that are more than a function."""
        return [callback for callback in self.callbacks if isinstance(callback, Callback)]

    @property
    def rememberers(self) -> list[Callback]:
        """The callbacks that have a state."""
        return [callback for callback in self.watchers if type(callback).state_dict is not Callback.state_dict]

    @property
    def generators(self) -> dict[str, Any]:
        """All sources of randomness that take part, by name."""
        parts = {"model": self.model, "data": self.data, "data.transform": getattr(self.data, "transform", None)}
        parts |= {"validation": self.validation, "loss": self.loss, "clip": self.clip}
        return generators(parts | {f"callbacks[{i}]": callback for i, callback in enumerate(self.callbacks)})

    @cached_property
    def plan(self) -> dict[str, Any]:
        """What a checkpoint and the run that continues it must have in common."""
        return description(self)
