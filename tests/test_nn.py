"""Layers, models and losses: the course notes' numbers, PyTorch's, and every way to hand them the wrong thing."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError, DtypeError, ShapeError
from minigrad.nn import functional as F


# --------------------------------------------------------------------------------------------------- the notes' numbers
def test_row_32_scores_of_the_cat():
    """CS231n's picture says 61.95 for the last score; that leaves out the bias."""
    layer = nn.Linear(4, 3)
    layer.weight.data = np.array([[0.2, -0.5, 0.1, 2.0], [1.5, 1.3, 2.1, 0.0], [0.0, 0.25, 0.2, -0.3]])
    layer.bias.data = np.array([1.1, 3.2, -1.2])
    np.testing.assert_allclose(layer([56.0, 231.0, 24.0, 2.0]).data, [-96.8, 437.9, 60.75], rtol=1e-12)


# ------------------------------------------------------------------------------------------------------- first weights
M, N = 300, 200  # in, out


@pytest.mark.parametrize(
    ("fill_", "variance", "bound"),
    [
        (nn.init.xavier_uniform_, 2 / (M + N), math.sqrt(6 / (M + N))),
        (nn.init.xavier_normal_, 2 / (M + N), None),
        (nn.init.kaiming_uniform_, 2 / M, math.sqrt(6 / M)),
        (nn.init.kaiming_normal_, 2 / M, None),
        (lambda p, rng: nn.init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu", rng=rng), 2 / N, None),
        (lambda p, rng: nn.init.kaiming_uniform_(p, a=3.0, rng=rng), 2 / 10 / M, None),
        (lambda p, rng: nn.init.xavier_normal_(p, gain=5 / 3, rng=rng), 25 / 9 * 2 / (M + N), None),
        (lambda p, rng: nn.init.normal_(p, 2.0, 0.5, rng=rng), 0.25, None),
        (lambda p, rng: nn.init.uniform_(p, -1.0, 2.0, rng=rng), 9 / 12, 2.0),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_row_60_variances_of_the_initial_weights(fill_, variance, bound, dtype):
    p = mg.Value(np.zeros((N, M), dtype))
    assert fill_(p, rng=0) is p
    assert p.dtype == dtype
    assert p.data.var() == pytest.approx(variance, rel=0.03)
    if bound is not None:
        assert abs(p.data).max() <= bound * (1 + 1e-6)
        assert abs(p.data).max() > 0.99 * bound
    again = fill_(mg.Value(np.zeros((N, M), dtype)), rng=0)
    assert np.array_equal(p.data, again.data)


def test_row_60_linear_starts_uniform_within_one_over_the_root_of_its_inputs():
    layer = nn.Linear(M, N, rng=0)
    assert layer.weight.data.var() == pytest.approx(1 / (3 * M), rel=0.03)
    assert abs(layer.weight.data).max() <= 1 / math.sqrt(M)
    assert abs(layer.bias.data).max() <= 1 / math.sqrt(M)
    assert layer.bias.data.var() == pytest.approx(1 / (3 * M), rel=0.2)


@pytest.mark.parametrize("seed", [0, np.int64(0)], ids=["int", "numpy"])
def test_weight_and_bias_are_different_draws(seed):
    layer = nn.Linear(3, 3, rng=seed)
    assert not np.any(np.isin(layer.bias.data, layer.weight.data))
    np.testing.assert_array_equal(layer.weight.data, nn.Linear(3, 3, rng=np.random.default_rng(0)).weight.data)


def test_the_layers_of_a_model_are_different_draws_and_seeds_repeat_them():
    a, b = nn.MLP([4, 4, 4], rng=5), nn.MLP([4, 4, 4], rng=5)
    assert not np.array_equal(a.layers[0].weight.data, a.layers[2].weight.data)
    mg.seed(3)
    c = nn.MLP([4, 4, 4])
    mg.seed(3)
    d = nn.MLP([4, 4, 4])
    for x, y in ((a, b), (c, d)):
        for p, q in zip(x.parameters(), y.parameters(), strict=True):
            np.testing.assert_array_equal(p.data, q.data)
    assert not np.array_equal(a.layers[0].weight.data, c.layers[0].weight.data)


def test_row_60_equal_units_stay_equal():
    """Why weights start at random: with equal ones, the hidden units learn the same for ever."""
    model = nn.MLP([2, 4, 1], activation=nn.Tanh)
    for p in model.parameters():
        nn.init.constant_(p, 0.3)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        nn.HingeLoss()(model(np.array([[1.0, 2.0], [-3.0, 0.5], [0.1, 0.2]])), [1, -1, -1]).backward()
        optimizer.step()
    hidden = model.layers[0].weight.data
    assert np.array_equal(hidden, np.tile(hidden[0], (4, 1)))
    assert not np.allclose(hidden, 0.3)


def test_filling_keeps_the_kind_of_number():
    for start in (2.0, np.float32(2.0), np.zeros(3, np.float32)):
        p = mg.Value(start)
        kind, dtype = type(p.data), p.dtype
        assert nn.init.ones_(p) is p
        assert type(p.data) is kind
        assert p.dtype == dtype
        assert np.all(p.data == 1.0)


def weight(*shape):
    return mg.Value(np.zeros(shape))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: nn.init.xavier_uniform_(weight(3)), ShapeError, r"at least two axes \(out, in\).*\(3,\)"),
        (lambda: nn.init.kaiming_normal_(weight(0, 2)), ShapeError, r"at least two axes .*\(0, 2\)"),
        (lambda: nn.init.kaiming_normal_(weight(2, 2), mode="fan_up"), ValueError, r"'fan_up'.*'fan_in' or 'fan_out'"),
        (lambda: nn.init.calculate_gain("swish"), ValueError, r"'swish' is not one of \['linear'"),
        (lambda: nn.init.calculate_gain("leaky_relu", math.nan), ValueError, "calculate_gain: param=nan; it is a fin"),
        (lambda: nn.init.zeros_(np.zeros(3)), DtypeError, r"init: \(3,\) is no parameter: pass layer\.weight or"),
        (lambda: nn.init.normal_(nn.Linear(1, 2)), DtypeError, r"init: Linear\(1, 2\) is no parameter"),
        (lambda: nn.init.normal_(weight(3), std=-1.0), ValueError, r"normal_: std=-1\.0; it is a number of at least 0"),
        (lambda: nn.init.normal_(weight(3), math.nan), ValueError, "normal_: mean=nan; it is a finite number"),
        (lambda: nn.init.uniform_(weight(3), 2.0, 1.0), ValueError, r"uniform_: a=2\.0 is above b=1\.0"),
        (lambda: nn.init.uniform_(weight(3), b=math.inf), ValueError, "uniform_: b=inf; it is a finite number"),
        (lambda: nn.init.constant_(weight(3), "a"), DtypeError, "constant_: val='a' is not a number"),
        (lambda: nn.init.xavier_uniform_(weight(3, 2), gain="tanh"), DtypeError, "xavier_uniform_: gain='tanh' is not"),
        (lambda: nn.init.xavier_normal_(weight(3, 2), gain=-1.0), ValueError, r"xavier_normal_: gain=-1\.0; it is a n"),
        (lambda: nn.init.ones_(weight(3), rng="x"), TypeError, "rng"),
    ],
)  # fmt: skip
def test_what_init_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu"])
def test_gains_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    for param in (None, 0.0, 0.2) if name == "leaky_relu" else (None,):
        assert nn.init.calculate_gain(name, param) == pytest.approx(torch.nn.init.calculate_gain(name, param))


