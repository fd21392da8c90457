"""Products of arrays: einsum, a gate, and the functions that are matmul or multiply in other shapes."""

from __future__ import annotations

import string
from builtins import max as largest
from functools import cache, reduce
from math import prod
from typing import Any

import numpy as np

from ..convert import describe, shape_of
from ..errors import DtypeError, ShapeError
from ..value import broadcast_to, multiply, reshape, select
from .linalg import matmul
from .registry import call, composed, row
from .shapes import common_dtype, stack, transpose

__all__ = ["cross", "dot", "einsum", "inner", "kron", "multi_dot", "outer", "tensordot", "vdot"]


def contract(subscripts: Any, *xs: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str) or any([isinstance(x, str) for x in xs]):
        raise TypeError("the subscripts come first, as in einsum('ij,jk->ik', a, b).")
    if (named := subscripts.count(",") + 1) != len(xs):
        raise ValueError(f"the subscripts name {named} operands, {len(xs)} given.")
    try:
        return product(subscripts, xs, optimize)
    except ValueError as error:
        raise ValueError(unlike(subscripts, xs) or str(error)) from error


def product(subscripts: str, xs: tuple[Any, ...], optimize: Any) -> Any:
    weak = common_dtype(xs)
    return np.einsum(subscripts, *[np.asarray(x, weak) if type(x) is float else x for x in xs], optimize=optimize)


