"""H1 and H1v: second derivatives, the Hessian and its product with a vector.  One function per peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .peers import Step, peer
from .problems import Curvature

__all__: list[str] = []


def walk(problem: Curvature, second: Callable[[Any, Any], Any], array: Any = np.asarray) -> Step:
    """The step of a peer whose `second(x, v)` is the Hessian at x (without a look at v), or its product with v."""
    x, v = problem.x, array(problem.v)

    def step() -> float:
        nonlocal x
        result = second(array(x), v)
        x = x + problem.speed * problem.v
        return problem.mark(result)

    return step


@peer("minigrad", "H1")
def minigrad(problem: Curvature) -> Step:
    import minigrad as mg

    hessian = mg.hessian(lambda x: problem.loss(mg, x))
    return walk(problem, lambda x, v: hessian(x))


@peer("minigrad compiled", "H1")
def minigrad_compiled(problem: Curvature) -> Step:
    import minigrad as mg

    hessian = mg.compile(mg.hessian(lambda x: problem.loss(mg, x)))
    return walk(problem, lambda x, v: hessian(x).data)


@peer("minigrad", "H1v")
def minigrad_product(problem: Curvature) -> Step:
    import minigrad as mg

    return walk(problem, lambda x, v: mg.hvp(lambda x: problem.loss(mg, x), x, v))


@peer("minigrad compiled", "H1v")
def minigrad_compiled_product(problem: Curvature) -> Step:
    import minigrad as mg

    product = mg.compile(lambda x, v: mg.hvp(lambda x: problem.loss(mg, x), x, v))
    return walk(problem, lambda x, v: product(x, v).data)


# -------------------------------------------------------------------------------------------------------------- PyTorch
def torch_loss(problem: Curvature) -> Any:
    import torch

    torch.set_num_threads(1)
    X, Y = torch.from_numpy(problem.X), torch.from_numpy(problem.Y)
    return lambda x: problem.loss(torch, x, X, Y)


@peer("PyTorch, torch.func", "H1")
def torch_func(problem: Curvature) -> Step:
    import torch

    hessian = torch.func.hessian(torch_loss(problem))
    return walk(problem, lambda x, v: hessian(x), torch.from_numpy)


@peer("PyTorch, torch.func", "H1v")
def torch_func_product(problem: Curvature) -> Step:
    import torch

    slope = torch.func.grad(torch_loss(problem))
    return walk(problem, lambda x, v: torch.func.jvp(slope, (x,), (v,))[1], torch.from_numpy)


@peer("PyTorch, double backward", "H1")
def torch_twice(problem: Curvature) -> Step:
    """A backward pass through the gradient for each of its entries."""
    import torch

    loss = torch_loss(problem)

    def hessian(x: Any, v: Any) -> Any:
        x = x.requires_grad_()
        (g,) = torch.autograd.grad(loss(x), x, create_graph=True)
        return torch.stack([torch.autograd.grad(entry, x, retain_graph=True)[0] for entry in g])

    return walk(problem, hessian, torch.from_numpy)


@peer("PyTorch, double backward", "H1v")
def torch_twice_product(problem: Curvature) -> Step:
    import torch

    loss = torch_loss(problem)

    def product(x: Any, v: Any) -> Any:
        x = x.requires_grad_()
        (g,) = torch.autograd.grad(loss(x), x, create_graph=True)
        return torch.autograd.grad(g @ v, x)[0]

    return walk(problem, product, torch.from_numpy)


# ----------------------------------------------------------------------------------------------------- by hand in NumPy
def r_operator(problem: Curvature, x: np.ndarray, V: np.ndarray) -> np.ndarray:
    """H v for each row of V (Pearlmutter 1994): every line of the gradient, and below it its derivative along v."""
    X, Y, n = problem.X, problem.Y, len(problem.X)
    W1, b1, W2, b2 = problem.parts(x)
    V1, c1, V2, c2 = problem.parts(V)
    T = lambda a: np.swapaxes(a, -1, -2)  # noqa: E731
    h = np.tanh(X @ W1.T + b1)
    slope = 1 - h * h
    Rh = slope * (X @ T(V1) + c1[:, None])
    e = np.exp(h @ W2.T + b2)
    p = e / e.sum(axis=1, keepdims=True)
    Rs = Rh @ W2.T + h @ T(V2) + c2[:, None]
    Rp = p * (Rs - (p * Rs).sum(axis=-1, keepdims=True))
    ds, Rds = (p - Y) / n, Rp / n
    dh = ds @ W2
    Rdh = Rds @ W2 + ds @ V2
    Rda = Rdh * slope - 2 * dh * h * Rh
    RW1, RW2 = T(Rda) @ X, T(Rds) @ h + ds.T @ Rh
    flat = [RW1.reshape(len(V), -1), Rda.sum(axis=1), RW2.reshape(len(V), -1), Rds.sum(axis=1)]
    return np.concatenate(flat, axis=1)


@peer("NumPy by hand", "H1")
def numpy_hessian(problem: Curvature) -> Step:
    """All products with the unit vectors, in one batch."""
    units = np.eye(len(problem.x))
    return walk(problem, lambda x, v: r_operator(problem, x, units))


@peer("NumPy by hand", "H1v")
def numpy_product(problem: Curvature) -> Step:
    return walk(problem, lambda x, v: r_operator(problem, x, v[None])[0])


class Preallocated:
    """The R-operator with out= into buffers made once: a column of each array per unit and direction.

    The biases are in the matrices: X and h have a row of ones.
    """

    def __init__(self, problem: Curvature, directions: int) -> None:
        n, i, m, k, d = *problem.X.shape, problem.hidden, problem.Y.shape[1], directions
        self.problem, self.d = problem, d
        self.X = np.r_[problem.X.T, np.ones((1, n))]  # (in + 1, n)
        self.Yn, self.scale = problem.Y.T / n, 1 / n
        self.W1, self.W2 = np.empty((m, i + 1)), np.empty((k, m + 1))
        self.V1, self.V2 = np.empty((d, m, i + 1)), np.empty((d, k, m + 1))
        self.h, self.slope, self.bend = np.ones((m + 1, n)), np.empty((m, n)), np.empty((m, n))
        self.p, self.row, self.ds, self.dh = np.empty((k, n)), np.empty(n), np.empty((k, n)), np.empty((m, n))
        self.Rh, self.Rdh, self.more = np.empty((d, m, n)), np.empty((d, m, n)), np.empty((d, m, n))
        self.Rs, self.Rp, self.sums = np.empty((d, k, n)), np.empty((d, k, n)), np.empty((d, 1, n))
        self.R1, self.R2, self.R2h = np.empty((d, m, i + 1)), np.empty((d, k, m + 1)), np.empty((d, k, m))
        self.out = np.empty((d, len(problem.x)))

    def split(self, x: np.ndarray, A1: np.ndarray, A2: np.ndarray, back: bool = False) -> None:
        """The vector's parts into two matrices with the biases as last columns, or back."""
        blocks = (A1[..., :-1], A1[..., -1], A2[..., :-1], A2[..., -1])
        for part, block in zip(self.problem.parts(x), blocks, strict=True):
            np.copyto(*((part, block) if back else (block, part)))

    def __call__(self, x: np.ndarray, V: np.ndarray) -> np.ndarray:
        d, h, inner, p, ds, dh = self.d, self.h, self.h[:-1], self.p, self.ds, self.dh
        m, n = inner.shape
        k = len(p)
        Rh, Rdh, more, Rs, Rp = self.Rh, self.Rdh, self.more, self.Rs, self.Rp
        self.split(x, self.W1, self.W2)
        self.split(V, self.V1, self.V2)
        W2 = self.W2[:, :-1]
        np.matmul(self.W1, self.X, out=inner)
        np.tanh(inner, out=inner)
        np.multiply(inner, inner, out=self.slope)
        np.subtract(1.0, self.slope, out=self.slope)
        np.matmul(self.V1.reshape(d * m, -1), self.X, out=Rh.reshape(d * m, n))
        np.multiply(Rh, self.slope, out=Rh)
        np.matmul(self.W2, h, out=p)
        np.exp(p, out=p)
        np.add.reduce(p, axis=0, out=self.row)
        np.divide(p, self.row, out=p)
        np.matmul(self.V2.reshape(d * k, -1), h, out=Rs.reshape(d * k, n))
        np.matmul(W2, Rh, out=Rp)
        np.add(Rs, Rp, out=Rs)
        np.multiply(p, Rs, out=Rp)
        np.add.reduce(Rp, axis=1, keepdims=True, out=self.sums)
        np.subtract(Rs, self.sums, out=Rs)
        np.multiply(p, self.scale, out=ds)
        np.multiply(Rs, ds, out=Rs)
        np.subtract(ds, self.Yn, out=ds)
        np.matmul(W2.T, ds, out=dh)
        np.multiply(dh, inner, out=self.bend)
        np.multiply(self.bend, -2.0, out=self.bend)
        np.matmul(W2.T, Rs, out=Rdh)
        np.matmul(np.swapaxes(self.V2[..., :-1], 1, 2), ds, out=more)
        np.add(Rdh, more, out=Rdh)
        np.multiply(Rdh, self.slope, out=Rdh)
        np.multiply(Rh, self.bend, out=more)
        np.add(Rdh, more, out=Rdh)
        np.matmul(Rdh.reshape(d * m, n), self.X.T, out=self.R1.reshape(d * m, -1))
        np.matmul(Rs.reshape(d * k, n), h.T, out=self.R2.reshape(d * k, -1))
        np.matmul(ds, np.swapaxes(Rh, 1, 2), out=self.R2h)
        np.add(self.R2[..., :-1], self.R2h, out=self.R2[..., :-1])
        self.split(self.out, self.R1, self.R2, back=True)
        return self.out


