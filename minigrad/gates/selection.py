"""Gates that choose: their wires are open or closed, and a tie shares the gradient equally."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..value import select
from .registry import call, row

__all__ = ["clip", "fmax", "fmin", "maximum", "minimum", "relu", "where"]

MASK = np.array([[True, False, True], [False, False, True]])


def won(g: Any, ahead: Any, a: Any, b: Any) -> Any:
    """The winner takes the gradient; equals take half each; a nan, which wins over everything, passes it."""
    return select(ahead | (a != a) | (b != b), g) + select(a == b, 0.5 * g)


def found(g: Any, ahead: Any, a: Any, b: Any) -> Any:
    """As `won`, but a number wins over a nan; two nans take half each."""
    return select(ahead | ((a == a) & (b != b)), g) + select((a == b) | ((a != a) & (b != b)), 0.5 * g)


def within(x: Any, a_min: Any = None, a_max: Any = None) -> Any:
    """True on the closed interval; a missing bound is no bound."""
    return (x >= (-np.inf if a_min is None else a_min)) & (x <= (np.inf if a_max is None else a_max))


def bounded(x: Any, far: float) -> Any:
    """x, cut off at ±far: `clip` for rules, where a Python float is spared the way through NumPy."""
    return min(max(x, -far), far) if type(x) is float else clip(x, -far, far)


relu = row(
    "relu",
    lambda x: np.maximum(x, 0.0),
    scalar=lambda x: 0.0 if x <= 0.0 else x,
    local=[lambda out, x: out != 0],  # 0 at the kink; a nan passes
)
maximum = row(
    "maximum",
    np.maximum,
    symbol="max",
    elementwise=True,
    vjp=[lambda g, out, a, b: won(g, a > b, a, b), lambda g, out, a, b: won(g, b > a, a, b)],
)
minimum = row(
    "minimum",
    np.minimum,
    symbol="min",
    elementwise=True,
    vjp=[lambda g, out, a, b: won(g, a < b, a, b), lambda g, out, a, b: won(g, b < a, a, b)],
)
fmax = row(
    "fmax",
    np.fmax,
    elementwise=True,
    vjp=[lambda g, out, a, b: found(g, a > b, a, b), lambda g, out, a, b: found(g, b > a, b, a)],
)
fmin = row(
    "fmin",
    np.fmin,
    elementwise=True,
    vjp=[lambda g, out, a, b: found(g, a < b, a, b), lambda g, out, a, b: found(g, b < a, b, a)],
)
clip = row(
    "clip",
    lambda x, a_min=None, a_max=None: np.clip(x, a_min, a_max),
    local=[lambda out, x, a_min=None, a_max=None: within(x, a_min, a_max)],
    domain=[call((2, 3), a_min=-0.5, a_max=1.0), call((), a_max=0.3)],
)
where = row(
    "where",
    np.where,
    symbol="?",
    local=[None, lambda out, mask, a, b: mask != 0, lambda out, mask, a, b: mask == 0],
    domain=[call(MASK, (2, 3), (2, 3)), call(MASK, (), (3,)), call(True, (), ())],
)
