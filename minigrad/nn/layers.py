"""The layers that start most models: `Linear`; and those that only rearrange or look up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import whole
from ..convert import describe, is_value, shape_of
from ..errors import DtypeError, OutOfRangeError, ShapeError
from ..gates import reshape, where
from ..random import generator
from . import functional as F
from .init import normal_, uniform_
from .module import Module, Parameter

__all__ = ["Embedding", "Flatten", "Linear"]


class Linear(Module):
    """y = x Wᵀ + b, with weight of shape (out, in) and bias of shape (out,).

    Both start as U(-1/sqrt(in), 1/sqrt(in)), as in PyTorch.  `x` has shape (..., in).

    >>> import numpy as np
    >>> Linear(3, 2, rng=0)(np.ones((4, 3))).shape
    (4, 2)
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = np.float64, rng: Any = None
    ) -> None:
        in_features = whole("Linear: in_features", in_features, least=1)
        out_features = whole("Linear: out_features", out_features, least=1)
        rng = generator(rng)  # one stream for weight and bias
        bound = 1.0 / math.sqrt(in_features)
        self.weight = Parameter(np.zeros((out_features, in_features)), dtype=dtype, label="weight")
        uniform_(self.weight, -bound, bound, rng)
        self.bias = Parameter(np.zeros(out_features), dtype=dtype, label="bias") if bias else None
        if self.bias is not None:
            uniform_(self.bias, -bound, bound, rng)

    def forward(self, x: Any) -> Any:
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        out_features, in_features = self.weight.shape
        return f"{in_features}, {out_features}" + ("" if self.bias is not None else ", bias=False")


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` as one: by default all but the batch's.

    >>> Flatten()(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        shape = shape_of(x)
        try:
            start, end = [range(len(shape))[dim] for dim in (self.start_dim, self.end_dim)]
        except IndexError:
            raise ShapeError(f"{self!r}: x of shape {shape} has no such axes; is the batch's axis missing?") from None
        if start > end:
            raise ShapeError(f"{self!r}: for x of shape {shape} the first axis comes after the last.")
        return reshape(x, shape=(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Embedding(Module):
    """A table of vectors, weight (num_embeddings, embedding_dim), read at whole numbers: ids (...) to (..., dim).

    It starts as N(0, 1).  The row `padding_idx` starts as zeros and gets no gradient.  Raises `DtypeError` for ids that
    are no whole numbers, and `OutOfRangeError` for one outside the table: negative ones don't count from the end.

    >>> Embedding(10, 3, rng=0)(np.array([[1, 2, 2]])).shape
    (1, 3, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        dtype: Any = np.float64,
        rng: Any = None,
    ) -> None:
        rows = whole("Embedding: num_embeddings", num_embeddings, least=1)
        columns = whole("Embedding: embedding_dim", embedding_dim, least=1)
        if padding_idx is not None and not -rows <= padding_idx < rows:
            raise OutOfRangeError(f"Embedding: padding_idx={padding_idx}: the table has {rows} rows.")
        self.padding_idx = None if padding_idx is None else padding_idx % rows
        self.weight = normal_(Parameter(np.zeros((rows, columns)), dtype=dtype, label="weight"), rng=rng)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    def forward(self, ids: Any) -> Any:
        if is_value(ids) or (ids := np.asarray(ids)).dtype.kind not in "iu":
            raise DtypeError(f"Embedding: {describe(ids)}: ids are raw whole numbers; for floats use .astype(int).")
        rows = len(self.weight)
        if ids.size and not 0 <= ids.min() <= ids.max() < rows:
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise OutOfRangeError(f"Embedding: the id {wrong}: the table has the rows 0 to {rows - 1}.")
        vectors = self.weight[ids]
        if self.padding_idx is None:
            return vectors
        return where((ids == self.padding_idx)[..., None], self.weight.data[ids], vectors)

    def extra_repr(self) -> str:
        rows, columns = self.weight.shape
        return f"{rows}, {columns}" + (f", padding_idx={self.padding_idx}" if self.padding_idx is not None else "")
