"""What a newcomer tries and what is said in answer: the right exception, naming the gate, the input and the remedy.

One table, by kind of mistake: what was written, the exception's class, and what its text must contain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad as mg
from minigrad import Gate, Value
from minigrad.errors import DtypeError, GradientError, OutOfRangeError, ShapeError

IndexWrong, LinAlgError = OutOfRangeError, np.linalg.LinAlgError


def V(label: str, *shape: int) -> Any:  # not checked for types: they are wrong on purpose
    return Value(np.arange(1.0, 1.0 + math.prod(shape)).reshape(shape) if shape else 2.0, label=label)


s, x, X, A = V("s"), V("x", 3), V("X", 2, 3), V("A", 3, 3)
batch, image, empty = V("batch", 2, 3, 4), V("image", 1, 3, 5, 5), V("empty", 0)
singular = Value(np.ones((2, 2)), label="S")
LEAVES = (s, x, X, A, batch, image, empty, singular)
BEFORE = [np.copy(v.data) for v in LEAVES]
CASES: list[Any] = []


def case(name: str, code: Callable[[], Any], error: type[Exception], *texts: str) -> None:
    CASES.append(pytest.param(code, error, texts, id=name))


def twice(gate: Gate, v: Value) -> Callable[[], None]:
    """Forward and backward through a gate of the user's."""
    return lambda: mg.sum(gate(v) * 1.0).backward()


def double(**rules: Any) -> Gate:
    return Gate("double", lambda a: a * 2.0, **rules)


# ------------------------------------------------------------------------------------------------- names from elsewhere
case("sum dim", lambda: X.sum(dim=1), DtypeError, "sum: X (2, 3)", "'dim'", "axis=")
case("mean keepdim", lambda: X.mean(keepdim=True), DtypeError, "mean: X (2, 3)", "'keepdim'", "keepdims=")
case("softmax dim", lambda: mg.softmax(X, dim=1), DtypeError, "softmax: X (2, 3)", "'dim'", "axis=")
case("argmax dim", lambda: mg.argmax(X, dim=1), DtypeError, "argmax: X (2, 3)", "'dim'", "axis=")
case("concatenate dim", lambda: mg.concatenate([X, A], dim=0), DtypeError, "concatenate: X (2, 3), A (3, 3)", "axis=")
case("median dim", lambda: X.median(dim=1), DtypeError, "median: X (2, 3)", "'dim'", "axis=")
case("norm keepdim", lambda: mg.norm(X, keepdim=True), DtypeError, "norm: X", "keepdims=")
case("gather dim", lambda: mg.gather(X, dim=0, index=[[0]]), DtypeError, "gather: X", "axis=")
case("var unbiased", lambda: X.var(unbiased=True), DtypeError, "var: X (2, 3)", "ddof=")
case("std correction", lambda: X.std(correction=1), DtypeError, "std: X (2, 3)", "ddof=")
case("norm p", lambda: mg.norm(x, p=1), DtypeError, "norm: x (3,)", "ord=")
case("clip min", lambda: mg.clip(x, min=0.0), DtypeError, "clip: x (3,)", "a_min=")
case("pad value", lambda: mg.pad(X, 1, value=3.0), DtypeError, "pad: X (2, 3)", "constant_values=")
case("split dim", lambda: mg.split(X, 2, dim=0), DtypeError, "split: X (2, 3), 2", "'dim'", "axis=")
case("array_split dim", lambda: mg.array_split(X, 2, dim=0), DtypeError, "array_split: X", "axis=")
case("sort descending", lambda: mg.sort(X, descending=True), DtypeError, "sort: X (2, 3)", "'descending'")
case("pool indices", lambda: mg.max_pool2d(image, 2, return_indices=True), DtypeError, "max_pool2d: image", "'return_i")
case("view", lambda: x.view(3, 1), AttributeError, "'view'", "reshape")
case("unsqueeze", lambda: x.unsqueeze(0), AttributeError, "expand_dims")
case("permute", lambda: X.permute(1, 0), AttributeError, "transpose")
case("a misspelt attribute", lambda: setattr(x, "reqires_grad", False), AttributeError, "reqires_grad")
case(
    "retain_graph",
    lambda: (s * 2.0).backward(retain_graph=True),
    TypeError,
    "retain_graph",
)
case("micrograd's _op", lambda: Value(1.0, _op="+"), TypeError, "'_op'")
case(
    "micrograd's positions",
    lambda: Value(1.0, (), "+"),
    TypeError,
    "label",
)
case(
    "transpose two of three",
    lambda: batch.transpose(0, 1),
    ShapeError,
    "transpose: batch (2, 3, 4), 0, 1",
    "swapaxes",
)
case(
    "sum over two axes by position",
    lambda: batch.sum(0, 1),
    DtypeError,
    "sum: batch",
    "axis=(0, 1)",
)

