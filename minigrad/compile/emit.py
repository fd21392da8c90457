"""From a program to Python: one statement per line, results written into buffers that were made once."""

from __future__ import annotations

import builtins
from itertools import groupby
from math import prod
from operator import is_
from typing import Any

import numpy as np

from ..buffers import buffer
from ..convert import KINDS
from ..errors import CompileError
from ..tree import tree_leaves
from .beside import beside
from .memory import owns_memory, plan
from .program import Line, Program
from .rules import add_in_place, put_plain
from .straight import Block, pick
from .text import Writer

__all__ = ["Changed", "Emitted", "emit"]

CHANGES = ("grad", "clip", "step", "effect")
BACKWARD = "# backward: from the newest gate to the oldest, upstream times local"


class Changed(Exception):
    """A decision fell differently than in the recorded call."""


class Emitted:
    """A program as text, and as a function of the arguments' arrays that returns its outputs in a list."""

    def __init__(
        self, functions: list[str], namespace: dict[str, Any], buffers: list[int], lines: list[Line | None]
    ) -> None:
        self.source, self.namespace = "\n\n".join(functions), {**namespace, "Changed": Changed}
        self.statements = functions[-1].splitlines()
        self.lines = lines  # what each statement of the last function is of, from the second line on
        self.buffers = buffers  # their sizes in bytes
        with np.errstate(all="ignore"):  # only what we wrote is executed: names are ours, and hold no label unchanged
            for function in functions:
                exec(builtins.compile(function, "<minigrad program>", "exec"), self.namespace)
        self.function = self.namespace["run"]

    def place(self, error: BaseException) -> int:
        """The number of the statement that raised it; -1: none of ours."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not self.function.__code__:
            trace = trace.tb_next
        return -1 if trace is None else trace.tb_lineno - 2

    def changed_something(self, error: BaseException) -> bool:
        """Whether a call that ended so had already stored a gradient, made a step, or the like."""
        return any([line is not None and line.kind in CHANGES for line in self.lines[: self.place(error) + 1]])

    def located(self, error: Exception) -> Exception:
        """The error with the gate and the user's line behind the statement that raised it."""
        i = self.place(error)
        line, statement = self.lines[i], self.statements[i + 1].strip()
        if line is not None and line.kind not in ("call", "view"):
            return error  # of an optimiser, a schedule, a layer's action: it says itself what is wrong
        name = getattr(line.call, "__name__", "the program") if line is not None else "the program"
        where = f"recorded in {line.comment}" if line is not None and line.comment else "recorded"
        text = f"{name}: {error} (in {statement!r}, {where}). Gradients and steps from before it in this call stand."
        return next((ours for theirs, ours in KINDS.items() if isinstance(error, theirs)), CompileError)(text)


def emit(program: Program) -> Emitted:
    """The source of a program, compiled."""
    return Emitter(program).emitted()


