"""T1, T2 and T3 (and S1's network in arrays): one function per peer, for every loss and optimiser of the problems."""

from __future__ import annotations

from typing import Any

import numpy as np

from .peers import Step, peer
from .problems import Training

__all__: list[str] = []

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # Adam, as PyTorch's defaults


def training(problem: Training, one_gate: bool = False) -> Any:
    """The training step as a user writes it, with nn's layers and losses and optim's optimisers: X, y -> the loss."""
    import minigrad as mg
    from minigrad import nn, optim

    model: Any = nn.MLP(problem.sizes, dtype=problem.dtype)
    parameters = list(model.parameters())
    for p, number in zip(parameters, problem.parameters(), strict=True):
        p.data = number
    criterion = nn.HingeLoss() if problem.loss == "hinge" else nn.CrossEntropyLoss()
    settings = {"weight_decay": problem.weight_decay} if problem.weight_decay else {}
    optimizer = getattr(optim, problem.optimizer)(parameters, lr=problem.lr, **settings)

    def step(X: Any, y: Any) -> Any:
        loss = criterion(model(X), y)
        if one_gate:
            loss = loss + problem.l2 * mg.sum_of_squares(parameters)
        elif problem.l2:
            loss = loss + problem.l2 * sum((p * p).sum() for p in parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


@peer("minigrad", "T1", "T1wd", "T2", "T3")
def minigrad(problem: Training) -> Step:
    step = training(problem)
    return lambda: float(step(problem.X, problem.y).item())


@peer("minigrad, one L2 gate", "T1")
def minigrad_one_gate(problem: Training) -> Step:
    """The L2 term as one gate over all parameters, not six squares and six sums."""
    step = training(problem, one_gate=True)
    return lambda: float(step(problem.X, problem.y).item())


@peer("minigrad compiled", "T1", "T1wd", "T2", "T3")
def minigrad_compiled(problem: Training) -> Step:
    """The same function, replayed as a NumPy program; the batch is copied into it at every step."""
    import minigrad as mg

    step = mg.compile(training(problem))
    return lambda: float(step(problem.X, problem.y).item())


# -------------------------------------------------------------------------------------------------------------- PyTorch
@peer("PyTorch", "S1", "T1", "T1wd", "T2", "T3")
def torch(problem: Training, **settings: Any) -> Step:
    """Eager: nn.Sequential and torch.optim, on one thread."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    tensors = [torch.from_numpy(p) for p in problem.parameters()]
    layers = [part for w in tensors[::2] for part in (nn.Linear(*reversed(w.shape), dtype=w.dtype), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    parameters = list(model.parameters())
    for p, t in zip(parameters, tensors, strict=True):
        p.data = t
    cross_entropy = nn.CrossEntropyLoss()
    if problem.weight_decay:
        settings["weight_decay"] = problem.weight_decay
    optimizer = getattr(torch.optim, problem.optimizer)(parameters, lr=problem.lr, **settings)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)

    def step() -> float:
        scores = model(X)
        loss = (1.0 - y * scores[:, 0]).relu().mean() if problem.loss == "hinge" else cross_entropy(scores, y)
        if problem.l2:
            loss = loss + problem.l2 * sum((p * p).sum() for p in parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


@peer("PyTorch, fused optimiser", "T1", "T2", "T3")
def torch_fused(problem: Training) -> Step:
    return torch(problem, fused=True)


# ----------------------------------------------------------------------------------------------------- by hand in NumPy
@peer("NumPy by hand", "S1", "T1", "T1wd", "T2", "T3")
def numpy_naive(problem: Training) -> Step:
    """What a teacher writes on the board: no buffers, a line per formula."""
    X, y, n = problem.X, problem.y, len(problem.X)
    W1, b1, W2, b2, W3, b3 = params = problem.parameters()
    update = naive_optimizer(problem, params)

    def step() -> float:
        h1 = np.maximum(X @ W1.T + b1, 0)
        h2 = np.maximum(h1 @ W2.T + b2, 0)
        scores = h2 @ W3.T + b3
        if problem.loss == "hinge":
            margins = 1 - y * scores[:, 0]
            loss = np.maximum(margins, 0).mean()
            ds = (-y * (margins > 0) / n)[:, None]
        else:
            e = np.exp(scores - scores.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            loss = -np.log(p[np.arange(n), y]).mean()
            ds = p
            ds[np.arange(n), y] -= 1
            ds /= n
        dh2 = (ds @ W3) * (h2 > 0)
        dh1 = (dh2 @ W2) * (h1 > 0)
        grads = [dh1.T @ X, dh1.sum(axis=0), dh2.T @ h1, dh2.sum(axis=0), ds.T @ h2, ds.sum(axis=0)]
        if problem.l2:
            loss += problem.l2 * sum((p * p).sum() for p in params)
            grads = [g + 2 * problem.l2 * p for g, p in zip(grads, params, strict=True)]
        update(grads)
        return float(loss)

    return step


def naive_optimizer(problem: Training, params: list[Any]) -> Any:
    """SGD or Adam, one parameter after the other; for the peers that bring no optimiser."""
    lr, decay, t = problem.lr, problem.weight_decay, 0
    ms, vs = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]

    def sgd(grads: Any) -> None:
        for p, g in zip(params, grads, strict=True):
            if decay:
                g = g + decay * p
            p -= lr * g

    def adam(grads: Any) -> None:
        nonlocal t
        t += 1
        for p, g, m, v in zip(params, grads, ms, vs, strict=True):
            m[...] = BETA1 * m + (1 - BETA1) * g
            v[...] = BETA2 * v + (1 - BETA2) * g**2
            m_hat, v_hat = m / (1 - BETA1**t), v / (1 - BETA2**t)
            p -= lr * m_hat / (np.sqrt(v_hat) + EPS)

    return sgd if problem.optimizer == "SGD" else adam


@peer("NumPy preallocated", "S1", "T1", "T1wd", "T2", "T3")
def numpy_preallocated(problem: Training) -> Step:
    """Everything written with out= into buffers made once, all parameters in one flat array."""
    X, y, n, dtype = problem.X, problem.y, len(problem.X), problem.dtype
    params = problem.parameters()
    flat = np.concatenate([p.ravel() for p in params])
    grad, scratch, m, v = (np.zeros_like(flat) for _ in range(4))
    ends = np.cumsum([0] + [p.size for p in params]).tolist()
    W1, b1, W2, b2, W3, b3 = views(flat, ends, params)
    gW1, gb1, gW2, gb2, gW3, gb3 = views(grad, ends, params)
    h1, h2, scores = (np.empty((n, len(b)), dtype) for b in (b1, b2, b3))
    dh1, dh2, ds = np.empty_like(h1), np.empty_like(h2), np.empty_like(scores)
    mask1, mask2 = np.empty(h1.shape, bool), np.empty(h2.shape, bool)
    zero, ones, rows = dtype.type(0), np.ones(n, dtype), np.arange(n)
    margins, closed, column = np.empty(n, dtype), np.empty(n, bool), np.empty((n, 1), dtype)
    upstream = np.asarray(-y / n, dtype)
    t = 0

    def step() -> float:
        nonlocal t
        np.matmul(X, W1.T, out=h1)
        np.add(h1, b1, out=h1)
        np.maximum(h1, zero, out=h1)
        np.matmul(h1, W2.T, out=h2)
        np.add(h2, b2, out=h2)
        np.maximum(h2, zero, out=h2)
        np.matmul(h2, W3.T, out=scores)
        np.add(scores, b3, out=scores)
        if problem.loss == "hinge":
            np.multiply(y, scores[:, 0], out=margins)
            np.subtract(1.0, margins, out=margins)
            np.greater(margins, zero, out=closed)
            np.multiply(margins, closed, out=margins)
            loss = float(np.add.reduce(margins)) / n
            np.multiply(upstream, closed, out=ds[:, 0])
        else:
            np.maximum.reduce(scores, axis=1, keepdims=True, out=column)
            np.subtract(scores, column, out=scores)
            np.exp(scores, out=ds)
            np.add.reduce(ds, axis=1, keepdims=True, out=column)
            np.divide(ds, column, out=ds)
            np.log(column, out=column)
            loss = float(np.add.reduce(column[:, 0]) - np.add.reduce(scores[rows, y])) / n
            ds[rows, y] -= 1.0
            np.multiply(ds, dtype.type(1.0 / n), out=ds)
        np.matmul(ds, W3, out=dh2)
        np.greater(h2, zero, out=mask2)
        np.multiply(dh2, mask2, out=dh2)
        np.matmul(dh2, W2, out=dh1)
        np.greater(h1, zero, out=mask1)
        np.multiply(dh1, mask1, out=dh1)
        for d, h, gW, gb in ((dh1, X, gW1, gb1), (dh2, h1, gW2, gb2), (ds, h2, gW3, gb3)):
            np.matmul(d.T, h, out=gW)
            np.matmul(ones, d, out=gb)
        if decay := 2.0 * problem.l2 + problem.weight_decay:
            if problem.l2:
                loss += problem.l2 * float(np.dot(flat, flat))
            np.multiply(flat, decay, out=scratch)
            np.add(grad, scratch, out=grad)
        if problem.optimizer == "Adam":
            t += 1
            correction = (1.0 - BETA2**t) ** 0.5
            np.multiply(m, BETA1, out=m)
            np.multiply(grad, 1.0 - BETA1, out=scratch)
            np.add(m, scratch, out=m)
            np.multiply(v, BETA2, out=v)
            np.multiply(grad, grad, out=grad)
            np.multiply(grad, 1.0 - BETA2, out=grad)
            np.add(v, grad, out=v)
            np.sqrt(v, out=scratch)
            np.add(scratch, EPS * correction, out=scratch)
            np.divide(m, scratch, out=scratch)
            np.multiply(scratch, problem.lr * correction / (1.0 - BETA1**t), out=scratch)
        else:
            np.multiply(grad, problem.lr, out=scratch)
        np.subtract(flat, scratch, out=flat)
        return loss

    return step


def views(flat: np.ndarray, ends: list[int], like: list[np.ndarray]) -> list[np.ndarray]:
    return [flat[i:j].reshape(p.shape) for i, j, p in zip(ends, ends[1:], like, strict=False)]


# ------------------------------------------------------------------------------------------------------- other engines
def loss_of(problem: Training, xp: Any, params: Any) -> Any:
    """The loss in the functions of `xp`, a library that follows NumPy's names."""
    *layers, (W, b) = zip(params[::2], params[1::2], strict=True)
    h = problem.X
    for V, c in layers:
        h = xp.maximum(h @ V.T + c, 0)
    scores = h @ W.T + b
    if problem.loss == "hinge":
        loss = xp.mean(xp.maximum(1 - problem.y * scores[:, 0], 0))
    else:
        scores = scores - xp.max(scores, axis=1, keepdims=True)
        logs = xp.log(xp.sum(xp.exp(scores), axis=1)) - scores[np.arange(len(problem.y)), problem.y]
        loss = xp.mean(logs)
    if problem.l2:
        loss = loss + problem.l2 * sum(xp.sum(p * p) for p in params)
    return loss


@peer("autograd", "S1", "T1", "T2", "T3")
def autograd(problem: Training) -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    params = problem.parameters()
    update = naive_optimizer(problem, params)
    differentiate = value_and_grad(lambda params: loss_of(problem, anp, params))

    def step() -> float:
        loss, grads = differentiate(params)
        update(grads)
        return float(loss)

    return step


@peer("MyGrad", "S1", "T1", "T2", "T3")
def mygrad(problem: Training) -> Step:
    """With memory guarding off, which its documentation recommends for speed."""
    import mygrad
    from mygrad.nnet.losses import softmax_crossentropy

    mygrad.turn_memory_guarding_off()
    params = [mygrad.tensor(p) for p in problem.parameters()]
    update = naive_optimizer(problem, [p.data for p in params])
    W1, b1, W2, b2, W3, b3 = params
    X, y = problem.X, problem.y

    def step() -> float:
        h = mygrad.maximum(mygrad.matmul(X, W1.T) + b1, 0)
        h = mygrad.maximum(mygrad.matmul(h, W2.T) + b2, 0)
        scores = mygrad.matmul(h, W3.T) + b3
        if problem.loss == "hinge":
            loss = mygrad.mean(mygrad.maximum(1 - y * scores[:, 0], 0))
        else:
            loss = softmax_crossentropy(scores, y)
        if problem.l2:
            loss = loss + problem.l2 * sum((p * p).sum() for p in params)
        loss.backward()
        update([p.grad for p in params])
        for p in params:
            p.null_grad()
        return float(loss.item())

    return step


@peer("JAX jit", "S1", "T1", "T2", "T3")
def jax(problem: Training) -> Step:
    """The whole step compiled."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", problem.dtype == np.float64)
    params = [jnp.asarray(p) for p in problem.parameters()]
    state = [jnp.zeros_like(p) for p in params], [jnp.zeros_like(p) for p in params]
    t = 0

    @jax.jit
    def advance(params: Any, state: Any, c1: float, c2: float) -> Any:
        loss, grads = jax.value_and_grad(lambda params: loss_of(problem, jnp, params))(params)
        if problem.optimizer == "SGD":
            return loss, [p - problem.lr * g for p, g in zip(params, grads, strict=True)], state
        ms, vs = state
        ms = [BETA1 * m + (1 - BETA1) * g for m, g in zip(ms, grads, strict=True)]
        vs = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(vs, grads, strict=True)]
        moves = [problem.lr * (m / c1) / (jnp.sqrt(v / c2) + EPS) for m, v in zip(ms, vs, strict=True)]
        return loss, [p - d for p, d in zip(params, moves, strict=True)], (ms, vs)

    def step() -> float:
        nonlocal params, state, t
        t += 1
        loss, params, state = advance(params, state, 1 - BETA1**t, 1 - BETA2**t)
        return float(loss)

    return step
