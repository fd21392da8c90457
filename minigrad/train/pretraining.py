"""Greedy layer-wise pretraining: a deep network from the input upwards, each layer learnt while those below stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..errors import DtypeError, ShapeError
from ..nn import Module, Sequential
from ..value import Value, no_grad
from .fitting import fit
from .history import History

__all__ = ["greedy_pretrain"]


def greedy_pretrain(
    blocks: Iterable[Module],
    data: Any,
    *,
    head: Callable[[int], Module],
    loss: Callable[[Any, Any], Any],
    optimizer: Callable[[Any], Any],
    epochs: int,
    **more: Any,
) -> tuple[Sequential, list[History]]:
    """Train the `blocks` one after the other, and return the stack with the last head, and a history per block.

    In stage k the block k and a new output layer `head(k)`, k from 0, learn what `loss` asks for, on top of the blocks
    below, which run in evaluation mode and don't change.  `optimizer` makes an optimizer of parameters, such as
    `lambda params: optim.Adam(params, lr=0.01)`.  The arguments of `fit` that are not named here go to each stage.
    What comes out is a start: fine-tune it with `fit`.  Raises `DtypeError` for parts of another kind, `ShapeError` for
    no blocks.
    Source: Goodfellow et al., ch. 8.7.4 (supervised pretraining; Bengio et al. 2007).

    >>> import numpy as np
    >>> from minigrad import nn, optim
    >>> X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
    >>> blocks = [nn.Sequential(nn.Linear(n, 4, rng=n), nn.Tanh()) for n in (2, 4)]
    >>> model, histories = greedy_pretrain(
    ...     blocks, (X, y), head=lambda k: nn.Linear(4, 2, rng=k), loss=nn.CrossEntropyLoss(),
    ...     optimizer=lambda params: optim.Adam(params, lr=0.1), epochs=30, rng=0,
    ... )
    >>> len(model), [history.loss[-1] < history.loss[0] for history in histories]
    (3, [True, True])
    """
    blocks = [blocks] if isinstance(blocks, Module) else list(blocks)
    if not blocks:
        raise ShapeError("greedy_pretrain: blocks is empty; it is a list of layers.")
    for block in blocks:
        if not isinstance(block, Module):
            raise DtypeError(f"greedy_pretrain: a block is {block!r:.60}; each is an nn.Module.")
    for name, maker in {"head": head, "optimizer": optimizer}.items():
        if isinstance(maker, Module) or not callable(maker):
            raise DtypeError(f"greedy_pretrain: {name} is {maker!r:.60}; it is a function that makes one per stage.")
    histories = []
    for k, block in enumerate(blocks):
        stage = Stage(blocks[:k], block, head(k))
        parts = dict(loss=loss, optimizer=optimizer(stage.parameters()), epochs=epochs)
        histories.append(fit(stage, data, **parts, **more))
        if histories[-1].interrupted:
            break
    model = Sequential(*blocks, stage.head)
    model.train()
    return model, histories


class Stage(Module):
    """A block and its head on top of blocks that stay as they are, and so are none of its parts."""

    def __init__(self, below: list[Module], block: Module, head: Module) -> None:
        self.block, self.head = block, head
        self.features = features(below)

    def forward(self, X: Any) -> Any:
        return self.head(self.block(self.features(X)))


def features(blocks: list[Module]) -> Callable[[Any], Any]:
    """The function that the blocks compute in evaluation mode, on raw numbers."""

    def compute(X: Any) -> Any:
        with no_grad():
            for block in blocks:
                block.eval()
                X = block(X)
        return X.data if isinstance(X, Value) else X

    return compute
