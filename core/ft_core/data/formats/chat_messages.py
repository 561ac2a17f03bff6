"""Reading the messages of a row, and the tools it offers, as chat templates want them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.formats.content_parts import join_parts
from ft_core.data.formats.thinking import split_thinking
from ft_core.data.formats.training_detail import Detail, read_details
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset

THINKING = "reasoning_content"
"""Under which name most data hold, and most templates read, the reasoning before an answer."""


@dataclass(frozen=True)
class ChatMessage:
    """A message as the template reads it, and what the data say about training on it.

    Attributes
    ----------
    message
        Role, content, and whatever else the template may read.
    train
        What the message says itself; None where it says nothing.
    details
        Which characters of its texts are trained, by the key of the text (``content``, or that of the reasoning);
        without the texts about which the data say nothing.
    """

    message: dict[str, Any]
    train: bool | None
    details: Mapping[str, tuple[Detail, ...]]


def thinking_key(dataset: Dataset) -> str:
    """Return under which name the template reads the reasoning."""
    return dataset.template_thinking_key or THINKING


def role_names(dataset: Dataset) -> dict[str, str]:
    """Return the template's name of each role that the data may write."""
    return {source: target for target, sources in dataset.roles.items() for source in sources}


def read_conversation(row: Mapping[str, Any], dataset: Dataset) -> list[ChatMessage]:
    """Return the messages of `row`, its system column first where it has one.

    Raises
    ------
    DataError
        A message is none, or its role or content is missing.
    """
    messages = [
        _read_message(raw, number, dataset) for number, raw in enumerate(_raw_messages(row, dataset), 1)
    ]
    if row.get("system") and messages[0].message["role"] != "system":
        messages.insert(0, ChatMessage({"role": "system", "content": str(row["system"])}, None, {}))
    if dataset.drop_system_message and messages[0].message["role"] == "system":
        del messages[0]
    if not messages:
        raise DataError(
            f"'{dataset.field_messages}' holds nothing but a system message, and drop_system_message is true.",
            "Remove the row.",
        )
    return messages


