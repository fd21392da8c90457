"""einsum: products summed over the axes that letters name."""

from __future__ import annotations

import string
from functools import reduce
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import broadcast_to, reshape, select
from .registry import call, row
from .shapes import common_dtype

__all__ = ["einsum"]


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
    dots = "".join([c for c in string.ascii_letters if c not in subscripts])[: max(extra)]
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
