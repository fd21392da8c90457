"""Nested containers: lists, tuples and dicts of numbers, arrays or Values, handled leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["tree_leaves", "tree_map"]


def tree_map(f: Callable[..., Any], tree: Any) -> Any:
    """The same structure with `f` applied to every leaf.

    >>> tree_map(lambda x: x + 1, {"w": [1, 2], "b": 3})
    {'w': [2, 3], 'b': 4}
    """
    if isinstance(tree, dict):
        return {key: tree_map(f, branch) for key, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):  # a named tuple
        return type(tree)(*[tree_map(f, branch) for branch in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)([tree_map(f, branch) for branch in tree])
    return f(tree)


def tree_leaves(tree: Any) -> list[Any]:
    """The leaves from left to right.

    >>> tree_leaves({"w": [1, 2], "b": 3})
    [1, 2, 3]
    """
    leaves: list[Any] = []
    tree_map(leaves.append, tree)
    return leaves
