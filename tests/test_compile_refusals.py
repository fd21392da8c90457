"""What `mg.compile` refuses, what goes wrong inside of compiled functions, and what is left behind: nothing."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, compile, nn, optim
from minigrad.errors import CompileError, MinigradError

pytestmark = pytest.mark.filterwarnings("error")
X, Y = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2])
W = Value(np.array([1.0, 2.0, 3.0]), label="W")
S = Value(2.0, label="S")
TABLE = np.arange(20.0)


def assigns(x: Any) -> Any:
    W.data = W.data * 0.9
    return (x * W).sum()


def assigns_without_reading(x: Any) -> Any:
    W.data = np.zeros(3)
    return (x * W).sum()


def micrograd_step(x: Any) -> Any:
    loss = (x * W).sum()
    loss.backward()
    W.data -= 0.1 * W.grad
    return loss


def freezes(x: Any) -> Any:
    W.requires_grad = False
    return (x * W).sum()


def writes(x: Any) -> Any:
    y = x * 2.0
    y[0] = 1.0
    return y


def makes_an_optimiser(x: Any) -> Any:
    optimizer = optim.SGD([W], lr=0.1)
    (x * W).sum().backward()
    optimizer.step()
    return W * 1.0


REFUSED: dict[str, tuple[Any, str]] = {
    "data of an argument": (lambda x: Value(x.data * 2.0), r"x \(6, 3\) was asked for its data.*Compute with gates"),
    "data of a result": (lambda x: x * (x * 2.0).data, r"from multiply \(6, 3\) was asked for its data"),
    "data of a parameter": (lambda x: x * W.data, r"data of W \(3,\) were asked.*Compute with the value itself"),
    "a leaf made of a parameter": (lambda x: (x * Value(W.data * 2.0)).sum(), r"data of W .* were asked"),
    "item of a parameter": (lambda x: x * S.item(), r"data of S were asked"),
    "float of a parameter": (lambda x: x * float(S), r"data of S were asked"),
    "numpy of a parameter": (lambda x: (x * W.numpy()).sum(), r"data of W .* were asked"),
    "format of a parameter": (lambda x: x * len(f"{S:.3f}"), r"data of S were asked"),
    "float": (lambda x: x * float(x.sum()), "turned into a number.*Compute with gates"),
    "int": (lambda x: x * int(x.sum()), "turned into a number"),
    "item": (lambda x: x * x.sum().item(), "turned into a number"),
    "numpy": (lambda x: x * x.sum().numpy(), "turned into a number"),
    "format": (lambda x: x * len(f"{x.sum():.3f}"), "turned into a number"),
    "math": (lambda x: x * math.exp(x.sum()), "turned into a number"),
    "float of a comparison": (lambda x: x * float((x > 0).sum()), "turned into a number"),
    "np.asarray": (lambda x: np.asarray(x).sum(), "turned into an array.*Compute with mg. and np. functions"),
    "an array at a recorded place": (lambda x: x * TABLE[mg.argmax(x)], r"turned into a(n array|n? number)"),
    "an array at recorded places": (lambda x: TABLE[mg.argsort(x, axis=0)] * x, r"turned into an array.*Value\(A, req"),
    "if about many": (lambda x: x if x > 0 else -x, "`if` decides about one"),
    "a raw number": (lambda x: 3.0, "returned 3.0, a raw float.*Return the Value"),
    "a raw array": (lambda x: (x, np.ones(3)), r"returned \(3,\), a raw ndarray"),
    "a text": (lambda x: (x, "loss"), "a raw str"),
    "data assigned": (assigns, "data of W .* were asked"),
    "data assigned, unread": (assigns_without_reading, r"W \(3,\) was changed.*let an optimiser"),
    "micrograd's own step": (micrograd_step, "data of W .* were asked.*outside of the compiled function"),
    "an optimiser inside": (makes_an_optimiser, "SGD was made inside of the function"),
    "freezing": (freezes, r"W \(3,\) was changed while mg.compile recorded"),
    "writing": (writes, "was written into.*mg.where"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """With the user's line, and nothing has happened."""
    f, text = REFUSED[name]
    W.grad = None
    with pytest.raises(CompileError, match=f"(?s){text}") as caught:
        compile(f)(X)
    if "raw" not in name and "text" not in name and "many" not in name:
        assert re.search(r"In .*test_compile_refusals.py:\d+: \S", str(caught.value))
    np.testing.assert_array_equal(W.data, [1.0, 2.0, 3.0])
    assert W.grad is None
    assert W.requires_grad


