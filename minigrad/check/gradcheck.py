"""Checks: is a gradient what finite differences say it is?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..convert import to_data
from ..errors import DtypeError, GradcheckError, GradientError
from ..random import generator
from ..value import Value, no_grad
from .comparison import Mistake, Pair, compare
from .differences import Kink, Tolerance

__all__ = ["GradcheckReport", "gradcheck", "numerical_grad"]

FULL = 1000  # up to so many entries, "auto" moves every one


def numerical_grad(f: Callable[..., Any], *xs: Any, eps: float = 1e-5) -> Any:
    """The gradient of `f`, which returns one number, by centred differences: (f(x + h) - f(x - h)) / 2h.

    One gradient for one argument, a tuple for several; floats for floats, arrays for arrays.  The error falls as
    eps² until rounding takes over, at about 1e-5 in float64.  Source: CS231n, "Neural Networks Part 3".

    >>> round(numerical_grad(lambda x: x**2, 3.0), 6)
    6.0
    """
    check_step(eps)
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


def check_step(eps: float) -> None:
    if not 0.0 < eps < np.inf:
        raise ValueError(f"eps={eps}: the step of a difference is a number above 0.")


def number(f: Callable[..., Any], points: list[Any]) -> float:
    """f at the points; 0-d arrays go in as the floats they stand for, and copies protect the points."""
    with no_grad():
        out = f(*[Value(p.item() if not p.ndim else p.copy()) for p in points])
    if np.size(raw := out.data if isinstance(out, Value) else out) != 1 or np.asarray(raw).dtype.kind not in "fiu":
        raise GradientError(f"numerical_grad: the function returned {out!r:.80}; it must return one number.")
    return float(np.asarray(raw).item())


@dataclass(frozen=True)
class GradcheckReport:
    """What a `gradcheck` saw: per order and argument, the gradient and the differences; the kinks.  It is true.

    The report of a check that failed, `GradcheckError.report`, is false, and `.mistake` says where it failed.
    """

    pairs: tuple[Pair, ...]
    kinks: tuple[Kink, ...] = ()
    mistake: Mistake | None = None
    mode: str = "full"

    @property
    def rows(self) -> tuple[tuple[int, int, float], ...]:
        """(order, argument, largest |a - n| / max(|a|, |n|))"""
        return tuple([(pair.order, pair.argument, pair.error) for pair in self.pairs])

    @property
    def max_error(self) -> float:
        return max([error for _, _, error in self.rows], default=0.0)

    def __bool__(self) -> bool:
        return self.mistake is None

    def __str__(self) -> str:
        lines = ["order  argument  largest relative error"]
        lines += [f"{order:5d}  {argument:8d}  {error:.2e}" for order, argument, error in self.rows]
        return "\n".join(lines + [str(kink) for kink in self.kinks])

    def plot(self, path: Any = None) -> Any:
        """The gradient against the differences as a matplotlib `Figure`, also written to `path` if one is given.

        Raises `MissingExtraError` without matplotlib.
        """
        from ..viz import plot_gradcheck

        figure = plot_gradcheck(self)
        if path is not None:
            figure.savefig(path)
        return figure


def gradcheck(
    f: Callable[..., Any],
    *xs: Any,
    order: int = 1,
    eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float | None = None,
    mode: str = "auto",
    rng: Any = 0,
) -> GradcheckReport:
    """Compare the gradients of `f` at `xs` with differences, in first or also second order; both passes are compared.

    `f` may return any shape, also a tuple: it is weighted with random numbers and summed.  Second order checks the
    gradient's own gradient in the same way.  A pair is right if |a - n| <= atol + rtol max(|a|, |n|); without `atol`,
    what rounding explains takes its place.  Steps are `eps` times max(1, |x|), and others where that one can't tell.

    `mode="full"` moves every entry; `"directions"` moves each argument as a whole along a few random directions, at a
    cost that doesn't depend on its size; `"auto"` is full up to 1000 entries.  Where the slopes on the left and on the
    right differ and the gradient lies between them (relu at 0, ties), the report lists a kink; it is no mistake.

    Raises `GradcheckError` at the first other pair, naming the argument, the index, both numbers, the gate at fault
    where one is, and the likely mistake.

    >>> gradcheck(lambda x: x * x, 3.0, order=2).max_error < 1e-7
    True
    >>> print(gradcheck(abs, 0.0).kinks[0])
    order 1, argument 0: kink, slope -1 on the left, 1 on the right, gradient 0
    """
    if not callable(f):
        raise DtypeError(f"gradcheck: {f!r:.60} is no function; give it a function and the point to check it at.")
    if order not in (1, 2):
        raise ValueError(f"order={order}: gradcheck compares first (1) or first and second (2) derivatives.")
    if mode not in ("auto", "full", "directions"):
        raise ValueError(f"mode={mode!r}: gradcheck knows 'full', 'directions' and 'auto'.")
    check_step(eps)
    if not xs:
        raise ValueError("gradcheck needs at least one argument to differentiate.")
    points = [to_data(x.data if isinstance(x, Value) else x) for x in xs]
    if any([not isinstance(p, float) and p.dtype != np.float64 for p in points]):
        raise DtypeError("gradcheck needs float64: in float32 differences are mostly rounding. Use x.astype(float).")
    if mode == "auto":
        mode = "full" if sum([np.size(p) for p in points]) <= FULL else "directions"
    pairs, kinks, mistake = compare(f, points, order, eps, Tolerance(rtol, atol), mode, generator(rng))
    report = GradcheckReport(tuple(pairs), tuple(kinks), mistake, mode)
    if mistake is not None:
        from .diagnosis import explain

        error = GradcheckError(explain(f, points, mistake, pairs, mode))
        error.report = report
        raise error from mistake.cause
    return report
