"""Stop and continue: killed, interrupted, on a full disk, by two at once; and which checkpoints are refused."""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import interrupted_training
import numpy as np
import pytest

import minigrad as mg
from minigrad import data, errors, nn, optim, train
from minigrad.optim import lr_scheduler

pytest.importorskip("filelock")
SCRIPT = Path(interrupted_training.__file__)


@pytest.fixture(autouse=True)
def no_bar(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


@pytest.fixture
def listening():
    """Ctrl-C is heard, also where the tests run in the background of a shell, which makes it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """(history, outcome, lines of the log) of the training that nobody disturbs."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    arguments = interrupted_training.parts(folder)
    history = train.fit(**arguments)
    return history, interrupted_training.outcome(arguments), (folder / "log.jsonl").read_text()


def undisturbed_and_resumed(parts, path, after):
    """What took part in a training, and in one that was stopped after some steps and resumed from `path`."""
    whole = parts()
    train.fit(**whole)
    stopped = train.steps(**parts())
    for _ in range(after):
        next(stopped)
    train.save_run(path, stopped)
    again = parts()
    train.fit(**again, resume=path)
    return whole, again


def same(a, b):
    """Equal to the bit, structure and all."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b


def assert_same_end(folder, arguments, uninterrupted, every=None):
    history, outcome = interrupted_training.fit(folder, arguments, every)
    expected, numbers, log = uninterrupted
    assert history.epochs == expected.epochs
    assert [name for name in numbers if not same(numbers[name], outcome[name])] == []
    assert (folder / "log.jsonl").read_text() == log


def blobs(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return rng.standard_normal((n, 2)) + 4.0 * y[:, None], y


def small(**change):
    """The arguments of a small training, all made anew."""
    model = change.pop("model", None) or nn.Linear(2, 2, rng=0)
    parts = dict(
        model=model, data=data.DataLoader(*blobs(), batch_size=16, shuffle=True, rng=0), loss=nn.CrossEntropyLoss(),
        optimizer=optim.Adam(model.parameters(), lr=0.1), epochs=3,
    )  # fmt: skip
    return parts | change


# ------------------------------------------------------------------------------------------------------------- kill -9
def kill_at(folder, step, every=None, delay=0.0):
    """Start or continue the training in a process of its own, and kill it -9 after the step, wherever it is then."""
    command = [sys.executable, str(SCRIPT), str(folder), *([str(every)] if every else [])]
    environment = {**os.environ, "PYTHONPATH": str(Path(mg.__file__).parent.parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as child:
        for line in child.stdout:
            if line.strip() == str(step):
                break
        else:
            raise AssertionError(child.stderr.read())
        time.sleep(delay)
        child.kill()


def killed_and_resumed(folder, seed, uninterrupted):
    rng = np.random.default_rng(seed)
    every = [None, 1, 4][seed % 3]
    last = uninterrupted[0].epochs[-1]["epoch"] * 6
    kill_at(folder, int(rng.integers(1, last)), every, delay=rng.uniform(0.0, 0.005))
    assert_same_end(folder, interrupted_training.parts(folder), uninterrupted, every)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("seed", range(3))
def test_kill_9_and_resume_gives_the_same_numbers_to_the_bit(tmp_path, uninterrupted, seed, monkeypatch):
    killed_and_resumed(tmp_path, seed, uninterrupted)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("seed", range(20))
def test_kill_9_at_a_random_step_twenty_times(tmp_path, uninterrupted, seed):
    killed_and_resumed(tmp_path, 100 + seed, uninterrupted)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_a_run_that_is_killed_again_and_again_arrives(tmp_path, uninterrupted):
    for step in (5, 13, 21):
        kill_at(tmp_path, step, every=1)
        (tmp_path / ".run.npz.1234abcd.tmp").write_text("half a checkpoint")
    assert_same_end(tmp_path, interrupted_training.parts(tmp_path), uninterrupted)
    assert [file.name for file in tmp_path.glob(".*.tmp")] == [], "drafts of the killed are swept away"


def test_saved_after_any_step_it_continues_to_the_bit(tmp_path, uninterrupted):
    expected, numbers, _ = uninterrupted
    last = expected.epochs[-1]["epoch"] * 6
    for stop in (0, 1, 5, 6, 7, 20, last):
        run = train.steps(**interrupted_training.parts(tmp_path))
        for _ in range(stop):
            next(run)
        run.close()
        train.save_run(tmp_path / "a.npz", run)
        mg.seed(99)
        arguments = interrupted_training.parts(tmp_path)
        history = train.fit(**arguments, resume=tmp_path / "a.npz")
        assert history.epochs == expected.epochs
        outcome = interrupted_training.outcome(arguments)
        assert [name for name in numbers if not same(numbers[name], outcome[name])] == [], stop


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64, "old"])
def test_every_kind_of_generator_is_saved(tmp_path, kind):
    def parts():
        rng = np.random.RandomState(5) if kind == "old" else np.random.Generator(kind(5))
        return small(data=data.DataLoader(*blobs(), batch_size=16, shuffle=True, rng=rng))

    whole, again = undisturbed_and_resumed(parts, tmp_path / "a.npz", after=5)
    assert same(whole["model"].state_dict(), again["model"].state_dict())


OPTIMIZERS = {
    "SGD": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "groups": lambda params: optim.AdamW([{"params": [p], "lr": 0.1 / (1 + i)} for i, p in enumerate(params)]),
    **{
        name: getattr(optim, name)
        for name in ("Adadelta", "Adagrad", "Adamax", "EMAMomentum", "NAdam", "RAdam", "RMSprop", "Rprop")
    },
}
SCHEDULES = {
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 2, 0.5),
    "LinearLR": lr_scheduler.LinearLR,
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=3),
    "LambdaLR": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda t: 1.0 / (1 + t)),
    "ReduceLROnPlateau": lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5),
    "MultiStepLR": lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [1, 2]),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "schedule"), [*zip(OPTIMIZERS, [*SCHEDULES, *SCHEDULES], strict=False)])
def test_every_optimizer_and_schedule_continues_to_the_bit(tmp_path, name, schedule, dtype):
    def parts():
        model = nn.MLP([2, 4, 2], rng=0).to(dtype)
        optimizer = OPTIMIZERS[name](model.parameters())
        per = "step" if schedule == "LambdaLR" else None
        scheduler = SCHEDULES[schedule](optimizer)
        return small(model=model, optimizer=optimizer, scheduler=scheduler, scheduler_per=per, epochs=4)

    whole = parts()
    expected = train.fit(**whole)
    for stop in (3, 7):
        run = train.steps(**parts())
        for _ in range(stop):
            next(run)
        train.save_run(tmp_path / "a.npz", run)
        again = parts()
        history = train.fit(**again, resume=tmp_path / "a.npz")
        assert history.epochs == expected.epochs
        assert same(outcome(whole)[:3], outcome(again)[:3])
        assert same(whole["scheduler"].state_dict(), again["scheduler"].state_dict())


def test_a_generator_that_the_loader_shares_with_dropout(tmp_path):
    def parts():
        rng = np.random.default_rng(0)
        model = nn.Sequential(nn.Linear(2, 8, rng=0), nn.Dropout(0.5, rng=rng), nn.Linear(8, 2, rng=0))
        return small(model=model, data=data.DataLoader(*blobs(), batch_size=16, shuffle=True, rng=rng))

    whole, again = undisturbed_and_resumed(parts, tmp_path / "a.npz", after=4)
    assert same(whole["model"].state_dict(), again["model"].state_dict())
    apart = parts()
    apart["data"].rng = np.random.default_rng(0)
    with pytest.raises(errors.CheckpointError, match="sources of randomness"):
        train.fit(**apart, resume=tmp_path / "a.npz")


def test_a_model_that_is_a_function_of_values(tmp_path):
    def parts():
        w, b = nn.Parameter(np.zeros(2), label="w"), mg.Value(0.0, label="b")
        return dict(
            model=lambda X: (X * w).sum(axis=1) + b, data=blobs(), loss=lambda out, y: ((out - y) ** 2).mean(), rng=3,
            optimizer=optim.SGD([w, b], lr=0.01, momentum=0.9), epochs=3,
        )  # fmt: skip

    whole = parts()
    expected = train.fit(**whole)
    run = train.steps(**parts())
    for _ in range(3):
        next(run)
    train.save_run(tmp_path / "a.npz", run)
    again = parts()
    assert train.fit(**again, resume=tmp_path / "a.npz").epochs == expected.epochs
    assert same(*([p.data for p in one["optimizer"].param_groups[0]["params"]] for one in (whole, again)))


def test_buffers_that_are_not_saved_otherwise_and_what_is_frozen(tmp_path):
    class Counting(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 2, rng=0)
            self.register_buffer("seen", np.zeros(2), persistent=False)

        def forward(self, X):
            self.seen = self.seen + X.sum(axis=0)
            return self.linear(X) + 0.01 * self.seen

    def freeze(record):
        model.linear.bias.requires_grad = False

    def parts():
        return small(model=Counting(), epochs=4)

    whole = parts()
    model = whole["model"]
    train.fit(**whole, callbacks=[freeze])
    broken = parts()
    model = broken["model"]
    run = train.steps(**broken, callbacks=[freeze])
    for _ in range(5):
        next(run)
    train.save_run(tmp_path / "a.npz", run)
    again = parts()
    train.fit(**again, resume=tmp_path / "a.npz")
    assert same(whole["model"].state_dict(), again["model"].state_dict())
    assert not again["model"].linear.bias.requires_grad


# -------------------------------------------------------------------------------------------------------------- Ctrl-C
@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.usefixtures("listening")
def test_ctrl_c_saves_and_says_how_to_resume(tmp_path, capsys):
    class Interrupted(train.Callback):
        def step(self, step):
            if step.number == 5:
                os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "run.npz"
    whole, arguments, again = small(), small(), small()
    expected = train.fit(**whole)
    history = train.fit(**arguments, callbacks=[Interrupted()], checkpoint=path)
    assert history.interrupted
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == f"Stopped after step 5 of 9. To continue, add resume={str(path)!r} to the same call."
    assert mg.load(path)["number"] == 5
    history = train.fit(**again, checkpoint=path, resume=path)
    assert not history.interrupted
    assert history.epochs == expected.epochs
    assert same(whole["model"].state_dict(), again["model"].state_dict())


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.usefixtures("listening")
def test_a_second_ctrl_c_leaves_the_last_checkpoint(tmp_path):
    class Impatient(train.Callback):
        def step(self, step):
            if step.number == 5:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train.fit(**small(), callbacks=[Impatient()], checkpoint=tmp_path / "run.npz")
    assert mg.load(tmp_path / "run.npz")["number"] == 3


def test_what_is_half_done_is_never_saved(tmp_path):
    def broken(record):
        raise KeyboardInterrupt

    history = train.fit(**small(), callbacks=[broken], checkpoint=tmp_path / "run.npz")
    assert history.interrupted
    assert mg.load(tmp_path / "run.npz")["number"] == 0
    run = train.steps(**small(), callbacks=[broken])
    with pytest.raises(KeyboardInterrupt):
        list(run)
    with pytest.raises(errors.CheckpointError, match="broke off in the middle"):
        train.save_run(tmp_path / "other.npz", run)
    assert list(run) == [], "as a generator that has raised"
    train.load_run(tmp_path / "run.npz", run)
    assert next(run).number == 1


def test_in_the_same_process_it_goes_on_with_the_same_objects(tmp_path):
    """As in a notebook: the cell is run again, with resume."""

    def stop(record):
        if record["epoch"] == 2 and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt

    stopped = []
    whole, arguments = small(), small()
    expected = train.fit(**whole)
    train.fit(**arguments, callbacks=[stop], checkpoint=tmp_path / "run.npz")
    history = train.fit(**arguments, callbacks=[stop], checkpoint=tmp_path / "run.npz", resume=tmp_path / "run.npz")
    assert history.epochs == expected.epochs
    assert same(whole["model"].state_dict(), arguments["model"].state_dict())


def test_a_finished_run_resumes_to_its_end_and_learns_nothing_more(tmp_path):
    first, again = small(), small()
    callback = lambda record: record["epoch"] == 2  # noqa: E731
    expected = train.fit(**first, callbacks=[callback], checkpoint=tmp_path / "run.npz")
    history = train.fit(**again, callbacks=[callback], resume=tmp_path / "run.npz")
    assert history.epochs == expected.epochs
    assert len(history.epochs) == 2
    assert same(first["model"].state_dict(), again["model"].state_dict())
    assert len(train.fit(**again).epochs) == 3, "and it can be trained on"


# --------------------------------------------------------------------------------------- disks, folders, two processes
def failing_at(write, fail):
    """os.fsync that fails like a full disk from the `write`-th checkpoint on."""
    count = 0

    def fsync(number):
        nonlocal count
        count += 1
        if count >= write:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fail(number)

    return fsync


def test_a_disk_that_fills_up_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path, arguments = tmp_path / "run.npz", small()
    monkeypatch.setattr(os, "fsync", failing_at(3, os.fsync))
    with pytest.raises(errors.CheckpointError, match=r"no checkpoint of step 6 could be written \(No space left"):
        train.fit(**arguments, checkpoint=path)
    monkeypatch.undo()
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix != ".lock") == ["run.npz"]
    assert mg.load(path)["number"] == 3
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    whole, again = small(), small()
    train.fit(**whole)
    train.fit(**again, checkpoint=path, resume=path)
    assert same(whole["model"].state_dict(), again["model"].state_dict())


def test_a_full_disk_is_noticed_before_the_first_step(tmp_path, monkeypatch):
    arguments = small()
    before = arguments["model"].state_dict()
    monkeypatch.setattr(os, "fsync", failing_at(1, os.fsync))
    with pytest.raises(errors.CheckpointError, match=r"no checkpoint of step 0 .* there is none yet"):
        train.fit(**arguments, checkpoint=tmp_path / "run.npz")
    assert same(before, arguments["model"].state_dict())
    assert not (tmp_path / "run.npz").exists()


def test_a_limit_on_the_size_of_files_as_the_system_enforces_it(tmp_path):
    resource = pytest.importorskip("resource")
    path, arguments = tmp_path / "run.npz", small(model=nn.MLP([2, 64, 2], rng=0))
    train.fit(**arguments, checkpoint=path)
    kept = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) // 2, hard))
        with pytest.raises(errors.CheckpointError, match="File too large"):
            train.fit(**arguments, checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert path.read_bytes() == kept
    assert [file.name for file in tmp_path.glob(".*.tmp")] == []


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9, 0.999])
def test_truncated_checkpoints_are_refused_and_change_nothing(tmp_path, keep):
    path, arguments = tmp_path / "run.npz", small()
    train.fit(**small(), checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    before = outcome(arguments)
    with pytest.raises(errors.CheckpointError, match="damaged"):
        train.fit(**arguments, resume=path)
    assert same(before, outcome(arguments))
    with pytest.raises(errors.CheckpointError, match="damaged"):
        train.fit(**arguments, checkpoint=path)
    assert path.read_bytes() == whole[: int(keep * len(whole))], "nor is it overwritten"


def outcome(arguments):
    return [
        arguments["model"].state_dict(), arguments["optimizer"].state_dict(), arguments["data"].rng.bit_generator.state,
        mg.random.generator().bit_generator.state,
    ]  # fmt: skip


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_step():
    arguments = small()
    before = outcome(arguments)
    with pytest.raises(errors.CheckpointError, match=r"/sys/run\.npz: nothing can be written there"):
        train.fit(**arguments, checkpoint="/sys/run.npz")
    assert same(before, outcome(arguments))


def test_no_folder_and_no_npz(tmp_path):
    with pytest.raises(errors.CheckpointError, match="there is no folder"):
        train.fit(**small(), checkpoint=tmp_path / "missing" / "run.npz")
    with pytest.raises(errors.CheckpointError, match=r"ends in \.npz"):
        train.fit(**small(), checkpoint=tmp_path / "run.pkl")
    with pytest.raises(FileNotFoundError):
        train.fit(**small(), resume=tmp_path / "run.npz")


def test_a_second_process_is_refused_and_a_killed_one_holds_nothing(tmp_path):
    code = f"""
import sys
from minigrad import train
with train.locked({str(tmp_path / "run.npz")!r}):
    print("held", flush=True)
    sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(mg.__file__).parent.parent)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout.readline() == b"held\n"
        arguments = small()
        before = outcome(arguments)
        with pytest.raises(errors.CheckpointError, match=r"run\.npz is in use: another process trains there"):
            train.fit(**arguments, checkpoint=tmp_path / "run.npz")
        assert same(before, outcome(arguments))
        child.kill()
    train.fit(**arguments, checkpoint=tmp_path / "run.npz")
    assert mg.load(tmp_path / "run.npz")["finished"]


