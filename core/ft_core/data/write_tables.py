"""The tables of a config into files of a run, so that the run needs no notebook."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.config.tables import Table, kind_of
from ft_core.data.files import Row
from ft_core.data.sources import split_name
from ft_core.data.tables import table_rows

if TYPE_CHECKING:
    from ft_core.config import Config, Dataset


def write_tables(config: Config, folder: Path) -> Config:
    """Write each table that a dataset of `config` holds to a file, and return the config whose paths are these files.

    The files are JSON Lines: a key that a row lacks stays away, and messages keep the keys that each of them has. A table
    is written whole and once, whichever parts of it the datasets take.

    Parameters
    ----------
    config
        Any config; one without tables is returned as it is.
    folder
        Where the files go; made where there is something to write.

    Raises
    ------
    DataError
        A value cannot be written; the message names row and column.
    OSError
        The disk refused.
    """
    files: dict[tuple[Table, str], Path] = {}
    values = {
        key: tuple(_in_file(dataset, folder, files) for dataset in getattr(config, key))
        for key in ("datasets", "test_datasets")
    }
    return config.model_copy(update=values) if files else config


def _in_file(dataset: Dataset, folder: Path, files: dict[tuple[Table, str], Path]) -> Dataset:
    """Return `dataset` with the file of its table as its path, written unless `files` has it already."""
    table = dataset.table
    if table is None:
        return dataset
    split = split_name(dataset.split)
    file = files.get((table, split))
    if file is None:
        stem = f"{table.name}-{split}" if kind_of(table.value) == "splits" else table.name
        file = files[table, split] = _free_name(folder, stem, files.values())
        folder.mkdir(exist_ok=True)
        with file.open("xb") as stream:
            stream.writelines(map(_line, table_rows(table, split)))
    # A file has one split; a part of it stays a part.
    part = dataset.split.strip().removeprefix(split)
    return dataset.with_table(None).model_copy(update={"path": str(file), "split": f"train{part}"})


def _free_name(folder: Path, stem: str, taken: Iterable[Path]) -> Path:
    # Some file systems take df and DF for one name.
    names = {file.name.casefold() for file in taken}
    count = 1
    while (name := f"{stem}.jsonl" if count == 1 else f"{stem}-{count}.jsonl").casefold() in names:
        count += 1
    return folder / name


_encode = json.JSONEncoder(ensure_ascii=False).encode
"""`json.dumps` would make an encoder for each row."""


def _line(row: Row) -> bytes:
    try:
        return _encode(row).encode() + b"\n"
    except UnicodeEncodeError:
        # Half of a surrogate pair is no character, and no UTF-8; as an escape it comes back as it is.
        return json.dumps(row).encode() + b"\n"
