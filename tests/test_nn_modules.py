"""Modules: the readings' rows, buffers, hooks, the summary, containers, and every way to build or call them wrongly.

That the layers compute what PyTorch's do is in test_nn_torch.py; models, losses and initial weights are in test_nn.py.
"""

from __future__ import annotations

import collections
import copy
import itertools
import math
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError, DtypeError, GradientError, MinigradError, OutOfRangeError, ShapeError
from minigrad.nn import functional as F
from minigrad.value import Value

LAYERS = {
    "Linear": (lambda **k: nn.Linear(3, 4, **k), (5, 3)),
    "Conv1d": (lambda **k: nn.Conv1d(2, 4, 3, **k), (2, 2, 6)),
    "Conv2d": (lambda **k: nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect", **k), (2, 2, 4, 4)),
    "BatchNorm1d": (lambda **k: nn.BatchNorm1d(3, **k), (5, 3)),
    "BatchNorm2d": (lambda **k: nn.BatchNorm2d(3, **k), (2, 3, 2, 2)),
    "LayerNorm": (lambda **k: nn.LayerNorm(3, **k), (5, 3)),
    "RNNCell": (lambda **k: nn.RNNCell(3, 4, **k), (5, 3)),
    "MLP": (lambda **k: nn.MLP([3, 4, 2], nn.Tanh, **k), (5, 3)),
    "LinearSVM": (lambda **k: nn.LinearSVM(3, 2, **k), (5, 3)),
}
PLAIN = {
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 2, 4, 4)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), (2, 2, 4, 4)),
    "Flatten": (nn.Flatten, (2, 2, 4)),
    "Identity": (nn.Identity, (5, 4)),
    "Dropout": (lambda: nn.Dropout(0.5, rng=0), (5, 4)),
    **{name: (getattr(nn, name), (5, 4)) for name in ("ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Tanh", "Sigmoid")},
    **{name: (getattr(nn, name), (5, 4)) for name in ("Softplus", "Softmax", "LogSoftmax")},
}


# ------------------------------------------------------------------------------------------------------- the layers
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_takes_dtype_and_rng(name, rng):
    make, shape = LAYERS[name]
    layer = make(dtype=np.float32, rng=0)
    for (key, a), (_, b) in zip(
        layer.state_dict().items(), make(dtype=np.float32, rng=0).state_dict().items(), strict=True
    ):
        assert np.array_equal(a, b), key
        assert a.dtype == (np.int64 if key == "num_batches_tracked" else np.float32)
    out = layer(Value(rng.normal(size=shape).astype(np.float32)))
    assert out.dtype == np.float32
    (out * out).sum().backward()
    assert {p.grad.dtype for p in layer.parameters()} == {np.dtype(np.float32)}
    assert {p.dtype for p in make().parameters()} == {np.dtype(np.float64)}
    for dtype in (int, "float16", None.__class__):
        with pytest.raises(DtypeError, match="float64 or float32"):
            make(dtype=dtype)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_layers_without_parameters_are_raw_on_raw_numbers(name, dtype, rng):
    make, shape = PLAIN[name]
    x = rng.normal(size=shape).astype(dtype)
    out, recorded = make()(x), make()(Value(x))
    assert type(out) is np.ndarray
    assert out.dtype == recorded.dtype == dtype
    np.testing.assert_array_equal(out, recorded.data)
    assert not make().state_dict()


