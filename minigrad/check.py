"""Checks: is a gradient what finite differences say it is?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .convert import to_data
from .errors import DtypeError, GradcheckError, GradientError
from .transforms import grad
from .value import Value, no_grad, recording

__all__ = ["GradcheckReport", "gradcheck", "numerical_grad"]


def numerical_grad(f: Callable[..., Any], *xs: Any, eps: float = 1e-5) -> Any:
    """The gradient of `f`, which returns one number, by centred differences: (f(x + h) - f(x - h)) / 2h.

    One gradient for one argument, a tuple for several; floats for floats, arrays for arrays.  The error falls as
    eps² until rounding takes over, at about 1e-5 in float64.  Source: CS231n, "Neural Networks Part 3".

    >>> round(numerical_grad(lambda x: x**2, 3.0), 6)
    6.0
    """
    if not 0.0 < eps < np.inf:
        raise ValueError(f"eps={eps}: the step of a difference is a number above 0.")
    points = [np.array(to_data(x.data if isinstance(x, Value) else x), dtype=np.float64) for x in xs]
    slopes = []
    for point in points:
        slope = np.zeros_like(point)
        for index in np.ndindex(point.shape):
            centre = point[index]
            ends = []
            for step in (eps, -eps):
                point[index] = centre + step
                ends.append(number(f, points))
            point[index] = centre
            slope[index] = (ends[0] - ends[1]) / (2.0 * eps)
        slopes.append(slope if slope.ndim else slope.item())
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def number(f: Callable[..., Any], points: list[Any]) -> float:
    """f at the points; 0-d arrays go in as the floats they stand for, and copies protect the points."""
    with no_grad():
        out = f(*[Value(p.item() if not p.ndim else p.copy()) for p in points])
    if np.size(raw := out.data if isinstance(out, Value) else out) != 1 or np.asarray(raw).dtype.kind not in "fiu":
        raise GradientError(f"numerical_grad: the function returned {out!r:.80}; it must return one number.")
    return float(np.asarray(raw).item())


@dataclass(frozen=True)
class GradcheckReport:
    """What a passed `gradcheck` saw: per order and argument, the largest relative error.  It is true."""

    rows: tuple[tuple[int, int, float], ...]  # order, argument, largest |a - n| / max(|a|, |n|)

    @property
    def max_error(self) -> float:
        return max([error for _, _, error in self.rows], default=0.0)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        lines = ["order  argument  largest relative error"]
        return "\n".join(lines + [f"{order:5d}  {arg:8d}  {error:.2e}" for order, arg, error in self.rows])


def gradcheck(
    f: Callable[..., Any],
    *xs: Any,
    order: int = 1,
    eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-8,
) -> GradcheckReport:
    """Compare the gradients of `f` at `xs` with centred differences, in first or also second order.

    `f` may return any shape: it is weighted with fixed random numbers and summed.  Second order checks the gradient's
    own gradient in the same way.  Raises `GradcheckError` at the first pair with |a - n| > atol + rtol max(|a|, |n|),
    naming the argument, the index and both numbers; otherwise returns a report.

    >>> gradcheck(lambda x: x * x, 3.0, order=2).max_error < 1e-7
    True
    """
    if order not in (1, 2):
        raise ValueError(f"order={order}: gradcheck compares first (1) or first and second (2) derivatives.")
    if not xs:
        raise ValueError("gradcheck needs at least one argument to differentiate.")
    points = [to_data(x.data if isinstance(x, Value) else x) for x in xs]
    if any([not isinstance(p, float) and p.dtype != np.float64 for p in points]):
        raise DtypeError("gradcheck needs float64: in float32 differences are mostly rounding. Use x.astype(float).")
    rng = np.random.default_rng(0)
    positions = tuple(range(len(points)))
    with no_grad():
        sample = f(*[Value(p) for p in points])
    if not isinstance(sample, Value):
        raise GradientError(f"gradcheck: the function returned {sample!r:.60}, not a Value; it has no gradient.")
    weights = rng.uniform(0.5, 1.5, sample.shape)

    def loss(*args: Any) -> Any:
        return (f(*args) * weights).sum()

    rows = compare(loss, points, 1, eps, rtol, atol)
    if order == 2:
        directions = [rng.uniform(0.5, 1.5, np.shape(p)) for p in points]

        def slope(*args: Any) -> Any:
            if not recording.get():  # measured on raw numbers, so that the recorded pass has to agree with the raw one
                args = tuple([x.data for x in args])
            first = grad(loss, positions)(*args)
            return sum([np.sum(g * d) for g, d in zip(first, directions, strict=True)])

        rows += compare(slope, points, 2, eps, rtol, atol)
    return GradcheckReport(tuple(rows))


def compare(
    loss: Callable[..., Any], points: list[Any], order: int, eps: float, rtol: float, atol: float
) -> list[tuple[int, int, float]]:
    rows = []
    analytic = grad(loss, tuple(range(len(points))))(*points)
    numeric = numerical_grad(loss, *points, eps=eps)
    for k, (a, n) in enumerate(zip(analytic, numeric if len(points) > 1 else (numeric,), strict=True)):
        error, size = np.abs(np.subtract(a, n)), np.maximum(np.abs(a), np.abs(n))
        wrong = ~((error <= atol + rtol * size) & np.isfinite(a))  # "not within", so that nan and infinity are wrong
        if np.any(wrong):
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            where = f"[{', '.join(map(str, index))}]" if index else ""
            raise GradcheckError(
                f"gradcheck, order {order}: argument {k}{where}: the gradient says {np.asarray(a)[index]:.8g}, "
                f"differences say {np.asarray(n)[index]:.8g} ({np.sum(wrong)} of {np.size(wrong)} entries disagree)."
            )
        rows.append((order, k, float(np.max(error / np.maximum(size, atol), initial=0.0))))
    return rows
