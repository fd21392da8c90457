"""Picking by index arrays: what is no index, and what has no order, is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import OutOfRangeError, ShapeError

X = mg.Value([[3.0, 1.0, 2.0]], label="X")
PICKS = {
    "take": lambda index: mg.take(X, index),
    "take_along_axis": lambda index: mg.take_along_axis(X, index),
    "gather": lambda index: mg.gather(X, 1, index),
    "scatter_add": lambda index: mg.scatter_add(X, 1, index, np.ones((1, 3))),
}


@pytest.mark.parametrize("name", PICKS)
def test_a_mask_is_no_index(name: str) -> None:
    """NumPy would count it as places 1 and 0, or cut with it: neither is meant."""
    with pytest.raises(OutOfRangeError, match=rf"{name}: .*integers, not bool; with a mask, index: x\[mask\]"):
        PICKS[name]([[True, False, True]])


@pytest.mark.parametrize("name", PICKS)
def test_fractions_are_no_index(name: str) -> None:
    with pytest.raises(OutOfRangeError, match=rf"{name}: .*integers, not float64"):
        PICKS[name]([[0.5, 1.0, 0.0]])


@pytest.mark.parametrize("axis", [0, -1])
def test_an_empty_list_picks_nothing(axis: Any) -> None:
    assert mg.take(X, [], axis=axis).shape == ((0, 3) if axis == 0 else (1, 0))


def test_a_number_has_no_order() -> None:
    with pytest.raises(ShapeError, match="sort: s: axis -1 is out of bounds for array of dimension 0"):
        mg.sort(mg.Value(2.0, label="s"))
    assert mg.sort(mg.Value(2.0), axis=None).data.tolist() == [2.0]