# -------------------------------------------------------------------------------------------------------------- modules
class Block(nn.Module):
    """Parameters and parts in every kind of container, declared in no particular order."""

    def __init__(self):
        self.inner = nn.Linear(2, 2, rng=0)
        self.scale = nn.Parameter(2.0)
        self.stack = [nn.Linear(2, 2, rng=1), (nn.Parameter(np.ones(2)), nn.ReLU())]
        self.table = {"a": nn.Linear(2, 1, bias=False, rng=2), "b": {"deep": nn.Parameter(np.zeros(1))}}
        self.again = self.inner
        self.tied = self.inner.weight
        self.note, self.width, self.plain = "text", 3, mg.Value(1.0)

    def forward(self, x):
        return self.table["a"](self.stack[0](self.inner(x)) * self.stack[1][0] * self.scale) + self.table["b"]["deep"]


def test_parameters_are_found_once_a_modules_own_first():
    assert [name for name, _ in Block().named_parameters()] == [
        "scale", "stack.1.0", "table.b.deep", "tied", "inner.bias", "stack.0.weight", "stack.0.bias", "table.a.weight",
    ]  # fmt: skip
    assert [name for name, _ in Block().named_modules()] == ["", "inner", "stack.0", "stack.1.1", "table.a"]
    assert [name for name, _ in Block().named_children()] == ["inner", "stack.0", "stack.1.1", "table.a"]
    assert next(Block().named_parameters("model"))[0] == "model.scale"


