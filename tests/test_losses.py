"""Losses against their formulas in NumPy, the course notes' numbers and PyTorch, and every way to misuse them."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import DtypeError, ShapeError
from minigrad.nn import functional as F

RNG = np.random.default_rng(4)


# ------------------------------------------------------------------------------------------ formulas, number by number
def log_p(scores: Any) -> Any:
    """log softmax along the axis of the classes."""
    axis = min(scores.ndim - 1, 1)
    return scores - np.log(np.sum(np.exp(scores), axis=axis, keepdims=True))


def labelled(cost: Callable[..., float]) -> Callable[..., Any]:
    """The losses of each example from `cost(row of scores, label, weights, **options)`, and what a mean divides by."""

    def losses(x: Any, y: Any, weight: Any = None, ignore_index: int | None = None, **options: Any) -> Any:
        each, total = np.zeros(np.shape(y)), 0.0
        w = np.ones(x.shape[min(x.ndim - 1, 1)]) if weight is None else np.asarray(weight)
        for index in np.ndindex(np.shape(y)):
            label = np.asarray(y)[index]
            if label != ignore_index:
                row = x[(*index[:1], slice(None), *index[1:])] if index else x
                each[index] = cost(row, label, w, **options)
                total += w[label]
        return each, total

    return losses


@labelled
def by_label(row: Any, label: int, w: Any, label_smoothing: float = 0.0) -> float:
    q = (1.0 - label_smoothing) * np.eye(len(row))[label] + label_smoothing / len(row)
    return -sum(w[c] * q[c] * log_p(row)[c] for c in range(len(row)))


def by_probability(x: Any, q: Any, weight: Any = None, label_smoothing: float = 0.0) -> Any:
    axis = min(x.ndim - 1, 1)
    w = np.ones(x.shape[axis]) if weight is None else np.asarray(weight)
    q = (1.0 - label_smoothing) * q + label_smoothing / x.shape[axis]
    each = -np.sum(np.moveaxis(q * log_p(x), axis, -1) * w, axis=-1)
    return each, each.size


@labelled
def minus_the_labels(row: Any, label: int, w: Any) -> float:
    return -w[label] * row[label]


def questions(x: Any, y: Any, weight: float = 1.0, pos_weight: float = 1.0) -> Any:
    p = 1.0 / (1.0 + np.exp(-x))
    each = -np.asarray(weight) * (np.asarray(pos_weight) * y * np.log(p) + (1.0 - y) * np.log(1.0 - p))
    return each, each.size


def divergence(log_x: Any, target: Any, log_target: bool = False) -> Any:
    q = np.exp(target) if log_target else target
    each = np.where(q > 0, q * (np.log(np.where(q > 0, q, 1.0)) - log_x), 0.0)
    return each, each.size


def huber(x: Any, y: Any, delta: float = 1.0) -> Any:
    d = np.abs(x - y)
    return np.where(d < delta, d * d / 2.0, delta * (d - delta / 2.0)), d.size


def smooth_l1(x: Any, y: Any, beta: float = 1.0) -> Any:
    d = np.abs(x - y)
    return (np.where(d < beta, d * d / 2.0 / beta, d - beta / 2.0) if beta else d), d.size


def binary_hinge(x: Any, y: Any, squared: bool = False) -> Any:
    v = np.maximum(1.0 - np.reshape(y, x.shape) * x, 0.0)
    return v**2 if squared else v, v.size


def of_margins(x: Any, y: Any, margin: float = 1.0, over_classes: str = "sum") -> Any:
    each = [
        [max(0.0, s - row[label] + margin) for c, s in enumerate(row) if c != label]
        for row, label in zip(x.reshape(-1, x.shape[-1]), np.ravel(y), strict=True)
    ]
    return np.array([{"sum": sum, "max": max}[over_classes](v) for v in each]).reshape(np.shape(y)), len(each)


def over_the_classes(x: Any, y: Any, p: int = 1, margin: float = 1.0, weight: Any = None) -> Any:
    w = np.ones(x.shape[-1]) if weight is None else np.asarray(weight)
    each = [
        w[label] * sum(max(0.0, s - row[label] + margin) ** p for c, s in enumerate(row) if c != label) / len(row)
        for row, label in zip(x.reshape(-1, x.shape[-1]), np.ravel(y), strict=True)
    ]
    return np.array(each).reshape(np.shape(y)), len(each)


# ----------------------------------------------------------------------------------------------------------- the cases
class Case(NamedTuple):
    name: str  # of the class, also in PyTorch
    options: dict[str, Any]
    input: Any
    target: Any
    truth: Callable[..., Any]  # (losses of each example, what a mean divides their sum by)

    def loss(self, **options: Any) -> Any:
        return getattr(nn, self.name)(**self.options, **options)


def grid(**options: list[Any]) -> list[dict[str, Any]]:
    """Every combination, where None stands for the default."""
    rows = [dict(zip(options, row, strict=True)) for row in product(*options.values())]
    return [{name: x for name, x in row.items() if x is not None} for row in rows]


def cases() -> list[Case]:
    def scores(*shape: int) -> Any:
        return RNG.normal(size=shape) * 2.0

    def shares(*shape: int) -> Any:
        e = np.exp(scores(*shape))
        return e / e.sum(axis=min(len(shape) - 1, 1), keepdims=True)

    w, found = np.array([0.5, 2.0, 0.0, 1.5]), []
    y, image = np.array([2, 0, 3, 3, 1]), np.array([[[0, 3], [1, 2], [2, 0]], [[3, 3], [1, 1], [0, 2]]])
    x, xs, one = scores(5, 4), scores(2, 4, 3, 2), scores(4)
    for options in grid(weight=[None, w], ignore_index=[None, 3, -1], label_smoothing=[None, 0.3]):
        ignored = options.get("ignore_index")
        targets = [np.where(y == 3, ignored, y), np.where(image == 3, ignored, image)] if ignored else [y, image]
        found += [Case("CrossEntropyLoss", options, x, targets[0], by_label)]
        found += [Case("CrossEntropyLoss", options, xs, targets[1], by_label)]
        found += [Case("CrossEntropyLoss", options, one, np.array(1), by_label)]
        if "label_smoothing" not in options:
            found += [Case("NLLLoss", options, log_p(x), targets[0], minus_the_labels)]
            found += [Case("NLLLoss", options, log_p(xs), targets[1], minus_the_labels)]
            found += [Case("NLLLoss", options, log_p(one), np.array(1), minus_the_labels)]
        if not ignored:
            for a in (x, xs, one):
                found += [Case("CrossEntropyLoss", options, a, shares(*a.shape), by_probability)]
    yes, part = RNG.integers(0, 2, (5, 4)), RNG.uniform(0.05, 0.95, (5, 4))
    for options in grid(weight=[None, np.array([[1.0], [0.0], [2.0], [0.5], [3.0]])], pos_weight=[None, w]):
        found += [Case("BCEWithLogitsLoss", options, x, t, questions) for t in (yes.astype(float), part)]
    found += [Case("BCEWithLogitsLoss", {}, one, part[0], questions)]
    zeros = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], *shares(3, 4)])
    found += [Case("KLDivLoss", {}, log_p(x), q, divergence) for q in (shares(5, 4), zeros)]
    found += [Case("KLDivLoss", {"log_target": True}, log_p(x), np.log(shares(5, 4)), divergence)]
    for a in (x, one, scores(2, 3, 2), np.array(0.3)):
        b = a + scores(*a.shape)
        found += [Case("MSELoss", {}, a, b, lambda x, y: ((x - y) ** 2, np.size(x)))]
        found += [Case("L1Loss", {}, a, b, lambda x, y: (np.abs(x - y), np.size(x)))]
        found += [Case("HuberLoss", options, a, b, huber) for options in grid(delta=[None, 0.3, 5.0])]
        found += [Case("SmoothL1Loss", options, a, b, smooth_l1) for options in grid(beta=[None, 0.3, 5.0, 0.0])]
    sign = np.where(y > 1, 1, -1)
    for options, shape in product(grid(squared=[None, True]), [(5,), (5, 1)]):
        found += [Case("HingeLoss", options, scores(*shape), sign, binary_hinge)]
    for options in grid(margin=[None, 2.5], over_classes=[None, "max"]):
        found += [Case("MulticlassHingeLoss", options, x, y, of_margins)]
        found += [Case("MulticlassHingeLoss", options, one, np.array(2), of_margins)]
    for options in grid(p=[None, 2], margin=[None, 0.4], weight=[None, w]):
        found += [Case("MultiMarginLoss", options, x, y, over_the_classes)]
        found += [Case("MultiMarginLoss", options, one, np.array(2), over_the_classes)]
    return found


def label_of(case: Case) -> str:
    options = ",".join(f"{k}={'w' if np.ndim(v) else v}" for k, v in case.options.items())
    kind = "soft" if case.truth is by_probability else ""
    return f"{case.name}({options}){np.shape(case.input)}{kind}"


CASES = cases()
each_case = pytest.mark.parametrize("case", CASES, ids=label_of)


def test_every_loss_is_among_the_cases() -> None:
    """As a class and as a function: what is new must come into the cases."""
    classes = {name for name in nn.__all__ if name.endswith("Loss")}
    assert {case.name for case in CASES} == classes
    functions = {getattr(nn, name).function.__name__ for name in classes}
    assert {name for name in nn.losses.__all__ if name[0].islower()} == functions
    assert all(getattr(F, name) is getattr(nn.losses, name) for name in functions)


@each_case
def test_every_reduction_is_the_formula(case: Case) -> None:
    each, divisor = case.truth(case.input, case.target, **case.options)
    for input in (case.input, mg.Value(case.input)):
        out = case.loss(reduction="none")(input, case.target)
        got = out.data if isinstance(out, mg.Value) else out
        assert np.shape(got) == np.shape(each) or case.name == "HingeLoss"
        np.testing.assert_allclose(np.ravel(got), np.ravel(each), rtol=1e-12, atol=1e-14)
        assert float(case.loss(reduction="sum")(input, case.target)) == pytest.approx(np.sum(each), rel=1e-12)
        for loss in (case.loss(), case.loss(reduction="mean")):
            assert float(loss(input, case.target)) == pytest.approx(np.sum(each) / divisor, rel=1e-12)


@each_case
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_every_loss_to_second_order(case: Case, reduction: str) -> None:
    loss = case.loss(reduction=reduction)
    assert mg.gradcheck(lambda x: loss(x, case.target), case.input, order=2)


SOFT = [case for case in CASES if case.truth in (by_probability, questions, divergence) and np.all(case.target != 0)]
SOFT += [case for case in CASES if case.name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss")]
SOFT = [case for case in SOFT if "HingeLoss" not in case.name]


@pytest.mark.parametrize("case", [c for c in SOFT if not np.isin(c.target, (0.0, 1.0)).any()], ids=label_of)
def test_targets_that_are_values_have_a_gradient(case: Case) -> None:
    loss = case.loss()
    assert mg.gradcheck(loss, case.input, case.target, order=2)


@each_case
def test_float32_stays_float32(case: Case) -> None:
    x = mg.Value(case.input.astype(np.float32))
    loss = case.loss()(x, case.target)
    loss.backward()
    assert (loss.dtype, x.grad.dtype) == (np.float32, np.float32)
    assert loss.item() == pytest.approx(float(case.loss()(case.input, case.target)), rel=1e-5)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:reduction.*batchmean")
@pytest.mark.parametrize(
    ("case", "reduction"),
    [(case, r) for case in CASES for r in ("mean", "sum", "none", *["batchmean"] * (case.name == "KLDivLoss"))],
    ids=lambda x: x if isinstance(x, str) else label_of(x),
)
def test_losses_are_pytorchs(case: Case, reduction: str) -> None:
    """Loss and gradient; and where PyTorch has it, the gradient of a function of the gradient."""
    torch = pytest.importorskip("torch")
    options = {k: torch.tensor(v) if np.ndim(v) else v for k, v in case.options.items()}
    x = torch.tensor(case.input, requires_grad=True)
    y = torch.tensor(case.target)
    if case.name == "HingeLoss":
        each = torch.clamp(1.0 - y.reshape(x.shape) * x, min=0.0) ** (2 if options else 1)
    elif case.name == "MulticlassHingeLoss":
        rows, labels = x.reshape(-1, 4), y.reshape(-1, 1)
        v = torch.clamp(rows - rows.gather(1, labels) + options.get("margin", 1.0), min=0.0).scatter(1, labels, 0.0)
        each = v.amax(1) if "over_classes" in options else v.sum(1)
        each = each.reshape(y.shape)
    else:
        each, their_loss = None, getattr(torch.nn, case.name)(**options, reduction=reduction)
        assert list(case.loss().state_dict()) == list(their_loss.state_dict())
        theirs = their_loss(x, y)
    if each is not None:
        theirs = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    upstream = np.cos(np.arange(theirs.numel())).reshape(tuple(theirs.shape))
    g = torch.autograd.grad(theirs, x, torch.tensor(upstream), create_graph=True)[0]
    ours = mg.Value(case.input)
    out = case.loss(reduction=reduction)(ours, case.target)
    np.testing.assert_allclose(out.data, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)
    slope = mg.grad(lambda v: mg.sum(case.loss(reduction=reduction)(v, case.target) * upstream))(case.input)
    np.testing.assert_allclose(slope, g.detach().numpy(), rtol=1e-11, atol=1e-13)
    if not g.requires_grad or case.name == "MultiMarginLoss":
        return
    second = torch.autograd.grad((torch.sin(g) * g).sum(), x)[0]

    def of_the_gradient(v: Any) -> Any:
        h = mg.grad(lambda u: mg.sum(case.loss(reduction=reduction)(u, case.target) * upstream))(v)
        return mg.sum(mg.sin(h) * h)

    np.testing.assert_allclose(mg.grad(of_the_gradient)(case.input), second.numpy(force=True), rtol=1e-10, atol=1e-12)


@pytest.mark.oracle
def test_signatures_are_pytorchs() -> None:
    """The same names and defaults in the same order; size_average and reduce are gone, and what follows is by name."""
    import inspect

    torch = pytest.importorskip("torch")
    names = [n for n in nn.losses.__all__ if hasattr(torch.nn, n) or hasattr(torch.nn.functional, n)]
    assert len(names) == 18
    for name in names:
        ours, theirs = getattr(nn, name, None) or getattr(F, name), getattr(torch.nn, name, None)
        theirs = inspect.signature(theirs or getattr(torch.nn.functional, name)).parameters
        mine = inspect.signature(ours).parameters
        expected = [n for n in theirs if n in mine]
        assert list(mine) == expected, name
        assert set(theirs) - set(mine) <= {"size_average", "reduce", "weight"}, name
        assert all(mine[n].default == theirs[n].default for n in mine if mine[n].default is not mine[n].empty), name
        deprecated = list(theirs).index("size_average") if "size_average" in theirs else len(theirs)
        for n, p in mine.items():
            assert (p.kind is p.KEYWORD_ONLY) == (list(theirs).index(n) > deprecated), (name, n)


# --------------------------------------------------------------------------------------------------- the notes' numbers
@pytest.mark.parametrize(("score", "expected", "slope"), [(2.0, 0.0, 0.0), (0.3, 0.7, -1.0), (-1.0, 2.0, -1.0)])
def test_row_33_binary_hinge(score, expected, slope):
    for label in (1, -1):
        s = mg.Value([label * score])
        loss = nn.HingeLoss()(s, [label])
        loss.backward()
        assert loss.item() == pytest.approx(expected, abs=1e-15)
        assert s.grad.tolist() == [label * slope]


def test_row_34_weston_and_watkins():
    assert F.multiclass_hinge_loss(mg.Value([[13.0, -7.0, 11.0]]), [0], margin=10.0).item() == 8.0
    cat_car_frog = [[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]]  # of CS231n's lecture
    np.testing.assert_allclose(F.multiclass_hinge_loss(cat_car_frog, [0, 1, 2], reduction="none"), [2.9, 0.0, 12.9])
    assert F.multiclass_hinge_loss(cat_car_frog, [0, 1, 2]) == pytest.approx(5.27, abs=5e-3)
    scores = mg.Value([[-2.85, 0.86, 0.28]])
    loss = nn.MulticlassHingeLoss()(scores, [2])
    loss.backward()
    assert loss.item() == pytest.approx(1.58, abs=1e-12)
    assert scores.grad.tolist() == [[0.0, 1.0, -1.0]]


def test_row_34_the_right_classs_weights_move_by_the_number_of_violations():
    svm, x = nn.LinearSVM(3, 5), np.array([1.0, 2.0, 3.0])
    nn.MulticlassHingeLoss()(svm(x[None, :]), [4]).backward()
    np.testing.assert_array_equal(svm.weight.grad, [x, x, x, x, -4.0 * x])


def test_row_35_softmax_cross_entropy():
    scores = mg.Value([[-2.85, 0.86, 0.28]])
    assert F.cross_entropy(scores, [2]).item() == pytest.approx(1.0401905694, abs=1e-10)
    np.testing.assert_allclose(F.softmax(np.array([1.0, -2.0, 0.0])), [0.7054, 0.0351, 0.2595], atol=5e-5)


@pytest.mark.parametrize("classes", [3, 10, 1000])
def test_rows_34_and_35_initial_losses(classes, rng):
    """Small weights know nothing: classes - 1 for the SVM (9.0 for ten), log(classes) for softmax (2.3026 for ten)."""
    X, y = rng.normal(size=(50, 8)), rng.integers(0, classes, 50)
    svm = nn.LinearSVM(8, classes, rng=0)
    assert nn.MulticlassHingeLoss()(svm(X), y).item() == pytest.approx(classes - 1, rel=2e-3)
    assert nn.CrossEntropyLoss()(svm(X), y).item() == pytest.approx(math.log(classes), rel=2e-3)
    nn.init.zeros_(svm.weight)
    assert nn.MulticlassHingeLoss()(svm(X), y).item() == classes - 1
    assert nn.CrossEntropyLoss()(svm(X), y).item() == pytest.approx(math.log(classes), rel=1e-14)


def test_row_34_multi_margin_divides_by_the_classes():
    """Trap T5: 9 for ten classes, and 0.9 with PyTorch's name."""
    x, y = mg.Value(np.zeros((4, 10))), [0, 3, 9, 1]
    assert nn.MulticlassHingeLoss()(x, y).item() == 9.0
    assert nn.MultiMarginLoss()(x, y).item() == pytest.approx(0.9, rel=1e-15)
    assert nn.MulticlassHingeLoss(over_classes="max")(x, y).item() == 1.0


