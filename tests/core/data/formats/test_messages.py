"""``type: messages``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.data import Sample

Parts = Callable[..., list[tuple[str, str, bool]]]
HI = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]


def test_chatml_is_the_default(samples: Callable[..., list[Sample]]) -> None:
    [sample] = samples("messages", {"messages": HI})

    assert [(span.text, span.role, span.turn, span.rule) for span in sample.spans] == [
        ("<|im_start|>user\n", "template", None, "masked: text of the chat template"),
        ("Hi", "user", 0, "masked: role user"),
        ("<|im_end|>", "user", 0, "masked: end of turn (role user)"),
        ("\n", "template", None, "masked: text of the chat template"),
        ("<|im_start|>assistant\n", "template", None, "masked: text of the chat template"),
        ("Yo", "assistant", 1, "trained: role assistant"),
        ("<|im_end|>", "assistant", 1, "trained: end of turn (role assistant)"),
        ("\n", "template", None, "masked: text of the chat template"),
    ]


def test_llama3_writes_bos_once_and_tools_as_ipython(samples: Callable[..., list[Sample]]) -> None:
    row = {"messages": [*HI, {"role": "tool", "content": "5"}]}
    [sample] = samples({"type": "messages", "chat_template": "llama3"}, row)

    assert "".join(span.text for span in sample.spans) == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>"
        "<|start_header_id|>ipython<|end_header_id|>\n\n5<|eot_id|>"
    )
    assert "".join(span.text for span in sample.spans if span.trained) == "Yo<|eot_id|>"


@pytest.mark.parametrize(
    ("dataset", "row"),
    [
        ({}, {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]}),
        (
            {"field_messages": "chat"},
            {"chat": [{"role": "user", "text": "Hi"}, {"role": "gpt", "text": "Yo"}]},
        ),
        (
            {"message_property_mappings": {"role": "who", "content": "what"}},
            {"messages": [{"who": "user", "what": "Hi"}, {"who": "assistant", "what": "Yo"}]},
        ),
    ],
)
def test_names_of_columns_and_properties(dataset: dict[str, Any], row: dict[str, Any], parts: Parts) -> None:
    assert parts({"type": "messages", **dataset}, row) == parts("messages", {"messages": HI})


def trained(parts: list[tuple[str, str, bool]]) -> str:
    return "".join(text for text, _, learnt in parts if learnt)


@pytest.mark.parametrize(
    ("dataset", "marks", "text"),
    [
        ({}, ({"weight": 1}, {"weight": 0}), "Hi<|im_end|>"),
        ({}, ({"train": True}, {"train": None}), "Hi<|im_end|>Yo<|im_end|>"),
        (
            {"message_field_training": "learn"},
            ({"learn": True, "weight": 0}, {"weight": 0}),
            "Hi<|im_end|>Yo<|im_end|>",
        ),
    ],
)
def test_a_message_may_have_a_weight(
    dataset: dict[str, Any], marks: tuple[dict[str, Any], ...], text: str, parts: Parts
) -> None:
    messages = [{**message, **mark} for message, mark in zip(HI, marks, strict=True)]
    assert trained(parts({"type": "messages", **dataset}, {"messages": messages})) == text


def test_train_on_inputs_trains_contents_and_ends(parts: Parts) -> None:
    assert trained(parts("messages", {"messages": HI}, train_on_inputs=True)) == "Hi<|im_end|>Yo<|im_end|>"


def test_parts_have_weights_of_their_own(parts: Parts) -> None:
    content = [
        {"type": "text", "value": "Let me see.\n\n", "weight": 0},
        {"type": "tool_call", "value": {"name": "add", "arguments": {"x": 2}}},
        {"type": "tool_response", "value": {"name": "add", "content": "4", "id": "7"}, "weight": 0},
        {"type": "text", "content": "4."},
    ]
    found = parts("messages", {"messages": [HI[0], {"role": "assistant", "content": content}]})

    assert trained(found) == (
        '<tool_call>\n{"name": "add", "arguments": {"x": 2}}\n</tool_call>\n4.<|im_end|>'
    )
    assert ("Let me see.\n\n", "assistant", False) in found
    assert any(
        '{"name": "add", "content": "4", "id": "7"}' in text for text, _, learnt in found if not learnt
    )


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        (None, "'messages' must be a list of messages, not null."),
        (["Hi"], "Message 1 must be an object, not text."),
        ([{"content": "Hi"}], "Message 1 has no 'role' or 'from'; it has 'content'."),
        ([{"role": "user"}], "Message 1 has no 'value' or 'text' or 'content'; it has 'role'."),
        ([{"role": "critic", "content": "Hi"}],
         "The role of message 1 is 'critic'; it must be one of system, user, assistant, tool, ipython."),
        ([{"role": "user", "content": 3}], "The content of message 1 must be text or a list of parts, not a number."),
        ([{"role": "user", "content": [{"type": "image", "value": "x"}]}],
         "Part 1 of message 1 is of the type 'image'; it must be text, tool_call or tool_response."),
        ([{"role": "user", "content": [{"type": "tool_call", "value": {"name": "x"}}]}],
         "'value' of part 1 of message 1 has no 'arguments'."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(
    messages: object, message: str, fault: Callable[..., tuple[str, str]]
) -> None:
    assert fault("messages", {"messages": HI}, {"messages": messages})[0] == f"some/rows, row 2: {message}"


def test_other_templates_are_refused(fault: Callable[..., tuple[str, str]]) -> None:
    dataset = {"type": "messages", "chat_template": "jinja", "chat_template_jinja": "{{ messages }}"}
    assert fault(dataset, {"messages": HI}, {"messages": HI})[0] == (
        "'type: messages' writes 'chatml' or 'llama3', and chat_template is 'jinja'."
    )
