from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.data.preference.task import Example
from ft_core.errors import DataError

Finish = Callable[..., list[Example]]

ASKED = {"role": "user", "content": "Why?"}
YES, NO = {"role": "assistant", "content": "Yes."}, {"role": "assistant", "content": "No."}
PLAIN = {"chosen": "Yes.", "rejected": "No."}
SUFFIXED = {"chosen_response": "Yes.", "rejected_response": "No."}
TALKS = {"chosen": [ASKED, YES], "rejected": [ASKED, NO]}

CHATML = {
    "prompt": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
    "chosen": "Yes.<|im_end|>",
    "rejected": "No.<|im_end|>",
}
CHATML_SYSTEM = {
    **CHATML,
    "prompt": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
}
LLAMA3 = {
    "prompt": "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "chosen": "Yes.<|eot_id|>",
    "rejected": "No.<|eot_id|>",
}
LLAMA3_SYSTEM = {
    **LLAMA3,
    "prompt": "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
}

PAIRS = [
    ("", {"prompt": "Why?", **PLAIN}),
    ("", {"input": "Why?", **PLAIN}),
    ("", {"question": "Why?", **PLAIN}),
    ("", {"instruction": "Why?", **PLAIN}),
    ("", {"prompt": None, "input": "Why?", "question": "What?", **SUFFIXED}),
    ("", {"prompt": "Why?", "chosen": None, "rejected": None, **SUFFIXED}),
    (".default", {"prompt": "Why?", **PLAIN}),
    (".argilla", {"instruction": "Why?", **SUFFIXED}),
    (".argilla_chat", TALKS),
    (".icr", {"input": "Why?", "prompt": "What?", **PLAIN}),
    (".intel", {"question": "Why?", "prompt": "What?", **PLAIN}),
    (".prompt_pairs", {"prompt": "Why?", "instruction": "What?", **PLAIN}),
    (".ultra", {"prompt": "Why?", **TALKS}),
]


@pytest.mark.parametrize("method", ["dpo", "ipo", "simpo", "orpo"])
@pytest.mark.parametrize(("variant", "row"), PAIRS)
@pytest.mark.parametrize(
    ("style", "plain", "with_system"), [("chatml", CHATML, CHATML_SYSTEM), ("llama3", LLAMA3, LLAMA3_SYSTEM)]
)
def test_a_pair_in_words_of_a_style(
    style: str,
    plain: Example,
    with_system: Example,
    variant: str,
    row: dict[str, Any],
    method: str,
    finish: Finish,
) -> None:
    rows = [row, {**row, "system": None}, {**row, "system": ""}, {**row, "system": "Be brief."}]

    assert finish(style + variant, *rows, method=method) == [plain, plain, plain, with_system]


@pytest.mark.parametrize(
    ("variant", "row"),
    [
        ("", {"question": "Why?", "completion": "Yes."}),
        (".default", {"prompt": "Why?", "completion": "Yes."}),
        (".argilla", {"instruction": "Why?", "completion": "Yes."}),
        (".argilla_chat", {"completion": [ASKED, YES]}),
        (".icr", {"input": "Why?", "completion": "Yes."}),
        (".intel", {"question": "Why?", "completion": "Yes."}),
        (".prompt_pairs", {"prompt": "Why?", "completion": "Yes."}),
        (".ultra", {"prompt": "Why?", "completion": "Yes."}),
    ],
)
@pytest.mark.parametrize(
    ("style", "plain", "with_system"), [("chatml", CHATML, CHATML_SYSTEM), ("llama3", LLAMA3, LLAMA3_SYSTEM)]
)
def test_a_judged_answer_in_words_of_a_style(
    style: str, plain: Example, with_system: Example, variant: str, row: dict[str, Any], finish: Finish
) -> None:
    rows = [{**row, "label": True}, {**row, "label": False, "system": "Be brief."}]

    assert finish(style + variant, *rows, method="kto") == [
        {"prompt": plain["prompt"], "completion": plain["chosen"], "label": True},
        {"prompt": with_system["prompt"], "completion": plain["chosen"], "label": False},
    ]


@pytest.mark.parametrize(
    ("kind", "question", "expected"),
    [
        ("bradley_terry.llama3", "input", LLAMA3_SYSTEM),
        ("bradley_terry.llama3.icr", "input", LLAMA3_SYSTEM),
        ("bradley_terry.chatml", "instruction", CHATML_SYSTEM),
        ("bradley_terry.chatml.intel", "question", CHATML_SYSTEM),
    ],
)
def test_a_reward_model_reads_the_styles_too(
    kind: str, question: str, expected: Example, finish: Finish
) -> None:
    row = {"system": "Be brief.", question: "Why?", **PLAIN}

    assert finish(kind, row, method="reward") == [expected]


