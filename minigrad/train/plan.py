"""What the run that continues must have in common with the one that was saved, and how two of them differ."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import DataLoader
from ..nn import Module

if TYPE_CHECKING:
    from .loop import Run

__all__ = ["description", "differences"]


def description(run: Run) -> dict[str, Any]:
    """The parts of a run in words and numbers: kinds, settings, shapes, and a checksum of the data."""
    return {
        "epochs": run.epochs,
        "model": layers(run.model),
        "loss": layers(run.loss),
        "optimizer": {"kind": kind(run.optimizer), **run.optimizer.defaults},
        "parameters": [str(p.shape) for p in run.parameters],
        "scheduler": kind(run.scheduler),
        "scheduler_per": run.scheduler_per,
        "clip": kind(run.clip),
        "callbacks": [kind(callback) for callback in run.rememberers],
        "data": batches(run.data),
        "validation": None if run.validation is None else batches(run.validation),
    }


def differences(there: Any, here: Any, name: str = "") -> Iterator[str]:
    """Where two descriptions differ, in words.

    >>> [*differences({"epochs": 3, "data": {"rows": 4}}, {"epochs": 3, "data": {"rows": 5}})]
    ['data.rows is 4 there and 5 here']
    """
    if isinstance(there, dict) and isinstance(here, dict):
        for k in {**there, **here}:
            yield from differences(there.get(k), here.get(k), f"{name}.{k}" if name else str(k))
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for i, (a, b) in enumerate(zip(there, here, strict=True)):
            yield from differences(a, b, f"{name}[{i}]")
    elif there != here:
        yield f"{name} is {there!r:.200} there and {here!r:.200} here"


def batches(data: Any) -> dict[str, Any]:
    """What the data are: for a `DataLoader` down to each number, as a checksum."""
    if not isinstance(data, DataLoader):
        return {"kind": kind(data), "batches": len(data)}
    arrays = {"X": data.X, "y": data.y}
    return {
        "rows": len(data.X),
        "batch_size": data.batch_size,
        "shuffle": data.shuffle,
        "drop_last": data.drop_last,
        "transform": kind(data.transform),
        **{name: f"{x.dtype} {x.shape[1:]}" for name, x in arrays.items()},
        **{f"checksum of {name}": zlib.crc32(np.ascontiguousarray(x).data) for name, x in arrays.items()},
    }


def layers(model: Any) -> list[str]:
    """A module's layers with their settings, a line each; a function's name."""
    if not isinstance(model, Module):
        return [kind(model)]
    shapes = [f"{name} {p.dtype} {p.shape}" for name, p in model.named_parameters()]
    return shapes + [f"{path}: {kind(part)}({part.extra_repr()})" for path, part in model.named_modules()]


def kind(x: Any) -> str:
    """The name of a function, or of an object's class."""
    return str(getattr(x, "__qualname__", type(x).__name__))
