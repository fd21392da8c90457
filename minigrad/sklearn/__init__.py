"""Estimators with scikit-learn's interface: they work in its pipelines, searches, cross-validation and displays.

Needs scikit-learn: pip install "minigrad-engine[data]".

>>> from minigrad.sklearn import SoftmaxRegression
>>> X, y = [[-2.0], [-1.0], [1.0], [3.0]], ["left", "left", "right", "right"]
>>> SoftmaxRegression().fit(X, y).predict([[-5.0], [2.0]])
array(['left', 'right'], dtype='<U5')
"""

from ..errors import MissingExtraError

try:
    import sklearn as _
except ImportError as error:
    raise MissingExtraError('minigrad.sklearn needs scikit-learn: pip install "minigrad-engine[data]"') from error

from .linear import LinearSVC, SoftmaxRegression
from .mlp import MLPClassifier, MLPRegressor

__all__ = ["LinearSVC", "MLPClassifier", "MLPRegressor", "SoftmaxRegression"]
