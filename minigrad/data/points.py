"""Points in the plane, generated: what a line can separate, and what it can't."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import at_least_zero, number, whole
from ..errors import DtypeError, ShapeError
from ..random import generator

__all__ = ["make_blobs", "make_circles", "make_moons", "make_spiral", "make_xor"]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


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


def make_circles(n: int = 200, noise: float = 0.05, factor: float = 0.5, rng: Any = None) -> tuple[Floats, Labels]:
    """A circle of radius 1 around one of radius `factor`: X (n, 2), y (n,) of 0 (the outer one) and 1 (the inner one).

    `noise` is the standard deviation of what is added to the points.

    >>> X, y = make_circles(4, noise=0.0)
    >>> X.round(3).tolist(), y.tolist()
    ([[1.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [-0.5, 0.0]], [0, 0, 1, 1])
    """
    n, noise = whole("make_circles: n", n, least=2), at_least_zero("make_circles: noise", noise)
    if not 0.0 <= number("make_circles: factor", factor) < 1.0:
        raise ValueError(f"make_circles: factor={factor}; the inner radius is at least 0 and less than 1.")
    outer, inner = [np.linspace(0.0, 2.0 * np.pi, m, endpoint=False) for m in (n // 2, n - n // 2)]
    X = np.concatenate([circle(outer), factor * circle(inner)])
    X += noise * generator(rng).standard_normal(X.shape)
    return X, np.repeat(np.array([0, 1]), [len(outer), len(inner)])


def circle(angle: Floats) -> Floats:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def make_blobs(n: int = 200, centers: Any = 3, spread: float = 1.0, rng: Any = None) -> tuple[Floats, Labels]:
    """Round clouds, one per class: X (n, d), y (n,) from 0 on; a class has n / classes points, the first ones one more.

    `centers` (classes, d) are their middles; a number of classes puts these evenly on a circle of radius 5.  `spread`
    is the standard deviation within a cloud.

    >>> X, y = make_blobs(3, centers=[[0.0, 0.0], [4.0, 1.0]], spread=0.0)
    >>> X.tolist(), y.tolist()
    ([[0.0, 0.0], [0.0, 0.0], [4.0, 1.0]], [0, 0, 1])
    """
    n, spread = whole("make_blobs: n", n, least=1), at_least_zero("make_blobs: spread", spread)
    if not isinstance(centers, (list, tuple, np.ndarray)):
        k = whole("make_blobs: centers", centers, least=1)
        centers = 5.0 * circle(np.linspace(0.0, 2.0 * np.pi, k, endpoint=False))
    try:
        centers = np.asarray(centers, dtype=float)
    except (TypeError, ValueError) as error:
        raise DtypeError(f"make_blobs: centers={centers!s:.60} are not numbers (classes, d).") from error
    if centers.ndim != 2 or not centers.size:
        raise ShapeError(f"make_blobs: centers have shape {centers.shape}; it is (classes, d), or give their number.")
    y = np.sort(np.arange(n) % len(centers))
    return centers[y] + spread * generator(rng).standard_normal((n, centers.shape[1])), y


def make_xor(n: int = 200, noise: float = 0.1, rng: Any = None) -> tuple[Floats, Labels]:
    """Four squares like a chessboard's: X (n, 2) from -1 to 1, y (n,) is 1 where the coordinates differ in sign.

    The points go round the squares, one each.  `noise` is the standard deviation of what is added to the points after
    they have their label: no line separates the classes, and with much noise nothing does.

    >>> X, y = make_xor(4, noise=0.0, rng=0)
    >>> np.sign(X).tolist(), y.tolist()
    ([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]], [0, 1, 0, 1])
    """
    n, noise, rng = whole("make_xor: n", n, least=1), at_least_zero("make_xor: noise", noise), generator(rng)
    signs = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])[np.arange(n) % 4]
    X = signs * rng.uniform(size=(n, 2)) + noise * rng.standard_normal((n, 2))
    return X, (signs[:, 0] != signs[:, 1]).astype(np.int64)
