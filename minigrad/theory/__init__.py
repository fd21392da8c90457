"""Closed forms that the readings teach, in plain NumPy: rates, optimal steps, filters, bounds.  No engine involved.

Tests compare training runs with them, demos draw them.  Read `quadratic` first: one line explains gradient descent.

>>> from minigrad import theory
>>> theory.optimal_step(1.0, 5.0), theory.optimal_gd_rate(5.0)
(0.3333333333333333, 0.6666666666666666)
"""

from . import (
    adaptive,
    bounds,
    circuits,
    depth,
    filters,
    graphs,
    least_squares,
    momentum,
    noise,
    quadratic,
    separation,
    whitening,
)
from .adaptive import *
from .bounds import *
from .circuits import *
from .depth import *
from .filters import *
from .graphs import *
from .least_squares import *
from .momentum import *
from .noise import *
from .quadratic import *
from .separation import *
from .whitening import *

__all__ = [
    *quadratic.__all__, *momentum.__all__, *noise.__all__, *filters.__all__, *least_squares.__all__, *bounds.__all__,
    *adaptive.__all__, *graphs.__all__, *circuits.__all__, *depth.__all__, *whitening.__all__,
    *separation.__all__,
]  # fmt: skip