# ------------------------------------------------------------------------------------------- large, small, closed forms
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name != "KLDivLoss" and c.truth is not by_probability], ids=label_of
)
@pytest.mark.parametrize("size", [1e3, 1e150, 0.8e308])
def test_huge_scores_never_make_a_nan(case: Case, size: float) -> None:
    x = mg.Value(np.sign(case.input) * size)
    target = (
        np.zeros_like(case.target) if case.name in ("MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss") else case.target
    )
    loss = case.loss(reduction="sum")(x, target)
    loss.backward()
    assert not np.isnan(loss.data)
    assert not np.isnan(x.grad).any()


def test_losses_near_zero_keep_their_digits() -> None:
    """-log p = log1p(others) and p - 1 = -others: 1 - p is 0 in float64, and the loss is not."""
    for gap in (10.0, 40.0, 300.0, 700.0):
        others = 2.0 * math.exp(-gap)
        x = mg.Value([[gap, 0.0, 0.0]])
        loss = F.cross_entropy(x, [0])
        loss.backward()
        assert loss.item() == pytest.approx(math.log1p(others), rel=1e-13)
        np.testing.assert_allclose(x.grad, [[-others / (1 + others), *[others / 2 / (1 + others)] * 2]], rtol=1e-13)
        z = mg.Value([gap, -gap])
        loss = F.binary_cross_entropy_with_logits(z, [1.0, 0.0], reduction="sum")
        loss.backward()
        e = math.exp(-gap)
        assert loss.item() == pytest.approx(2.0 * math.log1p(e), rel=1e-13)
        np.testing.assert_allclose(z.grad, [-e / (1 + e), e / (1 + e)], rtol=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 1e-30])
