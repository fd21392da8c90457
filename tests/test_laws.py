"""Laws that hold for every circuit, tried on random ones: measured slopes, PyTorch, linearity, tiling, copies."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

# A random circuit is a list of steps over a growing list of values; each step is smooth wherever it is evaluated.
UNARY = ["tanh", "sigmoid", "square", "negative", "exp_tanh", "log1", "sqrt1", "sum_keep", "softmax", "relu", "abs"]
BINARY = ["add", "subtract", "multiply", "divide1", "power1", "maximum", "minimum"]


class Step(NamedTuple):
    op: str
    left: int
    right: int


class Library(NamedTuple):
    """The names that a circuit is computed with: minigrad's, NumPy's or PyTorch's."""

    exp: Any
    log: Any
    sqrt: Any
    tanh: Any
    sigmoid: Any
    relu: Any
    softmax: Any
    maximum: Any
    minimum: Any
    total: Any  # the sum over everything, in the same shape again


def numpy_softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x))
    return e / e.sum()


def shape(x: Any) -> tuple[int, ...]:
    return tuple(getattr(x, "shape", ()))


MINIGRAD = Library(
    mg.exp,
    mg.log,
    mg.sqrt,
    mg.tanh,
    mg.sigmoid,
    mg.relu,
    lambda x: mg.softmax(x) if shape(x) else 1.0 + 0.0 * x,
    mg.maximum,
    mg.minimum,
    lambda x: mg.sum(x) + 0.0 * x,
)
NUMPY = Library(
    np.exp,
    np.log,
    np.sqrt,
    np.tanh,
    lambda x: 1.0 / (1.0 + np.exp(-x)),
    lambda x: np.maximum(x, 0.0),
    lambda x: numpy_softmax(x) if shape(x) else 1.0 + 0.0 * x,
    np.maximum,
    np.minimum,
    lambda x: np.sum(x) + 0.0 * x,
)


def apply(lib: Library, step: Step, values: list[Any]) -> Any:
    x, y = values[step.left % len(values)], values[step.right % len(values)]
    match step.op:
        case "tanh" | "sigmoid" | "softmax" | "relu":
            return getattr(lib, step.op)(x)
        case "square":
            return lib.tanh(x) ** 2
        case "negative":
            return -x
        case "exp_tanh":
            return lib.exp(lib.tanh(x))
        case "log1":
            return lib.log(1.0 + x * x)
        case "sqrt1":
            return lib.sqrt(1.0 + x * x)
        case "sum_keep":
            return lib.tanh(lib.total(x))
        case "abs":
            return abs(x)
        case "add":
            return x + y
        case "subtract":
            return x - 0.5 * y
        case "multiply":
            return lib.tanh(x) * y
        case "divide1":
            return x / (1.0 + y * y)
        case "power1":
            return (0.5 + lib.sigmoid(x)) ** lib.tanh(y)
        case "maximum" | "minimum":
            return getattr(lib, step.op)(x, y)
    raise AssertionError(step.op)


def run(lib: Library, steps: list[Step], leaves: list[Any]) -> tuple[Any, list[Any]]:
    """The last value, and all values on the way."""
    values = list(leaves)
    for step in steps:
        values.append(apply(lib, step, values))
    return values[-1], values


