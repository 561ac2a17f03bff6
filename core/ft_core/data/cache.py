"""Prepared samples on disk: a folder for each dataset, named by all that its samples depend on.

::

    prepared/
    ├── <key>/               whole, never written again
    │   ├── samples.arrow    `ft_core.data.arrow`
    │   └── about.json       what became of the rows, and the size of samples.arrow
    ├── <key>.writing/       locked by the process that writes it; renamed when it is whole
    └── files/               digests of files (`ft_core.data.content`)
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import DataError
from ft_core.user_cache import cache_dir

if TYPE_CHECKING:
    from ft_core.config import Config

SAMPLES = "samples.arrow"
ABOUT = "about.json"
FILES = "files"

LIMIT = 20 * 2**30
"""Bytes that the user's own cache grows to; a folder that dataset_prepared_path names has no limit."""

IN_USE = 3600.0
"""Seconds since its last use for which an entry is not removed: a run may be about to open it."""

_WRITING = ".writing"
_UNLOCKABLE = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What flock answers on file systems without locks (some network and cloud drives)."""


def cache_folder(config: Config) -> Path:
    """Return the folder that keeps a config's samples: dataset_prepared_path, ``$FT_PREPARED_DIR``, or one in the cache."""
    if config.dataset_prepared_path is not None:
        return Path(config.dataset_prepared_path).expanduser()
    configured = os.environ.get("FT_PREPARED_DIR")
    return Path(configured).expanduser() if configured else cache_dir() / "prepared"


def find(folder: Path, key: str) -> dict[str, Any] | None:
    """Return what is known of the samples `key`, None where they are not there or not whole."""
    try:
        about = json.loads((folder / key / ABOUT).read_bytes())
        if (folder / key / SAMPLES).stat().st_size != about["bytes"]:
            return None
        # For `make_room`: a read would not show in the file's times.
        with suppress(OSError):
            os.utime(folder / key / ABOUT)
    except (OSError, ValueError, LookupError):
        return None
    return about


@contextmanager
def only_writer(folder: Path, key: str) -> Generator[Path]:
    """Give the folder in which to write the samples `key`, to one process at a time; the others wait.

    Whoever has waited looks again with `find` first. What is in the folder at the end of the block, unless `publish` has
    moved it, is removed; what a process that was killed has left there is removed at the beginning.

    Raises
    ------
    DataError
        The folder cannot be written to.
    """
    with told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        staging, descriptor = _lock(folder, key)
    try:
        yield staging
    finally:
        # Removed before it is unlocked, so that who waits for it sees that it is gone.
        shutil.rmtree(staging, ignore_errors=True)
        os.close(descriptor)


def publish(staging: Path, folder: Path, key: str, about: dict[str, Any]) -> None:
    """Make what was written to `staging` the samples `key`, all at once.

    Raises
    ------
    DataError
        The disk is full, or refuses.
    """
    with told(folder):
        with (staging / SAMPLES).open("rb") as stream:
            os.fsync(stream.fileno())
        size = (staging / SAMPLES).stat().st_size
        (staging / ABOUT).write_text(json.dumps({**about, "bytes": size}), encoding="utf-8")
        # Left by a process that was killed, or damaged: `find` would have found it.
        shutil.rmtree(folder / key, ignore_errors=True)
        staging.rename(folder / key)


def make_room(folder: Path, limit: int = LIMIT) -> None:
    """Remove the samples that were not used for longest, until all take at most `limit` bytes.

    A run that has opened them keeps them: their file stays until it is closed.
    """
    entries: list[tuple[float, int, Path]] = []
    for about in folder.glob(f"*/{ABOUT}"):
        with suppress(OSError):
            used, size = about.stat().st_mtime, (about.parent / SAMPLES).stat().st_size
            entries.append((used, size, about.parent))
    total = sum(size for _, size, _ in entries)
    for used, size, entry in sorted(entries):
        if total <= limit or used > time.time() - IN_USE:
            return
        shutil.rmtree(entry, ignore_errors=True)
        total -= size


@contextmanager
def told(folder: Path) -> Generator[None]:
    """Turn an OSError of the block into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"Prepared data cannot be written to '{folder}': {(error.strerror or str(error)).lower()}.",
            "Set dataset_prepared_path to a folder with room that you may write to.",
        ) from error


def _lock(folder: Path, key: str) -> tuple[Path, int]:
    """Return an empty folder for writing, and a descriptor that holds its lock."""
    staging = folder / f"{key}{_WRITING}"
    while True:
        staging.mkdir(exist_ok=True)
        try:
            descriptor = os.open(staging, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held it has renamed or removed it; the lock is then that of another folder.
            if os.fstat(descriptor).st_ino == staging.stat().st_ino:
                for left in staging.iterdir():
                    left.unlink()
                return staging, descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in _UNLOCKABLE:
                with suppress(OSError):
                    staging.rmdir()
                return Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=_WRITING, dir=folder)), descriptor
            os.close(descriptor)
            raise
        os.close(descriptor)
