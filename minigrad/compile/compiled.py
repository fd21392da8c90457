"""`compile`: record a function once, replay it as a straight-line NumPy program."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from inspect import Parameter, signature
from threading import RLock
from types import MethodType
from typing import Any

import numpy as np

from ..convert import describe
from ..errors import CompileError
from ..transforms import enclosing
from ..tree import tree_leaves, tree_map
from ..value import FLOATS, Value, recording
from .build import build
from .emit import Changed, emit
from .entry import Entry, Unrecorded, as_argument, gate_of, key_of, rebound, stand_ins, wrap
from .outside import Outside
from .passes import optimise
from .recording import Recorder
from .report import constants, forward_graph
from .wires import AskedByUs, Wire

__all__ = ["Compiled", "compile"]

LIMIT = 64  # how often a function is recorded


class Compiled:
    """What `compile` returns: called as the function that it was made from."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f
        self.name = getattr(f, "__name__", type(f).__name__)
        self.gate = gate_of(self.name, f)
        self.entries: dict[Any, list[Entry]] = {}
        self.count = 0  # of recordings
        self.age: dict[Value, float] = {}  # in which order scalar leaves were made
        self.uncompiled: set[Any] = set()  # kinds of arguments for which `f` couldn't be recorded
        self.latest: Entry | None = None  # if plain arrays are all that it takes,
        self.latest_key: Any = None  # its key, which need not be made again, and all entries of that kind
        self.alike: list[Entry] = []
        self.last: tuple[Entry, Recorder, Any] | None = None  # of the latest recording
        self.lock = RLock()  # the arrays of a program serve one call at a time
        update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if type(mode := recording.get()) is not bool:
            return self.f(*args, **kwargs)  # watched, or recorded by somebody else
        arguments: list[Any] = []
        given: list[Value] = []
        if mode and (latest := self.latest) is not None and not kwargs and latest.takes(args):
            key, entries, arguments = self.latest_key, self.alike, list(args)
        else:
            try:
                key = mode, key_of([args, kwargs], arguments, given)
            except Unrecorded:
                return self._eagerly(args, kwargs)
            if key in self.uncompiled or any([x is v for x in given for v in enclosing.get()]):
                return self._eagerly(args, kwargs)
            entries = self.entries.get(key, [])
        with self.lock:
            for entry in entries:
                if not given or entry.accepts(given):
                    entry.lend(given)
                    try:
                        if entry.fits():
                            with np.errstate(all="ignore"):
                                return entry.run(arguments, given, (args, kwargs))
                    except Changed:
                        continue
                    except Exception as error:
                        if entry.emitted.changed_something(error):
                            if (located := entry.emitted.located(error)) is error:
                                raise
                            raise located from error
                        break  # the function itself has the answer, or says what is wrong
                    finally:
                        entry.give_back(given)
            else:
                with collector_paused():
                    return self._record(key, args, kwargs, given)
        args, kwargs = tree_map(lambda x: Value(x, requires_grad=False) if is_number(x) else x, [args, kwargs])
        return self._eagerly(args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: `@mg.compile` above a `def` in a class."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        """Copies and pickles are the function's; they record anew."""
        found: Any = sys.modules.get(getattr(self, "__module__", ""))
        for part in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (Compiled, (self.f,))

    def _eagerly(self, args: Any, kwargs: Any) -> Any:
        """The function itself; raw numbers that it returns become `Value`s, as those of a program are."""
        out = self.f(*args, **kwargs)
        if enclosing.get():
            return out
        return tree_map(lambda x: x if isinstance(x, Value) else wrap(x), out)

    def _record(self, key: Any, args: Any, kwargs: Any, given: list[Value]) -> Any:
        if self.count >= LIMIT:
            if self.count == LIMIT:
                warn(
                    f"{self.name} has been recorded {LIMIT} times, for other shapes, whole numbers, objects or "
                    "decisions; from now on calls of yet another kind run uncompiled. Numbers that change are best "
                    "passed as floats or arrays."
                )
            self.count += 1
            return self._eagerly(args, kwargs)
        recorder, wires = Recorder(self.age), dict[Value, int]()
        recorder.gradients = bool(recording.get())

        def wired(x: Any, name: str) -> Any:
            if isinstance(x, Value) and x._requires_grad:
                return x
            if not isinstance(x, (Value, np.ndarray, float, np.floating)):
                return x
            label, x = (x.label or name, x._raw) if isinstance(x, Value) else (name, x)
            wire = recorder.wire(as_argument(x))
            wire.label = label
            wires[wire] = len(wires)
            return wire

        names = iter(names_of(self.f, args, kwargs))
        wired_args, wired_kwargs = tree_map(lambda x: wired(x, next(names)), (args, kwargs))
        entry, token = None, recording.set(recorder)
        try:
            out = self.f(*wired_args, **wired_kwargs)
            check_result(self.name, out)
            entry = self._entry(key, recorder, wires, out, given)
        except Exception as error:
            recorder.take_back()
            if isinstance(error, CompileError) and not isinstance(error, AskedByUs):
                raise
            reason = f"{type(error).__name__}: {error}"
        finally:
            recording.reset(token)
        if entry is not None:
            self.count += 1
            self.entries.setdefault(key, []).append(entry)
            plain = key[0] and not kwargs and all([type(x) is np.ndarray for x in args])
            if plain and all([isinstance(x, Wire) and x.shape for x in wired_args]):
                entry.kinds = [(x.shape, x._raw.dtype) for x in wired_args]
                self.latest, self.latest_key, self.alike = entry, key, self.entries[key]
            self.last = entry, recorder, out
            flat = [np.array(x._raw) if isinstance(x, Value) else x for x in tree_leaves(out)]
            return entry.results(flat, given, (args, kwargs))
        result = self._eagerly(args, kwargs)  # most often raises what was wrong
        self.uncompiled.add(key)
        warn(f"{self.name} can't be recorded and runs uncompiled: {reason}")
        return result

    def _entry(self, key: Any, recorder: Recorder, wires: dict[Value, int], out: Any, given: list[Value]) -> Entry:
        """The program of a recording.

        Parameters among the arguments are read as those from outside are.  When the same function is then called with
        others, and is seen to use nothing but its arguments, any may stand there.
        """
        with recorder.aside():
            program = build(recorder, wires, out)
            own = stand_ins(recorder, given, [e for e in self.entries.get(key, ()) if not e.lent])
            if own:
                rebound(program, recorder, own)
            data = constants(program)
            program, stages = optimise(program)
            outside = Outside(self.f, [each for numbers in recorder.settings.values() for each in numbers])
            entry = Entry(program, emit(program), out, recorder, given, own, self.gate, stages, outside)
            entry.data = data
            return entry

    def __repr__(self) -> str:
        return f"<compiled {self.name}>"

    @property
    def source(self) -> str:
        """The program of the latest recording, as Python."""
        return self._last()[0].emitted.source

    @property
    def graph(self) -> Any:
        """What the latest recording computed, forward, as `viz.draw` shows it: a `Value`, or several as returned.

        Of a function that returns nothing, what its last `backward()` began with.

        >>> f = compile(lambda x: (x * x).sum())
        >>> _ = f(np.ones(2))
        >>> f.graph, [x.gate.name for x in f.graph.inputs]
        (Value(2.0, gate=sum), ['multiply'])
        """
        _, recorder, out = self._last()
        return forward_graph(recorder, out)

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
        entry = self._last()[0]
        pairs = zip(entry.stages, [None, *entry.stages], strict=False)
        lines = [str(stage) for stage, before in pairs if before is None or stage[1:] != before[1:]]
        sizes = entry.emitted.buffers
        lines.append(f"{len(sizes)} buffers of {sum(sizes):,} bytes")
        lines += [f"data that are the same on every call: {each}" for each in entry.data]
        if words := ", ".join(sorted(entry.outside.words)):
            lines.append(f"names from outside, which are recorded anew when they stand for something else: {words}")
        if self.count > 1:
            lines.append(f"recorded {min(self.count, LIMIT)} times, for other kinds of arguments, decisions or names")
        return "\n".join(lines)

    def _last(self) -> tuple[Entry, Recorder, Any]:
        if self.last is None:
            raise CompileError(f"{self.name} hasn't been called yet: its program is made from a call.")
        return self.last


def compile(f: Callable[..., Any]) -> Compiled:
    """`f` as a program: recorded on the first call, replayed as straight-line NumPy from then on.

    `f` takes arrays, floats and `Value`s, in containers as you like, uses `Value`s from outside (parameters, read on
    every call), and returns `Value`s, containers of them, or None.  Gradients, too, are part of the program:
    `compile(mg.grad(f))`, or a whole training step with `zero_grad()`, `backward()` and an optimiser's `step()`.
    `.source` shows it, `.explain()` counts, `.graph` is for `viz.draw`.

    Other shapes, dtypes or whole numbers are recorded anew; a decision by a value (`if loss > 1`) is checked on every
    call.  What Python does beside gates, such as printing or appending to a list, happens in recorded calls only.  The
    numbers of a value (`.data`, `float(v)`) are not to be had while recording: `CompileError`, and nothing has been
    changed.  Results are new arrays.  They belong to the graph of the `Value`s that they depend on (whose gradient
    calls `f` once more), except where `f` has called `backward()` or a step itself.  Inside another transform, and
    given results of gates, `f` itself is called.

    >>> from minigrad import grad
    >>> slope = compile(grad(lambda w, x: ((x @ w) ** 2.0).sum()))
    >>> slope(np.array([1.0, 2.0]), np.eye(2))
    Value([2., 4.])
    >>> print(slope.source)  # doctest: +ELLIPSIS
    def run(w, x):
    ...
    """
    if not callable(f):
        raise CompileError(f"compile takes a function, not {describe(f)}.")
    return Compiled(f)


@contextmanager
def collector_paused() -> Iterator[None]:
    """A recording makes objects by the hundred thousand, and no garbage: Python would look for some again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def is_number(x: Any) -> bool:
    """Whether a recorded function gets a `Value` for it."""
    return isinstance(x, (np.ndarray, float, np.floating)) and np.asarray(x).dtype in FLOATS


def check_result(name: str, out: Any) -> None:
    for x in tree_leaves(out):
        if not isinstance(x, Value) and x is not None:
            raise CompileError(
                f"{name} returned {describe(x)}, a raw {type(x).__name__}: it would be the same on every call. Return "
                "the Value that it was computed from."
            )


def names_of(f: Any, args: Any, kwargs: Any) -> list[str]:
    """What each leaf of the arguments is called: x, params_w, batch_0."""
    try:
        parameters = list(signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    positional = [p.name for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is Parameter.VAR_POSITIONAL), "x")
    names: list[str] = []

    def walk(tree: Any, name: str) -> None:
        if isinstance(tree, dict):
            for key, x in tree.items():
                walk(x, f"{name}_{key}" if name else str(key))
        elif isinstance(tree, (list, tuple)):
            for key, x in zip(getattr(tree, "_fields", range(len(tree))), tree, strict=True):
                walk(x, f"{name}_{key}")
        else:
            names.append(name)

    for i, x in enumerate(args):
        walk(x, positional[i] if i < len(positional) else f"{rest}_{i - len(positional)}")
    walk(kwargs, "")
    return names


def warn(text: str) -> None:
    """To the line that called the compiled function."""
    warnings.warn(text, RuntimeWarning, stacklevel=4)
