"""Adam: momentum and a step size per parameter, from running averages of the gradient and of its square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DtypeError
from .optimizer import Group, Optimizer, Slots

__all__ = ["Adam"]


class Adam(Optimizer):
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g²;  p <- p - lr m̂ / (sqrt(v̂) + eps), with m̂ = m / (1 - b1^t), v̂
    = v / (1 - b2^t).

    `weight_decay` adds weight_decay p to g (L2).  Source: Kingma & Ba 2015, algorithm 1.

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)  # the first step is lr times the gradient's sign
    4.9
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def check(self, group: Group) -> None:
        self.check_at_least_zero(group, "lr", "eps", "weight_decay")
        if np.shape(group["betas"]) != (2,):
            raise DtypeError(f"Adam: betas={group['betas']!r:.60}; betas is a pair, such as (0.9, 0.999).")
        self.check_below_one(group, "betas")

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        (b1, b2), scratch = group["betas"], slots.scratch()
        m, v = slots["exp_avg"], slots["exp_avg_sq"]
        if group["weight_decay"]:
            np.multiply(p, group["weight_decay"], out=scratch)
            g += scratch
        m *= b1
        np.multiply(g, 1.0 - b1, out=scratch)
        m += scratch
        v *= b2
        np.multiply(g, g, out=scratch)
        scratch *= 1.0 - b2
        v += scratch
        np.sqrt(v, out=scratch)  # p -= lr m̂ / (sqrt(v̂) + eps), the two corrections folded into the numbers
        correction = math.sqrt(1.0 - b2**t)
        scratch += group["eps"] * correction
        np.divide(m, scratch, out=scratch)
        scratch *= group["lr"] * correction / (1.0 - b1**t)
        p -= scratch
