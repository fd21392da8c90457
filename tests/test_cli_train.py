"""`minigrad train`: what it writes, what it refuses without writing, and that nothing is lost when it is stopped."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, errors, export, runs
from minigrad.cli import main
from minigrad.runs import examples, training
from minigrad.runs.settings import OPTIMIZERS, Settings

LINES = Path("run/metrics.jsonl")


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch, request):
    """An empty folder, and no matplotlib unless the test asks for `plots`: they take most of a short run's time."""
    monkeypatch.chdir(tmp_path)
    if "plots" not in request.fixturenames:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


@pytest.fixture
def plots():
    pytest.importorskip("matplotlib")


@pytest.fixture
def flowers():
    """A CSV file of two clouds, with a name that a shell would take apart."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) + np.repeat([[0.0, 100.0], [2.0, 103.0]], 30, axis=0)
    rows = [f"{a!r},{b!r},{'red' if i < 30 else 'blue'}" for i, (a, b) in enumerate(X.tolist())]
    Path("my flowers.csv").write_text("\n".join(["length,width,colour", *rows]) + "\n")
    return "my flowers.csv"


def train(*words):
    return main(["train", *map(str, words), "--quiet"])


def weights(folder="run"):
    return mg.load(Path(folder) / "model.npz")["model"]


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name, x in a.items():
        assert x.tobytes() == b[name].tobytes(), name


class Outline(HTMLParser):
    """Tags and text of a page; tags close as they should."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.images, self.open, self.code, self.text = [], [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        self.tags.append(tag)
        if tag == "img":
            self.images.append(attributes["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "code":
            self.code.append(data)


def page(folder="run"):
    return Outline((Path(folder) / "report.html").read_text())


# ------------------------------------------------------------------------------------------------------- what comes out
@pytest.mark.parametrize(("model", "mark", "pictures"), [("mlp", 0.97, 2), ("svm", 0.95, 3), ("softmax", 0.95, 3)])
def test_digits_reach_their_marks_and_the_page_shows_them(plots, capsys, model, mark, pictures):
    assert train("digits", "--model", model, "--out", "run") == 0
    told = capsys.readouterr().out
    _, _, X_test, y_test = data.load_digits()
    trained = runs.load("run")
    right = int((trained.predict(X_test) == y_test).sum())
    assert right / 360 >= mark
    assert told.startswith(f"{right} of 360 held-out rows are right: {right / 360:.2%}.\nOpen run")
    shown = page()
    assert f"{right} of 360" in shown.text
    assert shown.tags.count("section") == 6
    assert len(shown.images) == pictures  # curves, answers, and of a linear model its templates
    assert all(src.startswith("data:image/png;base64,iVBOR") for src in shown.images)
    records = [json.loads(line) for line in LINES.read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, 31))
    assert records[-1]["val_accuracy"] == pytest.approx(right / 360)
    assert trained.classes == tuple("0123456789")


def test_the_page_is_offline_and_runs_nothing(plots, flowers):
    assert train(flowers, "--epochs", "2") == 0
    text = Path("run/report.html").read_text()
    assert not {"script", "link", "iframe", "object", "a href=http"} & set(page().tags)
    assert "http://" not in text
    assert "https://" not in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert re.fullmatch(r"default-src 'none'; img-src data:; style-src 'sha256-[A-Za-z0-9+/=]+'", policy)


def test_hostile_names_are_text(plots, capsys):
    script, image, maths = "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", r"$\frac{$ $x$"
    rows = [f"{i % 7},{i % 5},{[script, image, '_hidden', maths][i % 4]}" for i in range(80)]
    Path("<u>a&b.csv").write_text("\n".join([f'"{maths}","{script}",<b>', *rows]))
    assert train("<u>a&b.csv", "--epochs", "3", "--out", "<i>") == 0
    shown = page("<i>")
    assert "script" not in shown.tags
    assert {"b", "i", "u"}.isdisjoint(shown.tags)
    assert len(shown.images) == 2
    assert "a&b.csv" in shown.text
    assert "<script>alert(1…" in shown.text  # shortened in the confusion matrix
    assert "minigrad train '<u>a&b.csv'" in shown.text
    assert runs.load("<i>").classes == tuple(sorted([script, image, "_hidden", maths]))


def test_the_command_on_the_page_gives_the_same_model_bit_for_bit(flowers):
    assert train(flowers, "--seed", "3", "--hidden", "8", "--epochs", "4", "--ignore", "width", "--lr", "0.02") == 0
    words = shlex.split(page().code[0])
    assert words[0] == "minigrad"
    assert words[-2:] == ["--out", "run"]
    assert main([*words[1:-1], "again", "--quiet"]) == 0
    assert_same(weights("again"), weights())
    assert train(flowers, "--seed", "4", "--hidden", "8", "--epochs", "4", "--ignore", "width", "--out", "other") == 0
    assert weights("other")["layers.0.weight"].tobytes() != weights()["layers.0.weight"].tobytes()


@pytest.mark.parametrize(
    ("name", "model"),
    [("iris", "mlp"), ("wine", "softmax"), ("diabetes", "mlp"), ("diabetes", "linear"), ("xor", "svm")],
)
def test_the_model_leaves_as_onnx_and_takes_data_as_they_come(name, model):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    assert train(name, "--model", model, "--epochs", "3") == 0
    assert main(["export", "run/model.npz", "--onnx", "m.onnx"]) == 0
    held = examples.read(Settings(name), Path())
    trained = runs.load("run")
    file = onnx.load("m.onnx")
    [there] = ReferenceEvaluator(file).run(None, {file.graph.input[0].name: held.X_held})
    np.testing.assert_allclose(there, trained.scores(held.X_held), rtol=1e-12, atol=1e-12)
    last = json.loads(LINES.read_text().splitlines()[-1])
    answers = trained.predict(held.X_held)
    if held.classes:
        assert (answers == held.y_held).mean() == pytest.approx(last["val_accuracy"])
        assert (there.argmax(axis=1) == answers).all()
    else:  # the loss is in units of the variance of the rows learned from; the answers are in the quantity's own
        assert np.mean((answers - held.y_held) ** 2) / held.y.var() == pytest.approx(last["val_loss"])


def test_linear_regression_finds_the_least_squares_solution():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * [1.0, 10.0, 100.0] + [5.0, 0.0, 1000.0]
    y = X @ [3.0, -2.0, 0.1] + 7.0 + rng.normal(size=200)
    np.savetxt("a.csv", np.column_stack([X, y]), delimiter=",")
    assert train("a.csv", "--model", "linear", "--epochs", "60") == 0
    held = examples.read(Settings("a.csv"), Path())
    design = np.column_stack([held.X, np.ones(len(held.X))])
    best = np.linalg.lstsq(design, held.y, rcond=None)[0]
    expected = np.column_stack([held.X_held, np.ones(len(held.X_held))]) @ best
    np.testing.assert_allclose(runs.load("run").predict(held.X_held), expected, atol=0.3)
    rows = re.findall(r'<tr><th scope="row">column (\d)</th><td>([^<]*)</td></tr>', Path("run/report.html").read_text())
    assert [name for name, _ in rows] == ["2", "3", "1"]  # by what a standard deviation of each does
    shown = [float(number) for _, number in rows]
    np.testing.assert_allclose(shown, (best[:3] * held.X.std(axis=0))[[1, 2, 0]], atol=0.1)


def test_early_stopping_keeps_the_best_epoch():
    assert train("diabetes", "--early-stopping", "3", "--epochs", "200") == 0
    records = [json.loads(line) for line in LINES.read_text().splitlines()]
    best = min(records, key=lambda record: record["val_loss"])
    assert len(records) == best["epoch"] + 3 < 200
    assert f"The weights are those of epoch {best['epoch']}" in page().text
    held = examples.read(Settings("diabetes"), Path())
    error = np.mean((runs.load("run").predict(held.X_held) - held.y_held) ** 2) / held.y.var()
    assert error == pytest.approx(best["val_loss"])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_by_its_name(flowers, name):
    assert train(flowers, "--optimizer", name, "--epochs", "1", "--hidden", "") == 0
    assert f"{name}{' with momentum 0.9' if name == 'sgd' else ''}, learning rate" in page().text


def test_many_classes_are_listed_by_their_commonest_mistakes():
    rows = [f"{i % 3},{i % 4},class {i % 25}" for i in range(250)]
    Path("a.csv").write_text("\n".join(["a,b,target", *rows]))
    assert train("a.csv", "--epochs", "1", "--model", "softmax") == 0
    assert "commonest mistakes" in page().text


@pytest.mark.parametrize(("name", "pictures"), [("diabetes", 2), ("spiral", 2), ("wine", 1)])
def test_pictures_for_every_kind_of_data(plots, name, pictures):
    assert train(name, "--epochs", "1") == 0
    assert len(page().images) == pictures


def test_without_matplotlib_the_page_has_the_numbers(flowers):
    assert train(flowers, "--epochs", "2") == 0
    shown = page()
    assert shown.images == []
    assert 'pip install "minigrad-engine[plot]"' in shown.text
    assert "held-out rows are right" in shown.text


def test_progress_is_shown_unless_quiet(flowers, capfd):
    assert main(["train", flowers, "--epochs", "2", "--out", "a"]) == 0
    assert "epoch 2/2" in "".join(capfd.readouterr())
    assert train(flowers, "--epochs", "2", "--out", "b") == 0
    assert "epoch 2/2" not in "".join(capfd.readouterr())


# ----------------------------------------------------------------------------------------------------------- prediction
def test_what_a_predictor_refuses(flowers):
    assert train(flowers, "--epochs", "1") == 0
    trained = runs.load("run/model.npz")
    assert repr(trained) == "Predictor('colour' of 2 classes from (2,))"
    assert trained.features == ("length", "width")
    assert trained.predict(np.zeros((0, 2))).shape == (0,)
    assert trained.predict([[0, 100]]).shape == (1,)
    with pytest.raises(errors.ShapeError, match=r"\(4, 3\); a row has the shape \(2,\) \(length, width\)"):
        trained.predict(np.zeros((4, 3)))
    with pytest.raises(errors.ShapeError):
        trained.predict(1.0)
    with pytest.raises(errors.DtypeError, match="not numbers"):
        trained.predict([["a", "b"]])
    with pytest.raises(errors.AnomalyError, match="row 1 of X"):
        trained.predict([[0.0, 1.0], [np.nan, 1.0]])
    with pytest.raises(errors.CheckpointError, match="there is no nowhere"):
        runs.load("nowhere")


def test_the_training_as_it_stands_is_no_model(flowers, capsys):
    assert train(flowers, "--epochs", "1") == 0
    capsys.readouterr()
    assert main(["export", "run/last.npz", "--onnx", "m.onnx"]) == 1
    model = Path("run/model.npz")
    said = f"{Path('run/last.npz')} is the training as it stands; the trained model is in {model}"
    assert capsys.readouterr().err == f"minigrad: {said}.\n"
    model.unlink()
    with pytest.raises(errors.CheckpointError, match=f"{re.escape(said)}, once .* minigrad train --resume run"):
        runs.load("run/last.npz")


# ------------------------------------------------------------------------------------------------------------- refusals
FILES = {  # what is in the file, the options, and what is said
    "missing": (b"a,b,y\n1,2,u\n3,,v\n", [], "x.csv, line 3, column 2 ('b'): a value is missing"),
    "text": (b"a,b,y\n1,2,u\n3,four,v\n", [], "x.csv, line 3, column 2 ('b'): 'four' is no number"),
    "ragged": (b"a,b,y\n1,2,u\n3,v\n", [], "x.csv, line 3, column 3 ('y'): the row is shorter"),
    "one class": (b"a,b,y\n1,2,u\n3,4,u\n", [], "x.csv, line 2, column 3 ('y'): all 2 rows"),
    "target": (
        b"a,b,kind\n1,2,u\n3,4,v\n",
        ["--target", "kin"],
        "x.csv, line 1: of the 3 columns none is called 'kin'",
    ),
    "empty": (b"", [], "x.csv, line 1: the file is empty"),
    "names only": (b"a,b,y\n", [], "x.csv, line 1: names of 3 columns, and no row"),
    "latin-1": (b"a,b,y\n1,2,u\n3,4,\xfc\n", [], "x.csv, line 3, column 3: byte 16 (0xfc) is not UTF-8"),
    "id": (b"id,a,y\nq7,2,u\nq8,4,v\n", [], "to leave the column out, --ignore 'id'"),
    "rare": (b"a,b,y\n1,2,u\n3,4,v\n5,6,v\n", [], "x.csv, column 'y': one row only is 'u'"),
    "rare, few": (b"a,b,y\n1,2,u\n3,4,u\n5,6,v\n5,6,v\n", [], "x.csv, column 'y': only 2 of 4 rows are 'u', too few"),
    "prices": (
        "a,y\n1,€104.800\n2,€98.500\n3,€77.000\n".encode(),
        [],
        "x.csv, column 'y': one row only is '€104.800', too few for some to learn from and some of the share held "
        "back, 0.2. If this is a quantity, save it as numbers like 1234.5, without marks, and say --task regression.",
    ),
    "many classes": (
        "".join(["a,y\n", *[f"{i},town {i % 100}\n" for i in range(400)]]).encode(),
        ["--validation", "0.1"],
        "x.csv, column 'y': only 4 of 400 rows are 'town 0', too few for some to learn from and some of the share held "
        "back, 0.1. Leave them out, join some of the classes, say --validation with a share nearer to 0.5",
    ),
    "few": (b"a,y\n1,2.5\n2,3.5\n", [], "x.csv: 2 rows; a regression takes three"),
    "huge": (
        b"a,y\n1e308,2.5\n-1e308,3.5\n1e308,4.5\n1e308,5.5\n-1e308,0.5\n-1e308,0.5\n",
        [],
        "too large for a variance",
    ),
    "one huge": (
        b"a,b,y\n1,2,u\n\n3,-1e300,v\n" + 5 * b"1,2,u\n3,4,v\n",
        ["--ignore", "a"],
        "x.csv, line 4, column 'b': -1e+300 is too large for a variance; correct it",
    ),
    "one huge target": (b"a,y\n1,2.5\n3,1e200\n5,2\n", [], "x.csv, line 3, column 'y': 1e+200 is too large"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_explained_and_nothing_is_written(capsys, name):
    text, options, says = FILES[name]
    Path("x.csv").write_bytes(text)
    assert train("x.csv", *options, "--out", "run") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minigrad: ")
    assert err.count("\n") == 1
    assert says in err
    assert [*Path().iterdir()] == [Path("x.csv")]


def test_a_file_too_large_is_refused_before_it_is_read(flowers, capsys, monkeypatch):
    monkeypatch.setattr("minigrad.data.memory.available_memory", lambda: 100)
    assert train(flowers) == 1
    assert "would take about" in (err := capsys.readouterr().err)
    assert "memory_limit" not in err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["digts"], "there is no file and no set 'digts'; did you mean digits?"),
        (["nowhere.csv"], "minigrad: nowhere.csv: there is no such file in "),
        ([], "train: on what?"),
        (["digits", "--target", "y"], "digits: --target is for CSV files"),
        (
            ["digits", "--model", "linear"],
            "--model linear: classes are to be told apart here; that is for mlp or svm or",
        ),
        (["diabetes", "--model", "svm"], "--model svm: a quantity is to be predicted here; that is for mlp or linear"),
        (["digits", "--model", "svm", "--hidden", "3"], "svm has no hidden layers"),
        (["digits", "--optimizer", "rprop", "--weight-decay", "1"], "rprop has no weight decay"),
        (["--resume", "run", "--seed", "3"], "leave out seed"),
        (["--resume", "nowhere"], "nowhere has no run to resume"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(capsys, words, says):
    assert train(*words) == 1
    assert says in capsys.readouterr().err
    assert [*Path().iterdir()] == []


@pytest.mark.parametrize(
    "option",
    ["--epochs=0", "--lr=0", "--lr=nan", "--lr=x", "--validation=1", "--hidden=3,0", "--model=forest", "--seed=-1",
     "--weight-decay=-1", "--optimizer=lbfgs", "--batch-size=1.5", "--delimiter=ab", "--delimiter="],
)  # fmt: skip
def test_wrong_options_show_the_usage(option, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "digits", option])
    assert caught.value.code == 2
    assert "usage: minigrad train" in capsys.readouterr().err
    assert [*Path().iterdir()] == []


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--hidden=a,b", "'a' is no whole number, such as 30: the size of each hidden layer, as in --hidden 64,32"),
        ("--hidden=64,", "'' is no whole number"),
        ("--lr=abc", "'abc' is no number, such as 0.01"),
        ("--lr=-1", "-1 is not a number of at least 0, such as 0.01"),
        ("--weight-decay=x", "'x' is no number, such as 0.01"),
        ("--validation=20%", "'20%' is no number, such as 0.2"),
        ("--epochs=many", "'many' is no whole number, such as 30"),
        ("--seed=1.5", "'1.5' is no whole number, such as 7"),
    ],
)
def test_a_wrong_option_is_told_what_it_takes(option, says, capsys):
    with pytest.raises(SystemExit):
        main(["train", "digits", option])
    assert f"{option.split('=')[0]}: {says}" in capsys.readouterr().err


