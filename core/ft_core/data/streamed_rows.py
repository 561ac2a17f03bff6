"""The rows of a dataset as a stream: read in order, never held, each of them for one rank.

::

    rows of a pass    0 1 2 3 4 5 6 7 | 8 9        2 ranks, windows of 4 rows a rank
    rank 0            0   2   4   6   | 8
    rank 1              1   3   5   7 |   9

A window covers the same rows on every rank, so the place between two windows is one number, and reading can go on there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ft_core.data.files import Broken, Skipped
from ft_core.data.sources.reading import OnWait, find_source
from ft_core.data.sources.split import parse_split
from ft_core.data.tokenize import NumberedRow
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset


@dataclass(frozen=True)
class Window:
    """Neighbouring rows of a dataset.

    Attributes
    ----------
    rows
        Those of this rank, each with its number in the source.
    end
        How many rows of the pass lie before the next window.
    last
        Whether the pass ends with it.
    skipped
        Counts the broken rows of this rank, which are left out; None where each of them is an error.
    """

    rows: tuple[NumberedRow, ...]
    end: int
    last: bool
    skipped: Skipped | None = None


class RowStream:
    """The rows of a dataset that one rank takes, as often as they are asked for.

    ``shards`` takes every so many-th row, ``weight`` leaves rows out by chance, both by the place of a row alone, so that
    nothing has to be counted first.

    Parameters
    ----------
    dataset
        An entry of ``config.datasets``.
    rank, world_size
        Which rank this is, of how many.
    seed
        Decides which rows ``weight`` leaves out.
    size
        Rows of a window on each rank.
    skip_broken
        Whether broken rows are left out and counted.
    on_wait
        Is told of downloads.

    Raises
    ------
    DataError, MissingExtra
        As `ft_core.data.sources.read_rows`.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        rank: int,
        world_size: int,
        seed: int,
        size: int,
        skip_broken: bool = False,
        on_wait: OnWait | None = None,
    ) -> None:
        self.dataset = dataset
        part = parse_split(dataset.split)
        self._source = find_source(dataset, part.name, on_wait, streaming=True)
        first, self._stop = part.bounds(self._source.count)
        self._first = first + (dataset.skip or 0)
        self.rank, self.world_size, self._seed = rank, world_size, seed
        self._span = size * world_size * (dataset.shards or 1)
        self._skip_broken = skip_broken

    def windows(self, start: int = 0) -> Iterator[Window]:
        """Yield the windows of one pass from row `start` of it on, which is the end of one of them."""
        first = self._first + start
        left = None if self._stop is None else max(0, self._stop - first)
        rows = islice(self._source.read(first), left)
        place, last = start, False
        while not last:
            skipped = Skipped() if self._skip_broken else None
            taken: list[NumberedRow] = []
            end = place
            for end, row in enumerate(islice(rows, self._span), place + 1):
                if not self._takes(end - 1):
                    continue
                if not isinstance(row, Broken):
                    taken.append((self._first + end - 1, row))
                elif skipped is None:
                    raise row.error()
                else:
                    skipped.add(self.dataset.path, str(row))
            last = end - place < self._span
            if last and not end:
                raise DataError(
                    f"There are no rows in '{self.dataset.path}' (split {self.dataset.split}).",
                    "Lower skip, or check the split."
                    if self._first
                    else "Check the path, the split and the file.",
                )
            yield Window(tuple(taken), end, last, skipped)
            place = end

    def _takes(self, place: int) -> bool:
        """Whether the row at `place` of a pass is used, and by this rank."""
        position = place
        if self.dataset.shards:
            position, shard = divmod(place, self.dataset.shards)
            if shard != (self.dataset.shards_idx or 0):
                return False
        if position % self.world_size != self.rank:
            return False
        return self.dataset.weight == 1 or _chance(self._seed, place) < self.dataset.weight


def _chance(seed: int, place: int) -> float:
    """Return a number from 0 to 1 that is as good as random, and always the same."""
    digest = hashlib.blake2b(f"{seed} {place}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
