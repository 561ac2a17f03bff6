"""Parting prompt and answers in the words of a chat template.

A conversation is rendered whole, once for each answer, and cut where the answer begins. Prompt and answer laid end to end
are what the template makes of the conversation; an answer is never rendered alone, where a template may trim it, or write
a system prompt or thinking that it leaves out elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ft_core.data.formats.chat_messages import read_tools
from ft_core.data.preference.conversation import with_system
from ft_core.data.template import Message, render, resolve_template
from ft_core.errors import DataError

if TYPE_CHECKING:
    from ft_core.data.preference.task import Row, Task

Write = Callable[[Sequence[Message]], str]
Split = Callable[["Row", Sequence[Message], Sequence[Message]], "tuple[str, list[str]]"]

# Two answers that share no letter at their start, so that renderings with them part where any answer begins.
_PROBES = ("[[qjx placeholder xjq]]", "zv placeholder vz")


def prepare_split(task: Task) -> Split:
    """Return how prompt and answers are parted: row, messages before the answers, and answers to the texts of both.

    The row may bring a system prompt and tools.

    Raises
    ------
    DataError
        There is no chat template, or it cannot be read.
    """
    template = resolve_template(task.config, task.tokenizer, task.dataset)

    def split(row: Row, history: Sequence[Message], answers: Sequence[Message]) -> tuple[str, list[str]]:
        asked = with_system(history, row, task.dataset)
        write = partial(render, task.tokenizer, template, tools=read_tools(row, task.dataset))
        wholes = [write([*asked, answer]) for answer in answers]
        prompt = write(asked, add_generation_prompt=True)
        if not all(whole.startswith(prompt) for whole in wholes):
            prompt = _before_any_answer(write, asked, wholes, template.origin)
        return prompt, [whole[len(prompt) :] for whole in wholes]

    return split


def _before_any_answer(write: Write, history: Sequence[Message], wholes: Sequence[str], origin: str) -> str:
    """Return what stands before the answer, for a template that asks in other words than it writes the answer in.

    Such a one asks with ``<think>`` and leaves the thinking out of answers, for example.
    """
    probes = [write([*history, {"role": "assistant", "content": probe}]) for probe in _PROBES]
    prompt = _shared_beginning([*wholes, *probes])
    if history[-1]["content"].strip() not in prompt:
        raise DataError(
            f"The chat template of {origin} writes the messages before an answer differently for different answers, "
            "so prompt and answer cannot be told apart.",
            "Use another chat_template.",
        )
    return prompt


def _shared_beginning(texts: Sequence[str]) -> str:
    """Return the longest text that all of `texts` begin with.

    >>> _shared_beginning(["abd", "abc", "abcd"])
    'ab'
    """
    # What the first and the last in the order of letters share, those between them share as well.
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((at for at, (one, other) in pairs if one != other), len(first))]
