"""viz.explain and viz.derive: the paths add up to the engine's gradient, and the text says what is wrong with it."""

import gc
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import Value, nn, viz
from minigrad.errors import DtypeError, GradientError, OutOfRangeError, ShapeError
from minigrad.value import sent
from minigrad.viz.names import number


def circuit():
    x, y, z = Value(-2.0, label="x"), Value(5.0, label="y"), Value(-4.0, label="z")
    q = x + y
    f = q * z
    q.label, f.label = "q", "f"
    return f, x, y, z


def all_paths(loss, x):
    """Every product of local gradients along a path, by brute force."""
    if loss is x:
        return [1.0]
    return [
        float(d) * rest
        for v, d in zip(loss.inputs, loss.local_gradients(), strict=True)
        if isinstance(v, Value) and d is not None
        for rest in all_paths(v, x)
    ]


# -------------------------------------------------------------------------------------------------- worked examples
def test_cs231n_circuit():
    f, x, _, z = circuit()
    assert str(viz.explain(f, x)) == (
        "∂f/∂x = −4\n1 path leads from x to f:\n  −4  (100 %)   x →[+: 1]→ q →[*: −4]→ f\n"
        "Nothing is closed, saturated or cancelling."
    )
    assert viz.explain(f, z).gradient == 3.0
    assert x.grad is None
    assert f.grad is None


def test_cs231n_sigmoid_neuron():
    numbers = {"w0": 2.0, "w1": -3.0, "w2": -3.0, "x0": -1.0, "x1": -2.0}
    w0, w1, w2, x0, x1 = [Value(x, label=name) for name, x in numbers.items()]
    dot = w0 * x0 + w1 * x1 + w2
    f = 1 / (1 + mg.exp(-dot))
    found = viz.explain(f, w0)
    assert found.gradient == pytest.approx(-0.19661193324148185, rel=1e-15)
    for text in ("−0.196612", "[exp: 0.367879]", "[/: −0.534447]", "[*: −1]"):
        assert text in found.text
    derived = viz.derive(f, x0)
    assert derived.gradient == pytest.approx(0.3932238664829637, rel=1e-15)
    assert "(−0.534447) · 1 · 0.367879 · (−1) · 1 · 1 · 2\n          = 0.393224\n" in derived.text


def test_derivation_of_the_circuit():
    f, x, *_ = circuit()
    derived = viz.derive(f, x)
    assert derived.text == "∂f/∂x = ∂f/∂q · ∂q/∂x\n  ∂f/∂q = z = −4\n  ∂q/∂x = 1\n∂f/∂x = (−4) · 1\n      = −4"
    assert r"\frac{\partial f}{\partial q} &= z = -4 \\" in derived.latex
    assert derived.latex.startswith(r"\begin{aligned}")
    assert derived._repr_latex_().startswith("$$")
    assert x.grad is None


def test_a_value_on_two_wires_is_derived_wire_by_wire():
    x = Value(3.0, label="x")
    assert viz.derive(x * x, x).text == (
        "∂loss/∂x = ∂loss/∂x|₁ + ∂loss/∂x|₂\n  ∂loss/∂x|₁ = x = 3\n  ∂loss/∂x|₂ = x = 3\n∂loss/∂x = 3 + 3\n"
        "         = 6\n|₁, |₂, …: along one wire alone, the first, the second, … from that value into that gate."
    )
    y = Value(0.5, label="y")
    loss = y * mg.exp(y)  # ∂loss/∂y is more than the slope of the product's first wire
    lines = viz.derive(loss, y).text.splitlines()
    assert lines[0] == "∂loss/∂y = ∂loss/∂y|₁ + ∂loss/∂v1 · ∂v1/∂y"
    assert lines[1] == "  ∂loss/∂y|₁ = v1 = 1.64872"
    assert r"\frac{\partial \mathrm{loss}}{\partial x}|_{2} &= x = 3" in viz.derive(x * x, x).latex
    assert "|" not in viz.derive(mg.exp(x) * 2.0, x).text


