"""What can be said of a row before anything is tokenized: who speaks, who says nothing, and which characters are odd."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.document import TEMPLATE_ROLE
from ft_core.data.formats.chat_messages import read_conversation, thinking_key
from ft_core.errors import DataError
from ft_core.inspection.flags import BIT

if TYPE_CHECKING:
    from ft_core.config import Dataset
    from ft_core.data import Sample

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
"""Roles that chat templates write of themselves."""

_PLAIN = ROLES | {TEMPLATE_ROLE}

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ODD = re.compile("[\x80-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_MOJIBAKE = re.compile(
    "Ã[\x80-\xbf]|Â[\xa0-\xbf]|â€[\u2018-\u2022\u201a-\u201e\x9d\x99\x9c\u2122\u0153\u0161]|ï»¿"
)


@dataclass(frozen=True)
class Conversation:
    """What a row of messages says of itself.

    Attributes
    ----------
    bits
        Flags.
    unknown
        Its roles that nobody knows, each once.
    said
        The numbers of the messages that hold text.
    thinking
        The reasoning that stands before its answers.
    """

    bits: int
    unknown: tuple[str, ...]
    said: tuple[int, ...]
    thinking: tuple[str, ...]


def read_flags(row: Mapping[str, Any], dataset: Dataset, template: str) -> Conversation | None:
    """Return what a row of ``type: chat_template`` says of itself, or None where it cannot be read.

    Parameters
    ----------
    row, dataset
        The row, and the entry of the config it is of.
    template
        The text of the chat template; a role that stands in quotes there is known. May be empty.
    """
    try:
        messages = [each.message for each in read_conversation(row, dataset)]
    except DataError:
        return None
    key = thinking_key(dataset)
    bits = 0
    unknown: dict[str, None] = {}
    said: list[int] = []
    thinking: list[str] = []
    for number, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        if role not in ROLES and not _is_known(role, dataset, template):
            unknown[role] = None
        thought = message.get(key)
        if isinstance(thought, str) and thought.strip():
            thinking.append(thought.strip())
        elif role == "assistant" and isinstance(content, str) and "</think>" in content:
            thinking.append(content.partition("</think>")[0].rpartition("<think>")[2].strip())
        if isinstance(content, str) and content.strip():
            said.append(number)
        elif not (message.get("tool_calls") or thought):
            bits |= BIT["empty_turn"]
    if unknown:
        bits |= BIT["unknown_role"]
    if messages[-1]["role"] == "user":
        bits |= BIT["unanswered"]
    return Conversation(bits, tuple(unknown), tuple(said), tuple(filter(None, thinking)))


def seen_in(sample: Sample, row: Mapping[str, Any], dataset: Dataset) -> Conversation | None:
    """Return what a row says of itself where its sample shows every message, and none is unusual; else None.

    Most rows are so, and to see it takes a fraction of the time of reading the row.
    """
    messages = row.get(dataset.field_messages)
    if not isinstance(messages, list) or row.get("system") or dataset.drop_system_message:
        return None
    key, name = dataset.field_thinking or thinking_key(dataset), dataset.message_property_mappings["content"]
    for message in cast("list[Mapping[str, Any]]", messages):
        content = message.get(name)
        if key in message or not isinstance(content, str) or "</think>" in content:
            return None
    last, turns = "", set[int]()
    for span in sample.spans:
        if span.role not in _PLAIN:
            return None
        if span.turn is not None and "end of turn" not in span.rule and span.text.strip():
            last = span.role
            turns.add(span.turn)
    if len(turns) != len(cast("list[Any]", messages)):
        return None
    return Conversation(BIT["unanswered"] if last == "user" else 0, (), (), ())


def character_flags(text: str) -> int:
    """Return the flags of a text for the characters it holds.

    >>> character_flags("as it is"), character_flags("cafÃ©") == BIT["mojibake"]
    (0, True)
    """
    bits = BIT["control_characters"] if _CONTROL.search(text) else 0
    if text.isascii():
        return bits
    if "\ufffd" in text:
        bits |= BIT["replacement_character"]
    if _ODD.search(text):
        bits |= BIT["control_characters"]
    # Half of the pattern's signs are rare; to look for these two first is faster than the pattern.
    if any(sign in text for sign in ("Ã", "Â", "â€", "ï»¿")) and _MOJIBAKE.search(text):
        # A C1 control inside such a pair is a part of it.
        bits |= BIT["mojibake"]
    return bits


def texts_in(value: object) -> Iterator[str]:
    """Yield the texts of a value, and those inside its lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from texts_in(item)
    elif isinstance(value, (list, tuple)):
        for item in cast("list[object]", value):
            yield from texts_in(item)


def _is_known(role: str, dataset: Dataset, template: str) -> bool:
    if role in dataset.roles or role in dataset.roles_to_train:
        return True
    return f"'{role}'" in template or f'"{role}"' in template
