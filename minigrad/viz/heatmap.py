"""Arrays as small pictures of at most 8 by 8 cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from .themes import mix

__all__ = ["CELL", "Cell", "heatmap", "pooled", "shades"]

CELLS = 8  # rows and columns at most
CELL = 10  # points from one to the next
FAINTEST = 0.08  # how dark a number is that is just not zero
FRAMED = 0.55  # how dark the lowest number is, so that the frame around it can be seen


Cell = tuple[str | None, bool]  # its colour, None where it is not finite; whether it is framed


def shades(x: Any, paper: str, positive: str, negative: str) -> list[list[Cell]]:
    """The cells of an array, the darker the further from zero; negative ones are framed, so that colour isn't all there
    is.

    >>> shades([2.0, 0.0, -1.0, np.nan], "#ffffff", "#00ff00", "#ff00ff")
    [[('#00ff00', False), ('#ffffff', False), ('#ffb3ff', True), (None, False)]]
    """
    cells = pooled(x)
    finite = np.isfinite(cells)
    most = float(np.max(abs(cells[finite]), initial=0.0)) or 1.0

    def shade(number: float) -> Cell:
        if not np.isfinite(number):
            return None, False
        share = FAINTEST + (1.0 - FAINTEST) * abs(number) / most if number else 0.0
        return (mix(paper, negative, FRAMED * share), True) if number < 0 else (mix(paper, positive, share), False)

    return [[shade(number) for number in row] for row in cells.tolist()]


def heatmap(x: Any, paper: str, positive: str, negative: str) -> str:
    """A table of cells; what is not finite is an empty cell with a cross."""
    fixed = f'FIXEDSIZE="TRUE" WIDTH="{CELL - 1}" HEIGHT="{CELL - 1}"'
    rows = ""
    for row in shades(x, paper, positive, negative):
        rows += "<TR>"
        for color, framed in row:
            if color is None:
                rows += f'<TD {fixed}><FONT COLOR="{negative}" POINT-SIZE="7">x</FONT></TD>'
                continue
            frame = f'BORDER="1" COLOR="{negative}" ' if framed else ""
            rows += f'<TD {frame}{fixed} BGCOLOR="{color}"></TD>'
        rows += "</TR>"
    frame = f'BORDER="1" CELLBORDER="0" CELLSPACING="1" CELLPADDING="0" COLOR="{mix(paper, positive, 0.5)}"'
    return f"<TABLE {frame}>{rows}</TABLE>"


def pooled(x: Any) -> Any:
    """An array as a matrix of at most 8 by 8 cells: each the number furthest from zero among those it stands for.

    A vector is a row, the axes of more than two are joined before the last.

    >>> pooled(np.arange(-8.0, 8.0))
    array([[-8., -6., -4., -2.,  1.,  3.,  5.,  7.]])
    """
    matrix = np.atleast_2d(np.asarray(x, float))
    matrix = matrix.reshape(-1, matrix.shape[-1])
    rows, columns = [np.array_split(np.arange(n), min(n, CELLS)) for n in matrix.shape]
    blocks = [[matrix[np.ix_(r, c)].ravel() for c in columns] for r in rows]
    return np.array([[block[np.nanargmax(abs(np.nan_to_num(block, nan=np.inf)))] for block in row] for row in blocks])