def test_what_is_not_refused() -> None:
    """Constants that the function makes itself, places and masks as gates, detached parameters, printing."""
    seen: list[Any] = []

    def f(x: Any) -> Any:
        fresh = Value(2.0)
        seen.append(f"{x!r}")
        picked = Value(TABLE, requires_grad=False)[mg.argmax(x)]
        return (x * W.detach() * fresh.item()).sum() + picked, x.shape[0] * x.sum()

    g = compile(f)
    for k in (1.0, -1.0, 2.0):
        W.data = W.data + k
        got, want = g(X * k), f(X * k)
        np.testing.assert_allclose([v.item() for v in got], [np.asarray(getattr(v, "data", v)).item() for v in want])
        assert not got[0].requires_grad
    assert len(seen) == 4  # once recorded, thrice eager
    W.data = np.array([1.0, 2.0, 3.0])


def test_data_that_is_baked_in_is_listed() -> None:
    noise, labels = np.random.default_rng(0).normal(size=(6, 3)), Y[::-1]

    def f(x: Any) -> Any:
        return nn.CrossEntropyLoss()(x * W + noise, labels)  # both from outside

    compiled = compile(mg.value_and_grad(f))
    compiled(X)
    listed = [line for line in compiled.explain().splitlines() if line.startswith("data that are the same on every")]
    assert re.search(r": float64 \(6, 3\) in test_compile_refusals.py:\d+: return nn.Cross.*# both from", listed[0])
    assert any(["int64 (6,)" in line for line in listed])
    plain = compile(lambda x: (x * W).sum())
    plain(X)
    assert "data that" not in plain.explain()


def test_values_kept_from_a_recording() -> None:
    log: list[Any] = []
    f = compile(lambda x: (log.append(x.sum()), x * 2.0)[1])
    f(X)
    f(X)
    assert len(log) == 1
    with pytest.raises(CompileError, match=r"kept from a call that mg.compile recorded"):
        _ = log[0].data


def training() -> Any:
    model = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.Linear(4, 3, rng=1))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def state() -> Any:
        grads = [None if p.grad is None else np.copy(p.grad) for p in model.parameters()]
        memory = optimizer.state_dict()
        return model.state_dict(), grads, memory, schedule.last_epoch, optimizer.steps_taken, model.training

    def step(x: Any, y: Any, then: Any = lambda loss: loss) -> Any:
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        schedule.step()
        model.eval()
        return then(loss)

    return step, state


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_refused_step_has_changed_nothing(before: int) -> None:
    step, state = training()
    for _ in range(before):
        step(X, Y)
    was = state()
    for then in (lambda loss: loss.item(), lambda loss: [loss, 1.0]):
        with pytest.raises(CompileError):
            compile(step)(X, Y, then)
        np.testing.assert_equal(state(), was)
    other, states = training()
    for _ in range(before + 1):
        other(X, Y)
    compile(step)(X, Y)
    np.testing.assert_equal(state(), states())


# ------------------------------------------------------------------------------- errors are those of the eager call
MISTAKES: dict[str, Any] = {
    "shapes": lambda x: x @ W.reshape(1, 3),
    "axis": lambda x: (x * W).sum(axis=5),
    "no gradient": lambda x: x.sum().backward(),
    "no single number": lambda x: (x * W).backward(),
    "not Python's": lambda x: {}["missing"],
    "own": lambda x: (_ for _ in ()).throw(RuntimeError("mine")),
    "a gradient of an array": lambda x: mg.grad(lambda w: w * 2.0)(x),
    "labels": lambda x: nn.CrossEntropyLoss()(x * W, Y + 7),
    "layer": lambda x: nn.Linear(4, 2, rng=0)(x * W),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str) -> None:
    with pytest.raises(Exception) as eager:  # noqa: PT011
        MISTAKES[name](X)
    for _ in range(2):
        with pytest.raises(type(eager.value)) as compiled:
            compile(MISTAKES[name])(X)
        assert str(compiled.value) == str(eager.value)


def test_mistakes_on_later_calls() -> None:
    """A matrix becomes singular, a label leaves the range: the eager error, and the next call works."""
    solve = compile(lambda a, b: mg.solve(a, b).sum())
    good, bad = np.eye(3) * 2.0, np.ones((3, 3))
    assert solve(good, np.ones(3)).item() == 1.5
    with pytest.raises(np.linalg.LinAlgError, match=r"^solve: .*Singular matrix") as caught:
        solve(bad, np.ones(3))
    assert any(["mg.solve(a, b)" in str(entry.statement) for entry in caught.traceback])  # the user's line
    assert solve(good, np.ones(3)).item() == 1.5
    loss = compile(lambda s, y: nn.CrossEntropyLoss()(s, y))
    first = loss(X, Y).item()
    for wrong in (7, -1):
        with pytest.raises(MinigradError, match=rf"label {wrong} \(number 2\), but the scores have the classes 0 to 2"):
            loss(X, np.where(np.arange(6) == 2, wrong, Y))
    assert loss(X, Y).item() == first
    with pytest.raises(MinigradError, match=r"matmul|labels"):
        loss(X, Y[:4])
    assert loss(X, Y).item() == first


