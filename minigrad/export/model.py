"""`onnx`: a model as an ONNX file, checked before it is written."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..convert import FLOAT32, FLOAT64, is_value
from ..errors import DtypeError, MissingExtraError
from ..io import atomic_write
from ..nn import Embedding, Module
from ..tree import tree_leaves
from ..value import no_grad
from .errors import ExportError
from .graph import differ, module_of, written
from .trace import arguments, raw
from .writer import Writer

__all__ = ["Exported", "onnx"]

OPSET, FORMAT = 18, 8  # of 2022: read by every runtime that is in use


@dataclass(frozen=True)
class Exported:
    """What was written: the names, dtypes and shapes of inputs and outputs, and why the batch size is fixed, if it is.

    "batch" in a shape stands for any size.
    """

    path: Path
    inputs: dict[str, tuple[str, tuple[Any, ...]]]
    outputs: dict[str, tuple[str, tuple[Any, ...]]]
    fixed: str

    def __str__(self) -> str:
        def each(wires: dict[str, tuple[str, tuple[Any, ...]]]) -> str:
            texts = [(name, dtype, ", ".join(map(str, shape))) for name, (dtype, shape) in wires.items()]
            return ", ".join([f"{name} {dtype} ({shape})" for name, dtype, shape in texts])

        size = f"\nbatch size fixed: {self.fixed}" if self.fixed else ""
        return f"{self.path}: {each(self.inputs)} to {each(self.outputs)}{size}"


def onnx(
    f: Callable[..., Any],
    example_inputs: Any,
    path: str | os.PathLike[str],
    *,
    dynamic_batch: bool = True,
    metadata: dict[str, str] | None = None,
) -> Exported:
    """Write `f`, a module or a function of arrays, as an ONNX model to `path`: `pip install "minigrad-engine[onnx]"`.

    `f` is run on `example_inputs`, an array or a tuple with one per argument, in evaluation mode, and every gate
    becomes ONNX operators (opset 18).  Floats are inputs that vary, as are the whole numbers of an `Embedding`;
    parameters keep their names of `state_dict`.  The first axis of all inputs may have any size in the file if `f`,
    run at several sizes, gives the same operators and constants; otherwise `Exported.fixed` says what differed.
    `metadata` are texts that the file keeps.

    Before the file is written, ONNX's checker has seen it and its reference evaluator has computed the same numbers.
    Raises `ExportError` for gates without a counterpart, and for results that don't come from gates: what NumPy
    computes from `x.data`, and branches, would stay what they were for the examples.

    >>> import tempfile
    >>> from minigrad import nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = onnx(nn.MLP([2, 16, 3], rng=0), np.ones((4, 2)), folder + "/model.onnx")
    >>> made.inputs, made.outputs
    ({'x': ('float64', ('batch', 2))}, {'output': ('float64', ('batch', 3))})
    """
    onnx_package()
    if not all([isinstance(text, str) for pair in (metadata or {}).items() for text in pair]):
        raise DtypeError(f"export: metadata={metadata!r:.100}; names and values are texts.")
    inputs = named_inputs(f, example_inputs)
    with evaluation(f):
        writer, out = written(f, inputs)
        again, _ = written(f, {name: varied(name, x) for name, x in inputs.items()})
        if difference := differ(writer, again):
            raise ExportError(
                f"export: {difference} depends on the numbers of the input in a way that gates don't show (NumPy on "
                ".data, float(), a branch): the file would keep what it is for the example."
            )
        model = checked(writer, inputs, {name: (*x.shape,) for name, x in inputs.items()}, out, sizes_of(out))
        compare(f, model, inputs)
        free, fixed = of_any_size(f, writer, inputs) if dynamic_batch else (None, "dynamic_batch=False")
        model = free or model
    onnx_package().helper.set_model_props(model, metadata or {})
    with atomic_write(path) as file:
        file.write(model.SerializeToString(deterministic=True))
    return Exported(Path(path), shapes(model.graph.input), shapes(model.graph.output), fixed)


def onnx_package() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError('export.onnx needs onnx: pip install "minigrad-engine[onnx]"') from error
    return onnx


# ----------------------------------------------------------------------------------------------------------- the inputs
def named_inputs(f: Callable[..., Any], example_inputs: Any) -> dict[str, Any]:
    """Arrays by the names of the arguments of `f`."""
    given = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    arrays = [np.array(x.data if is_value(x) else x) for x in given]
    for x in arrays:
        if x.dtype not in (FLOAT32, FLOAT64) and x.dtype.kind not in "iub":
            raise DtypeError(f"export: an example input is {x.dtype}: it is float32, float64, whole numbers or bools.")
    try:
        arguments = inspect.signature(f.forward if isinstance(f, Module) else f).parameters.values()
        names = [p.name for p in arguments if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][: len(arrays)]
    except (TypeError, ValueError):  # of what is written in C
        names = []
    return dict(zip([*names, *[f"input_{i}" for i in range(len(names), len(arrays))]], arrays, strict=True))


def varied(name: str, x: Any) -> Any:
    """Other numbers of the same kind: whole ones in another order, so that they stay in the range of a table."""
    if x.dtype.kind == "f":
        steps = np.linspace(1e-3, 2e-3, x.size, dtype=x.dtype).reshape(x.shape)
        return x[::-1] * x.dtype.type(0.97) + steps if x.ndim else x * x.dtype.type(0.97) + steps
    other = ~x if x.dtype.kind == "b" else np.roll(x.reshape(-1), 1).reshape(x.shape)
    if np.array_equal(other, x):
        raise ExportError(f"export: the example input {name} has one number only: give an example with several.")
    return other


def resized(inputs: dict[str, Any], n: int) -> dict[str, Any]:
    """The same rows again and again, so many that there are `n`."""
    return {name: x[np.arange(n) % len(x)] for name, x in inputs.items()}


@contextmanager
def evaluation(f: Any) -> Iterator[None]:
    """Modules as they are when they predict: no dropout, running statistics.

    An `Embedding` gives its padding row as any other: what is special about it is the gradient.
    """
    modules = [*module.modules()] if (module := module_of(f)) else []
    before = [dict(vars(m)) for m in modules]
    try:
        for m in modules:
            m.training = False
            if isinstance(m, Embedding):
                m.padding_idx = None
        yield
    finally:
        for m, was in zip(modules, before, strict=True):
            m.training = was.get("training", type(m).training)
            if isinstance(m, Embedding):
                m.padding_idx = was["padding_idx"]


# ----------------------------------------------------------------------------------------------------------- the proofs
def of_any_size(f: Callable[..., Any], writer: Writer, inputs: dict[str, Any]) -> tuple[Any, str]:
    """A model for batches of any size, or None and why there is none: runs at several sizes give different files."""
    first = {x.shape[:1] for x in inputs.values()}
    if len(first) != 1 or () in first:
        return None, "an input is a single number" if () in first else "the first axes of the inputs differ"
    n = len(next(iter(inputs.values())))
    if n == 0:
        return None, "the example is empty"
    try:
        (two, out), (three, other), (many, _) = [written(f, resized(inputs, size)) for size in (2, 3, 11)]
        if difference := differ(two, three) or differ(two, many) or (n > 1 and differ(two, writer)):
            return None, difference
        free = {name: ("batch", *x.shape[1:]) for name, x in inputs.items()}
        axes = {name: axes_of(name, x.shape, y.shape) for (name, x), y in zip(out.items(), other.values(), strict=True)}
        model = checked(two, inputs, free, out, axes)
        for size in (1, 3):
            compare(f, model, resized(inputs, size))
    except Exception as error:  # of f, of ONNX's checker, of the comparison
        return None, f"another batch size fails ({error})"
    return model, ""


def axes_of(name: str, at_two: tuple[int, ...], at_three: tuple[int, ...]) -> list[Any]:
    """The sizes of an output, and a word for those that follow the batch's."""
    pairs = enumerate(zip(at_two, at_three, strict=True))
    return [a if a == b else "batch" if (a, b) == (2, 3) else f"{name}_{i}" for i, (a, b) in pairs]


