"""Datasets whose path is an address: a file over https, a file or folder of a store, or a dataset of the hub."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.data.files import DataFile, data_file
from ft_core.data.sources.copies import copies_folder, known_copies
from ft_core.data.sources.download import download, file_name, shown_address
from ft_core.data.sources.folder import data_names, is_saved, matches, names_of_split
from ft_core.data.sources.loaded import load_hub, load_saved
from ft_core.data.sources.source import FilesSource, Source
from ft_core.data.sources.stores import PACKAGES, fetch, list_store
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset

OnWait = Callable[[str], None]

_HUB = re.compile(r"hf://datasets/(?P<name>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/?")


def is_remote(path: str) -> bool:
    """Return whether `path` is an address."""
    return "://" in path


def find_remote(
    dataset: Dataset, split: str, on_wait: OnWait | None = None, *, streaming: bool = False
) -> Source:
    """Return the rows at the address of `dataset`; its files are copied to this machine.

    With `streaming`, a dataset of the hub is not copied but read over the network.

    Raises
    ------
    DataError
        There is nothing, or it cannot be read, or the address is of no known kind.
    MissingExtra
        A package that reaches the store is not installed.
    """
    if matched := _HUB.fullmatch(dataset.path):
        revision = (matched["revision"] or "").replace("%2F", "/") or dataset.revision
        named = dataset.model_copy(update={"path": matched["name"], "revision": revision})
        return load_hub(named, split, streaming=streaming)
    if _scheme(dataset.path) == "https":
        file = remote_file(dataset.path, dataset.ds_type, on_wait)
        names_of_split([file.path.name], split, file.name)
        return FilesSource((file,))
    address = dataset.path.rstrip("/")
    listing = list_store(address)
    names = list(listing.files)
    if listing.is_folder and is_saved(names):
        fetch(address, listing, names, on_wait)
        return load_saved(copies_folder(address), split, address)
    chosen = (
        _choose(dataset, names, split, address)
        if listing.is_folder
        else names_of_split(names, split, address)
    )
    paths = fetch(address, listing, chosen, on_wait)
    return _files(dataset, {name: paths[name] for name in chosen}, address, is_folder=listing.is_folder)


def find_copies(dataset: Dataset, split: str) -> Source | None:
    """Return the rows in the copies that were fetched before, without asking for newer ones; None where some lack."""
    if _HUB.fullmatch(dataset.path):
        return None
    address = dataset.path if _scheme(dataset.path) == "https" else dataset.path.rstrip("/")
    copies = known_copies(address)
    if not copies or is_saved(list(copies)):
        return None
    single = [file_name(address)]
    if list(copies) == single:
        names_of_split(single, split, address)
        return _files(dataset, {single[0]: copies[single[0]].path}, address, is_folder=False)
    # Which files the folder has today is not known without asking.
    return None


def remote_file(address: str, kind: str | None, on_wait: OnWait | None = None) -> DataFile:
    """Return the copy of one file."""
    if _scheme(address) == "https":
        return data_file(download(address, on_wait), kind, shown_address(address))
    listing = list_store(address)
    if listing.is_folder:
        raise DataError(f"'{address}' is a folder.", "Name a file of it, or write the folder as path.")
    [name] = listing.files
    return data_file(fetch(address, listing, [name], on_wait)[name], kind, address)


def _scheme(address: str) -> str:
    scheme = address.partition("://")[0]
    if scheme == "http":
        raise DataError(f"{shown_address(address)}: rows are only read over https.", "Write https://...")
    if scheme != "https" and scheme not in PACKAGES:
        kinds = ", ".join(f"{each}://" for each in ("https", *PACKAGES))
        raise DataError(f"'{address}' is no address that rows can be read from.", f"Use one of {kinds}.")
    return scheme


def _choose(dataset: Dataset, names: list[str], split: str, address: str) -> list[str]:
    """Return the names of the files that hold the split."""
    if not dataset.data_files:
        return names_of_split(data_names(names, dataset.ds_type, address), split, address)
    found: list[str] = []
    for pattern in dataset.data_files:
        matched = sorted(name for name in names if matches(name, pattern))
        if not matched:
            raise DataError(f"data_files: there is no file '{pattern}' in '{address}'.", "Check the name.")
        found += matched
    return names_of_split(list(dict.fromkeys(found)), split, address)


def _files(dataset: Dataset, paths: dict[str, Path], address: str, *, is_folder: bool) -> FilesSource:
    named = {
        path: f"{address}/{name}" if is_folder else shown_address(address) for name, path in paths.items()
    }
    return FilesSource(tuple(data_file(path, dataset.ds_type, name) for path, name in named.items()))
