"""Where rows come from: files, folders, tables of the notebook, and datasets of the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ft_core.data.files import KINDS, Row, count_file, kind_of, read_file, shown
from ft_core.data.tables import count_table, table_rows
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset

# How the datasets library tells the files of a split by their names.
_SPLIT_WORDS = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
}
_SLICE = re.compile(r"(?P<name>[\w.-]+)(?:\[(?P<start>-?\d+%?)?:(?P<stop>-?\d+%?)?\])?")


def read_rows(dataset: Dataset, *, limit: int | None = None) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a dataset, each with its number in the source, counted from 0.

    Parameters
    ----------
    dataset
        An entry of ``config.datasets`` or ``config.test_datasets``.
    limit
        Stop after this many rows. Files of lines and Parquet files are then read no further.

    Raises
    ------
    DataError
        There is no such file or dataset, it has no rows, or it cannot be read.
    """
    part = _parse_split(dataset.split)
    numbered: Iterable[tuple[int, Row]]
    if (table := dataset.table) is not None:
        start, stop = part.bounds(lambda: count_table(table, part.name))
        numbered = islice(enumerate(table_rows(table, part.name)), start, stop)
    elif (source := _locate(dataset)).kind == "hub":
        # The hub's own code slices; it may then load less.
        numbered = enumerate(_load_hub(dataset))
    else:
        start, stop = part.bounds(lambda: sum(1 for _ in _iterate(source, part.name)))
        numbered = islice(enumerate(_iterate(source, part.name)), start, stop)
    empty = True
    for number, row in islice(numbered, limit):
        empty = False
        yield number, row
    if empty and limit != 0:
        raise DataError(
            f"There are no rows in '{dataset.path}' (split {dataset.split}).",
            "Check the path, the split and the file.",
        )


def count_rows(dataset: Dataset) -> int | None:
    """Return how many rows a dataset has, or None where finding out would mean loading it.

    Raises
    ------
    DataError
        There is no such file, or it cannot be read.
    """
    part = _parse_split(dataset.split)
    if dataset.table is not None:
        total = count_table(dataset.table, part.name)
    else:
        source = _locate(dataset)
        if source.kind != "files":
            return None
        total = 0
        for path, kind in _files_of_split(source, part.name):
            count = count_file(path, kind)
            if count is None:
                return None
            total += count
    start, stop = part.bounds(lambda: total)
    return len(range(total)[start:stop])


def split_name(split: str) -> str:
    """Return the split that `split` takes rows of.

    >>> split_name("train[:10%]")
    'train'
    """
    return _parse_split(split).name


@dataclass(frozen=True)
class _Source:
    """Local files with their kinds, a folder that the datasets library saved, or a dataset of the hub."""

    kind: Literal["files", "saved", "hub"]
    root: Path
    files: tuple[tuple[Path, str], ...] = ()


def _locate(dataset: Dataset) -> _Source:
    """Say what the path of `dataset` is."""
    # As in the datasets library, the name of a kind of file stands for the files of data_files.
    if dataset.data_files and dataset.path in set(KINDS.values()):
        return _Source(
            "files", Path.cwd(), _match_files(Path.cwd(), dataset.data_files, dataset.ds_type or dataset.path)
        )
    path = Path(dataset.path).expanduser()
    if path.is_file():
        return _Source("files", path.parent, ((path, _require_kind(path, dataset.ds_type)),))
    if path.is_dir():
        if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
            return _Source("saved", path)
        return _Source("files", path, _match_files(path, dataset.data_files, dataset.ds_type))
    if (
        kind_of(path)
        or path.is_absolute()
        or dataset.path.startswith((".", "~"))
        or dataset.path.count("/") > 1
    ):
        raise DataError(f"There is no file or folder '{dataset.path}' in {Path.cwd()}.", "Check the path.")
    return _Source("hub", path)


def _match_files(
    folder: Path, patterns: tuple[str, ...] | None, kind: str | None
) -> tuple[tuple[Path, str], ...]:
    """Return the data files of `folder`, or those that the patterns name, in the order of their names."""
    if patterns is None:
        found = [path for path in sorted(folder.rglob("*")) if path.is_file() and (kind_of(path) or kind)]
        found = [
            path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        ]
    else:
        found = []
        for pattern in patterns:
            direct = Path(pattern).expanduser()
            matches = [direct] if direct.is_absolute() else sorted(folder.glob(pattern))
            if not matches or not all(match.is_file() for match in matches):
                raise DataError(f"data_files: there is no file '{pattern}' in '{folder}'.", "Check the name.")
            found += matches
    if not found:
        raise DataError(
            f"There are no data files in the folder '{folder}'.",
            f"Put files there that end in {', '.join(KINDS)}.",
        )
    return tuple((path, _require_kind(path, kind)) for path in found)


