"""What a recording is made of: wires, which are values whose numbers are computed anew on every call, and events.

The numbers of a wire are not to be had while recording: what Python did with them would be done in this one call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..debug import users_line
from ..errors import CompileError
from ..value import FLOATS, Gate, Value, is_recorder, recording

__all__ = [
    "BITWISE", "AskedByUs", "Effect", "Gradient", "Guard", "Wire", "as_type", "describe_wire", "detach", "drawn",
    "is_float", "needs", "number", "question", "raw", "read", "recorder",
]  # fmt: skip


def recorder() -> Any:
    """The recorder that is at work, if one is."""
    mode = recording.get()
    return mode if is_recorder(mode) else None


def refuse(wire: Wire, what: str, remedy: str) -> CompileError:
    """What is said to somebody who wants the numbers of a wire."""
    if recorder() is None:
        return CompileError(
            f"{describe_wire(wire)} was kept from a call that mg.compile recorded; later calls don't run the lines "
            "that kept it. Return it from the compiled function instead."
        )
    kind = AskedByUs if asked_by_us() else CompileError
    return kind(
        f"{describe_wire(wire)} {what} while mg.compile recorded the function. It would be that of this one call for "
        f"ever. {remedy} In {users_line()}"
    )


class AskedByUs(CompileError):
    """Code of minigrad's own needs the numbers, as where it describes a mistake: the call is made eagerly."""


HERE = os.path.dirname(__file__)
PACKAGE = os.path.dirname(HERE)
ENGINE = (HERE, os.path.join(PACKAGE, "gates"), os.path.join(PACKAGE, "value.py"), os.path.dirname(np.__file__))


def asked_by_us() -> bool:
    """Whether the first caller beyond gates and values is minigrad's, a loss for instance, and not the user's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(ENGINE):
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(PACKAGE)


class Wire(Value):
    """A `Value` that is recorded: what feeds it is known, and its numbers are those of the recorded call."""

    __slots__ = ()
    stands_for_raw = True  # where a gate or a loss wants raw numbers, a wire without gradient will do

    @property
    def data(self) -> Any:
        raise refuse(
            self, "was asked for its data", "Compute with gates (mg.exp, +, ...), or outside of the compiled function."
        )

    @data.setter
    def data(self, data: Any) -> None:
        raise refuse(self, "was given other data", "Results aren't changed: give the new one a name of its own.")

    dtype = property(lambda self: dtype_of(self._raw))  # also bool and int

    def item(self) -> float:
        raise refuse(
            self,
            "was turned into a number",
            "Compute with gates, return the value, or decide with `if`, which is checked on every call.",
        )

    def numpy(self) -> Any:
        return self.item()

    def detach(self) -> Any:
        return detach(self)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(
            self,
            "was turned into an array",
            "Compute with mg. and np. functions on it as it is; to pick from an array of your own, A, by a recorded "
            "index, write Value(A, requires_grad=False)[index].",
        )

    def __setitem__(self, index: Any, x: Any) -> None:
        raise refuse(self, "was written into", "Make a new value, as with mg.where(mask, x, y).")

    def __bool__(self) -> bool:
        """A decision: from now on it is checked on every call, and where it falls differently the call is recorded."""
        if self.size != 1:
            raise CompileError(f"{describe_wire(self)} has {self.size} numbers; `if` decides about one.")
        answer = bool(self._raw)
        if active := recorder():
            active.decided(self, answer)
        return answer

    def __and__(self, other: Any) -> Any:
        return BITWISE["bitwise_and"](self, other)

    def __or__(self, other: Any) -> Any:
        return BITWISE["bitwise_or"](self, other)

    def __xor__(self, other: Any) -> Any:
        return BITWISE["bitwise_xor"](self, other)

    def __invert__(self) -> Any:
        return BITWISE["invert"](self)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if np.dtype(dtype) == self.dtype and not copy:
            return self
        return super().astype(dtype) if is_float(self) and np.dtype(dtype) in FLOATS else question(as_type)(self, dtype)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if self.dtype in FLOATS:
            return super().__array_function__(func, types, args, kwargs)  # type: ignore[misc]
        return question(func)(*args, **kwargs)

    def __array_ufunc__(self, ufunc: Any, how: str, *inputs: Any, **kwargs: Any) -> Any:
        if self.dtype in FLOATS:
            return super().__array_ufunc__(ufunc, how, *inputs, **kwargs)  # type: ignore[misc]
        return question(ufunc if how == "__call__" else getattr(ufunc, how))(*inputs, **kwargs)


def describe_wire(wire: Wire) -> str:
    made = f" from {wire.gate.name}" if wire.gate is not None else ""
    return f"{wire.label or 'a value'}{made} {wire.shape}"


QUESTIONS: dict[Any, Gate] = {}


def question(function: Callable[..., Any]) -> Gate:
    """A NumPy function as a gate without a derivative: how masks, labels and indices are computed."""
    if function not in QUESTIONS:
        QUESTIONS[function] = Gate(function.__name__, function)
    return QUESTIONS[function]


BITWISE = {name: question(getattr(np, name)) for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "invert")}
detach = Gate("detach", np.positive)  # no derivative: no gradient passes
read = Gate("read", np.positive, local=[1.0])  # the numbers of a leaf
drawn = Gate("drawn", lambda draw: draw())  # random numbers, statistics, what no gate has made
number = Gate("number", lambda x, dtype: np.asarray(x, dtype))  # a mask or a label as floats


# -------------------------------------------------------------------------------------------------------------- events
@dataclass
class Guard:
    """A decision of the function: `wire` must be `answer`, or the recording doesn't fit the call."""

    at: float
    wire: Wire
    answer: bool


@dataclass
class Gradient:
    """A backward pass has reached this leaf: from here on its `.grad` is `wire`."""

    at: float
    leaf: Value
    wire: Value | None


@dataclass
class Effect:
    """Something that happens beside the gates, on every call: an optimiser's step."""

    at: float
    action: Callable[[], Any]
    args: tuple[Any, ...] = ()
    optimizer: Any = None  # whose step it is: afterwards the parameters are others
    gradients: bool = False  # whether it changes the gradients of the leaves

    @property
    def learns(self) -> bool:
        return self.gradients or self.optimizer is not None


# --------------------------------------------------------------------------------------------------------------- kinds
def as_type(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


def raw(x: Any) -> Any:
    return x._raw if isinstance(x, Value) else x


def dtype_of(x: Any) -> Any:
    return FLOATS[0] if isinstance(x, (float, tuple)) else getattr(x, "dtype", None) or np.asarray(x).dtype


def is_float(x: Any) -> bool:
    return not isinstance(x, Value) or x.dtype in FLOATS


def needs(x: Any) -> bool:
    return isinstance(x, Value) and x._requires_grad
