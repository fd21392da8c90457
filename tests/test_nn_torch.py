"""Every module beside PyTorch's: outputs, gradients, second order, running statistics, weights that move both ways.

The losses are in test_losses.py.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.value import Value, pull

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle


def same(build):
    """A model made of our layers, and the same of PyTorch's."""
    return lambda: (build(nn), build(torch.nn).double())


def case(build, *shapes):
    return same(build), shapes


LAYERS = {
    "Linear": case(lambda n: n.Linear(4, 3), (5, 4), (4,), (2, 3, 4)),
    "Linear without bias": case(lambda n: n.Linear(4, 3, False), (5, 4), (2, 3, 4)),
    "Conv1d": case(lambda n: n.Conv1d(2, 4, 3, 2, 1, groups=2), (2, 2, 9), (2, 7)),
    "Conv2d": case(lambda n: n.Conv2d(2, 3, 3), (2, 2, 5, 6), (2, 4, 4)),
    "Conv2d, strides": case(lambda n: n.Conv2d(2, 3, (2, 3), (2, 1), (1, 2), (1, 2), bias=False), (2, 2, 6, 7)),
    "Conv2d, groups": case(lambda n: n.Conv2d(4, 6, 3, padding="same", groups=2), (1, 4, 5, 5)),
    "Conv2d, reflect": case(lambda n: n.Conv2d(1, 2, 3, padding=(1, 2), padding_mode="reflect"), (2, 1, 5, 6)),
    "Conv2d, replicate": case(lambda n: n.Conv2d(1, 2, 3, padding=2, padding_mode="replicate"), (2, 1, 5, 6)),
    "Conv2d, circular": case(lambda n: n.Conv2d(1, 2, (2, 3), padding="same", padding_mode="circular"), (2, 1, 5, 6)),
    "MaxPool2d": case(lambda n: n.MaxPool2d(2), (2, 3, 6, 5), (3, 4, 4)),
    "MaxPool2d, overlapping": case(lambda n: n.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 3, 6, 7)),
    "AvgPool2d": case(lambda n: n.AvgPool2d((2, 3)), (2, 3, 6, 6), (3, 4, 4)),
    "AvgPool2d, options": case(lambda n: n.AvgPool2d(3, 2, 1, True, False), (2, 3, 6, 7)),
    "Flatten": case(lambda n: n.Flatten(), (2, 3, 4), (5, 2)),
    "Flatten, some axes": case(lambda n: n.Flatten(0, 1), (2, 3, 4)),
    "BatchNorm1d": case(lambda n: n.BatchNorm1d(3), (6, 3), (4, 3, 5)),
    "BatchNorm1d, plain": case(lambda n: n.BatchNorm1d(3, 1e-3, None, False, False), (6, 3)),
    "BatchNorm2d": case(lambda n: n.BatchNorm2d(2, momentum=0.3), (3, 2, 4, 3)),
    "LayerNorm": case(lambda n: n.LayerNorm(4), (5, 4), (2, 3, 4), (4,)),
    "LayerNorm, two axes": case(lambda n: n.LayerNorm((3, 4), 1e-3), (2, 3, 4)),
    "LayerNorm, no bias": case(lambda n: n.LayerNorm(4, bias=False), (5, 4)),
    "LayerNorm, plain": case(lambda n: n.LayerNorm(4, elementwise_affine=False), (5, 4)),
    "RNNCell": case(lambda n: n.RNNCell(4, 3), (5, 4), (4,)),
    "RNNCell, relu": case(lambda n: n.RNNCell(4, 3, False, "relu"), (5, 4)),
    "Identity": case(lambda n: n.Identity(), (5, 4)),
    "Dropout": case(lambda n: n.Dropout(0.0), (5, 4)),  # with a p above 0 the masks are different draws
    "ReLU": case(lambda n: n.ReLU(), (5, 4)),
    "LeakyReLU": case(lambda n: n.LeakyReLU(0.2), (5, 4)),
    "LeakyReLU, usual": case(lambda n: n.LeakyReLU(), (5, 4)),
    "ELU": case(lambda n: n.ELU(0.5), (5, 4)),
    "ELU, usual": case(lambda n: n.ELU(), (5, 4)),
    "GELU": case(lambda n: n.GELU(), (5, 4)),
    "GELU, tanh": case(lambda n: n.GELU("tanh"), (5, 4)),
    "SiLU": case(lambda n: n.SiLU(), (5, 4)),
    "Tanh": case(lambda n: n.Tanh(), (5, 4)),
    "Sigmoid": case(lambda n: n.Sigmoid(), (5, 4)),
    "Softplus": case(lambda n: n.Softplus(2.0), (5, 4)),
    "Softmax": case(lambda n: n.Softmax(dim=0), (5, 4)),
    "Softmax, last": case(lambda n: n.Softmax(-1), (5, 4), (2, 3, 4)),
    "LogSoftmax": case(lambda n: n.LogSoftmax(dim=1), (5, 4), (2, 3, 4)),
    "a network": case(lambda n: n.Sequential(n.Linear(4, 5), n.ReLU(), n.Linear(5, 3)), (6, 4)),
    "parts of parts": case(
        lambda n: n.Sequential(n.Sequential(n.Linear(4, 3), n.Tanh()), n.Sequential(n.LayerNorm(3), n.Linear(3, 2))),
        (5, 4),
    ),
    "a small CNN": case(
        lambda n: n.Sequential(
            n.Conv2d(1, 2, 3, padding=1, bias=False), n.BatchNorm2d(2), n.SiLU(), n.MaxPool2d(2), n.Flatten(),
            n.Linear(8, 3), n.LayerNorm(3), n.Tanh(),
        ),
        (3, 1, 4, 4),
    ),
}  # fmt: skip
CASES = [
    pytest.param(build, shape, id=f"{name} {shape}") for name, (build, shapes) in LAYERS.items() for shape in shapes
]