steps_of = st.lists(
    st.builds(Step, st.sampled_from(UNARY + BINARY), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12
)
numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
scalars = st.lists(numbers, min_size=2, max_size=3)
vectors = st.lists(st.lists(numbers, min_size=3, max_size=3).map(np.array), min_size=2, max_size=3)
WEIGHTS = np.array([0.3, 1.1, -0.7])


def away_from_kinks(steps: list[Step], leaves: list[Any], margin: float = 2e-3) -> bool:
    """No relu or abs near 0, no maximum of nearly equal numbers, nothing huge."""
    _, values = run(NUMPY, steps, leaves)
    if not all(np.all(np.isfinite(v)) and np.all(np.abs(v) < 50.0) for v in values):
        return False
    before = len(leaves)
    for i, step in enumerate(steps):
        known = values[: before + i]
        x, y = known[step.left % len(known)], known[step.right % len(known)]
        gap = {"relu": x, "abs": x, "maximum": x - y, "minimum": x - y}.get(step.op, 1.0)
        if np.any(np.abs(gap) < margin * 10.0):
            return False
    return True


def weigh(out: Any) -> Any:
    """One number, with a weight for each place: the sum of a softmax would be constant."""
    return (out * WEIGHTS).sum() if shape(out) else out


@given(steps_of, scalars)
def test_scalar_circuits_have_the_measured_slopes(
    finite_differences: Any, steps: list[Step], leaves: list[Any]
) -> None:
    assume(away_from_kinks(steps, leaves))
    xs = [mg.Value(x) for x in leaves]
    out = run(MINIGRAD, steps, xs)[0]
    assert type(out.data) is float
    out.backward()
    measured = finite_differences(lambda *v: run(NUMPY, steps, list(v))[0], leaves)
    for x, slope in zip(xs, measured, strict=True):
        assert (0.0 if x.grad is None else x.grad) == pytest.approx(slope, rel=1e-6, abs=1e-7)


@given(steps_of, vectors)
def test_array_circuits_have_the_measured_slopes(finite_differences: Any, steps: list[Step], leaves: list[Any]) -> None:
    assume(away_from_kinks(steps, leaves))
    xs = [mg.Value(x) for x in leaves]
    weigh(run(MINIGRAD, steps, xs)[0]).backward()
    measured = finite_differences(lambda *v: (run(NUMPY, steps, list(v))[0] * WEIGHTS).sum(), leaves)
    for x, slope in zip(xs, measured, strict=True):
        np.testing.assert_allclose(np.zeros(3) if x.grad is None else x.grad, slope, rtol=1e-6, atol=1e-7)


@given(steps_of, scalars)
def test_second_derivatives_are_the_slopes_of_the_first(
    finite_differences: Any, steps: list[Step], leaves: list[Any]
) -> None:
    assume(away_from_kinks(steps, leaves))
    first = mg.grad(lambda *v: run(MINIGRAD, steps, list(v))[0])
    assume(abs(first(*leaves)) < 1e3)
    second = mg.grad(first, argnums=tuple(range(len(leaves))))(*leaves)
    measured = finite_differences(first, leaves)
    assert list(second) == pytest.approx(measured, rel=1e-5, abs=1e-6)


@given(steps_of, vectors)
def test_a_scalar_is_an_array_of_one(steps: list[Step], leaves: list[Any]) -> None:
    """The scalar path (Python floats, locals on the forward pass) and the array path are one engine."""
    assume("softmax" not in {s.op for s in steps})
    answers = []
    for form in (float, np.asarray, np.atleast_1d):
        xs = [mg.Value(form(x[0])) for x in leaves]
        out = run(MINIGRAD, steps, xs)[0]
        if not out.requires_grad:
            return
        out.backward()
        answers.append([out.item(), *(0.0 if x.grad is None else float(np.sum(x.grad)) for x in xs)])
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-9, atol=1e-12)


@pytest.mark.oracle
@given(steps_of, vectors)
def test_circuits_have_pytorchs_gradients(steps: list[Step], leaves: list[Any]) -> None:
    torch = pytest.importorskip("torch")
    lib = Library(
        torch.exp, torch.log, torch.sqrt, torch.tanh, torch.sigmoid, torch.relu,
        lambda x: torch.softmax(x, -1), torch.maximum, torch.minimum, lambda x: x.sum() + 0.0 * x,
    )  # fmt: skip
    ours = [mg.Value(x) for x in leaves]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in leaves]
    out, expected = run(MINIGRAD, steps, ours)[0], run(lib, steps, theirs)[0]
    np.testing.assert_allclose(out.data, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    out.backward(WEIGHTS)
    expected.backward(torch.tensor(WEIGHTS))
    for x, y in zip(ours, theirs, strict=True):
        assert (x.grad is None) == (y.grad is None)
        if x.grad is not None:
            np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-9, atol=1e-11)


