"""Rows that a notebook holds, as the path of a dataset: ``path: $df``.

A table is known by the name of its class, so that neither pandas nor any other library of tables is imported for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ft_core.config.problems import clipped

Kind = Literal["list", "pandas", "polars", "arrow", "datasets", "splits"]
"""What gives rows: a list of dicts, a frame, a table of pyarrow, a Dataset of the datasets library, a DatasetDict."""

CLASSES: dict[tuple[str, str], Kind] = {
    ("pandas", "DataFrame"): "pandas",
    ("pyarrow", "Table"): "arrow",
    ("datasets", "Dataset"): "datasets",
    ("datasets", "DatasetDict"): "splits",
}
"""Package and name of the classes that are known."""

STREAMS = (("datasets", "IterableDataset"), ("datasets", "IterableDatasetDict"))

USE = "use a pandas or polars DataFrame, a list of dicts, a datasets.Dataset or a pyarrow Table, or the path of a file"


@dataclass(frozen=True, eq=False)
class Table:
    """A variable that holds rows. Two are equal when they hold the same object.

    Attributes
    ----------
    name
        The variable's name, or one made of where the rows stand in a mapping: ``datasets_0``.
    value
        What it held when the config was loaded: an object of one of the `Kind`s.
    """

    name: str
    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    @property
    def path(self) -> str:
        """What the dataset's path says: ``$df``."""
        return f"${self.name}"


def is_table_place(path: tuple[str | int, ...]) -> bool:
    """Whether `path` is where rows may stand.

    >>> is_table_place(("datasets", 0, "path")), is_table_place(("datasets", 0, "name"))
    (True, False)
    """
    return len(path) == 3 and path[0] in ("datasets", "test_datasets") and path[2] == "path"


def kind_of(value: object) -> Kind | None:
    """Return what kind of table `value` is, None where it is none.

    >>> kind_of([{"text": "a"}]), kind_of("rows.jsonl")
    ('list', None)
    """
    if isinstance(value, (list, tuple)):
        return "list"
    for name in _class_names(value):
        if name in CLASSES:
            return CLASSES[name]
    # A polars frame, and whatever gives its rows as one does.
    return "polars" if hasattr(value, "to_dicts") and hasattr(value, "iter_rows") else None


def fault_of(value: Any) -> tuple[str, str] | None:
    """Return why `value` gives no rows, as what follows its name in a sentence, with what to do; None where it does."""
    kind = kind_of(value)
    if kind is None:
        if any(name in STREAMS for name in _class_names(value)):
            return (
                f"is {article(value)}, which streams its rows; that is not supported yet",
                "load it without streaming, or take rows from it: rows = list(stream.take(1000))",
            )
        return f"is {article(value)}, which is no table of rows", USE
    if kind == "list":
        return _fault_of_list(value)
    parts: list[Any] = list(value.values()) if kind == "splits" else [value]
    for part in parts:
        fault = _fault_of_columns(_columns(part))
        if fault is not None:
            return fault
    if not any(len(part) for part in parts):
        return "has no rows", "put at least one row into it"
    return None


def article(value: object) -> str:
    """Return the name of the class of `value` after its article.

    >>> article([]), article(3)
    ('a list', 'an int')
    """
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _class_names(value: object) -> list[tuple[str, str]]:
    """Return package and name of the class of `value` and of those that it is made from."""
    return [(made.__module__.partition(".")[0], made.__name__) for made in type(value).__mro__]


def _columns(value: Any) -> list[object]:
    names: Iterable[object] = value.column_names if hasattr(value, "column_names") else value.columns
    return list(names)


def _fault_of_columns(columns: list[object]) -> tuple[str, str] | None:
    for name in columns:
        if not isinstance(name, str):
            return (
                f"has a column that is called {clipped(repr(name))}; the name of a column must be text",
                "rename it, or all of them: df.columns = [str(name) for name in df.columns]",
            )
    name, count = Counter(columns).most_common(1)[0] if columns else ("", 0)
    if count > 1:
        return f"has {count} columns '{clipped(str(name))}'", "rename them, or drop all but one"
    return None


def _fault_of_list(rows: list[Any] | tuple[Any, ...]) -> tuple[str, str] | None:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            return f"is {article(rows)} whose row {number} is {article(row)}, not a dict", USE
        for name in row:  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(name, str):
                return (
                    f"has the key {clipped(repr(name))} in row {number}; the name of a column must be text",  # pyright: ignore[reportUnknownArgumentType]
                    "rename it",
                )
    return None if rows else ("has no rows", "put at least one row into it")
