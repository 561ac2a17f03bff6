"""JSON to rows: one object a line, or one list of objects in the whole file.

What JSON leaves open is decided here: a key twice in an object is an error, since one of its values would be lost;
``NaN`` is null, as in a table; ``Infinity`` is the number that Python writes so; half of a surrogate pair is read as it is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from ft_core.data.files.broken import Broken, Row
from ft_core.data.files.kinds import DataFile
from ft_core.data.files.lines import decode, numbered_lines, open_stream
from ft_core.errors import DataError

ONE_FORM = "Write one JSON object a line, or one list of objects in the whole file."

_CONSTANTS = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
_SPACE = re.compile(r"[ \t\r\n]*")


class _TwiceError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> Row:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise _TwiceError(twice)
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_CONSTANTS.__getitem__)
_LENIENT = json.JSONDecoder()


def read_json(file: DataFile, start: int = 0) -> Iterator[Row | Broken]:
    """Yield the rows of a JSON file from number `start` on; one of lines is read line by line.

    Raises
    ------
    DataError
        The file is one list with a mistake in it: where the next row begins cannot be told.
    """
    with open_stream(file) as stream:
        count = 0
        for number, line in numbered_lines(stream, file.name):
            if isinstance(line, bytes) and not line.strip():
                continue
            if count == 0 and isinstance(line, bytes) and line.lstrip().startswith(b"["):
                yield from _read_list(line + stream.read(), file, number, start)
                return
            if count >= start:
                yield line if isinstance(line, Broken) else parse_line(line, file.name, number)
            count += 1


def holds_list(file: DataFile) -> bool:
    """Return whether the file is one list, not lines."""
    with open_stream(file) as stream:
        for _, line in numbered_lines(stream, file.name):
            if isinstance(line, Broken) or line.strip():
                return isinstance(line, bytes) and line.lstrip().startswith(b"[")
    return False


def parse_line(line: bytes, name: str, number: int) -> Row | Broken:
    """Return the row that a line is."""
    place = f"{name} line {number}"
    text = decode(line, place)
    if isinstance(text, Broken):
        return text
    if "\0" in text:
        return Broken(
            place, "the line holds NUL bytes", "Write the file again: it was not written to its end."
        )
    try:
        value = _DECODER.decode(text.rstrip("\r\n"))
    except json.JSONDecodeError as error:
        if number == 1 and text.strip() == "{":
            why = "not valid JSON on one line: an object that goes over several lines"
            return Broken(place, why, ONE_FORM)
        return Broken(place, f"not valid JSON ({_problem(error)} at column {error.colno})", ONE_FORM)
    except (ValueError, RecursionError) as error:
        return Broken(place, *_unusual(error))
    return value if isinstance(value, dict) else _no_object(value, place)


def _read_list(data: bytes, file: DataFile, first_line: int, start: int) -> Iterator[Row | Broken]:
    """Yield the rows of a list, which begins in line `first_line` of its file."""
    text = decode(data, file.name)
    if isinstance(text, Broken):
        raise text.error()
    at, count = text.index("[") + 1, 0
    while True:
        at = _skip_space(text, at)
        if text[at : at + 1] == "]":
            break
        if count:
            if text[at : at + 1] != ",":
                raise _no_list(json.JSONDecodeError("Expecting ',' delimiter", text, at), file, first_line)
            at = _skip_space(text, at + 1)
        place = f"{file.name} item {count + 1}"
        try:
            value, at = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise _no_list(error, file, first_line) from error
        except _TwiceError as error:
            yield Broken(place, *_unusual(error))
            at = _LENIENT.raw_decode(text, at)[1]
        except (ValueError, RecursionError) as error:
            raise Broken(place, *_unusual(error)).error() from error
        else:
            if count >= start:
                yield cast("Row", value) if isinstance(value, dict) else _no_object(value, place)
        count += 1
    if (end := _skip_space(text, at + 1)) != len(text):
        raise _no_list(json.JSONDecodeError("Extra data", text, end), file, first_line)


def _skip_space(text: str, at: int) -> int:
    matched = _SPACE.match(text, at)
    return matched.end() if matched else at


def _no_list(error: json.JSONDecodeError, file: DataFile, first_line: int) -> DataError:
    line = error.lineno + first_line - 1
    return DataError(
        f"{file.name} line {line}: not valid JSON ({_problem(error)} at column {error.colno})", ONE_FORM
    )


def _problem(error: json.JSONDecodeError) -> str:
    problem = error.msg.replace("Expecting", "expected").replace(" delimiter", "")
    problem = problem.removesuffix(" starting at").removesuffix(" at")
    return problem[:1].lower() + problem[1:]


def _unusual(error: Exception) -> tuple[str, str]:
    """Return why JSON that is well formed is no row, and what to do."""
    if isinstance(error, _TwiceError):
        return (
            f"the key {json.dumps(str(error), ensure_ascii=False)} stands twice in one object",
            "Keep one of them.",
        )
    if isinstance(error, RecursionError):
        return "lists and objects are nested too deeply", "Write a flatter row."
    return "a number has more than 4,300 digits", "Put it in quotes."


def _no_object(value: object, place: str) -> Broken:
    written = json.dumps(value, ensure_ascii=False)
    written = written if len(written) <= 40 else f"{written[:40]}..."
    return Broken(
        place, f"a row must be an object, not {written}", 'Write {"name": value, ...} for each row.'
    )
