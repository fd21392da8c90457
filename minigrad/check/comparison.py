"""Gradients beside differences: what a gradient check compares, before any of it is put in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import GradcheckError, GradientError
from ..transforms import grad, jvp
from ..tree import tree_leaves
from ..value import Value, no_grad, positive, pull, recording, sum
from .differences import Kink, Measured, Probe, Tolerance, judge

__all__ = ["Comparison", "Mistake", "Pair", "compare"]

DIRECTIONS = 4  # along which "directions" moves each argument
ULP = 2.0**-52
Terms = Callable[..., list[Any]]  # a function's parts; what is differentiated is the sum of all numbers in them


class Pair(NamedTuple):
    """What was compared for one argument: its gradient and the differences (nan at kinks), per entry or direction."""

    order: int
    argument: int
    analytic: Any
    numeric: Any
    wrong: Any  # a mask

    @property
    def error(self) -> float:
        """The largest |a - n| / max(|a|, |n|); numbers below 1e-6, where rounding rules, count as 1e-6."""
        size = np.maximum(np.maximum(np.abs(self.analytic), np.abs(self.numeric)), 1e-6)
        with np.errstate(all="ignore"):
            errors = np.abs(self.analytic - self.numeric) / size
        return float(np.max(errors[np.isfinite(errors)], initial=0.0))


@dataclass(frozen=True)
class Mistake:
    """The first disagreement.  `kind`: "wrong"; "noise", differences can't tell; "forward", jvp differs from backward;
    "refused", the pass raised `cause`.
    """

    kind: str
    order: int
    argument: int = 0
    index: tuple[int, ...] = ()
    analytic: float = np.nan
    numeric: float = np.nan
    left: float = np.nan
    right: float = np.nan
    cause: Exception | None = None


def compare(
    f: Callable[..., Any], points: list[Any], order: int, eps: float, near: Tolerance, mode: str, random: Any
) -> tuple[list[Pair], list[Kink], Mistake | None]:
    """Everything that was compared, the kinks, and the first mistake, after which the comparison ends."""
    terms = weighted(f, points, random)
    pairs: list[Pair] = []
    kinks: list[Kink] = []
    for level in range(1, order + 1):
        if level == 2:
            terms = slopes_of(terms, points, random)
        mistake = Comparison(terms, points, level, eps, near, mode, random).run(pairs, kinks)
        if mistake:
            return pairs, kinks, mistake
    return pairs, kinks, None


def weighted(f: Callable[..., Any], points: list[Any], random: Any) -> Terms:
    """The outputs of `f` times fixed random weights, so that errors don't cancel in the sum."""

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
    weights = drawn_weights(sample, random)
    return lambda *args: [part * w for part, w in zip(parts(*args), weights, strict=True)]


def slopes_of(terms: Terms, points: list[Any], random: Any) -> Terms:
    """The gradient of the sum of `terms`, weighted; raw numbers in give raw numbers out."""
    weights = drawn_weights(points, random)
    positions = tuple(range(len(points)))

    def slopes(*args: Any) -> list[Any]:
        first = grad(lambda *xs: summed(terms(*xs)), positions)(*args)
        return [g * w for g, w in zip(first, weights, strict=True)]

    return slopes


def drawn_weights(parts: list[Any], random: Any) -> list[Any]:
    """1 for a single number: messages then show its own slope."""
    shapes = [np.shape(part) if not isinstance(part, Value) else part.shape for part in parts]
    return [1.0] if shapes == [()] else [random.uniform(0.5, 1.5, shape) for shape in shapes]


def summed(parts: list[Any]) -> Any:
    total: Any = 0.0
    for part in parts:
        total = total + sum(part)
    return total


def copies(points: list[Any]) -> list[Any]:
    """The function under test may write on its arguments."""
    return [p if isinstance(p, float) else p.copy() for p in points]


