"""What a stop of the tour reports, and the page that shows it: one HTML file, no scripts, nothing from the network."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ..io import atomic_write

__all__ = ["Section", "Table", "write_page"]


@dataclass
class Table:
    """Rows of text under a heading each; the first column names the row."""

    columns: list[str]
    rows: list[list[str]]

    def as_text(self) -> str:
        widths = [max([len(row[i]) for row in [self.columns, *self.rows]]) for i in range(len(self.columns))]
        lines = []
        for first, *others in [self.columns, *self.rows]:
            cells = [first.ljust(widths[0]), *[cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]]
            lines.append("  ".join(cells))
        return "\n".join(lines)

    def as_html(self) -> str:
        head = "".join([f'<th scope="col">{escape(c)}</th>' for c in self.columns])
        body = "".join(
            [
                f'<tr><th scope="row">{escape(row[0])}</th>{"".join([f"<td>{escape(c)}</td>" for c in row[1:]])}</tr>'
                for row in self.rows
            ]
        )
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


@dataclass
class Section:
    """One stop: a title, what is to be seen, and its parts in order: text, tables, or a picture (file, caption)."""

    title: str
    intro: str
    parts: list[str | Table | tuple[str, str]] = field(default_factory=list)

    def as_text(self) -> str:
        """The numbers, for a terminal."""
        parts = [part for part in self.parts if not isinstance(part, tuple)]
        return "\n\n".join([part.as_text() if isinstance(part, Table) else part for part in parts])

    def as_html(self, id: str) -> str:
        parts = "".join(map(html_of, self.parts))
        return f'<section id="{id}"><h2>{escape(self.title)}</h2><p>{escape(self.intro)}</p>{parts}</section>'


def html_of(part: str | Table | tuple[str, str]) -> str:
    if isinstance(part, Table):
        return part.as_html()
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    file, caption = part
    return (
        f'<figure><a href="{escape(file)}"><img src="{escape(file)}" alt="{escape(caption)}" loading="lazy"></a>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


STYLE = """
:root { color-scheme: light dark;
  --ink: #1d2126; --soft: #5a636e; --paper: #fbfbf9; --line: #dcdfe3; --accent: #0b5fae; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --soft: #a3abb5; --paper: #15181c; --line: #343a42; --accent: #7db8f0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.4rem; line-height: 1.3; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p { max-width: 42rem; margin: .6rem 0; }
a { color: var(--accent); }
nav ol { padding-left: 1.4rem; }
figure { margin: 1.5rem 0; }
figure a { display: block; overflow-x: auto; padding: .75rem;
  background: #fff; border: 1px solid var(--line); border-radius: .5rem; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
img[src$=".png"] { min-width: 34rem; } /* plots stay readable on a phone: they scroll */
@media (max-width: 40rem) { img[src$=".svg"] { max-width: 34rem; } } /* and circuits */
figcaption, footer { color: var(--soft); font-size: .92rem; margin-top: .5rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 500; }
thead th { color: var(--soft); font-weight: 600; }
@media (max-width: 40rem) {
  body { padding-top: 1rem; font-size: 1rem; }
  h1 { font-size: 1.6rem; }
  h2 { margin-top: 2rem; }
}
"""


def write_page(folder: Path, sections: list[Section], quick: bool) -> Path:
    """Write `index.html` beside the pictures and return its path."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{digest}'"
    titles = [section.title for section in sections]
    contents = "".join([f'<li><a href="#stop-{i}">{escape(title)}</a></li>' for i, title in enumerate(titles, start=1)])
    body = "".join([section.as_html(f"stop-{i}") for i, section in enumerate(sections, start=1)])
    note = "<p><strong>A quick run</strong>: the models trained for a short time only.</p>" if quick else ""
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>minigrad: the tour</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>minigrad: the tour</h1>
<p>Backpropagation, from single gates to a network that reads digits. Every number on this page was computed when it was
made, by the code in <code>minigrad/demo</code>.</p>{note}
<nav><ol>{contents}</ol></nav></header>
<main>{body}</main>
<footer><p>Made by <code>minigrad demo</code>.</p></footer>
</body>
</html>
"""
    path = folder / "index.html"
    with atomic_write(path) as file:
        file.write(page.encode())
    return path
