"""Messages of a preference row, read as those of ``type: chat_template`` are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.formats.chat_messages import read_conversation
from ft_core.data.formats.columns import kind_of
from ft_core.data.preference.columns import as_text, first_column, read_system
from ft_core.data.template import Message
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.config import Dataset
    from ft_core.data.preference.task import Task


def read_messages(value: object, column: str, dataset: Dataset) -> list[Message]:
    """Return a list of messages by the names that templates know; it may be written as JSON text.

    Parameters
    ----------
    value
        What the row has in `column`.
    column
        The name for sentences.
    dataset
        Its message_property_mappings, roles and the like say how messages are written.

    Raises
    ------
    DataError
        It is no list of messages, or a message has no role or no content.
    """
    if not value or not isinstance(value, (str, list)):
        raise DataError(
            f"'{column}' must be a list of messages, not {kind_of(value)}.",
            "Choose the type that fits these rows.",
        )
    by_column = dataset.model_copy(update={"field_messages": column})
    try:
        return [read.message for read in read_conversation({column: value}, by_column)]
    except DataError as error:
        where = "" if f"'{column}'" in error.message else f"'{column}': "
        raise DataError(f"{where}{error.message}", error.fix) from error


def read_answer(value: object, column: str, dataset: Dataset) -> Message:
    """Return the answer that `value` is: text, a message, or the last of a list of messages.

    Raises
    ------
    DataError
        It is none of these, or not the assistant's.
    """
    if not isinstance(value, (list, Mapping)):
        return {"role": "assistant", "content": as_text(value, column)}
    messages = [cast("Mapping[str, Any]", value)] if isinstance(value, Mapping) else value
    return _by_assistant(read_messages(messages, column, dataset)[-1], column)


def read_shared_history(row: Mapping[str, Any], task: Task) -> tuple[list[Message], list[Message]]:
    """Return the messages that all answers of a row follow, and the answers: the last message of each conversation.

    Raises
    ------
    DataError
        There is nothing to answer, an answer is not the assistant's, or the answers follow different messages.
    """
    columns = [first_column(row, task.columns(response)) for response in task.responses]
    conversations = [read_messages(row[column], column, task.dataset) for column in columns]
    answers = [
        _by_assistant(messages[-1], column) for messages, column in zip(conversations, columns, strict=True)
    ]
    histories = [messages[:-1] for messages in conversations]
    for history, column in zip(histories, columns, strict=True):
        if all(message["role"] == "system" for message in history):
            raise DataError(
                f"'{column}' has an answer and no message before it.",
                "Choose a type that reads the question from a column of its own, such as chat_template.",
            )
        if history != histories[0]:
            raise DataError(
                f"'{columns[0]}' and '{column}' answer different messages.",
                "Leave the row out: two answers can only be compared where the conversation before them is the same.",
            )
    return histories[0], answers


def with_system(messages: Sequence[Message], row: Mapping[str, Any], dataset: Dataset) -> list[Message]:
    """Return the messages with the row's system prompt before them, where there is one and they bring none."""
    system = read_system(row)
    if not system or dataset.drop_system_message or messages[0]["role"] == "system":
        return list(messages)
    return [{"role": "system", "content": system}, *messages]


def _by_assistant(answer: Message, column: str) -> Message:
    role = answer["role"]
    if role != "assistant":
        raise DataError(
            f"'{column}' must end with a message of the assistant, not of '{role}'.",
            f"If '{role}' is what the data call the assistant, say so: roles: {{assistant: [{role}], user: [user]}}.",
        )
    return answer