def test_probabilities_that_are_nearly_certain_keep_their_digits(smoothing: float) -> None:
    """-Σ q log p with q all but one-hot: -log p = log1p(others), plus the little probability times the distance."""
    for gap in (10.0, 40.0, 300.0, 700.0):
        others = 2.0 * math.exp(-gap)
        x = mg.Value([[gap, 0.0, 0.0]])
        loss = F.cross_entropy(x, [[1.0, 0.0, 0.0]], label_smoothing=smoothing)
        loss.backward()
        assert loss.item() == pytest.approx(math.log1p(others) + smoothing * 2.0 / 3.0 * gap, rel=1e-13)
        if not smoothing:
            np.testing.assert_allclose(x.grad, [[-others / (1 + others), *[others / 2 / (1 + others)] * 2]], rtol=1e-13)


@pytest.mark.parametrize("infinity", [np.inf, 1e308])
def test_logits_that_are_masked_with_minus_infinity(infinity: float) -> None:
    """A class that can't be costs nothing and gets no gradient, as long as it is not the answer."""
    x = np.array([[1.0, -infinity, 2.0], [-infinity, 0.5, -infinity]])
    p = math.exp(2.0) / (math.exp(1.0) + math.exp(2.0))
    q = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    for loss in (
        lambda v: F.cross_entropy(v, [2, 1], reduction="none"),
        lambda v: F.cross_entropy(v, q, reduction="none"),
        lambda v: F.nll_loss(F.log_softmax(v), [2, 1], reduction="none"),
        lambda v: mg.sum(F.kl_div(F.log_softmax(v), q, reduction="none"), axis=1),
    ):
        v = mg.Value(x)
        out = loss(v)
        np.testing.assert_allclose(out.data, [-math.log(p), 0.0], atol=1e-15)
        out.sum().backward()
        np.testing.assert_allclose(v.grad, [[1.0 - p, 0.0, p - 1.0], [0.0, 0.0, 0.0]], atol=1e-15)
    assert F.cross_entropy(x, [1, 1], reduction="none")[0] >= 1e308, "it is the answer"