def give(theirs, ours):
    theirs.load_state_dict({name: torch.tensor(a) for name, a in ours.state_dict().items()})


def shaken(ours, rng):
    """The model with other numbers than ones and zeros in its parameters."""
    for p in ours.parameters():
        p.data = p.data + 0.3 * rng.normal(size=p.shape)
    return ours


def close(ours, theirs, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("build", "shape"), CASES)
def test_state_dicts_have_the_same_names_shapes_and_order(build, shape):
    ours, theirs = build()
    state = ours.state_dict()
    assert [(k, a.shape) for k, a in state.items()] == [(k, tuple(t.shape)) for k, t in theirs.state_dict().items()]
    for name, t in theirs.state_dict().items():
        assert str(state[name].dtype) == str(t.dtype).removeprefix("torch.")


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("build", "shape"), CASES)
def test_outputs_gradients_and_second_order(build, shape, training, rng):
    """The scalar is Σ u out², so that every layer has a curvature; second order is its Hessian times a vector."""
    ours, theirs = build()
    give(theirs, shaken(ours, rng))
    ours.train(training)
    theirs.train(training)
    x = Value(rng.normal(size=shape))
    leaves = [x, *ours.parameters()]
    x_ = torch.tensor(x.data, requires_grad=True)
    leaves_ = [x_, *theirs.parameters()]
    out, out_ = ours(x), theirs(x_)
    close(out.data, out_)
    u = rng.normal(size=out.shape)
    grads = pull((u * out * out).sum(), Value(1.0))
    grads_ = torch.autograd.grad((torch.tensor(u) * out_ * out_).sum(), leaves_, create_graph=True)
    for p, g_ in zip(leaves, grads_, strict=True):
        close(grads[p].data, g_, rtol=1e-9, atol=1e-10)
    vs = [rng.normal(size=p.shape) for p in leaves]
    mg.sum(mg.stack([(grads[p] * v).sum() for p, v in zip(leaves, vs, strict=True)])).backward()
    sum((g_ * torch.tensor(v)).sum() for g_, v in zip(grads_, vs, strict=True)).backward()
    for p, p_ in zip(leaves, leaves_, strict=True):
        close(p.grad, p_.grad, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(("build", "shape"), CASES)
def test_weights_come_back_from_torch(build, shape, rng):
    ours, theirs = build()
    for p_ in theirs.parameters():
        p_.data += torch.tensor(rng.normal(size=tuple(p_.shape)))
    x = rng.normal(size=shape)
    out_ = theirs(torch.tensor(x))  # in training: the buffers move, too
    theirs.eval()
    ours.load_state_dict({name: t.numpy() for name, t in theirs.state_dict().items()})
    close(Value(ours.eval()(x)).data, theirs(torch.tensor(x)))
    assert out_.shape == ours(x).shape


@pytest.mark.parametrize("momentum", [0.1, 0.7, 1.0, None])
@pytest.mark.parametrize(
    ("name", "shape"), [("BatchNorm1d", (5, 3)), ("BatchNorm1d", (2, 3, 4)), ("BatchNorm2d", (2, 3, 2, 2))]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_after_five_training_steps(name, shape, momentum, dtype, rng):
    ours = getattr(nn, name)(3, momentum=momentum, dtype=dtype)
    theirs = getattr(torch.nn, name)(3, momentum=momentum, dtype=getattr(torch, dtype))
    sgd, sgd_ = mg.optim.SGD(ours.parameters(), lr=0.1), torch.optim.SGD(theirs.parameters(), lr=0.1)
    digits = 1e-12 if dtype == "float64" else 1e-5
    for _ in range(5):
        x = (3.0 * rng.normal(size=shape) + 1.0).astype(dtype)
        for optimizer, loss in ((sgd, (ours(x) ** 3).mean()), (sgd_, (theirs(torch.tensor(x)) ** 3).mean())):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for key, t in theirs.state_dict().items():
            close(ours.state_dict()[key], t, rtol=digits, atol=digits)
    count = ours.state_dict()["num_batches_tracked"]
    assert count == 5
    assert count.dtype == np.int64
    assert count.shape == ()
    x = rng.normal(size=shape).astype(dtype)
    out = ours.eval()(x)
    assert out.dtype == dtype
    close(out.data, theirs.eval()(torch.tensor(x)), rtol=10 * digits, atol=10 * digits)
    assert ours.num_batches_tracked == 5


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
@pytest.mark.parametrize("ids", [[[0, 3, 3], [2, 1, 4]], [4, 4], 3])
def test_embedding(padding_idx, ids, rng):
    ours = nn.Embedding(5, 3, padding_idx, rng=0)
    theirs = torch.nn.Embedding(5, 3, padding_idx).double()
    assert {k: a.shape for k, a in ours.state_dict().items()} == {"weight": (5, 3)}
    if padding_idx is not None:
        assert not ours.weight.data[padding_idx].any()
    shaken(ours, rng)
    give(theirs, ours)
    out, out_ = ours(ids), theirs(torch.tensor(ids))
    close(out.data, out_)
    u = rng.normal(size=out.shape)
    grad = pull((u * out**3).sum(), Value(1.0))[ours.weight]
    (grad_,) = torch.autograd.grad((torch.tensor(u) * out_**3).sum(), theirs.weight, create_graph=True)
    close(grad.data, grad_)
    (grad * grad).sum().backward()
    (grad_ * grad_).sum().backward()
    close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize("bias", [True, False])
def test_a_recurrent_net_over_time(bias, rng):
    ours = nn.RNNCell(3, 4, bias=bias, rng=0)
    theirs = torch.nn.RNNCell(3, 4, bias=bias).double()
    give(theirs, ours)
    xs, h0 = rng.normal(size=(6, 2, 3)), rng.normal(size=(2, 4))
    h, h_ = Value(h0), torch.tensor(h0, requires_grad=True)
    start, start_ = h, h_
    for x in xs:
        h, h_ = ours(x, h), theirs(torch.tensor(x), h_)
    close(h.data, h_)
    (h * h).sum().backward()
    (h_ * h_).sum().backward()
    close(start.grad, start_.grad)
    for p, p_ in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, p_.grad)


# ----------------------------------------------------------------------------------------------------------- functions
FUNCTIONS = {  # what is computed with each library's functions, and the shapes of its inputs
    "linear": (lambda f, x, w, b: f.linear(x, w, b), (5, 4), (3, 4), (3,)),
    "linear without bias": (lambda f, x, w: f.linear(x, w), (2, 5, 4), (3, 4)),
    "conv1d": (lambda f, x, w, b: f.conv1d(x, w, b, 2, 1), (2, 3, 7), (4, 3, 3), (4,)),
    "conv2d": (lambda f, x, w, b: f.conv2d(x, w, b, 2, 1, 1, 2), (2, 4, 5, 5), (4, 2, 3, 3), (4,)),
    "conv_transpose2d": (lambda f, x, w: f.conv_transpose2d(x, w, stride=2), (2, 3, 3, 2), (3, 2, 2, 2)),
    "max_pool1d": (lambda f, x: f.max_pool1d(x, 2), (2, 3, 6)),
    "max_pool2d": (lambda f, x: f.max_pool2d(x, 3, 2, 1), (2, 3, 6, 6)),
    "avg_pool1d": (lambda f, x: f.avg_pool1d(x, 2), (2, 3, 6)),
    "avg_pool2d": (lambda f, x: f.avg_pool2d(x, 2, 1, 1, count_include_pad=False, divisor_override=3), (2, 3, 4, 4)),
    "unfold": (lambda f, x: f.unfold(x, 2), (2, 3, 4, 4)),
    "batch_norm": (lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True, 0.1, 1e-3), (6, 3, 2), (3,), (3,)),
    "batch_norm, weight only": (lambda f, x, w: f.batch_norm(x, None, None, w, training=True), (6, 3), (3,)),
    "layer_norm": (lambda f, x, w, b: f.layer_norm(x, (3, 4), w, b, 1e-3), (2, 3, 4), (3, 4), (3, 4)),
    "layer_norm, weight only": (lambda f, x, w: f.layer_norm(x, [4], w), (2, 4), (4,)),
    "dropout": (lambda f, x: f.dropout(x, 0.7, training=False), (5, 4)),
    "flatten": (lambda f, x: getattr(f, "flatten", torch.flatten)(x, 1, 2), (2, 3, 4, 5)),
    "embedding": (lambda f, w: f.embedding(ids_for(f, [[0, 3], [3, 2]]), w, padding_idx=-2), (4, 3)),
    "softmax": (lambda f, x: f.softmax(x, dim=0), (5, 4)),
    "log_softmax": (lambda f, x: f.log_softmax(x, 1), (2, 3, 4)),
    "leaky_relu": (lambda f, x: f.leaky_relu(x, 0.2), (5, 4)),
    "elu": (lambda f, x: f.elu(x, 0.5), (5, 4)),
    "celu": (lambda f, x: f.celu(x, 0.5), (5, 4)),
    "gelu": (lambda f, x: f.gelu(x, approximate="tanh"), (5, 4)),
    "hardtanh": (lambda f, x: f.hardtanh(x, -0.5, 0.7), (5, 4)),
    "softplus": (lambda f, x: f.softplus(x, beta=2.0), (5, 4)),
    **{
        name: (lambda f, x, name=name: getattr(f, name)(x), (5, 4))
        for name in (
            "relu", "relu6", "selu", "silu", "mish", "sigmoid", "logsigmoid", "hardsigmoid", "softsign", "tanh",
        )
    },
}  # fmt: skip


