"""Layers, activations and losses as functions; the gates that PyTorch has in this place are found here, too."""

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
    logsigmoid,
    max_pool1d,
    max_pool2d,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
    tanh,
    unfold,
)
from .activations import log_softmax, softmax
from .dropout import dropout
from .layers import embedding, flatten, linear
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
from .normalization import batch_norm, layer_norm

__all__ = [
    "avg_pool1d", "avg_pool2d", "batch_norm", "binary_cross_entropy_with_logits", "celu", "conv1d", "conv2d",
    "conv_transpose2d", "cross_entropy", "dropout", "elu", "embedding", "flatten", "gelu", "hardsigmoid", "hardtanh",
    "hinge_loss", "huber_loss", "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid",
    "max_pool1d", "max_pool2d", "mish", "mse_loss", "multi_margin_loss", "multiclass_hinge_loss", "nll_loss", "relu",
    "relu6", "selu", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus", "softsign", "tanh", "unfold",
]  # fmt: skip
