"""The trainings that `test_parallel.py` runs in several processes: each writes what it found to OUT/<rank>.npz.

Every rank begins with weights and a shuffling of its own: only rank 0's may count.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim, parallel, train

ROWS, BATCH = 31, 10  # the last batch is a single row: fewer than ranks


class Gated(nn.Module):
    """A scalar, a layer in float32, and an expert that only some batches, and then perhaps only some ranks, ask."""

    def __init__(self, rng: Any) -> None:
        self.scale = nn.Parameter(0.5, label="scale")
        self.body = nn.Linear(3, 3, rng=rng)
        self.half = nn.Linear(3, 3, rng=rng, dtype=np.float32)
        self.expert = nn.Linear(3, 3, rng=rng)

    def forward(self, X: Any) -> Any:
        scores = self.body(X) * self.scale + self.half(X.astype(np.float32)) * 1.0
        asked = X[:, 0] > 0.8
        return scores + self.expert(X) * asked[:, None] if asked.any() else scores


def problem(rank: int, model: str) -> tuple[Any, Any]:
    """A model and a loader; the data are the same on all ranks."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(ROWS, 3))
    y = rng.integers(3, size=ROWS)
    makers = {"mlp": lambda: nn.MLP([3, 16, 3], rng=rank), "gated": lambda: Gated(np.random.default_rng(rank))}
    return makers[model](), data.DataLoader(X, y, batch_size=BATCH, shuffle=True, rng=100 + rank)


# Name: the model, the optimiser, what else is done to the gradients.
CASES: dict[str, tuple[str, Any, Any]] = {
    "momentum": ("mlp", lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), None),
    "adam": ("mlp", lambda ps: optim.Adam(ps, lr=0.01), None),
    "clipped": ("mlp", lambda ps: optim.SGD(ps, lr=0.5), lambda ps: nn.utils.clip_grad_norm_(ps, 0.1)),
    "gated": ("gated", lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), None),
}


def run(case: str, rank: int, ranks: bool = True, epochs: int = 5) -> dict[str, np.ndarray]:
    """By hand: the losses of all steps, and the final weights; `ranks=False` is the plain loop, without parallel."""
    name, make_optimizer, clip = CASES[case]
    model, loader = problem(rank, name)
    optimizer = make_optimizer(model.parameters())
    loss = nn.CrossEntropyLoss()
    together = parallel.DataParallel(model) if ranks else None
    batches = together.shard(loader) if together else loader
    losses, missing = [], 0
    for _ in range(epochs):
        for X, y in batches:
            optimizer.zero_grad()
            value = loss(model(X), y)
            value.backward()
            missing += any(p.grad is None for p in model.parameters())
            if together:
                together.average_gradients()
            if clip:
                clip(model.parameters())
            optimizer.step()
            losses.append(together.average(value.item()) if together else value.item())
    return {"losses": np.array(losses), "missing": np.array(missing), **model.state_dict()}


def fitted(rank: int, ranks: bool = True) -> dict[str, np.ndarray]:
    """The same by `train.fit`, with clipping, and with early stopping by the training loss."""
    model, loader = problem(rank, "mlp")
    loader = data.DataLoader(loader.X[:30], loader.y[:30], batch_size=7, shuffle=True, rng=rank)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    common: dict[str, Any] = dict(loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=50)

    def enough(record: Any) -> bool:
        return bool(record["loss"] < 0.95)

    def clip(parameters: Any) -> None:
        nn.utils.clip_grad_norm_(parameters, 0.5)

    if not ranks:
        history = train.fit(model, loader, clip=clip, callbacks=[enough], **common)
    else:
        together = parallel.DataParallel(model)

        def average_and_clip(parameters: Any) -> None:
            together.average_gradients(parameters)
            clip(parameters)

        callbacks = [together.average_record, enough]
        with together.quiet():
            history = train.fit(model, together.shard(loader), clip=average_and_clip, callbacks=callbacks, **common)
    return {"losses": np.array(history.loss), **model.state_dict()}


def resumed(rank: int, path: Path) -> dict[str, np.ndarray]:
    """Dropout and batch normalisation, stopped after two epochs and continued; "whole" is the run without a stop."""

    def fit(epochs: int, **options: Any) -> Any:
        loader = problem(rank, "mlp")[1]
        loader = data.DataLoader(loader.X[:30], loader.y[:30], batch_size=12, shuffle=True, rng=rank)
        layers = nn.Linear(3, 8, rng=rank), nn.BatchNorm1d(8), nn.Dropout(0.3, rng=5), nn.Linear(8, 3, rng=rank)
        model = nn.Sequential(*layers)
        together = parallel.DataParallel(model)
        adam = optim.Adam(model.parameters(), lr=0.01)
        common: dict[str, Any] = dict(loss=nn.CrossEntropyLoss(), optimizer=adam, clip=together.average_gradients)
        with together.quiet():
            train.fit(model, together.shard(loader), epochs=epochs, **common, **options)
        return model.state_dict()

    def stop(record: Any) -> None:
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    whole = fit(4)
    fit(4, checkpoint=path if rank == 0 else None, callbacks=[stop])
    again = fit(4, resume=path)
    return {f"{name} {kind}": a for kind, state in (("whole", whole), ("again", again)) for name, a in state.items()}


def normalised(rank: int) -> dict[str, np.ndarray]:
    """Batch normalisation: statistics per rank, and after an epoch those of rank 0 on all."""
    loader = problem(rank, "mlp")[1]
    model = nn.Sequential(nn.Linear(3, 4, rng=rank), nn.BatchNorm1d(4), nn.Linear(4, 3, rng=rank))
    together = parallel.DataParallel(model)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loader = data.DataLoader(loader.X[:30], loader.y[:30], batch_size=10)
    means = []
    for X, y in together.shard(loader):
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(model(X), y).backward()
        means.append(model[1].running_mean.copy())
        together.average_gradients()
        optimizer.step()
    return {"own": np.array(means[-1]), **model.state_dict()}


def main(out: Path) -> None:
    rank = parallel.world().rank
    results = {case: run(case, rank) for case in CASES}
    results["normalised"] = normalised(rank)
    results["fitted"] = fitted(rank)
    results["resumed"] = resumed(rank, out / "run.npz")
    mg.save(out / f"{rank}.npz", {f"{case}/{name}": a for case, found in results.items() for name, a in found.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
