"""Gates with several outputs: qr, eigh, svd, slogdet and split, and the engine's way with them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import viz
from minigrad.errors import GradientError, ShapeError

TALL = np.array([[2.0, -0.5], [0.4, 1.5], [-0.2, 0.6]])
SQUARE = np.array([[2.0, -0.5, 0.3], [0.4, 1.5, -0.7], [-0.2, 0.6, 1.8]])


def squares_and_total(x: Any) -> tuple[Any, Any]:
    return x * x, np.sum(x * x * x)


both = mg.Gate("both", squares_and_total, vjp=[lambda g, out, x: 2.0 * x * g[0] + 3.0 * x * x * g[1]])


# ---------------------------------------------------------------------------------------------------------- the engine
def test_a_gate_of_your_own_with_two_outputs() -> None:
    x = mg.Value([1.0, 2.0, 3.0], label="x")
    squares, total = both(x)
    assert squares.gate.name == total.gate.name == "pick"
    assert squares.inputs[0] is total.inputs[0]
    assert squares.inputs[0].gate is both
    (squares.sum() * total).backward()
    np.testing.assert_allclose(x.grad, 2.0 * x.data * 36.0 + 3.0 * x.data**2 * 14.0)


def test_an_unused_output_sends_zeros() -> None:
    x = mg.Value([1.0, 2.0, 3.0])
    squares, _ = both(x)
    squares.sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0, 6.0])
    x.zero_grad()
    both(x)[1].backward()
    np.testing.assert_array_equal(x.grad, [3.0, 12.0, 27.0])


def test_an_output_used_twice_adds_up() -> None:
    x = mg.Value([1.0, 2.0, 3.0])
    squares, total = both(x)
    (squares.sum() + (squares * squares).sum() + total + total).backward()
    np.testing.assert_array_equal(x.grad, 2.0 * x.data + 4.0 * x.data**3 + 6.0 * x.data**2)
    np.testing.assert_array_equal(squares.grad, 1.0 + 2.0 * squares.data)
    assert total.grad == 2.0


def test_every_transform_passes_through() -> None:
    def f(x: Any) -> Any:
        squares, total = both(x)
        return (squares * squares).sum() * total  # Σx⁴ Σx³

    x, v = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, -1.0])
    fourth, third = np.sum(x**4), np.sum(x**3)
    slope = 4.0 * x**3 * third + 3.0 * x**2 * fourth
    mixed = np.outer(4.0 * x**3, 3.0 * x**2)
    bend = np.diag(12.0 * x**2 * third + 6.0 * x * fourth) + mixed + mixed.T
    np.testing.assert_allclose(mg.grad(f)(x), slope)
    np.testing.assert_allclose(mg.jvp(f, (x,), (v,))[1], slope @ v)
    np.testing.assert_allclose(mg.hessian(f)(x), bend)
    np.testing.assert_allclose(mg.hvp(f, x, v), bend @ v)
    np.testing.assert_allclose(mg.grad(lambda y: mg.jvp(f, (y,), (v,))[1])(x), bend @ v)
    assert mg.gradcheck(f, x, order=2)


def test_tangents_of_two_wires_meet_in_a_gate_with_two_outputs() -> None:
    pair = mg.Gate(
        "pair",
        lambda a, b: (a * b, a - b),
        vjp=[lambda g, out, a, b: g[0] * b + g[1], lambda g, out, a, b: g[0] * a - g[1]],
    )
    outs, moved = mg.jvp(lambda a, b: pair(a, b), (2.0, 5.0), (1.0, 10.0))
    assert outs == (10.0, -3.0)
    assert moved == (25.0, -9.0)


def test_raw_numbers_and_unrecorded_values() -> None:
    squares, total = both(np.array([1.0, 2.0]))
    assert type(squares) is np.ndarray
    assert total == 9.0
    assert type(total) is float
    with mg.no_grad():
        squares, total = both(mg.Value([1.0, 2.0]))
    assert (squares.gate, total.gate, total.data) == (None, None, 9.0)
    w, v = mg.eigh(mg.Value(np.eye(2)))
    named = mg.eigh(mg.Value(np.eye(2)))
    assert named.eigenvalues.data.tolist() == w.data.tolist()  # NumPy's named tuple
    assert v.shape == (2, 2)


def test_copies_and_drawings() -> None:
    x = mg.Value([1.0, 2.0], label="x")
    squares, total = both(x)
    loss = squares.sum() + total
    for again in (copy.deepcopy(loss), copy.copy(loss)):
        again.backward()
    q, r = mg.qr(mg.Value(SQUARE, label="A"))
    twin = pickle.loads(pickle.dumps((q * r).sum()))
    twin.backward()
    source = viz.draw((q * r).sum()).source
    assert source.count("pick") == 2
    assert "(3, 3); (3, 3)" in source


def test_a_forward_that_returns_something_else_is_refused() -> None:
    with pytest.raises(mg.errors.DtypeError, match=r"odd: forward returned .*floats"):
        mg.Gate("odd", lambda x: (x, "text"), vjp=[lambda g, out, x: g[0]])(mg.Value(1.0))


# -------------------------------------------------------------------------------------------------------- closed forms
def test_the_slope_of_the_eigenvalues_sum_is_the_identity_also_where_they_are_equal() -> None:
    for a in (np.eye(3), np.diag([1.0, 2.0, 2.0]), np.zeros((3, 3))):
        x = mg.Value(a)
        mg.linalg.eigvalsh(x).sum().backward()
        np.testing.assert_allclose(x.grad, np.eye(3), atol=1e-15)


def test_log_determinant_by_its_three_ways() -> None:
    a = SQUARE @ SQUARE.T
    ways = [
        lambda x: mg.slogdet(x)[1],
        lambda x: mg.log(mg.linalg.eigvalsh(x)).sum(),
        lambda x: mg.log(mg.svdvals(x)).sum(),
        lambda x: mg.log(mg.absolute(mg.diagonal(mg.qr(x)[1]))).sum(),
    ]
    for way in ways:
        np.testing.assert_allclose(mg.grad(way)(a), np.linalg.inv(a).T, rtol=1e-10)


@pytest.mark.parametrize("a", [TALL, TALL.T, SQUARE], ids=["tall", "wide", "square"])
def test_the_parts_multiply_to_the_whole(a: Any) -> None:
    """Q R and U S Vᵀ give A back, so that any upstream gradient comes through unchanged, to second order."""
    weights = np.arange(a.size).reshape(a.shape) / 3.0

    def by_qr(x: Any) -> Any:
        q, r = mg.qr(x)
        return (weights * (q @ r) ** 2).sum()

    def by_svd(x: Any) -> Any:
        u, s, vt = mg.svd(x, full_matrices=False)
        return (weights * ((u * s) @ vt) ** 2).sum()

    for f in (by_qr, by_svd):
        np.testing.assert_allclose(mg.grad(f)(a), 2.0 * weights * a, atol=1e-12)
        bend = mg.hessian(f)(a).reshape(a.size, a.size)
        np.testing.assert_allclose(bend, np.diag(2.0 * weights.ravel()), atol=1e-10)


def test_norms_of_matrices_by_singular_values() -> None:
    s = np.linalg.svd(TALL, compute_uv=False)
    for order, expected in ((2, s[0]), (-2, s[-1]), ("nuc", s.sum())):
        f = lambda x, order=order: mg.linalg.norm(x, order)  # noqa: E731
        np.testing.assert_allclose(f(TALL), expected)
        assert mg.gradcheck(f, TALL, order=2)
    stack = np.stack([TALL, 2.0 * TALL])
    for order in (2, -2, "nuc", 1, np.inf, "fro"):
        np.testing.assert_allclose(
            mg.norm(stack, order, axis=(1, 2), keepdims=True), np.linalg.norm(stack, order, (1, 2), True)
        )
        np.testing.assert_allclose(mg.norm(stack, order, axis=(2, 0)), np.linalg.norm(stack, order, (2, 0)))


@pytest.mark.parametrize("p", [None, 2, -2, "fro", "nuc", 1, -1, np.inf, -np.inf])
def test_cond(p: Any) -> None:
    f = lambda x: mg.linalg.cond(x, p)  # noqa: E731
    np.testing.assert_allclose(f(SQUARE), np.linalg.cond(SQUARE, p))
    np.testing.assert_allclose(np.linalg.cond(mg.Value(SQUARE), p).data, np.linalg.cond(SQUARE, p))
    assert mg.gradcheck(f, SQUARE)
    if p in (None, 2, -2):
        np.testing.assert_allclose(f(TALL), np.linalg.cond(TALL, p))
    singular = np.ones((2, 2))
    assert f(singular) > 1e15 if p != -2 else f(singular) < 1e-15


# -------------------------------------------------------------------------------------------------------------- errors
def test_what_has_no_derivative_says_so() -> None:
    u, _, _ = mg.svd(mg.Value(TALL))
    with pytest.raises(GradientError, match="full_matrices=False"):
        u.sum().backward()
    _, logdet = mg.slogdet(mg.Value(np.ones((2, 2)), label="A"))
    assert logdet.item() == -np.inf
    with pytest.raises(GradientError, match=r"slogdet: .*[Ss]ingular"):
        logdet.backward()
    with pytest.raises(ShapeError, match=r"qr: .*mode='complete' of a 3 by 2 matrix.*'reduced'"):
        mg.qr(mg.Value(TALL), mode="complete")
    for function in (mg.eigh, mg.slogdet):
        with pytest.raises(ShapeError, match=r"needs square matrices.*\(3, 2\)"):
            function(mg.Value(TALL))
    for function in (mg.qr, mg.svd):
        with pytest.raises(ShapeError, match=r"needs matrices.*\(3,\)"):
            function(mg.Value(np.ones(3)))


def test_split_says_what_does_not_fit() -> None:
    x = mg.Value(np.arange(6.0).reshape(3, 2), label="x")
    with pytest.raises(ShapeError, match=r"split: x \(3, 2\).*equal division"):
        mg.split(x, 2)
    with pytest.raises(ShapeError, match="overlap"):
        x.split([2, 1])
    with pytest.raises(ShapeError, match="axis 5"):
        x.split(2, axis=5)
    with pytest.raises(ShapeError, match="0 pieces"):
        mg.array_split(x, 0)


@pytest.mark.parametrize(("n", "k"), [(7, 3), (6, 3), (2, 5), (0, 2)])
def test_array_split_is_numpys(n: int, k: int) -> None:
    x = np.arange(2.0 * n).reshape(n, 2)
    ours, theirs = mg.array_split(mg.Value(x), k), np.array_split(x, k)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.data, b)
    through_numpy = np.array_split(mg.Value(x), k)
    assert [piece.shape for piece in through_numpy] == [piece.shape for piece in theirs]


# ------------------------------------------------------------------------------------------------- PyTorch as an oracle
INVARIANT = {  # functions that do not depend on the free signs of the vectors
    "qr": lambda q, r: (q * q) @ (r * r),
    "eigh": lambda w, v: (v * v) * w,
    "svd": lambda u, s, vt: ((u * u) * s) @ (vt * vt),
}


@pytest.mark.oracle
@pytest.mark.parametrize("a", [TALL, TALL.T, SQUARE], ids=["tall", "wide", "square"])
@pytest.mark.parametrize("name", INVARIANT)
def test_factorizations_are_pytorchs(name: str, a: Any) -> None:
    torch = pytest.importorskip("torch")
    f = INVARIANT[name]
    if name == "eigh":
        a = a @ a.T + np.diag(np.arange(len(a)))
    options = {"full_matrices": False} if name == "svd" else {}
    theirs = torch.tensor(a, requires_grad=True)
    out = f(*getattr(torch.linalg, name)(theirs, **options))
    weights = np.random.default_rng(0).uniform(0.5, 1.5, tuple(out.shape))
    (slope,) = torch.autograd.grad((out * torch.tensor(weights)).sum(), theirs, create_graph=True)
    (bend,) = torch.autograd.grad((slope * slope).sum(), theirs)

    def ours(x: Any) -> Any:
        return (f(*getattr(mg, name)(x, **options)) * weights).sum()

    np.testing.assert_allclose(mg.grad(ours)(a), slope.detach().numpy(), rtol=1e-9, atol=1e-11)
    second = mg.grad(lambda x: (lambda g: (g * g).sum())(mg.grad(ours)(x)))(a)
    np.testing.assert_allclose(second, bend.numpy(), rtol=1e-8, atol=1e-9)
