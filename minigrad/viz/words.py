"""Numbers and labels as the text that pictures show."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

from .circuit import Node, Wire

__all__ = ["gradient_text", "local_text", "sent_text", "shorten", "value_text"]

LONGEST_LABEL = 40  # characters drawn of a label
SMALL = 3  # arrays of up to so many numbers are written out


def value_text(node: Node, digits: int) -> str:
    """What stands above the wire: the number, or the shape of an array and, if there are few, its numbers."""
    mark = " (changed since)" if "changed since" in node.marks else ""
    return data_text(node.data, digits) + mark


def gradient_text(node: Node, digits: int) -> str:
    """What stands below the wire: the gradient, why it may not be what it seems, or that there is none yet."""
    if node.constant or isinstance(node.data, tuple):  # of several outputs each is picked, and shows its gradient
        return ""
    if node.grad is None:
        return "no gradient yet"
    marks = [mark for mark in node.marks if mark != "changed since"]
    return size_text(node.grad, digits) + (f" ({', '.join(marks)})" if marks else "")


def local_text(wire: Wire, digits: int) -> str:
    """`local -4`; nothing for a gate that mixes elements."""
    return "" if wire.local is None else f"local {data_text(wire.local, digits)}"


def sent_text(wire: Wire, digits: int) -> str:
    """`→ -4`, what the wire adds to the gradient of its source; with its shape if there is no local gradient."""
    if wire.contribution is None:
        return ""
    shape = f"{np.shape(wire.contribution)} " if wire.local is None and np.ndim(wire.contribution) else ""
    return f"→ {shape}{size_text(wire.contribution, digits)}"


def data_text(x: Any, digits: int) -> str:
    """A number, or an array's shape and, if there are few, its numbers."""
    if isinstance(x, tuple):
        return "; ".join([data_text(out, digits) for out in x])
    array = np.asarray(x)
    few = listing(array, digits) if 0 < array.size <= SMALL else ""
    return few if array.ndim == 0 else f"{array.shape} {few}".strip()


def size_text(x: Any, digits: int) -> str:
    """A number, an array's numbers if there are few, or else its norm."""
    array = np.asarray(x)
    return listing(array, digits) if array.size <= SMALL else f"norm {number(np.linalg.norm(array).item(), digits)}"


def listing(array: Any, digits: int) -> str:
    if array.ndim == 0:
        return number(array.item(), digits)
    return f"[{', '.join([listing(row, digits) for row in array])}]"


def number(x: Any, digits: int) -> str:
    """So many significant digits; whole numbers below a million in full."""
    if isinstance(x, (int, float)) and np.isfinite(x):
        return f"{x:.0f}" if x == round(x) and abs(x) < 1e6 else f"{x:.{digits}g}"
    return str(x)


def shorten(label: str) -> str:
    """A label as one line of visible characters, at most `LONGEST_LABEL` of them."""
    line = " ".join("".join([" " if unicodedata.category(c)[0] in "CZ" else c for c in label]).split())
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"
