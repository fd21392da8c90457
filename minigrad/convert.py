"""Raw numbers: what a `Value` may hold, what a gate is given, and how both are named in error messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import DtypeError, MinigradError, OutOfRangeError, ShapeError

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)


def to_data(x: Any, dtype: Any = None) -> Any:
    """A Python float or a float32/float64 ndarray from what a user passed as data, or a `DtypeError` with advice."""
    if type(x) is float and dtype is None:
        return x
    if is_value(x):
        raise DtypeError("a Value can't be the data of another Value: use its .data, or v.detach().")
    if dtype is not None and not is_float(dtype):
        raise DtypeError(f"dtype={dtype!r}: a Value holds float64 or float32.")
    if isinstance(x, (float, int, np.integer, np.float64)) and not isinstance(x, bool):
        return to_float(x) if dtype is None or np.dtype(dtype) == FLOAT64 else np.asarray(to_float(x), dtype)
    array = to_array(x)
    if array.dtype.kind in "iu":
        array = array.astype(FLOAT64 if dtype is None else dtype)
    elif array.dtype.newbyteorder("=") not in (FLOAT64, FLOAT32):
        raise DtypeError(f"Value: {advice(array.dtype)}")
    return np.asarray(array, dtype or array.dtype.newbyteorder("="))


def to_constant(x: Any, dtype: Any) -> Any:
    """A raw operand of a gate as a float or float array; integers and bools take the dtype of the values beside it."""
    if isinstance(x, (float, int, np.integer, np.bool_)) and not isinstance(x, np.float32):
        return to_float(x)
    array = to_array(x)
    if array.dtype.kind in "iub" or (array.dtype == FLOAT64 and not isinstance(x, (np.ndarray, np.generic))):
        return array.astype(dtype)  # Python's numbers, even in a list, take the dtype of what they meet
    if array.dtype not in (FLOAT64, FLOAT32):
        raise DtypeError(advice(array.dtype))
    return array


def is_float(dtype: Any) -> bool:
    try:
        return dtype is not None and np.dtype(dtype) in (FLOAT64, FLOAT32)
    except TypeError:  # not the name of a dtype
        return False


def to_operand(x: Any) -> Any:
    """A raw input of a gate, of some other kind than float or array: lists become arrays, what is no number is refused.
    """
    if isinstance(x, (list, tuple)):
        return to_array(x)
    if x is None or isinstance(x, (str, bytes, dict, set)) or callable(x):
        raise DtypeError(f"{x!r:.60} is a {type(x).__name__}; expected a number or an array of numbers.")
    return x


def to_float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        raise DtypeError(f"{x!s:.20}... is too large for a float.") from None


def to_array(x: Any) -> Any:
    if isinstance(x, np.ma.MaskedArray):
        raise DtypeError("a masked array would lose its mask: use .filled(number) first.")
    if isinstance(x, (list, tuple)) and contains_value(x):
        raise DtypeError("a list that contains Values: use mg.stack(list) to make one Value of it.")
    if isinstance(x, (list, tuple)):
        try:
            return np.asarray(x)
        except ValueError as error:  # ragged
            raise DtypeError(f"not a rectangular array of numbers: {error}") from error
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x)
    raise DtypeError(f"{x!r:.60} is a {type(x).__name__}; expected a number or an array of numbers.")


def advice(dtype: Any) -> str:
    """What to do about data of a dtype that has no derivative here."""
    remedy = {
        "b": "a mask is not differentiable data: use .astype(float), or pass it to where() as it is",
        "c": "complex data: work with .real and .imag as two Values",
        "f": "use .astype(np.float32) or .astype(np.float64)",
        "O": "an object array: build a float array, or mg.stack(list of Values)",
    }.get(dtype.kind, "numbers are needed: convert it first")
    return f"{dtype} data can't be differentiated; {remedy}."


def contains_value(x: Any) -> bool:
    return any(contains_value(y) if isinstance(y, (list, tuple)) else is_value(y) for y in x)


def is_value(x: Any) -> bool:
    return hasattr(type(x), "local_gradients")  # this module is below value.py and can't name the class


def is_raw(x: Any) -> bool:
    """No `Value`, or one that stands for raw numbers while mg.compile records."""
    return not is_value(x) or (hasattr(type(x), "stands_for_raw") and not x.requires_grad)


def as_array(x: Any) -> Any:
    """The numbers of x as an array; what mg.compile records stays as it is, to be computed anew on every call."""
    if hasattr(type(x), "stands_for_raw"):
        return x
    return np.asarray(x.data if is_value(x) else x)


def tidy(out: Any) -> Any:
    """A result in its canonical form: float64 scalars are Python floats, float32 scalars are 0-d arrays."""
    if isinstance(out, tuple):
        return type(out)(*map(tidy, out)) if hasattr(out, "_fields") else tuple(map(tidy, out))
    if type(out) is np.float64:
        return out.item()
    if isinstance(out, np.ndarray):
        return out if out.ndim or out.dtype == FLOAT32 else out.item()
    if isinstance(out, np.generic):
        return np.asarray(out) if out.dtype == FLOAT32 else out.item()
    return out


def ieee(rule: Callable[..., Any], numbers: tuple[Any, ...], params: dict[str, Any] | None = None) -> Any:
    """A derivative statement on raw numbers.  Python floats raise where IEEE has an answer: then ask NumPy's floats."""
    params = params or {}
    try:
        if type(out := rule(*numbers, **params)) is not complex:
            return out
    except (ArithmeticError, ValueError):
        if not any([type(x) is float for x in numbers]):
            raise
    with np.errstate(all="ignore"):
        try:
            return rule(*[np.float64(x) if type(x) is float else x for x in numbers], **params)
        except ArithmeticError:  # a gate in the rule gave a Python float again: arrays stay arrays
            out = rule(*[np.array([x]) if type(x) is float else x for x in numbers], **params)
            return tuple([np.asarray(x).item() for x in out]) if isinstance(out, tuple) else out.item()


