"""Steps: flat wherever they have a slope, so their gradient is 0."""

from __future__ import annotations

import numpy as np

from .comparisons import isfinite
from .registry import row

__all__ = ["ceil", "floor", "heaviside", "nan_to_num", "round", "trunc"]

BETWEEN = [(0.1, 0.4)]  # two steps

floor = row("floor", np.floor, symbol="⌊·⌋", local=[0.0], domain=BETWEEN)
ceil = row("ceil", np.ceil, symbol="⌈·⌉", local=[0.0], domain=BETWEEN)
trunc = row("trunc", np.trunc, local=[0.0], domain=BETWEEN)
round = row("round", lambda x, decimals=0: np.round(x, decimals), local=[lambda *_, decimals=0: 0.0], domain=BETWEEN)
heaviside = row(  # 0 below 0, 1 above, and `at_zero` in between
    "heaviside",
    np.heaviside,
    local=[0.0, lambda out, x, at_zero: x == 0],
    domain=[(0.5, 2.0), (-2.0, 2.0)],
)
nan_to_num = row(  # what was replaced passes no gradient
    "nan_to_num",
    lambda x, *, nan=0.0, posinf=None, neginf=None: np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf),
    local=[lambda out, x, **_: isfinite(x)],
)
