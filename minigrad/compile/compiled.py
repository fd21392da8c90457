"""`compile`: record a function once, replay it as a straight-line NumPy program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from operator import attrgetter
from typing import Any

import numpy as np

from ..convert import describe, tidy
from ..errors import CompileError
from ..tree import tree_leaves, tree_map
from ..value import FLOATS, Value, recording
from .build import build
from .emit import Changed, Emitted, emit
from .passes import optimise
from .program import Program
from .recording import Recorder, Wire
from .report import Stage, constants

__all__ = ["Compiled", "compile"]


NEEDS = attrgetter("_requires_grad")


class Entry:
    """One recording of the function, for arguments of one kind."""

    def __init__(self, program: Program, emitted: Emitted, structure: Any, recorder: Recorder) -> None:
        self.program, self.emitted, self.structure = program, emitted, structure
        self.kinds: list[Any] = [None] * 99
        self.stages: list[Stage] = []
        self.modes = list(recorder.modes.items())
        self.scalars = [(leaves, v.requires_grad) for v, leaves in recorder.vectors.items()]
        self.without_grad, self.with_grad = recorder.without_grad, list(recorder.grad_inputs.values())
        leaves = dict.fromkeys([line.args[0][1] for line in program.inputs if line.args[0][0] == "leaf"])
        self.leaves = [leaf for leaf in leaves if type(leaf._raw) is not float]
        self.shapes = [(leaf.shape, leaf.dtype) for leaf in self.leaves]
        self.known = [leaf._raw for leaf in self.leaves]
        self.needs = [leaf._requires_grad for leaf in self.leaves]

    def takes(self, args: tuple[Any, ...]) -> bool:
        """Whether these are arrays of the recorded kinds: a quick answer for the usual call."""
        if len(args) != len(self.kinds):
            return False
        for x, (shape, dtype) in zip(args, self.kinds, strict=False):
            if type(x) is not np.ndarray or x.shape != shape or x.dtype is not dtype:
                return False
        return True

    def fits(self) -> bool:
        """Whether the captured parameters, and the modes of the modules, are still of the recorded kind."""
        for leaf, raw, needs in zip(self.leaves, self.known, self.needs, strict=False):
            if leaf._requires_grad is not needs:
                return False
            if leaf._raw is not raw:  # assigned by hand
                if [(leaf.shape, leaf.dtype) for leaf in self.leaves] != self.shapes:
                    return False
                self.known = [leaf._raw for leaf in self.leaves]
        for leaves, needs in self.scalars:
            if any(map(NEEDS, leaves)) is not needs or all(map(NEEDS, leaves)) is not needs:
                return False
        for module, training in self.modes:
            if module.training is not training:
                return False
        if self.without_grad and any([leaf.grad is not None for leaf in self.without_grad]):
            return False
        return not self.with_grad or all([leaf.grad is not None for leaf in self.with_grad])

    def run(self, arguments: Sequence[Any]) -> Any:
        results = self.emitted.function(*arguments)
        if self.structure is None:
            return wrap(results[0])
        flat = iter(results)
        return tree_map(lambda _: wrap(next(flat)), self.structure)


def wrap(x: Any) -> Any:
    """A result as the caller gets it: numbers as a `Value` without a gradient; masks, places and counts raw."""
    if isinstance(x, float):
        return Value(float(x), requires_grad=False)
    if x is None or np.asarray(x).dtype not in FLOATS:
        return tidy(x)
    return Value(x if isinstance(x, np.ndarray) else float(x), requires_grad=False)


class Compiled:
    """What `compile` returns: called as the function that it was made from."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.entries: dict[Any, list[Entry]] = {}
        self.latest: Entry | None = None  # if plain arrays are all that it takes,
        self.latest_key: Any = None  # and its key, which need not be made again
        update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if type(recording.get()) is not bool:
            return self.f(*args, **kwargs)  # watched, or recorded by somebody else
        arguments: list[Any] = []
        if (latest := self.latest) is not None and not kwargs and latest.takes(args):
            key, arguments = self.latest_key, list(args)
            if latest.fits():  # as nearly always
                try:
                    with np.errstate(all="ignore"):
                        return latest.run(args)
                except Changed:
                    pass
        elif any([isinstance(x, Value) for x in tree_leaves([args, kwargs])]):
            return self.f(*args, **kwargs)  # differentiated
        else:
            key = key_of([args, kwargs], arguments)
        with np.errstate(all="ignore"):
            for entry in self.entries.get(key, ()):
                if entry.fits():
                    try:
                        return entry.run(arguments)
                    except Changed:
                        continue
                    except (ArithmeticError, ValueError):  # from Python's floats: nothing has been changed yet
                        return self.f(*args, **kwargs)
        return self._record(key, args, kwargs)

    def _record(self, key: Any, args: Any, kwargs: Any) -> Any:
        recorder = Recorder()
        wires: dict[Value, int] = {}

        def wired(x: Any) -> Any:
            if not is_array(x):
                return x
            wire = recorder.wire(x if isinstance(x, np.ndarray) and x.ndim else tidy(np.asarray(x)))
            wires[wire] = len(wires)
            return wire

        args, kwargs = tree_map(wired, args), tree_map(wired, kwargs)
        token = recording.set(recorder)
        try:
            out = self.f(*args, **kwargs)
        finally:
            recording.reset(token)
        check_result(self.f, out)
        program = build(recorder, wires, out)
        program, stages = optimise(program)
        entry = Entry(program, emit(program), out_structure(out), recorder)
        entry.stages = stages
        self.entries.setdefault(key, []).append(entry)
        if not kwargs and all([isinstance(x, Wire) and x.shape for x in args]):
            entry.kinds = [(x.shape, x._raw.dtype) for x in args]
            self.latest, self.latest_key = entry, key
        return tree_map(
            lambda x: wrap(np.array(x._raw) if np.ndim(x._raw) else x._raw) if isinstance(x, Value) else x, out
        )

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.f, '__name__', self.f)!s}>"

    @property
    def source(self) -> str:
        """The program of the latest recording, as Python."""
        return self._last().emitted.source

    def explain(self) -> str:
        """What the latest program costs, before and after each pass; its buffers, and the data that it holds.

        >>> import numpy as np
        >>> f = compile(lambda x: (x * 1.0 + x * 1.0).sum())
        >>> _ = f(np.ones(8))
        >>> print(f.explain())  # doctest: +ELLIPSIS +NORMALIZE_WHITESPACE
        as recorded        4 calls ...
        ...
        1 buffers of 64 bytes
        """
        entry = self._last()
        pairs = zip(entry.stages, [None, *entry.stages], strict=False)
        lines = [str(stage) for stage, before in pairs if before is None or stage[1:] != before[1:]]
        sizes = entry.emitted.buffers
        lines.append(f"{len(sizes)} buffers of {sum(sizes):,} bytes")
        for x in constants(entry.program):
            lines.append(f"data of the function, the same on every call: {x.dtype} {x.shape}")
        return "\n".join(lines)

    def _last(self) -> Entry:
        if not self.entries:
            name = getattr(self.f, "__name__", "the function")
            raise CompileError(f"{name} hasn't been called yet: its program is made from a call.")
        return list(self.entries.values())[-1][-1]


