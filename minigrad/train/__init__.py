"""Training: `steps` is the loop, one update per turn; `fit` runs it to the end, keeps the history and saves it all."""

from .callbacks import Callback
from .checkpoint import load_run, locked, save_run
from .fitting import fit
from .history import History, line
from .loop import Run, Step, steps
from .measures import accuracy, evaluate

__all__ = [
    "Callback", "History", "Run", "Step", "accuracy", "evaluate", "fit", "load_run", "locked", "save_run", "steps",
]  # fmt: skip
