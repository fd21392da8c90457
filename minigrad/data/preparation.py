"""Numbers in the form in which models learn well: standardised, whitened, one-hot.

Means, spreads and directions are learned once, from the array given when the layer is made: give the training rows,
and no test row can leak in.  The layer can stand alone, or be the first one of a model and be saved with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import at_least_zero, whole
from ..convert import is_value, shape_of
from ..errors import AnomalyError, DtypeError, ShapeError
from ..nn import Module
from ..theory import zca_matrix
from .arrays import numbers, rows

__all__ = ["Standardize", "Whiten", "one_hot"]


class Standardize(Module):
    """(x - mean) / standard deviation, both those of the training rows `X` (n, ...): columns get mean 0, variance 1.

    A column that is constant in `X` becomes 0.  `axis=(0, 2, 3)` takes one mean and deviation per channel of images
    (n, channels, height, width).  Arrays in give arrays out.

    Raises `ShapeError` for data without rows and for other columns than those of `X`, `DtypeError` for what are not
    numbers, `AnomalyError` for a nan or an infinity.

    >>> X_train, X_test = [[1.0, 5.0], [3.0, 5.0]], [[2.0, 5.0], [5.0, 6.0]]
    >>> standardize = Standardize(X_train)
    >>> standardize(X_train).tolist(), standardize(X_test).tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [3.0, 1.0]])
    """

    mean: Any
    scale: Any

    def __init__(self, X: Any, axis: int | tuple[int, ...] = 0) -> None:
        X = floats(rows("Standardize", X))
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        if 0 not in self.axis or not all([0 <= a < X.ndim for a in self.axis]):
            raise ShapeError(
                f"Standardize: axis={axis} for X {X.shape}; it is 0 (rows), or has it: (0, 2, 3) for images."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = X.mean(self.axis, float, keepdims=True), X.std(self.axis, float, keepdims=True)
        constant = X.max(self.axis, keepdims=True) == X.min(self.axis, keepdims=True)
        if not (np.isfinite(scale) & ((scale > 0.0) | constant)).all():
            size, remedy = ("small", "multiply") if np.isfinite(scale).all() else ("large", "divide")
            raise AnomalyError(f"Standardize: the numbers are too {size} for a variance; {remedy} them first.")
        mean, scale = np.where(constant, X[:1].max(self.axis, keepdims=True), mean), np.where(constant, 1.0, scale)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        self.register_buffer("mean", np.asarray(mean[0], dtype))
        self.register_buffer("scale", np.asarray(scale[0], dtype))

    def forward(self, x: Any) -> Any:
        return (self.fitting(x) - self.mean) / self.scale

    def inverse(self, x: Any) -> Any:
        """Back to the numbers as they were: predictions of a standardised y in its own unit.

        >>> in_euros = Standardize([100.0, 300.0])
        >>> in_euros.inverse(in_euros([250.0])).tolist()
        [250.0]
        """
        return self.fitting(x) * self.scale + self.mean

    def fitting(self, x: Any) -> Any:
        x = x if is_value(x) else floats(numbers("Standardize", x, "x"))
        own, shape = self.mean.shape, shape_of(x)
        end = shape[len(shape) - len(own) :]
        if len(shape) < len(own) or any(
            [a != b and i not in self.axis for i, (a, b) in enumerate(zip(own, end, strict=True), 1)]
        ):
            raise ShapeError(f"Standardize: it knows rows of shape {own}, not those of {shape}.")
        return x

    def extra_repr(self) -> str:
        return f"rows of shape {self.mean.shape}"


class Whiten(Module):
    """(x - mean) W, after which the training rows `X` (n, d) have covariance 1: variance 1 and no correlation.

    `kind="zca"` moves the rows least, so that images stay images: W = U diag(1/√(s + ε)) Uᵀ, where U diag(s) Uᵀ is
    the covariance.  `kind="pca"` goes on to the principal axes, largest variance first, W = U diag(1/√(s + ε)), and may
    keep only the first `components` of them; `.variances` are the s.

    `X` may have more axes, such as images (n, channels, height, width): a row is then an image, and ZCA gives images.
    Directions with a variance far below `eps` are noise or constant and stay small; for images 0.01 to 0.1 is usual.
    Raises as `Standardize` does, and `ValueError` for an unknown kind.  Source: Krizhevsky, 2009, appendix A.

    >>> X = np.array([[3.0, 1.0], [1.0, 3.0], [-3.0, -1.0], [-1.0, -3.0]])
    >>> Whiten(X, eps=0.0)(X).round(3).tolist()
    [[1.414, 0.0], [-0.0, 1.414], [-1.414, 0.0], [0.0, -1.414]]
    >>> Whiten(X, "pca", components=1, eps=0.0)(X).round(3).tolist()
    [[1.0], [1.0], [-1.0], [-1.0]]
    """

    mean: Any
    matrix: Any

    def __init__(self, X: Any, kind: str = "zca", components: int | None = None, eps: float = 1e-5) -> None:
        X = floats(rows("Whiten", X))
        if X.ndim < 2 or len(X) < 2 or not X.size:
            raise ShapeError(f"Whiten: X has shape {X.shape}; it takes at least two rows, (n, d).")
        if kind not in ("zca", "pca"):
            raise ValueError(f"Whiten: kind={kind!r}; it is 'zca' or 'pca'.")
        self.kind, self.shape, self.eps = kind, X.shape[1:], at_least_zero("Whiten: eps", eps)
        flat = X.reshape(len(X), -1).astype(float)
        if kind == "pca" or eps == 0.0:
            self.variances, axes = principal_axes(flat)
            if eps == 0.0 and self.variances[-1] <= 1e-12 * self.variances[0]:
                raise ValueError("Whiten: eps=0, and a direction without variance: 1 / √0; take eps above 0.")
        matrix = zca_matrix(flat, eps)
        if kind == "pca":
            d = flat.shape[1]
            components = d if components is None else whole("Whiten: components", components, least=1)
            if components > d:
                raise ShapeError(f"Whiten: components={components}, but the rows have {d} numbers.")
            matrix = matrix @ axes[:, :components]  # ZCA, turned onto the axes: U diag(1/√(s + ε)) Uᵀ U
        elif components is not None:
            raise ValueError("Whiten: components are those of kind='pca'; ZCA keeps all.")
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        self.register_buffer("mean", flat.mean(axis=0).astype(dtype))
        self.register_buffer("matrix", matrix.astype(dtype))

    def forward(self, x: Any) -> Any:
        x = x if is_value(x) else floats(numbers("Whiten", x, "x"))
        shape = shape_of(x)
        if shape[1:] != self.shape:
            raise ShapeError(f"Whiten: it knows rows of shape {self.shape}, not those of {shape}.")
        white = (x.reshape((shape[0], len(self.mean))) - self.mean) @ self.matrix
        return white.reshape(shape) if self.kind == "zca" else white

    def extra_repr(self) -> str:
        return f"{self.kind!r}, rows of shape {self.shape}, eps={self.eps}"


def principal_axes(X: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The variances s, largest first, and the axes U as columns; the largest number of each axis is positive."""
    centred = X - X.mean(axis=0)
    s, U = np.linalg.eigh(centred.T @ centred / len(X))
    s, U = np.maximum(s[::-1], 0.0), U[:, ::-1]
    return s, U * np.sign(U[np.abs(U).argmax(axis=0), np.arange(len(s))])


def floats(array: Any) -> Any:
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def one_hot(y: Any, classes: int | None = None) -> npt.NDArray[np.float64]:
    """Class numbers y (...) as rows of 0 with a 1 at the class: (..., classes); without `classes`, up to the largest.

    Raises `DtypeError` for labels that are not whole numbers, `ShapeError` for one outside 0 to classes - 1.

    >>> one_hot([2, 0]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    labels = np.asarray(y.data if is_value(y) else y)
    if labels.dtype.kind not in "iu" and labels.size:
        raise DtypeError(
            f"one_hot: labels are class numbers (integers), not {labels.dtype}; y.astype(int), or for text "
            "np.unique(y, return_inverse=True)[1]."
        )
    if classes is None:
        if not labels.size:
            raise ShapeError("one_hot: without labels, say how many classes there are: classes=10.")
        classes = int(labels.max()) + 1
    classes = whole("one_hot: classes", classes, least=1)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise ShapeError(f"one_hot: label {wrong}, but the classes are 0 to {classes - 1}.")
    hot: npt.NDArray[np.float64] = np.eye(classes)[labels.astype(int)]
    return hot
