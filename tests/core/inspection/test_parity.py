"""What a chat asks with beside what training has before each answer, and why they differ."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ft_core.config import Config, load_config
from ft_core.config.schema.tokenizer import BUILTIN_TEMPLATES
from ft_core.data import render_prompt, tokenize_rows
from ft_core.data.prompt import prompt_template
from ft_core.data.template import render
from ft_core.errors import DataError
from ft_core.inspection.parity import Parity, Side, parity
from tests.conformance.conftest import PACKAGES, tokenizer_folder
from tests.core.data.formats.conftest import OTHERS

BYTES = OTHERS["bytes"]
ONE = [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": "So."}]
MORE = [*ONE, {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "No."}]
CALL = {"type": "function", "function": {"name": "look", "arguments": {"n": 1}}}
LOOP = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [CALL]},
    {"role": "tool", "content": "c"},
    {"role": "assistant", "content": "d", "reasoning_content": "oh"},
    {"role": "user", "content": "e"},
    {"role": "assistant", "content": "f"},
]
TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
]


@pytest.fixture(scope="module")
def load(demo_model: Any) -> Callable[[str], Any]:
    @cache
    def read(name: str) -> Any:
        return AutoTokenizer.from_pretrained(demo_model if name == "smollm2" else tokenizer_folder(name))

    return read


def jinja(
    before: str = "",
    header: str = "<s>assistant\n",
    ask: str = "<s>assistant\n",
    content: str = "m.content",
) -> str:
    """Return a template whose generation prompt is not bound to be its header."""
    return (
        before + "{% for m in messages %}{% if m.role == 'assistant' %}" + header
        + "{% else %}<s>{{ m.role }}\n{% endif %}{{ " + content + " }}</s>{% endfor %}"
        + "{% if add_generation_prompt %}" + ask + "{% endif %}"
    )  # fmt: skip


def make(dataset: dict[str, Any] | None = None, **keys: Any) -> Config:
    keys = {"datasets": [{"path": "x", "type": "chat_template", **(dataset or {})}], **keys}
    return load_config(
        {"base_model": "a/b", "learning_rate": 1e-4, "sequence_len": 4096, **keys}, check_paths=False
    )


def compare(config: Config, tokenizer: Any, messages: list[Any], **row: Any) -> Parity:
    """Return the parity of a row of the last dataset."""
    dataset = config.datasets[-1]
    row = {"messages": messages, **row}
    [sample] = tokenize_rows(config, [row], tokenizer, dataset=dataset)
    return parity(config, tokenizer, dataset, row, sample)


def names(found: Parity) -> dict[int, str | None]:
    assert all(turn.equal == (turn.name is None) == (turn.at is None) for turn in found.turns)
    return {turn.turn: turn.name for turn in found.turns}


EQUAL = {1: None, 3: None}
MERGED = {1: "merged", 3: "merged"}
UNLIKE = {
    # Its vocabulary has a token of two line breaks, and takes them for one only where nothing follows.
    **{("smollm2", name): MERGED for name in ("exaone4", "llama3", "llama3_2_vision", "llama4")},
    # The last answer has an empty thinking before it.
    **{(name, "qwen3"): {1: None, 3: "thinking"} for name in ("smollm2", *PACKAGES)},
    ("qwen3", "tokenizer_default"): {1: None, 3: "thinking"},
}


@pytest.mark.parametrize("name", ["smollm2", *PACKAGES])
def test_every_built_in_template_with_every_tokenizer(load: Callable[[str], Any], name: str) -> None:
    chat = [{**message, "content": message["content"].strip()} for message in MORE]
    found = {
        template: names(compare(make(chat_template=template), load(name), chat))
        for template in ("tokenizer_default", *BUILTIN_TEMPLATES)
    }
    assert found == {template: UNLIKE.get((name, template), EQUAL) for template in found}


NICE = "<s>system\nBe nice.</s>"
CUT = "The template writes an earlier turn in another way where later ones follow: "
SAME_HEADER = "Use a template that writes the same before an answer as for add_generation_prompt."
TRIM = "Trim the answers, or use a template whose header and generation prompt end alike."
ONE_SYSTEM = "Set default_system_message, so that both have one and the same."
BOS_ONCE = "Let the chat template write bos_token once, whether add_generation_prompt is set or not."
NO_SYSTEM = "{% if messages[0].role != 'system' and "
UNMARKED = {"header": "</s>assistant\n", "ask": "</s>assistant\n"}


@pytest.mark.parametrize(
    ("template", "name", "at", "cause", "fix"),
    [
        (
            jinja(before="<s>{% if not add_generation_prompt %}<s>{% endif %}").replace("<s>{{", "{{"),
            "bos",
            1,
            "Training begins with 2 <s>, and the chat's prompt with one <s>.",
            BOS_ONCE,
        ),
        (
            jinja(before="{% if add_generation_prompt %}<s>{% endif %}").replace("<s>{{", "{{"),
            "bos",
            0,
            "Training begins with no <s>, and the chat's prompt with one <s>.",
            BOS_ONCE,
        ),
        (
            jinja(before=NO_SYSTEM + "not add_generation_prompt %}" + NICE + "{% endif %}"),
            "default_system",
            1,
            f"Training has a system message that the conversation does not: {NICE!r}.",
            ONE_SYSTEM,
        ),
        (
            jinja(before=NO_SYSTEM + "add_generation_prompt %}" + NICE + "{% endif %}"),
            "default_system",
            1,
            f"The chat's prompt has a system message that the conversation does not: {NICE!r}.",
            ONE_SYSTEM,
        ),
        (
            jinja(content="m.content if add_generation_prompt else m.content | trim"),
            "whitespace",
            6,
            (
                "The texts differ in white space: training goes on with 'Hi</s><s>assistant\\n', the chat's prompt with "
                "' Hi </s><s>assistant'."
            ),
            "Trim the messages, or use a template that treats white space alike in every turn.",
        ),
        (
            jinja(header="<s>assistant: ", ask="<s>assistant:"),
            "whitespace",
            22,
            (
                "Training has ' ' between the header and this answer, and the chat's prompt does not: it is white space "
                "that the template, or the answer, has in one of the two only."
            ),
            TRIM,
        ),
        (
            jinja(header="<s>assistant:", ask="<s>assistant: "),
            "whitespace",
            22,
            (
                "The chat's prompt ends in ' ', and training does not have it before this answer: it is white space that "
                "the template, or the answer, has in one of the two only."
            ),
            TRIM,
        ),
        (
            jinja(ask="<s>bot\n"),
            "header",
            12,
            (
                "add_generation_prompt writes another header than an answer has: training has 'assistant\\n', and the "
                "chat's prompt 'bot\\n'."
            ),
            SAME_HEADER,
        ),
        (
            jinja(ask="<s>assistant\nFinal: "),
            "header",
            22,
            (
                "The chat's prompt ends in 'Final: ', and training does not have it before this answer: "
                "add_generation_prompt writes another header than an answer has."
            ),
            SAME_HEADER,
        ),
        (
            jinja(header="<s>assistant\nFinal: "),
            "header",
            22,
            (
                "Training has 'Final: ' between the header and this answer, and the chat's prompt does not: "
                "add_generation_prompt writes another header than an answer has."
            ),
            SAME_HEADER,
        ),
        (
            jinja(header="<s>assistant\n<s>assistant\n"),
            "header",
            22,
            (
                "Training has '<s>assistant\\n' between the header and this answer, and the chat's prompt does not: "
                "add_generation_prompt writes another header than an answer has."
            ),
            SAME_HEADER,
        ),
        (
            jinja(ask="<s>assistant\n<think>\n"),
            "thinking",
            22,
            (
                "The chat's prompt ends in '<think>\\n', and training does not have it before this answer: the template "
                "opens the thinking in one of the two only."
            ),
            "Give the answers their reasoning (reasoning_content), or use a template without thinking.",
        ),
        (
            jinja(ask="{{ raise_exception('no') }}"),
            "refused",
            0,
            (
                "A chat cannot ask for this answer. The chat template of chat_template_jinja of the config refuses this "
                "conversation: no"
            ),
            "Change the conversation, or use another chat_template.",
        ),
        (
            jinja(content="m.content + ('!' if loop.last and m.role == 'user' else '')"),
            "earlier_turns",
            10,
            f"{CUT}training has '</s><s>assistant\\n', and the chat's prompt '!</s><s>assistant\\n'.",
            "Cut the conversation after this answer, or use a template that writes each turn by itself.",
        ),
    ],
)
def test_the_cause_of_a_difference(template: str, name: str, at: int, cause: str, fix: str) -> None:
    [turn] = compare(make(chat_template_jinja=template), BYTES, ONE).turns
    assert (turn.equal, turn.name, turn.at, turn.cause, turn.fix) == (False, name, at, cause, fix)


def test_two_templates() -> None:
    datasets = [
        {"path": "y", "type": "chat_template", "chat_template": "chatml"},
        {"path": "x", "type": "chat_template", "chat_template": "llama4"},
    ]
    [turn] = compare(make(datasets=datasets), BYTES, ONE).turns
    assert (turn.name, turn.cause, turn.fix) == (
        "template",
        (
            "Training writes this dataset by the template of chat_template 'llama4' of the dataset, and a chat asks by that "
            "of chat_template 'chatml' of the dataset."
        ),
        "Give all datasets one chat_template: a chat uses that of the first.",
    )


def test_tools_that_a_chat_does_not_offer(load: Callable[[str], Any]) -> None:
    config = make(chat_template="qwen3", chat_template_kwargs={"enable_thinking": False})
    [turn] = compare(config, load("qwen3"), ONE, tools=TOOLS).turns
    assert (turn.name, turn.at, turn.cause, turn.fix) == (
        "tools",
        1,
        "The row offers tools (look), and a chat offers none.",
        "Chat over an interface that offers the same tools, or leave the column of tools out.",
    )


def test_an_empty_thinking_that_only_training_has(load: Callable[[str], Any]) -> None:
    [turn] = compare(make(chat_template="qwen3"), load("qwen3"), ONE).turns
    assert (turn.name, turn.cause, turn.fix) == (
        "thinking",
        (
            "Training has '<think>\\n\\n</think>\\n\\n' between the header and this answer, and the chat's prompt does not: "
            "the template opens the thinking in one of the two only."
        ),
        "Set chat_template_kwargs: {enable_thinking: false}.",
    )
    assert turn.training.texts[-4:] == ("<think>", "\n\n", "</think>", "\n\n")
    assert turn.prompt.texts[-2:] == ("assistant", "\n")
    # The fix is one.
    mended = make(chat_template="qwen3", chat_template_kwargs={"enable_thinking": False})
    assert names(compare(mended, load("qwen3"), ONE)) == {1: None}


def test_thinking_that_is_dropped_once_others_follow(load: Callable[[str], Any]) -> None:
    config = make(chat_template="qwen3", chat_template_kwargs={"enable_thinking": False})
    found = compare(config, load("qwen3"), LOOP)
    # The answer after the tool was asked for with the thinking before it, which a later question has taken away.
    assert names(found) == {1: "thinking", 3: "thinking", 5: None}
    assert found.turns[1].cause == (
        "The template treats the thinking of a turn in another way where later turns follow: here only the chat's prompt "
        "has it."
    )


def test_a_token_across_the_border(load: Callable[[str], Any]) -> None:
    config = make(chat_template_jinja=jinja(header="A: ", ask="A: "))
    [turn] = compare(config, load("smollm2"), ONE).turns
    assert (turn.name, turn.cause) == (
        "merged",
        (
            "The prompt ends in ' '; in training one token, ' So', holds the end of the header and the beginning of the "
            "answer."
        ),
    )
    [turn] = compare(make(chat_template="llama3"), load("smollm2"), ONE).turns
    assert (turn.name, turn.cause) == (
        "merged",
        (
            "The prompt ends in '\\n\\n'; in training the tokenizer cuts the end of the header in another way where the "
            "answer follows."
        ),
    )


def test_an_answer_that_was_cut_off() -> None:
    config = make(sequence_len=40, excess_length_strategy="truncate", chat_template_jinja=jinja())
    found = compare(config, BYTES, MORE)
    assert names(found) == {1: None, 3: "truncated"}
    cut = found.turns[1]
    assert (cut.at, cut.start, cut.cause) == (
        40,
        32,
        "The sample was truncated before this answer: 12 tokens were cut off its end, and the prompt alone has 48.",
    )
    assert cut.fix == "Raise sequence_len, or drop such samples with excess_length_strategy: drop."
    assert cut.training == Side(tuple(BYTES("Why?</s><s>as")["input_ids"]), (*"Why?", "</s>", "<s>", *"as"))


def test_a_conversation_that_begins_with_an_answer() -> None:
    found = compare(make(chat_template_jinja=jinja()), BYTES, MORE[1:])
    assert names(found) == {0: "first", 2: None}


def test_an_empty_answer_is_not_compared() -> None:
    chat = [*MORE[:3], {"role": "assistant", "content": ""}]
    assert names(compare(make(chat_template_jinja=jinja()), BYTES, chat)) == {1: None}
    only = compare(make(chat_template_jinja=jinja()), BYTES, chat[2:])
    assert (only.turns, only.message) == ((), "No answer of this row has a place of its own in the sample.")


def test_rows_in_which_nobody_answers() -> None:
    chat = [{"role": "human", "content": "a"}, {"role": "bot", "content": "b"}]
    found = compare(make(chat_template_jinja=jinja()), BYTES, chat)
    assert (found.turns, found.message, found.fix) == (
        (),
        "No message of this row has the role 'assistant', which a chat asks for; its roles are 'user', 'bot'.",
        "Say which role answers, such as roles: {assistant: [bot]}.",
    )
    mended = make({"roles": {"assistant": ["bot"]}}, chat_template_jinja=jinja())
    assert names(compare(mended, BYTES, chat)) == {1: None}


OWN = " writes prompts in words of its own, and a chat asks by the template of "
MESSAGES = "Give the rows as messages and use 'type: chat_template', so that both use one template."
NO_TEMPLATE = (
    "type: alpaca writes prompts in words of its own, and a chat has none to write: The tokenizer '' has no chat template.",
    "Choose one, such as chat_template: chatml, or give its text as chat_template_jinja.",
)


@pytest.mark.parametrize(
    ("kind", "template", "message", "fix"),
    [
        ("completion", "chatml", "type: completion has no answers, so there is no prompt of a chat to compare.", ""),
        ("", "chatml", "An empty type has no answers, so there is no prompt of a chat to compare.", ""),
        ("alpaca", "chatml", f"type: alpaca{OWN}chat_template 'chatml' of the config, which may be other words than were trained.",
         MESSAGES),
        ({"format": "{instruction}"}, "chatml",
         f"The format under 'type'{OWN}chat_template 'chatml' of the config, which may be other words than were trained.", MESSAGES),
        ("alpaca", "tokenizer_default", *NO_TEMPLATE),
    ],
)  # fmt: skip
def test_types_whose_rows_are_no_chats(kind: Any, template: str, message: str, fix: str) -> None:
    config = make({"type": kind}, chat_template=template)
    sample = tokenize_rows(
        config,
        [{"text": "a", "instruction": "a", "input": "", "output": "b", "input_ids": [5], "labels": [5]}],
        BYTES,
    )[0]
    found = parity(config, BYTES, config.datasets[0], {}, sample)
    assert (found.turns, found.message, found.fix, found.differs) == ((), message, fix, False)


PARTS = [*"ab .\n", "<s>", "</s>", "<|im_end|>", "<|im_start|>", "é", "assistant\n"]
SAID = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join)


@given(
    said=st.lists(SAID, min_size=2, max_size=5),
    template=st.sampled_from(["chatml", "llama3", "phi_3", "gemma"]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("name", ["smollm2", "gemma3", "bytes", "prefix space"])
def test_turns_are_equal_where_a_chat_sends_the_very_ids(
    load: Callable[[str], Any], name: str, said: list[str], template: str
) -> None:
    others = {"bytes": BYTES, "prefix space": OTHERS["prefix space, adds BOS"]}
    tokenizer = others[name] if name in others else load(name)
    config = make(chat_template=template)
    chat = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]
    [sample] = tokenize_rows(config, [{"messages": chat}], tokenizer)
    for turn in parity(config, tokenizer, config.datasets[0], {"messages": chat}, sample).turns:
        start = next(span.start for span in sample.spans if span.turn == turn.turn)
        sent = np.array(render_prompt(config, chat[: turn.turn], tokenizer), np.int32)
        assert turn.equal == np.array_equal(sent, sample.input_ids[:start])


def test_the_template_of_a_chat_is_that_of_the_first_conversations(load: Callable[[str], Any]) -> None:
    datasets = [
        {"path": "y", "type": "alpaca"},
        {"path": "x", "type": "chat_template", "chat_template": "phi_3"},
    ]
    template = prompt_template(make(datasets=datasets), load("smollm2"))
    assert render(load("smollm2"), template, ONE[:1], add_generation_prompt=True) == (
        "<|im_start|><|user|>\n Hi <|end|>\n<|assistant|>\n"
    )
    with pytest.raises(DataError):
        prompt_template(make({"type": "alpaca"}), BYTES)