# ------------------------------------------------------------------------------ keywords of NumPy that no gate can obey
case("sum where", lambda: np.sum(X, where=X > 2), DtypeError, "sum: X (2, 3)", "'where'", "mg.where")
case("sum dtype", lambda: np.sum(X, dtype=np.float32), DtypeError, "sum: X (2, 3)", "astype")
case("sum out", lambda: np.sum(X, out=np.zeros(())), DtypeError, "sum: X (2, 3)", "can't hold")
case("sum initial", lambda: np.sum(X, initial=3.0), DtypeError, "sum: X (2, 3)", "'initial'")
case("mean where", lambda: np.mean(X, where=X > 2), DtypeError, "mean: X (2, 3)", "'where'")
case("exp where", lambda: np.exp(x, where=[True, False, True]), DtypeError, "np.exp", "where=", "use v.data")
case("exp dtype", lambda: np.exp(x, dtype=np.float32), DtypeError, "np.exp", "dtype=", "use v.data")
case("concatenate out", lambda: np.concatenate([x, x], out=np.zeros(6)), DtypeError, "concatenate: x (3,)", "'out'")
case("take mode", lambda: mg.take(x, [9], mode="clip"), DtypeError, "take: x (3,)", "'mode'")
case("flatten by columns", lambda: X.flatten("F"), DtypeError, "flatten: X (2, 3)", "1 positional argument")
case("reshape by columns", lambda: X.reshape(3, 2, order="F"), DtypeError, "reshape: X (2, 3)", "'order'")

# --------------------------------------------------------------------------------------------- NumPy without a gate
case("add.at", lambda: np.add.at(np.zeros(3), [0], x[:1]), DtypeError, "np.add.at has no gate", "use v.data")
case("add.reduceat", lambda: np.add.reduceat(x, [0, 1]), DtypeError, "np.add.reduceat has no gate", "use v.data")
case("add.accumulate", lambda: np.add.accumulate(x), DtypeError, "np.add.accumulate", "use v.data")
case("multiply.outer", lambda: np.multiply.outer(x, x), DtypeError, "np.multiply.outer", "use v.data")
case("convolve", lambda: np.convolve(x, x), DtypeError, "np.convolve has no gate", "v.data", "mg.Gate")
case("fft", lambda: np.fft.fft(x), DtypeError, "fft has no gate", "v.data", "mg.Gate")
case("interp", lambda: np.interp(x, [0, 1], [0, 1]), DtypeError, "np.interp has no gate", "mg.Gate")
case("histogram", lambda: np.histogram(x), DtypeError, "np.histogram has no gate", "v.data")
case("eig", lambda: np.linalg.eig(A), DtypeError, "eig has no gate in minigrad", "v.data")
case("bitwise_and", lambda: np.bitwise_and(x, 1), DtypeError, "np.bitwise_and has no gate")
case("put", lambda: np.put(V("p", 3), [0, 1, 2], 5), DtypeError, "np.put has no gate", "v.data")
case("select", lambda: np.select([x > 1], x), DtypeError, "np.select has no gate", "mg.Gate")
case("copyto", lambda: np.copyto(np.zeros(3), x), DtypeError, "np.copyto has no gate", "v.data")
case("append", lambda: np.append(x, 4.0), DtypeError, "np.append has no gate", "v.data")
case("delete", lambda: np.delete(x, 0), DtypeError, "np.delete has no gate", "v.data")
case("permutation", lambda: np.random.default_rng(0).permutation(x), DtypeError, "x (3,) doesn't", "v.data")
case("array of scalars", lambda: np.array([s, s]), DtypeError, "s doesn't turn into an ndarray", "mg.stack(list)")
case("sum of a list", lambda: np.sum([x, x]), DtypeError, "x (3,) doesn't turn into an ndarray", "mg.stack(list)")
case("save", lambda: np.save("unused.npy", x), DtypeError, "np.save has no gate", "v.data")
case("full", lambda: np.full(3, s), DtypeError, "s doesn't turn into an ndarray", "v.data", "mg.stack")
case("written into an array", lambda: np.zeros(3).__setitem__(slice(None), x), DtypeError, "x (3,) doesn't", "v.data")
case("an index into an array", lambda: np.arange(3)[x], DtypeError, "x (3,) doesn't", "v.data")
case("a random number's mean", lambda: np.random.default_rng(0).normal(x), DtypeError, "x (3,)", "v.data")
case("vectorize", lambda: np.vectorize(abs)(x), DtypeError, "x (3,)", "v.data")

# ------------------------------------------------------------------------------------------- one number, or many
case("a format", lambda: f"{x:.2f}", ShapeError, "x (3,) has 3 numbers")
case("math.exp", lambda: math.exp(x), ShapeError, "x (3,) has 3 numbers", "float()")
case("and", lambda: x and s, ShapeError, "x (3,) has 3 numbers", "bool()")
case("not", lambda: not X, ShapeError, "X (2, 3) has 6 numbers")
case("% d", lambda: "%d" % x, ShapeError, "x (3,) has 3 numbers")  # noqa: UP031

