"""`mg.compile`: what may be passed, in which form, and what comes back: Values, containers, methods, threads."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, nn, optim, viz
from minigrad.errors import AnomalyError, CompileError, GradientError

pytestmark = pytest.mark.filterwarnings("error")  # a function that can't be recorded warns
X, Y = np.random.default_rng(0).normal(size=(2, 5, 3))


def recordings(f: Any) -> int:
    return sum(map(len, f.entries.values()))


# ------------------------------------------------------------------------------------------------------ Values
def test_values_without_gradient_are_arguments_like_arrays() -> None:
    f = compile(lambda x, y: (x * y).sum())
    g = compile(lambda x: x * 2.0)
    for k in (1.0, 2.0, 3.0):
        want = 2.0 * k * np.sum(X * Y)
        assert f(g(k * X), Y).item() == pytest.approx(want)
        assert f(Value(2.0 * k * X, requires_grad=False), Y).item() == pytest.approx(want)
    assert recordings(f) == recordings(g) == 1


def test_a_gradient_goes_to_the_values_that_are_passed() -> None:
    """f calls backward() on its arguments: the same ones, others, and one twice."""

    def f(a: Any, b: Any) -> Any:
        loss = (a * a * b).sum()
        loss.backward()
        return loss

    g = compile(f)
    rng = np.random.default_rng(1)
    shared = Value(rng.normal(size=3))
    pairs = [(shared, shared), (shared, Value(rng.normal(size=3)))]
    pairs += [(Value(rng.normal(size=3)), Value(rng.normal(size=3))) for _ in range(8)]
    for a, b in pairs:
        twins = copy.deepcopy((a, b)) if a is not b else (c := copy.deepcopy(a), c)
        for _ in range(2):  # the second time, gradients accumulate
            assert g(a, b).item() == pytest.approx(f(*twins).item(), rel=1e-13)
            np.testing.assert_allclose(a.grad, twins[0].grad, rtol=1e-13)
            np.testing.assert_allclose(b.grad, twins[1].grad, rtol=1e-13)
    assert recordings(g) <= 9  # not one for every pair


def test_fresh_values_on_every_call_need_few_recordings() -> None:
    f = compile(lambda x, y: x * y + x)
    for k in range(20):
        x, y = Value(float(k)), Value(2.0)
        out = f(x, y)
        assert out.item() == 3.0 * k
        out.backward()
        assert (x.grad, y.grad) == (3.0, float(k))
    assert recordings(f) == 2


ORDERS: list[Any] = [
    lambda w: (w, Value([3.0, 4.0]), Value([5.0, 6.0]), w),
    lambda w: (Value([3.0, 4.0]), w, Value([5.0, 6.0]), w, Value([7.0, 8.0])),
    lambda w: (Value([3.0, 4.0]), Value([5.0, 6.0]), w, Value([7.0, 8.0])),
]


@pytest.mark.parametrize("order", ORDERS)
def test_a_value_that_is_passed_and_used_from_outside_too(order: Any) -> None:
    w = Value([1.0, 2.0])

    def f(v: Any) -> None:
        w.grad = v.grad = None
        (v * v * w).sum().backward()

    g = compile(f)
    for _ in range(3):
        for v in order(w):
            g(v)
            got = np.copy(w.grad), np.copy(v.grad)
            f(v)
            np.testing.assert_array_equal(got[0], w.grad)
            np.testing.assert_array_equal(got[1], v.grad)


def test_parameters_passed_to_a_step() -> None:
    def run(wrap: Any) -> Any:
        w = Value(np.ones((3, 1)))
        optimizer = optim.SGD([w], lr=0.01, momentum=0.5)

        def step(w: Any, x: Any) -> Any:
            loss = ((x @ w) ** 2.0).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(w, X * k).item() for k in (1.0, 0.5, 2.0, 1.0)], w.data

    for a, b in zip(run(lambda f: f), run(compile), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-13)


def test_results_belong_to_the_graph_of_what_they_depend_on() -> None:
    w = Value(np.array([1.0, 2.0, 3.0]), label="w")
    f = compile(lambda x: ((x @ w).sum(), (w * w).sum(), x.sum()))
    for _ in range(2):
        w.zero_grad()
        a, b, c = f(X)
        assert (a.requires_grad, b.requires_grad, c.requires_grad) == (True, True, False)
        (a * b + (w * 2.0).sum()).backward()
        twin = Value(w.data)
        ((X @ twin).sum() * (twin * twin).sum() + (twin * 2.0).sum()).backward()
        np.testing.assert_allclose(w.grad, twin.grad, rtol=1e-13)
    with mg.no_grad():
        assert not f(X)[0].requires_grad
    np.testing.assert_allclose(mg.grad(lambda v: f(X)[0] * v)(2.0), np.sum(X @ w.data))


def test_what_a_result_does_not_depend_on_gets_no_gradient() -> None:
    a, b, c = Value([1.0, 2.0]), Value([3.0, 4.0]), Value([5.0, 6.0])
    f = compile(lambda x: ((a * x).sum(), (b * x).sum() * c.detach().sum(), (a * b).sum(), x.sum()))
    for _ in range(2):
        results = f(np.ones(2))
        (results[0] * results[1] + results[3]).backward()
        assert c.grad is None
        np.testing.assert_array_equal(a.grad, [77.0, 77.0])
        np.testing.assert_array_equal(b.grad, [33.0, 33.0])
        a.grad = b.grad = None
        results[1].backward()
        assert a.grad is None
        np.testing.assert_array_equal(b.grad, [11.0, 11.0])
        b.grad = None
    outer = Value([1.0, 1.0])
    (f(np.ones(2))[2] * (outer * a).sum()).backward()
    np.testing.assert_array_equal(a.grad, np.array([3.0, 4.0]) * 3.0 + 11.0)


def test_second_derivatives_through_a_compiled_function() -> None:
    f = compile(lambda x: (x * x * x).sum())
    x = Value([1.0, 2.0])
    slopes = mg.grad(lambda v: (mg.grad(f)(v) ** 2.0).sum())(x)
    np.testing.assert_allclose(slopes.data, 2 * 3 * x.data**2 * 6 * x.data)
    w = Value(2.0)
    g = compile(lambda: w * w * w)
    assert mg.grad(lambda v: g() * v)(3.0) == 8.0
    np.testing.assert_allclose(mg.hessian(f)(np.array([1.0, 2.0])), np.diag([6.0, 12.0]))
    assert mg.grad(lambda w: mg.compile(lambda x: (x * w).sum())(np.ones(3)))(2.0) == 3.0


def test_a_stale_gradient_is_refused() -> None:
    w = Value([1.0, 2.0], label="w")
    f = compile(lambda x: (w * w * x).sum())
    out = f(np.ones(2))
    w.data = np.array([5.0, 5.0])
    with pytest.raises(GradientError, match=r"the data of w .* were replaced after the compiled function"):
        out.backward()
    out = f(np.ones(2))
    w.data *= 2.0
    with pytest.raises(GradientError, match="changed in place"):
        out.backward()
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Dropout(0.5, rng=0))
    with pytest.raises(GradientError, match="draws random numbers"):
        compile(lambda x: model(x).sum())(X).backward()


def test_a_graph_outside_goes_on_behind_the_results() -> None:
    w = Value([1.0, 2.0])
    f = compile(lambda x: (x * x).sum())
    f(w * 3.0).backward()
    np.testing.assert_array_equal(w.grad, [18.0, 36.0])


def test_what_was_made_before_the_call_is_taken_as_it_is() -> None:
    w = Value(3.0, label="w")
    h = w * 2.0
    f = compile(lambda x: (x * h).sum())
    assert f(np.ones(2)).item() == 12.0
    w.data = 10.0
    assert f(np.ones(2)).item() == 12.0
    g = compile(lambda x: mg.tanh(x * h) + h)  # single numbers
    for x in (0.1, 0.2, 0.3):
        assert g(x).item() == pytest.approx(np.tanh(6.0 * x) + 6.0)
    h.data = 5.0
    assert g(0.1).item() == pytest.approx(np.tanh(0.5) + 5.0)
    h.data = 6.0
    with pytest.raises(CompileError, match="multiply has made before the call"):
        compile(lambda x: (x * h).sum().backward())(np.ones(2))
    assert w.grad is None


# -------------------------------------------------------------------------------------------------- containers
class Batch(NamedTuple):
    x: Any
    y: Any


def test_containers_of_arguments_and_results() -> None:
    def f(batch: Any, params: Any, *more: Any, scale: float = 1.0, **rest: Any) -> Any:
        out = batch.x @ params["w"] + params["b"][0] * scale
        return {"out": out, "list": [out.sum(), None, (out * more[0],)], "batch": Batch(out, rest["z"] * 1.0)}

    g = compile(f)
    for k in (1.0, 2.0):
        args = Batch(X * k, Y), {"w": np.ones(3) * k, "b": [np.float64(k)]}, k
        got, want = g(*args, scale=k, z=Y[0]), f(*args, scale=k, z=Y[0])
        assert list(got) == ["out", "list", "batch"]
        assert type(got["batch"]) is Batch
        assert got["list"][1] is None
        np.testing.assert_allclose(got["out"].data, want["out"])
        np.testing.assert_allclose(got["list"][2][0].data, want["list"][2][0])
        np.testing.assert_allclose(got["batch"].y.data, Y[0])
    assert recordings(g) == 1
    assert "def run(batch_x, batch_y, params_w, params_b_0, more_0, scale, z):" in g.source


def test_other_structures_strings_and_whole_numbers_are_recorded_anew() -> None:
    def f(x: Any, n: Any = 2, how: str = "sum") -> Any:
        return getattr(x, how)() * n

    g = compile(f)
    for n, how in ((2, "sum"), (3, "sum"), (True, "sum"), (0, "sum"), (2, "mean"), (2, "sum"), (0, "sum")):
        assert g(X, n, how).item() == pytest.approx(f(X, n, how))
    assert g(X).item() == pytest.approx(2 * X.sum())
    assert g(x=X, how="mean").item() == pytest.approx(2 * X.mean())
    assert recordings(g) == 7


class Unhashable:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_objects_are_told_apart_by_identity() -> None:
    f = compile(lambda x, o: x * o.factor)
    for k in range(1, 30):
        assert f(2.0, Unhashable(float(k))).item() == 2.0 * k  # a new one may have the address of an old one


def test_models_as_arguments() -> None:
    def f(model: Any, x: Any) -> Any:
        return (model(x) ** 2.0).sum()

    g = compile(f)
    a, b = nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=1)
    for model in (a, b, a, b):
        assert g(model, X).item() == pytest.approx(f(model, X).item())
    assert recordings(g) == 2


def test_scalars_of_numpy_and_arrays_of_every_kind() -> None:
    f = compile(lambda x: x * 2.0)
    for x in (2.0, np.float64(2.0), np.array(2.0)):
        assert f(x).data == 4.0
        assert type(f(x).data) is float
    for _ in range(2):
        assert f(np.float32(2.0)).dtype == f(np.array(2.0, np.float32)).dtype == np.float32
        assert f(np.ones(2, np.float32)).dtype == np.float32
        np.testing.assert_array_equal(f(np.array([1, 2])).data, [2.0, 4.0])
        np.testing.assert_array_equal(f(np.array([True, False])).data, [2.0, 0.0])
    matrix = np.ones(3).view(np.recarray)
    assert f(matrix).shape == (3,)
    empty = compile(lambda x: (x.sum(), x * 2.0))
    assert empty(np.zeros((0, 3)))[1].shape == empty(np.zeros((0, 3)))[1].shape == (0, 3)


def test_dtypes_that_have_no_gates_run_as_they_are() -> None:
    f = compile(lambda x: (x * 2).sum())
    assert f(np.array([1 + 2j])) == 2 + 4j


def test_half_precision_is_refused_as_ever() -> None:
    w = Value([1.0])
    with pytest.raises(TypeError, match="float16"):
        compile(lambda x: w * x)(np.ones(1, np.float16))


# --------------------------------------------------------------------------------------------- forms of functions
class Model:
    def __init__(self) -> None:
        self.w = Value([1.0, 2.0, 3.0])
        self.step = compile(self.loss)

    def loss(self, x: Any) -> Any:
        return (x @ self.w).sum()

    @compile
    def predict(self, x: Any, *, scale: float = 1.0) -> Any:
        """Docs."""
        return x @ self.w * scale


def test_methods() -> None:
    a, b = Model(), Model()
    b.w.data = np.zeros(3)
    for _ in range(2):
        assert a.step(X).item() == pytest.approx(np.sum(X @ a.w.data))
        assert b.step(X).item() == 0.0
        np.testing.assert_allclose(a.predict(X, scale=2.0).data, 2.0 * X @ a.w.data)
        np.testing.assert_allclose(b.predict(X).data, 0.0)
    assert Model.predict.__doc__ == "Docs."
    assert Model.predict.__name__ == "predict"


class Net(nn.Module):
    def __init__(self) -> None:
        self.hidden, self.out = nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1)

    def forward(self, x: Any) -> Any:
        return self.out(mg.tanh(self.hidden(x)))


class CompiledNet(Net):
    forward = compile(Net.forward)


def test_a_model_with_a_compiled_forward_learns_in_an_eager_loop() -> None:
    def trained(model: Any) -> Any:
        optimizer, losses = optim.Adam(model.parameters(), lr=0.01), []
        for _ in range(5):
            optimizer.zero_grad()
            loss = nn.CrossEntropyLoss()(model(X), np.array([0, 1, 0, 1, 1]))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    model = Net()
    model.forward = compile(model.forward)  # type: ignore[method-assign]
    want = trained(Net())
    for learner in (CompiledNet(), model):
        np.testing.assert_allclose(trained(learner), want, rtol=1e-12)
    assert list(model.state_dict()) == list(Net().state_dict())
    twin = copy.deepcopy(model)
    twin.out.weight.data *= 0.0
    assert np.ptp(twin(X).data, axis=0).max() == 0.0 < np.ptp(model(X).data, axis=0).max()


@compile
def squared(x: Any) -> Any:
    return (x * x).sum()


def test_copies_and_pickles() -> None:
    squared(X)
    assert pickle.loads(pickle.dumps(squared)) is squared
    assert copy.deepcopy(squared) is squared
    made = compile(square)
    made(X)
    assert pickle.loads(pickle.dumps(made))(X).item() == pytest.approx(np.sum(X * X))
    model = Model()
    model.step(X)
    twin = copy.deepcopy(model)
    twin.w.data = np.zeros(3)
    assert twin.step(X).item() == 0.0
    assert model.step(X).item() != 0.0


def square(x: Any) -> Any:
    return (x * x).sum()


def test_a_compiled_function_inside_another_and_in_transforms() -> None:
    inner = compile(lambda x: mg.tanh(x))
    outer = compile(compile(lambda x: inner(x).sum() * 2.0))
    for k in (1.0, 2.0):
        assert outer(k * X).item() == pytest.approx(2.0 * np.tanh(k * X).sum())
        np.testing.assert_allclose(compile(mg.grad(outer))(k * X).data, mg.grad(outer)(k * X))

    def power(x: Any, n: int) -> Any:
        return x * again(x, n - 1) if n else x * 0.0 + 1.0

    again = compile(power)
    assert again(3.0, 4).item() == again(3.0, 4).item() == 81.0


def test_numbers_on_every_path_come_as_values() -> None:
    """Where Python's arithmetic ends with an error, the function itself is called; its raw results are wrapped."""
    f = compile(lambda x: mg.log(x) * 2.0)
    assert f(1.0).data == 0.0
    assert f(0.0).data == -np.inf
    assert np.isnan(f(-1.0).data)


