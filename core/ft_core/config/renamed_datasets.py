"""Older ways to write a dataset: a list of names, ``train_on_split``, the keys of a message's role and content."""

from __future__ import annotations

from typing import Any, cast

from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.renamed_sharegpt import rename_sharegpt
from ft_core.config.retired import drop_retired_of_dataset
from ft_core.config.translate import in_short, move, take

MAX_NAMES = 100
"""The longest list of names that is taken apart: each makes a copy of its dataset."""

MESSAGE_FIELDS = {"message_field_role": "role", "message_field_content": "content"}
"""Keys that message_property_mappings replaced."""

PROPERTIES = "message_property_mappings"


def rename_in_datasets(draft: Draft) -> None:
    """Translate the older forms inside ``datasets`` and ``test_datasets``."""
    for key in ("datasets", "test_datasets"):
        entries = draft.data.get(key)
        if not isinstance(entries, list):
            continue
        draft.data[key] = _split_names(draft, key, cast("list[Any]", entries))
        for index, entry in enumerate(draft.data[key]):
            if isinstance(entry, dict):
                _rename_in(draft, cast("dict[str, Any]", entry), (key, index))


def _split_names(draft: Draft, key: str, entries: list[Any]) -> list[Any]:
    """Return the entries, one for each name where an entry has several; each still points to where it was written."""
    made: list[Any] = []
    bad = {path for path in draft.bad if path[0] == key and len(path) > 1}
    draft.bad -= bad
    written = [draft.written((key, index)) for index in range(len(entries))]
    for index, entry in enumerate(entries):
        names = _names(draft, entry, (key, index))
        for name_index, name in enumerate(names or [None]):
            path = (key, len(made))
            if names:
                made.append({**entry, "name": name})
                draft.moved[(*path, "name")] = (*written[index], "name", name_index)
            else:
                made.append(entry)
            if path != (key, index):
                draft.moved[path] = written[index]
            draft.bad |= {(*path, *inner[2:]) for inner in bad if inner[1] == index}
    return made


def _names(draft: Draft, entry: Any, path: Path) -> list[str] | None:
    """Return the names of an entry that has a list of them."""
    names = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        return None
    if len(names) > MAX_NAMES:
        draft.report((*path, "name"), f"'name' holds more than {MAX_NAMES} names", "write fewer")
        return None
    return cast("list[str]", names)


def _rename_in(draft: Draft, entry: dict[str, Any], path: Path) -> None:
    drop_retired_of_dataset(draft, entry, path)
    value = take(entry, "train_on_split")
    if value is not None:
        draft.warn((*path, "train_on_split"), "'train_on_split' is now called 'split'", "write 'split'")
        move(draft, (*path, "train_on_split"), (*path, "split"), value)
    for old, name in MESSAGE_FIELDS.items():
        value = take(entry, old)
        if value is not None:
            now = f"{PROPERTIES}: {{{name}: {in_short(value)}}}"
            draft.warn((*path, old), f"'{old}' is now written '{now}'", f"write '{now}'")
            move(draft, (*path, old), (*path, PROPERTIES, name), value)
    # An empty type means rows that are tokenized already; without the key it was forgotten.
    if "type" in entry and entry["type"] is None:
        entry["type"] = ""
    kind = entry.get("type")
    if isinstance(kind, str) and kind.startswith("sharegpt"):
        rename_sharegpt(draft, entry, path, kind)
