"""Modules that hold others in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

from ..arguments import whole
from ..convert import describe
from ..errors import MinigradError
from .module import Module, indented

__all__ = ["ModuleList", "Sequential"]


class ModuleList(Module):
    """A list of modules whose parameters count; a plain Python list as an attribute does the same.

    >>> from minigrad import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    >>> layers.append(nn.ReLU())
    ModuleList(
      (0): Linear(2, 2)
      (1): Linear(2, 2)
      (2): ReLU()
    )
    """

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        self._names: list[str] = []
        self.extend(modules)

    def append(self, module: Any) -> ModuleList:
        """Add a module at the end, under the next number that is no name yet."""
        return self.add(next(name for name in map(str, count(len(self))) if name not in self._names), module)

    def extend(self, modules: Iterable[Any]) -> ModuleList:
        """Add several modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def add(self, name: str, module: Any) -> ModuleList:
        """Add a module at the end under a name, by which state_dict calls it."""
        self.check(name, module)
        if not isinstance(name, str):
            raise MinigradError(f"{type(self).__name__}: the name {name!r:.40} is no text.")
        if hasattr(self, name) or "." in name:
            raise MinigradError(f"{type(self).__name__}: {name!r} has a dot or is taken: choose another name.")
        setattr(self, name, module)
        self._names.append(name)
        return self

    def check(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: part {name} is {describe(module)}, not a module.")

    def __iter__(self) -> Iterator[Any]:
        return iter([getattr(self, name) for name in self._names])

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)().extend([*self][index])
        return getattr(self, self._names[index])

    def __setitem__(self, index: int, module: Any) -> None:
        index = whole(f"{type(self).__name__}: index", index)
        self.check(str(index), module)
        setattr(self, self._names[index], module)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({indented(list(zip(self._names, self, strict=True)))})"


class Sequential(ModuleList):
    """Modules (or plain functions) one after the other; `model[i]` is the i-th, `model[i:j]` a shorter model.

    A dict gives the layers names: `Sequential({"hidden": Linear(3, 2), "out": Linear(2, 1)}).hidden`.

    >>> import numpy as np
    >>> from minigrad import nn
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> model(np.ones((5, 3))).shape, [name for name, _ in model.named_parameters()]
    ((5, 2), ['0.weight', '0.bias'])
    """

    def __init__(self, *modules: Callable[..., Any] | dict[str, Any]) -> None:
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else None
        super().__init__(modules if named is None else ())
        for name, module in (named or {}).items():
            self.add(name, module)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):  # its layers keep their names, as in PyTorch
            return type(self)({name: getattr(self, name) for name in self._names[index]})
        return super().__getitem__(index)

    def forward(self, x: Any) -> Any:
        for module in self:
            x = module(x)
        return x

    def check(self, name: str, module: Any) -> None:
        if isinstance(module, (list, tuple)):
            raise TypeError(f"Sequential: part {name} is a {type(module).__name__}: unpack it: Sequential(*layers).")
        if isinstance(module, type):
            raise TypeError(f"Sequential: part {name} is the class {module.__name__}: write {module.__name__}(...).")
        if not callable(module):
            raise TypeError(f"Sequential: part {name} is {describe(module)}, not a module or function.")