# ----------------------------------------------------------------------------------------------------------- reductions
case("axis 1.0", lambda: X.sum(axis=1.0), DtypeError, "sum: X (2, 3)", "'float'", "integer")
case("axis by name", lambda: X.mean(axis="rows"), DtypeError, "mean: X (2, 3)", "'str'", "integer")
case("an axis twice", lambda: mg.prod(X, axis=(0, -2)), ShapeError, "prod: X (2, 3)", "duplicate")
case("cumsum of axes", lambda: mg.cumsum(X, axis=(0, 1)), DtypeError, "cumsum: X (2, 3)", "'tuple'")
case("cumprod far axis", lambda: mg.cumprod(X, axis=2), ShapeError, "cumprod: X (2, 3)", "axis 2 is out of bounds")
case("argmax far axis", lambda: X.argmax(axis=5), ShapeError, "argmax: X (2, 3)", "axis 5 is out of bounds")
case("median far axis", lambda: X.median(axis=5), ShapeError, "median: X (2, 3)", "axis 5 is out of bounds")
case("std twice", lambda: X.std(axis=(1, 1)), ShapeError, "std: X (2, 3)", "duplicate")
case("axis is a Value", lambda: X.max(axis=s), DtypeError, "max: X (2, 3)", "a parameter is a raw number", "v.data")
case("keepdims is a Value", lambda: X.min(keepdims=s), DtypeError, "min: X (2, 3)", "a parameter is a raw number")
case("median, axis is a Value", lambda: X.median(axis=s), DtypeError, "median: X", "raw number")
case("norm, axis is a Value", lambda: mg.norm(X, axis=s), DtypeError, "norm: X", "raw number")
case("min of nothing", lambda: mg.min(empty), ShapeError, "min: empty (0,)", "zero-size")
case("argmax of nothing", lambda: mg.argmax(empty), ShapeError, "argmax: empty (0,)", "empty sequence")
case("max of two", lambda: mg.max(s, s), DtypeError, "max: s, s", "has 1 wire(s)")
case("too many by position", lambda: mg.sum(X, 0, True, 3), DtypeError, "sum: X (2, 3), 0, True, 3", "positional")
case("ddof is text", lambda: X.var(ddof="1"), DtypeError, "var: X (2, 3)", "'str'")
case("quantile in percent", lambda: mg.quantile(x, 50), ShapeError, "quantile: q=50", "q is from 0 to 1")
case("quantile nan", lambda: mg.quantile(x, [0.5, np.nan]), ShapeError, "quantile: q=", "nan", "q is from 0 to 1")
case("quantile of nothing", lambda: mg.quantile(empty, 0.5), ShapeError, "quantile: q=0.5 of 0 numbers")
case("ord by name", lambda: mg.norm(x, "two"), ShapeError, "norm: there is no ord='two'")
case("ord nan", lambda: mg.norm(x, np.nan), ShapeError, "norm", "ord=nan")
case(
    "sum of None",
    lambda: mg.sum(None),
    DtypeError,
    "sum",
    "None",
)
case(
    "a bound that is text",
    lambda: mg.clip(x, "a", 2.0),
    DtypeError,
    "clip: x (3,)",
)

# ------------------------------------------------------------------------------------------------------------ choices
case("where of two", lambda: mg.where(x > 1, x), DtypeError, "where: (3,), x (3,)", "takes 3 inputs", "2 given")
case("a branch is None", lambda: mg.where(x > 1, x, None), DtypeError, "where", "x (3,)", "None is a NoneType")
case("a mask is text", lambda: mg.where("x > 1", x, 0.0), DtypeError, "where", "'x > 1' is a str")
case("a mask is None", lambda: mg.where(None, x, 0.0), DtypeError, "where", "None is a NoneType")
case("a mask is a Value", lambda: mg.where(x, x, 0.0), DtypeError, "where", "mask", "> 0")
case("heaviside of one", lambda: mg.heaviside(x), DtypeError, "heaviside: x (3,)", "takes 2 inputs", "1 given")
case("maximum of three", lambda: mg.maximum(x, x, s), DtypeError, "maximum: x (3,), x (3,), s", "has 2 wire(s)")
case("a learned slope", lambda: mg.leaky_relu(x, s), DtypeError, "leaky_relu: x (3,), s", "a parameter is a raw number")
case("round to s places", lambda: mg.round(x, s), DtypeError, "round: x (3,), s", "a parameter is a raw number")
case("gelu True", lambda: mg.gelu(x, approximate=True), ShapeError, "gelu: x (3,)", "approximate=True", '"tanh"')

# ----------------------------------------------------------------------------------------------------------- operands
case("a list too short", lambda: x * [1, 2], ShapeError, "multiply: x (3,) * (2,)", "broadcast")
case("a date", lambda: x + np.datetime64("2020-01-01"), DtypeError, "add: x (3,)", "datetime64[D]", "convert")
case("a power None", lambda: x**None, DtypeError, "power: x (3,) ** None", "NoneType")
case("text times", lambda: "ab" * s, DtypeError, "multiply: 'ab' * s", "'ab' is a str")
case("compared shapes", lambda: x < V("y", 2), ShapeError, "less: x (3,), y (2,)", "broadcast")
case("a ragged list", lambda: x * [[1], [1, 2]], DtypeError, "multiply: x (3,)", "rectangular")
case("outer of a list", lambda: mg.outer([s, s], x), DtypeError, "mg.stack")
case("kron of a list", lambda: mg.kron([s, s], x), DtypeError, "mg.stack")
case(
    "inverse of lists",
    lambda: mg.linalg.inv([[s, 1.0], [0.0, s]]),
    DtypeError,
    "inv",
    "mg.stack",
)

