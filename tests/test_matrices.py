"""Matrix functions: singular matrices, stacks, conventions and errors; the registry's tests cover the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ShapeError

SINGULAR = {
    "rank 2 of 3": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]]),
    "rank 1 of 3": np.outer([1.0, 2.0, -1.0], [3.0, 0.5, 2.0]),
    "rank 1 of 2": np.array([[1.0, 2.0], [2.0, 4.0]]),
    "zeros": np.zeros((3, 3)),
    "a zero row": np.array([[1.0, 2.0], [0.0, 0.0]]),
    "4 by 4": np.arange(16.0).reshape(4, 4),
}


def by_minors(a: Any) -> Any:
    """Cofactors as they are taught: strike out row i and column j."""
    n = len(a)
    return np.array([
        [(-1.0) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(n)] for i in range(n)
    ])


@pytest.mark.parametrize("name", SINGULAR)
def test_det_of_singular_matrices(name: str, finite_differences: Any) -> None:
    """The gradient through an LU or an inverse is nan or infinite here; the cofactors are not."""
    a = SINGULAR[name]
    x = mg.Value(a)
    mg.linalg.det(x).backward()
    np.testing.assert_allclose(x.grad, by_minors(a), rtol=1e-12, atol=1e-12)
    direction = np.random.default_rng(0).normal(size=a.shape)

    def slope(y: Any) -> Any:
        return mg.sum(mg.grad(mg.linalg.det)(y) * direction)

    [measured] = finite_differences(slope, [a])
    np.testing.assert_allclose(mg.grad(slope)(a), measured, rtol=1e-8, atol=1e-8)


def test_cofactors_with_numbers_of_any_size() -> None:
    a = np.diag([1e200, 1e200, 1e-200, 1e-200])
    np.testing.assert_allclose(mg.cofactor(a).diagonal(), [1e-200, 1e-200, 1e200, 1e200], rtol=1e-12)
    a = np.diag([1e-150, 1e-150, 1e150, 0.0])
    np.testing.assert_allclose(mg.cofactor(a).diagonal(), [0.0, 0.0, 0.0, 1e-150], rtol=1e-12)


def test_det_of_large_and_of_empty_matrices(rng: Any) -> None:
    a = rng.normal(size=(60, 60)) / 8.0
    x = mg.Value(a)
    mg.linalg.det(x).backward()
    np.testing.assert_allclose(x.grad, np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-8, atol=1e-12 * abs(x.grad).max())
    for n in (0, 1):
        x = mg.Value(np.full((2, n, n), 3.0))
        out = mg.linalg.det(x)
        assert out.data.tolist() == pytest.approx([3.0**n] * 2, rel=1e-15)
        out.sum().backward()
        assert x.grad.shape == (2, n, n)
        assert (x.grad == 1.0).all()


def test_nan_propagates() -> None:
    x = mg.Value(np.array([[[1.0, np.nan], [0.0, 1.0]], [[1.0, 2.0], [0.0, 1.0]]]))
    out = mg.linalg.det(x)
    out.sum().backward()
    assert np.isnan(out.data).tolist() == [True, False]
    assert np.isnan(x.grad[0]).all()
    np.testing.assert_allclose(x.grad[1], [[1.0, 0.0], [-2.0, 1.0]], atol=1e-15)


def test_numpys_linalg_finds_the_gates(rng: Any) -> None:
    a = rng.normal(size=(2, 3, 3))
    x = mg.Value(a)
    for name in ("inv", "det", "pinv"):
        out = getattr(np.linalg, name)(x)
        assert isinstance(out, mg.Value)
        np.testing.assert_array_equal(out.data, getattr(np.linalg, name)(a))
    assert np.linalg.solve(x, a).gate is mg.linalg.solve
    assert np.linalg.cholesky(x @ mg.transpose(x, axes=(0, 2, 1))).gate is mg.linalg.cholesky
    np.testing.assert_allclose(np.linalg.matrix_power(x, 3).data, np.linalg.matrix_power(a, 3), rtol=1e-11)
    np.testing.assert_allclose(np.linalg.matmul(x, a).data, a @ a, rtol=1e-15)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5, 6])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2, 2)])
def test_matrix_power(n: int, shape: Any, rng: Any, finite_differences: Any) -> None:
    a = rng.uniform(-1.0, 1.0, shape) + 2.0 * np.eye(2)
    weight = rng.uniform(0.5, 1.5, shape)
    out = mg.linalg.matrix_power(mg.Value(a), n)
    assert isinstance(out, mg.Value)
    np.testing.assert_allclose(out.data, np.linalg.matrix_power(a, n), rtol=1e-12, atol=1e-15)

    def total(x: Any) -> Any:
        return mg.sum(mg.linalg.matrix_power(x, n) * weight)

    np.testing.assert_allclose(mg.grad(total)(a), finite_differences(total, [a])[0], rtol=1e-8, atol=1e-8)
    assert mg.linalg.matrix_power(mg.Value(a.astype(np.float32)), n).dtype == np.float32


@pytest.mark.parametrize(("m", "n"), [(5, 3), (3, 3), (3, 5)])
@pytest.mark.parametrize("columns", [(), (2,)])
def test_lstsq(m: int, n: int, columns: Any, rng: Any) -> None:
    a, b = rng.normal(size=(m, n)) + 3.0 * np.eye(m, n), rng.normal(size=(m, *columns))
    ours, theirs = np.linalg.lstsq(mg.Value(a), mg.Value(b)), np.linalg.lstsq(a, b)
    np.testing.assert_allclose(ours[0].data, theirs[0], rtol=1e-10, atol=1e-12)
    assert ours[1].shape == theirs[1].shape
    np.testing.assert_allclose(ours[1].data, theirs[1], rtol=1e-10, atol=1e-12)
    assert ours[2] == theirs[2]
    np.testing.assert_allclose(ours[3], theirs[3], rtol=1e-12)
    assert mg.gradcheck(lambda x, y: mg.linalg.lstsq(x, y)[0], a, b, order=2, rtol=1e-4, atol=1e-6)
    if m > n:
        assert mg.gradcheck(lambda x, y: mg.linalg.lstsq(x, y)[1], a, b, rtol=1e-4, atol=1e-6)


def test_lstsq_and_pinv_of_a_matrix_without_full_rank() -> None:
    a = np.outer([1.0, 2.0, -1.0], [3.0, 1.0])
    x, residuals, rank, _ = mg.linalg.lstsq(mg.Value(a), np.ones(3))
    assert (rank, residuals.shape) == (1, (0,))
    np.testing.assert_allclose(x.data, np.linalg.lstsq(a, np.ones(3))[0], rtol=1e-12)
    u = np.array([1.0, 2.0, -1.0])

    def along(t: Any) -> Any:  # the rank stays 1 along this curve
        return mg.sum(mg.linalg.pinv(mg.outer(u * t, mg.stack([3.0 * t, t * t]))))

    assert mg.gradcheck(along, 1.3)
    assert mg.linalg.pinv(mg.Value(np.diag([1.0, 1e-3])), rcond=0.01).data[1, 1] == 0.0


def test_cholesky_takes_the_symmetric_part_and_sends_back_a_symmetric_gradient(rng: Any) -> None:
    a = rng.normal(size=(3, 3))
    a = a @ a.T + np.eye(3)
    np.testing.assert_array_equal(mg.linalg.cholesky(a), np.linalg.cholesky(a))
    x = mg.Value(a)
    mg.sum(mg.linalg.cholesky(x) * rng.normal(size=(3, 3))).backward()
    np.testing.assert_array_equal(x.grad, x.grad.T)
    x = mg.Value(np.array([[4.0]]))
    mg.linalg.cholesky(x).sum().backward()
    assert x.grad.tolist() == [[0.25]]


def test_the_log_determinant_of_a_covariance(rng: Any) -> None:
    """d log det A / dA = A⁻ᵀ, by det and by Cholesky."""
    a = rng.normal(size=(4, 4))
    a = a @ a.T + np.eye(4)
    by_det = mg.grad(lambda x: mg.log(mg.linalg.det(x)))(a)
    index = (np.arange(4), np.arange(4))
    by_factor = mg.grad(lambda x: 2.0 * mg.sum(mg.log(mg.linalg.cholesky(x)[index])))(a)
    np.testing.assert_allclose(by_det, np.linalg.inv(a), rtol=1e-11)
    np.testing.assert_allclose(by_factor, np.linalg.inv(a), rtol=1e-11)


def test_third_derivatives_of_det(rng: Any) -> None:
    """det is a polynomial of degree 3 of 3 by 3 matrices: along a line its third derivative is 6 det(direction)."""
    a, d = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    line = lambda t: mg.linalg.det(t * d + a)  # noqa: E731
    third = mg.grad(mg.grad(mg.grad(line)))(0.4)
    assert third == pytest.approx(6.0 * np.linalg.det(d), rel=1e-9)
    assert mg.grad(mg.grad(mg.grad(mg.grad(line))))(0.4) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda m: mg.linalg.inv(m), ShapeError, r"inv: M \(2, 3\): needs square matrices, .*\(2, 3\) is none"),
        (lambda m: mg.linalg.det(m), ShapeError, r"det: M \(2, 3\): needs square"),
        (lambda m: mg.linalg.det(m[0]), ShapeError, "det: .*needs square"),
        (lambda m: mg.linalg.cholesky(m), ShapeError, r"cholesky: M \(2, 3\): needs square"),
        (lambda m: mg.linalg.solve(m, np.ones(2)), ShapeError, r"solve: .*M \(2, 3\).*\(2,\): needs square"),
        (lambda m: mg.linalg.solve(m[:, :2], np.ones(3)), ShapeError, "solve: .*b must be a vector of 2, or matrices"),
        (lambda m: mg.linalg.pinv(m[0]), ShapeError, "pinv: .*needs matrices"),
        (lambda m: mg.linalg.lstsq(m, np.ones(3)), ShapeError, r"lstsq: a \(2, 3\) must be a matrix, and b \(3,\)"),
        (lambda m: mg.linalg.matrix_power(m, 2), ShapeError, r"matrix_power: needs square .*\(2, 3\)"),
        (lambda m: mg.linalg.matrix_power(m[:, :2], 0.5), TypeError, r"matrix_power: .*n=0.5 is no integer"),
        (lambda m: mg.linalg.inv(m[:, :2] * 0.0), ValueError, "inv: .*Singular"),
        (lambda m: mg.linalg.cholesky(m[:, :2] * 0.0), ValueError, "cholesky: .*positive definite"),
    ],
)
def test_errors_teach(call: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        call(mg.Value(np.ones((2, 3)), label="M"))


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["inv", "det", "pinv", "cholesky", "solve"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 4)])
def test_second_derivatives_are_pytorchs(name: str, shape: Any, rng: Any) -> None:
    torch = pytest.importorskip("torch")
    a, v = rng.normal(size=shape), rng.normal(size=shape)
    a = a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])
    rest = (rng.normal(size=(*shape[:-1], 2)),) if name == "solve" else ()
    x = torch.tensor(a, requires_grad=True)
    out = getattr(torch.linalg, name)(x, *map(torch.tensor, rest))
    weight = rng.normal(size=tuple(out.shape))
    [first] = torch.autograd.grad((out * torch.tensor(weight)).sum(), x, create_graph=True)
    [second] = torch.autograd.grad((first * torch.tensor(v)).sum(), x)

    def slope(y: Any) -> Any:
        return mg.grad(lambda z: mg.sum(getattr(mg.linalg, name)(z, *rest) * weight))(y)

    np.testing.assert_allclose(slope(a), first.detach().numpy(), rtol=1e-9, atol=1e-10)
    ours = mg.grad(lambda y: mg.sum(slope(y) * v))(a)
    np.testing.assert_allclose(ours, second.numpy(), rtol=1e-8, atol=1e-9)
