"""PyTorch's calls said in minigrad: for each gate the entries of op_db that exercise it, and how arguments translate.

Plain data and small functions: PyTorch is not imported here.  `tests/test_opdb.py` runs them.
"""

from __future__ import annotations

import math
from builtins import min as least
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

import minigrad as mg
from minigrad.convert import shape_of
from minigrad.gates.registry import COMPOSED, REGISTRY
from minigrad.nn import functional

CATALOGUE = {**REGISTRY, **COMPOSED}


class CannotSay(Exception):
    """A sample that has no counterpart in minigrad, with the reason."""


def refuse(condition: Any, reason: str) -> None:
    if condition:
        raise CannotSay(reason)


# --------------------------------------------------------------------------------------------------- a call at a time
def all_axes(dim: Any) -> Any:
    """PyTorch's dim: an empty list means all axes, as None does."""
    return (tuple(dim) or None) if isinstance(dim, (list, tuple)) else dim


def reduced(of: Any) -> Callable[..., Any]:
    return lambda input, dim=None, keepdim=False: of(input, axis=all_axes(dim), keepdims=keepdim)


def along(of: Any) -> Callable[..., Any]:
    def translated(input: Any, dim: int) -> Any:
        refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
        refuse(0 in shape_of(input) and "softmax" in of.name, "an axis of no numbers")
        return of(input, axis=dim)

    return translated


def spread(of: Any) -> Callable[..., Any]:
    def translated(
        input: Any, dim: Any = None, correction: Any = None, unbiased: Any = None, keepdim: bool = False
    ) -> Any:
        if isinstance(dim, bool):  # var(input, unbiased)
            dim, unbiased = None, dim
        ddof = 1 if correction is None and unbiased is None else correction if unbiased is None else int(unbiased)
        return of(input, axis=all_axes(dim), ddof=ddof, keepdims=keepdim)

    return translated


def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    refuse(0 in shape_of(input), "an axis of no numbers")
    refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
    return mg.logsumexp(input, axis=all_axes(dim), keepdims=keepdim)


def clip(input: Any, min: Any = None, max: Any = None) -> Any:
    refuse(any([isinstance(x, mg.Value) for x in (min, max)]), "bounds that take a gradient: see maximum and minimum")
    return mg.clip(input, min, max)


def clip_by_values(input: Any, min: Any = None, max: Any = None) -> Any:
    out = input if min is None else mg.maximum(input, min)
    return out if max is None else mg.minimum(out, max)


def softplus(input: Any, beta: Any = 1.0, threshold: Any = 20.0) -> Any:
    return mg.softplus(input, beta=beta)


def truncated(a: Any, b: Any, rounding_mode: str) -> Any:
    refuse(not np.all(mg.isfinite(a / b)), "a quotient that is infinite")
    return mg.trunc(mg.divide(a, b))


def bounded(of: Any) -> Callable[..., Any]:
    """clamp_min is maximum, but for a nan."""

    def translated(input: Any, bound: Any) -> Any:
        refuse(np.any([np.any(mg.isnan(x)) for x in (input, bound)]), "a nan, of which clamp drops the gradient")
        return of(input, bound)

    return translated


def logit(input: Any, eps: Any = None) -> Any:
    return mg.logit(input if eps is None else mg.clip(input, eps, 1.0 - eps))


