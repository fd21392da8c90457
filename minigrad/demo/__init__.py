"""The tour: what `minigrad demo` does, a module per stop, each to be copied from.

`circuits` draws and differentiates, `checking` compares gradients with differences; `digits`, `moons` and `spiral`
train.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError
from .checking import check_gradients
from .circuits import draw_circuits
from .digits import read_digits
from .moons import separate_moons
from .page import Section, write_page
from .spiral import untangle_spiral

__all__ = ["Section", "run"]

STOPS = [draw_circuits, check_gradients, read_digits, separate_moons, untangle_spiral]


def run(out: Any = "demo-out", quick: bool = False) -> list[Section]:
    """Make the whole tour: pictures and `index.html` in the folder `out`, the numbers on the terminal as well.

    `quick` trains for a shorter time.  Raises `MissingExtraError` without matplotlib or scikit-learn.
    """
    check_extras()
    folder, start, sections = Path(out), time.perf_counter(), []
    folder.mkdir(parents=True, exist_ok=True)
    for number, stop in enumerate(STOPS, start=1):
        section = stop(folder, quick)
        print(f"\n{number}. {section.title}\n\n{section.as_text()}", flush=True)
        sections.append(section)
    page = write_page(folder, sections, quick)
    print(f"\nAll of it in {time.perf_counter() - start:.0f} s: open {page}")
    return sections


def check_extras() -> None:
    """Say what is missing before the work starts, not in the middle of it."""
    try:
        import matplotlib
        import sklearn
    except ImportError as error:
        raise MissingExtraError(
            f'the demo needs matplotlib and scikit-learn ({error}): pip install "minigrad-engine[all]"'
        ) from error
