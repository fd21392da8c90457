"""From a checkpoint to an ONNX file: the model that a description stands for, and the command line."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import errors, export, nn, runs
from minigrad.cli import main

ARCHITECTURES = {
    "mlp": {"model": "mlp", "sizes": [4, 8, 3], "activation": "tanh"},
    "svm": {"model": "svm", "sizes": [4, 3]},
    "softmax": {"model": "softmax", "sizes": [4, 3]},
    "cnn": {"model": "cnn", "image": [1, 8, 8], "channels": [2, 4], "kernel": 3, "outputs": 3},
}


def checkpoint_of(name, rng, dtype=np.float64):
    model = runs.build(ARCHITECTURES[name], rng=rng, dtype=dtype)
    shape = runs.input_shape(ARCHITECTURES[name])
    inputs = {"mean": rng.normal(size=shape), "std": rng.uniform(0.5, 2.0, shape)}
    state = model.state_dict()
    return {"architecture": ARCHITECTURES[name], "model": state, "inputs": inputs, "classes": ["a", "b", "ü"]}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_file_holds_the_trained_model_and_what_was_done_to_the_data(tmp_path, rng, capsys, name):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    checkpoint = checkpoint_of(name, rng)
    mg.save(tmp_path / "model.npz", checkpoint)
    assert main(["export", str(tmp_path / "model.npz"), "--onnx", str(tmp_path / "model.onnx")]) == 0
    assert "x float64 (batch, " in capsys.readouterr().out
    x = rng.normal(size=(5, *runs.input_shape(ARCHITECTURES[name])))
    plain = runs.build(ARCHITECTURES[name])
    plain.load_state_dict(checkpoint["model"])
    ours = plain((x - checkpoint["inputs"]["mean"]) / checkpoint["inputs"]["std"]).data
    file = onnx.load(tmp_path / "model.onnx")
    np.testing.assert_allclose(ReferenceEvaluator(file).run(None, {"x": x})[0], ours, atol=1e-12)
    assert {p.key: p.value for p in file.metadata_props} == {"classes": '["a", "b", "\\u00fc"]'}
    assert {f"model.{key}" for key in checkpoint["model"]} <= {tensor.name for tensor in file.graph.initializer}


def test_float32_on_request_and_from_a_float32_checkpoint(tmp_path, rng):
    pytest.importorskip("onnx")
    for dtype in (np.float64, np.float32):
        mg.save(tmp_path / "model.npz", checkpoint_of("mlp", rng, dtype))
        made = export.export_checkpoint(tmp_path / "model.npz", tmp_path / "model.onnx", np.float32)
        assert made.outputs == {"output": ("float32", ("batch", 3))}
    assert export.export_checkpoint(tmp_path / "model.npz", tmp_path / "a.onnx").inputs["x"][0] == "float32"


def test_the_command_as_a_process(tmp_path, rng):
    pytest.importorskip("onnx")
    mg.save(tmp_path / "model.npz", checkpoint_of("svm", rng))
    command = [sys.executable, "-m", "minigrad", "export", str(tmp_path / "model.npz"), "--onnx"]
    done = subprocess.run([*command, str(tmp_path / "m.onnx")], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run([*command, "no/m.onnx"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("minigrad: [Errno 2] there is no folder")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"architecture": {"model": "forest"}}, r"models are mlp, svm, softmax, linear and cnn"),
        ({"architecture": {"model": "mlp", "sizes": [4, 8, 3], "activation": "step"}}, r"step.*activations relu"),
        ({"architecture": {"model": "svm", "sizes": [4]}}, "architecture"),
        ({"architecture": {"model": "mlp", "sizes": "4,8"}}, "architecture"),
        ({"architecture": {"model": "svm", "sizes": [5, 3]}}, r"the weights don't fit .*\(3, 5\)"),
        ({"model": {}}, r"the weights don't fit .*missing"),
        ({"inputs": {"mean": 0.0, "std": 0.0}}, "std has 0"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, rng, capsys, change, text):
    mg.save(tmp_path / "model.npz", checkpoint_of("svm", rng) | change)
    with pytest.raises((errors.CheckpointError, errors.ShapeError), match=text):
        runs.rebuild(mg.load(tmp_path / "model.npz"))
    assert main(["export", str(tmp_path / "model.npz"), "--onnx", str(tmp_path / "model.onnx")]) == 1
    assert capsys.readouterr().err.startswith("minigrad: ")
    assert not (tmp_path / "model.onnx").exists()


def test_a_checkpoint_of_something_else(tmp_path, capsys):
    mg.save(tmp_path / "model.npz", nn.Linear(2, 2).state_dict())
    assert main(["export", str(tmp_path / "model.npz"), "--onnx", str(tmp_path / "model.onnx")]) == 1
    assert "a run's checkpoint has 'architecture' and 'model'; this one has weight, bias" in capsys.readouterr().err


def test_a_rebuilt_model_without_scaling_is_the_plain_one(rng):
    checkpoint = checkpoint_of("cnn", rng)
    del checkpoint["inputs"]
    model = runs.rebuild(checkpoint)
    assert isinstance(model, nn.Sequential)
    assert not model.training
