"""Hooks: functions that a module calls with its activations, and with their gradients when these come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import GradientError
from ..value import Gate, needs_gradient

__all__ = ["Handle"]


class Handle:
    """A hook that is in place until `remove()`."""

    def __init__(self, hooks: list[Handle], hook: Callable[..., Any]) -> None:
        if not callable(hook):
            raise TypeError(f"a hook is a function, not {hook!r:.40}.")
        self.hooks, self.hook = hooks, hook
        hooks.append(self)

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self.hooks[:] = [handle for handle in self.hooks if handle is not self]


# Its inputs pass unchanged; on the way back `seen` is shown their gradients, all at once, and says what goes on.
tap = Gate("tap", lambda *xs, seen: xs, vjp=lambda g, outs, *xs, seen: seen(g))


def watched(xs: tuple[Any, ...], seen: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> tuple[Any, ...]:
    """xs, those that want a gradient through a `tap`; `seen` is given a gradient per x, None for the others."""
    wanted = [i for i, x in enumerate(xs) if needs_gradient(x)]

    def spread_out(g: tuple[Any, ...]) -> tuple[Any, ...]:
        given = dict(zip(wanted, g, strict=True))
        sent = seen(tuple([given.get(i) for i in range(len(xs))]))
        return tuple([sent[i] for i in wanted])

    passed = dict(zip(wanted, tap([xs[i] for i in wanted], seen=spread_out) if wanted else (), strict=True))
    return tuple([passed.get(i, x) for i, x in enumerate(xs)])


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """module.forward, and its hooks around it."""
    after, backward = [[*vars(module).get(name, ())] for name in ("_forward_hooks", "_backward_hooks")]
    grad_output: tuple[Any, ...] = ()

    def came_back(grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        for handle in backward:
            changed = handle.hook(module, grad_input, grad_output)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != len(grad_input):
                    raise GradientError(f"a backward hook returns None or a tuple of {len(grad_input)} gradients.")
                grad_input = changed
        return grad_input

    def came_in(g: tuple[Any, ...]) -> tuple[Any, ...]:
        nonlocal grad_output
        grad_output = g
        if not any([needs_gradient(x) for x in args]):  # the backward pass ends in this module
            came_back((None,) * len(args))
        return g

    if backward:
        args = watched(args, came_back)
    out = module.forward(*args, **kwargs)
    for handle in after:
        changed = handle.hook(module, args, out)
        out = out if changed is None else changed
    if not backward:
        return out
    return watched(out, came_in) if isinstance(out, tuple) else watched((out,), came_in)[0]
