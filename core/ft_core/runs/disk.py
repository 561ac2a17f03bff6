"""What a disk refuses, said as sentences."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ft_core.errors import RunError

ANOTHER_PLACE = "Set FT_RUNS_DIR to a folder that you may write to."

_SENTENCES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: (
        "the disk is full",
        "Free some space (old runs: ft runs), or set FT_RUNS_DIR to another disk.",
    ),
    errno.EDQUOT: (
        "your disk quota is used up",
        "Free some space (old runs: ft runs), or set FT_RUNS_DIR to another disk.",
    ),
    errno.EACCES: ("permission denied", ANOTHER_PLACE),
    errno.EPERM: ("permission denied", ANOTHER_PLACE),
    errno.EROFS: ("the file system is read-only", ANOTHER_PLACE),
    errno.ENOTDIR: (
        "a file stands where a folder should be",
        "Move the file away, or set FT_RUNS_DIR to a folder.",
    ),
    errno.ENAMETOOLONG: ("the path is too long", "Set FT_RUNS_DIR to a folder with a shorter path."),
}


@contextmanager
def told_as(doing: str, path: Path) -> Generator[None]:
    """Turn an OSError of the block into a RunError: ``Cannot <doing> <path>: the disk is full.``.

    Parameters
    ----------
    doing
        What the block does, as a verb: ``create``, ``write``.
    path
        What it does it to.
    """
    try:
        yield
    except OSError as error:
        why, fix = _SENTENCES.get(
            error.errno or 0, (error.strerror or str(error), "Check the disk and the path.")
        )
        raise RunError(f"Cannot {doing} {path}: {why}.", fix) from error