def test_no_grad_outside_and_inside() -> None:
    w = Value([1.0, 2.0])

    def f(x: Any) -> Any:
        (w * x).sum().backward()

    g = compile(f)
    g(np.ones(2))
    w.grad = None
    with mg.no_grad(), pytest.raises(GradientError, match="under no_grad"):
        g(np.ones(2))

    def h(x: Any) -> Any:
        with mg.no_grad():
            fixed = (w * x).sum()
        w.zero_grad()
        loss = (w * fixed * x).sum()
        loss.backward()
        return loss

    k = compile(h)
    for scale in (1.0, 2.0):
        k(scale * np.ones(2))
        np.testing.assert_allclose(w.grad, 3.0 * scale**2)


def test_anomalies_are_watched_eagerly() -> None:
    f = compile(lambda x: mg.log(x).sum())
    w = Value([1.0, -1.0], label="w")
    f(w)
    with mg.detect_anomaly(), pytest.raises(AnomalyError, match=r"log: the first nan.*test_compile_arguments"):
        f(w)
    assert f(Value([1.0, 1.0])).item() == 0.0
    optimizer = optim.SGD([w], lr=0.1)

    @compile
    def step(x: Any) -> None:
        optimizer.zero_grad()
        (mg.sqrt(w + x) * 2.0).sum().backward()
        optimizer.step()

    w.data = np.array([1.0, 1.0])
    step(np.ones(2))
    before = w.data.copy()
    with mg.detect_anomaly(), pytest.raises(AnomalyError, match=r"backward: .*sqrt.*infinity"):
        step(-w.data)
    np.testing.assert_array_equal(w.data, before)
    with mg.detect_anomaly():
        step(np.ones(2))
    np.testing.assert_allclose(w.data, before - 0.1 / np.sqrt(before + 1.0))


