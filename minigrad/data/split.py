"""Parts of the data: some to learn from, others that the model must not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arguments import number
from ..convert import describe, is_value
from ..errors import DtypeError, ShapeError
from ..random import generator

__all__ = ["Split", "random_split"]


class Split(NamedTuple):
    """Data to learn from, and data held back to test with."""

    X_train: npt.NDArray[Any]
    y_train: npt.NDArray[Any]
    X_test: npt.NDArray[Any]
    y_test: npt.NDArray[Any]


def random_split(data: Any, lengths: Sequence[float], stratify: Any = None, rng: Any = None) -> list[Any]:
    """Deal the rows of `data` at random into parts: an array into arrays, a tuple (X, y) into tuples.

    `lengths` are fractions that add up to 1, or numbers of rows that add up to all (as in PyTorch).  With `stratify=y`,
    labels (n,), each class has its share of each part, up to rounding: for two parts, less than one row more or less.

    Raises `ShapeError` for arrays of different length, lengths that don't add up, a part without rows, and a class that
    is too rare to be in every part.

    >>> X, y = np.arange(8.0), np.repeat([0, 1], 4)
    >>> train, test = random_split((X, y), [0.75, 0.25], stratify=y, rng=0)
    >>> train[1].tolist(), test[1].tolist()
    ([1, 1, 0, 0, 0, 1], [0, 1])
    """
    arrays = [as_rows(x) for x in (data if isinstance(data, tuple) else (data,))]
    n = len(arrays[0])
    if any([len(x) != n for x in arrays]):
        raise ShapeError(f"random_split: the arrays have {' and '.join([str(len(x)) for x in arrays])} rows.")
    counts, rng = part_sizes(n, lengths), generator(rng)
    if stratify is None:
        order = rng.permutation(n)
        parts = np.split(order, np.cumsum(counts)[:-1])
    else:
        parts = [rng.permutation(rows) for rows in stratified(n, counts, stratify, rng)]
    dealt = [tuple([x[rows] for x in arrays]) for rows in parts]
    return dealt if isinstance(data, tuple) else [part[0] for part in dealt]


def as_rows(x: Any) -> npt.NDArray[Any]:
    if is_value(x):
        raise DtypeError(f"random_split: {describe(x)}; data are raw arrays: pass its .data.")
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError(
            "random_split: a list whose parts differ in shape; several arrays are a tuple: (X, y)."
        ) from error
    if array.ndim == 0:
        raise ShapeError(f"random_split: {describe(x)} has no rows; give an array, or a tuple of them: (X, y).")
    return array


def part_sizes(n: int, lengths: Sequence[float]) -> list[int]:
    """How many rows each part has; what rounding fractions down leaves over goes to the first parts, a row each."""
    if np.ndim(lengths) != 1 or not len(lengths):
        raise ShapeError(f"random_split: lengths={lengths!r:.60}; give one per part: [0.8, 0.2].")
    total = sum([number("random_split: lengths", length) for length in lengths])
    if all([length == int(length) for length in lengths if np.isfinite(length)]) and total == n:
        counts = [int(length) for length in lengths]
    elif abs(total - 1.0) < 1e-9 and min(lengths) >= 0.0:
        counts = [int(n * length + 1e-9) for length in lengths]
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        raise ShapeError(
            f"random_split: lengths={list(lengths)} add up to {total:.6g}, neither to 1 nor to all {n} rows."
        )
    if min(counts) < 1:
        raise ShapeError(f"random_split: lengths={list(lengths)} of {n} rows make parts of {counts}; each needs a row.")
    return counts


def stratified(n: int, counts: list[int], labels: Any, rng: Any) -> list[npt.NDArray[Any]]:
    """The rows of each part.  The rows, class by class, are dealt in a rhythm in which each part has its even share."""
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise ShapeError(f"random_split: stratify has shape {labels.shape}; it is a label for each row, ({n},).")
    classes, codes = np.unique(labels, return_inverse=True)
    order = rng.permutation(n)
    order = order[np.argsort(codes[order], kind="stable")]
    due = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    rhythm = np.repeat(np.arange(len(counts)), counts)[np.argsort(due, kind="stable")]
    parts = [order[rhythm == part] for part in range(len(counts))]
    for rows in parts:
        missing = np.setdiff1d(np.arange(len(classes)), codes[rows])
        if len(missing):
            label = classes[missing[0]].item()
            raise ShapeError(
                f"random_split: class {label!r} has {int(np.sum(labels == label))} of {n} rows, too few to be in each "
                f"of the parts of {counts}; make the smallest part larger, or split without stratify."
            )
    return parts
