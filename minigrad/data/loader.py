"""Batches: the arrays X and y, a few rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..arguments import whole
from ..errors import DtypeError, ShapeError
from ..random import generator
from .arrays import rows

__all__ = ["DataLoader"]


class DataLoader:
    """Cuts `X` (n, ...) and `y` (n, ...) into batches of raw arrays; `shuffle=True` deals anew in every epoch.

    The last batch is smaller where `batch_size` does not divide n: every row comes once per epoch.  `drop_last=True`
    leaves that batch out; batch normalisation, for one, can't learn from a single row.  Raises `ShapeError` for data
    without rows or without a whole batch, for X and y of different length and for a batch size below 1, `DtypeError`
    for data that are not numbers, and `AnomalyError` for a nan or an infinity among them.

    `transform(X, rng)`, such as an augmentation, is given a copy of the rows of each batch and the loader's generator,
    and returns as many rows to learn from.

    >>> loader = DataLoader(np.arange(5.0), np.arange(5), batch_size=2)
    >>> len(loader), [y.tolist() for X, y in loader]
    (3, [[0, 1], [2, 3], [4]])
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        rng: Any = None,
        transform: Callable[[Any, Any], Any] | None = None,
        drop_last: bool = False,
    ) -> None:
        self.X, self.y = rows("DataLoader", X), rows("DataLoader", y, "y")
        if len(self.X) != len(self.y):
            raise ShapeError(
                f"DataLoader: X has {len(self.X)} rows and y has {len(self.y)}; each row of X needs its label."
            )
        self.batch_size = whole("DataLoader: batch_size", batch_size, least=1)
        if transform is not None and not callable(transform):
            raise DtypeError(f"DataLoader: transform is {transform!r:.60}; it is a function transform(X, rng).")
        self.shuffle, self.rng, self.transform, self.drop_last = shuffle, generator(rng), transform, drop_last
        if not len(self):
            raise ShapeError(f"DataLoader: {len(self.X)} rows are no batch of {batch_size}, and drop_last=True.")

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return len(self.X) // self.batch_size if self.drop_last else -(-len(self.X) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        order = self.rng.permutation(len(self.X)) if self.shuffle else None
        for i in range(len(self)):
            batch: Any = slice(i * self.batch_size, (i + 1) * self.batch_size)
            if order is not None:
                batch = order[batch]
            yield self.transformed(self.X[batch]), self.y[batch]

    def transformed(self, X: Any) -> Any:
        if self.transform is None:
            return X
        new = np.asarray(self.transform(np.array(X), self.rng))  # a slice shares its memory with the data
        if new.shape[:1] != X.shape[:1]:
            made = f"{len(new)} rows" if new.ndim else repr(new.item())
            raise ShapeError(f"DataLoader: transform made {made} of {len(X)} rows; each row has its label.")
        return new