def test_folders_with_something_in_them_are_left_alone(flowers, capsys):
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("all of it")
    assert train(flowers, "--out", "full") == 1
    assert "full is not empty, and is no run" in capsys.readouterr().err
    assert [*Path("full").iterdir()] == [Path("full/thesis.txt")]
    assert train(flowers, "--out", flowers) == 1
    assert "is a file" in capsys.readouterr().err
    Path("empty").mkdir()
    assert train(flowers, "--out", "empty", "--epochs", "1") == 0
    before = {file: file.read_bytes() for file in Path("empty").iterdir()}
    assert train(flowers, "--out", "empty") == 1
    assert "empty has a run in it. To continue it: minigrad train --resume empty" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in Path("empty").iterdir()} == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder where nobody can write")
def test_where_nothing_can_be_written(flowers, capsys):
    assert train(flowers, "--out", "/proc/run") == 1
    assert capsys.readouterr().err.startswith("minigrad: [Errno ")


# ---------------------------------------------------------------------------------------------------- stop and continue
SLOW = """
import signal, sys, time
from minigrad.cli import main
from minigrad.runs import training

notes = training.notes

def slow(optimizer):
    note = notes(optimizer)
    return lambda record: (note(record), time.sleep(0.03))[0]

training.notes = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs ignore
sys.exit(main(sys.argv[1:]))
"""
OPTIONS = ["--epochs", "30", "--hidden", "8,8", "--early-stopping", "40"]


