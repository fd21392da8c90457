"""Sweeps: the same records whatever runs them, and no failure takes the others along."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, errors, nn, optim, random, sweep, train

pytest.importorskip("joblib", reason="joblib is not installed")


def train_one(lr: float, hidden: int, rng: Any) -> dict[str, float]:
    """A small training; the dropout takes no rng=, and so draws from the default generator."""
    X = np.linspace(-1.0, 1.0, 40).reshape(-1, 2)
    y = (X[:, 0] > 0.1).astype(int)
    model = nn.Sequential(nn.Linear(2, hidden, rng=rng), nn.Dropout(0.2), nn.ReLU(), nn.Linear(hidden, 2, rng=rng))
    loader = data.DataLoader(X, y, batch_size=8, shuffle=True, rng=rng)
    steps = train.steps(
        model, loader, loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=lr), epochs=2
    )
    return {"loss": [step.loss for step in steps][-1]}


def table(**options: Any) -> list[dict[str, Any]]:
    """The records of a sweep without their seconds."""
    configurations = sweep.grid(lr=[0.5, 0.1], hidden=[4, 8])
    records = sweep.run(train_one, configurations, rng=3, progress=False, **options)
    return [{name: x for name, x in record.items() if name != "seconds"} for record in records]


def test_the_same_records_one_at_a_time_and_in_processes() -> None:
    alone = table()
    assert [(r["lr"], r["hidden"]) for r in alone] == [(0.5, 4), (0.5, 8), (0.1, 4), (0.1, 8)]
    assert all(record["error"] is None for record in alone)
    assert len({record["loss"] for record in alone}) == 4
    assert table(n_jobs=2) == alone
    assert table(n_jobs=2, backend="multiprocessing") == alone, "a backend that gives all results at once"
    assert table() == alone


def own_draws(rng: Any) -> list[float]:
    return [float(x) for x in rng.random(3)]


def test_every_configuration_draws_its_own_numbers_by_its_place() -> None:
    expected = [[float(x) for x in child.random(3)] for child in np.random.default_rng(5).spawn(3)]
    for n_jobs in (None, 2):
        records = sweep.run(own_draws, [{}, {}, {}], rng=5, n_jobs=n_jobs, progress=False)
        assert [record["result"] for record in records] == expected


def test_the_default_generator_is_as_before() -> None:
    mg.seed(1)
    before = random.generator()
    sweep.run(lambda rng: random.generator().random(), [{}], rng=0, progress=False)
    assert random.generator() is before
    mg.seed(1)
    first = sweep.run(own_draws, [{}], progress=False)[0]["result"]
    mg.seed(1)
    assert sweep.run(own_draws, [{}], progress=False)[0]["result"] == first, "rng=None spawns from the default"


def test_threads_leave_the_default_generator_alone() -> None:
    before = random.generator()
    names = sweep.run(
        lambda rng: (threading.current_thread().name, random.generator() is before), [{}] * 4, n_jobs=2,
        backend="threading", progress=False,
    )  # fmt: skip
    assert all(record["result"][1] for record in names if record["result"][0] != "MainThread")
    assert random.generator() is before


# ---------------------------------------------------------------------------------------------------------- failures
def sometimes(x: int, rng: Any) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return 10 * x


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_what_fails_is_recorded_and_the_rest_runs_on(n_jobs: int | None) -> None:
    with pytest.warns(UserWarning, match="2 of 4 configurations failed; the first: ValueError: 1 is odd"):
        records = sweep.run(sometimes, sweep.grid(x=range(4)), n_jobs=n_jobs, progress=False)
    assert [record.get("result") for record in records] == [0, None, 20, None]
    assert [record["error"] for record in records] == [None, "ValueError: 1 is odd", None, "ValueError: 3 is odd"]
    assert "in sometimes" in records[1]["traceback"]


def locks(x: int, rng: Any) -> Any:
    return threading.Lock() if x == 1 else (lambda: x) if x == 2 else x


def test_a_result_that_cannot_be_sent_back_leaves_the_others_alone() -> None:
    with pytest.warns(
        UserWarning, match="1 of 6 configurations failed; the first: TypeError: cannot pickle '_thread.lock"
    ):
        records = sweep.run(locks, sweep.grid(x=range(6)), n_jobs=2, progress=False)
    results = [record.get("result") for record in records]
    assert results[:2] == [0, None]
    assert results[2]() == 2
    assert results[3:] == [3, 4, 5]


def dies(x: int, folder: Path, rng: Any) -> int:
    """x = 2 kills its process, once two results have come back."""
    if x == 2:
        while not (folder / "seen").exists():
            time.sleep(0.01)
        os._exit(1)
    return x


def test_a_worker_that_dies_leaves_what_had_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def watched(records: Any, total: int, progress: bool) -> Any:
        for n, record in enumerate(records, start=1):
            yield record
            if n == 2:
                (tmp_path / "seen").touch()

    monkeypatch.setattr(sweep, "shown", watched)
    with pytest.warns(UserWarning, match="2 of 4 .* not finished: TerminatedWorkerError"):
        records = sweep.run(dies, sweep.grid(x=[0, 1, 2, 2], folder=[tmp_path]), n_jobs=2, batch_size=1)
    assert [record.get("result") for record in records] == [0, 1, None, None]


def test_ctrl_c_leaves_what_was_finished() -> None:
    def interrupted(x: int, rng: Any) -> int:
        if x == 2:
            raise KeyboardInterrupt
        return x

    with pytest.warns(UserWarning, match="2 of 4 .* not finished: KeyboardInterrupt"):
        records = sweep.run(interrupted, sweep.grid(x=range(4)), progress=False)
    assert [record.get("result") for record in records] == [0, 1, None, None]
    with pytest.raises(KeyboardInterrupt):
        sweep.run(interrupted, [{"x": 2}], progress=False)


def test_misuse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.DtypeError, match="no function"):
        sweep.run(3, [{}])  # type: ignore[arg-type]
    with pytest.raises(errors.DtypeError, match=r"a configuration is a dict.*not 0\.1"):
        sweep.run(sometimes, [0.1])  # type: ignore[list-item]
    with pytest.raises(errors.DtypeError, match="rng"):
        sweep.run(sometimes, [{"rng": 0}])
    with pytest.raises(errors.DtypeError, match=r"lr=0\.1 is no list"):
        sweep.grid(lr=0.1)  # type: ignore[arg-type]
    with pytest.raises(errors.DtypeError, match="no list"):
        sweep.grid(activation="relu")
    with pytest.raises(ValueError, match="no_such_backend"):
        sweep.run(sometimes, [{"x": 0}], backend="no_such_backend", progress=False)
    with pytest.warns(UserWarning, match="returned \\['x'\\]"):
        sweep.run(lambda x, rng: {"x": 1}, [{"x": 0}], progress=False)
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(errors.MissingExtraError, match=r"minigrad-engine\[sweep\]"):
        sweep.run(sometimes, [{"x": 0}])


def test_nothing_to_try_is_no_error() -> None:
    assert sweep.run(sometimes, [], progress=False) == []
    assert sweep.grid(x=[]) == []
    assert sweep.grid() == [{}]


def test_progress_is_a_bar_or_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    sweep.run(sometimes, [{"x": 0}] * 3)
    assert "3/3" in capsys.readouterr().err
    sweep.run(sometimes, [{"x": 0}] * 3, progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(sweep.run(sometimes, [{"x": 0}] * 3)) == 3