def test_every_parameter_that_was_found_learns():
    model = Block()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    before = model.state_dict()
    model(np.array([[1.0, -2.0]])).sum().backward()
    optimizer.step()
    after = model.state_dict()
    assert all(np.any(before[name] != after[name]) for name in before)
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [None] * 8


def test_repr():
    model = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.ReLU(), nn.Softmax(dim=0)), nn.Linear(2, 1, bias=False))
    assert repr(model) == (
        "Sequential(\n  (0): Linear(3, 2)\n  (1): Sequential(\n    (0): ReLU()\n    (1): Softmax(dim=0)\n  )\n"
        "  (2): Linear(2, 1, bias=False)\n)"
    )
    assert repr(nn.Sequential()) == "Sequential()"


def test_sequential():
    first, second = nn.Linear(3, 4, rng=0), nn.Linear(4, 2, rng=1)
    model = nn.Sequential(first, mg.tanh, second, lambda x: x * 2.0)
    model.note = "an attribute is no layer"
    X = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
    np.testing.assert_allclose(
        model(X).data,
        2.0 * (np.tanh(X @ first.weight.data.T + first.bias.data) @ second.weight.data.T + second.bias.data),
    )
    assert len(model) == 4
    assert model[0] is first
    assert model[-2] is second
    assert [m is n for m, n in zip(model[1:3], [mg.tanh, second], strict=True)] == [True, True]
    assert model.train().eval()(X).shape == (2, 2)
    with pytest.raises(TypeError, match="part 1 is 3, not a module or function"):
        nn.Sequential(first, 3)
    with pytest.raises(TypeError, match=r"part 0 is a list: unpack it: Sequential\(\*layers\)"):
        nn.Sequential([first, second])


def test_mlp():
    model = nn.MLP([3, 5, 4, 2], activation=nn.Sigmoid, rng=0)
    names = [type(m).__name__ for m in model.layers]
    assert names == ["Linear", "Sigmoid", "Linear", "Sigmoid", "Linear"]
    assert [p.shape for p in model.parameters()] == [(5, 3), (5,), (4, 5), (4,), (2, 4), (2,)]
    assert nn.MLP([3, 2])(np.ones(3)).shape == (2,)
    assert nn.MLP([3, 2, 2], activation=lambda: mg.tanh)(np.ones((7, 5, 3))).shape == (7, 5, 2)
    with pytest.raises(ShapeError, match=r"MLP\(\[3\]\): give at least two sizes"):
        nn.MLP([3])
    with pytest.raises(ShapeError, match="Linear: out_features=0; it is at least 1"):
        nn.MLP([3, 0, 2])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.MLP(4, 3, 2), r"sizes=4 is not a list: MLP\(\["),
        (lambda: nn.MLP([2, 3, 1], activation="relu"), "activation='relu': give the class: activation=nn.ReLU"),
        (lambda: nn.MLP([2, 3, 1], activation=nn.ReLU()), r"activation=ReLU\(\): give the class"),
        (lambda: nn.MLP([2, 3, 1], activation=F.relu), "give the class"),
        (lambda: nn.MLP([2, 3, 1], activation=lambda: 3), r"activation\(\) is 3"),
        (lambda: nn.Linear("a", 3), "Linear: in_features='a' is not a whole number"),
        (lambda: nn.Linear(2, 2.5), r"out_features=2\.5 is not a whole number"),
        (lambda: nn.Linear(2, 3, rng="x"), "rng='x'; it is a whole number"),
    ],
)
def test_models_that_can_not_be_built(make, text):
    with pytest.raises(DtypeError, match=text):
        make()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4,), (2, 4), (5, 3, 4)])
def test_linear_is_its_formula_to_second_order(bias, shape, rng):
    layer = nn.Linear(4, 3, bias=bias, rng=0)
    x, out = rng.normal(size=shape), layer(rng.normal(size=shape))
    assert out.shape == (*shape[:-1], 3)
    expected = x @ layer.weight.data.T + (layer.bias.data if bias else 0.0)
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-13)
    params = [p.data for p in layer.parameters()]
    assert mg.gradcheck(lambda x, *ps: mg.tanh(F.linear(x, *ps)), x, *params, order=2)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wrong", [(3,), (2, 3), (4, 1), (2, 2, 3)])
