"""Find a Graphviz program, and run it on a drawing: an argument list, never a shell; a size limit and a time limit."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sysconfig
import warnings

from ..errors import MinigradError, MissingExtraError

__all__ = ["BITMAPS", "find_renderer", "has_renderer", "render"]

PURE_FORMATS = (
    "svg", "png", "jpeg", "jpg", "jpe", "json", "json0", "dot_json", "xdot_json", "dot", "gv", "canon", "plain",
    "plain-ext", "xdot", "xdot1.2", "xdot1.4",
)  # fmt: skip
BITMAPS = ("png", "jpeg", "jpg", "jpe", "gif", "bmp", "tif", "tiff", "webp")
DPI = 96  # of bitmaps
MAX_SIDE, MAX_PIXELS = 32_000, 25_000_000  # what viewers still open, and programs paint in a second or two
MAX_SOURCE = 20_000_000  # bytes of DOT
TIMEOUT = 120  # seconds


def find_renderer(format: str) -> str:
    """The program that will write `format`: $MINIGRAD_DOT, else `graphviz-pure`, else the system's `dot`.

    The program from pip comes before an installed `dot`, so that a picture has the same bytes on every machine.  Where
    graphviz-pure can't write the format (pdf, for instance), `dot` does, with a warning.  Raises `MissingExtraError`
    that says what to install.
    """
    if chosen := os.environ.get("MINIGRAD_DOT"):
        if found := shutil.which(chosen):
            return found
        raise MissingExtraError(f"MINIGRAD_DOT={chosen} is not a program that can be run: correct it, or unset it.")
    # The second place: the scripts of an environment that is used without being activated are not on PATH.
    pure = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    if pure and format.partition(":")[0] in PURE_FORMATS:
        return pure
    dot = shutil.which("dot")
    if dot is None and pure:
        raise MissingExtraError(
            f"graphviz-pure can't write {format}, and no other Graphviz is installed: "
            "use svg or png, or install Graphviz (https://graphviz.org/download/)."
        )
    if dot is None:
        raise MissingExtraError(
            f"no program to write {format}: pip install graphviz-pure, or install Graphviz and put its `dot` on PATH. "
            "(svg and the text of the drawing, .source, need no program.)"
        )
    if pure:
        warnings.warn(f"graphviz-pure can't write {format}; using {dot}.", stacklevel=4)
    return dot


def has_renderer() -> bool:
    """Whether a program is there for svg, or one was asked for that isn't there, which `find_renderer` will say."""
    try:
        return bool(find_renderer("svg"))
    except MissingExtraError:
        return bool(os.environ.get("MINIGRAD_DOT"))


def render(source: str, format: str, engine: str = "dot") -> bytes:
    """The picture of a DOT text; `MinigradError` if the program fails or takes too long, or the text is too big.

    A bitmap larger than `MAX_SIDE` or `MAX_PIXELS` is made smaller, with a warning.
    """
    text = source.encode()
    if len(text) > MAX_SOURCE:
        raise MinigradError(f"the drawing has {len(text):,} bytes of DOT, more than {MAX_SOURCE:,}: draw a part of it.")
    program = find_renderer(format)
    resolution = []
    if format.partition(":")[0] in BITMAPS:
        share = shrunk(run(program, [f"-K{engine}", "-Tsvg"], text))
        if share < 1.0:
            warnings.warn(
                f"a {format} of this drawing would be too large: it is drawn at {share:.0%} of its size. An svg or a "
                "pdf has every detail; depth= or a smaller max_nodes draws less.",
                stacklevel=4,
            )
            resolution = [f"-Gdpi={share * DPI:.3f}"]
    return run(program, [f"-K{engine}", f"-T{format}", *resolution], text)


def shrunk(svg: bytes) -> float:
    """By how much a bitmap of this picture is made smaller: 1 if it isn't."""
    found = re.search(rb'<svg width="([0-9.]+)pt" height="([0-9.]+)pt"', svg)
    if found is None:
        return 1.0
    width, height = [float(points) * DPI / 72 for points in found.groups()]
    return min(1.0, MAX_SIDE / max(width, height), math.sqrt(MAX_PIXELS / (width * height)))


def run(program: str, options: list[str], text: bytes) -> bytes:
    """What the program makes of the text, or `MinigradError`."""
    try:
        done = subprocess.run([program, *options], input=text, capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise MinigradError(f"{program} took more than {TIMEOUT} s: draw a smaller part of the graph.") from error
    except OSError as error:
        raise MinigradError(f"{program} could not be run: {error}.") from error
    if done.returncode or not done.stdout:  # what it writes to stderr besides is about the widths of letters
        message = done.stderr.decode(errors="replace").strip()
        raise MinigradError(
            f"{program} could not draw {options[1][2:]} (exit status {done.returncode}): {message[-500:]}"
        )
    return done.stdout
