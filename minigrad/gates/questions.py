"""Questions about a whole array: gates without a derivative, whose results are raw booleans, places and counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import call, row

__all__ = ["all", "any", "argmax", "argmin", "argsort", "count_nonzero"]

EXAMPLES = [call((5,)), call((2, 3), axis=0), call((2, 3), axis=-1, keepdims=True), call(())]
ASKED: dict[str, Any] = {"arity": 1, "domain": EXAMPLES}  # what follows the array is a parameter: argmax(x, 0)

all = row("all", lambda x, axis=None, keepdims=False: np.all(x, axis=axis, keepdims=keepdims), **ASKED)
any = row("any", lambda x, axis=None, keepdims=False: np.any(x, axis=axis, keepdims=keepdims), **ASKED)
argmax = row("argmax", lambda x, axis=None, keepdims=False: np.argmax(x, axis=axis, keepdims=keepdims), **ASKED)
argmin = row("argmin", lambda x, axis=None, keepdims=False: np.argmin(x, axis=axis, keepdims=keepdims), **ASKED)
argsort = row(  # equal numbers keep their order
    "argsort",
    lambda x, axis=-1: np.argsort(x, axis=axis, kind="stable"),
    arity=1,
    domain=[call((5,)), call((2, 3)), call((2, 3, 4), axis=1), call((2, 3), axis=None)],
)
count_nonzero = row(
    "count_nonzero",
    lambda x, axis=None, keepdims=False: np.count_nonzero(x, axis=axis, keepdims=keepdims),
    **ASKED,
)
