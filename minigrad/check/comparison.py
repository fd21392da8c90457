"""Gradients beside differences: all the numbers that a gradient check compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..convert import tidy
from ..errors import GradcheckError, GradientError
from ..random import generator
from ..transforms import grad, jvp
from ..tree import tree_leaves
from ..value import Value, no_grad, positive, pull, recording, sum
from .differences import Line, Tolerance, judge
from .report import Finding, GradcheckReport, Pair

__all__ = ["compare"]

FULL = 1000  # up to so many entries, "auto" moves every one
DIRECTIONS = 4  # along which "directions" moves each argument
ULP = 2.0**-52


def compare(
    f: Callable[..., Any],
    points: list[Any],
    order: int,
    eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float | None = None,
    mode: str = "auto",
    rng: Any = 0,
) -> GradcheckReport:
    """Compare gradients with differences, up to the first mistake; see `gradcheck`."""
    if mode == "auto":
        mode = "full" if np.sum([np.size(p) for p in points]) <= FULL else "directions"
    report = GradcheckReport(mode)
    random = generator(rng)
    order_of = partial(Comparison, report, points=points, eps=eps, near=Tolerance(rtol, atol), random=random)
    first = order_of(1, *outputs(f, points))
    first.run()
    if order == 2 and report:  # the gradient is a function, too: it is compared in the same way
        order_of(2, grad(first.total, tuple(range(len(points)))), [np.shape(p) for p in points]).run()
    return report


def outputs(f: Callable[..., Any], points: list[Any]) -> tuple[Callable[..., Any], list[tuple[int, ...]]]:
    """The function with its `Value` outputs in a list, and their shapes."""

    def parts(*args: Any) -> list[Any]:
        return [part for part in tree_leaves(f(*args)) if isinstance(part, Value)]

    with no_grad():
        out = f(*map(Value, copies(points)))
        again = parts(*map(Value, copies(points)))
    sample = [part for part in tree_leaves(out) if isinstance(part, Value)]
    if not sample:
        raise GradientError(f"gradcheck: the function returned {out!r:.60}, not a Value; it has no gradient.")
    if not all([np.array_equal(x.data, y.data, equal_nan=True) for x, y in zip(sample, again, strict=True)]):
        raise GradcheckError(
            "gradcheck: the function returned two results for the same numbers. Is it random (dropout, noise)? Give "
            "it a generator with a fixed seed on every call, or switch the model to eval()."
        )
    return parts, [part.shape for part in sample]


def copies(points: list[Any]) -> list[Any]:
    """The function under test may write on its arguments."""
    return [p if isinstance(p, float) else p.copy() for p in points]


@dataclass
class Comparison:
    """One order of a check: a weighted sum of a function's outputs, its gradient by both passes, and its differences.

    The weights are random, so that errors of several outputs don't cancel in the sum; a single number has none.
    """

    report: GradcheckReport
    order: int
    parts: Callable[..., Any]  # the function, with its outputs in a list
    shapes: list[tuple[int, ...]]  # of the outputs
    points: list[Any]
    eps: float
    near: Tolerance
    random: Any

    def __post_init__(self) -> None:
        self.weighted, self.full = self.shapes != [()], self.report.mode == "full"
        self.weights = [self.random.uniform(0.5, 1.5, shape) for shape in self.shapes] if self.weighted else [1.0]

    def total(self, *xs: Any) -> Any:
        total: Any = 0.0
        for part, w in zip(self.parts(*xs), self.weights, strict=True):
            total = total + sum(part * w)
        return total

    def run(self) -> None:
        """Add to the report what is compared, up to the first argument with a mistake."""
        try:
            gradients, self.rounding = self.backward()
        except GradientError as error:
            self.report.mistake = Finding("refused", self.order, cause=error)
            return
        self.start = self.terms(self.points)
        for k, a in enumerate(gradients):
            if not self.report:
                return
            seen = []
            for line in self.lines(k, a):
                found = self.judge(line, brief=not self.report)
                bad, smooth = found.kind in ("wrong", "noise"), found.kind in ("right", "wrong", "noise")
                seen.append((found.analytic, found.numeric if smooth else np.nan, bad))
                if not smooth:
                    self.report.kinks.append(found)
                elif bad and self.report:
                    worst = self.judge(self.worst_entry(k, a)) if found.kind == "wrong" and not self.full else found
                    self.report.mistake = worst if worst.kind == "wrong" else found
            shape = np.shape(a) if self.full else (len(seen),)
            columns = [np.array(column).reshape(shape) for column in zip(*seen, strict=True)] or [np.zeros(shape)] * 3
            self.report.pairs.append(Pair(self.order, k, *columns))
            if self.report:
                self.report.mistake = self.forward(k, a)

    def judge(self, line: Line, brief: bool = False) -> Finding:
        """`judge` in the numbers of the one output that an entry moves, if it moves but one; else of the sum."""
        found = judge(line, self.near, brief)
        if not self.weighted:
            return found
        moving = np.flatnonzero((line.at(line.h)[1] != self.start) | (line.at(-line.h)[1] != self.start))
        if self.order == 2 or len(moving) != 1:
            return replace(found, weighted=True)
        w = np.concatenate([np.ravel(w) for w in self.weights])[moving[0]]
        return replace(found, **{name: getattr(found, name) / w for name in ("analytic", "numeric", "left", "right")})

    # ------------------------------------------------------------------------------------------------- both passes
    def backward(self) -> tuple[list[Any], float]:
        """The gradient for each argument, and by how much rounding may falsify the sum.

        Each gate rounds its output, relatively by 2⁻⁵²; its gradient carries that to the end.
        """
        leaves = [Value(p) for p in copies(self.points)]
        grads: dict[Value, Any] = {}
        token = recording.set(True)
        try:
            with np.errstate(all="ignore"):
                root = self.total(*leaves)
                if isinstance(root, Value) and root.requires_grad:
                    grads = pull(root, 1.0)
        finally:
            recording.reset(token)
        rounded = [v for v in grads if v.gate not in (None, positive) and isinstance(v._raw, (float, np.ndarray))]
        rounding = ULP * float(np.sum([finite_sum(v._raw, grads[v]) for v in rounded if grads[v] is not None]))
        return [np.asarray(grads.get(x, np.zeros(x.shape)), float) for x in leaves], rounding

    def forward(self, k: int, a: Any) -> Finding | None:
        """One push along a random direction of argument k has to give what the gradient says about it."""
        d = self.drawn(k)
        tangents = [tidy(d if i == k else np.zeros(np.shape(p))) for i, p in enumerate(self.points)]
        try:
            pushed = float(jvp(self.total, tuple(copies(self.points)), tuple(tangents))[1])
        except (GradientError, TypeError, ValueError) as error:
            return Finding("forward", self.order, k, cause=error)
        with np.errstate(all="ignore"):
            expected, size = float(np.sum(a * d)), float(np.sum(np.abs(a * d)))
        slack = 1e-7 * size + 1e3 * self.rounding + (self.near.atol or 0.0)
        if not np.isfinite(size) or abs(pushed - expected) <= slack:
            return None
        return Finding("forward", self.order, k, analytic=expected, numeric=pushed, weighted=self.weighted)

    # ------------------------------------------------------------------------------------------------- the differences
    def terms(self, points: list[Any]) -> Any:
        """The terms of the sum, in a row.  Gradients are measured on raw numbers: what they record has to agree."""
        args = copies(points)
        with np.errstate(all="ignore"), no_grad():
            parts = self.parts(*(args if self.order == 2 else map(Value, args)))
            terms = [(x.data if isinstance(x, Value) else x) * w for x, w in zip(parts, self.weights, strict=True)]
        return np.concatenate([np.ravel(term) for term in terms])

    def lines(self, k: int, a: Any) -> Iterator[Line]:
        """A line through each entry, or a few on which all entries move, each by about its own size."""
        if self.full:
            return (self.entry(k, a, index) for index in np.ndindex(np.shape(a)))
        return (self.direction(k, a, self.drawn(k), (i,)) for i in range(DIRECTIONS))

    def entry(self, k: int, a: Any, index: tuple[int, ...]) -> Line:
        unit = np.zeros(np.shape(a))
        unit[index] = 1.0
        size = abs(float(np.asarray(self.points[k])[index]))
        size = size if np.isfinite(size) else 1.0
        return self.line(k, a, unit, index, self.eps * max(1.0, size), self.eps * min(size or 1.0, 1.0))

    def drawn(self, k: int) -> Any:
        x = np.asarray(self.points[k])
        signs = self.random.choice([-1.0, 1.0], x.shape)
        return signs * self.random.uniform(0.5, 1.0, x.shape) * np.maximum(1.0, np.abs(x))

    def direction(self, k: int, a: Any, d: Any, index: tuple[int, ...] = ()) -> Line:
        sizes = np.abs(np.asarray(self.points[k]))
        least = float(sizes.min(initial=1.0, where=(sizes != 0.0) & np.isfinite(sizes)))
        return self.line(k, a, d, index, self.eps, self.eps * least)

    def line(self, k: int, a: Any, d: Any, index: tuple[int, ...], h: float, least: float) -> Line:
        """The line through the point on which argument k, of gradient a, moves in the direction d."""
        point, moving = np.asarray(self.points[k]), d != 0.0
        only = float(np.sum(d)) if np.count_nonzero(moving) == 1 else 0.0

        @lru_cache(maxsize=8)
        def at(t: float) -> tuple[float, Any]:
            if t == 0.0:
                return t, self.start
            x = point + t * d
            terms = self.terms([tidy(x) if i == k else p for i, p in enumerate(self.points)])
            return float(np.sum(x - point, where=moving)) / only if only else t, terms

        with np.errstate(all="ignore"):
            slope = float(np.sum(a * d, where=moving))
        # The step of one number can be measured; where many move, rounding them is one more error.
        rounding = self.rounding if only else self.rounding + ULP * finite_sum(a, point)
        return Line(Finding("right", self.order, k, index, slope), at, h, least, rounding)

    def worst_entry(self, k: int, a: Any) -> Line:
        """The entry at fault, found by halving: a logarithm of evaluations where the full mode needs all."""
        d = self.drawn(k)
        left = np.arange(d.size)
        while len(left) > 1:
            half, rest = left[: len(left) // 2], left[len(left) // 2 :]
            part = np.zeros(d.size)
            part[half] = d.ravel()[half]
            found = self.judge(self.direction(k, a, part.reshape(d.shape)))
            left = half if found.kind in ("wrong", "noise") else rest
        return self.entry(k, a, tuple([int(i) for i in np.unravel_index(left[0], d.shape)]))


def finite_sum(a: Any, b: Any) -> float:
    """The sum of |a b|, without entries that are not finite."""
    with np.errstate(all="ignore"):
        product = np.abs(np.multiply(a, b))
    return float(np.sum(product, where=np.isfinite(product)))
