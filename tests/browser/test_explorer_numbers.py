"""The numbers of the explorer page are the engine's, for every gate and on random graphs, also after inputs moved."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, viz
from minigrad.check.sampling import cases_of, is_float
from minigrad.gates import REGISTRY
from minigrad.viz.explorer.graph import Graph, operands_of

pytestmark = pytest.mark.browser
FIXED = {"qr", "eigh", "svd", "cofactor", "cofactor_slope"}  # the page says that it doesn't compute these anew

NUMBERS = """app => {
  const list = x => x === null ? null : Array.isArray(x) ? x.map(list)
    : x.shape ? Array.from(x.data, String) : String(Number(x));
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
        if value.gate:
            inputs = [known for _, _, known in operands_of(value)]
            wanted = [d for d, known in zip(value.contributions(), inputs, strict=False) if known]
            for have, want in zip(page["sent"][at], wanted, strict=True):
                if want is not None and not isinstance(want, tuple):
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
    page = visit(viz.explore(root, max_nodes=1_000))
    assert "20 values" in circuit.note or "nearest" in circuit.note
    same_numbers(page, root)
    for _ in range(2):  # other numbers in all leaves at once
        calls = [(case, case.sample(rng)) for case, _ in calls]
        root, leaves = all_in_one(calls, weights)
        places = {x: at for at, x in enumerate(Graph.behind(root, None, 10**6).values) if isinstance(x, Value)}
        page.state(MOVE, [[places[x], np.ravel(x.data).tolist()] for x in leaves if x in places])
        same_numbers(page, root)


EDGES = [
    0.0, 1e-300, 1e-8, 0.3, 0.5, 0.9, 1.0, 1.5, 2.0, 2.5, 3.0, 5.5, 6.0, 7.3, 10.0, 25.0, 40.0, 100.0, 300.0, 700.0,
    1e8, 1e300, np.inf,
]  # fmt: skip


def test_elementwise_gates_at_infinities_zeros_and_far_out(visit):
    numbers = np.array([*EDGES, *[-x for x in EDGES], np.nan])
    few = numbers[::3]
    terms = []
    for gate in REGISTRY.values():
        if gate.elementwise and gate.arity == 1:
            terms.append(gate(Value(numbers, label=gate.name)).sum())
        elif gate.elementwise and gate.arity == 2 and not gate.plain:
            pair = np.meshgrid(few, few)
            terms.append(gate(*[Value(x, label=f"{gate.name} {i}") for i, x in enumerate(pair)]).sum())
    root = terms[0]
    for term in terms[1:]:
        root = root + term
    same_numbers(visit(viz.explore(root, max_nodes=200)), root)


@pytest.mark.parametrize("name", sorted(FIXED))
def test_gates_that_the_page_does_not_compute_show_the_engine_s_numbers(visit, rng, name):
    root, _ = all_in_one(calls := sampled([REGISTRY[name]], rng), np.ones(len(calls)))
    circuit = viz.explore(root)
    assert "Not recomputed here" in circuit.note
    assert name.removesuffix("_slope") in circuit.note
    page = visit(circuit)
    same_numbers(page, root)
    assert page.page.locator("#rows input:not([disabled])").count() == 0


# ------------------------------------------------------------------------------------------------------- random graphs
UNARY = ["exp", "tanh", "sigmoid", "relu", "sin", "cos", "square", "softplus", "arctan", "absolute", "negative"]
BINARY = ["add", "multiply", "subtract", "maximum", "minimum", "hypot", "logaddexp"]


def random_graph(seed, arrays):
    """Leaves with labels, and gates on values that were made before, some of them used often."""
    rng = np.random.default_rng(seed)
    shapes = [(2, 3), (3,), (2, 1), ()] if arrays else [()]
    data = [rng.uniform(-1.5, 1.5, shapes[i % len(shapes)]) for i in range(4)]

    def build(data):
        steps = np.random.default_rng(seed + 1000)
        values = [Value(x if x.shape else float(x), label=f"x{i}") for i, x in enumerate(data)]
        leaves = list(values)
        for _ in range(12):
            a, b = [values[int(i)] for i in steps.integers(0, len(values), 2)]
            if steps.random() < 0.4:
                values.append(REGISTRY[str(steps.choice(UNARY))](a * 0.5))
            else:
                values.append(REGISTRY[str(steps.choice(BINARY))](a, b))
        used = [v for v in values[4:] if v.size > 1] or values[-1:]
        root = (values[-1] * values[-2] + values[-3]).sum() + sum([v.mean() for v in used])
        for leaf in leaves:  # every leaf has a path
            root = root + mg.tanh(leaf).sum()
        root.label = "f"
        return root, leaves

    return build, data, rng


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs(visit, seed):
    build, data, rng = random_graph(seed, arrays=seed >= 10)
    root, leaves = build(data)
    page = visit(viz.explore(root))
    same_numbers(page, root)
    before = page.state(NUMBERS)["values"][-1]
    places = {x: at for at, x in enumerate(Graph.behind(root, None, 10**6).values) if isinstance(x, Value)}
    data = [rng.uniform(-1.5, 1.5, x.shape) for x in data]
    page.state(MOVE, [[places[leaf], np.ravel(x).tolist()] for leaf, x in zip(leaves, data, strict=True)])
    i = seed % 4  # and one of them as a reader would
    at = tuple(int(rng.integers(0, n)) for n in data[i].shape)
    data[i][at] = number = round(float(rng.uniform(-1.5, 1.5)), 3)
    page.page.select_option("#chosen", str(places[leaves[i]]))
    for axis, k in enumerate(at):
        page.page.locator("#index input").nth(axis).fill(str(k))
        page.page.keyboard.press("Tab")
    row = page.page.locator("#rows .chosen")
    row.locator("input[type=range]").fill("0.25")
    row.locator("input[type=number]").fill(str(number))
    page.page.keyboard.press("Tab")
    moved, _ = build(data)
    same_numbers(page, moved)
    page.page.click("#reset")
    assert page.state(NUMBERS)["values"][-1] == before


def test_float32_is_rounded_as_the_engine_rounds(visit, rng):
    x = Value(rng.uniform(-1, 1, (4, 3)).astype(np.float32), label="x")
    w = Value(rng.uniform(-1, 1, (3, 2)).astype(np.float32), label="w")
    root = (mg.softmax(mg.tanh(x @ w)) * 3.0).mean()
    page = visit(viz.explore(root))
    same_numbers(page, root, lambda at: 3e-7)
    values = page.state("app => app.replay.values.flatMap(x => Array.from(x.data ?? []))")
    assert values
    assert np.array_equal(np.float32(values), values)


def test_a_network_with_convolutions_and_a_loss(visit, rng):
    model = mg.nn.Sequential(
        mg.nn.Conv2d(1, 3, 3, padding=1, rng=rng), mg.nn.ReLU(), mg.nn.MaxPool2d(2), mg.nn.Flatten(),
        mg.nn.Linear(48, 4, rng=rng),
    )  # fmt: skip
    images, labels = rng.uniform(0, 1, (2, 1, 8, 8)), np.array([1, 3])
    root = mg.nn.CrossEntropyLoss()(model(images), labels)
    circuit = viz.explore(root, model=model)
    page = visit(circuit)
    same_numbers(page, root)
    assert page.page.locator("#level option").count() >= 3
    weight = model[0].weight
    before = weight.data.copy()
    places = {x: at for at, x in enumerate(Graph.behind(root, None, 10**6).values) if isinstance(x, Value)}
    weight.data = before * 0.5
    page.state(MOVE, [[places[weight], np.ravel(weight.data).tolist()]])
    model.zero_grad()
    same_numbers(page, mg.nn.CrossEntropyLoss()(model(images), labels))


def test_choices_of_this_run_are_said_to_be_fixed(visit, rng):
    x = Value(rng.uniform(-1, 1, (1, 1, 4, 4)), label="x")
    root = mg.sort(x).max() + mg.where(x > 0, x, 0.1 * x).sum()
    circuit = viz.explore(root)
    assert "don't follow the sliders" in circuit.note
    same_numbers(visit(circuit), root)


def test_index_arrays_of_one_shape_are_told_apart(visit):
    x = Value([1.0, 2.0, 3.0, 4.0], label="x")
    long = np.arange(2000) % 4
    index = long[::-1]
    root = (x[np.array([0, 1])] * x[np.array([2, 3])] * x[1:3]).sum() + (x[long] * x[index] ** 3).sum() + x[3] * x[1]
    same_numbers(visit(viz.explore(root)), root)


CHOICES = {
    "where": lambda x, w: mg.where(x * w > 0.5, x * w, -0.3 * x).sum(),
    "scalar where": lambda x, w: mg.where(w > 1.0, w * 2.0, w * w),
    "mask": lambda x, w: (x * w * ((x > 0) & (x * w < 2.0))).sum(),
    "max_pool": lambda x, w: mg.max_pool2d(mg.reshape(x * w, (1, 1, 2, 4)), 2).sum(),
    "hand-made relu": lambda x, w: (mg.maximum(x * w, 0.0) + mg.where(x > w, x, 0.0)).sum(),
    "sort": lambda x, w: (mg.argmax(x * w) * w * x).sum(),
}


@pytest.mark.parametrize("name", CHOICES)
def test_of_a_function_masks_are_computed_anew(visit, rng, name):
    f = CHOICES[name]
    x, w = Value(rng.uniform(-2, 2, 8), label="x"), Value(1.5, label="w")
    circuit = viz.explore(lambda: f(x, w))
    assert circuit.note == ""
    page = visit(circuit)
    for _ in range(3):
        x.grad = w.grad = None
        root = f(x, w)
        root.backward()
        named = page.state(NUMBERS)
        close(named["values"][-1], root.data, name)
        for leaf in (x, w):
            at = page.state("(app, name) => app.words.names.indexOf(name)", leaf.label)
            if at >= 0:
                close(named["grads"][at], leaf.grad, (name, leaf))
        x.data, w.data = rng.uniform(-2, 2, 8), float(rng.uniform(-2, 2))
        places = {leaf: page.state("(app, name) => app.words.names.indexOf(name)", leaf.label) for leaf in (x, w)}
        page.state(MOVE, [[at, np.ravel(leaf.data).tolist()] for leaf, at in places.items() if at >= 0])


def test_a_gate_of_the_user_s_own_is_recomputed_from_numpy_s_functions(visit):
    softplus = mg.Gate("my_softplus", lambda x: np.logaddexp(0, x), local=[lambda out, x: mg.sigmoid(x)])
    x = Value(0.5, label="x")
    page = visit(viz.explore(mg.square(softplus(x))))
    page.state(MOVE, [[0, [-1.25]]])
    x = Value(-1.25, label="x")
    same_numbers(page, mg.square(softplus(x)))


def test_a_gate_that_only_python_can_compute_is_named_and_its_inputs_are_fixed(visit):
    import math

    table = mg.Gate("table", lambda x: math.floor(float(x) * 3) / 3.0, local=[lambda out, x: 1.0])
    x, y = Value(0.7, label="x"), Value(2.0, label="y")
    root = table(x) * y
    circuit = viz.explore(root)
    assert "Not recomputed here: table. The inputs before them are fixed." in circuit.note
    page = visit(circuit)
    same_numbers(page, root)
    assert page.page.locator("#rows input[disabled]").count() == 2
    page.state(MOVE, [[page.state("app => app.words.names.indexOf('y')"), [5.0]]])
    x, y = Value(0.7, label="x"), Value(5.0, label="y")
    same_numbers(page, table(x) * y)


def test_numbers_that_json_does_not_know(visit):
    x, y = Value(0.0, label="x"), Value(-0.0, label="y")
    root = mg.log(x) * 2.0 + y / x + mg.sqrt(Value(-1.0, label="z"))
    page = visit(viz.explore(root))
    same_numbers(page, root)
    texts = page.page.locator("#circuit .value").all_text_contents()
    assert {"nan", "−inf", "−0"} <= set(texts)