@pytest.mark.parametrize("name", [*LAYERS, *PLAIN])
def test_gradients_and_their_gradients_are_finite_differences(name, rng, finite_differences):
    make, shape = {**LAYERS, **PLAIN}[name]
    layer = make(rng=0) if name in LAYERS else make()
    layer.eval() if name == "Dropout" else layer.train()
    x, u, v = [rng.normal(size=s) for s in (shape, Value(layer(rng.normal(size=shape))).shape, shape)]

    def f(x):
        out = layer(x)
        return (u * out * out).sum() if isinstance(out, Value) else np.sum(u * out * out)

    def number(x):
        return f(x).item()

    (measured,) = finite_differences(number, [x])
    np.testing.assert_allclose(mg.grad(f)(x), measured, rtol=1e-6, atol=1e-7)
    (second,) = finite_differences(lambda x: float(np.sum(mg.grad(f)(x) * v)), [x])
    np.testing.assert_allclose(mg.hvp(f, x, v), second, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------- 54: vanishing and exploding gradients
@pytest.mark.parametrize(("weight", "expected"), [(0.9, 2.656e-5), (1.1, 13780.6)])
def test_row_54_a_hundred_equal_steps(weight, expected):
    """The gradient through t steps of a linear recurrence is W^t."""
    cell, start = nn.RNNCell(1, 1, bias=False, nonlinearity="relu"), Value([[1.0]])
    cell.weight_ih.data, cell.weight_hh.data = np.array([[0.0]]), np.array([[weight]])
    h = start
    for _ in range(100):
        h = cell(np.zeros((1, 1)), h)
    h.backward()
    assert start.grad.item() == pytest.approx(weight**100, rel=1e-12)
    assert start.grad.item() == pytest.approx(expected, rel=1e-4)


# --------------------------------------------------------------------------------------------- 57: batch normalisation
def test_row_57_two_by_two():
    layer = nn.BatchNorm1d(2, eps=0.0)
    np.testing.assert_allclose(layer(np.array([[1.0, 2.0], [3.0, 6.0]])).data, [[-1.0, -1.0], [1.0, 1.0]], rtol=1e-15)
    assert layer.running_mean.tolist() == pytest.approx([0.2, 0.4])  # 0.9 · 0 + 0.1 · batch
    assert layer.running_var.tolist() == pytest.approx([0.9 + 0.1 * 2.0, 0.9 + 0.1 * 8.0])  # the unbiased variance


@pytest.mark.parametrize(("layer", "shape"), [(nn.BatchNorm1d(3), (50, 3)), (nn.BatchNorm2d(3), (4, 3, 5, 6))])
def test_row_57_mean_0_and_deviation_1_per_channel(layer, shape, rng):
    out = layer(5.0 + 3.0 * rng.normal(size=shape)).data
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(out.mean(axes), 0.0, atol=1e-12)
    np.testing.assert_allclose(out.std(axes), 1.0, rtol=1e-5)


def test_row_57_the_gradient_neither_shifts_nor_scales(rng):
    """Columns of dX sum to 0, and are orthogonal to the output (for eps -> 0)."""
    layer, x = nn.BatchNorm1d(4, eps=1e-14), Value(rng.normal(size=(20, 4)))
    out = layer(x)
    out.backward(rng.normal(size=(20, 4)))
    np.testing.assert_allclose(x.grad.sum(0), 0.0, atol=1e-10)
    np.testing.assert_allclose((x.grad * out.data).sum(0), 0.0, atol=1e-10)


def test_row_57_gradient_error(rng, finite_differences):
    """CS231n's relative error: 1e-13 to 1e-8."""
    layer, u = nn.BatchNorm1d(5), rng.normal(size=(4, 5))
    layer.weight.data, layer.bias.data = rng.normal(size=5), rng.normal(size=5)
    x = 5.0 * rng.normal(size=(4, 5)) + 12.0
    (measured,) = finite_differences(lambda x: float(np.sum(layer(x).data * u)), [x])
    slopes = mg.grad(lambda x: (layer(x) * u).sum())(x)
    error = np.abs(slopes - measured) / np.maximum(1e-8, np.abs(slopes) + np.abs(measured))
    assert error.max() < 1e-8


def test_row_57_evaluation_uses_running_statistics(rng):
    layer = nn.BatchNorm1d(2, momentum=0.5, eps=0.0)
    for _ in range(60):
        layer(np.array([[1.0, 10.0], [3.0, 30.0]]))
    layer.eval()
    before = layer.state_dict()
    out = layer(np.array([[2.0, 20.0], [2.0 + math.sqrt(2.0), 20.0]])).data  # one example is enough now
    np.testing.assert_allclose(out, [[0.0, 0.0], [1.0, 0.0]], atol=1e-7)
    assert layer(np.array([[2.0, 20.0]])).shape == (1, 2)
    for name, array in layer.state_dict().items():
        assert np.array_equal(array, before[name])


# ------------------------------------------------------------------ 58: why batch normalisation: coordinating updates
def test_row_58_with_batch_normalisation_the_lower_layers_do_no_harm(rng):
    """What the lower layers do to mean and scale, the normalisation undoes: their gradient is 0, their step nothing."""
    model = nn.Sequential(*[nn.Linear(1, 1, bias=False) for _ in range(9)], nn.BatchNorm1d(1, eps=0.0), nn.Linear(1, 1))
    for p in model.parameters():
        nn.init.ones_(p)
    x = rng.normal(size=(8, 1))
    out = model(x)
    out.backward(rng.normal(size=(8, 1)))
    for layer in model[:9]:
        assert abs(layer.weight.grad.item()) < 1e-12
        layer.weight.data = np.array([[0.7]])
    np.testing.assert_allclose(model(x).data, out.data, rtol=1e-10)


# ------------------------------------------------------------------------- 59: greedy layer-wise supervised pretraining
def test_row_59_each_stage_only_updates_its_layer_and_the_joint_loss_is_best():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 2))
    y = (np.abs(X).sum(1) > 1.4).astype(int) + 2 * (X[:, 0] * X[:, 1] > 0)
    loss, losses, hidden = nn.CrossEntropyLoss(), [], []

    def train(model, steps):
        learning = [p for p in model.parameters() if p.requires_grad]
        optimizer = optim.Adam(learning, lr=0.02)
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(X), y).backward()
            optimizer.step()
        return loss(model(X), y).item()

    for sizes in itertools.pairwise([2, 10, 10, 10]):
        hidden += [nn.Linear(*sizes, rng=rng), nn.Tanh()]
        model = nn.Sequential(*hidden, nn.Linear(sizes[1], 4, rng=rng))
        model[:-3].freeze()
        before = model.state_dict()
        losses.append(train(model, 60))
        for name, array in model.state_dict().items():
            assert np.array_equal(array, before[name]) is (int(name[0]) < len(model) - 3), name
    model.requires_grad_()
    assert train(model, 60) <= min(losses)


# ---------------------------------------------------------------------------------------------------------- 84: dropout
@pytest.mark.parametrize("keep", [0.25, 0.4, 0.7])
def test_row_84_the_mean_stays(keep):
    x = np.random.default_rng(0).normal(10.0, 1.0, size=(500, 500))
    layer = nn.Dropout(1.0 - keep, rng=1)
    out = layer(x)
    assert out.mean() == pytest.approx(10.0, abs=0.05)
    assert (out != 0.0).mean() == pytest.approx(keep, abs=5e-3)
    np.testing.assert_allclose(out[out != 0.0], x[out != 0.0] / keep, rtol=1e-14)
    assert layer.eval()(x) is x


def test_row_84_gradient_with_a_fixed_seed(rng, finite_differences):
    x = rng.normal(size=(6, 5)) + 10.0

    def f(x):
        return nn.Dropout(0.2, rng=123)(x).sum()

    (measured,) = finite_differences(lambda x: float(f(x)), [x], 1e-2)
    slopes = mg.grad(f)(x)
    np.testing.assert_allclose(slopes, measured, atol=1e-10)
    assert {*np.unique(slopes).round(12).tolist()} == {0.0, 1.25}


def test_dropout_draws_anew_and_seeds_repeat_it():
    x = np.ones((20, 20))
    layer = nn.Dropout(0.5, rng=0)
    first, second = layer(x), layer(x)
    assert not np.array_equal(first, second)
    assert np.array_equal(nn.Dropout(0.5, rng=0)(x), first)
    unseeded = nn.Dropout(0.5)
    mg.seed(7)  # after it was built
    a = unseeded(x)
    mg.seed(7)
    assert np.array_equal(unseeded(x), a)
    assert not nn.Dropout(1.0)(x).any()
    assert nn.Dropout(0.0)(x) is x
    assert type(nn.Dropout(0.0)(2.0)) is float
    assert nn.Dropout(0.25, rng=0)(np.arange(3)).tolist() == [0.0, 4 / 3, 0.0]  # whole numbers are not rounded
    twin = copy.deepcopy(layer)
    assert np.array_equal(twin(x), layer(x))


