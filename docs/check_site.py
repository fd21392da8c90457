"""Check the built site: every link leads somewhere, nothing is loaded from the network, every public name is there.

python docs/check_site.py docs/_build/html
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import minigrad as mg

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("object", "data"), ("use", "href")}
STYLES = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "dns-prefetch", "manifest"}
REMOTE = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)
STYLE_LOADS = re.compile(r"url\(\s*[\"']?((?:https?:)?//[^)]*)|@import\s+[\"']((?:https?:)?//[^\"']*)", re.IGNORECASE)


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        for name, value in given.items():
            if (tag, name) in LOADED or (tag == "link" and name == "href" and STYLES & set(given["rel"].split())):
                self.loads.append(value)
            if name == "style":
                self.loads += style_loads(value)

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.loads += style_loads(data)


def style_loads(css: str) -> list[str]:
    return [a or b for a, b in STYLE_LOADS.findall(css)]


def problems(site: Path) -> Iterator[str]:
    files = [
        file for file in sorted(site.rglob("*.html")) if "_static" not in file.parts
    ]  # there: the theme's templates
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in files}
    if not pages:
        yield f"{site}: no pages"
    for file, page in pages.items():
        where = file.relative_to(site)
        for url in page.loads:
            if REMOTE.match(url):
                yield f"{where}: loads {url} from the network"
            elif not url.startswith("data:") and not (file.parent / unquote(urlsplit(url).path)).is_file():
                yield f"{where}: loads {url}, which isn't there"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if target not in pages:
                if not target.is_file():
                    yield f"{where}: the link {link} leads nowhere"
            elif parts.fragment and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{where}: the link {link} has no such place on its page"
    for file in sorted(site.rglob("*.css")):
        for url in style_loads(file.read_text(encoding="utf-8")):
            yield f"{file.relative_to(site)}: loads {url} from the network"
    known = documented(site / "objects.inv")
    for name in public_names() - known:
        yield f"{name} is public and not in the API"


def documented(inventory: Path) -> set[str]:
    """The names in Sphinx's inventory: four lines of text, then compressed lines `name domain:role ...`."""
    body = inventory.read_bytes().split(b"\n", 4)[4]
    return {line.split()[0] for line in zlib.decompress(body).decode().splitlines()}


def public_names() -> set[str]:
    """What the `__all__` of minigrad and of its parts promise."""
    names = {f"minigrad.{name}" for name in mg.__all__}
    parts = ("nn", "optim", "optimize", "theory", "train", "data", "export", "parallel", "sweep", "viz")
    names -= {f"minigrad.{name}" for name in (*parts, "gates", "linalg", "REGISTRY")}
    names -= {f"minigrad.{name}" for name in ("abs", "amax", "amin", "mod")}  # second names, told in the text
    for part in parts:
        names |= {f"minigrad.{part}.{name}" for name in getattr(mg, part).__all__}
    modules = ("nn.functional", "nn.init", "nn.utils", "optim.lr_scheduler")
    return names - {f"minigrad.{name}" for name in modules}


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "The site is whole: links, names, and nothing from the network.")
    sys.exit(bool(found))
