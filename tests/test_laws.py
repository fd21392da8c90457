"""Laws that hold for every circuit and every gate, tried on random ones that Hypothesis draws.

Random circuits are compared with measured slopes and with PyTorch; beside that stand the laws of the calculus: a pull
is linear and the transpose of the push, Hessians are symmetric, composed functions follow the chain rule in its closed
form, and broadcasting is tiling.
"""

from __future__ import annotations

import copy
import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad.gates.registry import Call
from minigrad.tree import tree_leaves, tree_map

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import assume, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402


# ------------------------------------------------------------------------------------------------------ random circuits
class Step(NamedTuple):
    """One gate or a few of a circuit: `left` and `right` count back from the newest value, all over again if too far.

    So a value may feed many steps, or one step twice.
    """

    op: str
    left: int
    right: int


FULL = (2, 3)  # every value's shape broadcasts to this one
SHAPES = [(), (1,), (3,), (2, 1), (1, 3), (2, 3)]
CONSTANTS = [2, -0.5, True, np.array([1, 0, -1]), np.array([[True], [False]]), np.array([[0.5, -1.0, 2.0]] * 2)]
MIX = np.array([[0.5, -1.0, 0.2], [0.3, 0.8, -0.6], [-0.4, 0.1, 0.9]])
MASK = np.array([[True, False, True], [False, False, True]])
WEIGHTS = np.array([[0.3, 1.1, -0.7], [-0.2, 0.5, 0.9]])  # for each place: the sum of a softmax would be constant

UNARY = ["tanh", "sigmoid", "square", "negative", "exp", "log", "sqrt", "total", "relu", "abs"]
BINARY = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "constant_left", "constant_right"]
ARRAYS = [
    "mean_rows", "sum_columns", "logsumexp", "softmax", "matmul", "gram", "repeated_rows", "columns", "where",
    "concatenate", "stack", "reshape", "cumsum", "split",
]  # fmt: skip
NUMPY = SimpleNamespace(
    **{name: getattr(np, name) for name in (
        "tanh", "exp", "log", "sqrt", "maximum", "minimum", "sum", "mean", "where", "concatenate", "stack",
        "broadcast_to", "cumsum", "reshape", "split",
    )},
    sigmoid=lambda x: 1.0 / (1.0 + np.exp(-x)),
    relu=lambda x: np.maximum(x, 0.0),
    softmax=lambda x, axis: np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True),
    logsumexp=lambda x, axis, keepdims: np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)),
)  # fmt: skip


def constant(lib: Any, number: Any) -> Any:
    """As the library takes it; minigrad and NumPy take it as it is."""
    return number if lib in (mg, NUMPY) else lib.as_tensor(number, dtype=None if number is MASK else lib.float64)


def apply(lib: Any, step: Step, values: list[Any]) -> Any:
    """The next value of a circuit, by the functions of `lib`: minigrad, NumPy or PyTorch.  Nothing grows large."""
    x, y = [values[-1 - i % len(values)] for i in (step.left, step.right)]
    match step.op:
        case "tanh" | "sigmoid" | "relu":
            return getattr(lib, step.op)(x)
        case "square":
            return lib.tanh(x) ** 2
        case "negative":
            return -x
        case "exp":
            return lib.exp(lib.tanh(x))
        case "log":
            return lib.log(1.0 + x * x)
        case "sqrt":
            return lib.sqrt(1.0 + x * x)
        case "total":
            return lib.tanh(lib.sum(x))
        case "abs":
            return abs(x)
        case "add":
            return x + y
        case "subtract":
            return x - 0.5 * y
        case "multiply":
            return lib.tanh(x) * y
        case "divide":
            return x / (1.0 + y * y)
        case "power":
            return (0.5 + lib.sigmoid(x)) ** lib.tanh(y)
        case "maximum" | "minimum":
            return getattr(lib, step.op)(x, y)
        case "constant_left" | "constant_right":
            c = constant(lib, CONSTANTS[step.right % len(CONSTANTS)])
            pair = (c, x) if step.op == "constant_left" else (x, c)
            kind = step.right // len(CONSTANTS) % 3
            return pair[0] * pair[1] if kind == 0 else pair[0] + pair[1] if kind == 1 else pair[0] - pair[1]
    wide, other = lib.broadcast_to(x, FULL), lib.broadcast_to(y, FULL)
    match step.op:
        case "mean_rows":
            return lib.mean(wide, axis=0, keepdims=True)
        case "sum_columns":
            return lib.tanh(lib.sum(wide, axis=-1, keepdims=True))
        case "logsumexp":
            return lib.logsumexp(lib.tanh(wide), axis=-1, keepdims=True)
        case "softmax":
            return lib.softmax(lib.tanh(wide), axis=-1)
        case "matmul":
            return wide @ constant(lib, MIX)
        case "gram":
            return lib.tanh(wide) @ lib.tanh(other).T @ lib.tanh(wide)
        case "repeated_rows":
            return wide[[1, 1]]
        case "columns":
            return wide[:, [2, 0, 0]]
        case "where":
            return lib.where(constant(lib, MASK), wide, other)
        case "concatenate":
            return lib.concatenate([wide, other], axis=1)[:, 1:4]
        case "stack":
            return lib.mean(lib.stack([wide, other]), axis=0)
        case "reshape":
            return lib.reshape(wide, (3, 2)).T
        case "cumsum":
            return lib.cumsum(lib.tanh(wide), axis=1)
        case "split":  # the middle column is not used
            first, _, last = lib.split(wide, 3 if lib in (mg, NUMPY) else 1, 1)  # so many parts; PyTorch: so long
            return lib.tanh(first) * last - first
    raise AssertionError(step.op)


