"""Pictures with matplotlib (the `plot` extra): how training went, what was learned, and whether gradients are right.

Figures are returned, never shown: write them with `figure.savefig("loss.svg")`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import whole
from ..convert import to_data
from ..errors import DtypeError, MinigradError, MissingExtraError, ShapeError
from ..value import Value, no_grad

__all__ = ["decision_boundary", "optimizer_race", "plot_gradcheck", "plot_history"]

# Okabe and Ito's colours, told apart in every common kind of colour blindness; the markers repeat what they say.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
PANELS = (("loss", "loss"), ("accuracy", "accuracy"))


def plot_history(history: Any) -> Any:
    """The loss and accuracy curves of a `train.History`, training and validation, as a matplotlib `Figure`.

    `history.epochs` is a list of dicts; of their entries `epoch`, `loss`, `val_loss`, `accuracy` and `val_accuracy`
    those are drawn that are there.  Raises `MinigradError` if there are none.
    """
    epochs = list(history.epochs)
    curves = {key: curve(epochs, key) for name, _ in PANELS for key in (name, f"val_{name}")}
    panels = [panel for panel in PANELS if curves[panel[0]] or curves[f"val_{panel[0]}"]]
    if not panels:
        raise MinigradError(
            f"plot_history: {len(epochs)} epochs without a loss or accuracy: expected history.epochs to be dicts "
            "like {'epoch': 1, 'loss': 0.5, 'accuracy': 0.9}."
        )
    figure = new_figure(width=5.0 * len(panels))
    for axes, (key, title) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, color, style in ((key, COLORS[0], "-"), (f"val_{key}", COLORS[1], "--")):
            if points := curves[name]:
                label, marker = "validation" if name.startswith("val_") else "training", "." if len(points) < 40 else ""
                axes.plot(*zip(*points, strict=True), style, color=color, label=label, marker=marker)
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def curve(epochs: list[Any], key: str) -> list[tuple[float, float]]:
    """(epoch, number) for the epochs that have the entry."""
    return [(float(e.get("epoch", i)), float(e[key])) for i, e in enumerate(epochs, 1) if e.get(key) is not None]


def decision_boundary(
    predict: Callable[[Any], Any], X: Any, y: Any, ax: Any = None, title: str | None = None, *, steps: int = 200
) -> Any:
    """The regions of the plane that a classifier assigns to each class, with the data on top; returns the `Figure`.

    `predict` maps raw points of shape (n, 2) to labels (n,), to scores (n, classes), or, for two classes, to one score
    (n,) or (n, 1) that is positive for the second class; then the lines where it is -1, 0 and 1 are drawn, the margins
    of an SVM.  Whole numbers, and numbers that are all among the classes of `y` (n,), are taken as labels.  Draws into
    `ax` if given.  Raises `ShapeError` or `DtypeError` for data that doesn't fit.
    """
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or X.shape[1] != 2 or y.shape != X.shape[:1] or not len(y):
        raise ShapeError(f"decision_boundary: X {X.shape} and y {y.shape}; expected points (n, 2) and labels (n,).")
    if X.dtype.kind not in "fiu" or not np.isfinite(X).all():
        raise DtypeError("decision_boundary: X has entries that are not finite numbers: remove those points.")
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.08 * np.maximum(high - low, 1e-3)
    grid = np.meshgrid(*np.linspace(low - margin, high + margin, steps).T)
    with no_grad():
        out = predict(np.column_stack([axis.ravel() for axis in grid]))
    classes, region, score = decide(np.asarray(out.data if isinstance(out, Value) else out), y, steps * steps)

    figure = new_figure() if ax is None else ax.figure
    axes = figure.subplots() if ax is None else ax
    colors = [COLORS[i % len(COLORS)] for i in range(len(classes))]
    levels = np.arange(len(classes) + 1) - 0.5
    axes.contourf(*grid, region.reshape(steps, steps), levels=levels, colors=colors, alpha=0.2)
    if score is not None:
        score = score.reshape(steps, steps)
        lines = axes.contour(*grid, score, levels=[-1, 0, 1], colors="#202124", linestyles=["--", "-", "--"])
        axes.clabel(lines, fmt="%g")
    for i, name in enumerate(classes):
        style = {"color": colors[i], "marker": MARKERS[i % len(MARKERS)], "edgecolors": "#ffffff", "linewidths": 0.6}
        axes.scatter(*X[y == name].T, s=26, label=f"{name}", **style)
    axes.set(xlabel="x₁", ylabel="x₂", title=title or "")
    axes.legend(title="class")
    return figure


def decide(out: Any, y: Any, n: int) -> tuple[Any, Any, Any]:
    """(classes, which of them each point gets, the score if there is one per point) from what `predict` returned."""
    if out.shape == (n, 1):
        out = out[:, 0]
    if out.ndim not in (1, 2) or out.shape[0] != n:
        raise ShapeError(f"decision_boundary: predict returned {out.shape} for {n} points; expected one row per point.")
    classes = np.unique(y)
    if out.ndim == 2:
        columns = np.arange(out.shape[1])
        if np.isin(classes, columns).all():
            classes = columns
        if len(classes) != len(columns):
            raise ShapeError(f"decision_boundary: predict returned {len(columns)} scores per point; y has {classes}.")
        return classes, out.argmax(axis=1), None
    if out.dtype.kind != "f" or np.isin(out, classes).all():
        names = np.union1d(classes, out)
        return names, np.searchsorted(names, out), None
    if len(classes) != 2:
        raise ShapeError(
            f"decision_boundary: predict returned one score per point, which decides between two classes; y has "
            f"{len(classes)}: {classes}. Return labels, or a score per class."
        )
    return classes, (out > 0).astype(int), out


def optimizer_race(
    f: Callable[[Any], Any],
    start: Any,
    racers: dict[str, Any],
    ax: Any = None,
    title: str | None = None,
    *,
    steps: int = 100,
) -> Any:
    """The paths of several optimisers from `start` over the level lines of `f`, a function of two numbers; a `Figure`.

    `f` takes a point (2,), as `mg.grad` hands it over.  `racers` has for each name a function that makes an optimiser
    of a list of parameters, `lambda p: optim.Adam(p, lr=0.1)`, which takes `steps` steps; or a path (k, 2), as
    `optimize.newton(f, start).path`.  The legend says where f ended and after how many steps.  A path that ends higher
    than it started is drawn to where it leaves the picture of the others.  Draws into `ax` if given.  Raises
    `ShapeError` or `DtypeError` for what doesn't fit, `MinigradError` where f(start) is not finite.
    """
    point, steps = np.array(to_data(start), float), whole("optimizer_race: steps", steps, least=0)
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ShapeError(f"optimizer_race: start {start!r:.60} is no point of the plane; expected two finite numbers.")
    if not isinstance(racers, dict) or not racers:
        raise DtypeError(f'optimizer_race: racers is a dict {{"Adam": lambda p: optim.Adam(p)}}, not {racers!r:.60}.')

    def height(x: Any) -> float:
        with no_grad(), np.errstate(all="ignore"):
            out = f(np.array(x))
        number = np.asarray(out.data if isinstance(out, Value) else out)
        if number.shape != () or number.dtype.kind not in "fiu":
            raise ShapeError(f"optimizer_race: f(point) is {number!r:.60}; expected one number: use .sum().")
        return float(number)

    if not np.isfinite(height(point)):
        raise MinigradError(f"optimizer_race: f(start) is {height(point)}: start where it is finite.")
    paths = {name: run(name, f, point, x, steps) if callable(x) else known(name, x) for name, x in racers.items()}
    ends = {name: height(path[-1]) for name, path in paths.items()}
    lower = [path for name, path in paths.items() if ends[name] <= height(path[0])]
    inside = np.vstack([point, *(lower or [point - 1.0, point + 1.0])])
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = 0.15 * np.maximum(high - low, max(0.3 * (high - low).max(), 1e-3))
    low, high = low - margin, high + margin

    figure = new_figure(width=6.0) if ax is None else ax.figure
    axes = figure.subplots() if ax is None else ax
    x, y = np.linspace(low, high, 81).T
    heights = np.array([[height((a, b)) for a in x] for b in y])
    levels = np.unique(np.quantile(heights[np.isfinite(heights)], np.linspace(0.0, 1.0, 20)))
    axes.contour(x, y, heights, levels=levels, colors="#9aa0a6", linewidths=0.6)
    for i, (name, path) in enumerate(paths.items()):
        left = np.flatnonzero(((path < low) | (path > high)).any(axis=1))
        seen = path[: left[0] + 1] if len(left) else path
        style = {"color": COLORS[i % 8], "marker": MARKERS[i % 8], "linestyle": LINES[(i + i // 8) % 4]}
        label = f"{name}: {ends[name]:.2g} after {len(path) - 1} steps"
        axes.plot(*seen.T, **style, label=label, markersize=4, markevery=max(1, len(seen) // 15), linewidth=1.2)
    axes.plot(*point, "+", color="#202124", markersize=12, label="start")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="x₁", ylabel="x₂", title=title or "")
    axes.legend(fontsize="small")
    return figure


def run(name: str, f: Callable[[Any], Any], start: Any, make: Callable[[list[Value]], Any], steps: int) -> Any:
    """The path (k + 1, 2) of an optimiser, up to `steps` or to where it is no longer finite."""
    w = Value(start.copy())
    optimizer, path = make([w]), [start]
    if not hasattr(optimizer, "step"):
        raise DtypeError(f"optimizer_race: {name!r} made {optimizer!r:.60}, not an optimizer of the parameters given.")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = f(w)
        loss.backward()
        return loss

    with np.errstate(all="ignore"):
        for _ in range(steps):
            optimizer.step(closure)
            if not np.isfinite(w.data).all():
                break
            path.append(w.data.copy())
    return np.array(path)


def known(name: str, path: Any) -> Any:
    """A path that was given, checked."""
    points = np.asarray(to_data(path), float)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        raise ShapeError(
            f"optimizer_race: the path of {name!r} has shape {points.shape}; expected finite points (k, 2)."
        )
    return points


def plot_gradcheck(report: Any) -> Any:
    """What a `GradcheckReport` compared, as a matplotlib `Figure`: per order, the gradient over the differences.

    What is right lies on the diagonal; what disagrees is ringed, and the first mistake is named.  A bar from the slope
    on the left to that on the right is a kink.  The report of a failed check is in `GradcheckError.report`.  Raises
    `MinigradError` for a report that compared nothing.
    """
    orders = sorted({pair.order for pair in report.pairs})
    if not orders:
        raise MinigradError(f"plot_gradcheck: nothing was compared: {report.mistake}.")
    figure = new_figure(width=5.0 * len(orders))
    for axes, order in zip(figure.subplots(1, len(orders), squeeze=False)[0], orders, strict=True):
        for pair in [pair for pair in report.pairs if pair.order == order]:
            color, marker = COLORS[pair.argument % len(COLORS)], MARKERS[pair.argument % len(MARKERS)]
            numeric, analytic, wrong = (np.ravel(x) for x in (pair.numeric, pair.analytic, pair.wrong))
            style = {"s": 24, "edgecolors": "#ffffff", "linewidths": 0.4, "zorder": 3}
            axes.scatter(numeric, analytic, color=color, marker=marker, label=f"argument {pair.argument}", **style)
            if wrong.any():
                ring = {
                    "s": 130,
                    "facecolors": "none",
                    "edgecolors": "#b00020",
                    "linewidths": 1.5,
                    "label": "disagrees",
                }
                axes.scatter(numeric[wrong], analytic[wrong], **ring, zorder=4)
        bars = [kink for kink in report.kinks if kink.order == order and kink.kind == "kink"]
        bars = [kink for kink in bars if np.isfinite([kink.left, kink.right]).all()]
        for i, kink in enumerate(bars):
            ends = {"color": "#5f6368", "marker": "|", "label": "kink: left to right slope" if i == 0 else None}
            axes.plot([kink.left, kink.right], [kink.analytic, kink.analytic], **ends, zorder=2)
        axes.axline((0.0, 0.0), slope=1.0, color="#5f6368", linestyle="--", linewidth=0.8, zorder=1)
        name_mistake(axes, report.mistake, order)
        axes.set(xlabel="differences", ylabel="gradient", title=f"order {order}")
        axes.grid(alpha=0.3)
        axes.margins(0.12)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(unique.values(), unique.keys(), loc="best")
    return figure


def name_mistake(axes: Any, mistake: Any, order: int) -> None:
    """The place of the mistake beside its point, if it has one."""
    if mistake is None or mistake.order != order or not np.isfinite([mistake.analytic, mistake.numeric]).all():
        return
    index = f"[{', '.join(map(str, mistake.index))}]" if mistake.index else ""
    place, offset = (mistake.numeric, mistake.analytic), (8, 8)
    box = {"facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    text = f"argument {mistake.argument}{index}"
    axes.annotate(text, place, offset, textcoords="offset points", color="#b00020", bbox=box, zorder=5)


def new_figure(width: float = 5.0, height: float = 4.0) -> Any:
    """A figure of its own, in no global state: nothing to close, and no display needed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError('plots need matplotlib: pip install "minigrad-engine[plot]"') from error
    return Figure(figsize=(width, height), layout="constrained")
