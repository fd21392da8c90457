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
    cond,
    cross,
    det,
    eigh,
    eigvalsh,
    inv,
    lstsq,
    matmul,
    matrix_power,
    multi_dot,
    norm,
    outer,
    pinv,
    qr,
    slogdet,
    solve,
    svd,
    svdvals,
    tensordot,
    vector_norm,
)

__all__ = [
    "cholesky", "cond", "cross", "det", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_power", "multi_dot",
    "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "vector_norm",
]  # fmt: skip
