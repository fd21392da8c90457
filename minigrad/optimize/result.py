"""What a run hands back: a result in SciPy's style, with the path it took."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

__all__ = ["OptimizeResult"]


@dataclass(eq=False)  # arrays have no single answer to ==
class OptimizeResult:
    """Where a run ended, under SciPy's names, and the points on its way.

    `x`, `jac` (the gradient there) and the rows of `path` have the shape of `x0`; a float
    stays a float.  `success` is False where the run ended elsewhere than it was meant to, and `message` says why and
    what to try.  `multipliers` belong to the constraints, where there are some.

    >>> from minigrad.optimize import newton
    >>> result = newton(lambda x: (x - 3.0) ** 2, 0.0)
    >>> result.x, result.fun, result.nit, result.success
    (3.0, 0.0, 1, True)
    >>> result.path
    array([0., 3.])
    """

    x: Any
    fun: float
    jac: Any
    nit: int
    success: bool
    message: str
    path: np.ndarray
    multipliers: Any = None

    def __repr__(self) -> str:
        """One line per entry, as SciPy's; of the path its shape."""
        entries = {field.name: getattr(self, field.name) for field in fields(self)}
        entries["path"] = f"array of shape {self.path.shape}"
        if self.multipliers is None:
            del entries["multipliers"]
        width = max(map(len, entries))
        return "\n".join([f"{name:>{width}}: {entry}" for name, entry in entries.items()])
