"""Datasets of the type ShareGPT, which Axolotl has given up for ``chat_template``.

::

    type: sharegpt                 type: chat_template
    conversation: chatml     ->    chat_template: chatml
                                   field_messages: conversations
                                   message_property_mappings: {role: from, content: value}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.problems import shown
from ft_core.config.translate import asks, in_short, move, take

PROPERTIES = "message_property_mappings"


@dataclass(frozen=True)
class Reader:
    """Where a function of the ShareGPT type found the messages of a row, and their properties."""

    messages: str = "conversations"
    role: str = "from"
    content: str = "value"
    user: tuple[str, ...] = ("human", "user")
    assistant: tuple[str, ...] = ("gpt", "assistant")


READERS = {
    "": Reader(),
    "load": Reader(),
    "load_multirole": Reader(),
    "load_role": Reader(role="role"),
    "load_guanaco": Reader(role="role", content="text", user=("prompter",), assistant=("assistant",)),
    "load_ultrachat": Reader("messages", "role", "content"),
}
"""The functions after ``sharegpt.``, none included."""

CONVERSATIONS = {
    "chatml": "chatml",
    "llama3": "llama3",
    "llama-3": "llama3",
    "gemma": "gemma",
    "alpaca": "alpaca",
}
"""FastChat's conversations, and the chat template of each."""


def rename_sharegpt(draft: Draft, entry: dict[str, Any], path: Path, kind: str) -> None:
    """Make the dataset `entry` of the type `kind`, which stands at `path`, one of type chat_template."""
    function = kind.removeprefix("sharegpt").removeprefix("_simple").removesuffix(":chat").removeprefix(".")
    reader = READERS.get(function)
    if reader is None:
        draft.report(
            (*path, "type"),
            f"'type' cannot be {shown(kind)}: Axolotl has removed it, and it is not supported",
            "use 'type: chat_template' on rows that hold a list of messages",
        )
        return
    entry["type"] = "chat_template"
    keys = " and ".join(_move_reader(draft, entry, path, reader))
    draft.warn(
        (*path, "type"),
        f"'type: {in_short(kind)}' is now written 'type: chat_template'{' with ' if keys else ''}{keys}; the text is that "
        "of the chat template, not of FastChat's vicuna_v1.1",
        "write it so, and say which 'chat_template' is meant",
    )
    _rename_roles(draft, entry, path, reader)
    conversation = take(entry, "conversation")
    if conversation is not None:
        _rename_conversation(draft, path, conversation)


def _move_reader(draft: Draft, entry: dict[str, Any], path: Path, reader: Reader) -> list[str]:
    """Write where messages and their properties are found, unless `entry` says it, and return the lines that do."""
    lines: list[str] = []
    at = (*path, "type")
    for key in ("field_messages", PROPERTIES):
        if not asks(entry.get(key)):
            entry.pop(key, None)
    if "field_messages" not in entry:
        lines.append(f"'field_messages: {reader.messages}'")
        move(draft, at, (*path, "field_messages"), reader.messages)
    if PROPERTIES not in entry:
        lines.append(f"'{PROPERTIES}: {{role: {reader.role}, content: {reader.content}}}'")
        entry[PROPERTIES] = {}
        draft.moved[(*path, PROPERTIES)] = draft.written(at)
    for name, read in (("role", reader.role), ("content", reader.content)):
        if isinstance(entry[PROPERTIES], dict) and name not in entry[PROPERTIES]:
            move(draft, at, (*path, PROPERTIES, name), read)
    return lines


def _rename_roles(draft: Draft, entry: dict[str, Any], path: Path, reader: Reader) -> None:
    """Move the names that the rows have for human and model to ``roles``."""
    at = (*path, "type")
    user, assistant = list[Any](reader.user), list[Any](reader.assistant)
    for key, names in (("field_human", user), ("field_model", assistant)):
        name = take(entry, key)
        if name is not None:
            at = (*path, key)
            names[:] = [name]
            side = "user" if names is user else "assistant"
            now = f"roles: {{{side}: [{in_short(name)}]}}"
            draft.warn(at, f"'{key}' is now written '{now}'", f"write '{now}'")
    roles = entry.get("roles")
    if isinstance(roles, dict) and roles and roles.keys() <= {"input", "output"}:
        at = (*path, "roles")
        user += _as_list(roles.get("input"))
        assistant += _as_list(roles.get("output"))
        now = "roles: {user: [...], assistant: [...]}"
        draft.warn(at, f"'roles: {{input: [...], output: [...]}}' is now written '{now}'", f"write '{now}'")
        del entry["roles"]
    if at[-1] != "type" or reader.user != Reader.user:
        if not asks(entry.get("roles")):
            entry.pop("roles", None)
        move(draft, at, (*path, "roles"), {"user": user, "assistant": assistant, "system": ["system"]})


def _as_list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]


def _rename_conversation(draft: Draft, path: Path, value: Any) -> None:
    """Move the FastChat conversation of a dataset to ``chat_template``, where there is one like it."""
    at = (*path, "conversation")
    template = CONVERSATIONS.get(value) if isinstance(value, str) else None
    if template is None:
        message = f"'conversation' cannot be {shown(value)}: FastChat's conversations are not supported"
        fix = (
            "remove it to use the tokenizer's chat template, or write that template in 'chat_template_jinja'"
        )
        draft.report(at, message, fix)
        return
    now = f"chat_template: {template}"
    draft.warn(at, f"'conversation' is now written '{now}'", f"write '{now}'")
    move(draft, at, (*path, "chat_template"), template)