def test_the_branch_that_was_taken():
    x = Value(2.0, label="x")
    assert "∂loss/∂x = 3 · x^(3 − 1) = 3 · 2^(3 − 1) = 12" in viz.derive(x**3, x).text
    assert "[loss ≠ 0] = [2 ≠ 0] = 1" in viz.derive(x.relu(), x).text
    assert viz.derive(mg.leaky_relu(x), x).text == "∂loss/∂x = 1"
    assert viz.derive(mg.tanh(x / 4.0), x).text.splitlines()[1] == (
        "  ∂loss/∂v1 = 1 − loss · loss = 1 − 0.462117 · 0.462117 = 0.786448"
    )
    assert (
        "sech_squared(loss, x) = sech_squared(0.964028, 2) = 0.0706508   (1 - tanh²" in viz.derive(mg.tanh(x), x).text
    )
    assert "negative_slope = 0.01" in viz.derive(mg.leaky_relu(-x), x).text


def test_staged_computation():
    x, y = Value(3.0, label="x"), Value(-4.0, label="y")
    f = (x + mg.sigmoid(y)) / (mg.sigmoid(x) + (x + y) ** 2)
    found = viz.explain(f, x)
    assert found.gradient == pytest.approx(2.059569795572165, rel=1e-14)
    assert found.count == 3
    assert sum(p.contribution for p in found.paths) == pytest.approx(found.gradient, rel=1e-14)
    assert "sum of the paths: 2.05957" in found.text


# ------------------------------------------------------------------------------------------------ against the engine
OPERATIONS = [
    lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: mg.tanh(a) + b, lambda a, b: a.relu() * b,
    lambda a, b: mg.maximum(a, b), lambda a, b: mg.sin(a) * 0.5,
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=9))
def test_random_graphs(steps):
    x = Value(0.7, label="x")
    values = [x, Value(-1.3, label="y")]
    for op, i, j in steps:
        values.append(OPERATIONS[op](values[-1 - i % len(values)], values[-1 - j % len(values)]))
    loss = values[-1]
    found = viz.explain(loss, x, k=2000)
    products = all_paths(loss, x)
    if not products:
        assert found.gradient is None
        assert found.diagnosis[0].startswith("unused")
        return
    loss.backward()
    assert found.gradient == x.grad
    assert found.count == len(products) == len(found.paths)
    assert math.fsum(p.contribution for p in found.paths) == pytest.approx(x.grad, rel=1e-12, abs=1e-12)
    sizes = [abs(p.contribution) for p in found.paths]
    np.testing.assert_allclose(sizes, sorted(map(abs, products), reverse=True), rtol=1e-12, atol=1e-15)
    few = viz.explain(loss, x, k=3)
    np.testing.assert_allclose([abs(p.contribution) for p in few.paths], sizes[:3], rtol=1e-12)
    assert len({p.steps for p in found.paths}) == len(products)  # each path once
    viz.derive(loss, x)


def test_exponentially_many_paths():
    x = Value(1.0, label="x")
    v, gradient, best = x, 1.0, []
    for i in range(60):
        a, b = 1.0 + i / 100, -0.3
        v = v * a + v * b
        gradient *= a + b
        best.append((a, b))
    found = viz.explain(v, x, k=4)
    assert found.count == 2.0**60
    assert found.gradient == pytest.approx(gradient, rel=1e-12)
    top = math.prod(a for a, _ in best)
    flips = sorted((b / a for a, b in best), key=abs, reverse=True)[:3]
    assert [p.contribution for p in found.paths] == pytest.approx([top, *[top * flip for flip in flips]], rel=1e-12)
    assert "1.15e+18 paths" in found.text
    assert "% of all that flows" in found.text
    everything = math.prod(a - b for a, b in best)
    share = sum(abs(p.contribution) for p in found.paths) / everything
    assert f"{100 * share:.3g} % of all that flows" in found.text


