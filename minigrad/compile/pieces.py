"""Skinny matrix products in pieces: one call for a stack of small products in place of one large product.

Before it multiplies, a BLAS copies both factors into the order that its kernel wants.  That pays where every number is
used often.  In a skinny product (3072 inputs, 10 classes; 9 weights, 20,000 places of an image) it is most of the work.
OpenBLAS has other kernels, which copy nothing, for products of up to a million multiplications, on CPUs with AVX-512
(`small_matrix_optimization` in its source).  So a skinny product is cut along its longest axis into a stack of products
which are just small enough.  Measured on 160 shapes and orders of the axes: 0.2 to 0.95 of the time of the whole.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .program import Line, Program

__all__ = ["cut", "in_small_products"]

# All of these are measured, but the first two, which are OpenBLAS's.
SMALL = 1_000_000  # multiplications
DOT = 1200  # results of a small product A Bᵀ, for which it has a kernel of dot products
LEAST = 32  # the length of a piece
SKINNY = {"rows": 8192, "columns": 8192, "sum": 8192}  # the product of the two axes that are not cut
SKINNY_FLOAT64 = {**SKINNY, "columns": 2048}
SUMMED = 16, 64  # how long the sums must be: of Aᵀ Bᵀ, and of A Bᵀ


@cache
def small_kernels() -> bool:
    """Whether NumPy's BLAS has kernels for small products on this CPU."""
    built: Any = np.show_config(mode="dicts")
    blas = built["Build Dependencies"]["blas"]["name"]
    features = getattr(np._core._multiarray_umath, "__cpu_features__", {})  # type: ignore[attr-defined]
    return "openblas" in blas.lower() and bool(features.get("AVX512_SKX"))


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
        elif others > limits[axis]:
            continue
        piece = next((i for i in range(min(most, sizes[axis] // 2), LEAST - 1, -1) if sizes[axis] % i == 0), 0)
        summed = piece if axis == "sum" else k
        if piece and not (b_turned and summed < SUMMED[dots]):
            return axis, piece
    return None


def in_small_products(program: Program) -> Program:
    """A skinny matrix product becomes a stack of small ones."""
    if not small_kernels():
        return program
    lines: list[Line] = []
    for line in program:
        how = how_to_cut(line)
        lines += [line] if how is None else in_pieces(line, *how)
    return program.with_lines(lines, program.outputs)


def how_to_cut(line: Line) -> tuple[str, int] | None:
    if line.kind != "call" or line.call not in (np.matmul, np.dot) or line.kwargs:
        return None
    a, b = [x.value if isinstance(x, Line) else x for x in line.args]
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype or a.dtype not in (np.float32, np.float64):
        return None
    (m, k), n = a.shape, b.shape[1]
    a_turned, b_turned = [x.strides[0] == x.itemsize < x.strides[1] for x in (a, b)]
    return cut(m, k, n, a_turned, b_turned, line.dtype)


def in_pieces(line: Line, axis: str, size: int) -> list[Line]:
    """The lines that compute the product of `line` cut along `axis`; `line` itself is the last, with the result."""
    (a, b), written = line.args, []
    (m, k), n = np.shape(value_of(a)), line.shape[1]

    def write(call: Any, *args: Any, value: Any = None, **kwargs: Any) -> Line:
        kind = "call" if call in (np.matmul, np.add.reduce) else "view"
        value = call(*map(value_of, args), **kwargs) if value is None else value
        written.append(Line(call, args, kwargs, value, kind))
        return written[-1]

    if axis == "rows":
        stack = write(np.matmul, write(np.reshape, a, (m // size, size, k)), b)
        write(np.reshape, stack, (m, n))
    elif axis == "columns":  # the result has its pieces side by side in memory
        parts = write(np.swapaxes, write(np.reshape, b, (k, n // size, size)), 0, 1)
        out = np.empty((m, n // size, size), line.dtype).swapaxes(0, 1)
        stack = write(np.matmul, a, parts, value=np.matmul(value_of(a), parts.value, out=out))
        write(np.reshape, write(np.swapaxes, stack, 0, 1), (m, n))
    else:
        left = write(np.swapaxes, write(np.reshape, a, (m, k // size, size)), 0, 1)
        write(np.add.reduce, write(np.matmul, left, write(np.reshape, b, (k // size, size, n))), axis=0)
    last = written.pop()
    line.call, line.args, line.kwargs, line.kind, line.value = last.call, last.args, last.kwargs, last.kind, last.value
    for part in written:
        part.comment, part.backward = line.comment, line.backward
    return [*written, line]


def value_of(x: Any) -> Any:
    return x.value if isinstance(x, Line) else x
