"""What a pass over all rows finds: a few numbers for each sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_core.data.sieve import BROKEN, NOTHING_TRAINED, TOO_LONG, too_short
from ft_core.errors import FtError

if TYPE_CHECKING:
    from ft_core.config import Config


NAMED = 20
"""How many of the broken rows are named with their reason."""


def reasons(config: Config) -> tuple[str, ...]:
    """Return why samples are left out, by the numbers in `Columns.dropped`; the first is that they are not."""
    return ("", TOO_LONG, too_short(config), NOTHING_TRAINED, BROKEN)


@dataclass(frozen=True, eq=False)
class Columns:
    """Of each sample, in the order of the places: arrays of shape ``[samples]``.

    A row that is no sample has one entry too, with a length of 0 and the flag ``broken``.

    Attributes
    ----------
    place, ordinal
        The row, and which of its samples this is, from 0; int32.
    length, trained, cut
        Tokens, those with a label, and those that were cut off its end; int32.
    flags
        Bit n stands for ``FLAGS[n]`` of `ft_core.inspection.flags`; uint32.
    dropped
        0 where training takes it; else the reason, as a number of `ft_core.inspection.scan.reasons`; uint8.
    digest, answer
        Of its ids and labels, and of what is trained alone; uint64.
    """

    place: NDArray[np.int32]
    ordinal: NDArray[np.int32]
    length: NDArray[np.int32]
    trained: NDArray[np.int32]
    cut: NDArray[np.int32]
    flags: NDArray[np.uint32]
    dropped: NDArray[np.uint8]
    digest: NDArray[np.uint64]
    answer: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.place)

    def part(self, which: slice | NDArray[np.bool_]) -> Columns:
        """Return some of the samples."""
        return Columns(*(getattr(self, each.name)[which] for each in fields(self)))


_TYPES: dict[str, Any] = {
    "flags": np.uint32,
    "dropped": np.uint8,
    "digest": np.uint64,
    "answer": np.uint64,
}
"""Of the columns that are not int32."""


def columns_of(entries: Sequence[tuple[int, ...]]) -> Columns:
    """Return the columns of samples that are given as tuples, in the order of the columns."""
    names = [each.name for each in fields(Columns)]
    values = zip(*entries, strict=True) if entries else ((),) * len(names)
    arrays: Any = (
        np.array(column, _TYPES.get(name, np.int32)) for name, column in zip(names, values, strict=True)
    )
    return Columns(*arrays)


def join(parts: Sequence[Columns]) -> Columns:
    """Return columns one after the other."""
    arrays = ([getattr(part, each.name) for part in parts] for each in fields(Columns))
    return Columns(*map(np.concatenate, arrays)) if parts else columns_of([])


@dataclass(frozen=True, eq=False)
class Scanned:
    """What a batch of rows gave.

    Attributes
    ----------
    columns
        A few numbers for each sample.
    roles, trained_roles
        Tokens of each role, and those of them that have a label.
    unknown
        How many rows have a role that nobody knows, by the role.
    stops
        How many samples leave a stop token untrained, by the token.
    causes
        How many rows are no sample, by the reason, in which ``…`` stands for numbers.
    broken
        The first rows that are no sample: the place and why.
    """

    columns: Columns
    roles: Counter[str] = field(default_factory=Counter[str])
    trained_roles: Counter[str] = field(default_factory=Counter[str])
    unknown: Counter[str] = field(default_factory=Counter[str])
    stops: Counter[str] = field(default_factory=Counter[str])
    causes: Counter[str] = field(default_factory=Counter[str])
    broken: tuple[tuple[int, FtError], ...] = ()


class ScanTable:
    """What was found so far, batch by batch, in whatever order these come; from any thread.

    Attributes
    ----------
    version
        Grows with each batch.
    totals
        What the batches count, summed: as of `Scanned`.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._parts: dict[int, Columns] = {}
        self._joined = columns_of([])
        self._joined_version = 0
        self.version = 0
        self.totals = Scanned(columns_of([]))

    def add(self, first: int, scanned: Scanned) -> None:
        """Put the batch that begins at place `first` in."""
        with self._lock:
            self._parts[first] = scanned.columns
            self.version += 1
            for name in ("roles", "trained_roles", "unknown", "stops", "causes"):
                getattr(self.totals, name).update(getattr(scanned, name))
            broken = sorted((*self.totals.broken, *scanned.broken), key=lambda item: item[0])
            self.totals = replace(self.totals, broken=tuple(broken[:NAMED]))

    def columns(self) -> Columns:
        """Return the columns of all samples so far, in the order of their places."""
        with self._lock:
            if self._joined_version != self.version:
                self._joined = join([self._parts[first] for first in sorted(self._parts)])
                self._joined_version = self.version
            return self._joined
