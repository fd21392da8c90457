"""All numbers that learning changes in a model: what a checkpoint and early stopping put back bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..nn import Module
from ..nn.module import fitting, places
from ..value import Value

__all__ = ["set_weights", "weights_of"]


def weights_of(model: Any, optimizer: Any) -> dict[str, Any]:
    """Copies of the model's state, of its buffers that are not saved otherwise, and of the optimizer's other values.

    A model that is a plain function has all its parameters among the others.  `learns` says which are not frozen.
    """
    state = model.state_dict() if isinstance(model, Module) else {}
    return {
        "model": state,
        "buffers": {name: np.array(getattr(owner, at)) for name, owner, at in unsaved(model)},
        "others": [np.array(p.data) for p in others(model, optimizer)],
        "learns": [p.requires_grad for p in everything(model, optimizer)],
    }


def set_weights(model: Any, optimizer: Any, weights: dict[str, Any]) -> None:
    """Take over what `weights_of` gave for the same model."""
    loose, params, hidden = others(model, optimizer), everything(model, optimizer), [*unsaved(model)]
    if len(weights["others"]) != len(loose) or len(weights["learns"]) != len(params):
        raise CheckpointError(f"the optimizer has {len(params)} parameters here, and another number there.")
    new = [fitting(f"parameter {i}", p.data, x) for i, (p, x) in enumerate(zip(loose, weights["others"], strict=True))]
    buffers = [fitting(name, getattr(owner, at), weights["buffers"][name]) for name, owner, at in hidden]
    if isinstance(model, Module):
        model.load_state_dict(weights["model"])
    for p, data in zip(loose, new, strict=True):
        p.data = data
    for (_, owner, at), data in zip(hidden, buffers, strict=True):
        setattr(owner, at, data)
    for p, learns in zip(params, weights["learns"], strict=True):
        if p.requires_grad is not learns:
            p.requires_grad = learns


def unsaved(model: Any) -> list[tuple[str, Any, str]]:
    """The buffers that a state_dict leaves out."""
    if not isinstance(model, Module):
        return []
    saved = {(id(owner), at) for _, owner, at in places(model)}
    return [place for place in places(model, unsaved=True) if (id(place[1]), place[2]) not in saved]


def others(model: Any, optimizer: Any) -> list[Value]:
    """The values that the optimizer moves and that are no parameters of the model."""
    own = {id(p) for p in model.parameters()} if isinstance(model, Module) else set()
    return [p for group in optimizer.param_groups for p in group["params"] if id(p) not in own]


def everything(model: Any, optimizer: Any) -> list[Value]:
    return [*(model.parameters() if isinstance(model, Module) else []), *others(model, optimizer)]
