"""AutoClip: clip gradients at a percentile of all norms seen so far, so that no threshold has to be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..arguments import number
from ..errors import GradientError
from ..nn.utils import get_total_norm, scale, with_gradient
from ..recorded import on_gradients
from ..value import Value

__all__ = ["AutoClip"]


class AutoClip:
    """Called between `loss.backward()` and `optimizer.step()`: clip(parameters) returns the gradients' norm before.

    Line by line: append the norm of all gradients to the history; take its p-th percentile η; multiply the gradients by
    min(η / norm, 1).  The norm of this step counts, so the first step is never clipped, nor any at percentile 100; at
    10 about nine steps in ten are.  Multiplying the loss by a constant changes nothing.
    `train.fit(..., clip=AutoClip())` calls it, and its checkpoints hold the history.
    Raises `GradientError` for a norm of inf or nan, which would spoil the history, and if no parameter has a gradient;
    nothing is changed then.
    Source: Seetharaman et al. 2020 ("AutoClip: adaptive gradient clipping for source separation networks").

    >>> w = Value([0.0])
    >>> clip = AutoClip(percentile=10)
    >>> for g in (1.0, 2.0, 3.0, 4.0, 100.0):
    ...     w.grad = np.array([g])
    ...     norm = clip([w])
    >>> norm, clip.threshold, w.grad
    (100.0, 1.4, array([1.4]))
    """

    def __init__(self, percentile: float = 10.0) -> None:
        if not 0.0 <= number("AutoClip: percentile", percentile) <= 100.0:
            raise ValueError(f"AutoClip: percentile={percentile}; it is between 0 (clip most) and 100 (never clip).")
        self.percentile = percentile
        self.history: list[float] = []

    @property
    def threshold(self) -> float:
        """η: the percentile of the norms so far; inf before the first."""
        return float(np.percentile(self.history, self.percentile)) if self.history else float("inf")

    @on_gradients
    def __call__(self, parameters: Value | Iterable[Value]) -> float:
        found = with_gradient("AutoClip", parameters)
        if not found:
            raise GradientError("AutoClip: no parameter has a gradient: call it after loss.backward().")
        norm = get_total_norm([p.grad for p in found])
        if not np.isfinite(norm):
            raise GradientError(
                f"AutoClip: the gradients' norm is {norm}. mg.detect_anomaly() finds where it came from."
            )
        self.history.append(norm)
        if norm:
            scale(found, self.threshold / norm)
        return norm

    def state_dict(self) -> dict[str, Any]:
        """The percentile and the history: what is clipped next depends on all of it."""
        return {"percentile": self.percentile, "history": list(self.history)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict`; on an error nothing has changed."""
        if not isinstance(state, dict) or set(state) != {"percentile", "history"}:
            found = list(state)[:4] if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"AutoClip: a state has 'percentile' and 'history'; this one has {found}.")
        history = [float(number("AutoClip: a norm of the history", norm)) for norm in state["history"]]
        if not all([0.0 <= norm < float("inf") for norm in history]):
            raise ValueError("AutoClip: the history has a norm that is negative, inf or nan.")
        self.percentile = AutoClip(state["percentile"]).percentile
        self.history = history
