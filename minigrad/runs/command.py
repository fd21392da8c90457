"""`minigrad train` on the command line."""

from __future__ import annotations

import argparse
import math
from dataclasses import fields
from typing import Any

from ..errors import MinigradError
from .architecture import ACTIVATIONS
from .examples import POINTS, SETS
from .settings import OPTIMIZERS, TASKS, Settings
from .training import resume, start

__all__ = ["add_options", "train"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of `minigrad train`; what is left out is None."""
    parser.set_defaults(**{field.name: None for field in fields(Settings)})
    parser.add_argument("data", nargs="?", metavar="DATA", help=f"a CSV file, or {', '.join([*SETS, *POINTS])}")
    folder = parser.add_mutually_exclusive_group()
    folder.add_argument("--out", metavar="DIR", help="a new folder for the run (default: run)")
    folder.add_argument("--resume", metavar="DIR", help="go on with the run in this folder, as it was begun")
    parser.add_argument("--quiet", action="store_true", help="no progress")

    model = parser.add_argument_group("model")
    models = list(dict.fromkeys([name for names in TASKS.values() for name in names]))
    model.add_argument("--model", choices=models, help="default: mlp; linear is a regression")
    model.add_argument(
        "--hidden", type=sizes, metavar="N,N", help="the mlp's hidden layers (default: 32,32; for images 128,128)"
    )
    model.add_argument("--activation", choices=list(ACTIVATIONS), help="between the mlp's layers (default: relu)")

    training = parser.add_argument_group("training")
    training.add_argument("--optimizer", choices=list(OPTIMIZERS), metavar="NAME", help=f"{', '.join(OPTIMIZERS)}")
    training.add_argument("--lr", type=above_zero, metavar="RATE", help="learning rate (default: by optimizer)")
    training.add_argument("--weight-decay", type=at_least_zero, metavar="L", help="pulls the weights to 0")
    training.add_argument("--batch-size", type=count, metavar="N", help="rows per update (default: 32)")
    training.add_argument("--epochs", type=count, metavar="N", help="passes over the rows (default: 30, few rows more)")
    training.add_argument("--early-stopping", type=count, metavar="N", help="stop after N epochs without a better loss")
    training.add_argument("--validation", type=share, metavar="SHARE", help="part of the rows held back (default: 0.2)")
    training.add_argument("--seed", type=seed, metavar="N", help="of the weights and the order (default: 0)")

    table = parser.add_argument_group("CSV files")
    table.add_argument("--target", metavar="COLUMN", help="what to predict (default: target, label, class, y, or last)")
    table.add_argument("--task", choices=list(TASKS), help="default: whole numbers of at most 20 kinds are classes")
    table.add_argument("--ignore", action="append", metavar="COLUMN", help="a column to leave out; can be repeated")
    table.add_argument(
        "--delimiter", type=character, metavar="CHAR", help="between the fields (default: as the first line has it)"
    )
    table.add_argument("--header", action=argparse.BooleanOptionalAction, help="whether the first line has names")


def train(given: argparse.Namespace) -> None:
    """Begin the run that the options ask for, or go on with one.

    Raises what `training.start` and `training.resume` do.
    """
    options: dict[str, Any] = {field.name: getattr(given, field.name) for field in fields(Settings)}
    said = {name: x for name, x in options.items() if x is not None}
    if given.resume is not None:
        if said:
            raise MinigradError(f"--resume goes on with a run as it was begun: leave out {', '.join(said)}.")
        resume(given.resume, quiet=given.quiet)
    elif given.data is None:
        raise MinigradError("train: on what? A CSV file or a set, as in: minigrad train digits --out run")
    else:
        said["ignore"] = tuple(given.ignore or ())
        start(Settings(**said), given.out or "run", quiet=given.quiet)


# ----------------------------------------------------------------------------------------------------- kinds of options
def sizes(text: str) -> tuple[int, ...]:
    """
    >>> sizes("64,32"), sizes("")
    ((64, 32), ())
    """
    try:
        return tuple([count(part) for part in text.split(",") if text.strip()])
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}: the size of each hidden layer, as in --hidden 64,32") from None


def character(text: str) -> str:
    r"""
    >>> character(";"), character(r"\t")
    (';', '\t')
    """
    text = text.replace(r"\t", "\t")  # a tab is hard to type
    if len(text) != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a single character")
    return text


def whole(text: str, least: int, example: int) -> int:
    try:
        n = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, such as {example}") from None
    if n < least:
        raise argparse.ArgumentTypeError(f"{n} is less than {least}")
    return n


def count(text: str) -> int:
    return whole(text, 1, 30)


def seed(text: str) -> int:
    return whole(text, 0, 7)


def real(text: str, example: float) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, such as {example}") from None


def at_least_zero(text: str) -> float:
    if not 0.0 <= (x := real(text, 0.01)) < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 0, such as 0.01")
    return x


def above_zero(text: str) -> float:
    if not (x := at_least_zero(text)):
        raise argparse.ArgumentTypeError("0 learns nothing; say a number above 0, such as 0.01")
    return x


def share(text: str) -> float:
    if not 0.01 <= (x := real(text, 0.2)) <= 0.99:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.01 and 0.99, as 0.2 is")
    return x
