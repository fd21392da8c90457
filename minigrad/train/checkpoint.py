"""Stop and continue: the whole state of a run in one file, so that it goes on as if it had never stopped, bit for bit.

The file holds weights, the optimizer's memory, schedule, clipping, callbacks, every generator of random numbers, the
history, and where in the epoch the run is.  The order of the data is not stored: the state that the generators had when
the epoch began deals it again, and the batches that were learnt already are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..arguments import whole
from ..errors import CheckpointError, MissingExtraError
from ..io import load, save
from .history import History
from .loop import Run
from .measures import Mean
from .plan import differences
from .randomness import set_states, states
from .weights import set_weights, weights_of

__all__ = ["load_run", "locked", "save_run"]

FORMAT = "minigrad training 1"


def save_run(path: str | os.PathLike[str], run: Run) -> None:
    """Write the state of `run` to the .npz file `path`, all or nothing: see `mg.save`.

    Its weights alone are `mg.load(path)["model"]`.  Raises `CheckpointError`, and leaves a file that was there as it
    was, if it cannot be written or if the run broke off in the middle of an update.
    """
    if not run.whole:
        raise CheckpointError(
            "save_run: the run broke off in the middle of an update, and what is half done can't be continued; "
            "load_run(path, run) goes back to a checkpoint."
        )
    try:
        save(path, state_of(run))
    except OSError as error:
        kept = "the file that is there is as it was" if Path(path).exists() else "there is none yet"
        raise CheckpointError(
            f"{path}: no checkpoint of step {run.number} could be written ({error.strerror or error}); {kept}. The "
            "model in memory is as that step left it."
        ) from error


def load_run(path: str | os.PathLike[str], run: Run) -> None:
    """Bring `run`, made with the same arguments, to where the one saved at `path` was.

    Everything is checked first.  Raises `CheckpointError` for a damaged file and for the checkpoint of another
    training (other shapes, optimizer, data, number of epochs, ...), and nothing has changed then.

    >>> import tempfile
    >>> import numpy as np
    >>> from minigrad import nn, optim, train
    >>> def new_run():
    ...     model = nn.Linear(2, 2, rng=0)
    ...     parts = dict(loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters()), epochs=2, rng=0)
    ...     return train.steps(model, (np.eye(2), [0, 1]), **parts)
    >>> run, again = new_run(), new_run()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     step = next(run)
    ...     save_run(folder + "/run.npz", run)
    ...     load_run(folder + "/run.npz", again)
    >>> next(run) == next(again)
    True
    """
    state = load(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not the checkpoint of a training (train.fit(..., checkpoint=path)).")
    try:
        different = list(differences(state["plan"], run.plan))
    except Exception as error:
        raise damaged(path, error) from error
    if different:
        raise CheckpointError(
            f"{path} is of another training: {'; '.join(different[:6])}. Resume with the arguments that it was started "
            "with. (To train longer than planned: resume, and call fit once more without resume.)"
        )
    before = state_of(run)
    try:
        take_over(state, run)
    except BaseException as error:
        take_over(before, run)
        if isinstance(error, Exception):
            raise damaged(path, error) from error
        raise
    run.resumed = True


def damaged(path: Any, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} does not fit this training ({type(error).__name__}: {error}). Nothing was changed.")


def state_of(run: Run) -> dict[str, Any]:
    parts = {"scheduler": run.scheduler, "clip": run.clip}
    return {
        "format": FORMAT,
        "plan": run.plan,
        "epoch": run.epoch,
        "batch": run.batch,
        "number": run.number,
        "finished": run.finished,
        "seen": vars(run.seen).copy(),
        "history": [dict(record) for record in run.history.epochs],
        **weights_of(run.model, run.optimizer),
        "optimizer": run.optimizer.state_dict(),
        **{name: part.state_dict() if hasattr(part, "state_dict") else None for name, part in parts.items()},
        "callbacks": [callback.state_dict() for callback in run.rememberers],
        "generators": {"first": run.first_states, "now": states(run.generators)},
    }


def take_over(state: dict[str, Any], run: Run) -> None:
    """Put back what `state_of` gave; may stop half-way."""
    run.epoch = whole("epoch", state["epoch"], least=1)
    batch, run.number = whole("batch", state["batch"], least=0), whole("number", state["number"], least=0)
    if run.epoch > run.epochs + 1 or batch >= len(run.data):
        raise CheckpointError(f"epoch {run.epoch} of {run.epochs}, batch {batch} of {len(run.data)}")
    run.finished = bool(state["finished"])
    run.history = History([dict(record) for record in state["history"]])
    set_weights(run.model, run.optimizer, state)
    run.optimizer.load_state_dict(state["optimizer"])
    for part, saved in ((run.scheduler, state["scheduler"]), (run.clip, state["clip"])):
        if hasattr(part, "load_state_dict"):
            part.load_state_dict(saved)
    for callback, saved in zip(run.rememberers, state["callbacks"], strict=True):
        callback.load_state_dict(saved)
    run.batches, run.batch = None, 0
    if batch:
        set_states(run.generators, state["generators"]["first"])
        run.begin_epoch()
        while run.batch < batch:
            run.next_batch()
            run.batch += 1
    set_states(run.generators, state["generators"]["now"])
    run.seen = Mean(**state["seen"])
    run.whole = True


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """While the block runs, no other process may train into the file or folder `path`.

    The lock is a file beside it, "<name>.lock"; the operating system ends it with the process, also after kill -9.
    Raises `CheckpointError` if another process holds it, or if nothing can be written there.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise MissingExtraError('checkpoints are locked with filelock: pip install "minigrad-engine[train]"') from error
    path = Path(path)
    if not path.parent.is_dir():
        raise CheckpointError(f"{path}: there is no folder {path.parent}.")
    real = path.resolve()  # a link and the file behind it have one lock
    lock = FileLock(real.with_name(real.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CheckpointError(f"{path} is in use: another process trains there; wait, or use another name.") from error
    except OSError as error:
        raise CheckpointError(f"{path}: nothing can be written there: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
