"""One recording, ready for calls: which calls it fits, how it runs, and what its results are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any

import numpy as np

from ..convert import describe, tidy
from ..errors import GradientError
from ..tree import tree_leaves, tree_map
from ..value import FLOATS, Gate, Value, new_value, no_grad, outputs, pull, recording, tape, touched, upstream_of, zeros
from .emit import Emitted
from .outside import Outside
from .program import Program
from .recording import Recorder
from .report import Stage
from .wires import Effect, Gradient

__all__ = ["Entry", "Unrecorded", "as_argument", "gate_of", "key_of", "rebound", "stand_ins", "wrap"]


class Unrecorded(Exception):
    """Arguments that no recording is made for."""


def stand_ins(recorder: Recorder, given: list[Value], earlier: list[Entry]) -> dict[Value, Value]:
    """For the `Value`s among the arguments others in their place, if the function may be called with any.

    Parameters among the arguments are recorded as themselves at first.  When the function is then called with others,
    which it hasn't used the first time, and makes no optimiser's step, any will do.
    """
    here = set(given)
    others = {x for entry in earlier for x in entry.given} - here
    elsewhere = {x for entry in earlier for x in entry.touched - {*entry.given}}
    steps = any([isinstance(e, Effect) and e.optimizer is not None for e in recorder.events])
    if not others or here & elsewhere or steps:
        return {}
    return {x: Value(x._raw, x.label) for x in given}


def rebound(program: Program, recorder: Recorder, own: dict[Value, Value]) -> None:
    """Let other `Value`s stand for some in a program."""
    for line in program.inputs:
        kind, source, *more = line.args[0]
        if isinstance(source, Value):
            line.args = ((kind, own.get(source, source), *more),)
    for line in program:
        if line.kind == "grad":
            line.call = own.get(line.call, line.call)
    for leaves in recorder.vectors.values():
        leaves[:] = [own.get(x, x) for x in leaves]
    recorder.without_grad[:] = [own.get(x, x) for x in recorder.without_grad]
    recorder.with_grad[:] = [(own.get(x, x), shape) for x, shape in recorder.with_grad]


class Entry:
    """One recording of the function, for arguments of one kind.

    `given` are the `Value`s that want a gradient among the arguments.
    """

    def __init__(
        self, program: Program, emitted: Emitted, out: Any, recorder: Recorder, given: list[Value],
        own: dict[Value, Value], gate: Gate, stages: list[Stage], outside: Outside,
    ) -> None:  # fmt: skip
        self.program, self.emitted, self.gate, self.stages, self.outside = program, emitted, gate, stages, outside
        self.given = [own.get(x, x) for x in given]
        self.lent = bool(own)  # whether other Values lend their numbers to `given` for the call
        self.structure = tree_map(lambda x: None, out)
        self.kinds: list[Any] = [None] * 99
        self.data: list[str] = []  # raw data of the function
        self.modes = list(recorder.modes.items())
        self.scalars = [(leaves, [v.requires_grad] * len(leaves)) for v, leaves in recorder.vectors.items()]
        self.without_grad, self.with_grad = recorder.without_grad, recorder.with_grad
        leaves = dict.fromkeys([line.args[0][1] for line in program.inputs if line.args[0][0] == "leaf"])
        self.leaves = [leaf for leaf in leaves if type(leaf._raw) is not float]
        self.shapes = [(leaf.shape, leaf.dtype) for leaf in self.leaves]
        self.seen: float = -1  # what `touched` was when they were looked at last
        self.wanting = [leaf._requires_grad for leaf in self.leaves]
        self.touched = {own.get(x, x) for x in recorder.leaves if recorder.captured(x)}
        # a result that depends on values which want a gradient belongs to their graph, too
        learns = any([isinstance(e, Gradient) or (isinstance(e, Effect) and e.learns) for e in recorder.events])
        self.wires = {} if learns else wires_behind(recorder, out, own)
        self.repeatable = not recorder.random and not recorder.events

    # -------------------------------------------------------------------------------------------------- which calls
    def takes(self, args: tuple[Any, ...]) -> bool:
        """Whether these are arrays of the recorded kinds: a quick answer for the usual call."""
        if len(args) != len(self.kinds):
            return False
        for x, (shape, dtype) in zip(args, self.kinds, strict=False):
            if type(x) is not np.ndarray or x.shape != shape or x.dtype is not dtype:
                return False
        return True

    def accepts(self, given: list[Value]) -> bool:
        """Whether these `Value`s may stand where the recorded ones stood."""
        if self.lent:
            return not any([x in self.touched for x in given])
        return all(map(is_, self.given, given))

    def lend(self, given: list[Value]) -> None:
        """The numbers and gradients of other `Value`s, for one call."""
        if self.lent:
            for own, x in zip(self.given, given, strict=True):
                own._raw, own._grad = x._raw, x._grad

    def give_back(self, given: list[Value]) -> None:
        if self.lent:
            for own, x in zip(self.given, given, strict=True):
                x._grad, own._grad = own._grad, None

    def fits(self) -> bool:
        """Whether what comes from outside, and the modes of the modules, are still of the recorded kind."""
        if not self.outside.same():
            return False
        if self.lent or self.seen != touched[0]:
            seen = touched[0]
            if not self.leaves_fit():
                return False
            self.seen = seen
        for module, training in self.modes:
            if module.training is not training:
                return False
        if self.without_grad and any([leaf._grad is not None for leaf in self.without_grad]):
            return False
        return all([leaf._grad is not None and np.shape(leaf._grad) == shape for leaf, shape in self.with_grad])

    def leaves_fit(self) -> bool:
        for leaf, shape, needs in zip(self.leaves, self.shapes, self.wanting, strict=False):
            if leaf._requires_grad is not needs or (leaf.shape, leaf.dtype) != shape:
                return False
        return all([[leaf._requires_grad for leaf in leaves] == needs for leaves, needs in self.scalars])

    # ------------------------------------------------------------------------------------------------------ results
    def run(self, arguments: Sequence[Any], given: list[Value], call: Any) -> Any:
        """The results for these arrays; `call` are the arguments as the caller gave them."""
        return self.results(self.emitted.function(*arguments), given, call)

    def results(self, flat: list[Any], given: list[Value], call: Any) -> Any:
        """Numbers as the caller gets them, in the structure that the function returned."""
        if self.structure is None and not self.wires:
            return wrap(flat[0])
        made = list(map(wrap, flat))
        if self.wires and recording.get() is True:
            lent = dict(zip(self.given, given, strict=True))
            for wires, places in self.wires.items():
                own = tuple([lent.get(x, x) for x in wires])
                for i, x in zip(places, self.attached([made[i]._raw for i in places], own, places, call), strict=True):
                    made[i] = x
        values = iter(made)
        return tree_map(lambda _: next(values), self.structure)

    def attached(self, numbers: list[Any], wires: tuple[Value, ...], places: list[int], call: Any) -> Any:
        """Results as `Value`s of one gate, the compiled function, that feed on what they depend on."""
        node = new_value(numbers[0] if len(numbers) == 1 else tuple(numbers))
        node.gate, node._requires_grad = self.gate, True
        node._saved = (wires, (node._raw, *[x._raw for x in wires]), {"_call": (self, wires, places, *call)})
        return [node] if len(numbers) == 1 else outputs(node)


def wires_behind(recorder: Recorder, out: Any, own: dict[Value, Value]) -> dict[tuple[Value, ...], list[int]]:
    """The `Value`s from outside that results depend on, with the places of these results."""
    found: dict[tuple[Value, ...], list[int]] = {}
    outside = [x for x in recorder.leaves if x._requires_grad and recorder.captured(x)]
    for i, x in enumerate(tree_leaves(out)):
        if isinstance(x, Value) and x._requires_grad:
            behind = tape(x)[1]
            found.setdefault(tuple([own.get(v, v) for v in outside if v in behind]), []).append(i)
    return {wires: places for wires, places in found.items() if wires}


def wrap(x: Any) -> Any:
    """A result as the caller gets it: numbers as a `Value` without a gradient; masks, places and counts raw."""
    x = float(x) if isinstance(x, float) else tidy(x)
    return new_value(x) if type(x) is float or (isinstance(x, np.ndarray) and x.dtype in FLOATS) else x


def gate_of(name: str, f: Callable[..., Any]) -> Gate:
    """A compiled function as a gate: its derivative is that of `f`, which is called once more for it."""

    def forward(*xs: Any, _call: Any) -> Any:
        _, _, places, args, kwargs = _call
        with no_grad():
            results = tree_leaves(f(*args, **kwargs))
        out = tuple([results[i]._raw for i in places])
        return out[0] if len(out) == 1 else out

    def pull_back(g: Any, out: Any, *xs: Any, _call: Any) -> tuple[Any, ...]:
        entry, wires, places, args, kwargs = _call
        if not entry.repeatable:
            raise GradientError(
                f"{name}: backward() through a compiled function that draws random numbers or moves statistics: it "
                "can't be run again for the gradient. Call backward() inside of the compiled function; or under "
                "mg.no_grad() if no gradient is wanted."
            )
        for x, then in zip(wires, xs, strict=True):
            if x._raw is not (then._raw if isinstance(then, Value) else then):
                raise GradientError(
                    f"{name}: the data of {describe(x)} were replaced after the compiled function had used them. Call "
                    "backward() before, or inside of the compiled function."
                )
        token = recording.set(True)
        try:
            results = tree_leaves(f(*args, **kwargs))
            roots = [results[i] for i in places]
            total: dict[Value, Any] = {}
            for root, u in zip(roots, g if isinstance(out, tuple) or isinstance(g, tuple) else (g,), strict=True):
                for x, d in pull(root, u if isinstance(u, Value) else upstream_of(root, u)).items():
                    total[x] = total[x] + d if x in total else d
        finally:
            recording.reset(token)
        return tuple([total[x] if x in total else zeros(x._raw) for x in wires])

    return Gate(name, forward, vjp=pull_back)


# --------------------------------------------------------------------------------------------------------- the key
class Same:
    """Stands for an object in a key, and is equal for the same object only."""

    def __init__(self, x: Any) -> None:
        self.x = x

    def __hash__(self) -> int:
        return id(self.x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.x is other.x


BY_VALUE = (bool, int, str, bytes, type(None), np.integer, np.bool_, np.dtype, type)


def key_of(tree: Any, arguments: list[Any], given: list[Value]) -> Any:
    """What tells calls apart that need a recording of their own: structure, shapes, dtypes, and what is no number.

    Arrays and floats are collected in `arguments`, `Value`s that want a gradient in `given`.
    """
    if type(tree) is np.ndarray or isinstance(tree, (np.ndarray, np.floating)):
        if tree.dtype not in FLOATS and tree.dtype.kind not in "iub":
            raise Unrecorded
        arguments.append(data := as_argument(tree))
        return float if type(data) is float else (data.shape, data.dtype)
    if isinstance(tree, float):
        arguments.append(float(tree))
        return float
    if isinstance(tree, Value):
        if not tree._requires_grad and tree.gate is None:
            return key_of(tree._raw, arguments, given)
        if tree.gate is not None:  # of a graph outside, which goes on behind our results
            raise Unrecorded
        same = [i for i, x in enumerate(given) if x is tree]
        if not same:
            given.append(tree)
        return Value, *same, tree.shape, tree.dtype
    if isinstance(tree, dict):
        return (dict, *[(key_of(k, [], []), key_of(v, arguments, given)) for k, v in tree.items()])
    if isinstance(tree, (list, tuple)):
        return (type(tree), *[key_of(x, arguments, given) for x in tree])
    return (type(tree), tree) if isinstance(tree, BY_VALUE) else Same(tree)


def as_argument(x: Any) -> Any:
    """An array or a number as a program takes it."""
    x = np.asarray(x)
    return tidy(x) if not x.ndim and x.dtype in FLOATS else x