def ids_for(f, ids):
    return ids if f is F else torch.tensor(ids)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_pytorchs(name, rng):
    """Output, gradient, and the gradient of the squared gradient, of every input."""
    f, *shapes = FUNCTIONS[name]
    xs = [rng.normal(size=shape) for shape in shapes]
    ours, theirs = [Value(x) for x in xs], [torch.tensor(x, requires_grad=True) for x in xs]
    out, out_ = f(F, *ours), f(torch.nn.functional, *theirs)
    close(out.data, out_)
    if name != "embedding":
        raw = f(F, *xs)
        assert type(raw) is np.ndarray
        np.testing.assert_array_equal(raw, out.data)
    u = rng.normal(size=out.shape)
    grads = pull((u * out * out).sum(), Value(1.0))
    grads_ = torch.autograd.grad((torch.tensor(u) * out_ * out_).sum(), theirs, create_graph=True)
    for x, g_ in zip(ours, grads_, strict=True):
        close(grads[x].data, g_, rtol=1e-7 if name == "hardsigmoid" else 1e-9, atol=1e-10)
    if name == "hardsigmoid":  # in PyTorch 1/6 is a float32 there, and there is no second derivative
        return
    mg.sum(mg.stack([(grads[x] ** 2).sum() for x in ours])).backward()
    sum((g_**2).sum() for g_ in grads_).backward()
    for x, x_ in zip(ours, theirs, strict=True):
        close(x.grad, x_.grad, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_moves_the_arrays_that_it_is_given(shape, training, rng):
    x, mean, var = rng.normal(size=shape) + 2.0, rng.normal(size=3), rng.uniform(0.5, 2.0, 3)
    mean_, var_ = torch.tensor(mean), torch.tensor(var)
    for _ in range(3):
        out = F.batch_norm(x, mean, var, training=training, momentum=0.3)
        close(out, torch.nn.functional.batch_norm(torch.tensor(x), mean_, var_, training=training, momentum=0.3))
    close(mean, mean_)
    close(var, var_)


def test_every_function_and_every_module_is_compared():
    """What is new must come into a table here, or in test_losses.py."""
    losses = {name for name in F.__all__ if name.endswith("_loss")}
    losses |= {"cross_entropy", "binary_cross_entropy_with_logits", "kl_div"}
    assert {name.split(",")[0].split(" ")[0] for name in FUNCTIONS} == set(F.__all__) - losses
    modules = {name for name in nn.__all__ if hasattr(torch.nn, name) and not name.endswith("Loss")}
    elsewhere = {"Module", "Parameter", "Sequential", "ModuleList", "Embedding"}  # in the tests above and below
    assert {name.split(",")[0].split(" ")[0] for name in LAYERS} - {"a", "parts"} == modules - elsewhere - {
        name for name in modules if not name[0].isupper() or name in ("functional", "init", "utils")
    }


MISSING = {  # options of PyTorch's that docs/layers.md lists as left out
    "inplace", "device", "return_indices", "threshold", "max_norm", "norm_type", "scale_grad_by_freq", "sparse",
    "_weight", "_freeze", "_stacklevel", "args", "kwargs",
}  # fmt: skip


def test_signatures_are_pytorchs():
    """The same names in the same order with the same defaults; what we leave out is keyword-only from there on."""
    modules = [n for n in nn.__all__ if hasattr(torch.nn, n) and n[0].isupper() and not n.endswith("Loss")]
    pairs = [(n, getattr(nn, n), getattr(torch.nn, n)) for n in modules]
    pairs += [
        (n, getattr(F, n), getattr(torch.nn.functional, n))
        for n in ("dropout", "embedding", "batch_norm", "layer_norm", "softmax", "log_softmax")
    ]
    for name, ours, theirs in pairs:
        if name in ("Module", "Parameter", "Sequential", "ModuleList"):
            continue
        mine, its = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
        shared = [n for n in its if n in mine and n != "dtype"]
        assert [n for n in mine if n not in ("dtype", "rng")] == shared, name
        gone = set(its) - set(mine) - MISSING - {"dtype"}
        assert gone == ({"bias"} if name.startswith("BatchNorm") else set()), name
        for n in shared:
            if n != "dim":  # None in PyTorch, which guesses and warns
                assert mine[n].default == its[n].default, (name, n)
            before = [m for m in list(its)[: list(its).index(n)] if m not in mine]
            assert (mine[n].kind is inspect.Parameter.KEYWORD_ONLY) == bool(before), (name, n)


def build_nets():
    """The same architecture twice, with a shared layer, a list, a frozen part and buffers between the parameters."""

    def build(n, module, zeros):
        class Net(module):
            def __init__(self):
                super().__init__()
                self.head = n.Linear(3, 2)
                self.register_buffer("shift", zeros(2))
                self.body = n.Sequential(n.Linear(3, 3), n.BatchNorm1d(3), n.Tanh())
                self.factor = n.Parameter(zeros(1))
                self.layers = n.ModuleList([n.Linear(3, 3), n.LayerNorm(3)])
                self.same = self.layers[0]
                self.tied = n.Linear(3, 3)
                self.tied.weight = self.same.weight
                self.register_buffer("scratch", zeros(1), persistent=False)

        return Net()

    return build(nn, nn.Module, np.zeros), build(torch.nn, torch.nn.Module, torch.zeros)


def test_names_and_order_of_everything():
    ours, theirs = build_nets()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for names in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, names)()] == [n for n, _ in getattr(theirs, names)()], names
    for count in ("parameters", "buffers", "modules", "children"):
        assert len([*getattr(ours, count)()]) == len([*getattr(theirs, count)()]), count