def begin(*words):
    """A training in a process of its own, in its third epoch or later."""
    command = [sys.executable, "-c", SLOW, "train", *words, "--quiet"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (LINES.exists() and LINES.read_bytes().count(b"\n") >= 3):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)
    return child


def test_killed_and_resumed_gives_the_same_model_bit_for_bit(plots, flowers, capsys):
    child = begin(flowers, *OPTIONS)
    assert train("--resume", "run") == 1  # a second one at the same time
    assert "is in use: another process trains there" in capsys.readouterr().err
    assert train(flowers, "--out", "run") == 1
    child.kill()
    child.communicate()
    assert not mg.load("run/last.npz")["finished"]
    assert not Path("run/model.npz").exists()
    with pytest.raises(errors.CheckpointError, match="finish the run: minigrad train --resume run"):
        runs.load("run")
    os.mkdir("elsewhere")
    os.chdir("elsewhere")  # the file is found from where the command was given
    assert train("--resume", "../run") == 0
    os.chdir("..")
    assert train(flowers, *OPTIONS, "--out", "whole") == 0
    assert_same(weights(), weights("whole"))
    records = [json.loads(line) for line in LINES.read_text().splitlines()]
    assert [record["epoch"] for record in records] == list(range(1, 31))
    assert page().images


def test_ctrl_c_saves_and_says_how_to_go_on(flowers):
    child = begin(flowers, *OPTIONS)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert re.fullmatch(r"Stopped after step \d+ of 60\.\nTo continue: minigrad train --resume run\n", out)
    assert err == "minigrad: interrupted\n"
    assert train("--resume", "run") == 0
    assert train(flowers, *OPTIONS, "--out", "whole") == 0
    assert_same(weights(), weights("whole"))