# ------------------------------------------------------------------------------------------------- 82: the CNN of Adam
def test_row_82_layers_of_the_network():
    """c64-c64-c128-1000 with 5x5 filters and 3x3 pooling with stride 2, here with an eighth of the channels."""
    c, stages = [8, 8, 16], []
    for n_in, n_out in zip([3, *c], c, strict=False):
        stages += [nn.Conv2d(n_in, n_out, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    model = nn.Sequential(nn.Dropout(0.2), *stages, nn.Flatten(), nn.Linear(16 * 9, 125), nn.ReLU(), nn.Linear(125, 10))
    table = model.summary(np.zeros((2, 3, 32, 32)))
    outputs = [row.output for row in table.rows if "MaxPool2d" in row.type]
    assert outputs == ["(2, 8, 15, 15)", "(2, 8, 7, 7)", "(2, 16, 3, 3)"]
    sizes = [75 * 8 + 8, 200 * 8 + 8, 200 * 16 + 16, 144 * 125 + 125, 1250 + 10]
    assert [row.parameters for row in table.rows if row.parameters] == sizes
    assert table.total.parameters == sum(sizes)


# -------------------------------------------------------------------------------------------------------------- buffers
class Counter(nn.Module):
    def __init__(self):
        self.weight = nn.Parameter([1.0, 2.0])
        self.register_buffer("steps", np.array(0))
        self.register_buffer("mask", np.array([True, False]))
        self.register_buffer("mean", [0.5, 0.5])
        self.register_buffer("scratch", np.zeros(3), persistent=False)
        self.register_buffer("nothing", None)

    def forward(self, x):
        self.steps += 1
        return x * self.weight


def test_buffers():
    model = nn.Sequential(Counter(), nn.Linear(2, 2))
    model(np.ones(2))
    assert [n for n, _ in model.named_buffers()] == ["0.steps", "0.mask", "0.mean", "0.scratch"]
    state = model.state_dict()
    assert list(state) == ["0.weight", "0.steps", "0.mask", "0.mean", "1.weight", "1.bias"]
    assert state["0.steps"].dtype == np.int64
    assert [p.size for p in model.parameters()] == [2, 4, 2]
    twin = nn.Sequential(Counter(), nn.Linear(2, 2))
    twin.load_state_dict(state)
    assert twin[0].steps == 1
    state["0.steps"][...] = 9
    assert twin[0].steps == 1
    model.to(np.float32)
    kinds = [a.dtype for a in model.state_dict().values()]
    assert kinds == ["float32", "int64", "bool", "float32", "float32", "float32"]
    assert model[0].scratch.dtype == np.float32
    assert pickle.loads(pickle.dumps(model))[0].steps == 1


def test_buffers_that_can_not_be():
    model = Counter()
    with pytest.raises(MinigradError, match="'steps' has a dot or is an attribute already"):
        model.register_buffer("steps", np.zeros(1))
    with pytest.raises(MinigradError, match=r"'a\.b' has a dot"):
        model.register_buffer("a.b", np.zeros(1))
    with pytest.raises(DtypeError, match=r"a buffer holds raw numbers: pass the value's \.data"):
        model.register_buffer("new", Value(1.0))
    with pytest.raises(DtypeError, match=r"the buffer mean holds raw numbers: assign the value's \.data"):
        model.mean = Value(1.0) * 2.0
    assert model.mean.tolist() == [0.5, 0.5]


# ------------------------------------------------------------------------------------------------------ saving, loading
@pytest.mark.parametrize(
    ("key", "array", "error", "text"),
    [
        ("1.num_batches_tracked", np.array(2.5), DtypeError, "1.num_batches_tracked is float64 in the state.*int64"),
        ("1.num_batches_tracked", np.array([2]), ShapeError, r"has shape \(\), the state has \(1,\)"),
        ("1.running_mean", np.zeros(2), ShapeError, r"1.running_mean has shape \(3,\), the state has \(2,\)"),
        ("1.running_var", np.array([True] * 3), DtypeError, "1.running_var is bool"),
    ],
)
def test_a_wrong_state_loads_nothing(key, array, error, text):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = {name: a + 1 for name, a in model.state_dict().items()}
    before = model.state_dict()
    with pytest.raises(error, match=text):
        model.load_state_dict({**state, key: array})
    for name, a in model.state_dict().items():
        assert np.array_equal(a, before[name]), name


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ({"a.b": nn.Parameter(1.0), "a": {"b": nn.Parameter(2.0)}}, r"table\.a\.b"),
        ({0: nn.Parameter(1.0), "0": nn.Parameter(2.0)}, r"table\.0"),
        ({0: nn.Linear(1, 1), "0": nn.Linear(1, 1)}, r"table\.0\.weight"),
    ],
)
def test_two_parameters_of_one_name(table, name):
    """One of them would be missing in the file."""
    model = nn.Module()
    model.table = table
    for use in (model.state_dict, lambda: model.load_state_dict({}, strict=False)):
        with pytest.raises(
            MinigradError, match=f"two parts of the state are called {name}: keys of a dict must differ"
        ):
            use()


def test_loading_what_is_no_array_or_too_large():
    model = nn.Linear(2, 1, dtype=np.float32, rng=0)
    before = model.state_dict()
    for weight, error, text in (
        ([[1.0], [2.0, 3.0]], ShapeError, "weight is .* in the state, rows of different lengths"),
        ([[1e300, 1.0]], DtypeError, "weight has numbers in the state that are too large for float32"),
    ):
        with pytest.raises(error, match=text):
            model.load_state_dict({"bias": np.ones(1), "weight": weight})
        with pytest.raises(error, match=text):
            model.load_state_dict({"weight": weight, "bias": np.ones(1)})
        assert all(np.array_equal(a, before[name]) for name, a in model.state_dict().items())
    model.load_state_dict({"bias": np.ones(1), "weight": [[np.inf, 1.0]]})  # infinity is one, as it was
    assert model.weight.data.tolist() == [[np.inf, 1.0]]


def test_a_state_is_a_dict():
    with pytest.raises(DtypeError, match=r"a Linear is no dict; pass model.state_dict\(\)"):
        nn.Linear(1, 1).load_state_dict(nn.Linear(1, 1))


class Tied(nn.Module):
    """An autoencoder that uses its weight twice."""

    def __init__(self):
        self.encode = nn.Linear(3, 3, bias=False, rng=0)
        self.decode = nn.Linear(3, 3, bias=False, rng=1)
        self.decode.weight = self.encode.weight
        self.again = self.encode

    def forward(self, x):
        return self.decode(self.encode(x))