upstreams = st.lists(st.integers(-8, 8), min_size=3, max_size=3).map(lambda u: np.array(u, dtype=float))


@given(steps_of, vectors, upstreams, upstreams, st.sampled_from([-2.0, 0.5, 4.0]))
def test_backward_is_linear_in_the_upstream(steps: list[Step], leaves: list[Any], u: Any, v: Any, scale: float) -> None:
    """pull(scale·u + v) = scale·pull(u) + pull(v)."""

    def pulled(upstream: Any) -> list[Any]:
        xs = [mg.Value(x) for x in leaves]
        run(MINIGRAD, steps, xs)[0].backward(upstream)
        return [np.zeros(3) if x.grad is None else x.grad for x in xs]

    for both, a, b in zip(pulled(scale * u + v), pulled(u), pulled(v), strict=True):
        np.testing.assert_allclose(both, scale * a + b, rtol=1e-9, atol=1e-9)


@given(steps_of, vectors)
def test_a_second_pass_doubles_and_a_copy_agrees(steps: list[Step], leaves: list[Any]) -> None:
    xs = [mg.Value(x) for x in leaves]
    out = weigh(run(MINIGRAD, steps, xs)[0])
    twin, *copies = copy.deepcopy([out, *xs])
    out.backward()
    once = [x.grad for x in xs]
    out.backward()
    twin.backward()
    for x, first, other in zip(xs, once, copies, strict=True):
        if first is None:
            assert x.grad is None
            assert other.grad is None
        else:
            np.testing.assert_array_equal(x.grad, 2.0 * first)
            np.testing.assert_array_equal(other.grad, first)


@given(steps_of, vectors)
def test_the_recorded_pass_agrees_with_the_raw_pass(steps: list[Step], leaves: list[Any]) -> None:
    xs = [mg.Value(x) for x in leaves]
    weigh(run(MINIGRAD, steps, xs)[0]).backward()
    recorded = mg.grad(lambda *v: weigh(run(MINIGRAD, steps, list(v))[0]), argnums=tuple(range(len(xs))))
    for x, value, raw in zip(xs, recorded(*map(mg.Value, leaves)), recorded(*leaves), strict=True):
        expected = np.zeros(3) if x.grad is None else x.grad
        np.testing.assert_allclose(value.data, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(raw, expected)


@st.composite
def broadcastable(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    full = draw(st.lists(st.integers(1, 3), min_size=0, max_size=3))

    def shrunk() -> tuple[int, ...]:
        shape = [n if draw(st.booleans()) else 1 for n in full]
        return tuple(shape[draw(st.integers(0, len(shape))) :])

    return shrunk(), shrunk()


@given(broadcastable(), st.sampled_from(["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]))
def test_broadcasting_equals_explicit_tiling(shapes: Any, name: str) -> None:
    rng = np.random.default_rng(5)
    full = np.broadcast_shapes(*shapes)
    arrays = [rng.uniform(0.5, 2.0, shape) for shape in shapes]
    upstream = rng.normal(size=full)
    gate = mg.gates.REGISTRY[name]
    small = [mg.Value(x) for x in arrays]
    tiled = [mg.Value(np.array(np.broadcast_to(x, full))) for x in arrays]
    out, wide = gate(*small), gate(*tiled)
    assert out.shape == full
    np.testing.assert_array_equal(out.data, wide.data)
    out.backward(upstream)
    wide.backward(upstream)
    for x, y in zip(small, tiled, strict=True):
        extra = len(full) - x.ndim
        axes = (*range(extra), *(i + extra for i, n in enumerate(x.shape) if n == 1))
        assert np.shape(x.grad) == x.shape
        np.testing.assert_allclose(x.grad, np.sum(y.grad, axis=axes).reshape(x.shape), rtol=1e-12, atol=1e-13)


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
