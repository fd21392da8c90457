"""Layers, losses and models, with PyTorch's names.

Start with `layers.py`: `Linear` shows what a layer is, and `module.py` what it inherits.
"""

from . import functional, init, utils
from .activations import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .containers import ModuleList, Sequential
from .convolution import AvgPool2d, Conv1d, Conv2d, MaxPool2d
from .dropout import Dropout
from .layers import Embedding, Flatten, Linear
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
    "Linear", "Conv1d", "Conv2d", "MaxPool2d", "AvgPool2d", "Flatten", "Embedding", "RNNCell",
    "BatchNorm1d", "BatchNorm2d", "LayerNorm", "Dropout",
    "ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Tanh", "Sigmoid", "Softplus", "Softmax", "LogSoftmax",
    "CrossEntropyLoss", "NLLLoss", "BCEWithLogitsLoss", "KLDivLoss", "MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss",
    "HingeLoss", "MulticlassHingeLoss", "MultiMarginLoss", "functional", "init", "utils",
]  # fmt: skip