def run(lib: Any, steps: list[Step], leaves: Any) -> tuple[Any, list[Any]]:
    """The last value, and all values on the way."""
    values = list(leaves)
    for step in steps:
        values.append(apply(lib, step, values))
    return values[-1], values


def steps_of(ops: list[str]) -> Any:
    places = st.integers(0, 20)
    return st.lists(st.builds(Step, st.sampled_from(ops), places, places), min_size=1, max_size=12)


numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))


def arrays(shape: tuple[int, ...]) -> Any:
    size = math.prod(shape)
    return st.lists(numbers, min_size=size, max_size=size).map(
        lambda xs: np.array(xs).reshape(shape) if shape else xs[0]
    )


scalar_circuits = st.tuples(steps_of(UNARY + BINARY[:-2]), st.lists(numbers, min_size=2, max_size=3))
mixed_leaves = st.lists(st.sampled_from(SHAPES).flatmap(arrays), min_size=2, max_size=4)
mixed_circuits = st.tuples(steps_of(UNARY + BINARY + ARRAYS), mixed_leaves)


def smooth(circuit: Any, margin: float = 0.02) -> bool:
    """No relu or abs near 0, no maximum of nearly equal numbers, nothing huge."""
    steps, leaves = circuit
    _, values = run(NUMPY, steps, leaves)
    if not all(np.all(np.isfinite(v)) and np.all(np.abs(v) < 50.0) for v in values):
        return False
    for i, step in enumerate(steps):
        known = values[: len(leaves) + i]
        x, y = [known[-1 - k % len(known)] for k in (step.left, step.right)]
        gap = {"relu": x, "abs": x}.get(step.op, x - y if step.op in ("maximum", "minimum") else 1.0)
        if np.any(np.abs(gap) < margin):
            return False
    return True


def has_exponent_zero(circuit: Any) -> bool:
    """There PyTorch's second derivatives of a power are wrong: its slope to the base is masked, not 0 · x^-1."""
    steps, leaves = circuit
    values = run(NUMPY, steps, leaves)[1]
    exponents = [
        values[: len(leaves) + i][-1 - s.right % (len(leaves) + i)] for i, s in enumerate(steps) if s.op == "power"
    ]
    return any(np.any(np.equal(x, 0.0)) for x in exponents)


def weigh(out: Any, lib: Any = mg) -> Any:
    """One number of all."""
    return lib.sum(out * constant(lib, WEIGHTS))


def loss_of(circuit: Any) -> Any:
    """The circuit as a function of the list of its leaves."""
    return lambda leaves: weigh(run(mg, circuit[0], leaves)[0])


def zero_for_none(x: mg.Value) -> Any:
    return np.zeros(x.shape) if x.grad is None else x.grad


