"""Older and second names of keys, and what they are called now."""

from __future__ import annotations

from typing import Any

from ft_core.config.document import Path
from ft_core.config.draft import Draft

ALIASES = {"model_revision": "revision_of_model", "type_of_model": "model_type"}
"""Second names, as good as the first."""

OLDER = {"evaluation_strategy": "eval_strategy"}
"""Names that Axolotl gave up."""

ATTENTION = {"flash_attention": "flash_attention_2", "sdp_attention": "sdpa", "eager_attention": "eager"}
"""Switches that attn_implementation replaced."""

MESSAGE_FIELDS = {"message_field_role": "role", "message_field_content": "content"}
"""Keys of a dataset that message_property_mappings replaced."""


def rename_keys(draft: Draft) -> None:
    """Move the values of older names to today's, with a warning where the name is no longer one."""
    data = draft.data
    for old, new in (*ALIASES.items(), *OLDER.items()):
        if old not in data:
            continue
        value = data.pop(old)
        if value is None:
            continue
        if data.get(new) is not None:
            draft.report((old,), f"'{old}' and '{new}' are the same key", f"keep only '{new}'", at="key")
            continue
        if old in OLDER:
            draft.warn((old,), f"'{old}' is now called '{new}'", f"write '{new}'")
        _move(draft, data, (old,), (new,), value)
    _rename_attention(draft)
    for key in ("datasets", "test_datasets"):
        entries = data.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict):
                _rename_message_fields(draft, entry, (key, index))


def _rename_attention(draft: Draft) -> None:
    for old, name in ATTENTION.items():
        value = draft.data.get(old)
        if value is not True:
            continue
        del draft.data[old]
        if draft.data.get("attn_implementation") is not None:
            message = f"'{old}' and 'attn_implementation' both choose how attention is computed"
            draft.report((old,), message, f"remove '{old}'", at="key")
            continue
        draft.warn(
            (old,),
            f"'{old}' is now written 'attn_implementation: {name}'",
            f"write 'attn_implementation: {name}'",
        )
        _move(draft, draft.data, (old,), ("attn_implementation",), name)


def _rename_message_fields(draft: Draft, entry: dict[str, Any], path: Path) -> None:
    for old, name in MESSAGE_FIELDS.items():
        value = entry.get(old)
        if not isinstance(value, str) or not value:
            continue
        del entry[old]
        mappings = entry.get("message_property_mappings") or {}
        if not isinstance(mappings, dict) or name in mappings:
            message = f"'{old}' and 'message_property_mappings' say the same"
            draft.report((*path, old), message, f"remove '{old}'", at="key")
            continue
        draft.warn(
            (*path, old),
            f"'{old}' is now written 'message_property_mappings: {{{name}: {value}}}'",
            "write it so",
        )
        entry["message_property_mappings"] = mappings
        _move(draft, mappings, (*path, old), (*path, "message_property_mappings", name), value)
        draft.moved.setdefault((*path, "message_property_mappings"), (*path, old))


def _move(draft: Draft, holder: dict[str, Any], old: Path, new: Path, value: Any) -> None:
    holder[str(new[-1])] = value
    draft.moved[new] = old
    if old in draft.bad:
        draft.bad.add(new)
