"""``zephyr.nectar``: a prompt and several answers by rank, of which the best two make a pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ft_core.data.formats.columns import kind_of
from ft_core.data.preference.columns import read_text
from ft_core.data.preference.task import Example, Row, Task, Transform
from ft_core.errors import DataError

_PROMPT = "<|system|>\n</s>\n<|user|>\n{prompt}</s>\n<|assistant|>\n"
_PAIR = 2


def prepare_nectar(task: Task) -> Transform:
    """Return how rows become text: rank 1 is the better answer, the next rank the worse one.

    Axolotl takes the last two of the answers sorted by rank, the worst one as the better.
    """

    def transform(row: Row) -> Example:
        ranked = sorted(_read_answers(row.get("answers")), key=lambda answer: answer[0])
        (best, chosen), (second, rejected) = ranked[:_PAIR]
        if best == second:
            raise DataError(
                f"two of the 'answers' share the best rank, {best:g}, so none of them is the better one.",
                "Leave the row out, or rank its answers apart.",
            )
        return task.example(row, _PROMPT.format(prompt=read_text(row, "prompt")), (chosen, rejected))

    return transform


def _read_answers(value: object) -> list[tuple[float, str]]:
    """Return rank and text of each answer."""
    answers = cast("list[Any]", value) if isinstance(value, list) else []
    if len(answers) < _PAIR:
        held = f"of {len(answers)}" if answers else kind_of(value)
        raise DataError(
            f"'answers' must be a list of two answers or more, not {held}.",
            "type: zephyr.nectar reads a prompt and answers with a rank each; choose the type that fits these rows.",
        )
    read: list[tuple[float, str]] = []
    for number, item in enumerate(answers, 1):
        rank = item.get("rank") if isinstance(item, Mapping) else None
        if not isinstance(rank, (int, float)) or isinstance(rank, bool):
            raise DataError(
                f"answer {number} of 'answers' must be an object with a number as its rank.",
                "Give each answer its rank; 1 is the best.",
            )
        text = item.get("answer")
        if not isinstance(text, str):
            raise DataError(
                f"'answer' of answer {number} of 'answers' must be text, not {kind_of(text)}.",
                "Mend the row.",
            )
        read.append((rank, text))
    return read
