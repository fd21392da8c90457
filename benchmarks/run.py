"""The runner: every peer in a process of its own, checked for the same losses, then timed in turns.

python -m benchmarks                    all workloads, all installed peers
python -m benchmarks S1 T2 --rounds 5   some
python -m benchmarks --quick            short blocks, few rounds: do the ratios make sense?
python -m benchmarks --write            all, and the tables in README.md anew
python -m benchmarks --plots            how the cost grows with the work, drawn into growth.svg
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import statistics
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .peers import PEERS

__all__ = ["main"]

CHECKED = {"S2": 5}  # steps whose losses must agree with the first peer's; 20 elsewhere
FLOATS = dict.fromkeys(["T2", "T3", "T4", "T5"], "float32")
# Relative; 1e-12 elsewhere.  S2: 33,333 roundings of tanh in a row.
TOLERANCE = {"S2": 1e-10, **dict.fromkeys(FLOATS, 1e-5)}

# What minigrad is to reach: (workload, peer, minigrad's row, how many times the peer's speed).
GOALS = [
    ("S1", "micrograd", "minigrad", 5.0),
    ("S1", "micrograd, gc off", "minigrad", 1.5),
    ("S1", "micrograd", "minigrad, n-ary neuron", 25.0),
    ("T1", "PyTorch", "minigrad", 3.0),
    ("T1", "PyTorch", "minigrad, one L2 gate", 3.0),
    ("T2", "PyTorch", "minigrad", 3.0),
    ("T3", "PyTorch", "minigrad", 1.3),
    ("O100", "PyTorch", "minigrad", 5.0),
    *[(workload, name, "minigrad", 1.0) for workload in ("S2", "T1", "T2", "T3") for name in ("autograd", "MyGrad")],
    ("S1", "micrograd", "minigrad compiled", 8000.0),
    ("T1", "PyTorch", "minigrad compiled", 20.0),
    ("T2", "PyTorch", "minigrad compiled", 4.5),
    ("T3", "PyTorch", "minigrad compiled", 1.4),
    ("T4", "PyTorch", "minigrad compiled", 2.0),
    ("T5", "PyTorch", "minigrad compiled", 1 / 0.9),
    ("H1", "PyTorch, torch.func", "minigrad compiled", 8.0),
    ("H1v", "PyTorch, torch.func", "minigrad compiled", 15.0),
    ("T1", "JAX jit", "minigrad compiled", 1 / 0.8),
    ("T2", "JAX jit", "minigrad compiled", 1.0),
    ("T3", "JAX jit", "minigrad compiled", 1 / 1.1),
    ("T1", "NumPy preallocated", "minigrad compiled", 1 / 1.2),
    ("T2", "NumPy preallocated", "minigrad compiled", 1 / 1.2),
    ("T3", "NumPy preallocated", "minigrad compiled", 1 / 1.05),
]
README = Path(__file__).parent / "README.md"
START, END = "<!-- results: written by python -m benchmarks --write -->", "<!-- end of results -->"


# -------------------------------------------------------------------------------------------------------- in the worker
def register() -> None:
    """Fill PEERS.  These modules import NumPy, so the workers import them, after the threads are set."""
    from . import convolution, hessian, optimizer, scalar, svm, tensor  # noqa: F401


def work(pipe: Any, workload: str, name: str, problem: Any = None) -> None:
    """Build one peer, then answer: the losses of n steps, or the seconds of a block of n steps."""
    if hasattr(os, "sched_setaffinity"):  # one CPU, the same for all: JAX has no other way to keep to one
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    register()
    from .problems import PROBLEMS

    try:
        step = PEERS[workload][name](problem or PROBLEMS[workload]())
        pipe.send(None)
        while (request := pipe.recv()) is not None:
            what, steps = request
            start = time.perf_counter()
            losses = [step() for _ in range(steps)]
            seconds = time.perf_counter() - start
            pipe.send(losses if what == "losses" else seconds)
    except ModuleNotFoundError as error:
        pipe.send(f"skipped: {error.name} is not installed" if error.name != "minigrad" else str(error))
    except Exception:
        pipe.send(traceback.format_exc())


def measure(pipe: Any, function: Callable[[], Any]) -> None:
    pipe.send(function())


# -------------------------------------------------------------------------------------------------------- in the parent
@dataclass
class Peer:
    """A worker process and what it has said."""

    name: str
    process: Any
    pipe: Any
    steps: int = 1  # per block
    problem: str = ""  # why it is not timed
    times: list[float] = field(default_factory=list)  # seconds per step, one per round
    first: float = float("nan")  # seconds of the first step: with recording or compiling, where a peer does that

    def ask(self, what: str, steps: int) -> Any:
        try:
            self.pipe.send((what, steps))
            answer = self.pipe.recv()
        except (EOFError, OSError) as error:
            answer = f"the process died: {error!r}"
        if isinstance(answer, str):
            self.problem = answer
        return answer


def start(workload: str, name: str, problem: Any = None) -> Peer:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, workload, name, problem), daemon=True)
    process.start()
    theirs.close()
    peer = Peer(name, process, ours)
    try:
        peer.problem = ours.recv() or ""
    except EOFError:
        peer.problem = "the process died while it was set up"
    return peer


def compare(workload: str, names: list[str], rounds: int, block: float, problem: Any = None) -> list[Peer]:
    """Start the peers, check their losses against the first one's, and time them in turns: A B C, C B A, ...

    `problem` is another one of the workload's kind.
    """
    peers = [start(workload, name, problem) for name in names]
    expected: list[float] | None = None
    for peer in peers:
        if peer.problem:
            continue
        begin = time.perf_counter()
        losses = peer.ask("losses", 1)
        peer.first = time.perf_counter() - begin
        if not peer.problem:
            losses += peer.ask("losses", CHECKED.get(workload, 20) - 1)
        if peer.problem:
            continue
        expected = expected or losses
        worst = max(abs(a - b) / abs(b) for a, b in zip(losses, expected, strict=True))
        if not worst <= TOLERANCE.get(workload, 1e-12):
            peer.problem = f"not timed: its losses differ by {worst:.1e}, relative"
        else:  # warm up for as long as a block takes, and find out how many steps that is
            steps = 1
            while not peer.problem and (seconds := peer.ask("time", steps)) < block and steps < 2**20:
                steps *= 2
            peer.steps = max(1, round(steps * block / seconds))
    timed = [peer for peer in peers if not peer.problem]
    for turn in range(rounds):
        for peer in timed if turn % 2 == 0 else timed[::-1]:
            peer.times.append(peer.ask("time", peer.steps) / peer.steps)
    for peer in peers:
        if peer.process.is_alive():
            peer.pipe.send(None)
        peer.process.join()
    return peers


def alone(function: Callable[[], Any]) -> Any:
    """The result of `function`, called in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=measure, args=(theirs, function))
    process.start()
    result = ours.recv()
    process.join()
    return result


