"""Every gate of the catalogue and random graphs, drawn: the picture is parsed, and says what the engine says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_viz import random_graph, texts

import minigrad as mg
from minigrad.check.sampling import cases_of, is_float
from minigrad.value import chain_rule, times
from minigrad.viz.circuit import trace
from minigrad.viz.drawing import draw
from minigrad.viz.words import data_text, size_text

CASES = [cases_of(gate)[-1] for gate in mg.REGISTRY.values() if gate.differentiable]


def expected(x: Any) -> str:
    return size_text(x, 17)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_gates_wires_say_what_the_engine_sends(case: Any) -> None:
    rng = np.random.default_rng(0)
    plain = case.gate.plain
    inputs = [
        mg.Value(x, label=f"x{i}") if is_float(x) and i not in plain else x for i, x in enumerate(case.sample(rng))
    ]
    out = case.call(*inputs)
    outs = out if isinstance(out, tuple) else (out,)
    root = sum([(o * mg.Value(rng.normal(size=o.shape), requires_grad=False)).sum() for o in outs[1:]], outs[0].sum())
    root.backward()
    circuit, drawn = trace(root), texts(draw(root, digits=17, max_nodes=100, heatmaps=False))
    nodes = {node.id: node for node in circuit.nodes}
    received: dict[str, Any] = {}
    for wire in circuit.wires:
        said = " ".join(" ".join(drawn[wire.id]).split())
        source, target = nodes[wire.source], nodes[wire.target]
        if source.constant:
            assert said == ""
            continue
        shape = f"{np.shape(wire.contribution)} " if wire.local is None and np.ndim(wire.contribution) else ""
        local = "" if wire.local is None else f"local {data_text(wire.local, 17)} "
        assert said == " ".join(f"{local}→ {shape}{expected(wire.contribution)}".split())
        if wire.local is not None:  # upstream times local, in the source's shape
            with np.errstate(all="ignore"):
                product = np.asarray(times(np.asarray(target.grad), np.asarray(wire.local)))
            extra = product.ndim - np.ndim(source.data)
            product = product.sum(axis=tuple(range(extra)))
            stretched = [i for i, n in enumerate(np.shape(source.data)) if n == 1 != product.shape[i]]
            product = product.sum(axis=tuple(stretched), keepdims=True)
            np.testing.assert_allclose(wire.contribution, product, rtol=1e-9, atol=1e-12)
        if not isinstance(source.data, tuple):
            received[wire.source] = received.get(wire.source, 0.0) + wire.contribution
    for node in circuit.nodes[:-1]:
        if node.id in received:
            np.testing.assert_allclose(received[node.id], node.grad, rtol=1e-9, atol=1e-12)
            assert drawn[node.id][-2:] == [data_text(node.data, 17), expected(node.grad)]
            assert node.marks == ()


def test_a_gate_that_mixes_elements_shows_its_vjp() -> None:
    rng = np.random.default_rng(1)
    A, B = mg.Value(rng.normal(size=(4, 3)), "A"), mg.Value(rng.normal(size=(3, 5)), "B")
    product = A @ B
    (product * product).sum().backward()
    drawn = texts(draw(product, digits=17))
    parts = {x.label: d for x, d in chain_rule(product, product.grad)}
    np.testing.assert_allclose(parts["A"], product.grad @ B.data.T)
    for wire, name in (("e0", "A"), ("e1", "B")):
        assert drawn[wire] == ["→", f"{parts[name].shape} {expected(parts[name])}"]


@pytest.mark.parametrize("seed", range(20))
def test_contributions_drawn_at_a_fan_out_sum_to_the_gradient_drawn(seed: int) -> None:
    f = random_graph(100 + seed)
    f.backward()
    circuit, drawn = trace(f), texts(draw(f, digits=17))
    total: dict[str, float] = {}
    for wire in circuit.wires:
        if drawn[wire.id]:
            sent = float(" ".join(drawn[wire.id]).split("→")[1])
            total[wire.source] = total.get(wire.source, 0.0) + sent
    for node in circuit.nodes[:-1]:
        if not node.constant:
            assert total[node.id] == pytest.approx(float(drawn[node.id][-1]), rel=1e-12, abs=1e-15)
            assert node.marks == ()
