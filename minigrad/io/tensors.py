"""safetensors files, which PyTorch and others read: named arrays, and a text of JSON in the metadata.

The package checks what it reads: sizes, offsets that overlap or leave holes, the length of the header.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, BinaryIO

import numpy as np

from ..errors import CheckpointError, MissingExtraError

__all__ = ["checked", "read", "write"]

STRUCTURE, CHECKSUM = "minigrad", "crc32"
REMEDY = ""
MOST = 50_000_000  # letters: the package reads headers of up to 100 MB
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "C64": "<c8",
}  # fmt: skip


def package() -> Any:
    try:
        import safetensors
    except ImportError as error:
        remedy = 'pip install "minigrad-engine[safetensors]"'
        raise MissingExtraError(f".safetensors files need safetensors: {remedy}") from error
    return safetensors


def checked(arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays in the byte order of the format and contiguous: some versions of the package mix up the numbers of
    others, such as transposed ones."""
    package()
    names = {np.dtype(code): name for name, code in DTYPES.items()}
    for name, x in arrays.items():
        if x.dtype.newbyteorder("<") not in names:
            raise CheckpointError(f"save: {name} is {x.dtype}, which a .safetensors file can't hold; .npz can.")
    return {name: np.asarray(x, x.dtype.newbyteorder("<"), order="C") for name, x in arrays.items()}


def write(file: BinaryIO, structure: str, arrays: dict[str, Any]) -> None:
    from safetensors.numpy import save

    if len(structure) > MOST:
        raise CheckpointError("save: too much text for a .safetensors file: put numbers in arrays, or use .npz.")
    file.write(save(arrays, metadata={STRUCTURE: structure, CHECKSUM: checksum(structure, arrays)}))


def read(file: BinaryIO) -> tuple[str | None, dict[str, Any]]:
    """The structure, None for a file from elsewhere, and the arrays; any exception means that the file is damaged."""
    data = file.read()
    entries = package().deserialize(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")], object_pairs_hook=once)
    metadata = header.get("__metadata__", {})
    structure = metadata.get(STRUCTURE)
    arrays = {name: to_array(name, **entry) for name, entry in sorted(entries, key=lambda e: e[0])}
    if metadata.keys() & {STRUCTURE, CHECKSUM} and metadata.get(CHECKSUM) != checksum(structure or "", arrays):
        raise ValueError("its numbers are not those that were written")
    return structure, arrays


def checksum(structure: str, arrays: dict[str, Any]) -> str:
    """The format has none, and a bit that flips on a disk would be a wrong weight."""
    crc = zlib.crc32(structure.encode())
    for name in sorted(arrays):
        crc = zlib.crc32(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode(), crc)
        crc = zlib.crc32(arrays[name].data if arrays[name].size else b"", crc)
    return f"{crc:08x}"


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(out := dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return out


def to_array(name: str, dtype: str, shape: list[int], data: Any) -> Any:
    data = data if isinstance(data, bytearray) else bytearray(data)  # so that the array is writeable
    if dtype == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if dtype not in DTYPES:
        raise ValueError(f"{name} is {dtype}, which NumPy doesn't have: convert it to float32 where the file was made")
    array = np.frombuffer(data, DTYPES[dtype]).reshape(shape)
    if dtype == "BOOL" and np.any(array.view(np.uint8) > 1):
        raise ValueError(f"{name} has bools that are neither 0 nor 1")
    return array