def test_a_shared_parameter_counts_once_and_is_saved_under_each_name():
    model = Tied()
    assert [n for n, _ in model.named_parameters()] == ["encode.weight"]
    state = model.state_dict()
    assert list(state) == ["encode.weight", "decode.weight", "again.weight"]
    table = model.summary(np.ones((1, 3)))
    assert [row.parameters for row in (*table.rows, table.total)] == [9, 0, 9]
    model.load_state_dict({name: np.eye(3) for name in state})
    assert model.decode.weight is model.encode.weight
    assert np.array_equal(model(np.ones(3)).data, np.ones(3))
    with pytest.raises(CheckpointError, match=r"encode.weight and decode.weight are one here, but differ there"):
        model.load_state_dict({**state, "decode.weight": np.ones((3, 3))})
    assert np.array_equal(model.encode.weight.data, np.eye(3))
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    model(np.ones(3)).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(model.encode.weight.data, np.eye(3) - 2.0)


# ------------------------------------------------------------------------------------------ modules inside one another
def test_a_module_that_contains_itself():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with pytest.raises(MinigradError, match=r"ReLU\.parent is a module that contains itself.*weakref\.ref\(parent\)"):
        model[1].parent = model
    with pytest.raises(MinigradError, match=r"Linear\.me is a module that contains itself"):
        model[0].me = model[0]
    with pytest.raises(MinigradError, match="contains itself"):
        model.append(model)
    assert len(model) == 2
    assert [n for n, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    model[0].friends = [model]  # in a list it is found when somebody walks
    for walk in (
        model.state_dict,
        model.train,
        lambda: [*model.parameters()],
        lambda: optim.SGD(model.parameters(), lr=1),
    ):
        with pytest.raises(MinigradError, match=r"0\.friends\.0 is a module that contains itself"):
            walk()
    with pytest.raises(MinigradError, match="is a module that contains itself"):
        repr(model)


def test_a_module_used_twice_is_no_circle():
    shared = nn.Linear(2, 2, rng=0)
    model = nn.Sequential(shared, nn.Tanh(), shared)
    assert len([*model.parameters()]) == 2
    model(np.ones((1, 2))).sum().backward()
    assert repr(model).count("Linear(2, 2)") == 2


@pytest.mark.parametrize("new", [np.zeros((2, 2)), 3.0, Value(np.zeros((2, 2))), nn.ReLU()])
def test_a_parameter_is_not_lost_by_accident(new):
    layer = nn.Linear(2, 2)
    with pytest.raises(DtypeError, match=r"Linear: .* the place of the parameter weight.*\.weight\.data = "):
        layer.weight = new
    assert len([*layer.parameters()]) == 2
    layer.bias = None
    layer.weight = nn.Parameter(np.eye(2))
    assert layer(np.array([1.0, 2.0])).data.tolist() == [1.0, 2.0]


def test_a_parameter_of_another_shape_is_told_by_the_layer():
    layer = nn.Linear(2, 3)
    layer.weight.data = np.ones(3)
    with pytest.raises(ShapeError, match=r"weight \(3,\).* \[in Linear\(2, 3\)\]"):
        layer(np.ones((1, 2)))


def test_layers_tell_their_sizes():
    """As PyTorch's do: a new head is nn.Linear(model.fc.in_features, classes)."""
    conv, cell, table = nn.Conv2d(2, 3, (1, 2), padding=(0, 1)), nn.RNNCell(4, 5), nn.Embedding(6, 7)
    assert (nn.Linear(2, 3).in_features, nn.LinearSVM(2, 3).out_features) == (2, 3)
    assert (conv.in_channels, conv.out_channels, conv.kernel_size, conv.padding) == (2, 3, (1, 2), (0, 1))
    assert (cell.input_size, cell.hidden_size, table.num_embeddings, table.embedding_dim) == (4, 5, 6, 7)
    assert (nn.BatchNorm1d(8).num_features, nn.LayerNorm(9).normalized_shape) == (8, (9,))


def test_apply():
    def init(module):
        if isinstance(module, nn.Linear):
            nn.init.ones_(module.weight)

    model = nn.MLP([2, 3, 1])
    assert model.apply(init) is model
    assert all((p.data == 1.0).all() for p in model.parameters() if p.ndim == 2)


class Power(nn.Module):
    """A layer of one's own: what it learns is an attribute, what it computes is `forward`."""

    def __init__(self, start):
        self.exponent = nn.Parameter(start)

    def forward(self, x):
        return mg.abs(x) ** self.exponent


def test_a_layer_of_ones_own_is_one_small_class(finite_differences):
    """With nothing more written it is found, trained, saved, converted, frozen, shown, watched and copied."""
    power, seen = Power(1.5), []
    model = nn.Sequential(nn.Linear(2, 3, rng=0), power, nn.Linear(3, 1, rng=1))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.exponent", "2.weight", "2.bias"]
    assert repr(model[1]) == "Power()"
    assert model.summary(np.ones((4, 2))).rows[1] == ("1", "Power()", "(4, 3)", 1, 1)
    power.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_output[0].shape))
    x = np.array([[0.3, -0.8], [1.5, 0.2]])
    model(x).sum().backward()
    assert seen == [(2, 3)]
    (slope,) = finite_differences(lambda e: nn.Sequential(model[0], Power(e), model[2])(x).sum().item(), [1.5])
    assert power.exponent.grad == pytest.approx(slope, rel=1e-8)
    optim.SGD(model.parameters(), lr=0.1).step()
    assert power.exponent.data == pytest.approx(1.5 - 0.1 * slope)
    twin = copy.deepcopy(model)
    power.freeze()
    model.to(np.float32)
    assert (power.exponent.dtype, power.exponent.requires_grad) == (np.float32, False)
    model.load_state_dict({**model.state_dict(), "1.exponent": np.array(2.0)})
    assert power.exponent.item() == 2.0
    assert twin[1].exponent.item() != 2.0


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, momentum=0.9), lambda p: optim.AdamW(p, weight_decay=0.5)])
def test_a_frozen_part_keeps_its_numbers_whatever_the_optimizer(make):
    """Also where it is frozen between backward() and step(), and where zero_grad sets zeros."""
    model = nn.MLP([2, 3, 1], rng=0)
    optimizer, frozen = make(model.parameters()), model.layers[0]
    for _ in range(2):
        (model(np.ones((4, 2))) ** 2).mean().backward()
        optimizer.step()
    before = frozen.state_dict()
    frozen.freeze()
    for _ in range(3):
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        (model(np.ones((4, 2))) ** 2).mean().backward()
    assert all(np.array_equal(before[name], array) for name, array in frozen.state_dict().items())


