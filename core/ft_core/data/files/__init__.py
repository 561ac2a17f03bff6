"""Files to rows: one module for each kind of file, lazy where the format allows it."""

from ft_core.data.files.broken import MAX_LISTED, Broken, Row, Skipped, skipped_by, told_of
from ft_core.data.files.kinds import KINDS, DataFile, data_file, kind_of, shown
from ft_core.data.files.read import (
    Rows,
    count_file,
    is_counted_quickly,
    is_random,
    open_file,
    read_file,
)

__all__ = [
    "KINDS",
    "MAX_LISTED",
    "Broken",
    "DataFile",
    "Row",
    "Rows",
    "Skipped",
    "count_file",
    "data_file",
    "is_counted_quickly",
    "is_random",
    "kind_of",
    "open_file",
    "read_file",
    "shown",
    "skipped_by",
    "told_of",
]