@peer("NumPy preallocated", "H1")
def numpy_preallocated(problem: Curvature) -> Step:
    units = np.eye(len(problem.x))
    hessian = Preallocated(problem, len(units))
    return walk(problem, lambda x, v: hessian(x, units))


@peer("NumPy preallocated", "H1v")
def numpy_preallocated_product(problem: Curvature) -> Step:
    product = Preallocated(problem, 1)
    return walk(problem, lambda x, v: product(x, v[None])[0])


# ------------------------------------------------------------------------------------------------------- other engines
@peer("autograd", "H1")
def autograd(problem: Curvature) -> Step:
    import autograd.numpy as anp
    from autograd import hessian

    second = hessian(lambda x: problem.loss(anp, x))
    return walk(problem, lambda x, v: second(x))


@peer("autograd", "H1v")
def autograd_product(problem: Curvature) -> Step:
    import autograd.numpy as anp
    from autograd import hessian_vector_product

    return walk(problem, hessian_vector_product(lambda x: problem.loss(anp, x)))


@peer("JAX jit", "H1")
def jax(problem: Curvature) -> Step:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    hessian = jax.jit(jax.hessian(lambda x: problem.loss(jnp, x)))
    return walk(problem, lambda x, v: hessian(x))


@peer("JAX jit", "H1v")
def jax_product(problem: Curvature) -> Step:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    slope = jax.grad(lambda x: problem.loss(jnp, x))
    return walk(problem, jax.jit(lambda x, v: jax.jvp(slope, (x,), (v,))[1]))
