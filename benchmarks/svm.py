"""T4: the multiclass support vector machine of CS231n, a linear layer.  One function per peer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .peers import Step, peer
from .problems import Training

__all__: list[str] = []


def training(problem: Training) -> Any:
    """The training step as a user writes it: X, y -> the loss."""
    from minigrad import nn, optim

    model: Any = nn.LinearSVM(*problem.sizes, dtype=problem.dtype)
    model.weight.data, model.bias.data = problem.parameters()
    parameters = list(model.parameters())
    criterion = nn.MulticlassHingeLoss()
    optimizer = optim.SGD(parameters, lr=problem.lr, momentum=problem.momentum)

    def step(X: Any, y: Any) -> Any:
        loss = criterion(model(X), y) + problem.l2 * sum((p * p).sum() for p in parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


@peer("minigrad", "T4")
def minigrad(problem: Training) -> Step:
    step = training(problem)
    return lambda: float(step(problem.X, problem.y).item())


@peer("minigrad compiled", "T4")
def minigrad_compiled(problem: Training) -> Step:
    import minigrad as mg

    step = mg.compile(training(problem))
    return lambda: float(step(problem.X, problem.y).item())


@peer("PyTorch", "T4")
def torch(problem: Training, transposed: bool = False) -> Step:
    """nn.MultiMarginLoss is one kernel, with the mean over the classes; the weight is (out, in) as in nn.Linear."""
    import torch

    torch.set_num_threads(1)
    W, b = [torch.from_numpy(p) for p in problem.parameters()]
    W = W.T.contiguous() if transposed else W
    parameters = [W.requires_grad_(), b.requires_grad_()]
    criterion, classes = torch.nn.MultiMarginLoss(), len(b)
    optimizer = torch.optim.SGD(parameters, lr=problem.lr, momentum=problem.momentum)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)

    def step() -> float:
        scores = X @ W + b if transposed else torch.nn.functional.linear(X, W, b)
        loss = classes * criterion(scores, y) + problem.l2 * sum((p * p).sum() for p in parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


@peer("PyTorch, X @ W", "T4")
def torch_transposed(problem: Training) -> Step:
    """CS231n's layout, (in, out)."""
    return torch(problem, transposed=True)


@peer("NumPy by hand", "T4")
def numpy_naive(problem: Training) -> Step:
    """CS231n's notes, vectorised."""
    X, y, n, l2 = problem.X, problem.y, len(problem.X), problem.l2
    W, b = problem.parameters()
    vW, vb = np.zeros_like(W), np.zeros_like(b)
    rows = np.arange(n)

    def step() -> float:
        scores = X @ W.T + b
        margins = np.maximum(scores - scores[rows, y][:, None] + 1, 0)
        margins[rows, y] = 0
        loss = margins.sum() / n + l2 * ((W * W).sum() + (b * b).sum())
        ds = (margins > 0).astype(X.dtype)
        ds[rows, y] = -ds.sum(axis=1)
        ds /= n
        vW[...] = problem.momentum * vW + ds.T @ X + 2 * l2 * W
        vb[...] = problem.momentum * vb + ds.sum(axis=0) + 2 * l2 * b
        W[...] -= problem.lr * vW
        b[...] -= problem.lr * vb
        return float(loss)

    return step


