"""Transforms: functions that turn a function into its derivative.  They never read or write `.grad`.

Each runs `f` on fresh variables and pulls gradients back to them, or pushes tangents forward from them.  Because the
variables are fresh, transforms nest: a derivative inside a derivative sees the variables around it as constants of its
own pass, and as variables of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from functools import wraps
from typing import Any

import numpy as np

from .convert import describe, shape_of, to_constant
from .errors import DtypeError, GradientError, ShapeError
from .forward import push
from .gates import astype, concatenate, reshape, transpose
from .rows import pull_rows
from .tree import tree_leaves, tree_map
from .value import Value, is_recorder, new_value, positive, pull, recording, tape, upstream_of, zeros

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

enclosing: ContextVar[tuple[Value, ...]] = ContextVar("enclosing", default=())  # variables of the transforms around us


class Trace:
    """One run of `f`, with fresh variables in the place of the numbers in some of its arguments."""

    def __init__(
        self, f: Callable[..., Any], args: tuple[Any, ...], positions: Iterable[int], kwargs: Any = None
    ) -> None:
        if not callable(f):
            raise DtypeError(
                f"grad, vjp, jvp and the like take a function, not {describe(f)}; of a Value, call its backward()."
            )
        kwargs = kwargs or {}
        self.name, self.args, self.positions = getattr(f, "__name__", "f"), args, tuple(positions)
        for i in self.positions:
            if not isinstance(i, (int, np.integer)) or not -len(args) <= i < len(args):
                raise GradientError(f"argnums={i!r}, but {self.name} was called with {len(args)} arguments.")
        self.around, self.recording = enclosing.get(), recording.get()
        recorded = is_recorder(self.recording)  # by mg.compile, which gets `Value`s from every function that it records
        self.given_values = recorded or any([isinstance(x, Value) for x in tree_leaves([args, kwargs])])
        self.record = self.given_values or bool(self.around)  # whether somebody may differentiate our results
        token, token_around = recording.set(self.recording or True), enclosing.set(self.around)
        try:
            traced = list(args)
            for i in self.positions:
                traced[i] = tree_map(variable, args[i])
            self.variables: list[Value] = tree_leaves([traced[i] for i in self.positions])
            enclosing.set((*self.around, *self.variables))
            self.out = f(*traced, **kwargs)
        finally:
            recording.reset(token)
            enclosing.reset(token_around)
        self.outs = tree_leaves(self.out)

    @contextmanager
    def passes(self) -> Iterator[None]:
        """Where passes over the graph run: they are recorded, and their infinities are answers."""
        token = recording.set(self.recording or True)
        try:
            with np.errstate(all="ignore"):
                yield
        finally:
            recording.reset(token)

    def gradients(self, out: Any, upstream: Any = 1.0) -> list[Any]:
        """upstream · d out / d variable for each variable, zeros where no path leads there; `Value`s if recorded."""
        found: dict[Value, Any] = {}
        if isinstance(out, Value) and out.requires_grad:
            with self.passes():
                found = pull(out, start_from(out, upstream, self.record))
        return [zeros(x._raw) if (g := found.get(x)) is None else g for x in self.variables]

    def given(self, leaves: list[Any]) -> Trace:
        """The same run for a pass that is given these numbers: with a `Value` among them, it returns `Value`s."""
        if not any([isinstance(x, Value) for x in leaves]):
            return self
        this = copy(self)
        this.given_values = this.record = True
        return this

    def result(self, x: Any) -> Any:
        """As the caller gets it: raw, unless `Value`s were given or a variable of a transform around us is in it."""
        if not isinstance(x, Value):
            return Value(x, requires_grad=False) if self.given_values else x
        if self.given_values or depends_on(x, self.around):
            return x if self.recording else x.detach()
        return x.data if isinstance(x.data, float) else np.array(x.data)  # sharing memory with nothing in the graph

    def per_argument(self, flat: Iterable[Any]) -> list[Any]:
        """One result per variable, in the structure of the arguments."""
        results = iter(flat)
        return [tree_map(lambda _: self.result(next(results)), self.args[i]) for i in self.positions]


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of `f`, which returns a single number, as a function of the same arguments.

    The result has the structure, shapes and dtypes of argument `argnums` (a tuple of them for a tuple of numbers):
    floats and arrays in give floats and arrays out, `Value`s in give `Value`s out.  What `f` computes from `.data`,
    `float(x)` or with `math.sin` has left the graph and counts as constant: its gradient is zero.  Raises
    `GradientError` where `f` doesn't return a single number.

    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda p: p["w"] * p["w"] + p["b"])({"w": 3.0, "b": 1.0})
    {'w': 6.0, 'b': 1.0}
    """
    check_argnums("grad", argnums)
    both = value_and_grad(f, argnums)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """As `grad`, but the function returns the pair (f(x), gradient).

    >>> value_and_grad(lambda x, y: x * y, argnums=(0, 1))(3.0, 4.0)
    (12.0, (4.0, 3.0))
    """
    check_argnums("value_and_grad", argnums)

    @wraps(f)
    def both(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, argnums if isinstance(argnums, (tuple, list)) else (argnums,), kwargs)
        check_single_number(trace.name, trace.out)
        trees = trace.per_argument(trace.gradients(trace.out))
        return trace.result(trace.out), (trees[0] if not isinstance(argnums, (tuple, list)) else tuple(trees))

    return both


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*xs) and a function that pulls a cotangent of it back: vᵀ J, a tuple with one gradient per argument.

    The cotangent has the structure and shapes of the output; no path gives zeros.

    >>> out, pull_back = vjp(lambda x, y: x * y, 3.0, 4.0)
    >>> out, pull_back(1.0)
    (12.0, (4.0, 3.0))
    """
    trace = Trace(f, xs, range(len(xs)))
    check_numbers(trace)

    def pull_back(cotangent: Any) -> tuple[Any, ...]:
        upstreams = matching("vjp", "cotangent", cotangent, "the output", trace.out)
        this = trace.given(upstreams)
        total = [zeros(x._raw) for x in this.variables]
        for out, upstream in zip(this.outs, upstreams, strict=True):
            total = [a + b for a, b in zip(total, this.gradients(out, upstream), strict=True)]
        return tuple(this.per_argument(total))

    return tree_map(trace.result, trace.out), pull_back


def jvp(f: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """f(*xs) and its derivative along `tangents`: J t, of the output's structure.  `xs` and `tangents` are tuples.

    One pass forward through the gates, so its cost does not grow with the number of inputs or outputs.

    >>> jvp(lambda x, y: x * y, (3.0, 4.0), (1.0, 0.0))
    (12.0, 4.0)
    """
    if not isinstance(xs, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise GradientError("jvp(f, xs, tangents): xs and tangents are tuples, with an entry per argument of f.")
    directions = matching("jvp", "tangents", tuple(tangents), "the arguments", tuple(xs))
    trace = Trace(f, tuple(xs), range(len(xs)))
    check_numbers(trace)
    trace = trace.given(directions)
    moved = push_forward(trace, directions)
    flat = iter(moved)
    return tree_map(trace.result, trace.out), tree_map(lambda _: trace.result(next(flat)), trace.out)


def push_forward(trace: Trace, directions: list[Any]) -> list[Any]:
    """The tangent of each output of a trace, zeros where no path leads there."""
    start = {x: start_from(x, t, trace.record) for x, t in zip(trace.variables, directions, strict=True)}
    with trace.passes():
        moved = iter(push([out for out in trace.outs if isinstance(out, Value)], start, trace.record))
    found = [next(moved) if isinstance(out, Value) else None for out in trace.outs]
    return [zeros(data_of(out)) if t is None else t for out, t in zip(trace.outs, found, strict=True)]


def start_from(x: Value, g: Any, record: bool) -> Any:
    """The gradient or tangent that a pass starts from at `x`: in its shape and dtype, and a `Value` to be recorded."""
    if isinstance(g, Value):
        return g
    raw = upstream_of(x, g)
    return new_value(raw) if record else raw


def jacobian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """All derivatives of all outputs: a function that returns, for each output, an array of shape out + in.

    All rows in one pass backward or, where there are fewer inputs than outputs, all columns in one pass forward.  For
    containers the result is the output's structure of the argument's structure.

    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    check_argnums("jacobian", argnums)

    @wraps(f)
    def all_slopes(*args: Any, **kwargs: Any) -> Any:
        trace = Trace(f, args, argnums if isinstance(argnums, (tuple, list)) else (argnums,), kwargs)
        check_numbers(trace)
        sizes = sum([size(x) for x in trace.variables]), sum([size(out) for out in trace.outs])
        blocks = by_columns(trace) if sizes[0] < sizes[1] else [by_rows(trace, out) for out in trace.outs]
        flat = iter(blocks)

        def of_output(out: Any) -> Any:
            trees = trace.per_argument(next(flat))
            return trees[0] if not isinstance(argnums, (tuple, list)) else tuple(trees)

        return tree_map(of_output, trace.out)

    return all_slopes