def test_the_graph_of_a_recording() -> None:
    w = Value([1.0, 2.0], label="w")
    f = compile(lambda x: (mg.tanh(x * w)).sum())
    with pytest.raises(CompileError, match="hasn't been called yet"):
        _ = f.graph
    f(np.array([1.0, 1.0]))
    assert [f.graph.gate.name, f.graph.inputs[0].gate.name] == ["sum", "tanh"]
    product = f.graph.inputs[0].inputs[0]
    assert [x.label for x in product.inputs] == ["x", "w"]
    assert "tanh" in viz.draw(f.graph).source
    graph = f.graph
    assert "1 path leads from w to loss" in str(viz.explain(graph, graph.inputs[0].inputs[0].inputs[1]))

    def step(x: Any) -> None:
        w.zero_grad()
        ((x * w).sum() ** 2.0).backward()

    g = compile(step)
    g(np.array([1.0, 1.0]))
    assert g.graph.gate.name == "power"
    leaf = g.graph.inputs[0].inputs[0].inputs[1]
    assert leaf.label == "w"
    np.testing.assert_array_equal(leaf.grad, [6.0, 6.0])


# -------------------------------------------------------------------------------------- memory of callers, threads
def kinds_of_results(x: Any) -> Any:
    w = PARAMETER
    y = mg.exp(x)
    fixed = Value(np.ones(3), requires_grad=False)
    return x, x, y, y, y.T, y[1:], y.reshape(-1), w, w.T, w * 1.0, fixed, x[0], x.sum(), mg.broadcast_to(x[0], (2, 3))


