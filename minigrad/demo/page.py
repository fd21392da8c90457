"""The page of the tour: `index.html` beside the pictures."""

from __future__ import annotations

from pathlib import Path

from ..viz.page import Section, Table, write_html

__all__ = ["Section", "Table", "write_page"]


def write_page(folder: Path, sections: list[Section], quick: bool) -> Path:
    """Write `index.html` beside the pictures and return its path."""
    note = "<p><strong>A quick run</strong>: the models trained for a short time only.</p>" if quick else ""
    header = (
        "<p>Backpropagation, from single gates to a network that reads digits. Every number on this page was computed "
        f"when it was made, by the code in <code>minigrad/demo</code>.</p>{note}"
    )
    path = folder / "index.html"
    footer = "<p>Made by <code>minigrad demo</code>.</p>"
    write_html(path, "minigrad: the tour", header, sections, footer, images="'self' file:")
    return path