def test_missing_and_unexpected_names_are_pytorchs():
    ours, theirs = build_nets()
    state = ours.state_dict()
    del state["body.1.running_mean"], state["same.weight"]
    state["extra"] = np.zeros(1)
    expected = theirs.load_state_dict({k: torch.tensor(a) for k, a in state.items()}, strict=False)
    found = ours.load_state_dict(state, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (expected.missing_keys, expected.unexpected_keys)


def test_apply_and_sequences_go_in_pytorchs_order():
    visited = []
    for model in same(lambda n: n.Sequential(n.Sequential(n.Linear(2, 2), n.ReLU()), n.Linear(2, 2)))():
        order = []
        model.apply(lambda module, order=order: order.append(type(module).__name__))
        visited.append(order)
        shorter = model[0:1]
        assert type(shorter).__name__ == "Sequential"
        assert len(shorter) == 1
        order.extend([*model[1:].state_dict(), *model[:1].state_dict()])
        model.append(model[0][0])
        assert [type(m).__name__ for m in model] == ["Sequential", "Linear", "Linear"]
        visited.append(list(model.state_dict()))
    assert visited[:2] == visited[2:]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")  # at the first layer, whose input is raw
def test_hooks_see_what_pytorchs_see(rng):
    x = rng.normal(size=(3, 2))
    ours, theirs = same(lambda n: n.Sequential(n.Linear(2, 3), n.Tanh(), n.Linear(3, 1)))()
    give(theirs, ours)
    seen = []
    for model in (ours, theirs):
        found = []

        def forward(module, args, output, found=found):
            found.append(("forward", type(module).__name__, [args[0], output]))

        def backward(module, grad_input, grad_output, found=found):
            found.append(("backward", type(module).__name__, [*grad_input, *grad_output]))

        handles = [layer.register_forward_hook(forward) for layer in model]
        handles += [layer.register_full_backward_hook(backward) for layer in model]
        model(x if model is ours else torch.tensor(x)).sum().backward()
        for handle in handles:
            handle.remove()
        model(x if model is ours else torch.tensor(x)).sum().backward()
        seen.append(found)
    assert [(a, b) for a, b, _ in seen[0]] == [(a, b) for a, b, _ in seen[1]]
    for (_, _, mine), (_, _, its) in zip(*seen, strict=True):
        for a, b in zip(mine, its, strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                close(getattr(a, "data", a) if isinstance(a, Value) else a, b)


def test_hooks_that_change_what_passes(rng):
    x = rng.normal(size=(3, 2))
    ours, theirs = same(lambda n: n.Sequential(n.Linear(2, 3), n.Tanh()))()
    give(theirs, ours)
    for model in (ours, theirs):
        model[1].register_full_backward_hook(lambda module, grad_input, grad_output: (2.0 * grad_input[0],))
        model[0].register_forward_hook(lambda module, args, output: output * 0.5)
    out, out_ = ours(x), theirs(torch.tensor(x))
    close(out.data, out_)
    out.sum().backward()
    out_.sum().backward()
    for p, p_ in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, p_.grad)


SPREAD = {
    "Linear": lambda n: n.Linear(4, 300),
    "Conv2d": lambda n: n.Conv2d(4, 60, 3),
    "Conv1d": lambda n: n.Conv1d(4, 80, 5, groups=2),
    "RNNCell": lambda n: n.RNNCell(100, 256),
    "Embedding": lambda n: n.Embedding(300, 40),
}


@pytest.mark.parametrize("name", SPREAD)
def test_initial_weights_have_pytorchs_spread(name):
    """The same deviation, and where they are uniform the same bound."""
    mg.seed(0)
    torch.manual_seed(0)
    ours, theirs = SPREAD[name](nn), SPREAD[name](torch.nn)
    for p, p_ in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.shape == p_.shape
        assert p.data.std() == pytest.approx(p_.std().item(), rel=0.2)
        if name != "Embedding":
            assert abs(p.data).max() == pytest.approx(abs(p_).max().item(), rel=0.1)
