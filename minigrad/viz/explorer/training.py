"""A training as a page: the circuit of one example, and beside it what the network makes of the plane, by updates."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from ...arguments import whole
from ...errors import DtypeError, MinigradError, OutOfRangeError, ShapeError
from ...nn import Module
from ...train import Callback
from ...value import Value, no_grad
from . import Circuit
from .graph import Graph
from .page import encoded, nodes_of, page
from .record import Rules
from .still import still

__all__ = ["Snapshots", "explore_training"]

GRID = 32  # points along each side of the plane
POINTS = 400  # of the data that are drawn


class Snapshots(Callback):
    """A callback that keeps a model's parameters update by update, for `explore_training`.

    It keeps at most `most` of them: of a longer training every second, fourth, ... update, and always the last.

    >>> from minigrad import nn, optim, train
    >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([-1.0, 1.0])
    >>> model, kept = nn.LinearSVM(2, 1, rng=0), Snapshots()
    >>> sgd = optim.SGD(model.parameters(), lr=0.1)
    >>> _ = train.fit(model, (X, y), loss=nn.HingeLoss(), optimizer=sgd, epochs=5, callbacks=[kept], progress=False)
    >>> kept.updates
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(self, most: int = 150) -> None:
        self.most = whole("Snapshots: most", most, least=2)
        self.every = 1
        self.updates: list[int] = []
        self.parameters: list[list[Any]] = []
        self.run: Any = None

    def start(self, run: Any) -> None:
        """Keep the parameters before the first update."""
        if not isinstance(run.model, Module):
            raise DtypeError(f"Snapshots: the model is a {type(run.model).__name__}; its parameters are not to be had.")
        self.run = run
        if not self.updates:
            self.keep(run.number)

    def step(self, step: Any) -> None:
        """Keep them after an update."""
        if step.number % self.every == 0:
            self.keep(step.number)

    def end(self, run: Any) -> None:
        """Keep the last."""
        if self.updates[-1] != run.number:
            self.keep(run.number)

    def keep(self, number: int) -> None:
        self.updates.append(number)
        self.parameters.append([np.array(p.data) for p in self.run.model.parameters()])
        if len(self.updates) > self.most:
            self.every *= 2
            kept = [k for k, n in enumerate(self.updates) if n % self.every == 0]
            self.updates = [self.updates[k] for k in kept]
            self.parameters = [self.parameters[k] for k in kept]


def explore_training(
    snapshots: Snapshots, *, example: int = 0, title: str | None = None, max_nodes: int = 300
) -> Circuit:
    """A page that goes through a training, update by update: the circuit of one example, with all its values and
    gradients, and beside it the decision surface in the plane and the loss.

    `snapshots` is the `Snapshots` that was among the callbacks of `train.fit`; the data have two columns, and `example`
    is the row whose circuit is shown.  The rest is as in `explore`: each update's circuit can be stepped through, and
    sliders move parameters, the example, and the surface with them.  Raises `MinigradError` before a training,
    `ShapeError` for data that are not points of a plane, `OutOfRangeError` for a row that isn't there.

    >>> from minigrad import nn, optim, train
    >>> X, y = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([-1.0, 1.0])
    >>> model, kept = nn.LinearSVM(2, 1, rng=0), Snapshots()
    >>> sgd = optim.SGD(model.parameters(), lr=0.1)
    >>> _ = train.fit(model, (X, y), loss=nn.HingeLoss(), optimizer=sgd, epochs=5, callbacks=[kept], progress=False)
    >>> explore_training(kept, title="A line between two points")  # doctest: +ELLIPSIS
    Circuit('A line between two points', ... bytes; .save('circuit.html') writes the page)
    """
    if not isinstance(snapshots, Snapshots):
        raise DtypeError(f"explore_training: expected viz.Snapshots, got {type(snapshots).__name__}.")
    if snapshots.run is None:
        raise MinigradError("explore_training: nothing was kept: give callbacks=[snapshots] to train.fit first.")
    run, most = snapshots.run, whole("explore_training: max_nodes", max_nodes, least=1)
    X, y = np.asarray(run.data.X, float), np.asarray(run.data.y)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ShapeError(f"explore_training: the data {X.shape} are not points of a plane, (n, 2).")
    if not isinstance(example, (int, np.integer)) or not 0 <= example < len(X):
        raise OutOfRangeError(f"explore_training: example={example!r}: the data have the rows 0 to {len(X) - 1}.")
    model = deepcopy(run.model)  # the user's stays as it is
    model.eval()
    losses = losses_of(model, run.loss, snapshots.parameters, X, y)
    plane, ends = grid_over(X)
    surface = model(Value(plane, requires_grad=False))
    x = Value(X[example : example + 1], label="x", requires_grad=False)
    loss = run.loss(model(x), y[example : example + 1])
    loss.label = loss.label or "loss"

    def facts(graph: Graph, rules: Rules) -> dict[str, Any]:
        below = Graph.behind(surface, model, 10**6)
        nodes = nodes_of(below, rules)
        if any([node.get("rule") in rules.no_forward for node in nodes]):
            raise MinigradError("explore_training: the model has a gate that the page can't compute anew.")
        at = [{v: i for i, v in enumerate(g.values) if isinstance(v, Value)} for g in (graph, below)]
        shown = np.linspace(0, len(X) - 1, min(POINTS, len(X))).astype(int)
        classes, kinds = np.unique(y, return_inverse=True)
        return {
            "parameters": [[one.get(p) for one in at] for p in model.parameters()],
            "snapshots": [[encoded(p) for p in one] for one in snapshots.parameters],
            "updates": snapshots.updates,
            "losses": [encoded(number) for number in losses],
            "points": encoded(X[shown]),
            "kinds": kinds.ravel()[shown].tolist() if len(classes) <= 6 else [0] * len(shown),
            "classes": [str(name) for name in classes.tolist()] if len(classes) <= 6 else [],
            "x": at[0].get(x),
            "surface": {"nodes": nodes, "places": encoded(ends), "side": GRID},
        }

    drawing = still(loss, model, 1.0)
    text, name, note, height = page(loss, model, None, title or "A training, update by update", most, training=facts)
    return Circuit(text, name, note, drawing, height)


def grid_over(X: Any) -> tuple[Any, Any]:
    """Points over the data, row by row from the top, and the ends of both axes."""
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.1 * np.maximum(high - low, 1e-3)
    (left, bottom), (right, top) = ends = np.array([low - margin, high + margin])
    grid = np.meshgrid(np.linspace(left, right, GRID), np.linspace(top, bottom, GRID))
    return np.stack(grid, axis=-1).reshape(-1, 2), ends


def losses_of(model: Any, loss: Any, kept: list[list[Any]], X: Any, y: Any) -> list[float]:
    """The loss of all the data with each of the snapshots, the last of which the model has afterwards."""
    losses = []
    with no_grad(), np.errstate(all="ignore"):
        for parameters in kept:
            for p, data in zip(model.parameters(), parameters, strict=True):
                p.data = data
            losses.append(float(loss(model(X), y)))
    return losses
