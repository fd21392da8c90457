"""How well a source was separated from a mixture: the score by which AutoClip's paper compares its runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError

__all__ = ["si_sdr"]


def si_sdr(source: Any, estimate: Any) -> float:
    """Scale-invariant signal-to-distortion ratio in dB: 10 log10(‖a s‖² / ‖a s - ŝ‖²) with a = sᵀŝ / ‖s‖².

    a s is the part of the estimate ŝ along the source s: the estimate's volume doesn't count.  inf for a perfect one,
    -inf for one without a trace of the source.  Raises `ShapeError` for signals that differ in length.
    Source: Le Roux et al. 2019, "SDR: half-baked or well done?".

    >>> round(si_sdr([1.0, 2.0, 2.0], [2.0, 4.0, 4.9]), 2)
    19.86
    """
    s, found = np.asarray(source, dtype=float), np.asarray(estimate, dtype=float)
    if s.shape != found.shape or s.ndim != 1 or not s.any():
        raise ShapeError(
            f"si_sdr: source {s.shape}, estimate {found.shape}; expected (n,) twice, the source not all 0."
        )
    along = (s @ found) / (s @ s) * s
    with np.errstate(divide="ignore"):
        return float(10.0 * np.log10((along @ along) / np.float64(((along - found) ** 2).sum())))
