"""Checkpoints: dicts of arrays and numbers in one .npz file, written all or nothing, and read without pickle.

The file is what `np.savez` writes, an array per entry, and one more entry of JSON text that says how they were nested.
"""

from __future__ import annotations

import errno
import io
import json
import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .convert import is_value
from .errors import CheckpointError

__all__ = ["atomic_write", "load", "save"]

STRUCTURE = "minigrad.json"


def save(path: str | os.PathLike[str], obj_dict: dict[str, Any]) -> None:
    """Write `obj_dict` to the .npz file `path`: a file that was there is replaced in one move, or left as it was.

    It holds arrays, floats, ints, strings, bools and None, in dicts, lists and tuples nested as you like, such as
    `{"model": model.state_dict(), "epoch": 3}`.  Raises `CheckpointError` for anything else and for another suffix.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/model.npz", {"model": {"weight": np.eye(2)}, "epoch": 3})
    ...     load(folder + "/model.npz")
    {'model': {'weight': array([[1., 0.],
           [0., 1.]])}, 'epoch': 3}
    """
    path = checked(path)
    if not isinstance(obj_dict, dict):
        raise CheckpointError(f"save: a {type(obj_dict).__name__} is not a dict. For a model, pass model.state_dict().")
    arrays: dict[str, Any] = {}
    structure = json.dumps(pack(obj_dict, "", arrays))
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(STRUCTURE), structure)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote to `path`; `CheckpointError` for a file that is truncated, changed, or not from `save`.

    Nothing in the file is ever executed: object arrays and pickles are refused.
    """
    path = checked(path)
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                structure = json.loads(archive.read(STRUCTURE))
                return unpack(structure, archive)
        except Exception as error:  # a damaged file can fail anywhere in zip, JSON or NumPy's reader
            raise CheckpointError(
                f"{path} is damaged or is not a checkpoint that mg.save wrote ({type(error).__name__}: {error}). "
                "minigrad never unpickles; read a plain .npz file with np.load."
            ) from error


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write bytes to, which takes the place of `path` when the block ends; on an error nothing changes.

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
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # in the same folder, so that replace is a move
    try:
        with open(draft, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def checked(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        raise CheckpointError(f"{path}: a checkpoint's name ends in .npz, not in {path.suffix or 'nothing'!r}.")
    return path


def pack(x: Any, name: str, arrays: dict[str, Any]) -> Any:
    """`x` as JSON can say it; its arrays go to `arrays` under names that tell where they were."""
    if isinstance(x, dict):
        pairs = [[key(k, name), pack(v, f"{name}/{k}" if name else str(k), arrays)] for k, v in x.items()]
        return {"dict": pairs}
    if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
        return {type(x).__name__: [pack(v, f"{name}/{i}", arrays) for i, v in enumerate(x)]}
    if isinstance(x, np.ndarray) and type(x) is np.ndarray and not x.dtype.hasobject:
        while name in arrays:  # {"a/b": ...} beside {"a": {"b": ...}}
            name += "'"
        arrays[name] = x
        return {"array": name}
    if isinstance(x, (np.integer, np.bool_, np.float64)):
        return x.item()
    if x is None or isinstance(x, (bool, int, float, str)):
        return x
    remedy = " Save its .data." if is_value(x) else " Save its state_dict()." if hasattr(x, "state_dict") else ""
    raise CheckpointError(
        f"save: {name} is a {type(x).__name__}; a checkpoint holds arrays of numbers, numbers, strings, bools and "
        f"None, in dicts, lists and tuples.{remedy}"
    )


def key(k: Any, name: str) -> Any:
    if not isinstance(k, (str, int)):
        raise CheckpointError(f"save: {name or 'the dict'} has the key {k!r}; keys are strings or whole numbers.")
    return k


def unpack(x: Any, archive: zipfile.ZipFile) -> Any:
    if not isinstance(x, dict):
        return x
    [(kind, content)] = x.items()
    if kind == "dict":
        return {k: unpack(v, archive) for k, v in content}
    if kind == "array":
        entry = archive.getinfo(content + ".npy")
        if entry.compress_type != zipfile.ZIP_STORED:  # a small file must not fill the memory
            raise ValueError(f"{content} is compressed")
        return np.lib.format.read_array(io.BytesIO(archive.read(entry)), allow_pickle=False)
    return {"list": list, "tuple": tuple}[kind]([unpack(v, archive) for v in content])
