"""The command: what it prints, what it writes, and how it fails."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import numpy as np
import pytest

import minigrad
from minigrad import cli, errors


def test_info_names_versions_extras_and_the_renderer(capsys):
    assert cli.main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"minigrad {minigrad.__version__}"
    assert lines[1].startswith("python 3.")
    for name in cli.PACKAGES:
        assert any(line.startswith(f"{name} ") for line in lines), name
    assert lines[-1].startswith("pictures are drawn by ")


def test_info_says_how_to_get_what_is_missing(monkeypatch, capsys):
    def missing(name):
        raise cli.PackageNotFoundError(name)

    monkeypatch.setattr(cli, "version", missing)
    monkeypatch.setenv("MINIGRAD_DOT", "no-such-program")
    assert cli.main(["info"]) == 0
    out = capsys.readouterr().out
    assert 'matplotlib is missing: pip install "minigrad-engine[plot]"' in out
    assert "graphviz is missing: pip install graphviz\n" in out
    assert "pictures can't be drawn: MINIGRAD_DOT=no-such-program" in out


def test_python_m_minigrad_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "minigrad", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"minigrad {minigrad.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["demo", "--fast"]])
def test_wrong_usage_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: minigrad" in capsys.readouterr().err


def test_a_folder_that_can_not_be_made_is_an_error_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["demo", "--quick", "--out", str(tmp_path / "file" / "out")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("minigrad: ")
    assert err.count("\n") == 1


def test_the_demo_names_the_extra_that_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == 1
    assert 'pip install "minigrad-engine[all]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_errors_of_minigrad_are_told_and_others_are_not_hidden(monkeypatch, capsys):
    import minigrad.demo

    def fails(error):
        def run(*args, **kwargs):
            raise error

        return run

    monkeypatch.setattr(minigrad.demo, "run", fails(errors.ShapeError("it does not fit")))
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == "minigrad: it does not fit\n"
    monkeypatch.setattr(minigrad.demo, "run", fails(KeyboardInterrupt()))
    assert cli.main(["demo"]) == 130
    assert capsys.readouterr().err == "minigrad: interrupted\n"
    monkeypatch.setattr(minigrad.demo, "run", fails(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])


# ---------------------------------------------------------------------------------------------------------------- check
def checked(capsys, *what):
    """The exit status, and the lines on standard output and standard error, of `minigrad check`."""
    status = cli.main(["check", *map(str, what)])
    printed = capsys.readouterr()
    return status, printed.out.splitlines(), printed.err


@pytest.fixture
def gates_file(tmp_path):
    """Writes a file of gates and returns its path."""

    def write(text, name="my_gates.py"):
        (tmp_path / name).write_text("import numpy as np\nimport minigrad as mg\n" + text)
        return tmp_path / name

    return write


def test_check_of_the_whole_catalogue(capsys):
    status, lines, err = checked(capsys)
    assert status == 0
    assert err == ""
    differentiable = [name for name, gate in minigrad.gates.REGISTRY.items() if gate.differentiable]
    assert [line.split()[0] for line in lines[1:-2]] == differentiable
    assert all(line.endswith("right") for line in lines[1:-2])
    assert lines[-2] == f"{len(differentiable)} gates: {len(differentiable)} right."
    plain = len(minigrad.gates.REGISTRY) - len(differentiable)
    assert lines[-1] == f"{plain} more have no derivative to check (comparisons and questions)."


def test_check_of_some_gates(capsys):
    status, lines, _ = checked(capsys, "exp", "tanh", "less", "exp")
    assert status == 0
    assert lines[0].split() == ["gate", "orders", "worst", "error", "kinks"]
    rows = [line.split() for line in lines[1:3]]
    assert [row[0] for row in rows] == ["exp", "tanh"]
    assert all(row[1:3] == ["1", "2"] and float(row[3]) < 1e-7 and row[4:] == ["0", "right"] for row in rows)
    assert lines[3:] == ["2 gates: 2 right.", "1 more has no derivative to check (comparisons and questions)."]


def test_check_of_a_file(capsys, gates_file):
    path = gates_file(
        """
from minigrad.gates import exp  # of the catalogue: not checked again

