"""Schedules, clipping, early stopping, logs, diagnostics, the learning-rate finder and the loader's transform."""

from __future__ import annotations

import json
import math
import struct
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, errors, nn, optim, train
from minigrad.optim import lr_scheduler


@pytest.fixture(autouse=True)
def no_bar(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


def blobs(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return rng.standard_normal((n, 2)) + 2.0 * y[:, None], y


def small(make=optim.SGD, **change):
    """The arguments of a small training: 3 epochs of 3 batches."""
    model = change.pop("model", None) or nn.MLP([2, 4, 2], rng=0)
    parts = dict(
        model=model, data=data.DataLoader(*blobs(), batch_size=16, shuffle=True, rng=0), loss=nn.CrossEntropyLoss(),
        optimizer=make(model.parameters(), lr=0.1), epochs=3,
    )  # fmt: skip
    return parts | change


def rates(arguments, **more):
    """The learning rate at each step."""
    group = arguments["optimizer"].param_groups[0]
    seen = []

    class Rate(train.Callback):
        def __call__(self, record):
            record["lr"] = group["lr"]

    update = arguments["optimizer"].step
    arguments["optimizer"].step = lambda: (seen.append(group["lr"]), update())
    history = train.fit(**arguments, callbacks=[Rate()], **more)
    assert len(history["lr"]) == arguments["epochs"]
    return seen


# ----------------------------------------------------------------------------------------------- schedules and clipping
def test_a_schedule_goes_on_after_every_epoch():
    arguments = small()
    schedule = lr_scheduler.StepLR(arguments["optimizer"], step_size=2, gamma=0.5)
    assert rates(arguments, scheduler=schedule) == [0.1] * 6 + [0.05] * 3


def test_or_after_every_step_if_one_says_so():
    arguments = small()
    schedule = lr_scheduler.LambdaLR(arguments["optimizer"], lambda t: 1.0 / (1 + t))
    assert rates(arguments, scheduler=schedule, scheduler_per="step") == [0.1 * (1.0 / t) for t in range(1, 10)]


def test_one_cycle_counts_steps_without_being_told():
    arguments = small()
    schedule = lr_scheduler.OneCycleLR(arguments["optimizer"], 1.0, total_steps=9, cycle_momentum=False)
    seen = rates(arguments, scheduler=schedule)
    other = optim.SGD([mg.Value(1.0)], lr=0.1)
    expected, cycle = [], lr_scheduler.OneCycleLR(other, 1.0, total_steps=9, cycle_momentum=False)
    for _ in range(9):
        expected.append(other.param_groups[0]["lr"])
        other.step()
        cycle.step()
    assert seen == expected
    assert max(seen) > 0.9


def test_a_plateau_is_seen_on_the_validation_set():
    arguments = small(epochs=4, validation=blobs(10))
    watched = []

    class Plateau(lr_scheduler.ReduceLROnPlateau):
        def step(self, metric=None):
            watched.append(metric)
            super().step(metric)

    history = train.fit(**arguments, scheduler=Plateau(arguments["optimizer"]))
    assert watched == history["val_loss"]
    watched.clear()
    arguments = small(epochs=4)
    history = train.fit(**arguments, scheduler=Plateau(arguments["optimizer"], mode="max"))
    assert watched == history.accuracy


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda optimizer: {"scheduler": lr_scheduler.StepLR}, errors.DtypeError, "pass an object"),
        (lambda optimizer: {"scheduler": "cosine"}, errors.DtypeError, "scheduler is 'cosine'"),
        (
            lambda optimizer: {"scheduler": lr_scheduler.StepLR(optim.SGD([mg.Value(1.0)], lr=1.0), 3)},
            errors.DtypeError, "of another optimizer",
        ),
        (
            lambda optimizer: {"scheduler": lr_scheduler.OneCycleLR(optimizer, 1.0, 8, cycle_momentum=False)},
            errors.ShapeError, "total_steps=8, and this training takes 9",
        ),
        (
            lambda optimizer: {"scheduler": lr_scheduler.StepLR(optimizer, 3), "scheduler_per": "batch"},
            errors.DtypeError, "it is 'epoch' or 'step'",
        ),
        (lambda optimizer: {"clip": optim.AutoClip}, errors.DtypeError, "clip is the class AutoClip"),
        (lambda optimizer: {"clip": 1.0}, errors.DtypeError, r"clip is 1\.0"),
        (lambda optimizer: {"callbacks": [train.EarlyStopping]}, errors.DtypeError, "callbacks has"),
        (lambda optimizer: {"checkpoint_every": 0}, errors.ShapeError, "checkpoint_every=0"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_before_the_first_step(make, error, text):
    arguments = small()
    before = arguments["model"].state_dict()
    with pytest.raises(error, match=text):
        train.fit(**arguments, **make(arguments["optimizer"]))
    assert all(np.array_equal(before[name], x) for name, x in arguments["model"].state_dict().items())


def test_clipping_stands_between_backward_and_the_step():
    arguments, by_hand = small(), small()
    train.fit(**arguments, clip=lambda params: nn.utils.clip_grad_norm_(params, 0.05))
    for _ in range(3):
        for X, y in by_hand["data"]:
            by_hand["optimizer"].zero_grad()
            by_hand["loss"](by_hand["model"](X), y).backward()
            norm = math.sqrt(sum([(p.grad**2).sum() for p in by_hand["model"].parameters()]))
            assert norm > 0.05
            for p in by_hand["model"].parameters():
                p.grad = p.grad * (0.05 / (norm + 1e-6))
            by_hand["optimizer"].step()
    for p, q in zip(arguments["model"].parameters(), by_hand["model"].parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.data, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------ early stopping
def test_early_stopping_goes_back_to_the_best_epoch():
    weights = {}
    arguments = small(epochs=50, validation=(blobs(10)[0], 1 - blobs(10)[1]))  # what is learned makes this worse
    arguments["optimizer"] = optim.SGD(arguments["model"].parameters(), lr=0.01)
    keep = lambda record: weights.update({record["epoch"]: arguments["model"].state_dict()})  # noqa: E731
    stop = train.EarlyStopping(patience=3)
    history = train.fit(**arguments, callbacks=[keep, stop])
    best = 1 + int(np.argmin(history["val_loss"]))
    assert (stop.best_epoch, stop.best) == (best, min(history["val_loss"]))
    assert len(history.epochs) == best + 3
    assert not history.interrupted
    end = arguments["model"].state_dict()
    assert all(np.array_equal(end[name], weights[best][name]) for name in end)
    assert not all(np.array_equal(end[name], weights[best + 3][name]) for name in end)


def test_without_restore_best_the_last_weights_stay():
    arguments = small(epochs=20, validation=(blobs(10)[0], 1 - blobs(10)[1]))
    weights = []
    keep = lambda record: weights.append(arguments["model"].state_dict())  # noqa: E731
    train.fit(**arguments, callbacks=[keep, train.EarlyStopping(patience=2, restore_best=False)])
    end = arguments["model"].state_dict()
    assert len(weights) < 20
    assert all(np.array_equal(end[name], weights[-1][name]) for name in end)


def test_the_best_weights_come_back_also_when_the_epochs_run_out():
    arguments = small(epochs=4, validation=(blobs(10)[0], 1 - blobs(10)[1]))
    weights = []
    keep = lambda record: weights.append(arguments["model"].state_dict())  # noqa: E731
    history = train.fit(**arguments, callbacks=[keep, train.EarlyStopping(patience=9)])
    best = int(np.argmin(history["val_loss"]))
    assert best < 3
    assert all(np.array_equal(x, weights[best][name]) for name, x in arguments["model"].state_dict().items())


@pytest.mark.parametrize(
    ("settings", "numbers", "epochs", "best"),
    [
        (dict(patience=1), [3.0, 2.0, 2.0], 3, 2.0),
        (dict(patience=2, min_delta=0.5), [3.0, 2.8, 2.6], 3, 3.0),
        (dict(patience=2, min_delta=0.5), [3.0, 2.4, 2.3, 1.8], None, 1.8),
        (dict(patience=1, mode="max"), [1.0, 2.0, 1.5], 3, 2.0),
        (dict(patience=2), [math.nan, math.nan], 2, None),
        (dict(patience=2), [math.nan, 1.0, math.nan, 0.5, math.inf], None, 0.5),
    ],
)
def test_when_it_stops(settings, numbers, epochs, best):
    stop = train.EarlyStopping("x", **settings)
    answers = [stop({"epoch": i, "x": x}) for i, x in enumerate(numbers, start=1)]
    assert (answers.index(True) + 1 if True in answers else None) == epochs
    assert stop.best == best


def test_accuracy_is_better_when_it_is_higher():
    assert train.EarlyStopping("val_accuracy").mode == "max"
    assert train.EarlyStopping("val_loss").mode == "min"


def test_early_stopping_needs_its_number():
    with pytest.raises(errors.DtypeError, match=r"no 'val_loss' among epoch, loss, accuracy\. Pass validation="):
        train.fit(**small(), callbacks=[train.EarlyStopping()])


@pytest.mark.parametrize(("bad", "error"), [({"patience": 0}, ValueError), ({"mode": "best"}, ValueError)])
def test_early_stopping_refuses_settings(bad, error):
    with pytest.raises(error):
        train.EarlyStopping(**bad)


def test_one_object_can_stop_two_trainings():
    stop = train.EarlyStopping("loss", patience=3)
    train.fit(**small(), callbacks=[stop])
    first = stop.best
    train.fit(**small(model=nn.Linear(2, 2, rng=5), epochs=1), callbacks=[stop])
    assert (stop.best_epoch, stop.waited) == (1, 0)
    assert stop.best != first


# ---------------------------------------------------------------------------------------------------------------- logs
def test_the_log_is_the_history_line_by_line(tmp_path):
    lines = []
    read = lambda record: lines.append((tmp_path / "log.jsonl").read_text().count("\n"))  # noqa: E731
    history = train.fit(**small(), callbacks=[train.JsonLog(tmp_path / "log.jsonl"), read])
    assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == history.epochs
    assert lines == [1, 2, 3], "each line is there at once"


def test_earlier_runs_stay_also_when_a_crash_cut_a_line_short(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"epoch": 1}\n{"epo')
    history = train.fit(**small(), callbacks=[train.JsonLog(path)])
    lines = path.read_text().splitlines()
    assert lines[:2] == ['{"epoch": 1}', '{"epo']
    assert [json.loads(line) for line in lines[2:]] == history.epochs


def test_a_resumed_run_drops_the_lines_after_its_checkpoint_and_keeps_those_of_other_runs(tmp_path):
    path = tmp_path / "log.jsonl"
    train.fit(**small(), callbacks=[train.JsonLog(path)])
    old = path.read_text()
    run = train.steps(**small(), callbacks=[train.JsonLog(path)])
    for _ in range(4):
        next(run)
    train.save_run(tmp_path / "run.npz", run)
    for _ in range(3):  # one more epoch is logged that no checkpoint knows, and half a line
        next(run)
    path.write_text(path.read_text() + '{"epoch": 3, "lo')
    history = train.fit(**small(), callbacks=[train.JsonLog(path)], resume=tmp_path / "run.npz")
    assert path.read_text() == old + "".join(json.dumps(record) + "\n" for record in history.epochs)


def test_numbers_that_json_has_no_word_for(tmp_path):
    add = lambda record: record.update(x=math.nan, y=np.float32(0.5))  # noqa: E731
    train.fit(**small(epochs=1), callbacks=[add, train.JsonLog(tmp_path / "log.jsonl")])
    record = json.loads((tmp_path / "log.jsonl").read_text())
    assert (record["x"], record["y"]) == (None, 0.5)


def test_a_log_that_cannot_be_written(tmp_path):
    with pytest.raises(errors.CheckpointError, match="the log can't be written"):
        train.fit(**small(), callbacks=[train.JsonLog(tmp_path / "missing" / "log.jsonl")])


def events(folder):
    """(name, step, number) of all scalars in TensorBoard's files, read as the format says: length, crc, event, crc.

    A session that begins at a step hides what was written before for this step and later ones.
    """
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found = []
    for file in sorted(folder.iterdir()):
        raw = file.read_bytes()
        while raw:
            [size] = struct.unpack("<Q", raw[:8])
            event, raw = Event.FromString(raw[12 : 12 + size]), raw[16 + size :]
            if event.session_log.status == SessionLog.START:
                found = [one for one in found if one[1] < event.step]
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
    return found


def test_tensorboard_reads_the_history(tmp_path):
    pytest.importorskip("tensorboardX")
    history = train.fit(**small(validation=blobs(10)), callbacks=[train.TensorBoardLog(tmp_path)])
    found = events(tmp_path)
    assert {name for name, _, _ in found} == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert [step for name, step, _ in found if name == "val_loss"] == [1, 2, 3]
    np.testing.assert_allclose([x for name, _, x in found if name == "val_loss"], history["val_loss"], rtol=1e-6)


def test_tensorboard_sees_each_epoch_once_when_a_run_is_resumed(tmp_path):
    pytest.importorskip("tensorboardX")
    run = train.steps(**small(), callbacks=[train.TensorBoardLog(tmp_path / "logs")])
    for _ in range(4):
        next(run)
    train.save_run(tmp_path / "run.npz", run)
    for _ in range(3):  # to the middle of the third epoch, and then it is killed
        next(run)
    run.close()
    log = train.TensorBoardLog(tmp_path / "logs")
    run = train.steps(**small(), callbacks=[log], resume=tmp_path / "run.npz")
    assert [step.number for step in run] == [5, 6, 7, 8, 9]
    found = [(step, x) for name, step, x in events(tmp_path / "logs") if name == "loss"]
    assert [step for step, _ in found] == [1, 2, 3]
    np.testing.assert_allclose([x for _, x in found], run.history.loss, rtol=1e-6)


def test_without_tensorboard_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(errors.MissingExtraError, match=r"minigrad-engine\[tensorboard\]"):
        train.fit(**small(), callbacks=[train.TensorBoardLog(tmp_path)])


# --------------------------------------------------------------------------------------------------------- diagnostics
def test_the_diagnostics_are_the_norms_of_what_happened():
    arguments, watch, seen = small(optim.Adam), train.Diagnostics(every=2), []
    loop = train.steps(**arguments, callbacks=[watch])
    layer = arguments["model"].layers[0]
    while True:
        before = layer.weight.data.copy(), layer.bias.data.copy()
        if next(loop, None) is None:
            break
        w = np.concatenate([np.ravel(x) for x in before])
        after = np.concatenate([layer.weight.data.ravel(), layer.bias.data])
        g = np.concatenate([layer.weight.grad.ravel(), layer.bias.grad])
        seen.append([np.linalg.norm(x) for x in (g, w, after - w)])
    assert watch.names == ["layers.0", "layers.2"]
    assert watch.numbers == [2, 4, 6, 8]
    expected = np.array(seen)[1::2]
    np.testing.assert_allclose(watch.gradients[:, 0], expected[:, 0], rtol=1e-12)
    np.testing.assert_allclose(watch.weights[:, 0], expected[:, 1], rtol=1e-12)
    np.testing.assert_allclose(watch.updates[:, 0], expected[:, 2], rtol=1e-12)
    np.testing.assert_allclose(watch.ratios[:, 0], expected[:, 2] / expected[:, 1], rtol=1e-12)


def test_the_table_names_layers_that_hardly_learn():
    arguments, watch = small(), train.Diagnostics()
    assert repr(watch) == "Diagnostics: no step was measured yet"
    arguments["optimizer"] = optim.SGD(
        [
            {"params": arguments["model"].layers[0].parameters(), "lr": 1e-9},
            {"params": arguments["model"].layers[2].parameters(), "lr": 3.0},
        ]
    )
    train.fit(**arguments, callbacks=[watch])
    header, first, second = repr(watch).splitlines()
    assert "update/weights (median of 9 steps)" in header
    assert first.startswith("layers.0")
    assert first.endswith("small: hardly learns")
    assert second.endswith("large: lower the learning rate?")


def test_frozen_layers_and_models_that_are_functions():
    w, b, watch = nn.Parameter(np.ones(2), label="w"), mg.Value(0.0), train.Diagnostics()
    b.requires_grad = False
    train.fit(
        lambda X: (X * w).sum(axis=1) + b, blobs(), loss=lambda out, y: ((out - y) ** 2).mean(), epochs=1,
        optimizer=optim.SGD([w, b], lr=0.01), callbacks=[watch],
    )  # fmt: skip
    assert watch.names == ["w", "parameter 1"]
    assert watch.gradients[0, 1] == 0.0
    assert np.isnan(watch.ratios[0, 1]), "0 / 0"


@pytest.mark.parametrize(("activation", "least", "most"), [("sigmoid", 0.0, 1e-8), ("tanh", 0.2, 5.0)])
def test_gradients_vanish_in_a_deep_sigmoid_net_and_not_in_tanh_with_xavier(activation, least, most):
    """SOURCES row 54: 20 layers of width 64; first over last is 1.6e-12 for sigmoids, 1.17 for tanh with Xavier."""
    layers = []
    for i in range(20):
        linear = nn.Linear(64, 64, rng=i)
        nn.init.xavier_normal_(linear.weight, rng=i)
        layers += [linear, {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[activation]()]
    model = nn.Sequential(*layers)
    X = np.random.default_rng(0).standard_normal((32, 64))
    (model(X) * np.random.default_rng(1).standard_normal((32, 64))).sum().backward()
    norms = [*train.gradient_norms(model).values()]
    assert len(norms) == 20
    assert least <= norms[0] / norms[-1] <= most


def test_the_diagnostics_can_be_drawn():
    pytest.importorskip("matplotlib")
    watch = train.Diagnostics()
    with pytest.raises(errors.MinigradError, match="no step was measured"):
        watch.plot()
    train.fit(**small(), callbacks=[watch])
    left, right = watch.plot().axes
    assert [line.get_label() for line in right.lines] == ["layers.0", "layers.2", "1e-3"]
    assert left.lines[0].get_ydata().tolist() == watch.gradients[:, 0].tolist()


# --------------------------------------------------------------------------------------------------------- find_lr
def everything(arguments):
    return [
        arguments["model"].state_dict(), arguments["optimizer"].state_dict(),
        [p.grad for p in arguments["model"].parameters()], [layer.training for layer in arguments["model"].modules()],
        [rng.bit_generator.state for rng in (arguments["data"].rng, mg.random.generator())],
        arguments["optimizer"].steps_taken,
    ]  # fmt: skip


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return np.array_equal(a, b)


def test_the_range_test_leaves_no_trace():
    model = nn.Sequential(nn.Linear(2, 8, rng=0), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2, rng=1))
    arguments = small(optim.Adam, model=model)
    train.fit(**arguments)
    model.eval()
    model[0].train()
    before = everything(arguments)
    arguments.pop("epochs")
    assert len(train.find_lr(**arguments, steps=30).rates) > 5
    assert same(before, everything(arguments))


def test_the_suggested_rate_is_below_the_one_that_diverges():
    """Gradient descent on mean((x w)²) with x = ±2: curvature 8, so that it diverges above 2/8."""
    X = np.array([[2.0], [-2.0]])
    model = nn.Linear(1, 1, bias=False, rng=0)
    arguments = dict(
        loss=lambda out, y: ((out - y) ** 2).mean(), optimizer=optim.SGD(model.parameters(), lr=0.1), steps=200,
    )  # fmt: skip
    found = train.find_lr(model, (X, 0.0 * X + 1e-3), lowest=1e-6, highest=100.0, **arguments)
    assert 1e-3 < found.suggestion < 0.25
    assert found.smoothed[-1] > 4.0 * found.smoothed.min()
    assert len(found.rates) == len(found.losses) < 200, "it stopped where the loss exploded"
    assert found.rates[0] == 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_noisy_losses_at_the_lowest_rates_are_no_slope(seed):
    X, y = data.make_moons(200, noise=0.2, rng=0)
    model = nn.Sequential(
        nn.Linear(2, 16, rng=seed), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3, rng=seed), nn.Linear(16, 2, rng=seed)
    )
    loader = data.DataLoader(X, y, shuffle=True, rng=seed)
    found = train.find_lr(model, loader, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters()))
    assert 1e-3 < found.suggestion < 1.0  # and not near 1e-6, where the test begins


def test_a_loss_that_never_falls_has_no_suggestion():
    w = mg.Value(0.0)
    arguments = dict(loss=lambda out, y: (out - 0.0).mean() * 0.0 + 1.0, optimizer=optim.SGD([w], lr=0.1))
    assert train.find_lr(lambda X: X[:, 0] * w, blobs(), **arguments).suggestion is None


def test_a_loss_that_is_not_finite_ends_the_range_test():
    w = nn.Parameter(np.ones(2), label="w")
    found = train.find_lr(
        lambda X: (X * w).sum(axis=1), blobs(), loss=lambda out, y: (out**4).mean(), optimizer=optim.SGD([w], lr=0.1),
        lowest=1e-3, highest=1e300, steps=5,
    )  # fmt: skip
    assert len(found.losses) < 5
    assert w.data.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("bad", [dict(lowest=0.0), dict(lowest=2.0, highest=1.0), dict(highest=math.inf)])
def test_rates_that_cannot_be(bad):
    arguments = small()
    arguments.pop("epochs")
    with pytest.raises(ValueError, match="lowest"):
        train.find_lr(**arguments, **bad)


def test_the_range_test_can_be_drawn():
    pytest.importorskip("matplotlib")
    arguments = small()
    arguments.pop("epochs")
    found = train.find_lr(**arguments)
    [axes] = found.plot().axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_ydata().tolist() == found.losses.tolist()


# ----------------------------------------------------------------------------------------------- the loader's transform
def test_a_transform_sees_copies_and_the_loaders_generator():
    X, y = np.arange(10.0).reshape(5, 2), np.arange(5)

    def shift(batch, rng):
        batch += rng.integers(1, 9)
        return batch

    loader = data.DataLoader(X, y, batch_size=2, rng=3, transform=shift)
    rng = np.random.default_rng(3)
    for i, (batch, labels) in enumerate(loader):
        rows = slice(2 * i, 2 * i + 2)
        assert np.array_equal(batch, X[rows] + rng.integers(1, 9))
        assert np.array_equal(labels, y[rows])
    assert np.array_equal(X, np.arange(10.0).reshape(5, 2)), "the data are as they were"


def test_a_transform_keeps_the_number_of_rows():
    with pytest.raises(errors.ShapeError, match="transform made 1 rows of 2 rows"):
        next(iter(data.DataLoader(np.ones((2, 2)), [0, 1], transform=lambda X, rng: X[:1])))
    with pytest.raises(errors.ShapeError, match="transform made None of 2 rows"):
        next(iter(data.DataLoader(np.ones((2, 2)), [0, 1], transform=lambda X, rng: None)))
    with pytest.raises(errors.DtypeError, match="transform is 'flip'"):
        data.DataLoader(np.ones((2, 2)), [0, 1], transform="flip")


def test_a_last_batch_of_one_row_can_be_left_out():
    X, y = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9) % 2
    for drop in (False, True):
        model = nn.Sequential(nn.Linear(2, 4, rng=0), nn.BatchNorm1d(4), nn.Linear(4, 2, rng=1))
        loader = data.DataLoader(X, y, batch_size=4, drop_last=drop)
        arguments = dict(loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=2)
        if drop:
            assert len([*train.steps(model, loader, **arguments)]) == 4
        else:
            with pytest.raises(errors.ShapeError, match="1 number per channel has no variance"):
                train.fit(model, loader, **arguments)


# --------------------------------------------------------------------------------------------------------- pretraining
def deep():
    return [nn.Sequential(nn.Linear(n, 16, rng=i), nn.Tanh()) for i, n in enumerate((2, 16, 16))]


STAGES = dict(
    head=lambda k: nn.Linear(16, 3, rng=k), loss=nn.CrossEntropyLoss(), rng=0,
    optimizer=lambda params: optim.Adam(params, lr=0.02),
)  # fmt: skip


def test_each_stage_moves_only_its_own_block():
    """SOURCES row 59."""
    X, y = data.make_spiral(rng=0)
    blocks = deep()
    blocks[0] = nn.Sequential(*blocks[0], nn.BatchNorm1d(16), nn.Dropout(0.2))  # whose buffers must stay, too
    states = []
    look = lambda record: states.append([block.state_dict() for block in blocks])  # noqa: E731
    model, histories = train.greedy_pretrain(blocks, (X, y), epochs=2, callbacks=[look], **STAGES)
    assert len(states) == 6
    for k in range(3):
        before, after = states[2 * k], states[2 * k + 1]  # after the first and the second epoch of this stage
        for i in range(3):
            assert same(before[i], after[i]) == (i != k), (k, i)
    assert [len(history.epochs) for history in histories] == [2, 2, 2]
    assert [*model.children()][:3] == blocks
    assert all(part.training for part in model.modules())


def test_fine_tuning_begins_where_the_last_stage_ended_and_ends_below_it():
    X, y = data.make_spiral(rng=0)
    model, histories = train.greedy_pretrain(deep(), (X, y), epochs=15, **STAGES)
    best = min(min(history.loss) for history in histories)
    begin = train.evaluate(model, (X, y), loss=STAGES["loss"])["loss"]
    assert begin == pytest.approx(histories[-1].loss[-1], abs=0.1)
    adam = optim.Adam(model.parameters(), lr=0.02)
    joint = train.fit(model, (X, y), loss=STAGES["loss"], optimizer=adam, epochs=15, rng=0)
    assert joint.loss[-1] <= best


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (dict(blocks=[]), errors.ShapeError, "blocks is empty"),
        (dict(blocks=[np.tanh]), errors.DtypeError, "a block is <ufunc 'tanh'>"),
        (dict(head=nn.Linear(16, 3)), errors.DtypeError, "head is Linear.*a function that makes one per stage"),
        (dict(optimizer=optim.SGD([mg.Value(1.0)], lr=1.0)), errors.DtypeError, "optimizer is SGD"),
    ],
)
def test_pretraining_refuses_parts_of_another_kind(change, error, text):
    arguments = {"blocks": deep(), "data": data.make_spiral(rng=0), "epochs": 1, **STAGES, **change}
    with pytest.raises(error, match=text):
        train.greedy_pretrain(**arguments)
