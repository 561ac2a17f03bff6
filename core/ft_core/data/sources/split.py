"""What ``split`` says: which split, and which of its rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ft_core.errors import DataError

_SLICE = re.compile(r"(?P<name>[\w.-]+)(?:\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


@dataclass(frozen=True)
class Part:
    """A split, and which of its rows."""

    name: str
    start: str | None
    stop: str | None

    def bounds(self, total: Callable[[], int]) -> tuple[int, int | None]:
        """Return first and end row; `total` is called for the number of rows where that is needed."""
        if any(bound and (bound.endswith("%") or bound.startswith("-")) for bound in (self.start, self.stop)):
            rows = total()
            edges = [_resolve_bound(bound, rows) for bound in (self.start, self.stop)]
            start, stop, _ = slice(*edges).indices(rows)
            return start, max(start, stop)
        start = int(self.start or 0)
        return start, None if self.stop is None else max(start, int(self.stop))

    def numbers(self, total: int) -> range:
        """Return the numbers of the rows out of `total`."""
        start, stop = self.bounds(lambda: total)
        return range(total)[start:stop]


def parse_split(split: str) -> Part:
    """Return what `split` says, or raise a DataError.

    >>> parse_split("train[10%:]")
    Part(name='train', start='10%', stop=None)
    """
    matched = _SLICE.fullmatch(split.strip())
    if matched is None:
        raise DataError(
            f"split: '{split}' cannot be read.", "Write it as in train, train[:100] or train[10%:20%]."
        )
    return Part(matched["name"], matched["start"], matched["stop"])


def split_name(split: str) -> str:
    """Return the split that `split` takes rows of.

    >>> split_name("train[:10%]")
    'train'
    """
    return parse_split(split).name


def _resolve_bound(bound: str | None, rows: int) -> int | None:
    if bound is None:
        return None
    # The datasets library rounds a share of rows to the nearest row.
    return round(int(bound[:-1]) * rows / 100) if bound.endswith("%") else int(bound)
