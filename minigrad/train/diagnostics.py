"""Is every layer learning?  The size of its gradient, and of its updates beside its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import whole
from ..errors import CheckpointError, MinigradError
from ..nn import Module
from ..nn.utils import get_total_norm
from ..value import Value
from .callbacks import Callback

if TYPE_CHECKING:
    from .loop import Run, Step

__all__ = ["Diagnostics", "gradient_norms"]

NUMBERS = ("gradient", "weight", "update")


def gradient_norms(model: Module) -> dict[str, float]:
    """The length of each layer's gradient, weights and bias together: after `loss.backward()`, by the layer's path.

    From layer to layer they should stay within a factor of ten or so; a chain that shrinks towards the input is a
    vanishing gradient, one that grows an exploding one.

    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(1, 1, rng=0), nn.Tanh(), nn.Linear(1, 1, rng=0))
    >>> (3.0 * model(np.array([[0.0]]))).sum().backward()
    >>> model[2].bias.grad, [*gradient_norms(model)]
    (array([3.]), ['0', '2'])
    """
    return {name: norm_of([p.grad for p in params]) for name, params in layers(model, []).items()}


class Diagnostics(Callback):
    """Measures in every `every`-th step, per layer: ‖gradient‖, ‖weights‖ before the update, and ‖update‖.

    `ratios` is ‖update‖ / ‖weights‖, which should be near 1e-3: far below, the layer hardly learns, far above it
    forgets (source: CS231n).  The gradient is that which the optimizer saw, so after clipping.  `gradients`, `weights`
    and `updates` are arrays (measurements, layers), `numbers` the steps, `names` the layers; `print` shows a table.

    >>> from minigrad import nn, optim, train
    >>> model, watch = nn.Linear(2, 2, rng=0), Diagnostics()
    >>> sgd = optim.SGD(model.parameters(), lr=0.5)
    >>> _ = [*train.steps(model, (np.eye(2), [0, 1]), loss=nn.CrossEntropyLoss(), optimizer=sgd, epochs=3, rng=0,
    ...     callbacks=[watch])]
    >>> watch.names, watch.numbers, np.allclose(watch.updates, 0.5 * watch.gradients)
    (['model'], [1, 2, 3], True)
    """

    def __init__(self, every: int = 1) -> None:
        self.every = whole("Diagnostics: every", every, least=1)
        self.names: list[str] = []
        self.numbers: list[int] = []
        self.rows: dict[str, list[list[float]]] = {name: [] for name in NUMBERS}
        self.groups: dict[str, list[Value]] = {}
        self.before: list[list[Any]] = []

    @property
    def gradients(self) -> np.ndarray:
        """‖gradient‖, (measurements, layers)."""
        return self.array("gradient")

    @property
    def weights(self) -> np.ndarray:
        """‖weights‖ before the update, (measurements, layers)."""
        return self.array("weight")

    @property
    def updates(self) -> np.ndarray:
        """‖weights after - weights before‖, (measurements, layers)."""
        return self.array("update")

    @property
    def ratios(self) -> np.ndarray:
        """‖update‖ / ‖weights‖, (measurements, layers); infinite for weights that were all 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.updates / self.weights)

    def array(self, name: str) -> np.ndarray:
        return np.array(self.rows[name], dtype=float).reshape(len(self.numbers), len(self.names))

    def start(self, run: Run) -> None:
        self.groups = layers(run.model, run.parameters)
        if not (run.resumed and self.numbers):
            self.names, self.numbers, self.rows = [*self.groups], [], {name: [] for name in NUMBERS}
        self.remember(run.number + 1)

    def step(self, step: Step) -> None:
        if step.number % self.every == 0:
            groups = [*self.groups.values()]
            moves = [[p.data - w for p, w in zip(*pair, strict=True)] for pair in zip(groups, self.before, strict=True)]
            self.numbers.append(step.number)
            self.rows["gradient"].append([norm_of([p.grad for p in group]) for group in groups])
            self.rows["weight"].append([norm_of(before) for before in self.before])
            self.rows["update"].append([norm_of(move) for move in moves])
        self.remember(step.number + 1)

    def remember(self, number: int) -> None:
        """Keep the weights if the step `number` is one to measure."""
        if number % self.every == 0:
            self.before = [[np.array(p.data) for p in group] for group in self.groups.values()]

    def end(self, run: Run) -> None:
        self.groups, self.before = {}, []

    def state_dict(self) -> dict[str, Any]:
        """All measurements."""
        return {
            "every": self.every, "names": self.names, "numbers": np.array(self.numbers, dtype=int),
            **{name: self.array(name) for name in NUMBERS},
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a `state_dict`; on an error nothing has changed."""
        shape = (len(state["numbers"]), len(state["names"]))
        if state["every"] != self.every or any([np.shape(state[name]) != shape for name in NUMBERS]):
            raise CheckpointError(f"Diagnostics: every={state['every']} there and {self.every} here, or damaged.")
        self.names, self.numbers = [*state["names"]], np.asarray(state["numbers"]).tolist()
        self.rows = {name: np.asarray(state[name]).tolist() for name in NUMBERS}

    def __repr__(self) -> str:
        if not self.numbers:
            return "Diagnostics: no step was measured yet"
        ratios = np.median(self.ratios, axis=0)
        width = max([len(name) for name in [*self.names, "layer"]])
        lines = [f"{'layer':{width}}   gradient    weights   update/weights (median of {len(self.numbers)} steps)"]
        for name, g, w, ratio in zip(self.names, self.gradients[-1], self.weights[-1], ratios, strict=True):
            lines.append(f"{name:{width}} {g:10.3g} {w:10.3g} {ratio:10.1e}{remark(ratio)}")
        return "\n".join(lines)

    def plot(self) -> Any:
        """‖gradient‖ and ‖update‖ / ‖weights‖ of each layer over the steps, as a matplotlib `Figure`."""
        from ..viz.plots import COLORS, new_figure

        if not self.numbers:
            raise MinigradError("Diagnostics.plot: no step was measured yet.")
        figure = new_figure(width=10.0)
        panels = (("‖gradient‖", self.gradients), ("‖update‖ / ‖weights‖", self.ratios))
        for axes, (title, rows) in zip(figure.subplots(1, 2), panels, strict=True):
            for i, name in enumerate(self.names):
                axes.plot(self.numbers, rows[:, i], color=COLORS[i % len(COLORS)], label=name)
            axes.set(xlabel="step", title=title, yscale="log")
            axes.grid(alpha=0.3)
        axes.axhline(1e-3, color="#5f6368", linestyle=":", label="1e-3")
        axes.legend(title="layer")
        return figure


def remark(ratio: float) -> str:
    return "  small: hardly learns" if ratio < 1e-5 else "  large: lower the learning rate?" if ratio > 1e-1 else ""


def layers(model: Any, params: list[Value]) -> dict[str, list[Value]]:
    """The parameters by the layer that owns them; those of a plain function by their labels."""
    groups: dict[str, list[Value]] = {}
    if isinstance(model, Module):
        for name, p in model.named_parameters():
            groups.setdefault(name.rpartition(".")[0] or "model", []).append(p)
    else:
        for i, value in enumerate(params):
            groups.setdefault(value.label or f"parameter {i}", []).append(value)
    return groups


def norm_of(arrays: list[Any]) -> float:
    return get_total_norm([x for x in arrays if x is not None])