def ratio(peer: Peer, base: Peer) -> float:
    """How many times as long `peer` takes: the median over rounds, each round against itself."""
    return statistics.median([a / b for a, b in zip(peer.times, base.times, strict=True)])


# ------------------------------------------------------------------------------------------------------------ reporting
def table(workload: str, peers: list[Peer]) -> str:
    """A row per peer; a column per row of minigrad's, with the ratio to it."""
    timed = [peer for peer in peers if peer.times]
    bases = [peer for peer in timed if peer.name.startswith("minigrad")]
    head = ["peer", "first step", "min per step", "median", *[f"times {base.name}" for base in bases]]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for peer in timed:
        ratios = [f"{ratio(peer, base):.3g}" for base in bases]
        times = (peer.first, min(peer.times), statistics.median(peer.times))
        rows.append([peer.name, *map(duration, times), *ratios])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    title = f"### {workload} ({FLOATS.get(workload, 'float64')})"
    notes = "".join([f"\n\n{peer.name}: {peer.problem.strip()}" for peer in peers if peer.problem])
    return f"{title}\n\n" + "\n".join(lines) + notes


def duration(seconds: float) -> str:
    unit, scale = ("s", 1.0) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("µs", 1e6)
    return f"{seconds * scale:.3g} {unit}"


def goals(results: dict[str, list[Peer]]) -> str:
    """Each goal and what was measured."""
    lines = ["### Goals", "", "| workload | minigrad's row | against | goal | measured | |"]
    lines.append("| --- | --- | --- | ---: | ---: | --- |")
    for workload, name, ours, goal in GOALS:
        rows = {peer.name: peer for peer in results.get(workload, []) if peer.times}
        if name in rows and ours in rows:
            measured = ratio(rows[name], rows[ours])
            met = "met" if measured >= goal else f"missed by {1 - measured / goal:.0%}"
            lines.append(f"| {workload} | {ours} | {name} | {goal:.4g}x | {measured:.4g}x | {met} |")
    return "\n".join(lines)


