"""What the checkpoint of a training run holds beside its weights, and the model that it stands for.

    {"architecture": {"model": "mlp", "sizes": [64, 32, 10], "activation": "relu"},
     "model": model.state_dict(),
     "inputs": {"mean": ..., "std": ...},
     "classes": ["cat", "dog"]}

`build` takes the architecture, `rebuild` all of it.  "inputs" is what was taken off the data, and what they were
divided by; "classes" are the names of the outputs.  Both may be missing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .. import nn
from ..convert import describe, shape_of
from ..errors import CheckpointError, ShapeError
from ..random import generator

__all__ = ["Standardized", "build", "input_shape", "rebuild"]

ACTIVATIONS: dict[str, Any] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid, "softplus": nn.Softplus,
}  # fmt: skip


MANY = 1_000_000  # weights, 8 MB: a small file must not fill the memory before it is found not to fit


def build(architecture: dict[str, Any], *, dtype: Any = np.float64, rng: Any = None) -> nn.Module:
    """A new model from its description.

    * {"model": "mlp", "sizes": [inputs, hidden, ..., outputs], "activation": "relu"}
    * {"model": "svm", "sizes": [inputs, outputs]}: `nn.LinearSVM`
    * {"model": "softmax", "sizes": [inputs, classes]}: `nn.Linear`, whose scores go to a cross entropy
    * {"model": "linear", "sizes": [inputs, 1]}: `nn.Linear`, for a quantity
    * {"model": "cnn", "image": [channels, height, width], "channels": [16, 32], "kernel": 3, "activation": "relu",
      "outputs": 10}: convolutions that keep the size, each with an activation and 2 by 2 max pooling, and a `Linear`

    Raises `CheckpointError` for anything else.

    >>> build({"model": "mlp", "sizes": [2, 16, 3], "activation": "tanh"}, rng=0)
    MLP(
      (layers): Sequential(
        (0): Linear(2, 16)
        (1): Tanh()
        (2): Linear(16, 3)
      )
    )
    """
    try:
        rng, kind = generator(rng), architecture["model"]
        if kind == "cnn":
            return cnn(architecture, dtype, rng)
        sizes = list(architecture["sizes"])
        if kind == "mlp":
            return nn.MLP(sizes, ACTIVATIONS[architecture.get("activation", "relu")], dtype=dtype, rng=rng)
        layer: type[nn.Module] = {"svm": nn.LinearSVM, "softmax": nn.Linear, "linear": nn.Linear}[kind]
        n_in, n_out = sizes
        return layer(n_in, n_out, dtype=dtype, rng=rng)  # type: ignore[call-arg]
    except (KeyError, TypeError, ValueError) as error:
        kinds = f"models are mlp, svm, softmax, linear and cnn, activations {', '.join(ACTIVATIONS)}"
        told = f"{type(error).__name__} {error}"
        raise CheckpointError(f"architecture {architecture!r:.200}: {told}; {kinds}.") from error


def cnn(architecture: dict[str, Any], dtype: Any, rng: Any) -> nn.Module:
    channels, height, width = architecture["image"]
    kernel, activation = architecture.get("kernel", 3), ACTIVATIONS[architecture.get("activation", "relu")]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise([channels, *architecture["channels"]]):
        layers += [nn.Conv2d(n_in, n_out, kernel, padding="same", dtype=dtype, rng=rng), activation(), nn.MaxPool2d(2)]
        channels, height, width = n_out, height // 2, width // 2
    last = nn.Linear(channels * height * width, architecture["outputs"], dtype=dtype, rng=rng)
    return nn.Sequential(*layers, nn.Flatten(), last)


def input_shape(architecture: dict[str, Any]) -> tuple[int, ...]:
    """The shape of one example.

    >>> input_shape({"model": "svm", "sizes": [64, 10]})
    (64,)
    """
    return tuple(architecture["image"]) if "image" in architecture else (architecture["sizes"][0],)


class Standardized(nn.Module):
    """A model of data as they come: (x - mean) / std, then `model`.

    `mean` and `std` are numbers or arrays that broadcast to one example.

    >>> Standardized(nn.ReLU(), mean=np.array([1.0, 2.0]), std=np.array([2.0, 1.0]))(np.array([[3.0, 3.0]]))
    array([[1., 1.]])
    """

    mean: Any
    std: Any

    def __init__(self, model: Any, mean: Any, std: Any) -> None:
        self.model = model
        if not np.all(np.greater(std, 0.0)):
            raise ShapeError(f"Standardized: std has {np.min(std)}; it is above 0, and 1 where all numbers are equal.")
        self.register_buffer("mean", np.asarray(mean))
        self.register_buffer("std", np.asarray(std))

    def forward(self, x: Any) -> Any:
        if np.broadcast_shapes(shape_of(x), shape_of(self.mean)) != shape_of(x):
            raise ShapeError(f"Standardized: {describe(x)} doesn't end in the shape of mean, {shape_of(self.mean)}.")
        return self.model((x - self.mean) / self.std)


def rebuild(checkpoint: dict[str, Any]) -> nn.Module:
    """The trained model of a checkpoint, in evaluation mode: of data as they come, if it says how they were scaled.

    Raises `CheckpointError` if it has no architecture or the weights are those of another one.

    >>> layer = nn.LinearSVM(2, rng=0)
    >>> made = rebuild({"architecture": {"model": "svm", "sizes": [2, 1]}, "model": layer.state_dict()})
    >>> bool(np.all(made.weight.data == layer.weight.data))
    True
    """
    if not isinstance(checkpoint, dict) or not {"architecture", "model"} <= checkpoint.keys():
        found = f"has {', '.join(map(str, checkpoint))}" if isinstance(checkpoint, dict) else "is no dict"
        raise CheckpointError(f"a run's checkpoint has 'architecture' and 'model'; this one {found}.")
    state = checkpoint["model"]
    single = isinstance(state, dict) and all([getattr(x, "dtype", None) != np.float64 for x in state.values()])
    dtype = np.float32 if single else np.float64
    architecture = checkpoint["architecture"]
    there = sum([np.size(x) for x in state.values()]) if isinstance(state, dict) else 0
    if weights(architecture) > max(there, MANY):
        raise CheckpointError(f"the weights don't fit {architecture!r:.200}: there are {there}, too few.")
    model = build(architecture, dtype=dtype)
    try:
        model.load_state_dict(state)
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"the weights don't fit {architecture}: {error}") from error
    if scaling := checkpoint.get("inputs"):
        shape = input_shape(architecture)
        try:
            scale = [np.broadcast_to(np.asarray(scaling[name], dtype), shape) for name in ("mean", "std")]
            model = Standardized(model, *scale)
        except (ValueError, TypeError, LookupError) as error:
            raise CheckpointError(f"'inputs' has no mean and std for inputs of shape {shape}: {error}") from error
    return model.eval()


def weights(architecture: Any) -> int:
    """How many weights the model has at least."""
    try:
        return sum([a * b for a, b in pairwise(architecture["sizes"])])
    except (TypeError, LookupError):  # of other layers, or of nothing that can be built
        return 0
