"""Slopes measured by differences, and what they are worth.

The slope of f at x is about (f(x + h) - f(x - h)) / 2h.  Two errors spoil it.  The curve bends within the step: that
error is a multiple of h², and small steps make it small.  And f is rounded, to about 16 digits: divided by 2h, that
error grows as the step shrinks.  In float64, h = 1e-5 leaves about 1e-10 of each (CS231n, "Neural Networks Part 3").

Where such a difference agrees with a gradient, all is well.  Where it doesn't, the gradient may be wrong, or the point
special: `judge` then measures the slope on either side of the point, at many steps, and tells a mistake from a kink,
an edge of the domain, a jump or mere rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..convert import tidy, to_data
from ..errors import GradientError
from ..value import Value, no_grad
from .report import Finding

__all__ = ["Line", "Tolerance", "judge", "numerical_grad", "numerical_jacobian"]

NEGLIGIBLE = 1e-8  # rounding up to here excuses a gradient that is 0 where differences are not, or the other way round


def numerical_grad(f: Callable[..., Any], *xs: Any, eps: float = 1e-5) -> Any:
    """The gradient of `f`, which returns one number, by centred differences: (f(x + h) - f(x - h)) / 2h.

    One gradient for one argument, a tuple for several; floats for floats, arrays for arrays.  The error falls as
    eps² until rounding takes over, at about 1e-5 in float64.  Source: CS231n, "Neural Networks Part 3".

    >>> round(numerical_grad(lambda x: x**2, 3.0), 6)
    6.0
    """
    check_step(eps)
    points = [np.array(to_data(x.data if isinstance(x, Value) else x), dtype=np.float64) for x in xs]

    def number(*points: Any) -> float:
        with no_grad():
            out = f(*[Value(tidy(p.copy())) for p in points])  # copies: `f` may write on its arguments
        raw = np.asarray(out.data if isinstance(out, Value) else out)
        if raw.size != 1 or raw.dtype.kind not in "fiu":
            raise GradientError(f"numerical_grad: the function returned {out!r:.80}; it must return one number.")
        return float(raw.item())

    slopes = [tidy(numerical_jacobian(number, points, k, eps)) for k in range(len(points))]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def check_step(eps: float) -> None:
    if not 0.0 < eps < np.inf:
        raise ValueError(f"eps={eps}: the step of a difference is a number above 0.")


def numerical_jacobian(f: Callable[..., Any], points: list[Any], k: int, eps: float) -> Any:
    """d f / d points[k] by centred differences, entry by entry; its shape is that of points[k], then that of f."""
    slopes = []
    for index in np.ndindex(points[k].shape):
        ends = []
        for step in (eps, -eps):
            moved = points[k].copy()
            moved[index] += step
            ends.append(f(*points[:k], moved, *points[k + 1 :]))
        slopes.append((ends[0] - ends[1]) / (2.0 * eps))
    return np.reshape(slopes, points[k].shape + np.shape(slopes[0] if slopes else 0.0))


# -------------------------------------------------------------------------------------------------- one gradient judged
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


@dataclass(frozen=True)
class Line:
    """The line through the point along which to measure one gradient."""

    found: Finding  # where it is, and the gradient
    at: Callable[[float], tuple[float, Any]]  # a step to the step that rounding made of it, and the outputs there
    h: float  # the usual step
    least: float  # the step where numbers below 1 move, or where the function is not as smooth as h supposes
    rounding: float  # the error of the sum of the outputs

    def slope(self, s: float, t: float) -> float:
        """Of the sum of the outputs, between two steps.  Outputs that stay the same cancel before they are added up."""
        (s, start), (t, end) = self.at(s), self.at(t)
        with np.errstate(all="ignore"):
            return float(np.sum(end - start)) / (t - s)


def judge(line: Line, near: Tolerance, brief: bool = False) -> Finding:
    """Compare the gradient of a line with its slope.

    A `brief` judgement takes the centred difference for the truth, as is enough once a mistake is known.
    """
    a, h = line.found.analytic, line.h
    noise = 8.0 * line.rounding / h
    before, after, centre = line.slope(-h, 0.0), line.slope(0.0, h), line.slope(-h, h)
    bend = abs(after - before)
    agrees = abs(a - centre) <= near(a, centre, noise)
    if brief or (agrees and not bend > 0.01 * max(abs(after), abs(before)) + noise):
        return replace(line.found, kind="right" if agrees else "wrong", numeric=centre)
    left, right = one_side(line, -1.0), one_side(line, 1.0)
    curved = max(left.error, right.error) <= 0.02 * bend  # as at an extremum: the centre, between them, is better
    found = weigh(line.found, left, right, near, curved and agrees, centre)
    # Where a first derivative jumps, no gradient of it can be wrong.
    excused = found.kind != "noise" and (found.kind != "wrong" or found.order == 2)
    if excused and np.isfinite(a) and jumps(line, left, right):
        return replace(found, kind="jump", left=left.slope, right=right.slope)
    return found


class Side(NamedTuple):
    """The slope on one side of the point: infinite if it grows and grows, nan if undefined."""

    slope: float
    error: float


def weigh(found: Finding, left: Side, right: Side, near: Tolerance, agrees: bool, centre: float) -> Finding:
    """What the slopes on both sides say about the gradient; `agrees`: the centred one is good, and supports it."""
    a = found.analytic
    sides = [side for side in (left, right) if not np.isnan(side.slope)]
    if not sides:
        return replace(found, kind="noise" if np.isfinite(a) else "wrong")
    low, high = min(side.slope for side in sides), max(side.slope for side in sides)
    size = max([abs(x) for x in (a, low, high) if np.isfinite(x)], default=0.0)
    error = 5.0 * max(side.error for side in sides)
    if len(sides) == 2 and high - low <= max(5.0 * (left.error + right.error), near.rtol * size):  # one slope
        slope = min(sides, key=lambda side: side.error).slope
        if agrees or abs(a - slope) <= near(a, slope, error):
            return replace(found, kind="right", numeric=centre if agrees else slope, left=slope, right=slope)
        unsure = abs(a - slope) <= near.rtol * size + error
        return replace(found, kind="noise" if unsure else "wrong", numeric=slope)
    reach = near(a, size, error)
    if any([side.error > 0.05 * size for side in sides]):
        kind = "noise"
    elif low - reach <= a <= high + reach:
        kind = "edge" if len(sides) == 1 else "kink" if low != high else "vertical"
    else:
        kind = "wrong"
    between = 0.5 * (low + high) if np.isfinite(low + high) else high
    return replace(found, kind=kind, numeric=between, left=left.slope, right=right.slope)


def one_side(line: Line, sign: float) -> Side:
    """The slope on one side of the point, from the steps that give it best.

    Chords at distances t, t/2, t/4 have slopes that differ from that at 0 by about c t, c t/2, c t/4: twice the second
    less the first is free of c, and in the same way of the next error (Richardson's extrapolation).  Where this settles
    at no step but each shorter chord is steeper, the slope is infinite.  The point itself is left out: at a jump it
    belongs to neither side.
    """
    best, lowest, climb = Side(np.nan, np.inf), np.inf, {}
    floor = 0.5 * line.rounding / line.h  # what rounding leaves of a slope at the usual step
    steps = [line.h * 10.0**k for k in (0, -1, -2, -3, -4, -5, 1, 2)]
    steps += [line.least * 10.0**k for k in (2, 1, 0, -1, -2)] if line.least < 0.1 * line.h else []
    for step in steps:
        ends = [sign * step / 2**k for k in range(4)]
        if len({line.at(t)[0] for t in ends}) < 4:
            continue  # below the spacing of floats
        first, second, third = [line.slope(s, t) for s, t in pairwise(ends)]
        if not np.isfinite(first + second + third):
            continue
        once, again = 2.0 * second - first, 2.0 * third - second
        side = Side((4.0 * again - once) / 3.0, abs(again - once) + 50.0 * line.rounding / step)
        climb[step] = third
        score = side.error / (abs(side.slope) + floor) if side.error else 0.0
        if score < lowest:
            best, lowest = side, score
        if lowest <= 1e-7:
            return best
    if lowest > 1e-3 and len(climb) > 5:
        slopes = [climb[step] for step in sorted(climb, reverse=True)]
        if all([abs(y) > 1.05 * abs(x) and x * y > 0.0 for x, y in pairwise(slopes)]):  # x^0.9 grows slowly
            return Side(float(np.copysign(np.inf, slopes[-1])), 0.0)
    return best


def jumps(line: Line, left: Side, right: Side) -> bool:
    """Whether chords to the point depart from the slopes beside it, the more the shorter they are."""
    gaps = []
    for h in (line.h, line.h / 64.0, line.h / 4096.0):  # nan: at an edge there is no jump
        gaps.append(np.max([abs(line.slope(-h, 0.0) - left.slope), abs(line.slope(0.0, h) - right.slope)]))
    grows = gaps[1] > 20.0 * gaps[0] and gaps[2] > 20.0 * gaps[1]
    return bool(grows and gaps[0] * line.h > 100.0 * line.rounding)
