"""Copies of remote files on this machine: kept by their address, and known by the version that the server named.

::

    <cache>/data/<digest of the address>/
    ├── about.json     the address; for each file its version, and when it was fetched
    └── train.jsonl    the files, named as they are there
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from ft_core.errors import DataError
from ft_core.user_cache import cache_dir

ABOUT = "about.json"


@dataclass(frozen=True)
class Copy:
    """A file that was fetched.

    Attributes
    ----------
    path
        Where it is.
    version
        What the server called it, such as its ETag; empty where it named none, and the copy cannot be told from a newer
        file.
    fetched
        The day, as 2026-11-24.
    """

    path: Path
    version: str
    fetched: str


def copies_folder(address: str) -> Path:
    """Return the folder for the copies of an address."""
    return cache_dir() / "data" / hashlib.sha256(address.encode()).hexdigest()[:24]


def known_copies(address: str) -> dict[str, Copy]:
    """Return the copies of an address by the names of the files there."""
    folder = copies_folder(address)
    try:
        files = json.loads((folder / ABOUT).read_text(encoding="utf-8"))["files"]
        copies = {name: Copy(folder / name, **about) for name, about in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # None was fetched, or something else wrote there.
        return {}
    return {name: copy for name, copy in copies.items() if copy.path.is_file()}


@contextmanager
def locked(address: str) -> Generator[None]:
    """Let one process at a time fetch from an address; the others then find its copy."""
    from filelock import FileLock

    folder = copies_folder(address)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        yield


def keep(address: str, name: str, version: str, size: int | None, write: Callable[[Path], None]) -> Path:
    """Fetch a file and return its copy; an interrupt leaves the old copy, or none, never half of one.

    Parameters
    ----------
    address, name
        What is fetched from, and what the file is called there.
    version
        What the server calls it.
    size
        Its bytes, where they are known.
    write
        Writes the file to a path.

    Raises
    ------
    DataError
        The disk has no room for it.
    """
    folder = copies_folder(address)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size is not None and size > free:
        raise DataError(
            f"{address} needs {in_words(size)}, and the disk of '{folder}' has {in_words(free)} free.",
            "Free some space, or set FT_CACHE to a folder on another disk.",
        )
    # Under the name it is known to no one yet.
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    today = datetime.now(timezone.utc).date().isoformat()
    copies = known_copies(address) | {name: Copy(path, version, today)}
    files = {
        each: {key: value for key, value in asdict(copy).items() if key != "path"}
        for each, copy in copies.items()
    }
    about = folder / f".{ABOUT}.{os.getpid()}"
    about.write_text(json.dumps({"address": address, "files": files}, indent=1), encoding="utf-8")
    about.replace(folder / ABOUT)
    return path


def in_words(size: int) -> str:
    """Return bytes as people write them.

    >>> in_words(999), in_words(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