@dataclass(frozen=True)
class Comparison:
    """One order of a check: the sum of `terms`, its gradient by both passes, and its differences."""

    terms: Terms
    points: list[Any]
    order: int
    eps: float
    near: Tolerance
    mode: str
    random: Any

    def run(self, pairs: list[Pair], kinks: list[Kink]) -> Mistake | None:
        try:
            analytic, rounding = self.backward()
        except GradientError as error:
            return Mistake("refused", self.order, cause=error)
        start = self.numbers(self.points)
        for k, a in enumerate(analytic):
            probes = self.entries(k, a, rounding) if self.mode == "full" else self.directions(k, a, rounding)
            mistake = None
            seen = []
            for probe in probes:
                found = self.judge(probe, start, brief=mistake is not None)
                bad, smooth = found.kind in ("wrong", "noise"), found.kind in ("right", "wrong", "noise")
                seen.append((probe.analytic, found.slope if smooth else np.nan, bad))
                if not smooth:
                    kinks.append(Kink(found.kind, self.order, k, probe.index, found.left, found.right, probe.analytic))
                elif bad and mistake is None:
                    if self.mode == "directions" and found.kind == "wrong":
                        worst = self.worst_entry(k, a, start, rounding)
                        if (there := self.judge(worst, start)).kind == "wrong":
                            probe, found = worst, there
                    mistake = Mistake(
                        found.kind, self.order, k, probe.index, probe.analytic, found.slope, found.left, found.right
                    )
            shape = np.shape(a) if self.mode == "full" else (len(seen),)
            columns = [np.array(column).reshape(shape) for column in zip(*seen, strict=True)] or [np.zeros(shape)] * 3
            pairs.append(Pair(self.order, k, *columns))
            if mistake := mistake or self.forward(k, a, rounding):
                return mistake
        return None

    def judge(self, probe: Probe, start: Any, brief: bool = False) -> Measured:
        return judge(probe, start, self.near, of_slopes=self.order == 2, brief=brief)

    # ------------------------------------------------------------------------------------------------- both passes
    def backward(self) -> tuple[list[Any], float]:
        """The gradient for each argument, and by how much rounding may falsify the sum of the terms.

        Each gate rounds its output, relatively by 2⁻⁵²; its gradient carries that to the end.
        """
        leaves = [Value(p) for p in copies(self.points)]
        found: dict[Value, Any] = {}
        token = recording.set(True)
        try:
            with np.errstate(all="ignore"):
                root = summed(self.terms(*leaves))
                if isinstance(root, Value) and root.requires_grad:
                    found = pull(root, 1.0)
                rounding = np.sum([carried(v, g) for v, g in found.items()]) * ULP
        finally:
            recording.reset(token)
        return [np.asarray(found.get(x, np.zeros(x.shape)), float) for x in leaves], float(rounding)

    def forward(self, k: int, a: Any, rounding: float) -> Mistake | None:
        """One push along a random direction has to give what the gradient says about it."""
        d = self.drawn(k)
        tangents = [d if i == k else np.zeros(np.shape(p)) for i, p in enumerate(self.points)]
        tangents = [t if np.ndim(t) else float(t) for t in tangents]
        try:
            pushed = jvp(lambda *xs: summed(self.terms(*xs)), tuple(copies(self.points)), tuple(tangents))[1]
        except (GradientError, TypeError, ValueError) as error:
            return Mistake("forward", self.order, k, cause=error)
        with np.errstate(all="ignore"):
            expected, size = float(np.sum(a * d)), float(np.sum(np.abs(a * d)))
        if np.isfinite(size) and not abs(float(pushed) - expected) <= 1e-7 * size + 1e3 * rounding + (
            self.near.atol or 0.0
        ):
            return Mistake("forward", self.order, k, (), expected, float(pushed))
        return None

    # ----------------------------------------------------------------------------------------------- the differences
    def numbers(self, points: list[Any]) -> Any:
        """The terms in one row.  In second order they are measured raw: what is recorded has to agree with that."""
        with np.errstate(all="ignore"), no_grad():
            args = copies(points)
            parts = self.terms(*(args if self.order == 2 else map(Value, args)))
        return np.concatenate([np.ravel(part.data if isinstance(part, Value) else part) for part in parts])

    def moved(self, k: int, x: Any) -> Any:
        return self.numbers([(x if np.ndim(x) else float(x)) if i == k else p for i, p in enumerate(self.points)])

    def entries(self, k: int, a: Any, rounding: float) -> Iterator[Probe]:
        """A line through each entry of argument k."""
        return (self.entry(k, index, a, rounding) for index in np.ndindex(np.shape(a)))

    def entry(self, k: int, index: tuple[int, ...], a: Any, rounding: float) -> Probe:
        point = np.asarray(self.points[k])
        centre = float(point[index])

        def line(t: float) -> tuple[float, Any]:
            x = point.copy()
            x[index] = centre + t
            return float(x[index]) - centre, self.moved(k, x)

        size = abs(centre) if np.isfinite(centre) else 1.0
        return Probe(
            index, float(a[index]), line, self.eps * max(1.0, size), self.eps * min(size or 1.0, 1.0), rounding
        )

    def directions(self, k: int, a: Any, rounding: float) -> Iterator[Probe]:
        """A few lines on which all entries of argument k move, each by about its own size."""
        return (self.direction(k, (i,), a, self.drawn(k), rounding) for i in range(DIRECTIONS))

    def drawn(self, k: int) -> Any:
        point = np.asarray(self.points[k])
        signs = self.random.choice([-1.0, 1.0], point.shape)
        return signs * self.random.uniform(0.5, 1.0, point.shape) * np.maximum(1.0, np.abs(point))

    def direction(self, k: int, index: tuple[int, ...], a: Any, d: Any, rounding: float) -> Probe:
        point = np.asarray(self.points[k])
        sizes = np.abs(point[(point != 0.0) & np.isfinite(point)])
        with np.errstate(all="ignore"):
            slope = float(np.sum(a * d))
        rounding += finite(a, point) * ULP  # the points of a line are rounded too

        def line(t: float) -> tuple[float, Any]:
            return t, self.moved(k, point + t * d)

        return Probe(index, slope, line, self.eps, self.eps * float(sizes.min(initial=1.0)), rounding)

    def worst_entry(self, k: int, a: Any, start: Any, rounding: float) -> Probe:
        """The entry at fault, found by halving: a logarithm of evaluations where the full mode needs all."""
        d = self.drawn(k).ravel()
        left = np.arange(d.size)
        while len(left) > 1:
            half = np.zeros(d.size)
            half[left[: len(left) // 2]] = d[left[: len(left) // 2]]
            probe = self.direction(k, (), a, half.reshape(np.shape(a)), rounding)
            wrong = self.judge(probe, start).kind in ("wrong", "noise")
            left = left[: len(left) // 2] if wrong else left[len(left) // 2 :]
        index = tuple([int(i) for i in np.unravel_index(left[0], np.shape(a))])
        return self.entry(k, index, a, rounding)


def finite(a: Any, b: Any) -> float:
    """The sum of |a b|, without entries that are not finite."""
    with np.errstate(all="ignore"):
        product = np.abs(np.multiply(a, b))
    return float(np.sum(product[np.isfinite(product)]))


def carried(v: Value, g: Any) -> float:
    """How much of a gate's relative error reaches the end."""
    exact = v.gate is None or v.gate is positive or g is None or not isinstance(v._raw, (float, np.ndarray))
    return 0.0 if exact else finite(v._raw, g)
