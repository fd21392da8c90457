"""The benchmarks compare like with like: every installed peer computes the same losses.  Nothing is timed here."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
try:
    from benchmarks import growth, run
    from benchmarks.peers import PEERS, peer
    from benchmarks.problems import PROBLEMS, Chain, irregular
finally:
    sys.path.remove(str(ROOT))

run.register()
IN_TURN = [(workload, name) for workload, peers in PEERS.items() for name in peers]
ORACLES = ("PyTorch", "JAX")
HEAVY = pytest.mark.oracle  # PyTorch and JAX take seconds to import


def small(workload: str) -> Any:
    """The workload's problem, with fewer examples or turns."""
    problem = PROBLEMS[workload]()
    if workload == "S2":
        return replace(problem, turns=50, lr=1e-3)
    if workload == "S3":
        return irregular(200)
    if workload == "O100":
        return problem
    if workload in ("H1", "H1v"):
        return replace(problem, X=problem.X[:5], Y=problem.Y[:5])
    # Float32's steps are up to 100 times the benchmark's: three show an error of a hundredth in one gradient.
    lr = problem.lr * {"T2": 100.0, "T3": 100.0, "T4": 10.0, "T5": 100.0}.get(workload, 1.0)
    return replace(problem, X=problem.X[:10], y=problem.y[:10], lr=lr)


@pytest.fixture(autouse=True)
def as_before() -> Any:
    """Peers may change process-wide settings, for each has a process of its own when it is timed."""
    limit = sys.getrecursionlimit()
    yield
    gc.enable()
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    ("workload", "name"), [pytest.param(*p, marks=HEAVY if p[1].startswith(ORACLES) else ()) for p in IN_TURN]
)
def test_every_peer_computes_the_same_losses(workload: str, name: str) -> None:
    first = next(other for other in PEERS[workload] if "hand" in other)  # the backward pass written out, no engine
    expected = [step() for step in [PEERS[workload][first](small(workload))] for _ in range(3)]
    try:
        step = PEERS[workload][name](small(workload))
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    losses = [step() for _ in range(3)]
    assert losses == pytest.approx(expected, rel=run.TOLERANCE.get(workload, 1e-12))
    assert len(set(losses)) == 3, "the parameters moved"


def test_a_peer_that_computes_something_else_is_reported_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"right": [1.0] * 20, "wrong": [1.0] * 19 + [1.001], "broken": "Traceback ..."}

    class Pipe:
        def __init__(self, name: str) -> None:
            self.name = name

        def send(self, request: Any) -> None:
            self.request = request

        def recv(self) -> Any:
            what, steps = self.request
            answer = answers[self.name]
            return 1.0 if what == "time" else answer if isinstance(answer, str) else answer[-steps:]

    class Process:
        is_alive, join = (lambda self: True), (lambda self: None)

    monkeypatch.setattr(run, "start", lambda workload, name, problem: run.Peer(name, Process(), Pipe(name)))
    right, wrong, broken = run.compare("S1", list(answers), rounds=3, block=0.5)
    assert right.times == [1.0, 1.0, 1.0]
    assert wrong.times == broken.times == []
    assert "differ by 1.0e-03" in wrong.problem
    assert "Traceback" in broken.problem
    table = run.table("S1", [right, wrong])
    assert "| right |" in table
    assert "wrong: not timed" in table


def test_ratios_are_medians_over_rounds_each_against_its_own_round() -> None:
    slow = run.Peer("micrograd", None, None, times=[2.0, 60.0, 6.0])
    ours = run.Peer("minigrad", None, None, times=[1.0, 20.0, 1.0])  # the machine was busy in the second round
    assert run.ratio(slow, ours) == 3.0
    assert "| S1 | minigrad | micrograd | 5x | 3x | missed by 40% |" in run.goals({"S1": [slow, ours]})


def test_a_peer_is_one_function() -> None:
    @peer("mine", "S9")
    def mine(problem: Any) -> Any:
        return lambda: 0.0

    assert PEERS.pop("S9") == {"mine": mine}


def test_the_readme_has_the_place_that_write_fills() -> None:
    text = run.README.read_text(encoding="utf-8")
    assert text.count(run.START) == text.count(run.END) == 1
    assert text.index(run.START) < text.index(run.END)


def test_a_worker_in_its_own_process_gives_losses_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    worker = run.start("T1", "NumPy by hand")
    assert worker.problem == ""
    assert len(worker.ask("losses", 2)) == 2
    assert worker.ask("time", 2) > 0.0
    worker.pipe.send(None)
    worker.process.join(10)
    assert worker.process.exitcode == 0
    assert run.start("T1", "no such peer").problem


def test_the_problem_may_be_another_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    (peer,) = run.compare("S2", ["Python floats by hand"], rounds=2, block=1e-6, problem=Chain(turns=3))
    assert peer.problem == ""
    assert len(peer.times) == 2
    assert peer.first > 0.0


@pytest.mark.parametrize("plan", growth.SWEEPS, ids=lambda plan: plan.title.partition(":")[0])
def test_the_peers_of_a_sweep_compute_the_same_losses(plan: Any) -> None:
    pytest.importorskip("autograd")  # in arrays, of any depth, and no relation of ours
    found = {}
    for name in [name for name in [*plan.peers, "autograd"] if not name.startswith((*ORACLES, "micrograd"))]:
        step = PEERS[plan.workload][name](plan.make(plan.sizes[2] // 4))
        found[name] = [step() for _ in range(3)]
    for losses in found.values():
        assert losses == pytest.approx(found["autograd"], rel=1e-5)


def test_a_sweep_keeps_the_times_and_says_who_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = run.Peer("minigrad", None, None, times=[2.0, 1.0, 9.0])
    absent = run.Peer("JAX jit", None, None, problem="skipped: jax is not installed")
    monkeypatch.setattr(run, "compare", lambda *args: [there, absent])
    times, missing = growth.sweep(replace(growth.SWEEPS[0], sizes=[4, 16]), rounds=3, block=0.1)
    assert times == {"minigrad": [(4, 2.0), (16, 2.0)]}
    assert missing == {"JAX jit": "JAX jit at 16: skipped: jax is not installed"}


def test_the_sweeps_are_drawn_with_what_they_depend_on(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    times = [{"minigrad": [(4, 1e-4), (16, 2e-4)], "PyTorch": [(4, 3e-4)]}] * len(growth.SWEEPS)
    growth.draw(times, "numpy 2.4.6, one CPU", tmp_path / "growth.svg")
    picture = (tmp_path / "growth.svg").read_text(encoding="utf-8")
    for text in ["minigrad", "PyTorch", "numpy 2.4.6, one CPU", *[plan.title for plan in growth.SWEEPS]]:
        assert f"<!-- {text} -->" in picture
