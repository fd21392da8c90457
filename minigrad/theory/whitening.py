"""Whitening: the change of coordinates after which every direction of the data has variance 1, so κ = 1."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["zca_matrix"]


def zca_matrix(X: Any, eps: float = 1e-8) -> np.ndarray:
    """W = U diag(1/√(s + ε)) Uᵀ with the covariance Xᵀ X / n = U diag(s) Uᵀ of X less its mean; (X - mean) W is white.

    X (n, d).  Any rotation of it is white, too; this one, symmetric, moves the data least.  Least squares on white data
    has condition number 1: gradient descent needs one step.  Source: Krizhevsky, 2009, appendix A.

    >>> zca_matrix([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]], eps=0.0).round(6)
    array([[0.707107, 0.      ],
           [0.      , 1.414214]])
    """
    X = np.asarray(X, dtype=float)
    centred = X - X.mean(axis=0)
    s, U = np.linalg.eigh(centred.T @ centred / len(X))
    return np.asarray((U / np.sqrt(np.maximum(s, 0.0) + eps)) @ U.T)