@pytest.mark.slow
@pytest.mark.parametrize("after", np.linspace(0.0, 1.2, 10))
def test_killed_at_any_moment(flowers, after):
    child = subprocess.Popen([sys.executable, "-c", SLOW, "train", flowers, *OPTIONS, "--quiet"])
    while not Path("run").exists():
        time.sleep(0.001)
    time.sleep(after)
    child.kill()
    child.wait()
    assert train("--resume", "run") == 0
    assert train(flowers, *OPTIONS, "--out", "whole") == 0
    assert_same(weights(), weights("whole"))


def fails_after(monkeypatch, count):
    """A disk that is full after so many files."""
    real, seen = os.fsync, []

    def fsync(file):
        seen.append(file)
        if len(seen) > count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr("minigrad.io.atomic.os.fsync", fsync)


def test_a_full_disk_at_the_start_leaves_nothing(flowers, capsys, monkeypatch):
    fails_after(monkeypatch, 0)
    assert train(flowers) == 1
    assert "No space left" in capsys.readouterr().err
    assert [*Path().iterdir()] == [Path(flowers)]


@pytest.mark.parametrize("files", [5, 31, 32, 33])  # within the training, at its end, the model, the page
def test_a_full_disk_later_loses_nothing(flowers, capsys, monkeypatch, files):
    with monkeypatch.context() as patched:
        fails_after(patched, files)
        assert train(flowers, *OPTIONS) == 1
    assert "No space left" in capsys.readouterr().err
    assert not [*Path("run").glob(".*")]
    assert train("--resume", "run") == 0
    assert train(flowers, *OPTIONS, "--out", "whole") == 0
    assert_same(weights(), weights("whole"))
    assert "held-out rows" in page().text


