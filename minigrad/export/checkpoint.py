"""`export_checkpoint`: the trained model in a checkpoint as an ONNX file."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from ..runs import load
from .model import Exported, onnx

__all__ = ["export_checkpoint"]


def export_checkpoint(source: str | os.PathLike[str], path: str | os.PathLike[str], dtype: Any = None) -> Exported:
    """Write the model in the folder or checkpoint `source`, as `minigrad train` leaves it, to the ONNX file `path`.

    It takes data as they come: what the run took off them and divided by is part of the file, and the names of the
    classes stand in its metadata.  `dtype=np.float32` suits runtimes that know no float64.  Raises `CheckpointError`
    for a file that is no such checkpoint.
    """
    trained = load(source)
    model = trained.model if dtype is None else trained.model.to(dtype)
    dtype = next(model.parameters()).dtype
    shape = (2, *trained.shape)
    example = np.linspace(-1.0, 1.0, int(np.prod(shape)), dtype=dtype).reshape(shape)
    names = {"classes": json.dumps(trained.classes)} if trained.classes else {}
    return onnx(model, example, path, metadata=names)