cube = mg.Gate("cube", lambda x: x**3, local=[lambda out, x: 3.0 * x * x])
my_log = mg.Gate("my_log", np.log, local=[lambda out, x: 1.0 / x])
my_log.domain = [(0.1, 3.0)]
fma = mg.Gate("fma", lambda a, b, c: a * b + c, local=[lambda out, a, b, c: b, lambda out, a, b, c: a, 1.0])
"""
    )
    status, lines, _ = checked(capsys, path)
    assert status == 0
    assert [line.split()[0] for line in lines[1:-1]] == ["cube", "my_log", "fma"]
    assert lines[-1] == "3 gates: 3 right."


def test_a_wrong_gate_in_a_file_is_explained(capsys, gates_file):
    path = gates_file(
        """
half = mg.Gate("half", lambda x: x / 2.0, local=[-0.5])
cube = mg.Gate("cube", lambda x: x**3, local=[lambda out, x: 3.0 * x * x])
"""
    )
    status, lines, _ = checked(capsys, path)
    assert status == 1
    assert lines[1].split() == ["half", "WRONG"]
    assert lines[2].startswith(
        "    half[()]: gradcheck, order 1: argument 0: the gradient says -0.5, differences say 0.5"
    )
    assert "Likely mistake: the sign" in lines[3]
    assert lines[4].endswith("right")
    assert lines[-1] == "2 gates: 1 right, 1 wrong."


def test_a_rule_that_raises_is_wrong(capsys, gates_file):
    path = gates_file('broken = mg.Gate("broken", np.exp, local=[lambda out, x: np.undefined(x)])')
    status, lines, _ = checked(capsys, path)
    assert status == 1
    assert lines[1].split() == ["broken", "WRONG"]
    assert "undefined" in lines[2]


def test_gates_that_need_example_calls(capsys, gates_file):
    text = """
from minigrad.gates.registry import call

rows = mg.Gate("rows", lambda *xs: np.concatenate(xs), vjp=lambda g, out, *xs: tuple([x * 0.0 + 1.0 for x in xs]))
pick = mg.Gate("pick", lambda x, index: x[index], vjp=[lambda g, out, x, index: mg.zeros])
"""
    status, lines, _ = checked(capsys, gates_file(text))
    assert status == 1
    assert lines[1].split() == ["rows", "UNCHECKED"]
    assert any("from minigrad.gates.registry import call" in line for line in lines)
    assert any("rows.domain = [call((2, 3), (3, 4))" in line for line in lines)
    assert any("pick[(3,3)] can't be called: " in line and "index" in line for line in lines)
    assert lines[-1] == "2 gates: 2 unchecked."
    good = """
from minigrad.gates.registry import call

