"""Arrays as small pictures of at most 8 by 8 cells, for the labels of Graphviz."""

from __future__ import annotations

from typing import Any

import numpy as np

from .themes import mix

__all__ = ["heatmap", "pooled"]

CELLS = 8  # rows and columns at most


def heatmap(x: Any, paper: str, positive: str, negative: str) -> str:
    """A table of cells, the darker the further from zero; negative ones are framed, so that colour isn't all there is.

    What is not finite is an empty cell with a cross.
    """
    cells = pooled(x)
    finite = np.isfinite(cells)
    most = float(np.max(abs(cells[finite]), initial=0.0)) or 1.0
    cell = 'FIXEDSIZE="TRUE" WIDTH="9" HEIGHT="9"'
    rows = ""
    for row in cells:
        rows += "<TR>"
        for number in row.tolist():
            if not np.isfinite(number):
                rows += f'<TD {cell}><FONT COLOR="{negative}" POINT-SIZE="7">x</FONT></TD>'
                continue
            color = mix(paper, negative if number < 0 else positive, abs(number) / most)
            frame = f'BORDER="1" COLOR="{negative}" ' if number < 0 else ""
            rows += f'<TD {frame}{cell} BGCOLOR="{color}"></TD>'
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