# --------------------------------------------------------------------------------------------------------------- data
case("a range", lambda: Value(range(3)), DtypeError, "range(0, 3) is a range", "expected a number")
case("no data", lambda: Value(), TypeError, "'data'")
case("data becomes text", lambda: setattr(V("p", 3), "data", "abc"), DtypeError, "'abc' is a str", "expected a number")
case("data becomes None", lambda: setattr(V("p", 3), "data", None), DtypeError, "None is a NoneType")
case("data becomes a Value", lambda: setattr(V("p", 3), "data", x), DtypeError, "use its .data", "detach")
case("a dtype by a wrong name", lambda: Value(1.0, dtype="real"), DtypeError, "'real'")
case("a huge integer", lambda: Value(10**400), DtypeError, "float")
case(
    "to integers",
    lambda: X.astype(int),
    DtypeError,
    "astype: X (2, 3)",
    "int64",
    ".data",
)
case("to nothing known", lambda: X.astype("real"), DtypeError, "astype: X (2, 3), 'real'", "not understood")
case("to nothing", lambda: X.astype(), DtypeError, "astype: X (2, 3)", "'dtype'")

# ------------------------------------------------------------------------------------------------------------- shapes
case("two unknown sizes", lambda: x.reshape(-1, -1), ShapeError, "reshape: x (3,), -1, -1", "one unknown")
case("no whole rows", lambda: x.reshape(2, -1), ShapeError, "reshape: x (3,), 2, -1", "size 3")
case("half a row", lambda: x.reshape(1.5, 2), DtypeError, "reshape: x (3,), 1.5, 2", "integer")
case("no size", lambda: x.reshape(), ShapeError, "reshape: x (3,)", "size 3 into shape ()")
case("broadcast to s", lambda: mg.broadcast_to(x, s), DtypeError, "broadcast_to: x (3,), s", "raw number")
case("broadcast to None", lambda: mg.broadcast_to(x, None), DtypeError, "broadcast_to: x (3,), None")
case("broadcast to less", lambda: mg.broadcast_to(x, (-1, 3)), ShapeError, "broadcast_to: x (3,)", "negative")
case("broadcast, shown", lambda: mg.broadcast_to(x, (2, 2)), ShapeError, "broadcast_to: x (3,), (2, 2)")
case("an axis twice in order", lambda: X.transpose(0, 0), ShapeError, "transpose: X (2, 3), 0, 0", "repeated axis")
case("squeeze far axis", lambda: X.squeeze(4), ShapeError, "squeeze: X (2, 3)", "axis 4 is out of bounds")
case("expand twice", lambda: mg.expand_dims(X, (0, 0)), ShapeError, "expand_dims: X (2, 3)", "repeated axis")
case("expand nowhere", lambda: mg.expand_dims(X), DtypeError, "expand_dims: X (2, 3)", "'axis'")
case("moveaxis far", lambda: mg.moveaxis(X, 0, 5), ShapeError, "moveaxis: X (2, 3)", "axis 5 is out of bounds")
case("rot90 of a vector", lambda: mg.rot90(x), ShapeError, "rot90: x (3,)", "axis 1 is out of bounds")
case("rot90 by half", lambda: mg.rot90(X, 1.5), DtypeError, "rot90", "1.5")
case("roll by half", lambda: mg.roll(X, 1.5), DtypeError, "roll", "1.5")
case("roll rows by half", lambda: mg.roll(X, 1.5, axis=0), DtypeError, "roll: X (2, 3)", "1.5")
case("roll three of two", lambda: mg.roll(X, (1, 2, 3), axis=(0, 1)), ShapeError, "roll: X (2, 3)", "mismatch")
case("roll by a Value", lambda: mg.roll(X, s, axis=0), DtypeError, "s doesn't", "v.data")
case("repeat by half", lambda: mg.repeat(x, 1.5), DtypeError, "repeat", "1.5")
case("repeat far axis", lambda: mg.repeat(X, 2, axis=4), ShapeError, "repeat: X (2, 3)", "axis 4 is out of bounds")
case("tile by less", lambda: mg.tile(x, -1), ShapeError, "tile: x (3,)", "-1")
case("tile by a Value", lambda: mg.tile(x, s), DtypeError, "tile: x (3,)", "v.data")
case("tril by half", lambda: mg.tril(X, 0.5), DtypeError, "tril", "0.5")
case("diag by half", lambda: mg.diag(x, 0.5), DtypeError, "diag: x (3,)", "0.5")
case("diagonal of a vector", lambda: mg.diagonal(x), ShapeError, "diagonal: x (3,)", "axis 1")
case("trace of a vector", lambda: mg.trace(x), ShapeError, "trace: x (3,)", "axis 1")
case("pad, all in a row", lambda: mg.pad(X, (1, 1, 2, 2)), ShapeError, "pad: X", "per axis")
case("pad by half", lambda: mg.pad(X, 1.5), DtypeError, "pad: X (2, 3)", "integral")
case("pad by a Value", lambda: mg.pad(X, s), DtypeError, "pad: X (2, 3)", "v.data")
case("mirror of nothing", lambda: mg.pad(empty, 1, "reflect"), ShapeError, "pad: empty (0,)", "empty axis 0")
case("ranks that differ", lambda: mg.concatenate([X, x]), ShapeError, "concatenate: X (2, 3), x (3,)", "dimensions")
case("text among arrays", lambda: mg.concatenate([X, "a"]), DtypeError, "concatenate: X (2, 3), 'a'", "'a' is a str")
case("joined along a Value", lambda: mg.concatenate([X, X], axis=s), DtypeError, "concatenate: X", "raw number")
case("split of 3 in 2", lambda: mg.split(x, 2), ShapeError, "split: x (3,), 2", "equal division")
case("split in 0", lambda: mg.split(x, 0), ShapeError, "split: x (3,), 0")
case("split by half", lambda: mg.split(x, 1.5), DtypeError, "split: x (3,), 1.5")
case("split far axis", lambda: mg.split(X, 2, axis=4), ShapeError, "split: X (2, 3), 2", "axis 4 is out of bounds")
case("split by a Value", lambda: mg.split(x, s), DtypeError, "split: x (3,), s", "a parameter is a raw number")
case("array_split in 0", lambda: mg.array_split(x, 0), ShapeError, "array_split: 0 pieces", "at least 1")
case("array_split by a Value", lambda: mg.array_split(x, s), DtypeError, "array_split: x", "raw number")
case("stack of unlike", lambda: mg.stack([x, s]), ShapeError, "stack: x (3,), s", "same shape")
case("stack of stacks", lambda: mg.stack([[s, s], [s, s]]), DtypeError, "mg.stack(list)")

