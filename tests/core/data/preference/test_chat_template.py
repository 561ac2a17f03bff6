from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ft_core.data
from ft_core.config import Config
from ft_core.data.preference import preference_rows
from ft_core.data.preference.task import Example
from ft_core.data.template import ChatTemplate, render, resolve_template
from ft_core.errors import DataError

Finish = Callable[..., list[Example]]

TEMPLATES = sorted(file.stem for file in (Path(ft_core.data.__file__).parent / "templates").glob("*.jinja"))

ASKED = {"role": "user", "content": "Why?"}
YES, NO = {"role": "assistant", "content": "Yes."}, {"role": "assistant", "content": "No."}
SYSTEM = {"role": "system", "content": "Be brief."}

SMOLLM = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
)
BRIEF = "<|im_start|>system\nBe brief.<|im_end|>\n"
WHY = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
LLAMA3_WHY = "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"

# Asks with an opened thought, and writes answers without their thoughts.
THINKING = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content.split('</think>')[-1] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>\n{% endif %}"
)  # fmt: skip
# Says at the very beginning how the conversation ends.
FORETELLING = "{{ messages[-1].content }} {% for message in messages %}{{ message.content }}{% endfor %}"


def pair(prompt: str, chosen: str = "Yes.<|im_end|>", rejected: str = "No.<|im_end|>") -> Example:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


@pytest.mark.parametrize("kind", ["chat_template", "chat_template.default"])
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"messages": [ASKED], "chosen": YES, "rejected": NO}, pair(SMOLLM + WHY)),
        ({"messages": "Why?", "chosen": "Yes.", "rejected": "No."}, pair(SMOLLM + WHY)),
        ({"messages": [SYSTEM, ASKED], "chosen": [ASKED, YES], "rejected": [NO]}, pair(BRIEF + WHY)),
        ({"messages": [ASKED], "chosen": YES, "rejected": NO, "system": "Be brief."}, pair(BRIEF + WHY)),
        ({"messages": [SYSTEM, ASKED], "chosen": YES, "rejected": NO, "system": "Unused."}, pair(BRIEF + WHY)),
        ({"messages": [ASKED, NO, ASKED], "chosen": {**YES, "score": 8.5}, "rejected": {**NO, "score": None}},
         pair(SMOLLM + WHY + "No.<|im_end|>\n" + WHY)),
        ({"messages": [ASKED], "chosen": "Yes. \n", "rejected": ""}, pair(SMOLLM + WHY, "Yes. \n<|im_end|>", "<|im_end|>")),
    ],
)  # fmt: skip
def test_the_messages_are_in_one_column_and_the_answers_in_others(
    kind: str, row: dict[str, Any], expected: Example, finish: Finish
) -> None:
    assert finish(kind, row) == [expected]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"chosen": [ASKED, YES], "rejected": [ASKED, NO]}, pair(SMOLLM + WHY)),
        ({"chosen": [SYSTEM, ASKED, NO, ASKED, YES], "rejected": [SYSTEM, ASKED, NO, ASKED, NO]},
         pair(BRIEF + WHY + "No.<|im_end|>\n" + WHY)),
        ({"chosen": '[{"role": "human", "content": "Why?"}, {"role": "gpt", "content": "Yes."}]',
          "rejected": [ASKED, NO], "system": "Be brief."}, pair(BRIEF + WHY)),
    ],
)  # fmt: skip
def test_the_answers_bring_the_conversation(row: dict[str, Any], expected: Example, finish: Finish) -> None:
    assert finish("chat_template.argilla_chat", row) == [expected]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"chosen": [ASKED, YES], "rejected": [ASKED, NO]}, SMOLLM + WHY),
        ({"chosen": [ASKED, YES], "rejected": [ASKED, NO], "prompt": "Really?"}, SMOLLM + WHY.replace("Why", "Really")),
        ({"chosen": [SYSTEM, ASKED, YES], "rejected": [SYSTEM, ASKED, NO], "prompt": "Really?"},
         BRIEF + WHY.replace("Why", "Really")),
        ({"chosen": [ASKED, NO, ASKED, YES], "rejected": [ASKED, NO, ASKED, NO], "prompt": "Really?"},
         SMOLLM + WHY + "No.<|im_end|>\n" + WHY),
    ],
)  # fmt: skip
def test_orpo_keeps_the_end_of_the_rendering(row: dict[str, Any], prompt: str, finish: Finish) -> None:
    expected = pair(prompt, "Yes.<|im_end|>\n", "No.<|im_end|>\n")

    assert finish("chat_template.argilla", row, method="orpo") == [expected]


def test_a_reward_model_sees_the_whole_rendering(finish: Finish) -> None:
    row = {"input": "Why?", "chosen": "Yes.", "rejected": "No."}
    rows = [{**row, "system": "Be brief."}, row]

    assert finish("bradley_terry.chat_template", *rows, method="reward") == [
        pair(BRIEF + WHY, "Yes.<|im_end|>\n", "No.<|im_end|>\n"),
        pair(SMOLLM + WHY, "Yes.<|im_end|>\n", "No.<|im_end|>\n"),
    ]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("chat_template", {"messages": [ASKED], "completion": "Yes.", "label": 0}),
        ("chat_template.argilla_chat", {"completion": [ASKED, YES], "label": 0}),
    ],
)
def test_kto_judges_one_answer(kind: str, row: dict[str, Any], finish: Finish) -> None:
    assert finish(kind, row, method="kto") == [
        {"prompt": SMOLLM + WHY, "completion": "Yes.<|im_end|>", "label": False}
    ]