def _require_kind(path: Path, kind: str | None) -> str:
    """Return the kind of a file: as the config says, else as the suffix says."""
    found = kind or kind_of(path)
    if found is None:
        raise DataError(
            f"{shown(path)}: the suffix does not say what kind of file this is.",
            "Say it: ds_type: json, csv, parquet, arrow or text.",
        )
    return "json" if found == "jsonl" else found


def _iterate(source: _Source, split: str) -> Iterator[Row]:
    """Yield all rows of a split of a local source."""
    if source.kind == "saved":
        yield from _load_saved(source.root, split)
        return
    for path, kind in _files_of_split(source, split):
        yield from read_file(path, kind)


def _files_of_split(source: _Source, split: str) -> list[tuple[Path, str]]:
    """Return the files whose names say that they are of `split`; for train, else, those that name no other split."""
    words = [set(re.split(r"[^a-z]+", str(path.relative_to(source.root)).lower())) if path.is_relative_to(source.root)
             else set[str]() for path, _ in source.files]  # fmt: skip
    if len(source.files) == 1 and split == "train":
        return list(source.files)
    wanted = _SPLIT_WORDS.get(split, {split.lower()})
    chosen = [file for file, named in zip(source.files, words, strict=True) if named & wanted]
    if not chosen and split == "train":
        others = _SPLIT_WORDS["validation"] | _SPLIT_WORDS["test"]
        chosen = [file for file, named in zip(source.files, words, strict=True) if not named & others]
    if not chosen:
        names = ", ".join(path.name for path, _ in source.files[:5])
        raise DataError(
            f"No file of '{source.root}' is of the split '{split}': {names}.", "Name one in data_files."
        )
    return chosen


@dataclass(frozen=True)
class _Part:
    """A split, and which of its rows."""

    name: str
    start: str | None
    stop: str | None

    def bounds(self, total: Any) -> tuple[int, int | None]:
        """Return first and end row; `total` is called for the number of rows where that is needed."""
        if any(bound and (bound.endswith("%") or bound.startswith("-")) for bound in (self.start, self.stop)):
            rows = int(total())
            edges = [_resolve_bound(bound, rows) for bound in (self.start, self.stop)]
            start, stop, _ = slice(*edges).indices(rows)
            return start, max(start, stop)
        start = int(self.start or 0)
        return start, None if self.stop is None else max(start, int(self.stop))


def _resolve_bound(bound: str | None, rows: int) -> int | None:
    if bound is None:
        return None
    # The datasets library rounds a share of rows to the nearest row.
    return round(int(bound[:-1]) * rows / 100) if bound.endswith("%") else int(bound)


def _parse_split(split: str) -> _Part:
    matched = _SLICE.fullmatch(split.strip())
    if matched is None:
        raise DataError(
            f"split: '{split}' cannot be read.", "Write it as in train, train[:100] or train[10%:20%]."
        )
    return _Part(matched["name"], matched["start"], matched["stop"])


def _load_saved(folder: Path, split: str) -> Iterator[Row]:
    """Yield the rows of a folder that ``Dataset.save_to_disk`` wrote."""
    from datasets import DatasetDict, load_from_disk

    loaded = load_from_disk(str(folder))
    if isinstance(loaded, DatasetDict):
        if split not in loaded:
            raise DataError(
                f"'{folder}' has no split '{split}'.", f"Use one of: {', '.join(map(str, loaded))}."
            )
        loaded = loaded[split]
    for row in loaded:
        yield dict(row)


def _load_hub(dataset: Dataset) -> Iterator[Row]:
    """Yield the rows of a dataset of the hub, which is downloaded once and then kept by the datasets library."""
    from datasets import load_dataset

    files = list(dataset.data_files) if dataset.data_files else None
    try:
        loaded = load_dataset(dataset.path, dataset.name, split=dataset.split, data_files=files)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"'{dataset.path}' is no file here, and the Hugging Face hub gave no such dataset: {reason}.",
            "Check the name, the network, and for a gated dataset that you are logged in (hf auth login).",
        ) from error
    for row in loaded:
        yield dict(row)