# ------------------------------------------------------------------------------------------------------------- places
case("a part of a place", lambda: x[0.5:2], DtypeError, "getitem: x (3,), slice(0.5, 2, None)", "integers")
case("from a Value on", lambda: x[s:], DtypeError, "getitem: x (3,), slice(Value(2.0", "integers")
case("steps of 0", lambda: x[::0], ShapeError, "getitem: x (3,)", "slice step cannot be zero")
case("two ellipses", lambda: X[..., ...], IndexWrong, "getitem: X (2, 3)", "single ellipsis")
case("a mask of floats", lambda: x[np.array([1.0, 0.0, 1.0])], IndexWrong, "getitem: x (3,)", "(or boolean) type")
case("a list of Values", lambda: x[[s, s]], DtypeError, "getitem: x (3,)", "v.data")
case("unlike index lists", lambda: X[[0, 1], [0, 1, 2]], IndexWrong, "getitem: X (2, 3)", "shape mismatch")
case("taken too far", lambda: mg.take(x, [0, 7]), IndexWrong, "take: x (3,)", "7 is out of bounds")
case(
    "taken at half",
    lambda: mg.take(x, [0.5]),
    IndexWrong,
    "take: x (3,)",
    "integer",
)
case("taken at a Value", lambda: mg.take(x, s), DtypeError, "s doesn't", "v.data")
case("along, too far", lambda: mg.take_along_axis(X, np.array([[9], [0]]), 1), IndexWrong, "take_along_axis")
case("along a Value", lambda: mg.take_along_axis(X, X, 1), DtypeError, "X (2, 3)", "v.data")
case("along, at half", lambda: mg.take_along_axis(X, [[0.5], [0.5]], 1), IndexWrong, "take_along", "int")
case("gathered too far", lambda: mg.gather(X, 0, [[5]]), IndexWrong, "gather: X (2, 3)", "5 is out")
case("scattered too far", lambda: mg.scatter_add(X, 0, [[5]], [[1.0]]), IndexWrong, "scatter_add: X")
case("sort far axis", lambda: mg.sort(X, axis=2), ShapeError, "sort: X (2, 3)", "axis 2 is out of bounds")
case("argsort far axis", lambda: mg.argsort(X, axis=3), ShapeError, "argsort: X (2, 3)", "axis 3 is out of bounds")