@pytest.mark.filterwarnings("error")
def test_raw_scores_far_apart_overflow_in_silence() -> None:
    x = np.array([[1e308, -1e308], [0.0, 1.0]])
    assert F.multiclass_hinge_loss(x, [1, 0], reduction="none").tolist() == [np.inf, 2.0]
    assert F.cross_entropy(x, [[0.5, 0.5], [1.0, 0.0]], reduction="none")[0] == np.inf


def test_an_answer_that_is_certain() -> None:
    scores = mg.Value([[0.0, -np.inf], [1.0, 1.0]])
    loss = F.cross_entropy(scores, [1, 0], weight=[2.0, 0.0], reduction="none")
    np.testing.assert_allclose(loss.data, [0.0, 2.0 * math.log(2.0)])
    z = mg.Value([np.inf, -np.inf, np.inf])
    loss = F.binary_cross_entropy_with_logits(z, [1.0, 0.0, 0.0], reduction="none")
    assert loss.data.tolist() == [0.0, 0.0, np.inf]
    loss.sum().backward()
    assert z.grad.tolist() == [0.0, 0.0, 1.0]
    scores = mg.Value(np.array([[-np.inf, 0.0]]))
    loss = F.kl_div(scores, [[0.0, 1.0]], reduction="sum")
    loss.backward()
    assert loss.item() == 0.0
    assert scores.grad.tolist() == [[0.0, -1.0]]


