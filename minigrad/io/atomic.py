"""Writing a file all or nothing."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write bytes to, which takes the place of `path` when the block ends; on an error nothing changes.

    A file that was there hands on its permissions, and a symbolic link stays one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(folder + "/a.txt") as file:
    ...         _ = file.write(b"all of it")
    ...     Path(folder, "a.txt").read_text()
    'all of it'
    """
    path = Path(path).resolve()  # through a symbolic link to the file itself
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no folder", str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "there is a folder of this name", str(path))
    draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.tmp")  # in the same folder: replace is a move
    try:
        with open(draft, "xb") as file:
            if path.exists():
                os.chmod(draft, stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(draft)
        if isinstance(error, OSError) and (error.filename is None or error.filename == str(draft)):
            error.filename = str(path)  # a full disk says only that it is full
            del error.filename2  # of a move; None would be told
        raise
