"""The training loop against loops written by hand, and what it does when something goes wrong."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings

import numpy as np
import pytest

from minigrad import Value, data, errors, nn, optim, train


@pytest.fixture(autouse=True)
def no_bar(monkeypatch):
    """As if tqdm were not installed: a printed line per epoch."""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


def blobs(n=40):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return rng.standard_normal((n, 2)) + 4.0 * y[:, None], y


def setup(lr=0.1, model=None):
    model = model or nn.MLP([2, 4, 2], rng=0)
    return dict(model=model, data=blobs(), loss=nn.CrossEntropyLoss(), optimizer=optim.SGD(model.parameters(), lr=lr))


def run(arguments, **more):
    arguments = {**arguments, **more}
    return train.fit(arguments.pop("model"), arguments.pop("data"), **arguments)


def test_it_does_what_the_hand_written_numpy_loop_does():
    X, y = blobs()
    linear = nn.Linear(2, 2, rng=0)
    W, b = linear.weight.data.copy(), linear.bias.data.copy()
    losses, shares = [], []
    for _ in range(3):  # softmax regression as in the CS231n notes
        sums = []
        for i in range(0, 40, 16):
            Xb, yb = X[i : i + 16], y[i : i + 16]
            scores = Xb @ W.T + b
            p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            n = len(yb)
            sums.append((-np.log(p[range(n), yb]).sum(), (scores.argmax(axis=1) == yb).sum()))
            p[range(n), yb] -= 1.0
            W -= 0.1 * (p / n).T @ Xb
            b -= 0.1 * (p / n).sum(axis=0)
        losses.append(sum(loss for loss, _ in sums) / 40)
        shares.append(sum(right for _, right in sums) / 40)
    history = run(setup(model=linear), data=data.DataLoader(X, y, batch_size=16), epochs=3)
    np.testing.assert_allclose(linear.weight.data, W, rtol=1e-12)
    np.testing.assert_allclose(linear.bias.data, b, rtol=1e-12)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-12)
    np.testing.assert_allclose(history.accuracy, shares, rtol=1e-12)
    assert history["epoch"] == [1, 2, 3]
    assert not history.interrupted


def test_the_same_seed_gives_the_same_numbers_bit_for_bit():
    def numbers(seed):
        arguments = setup()
        history = run(arguments, epochs=3, rng=seed, validation=blobs(10))
        return history.epochs, [p.data.tolist() for p in arguments["model"].parameters()]

    assert numbers(1) == numbers(1)
    assert numbers(1) != numbers(2)


def test_validation_is_seen_in_evaluation_mode_and_never_learnt_from():
    class Watch(nn.Module):
        def __init__(self):
            self.inner, self.seen = nn.Linear(2, 2, rng=0), []

        def forward(self, x):
            self.seen.append((len(x), self.training))
            return self.inner(x)

    model = Watch()
    history = run(setup(model=model), validation=(np.ones((7, 2)), np.zeros(7, int)), epochs=2)
    assert model.seen == [(32, True), (8, True), (7, False)] * 2
    assert set(history.epochs[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"}
    expected = nn.CrossEntropyLoss()(model(np.ones((7, 2))), np.zeros(7, int)).item()
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-12)


def test_evaluate_restores_the_mode_also_after_an_error():
    model = nn.Linear(2, 2)
    with pytest.raises(errors.ShapeError):
        train.evaluate(model, (np.ones((3, 5)), np.zeros(3, int)), loss=nn.CrossEntropyLoss())
    assert model.training


def test_evaluate_leaves_each_layer_in_the_mode_it_had():
    model = nn.Sequential(nn.Linear(2, 2, rng=0), nn.BatchNorm1d(2), nn.Dropout(0.5))
    model[1].eval()
    train.evaluate(model, (np.ones((3, 2)), np.zeros(3, int)), loss=nn.CrossEntropyLoss())
    assert [layer.training for layer in model.modules()] == [True, True, False, True]


class Deals:
    """Data that claim one batch and deal `batches`."""

    def __init__(self, *batches):
        self.batches = batches

    def __len__(self):
        return 1

    def __iter__(self):
        return iter(self.batches)


def test_a_validation_that_deals_nothing_is_refused():
    with pytest.raises(errors.ShapeError, match="dealt no rows"):
        run(setup(), validation=Deals(), epochs=1)


@pytest.mark.parametrize("where", ["data", "validation"])
def test_a_batch_is_a_pair(where):
    X, y = blobs(8)
    with pytest.raises(errors.ShapeError, match=r"a batch of 3 parts; a batch is a pair \(X, y\)"):
        run(setup(), **{where: Deals((X, y, y))}, epochs=1)
    with pytest.raises(errors.ShapeError, match=r"a batch of .*\(8, 2\)"):
        run(setup(), **{where: Deals(X)}, epochs=1)


def put(x):
    def callback(record):
        record["x"] = x

    return callback


@pytest.mark.parametrize("x", ["high", None, np.ones(2), {}], ids=repr)
def test_a_record_holds_numbers_only(x):
    with pytest.raises(errors.DtypeError, match="a callback put x="):
        run(setup(), epochs=1, callbacks=[put(x)])


@pytest.mark.parametrize("x", [np.float32(3.0), np.array(3.0), Value(3.0), 3], ids=repr)
def test_numbers_of_all_kinds_become_plain_ones_in_the_record(x, tmp_path):
    history = run(setup(), epochs=1, callbacks=[put(x)], checkpoint=tmp_path / "run.npz")
    assert history["x"] == [3.0]
    assert type(history["x"][0]) in (int, float)


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]], [1, 1, 1], 2 / 3),
        ([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]], [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], 2 / 3),
        ([[0.1, 0.9], [0.8, 0.2]], [[0.0, 1.0], [0.5, 0.5]], None),
        ([[0.1, 0.9], [0.8, 0.2]], [[1.0, 1.0], [0.0, 1.0]], None),
        ([0.5, -2.0, 0.0], [1, -1, -1], 2 / 3),
        ([[0.5], [-2.0]], [-1, 1], 0.0),
        ([[0.5], [-2.0]], [0.3, 2.0], None),
        ([[0.5, 1.0], [-2.0, 3.0]], [[0.5, 1.0], [-2.0, 3.0]], None),
        ([[0.5, 1.0]], [0.5], None),
    ],
)
def test_accuracy(scores, labels, expected):
    assert train.accuracy(np.array(scores), labels) == expected
    assert train.accuracy(Value(scores), np.array(labels)) == expected


def test_a_regression_has_a_loss_and_no_accuracy():
    X = np.linspace(0.0, 1.0, 8).reshape(-1, 1)
    model = nn.Linear(1, 1, rng=0)
    history = run(
        setup(model=model), data=(X, 3.0 * X), loss=lambda out, y: ((out - y) ** 2).mean(), epochs=2, validation=(X, X)
    )
    assert set(history.epochs[0]) == {"epoch", "loss", "val_loss"}
    assert history.accuracy == []


@pytest.mark.parametrize(
    "loss",
    [
        lambda out, y: ((out - y) ** 2).mean(),
        lambda out, y: (y - 2.0 * out).abs().sum(),
        lambda out, y: (1.0 - y * out).relu().mean(),
        lambda out, y: (out.tanh() * y).exp().mean() + out.sum(),
    ],
)
def test_a_loss_that_broadcasts_scores_against_labels_is_refused(loss):
    X, y = blobs(6)
    y = np.where(y == 0, -1.0, 1.0)
    with pytest.raises(errors.ShapeError, match=r"each of 6 scores with each of 6 labels.*y\.reshape\(6, 1\)"):
        run(setup(model=nn.Linear(2, 1, rng=0)), data=(X, y), loss=loss, epochs=1)
    flat = nn.Sequential(nn.Linear(2, 1, rng=0), nn.Flatten(0))
    with pytest.raises(errors.ShapeError, match=r"scores \(6,\) and labels \(6, 1\)"):
        run(setup(model=flat), data=(X, y.reshape(6, 1)), loss=loss, epochs=1)
    run(setup(model=nn.Linear(2, 1, rng=0)), data=(X, y.reshape(6, 1)), loss=loss, epochs=1)
    run(setup(model=flat), data=(X, y), loss=loss, epochs=1)


def test_losses_that_give_scores_and_labels_one_shape_themselves():
    X, y = blobs(6)
    y = np.where(y == 0, -1.0, 1.0)
    for loss in (lambda out, y: ((out.reshape(6) - y) ** 2).mean(), nn.HingeLoss()):
        run(setup(model=nn.Linear(2, 1, rng=0)), data=(X, y), loss=loss, epochs=1)


def test_steps_is_the_loop_one_update_at_a_time():
    arguments = setup()
    loop = train.steps(
        arguments["model"], data.DataLoader(*blobs(), batch_size=16), loss=arguments["loss"],
        optimizer=arguments["optimizer"], epochs=2,
    )  # fmt: skip
    before = arguments["model"].state_dict()
    first = next(loop)
    assert (first.epoch, first.number, first.record) == (1, 1, None)
    assert any(not np.array_equal(before[k], v) for k, v in arguments["model"].state_dict().items())
    rest = list(loop)
    assert [(s.epoch, s.number, s.record is not None) for s in rest] == [
        (1, 2, False), (1, 3, True), (2, 4, False), (2, 5, False), (2, 6, True),
    ]  # fmt: skip


def test_callbacks_see_each_epoch_and_may_end_the_training():
    seen = []
    history = run(setup(), epochs=10, callbacks=[seen.append, lambda record: record["epoch"] == 3])
    assert seen == history.epochs
    assert len(seen) == 3
    assert not history.interrupted


# ----------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"epochs": 0}, errors.ShapeError, "epochs=0"),
        ({"epochs": 1.5}, errors.DtypeError, r"epochs=1\.5 is not a whole number"),
        ({"data": (np.ones((3, 2)), [0, 1])}, errors.ShapeError, "X has 3 rows and y has 2"),
        ({"data": (np.ones((0, 2)), [])}, errors.ShapeError, "without rows"),
        ({"data": (np.ones((2, 2)),)}, errors.ShapeError, "data has 1 parts"),
        ({"data": np.ones((3, 2))}, errors.DtypeError, r"data is \(3, 2\); it is a DataLoader or a pair"),
        ({"data": None}, errors.DtypeError, "data is None"),
        ({"data": (np.array([[np.nan, 1.0]]), [0])}, errors.AnomalyError, r"X\[0, 0\] is nan"),
        ({"validation": (np.ones((3, 2)), [0, 1])}, errors.ShapeError, "X has 3 rows"),
        ({"data": (np.ones((2, 2)), [0, 2])}, errors.ShapeError, "label .*2.*classes 0 to 1"),
        ({"data": (np.ones((2, 3)), [0, 1])}, errors.ShapeError, "rows of 2"),
        ({"loss": lambda scores, y: 1.0}, errors.GradientError, r"the loss is 1\.0, not a Value"),
        ({"optimizer": optim.SGD([Value(1.0)], lr=0.1)}, errors.GradientError, "none of the optimizer's parameters"),
        ({"model": nn.MLP}, errors.DtypeError, r"model is the class MLP; pass an object: model=nn\.MLP\(\["),
        ({"loss": nn.CrossEntropyLoss}, errors.DtypeError, r"loss is the class .*loss=nn\.CrossEntropyLoss\(\)"),
        ({"loss": "ce"}, errors.DtypeError, "loss is 'ce'; pass an object"),
        ({"optimizer": optim.SGD}, errors.DtypeError, r"optimizer is the class SGD.*optim\.SGD\(model\.parameters"),
        ({"optimizer": optim.LBFGS([Value(1.0)])}, errors.DtypeError, "LBFGS: it looks at the loss several times"),
        ({"optimizer": "adam"}, errors.DtypeError, "optimizer is 'adam'; pass an object"),
        ({"callbacks": print}, errors.DtypeError, r"callbacks=\[f\]"),
        ({"callbacks": None}, errors.DtypeError, r"callbacks is None; it is a list of functions"),
        (
            {"optimizer": optim.SGD(nn.Linear(2, 2).freeze().parameters())},
            errors.GradientError,
            "parameters .*are frozen",
        ),
    ],
)
def test_what_can_not_be_learnt(change, error, text):
    arguments = setup()
    before = arguments["model"].state_dict()
    with pytest.raises(error, match=text):
        run(arguments, **{"epochs": 1, **change})
    for name, array in arguments["model"].state_dict().items():
        assert np.array_equal(array, before[name]), "nothing was updated"


def test_a_loss_that_blows_up_names_the_step_and_updates_nothing_more():
    X, y = np.array([[1.0], [1.0]]), np.array([[0.0], [0.0]])
    model = nn.Linear(1, 1, rng=0)
    states = []

    def loss(out, target):
        states.append(model.state_dict())
        return ((out - target) ** 2).mean()

    arguments = dict(loss=loss, optimizer=optim.SGD(model.parameters(), lr=1e60))
    with (
        warnings.catch_warnings(action="error"),  # the error says it all
        pytest.raises(errors.AnomalyError, match=r"the loss is (inf|nan) at step (\d+) .*lr=1e\+60") as caught,
    ):
        train.fit(model, data.DataLoader(X, y), epochs=50, **arguments)
    assert f"step {len(states)} (epoch {len(states)}, batch 1 of 1)" in str(caught.value)
    for name, array in model.state_dict().items():
        assert np.array_equal(array, states[-1][name]), "the parameters are as the last whole step left them"


def test_a_gradient_that_is_not_finite_is_stopped_before_the_update():
    w = nn.Parameter(np.zeros(2), label="w")
    optimizer = optim.SGD([w], lr=0.1)
    with pytest.raises(errors.AnomalyError, match=r"the gradient of w \(2,\) is not finite at step 1"):
        train.fit(
            lambda x: x * w, (np.ones((1, 2)), np.ones(1)), loss=lambda out, y: out.sqrt().sum(), optimizer=optimizer,
            epochs=1,
        )  # fmt: skip
    assert w.data.tolist() == [0.0, 0.0]


# -------------------------------------------------------------------------------------------------------------- Ctrl-C
def whole_updates(arguments, history, updates):
    """The model as `updates` whole steps leave it, from the same start."""
    again = setup()
    loop = train.steps(again["model"], blobs(), loss=again["loss"], optimizer=again["optimizer"], epochs=99, rng=0)
    for _ in range(updates):
        next(loop)
    for name, array in again["model"].state_dict().items():
        assert np.array_equal(array, arguments["model"].state_dict()[name])


@pytest.fixture
def listening():
    """Ctrl-C is heard, also where the tests run in the background of a shell, which makes it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.usefixtures("listening")
