"""L-BFGS: Newton's direction from the last few gradients, and a line search along it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..arguments import number, whole
from ..convert import to_constant
from ..errors import CompileError, DtypeError, ShapeError
from ..value import is_recorder, recording
from .optimizer import Group, Optimizer, plain

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """p <- p + t d, where d = -H g and H, an estimate of the inverse Hessian, is made of the last `history_size` pairs
    s = change of p, y = change of g; t is lr, or what a line search for the strong Wolfe conditions finds.

    For smooth losses of the whole data, where it needs far fewer evaluations than descent.  A step is up to `max_iter`
    iterations with `max_eval` evaluations (default 1.25 max_iter); it ends early when no gradient is above
    `tolerance_grad`, or loss or parameters change by less than `tolerance_change`.  `step(closure)` needs the closure.
    All parameters form one group of one dtype; one without a gradient counts as one of gradient 0.
    `line_search_fn` is None or "strong_wolfe".  Source: Nocedal & Wright, algorithms 7.4, 7.5, 3.5 and 3.6, with
    PyTorch's stopping rules.

    >>> from minigrad import Value
    >>> w = Value([-1.2, 1.0])
    >>> optimizer = LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1.0 - w[0]) ** 2 + 100.0 * (w[1] - w[0] ** 2) ** 2  # Rosenbrock's valley
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).data  # the loss at the start
    24.199999999999996
    >>> w.data.round(3)
    array([1., 1.])
    """

    at_least_zero = ("lr", "tolerance_grad", "tolerance_change")

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        max_eval = whole("LBFGS: max_iter", max_iter, least=1) * 5 // 4 if max_eval is None else max_eval
        defaults = dict(lr=lr, max_iter=max_iter, max_eval=max_eval, tolerance_grad=tolerance_grad)
        more = dict(tolerance_change=tolerance_change, history_size=history_size, line_search_fn=line_search_fn)
        self.seen = Seen()
        super().__init__(params, defaults | more)

    def add_param_group(self, group: Group, seen: set[int] | None = None) -> None:
        if self.param_groups:
            raise ValueError("LBFGS: all parameters form one group; it has no settings per group.")
        super().add_param_group(group, seen)
        if len(self.flats[0]) > 1:
            raise DtypeError("LBFGS: all parameters need the same dtype, float64 or float32.")

    def check(self, group: Group) -> None:
        super().check(group)
        for name in ("max_iter", "max_eval", "history_size"):
            whole(f"LBFGS: {name}", group[name], least=1)
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"LBFGS: line_search_fn={group['line_search_fn']!r:.60}; it is None or 'strong_wolfe'.")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to `max_iter` iterations; returns the loss at the start.

        `closure` clears the gradients, computes the loss, calls backward and returns the loss.  If it raises, the
        parameters and what is remembered are as before the step.
        """
        if closure is None:
            raise DtypeError("LBFGS: step(closure) needs the closure that recomputes the loss and its gradients.")
        if is_recorder(recording.get()):
            raise CompileError(
                "LBFGS: how often a step calls its closure depends on the numbers: compile the closure, not the step: "
                "optimizer.step(mg.compile(closure))."
            )
        self.check_groups()
        group, flat = self.param_groups[0], self.flats[0][0]
        flat.adopt()
        start, seen = flat.data.copy(), replace(self.seen)
        try:
            loss = self.minimize(closure, group, seen)
        except BaseException:
            self.move_to(start)
            raise
        self.seen = seen
        self.steps_taken += 1
        return loss

    def minimize(self, closure: Callable[[], Any], group: Group, seen: Seen) -> Any:
        """The iterations of a step, remembered in `seen`; returns the loss at the start."""
        small = group["tolerance_change"]
        first = closure()
        f, g = loss_of(first), self.gradient()
        evaluations, iterations = 1, 0
        while iterations < group["max_iter"] and np.abs(g).max(initial=0.0) > group["tolerance_grad"]:
            iterations += 1
            d, t = self.next_direction(g, group, seen)
            seen.d, seen.t, seen.prev_flat_grad, seen.prev_loss = d, t, g, f
            slope = g.dot(d)
            if slope > -small:
                break
            x = self.flats[0][0].data.copy()

            def at(t: Any, x: np.ndarray = x, d: np.ndarray = d) -> Point:
                self.move_to(x + t * d)
                f, g = loss_of(closure()), self.gradient()
                return Point(np.float64(t), np.float64(f), g, g.dot(d))

            if group["line_search_fn"]:
                start, limit = Point(np.float64(0.0), np.float64(f), g, slope), group["max_eval"] - evaluations
                point, used = strong_wolfe(at, start, t, limit, np.abs(d).max(), small)
                t, f, g = point.t, float(point.f), point.g
                self.move_to(x + t * d)  # the last point tried need not be the best
            elif iterations < group["max_iter"]:
                (_, f, g, _), used = at(t), 1
            else:
                self.move_to(x + t * d)  # the loss there is the first that the next step asks for
                used = 0
            seen.t = float(t)
            evaluations += used
            if evaluations >= group["max_eval"] or np.abs(d * t).max() <= small or abs(f - seen.prev_loss) < small:
                break
        seen.n_iter += iterations
        seen.func_evals += evaluations
        return first

    def next_direction(self, g: np.ndarray, group: Group, seen: Seen) -> tuple[np.ndarray, Any]:
        """Take in what the last step showed of the curvature; the new direction, and the step length to try first."""
        if seen.d is None:
            return -g, min(1.0, 1.0 / np.abs(g).sum()) * group["lr"]
        y, s = g - seen.prev_flat_grad, seen.d * seen.t
        if (ys := y.dot(s)) > 1e-10:
            seen.old_dirs = [*seen.old_dirs, y][-group["history_size"] :]
            seen.old_stps = [*seen.old_stps, s][-group["history_size"] :]
            seen.H_diag = float(ys / y.dot(y))
        return newton_direction(g, seen.old_dirs, seen.old_stps, seen.H_diag), group["lr"]

    def move_to(self, x: np.ndarray) -> None:
        flat = self.flats[0][0]
        flat.data[...] = x
        flat.release(everyone=True)

    def gradient(self) -> np.ndarray:
        """The gradient that the closure has left, zeros where it left none."""
        flat = self.flats[0][0]
        flat.adopt()
        flat.gather()
        for p, where in zip(flat.params, flat.slices, strict=True):
            if p.grad is None:
                flat.grad[where] = 0.0
        return flat.grad.copy()

    def memory(self, numbers: dict[int, int]) -> dict[int, Any]:
        """As in PyTorch, what is remembered of all parameters stands under the first."""
        return {0: copy.deepcopy(vars(self.seen))} if self.seen.func_evals else {}

    def set_memory(self, state: dict[int, Any], groups: list[Group]) -> None:
        """Take over what `memory` gave; all of it is looked at before anything is written."""
        flat = self.flats[0][0]
        # PyTorch's memory has two lists more, which it computes anew.
        loaded = {name: plain(x) for name, x in dict(state.get(0, {})).items() if name not in ("ro", "al")}
        names = set(vars(Seen()))
        if not set(state) <= {0} or set(loaded) not in (set(), names):
            raise ValueError(f"LBFGS: the memory is {{0: ...}} with {sorted(names)}, or empty.")

        def vector(name: str, x: Any) -> np.ndarray:
            if np.shape(x) != flat.data.shape:
                raise ShapeError(f"LBFGS: {name} has shape {np.shape(x)}, not {flat.data.shape}.")
            return np.array(to_constant(x, flat.data.dtype))

        for name, x in loaded.items():
            if name in ("func_evals", "n_iter"):
                loaded[name] = whole(f"LBFGS: {name}", x, least=0)
            elif name in ("old_dirs", "old_stps"):
                loaded[name] = [vector(name, one) for one in x]
            elif x is not None and name in ("d", "prev_flat_grad"):
                loaded[name] = vector(name, x)
            elif x is not None:
                loaded[name] = float(number(f"LBFGS: {name}", x))
        if loaded and len(loaded["old_dirs"]) != len(loaded["old_stps"]):
            raise ValueError("LBFGS: old_dirs and old_stps are pairs; there are more of one.")
        self.seen = Seen(**loaded)