def dot(a: Any, b: Any) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True)))


def drawn_like(tree: Any, seed: int) -> Any:
    """Random numbers in the structure of `tree`."""
    rng = np.random.default_rng(seed)
    return tree_map(lambda x: rng.normal(size=np.shape(x)) if np.shape(x) else float(rng.normal()), tree)


def combined(a: float, u: Any, b: float, v: Any) -> Any:
    """a u + b v, in the structure of both."""
    sums = iter([a * x + b * y for x, y in zip(tree_leaves(u), tree_leaves(v), strict=True)])
    return tree_map(lambda _: next(sums), u)


seeds = st.integers(0, 1000)


@given(scalar_circuits)
def test_scalar_circuits_have_the_measured_slopes(finite_differences: Any, circuit: Any) -> None:
    assume(smooth(circuit))
    steps, leaves = circuit
    xs = [mg.Value(x) for x in leaves]
    out = run(mg, steps, xs)[0]
    assert type(out.data) is float
    out.backward()
    measured = finite_differences(lambda *v: run(NUMPY, steps, v)[0], leaves)
    for x, slope in zip(xs, measured, strict=True):
        assert zero_for_none(x) == pytest.approx(slope, rel=1e-6, abs=1e-7)


@given(mixed_circuits)
@settings(max_examples=150)
def test_circuits_have_the_measured_slopes(finite_differences: Any, circuit: Any) -> None:
    assume(smooth(circuit))
    steps, leaves = circuit
    xs = [mg.Value(x) for x in leaves]
    out = weigh(run(mg, steps, xs)[0])
    assert out.item() == pytest.approx(weigh(run(NUMPY, steps, leaves)[0], NUMPY), rel=1e-12, abs=1e-12)
    out.backward()
    measured = finite_differences(lambda *v: weigh(run(NUMPY, steps, v)[0], NUMPY), leaves)
    for x, slope in zip(xs, measured, strict=True):
        assert type(zero_for_none(x)) is type(x.data) or x.grad is None
        np.testing.assert_allclose(zero_for_none(x), slope, rtol=1e-6, atol=1e-7)


@given(mixed_circuits, seeds)
@settings(max_examples=150)
def test_second_derivatives_are_the_slopes_of_the_first(circuit: Any, seed: int) -> None:
    """The Hessian times a direction, against the difference of gradients a small step apart along it."""
    assume(smooth(circuit))
    slope, leaves, d, h = mg.grad(loss_of(circuit)), circuit[1], drawn_like(circuit[1], seed), 1e-4
    assume(all(np.all(np.abs(g) < 1e3) for g in slope(leaves)))
    ends = [slope([x + step * t for x, t in zip(leaves, d, strict=True)]) for step in (h, -h, 2 * h, -2 * h)]
    for bend, a, b, c, e in zip(mg.hvp(loss_of(circuit), leaves, d), *ends, strict=True):
        np.testing.assert_allclose(bend, (8.0 * (a - b) - (c - e)) / (12.0 * h), rtol=1e-5, atol=1e-6)


@pytest.mark.oracle
@given(mixed_circuits, seeds)
@settings(max_examples=150)
def test_circuits_have_pytorchs_gradients(circuit: Any, seed: int) -> None:
    """Kinks included: ties share as in PyTorch."""
    torch = pytest.importorskip("torch")
    steps, leaves = circuit
    ours = [mg.Value(x) for x in leaves]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in leaves]
    out, expected = run(mg, steps, ours)[0], run(torch, steps, theirs)[0]
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    upstream = drawn_like(out.data, seed)
    out.backward(upstream)
    expected.backward(torch.tensor(upstream, dtype=torch.float64))
    for x, y in zip(ours, theirs, strict=True):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.oracle
