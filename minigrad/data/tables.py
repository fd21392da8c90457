"""Tables in CSV files: numbers to learn from, and a column to predict."""

from __future__ import annotations

import difflib
import math
import os
import re
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError
from .csv_rows import Place, estimate, first_line, not_text, rows, separator
from .files import regular
from .memory import check_room

__all__ = ["Table", "read_csv"]

TARGETS = ("target", "label", "class", "y")  # what the column to predict is often called
MISSING = (
    "",
    "?",
    "-",
    "--",
    ".",
    "na",
    "n/a",
    "n.a.",
    "<na>",
    "nan",
    "nat",
    "null",
)  # and Python's None, Excel's #...
MOST_CLASSES = 20  # of whole numbers; more are taken as quantities


@dataclass(frozen=True, repr=False)
class Table:
    """What a CSV file holds: numbers `X` (n, d), and for each row what is to be predicted, `y` (n,).

    For classification y is 0, 1, ..., and `class_names[y]` is what stands in the file; for regression y are floats and
    there are no class names.  `lines` (n,) are the lines of the file in which the rows begin.
    """

    X: npt.NDArray[np.float64]
    y: npt.NDArray[Any]
    feature_names: tuple[str, ...]
    target: str
    class_names: tuple[str, ...] = ()
    lines: Sequence[int] = ()

    @property
    def task(self) -> str:
        """`"classification"` or `"regression"`."""
        return "classification" if self.class_names else "regression"

    def __repr__(self) -> str:
        n, d = self.X.shape
        classes = f" of {len(self.class_names)} classes" if self.class_names else ""
        return f"Table({n} rows, {d} features; {self.task}: {self.target!r}{classes})"