def plain_turns(dataset: Dataset) -> Callable[[Mapping[str, Any]], list[tuple[str, str]] | None] | None:
    """Return the function from a row to its messages, where these are a role and a text each and nothing else is said.

    It gives what `read_conversation` gives, in a tenth of the time, or None: for a row with tools or a system column, and
    for one with any message that has more to it or is wrong. For a dataset whose messages need more care there is no such
    function.
    """
    key = thinking_key(dataset)
    mappings = {key: dataset.field_thinking or THINKING, **dataset.message_property_mappings}
    role_key, content_key = mappings.pop("role", "role"), mappings.pop("content", "content")
    if dataset.split_thinking or {role_key, content_key} & {
        *mappings.values(),
        dataset.message_field_training,
    }:
        return None
    if role_key == content_key or dataset.message_field_training_detail in (role_key, content_key):
        return None
    names = role_names(dataset)
    tools, field = dataset.field_tools or "tools", dataset.field_messages

    def read(row: Mapping[str, Any]) -> list[tuple[str, str]] | None:
        messages = row.get(field)
        if type(messages) is not list or row.get(tools) or row.get("system"):
            return None
        turns: list[tuple[str, str]] = []
        for message in cast("list[Any]", messages):
            if type(message) is not dict:
                return None
            role, content = message.get(role_key), message.get(content_key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if type(role) is not str or type(content) is not str:
                return None
            # In a table a null stands for what a message does not have.
            if len(message) > 2 and sum(value is not None for value in message.values()) > 2:  # pyright: ignore
                return None
            turns.append((names.get(role, role), content))
        if not turns or (dataset.drop_system_message and turns[0][0] == "system"):
            return None
        return turns

    return read


def read_tools(row: Mapping[str, Any], dataset: Dataset) -> list[dict[str, Any]] | None:
    """Return the tools that the conversation of `row` may use, or None.

    Raises
    ------
    DataError
        They are no list of objects.
    """
    name = dataset.field_tools or "tools"
    tools = without_nulls(_parsed(row.get(name), name))
    if not tools:
        return None
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise DataError(f"'{name}' must be a list of objects, not {kind(tools)}.")
    return [_with_parsed(dict(tool), "parameters") for tool in tools]


def _raw_messages(row: Mapping[str, Any], dataset: Dataset) -> list[Mapping[str, Any]]:
    """Return the messages of `row` without their nulls, which in a table stand for what a message does not have."""
    name = dataset.field_messages
    messages = _parsed(row.get(name), name)
    if not isinstance(messages, list) or not messages:
        raise DataError(
            f"'{name}' must be a list of messages, not {kind(messages)}.",
            "Set field_messages to the column's name.",
        )
    for number, message in enumerate(messages, 1):
        if not isinstance(message, Mapping):
            raise DataError(f"Message {number} of '{name}' must be an object, not {kind(message)}.")
    return without_nulls(messages)


def _read_message(raw: Mapping[str, Any], number: int, dataset: Dataset) -> ChatMessage:
    """Return a message, with its texts whole and its marks for training apart."""
    message = _renamed(raw, dataset)
    _require(message, raw, number, dataset)
    message["role"] = role_names(dataset).get(message["role"], message["role"])
    key = thinking_key(dataset)
    details: dict[str, tuple[Detail, ...]] = {}
    if dataset.message_field_training_detail in raw:
        name = cast("str", dataset.message_field_training_detail)
        details["content"] = read_details(raw[name], f"'{name}' of message {number}")
    if dataset.split_thinking and message["role"] == "assistant" and isinstance(message["content"], str):
        message = split_thinking(message, key)
    for text in ("content", key):
        if isinstance(message.get(text), list):
            message[text], marks = join_parts(
                message[text], f"'{_source(text, dataset)}' of message {number}"
            )
            if marks:
                details[text] = marks
        if text in message and not isinstance(message[text], str):
            raise DataError(
                f"'{_source(text, dataset)}' of message {number} must be text, not {kind(message[text])}."
            )
    field = dataset.message_field_training
    train = bool(raw[field]) if field is not None and field in raw else None
    return ChatMessage(message, train, details)


def _renamed(raw: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
    """Return a message with the names that the template reads, and without the marks for training."""
    mappings = {
        thinking_key(dataset): dataset.field_thinking or THINKING,
        **dataset.message_property_mappings,
    }
    own = {*mappings.values(), dataset.message_field_training, dataset.message_field_training_detail}
    message = {key: value for key, value in raw.items() if key not in own}
    message |= {key: raw[source] for key, source in mappings.items() if source in raw}
    if message.get("tool_calls"):
        message.setdefault("content", "")
        message["tool_calls"] = _read_calls(message["tool_calls"])
    return message


def _require(message: Mapping[str, Any], raw: Mapping[str, Any], number: int, dataset: Dataset) -> None:
    for key in ("role", "content"):
        source = _source(key, dataset)
        if key not in message:
            raise DataError(
                f"Message {number} has no '{source}'; it has {', '.join(map(repr, raw)) or 'nothing'}.",
                f"Say which property it is: message_property_mappings: {{{key}: ...}}.",
            )
    if not isinstance(message["role"], str):
        raise DataError(
            f"'{_source('role', dataset)}' of message {number} must be text, not {kind(message['role'])}."
        )


def _source(key: str, dataset: Dataset) -> str:
    """Return the data's name of what the template calls `key`."""
    if key in dataset.message_property_mappings:
        return dataset.message_property_mappings[key]
    return dataset.field_thinking or key


def _read_calls(calls: object) -> list[dict[str, Any]]:
    calls = _parsed(calls, "tool_calls")
    if not isinstance(calls, Sequence) or not all(isinstance(call, Mapping) for call in calls):
        raise DataError(f"'tool_calls' must be a list of objects, not {kind(calls)}.")
    return [_with_parsed(dict(call), "arguments") for call in calls]


def _with_parsed(item: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a tool, or a call of one, whose `name` is an object, as templates expect; some data hold it as JSON text."""
    function = item.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get(name), str):
        return item
    return {**item, "function": {**function, name: _parsed(function[name], name)}}


def _parsed(value: object, name: str) -> Any:
    """Return `value`, read as JSON where it is text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise DataError(f"'{name}' is text that is not valid JSON ({error}).") from error


def without_nulls(value: Any) -> Any:
    """Return `value` without the entries of its objects that are null."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[Any]", value)]
    return value


def kind(value: object) -> str:
    """Return what kind of JSON value this is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, list) and not value:
        return "an empty list"
    names = {bool: "true or false", str: "text", list: "a list", int: "a number", float: "a number"}
    return next((name for type_, name in names.items() if isinstance(value, type_)), "an object")
