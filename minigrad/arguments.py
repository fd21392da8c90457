"""Checks of single arguments that many functions share: whole numbers, and numbers of at least 0."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

from .errors import DtypeError, ShapeError

__all__ = ["at_least_zero", "number", "whole"]


def whole(name: str, x: Any, least: int) -> int:
    """`x` as an int; `DtypeError` for what is not a whole number, `ShapeError` for one below `least`.

    >>> whole("Linear: in_features", 3, least=1)
    3
    """
    try:
        n = operator.index(x)
    except TypeError as error:
        raise DtypeError(f"{name}={x!r:.60} is not a whole number.") from error
    if n < least:
        raise ShapeError(f"{name}={n}; it is at least {least}.")
    return n


def number(name: str, x: Any) -> Any:
    """`x` itself; `DtypeError` for what is not a real number."""
    if not isinstance(x, Real):
        raise DtypeError(f"{name}={x!r:.60} is not a number.")
    return x


def at_least_zero(name: str, x: Any) -> Any:
    """`x` itself; `DtypeError` for what is not a number, `ValueError` for a negative one, inf or nan."""
    if not 0.0 <= number(name, x) < float("inf"):
        raise ValueError(f"{name}={x}; it is a number of at least 0.")
    return x
