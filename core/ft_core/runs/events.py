"""events.jsonl: one JSON object a line, appended by the worker and tailed by any number of readers."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, cast

from ft_core.runs.paths import EVENTS

Event = dict[str, Any]
"""One line: `type`, `time`, and the fields of its type (docs/reference/run-directory.md)."""


def read_events(directory: Path, offset: int = 0) -> tuple[list[Event], int]:
    """Return the events after byte `offset`, and the offset to go on from.

    A last line without its newline is still being written and is left for the next read. A line that is damaged
    (a power cut, a full disk) becomes an event of type ``warning`` that says so. Where the file is shorter than
    `offset`, it is another file, and reading starts again at 0.

    Raises
    ------
    OSError
        The file is there but cannot be read.
    """
    try:
        with (directory / EVENTS).open("rb") as file:
            if os.fstat(file.fileno()).st_size < offset:
                offset = 0
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], 0
    data = data[: data.rfind(b"\n") + 1]
    events: list[Event] = []
    time = 0.0
    position = offset
    for line in _lines(data):
        if line.strip():
            event = decode(line)
            if event is None:
                event = _damaged(position, time)
            time = event["time"]
            events.append(event)
        position += len(line)
    return events, offset + len(data)


def last_event(directory: Path, type_: str) -> Event | None:
    """Return the newest event of one type, without decoding the others."""
    try:
        data = (directory / EVENTS).read_bytes()
    except FileNotFoundError:
        return None
    mark = json.dumps(type_).encode()
    end = len(data)
    while (found := data.rfind(mark, 0, end)) >= 0:
        start = data.rfind(b"\n", 0, found) + 1
        stop = data.find(b"\n", found)
        event = decode(data[start : stop if stop >= 0 else len(data)])
        if event is not None and event["type"] == type_:
            return event
        end = start
    return None


def encode(event: Event) -> bytes:
    r"""Return the line of an event; a float that is not finite becomes null, since JSON has no name for it.

    >>> encode({"type": "step", "time": 1.5, "loss": float("nan")})
    b'{"type": "step", "time": 1.5, "loss": null}\n'
    """
    text = json.dumps(plain(event), ensure_ascii=False, allow_nan=False)
    # A lone surrogate (an odd file name in a traceback) becomes \udc80, which JSON reads back as itself.
    return text.encode("utf-8", "backslashreplace") + b"\n"


def decode(line: bytes) -> Event | None:
    """Return the event of a line, or None where the line is none."""
    try:
        loaded: object = json.loads(line, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(loaded, dict):
        return None
    event = cast("Event", loaded)
    when = event.get("time")
    if not isinstance(event.get("type"), str) or isinstance(when, bool) or not isinstance(when, (int, float)):
        return None
    return event


def plain(value: Any) -> Any:
    """Return `value` as what JSON can hold: numpy and torch scalars as numbers, paths as text."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, os.PathLike):
        return os.fspath(cast("os.PathLike[str]", value))
    if hasattr(value, "item"):
        return plain(value.item())
    raise TypeError(f"an event cannot hold a {type(value).__name__}")


def _lines(data: bytes) -> list[bytes]:
    r"""Split at \n alone; bytes.splitlines also splits at \r."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _damaged(position: int, time: float) -> Event:
    message = f"The line at byte {position} of {EVENTS} is damaged and was left out."
    return {"type": "warning", "time": time, "message": message, "fix": ""}
