"""Adam and its relatives: momentum, and a step size per parameter from a running average of the squared gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..value import Value
from .optimizer import Group, Optimizer, Slots, average, average_of_squares

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


class Adam(Optimizer):
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g²;  p <- p - lr m̂ / (sqrt(v̂) + eps), with m̂ = m / (1 - b1^t), v̂
    = v / (1 - b2^t).

    m and v start at 0 and would be too small at first; dividing by 1 - b^t corrects that.  A step doesn't change when
    the loss is multiplied by a constant.  `amsgrad` divides by the largest v so far (Reddi et al. 2018).
    `weight_decay` adds weight_decay p to g (L2), or shrinks p directly with `decoupled_weight_decay`, as AdamW does.
    Source: Kingma & Ba 2015, algorithm 1.

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)  # the first step is lr times the gradient's sign
    4.9
    """

    at_least_zero = ("lr", "eps", "weight_decay")
    below_one = pairs = ("betas",)
    remembers = {"exp_avg": "", "exp_avg_sq": "", "max_exp_avg_sq": "amsgrad"}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize)
        super().__init__(params, defaults | dict(decoupled_weight_decay=decoupled_weight_decay))

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        (b1, b2), scratch = group["betas"], slots.scratch()
        m, v = slots["exp_avg"], slots["exp_avg_sq"]
        average(m, b1, g, slots)
        average_of_squares(v, b2, g, slots)
        if group["amsgrad"]:
            v = np.maximum(slots["max_exp_avg_sq"], v, out=slots["max_exp_avg_sq"])
        np.sqrt(v, out=scratch)  # p -= lr m̂ / (sqrt(v̂) + eps), the two corrections folded into the numbers
        correction = math.sqrt(1.0 - b2**t)
        scratch += group["eps"] * correction
        np.divide(m, scratch, out=scratch)
        scratch *= group["lr"] * correction / (1.0 - b1**t)
        p -= scratch


class AdamW(Adam):
    """Adam with decoupled weight decay: p <- p - lr weight_decay p first, and g is left alone.

    L2 in Adam is divided by sqrt(v̂) like every gradient, so that busy parameters decay less; here all decay alike.
    Source: Loshchilov & Hutter 2019.

    >>> from minigrad import Value
    >>> w = Value(1.0)
    >>> w.grad = 0.0
    >>> AdamW([w], lr=0.1, weight_decay=0.1).step()
    >>> w.data
    0.99
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class NAdam(Optimizer):
    """Adam with Nesterov's look ahead: p <- p - lr ((1 - μ_t) g / (1 - Πμ) + μ_{t+1} m / (1 - μ_{t+1} Πμ)) / (sqrt(v̂)
    + eps), where μ_t = b1 (1 - 0.96^(t momentum_decay) / 2) and Πμ = μ_1 ⋯ μ_t.

    Source: Dozat 2016, as PyTorch has it.  (PyTorch keeps Πμ in float32 unless its default dtype is float64; here it
    has the parameter's dtype.)

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = NAdam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> w.data < 4.9
    True
    """

    at_least_zero = ("lr", "eps", "weight_decay", "momentum_decay")
    below_one = pairs = ("betas",)
    remembers = {"exp_avg": "", "exp_avg_sq": "", "mu_product": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(params, defaults | dict(decoupled_weight_decay=decoupled_weight_decay, maximize=maximize))

    def from_pytorch(self, memory: dict[str, Any], p: Value) -> dict[str, Any]:
        """PyTorch has one number for the Πμ of a parameter, we one for each entry."""
        if "mu_product" in memory and np.ndim(memory["mu_product"]) == 0:
            memory = {**memory, "mu_product": np.full(p.shape, memory["mu_product"])}
        return super().from_pytorch(memory, p)

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        (b1, b2), decay = group["betas"], group["momentum_decay"]
        m, v, product = slots["exp_avg"], slots["exp_avg_sq"], slots["mu_product"]
        now, coming = (b1 * (1.0 - 0.5 * 0.96 ** (step * decay)) for step in (t, t + 1))
        if t == 1:
            product.fill(1.0)
        product *= now
        average(m, b1, g, slots)
        average_of_squares(v, b2, g, slots)
        ahead = (1.0 - now) / (1.0 - product) * g + coming / (1.0 - product * coming) * m
        p -= group["lr"] * ahead / (np.sqrt(v / (1.0 - b2**t)) + group["eps"])


class RAdam(Optimizer):
    """Adam that takes plain momentum steps, p <- p - lr m̂, until v̂ has seen enough gradients to be trusted.

    "Enough" is ρ_t > 5 with ρ_t = ρ - 2 t b2^t / (1 - b2^t) and ρ = 2 / (1 - b2) - 1; from there on p <- p - lr r m̂
    sqrt(1 - b2^t) / (sqrt(v) + eps), where r² = (ρ_t - 4)(ρ_t - 2) ρ / ((ρ - 4)(ρ - 2) ρ_t) grows to 1.
    Source: Liu et al. 2020, algorithm 2.

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)  # lr times the gradient, 10
    4.0
    """

    at_least_zero = ("lr", "eps", "weight_decay")
    below_one = pairs = ("betas",)
    remembers = {"exp_avg": "", "exp_avg_sq": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)
        super().__init__(params, defaults | dict(decoupled_weight_decay=decoupled_weight_decay))

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        b1, b2 = group["betas"]
        m, v = slots["exp_avg"], slots["exp_avg_sq"]
        average(m, b1, g, slots)
        average_of_squares(v, b2, g, slots)
        correction = 1.0 - b2**t
        rho = 2.0 / (1.0 - b2) - 1.0
        rho_t = rho - 2.0 * t * b2**t / correction
        step = group["lr"] / (1.0 - b1**t) * m
        if rho_t > 5.0:
            r = math.sqrt((rho_t - 4.0) * (rho_t - 2.0) * rho / ((rho - 4.0) * (rho - 2.0) * rho_t))
            step *= r * math.sqrt(correction) / (np.sqrt(v) + group["eps"])
        p -= step


class Adamax(Optimizer):
    """Adam with the largest gradient in the place of their mean square: m <- b1 m + (1 - b1) g;  u <- max(b2 u, |g| +
    eps);  p <- p - lr m / ((1 - b1^t) u).

    Source: Kingma & Ba 2015, algorithm 2.

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = Adamax([w], lr=0.1)
    >>> (w * w).backward()
    >>> optimizer.step()
    >>> round(w.data, 6)
    4.9
    """

    at_least_zero = ("lr", "eps", "weight_decay")
    below_one = pairs = ("betas",)
    remembers = {"exp_avg": "", "exp_inf": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        b1, b2 = group["betas"]
        m, u = slots["exp_avg"], slots["exp_inf"]
        average(m, b1, g, slots)
        np.maximum(b2 * u, np.abs(g) + group["eps"], out=u)
        p -= group["lr"] / (1.0 - b1**t) * m / u