def compile(f: Callable[..., Any]) -> Compiled:
    """`f` as a program: recorded on the first call, replayed as straight-line NumPy from then on.

    `f` takes arrays and floats, in containers as you like, uses `Value`s from outside (parameters, read on every call),
    and returns `Value`s, containers of them, or None.  Gradients, too, are part of the program: `compile(mg.grad(f))`,
    or a whole training step with `zero_grad()`, `backward()` and an optimiser's `step()`.  `.source` shows it.

    Other shapes, dtypes or whole numbers are recorded anew; a decision by a value (`if loss > 1`) is checked on every
    call.  What Python does beside gates, such as printing or appending to a list, happens in recorded calls only.  The
    numbers of a value (`.data`, `float(v)`) are not to be had while recording: `CompileError`.  Results are new arrays
    without a gradient of their own.  Given `Value`s, and inside another transform, `f` itself is called.

    >>> from minigrad import grad
    >>> slope = compile(grad(lambda w, x: ((x @ w) ** 2.0).sum()))
    >>> slope(np.array([1.0, 2.0]), np.eye(2))
    Value([2., 4.])
    >>> print(slope.source)  # doctest: +ELLIPSIS
    def run(x0, x1):
    ...
    """
    if not callable(f):
        raise CompileError(f"compile takes a function, not {describe(f)}.")
    return Compiled(f)


def out_structure(out: Any) -> Any:
    return tree_map(lambda x: None, out)


def is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, float, np.floating))


def key_of(tree: Any, arguments: list[Any]) -> Any:
    """What tells calls apart that need a recording of their own: structure, shapes, dtypes, and what is no number."""
    if isinstance(tree, dict):
        return tuple([(k, key_of(v, arguments)) for k, v in tree.items()])
    if isinstance(tree, (list, tuple)):
        return (type(tree), *[key_of(x, arguments) for x in tree])
    if type(tree) is np.ndarray:
        arguments.append(tree)
        return tree.shape, tree.dtype
    if isinstance(tree, (float, np.floating)):
        arguments.append(float(tree))
        return float
    try:
        return hash(tree) and tree, type(tree)
    except TypeError:  # not hashable: told apart by identity
        return id(tree), type(tree)


def check_result(f: Any, out: Any) -> None:
    for x in tree_leaves(out):
        if not isinstance(x, Value) and x is not None:
            raise CompileError(
                f"{getattr(f, '__name__', 'the function')} returned {describe(x)}, a raw {type(x).__name__}: it would "
                "be the same on every call. Return the Value that it was computed from."
            )
