"""Skinny matrix products in pieces: one call for a stack of small products in place of one large product.

Before it multiplies, a BLAS copies both factors into the order that its kernel wants.  That pays where every number is
used often.  In a skinny product (3072 inputs, 10 classes; 9 weights, 20,000 places of an image) it is most of the work.
OpenBLAS has other kernels, which copy nothing, for products of up to a million multiplications, on CPUs with AVX-512
(`small_matrix_optimization` in its source).  So a skinny product is cut along its longest axis into a stack of products
which are just small enough.  Measured on 160 shapes and orders of the axes: 0.2 to 0.95 of the time of the whole.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np

__all__ = ["cut", "product", "small_kernels"]

# All of these are measured, but the first two, which are OpenBLAS's.
SMALL = 1_000_000  # multiplications
DOT = 1200  # results of a small product A Bᵀ, for which it has a kernel of dot products
LEAST = 32  # the length of a piece
SKINNY = {"rows": 8192, "columns": 8192, "sum": 8192}  # the product of the two axes that are not cut
SKINNY_FLOAT64 = {**SKINNY, "columns": 2048}
SUMMED = 16, 64  # how long the sums must be: of Aᵀ Bᵀ, and of A Bᵀ
STEP, ROWS = 16384, 64  # bytes; where rows begin at multiples of it, a cache holds few of them: no pieces of more


@cache
def small_kernels() -> bool:
    """Whether NumPy's BLAS has kernels for small products on this CPU."""
    built: Any = np.show_config(mode="dicts")
    blas = built["Build Dependencies"]["blas"]["name"]
    features = getattr(np._core._multiarray_umath, "__cpu_features__", {})  # type: ignore[attr-defined]
    return "openblas" in blas.lower() and bool(features.get("AVX512_SKX"))


@lru_cache(maxsize=256)
def cut(m: int, k: int, n: int, a_turned: bool, b_turned: bool, dtype: Any) -> tuple[str, int] | None:
    """How to cut A (m, k) times B (k, n): which axis, and the length of a piece; None for not at all.

    `a_turned` and `b_turned` say that a factor lies in memory with its axes exchanged.

    >>> cut(256, 3072, 10, False, True, np.float32), cut(10, 256, 3072, True, False, np.float32)
    (('rows', 32), ('columns', 384))
    >>> cut(128, 784, 256, False, True, np.float32)  # each number is used often
    """
    dots = b_turned and not a_turned
    if min(m, k, n) < 2 or (m * k * n <= SMALL and (not dots or m * n <= DOT)):
        return None
    limits = SKINNY if dtype == np.float32 else SKINNY_FLOAT64
    sizes = {"rows": m, "sum": k, "columns": n}
    for axis in sorted(sizes, key=lambda axis: -sizes[axis]):
        others = m * k * n // sizes[axis]
        most = SMALL // others
        if dots:
            results = {"rows": n, "columns": m}
            if axis == "sum" and m * n > DOT:
                continue
            most = min(most, DOT // results[axis]) if axis in results else most
        elif others > limits[axis] or (axis == "columns" and k > ROWS and n * np.dtype(dtype).itemsize % STEP == 0):
            continue
        piece = next((i for i in range(min(most, sizes[axis] // 2), LEAST - 1, -1) if sizes[axis] % i == 0), 0)
        summed = piece if axis == "sum" else k
        if piece and not (b_turned and summed < SUMMED[dots]):
            return axis, piece
    return None


def how_to_cut(a: Any, b: Any) -> tuple[str, int] | None:
    """`cut` for two arrays; None for what are no matrices of floats, and where the BLAS has no small kernels."""
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.dtype not in (np.float32, np.float64):
        return None
    (m, k), n = a.shape, b.shape[1]
    a_turned, b_turned = [x.strides[0] == x.itemsize < x.strides[1] for x in (a, b)]
    return cut(m, k, n, a_turned, b_turned, a.dtype) if small_kernels() else None


def product(a: Any, b: Any) -> Any:
    """a @ b, of arrays in pieces where that is quicker.

    >>> a, b = np.ones((8, 300_000)), np.ones((300_000, 9))
    >>> bool((product(a, b) == 300_000.0).all())
    True
    """
    if type(a) is not np.ndarray or type(b) is not np.ndarray or a.size * b.shape[-1] <= SMALL:
        return a @ b
    if (how := how_to_cut(a, b)) is None:
        return a @ b
    (m, k), n, (axis, size) = a.shape, b.shape[1], how
    if axis == "sum":
        return np.add.reduce(a.reshape(m, -1, size).swapaxes(0, 1) @ b.reshape(-1, size, n), axis=0)
    out = np.empty((m, n), a.dtype)
    if axis == "rows":
        np.matmul(a.reshape(-1, size, k), b, out=out.reshape(-1, size, n))
    else:
        np.matmul(a, b.reshape(k, -1, size).swapaxes(0, 1), out=out.reshape(m, -1, size).swapaxes(0, 1))
    return out
