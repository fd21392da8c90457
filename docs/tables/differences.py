"""Where minigrad's answer is not PyTorch's, and why.

minigrad's side is computed when the page is built.  PyTorch's is stated here, and checked by the tests against PyTorch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minigrad as mg

__all__ = ["DIFFERENCES", "POWERS", "Difference", "ours", "power_rows"]

inf, nan = math.inf, math.nan


@dataclass(frozen=True)
class Difference:
    """A call, PyTorch's value and gradient (`theirs`; None: it has no derivative there), and the reason for ours."""

    name: str  # the gate
    at: tuple[Any, ...]  # numbers, or one list
    theirs: tuple[float, list[float] | None]
    why: str
    params: dict[str, Any] = field(default_factory=dict)


NO_SLOPE = "A length has no slope at the origin: we take the middle of those around it, 0, as for a norm."
SHARES = "Each side's share of the sum is one half also where both are infinite."
TIES = "Ties share, as in maximum and minimum, where PyTorch shares them too."
TAILS = "PyTorch takes the slope from the rounded output; we take it from the input, and keep 16 digits."
SQUARES = "Nothing is squared that could overflow or underflow."

DIFFERENCES = [
    Difference("hypot", (0.0, 0.0), (0.0, [nan, nan]), NO_SLOPE),
    Difference("logaddexp", (inf, inf), (inf, [nan, nan]), SHARES),
    Difference("logaddexp", (-inf, -inf), (-inf, [nan, nan]), SHARES),
    Difference("xlogy", (0.0, 0.0), (0.0, [0.0, nan]), "At x = 0 it is 0 whatever y is, so its slope by y is 0."),
    Difference("fmax", (1.0, 1.0), (1.0, [1.0, 0.0]), TIES),
    Difference("fmin", (1.0, 1.0), (1.0, [1.0, 0.0]), TIES),
    Difference("max", ([3.0, 3.0],), (3.0, [1.0, 0.0]), TIES + " torch.amax does, too.", {"axis": 0}),
    Difference("median", ([1.0, 2.0, 4.0, 8.0],), (2.0, [0.0, 1.0, 0.0, 0.0]),
               "NumPy's median, the mean of the middle two; PyTorch returns the lower one."),
    Difference("std", ([1.0, 3.0],), (math.sqrt(2.0), [-math.sqrt(0.5), math.sqrt(0.5)]),
               "NumPy's default, ddof=0; PyTorch divides by n − 1. Pass ddof=1 for its answer."),
    Difference("var", ([1.0, 3.0],), (2.0, [-2.0, 2.0]), "As std."),
    Difference("heaviside", (0.0, 0.5), (0.5, None), "A step has slope 0; PyTorch has no derivative for it."),
    Difference("floor_divide", (7.0, 2.0), (3.0, None), "A step has slope 0; PyTorch has no derivative for it."),
    Difference("hardsigmoid", (1.0,), (2.0 / 3.0, [float(np.float32(1.0 / 6.0))]),
               "PyTorch's slope is 1/6 in single precision, also for float64."),
    Difference("hardsigmoid", (nan,), (nan, [0.0]), "A nan passes the gradient, as in relu6 and hardtanh."),
    Difference("celu", (-1.0,), (0.1 * math.expm1(-10.0), [4.539993585109023e-05]),
               "PyTorch keeps 1 / alpha in single precision.", {"alpha": 0.1}),
    Difference("softplus", (21.0,), (21.0, [1.0]), "PyTorch switches to a straight line at 20; we compute the curve."),
    Difference("sigmoid", (40.0,), (1.0, [0.0]), TAILS),
    Difference("tanh", (25.0,), (1.0, [0.0]), TAILS),
    Difference("expm1", (-50.0,), (-1.0, [0.0]), TAILS),
    Difference("gelu", (-30.0,), (-0.0, [-4.420938404635643e-195]), "The tail comes from erfc, which does not cancel."),
    Difference("gelu", (-8.0,), (0.0, [0.0]), "1 + tanh u cancels; it is a sigmoid, too.", {"approximate": "tanh"}),
    Difference("sinc", (1e-4,), (0.9999999835506593, [-0.00032898680957334166]),
               "Near 0 the slope is a series; the quotient loses digits (from the tenth on, here)."),
    Difference("arcsinh", (1e200,), (461.2101657793691, [0.0]), SQUARES),
    Difference("norm", ([3e200, 4e200],), (inf, [0.0, 0.0]), SQUARES),
]  # fmt: skip


def ours(row: Difference) -> tuple[float, list[float]]:
    """minigrad's value and gradient, computed now."""
    function = getattr(mg, row.name)
    inputs = [mg.Value(x) for x in row.at]
    with np.errstate(all="ignore"):
        out = function(*inputs, **row.params)
        out.backward()
    grads = [np.zeros(x.shape) if x.grad is None else x.grad for x in inputs]
    return out.item(), [float(g) for grad in grads for g in np.ravel(grad)]


POWERS = [
    (2.0, 3.0), (0.0, 2.0), (0.0, 1.0), (0.0, 0.5), (0.0, 0.0), (0.0, -1.0),
    (-2.0, 3.0), (-2.0, 2.0), (-2.0, -1.0), (-2.0, 0.0), (-2.0, 0.5),
]  # fmt: skip


def power_rows() -> list[tuple[float, float, float, float, float]]:
    """a, b, a ** b and its gradients by a and by b."""
    rows = []
    for a, b in POWERS:
        x, y = mg.Value(a), mg.Value(b)
        out = x**y
        out.backward()
        rows.append((a, b, out.item(), x.grad, y.grad))
    return rows
