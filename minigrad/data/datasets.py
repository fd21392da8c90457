"""Data sets that need no network: generated points, and the digits that scikit-learn carries."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arguments import at_least_zero, number, whole
from ..errors import MissingExtraError, ShapeError
from ..random import generator

__all__ = ["Split", "load_digits", "make_moons", "make_spiral"]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


class Split(NamedTuple):
    """Data to learn from, and data held back to test with."""

    X_train: Floats
    y_train: Labels
    X_test: Floats
    y_test: Labels


def load_digits(split: float = 0.2) -> Split:
    """1797 handwritten digits of 8x8 pixels in [0, 1]: X (n, 64), y (n,) from 0 to 9.  Needs scikit-learn.

    The fraction `split` is held back for testing, the same images every time, and each digit as often as it should be.
    Raises `ShapeError` when a side of the split would be too small to hold every digit.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", 1998; a part of it is in scikit-learn.

    >>> X_train, y_train, X_test, y_test = load_digits()
    >>> X_train.shape, X_test.shape
    ((1437, 64), (360, 64))
    """
    try:
        from sklearn import datasets, model_selection
    except ImportError as error:
        raise MissingExtraError('load_digits needs scikit-learn: pip install "minigrad-engine[data]"') from error
    if not 0.01 <= number("load_digits: split", split) <= 0.99:
        raise ShapeError(f"split={split}: it is the fraction held back for testing, between 0.01 and 0.99.")
    digits = datasets.load_digits()
    X, y = digits.data / 16.0, digits.target.astype(np.int64)
    X_train, X_test, y_train, y_test = model_selection.train_test_split(
        X, y, test_size=split, random_state=0, stratify=y
    )
    return Split(X_train, y_train, X_test, y_test)


def make_moons(n: int = 200, noise: float = 0.1, rng: Any = None) -> tuple[Floats, Labels]:
    """Two half circles that reach into each other: X (n, 2), y (n,) of 0 (the upper moon) and 1 (the lower one).

    `noise` is the standard deviation of what is added to the points.

    >>> X, y = make_moons(4, noise=0.0)
    >>> X.round(3).tolist(), y.tolist()
    ([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [2.0, 0.5]], [0, 0, 1, 1])
    """
    n, noise = whole("make_moons: n", n, least=2), at_least_zero("make_moons: noise", noise)
    upper, lower = np.linspace(0.0, np.pi, n // 2), np.linspace(0.0, np.pi, n - n // 2)
    X = np.concatenate(
        [
            np.stack([np.cos(upper), np.sin(upper)], axis=1),
            np.stack([1.0 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
        ]
    )
    X += noise * generator(rng).standard_normal(X.shape)
    return X, np.repeat(np.array([0, 1]), [len(upper), len(lower)])


def make_spiral(
    points_per_class: int = 100, classes: int = 3, noise: float = 0.2, rng: Any = None
) -> tuple[Floats, Labels]:
    """Arms of a spiral, one per class: X (points_per_class * classes, 2), y from 0 to classes - 1.

    Point i of arm j has radius r = i / (points - 1) and angle 4 (j + r) + noise.  `rng` may also be the
    `numpy.random.RandomState(0)` of the source: its numbers come out the same.

    Source: CS231n, "Putting it together: Minimal Neural Network Case Study".

    >>> X, y = make_spiral(2, classes=2, noise=0.0)
    >>> X.round(3).tolist(), y.tolist()
    ([[0.0, 0.0], [-0.757, -0.654], [-0.0, -0.0], [0.989, -0.146]], [0, 0, 1, 1])
    """
    points_per_class = whole("make_spiral: points_per_class", points_per_class, least=1)
    classes, noise = whole("make_spiral: classes", classes, least=1), at_least_zero("make_spiral: noise", noise)
    rng = generator(rng)
    radius = np.linspace(0.0, 1.0, points_per_class)
    arms = []
    for j in range(classes):
        angle = np.linspace(4.0 * j, 4.0 * (j + 1), points_per_class) + noise * rng.standard_normal(points_per_class)
        arms.append(np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1))
    return np.concatenate(arms), np.repeat(np.arange(classes), points_per_class)
