"""Programs written number by number in which nothing repeats itself: straight-line Python, and eager's numbers."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, optim
from minigrad.compile import straight
from minigrad.gates import REGISTRY

UNARY: list[Any] = [
    lambda a: a.tanh(), lambda a: a.relu(), lambda a: (-a * a).exp(), lambda a: (a * a + 0.5).log(), lambda a: a.sin(),
    lambda a: (a * a + 1.0) ** 0.7, lambda a: a**2, lambda a: abs(a), lambda a: a.sigmoid(), lambda a: mg.softplus(a),
    lambda a: REGISTRY["select"](a > 0.1, a), lambda a: mg.clip(a, -0.5, 0.5), lambda a: (a * a + 0.1).sqrt(),
]  # fmt: skip
BINARY: list[Any] = [
    lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (b * b + 1.0), lambda a, b: 2.0 - a,
    mg.maximum, mg.minimum, lambda a, b: mg.where(a > b, a, 0.3 * b), lambda a, b: (a * a + 0.5) ** (0.1 * b),
    lambda a, b: mg.hypot(a, b), lambda a, b: mg.neuron([a, b, 0.5, 0.25, a]),
]  # fmt: skip


def random_program(seed: int, size: int) -> Any:
    """A function of a list of scalars: a random graph with fan-out, of about so many gates."""
    rng = random.Random(seed)
    plan = [(rng.choice(UNARY + BINARY), rng.random(), rng.random()) for _ in range(size)]

    def program(leaves: Any) -> Any:
        values = list(leaves)
        for gate, i, j in plan:
            a, b = (values[-1 - int(k * k * len(values))] for k in (i, j))
            values.append((gate(a) if gate in UNARY else gate(a, b)) * 0.9)
        return sum(values[-20:]) + sum([0.1 * a * a for a in leaves])

    return program


def trained(wrap: Any, program: Any, start: Any, steps: int = 4) -> list[float]:
    """What a few training steps return, and make of the parameters and their gradients."""
    leaves = [Value(x) for x in start]
    optimizer = optim.SGD(leaves, lr=0.01)

    def step() -> Any:
        loss = program(leaves)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run, numbers = wrap(step), []
    for _ in range(steps):
        numbers += [run().item(), *[p.data for p in leaves], *[p.grad for p in leaves]]
    return numbers


def assert_same(got: Any, expected: Any) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12 * np.nanmax(np.abs(expected), initial=0.0))


@pytest.mark.parametrize("part", [7, 100, straight.PART])
@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int, part: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(straight, "PART", part)  # functions of so many steps
    program, start = random_program(seed, 150), np.random.default_rng(seed).uniform(0.2, 1.2, 6).tolist()
    expected = trained(lambda f: f, program, start)
    assert_same(trained(compile, program, start), expected)


@pytest.mark.parametrize("seed", range(4))
def test_random_programs_of_array_elements_to_second_order(seed: int) -> None:
    program = random_program(seed, 60)
    f = mg.grad(lambda x: (mg.grad(lambda x: program([x[i] for i in range(5)]))(x) ** 2).sum())
    run = compile(f)
    for k in range(3):
        x = np.random.default_rng(k).uniform(0.2, 1.2, 5)
        assert_same(run(x).data, f(x))


# ------------------------------------------------------------------------------------------- all gates, also at poles
NUMBERS = [0.3, -0.7, 1.5, 0.0, -0.0, 1.0, -1.0, 2.0, 25.0, -25.0, 800.0, -800.0, math.inf, -math.inf, math.nan]
ELEMENTWISE = [g for g in REGISTRY.values() if g.elementwise and g.arity in (1, 2) and not g.plain]


@pytest.mark.parametrize("after_a_step", [False, True])
@pytest.mark.parametrize("gate", ELEMENTWISE, ids=lambda gate: gate.name)
def test_gates_among_many_scalars(gate: Any, after_a_step: bool) -> None:
    """A row of gates, first on usual numbers, then on others: poles and overflows have IEEE's answers."""
    points = list(itertools.product(NUMBERS, repeat=gate.arity))
    some = [0.3, 0.6] if gate.arity == 2 else [0.3]
    beside = Value(1.0)
    optimizer = optim.SGD([beside], lr=0.1)

    def f(*args: Any) -> Any:
        if after_a_step:
            optimizer.zero_grad()
            (beside * 2.0).backward()
            optimizer.step()
        long = sum([args[0] * float(i) for i in range(120)])  # many gates
        out, slopes = mg.value_and_grad(gate, argnums=tuple(range(len(args))))(*args)
        return out, slopes, long

    run = compile(f)
    run(*some)
    for point in points:
        expected = mg.tree.tree_leaves(f(*[Value(a) for a in point]))
        got = mg.tree.tree_leaves(run(*point))
        np.testing.assert_allclose(
            [v.item() for v in got], [v.item() for v in expected], rtol=1e-12, err_msg=f"{point}"
        )


