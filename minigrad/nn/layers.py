"""The layers that start most models: `Linear`; and those that only pass on, rearrange or look up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arguments import flag, whole
from ..convert import as_array, describe, is_raw, is_value, shape_of
from ..errors import DtypeError, OutOfRangeError, ShapeError
from ..gates import linear as linear_gate
from ..gates import matmul, reshape, transpose, where
from ..random import generator
from .init import normal_, uniform_
from .module import Module, Parameter

__all__ = ["Embedding", "Flatten", "Identity", "Linear", "embedding", "flatten", "linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b for x of shape (..., in), weight (out, in) and bias (out,).

    >>> linear([1.0, 2.0], [[3.0, 4.0]], [0.5])
    array([11.5])
    """
    return matmul(input, transpose(weight)) if bias is None else linear_gate(input, weight, bias)


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
        self.in_features = in_features = whole("Linear: in_features", in_features, least=1)
        self.out_features = out_features = whole("Linear: out_features", out_features, least=1)
        rng = generator(rng)  # one stream for weight and bias
        bound = 1.0 / math.sqrt(in_features)
        self.weight = Parameter(np.zeros((out_features, in_features)), dtype=dtype, label="weight")
        uniform_(self.weight, -bound, bound, rng)
        self.bias = None
        if flag("Linear: bias", bias):
            self.bias = uniform_(Parameter(np.zeros(out_features), dtype=dtype, label="bias"), -bound, bound, rng)

    def forward(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class Identity(Module):
    """x itself: takes the place of a layer that a model is to do without."""

    def forward(self, x: Any) -> Any:
        return x


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from `start_dim` to `end_dim` as one, as `torch.flatten` has it.  Raises `ShapeError` for other axes.

    >>> flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    shape, axes = shape_of(input), f"start_dim={start_dim}, end_dim={end_dim}"
    try:
        start, end = [range(len(shape))[whole("flatten: dim", dim)] for dim in (start_dim, end_dim)]
    except IndexError:
        raise ShapeError(
            f"flatten: {axes}: x of shape {shape} has no such axes; is the batch's axis missing?"
        ) from None
    if start > end:
        raise ShapeError(f"flatten: {axes}: for x of shape {shape} the first axis comes after the last.")
    return reshape(input, shape=(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` as one: by default all but the batch's.

    >>> Flatten()(np.zeros((2, 3, 4, 5))).shape
    (2, 60)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = whole("Flatten: start_dim", start_dim), whole("Flatten: end_dim", end_dim)
        if self.end_dim < self.start_dim and (self.start_dim < 0) == (self.end_dim < 0):
            raise ShapeError(f"Flatten: start_dim={start_dim}, end_dim={end_dim}: the first axis comes after the last.")

    def forward(self, x: Any) -> Any:
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """The rows of a table, weight (rows, columns), at whole numbers: ids (...) to vectors (..., columns).

    The row `padding_idx` gets no gradient.  Raises `DtypeError` for ids that are no whole numbers, and
    `OutOfRangeError` for one outside the table: negative ones don't count from the end.

    >>> embedding([1, 1], np.array([[0.0, 0.5], [1.0, 1.5]]))
    array([[1. , 1.5],
           [1. , 1.5]])
    """
    ids = as_array(input)
    if not is_raw(input) or (ids.size and ids.dtype.kind not in "iu"):
        raise DtypeError(f"embedding: {describe(input)}: ids are raw whole numbers; for floats use .astype(int).")
    if len(shape_of(weight)) != 2:
        raise ShapeError(f"embedding: weight {describe(weight)} is a table, (rows, columns), not {shape_of(weight)}.")
    rows, weight = shape_of(weight)[0], weight if is_value(weight) else np.asarray(weight)
    if ids.size and (ids.min() < 0 or ids.max() >= rows):
        wrong = ids.min() if ids.min() < 0 else ids.max()
        raise OutOfRangeError(f"embedding: the id {wrong}: the table has the rows 0 to {rows - 1}.")
    ids = ids if ids.size else ids.astype(int)
    vectors = weight[ids]
    if padding_idx is None or not is_value(weight):
        return vectors
    padding_idx = table_row("embedding", padding_idx, rows)
    return where((ids == padding_idx)[..., None], weight.detach()[ids], vectors)


class Embedding(Module):
    """A table of vectors, weight (num_embeddings, embedding_dim), read at whole numbers: see `functional.embedding`.

    It starts as N(0, 1), and the row `padding_idx` as zeros.

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
        self.num_embeddings = rows = whole("Embedding: num_embeddings", num_embeddings, least=1)
        self.embedding_dim = columns = whole("Embedding: embedding_dim", embedding_dim, least=1)
        self.padding_idx = None if padding_idx is None else table_row("Embedding", padding_idx, rows)
        self.weight = normal_(Parameter(np.zeros((rows, columns)), dtype=dtype, label="weight"), rng=rng)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    def forward(self, ids: Any) -> Any:
        return embedding(ids, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = f", padding_idx={self.padding_idx}" if self.padding_idx is not None else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


def table_row(name: str, padding_idx: Any, rows: int) -> int:
    """A row's number, where -1 is the last."""
    if not -rows <= whole(f"{name}: padding_idx", padding_idx) < rows:
        raise OutOfRangeError(f"{name}: padding_idx={padding_idx}: the table has {rows} rows.")
    return int(padding_idx) % rows