# ------------------------------------------------------------------------------------------------------------ products
case("dot", lambda: mg.dot(X, V("b", 2)), ShapeError, "X (2, 3)", "b (2,)", "inner sizes differ (3 and 2)")
case("inner", lambda: mg.inner(X, V("b", 2)), ShapeError, "inner: X (2, 3)", "(3,) and (2,)")
case("vdot", lambda: mg.vdot(X, V("b", 4)), ShapeError, "vdot: X (2, 3)", "6 and 4")
case("dot of stacks", lambda: mg.dot(batch, batch), ShapeError, "batch (2, 3, 4) and batch", "(4,) and (3,)")
case("tensordot, 2 to 1", lambda: mg.tensordot(X, X, ([0, 1], [0])), ShapeError, "tensordot: X (2, 3) and X (2, 3)")
case(
    "tensordot, twice",
    lambda: mg.tensordot(X, X, ([0, 0], [0, 0])),
    ShapeError,
    "tensordot: X",
    "twice",
)
case("tensordot, 1.0", lambda: mg.tensordot(X, X, 1.0), DtypeError, "tensordot: X", "axes=1.0")
case("einsum, axes", lambda: mg.einsum("ijk->i", X), ShapeError, "einsum: 'ijk->i', X (2, 3)", "too many subscripts")
case("einsum, unknown", lambda: mg.einsum("ij->ik", X), ShapeError, "einsum: 'ij->ik'", "'k' which never appeared")
case("einsum, twice out", lambda: mg.einsum("ij->ii", X), ShapeError, "einsum: 'ij->ii'", "'i' multiple times")
case("einsum, one missing", lambda: mg.einsum("ij,jk->ik", X), ShapeError, "einsum", "2", "1 given")
case("einsum, one more", lambda: mg.einsum("ij->j", X, A), ShapeError, "einsum", "X (2, 3)", "2 given")
case(
    "einsum, sizes",
    lambda: mg.einsum("ij,jk->ik", X, X),
    ShapeError,
    "einsum: 'ij,jk->ik'",
    "j is 3",
    "and 2",
)
case(
    "einsum, array first",
    lambda: mg.einsum(X, "ij->j"),
    DtypeError,
    "einsum",
    "'ij->j' is a str",
)
case("cross of batches", lambda: mg.cross(X, V("b", 4, 3)), ShapeError, "cross: X (2, 3)", "broadcast")
case("cross, far axis", lambda: mg.cross(X, X, axisc=5), ShapeError, "cross: X (2, 3)", "axis 5")
case("multi_dot", lambda: mg.multi_dot([X, X, X]), ShapeError, "X (2, 3) @ X (2, 3)", "inner sizes differ (3 and 2)")
case("solve singular", lambda: mg.linalg.solve(singular, np.ones(2)), LinAlgError, "solve: S (2, 2), (2,)", "Singular")
case("solve for a number", lambda: mg.linalg.solve(singular, s), ShapeError, "solve: S (2, 2), s", "a vector of 2")
case("svd of a vector", lambda: mg.linalg.svd(x), ShapeError, "svd: x (3,)", "needs matrices, (..., m, n)")
case(
    "a complete qr", lambda: mg.linalg.qr(X.T, mode="complete"), ShapeError, "qr", "mode='complete'", "'reduced' or 'r'"
)
case("eigh, not square", lambda: mg.linalg.eigh(X), ShapeError, "eigh: X (2, 3)", "needs square matrices")
case("slogdet, not square", lambda: mg.linalg.slogdet(X), ShapeError, "slogdet: X (2, 3)", "needs square matrices")
case("cond of a vector", lambda: mg.linalg.cond(x), ShapeError, "cond: x (3,)", "matri")
case("cond, not square", lambda: mg.linalg.cond(X, 1), ShapeError, "cond: X (2, 3)", "square")
case("cond by name", lambda: mg.linalg.cond(A, "two"), ShapeError, "cond", "'two'")
case("norm 3 of a matrix", lambda: mg.norm(X, 3), ShapeError, "norm: there is no ord=3 of 2 axes")
case("power of a Value", lambda: mg.linalg.matrix_power(A, s), DtypeError, "matrix_power: A (3, 3)", "no integer")
case(
    "power of a singular",
    lambda: mg.linalg.matrix_power(singular, -1),
    LinAlgError,
    "matrix_power: S",
    "Singular",
)

# -------------------------------------------------------------------------------------------------- layers and losses
case("no bias", lambda: mg.linear(X, A), DtypeError, "linear: X (2, 3), A (3, 3)", "takes 3 inputs", "2 given")
case("short bias", lambda: mg.linear(X, A, np.ones(2)), ShapeError, "linear", "bias (2,)", "(3, 3)")
case("bias per row", lambda: mg.linear(X, A, np.ones((2, 3))), ShapeError, "linear", "bias (2, 3)")
case("flat weight", lambda: mg.linear(X, x, np.ones(1)), ShapeError, "linear", "weight", "(3,)")
case("label 7", lambda: mg.negative_log_softmax(X, [0, 7]), IndexWrong, "negative_log_softmax: X (2, 3)", "label 7")
case("label 1.0", lambda: mg.negative_log_softmax(X, np.ones(2)), IndexWrong, "negative_log_softmax: X", "integer")
case("label -1", lambda: mg.negative_log_softmax(X, [0, -1]), IndexWrong, "negative_log", "label -1")
case("one label", lambda: mg.negative_log_softmax(X, [0]), ShapeError, "negative_log", "X (2, 3)")
case("hinge", lambda: mg.hinge(x, np.ones(2)), ShapeError, "hinge: x (3,), (2,)", "broadcast")
case("a window too large", lambda: mg.max_pool2d(image, 7), ShapeError, "max_pool2d: a window of (7, 7)", "(5, 5)")
case("half a stride", lambda: mg.avg_pool2d(image, 2, 0.5), ShapeError, "avg_pool2d: stride=0.5", "an integer")
case("a learned stride", lambda: mg.conv2d(image, np.ones((4, 3, 3, 3)), stride=s), ShapeError, "conv2d: stride=Value")
case("no filters", lambda: mg.conv2d(image, None), ShapeError, "conv2d: weight ()", "(out, in / groups, *kernel)")
case(
    "groups 3.0",
    lambda: mg.conv2d(image, np.ones((3, 1, 3, 3)), groups=3.0),
    ShapeError,
    "conv2d",
    "groups=3.0",
)


