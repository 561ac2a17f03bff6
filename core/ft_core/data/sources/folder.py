"""Which files of a folder hold the rows of a split; a folder of a remote store is chosen from in the same way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath

from ft_core.data.files import KINDS, kind_of
from ft_core.errors import DataError

# How the datasets library tells the files of a split by their names.
SPLIT_WORDS = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
}

ABOUT = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
"""Files that the datasets library writes beside the data, and that hold none."""


def is_saved(names: Sequence[str]) -> bool:
    """Return whether a folder with these names is what ``save_to_disk`` of the datasets library writes."""
    return "state.json" in names or "dataset_dict.json" in names


def data_names(names: Sequence[str], kind: str | None, folder: str) -> list[str]:
    """Return which of the names in a folder are of data files, in their order.

    Parameters
    ----------
    names
        Paths from the folder on, with slashes.
    kind
        What ds_type says: then the suffix is of no matter.
    folder
        The folder as people call it.

    Raises
    ------
    DataError
        There are none, or the same data seems to be there twice.
    """
    found = [
        name
        for name in sorted(names)
        if (kind_of(PurePosixPath(name)) or kind)
        and PurePosixPath(name).name not in ABOUT
        and not any(part.startswith(".") for part in PurePosixPath(name).parts)
    ]
    if not found:
        raise DataError(
            f"There are no data files in the folder '{folder}'.",
            f"Put files there that end in {', '.join(KINDS)}.",
        )
    stems: dict[str, str] = {}
    for name in found:
        stem = name.removesuffix("".join(PurePosixPath(name).suffixes[-2:]))
        if stem in stems and kind_of(PurePosixPath(name)) is not None:
            raise DataError(
                f"The folder '{folder}' holds '{stems[stem]}' and '{name}', which look like the same rows twice.",
                "Name one of them in data_files.",
            )
        stems[stem] = name
    return found


def matches(name: str, pattern: str) -> bool:
    """Return whether a pattern of data_files names a file, as it would in a folder of this machine.

    >>> matches("a/1.csv", "*.csv"), matches("a/1.csv", "a/*.csv"), matches("a/b/1.csv", "**/*.csv")
    (False, True, True)
    """
    parts, wanted = name.split("/"), pattern.removeprefix("./").split("/")

    def fits(at: int, of: int) -> bool:
        if of == len(wanted):
            return at == len(parts)
        if wanted[of] == "**":
            return any(fits(next_at, of + 1) for next_at in range(at, len(parts) + 1))
        return at < len(parts) and fnmatchcase(parts[at], wanted[of]) and fits(at + 1, of + 1)

    return fits(0, 0)


def names_of_split(names: Sequence[str], split: str, folder: str) -> list[str]:
    """Return the names that say that they are of `split`; for train, else, those that name no other split.

    >>> names_of_split(["a/test.csv", "a/part-1.csv", "a/part-2.csv"], "train", "a")
    ['a/part-1.csv', 'a/part-2.csv']
    """
    if len(names) == 1 and split == "train":
        return list(names)
    words = [set(re.split(r"[^a-z]+", name.lower())) for name in names]
    wanted = SPLIT_WORDS.get(split, {split.lower()})
    chosen = [name for name, named in zip(names, words, strict=True) if named & wanted]
    if not chosen and split == "train":
        others = SPLIT_WORDS["validation"] | SPLIT_WORDS["test"]
        chosen = [name for name, named in zip(names, words, strict=True) if not named & others]
    if not chosen:
        some = ", ".join(PurePath(name).name for name in names[:5])
        raise DataError(
            f"No file of '{folder}' is of the split '{split}': {some}.", "Name one in data_files."
        )
    return chosen
