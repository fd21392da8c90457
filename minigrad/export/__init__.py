"""Models for other programs: `onnx` writes a file that runtimes in any language compute with.

`trace` sees which gates a function uses, `rows`, `arrays` and `functions` are the table of what each becomes in ONNX,
`writer` writes the operators, `graph` calls the rows step by step, `model` puts the file together and checks it.
"""

from . import arrays as _arrays
from .checkpoint import export_checkpoint
from .errors import ExportError
from .model import Exported, onnx

__all__ = ["ExportError", "Exported", "export_checkpoint", "onnx"]
