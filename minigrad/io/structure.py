"""What a checkpoint holds, taken apart into JSON and named arrays, and put together again."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from ..convert import is_value
from ..errors import CheckpointError

__all__ = ["pack", "unpack"]

UNUSUAL = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")  # in a key: not for the name of an entry in a file


def pack(obj_dict: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """`obj_dict` as a text of JSON, and its arrays under names that tell where they were."""
    arrays: dict[str, Any] = {}
    try:
        return json.dumps(packed(obj_dict, "", arrays)), arrays
    except (RecursionError, ValueError) as error:  # ValueError: an int of more digits than Python prints
        if isinstance(error, CheckpointError):
            raise
        text = "it is nested too deeply, or contains itself" if isinstance(error, RecursionError) else error
        raise CheckpointError(f"save: {text}.") from None


def packed(x: Any, name: str, arrays: dict[str, Any]) -> Any:
    if isinstance(x, dict):
        pairs = [[key(k, name), packed(v, f"{name}/{k}" if name else str(k), arrays)] for k, v in x.items()]
        return {"dict": pairs}
    if isinstance(x, (list, tuple)) and type(x) in (list, tuple):
        return {type(x).__name__: [packed(v, f"{name}/{i}", arrays) for i, v in enumerate(x)]}
    if isinstance(x, np.ndarray) and type(x) is np.ndarray and not x.dtype.hasobject:
        name = UNUSUAL.sub("_", name)[:500]
        while name in arrays:  # {"a/b": ...} beside {"a": {"b": ...}}
            name += "'"
        arrays[name] = x
        return {"array": name}
    if isinstance(x, (np.integer, np.bool_, np.float64, np.float32, np.float16)):
        return x.item()
    if x is None or type(x) in (bool, int, float, str):
        return x
    remedy = " Save its .data." if is_value(x) else " Save its state_dict()." if hasattr(x, "state_dict") else ""
    raise CheckpointError(
        f"save: {name} is a {type(x).__name__}; a checkpoint holds arrays of numbers, numbers, strings, bools and "
        f"None, in dicts, lists and tuples.{remedy}"
    )


def key(k: Any, name: str) -> Any:
    if type(k) not in (str, int):
        raise CheckpointError(f"save: {name or 'the dict'} has the key {k!r}; keys are strings or whole numbers.")
    return k


def unpack(structure: str | None, arrays: dict[str, Any]) -> Any:
    """The reverse of `pack`; the arrays as they are where a file says nothing about their structure.

    Any exception means that the file is damaged.
    """
    if structure is None:
        return arrays
    out = unpacked(json.loads(structure), arrays)
    if arrays:
        raise ValueError(f"its structure doesn't name {', '.join(map(repr, arrays)):.200}")
    if not isinstance(out, dict):
        raise ValueError("its structure is not that of a dict")
    return out


def unpacked(x: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(x, list):
        raise ValueError("its structure has a bare list")
    if not isinstance(x, dict):
        return x
    [(kind, content)] = x.items()
    if kind == "dict":
        out = {k: unpacked(v, arrays) for k, v in content}
        if len(out) < len(content) or any([type(k) not in (str, int) for k in out]):
            raise ValueError("a key occurs twice, or is no text or whole number")
        return out
    if kind == "array":
        return arrays.pop(content)  # each once: naming one a million times must not fill the memory
    return {"list": list, "tuple": tuple}[kind]([unpacked(v, arrays) for v in content])