@given(mixed_circuits, seeds)
@settings(max_examples=150)
def test_circuits_have_pytorchs_second_derivatives(circuit: Any, seed: int) -> None:
    torch = pytest.importorskip("torch")
    assume(smooth(circuit) and not has_exponent_zero(circuit))
    steps, leaves = circuit
    d = drawn_like(leaves, seed)
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in leaves]
    first = torch.autograd.grad(
        weigh(run(torch, steps, theirs)[0], torch), theirs, create_graph=True, allow_unused=True, materialize_grads=True
    )
    along = sum((g * torch.tensor(t, dtype=torch.float64)).sum() for g, t in zip(first, d, strict=True))
    expected: Any = [torch.zeros_like(x) for x in theirs]
    if along.requires_grad:
        expected = torch.autograd.grad(along, theirs, allow_unused=True, materialize_grads=True)
    for bend, theirs_bend in zip(mg.hvp(loss_of(circuit), leaves, d), expected, strict=True):
        np.testing.assert_allclose(bend, theirs_bend.numpy(force=True), rtol=1e-8, atol=1e-10)


# ------------------------------------------------------------------------------------------- laws of the linear algebra
@given(mixed_circuits, seeds, seeds, st.sampled_from([-2.0, 0.5, 4.0]))
def test_pulling_is_linear(circuit: Any, one: int, two: int, scale: float) -> None:
    """pull(scale·u + v) = scale·pull(u) + pull(v)."""
    steps, leaves = circuit
    out, pull = mg.vjp(lambda xs: run(mg, steps, xs)[0], leaves)
    u, v = drawn_like(out, one), drawn_like(out, two)
    for both, a, b in zip(pull(combined(scale, u, 1.0, v))[0], pull(u)[0], pull(v)[0], strict=True):
        np.testing.assert_allclose(both, scale * a + b, rtol=1e-9, atol=1e-9)


@given(mixed_circuits, seeds)
@settings(max_examples=150)
def test_pushing_is_the_transpose_of_pulling(circuit: Any, seed: int) -> None:
    """<v, J u> = <Jᵀ v, u>, of the last value and of all values on the way at once."""
    steps, leaves = circuit
    for f in (lambda xs: run(mg, steps, xs)[0], lambda xs: run(mg, steps, xs)[1]):
        u = drawn_like(leaves, seed)
        out, pushed = mg.jvp(f, (leaves,), (u,))
        v = drawn_like(out, seed + 1)
        (pulled,) = mg.vjp(f, leaves)[1](v)
        size = dot(tree_map(np.abs, v), tree_map(np.abs, pushed))
        assert dot(v, pushed) == pytest.approx(dot(pulled, u), rel=1e-9, abs=1e-9 * (1.0 + size))


@given(mixed_circuits, seeds)
@settings(max_examples=150)
def test_hessians_are_symmetric(circuit: Any, seed: int) -> None:
    """<v, H u> = <H v, u>, where the circuit has no kink."""
    assume(smooth(circuit))
    loss, leaves = loss_of(circuit), circuit[1]
    u, v = drawn_like(leaves, seed), drawn_like(leaves, seed + 1)
    bent = mg.hvp(loss, leaves, u)
    size = dot(tree_map(np.abs, v), tree_map(np.abs, bent))
    assert dot(v, bent) == pytest.approx(dot(mg.hvp(loss, leaves, v), u), rel=1e-8, abs=1e-9 * (1.0 + size))


GATES = [name for name, gate in mg.gates.REGISTRY.items() if gate.differentiable]


@st.composite
def gate_calls(draw: Any) -> tuple[str, Any, list[Any]]:
    """A gate's name, the gate as a function of its float inputs, and such inputs: drawn from the gate's own domain."""
    name = draw(st.sampled_from(GATES))
    gate, rng = mg.gates.REGISTRY[name], np.random.default_rng(draw(seeds))
    if isinstance(gate.domain[0], Call):
        how = draw(st.sampled_from(gate.domain))
        inputs = [rng.uniform(how.low, how.high, x) if isinstance(x, tuple) else x for x in how.shapes]
        params = how.params
    else:
        shape = draw(st.sampled_from(SHAPES))
        inputs, params = [rng.uniform(low, high, shape) for low, high in gate.domain], {}
    inputs = [x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in inputs]
    moving = [i for i, x in enumerate(inputs) if isinstance(x, float) or getattr(x, "dtype", None) == np.float64]

    def f(xs: Any) -> Any:
        full = list(inputs)
        for i, x in zip(moving, xs, strict=True):
            full[i] = x
        return gate(full, **params) if gate.arity is None else gate(*full, **params)

    return name, f, [inputs[i] for i in moving]


