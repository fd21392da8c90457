"""Several processes under mpiexec against one process that knows nothing of them; and what happens when one fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, errors, nn, parallel

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
try:
    import parallel_training
finally:
    sys.path.remove(str(HERE))

TIMEOUT = 60  # seconds, after which a run counts as hanging
CASES = list(parallel_training.CASES)


def mpiexec() -> str:
    """The launcher beside this Python, or on the PATH; without one, or without mpi4py, the test is skipped."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install mpi4py mpich")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if not found:
        pytest.skip("there is no mpiexec: pip install mpich")
    return found


def start(ranks: int, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """`mpiexec -n RANKS python ARGUMENTS`, on this machine, with one BLAS thread per rank."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "PRTE_MCA_rmaps_default_mapping_policy"):
        environment.setdefault(name, ":oversubscribe" if "policy" in name else "1")  # Open MPI, in a container
    command = [mpiexec(), "-n", str(ranks), sys.executable, *arguments]
    pipes: Any = dict(
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )
    return subprocess.Popen(command, **pipes)


def run(ranks: int, script: str, folder: Path, *options: str) -> tuple[int, str, str]:
    """Run a script and return its exit code, output and errors; a run that hangs fails the test."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(script), encoding="utf-8")
    process = start(ranks, *options, str(path), str(folder))
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"hangs: {out}\n{err}")
    return process.returncode, out, err


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[dict[str, Any]]]:
    """What each rank of 2 and of 3 found, and this process with the same script: results[ranks][rank]["case/name"]."""
    found = {}
    for ranks in (1, 2, 3):
        folder = tmp_path_factory.mktemp(f"ranks{ranks}")
        if ranks == 1:
            parallel_training.main(folder)
        else:
            process = start(ranks, str(HERE / "parallel_training.py"), str(folder))
            out, err = process.communicate(timeout=TIMEOUT)
            assert process.returncode == 0, out + err
        found[ranks] = [mg.load(folder / f"{rank}.npz") for rank in range(ranks)]
    return found


def of(case: str, found: dict[str, Any]) -> dict[str, Any]:
    return {name.partition("/")[2]: a for name, a in found.items() if name.startswith(case + "/")}


