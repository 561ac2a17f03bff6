r"""log.txt: what the ranks printed, as a person would see it.

Programs that print to a terminal paint (ANSI escapes) and repaint (``\r``); a log shows the last picture.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ft_core.runs.paths import LOG

BLOCK = 64 * 1024
"""Bytes read at a time from the end."""

LIMIT = 4 * 1024 * 1024
"""Bytes of the end that are looked at, however few lines they hold."""

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|[ -/]*[0-~])"  # two-character escapes
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def log_tail(directory: Path, lines: int = 50) -> str:
    """Return the last `lines` lines of the log, reading only the end of the file; empty where there is none."""
    shown, offset = read_tail(directory, lines)
    rest, _ = read_log(directory, offset, rest=True)
    return "\n".join((shown + rest)[-lines:]) if lines > 0 else ""


def read_tail(directory: Path, lines: int) -> tuple[list[str], int]:
    """Return the last `lines` whole lines, and the offset to go on from with `read_log`."""
    try:
        with (directory / LOG).open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            end = position
            data = b""
            # One newline more than lines, so that the first line is whole.
            while position > 0 and data.count(b"\n") <= lines and len(data) < LIMIT:
                size = min(BLOCK, position)
                position -= size
                file.seek(position)
                data = file.read(size) + data
    except FileNotFoundError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    return _shown(whole)[-lines:] if lines > 0 else [], end - len(data) + len(whole)


def read_log(directory: Path, offset: int = 0, *, rest: bool = False) -> tuple[list[str], int]:
    """Return the whole lines after byte `offset`, and the offset to go on from.

    Parameters
    ----------
    directory
        The run's directory.
    offset
        Where to begin; a file shorter than that is another file, and is read from 0.
    rest
        Whether to take a last line that has no end yet.
    """
    try:
        with (directory / LOG).open("rb") as file:
            if os.fstat(file.fileno()).st_size < offset:
                offset = 0
            file.seek(offset)
            data = file.read(LIMIT)
    except FileNotFoundError:
        return [], 0
    # A line longer than the limit is cut, so that reading always goes on.
    if not rest:
        data = data[: data.rfind(b"\n") + 1] or (data if len(data) == LIMIT else b"")
    return _shown(data), offset + len(data)


def _shown(data: bytes) -> list[str]:
    lines = data.decode("utf-8", "replace").split("\n")
    return [painted(line) for line in (lines if lines[-1] else lines[:-1])]


def log_size(directory: Path) -> int:
    """Return the size of the log in bytes; 0 where there is none."""
    try:
        return (directory / LOG).stat().st_size
    except FileNotFoundError:
        return 0


def painted(line: str) -> str:
    r"""Return what a terminal shows after printing `line`: no escapes, and ``\r`` overwrites from the start.

    >>> painted("10%\r50%\r\x1b[32m100%\x1b[0m"), painted("loss 12.5\rloss 9")
    ('100%', 'loss 92.5')
    """
    shown = ""
    for part in _ESCAPE.sub("", line).split("\r"):
        part = _CONTROL.sub("", part)
        shown = part + shown[len(part) :]
    return shown.rstrip()
