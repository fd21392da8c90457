"""Logs that other programs read while a training runs: lines of JSON, and TensorBoard."""

from __future__ import annotations

import json
import math
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import whole
from ..errors import CheckpointError, MissingExtraError
from ..io import atomic_write
from .callbacks import Callback
from .history import Record

if TYPE_CHECKING:
    from .loop import Run

__all__ = ["JsonLog", "TensorBoardLog"]


class JsonLog(Callback):
    """Appends each epoch's record to the file `path`, a line of JSON, which is complete at once.

    What earlier runs wrote stays.  A run that is resumed finds its own lines and goes on after the epoch where it
    resumes, so that each epoch has one line whenever it was killed; all that stands behind them goes, so runs that take
    turns need a file each.  A number that is nan or infinite becomes null.
    Callbacks that add to the record come before it in the list.  Raises `CheckpointError` for a file that can't be
    written.

    >>> import tempfile
    >>> from minigrad import nn, optim, train
    >>> model = nn.Linear(1, 2, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = JsonLog(folder + "/log.jsonl")
    ...     parts = dict(loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=1.0))
    ...     run = train.steps(model, ([[1.0], [-1.0]], [0, 1]), epochs=2, callbacks=[log], **parts)
    ...     losses = [step.loss for step in run]
    ...     lines = [json.loads(line) for line in open(log.path)]
    >>> [line["loss"] for line in lines] == losses
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.begin = 0  # where in the file this run's lines begin

    def start(self, run: Run) -> None:
        try:
            old = self.path.read_bytes() if self.path.exists() else b""
            kept = old[: self.begin] if run.resumed else old
            if kept and not kept.endswith(b"\n"):
                kept += b"\n"  # a line that a crash has cut short
            with atomic_write(self.path) as file:
                file.write(kept + b"".join([as_json(record) for record in run.history.epochs]))
        except OSError as error:
            raise self.unwritten(error) from error
        self.begin = len(kept)

    def __call__(self, record: Record) -> None:
        try:
            with open(self.path, "ab") as file:
                file.write(as_json(record))
        except OSError as error:
            raise self.unwritten(error) from error

    def unwritten(self, error: OSError) -> CheckpointError:
        return CheckpointError(f"{self.path}: the log can't be written: {error.strerror or error}.")

    def state_dict(self) -> dict[str, Any]:
        """Where in the file the lines of this run begin; what they say is in the history."""
        return {"begin": self.begin}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict`."""
        self.begin = whole("JsonLog: begin", state["begin"], least=0)


class TensorBoardLog(Callback):
    """Writes each epoch's numbers into `folder`, for `tensorboard --logdir folder` (the `tensorboard` extra).

    A run that is resumed replaces what was written after the epoch where it resumes.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.writer: Any = None

    def start(self, run: Run) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                'TensorBoardLog needs tensorboardX: pip install "minigrad-engine[tensorboard]"'
            ) from error
        # Events of later epochs, from before a kill, are hidden by the new ones.
        purge = {"purge_step": len(run.history.epochs) + 1} if run.resumed else {}
        # The file's name has the second in it: two that begin in the same one need names of their own, in order.
        suffix = f".{run.number:09d}.{secrets.token_hex(4)}"
        self.writer = SummaryWriter(str(self.folder), filename_suffix=suffix, **purge)

    def __call__(self, record: Record) -> None:
        for name, x in record.items():
            if name != "epoch":
                self.writer.add_scalar(name, x, int(record["epoch"]))
        self.writer.flush()

    def end(self, run: Run) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def as_json(record: Record) -> bytes:
    numbers = {name: x if not isinstance(x, float) or math.isfinite(x) else None for name, x in record.items()}
    return (json.dumps(numbers, default=float) + "\n").encode()