@given(gate_calls(), seeds)
@settings(max_examples=300)
def test_every_gate_pulls_linearly_and_pushes_the_transpose(call: Any, seed: int) -> None:
    name, f, inputs = call
    out, pull = mg.vjp(f, inputs)
    t, u, v = drawn_like(inputs, seed), drawn_like(out, seed + 1), drawn_like(out, seed + 2)
    pushed = mg.jvp(f, (inputs,), (t,))[1]
    of_u, of_v = pull(u)[0], pull(v)[0]
    size = 1.0 + dot(tree_map(np.abs, of_u), tree_map(np.abs, t))
    assert dot(u, pushed) == pytest.approx(dot(of_u, t), rel=1e-9, abs=1e-10 * size), name
    for got, a, b in zip(pull(combined(0.5, u, -3.0, v))[0], of_u, of_v, strict=True):
        np.testing.assert_allclose(got, 0.5 * a - 3.0 * b, rtol=1e-9, atol=1e-9 * size, err_msg=name)


def assert_jacobian_holds_every_push(f: Any, inputs: list[Any], seed: int, name: str = "") -> None:
    """J t, summed block by block, is what `jvp` gives."""
    t = drawn_like(inputs, seed)
    pushed = mg.jvp(f, (inputs,), (t,))[1]
    blocks = iter(tree_leaves(mg.jacobian(f)(inputs)))
    for moved in tree_leaves(pushed):
        total, size = np.zeros(np.shape(moved)), 1.0
        for x in t:
            block = np.asarray(next(blocks))
            assert block.shape == np.shape(moved) + np.shape(x), name
            total = total + np.tensordot(block, x, axes=np.ndim(x))
            size += np.abs(block).max(initial=0.0)
        np.testing.assert_allclose(total, moved, rtol=1e-9, atol=1e-10 * size, err_msg=name)


@given(mixed_circuits, seeds)
def test_a_jacobian_holds_every_push_and_a_hessian_every_bend(circuit: Any, seed: int) -> None:
    steps, leaves = circuit
    assert_jacobian_holds_every_push(lambda xs: run(mg, steps, xs)[0], leaves, seed)
    assert_jacobian_holds_every_push(mg.grad(loss_of(circuit)), leaves, seed)


@given(gate_calls(), seeds)
@settings(max_examples=200)
def test_every_gates_jacobian_holds_every_push(call: Any, seed: int) -> None:
    name, f, inputs = call
    assert_jacobian_holds_every_push(f, inputs, seed, name)


