"""What a training run is asked to do, what it does where nothing is said, and the command that says it all."""

from __future__ import annotations

import inspect
import shlex
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from .. import optim
from ..errors import MinigradError

__all__ = ["OPTIMIZERS", "TASKS", "Settings"]

TASKS = {"classification": ("mlp", "svm", "softmax"), "regression": ("mlp", "linear")}  # which models are for it
OPTIMIZERS: dict[str, Any] = {
    name.lower(): getattr(optim, name)
    for name in optim.__all__
    if isinstance(getattr(optim, name), type)
    and issubclass(getattr(optim, name), optim.Optimizer)
    and name not in ("Optimizer", "LBFGS")  # LBFGS evaluates the loss several times per step, which the loop does not
}
RATES = {"mlp": 0.003, "svm": 0.03, "softmax": 0.03, "linear": 0.03}  # for Adam and its kin
DECAY = {"svm": 1e-4, "softmax": 1e-4}
KIN = ("adam", "adamw", "nadam", "radam", "adamax")
UPDATES = 1300  # few rows are learned from more often: so many updates at least, in at most 300 epochs


@dataclass(frozen=True)
class Settings:
    """The options of `minigrad train`; None where the run decides."""

    data: str
    model: str = "mlp"
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    optimizer: str | None = None
    lr: float | None = None
    weight_decay: float | None = None
    batch_size: int = 32
    epochs: int | None = None
    early_stopping: int | None = None
    validation: float = 0.2
    seed: int = 0
    target: str | None = None
    task: str | None = None
    ignore: tuple[str, ...] = ()
    delimiter: str | None = None
    header: bool | None = None

    def complete(self, task: str, rows: int, pixels: bool = False) -> Settings:
        """Everything said, for `rows` to learn a `task` from, whose columns may be `pixels`.

        Raises `MinigradError` for a model that is not for the task, and for options that it doesn't have.

        >>> Settings("digits").complete("classification", rows=1437).lr
        0.003
        """
        if self.model not in TASKS[task]:
            what = "a quantity is to be predicted" if task == "regression" else "classes are to be told apart"
            raise MinigradError(f"--model {self.model}: {what} here; that is for {' or '.join(TASKS[task])}.")
        if self.model != "mlp" and (self.hidden is not None or self.activation is not None):
            raise MinigradError(f"--model {self.model} has no hidden layers: leave out --hidden and --activation.")
        optimizer = self.optimizer or "adam"
        usual = {name: x.default for name, x in inspect.signature(OPTIMIZERS[optimizer]).parameters.items()}
        if self.weight_decay is not None and "weight_decay" not in usual:
            raise MinigradError(f"--optimizer {optimizer} has no weight decay: leave out --weight-decay.")
        usual |= {"lr": 0.01} if optimizer == "sgd" else {"lr": RATES[self.model]} if optimizer in KIN else {}
        if "weight_decay" in usual:
            usual["weight_decay"] = DECAY.get(self.model, usual["weight_decay"])
        network = self.model == "mlp"
        batches = -(-rows // self.batch_size)
        return replace(
            self,
            hidden=(((128, 128) if pixels else (32, 32)) if self.hidden is None else self.hidden) if network else None,
            activation=(self.activation or "relu") if network else None,
            optimizer=optimizer,
            lr=self.lr or usual["lr"],
            weight_decay=usual.get("weight_decay") if self.weight_decay is None else self.weight_decay,
            epochs=self.epochs or min(max(30, -(-UPDATES // batches)), 300),
        )

    def make_optimizer(self, parameters: Any) -> Any:
        """The optimizer of complete settings."""
        options: dict[str, Any] = {"lr": self.lr}
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        if self.optimizer == "sgd":
            options["momentum"] = 0.9
        return OPTIMIZERS[self.optimizer or ""](parameters, **options)

    def command(self, out: str) -> str:
        """The command line that trains so into the folder `out`.

        >>> Settings("my flowers.csv", hidden=(64, 64), header=False).command("run")
        "minigrad train 'my flowers.csv' --model mlp --hidden 64,64 --batch-size 32 --validation 0.2 --seed 0 \
--no-header --out run"
        """
        words = ["minigrad", "train", self.data]
        for name, value in [*asdict(self).items(), ("out", out)]:
            flag = f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                words.append(flag if value else f"--no-{name}")
            elif name == "hidden" and value is not None:
                words += [flag, ",".join(map(str, value))]
            elif value is not None and name != "data":
                for x in value if name == "ignore" else (value,):
                    words += [f"{flag}={x}"] if str(x).startswith("-") else [flag, str(x)]
        return shlex.join(words)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Settings:
        """Back from `asdict`, also by way of JSON; `TypeError` for other names."""
        names = {field.name for field in fields(cls)}
        lists: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items()}
        if given.keys() != names:
            raise TypeError(f"it has {sorted(given.keys() ^ names)} too many or too few")
        if given["optimizer"] not in OPTIMIZERS:
            raise ValueError(f"optimizer {given['optimizer']!r:.60}")
        return cls(**lists)