def letters(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """A letter per axis, of each operand and of the output: an ellipsis and an implicit output are written out."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    if not arrow:  # NumPy's rule: the axes of the ellipsis, then what stands there once, in alphabetical order
        output = "..." + "".join(sorted([c for c in set(inputs) - set(".,") if inputs.count(c) == 1]))
    terms = inputs.split(",")
    extra = [len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)]
    dots = "".join([c for c in string.ascii_letters if c not in subscripts])[: largest(extra)]
    terms = [term.replace("...", dots[len(dots) - n :]) for term, n in zip(terms, extra, strict=True)]
    return terms, output.replace("...", dots)


def unlike(subscripts: str, xs: tuple[Any, ...]) -> str:
    """In words, which letter stands for axes of several sizes."""
    sizes: dict[str, int] = {}
    for term, x in zip(subscripts.split("->")[0].split(","), xs, strict=True):
        for c, n in zip(term.strip(), shape_of(x), strict=False) if "." not in term else ():
            if n != 1 and sizes.setdefault(c, n) != n:
                return f"the letter {c} is {sizes[c]} in one place and {n} in another."
    return ""


def einsum_slopes(g: Any, out: Any, subscripts: str, *xs: Any, optimize: Any = False) -> tuple[Any, ...]:
    """To each operand the einsum of the upstream gradient with the other operands, in the letters that it has."""
    terms, output = letters(subscripts, [shape_of(x) for x in xs])
    sizes = {c: n for term, x in zip(terms, xs, strict=True) for c, n in zip(term, shape_of(x), strict=True) if n != 1}
    slopes = []
    for k, (term, x) in enumerate(zip(terms, xs, strict=True)):
        shape, others = shape_of(x), [output, *terms[:k], *terms[k + 1 :]]
        known = [c for c, n in zip(term, shape, strict=True) if c in "".join(others) and n == sizes.get(c, 1)]
        kept = "".join(dict.fromkeys(known))  # each once; an axis of 1 that was broadcast gets the sum
        d = einsum(f"{','.join(others)}->{kept}", g, *xs[:k], *xs[k + 1 :], optimize=optimize)
        places = dict(zip(kept, shape_of(d), strict=True))
        first = [places.get(c, 1) if term.index(c) == i else 1 for i, c in enumerate(term)]
        d = broadcast_to(reshape(d, shape=tuple(first)), shape)  # along what only this operand has
        slopes.append(select(on_diagonal(term, shape), d) if len(set(term)) < len(term) else d)
    return (None, *slopes)


def on_diagonal(term: str, shape: tuple[int, ...]) -> Any:
    """True where the axes that share a letter have the same index."""
    index = np.indices(shape, sparse=True)
    same = [index[term.index(c)] == index[i] for i, c in enumerate(term)]
    return reduce(np.logical_and, same, np.ones(shape, bool))


einsum = row(
    "einsum",
    contract,
    vjp=einsum_slopes,
    domain=[
        call("ij,jk->ik", (2, 3), (3, 4)), call("ij,jk", (2, 3), (3, 2)), call("ba,c", (2, 3), (2,)),
        call("...ij,...j->...i", (2, 1, 3, 4), (5, 4)), call("i...,i...", (3, 1, 2), (3, 4, 1)),
        call("ii", (3, 3)), call("ii->i", (3, 3)), call("iji,j->ij", (2, 3, 2), (3,)), call("ij->", (2, 3)),
        call("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), call("ij,ij->j", (2, 1), (2, 3)), call(",i->i", (), (3,)),
    ],
)  # fmt: skip
einsum.plain = [0]  # the subscripts are no number; they stand where NumPy has them


@composed
def dot(a: Any, b: Any) -> Any:
    """The sum of products over the last axis of `a` and the last but one of `b` (its last, if it is a vector).

    For vectors and matrices that is `a @ b`, for numbers `a * b`; more axes stand side by side in the result, where
    `matmul` would pair them.  Raises `ShapeError` where the summed axes differ in size.

    >>> from minigrad import Value
    >>> dot(Value([1.0, 2.0]), [3.0, 4.0]).item()
    11.0
    """
    m, n = len(shape_of(a)), len(shape_of(b))
    if not m or not n:
        return multiply(a, b)
    return matmul(a, b) if m < 3 and n < 3 else tensordot(a, b, axes=(-1, -1 if n == 1 else -2))


@composed
def inner(a: Any, b: Any) -> Any:
    """The sum of products over the last axes of `a` and `b`; for matrices a @ bᵀ.

    Raises `ShapeError` where these differ in size.

    >>> from minigrad import Value
    >>> inner(Value([[1.0, 2.0]]), [[3.0, 4.0], [5.0, 6.0]]).data
    array([[11., 17.]])
    """
    return tensordot(a, b, axes=(-1, -1)) if shape_of(a) and shape_of(b) else dot(a, b)


@composed
def outer(a: Any, b: Any) -> Any:
    """Every number of `a` times every number of `b`, flattened: an array of shape (a.size, b.size).

    >>> from minigrad import Value
    >>> outer(Value([1.0, 2.0]), [3.0, 4.0]).data
    array([[3., 4.],
           [6., 8.]])
    """
    return dot(reshape(a, shape=(-1, 1)), reshape(b, shape=(1, -1)))


@composed
def vdot(a: Any, b: Any) -> Any:
    """One number: the sum of products of all numbers of `a` and `b`, flattened; raises `ShapeError` if sizes differ.

    >>> from minigrad import Value
    >>> vdot(Value([[1.0, 2.0]]), [[3.0], [4.0]]).item()
    11.0
    """
    return matmul(reshape(a, shape=-1), reshape(b, shape=-1))


@composed
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over several axes: the last `axes` of `a` and as many first of `b`, or `axes=(of_a, of_b)`.

    The result has the remaining axes of `a`, then those of `b`.  Raises `ShapeError` where summed axes differ.

    >>> from minigrad import Value
    >>> tensordot(Value(np.ones((2, 3, 4))), np.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    a_shape, b_shape = shape_of(a), shape_of(b)
    if not isinstance(axes, (int, tuple, list)):
        raise DtypeError(f"tensordot: {describe(a)}, {describe(b)}: axes={axes!r} is no integer or pair of lists.")
    pair = (range(-axes, 0), range(axes)) if isinstance(axes, int) else axes
    pair = [[axis] if isinstance(axis, int) else axis for axis in pair]
    try:  # counted from the front
        of_a, of_b = [[range(len(s))[i] for i in axis] for axis, s in zip(pair, (a_shape, b_shape), strict=True)]
    except IndexError as error:
        raise ShapeError(f"tensordot: {describe(a)} and {describe(b)} have no axes={axes}.") from error
    if len({*of_a}) < len(of_a) or len({*of_b}) < len(of_b):
        raise ShapeError(f"tensordot: {describe(a)} and {describe(b)}: axes={axes} name an axis twice.")
    summed = [a_shape[i] for i in of_a]
    if summed != [b_shape[i] for i in of_b]:
        raise ShapeError(
            f"tensordot: {describe(a)} and {describe(b)}: the axes {of_a} and {of_b}, over which it sums, differ: "
            f"{tuple(summed)} and {tuple([b_shape[i] for i in of_b])}."
        )
    rest_a = [i for i in range(len(a_shape)) if i not in of_a]
    rest_b = [i for i in range(len(b_shape)) if i not in of_b]
    rows, columns = [a_shape[i] for i in rest_a], [b_shape[i] for i in rest_b]
    left = reshape(transpose(a, axes=(*rest_a, *of_a)), shape=(prod(rows), prod(summed)))
    right = reshape(transpose(b, axes=(*of_b, *rest_b)), shape=(prod(summed), prod(columns)))
    return reshape(matmul(left, right), shape=(*rows, *columns))


@composed
def kron(a: Any, b: Any) -> Any:
    """The Kronecker product: an array of blocks, each a number of `a` times the whole of `b`.

    >>> from minigrad import Value
    >>> kron(Value([1.0, 10.0]), [1.0, 2.0]).data
    array([ 1.,  2., 10., 20.])
    """
    n = largest(len(shape_of(a)), len(shape_of(b)))
    left, right = [(1,) * (n - len(shape_of(x))) + shape_of(x) for x in (a, b)]
    a = reshape(a, shape=tuple([size for m in left for size in (m, 1)]))
    b = reshape(b, shape=tuple([size for m in right for size in (1, m)]))
    return reshape(multiply(a, b), shape=tuple([i * j for i, j in zip(left, right, strict=True)]))


@composed
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors with three components, which lie along the given axes.

    Raises `ShapeError` for other sizes (NumPy's two components are deprecated: give them a third, 0).

    >>> from minigrad import Value
    >>> cross(Value([1.0, 0.0, 0.0]), [0.0, 1.0, 0.0]).data
    array([0., 0., 1.])
    """
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    parts = []
    for x, along in ((a, axisa), (b, axisb)):
        shape = shape_of(x)
        if not -len(shape) <= along < len(shape) or shape[along] != 3:
            raise ShapeError(f"cross: {describe(x)}: axis {along} must have 3 components.")
        x = np.asarray(x) if isinstance(x, (list, tuple)) else x
        parts.append([x[(slice(None),) * (along % len(shape)) + (i,)] for i in range(3)])
    (x, y, z), (u, v, w) = parts
    return stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=axisc)


