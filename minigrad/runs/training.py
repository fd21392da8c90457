"""`start` and `resume`: the work behind `minigrad train`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

from .. import nn, optim
from ..data import DataLoader, Standardize
from ..io import save
from ..train import EarlyStopping, History, JsonLog, steps
from ..train.fitting import finish
from .architecture import build
from .examples import Examples, read
from .folder import new_folder, settings_of
from .predictor import load
from .report import write_report
from .settings import Settings

__all__ = ["resume", "start"]

OFTEN = 1000  # steps: no more than these are lost where epochs are long


def start(settings: Settings, out: str, *, quiet: bool = False) -> None:
    """Train as `settings` say, into the new folder `out`; nothing is written if the data can't be learned from.

    Raises `DataError` for the data, `MinigradError` for settings that don't fit them, and `CheckpointError` or
    `OSError` for the folder.  Ctrl-C saves, says how to go on, and is passed on as `KeyboardInterrupt`.
    """
    examples = read(settings, Path())
    settings = settings.complete(examples.task, len(examples.X), pixels=examples.image is not None)
    with new_folder(Path(out), settings):
        train(settings, examples, Path(out), quiet)


def resume(out: str, *, quiet: bool = False) -> None:
    """Go on with the run in the folder `out` as if it had never been stopped; if it is finished, make its page anew.

    Raises `CheckpointError` if there is no run, if another process trains there, or if its data have changed.
    """
    settings, place = settings_of(Path(out))
    train(settings, read(settings, place), Path(out), quiet)


def train(settings: Settings, examples: Examples, folder: Path, quiet: bool) -> None:
    try:
        history = learn(settings, examples, folder, quiet)
        said = write_report(folder, settings, examples, load(folder), history)
    except KeyboardInterrupt:
        if (folder / "last.npz").exists():
            print(f"To continue: minigrad train --resume {shlex.quote(str(folder))}", flush=True)
        raise
    print(f"{said}\nOpen {folder / 'report.html'}", flush=True)


def learn(settings: Settings, examples: Examples, folder: Path, quiet: bool) -> History:
    """Train to the end, from the start or from where it was stopped, and save the model."""
    sizes = [examples.X.shape[1], *(settings.hidden or ()), len(examples.classes) or 1]
    architecture = {"model": settings.model, "sizes": sizes}
    if settings.activation:
        architecture["activation"] = settings.activation
    model = build(architecture, rng=settings.seed)
    inputs = None if examples.image else Standardize(examples.X)  # pixels are on one scale already
    outputs = None if examples.classes else Standardize(examples.y[:, None])
    X, X_held = [x if inputs is None else inputs(x) for x in (examples.X, examples.X_held)]
    y, y_held = [y if outputs is None else outputs(y[:, None]) for y in (examples.y, examples.y_held)]

    optimizer, epochs = settings.make_optimizer(model.parameters()), settings.epochs or 1
    stopping = [EarlyStopping(patience=settings.early_stopping)] if settings.early_stopping else []
    run = steps(
        model,
        DataLoader(X, y, settings.batch_size, shuffle=True, rng=settings.seed),
        loss=loss_of(settings.model, examples.task),
        optimizer=optimizer,
        epochs=epochs,
        validation=(X_held, y_held),
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs),
        callbacks=[notes(optimizer), *stopping, JsonLog(folder / "metrics.jsonl")],
    )
    last = folder / "last.npz"
    finish(run, last, every=OFTEN, resume=last if last.exists() else None, quiet=quiet)
    if run.history.interrupted and not run.finished:
        print(f"Stopped after step {run.number} of {epochs * len(run.data)}.", flush=True)
        raise KeyboardInterrupt

    weights = model.state_dict()
    if outputs is not None:  # the last layer gives the quantity in its own unit
        *_, weight, bias = weights
        weights[weight] = weights[weight] * outputs.scale
        weights[bias] = weights[bias] * outputs.scale + outputs.mean
    checkpoint = {
        "architecture": architecture,
        "model": weights,
        "inputs": None if inputs is None else {"mean": inputs.mean, "std": inputs.scale},
        "classes": list(examples.classes) or None,
        "features": list(examples.features) or None,
        "target": examples.target,
    }
    save(folder / "model.npz", checkpoint)
    return run.history


def loss_of(model: str, task: str) -> nn.Module:
    if task == "regression":
        return nn.MSELoss()
    if model == "svm":
        return nn.MulticlassHingeLoss()
    return nn.CrossEntropyLoss(label_smoothing=0.1 if model == "mlp" else 0.0)


def notes(optimizer: Any) -> Any:
    """A callback that adds the rate and the time to each epoch's numbers."""
    clock = [time.perf_counter()]

    def note(record: dict[str, float]) -> None:
        clock.append(time.perf_counter())
        record["lr"], record["seconds"] = optimizer.param_groups[0]["lr"], clock[-1] - clock.pop(0)

    return note
