"""How one line of a program is written in Python: names, numbers, indices, and NumPy's calls."""

from __future__ import annotations

import keyword
import math
import re
from inspect import signature
from math import prod
from types import BuiltinMethodType, FunctionType
from typing import Any

import numpy as np

from ..buffers import buffer
from .program import Line, as_type, take_at, view_as
from .rules import put_plain

__all__ = ["Writer"]

RESERVED = ("np", "math", "buffer", "run", "Changed", "float", "abs", "zip", "leaf", "slope")
OPERATORS = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/",
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!=",
}  # fmt: skip
# Python's own functions of one number, which take a quarter of the time.  Where they raise, the call is made eagerly.
MATH = (
    np.exp, np.log, np.sqrt, np.tanh, np.sinh, np.cosh, np.sin, np.cos, np.tan, np.expm1, np.log1p, np.arctan,
    np.arcsin, np.arccos, np.arcsinh, np.arccosh, np.arctanh,
)  # fmt: skip


class Writer:
    """Names for lines and for objects from outside, and the text of calls.

    `setup` collects what is made once.  `may_raise` says whether Python's functions of numbers may stand for NumPy's:
    a call that they end with an error is made eagerly, as long as nothing has been changed.
    """

    def __init__(self, may_raise: bool) -> None:
        self.may_raise = may_raise
        self.names: dict[Line, str] = {}
        self.setup: list[str] = []
        self.namespace: dict[str, Any] = {"np": np, "math": math, "buffer": buffer}
        self.taken = {*RESERVED, *keyword.kwlist}
        self.next: dict[str, int] = {}  # the number that the next name of a kind gets
        self.bound: dict[int, str] = {}
        self.numbers: dict[Any, str] = {}

    # --------------------------------------------------------------------------------------------------------- names
    def unique(self, wish: str) -> str:
        """A name that is not taken: of letters, digits and underscores, whatever the wish."""
        wish = re.sub(r"\W+", "_", wish, flags=re.ASCII).strip("_") or "t"
        wish = wish if not wish[0].isdigit() else f"_{wish}"
        name, i = wish, self.next.get(wish, 2)
        while name in self.taken:
            name, i = f"{wish}_{i}", i + 1
        self.taken.add(name)
        self.next[wish] = i
        return name

    def name(self, line: Line) -> str:
        """The name of a line's result."""
        if line not in self.names:
            self.names[line] = self.unique(line.name or called(line))
        return self.names[line]

    def bind(self, x: Any, wish: str) -> str:
        """A name for an object from outside."""
        if id(x) not in self.bound:
            self.bound[id(x)] = name = self.unique(wish)
            self.namespace[name] = x
        return self.bound[id(x)]

    # ------------------------------------------------------------------------------------------------------- arguments
    def text(self, x: Any) -> str:
        """An argument."""
        if isinstance(x, Line):
            return self.name(x)
        if isinstance(x, (bool, int, str, type(None))):
            return repr(x)
        if isinstance(x, float):
            return repr(float(x)) if np.isfinite(x) else f"{'-' * (x < 0)}np.{'nan' if x != x else 'inf'}"
        if x is Ellipsis:
            return "..."
        if isinstance(x, slice):
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        if isinstance(x, (tuple, list)):
            inside = ", ".join(map(self.text, x))
            return f"[{inside}]" if isinstance(x, list) else f"({inside}{',' * (len(x) == 1)})"
        if isinstance(x, np.dtype):
            return f"np.{x.name}"
        if isinstance(x, np.ndarray):
            return self.bind(x, "constant")
        return self.function(x)

    def function(self, x: Any) -> str:
        """np.add, np.add.reduce, or a name of our own."""
        if ufunc := reduces(x):
            return f"np.{ufunc.__name__}.{x.__name__}"
        name = getattr(x, "__name__", "constant")
        return f"np.{name}" if getattr(np, name, None) is x else self.bind(x, name)

    def index(self, x: Any) -> str:
        """What stands in the brackets of x[...]."""
        if isinstance(x, tuple) and x:
            return ", ".join(map(self.index, x)) + "," * (len(x) == 1)
        if isinstance(x, slice):
            parts = ["" if p is None else self.text(p) for p in (x.start, x.stop, x.step)]
            return ":".join(parts if parts[2] else parts[:2])
        return self.text(x)

    def number(self, x: float, line: Line) -> str:
        """A number beside an array as an array without axes, of the array's dtype: NumPy then need not convert it."""
        dtype = next((y.dtype for y in line.args if isinstance(y, Line) and y.shape), None)
        if dtype is None or dtype.kind != "f":
            return self.text(x)
        key = (repr(float(x)), dtype)
        if key not in self.numbers:
            wish = f"n{float(x):g}".replace("-", "minus_").replace(".", "_").replace("+", "")
            self.numbers[key] = name = self.unique(wish)
            self.setup.append(f"{name} = np.array({self.text(float(x))}, np.{dtype.name})")
        return self.numbers[key]

    # ---------------------------------------------------------------------------------------------------------- calls
    def call(self, line: Line, out: str = "") -> str:
        """The call as an expression."""
        first, *rest = line.args or (None,)
        if line.call is take_at:
            return f"{self.text(first)}[{self.index(rest[0])}]"
        if line.call is np.transpose and rest in ([], [None]) and not line.kwargs:
            return f"{self.text(first)}.T"
        if line.call is np.reshape and not line.kwargs and np.ndim(first.value):
            return f"{self.text(first)}.reshape({self.text(rest[0])})"
        if line.call == np.logical_and.reduce and not line.ndim and first.dtype == bool:
            return f"np.count_nonzero({self.text(first)}) == {prod(first.shape)}"  # a third of the time
        if line.call in (view_as, as_type):
            return f"{self.text(first)}.{'view' if line.call is view_as else 'astype'}({self.text(rest[0])})"
        if not line.ndim and (expression := self.operator(line)):
            return expression
        as_arrays = bool(out) and isinstance(line.call, np.ufunc) and line.call.signature is None
        arguments = [self.number(x, line) if as_arrays and type(x) in (int, float) else self.text(x) for x in line.args]
        arguments += [f"{key}={self.text(x)}" for key, x in line.kwargs.items()] + [f"out={out}"] * bool(out)
        return f"{self.function(line.call)}({', '.join(arguments)})"

    def operator(self, line: Line) -> str:
        """An operator of Python for a call on scalars, which takes a tenth of the time; "" where there is none."""
        if line.call is np.isfinite:
            return f"math.isfinite({self.text(line.args[0])})"
        if line.call is np.negative:
            return f"-{self.text(line.args[0])}"
        if line.call in MATH and not line.kwargs and self.may_raise and type(line.value) is float:
            return f"math.{line.call.__name__.replace('arc', 'a')}({self.text(line.args[0])})"
        if line.call not in OPERATORS or line.kwargs or len(line.args) != 2:
            return ""
        a, b = line.args
        if line.call is np.divide and not (type(b) is float and b):  # Python's 1 / 0 is an error
            return ""
        if line.dtype not in (float, bool) and not any([isinstance(x, Line) and x.dtype == line.dtype for x in (a, b)]):
            return ""  # of Python's floats, which are wider
        if isinstance(a, Line) and isinstance(a.value, (int, np.integer)) and isinstance(b, float) and b.is_integer():
            b = int(b)  # beside a whole number NumPy compares 10 forty times faster than 10.0
        return f"{self.text(a)} {OPERATORS[line.call]} {self.text(b)}"

    def into(self, line: Line) -> list[str]:
        """Statements that write the result into the array that has the line's name."""
        name, args = self.name(line), line.args
        if line.call is np.where and len(args) == 3:
            mask, a, b = map(self.text, args)
            return [f"np.copyto({name}, {b})", f"np.copyto({name}, {a}, where={mask})"]
        if line.call is as_type:
            return [f"np.copyto({name}, {self.text(args[0])}, casting='unsafe')"]
        if line.call is put_plain:
            return [f"{name}[{self.index(args[1])}] = {self.text(args[0])}"]
        if line.call is np.zeros:
            return [f"{name}.fill(0.0)"]
        if line.call in (np.ascontiguousarray, np.copy):
            return [f"np.copyto({name}, {self.text(args[0])})"]
        if line.call is np.reshape:
            return [f"np.copyto({name}.reshape({self.text(args[0].shape)}), {self.text(args[0])})"]
        if takes_out(line):
            return [self.call(line, out=name)]
        return [f"np.copyto({name}, {self.call(line)})"]


def reduces(call: Any) -> Any:
    """The ufunc of np.add.reduce and its like."""
    owner = getattr(call, "__self__", None)
    return owner if isinstance(call, BuiltinMethodType) and isinstance(owner, np.ufunc) else None


def takes_out(line: Line) -> bool:
    """Whether the call has an out=."""
    if isinstance(line.call, np.ufunc) or reduces(line.call):
        return True
    if "out" in line.kwargs or "dtype" in line.kwargs:
        return False
    if isinstance(line.call, FunctionType):  # the rule of a gate
        return "out" in signature(line.call).parameters
    return line.call in (np.dot, np.concatenate, np.stack, np.clip, np.cumsum, np.cumprod, np.take)


def called(line: Line) -> str:
    """A name for a result that has none."""
    if line.call is take_at:
        return "part"
    if ufunc := reduces(line.call):
        return {"add": "total"}.get(ufunc.__name__, str(ufunc.__name__))
    return str(getattr(line.call, "__name__", "x"))
