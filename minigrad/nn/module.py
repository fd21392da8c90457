"""`Module`: a model is an object whose attributes are its parameters and its parts.

Nothing is registered: whoever wants to know the parameters looks at the attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arguments import flag
from ..convert import describe, is_float, is_value, tidy, to_data
from ..errors import CheckpointError, DtypeError, MinigradError, ShapeError
from ..value import Value, is_recorder, recording, tick
from .hooks import Handle, call_with_hooks
from .summary import Summary, headline, summarise

__all__ = ["Module", "Parameter"]


class Parameter(Value):
    """A `Value` that a `Module` counts among its parameters.

    >>> Parameter([1.0, 2.0], label="w").requires_grad
    True
    """

    __slots__ = ()


class Keys(NamedTuple):
    """What `load_state_dict(strict=False)` left out: names that the state lacks, names that the module lacks."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base of all layers and models: write `forward`, and keep parameters and submodules as attributes.

    Lists, tuples and dicts of them count too.  A module is called like a function; an error inside says in which layer
    it happened.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         self.factor = Parameter(2.0)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> model = Scale()
    >>> float(model(3.0)), [name for name, _ in model.named_parameters()]
    (6.0, ['factor'])
    """

    training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{type(self).__name__} has no forward method: define `def forward(self, x)`.")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if recorded := is_recorder(mode := recording.get()):
            mode.called(self)
        own, start = vars(self), tick()
        try:
            if "_forward_hooks" in own or "_backward_hooks" in own:
                out = call_with_hooks(self, args, kwargs)
            else:
                out = self.forward(*args, **kwargs)
        except MinigradError as error:
            name_layer(error, self)
            raise
        if mode and not recorded:
            own["_span"] = (start, tick())  # creation numbers: viz.draw frames the gates that were made in between
        return out

    def __getstate__(self) -> Any:
        """What pickles and copies take along: all but when this module ran last, for its results are not theirs."""
        state = super().__getstate__()
        own, slots = state if isinstance(state, tuple) else (state, None)
        own = {name: x for name, x in (own or {}).items() if name != "_span"}
        return own if slots is None else (own, slots)

    def __setattr__(self, name: str, x: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and x is not None and not isinstance(x, Parameter):
            raise DtypeError(
                f"{type(self).__name__}: {describe(x)} would take the place of the parameter {name}, which would "
                f"no longer learn: write .{name}.data = ..., or assign an nn.Parameter."
            )
        if is_value(x) and name in vars(self).get("_buffers", ()):
            raise DtypeError(f"{type(self).__name__}: the buffer {name} holds raw numbers: assign the value's .data.")
        if isinstance(x, Module) and any([module is self for module in x.modules()]):
            raise circular(f"{type(self).__name__}.{name}")
        super().__setattr__(name, x)

    # -------------------------------------------------------------------------------------------- parts and parameters
    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules, each once, with their names."""
        seen: set[int] = set()
        for name, x in parts(vars(self)):
            if isinstance(x, Module) and id(x) not in seen:
                seen.add(id(x))
                yield name, x

    def children(self) -> Iterator[Module]:
        """The direct submodules, each once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with its path ("layers.0"; "" for this one)."""
        return walk(prefix, self, seen=set())

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, with its path, a module's own before those of its parts (PyTorch's order)."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, x in parts(vars(module)):
                if isinstance(x, Parameter) and id(x) not in seen:
                    seen.add(id(x))
                    yield join(path, name), x

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter once."""
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, np.ndarray]]:
        """The arrays that `register_buffer` has named, with their paths."""
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name in vars(module).get("_buffers", ()):
                if getattr(module, name) is not None:
                    yield join(path, name), getattr(module, name)

    def buffers(self, recurse: bool = True) -> Iterator[np.ndarray]:
        """The arrays that `register_buffer` has named."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Keep raw numbers that belong to the state but don't learn, as the attribute `name`.

        They are saved by `state_dict` (unless `persistent=False`) and converted by `to`; whole numbers stay whole.

        >>> model = Module()
        >>> model.register_buffer("steps", np.array(0))
        >>> model.steps += 1
        >>> model.state_dict()
        {'steps': array(1)}
        """
        if hasattr(self, name) or "." in name:
            raise MinigradError(f"register_buffer: {name!r} has a dot or is an attribute already: choose another name.")
        if is_value(tensor):
            raise DtypeError(f"register_buffer: {name}: a buffer holds raw numbers: pass the value's .data.")
        vars(self).setdefault("_buffers", {})[name] = persistent
        setattr(self, name, tensor if tensor is None else np.asarray(tensor))

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call `fn` on every module, parts before the whole: the place to initialise weights."""
        for module in [*self.children()]:
            module.apply(fn)
        fn(self)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Let all parameters learn, or not."""
        flag(f"{type(self).__name__}: requires_grad", requires_grad)
        for p in self.parameters():
            p.requires_grad = requires_grad
        return self

    def freeze(self) -> Module:
        """Stop gradients at all parameters and forget those they have; `requires_grad_()` lets them learn again.

        Running statistics are no parameters: those of a frozen `BatchNorm` follow the data until `eval()`.
        """
        self.zero_grad()  # an optimiser steps by a gradient that is left, and decays what has one
        return self.requires_grad_(False)

    # ----------------------------------------------------------------------------------------------- saving and loading
    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter and buffer, by path; one that is shared is there under each of its names.

        >>> from minigrad import nn
        >>> {name: a.shape for name, a in nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict().items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'0.weight': (2, 3), '0.bias': (2,), '1.weight': (2,), '1.bias': (2,), '1.running_mean': (2,),
         '1.running_var': (2,), '1.num_batches_tracked': ()}
        """
        return {name: np.array(getattr(owner, attribute)) for name, owner, attribute in places(self)}

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> Keys:
        """Take over the numbers of a `state_dict`.  Everything is checked first: on an error nothing has changed.

        Returns which names are missing or unexpected, and raises `CheckpointError` for them unless `strict=False`.
        Raises `ShapeError` for a wrong shape and `DtypeError` for a kind of number that would lose its meaning.
        """
        if not isinstance(state_dict, dict):
            raise DtypeError(f"load_state_dict: a {type(state_dict).__name__} is no dict; pass model.state_dict().")
        flag("load_state_dict: strict", strict)
        own = {name: (owner, attribute) for name, owner, attribute in places(self)}
        missing, unexpected = [n for n in own if n not in state_dict], [n for n in state_dict if n not in own]
        if strict and (missing or unexpected):
            raise CheckpointError(
                f"load_state_dict: missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}; "
                "strict=False loads what fits."
            )
        new: dict[tuple[int, str], tuple[str, Any, Any]] = {}
        for name, (owner, attribute) in own.items():
            if name in state_dict:
                data = fitting(name, getattr(owner, attribute), state_dict[name])
                other = new.setdefault((id(owner), attribute), (name, owner, data))
                if not np.array_equal(other[2], data, equal_nan=True):
                    raise CheckpointError(f"load_state_dict: {other[0]} and {name} are one here, but differ there.")
        for (_, attribute), (_, owner, data) in new.items():
            setattr(owner, attribute, data)
        return Keys(missing, unexpected)

    def to(self, dtype: Any) -> Module:
        """Convert all parameters and buffers to float32 or float64, in this module; `DtypeError` for anything else.

        Buffers of whole numbers stay as they are.
        """
        if not is_float(dtype):
            raise DtypeError(f"to({dtype!r:.40}): a module holds float64 or float32.")
        for p in self.parameters():
            if p.dtype != np.dtype(dtype):
                p.data, p.grad = tidy(to_data(p.numpy(), dtype)), None
        for _, owner, attribute in places(self, unsaved=True):
            array = np.asarray(getattr(owner, attribute))
            if isinstance(owner, Module) and array.dtype.kind == "f":
                setattr(owner, attribute, array.astype(dtype))
        return self

    def train(self, mode: bool = True) -> Module:
        """Switch this module and its parts to training (or evaluation) behaviour."""
        flag(f"{type(self).__name__}: mode", mode)
        if is_recorder(recorder := recording.get()):
            recorder.modes_set(self, mode)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch this module and its parts to evaluation behaviour: no dropout, running statistics."""
        return self.train(False)

    # ------------------------------------------------------------------------------------------------------- inspecting
    def register_forward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, args, output)` after each forward pass; what it returns, if not None, is the output.

        After `backward()` every value keeps its gradient, so this alone shows activations and their gradients:

        >>> from minigrad import nn
        >>> model, seen = nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU()), []
        >>> handle = model[0].register_forward_hook(lambda module, args, output: seen.append(output))
        >>> model(np.ones((4, 2))).sum().backward()
        >>> seen[0].shape, seen[0].grad.shape
        ((4, 3), (4, 3))
        >>> handle.remove()
        """
        return Handle(vars(self).setdefault("_forward_hooks", []), hook)

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when a backward pass has come through the module.

        Both are tuples of gradients, of the positional arguments (None for what has no gradient) and of the outputs; a
        tuple that the hook returns takes the place of `grad_input`.  As in PyTorch.
        """
        return Handle(vars(self).setdefault("_backward_hooks", []), hook)

    def summary(self, *inputs: Any) -> Summary:
        """A table of the layers: output shape for the given inputs, and parameters, shared ones counted once.

        The inputs go through the model once, in evaluation mode and without recording; nothing in it changes.

        >>> from minigrad import nn
        >>> nn.MLP([2, 16, 3]).summary(np.ones((32, 2)))
        layer      type            output     parameters   trainable
        layers.0   Linear(2, 16)   (32, 16)           48          48
        layers.1   ReLU()          (32, 16)            0           0
        layers.2   Linear(16, 3)   (32, 3)            51          51
        total      MLP             (32, 3)            99          99
        """
        return summarise(self, inputs)

    def extra_repr(self) -> str:
        """What stands between the parentheses of a layer's repr."""
        return ""

    def __repr__(self) -> str:
        children = [(name, x) for name, x in parts(vars(self)) if isinstance(x, Module)]
        try:
            return f"{type(self).__name__}({indented(children) or self.extra_repr()})"
        except RecursionError:
            raise circular(type(self).__name__) from None


