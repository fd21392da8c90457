"""Copying and pickling of recorded graphs: shared values stay shared, at any depth.

Python's pickle and deepcopy recurse into what an object holds, and a deep graph would exhaust the stack.  So the value
that is copied first brings a list of all the gates behind it, oldest first: when a value's turn comes, its inputs are
known already.  The values of such a list are copied without lists of their own.
"""

from __future__ import annotations

import threading
from typing import Any

from .convert import describe
from .errors import GradientError
from .value import Value, changed_since, tape, tick

FIELDS = ("_raw", "label", "_grad", "gate", "_requires_grad", "_saved", "_a", "_da", "_b", "_db")


class Local(threading.local):
    """The list that is being copied in this thread: what is still to come, as {creation number: place}."""

    places: dict[float, int] = {}  # noqa: RUF012
    place = 0


active = Local()


class Begin:
    """Stands before the list: copying it makes the list the active one."""

    def __init__(self, nodes: list[Value]) -> None:
        self.places: dict[float, int] = {node._number: i for i, node in enumerate(nodes)}

    def __reduce__(self) -> Any:
        self.before = active.places, active.place
        active.places, active.place = self.places, 0
        return bool, ()


class End:
    """Stands behind the list."""

    def __init__(self, begin: Begin) -> None:
        self.begin = begin

    def __reduce__(self) -> Any:
        active.places, active.place = self.begin.before
        return bool, ()


def reduce(value: Value, protocol: Any = None) -> Any:
    fields = {name: getattr(value, name) for name in FIELDS if hasattr(value, name)}
    place = active.places.get(value._number, -1)
    if value.gate is None:
        fields["_saved"] = None  # a copy's array has not been changed
        state: tuple[Any, ...] = (fields,)
    elif place >= active.place:  # its turn in the list; after a copy that failed half way, no turn comes again
        check_unchanged(value)
        active.place, state = place + 1, (fields,)
    else:
        check_unchanged(value)
        nodes = tape(value)[0][:0:-1]  # without itself
        begin = Begin(nodes)
        state = (begin, nodes, End(begin), fields)
    return new_like, (type(value),), state


def check_unchanged(value: Value) -> None:
    """A leaf that changed in place after its gate had used it: the copy couldn't tell any more."""
    for x, raw in zip(*(value._saved[0], value._saved[1][1:]) if value._saved else ((), ()), strict=False):
        if isinstance(x, Value) and changed_since(x, raw, value):
            raise GradientError(f"copy: {describe(x)} was changed in place after this graph was recorded: record anew.")


def new_like(cls: type) -> Any:
    return object.__new__(cls)


def restore(value: Value, state: Any) -> None:
    for name, field in state[-1].items():
        setattr(value, name, field)
    value._number = tick()  # in the order of the list: inputs are older than what they feed


setattr(Value, "__reduce_ex__", reduce)  # noqa: B010  value.py is the lesson, and this is not part of it
setattr(Value, "__setstate__", restore)  # noqa: B010
