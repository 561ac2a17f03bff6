"""``chatml.*`` and ``llama3.*``: the texts of two prompt formats, whatever template the tokenizer has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ft_core.data.formats.chat_messages import thinking_key
from ft_core.data.preference.columns import first_column, read_text
from ft_core.data.preference.conversation import (
    read_answer,
    read_messages,
    read_shared_history,
    with_system,
)
from ft_core.data.preference.task import Example, Row, Task, Transform
from ft_core.data.template import Message
from ft_core.errors import DataError


@dataclass(frozen=True)
class Style:
    """How a turn is written: header, content, end, and what stands between turns."""

    header: str
    end: str
    between: str

    def prompt(self, history: Sequence[Message]) -> str:
        """Return the text that asks for the next message of `history`."""
        turns = (
            f"{self.header.format(role=message['role'])}{message['content']}{self.end}{self.between}"
            for message in history
        )
        return "".join(turns) + self.header.format(role="assistant")


STYLES = {
    "chatml": Style("<|im_start|>{role}\n", "<|im_end|>", "\n"),
    "llama3": Style("<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>", ""),
}

_QUESTION_AND_ANSWER = 2

QUESTION_COLUMNS = {
    "": ("prompt", "input", "question", "instruction"),
    "default": ("prompt", "input", "question", "instruction"),
    "argilla": ("instruction",),
    "icr": ("input",),
    "intel": ("question",),
    "prompt_pairs": ("prompt",),
    "ultra": ("prompt",),
}
"""For each variant of a style: the columns that may hold the question."""


def prepare_question(task: Task, style: Style, columns: Sequence[str]) -> Transform:
    """Return how rows with a question in a column of its own become text."""

    def transform(row: Row) -> Example:
        question = read_text(row, *columns)
        history = with_system([{"role": "user", "content": question}], row, task.dataset)
        answers = [_read_single_answer(row, response, task) for response in task.responses]
        return task.example(row, style.prompt(history), [answer + style.end for answer in answers])

    return transform


def prepare_conversation(task: Task, style: Style) -> Transform:
    """Return how rows whose answers come with the whole conversation before them become text."""

    def transform(row: Row) -> Example:
        history, answers = read_shared_history(row, task)
        _require_plain([*history, *answers], task)
        texts = [answer["content"] + style.end for answer in answers]
        return task.example(row, style.prompt(with_system(history, row, task.dataset)), texts)

    return transform


def _require_plain(messages: Sequence[Message], task: Task) -> None:
    """Raise where a message holds more than a style can write."""
    for key in ("tool_calls", thinking_key(task.dataset)):
        if any(message.get(key) for message in messages):
            raise DataError(
                f"a message has '{key}', which '{task.dataset.type}' has no words for.",
                "Use type: chat_template.argilla_chat, which writes what the chat template knows.",
            )


def _read_single_answer(row: Row, response: str, task: Task) -> str:
    """Return the text of an answer to one question, or raise where its column holds a longer conversation."""
    column = first_column(row, task.columns(response))
    value = row[column]
    if isinstance(value, list):
        spoken = [
            message for message in read_messages(value, column, task.dataset) if message["role"] != "system"
        ]
        if len(spoken) > _QUESTION_AND_ANSWER:
            raise DataError(
                f"'{column}' is a conversation of {len(spoken)} messages, and this type reads one question and one answer.",
                "Use the type with argilla_chat after the dot, which reads whole conversations.",
            )
    return str(read_answer(value, column, task.dataset)["content"])
