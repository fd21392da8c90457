"""How the cost grows with the work: sweeps over width, batch, depth and nodes, drawn into growth.svg.

Needs Matplotlib (pip install matplotlib).
"""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .problems import Chain, classes

__all__ = ["PICTURE", "SWEEPS", "Sweep", "draw", "sweep"]

PICTURE = Path(__file__).parent / "growth.svg"
Times = dict[str, list[tuple[int, float]]]  # peer -> (size, seconds per step), where it could be timed


@dataclass
class Sweep:
    """Problems of growing `sizes` for the peers of one workload."""

    title: str
    axis: str
    workload: str
    peers: list[str]
    sizes: list[int]
    make: Callable[[int], Any]


ENGINES = ["minigrad", "minigrad compiled", "PyTorch", "JAX jit"]
SWEEPS = [
    Sweep("Width: MLP 64-n-n-10, batch 64", "units in a hidden layer", "T2", [*ENGINES, "NumPy preallocated"],
          [4, 16, 64, 256, 1024], lambda n: classes([64, n, n, 10], batch=64)),
    Sweep("Batch: MLP 64-128-64-10", "examples in a batch", "T2", [*ENGINES, "NumPy preallocated"],
          [1, 8, 64, 512, 4096], lambda n: classes([64, 128, 64, 10], batch=n)),
    Sweep("Depth: MLP 64-32-...-32-10, batch 64", "hidden layers", "T2", ENGINES,
          [1, 2, 4, 8, 16, 32], lambda n: classes([64, *[32] * n, 10], batch=64)),
    Sweep("Nodes: a chain of multiply, add and tanh", "scalar gates", "S2",
          ["micrograd", "minigrad", "minigrad compiled", "PyTorch", "Python floats by hand"],
          [30, 300, 3_000, 30_000], lambda n: Chain(turns=n // 3)),
]  # fmt: skip
COLOURS = dict(zip(
    ["minigrad", "minigrad compiled", "PyTorch", "JAX jit", "NumPy preallocated", "Python floats by hand", "micrograd"],
    ["tab:blue", "tab:cyan", "tab:orange", "tab:green", "0.4", "0.4", "tab:red"], strict=True,
))  # fmt: skip


def sweep(plan: Sweep, rounds: int, block: float) -> tuple[Times, dict[str, str]]:
    """The times, medians over the rounds, and why a peer is missing somewhere."""
    from .run import compare

    times: Times = {}
    missing: dict[str, str] = {}
    for size in plan.sizes:
        for peer in compare(plan.workload, plan.peers, rounds, block, plan.make(size)):
            if peer.problem:
                missing[peer.name] = f"{peer.name} at {size:,}: {peer.problem.strip().splitlines()[-1]}"
            else:
                times.setdefault(peer.name, []).append((size, statistics.median(peer.times)))
    return times, missing


def draw(results: list[Times], note: str, path: Path = PICTURE) -> None:
    """A panel per sweep, both axes logarithmic, and `note` below."""
    from matplotlib.figure import Figure  # not pyplot: no window, no state

    figure = Figure(figsize=(10, 8.5), layout="constrained")
    for axes, plan, times in zip(figure.subplots(2, 2).flat, SWEEPS, results, strict=True):
        for name, points in times.items():
            axes.plot(*zip(*points, strict=True), "o-", markersize=3, label=name, color=COLOURS.get(name))
        axes.set(xscale="log", yscale="log", title=plan.title, xlabel=plan.axis, ylabel="seconds per step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.supxlabel(textwrap.fill(note, 190), fontsize=7, ha="left", x=0.02)
    figure.savefig(path, metadata={"Date": None})


def growth(rounds: int, block: float, machine: str) -> str:
    """Time all sweeps, draw them, and return the paragraph for README.md."""
    found = [sweep(plan, rounds, block) for plan in SWEEPS]
    missing = [f"{why}." for _, absent in found for why in absent.values()]
    note = (
        f"{machine} One thread, {rounds} rounds of {block:.2g} s, medians. A step is forward, backward, update and the "
        "loss as a float, on one fixed batch. Equal losses are checked at every point. Width, batch, depth: Adam, "
        "softmax cross-entropy, float32; nodes: float64. Where the lines run flat, the overhead of a call is what is "
        "timed; where they join, the BLAS."
    )
    draw([times for times, _ in found], note)
    return "\n\n".join(["### How the cost grows", f"![seconds per step, four sweeps]({PICTURE.name})", note, *missing])