def quantile(input: Any, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Any:
    refuse(interpolation != "linear", "interpolation other than linear")
    refuse(isinstance(q, mg.Value), "a q that takes a gradient")
    return mg.quantile(input, q, axis=dim, keepdims=keepdim)


def median(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    shape = shape_of(input)
    n = math.prod(shape) if dim is None else shape[dim] if shape else 1
    refuse(n % 2 == 0, "an even count, of which PyTorch takes the lower middle number: see DIFFERENCES")
    return mg.median(input, axis=dim, keepdims=keepdim)


def norm(input: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    shared = ord in (2, -2) and not np.any(mg.not_equal(input, 0.0)) and math.prod(shape_of(input))
    refuse(
        shared and len(shape_of(input)) > 1 and not isinstance(dim, int),
        "equal singular values, which share in PyTorch",
    )
    return mg.norm(input, ord, axis=all_axes(dim), keepdims=keepdim)


def matrix_norm(input: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    return norm(input, ord, dim, keepdim)


def vector_norm(input: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Any:
    return mg.vector_norm(input, axis=all_axes(dim), keepdims=keepdim, ord=ord)


def old_norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """torch.norm is a vector norm, whatever the axes; "fro" is p = 2."""
    refuse(p == "nuc", "a matrix norm: see norm")
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim)


def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    refuse(descending, "descending order: flip the result")
    refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
    return mg.sort(input, axis=dim)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    refuse(descending, "descending order: flip the result")
    refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
    return mg.argsort(input, axis=dim)


def put(input: Any, key: Any, value: Any, accumulate: bool = False) -> Any:
    """index_put(accumulate=True): x plus zeros in which the value is put."""
    refuse(not accumulate, "replacing instead of adding")
    shape = shape_of(input)
    return input + CATALOGUE["put"](mg.broadcast_to(value, np.empty(shape)[key].shape), index=key, shape=shape)


def put_flat(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    refuse(not accumulate, "replacing instead of adding")
    shape = shape_of(input)
    out = CATALOGUE["put"](mg.ravel(source), index=np.ravel(index), shape=(math.prod(shape),))
    return input + mg.reshape(out, shape)


def gather(input: Any, dim: int, index: Any) -> Any:
    refuse(
        not shape_of(input) or len(shape_of(input)) != np.ndim(index), "numbers that PyTorch takes for vectors of one"
    )
    return mg.gather(input, dim, index)


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
    return mg.scatter_add(input, dim, index, src)


def take_along_axis(input: Any, indices: Any, dim: Any = None) -> Any:
    return mg.take_along_axis(input, np.ravel(indices) if dim is None else indices, axis=dim)


def take(input: Any, dim: int, index: Any) -> Any:
    refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
    return mg.take(input, index, axis=dim)


def narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    start = int(start) % shape_of(input)[dim] if shape_of(input)[dim] else 0
    return mg.moveaxis(mg.moveaxis(input, dim, 0)[start : start + length], 0, dim)


def masked_select(input: Any, mask: Any) -> Any:
    shape = np.broadcast_shapes(shape_of(input), mask.shape)
    return mg.broadcast_to(input, shape)[np.broadcast_to(mask, shape)]


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    n = len(shape_of(input))
    refuse(n and (start_dim % n, end_dim % n) != (0, n - 1), "flattening some of the axes: reshape")
    return mg.flatten(input)


def squeeze(input: Any, dim: Any = None) -> Any:
    refuse(not shape_of(input) and dim is not None, "numbers that PyTorch takes for vectors of one")
    longer = dim is not None and any([shape_of(input)[i] != 1 for i in np.atleast_1d(dim).astype(int)])
    refuse(longer, "an axis longer than 1, which PyTorch leaves and NumPy refuses to squeeze")
    return mg.squeeze(input, dim)


def einsum(operands: Any, subscripts: str) -> Any:
    inputs, _, output = subscripts.partition("->")
    refuse("..." in inputs and output and "..." not in output, "an ellipsis that is summed away, as NumPy doesn't")
    return mg.einsum(subscripts, *operands)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    refuse(min_val == max_val, "min_val = max_val, which we refuse")
    return mg.hardtanh(input, min_val=min_val, max_val=max_val)


def expand(input: Any, shape: Any) -> Any:
    refuse(-1 in shape, "-1 for an axis that stays as it is")
    return mg.broadcast_to(input, tuple(shape))


def pad(input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """PyTorch lists the widths from the last axis to the first."""
    refuse(least(pad, default=0) < 0, "negative widths, which cut: index")
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    widths = [(0, 0)] * (len(shape_of(input)) - len(pairs)) + pairs
    mode = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    return mg.pad(input, widths, mode, **({"constant_values": value or 0.0} if mode == "constant" else {}))


def concatenate(tensors: Any, dim: int = 0) -> Any:
    refuse(len({len(shape_of(x)) for x in tensors}) > 1, "an empty vector beside arrays of more axes")
    return mg.concatenate(tensors, axis=dim)


def split(input: Any, size: Any, dim: int = 0) -> Any:
    """Pieces of one size, or of the given sizes; NumPy wants the places between them."""
    n = shape_of(input)[dim]
    return mg.split(input, np.cumsum(size)[:-1].tolist() if np.ndim(size) else list(range(size, n, size)), axis=dim)


def diag(input: Any, diagonal: int = 0, offset: int = 0) -> Any:
    refuse(len(shape_of(input)) > 2, "a stack of diagonals")
    return mg.diag(input, diagonal or offset)


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    refuse(len(shape_of(input)) != 1 or (dim1, dim2) != (-2, -1), "a stack of diagonals")
    return mg.diag(input, offset)


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return mg.diagonal(input, offset, dim1, dim2)


def tensordot(a: Any, b: Any, dims: Any) -> Any:
    pairs = zip(*dims, strict=True) if not isinstance(dims, int) else ()
    refuse(any([shape_of(a)[i] != shape_of(b)[j] for i, j in pairs]), "a summed axis of 1, which PyTorch stretches")
    return mg.tensordot(a, b, axes=dims)


def swap_last(x: Any) -> Any:
    return mg.swapaxes(x, -1, -2)


def cholesky(input: Any, upper: bool = False) -> Any:
    out = mg.cholesky(twice_symmetric(input))
    return swap_last(out) if upper else out


def twice_symmetric(a: Any) -> Any:
    """What op_db hands to functions of symmetric matrices."""
    return a + swap_last(a)


def svd(A: Any, full_matrices: bool = True) -> Any:
    """op_db compares what is unique: of the full matrices only the columns that the reduced ones have."""
    return mg.svd(A, full_matrices=False)


def qr(A: Any, mode: str = "reduced") -> Any:
    refuse(mode == "complete" and shape_of(A)[-2] > shape_of(A)[-1], "columns that can be turned freely")
    return mg.qr(A, mode=mode)


def solve(A: Any, B: Any, left: bool = True) -> Any:
    refuse(not left, "left=False: transpose")
    if len(shape_of(B)) > 1 and shape_of(B) == shape_of(A)[:-1]:  # a stack of vectors, in NumPy 2 matrices with k = 1
        return mg.solve(A, mg.expand_dims(B, -1))[..., 0]
    return mg.solve(A, B)


def lstsq(input: Any, b: Any, rcond: Any = None, driver: Any = None) -> Any:
    refuse(len(shape_of(input)) > 2, "a stack of problems")
    return mg.lstsq(input, b)[0]


def pinv(input: Any, rtol: Any = None, hermitian: bool = False) -> Any:
    input = twice_symmetric(input) if hermitian else input
    refuse(np.ndim(rtol), "a tolerance for each matrix")
    return mg.pinv(input, None if rtol is None else float(rtol))


def singular_pinv(a: Any, b: Any) -> Any:
    """op_db: the pseudo-inverse of a product of the given rank."""
    return mg.pinv(a @ swap_last(b))


def windows(input: Any, dimension: int, size: int, step: int) -> Any:
    """Tensor.unfold: windows along one axis."""
    refuse(not shape_of(input), "numbers that PyTorch takes for vectors of one")
    parts = mg.windows(mg.moveaxis(input, dimension, -1), size=(size,), stride=(step,), dilation=(1,))
    return mg.moveaxis(parts, -2, dimension % len(shape_of(input)))


def max_pool(of: Any) -> Callable[..., Any]:
    def translated(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:  # fmt: skip
        refuse(return_indices, "return_indices=True: the same numbers again, and where they stood")
        return of(input, kernel_size, stride, padding, dilation, ceil_mode)

    return translated


def avg_pool2d(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *rest: Any, **params: Any) -> Any:
    """An empty stride is none; (1,) is 1 along both axes."""
    sizes = [x[0] if np.shape(x) == (1,) else x for x in (kernel_size, stride or None, padding)]
    return mg.avg_pool2d(input, *sizes, *rest, **params)


def cross_entropy(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    refuse(isinstance(target, mg.Value) or target.dtype.kind == "f", "targets that are no probabilities")
    refuse(weight is not None and np.min(raw(weight)) < 0, "weights below 0")
    return functional.cross_entropy(
        input, target, weight if weight is None else raw(weight), reduction=reduction, ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )  # fmt: skip


def raw(x: Any) -> Any:
    return x.data if isinstance(x, mg.Value) else x


def same(*names: str) -> dict[str, Any]:
    """Gates whose name and arguments are PyTorch's."""
    return {name: {name: CATALOGUE[name]} for name in names}


def renamed(**names: str) -> dict[str, Any]:
    """Gates that PyTorch has under another name."""
    return {name: {entry: CATALOGUE[name]} for name, entry in names.items()}


def activation(name: str, **defaults: Any) -> dict[str, Any]:
    """A function of torch.nn.functional with the same parameters."""

    def translated(input: Any, *args: Any, **params: Any) -> Any:
        return CATALOGUE[name](input, **dict(zip(defaults, args, strict=False)), **params)

    return {name: {f"nn.functional.{name}": translated if defaults else CATALOGUE[name]}}


# ------------------------------------------------------------------------------------------------------------ the table
# gate: {op_db entry: its call in minigrad, with PyTorch's arguments}.  "max/binary" is one variant of an entry only.
TRANSLATION: dict[str, dict[str, Callable[..., Any]]] = {
    **same(
        "positive", "reciprocal", "square", "sign", "isnan", "isinf", "isfinite", "exp", "exp2", "expm1", "log",
        "log2", "log10", "log1p", "sqrt", "sigmoid", "sin", "cos", "tan", "sinc", "deg2rad", "rad2deg", "sinh", "cosh",
        "tanh", "erf", "erfc", "erfinv", "lgamma", "digamma", "floor", "ceil", "fmax", "fmin", "logaddexp",
        "logaddexp2", "hypot", "xlogy", "heaviside", "dot", "inner", "outer", "vdot", "kron", "ravel",
    ),
    **renamed(
        absolute="abs", negative="neg", equal="eq", not_equal="ne", less="lt", less_equal="le", greater="gt",
        greater_equal="ge", arcsin="asin", arccos="acos", arctan="atan", arctan2="atan2", arcsinh="asinh",
        arccosh="acosh", arctanh="atanh",
    ),
    **activation("relu"), **activation("relu6"), **activation("selu"), **activation("logsigmoid"),
    **activation("silu"), **activation("mish"), **activation("softsign"), **activation("hardsigmoid"),
    **activation("leaky_relu", negative_slope=0.01), "hardtanh": {"nn.functional.hardtanh": hardtanh},
    **activation("elu", alpha=1.0), **activation("celu", alpha=1.0), **activation("gelu", approximate="none"),
    "add": {"add": lambda a, b, alpha=1: mg.add(a, b * alpha), "__radd__": lambda a, b: b + a},
    "subtract": {"sub": lambda a, b, alpha=1: mg.subtract(a, b * alpha), "__rsub__": lambda a, b: b - a},
    "multiply": {"mul": mg.multiply, "__rmul__": lambda a, b: b * a},
    "divide": {"div/no_rounding_mode": mg.divide, "true_divide": mg.divide, "__rdiv__": lambda a, b: b / a},
    "floor_divide": {
        "floor_divide": mg.floor_divide, "div/floor_rounding": lambda a, b, rounding_mode: mg.floor_divide(a, b),
    },
    "trunc": {"trunc": mg.trunc, "div/trunc_rounding": truncated},
    "remainder": {"remainder": mg.remainder, "__rmod__": lambda a, b: b % a},
    "power": {"pow": mg.power, "float_power": mg.power, "__rpow__": lambda a, b: b**a},
    "maximum": {
        "maximum": mg.maximum, "max/binary": mg.maximum, "clamp_min": bounded(mg.maximum), "clamp": clip_by_values,
    },
    "minimum": {"minimum": mg.minimum, "min/binary": mg.minimum, "clamp_max": bounded(mg.minimum)},
    "clip": {"clamp": clip},
    "where": {
        "where": lambda a, mask, b: mg.where(mask, a, b), "masked_fill": lambda a, mask, b: mg.where(mask, b, a),
    },
    "softplus": {"nn.functional.softplus": softplus},
    "polygamma": {
        "polygamma": lambda x, n: mg.polygamma(n, x) if n else mg.digamma(x),
        "special.polygamma": lambda x, n: mg.polygamma(n, x) if n else mg.digamma(x),
    },
    "logit": {"logit": logit},
    "round": {"round": lambda x, decimals=0: mg.round(x, decimals=decimals)},
    "nan_to_num": {
        "nan_to_num": lambda x, nan=None, posinf=None, neginf=None: (
            mg.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf)
        )
    },
    "lerp": {"lerp": mg.lerp},
    # reductions
    "sum": {"sum": reduced(mg.sum)},
    "mean": {"mean": reduced(mg.mean)},
    "prod": {"prod": reduced(mg.prod)},
    "max": {"amax": reduced(mg.max), "max/reduction_with_dim": reduced(mg.max), "max/reduction_no_dim": mg.max},
    "min": {"amin": reduced(mg.min), "min/reduction_with_dim": reduced(mg.min), "min/reduction_no_dim": mg.min},
    "var": {"var": spread(mg.var)},
    "std": {"std": spread(mg.std)},
    "all": {"all": reduced(mg.all)},
    "any": {"any": reduced(mg.any)},
    "argmax": {"argmax": reduced(mg.argmax)},
    "argmin": {"argmin": reduced(mg.argmin)},
    "count_nonzero": {"count_nonzero": reduced(mg.count_nonzero)},
    "logsumexp": {"logsumexp": logsumexp},
    "softmax": {"softmax": along(mg.softmax), "nn.functional.softmin": lambda x, dim: along(mg.softmax)(-x, dim)},
    "log_softmax": {"log_softmax": along(mg.log_softmax)},
    "cumsum": {"cumsum": along(mg.cumsum)},
    "cumprod": {"cumprod": along(mg.cumprod)},
    "vector_norm": {"linalg.vector_norm": vector_norm, "norm": old_norm},
    "norm": {
        "linalg.norm": norm, "linalg.matrix_norm": matrix_norm, "norm/nuc": lambda x, p, dim=None: norm(x, p, dim),
    },
    "cond": {"linalg.cond": mg.cond},
    "quantile": {"quantile": quantile},
    "median": {"median": median},
    # shapes and places
    "reshape": {"reshape": mg.reshape, "view": mg.reshape},
    "flatten": {"flatten": flatten},
    "broadcast_to": {"broadcast_to": mg.broadcast_to, "expand": expand},
    "transpose": {"permute": lambda x, dims: mg.transpose(x, axes=tuple(dims)), "t": mg.transpose},
    "swapaxes": {"transpose": lambda x, dim0, dim1: mg.swapaxes(x, dim0, dim1) if shape_of(x) else x * 1.0},
    "moveaxis": {"movedim": mg.moveaxis},
    "expand_dims": {"unsqueeze": mg.expand_dims},
    "squeeze": {"squeeze": squeeze},
    "flip": {
        "flip": lambda x, dims: mg.flip(x, tuple(dims)), "fliplr": lambda x: mg.flip(x, 1),
        "flipud": lambda x: mg.flip(x, 0),
    },
    "rot90": {"rot90": mg.rot90},
    "roll": {"roll": lambda x, shifts, dims=None: mg.roll(x, shifts, axis=dims)},
    "tile": {"tile": lambda x, dims: mg.tile(x, tuple(dims)), "repeat": lambda x, dims: mg.tile(x, tuple(dims))},
    "repeat": {"repeat_interleave": lambda x, repeats, dim=None, output_size=None: mg.repeat(x, repeats, axis=dim)},
    "pad": {"nn.functional.pad": pad},
    "tril": {"tril": mg.tril},
    "triu": {"triu": mg.triu},
    "diagonal": {
        "diagonal": diagonal,
        "linalg.diagonal": lambda A, offset=0, dim1=-2, dim2=-1: diagonal(A, offset, dim1, dim2),
    },
    "diag": {"diag": diag, "diag_embed": diag_embed},
    "trace": {"trace": mg.trace},
    "concatenate": {
        "cat": concatenate, "vstack": lambda xs: mg.concatenate([mg.reshape(x, (-1, shape_of(x)[-1])) for x in xs]),
    },
    "split": {
        "split": split, "split_with_sizes": split,
        "chunk": lambda x, n, dim=0: split(x, -(-shape_of(x)[dim] // n), dim),
    },
    "array_split": {
        "tensor_split": lambda x, places, dim=0: mg.array_split(x, places if np.ndim(places) else int(places), axis=dim)
    },
    "stack": {"stack": lambda xs, dim=0: mg.stack(xs, axis=dim)},
    "getitem": {
        "__getitem__": lambda x, key: x[key], "select": lambda x, dim, index: mg.moveaxis(x, dim, 0)[index],
        "narrow": narrow, "masked_select": masked_select,
    },
    "put": {"index_put": put, "put": put_flat},
    "take": {"take": mg.take, "index_select": take},
    "take_along_axis": {"take_along_dim": take_along_axis},
    "gather": {"gather": gather},
    "scatter_add": {"scatter_add": scatter_add},
    "sort": {"sort": sort},
    "argsort": {"argsort": argsort},
    "astype": {"double": lambda x, memory_format=None: mg.astype(x, dtype=np.float64)},
    # matrices
    "matmul": {
        "matmul": mg.matmul, "mm": mg.matmul, "bmm": mg.matmul, "mv": mg.matmul, "__rmatmul__": lambda a, b: b @ a,
    },
    "linear": {"nn.functional.linear": functional.linear},
    "einsum": {"einsum": einsum},
    "tensordot": {"tensordot": tensordot},
    "cross": {
        "cross": lambda a, b, dim=-1: mg.cross(a, b, axis=dim),
        "linalg.cross": lambda a, b, dim=-1: mg.cross(a, b, axis=dim),
    },
    "multi_dot": {"linalg.multi_dot": mg.multi_dot},
    "matrix_power": {"linalg.matrix_power": mg.matrix_power},
    "inv": {"linalg.inv": mg.inv, "linalg.inv_ex": mg.inv},
    "det": {"linalg.det": mg.det},
    "solve": {"linalg.solve": solve, "linalg.solve_ex": solve},
    "cholesky": {"linalg.cholesky": cholesky, "cholesky": cholesky, "linalg.cholesky_ex": cholesky},
    "pinv": {
        "linalg.pinv/": pinv, "linalg.pinv/singular": singular_pinv, "linalg.pinv/hermitian": pinv, "pinverse": pinv,
    },
    "slogdet": {"linalg.slogdet": mg.slogdet},
    "qr": {"linalg.qr": qr},
    "eigh": {"linalg.eigh": lambda a, UPLO="L": mg.eigh(twice_symmetric(a), UPLO=UPLO)},
    "eigvalsh": {"linalg.eigvalsh": lambda a, UPLO="L": mg.eigvalsh(twice_symmetric(a), UPLO=UPLO)},
    "svd": {"linalg.svd": svd},
    "svdvals": {"linalg.svdvals": mg.svdvals},
    "lstsq": {"linalg.lstsq": lstsq},
    # windows and losses
    "windows": {"unfold": windows},
    "unfold": {"nn.functional.unfold": mg.unfold},
    "conv1d": {"nn.functional.conv1d": mg.conv1d},
    "conv2d": {"nn.functional.conv2d": mg.conv2d},
    "conv_transpose2d": {"nn.functional.conv_transpose2d": mg.conv_transpose2d},
    "max_pool1d": {"nn.functional.max_pool1d": max_pool(mg.max_pool1d)},
    "max_pool2d": {"nn.functional.max_pool2d": max_pool(mg.max_pool2d)},
    "avg_pool1d": {"nn.functional.avg_pool1d": mg.avg_pool1d},
    "avg_pool2d": {"nn.functional.avg_pool2d": avg_pool2d},
    "negative_log_softmax": {"nn.functional.cross_entropy": cross_entropy},
}  # fmt: skip

# Gates without an entry in op_db, but with a counterpart that PyTorch can differentiate: compared on the examples of
# their own rows, which are counted separately.
OWN: dict[str, Callable[..., Any]] = {
    "sech": lambda torch, x: 1.0 / torch.cosh(x),
    "cbrt": lambda torch, x: x.sign() * x.abs() ** (1.0 / 3.0),
    "select": lambda torch, mask, x: torch.where(mask, x, 0.0),
    "clip": lambda torch, x, a_min=None, a_max=None: torch.clamp(x, a_min, a_max),
    "neuron": lambda torch, w0, w1, x0, x1, b: w0 * x0 + w1 * x1 + b,
    "hinge": lambda torch, score, label: torch.relu(1.0 - label * score),
    "sum_of_squares": lambda torch, *xs: sum([(x * x).sum() for x in xs]),
    "cofactor": lambda torch, a: torch.linalg.det(a)[..., None, None] * torch.linalg.inv(a).mT,
    "cofactor_slope": lambda torch, a, e: cofactor_slope(torch.linalg.det(a), torch.linalg.inv(a).mT, e),
    "unwindows": lambda torch, x, shape, size, stride, dilation: fold(torch, x, shape, size, stride, dilation),
    "columns": lambda torch, x, **how: columns(torch, x, **how),
    "uncolumns": lambda torch, x, shape, **how: uncolumns(torch, x, shape, **how),
    "filtered": lambda torch, x, weight, bias, places, groups=1: filtered(torch, x, weight, bias, places, groups),
    "largest": lambda torch, x, count, places: image(x.reshape(-1, count, x.shape[1]).amax(dim=1), places),
}

NOT_COVERED: dict[str, str] = {}  # gate: why PyTorch has no word on it


def at_pole(x: Any, n: int = 0) -> Any:
    return ((x <= 0) & (x == np.round(x))) | (x < -1e4) | np.isinf(x)


# gate: (relative tolerance, why 1e-9 would not do)
LOOSER: dict[str, tuple[float, str]] = {
    "hardsigmoid": (1e-7, "PyTorch's slope is 1/6 in float32"),
    "digamma": (1e-8, "PyTorch's slope at -500 comes from a sine that has lost digits"),
    "polygamma": (1e-8, "PyTorch's slope at -500 comes from a sine that has lost digits"),
    "celu": (1e-6, "PyTorch's 1/alpha is rounded to float32"),
}


class Replaced(NamedTuple):
    """Where an answer is another than PyTorch's, or no one's; what stands there instead, why, and in which argument.

    Such numbers of a sample are replaced before the comparison; DIFFERENCES says what is answered there.
    """

    where: Callable[..., Any]
    number: float
    why: str
    argument: int = 0


NAN = "a nan stays a nan, and passes its gradient"
TIE = "equals share the gradient; PyTorch gives it to one of them"
AT_INFINITY = "a limit, where PyTorch has nan"
BEND = "at the kink the second slope is that of the left side; PyTorch's is 0"
POLE = "at a pole the slopes are infinite, PyTorch's come from a rounded sine; far below 0 SciPy takes long"
ZEROTH = "the second slope of x**y at y = 0 is 1/x; PyTorch's is 0 if x is first and 1/x if y is"
REPLACED: dict[str, Replaced] = {
    "absolute": Replaced(np.isnan, 0.5, NAN),
    "sign": Replaced(np.isnan, 0.5, NAN),
    "relu6": Replaced(np.isnan, 0.5, NAN),
    "hardtanh": Replaced(np.isnan, 0.5, NAN),
    "hardsigmoid": Replaced(np.isnan, 0.5, NAN),
    "heaviside": Replaced(lambda x, at_zero=0.0: np.isnan(x), 0.5, NAN),
    "fmax": Replaced(lambda a, b: (a == b) | (np.isnan(a) & np.isnan(b)), 0.123, TIE),
    "fmin": Replaced(lambda a, b: (a == b) | (np.isnan(a) & np.isnan(b)), 0.123, TIE),
    "clamp_min": Replaced(lambda a, b: a == b, 0.123, TIE),
    "clamp_max": Replaced(lambda a, b: a == b, 0.123, TIE),
    "elu": Replaced(lambda x: x == 0, 0.5, BEND),
    "selu": Replaced(lambda x: x == 0, 0.5, BEND),
    "celu": Replaced(lambda x: x == 0, 0.5, BEND),
    "silu": Replaced(np.isinf, 0.5, AT_INFINITY),
    "mish": Replaced(np.isinf, 0.5, AT_INFINITY),
    "softsign": Replaced(np.isinf, 0.5, AT_INFINITY),
    "pow": Replaced(lambda x, y: y == 0, 0.5, ZEROTH, 1),
    "float_power": Replaced(lambda x, y: y == 0, 0.5, ZEROTH, 1),
    "__rpow__": Replaced(lambda y, x: y == 0, 0.5, ZEROTH),
    "xlogy": Replaced(lambda x, y: (x == 0) & (y <= 0), 0.5, "xlogy(0, y) is a constant 0 for y up to 0"),
    "arccosh": Replaced(lambda x: x < 1, 1.5, "outside the domain the slope is nan, as the value; PyTorch's goes on"),
    "logit": Replaced(
        lambda x, eps=None: (x < 0) | (x > 1), 0.5, "outside the domain all slopes are nan, as the value"
    ),
    "digamma": Replaced(at_pole, 0.5, POLE),
    "polygamma": Replaced(at_pole, 0.5, POLE),
    "lgamma": Replaced(np.isneginf, 0.5, "SciPy's value at -inf is -inf, C's inf"),
    "softplus": Replaced(lambda x: x > 0.2 / 3.0, -0.5, "PyTorch's is a line from `threshold` on, here 3 x = 0.2"),
}


def cofactor_slope(det: Any, b: Any, e: Any) -> Any:
    """The derivative of det(A) B, with B = A⁻ᵀ."""
    return det[..., None, None] * ((b * e).sum((-2, -1), keepdim=True) * b - b @ e.mT @ b)


def fold(torch: Any, x: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """nn.functional.fold adds windows up, of images; lines are images of one row."""
    if len(size) == 1:
        image = fold(
            torch, x[..., None, :, None, :], (*shape[:-1], 1, shape[-1]), (1, *size), (1, *stride), (1, *dilation)
        )
        return image[..., 0, :]
    lead, places = tuple(shape[:-2]), x.shape[len(shape) - 2 : len(shape)]
    columns = x.reshape(-1, 1, math.prod(places), math.prod(size))[:, 0].mT
    out = torch.nn.functional.fold(columns, shape[-2:], size, dilation=dilation, stride=stride)
    return out.reshape(*lead, *shape[-2:])


def flat_image(size: Any, stride: Any, dilation: Any) -> dict[str, Any]:
    """The parameters of lines, as those of images of one row."""
    more = 2 - len(size)
    return {"kernel_size": (1,) * more + size, "stride": (1,) * more + stride, "dilation": (1,) * more + dilation}


def columns(torch: Any, x: Any, size: Any, stride: Any, dilation: Any) -> Any:
    """nn.functional.unfold, with the columns of the batch beside each other."""
    x = x if len(size) == 2 else x[:, :, None]
    out = torch.nn.functional.unfold(x, **flat_image(size, stride, dilation)).permute(1, 2, 0)
    return out.reshape(len(out), -1)


def uncolumns(torch: Any, x: Any, shape: Any, size: Any, stride: Any, dilation: Any) -> Any:
    parts = x.reshape(len(x), -1, shape[0]).permute(2, 0, 1)
    image = shape[2:] if len(size) == 2 else (1, *shape[2:])
    return torch.nn.functional.fold(parts, image, **flat_image(size, stride, dilation)).reshape(shape)


def filtered(torch: Any, x: Any, weight: Any, bias: Any, places: Any, groups: int) -> Any:
    rows = weight.reshape(groups, len(weight) // groups, -1) @ x.reshape(groups, -1, x.shape[1])
    return image(rows.reshape(len(weight), -1) + bias[:, None], places)


def image(rows: Any, places: Any) -> Any:
    return rows.reshape(len(rows), *places, -1).movedim(-1, 0)


class Difference(NamedTuple):
    """A call whose answer is another than PyTorch's, on purpose: value and slopes of both, and why.

    With `order=2` the slopes are those of the sum of the first slopes.  None: PyTorch has no derivative.
    """

    gate: str
    torch: str
    inputs: tuple[Any, ...]
    ours: tuple[Any, list[Any]]
    theirs: tuple[Any, list[Any] | None]
    why: str
    params: Mapping[str, Any] = MappingProxyType({})
    order: int = 1


INF, NO_NUMBER = math.inf, math.nan
HALF = "each side's share is one half also where both are infinite"
NOT_SQUARED = "nothing is squared that could overflow"
FROM_INPUT = "the slope comes from the input and keeps its digits; PyTorch's comes from the rounded output"
DIFFERENCES = [
    Difference("hypot", "hypot", (0.0, 0.0), (0.0, [0.0, 0.0]), (0.0, [NO_NUMBER, NO_NUMBER]),
               "a length has no slope at 0: we take 0, the middle of those around it, as PyTorch's norms do"),
    Difference("logaddexp", "logaddexp", (INF, INF), (INF, [0.5, 0.5]), (INF, [NO_NUMBER, NO_NUMBER]), HALF),
    Difference("logaddexp", "logaddexp", (-INF, -INF), (-INF, [0.5, 0.5]), (-INF, [NO_NUMBER, NO_NUMBER]), HALF),
    Difference("logaddexp2", "logaddexp2", (INF, INF), (INF, [0.5, 0.5]), (INF, [NO_NUMBER, NO_NUMBER]), HALF),
    Difference("xlogy", "xlogy", (0.0, 0.0), (0.0, [0.0, 0.0]), (0.0, [0.0, NO_NUMBER]),
               "it is 0 for x = 0 whatever y is, so its slope by y is 0"),
    Difference("fmax", "fmax", (1.0, 1.0), (1.0, [0.5, 0.5]), (1.0, [1.0, 0.0]), TIE),
    Difference("fmin", "fmin", (1.0, 1.0), (1.0, [0.5, 0.5]), (1.0, [1.0, 0.0]), TIE),
    Difference("maximum", "clamp_min", (1.0, 1.0), (1.0, [0.5, 0.5]), (1.0, [1.0, 0.0]), TIE),
    Difference("minimum", "clamp_max", (1.0, 1.0), (1.0, [0.5, 0.5]), (1.0, [1.0, 0.0]), TIE),
    Difference("heaviside", "heaviside", (0.0, 0.5), (0.5, [0.0, 1.0]), (0.5, None), "a step has the slope 0"),
    Difference("heaviside", "heaviside", (NO_NUMBER, 0.5), (NO_NUMBER, [0.0, 0.0]), (0.0, None), NAN),
    Difference("floor_divide", "floor_divide", (5.0, 2.0), (2.0, [0.0, 0.0]), (2.0, None), "a step has the slope 0"),
    Difference("sign", "sign", (NO_NUMBER,), (NO_NUMBER, [0.0]), (0.0, [0.0]), NAN),
    Difference("absolute", "abs", (NO_NUMBER,), (NO_NUMBER, [NO_NUMBER]), (NO_NUMBER, [0.0]), NAN),
    Difference("hardsigmoid", "nn.functional.hardsigmoid", (NO_NUMBER,), (NO_NUMBER, [1 / 6]), (NO_NUMBER, [0.0]), NAN),
    Difference("relu6", "nn.functional.relu6", ([NO_NUMBER] * 8,), ([NO_NUMBER] * 8, [[1.0] * 8]),
               ([NO_NUMBER] * 8, [[0.0] * 8]), NAN + ".  PyTorch's does so in short arrays only"),
    Difference("power", "pow", (NO_NUMBER, 0.0), (1.0, [NO_NUMBER, NO_NUMBER]), (1.0, [0.0, NO_NUMBER]), NAN),
    Difference("hardsigmoid", "nn.functional.hardsigmoid", (1.0,), (4 / 6, [1 / 6]), (4 / 6, [0.1666666716337204]),
               "PyTorch's slope is 1/6 in float32"),
    Difference("celu", "nn.functional.celu", (-1.0,), (-0.570796162511848, [0.2865047968601901]),
               (-0.570796162511848, [0.2865047979275036]), "PyTorch keeps 1/alpha in float32", {"alpha": 0.8}),
    Difference("softplus", "nn.functional.softplus", (21.0,), (21.000000000758256, [0.9999999992417439]), (21.0, [1.0]),
               "PyTorch's softplus is a line from 20 on"),
    Difference("sigmoid", "sigmoid", (40.0,), (1.0, [4.248354255291589e-18]), (1.0, [0.0]), FROM_INPUT),
    Difference("tanh", "tanh", (25.0,), (1.0, [7.714999391855669e-22]), (1.0, [0.0]), FROM_INPUT),
    Difference("arcsinh", "asinh", (1e200,), (461.2101657793691, [1e-200]), (461.2101657793691, [0.0]), NOT_SQUARED),
    Difference("vector_norm", "linalg.vector_norm", ([3e200, 4e200],), (5e200, [[0.6, 0.8]]), (INF, [[0.0, 0.0]]),
               NOT_SQUARED),
    Difference("silu", "nn.functional.silu", (-INF,), (0.0, [0.0]), (NO_NUMBER, [NO_NUMBER]), AT_INFINITY),
    Difference("silu", "nn.functional.silu", (INF,), (INF, [1.0]), (INF, [NO_NUMBER]), AT_INFINITY),
    Difference("mish", "nn.functional.mish", (-INF,), (0.0, [0.0]), (NO_NUMBER, [NO_NUMBER]), AT_INFINITY),
    Difference("gelu", "nn.functional.gelu", (-INF,), (0.0, [0.0]), (NO_NUMBER, [NO_NUMBER]), AT_INFINITY),
    Difference("softsign", "nn.functional.softsign", (INF,), (1.0, [0.0]), (NO_NUMBER, [NO_NUMBER]), AT_INFINITY),
    Difference("arccosh", "acosh", (-2.0,), (NO_NUMBER, [NO_NUMBER]), (NO_NUMBER, [0.5773502691896258]),
               "outside the domain the slope is nan, as the value"),
    Difference("median", "median", ([1.0, 2.0],), (1.5, [[0.5, 0.5]]), (1.0, [[1.0, 0.0]]),
               "NumPy's median is the mean of the middle two; PyTorch's the lower"),
    Difference("std", "std", ([1.0, 3.0],), (1.0, [[-0.5, 0.5]]), (2**0.5, [[-(0.5**0.5), 0.5**0.5]]),
               "NumPy's default is ddof=0; PyTorch divides by n - 1"),
    Difference("var", "var", ([1.0, 3.0],), (1.0, [[-1.0, 1.0]]), (2.0, [[-2.0, 2.0]]), "as std"),
    Difference("power", "pow", (2.0, 0.0), (1.0, [0.5, 0.5 + math.log(2.0) ** 2]), (1.0, [0.5, math.log(2.0) ** 2]),
               "the slope of y x**(y - 1) by y is 1/x at y = 0; PyTorch drops it, and its Hessian isn't symmetric",
               order=2),
    Difference("elu", "nn.functional.elu", (0.0,), (0.0, [1.0]), (0.0, [0.0]), BEND, order=2),
    Difference("selu", "nn.functional.selu", (0.0,), (0.0, [1.7580993408473766]), (0.0, [0.0]), BEND, order=2),
    Difference("celu", "nn.functional.celu", (0.0,), (0.0, [1.0]), (0.0, [0.0]), BEND, order=2),
    Difference("sinc", "sinc", (0.0,), (1.0, [-(math.pi**2) / 3]), (1.0, [NO_NUMBER]), "the limit", order=2),
    Difference("erf", "erf", (INF,), (1.0, [0.0]), (1.0, [NO_NUMBER]), AT_INFINITY, order=2),
    Difference("vector_norm", "linalg.vector_norm", ([0.0, 0.0],), (0.0, [[0.0, 0.0]]),
               (0.0, [[NO_NUMBER, NO_NUMBER]]), "a length is taken for flat at 0, to any order", order=2),
]  # fmt: skip
