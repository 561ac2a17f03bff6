"""``chat_template.*``: prompt and answers in the words of the model's own template."""

from __future__ import annotations

from ft_core.data.preference.columns import as_text, first_column, read_text
from ft_core.data.preference.conversation import read_answer, read_messages, read_shared_history
from ft_core.data.preference.split import prepare_split
from ft_core.data.preference.task import Example, Row, Task, Transform
from ft_core.data.template import Message


def prepare_messages(task: Task) -> Transform:
    """Return how rows become text whose conversation is in one column, and whose answers are in others."""
    split = prepare_split(task)
    column = task.dataset.field_messages

    def transform(row: Row) -> Example:
        value = row[first_column(row, (column,))]
        asked = (
            [{"role": "user", "content": value}]
            if isinstance(value, str)
            else read_messages(value, column, task.dataset)
        )
        prompt, texts = split(row, asked, _read_answers(row, task))
        return task.example(row, prompt, [text.rstrip() for text in texts])

    return transform


def prepare_conversation(task: Task) -> Transform:
    """Return how rows whose answers come with the whole conversation before them become text."""
    split = prepare_split(task)

    def transform(row: Row) -> Example:
        prompt, texts = split(row, *read_shared_history(row, task))
        return task.example(row, prompt, [text.rstrip() for text in texts])

    return transform


def prepare_argilla(task: Task) -> Transform:
    """Return the same for Axolotl's type for orpo: with a prompt column that may hold the one question.

    As there, the answers keep the white space that the template writes after them.
    """
    split = prepare_split(task)

    def transform(row: Row) -> Example:
        history, answers = read_shared_history(row, task)
        questions = [at for at, message in enumerate(history) if message["role"] != "system"]
        if row.get("prompt") is not None and len(questions) == 1:
            history[questions[0]] = {"role": "user", "content": as_text(row["prompt"], "prompt")}
        return task.example(row, *split(row, history, answers))

    return transform


def prepare_reward(task: Task) -> Transform:
    """Return how rows for a reward model become text: input, chosen, rejected, and a system prompt or none.

    The answers keep the white space that the template writes after them, since a reward model scores the whole text.
    """
    split = prepare_split(task)

    def transform(row: Row) -> Example:
        question = {"role": "user", "content": read_text(row, "input")}
        return task.example(row, *split(row, [question], _read_answers(row, task)))

    return transform


def _read_answers(row: Row, task: Task) -> list[Message]:
    """Return the answers of a row: text, a message, or the last of a list of messages."""
    columns = [first_column(row, task.columns(response)) for response in task.responses]
    return [read_answer(row[column], column, task.dataset) for column in columns]
