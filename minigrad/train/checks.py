"""What is refused: before a training begins, and in each of its steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import describe
from ..data import DataLoader
from ..errors import AnomalyError, DtypeError, GradientError, ShapeError
from ..optim import LBFGS
from ..optim.lr_scheduler import LRScheduler, OneCycleLR
from ..value import Value

__all__ = [
    "check_broadcast",
    "check_gradients",
    "check_loss",
    "check_parts",
    "check_record",
    "check_schedule",
    "loader",
    "pair",
]

EXAMPLES = {
    "model": "nn.MLP([2, 16, 3])",
    "loss": "nn.CrossEntropyLoss()",
    "optimizer": "optim.SGD(model.parameters(), lr=0.1)",
    "clip": "optim.AutoClip(percentile=10)",
}


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


def pair(batch: Any) -> tuple[Any, Any]:
    """A batch, if it is rows and their labels."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        what = f"{len(batch)} parts" if isinstance(batch, (tuple, list)) else describe(batch)
        raise ShapeError(f"the data dealt a batch of {what}; a batch is a pair (X, y).")
    return batch[0], batch[1]


def check_parts(model: Any, loss: Any, optimizer: Any, callbacks: Any, clip: Any) -> None:
    """Raise for a class, a name or something else in the place of an object, and if nothing can learn."""
    parts = {"model": model, "loss": loss, "optimizer": optimizer} | ({} if clip is None else {"clip": clip})
    for name, part in parts.items():
        usable = hasattr(part, "param_groups") if name == "optimizer" else callable(part)
        if isinstance(part, type) or not usable:
            what = f"the class {part.__name__}" if isinstance(part, type) else f"{part!r:.60}"
            raise DtypeError(f"{name} is {what}; pass an object: {name}={EXAMPLES[name]}.")
    if isinstance(optimizer, LBFGS):
        raise DtypeError(
            "optimizer is an LBFGS: it looks at the loss several times per step. Train with it in a loop of your own, "
            "optimizer.step(closure)."
        )
    if not isinstance(callbacks, tuple):
        raise DtypeError(f"callbacks is {callbacks!r:.60}; it is a list of functions: callbacks=[f].")
    for callback in callbacks:
        if isinstance(callback, type) or not callable(callback):
            raise DtypeError(f"callbacks has {callback!r:.60}; each is a function of an epoch's record, or a Callback.")
    if not any([p.requires_grad for group in optimizer.param_groups for p in group["params"]]):
        raise GradientError(
            "all parameters of the optimizer are frozen (requires_grad is False): there is nothing to learn. "
            "Set p.requires_grad = True for those that should."
        )


def check_schedule(scheduler: Any, per: str | None, optimizer: Any, epochs: int, batches: int) -> str:
    """When the schedule goes on, "epoch" or "step"; raises for one of another optimizer, or one that is too short."""
    if per not in (None, "epoch", "step"):
        raise DtypeError(f"scheduler_per={per!r:.60}; it is 'epoch' or 'step'.")
    if scheduler is None:
        return "epoch"
    if not isinstance(scheduler, LRScheduler):
        raise DtypeError(
            f"scheduler is {scheduler!r:.60}; pass an object: scheduler=optim.lr_scheduler.StepLR(optimizer, 10)."
        )
    if scheduler.optimizer is not optimizer:
        raise DtypeError(f"scheduler is a {type(scheduler).__name__} of another optimizer than this training's.")
    if not isinstance(scheduler, OneCycleLR):
        return per or "epoch"
    turns = epochs * (1 if per == "epoch" else batches)
    if scheduler.total_steps < turns:
        raise ShapeError(
            f"OneCycleLR: total_steps={scheduler.total_steps}, and this training takes {turns} "
            f"({epochs} epochs of {batches} batches): it would run out."
        )
    return per or "step"


def check_loss(value: Any, where: str, optimizer: Any) -> None:
    if not isinstance(value, Value):
        raise GradientError(f"the loss is {describe(value)}, not a Value: is the model built from minigrad's gates?")
    if not np.isfinite(value.data).all():
        raise not_finite(f"the loss is {describe(value.data)}", where, optimizer)


def check_broadcast(value: Value, scores: Any, y: Any) -> None:
    """Raise if a loss has made (n, n) of scores (n, 1) and labels (n,), or the reverse: each with each."""
    n, shapes = len(y), {np.shape(y), getattr(scores, "shape", ())}
    if n == 1 or shapes != {(n,), (n, 1)}:
        return
    todo = {id(value): value}
    seen = set(todo)
    while todo:
        x = todo.popitem()[1]
        if x.shape == (n, n) and {np.shape(part) for part in x.inputs} == shapes:
            raise ShapeError(
                f"the loss compares each of {n} scores with each of {n} labels: scores {scores.shape} and labels "
                f"{np.shape(y)} broadcast to {(n, n)}. Give both one shape: y.reshape{scores.shape}."
            )
        if x is not scores:
            todo |= {id(part): part for part in x.inputs if isinstance(part, Value) and id(part) not in seen}
            seen |= todo.keys()


def check_gradients(params: list[Value], where: str, optimizer: Any) -> None:
    if all([p.grad is None for p in params]):
        raise GradientError("the loss reaches none of the optimizer's parameters: is it the optimizer of this model?")
    for i, p in enumerate(params):
        if p.grad is not None and not np.isfinite(p.grad).all():
            raise not_finite(f"the gradient of {p.label or f'parameter {i}'} {p.shape} is not finite", where, optimizer)


def check_record(record: dict[str, Any]) -> None:
    """Make what callbacks have put into an epoch's record plain numbers, or raise."""
    for name, x in record.items():
        number = np.asarray(x.data if isinstance(x, Value) else x)
        if number.shape or number.dtype.kind not in "biuf":
            raise DtypeError(f"a callback put {name}={x!r:.60} into the record of an epoch; it holds single numbers.")
        record[name] = number.item()


def not_finite(what: str, where: str, optimizer: Any) -> AnomalyError:
    rates = sorted({group.get("lr") for group in optimizer.param_groups})
    return AnomalyError(
        f"{what} at {where}. The parameters are as the step before left them. Most often the learning rate is too high "
        f"(lr={', '.join(map(str, rates))}) or the data are not scaled."
    )
