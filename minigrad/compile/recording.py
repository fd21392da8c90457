"""Recording: run a function once, and keep every gate that it went through, forward and backward.

While a `Recorder` stands in the place of the flag `recording`, each gate that is given a `Value` makes a `Wire`: a
`Value` with the numbers of this run, which will be computed anew on every later call.  Gates without a derivative,
comparisons and the like, make wires, too, so that masks and permutations are recomputed.  What can't be recomputed is
refused: the numbers of a wire are not to be had while recording.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from operator import is_
from types import MethodType
from typing import Any

import numpy as np

from ..convert import describe, tidy, to_constant, to_operand
from ..debug import users_line
from ..errors import CompileError
from ..gates import REGISTRY
from ..tree import tree_leaves, tree_map
from ..value import FLOATS, Gate, Value, new_value, outputs, pull, recording, tape, tick, upstream_of
from .vectorise import getitem, vectorise

__all__ = ["AskedByUs", "Effect", "Gradient", "Guard", "Recorder", "Wire", "recorder"]


def recorder() -> Recorder | None:
    """The recorder that is at work, if one is."""
    mode = recording.get()
    return mode if isinstance(mode, Recorder) else None


# --------------------------------------------------------------------------------------------------------------- wires
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


class Recorder:
    """What `recording` holds while a function is recorded."""

    calls = True  # gates ask us first: see `Gate.__call__`

    def __init__(self, age: dict[Value, float] | None = None) -> None:
        self.gradients = True  # False under no_grad()
        self.age = {} if age is None else age  # when scalar leaves were made; a step makes their numbers equal
        self.start = tick()
        self.early = tick()  # the number of what is read from before: older than all that uses it
        self.events: list[Guard | Gradient | Effect] = []
        self.leaves: dict[Value, float] = {}  # with their number when first used: those from before us are captured
        self.lines: dict[Value, str] = {}  # the user's line behind each wire
        self.grads: dict[Value, Any] = {}  # each leaf's gradient at the moment: a wire, or None
        self.reads: dict[Value, Wire] = {}
        self.grad_inputs: dict[Value, Value] = {}  # wires that stand for a leaf's gradient from before the call
        self.without_grad: list[Value] = []  # leaves that had no gradient before the call, if that matters;
        self.with_grad: list[tuple[Value, Any]] = []  # and those that had one, of this shape
        self.undo: list[Callable[[], Any]] = []  # what takes back, newest last, what was done beside the gates
        self.seen: set[Value] = set()  # values whose gradient `undo` knows
        self.befores: dict[Value, Any] = {}  # the gradient from before the call, of those that were asked for it
        self.random = False  # whether something was drawn
        self.roots: list[Value] = []  # where backward passes began
        self.clipped = False  # whether gradients have been changed by other means than gates
        self.places: dict[Value, tuple[Value, int]] = {}  # scalars that were made part of an array
        self.vectors: dict[Value, list[Value]] = {}  # the scalar leaves that an array stands for,
        self.in_vector: dict[Value, tuple[Any, int]] = {}  # and where in one the gradient of each is to be found
        self.known_vectors: dict[Any, Value] = {}
        self.passes: list[list[float]] = []  # when backward passes began and ended
        self.gradient_of: dict[Value, Value] = {}  # what each gradient is the gradient of
        self.modes: dict[Any, bool] = {}  # the modules that were called: whether they were in training
        self.switched: set[Any] = set()  # those that the function itself put into this mode

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
        inputs = tuple(map(self.read, inputs))
        out = gate.compute(numbers, {})
        wires = tuple([x if isinstance(x, Value) else n for x, n in zip(inputs, numbers, strict=True)])
        node = self.wire(out)
        node.gate, node._requires_grad = gate, gate.differentiable and self.gradients and any(map(needs, wires))
        walking = bool(self.passes) and self.passes[-1][1] == float("inf")
        if gate.local is None or walking or bool in map(type, numbers):
            node._saved = (wires, (out, *numbers), {})
        else:
            with self.aside():
                node._keep_locals(gate, wires, numbers, False)
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
        """The array of a leaf as it is now: an optimiser's step will change it in place.

        What gates have made before the call is taken like a leaf: as it is when the call begins.
        """
        if not isinstance(x, Value) or isinstance(x, Wire) or (type(x._raw) is float and x.gate is None):
            return x
        if x not in self.reads:
            self.leaves.setdefault(x, x._number)
            self.reads[x] = node = self.wire(np.copy(x._raw) if np.ndim(x._raw) else x._raw)
            node.gate, node._saved, node._requires_grad = read, ((x,), (node._raw, x._raw), {}), x._requires_grad
            node.label = x.label
            if x.gate is not None:
                node._number = self.early
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
        if self.uses(given_to(node)[0]):
            self.rewire(node)
        if node._saved is None:  # the short way looks at single numbers only, not at no_grad() inside of us
            slopes = node._da if type(node._da) is tuple else (node._da, node._db)
            node._requires_grad = self.gradients and any([d is not None for d in slopes])
        else:
            self.lines[node] = os.path.basename(users_line())

    def uses(self, inputs: tuple[Any, ...]) -> bool:
        """Leaves are noted when they are first used.  Whether there is something that gates made before the call."""
        early = False
        for x in inputs:
            if isinstance(x, Value):
                if x.gate is None:
                    if x not in self.leaves:
                        self.leaves[x] = x._number
                elif x._number < self.start:
                    early = True
        return early

    def rewire(self, node: Value) -> None:
        """A gate on single numbers reads those that were made before the call."""
        if type(node._da) is tuple:
            node._a = tuple(map(self.read, node._a))
        elif node._saved is None:
            node._a, node._b = self.read(node._a), self.read(node._b)

    # ------------------------------------------------------------------------------------------------ beside the gates
    def beside(self, action: Callable[..., Any], values: tuple[Any, ...]) -> None:
        """A layer does something beside its gates, which changes nothing that they read."""
        self.events.append(Effect(tick(), action, values))
        if isinstance(action, MethodType) and hasattr(owner := action.__self__, "__dict__"):
            self.undo.append(partial(vars(owner).update, vars(owner).copy()))
        with self.aside():
            action(*map(raw, values))

    def on_gradients(self, action: Callable[[], Any]) -> Any:
        """Gradients are clipped, say, in place of those that the backward pass has found.

        They and what the action returns are not made by gates: from here on, a call looks at what is there.
        """
        returned: list[Any] = [None]

        def clip() -> None:
            returned[0] = action()

        self.events.append(Effect(tick(), clip, gradients=True))
        for leaf in [*self.befores, *self.grads]:
            for one in self.vectors.get(leaf, [leaf]):
                self.remember(one)
        with self.aside():
            clip()
        self.clipped, self.befores = True, {}
        for leaf, g in self.grads.items():
            if leaf in self.vectors:
                self.grads[leaf] = self.drawn(partial(gradients_of, self.vectors[leaf]))
            elif g is not None and not isinstance(leaf, Wire):
                self.grads[leaf] = self.drawn(partial(gradient_of, leaf))
        return None if returned[0] is None else self.drawn(lambda: returned[0])

    def called(self, module: Any) -> None:
        """A module is called: a call in its other mode is recorded anew."""
        if module not in self.switched:
            self.modes.setdefault(module, module.training)

    def modes_set(self, module: Any, training: bool) -> None:
        """The function puts a module, and its parts, into a mode."""
        self.switched.update(module.modules())
        self.events.append(Effect(tick(), partial(module.train, training)))
        self.undo.append(partial(module.train, module.training))

    def measured(self, function: Callable[[Any], Any], value: Any) -> Any:
        """A number that decides about something."""
        return self.answer(question(function), (value,), {}) if isinstance(value, Value) else function(value)

    def drawn(self, draw: Callable[[], Any]) -> Wire:
        """An array that no gate makes: random numbers, running statistics."""
        self.random = True
        with self.aside():
            node = self.wire(draw())
        node.gate, node._saved = drawn, ((), (node._raw, draw), {})
        return node

    # ----------------------------------------------------------------------------------------- decisions and gradients
    def decided(self, wire: Wire, answer: bool) -> None:
        if not self.known_before_steps(wire):
            raise CompileError(
                f"a decision after the optimiser's step: {describe_wire(wire)} is compared when the parameters have "
                "changed already, and a call that falls out differently couldn't be taken back. Decide before the "
                f"step, or outside of the compiled function. In {users_line()}"
            )
        self.events.append(Guard(tick(), wire, answer))

    def known_before_steps(self, wire: Value) -> bool:
        """Whether nothing that the first optimiser's step (or clipping) changes has a part in it."""
        first = min([e.at for e in self.events if isinstance(e, Effect) and e.learns], default=float("inf"))
        stack, seen = [wire], {wire}
        while stack:
            x = stack.pop()
            if x.gate is None and (self.captured(x) or x in self.vectors):
                return False
            if x.gate is None or x._number < first:
                continue
            if x.gate in (read, drawn):
                return False
            behind = tree_leaves(list(x._saved) if x._saved is not None else list(x.inputs))
            stack += [v for v in behind if isinstance(v, Value) and v not in seen]
            seen.update(stack)
        return True

    def backward(self, root: Value, gradient: Any) -> None:
        """`root.backward(gradient)`: the pass runs on wires, and so is recorded like the gates before it."""
        upstream = gradient if isinstance(gradient, Wire) else self.wire(upstream_of(root, gradient))
        if root.gate is not None and root._saved is None:  # a graph of single numbers
            self.places |= vectorise(root, self) or {}
            if root in self.places:
                array, i = self.places[root]
                root = getitem(array, i) if array.shape else array
        self.roots.append(root)
        root = self.read(root)
        for value in tape(root)[0]:
            if value.gate is not None and value._number < self.start:
                raise CompileError(
                    f"backward() reached {describe(value)}, which {value.gate.name} has made before the call: "
                    "mg.compile knows what happens inside of the function only. Compute it there, or pass it as "
                    f".detach(). In {users_line()}"
                )
        for value, g in pull(root, upstream).items():
            if value in self.vectors:
                self.reached_many(value, g)
            elif value.gate is None and self.captured(value):
                self.reached(value, g)
            elif value not in self.places:
                if value.gate is None and self.grads.get(value) is not None:
                    g = self.grads[value] + g
                self.grads[value] = g
                if not isinstance(value, Wire):
                    value._grad = number_of(g)

    def reached(self, leaf: Value, g: Any) -> None:
        """A backward pass has come to a leaf."""
        have = self.gradient(leaf)
        self.became(leaf, g if have is None else have + g)

    def reached_many(self, vector: Value, g: Any) -> None:
        """A backward pass has come to the numbers of many scalar leaves."""
        leaves = self.vectors[vector]
        alone = any([leaf in self.grads for leaf in leaves])  # one has a gradient of its own, or was reset
        holders = list({self.in_vector.get(leaf, (None, 0))[0]: None for leaf in leaves})
        mixed = holders != [None] or len({leaf._grad is None for leaf in leaves}) == 2
        if all([leaf in self.grads and self.grads[leaf] is None for leaf in leaves]):
            pass
        elif not alone and len(holders) == 1 and same_objects(self.vectors.get(holders[0]), leaves):
            g = self.grads[holders[0]] + g
        elif alone or mixed or self.clipped:
            have = [self.gradient(leaf) for leaf in leaves]
            g = REGISTRY["stack"]([0.0 if h is None else h for h in have]) + g
        elif leaves[0]._grad is not None:
            self.grad_inputs[before := self.wire(gradients_of(leaves))] = vector
            self.with_grad += [(leaf, ()) for leaf in leaves]
            g = before + g
        else:
            self.without_grad += leaves
        for i, leaf in enumerate(leaves):
            self.remember(leaf)
            self.grads.pop(leaf, None)
            self.in_vector[leaf] = vector, i
        self.grads[vector] = g
        self.events.append(Gradient(tick(), vector, g))
        for leaf, number in zip(leaves, g._raw.tolist(), strict=True):
            leaf._grad = number

    def gradient(self, value: Value) -> Any:
        """`value.grad` was asked for: the wire that it is now, or None."""
        if value in self.grads:
            return self.grads[value]
        vector, i = self.place_of(value)
        if vector in self.grads:
            return getitem(self.grads[vector], i) if vector.shape else self.grads[vector]
        if self.places and isinstance(value, Wire) and value._saved is None and value._requires_grad:
            raise CompileError(
                f"the gradient of {describe_wire(value)} was asked for: where scalars are taken together, only leaves "
                f"keep theirs. In {users_line()}"
            )
        if value.gate is not None or not self.captured(value):
            return value._grad
        self.leaves.setdefault(value, value._number)
        if value not in self.befores:
            self.befores[value] = None
            if value._grad is None:
                self.without_grad.append(value)
            else:
                self.with_grad.append((value, np.shape(value._grad)))
                if self.clipped:
                    self.befores[value] = self.drawn(partial(gradient_of, value))
                else:
                    self.befores[value] = before = self.wire(gradient_of(value))
                    self.grad_inputs[before] = value
        return self.befores[value]

    def place_of(self, value: Value) -> tuple[Any, int]:
        """The array that a scalar has become part of, and where."""
        return self.in_vector.get(value) or self.places.get(value) or (None, 0)

    def gradient_known(self, value: Value) -> Any:
        """The gradient's wire, if this call has found one."""
        vector, i = self.place_of(value)
        whole = self.grads.get(value, self.grads.get(vector))
        return self.wire(np.ravel(whole._raw)[i]) if whole is not None and value not in self.grads else whole

    def set_gradient(self, value: Value, g: Any) -> None:
        """`value.grad = g` was written."""
        if g is not None and not isinstance(g, Value):
            g = self.wire(tidy(np.array(to_constant(g, value.dtype))))
        if value.gate is None and self.captured(value):
            self.leaves.setdefault(value, value._number)
            self.became(value, g)
        else:
            self.grads[value], value._grad = g, number_of(g)

    def became(self, leaf: Value, g: Any) -> None:
        """From here on, the gradient of the leaf is `g`."""
        self.remember(leaf)
        self.grads[leaf] = g
        self.events.append(Gradient(tick(), leaf, g))
        leaf._grad = number_of(g)

    def remember(self, leaf: Value) -> None:
        """What its gradient was before the call, should that fail."""
        if leaf not in self.seen:
            self.seen.add(leaf)
            self.undo.append(partial(setattr, leaf, "_grad", leaf._grad))

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

    def step(self, optimizer: Any) -> None:
        """An optimiser's step: done now, unrecorded, and again on every call."""
        if optimizer.made > self.start:
            raise CompileError(
                f"{type(optimizer).__name__} was made inside of the function that mg.compile records: later calls "
                f"would go on with this one, and its memory. Make it outside. In {users_line()}"
            )
        self.events.append(Effect(tick(), optimizer.step, optimizer=optimizer))
        self.reads.clear()
        with self.aside():
            self.undo.append(state_of(optimizer))
            optimizer.step()

    # ---------------------------------------------------------------------------------------------------- what can't be
    def raw_number_asked(self, value: Value) -> None:
        """`value.data` was read, of a value that isn't ours."""
        if self.captured(value):
            raise CompileError(
                f"the data of {describe(value)} were asked for while mg.compile recorded the function. Later calls "
                "would use what it is now. Compute with the value itself (v.detach() where no gradient is to pass), or "
                f"outside of the compiled function. In {users_line()}"
            )

    def data_assigned(self, value: Value) -> None:
        """`value.data = ...`, or another change that no later call would make."""
        if self.captured(value):
            raise CompileError(
                f"{describe(value)} was changed while mg.compile recorded the function. Later calls wouldn't do it: "
                "let an optimiser (minigrad.optim) change parameters, or do it outside of the compiled function. In "
                f"{users_line()}"
            )

    def detach(self, value: Value) -> Value:
        """The numbers of a value that isn't ours, as they are on each call."""
        kept: Value = detach(value) if self.captured(value) else Value(value._raw, value.label, requires_grad=False)
        return kept

    def take_back(self) -> None:
        """The call has failed: gradients, parameters and optimisers as they were before."""
        with self.aside():
            for undo in reversed(self.undo):
                undo()


