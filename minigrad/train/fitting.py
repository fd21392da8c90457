"""`fit`: run a training to its end, show how it goes, and keep it safe."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ..arguments import whole
from ..errors import CheckpointError
from ..io import load
from .checkpoint import FORMAT, load_run, locked, save_run
from .history import History, Record
from .interrupts import first_interrupt
from .loop import Run, steps
from .progress import shown

__all__ = ["finish", "fit"]

PathLike = str | os.PathLike[str]


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
    scheduler: Any = None,
    scheduler_per: str | None = None,
    clip: Callable[[Any], Any] | None = None,
    checkpoint: PathLike | None = None,
    checkpoint_every: int | None = None,
    resume: PathLike | None = None,
    progress: bool = True,
) -> History:
    """Train `model` on `data` for `epochs` passes and return the history.

    `data` and `validation` are a `DataLoader` or a pair (X, y); a pair is dealt in shuffled batches of 32 drawn from
    `rng`.  A callback is called with each epoch's record; one that returns True ends the training (see `Callback`).
    Progress is a bar where tqdm is installed (`pip install "minigrad-engine[train]"`), otherwise a line per epoch (of
    more than 100 epochs every hundredth part); `progress=False` shows nothing.  Ctrl-C ends the training after the
    update that is under way, and the history so far is returned; a second Ctrl-C stops at once.

    `scheduler` is a schedule of `optim.lr_scheduler`; it goes on after every epoch, `OneCycleLR` after every step, or
    as `scheduler_per="epoch"` or `"step"` says.  `clip(parameters)` is called between backward and the optimizer's
    step: `optim.AutoClip()`, or `lambda ps: nn.utils.clip_grad_norm_(ps, 1.0)`.

    `checkpoint` is a .npz or .safetensors file, written before the first step, after each epoch, on Ctrl-C, and every
    `checkpoint_every` steps.  `resume` is such a file: the training goes on from it as if it had never been stopped, to
    the same weights bit for bit, if all other arguments are as they were.  Randomness of your own must come from the
    default generator (`mg.seed`), from NumPy's (`np.random.seed`), or from a `numpy.random.Generator` that a layer, the
    data or a callback has as an attribute, or a function that is passed here as a variable; what a model of your own
    changes in training, other than parameters, must be a buffer.

    Raises `DtypeError` for a class or a name in the place of an object, `GradientError` if all parameters are frozen,
    and `AnomalyError`, with the parameters as the step before left them, where a loss or gradient is not finite.
    Raises `CheckpointError` if the checkpoint cannot be written, is in use by another process, holds the only copy of
    an interrupted run, or is of another training than the one to resume; model and optimizer are unchanged then, but
    for the steps done, and so is the file.

    >>> import numpy as np
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
    every = None if checkpoint_every is None else whole("checkpoint_every", checkpoint_every, least=1)
    run = steps(
        model, data, loss=loss, optimizer=optimizer, epochs=epochs, validation=validation, callbacks=callbacks, rng=rng,
        scheduler=scheduler, scheduler_per=scheduler_per, clip=clip,
    )  # fmt: skip
    finish(run, checkpoint, every, resume, quiet=not progress)
    if run.history.interrupted and checkpoint is not None and not run.finished:
        where = f"after step {run.number} of {run.epochs * len(run.data)}" if run.whole else "within a step"
        print(f"Stopped {where}. To continue, add resume={os.fspath(checkpoint)!r} to the same call.", flush=True)
    return run.history


def finish(
    run: Run,
    checkpoint: PathLike | None = None,
    every: int | None = None,
    resume: PathLike | None = None,
    quiet: bool = False,
) -> None:
    """Take `run` to its end, or to Ctrl-C, which its history tells."""
    watched = nullcontext(lambda step: None) if quiet else shown(run)
    with first_interrupt() as interrupts, saving(run, checkpoint, resume) as save, watched as show:
        try:
            for step in run:
                show(step)
                if interrupts:
                    raise KeyboardInterrupt
                if not run.finished and (step.record or (every and step.number % every == 0)):
                    save()
        except KeyboardInterrupt:
            if len(interrupts) > 1:
                raise
            run.history.interrupted = True
        finally:
            run.close()
        if run.whole:
            save()


@contextmanager
def saving(run: Run, checkpoint: PathLike | None, resume: PathLike | None) -> Iterator[Callable[[], None]]:
    """What saves the run; that it can be saved is tried out before the first step."""
    if checkpoint is None:
        if resume is not None:
            load_run(resume, run)
        yield lambda: None
        return
    with locked(checkpoint):
        if resume is not None:
            load_run(resume, run)
        path = Path(checkpoint)
        if resume is None or not (path.exists() and path.samefile(resume)):
            check_free(path)
        for draft in path.parent.glob(f".{path.name}.*.tmp"):  # of a process that was killed while it wrote
            draft.unlink()
        run.start()
        save_run(path, run)
        yield lambda: save_run(path, run)


def check_free(path: Path) -> None:
    """Raise if writing to `path` would lose what is there, unless that is the checkpoint of a finished training."""
    if not path.exists():
        return
    state = load(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is there already, and is no checkpoint of a training: choose another name.")
    if not state.get("finished"):
        raise CheckpointError(
            f"{path} holds a training that was stopped after {state.get('number')} steps: pass resume={str(path)!r} to "
            "continue it, or delete the file to begin anew."
        )
