"""Linear algebra under NumPy's names: `mg.linalg.inv(a)`, or `np.linalg.inv(v)` on a `Value`.

>>> from minigrad import Value
>>> a = Value([[1.0, 2.0], [2.0, 4.0]])
>>> det(a).backward()
>>> a.grad.round(6)  # the cofactors, also of a singular matrix
array([[ 4., -2.],
       [-2.,  1.]])
"""

from .gates import (
    cholesky,
    cross,
    det,
    inv,
    lstsq,
    matmul,
    matrix_power,
    multi_dot,
    outer,
    pinv,
    solve,
    tensordot,
)

__all__ = [
    "cholesky", "cross", "det", "inv", "lstsq", "matmul", "matrix_power", "multi_dot", "outer", "pinv", "solve",
    "tensordot",
]  # fmt: skip