def read_csv(
    path: str | os.PathLike[str],
    target: str | None = None,
    *,
    task: str | None = None,
    ignore: Iterable[str] = (),
    header: bool | None = None,
    delimiter: str | None = None,
    memory_limit: float | None = None,
) -> Table:
    """Read a CSV file: the column `target` is to be predicted, the others, less those to `ignore`, are the features.

    Where an argument is left out, a rule decides:

    - `target`: the column called target, label, class or y; if there is none, the last one.
    - `task`: text is "classification", and so are whole numbers if there are at most 20 different ones; other numbers
      are "regression".
    - `header`: the first line has names if none of its fields is a number, or if it is pandas' 0, 1, 2, ...; without
      names the columns are "column 1", "column 2", ...
    - `delimiter`: the one of , ; tab and | that is most often in the first line.

    Fields may be quoted; blanks around them, empty lines, a byte order mark and the kind of line end don't matter.
    Raises `DataError`, with the line and the column, for a missing value, text among numbers, nan or inf, a row that is
    too short or too long, columns with one name, an unknown target, a target with one value only, a file that is empty,
    not UTF-8 or binary, and before loading for one that doesn't fit into the memory (`memory_limit` bytes; by default
    80 % of what is free).

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "flowers.csv")
    ...     _ = file.write_text("length,width,species\\n5.1,3.5,setosa\\n6.3,2.5,virginica\\n")
    ...     table = read_csv(file)
    >>> table
    Table(2 rows, 2 features; classification: 'species' of 2 classes)
    >>> table.X.tolist(), table.y.tolist(), table.class_names
    ([[5.1, 3.5], [6.3, 2.5]], [0, 1], ('setosa', 'virginica'))
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"read_csv: task={task!r}; it is 'classification', 'regression' or None.")
    if isinstance(ignore, str):
        raise TypeError(f"read_csv: ignore={ignore!r}: give a list of names: [{ignore!r}].")
    path = regular(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = first_line(path, file)
            delimiter = delimiter or separator(first)
            check_room(path, estimate(path, first.count(delimiter) + 1), memory_limit, "the table")
            file.seek(0)
            return read_rows(path, rows(path, file, delimiter), delimiter, target, task, list(ignore), header)
    except UnicodeDecodeError as error:
        raise not_text(path, delimiter) from error
    except MemoryError as error:
        raise DataError(f"{path}: the table doesn't fit into the memory. Take a part of the file.") from error


# -------------------------------------------------------------------------------------------------------------- columns
def names_of(
    path: Path, line: int, fields: list[str], header: bool | None, ignore: list[str]
) -> tuple[list[str], bool]:
    """The names of the columns, and whether they stand in the file."""
    counted = fields == [str(i) for i in range(len(fields))]  # what pandas writes without names
    if header is None:
        header = counted or not any([is_number(field) for field in fields])
    usual = [f"column {i}" for i in range(1, len(fields) + 1)]
    if not header:
        return usual, False
    names = [field or default for field, default in zip(fields, usual, strict=True)]
    place, seen = Place(path, names), dict[str, int]()
    for i, name in enumerate(names):
        if seen.setdefault(name, i) != i:
            raise place.error(line, i, f"column {seen[name] + 1} has the same name; give each its own.")
        if not fields[i] and name not in ignore:
            title = "" if any(fields[1:]) else " If the line is a title, delete it."
            raise place.error(
                line, i, f"it has no name ({'one delimiter too many' if i else 'row numbers'}?); name it, or leave it "
                f"out with ignore=[{name!r}].{title}"
            )  # fmt: skip
    return names, True


def find(path: Path, line: int, name: Any, names: list[str]) -> int:
    if name in names:
        return names.index(name)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    several = ", ".join([repr(n) for n in names[:10]]) + (", ..." if len(names) > 10 else "")
    guess = f"did you mean {close[0]!r}? They" if close else "they"
    raise DataError(f"{path}, line {line}: of the {len(names)} columns none is called {name!r}; {guess} are {several}.")


def choose_target(path: Path, line: int, target: str | None, names: list[str], ignored: set[int]) -> int:
    if target is not None:
        column = find(path, line, target, names)
        if column in ignored:
            raise DataError(f"{path}, line {line}: {target!r} is the target and can't be ignored.")
        return column
    kept = [i for i in range(len(names)) if i not in ignored]
    usual = [i for i in kept if names[i].lower() in TARGETS]
    if len(usual) > 1:
        both = " and ".join([repr(names[i]) for i in usual])
        raise DataError(f"{path}, line {line}: {both} may be the target; say which: target={names[usual[0]]!r}.")
    return (usual or kept or [0])[-1]


# ----------------------------------------------------------------------------------------------------------------- rows
def read_rows(
    path: Path,
    rows: Iterator[tuple[int, list[str]]],
    delimiter: str,
    target: str | None,
    task: str | None,
    ignore: list[str],
    header: bool | None,
) -> Table:
    line, fields = next(rows, (1, []))
    start = line
    if not fields:
        raise DataError(f"{path}, line 1: the file is empty.")
    if re.fullmatch("sep=.?", fields[0].lower()) and not any(fields[1:]):
        raise DataError(f"{path}, line {line}: {fields[0]!r} is a note for Excel, no name; delete this line.")
    names, named = names_of(path, line, fields, header, ignore)
    place, ignored = Place(path, names), {find(path, line, name, names) for name in ignore}
    goal = choose_target(path, line, target, names, ignored)
    features = [i for i in range(len(names)) if i != goal and i not in ignored]
    if not features:
        raise DataError(
            f"{path}, line {line}: {len(names)} column(s), of which none is left as a feature beside the target "
            f"{names[goal]!r}. The fields are taken to stand between {delimiter!r}: delimiter= says otherwise. "
            f"If line {line} is a title, delete it."
        )
    numbers, labels, lines = array("d"), [], array("q")
    first = [] if named else [(line, fields)]
    for line, fields in chain(first, rows):
        if len(fields) != len(names):
            column = min(len(fields), len(names))
            more = "longer" if len(fields) > len(names) else "shorter"
            title = "" if lines or more == "shorter" else f" If line {start} is a title, delete it."
            raise place.error(
                line, column, f"the row is {more} than the first: {len(fields)} fields, not {len(names)}.{title}"
            )
        cells = [fields[i] for i in features]
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            values = [math.nan]
        if not math.isfinite(sum(values)) or "_" in "".join(cells):
            values = [number(place, line, i, fields[i], first=not lines) for i in features]
        if is_missing(fields[goal]):
            raise place.error(line, goal, f"the target is missing ({fields[goal]!r}); leave the row out.")
        numbers.extend(values)
        labels.append(sys.intern(fields[goal]))
        lines.append(line)
    if not labels:
        raise DataError(f"{path}, line {line}: names of {len(names)} columns, and no row after them.")
    y, class_names = targets(place, goal, labels, lines, task)
    if class_names and not named and header is None:
        counts = np.bincount(y)
        if counts[y[0]] == 1 and np.delete(counts, y[0]).min() > 1:
            raise place.error(
                line=lines[0], column=goal, what=f"{labels[0][:40]!r} is in no other row: are these the names of the "
                "columns? Say header=True if they are, header=False if not."
            )  # fmt: skip
    X = np.frombuffer(numbers).reshape(len(labels), len(features))
    return Table(X, y, tuple([names[i] for i in features]), names[goal], class_names, lines)


def is_missing(text: str) -> bool:
    return text.lower() in MISSING or text == "None" or bool(re.fullmatch(r"#(N/A|NAME\?|[A-Z]+(/0)?!)", text.upper()))


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def number(place: Place, line: int, column: int, text: str, first: bool = False) -> float:
    """The number in a field; the error says what is there instead, and what can be done about it."""
    if is_missing(text):
        raise place.error(line, column, f"a value is missing ({text!r}); fill it in, or leave the row out.")
    if not is_number(text):
        name = place.names[column]
        if re.search(r"\d[;\t|]", text):
            remedy = "is another character between the fields? delimiter= says which."
        elif re.fullmatch(r"[+-]?\d+,\d+", text):
            remedy = "a decimal comma? Or one between thousands? Save the file with numbers like 1234.5."
        elif re.fullmatch(r"\W{0,2}\d[\d.,'’\s]*\D{0,3}", text):
            remedy = "save the file with numbers like 1234.5, without units, currency, % and marks between thousands."
        elif first:
            names = "if the line has the names of the columns, header=True; " if name == f"column {column + 1}" else ""
            remedy = (
                f"{names}if it is what to predict, target={name!r}; to leave the column out, ignore=[{name!r}]; "
                "for categories, make a column of 0 and 1 for each."
            )
        else:
            remedy = "correct it, or leave the row out."
        raise place.error(line, column, f"{text[:40]!r} is no number; {remedy}")
    value = float(text)
    if not math.isfinite(value):
        raise place.error(line, column, f"{text[:40]!r} is not finite; fill it in, or leave the row out.")
    return value


def targets(
    place: Place, column: int, labels: list[str], lines: Sequence[int], task: str | None
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """y, and the names of the classes: none for a regression."""
    first: dict[str, int] = {}  # the line of each
    for text, line in zip(labels, lines, strict=True):
        first.setdefault(text, line)
    texts = [text for text in first if not is_number(text)]
    if texts and len(texts) < len(first) and task is None:
        raise place.error(
            first[texts[0]], column, f"{texts[0][:40]!r} is no number, but other rows have one; correct it, or say "
            "that all are names of classes: task='classification'."
        )  # fmt: skip
    if texts and task == "regression":
        number(place, first[texts[0]], column, texts[0])
    if texts:
        return coded(place, column, labels, lines, sorted(first))
    values = {text: number(place, line, column, text) for text, line in first.items()}
    whole = all([value == int(value) for value in values.values()])
    if task is None:
        task = "classification" if whole and len(set(values.values())) <= MOST_CLASSES else "regression"
    if task == "classification" and whole:
        by_value = {text: str(int(value)) for text, value in values.items()}  # 1 and 1.0 are one class
        return coded(place, column, [by_value[text] for text in labels], lines, sorted(set(by_value.values()), key=int))
    if task == "classification":
        return coded(place, column, labels, lines, sorted(first, key=lambda text: (values[text], text)))
    y = np.array([values[text] for text in labels])
    if len(set(values.values())) == 1:
        raise one_value(place, column, labels, lines)
    return y, ()


def coded(
    place: Place, column: int, labels: list[str], lines: Sequence[int], classes: list[str]
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    if len(classes) == 1:
        raise one_value(place, column, labels, lines)
    code = {name: i for i, name in enumerate(classes)}
    return np.array([code[label] for label in labels], dtype=np.int64), tuple(classes)


def one_value(place: Place, column: int, labels: list[str], lines: Sequence[int]) -> DataError:
    return place.error(
        lines[0], column, f"all {len(labels)} rows, to line {lines[-1]}, are {labels[0][:40]!r}: one class only, "
        "nothing to learn. Is it the right target?"
    )  # fmt: skip
