"""Single values out of a row, or a sentence that names the column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ft_core.config.problems import listed
from ft_core.data.formats.columns import kind_of
from ft_core.errors import DataError


def first_column(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the first of `names` that `row` has; a null stands for a column that the row lacks.

    >>> first_column({"input": None, "question": "Why?"}, ("input", "question"))
    'question'

    Raises
    ------
    DataError
        The row has none of them.
    """
    found = next((name for name in names if row.get(name) is not None), None)
    if found is not None:
        return found
    missing = listed([repr(name) for name in names])
    held = ", ".join(repr(name) for name, value in row.items() if value is not None)
    raise DataError(
        f"there is no {missing}; the row has {held or 'nothing'}.",
        "Choose the type that fits these rows, or spell it out as a map with field_prompt and the others.",
    )


def read_text(row: Mapping[str, Any], *names: str) -> str:
    """Return the text in the first of the columns `names` that `row` has; a number is written out.

    >>> read_text({"chosen": 4}, "chosen")
    '4'

    Raises
    ------
    DataError
        The row has no such column, or it holds neither text nor a number.
    """
    name = first_column(row, names)
    return as_text(row[name], name)


def read_system(row: Mapping[str, Any], name: str = "system") -> str:
    """Return the system prompt of `row`; empty where there is none."""
    return "" if row.get(name) is None else as_text(row[name], name)


def as_text(value: object, name: str) -> str:
    """Return `value`, which stands at `name`, as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise DataError(
        f"'{name}' must be text, not {kind_of(value)}.",
        "Choose the type that fits these rows, or mend the row.",
    )


def read_label(row: Mapping[str, Any], name: str) -> bool:
    """Return whether the column `name` calls the answer a good one.

    >>> read_label({"label": 1}, "label")
    True

    Raises
    ------
    DataError
        The column is missing, or it is neither true, false, 1 nor 0.
    """
    value = row.get(name)
    # A table of CSV has numbers where JSON has truth values.
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    held = "null or missing" if value is None else repr(value)
    raise DataError(
        f"'{name}' must be true or false, not {held}.",
        "rl: kto needs a verdict for every answer: true for a good one, false for a bad one.",
    )
