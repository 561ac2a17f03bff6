"""The rows of a dataset, wherever they are: one after the other, how many, and any one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.data.files import KINDS, Broken, DataFile, Row, Rows, Skipped, data_file
from ft_core.data.sources.folder import is_saved
from ft_core.data.sources.loaded import count_saved, load_hub
from ft_core.data.sources.local import find_local, match_files
from ft_core.data.sources.remote import find_copies, find_remote, is_remote, remote_file
from ft_core.data.sources.share import share_of, share_size, takes_share
from ft_core.data.sources.source import FilesSource, Source, TableSource
from ft_core.data.sources.split import parse_split
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset

SEED = 42
"""The seed of a config that names none."""

OnWait = Callable[[str], None]
"""Is told, in words, what takes its time: a download with its size."""


def read_rows(
    dataset: Dataset,
    *,
    limit: int | None = None,
    seed: int = SEED,
    skipped: Skipped | None = None,
    on_wait: OnWait | None = None,
) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a dataset, each with its number in the source, counted from 0.

    A broken row has a number too, whether it is left out or not.

    Parameters
    ----------
    dataset
        An entry of ``config.datasets`` or ``config.test_datasets``.
    limit
        Stop after this many rows. Files of lines and Parquet files are then read no further.
    seed
        Decides which rows ``weight`` and ``shards`` take, and their order.
    skipped
        Counts the broken rows, which are left out. Default: the first one is an error.
    on_wait
        Is told of downloads.

    Raises
    ------
    DataError
        There is no such file or dataset, it has no rows, or it cannot be read.
    MissingExtra
        A package that reaches the store is not installed.
    """
    if limit == 0:
        return
    part = parse_split(dataset.split)
    source = find_source(dataset, part.name, on_wait)
    numbered: Iterable[tuple[int, Row | Broken]]
    if takes_share(dataset):
        chosen = share_of(part.numbers(source.count()), dataset, seed)
        numbered = _picked(source, chosen[: limit if skipped is None else None].tolist())
    else:
        start, stop = part.bounds(source.count)
        numbered = islice(enumerate(source.read(start), start), None if stop is None else stop - start)
    last: Broken | None = None
    given = 0
    for number, row in numbered:
        if isinstance(row, Broken):
            if skipped is None:
                raise row.error()
            skipped.add(dataset.path, str(row))
            last = row
            continue
        yield number, row
        given += 1
        if given == limit:
            return
    if not given:
        raise DataError(
            f"There are no rows in '{dataset.path}' (split {dataset.split})"
            + (f": all are broken, such as {last}." if last else "."),
            last.fix if last else "Check the path, the split and the file.",
        )


def count_rows(dataset: Dataset) -> int | None:
    """Return how many rows a dataset has, broken ones among them, or None where finding out would take long.

    Raises
    ------
    DataError
        There is no such file, or it cannot be read.
    """
    part = parse_split(dataset.split)
    total = _count(dataset, part.name)
    return None if total is None else share_size(len(part.numbers(total)), dataset)


def open_rows(dataset: Dataset, *, seed: int = SEED, on_wait: OnWait | None = None) -> OpenRows:
    """Return the rows of a dataset by their place: the same, in the same order, as `read_rows` yields.

    Opening finds the line breaks of a file of JSON Lines (a second for a gigabyte) and reads nothing else of it. A CSV
    file, a JSON list and a compressed file are read whole, and held.

    Raises
    ------
    DataError, MissingExtra
        As `read_rows`.
    """
    part = parse_split(dataset.split)
    source = find_source(dataset, part.name, on_wait)
    rows = source.open()
    numbers: Sequence[int] = part.numbers(len(rows))
    if takes_share(dataset):
        numbers = share_of(part.numbers(len(rows)), dataset, seed).tolist()
    return OpenRows(rows, numbers)


class OpenRows:
    """Rows of a dataset by their place among those that it takes."""

    def __init__(self, rows: Rows, numbers: Sequence[int]) -> None:
        self._rows, self._numbers = rows, numbers

    def __len__(self) -> int:
        """Return how many there are, broken ones among them."""
        return len(self._numbers)

    def __getitem__(self, place: int) -> tuple[int, Row]:
        """Return the number of a row in the source and the row, or raise a DataError where it is broken."""
        number = self._numbers[place]
        row = self._rows[number]
        if isinstance(row, Broken):
            raise row.error()
        return number, row


def find_source(
    dataset: Dataset, split: str, on_wait: OnWait | None = None, *, streaming: bool = False
) -> Source:
    """Return what the path of `dataset` is; what is remote is fetched, but for a hub dataset that is streamed.

    Raises
    ------
    DataError, MissingExtra
        As `read_rows`.
    """
    if dataset.table is not None:
        return TableSource(dataset.table, split)
    if _names_kind(dataset):
        return FilesSource(tuple(_named_files(dataset, on_wait)))
    if is_remote(dataset.path):
        return find_remote(dataset, split, on_wait, streaming=streaming)
    return find_local(dataset, split) or load_hub(dataset, split, streaming=streaming)


def _find_near(dataset: Dataset, split: str) -> Source | None:
    """Return the rows of `dataset` where they are on this machine and not the datasets library's; nothing is fetched."""
    if dataset.table is not None or (
        _names_kind(dataset) and not any(map(is_remote, dataset.data_files or ()))
    ):
        return find_source(dataset, split)
    if is_remote(dataset.path):
        return find_copies(dataset, split)
    return None if _names_kind(dataset) else find_local(dataset, split)


def _names_kind(dataset: Dataset) -> bool:
    """Whether the path only says how data_files are read, as it may in the datasets library."""
    return bool(dataset.data_files) and dataset.path in KINDS.values()


def _named_files(dataset: Dataset, on_wait: OnWait | None) -> Iterator[DataFile]:
    kind, here = dataset.ds_type or dataset.path, Path.cwd()
    for name in dataset.data_files or ():
        if is_remote(name):
            yield remote_file(name, kind, on_wait)
        else:
            yield from (data_file(path, kind) for path in match_files(here, (name,), str(here)))


def _count(dataset: Dataset, split: str) -> int | None:
    path = Path(dataset.path).expanduser()
    if dataset.table is None and path.is_dir() and is_saved([entry.name for entry in path.iterdir()]):
        return count_saved(path, split, str(path))
    source = _find_near(dataset, split)
    if source is None or (isinstance(source, FilesSource) and not source.is_counted_quickly):
        return None
    return source.count()


def _picked(source: Source, numbers: Sequence[int]) -> Iterator[tuple[int, Row | Broken]]:
    """Yield rows in the order of `numbers`."""
    if source.is_random:
        rows = source.open()
        yield from ((number, rows[number]) for number in numbers)
        return
    # One pass, in which the chosen rows are held.
    wanted = set(numbers)
    rows = islice(source.read(), max(numbers, default=-1) + 1)
    held = {number: row for number, row in enumerate(rows) if number in wanted}
    yield from ((number, held.pop(number)) for number in numbers)
