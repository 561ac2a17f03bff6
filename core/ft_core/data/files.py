"""Files to rows: one reader for each kind of file, all lazy where the format allows it."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from ft_core.errors import DataError

Row = dict[str, Any]

KINDS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
}
"""What kind of file a suffix says; each may be followed by .gz, except parquet and arrow, which compress themselves."""

# Counting reads the file; up to this many bytes that takes well under a second.
_LINES_COUNTED = 256 * 2**20
_ROWS_COUNTED = 16 * 2**20


def kind_of(path: Path) -> str | None:
    """Return the kind that the suffix of `path` says, or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return KINDS.get(suffixes[-1]) if suffixes else None


def read_file(path: Path, kind: str) -> Iterator[Row]:
    """Yield the rows of a file.

    Raises
    ------
    DataError
        It cannot be read as what it should be; the message names the line where there is one.
    """
    try:
        yield from _READERS[kind](path)
    except (OSError, EOFError) as error:
        raise DataError(
            f"{shown(path)} cannot be read: {error}.", "Check the file and its permissions."
        ) from error


def count_file(path: Path, kind: str) -> int | None:
    """Return how many rows a file has, or None where that would take long to find out."""
    size = path.stat().st_size
    if kind == "parquet":
        import pyarrow.parquet as parquet

        return int(parquet.read_metadata(path).num_rows)
    if kind == "text" or (kind == "json" and not _holds_array(path)):
        if size > _LINES_COUNTED:
            return None
        with _open(path) as lines:
            return sum(1 for line in lines if kind == "text" or line.strip())
    return sum(1 for _ in read_file(path, kind)) if size <= _ROWS_COUNTED else None


def shown(path: Path) -> str:
    """Return a path as a person would write it: from the working directory where it lies in there."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def _holds_array(path: Path) -> bool:
    """Return whether the first character that is not blank opens a list."""
    with _open(path) as lines:
        return (
            next((line.lstrip() for line in lines if line.strip()), b"").removeprefix(b"\xef\xbb\xbf")[:1]
            == b"["
        )


def _read_json(path: Path) -> Iterator[Row]:
    """Read JSON Lines line by line, so that a broken line is named; a file that is one list is read whole."""
    if _holds_array(path):
        with _open(path) as stream:
            rows = _parse_json(_decode(stream.read(), shown(path)), path, line=None)
        for number, row in enumerate(cast("list[Any]", rows), 1):
            yield _require_object(row, f"{shown(path)} item {number}")
        return
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                text = _decode(line, f"{shown(path)} line {number}").rstrip("\r\n")
                yield _require_object(_parse_json(text, path, line=number), f"{shown(path)} line {number}")


def _parse_json(text: str, path: Path, *, line: int | None) -> object:
    """Return the value that `text` writes; `line` is where it stands, or None where it is the whole file."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = error.msg.replace("Expecting", "expected").replace(" delimiter", "")
        problem = problem.removesuffix(" starting at").removesuffix(" at")
        problem = problem[:1].lower() + problem[1:]
        raise DataError(
            f"{shown(path)} line {line or error.lineno}: not valid JSON ({problem} at column {error.colno})",
            "Write one JSON object a line, or one list of objects in the whole file.",
        ) from error


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: not UTF-8 text (byte {error.start + 1} is 0x{data[error.start]:02x})",
            "Save the file as UTF-8.",
        ) from error


def _require_object(row: object, where: str) -> Row:
    if not isinstance(row, dict):
        written = json.dumps(row, ensure_ascii=False)
        written = written if len(written) <= 40 else f"{written[:40]}..."
        raise DataError(
            f"{where}: a row must be an object, not {written}", 'Write {"name": value, ...} for each row.'
        )
    return cast("Row", row)


def _read_text(path: Path) -> Iterator[Row]:
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            yield {"text": _decode(line, f"{shown(path)} line {number}").rstrip("\r\n")}


def _read_csv(path: Path) -> Iterator[Row]:
    import pandas as pd

    try:
        # Without index_col, pandas takes cells that have no column name for row labels; with it, it drops them and warns.
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(path, low_memory=False, index_col=False)
    except pd.errors.EmptyDataError:
        return
    except pd.errors.ParserWarning as warning:
        raise DataError(
            f"{shown(path)}: rows have more cells than the first line has names.", "Name each column."
        ) from warning
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(
            f"{shown(path)}: not a valid CSV file ({str(error).strip()})", "Save it as UTF-8 CSV."
        ) from error
    # An empty cell is NaN in pandas; in a row it is null, as in every other kind of file.
    for record in table.astype(object).where(table.notna(), None).to_dict(orient="records"):
        yield {str(key): value for key, value in record.items()}


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise DataError(f"{shown(path)}: not a valid Parquet file ({error})") from error


def _read_arrow(path: Path) -> Iterator[Row]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            # What the datasets library writes is a stream; what others call Arrow or Feather is a file with an index.
            batches: Any = pa.ipc.open_stream(source)
        except pa.ArrowInvalid:
            try:
                opened = pa.ipc.open_file(source)
            except pa.ArrowInvalid as error:
                raise DataError(f"{shown(path)}: not a valid Arrow file ({error})") from error
            batches = (opened.get_batch(index) for index in range(opened.num_record_batches))
        for batch in batches:
            yield from batch.to_pylist()


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "json": _read_json,
    "jsonl": _read_json,
    "csv": _read_csv,
    "parquet": _read_parquet,
    "arrow": _read_arrow,
    "text": _read_text,
}
