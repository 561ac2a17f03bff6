"""Pygmalion's and Llama 2's conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transformers.models.llama.tokenization_llama import DEFAULT_SYSTEM_PROMPT

from tests.core.data.formats.conftest import OTHERS

Parts = Callable[..., list[tuple[str, str, bool]]]


def talk(role_key: str, *turns: tuple[str, str]) -> dict[str, Any]:
    return {"conversations": [{role_key: role, "value": text} for role, text in turns]}


PYGMALION = talk("role", ("system", "A cat.\n<START>"), ("human", "Hi "), ("bot", " Meow"), ("human", "?"))
LLAMA2 = talk(
    "from", ("system", "Be brief."), ("human", " Hi "), ("gpt", "Yo "), ("human", "Why?"), ("gpt", "So.")
)


def test_pygmalion_marks_who_speaks(parts: Parts) -> None:
    assert parts("pygmalion", PYGMALION) == [
        ("<|system|>", "template", False),
        ("Persona: A cat.", "system", False),
        ("<|user|>", "template", False),
        (" Hi", "human", False),
        ("<|model|>", "template", False),
        (" Meow", "bot", True),
        ("<|im_end|>", "bot", True),
        ("<|user|>", "template", False),
        (" ?", "human", False),
    ]


def test_pygmalion_has_one_bos(parts: Parts) -> None:
    texts = [text for text, _, _ in parts("pygmalion", PYGMALION, other=OTHERS["bytes, adds BOS"])]

    assert (texts[0], texts.count("<s>"), texts.count("</s>")) == ("<s>", 1, 1)


def test_pygmalion_has_bos_without_a_system_prompt_too(parts: Parts) -> None:
    row = talk("role", ("human", "Hi"), ("bot", "Meow"))
    texts = [text for text, _, _ in parts("pygmalion", row, other=OTHERS["bytes, adds BOS"])]

    assert (texts[0], texts.count("<s>")) == ("<s>", 1)


def test_llama2_exchanges_are_texts_of_their_own(parts: Parts) -> None:
    assert parts("llama2_chat", LLAMA2, other=OTHERS["bytes, adds BOS"]) == [
        ("<s>", "human", False),
        ("[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi[/INST]", "human", False),
        (" Yo ", "gpt", True),
        ("</s>", "gpt", True),
        ("<s>", "human", False),
        ("[INST] Why? [/INST]", "human", False),
        (" So. ", "gpt", True),
        ("</s>", "gpt", True),
    ]


def test_llama2_without_a_system_prompt_has_the_default_one(parts: Parts) -> None:
    [(text, _, _), *_] = parts("llama2_chat", talk("from", ("human", "Hi"), ("gpt", "Yo")))

    assert text == f"[INST] <<SYS>>\n{DEFAULT_SYSTEM_PROMPT}\n<</SYS>>\n\nHi[/INST]"
    assert DEFAULT_SYSTEM_PROMPT.startswith("You are a helpful, respectful and honest assistant.")


def test_llama2_leaves_out_what_answers_nothing_and_what_is_not_answered(parts: Parts) -> None:
    row = talk("from", ("gpt", "Hello"), ("human", "Hi"), ("gpt", "Yo"), ("human", "And?"))

    assert [text for text, _, _ in parts("llama2_chat", row)][1:] == [" Yo ", "<|im_end|>"]


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("pygmalion", {"conversations": None}, "'conversations' must be a list of messages, not null."),
        ("pygmalion", {"conversations": ["Hi"]}, "Message 1 must be an object, not text."),
        ("pygmalion", talk("role", ("gpt", "Hi")), "'role' of message 1 is 'gpt'; it must be one of system, human, bot."),
        ("pygmalion", talk("from", ("human", "Hi")), "'role' of message 1 is not there."),
        ("llama2_chat", talk("from", ("human", "Hi"), ("human", "Hi")),
         "The messages of 'conversations' must be of human and gpt, by turns."),
        ("llama2_chat", talk("from", ("system", "Hi")),
         "'conversations' must hold a message of human and one of gpt that answers it."),
        ("llama2_chat", talk("from", ("human", "Hi")),
         "'conversations' must hold a message of human and one of gpt that answers it."),
        ("llama2_chat", {"conversations": [{"from": "human", "value": None}]},
         "'value' of message 1 must be text, not null."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(
    kind: str, row: dict[str, Any], message: str, fault: Callable[..., tuple[str, str]]
) -> None:
    good = PYGMALION if kind == "pygmalion" else LLAMA2
    assert fault(kind, good, row)[0] == f"some/rows, row 2: {message}"
