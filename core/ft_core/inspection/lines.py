"""Neighbouring rows of files of JSON Lines, read with one look at the disk: for passes over all rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ft_core.data.files import Broken, DataFile, is_random
from ft_core.data.files.json_rows import parse_line
from ft_core.data.files.lines import BOM, MAX_LINE, LineIndex, index_lines
from ft_core.data.sources.reading import find_source
from ft_core.data.sources.share import takes_share
from ft_core.data.sources.source import FilesSource
from ft_core.data.sources.split import parse_split
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset
    from ft_core.data.files import Row


@dataclass(frozen=True)
class Lines:
    """The rows of one file, in its order.

    Attributes
    ----------
    file, index
        The file, and where its rows begin.
    skipped
        How many of its first rows the dataset does not take.
    """

    file: DataFile
    index: LineIndex
    skipped: int

    def raw(self, start: int, stop: int) -> list[bytes] | None:
        """Return the lines of the dataset's rows ``[start, stop)``; None where they are too long to be held at once."""
        first, last = start + self.skipped, stop + self.skipped
        offsets = self.index.offsets[first:last]
        base = int(offsets[0])
        end = int(self.index.offsets[last]) if last < len(self.index) else self.file.path.stat().st_size
        if end - base > MAX_LINE:
            return None
        try:
            with self.file.path.open("rb") as stream:
                stream.seek(base)
                block = stream.read(end - base)
        except OSError as error:
            raise DataError(f"{self.file.name} cannot be read: {error}.", "Check the file.") from error
        edges = [*(offsets - base).tolist(), len(block)]
        # Blank lines are no rows, and lie between them.
        return [block[low:high].partition(b"\n")[0] for low, high in pairwise(edges)]

    def parse(self, line: bytes, row: int) -> tuple[int, Row] | DataError:
        """Return the row that the line of a row of the dataset is, with its number in the source, or why it is none."""
        number = row + self.skipped
        line_number = int(self.index.numbers[number])
        parsed = parse_line(line.removeprefix(BOM) if line_number == 1 else line, self.file.name, line_number)
        return parsed.error() if isinstance(parsed, Broken) else (number, parsed)


def open_lines(dataset: Dataset) -> Lines | None:
    """Return the lines of a dataset, None where it is anything but one file of JSON Lines taken in its order."""
    if dataset.table is not None or takes_share(dataset):
        return None
    part = parse_split(dataset.split)
    source = find_source(dataset, part.name)
    if not isinstance(source, FilesSource) or len(source.files) != 1:
        return None
    [file] = source.files
    if file.kind != "json" or not is_random(file):
        return None
    index = index_lines(file.path, keep_blank=False)
    numbers = part.numbers(len(index))
    return Lines(file, index, numbers.start) if len(numbers) and numbers.step == 1 else None
