"""Tables on their way from the draft, where they stand as paths, to the datasets that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.config.config import Config
from ft_core.config.draft import Draft
from ft_core.config.tables import Table

if TYPE_CHECKING:
    from ft_core.config import Dataset

Tables = Mapping[tuple[str, int], Table]
"""By key and index of the dataset."""


def take_tables(draft: Draft) -> Tables:
    """Return the tables of the draft; in its data their names take their place."""
    tables: dict[tuple[str, int], Table] = {}
    for key in ("datasets", "test_datasets"):
        entries = draft.data.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            table = entry.get("path") if isinstance(entry, dict) else None
            if isinstance(table, Table):
                tables[key, index] = table
                entry["path"] = table.path
    return tables


def with_tables(config: Config, tables: Tables) -> Config:
    """Return `config` whose datasets hold the tables that their paths name."""
    values: dict[str, Any] = {}
    for key in {key for key, _ in tables}:
        entries: tuple[Dataset, ...] = getattr(config, key)
        values[key] = tuple(entry.with_table(tables.get((key, index))) for index, entry in enumerate(entries))
    return config.model_copy(update=values)
