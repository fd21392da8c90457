"""Each pass alone: the same numbers, fewer or cheaper calls.  The memory plan: nothing needed is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_compile_programs import Program as RandomProgram

import minigrad as mg
from minigrad import Value, nn, optim, skinny
from minigrad.compile import memory, passes
from minigrad.compile.build import build
from minigrad.compile.emit import emit
from minigrad.compile.program import Line, Program
from minigrad.compile.recording import Recorder
from minigrad.compile.report import measure
from minigrad.compile.rules import put_plain
from minigrad.compile.straight import Block, pick
from minigrad.tree import tree_leaves, tree_map
from minigrad.value import recording

RNG = np.random.default_rng(0)
X, Y, SMALL, STACK = (RNG.normal(size=shape) for shape in ((6, 4), (6, 4), (4, 3), (2, 6, 4)))
LONG, WIDE = RNG.normal(size=(256, 300)), RNG.normal(size=(10, 300))


def program_of(f: Callable[..., Any], *xs: Any) -> Program:
    """The program of a recording, as it is before any pass."""
    recorder = Recorder()
    wires = {recorder.wire(x): i for i, x in enumerate(xs)}
    token = recording.set(recorder)
    try:
        out = f(*wires)
    finally:
        recording.reset(token)
    with recorder.aside():
        return build(recorder, wires, out)


def results(program: Program, *xs: Any) -> list[Any]:
    """What the calls of a program give, one by one, without the emitter; and the gradients that it stores."""
    values: dict[Line, Any] = {}
    stored: dict[Any, Any] = {}
    for line in program.inputs:
        kind, source = line.args[0][:2]
        values[line] = (
            xs[source]
            if kind == "argument"
            else np.concatenate([np.ravel(p._raw) for p in source.params])
            if kind == "flat"
            else source._raw
        )

    def value(x: Any) -> Any:
        return values[x] if isinstance(x, Line) else x

    for line in program:
        if line.call is pick:
            continue
        args, kwargs = tree_map(value, line.args), tree_map(value, line.kwargs)
        if line.call is put_plain:
            args = np.asarray(args[0]), *args[1:]
        if isinstance(line.call, Block):
            values.update({line: None, **results_of_block(program, line, values)})
        elif line.kind in ("call", "view"):
            out = line.call(*args, **kwargs)
            values[line] = np.copy(out) if line.kind == "call" and isinstance(out, np.ndarray) else out
        elif line.kind == "grad":
            stored[line.call] = np.copy(args[0])
    outs = tree_leaves(tree_map(value, program.outputs))
    return [*outs, *[g.reshape(p.shape) if g.size == p.size else flat_part(p, g, program) for p, g in stored.items()]]


def results_of_block(program: Program, block: Line, values: dict[Line, Any]) -> dict[Line, Any]:
    """What lines of Python give, which are one call to the passes."""
    given = list(dict.fromkeys(block.inputs))
    inputs = [Line(None, (("argument", i),), {}, x.value, "input") for i, x in enumerate(given)]
    new = dict(zip(given, inputs, strict=True))
    alone = Line(
        block.call, tree_map(lambda x: new.get(x, x) if isinstance(x, Line) else x, block.args), {}, block.value, "call"
    )
    picks = [line for line in program if line.call is pick and line.args[0] is block]
    copies = [Line(pick, (alone, line.args[1]), {}, line.value, line.kind) for line in picks]
    outs = emit(Program(inputs, [alone, *copies], copies)).function(*[values[x] for x in given])
    return dict(zip(picks, outs, strict=True))


def flat_part(p: Any, g: Any, program: Program) -> Any:
    """The part of a flat array of gradients that is the gradient of p."""
    (step,) = [line for line in program if line.kind == "step"]
    for flats in step.call.flats:
        for flat in flats:
            for q, where in zip(flat.params, flat.slices, strict=True):
                if q is p:
                    return g[where].reshape(p.shape)
    raise AssertionError


def same(got: list[Any], want: list[Any], tolerance: float = 1e-12) -> None:
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        scale = max(np.max(np.abs(b), initial=0.0), 1.0)
        np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=0, atol=tolerance * scale)


def count(program: Program, call: Any) -> int:
    return sum([line.call == call for line in program if line.kind == "call"])


def calls(program: Program) -> int:
    return measure("", program).calls


def of_a_step(weight_decay: float = 0.01) -> Any:
    model = nn.MLP([4, 5, 3], nn.Tanh, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.0)
    optimizer.flats[0][0].adopt()

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        squares = sum([(p * p).sum() for p in model.parameters()])
        loss = (model(x) ** 2.0).mean() + weight_decay * squares
        loss.backward()
        optimizer.step()
        return loss

    return step


def fewer(before: Program, after: Program) -> bool:
    return calls(after) < calls(before)


def with_a_constant_call(program: Program) -> Program:
    """exp of a constant: other passes leave such calls behind."""
    ones = np.ones((6, 4))
    line = Line(np.exp, (ones,), {}, np.exp(ones), "call")
    program.lines[0].args = (program.inputs[0], line)
    return program.with_lines([line, *program.lines], program.outputs)


def places(x: Any) -> Any:
    return x[np.array([0, 1])] * x[np.array([0, 1])] + x[np.array([1, 0])]


def slices_of_one(x: Any) -> Any:
    return mg.grad(lambda v: (v[0] * v[1] + (v[2:4] * v[3:5]).sum(axis=0) + v[4] ** 2.0).sum() + (v * v).sum())(x)


# What each pass is given, and what it has to achieve.
EXAMPLES: dict[str, list[tuple[Any, tuple[Any, ...], Callable[[Program, Program], bool]]]] = {
    "fold": [(lambda x: x * 2.0, (X,), lambda a, b: calls(a) > calls(b) == 1)],
    "uniform_constants": [
        (lambda x: x * np.full((6, 4), 2.5) + np.ones((6, 4)), (X,), lambda a, b: not arrays(b) and bool(arrays(a)))
    ],
    "arithmetic": [
        (lambda x: x + 0.0, (X,), lambda a, b: calls(b) == 0),
        (lambda x: 0.0 + x * 1.0, (X,), lambda a, b: calls(b) == 0),
        (lambda x: +x, (X,), lambda a, b: calls(b) == 0),
        (lambda x: x + x, (X,), lambda a, b: count(b, np.multiply) == 1 and count(b, np.add) == 0),
        (lambda x: 2.0 * (3.0 * x), (X,), lambda a, b: b.lines[-1].args == (b.inputs[0], 6.0)),
    ],
    "share": [
        (lambda x: mg.tanh(x) * mg.tanh(x), (X,), lambda a, b: count(a, np.tanh) == 2 and count(b, np.tanh) == 1),
        (lambda x: x if x.sum() > -99.0 and x.sum() > -99.0 else -x, (X,), lambda a, b: guards(a) == 2 > guards(b)),
        (places, (X,), lambda a, b: len(a.lines) - 1 == len(b.lines)),
    ],
    "dot_products": [
        (lambda x, y: (x * y).sum(), (X, Y), lambda a, b: count(b, np.vdot) == 1),
        (lambda x: x.sum(), (X,), lambda a, b: count(b, np.vdot) == 1 and count(b, np.add.reduce) == 0),
    ],
    "sums_as_products": [
        (lambda x: x.sum(axis=0), (X,), lambda a, b: count(b, np.add.reduce) == 0),
        (lambda x: x.sum(axis=1, keepdims=True), (X,), lambda a, b: count(b, np.add.reduce) == 0),
        (lambda x: x.sum(axis=1), (STACK,), lambda a, b: count(b, np.add.reduce) == 0),
    ],
    "short_rows": [
        (lambda x: x.max(axis=1, keepdims=True), (X,), lambda a, b: all([n.kwargs.get("axis") != 1 for n in b])),
        (lambda x: x.min(axis=1), (X,), lambda a, b: count(b, np.ascontiguousarray) == 1),
    ],
    "products": [
        (lambda x, w: x @ w, (X, SMALL), lambda a, b: count(b, np.dot) == 1 and count(b, np.matmul) == 0),
        (lambda x, w: x @ w.T, (STACK, SMALL.T.copy()), lambda a, b: count(b, np.ascontiguousarray) == 1),
    ],
    "same_shape": [(lambda x: mg.tanh(x.reshape(6, 4)), (X,), lambda a, b: len(b.lines) == 1 < len(a.lines))],
    "side_by_side": [(of_a_step(), (X,), lambda a, b: sum([line.kind == "input" for line in b.inputs]) > 0)],
    "drop_unused": [(lambda x: x * 2.0, (X,), lambda a, b: len(a.lines) == len(b.lines) == 1)],
    "sums_in_place": [(slices_of_one, (X,), lambda a, b: count(b, put_plain) < count(a, put_plain))],
    "in_small_products": [
        (lambda x, w: x @ w.T, (LONG, WIDE), lambda a, b: (len(b.lines) > len(a.lines)) == skinny.small_kernels()),
    ],
}  # fmt: skip


def arrays(program: Program) -> list[Any]:
    return [x for line in program for x in line.args if isinstance(x, np.ndarray)]


def guards(program: Program) -> int:
    return sum([line.kind == "guard" for line in program])


def prepared(name: str, program: Program) -> Program:
    """Some passes look for what others have made."""
    if name == "side_by_side":
        for one in passes.PASSES[: passes.PASSES.index(getattr(passes, name))]:
            program = one(program)
    return with_a_constant_call(program) if name == "fold" else program


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pass_alone(name: str) -> None:
    one_pass = getattr(passes, name)
    for f, xs, achieved in EXAMPLES[name]:
        before, after = (prepared(name, program_of(f, *xs)) for _ in range(2))
        after = one_pass(after)
        for scale in (1.0, -0.7):
            given = [x * scale for x in xs]
            same(results(after, *given), results(before, *given))
        assert achieved(before, after)


def test_every_pass_is_tested() -> None:
    assert {one.__name__ for one in passes.PASSES} == set(EXAMPLES)


def test_unused_lines_and_inputs_are_dropped() -> None:
    w = Value(np.ones(4))
    program = program_of(lambda x, y: (x * 2.0, mg.tanh(x @ w), mg.exp(y)), X, Y)
    program.outputs = program.outputs[0]
    after = passes.drop_unused(program)
    assert len(after.lines) == 1
    assert [line.args[0][0] for line in after.inputs] == ["argument", "argument"]  # which the caller gives in any case


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_factors_are_joined_where_nothing_is_lost(dtype: Any) -> None:
    """c * (d * x) where c * d would overflow or vanish, in the dtype of x, stays as it is."""
    f = lambda x: [1e-25 * (1e-20 * x), 1e30 * (1e30 * x), 1e-200 * (1e-150 * (x * 1.0))]  # noqa: E731
    for size in (1e30, 1e-38, 1.0):
        x = np.full(3, size, dtype)
        program = program_of(f, x)
        with np.errstate(all="ignore"):
            want = results(program, x)
            for got, expected in zip(results(passes.arithmetic(program_of(f, x)), x), want, strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-6)


SEEDS = range(3000, 3025)


def sloped(seed: int) -> tuple[Any, list[Any]]:
    f = RandomProgram(seed)
    return mg.value_and_grad(f, argnums=(0, 1, 2)), f.draw()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_pass_on_random_programs(seed: int) -> None:
    f, xs = sloped(seed)
    want = results(program_of(f, *xs), *xs)
    whole = program_of(f, *xs)
    before = measure("", whole)
    for one_pass in dict.fromkeys(passes.PASSES):
        same(results(one_pass(program_of(f, *xs)), *xs), want)
        whole = one_pass(whole)
        same(results(whole, *xs), want)
    assert measure("", passes.optimise(program_of(f, *xs))[0]).calls <= before.calls


@pytest.mark.parametrize("seed", SEEDS)
def test_the_emitter_alone_on_random_programs(seed: int) -> None:
    """Without any pass, written into planned buffers: as when each call makes a new array."""
    f, xs = sloped(seed)
    program = program_of(f, *xs)
    want = results(program, *xs)
    run = emit(program).function
    for _ in range(2):
        same(run(*xs), want)


# -------------------------------------------------------------------------------------------------------- memory
def conflicts(program: Program, plan: memory.Plan) -> list[tuple[int, Line, Line]]:
    """Where a line is written into a buffer that holds a result which is read later on (found by brute force)."""
    roots: dict[Line, Line] = {}
    last: dict[Line, int] = {}
    for i, line in enumerate(program):
        if line.kind == "view":
            roots[line] = roots.get(line.inputs[0], line.inputs[0])
        for x in line.inputs:
            last[roots.get(x, x)] = i
    for x in tree_leaves(program.outputs):
        if isinstance(x, Line):
            last[roots.get(x, x)] = len(program.lines)
    found = []
    holders: dict[int, Line] = {}
    for i, line in enumerate(program):
        buffer = plan.buffer.get(line)
        if buffer is None:
            continue
        before = holders.get(buffer)
        elementwise = isinstance(line.call, np.ufunc) and line.call.signature is None
        if before is not None and last.get(before, -1) > (i if elementwise else i - 1):
            found.append((i, before, line))
        holders[buffer] = line
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_plan_overwrites_nothing_that_is_read_later(seed: int) -> None:
    f, xs = sloped(seed)
    for program in (program_of(f, *xs), passes.optimise(program_of(f, *xs))[0]):
        plan = memory.plan(program, set())
        assert conflicts(program, plan) == []
        owners = [line for line in program if memory.owns_memory(line)]
        assert all([plan.sizes[plan.buffer[line]] >= line.value.nbytes for line in owners])


def test_buffers_are_used_again() -> None:
    def chain(x: Any) -> Any:
        for _ in range(20):
            x = mg.tanh(x) * 2.0 + 1.0
        return x @ np.ones(4)

    program = program_of(chain, X)
    plan = memory.plan(program, set())
    assert len(plan.sizes) <= 3
    assert sum([memory.owns_memory(line) for line in program]) == 61


def test_in_place_chains_stop_where_the_layout_differs() -> None:
    """x.T * x reads x in two orders: the product can't be written over x."""
    f = lambda x: (lambda y: mg.exp(y.T * y) @ np.ones(4))(mg.tanh(x))  # noqa: E731
    x = RNG.normal(size=(4, 4))
    run = emit(passes.optimise(program_of(f, x))[0]).function
    y = np.tanh(x)
    np.testing.assert_allclose(run(x)[0], np.exp(y.T * y) @ np.ones(4), rtol=1e-13)


def test_a_view_of_a_result_needs_its_layout() -> None:
    """The numbers of broadcast_to lie in one row; a reshape of it is no view, and mustn't be made once only."""

    def f(x: Any) -> Any:
        return (mg.broadcast_to(mg.tanh(x), (3, 4)) * 1.0).reshape(12) * 2.0

    compiled = mg.compile(f)
    for scale in (1.0, 2.0, 3.0):
        np.testing.assert_allclose(compiled(scale * X[0]).data, 2.0 * np.tile(np.tanh(scale * X[0]), 3))


def test_what_stages_report() -> None:
    f = mg.compile(lambda x: mg.tanh(x) * 1.0 + mg.tanh(x))
    f(X)
    stages = f.last[0].stages  # type: ignore[index]
    assert stages[0].name == "as recorded"
    assert stages[0].calls == 4
    assert stages[-1].calls == 2
    assert stages[-1].flops == 2 * X.size