def test_an_input_of_the_wrong_width(bias, wrong):
    model = nn.Sequential(nn.Linear(2, 4, bias=bias), nn.ReLU())
    for x in (np.ones(wrong), mg.Value(np.ones(wrong))):
        with pytest.raises(
            ShapeError, match=f"(has|have|differ).*{wrong[-1]}" if bias else f"differ .{wrong[-1]} and 2"
        ):
            model(x)
    assert all(p.grad is None for p in model.parameters())


def test_a_number_is_no_input():
    with pytest.raises(ShapeError, match="rows of 2 numbers"):
        nn.Linear(2, 1)(3.0)
    with pytest.raises(ShapeError, match="needs arrays"):
        nn.Linear(2, 1, bias=False)(3.0)


def test_a_module_without_forward():
    class Empty(nn.Module):
        pass

    with pytest.raises(TypeError, match="Empty has no forward method"):
        Empty()(1.0)


# ---------------------------------------------------------------------------------------------- modes, dtypes, freezing
def test_modes_reach_every_part():
    model = Block()
    assert model.training
    assert model.eval() is model
    assert [m.training for _, m in model.named_modules()] == [False] * 5
    model.train()
    assert [m.training for _, m in model.named_modules()] == [True] * 5


def test_a_frozen_part_does_not_learn():
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 2, rng=1))
    assert model[0].freeze() is model[0]
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    before = model.state_dict()
    F.cross_entropy(model(np.ones((1, 2))), [0]).backward()
    optimizer.step()
    for name, array in model.state_dict().items():
        assert np.array_equal(array, before[name]) is name.startswith("0")
    assert model[0].weight.grad is None


@pytest.mark.parametrize("how", ["to", "dtype="])
@pytest.mark.parametrize("loss", ["cross entropy", "multiclass hinge", "hinge", "squared hinge"])
def test_float32_end_to_end(how, loss, rng):
    outputs = 1 if "squared" in loss or loss == "hinge" else 3
    model = nn.MLP([4, 5, outputs], dtype=np.float32 if how == "dtype=" else np.float64, rng=0)
    if how == "to":
        assert model.to("float32") is model
    X, y = rng.normal(size=(6, 4)).astype(np.float32), rng.integers(0, 3, 6)
    signs = np.where(y == 1, 1.0, -1.0)  # float64 labels
    optimizer = optim.Adam(model.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        scores = model(X)
        if loss == "cross entropy":
            value = nn.CrossEntropyLoss()(scores, y)
        elif loss == "multiclass hinge":
            value = nn.MulticlassHingeLoss(margin=0.5)(scores, y)
        else:
            value = nn.HingeLoss(squared=loss == "squared hinge")(scores, signs)
        value.backward()
        assert (scores.dtype, value.dtype) == (np.float32, np.float32)
        assert [p.grad.dtype for p in model.parameters()] == [np.float32] * 4
        optimizer.step()
    assert [p.dtype for p in model.parameters()] == [np.float32] * 4
    assert [a.dtype for a in model.state_dict().values()] == [np.float32] * 4


def test_to_and_back_keeps_scalars():
    model = Block().to(np.float32)
    assert model.scale.dtype == np.float32
    assert model.to(np.float64).scale.data == 2.0
    assert type(model.scale.data) is float
    assert type(model.stack[1][0].data) is np.ndarray


@pytest.mark.parametrize("dtype", [int, np.int32, bool, np.float16, complex, "longdouble"])
def test_a_model_is_never_converted_to_whole_numbers(dtype):
    model = nn.MLP([2, 3, 1], rng=0)
    before = model.state_dict()
    with pytest.raises(DtypeError, match="float64 or float32"):
        model.to(dtype)
    for name, array in model.state_dict().items():
        assert np.array_equal(array, before[name])
    with pytest.raises(DtypeError, match="float64 or float32"):
        nn.Linear(2, 3, dtype=dtype)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_a_copied_model_is_its_own(duplicate):
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))
    twin = duplicate(model)
    X = np.ones((2, 2))
    assert np.array_equal(twin(X).data, model(X).data)
    assert all(isinstance(p, nn.Parameter) for p in twin.parameters())
    twin(X).sum().backward()
    assert all(p.grad is None for p in model.parameters())
    for p in twin.parameters():
        p.data -= 1.0
    assert not np.array_equal(twin(X).data, model(X).data)


