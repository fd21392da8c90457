"""Stochastic gradient descent: the simplest optimiser, and the file to read first.

An optimiser is its settings and one update rule.  The rule sees all parameters of a group as one flat array `p`, and
their gradients as `g`; here is all of plain gradient descent:

>>> from minigrad import Value
>>> class Descent(Optimizer):
...     def __init__(self, params, lr):
...         super().__init__(params, {"lr": lr})
...
...     def update(self, p, g, slots, t, group):
...         p -= group["lr"] * g  # in place: p -= ..., not p = p - ..., which changes nothing
>>> w = Value([1.0, 2.0])
>>> (w * w).sum().backward()
>>> Descent([w], lr=0.1).step()
>>> w.data
array([0.8, 1.6])

A rule that remembers keeps it in `slots["a name"]`, an array beside `p`, zeros at first; `t` counts the steps from 1.

**Momentum in four notations.**  The readings write it in four ways.  They take the same steps if the settings are
mapped like this (u is the gradient, everything starts at rest):

| written as                        | found in                        | here, for the same steps                       |
| --------------------------------- | ------------------------------- | ---------------------------------------------- |
| v <- α v - ε u;  w <- w + v       | Goodfellow et al. ch. 8, CS231n | SGD(lr=ε, momentum=α)                          |
| v <- μ v + u;  w <- w - lr v      | PyTorch, Distill, lecture notes | SGD(lr=lr, momentum=μ)                         |
| a <- (1-β) a + β u;  w <- w - η a | lecture on adaptive methods     | EMAMomentum(lr=η, beta=β), or SGD(ηβ, 1-β)     |
| V <- b V + (1-b) u;  w <- w - η V | averages, as in Adam            | EMAMomentum(lr=η, beta=1-b), or SGD(η(1-b), b) |

The first has the learning rate inside v, so it differs from the others once the rate changes during the run: v still
carries steps of the old rate.  Terminal speed under a constant gradient is ε / (1 - α), ten steps at 0.9, in the first
two; the averages in the last two don't speed up, they smooth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arguments import number
from ..value import Value
from .optimizer import Group, Optimizer, Slots, average

__all__ = ["SGD", "EMAMomentum"]


class SGD(Optimizer):
    """Gradient descent with momentum: v <- momentum v + (1 - dampening) g;  p <- p - lr v  (lr g without momentum).

    `nesterov=True` steps along g + momentum v: the gradient is then that at the point where momentum leads, and `p` is
    this point.  `weight_decay` adds weight_decay p to g (an L2 penalty of half that); `maximize` climbs.  The first
    step starts v at g.  Source: PyTorch's form of Sutskever et al. 2013; Goodfellow et al., ch. 8.3.

    >>> from minigrad import Value
    >>> w = Value([1.0, 2.0])
    >>> optimizer = SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([0.8, 1.6])
    """

    at_least_zero = ("lr", "weight_decay")
    below_one = ("momentum",)
    remembers = {"momentum_buffer": "momentum"}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov)
        super().__init__(params, defaults | dict(maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        number("SGD: dampening", group["dampening"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov=True needs momentum > 0 and dampening = 0.")

    def from_pytorch(self, memory: dict[str, Any], p: Value) -> dict[str, Any]:
        """PyTorch counts no steps of SGD: with a velocity there was one."""
        return super().from_pytorch({"step": 1, **memory} if set(memory) == {"momentum_buffer"} else memory, p)

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        momentum, scratch = group["momentum"], slots.scratch()
        if momentum:
            v = slots["momentum_buffer"]
            if t == 1:
                v[...] = g
            else:
                v *= momentum
                v += np.multiply(g, 1.0 - group["dampening"], out=scratch) if group["dampening"] else g
            g = np.add(np.multiply(v, momentum, out=scratch), g, out=scratch) if group["nesterov"] else v
        p -= np.multiply(g, group["lr"], out=scratch)


class EMAMomentum(Optimizer):
    """Descent along a running average of the gradient: a <- (1 - beta) a + beta g;  p <- p - lr a, from a = 0.

    A low-pass filter: gradients that flip sign average out, lasting ones pass.  `nesterov=True` takes the gradient at
    the point where momentum leads, p - lr (1 - beta) a, and keeps that point as `p`, as `SGD` does.
    The same steps as SGD(lr=lr*beta, momentum=1-beta).  Source: the lecture's form; row three of the table above.

    >>> from minigrad import Value
    >>> w = Value(1.0)
    >>> optimizer = EMAMomentum([w], lr=1.0, beta=0.1)
    >>> w.grad = 1.0
    >>> optimizer.step()
    >>> w.data  # a tenth of the gradient's step: the average has just begun
    0.9
    """

    at_least_zero = ("lr", "weight_decay")
    remembers = {"average": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta: float = 0.1,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, dict(lr=lr, beta=beta, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize)
        )

    def check(self, group: Group) -> None:
        super().check(group)
        if not 0.0 < number("EMAMomentum: beta", group["beta"]) <= 1.0:
            raise ValueError(f"EMAMomentum: beta={group['beta']}; it is above 0 and at most 1, the weight of the new.")

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        a, beta = slots["average"], group["beta"]
        average(a, 1.0 - beta, g, slots)
        if group["nesterov"]:
            a = beta * g + (1.0 - beta) * a
        p -= np.multiply(a, group["lr"], out=slots.scratch())
