"""The same numbers in another order in memory give the same results, and inputs are never written.

Parametrised over the catalogue: values, gradients and second derivatives of every gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_gates import DIFFERENTIABLE, Case, is_float, weights, wires

import minigrad as mg


def fortran(x: Any) -> Any:
    """Columns first."""
    return np.asfortranarray(x)


def every_other(x: Any) -> Any:
    """Every other number of a larger array."""
    view = np.full(tuple([2 * n for n in x.shape]), np.nan, x.dtype)[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view


def backwards(x: Any) -> Any:
    """Laid down from the end to the start."""
    turn = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[turn])[turn]


def read_only(x: Any) -> Any:
    """An array that may not be written."""
    x = x.copy()
    x.flags.writeable = False
    return x


def stretched(x: Any) -> Any:
    """A read-only view that has the first row in memory once and shows it in place of all."""
    return np.broadcast_to(x[:1], x.shape)


LAYOUTS = [fortran, every_other, backwards, read_only, stretched]
ARRAYS = [case for case in DIFFERENTIABLE if any(isinstance(shape, tuple) and shape for shape in case.shapes)]
REGULAR = {  # what takes no matrix of equal rows
    "inv", "solve", "cholesky", "pinv", "qr", "eigh", "svd", "slogdet", "cofactor", "cofactor_slope",
}  # fmt: skip
EACH = [(case, layout) for case in ARRAYS for layout in LAYOUTS if not (layout is stretched and case.name in REGULAR)]


def results(case: Case, inputs: list[Any]) -> list[Any]:
    """The value, the gradients of `backward`, and the gradients of a weighted sum of gradients."""
    places = tuple(wires(inputs))
    values = [mg.Value(x) if i in places else x for i, x in enumerate(inputs)]
    total = case.total(*values)
    total.backward()

    def slope(*xs: Any) -> Any:
        gradients = mg.grad(case.total, places)(*xs)
        return sum([mg.sum(g * weights(np.shape(x))) for g, x in zip(gradients, [xs[i] for i in places], strict=True)])

    return [total.data, *[values[i].grad for i in places], *mg.grad(slope, places)(*inputs)]


@pytest.mark.parametrize(("case", "layout"), EACH, ids=[f"{case}-{layout.__name__}" for case, layout in EACH])
def test_the_layout_changes_nothing(case: Case, layout: Callable[[Any], Any], rng: np.random.Generator) -> None:
    plain = case.sample(rng)
    arranged = [layout(x) if is_float(x) and np.ndim(x) and x.size else x for x in plain]
    plain = [np.array(x, order="C") if isinstance(x, np.ndarray) else x for x in arranged]
    before = [x.copy() if isinstance(x, np.ndarray) else x for x in plain]
    for got, expected in zip(results(case, arranged), results(case, plain), strict=True):
        # NumPy takes other instructions, and sums in another order, which may change the last digits
        np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-14)
    for x, y, then in zip(arranged, plain, before, strict=True):
        np.testing.assert_array_equal(x, then)
        np.testing.assert_array_equal(y, then)