# ------------------------------------------------------------------------------------------------------------ backward
def changed_between_passes() -> None:
    p = V("p", 3)
    loss = (p * p).sum()
    loss.backward()
    p.data -= 0.1 * p.grad
    loss.backward()


def replaced_by_another_shape() -> None:
    p = V("p", 3)
    loss = (p * p).sum()
    p.data = np.ones(2)
    loss.backward()


def with_grad(grad: Any, *shape: int) -> Callable[[], None]:
    def step() -> None:
        p = V("p", *shape)
        p.grad = grad
        (p * p).sum().backward()

    return step


case("a step between passes", changed_between_passes, GradientError, "multiply: p (3,) was changed in place", "again")
case(
    "another shape",
    replaced_by_another_shape,
    GradientError,
    "p (2,)",
    "(3,)",
    "replaced",
)
case("grad (2, 3)", with_grad(np.zeros((2, 3)), 3), ShapeError, "backward: p (3,) has a .grad of shape (2, 3)", "None")
case("grad is text", with_grad("zero", 3), DtypeError, "p (3,)", ".grad")
case("grad is text, scalar", with_grad("zero"), DtypeError, "p", ".grad")
case("grad is complex", with_grad(np.zeros(3, complex), 3), DtypeError, "p (3,)", ".grad")
case("grad is a Value", with_grad(V("g", 3), 3), DtypeError, "p (3,)", ".grad", ".data")
case("a result, in place", lambda: exec("y.data -= 1", {"y": x * 2.0}), GradientError, "result of multiply", "detach")


# ---------------------------------------------------------------------------------------------------------- transforms
def f(a: Any) -> Any:
    return mg.sum(a * a)


case("grad of a number", lambda: mg.grad(3.0)(1.0), TypeError, "grad", "function")
case("grad of a Value", lambda: mg.grad(f(x))(1.0), TypeError, "grad", "function", "backward")
case("vjp of a Value", lambda: mg.vjp(s, 1.0), TypeError, "vjp", "function")
case("jvp of a Value", lambda: mg.jvp(s, (1.0,), (1.0,)), TypeError, "jvp", "function")
case("gradcheck of a number", lambda: mg.gradcheck(3.0, 1.0), TypeError, "gradcheck")
case("argnums by name", lambda: mg.grad(f, argnums="a")(1.0), GradientError, "argnums='a'")
case("argnums 0.0", lambda: mg.grad(f, argnums=0.0)(1.0), GradientError, "argnums=0.0")
case("argnums too far", lambda: mg.hessian(f, argnums=(0, 3))(1.0), GradientError, "argnums=3", "1 argument")
case("only keywords", lambda: mg.grad(f)(a=1.0), GradientError, "argnums=0", "f was called with 0 arguments")
case("text among parameters", lambda: mg.grad(f)({"w": 1.0, "name": "w"}), DtypeError, "'w' is a str", "a number")
case("Jacobian of None", lambda: mg.jacobian(lambda a: None)(1.0), GradientError, "None", "number")
case("Jacobian of a part", lambda: mg.jacobian(lambda a: [a, None])(1.0), GradientError, "None", "number")
case("Hessian of a vector", lambda: mg.hessian(mg.exp)(np.ones(3)), GradientError, "exp returned", "(3,)", ".sum()")
case("hvp, shapes", lambda: mg.hvp(f, np.ones(3), np.ones(2)), ShapeError, "hvp", "(2,)", "(3,)")
case("hvp of a vector", lambda: mg.hvp(mg.exp, np.ones(3), np.ones(3)), GradientError, "exp returned", ".sum()")
case("a tangent None", lambda: mg.jvp(f, (1.0,), (None,)), DtypeError, "None is a NoneType", "expected a number")
case("a tangent of half", lambda: mg.jvp(f, (np.ones(3),), (1.0,)), ShapeError, "jvp: tangents of shape ()", "(3,)")
case("a cotangent of text", lambda: mg.vjp(f, 1.0)[1]("1"), DtypeError, "'1' is a str", "expected a number")
case("a cotangent for two", lambda: mg.vjp(lambda a: (a, a), 1.0)[1](1.0), GradientError, "vjp", "structure", "output")
case("a bool", lambda: mg.grad(f)(True), DtypeError, "True is a bool", "expected a number")

