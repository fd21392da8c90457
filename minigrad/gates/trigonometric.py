"""Angles: sines, their inverses, and lengths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..value import Gate, select
from .arithmetic import absolute, reciprocal, remainder, square
from .exponential import sqrt
from .registry import row
from .rounding import round as nearest
from .selection import where

__all__ = [
    "arccos", "arcsin", "arctan", "arctan2", "cos", "deg2rad", "hypot", "rad2deg", "sin", "sinc", "tan",
]  # fmt: skip

INSIDE = (-0.8, 0.8)
QUADRANT = [(0.3, 2.0), (-2.0, -0.3)]
DEGREE = math.pi / 180.0
SINC = [(-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(1, 14)]


def cosine_of(x: Any) -> Any:
    """The cosine of an angle from its sine; (1 - x)(1 + x), for 1 - x² cancels near 1."""
    return sqrt((1.0 - x) * (1.0 + x))


def nonzero(length: Any) -> Any:
    return where(length == 0, 1.0, length)


def direction(a: Any, length: Any) -> Any:
    """a / length; 0 at the origin, which has no direction.  Nothing is squared, so nothing overflows."""
    return select(length != 0, a / nonzero(length))


def turn(a: Any, y: Any, x: Any) -> Any:
    """a / (x² + y²): how fast the angle turns; 0 at the origin."""
    length = hypot(y, x)
    return direction(a, length) / nonzero(length)


def sin_over_angle(x: Any) -> Any:
    """sin(πx) / πx.  The nearest whole number is taken off x before it meets π: large x keep their digits."""
    whole, tiny = np.round(x), np.abs(x) < 1e-9
    sine = (1.0 - 2.0 * np.remainder(whole, 2.0)) * np.sin(math.pi * (x - whole))
    return np.where(tiny, 1.0, sine / math.pi / np.where(tiny, 1.0, x))


def sinc_slope(out: Any, x: Any) -> Any:
    """(cos πx - sinc x) / x; near 0, where that cancels, the series Σ (-1)ᵏ 2k π²ᵏ x²ᵏ⁻¹ / (2k+1)!."""
    small = absolute(x) < 0.5
    near, far = where(small, x, 0.0), where(small, 1.0, x)
    series: Any = 0.0
    for coefficient in reversed(SINC):
        series = series * (near * near) + coefficient
    whole = nearest(far)
    cosine = (1.0 - 2.0 * remainder(whole, 2.0)) * cos(math.pi * (far - whole))
    return where(small, near * series, (cosine - out) / far)


sin: Gate = row("sin", np.sin, scalar=math.sin, local=[lambda out, x: cos(x)])
cos: Gate = row("cos", np.cos, scalar=math.cos, local=[lambda out, x: -sin(x)])
tan = row("tan", np.tan, scalar=math.tan, local=[lambda out, x: 1.0 + out * out], domain=[(-1.2, 1.2)])
arcsin = row("arcsin", np.arcsin, scalar=math.asin, local=[lambda out, x: reciprocal(cosine_of(x))], domain=[INSIDE])
arccos = row("arccos", np.arccos, scalar=math.acos, local=[lambda out, x: -reciprocal(cosine_of(x))], domain=[INSIDE])
arctan = row(
    "arctan",
    np.arctan,
    scalar=math.atan,
    local=[lambda out, x: square(1.0 / hypot(1.0, x))],  # hypot, because x² would overflow
)
arctan2 = row(
    "arctan2",
    np.arctan2,
    scalar=math.atan2,
    local=[lambda out, y, x: turn(x, y, x), lambda out, y, x: -turn(y, y, x)],
    domain=QUADRANT,
)
hypot: Gate = row(
    "hypot",
    np.hypot,
    scalar=math.hypot,
    local=[lambda out, a, b: direction(a, out), lambda out, a, b: direction(b, out)],
    domain=QUADRANT,
)
sinc = row("sinc", sin_over_angle, local=[sinc_slope])
deg2rad = row("deg2rad", np.deg2rad, scalar=math.radians, local=[DEGREE])
rad2deg = row("rad2deg", np.rad2deg, scalar=math.degrees, local=[1.0 / DEGREE])
