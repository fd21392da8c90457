"""What a check found, in numbers and in words: one `Finding` about each gradient, and the report of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Finding", "GradcheckReport", "Pair"]

MISTAKES = ("wrong", "noise", "forward", "refused")


@dataclass(frozen=True)
class Finding:
    """What differences say about one gradient, and where.  `kind` is one of

    * "right";
    * a place without a slope in the ordinary sense, where the gradient is as good as it can be: "kink", the slopes on
      the left and on the right differ, and the gradient lies between them; "edge", one side is outside the domain (its
      slope is nan); "vertical", the slopes are infinite; "jump", the function jumps;
    * a mistake: "wrong"; "noise", differences can't tell; "forward", the forward mode (in `numeric`) differs from the
      backward pass (in `analytic`), or failed with `cause`; "refused", the backward pass failed with `cause`.
    """

    kind: str
    order: int
    argument: int = 0
    index: tuple[int, ...] = ()  # of the entry, or the number of the direction
    analytic: float = np.nan
    numeric: float = np.nan
    left: float = np.nan
    right: float = np.nan
    weighted: bool = False  # whether the numbers are of a sum of outputs with random weights, not of one output
    cause: Exception | None = None

    def __str__(self) -> str:
        place = f"argument {self.argument}{list(self.index) if self.index else ''}"
        text = self.mistake(place) if self.kind in MISTAKES else f"order {self.order}, {place}: {self.kind}"
        if self.kind == "edge":
            side, slope = ("left", self.right) if np.isnan(self.left) else ("right", self.left)
            text += f" of the domain, nothing on the {side}, slope {slope:.6g}, gradient {self.analytic:.6g}"
        elif self.kind not in MISTAKES:
            text += f", slope {self.left:.6g} on the left, {self.right:.6g} on the right, gradient {self.analytic:.6g}"
        return text + (" (slopes of a sum: outputs times random weights)" if self.weighted else "")

    def mistake(self, place: str) -> str:
        if self.kind == "refused":
            which = "second " if self.order == 2 else ""
            return f"gradcheck, order {self.order}: the {which}backward pass failed: {self.cause}"
        at = f"gradcheck, order {self.order}: {place}: "
        if self.kind == "forward" and self.cause is not None:
            return f"{at}backward is right, but the forward mode (jvp) failed: {self.cause}"
        if self.kind == "forward":
            return (
                f"{at}along a random direction the forward mode (jvp) says {self.numeric:.8g}, backward and "
                f"differences say {self.analytic:.8g}"
            )
        says = f"{at}the gradient says {self.analytic:.8g}, differences say"
        if self.kind == "noise":
            return (
                f"{says} {self.numeric:.8g}, but differences are unreliable here: rounding in the function, or the "
                "edge of its domain, leaves them too few digits to tell right from wrong. Check at another point."
            )
        sides = [(x, side) for x, side in ((self.left, "left"), (self.right, "right")) if not np.isnan(x)]
        if not sides:
            return f"{says} {self.numeric:.8g}"
        words = " and ".join(
            f"{x:.8g} on the {side}" if np.isfinite(x) else f"no bound on the {side}, where the slope grows and grows"
            for x, side in sides
        )
        edge = ", at the edge of the domain" if len(sides) == 1 else ""
        return f"{says} {words}{edge}; the gradient has to lie between the one-sided slopes"


class Pair(NamedTuple):
    """What was compared for one argument: its gradient and the differences (nan at kinks), per entry or direction."""

    order: int
    argument: int
    analytic: Any
    numeric: Any
    wrong: Any  # a mask

    @property
    def error(self) -> float:
        """The largest |a - n| / max(1, |a|, |n|): relative to large slopes, absolute beside small ones."""
        size = np.maximum(np.maximum(np.abs(self.analytic), np.abs(self.numeric)), 1.0)
        with np.errstate(all="ignore"):
            errors = np.abs(self.analytic - self.numeric) / size
        return float(np.max(errors[np.isfinite(errors)], initial=0.0))


@dataclass
class GradcheckReport:
    """What a `gradcheck` saw: per order and argument, the gradient and the differences; the kinks.  It is true.

    The report of a check that failed, `GradcheckError.report`, is false, and `.mistake` says where it failed.
    """

    mode: str
    pairs: list[Pair] = field(default_factory=list)
    kinks: list[Finding] = field(default_factory=list)
    mistake: Finding | None = None

    @property
    def rows(self) -> tuple[tuple[int, int, float], ...]:
        """(order, argument, largest |a - n| / max(1, |a|, |n|))"""
        return tuple([(pair.order, pair.argument, pair.error) for pair in self.pairs])

    @property
    def max_error(self) -> float:
        return max([pair.error for pair in self.pairs], default=0.0)

    def __bool__(self) -> bool:
        return self.mistake is None

    def __str__(self) -> str:
        lines = [f"{order:5d}  {argument:8d}  {error:.2e}" for order, argument, error in self.rows]
        return "\n".join(["order  argument  largest error", *lines, *map(str, self.kinks)])

    def plot(self, path: Any = None) -> Any:
        """The gradient against the differences as a matplotlib `Figure`, also written to `path` if one is given.

        Raises `MissingExtraError` without matplotlib.
        """
        from ..viz import plot_gradcheck

        figure = plot_gradcheck(self)
        if path is not None:
            figure.savefig(path)
        return figure