def test_a_longer_conversation_keeps_every_turn(finish: Finish) -> None:
    history = [{"role": "system", "content": "Be brief."}, ASKED, YES, {"role": "user", "content": "Sure?"}]
    row = {"system": "Unused.", "chosen": [*history, YES], "rejected": [*history, NO]}

    assert finish("chatml.argilla_chat", row) == [
        {
            "prompt": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
            "<|im_start|>assistant\nYes.<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n",
            "chosen": "Yes.<|im_end|>",
            "rejected": "No.<|im_end|>",
        }
    ]


def test_the_names_that_the_dataset_gives_are_used(finish: Finish) -> None:
    mapped = {
        "message_property_mappings": {"role": "from", "content": "value"},
        "roles": {"user": ("person",), "assistant": ("bot",)},
        "field_chosen": "winner",
        "field_rejected": "loser",
    }
    asked = {"from": "person", "value": "Why?"}
    row = {
        "winner": [asked, {"from": "bot", "value": "Yes."}],
        "loser": [asked, {"from": "bot", "value": "No."}],
        "chosen": "unused",
        "rejected": "unused",
    }

    assert finish("chatml.argilla_chat", row, **mapped) == [CHATML]


def test_braces_of_a_row_stay_braces_and_numbers_are_written_out(finish: Finish) -> None:
    [row] = finish("llama3", {"prompt": "{role} {0}", "chosen": 4, "rejected": 4.5})

    assert row == {
        "prompt": "<|start_header_id|>user<|end_header_id|>\n\n{role} {0}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "chosen": "4<|eot_id|>",
        "rejected": "4.5<|eot_id|>",
    }


@pytest.mark.parametrize(
    ("kind", "row", "message", "fix"),
    [
        (
            "chatml.intel",
            {"prompt": "Why?", "question": None, **PLAIN},
            "there is no 'question'; the row has 'prompt', 'chosen', 'rejected'.",
            "Choose the type that fits these rows",
        ),
        (
            "chatml",
            PLAIN,
            "there is no 'prompt', 'input', 'question' or 'instruction'; the row has 'chosen', 'rejected'.",
            "field_prompt",
        ),
        (
            "chatml.prompt_pairs",
            {"prompt": "Why?", "chosen": "Yes."},
            "there is no 'rejected' or 'rejected_response'; the row has 'prompt', 'chosen'.",
            "field_prompt",
        ),
        (
            "chatml.icr",
            {"input": ["Why?"], **PLAIN},
            "'input' must be text, not a list.",
            "Choose the type that fits these rows",
        ),
        (
            "chatml.ultra",
            {"prompt": "Why?", "chosen": True, "rejected": "No."},
            "'chosen' must be text, not true or false.",
            "Choose the type that fits these rows",
        ),
        (
            "chatml.ultra",
            {"prompt": "Why?", "chosen": [ASKED, NO, ASKED, YES], "rejected": [ASKED, NO]},
            "'chosen' is a conversation of 4 messages, and this type reads one question and one answer.",
            "argilla_chat",
        ),
        (
            "chatml.argilla_chat",
            {"chosen": [ASKED, YES], "rejected": [{"role": "user", "content": "What?"}, NO]},
            "'chosen' and 'rejected' answer different messages.",
            "Leave the row out",
        ),
        (
            "chatml.argilla_chat",
            {"chosen": [ASKED, YES], "rejected": [NO]},
            "'rejected' has an answer and no message before it.",
            "chat_template",
        ),
        (
            "chatml.argilla_chat",
            {"chosen": [ASKED, {"role": "model", "content": "Yes."}], "rejected": [ASKED, NO]},
            "'chosen' must end with a message of the assistant, not of 'model'.",
            "roles: {assistant: [model], user: [user]}",
        ),
        (
            "chatml.argilla_chat",
            {"chosen": [ASKED, {"from": "assistant", "content": "Yes."}], "rejected": [ASKED, NO]},
            "'chosen': Message 2 has no 'role'; it has 'from', 'content'.",
            "message_property_mappings: {role: ...}",
        ),
        (
            "chatml.argilla_chat",
            {"chosen": {"content": "Yes."}, "rejected": [ASKED, NO]},
            "'chosen' must be a list of messages, not an object.",
            "Choose the type that fits these rows",
        ),
        (
            "chatml.argilla_chat",
            {"chosen": [ASKED, {**YES, "tool_calls": [{"function": {"name": "f"}}]}], "rejected": [ASKED, NO]},
            "a message has 'tool_calls', which 'chatml.argilla_chat' has no words for.",
            "chat_template.argilla_chat",
        ),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_named_with_its_column(
    kind: str, row: dict[str, Any], message: str, fix: str, finish: Finish
) -> None:
    good = {"prompt": "a", "input": "a", "question": "a", "chosen": [ASKED, YES], "rejected": [ASKED, NO]}

    with pytest.raises(DataError) as caught:
        finish(kind, good, row)

    assert caught.value.message == f"pairs.jsonl, row 2: {message}"
    assert fix in caught.value.fix