def by_rows(trace: Trace, out: Any) -> list[Any]:
    """The blocks d out / d variable: a pull for all numbers of the output at once, or for some at a time."""
    if not isinstance(out, Value) or not out.requires_grad:
        return [joined([], out, x, x) for x in trace.variables]
    if not out.shape:
        return trace.gradients(out)
    found = []
    with trace.passes():
        for some in units(out):
            found.append(pull_rows(out, new_value(some) if trace.record else some))
    return [joined([rows.get(x) for rows in found], out, x, x) for x in trace.variables]


def by_columns(trace: Trace) -> list[list[Any]]:
    """The same blocks for every output, by pushing all numbers of a variable at once, or some at a time."""
    blocks: list[list[Any]] = [[] for _ in trace.outs]
    outs = [out for out in trace.outs if isinstance(out, Value)]
    for x in trace.variables:
        moved = []
        with trace.passes():
            for some in units(x):
                start = {x: new_value(some) if trace.record else some}
                moved.append(dict(zip(outs, push(outs, start, trace.record, rows=some.shape[:1]), strict=True)))
        for j, out in enumerate(trace.outs):
            found = [columns.get(out) for columns in moved] if isinstance(out, Value) else []
            block = joined(found, x, out, x)  # of shape in + out: turn it around
            n_in, n_out = len(x.shape), len(shape_of(out))
            axes = (*range(n_in, n_in + n_out), *range(n_in))
            blocks[j].append(transpose(block, axes=axes) if axes else block)
    return blocks


