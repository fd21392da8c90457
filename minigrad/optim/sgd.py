"""Stochastic gradient descent: the simplest optimiser, and the one to read first."""

from __future__ import annotations

from typing import Any

import numpy as np

from .optimizer import Group, Optimizer, Slots

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent with momentum: v <- momentum v + (1 - dampening) g;  p <- p - lr v  (lr g without momentum).

    `nesterov=True` steps along g + momentum v; `weight_decay` adds weight_decay p to g (an L2 penalty of half that).
    The first step starts v at g.  Source: PyTorch's form of Sutskever et al. 2013; Goodfellow et al., ch. 8.3.

    >>> from minigrad import Value
    >>> w = Value([1.0, 2.0])
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.8, 1.6])
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def check(self, group: Group) -> None:
        self.check_at_least_zero(group, "lr", "weight_decay")
        self.check_below_one(group, "momentum")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov=True needs momentum > 0 and dampening = 0.")

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        momentum, scratch = group["momentum"], slots.scratch()
        if group["weight_decay"]:
            np.multiply(p, group["weight_decay"], out=scratch)
            g += scratch
        if momentum:
            v = slots["momentum_buffer"]
            if t == 1:
                v[...] = g
            else:
                v *= momentum
                v += g if not group["dampening"] else (1.0 - group["dampening"]) * g
            if group["nesterov"]:
                np.multiply(v, momentum, out=scratch)
                g += scratch
            else:
                g = v
        np.multiply(g, group["lr"], out=scratch)
        p -= scratch
