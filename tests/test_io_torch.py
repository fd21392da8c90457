"""PyTorch takes our state dicts unchanged, by memory and by safetensors file, and computes the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle


def images(*shape):
    return np.random.default_rng(3).normal(size=shape)


def our_cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, rng=0), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 4, (3, 2), stride=2, groups=2, bias=False, rng=1), nn.Flatten(), nn.Linear(8, 3, rng=2),
    )  # fmt: skip


def their_cnn():
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(4, 4, (3, 2), stride=2, groups=2, bias=False), torch.nn.Flatten(), torch.nn.Linear(8, 3),
    )  # fmt: skip


def their_mlp():
    model = torch.nn.Module()
    model.layers = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    model.forward = lambda x: model.layers(x)
    return model


X = images(6, 5)
MODELS = {  # ours, theirs, the inputs
    "mlp": (lambda: nn.MLP([5, 8, 3], nn.Tanh, rng=0), their_mlp, (X,)),
    "svm": (lambda: nn.LinearSVM(5, 3, rng=0), lambda: torch.nn.Linear(5, 3), (X,)),
    "cnn": (our_cnn, their_cnn, (images(3, 2, 8, 9),)),
    "conv1d": (lambda: nn.Conv1d(2, 3, 3, rng=0), lambda: torch.nn.Conv1d(2, 3, 3), (images(3, 2, 9),)),
    "batch norm": (lambda: nn.BatchNorm1d(5), lambda: torch.nn.BatchNorm1d(5), (X,)),
    "layer norm": (lambda: nn.LayerNorm((2, 5)), lambda: torch.nn.LayerNorm((2, 5)), (images(3, 2, 5),)),
    "embedding": (
        lambda: nn.Embedding(9, 4, padding_idx=1, rng=0),
        lambda: torch.nn.Embedding(9, 4, padding_idx=1),
        (np.array([[0, 1, 8], [1, 2, 2]]),),
    ),
    "cell": (lambda: nn.RNNCell(5, 4, rng=0), lambda: torch.nn.RNNCell(5, 4), (X, images(6, 4))),
}


def trained(name):
    """Our model with parameters and running statistics that are not those of the start."""
    ours, _, inputs = MODELS[name]
    model, rng = ours(), np.random.default_rng(5)
    model(*inputs)  # moves running statistics
    for p in model.parameters():
        p.data = p.data + rng.normal(size=p.shape) / 10.0
    return model.eval()


def same(model, theirs, inputs):
    with torch.no_grad():
        other = theirs.double().eval()(*map(torch.from_numpy, inputs)).numpy()
    np.testing.assert_allclose(other, model(*inputs).data, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_a_state_dict_loads_into_pytorch_unchanged(name):
    model, theirs = trained(name), MODELS[name][1]().double()
    theirs.load_state_dict({key: torch.from_numpy(x) for key, x in model.state_dict().items()}, strict=True)
    same(model, theirs, MODELS[name][2])


@pytest.mark.parametrize("name", MODELS)
def test_a_safetensors_file_loads_into_pytorch_unchanged(tmp_path, name):
    files = pytest.importorskip("safetensors.torch")
    model, theirs = trained(name), MODELS[name][1]().double()
    mg.save(tmp_path / "model.safetensors", model.state_dict())
    theirs.load_state_dict(files.load_file(tmp_path / "model.safetensors"), strict=True)
    same(model, theirs, MODELS[name][2])


@pytest.mark.parametrize("name", MODELS)
def test_what_pytorch_saves_loads_here(tmp_path, name):
    files = pytest.importorskip("safetensors.torch")
    torch.manual_seed(7)
    ours, theirs, inputs = MODELS[name]
    model, theirs = ours(), theirs().double()
    files.save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    model.load_state_dict(mg.load(tmp_path / "model.safetensors"))
    same(model.eval(), theirs, inputs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.int32, torch.bool])
def test_dtypes_of_pytorch(tmp_path, dtype):
    files = pytest.importorskip("safetensors.torch")
    x = torch.linspace(-300.0, 300.0, 41).reshape(1, 41).to(dtype)
    files.save_file({"x": x, "one": x[0, 3].clone()}, tmp_path / "a.safetensors")
    loaded = mg.load(tmp_path / "a.safetensors")
    assert loaded["one"].shape == ()
    wanted = x.float() if dtype is torch.bfloat16 else x  # NumPy has none
    assert np.array_equal(loaded["x"], wanted.numpy())
    assert loaded["x"].dtype == wanted.numpy().dtype