def test_ties_stay_linear():
    x = Value(1.0, label="x")
    v = x
    for _ in range(2000):  # 2^2000 paths that are all the same size
        v = v + v
        v = v * 0.5
    found = viz.explain(v, x, k=7)
    assert found.count == math.inf
    assert found.gradient == 1.0
    assert len({p.steps for p in found.paths}) == 7


def test_a_long_chain_does_not_recurse():
    x = Value(1.0, label="x")
    v = x
    for _ in range(100_000):
        v = v * 0.999
    found = viz.explain(v, x)
    assert "99990 more gates" in found.text
    assert "vanishing: 100000 gates in a row, 0.999 per gate on average, multiply to 10^−43.5" in found.text
    assert "…" in viz.derive(v, x).text


# ----------------------------------------------------------------------------------------------------------- arrays
def test_arrays_share_the_gradient():
    rng = np.random.default_rng(1)
    W, X = Value(rng.normal(size=(2, 3)), label="W"), Value(rng.normal(size=(4, 2)), label="X")
    h = (X @ W - 0.4).relu()
    loss = (h * h).mean() + (W * W).sum()
    found = viz.explain(loss, W)
    loss.backward()
    np.testing.assert_array_equal(found.gradient, W.grad)
    np.testing.assert_allclose(sum(p.contribution for p in found.paths), W.grad, rtol=1e-13)
    assert found.count == 4
    assert "array (2, 3) of length" in found.text
    assert "dead ReLU" in found.text
    for index in itertools.product(range(2), range(3)):
        one = viz.explain(loss, W, index=index)
        assert one.gradient == W.grad[index]
        assert sum(p.contribution for p in one.paths) == pytest.approx(W.grad[index], rel=1e-12)
        assert f"∂loss/∂W[{index[0]}, {index[1]}]" in one.text
    derived = viz.derive(loss, W).text
    assert "g ↦ matmul_right(g, " in derived
    assert "of length" in derived


def test_what_was_broadcast_or_cast_is_summed_and_cast_on_the_way():
    x, b = Value([1.0, 2.0, 3.0], label="x"), np.arange(6.0).reshape(2, 3)
    for loss in (((x * 2.0 + b) * b).sum(), ((x.astype(np.float32) * 0.5).astype(np.float64) * b).sum()):
        found = viz.explain(loss, x)
        x.zero_grad()
        loss.backward()
        np.testing.assert_array_equal(found.gradient, x.grad)
        assert found.paths[0].contribution.shape == (3,)


def test_one_entry_derived():
    rng = np.random.default_rng(2)
    W = Value(rng.normal(size=(2, 3)), label="W")
    loss = (rng.normal(size=(4, 2)) @ W).tanh().sum() + (W * W).sum()
    loss.backward()
    for index in ((0, 1), (-1, 2)):
        derived = viz.derive(loss, W, index=index)
        assert derived.gradient == W.grad[index]
        name = f"∂loss/∂W[{index[0]}, {index[1]}]"
        lines = derived.text.splitlines()
        assert lines[0].startswith(f"{name} = ∂loss/")
        assert lines[0].count(f"/∂W[{index[0]}, {index[1]}]") == 4  # loss, and three wires that come from W
        assert f" = {number(W.grad[index])}" in derived.text
        assert f"{{W}}_{{{index[0]}, {index[1]}}}" in derived.latex
        total = sum(p.contribution for p in viz.explain(loss, W, index=index).paths)
        assert derived.gradient == pytest.approx(total, rel=1e-12)
    with pytest.raises(OutOfRangeError, match="derive: index=5"):
        viz.derive(loss, W, index=5)
    with pytest.raises(ShapeError, match=r"derive: index=0.*picks one entry"):
        viz.derive(loss, W, index=0)


