"""Many backward passes in one: each upstream gradient is a row of an array, and most gates take all rows in one step.

A local gradient multiplies all rows at once.  So do the rules of gates that are marked `leading` in the catalogue,
which look only at the last axes of `g`; other gates are asked row by row.
"""

from __future__ import annotations

from typing import Any

from .convert import shape_of
from .gates import stack
from .value import (
    Value,
    as_recorded,
    astype,
    broadcast_to,
    chain_rule,
    joint_parts,
    needs_gradient,
    one_part,
    pull,
    recording,
    reshape,
    sent,
    sum,
    tape,
)

__all__ = ["in_front", "pull_rows"]


def pull_rows(root: Value, upstream: Any) -> dict[Value, Any]:
    """As `pull`, for an upstream of shape (rows, *root.shape): gradients of shape (rows, *value.shape).

    >>> import numpy as np
    >>> x = Value(np.array([1.0, 2.0]))
    >>> pull_rows(x * x, np.eye(2))[x]
    array([[2., 0.],
           [0., 4.]])
    """
    if type(mode := recording.get()) is not bool and not mode.calls:  # detect_anomaly is shown every pass, row by row
        each = [pull(root, g) for g in upstream]
        return {x: stack([grads[x] for grads in each]) for x in each[0] if x.gate is None}
    order, grads = tape(root)
    grads[root] = upstream
    for node in order:
        for x, d in chain_rule_rows(node, grads[node], len(upstream)):
            grads[x] = d if grads[x] is None else grads[x] + d
    return grads


def chain_rule_rows(node: Value, g: Any, rows: int) -> list[tuple[Value, Any]]:
    gate = node.gate
    assert gate is not None
    several = isinstance(node._raw, tuple)
    if node._saved is None:
        return [(x, as_rows(d, x, rows)) for x, d in zip(node.inputs, sent(node, g), strict=True) if d is not None]
    if several or not (gate.elementwise or gate.leading):
        each = [chain_rule(node, tuple([(i, d[k]) for i, d in g]) if several else g[k]) for k in range(rows)]
        return [(pairs[0][0], stack([d for _, d in pairs])) for pairs in zip(*each, strict=True)]
    wires, args, params = node._saved
    if isinstance(g, Value):
        args = tuple(as_recorded(node, wires, args))
    if gate.arity is None:
        parts = joint_parts(gate, g, wires, args, params)
    pairs = []
    for i, x in enumerate(wires):
        if needs_gradient(x):
            d = parts[i] if gate.arity is None else one_part(gate, i, g, args, params)
            pairs.append((x, d if isinstance(x._raw, tuple) else as_rows(d, x, rows)))
    return pairs


def as_rows(d: Any, x: Value, rows: int) -> Any:
    """A contribution in the shape (rows, *x.shape), summed over the axes along which x was broadcast, and its dtype."""
    shape, have = (rows, *x.shape), shape_of(d)
    if have != shape:
        if len(have) < len(shape) or have[0] != rows:  # the same for every row
            d = broadcast_to(d, (rows, *have))
            have = shape_of(d)
        extra = len(have) - len(shape)
        stretched = [i + extra for i, n in enumerate(shape) if i and n == 1 and have[i + extra] != 1]
        d = reshape(sum(d, axis=(*range(1, 1 + extra), *stretched)), shape)
    return d if d.dtype == x.dtype else astype(d, x.dtype)


def in_front(t: Any, ndim: int) -> Any:
    """Rows of tangents t with axes of length 1 put in behind the first, so that each row has `ndim` axes."""
    rows, *shape = shape_of(t)
    return reshape(t, (rows, *(1,) * (ndim - len(shape)), *shape))
