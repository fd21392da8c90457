"""The sources of randomness of a training, by name, and their states as a checkpoint can hold them."""

from __future__ import annotations

import inspect
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..nn import Module
from ..random import generator

__all__ = ["generators", "set_states", "states"]

KINDS = (np.random.Generator, np.random.RandomState)


def generators(parts: dict[str, Any]) -> dict[str, Any]:
    """The default generator, NumPy's own (np.random.seed), and those that the parts have, by name.

    Looked through are the attributes of the parts, of the layers of modules and of objects whose methods are parts,
    and the variables that functions take from outside.

    >>> from minigrad import nn
    >>> [*generators({"model": nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5, rng=0))})]
    ['default', 'numpy', 'model.1.rng']
    """
    found = {"default": generator(), "numpy": np.random.mtrand._rand}
    for name, part in parts.items():
        for path, owner in part.named_modules(name) if isinstance(part, Module) else [(name, part)]:
            if isinstance(owner, KINDS):
                found[path] = owner
            for attribute, x in variables(owner).items():
                if isinstance(x, KINDS):
                    found[f"{path}.{attribute}"] = x
    return found


def variables(owner: Any) -> dict[Any, Any]:
    if isinstance(owner, MethodType):
        return variables(owner.__func__) | variables(owner.__self__)
    if isinstance(owner, partial):
        return {**variables(owner.func), **dict(enumerate(owner.args)), **owner.keywords}
    if isinstance(owner, FunctionType):
        scope = inspect.getclosurevars(owner)
        return {**scope.globals, **scope.nonlocals}
    return getattr(owner, "__dict__", {})


def states(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The state of each generator once, with all names that it goes by."""
    names: dict[int, list[str]] = {}
    for name, rng in found.items():
        names.setdefault(id(rng), []).append(name)
    return [{"names": shared, "state": state_of(found[shared[0]])} for shared in names.values()]


def set_states(found: dict[str, Any], saved: list[dict[str, Any]]) -> None:
    """Put back what `states` gave; `CheckpointError` if there are other generators, or shared in another way."""
    here, there = [one["names"] for one in states(found)], [one["names"] for one in saved]
    if here != there:
        raise CheckpointError(f"the sources of randomness are {there} there and {here} here.")
    for one in saved:
        rng = found[one["names"][0]]
        if isinstance(rng, np.random.RandomState):
            rng.set_state(one["state"])
        else:
            rng.bit_generator.state = one["state"]


def state_of(rng: Any) -> Any:
    return rng.get_state(legacy=False) if isinstance(rng, np.random.RandomState) else rng.bit_generator.state
