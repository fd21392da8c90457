"""The classic bugs of home-made autodiff engines, one named test each.

Most come from issues of real projects: micrograd's walk without a topological order, DeZero's quadratic wide sum,
tinygrad's leaves that compared equal, MyGrad's enumeration of all paths, gradient checks that could not fail.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import GradcheckError, GradientError, MinigradError

# User gates live in modules, as functions do: that is how they pickle.
cube = mg.Gate("cube", lambda x: x * x * x, local=[lambda out, x: 3.0 * x * x])
swap_rows = mg.Gate("swap_rows", lambda x: x[::-1], vjp=[lambda g, out, x: swap_rows(g)])


# -------------------------------------------------------------------------------------------- the order of the walk
def test_reused_result_waits_for_all_its_consumers() -> None:
    """micrograd #64: walking depth first without an order pulls b before all of its gradient has arrived."""
    a = mg.Value(3.0)
    b = a + a
    c = b + b
    c.backward()
    assert (c.grad, b.grad, a.grad) == (1.0, 2.0, 4.0)


def test_long_and_short_path_to_the_same_value() -> None:
    x = mg.Value(2.0)
    y = x * x  # 4
    z = y
    for _ in range(5):
        z = z * 1.5
    (z * y + y).backward()  # 1.5⁵ y² + y with y = x²
    assert x.grad == pytest.approx((2.0 * 1.5**5 * 4.0 + 1.0) * 4.0, rel=1e-15)