def gradient_of(leaf: Value) -> Any:
    """A leaf's gradient as it is now."""
    return tidy(np.array(to_constant(leaf._grad, leaf.dtype)))


def gradients_of(leaves: list[Value]) -> Any:
    return np.array([float(leaf._grad) for leaf in leaves])


def same_objects(a: list[Value] | None, b: list[Value]) -> bool:
    return a is not None and len(a) == len(b) and all(map(is_, a, b))


def number_of(g: Any) -> Any:
    return None if g is None else tidy(np.array(g._raw))


def state_of(optimizer: Any) -> Callable[[], None]:
    """What brings the parameters and the memory of an optimiser back to where they are now."""
    flats = [flat for flats in optimizer.flats for flat in flats]
    for flat in flats:
        flat.adopt()
    saved = [(flat.data.copy(), {name: x.copy() for name, x in flat.state.items()}, list(flat.steps)) for flat in flats]
    taken, settings = optimizer.steps_taken, [dict(group) for group in optimizer.param_groups]

    def restore() -> None:
        for flat, (data, state, steps) in zip(flats, saved, strict=True):
            flat.data[...] = data
            flat.state, flat.steps = state, steps
            flat.release(everyone=True)
        optimizer.steps_taken = taken
        for group, before in zip(optimizer.param_groups, settings, strict=True):
            group.update(before)

    return restore


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
