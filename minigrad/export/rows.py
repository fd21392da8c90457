"""Which ONNX operators a gate becomes: a row per gate, called like the gate, with `op` to write operators.

`op.Add(x, 1.0)` writes an Add and returns its output; numbers become constants of the dtype at hand.  See `writer.py`.
Arrangements and reductions are in `arrays.py`, convolutions and pooling in `functions.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..gates.einsum import letters

__all__ = ["ROWS", "row"]

Row = Callable[..., Any]
ROWS: dict[str, Row] = {}
LN2, LN10 = math.log(2.0), math.log(10.0)
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946  # selu


def row(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate what writes the gate `name`."""

    def enter(write: Callable[..., Any]) -> Callable[..., Any]:
        ROWS[name] = write
        return write

    return enter


def same(operator: str) -> Callable[..., Any]:
    return lambda op, *xs: getattr(op, operator)(*xs)


SAME = {
    "absolute": "Abs", "add": "Add", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh",
    "arctan": "Atan", "arctanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh",
    "divide": "Div", "equal": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor", "greater": "Greater",
    "greater_equal": "GreaterOrEqual", "isinf": "IsInf", "isnan": "IsNaN", "less": "Less",
    "less_equal": "LessOrEqual", "log": "Log", "matmul": "MatMul", "maximum": "Max", "minimum": "Min",
    "mish": "Mish", "multiply": "Mul", "negative": "Neg", "positive": "Identity", "power": "Pow",
    "reciprocal": "Reciprocal", "relu": "Relu", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh",
}  # fmt: skip
ROWS.update({name: same(operator) for name, operator in SAME.items()})


# --------------------------------------------------------------------------------------------------------- arithmetic
def remainder(op: Any, a: Any, b: Any) -> Any:
    """With the sign of b, as in Python; ONNX's has that of a, as in C."""
    r = op.Mod(a, b, fmod=1)
    other = op.And(op.Not(op.Equal(r, 0.0)), op.Xor(op.Less(r, 0.0), op.Less(b, 0.0)))
    return op.Where(other, op.Add(r, b), r)


def log1p(op: Any, x: Any) -> Any:
    """With u = 1 + x as it was rounded, log(u) x / (u - 1): all digits near 0."""
    u = op.Add(1.0, x)
    exact = op.Or(op.Equal(u, 1.0), op.Greater(op.Abs(x), 0.5))  # 0 / 0 is not computed, and the plain form is right
    corrected = op.Mul(op.Log(u), op.Div(x, op.Sub(op.Where(exact, 2.0, u), 1.0)))
    return op.Where(exact, op.Where(op.Equal(u, 1.0), x, op.Log(u)), corrected)


def expm1(op: Any, x: Any) -> Any:
    """2 t / (1 - t) with t = tanh(x / 2): all digits near 0, where exp(x) - 1 would cancel."""
    near = op.Less(op.Abs(x), 0.5)
    t = op.Tanh(op.Mul(0.5, op.Where(near, x, 0.0)))
    return op.Where(near, op.Div(op.Mul(2.0, t), op.Sub(1.0, t)), op.Sub(op.Exp(x), 1.0))


def log_add(op: Any, a: Any, b: Any, unit: float = 1.0) -> Any:
    """The larger one, and log(1 + exp(-distance)); `unit` is log(2) for powers of 2."""
    distance = op.Where(op.Equal(a, b), 0.0, op.Abs(op.Sub(a, b)))  # of equal infinities it is 0
    return op.Add(op.Max(a, b), op.Div(log1p(op, op.Exp(op.Mul(-unit, distance))), unit))


def hypot(op: Any, a: Any, b: Any) -> Any:
    """Nothing is squared but a ratio below 1, so nothing overflows."""
    a, b = op.Abs(a), op.Abs(b)
    long = op.Max(a, b)
    ratio = op.Div(op.Min(a, b), op.Where(op.Equal(long, 0.0), 1.0, long))
    return op.Mul(long, op.Sqrt(op.Add(1.0, op.Mul(ratio, ratio))))


def arctan2(op: Any, y: Any, x: Any) -> Any:
    both = op.And(op.Equal(x, 0.0), op.Equal(y, 0.0))
    angle = op.Atan(op.Div(y, op.Where(both, 1.0, x)))
    behind = op.Where(op.Less(y, 0.0), -math.pi, math.pi)
    return op.Where(op.Less(x, 0.0), op.Add(angle, behind), angle)


