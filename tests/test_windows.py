"""Convolution and pooling: the notes' numbers, PyTorch's values, first and second derivatives, and errors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ShapeError


def linspace(low: float, high: float, *shape: int) -> Any:
    return np.linspace(low, high, int(np.prod(shape))).reshape(shape)


def test_cs231n_convolution() -> None:
    x, w = linspace(-0.1, 0.5, 2, 3, 4, 4), linspace(-0.2, 0.3, 3, 3, 4, 4)
    out = mg.conv2d(mg.Value(x), mg.Value(w), mg.Value(np.linspace(-0.1, 0.2, 3)), stride=2, padding=1)
    assert out.shape == (2, 3, 2, 2)
    np.testing.assert_allclose(out.data[0, 0], [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]], rtol=1e-7)
    np.testing.assert_allclose(out.data[1, 2], [[2.36270298, 2.36904306], [2.38090835, 2.38247847]], rtol=1e-8)


def test_cs231n_max_pooling() -> None:
    out = mg.max_pool2d(mg.Value(linspace(-0.3, 0.4, 2, 3, 4, 4)), 2, 2)
    np.testing.assert_allclose(out.data[0, 0], [[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]], rtol=1e-7)
    assert out.data[-1, -1, -1, -1] == 0.4


CALLS: dict[str, tuple[str, tuple[tuple[int, ...], ...], dict[str, Any]]] = {
    "conv2d": ("conv2d", ((2, 3, 5, 6), (4, 3, 3, 2)), {}),
    "conv2d bias": ("conv2d", ((2, 3, 5, 5), (4, 3, 3, 3), (4,)), {"stride": 2, "padding": 1}),
    "conv2d pairs": ("conv2d", ((2, 2, 6, 5), (2, 2, 2, 2)), {"stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)}),
    "conv2d groups": ("conv2d", ((2, 4, 4, 4), (6, 2, 3, 3), (6,)), {"groups": 2, "padding": 1}),
    "conv2d depthwise": ("conv2d", ((1, 3, 5, 4), (3, 1, 2, 2)), {"groups": 3, "dilation": 2}),
    "conv2d 1x1": ("conv2d", ((2, 3, 4, 4), (5, 3, 1, 1)), {"stride": 3}),
    "conv2d whole": ("conv2d", ((2, 3, 4, 4), (5, 3, 4, 4)), {}),
    "conv2d empty batch": ("conv2d", ((0, 3, 4, 4), (5, 3, 2, 2)), {}),
    "conv1d": ("conv1d", ((2, 3, 7), (4, 3, 3)), {"stride": 2, "padding": 1}),
    "conv1d bias groups": ("conv1d", ((2, 4, 8), (2, 2, 3), (2,)), {"dilation": 2, "groups": 2, "stride": (3,)}),
    "conv_transpose2d": ("conv_transpose2d", ((2, 3, 3, 4), (3, 2, 3, 2)), {}),
    "conv_transpose2d bias": ("conv_transpose2d", ((2, 3, 3, 3), (3, 4, 3, 3), (4,)), {"stride": 2, "padding": 1}),
    "conv_transpose2d output": (
        "conv_transpose2d", ((1, 2, 3, 3), (2, 2, 3, 3)), {"stride": 2, "padding": 1, "output_padding": 1},
    ),
    "conv_transpose2d beyond": (
        "conv_transpose2d", ((1, 2, 2, 3), (2, 1, 2, 2), (1,)), {"stride": (3, 2), "output_padding": (2, 0)},
    ),
    "conv_transpose2d groups": (
        "conv_transpose2d", ((2, 4, 3, 2), (4, 3, 2, 2), (6,)), {"groups": 2, "dilation": (2, 1), "padding": (1, 0)},
    ),
    "max_pool1d": ("max_pool1d", ((2, 3, 7),), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "max_pool2d": ("max_pool2d", ((2, 3, 6, 4),), {"kernel_size": 2}),
    "max_pool2d overlapping": ("max_pool2d", ((2, 2, 7, 7),), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "max_pool2d dilated": (
        "max_pool2d", ((1, 2, 6, 7),), {"kernel_size": (2, 3), "stride": (1, 2), "dilation": (3, 2), "padding": (0, 1)},
    ),
    "avg_pool1d": ("avg_pool1d", ((2, 3, 7),), {"kernel_size": 3, "stride": 2, "padding": 1}),
    "avg_pool2d": ("avg_pool2d", ((2, 3, 6, 4),), {"kernel_size": 2}),
    "avg_pool2d overlapping": (
        "avg_pool2d", ((1, 2, 5, 6),), {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)},
    ),
    "conv2d same": ("conv2d", ((2, 2, 5, 4), (3, 2, 3, 2)), {"padding": "same", "dilation": (1, 2)}),
    "conv2d alone": ("conv2d", ((2, 5, 4), (3, 2, 3, 2), (3,)), {"padding": "valid"}),
    "conv1d same": ("conv1d", ((2, 2, 5), (3, 2, 4)), {"padding": "same"}),
    "conv_transpose2d alone": ("conv_transpose2d", ((2, 3, 4), (2, 3, 2, 2)), {"padding": 1}),
    "max_pool1d alone": ("max_pool1d", ((2, 7),), {"kernel_size": 2, "ceil_mode": True}),
    "max_pool2d ceil": ("max_pool2d", ((1, 2, 6, 5),), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    "avg_pool2d ceil": (
        "avg_pool2d", ((1, 2, 6, 5),), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    ),
    "avg_pool2d inside": (
        "avg_pool2d", ((2, 6, 5),), {"kernel_size": (3, 2), "padding": 1, "count_include_pad": False},
    ),
    "avg_pool2d divisor": ("avg_pool2d", ((2, 1, 4, 4),), {"kernel_size": 2, "divisor_override": 3}),
    "avg_pool1d ceil": (
        "avg_pool1d", ((2, 1, 8),), {"kernel_size": 3, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ),
    "unfold alone": ("unfold", ((2, 4, 3),), {"kernel_size": 2}),
    "unfold": ("unfold", ((2, 3, 5, 4),), {"kernel_size": (2, 3)}),
    "unfold padded": (
        "unfold", ((1, 2, 5, 5),), {"kernel_size": 2, "dilation": 2, "padding": (1, 0), "stride": (2, 1)},
    ),
}  # fmt: skip
each_call = pytest.mark.parametrize("name", CALLS)


def sample(name: str, rng: Any) -> tuple[Any, list[Any]]:
    function, shapes, params = CALLS[name]
    gate = getattr(mg, function)
    return lambda *xs: gate(*xs, **params), [rng.uniform(-2.0, 2.0, shape) for shape in shapes]


@each_call
def test_first_and_second_derivatives_are_the_measured_slopes(name: str, rng: Any) -> None:
    f, inputs = sample(name, rng)
    if inputs[0].size:
        first = inputs[0] if "alone" in name else inputs[0][:1]
        assert mg.gradcheck(lambda *xs: f(*xs) ** 2, first, *inputs[1:], order=1)
    if inputs[0].size and sum(x.size for x in inputs) < 250:
        assert mg.gradcheck(lambda *xs: f(*xs) ** 2, *inputs, order=2, rtol=1e-4, atol=1e-6)


@each_call
def test_raw_in_raw_out_and_float32(name: str, rng: Any) -> None:
    f, inputs = sample(name, rng)
    out = f(*inputs)
    assert type(out) is np.ndarray
    values = [mg.Value(x.astype(np.float32)) for x in inputs]
    single = f(*values)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.data, out, rtol=1e-4, atol=1e-4)
    mg.sum(single).backward()
    assert all(x.grad.dtype == np.float32 and x.grad.shape == x.shape for x in values)


@pytest.mark.oracle
@each_call
def test_values_and_derivatives_are_pytorchs(name: str, rng: Any) -> None:
    torch = pytest.importorskip("torch")
    if "empty" in name:
        pytest.skip("PyTorch has no second derivative of it")
    function, _, params = CALLS[name]
    f, inputs = sample(name, rng)
    theirs = [torch.tensor(x, requires_grad=True) for x in inputs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, about the copies it makes for padding="same"
        out = getattr(torch.nn.functional, function)(*theirs, **params)
    ours = f(*map(mg.Value, inputs))
    assert ours.shape == tuple(out.shape)
    np.testing.assert_allclose(ours.data, out.detach().numpy(), rtol=1e-12, atol=1e-12)
    weight = rng.uniform(0.5, 1.5, ours.shape)
    directions = [rng.uniform(0.5, 1.5, x.shape) for x in inputs]
    at = tuple(range(len(inputs)))
    first = torch.autograd.grad((out**2 * torch.tensor(weight)).sum(), theirs, create_graph=True)
    slope = sum((g * torch.tensor(d)).sum() for g, d in zip(first, directions, strict=True))
    second = torch.autograd.grad(slope, theirs)

    def slopes(*xs: Any) -> Any:
        return mg.grad(lambda *ys: mg.sum(f(*ys) ** 2 * weight), argnums=at)(*xs)

    for got, expected in zip(slopes(*inputs), first, strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-11, atol=1e-11)
    along = mg.grad(lambda *xs: sum(mg.sum(g * d) for g, d in zip(slopes(*xs), directions, strict=True)), argnums=at)
    for got, expected in zip(along(*inputs), second, strict=True):
        np.testing.assert_allclose(got, expected.numpy(), rtol=1e-11, atol=1e-11)


def test_of_equal_numbers_in_a_window_the_first_takes_the_gradient() -> None:
    x = mg.Value(np.zeros((1, 1, 4, 4)))
    mg.max_pool2d(x, 2).sum().backward()
    assert x.grad[0, 0].tolist() == [[1.0, 0.0, 1.0, 0.0], [0.0] * 4] * 2


def test_max_pooling_of_negative_numbers_never_takes_the_padding() -> None:
    x = mg.Value(-1.0 - np.arange(9.0).reshape(1, 1, 3, 3))
    out = mg.max_pool2d(x, 2, padding=1)
    assert out.data[0, 0].tolist() == [[-1.0, -2.0], [-4.0, -5.0]]
    out.sum().backward()
    assert x.grad.sum() == 4.0


def test_padding_of_whole_numbers_is_minus_infinity_too() -> None:
    assert mg.max_pool1d(np.array([[-1, -2, -3]]), 2, padding=1).tolist() == [[-1.0, -2.0]]


def test_a_nan_wins_its_window() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 0, 0] = np.nan
    out = mg.max_pool2d(mg.Value(x), 2)
    assert np.isnan(out.data[0, 0]).tolist() == [[True, False], [False, False]]


def test_windows_are_a_view() -> None:
    x = np.arange(10_000.0).reshape(100, 100)
    out = mg.windows(x, size=(50, 50), stride=(1, 1), dilation=(1, 1))
    assert out.shape == (51, 51, 50, 50)
    assert np.shares_memory(out, x)


def test_the_transposed_convolution_is_the_gradient_of_the_convolution(rng: Any) -> None:
    x, w, g = rng.normal(size=(2, 3, 7, 5)), rng.normal(size=(4, 3, 3, 3)), rng.normal(size=(2, 4, 4, 3))
    value = mg.Value(x)
    mg.conv2d(value, w, stride=2, padding=1).backward(g)
    np.testing.assert_allclose(mg.conv_transpose2d(g, w, stride=2, padding=1), value.grad, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda x: mg.conv2d(x[0, 0], np.ones((4, 3, 2, 2))),
            r"conv2d: .*the input is \(batch, channels, .* not \(5, 5\)",
        ),
        (lambda x: mg.conv1d(x, np.ones((4, 3, 2))), r"conv1d: .*the input is \(batch, channels, length\)"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2))), r"conv2d: weight \(4, 3, 2\) must be \(out, in / groups"),
        (lambda x: mg.conv2d(x, np.ones((4, 2, 2, 2))), r"conv2d: .*has 3 channels; weight \(4, 2, 2, 2\) .*takes 2"),
        (lambda x: mg.conv2d(x, np.ones((4, 1, 2, 2)), groups=3), r"makes 4, which 3 must divide"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), groups=0), r"groups=0"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), np.ones(3)), r"bias \(3,\) must be \(4,\), one for each filter"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), stride=0), "stride=0: it is an integer, at least 1, or 2 of"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), padding=-1), "padding=-1: it is an integer, at least 0"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), padding=0.5), "padding=0.5: it is an integer"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), padding="full"), "padding='full': in words, it is \"same\" or"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), stride=2, padding="same"), r"\"same\" goes with stride 1, not"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 2, 2)), dilation=(1, 2, 3)), r"dilation=\(1, 2, 3\): .* or 2 of them"),
        (lambda x: mg.conv2d(x, np.ones((4, 3, 6, 2))), r"a window of \(6, 2\) is larger than the padded"),
        (lambda x: mg.max_pool2d(x, 0), "max_pool2d: kernel_size=0: it is an integer, at least 1"),
        (lambda x: mg.max_pool2d(x, 2, padding=2), r"padding=\(2, 2\) must be at most half of kernel_size=\(2, 2\)"),
        (lambda x: mg.avg_pool2d(x, 6), r"avg_pool2d: a window of \(6, 6\) is larger"),
        (lambda x: mg.avg_pool2d(x, 2, divisor_override=0), "divisor_override=0; a mean of nothing"),
        (lambda x: mg.unfold(x[0, 0], 2), r"unfold: .*the input is \(batch, channels, height, width\)"),
        (lambda x: mg.conv_transpose2d(x, np.ones((2, 3, 2, 2))), r"conv_transpose2d: weight .* with in = 3"),
        (lambda x: mg.conv_transpose2d(x, np.ones((3, 1, 2, 2)), groups=0), "groups=0"),
        (lambda x: mg.conv_transpose2d(x, np.ones((3, 1, 2, 2)), output_padding=1), r"must be smaller than stride or"),
    ],
)
def test_errors_teach(call: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        call(mg.Value(np.ones((2, 3, 5, 5)), label="images"))


def test_a_window_that_hangs_over_the_edge_is_averaged_over_what_it_holds() -> None:
    """ceil_mode: the last window holds one number, and it is divided by 1, not by 2."""
    assert mg.avg_pool1d(np.array([[[2.0, 4.0, 6.0]]]), 2, ceil_mode=True).tolist() == [[[3.0, 6.0]]]
    assert mg.max_pool1d(np.array([[[2.0, 4.0, -6.0]]]), 2, ceil_mode=True).tolist() == [[[4.0, -6.0]]]


def test_padding_counts_unless_told_otherwise() -> None:
    x = np.array([[[2.0, 4.0]]])
    assert mg.avg_pool1d(x, 2, padding=1).tolist() == [[[1.0, 2.0]]]
    assert mg.avg_pool1d(x, 2, padding=1, count_include_pad=False).tolist() == [[[2.0, 4.0]]]


def test_same_padding_of_an_even_filter_adds_the_odd_zero_behind() -> None:
    assert mg.conv1d(np.array([[1.0, 2.0, 4.0]]), np.array([[[1.0, 1.0]]]), padding="same").tolist() == [
        [3.0, 6.0, 4.0]
    ]
