"""Data as arrays of numbers, or a refusal that says what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..convert import describe, is_value
from ..errors import AnomalyError, DtypeError, ShapeError

__all__ = ["numbers", "rows"]


def numbers(where: str, data: Any, name: str = "X") -> Any:
    """`data` as an array of numbers; `where` is who asks for them, `name` what they are called there."""
    if is_value(data):
        raise DtypeError(f"{where}: {name} is {describe(data)}; data are raw arrays: pass {name}.data.")
    if data is None:
        raise DtypeError(f"{where}: {name} is None; a row of X and its label in y make an example.")
    if np.ma.is_masked(data):
        raise AnomalyError(f"{where}: {name} has masked numbers: fill them, or drop those rows first.")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ShapeError(f"{where}: the rows of {name} differ in shape ({error}).") from error
    if array.dtype.kind not in "biuf":
        remedy = "number the classes: np.unique(y, return_inverse=True)[1]" if name == "y" else "code them as numbers"
        raise DtypeError(f"{where}: {name} holds {array.dtype}, not numbers: {remedy}.")
    return array


def rows(where: str, data: Any, name: str = "X") -> Any:
    """`data` as an array of finite numbers with at least one row."""
    array = numbers(where, data, name)
    if array.ndim == 0 or len(array) == 0:
        raise ShapeError(f"{where}: {name} has shape {array.shape}: there is nothing to learn from without rows.")
    if array.dtype.kind == "f" and not (fine := np.isfinite(array)).all():
        first = tuple(np.argwhere(~fine)[0].tolist())
        raise AnomalyError(
            f"{where}: {name}[{', '.join(map(str, first))}] is {array[first]} ({np.sum(~fine)} of {array.size} "
            "numbers are not finite). Fill or drop those rows first."
        )
    return array
