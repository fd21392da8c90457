"""Finding where a nan, an infinity or a change in place came from: `detect_anomaly`."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import weakref
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .convert import describe
from .errors import AnomalyError
from .tree import tree_leaves
from .value import Value, recording, sent

__all__ = ["detect_anomaly"]

NOT_THE_USERS = (os.path.dirname(__file__), os.path.dirname(np.__file__), contextlib.__file__)
OUTSIDE = "code outside detect_anomaly()"


@contextlib.contextmanager
def detect_anomaly() -> Iterator[None]:
    """Watch every gate that is recorded and every backward pass, as a context manager or as a decorator.

    Raises `AnomalyError` at the first value that is not finite, forward or backward, with the gate, the labels and
    numbers of its inputs, and the line of your code that made it; and, when the backward pass begins, where an array
    of the graph was written to (`w.data[...] = 0`).  Infinite constants, such as masks of -inf, are taken as meant.
    What is computed under `no_grad` or on raw numbers is not watched.  It costs time and memory: use it to find a
    mistake, not to train.

    >>> x = Value(-1.0, label="x")
    >>> with detect_anomaly():  # doctest: +ELLIPSIS
    ...     y = x.log()
    Traceback (most recent call last):
      ...
    minigrad.errors.AnomalyError: log: the first nan. Its input: x = -1.0. In ... y = x.log()
    """
    token = recording.set(Watch(bool(recording.get())))
    try:
        yield
    finally:
        recording.reset(token)


class Watch:
    """Stands in the place of the flag `recording`: gates are recorded as ever, and shown to it."""

    calls = False  # gates compute by themselves

    def __init__(self, records: bool) -> None:
        self.records = records
        self.lines: dict[float, str] = {}  # for each gate, by creation number: the line of the user's code,
        self.sums: dict[float, list[tuple[int, Any, int]]] = {}  # and checksums: of its result (0) and its inputs

    def __bool__(self) -> bool:
        return self.records

    def made(self, node: Value) -> None:
        """A gate was recorded."""
        self.lines[node._number] = line = users_line()
        arrays = enumerate(node._saved[1][: len(node.inputs) + 1] if node._saved is not None else ())
        self.sums[node._number] = [(i, weakref.ref(x), checksum(x)) for i, x in arrays if type(x) is np.ndarray]
        if not (kind := trouble(node.data)):
            return
        for x in node.inputs:
            learnt = isinstance(x, Value) and x.requires_grad
            if trouble(x) == "nan" or (trouble(x) and learnt):
                raise AnomalyError(f"{name_of(node)}: its input {shown(x)} came in from outside like that. In {line}")
            if trouble(x) == kind == "infinity":
                return
        raise AnomalyError(f"{name_of(node)}: the first {kind}{place(node.data)}. {inputs_of(node)} In {line}")

    def walks(self, order: list[Value]) -> None:
        """A backward pass is about to go over these gates."""
        for node in order:
            for i, array, before in self.sums.get(node._number, ()):
                if checksum(array()) != before:
                    name = f"its input {describe(node.inputs[i - 1])}" if i else "its result"
                    raise AnomalyError(
                        f"{name_of(node)}: {name} was written to after the forward pass, and the gradient may need the "
                        "old numbers. Assign a new array (w.data = 0.9 * w.data), or write after backward(). The gate "
                        f"was recorded in {self.lines[node._number]}"
                    )

    def walked(self, order: list[Value], grads: dict[Value, Any]) -> None:
        """The backward pass has gone over them, and found these gradients."""
        for node in order:
            g, line = grads[node], self.lines.get(node._number, OUTSIDE)
            if kind := trouble(g):
                where = f"of {name_of(node)}'s result" if node is not order[0] else "that it starts from"
                raise AnomalyError(f"backward: the gradient {where} is the first {kind}: {numbers(g)}. In {line}")
            for x, d in zip(node.inputs, sent(node, g), strict=True):
                if d is not None and (kind := trouble(d)):
                    raise AnomalyError(
                        f"backward: {name_of(node)} sends the first {kind}, to {describe(x)}: the upstream gradient is "
                        f"{numbers(g)}. {inputs_of(node)} In {line}"
                    )


    def moved(self, node: Value, tangents: dict[Value, Any]) -> None:
        """A forward pass of tangents has come through this gate."""
        if kind := trouble(tangents[node]):
            moving = [f"{numbers(tangents[x])} at {describe(x)}" for x in node.inputs if x in tangents]
            line = self.lines.get(node._number, OUTSIDE)
            raise AnomalyError(f"jvp: {name_of(node)} sends on the first {kind}, for {', '.join(moving)}. In {line}")


def users_line() -> str:
    """The line of the user's code that we were called from."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(NOT_THE_USERS):
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{number}: {linecache.getline(file, number).strip()}".rstrip(": ")


def checksum(array: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)


def raw(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def trouble(x: Any) -> str:
    """'nan' or 'infinity' if there is one in x, a number, array, Value or tuple of them; otherwise ''."""
    parts = [np.asarray(raw(leaf)) for leaf in tree_leaves(raw(x))]
    if any([np.isnan(part).any() for part in parts]):
        return "nan"
    return "" if all([np.isfinite(part).all() for part in parts]) else "infinity"


def name_of(node: Value) -> str:
    label = f" ({node.label})" if node.label else ""
    return f"{node.gate.name}{label}" if node.gate is not None else describe(node)


def inputs_of(node: Value) -> str:
    plural = "s" if len(node.inputs) > 1 else ""
    return f"Its input{plural}: {', '.join([shown(x) for x in node.inputs])}."


def shown(x: Any) -> str:
    label = getattr(x, "label", "")
    return f"{label} = {numbers(x)}" if label else numbers(x)


def place(x: Any) -> str:
    """Where the first number that is not finite stands, in an array."""
    if not isinstance(x, np.ndarray) or not x.ndim:
        return ""
    return f", at [{', '.join(map(str, np.argwhere(~np.isfinite(x))[0].tolist()))}]"


def numbers(x: Any) -> str:
    """A number, a few numbers, or the shape, the range and how many are not finite."""
    parts = [np.asarray(raw(leaf)) for leaf in tree_leaves(raw(x))]
    if len(parts) != 1 or parts[0].dtype.kind != "f":
        return "; ".join([str(part.shape) for part in parts])
    array = parts[0]
    if array.size <= 6:
        return np.array2string(array, separator=", ") if array.ndim else repr(array.item())
    finite = array[np.isfinite(array)]
    spread = f"from {finite.min():.6g} to {finite.max():.6g}" if finite.size else "none finite"
    nans, infinities = np.isnan(array).sum(), np.isinf(array).sum()
    return f"{array.shape} {spread}" + f", {nans} nan" * bool(nans) + f", {infinities} infinite" * bool(infinities)