def test_the_gradient_of_the_cross_entropy_is_p_minus_q(rng: np.random.Generator) -> None:
    """And its Hessian diag(p) - p pᵀ, whatever the target."""
    s = rng.normal(size=4)
    p, q = np.exp(s) / np.exp(s).sum(), np.array([0.1, 0.2, 0.3, 0.4])
    for target, expected in ((2, np.eye(4)[2]), (q, q)):
        np.testing.assert_allclose(mg.grad(lambda v, t=target: F.cross_entropy(v, t))(s), p - expected, atol=1e-15)
        curve = mg.hessian(lambda v, t=target: F.cross_entropy(v, t))(s)
        np.testing.assert_allclose(curve, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_slopes_of_the_errors() -> None:
    """(x - y) up to delta, then ±delta; the parabola's curve is 1, also at 0, the line's is 0."""
    x = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])
    for loss, slopes in (
        (lambda v: F.huber_loss(v, np.zeros(7), "sum", 1.0), [-1, -1, -0.5, 0, 0.5, 1, 1]),
        (lambda v: F.smooth_l1_loss(v, np.zeros(7), reduction="sum", beta=2.0), [-1, -0.5, -0.25, 0, 0.25, 0.5, 1]),
        (lambda v: F.smooth_l1_loss(v, np.zeros(7), reduction="sum", beta=0.0), [-1, -1, -1, 0, 1, 1, 1]),
        (lambda v: F.l1_loss(v, np.zeros(7), reduction="sum"), [-1, -1, -1, 0, 1, 1, 1]),
        (lambda v: F.mse_loss(v, np.zeros(7), reduction="sum"), 2 * x),
    ):
        np.testing.assert_array_equal(mg.grad(loss)(x), slopes)
    curve = np.diag(mg.hessian(lambda v: F.huber_loss(v, np.zeros(7), "sum"))(x))
    assert curve[[0, 2, 3, 4, 6]].tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_ties_of_the_worst_class_share_its_gradient() -> None:
    x = mg.Value([[0.0, 1.0, 1.0, -5.0], [9.0, 1.0, 2.0, 3.0]])
    F.multiclass_hinge_loss(x, [0, 0], over_classes="max", reduction="sum").backward()
    assert x.grad.tolist() == [[-1.0, 0.5, 0.5, 0.0], [0.0] * 4]


def test_the_divergence_is_cross_entropy_minus_entropy(rng: np.random.Generator) -> None:
    x, e = rng.normal(size=(5, 3)), np.exp(rng.normal(size=(5, 3)))
    q = e / e.sum(axis=1, keepdims=True)
    entropy = -np.sum(q * np.log(q)) / 5
    divergence = F.kl_div(F.log_softmax(x), q, reduction="batchmean")
    assert divergence == pytest.approx(F.cross_entropy(x, q) - entropy, rel=1e-13)
    assert F.kl_div(F.log_softmax(x), q) == pytest.approx(divergence / 3, rel=1e-13)
    assert F.kl_div(np.log(q), q, reduction="sum") == 0.0


# --------------------------------------------------------------------------------------------------------- what is left
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_a_mean_of_nothing_is_nan(loss: Any) -> None:
    x = mg.Value([[1.0, 2.0], [3.0, 4.0]])
    assert math.isnan(loss(x, [-100, -100]).item())
    assert loss(x, [-100, -100], reduction="sum").item() == 0.0
    assert loss(x, [-100, -100], reduction="none").data.tolist() == [0.0, 0.0]
    assert math.isnan(loss(x, [0, 0], weight=[0.0, 1.0]).item())
    assert math.isnan(loss(x.data, [7, 7], ignore_index=7))


def test_ignored_scores_get_no_gradient_even_if_they_are_infinite() -> None:
    x = mg.Value([[1.0, 2.0], [np.inf, 4.0]])
    loss = F.cross_entropy(x, [0, -100])
    loss.backward()
    assert loss.item() == pytest.approx(math.log1p(math.e))
    np.testing.assert_allclose(x.grad[0], [-1 / (1 + 1 / math.e), 1 / (1 + 1 / math.e)])


def test_sums_and_lists_of_an_empty_batch() -> None:
    x = mg.Value(np.zeros((0, 3)))
    assert F.cross_entropy(x, [], reduction="sum").item() == 0.0
    assert F.cross_entropy(x, [], reduction="none").shape == (0,)
    assert F.mse_loss(x, np.zeros((0, 3)), reduction="sum").item() == 0.0


def test_weights_are_buffers() -> None:
    loss = nn.CrossEntropyLoss(weight=[1.0, 3.0])
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []
    assert list(nn.BCEWithLogitsLoss(np.ones(2), pos_weight=np.ones(2)).state_dict()) == ["weight", "pos_weight"]
    assert list(nn.MultiMarginLoss(weight=[1.0, 2.0]).state_dict()) == ["weight"]
    loss.load_state_dict({"weight": np.array([3.0, 1.0])})
    assert loss(np.zeros((1, 2)), [0]) == pytest.approx(math.log(2.0))
    assert loss.to(np.float32).weight.dtype == np.float32
    assert list(loss.parameters()) == []


def test_options_can_be_changed_and_are_shown() -> None:
    loss = nn.HuberLoss(delta=2.0)
    assert repr(loss) == "HuberLoss(delta=2.0)"
    assert repr(nn.CrossEntropyLoss(weight=[1.0, 2.0])) == "CrossEntropyLoss(weight=(2,))"
    assert repr(nn.MSELoss()) == "MSELoss()"
    loss.reduction = "sum"
    assert loss([1.0, 0.0], [0.0, 4.0]) == 6.5