def test_a_pole_leaves_nothing_half_done() -> None:
    """The call that fails on the fast way is made again from the start."""
    x, y = Value(2.0, label="x"), Value(3.0)
    optimizer = optim.SGD([x, y], lr=0.1, momentum=0.9)

    def step() -> Any:
        loss = sum([(x * float(i)).tanh() * y for i in range(60)]) + 1.0 / x + x.log()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = compile(step)
    run()
    x.data = 0.0
    assert run().data == math.inf or math.isnan(run().data)
    assert math.isnan(x.grad) or math.isinf(x.grad)
    assert y.grad is not None
    assert optimizer.steps_taken == 3


# ------------------------------------------------------------------------------------------------------- what is read
def test_leaves_changed_by_hand() -> None:
    program, start = random_program(3, 150), [0.5, 0.7, 0.9]

    def told(wrap: Any) -> list[float]:
        leaves = [Value(x) for x in start]

        def step() -> Any:
            loss = program(leaves)
            loss.backward()
            return loss

        run, numbers = wrap(step), []
        for i in range(6):
            if i == 1:
                leaves[0].data = 0.25
            if i == 3:
                for p in leaves:
                    p.grad = 0
            if i == 4:
                for p in leaves:
                    p.grad = 0.5
                leaves[2].data = leaves[2].data * 2.0
            numbers += [run().item(), *[p.grad for p in leaves]]
        return numbers

    assert_same(told(compile), told(lambda f: f))


def test_two_steps_in_one_call() -> None:
    program = random_program(5, 150)

    def twice(wrap: Any) -> list[float]:
        leaves = [Value(x) for x in (0.5, 0.7, 0.9)]
        optimizer = optim.SGD(leaves, lr=0.05)

        def step() -> Any:
            for _ in range(2):
                loss = program(leaves)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            return loss

        run, numbers = wrap(step), []
        for _ in range(3):
            numbers += [run().item(), *[p.data for p in leaves], *[p.grad for p in leaves]]
        return numbers

    assert_same(twice(compile), twice(lambda f: f))


def test_decisions_by_scalars_are_checked() -> None:
    def f(x: float) -> Any:
        v = x * 1.0
        for i in range(120):
            v = (v * 1.1 - 0.01 * i).tanh() if v > 0.05 * (i % 7) else v + 0.1
        return v

    run = compile(f)
    for x in (0.3, 0.31, 2.0, -3.0, 0.3):
        assert_same(run(x).item(), f(Value(x)).item())


def test_intermediate_results_and_constants_are_returned() -> None:
    def f(a: Any, b: Any) -> Any:
        values = [a * b]
        for i in range(130):
            values.append((values[-1] + 0.1 * i).sin())
        return {
            "some": values[3:9],
            "same": [a * b, values[0]],
            "none": None,
            "input": a,
            "one": values[-1] ** 0.0 + 1.0,
        }

    run = compile(f)
    for a, b in ((0.1, 0.2), (0.3, -0.4)):
        got, expected = (mg.tree.tree_leaves(g(Value(a), Value(b))) for g in (f, f))
        got = mg.tree.tree_leaves(run(a, b))
        assert_same([v.item() for v in got if v is not None], [v.item() for v in expected if v is not None])


def test_the_program_is_python_with_the_labels() -> None:
    rate, level = Value(0.5, label="rate"), Value(0.25, label="my level")

    def f() -> Any:
        v = level
        for _ in range(60):
            v = (v * rate + 0.1).tanh()
            v.label = "state"
        v.backward()
        return v

    run = compile(f)
    run()
    source = run.source
    assert "state = tanh(" in source
    assert "cosh" not in source  # 1 - tanh² stands there
    assert "np." not in source.split("# made once")[0]
    assert "# backward" in source
    calls = int(run.explain().split("calls")[0].split()[-1])
    assert 3 * 60 < calls < 12 * 60  # forward and backward


def test_labels_are_no_names_of_the_programs_own(monkeypatch: Any) -> None:
    monkeypatch.setattr(straight, "PART", 40)
    labels = [
        "v1",
        "_",
        "part",
        "part_2",
        "part_for_part_2",
        "tanh",
        "d_v3",
        "def",
        "abs",
        "run",
        "True",
        "1",
        "a b",
        "",
    ]
    leaves = [Value(0.1 * i + 0.2, label=label) for i, label in enumerate(labels)]

    def f() -> Any:
        v = leaves[0]
        for i in range(100):
            v = (v * leaves[i % 14] + 0.3).tanh()
            v.label = labels[(3 * i) % 14]
        v.backward()
        return v

    expected = [f().data, *[p.grad for p in leaves]]
    run = compile(f)
    for _ in range(2):
        for p in leaves:
            p.grad = None
        assert_same([run().data, *[p.grad for p in leaves]], expected)