# ----------------------------------------------------------------------------------------------------------- containers
def test_sequences():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU())
    assert model.append(nn.Linear(3, 1, rng=1)) is model
    assert len(model) == 3
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert type(model[1:]) is nn.Sequential
    assert model[1:][1] is model[2] is model[-1]
    model[1] = nn.Tanh()
    assert [type(m).__name__ for m in model] == ["Linear", "Tanh", "Linear"]
    with pytest.raises(IndexError):
        model[3]
    names = nn.Sequential(collections.OrderedDict(hidden=nn.Linear(2, 3), act=mg.tanh, out=nn.Linear(3, 1)))
    assert list(names.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert names.act is mg.tanh
    part = model[2:].append(nn.Linear(1, 2)).append(nn.Tanh())
    assert list(part.state_dict()) == ["2.weight", "2.bias", "1.weight", "1.bias"]
    assert [type(m).__name__ for m in part] == ["Linear", "Linear", "Tanh"]
    assert list(names[::2].state_dict()) == list(names.state_dict())
    assert len(model[3:]) == len(nn.Sequential({})) == 0
    assert names(np.ones((4, 2))).shape == (4, 1)
    assert repr(names) == "Sequential(\n  (hidden): Linear(2, 3)\n  (act): <gate tanh>\n  (out): Linear(3, 1)\n)"


def test_module_list():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 3)])
    layers.append(nn.Linear(3, 1)).extend([nn.ReLU()])
    assert [n for n, _ in layers.named_parameters()][::2] == ["0.weight", "1.weight", "2.weight"]
    assert type(layers[:2]) is nn.ModuleList
    assert (len(layers), len(layers[1:])) == (4, 3)
    assert layers[-1] is [*layers][3]
    with pytest.raises(TypeError, match="ModuleList has no forward method"):
        layers(1.0)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.ModuleList([nn.ReLU(), mg.tanh]), "ModuleList: part 1 is <gate tanh>, not a module"),
        (lambda: nn.Sequential(nn.ReLU), r"Sequential: part 0 is the class ReLU: write ReLU\(\.\.\.\)"),
        (lambda: nn.Sequential(nn.ReLU()).append([nn.ReLU()]), "part 1 is a list: unpack it"),
        (lambda: nn.Sequential({"a": 3}), "part a is 3, not a module or function"),
        (lambda: nn.Sequential({"forward": nn.ReLU()}), "'forward' has a dot or is taken"),
        (lambda: nn.Sequential({"a.b": nn.ReLU()}), "'a.b' has a dot or is taken"),
        (lambda: nn.Sequential({0: nn.ReLU()}), "Sequential: the name 0 is no text"),
        (lambda: nn.ReLU().register_forward_hook(3), "a hook is a function, not 3"),
        (lambda: nn.Sequential(nn.ReLU()).__setitem__(slice(1), nn.ReLU()), r"index=slice\(.*is not a whole number"),
    ],
)
def test_containers_that_can_not_be_built(make, text):
    with pytest.raises((TypeError, MinigradError), match=text):
        make()


# ---------------------------------------------------------------------------------------------------------------- hooks
def test_hooks_leave_when_they_are_removed(rng):
    layer, calls = nn.Linear(2, 2, rng=0), []
    x = Value(rng.normal(size=(3, 2)))
    expected = layer(x).data
    handles = [
        layer.register_forward_hook(lambda *_: calls.append("forward")),
        layer.register_full_backward_hook(lambda *_: calls.append("backward")),
    ]
    layer(x).sum().backward()
    assert calls == ["forward", "backward"]
    for handle in (*handles, *handles):
        handle.remove()
    out = layer(x)
    out.sum().backward()
    assert calls == ["forward", "backward"]
    assert np.array_equal(out.data, expected)
    assert out.gate.name == "linear"


def test_backward_hooks_with_several_inputs_and_outputs():
    class Both(nn.Module):
        def forward(self, a, b, scale):
            return a * b, a + scale * b

    layer, seen = Both(), []
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((grad_input, grad_output)))
    a, b = Value(2.0), Value(3.0)
    first, second = layer(a, b, 10.0)
    (first + 5.0 * second).backward()
    assert seen == [((3.0 + 5.0, 2.0 + 50.0, None), (1.0, 5.0))]
    assert (a.grad, b.grad) == (8.0, 52.0)
    first, _ = layer(a, b, 10.0)
    first.backward()
    assert seen[1] == ((3.0, 2.0, None), (1.0, 0.0))
    with mg.no_grad():
        layer(a, b, 1.0)
    assert len(seen) == 2


def test_second_derivatives_pass_through_hooks():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda *_: None)
    x = np.array([0.3, -0.2])
    assert np.array_equal(mg.hessian(lambda x: layer(x).sum())(x), mg.hessian(lambda x: mg.tanh(x).sum())(x))


def test_a_backward_hook_that_returns_nonsense():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: grad_input[0])
    with pytest.raises(GradientError, match="a backward hook returns None or a tuple of 1 gradients"):
        layer(Value(0.3)).backward()


# -------------------------------------------------------------------------------------------------------------- summary
def test_summary():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), mg.tanh, nn.Linear(3, 1))
    model[2].eval()
    before = model.state_dict()
    model[0].freeze()
    table = model.summary(np.ones((4, 2)))
    assert [tuple(row) for row in table.rows] == [
        ("0", "Linear(2, 3)", "(4, 3)", 9, 0),
        ("1", "BatchNorm1d(3, eps=1e-05, momentum=0.1)", "(4, 3)", 6, 6),
        ("2", "Dropout(p=0.5)", "(4, 3)", 0, 0),
        ("4", "Linear(3, 1)", "(4, 1)", 4, 4),
    ]
    assert table.total == ("total", "Sequential", "(4, 1)", 19, 10)
    lines = str(table).split("\n")
    assert lines[0].split() == ["layer", "type", "output", "parameters", "trainable"]
    assert lines[-1].split() == ["total", "Sequential", "(4,", "1)", "19", "10"]
    assert len({len(line) for line in lines}) == 1
    assert [m.training for m in model.modules()] == [True, True, True, False, True]
    for name, array in model.state_dict().items():
        assert np.array_equal(array, before[name])
    of_functions = nn.Sequential(mg.tanh, mg.exp).summary(np.ones(2))
    assert [line.split()[:2] for line in str(of_functions).split("\n")[1:]] == [
        ["Sequential", "(2,)"],
        ["total", "Sequential"],
    ]
    assert [row.output for row in model.summary().rows] == [""] * 4
    with pytest.raises(ShapeError, match="takes rows of 2 numbers"):
        model.summary(np.ones((4, 5)))
    assert [m.training for m in model.modules()] == [True, True, True, False, True]
    assert model(np.ones((4, 2))).requires_grad


