"""Parquet and Arrow to rows."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from ft_core.data.files.broken import Row
from ft_core.data.files.kinds import DataFile
from ft_core.errors import DataError

_BATCH = 1024


@contextmanager
def _open_parquet(file: DataFile) -> Generator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    _require_unpacked(file)
    try:
        with parquet.ParquetFile(file.path) as opened:
            yield opened
    except pa.ArrowInvalid as error:
        raise DataError(f"{file.name}: not a valid Parquet file ({error})", "Write it again.") from error


def count_parquet(file: DataFile) -> int:
    """Return how many rows the file says that it has."""
    with _open_parquet(file) as opened:
        return int(opened.metadata.num_rows)


def read_parquet(file: DataFile, start: int = 0) -> Iterator[Row]:
    """Yield the rows from number `start` on; groups of rows before that are not read."""
    with _open_parquet(file) as opened:
        first, groups = _group_of(opened.metadata, start)
        for batch in opened.iter_batches(batch_size=_BATCH, row_groups=groups):
            if first < len(batch):
                yield from batch.slice(first).to_pylist()
            first = max(0, first - len(batch))


class ParquetRows:
    """The rows of a Parquet file by number; the group that was read last is kept."""

    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.group: int | None = None
        self.table: Any = None

    def __len__(self) -> int:
        return count_parquet(self.file)

    def __getitem__(self, number: int) -> Row:
        with _open_parquet(self.file) as opened:
            at, groups = _group_of(opened.metadata, number)
            if self.group != groups[0]:
                self.group, self.table = groups[0], opened.read_row_group(groups[0])
        [row] = self.table.slice(at, 1).to_pylist()
        return row


def _group_of(metadata: Any, number: int) -> tuple[int, list[int]]:
    """Return which row of its group a row is, and the numbers of this group and those after it."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if number < rows:
            return number, list(range(group, metadata.num_row_groups))
        number -= rows
    return 0, []


def read_arrow(file: DataFile, start: int = 0) -> Iterator[Row]:
    """Yield the rows from number `start` on."""
    for batch in _arrow_batches(file):
        if start < len(batch):
            yield from batch.slice(start).to_pylist()
        start = max(0, start - len(batch))


def count_arrow(file: DataFile) -> int:
    """Return how many rows there are, without reading any of them."""
    return sum(len(batch) for batch in _arrow_batches(file))


def open_arrow(file: DataFile) -> ArrowRows:
    """Return the rows by number; the file stays mapped into memory, not read."""
    return ArrowRows(list(_arrow_batches(file)))


class ArrowRows:
    """The rows of an Arrow file by number."""

    def __init__(self, batches: list[Any]) -> None:
        import numpy as np

        self.batches = batches
        self.ends = np.cumsum([len(batch) for batch in batches], dtype=np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, number: int) -> Row:
        at = int(self.ends.searchsorted(number, side="right"))
        batch = self.batches[at]
        [row] = batch.slice(number - (int(self.ends[at]) - len(batch)), 1).to_pylist()
        return row


def _arrow_batches(file: DataFile) -> Iterator[Any]:
    import pyarrow as pa

    _require_unpacked(file)
    with pa.memory_map(str(file.path)) as source:
        try:
            # What the datasets library writes is a stream; what others call Arrow or Feather is a file with an index.
            yield from pa.ipc.open_stream(source)
        except pa.ArrowInvalid:
            try:
                opened = pa.ipc.open_file(source)
            except pa.ArrowInvalid as error:
                raise DataError(
                    f"{file.name}: not a valid Arrow file ({error})", "Write it again."
                ) from error
            yield from (opened.get_batch(index) for index in range(opened.num_record_batches))


def _require_unpacked(file: DataFile) -> None:
    if file.compression:
        raise DataError(
            f"{file.name}: a {file.kind} file cannot be compressed as a whole.",
            "Unpack it: its columns are compressed already.",
        )
