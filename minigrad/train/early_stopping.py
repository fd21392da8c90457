"""Early stopping: end a training that no longer gets better on held-back data, and go back to its best epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import at_least_zero, number, whole
from ..errors import CheckpointError, DtypeError
from .callbacks import Callback
from .history import Record
from .weights import set_weights, weights_of

if TYPE_CHECKING:
    from .loop import Run

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Ends a training when `monitor`, a number of the epoch's record, was not better for `patience` epochs in a row.

    Better is smaller by more than `min_delta` (`mode="min"`) or larger ("max"; the default for names that end in
    "accuracy").  When the training is over, but not when Ctrl-C breaks it off, the weights of the best epoch are put
    back, unless `restore_best=False`; `best`, `best_epoch` and `weights["model"]` tell of it at any time.
    Raises `DtypeError` if the record has no such number.  Source: Goodfellow et al., algorithm 7.1.

    >>> stop = EarlyStopping(patience=2)
    >>> [stop({"epoch": i, "val_loss": loss}) for i, loss in enumerate([3.0, 2.0, 2.5, 2.0], start=1)]
    [False, False, False, True]
    >>> stop.best, stop.best_epoch
    (2.0, 2)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str | None = None,
        restore_best: bool = True,
    ) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f"EarlyStopping: mode={mode!r:.60}; it is 'min' or 'max'.")
        self.monitor, self.restore_best = monitor, restore_best
        self.patience = whole("EarlyStopping: patience", patience, least=1)
        self.min_delta = at_least_zero("EarlyStopping: min_delta", min_delta)
        self.mode = mode or ("max" if monitor.endswith("accuracy") else "min")
        self.run: Run | None = None
        self.forget()

    def forget(self) -> None:
        self.best: float | None = None
        self.best_epoch, self.waited = 0, 0
        self.weights: dict[str, Any] | None = None

    def start(self, run: Run) -> None:
        self.run = run
        if not run.resumed:
            self.forget()

    def __call__(self, record: Record) -> bool:
        if self.monitor not in record:
            hint = " Pass validation=." if self.monitor.startswith("val_") else ""
            raise DtypeError(f"EarlyStopping: no {self.monitor!r} among {', '.join(record)}.{hint}")
        if self.is_better(record[self.monitor]):
            self.best, self.best_epoch, self.waited = record[self.monitor], int(record["epoch"]), 0
            if self.restore_best and self.run:
                self.weights = weights_of(self.run.model, self.run.optimizer)
        else:
            self.waited += 1
        return self.waited >= self.patience

    def is_better(self, x: float) -> bool:
        if self.best is None:
            return x == x  # not nan
        return bool(x < self.best - self.min_delta if self.mode == "min" else x > self.best + self.min_delta)

    def end(self, run: Run) -> None:
        self.run = None
        if run.finished and self.weights is not None:
            set_weights(run.model, run.optimizer, self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The settings, and what was best so far."""
        return {name: x for name, x in vars(self).items() if name != "run"}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict` of the same settings; on an error nothing has changed."""
        for name in ("monitor", "restore_best", "patience", "min_delta", "mode"):
            if state[name] != getattr(self, name):
                raise CheckpointError(
                    f"EarlyStopping: {name} is {state[name]!r:.60} there and {getattr(self, name)!r} here."
                )
        best = None if state["best"] is None else number("EarlyStopping: best", state["best"])
        best_epoch = whole("EarlyStopping: best_epoch", state["best_epoch"], least=0)
        waited = whole("EarlyStopping: waited", state["waited"], least=0)
        self.best, self.best_epoch, self.waited, self.weights = best, best_epoch, waited, state["weights"]