# ------------------------------------------------------------------------------------------------------ saving, loading
def test_a_state_dict_holds_copies():
    model = nn.Linear(2, 2, rng=0)
    state = model.state_dict()
    state["weight"][:] = 9.0
    assert not np.any(model.weight.data == 9.0)
    model.load_state_dict(state)
    state["weight"][:] = 5.0
    assert np.all(model.weight.data == 9.0)


def test_loading_numbers_of_other_kinds():
    model = Block().to(np.float32)
    state = {name: np.asarray(a, np.float64) + 1.0 for name, a in Block().state_dict().items()}
    state["stack.1.0"] = [3, 4]
    model.load_state_dict(state)
    assert model.stack[1][0].data.tolist() == [3.0, 4.0]
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float32)}
    model = Block()
    model.load_state_dict({"scale": np.float32(7.0)}, strict=False)
    assert model.scale.data == 7.0
    assert type(model.scale.data) is float


def without(name):
    return lambda state: state.pop(name)


def put(name, array):
    return lambda state: state.update({name: array})


@pytest.mark.parametrize(
    ("spoil", "error", "text"),
    [
        (without("2.bias"), CheckpointError, r"missing \['2.bias'\], unexpected nothing; strict=False"),
        (put("3.bias", np.zeros(1)), CheckpointError, r"missing nothing, unexpected \['3.bias'\]"),
        (put("2.weight", np.zeros((3, 1))), ShapeError, r"2.weight has shape \(1, 3\), the state has \(3, 1\)"),
        (put("2.bias", np.zeros(())), ShapeError, r"2.bias has shape \(1,\), the state has \(\)"),
        (put("2.bias", np.array([True])), DtypeError, "2.bias is bool in the state"),
        (put("2.bias", np.array([1j])), DtypeError, "2.bias is complex128"),
        (put("2.bias", np.array(["1.0"])), DtypeError, "2.bias is <U3"),
        (put("2.bias", np.array([None])), DtypeError, "2.bias is object"),
        (put("2.bias", mg.Value([1.0])), TypeError, r"\.data"),
    ],
)
def test_a_state_that_does_not_fit_loads_nothing(spoil, error, text):
    model = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))
    before = model.state_dict()
    state = {name: array + 1.0 for name, array in before.items()}
    spoil(state)
    with pytest.raises(error, match=text):
        model.load_state_dict(state)
    for name, array in model.state_dict().items():
        assert np.array_equal(array, before[name]), name


def test_not_strict_loads_what_fits_and_still_checks_shapes():
    model = nn.Linear(2, 2, rng=0)
    weight = model.weight.data.copy()
    model.load_state_dict({"bias": np.array([5.0, 6.0]), "other": np.zeros(1)}, strict=False)
    assert model.bias.data.tolist() == [5.0, 6.0]
    assert np.array_equal(model.weight.data, weight)
    with pytest.raises(ShapeError, match="bias"):
        model.load_state_dict({"weight": np.zeros((2, 2)), "bias": np.zeros(3)}, strict=False)
    assert np.array_equal(model.weight.data, weight)


def test_an_optimiser_takes_over_loaded_numbers():
    model = nn.Linear(2, 1, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    state = {"weight": np.array([[5.0, 6.0]]), "bias": np.array([7.0])}
    model.load_state_dict(state)
    model(np.array([[1.0, 2.0]])).sum().backward()
    optimizer.step()
    assert model.weight.data.tolist() == [[4.0, 4.0]]
    assert state["weight"].tolist() == [[5.0, 6.0]]


def test_a_whole_model_to_second_order(rng):
    X, y = rng.normal(size=(4, 3)), rng.integers(0, 2, 4)
    model = nn.MLP([3, 4, 2], activation=nn.Tanh, rng=0)
    shapes = [p.shape for p in model.parameters()]

    def loss(W1, b1, W2, b2):
        return F.cross_entropy(F.linear(F.tanh(F.linear(X, W1, b1)), W2, b2), y)

    assert [np.shape(g) for g in mg.grad(loss, (0, 1, 2, 3))(*[p.data for p in model.parameters()])] == shapes
    assert mg.gradcheck(loss, *[p.data for p in model.parameters()], order=2)
    loss_of_model = F.cross_entropy(model(X), y)
    loss_of_model.backward()
    for p, g in zip(
        model.parameters(), mg.grad(loss, (0, 1, 2, 3))(*[p.data for p in model.parameters()]), strict=True
    ):
        np.testing.assert_allclose(p.grad, g, rtol=1e-12)