# ------------------------------------------------------------------------------------------------ the user's own gates
case("a gate called 3", lambda: Gate(3, np.exp), TypeError, "name")
case("no forward rule", lambda: Gate("g", 3.0, local=[1.0]), TypeError, "'g'", "forward")
case("a local of text", lambda: double(local=["2"]), TypeError, "Gate 'double': a derivative is a function", "['2']")
case("a vjp of number", lambda: double(vjp=[2.0]), TypeError, "Gate 'double': a derivative is a function", "[2.0]")
case("backward=", lambda: double(backward=[2.0]), TypeError, "'backward'")
case("no list", twice(double(local=lambda out, a: 2.0), x), GradientError, "double", "write a list, local=[f]")
case("no wires", lambda: double(local=[])(x), DtypeError, "double: x (3,)", "raw number")
case("two for one", lambda: double(local=[2.0, 2.0])(x), DtypeError, "double: x (3,)", "takes 2 inputs", "1 given")
case("one for two", lambda: double(local=[2.0])(s, x), DtypeError, "double: s, x (3,)", "has 1 wire(s)")
case(
    "a learned parameter", lambda: double(local=[2.0])(x, k=s), DtypeError, "double: x (3,)", "has 1 wire(s)", "v.data"
)
case(
    "a pair of one", twice(Gate("pair", lambda a, b: a + b, vjp=lambda g, *_: (g, g)), s), DtypeError, "pair: s", "'b'"
)
case("local without out", twice(double(local=[lambda a: 2.0]), x), GradientError, "double", "out")
case("vjp without g", twice(double(vjp=[lambda out, a: 2.0]), x), GradientError, "double", "(g, out")
case("a local None", twice(double(local=[lambda out, a: None]), x), GradientError, "double", "None")
case("a scalar local None", twice(double(local=[lambda out, a: None]), Value(2.0)), GradientError, "double")
case("a local of 1j", twice(double(local=[lambda out, a: 1j]), Value(2.0)), GradientError, "double", "1j")
case("a local says '2'", twice(double(local=[lambda out, a: "2"]), Value(2.0)), GradientError, "double")
case(
    "a vector for a number",
    twice(double(local=[lambda out, a: np.ones(3)]), Value(2.0)),
    GradientError,
    "double",
    "(3,)",
)
case("a local Value", twice(double(local=[lambda out, a: Value(2.0)]), V("p", 3)), GradientError, "double", "Value")
case("a vjp Value", twice(double(vjp=[lambda g, out, a: Value(g)]), V("p", 3)), GradientError, "double", "Value")
case("a vjp list", twice(double(vjp=[lambda g, out, a: [1.0, 2.0, 3.0]]), x), GradientError, "double", "x (3,) is [1.0")
case("a local too short", twice(double(local=[lambda out, a: np.ones(2)]), x), GradientError, "double", "wire 0")
case(
    "a local too wide",
    twice(double(local=[lambda out, a: np.ones((2, 3))]), V("p", 3)),
    GradientError,
    "double",
    "(2, 3)",
)
case("not elementwise", twice(Gate("total", np.sum, local=[1.0]), x), GradientError, "total", "x (3,)", "shape ()")
case(
    "an outer product",
    twice(Gate("square", lambda a: np.outer(a, a), local=[lambda out, a: 2.0 * a]), V("p", 3)),
    GradientError,
    "square",
    "(3, 3)",
)
case("forward gives a Value", lambda: Gate("g", Value, local=[1.0])(x), DtypeError, "g: forward returned Value (3,)")
case("math on arrays", lambda: Gate("g", math.sin, local=[1.0])(x), DtypeError, "g: x (3,)", "0-dimensional")
case(
    "NumPy in a rule, twice",
    lambda: mg.grad(mg.grad(double(local=[lambda out, a: 0.0 * np.asarray(a) + 2.0])))(1.0),
    DtypeError,
    "v.data",
)


@pytest.mark.parametrize(("code", "error", "texts"), CASES)
def test_misuse_is_answered(code: Callable[[], Any], error: type[Exception], texts: tuple[str, ...]) -> None:
    with pytest.raises(error) as caught:
        code()
    said = str(caught.value)
    assert [text for text in texts if text not in said] == [], said
    for v, data in zip(LEAVES, BEFORE, strict=True):  # nothing is half done
        np.testing.assert_array_equal(v.data, data)
        assert v.grad is None
    assert mg.grad(lambda t: t * t)(3.0) == 6.0


def test_the_table_is_large_enough_and_names_each_case_once() -> None:
    names = [c.id for c in CASES]
    assert len(names) == len(set(names))
    assert len(CASES) >= 80


def test_one_array_is_a_sequence_of_its_rows() -> None:
    np.testing.assert_array_equal(np.concatenate(X).data, np.concatenate(X.data))
    np.testing.assert_array_equal(np.stack(X).data, np.stack(X.data))
