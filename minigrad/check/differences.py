"""Slopes measured by differences, and what they are worth.

A difference has two errors: truncation, which grows with the step, and rounding, which grows as the step shrinks.  So
one step tells when all is well; where it disagrees with a gradient, slopes on either side of the point, at many steps,
tell a mistake from a kink, an edge of the domain, a jump or mere rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kink", "Line", "Measured", "Probe", "Tolerance", "judge"]

Line = Callable[[float], tuple[float, Any]]  # a step along a line to the step really made, and the outputs there
NEGLIGIBLE = 1e-8  # rounding up to here excuses a gradient that is 0 where differences are not, or the other way round


@dataclass(frozen=True)
class Kink:
    """A place without a slope in the ordinary sense, where the gradient is still as good as it can be.

    `kind`: "kink", the slopes on the left and on the right differ, and the gradient lies between them; "edge", one
    side is outside the domain (its slope is nan); "vertical", the slopes are infinite; "jump", the function jumps.
    `index` is that of the entry, or the number of the direction.
    """

    kind: str
    order: int
    argument: int
    index: tuple[int, ...]
    left: float
    right: float
    analytic: float

    def __str__(self) -> str:
        at = f"order {self.order}, argument {self.argument}{list(self.index) if self.index else ''}: {self.kind}"
        if self.kind == "edge":
            side, slope = ("left", self.right) if np.isnan(self.left) else ("right", self.left)
            return f"{at} of the domain, nothing on the {side}, slope {slope:.6g}, gradient {self.analytic:.6g}"
        return f"{at}, slope {self.left:.6g} on the left, {self.right:.6g} on the right, gradient {self.analytic:.6g}"


class Measured(NamedTuple):
    """What differences say about a gradient: `kind` is "right", "wrong", "noise" (they can't tell) or a kink's."""

    kind: str
    slope: float
    left: float = np.nan
    right: float = np.nan


@dataclass(frozen=True)
class Probe:
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


def judge(probe: Probe, start: Any, near: Tolerance, *, of_slopes: bool = False, brief: bool = False) -> Measured:
    """Compare the gradient of a probe with the slope of the sum of its line, which is at `start` for a step of 0.

    With `of_slopes` the line is itself a first derivative: where that jumps, no gradient of it can be wrong.  A `brief`
    judgement takes the centred difference for the truth, as is enough once a mistake is known.
    """
    a, slack = probe.analytic, 8.0 * probe.rounding / probe.h
    left, right, centre = chords(probe, start, probe.h)
    bent = abs(right - left) > 0.01 * max(abs(right), abs(left)) + slack
    if abs(a - centre) <= near(a, centre, slack) and not bent:
        return Measured("right", centre)
    if brief:
        return Measured("right" if abs(a - centre) <= near(a, centre, slack) else "wrong", centre)
    sides = one_side(probe, -1.0), one_side(probe, 1.0)
    settled = max(side.error for side in sides) <= 0.02 * abs(right - left)
    found = weigh(a, *sides, near, centre if settled else np.nan, slack)
    if found.kind != "noise" and np.isfinite(a) and jumps(probe, start, *sides):
        return found._replace(kind="jump") if of_slopes or found.kind != "wrong" else found
    return found


def chords(probe: Probe, start: Any, h: float) -> tuple[float, float, float]:
    """The slopes of the chords from -h to 0, from 0 to h, and from -h to h."""
    (t, ahead), (s, behind) = probe.line(h), probe.line(-h)
    return total(behind, start) / s, total(ahead, start) / t, total(ahead, behind) / (t - s)


def jumps(probe: Probe, start: Any, left: Side, right: Side) -> bool:
    """Whether chords to the point depart from the slopes beside it, the more the shorter they are."""
    gaps = []
    for h in (probe.h, probe.h / 64.0, probe.h / 4096.0):
        back, forth, _ = chords(probe, start, h)
        gaps.append(np.max([abs(back - left.slope), abs(forth - right.slope)]))  # nan: at an edge there is no jump
    grows = gaps[1] > 20.0 * gaps[0] and gaps[2] > 20.0 * gaps[1]
    return bool(grows and gaps[0] * probe.h > 100.0 * probe.rounding)


def weigh(a: float, left: Side, right: Side, near: Tolerance, centre: float, slack: float) -> Measured:
    """What the slopes on both sides, and the centred one with its error, say about the gradient `a`."""
    sides = [side for side in (left, right) if not np.isnan(side.slope)]
    if not sides:
        return Measured("noise" if np.isfinite(a) else "wrong", np.nan)
    low, high = min(side.slope for side in sides), max(side.slope for side in sides)
    size = max([abs(x) for x in (a, low, high) if np.isfinite(x)], default=0.0)
    error = 5.0 * max(side.error for side in sides)
    if len(sides) == 2 and high - low <= max(5.0 * (left.error + right.error), near.rtol * size):  # smooth
        slope = min(sides, key=lambda side: side.error).slope
        if abs(a - centre) <= near(a, centre, slack):  # as at an extremum
            return Measured("right", centre, slope, slope)
        if abs(a - slope) <= near(a, slope, error):
            return Measured("right", slope, slope, slope)
        return Measured("noise" if abs(a - slope) <= near.rtol * size + error else "wrong", slope)
    reach = near(a, size, error)
    slope = low if len(sides) == 1 else 0.5 * (low + high) if np.isfinite(low + high) else high
    if any([side.error > 0.05 * size for side in sides]):
        kind = "noise"
    elif low - reach <= a <= high + reach:
        kind = "edge" if len(sides) == 1 else "kink" if low != high else "vertical"
    else:
        kind = "wrong"
    return Measured(kind, slope, left.slope, right.slope)


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
        slopes = [total(x, y) / (t - s) for (t, x), (s, y) in pairwise(points)]
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
    if lowest > 1e-3 and len(seen) > 5:  # x^0.9 and x log x grow slowly, but at every step
        climb = [slope for _, slope in sorted(seen, reverse=True)]
        if all([abs(y) > 1.05 * abs(x) and x * y > 0.0 for x, y in pairwise(climb)]):
            return Side(float(np.copysign(np.inf, climb[-1])), 0.0)
    return best


def steps(h: float, least: float) -> Iterator[float]:
    """Around the usual step, first smaller ones; then around the least."""
    yield from [h * 10.0**-k for k in range(6)]
    yield from [h * 10.0**k for k in (1, 2)]
    if least < 0.1 * h:
        yield from [least * 10.0**-k for k in range(-2, 3)]


def total(end: Any, start: Any) -> float:
    """By how much the sum moved; the terms are subtracted first, for those that stay don't round."""
    with np.errstate(all="ignore"):
        return float(np.sum(end - start))
