"""`mg.compile`: what is replayed, what is recorded anew, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, nn, optim
from minigrad.errors import CompileError

X, Y = np.random.default_rng(0).normal(size=(2, 5, 3))


def square_sum(x: Any, y: Any) -> Any:
    return ((x - y) * (x - y)).sum()


def test_calls_are_replayed_and_answers_are_the_functions() -> None:
    f = compile(square_sum)
    for scale in (1.0, 2.0, -3.0):
        assert f(scale * X, Y).item() == pytest.approx(float(np.sum((scale * X - Y) ** 2)), rel=1e-14)
    assert sum(map(len, f.entries.values())) == 1


def test_other_shapes_and_dtypes_are_recorded_anew() -> None:
    f = compile(square_sum)
    f(X, Y)
    assert f(X[:2], Y[:2]).item() == pytest.approx(np.sum((X[:2] - Y[:2]) ** 2))
    assert f(X.astype(np.float32), Y.astype(np.float32)).dtype == np.float32
    assert f(1.5, 0.5).item() == 1.0
    assert len(f.entries) == 4


def test_the_callers_arrays_are_not_written_and_results_are_new() -> None:
    f = compile(lambda x: mg.exp(x) * 2.0)
    x = X.copy()
    first = f(x)
    kept = first.data.copy()
    second = f(x + 1.0)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(first.data, kept)
    assert not np.shares_memory(first.data, second.data)
    again = compile(lambda x: x.reshape(3, 5))
    out = again(x)
    out = again(x)
    assert not np.shares_memory(out.data, x)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[::-1],
        lambda x: x[:, ::2],
        np.asfortranarray,
        lambda x: np.broadcast_to(x[:1], x.shape),
    ],
)
def test_any_layout_of_the_inputs(view: Any) -> None:
    def g(x: Any, w: Any) -> Any:
        return mg.grad(lambda w: (mg.tanh(x @ w) * mg.tanh(x @ w).reshape(-1)[0]).sum())(w)

    f = compile(g)
    a = view(X)
    w = np.ones((a.shape[1], 2))
    f(np.ascontiguousarray(a), w)
    np.testing.assert_allclose(f(a, w).data, g(a, w), rtol=1e-12)
    np.testing.assert_allclose(f(a.copy(), w).data, g(a, w), rtol=1e-12)


def test_the_same_array_twice() -> None:
    f = compile(lambda a, b: a * b + a)
    np.testing.assert_allclose(f(X, X).data, X * X + X)
    np.testing.assert_allclose(f(X, Y).data, X * Y + X)


def trained(steps: int, wrap: Any, between: Any = None, rebuild: Any = None) -> Any:
    model = nn.MLP([3, 4, 2], nn.Tanh, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

    def step(x: Any, y: Any) -> Any:
        loss = nn.CrossEntropyLoss()(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run, rng = wrap(step), np.random.default_rng(1)
    losses = []
    for i in range(steps):
        losses.append(run(rng.normal(size=(6, 3)), rng.integers(2, size=6)).item())
        if between:
            between(i, model, optimizer)
    return losses, model.state_dict(), [p.grad for p in model.parameters()]


def assign(i: int, model: Any, optimizer: Any) -> None:
    if i == 2:
        model.layers[0].weight.data = np.ones((4, 3))
    if i == 4:
        model.layers[2].bias.data *= 0.5


def reload(i: int, model: Any, optimizer: Any) -> None:
    if i == 3:
        model.load_state_dict({name: x * 0.5 for name, x in model.state_dict().items()})


def rates(i: int, model: Any, optimizer: Any) -> None:
    optimizer.param_groups[0]["lr"] *= 0.9
    if i == 3:
        optimizer.param_groups[0]["momentum"] = 0.0


def freeze(i: int, model: Any, optimizer: Any) -> None:
    if i == 2:
        model.layers[0].freeze()


@pytest.mark.parametrize("between", [None, assign, reload, rates, freeze])
def test_training_steps(between: Any) -> None:
    for a, b in zip(trained(8, lambda f: f, between), trained(8, compile, between), strict=True):
        if isinstance(a, dict):
            a, b = list(a.values()), list(b.values())
        for x, y in zip(a, b, strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                np.testing.assert_allclose(y, x, rtol=1e-11)


def test_gradients_accumulate_without_zero_grad() -> None:
    w = Value([1.0, 2.0])
    f = compile(lambda x: (w * x).sum().backward())
    for _ in range(4):
        assert f(np.array([1.0, 10.0])) is None
    np.testing.assert_array_equal(w.grad, [4.0, 40.0])
    w.grad = None
    f(np.array([1.0, 10.0]))
    np.testing.assert_array_equal(w.grad, [1.0, 10.0])


def test_two_backward_passes_in_one_call() -> None:
    w = Value([1.0, 2.0])

    def f(x: Any) -> None:
        w.zero_grad()
        (w * x).sum().backward()
        (w * w).sum().backward()

    g = compile(f)
    for _ in range(3):
        w.grad = None
        g(np.array([1.0, 10.0]))
        np.testing.assert_array_equal(w.grad, [3.0, 14.0])


def test_equal_gradients_are_separate_arrays() -> None:
    a, b = Value(np.ones(3), label="a"), Value(np.ones(3), label="b")
    optimizer = optim.SGD([a, b], lr=0.1)

    def step(x: Any) -> None:
        optimizer.zero_grad()
        ((a + b) * x).sum().backward()
        optimizer.step()

    f = compile(step)
    for i in range(3):
        f(np.arange(3.0) + i)
        assert not np.shares_memory(a.grad, b.grad)
        np.testing.assert_array_equal(a.grad, b.grad)
    np.testing.assert_allclose(a.data, [0.7, 0.4, 0.1])
    np.testing.assert_allclose(b.data, a.data)


def test_decisions_are_checked_on_every_call() -> None:
    f = compile(lambda x: x * 2.0 if x.sum() > 0 else x - 1.0)
    for x in (np.ones(3), -np.ones(3), np.ones(3), -np.ones(3)):
        np.testing.assert_array_equal(f(x).data, x * 2.0 if x.sum() > 0 else x - 1.0)
    assert sum(map(len, f.entries.values())) == 2


def test_masks_and_places_are_recomputed() -> None:
    f = compile(lambda x: (mg.where(x > 0, x, -x), mg.sort(x), x[mg.argmax(x)], mg.max(x)))
    for x in (np.array([1.0, -2.0, 3.0]), np.array([5.0, -2.0, -3.0])):
        a, b, c, d = f(x)
        np.testing.assert_array_equal(a.data, np.abs(x))
        np.testing.assert_array_equal(b.data, np.sort(x))
        assert c.item() == d.item() == x.max()


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: Value(x.data * 2.0), "The data of a value .* was asked for while mg.compile recorded"),
        (lambda x: x * float(x.sum()), "was turned into a number while mg.compile recorded"),
        (lambda x: x * x.sum().item(), "was turned into a number"),
        (lambda x: 3.0, "returned 3.0, a raw float"),
        (lambda x: x if x > 0 else -x, "`if` decides about one"),
    ],
)
def test_what_cannot_be_replayed_is_refused(f: Any, text: str) -> None:
    with pytest.raises(CompileError, match=text):
        compile(f)(X)


def test_inside_a_transform_it_is_the_function_itself() -> None:
    f = compile(lambda x: (x * x * x).sum())
    assert f(np.array([2.0])).item() == 8.0
    np.testing.assert_array_equal(mg.grad(f)(np.array([2.0])), [12.0])


def test_scalars_written_number_by_number_become_arrays() -> None:
    rng = np.random.default_rng(2)
    weights, bias = [[Value(w) for w in row] for row in rng.normal(size=(6, 3))], [Value(b) for b in rng.normal(size=6)]
    params = [p for row in weights for p in row] + bias
    optimizer = optim.SGD(params, lr=0.01)

    def step(X: Any, y: Any) -> Any:
        loss = 0.0
        for row, target in zip(X, y, strict=True):
            out = [
                sum((w * x for w, x in zip(ws, row, strict=True)), b).tanh()
                for ws, b in zip(weights, bias, strict=True)
            ]
            loss = loss + (sum(out) - target) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    start, data, targets = [p.data for p in params], rng.normal(size=(20, 3)), rng.normal(size=20)
    eager = [step(data.tolist(), targets.tolist()).item() for _ in range(5)]
    after = [(p.data, p.grad) for p in params]
    for p, x in zip(params, start, strict=True):
        p.data = x
    run = compile(step)
    np.testing.assert_allclose([run(data, targets).item() for _ in range(5)], eager, rtol=1e-11)
    np.testing.assert_allclose([(p.data, p.grad) for p in params], after, rtol=1e-10)
    assert "matmul" in run.source
    assert len(run.source.splitlines()) < 400


def test_training_and_evaluation_are_recorded_apart() -> None:
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Dropout(0.5, rng=0))
    f = compile(lambda x: model(x))
    x = np.random.default_rng(0).normal(size=(6, 3))
    f(x)
    a, b = f(x).data, f(x).data
    assert (a == 0.0).any()
    assert not np.array_equal(a == 0.0, b == 0.0)
    assert model[1].num_batches_tracked == 3
    model.eval()
    np.testing.assert_allclose(f(x).data, model(x).data)
    np.testing.assert_array_equal(f(x).data, f(x).data)
    assert model[1].num_batches_tracked == 3
    model.train()
    f(x)
    assert model[1].num_batches_tracked == 4


def test_a_scalar_parameter_that_is_frozen_later_stays() -> None:
    weights = [Value(float(i)) for i in range(40)]
    optimizer = optim.SGD(weights, lr=0.1)

    def step(X: Any) -> None:
        optimizer.zero_grad()
        sum([sum([w * x for w, x in zip(weights, row, strict=True)]) ** 2.0 for row in X]).backward()
        optimizer.step()

    run, X = compile(step), np.random.default_rng(0).normal(size=(30, 40))
    run(X)
    run(X)
    weights[3].requires_grad = False
    before = weights[3].data
    run(X)
    run(X)
    assert weights[3].data == before
    assert weights[3].grad is None
    assert weights[4].grad is not None


@pytest.mark.parametrize("kind", ["norm", "value", "auto"])
def test_gradients_are_clipped_on_every_call(kind: str) -> None:
    def trained(wrap: Any) -> Any:
        model = nn.MLP([3, 4, 1], nn.Tanh, rng=0)
        optimizer, auto = optim.SGD(model.parameters(), lr=0.5), optim.AutoClip(50)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.MSELoss()(model(x), y)
            loss.backward()
            if kind == "norm":
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            elif kind == "value":
                nn.utils.clip_grad_value_(model.parameters(), 0.05)
            else:
                auto(model.parameters())
            optimizer.step()
            return loss

        run, rng = wrap(step), np.random.default_rng(1)
        losses = [run(rng.normal(size=(5, 3)), rng.normal(size=(5, 1))).item() for _ in range(6)]
        return losses, *model.state_dict().values(), *[p.grad for p in model.parameters()]

    for a, b in zip(trained(lambda f: f), trained(compile), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-11)


def test_lbfgs_takes_a_compiled_closure() -> None:
    def solved(wrap: Any) -> Any:
        w = Value(np.array([3.0, -2.0]))
        optimizer = optim.LBFGS([w], max_iter=20, line_search_fn="strong_wolfe")

        def closure() -> Any:
            optimizer.zero_grad()
            loss = ((w * w - 1.0) * (w * w - 1.0)).sum()
            loss.backward()
            return loss

        optimizer.step(wrap(closure))
        return w.data

    np.testing.assert_allclose(solved(compile), solved(lambda f: f), rtol=1e-9)
    w = Value(np.ones(2))
    optimizer = optim.LBFGS([w])
    with pytest.raises(CompileError, match="compile the closure, not the step"):
        compile(lambda: optimizer.step(lambda: (w * w).sum()))()
