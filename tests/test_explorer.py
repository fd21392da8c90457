"""The explorer page without a browser: what it holds, what it refuses, and that its text is safe."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files

import numpy as np
import pytest

import minigrad as mg
from minigrad import Value, viz
from minigrad.demo.circuits import sum_times
from minigrad.errors import DtypeError, GradientError, MinigradError
from minigrad.gates import REGISTRY
from minigrad.viz.explorer import emit
from minigrad.viz.explorer.page import Labels
from minigrad.viz.explorer.record import Rules


def test_the_files_of_the_page_are_in_the_package():
    folder = files("minigrad.viz.explorer")
    assert all([(folder / name).is_file() for name in (*emit.SCRIPTS, "page.html", "page.css")])


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: viz.explore(3.0), DtypeError, "expected a Value, got float"),
        (lambda: viz.explore(Value(3.0, requires_grad=False)), GradientError, "nothing that requires a gradient"),
        (
            lambda: viz.explore(Value([1.0, 2.0]) * 2.0),
            GradientError,
            r"2 numbers: explore v.sum\(\), or pass gradient=",
        ),
        (lambda: viz.explore(Value(3.0), title=3), DtypeError, "title=3 is a int"),
        (lambda: viz.explore(Value(3.0), max_nodes=0), ValueError, "max_nodes"),
        (lambda: viz.explore(Value(3.0), model=3), DtypeError, "model=3 is a int"),
        (lambda: viz.explore(sum_times()[0]).save("page.pdf"), MinigradError, "its name ends in .html"),
    ],
)
def test_what_cannot_be_explored_is_refused_with_the_reason(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_an_array_is_explored_with_its_upstream_gradient(tmp_path):
    x = Value([1.0, 2.0], label="x")
    circuit = viz.explore(x * x, gradient=[1.0, 0.0])
    circuit.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == circuit.html
    assert data_of(circuit)["seed"]["shape"] == [2]
    assert x.grad is None  # exploring leaves the values alone


def test_it_does_not_depend_on_a_backward_pass_and_is_the_same_each_time():
    root = sum_times()[0]
    before = viz.explore(root).html
    root.backward()
    assert viz.explore(root).html == before == viz.explore(sum_times()[0]).html


def test_a_leaf_alone_is_a_circuit_too():
    assert len(data_of(viz.explore(Value(3.0, label="x")))["nodes"]) == 1


def data_of(circuit):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', circuit.html)[1])


def test_no_derivative_is_written_in_javascript():
    """What the page multiplies upstream gradients with is what the rows say, gate by gate."""
    x, y = Value(2.0), Value(3.0)
    rules = Rules(emit.Constants())
    for v in (x / y, mg.tanh(x), mg.maximum(x, y), mg.relu(x)):
        rules.of(v)
    divide, tanh, maximum, relu = rules.texts
    assert divide.endswith("local: [(o, x) => F.divide(1.0, x[1]), (o, x) => F.divide(F.negative(o), x[1])]}")
    assert tanh.endswith("local: [(o, x) => { const t0 = F.sech(x[0]); return F.multiply(t0, t0); }]}")
    assert relu.endswith("local: [(o, x) => F.not_equal(o, 0.0)]}")
    assert "elementwise: true" in maximum
    assert "F.greater(x[0], x[1])" in maximum


def test_another_derivative_in_a_row_is_another_in_the_page(monkeypatch):
    row = REGISTRY["sin"]
    monkeypatch.setattr(row, "local", (lambda out, x: 3.0 * mg.cos(x),))
    assert "F.multiply(3.0, F.cos(x[0]))" in viz.explore(mg.sin(Value(1.0))).html


def test_gates_of_one_kind_and_shape_share_a_rule():
    x = Value(2.0)
    assert viz.explore(x * x * x * 5.0 * x).html.count("forward: (x) => F.multiply") == 1


def test_names_are_unique_and_parameters_have_their_path(rng):
    a, b = Value(1.0, label="a"), Value(2.0, label="a")
    assert [node["name"] for node in data_of(viz.explore(a * b + a))["nodes"]] == ["a", "a′", "v1", "v2"]
    model = mg.nn.Linear(2, 1, rng=rng)
    nodes = data_of(viz.explore(model(np.ones((1, 2))).sum(), model=model))["nodes"]
    assert {"weight", "bias"} <= {node["name"] for node in nodes}


def test_a_function_that_decides_or_takes_numbers_out_is_told_so():
    x = Value(2.0, label="x")
    assert viz.explore(lambda: x * 3.0 if x > 0 else -x).note.startswith("An `if` decided by numbers")
    with pytest.raises(MinigradError, match=r"explore: .* while viz\.explore recorded"):
        viz.explore(lambda: x * float(x))
    with pytest.raises(DtypeError, match="got tuple"):
        viz.explore(lambda: (x, x))


def test_replaced_data_are_said_to_be_new():
    x = Value(2.0, label="x")
    f = x * x
    assert viz.explore(f).note == ""
    x.data = 3.0
    assert "replaced after this graph was computed" in viz.explore(f).note


def test_the_script_writes_text_only():
    scripts = "\n".join(map(emit.script, emit.SCRIPTS))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(", scripts)
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|import\(|https?://(?!www\.w3\.org/2000/svg)", scripts)


def test_the_page_s_policy_names_its_own_script_alone():
    text = viz.explore(sum_times()[0]).html
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert len(re.findall(r"<script", text)) == 2  # the data, and the program
    program = text.rpartition("<script>")[2].partition("</script>")[0]
    assert base64.b64encode(hashlib.sha256(program.encode()).digest()).decode() in policy


def test_a_label_cannot_end_the_data():
    f = Value(2.0, label="</script><script>alert(1)</script>\u2028") * 3.0
    f.label = "<!--"
    text = viz.explore(f, title="</title><script>").html
    assert len(re.findall(r"</script", text)) == 2
    assert "<!--" not in text
    assert "\u2028" not in text
    assert "&lt;/title&gt;&lt;script&gt;" in text


# -------------------------------------------------------------------------------------------------------- a training
def training(X, epochs, most=150):
    model, kept = mg.nn.Linear(X.shape[1], 1, rng=0), viz.Snapshots(most)
    sgd = mg.optim.SGD(model.parameters(), lr=0.01)
    y = np.where(X[:, 0] > 0, 1.0, -1.0)
    data = mg.data.DataLoader(X, y, batch_size=len(X))
    mg.train.fit(model, data, loss=mg.nn.HingeLoss(), optimizer=sgd, epochs=epochs, callbacks=[kept], progress=False)
    return model, kept


def test_snapshots_of_a_long_training_are_thinned_and_end_with_the_last(rng):
    model, kept = training(rng.normal(size=(8, 2)), epochs=45, most=10)
    assert kept.updates == [0, 8, 16, 24, 32, 40, 45]
    np.testing.assert_array_equal(kept.parameters[-1][0], model.weight.data)


def test_exploring_a_training_leaves_the_model_as_it_is(rng):
    model, kept = training(rng.normal(size=(8, 2)), epochs=3)
    before = {name: array.copy() for name, array in model.state_dict().items()}
    held = [p.data for p in model.parameters()]
    data = data_of(viz.explore_training(kept, example=2))
    assert data["training"]["updates"] == [0, 1, 2, 3]
    assert all([p.data is array for p, array in zip(model.parameters(), held, strict=True)])
    assert all([np.array_equal(before[name], array) for name, array in model.state_dict().items()])
    assert model.training
    assert all([p.grad is not None for p in model.parameters()])  # that of the last step


def test_a_training_that_cannot_be_shown_is_refused_with_the_reason(rng):
    with pytest.raises(MinigradError, match="nothing was kept"):
        viz.explore_training(viz.Snapshots())
    with pytest.raises(DtypeError, match="got History"):
        viz.explore_training(mg.train.History())
    with pytest.raises(MinigradError, match="not points of a plane"):
        viz.explore_training(training(rng.normal(size=(8, 3)), epochs=1)[1])
    with pytest.raises(MinigradError, match="rows 0 to 7"):
        viz.explore_training(training(rng.normal(size=(8, 2)), epochs=1)[1], example=8)


def test_a_name_from_right_to_left_stands_apart() -> None:
    labels = Labels()
    assert [labels("مرحبا"), labels("x"), labels("مرحبا")] == ["\u2068مرحبا\u2069", "x", "\u2068مرحبا′\u2069"]
