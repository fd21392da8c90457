"""O100: the optimiser's step alone, on 100 small parameters; and row 38 of the readings: the size of the data."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .peers import Step, peer
from .problems import Update

__all__ = ["updates"]


@peer("minigrad", "O100")
def minigrad(problem: Update) -> Step:
    import minigrad as mg

    parameters = [mg.Value(p.copy()) for p in problem.parameters]
    for p, g in zip(parameters, problem.gradients, strict=True):
        p.grad = g
    optimizer = mg.optim.Adam(parameters, lr=problem.lr)

    def step() -> float:
        optimizer.step()
        return float(parameters[0].data[0, 0])

    return step


@peer("PyTorch", "O100")
def torch(problem: Update, **settings: Any) -> Step:
    """Adam as it comes: on a CPU a loop over the parameters."""
    import torch

    torch.set_num_threads(1)
    parameters = [torch.from_numpy(p.copy()).requires_grad_() for p in problem.parameters]
    for p, g in zip(parameters, problem.gradients, strict=True):
        p.grad = torch.from_numpy(g)
    optimizer = torch.optim.Adam(parameters, lr=problem.lr, **settings)

    def step() -> float:
        optimizer.step()
        return float(parameters[0][0, 0].item())

    return step


@peer("PyTorch, foreach", "O100")
def torch_foreach(problem: Update) -> Step:
    """One call per operation for the list of all parameters."""
    return torch(problem, foreach=True)


@peer("PyTorch, fused optimiser", "O100")
def torch_fused(problem: Update) -> Step:
    """One call for all."""
    return torch(problem, fused=True)


@peer("NumPy by hand", "O100")
def numpy_loop(problem: Update) -> Step:
    """A formula per parameter."""
    parameters = [p.copy() for p in problem.parameters]
    ms, vs, t = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters], 0

    def step() -> float:
        nonlocal t
        t += 1
        for p, g, m, v in zip(parameters, problem.gradients, ms, vs, strict=True):
            m[...] = 0.9 * m + 0.1 * g
            v[...] = 0.999 * v + 0.001 * g * g
            p -= problem.lr * (m / (1.0 - 0.9**t)) / (np.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
        return float(parameters[0][0, 0])

    return step


def updates() -> dict[int, float]:
    """Seconds per minibatch update (32 of 16 numbers, SGD) with 1,000 and with 100,000 examples; least of ten runs."""
    from minigrad import nn, optim
    from minigrad.data import DataLoader

    runs = {}
    for examples in (1_000, 100_000):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(examples, 16)), rng.integers(0, 4, examples)
        model = nn.Linear(16, 4, rng=0)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        runs[examples] = (iter(endless(DataLoader(X, y, batch_size=32, shuffle=True, rng=0))), model, optimizer)
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(10):  # in turns
        for examples, (batches, model, optimizer) in runs.items():
            start = time.perf_counter()
            for _ in range(3_200):  # more than an epoch, which begins with a shuffle of all examples
                X, y = next(batches)
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(X), y).backward()
                optimizer.step()
            best[examples] = min(best[examples], (time.perf_counter() - start) / 3_200)
    return best


def endless(batches: Any) -> Any:
    while True:
        yield from batches