def test_inputs_of_every_kind() -> None:
    """Lists, arrays, values; raw numbers give raw numbers."""
    for loss, x, y in (
        (F.cross_entropy, [[1, 2], [3, 4]], [0, 1]),
        (F.nll_loss, [[-1, -2], [-3, -4]], [0, 1]),
        (F.binary_cross_entropy_with_logits, [1, 2], [True, False]),
        (F.mse_loss, [1, 2], [3, 5]),
        (F.kl_div, [-1, -2], [0, 1]),
        (F.hinge_loss, [1, 2], [1, -1]),
        (F.multi_margin_loss, [[1, 2], [3, 4]], [0, 1]),
        (F.multiclass_hinge_loss, [[1, 2], [3, 4]], [0, 1]),
        (F.huber_loss, [1, 2], [3, 5]),
    ):
        raw = loss(np.array(x, float), y)
        assert type(raw) is float
        assert loss(x, y) == raw
        assert loss(mg.Value(x), y).data == raw
        assert loss(input=mg.Value(x), target=np.array(y)).data == raw


X = np.zeros((3, 2))
MISUSE = [
    (lambda: F.cross_entropy(X, X - 1.0), ValueError, r"cross_entropy: the target has -1; it holds probabilities"),
    (lambda: F.cross_entropy(X, X + 1.0), ValueError, r"add up to 2, not 1; .*binary_cross_entropy_with_logits"),
    (lambda: F.cross_entropy(X, X + np.nan), ValueError, r"the target has nan"),
    (lambda: F.cross_entropy(X, mg.Value(X + 2.0)), ValueError, r"the target has 2; "),
    (lambda: F.cross_entropy(X, [0, 1, 1], [1.0, 2.0, 3.0]), ShapeError, r"weight has shape \(3,\).*\(2,\)"),
    (lambda: F.cross_entropy(X, [0, 1, 1], 1.0), ShapeError, r"weight has shape \(\); one number per class is \(2,\)"),
    (lambda: F.cross_entropy(X, [0, 1, 1], [1.0, -2.0]), ValueError, r"weight has -2; weights are finite"),
    (lambda: F.cross_entropy(X, [0, 1, 1], [1.0, np.nan]), ValueError, r"weight has nan"),
    (lambda: F.cross_entropy(X, [0, 1, 1], mg.Value([1.0, 2.0])), DtypeError, r"pass weight\.data"),
    (lambda: F.cross_entropy(X, [0, 1, 1], "mean"), ShapeError, r"weight has shape \(\)"),
    (lambda: F.cross_entropy(X, [0, 1, 1], None, "sum"), TypeError, r"positional"),
    (lambda: F.cross_entropy(X, [0, 1, 1], size_average=False), TypeError, r"size_average"),
    (lambda: F.cross_entropy(X, [0, 1, 7], ignore_index=-1), ShapeError, r"label 7 \(number 2\).*classes 0 to 1"),
    (lambda: F.cross_entropy(X, [-1, 1, 7], ignore_index=-1), ShapeError, r"label 7 \(number 2\)"),
    (lambda: F.cross_entropy(X, [0, 1, 5], ignore_index=0.5), DtypeError, r"ignore_index=0.5 is not a whole number"),
    (lambda: F.cross_entropy(X, [0, 1, 1], label_smoothing=1.5), ValueError, r"label_smoothing=1.5; it is .* 0 to 1"),
    (lambda: F.cross_entropy(X, [0, 1, 1], label_smoothing="a"), DtypeError, r"label_smoothing='a' is not a number"),
    (lambda: F.cross_entropy(X, X + 0.5, ignore_index=1), ValueError, r"ignore_index=1 is for labels"),
    (lambda: F.cross_entropy(X, np.eye(2, dtype=int)[[0, 1, 1]]), ShapeError, r"one-hot rows use y\.argmax\(axis=1\)"),
    (lambda: F.cross_entropy(1.0, 1), ShapeError, r"scores are a single number"),
    (lambda: F.nll_loss(X, [0.0, 1.0, 1.0]), DtypeError, r"nll_loss: labels are class numbers"),
    (lambda: F.nll_loss(X, [0, 1]), ShapeError, r"nll_loss: labels have shape \(2,\)"),
    (lambda: F.nll_loss(X, [0, 1, 2]), ShapeError, r"nll_loss: label 2"),
    (lambda: F.mse_loss(X, np.zeros(3)), ShapeError, r"mse_loss: input \(3, 2\) and target \(3,\) differ"),
    (lambda: F.mse_loss(X[:, :1], np.zeros(3)), ShapeError, r"use target\.reshape\(3, 1\)"),
    (lambda: F.l1_loss(np.zeros(3), X[:, :1]), ShapeError, r"l1_loss: .*use target\.reshape\(3,\)"),
    (lambda: F.mse_loss(X, X.astype(complex)), DtypeError, r"mse_loss: the target holds complex128, not numbers"),
    (lambda: F.mse_loss([1.0], ["a"]), DtypeError, r"mse_loss: the target holds <U1"),
    (lambda: F.mse_loss([1.0], None), DtypeError, r"mse_loss: the target holds object, not numbers"),
    (lambda: F.mse_loss([1.0], [mg.Value(1.0)]), DtypeError, r"use v\.data .*mg\.stack"),
    (lambda: F.mse_loss(np.zeros(0), np.zeros(0)), ShapeError, r"mse_loss: the batch is empty"),
    (lambda: F.huber_loss(X, X, delta=0.0), ValueError, r"huber_loss: delta=0\.0; it is a number above 0"),
    (lambda: F.huber_loss(X, X, delta=math.nan), ValueError, r"delta=nan"),
    (lambda: F.huber_loss(X, X, delta="1"), DtypeError, r"delta='1' is not a number"),
    (lambda: F.huber_loss(X, X, 0.5), ValueError, r"reduction=0\.5"),
    (lambda: F.hinge_loss(X[0], [1, -1], "sum"), DtypeError, r"hinge_loss: squared='sum'; it is True or False"),
    (lambda: F.kl_div(X, X, log_target="no"), DtypeError, r"kl_div: log_target='no'; it is True or False"),
    (lambda: F.nll_loss(X, [0, 1, 1], ignore_index=None), DtypeError, r"ignore_index=None is not a whole number"),
    (lambda: F.multiclass_hinge_loss(X, [0, 1, 1], math.nan), ValueError, r"margin=nan; it is a finite number"),
    (lambda: F.smooth_l1_loss(X, X, beta=-1.0), ValueError, r"smooth_l1_loss: beta=-1\.0; it is .* at least 0"),
    (lambda: F.binary_cross_entropy_with_logits(X[0], [1, -1]), ValueError, r"use \(y \+ 1\) / 2, or hinge_loss"),
    (lambda: F.binary_cross_entropy_with_logits(X[0], [0, 3]), ValueError, r"has 3; it holds probabilities"),
    (lambda: F.binary_cross_entropy_with_logits(X, [0, 1]), ShapeError, r"input \(3, 2\) and target \(2,\) differ"),
    (
        lambda: F.binary_cross_entropy_with_logits(X, X, pos_weight=[1.0, 2.0, 3.0]),
        ShapeError,
        r"pos_weight \(3,\) doesn't broadcast to the input's shape \(3, 2\)",
    ),
    (lambda: F.binary_cross_entropy_with_logits(X, X, np.ones((4, 3, 2))), ShapeError, r"weight \(4, 3, 2\) doesn't"),
    (lambda: F.binary_cross_entropy_with_logits(X, X, pos_weight=[1.0, -1.0]), ValueError, r"pos_weight has -1"),
    (lambda: F.kl_div(X, X - 1.0), ValueError, r"the target has -1; .*log_target=True"),
    (lambda: F.kl_div(X, X[:1]), ShapeError, r"kl_div: input \(3, 2\) and target \(1, 2\) differ"),
    (lambda: F.kl_div(X, X, reduction="average"), ValueError, r"'mean', 'sum', 'batchmean' or 'none'"),
    (lambda: F.kl_div(0.0, 1.0, reduction="batchmean"), ShapeError, r"'batchmean' needs a batch"),
    (lambda: F.mse_loss(X, X, reduction="batchmean"), ValueError, r"reduction='batchmean'; it is 'mean', 'sum' or"),
    (lambda: F.multi_margin_loss(X, [0, 1, 1], p=3), ValueError, r"multi_margin_loss: p=3; it is 1 or 2"),
    (lambda: F.multi_margin_loss(X, [0, 1, 1], margin=None), DtypeError, r"margin=None is not a number"),
    (lambda: F.multi_margin_loss(X, [0, 1, 1], weight=[1.0]), ShapeError, r"weight has shape \(1,\)"),
    (lambda: F.multi_margin_loss(X, [0, 1, 2]), ShapeError, r"multi_margin_loss: label 2"),
    (lambda: F.multiclass_hinge_loss(X, [0, 1, 1], over_classes="mean"), ValueError, r"over_classes='mean'; it is"),
    (lambda: nn.CrossEntropyLoss(weight=mg.Value([1.0, 2.0])), DtypeError, r"weight is a raw .*pass weight\.data"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), MISUSE, ids=[text for _, _, text in MISUSE])
