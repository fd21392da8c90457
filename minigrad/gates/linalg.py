"""Matrix products, and the neuron."""

from __future__ import annotations

import operator
from builtins import sum as add_up
from functools import lru_cache
from typing import Any

import numpy as np

from ..convert import shape_of
from ..skinny import product
from ..value import behind, expand, reshape
from .registry import call, row
from .shapes import transpose

__all__ = ["linear", "matmul", "neuron"]


def swap(x: Any) -> Any:
    """The last two axes exchanged: the transpose of each matrix of a stack."""
    n = len(shape_of(x))
    return x.T if n == 2 else transpose(x, axes=(*range(n - 2), n - 1, n - 2))


def matmul_left(g: Any, out: Any, a: Any, b: Any) -> Any:
    """dA = G Bᵀ for D = A B; a vector counts as a row on the left and a column on the right."""
    if len(shape_of(b)) == 1:
        return expand(g, b, 0) * b if len(shape_of(a)) == 1 else g[..., None] * b
    if len(shape_of(a)) == 1:
        return (g[..., None, :] @ swap(b))[..., 0, :]
    return g @ swap(b)


def matmul_right(g: Any, out: Any, a: Any, b: Any) -> Any:
    """dB = Aᵀ G."""
    if len(shape_of(a)) == 1:
        return expand(g, a, 0) * a if len(shape_of(b)) == 1 else a[:, None] * g[..., None, :]
    if len(shape_of(b)) == 1:
        return (swap(a) @ g[..., None])[..., 0]
    return swap(a) @ g


def matmul_hint(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    if not a or not b:
        return "a matrix product needs arrays; for numbers use *."
    inner = b[-2] if len(b) > 1 else b[0]
    if a[-1] == inner:
        return "the leading (batch) axes don't broadcast."
    turn = " Linear stores weight as (out, in): did you mean x @ W.T?" if len(b) == 2 and a[-1] == b[-1] else ""
    return f"inner sizes differ ({a[-1]} and {inner}).{turn}"


def affine(x: Any, weight: Any, bias: Any) -> Any:
    if weight.ndim != 2 or bias.shape != weight.shape[:1]:
        raise ValueError  # which `linear_hint` explains
    out = product(x, weight.T)
    out += bias
    return out


def flat(x: Any, like: Any) -> Any:
    """All but the last axis as one, a batch of rows, behind the axes that x has in front of those of `like`."""
    return x if len(like.shape) == 2 else reshape(x, behind(x, like, (-1, x.shape[-1])))


@lru_cache(maxsize=64)
def ones(n: int, dtype: Any) -> Any:
    return np.ones(n, dtype)


def linear_hint(x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...]) -> str:
    if len(weight) != 2:
        return f"weight {weight} is not a matrix (out, in)."
    if bias != weight[:1]:
        return f"bias {bias} doesn't fit the weight {weight}: a number for each of its {weight[0]} rows."
    has = x[-1] if x else "no"
    return f"the layer takes rows of {weight[-1]} numbers (weight is (out, in)), the input's rows have {has}."


matmul = row(
    "matmul",
    np.matmul,
    symbol="@",
    vjp=[matmul_left, matmul_right],
    hint=matmul_hint,
    leading=True,
    domain=[
        call((2, 3), (3, 4)), call((3,), (3,)), call((2, 3), (3,)), call((3,), (3, 4)),
        call((5, 2, 3), (3, 4)), call((5, 1, 2, 3), (4, 3, 2)), call((3,), (5, 3, 4)), call((5, 2, 3), (3,)),
    ],
)  # fmt: skip
linear = row(  # the layer y = x Wᵀ + b as one gate
    "linear",
    affine,
    vjp=[
        lambda g, out, x, weight, bias: g @ weight,
        lambda g, out, x, weight, bias: product(swap(flat(g, out)), flat(x, x)),
        lambda g, out, x, weight, bias: ones(len(flat(x, x)), g.dtype) @ flat(g, out),  # the batch's sum, by BLAS
    ],
    leading=True,
    hint=linear_hint,
    domain=[call((5, 3), (2, 3), (2,)), call((4, 5, 3), (2, 3), (2,))],
)


def weighted_sum(*wires: Any) -> Any:
    n = len(wires) // 2
    return add_up(map(operator.mul, wires[:n], wires[n : 2 * n]), wires[-1])


def neuron_slopes(out: Any, *wires: Any) -> tuple[Any, ...]:
    """To each weight its input, to each input its weight, to the bias 1."""
    n = len(wires) // 2
    return (*wires[n : 2 * n], *wires[:n], 1.0)


neuron = row(  # a whole scalar neuron, w·x + b, as one gate: neuron([*weights, *inputs, bias])
    "neuron",
    weighted_sum,
    scalar=weighted_sum,
    symbol="w·x+b",
    local=neuron_slopes,
    domain=[call((), (), (), (), ())],
)
