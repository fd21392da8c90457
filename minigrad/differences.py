"""Slopes measured by differences, and what they are worth.

A difference has two errors: truncation, which grows with the step, and rounding, which grows as the step shrinks.  So
one step tells when all is well; where it disagrees with a gradient, slopes on either side of the point, at many steps,
tell a mistake from a kink, an edge of the domain, a jump or mere rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kink", "Line", "Measured", "Probe", "Tolerance", "judge"]

Line = Callable[[float], tuple[float, Any]]  # a step along a line to the step really made, and the outputs there
NEGLIGIBLE = 1e-8  # rounding up to here excuses a gradient that is 0 where differences are not, or the other way round


class Kink(NamedTuple):
    """A place where the slopes on the left and on the right differ, and the gradient lies between them.

    `index` is that of the entry, or the number of the direction; a side that is not in the domain is nan, and a
    slope that grows without bound is infinite.  Equal slopes: the function jumps there.
    """

    order: int
    argument: int
    index: tuple[int, ...]
    left: float
    right: float
    analytic: float

    def __str__(self) -> str:
        at = f"order {self.order}, argument {self.argument}{list(self.index) if self.index else ''}"
        if np.isnan(self.left) or np.isnan(self.right):
            side, slope = ("left", self.right) if np.isnan(self.left) else ("right", self.left)
            words = f"edge of the domain, nothing on the {side}, slope {slope:.6g} on the other side"
        else:
            kind = "kink" if self.left != self.right else "jump within a step" if np.isfinite(self.left) else "vertical"
            words = f"{kind}, slope {self.left:.6g} on the left, {self.right:.6g} on the right"
        return f"{at}: {words}, gradient {self.analytic:.6g}"


class Measured(NamedTuple):
    """What differences say about a gradient: `kind` is "right", "kink", "wrong" or "noise" (they can't tell)."""

    kind: str
    slope: float
    left: float = np.nan
    right: float = np.nan


class Probe(NamedTuple):
    """A gradient and the line along which to measure it."""

    index: tuple[int, ...]  # of the entry that moves, or the number of a direction
    analytic: float
    line: Line
    h: float  # the usual step
    least: float  # the step where numbers below 1 move, or where the function is not as smooth as h supposes
    rounding: float  # the error of the sum of the outputs


class Tolerance(NamedTuple):
    """|a - n| <= atol + rtol max(|a|, |n|); without atol, what rounding explains and is small takes its place."""

    rtol: float
    atol: float | None

    def __call__(self, a: float, n: float, rounding: float) -> float:
        size = max(abs(a), abs(n))
        if not np.isfinite(size):
            return 0.0
        spare = min(rounding, max(1e-3 * size, NEGLIGIBLE)) if self.atol is None else self.atol
        return spare + self.rtol * size


class Side(NamedTuple):
    slope: float
    error: float


def judge(probe: Probe, start: Any, near: Tolerance) -> Measured:
    """Compare the gradient of a probe with the slope of the sum of its line, which is at `start` for a step of 0."""
    _, a, line, h, _, rounding = probe
    (t, ahead), (s, behind) = line(h), line(-h)
    right, left = total(ahead - start) / t, total(behind - start) / s
    centre = total(ahead - behind) / (t - s)
    slack = 8.0 * rounding / h
    bent = abs(right - left) > 0.01 * max(abs(right), abs(left)) + slack
    if abs(a - centre) <= near(a, centre, slack) and not bent:
        return Measured("right", centre)
    return weigh(a, one_side(probe, -1.0), one_side(probe, 1.0), near, centre)


def weigh(a: float, left: Side, right: Side, near: Tolerance, centre: float) -> Measured:
    sides = [side for side in (left, right) if not np.isnan(side.slope)]
    if not sides:
        return Measured("noise" if np.isfinite(a) else "wrong", np.nan)
    low, high = min(side.slope for side in sides), max(side.slope for side in sides)
    size = max([abs(x) for x in (a, low, high) if np.isfinite(x)], default=0.0)
    error = 5.0 * max(side.error for side in sides)
    if len(sides) == 2 and high - low <= max(5.0 * (left.error + right.error), near.rtol * size):  # smooth
        slope = min(sides, key=lambda side: side.error).slope
        if abs(a - slope) <= near(a, slope, error):
            jumps = abs(centre) > 1e3 * max(size, near(a, slope, error))
            return Measured("kink", slope, slope, slope) if jumps else Measured("right", slope)
        unsure = abs(a - slope) <= near.rtol * size + error
        return Measured("noise" if unsure else "wrong", slope)
    middle = sides[0].slope if len(sides) == 1 else 0.5 * (low + high) if np.isfinite(low + high) else high
    slack = near(a, size, error)
    if any([side.error > 0.05 * size for side in sides]):
        kind = "noise"
    else:
        kind = "kink" if low - slack <= a <= high + slack else "wrong"
    return Measured(kind, middle, left.slope, right.slope)


def one_side(probe: Probe, sign: float) -> Side:
    """The slope on one side of 0, from the steps that give it best; infinite if it grows and grows, nan if undefined.

    The point itself is left out: at a jump it belongs to neither side.
    """
    best, lowest, seen = Side(np.nan, np.inf), np.inf, []
    floor = 0.5 * probe.rounding / probe.h  # what rounding leaves of a slope at the largest step
    for step in steps(probe.h, probe.least):
        points = [probe.line(sign * step / 2**k) for k in range(4)]
        if len({t for t, _ in points}) < 4:
            continue  # below the spacing of floats
        slopes = [total(x - y) / (t - s) for (t, x), (s, y) in pairwise(points)]
        if not np.all(np.isfinite(slopes)):
            continue
        # Slopes of chords, each half as far away as the one before: extrapolated to 0, twice (Richardson).
        linear = [2.0 * slopes[1] - slopes[0], 2.0 * slopes[2] - slopes[1]]
        side = Side((4.0 * linear[1] - linear[0]) / 3.0, abs(linear[1] - linear[0]) + 50.0 * probe.rounding / step)
        seen.append((step, slopes[2]))
        score = side.error / (abs(side.slope) + floor) if side.error else 0.0
        if score < lowest:
            best, lowest = side, score
        if lowest <= 1e-7:
            return best
    if len(seen) > 2 and lowest > 0.05:
        climb = [slope for _, slope in sorted(seen, reverse=True)]
        grows = all([abs(y) > 1.1 * abs(x) and x * y > 0.0 for x, y in pairwise(climb)])
        if grows and abs(climb[-1]) > 30.0 * abs(climb[0]):
            return Side(float(np.copysign(np.inf, climb[-1])), 0.0)
    return best


def steps(h: float, least: float) -> Iterator[float]:
    """Around the usual step, first smaller ones; then around the least."""
    yield from [h * 10.0**-k for k in range(6)]
    yield from [h * 10.0**k for k in (1, 2)]
    if least < 0.1 * h:
        yield from [least * 10.0**-k for k in range(-2, 3)]


def total(difference: Any) -> float:
    with np.errstate(all="ignore"):
        return float(np.sum(difference))
