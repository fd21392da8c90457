"""Recording: run a function once, and keep every gate that it went through, forward and backward.

While a `Recorder` stands in the place of the flag `recording`, each gate that is given a `Value` makes a `Wire`: a
`Value` with the numbers of this run, which will be computed anew on every later call.  Gates without a derivative,
comparisons and the like, make wires, too, so that masks and permutations are recomputed.  What can't be recomputed is
refused.  (`wires.py` has the wires, `gradients.py` what backward passes leave behind.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from types import MethodType
from typing import Any

import numpy as np

from ..convert import describe, to_operand
from ..debug import users_line
from ..errors import CompileError
from ..tree import tree_leaves, tree_map
from ..value import Gate, Value, new_value, outputs, recording, tick
from .gradients import Gradients
from .wires import (
    Effect,
    Guard,
    Wire,
    describe_wire,
    detach,
    drawn,
    is_float,
    needs,
    number,
    question,
    raw,
    read,
)

__all__ = ["Recorder", "given_to"]


class Recorder(Gradients):
    """What `recording` holds while a function is recorded."""

    calls = True  # gates ask us first: see `Gate.__call__`

    def __init__(self, age: dict[Value, float] | None = None) -> None:
        super().__init__()
        self.gradients = True  # False under no_grad()
        self.age = {} if age is None else age  # when scalar leaves were made; a step makes their numbers equal
        self.early = tick()  # the number of what is read from before: older than all that uses it
        self.lines: dict[Value, str] = {}  # the user's line behind each wire
        self.reads: dict[Value, Wire] = {}
        self.random = False  # whether something was drawn
        self.passes: list[list[float]] = []  # when backward passes began and ended
        self.gradient_of: dict[Value, Value] = {}  # what each gradient is the gradient of
        self.settings: dict[Any, list[tuple[dict[str, Any], str, float]]] = {}  # numbers that layers were made with
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

    def called(self, module: Any) -> None:
        """A module is called: a call in its other mode is recorded anew."""
        if module not in self.switched:
            self.modes.setdefault(module, module.training)
        numbers = vars(module)
        self.settings.setdefault(module, [(numbers, name, x) for name, x in numbers.items() if type(x) is float])

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

    # ------------------------------------------------------------------------------------------- decisions and steps
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

    def step(self, optimizer: Any) -> None:
        """An optimiser's step: done now, unrecorded, and again on every call."""
        if optimizer.made > self.start:
            raise CompileError(
                f"{type(optimizer).__name__} was made inside of the function that mg.compile records: later calls "
                f"would go on with this one, and its memory. Make it outside. In {users_line()}"
            )
        for p in [p for group in optimizer.param_groups for p in group["params"]]:
            self.leaves.setdefault(p, p._number)  # before the step makes it look new
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
