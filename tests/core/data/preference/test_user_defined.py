from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config.schema.dataset_type import PromptFormat
from ft_core.data.preference.task import Example
from ft_core.errors import DataError

Finish = Callable[..., list[Example]]

ROW = {"prompt": "Why?", "chosen": "Yes.", "rejected": "No.", "system": "Be brief."}
RENAMED = {"question": "Why?", "good": "Yes.", "bad": "No.", "context": "Be brief."}
FIELDS = {
    "field_prompt": "question",
    "field_chosen": "good",
    "field_rejected": "bad",
    "field_system": "context",
}
PAIR_KEYS = (
    "field_system", "field_prompt", "prompt_format", "field_chosen", "field_rejected", "chosen_format", "rejected_format"
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "row", "expected"),
    [
        ({"field_prompt": "prompt"}, ROW, ("Why?", "Yes.", "No.")),
        (FIELDS, RENAMED, ("Why?", "Yes.", "No.")),
        ({**FIELDS, "prompt_format": "[{system}] {prompt}", "chosen_format": "{chosen}</s>", "rejected_format": "{rejected}</s>"},
         RENAMED, ("[Be brief.] Why?", "Yes.</s>", "No.</s>")),
        ({**FIELDS, "prompt_format": "[{context}] {question}", "chosen_format": "{good}</s>", "rejected_format": "{bad}!"},
         RENAMED, ("[Be brief.] Why?", "Yes.</s>", "No.!")),
        ({"prompt_format": "[{system}] {prompt}"}, {**ROW, "system": None}, ("[] Why?", "Yes.", "No.")),
        ({"prompt_format": "{{}} {prompt} {prompt}"}, {**ROW, "prompt": "{0} {system}"},
         ("{} {0} {system} {0} {system}", "Yes.", "No.")),
        (PromptFormat(prompt_format="Q: {prompt}\nA:"), ROW, ("Q: Why?\nA:", "Yes.", "No.")),
        ({"prompt_format": "", "field_prompt": None, "chosen_format": "{chosen}."}, ROW, ("Why?", "Yes..", "No.")),
    ],
)  # fmt: skip
def test_the_map_says_how_a_pair_is_written(
    kind: object, row: dict[str, Any], expected: tuple[str, str, str], finish: Finish
) -> None:
    assert finish(kind, row) == [dict(zip(("prompt", "chosen", "rejected"), expected, strict=True))]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ({"prompt_format": "{system}|{prompt}|", "completion_format": "{completion}</s>"},
         {"prompt": "Why?", "completion": "Yes.", "label": True, "system": "Be brief."}),
        ({"prompt_format": "{system}|{prompt}|", "completion_format": "{completion}</s>", "field_prompt": "question",
          "field_completion": "answer", "field_label": "good", "field_system": "context"},
         {"question": "Why?", "answer": "Yes.", "good": 1, "context": "Be brief.", "label": False}),
    ],
)  # fmt: skip
def test_the_map_says_how_a_judged_answer_is_written(
    kind: object, row: dict[str, Any], finish: Finish
) -> None:
    assert finish(kind, row, method="kto") == [
        {"prompt": "Be brief.|Why?|", "completion": "Yes.</s>", "label": True}
    ]


@pytest.mark.parametrize(
    ("kind", "method", "message", "fix"),
    [
        ({"prompt_format": "{question}"}, "dpo", "prompt_format: nothing is known for the placeholder {question}.",
         "Use {prompt} or {system}; write a brace that stands for itself twice: {{ or }}."),
        ({"chosen_format": "{chosen!r}"}, "dpo", "chosen_format: nothing is known for the placeholder {chosen!r}.",
         "Use {chosen}; write a brace that stands for itself twice: {{ or }}."),
        ({"rejected_format": "{rejected"}, "dpo", "rejected_format: '{rejected' is no format: expected '}' before end of string.",
         "Write a brace that stands for itself twice: {{ or }}."),
        ({"field_promt": "a"}, "dpo", "The type of pairs.jsonl is a map whose 'field_promt' is not understood.",
         f"Its keys are texts: {', '.join(PAIR_KEYS)}."),
        ({"field_label": "good"}, "dpo", "The type of pairs.jsonl is a map with 'field_label', which 'dpo' does not use.",
         f"Use: {', '.join(PAIR_KEYS)}."),
        ({"field_chosen": "good"}, "kto", "The type of pairs.jsonl is a map with 'field_chosen', which 'kto' does not use.",
         "Use: field_system, field_prompt, prompt_format, field_completion, field_label, completion_format."),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_followed_is_refused_before_any_row(
    kind: object, method: str, message: str, fix: str, finish: Finish
) -> None:
    with pytest.raises(DataError) as caught:
        finish(kind, method=method)

    assert (caught.value.message, caught.value.fix) == (message, fix)
