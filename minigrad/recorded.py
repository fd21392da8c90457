"""What a layer does beside its gates: done now and, in a function that mg.compile has recorded, on every later call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from .value import Value, is_recorder, recording

__all__ = ["beside", "drawn", "measured", "on_gradients"]


def beside(action: Callable[..., None], *values: Any) -> None:
    """Call `action` with the numbers of the values: running statistics that follow a batch, for instance.

    >>> beside(print, Value(2.0))
    2.0
    """
    if is_recorder(mode := recording.get()):
        mode.beside(action, values)
    else:
        action(*[x.data if isinstance(x, Value) else x for x in values])


def on_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function of parameters that changes their gradients, as clipping does, or a method that does."""

    @wraps(function)
    def changing(*args: Any, **kwargs: Any) -> Any:
        if not is_recorder(mode := recording.get()):
            return function(*args, **kwargs)
        fixed = [list(x) if isinstance(x, Iterator) else x for x in args]  # model.parameters() can be read once only
        return mode.on_gradients(lambda: function(*fixed, **kwargs))

    return changing


def measured(function: Callable[[Any], Any], value: Any) -> Any:
    """A number of a value that decides about something, and that no gradient passes.

    >>> measured(max, Value([1.0, 3.0])).item()
    3.0
    """
    if is_recorder(mode := recording.get()):
        return mode.measured(function, value)
    return function(value.data if isinstance(value, Value) else value)


def drawn(draw: Callable[[], Any]) -> Any:
    """The array that `draw` returns, asked for anew on every call: random numbers, statistics that move.

    >>> import numpy as np
    >>> drawn(lambda: np.random.default_rng(0).random(2)).round(3)
    array([0.637, 0.27 ])
    """
    mode = recording.get()
    return mode.drawn(draw) if is_recorder(mode) else draw()