def test_ctrl_c_in_the_middle_of_a_step_ends_after_it():
    arguments = setup()
    calls = []

    class Interrupted(optim.SGD):
        def step(self, closure=None):
            calls.append(None)
            if len(calls) == 5:  # the first of two batches of the third epoch
                os.kill(os.getpid(), signal.SIGINT)
            return super().step(closure)

    arguments["optimizer"] = Interrupted(arguments["model"].parameters(), lr=0.1)
    history = run(arguments, epochs=99, rng=0)
    assert history.interrupted
    assert history["epoch"] == [1, 2]
    assert len(calls) == 5
    whole_updates(arguments, history, 5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.usefixtures("listening")
def test_a_second_ctrl_c_stops_at_once():
    def impatient(scores, y):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("this is too late")

    with pytest.raises(KeyboardInterrupt):
        run(setup(), loss=impatient, epochs=1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_raised_by_a_callback_ends_cleanly_too():
    def callback(record):
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    arguments = setup()
    history = run(arguments, epochs=9, rng=0, callbacks=[callback])
    assert history.interrupted
    assert history["epoch"] == [1]
    whole_updates(arguments, history, 4)


def test_training_in_a_thread_leaves_signals_alone():
    histories = []
    thread = threading.Thread(target=lambda: histories.append(run(setup(), epochs=2)))
    thread.start()
    thread.join()
    assert len(histories[0].epochs) == 2


# ------------------------------------------------------------------------------------------------------------ progress
def test_without_tqdm_a_line_per_epoch(capsys):
    history = run(setup(), epochs=3)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert f"loss {history.loss[-1]:.4f}, accuracy {history.accuracy[-1]:.3f}" in lines[-1]


def test_many_epochs_print_a_hundred_lines(capsys):
    run(setup(), epochs=1000, data=data.DataLoader(*blobs(4), batch_size=4))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 100
    assert lines[-1].startswith("epoch 1000/1000: loss")


def test_with_tqdm_a_bar_with_loss_and_accuracy(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.delitem(sys.modules, "tqdm.auto")
    run(setup(), epochs=2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err  # updates, the time left is beside them
    assert "epoch 2/2, loss" in shown.err
    assert "accuracy" in shown.err


@pytest.mark.parametrize("bar", [True, False])
def test_progress_can_be_silent(bar, monkeypatch, capsys):
    if bar:
        pytest.importorskip("tqdm")
        monkeypatch.delitem(sys.modules, "tqdm.auto")
    assert len(run(setup(), epochs=2, progress=False).epochs) == 2
    assert capsys.readouterr() == ("", "")


def test_the_progress_names_small_losses():
    assert train.line({"epoch": 1.0, "loss": 1.25e-7, "val_accuracy": 0.5}) == "loss 1.25e-07, val accuracy 0.500"


def test_history_lists_its_names():
    with pytest.raises(KeyError, match="no 'foo'; it has epoch, loss, accuracy"):
        run(setup(), epochs=1)["foo"]
    assert train.History()["loss"] == [], "interrupted in the first epoch"


def test_history_shows_where_it_ended():
    history = train.History([{"epoch": 1.0, "loss": 0.5}], interrupted=True)
    assert repr(history) == "History(1 epochs, loss 0.5000, interrupted)"
    assert repr(train.History()) == "History(0 epochs)"