def test_a_failure_after_a_step_names_the_gate_and_the_line() -> None:
    """The step stands, so the call is not made again."""
    w = Value(np.ones(2), label="w")
    optimizer = optim.SGD([w], lr=0.5)

    def step(a: Any) -> Any:
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
        return mg.inv(a).sum() * w.sum()  # here

    f = compile(step)
    f(np.eye(2))
    now = w.data.copy()
    with pytest.raises(
        np.linalg.LinAlgError, match=r"^inv: Singular.*inv.*test_compile_refusals.py:\d+: return mg.inv"
    ):
        f(np.zeros((2, 2)))
    np.testing.assert_array_equal(w.data, now - 0.5 * 2.0 * now)
    assert f(np.eye(2)).item() == pytest.approx(2.0 * w.data.sum())


def test_a_failure_after_gradients_were_stored() -> None:
    """Accumulating gradients aren't counted twice when an action fails."""
    w = Value(np.ones(2))

    def fails(x: Any) -> None:
        if x > 5.0:
            raise KeyError("too large")

    def f(x: Any) -> Any:
        (w * x).sum().backward()
        mg.recorded.beside(fails, x[0])

    g = compile(f)
    g(np.ones(2))
    g(np.ones(2))
    with pytest.raises(KeyError, match=r"too large"):
        g(np.full(2, 9.0))
    np.testing.assert_array_equal(w.grad, [2.0, 2.0])


def test_what_cannot_be_recorded_runs_uncompiled_with_a_warning() -> None:
    def f(x: Any) -> Any:
        return (x * 2.0).sum() * len(x.tolist())

    g = compile(f)
    with pytest.warns(
        RuntimeWarning, match=r"f can't be recorded and runs uncompiled: AttributeError.*tolist"
    ) as caught:
        assert g(X).item() == pytest.approx(f(X))
    assert caught[0].filename == __file__
    assert g(X).item() == pytest.approx(f(X))  # said once


def test_decisions_after_a_step() -> None:
    w = Value(np.ones(3))
    optimizer = optim.SGD([w], lr=0.1)

    def on_arguments(x: Any) -> Any:
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return (w * x).sum() if (x * 2.0).sum() > 0 else (w * w * x).sum()

    f, twin = compile(on_arguments), Value(np.ones(3))
    for k in (1.0, 2.0, -1.0, 1.0, -2.0):
        got = f(np.full(3, k)).item()
        twin.data = twin.data - 0.1 * k
        assert got == pytest.approx(np.sum(twin.data * (k if k > 0 else twin.data * k)))
    before = w.data.copy(), w.grad.copy()

    def on_parameters(x: Any) -> Any:
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w * 2.0 if w.sum() > 0 else w

    with pytest.raises(CompileError, match="a decision after the optimiser's step"):
        compile(on_parameters)(np.ones(3))
    np.testing.assert_array_equal(w.data, before[0])
    np.testing.assert_array_equal(w.grad, before[1])


def test_a_decision_by_the_norm_that_clipping_returns() -> None:
    w = Value(np.ones(3))

    def f(x: Any) -> Any:
        w.zero_grad()
        (w * x).sum().backward()
        norm = nn.utils.clip_grad_norm_([w], 1.0)
        return norm * 1.0

    g = compile(f)
    for k in (1.0, 2.0):
        assert g(np.full(3, k)).item() == pytest.approx(k * np.sqrt(3.0))

    def h(x: Any) -> Any:
        return w * 1.0 if f(x) > 2.0 else w * 2.0

    with pytest.raises(CompileError, match="a decision after"):
        compile(h)(np.ones(3))


def test_gradients_of_scalars_in_between() -> None:
    weights = [Value(0.1 * i) for i in range(30)]

    def f(X: Any, deep: bool) -> Any:
        sums = [sum([w * x for w, x in zip(weights, row, strict=True)]).tanh() for row in X]
        sum(sums).backward()
        return sums[0].inputs[0].inputs[0].grad if deep else sums[0].grad * 2.0 + sums[0].inputs[0].grad

    rng = np.random.default_rng(0)
    g = compile(f)
    for _ in range(3):
        x = rng.normal(size=(30, 30))
        assert g(x, False).item() == pytest.approx(f(x, False), rel=1e-12)
    with pytest.raises(CompileError, match="only leaves keep theirs"):
        g(x, True)
