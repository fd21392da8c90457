"""Checks of single arguments that many functions share: whole numbers, numbers, and what is True or False."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

import numpy as np

from .errors import DtypeError, ShapeError

__all__ = ["at_least_zero", "finite", "flag", "number", "whole"]


def whole(name: str, x: Any, least: int | None = None) -> int:
    """`x` as an int; `DtypeError` for what is not a whole number, `ShapeError` for one below `least`.

    >>> whole("Linear: in_features", 3, least=1)
    3
    """
    try:
        n = operator.index(x)
    except TypeError as error:
        raise DtypeError(f"{name}={x!r:.60} is not a whole number.") from error
    if least is not None and n < least:
        raise ShapeError(f"{name}={n}; it is at least {least}.")
    return n


def number(name: str, x: Any) -> Any:
    """`x` itself; `DtypeError` for what is not a real number."""
    if not isinstance(x, Real):
        raise DtypeError(f"{name}={x!r:.60} is not a number.")
    return x


def finite(name: str, x: Any) -> Any:
    """`x` itself; `DtypeError` for what is not a number, `ValueError` for inf or nan."""
    if not math.isfinite(number(name, x)):
        raise ValueError(f"{name}={x}; it is a finite number.")
    return x


def flag(name: str, x: Any) -> bool:
    """`x` itself; `DtypeError` for what is neither True nor False, as a setting in the wrong place is.

    >>> flag("Linear: bias", True)
    True
    """
    if not isinstance(x, (bool, np.bool_)):
        raise DtypeError(f"{name}={x!r:.60}; it is True or False.")
    return bool(x)


def at_least_zero(name: str, x: Any) -> Any:
    """`x` itself; `DtypeError` for what is not a number, `ValueError` for a negative one, inf or nan."""
    if not 0.0 <= number(name, x) < float("inf"):
        raise ValueError(f"{name}={x}; it is a number of at least 0.")
    return x