def test_names_in_a_model():
    model = nn.MLP([2, 3, 1], rng=np.random.default_rng(0))
    loss = model(np.ones((4, 2))).mean()
    weight = model.layers[0].weight
    found = viz.explain(loss, weight, index=(0, 1), model=model)
    assert found.text.startswith("∂loss/∂layers.0.weight[0, 1] = ")
    assert "linear(v2, layers.2.weight, layers.2.bias)" in found.text
    assert "∂v3/∂layers.0.weight: g ↦" in viz.derive(loss, weight, model=model).text
    assert r"\mathrm{layers.0.weight}" in viz.derive(loss, weight, model=model).latex
    assert viz.explain(loss, weight).text.startswith("∂loss/∂weight = ")
    for function in (viz.explain, viz.derive):
        with pytest.raises(DtypeError, match=f"{function.__name__}: model=3 is a int, not an nn.Module"):
            function(loss, weight, model=3)


def test_the_parameters_of_gates_are_shown():
    x = Value(np.arange(6.0).reshape(2, 3) / 5.0, label="x")
    loss = mg.softmax(x, axis=0)[:, 1:].sum(1, keepdims=True).max()
    found = viz.explain(loss, x)
    assert "x →[softmax axis=0]→ v1 →[[:, 1:]]→ v2 →[Σ axis=1, keepdims=True]→ v3 →[max]→ loss" in found.text
    assert "v1 = softmax(x, axis=0) = array (2, 3)\n" in found.text
    assert "v2 = v1[:, 1:] = array (2, 2)\n" in found.text
    assert "v3 = sum(v2, axis=1, keepdims=True) = array (2, 1)\n" in found.text
    assert "(axis = 1; keepdims = True; " in viz.derive(loss, x).text
    leaky = mg.leaky_relu(Value(-2.0, label="x"), negative_slope=0.25)
    assert "x →[leaky_relu negative_slope=0.25: 0.25]→ loss" in viz.explain(leaky, leaky.inputs[0]).text
    assert viz.derive(leaky, leaky.inputs[0]).text == "∂loss/∂x = negative_slope = 0.25"


def test_several_outputs_and_modules():
    A = Value([[3.0, 1.0], [1.0, 2.0]], label="A")
    values, vectors = mg.linalg.eigh(A)
    loss = (values * values).sum() + vectors[0, 0]
    found = viz.explain(loss, A)
    loss.backward()
    np.testing.assert_allclose(sum(p.contribution for p in found.paths), A.grad, rtol=1e-12, atol=1e-14)
    model = nn.MLP([3, 4, 2], rng=np.random.default_rng(0))
    cost = nn.CrossEntropyLoss()(model(np.ones((5, 3))), np.zeros(5, int))
    for p in model.parameters():
        found = viz.explain(cost, p)
        p.zero_grad()
        cost.backward()
        np.testing.assert_allclose(sum(path.contribution for path in found.paths), p.grad, rtol=1e-12, atol=1e-15)
        p.zero_grad()


ON_ARRAYS = [
    lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a @ b, lambda a, b: mg.tanh(a) - b, lambda a, b: a.relu() * b,
    lambda a, b: mg.maximum(a, b), lambda a, b: mg.sum(a, axis=0) + b, lambda a, b: mg.softmax(a) * 0.5,
]  # fmt: skip


def what_arrives(loss, x, g):
    """What arrives at x along each path, by brute force."""
    if loss is x:
        return [g]
    if loss.gate is None:
        return []
    pairs = zip(loss.inputs, sent(loss, g), strict=True)
    return [d for v, part in pairs if isinstance(v, Value) and part is not None for d in what_arrives(v, x, part)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8))
