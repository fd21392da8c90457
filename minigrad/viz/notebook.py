"""What notebooks show: pictures and pages as HTML that asks for nothing from the network and runs nothing of its own.

A page is in a sandboxed frame: it runs its script, and reaches nothing around it.  A notebook that isn't trusted
removes frames and style sheets, and keeps images.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from html import escape

__all__ = ["Ways", "bundle", "framed", "image"]

Ways = dict[str, Callable[[], str]]  # a MIME type, and what makes it

# Under a page its picture is seen only when asked for.  A notebook that takes the page away takes this rule away, too.
STYLE = "<style>.minigrad-still:not([open]) + .minigrad-picture { display: none }</style>"


def image(svg: str, text: str) -> str:
    """A picture as HTML, with letters as large as a notebook's; `text` says what is seen.  Its ids stay inside it."""
    data = base64.b64encode(svg.encode()).decode()
    points = re.search(r'<svg[^>]*? width="([0-9.]+)pt"', svg)
    width = f' width="{round(float(points[1]))}"' if points else ""  # a pixel per point: at three quarters
    return (
        '<div class="minigrad-picture" style="overflow: auto">'
        f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}"{width} style="max-width: none"></div>'
    )


def framed(page: str, title: str, height: int, picture: str) -> str:
    """A whole page as HTML in a frame, and behind a line to open it the picture of the same."""
    return (
        f'{STYLE}<iframe class="minigrad-page" title="{escape(title)}" sandbox="allow-scripts" srcdoc="{escape(page)}" '
        f'style="width: 100%; height: {height}px; border: 0"></iframe>'
        f'<details class="minigrad-still"><summary>{escape(title)}: the picture alone</summary></details>{picture}'
    )


def bundle(ways: Ways, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None) -> dict[str, str]:
    """Of all the ways to show something those that a notebook asks for."""
    wanted = set(ways) if include is None else set(include)
    return {kind: make() for kind, make in ways.items() if kind in wanted - set(exclude or ())}
