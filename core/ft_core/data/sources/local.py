"""Files and folders of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.data.files import data_file, kind_of
from ft_core.data.sources.folder import data_names, is_saved, names_of_split
from ft_core.data.sources.loaded import load_saved
from ft_core.data.sources.source import FilesSource, Source
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset


def find_local(dataset: Dataset, split: str) -> Source | None:
    """Return the rows at a path of this machine; None where there is nothing and a hub dataset may be meant.

    Raises
    ------
    DataError
        The path can only be one of this machine, and there is nothing; or what is there has no such split or no data.
    """
    path = Path(dataset.path).expanduser()
    if path.is_file():
        names_of_split([path.name], split, str(path.parent))
        return FilesSource((data_file(path, dataset.ds_type),))
    if path.is_dir():
        return open_folder(path, dataset, split, str(path))
    if (
        kind_of(path)
        or path.is_absolute()
        or dataset.path.startswith((".", "~"))
        or dataset.path.count("/") > 1
    ):
        raise DataError(f"There is no file or folder '{dataset.path}' in {Path.cwd()}.", "Check the path.")
    return None


def open_folder(folder: Path, dataset: Dataset, split: str, name: str) -> Source:
    """Return the rows of a folder: what the datasets library saved there, or its data files."""
    if is_saved([path.name for path in folder.iterdir()]):
        return load_saved(folder, split, name)
    if dataset.data_files:
        found = match_files(folder, dataset.data_files, name)
        names = [_from(folder, path) for path in found]
    else:
        names = [_from(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]
        names = data_names(names, dataset.ds_type, name)
    chosen = names_of_split(names, split, name)
    return FilesSource(tuple(data_file(folder / each, dataset.ds_type) for each in chosen))


def match_files(folder: Path, patterns: tuple[str, ...], name: str) -> list[Path]:
    """Return the files of a folder that `patterns` name, each of them one at least."""
    found: list[Path] = []
    for pattern in patterns:
        direct = Path(pattern).expanduser()
        matches = [direct] if direct.is_absolute() else sorted(folder.glob(pattern))
        if not matches or not all(match.is_file() for match in matches):
            raise DataError(f"data_files: there is no file '{pattern}' in '{name}'.", "Check the name.")
        found += matches
    return list(dict.fromkeys(found))


def _from(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