def test_random_graphs_of_arrays(steps):
    rng = np.random.default_rng(len(steps))
    x = Value(rng.normal(size=(2, 2)), label="x")
    values = [x, Value(rng.normal(size=(2, 2)), label="y")]
    for op, i, j in steps:
        values.append(ON_ARRAYS[op](values[-1 - i % len(values)], values[-1 - j % len(values)]))
    loss = (values[-1] * values[-1]).sum()
    found = viz.explain(loss, x, k=5000)
    parts = what_arrives(loss, x, 1.0)
    if not parts:
        assert found.gradient is None
        return
    loss.backward()
    np.testing.assert_array_equal(found.gradient, x.grad)
    assert found.count == len(parts) == len(found.paths) == len({p.steps for p in found.paths})
    sizes = [float(np.linalg.norm(p.contribution)) for p in found.paths]
    assert sizes == sorted(sizes, reverse=True)
    np.testing.assert_allclose(sizes, sorted(map(np.linalg.norm, parts), reverse=True), rtol=1e-12, atol=1e-14)
    for p in found.paths:
        assert any(np.allclose(p.contribution, part, rtol=1e-12, atol=1e-14) for part in parts)
    few = viz.explain(loss, x, k=2)
    assert [p.steps for p in few.paths] == [p.steps for p in found.paths[:2]]
    entry = viz.explain(loss, x, index=(1, 0), k=5000)
    assert entry.gradient == x.grad[1, 0]
    ones = sorted((abs(part[1, 0]) for part in parts), reverse=True)
    np.testing.assert_allclose([abs(p.contribution) for p in entry.paths], ones, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_forks_of_arrays(dtype):
    """Far too many paths to follow: five are found, each with what it carries."""
    x = Value(np.array([0.3, -0.2], dtype), label="x")
    v, a, b = x, [], []
    for i in range(3000):
        v = v * (1.0 + 1e-4 * i / 3000) + v * (-1e-3)
        a.append(1.0 + 1e-4 * i / 3000)
        b.append(-1e-3)
    loss = v.sum()
    found = viz.explain(loss, x)
    loss.backward()
    np.testing.assert_array_equal(found.gradient, x.grad)
    assert found.count == math.inf
    assert len({p.steps for p in found.paths}) == 5
    top = math.prod(a)
    expected = [top, *[top * flip for flip in sorted((b / a for a, b in zip(a, b, strict=True)), key=abs)[:-5:-1]]]
    rtol = 1e-3 if dtype is np.float32 else 1e-10  # in single numbers, the flips differ by less than float32 tells
    np.testing.assert_allclose([p.contribution[0] for p in found.paths], expected, rtol=rtol)


def test_a_leaf_that_was_changed_in_place_is_not_believed():
    x, w = Value(np.ones(2), label="x"), Value(np.ones(2), label="w")
    loss = (x * 2.0 * w).sum()
    w.data -= 0.5
    with pytest.raises(GradientError, match=r"w .* was changed in place"):
        viz.explain(loss, x)
    assert viz.explain((x * 2.0 * w).sum(), x).gradient.tolist() == [1.0, 1.0]


def test_the_collector_is_as_it_was():
    f, x, *_ = circuit()
    viz.explain(f, x)
    assert gc.isenabled()
    gc.disable()
    try:
        viz.explain(f, x)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_many_array_paths_stay_bounded():
    x = Value(np.ones(3), label="x")
    v = x
    for _ in range(40):
        v = v * 0.5 + v * 0.4
    found = viz.explain(v.sum(), x)
    assert found.count == 2.0**40
    assert "the search goes by an estimate" in found.text
    np.testing.assert_allclose(found.paths[0].contribution, 0.5**40)


# -------------------------------------------------------------------------------------------------------- diagnoses
def finding(loss, x, start):
    found = viz.explain(loss, x)
    assert any(d.startswith(start) for d in found.diagnosis), found.text
    assert all(d in found.text for d in found.diagnosis)
    return found


def test_diagnoses():
    x = Value(1.5, label="x")
    assert finding((x - 3.0).relu() * 2.0, x, "dead ReLU").gradient == 0.0
    assert "nearly flat" in finding(mg.sigmoid(x * 10.0), x, "saturated").text
    assert finding(mg.tanh(x * 1000.0), x, "saturated").gradient == 0.0
    assert finding(mg.where(False, x, 2.0 * x), x, "masked").gradient == 2.0
    assert finding(mg.maximum(x, 2.0), x, "masked").gradient == 0.0
    assert finding(mg.floor(x) + x, x, "step").gradient == 1.0
    assert finding(mg.clip(x, 0.0, 1.0), x, "cut off").gradient == 0.0
    assert finding(x * 0.0, x, "factor 0").gradient == 0.0
    assert "10.5 flows in all, 0.5 is left (up 5.5, down 5)" in finding(x * 5.5 - x * 5.0, x, "cancelling paths").text
    assert finding(mg.sqrt(x - 1.5), x, "infinite slope").gradient == math.inf
    v = x
    for _ in range(20):
        v = v * 10.0
    finding(v, x, "exploding")
    for _ in range(3000):
        v = v * 1e-3
    assert "10^−8980" in finding(v, x, "vanishing").text
    assert viz.explain(x * 2.0, x).diagnosis == ()
    minus = Value(-1.0, label="m")
    assert "v1 = log(m) = nan" in finding(mg.log(minus) * 2.0, minus, "not finite").text
    assert "local gradient nan" in finding(mg.sqrt(minus) * 2.0, minus, "nan slope").text


# ------------------------------------------------------------------------------------------------ diagnoses of networks
def network(activation=nn.ReLU, rows=6):
    rng = np.random.default_rng(0)
    model = nn.MLP([4, 5, 3], activation=activation, rng=rng)
    X, y = rng.normal(size=(rows, 4)), rng.integers(0, 3, rows)
    return model, lambda: nn.CrossEntropyLoss()(model(X), y)


def kinds(found):
    return {finding.split(":")[0] for finding in found.diagnosis}


def test_a_dead_unit_of_a_network():
    model, loss = network(rows=40)
    weight, bias = model.layers[0].weight, model.layers[0].bias
    healthy = viz.explain(loss(), weight, model=model)
    assert "dead ReLU" not in kinds(healthy)
    bias.data = np.array([0.0, -100.0, 0.0, -100.0, 0.0])
    found = viz.explain(loss(), weight, model=model)
    assert "units 1, 3 of 5 let nothing pass for any of 40 rows" in found.text
    assert "dead ReLU" in kinds(found)
    assert not found.gradient[[1, 3]].any()
    assert np.abs(found.gradient[[0, 2, 4]]).min() > 0
    bias.data = np.full(5, -100.0)
    assert "units 0, 1, 2, 3, … of 5 let nothing pass" in viz.explain(loss(), weight).text
    x = Value([1.0, -1.0, -2.0], label="x")
    found = viz.explain(x.relu().sum(), x)
    assert found.diagnosis == (
        "closed ReLU: v1 = relu(x) = [1, 0, 0]: relu is flat for 2 of 3 numbers, nothing passes there.",
    )


def test_saturated_units_of_a_network():
    model, loss = network(nn.Tanh)
    weight = model.layers[0].weight
    assert viz.explain(loss(), weight, model=model).diagnosis == ()
    weight.data = weight.data * 30.0
    root = loss()
    found = viz.explain(root, weight, model=model)
    tanh = next(v for v in found.paths[0].steps if v[0].gate.name == "tanh")[0]
    flat = int((1.0 - tanh.data**2 < 0.02).sum())
    assert flat > 10
    assert f"tanh is nearly flat, for {flat} of 30 numbers" in found.text
    assert kinds(found) == {"saturated"}


def test_cancelling_paths_of_a_network_with_two_branches():
    model, _ = network(nn.Tanh)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(6, 4))
    near, far = X + 0.01, rng.normal(size=(6, 4))
    weight = model.layers[0].weight

    def difference(other):
        return (model(X) - model(other)).sum()

    found = viz.explain(difference(near), weight, model=model)
    assert found.count == 2
    assert kinds(found) == {"cancelling paths"}
    sizes = sum(float(np.linalg.norm(p.contribution)) for p in found.paths)
    left = float(np.linalg.norm(found.gradient))
    assert f"{number(sizes)} flows in all, {number(left)} is left" in found.text
    assert left < 0.1 * sizes
    assert kinds(viz.explain(difference(far), weight)) == set()


