"""When a module ran: which gates of a picture are its own."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from test_viz_modules import balanced

import minigrad as mg
from minigrad import nn
from minigrad.errors import ShapeError
from minigrad.viz.circuit import trace
from minigrad.viz.collapse import collapse, fold
from minigrad.viz.drawing import draw

X = np.random.default_rng(0).normal(size=(2, 1, 8, 8))


def made(loss: mg.Value, model: nn.Module) -> list[tuple[str | None, str | None]]:
    """(gate, module) of each gate of the picture."""
    return [(node.gate, node.module) for node in trace(loss, model=model).nodes if node.gate]


def cnn() -> nn.Sequential:
    pooled = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    return nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), pooled, nn.Linear(18, 1, rng=0))


def test_modules_without_parameters_are_framed() -> None:
    model = cnn()
    pairs = made(model(X).sum(), model)
    assert pairs[-1] == ("sum", None)
    assert [*dict.fromkeys([path for _, path in pairs])] == ["0", "1.0", "1.1", "1.2", "2", None]
    assert ("relu", "1.0") in pairs
    closed = collapse(trace(model(X).sum(), model=model), 1)
    assert [node.inside[0] for node in closed.nodes if node.gate == "module"] == ["0", "1", "2"]


class Neuron(nn.Module):
    """As in micrograd: numbers, one by one."""

    def __init__(self, n: int) -> None:
        self.w, self.b = [nn.Parameter(0.1 * (i + 1)) for i in range(n)], nn.Parameter(0.0)

    def forward(self, x: list[Any]) -> Any:
        return sum([w * xi for w, xi in zip(self.w, x, strict=True)], self.b).tanh()


class Layer(nn.Module):
    def __init__(self, n: int, outs: int) -> None:
        self.neurons = [Neuron(n) for _ in range(outs)]

    def forward(self, x: list[Any]) -> list[Any]:
        return [neuron(x) for neuron in self.neurons]


class Scalars(nn.Module):
    def __init__(self, *sizes: int) -> None:
        self.layers = [Layer(n, outs) for n, outs in pairwise(sizes)]

    def forward(self, x: list[Any]) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x[0]


def test_a_model_of_scalars_collapses_by_module() -> None:
    model = Scalars(3, 4, 4, 1)
    loss = (model([1.0, -2.0, 3.0]) - 1.0) ** 2
    loss.backward()
    circuit = trace(loss, model=model)
    balanced(circuit)
    for depth, expected in [(0, 1), (1, 3), (2, 9)]:
        closed = collapse(circuit, depth)
        balanced(closed)
        boxes = {(node.box or node.id, node.symbol) for node in closed.nodes if node.gate == "module"}
        assert len(boxes) == expected
        gates = [node.gate for node in closed.nodes if node.symbol and node.gate != "module"]
        assert gates == ["subtract", "power"]
    layers = collapse(circuit, 1)
    assert [len([n for n in layers.nodes if (n.box or n.id) == n0.id or n.id == n0.id]) for n0 in layers.nodes
            if n0.gate == "module" and not n0.box] == [4, 4, 1]  # fmt: skip
    assert fold(layers).wires


def test_a_weight_that_the_loss_reads_is_not_in_the_layer() -> None:
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.ReLU())
    loss = model(np.ones((4, 3))).sum() + 0.1 * (model[0].weight ** 2).sum()
    assert [pair for pair in made(loss, model) if pair[0] == "power"] == [("power", None)]


def test_of_an_earlier_call_only_the_gates_that_read_parameters_are_known() -> None:
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.ReLU())
    before, after = model(np.ones((4, 3))), model(np.zeros((4, 3)))
    assert made(before, model) == [("linear", "0"), ("relu", None)]
    assert made(after, model) == [("linear", "0"), ("relu", "1")]


def test_copies_pickles_and_states_know_nothing_of_it() -> None:
    model = cnn()
    fresh = {name: [*vars(module)] for name, module in model.named_modules()}
    out = model(X)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert {name: [*vars(module)] for name, module in twin.named_modules()} == fresh
        assert all(module is None for _, module in made(out, twin))
    assert "_span" not in vars(copy.copy(model))
    assert [*model.state_dict()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert ("relu", "1.0") in made(out, model)


def test_a_subclass_with_slots_is_copied_whole() -> None:
    class Slotted(nn.ReLU):
        __slots__ = ("extra",)

    model = Slotted()
    model.extra = [1]
    model(mg.Value([1.0]))
    twin = copy.deepcopy(model)
    assert (twin.extra, vars(twin)) == ([1], {})


def test_what_records_no_graph_is_not_noted() -> None:
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.ReLU())
    out = model(np.ones((4, 3)))
    with mg.no_grad():
        model(np.ones((4, 3)))
    model.summary(np.ones((4, 3)))
    compiled = mg.compile(lambda x: model(x).sum())
    assert compiled(np.ones((4, 3))) is not None
    with pytest.raises(ShapeError):
        model(np.ones((4, 5)))
    assert made(out, model) == [("linear", "0"), ("relu", "1")]


def test_parameters_can_be_walked_while_the_model_runs() -> None:
    model = cnn()
    names = [name for name, _ in model.named_parameters() if model(X) is not None]
    assert names == [*model.state_dict()]
    model = cnn()
    assert len([module(X) for module in model.modules() if module is model]) == 1


def test_a_frame_says_what_ran_in_it() -> None:
    model = cnn()
    drawing = draw(model(X).sum(), model=model)
    assert all(f"{path}: " in drawing.source for path in ("1", "1.0", "1.1", "1.2"))


def test_it_is_noted_under_detect_anomaly_too() -> None:
    model = nn.Sequential(nn.ReLU())
    with mg.detect_anomaly():
        out = model(mg.Value([1.0, -1.0]))
    assert made(out, model) == [("relu", "0")]


def test_the_innermost_module_has_the_gate() -> None:
    """Also one that calls itself on the way, and one that is called through another's attribute."""

    class Inner(nn.Module):
        def forward(self, x: Any, again: int = 1) -> Any:
            return self(x.tanh(), again - 1) if again else x.exp()

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.inner = Inner()

        def forward(self, x: Any) -> Any:
            return self.inner(x * 2.0) + 1.0

    model = Outer()
    assert made(model(mg.Value(0.5)), model) == [
        ("multiply", ""), ("tanh", "inner"), ("exp", "inner"), ("add", ""),
    ]  # fmt: skip