def sinc(op: Any, x: Any) -> Any:
    angle = op.Mul(math.pi, x)
    zero = op.Equal(x, 0.0)
    return op.Where(zero, 1.0, op.Div(op.Sin(angle), op.Where(zero, 1.0, angle)))


def either(op: Any, a: Any, b: Any, chosen: Any) -> Any:
    """`chosen`, or the one of a and b that is a number."""
    return op.Where(op.IsNaN(a), b, op.Where(op.IsNaN(b), a, chosen))


def rounded(op: Any, x: Any, decimals: int = 0) -> Any:
    unit = 10.0 ** abs(decimals)
    if decimals < 0:
        return op.Mul(op.Round(op.Div(x, unit)), unit)
    return op.Div(op.Round(op.Mul(x, unit)), unit) if decimals else op.Round(x)


def finite(op: Any, x: Any, *, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    limits = np.finfo(op.dtype)
    x = op.Where(op.IsInf(x, detect_negative=0), limits.max if posinf is None else posinf, x)
    x = op.Where(op.IsInf(x, detect_positive=0), limits.min if neginf is None else neginf, x)
    return op.Where(op.IsNaN(x), nan, x)


def clip(op: Any, x: Any, a_min: Any = None, a_max: Any = None) -> Any:
    if np.ndim(a_min) == np.ndim(a_max) == 0:
        return op.Clip(x, a_min, a_max)
    x = x if a_min is None else op.Max(x, a_min)
    return x if a_max is None else op.Min(x, a_max)


def lerp(op: Any, a: Any, b: Any, t: Any) -> Any:
    """From the nearer end: exact at both."""
    near_b = op.Sub(b, op.Mul(op.Sub(b, a), op.Sub(1.0, t)))
    return op.Where(op.Less(t, 0.5), op.Add(a, op.Mul(op.Sub(b, a), t)), near_b)


ROWS |= {
    "select": lambda op, mask, x: op.Where(op.cast(mask, bool), x, 0.0),
    "where": lambda op, mask, a, b: op.Where(op.cast(mask, bool), a, b),
    "square": lambda op, x: op.Mul(x, x),
    "remainder": remainder,
    "floor_divide": lambda op, a, b: op.Round(op.Div(op.Sub(a, remainder(op, a, b)), b)),
    "not_equal": lambda op, a, b: op.Not(op.Equal(a, b)),
    "isfinite": lambda op, x: op.Not(op.Or(op.IsNaN(x), op.IsInf(x))),
    "fmax": lambda op, a, b: either(op, a, b, op.Max(a, b)),
    "fmin": lambda op, a, b: either(op, a, b, op.Min(a, b)),
    "clip": clip,
    "exp2": lambda op, x: op.Pow(2.0, x),
    "expm1": expm1,
    "log2": lambda op, x: op.Div(op.Log(x), LN2),
    "log10": lambda op, x: op.Div(op.Log(x), LN10),
    "log1p": log1p,
    "cbrt": lambda op, x: op.Mul(op.Sign(x), op.Pow(op.Abs(x), 1.0 / 3.0)),
    "logaddexp": log_add,
    "logaddexp2": lambda op, a, b: log_add(op, a, b, LN2),
    "trunc": lambda op, x: op.Mul(op.Sign(x), op.Floor(op.Abs(x))),
    "round": rounded,
    "heaviside": lambda op, x, at_zero: op.Where(op.Equal(x, 0.0), at_zero, op.Relu(op.Sign(x))),
    "nan_to_num": finite,
    "arctan2": arctan2,
    "hypot": hypot,
    "sinc": sinc,
    "deg2rad": lambda op, x: op.Mul(x, math.pi / 180.0),
    "rad2deg": lambda op, x: op.Mul(x, 180.0 / math.pi),
    "sech": lambda op, x: op.Reciprocal(op.Cosh(x)),
    "xlogy": lambda op, x, y: op.Where(op.Equal(x, 0.0), 0.0, op.Mul(x, op.Log(op.Where(op.Equal(x, 0.0), 1.0, y)))),
    "logit": lambda op, x: op.Log(op.Div(x, op.Sub(1.0, x))),
    "lerp": lerp,
}


# -------------------------------------------------------------------------------------------------------- activations
# The attributes of ONNX's LeakyRelu, Elu, Selu, Celu and HardSigmoid are float32: their numbers come as constants here.
def softplus(op: Any, x: Any, beta: float = 1.0) -> Any:
    return op.Softplus(x) if beta == 1.0 else op.Div(op.Softplus(op.Mul(beta, x)), beta)


def elu(op: Any, x: Any, alpha: float = 1.0, reach: float = 1.0) -> Any:
    return op.Where(op.Greater(x, 0.0), x, op.Mul(alpha, expm1(op, op.Div(op.Min(x, 0.0), reach))))


def celu(op: Any, x: Any, alpha: float = 1.0) -> Any:
    return elu(op, x, alpha, reach=alpha)


def leaky_relu(op: Any, x: Any, negative_slope: float = 0.01) -> Any:
    return op.PRelu(x, negative_slope)


def hard_tanh(op: Any, x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return op.Clip(x, min_val, max_val)


def gelu(op: Any, x: Any, approximate: str = "none") -> Any:
    if approximate == "none":
        return op.Mul(op.Mul(0.5, x), op.Add(1.0, op.Erf(op.Mul(math.sqrt(0.5), x))))
    cube = op.Mul(0.044715, op.Mul(x, op.Mul(x, x)))
    return op.Mul(x, op.Sigmoid(op.Mul(2.0 * math.sqrt(2.0 / math.pi), op.Add(x, cube))))


ROWS |= {
    "relu6": lambda op, x: op.Clip(x, 0.0, 6.0),
    "hardtanh": hard_tanh,
    "hardsigmoid": lambda op, x: op.Div(op.Clip(op.Add(x, 3.0), 0.0, 6.0), 6.0),
    "leaky_relu": leaky_relu,
    "elu": elu,
    "selu": lambda op, x: op.Mul(SCALE, elu(op, x, ALPHA)),
    "celu": celu,
    "logsigmoid": lambda op, x: op.Neg(op.Softplus(op.Neg(x))),
    "softplus": softplus,
    "gelu": gelu,
    "softsign": lambda op, x: op.Div(x, op.Add(1.0, op.Abs(x))),
    "silu": lambda op, x: op.Mul(x, op.Sigmoid(x)),
}


# ------------------------------------------------------------------------------------------------- neurons and losses
@row("linear")
def linear(op: Any, x: Any, weight: Any, bias: Any) -> Any:
    if len(x.shape) == 2:
        return op.Gemm(x, weight, bias, transB=1)
    return op.Add(op.MatMul(x, op.Transpose(weight, perm=[1, 0])), bias)


@row("neuron")
def neuron(op: Any, *wires: Any) -> Any:
    n = len(wires) // 2
    return op.Sum(*[op.Mul(w, x) for w, x in zip(wires[:n], wires[n : 2 * n], strict=True)], wires[-1])


ROWS |= {
    "hinge": lambda op, score, label: op.Relu(op.Sub(1.0, op.Mul(label, score))),
    "negative_log_softmax": lambda op, scores, labels: op.SoftmaxCrossEntropyLoss(
        scores, op.cast(labels, np.int64), reduction="none"
    ),
    "sum_of_squares": lambda op, *xs: op.Sum(*[op.ReduceSumSquare(x, keepdims=0) for x in xs]),
}


@row("einsum")
def einsum(op: Any, subscripts: str, *xs: Any, optimize: Any = False) -> Any:
    """With a letter for every axis: ONNX broadcasts none, so an axis of length 1 beside a longer one goes."""
    terms, output = letters(subscripts, [x.shape for x in xs])
    long = {c for term, x in zip(terms, xs, strict=True) for c, n in zip(term, x.shape, strict=True) if n != 1}
    inputs, kept = [], []
    for term, x in zip(terms, xs, strict=True):
        gone = [i for i, (c, n) in enumerate(zip(term, x.shape, strict=True)) if n == 1 and c in long]
        inputs.append(op.Squeeze(x, op.ints(*gone)) if gone else x)
        kept.append("".join([c for i, c in enumerate(term) if i not in gone]))
    return op.Einsum(*inputs, equation=f"{','.join(kept)}->{output}")
