"""Multilayer perceptrons, trained by minigrad's own loop."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from .. import nn, optim, train
from ..arguments import at_least_zero, whole
from ..data import DataLoader
from ..nn import functional
from .scores import Probabilities, ScoreClassifier, scores

__all__ = ["MLPClassifier", "MLPRegressor"]

ACTIVATIONS = {
    "identity": nn.Identity, "logistic": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "softplus": nn.Softplus,
}  # fmt: skip

SOLVERS = {
    "sgd": lambda params, lr: optim.SGD(params, lr=lr, momentum=0.9, nesterov=True),  # as scikit-learn's
    "adam": optim.Adam, "nadam": optim.NAdam, "radam": optim.RAdam, "adamax": optim.Adamax,
    "adagrad": optim.Adagrad, "adadelta": optim.Adadelta, "rmsprop": optim.RMSprop,
}  # fmt: skip


class MLP(BaseEstimator):  # type: ignore[misc]
    """What the two perceptrons share: their parameters, and the training."""

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: Any = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    @property
    def coefs_(self) -> list[Any]:
        """The weights of each layer, (inputs, outputs) as in scikit-learn."""
        return [p.data.T for p in self.model_.parameters() if p.ndim == 2]

    @property
    def intercepts_(self) -> list[Any]:
        """The biases of each layer, (outputs,)."""
        return [p.data for p in self.model_.parameters() if p.ndim == 1]

    def learn(self, X: Any, targets: Any, outputs: int, loss: Any, monitor: str, stratify: Any = None) -> None:
        """Train a new `model_` to give the targets for the rows of X; `monitor` is what early stopping looks at."""
        alpha, tol = at_least_zero("alpha", self.alpha), at_least_zero("tol", self.tol)
        patience = whole("n_iter_no_change", self.n_iter_no_change, least=1)
        activation = known("activation", self.activation, ACTIVATIONS)
        solver = known("solver", self.solver, SOLVERS)
        hidden = self.hidden_layer_sizes if np.ndim(self.hidden_layer_sizes) else [self.hidden_layer_sizes]
        seeds = check_random_state(self.random_state)
        rng = np.random.default_rng(seeds.randint(2**31 - 1))
        self.model_ = nn.MLP([X.shape[1], *hidden, outputs], activation, dtype=X.dtype, rng=rng)
        validation = None
        if self.early_stopping:
            X, X_held, targets, held = train_test_split(
                X, targets, test_size=self.validation_fraction, random_state=seeds, stratify=stratify
            )
            validation = X_held, held
        batch_size = min(200, len(X)) if self.batch_size == "auto" else self.batch_size
        batches = DataLoader(X, targets, batch_size=batch_size, shuffle=True, rng=rng)
        parameters = list(self.model_.parameters())
        weights = {"params": [p for p in parameters if p.ndim == 2], "weight_decay": alpha / batches.batch_size}
        optimizer = solver([weights, {"params": [p for p in parameters if p.ndim == 1]}], lr=self.learning_rate_init)
        stop = train.EarlyStopping(monitor, patience=patience, min_delta=tol, restore_best=self.early_stopping)
        run = train.fit if self.verbose else quietly
        self.history_ = run(
            self.model_, batches, loss=loss, optimizer=optimizer, epochs=self.max_iter, validation=validation,
            callbacks=[stop],
        )  # fmt: skip
        optimizer.zero_grad()
        self.loss_curve_ = self.history_.loss
        self.n_iter_ = len(self.loss_curve_)
        if stop.waited < patience and not self.history_.interrupted:
            warnings.warn(
                f"{type(self).__name__}: after max_iter={self.max_iter} epochs {monitor} is still getting better by "
                f"more than tol={tol}. Raise max_iter or learning_rate_init, or scale the data (StandardScaler).",
                ConvergenceWarning,
                stacklevel=3,
            )


def quietly(*arguments: Any, **options: Any) -> train.History:
    """`train.fit` without its progress bar."""
    run = train.steps(*arguments, **options)
    for _ in run:
        pass
    return run.history


def known(name: str, choice: Any, among: dict[str, Any]) -> Any:
    if not isinstance(choice, str) or choice not in among:
        raise ValueError(f"{name}={choice!r:.60}; it is one of {', '.join(among)}.")
    return among[choice]


class MLPClassifier(Probabilities, ScoreClassifier, MLP):
    """A multilayer perceptron with a softmax: an `nn.MLP` trained by cross-entropy and `optim`'s optimisers.

    Parameters and defaults are those of scikit-learn's `MLPClassifier`, as far as they are here; `solver` is one of
    sgd (with Nesterov momentum 0.9), adam, nadam, radam, adamax, adagrad, adadelta and rmsprop.  The objective is, too:
    the mean loss of a batch + alpha / 2 / batch size · the squared weights; `loss_curve_` has the loss alone.  Training
    ends when the loss of an epoch was not better by `tol` for `n_iter_no_change` epochs in a row, or with a
    `ConvergenceWarning` after `max_iter` epochs.  With `early_stopping` the fraction `validation_fraction` of the rows
    is held back, the accuracy on them decides, and the weights of the best epoch stay.  `verbose` shows the progress
    bar of `train.fit`, under which Ctrl-C ends the training and keeps what is learnt.

    `fit` sets `model_` (the `nn.MLP`), `classes_`, `coefs_`, `intercepts_`, `loss_curve_`, `n_iter_` and `history_`,
    the numbers of every epoch.  X of float32 is computed in float32.

    >>> from minigrad.data import make_moons
    >>> X, y = make_moons(100, rng=0)
    >>> mlp = MLPClassifier((16,), learning_rate_init=0.1, random_state=0).fit(X, y)
    >>> mlp.score(X, y)
    1.0
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from X (n, features) and labels y (n,); returns the estimator itself."""
        X, labels = self.check_data(X, y, dtype=(np.float64, np.float32))
        monitor = "val_accuracy" if self.early_stopping else "loss"
        self.learn(X, labels, len(self.classes_), functional.cross_entropy, monitor, stratify=labels)
        return self


class MLPRegressor(RegressorMixin, MLP):  # type: ignore[misc]
    """A multilayer perceptron for numbers: an `nn.MLP` trained by half the squared error of a row.

    Parameters, training and what `fit` sets are those of `MLPClassifier`, but for `classes_`; early stopping looks at
    the loss of the held-back rows.  y may have several columns.  Scale y, too, where it is far from 1
    (`TransformedTargetRegressor`).

    >>> X = np.linspace(-1.0, 1.0, 50).reshape(-1, 1)
    >>> mlp = MLPRegressor((32,), learning_rate_init=0.03, random_state=0).fit(X, X[:, 0] ** 2)
    >>> mlp.score(X, X[:, 0] ** 2) > 0.99
    True
    """

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from X (n, features) and y (n,) or (n, outputs); returns the estimator itself."""
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True)
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        targets = y.reshape(len(y), -1).astype(X.dtype)
        self.learn(X, targets, self.n_outputs_, half_squared_error, "val_loss" if self.early_stopping else "loss")
        return self

    def predict(self, X: Any) -> Any:
        """The numbers for the rows of X: (n,), or (n, outputs) for several."""
        out = scores(self, X)
        return out[:, 0] if self.n_outputs_ == 1 else out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def half_squared_error(out: Any, targets: Any) -> Any:
    """½ ‖error‖² of a row, its mean over the batch: the slope is the error itself, however many outputs there are."""
    return 0.5 * targets.shape[1] * functional.mse_loss(out, targets)