@composed
def multi_dot(arrays: Any) -> Any:
    """The product of many matrices, multiplied in the order that takes the least work; the ends may be vectors.

    >>> from minigrad import Value
    >>> multi_dot([Value(np.ones((2, 9))), np.ones((9, 1)), np.ones((1, 5))]).shape
    (2, 5)
    """
    arrays = list(arrays)
    if len(arrays) < 2 or any([len(shape_of(x)) != 2 for x in arrays[1:-1]]):
        raise ShapeError("multi_dot: takes two or more matrices; only the first and the last may be vectors.")
    sizes = [1 if len(shape_of(arrays[0])) == 1 else shape_of(arrays[0])[0], *[shape_of(x)[0] for x in arrays[1:]]]
    sizes += [1 if len(shape_of(arrays[-1])) == 1 else shape_of(arrays[-1])[-1]]

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The least work for the factors i to j - 1, and where to cut them last."""
        cuts = [(best(i, k)[0] + best(k, j)[0] + sizes[i] * sizes[k] * sizes[j], k) for k in range(i + 1, j)]
        return min(cuts, default=(0, i))

    def product(i: int, j: int) -> Any:
        return arrays[i] if j == i + 1 else matmul(product(i, best(i, j)[1]), product(best(i, j)[1], j))

    return product(0, len(arrays))
