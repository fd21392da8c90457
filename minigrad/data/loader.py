"""Batches: the arrays X and y, a few rows at a time."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..convert import describe, is_value
from ..errors import AnomalyError, DtypeError, ShapeError
from ..random import generator

__all__ = ["DataLoader"]


class DataLoader:
    """Cuts `X` (n, ...) and `y` (n, ...) into batches of raw arrays; `shuffle=True` deals anew in every epoch.

    The last batch is smaller where `batch_size` does not divide n: every row comes once per epoch.  Raises `ShapeError`
    for data without rows, for X and y of different length and for a batch size below 1, and `AnomalyError` for a nan or
    an infinity in the data.

    >>> loader = DataLoader(np.arange(5.0), np.arange(5), batch_size=2)
    >>> len(loader), [y.tolist() for X, y in loader]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(self, X: Any, y: Any, batch_size: int = 32, shuffle: bool = False, rng: Any = None) -> None:
        self.X, self.y = rows("X", X), rows("y", y)
        if len(self.X) != len(self.y):
            raise ShapeError(
                f"DataLoader: X has {len(self.X)} rows and y has {len(self.y)}; each row of X needs its label."
            )
        try:
            self.batch_size = operator.index(batch_size)
        except TypeError as error:
            raise DtypeError(f"DataLoader: batch_size={batch_size!r} is not a whole number.") from error
        if self.batch_size < 1:
            raise ShapeError(f"DataLoader: batch_size={batch_size}; a batch has at least 1 row.")
        self.shuffle, self.rng = shuffle, generator(rng)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return -(-len(self.X) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        n = len(self.X)
        order = self.rng.permutation(n) if self.shuffle else None
        for start in range(0, n, self.batch_size):
            batch: Any = slice(start, start + self.batch_size)
            if order is not None:
                batch = order[batch]
            yield self.X[batch], self.y[batch]


def rows(name: str, data: Any) -> Any:
    if is_value(data):
        raise DtypeError(f"DataLoader: {name} is {describe(data)}; batches are raw arrays: pass {name}.data.")
    array = np.asarray(data)
    if array.ndim == 0 or len(array) == 0:
        raise ShapeError(f"DataLoader: {name} has shape {array.shape}: there is nothing to learn from without rows.")
    if array.dtype.kind == "f" and not (fine := np.isfinite(array)).all():
        where = tuple(int(i) for i in np.argwhere(~fine)[0])
        raise AnomalyError(
            f"DataLoader: {name}[{', '.join(map(str, where))}] is {array[where]} ({np.sum(~fine)} of {array.size} "
            "numbers are not finite). Fill or drop those rows first."
        )
    return array
