"""The numbers of the explorer page are the engine's, for every gate and on random graphs, also after inputs moved."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, viz
from minigrad.check.sampling import cases_of, is_float
from minigrad.gates import REGISTRY
from minigrad.viz.explorer.graph import Graph

pytestmark = pytest.mark.browser
FIXED = {"qr", "eigh", "svd", "cofactor", "cofactor_slope"}  # the page says that it doesn't compute these anew

NUMBERS = """app => {
  const list = x => x === null ? null : Array.isArray(x) ? x.map(list) : x.shape ? Array.from(x.data, String) : String(Number(x));
  const { replay } = app;
  return { values: replay.values.map(list), grads: replay.grads.map(list), sent: replay.sent.map(s => s.map(list)) };
}"""
MOVE = """(app, moved) => {
  const { replay } = app;
  for (const [i, numbers] of moved) numbers.forEach((x, at) => { replay.data[i] = replay.changed(i, at, x); });
  replay.compute();
}"""


def numbers(x):
    """Texts of JavaScript's numbers; nan where a list has a hole."""
    if isinstance(x, list):
        return [numbers(y) for y in x]
    return np.nan if x is None else float(x.replace("Infinity", "inf"))


def close(page, engine, about, tolerance=1e-12):
    if isinstance(engine, tuple):
        for have, want in zip(page, engine, strict=True):
            close(have, want, about, tolerance)
        return
    have, want = np.ravel(numbers(page)), np.ravel(np.asarray(engine, float))
    assert have.shape == want.shape, about
    np.testing.assert_allclose(have, want, rtol=tolerance, atol=tolerance, err_msg=str(about))


def same_numbers(visit, root, tolerance=lambda at: 1e-12):
    """Every value and every gradient in the page is that of the engine."""
    root.backward()
    graph = Graph.behind(root, None, 10**6)
    page = visit.state(NUMBERS)
    assert len(page["values"]) == len(graph.values)
    for at, value in enumerate(graph.values):
        if not isinstance(value, Value):
            continue
        close(page["values"][at], value.data, (at, value), tolerance(at))
        if value.requires_grad and value.grad is not None and not isinstance(value.data, tuple):
            close(page["grads"][at], value.grad, (at, value, "gradient"), tolerance(at))
        for have, want in zip(page["sent"][at], value.contributions(), strict=False) if value.gate else ():
            if want is not None and not isinstance(want, tuple) and not any(isinstance(x, str) for x in value.inputs):
                close(have, want, (at, value, "sent"), tolerance(at))
    return graph


def sampled(gates, rng):
    """Example calls of these gates, with their inputs."""
    return [(case, case.sample(rng)) for gate in gates for case in cases_of(gate)]


def all_in_one(calls, weights):
    """One number that depends on all of them, and its leaves, call by call."""
    terms, leaves = [], []
    for (case, inputs), scale in zip(calls, weights, strict=True):
        own = [Value(x, label=f"{case.name} {i}") if is_float(x) else x for i, x in enumerate(inputs)]
        out = case.call(*own)
        outs = out if isinstance(out, tuple) else (out,)
        terms += [(mg.sin(part) * scale).sum() for part in outs if part.requires_grad]
        leaves += [x for x in own if isinstance(x, Value)]
    return mg.sum(mg.stack(terms)), leaves


def smooth():
    return [gate for gate in REGISTRY.values() if gate.differentiable and gate.name not in FIXED]


def test_every_gate(visit, rng):
    calls = sampled(smooth(), rng)
    weights = rng.uniform(0.5, 1.5, len(calls))
    root, _ = all_in_one(calls, weights)
    circuit = viz.explore(root, max_nodes=20)
    page = visit(viz.explore(root, max_nodes=10_000))
    assert "20 values" in circuit.note or "nearest" in circuit.note
    same_numbers(page, root)
    for _ in range(2):  # other numbers in all leaves at once
        calls = [(case, case.sample(rng)) for case, _ in calls]
        root, leaves = all_in_one(calls, weights)
        places = {x: at for at, x in enumerate(Graph.behind(root, None, 10**6).values) if isinstance(x, Value)}
        page.state(MOVE, [[places[x], np.ravel(x.data).tolist()] for x in leaves if x in places])
        same_numbers(page, root)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_gates_that_the_page_does_not_compute_show_the_engine_s_numbers(visit, rng, name):
    root, _ = all_in_one(calls := sampled([REGISTRY[name]], rng), np.ones(len(calls)))
    circuit = viz.explore(root)
    assert "Not recomputed here" in circuit.note
    assert name.removesuffix("_slope") in circuit.note
    page = visit(circuit)
    same_numbers(page, root)
    assert page.page.locator("#rows input:not([disabled])").count() == 0
