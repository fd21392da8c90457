"""Gates that only move numbers: each sends its gradient back to where the numbers came from."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..convert import shape_of
from ..value import Gate, astype, behind, broadcast_to, reshape, sized
from .registry import call, register, row

__all__ = ["astype", "broadcast_to", "concatenate", "getitem", "put", "reshape", "stack", "transpose"]


def inverse(axes: Any, g: Any, out: Any) -> Any:
    """The permutation that undoes `axes`, behind the axes that `g` has in front."""
    n, lead = len(shape_of(out)), len(shape_of(g)) - len(shape_of(out))
    if axes is None and not lead:
        return None
    order = np.argsort([a % n for a in axes] if axes is not None else range(n - 1, -1, -1)) + lead
    return (*range(lead), *order.tolist())


def permutation(dims: tuple[Any, ...], axes: Any) -> Any:
    """The axes of `transpose(x, axes)` or `x.transpose(1, 0)`; None reverses them all."""
    return sized(dims, axes) if dims or axes is not None else None


def put_at(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with `g` added at `index`: repeated indices add up."""
    if len(shape_of(g)) == len(shape) > 0:
        out = np.zeros_like(g, shape=shape)  # its axes in the same order in memory
    else:
        out = np.zeros(shape, getattr(g, "dtype", np.float64))
    parts = index if isinstance(index, tuple) else (index,)
    if all([isinstance(i, (int, slice, type(None), type(...))) for i in parts]):  # no number twice
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def put_back(g: Any, out: Any, x: Any, index: Any) -> Any:
    """The upstream gradient at the places that were picked; `g` may have more axes in front: see `behind`."""
    lead = len(shape_of(g)) - len(shape_of(out))
    if not lead:
        return put(g, index, shape_of(x))
    parts = index if isinstance(index, tuple) else (index,)
    if [i for i in parts if not isinstance(i, (slice, type(None), type(...)))] in ([], [parts[0]]):
        return put(g, ((slice(None),) * lead + parts), behind(g, out, shape_of(x)))
    return stack([put_back(row, out, x, index) for row in g])  # several arrays: NumPy may move their axes to the front


def cut(g: Any, out: Any, *xs: Any, axis: int = 0) -> tuple[Any, ...]:
    """A concatenated gradient, cut into the pieces that the inputs are."""
    lead = (slice(None),) * (axis % len(shape_of(out)))
    ends = np.cumsum([0] + [shape_of(x)[axis] for x in xs]).tolist()
    return tuple([getitem(g, (*lead, slice(start, end))) for start, end in pairwise(ends)])


def common_dtype(xs: Any) -> Any:
    """That of the arrays; Python floats don't count, unless there is nothing else."""
    return np.result_type(*({x.dtype for x in xs if isinstance(x, np.ndarray)} or {np.float64}))


def unstack(g: Any, out: Any, *xs: Any, axis: int = 0) -> tuple[Any, ...]:
    """The slices of a stacked gradient."""
    lead = (slice(None),) * (axis % len(shape_of(out)))
    return tuple([getitem(g, (*lead, i)) for i in range(len(xs))])


SHAPED = [call((2, 6), shape=(3, 4)), call((4,), shape=(2, -1)), call((), shape=(1, 1))]
STRETCHED = [call((3,), shape=(2, 3)), call((2, 1), shape=(2, 4)), call((), shape=(3,))]
register(reshape, domain=SHAPED, leading=True)
register(broadcast_to, domain=STRETCHED, leading=True)
register(astype, domain=[call((2, 3), dtype=np.float64)], leading=True)
transpose: Gate = row(
    "transpose",
    lambda x, *dims, axes=None: np.transpose(x, permutation(dims, axes)),
    vjp=[lambda g, out, x, *dims, axes=None: transpose(g, axes=inverse(permutation(dims, axes), g, out))],
    symbol="ᵀ",
    leading=True,
    domain=[call((2, 3)), call((2, 3, 4), axes=(1, 2, 0))],
)
getitem = row(
    "getitem",
    lambda x, index: (x if hasattr(x, "shape") else np.asarray(x))[index],
    vjp=[put_back],
    symbol="[]",
    leading=True,
    domain=[
        call((4, 3), index=1),
        call((4, 3), index=(slice(None, None, -2), 0)),
        call((4, 3), index=(np.array([0, 1, 1]), np.array([2, 0, 0]))),
        call((4, 3), index=np.array([True, False, True, True])),
        call((4, 3), index=(..., None, slice(1, 3))),
    ],
)
put: Gate = row(
    "put",
    put_at,
    vjp=[lambda g, out, x, index, shape: getitem(g, index)],
    domain=[call((2, 3), index=slice(1, 3), shape=(4, 3)), call((3,), index=np.array([0, 2, 2]), shape=(4,))],
)
concatenate = row(
    "concatenate",
    lambda *xs, axis=0: np.concatenate(xs, axis=axis),
    vjp=cut,
    domain=[call((2, 3), (1, 3)), call((2, 3), (2, 1), (2, 2), axis=-1)],
)
stack = row(
    "stack",
    lambda *xs, axis=0: np.stack(xs, axis=axis, dtype=common_dtype(xs)),
    vjp=unstack,
    domain=[call((2, 3), (2, 3)), call((2, 3), (2, 3), axis=-1), call((), (), ())],
)
concatenate.sequence = stack.sequence = True
