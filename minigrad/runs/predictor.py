"""The trained model of a run, for new data."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import nn
from ..errors import AnomalyError, CheckpointError, DtypeError, ShapeError
from ..io import load as load_file
from ..value import no_grad
from .architecture import input_shape, rebuild

__all__ = ["Predictor", "load"]

ROWS = 10_000  # at a time: hidden layers of all rows at once may be too much for the memory


class Predictor:
    """A trained model of data as they come: what was taken off them for the training is part of it.

    `model` is the `nn.Module`; `classes` names its outputs (none for a regression), `features` the columns of X and
    `target` what is predicted, where the run knew.
    """

    def __init__(self, checkpoint: dict[str, Any]) -> None:
        self.model: nn.Module = rebuild(checkpoint)
        self.shape = input_shape(checkpoint["architecture"])
        outputs = list(self.model.state_dict().values())[-1].size  # the last bias
        self.classes = names(checkpoint, "classes", outputs)
        self.features = names(checkpoint, "features", self.shape[0])
        self.target: str = checkpoint.get("target") or ""

    def __repr__(self) -> str:
        classes = f" of {len(self.classes)} classes" if self.classes else ""
        return f"Predictor({self.target or 'output'!r}{classes} from {self.shape})"

    def scores(self, X: Any) -> npt.NDArray[Any]:
        """What the model computes for the rows of X (n, features): a raw array (n, outputs).

        Raises `ShapeError` for other columns than those it was trained with, `DtypeError` for what are not numbers, and
        `AnomalyError` for a nan or an infinity.
        """
        X = np.asarray(X)
        if X.dtype.kind not in "biuf":
            raise DtypeError(f"Predictor: X holds {X.dtype}, not numbers.")
        if X.shape[1:] != self.shape or not X.ndim:
            several = f" ({', '.join(self.features[:10])})" if self.features else ""
            raise ShapeError(f"Predictor: X has shape {X.shape}; a row has the shape {self.shape}{several}.")
        if not np.isfinite(X).all():
            raise AnomalyError(f"Predictor: row {np.argwhere(~np.isfinite(X))[0][0]} of X has a nan or an infinity.")
        dtype = next(self.model.parameters()).dtype
        with no_grad():
            parts = [self.model(X[i : i + ROWS].astype(dtype)).data for i in range(0, max(len(X), 1), ROWS)]
        return np.concatenate(parts)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """For each row of X the number of its class, a place in `classes`, or the quantity of a regression: (n,)."""
        scores = self.scores(X)
        return scores.argmax(axis=1) if self.classes else scores[:, 0]


def names(checkpoint: dict[str, Any], entry: str, n: int) -> tuple[str, ...]:
    """The `n` names in an entry that may be missing."""
    given = checkpoint.get(entry) or []
    if not isinstance(given, (list, tuple)) or len(given) not in (0, n) or not all([isinstance(x, str) for x in given]):
        raise CheckpointError(f"{entry!r} is {given!r:.60}; it has {n} names for this model, or is missing.")
    return tuple(given)


def load(path: str | os.PathLike[str]) -> Predictor:
    """The model that `minigrad train` left in the folder `path`, or in a file like its model.npz.

    Raises `CheckpointError` if there is none, or if the file is damaged.

        trained = runs.load("run")
        trained.predict(X)
    """
    path = Path(path)
    file = path / "model.npz" if path.is_dir() else path
    if not file.exists():
        hint = f"; finish the run: minigrad train --resume {path}" if (path / "run.json").exists() else ""
        raise CheckpointError(f"there is no {file}{hint}.")
    checkpoint = load_file(file)
    if (path.parent / "run.json").exists() and isinstance(checkpoint, dict) and "architecture" not in checkpoint:
        model, at = path.with_name("model.npz"), shlex.quote(str(path.parent))
        hint = "" if model.exists() else f", once it is trained: minigrad train --resume {at}"
        raise CheckpointError(f"{file} is the training as it stands; the trained model is in {model}{hint}.")
    return Predictor(checkpoint)
