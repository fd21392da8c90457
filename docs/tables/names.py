"""What NumPy and PyTorch call the gates; tests check that these names exist there."""

from __future__ import annotations

import numpy as np

__all__ = ["TORCH", "numpy_name", "torch_name"]

NUMPY = {"select": "", "put": "", "positive": "np.positive", "getitem": "x[index]", "astype": "x.astype"}


def numpy_name(name: str) -> str:
    """The function of NumPy that the gate answers to, or nothing.  (np.select and np.put are other functions.)"""
    if name in NUMPY:
        return NUMPY[name]
    if hasattr(np, name):
        return f"np.{name}"
    return f"np.linalg.{name}" if hasattr(np.linalg, name) else ""


def torch_name(name: str) -> str:
    return TORCH.get(name, "")


SAME = """
    add multiply positive subtract negative divide reciprocal floor_divide remainder square absolute sign equal
    not_equal less less_equal greater greater_equal isnan isinf isfinite relu maximum minimum fmax fmin clip where exp
    exp2 expm1 log log2 log10 log1p sqrt sigmoid logaddexp logaddexp2 sin cos tan arcsin arccos arctan arctan2 hypot
    sinc deg2rad rad2deg sinh cosh tanh arcsinh arccosh arctanh erf erfc erfinv lgamma digamma polygamma xlogy logit
    reshape broadcast_to concatenate stack matmul sum mean logsumexp softmax log_softmax einsum all any argmax argmin
    argsort count_nonzero floor ceil trunc round heaviside nan_to_num prod cumsum cumprod var std lerp ravel flatten
    squeeze moveaxis swapaxes flip rot90 roll tile tril triu diagonal diag trace dot inner outer vdot tensordot kron
    cross sort gather scatter_add quantile conv1d conv2d conv_transpose2d split
"""
FUNCTIONAL = """
    relu6 hardtanh hardsigmoid leaky_relu elu selu celu logsigmoid softplus gelu silu mish softsign linear pad unfold
    max_pool1d max_pool2d avg_pool1d avg_pool2d
"""
LINALG = """
    inv solve det cholesky pinv qr eigh svd slogdet lstsq matrix_power multi_dot norm vector_norm eigvalsh svdvals cond
"""
TORCH = {
    **{name: f"torch.{name}" for name in SAME.split()},
    **{name: f"F.{name}" for name in FUNCTIONAL.split()},
    **{name: f"torch.linalg.{name}" for name in LINALG.split()},
    "power": "torch.pow",
    "max": "torch.amax",
    "median": "torch.median",
    "min": "torch.amin",
    "transpose": "torch.permute",
    "getitem": "x[index]",
    "astype": "x.to",
    "hinge": "",
    "negative_log_softmax": "F.cross_entropy",
    "expand_dims": "torch.unsqueeze",
    "take": "torch.index_select",
    "take_along_axis": "torch.take_along_dim",
    "repeat": "torch.repeat_interleave",
    "array_split": "torch.tensor_split",
}