@pytest.mark.parametrize("turns", [4_000, pytest.param(33_333, marks=pytest.mark.slow)])
def test_a_long_chain(turns: int) -> None:
    """Up to 100,000 gates, in functions that Python can compile."""
    x, a, b = Value(0.5), Value(1.01), Value(0.01)

    def f() -> Any:
        v = x
        for _ in range(turns):
            v = (v * a + b).tanh()
        v.backward()
        return v

    run = compile(f)
    expected = [f().data, x.grad, a.grad, b.grad]
    for p in (x, a, b):
        p.grad = None
    run()
    for p in (x, a, b):
        p.grad = None
    assert_same([run().data, x.grad, a.grad, b.grad], expected)


# ------------------------------------------------------------------------------- repeated scalars, which become arrays
def neurons(params: Any, X: Any) -> Any:
    """Four neurons on each row of X, and the mean of what they say: enough alike to be taken together."""
    w, b = params[:12], params[12:]
    rows = [[sum([w[3 * k + i] * x for i, x in enumerate(row)], b[k]).tanh() for k in range(4)] for row in X]
    return sum([sum(row) ** 2 for row in rows]) * (1.0 / len(rows))


def by_hand(i: int, params: Any, optimizer: Any) -> None:
    """What users do between two calls."""
    if i == 1:
        params[0].data = 0.75
    if i == 2:
        for p in params:
            p.grad = 0
    if i == 3:
        for p in params:
            p.data -= 0.1 * p.grad
    if i == 4:
        params[5].requires_grad = False
        optimizer.param_groups[0]["lr"] *= 0.5
    if i == 5:
        params[5].requires_grad = True
        params[7].data, params[8].data = params[8].data, params[7].data


@pytest.mark.parametrize("how", ["step", "zero_grad", "no optimizer", "some", "order"])
def test_scalar_parameters_changed_by_hand_between_calls(how: str) -> None:
    X = np.random.default_rng(1).normal(size=(40, 3))

    def told(wrap: Any, rows: Any) -> list[Any]:
        params = [Value(x) for x in np.random.default_rng(0).normal(size=16)]
        given = params[:7] if how == "some" else params[::-1] if how == "order" else params
        optimizer = optim.SGD(given, lr=0.05, momentum=0.9)

        def step(X: Any) -> Any:
            loss = neurons(params, X)
            if how != "no optimizer":
                optimizer.zero_grad()
            loss.backward()
            if how not in ("no optimizer", "zero_grad"):
                optimizer.step()
            return loss

        run, seen = wrap(step), []
        for i in range(8):
            by_hand(i, params, optimizer)
            loss = run(rows[: 40 if i < 6 else 30])
            seen += [loss.item(), *[p.data for p in params], *[np.nan if p.grad is None else p.grad for p in params]]
        return seen

    assert_same(told(compile, X), told(lambda f: f, X.tolist()))


def test_the_numbers_of_an_optimizer_are_read_where_they_are() -> None:
    """Scalar parameters aren't gathered one by one on each call; and another batch size finds them in order, too."""
    params = [Value(x) for x in np.random.default_rng(0).normal(size=16)]
    optimizer = optim.SGD(params, lr=0.05)

    def step(X: Any) -> Any:
        loss = neurons(params, X)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = compile(step)
    for n in (40, 40, 30, 30):
        run(np.ones((n, 3)))
        assert "read_parameters()" in run.source
        assert "parameters[constant" not in run.source


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("kind", ["array", "scalar"])
def test_two_optimizers_see_what_the_other_does(kind: str, compiled: bool) -> None:
    """They share parameters, which users assign and swap: against plain gradient descent on NumPy arrays."""
    numbers = [np.arange(3.0) + i if kind == "array" else 0.3 + 0.1 * i for i in range(6)]
    params = [Value(np.array(x) if kind == "array" else x) for x in numbers]
    both = [optim.SGD(params, lr=0.1), optim.SGD(params[:4], lr=0.05)]

    def step_of(optimizer: Any) -> Any:
        def step(x: Any) -> None:
            loss = sum([((p * x) ** 2).sum() if kind == "array" else (p * x) ** 2 for p in params])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return compile(step) if compiled else step

    steps = [step_of(optimizer) for optimizer in both]
    for i in range(6):
        for step, rate, n in zip(steps, (0.1, 0.05), (6, 4), strict=True):
            step(0.5 + 0.1 * i)
            numbers[:n] = [x - rate * 2.0 * x * (0.5 + 0.1 * i) ** 2 for x in numbers[:n]]
        if i == 2:
            params[1].data, numbers[1] = params[1].data * 2.0, numbers[1] * 2.0
        if i == 3:
            params[2].data, params[3].data = params[3].data, params[2].data
            numbers[2], numbers[3] = numbers[3], numbers[2]
        np.testing.assert_allclose([p.data for p in params], numbers, rtol=1e-12)
