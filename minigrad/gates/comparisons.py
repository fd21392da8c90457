"""Comparisons and tests: gates without a derivative, whose results are raw booleans."""

from __future__ import annotations

import numpy as np

from .registry import row

__all__ = ["equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal", "not_equal"]

equal = row("equal", np.equal, symbol="==")
not_equal = row("not_equal", np.not_equal, symbol="!=")
less = row("less", np.less, symbol="<")
less_equal = row("less_equal", np.less_equal, symbol="<=")
greater = row("greater", np.greater, symbol=">")
greater_equal = row("greater_equal", np.greater_equal, symbol=">=")
isnan = row("isnan", np.isnan, domain=[(-2.0, 2.0)])
isinf = row("isinf", np.isinf, domain=[(-2.0, 2.0)])
isfinite = row("isfinite", np.isfinite, domain=[(-2.0, 2.0)])
