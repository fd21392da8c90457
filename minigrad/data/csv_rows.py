"""The rows of a CSV file, each with its line, and errors that say where: file, line, column."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from ..errors import DataError

__all__ = ["Place", "estimate", "first_line", "not_text", "rows", "separator"]

SAMPLE = 1 << 20  # so much of the file is looked at before it is loaded
LONGEST = 1 << 26  # characters of a line; a longer one is no line of a table


class Place:
    """Says where: file, line, and column with its name."""

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path, self.names = path, names

    def error(self, line: int, column: int, what: str) -> DataError:
        name = self.names[column] if column < len(self.names) else ""
        named = f" ({name!r})" if name and name != f"column {column + 1}" else ""
        return DataError(f"{self.path}, line {line}, column {column + 1}{named}: {what}")


def first_line(path: Path, file: TextIO) -> str:
    """The first line with something in it."""
    for line in re.split(r"[\r\n]+", file.read(SAMPLE)):
        if line.strip():
            return line
    raise DataError(f"{path}, line 1: the file is empty.")


def separator(line: str) -> str:
    """What stands most often between the fields of a line; in case of doubt a comma."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(",;\t|", key=bare.count)


def estimate(path: Path, columns: int) -> float:
    """How many bytes reading takes: a number in the file is 8 bytes in the memory, and room is taken in advance."""
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    rows = max(sample.count(b"\n"), sample.count(b"\r"), 1) * (path.stat().st_size / max(len(sample), 1))
    return rows * (columns + 4) * 8 * 1.5


def rows(path: Path, file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row's first line and its fields; lines without anything are left out."""

    def lines() -> Iterator[str]:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST), ""), 1):
            if "\0" in line:
                column = line[: line.index("\0")].count(delimiter) + 1
                raise DataError(
                    f"{path}, line {number}, column {column}: a NUL byte: this is no text, or UTF-16; save it as CSV "
                    "in UTF-8."
                )
            if len(line) == LONGEST:
                raise DataError(f"{path}, line {number}: the line has more than {LONGEST} characters: no table?")
            yield line

    try:
        reader = csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    except TypeError as error:
        raise ValueError(f"read_csv: delimiter={delimiter!r}; it is a single character.") from error
    start = 1
    try:
        for fields in reader:
            fields = [field.strip() for field in fields]
            if any(fields) or len(fields) > 1:
                yield start, fields
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {start}: {error}; look for a quotation mark that is opened and not closed there, or inside "
            'a field (written twice: "").'
        ) from error


def not_text(path: Path, delimiter: str | None) -> DataError:
    """Where the first byte is that is not UTF-8."""
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
            delimiter = delimiter or separator(line.decode("latin-1"))
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                column = line[: error.start].count(delimiter.encode()) + 1
                kinds = {
                    b"PK": "an Excel workbook", b"\x1f\x8b": "a gzipped file", codecs.BOM_UTF16_LE: "UTF-16",
                    codecs.BOM_UTF16_BE: "UTF-16",
                }  # fmt: skip
                kind = kinds.get(line[:2], "perhaps Latin-1")
                return DataError(
                    f"{path}, line {number}, column {column}: byte {start + error.start} ({line[error.start]:#04x}) is "
                    f"not UTF-8 ({kind}); save the file as CSV in UTF-8."
                )
            start += len(line)
    return DataError(f"{path}: the file is not UTF-8; save it as CSV in UTF-8.")  # it changed meanwhile