def chain() -> str:
    from .chain import million

    lines = ["### A chain of a million gates", "", "| | measured | goal |", "| --- | ---: | ---: |"]
    numbers = alone(million)
    numbers = {"forward + backward (s)": numbers["forward (s)"] + numbers["backward (s)"], **numbers}
    limits = {"forward + backward (s)": "3", "bytes kept per gate": "220"}
    return "\n".join(lines + [f"| {what} | {x:.3g} | {limits.get(what, '')} |" for what, x in numbers.items()])


def updates() -> str:
    from .optimizer import updates

    lines = ["### Row 38: a minibatch update and the number of examples", ""]
    lines += ["| examples | per update |", "| ---: | ---: |"]
    times = alone(updates)
    few, many = times.values()
    lines += [f"| {examples:,} | {duration(seconds)} |" for examples, seconds in times.items()]
    return "\n".join([*lines, "", f"A hundred times the examples: {many / few - 1.0:+.0%} (goal: within 20 %)."])


def parallel(rounds: int, block: float) -> str:
    from .parallel import report

    return report(rounds, block)


def growth(rounds: int, block: float) -> str:
    from .growth import growth

    return growth(rounds, block, machine())


def machine() -> str:
    """What the numbers depend on."""
    versions = [f"Python {platform.python_version()}"]
    for package in ("numpy", "micrograd", "autograd", "mygrad", "torch", "jax"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    processor = platform.processor() or platform.machine()
    if (cpus := Path("/proc/cpuinfo")).exists():
        names = [line.split(":")[1].strip() for line in cpus.read_text().splitlines() if line.startswith("model name")]
        processor = f"{len(names)} x {names[0]}" if names else processor
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return f"{', '.join(versions)}. {platform.system()}, {processor}, one CPU{load}."


def main() -> None:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=layout)
    names = "S1 S2 S3 T1 T1wd T2 T3 T4 T5 H1 H1v O100, chain, updates, parallel, or growth"
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=names)
    parser.add_argument("--peers", nargs="+", help="only peers whose name contains one of these (minigrad always runs)")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--block", type=float, default=0.3, help="seconds per block")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 0.05 s")
    parser.add_argument("--plots", action="store_true", help="growth too: sweeps, drawn into benchmarks/growth.svg")
    parser.add_argument("--write", action="store_true", help="write the tables into benchmarks/README.md")
    options = parser.parse_args()
    rounds, block = (3, 0.05) if options.quick else (options.rounds, options.block)
    for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
        os.environ[f"{library}_NUM_THREADS"] = "1"  # the workers inherit it
    register()
    alone_standing = {
        "chain": chain,
        "updates": updates,
        "parallel": lambda: parallel(rounds, block),
        "growth": lambda: growth(min(rounds, 5), block / 3),
    }
    if unknown := set(options.workloads) - {*PEERS, *alone_standing}:
        parser.error(f"no workload {sorted(unknown)}; there are {[*PEERS, *alone_standing]}")
    workloads = options.workloads or [*PEERS, "chain", "updates", "parallel"]
    workloads += ["growth"] if options.plots and "growth" not in workloads else []
    if "growth" in workloads and not importlib.util.find_spec("matplotlib"):
        parser.error("the plots need Matplotlib: pip install matplotlib")
    texts, results = [], {}
    for workload in workloads:
        if workload in alone_standing:
            texts.append(alone_standing[workload]())
        else:
            names = [
                name
                for name in PEERS[workload]
                if not options.peers or any(part.lower() in name.lower() for part in ["minigrad", *options.peers])
            ]
            results[workload] = compare(workload, names, rounds, block)
            texts.append(table(workload, results[workload]))
        print(texts[-1], end="\n\n", flush=True)
    texts.insert(0, goals(results))
    how = f"{machine()} {rounds} rounds, blocks of {block:g} s."
    print(texts[0], how, sep="\n\n")
    if options.write:
        text = README.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        README.write_text(before + "\n\n".join([START, how, *texts, END]) + rest.partition(END)[2], encoding="utf-8")
