"""Images moved and mirrored at random, so that a model sees more of them than there are.

Both take and give raw arrays (n, height, width) or (n, channels, height, width), and fit `DataLoader(transform=)`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import number, whole
from ..convert import describe, is_value
from ..errors import DtypeError, ShapeError
from ..random import generator

__all__ = ["random_flip", "random_shift"]


def random_shift(X: Any, rng: Any = None, pixels: int = 2, fill: float = 0.0) -> npt.NDArray[Any]:
    """Each image moved by up to `pixels` in each direction, its own way; what comes in at the border is `fill`.

    >>> random_shift(np.ones((1, 2, 3)), rng=3, pixels=1)
    array([[[0., 0., 0.],
            [0., 1., 1.]]])
    """
    X, pixels = images("random_shift", X), whole("random_shift: pixels", pixels, least=0)
    around = [(0, 0)] * (X.ndim - 2) + [(pixels, pixels)] * 2
    padded = np.pad(X, around, constant_values=fill)
    places = np.lib.stride_tricks.sliding_window_view(padded, X.shape[-2:], axis=(-2, -1))
    down, right = np.floor(generator(rng).uniform(size=(2, len(X))) * (2 * pixels + 1)).astype(int)
    moved: npt.NDArray[Any] = np.ascontiguousarray(places[np.arange(len(X)), ..., down, right, :, :])
    return moved


def random_flip(X: Any, rng: Any = None, p: float = 0.5) -> npt.NDArray[Any]:
    """Each image mirrored left to right with probability `p`.  (Not for digits: a mirrored 3 is no 3.)

    >>> random_flip(np.arange(6).reshape(2, 1, 3), rng=1)
    array([[[0, 1, 2]],
    <BLANKLINE>
           [[3, 4, 5]]])
    """
    X = images("random_flip", X)
    if not 0.0 <= number("random_flip: p", p) <= 1.0:
        raise ValueError(f"random_flip: p={p}; it is a probability, from 0 to 1.")
    mirrored = generator(rng).uniform(size=len(X)) < p
    flipped: npt.NDArray[Any] = np.where(mirrored.reshape(-1, *[1] * (X.ndim - 1)), X[..., ::-1], X)
    return flipped


def images(name: str, X: Any) -> Any:
    if is_value(X):
        raise DtypeError(f"{name}: X is {describe(X)}; images are raw arrays: pass X.data.")
    X = np.asarray(X)
    if X.ndim not in (3, 4):
        raise ShapeError(
            f"{name}: X has shape {X.shape}; images are (n, height, width) or (n, channels, height, width): "
            "X.reshape(-1, 1, 28, 28) lays out rows of 784 pixels."
        )
    return X