def test_a_finished_run_resumed_makes_its_page_anew(flowers):
    assert train(flowers, *OPTIONS) == 0
    before, text = weights(), page().text
    Path("run/report.html").unlink()
    assert train("--resume", "run") == 0
    assert_same(weights(), before)
    assert page().text == text


def test_other_data_are_not_gone_on_with(flowers, capsys):
    child = begin(flowers, *OPTIONS)
    child.kill()
    child.communicate()
    before = Path("run/last.npz").read_bytes()
    lines = Path(flowers).read_text().splitlines()
    Path(flowers).write_text("\n".join([*lines[:-1], "1.0,2.0,blue"]))
    assert train("--resume", "run") == 1
    assert "is of another training: data.checksum of X" in capsys.readouterr().err
    assert Path("run/last.npz").read_bytes() == before


def test_a_tab_can_be_typed():
    Path("x.csv").write_text("a,1\ty\n" + "1\tu\n2\tv\n" * 10)
    assert train("x.csv", "--delimiter", r"\t", "--epochs", "1") == 0
    assert runs.load("run").features == ("a,1",)


def test_a_model_beyond_the_memory_is_told(capsys):
    assert train("moons", "--hidden", "100000000,100000000") == 1
    assert "minigrad: the memory is too small" in capsys.readouterr().err
    assert not Path("run").exists()


