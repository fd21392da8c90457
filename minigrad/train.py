"""The training loop: `steps` is the loop, one update per turn; `fit` runs it to the end and keeps the history."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .arguments import whole
from .convert import describe
from .data import DataLoader
from .errors import AnomalyError, DtypeError, GradientError, ShapeError
from .nn import Module
from .value import Value, no_grad

__all__ = ["History", "Step", "accuracy", "evaluate", "fit", "steps"]

Record = dict[str, float]  # an epoch in numbers: epoch, loss, accuracy, val_loss, val_accuracy


class Step(NamedTuple):
    """One update: its epoch and number (both from 1), the loss and accuracy of its batch before the update.

    `accuracy` is None where labels are not classes; `record` is None but after the last batch of an epoch.
    """

    epoch: int
    number: int
    loss: float
    accuracy: float | None
    record: Record | None


@dataclass
class History:
    """What a training run saw: a dict per complete epoch, and whether Ctrl-C ended it."""

    epochs: list[Record] = field(default_factory=list)
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[float]:
        """One number over the epochs: history["val_loss"]; `KeyError` for a name that no epoch has."""
        names = dict.fromkeys([name for record in self.epochs for name in record])
        if self.epochs and name not in names:
            raise KeyError(f"the history has no {name!r}; it has {', '.join(names)}.")
        return [record[name] for record in self.epochs if name in record]

    @property
    def loss(self) -> list[float]:
        """The mean training loss of each epoch."""
        return self["loss"]

    @property
    def accuracy(self) -> list[float]:
        """The training accuracy of each epoch; empty where labels are not classes."""
        return [record["accuracy"] for record in self.epochs if "accuracy" in record]

    def __repr__(self) -> str:
        last = f", {line(self.epochs[-1])}" if self.epochs else ""
        return f"History({len(self.epochs)} epochs{last}{', interrupted' if self.interrupted else ''})"


def fit(
    model: Callable[[Any], Any],
    data: Any,
    *,
    loss: Callable[[Any, Any], Any],
    optimizer: Any,
    epochs: int,
    validation: Any = None,
    callbacks: Iterable[Callable[[Record], Any]] = (),
    rng: Any = None,
) -> History:
    """Train `model` on `data` for `epochs` passes and return the history.

    `data` and `validation` are a `DataLoader` or a pair (X, y); a pair is dealt in shuffled batches of 32 drawn from
    `rng`.  A callback is called with each epoch's record; one that returns True ends the training.  Progress is a bar
    where tqdm is installed (`pip install "minigrad-engine[train]"`), otherwise a line per epoch (of more than 100
    epochs every hundredth part).  Ctrl-C ends the training after the update that is under way, and the history so far
    is returned; a second Ctrl-C stops at once.

    Raises `DtypeError` for a class or a name in the place of an object, `GradientError` if all parameters are frozen,
    and `AnomalyError`, with the parameters as the step before left them, where a loss or gradient is not finite.

    >>> from minigrad import nn, optim
    >>> X = np.linspace(-1.0, 1.0, 64).reshape(-1, 1)
    >>> model = nn.Linear(1, 2, rng=0)
    >>> y = (X[:, 0] > 0.2).astype(int)
    >>> adam = optim.Adam(model.parameters(), lr=0.1)
    >>> good_enough = lambda record: record["accuracy"] > 0.95
    >>> history = fit(
    ...     model, (X, y), loss=nn.CrossEntropyLoss(), optimizer=adam, epochs=50, rng=0, callbacks=[good_enough]
    ... )
    >>> history.accuracy[-1] > 0.95
    True
    """
    data = loader(data, shuffle=True, rng=rng)
    run = steps(model, data, loss=loss, optimizer=optimizer, epochs=epochs, validation=validation, callbacks=callbacks)
    history = History()
    with first_interrupt() as interrupts, progress(epochs, len(data)) as show:
        try:
            for step in run:
                show(step)
                if step.record:
                    history.epochs.append(step.record)
                if interrupts:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            if len(interrupts) > 1:
                raise
            history.interrupted = True
    return history


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
) -> Iterator[Step]:
    """The loop that `fit` runs, as a generator: each `next` is one update.  Arguments as for `fit`.

    >>> from minigrad import nn, optim
    >>> model = nn.Linear(1, 1, rng=0)
    >>> X, y = np.ones((4, 1)), np.array([1, 1, 1, 1])
    >>> run = steps(model, (X, y), loss=nn.HingeLoss(), optimizer=optim.SGD(model.parameters(), lr=1.0), epochs=2)
    >>> [(step.epoch, step.accuracy) for step in run]
    [(1, 0.0), (2, 1.0)]
    """
    data = loader(data, shuffle=True, rng=rng)
    held_back = None if validation is None else loader(validation)
    check_parts(model, loss, optimizer, callbacks)
    return updates(model, data, loss, optimizer, whole("epochs", epochs, least=1), held_back, tuple(callbacks))


def updates(
    model: Any, data: Any, loss: Any, optimizer: Any, epochs: int, held_back: Any, callbacks: tuple[Any, ...]
) -> Iterator[Step]:
    number = 0
    for epoch in range(1, epochs + 1):
        set_training(model, True)
        seen = Mean()
        for batch, (X, y) in enumerate(data, start=1):
            number += 1
            where = f"step {number} (epoch {epoch}, batch {batch} of {len(data)})"
            optimizer.zero_grad()
            with np.errstate(all="ignore"):  # what overflows is reported by the two checks
                scores = model(X)
                value = loss(scores, y)
                check_loss(value, where, optimizer)
                value.backward()
                check_gradients(where, optimizer)
                optimizer.step()
            step = Step(epoch, number, float(value), accuracy(scores, y), None)
            seen.add(step.loss, step.accuracy, len(X))
            if batch < len(data):
                yield step
        record = {"epoch": epoch, **seen.record()}
        if held_back is not None:
            record |= {f"val_{name}": x for name, x in evaluate(model, held_back, loss=loss).items()}
        answers = [callback(record) for callback in callbacks]
        yield step._replace(record=record)
        if any([isinstance(answer, (bool, np.bool_)) and answer for answer in answers]):
            return


def evaluate(model: Callable[[Any], Any], data: Any, *, loss: Callable[[Any, Any], Any]) -> Record:
    """The mean loss and, for class labels, the accuracy of `model` on `data`, in evaluation mode; nothing is recorded.

    >>> from minigrad import nn
    >>> evaluate(lambda X: Value(X), (np.array([2.0, -3.0]), np.array([1, 1])), loss=nn.HingeLoss())
    {'loss': 2.0, 'accuracy': 0.5}
    """
    was_training = set_training(model, False)
    seen = Mean()
    try:
        with no_grad():
            for X, y in loader(data):
                scores = model(X)
                seen.add(float(loss(scores, y)), accuracy(scores, y), len(X))
    finally:
        set_training(model, was_training)
    return seen.record()


def accuracy(scores: Any, labels: Any) -> float | None:
    """The share of right answers: the highest of several scores, or the sign of one score for labels -1 and +1.

    None for anything else, such as targets of a regression.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), [1, 1]), accuracy(np.array([0.5, -2.0]), [1, -1])
    (0.5, 1.0)
    """
    raw, labels = np.asarray(scores.data if isinstance(scores, Value) else scores), np.asarray(labels)
    if raw.ndim == 2 and raw.shape[1] > 1:
        if labels.shape != raw.shape[:1] or labels.dtype.kind not in "iu":
            return None
        return float(np.mean(np.argmax(raw, axis=1) == labels))
    if raw.size != labels.size or not np.all(np.abs(labels) == 1):
        return None
    return float(np.mean(np.where(raw.reshape(-1) >= 0.0, 1, -1) == labels.reshape(-1)))


class Mean:
    """Loss and accuracy over the batches of an epoch, each batch counted by its rows."""

    def __init__(self) -> None:
        self.rows, self.loss, self.right, self.classes = 0, 0.0, 0.0, True

    def add(self, loss: float, right: float | None, rows: int) -> None:
        self.rows += rows
        self.loss += loss * rows
        self.right += (right or 0.0) * rows
        self.classes = self.classes and right is not None

    def record(self) -> Record:
        means = {"loss": self.loss / self.rows, "accuracy": self.right / self.rows}
        return means if self.classes else {"loss": means["loss"]}


def loader(data: Any, shuffle: bool = False, rng: Any = None) -> Any:
    """`data` itself if it deals batches, or a `DataLoader` of a pair (X, y)."""
    if isinstance(data, (tuple, list)):
        if len(data) != 2:
            raise ShapeError(f"data has {len(data)} parts; it is a DataLoader or a pair (X, y).")
        X, y = data
        return DataLoader(X, y, shuffle=shuffle, rng=rng)
    if not (hasattr(data, "__iter__") and hasattr(data, "__len__")) or isinstance(data, (np.ndarray, Value, dict, str)):
        raise DtypeError(f"data is {describe(data)}; it is a DataLoader or a pair (X, y).")
    if len(data) == 0:
        raise ShapeError("data has no batches: there is nothing to learn from.")
    return data


def set_training(model: Any, mode: bool) -> bool:
    """Switch a module to training or evaluation, and return what it was; a plain function has no such mode."""
    if not isinstance(model, Module):
        return mode
    was = model.training
    model.train(mode)
    return was


EXAMPLES = {
    "model": "nn.MLP([2, 16, 3])",
    "loss": "nn.CrossEntropyLoss()",
    "optimizer": "optim.SGD(model.parameters(), lr=0.1)",
}


def check_parts(model: Any, loss: Any, optimizer: Any, callbacks: Any) -> None:
    usable = {"model": callable(model), "loss": callable(loss), "optimizer": hasattr(optimizer, "param_groups")}
    for (name, ok), part in zip(usable.items(), (model, loss, optimizer), strict=True):
        if isinstance(part, type) or not ok:
            what = f"the class {part.__name__}" if isinstance(part, type) else f"{part!r:.60}"
            raise DtypeError(f"{name} is {what}; pass an object: {name}={EXAMPLES[name]}.")
    if callable(callbacks):
        raise DtypeError("callbacks is a list of functions: callbacks=[f].")
    if not any([p.requires_grad for group in optimizer.param_groups for p in group["params"]]):
        raise GradientError(
            "all parameters of the optimizer are frozen (requires_grad is False): there is nothing to learn. "
            "Set p.requires_grad = True for those that should."
        )


def check_loss(value: Any, where: str, optimizer: Any) -> None:
    if not isinstance(value, Value):
        raise GradientError(f"the loss is {describe(value)}, not a Value: is the model built from minigrad's gates?")
    if not np.isfinite(value.data).all():
        raise not_finite(f"the loss is {describe(value.data)}", where, optimizer)


def check_gradients(where: str, optimizer: Any) -> None:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    if all([p.grad is None for p in params]):
        raise GradientError("the loss reaches none of the optimizer's parameters: is it the optimizer of this model?")
    for i, p in enumerate(params):
        if p.grad is not None and not np.isfinite(p.grad).all():
            raise not_finite(f"the gradient of {p.label or f'parameter {i}'} {p.shape} is not finite", where, optimizer)


def not_finite(what: str, where: str, optimizer: Any) -> AnomalyError:
    rates = sorted({group.get("lr") for group in optimizer.param_groups})
    return AnomalyError(
        f"{what} at {where}. The parameters are as the step before left them. Most often the learning rate is too high "
        f"(lr={', '.join(map(str, rates))}) or the data are not scaled."
    )


# ------------------------------------------------------------------------------------------------ progress and Ctrl-C
def line(record: Record) -> str:
    """`loss 0.1234, accuracy 0.950`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {x:.{3 if name.endswith('accuracy') else 4}{'f' if abs(x) >= 1e-3 else 'g'}}"
        for name, x in record.items()
        if name != "epoch"
    )


@contextmanager
def progress(epochs: int, batches: int) -> Iterator[Callable[[Step], None]]:
    """What shows a step: tqdm's bar, with the time left, or a printed line per epoch."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield lambda step: print_line(step, epochs)
        return
    with tqdm(total=epochs * batches, unit="step") as bar:

        def show(step: Step) -> None:
            seen = step.record or {"loss": step.loss} | ({} if step.accuracy is None else {"accuracy": step.accuracy})
            bar.set_postfix_str(f"epoch {step.epoch}/{epochs}, {line(seen)}", refresh=False)
            bar.update()

        yield show


def print_line(step: Step, epochs: int) -> None:
    if step.record and (step.epoch % max(1, epochs // 100) == 0 or step.epoch == epochs):
        print(f"epoch {step.epoch}/{epochs}: {line(step.record)}", flush=True)


@contextmanager
def first_interrupt() -> Iterator[list[int]]:
    """Collects Ctrl-C instead of raising it in the middle of an update; from the second on it is raised."""
    pressed: list[int] = []

    def note(number: int, frame: Any) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
