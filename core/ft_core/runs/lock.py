"""The lock of a run: who holds it writes, and nobody else."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ft_core.errors import RunError
from ft_core.runs.disk import told_as
from ft_core.runs.paths import LOCK

_UNSUPPORTED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)
"""What flock answers on file systems without locks (some network and cloud drives)."""


@contextmanager
def run_lock(directory: Path, *, patience: float = 0.0) -> Generator[None]:
    """Hold the run's lock for the block.

    The kernel releases it when the process ends, however it ends. On a file system without locks the block runs
    unlocked; what guards a run there is its status.

    Parameters
    ----------
    directory
        The run's directory.
    patience
        Seconds to wait for another holder.

    Raises
    ------
    RunError
        Another process holds it, which the sentence names.
    """
    path = directory / LOCK
    with told_as("open", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        until = time.monotonic() + patience
        while not (locked := _try_lock(descriptor, path)) and time.monotonic() < until:
            time.sleep(0.02)
        if not locked:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise RunError(
                f"Another process (pid {holder}) writes run '{directory.name}'.",
                f"Wait until it has ended, or end it: ft stop {directory.name} --now",
            )
        with told_as("write", path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def folder_lock(folder: Path) -> Generator[None]:
    """Hold a lock on a folder itself for the block, waiting for other holders; for moments only."""
    with told_as("open", folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (*_UNSUPPORTED, errno.EBADF):
                raise
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path) -> bool:
    with told_as("lock", path):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
    return True