PARAMETER = Value(np.arange(3.0), label="w")


def test_results_are_nobody_elses_memory() -> None:
    f = compile(kinds_of_results)
    x = X.copy()
    calls = [f(x) for _ in range(3)]
    kept = [[np.copy(v.data) for v in call] for call in calls]
    f(x * 2.0)
    np.testing.assert_array_equal(x, X)
    for i, call in enumerate(calls):
        for a in [v.data for v in call if isinstance(v.data, np.ndarray)]:
            assert not np.shares_memory(a, x)
            assert not np.shares_memory(a, PARAMETER.data)
            assert not any([np.shares_memory(a, v.data) for other in calls[:i] for v in other])
            a += 1.0  # the caller may write
    for _ in range(2):
        for v, want in zip(f(x), kept[0], strict=True):
            np.testing.assert_array_equal(v.data, want)
    np.testing.assert_array_equal(PARAMETER.data, np.arange(3.0))


def test_read_only_arrays_are_taken() -> None:
    f = compile(mg.grad(lambda x: (mg.sort(x) * x[::-1] * 2.0).sum()))
    x = np.array([3.0, 1.0, 2.0])
    x.setflags(write=False)
    for _ in range(2):
        np.testing.assert_array_equal(f(x).data, f(x.copy()).data)


def in_threads(work: Callable[[int], None], n: int = 4) -> None:
    errors: list[BaseException] = []

    def safely(i: int) -> None:
        try:
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=safely, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_threads() -> None:
    f = compile(mg.value_and_grad(lambda x: (mg.tanh(x) * mg.exp(-x * x)).sum()))
    eager = mg.value_and_grad(lambda x: (mg.tanh(x) * mg.exp(-x * x)).sum())

    def work(i: int) -> None:
        x = np.random.default_rng(i).normal(size=(50, 40))
        value, slope = eager(x)
        for _ in range(50):
            got, steep = f(x)
            assert got.item() == pytest.approx(value, rel=1e-12)
            np.testing.assert_allclose(steep.data, slope, rtol=1e-9, atol=1e-12)

    in_threads(work)


def test_recordings_do_not_run_away() -> None:
    f = compile(lambda x, n: x * n)
    for n in range(64):
        f(1.0, n)
    with pytest.warns(RuntimeWarning, match="has been recorded 64 times"):
        assert f(2.0, 1000).item() == 2000.0
    assert f(2.0, 1001).item() == 2002.0  # once is enough
    assert recordings(f) == 64
