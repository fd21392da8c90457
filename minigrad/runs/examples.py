"""The rows that a run learns from, and those held back: of a CSV file, a set that comes along, or generated points."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..errors import DataError, ShapeError
from .settings import Settings

__all__ = ["SETS", "Examples", "read"]

LARGEST = 1e150  # the squares of larger numbers, added up, are infinite
TEN = tuple("0123456789")


@dataclass(frozen=True)
class Examples:
    """Rows to learn from, rows held back, and what their columns and classes are called (no classes: a regression).

    `image` is (height, width) where the columns are pixels.
    """

    X: Any
    y: Any
    X_held: Any
    y_held: Any
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    target: str = ""
    image: tuple[int, int] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of X, or their numbers."""
        return self.features or tuple([f"column {i}" for i in range(1, self.X.shape[1] + 1)])

    @property
    def task(self) -> str:
        """`"classification"` or `"regression"`."""
        return "classification" if self.classes else "regression"


SETS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {  # what loads it, and what is known about it
    "digits": (data.load_digits, {"classes": TEN, "target": "digit", "image": (8, 8)}),
    "mnist": (data.load_mnist_5k, {"classes": TEN, "target": "digit", "image": (28, 28)}),
    "iris": (
        data.load_iris,
        {
            "classes": ("setosa", "versicolor", "virginica"),
            "features": ("sepal length", "sepal width", "petal length", "petal width"),
            "target": "species",
        },
    ),
    "wine": (data.load_wine, {"classes": ("0", "1", "2"), "target": "grower"}),
    "breast_cancer": (data.load_breast_cancer, {"classes": ("malignant", "benign"), "target": "diagnosis"}),
    "diabetes": (data.load_diabetes, {"target": "progression"}),
}
POINTS: dict[str, Callable[[], Any]] = {  # always the same ones
    "moons": lambda: data.make_moons(500, noise=0.2, rng=0),
    "circles": lambda: data.make_circles(500, noise=0.1, rng=0),
    "xor": lambda: data.make_xor(500, rng=0),
    "blobs": lambda: data.make_blobs(500, rng=0),
    "spiral": lambda: data.make_spiral(150, rng=0),
}


def read(settings: Settings, folder: Path) -> Examples:
    """The rows of `settings.data`: the name of a set, or a CSV file, relative to `folder`.

    Which rows are held back depends on nothing but the data and `settings.validation`, so that runs can be compared.
    Raises `DataError` for what can't be learned from, with file, line and column.
    """
    name = settings.data
    for option in ("target", "task", "ignore", "delimiter", "header"):
        if name in [*SETS, *POINTS] and getattr(settings, option):
            raise DataError(f"{name}: --{option} is for CSV files; if you mean a file, say ./{name}.")
    if name in SETS:
        load, known = SETS[name]
        return Examples(*load(split=settings.validation), **known)
    if name in POINTS:
        X, y = POINTS[name]()
        classes = tuple(map(str, range(int(y.max()) + 1)))
        return Examples(*held_back(X, y, settings.validation), classes, ("x₁", "x₂"), "class")
    path = folder / name
    if not path.exists() and path.suffix:
        raise DataError(f"{path}: there is no such file in {path.absolute().parent}.")
    if not path.exists():
        several = [*SETS, *POINTS]
        close = difflib.get_close_matches(name, several, n=1)
        guess = f"did you mean {close[0]}? Sets are" if close else "sets are"
        raise DataError(f"there is no file and no set {name!r}; {guess} {', '.join(several)}.")
    try:
        table = data.read_csv(
            path, settings.target, task=settings.task, ignore=settings.ignore, header=settings.header,
            delimiter=settings.delimiter,
        )  # fmt: skip
    except DataError as error:
        raise DataError(as_options(str(error))) from error
    classes = table.class_names
    for column, values in zip((*table.feature_names, table.target), (*table.X.T, table.y), strict=True):
        if (large := np.abs(values)).max() > LARGEST:
            line, value = table.lines[int(large.argmax())], values[large.argmax()]
            raise DataError(
                f"{path}, line {line}, column {column!r}: {value:g} is too large for a variance; correct it, leave the "
                "row out, or divide the column."
            )
    if not classes and len(table.y) < 3:
        raise DataError(f"{path}: {len(table.y)} rows; a regression takes three.")
    try:
        parts = held_back(table.X, table.y, settings.validation, stratify=bool(classes))
    except ShapeError as error:
        counts = np.bincount(table.y)
        rare, n = classes[int(counts.argmin())], counts.min()
        few = "one row only is" if n == 1 else f"only {n} of {len(table.y)} rows are"
        remedy = (
            "Leave them out, join some of the classes, say --validation with a share nearer to 0.5, or, if this is a "
            "quantity, --task regression."
        )
        if re.fullmatch(r"\W{0,2}\d[\d.,'’\s]*[.,'’\s€$£%][\d\s€$£%]*", rare):
            remedy = "If this is a quantity, save it as numbers like 1234.5, without marks, and say --task regression."
        raise DataError(
            f"{path}, column {table.target!r}: {few} {rare!r:.60}, too few for some to learn from and some of the "
            f"share held back, {settings.validation}. {remedy}"
        ) from error
    return Examples(*parts, classes, table.feature_names, table.target)


def held_back(X: Any, y: Any, share: float, stratify: bool = True) -> tuple[Any, Any, Any, Any]:
    """X, y, X held back, y held back."""
    held = min(max(int(np.ceil(share * len(y) - 1e-9)), 1), len(y) - 1)
    (X, y), (X_held, y_held) = data.random_split((X, y), [len(y) - held, held], stratify=y if stratify else None, rng=0)
    return X, y, X_held, y_held


def as_options(message: str) -> str:
    """What `read_csv` calls its arguments, as options of the command line.

    >>> as_options("to leave the column out, ignore=['my id']; the target is target='y'; header=True")
    "to leave the column out, --ignore 'my id'; the target is --target 'y'; --header"
    """
    message = re.sub(r"\b(ignore)=\[('[^']*'|\"[^\"]*\")\]", r"--\1 \2", message)
    message = re.sub(r"\b(target|task)=('[^']*'|\"[^\"]*\")", r"--\1 \2", message)
    message = message.replace(", or, if the estimate is wrong, set memory_limit (in bytes)", "")
    return message.replace("header=True", "--header").replace("delimiter= says", "--delimiter says")
