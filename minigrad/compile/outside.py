"""What a function takes from outside by name: if a name has come to stand for something else, it is recorded anew."""

from __future__ import annotations

from dis import get_instructions
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

__all__ = ["Outside"]


class Outside:
    """The objects behind a function's free names, global ones and those of its closure, as they are now.

    Functions of the same module that it calls are looked into, and functions that minigrad has wrapped.  `settings` are
    further (dict, name, object): the numbers that layers were made with.
    """

    def __init__(self, f: Any, settings: list[tuple[dict[str, Any], str, Any]]) -> None:
        self.names, self.cells = list(settings), list[tuple[CellType, Any]]()
        self.words: set[str] = set()
        stack, seen, home = [f], set[Any](), None
        while stack:
            g = stack.pop()
            if isinstance(g, partial):
                stack += [g.func, *g.args]
            g = g.__func__ if isinstance(g, MethodType) else g
            if not isinstance(g, FunctionType) or g in seen:
                continue
            seen.add(g)
            ours = g.__module__.split(".")[0] == "minigrad"
            home = home or (None if ours else g.__globals__)
            for word, cell in zip(g.__code__.co_freevars, g.__closure__ or (), strict=True):
                if filled(cell):
                    self.cells.append((cell, cell.cell_contents))
                    stack.append(cell.cell_contents)
                    self.words |= set() if ours else {word}
            if g.__globals__ is home:
                for word in words_of(g.__code__) & home.keys():
                    self.names.append((home, word, home[word]))
                    stack.append(home[word])
                    self.words.add(word)

    def same(self) -> bool:
        """Whether the names still stand for these objects."""
        for names, name, x in self.names:
            if names.get(name) is not x:
                return False
        return all([filled(cell) and cell.cell_contents is x for cell, x in self.cells])


def words_of(code: CodeType) -> set[str]:
    """The global names in a function and in those that are written inside of it."""
    inner = [words_of(x) for x in code.co_consts if isinstance(x, CodeType)]
    return {str(step.argval) for step in get_instructions(code) if step.opname == "LOAD_GLOBAL"}.union(*inner)


def filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
