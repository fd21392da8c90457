"""Training: `steps` is the loop, one update per turn; `fit` runs it to the end, keeps the history and saves it all."""

from .callbacks import Callback
from .checkpoint import load_run, locked, save_run
from .diagnostics import Diagnostics, gradient_norms
from .early_stopping import EarlyStopping
from .fitting import fit
from .history import History, line
from .logs import JsonLog, TensorBoardLog
from .loop import Run, Step, steps
from .lr_finder import RateTest, find_lr
from .measures import accuracy, evaluate
from .pretraining import greedy_pretrain

__all__ = [
    "Callback", "Diagnostics", "EarlyStopping", "History", "JsonLog", "RateTest", "Run", "Step", "TensorBoardLog",
    "accuracy", "evaluate", "find_lr", "fit", "gradient_norms", "greedy_pretrain", "load_run", "locked", "save_run",
    "steps",
]  # fmt: skip
