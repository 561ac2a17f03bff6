"""CSV to rows: the first line names the columns, and what is in a column decides what its cells are.

A column of whole numbers, of numbers or of ``true`` and ``false`` is that in all its cells; any other is text, as it
stands: ``007``, ``NA`` and ``None`` stay what they are. An empty cell is null. So the file is read twice, and never held.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ft_core.data.files.broken import Broken, Row
from ft_core.data.files.kinds import DataFile
from ft_core.data.files.lines import MAX_LINE, numbered_lines, open_stream
from ft_core.errors import DataError

SEPARATORS = (",", ";", "\t")
"""What may stand between two cells; the first of these that is in the first line does."""

CSV = "Write a CSV file with a name for each column in its first line."

_TRUTH = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}

Convert = Callable[[str], Any]

_TYPES: tuple[tuple[re.Pattern[str], Convert], ...] = (
    (re.compile(r"-?(0|[1-9][0-9]{0,17})"), int),
    (re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?"), float),
    (re.compile("|".join(_TRUTH)), _TRUTH.__getitem__),
)
"""What a column may be besides text; the first that all cells are written as."""

_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def read_csv(file: DataFile, start: int = 0) -> Iterator[Row | Broken]:
    """Yield the rows of a CSV file from number `start` on; one with more cells than columns is broken.

    Raises
    ------
    DataError
        The first line cannot name columns, or a quote is never closed: the rest of the file is then one cell.
    """
    table = _survey(file)
    if table is None:
        return
    for number, (place, cells) in enumerate(_records(file, table.separator)):
        # The names themselves come first.
        if number > start:
            fault = cells if isinstance(cells, Broken) else _fault(place, cells, table.names)
            yield fault or _row(cells, table)


def count_csv(file: DataFile) -> int:
    """Return how many rows there are, broken ones among them; raises as `read_csv` does."""
    table = _survey(file)
    return table.rows if table else 0


@dataclass(frozen=True)
class _Table:
    """How a file is written: what parts its cells, and for each column its name and what becomes of its text."""

    separator: str
    names: tuple[str, ...]
    converts: tuple[Convert, ...]
    rows: int


def _survey(file: DataFile) -> _Table | None:
    """Read the whole file once; None where it is empty."""
    separator = _separator(file)
    records = _records(file, separator)
    first = next(records, None)
    if first is None:
        return None
    names = _names(file, *first)
    types = [list(_TYPES) for _ in names]
    rows = 0
    for place, cells in records:
        rows += 1
        if isinstance(cells, Broken) or _fault(place, cells, names):
            continue
        # Most columns are text by their first cell; zip ends at the shorter of the two.
        for left, cell in zip(types, cells, strict=False):
            if left and cell:
                left[:] = [kind for kind in left if kind[0].fullmatch(cell)]
    return _Table(separator, names, tuple(left[0][1] if left else str for left in types), rows)


def _separator(file: DataFile) -> str:
    with open_stream(file) as stream:
        for _, line in numbered_lines(stream, file.name):
            if isinstance(line, bytes) and line.strip():
                return next((sign for sign in SEPARATORS if sign.encode() in line), SEPARATORS[0])
    return SEPARATORS[0]


def _names(file: DataFile, place: str, cells: Sequence[str] | Broken) -> tuple[str, ...]:
    if isinstance(cells, Broken):
        raise cells.error()
    if cells[0].startswith(("{", "[{")):
        raise DataError(
            f"{file.name}: this is JSON, not what its name says.", "Name it .jsonl, or write ds_type: json."
        )
    # What pandas writes as index has no name; it and the datasets library call it so.
    names = [name or f"Unnamed: {at}" for at, name in enumerate(cells)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{place}: two columns are called '{twice}'.", "Give each column a name of its own.")
    return tuple(names)


def _records(file: DataFile, separator: str) -> Iterator[tuple[str, list[str] | Broken]]:
    """Yield the records that are not blank, each with its place: a record may go over several lines."""
    # The limit is the process's, and its default of 128 KB is less than a long text; it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    with open_stream(file) as stream:
        reader = csv.reader(_text_lines(stream, file.name), delimiter=separator, strict=True)
        while True:
            place = f"{file.name} line {reader.line_num + 1}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise DataError(f"{place}: a quote is opened here and never closed.", CSV) from error
                yield place, Broken(place, f"not valid CSV ({error})", CSV)
                continue
            if cells:
                yield place, cells


def _text_lines(stream: Any, name: str) -> Iterator[str]:
    for _, line in numbered_lines(stream, name):
        if isinstance(line, Broken):
            raise line.error()
        # A byte that is no UTF-8 must not end the reading of the record it is in; `_fault` finds it.
        yield line.decode(errors="surrogateescape")


def _fault(place: str, cells: Sequence[str], names: Sequence[str]) -> Broken | None:
    """Return what is wrong with a record that can be taken apart."""
    if len(cells) > len(names):
        columns = "1 column" if len(names) == 1 else f"{len(names)} columns"
        return Broken(place, f"{len(cells)} cells, and the first line names {columns}", CSV)
    for cell in cells:
        if not cell.isascii() and (byte := _NOT_UTF8.search(cell)):
            return Broken(
                place, f"not UTF-8 text (a byte is 0x{ord(byte[0]) - 0xDC00:02x})", "Save the file as UTF-8."
            )
        if "\0" in cell:
            return Broken(place, "a cell holds NUL bytes", "Name a file of text.")
    return None


def _row(cells: Sequence[str] | Broken, table: _Table) -> Row:
    row: Row = dict.fromkeys(table.names)
    for name, convert, cell in zip(table.names, table.converts, cells, strict=False):  # pyright: ignore
        if cell:
            row[name] = convert(cell)
    return row