# Circuits of the catalogue's elementwise gates, each fed with numbers from its own domain.
ELEMENTWISE = [
    name for name in GATES
    if (gate := mg.gates.REGISTRY[name]).elementwise and gate.arity and not isinstance(gate.domain[0], Call)
]  # fmt: skip
catalogue_steps = st.lists(
    st.builds(Step, st.sampled_from(ELEMENTWISE), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=6
)


def compose(steps: list[Step], leaves: Any) -> Any:
    values = list(leaves)
    for step in steps:
        gate = mg.gates.REGISTRY[step.op]
        wires = [values[-1 - i % len(values)] for i in (step.left, step.right)][: gate.arity]
        ranges = zip(gate.domain, wires, strict=True)
        values.append(gate(*[low + (high - low) * mg.sigmoid(x) for (low, high), x in ranges]))
    return values[-1]


@given(catalogue_steps, mixed_leaves, seeds)
@settings(max_examples=200)
def test_compositions_of_gates_push_the_transpose_and_bend_symmetrically(
    steps: list[Step], leaves: Any, seed: int
) -> None:
    """<v, J u> = <Jᵀ v, u>, and <v, H u> = <H v, u>."""
    f = lambda xs: compose(steps, xs)  # noqa: E731
    total = lambda xs: mg.sum(compose(steps, xs) * WEIGHTS)  # noqa: E731
    u, v = drawn_like(leaves, seed), drawn_like(leaves, seed + 1)
    out, pushed = mg.jvp(f, (leaves,), (u,))
    assume(all(np.all(np.abs(x) < 1e4) for x in (out, pushed)))
    upstream = drawn_like(out, seed + 2)
    size = 1.0 + dot(np.abs(upstream), np.abs(pushed))
    assert dot(upstream, pushed) == pytest.approx(dot(mg.vjp(f, leaves)[1](upstream)[0], u), rel=1e-9, abs=1e-10 * size)
    bent, turned = mg.hvp(total, leaves, u), mg.hvp(total, leaves, v)
    size = 1.0 + dot(tree_map(np.abs, v), tree_map(np.abs, bent))
    assert dot(v, bent) == pytest.approx(dot(turned, u), rel=1e-8, abs=1e-9 * size)


# ------------------------------------------------------------------------------------------------------- the chain rule
# Each link of a chain: by minigrad, and in closed form by NumPy: its value, slope and second derivative.
LINKS: dict[str, tuple[Any, Any, Any, Any]] = {
    "sin": (mg.sin, np.sin, np.cos, lambda x: -np.sin(x)),
    "tanh": (mg.tanh, np.tanh, lambda x: np.cosh(x) ** -2.0, lambda x: -2.0 * np.tanh(x) * np.cosh(x) ** -2.0),
    "square": (mg.square, lambda x: x * x, lambda x: 2.0 * x, lambda x: 2.0 + 0.0 * x),
    "exp": (lambda x: mg.exp(-x), lambda x: np.exp(-x), lambda x: -np.exp(-x), lambda x: np.exp(-x)),
    "arctan": (mg.arctan, np.arctan, lambda x: 1.0 / (1.0 + x * x), lambda x: -2.0 * x / (1.0 + x * x) ** 2),
    "reciprocal": (
        lambda x: 1.0 / (3.0 + mg.sin(x)),
        lambda x: 1.0 / (3.0 + np.sin(x)),
        lambda x: -np.cos(x) / (3.0 + np.sin(x)) ** 2,
        lambda x: (np.sin(x) * (3.0 + np.sin(x)) + 2.0 * np.cos(x) ** 2) / (3.0 + np.sin(x)) ** 3,
    ),
}


@given(st.lists(st.sampled_from(sorted(LINKS)), min_size=1, max_size=6), st.sampled_from(SHAPES).flatmap(arrays))
def test_a_chain_has_the_product_of_its_links_slopes(names: list[str], x: Any) -> None:
    """(f ∘ g)' = (f' ∘ g) g', and (f ∘ g)'' = (f'' ∘ g) g'² + (f' ∘ g) g''."""
    value, first, second = x, 1.0, 0.0
    for name in names:
        _, f, slope, bend = LINKS[name]
        first, second = slope(value) * first, bend(value) * first**2 + slope(value) * second
        value = f(value)
    assume(np.all(np.abs(value) < 1e6) and np.all(np.abs(second) < 1e6))

    def chain(x: Any) -> Any:
        for name in names:
            x = LINKS[name][0](x)
        return x

    got = mg.grad(lambda x: mg.sum(chain(x)))
    np.testing.assert_allclose(chain(x), value, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got(x), first + 0.0 * x, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(mg.grad(lambda x: mg.sum(got(x)))(x), second + 0.0 * x, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(mg.jvp(chain, (x,), (x,))[1], first * x, rtol=1e-9, atol=1e-10)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), seeds)
def test_the_jacobian_of_a_composition_is_the_product_of_jacobians(n: int, m: int, k: int, seed: int) -> None:
    """J(f ∘ g) = J(f) J(g); for layers tanh(A x) in closed form diag(1 - tanh²) A."""
    rng = np.random.default_rng(seed)
    A, B, x = rng.normal(size=(m, n)), rng.normal(size=(k, m)), rng.normal(size=n)
    inner, outer = (lambda x: mg.tanh(A @ x)), (lambda y: mg.tanh(B @ y))
    whole, hidden = mg.jacobian(lambda x: outer(inner(x)))(x), np.tanh(A @ x)
    np.testing.assert_allclose(whole, mg.jacobian(outer)(hidden) @ mg.jacobian(inner)(x), rtol=1e-10, atol=1e-12)
    closed = (1.0 - np.tanh(B @ hidden) ** 2)[:, None] * B @ ((1.0 - hidden**2)[:, None] * A)
    np.testing.assert_allclose(whole, closed, rtol=1e-9, atol=1e-12)


# --------------------------------------------------------------------------------------------------------- broadcasting
def wires_of(gate: mg.Gate) -> list[Any]:
    """A range per wire, "mask" for a mask; none for a gate whose wires don't broadcast with each other."""
    if gate.name in ("where", "select"):
        return ["mask", (-2.0, 2.0), (-2.0, 2.0)][: gate.arity]
    if isinstance(gate.domain[0], Call):
        return [(-2.0, 2.0)] * (gate.arity or 0) if gate.name in ("hinge", "lerp") else []
    return list(gate.domain)


BROADCASTING = [
    name for name, gate in mg.gates.REGISTRY.items()
    if gate.differentiable and gate.elementwise and len(wires_of(gate)) > 1
]  # fmt: skip


@st.composite
def broadcastable(draw: Any, n: int) -> list[tuple[int, ...]]:
    full = draw(st.lists(st.integers(0, 3), min_size=0, max_size=3))

    def shrunk() -> tuple[int, ...]:
        shape = [size if draw(st.booleans()) else 1 for size in full]
        return tuple(shape[draw(st.integers(0, len(shape))) :])

    return [shrunk() for _ in range(n)]


def untiled(x: Any, shape: tuple[int, ...]) -> Any:
    """The sum over the tiles."""
    extra = np.ndim(x) - len(shape)
    axes = (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1))
    return np.sum(x, axis=axes).reshape(shape)


