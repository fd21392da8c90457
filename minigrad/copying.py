"""Copying and pickling of recorded graphs: shared values stay shared, at any depth.

Python's pickle and deepcopy recurse into what an object holds, and a deep graph would exhaust the stack.  So the value
that is copied first lists everything behind it, oldest first: by the time a value is copied, its inputs are known.
"""

from __future__ import annotations

from typing import Any

from .value import Value, tape, tick

FIELDS = ("_data", "label", "grad", "gate", "_requires_grad", "_saved", "_a", "_da", "_b", "_db")
listed: set[float] = set()  # the creation numbers of the values whose list is being copied right now


class Mark:
    """A bookend of the list: copying it says that the list begins or ends here."""

    def __init__(self, numbers: set[float]) -> None:
        self.numbers = numbers

    def __reduce__(self) -> Any:
        listed.clear()
        listed.update(self.numbers)
        return bool, ()


def reduce(value: Value, protocol: Any = None) -> Any:
    fields = {name: getattr(value, name) for name in FIELDS if hasattr(value, name)}
    if value.gate is None or value._number in listed:
        return rebuild, (type(value),), (fields,)
    nodes = tape(value)[0][:0:-1]  # the gates behind it, oldest first, without itself
    numbers = {node._number for node in nodes}
    return rebuild, (type(value),), (Mark(numbers), nodes, Mark(set()), fields)


def rebuild(cls: type) -> Any:
    return object.__new__(cls)


def restore(value: Value, state: Any) -> None:
    for name, field in state[-1].items():
        setattr(value, name, field)
    value._number = tick()  # in the order of the list: inputs are older than what they feed


def attach() -> None:
    setattr(Value, "__reduce_ex__", reduce)  # noqa: B010
    setattr(Value, "__setstate__", restore)  # noqa: B010


attach()
