"""Graphs and how well conditioned they are: colour spreads from a few nodes along the edges, slowly on long paths.

Nodes are numbers 0 .. n-1, edges an array (m, 2).  Source: Goh, Distill 2017, "Example: the colorization problem".
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "colorization_matrix", "complete_edges", "graph_laplacian", "grid_edges", "laplacian_condition", "maze",
    "maze_edges", "path_edges",
]  # fmt: skip


def graph_laplacian(n: int, edges: Any) -> np.ndarray:
    """L (n, n): the degrees on the diagonal, -1 for every edge; ½ wᵀLw = ½ Σ (wᵢ - wⱼ)² over the edges.

    >>> graph_laplacian(3, path_edges(3))
    array([[ 1., -1.,  0.],
           [-1.,  2., -1.],
           [ 0., -1.,  1.]])
    """
    L, (i, j) = np.zeros((n, n)), np.asarray(edges, dtype=int).reshape(-1, 2).T
    np.add.at(L, (i, i), 1.0)
    np.add.at(L, (j, j), 1.0)
    np.add.at(L, (i, j), -1.0)
    np.add.at(L, (j, i), -1.0)
    return L


def laplacian_condition(L: Any) -> float:
    """λ_n / λ_2 of the Laplacian of a connected graph (λ_1 = 0 belongs to the constant).

    >>> round(laplacian_condition(graph_laplacian(36, complete_edges(36))), 9)
    1.0
    """
    eigenvalues = np.linalg.eigvalsh(L)
    if eigenvalues[1] < 1e-12 * eigenvalues[-1]:
        raise ValueError("laplacian_condition: the graph is not connected, so that λ2 = 0.")
    return float(eigenvalues[-1] / eigenvalues[1])


def colorization_matrix(L: Any, colored: Any, strength: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(A, b) of ½ strength Σ (wᵢ - 1)² over the coloured nodes + ½ wᵀLw = ½ wᵀAw - bᵀw + constant; w* is all ones.

    >>> colorization_matrix(graph_laplacian(2, [(0, 1)]), [0])
    (array([[ 2., -1.],
           [-1.,  1.]]), array([1., 0.]))
    """
    b = np.zeros(len(L))
    b[np.asarray(colored, dtype=int)] = strength
    return np.asarray(L) + np.diag(b), b


def path_edges(n: int) -> np.ndarray:
    """A line of n nodes.

    >>> path_edges(3).tolist()
    [[0, 1], [1, 2]]
    """
    return np.column_stack([np.arange(n - 1), np.arange(1, n)])


def complete_edges(n: int) -> np.ndarray:
    """Every pair of n nodes.

    >>> complete_edges(3).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    return np.column_stack(np.triu_indices(n, 1))


def grid_edges(rows: int, columns: int) -> np.ndarray:
    """A grid, its nodes counted row by row.

    >>> len(grid_edges(6, 6))
    60
    """
    return maze_edges(np.ones((rows, columns), dtype=bool))


def maze_edges(free: Any) -> np.ndarray:
    """The free cells of a mask (rows, columns), counted row by row, each joined to its free neighbours.

    >>> maze_edges([[True, True], [False, True]]).tolist()
    [[0, 1], [1, 2]]
    """
    free = np.asarray(free, dtype=bool)
    number = np.cumsum(free).reshape(free.shape) - 1
    across, down = free[:, :-1] & free[:, 1:], free[:-1] & free[1:]
    right = np.column_stack([number[:, :-1][across], number[:, 1:][across]])
    below = np.column_stack([number[:-1][down], number[1:][down]])
    return np.concatenate([right, below])


def maze() -> np.ndarray:
    """The article's maze, a mask (16, 112): four boxes of 16×16 cells, joined by corridors two cells wide.

    >>> int(maze().sum())
    1120
    """
    free = np.zeros((16, 112), dtype=bool)
    free[7:9] = True
    for start in range(0, 112, 32):
        free[:, start : start + 16] = True
    return free