@peer("NumPy preallocated", "T4")
def numpy_preallocated(problem: Training) -> Step:
    """With out= into buffers made once; W and b, their gradients and their velocities in flat arrays.

    The two big products go block by block (as one call for a stack of matrices): below a million multiply-adds OpenBLAS
    uses kernels that don't repack X, which for ten columns is most of the work.
    """
    X, y, n, dtype = problem.X, problem.y, len(problem.X), problem.dtype
    W0, b0 = problem.parameters()
    flat = np.concatenate([W0.ravel(), b0])
    grad, velocity, scratch = np.empty_like(flat), np.zeros_like(flat), np.empty_like(flat)
    (W, b), (gW, gb) = [(a[: W0.size].reshape(W0.shape), a[W0.size :]) for a in (flat, grad)]
    scores = np.empty((n, len(b)), dtype)
    ds, right, ones = np.empty_like(scores), np.empty((n, 1), dtype), np.ones(n, dtype)
    places, zero, one = np.arange(n) * len(b) + y, dtype.type(0), dtype.type(1)
    (k, d), rows, columns = W.shape, divisor(n, 1e6 / W.size), divisor(W.shape[1], 1e6 / (n * len(b)))
    X_rows, scores_rows = X.reshape(-1, rows, d), scores.reshape(-1, rows, k)
    X_columns, gW_columns = [a.reshape(len(a), -1, columns).swapaxes(0, 1) for a in (X, gW)]
    momentum, decay, lr = dtype.type(problem.momentum), dtype.type(2 * problem.l2), dtype.type(problem.lr)

    def step() -> float:
        np.matmul(X_rows, W.T, out=scores_rows)
        np.add(scores, b, out=scores)
        np.take(scores.ravel(), places, out=right[:, 0], mode="clip")
        np.subtract(right, one, out=right)
        np.subtract(scores, right, out=scores)
        np.maximum(scores, zero, out=scores)
        scores.ravel()[places] = zero
        loss = float(np.add.reduce(scores, axis=None)) / n + problem.l2 * float(np.dot(flat, flat))
        np.sign(scores, out=ds)
        ds.ravel()[places] = -np.matmul(ds, ones[: len(b)], out=right[:, 0])
        np.multiply(ds, dtype.type(1 / n), out=ds)
        np.matmul(ds.T, X_columns, out=gW_columns)
        np.matmul(ones, ds, out=gb)
        np.multiply(velocity, momentum, out=velocity)
        np.add(velocity, grad, out=velocity)
        np.multiply(flat, decay, out=scratch)
        np.add(velocity, scratch, out=velocity)
        np.multiply(velocity, lr, out=scratch)
        np.subtract(flat, scratch, out=flat)
        return loss

    return step


def divisor(n: int, limit: float) -> int:
    """The largest divisor of n up to `limit`."""
    return max(i for i in range(1, n + 1) if n % i == 0 and i <= limit)


def loss_of(problem: Training, xp: Any, params: Any) -> Any:
    """The loss in the functions of `xp`, a library that follows NumPy's names."""
    W, b = params
    rows = np.arange(len(problem.y))
    scores = problem.X @ W.T + b
    margins = xp.maximum(scores - scores[rows, problem.y][:, None] + 1, 0)
    # the label's own margin is 1, whatever its score
    return xp.sum(margins) / len(rows) - 1 + problem.l2 * (xp.sum(W * W) + xp.sum(b * b))


def momentum(problem: Training, params: list[Any]) -> Any:
    """SGD with momentum for the peers that bring no optimiser."""
    velocities = [np.zeros_like(p) for p in params]

    def update(grads: Any) -> None:
        for p, g, v in zip(params, grads, velocities, strict=True):
            v *= problem.momentum
            v += g
            p -= problem.lr * v

    return update


@peer("autograd", "T4")
def autograd(problem: Training) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    params = problem.parameters()
    update = momentum(problem, params)
    differentiate = value_and_grad(lambda params: loss_of(problem, anp, params))

    def step() -> float:
        loss, grads = differentiate(params)
        update(grads)
        return float(loss)

    return step


@peer("MyGrad", "T4")
def mygrad(problem: Training) -> Step:
    """With memory guarding off, which its documentation recommends for speed."""
    import mygrad

    mygrad.turn_memory_guarding_off()
    W, b = params = [mygrad.tensor(p) for p in problem.parameters()]
    update = momentum(problem, [p.data for p in params])
    rows = np.arange(len(problem.y))

    def step() -> float:
        scores = mygrad.matmul(problem.X, W.T) + b
        margins = mygrad.maximum(scores - scores[rows, problem.y][:, None] + 1, 0)
        loss = margins.sum() / len(rows) - 1 + problem.l2 * ((W * W).sum() + (b * b).sum())
        loss.backward()
        update([p.grad for p in params])
        for p in params:
            p.null_grad()
        return float(loss.item())

    return step


@peer("JAX jit", "T4")
def jax(problem: Training) -> Step:
    import jax
    import jax.numpy as jnp

    params = [jnp.asarray(p) for p in problem.parameters()]
    velocities = [jnp.zeros_like(p) for p in params]

    @jax.jit
    def advance(params: Any, velocities: Any) -> Any:
        loss, grads = jax.value_and_grad(lambda params: loss_of(problem, jnp, params))(params)
        velocities = [problem.momentum * v + g for v, g in zip(velocities, grads, strict=True)]
        return loss, [p - problem.lr * v for p, v in zip(params, velocities, strict=True)], velocities

    def step() -> float:
        nonlocal params, velocities
        loss, params, velocities = advance(params, velocities)
        return float(loss)

    return step
