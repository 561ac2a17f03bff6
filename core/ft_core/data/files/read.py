"""The rows of a file: one after the other, their number, and any one of them."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

from ft_core.data.files.broken import Broken, Row
from ft_core.data.files.column_rows import (
    ParquetRows,
    count_arrow,
    count_parquet,
    open_arrow,
    read_arrow,
    read_parquet,
)
from ft_core.data.files.csv_rows import count_csv, read_csv
from ft_core.data.files.json_rows import holds_list, parse_line, read_json
from ft_core.data.files.kinds import BINARY, DataFile
from ft_core.data.files.lines import LineIndex, index_lines, numbered_lines
from ft_core.data.files.text_rows import read_text, text_line
from ft_core.errors import DataError

QUICK_LINES = 2**30
QUICK_ROWS = 2**25
"""Bytes of a file whose rows are counted in well under two seconds: by its line breaks, and by reading it."""


class Rows(Protocol):
    """Rows by number; what cannot be read is `Broken`."""

    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Row | Broken: ...


def read_file(file: DataFile, start: int = 0) -> Iterator[Row | Broken]:
    """Yield the rows of a file from number `start` (from 0) on.

    Raises
    ------
    DataError
        It cannot be read as what it should be, and not only in one row.
    """
    with _readable(file):
        yield from _READERS[file.kind](file, start)


def count_file(file: DataFile) -> int:
    """Return how many rows a file has, broken ones among them; raises as `read_file` does."""
    with _readable(file):
        if file.kind == "parquet":
            return count_parquet(file)
        if file.kind == "arrow":
            return count_arrow(file)
        if file.kind == "csv":
            return count_csv(file)
        if _is_plain(file):
            return len(_index(file))
        return sum(1 for _ in read_file(file))


def is_counted_quickly(file: DataFile) -> bool:
    """Return whether counting the rows is a matter of a second or two."""
    if file.kind in BINARY:
        return True
    with _readable(file):
        limit = QUICK_LINES if _is_plain(file) else QUICK_ROWS
        return file.path.stat().st_size <= limit


def is_random(file: DataFile) -> bool:
    """Return whether any one row can be read without others."""
    with _readable(file):
        return file.kind == "arrow" or _is_plain(file)


def open_file(file: DataFile) -> Rows:
    """Return the rows by number.

    Of a file of lines only the places of the line breaks are read, of a Parquet file a group of rows at a time. A CSV, a
    JSON list and a compressed file are read whole, and held.
    """
    with _readable(file):
        if file.kind == "parquet":
            return ParquetRows(file)
        if file.kind == "arrow":
            return open_arrow(file)
        if _is_plain(file):
            return _LineRows(file, _index(file))
        return list(read_file(file))


class _LineRows:
    """The rows of a file of lines; it is opened for each of them, and never held open."""

    def __init__(self, file: DataFile, index: LineIndex) -> None:
        self.file, self.index = file, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, number: int) -> Row | Broken:
        line_number = int(self.index.numbers[number])
        with _readable(self.file), self.file.path.open("rb") as stream:
            stream.seek(int(self.index.offsets[number]))
            _, line = next(numbered_lines(stream, self.file.name, line_number))
        parse = text_line if self.file.kind == "text" else parse_line
        return line if isinstance(line, Broken) else parse(line, self.file.name, line_number)


def _index(file: DataFile) -> LineIndex:
    return index_lines(file.path, keep_blank=file.kind == "text")


def _is_plain(file: DataFile) -> bool:
    """Whether the rows are the lines of the file as it lies there."""
    if file.compression or file.kind not in ("json", "text"):
        return False
    return file.kind == "text" or not holds_list(file)


@contextmanager
def _readable(file: DataFile) -> Generator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(
            f"{file.name} cannot be read: {error}.", "Check the file and its permissions."
        ) from error


_READERS: dict[str, Callable[[DataFile, int], Iterator[Row | Broken]]] = {
    "json": read_json,
    "csv": read_csv,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "text": read_text,
}
