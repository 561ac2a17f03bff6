"""Plain text to rows: each line is one."""

from __future__ import annotations

from collections.abc import Iterator

from ft_core.data.files.broken import Broken, Row
from ft_core.data.files.kinds import DataFile
from ft_core.data.files.lines import decode, numbered_lines, open_stream


def read_text(file: DataFile, start: int = 0) -> Iterator[Row | Broken]:
    """Yield a row for each line from number `start` on, blank ones too."""
    with open_stream(file) as stream:
        for number, line in numbered_lines(stream, file.name):
            if number > start:
                yield line if isinstance(line, Broken) else text_line(line, file.name, number)


def text_line(line: bytes, name: str, number: int) -> Row | Broken:
    """Return the row that a line is: its text, without what ends it."""
    place = f"{name} line {number}"
    text = decode(line, place)
    if isinstance(text, Broken):
        return text
    if "\0" in text:
        return Broken(place, "the line holds NUL bytes", "Name a file of text.")
    return {"text": text.removesuffix("\n").removesuffix("\r")}
