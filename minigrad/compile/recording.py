"""Recording: run a function once, and keep every gate that it went through, forward and backward.

While a `Recorder` stands in the place of the flag `recording`, each gate that is given a `Value` makes a `Wire`: a
`Value` with the numbers of this run, which will be computed anew on every later call.  Gates without a derivative,
comparisons and the like, make wires, too, so that masks and permutations are recomputed.  What can't be recomputed is
refused: the numbers of a wire are not to be had while recording.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..convert import tidy, to_operand
from ..debug import users_line
from ..errors import CompileError
from ..tree import tree_leaves, tree_map
from ..value import FLOATS, Gate, Value, new_value, outputs, pull, recording, tick, upstream_of
from .vectorise import getitem, vectorise

__all__ = ["Effect", "Gradient", "Guard", "Recorder", "Wire", "recorder"]


def recorder() -> Recorder | None:
    """The recorder that is at work, if one is."""
    mode = recording.get()
    return mode if isinstance(mode, Recorder) else None


# --------------------------------------------------------------------------------------------------------------- wires
def refused(what: str, remedy: str) -> property:
    def reading(wire: Wire) -> Any:
        raise CompileError(
            f"{what} of {describe_wire(wire)} was asked for while mg.compile recorded the function. It would be that "
            f"of this one call for ever. {remedy} In {users_line()}"
        )

    return property(reading)


class Wire(Value):
    """A `Value` that is recorded: what feeds it is known, and its numbers are those of the recorded call."""

    __slots__ = ()
    stands_for_raw = True  # where a gate or a loss wants raw numbers, a wire without gradient will do

    data = refused("The data", "Compute with gates (mg.exp, +, ...), or outside of the compiled function.")

    dtype = property(lambda self: dtype_of(self._raw))  # also bool and int

    def item(self) -> float:
        raise CompileError(
            f"{describe_wire(self)} was turned into a number while mg.compile recorded the function. It would be the "
            "number of this one call for ever. Compute with gates, return the value, or decide with `if`, which is "
            f"checked on every call. In {users_line()}"
        )

    def numpy(self) -> Any:
        return self.item()

    def detach(self) -> Any:
        return detach(self)

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
drawn = Gate("drawn", lambda draw: draw())  # random numbers
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


class Recorder:
    """What `recording` holds while a function is recorded."""

    calls = True  # gates ask us first: see `Gate.__call__`

    def __init__(self) -> None:
        self.gradients = True  # False under no_grad()
        self.start = tick()
        self.events: list[Guard | Gradient | Effect] = []
        self.leaves: dict[Value, float] = {}  # with their number when first used: those from before us are captured
        self.lines: dict[Value, str] = {}  # the user's line behind each wire
        self.grads: dict[Value, Value] = {}  # the wire that is each leaf's gradient at the moment
        self.reads: dict[Value, Wire] = {}
        self.grad_inputs: dict[Value, Value] = {}  # wires that stand for a leaf's gradient from before the call
        self.places: dict[Value, tuple[Value, int]] = {}  # scalars that were made part of an array
        self.vectors: dict[Value, list[Value]] = {}  # the scalar leaves that an array stands for
        self.known_vectors: dict[Any, Value] = {}
        self.passes: list[list[float]] = []  # when backward passes began and ended
        self.gradient_of: dict[Value, Value] = {}  # what each gradient is the gradient of
        self.modes: dict[Any, bool] = {}  # the modules that were called: whether they were in training
        self.without_grad: list[Value] = []  # leaves that had no gradient before the call
        self.cleared: set[Value] = set()  # leaves whose gradient was reset by zero_grad

    def __bool__(self) -> bool:
        return True

    def without_gradients(self) -> Recorder:
        """The same recorder under no_grad()."""
        other = copy(self)
        other.gradients = False
        return other

    def walks(self, order: list[Value]) -> None:
        """A backward pass begins."""
        self.passes.append([tick(), float("inf")])

    def walked(self, order: list[Value], grads: dict[Value, Any]) -> None:
        """It has ended, and these gradients have got their names."""
        self.passes[-1][1] = tick()
        for value, g in grads.items():
            if isinstance(g, Value):
                self.gradient_of.setdefault(g, value)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Compute without recording."""
        token = recording.set(False)
        try:
            yield
        finally:
            recording.reset(token)

    # ------------------------------------------------------------------------------------------------------------ gates
    def call(self, gate: Gate, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """A gate is called: compute, and record it if there is a `Value` among what it is given."""
        if not params and (numbers := single_numbers(gate, inputs)):
            return self.on_numbers(gate, inputs, numbers)
        if not any([isinstance(x, Value) for x in tree_leaves([inputs, params])]):
            with self.aside():
                return gate(*inputs, **params)
        inputs, params = tree_map(self.read, inputs), tree_map(self.read, params)
        if not any([isinstance(x, Value) and is_float(x) for x in tree_leaves([inputs, params])]):
            return self.answer(gate, inputs, params)
        wires = list(inputs if gate.arity is None and gate.differentiable else inputs[: gate.arity or 0])
        beyond = inputs[len(wires) :]
        if gate.differentiable:
            self.as_numbers(gate, wires)
        given = [raw(x) if i in gate.plain or not is_float(x) else x for i, x in enumerate(wires)]
        with self.aside():
            if gate.arity is None and gate.differentiable:
                given = [given]
            out = gate(*given, *tree_map(raw, beyond), **tree_map(raw, params))
        if isinstance(out, tuple):  # several outputs, each picked from the one node that has them all
            out = type(out)(*map(raw, out)) if hasattr(out, "_fields") else tuple(map(raw, out))
        args = [x._raw if isinstance(x, Value) else x for x in wires]
        if gate.differentiable and not all([isinstance(x, Value) for x in wires]):
            gate.convert_constants(tuple(wires), args)
        node = self.wire(raw(out))
        node.gate, node._saved = gate, (tuple(wires), (node._raw, *args, *beyond), params)
        node._requires_grad = gate.differentiable and self.gradients and any([needs(x) for x in wires])
        self.made(node)
        return outputs(node) if isinstance(out, tuple) else node

    def on_numbers(self, gate: Gate, inputs: tuple[Any, ...], numbers: list[Any]) -> Any:
        """A gate on single numbers, of which there may be very many."""
        out = gate.compute(numbers, {})
        wires = tuple([x if isinstance(x, Value) else n for x, n in zip(inputs, numbers, strict=True)])
        node = self.wire(out)
        node.gate, node._requires_grad = gate, gate.differentiable and self.gradients and any(map(needs, wires))
        if gate.local is not None and bool not in map(type, numbers):
            node._keep_locals(gate, wires, numbers, False)
        else:
            node._saved = (wires, (out, *numbers), {})
        self.uses(wires)
        return node

    def answer(self, gate: Gate, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
        """A gate on masks, labels or indices computes with raw numbers, and its result is one of these."""
        with self.aside():
            out = gate(*tree_map(raw, inputs), **tree_map(raw, params))
        node = self.wire(out)
        node.gate, node._saved = gate, ((), (out, *inputs), params)
        self.made(node)
        return node

    def read(self, x: Any) -> Any:
        """The array of a leaf as it is now: an optimiser's step will change it in place."""
        if not isinstance(x, Value) or x.gate is not None or isinstance(x, Wire) or type(x._raw) is float:
            return x
        if x not in self.reads:
            self.leaves.setdefault(x, x._number)
            self.reads[x] = node = self.wire(x._raw.copy())
            node.gate, node._saved, node._requires_grad = read, ((x,), (node._raw, x._raw), {}), x._requires_grad
            node.label = x.label
        return self.reads[x]

    def as_numbers(self, gate: Gate, wires: list[Any]) -> None:
        """Wires that hold masks or labels, where the gate wants numbers: as floats of the dtype of the others."""
        for i, x in enumerate(wires):
            if isinstance(x, Value):
                if not is_float(x) and i not in gate.plain and not isinstance(x._raw, tuple):
                    others = [w.dtype for w in wires if isinstance(w, Value) and is_float(w) and w.shape]
                    wires[i] = number(x, np.result_type(*others) if others else np.float64)
            elif gate.arity is not None:
                wires[i] = to_operand(x)

    def wire(self, data: Any) -> Wire:
        node = new_value(data)
        node.__class__ = Wire
        return node  # type: ignore[return-value]

    def made(self, node: Value) -> None:
        """A gate was recorded, here or on the short way that operators take on Python floats."""
        node.__class__ = Wire
        self.uses(given_to(node)[0])
        if node._saved is not None:
            self.lines[node] = os.path.basename(users_line())

    def uses(self, inputs: tuple[Any, ...]) -> None:
        """Leaves are noted when they are first used."""
        for x in inputs:
            if isinstance(x, Value) and x.gate is None and x not in self.leaves:
                self.leaves[x] = x._number

    # ----------------------------------------------------------------------------------------- decisions and gradients
    def beside(self, action: Callable[..., None], values: tuple[Any, ...]) -> None:
        """A layer does something beside its gates, which changes nothing that they read."""
        self.events.append(Effect(tick(), action, values))
        with self.aside():
            action(*map(raw, values))

    def on_gradients(self, action: Callable[[], Any]) -> Any:
        """Gradients are clipped, say: in place of those that the backward pass has found."""
        self.events.append(Effect(tick(), action, gradients=True))
        with self.aside():
            return action()

    def called(self, module: Any) -> None:
        """A module is called: a call in its other mode is recorded anew."""
        self.modes[module] = module.training

    def measured(self, function: Callable[[Any], Any], value: Any) -> Any:
        """A number that decides about something."""
        return self.answer(question(function), (value,), {}) if isinstance(value, Value) else function(value)

    def drawn(self, draw: Callable[[], Any]) -> Wire:
        """A random array."""
        with self.aside():
            node = self.wire(draw())
        node.gate, node._saved = drawn, ((), (node._raw, draw), {})
        return node

    def decided(self, wire: Wire, answer: bool) -> None:
        if any([isinstance(event, Effect) and (event.optimizer or event.gradients) for event in self.events]):
            raise CompileError(
                f"a decision after the optimiser's step: {describe_wire(wire)} is compared when the parameters have "
                "changed already, and a call that falls out differently couldn't be taken back. Decide before the "
                f"step, or outside of the compiled function. In {users_line()}"
            )
        self.events.append(Guard(tick(), wire, answer))

    def backward(self, root: Value, gradient: Any) -> None:
        """`root.backward(gradient)`: the pass runs on wires, and so is recorded like the gates before it."""
        upstream = gradient if isinstance(gradient, Wire) else self.wire(upstream_of(root, gradient))
        if root.gate is not None and root._saved is None:  # a graph of single numbers
            self.places |= vectorise(root, self) or {}
            if root in self.places:
                array, i = self.places[root]
                root = getitem(array, i) if array.shape else array
        for value, g in pull(root, upstream).items():
            if value in self.vectors:
                self.reached_many(value, g)
            elif value.gate is None and self.captured(value):
                self.reached(value, g)
            elif value not in self.places:
                value.grad = g._raw if type(g._raw) is float else tidy(np.array(g._raw))

    def reached(self, leaf: Value, g: Any) -> None:
        """A backward pass has come to a leaf."""
        if leaf in self.grads:
            g = self.grads[leaf] + g
        elif leaf.grad is not None and leaf not in self.cleared:
            before = self.wire(leaf.grad)
            self.grad_inputs[before] = leaf
            g = before + g
        elif leaf not in self.cleared:
            self.without_grad.append(leaf)
        self.grads[leaf] = g
        self.events.append(Gradient(tick(), leaf, g))
        leaf.grad = tidy(np.array(g._raw))

    def reached_many(self, vector: Value, g: Any) -> None:
        """A backward pass has come to the numbers of many scalar leaves."""
        leaves = self.vectors[vector]
        before = [leaf.grad for leaf in leaves if leaf.grad is not None and leaf not in self.cleared]
        if vector in self.grads:
            g = self.grads[vector] + g
        elif len(before) == len(leaves):
            self.grad_inputs[have := self.wire(np.array(before))] = vector
            g = have + g
        elif before:
            raise CompileError(
                "some parameters have a gradient from before the call, and others have none: call zero_grad() first."
            )
        else:
            self.without_grad += [leaf for leaf in leaves if leaf not in self.cleared]
        self.grads[vector] = g
        self.events.append(Gradient(tick(), vector, g))
        for leaf, number in zip(leaves, g._raw.tolist(), strict=True):
            leaf.grad = number

    def captured(self, leaf: Value) -> bool:
        """Whether it is from outside: what the function makes itself has the same numbers on every call."""
        return self.leaves.get(leaf, leaf._number) < self.start

    def vector(self, leaves: list[Value]) -> Value:
        """The numbers of many scalar leaves as one array."""
        key = (*leaves, sum([isinstance(event, Effect) and event.optimizer is not None for event in self.events]))
        if key not in self.known_vectors:
            self.known_vectors[key] = node = self.wire(np.array([x._raw for x in leaves]))
            node._requires_grad, node.label = leaves[0]._requires_grad, "parameters"
            self.vectors[node] = leaves
        return self.known_vectors[key]

    def clear(self, leaf: Value) -> None:
        """zero_grad() was called: what a backward pass finds from here on is the gradient."""
        self.cleared.add(leaf)
        self.grads.pop(leaf, None)
        for vector in [v for v, leaves in self.vectors.items() if leaf in leaves]:
            self.grads.pop(vector, None)
        self.events.append(Gradient(tick(), leaf, None))

    def step(self, optimizer: Any) -> None:
        """An optimiser's step: done now, unrecorded, and again on every call."""
        self.events.append(Effect(tick(), optimizer.step, optimizer=optimizer))
        self.reads.clear()
        with self.aside():
            optimizer.step()


def as_type(x: Any, dtype: Any) -> Any:
    return x.astype(dtype)


def given_to(node: Value) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a recorded gate was given, `Value`s and raw, and its parameters."""
    if node._saved is None:  # a scalar gate
        n = node.gate.arity  # type: ignore[union-attr]
        return (node._a,) if n == 1 else (node._a, node._b) if n == 2 else node.inputs, {}
    wires, (_, *raws), params = node._saved
    given = [w if isinstance(w, Value) else raw for w, raw in zip(wires, raws, strict=False)]
    return (*given, *raws[len(wires) :]), params


def single_numbers(gate: Gate, inputs: tuple[Any, ...]) -> list[Any]:
    """The numbers that a gate is given, if a known gate is given one on each wire; otherwise none."""
    if gate.differentiable:
        known = gate.catalogued and gate.elementwise and gate.arity in (None, len(inputs))
    else:
        known = isinstance(gate.forward, np.ufunc)
    numbers = [x._raw if isinstance(x, Value) else x for x in inputs]
    numbers = [float(x) if type(x) is int else x for x in numbers]
    if not known or not {float, bool}.issuperset(map(type, numbers)):
        return []
    masks = [i for i, x in enumerate(numbers) if type(x) is bool]
    operates = not gate.differentiable and not gate.catalogued  # & | ^ ~
    fits = len(masks) == len(inputs) if operates else masks == gate.plain
    return numbers if fits and any([isinstance(x, Value) for x in inputs]) else []


def raw(x: Any) -> Any:
    return x._raw if isinstance(x, Value) else x


def dtype_of(x: Any) -> Any:
    return FLOATS[0] if isinstance(x, (float, tuple)) else getattr(x, "dtype", None) or np.asarray(x).dtype


def is_float(x: Any) -> bool:
    return not isinstance(x, Value) or x.dtype in FLOATS


def needs(x: Any) -> bool:
    return isinstance(x, Value) and x._requires_grad
