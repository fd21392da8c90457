"""Recurrence: a cell is applied again and again, to its own last output and the next input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import gates
from ..arguments import flag, whole
from ..convert import describe, shape_of
from ..errors import DtypeError, ShapeError
from ..random import generator
from .init import uniform_
from .layers import linear
from .module import Module, Parameter

__all__ = ["RNNCell"]


class RNNCell(Module):
    """h' = tanh(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh), or with relu in place of tanh; x is (batch, in) or (in,).

    All parameters start as U(-1/sqrt(hidden), 1/sqrt(hidden)); without `hx` the state h is zero.

    >>> cell, h = RNNCell(3, 4, rng=0), None
    >>> for x in np.ones((5, 2, 3)):  # five steps of two sequences
    ...     h = cell(x, h)
    >>> h.shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: Any = np.float64,
        rng: Any = None,
    ) -> None:
        self.input_size = input_size = whole("RNNCell: input_size", input_size, least=1)
        self.hidden_size = hidden_size = whole("RNNCell: hidden_size", hidden_size, least=1)
        bias = flag("RNNCell: bias", bias)
        if nonlinearity not in ("tanh", "relu"):
            raise DtypeError(f"RNNCell: nonlinearity={nonlinearity!r}; it is 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        rng, bound = generator(rng), 1.0 / math.sqrt(hidden_size)

        def start(name: str, *shape: int) -> Any:
            return uniform_(Parameter(np.zeros(shape), dtype=dtype, label=name), -bound, bound, rng)

        self.weight_ih = start("weight_ih", hidden_size, input_size)
        self.weight_hh = start("weight_hh", hidden_size, hidden_size)
        self.bias_ih = start("bias_ih", hidden_size) if bias else None
        self.bias_hh = start("bias_hh", hidden_size) if bias else None

    def forward(self, x: Any, hx: Any = None) -> Any:
        hidden, inputs = self.hidden_size, self.input_size
        if len(shape_of(x)) not in (1, 2) or shape_of(x)[-1] != inputs:
            raise ShapeError(f"RNNCell: {describe(x)}: x is (batch, {inputs}) or ({inputs},), not {shape_of(x)}.")
        state = (*shape_of(x)[:-1], hidden)
        hx = np.zeros(state, self.weight_hh.dtype) if hx is None else hx
        if shape_of(hx) != state:
            raise ShapeError(f"RNNCell: the state {describe(hx)} must be {state} beside x {shape_of(x)}.")
        out = linear(x, self.weight_ih, self.bias_ih) + linear(hx, self.weight_hh, self.bias_hh)
        return gates.tanh(out) if self.nonlinearity == "tanh" else gates.relu(out)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, nonlinearity={self.nonlinearity!r}"
