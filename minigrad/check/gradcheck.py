"""Is a gradient what differences say it is?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..convert import to_data
from ..errors import DtypeError, GradcheckError
from ..value import Value
from .comparison import compare
from .diagnosis import explain
from .differences import check_step
from .report import GradcheckReport

__all__ = ["gradcheck"]


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
    report = compare(f, points, order, eps, rtol, atol, mode, rng)
    if report.mistake is not None:
        error = GradcheckError(explain(f, points, report))
        error.report = report
        raise error from report.mistake.cause
    return report
