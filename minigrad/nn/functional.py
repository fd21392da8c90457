"""Layers, activations and losses as functions; the gates that PyTorch has in this place are found here, too."""

from __future__ import annotations

from typing import Any

from ..gates import (
    avg_pool1d,
    avg_pool2d,
    celu,
    conv1d,
    conv2d,
    conv_transpose2d,
    elu,
    gelu,
    hardsigmoid,
    hardtanh,
    leaky_relu,
    log_softmax,
    logsigmoid,
    matmul,
    max_pool1d,
    max_pool2d,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
    transpose,
    unfold,
)
from ..gates import linear as linear_gate
from .losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    multiclass_hinge_loss,
    nll_loss,
    smooth_l1_loss,
)

__all__ = [
    "avg_pool1d", "avg_pool2d", "binary_cross_entropy_with_logits", "celu", "conv1d", "conv2d", "conv_transpose2d",
    "cross_entropy", "elu", "gelu", "hardsigmoid", "hardtanh", "hinge_loss", "huber_loss", "kl_div", "l1_loss",
    "leaky_relu", "linear", "log_softmax", "logsigmoid", "max_pool1d", "max_pool2d", "mish", "mse_loss",
    "multi_margin_loss", "multiclass_hinge_loss", "nll_loss", "relu", "relu6", "selu", "sigmoid", "silu",
    "smooth_l1_loss", "softmax", "softplus", "softsign", "tanh", "unfold",
]  # fmt: skip


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b for x of shape (..., in), weight (out, in) and bias (out,)."""
    return matmul(x, transpose(weight)) if bias is None else linear_gate(x, weight, bias)
