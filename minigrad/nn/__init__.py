"""Layers, losses and models, with PyTorch's names.

A layer is a small class: what it learns is an attribute, what it computes is `forward`.

>>> from minigrad import nn
>>> class Scale(nn.Module):
...     def __init__(self):
...         self.factor = nn.Parameter(2.0)
...     def forward(self, x):
...         return x * self.factor
>>> model = nn.Sequential(Scale(), nn.Linear(1, 3))
>>> list(model.state_dict()), model([[1.5]]).shape
(['0.factor', '1.weight', '1.bias'], (1, 3))

Go on with `layers.py`, which begins with `Linear`, and `module.py`, for what a layer inherits.
"""

from . import functional, init, utils
from .activations import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .containers import ModuleList, Sequential
from .convolution import AvgPool2d, Conv1d, Conv2d, MaxPool2d
from .dropout import Dropout
from .layers import Embedding, Flatten, Identity, Linear
from .losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MSELoss,
    MulticlassHingeLoss,
    MultiMarginLoss,
    NLLLoss,
    SmoothL1Loss,
)
from .models import MLP, LinearSVM
from .module import Module, Parameter
from .normalization import BatchNorm1d, BatchNorm2d, LayerNorm
from .recurrent import RNNCell

__all__ = [
    "MLP", "LinearSVM", "Module", "Parameter", "Sequential", "ModuleList",
    "Linear", "Conv1d", "Conv2d", "MaxPool2d", "AvgPool2d", "Flatten", "Identity", "Embedding",
    "RNNCell", "BatchNorm1d", "BatchNorm2d", "LayerNorm", "Dropout",
    "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Tanh", "Sigmoid", "Softplus", "Softmax", "LogSoftmax",
    "CrossEntropyLoss", "NLLLoss", "BCEWithLogitsLoss", "KLDivLoss", "MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss",
    "HingeLoss", "MulticlassHingeLoss", "MultiMarginLoss", "functional", "init", "utils",
]  # fmt: skip
