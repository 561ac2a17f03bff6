"""Files and folders of remote stores, which fsspec reaches: ``s3://``, ``gs://``, ``az://``, ``hf://`` and their kin.

Credentials are those that the store's own package finds in the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft_core.data.sources.copies import Copy, in_words, keep, known_copies, locked
from ft_core.errors import DataError, MissingExtra

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "adl": "adlfs",
    "oci": "ocifs",
    "hf": "huggingface_hub",
}
"""The stores, with the package that fsspec needs to reach each."""

_VERSION_KEYS = ("ETag", "etag", "e_tag", "md5Hash", "content_settings", "checksum", "blob_id", "LastModified",
                 "last_modified", "updated", "mtime", "created")  # fmt: skip
"""Where the stores keep what changes with a file's content."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a store: its path there, its bytes, and what it is called as long as its content stays the same."""

    path: str
    size: int | None
    version: str


@dataclass(frozen=True)
class Listing:
    """What is at an address.

    Attributes
    ----------
    files
        The files by their paths from the address on; a file itself by its name.
    is_folder
        Whether the address is of a folder.
    """

    files: Mapping[str, RemoteFile]
    is_folder: bool


def list_store(address: str) -> Listing:
    """Return what is at an address.

    Raises
    ------
    DataError
        There is nothing, or the store cannot be reached.
    MissingExtra
        The package for this store is not installed.
    """
    system, root = _reach(address)
    try:
        if system.isfile(root):
            found = {root: system.info(root)}
            return Listing(_remote_files(found, root.rpartition("/")[0]), False)
        found = system.find(root, detail=True)
    except Exception as error:
        raise _no_answer(address, error) from error
    if not found:
        raise DataError(f"There is nothing at '{address}'.", "Check the address.")
    return Listing(_remote_files(found, root), True)


def fetch(
    address: str, listing: Listing, names: list[str], on_wait: Callable[[str], None] | None = None
) -> dict[str, Path]:
    """Return this machine's copies of some files of an address, fetched if they are new or have changed."""
    with locked(address):
        known = known_copies(address)
        wanted = {name: listing.files[name] for name in names}
        missing = {name: file for name, file in wanted.items() if not _is_current(known.get(name), file)}
        sizes = [file.size or 0 for file in missing.values()]
        if missing and on_wait:
            files = f"{len(missing)} files, " if listing.is_folder else ""
            on_wait(f"downloading {address} ({files}{in_words(sum(sizes))})")
        paths = {name: copy.path for name, copy in known.items() if name in wanted}
        for name, file in missing.items():
            paths[name] = keep(
                address, name, file.version, file.size, lambda half, at=file.path: _get(address, at, half)
            )
        return paths


def _is_current(copy: Copy | None, file: RemoteFile) -> bool:
    return copy is not None and bool(file.version) and copy.version == file.version


def _reach(address: str) -> tuple[Any, str]:
    import fsspec

    scheme = address.partition("://")[0]
    try:
        system, root = fsspec.core.url_to_fs(address)
    except ImportError as error:
        package = PACKAGES[scheme]
        raise MissingExtra(
            f"'{address}' needs the package '{package}', which is not installed.", f"pip install {package}"
        ) from error
    except Exception as error:
        raise _no_answer(address, error) from error
    return system, root.rstrip("/")


def _get(address: str, path: str, half: Path) -> None:
    system, _ = _reach(address)
    try:
        system.get_file(path, str(half))
    except Exception as error:
        raise _no_answer(address, error) from error


def _remote_files(found: Mapping[str, Mapping[str, Any]], root: str) -> dict[str, RemoteFile]:
    files: dict[str, RemoteFile] = {}
    for path, info in found.items():
        version = next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), "")
        size = info.get("size")
        name = path.removeprefix(root).lstrip("/")
        # A name from a store must not lead out of the folder of its copies.
        if ".." not in name.split("/"):
            files[name] = RemoteFile(path, size, f"{size} {version}" if version else "")
    return files


def _no_answer(address: str, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"There is nothing at '{address}'.", "Check the address.")
    if isinstance(error, PermissionError):
        return DataError(
            f"'{address}' may not be read.", "Check the credentials of this machine for the store."
        )
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return DataError(
        f"'{address}' cannot be read: {reason}.", "Check the address, the network and the credentials."
    )