# ------------------------------------------------------------------------------------------- the steps of one process
@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_ranks_take_the_steps_of_one_process(results: Any, case: str, ranks: int) -> None:
    """31 rows in batches of 10, so that the shards are uneven and the last batch has fewer rows than ranks."""
    expected = parallel_training.run(case, rank=0, ranks=False)
    for rank in range(ranks):
        found = of(case, results[ranks][rank])
        for name in set(expected) - {"missing"}:
            tolerance = 1e-6 if found[name].dtype == np.float32 or case == "gated" else 1e-12
            np.testing.assert_allclose(found[name], expected[name], rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("case", [*CASES, "normalised", "fitted", "resumed"])
def test_all_ranks_have_the_same_bits(results: Any, case: str, ranks: int) -> None:
    first = of(case, results[ranks][0])
    for rank in range(1, ranks):
        for name, a in of(case, results[ranks][rank]).items():
            if name not in ("missing", "own"):
                np.testing.assert_array_equal(a, first[name], err_msg=f"{name} of rank {rank}")


def test_another_run_gives_the_same_bits(results: Any, tmp_path: Path) -> None:
    process = start(3, str(HERE / "parallel_training.py"), str(tmp_path))
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, out + err
    for name, a in mg.load(tmp_path / "0.npz").items():
        np.testing.assert_array_equal(a, results[3][0][name], err_msg=name)


def test_a_gradient_that_only_some_ranks_have_counts_and_one_that_none_has_stays_away(results: Any) -> None:
    """So the momentum of a parameter that no row asked for does not move it, as in one process."""
    alone = int(parallel_training.run("gated", rank=0, ranks=False)["missing"])
    assert 0 < alone < 20, "some batches ask the expert, some don't"
    assert max(int(of("gated", found)["missing"]) for found in results[2]) > alone, "and some only on one rank"


def test_batch_norm_sees_its_own_rows_and_everyone_ends_with_the_statistics_of_rank_0(results: Any) -> None:
    first, second = (of("normalised", found) for found in results[2])
    assert not np.allclose(first["own"], second["own"])
    np.testing.assert_array_equal(second["1.running_mean"], first["own"])


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_fit_goes_on_from_the_checkpoint_of_rank_0_bit_for_bit(results: Any, ranks: int) -> None:
    for rank in range(ranks):
        found = of("resumed", results[ranks][rank])
        for name in [name for name in found if name.endswith("whole")]:
            np.testing.assert_array_equal(found[name.replace("whole", "again")], found[name], err_msg=name)


def test_fit_trains_in_parallel_and_all_ranks_stop_in_the_same_epoch(results: Any) -> None:
    expected = parallel_training.fitted(rank=0, ranks=False)
    assert 1 < len(expected["losses"]) < 50
    for ranks in (1, 2):  # with 3 a rank has no row of the last batch, and its record counts one
        for rank in range(ranks):
            for name, a in of("fitted", results[ranks][rank]).items():
                np.testing.assert_allclose(a, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


def test_one_process_gives_the_bits_of_the_plain_loop() -> None:
    for case in CASES:
        plain, alone = (parallel_training.run(case, rank=0, ranks=ranks) for ranks in (False, True))
        for name, a in plain.items():
            np.testing.assert_array_equal(alone[name], a, err_msg=name)


def test_averaging_after_each_of_several_backward_passes_is_right_too(tmp_path: Path) -> None:
    script = """
        import sys
        import numpy as np
        from minigrad import nn, parallel
        model = nn.Linear(2, 1, rng=0)
        ranks = parallel.DataParallel(model)
        rng = np.random.default_rng(1)
        batches = [(rng.normal(size=(n, 2)), rng.normal(size=(n, 1))) for n in (5, 2, 3)]
        for X, y in ranks.shard(batches):
            nn.MSELoss()(model(X), y).backward()
            ranks.average_gradients()
        found, model.weight.grad = model.weight.grad, None
        for X, y in batches:
            nn.MSELoss()(model(X), y).backward()
        np.testing.assert_allclose(found, model.weight.grad, rtol=1e-13)
    """
    code, out, err = run(2, script, tmp_path)
    assert code == 0, out + err


def test_the_script_of_the_documentation_prints_the_same_from_one_process_and_from_two(tmp_path: Path) -> None:
    page = (HERE.parent / "docs" / "parallel.md").read_text(encoding="utf-8")
    script = next(code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "# train_moons.py" in code)
    printed = []
    for ranks in (1, 2):
        code, out, err = run(ranks, script, tmp_path)
        assert code == 0, out + err
        assert out.count("trained:") == 1
        printed.append([float(x) for x in re.findall(r"\d\.\d+", out)])
    assert printed[0] == pytest.approx(printed[1], rel=1e-9)
    assert printed[0][1] > 0.9


def test_the_benchmark_compares_like_with_like(tmp_path: Path) -> None:
    """It refuses to time two ranks whose losses are not those of one; nothing is timed here."""
    script = """
        from benchmarks.parallel import SMALL, measure
        found = measure(SMALL, 33, "float64", rounds=2, block=1e-3)
        assert found["difference"] < 1e-12
        assert len(found["two"]) == 2
    """
    code, out, err = run(2, script, tmp_path)
    assert code == 0, out + err


def test_a_line_search_finds_the_same_steps(tmp_path: Path) -> None:
    """Each rank would search by its own rows' loss, and take a number of steps of its own: average() is the same."""
    script = """
        import numpy as np
        from minigrad import data, nn, optim, parallel
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(31, 3)), rng.normal(size=(31, 1))
        model, loss = nn.MLP([3, 8, 1], rng=0), nn.MSELoss()
        ranks = parallel.DataParallel(model)
        lbfgs = optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe", max_iter=5)
        for rows, targets in ranks.shard(data.DataLoader(X, y, batch_size=31)):
            def closure():
                lbfgs.zero_grad()
                value = loss(model(rows), targets)
                value.backward()
                ranks.average_gradients()
                return ranks.average(value.item())
            lbfgs.step(closure)
        if ranks.rank == 0:
            print(float(loss(model(X), y)))
    """
    found = [run(ranks, script, tmp_path) for ranks in (1, 2)]
    assert [code for code, _, _ in found] == [0, 0], found
    assert float(found[1][1]) == pytest.approx(float(found[0][1]), rel=1e-9)


# -------------------------------------------------------------------------------------- one communicator, no processes
class Pair:
    """Rank 0 or 1 of two, whose other half always says what it was given: no process needed."""

    size = 2

    def __init__(self, rank: int, other: Any) -> None:
        self.rank, self.other = rank, other

    def allgather(self, x: Any) -> list[Any]:
        return [x, self.other] if self.rank == 0 else [self.other, x]


def test_models_that_differ_are_refused_with_the_rank_and_the_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "end_together", lambda comm: None)
    with pytest.raises(errors.ShapeError, match=r"model of rank 1 .* \('a', \(3,\).*instead of \('a', \(2,\)"):
        parallel.DataParallel([Value([1.0, 2.0], label="a")], Pair(0, [("a", (3,), "float64, learns: True")]))
    frozen = Value([1.0, 2.0], label="a", requires_grad=False)
    with pytest.raises(errors.ShapeError, match="learns: False"):
        parallel.DataParallel([frozen], Pair(1, [("a", (2,), "float64, learns: True")]))
    description = ("a", (2,), "float64, learns: True")
    with pytest.raises(errors.ShapeError, match=r"model of rank 1 .* 2 instead of 1"):
        parallel.DataParallel([Value([1.0, 2.0], label="a")], Pair(0, [description, description]))


def test_misuse_is_refused() -> None:
    for wrong in (nn.Linear, Value(1.0), 3):
        with pytest.raises(errors.DtypeError, match="not a Module, nor a list of Values"):
            parallel.DataParallel(wrong)  # type: ignore[arg-type]
    with pytest.raises(errors.DtypeError, match="parameter 0"):
        parallel.DataParallel([Value(1.0) * 2.0])
    model = nn.Linear(2, 1, rng=0)
    ranks = parallel.DataParallel(model)
    with pytest.raises(errors.DtypeError, match="DataLoader"):
        ranks.shard(np.ones(3))
    other = Value(1.0, label="other")
    with pytest.raises(errors.GradientError, match="other"):
        ranks.average_gradients([other])
    model.weight.grad = np.ones(3)
    with pytest.raises(errors.ShapeError, match=r"weight has shape \(1, 2\), its grad \(3,\)"):
        ranks.average_gradients()
    model.to(np.float32)
    with pytest.raises(errors.ShapeError, match="make a new DataParallel"):
        ranks.average_gradients()


def test_a_gradient_is_no_view_of_the_last_steps_one() -> None:
    p, q = Value([1.0, 2.0]), Value(3.0)
    ranks = parallel.DataParallel([p, q])
    p.grad, q.grad = np.array([1.0, 2.0]), 4.0
    ranks.average_gradients([p, q])
    kept = p.grad
    assert type(q.grad) is float
    p.grad = np.array([5.0, 6.0])
    ranks.average_gradients([p, q])
    assert kept.tolist() == [1.0, 2.0]


# ------------------------------------------------------------------------------------------------- when one rank fails
FAILING = """
    import sys
    import numpy as np
    from minigrad import data, nn, optim, parallel
    rank = parallel.world().rank
    model = nn.Linear(2, {outputs}, rng=0)
    rng = np.random.default_rng({seed})
    X, y = rng.normal(size=(8, 2)), rng.normal(size=(8, 1))
    ranks = parallel.DataParallel(model)
    batches = ranks.shard(data.DataLoader(X, y, batch_size=4))
    for epoch in range(3):
        for X, y in batches:
            model.zero_grad()
            loss = nn.MSELoss()(model(X), y)
            {trouble}
            loss.backward()
            ranks.average_gradients()
            with open(sys.argv[1] + f"/gradients{{rank}}", "a") as file:
                print(float(model.weight.grad.sum()), file=file)
    print("the end")
"""


def failing(outputs: str = "1", seed: str = "0", trouble: str = "pass") -> str:
    return FAILING.format(outputs=outputs, seed=seed, trouble=trouble)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (failing(outputs="1 + rank"), "ShapeError: DataParallel: the model of rank 1 is not that of rank 0"),
        (failing(seed="rank"), "ShapeError: DataParallel: the data of rank 1 is not that of rank 0"),
        (failing(trouble="assert epoch == 0 or rank == 0, 'trouble'"), "AssertionError: trouble"),
        (failing(trouble="model.bias.grad = np.ones(rank + 1)"), "bias"),
    ],
    ids=["models differ", "data differ", "an exception on rank 1", "a wrong gradient on rank 1"],
)
def test_one_rank_that_fails_ends_all_and_says_why(tmp_path: Path, script: str, message: str) -> None:
    code, out, err = run(2, script, tmp_path)
    assert code != 0
    assert message in err, err
    assert "the end" not in out