@pytest.mark.parametrize("name", BROADCASTING)
@given(data=st.data(), seed=seeds)
@settings(max_examples=20)
def test_broadcasting_equals_explicit_tiling(name: str, data: Any, seed: int) -> None:
    """Values, gradients and second derivatives are those of inputs tiled by hand, summed over the tiles."""
    gate, rng = mg.gates.REGISTRY[name], np.random.default_rng(seed)
    shapes = data.draw(broadcastable(len(wires_of(gate))))
    full = np.broadcast_shapes(*shapes)
    small = [
        rng.random(shape) < 0.5 if wire == "mask" else rng.uniform(*wire, shape)
        for wire, shape in zip(wires_of(gate), shapes, strict=True)
    ]
    small = [np.asarray(x) for x in small]
    upstream, moving = rng.normal(size=full), [i for i, x in enumerate(small) if x.dtype != bool]

    def tile(x: Any) -> Any:
        return np.array(np.broadcast_to(x, full))

    def loss(inputs: list[Any]) -> Any:
        def f(xs: Any) -> Any:
            wires = list(inputs)
            for i, x in zip(moving, xs, strict=True):
                wires[i] = x
            return mg.sum(gate(*wires) * upstream)

        return f

    tiled, d = [tile(x) for x in small], [rng.normal(size=np.shape(small[i])) for i in moving]
    np.testing.assert_array_equal(gate(*map(constant_or_value, small)).data, gate(*map(constant_or_value, tiled)).data)
    xs, wide = [small[i] for i in moving], [tiled[i] for i in moving]
    for near, far in (
        (mg.grad(loss(small))(xs), mg.grad(loss(tiled))(wide)),
        (mg.hvp(loss(small), xs, d), mg.hvp(loss(tiled), wide, [tile(t) for t in d])),
    ):
        for x, ours, expected in zip(xs, near, far, strict=True):
            assert np.shape(ours) == x.shape
            np.testing.assert_allclose(ours, untiled(expected, x.shape), rtol=1e-11, atol=1e-11)


def constant_or_value(x: Any) -> Any:
    return x if x.dtype == bool else mg.Value(x)


# -------------------------------------------------------------------------------------------------- laws of the engine
@given(scalar_circuits)
def test_a_scalar_is_an_array_of_one(circuit: Any) -> None:
    """The scalar path (Python floats, locals on the forward pass) and the array path are one engine."""
    steps, leaves = circuit
    answers = []
    for form in (float, np.asarray, np.atleast_1d):
        xs = [mg.Value(form(x)) for x in leaves]
        out = run(mg, steps, xs)[0]
        out.backward()
        answers.append([out.item(), *(float(np.sum(zero_for_none(x))) for x in xs)])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-9, atol=1e-12)


WITHOUT_FLOAT64 = [op for op in UNARY + BINARY + ARRAYS if op not in ("constant_left", "constant_right", "matmul")]


