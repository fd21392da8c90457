"""Whole models as ONNX files: the same numbers at every batch size, names that a user knows, and what is refused."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import errors, export, nn
from minigrad.nn import functional as F

onnx = pytest.importorskip("onnx")
from onnx.reference import ReferenceEvaluator  # noqa: E402  behind the check that it is there


def theirs(path, *inputs):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return ReferenceEvaluator(model).run(None, dict(zip([i.name for i in model.graph.input], inputs, strict=True)))[0]


def operators(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def constants(path):
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def cnn(dtype=np.float64):
    layers = [
        nn.Conv2d(1, 4, 3, padding=1, dtype=dtype, rng=0), nn.BatchNorm2d(4, dtype=dtype), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, groups=2, dtype=dtype, rng=1), nn.GELU("tanh"),
        nn.AvgPool2d(2, stride=1, padding=1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(24, 3, dtype=dtype, rng=2),
        nn.LogSoftmax(),
    ]  # fmt: skip
    return nn.Sequential(*layers)


class Attention(nn.Module):
    """A small one, of gates: linear maps, matmul, softmax, transposed axes."""

    def __init__(self):
        self.query, self.key, self.value = [nn.Linear(4, 4, rng=i) for i in range(3)]
        self.norm = nn.LayerNorm(4)

    def forward(self, x):
        scores = self.query(x) @ self.key(x).swapaxes(-1, -2) / 2.0
        return self.norm(x + mg.softmax(scores, axis=-1) @ self.value(x))


MODELS = {
    "mlp": (lambda dtype: nn.MLP([5, 8, 3], nn.Tanh, dtype=dtype, rng=0), (5,)),
    "svm": (lambda dtype: nn.LinearSVM(5, 3, dtype=dtype, rng=0), (5,)),
    "softmax": (lambda dtype: nn.Sequential(nn.Linear(5, 3, dtype=dtype, rng=0), nn.Softmax()), (5,)),
    "cnn": (cnn, (1, 8, 8)),
    "layer norm": (lambda dtype: nn.Sequential(nn.LayerNorm((3, 4), dtype=dtype), nn.Softplus()), (3, 4)),
    "conv1d": (lambda dtype: nn.Sequential(nn.Conv1d(2, 3, 3, padding="same", dtype=dtype, rng=0), nn.SiLU()), (2, 7)),
    "batch norm": (lambda dtype: nn.Sequential(nn.BatchNorm1d(5, dtype=dtype), nn.LeakyReLU(0.1)), (5,)),
    "attention": (lambda dtype: Attention().to(dtype), (3, 4)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_the_same_for_any_batch(tmp_path, rng, name, dtype):
    make, shape = MODELS[name]
    model = make(dtype)
    model(rng.normal(size=(6, *shape)).astype(dtype))  # running statistics that are not 0 and 1
    made = export.onnx(model, rng.normal(size=(2, *shape)).astype(dtype), tmp_path / "a.onnx")
    assert made.fixed == ""
    assert made.inputs == {"x": (np.dtype(dtype).name, ("batch", *shape))}
    assert model.training
    model.eval()
    for n in (1, 2, 7):
        x = rng.normal(size=(n, *shape)).astype(dtype)
        ours, other = model(x).data, theirs(tmp_path / "a.onnx", x)
        assert other.dtype == dtype
        assert other.shape == ours.shape
        np.testing.assert_allclose(other, ours, rtol=0, atol=1e-12 if dtype == np.float64 else 2e-6)


def test_parameters_have_their_names_of_state_dict(tmp_path, rng):
    model = cnn()
    model[0].freeze()
    export.onnx(model, rng.normal(size=(2, 1, 8, 8)), tmp_path / "a.onnx")
    found, state = constants(tmp_path / "a.onnx"), model.state_dict()
    assert set(state) - set(found) == {"1.running_var", "1.num_batches_tracked"}  # the file has sqrt(var + eps)
    for name in set(state) & set(found):
        assert np.array_equal(found[name].reshape(-1), state[name].reshape(-1)), name
    used = operators(tmp_path / "a.onnx")
    assert used.count("Conv") == 2
    assert {"MaxPool", "AveragePool", "Gemm", "LogSoftmax", "Relu"} <= set(used)
    assert "Gather" not in used


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_constant_is_used(tmp_path, rng, dtype):
    export.onnx(cnn(dtype), rng.normal(size=(2, 1, 8, 8)).astype(dtype), tmp_path / "a.onnx")
    used = {name for node in onnx.load(tmp_path / "a.onnx").graph.node for name in node.input}
    assert set(constants(tmp_path / "a.onnx")) <= used
    assert {x.dtype for x in constants(tmp_path / "a.onnx").values()} == {np.dtype(dtype), np.dtype(np.int64)}


def test_the_same_array_by_another_name_is_the_input(tmp_path, rng):
    def f(x):
        return mg.Value(x.data) * 2.0 + x.detach() + mg.sin(np.asarray(x.data)) + mg.exp(x.data[:])

    made = export.onnx(f, rng.normal(size=(2, 3)), tmp_path / "a.onnx")
    assert made.fixed == ""
    x = rng.normal(size=(5, 3))
    np.testing.assert_allclose(theirs(tmp_path / "a.onnx", x), 3.0 * x + np.sin(x) + np.exp(x), atol=1e-14)


def test_results_that_are_inputs_constants_or_the_same(tmp_path, rng):
    def f(x):
        y = x.exp()
        return {"x": x, "first": y, "second": y, "last": mg.Value([1.0, 2.0]), "twice": y * 2.0}

    x = rng.normal(size=(2, 3))
    made = export.onnx(f, x, tmp_path / "a.onnx")
    assert list(made.outputs) == ["x_out", "first", "second", "last", "twice"]
    assert made.outputs["last"] == ("float64", (2,))
    assert operators(tmp_path / "a.onnx") == ["Exp", "Mul", "Identity", "Identity", "Identity"]
    results = ReferenceEvaluator(onnx.load(tmp_path / "a.onnx")).run(None, {"x": x})
    for ours, other in zip([x, np.exp(x), np.exp(x), [1.0, 2.0], 2.0 * np.exp(x)], results, strict=True):
        np.testing.assert_allclose(other, ours, atol=1e-14)


def test_an_example_of_one_row_is_enough(tmp_path, rng):
    made = export.onnx(cnn(), rng.normal(size=(1, 1, 8, 8)), tmp_path / "a.onnx")
    assert made.outputs == {"output": ("float64", ("batch", 3))}
    x = rng.normal(size=(5, 1, 8, 8))
    np.testing.assert_allclose(theirs(tmp_path / "a.onnx", x), cnn().eval()(x).data, atol=1e-12)


@pytest.mark.parametrize("padding_idx", [None, 0])
def test_whole_numbers_are_inputs_too(tmp_path, rng, padding_idx):
    model = nn.Sequential(nn.Embedding(10, 4, padding_idx=padding_idx, rng=0), nn.LayerNorm(4))
    made = export.onnx(model, rng.integers(0, 10, size=(2, 3)), tmp_path / "a.onnx")
    assert made.inputs == {"x": ("int64", ("batch", 3))}
    assert model[0].padding_idx == padding_idx
    ids = np.array([[0, 9, 3], [1, 0, 0], [4, 4, 4]])
    np.testing.assert_allclose(theirs(tmp_path / "a.onnx", ids), model(ids).data, atol=1e-12)


def test_a_cell_takes_its_state_as_an_input(tmp_path, rng):
    cell = nn.RNNCell(3, 4, rng=0)
    made = export.onnx(cell, (rng.normal(size=(2, 3)), rng.normal(size=(2, 4))), tmp_path / "a.onnx")
    assert list(made.inputs) == ["x", "hx"]
    x, h = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    np.testing.assert_allclose(theirs(tmp_path / "a.onnx", x, h), cell(x, h).data, atol=1e-12)


def test_a_function_with_masks_sorting_and_several_results(tmp_path, rng):
    w = mg.Value(rng.normal(size=(4, 4)), label="w")

    def f(x, y):
        z = mg.where(x > y, x @ w, -y)
        return {"z": z, "sorted": mg.sort(z, axis=1), "best": mg.argmax(z, axis=1), "mask": z > 0.0, "first": z[:, 0]}

    made = export.onnx(f, (rng.normal(size=(3, 4)), rng.normal(size=(3, 4))), tmp_path / "a.onnx")
    assert made.fixed == ""
    assert list(made.outputs) == ["z", "sorted", "best", "mask", "first"]
    assert np.array_equal(constants(tmp_path / "a.onnx")["w"], w.data)
    x, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    model = ReferenceEvaluator(onnx.load(tmp_path / "a.onnx"))
    for (name, ours), other in zip(f(x, y).items(), model.run(None, {"x": x, "y": y}), strict=True):
        np.testing.assert_allclose(other, ours.data if isinstance(ours, mg.Value) else ours, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
        lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True),
        lambda x: F.avg_pool2d(x, (2, 3), stride=2, count_include_pad=False, padding=1),
        lambda x: F.avg_pool2d(x, 2, divisor_override=3),
        lambda x: F.max_pool2d(x, 2, dilation=2),
        lambda x: F.conv2d(x, np.ones((4, 2, 3, 2)) / 7.0, stride=(2, 1), dilation=(1, 2), padding=(1, 0)),
        lambda x: F.conv_transpose2d(x, np.ones((2, 2, 3, 2)), stride=2, padding=1, output_padding=1) / 9.0,
        lambda x: F.unfold(x, 3, padding=1),
        lambda x: mg.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0))) + 2.0,
        lambda x: mg.flip(x, -1)[..., ::2] * mg.roll(x, 1, axis=2)[..., None, :, ::2][:, :, :, 0],
        lambda x: mg.take_along_axis(x, mg.argsort(x, axis=-1), axis=-1) + mg.take(x, [1, 0, 0, 3, 4, 2, 1], axis=3),
        lambda x: mg.median(x, axis=-1) + mg.std(x, axis=-1) + x.max(axis=-1) + mg.tril(x)[..., 0],
    ],
)  # fmt: skip
def test_functions_of_images_for_any_batch(tmp_path, rng, f):
    made = export.onnx(f, rng.normal(size=(2, 2, 6, 7)), tmp_path / "a.onnx")
    assert made.fixed == ""
    x = rng.normal(size=(3, 2, 6, 7))
    np.testing.assert_allclose(theirs(tmp_path / "a.onnx", x), f(mg.Value(x)).data, atol=1e-12)


# ------------------------------------------------------------------------------------------- a batch size that is fixed
def test_a_function_that_counts_its_rows_keeps_its_batch_size_and_says_so(tmp_path, rng):
    made = export.onnx(lambda x: mg.var(x, axis=0, ddof=1), rng.normal(size=(4, 3)), tmp_path / "a.onnx")
    assert made.fixed == "a number in the gate var"
    assert made.inputs["x"] == ("float64", (4, 3))
    assert "batch size fixed" in str(made)
    made = export.onnx(nn.Linear(3, 2, rng=0), rng.normal(size=(4, 3)), tmp_path / "b.onnx", dynamic_batch=False)
    assert made.outputs == {"output": ("float64", (4, 2))}


@pytest.mark.parametrize(
    "f", [lambda x: x[:4], lambda x: x * np.arange(4.0)[:, None], lambda x: x.reshape(2, -1), lambda x: x[3]]
)
def test_a_size_that_is_written_into_the_function(tmp_path, rng, f):
    """At fewer rows these fail or mean something else; at the example's they are right."""
    x = rng.normal(size=(4, 3))
    made = export.onnx(f, x, tmp_path / "a.onnx")
    np.testing.assert_array_equal(theirs(tmp_path / "a.onnx", x), f(mg.Value(x)).data)
    if not made.fixed:
        assert made.inputs["x"] == ("float64", ("batch", 3))


