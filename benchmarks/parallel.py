"""Two processes against one: the same steps, data-parallel, in turns.  `python -m benchmarks parallel` starts mpiexec.

In each round rank 0 first trains alone, while rank 1 sleeps, and then both train together; a ratio compares the two
times of the same round.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

__all__ = ["report"]

Step = Callable[[], float]

SMALL, LARGE = [64, 64, 10], [784, 512, 512, 10]  # 4,810 and 669,706 parameters
ROWS = [
    (SMALL, 64, "float64"),
    (SMALL, 1024, "float64"),
    (LARGE, 32, "float64"),
    (LARGE, 128, "float64"),
    (LARGE, 1024, "float64"),
    (LARGE, 1024, "float32"),
]


# -------------------------------------------------------------------------------------------------------- on every rank
def training(sizes: list[int], batch: int, dtype: str, comm: Any) -> tuple[Step, Any]:
    """One whole training step on this rank's rows of a fixed batch, which returns the loss of all rows before it."""
    import numpy as np

    from minigrad import data, nn, optim, parallel

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(batch, sizes[0])).astype(dtype), rng.integers(sizes[-1], size=batch)
    model = nn.MLP(sizes, rng=0).to(dtype)
    loss, optimizer = nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    ranks = parallel.DataParallel(model, comm)
    [(X, y)] = list(ranks.shard(data.DataLoader(X, y, batch_size=batch)))

    def step() -> float:
        optimizer.zero_grad()
        value = loss(model(X), y)
        value.backward()
        ranks.average_gradients()
        optimizer.step()
        return float(value)

    return step, ranks


def wait(comm: Any) -> None:
    """Until all ranks are here, without keeping a CPU busy, as MPI's own barrier would."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(1e-3)


def measure(sizes: list[int], batch: int, dtype: str, rounds: int, block: float) -> dict[str, Any]:
    """Seconds per step, a list over the rounds, of one process, of two, and of the Allreduce alone; rank 0's count."""
    from mpi4py import MPI

    from minigrad import parallel

    world = MPI.COMM_WORLD
    alone, _ = training(sizes, batch, dtype, parallel.Alone())
    together, ranks = training(sizes, batch, dtype, world)
    expected = [alone() for _ in range(5)]
    losses = [ranks.average(together()) for _ in range(5)]
    worst = max(abs(a - b) / abs(b) for a, b in zip(losses, expected, strict=True))
    if worst > (1e-12 if dtype == "float64" else 1e-5):
        raise SystemExit(f"the losses of two ranks differ from one's by {worst:.1e}, relative")

    def seconds(step: Callable[[], Any], steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - start) / steps

    steps = world.bcast(max(3, round(block / seconds(alone, 3))))
    found: dict[str, Any] = {"difference": worst, "one": [], "two": [], "allreduce": []}
    for _ in range(rounds):
        wait(world)
        if world.rank == 0:
            found["one"].append(seconds(alone, steps))
        wait(world)
        found["two"].append(seconds(together, steps))
        wait(world)
        found["allreduce"].append(seconds(ranks.average_gradients, steps))
    return found


# -------------------------------------------------------------------------------------------------------- in the parent
def report(rounds: int, block: float) -> str:
    """The table, as text; says so where mpiexec or mpi4py is missing."""
    title = "### Two processes against one (SGD with momentum, mpiexec -n 2, one BLAS thread each)\n\n"
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not launcher:
        return f"{title}skipped: there is no mpiexec (pip install mpi4py mpich)"
    arguments = [sys.executable, "-m", "benchmarks.parallel", str(rounds), str(block)]
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [launcher, "-n", "2", *arguments], cwd=root, capture_output=True, text=True, timeout=60 + 60 * rounds
    )
    if done.returncode:
        return f"{title}failed:\n\n{done.stderr or done.stdout}"
    lines = [
        "| parameters | batch | | one | two | of it averaging | speed-up |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for line in done.stdout.splitlines():
        parameters, batch, dtype, found = json.loads(line)
        one, two, averaging = (1e3 * statistics.median(found[name]) for name in ("one", "two", "allreduce"))
        gain = statistics.median([a / b for a, b in zip(found["one"], found["two"], strict=True)])
        times = f"{one:.3g} ms | {two:.3g} ms | {averaging:.3g} ms"
        lines.append(f"| {parameters:,} | {batch} | {dtype} | {times} | {gain:.2f}x |")
    return title + "\n".join(lines)


def main() -> None:
    from mpi4py import MPI

    rounds, block = int(sys.argv[1]), float(sys.argv[2])
    for sizes, batch, dtype in ROWS:
        found = measure(sizes, batch, dtype, rounds, block)
        if MPI.COMM_WORLD.rank == 0:
            parameters = sum([(n + 1) * m for n, m in pairwise(sizes)])
            print(json.dumps([parameters, batch, dtype, found]), flush=True)


if __name__ == "__main__":
    main()