@given(steps_of(WITHOUT_FLOAT64), mixed_leaves, seeds)
def test_float32_stays_float32(steps: list[Step], leaves: Any, seed: int) -> None:
    """Every value, every gradient and every second derivative; and they are those of float64, rounded."""
    circuit = (steps, leaves)
    assume(smooth(circuit))
    xs, d = [mg.Value(np.float32(x)) for x in leaves], drawn_like(leaves, seed)
    _, values = run(mg, steps, xs)
    assert {v.dtype for v in values} == {np.dtype(np.float32)}
    loss = mg.sum(values[-1] * np.float32(WEIGHTS))
    loss.backward()
    assert {v.grad.dtype for v in values if v.grad is not None} <= {np.dtype(np.float32)}
    for x, slope in zip(xs, mg.grad(loss_of(circuit))(leaves), strict=True):
        np.testing.assert_allclose(zero_for_none(x), slope, rtol=1e-3, atol=1e-3)
    loss32 = lambda xs: mg.sum(run(mg, steps, xs)[0] * np.float32(WEIGHTS))  # noqa: E731
    bent = mg.hvp(loss32, [np.float32(x) for x in leaves], [np.float32(t) for t in d])
    assert {np.asarray(x).dtype for x in bent} == {np.dtype(np.float32)}


@given(mixed_circuits)
def test_a_second_pass_doubles_and_a_copy_agrees(circuit: Any) -> None:
    xs = [mg.Value(x) for x in circuit[1]]
    out = loss_of(circuit)(xs)
    twin, *copies = copy.deepcopy([out, *xs])
    out.backward()
    once = [copy.copy(x.grad) for x in xs]
    out.backward()
    twin.backward()
    for x, first, other in zip(xs, once, copies, strict=True):
        if first is None:
            assert x.grad is None
            assert other.grad is None
        else:
            np.testing.assert_array_equal(x.grad, 2.0 * first)
            np.testing.assert_array_equal(other.grad, first)


@given(mixed_circuits)
def test_the_recorded_pass_agrees_with_the_raw_pass(circuit: Any) -> None:
    leaves, slope = circuit[1], mg.grad(loss_of(circuit))
    xs = [mg.Value(x) for x in leaves]
    loss_of(circuit)(xs).backward()
    for x, value, raw in zip(xs, slope([mg.Value(x) for x in leaves]), slope(leaves), strict=True):
        np.testing.assert_allclose(value.data, zero_for_none(x), rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(raw, zero_for_none(x))


@given(mixed_circuits)
def test_constants_leave_the_other_gradients_alone(circuit: Any) -> None:
    """A leaf that is frozen, or a raw number, gets no gradient; the others get what they would have got."""
    leaves, loss = circuit[1], loss_of(circuit)
    xs = [mg.Value(x) for x in leaves]
    loss(xs).backward()
    frozen = [mg.Value(x, requires_grad=i > 0) for i, x in enumerate(leaves)]
    if (out := loss(frozen)).requires_grad:
        out.backward()
    assert frozen[0].grad is None
    for x, other in zip(xs[1:], frozen[1:], strict=True):
        np.testing.assert_allclose(zero_for_none(other), zero_for_none(x), rtol=1e-12, atol=1e-14)


@given(st.lists(st.integers(-3, 2), min_size=1, max_size=6), st.booleans())
def test_repeated_indices_add_up(index: list[int], as_array: bool) -> None:
    x = mg.Value(np.array([1.0, 2.0, 3.0]))
    (x[np.array(index) if as_array else index] * 2.0).sum().backward()
    counts = np.zeros(3)
    for i in index:
        counts[i] += 2.0
    np.testing.assert_array_equal(x.grad, counts)


@given(st.permutations([0, 1, 2]), st.permutations([0, 1, 2]))
def test_transposes_compose(p: list[int], q: list[int]) -> None:
    data = np.arange(24.0).reshape(2, 3, 4)
    x = mg.Value(data)
    out = x.transpose(*p).transpose(*q)
    np.testing.assert_array_equal(out.data, data.transpose(p).transpose(q))
    upstream = np.random.default_rng(0).normal(size=out.shape)
    out.backward(upstream)
    np.testing.assert_array_equal((x.grad.transpose(p).transpose(q)), upstream)
