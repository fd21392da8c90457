"""Where minigrad's answer is not PyTorch's, and why: the table of the tests against PyTorch, and a few rows more.

minigrad's side is computed when the page is built.  PyTorch's is stated, and checked by `make test-oracle`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from opdb_translation import DIFFERENCES as TESTED
from opdb_translation import FROM_INPUT, Difference

import minigrad as mg

__all__ = ["DIFFERENCES", "MORE", "POWERS", "ours", "power_rows"]

MORE = [
    Difference("expm1", "expm1", (-50.0,), (-1.0, [1.9287498479639178e-22]), (-1.0, [0.0]), FROM_INPUT),
    Difference("gelu", "nn.functional.gelu", (-30.0,), (-1.4720141781443724e-196, [-4.416031690708495e-195]),
               (0.0, [-4.420938404635643e-195]), "the tail comes from erfc, which doesn't cancel"),
    Difference("gelu", "nn.functional.gelu", (-8.0,), (-3.1077829375011135e-21, [-4.7147845041068444e-20]),
               (0.0, [0.0]), "1 + tanh u cancels; it is a sigmoid, which doesn't", {"approximate": "tanh"}),
    Difference("sinc", "sinc", (1e-4,), (0.9999999835506593, [-0.0003289868101226756]),
               (0.9999999835506593, [-0.00032898680957334166]), "near 0 the slope is a series, which loses no digits"),
]  # fmt: skip
DIFFERENCES = sorted([*TESTED, *MORE], key=lambda row: (row.order, row.gate))


def ours(row: Difference) -> tuple[Any, list[Any]]:
    """minigrad's value and slopes, computed now; in second order the slopes of the sum of the first slopes."""
    at = tuple(range(len(row.inputs)))
    inputs = [np.array(x) if isinstance(x, list) else x for x in row.inputs]

    def slopes(*xs: Any) -> Any:
        return mg.grad(lambda *ys: mg.sum(getattr(mg, row.gate)(*ys, **row.params)), argnums=at)(*xs)

    with np.errstate(all="ignore"):
        out, found = getattr(mg, row.gate)(*inputs, **row.params), slopes(*inputs)
        if row.order == 2:
            found = mg.grad(lambda *xs: mg.sum(mg.concatenate([mg.ravel(g) for g in slopes(*xs)])), argnums=at)(*inputs)
    return out, list(found)


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
