"""Rows of a notebook's table, as a file of JSON Lines would give them.

What is looked at in the notebook is read by `table_rows`; a run trains on the file that `write_tables` makes of the same
rows. Both are the same values: a missing one (NaN, NaT, NA) is null, a numpy array a list, a date its ISO text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

from ft_core.config.tables import Table, article, kind_of
from ft_core.data.files import Row
from ft_core.errors import DataError

MAX_DEPTH = 100
"""Levels of lists and dicts that a value may have; more is a structure that holds itself."""

MAX_BITS = 14_000
"""Bits of an integer; Python neither writes nor reads more than 4,300 digits."""

_NUMPY_KINDS = "biufUO"
"""Kinds of numpy's arrays and scalars that Python has as well: truth values, numbers, text, objects."""


def table_rows(table: Table, split: str) -> Iterator[Row]:
    """Yield the rows of a table.

    Parameters
    ----------
    table
        What the variable holds.
    split
        Which of the tables of a DatasetDict; ``train`` for any other.

    Raises
    ------
    DataError
        There is no such split, or a value cannot be written as JSON; the message names row and column.
    """
    for number, row in enumerate(_raw_rows(table_of_split(table, split)), 1):
        yield _plain_row(row, table, number)


def count_table(table: Table, split: str) -> int:
    """Return how many rows a table has; raises as `table_rows` does."""
    return len(table_of_split(table, split))


def table_of_split(table: Table, split: str) -> Any:
    """Return the one table of `split`, or raise a DataError where there is no such split, or nothing in it."""
    if kind_of(table.value) != "splits":
        if split != "train":
            raise DataError(
                f"'{table.path}' is one table without splits, so it has no '{split}'.",
                "Leave split out, or take a part of the rows, as in train[:100].",
            )
        return table.value
    if split not in table.value:
        raise DataError(
            f"'{table.path}' has no split '{split}'.", f"Use one of: {', '.join(map(str, table.value))}."
        )
    if not len(table.value[split]):
        raise DataError(
            f"There are no rows in '{table.path}' (split {split}).",
            "Choose another split, or put rows into it.",
        )
    return table.value[split]


def _raw_rows(value: Any) -> Iterable[Any]:
    """Return the rows of one table with the values that it gives by itself."""
    match kind_of(value):
        case "pandas":
            names = list(value.columns)
            return (
                dict(zip(names, cells, strict=True)) for cells in value.itertuples(index=False, name=None)
            )
        case "arrow":
            return (row for batch in value.to_batches(max_chunksize=1024) for row in batch.to_pylist())
        case "polars":
            return value.iter_rows(named=True)
        case "datasets" if value.format["type"] != "custom":
            # A format of tensors or frames says how the user looks at the rows; a transform (custom) makes them.
            batches = value.with_format(None).iter(batch_size=1024)
            return (
                dict(zip(batch, cells, strict=True))
                for batch in batches
                for cells in zip(*batch.values(), strict=True)
            )
        case _:
            return value


def _plain_row(row: Any, table: Table, number: int) -> Row:
    if not isinstance(row, Mapping):
        raise DataError(
            f"{table.path}, row {number}: this is {article(row)}, not a dict.", "Make every row a dict."
        )
    plain: Row = {}
    name = None
    try:
        for name, value in cast("Mapping[Any, Any]", row).items():
            plain[_text_key(name)] = _plain(value, 0)
    except _UnwritableError as error:
        raise DataError(
            f"{table.path}, row {number}, column '{name}': {error} cannot be written as JSON.",
            "Make it text, a number, a list or a dict, or drop the column.",
        ) from error
    return plain


class _UnwritableError(Exception):
    """JSON has nothing for a value; the message names it."""


def _plain(value: Any, depth: int) -> Any:
    """Return `value` as JSON gives it back."""
    # By its very type first: the checks below take most of the time that a table of a million rows needs.
    if value is None or type(value) in (str, bool):
        return value
    if depth > MAX_DEPTH:
        raise _UnwritableError("a value that is nested too deeply")
    if type(value) is dict or isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {_text_key(key): _plain(item, depth + 1) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in cast("Iterable[Any]", value)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise _UnwritableError("an integer of more than 4,300 digits")
        return int(value)
    if _is_missing(value):
        return None
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID, PurePath)):
        return str(value)
    if getattr(getattr(value, "dtype", None), "kind", "") in tuple(_NUMPY_KINDS):
        return _plain(value.tolist(), depth + 1)
    raise _UnwritableError(article(value))


def _is_missing(value: Any) -> bool:
    """Whether `value` is NaN, NaT or pandas' NA."""
    if isinstance(value, Decimal):
        return value.is_nan()
    # NaN and NaT do not equal themselves; NA answers no such question.
    return type(value).__name__ == "NAType" or (isinstance(value, (float, date)) and value != value)


def _text_key(key: Any) -> str:
    if type(key) is str:
        return key
    if not isinstance(key, str):
        raise _UnwritableError(f"the key {key!r}, which is no text,")
    return str.__str__(key)
