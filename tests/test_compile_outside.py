"""Names that a compiled function takes from outside: when they stand for something else, it is recorded anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, viz

W: Any = None
factor = 3.0


def times_w(x: Any) -> Any:
    return x * W


def by_helper(x: Any) -> Any:
    return helper(x) + factor


def helper(x: Any) -> Any:
    return x * factor


def test_a_global_name_that_is_bound_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "W", mg.Value(2.0))
    f = mg.compile(times_w)
    assert [f(3.0).item(), f(3.0).item()] == [6.0, 6.0]
    assert f.count == 1
    monkeypatch.setitem(globals(), "W", mg.Value(10.0))
    assert f(3.0).item() == 30.0


def test_a_number_in_a_function_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    f = mg.compile(by_helper)
    assert f(2.0).item() == 9.0
    monkeypatch.setitem(globals(), "factor", 4.0)
    assert f(2.0).item() == 12.0
    assert "factor, helper" in f.explain()
    monkeypatch.setitem(globals(), "helper", lambda x: x)
    assert f(2.0).item() == 6.0


def test_names_of_a_closure_also_of_what_is_wrapped() -> None:
    w = mg.Value(2.0)
    slope: Any = mg.compile(mg.grad(lambda x: x * x * w))
    assert slope(3.0).item() == 12.0
    w = mg.Value(5.0)
    assert slope(3.0).item() == 30.0


def test_attributes_are_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Box:
        W = mg.Value(2.0)

    box = Box()
    f = mg.compile(lambda x: x * box.W)
    for i in range(3):
        monkeypatch.setitem(globals(), "W", i)  # a global of the attribute's name
        assert f(3.0).item() == 6.0
    assert f.count == 1


def test_a_model_and_an_optimizer_made_anew() -> None:
    def fresh(seed: int) -> tuple[Any, Any]:
        model = nn.MLP([2, 3, 1], rng=seed)
        return model, optim.SGD(model.parameters(), lr=0.1)

    model, optimizer = fresh(0)

    def step(X: Any) -> Any:
        loss = (model(X) ** 2.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run, X = mg.compile(step), np.ones((4, 2))
    for _ in range(3):
        run(X)
    model, optimizer = fresh(1)
    ours = [run(X).item() for _ in range(3)]
    model, optimizer = fresh(1)
    assert ours == pytest.approx([step(X).item() for _ in range(3)], rel=1e-13)


def test_the_numbers_of_a_layer() -> None:
    drop = nn.Dropout(0.5, rng=0)
    f = mg.compile(lambda x: drop(x))
    assert (f(np.ones(1000)).data == 0.0).any()
    drop.p = 0.0
    assert (f(np.ones(1000)).data == 1.0).all()


def test_a_compiled_result_in_pictures_and_explanations() -> None:
    w = mg.Value(np.ones(3), label="w")
    loss: Any = mg.compile(lambda x: (x * w).tanh().sum())(np.array([1.0, 2.0, 3.0]))
    loss.backward()
    viz.draw(loss)
    viz.explore(loss)
    assert "w" in str(viz.explain(loss, w))
    assert viz.expand(loss).item() == loss.item()
