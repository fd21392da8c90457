"""Loss curves and decision boundaries: the right numbers in the figure, and no window."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import minigrad as mg
from minigrad import optim, optimize, theory
from minigrad.errors import DtypeError, MinigradError, MissingExtraError, ShapeError
from minigrad.viz import decision_boundary, optimizer_race, plot_history

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0]])


def history(*epochs: dict[str, Any]) -> Any:
    return SimpleNamespace(epochs=list(epochs))


def png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def regions(axes: Any) -> list[Any]:
    """The filled regions of the plane, as paths, by class."""
    return axes.collections[0].get_paths()


# -------------------------------------------------------------------------------------------------------------- history
def test_history_has_a_panel_per_kind_and_a_line_per_curve() -> None:
    figure = plot_history(
        history(
            {"epoch": 1, "loss": 2.0, "accuracy": 0.5, "val_loss": 2.5, "val_accuracy": 0.4},
            {"epoch": 2, "loss": 1.0, "accuracy": 0.7, "val_loss": 1.5, "val_accuracy": 0.6},
        )
    )
    loss, accuracy = figure.axes
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "accuracy")
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 2.0], [2, 1.0]], [[1, 2.5], [2, 1.5]]]
    assert [line.get_xydata().tolist() for line in accuracy.lines] == [[[1, 0.5], [2, 0.7]], [[1, 0.4], [2, 0.6]]]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "validation"]
    assert png(figure).startswith(b"\x89PNG")


def test_history_without_some_entries() -> None:
    figure = plot_history(history({"loss": 3.0}, {"loss": None, "val_loss": 2.0}, {"loss": 1.0, "seconds": 2}))
    (loss,) = figure.axes
    assert [line.get_xydata().tolist() for line in loss.lines] == [[[1, 3.0], [3, 1.0]], [[2, 2.0]]]
    assert [axes.get_title() for axes in plot_history(history({"accuracy": 0.5})).axes] == ["accuracy"]


def test_a_diverged_loss_can_be_plotted() -> None:
    assert png(plot_history(history({"loss": 1.0}, {"loss": np.inf}, {"loss": np.nan})))


@pytest.mark.parametrize("epochs", [[], [{"seconds": 1.0}]])
def test_a_history_with_nothing_to_plot_says_so(epochs: list[Any]) -> None:
    with pytest.raises(MinigradError, match=rf"{len(epochs)} epochs without a loss or accuracy"):
        plot_history(history(*epochs))


# -------------------------------------------------------------------------------------------------- decision boundaries
def test_one_score_shows_the_margins_where_they_are() -> None:
    """Score 4 x₁ - 2: the lines -1, 0, 1 are x₁ = 0.25, 0.5, 0.75."""
    figure = decision_boundary(lambda P: 4.0 * P[:, :1] - 2.0, POINTS, np.array([-1, 1, -1, 1]), title="svm")
    (axes,) = figure.axes
    lines = axes.collections[1].get_paths()
    for path, x in zip(lines, (0.25, 0.5, 0.75), strict=True):
        np.testing.assert_allclose(path.vertices[:, 0], x)
    negative, positive = regions(axes)
    assert negative.vertices[:, 0].max() == pytest.approx(0.5, abs=0.01)
    assert positive.vertices[:, 0].min() == pytest.approx(0.5, abs=0.01)
    assert axes.get_title() == "svm"
    assert png(figure).startswith(b"\x89PNG")


def test_labels_and_scores_per_class_give_the_same_regions() -> None:
    y = np.array([0, 1, 2, 1])
    scores = decision_boundary(lambda P: np.column_stack([0.5 - P[:, 0], P[:, 0] - 0.5, P[:, 1] - 3.0]), POINTS, y)
    labels = decision_boundary(lambda P: (P[:, 0] > 0.5).astype(int), POINTS, y)
    for figure in (scores, labels):
        (axes,) = figure.axes
        left, right = regions(axes)[:2]
        assert left.vertices[:, 0].max() == pytest.approx(0.5, abs=0.01)
        assert right.vertices[:, 0].min() == pytest.approx(0.5, abs=0.01)
        assert [t.get_text() for t in axes.get_legend().get_texts()] == ["0", "1", "2"]
        assert len(axes.collections) == 1 + 3  # no margin lines


def test_classes_differ_in_colour_and_in_shape() -> None:
    (axes,) = decision_boundary(lambda P: np.zeros(len(P), int), POINTS, np.arange(4)).axes
    points = axes.collections[1:]
    assert [p.get_offsets().tolist() for p in points] == [[[0, 0]], [[1, 0]], [[0, 2]], [[1, 2]]]
    assert len({tuple(p.get_facecolor()[0]) for p in points}) == 4
    assert len({p.get_paths()[0].vertices.tobytes() for p in points}) == 4


def test_a_model_may_return_a_value_and_records_nothing() -> None:
    w, seen = mg.Value(np.array([[1.0], [0.0]])), []

    def predict(points: Any) -> Any:
        seen.append(mg.Value(points, requires_grad=False) @ w - 0.5)
        return seen[0]

    (axes,) = decision_boundary(predict, POINTS, np.array([0, 1, 0, 1])).axes
    assert seen[0].gate is None
    assert regions(axes)[0].vertices[:, 0].max() == pytest.approx(0.5, abs=0.01)


def test_it_draws_into_given_axes() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert decision_boundary(lambda P: P[:, 0] - 0.5, POINTS, np.array([0, 1, 0, 1]), ax=right) is figure
    assert (len(left.collections), len(figure.axes)) == (0, 2)
    assert right.collections


@pytest.mark.parametrize(
    ("X", "y", "predict", "error", "text"),
    [
        (POINTS[:, :1], [0, 1, 0, 1], None, ShapeError, r"X \(4, 1\) and y \(4,\); expected points \(n, 2\)"),
        (POINTS, [0, 1, 0], None, ShapeError, r"y \(3,\)"),
        (POINTS[:0], [], None, ShapeError, r"X \(0, 2\)"),
        (POINTS * np.nan, [0, 1, 0, 1], None, DtypeError, "not finite numbers"),
        (POINTS.astype(str), [0, 1, 0, 1], None, DtypeError, "not finite numbers"),
        (POINTS, [0, 1, 0, 1], lambda P: P[:5, 0], ShapeError, r"returned \(5,\) for 40000 points"),
        (POINTS, [0, 1, 2, 1], lambda P: P[:, 0], ShapeError, "one score per point, .* y has 3"),
        (POINTS, [0, 1, 2, 7], lambda P: P, ShapeError, "2 scores per point; y has"),
    ],
)
def test_data_that_does_not_fit_is_refused(X: Any, y: Any, predict: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        decision_boundary(predict, X, np.array(y))


# ----------------------------------------------------------------------------------------------------------------- race
def bowl(w: Any) -> Any:
    return 0.5 * (np.array([1.0, 100.0]) * w * w).sum()


def test_row_52_the_picture_shows_every_path_and_where_it_ended() -> None:
    racers = {
        "gradient descent": lambda p: optim.SGD(p, theory.optimal_step(1.0, 100.0)),
        "heavy ball": lambda p: optim.SGD(p, *theory.optimal_momentum(1.0, 100.0)),
        "Adam": lambda p: optim.Adam(p, 0.05),
        "too fast": lambda p: optim.SGD(p, 0.03),
        "Newton": optimize.newton(bowl, [1.0, 1.0]).path,
    }
    figure = optimizer_race(bowl, [1.0, 1.0], racers, steps=60, title="an elongated bowl")
    (axes,) = figure.axes
    *lines, start = axes.lines
    assert start.get_xydata().tolist() == [[1.0, 1.0]]
    k, (low, high) = np.arange(61)[:, None], np.array([axes.get_xlim(), axes.get_ylim()]).T
    descent = np.array([1.0, 1.0]) * (1.0 - 2.0 / 101.0 * np.array([1.0, 100.0])) ** k
    np.testing.assert_allclose(lines[0].get_xydata(), descent, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(lines[4].get_xydata(), [[1.0, 1.0], [0.0, 0.0]], atol=1e-15)
    outside = ((lines[3].get_xydata() < low) | (lines[3].get_xydata() > high)).any(axis=1)
    assert outside.tolist() == [False] * (len(outside) - 1) + [True]
    for line in (*lines[:3], lines[4]):
        assert ((line.get_xydata() >= low) & (line.get_xydata() <= high)).all()
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[0] == f"gradient descent: {bowl(descent[-1]):.2g} after 60 steps"
    assert texts[4:] == ["Newton: 0 after 1 steps", "start"]
    signs = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines]
    assert len({marker for _, marker, _ in signs}) == len({color for color, _, _ in signs}) == 5  # not by colour alone
    assert png(figure).startswith(b"\x89PNG")


def test_row_52_level_lines_are_where_the_function_has_that_height() -> None:
    figure = optimizer_race(bowl, [1.0, 1.0], {"path": [[1.0, 1.0], [0.5, 0.2]]})
    (lines,) = figure.axes[0].collections
    assert len(lines.levels) > 10
    for level, path in zip(lines.levels[5:10], lines.get_paths()[5:10], strict=True):
        heights = [bowl(point) for point in path.vertices]
        np.testing.assert_allclose(heights, level, rtol=0.05)


def test_a_race_goes_on_where_one_overflows_and_with_closures() -> None:
    racers = {
        "overflows": lambda p: optim.SGD(p, 1e150),
        "LBFGS": lambda p: optim.LBFGS(p, line_search_fn="strong_wolfe"),
    }
    axes = optimizer_race(bowl, [1.0, 1.0], racers, steps=5).axes[0]
    first, second = [text.get_text() for text in axes.get_legend().get_texts()][:2]
    assert first.startswith("overflows: ")
    assert second.endswith("after 5 steps")
    assert abs(axes.lines[1].get_xydata()[-1]).max() < 1e-6


@pytest.mark.parametrize(("lr", "width"), [(1.0, 2.6), (0.0, 3e-4)])
def test_a_race_that_nobody_wins_has_a_picture_too(lr: float, width: float) -> None:
    axes = optimizer_race(bowl, [1.0, 1.0], {"a": lambda p: optim.SGD(p, lr)}, steps=3).axes[0]
    assert axes.get_xlim()[1] - axes.get_xlim()[0] == pytest.approx(width)


def test_a_race_draws_into_given_axes_and_leaves_the_start_alone() -> None:
    from matplotlib.figure import Figure

    figure, start = Figure(), np.array([1.0, 0.5])
    axes = figure.subplots()
    assert optimizer_race(bowl, start, {"a": lambda p: optim.SGD(p, 0.01)}, ax=axes) is figure
    assert start.tolist() == [1.0, 0.5]
    assert axes.lines


@pytest.mark.parametrize(
    ("start", "racers", "error", "text"),
    [
        ([1.0, 2.0, 3.0], {"a": lambda p: optim.SGD(p)}, ShapeError, "is no point of the plane"),
        ([1.0, np.nan], {"a": lambda p: optim.SGD(p)}, ShapeError, "two finite numbers"),
        ([1.0, 2.0], {}, DtypeError, "racers is a dict"),
        ([1.0, 2.0], [lambda p: optim.SGD(p)], DtypeError, "racers is a dict"),
        ([1.0, 2.0], {"a": [1.0, 2.0]}, ShapeError, r"the path of 'a' has shape \(2,\); expected finite points"),
        ([1.0, 2.0], {"a": [[1.0, np.inf]]}, ShapeError, "expected finite points"),
    ],
)
def test_a_race_refuses_what_it_cannot_draw(start: Any, racers: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        optimizer_race(bowl, start, racers)


def test_a_race_refuses_what_it_cannot_run() -> None:
    with pytest.raises(ShapeError, match=r"f\(point\) is array\(\[1., 1.\]\); expected one number: use .sum\(\)"):
        optimizer_race(lambda w: w * w, [1.0, 1.0], {"a": lambda p: optim.SGD(p)})
    with pytest.raises(MinigradError, match="is nan: start where it is finite"):
        optimizer_race(lambda w: mg.log(w).sum(), [-1.0, 1.0], {"a": lambda p: optim.SGD(p)})
    with pytest.raises(DtypeError, match="'a' made 3, not an optimizer"):
        optimizer_race(bowl, [1.0, 1.0], {"a": lambda p: 3})


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "minigrad-engine\[plot\]"'):
        plot_history(history({"loss": 1.0}))


def test_no_display_and_no_global_state_are_needed() -> None:
    code = """if True:
        import sys, numpy as np
        from types import SimpleNamespace
        from minigrad import viz
        viz.plot_history(SimpleNamespace(epochs=[{"loss": 1.0}])).savefig(sys.stdout.buffer, format="png")
        sys.exit("matplotlib.pyplot" in sys.modules)"""
    path = str(Path(mg.__file__).parent.parent)
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, check=True)
    assert done.stdout.startswith(b"\x89PNG")