def test_an_unused_part_of_a_network():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.head = nn.Linear(2, 1), nn.Linear(2, 1)

        def forward(self, x):
            return self.used(x)

    model = Net()
    loss = model(np.ones((3, 2))).mean()
    found = viz.explain(loss, model.head.weight, model=model)
    assert found.gradient is None
    assert found.text.startswith("∂loss/∂head.weight: there is none.\nunused: no path leads from head.weight to loss.")
    assert viz.explain(loss, model.used.weight, model=model).gradient.tolist() == [[1.0, 1.0]]


def test_where_a_gradient_becomes_zero():
    model, loss = network(nn.Tanh)
    model.layers[2].weight.data = np.zeros((3, 5))
    found = viz.explain(loss(), model.layers[0].weight, model=model)
    assert not found.gradient.any()
    assert found.diagnosis == (
        "0 from here on: v3 = linear(v2, layers.2.weight, layers.2.bias) = array (6, 3) sends it to v2.",
    )


def test_findings_are_of_the_paths_only():
    """The other factor of a product, the other input of a maximum: what is closed there doesn't matter for x."""
    x, w = Value(0.0, label="x"), Value(3.0, label="w")
    assert viz.explain(x * w, x).diagnosis == ()
    assert viz.explain(mg.maximum(x, w), w).diagnosis == ()
    assert viz.explain(x + (w - 5.0).relu(), x).diagnosis == ()


