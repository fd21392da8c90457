"""The compiler: a recorded graph as a straight-line NumPy program."""

from .compiled import Compiled, compile

__all__ = ["Compiled", "compile"]
