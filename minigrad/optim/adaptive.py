"""A step size per parameter, without Adam's momentum: from all squared gradients, from recent ones, or from signs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .optimizer import Group, Optimizer, Slots, average, average_of_squares

__all__ = ["Adadelta", "Adagrad", "RMSprop", "Rprop"]


class Adagrad(Optimizer):
    """r <- r + g²;  p <- p - lr g / (sqrt(r) + eps): the more a parameter has moved, the smaller its steps.

    Good where gradients are rare (sparse features): a parameter that moves seldom keeps large steps.  Under a constant
    gradient step t is lr / sqrt(t).  `lr_decay` divides lr by 1 + (t - 1) lr_decay; r starts at
    `initial_accumulator_value`.  Source: Duchi et al. 2011; Goodfellow et al., algorithm 8.4 (there eps is 1e-7).

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = Adagrad([w], lr=0.1)
    >>> for _ in range(4):
    ...     w.grad = 3.0
    ...     optimizer.step()
    >>> round(w.data, 6) == round(5.0 - 0.1 * (1 + 1 / 2**0.5 + 1 / 3**0.5 + 1 / 2), 6)
    True
    """

    at_least_zero = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
    remembers = {"sum": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps, maximize=maximize)
        super().__init__(params, defaults | dict(initial_accumulator_value=initial_accumulator_value))

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        r = slots["sum"]
        if t == 1:
            r.fill(group["initial_accumulator_value"])
        r += g * g
        p -= group["lr"] / (1.0 + (t - 1) * group["lr_decay"]) * g / (np.sqrt(r) + group["eps"])


class RMSprop(Optimizer):
    """r <- alpha r + (1 - alpha) g²;  p <- p - lr g / (sqrt(r) + eps): Adagrad that forgets.

    `centered` divides by the standard deviation, sqrt(r - a²), with a running average a of the gradient.  `momentum`
    runs over the divided gradient u: b <- momentum b + u;  p <- p - lr b; with `nesterov` (not in PyTorch) p moves
    along u + momentum b: the gradient is that at the point where momentum leads, and `p` is this point.
    Source: Hinton's lecture 6e; Goodfellow et al., algorithms 8.5 and 8.6 (there eps stands inside the root).

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = RMSprop([w], lr=0.1, alpha=0.99)
    >>> w.grad = 1e6
    >>> optimizer.step()
    >>> round(w.data, 6)  # lr / sqrt(1 - alpha), whatever the gradient's size
    4.0
    """

    at_least_zero = ("lr", "eps", "weight_decay")
    below_one = ("alpha", "momentum")
    remembers = {"square_avg": "", "grad_avg": "centered", "momentum_buffer": "momentum"}  # noqa: RUF012
    not_in_pytorch = ("nesterov",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        nesterov: bool = False,
        maximize: bool = False,
    ) -> None:
        defaults = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered)
        super().__init__(params, defaults | dict(nesterov=nesterov, maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        if group["nesterov"] and not group["momentum"]:
            raise ValueError("RMSprop: nesterov=True needs momentum > 0.")

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        r, alpha, momentum = slots["square_avg"], group["alpha"], group["momentum"]
        average_of_squares(r, alpha, g, slots)
        if group["centered"]:
            a = slots["grad_avg"]
            average(a, alpha, g, slots)
            u = g / (np.sqrt(np.maximum(r - a * a, 0.0)) + group["eps"])  # rounding may leave it below 0
        else:
            u = g / (np.sqrt(r) + group["eps"])
        if momentum:
            b = slots["momentum_buffer"]
            b *= momentum
            b += u
            u = u + momentum * b if group["nesterov"] else b
        p -= group["lr"] * u


class Adadelta(Optimizer):
    """r <- rho r + (1 - rho) g²;  d = sqrt(s + eps) / sqrt(r + eps) g;  s <- rho s + (1 - rho) d²;  p <- p - lr d.

    The step has the unit of the parameter: it is measured by the steps taken before.  Source: Zeiler 2012.

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> w.grad = 10.0
    >>> Adadelta([w]).step()
    >>> round(w.data, 6)  # sqrt(1e-6) / sqrt(0.1) of the gradient's sign: it starts slowly
    4.996838
    """

    at_least_zero = ("lr", "eps", "weight_decay")
    below_one = ("rho",)
    remembers = {"square_avg": "", "acc_delta": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        r, s, eps = slots["square_avg"], slots["acc_delta"], group["eps"]
        average_of_squares(r, group["rho"], g, slots)
        d = np.sqrt(s + eps) / np.sqrt(r + eps) * g
        average_of_squares(s, group["rho"], d, slots)
        p -= group["lr"] * d


class Rprop(Optimizer):
    """p <- p - sign(g) s, with steps s that grow by etas[1] while the sign of g stays, and shrink by etas[0] if not.

    s starts at lr and stays within `step_sizes`; where the sign has changed p waits for one step.  Only signs count, so
    the gradient must be of the whole data, not of a batch.  Source: Riedmiller & Braun 1993, the form without
    backtracking.

    >>> from minigrad import Value
    >>> w = Value(5.0)
    >>> optimizer = Rprop([w], lr=0.1)
    >>> for _ in range(2):
    ...     w.grad = 1e-9
    ...     optimizer.step()
    >>> round(w.data, 6)
    4.78
    """

    pairs = ("etas", "step_sizes")
    remembers = {"prev": "", "step_size": ""}  # noqa: RUF012

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, etas=etas, step_sizes=step_sizes, maximize=maximize))

    def check(self, group: Group) -> None:
        super().check(group)
        if not 0.0 < group["etas"][0] < 1.0 < group["etas"][1] < float("inf"):
            raise ValueError(f"Rprop: etas={group['etas']}; they are a factor below 1 and one above.")
        if not 0.0 <= group["step_sizes"][0] <= group["step_sizes"][1]:
            raise ValueError(f"Rprop: step_sizes={group['step_sizes']}; they are the smallest and the largest step.")

    def update(self, p: np.ndarray, g: np.ndarray, slots: Slots, t: int, group: Group) -> None:
        last, s = slots["prev"], slots["step_size"]
        if t == 1:
            s.fill(group["lr"])
        same = np.sign(g) * np.sign(last)
        s *= np.select([same > 0, same < 0], group["etas"][::-1], 1.0)
        np.clip(s, *group["step_sizes"], out=s)
        last[...] = np.where(same < 0, 0.0, g)
        p -= np.sign(last) * s