def sizes_of(outputs: dict[str, Any]) -> dict[str, Any]:
    return {name: x.shape for name, x in outputs.items()}


def checked(op: Writer, inputs: dict[str, Any], shapes: dict[str, Any], outputs: dict[str, Any], ends: Any) -> Any:
    """The model, as ONNX's checker accepts it, with the shapes of its inputs and outputs."""
    onnx = onnx_package()
    from .. import __version__

    def info(name: str, x: Any, shape: Any) -> Any:
        return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), shape)

    graph = onnx.helper.make_graph(
        op.nodes,
        "minigrad",
        [info(name, x, shapes[name]) for name, x in inputs.items()],
        [info(name, x, ends[name]) for name, x in outputs.items()],
        [onnx.numpy_helper.from_array(x, name) for name, x in op.constants.items()],
    )
    made_by = {"producer_name": "minigrad", "producer_version": __version__}
    opset = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=FORMAT, **made_by)
    onnx.checker.check_model(model, full_check=True)
    return model


def compare(f: Callable[..., Any], model: Any, inputs: dict[str, Any]) -> None:
    """Compute with ONNX's reference evaluator what `f` computes, or raise."""
    onnx_package()
    from onnx.reference import ReferenceEvaluator

    with np.errstate(all="ignore"):
        try:
            theirs = ReferenceEvaluator(model).run(None, inputs)
        except Exception as error:
            raise ExportError(f"export: ONNX's reference evaluator fails; nothing was written. {error}") from error
        with no_grad():
            ours = [raw(x) for x in tree_leaves(f(*arguments(inputs)))]
    for name, a, b in zip([output.name for output in model.graph.output], ours, theirs, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        near = 1e-3 if a.dtype == FLOAT32 else 1e-6  # its Erf is one of float32
        scale = np.max(np.abs(a), initial=0.0, where=np.isfinite(a)) if a.dtype.kind == "f" else 0.0
        if a.shape != b.shape or not np.allclose(a, b, near, near * scale, equal_nan=True):
            raise ExportError(f"export: ONNX's reference evaluator gets other numbers for {name}; nothing was written.")


def shapes(wires: Any) -> dict[str, tuple[str, tuple[Any, ...]]]:
    onnx = onnx_package()

    def dims(tensor: Any) -> tuple[Any, ...]:
        return tuple([d.dim_param or d.dim_value for d in tensor.shape.dim])

    types = {wire.name: wire.type.tensor_type for wire in wires}
    return {name: (onnx.helper.tensor_dtype_to_np_dtype(t.elem_type).name, dims(t)) for name, t in types.items()}