# -------------------------------------------------------------------------------------------------------------- refused
def refuse(tmp_path, f, inputs, text, kind=export.ExportError):
    (tmp_path / "a.onnx").write_bytes(b"as it was")
    with pytest.raises(kind, match=text):
        export.onnx(f, inputs, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == b"as it was"
    assert os.listdir(tmp_path) == ["a.onnx"]


def test_gates_without_a_counterpart_are_named_all_at_once(tmp_path, rng):
    def f(x):
        y = mg.lgamma(x)
        y.label = "logs"
        return mg.inv(y) + mg.cumprod(x, axis=0)

    text = r"the gate lgamma.*, the gate inv.*, the gate cumprod.*The gates without one are cholesky, .* svd, and"
    refuse(tmp_path, f, rng.uniform(0.5, 2.0, (3, 3)), text)


def test_a_gate_of_your_own_is_named(tmp_path):
    halve = mg.Gate("halve", lambda x: x / 2.0, local=[0.5])
    refuse(tmp_path, lambda x: halve(x), np.ones((2, 2)), r"the gate halve: ONNX has no counterpart")


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (lambda x: x * np.sin(x.data), "depends on the numbers of the input"),
        (lambda x: x * float(x.sum()), "depends on the numbers of the input"),
        (lambda x: mg.where((x > 0) & (x < 1), x, 0.0), "depends on the numbers of the input"),
        (lambda x: x.exp() if x.data[0, 0] > 0.5 else x.sin(), "depends on the numbers of the input"),
        (lambda x: x[x > 0.0], "an index that depends on the input"),
        (lambda x: mg.argmax(x), "argmax gave a single Python bool or int"),
        (lambda x: x if x.sum() > 1.0 else -x, "greater gave a single Python bool or int"),
    ],
)
def test_what_would_stay_as_it_is_for_the_example_is_refused(tmp_path, f, text):
    refuse(tmp_path, f, np.array([[0.51, 1.5], [-1.0, 0.2]]), text)


