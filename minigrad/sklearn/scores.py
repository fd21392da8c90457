"""What the estimators share: raw scores from the fitted `model_`, and the classifiers' answers made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ..gates import softmax
from ..value import no_grad

__all__ = ["Probabilities", "ScoreClassifier", "scores"]


def scores(estimator: Any, X: Any) -> Any:
    """The output (n, outputs) of `estimator.model_` for the rows of X, as a raw array.

    Raises scikit-learn's `NotFittedError` before `fit`, and what its `validate_data` raises for X that doesn't fit.
    """
    check_is_fitted(estimator)
    dtype = next(estimator.model_.parameters()).dtype
    X = validate_data(estimator, X, dtype=dtype, reset=False)
    with no_grad():
        return estimator.model_(X).data


class ScoreClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose `model_` gives a score per class, or for two classes one score: above 0 is the second."""

    def check_data(self, X: Any, y: Any, dtype: Any = np.float64) -> tuple[Any, Any]:
        """X as an array, and y as numbers from 0; keeps the labels in `classes_`."""
        X, y = validate_data(self, X, y, dtype=dtype)
        check_classification_targets(y)
        self.classes_, labels = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            only = f"y has 1 class, {self.classes_.tolist()[0]!r:.60}"
            raise ValueError(f"{type(self).__name__} needs labels of at least 2 classes; {only}.")
        return X, labels

    def decision_function(self, X: Any) -> Any:
        """The scores (n, classes) of the rows of X; for two classes (n,): how far the second is ahead of the first."""
        out = scores(self, X)
        if len(self.classes_) > 2:
            return out
        return out[:, 0] if out.shape[1] == 1 else out[:, 1] - out[:, 0]

    def predict(self, X: Any) -> Any:
        """The label of each row of X, (n,): that of the highest score."""
        out = self.decision_function(X)
        return self.classes_[np.argmax(out, axis=1) if out.ndim == 2 else (out > 0.0).astype(int)]


class Probabilities:
    """`predict_proba` for a `model_` that is trained by cross-entropy."""

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class, (n, classes), in the order of `classes_`: the softmax of the scores."""
        return softmax(scores(self, X), axis=1)
