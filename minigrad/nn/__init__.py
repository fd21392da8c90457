"""Layers, losses and models, with PyTorch's names."""

from . import functional, init
from .layers import CrossEntropyLoss, HingeLoss, Linear, MulticlassHingeLoss, ReLU, Sigmoid, Softmax, Tanh
from .models import MLP, LinearSVM
from .module import Module, Parameter, Sequential

__all__ = [
    "MLP", "CrossEntropyLoss", "HingeLoss", "Linear", "LinearSVM", "Module", "MulticlassHingeLoss", "Parameter", "ReLU",
    "Sequential", "Sigmoid", "Softmax", "Tanh", "functional", "init",
]  # fmt: skip
