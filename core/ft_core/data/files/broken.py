"""Rows that cannot be read: each with its place and the reason, to be raised, or left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Config

Row = dict[str, Any]

MAX_LISTED = 10
"""How many of the rows that were left out are named."""


@dataclass(frozen=True)
class Broken:
    """What stands in the place of a row that cannot be read.

    Attributes
    ----------
    place
        The file and the line, as people write them: ``rows.jsonl line 3``.
    why
        What is wrong, as what follows the place in a sentence.
    fix
        What to do, as a sentence.
    """

    place: str
    why: str
    fix: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"

    def error(self) -> DataError:
        """Return the error for a dataset that must not have broken rows."""
        return DataError(str(self), self.fix)


@dataclass
class Skipped:
    """The broken rows that were left out.

    Attributes
    ----------
    counts
        How many, by the path of their dataset.
    first
        The first ten of all, each with its place and the reason.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    first: list[str] = field(default_factory=list[str])

    @property
    def total(self) -> int:
        """How many rows of all datasets."""
        return sum(self.counts.values())

    def add(self, path: str, row: str) -> None:
        """Count a row of the dataset at `path`; `row` says where it is and what is wrong with it."""
        self.counts[path] += 1
        if len(self.first) < MAX_LISTED:
            self.first.append(row)

    def sentences(self) -> tuple[str, ...]:
        """Return what to tell of them: nothing where there are none."""
        return told_of(self.total, self.first)


def told_of(total: int, first: Sequence[str]) -> tuple[str, ...]:
    """Return what to tell of `total` rows that were left out, of which `first` are named.

    >>> told_of(2, ["a.jsonl line 1: not valid JSON"])
    ('2 broken rows are left out (broken_rows is skip): a.jsonl line 1: not valid JSON ... and 1 more',)
    """
    if not total:
        return ()
    rows = "1 broken row is" if total == 1 else f"{total:,} broken rows are"
    more = f" ... and {total - len(first):,} more" if total > len(first) else ""
    return (f"{rows} left out (broken_rows is skip): {'; '.join(first)}{more}",)


def skipped_by(config: Config) -> Skipped | None:
    """Return what counts the broken rows of a config, or None where each of them is an error."""
    return Skipped() if config.broken_rows == "skip" else None
