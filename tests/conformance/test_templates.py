"""The built-in chat templates write what the models' own templates write, and a prompt begins what is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config.schema.tokenizer import BUILTIN_TEMPLATES
from ft_core.data.template import ChatTemplate, builtin_template, render
from ft_core.errors import DataError

SYSTEM = {"role": "system", "content": "Be brief."}
ONE = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
MORE = [*ONE, {"role": "user", "content": " And\n now? "}, {"role": "assistant", "content": "\nSo,  too. "}]
CALL = {"type": "function", "function": {"name": "look", "arguments": {"for": 'é "x"', "n": 1}}}
TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
]
THOUGHTS = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "reasoning_content": "hm"},
    {"role": "user", "content": "c"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nd"},
]
CALLS = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "reasoning_content": "hm", "tool_calls": [CALL, CALL]},
    {"role": "tool", "content": "c"},
    {"role": "tool", "content": "d"},
    {"role": "assistant", "content": "e", "reasoning_content": "hm"},
]
RESPONSE = [*THOUGHTS[:2], {"role": "user", "content": "<tool_response>\nc\n</tool_response>"}, THOUGHTS[3]]

PLAIN = {"one": ONE, "more": MORE, "asked": MORE[:3]}
WITH_SYSTEM = {f"system {name}": [SYSTEM, *messages] for name, messages in PLAIN.items()}
DEEP = {"thoughts": THOUGHTS, "calls": CALLS, "response": RESPONSE}
ALL = {**PLAIN, **WITH_SYSTEM, **DEEP}


@pytest.mark.parametrize(
    ("name", "owner", "conversations"),
    [
        ("qwen3", "qwen3", ALL),
        ("gemma3", "gemma3", {**PLAIN, **WITH_SYSTEM}),
        ("gemma3n", "gemma3", {**PLAIN, **WITH_SYSTEM}),
        ("deepseek_v3", "deepseek_v3", {**PLAIN, **WITH_SYSTEM, "thoughts": THOUGHTS}),
        ("llama3", "llama3_1", {**PLAIN, **WITH_SYSTEM}),
    ],
)
def test_as_the_model_itself(
    name: str, owner: str, conversations: dict[str, Any], real_tokenizer: Callable[[str], Any]
) -> None:
    tokenizer = real_tokenizer(owner)
    theirs = ChatTemplate(tokenizer.chat_template, "the tokenizer")
    ours = ChatTemplate(builtin_template(name), name)

    for messages in conversations.values():
        for options in ({}, {"add_generation_prompt": True}):
            tools = TOOLS if messages is CALLS else None
            text = render(tokenizer, theirs, messages, tools=tools, **options)
            assert render(tokenizer, ours, messages, tools=tools, **options) == text


def test_qwen3_without_thinking(real_tokenizer: Callable[[str], Any]) -> None:
    tokenizer = real_tokenizer("qwen3")
    variables = {"enable_thinking": False}
    theirs = ChatTemplate(tokenizer.chat_template, "the tokenizer", variables)
    ours = ChatTemplate(builtin_template("qwen3"), "qwen3", variables)

    text = render(tokenizer, theirs, ONE[:1], add_generation_prompt=True)
    assert render(tokenizer, ours, ONE[:1], add_generation_prompt=True) == text


OWNERS = {
    "llama3": "llama3_1", "llama3_2_vision": "llama3_1", "qwen3": "qwen3", "qwen_25": "qwen3",
    "gemma3": "gemma3", "gemma3n": "gemma3", "deepseek_v2": "deepseek_v3", "deepseek_v3": "deepseek_v3",
}  # fmt: skip
# The two line breaks that end these prompts are one token for SmolLM2's tokenizer, and two before an answer.
MERGED = {"exaone4", "llama4"}


@pytest.mark.parametrize("name", BUILTIN_TEMPLATES)
def test_a_prompt_begins_the_conversation(name: str, real_tokenizer: Callable[[str], Any]) -> None:
    """CORRECTNESS 10: the ids that ask for an answer are the first ids of the conversation with that answer."""
    tokenizer = real_tokenizer(OWNERS.get(name, "smollm2"))
    template = ChatTemplate(builtin_template(name), name)
    same: list[bool] = []
    # An answer that begins with a line break is left out: it may be one token with the line break before it.
    longer = [*MORE[:3], ONE[1]]
    for messages in (ONE, longer, [SYSTEM, *ONE], [SYSTEM, *longer]):
        try:
            text = render(tokenizer, template, messages)
        except DataError:
            assert (name, messages[0]["role"]) == ("gemma", "system")
            continue
        prompt = render(tokenizer, template, messages[:-1], add_generation_prompt=True)
        assert text.startswith(prompt)
        asked = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        same.append(whole[: len(asked)] == asked)
    assert all(same) == (name not in MERGED)
