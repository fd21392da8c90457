"""minigrad: backpropagation that you can read, draw and train with.

>>> import minigrad as mg
>>> x = mg.Value(3.0, label="x")
>>> y = x * x + 2.0
>>> y.backward()
>>> y.data, x.grad
(11.0, 6.0)
"""

import numpy as _np

from . import copying as _copying
from . import data, export, gates, linalg, nn, optim, optimize, parallel, sweep, theory, train, viz
from .check import GradcheckReport, gradcheck, numerical_grad
from .compile import compile
from .debug import detect_anomaly
from .gates import *
from .io import load, save
from .random import seed
from .transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .value import Gate, Value, no_grad

__version__ = "0.1.0"
__all__ = [
    "Gate", "GradcheckReport", "Value", "compile", "data", "detect_anomaly", "export", "gates", "grad", "gradcheck",
    "hessian", "hvp", "jacobian", "jvp", "linalg", "load", "nn", "no_grad", "numerical_grad", "optim", "optimize",
    "parallel", "save", "seed", "sweep", "theory", "train", "value_and_grad", "viz", "vjp", *gates.__all__,
]  # fmt: skip

# Linux's C library gives large freed arrays back to the system, which hands memory out again page by page: two fifths
# of a convolutional network's time.  It keeps those up to the largest that was freed: 32 MB, of which we touch no page.
_np.empty(2**25 - 2**16, _np.uint8)