# -------------------------------------------------------------------------------------------------------------- walking
def parts(tree: dict[Any, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Parameters and modules among attributes, also inside lists, tuples and dicts: ("layers.0", module)."""
    for key, x in [*tree.items()]:  # a copy: a module that runs meanwhile notes when
        name = join(path, key)
        if isinstance(x, (Parameter, Module)):
            yield name, x
        elif isinstance(x, (list, tuple)):
            yield from parts(dict(enumerate(x)), name)
        elif isinstance(x, dict):
            yield from parts(x, name)


def walk(
    path: str, module: Module, seen: set[int] | None = None, above: tuple[Module, ...] = ()
) -> Iterator[tuple[str, Module]]:
    """A module and all below it with their paths; with `seen` each once, without it as often as it is used."""
    if any([module is other for other in above]):
        raise circular(path)
    if seen is not None:
        if id(module) in seen:
            return
        seen.add(id(module))
    yield path, module
    for name, x in parts(vars(module)):
        if isinstance(x, Module):
            yield from walk(join(path, name), x, seen, (*above, module))


def circular(path: str) -> MinigradError:
    return MinigradError(
        f"{path} is a module that contains itself this way; its parameters would have no end of names. For a way back "
        "to the parent keep weakref.ref(parent)."
    )


def places(root: Module, unsaved: bool = False) -> Iterator[tuple[str, Any, str]]:
    """Where the state is kept: (path, owner, attribute), for a parameter (itself, "data"), for a buffer its module.

    Raises `MinigradError` where keys of dicts would give two of them one name.
    """
    names: set[str] = set()
    for path, module in walk("", root):
        own: list[tuple[str, Any, str]] = [
            (name, x, "data") for name, x in parts(vars(module)) if isinstance(x, Parameter)
        ]
        for name, saved in vars(module).get("_buffers", {}).items():
            if getattr(module, name) is not None and (saved or unsaved):
                own.append((name, module, name))
        for name, owner, attribute in own:
            if (full := join(path, name)) in names:
                raise MinigradError(f"two parts of the state are called {full}: keys of a dict must differ as text.")
            names.add(full)
            yield full, owner, attribute


KINDS = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}  # of our array; of those that it may take over


def fitting(name: str, own: Any, loaded: Any) -> Any:
    """The loaded numbers as those that we have: a copy of the same shape and dtype, or an error."""
    try:
        array, own = np.asarray(loaded), own if isinstance(own, float) else np.asarray(own)
    except ValueError as error:
        raise ShapeError(
            f"load_state_dict: {name} is {loaded!r:.60} in the state, rows of different lengths."
        ) from error
    if array.shape != np.shape(own):
        raise ShapeError(f"load_state_dict: {name} has shape {np.shape(own)}, the state has {array.shape}.")
    dtype = np.dtype(float) if isinstance(own, float) else own.dtype
    if array.dtype.kind not in KINDS.get(dtype.kind, dtype.kind):
        raise DtypeError(f"load_state_dict: {name} is {array.dtype} in the state, which doesn't fit {dtype}.")
    try:
        with np.errstate(over="raise"):
            return float(array) if isinstance(own, float) else array.astype(dtype)
    except FloatingPointError as error:
        raise DtypeError(f"load_state_dict: {name} has numbers in the state that are too large for {dtype}.") from error


def join(path: str, name: Any) -> str:
    return f"{path}.{name}" if path else str(name)


# -------------------------------------------------------------------------------------------------------------- showing
def indented(children: list[tuple[str, Any]]) -> str:
    lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children]
    return "\n  " + "\n  ".join(lines) + "\n" if lines else ""


def name_layer(error: MinigradError, module: Module) -> None:
    """Add to an error's text in which layer it happened; each module on the way out knows a longer path to it."""
    layer, text = vars(error).setdefault("layer", (module, str(error)))
    path = next((path for path, other in module.named_modules() if other is layer), "")
    error.args = (f"{text} [in {f'{path}: ' if path else ''}{headline(layer)}]",)
