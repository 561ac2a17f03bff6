"""What each built-in chat template writes; ``<B>`` and ``<E>`` stand for the BOS and EOS tokens."""

# ruff: noqa: RUF001 - the marks of DeepSeek are wide bars

from __future__ import annotations

from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from ft_core.config.schema.tokenizer import BUILTIN_TEMPLATES
from ft_core.data.template import ChatTemplate, builtin_template, render
from ft_core.errors import DataError

CHAT = [
    {"role": "user", "content": " u "},
    {"role": "assistant", "content": " a "},
    {"role": "user", "content": "v"},
    {"role": "assistant", "content": "b"},
]
SYSTEM = [{"role": "system", "content": " s "}]
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}],
}
QWEN = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"


@pytest.fixture
def tokenizer() -> Any:
    """Return a tokenizer with nothing but the two tokens that templates ask for."""
    return PreTrainedTokenizerBase(bos_token="<B>", eos_token="<E>")


def llama(role: str, content: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>"


def llama4(role: str, content: str) -> str:
    return f"<|header_start|>{role}<|header_end|>\n\n{content}<|eot|>"


def chatml(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"


def gemma(role: str, content: str) -> str:
    return f"<start_of_turn>{role}\n{content}<end_of_turn>\n"


def phi(role: str, content: str) -> str:
    return f"<|{role}|>\n{content}<|end|>\n"


def phi4(role: str, content: str) -> str:
    return f"<|im_start|>{role}<|im_sep|>{content}<|im_end|>"


def cohere(role: str, content: str) -> str:
    return f"<|START_OF_TURN_TOKEN|><|{role}_TOKEN|>{content}<|END_OF_TURN_TOKEN|>"


def jamba(role: str, content: str) -> str:
    return f"<|bom|><|{role}|> {content}<|eom|>"


def exaone4(role: str, content: str) -> str:
    return f"[|{role}|]\n{content}[|endofturn|]\n"


def turns(write: Any, *contents: str, user: str = "user", assistant: str = "assistant") -> str:
    """Return the conversation in which these contents are those of `CHAT`."""
    roles = (user, assistant, user, assistant)
    return "".join(write(role, content) for role, content in zip(roles, contents, strict=True))


PLAIN, TRIMMED = (" u ", " a ", "v", "b"), ("u", "a", "v", "b")
NO_THOUGHT = "<think>\n\n</think>\n\n"
THINKS = (" u ", f"{NO_THOUGHT} a ", "v", f"{NO_THOUGHT}b")
COHERE = turns(cohere, *TRIMMED, user="USER", assistant="CHATBOT")
GEMMA = turns(gemma, *TRIMMED, assistant="model")
LLAMA3, LLAMA4 = turns(llama, *TRIMMED), turns(llama4, *PLAIN)
ALPACA = "### Instruction:\n u \n\n### Response:\n a <E>\n\n### Instruction:\nv\n\n### Response:\nb<E>"
EXAONE = "[|user|] u \n[|assistant|] a [|endofturn|]\n[|user|]v\n[|assistant|]b[|endofturn|]\n"
DEEPSEEK = "<｜User｜> u <｜Assistant｜> a {end}<｜User｜>v<｜Assistant｜>b{end}"
DEEPSEEK_2, DEEPSEEK_3 = DEEPSEEK.format(end="<E>"), DEEPSEEK.format(end="<｜end▁of▁sentence｜>")
METHARME = "<|user|>u<|model|>a<|user|>v<|model|>b<E>"
VISION = turns(llama, *PLAIN)

# Without a system message, with one, and what asks for an answer after it.
EXPECTED = {
    "alpaca": ("<B>" + ALPACA, "<B> s \n\n" + ALPACA, "\n\n### Response:\n"),
    "aya": ("<B>" + COHERE, "<B>" + cohere("SYSTEM", " s ") + COHERE, "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"),
    "chatml": (turns(chatml, *PLAIN), chatml("system", " s ") + turns(chatml, *PLAIN), "<|im_start|>assistant\n"),
    "cohere": ("<B>" + COHERE, "<B>" + cohere("SYSTEM", " s ") + COHERE, "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"),
    "deepseek_v2": ("<B>" + DEEPSEEK_2, "<B> s \n\n" + DEEPSEEK_2, "<｜Assistant｜>"),
    "deepseek_v3": ("<B>" + DEEPSEEK_3, "<B> s " + DEEPSEEK_3, "<｜Assistant｜>"),
    "exaone": ("[|system|][|endofturn|]\n" + EXAONE, "[|system|] s [|endofturn|]\n" + EXAONE, "[|assistant|]"),
    "exaone4": (
        turns(exaone4, *THINKS), exaone4("system", " s ") + turns(exaone4, *THINKS), f"[|assistant|]\n{NO_THOUGHT}",
    ),
    "falcon_h1": (
        "<B>" + turns(chatml, *PLAIN), "<B>" + chatml("system", " s ") + turns(chatml, *PLAIN), "<|im_start|>assistant\n",
    ),
    "gemma": ("<B>" + GEMMA, None, "<start_of_turn>model\n"),
    "gemma3": ("<B>" + GEMMA, "<B><start_of_turn>user\n s \n\n" + GEMMA.removeprefix("<start_of_turn>user\n"),
               "<start_of_turn>model\n"),
    "gemma3n": ("<B>" + GEMMA, "<B><start_of_turn>user\n s \n\n" + GEMMA.removeprefix("<start_of_turn>user\n"),
                "<start_of_turn>model\n"),
    "jamba": (
        "<|startoftext|>" + jamba("system", "") + turns(jamba, *PLAIN),
        "<|startoftext|>" + jamba("system", " s ") + turns(jamba, *PLAIN),
        "<|bom|><|assistant|>",
    ),
    "llama3": ("<B>" + LLAMA3, "<B>" + llama("system", "s") + LLAMA3, llama("assistant", "").removesuffix("<|eot_id|>")),
    "llama3_2_vision": (
        "<B>" + llama("system", DATES) + VISION, "<B>" + llama("system", DATES + "s") + VISION,
        llama("assistant", "").removesuffix("<|eot_id|>"),
    ),
    "llama4": ("<B>" + LLAMA4, "<B>" + llama4("system", "s") + LLAMA4, llama4("assistant", "").removesuffix("<|eot|>")),
    "metharme": ("<B>" + METHARME, "<B><|system|> s " + METHARME, "<|model|>"),
    "mistral_v1": (
        "<B> [INST]  u  [/INST]  a <E> [INST] v [/INST] b<E>", "<B> [INST]  s \n\n u  [/INST]  a <E> [INST] v [/INST] b<E>",
        "",
    ),
    "mistral_v2v3": (
        "<B>[INST]  u [/INST] a<E>[INST] v[/INST] b<E>", "<B>[INST]  u [/INST] a<E>[INST]  s \n\nv[/INST] b<E>", "",
    ),
    "mistral_v3_tekken": (
        "<B>[INST] u [/INST] a <E>[INST]v[/INST]b<E>", "<B>[INST] u [/INST] a <E>[INST] s \n\nv[/INST]b<E>", "",
    ),
    "mistral_v7_tekken": (
        "<B>[INST] u [/INST] a <E>[INST]v[/INST]b<E>",
        "<B>[SYSTEM_PROMPT] s [/SYSTEM_PROMPT][INST] u [/INST] a <E>[INST]v[/INST]b<E>",
        "",
    ),
    "phi_3": ("<B>" + turns(phi, *PLAIN), "<B>" + phi("system", " s ") + turns(phi, *PLAIN), "<|assistant|>\n"),
    "phi_35": (turns(phi, *PLAIN), phi("system", " s ") + turns(phi, *PLAIN), "<|assistant|>\n"),
    "phi_4": (turns(phi4, *PLAIN), phi4("system", " s ") + turns(phi4, *PLAIN), "<|im_start|>assistant<|im_sep|>"),
    "qwen_25": (
        chatml("system", QWEN) + turns(chatml, *PLAIN), chatml("system", " s ") + turns(chatml, *PLAIN),
        "<|im_start|>assistant\n",
    ),
    "qwen3": (
        turns(chatml, " u ", " a ", "v", f"{NO_THOUGHT}b"),
        chatml("system", " s ") + turns(chatml, " u ", " a ", "v", f"{NO_THOUGHT}b"),
        "<|im_start|>assistant\n",
    ),
}  # fmt: skip


def test_every_template_is_here() -> None:
    assert tuple(EXPECTED) == BUILTIN_TEMPLATES


@pytest.mark.parametrize("name", BUILTIN_TEMPLATES)
def test_what_a_template_writes(name: str, tokenizer: Any) -> None:
    template = ChatTemplate(builtin_template(name), name)
    plain, with_system, asks = EXPECTED[name]

    assert render(tokenizer, template, CHAT) == plain
    prompt = render(tokenizer, template, CHAT[:3], add_generation_prompt=True)
    assert prompt.endswith("v" + asks) or asks in ("", prompt[-len(asks) :])
    assert plain.startswith(prompt)
    if with_system is not None:
        assert render(tokenizer, template, SYSTEM + CHAT) == with_system


@pytest.mark.parametrize(
    ("name", "messages", "reason"),
    [
        ("gemma", SYSTEM + CHAT, "chat_template 'gemma' has no form for a system message"),
        ("gemma", CHAT[1:], "roles must alternate: user, assistant, user, assistant ..."),
        *(
            (name, [*CHAT, CHAT[3]],
             "after an optional system message roles must alternate: user, assistant, user, assistant ...")
            for name in ("aya", "cohere", "gemma3", "mistral_v1", "mistral_v2v3", "mistral_v3_tekken")
        ),
        ("mistral_v7_tekken", [{"role": "tool", "content": "x"}],
         "chat_template 'mistral_v7_tekken' knows the roles system, user and assistant"),
        ("alpaca", CHAT + SYSTEM,
         "chat_template 'alpaca' knows one system message, at the beginning, and the roles user and assistant"),
        ("exaone4", [CHAT[0], {"role": "assistant", "content": "a", "reasoning_content": "b"}],
         "chat_template 'exaone4' has no form for reasoning"),
        *(
            (name, [CHAT[0], CALL], f"chat_template '{name}' has no form for tool calls")
            for name in BUILTIN_TEMPLATES if name not in ("qwen3", "qwen_25")
        ),
    ],
)  # fmt: skip
def test_what_a_template_refuses(name: str, messages: list[Any], reason: str, tokenizer: Any) -> None:
    with pytest.raises(DataError) as caught:
        render(tokenizer, ChatTemplate(builtin_template(name), name), messages)

    assert caught.value.message == f"The chat template of {name} refuses this conversation: {reason}"


TOOLS = [{"type": "function", "function": {"name": "f"}}]
CALLS = [
    CHAT[0],
    {**CALL, "content": "Look:"},
    {"role": "tool", "content": "1"},
    {"role": "tool", "content": "2"},
    CHAT[3],
]
SIGNATURES = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{"type": "function", "function": {"name": "f"}}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""
CALLED = (
    chatml("user", " u ")
    + chatml("assistant", 'Look:\n<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>')
    + chatml("user", "<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n</tool_response>")
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qwen3", chatml("system", SIGNATURES) + CALLED + chatml("assistant", f"{NO_THOUGHT}b")),
        ("qwen_25", chatml("system", f"{QWEN}\n\n{SIGNATURES}") + CALLED + chatml("assistant", "b")),
    ],
)
def test_tools_and_their_calls(name: str, text: str, tokenizer: Any) -> None:
    assert render(tokenizer, ChatTemplate(builtin_template(name), name), CALLS, tools=TOOLS) == text
