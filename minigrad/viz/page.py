"""A page of text, tables and pictures: one HTML file, no scripts, nothing from the network."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ..io import atomic_write

__all__ = ["Code", "Facts", "Part", "Section", "Table", "write_html"]


@dataclass
class Table:
    """Rows of text under a heading each; the first column names the row."""

    columns: list[str]
    rows: list[list[str]]
    shades: list[list[str]] | None = None  # a class of the style sheet for each cell, "right-3" or "wrong-1"

    def as_text(self) -> str:
        widths = [max([len(row[i]) for row in [self.columns, *self.rows]]) for i in range(len(self.columns))]
        lines = []
        for first, *others in [self.columns, *self.rows]:
            cells = [first.ljust(widths[0]), *[cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]]
            lines.append("  ".join(cells))
        return "\n".join(lines)

    def as_html(self) -> str:
        head = "".join([f'<th scope="col">{escape(c)}</th>' for c in self.columns])
        shades = self.shades or [[""] * len(row) for row in self.rows]
        body = ""
        for (name, *cells), (_, *classes) in zip(self.rows, shades, strict=True):
            shaded = zip(cells, classes, strict=True)
            tds = [f'<td class="{shade}">{escape(c)}</td>' if shade else f"<td>{escape(c)}</td>" for c, shade in shaded]
            body += f'<tr><th scope="row">{escape(name)}</th>{"".join(tds)}</tr>'
        kind = ' class="shaded"' if self.shades else ""
        return f'<div class="wide"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


@dataclass
class Facts:
    """Names and what they are, a line each."""

    rows: list[tuple[str, str]]

    def as_text(self) -> str:
        return "\n".join([f"{name}: {text}" for name, text in self.rows])

    def as_html(self) -> str:
        rows = [f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in self.rows]
        return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>'


@dataclass
class Code:
    """Lines to copy."""

    text: str

    def as_text(self) -> str:
        return self.text

    def as_html(self) -> str:
        return f'<pre class="wide"><code>{escape(self.text)}</code></pre>'


Part = str | Table | Facts | Code | tuple[str, str]


@dataclass
class Section:
    """A title, what is to be seen, and its parts in order: text, tables, code, or a picture (file, caption)."""

    title: str
    intro: str
    parts: list[Part] = field(default_factory=list)

    def as_text(self) -> str:
        """The numbers, for a terminal."""
        parts = [part for part in self.parts if not isinstance(part, tuple)]
        return "\n\n".join([part if isinstance(part, str) else part.as_text() for part in parts])

    def as_html(self, id: str) -> str:
        parts = "".join(map(html_of, self.parts))
        intro = f"<p>{escape(self.intro)}</p>" if self.intro else ""
        return f'<section id="{id}"><h2>{escape(self.title)}</h2>{intro}{parts}</section>'


def html_of(part: Part) -> str:
    if isinstance(part, (Table, Facts, Code)):
        return part.as_html()
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    file, caption = map(escape, part)
    if file.startswith("data:"):  # the picture is in the page: there is nothing to link to
        frame = f'<div class="frame"><img src="{file}" alt="{caption}"></div>'
    else:
        frame = f'<a class="frame" href="{file}"><img src="{file}" alt="{caption}" loading="lazy"></a>'
    return f"<figure>{frame}<figcaption>{caption}</figcaption></figure>"


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
.frame { display: block; overflow-x: auto; padding: .75rem;
  background: #fff; border: 1px solid var(--line); border-radius: .5rem; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
img[src$=".png"], img[src^="data:"] { min-width: 34rem; } /* plots stay readable on a phone: they scroll */
@media (max-width: 40rem) { img[src$=".svg"] { max-width: 34rem; } } /* and circuits */
figcaption, footer { color: var(--soft); font-size: .92rem; margin-top: .5rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere;
  padding: .75rem; border: 1px solid var(--line); border-radius: .5rem; font-size: .9rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem; }
th, td { padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 500; }
thead th { color: var(--soft); font-weight: 600; }
.shaded td { padding: .3rem .7rem; }
.shaded thead th { padding-right: .7rem; }
.facts td { text-align: left; white-space: normal; vertical-align: top; }
.facts th { vertical-align: top; }
.right-1 { background: rgb(0 114 178 / .15); } .right-2 { background: rgb(0 114 178 / .3); }
.right-3 { background: rgb(0 114 178 / .45); }
.wrong-1 { background: rgb(213 94 0 / .15); } .wrong-2 { background: rgb(213 94 0 / .3); }
.wrong-3 { background: rgb(213 94 0 / .45); }
@media (max-width: 40rem) {
  body { padding-top: 1rem; font-size: 1rem; }
  h1 { font-size: 1.6rem; }
  h2 { margin-top: 2rem; }
  th, td { padding-right: .6rem; }
  tbody th, .shaded thead th:first-child { white-space: normal; }
  .shaded td, .shaded thead th { padding-left: .35rem; padding-right: .35rem; }
}
"""


def write_html(path: Path, title: str, header: str, sections: list[Section], footer: str, images: str) -> None:
    """Write the page to `path`, all or nothing.

    `header` and `footer` are HTML, all else is text.  `images` says where pictures come from, for the page's Content
    Security Policy: `"'self' file:"` for files beside the page, `"data:"` for pictures in it.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src {images}; style-src 'sha256-{digest}'"
    titles = [section.title for section in sections]
    contents = "".join([f'<li><a href="#stop-{i}">{escape(name)}</a></li>' for i, name in enumerate(titles, start=1)])
    body = "".join([section.as_html(f"stop-{i}") for i, section in enumerate(sections, start=1)])
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{escape(title)}</h1>
{header}
<nav><ol>{contents}</ol></nav></header>
<main>{body}</main>
<footer>{footer}</footer>
</body>
</html>
"""
    with atomic_write(path) as file:
        file.write(page.encode(errors="replace"))  # a file name need not be text
