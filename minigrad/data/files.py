"""Images in the files that MNIST and CIFAR-10 come in, read from where the user has put them."""

from __future__ import annotations

import gzip
import math
import os
import stat
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .memory import check_room, readable

__all__ = ["read_cifar10", "read_idx"]

IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CIFAR_RECORD = 1 + 3 * 32 * 32


def read_idx(path: str | os.PathLike[str], memory_limit: float | None = None) -> npt.NDArray[Any]:
    """The array in an IDX file, MNIST's format, plain or gzipped: images (n, 28, 28) or labels (n,), as uint8.

    Raises `DataError` for a file that is damaged, cut short, too long, or not IDX, with the byte where it is wrong; and
    for one that doesn't fit into the memory (`memory_limit` bytes; by default 80 % of what is free).

    Source: LeCun, Cortes and Burges, "The MNIST database"; the header is 0, 0, type, axes, then 4 bytes per axis.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "labels-idx1-ubyte")
    ...     _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + bytes([5, 0, 4]))
    ...     read_idx(file)
    array([5, 0, 4], dtype=uint8)
    """
    path = regular(path)
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        file: Any = gzip.GzipFile(fileobj=plain) if zipped else plain
        try:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not 1 <= head[3] <= 32:
                raise DataError(
                    f"{path}, byte 0: it begins with {head.hex(' ') or 'nothing'}; an IDX file begins with 00 00, a "
                    "type (08 for bytes) and the number of axes (03 for images, 01 for labels)."
                )
            sizes = file.read(4 * head[3])
            if len(sizes) < 4 * head[3]:
                raise cut_short(path, 4 + len(sizes), f"in the header, which has {head[3]} axes")
            shape = tuple(np.frombuffer(sizes, ">u4").tolist())
            dtype, start = np.dtype(IDX_TYPES[head[2]]), 4 + len(sizes)
            wanted = math.prod(shape) * dtype.itemsize
            most = path.stat().st_size * (1032 if zipped else 1)  # gzip packs no tighter
            if start + wanted > most:
                raise cut_short(path, most if not zipped else 4, f"its header promises {shape}, {wanted} bytes")
            check_room(path, 2 * wanted, memory_limit, f"an array {shape}")
            content = file.read(wanted + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: the gzipped file is damaged or cut short ({error}); fetch it again.") from error
    if len(content) < wanted:
        raise cut_short(path, start + len(content), f"its header promises {shape}, {wanted} bytes after byte {start}")
    if len(content) > wanted:
        raise DataError(f"{path}, byte {start + wanted}: the file goes on after the {shape} that its header promises.")
    return np.frombuffer(content, dtype).astype(dtype.newbyteorder("=")).reshape(shape)


def read_cifar10(
    *paths: str | os.PathLike[str], memory_limit: float | None = None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The images X (n, 3, 32, 32), uint8, and labels y (n,) from 0 to 9 of CIFAR-10's binary files, one after another.

    Raises `DataError` for a file that is cut short or not of this kind, with the byte where it goes wrong, and as
    `read_idx` does for the memory.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009, the "binary version".

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "data_batch_1.bin")
    ...     _ = file.write_bytes(2 * (bytes([7]) + bytes(3072)))
    ...     X, y = read_cifar10(file)
    >>> X.shape, y.tolist()
    ((2, 3, 32, 32), [7, 7])
    """
    files = [regular(path) for path in paths]
    if not files:
        raise DataError(
            'read_cifar10: no file; for the five of the training set: *Path("...").glob("data_batch_*.bin").'
        )
    check_room(files[0], 2 * sum([file.stat().st_size for file in files]), memory_limit, f"{len(files)} file(s)")
    batches = []
    for path in files:
        content = np.fromfile(path, np.uint8)
        images, rest = divmod(len(content), CIFAR_RECORD)
        if rest or not images:
            raise DataError(
                f"{path}, byte {images * CIFAR_RECORD}: {rest} bytes after image {images}; an image of CIFAR-10's "
                f"binary version is {CIFAR_RECORD} bytes, its label first: the file is cut short, or of another kind."
            )
        records = content.reshape(images, CIFAR_RECORD)
        wrong = np.flatnonzero(records[:, 0] > 9)
        if len(wrong):
            raise DataError(
                f"{path}, byte {wrong[0] * CIFAR_RECORD}: label {records[wrong[0], 0]} of image {wrong[0]}; CIFAR-10's "
                "are 0 to 9: the file is of another kind."
            )
        batches.append(records)
    everything = np.concatenate(batches)
    return np.ascontiguousarray(everything[:, 1:]).reshape(-1, 3, 32, 32), everything[:, 0].astype(np.int64)


def regular(path: str | os.PathLike[str]) -> Path:
    """The path, if a file is there; `FileNotFoundError` if nothing is, `DataError` for a folder or a pipe."""
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise DataError(f"{path}: it is {'a folder' if path.is_dir() else 'no regular file'}; give the path of a file.")
    return path


def cut_short(path: Path, byte: int, where: str) -> DataError:
    size = readable(path.stat().st_size)
    return DataError(f"{path}, byte {byte}: the file ({size}) ends too early: {where}. Fetch it again.")