def test_a_link_to_the_checkpoint_of_another_training_is_refused(tmp_path):
    file, link = tmp_path / "run.npz", tmp_path / "link.npz"
    train.fit(**small(), checkpoint=file)
    try:
        link.symlink_to(file)
    except OSError:
        pytest.skip("no links here")
    with train.locked(file), pytest.raises(errors.CheckpointError, match=r"link\.npz is in use"):
        train.fit(**small(), checkpoint=link)


def test_without_filelock_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(errors.MissingExtraError, match=r"minigrad-engine\[train\]"):
        train.fit(**small(), checkpoint=tmp_path / "run.npz")


def test_an_interrupted_run_is_not_overwritten(tmp_path):
    def stop(record):
        raise KeyboardInterrupt

    path = tmp_path / "run.npz"
    train.fit(**small(), callbacks=[stop], checkpoint=path)
    kept = path.read_bytes()
    with pytest.raises(errors.CheckpointError, match=r"stopped after 0 steps: pass resume='.*run\.npz'"):
        train.fit(**small(), checkpoint=path)
    assert path.read_bytes() == kept
    mg.save(tmp_path / "model.npz", small()["model"].state_dict())
    with pytest.raises(errors.CheckpointError, match="no checkpoint of a training"):
        train.fit(**small(), checkpoint=tmp_path / "model.npz")


