"""The file that `np.savez` writes, an array per entry, with one more entry of JSON that says how they are nested."""

from __future__ import annotations

import io
import os
import zipfile
from typing import Any, BinaryIO

import numpy as np

__all__ = ["checked", "read", "write"]

STRUCTURE = "minigrad.json"
REMEDY = "; read a plain .npz file with np.load"


def checked(arrays: dict[str, Any]) -> dict[str, Any]:
    """All arrays that `pack` lets through can be saved."""
    return arrays


def write(file: BinaryIO, structure: str, arrays: dict[str, Any]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(STRUCTURE), structure)
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def read(file: BinaryIO) -> tuple[str, dict[str, Any]]:
    """The structure and the arrays; any exception means that the file is damaged.

    A small file must not fill the memory: nothing is inflated, and no entry claims more bytes than the file has.
    """
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) < len(names):
            raise ValueError("an entry occurs twice")
        if any([entry.compress_type != zipfile.ZIP_STORED for entry in entries]):
            raise ValueError("it is compressed")
        if sum([entry.file_size for entry in entries]) > os.fstat(file.fileno()).st_size:
            raise ValueError("its entries are larger than the file")
        structure = archive.read(STRUCTURE).decode()
        rest = [entry for entry in entries if entry.filename != STRUCTURE]
        return structure, {e.filename.removesuffix(".npy"): read_array(archive.read(e)) for e in rest}


def read_array(data: bytes) -> Any:
    file, read_header = io.BytesIO(data), np.lib.format
    version = read_header.read_magic(file)
    header = {(1, 0): read_header.read_array_header_1_0, (2, 0): read_header.read_array_header_2_0}
    if version in header:  # 3.0, for names of fields beyond Latin-1, is left to NumPy
        shape, _, dtype = header[version](file)
        if dtype.itemsize * np.prod(shape, dtype=object) != len(data) - file.tell():
            raise ValueError(f"an array of shape {shape} has another number of bytes")
    file.seek(0)
    return read_header.read_array(file, allow_pickle=False)
