"""What kind of file a name says, and whether its first bytes say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from ft_core.errors import DataError

KINDS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "text",
}
"""What kind of file a suffix says; those of text may be followed by a suffix of `COMPRESSED`."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")

BINARY = ("parquet", "arrow")
"""Kinds that compress their columns themselves."""

MAGIC = (
    (b"PAR1", "a Parquet file", "Name it .parquet, or write ds_type: parquet."),
    (b"ARROW1", "an Arrow file", "Name it .arrow, or write ds_type: arrow."),
    (b"\x1f\x8b", "compressed by gzip", "Let its name end in .gz."),
    (b"BZh", "compressed by bzip2", "Let its name end in .bz2."),
    (b"\xfd7zXZ\x00", "compressed by xz", "Let its name end in .xz."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Let its name end in .zst."),
    (b"PK\x03\x04", "a zip archive", "Let its name end in .zip, with one data file inside."),
    (b"\xff\xfe", "text in UTF-16", "Save the file as UTF-8."),
    (b"\xfe\xff", "text in UTF-16", "Save the file as UTF-8."),
    (b"\x00\x00", "binary, or was never written to its end", "Write the file again."),
)
"""How files begin that are not what a name for text says."""

PEEKED = 16


@dataclass(frozen=True)
class DataFile:
    """A file with rows.

    Attributes
    ----------
    path
        Where it is on this machine.
    kind
        One of the values of `KINDS`.
    name
        How a person would call it; for a copy of a remote file its address.
    """

    path: Path
    kind: str
    name: str

    @property
    def compression(self) -> str | None:
        """The suffix that says how it is compressed."""
        suffix = self.path.suffix.lower()
        return suffix if suffix in COMPRESSED else None


def kind_of(path: PurePath) -> str | None:
    """Return the kind that the suffix of `path` says, or None.

    >>> kind_of(PurePath("rows.jsonl.gz")), kind_of(PurePath("rows.gz"))
    ('json', None)
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return KINDS.get(suffixes[-1]) if suffixes else None


def data_file(path: Path, kind: str | None, name: str | None = None) -> DataFile:
    """Return a file with its kind: as the config says, else as the suffix says.

    Raises
    ------
    DataError
        Neither says it.
    """
    name = name or shown(path)
    found = kind or kind_of(path)
    if found is None:
        raise DataError(
            f"{name}: the suffix does not say what kind of file this is.",
            "Say it: ds_type: json, csv, parquet, arrow or text.",
        )
    return DataFile(path, "json" if found == "jsonl" else found, name)


def check_start(start: bytes, name: str) -> None:
    """Raise where a file of text begins as one of another kind; `start` is its first `PEEKED` bytes or fewer."""
    for magic, what, fix in MAGIC:
        if start.startswith(magic):
            raise DataError(f"{name}: this is {what}, not what its name says.", fix)


def shown(path: Path) -> str:
    """Return a path as a person would write it: from the working directory where it lies in there."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
