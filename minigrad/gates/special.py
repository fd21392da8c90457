"""Special functions, computed by SciPy: `pip install "minigrad-engine[scipy]"`.  SciPy is imported at first use."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

from ..errors import MissingExtraError
from ..value import Gate
from .exponential import exp
from .registry import call, row
from .rounding import trunc
from .selection import bounded, where

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma", "logit", "polygamma", "xlogy"]

SLOPE = 2.0 / math.sqrt(math.pi)  # of erf at 0


def scipy(name: str) -> Callable[..., Any]:
    """The forward rule `scipy.special.<name>`."""

    def forward(*inputs: Any) -> Any:
        try:
            function = getattr(importlib.import_module("scipy.special"), name)
        except ImportError as error:
            raise MissingExtraError(f'{name} needs SciPy: pip install "minigrad-engine[scipy]"') from error
        return function(*inputs)

    return forward


zeta = scipy("zeta")


def bell(x: Any, c: float = 1.0) -> Any:
    """exp(-c x²) to the last digits, which the rounding of x² would spoil in the tails.

    With m the next multiple of 1/128 towards 0, x² = m² + (x - m)(x + m): the first is exact and the second is small.
    """
    x = bounded(x, 64.0)
    m = trunc(x * 128.0) / 128.0
    return exp(-c * m * m) * exp(-c * (x - m) * (x + m))


def nth_derivative_of_digamma(n: Any, x: Any) -> Any:
    """(-1)ⁿ⁺¹ n! ζ(n + 1, x).  Source: DLMF 25.11.12."""
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n={n!r}: how often digamma is differentiated, 1 or more.")
    return float((-1) ** (n + 1) * math.factorial(n)) * zeta(n + 1.0, x)


def logit_slope(out: Any, x: Any) -> Any:
    """1 / (x (1 - x)), as a sum, whose own slopes don't overflow into infinity minus infinity."""
    x = where((x < 0) | (x > 1), math.nan, x)
    return 1.0 / x + 1.0 / (1.0 - x)


erf = row("erf", scipy("erf"), scalar=math.erf, local=[lambda out, x: SLOPE * bell(x)])
erfc = row("erfc", scipy("erfc"), scalar=math.erfc, local=[lambda out, x: -SLOPE * bell(x)])
erfinv = row("erfinv", scipy("erfinv"), local=[lambda out, x: exp(out * out) / SLOPE], domain=[(-0.8, 0.8)])
lgamma = row("lgamma", scipy("gammaln"), local=[lambda out, x: digamma(x)], domain=[(0.5, 3.0)])
digamma: Gate = row("digamma", scipy("psi"), symbol="ψ", local=[lambda out, x: polygamma(1, x)], domain=[(0.5, 3.0)])
polygamma: Gate = row(  # the n-th derivative of digamma
    "polygamma",
    nth_derivative_of_digamma,
    symbol="ψⁿ",
    local=[None, lambda out, n, x: polygamma(n + 1, x)],
    domain=[call(1, (), low=0.5, high=3.0), call(2, (2, 3), low=0.5, high=3.0)],
)
xlogy: Gate = row(  # x log(y), and 0 for x = 0 whatever y is
    "xlogy",
    scipy("xlogy"),
    elementwise=True,
    vjp=[
        lambda g, out, x, y: xlogy(g, where((x == 0) & (y <= 0), 1.0, y)),
        lambda g, out, x, y: g * (x / where((x == 0) & (y <= 0), 1.0, y)),
    ],
    domain=[(-2.0, 2.0), (0.2, 3.0)],
)
logit = row(  # log(x / (1 - x)): the inverse of the sigmoid; nan outside [0, 1]
    "logit",
    scipy("logit"),
    local=[logit_slope],
    domain=[(0.1, 0.9)],
)
