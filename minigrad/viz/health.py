"""Where gradients die: gates that are closed or saturated, and how large the gradient is that arrives."""

from __future__ import annotations

import math

import numpy as np

from .circuit import Circuit, Node, Wire

__all__ = ["ailment", "gradient_sizes"]

SATURATED = 0.01  # a local gradient below this lets less than a hundredth through
DECADES = 8.0  # of gradient sizes that the shades tell apart


def ailment(wires: list[Wire]) -> str:
    """What is wrong with a gate of one wire: dead (no element passes a gradient), closed or saturated in part.

    >>> from ..value import Value
    >>> from .circuit import trace
    >>> ailment([*trace(Value([-1.0, -2.0, 3.0]).relu()).wires])
    'closed 67 %'
    """
    if len(wires) != 1 or wires[0].local is None or not np.size(wires[0].local):
        return ""
    slope = abs(np.asarray(wires[0].local))
    closed, faint = float(np.mean(slope == 0.0)), float(np.mean((slope > 0.0) & (slope < SATURATED)))
    if closed == 1.0:
        return "dead"
    return ", ".join([f"{word} {share:.0%}".replace("%", " %") for word, share in
                      (("closed", closed), ("saturated", faint)) if share])  # fmt: skip


def gradient_sizes(circuit: Circuit) -> dict[str, float]:
    """For each value with a gradient how large that is (root mean square), between 0 and 1 for the largest.

    The scale is logarithmic: a shade is a power of ten.
    """
    sizes = {node.id: rms(node) for node in circuit.nodes if node.grad is not None and np.size(node.grad)}
    most = max([size for size in sizes.values() if math.isfinite(size)], default=0.0)
    return {id: share(size, most) for id, size in sizes.items()}


def share(size: float, most: float) -> float:
    if not size:
        return 0.0
    return min(1.0, max(0.0, 1.0 + math.log10(size / most) / DECADES)) if math.isfinite(size) and most else 1.0


def rms(node: Node) -> float:
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean(np.square(np.asarray(node.grad, float)))))