# ------------------------------------------------------------------------------------- checkpoints of another training
OTHER = {
    "other shapes": (dict(model=nn.MLP([2, 3, 2], rng=0)), r"model\[0\] is 'weight float64 \(2, 2\)'|model is"),
    "another activation": (dict(model=nn.Sequential(nn.Linear(2, 2, rng=0), nn.ReLU())), "model"),
    "other epochs": (dict(epochs=4), "epochs is 3 there and 4 here"),
    "another loss": (dict(loss=nn.MulticlassHingeLoss()), "loss.*CrossEntropyLoss.*MulticlassHingeLoss"),
    "more rows": (dict(data=data.DataLoader(*blobs(60), batch_size=16, shuffle=True)), "rows is 40 there and 60 here"),
    "other batches": (dict(data=data.DataLoader(*blobs(), batch_size=8, shuffle=True)), "batch_size is 16 there and 8"),
    "other numbers": (
        dict(data=data.DataLoader(blobs()[0] + 1e-12, blobs()[1], batch_size=16, shuffle=True)), "checksum of X",
    ),
    "not shuffled": (dict(data=data.DataLoader(*blobs(), batch_size=16)), "shuffle is True there and False here"),
    "validation": (dict(validation=blobs()), "validation is None there"),
    "clipping": (dict(clip=optim.AutoClip()), "clip is 'NoneType' there and 'AutoClip' here"),
    "a callback": (dict(callbacks=[train.EarlyStopping()]), r"callbacks is \[\] there and \['EarlyStopping'\] here"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_the_checkpoint_of_another_training_is_refused_and_changes_nothing(tmp_path, name):
    change, text = OTHER[name]
    train.fit(**small(), checkpoint=tmp_path / "run.npz")
    arguments = small(**change)
    before = outcome(arguments)
    with pytest.raises(errors.CheckpointError, match=text):
        train.fit(**arguments, resume=tmp_path / "run.npz")
    assert same(before, outcome(arguments))


def optimizers(model):
    return {
        "kind": optim.SGD(model.parameters(), lr=0.1),
        "rate": optim.Adam(model.parameters(), lr=0.2),
        "groups": optim.Adam([{"params": [p]} for p in model.parameters()], lr=0.1),
        "parameters": optim.Adam([model.weight], lr=0.1),
    }


@pytest.mark.parametrize("name", ["kind", "rate", "groups", "parameters"])
def test_another_optimizer_is_refused_and_changes_nothing(tmp_path, name):
    train.fit(**small(), checkpoint=tmp_path / "run.npz")
    arguments = small()
    arguments["optimizer"] = optimizers(arguments["model"])[name]
    before = outcome(arguments)
    with pytest.raises(errors.CheckpointError, match=r"optimizer|parameters|groups"):
        train.fit(**arguments, resume=tmp_path / "run.npz")
    assert same(before, outcome(arguments))


def damage(state, path, value):
    for key in path[:-1]:
        state = state[key]
    if value is None:
        del state[path[-1]]
    else:
        state[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("plan",), None), (("plan",), 3), (("epoch",), -1), (("epoch",), 99), (("batch",), 3), (("batch",), "one"),
        (("model",), {}), (("model", "weight"), np.zeros((3, 3))), (("others",), [1.0]), (("learns",), []),
        (("optimizer", "state"), {0: {"step": 1}}), (("optimizer", "param_groups"), []), (("optimizer",), None),
        (("generators", "now"), []), (("generators", "now", 0, "state"), {"bit_generator": "PCG64"}),
        (("generators", "now", 1, "state", "bit_generator"), "PCG64"),
        (("generators", "now", 2, "state", "bit_generator"), "MT19937"), (("seen",), {"rows": 1, "cols": 2}),
        (("history",), 7), (("callbacks",), [{}]),
    ],
)  # fmt: skip
def test_a_checkpoint_with_wrong_contents_is_refused_and_changes_nothing(tmp_path, path, value):
    run = train.steps(**small())
    for _ in range(4):
        next(run)
    train.save_run(tmp_path / "run.npz", run)
    state = mg.load(tmp_path / "run.npz")
    damage(state, path, value)
    mg.save(tmp_path / "run.npz", state)
    arguments = small()
    run = train.steps(**arguments)
    for _ in range(2):
        next(run)
    before = outcome(arguments)
    with pytest.raises(errors.CheckpointError, match=r"run\.npz"):
        train.load_run(tmp_path / "run.npz", run)
    assert same(before, outcome(arguments))
    untouched = small()
    expected = train.fit(**untouched)
    list(run)
    assert run.history.epochs == expected.epochs, "and the run goes on as if nothing had been tried"
    assert same(outcome(untouched)[:3], outcome(arguments)[:3])