AT_ONCE = 256  # rows of a Jacobian in one pass: it needs that many times the memory of a gradient


def units(x: Any) -> Iterable[Any]:
    """For every number in x zeros of its shape with a one in that place, `AT_ONCE` in an array."""
    n = size(x)
    for start in range(0, n, AT_ONCE):
        yield np.eye(min(AT_ONCE, n - start), n, start, dtype=x.dtype).reshape(-1, *x.shape)


def joined(parts: list[Any], first: Any, second: Any, x: Value) -> Any:
    """Arrays of rows, one behind the other, in the shape first + second and the dtype of x; None stands for zeros."""
    shape = shape_of(first) + shape_of(second)
    if any([part is None for part in parts]) or not parts:
        return np.zeros(shape, x.dtype) if shape or not isinstance(x._raw, float) else 0.0
    whole = reshape(parts[0] if len(parts) == 1 else concatenate(parts), shape)
    return whole if getattr(whole, "dtype", x.dtype) == x.dtype else astype(whole, x.dtype)


def hessian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The matrix of second derivatives of `f`, which returns a single number: the Jacobian of its gradient.

    >>> hessian(lambda x: x[0] * x[0] * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    check_argnums("hessian", argnums)
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """The Hessian of `f` at x times v, without the Hessian: the gradient's derivative along v.

    >>> hvp(lambda x: (x * x * x).sum(), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """
    matching("hvp", "v", v, "x", x)
    return jvp(grad(f), (x,), (v,))[1]


def variable(x: Any) -> Value:
    """A fresh leaf with the data of `x`; if `x` is a `Value`, one through which gradients still reach it."""
    if isinstance(x, Value):
        through: Value = positive(x)
        if through.gate is not None:  # also where mg.compile records what requires no gradient
            through._requires_grad = True
        return through if through.requires_grad else Value(x.data)
    return Value(x)


def depends_on(x: Value, variables: tuple[Value, ...]) -> bool:
    if not variables or not x.requires_grad:
        return False
    behind = tape(x)[1]
    return any([v in behind for v in variables])


def data_of(x: Any) -> Any:
    return x._raw if isinstance(x, Value) else to_constant(x, np.float64)


def size(x: Any) -> int:
    return int(np.prod(shape_of(x), dtype=int))


def matching(transform: str, what: str, tree: Any, like_what: str, like: Any) -> list[Any]:
    """The leaves of `tree`, after checking that it has the structure and shapes of `like`."""
    leaves, expected = tree_leaves(tree), tree_leaves(like)
    if str(tree_map(lambda _: 0, tree)) != str(tree_map(lambda _: 0, like)):
        raise GradientError(f"{transform}: the {what} must have the structure of {like_what}.")
    for leaf, x in zip(leaves, expected, strict=True):
        if shape_of(leaf) != shape_of(x):
            raise ShapeError(f"{transform}: {what} of shape {shape_of(leaf)} for {like_what} of shape {shape_of(x)}.")
    return leaves


def check_argnums(transform: str, argnums: Any) -> None:
    for i in argnums if isinstance(argnums, (tuple, list)) else (argnums,):
        if not isinstance(i, (int, np.integer)) or isinstance(i, bool):
            raise GradientError(
                f"{transform}: argnums={i!r:.40} is no number of an argument. It returns a function: write "
                f"{transform}(f)(x), not {transform}(f, x)."
            )


def check_numbers(trace: Trace) -> None:
    for out in trace.outs:
        if not isinstance(out, Value) and np.asarray(out).dtype.kind not in "fiub":
            raise GradientError(f"{trace.name} returned {out!r:.60}; it must return numbers, as Values.")


def check_single_number(name: str, out: Any) -> None:
    raw = out._raw if isinstance(out, Value) else out
    if not isinstance(raw, (float, int, np.number, np.ndarray)) or np.asarray(raw).dtype.kind not in "fiu":
        raise GradientError(f"grad: {name} returned {describe(out)}; it must return one number, as a Value.")
    if np.size(raw) != 1:
        raise GradientError(
            f"grad: {name} returned {describe(out)} with {np.size(raw)} numbers; a gradient is of one number: "
            "reduce it, as with .sum()."
        )
