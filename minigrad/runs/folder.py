"""The folder of a run, and what is in it.

run.json        the settings, and where the command was given
last.npz        the training as it stands, to continue from
metrics.jsonl   an epoch's numbers per line
model.npz       the trained model, once it is trained: for `runs.load` and `minigrad export`
report.html     the page
"""

from __future__ import annotations

import json
import os
import secrets
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .settings import Settings

__all__ = ["new_folder", "settings_of"]


@contextmanager
def new_folder(path: Path, settings: Settings) -> Iterator[None]:
    """Makes the folder of a new run, with the settings in it; if nothing else comes of it, it is removed again.

    Raises `CheckpointError` for a folder with something in it, and `OSError` where nothing can be written.
    """
    if path.is_dir() and (path / "run.json").exists():
        raise CheckpointError(
            f"{path} has a run in it. To continue it: minigrad train --resume {path}. For a new one say --out with "
            "another folder, or delete this one."
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        what = "is not empty" if path.is_dir() else "is a file"
        raise CheckpointError(f"{path} {what}, and is no run: say --out with another folder.")
    made = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    draft = path / f".run.json.{secrets.token_hex(4)}.tmp"
    try:
        said = asdict(settings)
        written = {"settings": said, "from": str(Path.cwd()), "checksum": checksum(said)}
        try:
            draft.write_text(json.dumps(written, indent=1))
            os.link(draft, path / "run.json")  # all of it at once, and of two processes one
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        raise CheckpointError(f"{path} is in use: another process begins a run there.") from None
    except OSError:
        remove(path, made)
        raise
    try:
        yield
    finally:
        if not (path / "last.npz").exists():
            remove(path, made)


def remove(path: Path, made: bool) -> None:
    """Take back a run that has saved nothing."""
    for name in ("run.json", "metrics.jsonl", "last.npz.lock"):
        (path / name).unlink(missing_ok=True)
    if made:
        with suppress(OSError):  # not empty: somebody else's
            path.rmdir()


def checksum(settings: dict[str, Any]) -> int:
    """Of the settings as JSON: the page says what they were, so that an edited one must not pass."""
    return zlib.crc32(json.dumps(settings).encode())


def settings_of(path: Path) -> tuple[Settings, Path]:
    """The settings of the run in the folder `path`, and the folder in which its command was given.

    Raises `CheckpointError` if there is no run, or its run.json is damaged.
    """
    file = path / "run.json"
    if not file.exists():
        raise CheckpointError(f"{path} has no run to resume: there is no {file}.")
    try:
        written = json.loads(file.read_bytes())
        settings, place = Settings.from_dict(written["settings"]), Path(written["from"])
        if written["checksum"] != checksum(written["settings"]):
            raise ValueError("its settings are not those that the run was begun with")
        return settings, place
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{file} is damaged ({type(error).__name__}: {error}): the run can't go on.") from error