def test_under_mpi4pys_own_runner_sys_exit_of_one_rank_ends_all(tmp_path: Path) -> None:
    script = failing(trouble="sys.exit('no more') if epoch == 1 and rank == 1 else None")
    code, out, err = run(2, script, tmp_path, "-m", "mpi4py")
    assert code != 0
    assert "no more" in err
    assert "the end" not in out


def test_a_nan_on_one_rank_is_a_nan_on_all(tmp_path: Path) -> None:
    script = failing(trouble="loss = loss * (float('nan') if rank == 1 and epoch == 2 else 1.0)")
    code, _, err = run(2, script, tmp_path)
    assert code == 0, err
    for rank in (0, 1):
        sums = (tmp_path / f"gradients{rank}").read_text().split()
        assert [x == "nan" for x in sums] == [False] * 4 + [True] * 2


BY_HAND = """
    try:
        for epoch in range(1000):
            for X, y in ranks.shard(loader):
                model.zero_grad()
                loss(model(X), y).backward()
                ranks.average_gradients()
                sgd.step()
                count()
    except KeyboardInterrupt:
        pass
"""
FIT = """
    class Count(train.Callback):
        def step(self, step):
            count()

    with ranks.quiet():
        history = train.fit(
            model, ranks.shard(loader), loss=loss, optimizer=sgd, epochs=1000, clip=ranks.average_gradients,
            callbacks=[Count()],
        )
    assert history.interrupted
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("target", ["rank 1", "mpiexec"])
@pytest.mark.parametrize("loop", [BY_HAND, FIT], ids=["by hand", "fit"])
def test_ctrl_c_stops_all_ranks_after_the_same_step(tmp_path: Path, loop: str, target: str) -> None:
    """Also where the signal reached one of them only; and afterwards Ctrl-C is what it was before."""
    script = """
        import gc, os, signal, sys, time
        from pathlib import Path
        import numpy as np
        from minigrad import data, nn, optim, parallel, train

        folder, steps = Path(sys.argv[1]), 0
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        model = nn.Linear(2, 1, rng=0)
        ranks, loss, sgd = parallel.DataParallel(model), nn.MSELoss(), optim.SGD(model.parameters(), lr=1e-9)
        loader = data.DataLoader(np.ones((40000, 2)), np.ones((40000, 1)), batch_size=4)

        def count():
            global steps
            steps += 1
            if steps == 50:
                (folder / f"pid{ranks.rank}").write_text(str(os.getpid()))
            time.sleep(0.002)
    """
    end = """
        gc.collect()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        (folder / f"steps{ranks.rank}").write_text(str(steps))
    """
    path = tmp_path / "script.py"
    path.write_text("".join(map(textwrap.dedent, (script, loop, end))), encoding="utf-8")
    process = start(2, str(path), str(tmp_path), start_new_session=True)
    try:
        deadline = time.monotonic() + TIMEOUT
        while not all((tmp_path / f"pid{rank}").exists() for rank in (0, 1)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.05)
        pid = process.pid if target == "mpiexec" else int((tmp_path / "pid1").read_text())
        os.kill(pid, signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()
    first, second = ((tmp_path / f"steps{rank}") for rank in (0, 1))
    assert first.exists(), out + err
    assert first.read_text() == second.read_text()


# ----------------------------------------------------------------------------------------------------- no MPI, half MPI
def test_without_mpi4py_one_process_is_alone_and_several_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert isinstance(parallel.world(), parallel.Alone)
    monkeypatch.setenv("PMI_SIZE", "4")
    with pytest.raises(errors.MissingExtraError, match=r"(?s)4 processes .*minigrad-engine\[mpi\]"):
        parallel.world()


def test_the_launcher_of_another_mpi_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each process would be a world of its own, and train on everything."""
    mpiexec()
    parallel.world()  # mpi4py itself looks at the environment when it is imported
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    with pytest.raises(errors.MissingExtraError, match="4 processes were started, but MPI sees only one"):
        parallel.world()
