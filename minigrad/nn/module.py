"""`Module`: a model is an object whose attributes are its parameters and its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..convert import describe, tidy, to_data
from ..errors import DtypeError, ShapeError
from ..value import Value

__all__ = ["Module", "Parameter", "Sequential"]


class Parameter(Value):
    """A `Value` that a `Module` counts among its parameters.

    >>> Parameter([1.0, 2.0], label="w").requires_grad
    True
    """

    __slots__ = ()


class Module:
    """Base of all layers and models: write `forward`, and keep parameters and submodules as attributes.

    Lists, tuples and dicts of them count too.  A module is called like a function.

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
        return self.forward(*args, **kwargs)

    # -------------------------------------------------------------------------------------------- parts and parameters
    def children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules and their names."""
        for name, x in parts(vars(self)):
            if isinstance(x, Module):
                yield name, x

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with its path ("layers.0"; "" for this one)."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module
                stack += reversed([(join(path, name), child) for name, child in module.children()])

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, with its path, a module's own before those of its parts (PyTorch's order)."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix):
            for name, x in parts(vars(module)):
                if isinstance(x, Parameter) and id(x) not in seen:
                    seen.add(id(x))
                    yield join(path, name), x

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter once."""
        return (p for _, p in self.named_parameters())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    # ----------------------------------------------------------------------------------------------- saving and loading
    def state_dict(self) -> dict[str, np.ndarray]:
        """A copy of every parameter, by path.

        >>> {name: a.shape for name, a in Sequential(Module()).state_dict().items()}
        {}
        """
        return {name: np.array(p.data) for name, p in self.named_parameters()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Take over the numbers of a `state_dict`.  Everything is checked first: on an error nothing has changed.

        Raises `KeyError` for missing or unexpected names (unless `strict=False`), `ShapeError` for a wrong shape and
        `DtypeError` for a kind of number that would lose its meaning.
        """
        own = dict(self.named_parameters())
        missing, unexpected = [n for n in own if n not in state], [n for n in state if n not in own]
        if strict and (missing or unexpected):
            raise KeyError(
                f"load_state_dict: missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}; "
                "strict=False loads what fits."
            )
        new = {}
        for name, p in own.items():
            if name in state:
                array = np.asarray(state[name])
                if array.shape != p.shape:
                    raise ShapeError(f"load_state_dict: {name} has shape {p.shape}, the state has {array.shape}.")
                if array.dtype.kind not in "fiu":
                    raise DtypeError(f"load_state_dict: {name} is {array.dtype} in the state, not a number.")
                new[name] = float(array) if isinstance(p.data, float) else array.astype(p.dtype)  # a copy
        for name, data in new.items():
            own[name].data = data

    def to(self, dtype: Any) -> Module:
        """Convert all parameters to float32 or float64, in this module; `DtypeError` for anything else."""
        for p in self.parameters():
            if p.dtype != np.dtype(dtype):
                p.data, p.grad = tidy(to_data(p.numpy(), dtype)), None
        return self

    def train(self, mode: bool = True) -> Module:
        """Switch this module and its parts to training (or evaluation) behaviour."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch this module and its parts to evaluation behaviour."""
        return self.train(False)

    def freeze(self) -> Module:
        """Stop gradients at all parameters."""
        for p in self.parameters():
            p.requires_grad = False
        return self

    # ------------------------------------------------------------------------------------------------------- showing it
    def extra_repr(self) -> str:
        """What stands between the parentheses of a layer's repr."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.children()]
        inside = self.extra_repr() if not children else "\n  " + "\n  ".join(children) + "\n"
        return f"{type(self).__name__}({inside})"


class Sequential(Module):
    """Modules (or plain functions) one after the other; `model[i]` is the i-th.

    >>> import numpy as np
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> model(np.ones((5, 3))).shape, [name for name, _ in model.named_parameters()]
    ((5, 2), ['0.weight', '0.bias'])
    """

    def __init__(self, *modules: Callable[..., Any]) -> None:
        for i, module in enumerate(modules):
            if isinstance(module, (list, tuple)):
                raise TypeError(f"Sequential: part {i} is a {type(module).__name__}: unpack it: Sequential(*layers).")
            if not callable(module):
                raise TypeError(f"Sequential: part {i} is {describe(module)}, not a module or function.")
            setattr(self, str(i), module)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter([module for name, module in vars(self).items() if name.isdigit()])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*list(self)[index]) if isinstance(index, slice) else list(self)[index]


def parts(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Parameters and modules among attributes, also inside lists, tuples and dicts: ("layers.0", module)."""
    for name, x in tree.items():
        if isinstance(x, (Parameter, Module)):
            yield name, x
        elif isinstance(x, (list, tuple)):
            yield from parts({f"{name}.{i}": y for i, y in enumerate(x)})
        elif isinstance(x, dict):
            yield from parts({f"{name}.{key}": y for key, y in x.items()})


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
