"""Preference rows in the words of real templates, text for text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.data.preference import Method, limit_lengths, preference_rows

USER = "<|start_header_id|>user<|end_header_id|>\n\n"
ASSISTANT = "<|start_header_id|>assistant<|end_header_id|>\n\n"
TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yo"},
    {"role": "user", "content": "Why?"},
]
YES, NO = {"role": "assistant", "content": " Yes. "}, {"role": "assistant", "content": "No."}

MESSAGES = {"messages": TALK, "chosen": YES, "rejected": NO}
TALKS = {"chosen": [*TALK, YES], "rejected": [*TALK, NO]}
LLAMA_PROMPT = f"<|begin_of_text|>{USER}Hi<|eot_id|>{ASSISTANT}Yo<|eot_id|>{USER}Why?<|eot_id|>{ASSISTANT}"
QWEN_PROMPT = (
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"
    "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
)
QWEN_THOUGHT = "<think>\n\n</think>\n\n"
"""What Qwen3's template writes before the last answer, thought or not."""


def make_config(**keys: Any) -> Config:
    datasets = [{"path": "some/rows", "type": "chat_template"}]
    return load_config({"base_model": "some/model", "learning_rate": 1e-4, "datasets": datasets, **keys})


@pytest.mark.parametrize(
    ("name", "kind", "method", "row", "expected"),
    [
        ("llama3_1", "chat_template", "dpo", MESSAGES, (LLAMA_PROMPT, "Yes.<|eot_id|>", "No.<|eot_id|>")),
        ("llama3_1", "chat_template.argilla", "orpo", TALKS, (LLAMA_PROMPT, "Yes.<|eot_id|>", "No.<|eot_id|>")),
        ("llama3_1", "llama3", "dpo", {"prompt": "Why?", "chosen": "Yes.", "rejected": "No."},
         (f"{USER}Why?<|eot_id|>{ASSISTANT}", "Yes.<|eot_id|>", "No.<|eot_id|>")),
        ("llama3_1", "bradley_terry.chat_template", "reward",
         {"system": "Be brief.", "input": "Why?", "chosen": "Yes.", "rejected": "No."},
         (f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>{USER}Why?<|eot_id|>{ASSISTANT}",
          "Yes.<|eot_id|>", "No.<|eot_id|>")),
        ("qwen3", "chat_template", "dpo", MESSAGES,
         (QWEN_PROMPT, f"{QWEN_THOUGHT} Yes. <|im_end|>", f"{QWEN_THOUGHT}No.<|im_end|>")),
        ("qwen3", "chat_template.argilla", "orpo", TALKS,
         (QWEN_PROMPT, f"{QWEN_THOUGHT} Yes. <|im_end|>\n", f"{QWEN_THOUGHT}No.<|im_end|>\n")),
    ],
)  # fmt: skip
def test_rows_in_the_words_of_a_real_template(
    name: str,
    kind: str,
    method: Method,
    row: dict[str, Any],
    expected: tuple[str, str, str],
    real_tokenizer: Callable[[str], Any],
) -> None:
    tokenizer = real_tokenizer(name)
    config = make_config()
    entry = config.datasets[0].model_copy(update={"type": kind})
    rows = preference_rows(config, [row], tokenizer, method=method, dataset=entry)

    assert rows == [dict(zip(("prompt", "chosen", "rejected"), expected, strict=True))]


def test_a_row_that_brings_bos_counts_it_once(real_tokenizer: Callable[[str], Any]) -> None:
    tokenizer = real_tokenizer("llama3_1")
    row = {"prompt": "<|begin_of_text|>Why?", "chosen": " Yes.<|end_of_text|>", "rejected": "No."}
    row = {key: text.replace("<|end_of_text|>", str(tokenizer.eos_token)) for key, text in row.items()}
    length = len(tokenizer(row["prompt"] + row["chosen"], add_special_tokens=False)["input_ids"])
    kept = []
    for sequence_len in (length - 1, length):
        config = make_config(sequence_len=sequence_len)
        kept.append(len(limit_lengths(config, [row], tokenizer, source="some/rows").rows))

    assert kept == [0, 1]
