"""Optimisers, with PyTorch's names and settings; `sgd.py` is the one to read first, and shows how to add another.

>>> from minigrad import Value, optim
>>> w = Value(3.0)
>>> optimizer = optim.SGD([w], lr=0.1)
>>> for _ in range(50):
...     optimizer.zero_grad()
...     loss = (w - 1.0) ** 2
...     loss.backward()
...     optimizer.step()
>>> round(w.data, 4)
1.0
"""

from . import lr_scheduler
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop, Rprop
from .autoclip import AutoClip
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .sgd import SGD, EMAMomentum

__all__ = [
    "LBFGS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "AutoClip", "EMAMomentum", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "lr_scheduler",
]  # fmt: skip
