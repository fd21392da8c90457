"""The catalogue of gates.

Each family is a module of rows: `arithmetic`, `exponential`, `trigonometric`, `hyperbolic`, `rounding`, `special`,
`activations`, `selection`, `comparisons`, `questions`, `reductions`, `cumulative`, `statistics`, `quantiles`, `norms`,
`shapes`, `axes`, `arranging`, `splitting`, `sorting`, `linalg`, `products`, `einsum`, `matrices`, `determinants`,
`factorizations`, `windows`, `convolution`, `pooling`, `losses`.
`operators` and `numpy_protocol` make the rows reachable: as `Value`'s operators and methods, and through
NumPy's functions.
"""

from . import numpy_protocol, operators, table
from .activations import *
from .arithmetic import *
from .arranging import *
from .axes import *
from .comparisons import *
from .convolution import *
from .cumulative import *
from .determinants import *
from .einsum import *
from .exponential import *
from .factorizations import *
from .hyperbolic import *
from .linalg import *
from .losses import *
from .matrices import *
from .norms import *
from .pooling import *
from .products import *
from .quantiles import *
from .questions import *
from .reductions import *
from .registry import COMPOSED, REGISTRY
from .rounding import *
from .selection import *
from .shapes import *
from .sorting import *
from .special import *
from .splitting import *
from .statistics import *
from .trigonometric import *
from .windows import *

globals().update({name: REGISTRY.get(name) or COMPOSED[name] for name in (*REGISTRY, *COMPOSED)})  # also new rows
operators.attach()
numpy_protocol.attach(operators.ALIASES)
abs, amax, amin, mod = (REGISTRY[name] for name in ("absolute", "max", "min", "remainder"))
HIDDEN = (  # gates for derivative statements, and what functions are made of: not for users
    "columns", "filtered", "largest", "positive", "put", "select", "uncolumns",
)  # fmt: skip
__all__ = [
    *[name for name in REGISTRY if name not in HIDDEN], *COMPOSED, "abs", "amax", "amin", "mod", "REGISTRY",
]  # fmt: skip