def test_misuse(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


@each_case
def test_unknown_reductions(case: Case) -> None:
    with pytest.raises(ValueError, match=rf"{case.loss().function.__name__}: reduction='average'; it is 'mean', 'sum'"):
        case.loss(reduction="average")(case.input, case.target)


# -------------------------------------------------------------------------------------------------------------- labels
OF_CLASSES = [F.cross_entropy, F.nll_loss, F.multiclass_hinge_loss, F.multi_margin_loss]


@pytest.mark.parametrize("loss", [*OF_CLASSES, F.hinge_loss])
def test_labels_are_raw_and_come_second(loss):
    with pytest.raises(DtypeError, match=r"raw class numbers: pass y\.data; the order is loss\(scores, labels\)"):
        loss(np.array([0, 1]), mg.Value(np.zeros((2, 3))))


@pytest.mark.parametrize("loss", OF_CLASSES)
@pytest.mark.parametrize(
    ("scores", "labels", "error", "text"),
    [
        ((3, 2), [0, 1], ShapeError, r"labels have shape \(2,\); scores \(3, 2\) need \(3,\)"),
        ((3, 2), [[0], [1], [0]], ShapeError, r"labels have shape \(3, 1\).*use y\.reshape\(\[3\]\)"),
        ((3, 2), None, DtypeError, "labels are None, not class numbers"),
        ((3, 1), [0, 1, 0], ShapeError, r"label 1 .*classes 0 to 0; .*binary_cross_entropy_with_logits"),
        ((3, 2), [[1, 0], [0, 1], [1, 0]], ShapeError, r"labels have shape \(3, 2\)"),
        ((3, 2), 1, ShapeError, r"labels have shape \(\)"),
        ((3, 2), [0.0, 1.0, 0.0], DtypeError, r"class numbers \(integers\), not float64; use y.astype\(int\)"),
        ((3, 2), [True, False, True], DtypeError, "not bool"),
        ((3, 2), ["a", "b", "a"], DtypeError, r"labels are text; number the classes: np\.unique\(y"),
        ((3, 2), [0, 1, 2], ShapeError, r"label 2 \(number 2\), but the scores have the classes 0 to 1"),
        ((3, 2), [0, -1, 1], ShapeError, r"label -1 \(number 1\), but the scores have the classes 0 to 1"),
        ((3, 2), np.array([0, 255, 1], np.uint8), ShapeError, r"label 255 \(number 1\)"),
        ((3, 2), np.array([0, 1, 2**63 + 1], np.uint64), ShapeError, r"number 2"),
        ((0, 2), [], ShapeError, "the batch is empty"),
        ((2,), [0, 1], ShapeError, r"scores \(2,\) need \(\): one class each"),
        ((1, 2, 3), [0], ShapeError, r"scores \(1, 2, 3\) need \(1, 3\): one class each"),
    ],
)
def test_labels_that_name_no_class(loss, scores, labels, error, text):
    p = mg.Value(np.zeros(scores))
    optimizer = optim.SGD([p], lr=0.1)
    for values in (p, p.data):
        with pytest.raises(error, match=f"{loss.__name__}: .*{text}"):
            loss(values, labels)
    optimizer.step()
    assert p.grad is None
    assert not p.data.any()


@pytest.mark.parametrize(
    ("scores", "labels", "error", "text"),
    [
        ((3,), [1, -1], ShapeError, r"scores \(3,\) and labels \(2,\) differ"),
        ((3, 2), [1, -1, 1], ShapeError, r"scores \(3, 2\) and labels \(3,\) differ"),
        ((3,), [[1, -1, 1]], ShapeError, r"labels \(1, 3\) differ"),
        ((3, 1), [[1, -1, 1]], ShapeError, r"labels \(1, 3\) differ"),
        ((3,), 1, ShapeError, r"labels \(\) differ"),
        ((0,), [], ShapeError, "the batch is empty"),
        ((3,), [1, 0, 1], DtypeError, r"labels are -1 or \+1, not 0 \(number 1\); for 0 and 1 use 2 \* y - 1"),
        ((3,), [1.0, -1.0, 0.5], DtypeError, r"not 0.5 \(number 2\)"),
        ((3,), [1.0, float("nan"), 1.0], DtypeError, r"not nan \(number 1\)"),
        ((3,), [True, False, True], DtypeError, r"labels are -1 or \+1"),
        ((3,), ["1", "1", "1"], DtypeError, "labels are text"),
        ((2,), np.array([1, -1]).astype(np.uint8), DtypeError, r"not 255 \(number 1\)"),
        ((2,), np.array([1, 127], np.int8), DtypeError, r"not 127 \(number 1\)"),
        ((2,), np.array([1, -128], np.int8), DtypeError, r"not -128 \(number 1\)"),
    ],
)
def test_labels_that_are_no_signs(scores, labels, error, text):
    p = mg.Value(np.zeros(scores))
    for values in (p, p.data):
        with pytest.raises(error, match=f"hinge_loss: .*{text}"):
            nn.HingeLoss()(values, labels)
    assert p.grad is None


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("labels", [[1, -1, 1, -1], np.array([[1.0], [-1.0], [1.0], [-1.0]], np.float32)])
def test_one_label_per_score_as_a_row_or_a_column(shape, labels):
    scores = mg.Value(np.array([2.0, 2.0, 0.5, 0.5]).reshape(shape))
    each = F.hinge_loss(scores, labels, reduction="none")
    assert each.shape == shape
    assert each.data.ravel().tolist() == [0.0, 3.0, 0.5, 1.5]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_labels_of_any_integer_type(dtype):
    scores = mg.Value([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    assert F.cross_entropy(scores, np.array([2, 1], dtype)).data == F.cross_entropy(scores, [2, 1]).data
    assert F.multiclass_hinge_loss(scores, np.array([2, 0], dtype)).data == 1.5


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.MSELoss(reduction="avg"), "mse_loss: reduction='avg'; it is 'mean', 'sum' or 'none'"),
        (lambda: nn.CrossEntropyLoss(reduction="batchmean"), "cross_entropy: reduction='batchmean'; it is"),
        (lambda: nn.KLDivLoss(reduction="avg"), "kl_div: reduction='avg'.*'batchmean'"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2.0), "cross_entropy: label_smoothing=2.0; it is a number"),
        (lambda: nn.HuberLoss(delta=-1.0), "huber_loss: delta=-1.0; it is a number above 0"),
        (lambda: nn.SmoothL1Loss(beta=float("nan")), "smooth_l1_loss: beta=nan"),
        (lambda: nn.MulticlassHingeLoss(margin="1"), "multiclass_hinge_loss: margin='1' is not a number"),
        (lambda: nn.MulticlassHingeLoss(over_classes="mean"), "over_classes='mean'; it is 'sum' or 'max'"),
        (lambda: nn.MultiMarginLoss(p=3), "multi_margin_loss: p=3; it is 1 or 2"),
        (lambda: nn.MultiMarginLoss(margin=math.nan), "multi_margin_loss: margin=nan; it is a finite number"),
        (lambda: nn.CrossEntropyLoss(ignore_index=0.5), r"ignore_index=0\.5 is not a whole number"),
        (lambda: nn.NLLLoss(ignore_index=None), "nll_loss: ignore_index=None is not a whole number"),
        (lambda: nn.CrossEntropyLoss(weight=[1.0, -2.0]), "cross_entropy: weight has -2; weights are finite"),
        (lambda: nn.NLLLoss(weight=[1.0, math.nan]), "nll_loss: weight has nan; weights are finite"),
        (lambda: nn.CrossEntropyLoss(weight=np.ones((2, 2))), r"weight has shape \(2, 2\); it has one number per c"),
        (lambda: nn.MultiMarginLoss(weight=2.0), r"multi_margin_loss: weight has shape \(\); it has one number per"),
        (lambda: nn.NLLLoss(weight=["a", "b"]), "nll_loss: weight holds <U1, not numbers"),
        (lambda: nn.BCEWithLogitsLoss(pos_weight=[-1.0]), "pos_weight has -1; weights are finite and at least 0"),
        (lambda: nn.HingeLoss(squared="no"), "hinge_loss: squared='no'; it is True or False"),
        (lambda: nn.HingeLoss("sum"), "hinge_loss: squared='sum'; it is True or False"),
        (lambda: nn.KLDivLoss(log_target=1), "kl_div: log_target=1; it is True or False"),
    ],
)  # fmt: skip
def test_options_are_checked_when_a_loss_is_made(make: Callable[[], Any], text: str) -> None:
    with pytest.raises((ValueError, DtypeError), match=text):
        make()


def test_kl_div_has_batchmean() -> None:
    assert nn.KLDivLoss(reduction="batchmean").reduction == "batchmean"
