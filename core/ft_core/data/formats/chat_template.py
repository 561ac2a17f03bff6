"""``type: chat_template``: a list of messages, in the words of the model's own template.

The ids are those of the whole conversation. Trained are the contents of the chosen messages and the token that ends each
of them, never a header: what the model writes, and not what is written around it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.document import Chunk, Document, Format, Piece
from ft_core.data.formats.turn_ends import TurnEnds, resolve_turn_ends
from ft_core.data.locate import Range, locate_messages
from ft_core.data.template import Message, render, resolve_template
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:
    """Return the format, with the template and the tokens that end a turn settled.

    Raises
    ------
    DataError
        There is no template, or a token of eot_tokens is not one token.
    """
    template = resolve_template(config, tokenizer, dataset)
    ends = resolve_turn_ends(config, dataset, tokenizer)

    def render_row(row: Mapping[str, Any]) -> Document:
        tools = _read_tools(row.get("tools"))
        raw = _read_messages(row, dataset)
        messages = [_to_message(message, number, dataset) for number, message in enumerate(raw, 1)]
        choices = [
            _choose(config, dataset, message, given) for message, given in zip(messages, raw, strict=True)
        ]
        if row.get("system") and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": str(row["system"])})
            choices.insert(0, _choose_by_role(config, dataset, "system"))

        def write(turns: Sequence[Message]) -> str:
            return render(tokenizer, template, turns, tools=tools)

        text = write(messages)
        ranges = locate_messages(write, messages, text)
        return Document((Chunk(text, _pieces(text, messages, choices, ranges, ends)),))

    return Format(fields=(dataset.field_messages,), render=render_row, warnings=ends.warnings(template.text))


def _pieces(
    text: str,
    messages: Sequence[Message],
    choices: Sequence[tuple[bool, str]],
    ranges: Sequence[Range | None],
    ends: TurnEnds,
) -> tuple[Piece, ...]:
    """Return a piece for the content of each message, and for each token that ends one."""
    starts = [found[0] if found else None for found in ranges]
    contents: list[Piece] = []
    limits: list[int] = []
    lost: list[Piece] = []
    position = 0
    for turn, (message, (trained, why), found) in enumerate(zip(messages, choices, ranges, strict=True)):
        limit = next((start for start in starts[turn + 1 :] if start is not None), len(text))
        role = message["role"]
        if found is None:
            rule = f"masked: message {turn + 1} cannot be told from the template's own text"
            if position < limit:
                lost.append(Piece(position, limit, role, turn, False, rule))
            position = limit
            continue
        if found[0] < found[1]:
            contents.append(
                Piece(*found, role, turn, trained, f"{'trained' if trained else 'masked'}: {why}")
            )
            limits.append(limit)
        position = found[1]
    closing = ends.pieces(text, contents, limits)
    # Text around a lost message that a neighbour's end of turn already explains is left to it.
    taken = sorted([*contents, *closing], key=lambda piece: piece.start)
    for piece in lost:
        start = max(
            (other.end for other in taken if piece.start <= other.start < piece.end), default=piece.start
        )
        if start < piece.end:
            taken.append(Piece(start, piece.end, piece.role, piece.turn, False, piece.rule))
    return tuple(sorted(taken, key=lambda piece: piece.start))


def _choose(config: Config, dataset: Dataset, message: Message, raw: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether a message is trained on, and why."""
    field = dataset.message_field_training
    if field is not None and raw.get(field) is not None:
        trained = bool(raw[field])
        return trained, f"the message says {field}: {str(trained).lower()}"
    return _choose_by_role(config, dataset, message["role"])


def _choose_by_role(config: Config, dataset: Dataset, role: str) -> tuple[bool, str]:
    if config.train_on_inputs:
        return True, "train_on_inputs is true"
    names = _role_names(dataset)
    if role in {names.get(name, name) for name in dataset.roles_to_train}:
        return True, f"role {role} is in roles_to_train"
    return False, f"role {role} is not in roles_to_train"


def _role_names(dataset: Dataset) -> dict[str, str]:
    """Return the template's name of each role that the data may write."""
    return {source: target for target, sources in dataset.roles.items() for source in sources}


def _read_messages(row: Mapping[str, Any], dataset: Dataset) -> list[Mapping[str, Any]]:
    """Return the messages of `row` without their nulls, which in a table stand for what a message does not have."""
    name = dataset.field_messages
    messages = _parsed(row.get(name), name)
    if not isinstance(messages, list) or not messages:
        raise DataError(
            f"'{name}' must be a list of messages, not {_kind(messages)}.",
            "Set field_messages to the column's name.",
        )
    for number, message in enumerate(messages, 1):
        if not isinstance(message, Mapping):
            raise DataError(f"Message {number} of '{name}' must be an object, not {_kind(message)}.")
    return _without_nulls(messages)


def _to_message(raw: Mapping[str, Any], number: int, dataset: Dataset) -> dict[str, Any]:
    """Return a message as templates read it."""
    mappings = dataset.message_property_mappings
    own = {*mappings.values(), dataset.message_field_training}
    message = {key: value for key, value in raw.items() if key not in own}
    message |= {key: raw[source] for key, source in mappings.items() if source in raw}
    if message.get("tool_calls"):
        message.setdefault("content", "")
        message["tool_calls"] = [_with_parsed_arguments(call) for call in message["tool_calls"]]
    for key in ("role", "content"):
        if key not in message:
            raise DataError(
                f"Message {number} has no '{mappings[key]}'; it has {', '.join(map(repr, raw)) or 'nothing'}.",
                f"Say which property it is: message_property_mappings: {{{key}: ...}}.",
            )
        if not isinstance(message[key], str):
            raise DataError(f"'{mappings[key]}' of message {number} must be text, not {_kind(message[key])}.")
    message["role"] = _role_names(dataset).get(message["role"], message["role"])
    return message


def _with_parsed_arguments(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool call whose arguments are an object, as templates expect; some datasets hold them as JSON text."""
    function = call.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("arguments"), str):
        return dict(call)
    arguments = _parsed(function["arguments"], "arguments")
    return {**call, "function": {**function, "arguments": arguments}}


def _read_tools(value: object) -> list[dict[str, Any]] | None:
    """Return the tools that a conversation may use, or None."""
    tools = _without_nulls(_parsed(value, "tools"))
    if not tools:
        return None
    if not isinstance(tools, list) or not all(isinstance(tool, Mapping) for tool in tools):
        raise DataError(f"'tools' must be a list of objects, not {_kind(tools)}.")
    return [_with_parsed_parameters(dict(tool)) for tool in tools]


def _with_parsed_parameters(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, Mapping) or not isinstance(function.get("parameters"), str):
        return tool
    return {**tool, "function": {**function, "parameters": _parsed(function["parameters"], "parameters")}}


def _parsed(value: object, name: str) -> Any:
    """Return `value`, read as JSON where it is text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise DataError(f"'{name}' is text that is not valid JSON ({error}).") from error


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[Any]", value)]
    return value


def _kind(value: object) -> str:
    """Return what kind of JSON value this is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, list) and not value:
        return "an empty list"
    names = {bool: "true or false", str: "text", list: "a list", int: "a number", float: "a number"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "an object")
