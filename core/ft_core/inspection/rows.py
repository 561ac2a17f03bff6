"""The rows of a config by their place: the number of a row counted through all of its datasets."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast

from ft_core.data.files import Row
from ft_core.data.sources import OpenRows, open_rows
from ft_core.data.tokenize import BATCH

if TYPE_CHECKING:
    from ft_core.config import Config, Dataset

Purpose = Literal["train", "evaluate"]

_FIRST = ("user", "human", "prompter")
"""Roles whose first message says what a conversation is about."""


@dataclass(frozen=True)
class DatasetRows:
    """A dataset and its places ``[first, first + count)``.

    Attributes
    ----------
    dataset
        The entry of the config.
    purpose
        ``train`` for those of ``datasets``, ``evaluate`` for those of ``test_datasets``.
    first, count
        The place of its first row, and how many rows it has, broken ones among them.
    """

    dataset: Dataset
    purpose: Purpose
    first: int
    count: int


class RowList:
    """All rows of a config, those of ``test_datasets`` last; any of them can be read from any thread.

    Parameters
    ----------
    config
        What names the datasets.

    Raises
    ------
    DataError, MissingExtra
        As `ft_core.data.sources.open_rows`.
    """

    def __init__(self, config: Config) -> None:
        self._opened: list[OpenRows] = []
        # What reads Parquet keeps the group it read last.
        self._locks: list[Lock] = []
        datasets: list[DatasetRows] = []
        first = 0
        for dataset, purpose in datasets_of(config):
            rows = open_rows(dataset, seed=config.seed)
            self._opened.append(rows)
            self._locks.append(Lock())
            datasets.append(DatasetRows(dataset, purpose, first, len(rows)))
            first += len(rows)
        self.datasets = tuple(datasets)
        self._starts = [each.first for each in datasets]
        self._total = first

    def of_config(self, config: Config) -> RowList:
        """Return the same rows for a config that reads other things out of them: as many datasets of the same rows."""
        other = copy(self)
        other.datasets = tuple(
            replace(each, dataset=dataset)
            for each, (dataset, _) in zip(self.datasets, datasets_of(config), strict=True)
        )
        return other

    def __len__(self) -> int:
        return self._total

    def locate(self, place: int) -> tuple[int, int]:
        """Return the number of the dataset that a place is in, and which of its rows it is, both from 0."""
        if not 0 <= place < self._total:
            raise IndexError(place)
        # An empty dataset begins where the next one does.
        index = bisect_right(self._starts, place) - 1
        return index, place - self._starts[index]

    def row(self, place: int) -> tuple[int, Row]:
        """Return the number of a row in its source, from 0, and the row; raises a DataError where it is broken."""
        index, inside = self.locate(place)
        with self._locks[index]:
            return self._opened[index][inside]

    def preview(self, place: int, width: int = 200) -> str:
        """Return what a row is about, on one line of at most `width` characters; raises as `row` does."""
        _, row = self.row(place)
        return one_line(_about(row, self.datasets[self.locate(place)[0]].dataset), width)


def datasets_of(config: Config) -> list[tuple[Dataset, Purpose]]:
    """Return the datasets of a config in the order of their places, and what each is for."""
    return [
        *((dataset, "train") for dataset in config.datasets),
        *((dataset, "evaluate") for dataset in config.test_datasets),
    ]


def one_line(text: str, width: int) -> str:
    r"""Return the beginning of a text, with its white space as single spaces.

    >>> one_line("Why\n\n so long?", 8)
    'Why so…'
    """
    # Of a text of megabytes only the beginning is looked at; white space may fill much of it.
    line = " ".join(text[: 8 * width].split())
    if len(line) <= width and len(text) <= 8 * width:
        return line
    return line[: width - 1].rstrip() + "…"


def _about(row: Mapping[str, Any], dataset: Dataset) -> str:
    """Return the text of a row that tells most of it: what is asked first, else the first text there is."""
    columns = (dataset.field_messages, "messages", "conversations")
    for value in (row.get(name) for name in dict.fromkeys(columns)):
        if isinstance(value, list) and value:
            return _first_question(cast("list[object]", value), dataset)
    for name in (dataset.field, dataset.text_column, "instruction", "question", "prompt", "text"):
        if isinstance(value := row.get(name), str) and value.strip():
            return value
    texts = [value for value in row.values() if isinstance(value, str) and value.strip()]
    return texts[0] if texts else _written(row)


def _first_question(messages: Iterable[object], dataset: Dataset) -> str:
    names = dataset.message_property_mappings
    said: list[tuple[str, str]] = []
    for message in messages:
        if not isinstance(message, Mapping):
            continue
        entry = cast("Mapping[str, object]", message)
        role = str(entry.get(names["role"], entry.get("from", "")))
        content = entry.get(names["content"], entry.get("value", ""))
        said.append((role, content if isinstance(content, str) else _written(content)))
        if role in _FIRST:
            return said[-1][1]
    return said[0][1] if said else ""


def _written(value: object) -> str:
    """Return a value as JSON, or as Python writes it where it is none."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


@dataclass(frozen=True)
class Batch:
    """Neighbouring rows of one dataset, as training reads them together: the places ``[first, stop)``."""

    dataset: int
    first: int
    stop: int


def batches(rows: RowList) -> list[Batch]:
    """Return all rows in batches, in order."""
    return [
        Batch(index, first, min(first + BATCH, each.first + each.count))
        for index, each in enumerate(rows.datasets)
        for first in range(each.first, each.first + each.count, BATCH)
    ]