class Emitter:
    """Writes a program line by line: `body` is the function, `w.setup` what is made once."""

    def __init__(self, program: Program) -> None:
        merge_names_of_sums(program)
        self.program = program
        self.body: list[str] = []
        self.parts: list[str] = []  # functions that it calls
        final = [i for i, line in enumerate(program) if line.kind in ("draw", "step", "clip", "effect")]
        rest = program.lines[min(final, default=len(program.lines)) :]
        self.w = Writer(may_raise=not any([line.kind in ("call", "view") and line.call is not pick for line in rest]))
        self.given: set[Line] = set()  # gradients that an optimiser gives to scalar leaves when it steps
        self.homes = self.gradient_homes()
        self.grads: dict[Line, Any] = {}  # whose gradient a result becomes, without a copy: that of one leaf only
        for line in program:
            if line.kind == "grad" and isinstance(line.args[0], Line) and line.args[0].call is not beside:
                self.grads.setdefault(line.args[0], line.call)
            elif line.call is beside:
                self.grads |= dict(zip(line.args, line.kwargs["flat"].params, strict=True))
        self.shown: dict[Line, Line] = {}  # of a gradient that is a view: the result that it shows in another shape
        for x, leaf in [*self.grads.items()]:
            if x.kind == "view" and (base := shows(x)) is not None and base not in self.grads:
                self.grads[base], self.shown[x] = leaf, base
        returned = {x for x in tree_leaves(program.outputs) if isinstance(x, Line)}
        self.fresh = {x for x in returned if owns_memory(x) and x not in self.grads and x.call is not put_plain}
        self.plan = plan(program, {x for x in program if x in self.grads or x in self.fresh or x.call is put_plain})
        self.fixed: set[Line] = set()  # lines whose array is the same object on every call
        self.settled: set[Line] = set()  # gradients that are computed in their place in an optimiser's flat array
        self.adopted: set[Any] = set()  # arrays of optimisers that the parameters are read from
        self.slopes: dict[Any, str] = {}  # the gradients of leaves that are single numbers
        self.memory: dict[int, str] = {}
        # a scalar beside float32 arrays must be a Python float, which upcasts nothing
        narrow = [line for line in program if line.dtype == np.float32]
        self.as_floats = {x for line in narrow for x in line.inputs if type(x.value) is float}
        self.picked: dict[Line, list[int]] = {}  # the results of a block that are used
        for line in program:
            if isinstance(line.call, Block):
                self.as_floats.update([x for x in line.inputs if type(x.value) is float])
            elif line.call is pick:
                self.picked.setdefault(line.args[0], []).append(line.args[1])

    def emitted(self) -> Emitted:
        arguments = self.inputs()
        backward, comment = False, ""
        of: list[Line | None] = []
        for line in self.program:
            of += [None] * (len(self.body) - len(of))
            if line.kind in ("call", "view") and line.backward is not backward:
                backward, comment = line.backward, ""
                self.body += ["", BACKWARD if backward else "# forward"]
            if line.kind == "call" and not backward and line.comment not in ("", comment):
                comment = line.comment
                self.body.append(f"# {comment}")
            self.write(line)
            of += [line] * (len(self.body) - len(of))
        outs = [self.returned(x) for x in tree_leaves(self.program.outputs)]
        self.body.append(f"return [{', '.join(outs)}]")
        body = [f"    {statement}" if statement else "" for statement in self.body]
        lines = [f"def run({', '.join(arguments)}):", *body, "", "# made once", *self.w.setup]
        sizes = [self.plan.sizes[i] for i in self.memory]
        return Emitted([*self.parts, "\n".join(lines) + "\n"], self.w.namespace, sizes, of)

    def inputs(self) -> list[str]:
        """The names of the arguments; what else comes from outside is read first."""
        w, vectors, arguments = self.w, self.program.vectors, []
        for line in self.program.inputs:
            kind, source = line.args[0][:2]
            if kind == "argument":
                line.name = line.name or f"x{source}"
                arguments.append((source, w.name(line)))
            elif kind == "flat":
                self.body.append(f"{w.name(line)} = {w.bind(source.numbers, 'all_parameters')}()")
            elif kind == "vector":
                self.vector(line, vectors[source])
            elif source in vectors:
                many = w.bind(vectors[source], "leaves")
                self.body.append(f"{w.name(line)} = np.array([leaf._grad for leaf in {many}])")
            elif kind == "grad":
                self.gradient_before(line, source)
            else:
                self.body.append(f"{w.name(line)} = {self.owner(source)}._raw")
        return [name for _, name in sorted(arguments)]

    def gradient_before(self, line: Line, leaf: Any) -> None:
        """A gradient from before the call: copied, for the call may write over it before it is read."""
        w, users = self.w, [x for x in self.program if line in x.inputs]
        added = [x for x in users if x.call is np.add and self.grads.get(x) is leaf]
        if len(users) == len(added) == 1 or not isinstance(line.value, np.ndarray):
            self.body.append(f"{w.name(line)} = {self.owner(leaf)}._grad")
            return
        w.setup.append(f"{w.name(line)} = np.empty({w.text(line.shape)}, np.{line.dtype.name})")
        self.body.append(f"np.copyto({w.name(line)}, {self.owner(leaf)}._grad)")

    def vector(self, line: Line, leaves: list[Any]) -> None:
        """The numbers of scalar leaves in one array: an optimiser's, if it has just these; it sees to new ones."""
        w = self.w
        self.fixed.add(line)
        optimizers = [line.call for line in self.program if line.kind == "step"]
        for flat in [flat for optimizer in optimizers for flats in optimizer.flats for flat in flats]:
            if flat.scalars and same(flat.params, leaves):
                self.body.append(f"{w.bind(flat.adopt, 'read_parameters')}()")
                w.names[line] = w.bind(flat.data, "parameters")
                self.adopted.add(flat)
                return
        w.setup.append(f"{w.name(line)} = np.empty({len(leaves)})")
        self.body.append(f"{w.name(line)}[:] = [leaf._raw for leaf in {w.bind(leaves, 'leaves')}]")

    def owner(self, leaf: Any) -> str:
        """The name of a leaf itself, not of its numbers."""
        return self.w.bind(leaf, f"the_{leaf.label or 'leaf'}")

    def write(self, line: Line) -> None:
        w = self.w
        if line.kind == "guard":
            self.body.append(f"if {'not ' * line.value}{w.text(line.args[0])}: raise Changed")
        elif line.kind == "effect":
            name = w.bind(line.call, getattr(line.call, "__name__", "effect"))
            self.body.append(f"{name}({', '.join(map(w.text, line.args))})")
        elif line.kind == "clip":
            w.namespace[name := w.unique("change_gradients")] = line.call
            self.body.append(f"{name}()")
        elif line.kind == "step":
            self.body += self.step(line)
        elif line.kind == "grad":
            self.body += self.gradient(line)
        elif line.call is add_in_place:
            self.add_in_place(line)
        elif line.call is beside:
            self.beside(line)
        elif isinstance(line.call, Block):
            functions, statements = line.call.write(w, line.args, self.picked.get(line, []))
            self.parts += functions
            self.body += statements
        elif line.call is pick:
            w.names[line] = line.args[0].call.names[line.args[1]]
        elif owns_memory(line) and line not in self.fresh:
            self.make_room(line)
            *most, last = w.into(line)
            self.body += [*most, f"{last}  # {w.text(line.shape)}"]
        elif line.kind == "view" and all([x in self.fixed for x in line.inputs]):
            self.fixed.add(line)
            w.setup.append(f"{w.name(line)} = {w.call(line)}")
        else:
            call = w.call(line)
            self.body.append(f"{w.name(line)} = {f'float({call})' if line in self.as_floats else call}")

    def make_room(self, line: Line) -> None:
        """The array that a result is written into: a part of the memory plan, or of an optimiser's gradients."""
        w, value = self.w, line.value
        self.fixed.add(line)
        home = self.homes.get(self.grads.get(line), "")
        showing = [x for x, base in self.shown.items() if base is line]
        if home and line.call is not put_plain and (value.flags.c_contiguous or showing):  # whose zeros must stay
            self.settled |= {line, *showing}
            w.setup.append(f"{w.name(line)} = {home.split('.reshape')[0]}{laid_out(w, value)}")
            return
        number = self.plan.buffer[line]
        if number not in self.memory:
            self.memory[number] = name = w.unique("memory")
            w.setup.append(f"{name} = buffer({self.plan.sizes[number]})")
        size = prod(line.shape) * line.dtype.itemsize
        part = f"{self.memory[number]}[:{size}].view(np.{line.dtype.name})"
        w.setup.append(f"{w.name(line)} = {part}{laid_out(w, value)}")

    def add_in_place(self, line: Line) -> None:
        w, (whole, index, y) = self.w, line.args
        w.names[line] = name = w.name(whole)
        self.fixed.add(line)
        if not np.shape(line.value[index]):
            self.body.append(f"{name}[{w.index(index)}] += {w.text(y)}")
            return
        part = name
        if index != slice(None):
            part = w.unique(f"{name}_part")
            w.setup.append(f"{part} = {name}[{w.index(index)}]")
        self.body.append(f"np.add({part}, {w.text(y)}, out={part})  # {w.text(np.shape(line.value[index]))}")

    def beside(self, line: Line) -> None:
        """The gradients of an optimiser in a row: most are computed in their places."""
        flat = line.kwargs["flat"]
        self.w.names[line] = self.homes[flat]
        self.fixed.add(line)
        for p, x in zip(flat.params, line.args, strict=True):
            if x not in self.settled or self.grads[x] is not p:
                self.body.append(f"np.copyto({self.homes[p]}, {self.w.text(x)})")

    def returned(self, x: Any) -> str:
        array = isinstance(x.value if isinstance(x, Line) else x, np.ndarray)
        shared = array and not (isinstance(x, Line) and x in self.fresh)
        return f"{self.w.text(x)}.copy()" if shared else self.w.text(x)

    # -------------------------------------------------------------------------------------------- gradients and steps
    def gradient_homes(self) -> dict[Any, Any]:
        """For each parameter of an optimiser its place in a flat array of gradients; for each step these arrays.

        Only where every parameter of the optimiser has a gradient on every call.
        """
        homes: dict[Any, Any] = {}
        vectors, reached = self.program.vectors, dict[Any, Line]()  # leaves, and arrays of them
        asked: set[Line] = set()
        for line in self.program:
            if line.kind == "grad":
                of = {line.call, *vectors.get(line.call, ())}
                for x in of | {v for v, leaves in vectors.items() if not of.isdisjoint(leaves)}:
                    reached.pop(x, None)
                if line.args[0] is not None:
                    reached[line.call] = line
            elif line.kind == "clip":
                reached = {}  # the gradients are no longer what the program has computed
            elif line.kind == "step":
                flats = [flat for flats in line.call.flats for flat in flats]
                parts = {flat: [v for v in vectors if v in reached and same(vectors[v], flat.params)] for flat in flats}
                known = all([parts[flat] or reached.keys() >= set(flat.params) for flat in flats])
                if known and not any([p in homes for flat in flats for p in flat.params]):
                    homes[line] = [buffer(flat.grad.size, flat.grad.dtype) for flat in flats]
                    for flat, g in zip(flats, homes[line], strict=True):
                        homes[flat] = name = self.w.bind(g, "gradients")
                        homes |= dict.fromkeys(parts[flat], name)
                        lines = {reached[x] for x in parts[flat] or flat.params} if flat.scalars else set()
                        self.given |= lines - asked
                        for p, where in zip(flat.params, flat.slices, strict=True):
                            homes[p] = f"{name}[{where.start}:{where.stop}].reshape({self.w.text(p.shape)})"
                else:
                    asked.update(reached.values())  # it reads the gradients of the leaves
                for x in [x for flat in flats for x in (*flat.params, *parts[flat])]:
                    reached.pop(x, None)
        return homes

    def gradient(self, line: Line) -> list[str]:
        """Statements that make a result the `.grad` of a leaf."""
        w, leaf, source = self.w, line.call, line.args[0]
        if leaf in self.program.vectors:
            many, home = w.bind(self.program.vectors[leaf], "leaves"), self.homes.get(leaf)
            there = self.grads.get(source) is leaf and source in self.settled
            stored = [f"np.copyto({home}, {w.text(source)})"] if home and not there else []
            if line in self.given:
                return stored
            return [*stored, f"for leaf, slope in zip({many}, {w.text(source)}.tolist()): leaf._grad = slope"]
        owner, home = self.owner(leaf), self.homes.get(leaf, "")
        if source is None:
            return [f"{owner}._grad = None"]
        if isinstance(source, Line) and source.call is beside:
            name = w.unique(f"d_{leaf.label or 'leaf'}")
            w.setup.append(f"{name} = {home}")
            return [f"{owner}._grad = {name}"]
        own = isinstance(source, Line) and self.grads.get(source) is leaf
        if own and source in (self.settled if home else self.plan.buffer):
            return [f"{owner}._grad = {w.text(source)}"]
        if type(leaf._raw) is float:
            self.slopes[leaf] = text = w.text(source)
            if line in self.given:
                return []
            is_float = isinstance(source, Line) and source.call is pick
            return [f"{owner}._grad = {text if is_float else f'float({text})'}"]
        name = w.unique(f"{leaf.label or 'leaf'}_grad")
        w.setup.append(f"{name} = {home or f'np.empty({w.text(leaf.shape)}, np.{leaf.dtype.name})'}")
        return [f"np.copyto({name}, {w.text(source)})", f"{owner}._grad = {name}"]

    def side_by_side(self, flat: Any) -> list[str]:
        """Statements that put the gradients of single numbers into the array of an optimiser's gradients."""
        statements = []
        for own, some in groupby(zip(flat.params, flat.slices, strict=True), lambda one: one[0] in self.slopes):
            if own:
                leaves, places = zip(*some, strict=True)
                texts = ", ".join([self.slopes[leaf] for leaf in leaves])
                statements.append(f"{self.homes[flat]}[{places[0].start}:{places[-1].stop}] = {texts}")
        return statements

    def step(self, line: Line) -> list[str]:
        optimizer, gradients = line.call, self.homes.get(line)
        self.w.namespace[name := self.w.unique("optimizer_step")] = optimizer.replay if gradients else optimizer.step
        adopted = ", adopted=True" * all([flat in self.adopted for flats in optimizer.flats for flat in flats])
        if not gradients:
            return [f"{name}()"]
        found = [statement for flats in optimizer.flats for flat in flats for statement in self.side_by_side(flat)]
        given = [self.w.bind(g, "gradients") for g in gradients]
        return [*found, f"{name}([{', '.join(given)}]{adopted})"]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(is_, a, b))


def shows(x: Line) -> Line | None:
    """The result of which a view shows all numbers, in their order in memory."""
    base = x
    while base.kind == "view" and base.inputs:
        base = base.inputs[0]
    whole = owns_memory(base) and x.value.flags.c_contiguous and x.value.nbytes == base.value.nbytes
    return base if whole and x.dtype == base.dtype else None


def merge_names_of_sums(program: Program) -> None:
    """What is added to in place is one array, to be found under one name."""
    roots: dict[Line, Line] = {}
    for line in program:
        if line.call is add_in_place:
            roots[line] = roots.get(line.args[0], line.args[0])
        elif line.kind == "grad":
            line.replaced(roots)


def laid_out(w: Writer, value: Any) -> str:
    """A flat array in the shape of `value`, its axes in the same order in memory."""
    order = np.argsort([-step for step in value.strides], kind="stable").tolist()
    if order == list(range(value.ndim)):
        return f".reshape({w.text(value.shape)})" if value.ndim > 1 else ""
    shape = tuple([value.shape[i] for i in order])
    return f".reshape({w.text(shape)}).transpose({w.text(tuple(np.argsort(order).tolist()))})"
