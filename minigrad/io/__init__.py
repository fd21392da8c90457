"""Checkpoints: dicts of arrays and numbers in one file, written all or nothing, and read without pickle.

`structure` says how the dicts are nested, `npz` and `tensors` are the two kinds of file, `atomic` writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, MissingExtraError
from . import npz, tensors
from .atomic import atomic_write
from .structure import pack, unpack

__all__ = ["atomic_write", "load", "save"]

KINDS: dict[str, Any] = {".npz": npz, ".safetensors": tensors}


def save(path: str | os.PathLike[str], obj_dict: dict[str, Any]) -> None:
    """Write `obj_dict` to the file `path`: a file that was there is replaced in one move, or left as it was.

    It holds arrays, floats, ints, strings, bools and None, in dicts, lists and tuples nested as you like, such as
    `{"model": model.state_dict(), "epoch": 3}`.  The suffix decides: `.npz` is what `np.load` reads too, `.safetensors`
    what PyTorch and others read (`pip install "minigrad-engine[safetensors]"`).  Raises `CheckpointError` for anything
    else and for another suffix, `OSError` where the file can't be written.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/model.npz", {"model": {"weight": np.eye(2)}, "epoch": 3})
    ...     load(folder + "/model.npz")
    {'model': {'weight': array([[1., 0.],
           [0., 1.]])}, 'epoch': 3}
    """
    kind = kind_of(path := Path(path))
    if not isinstance(obj_dict, dict):
        raise CheckpointError(f"save: a {type(obj_dict).__name__} is not a dict. For a model, pass model.state_dict().")
    structure, arrays = pack(obj_dict)
    arrays = kind.checked(arrays)
    with atomic_write(path) as file:
        kind.write(file, structure, arrays)


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote to `path`; `CheckpointError` for a file that is truncated, changed, or not a checkpoint.

    A `.safetensors` file from elsewhere gives a flat dict of its arrays; bfloat16, which NumPy lacks, becomes float32
    exactly.  Nothing in a file is ever executed: object arrays and pickles are refused.
    """
    kind = kind_of(path := Path(path))
    with open(path, "rb") as file:
        try:
            structure, arrays = kind.read(file)
            return unpack(structure, arrays)
        except MissingExtraError:
            raise
        except Exception as error:  # a damaged file can fail anywhere in zip, JSON or NumPy's reader
            raise CheckpointError(
                f"{path} is damaged or is not a checkpoint that mg.save wrote ({type(error).__name__}: {error}). "
                f"minigrad never unpickles{kind.REMEDY}."
            ) from error


def kind_of(path: Path) -> Any:
    if path.suffix not in KINDS:
        raise CheckpointError(
            f"{path}: a checkpoint's name ends in {' or '.join(KINDS)}, not in {path.suffix or 'nothing'!r}."
        )
    return KINDS[path.suffix]
