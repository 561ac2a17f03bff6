"""``pretraining_dataset``: datasets of plain text that are streamed, under a key of their own."""

from __future__ import annotations

from typing import Any, cast

from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.translate import asks

KEY = "pretraining_dataset"


def move_pretraining(draft: Draft) -> None:
    """Move the entries of ``pretraining_dataset`` into ``datasets``, and say that these are streamed.

    What is no entry stays where it is, to be refused by its own key.
    """
    given = draft.data.get(KEY)
    if not asks(given):
        return
    if asks(draft.data.get("datasets")):
        message = f"'datasets' and '{KEY}' both say what is trained on"
        draft.report((KEY,), message, "remove one of the two", at="key")
        del draft.data[KEY]
        return
    entries = _entries(given)
    if entries is None:
        draft.bad.add(("datasets",))
        return
    del draft.data[KEY]
    draft.data["datasets"] = [{"type": "pretrain", **entry} for _, entry in entries]
    draft.data["streaming"] = True
    draft.moved[("datasets",)] = draft.moved[("streaming",)] = (KEY,)
    bad = {path for path in draft.bad if path[0] == KEY}
    for index, (path, _) in enumerate(entries):
        draft.moved[("datasets", index)] = path
        draft.bad |= {
            ("datasets", index, *inner[len(path) :])
            for inner in bad
            if inner[: len(path)] == path and len(inner) > len(path)
        }
    if isinstance(given, str):
        draft.moved[("datasets", 0, "path")] = (KEY,)


def is_pretraining(draft: Draft) -> bool:
    """Whether the datasets were written under ``pretraining_dataset``."""
    return draft.moved.get(("datasets",)) == (KEY,)


def _entries(given: Any) -> list[tuple[Path, dict[str, Any]]] | None:
    """Return the entries, each with where it was written; None where one of them is no map."""
    if isinstance(given, str):
        return [((KEY,), {"path": given})]
    if isinstance(given, dict):
        return [((KEY,), cast("dict[str, Any]", given))]
    if isinstance(given, list) and all(isinstance(entry, dict) for entry in cast("list[Any]", given)):
        return [((KEY, index), entry) for index, entry in enumerate(cast("list[dict[str, Any]]", given))]
    return None