INTEGERS = {FLOAT64: np.int64, FLOAT32: np.int32}


def bit_select(mask: Any, x: Any) -> Any:
    """`np.where(mask, x, 0)`; large arrays as bits times 1 or 0, without a branch per number (10 times faster)."""
    if type(x) is not np.ndarray or not x.ndim:
        return tidy(np.where(mask, x, 0.0))
    if type(mask) is not np.ndarray or mask.size < 1024:
        return np.where(mask, x, x.dtype.type(0))
    if mask.shape != x.shape and mask.shape != np.broadcast_shapes(mask.shape, x.shape):
        return np.where(mask, x, x.dtype.type(0))
    bits, out = INTEGERS[x.dtype], np.empty_like(mask, x.dtype)
    np.multiply(x.view(bits), mask, out=out.view(bits))
    return out


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a float, an array, a list or a Value."""
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


def describe(x: Any) -> str:
    """A value or number as error messages name it: `W (3, 4)`, `Value(2.0)`, `(5,)`."""
    label = getattr(x, "label", "")
    if is_value(x) and not label:
        label = f"Value({x._raw:.6g})" if isinstance(x._raw, float) else "Value"
    if isinstance(x, list) and not contains_value(x):
        try:
            return f"{np.shape(x)}"
        except ValueError:  # ragged
            pass
    if isinstance(x, np.generic):  # np.float64(0.5) reads better as 0.5
        x = x.item()
    shape = getattr(x, "shape", ())
    return f"{label} {shape}".strip() if shape else label or f"{x!r:.40}"


KINDS = {np.linalg.LinAlgError: np.linalg.LinAlgError, ValueError: ShapeError, TypeError: DtypeError}
REMEDIES = {  # for parts of NumPy's and Python's texts
    "'dim'": "NumPy's name is axis=",
    "'keepdim'": "NumPy's name is keepdims=",
    "'unbiased'": "NumPy's name is ddof=",
    "'correction'": "NumPy's name is ddof=",
    "'p'": "NumPy's name is ord=",
    "'min'": "the name is a_min=",
    "'max'": "the name is a_max=",
    "'value'": "NumPy's name is constant_values=",
    "'where'": "use mg.where(mask, x, 0.0) first",
    "argument 'dtype'": "use v.astype(dtype)",
    "argument 'out'": "an array can't hold a Value",
    "'Value' object": "a parameter is a raw number: use v.data",
    "can't be iterated": "a parameter is a raw number: use v.data",
    "axes don't match": "to exchange two axes use swapaxes(axis1, axis2)",
    "positional arguments but": "several axes are a tuple: axis=(0, 1)",
    "broadcast": "an axis is stretched only where its size is 1",
}


def variables(gate: Any) -> tuple[str, ...]:
    code = getattr(getattr(gate, "forward", None), "__code__", None)
    return code.co_varnames if code is not None else ()


def explained(gate: Any, error: Exception, inputs: tuple[Any, ...]) -> Exception:
    """A failure of a gate in words that name the gate, the labels, the shapes, and what to do."""
    between = f" {gate.symbol} " if gate.symbol in "+-*/**@//" else ", "
    text = re.sub(r"^\S+\(\) ", "", str(error)).strip()  # lambda() got an unexpected keyword ...
    if type(error) is ValueError and gate.hint is not None:
        text = gate.hint(*[shape_of(x) for x in inputs])
    elif "positional arguments but" in text and "axis" not in variables(gate):
        pass
    elif remedy := next((remedy for part, remedy in REMEDIES.items() if part in text), ""):
        text += f"; {remedy}."
    kind = type(error)
    if not isinstance(error, MinigradError):
        kind = next((ours for theirs, ours in KINDS.items() if isinstance(error, theirs)), OutOfRangeError)
    if text.startswith(f"{gate.name}: "):
        return kind(text)
    given = between.join([describe(x) for x in inputs]) or "no inputs"
    return kind(f"{gate.name}: {given}: {text}")
