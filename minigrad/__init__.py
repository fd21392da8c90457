"""minigrad: backpropagation that you can read.

>>> import minigrad as mg
>>> x = mg.Value(3.0)
>>> (x * x).backward()
>>> x.grad
6.0
"""
from . import copying as _copying
from . import gates
from .gates import *  # noqa: F403
from .gates import REGISTRY
from .value import Gate, Value, no_grad
__version__ = "0.1.0"
