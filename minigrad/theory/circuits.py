"""Electric circuits that filter as optimisers do: RL is plain averaging (first order), RLC is momentum (second order).

RL: L i' = R (I - i).  RLC: L C i'' + (L/R) i' + i = I, a damped oscillator.  Source: the lecture's analogy (which calls
the second one first-order); Qian, 1999, "On the momentum term in gradient descent learning algorithms".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import tidy

__all__ = ["critical_resistance", "damping_ratio", "rl_current", "rlc_as_momentum", "rlc_current"]


def rl_current(t: Any, R: float = 1.0, L: float = 1.0, I: float = 1.0) -> Any:  # noqa: E741
    """The current through the coil t seconds after I is switched on: I (1 - e^{-Rt/L}).

    >>> round(rl_current(1.0), 6)
    0.632121
    """
    return tidy(I * -np.expm1(-R / L * np.asarray(t, dtype=float)))


def critical_resistance(L: float, C: float) -> float:
    """R = ½ √(L/C): below, the current approaches without swinging; above, it overshoots.

    >>> critical_resistance(1.0, 0.25)
    1.0
    """
    return float(0.5 * np.sqrt(L / C))


def damping_ratio(R: float, L: float, C: float) -> float:
    """ζ = √(L/C) / 2R: 1 is critical damping, below 1 it swings.

    >>> damping_ratio(2.0, 1.0, 0.25)
    0.5
    """
    return critical_resistance(L, C) / R


def rlc_current(t: Any, R: float, L: float, C: float, I: float = 1.0) -> Any:  # noqa: E741
    """The solution of L C i'' + (L/R) i' + i = I from i = i' = 0.

    With ω = 1/√(LC) and damping ratio ζ:  I (1 - e^{-ζωt} (cos νt + ζω sin νt / ν)), ν = ω √(1 - ζ²), imaginary
    where ζ > 1; in between I (1 - e^{-ωt} (1 + ωt)).

    >>> rlc_current(np.array([0.0, 1.0, 50.0]), R=2.0, L=1.0, C=0.25).round(6)
    array([0.      , 0.849426, 1.      ])
    """
    t = np.asarray(t, dtype=float)
    omega, zeta = 1.0 / np.sqrt(L * C), damping_ratio(R, L, C)
    if abs(zeta - 1.0) < 1e-9:
        return tidy(I * (1.0 - np.exp(-omega * t) * (1.0 + omega * t)))
    nu = omega * np.sqrt(complex(1.0 - zeta**2))
    up, down = (np.exp((-zeta * omega + sign * 1j * nu) * t) for sign in (1.0, -1.0))  # e^{-ζωt} e^{±iνt}
    return tidy(I * (1.0 - (0.5 * (up + down) + zeta * omega * (up - down) / (2j * nu)).real))


def rlc_as_momentum(R: float, L: float, C: float, dt: float) -> tuple[float, float]:
    """(αλ, β) of the heavy ball that semi-implicit Euler steps of dt make of the circuit: dt²/(LC) and 1 - dt/(RC).

    The circuit always settles; its imitation diverges once αλ > 2 + 2β.

    >>> rlc_as_momentum(2.0, 1.0, 0.25, 0.1)
    (0.04000000000000001, 0.8)
    """
    return dt**2 / (L * C), 1.0 - dt / (R * C)