def test_the_names_and_the_template_of_the_dataset_are_used(finish: Finish) -> None:
    keys = {
        "chat_template": "llama3",
        "field_messages": "talk",
        "field_chosen": "winner",
        "field_rejected": "loser",
        "message_property_mappings": {"role": "from", "content": "value"},
        "roles": {"user": ("person",), "assistant": ("bot",)},
    }
    row = {
        "talk": [{"from": "person", "value": "Why?"}],
        "winner": {"from": "bot", "value": "Yes."},
        "loser": {"from": "bot", "value": "No."},
    }
    [finished] = finish("chat_template", row, **keys)

    # This template begins with the tokenizer's BOS, and SmolLM2's is <|im_start|>.
    assert finished == pair("<|im_start|>" + LLAMA3_WHY, "Yes.<|eot_id|>", "No.<|eot_id|>")


def test_the_template_of_the_config_is_used(make_config: Callable[..., Config], tokenizer: Any) -> None:
    config = make_config(chat_template="chatml")
    entry = config.datasets[0].model_copy(update={"type": "chat_template.default"})
    row = {"messages": [ASKED], "chosen": YES, "rejected": NO}

    assert preference_rows(config, [row], tokenizer, method="dpo", dataset=entry) == [pair(WHY)]


def test_a_dropped_system_message_stays_out(finish: Finish) -> None:
    row = {"messages": [SYSTEM, ASKED], "chosen": YES, "rejected": NO, "system": "Be loud."}

    assert finish("chat_template", row, drop_system_message=True, chat_template="chatml") == [pair(WHY)]


def test_the_tools_of_a_row_are_in_the_prompt(finish: Finish) -> None:
    template = "{{ tools[0].name if tools }}{% for message in messages %}|{{ message.content }}{% endfor %}"
    row = {"messages": "Why?", "chosen": "Yes.", "rejected": "No.", "tools": [{"name": "weather"}]}

    assert finish("chat_template", row, chat_template="jinja", chat_template_jinja=template) == [
        pair("weather|Why?", "|Yes.", "|No.")
    ]


def test_an_answer_begins_where_it_does_though_the_template_asks_in_other_words(finish: Finish) -> None:
    row = {"messages": [ASKED], "chosen": "<think>\nHm.</think>Yes.", "rejected": "Yet no."}

    assert finish("chat_template", row, chat_template="jinja", chat_template_jinja=THINKING) == [
        pair("<user>Why?</s>\n<assistant>", "Yes.</s>", "Yet no.</s>")
    ]


def test_a_template_that_tells_the_answer_before_the_question_is_refused(finish: Finish) -> None:
    row = {"messages": [ASKED], "chosen": "Yes.", "rejected": "No."}

    with pytest.raises(DataError) as caught:
        finish("chat_template", row, chat_template="jinja", chat_template_jinja=FORETELLING)

    assert caught.value.message == (
        "pairs.jsonl, row 1: The chat template of chat_template_jinja of the dataset writes the messages before an answer "
        "differently for different answers, so prompt and answer cannot be told apart."
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"chosen": YES, "rejected": NO}, "there is no 'messages'; the row has 'chosen', 'rejected'."),
        ({"messages": [], "chosen": YES, "rejected": NO}, "'messages' must be a list of messages, not an empty list."),
        ({"messages": [ASKED], "chosen": ASKED, "rejected": NO},
         "'chosen' must end with a message of the assistant, not of 'user'."),
        ({"messages": [ASKED], "chosen": YES, "rejected": [ASKED, "No."]},
         "Message 2 of 'rejected' must be an object, not text."),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_named_with_its_column(
    row: dict[str, Any], message: str, finish: Finish
) -> None:
    with pytest.raises(DataError) as caught:
        finish("chat_template", row)

    assert caught.value.message == f"pairs.jsonl, row 1: {message}"


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@pytest.mark.parametrize("name", TEMPLATES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(st.tuples(TEXT, TEXT), max_size=2),
    asked=TEXT,
    chosen=TEXT,
    rejected=TEXT,
)
def test_prompt_and_answer_are_the_whole_rendering(
    name: str,
    turns: list[tuple[str, str]],
    asked: str,
    chosen: str,
    rejected: str,
    finish: Finish,
    make_config: Callable[..., Config],
    tokenizer: Any,
) -> None:
    history = [
        *(message for question, answer in turns for message in ({**ASKED, "content": question}, {**YES, "content": answer})),
        {**ASKED, "content": asked},
    ]  # fmt: skip
    row = {
        "chosen": [*history, {**YES, "content": chosen}],
        "rejected": [*history, {**NO, "content": rejected}],
    }
    [finished] = finish("chat_template.argilla", row, method="orpo", chat_template=name)
    template: ChatTemplate = resolve_template(make_config(chat_template=name), tokenizer)

    for answer in ("chosen", "rejected"):
        assert finished["prompt"] + finished[answer] == render(tokenizer, template, row[answer])
    assert render(tokenizer, template, history, add_generation_prompt=True).startswith(finished["prompt"])
