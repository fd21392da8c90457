"""What `.grad` of each value is while a function is recorded: a wire, which later calls compute anew."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import is_
from typing import Any

import numpy as np

from ..convert import describe, tidy, to_constant
from ..debug import users_line
from ..errors import CompileError
from ..gates import REGISTRY
from ..value import Value, pull, tape, tick, upstream_of
from .vectorise import getitem, vectorise
from .wires import Effect, Gradient, Guard, Wire, describe_wire

__all__ = ["Gradients"]


class Gradients:
    """The part of a `Recorder` that follows backward passes, and what is done to gradients."""

    aside: Any  # these four are the recorder's
    drawn: Callable[[Callable[[], Any]], Wire]
    read: Callable[[Any], Any]
    wire: Callable[[Any], Wire]

    def __init__(self) -> None:
        self.start = tick()
        self.events: list[Guard | Gradient | Effect] = []
        self.leaves: dict[Value, float] = {}  # with their number when first used: those from before us are captured
        self.grads: dict[Value, Any] = {}  # each leaf's gradient at the moment: a wire, or None
        self.grad_inputs: dict[Value, Value] = {}  # wires that stand for a leaf's gradient from before the call
        self.befores: dict[Value, Any] = {}  # the gradient from before the call, of those that were asked for it
        self.without_grad: list[Value] = []  # leaves that had no gradient before the call, if that matters;
        self.with_grad: list[tuple[Value, Any]] = []  # and those that had one, of this shape
        self.undo: list[Callable[[], Any]] = []  # what takes back, newest last, what was done beside the gates
        self.seen: set[Value] = set()  # values whose gradient `undo` knows
        self.clipped = False  # whether gradients have been changed by other means than gates
        self.roots: list[Value] = []  # where backward passes began
        self.places: dict[Value, tuple[Value, int]] = {}  # scalars that were made part of an array
        self.vectors: dict[Value, list[Value]] = {}  # the scalar leaves that an array stands for,
        self.in_vector: dict[Value, tuple[Any, int]] = {}  # and where in one the gradient of each is to be found
        self.known_vectors: dict[Any, Value] = {}

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


def gradient_of(leaf: Value) -> Any:
    """A leaf's gradient as it is now."""
    return tidy(np.array(to_constant(leaf._grad, leaf.dtype)))


def gradients_of(leaves: list[Value]) -> Any:
    """The gradients of many numbers; 0 for those that have been reset, which `grads` knows."""
    return np.array([0.0 if leaf._grad is None else float(leaf._grad) for leaf in leaves])


def same_objects(a: list[Value] | None, b: list[Value]) -> bool:
    return a is not None and len(a) == len(b) and all(map(is_, a, b))


def number_of(g: Any) -> Any:
    return None if g is None else tidy(np.array(g._raw))