def test_summary_of_parts_within_parts():
    """A module that only holds others has no row; one with parameters of its own has, and so has a layer alone."""

    class Block(nn.Module):
        def __init__(self):
            self.scale = nn.Parameter(np.ones(2))
            self.parts = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])

        def forward(self, x):
            return self.parts[1](self.parts[0](x)) * self.scale

    table = nn.Sequential(nn.Sequential(Block(), nn.ReLU()), nn.Linear(2, 1000)).summary(np.ones((5, 2)))
    assert [tuple(row[:4]) for row in table.rows] == [
        ("0.0", "Block", "(5, 2)", 2),
        ("0.0.parts.0", "Linear(2, 2)", "(5, 2)", 6),
        ("0.0.parts.1", "Linear(2, 2)", "(5, 2)", 6),
        ("0.1", "ReLU()", "(5, 2)", 0),
        ("1", "Linear(2, 1000)", "(5, 1000)", 3000),
    ]
    assert str(table).endswith("3,014       3,014")
    alone = nn.Linear(2, 3).summary(np.ones(2))
    assert [tuple(row) for row in alone.rows] == [("", "Linear(2, 3)", "(3,)", 9, 9)]
    assert alone.total == ("total", "Linear", "(3,)", 9, 9)


# --------------------------------------------------------------------------------------------------------------- misuse
NAN = float("nan")
REFLECT = nn.Conv2d(1, 1, 3, padding=3, padding_mode="reflect")
CIRCULAR = nn.Conv2d(1, 1, 3, padding=4, padding_mode="circular")
CNN = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.Linear(8, 3, rng=0))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: CNN(np.ones((2, 3, 4, 4))), ShapeError, r"\(2, 3, 4, 4\) has 3 channels.* takes 1.*\[in 0: Conv2d\("),
        (lambda: CNN(np.ones((2, 1, 5, 5))), ShapeError, r"rows of 8 numbers.*have 18\. \[in 2: Linear\(8, 3\)\]"),
        (lambda: CNN(np.ones((4, 4))), ShapeError, r"the input is \(batch, channels, height, width\)"),
        (lambda: CNN("image"), ShapeError, r"\[in 0: Conv2d"),
        (lambda: nn.MLP([2, 3, 1])(np.ones((5, 3))), ShapeError, r"\[in layers\.0: Linear\(2, 3\)\]"),
        (lambda: nn.Flatten()(np.ones(3)), ShapeError, r"flatten: .*x of shape \(3,\) has no such axes; is the batch"),
        (lambda: nn.Flatten(2, 1)(np.ones((3, 3, 3))), ShapeError, "the first axis comes after the last"),
        (lambda: nn.BatchNorm1d(3)(np.ones((1, 3))), ShapeError, r"1 number per channel has no v.*model\.eval\(\)"),
        (lambda: nn.BatchNorm1d(3)(np.ones((0, 3))), ShapeError, "0 number per channel"),
        (lambda: nn.BatchNorm1d(3)(np.ones((3, 5))), ShapeError, r"x is \(batch.* with 3 channels, not \(3, 5\)"),
        (lambda: nn.BatchNorm1d(3)(np.ones(3)), ShapeError, r"not \(3,\)"),
        (lambda: nn.BatchNorm2d(3)(np.ones((4, 3))), ShapeError, r"x is \(batch, channels, height, width\)"),
        (lambda: nn.LayerNorm((2, 3))(np.ones((2, 4))), ShapeError, r"x ends in \(2, 3\), not \(2, 4\)"),
        (lambda: nn.LayerNorm(3)(2.0), ShapeError, r"x ends in \(3,\), not \(\)"),
        (lambda: nn.RNNCell(3, 4)(np.ones((2, 4))), ShapeError, r"x is \(batch, 3\) or \(3,\), not \(2, 4\)"),
        (lambda: nn.RNNCell(3, 4)(np.ones((2, 3)), np.ones(4)), ShapeError, r"state \(4,\) must be \(2, 4\) beside"),
        (lambda: nn.Embedding(5, 2)([0.0, 1.0]), DtypeError, r"ids are raw whole numbers.*\.astype\(int\)"),
        (lambda: nn.Embedding(5, 2)(Value([0.0])), DtypeError, "ids are raw whole numbers"),
        (lambda: nn.Embedding(5, 2)([True]), DtypeError, "ids are raw whole numbers"),
        (lambda: nn.Embedding(5, 2)([0, 5]), OutOfRangeError, "the id 5: the table has the rows 0 to 4"),
        (lambda: nn.Embedding(5, 2)([0, -1]), OutOfRangeError, "the id -1: the table has the rows 0 to 4"),
        (lambda: nn.Embedding(5, 2, padding_idx=5), OutOfRangeError, "padding_idx=5: the table has 5 rows"),
        (lambda: nn.Dropout(1.5), ShapeError, "p=1.5; it is the probability to drop"),
        (lambda: nn.Dropout(float("nan")), ShapeError, "p=nan"),
        (lambda: nn.Dropout("half"), DtypeError, "p='half' is not a number"),
        (lambda: nn.RNNCell(3, 4, nonlinearity="sigmoid"), DtypeError, "'sigmoid'; it is 'tanh' or 'relu'"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ShapeError, "groups=2 must divide 3 in and 4 out channels"),
        (lambda: nn.Conv2d(1, 1, (3, 3, 3)), ShapeError, r"kernel_size=\(3, 3, 3\): it is an integer, at least 1"),
        (lambda: nn.Conv2d(1, 1, 3, stride=0), ShapeError, "stride=0"),
        (lambda: nn.Conv2d(1, 1, 3, padding="half"), ShapeError, 'it is "same" or "valid"'),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="mirror"), ShapeError, "'mirror' is not one of zeros, reflect"),
        (lambda: nn.Conv2d(1, 1, 5)(np.ones((1, 1, 3, 3))), ShapeError, r"a window of \(5, 5\) is larger than"),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="reflect", padding=1)(np.ones(3)), ShapeError, r"not \(3,\)"),
        (lambda: nn.MaxPool2d(2)(np.ones((4, 4))), ShapeError, r"max_pool2d: .*not \(4, 4\)\. \[in MaxPool2d\("),
        (lambda: nn.AvgPool2d(3)(np.ones((1, 2, 2))), ShapeError, r"avg_pool2d: a window of \(3, 3\) is larger than"),
        (lambda: nn.Conv1d(2, 1, 3)(np.ones((5, 3, 9))), ShapeError, r"has 3 channels.* \[in Conv1d\(2, 1"),
        (lambda: nn.MaxPool2d(2, padding=2), ShapeError, "MaxPool2d: padding=.*at most half of"),
        (lambda: nn.BatchNorm1d(0), ShapeError, "num_features=0; it is at least 1"),
        (lambda: nn.LayerNorm("3"), DtypeError, "normalized_shape='3' is not a whole number"),
        (lambda: nn.Embedding(2.5, 3), DtypeError, r"num_embeddings=2\.5 is not a whole number"),
        (lambda: nn.GELU("exact"), ShapeError, r"gelu: .*approximate='exact'"),
        (lambda: nn.MaxPool2d(0), ShapeError, "MaxPool2d: kernel_size=0: it is an integer, at least 1"),
        (lambda: nn.AvgPool2d(2, stride=0), ShapeError, "AvgPool2d: stride=0"),
        (lambda: nn.BatchNorm1d(3, eps=-1), ValueError, "BatchNorm1d: eps=-1; it is a number of at least 0"),
        (lambda: nn.BatchNorm2d(3, momentum=5.0), ValueError, "BatchNorm2d: momentum=5.0; it is a number from 0 to 1"),
        (lambda: nn.BatchNorm2d(3, momentum="x"), DtypeError, "BatchNorm2d: momentum='x' is not a number"),
        (lambda: nn.LayerNorm(3, eps=float("nan")), ValueError, "LayerNorm: eps=nan"),
        (lambda: nn.LeakyReLU(None), DtypeError, "LeakyReLU: negative_slope=None is not a number"),
        (lambda: nn.ELU("1"), DtypeError, "ELU: alpha='1' is not a number"),
        (lambda: nn.Softplus("1"), DtypeError, "Softplus: beta='1' is not a number"),
        (lambda: nn.Softplus(beta=0.0), ValueError, r"softplus: .*beta=0\.0.* needs a beta other than 0"),
        (lambda: nn.Softplus(beta=NAN), ValueError, "Softplus: beta=nan; it is a finite number"),
        (lambda: nn.LeakyReLU(NAN), ValueError, "LeakyReLU: negative_slope=nan; it is a finite number"),
        (lambda: nn.ELU(alpha=np.inf), ValueError, "ELU: alpha=inf; it is a finite number"),
        (lambda: nn.Softmax(dim=None), DtypeError, "Softmax: dim=None is not a whole number"),
        (lambda: nn.LogSoftmax(dim=(0, 1)), DtypeError, r"LogSoftmax: dim=\(0, 1\) is not a whole number"),
        (lambda: nn.Softmax(dim=2)(np.ones((2, 3))), ShapeError, r"softmax: \(2, 3\): axis 2 is out of bounds"),
        (lambda: nn.Flatten("all"), DtypeError, "Flatten: start_dim='all' is not a whole number"),
        (lambda: nn.Flatten(2, 1), ShapeError, "start_dim=2, end_dim=1: the first axis comes after the last"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), ShapeError, "AvgPool2d: divisor_override=0; it is at least 1"),
        (lambda: nn.AvgPool2d(2, divisor_override=1.5), DtypeError, r"divisor_override=1\.5 is not a whole number"),
        (lambda: nn.AvgPool2d(2, ceil_mode=2), DtypeError, "AvgPool2d: ceil_mode=2; it is True or False"),
        (lambda: nn.AvgPool2d(2, count_include_pad=0), DtypeError, "count_include_pad=0; it is True or False"),
        (lambda: nn.MaxPool2d(2, ceil_mode="no"), DtypeError, "MaxPool2d: ceil_mode='no'; it is True or False"),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode=["zeros"]), ShapeError, "is not one of zeros, reflect"),
        (lambda: REFLECT(np.ones((1, 1, 3, 3))), ShapeError, r"padding 3 .*'reflect' is at most 2 for .*\(3, 3\)"),
        (lambda: CIRCULAR(np.ones((1, 1, 3, 5))), ShapeError, r"padding 4 .*'circular' is at most 3 for .*\(3, 5\)"),
        (lambda: nn.Linear(2, 3, 5), DtypeError, "Linear: bias=5; it is True or False"),
        (lambda: nn.Conv1d(2, 3, 1, bias="no"), DtypeError, "Conv1d: bias='no'; it is True or False"),
        (lambda: nn.RNNCell(2, 3, "relu"), DtypeError, "RNNCell: bias='relu'; it is True or False"),
        (lambda: nn.LayerNorm(3, 1e-5, "no"), DtypeError, "LayerNorm: elementwise_affine='no'; it is True or False"),
        (lambda: nn.LayerNorm(3, bias=None), DtypeError, "LayerNorm: bias=None; it is True or False"),
        (lambda: nn.LayerNorm(()), ShapeError, r"LayerNorm: normalized_shape=\(\); it has at least one size"),
        (lambda: nn.BatchNorm1d(3, affine="no"), DtypeError, "BatchNorm1d: affine='no'; it is True or False"),
        (lambda: nn.BatchNorm1d(3, track_running_stats=0), DtypeError, "track_running_stats=0; it is True or False"),
        (lambda: nn.Embedding(5, 2, "a"), DtypeError, "Embedding: padding_idx='a' is not a whole number"),
        (lambda: nn.Linear(2, 3).train("no"), DtypeError, "Linear: mode='no'; it is True or False"),
        (lambda: nn.Linear(2, 3).requires_grad_("no"), DtypeError, "Linear: requires_grad='no'; it is True or False"),
        (lambda: nn.Linear(2, 3).load_state_dict({}, "no"), DtypeError, "load_state_dict: strict='no'; it is True or"),
        (lambda: nn.LinearSVM(1).support_([[1.0]], [1], -1.0), ValueError, r"LinearSVM: tolerance=-1\.0; it is a n"),
    ],
)  # fmt: skip
def test_misuse(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("name", [*LAYERS, *PLAIN, "Embedding"])
@pytest.mark.parametrize("x", ["text", None])
def test_every_layer_refuses_what_is_no_array_of_numbers(name, x):
    """And says that it was in this layer."""
    if name == "Identity":
        return
    layer = nn.Embedding(3, 2) if name == "Embedding" else {**LAYERS, **PLAIN}[name][0]()
    with pytest.raises(MinigradError, match=r"\[in .*\]$"):
        nn.Sequential(nn.Identity(), layer)(x)


MEAN, VAR = np.zeros(3), np.ones(3)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.dropout(np.ones(3), 2.0), ShapeError, r"dropout: p=2\.0; it is the probability to drop"),
        (lambda: F.dropout(np.ones(3), 0.5, "no"), DtypeError, "dropout: training='no'; it is True or False"),
        (lambda: F.dropout("text"), DtypeError, "'text' is a str; expected a number"),
        (lambda: F.flatten(np.ones((2, 3)), 2), ShapeError, r"flatten: start_dim=2, .*\(2, 3\) has no such axes"),
        (lambda: F.flatten(np.ones((2, 3)), 1, 0), ShapeError, "flatten: .*the first axis comes after the last"),
        (lambda: F.flatten(np.ones((2, 3)), 0.5), DtypeError, r"flatten: dim=0\.5 is not a whole number"),
        (lambda: F.softmax(np.ones(3), dim=None), DtypeError, "softmax: dim=None is not a whole number"),
        (lambda: F.log_softmax(np.ones(3), 1), ShapeError, r"log_softmax: \(3,\): axis 1 is out of bounds"),
        (lambda: F.embedding([3], np.ones((3, 2))), OutOfRangeError, "embedding: the id 3: the table has the row"),
        (lambda: F.embedding([0], np.ones(3)), ShapeError, r"embedding: weight \(3,\) is a table, \(rows, columns\)"),
        (lambda: F.embedding([0.5], np.ones((3, 2))), DtypeError, "embedding: .*ids are raw whole numbers"),
        (lambda: F.embedding([0], Value(np.ones((3, 2))), 3), OutOfRangeError, "padding_idx=3: the table has 3 rows"),
        (lambda: F.layer_norm(np.ones((2, 3)), 2), ShapeError, r"layer_norm: .*x ends in \(2,\), not \(2, 3\)"),
        (lambda: F.layer_norm(np.ones((2, 3)), 3, np.ones(2)), ShapeError, r"weight has shape \(2,\); normalized"),
        (lambda: F.layer_norm(np.ones((2, 3)), 3, bias=1.0), ShapeError, r"layer_norm: bias has shape \(\)"),
        (lambda: F.layer_norm(np.ones((2, 3)), 3, eps=-1.0), ValueError, r"layer_norm: eps=-1\.0; it is a number of"),
        (lambda: F.batch_norm(np.ones((2, 3)), None, VAR), DtypeError, "statistic is None: only with training=True"),
        (lambda: F.batch_norm(np.ones((2, 3)), MEAN, [1.0] * 3), DtypeError, "running_var is .*, not an array of fl"),
        (lambda: F.batch_norm(np.ones((2, 3)), np.arange(3), VAR), DtypeError, "running_mean is .*, not an array of f"),
        (lambda: F.batch_norm(np.ones((2, 3)), MEAN, np.ones(2)), ShapeError, r"running_var has shape \(2,\).*\(3,\)"),
        (lambda: F.batch_norm(np.ones((2, 3)), MEAN, VAR, np.ones(2)), ShapeError, r"batch_norm: weight has shape \(2"),
        (lambda: F.batch_norm(np.ones(3), MEAN, VAR), ShapeError, r"x is \(batch, channels, \.\.\.\), not \(3,\)"),
        (lambda: F.batch_norm(np.ones((1, 3)), MEAN, VAR, training=True), ShapeError, "1 number per channel has no"),
        (lambda: F.batch_norm(np.ones((2, 3)), MEAN, VAR, momentum=2.0), ValueError, r"batch_norm: momentum=2\.0"),
        (lambda: F.batch_norm(np.ones((2, 3)), MEAN, VAR, training=1), DtypeError, "training=1; it is True or False"),
        (lambda: F.linear(np.ones((2, 3)), np.ones((4, 2))), ShapeError, "inner sizes differ"),
    ],
)  # fmt: skip
def test_misuse_of_functions(call, error, text):
    with pytest.raises(error, match=text):
        call()
    assert (MEAN == 0.0).all()
    assert (VAR == 1.0).all()


