"""Taking the reasoning out of an answer, for templates that want it apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_THINKING = (
    ("<think>", "</think>"),
    ("<reasoning>", "</reasoning>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
_SOLUTION = ("<|begin_of_solution|>", "<|end_of_solution|>")


def split_thinking(message: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return `message` with the reasoning that begins its content under `key`, without tags.

    >>> split_thinking({"role": "assistant", "content": "<think>Twice two.</think>Four."}, "reasoning_content")
    {'role': 'assistant', 'content': 'Four.', 'reasoning_content': 'Twice two.'}

    A content that does not begin with reasoning in tags stays as it is.
    """
    content: str = message["content"]
    text = content.lstrip()
    for start, end in _THINKING:
        if text.startswith(start) and end in text:
            thinking, _, answer = text[len(start) :].partition(end)
            return {**message, "content": _solution(answer.lstrip()), key: thinking.strip()}
    return dict(message)


def _solution(answer: str) -> str:
    """Return what stands between the tags of a solution, or all of `answer` where there are none."""
    start, end = _SOLUTION
    if start not in answer or end not in answer:
        return answer
    return answer.partition(start)[2].partition(end)[0].strip()