@dataclass
class Seen:
    """What is remembered from one iteration to the next, under PyTorch's names."""

    func_evals: int = 0
    n_iter: int = 0
    d: Any = None  # the last direction, and the step length along it
    t: Any = None
    old_dirs: list[np.ndarray] = field(default_factory=list)  # the changes of the gradient, y
    old_stps: list[np.ndarray] = field(default_factory=list)  # the changes of the parameters, s
    H_diag: float = 1.0
    prev_flat_grad: Any = None
    prev_loss: Any = None


def loss_of(returned: Any) -> float:
    if returned is None:
        raise DtypeError("LBFGS: the closure returned None; it ends with `return loss`.")
    return float(returned)


class Point(NamedTuple):
    """A point on the line: step length, loss, gradient, slope along the line."""

    t: Any
    f: Any
    g: np.ndarray
    slope: Any


def newton_direction(g: np.ndarray, ys: list[np.ndarray], ss: list[np.ndarray], scale: float) -> np.ndarray:
    """-H g in two loops over the pairs, from H = scale I (Nocedal & Wright, algorithm 7.4)."""
    d, weights = -g, []
    for y, s in zip(ys[::-1], ss[::-1], strict=True):
        weights.append(s.dot(d) / y.dot(s))
        d -= weights[-1] * y
    d *= scale
    for y, s, weight in zip(ys, ss, weights[::-1], strict=True):
        d += (weight - y.dot(d) / y.dot(s)) * s
    return d


