"""The program: a list of NumPy calls, each on the results of earlier ones.

A recorded gate becomes lines by running its own forward rule, `gate.forward`, on stand-ins for arrays that write
down what NumPy does with them.  A rule that asks for more than NumPy's functions (a loop over numbers, an array filled
bit by bit) becomes one line that calls the rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..convert import tidy
from ..tree import tree_leaves, tree_map
from ..value import Gate
from .wires import as_type

__all__ = [
    "Builder",
    "Line",
    "Program",
    "Sym",
    "Unsupported",
    "as_type",
    "fits",
    "lower",
    "take_at",
    "terms",
    "view_as",
]


class Line:
    """One call, `call(*args, **kwargs)`, and its result; lines among the arguments are results of earlier calls.

    `value` is the result in the recorded run: it tells the shape and the dtype.  A line without a call is an input.
    """

    __slots__ = ("args", "backward", "call", "comment", "kind", "kwargs", "name", "value")

    def __init__(self, call: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any, kind: str) -> None:
        self.call, self.args, self.kwargs, self.value, self.kind = call, args, kwargs, value, kind
        self.name, self.comment, self.backward = "", "", False

    shape = property(lambda self: getattr(self.value, "shape", ()))
    dtype = property(lambda self: getattr(self.value, "dtype", np.dtype(np.float64)))
    ndim = property(lambda self: len(self.shape))

    @property
    def inputs(self) -> list[Line]:
        """The lines that it reads, in order."""
        found: list[Line] = []
        for x in (*self.args, *self.kwargs.values()) if self.kwargs else self.args:
            if type(x) is Line:
                found.append(x)
            elif isinstance(x, (tuple, list)):
                found += [leaf for leaf in tree_leaves(x) if type(leaf) is Line]
        return found

    def replaced(self, new: dict[Line, Any]) -> None:
        """Read other lines instead."""
        if not any([x in new for x in self.inputs]):
            return
        swap = lambda x: new.get(x, x) if isinstance(x, Line) else x  # noqa: E731
        self.args, self.kwargs = tree_map(swap, self.args), tree_map(swap, self.kwargs)

    def __repr__(self) -> str:
        name = getattr(self.call, "__name__", str(self.call))
        return f"<{self.kind} {name} {self.shape}>"


class Program:
    """Lines in the order in which they run, and what comes out."""

    def __init__(self, inputs: list[Line], lines: list[Line], outputs: Any, vectors: Any = None) -> None:
        self.inputs, self.lines, self.outputs = inputs, lines, outputs
        self.vectors: dict[Any, list[Any]] = vectors or {}  # the scalar leaves that an array stands for

    def with_lines(self, lines: list[Line], outputs: Any) -> Program:
        return Program(self.inputs, lines, outputs, self.vectors)

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def uses(self) -> Counter[Line]:
        """How often each result is read or returned."""
        returned = [x for x in tree_leaves(self.outputs) if isinstance(x, Line)]
        return Counter([*[x for line in self for x in line.inputs], *returned])


def fits(x: Any, line: Line) -> bool:
    """Whether x can stand for the line: views of it rely on its layout, too."""
    if not isinstance(x, Line) or x.shape != line.shape or x.dtype != line.dtype:
        return False
    return getattr(x.value, "strides", None) == getattr(line.value, "strides", None)


def terms(top: Line, uses: Counter[Line]) -> list[Any]:
    """What a chain of additions adds up, from left to right."""
    found: list[Any] = []
    stack: list[Any] = [top]
    while stack:
        x = stack.pop()
        if x is top or (
            isinstance(x, Line) and x.call is np.add and x.kind == "call" and uses[x] == 1 and fits(x, top)
        ):
            stack += reversed(x.args)
        else:
            found.append(x)
    return found


class Unsupported(TypeError):
    """A forward rule asked for something that can't be written down as NumPy calls."""