def test_a_training_pass_does_not_write_on_earlier_statistics(rng):
    """Somebody may hold the arrays: a graph, an average of several models."""
    layer, x = nn.BatchNorm1d(3), rng.normal(size=(4, 3)) + 5.0
    layer(x)
    held = layer.running_mean, layer.running_var, layer.num_batches_tracked
    before = copy.deepcopy(held)
    layer(x)
    assert all(np.array_equal(a, b) for a, b in zip(held, before, strict=True))
    assert (layer.running_mean > held[0]).all()


def test_a_failed_forward_pass_leaves_the_statistics():
    layer = nn.BatchNorm1d(3)
    before = layer.state_dict()
    with pytest.raises(ShapeError):
        layer(np.ones((1, 3)))
    for name, array in layer.state_dict().items():
        assert np.array_equal(array, before[name])


@pytest.mark.parametrize("layer", [nn.LayerNorm(3), nn.BatchNorm1d(3)])
def test_numbers_whose_squares_overflow_are_normalised(layer: nn.Module) -> None:
    x = np.array([[1.0, 2.0, 4.0], [2.0, 5.0, 3.0]])
    small, large = mg.Value(x * 1e10), mg.Value(x * 1e200)
    outs = layer(small), layer(large)
    np.testing.assert_allclose(outs[1].data, outs[0].data, rtol=1e-12)
    for out in outs:
        (out * out * out).sum().backward()
    np.testing.assert_allclose(large.grad * 1e190, small.grad, rtol=1e-3, atol=1e-20)