def test_a_value_that_was_frozen_when_it_was_used():
    x, w = Value(2.0, label="x", requires_grad=False), Value(3.0, label="w")
    loss = x * w
    x.requires_grad = True
    finding(loss, x, "not recorded")
    assert "when loss was computed, x required no gradient" in viz.explain(loss, x).text


def test_why_there_is_no_path():
    x, y = Value([1.0, 2.0], label="x"), Value([3.0, 4.0], label="y")
    loss = (y * y).sum()
    finding(loss, x, "unused")
    finding((y * x.data).sum(), x, "detached")
    finding((y * x.detach()).sum(), x, "detached")
    frozen = Value([1.0, 2.0], label="c", requires_grad=False)
    finding((y * frozen).sum(), frozen, "frozen")
    with mg.no_grad():
        quiet = (x * y).sum()
    finding(quiet, x, "not recorded")
    inner = Value(1.0) * 2.0
    with mg.no_grad():
        outside = inner * 3.0
    finding(inner, outside, "frozen")
    assert viz.derive(loss, x).text.startswith("∂loss/∂x = 0: unused")


def test_the_value_itself():
    x = Value(2.0, label="x")
    assert viz.explain(x, x).gradient == 1.0
    assert viz.derive(x, x).gradient == 1.0
    assert viz.derive(x, x).text == "∂x/∂x = 1"


def test_errors():
    x = Value([1.0, 2.0], label="x")
    with pytest.raises(GradientError, match=r"shape \(2,\).*loss.sum"):
        viz.explain(x * 2.0, x)
    with pytest.raises(GradientError, match="loss is a float"):
        viz.explain(2.0, x)
    loss = (x * x).sum()
    with pytest.raises(OutOfRangeError, match="index=5"):
        viz.explain(loss, x, index=5)
    with pytest.raises(ShapeError, match="picks one entry"):
        viz.explain(loss, x, index=slice(None))
    with pytest.raises(ShapeError, match="one entry of an array"):
        viz.explain(loss, loss, index=())
    with pytest.raises(ShapeError, match="at least 1"):
        viz.explain(loss, x, k=0)


def test_labels_are_text():
    x = Value(2.0, label="a\n\x00}\\input{x}$%")
    derived = viz.derive(x * 3.0, x)
    assert "\n\x00" not in derived.text
    assert r"\input" not in derived.latex
    assert "\x00" not in derived.latex
    same = Value(1.0, label="x") * Value(2.0, label="x")
    assert "x' * " not in viz.derive(same, same.inputs[1]).text
    assert "∂loss/∂x = x' = 1" in viz.derive(same, same.inputs[1]).text