@pytest.mark.parametrize("change", ["cut", "names", "optimizer", "list", "seed", "data", "lr"])
def test_a_damaged_run_is_refused(flowers, capsys, change):
    assert train(flowers, "--epochs", "1") == 0
    file = Path("run/run.json")
    written = json.loads(file.read_text())
    if change == "names":
        written["settings"]["colour"] = 1
    if change == "optimizer":
        written["settings"]["optimizer"] = "walk"
    if change in ("seed", "data", "lr"):
        written["settings"][change] = -1
    file.write_text("{" if change == "cut" else "[]" if change == "list" else json.dumps(written))
    assert train("--resume", "run") == 1
    assert "run.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architecture": {"model": "mlp", "sizes": [10**9, 10**9, 2]}}, "too few"),
        ({"inputs": {"mean": 0.0}}, "'inputs' has no mean and std for inputs of shape (2,): 'std'"),
        ({"inputs": {"mean": np.zeros(3), "std": np.ones(3)}}, "'inputs' has no mean"),
        ({"inputs": {"mean": "a", "std": 1.0}}, "'inputs' has no mean"),
        ({"inputs": [1]}, "'inputs' has no mean"),
        ({"classes": 3}, "'classes' is 3; it has 2 names"),
        ({"classes": ["a", "b", "c"]}, "it has 2 names for this model"),
        ({"features": [1, 2]}, "'features' is [1, 2]"),
    ],
)
def test_a_model_that_does_not_fit_together_is_refused(flowers, change, says):
    assert train(flowers, "--epochs", "1") == 0
    mg.save("odd.npz", mg.load("run/model.npz") | change)
    for read in (runs.load, lambda file: export.export_checkpoint(file, "odd.onnx")):
        with pytest.raises(errors.CheckpointError, match=re.escape(says)):
            read("odd.npz")
    assert not Path("odd.onnx").exists()


