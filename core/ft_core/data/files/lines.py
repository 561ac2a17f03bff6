"""The lines of a file, compressed or not, and where each of them begins."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from ft_core.data.files.broken import Broken
from ft_core.data.files.kinds import PEEKED, DataFile, check_start
from ft_core.errors import DataError

MAX_LINE = 2**28
"""Bytes of a line; a longer one is no row but a file without line breaks."""

BOM = b"\xef\xbb\xbf"

_CHUNK = 2**24
_BLANK = np.frombuffer(b" \t\r\n\x0b\x0c", np.uint8)


@contextmanager
def open_stream(file: DataFile) -> Generator[IO[bytes]]:
    """Open a file of text for reading, unpacked.

    Raises
    ------
    DataError
        It is of another kind than its name says, or an archive of several files.
    """
    with _unpacked(file) as stream:
        check_start(stream.peek(PEEKED)[:PEEKED], file.name)
        yield cast("IO[bytes]", stream)


def _unpacked(file: DataFile) -> Any:
    match file.compression:
        case ".gz":
            return gzip.open(file.path)
        case ".bz2":
            return bz2.open(file.path)
        case ".xz":
            return lzma.open(file.path)
        case ".zst":
            # Python has zstd since 3.14; Arrow, which reads Parquet, has it anyway.
            import pyarrow as pa

            return io.BufferedReader(pa.input_stream(str(file.path), compression="zstd"))
        case ".zip":
            return _open_zip(file)
        case _:
            return file.path.open("rb")


@contextmanager
def _open_zip(file: DataFile) -> Generator[Any]:
    try:
        archive = zipfile.ZipFile(file.path)
    except zipfile.BadZipFile as error:
        raise DataError(f"{file.name}: not a valid zip archive ({error}).", "Write it again.") from error
    with archive:
        # macOS adds a second file for what its file system knows of the first.
        names = [
            name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")
        ]
        if len(names) != 1:
            raise DataError(
                f"{file.name}: a zip archive must hold one file, and this one holds {len(names)}.",
                "Unpack it, and name the folder.",
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise DataError(
                f"{file.name}: this zip archive has a password.", "Unpack it, and name the folder."
            )
        with archive.open(names[0]) as stream:
            yield stream


def numbered_lines(stream: IO[bytes], name: str, first: int = 1) -> Iterator[tuple[int, bytes | Broken]]:
    r"""Yield the lines, ``\n`` included, with their numbers from `first` on; line 1 comes without a byte order mark."""
    for number, line in enumerate(iter(partial(stream.readline, MAX_LINE + 1), b""), first):
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(_CHUNK)) and not rest.endswith(b"\n"):
                pass
            yield (
                number,
                Broken(
                    f"{name} line {number}",
                    f"the line is longer than {MAX_LINE // 2**20} MB",
                    "Write one row a line.",
                ),
            )
        else:
            yield number, line.removeprefix(BOM) if number == 1 else line


def decode(data: bytes, place: str) -> str | Broken:
    """Return the text that `data` is in UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        return Broken(
            place,
            f"not UTF-8 text (byte {error.start + 1} is 0x{data[error.start]:02x})",
            "Save the file as UTF-8.",
        )


@dataclass(frozen=True)
class LineIndex:
    """Where the rows of a file of lines begin.

    Attributes
    ----------
    offsets
        For each row the place of its first byte; int64 of shape ``[rows]``.
    numbers
        For each row the number of its line, from 1; int64 of shape ``[rows]``.
    """

    offsets: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets)


def index_lines(path: Path, *, keep_blank: bool) -> LineIndex:
    """Find the lines of an uncompressed file by its line breaks alone: a gigabyte takes about a second.

    Parameters
    ----------
    path
        The file.
    keep_blank
        Whether a line of nothing but white space is a row.
    """
    starts, firsts = [np.zeros(1, np.int64)], []
    base = 0
    with path.open("rb") as stream:
        begins = True
        while chunk := stream.read(_CHUNK):
            data = np.frombuffer(chunk, np.uint8)
            after = np.flatnonzero(data == 10) + 1
            within = after[after < len(data)]
            firsts.append(data[np.concatenate((np.zeros(int(begins), np.int64), within))])
            starts.append(after + base)
            begins = data[-1] == 10
            base += len(data)
    offsets = np.concatenate(starts)
    if not base or offsets[-1] == base:
        offsets = offsets[:-1]
    numbers = np.arange(1, len(offsets) + 1)
    if keep_blank or not base:
        return LineIndex(offsets, numbers)
    kept = ~_blank_lines(path, offsets, base, np.concatenate(firsts))
    return LineIndex(offsets[kept], numbers[kept])


def _blank_lines(
    path: Path, offsets: NDArray[np.int64], size: int, firsts: NDArray[np.uint8]
) -> NDArray[Any]:
    """Return for each line whether it is blank."""
    lengths = np.diff(offsets, append=size)
    blank = firsts == 10
    # A row begins with a brace, so lines that begin with white space are few, or blank ones that end in CR LF.
    doubtful = np.flatnonzero(np.isin(firsts, _BLANK) & ~blank)
    blank[doubtful[(firsts[doubtful] == 13) & (lengths[doubtful] == 2)]] = True
    with path.open("rb") as stream:
        for line in [0, *doubtful[~blank[doubtful]].tolist()]:
            stream.seek(int(offsets[line]))
            text = stream.read(int(min(lengths[line], MAX_LINE)))
            blank[line] = not (text.removeprefix(BOM) if line == 0 else text).strip()
    return blank