@pytest.mark.parametrize(
    ("f", "what"),
    [(lambda x: None, "None"), (lambda x: [], "nothing"), (lambda x: (x, np.array(["done", "so"])), "done")],
)
def test_what_is_no_array_is_no_output(tmp_path, f, what):
    refuse(tmp_path, f, np.ones((2, 3)), f"the function returns .*{what}")


def test_odd_names(tmp_path):
    made = export.onnx(lambda x: {"": x * 2.0, "a b/ü": x}, np.ones((2, 3)), tmp_path / "a.onnx")
    assert [*made.outputs] == ["output_0", "output_1"]
    with pytest.raises(errors.DtypeError, match="metadata="):
        export.onnx(lambda x: x * 2.0, np.ones((2, 3)), tmp_path / "b.onnx", metadata={"classes": 3})


def test_examples_that_show_nothing(tmp_path):
    refuse(tmp_path, nn.Embedding(3, 2), np.zeros((2, 3), int), "has one number only")
    refuse(tmp_path, nn.Linear(3, 2), np.ones((2, 3), np.float16), "float16", errors.DtypeError)
    refuse(tmp_path, nn.Linear(3, 2), np.ones((2, 4)), "the layer takes rows of 3 numbers", errors.ShapeError)


def test_a_wrong_row_is_found_before_anything_is_written(tmp_path, monkeypatch):
    from minigrad.export.rows import ROWS

    monkeypatch.setitem(ROWS, "tanh", lambda op, x: op.Sinh(x))
    refuse(tmp_path, nn.Tanh(), np.ones((2, 2)), "gets other numbers for output")


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    refuse(tmp_path, nn.Tanh(), np.ones((2, 2)), r"minigrad-engine\[onnx\]", errors.MissingExtraError)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export.onnx(nn.Tanh(), np.ones((2, 2)), tmp_path / "no" / "a.onnx")


def test_nothing_is_left_behind(tmp_path, rng):
    """No profiler, no switched module, no gradient, no recording."""
    model = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Dropout(), nn.BatchNorm1d(2))
    model[2].eval()
    state = model.state_dict()
    export.onnx(model, rng.normal(size=(4, 3)), tmp_path / "a.onnx")
    assert sys.getprofile() is None
    assert (model.training, model[1].training, model[2].training) == (True, True, False)
    assert all(np.array_equal(state[name], x) for name, x in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