def strong_wolfe(
    at: Callable[[Any], Point], start: Point, t: Any, limit: int, length: Any, small: float
) -> tuple[Point, int]:
    """A point where the loss has fallen enough for the way, and the slope is at most 0.9 of that at the start.

    First walk on until such a point lies in between, then narrow this bracket, by minima of cubics through its ends
    (Nocedal & Wright, algorithms 3.5 and 3.6).  Also returns how many evaluations it took; at most `limit` + 1.
    """

    def too_high(point: Point) -> bool:
        return bool(point.f > start.f + 1e-4 * point.t * start.slope)

    def flat_enough(point: Point) -> bool:
        return bool(abs(point.slope) <= -0.9 * start.slope)

    last, new, tries = start, at(t), 0
    while tries < limit and not (too_high(new) or (tries > 1 and new.f >= last.f)):
        if flat_enough(new):
            return new, tries + 1
        if new.slope >= 0:
            break
        farther = cubic_minimum(last, new, new.t + 0.01 * (new.t - last.t), new.t * 10)
        last, new, tries = new, at(farther), tries + 1
    bracket = [last, new] if tries < limit else [start, new]
    low = 0 if bracket[0].f <= bracket[1].f else 1
    stuck = False
    while tries < limit:
        left, right = sorted([point.t for point in bracket])
        if (right - left) * length < small:
            break
        t = cubic_minimum(bracket[0], bracket[1], left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) >= margin:
            stuck = False
        elif stuck or t >= right or t <= left:  # too near to an end, twice: a tenth of the way in
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            stuck = False
        else:
            stuck = True
        new, tries = at(t), tries + 1
        if too_high(new) or new.f >= bracket[low].f:
            bracket[1 - low] = new
            low = 0 if bracket[0].f <= bracket[1].f else 1
            continue
        done = flat_enough(new)
        if not done and new.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = new
        if done:
            break
    return bracket[low], tries + 1


def cubic_minimum(a: Point, b: Point, least: Any, most: Any) -> Any:
    """Where the cubic through two points and their slopes is smallest, within bounds; the middle if it has none."""
    with np.errstate(all="ignore"):
        d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
        square = d1 * d1 - a.slope * b.slope
        if not square >= 0:
            return (least + most) / 2.0
        left, right = (a, b) if a.t <= b.t else (b, a)
        d2 = np.sqrt(square)
        where = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
        return min(max(where, least), most)