def test_a_rate_that_is_too_high_is_told(flowers, capsys):
    assert train(flowers, "--optimizer", "sgd", "--lr", "1e200") == 1
    assert "learning rate is too high" in capsys.readouterr().err


def test_the_work_is_done_by_functions_that_can_be_called(flowers):
    training.start(Settings(flowers, epochs=1), "run", quiet=True)
    assert runs.load("run").classes == ("blue", "red")


def test_many_rows_are_predicted_in_parts(flowers, monkeypatch):
    assert train(flowers, "--epochs", "1") == 0
    X = np.random.default_rng(0).normal(size=(7, 2))
    trained = runs.load("run")
    whole = trained.scores(X)
    monkeypatch.setattr("minigrad.runs.predictor.ROWS", 3)
    np.testing.assert_allclose(trained.scores(X), whole, rtol=1e-12)


def test_the_numbers_on_the_page_are_those_of_the_model():
    rows = [f"{i % 9},{i * i % 11},{'abbb'[i % 4]}" for i in range(100)]  # b is the commonest class, and the second
    Path("a.csv").write_text("\n".join(["u,v,target", *rows]))
    assert train("a.csv", "--epochs", "2", "--validation", "0.4") == 0
    held = examples.read(Settings("a.csv", validation=0.4), Path())
    answers = runs.load("run").predict(held.X_held)
    text = Path("run/report.html").read_text()
    shares = f"<td>{np.mean(held.y == 1):.2%}</td><td>{np.mean(held.y_held == 1):.2%}</td>"
    assert f"right if always the commonest class</th>{shares}" in text
    for i, name in enumerate("ab"):
        row = re.search(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', text).group(1)
        counts = [int(np.sum((held.y_held == i) & (answers == j))) for j in range(2)]
        share = f"{counts[i] / sum(counts):.1%}"
        assert re.findall(r">([^<>]+)</td>", row) == [*[str(k) if k else "·" for k in counts], share]


def test_quantities_are_written_as_one_reads_them(capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    np.savetxt("a.csv", np.column_stack([X, 50_000 * X[:, 0] + 300_000 + 17_000 * rng.normal(size=80)]), delimiter=",")
    assert train("a.csv", "--model", "linear", "--epochs", "40") == 0
    told = capsys.readouterr().out
    held = examples.read(Settings("a.csv"), Path())
    error = np.sqrt(np.mean((runs.load("run").predict(held.X_held) - held.y_held) ** 2))
    assert 10_000 < error < 100_000
    assert f"the error is {round(error, -1):,.0f} (root" in told
    assert "diverged" not in told
    assert "e+" not in re.sub(r"data:\S*", "", page().text)


def test_a_training_that_diverged_is_told_on_the_terminal_and_the_page(capsys):
    options = ["--model", "linear", "--optimizer", "sgd", "--epochs", "3"]
    assert train("diabetes", *options, "--lr", "3") == 0
    told = capsys.readouterr().out
    says = "The training diverged: a learning rate smaller than --lr 3 may help."
    assert says in told
    assert says in page().text
    assert re.search(r"R² is -\d(\.\d+)?e\+\d+\.", told)
    assert train("diabetes", *options, "--lr", "0.01", "--out", "good") == 0
    assert "diverged" not in capsys.readouterr().out
    assert train("iris", "--model", "softmax", "--optimizer", "sgd", "--epochs", "1", "--out", "one") == 0
    assert "diverged" not in capsys.readouterr().out


def test_weight_decay_pulls_the_weights_to_zero(flowers):
    options = ["--model", "softmax", "--optimizer", "sgd", "--epochs", "50"]
    for decay in ("0", "1"):
        assert train(flowers, *options, "--weight-decay", decay, "--out", decay) == 0
    assert np.abs(weights("1")["weight"]).max() < 0.5 * np.abs(weights("0")["weight"]).max()
