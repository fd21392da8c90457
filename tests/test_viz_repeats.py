"""Rows of equal parts in graphs without a model: "× 12", and the numbers around it stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_viz import leaf, random_graph, texts
from test_viz_modules import balanced

import minigrad as mg
from minigrad.viz.circuit import Circuit, trace
from minigrad.viz.drawing import draw
from minigrad.viz.repeats import fold_repeats, rows


def layers(count: int, seed: int = 0) -> mg.Value:
    """Residual layers with weights of their own, as a loop makes them."""
    rng = np.random.default_rng(seed)
    y = mg.Value(rng.normal(size=4), "x")
    for i in range(count):
        W, b = mg.Value(rng.normal(size=(4, 4)), f"W{i}"), mg.Value(rng.normal(size=4), f"b{i}")
        y = y + (y @ W + b).tanh() * 0.5
    loss = (y**2).mean()
    loss.label = "loss"
    loss.backward()
    return loss


def boxes(circuit: Circuit) -> list[str]:
    return [str(node.symbol) for node in circuit.nodes if node.gate == "repeat"]


def gates(circuit: Circuit) -> int:
    """How many gates a picture stands for, by its own words."""
    total = 0
    for node in circuit.nodes:
        if node.gate == "repeat":
            total += int(node.inside[0].split()[0]) * int(str(node.symbol).rpartition("× ")[2])
        elif node.gate is not None:
            total += 1
    return total


def test_layers_made_in_a_loop_are_one_box() -> None:
    whole = trace(layers(12))
    closed = fold_repeats(whole)
    assert [node.label or node.symbol for node in closed.nodes if not node.constant] == [
        "x",
        "@ … + × 12",
        "**",
        "loss",
    ]
    (box,) = [node for node in closed.nodes if node.gate == "repeat"]
    assert box.inside == ("5 gates", "20 parameters", "each")
    assert gates(closed) == gates(whole) == 62
    assert len([w for w in closed.wires if w.target == box.id]) == 2  # into the sum, and into the product
    balanced(closed)


@pytest.mark.parametrize("count", [3, 5, 40])
def test_what_is_left_has_its_numbers(count: int) -> None:
    whole = trace(layers(count))
    closed = fold_repeats(whole)
    nodes, wires = {node.id: node for node in whole.nodes}, {wire.id: wire for wire in whole.wires}
    for node in closed.nodes:
        before = nodes[node.id]
        assert node.data is before.data
        assert node.grad is before.grad
        assert node.label == before.label
    for wire in closed.wires:
        assert wire.source == wires[wire.id].source
        assert wire.contribution is wires[wire.id].contribution
    balanced(closed)


def test_two_are_no_row() -> None:
    whole = trace(layers(2))
    assert fold_repeats(whole) == whole


def test_rows_within_rows_of_numbers() -> None:
    assert [*rows([1, 1, 1, 1])] == [(0, 1, 4)]
    assert [*rows([1, 2, 1, 2, 1, 2, 1])] == [(0, 2, 3)]
    assert [*rows([5, 3, 3, 3, 4, 6, 6, 6])] == [(1, 1, 3), (5, 1, 3)]
    assert [*rows([1, 2, 3, 4])] == [*rows([])] == []


def different(kind: str) -> mg.Value:
    """Nine layers, the fifth of which is another."""
    y = mg.Value(np.ones(4), "x")
    extra = mg.Value(np.ones(4), "extra")
    total: Any = 0.0
    for i in range(9):
        odd = kind if i == 4 else ""
        wide = {4: (4, 6), 5: (6, 4)} if kind == "shape" else {}
        W = mg.Value(np.full(wide.get(i, (4, 4)), 0.1), f"W{i}")
        z = y @ W
        y = (z.sigmoid() if odd == "gate" else z.tanh()) * (extra if odd == "way in" else 1.0)
        if odd == "way out":
            total = z.sum()
        if odd == "wiring":
            y = y * y
    out = y.sum() + total + extra.sum()
    out.backward()
    return out


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("shape", [4, 3]), ("gate", [4, 4]), ("way in", [4, 4]), ("way out", [4]), ("wiring", [5, 4])],
)
def test_a_part_that_differs_is_no_part_of_the_row(kind: str, expected: list[int]) -> None:
    whole = trace(different(kind))
    closed = fold_repeats(whole)
    counts = [int(symbol.rpartition("× ")[2]) for symbol in boxes(closed)]
    assert counts == expected
    assert gates(closed) == gates(whole)
    balanced(closed)


def test_weights_that_the_parts_share_are_not_hidden() -> None:
    W, y = mg.Value(np.eye(3), "W"), mg.Value(np.ones(3), "x")
    for _ in range(10):
        y = (y @ W).tanh()
    assert boxes(fold_repeats(trace(y))) == []


@pytest.mark.parametrize("seed", range(10))
def test_graphs_without_rows_and_with_them(seed: int) -> None:
    """A random graph, a chain behind it, and another graph of the result."""
    y = random_graph(seed)
    for i in range(6):
        y = (y * leaf(1.1, f"a{i}")).tanh()
    f = y * y + y.exp()
    f.backward()
    whole = trace(f)
    closed = fold_repeats(whole)
    assert boxes(closed)[-1] == "* tanh × 6"
    assert gates(closed) == gates(whole)
    balanced(closed)


def test_the_picture_says_what_is_closed() -> None:
    drawing = draw(layers(40), max_nodes=50)
    size = len(trace(layers(40)).nodes)
    said = texts(drawing)
    assert said["graph0"] == [f"{size} values; rows of equal parts are boxes. max_nodes={size} opens them."]
    assert ["@ … + × 40", "5 gates", "20 parameters", "each"] in said.values()
    assert not boxes(draw(layers(40), max_nodes=size).circuit)
    assert "nearest to the result" in draw(layers(40), max_nodes=3).circuit.note  # not even the boxes fit


def test_a_leaf_that_is_used_before_the_row_too_is_not_hidden() -> None:
    s = leaf(1.5, "s")
    y = leaf(2.0, "x") * s
    for i in range(6):
        y = (y * (s if i == 0 else leaf(1.5, f"s{i}"))).tanh()
    y.backward()
    whole = trace(y)
    closed = fold_repeats(whole)
    assert boxes(closed) == ["* tanh × 5"]
    assert gates(closed) == gates(whole)
    assert "s" in [node.label for node in closed.nodes]
    balanced(closed)


@pytest.mark.parametrize("seed", range(25))
def test_no_gate_and_no_wire_is_lost(seed: int) -> None:
    """Loops of several kinds, some of which share a value with others, and sums of what they make."""
    rng = np.random.default_rng(seed)
    values = [leaf(float(rng.uniform(0.5, 1.5)), f"x{i}") for i in range(3)]
    for _ in range(int(rng.integers(1, 6))):
        kind, shared = rng.integers(4), values[rng.integers(len(values))]
        y = values[rng.integers(len(values))]
        for _ in range(int(rng.integers(1, 9))):
            z = y.sigmoid() if kind == 3 else y
            y = [(y * leaf(1.01)).tanh, (y + y * 0.5).tanh, (y * shared).tanh, (z * leaf(0.9) + y * z).tanh][kind]()
            values += [y] * int(rng.random() < 0.1)
        values.append(y)
    out = sum([v for v in values[3:-1] if rng.random() < 0.4], values[-1])
    out.backward()
    whole = trace(out)
    closed = fold_repeats(whole)
    ids, reached = {node.id for node in closed.nodes}, {wire.target for wire in closed.wires}
    assert all([wire.source in ids and wire.target in ids for wire in closed.wires])
    assert all([node.id in reached for node in closed.nodes if node.symbol is not None])
    assert gates(closed) == gates(whole)
    balanced(closed)