@pytest.mark.parametrize("contents", [{"weight": np.eye(2)}, {"format": "minigrad training 99"}, {"format": 1}])
def test_a_file_that_is_no_checkpoint_of_a_training(tmp_path, contents):
    mg.save(tmp_path / "a.npz", contents)
    with pytest.raises(errors.CheckpointError, match="is not the checkpoint of a training"):
        train.fit(**small(), resume=tmp_path / "a.npz")


def test_the_file_is_json_and_plain_arrays_and_has_the_weights_by_name(tmp_path):
    arguments = small()
    train.fit(**arguments, checkpoint=tmp_path / "run.npz")
    with zipfile.ZipFile(tmp_path / "run.npz") as archive:
        assert json.loads(archive.read("minigrad.json"))
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    np.lib.format.read_array(file, allow_pickle=False)
    other = nn.Linear(2, 2)
    other.load_state_dict(mg.load(tmp_path / "run.npz")["model"])
    assert same(other.state_dict(), arguments["model"].state_dict())


@pytest.mark.parametrize(
    ("says", "text"), [(3, r"dealt 2 batches in epoch 1; its len\(\) is 3"), (1, "more than the 1")]
)
def test_data_that_deal_another_number_of_batches_than_they_say(says, text):
    class Wrong:
        def __len__(self):
            return says

        def __iter__(self):
            yield from [blobs(), blobs()]

    with pytest.raises(errors.ShapeError, match=text):
        train.fit(**small(data=Wrong()))


