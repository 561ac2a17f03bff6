"""What a dataset's rows come from, once it is known: files, a table of the notebook, or what the datasets library loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from ft_core.config.tables import Table
from ft_core.data.files import (
    Broken,
    DataFile,
    Row,
    Rows,
    count_file,
    is_counted_quickly,
    is_random,
    open_file,
    read_file,
)
from ft_core.data.tables import count_table, table_rows
from ft_core.errors import DataError


class Source(Protocol):
    """Rows that are numbered from 0; one that cannot be read has a number too."""

    def read(self, start: int = 0) -> Iterator[Row | Broken]:
        """Yield the rows from number `start` on."""
        ...

    def count(self) -> int:
        """Return how many rows there are."""
        ...

    def open(self) -> Rows:
        """Return the rows by number."""
        ...

    @property
    def is_random(self) -> bool:
        """Whether any one row can be read without others."""
        ...


@dataclass(frozen=True)
class FilesSource:
    """The rows of files, one after the other."""

    files: tuple[DataFile, ...]

    def read(self, start: int = 0) -> Iterator[Row | Broken]:
        """Yield the rows; a file that has none of the first one's columns is refused."""
        first: tuple[DataFile, Row] | None = None
        for file in self.files:
            if start and start >= (count := count_file(file)):
                start -= count
                continue
            begun = False
            for row in read_file(file, start):
                if not begun and not isinstance(row, Broken):
                    begun = True
                    first = first or (file, row)
                    _require_like(row, file, *first)
                yield row
            start = 0

    def count(self) -> int:
        """Return how many rows all files have."""
        return sum(map(count_file, self.files))

    @property
    def is_counted_quickly(self) -> bool:
        """Whether counting is a matter of a second or two."""
        return all(map(is_counted_quickly, self.files))

    def open(self) -> Rows:
        """Return the rows by number."""
        return Joined([open_file(file) for file in self.files])

    @property
    def is_random(self) -> bool:
        """Whether any one row can be read without others."""
        return all(map(is_random, self.files))


def _require_like(row: Row, file: DataFile, first_file: DataFile, first: Row) -> None:
    if row and first and row.keys().isdisjoint(first):
        raise DataError(
            f"{file.name} has none of the columns of {first_file.name} ({', '.join(first)}); "
            f"its columns are {', '.join(row)}.",
            "Give each kind of rows its own entry, and name its files by data_files.",
        )


@dataclass(frozen=True)
class TableSource:
    """The rows of a notebook's variable."""

    table: Table
    split: str

    def read(self, start: int = 0) -> Iterator[Row | Broken]:
        """Yield the rows."""
        return islice(table_rows(self.table, self.split), start, None)

    def count(self) -> int:
        """Return how many rows the table has."""
        return count_table(self.table, self.split)

    def open(self) -> Rows:
        """Return the rows by number; all are made plain once."""
        return list(table_rows(self.table, self.split))

    @property
    def is_random(self) -> bool:
        """Whether any one row can be read without others: not where a row is made of a frame's columns."""
        return False


@dataclass(frozen=True)
class LoadedSource:
    """The rows of a Dataset of the datasets library; these lie on disk."""

    loaded: Any

    def read(self, start: int = 0) -> Iterator[Row | Broken]:
        """Yield the rows."""
        for row in (
            self.loaded.select(range(min(start, len(self.loaded)), len(self.loaded)))
            if start
            else self.loaded
        ):
            yield dict(row)

    def count(self) -> int:
        """Return how many rows there are."""
        return len(self.loaded)

    def open(self) -> Rows:
        """Return the rows by number."""
        return self.loaded

    @property
    def is_random(self) -> bool:
        """Whether any one row can be read without others."""
        return True


class Joined:
    """Rows of several sources under one count."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = [(len(part), part) for part in parts]

    def __len__(self) -> int:
        return sum(length for length, _ in self.parts)

    def __getitem__(self, number: int) -> Row | Broken:
        for length, part in self.parts:
            if number < length:
                return part[number]
            number -= length
        raise IndexError(number)