scaled = mg.Gate("scaled", lambda x, by=None: x * by, local=[lambda out, x, by=None: by])
scaled.domain = [call((2, 3), by=3.0), call((), by=2.0)]
"""
    status, lines, _ = checked(capsys, gates_file(good))
    assert status == 0
    assert lines[-1] == "1 gate: 1 right."


def test_a_file_may_import_its_neighbour(capsys, gates_file):
    gates_file("def square(x):\n    return x * x\n", name="neighbour_of_gates.py")
    path = gates_file(
        "from neighbour_of_gates import square\nsq = mg.Gate('sq', square, local=[lambda out, x: 2.0 * x])\n"
    )
    before = list(sys.path)
    assert checked(capsys, path)[0] == 0
    assert sys.path == before


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("tahn", "there is no gate 'tahn'; did you mean tan or tanh or arctan? A file is named with its .py."),
        ("zzzzzz", "there is no gate 'zzzzzz'. A file is named with its .py."),
        ("nowhere.py", "there is no file nowhere.py."),
        ("eigvalsh", "eigvalsh is composed of gates and states no derivative; its gates are checked."),
    ],
)
def test_what_can_not_be_checked(capsys, what, text):
    status, lines, err = checked(capsys, what)
    assert status == 1
    assert lines == []
    assert err == f"minigrad: check: {text}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = z\n", "line 4 doesn't import: NameError: name 'z' is not defined"),
        ("def f(:\n", "doesn't import: SyntaxError"),
        ("raise SystemExit(3)\n", "line 3 doesn't import: SystemExit: 3"),
        ("import not_there\n", "line 3 doesn't import: ModuleNotFoundError: No module named 'not_there'"),
        ("x = mg.exp\n", "defines no gate at its top level, as in: my_gate = mg.Gate("),
    ],
)
def test_files_without_gates(capsys, gates_file, text, says):
    status, _, err = checked(capsys, gates_file(text))
    assert status == 1
    assert err.startswith("minigrad: check: my_gates.py")
    assert says in err


def test_a_file_of_another_kind(capsys, tmp_path):
    (tmp_path / "notes.txt").write_text("gates")
    status, _, err = checked(capsys, tmp_path / "notes.txt")
    assert status == 1
    assert "notes.txt is no Python file; its name ends with .py." in err


# ----------------------------------------------------------------------------------------------------------------- draw
CIRCUIT = ["draw", "q = x + y; q * z", "x=-2", "y=5", "z=-4"]


def test_draw_prints_a_table(capsys):
    assert cli.main(CIRCUIT) == 0
    assert [line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["x", "input", "-2", "-4"],
        ["y", "input", "5", "-4"],
        ["q", "+(x,", "y)", "3", "-4  x: local 1 → -4; y: local 1 → -4"],
        ["z", "input", "-4", "3"],
        ["v4", "*(q,", "z)", "-12", "1  q: local -4 → -4; z: local 3 → 3"],
    ]


@pytest.mark.parametrize(
    ("suffix", "start"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("html", b"<!doc"), ("dot", b"dig"), ("mmd", b"flow"), ("json", b"{"),
     ("txt", b"name")],
)  # fmt: skip
def test_draw_writes_a_file(suffix, start, tmp_path, capsys):
    path = tmp_path / f"c.{suffix}"
    path.write_bytes(b"old")
    assert cli.main([*CIRCUIT, "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    assert path.read_bytes().startswith(start)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing temporary is left


def test_draw_writes_all_or_nothing(tmp_path, monkeypatch, capsys):
    path = tmp_path / "c.svg"
    path.write_bytes(b"old")
    for refused in (["x * y", "x=1"], ["x * ", "x=1"], ["x", "x=[1,2]"]):
        assert cli.main(["draw", *refused, "-o", str(path)]) == 2
    monkeypatch.setenv("MINIGRAD_DOT", "no-such-program")
    assert cli.main(["draw", "x * 2", "x=1", "-o", str(path)]) == 1
    monkeypatch.undo()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert cli.main(["draw", "x * 2", "x=1", "-o", str(path)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert cli.main(["draw", "x * 2", "x=1", "-o", str(tmp_path / "nowhere" / "c.svg")]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_draw_explains_each_input(capsys):
    assert cli.main([*CIRCUIT, "u=7", "--explain"]) == 0
    parts = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert parts[0] == (
        "∂loss/∂x = −4\n1 path leads from x to loss:\n  −4  (100 %)   x →[+: 1]→ q →[*: −4]→ loss\n"
        "Nothing is closed, saturated or cancelling."
    )
    assert [part.split(" = ")[0] for part in parts[:3]] == ["∂loss/∂x", "∂loss/∂y", "∂loss/∂z"]
    assert parts[3].startswith("∂loss/∂u: there is none.\nunused: no path leads from u to loss.")


def test_draw_explains_and_writes(tmp_path, capsys):
    path = tmp_path / "relu.svg"
    assert cli.main(["draw", "relu(x - 3) * 2", "x=1", "--explain", "--theme", "dark", "-o", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"wrote {path}"
    assert lines[-1].startswith("! dead ReLU: v2 = relu(v1) = 0: relu is flat at −2")
    assert path.exists()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_values_may_stand_behind_the_options(at, tmp_path, capsys):
    words = ["-x * y", "x=2", "y=-3"]
    words[at:at] = ["-o", str(tmp_path / "c.mmd"), "--direction=TB"]
    assert cli.main(["draw", *words]) == 0
    assert (tmp_path / "c.mmd").exists()


@pytest.mark.parametrize(
    ("expression", "values", "gradients"),
    [
        ("sigmoid(w @ x).sum() * 2", {"x": [1, 2], "w": [[1, 2], [3, 4]]}, None),
        ("-x ** 2 / 3 + maximum(x, 1)", {"x": 2}, {"x": -4 / 3 + 1}),
        ("-x*y", {"x": 2, "y": 5}, {"x": -5, "y": -2}),
        ("--3 * x", {"x": 2}, {"x": 3}),
        ("x.reshape((2, 1)).sum(axis=-2).mean()", {"x": [1, 2]}, {"x": [1, 1]}),
        ("x[1] * x[0] + x[-1:].sum()", {"x": [3, 4, 5]}, {"x": [4, 3, 1]}),
        ("(w.T @ w)[0, 1]", {"w": [[1, 2], [3, 4]]}, {"w": [[2, 1], [4, 3]]}),
        ("where(x > 0, x, 0.1 * x)", {"x": -2}, {"x": 0.1}),
        ("einsum('i,i->', x, x)", {"x": [1, 2]}, {"x": [2, 4]}),
        ("svd(x)[1].sum()", {"x": [[2, 0], [0, 1]]}, {"x": [[1, 0], [0, 1]]}),
        ("power(10, 20) * x", {"x": 1}, {"x": 1e20}),
        ("9**9**9 * x", {"x": 1}, {"x": float("inf")}),  # at once
        ("9**9**9**9 * 0 * x", {"x": 1}, None),
        ("θ*2", {"θ": 1}, {"θ": 2}),
        ("ﬁ * 2", {"ﬁ": 1}, {"fi": 2}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_draw_computes_with_gates(expression, values, gradients, tmp_path):
    path = tmp_path / "c.json"
    words = [f"{name}={value}".replace(" ", "") for name, value in values.items()]
    assert cli.main(["draw", expression, *words, "-o", str(path)]) == 0
    nodes = json.loads(path.read_text())["nodes"]
    leaves = {node["label"]: node["grad"] for node in nodes if node["label"] and node["gate"] is None}
    assert len(leaves) == len(values)
    for name, gradient in (gradients or {}).items():
        found = leaves[name]["numbers"] if isinstance(leaves[name], dict) else float(leaves[name])
        np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-12)


HOSTILE = [
    (["__import__('os').system('echo x')"], "there is no gate 'system'"),
    (["x.__class__", "x=1"], "an expression has numbers"),
    (["x.__class__.__mro__[1].__subclasses__()", "x=1"], "there is no gate '__subclasses__'"),
    (["x.__class__()", "x=1"], "there is no gate '__class__'"),
    (["x.backward()", "x=1"], "there is no gate 'backward'"),
    (["x.data", "x=1"], "an expression has numbers"),
    (["(tanh)(x).__init__", "x=1"], "an expression has numbers"),
    (["tanh.forward(x)", "x=1"], "there is no gate 'forward'"),
    (["open('/etc/passwd')"], "there is no gate 'open'"),
    (["eval('x')", "x=1"], "there is no gate 'eval'"),
    (["[y for y in x]", "x=[1,2]"], "an expression has numbers"),
    (["lambda: x", "x=1"], "an expression has numbers"),
    (["(lambda: x)()", "x=1"], "an expression has numbers"),
    (["x if x else x", "x=1"], "an expression has numbers"),
    (["f'{x}'", "x=1"], "an expression has numbers"),
    (["(x := 2)", "x=1"], "an expression has numbers"),
    (["{x: x}", "x=1"], "an expression has numbers"),
    (["x < 1 < 2", "x=1"], "an expression has numbers"),
    (["x and x", "x=1"], "an expression has numbers"),
    (["yield x", "x=1"], "an expression has numbers"),
    (["import os; x", "x=1"], "come only `name = expression;`"),
    (["x; x", "x=1"], "come only `name = expression;`"),
    (["del x", "x=1"], "'del x' is not an expression"),
    (["while x: x", "x=1"], "is not an expression"),
    (["x +", "x=1"], "is not an expression"),
    (["x y", "x=1"], "at character 3"),
    (["x\0", "x=1"], "is not an expression"),
    (["0" + "-" * 5000 + "x", "x=1"], "nested too deep"),
    (["-" * 5000 + "x", "x=1"], "nested too deep"),
    (["(" * 4000 + "x" + ")" * 4000, "x=1"], "nested"),
    (["x" + "+x" * 4000, "x=1"], "nested too deep"),
    (["x" * 10_001, "x=1"], "more than 10,000"),
    (["", "x=1"], "no expression to draw"),
    (["x * y", "x=1"], "y has no value: add y=1.5"),
    (["xx", "x=1"], "xx has no value: did you mean x?"),
    (["x", "x"], "is not name=number"),
    (["x", "1x=1"], "is not name=number"),
    (["x", "=1"], "is not name=number"),
    (["x", "x.y=1"], "is not name=number"),
    (["x", "lambda=1"], "'lambda' is a word of Python's"),
    (["x", "x="], "x is a number"),
    (["x", "x==1"], "x is a number"),
    (["x", "x=one"], "x is a number"),
    (["x", "x=True"], "x is a number"),
    (["x", "x=1j"], "x is a number"),
    (["x", "x='1'"], "x is a number"),
    (["x", "x={1: 2}"], "x is a number"),
    (["x", "x=[[1,2],[3]]"], "x is a number"),
    (["x", "x=1" + "0" * 400], "x is a number"),
    (["x", "x=" + "[" * 3000], "x is a number"),
    (["x", "x=__import__('os')"], "x is a number"),
    (["x", "x=1", "x=2"], "given two values"),
    (["x = 2; x", "x=1"], "x has a value already"),
    (["2 + 3"], "has no gradient"),
    (["9**9**9"], "gives inf"),
    (["'abc'"], "has no gradient"),
    (["x > 1", "x=1"], "gives False, which has no gradient"),
    (["svd(x)", "x=[[1,2],[3,4]]"], "has 3 results: take one of them, as (svd(x))[0]"),
    (["x * 2", "x=[1,2]"], "reduce it to one number"),
    (["x", "x=[]"], "reduce it to one number"),
    (["tahn(x)", "x=1"], "there is no gate 'tahn': did you mean tan or tanh or arctan?"),
    (["tanh()", "x=1"], "tanh: no inputs"),
    (["tanh(x, y=2)", "x=1"], "tanh"),
    (["sum(x, foo=1)", "x=[1,2]"], "foo"),
    (["sum(x, axis=5)", "x=[1,2]"], "axis 5 is out of bounds"),
    (["sum(x, axis='a')", "x=[1,2]"], "sum: x (2,)"),
    (["sum(x, **x)", "x=[1,2]"], "** is not for expressions"),
    (["x[5]", "x=[1,2]"], "index 5 is out of bounds"),
    (["x['a']", "x=[1,2]"], "getitem"),
    (["x + 'a'", "x=1"], "'a' is a str"),
    (["x", "x=1", "-o", "nothing.exe"], "doesn't say what to write"),
    (["x", "x=1", "-o", ""], "doesn't say what to write"),
    (["w @ x", "x=[1,2]", "w=[[1,2,3]]"], "inner sizes differ"),
]


@pytest.mark.parametrize(("arguments", "said"), HOSTILE, ids=lambda x: ascii(x)[:40])
def test_draw_refuses_what_is_no_expression(arguments, said, capsys):
    assert cli.main(["draw", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("minigrad: ")
    assert printed.err.count("\n") == 1
    assert said in printed.err


@pytest.mark.parametrize("arguments", [[], ["x", "x=1", "-o"], ["x", "x=1", "--theme", "pink"], ["x", "--explian"]])
def test_draw_with_wrong_options_shows_its_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["draw", *arguments])
    assert caught.value.code == 2
    assert "usage: minigrad" in capsys.readouterr().err


WATCHED = """
import json, sys
seen = []
def watch(event, args):
    code = str(getattr(args[0], "co_filename", "")) if event == "exec" else ""
    written = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if event.startswith(("os.system", "os.exec", "os.spawn", "os.startfile", "subprocess", "socket", "webbrowser")):
        seen.append(event)
    if written or (event == "exec" and code.startswith("<") and not code.startswith("<frozen")):
        seen.append(f"{event} {args[0]}")
from minigrad import cli, viz
import minigrad.viz.drawing, minigrad.viz.expression
cli.main(["draw", "x * 2", "x=1", "--explain"])  # now everything is imported
sys.addaudithook(watch)
for arguments in json.load(sys.stdin):
    cli.main(["draw", *arguments])
print(seen)
"""


def test_nothing_is_run_opened_or_written(tmp_path):
    """Python's own audit events: no program is started, no page or connection opened, no code executed."""
    lists = [*[arguments for arguments, _ in HOSTILE], CIRCUIT[1:], [*CIRCUIT[1:], "--explain"]]
    lists.append([*CIRCUIT[1:], "-o", str(tmp_path / "c.json")])
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        input=json.dumps(lists),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seen = ast.literal_eval(done.stdout.splitlines()[-1])
    assert [event for event in seen if "c.json" not in event] == []
    assert any("c.json" in event for event in seen)  # the watch is awake
    assert (tmp_path / "c.json").exists()