class Jitter:
    def __init__(self):
        self.rng = np.random.default_rng(1)

    def __call__(self, X, rng):
        return X + self.rng.standard_normal(X.shape)

    def method(self, X, rng):
        return self(X, rng)


def closure():
    own = np.random.default_rng(1)
    return lambda X, rng: X + own.standard_normal(X.shape)


def numpys_own():
    np.random.seed(1)
    return lambda X, rng: X + np.random.normal(size=X.shape)


def jitter(X, rng, own):
    return X + own.standard_normal(X.shape)


def keyword():
    return functools.partial(jitter, own=np.random.default_rng(1))


@pytest.mark.parametrize("make", [Jitter, lambda: Jitter().method, closure, numpys_own, keyword])
def test_a_transform_with_a_generator_of_its_own(tmp_path, make):
    def parts():
        return small(data=data.DataLoader(*blobs(), batch_size=16, shuffle=True, rng=0, transform=make()))

    whole = parts()
    expected = train.fit(**whole)
    run = train.steps(**parts())
    for _ in range(4):
        next(run)
    train.save_run(tmp_path / "a.npz", run)
    again = parts()
    assert train.fit(**again, resume=tmp_path / "a.npz").epochs == expected.epochs
    assert same(whole["model"].state_dict(), again["model"].state_dict())


def test_a_loader_of_ones_own_that_draws_from_a_generator_continues_to_the_bit(tmp_path):
    class Noise:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def __len__(self):
            return 4

        def __iter__(self):
            for _ in range(4):
                X, y = blobs(8)
                yield X + self.rng.standard_normal(X.shape), y

    whole = small(data=Noise())
    expected = train.fit(**whole)
    run = train.steps(**small(data=Noise()))
    for _ in range(6):
        next(run)
    train.save_run(tmp_path / "a.npz", run)
    again = small(data=Noise())
    assert train.fit(**again, resume=tmp_path / "a.npz").epochs == expected.epochs
    assert same(whole["model"].state_dict(), again["model"].state_dict())
