"""Linear classifiers: convex objectives, minimised by L-BFGS on the whole data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .. import gates, nn, optim
from ..arguments import at_least_zero, number, whole
from ..nn import functional
from ..nn.init import zeros_
from ..value import no_grad
from .scores import Probabilities, ScoreClassifier

__all__ = ["LinearSVC", "SoftmaxRegression"]


def positive(name: str, x: Any) -> Any:
    """`x` itself; `DtypeError` for what is not a number, `ValueError` for one that isn't above 0, inf or nan."""
    if not 0.0 < number(name, x) < float("inf"):
        raise ValueError(f"{name}={x}; it is a number above 0.")
    return x


class SoftmaxRegression(Probabilities, ScoreClassifier):
    """Multinomial logistic regression: the W and b that minimise ½ ‖W‖² + C Σ cross-entropy(softmax(W x + b), label).

    That is scikit-learn's `LogisticRegression(C)` for three classes and more; for two, too, there is a row of W per
    class here, which is its regression with 2 C.  The method is L-BFGS; it ends when no slope of the objective, divided
    by C n, is above `tol`, or with a `ConvergenceWarning` after `max_iter` iterations.

    `fit` sets `coef_` (classes, features), `intercept_` (classes,), `classes_`, `n_iter_` and `model_`, an `nn.Linear`.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> softmax = SoftmaxRegression().fit(X, y)
    >>> softmax.predict_proba([[5.0, 3.4, 1.5, 0.2]]).round(3)
    array([[0.976, 0.024, 0.   ]])
    """

    def __init__(self, C: float = 1.0, *, tol: float = 1e-4, max_iter: int = 1000) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from X (n, features) and labels y (n,); returns the estimator itself."""
        decay = 1.0 / positive("C", self.C)
        tol, max_iter = at_least_zero("tol", self.tol), whole("max_iter", self.max_iter, least=1)
        X, labels = self.check_data(X, y)
        self.model_ = nn.Linear(X.shape[1], len(self.classes_), rng=0)
        weight, bias = [zeros_(p) for p in self.model_.parameters()]
        optimizer = optim.LBFGS(
            [weight, bias], max_iter=max_iter, tolerance_grad=tol, tolerance_change=1e-16, line_search_fn="strong_wolfe"
        )

        def objective() -> Any:
            optimizer.zero_grad()
            penalty = 0.5 * decay / len(X) * gates.sum_of_squares(weight)
            loss = functional.cross_entropy(self.model_(X), labels) + penalty
            loss.backward()
            return loss

        optimizer.step(objective)
        self.n_iter_ = optimizer.seen.n_iter
        objective()
        steepest = max(np.abs(weight.grad).max(), np.abs(bias.grad).max())
        if not steepest <= tol:  # also where it is nan
            warnings.warn(
                f"SoftmaxRegression: after {self.n_iter_} iterations a slope of the mean loss is {steepest:.2g}, above "
                f"tol={tol}. Scale the data (StandardScaler), or raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        optimizer.zero_grad()
        self.coef_, self.intercept_ = weight.data.copy(), bias.data.copy()
        return self


class LinearSVC(ScoreClassifier):
    """The linear support vector machine: the (w, b) that minimise ½ ‖(w, b)‖² + C Σ hinge.

    `loss` is "hinge" or "squared_hinge"; the hinge is max(0, 1 - y (w x + b)) for labels y of -1 and +1.  Several
    classes are told apart by `multi_class`: "ovr", a machine per class against the rest; or one machine for all, whose
    hinge counts by how much the other classes come within 1 of the label's score: their sum ("weston_watkins") or the
    worst ("crammer_singer").  The objectives are scikit-learn's, whose default loss is the squared hinge.

    The hinge has a corner, where a slope says nothing of what is near.  It is rounded off by a parabola of width μ, and
    L-BFGS minimises the smooth objective F_μ, which nowhere exceeds the true F; then μ shrinks.  Both are bowls at
    least as steep as ½ ‖w‖², so that min F >= min F_μ >= F_μ(w) - ½ ‖gradient‖²: training ends when F(w) is proven to
    be within the fraction `tol` of the minimum, or with a `ConvergenceWarning` after `max_iter` iterations.

    `fit` sets `coef_` (1 or classes, features), `intercept_`, `classes_`, `support_` (the rows of X that a hinge still
    pushes, or that lie within 0.01 of its corner), `n_iter_`, `objective_` and `model_`, an `nn.LinearSVM`.

    >>> svm = LinearSVC(C=10.0).fit([[-3.0], [-1.0], [1.0], [2.0]], ["a", "a", "b", "b"])
    >>> svm.coef_.round(2), svm.support_
    (array([[1.]]), array([1, 2]))
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        loss: str = "hinge",
        multi_class: str = "ovr",
        tol: float = 1e-2,
        max_iter: int = 1000,
    ) -> None:
        self.C = C
        self.loss = loss
        self.multi_class = multi_class
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from X (n, features) and labels y (n,); returns the estimator itself."""
        C = positive("C", self.C)
        tol, max_iter = at_least_zero("tol", self.tol), whole("max_iter", self.max_iter, least=1)
        self.check_options()
        X, labels = self.check_data(X, y)
        signs = np.where(labels[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)  # (n, classes)
        signs = signs if len(self.classes_) > 2 else signs[:, 1:]
        self.model_ = nn.LinearSVM(X.shape[1], signs.shape[1], rng=0)
        self.minimize(X, signs, C, tol, max_iter)
        self.coef_, self.intercept_ = [p.data.copy() for p in self.model_.parameters()]
        short = shortfall(self.model_.scores(X), signs, self.multi_class)
        self.support_ = np.flatnonzero(np.any(short > -1e-2, axis=1))
        return self

    def minimize(self, X: Any, signs: Any, C: float, tol: float, max_iter: int) -> None:
        """Move `model_` to where the objective is proven to be within the fraction `tol` of the minimum."""
        parameters = [zeros_(p) for p in self.model_.parameters()]
        options: dict[str, Any] = dict(
            max_iter=20, tolerance_grad=0.0, tolerance_change=1e-12, line_search_fn="strong_wolfe"
        )
        optimizer = optim.LBFGS(parameters, **options)

        def objective(rounding: float) -> Any:
            cost = self.cost(shortfall(self.model_(X), signs, self.multi_class), rounding)
            return 0.5 * gates.sum_of_squares(parameters) + C * cost

        def rounded() -> Any:
            optimizer.zero_grad()
            loss = objective(width)
            loss.backward()
            return loss

        width, bound, self.n_iter_ = 1.0, 0.0, 0
        while self.n_iter_ < max_iter:
            before = optimizer.seen.n_iter
            optimizer.step(rounded)
            iterations = optimizer.seen.n_iter - before
            self.n_iter_ += max(1, iterations)
            lower = float(rounded())
            slope = 0.5 * float(gates.sum_of_squares([p.grad for p in parameters]))
            bound = max(bound, lower - slope)
            with no_grad():
                self.objective_ = float(objective(0.0))
            if self.objective_ - bound <= tol * self.objective_:
                break
            if iterations < 20:  # stuck: what it remembers is of a wider corner
                optimizer = optim.LBFGS(parameters, **options)
            if slope < self.objective_ - lower:  # what is missing is mostly the rounding's
                width *= 0.3
        else:
            warnings.warn(
                f"LinearSVC: after {self.n_iter_} iterations the objective, {self.objective_:.6g}, is only known to be "
                f"at most {self.objective_ - bound:.2g} above the minimum, more than the fraction tol={tol}. Scale the "
                "data (StandardScaler), lower C, or raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
        optimizer.zero_grad()

    def check_options(self) -> None:
        """`ValueError` for a loss or a way with several classes that there is not."""
        options = {"loss": ("hinge", "squared_hinge"), "multi_class": ("ovr", "weston_watkins", "crammer_singer")}
        for name, known in options.items():
            if getattr(self, name) not in known:
                raise ValueError(f"LinearSVC: {name}={getattr(self, name)!r:.60}; it is one of {', '.join(known)}.")

    def cost(self, short: Any, rounding: float) -> Any:
        """The sum of the hinges of what is short, with the corner rounded off over a width."""
        if self.multi_class == "crammer_singer" and short.shape[1] > 1:
            short = worst(short, rounding)
        pushed = gates.relu(short)
        if self.loss == "squared_hinge":
            return gates.sum_of_squares(pushed)
        if rounding == 0.0:
            return gates.sum(pushed)
        return functional.smooth_l1_loss(pushed, np.zeros(pushed.shape), beta=rounding, reduction="sum")


def shortfall(scores: Any, signs: Any, multi_class: str) -> Any:
    """By how much each score (n, classes) misses its margin: 1 - sign · score, or score - score[label] + 1.

    In the second form an entry of the label itself is -1, and so never pushed.
    """
    if multi_class == "ovr" or signs.shape[1] == 1:
        return 1.0 - signs * scores
    return scores - gates.sum(gates.where(signs > 0, scores, 0.0), axis=1, keepdims=True) - signs


def worst(short: Any, rounding: float) -> Any:
    """The largest entry of each row, (n,); where it is rounded, a smooth one at most `rounding` log(classes) lower."""
    if rounding == 0.0:
        return gates.max(short, axis=1)
    return rounding * (gates.logsumexp(short / rounding, axis=1) - np.log(short.shape[1]))
