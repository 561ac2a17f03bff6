"""What the files of a dataset hold, as a digest of their bytes: an edited file is another one, wherever it lies.

A digest is remembered with what the file system says of the file, so that it is computed once. What it says is trusted
only of files that have been left alone for a while: a write within the clock's tick, or one whose time was set back, could
else go unseen (https://git-scm.com/docs/racy-git).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.data.sources.source import FilesSource, LoadedSource
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.data.sources.source import Source

SETTLED = 10.0
"""Seconds since a file's last change after which its times are trusted; file servers' clocks differ by some."""

_CHUNK = 2**20


def content_of(source: Source, memory: Path) -> str | None:
    """Return a digest of what `source` reads, or None where that is not made of files.

    Parameters
    ----------
    source
        As `ft_core.data.sources` finds it.
    memory
        The folder in which digests of files are remembered; made where it is missing.

    Raises
    ------
    DataError
        A file cannot be read, or is changed while it is read.
    """
    match source:
        case FilesSource(files):
            parts = [f"{file.kind} {file.compression} {file_digest(file.path, memory)}" for file in files]
        case LoadedSource(loaded):
            # What the datasets library has converted, or what save_to_disk wrote.
            paths = [Path(file["filename"]) for file in loaded.cache_files]
            if not paths:
                return None
            parts = [file_digest(path, memory) for path in paths]
        case _:
            return None
    return text_digest(parts)


def text_digest(parts: Sequence[str]) -> str:
    """Return a digest of texts."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def file_digest(path: Path, memory: Path) -> str:
    """Return a digest of a file's bytes, from the memory where the file is the one that is remembered.

    Raises
    ------
    DataError
        The file cannot be read, or is changed while it is read.
    """
    note = memory / f"{text_digest([os.path.realpath(path)])}.json"
    try:
        seen = _look(path)
        with suppress(OSError, ValueError, LookupError):
            remembered = json.loads(note.read_bytes())
            if remembered["seen"] == seen:
                return remembered["digest"]
        digest = _read(path)
        changed = _look(path) != seen
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be read: {error.strerror or error}.", "Check the file and its permissions."
        ) from error
    if changed:
        raise DataError(f"'{path}' was changed while it was read.", "Try again when it is written.")
    if time.time_ns() - max(seen[2:]) > SETTLED * 1e9:
        with suppress(OSError):
            _write_whole(note, json.dumps({"path": str(path), "seen": seen, "digest": digest}))
    return digest


def _look(path: Path) -> list[int]:
    """Return what tells a file from others, and from what it was before: inode, size, and two times of change in ns."""
    status = path.stat()
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