def test_a_diamond_of_two_to_the_sixty_paths() -> None:
    """Enumerating paths never ends; adding up per value takes 60 steps."""
    x = mg.Value(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert y.data == x.grad == 2.0**60
    w = mg.Value(np.ones(3))
    v = w
    for _ in range(60):
        v = v + v
    v.sum().backward()
    np.testing.assert_array_equal(w.grad, np.full(3, 2.0**60))


def test_a_diamond_of_two_to_the_sixty_paths_in_a_drawing() -> None:
    viz = pytest.importorskip("minigrad.viz")
    x = mg.Value(1.0, label="x")
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert len(viz.draw(y).source) < 200_000


def test_third_derivative_through_a_diamond() -> None:
    def f(x: Any) -> Any:
        for _ in range(4):
            x = x * x
        return x  # x**16

    third = mg.grad(mg.grad(mg.grad(f)))
    assert third(1.1) == pytest.approx(16 * 15 * 14 * 1.1**13, rel=1e-13)


def test_a_times_a_and_a_plus_a() -> None:
    """Both wires of one gate lead to the same value."""
    a = mg.Value(3.0)
    (a * a).backward()
    assert a.grad == 6.0
    b = mg.Value(3.0)
    (b + b).backward()
    assert b.grad == 2.0
    c = mg.Value(np.array([1.0, 2.0]))
    (c * c + c / c).sum().backward()
    np.testing.assert_array_equal(c.grad, [2.0, 4.0])
    d = mg.Value(2.0)
    (d**d).backward()
    assert d.grad == pytest.approx(4.0 * (1.0 + np.log(2.0)), rel=1e-15)
    assert len((a * a).inputs) == 2


def test_equal_numbers_are_different_leaves() -> None:
    """tinygrad #9597: values that compare equal must not share a place in the walk's dictionary."""
    a, b = mg.Value(2.0), mg.Value(2.0)
    (a * 3.0 + b * 5.0).backward()
    assert (a.grad, b.grad) == (3.0, 5.0)
    p, q = mg.Value(np.zeros(2)), mg.Value(np.zeros(2))
    (p * 3.0 + q * 5.0).sum().backward()
    assert p.grad.tolist() == [3.0, 3.0]
    assert q.grad.tolist() == [5.0, 5.0]
    assert len({a, b, p, q}) == 4
    assert hash(a) != hash(b)


def test_two_leaves_on_the_same_array() -> None:
    shared = np.array([1.0, 2.0])
    a, b = mg.Value(shared), mg.Value(shared)
    (a * a * b).sum().backward()
    assert a.grad.tolist() == [2.0, 8.0]
    assert b.grad.tolist() == [1.0, 4.0]


# ------------------------------------------------------------------------------------------ more than one pass
def test_second_backward_exactly_doubles_the_leaf_gradients() -> None:
    """micrograd #53: interior gradients that pile up make the second pass three times the first."""
    x, w = mg.Value(0.3), mg.Value(np.array([0.1, -0.7, 1.3]))
    loss = (mg.tanh(w * x) * mg.exp(w)).sum() * x
    loss.backward()
    first = x.grad, w.grad.copy()
    loss.backward()
    assert x.grad == 2.0 * first[0]
    np.testing.assert_array_equal(w.grad, 2.0 * first[1])
    loss.backward()
    np.testing.assert_array_equal(w.grad, first[1] + first[1] + first[1])


def test_interior_gradients_belong_to_the_last_pass() -> None:
    x = mg.Value(2.0)
    y = x * 3.0
    z = y * 5.0
    z.backward()
    z.backward()
    assert (z.grad, y.grad, x.grad) == (1.0, 5.0, 30.0)
    w = y * 7.0
    w.backward()
    assert (w.grad, y.grad, x.grad) == (1.0, 7.0, 51.0)
    assert z.grad == 1.0


def test_zero_grad_forgets() -> None:
    x = mg.Value(2.0)
    for _ in range(3):
        x.zero_grad()
        assert x.grad is None
        (x * x).backward()
        assert x.grad == 4.0


def test_accumulating_leaves_the_old_gradient_array_alone() -> None:
    x = mg.Value(np.ones(3))
    (x * 2.0).sum().backward()
    kept = x.grad
    (x * 3.0).sum().backward()
    assert kept.tolist() == [2.0] * 3
    assert x.grad.tolist() == [5.0] * 3


def test_a_leaf_is_its_own_gradient_path() -> None:
    x = mg.Value(2.0)
    x.backward()
    assert x.grad == 1.0
    x.backward()
    assert x.grad == 2.0


def test_unreached_stays_none_and_a_slope_of_zero_is_zero() -> None:
    x, unused = mg.Value(np.array([-1.0, -2.0])), mg.Value(1.0)
    mg.relu(x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    assert unused.grad is None


def test_a_failing_pass_changes_nothing() -> None:
    """An error in the middle of a pass must not leave half of the gradients updated."""

    def explode(g: Any, out: Any, x: Any) -> Any:
        raise RuntimeError("on purpose")

    fails = mg.Gate("fails", lambda x: x * 1.0, vjp=[explode])
    x, w = mg.Value(np.ones(2)), mg.Value(np.ones(2))
    y = fails(x) * w
    w.grad = np.array([7.0, 7.0])
    with pytest.raises(RuntimeError, match="on purpose"):
        y.sum().backward()
    assert x.grad is None
    assert y.grad is None
    assert w.grad.tolist() == [7.0, 7.0]


def test_perturbation_confusion() -> None:
    """The variable of an inner derivative must not be taken for the outer one, which has the same number."""
    assert mg.grad(lambda w: mg.grad(lambda x: x * w)(2.0))(3.0) == 1.0
    assert mg.grad(lambda x: x * mg.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert mg.grad(lambda x: x * mg.grad(lambda y: x * y * y)(x))(3.0) == 3.0 * 2.0 * 3.0**2  # x · 2x·x
    vector = np.array([1.0, 2.0])
    outer = mg.grad(lambda w: (w * mg.grad(lambda x: (x * x * w).sum())(vector)).sum())(vector)
    np.testing.assert_array_equal(outer, 4.0 * vector**2)


def test_transforms_never_touch_grad() -> None:
    x, w = mg.Value(2.0), mg.Value(np.array([1.0, 3.0]))
    x.grad = 17.0
    y = x * x
    y.grad = 5.0
    out = mg.grad(lambda v: (v * w).sum() * y)(np.ones(2))
    np.testing.assert_array_equal(getattr(out, "data", out), [4.0, 12.0])
    assert (x.grad, y.grad, w.grad) == (17.0, 5.0, None)


def test_gradients_from_transforms_share_no_memory() -> None:
    data = np.ones(3)
    a, b = mg.grad(lambda p, q: (p + q).sum(), argnums=(0, 1))(data, data)
    a[:] = 9.0
    assert b.tolist() == data.tolist() == [1.0] * 3
    value, slope = mg.value_and_grad(lambda p: p.sum())(data)
    assert value == 3.0
    slope[:] = 9.0
    assert data.tolist() == [1.0] * 3


def test_an_argument_without_a_path_gets_zeros() -> None:
    a, b = mg.grad(lambda p, q: p * 2.0, argnums=(0, 1))(1.0, np.ones((2, 3), np.float32))
    assert a == 2.0
    assert b.tolist() == [[0.0] * 3] * 2
    assert b.dtype == np.float32
    assert mg.grad(lambda p: 3.0)(1.0) == 0.0
    assert mg.grad(lambda p: mg.Value(3.0))(1.0) == 0.0


def test_a_derivative_inside_no_grad_is_still_a_number() -> None:
    with mg.no_grad():
        assert mg.grad(lambda x: x * x)(3.0) == 6.0
        assert mg.grad(mg.grad(lambda x: x * x))(3.0) == 2.0
        assert not (mg.Value(1.0) * 2.0).requires_grad


# -------------------------------------------------------------------------------------- data that changes meanwhile
@pytest.mark.parametrize("start", [3.0, np.array([3.0, -1.0])], ids=["scalar", "array"])
def test_data_rebound_after_the_forward_pass(start: Any) -> None:
    """Closures that read `.data` in the backward pass use the new number for the old graph."""
    x, w = mg.Value(start), mg.Value(start * 2.0)
    loss = mg.sum(mg.exp(x) * w + w * w)
    x.data, w.data = start * 100.0, start * -5.0
    loss.backward()
    np.testing.assert_allclose(x.grad, np.exp(start) * start * 2.0, rtol=1e-15)
    np.testing.assert_allclose(w.grad, np.exp(start) + 4.0 * start, rtol=1e-15)


@pytest.mark.parametrize("start", [3.0, np.array(3.0), np.array([3.0, 2.0])], ids=["scalar", "0-d", "array"])
@pytest.mark.parametrize("who", ["leaf", "result"])
def test_second_derivative_through_rebound_data_is_never_a_wrong_number(start: Any, who: str) -> None:
    """A scalar gate keeps its slopes, not its inputs: where those are gone, an error, never another number."""

    def f(x: Any) -> Any:
        y = x * x
        out = mg.sum(y * x)
        if who == "leaf":
            x.data = x.data * 0.0 + 50.0
        else:
            y.data = y.data * 0.0 + 50.0
        return out

    assert np.array_equal(mg.grad(f)(start), 3.0 * start**2), "the first derivative is safe"
    second_derivative = mg.grad(lambda x: mg.sum(mg.grad(f)(x)))
    if np.ndim(start) == 0:
        with pytest.raises(GradientError, match="Run the forward pass again"):
            second_derivative(start)
    else:
        second = second_derivative(start)
        np.testing.assert_allclose(second, 6.0 * start, rtol=1e-15)


def test_in_place_update_between_forward_and_backward_is_caught_by_name() -> None:
    weight, bias = mg.Value(np.ones(3), label="weight"), mg.Value(np.ones(3), label="bias")
    loss = (weight * weight + bias).sum()
    weight.data -= 0.1
    with pytest.raises(GradientError, match=r"multiply: weight \(3,\) was changed in place"):
        loss.backward()
    assert weight.grad is None
    assert bias.grad is None
    again = (weight * weight + bias).sum()
    again.backward()
    np.testing.assert_allclose(weight.grad, 1.8 * np.ones(3))


def test_in_place_update_after_backward_is_fine() -> None:
    p = mg.Value(np.array([1.0, 2.0]))
    for _ in range(3):
        p.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        p.data -= 0.5 * p.grad
    np.testing.assert_array_equal(p.data, [0.0, 0.0])


def test_in_place_update_of_a_scalar_keeps_the_recorded_gradient() -> None:
    p = mg.Value(3.0)
    loss = p * p
    p.data -= 1.0
    loss.backward()
    assert p.data == 2.0
    assert p.grad == 6.0


def test_in_place_update_of_a_result_is_refused() -> None:
    x = mg.Value(np.ones(2), label="x")
    y = mg.exp(x)
    y.label = "y"
    with pytest.raises(GradientError, match=r"y \(2,\) is a result of exp: don't change it in place"):
        y.data *= 2.0


def test_a_copy_of_a_graph_remembers_an_in_place_update() -> None:
    p = mg.Value(np.array([1.0, 2.0]), label="p")
    loss = (p * p).sum()
    p.data -= 0.5
    with pytest.raises(GradientError, match="p"):
        copy.deepcopy(loss).backward()


def test_augmented_assignment_makes_a_new_value() -> None:
    """`x += 1` must not change what was recorded, nor other names of the same value."""
    x = mg.Value(np.array([1.0, 2.0]))
    kept, y = x, x * x
    x += 1.0
    x *= 3.0
    assert x is not kept
    assert kept.data.tolist() == [1.0, 2.0]
    assert x.data.tolist() == [6.0, 9.0]
    (y + x).sum().backward()
    assert kept.grad.tolist() == [5.0, 7.0]


# --------------------------------------------------------------------------------------------------- depth and width
DEEP = 1_000_000


def test_a_chain_of_a_million_gates() -> None:
    """Forward, backward and freeing at Python's own recursion limit: nothing recurses."""
    limit = sys.getrecursionlimit()
    x = mg.Value(1.0)
    y = x
    for _ in range(DEEP // 2):
        y = (y + 1.0) * 0.5
    y.backward()
    assert y.data == 1.0
    assert x.grad == 0.5 ** (DEEP // 2)
    del y
    assert sys.getrecursionlimit() == limit


def test_a_deep_chain_of_arrays() -> None:
    x = mg.Value(np.array([1.0, 2.0]))
    y = x
    for _ in range(30_000):
        y = y + x
    y.sum().backward()
    assert x.grad.tolist() == [30_001.0, 30_001.0]
    del y


def test_a_deep_second_derivative() -> None:
    def f(x: Any) -> Any:
        y = x * x
        for _ in range(20_000):
            y = y + 1.0
        return y * x

    assert mg.grad(mg.grad(f))(2.0) == pytest.approx(12.0)


def events(f: Any) -> int:
    """How many function calls (Python's and C's) `f()` makes."""
    n = 0

    def tick(frame: Any, event: str, arg: Any) -> None:
        nonlocal n
        n += event in ("call", "c_call")

    sys.setprofile(tick)
    try:
        f()
    finally:
        sys.setprofile(None)
    return n


def fan(n: int) -> Any:
    """One leaf with n consumers, all added up."""
    x = mg.Value(np.ones(2))
    return sum([cube(x) * float(i) for i in range(n)], mg.Value(np.zeros(2))).sum()


def test_a_wide_sum_costs_linear_time() -> None:
    """DeZero #49: a queue that is sorted anew at every step makes n consumers cost n²."""
    calls = 0

    def local(out: Any, x: Any) -> Any:
        nonlocal calls
        calls += 1
        return 1.0 + 0.0 * x

    counted = mg.Gate("counted", lambda x: x * 1.0, local=[local])
    x = mg.Value(np.ones(2))
    sum([counted(x) for _ in range(3000)]).sum().backward()
    assert calls == 3000
    assert x.grad.tolist() == [3000.0] * 2
    once, twice = events(fan(1000).backward), events(fan(2000).backward)
    assert twice < 2.1 * once


def test_a_stack_of_many_values_is_one_gate() -> None:
    xs = [mg.Value(float(i)) for i in range(5000)]
    total = (mg.stack(xs) ** 2).sum()
    total.backward()
    assert [x.grad for x in xs] == [2.0 * i for i in range(5000)]


# -------------------------------------------------------------------------------------------------- shapes and dtypes
@pytest.mark.parametrize(
    ("a", "b"), [((3,), (2, 3)), ((2, 1), (1, 3)), ((), (2, 3)), ((1,), (4, 1)), ((1, 1, 1), (2, 3)), ((2, 3), ())]
)
@pytest.mark.parametrize("gate", [mg.add, mg.multiply, mg.divide, mg.maximum], ids=repr)
def test_gradients_of_broadcast_leaves_keep_the_leafs_shape(gate: mg.Gate, a: Any, b: Any, rng: Any) -> None:
    x, y = mg.Value(rng.uniform(1.0, 2.0, a)), mg.Value(rng.uniform(3.0, 4.0, b))
    mg.sum(gate(x, y)).backward()
    assert np.shape(x.grad) == a
    assert np.shape(y.grad) == b
    n = np.prod(np.broadcast_shapes(a, b))
    if gate is mg.add:
        np.testing.assert_array_equal(x.grad, np.full(a, n / max(np.prod(a), 1.0)))


def test_float32_stays_float32_through_a_network() -> None:
    rng = np.random.default_rng(0)
    W, b = (mg.Value(rng.normal(size=s).astype(np.float32)) for s in ((3, 4), (4,)))
    X, mask = rng.normal(size=(5, 3)).astype(np.float32), rng.random((5, 4)) > 0.5
    hidden = mg.relu(X @ W + b) * mask * 2 / 3 - 1.5
    out = mg.log_softmax(hidden * np.arange(4), axis=1)
    loss = -(out[np.arange(5), np.array([0, 1, 2, 3, 0])]).mean()
    loss.backward()
    for value in (hidden, out, loss, W, b):
        assert value.data.dtype == np.float32
    assert W.grad.dtype == b.grad.dtype == np.float32
    assert loss.data.shape == ()


SHARED = np.array([5.0, 5.0])
same_for_both = mg.Gate("same_for_both", lambda *xs: xs[0] + xs[1], vjp=lambda g, out, *xs: (t := g * 2.0, t))
always_the_same = mg.Gate("always_the_same", lambda x: 5.0 * x, vjp=[lambda g, out, x: SHARED])


def test_a_derivative_that_returns_one_array_twice() -> None:
    """Adding into it in place would change the other wire's gradient, or the gate's own constant."""
    a, b = mg.Value(np.ones(2)), mg.Value(np.ones(2))
    early = (a * 10.0).sum()  # so that its contribution comes last, on top of the shared array
    (early + same_for_both([a, b]).sum()).backward()
    assert a.grad.tolist() == [12.0, 12.0]
    assert b.grad.tolist() == [2.0, 2.0]
    assert not np.shares_memory(a.grad, b.grad)
    c = mg.Value(np.ones(2))
    (c * 3.0 + always_the_same(c)).sum().backward()
    assert c.grad.tolist() == [8.0, 8.0]
    assert SHARED.tolist() == [5.0, 5.0]


# ----------------------------------------------------------------------------------------------------------- memory
def living() -> int:
    return sum(type(x) is mg.Value for x in gc.get_objects())


@pytest.fixture
def no_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("start", [0.5, np.array([0.5, 0.2])], ids=["scalar", "array"])
def test_graphs_are_freed_by_reference_counting_alone(start: Any) -> None:
    """A closure that mentions its own node is a cycle, and cycles wait for the garbage collector."""
    x = mg.Value(start)
    before = living()
    for _ in range(3):
        y = mg.tanh(x * x + 1.0)
        z = mg.stack([y, y, mg.relu(y)])
        loss = mg.sum(z * z / 2.0)
        loss.backward()
        repr(loss), loss.inputs, loss.local_gradients()
        x.zero_grad()
    del y, z, loss
    assert living() == before
    mg.grad(lambda a: mg.sum(mg.grad(lambda b: mg.sum(b**3.0))(a)))(start)
    mg.gradcheck(lambda a: mg.sum(a * a), start, order=2)
    assert living() == before


@pytest.mark.usefixtures("no_gc")
def test_a_failed_pass_leaves_nothing_behind() -> None:
    x = mg.Value(np.ones(3))
    before = living()
    for _ in range(3):
        with contextlib.suppress(ValueError):
            (x * np.ones(4)).sum()
        with contextlib.suppress(RuntimeError):
            (x * x).backward()
    assert living() == before


def test_a_scalar_gate_keeps_at_most_220_bytes() -> None:
    n = 200_000
    x = mg.Value(0.5)
    tracemalloc.start()
    try:
        start = tracemalloc.get_traced_memory()[0]
        y = x
        for i in range(n):
            y = y * 1.01 if i % 3 == 0 else y + x if i % 3 == 1 else y.tanh()
        kept = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert kept / n <= 220
    y.backward()
    assert x.grad != 0.0


# -------------------------------------------------------------------------------------------------- copy and pickle
def through_pickle(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))


copies = pytest.mark.parametrize("duplicate", [copy.deepcopy, through_pickle], ids=["deepcopy", "pickle"])


@copies
def test_a_copied_graph_is_a_graph_of_its_own(duplicate: Any) -> None:
    x, w = mg.Value(np.array([1.0, 2.0]), label="x"), mg.Value(3.0, label="w")
    loss = (swap_rows(cube(x)) * w).sum() * w
    loss.label = "loss"
    twin = duplicate(loss)
    assert twin is not loss
    assert twin.data == loss.data
    assert twin.label == "loss"
    assert twin.gate is mg.multiply
    twin.backward()
    assert loss.grad is None
    assert x.grad is None
    assert w.grad is None
    found: dict[str, mg.Value] = {}
    stack = [twin]
    while stack:
        node = stack.pop()
        found[node.label] = node
        stack.extend(v for v in node.inputs if isinstance(v, mg.Value))
    loss.backward()
    np.testing.assert_array_equal(found["x"].grad, x.grad)
    assert found["w"].grad == w.grad == 2.0 * 3.0 * 9.0
    assert not np.shares_memory(found["x"].data, x.data)


@copies
def test_several_roots_keep_sharing_their_values(duplicate: Any) -> None:
    x = mg.Value(2.0)
    y = x * x
    a, b = mg.exp(y), y * 5.0
    twins = duplicate({"b": b, "x": x, "roots": [a, y, b]})
    a2, y2, b2 = twins["roots"]
    assert b2 is twins["b"]
    assert b2.inputs[0] is y2
    assert a2.inputs[0] is y2
    assert y2.inputs == (twins["x"], twins["x"])
    (a2 + b2).backward()
    (a + b).backward()
    assert twins["x"].grad == x.grad == pytest.approx((np.exp(4.0) + 5.0) * 4.0)


@copies
def test_gradients_flags_and_second_derivatives_survive_a_copy(duplicate: Any) -> None:
    x, frozen = mg.Value(np.array([2.0]), label="x"), mg.Value(3.0, requires_grad=False)
    y = (x * frozen).sum()
    y.backward()
    x2, frozen2, y2 = duplicate((x, frozen, y))
    assert x2.grad.tolist() == [3.0]
    assert y2.grad == 1.0
    assert not frozen2.requires_grad
    assert x2.requires_grad
    assert mg.grad(lambda t: mg.grad(lambda s: mg.sum(s * s * y2))(t))(2.0) == 12.0
    y2.backward()
    assert x2.grad.tolist() == [6.0]
    assert x.grad.tolist() == [3.0]


@copies
def test_a_deep_graph_copies_at_the_default_recursion_limit(duplicate: Any) -> None:
    x = mg.Value(1.0)
    y = x
    for _ in range(50_000):
        y = (y + 1.0) * 0.5
    middle, end = duplicate([y.inputs[0], y])
    assert end.inputs[0] is middle
    end.backward()
    assert end.data == y.data
    assert middle.grad == 0.5


def test_a_failed_pickle_does_not_spoil_the_next() -> None:
    class FullDisk(io.RawIOBase):
        def write(self, data: Any) -> int:
            raise OSError("no space left")

    x = mg.Value(1.0)
    y = x
    for _ in range(5_000):
        y = y + 1.0
    root = y * 2.0
    with pytest.raises(OSError, match="no space"):
        pickle.Pickler(FullDisk()).dump(root)
    twin = through_pickle(y)
    twin.backward()
    assert twin.data == y.data


def chain(n: int) -> mg.Value:
    y = mg.Value(1.0)
    for _ in range(n):
        y = y + 1.0
    return y


def test_a_copy_within_a_copy_stays_linear(monkeypatch: Any) -> None:
    """As when two threads copy at the same time: each graph is listed once, not again from each of its values."""
    from minigrad import copying

    class Nosy(str):
        def __deepcopy__(self, memo: Any) -> Nosy:
            copy.deepcopy(chain(10))
            return self

    listings = 0
    original = getattr(copying, "tape", lambda root: None)

    def counted(root: Any) -> Any:
        nonlocal listings
        listings += 1
        return original(root)

    monkeypatch.setattr(copying, "tape", counted, raising=False)
    root = chain(400)
    node = root
    for _ in range(300):
        node = node.inputs[0]
    node.label = Nosy("here")
    twin = copy.deepcopy(root)
    twin.backward()
    assert twin.data == root.data
    assert listings <= 2


def test_copies_in_two_threads() -> None:
    wrong: list[str] = []

    def work() -> None:
        try:
            for _ in range(5):
                y = chain(1_000)
                twin = through_pickle(y)
                depth, node = 0, twin
                while node.gate is not None:
                    depth, node = depth + 1, node.inputs[0]
                if depth != 1_000 or twin.data != y.data:
                    wrong.append(f"depth {depth}")
        except RecursionError as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_gate_that_pickle_cannot_find_again_is_an_error() -> None:
    hidden = mg.Gate("hidden", lambda x: x * 2.0, local=[2.0])
    with pytest.raises((pickle.PicklingError, AttributeError), match="hidden"):
        pickle.dumps(hidden(mg.Value(1.0)))


# --------------------------------------------------------------------------------------- checks that can fail, zip
WRONG = {
    "sign": mg.Gate("wrong", np.sin, local=[lambda out, x: -np.cos(x)]),
    "factor": mg.Gate("wrong", np.tanh, local=[lambda out, x: 12345.0 * (1.0 - out * out)]),
    "slightly off": mg.Gate("wrong", np.tanh, local=[lambda out, x: 1.001 * (1.0 - out * out)]),
    "zero": mg.Gate("wrong", np.exp, local=[0.0]),
    "forgotten": mg.Gate("wrong", np.exp, local=[None]),
    "nan": mg.Gate("wrong", np.exp, local=[lambda out, x: out * float("nan")]),
    "inf": mg.Gate("wrong", np.exp, local=[lambda out, x: out * float("inf")]),
    "offset": mg.Gate("wrong", np.exp, local=[lambda out, x: out + 0.01]),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("x", [0.3, np.array([[0.3, -0.8], [1.2, 0.1]])], ids=["scalar", "array"])
def test_gradcheck_is_not_vacuous(name: str, x: Any) -> None:
    with pytest.raises(GradcheckError, match="argument 0"):
        mg.gradcheck(WRONG[name], x)


def test_gradcheck_sees_a_transposed_gradient() -> None:
    product = mg.Gate(
        "product", np.matmul, vjp=[lambda g, out, a, b: b @ mg.transpose(g), lambda g, out, a, b: mg.transpose(a) @ g]
    )
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="argument 0"):
        mg.gradcheck(product, rng.normal(size=(3, 3)), rng.normal(size=(3, 3)))


def test_gradcheck_sees_swapped_wires() -> None:
    minus = mg.Gate("minus", np.subtract, local=[-1.0, 1.0])
    with pytest.raises(GradcheckError):
        mg.gradcheck(minus, 1.0, 2.0)


def test_gradcheck_sees_one_wrong_entry_of_many() -> None:
    def local(out: Any, x: Any) -> Any:
        return 2.0 * x + (np.arange(200.0) == 137.0)

    almost = mg.Gate("almost", np.square, local=[local])
    with pytest.raises(GradcheckError, match=r"argument 0\[137\]"):
        mg.gradcheck(almost, np.linspace(-1.0, 1.0, 200))


def test_gradcheck_order_2_sees_a_derivative_that_does_not_record() -> None:
    """Right numbers, but computed on raw data: the first order passes, the second is silently zero."""
    frozen = mg.Gate("frozen", np.exp, local=[lambda out, x: out.data if isinstance(out, mg.Value) else out])
    assert mg.gradcheck(frozen, 0.4)
    with pytest.raises(GradcheckError, match="order 2"):
        mg.gradcheck(frozen, 0.4, order=2)


def test_gradcheck_passes_what_is_right() -> None:
    assert mg.gradcheck(lambda x, y: mg.tanh(x @ y), np.ones((2, 3)) * 0.3, np.ones((3, 2)) * 0.2, order=2)


@pytest.mark.parametrize("sent", [1, 3])
def test_a_joint_derivative_with_a_missing_or_extra_contribution(sent: int) -> None:
    """zip() would drop it without a word."""
    pair = mg.Gate("pair", lambda *xs: xs[0] * xs[1], vjp=lambda g, out, *xs: (g * xs[1], g * xs[0], g)[:sent])
    a, b = mg.Value(np.ones(2)), mg.Value(np.ones(2))
    with pytest.raises(GradientError, match=rf"pair: .* {sent} .* 2 wires"):
        pair([a, b]).sum().backward()
    assert a.grad is None
    assert b.grad is None
    with pytest.raises(GradientError, match="pair"):
        mg.grad(lambda x: mg.sum(mg.grad(lambda y: mg.sum(pair([y, y])))(x)))(np.ones(2))


def test_a_network_refuses_an_input_that_is_too_short_or_too_long() -> None:
    """zip(weights, inputs) computes with what there is."""
    nn = pytest.importorskip("minigrad.nn")
    model = nn.MLP([3, 4, 1])
    assert model(np.ones((5, 3))).shape == (5, 1)
    for width in (2, 4):
        with pytest.raises(ValueError, match=rf"3.*{width}|{width}.*3"):
            model(np.ones((5, width)))
        with pytest.raises(ValueError, match=rf"3.*{width}|{width}.*3"):
            model(mg.Value(np.ones(width)))


def test_parameters_come_in_the_same_order_in_every_run() -> None:
    """A set of parameters is ordered by address or hash; two runs of the same program then differ."""
    pytest.importorskip("minigrad.nn")
    program = (
        "from minigrad import nn\n"
        "model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.MLP([4, 5, 2]))\n"
        "print([(name, p.shape) for name, p in model.named_parameters()])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().index("(4, 3)") < 60, "in the order in which the layers were written"


def test_the_walk_is_deterministic_bit_for_bit() -> None:
    """Adding up contributions in the order of a set would change the last digits from run to run."""

    def run() -> list[float]:
        rng = np.random.default_rng(3)
        xs = [mg.Value(float(v)) for v in rng.normal(size=30)]
        out = mg.Value(0.0)
        for _ in range(300):
            i, j = rng.integers(0, 30, 2)
            out = out * 0.9 + mg.tanh(xs[i] * xs[j])
        out.backward()
        return [x.grad for x in xs]

    padding = [object() for _ in range(1000)]
    first = run()
    del padding
    assert run() == first


def test_every_pitfall_error_is_a_minigrad_error() -> None:
    assert issubclass(GradientError, MinigradError)
    assert issubclass(GradcheckError, MinigradError)


def test_an_array_changed_in_place_is_refused_even_after_it_was_replaced() -> None:
    w = mg.Value(np.array([1.0, 2.0]), label="w")
    optimizer = mg.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    w.grad = np.ones(2)
    optimizer.step()
    w.data = np.array([10.0, 20.0])
    with pytest.raises(GradientError, match=r"w .* changed in place"):
        loss.backward()
    fresh = (w * w).sum()
    w.data = np.array([5.0, 5.0])  # replacing alone changes nothing
    w.grad = None
    fresh.backward()
    np.testing.assert_array_equal(w.grad, [20.0, 40.0])


def test_every_array_that_was_changed_in_place_is_remembered() -> None:
    w = mg.Value([1.0, 2.0], label="w")
    loss = (w * w).sum()
    w.data -= 1.0
    w.data = w.data + 10.0
    w.data -= 1.0
    with pytest.raises(GradientError, match=r"w .* was changed in place"):
        loss.backward()
    for _ in range(50):  # and forgotten with the graph that held it
        w.data = w.data + 1.0
        w.data -= 1.0
    assert len(w._saved) <= 3
