"""``type: messages``: conversations in ChatML or Llama 3's marks, whose messages and parts have weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.document import Chunk, Document, Format, Piece
from ft_core.data.formats.columns import kind_of, list_of, object_in, text_in
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


@dataclass(frozen=True)
class _Marks:
    """What stands around a message; ``{role}`` stands for who speaks."""

    first: str
    before: str
    end: str
    after: str
    tool: str


_MARKS = {
    "chatml": _Marks("", "<|im_start|>{role}\n", "<|im_end|>", "\n", "tool"),
    "llama3": _Marks(
        "<|begin_of_text|>", "<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>", "", "ipython"
    ),
}
_ROLES = {"human": "user", "gpt": "assistant"}
_KNOWN = ("system", "user", "assistant", "tool", "ipython")
_TOOLS = {"tool_call": ("name", "arguments"), "tool_response": ("name", "content")}
"""Parts that are written as JSON between tags of this name, and what they hold."""

_ROLE_KEYS = ("role", "from")
_CONTENT_KEYS = ("value", "text", "content")
_WEIGHT_KEYS = ("train", "weight")


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format; ``chat_template`` says which marks, ChatML's where it is not given.

    Raises
    ------
    DataError
        It names another template.
    """
    chosen = dataset.chat_template or config.chat_template
    name = "chatml" if chosen == "tokenizer_default" else str(chosen)
    marks = next((marks for key, marks in _MARKS.items() if name.startswith(key)), None)
    if marks is None:
        raise DataError(
            f"'type: messages' writes 'chatml' or 'llama3', and chat_template is '{chosen}'.",
            "Use 'type: chat_template' for other templates.",
        )
    mappings = (
        dataset.message_property_mappings if "message_property_mappings" in dataset.model_fields_set else {}
    )
    roles = (mappings["role"],) if "role" in mappings else _ROLE_KEYS
    contents = (mappings["content"],) if "content" in mappings else _CONTENT_KEYS
    weights = (dataset.message_field_training,) if dataset.message_field_training else _WEIGHT_KEYS
    field_given = "field_messages" in dataset.model_fields_set

    def render(row: Mapping[str, Any]) -> Document:
        field = dataset.field_messages
        if not field_given and row.get(field) is None and "conversations" in row:
            field = "conversations"
        chunks: list[Chunk] = []
        for turn, message in enumerate(list_of(row, field, "messages")):
            what = f"message {turn + 1}"
            entry = object_in(message, what.capitalize())
            role = text_in(entry, _key(entry, roles, what), what)
            role = _ROLES.get(role, role)
            if role not in _KNOWN:
                raise DataError(f"The role of {what} is '{role}'; it must be one of {', '.join(_KNOWN)}.")
            content = entry[_key(entry, contents, what)]
            weight = next((entry[key] for key in weights if entry.get(key) is not None), None)
            chunks.append(_message(marks, role, turn, content, *_choose(role, weight, config)))
        return Document(tuple(chunks))

    return Format(fields=(), render=render)


def _key(entry: Mapping[str, Any], keys: tuple[str, ...], what: str) -> str:
    """Return which of `keys` the message has."""
    found = next((key for key in keys if entry.get(key) is not None), None)
    if found is None:
        named = " or ".join(f"'{key}'" for key in keys)
        raise DataError(
            f"{what.capitalize()} has no {named}; it has {', '.join(map(repr, entry)) or 'nothing'}.",
            "Say which property it is: message_property_mappings: {role: ..., content: ...}.",
        )
    return found


def _choose(role: str, weight: object, config: Config) -> tuple[bool, str]:
    """Return whether a message is trained on, and why."""
    if config.train_on_inputs:
        return True, "train_on_inputs is true"
    if weight is not None:
        return bool(weight), f"the message has the weight {int(bool(weight))}"
    return role == "assistant", f"role {role}"


def _message(marks: _Marks, role: str, turn: int, content: object, trained: bool, why: str) -> Chunk:
    """Return the text of a message, with a piece for each part of its content."""
    written = marks.tool if role == "tool" else role
    text = (marks.first if turn == 0 else "") + marks.before.format(role=written)
    pieces: list[Piece] = []
    for number, (part, weight) in enumerate(_parts(content, turn), 1):
        learnt = trained and weight
        rule = why if weight else f"part {number} has the weight 0"
        rule = f"{'trained' if learnt else 'masked'}: {rule}"
        pieces.append(Piece(len(text), len(text) + len(part), role, turn, learnt, rule))
        text += part
    rule = f"{'trained' if trained else 'masked'}: end of turn ({why})"
    pieces.append(Piece(len(text), len(text) + len(marks.end), role, turn, trained, rule))
    return Chunk(text + marks.end + marks.after, tuple(pieces))


def _parts(content: object, turn: int) -> list[tuple[str, bool]]:
    """Return the text of each part of a content, and whether it may be trained."""
    if isinstance(content, str):
        return [(content, True)]
    if not isinstance(content, (list, tuple)):
        raise DataError(
            f"The content of message {turn + 1} must be text or a list of parts, not {kind_of(content)}."
        )
    parts: list[tuple[str, bool]] = []
    for number, part in enumerate(cast("list[object]", content), 1):
        what = f"part {number} of message {turn + 1}"
        entry = object_in(part, what.capitalize())
        weight = next((entry[key] for key in _WEIGHT_KEYS if entry.get(key) is not None), True)
        parts.append((_part(entry, what), bool(weight)))
    return parts


def _part(entry: Mapping[str, Any], what: str) -> str:
    kind = entry.get("type", "text")
    if kind == "text":
        return text_in(entry, _key(entry, _CONTENT_KEYS, what), what)
    if kind not in _TOOLS:
        raise DataError(
            f"{what.capitalize()} is of the type '{kind}'; it must be text, tool_call or tool_response."
        )
    value = object_in(entry.get("value"), f"'value' of {what}")
    keys = (*_TOOLS[kind], "id")
    written = {key: value[key] for key in keys if value.get(key) is not None}
    for key in _TOOLS[kind]:
        if key not in written:
            raise DataError(f"'value' of {what} has no '{key}'.")
    return f"<{kind}>\n{json.dumps(written)}\n</{kind}>\n"