# ------------------------------------------------------------------------------------------------------------ stand-ins
class Builder:
    """Writes lines; `stand_in` gives what a forward rule may compute with."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.comment, self.backward = "", False  # of the lines that are written next
        self.scalars = False  # whether the gate's inputs are all scalars
        self.may_decide = True  # whether a rule may still decide by its numbers: not after an effect

    def add(self, call: Any, args: Any, kwargs: dict[str, Any], value: Any, kind: str = "") -> Line:
        if not kind:
            shares = (
                [
                    x
                    for x in tree_leaves([args, list(kwargs.values())])
                    if isinstance(x, Line) and isinstance(x.value, np.ndarray) and np.may_share_memory(x.value, value)
                ]
                if isinstance(value, np.ndarray) and value.size
                else []
            )
            kind = "view" if shares else "call"
        line = Line(call, tuple(args), kwargs, value, kind)
        line.comment, line.backward = self.comment, self.backward
        self.lines.append(line)
        return line

    def decide(self, line: Line) -> bool:
        if not self.may_decide:
            raise Unsupported("a decision after an effect")
        answer = bool(line.value)
        self.lines.append(Line(bool, (line,), {}, answer, "guard"))
        return answer


def plain(x: Any) -> Any:
    """The numbers behind stand-ins."""
    return tree_map(lambda leaf: leaf.number() if isinstance(leaf, Sym) else leaf, x)


def lines_of(x: Any) -> Any:
    return tree_map(lambda leaf: leaf.line if isinstance(leaf, Sym) else leaf, x)


SUM: Any = np.add.reduce


class Sym(NDArrayOperatorsMixin):
    """Stands in for an array or a number in a forward rule, and writes down what NumPy does with it."""

    __slots__ = ("builder", "line")

    def __init__(self, line: Line, builder: Builder) -> None:
        self.line, self.builder = line, builder

    shape = property(lambda self: self.line.shape)
    ndim = property(lambda self: self.line.ndim)
    dtype = property(lambda self: self.line.dtype)
    flags = property(lambda self: self.line.value.flags)
    size = property(lambda self: int(np.prod(self.line.shape, dtype=int)))
    T = property(lambda self: np.transpose(self))

    def number(self) -> Any:
        """The numbers; those of a scalar gate as NumPy's floats, beside arrays as Python's, which upcast nothing."""
        value = self.line.value
        return np.float64(value) if self.builder.scalars and type(value) is float else value

    def __len__(self) -> int:
        return int(self.shape[0])

    def __bool__(self) -> bool:
        if self.size != 1:
            raise Unsupported("truth of an array")
        return self.builder.decide(self.line)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise Unsupported("a stand-in is no array")

    def call(self, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        with np.errstate(all="ignore"):
            value = function(*plain(args), **plain(kwargs))
        if function in ABOUT_SHAPES:
            return value
        if value is None or isinstance(value, (list, tuple)):
            raise Unsupported("several results, or none: an array is written into")
        return Sym(self.builder.add(function, lines_of(args), lines_of(kwargs), value), self.builder)

    def __array_ufunc__(self, ufunc: Any, how: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        if how not in ("__call__", "reduce", "accumulate") or (ufunc.nout > 1):
            raise Unsupported(how)
        result = self.call(ufunc if how == "__call__" else getattr(ufunc, how), inputs, kwargs)
        if out is None:
            return result
        (target,) = out
        if not isinstance(target, Sym) or target.line.kind != "call" or target.shape != result.shape:
            raise Unsupported("out=")
        if target.dtype != result.dtype:
            result = result.astype(target.dtype)
        target.line = result.line
        return target

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self.call(func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.call(take_at, (self, index), {})

    def reshape(self, *shape: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if not copy and self.dtype == dtype:
            return self
        return self.call(as_type, (self, np.dtype(dtype)), {})

    def view(self, dtype: Any) -> Any:
        return self.call(view_as, (self, np.dtype(dtype)), {})

    def copy(self) -> Any:
        return self.call(np.positive, (self,), {})

    def ravel(self) -> Any:
        return np.ravel(self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return SUM(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None) -> Any:
        return np.maximum.reduce(self, axis=axis)

    def min(self, axis: Any = None) -> Any:
        return np.minimum.reduce(self, axis=axis)

    def all(self, axis: Any = None) -> Any:
        return np.logical_and.reduce(self, axis=axis)

    def any(self, axis: Any = None) -> Any:
        return np.logical_or.reduce(self, axis=axis)


ABOUT_SHAPES = (np.result_type, np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj)


def view_as(x: Any, dtype: Any) -> Any:
    return x.view(dtype)


def take_at(x: Any, index: Any) -> Any:
    return x[index]


# ------------------------------------------------------------------------------------------------------- gates to lines
def lower(builder: Builder, gate: Gate, args: Any, params: dict[str, Any], value: Any) -> Any:
    """The lines of one gate: a `Line` for its result, or a raw constant; `args` hold lines.  `value` is the result."""
    from .rules import SHORTER

    if isinstance(gate.forward, np.ufunc) and not params:  # the call is known, and so is its result
        if any([isinstance(x, Line) for x in args]):
            return builder.add(gate.forward, args, params, value, "call")
        return value
    if not any([isinstance(x, Line) for x in tree_leaves([args, params])]):
        return value
    written = len(builder.lines)
    given = [x for x in tree_leaves([args, params]) if isinstance(x, (Line, np.ndarray))]
    builder.scalars = all([isinstance(x, Line) and type(x.value) is float for x in given])
    wrap = lambda x: Sym(x, builder) if isinstance(x, Line) else x  # noqa: E731
    for forward in (SHORTER.get(gate.name) if gate.catalogued or gate.name in OURS else None, gate.forward):
        try:
            if forward is not None:
                lines = lines_of(forward(*tree_map(wrap, args), **tree_map(wrap, params)))
                if same(tree_map(lambda x: x.value if isinstance(x, Line) else x, lines), value):
                    for x in tree_leaves(lines):
                        if isinstance(x, Line) and x.kind != "input":
                            x.value = tidy(x.value)
                    return lines
        except (TypeError, ValueError, AttributeError, IndexError):
            pass
        del builder.lines[written:]
    return builder.add(gate.forward, args, params, value, "call")


OURS = ("number", "detach")  # gates that only the recorder makes


def same(a: Any, b: Any) -> bool:
    """Whether the lines have come to the same numbers, up to rounding."""
    if isinstance(b, tuple):
        return isinstance(a, tuple) and len(a) == len(b) and all(map(same, a, b))
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or (a.dtype != b.dtype and a.ndim):
        return False
    each, largest = (1e-5, 1e-5) if a.dtype == np.float32 else (1e-11, 1e-12)
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=each, atol=0.0, equal_nan=True)) or (
            bool(np.max(np.abs(a - b)) <= largest * np.max(np.abs(b)))
        )
