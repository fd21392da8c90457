"""What a training run saw: a dict of numbers per epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["History", "Record", "line"]

Record = dict[str, float]  # an epoch in numbers: epoch, loss, accuracy, val_loss, val_accuracy


@dataclass
class History:
    """What a training run saw: a dict per complete epoch, and whether Ctrl-C ended it."""

    epochs: list[Record] = field(default_factory=list)
    interrupted: bool = False

    def __getitem__(self, name: str) -> list[float]:
        """One number over the epochs: history["val_loss"]; `KeyError` for a name that no epoch has."""
        names = dict.fromkeys([name for record in self.epochs for name in record])
        if self.epochs and name not in names:
            raise KeyError(f"the history has no {name!r}; it has {', '.join(names)}.")
        return [record[name] for record in self.epochs if name in record]

    @property
    def loss(self) -> list[float]:
        """The mean training loss of each epoch."""
        return self["loss"]

    @property
    def accuracy(self) -> list[float]:
        """The training accuracy of each epoch; empty where labels are not classes."""
        return [record["accuracy"] for record in self.epochs if "accuracy" in record]

    def __repr__(self) -> str:
        last = f", {line(self.epochs[-1])}" if self.epochs else ""
        return f"History({len(self.epochs)} epochs{last}{', interrupted' if self.interrupted else ''})"


def line(record: Record) -> str:
    """`loss 0.1234, accuracy 0.950`."""
    return ", ".join(
        f"{name.replace('_', ' ')} {x:.{3 if name.endswith('accuracy') else 4}{'f' if abs(x) >= 1e-3 else 'g'}}"
        for name, x in record.items()
        if name != "epoch"
    )
