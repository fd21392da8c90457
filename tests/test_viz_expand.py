"""viz.expand: the scalar circuit has the numbers and the gradients of the arrays, for every gate of the catalogue."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value
from minigrad.check.sampling import cases_of
from minigrad.errors import GradientError, ShapeError
from minigrad.gates import REGISTRY
from minigrad.viz.expansions import EXPANSIONS, MOVES
from minigrad.viz.scalar_circuit import Expansion, expand, expansion

CASES = [case for gate in REGISTRY.values() if gate.differentiable for case in cases_of(gate)]
MADE = set(EXPANSIONS) | MOVES


def gradients(made: Expansion, leaf: Value) -> np.ndarray:
    return np.array([0.0 if x.grad is None else float(x.grad) for x in made.leaves[leaf].flat]).reshape(leaf.shape)


def behind(v: Value) -> list[Value]:
    seen, stack = {v}, [v]
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, Value) and x not in seen:
                seen.add(x)
                stack.append(x)
    return list(seen)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_numbers_and_gradients_for_every_gate(case):
    rng = np.random.default_rng(3)
    samples = case.sample(rng)
    leaves = [
        Value(x, label=f"x{i}") if np.asarray(x).dtype == float and i not in case.gate.plain else x
        for i, x in enumerate(samples)
    ]
    out = case.call(*leaves)
    outs = out if isinstance(out, tuple) else (out,)
    loss = sum((one * rng.normal(size=one.shape)).sum() for one in outs if isinstance(one, Value))
    made = expansion(loss, max_nodes=10_000)
    assert made.root.data == pytest.approx(float(loss.data), rel=1e-12, abs=1e-12)
    loss.backward()
    made.root.backward()
    for x in leaves:
        if isinstance(x, Value):
            np.testing.assert_allclose(gradients(made, x), 0.0 if x.grad is None else x.grad, rtol=1e-11, atol=1e-12)
    if (case.gate.elementwise or case.name in MADE - {"put"}) and case.params.get("ord", 2) == 2:
        assert made.kept == ()
    if not made.kept:
        assert all(v.shape == () for v in behind(made.root))


def test_a_matmul_is_products_and_sums():
    W, x = Value(np.arange(6.0).reshape(2, 3), label="W"), Value([1.0, -1.0, 2.0], label="x")
    f = expand((W @ x)[1])
    gates = sorted(v.gate.name for v in behind(f) if v.gate)
    assert gates == ["add", "add", "multiply", "multiply", "multiply"]
    assert {v.label for v in behind(f) if v.gate is None} == {"W[1,0]", "W[1,1]", "W[1,2]", "x[0]", "x[1]", "x[2]"}
    assert f.data == 9.0


def test_a_network_and_its_loss():
    rng = np.random.default_rng(0)
    model = mg.nn.MLP([2, 3, 2], activation=mg.nn.Tanh, rng=rng)
    X, y = rng.normal(size=(2, 2)), np.array([0, 1])
    loss = mg.nn.CrossEntropyLoss()(model(X), y)
    made = expansion(loss)
    assert made.kept == ()
    assert made.root.data == pytest.approx(float(loss.data), rel=1e-12)
    loss.backward()
    made.root.backward()
    for p in model.parameters():
        np.testing.assert_allclose(gradients(made, p), p.grad, rtol=1e-11, atol=1e-14)


def layers():
    """Small networks, each with the gates of which its circuit is made."""
    rng = np.random.default_rng(4)
    nn = mg.nn
    rows, images, labels = rng.normal(size=(2, 3)), rng.normal(size=(1, 1, 4, 4)), np.array([1, 0])
    sums = {"add", "multiply"}
    linear, norm, before = nn.Linear(3, 2, rng=rng), nn.LayerNorm(3), nn.Linear(3, 3, rng=rng)
    conv, pool = nn.Conv2d(1, 2, 3, padding=1, rng=rng), nn.MaxPool2d(2)
    groups = nn.Conv2d(2, 2, 2, groups=2, stride=2, rng=rng)
    batch, cell = nn.BatchNorm1d(3), nn.RNNCell(3, 2, rng=rng)
    scaled = {"subtract", "divide"}
    cross = {"exp", "log", *sums, *scaled}
    return {
        "linear": ((linear,), lambda: linear(rows).sum(), sums),
        "cross-entropy": ((linear,), lambda: nn.CrossEntropyLoss()(linear(rows), labels), cross),
        "layer norm": ((before, norm), lambda: (norm(before(rows)) ** 3).sum(), {*sums, *scaled, "sqrt", "power"}),
        "batch norm": ((before, batch), lambda: (batch(before(rows)) ** 3).sum(), None),
        "conv": ((conv,), lambda: (conv(images).tanh()).sum(), {*sums, "tanh"}),
        "conv in groups": ((conv, groups), lambda: groups(conv(images)).sum(), sums),
        "max pool": ((conv,), lambda: pool(conv(images)).sum(), {*sums, "maximum"}),
        "max pool after relu": ((conv,), lambda: (pool(conv(images).relu()) ** 2).sum(), None),  # zeros that tie
        "rnn": ((cell,), lambda: cell(rows, cell(rows)).sum(), {*sums, "tanh"}),
    }


@pytest.mark.parametrize("name", layers())
def test_layers(name):
    modules, compute, gates = layers()[name]
    loss = compute()
    made = expansion(loss, max_nodes=10_000)
    assert made.kept == ()
    assert made.root.data == pytest.approx(float(loss.data), rel=1e-12)
    loss.backward()
    made.root.backward()
    for module in modules:
        for p in module.parameters():
            np.testing.assert_allclose(gradients(made, p), p.grad, rtol=1e-10, atol=1e-13)
    found = {v.gate.name for v in behind(made.root) if v.gate}
    assert gates is None or found <= gates
    assert all(v.shape == () for v in behind(made.root))


def test_ties_share_as_in_the_gate():
    for numbers in ([1.0, 1.0, 0.0], [2.0, 2.0, 2.0], [1.0, 2.0, 2.0, 2.0]):
        x = Value(numbers, label="x")
        loss = x.max()
        made = expansion(loss)
        loss.backward()
        made.root.backward()
        np.testing.assert_allclose(gradients(made, x), x.grad, rtol=1e-15)


def test_the_first_of_a_pool_takes_all_as_in_the_gate():
    x = Value([[[1.0, 2.0, 0.0, 5.0], [2.0, 2.0, 5.0, 5.0]]], label="x")
    loss = (mg.max_pool2d(x, 2) * np.array([3.0, 4.0])).sum()
    made = expansion(loss)
    loss.backward()
    made.root.backward()
    assert gradients(made, x).tolist() == x.grad.tolist() == [[[0.0, 3.0, 0.0, 4.0], [0.0, 0.0, 0.0, 0.0]]]


def test_a_slope_that_is_stated_at_a_kink_is_kept():
    x = Value([3.0, 3.0], label="x")
    loss = mg.std(x)
    made = expansion(loss)
    made.root.backward()
    assert made.kept == ("std",)
    assert gradients(made, x).tolist() == [0.0, 0.0]


def test_a_gate_without_a_scalar_circuit_stays_and_says_so():
    A = Value([[2.0, 1.0], [0.0, 4.0]], label="A")
    loss = (mg.linalg.inv(A) * A).sum()
    with pytest.warns(UserWarning, match="expand: inv: no scalar circuit"):
        root = expand(loss)
    assert root.data == pytest.approx(float(loss.data), rel=1e-14)
    made = expansion(loss)
    made.root.backward()
    loss.backward()
    np.testing.assert_allclose(gradients(made, A), A.grad, rtol=1e-12, atol=1e-14)


def test_an_array_result_keeps_its_shape():
    x = Value(np.arange(4.0).reshape(2, 2), label="x")
    out = x * 2.0
    root = expand(out)
    assert root.shape == (2, 2)
    assert root.data.tolist() == out.data.tolist()


def test_leaves_frozen_shared_float32_and_plain():
    x = Value(np.array([1.0, 2.0], np.float32), label="x")
    frozen = Value([3.0, 4.0], label="c", requires_grad=False)
    loss = (x * x + x * frozen.data.astype(np.float32)).sum()
    made = expansion(loss)
    assert {v.dtype for v in behind(made.root)} == {np.dtype(np.float32)}
    assert set(made.leaves) == {x}  # one leaf, used three times
    y = Value([1.0, 2.0])
    made = expansion((y * frozen).sum())
    assert [v.requires_grad for v in made.leaves[frozen]] == [False, False]
    assert made.leaves[y][1].label == "v1[1]"
    s = Value(2.0, label="s")
    made = expansion(s)
    assert made.root.label == "s"
    assert made.root is not s


def test_errors():
    big = Value(np.ones((100, 100)))
    with pytest.raises(ShapeError, match="about 2020000 gates and leaves, more than max_nodes=2000"):
        expand(big @ Value(np.ones((100, 100))))
    x = Value([1.0, 2.0], label="x")
    loss = (x * x).sum()
    x.data = np.array([3.0, 4.0])
    with pytest.raises(GradientError, match="replaced"):
        expand(loss)
    with pytest.raises(GradientError, match="no Value"):
        expand(3.0)


def test_nothing_of_the_original_changes():
    x = Value([1.0, 2.0], label="x")
    loss = (x * x).sum()
    root = expand(loss)
    root.backward()
    assert x.grad is None
    assert loss.grad is None
