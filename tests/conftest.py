"""What every test file may ask for: seeded randomness and derivatives measured by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # test_laws.py skips itself
    pass
else:
    settings.register_profile(
        "minigrad", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("minigrad")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts from the same seed in every test."""
    return np.random.default_rng(20260)


def slopes(f: Callable[..., Any], inputs: Sequence[Any], h: float = 1e-4) -> list[Any]:
    """d f / d input for each float input of a number-valued `f`, measured on raw numbers: no engine involved.

    The five-point rule (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h has an error of order h⁴.  Inputs that are
    masks, indices or other non-floats get None.
    """
    measured: list[Any] = []
    for i, x in enumerate(inputs):
        if not isinstance(x, float) and getattr(x, "dtype", None) != np.float64:
            measured.append(None)
            continue
        base = np.array(x, dtype=np.float64)
        slope = np.zeros(base.shape)
        for index in np.ndindex(base.shape):

            def at(step: float, i: int = i, base: Any = base, index: Any = index) -> float:
                moved = base.copy()
                moved[index] += step
                number = moved.item() if isinstance(inputs[i], float) else moved
                return float(f(*inputs[:i], number, *inputs[i + 1 :]))

            slope[index] = (8.0 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12.0 * h)
        measured.append(slope.item() if isinstance(x, float) else slope)
    return measured


@pytest.fixture(scope="session")
def finite_differences() -> Callable[..., list[Any]]:
    """The function `slopes(f, inputs, h=1e-4)`: one measured gradient per float input."""
    return slopes
