"""Text rows to ids: BOS once, EOS at the end, prompt and answer parted at a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_core.data.preference import tokenize_preferences
from ft_core.errors import DataError

PAIR = {"prompt": "Why? ", "chosen": "because it is", "rejected": "no"}


def ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.fixture
def with_bos(tiny_model: Path) -> Any:
    """Return a tokenizer that puts a BOS before every text."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    bos = tokenizer.bos_token
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=None, special_tokens=[(bos, tokenizer.bos_token_id)]
    )
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    return tokenizer


def test_a_pair_is_its_texts_and_eos(tokenizer: Any) -> None:
    [row] = tokenize_preferences([PAIR], tokenizer, method="dpo", sequence_len=64, source="a.jsonl")
    eos = tokenizer.eos_token_id
    assert row["prompt_ids"] + row["chosen_ids"] == [*ids(tokenizer, "Why? because it is"), eos]
    assert row["prompt_ids"] + row["rejected_ids"] == [*ids(tokenizer, "Why? no"), eos]
    assert row["prompt_ids"] == ids(tokenizer, "Why?")


def test_an_answer_that_ends_with_eos_gets_no_second_one(tokenizer: Any) -> None:
    pair = {**PAIR, "chosen": f"because{tokenizer.eos_token}"}
    [row] = tokenize_preferences([pair], tokenizer, method="dpo", sequence_len=64, source="a.jsonl")
    assert row["chosen_ids"].count(tokenizer.eos_token_id) == 1


@pytest.mark.parametrize("brought", [True, False])
@pytest.mark.parametrize("method", ["dpo", "reward", "kto"])
def test_bos_stands_once(with_bos: Any, method: Any, brought: bool) -> None:
    bos = with_bos.bos_token_id
    row = {"prompt": (with_bos.bos_token if brought else "") + "Why? ", "chosen": "yes", "rejected": "no"}
    row |= {"completion": "yes", "label": True}
    [made] = tokenize_preferences([row], with_bos, method=method, sequence_len=64, source="a.jsonl")
    first = "chosen_ids" if method == "reward" else "prompt_ids"
    # This tokenizer's BOS is not its EOS, so every one that there is was put before a text.
    assert bos != with_bos.eos_token_id
    assert made[first][0] == bos
    assert sum(made[name].count(bos) for name in made if name != "label") == (2 if method == "reward" else 1)
    if method != "reward":
        assert made["prompt_ids"] == [bos, *ids(with_bos, "Why?")]


def test_a_reward_models_rows_hold_the_prompt_twice(tokenizer: Any) -> None:
    [row] = tokenize_preferences([PAIR], tokenizer, method="reward", sequence_len=64, source="a.jsonl")
    assert list(row) == ["chosen_ids", "rejected_ids"]
    assert row["rejected_ids"] == [*ids(tokenizer, "Why? no"), tokenizer.eos_token_id]


def test_what_is_cut_has_no_eos(tokenizer: Any) -> None:
    [row] = tokenize_preferences([PAIR], tokenizer, method="dpo", sequence_len=4, source="a.jsonl")
    assert row["prompt_ids"] + row["chosen_ids"] == ids(tokenizer, "Why? because it is")[:4]


def test_a_row_that_came_as_it_is_must_be_text(tokenizer: Any) -> None:
    row = {"prompt": [{"role": "user", "content": "Why?"}], "chosen": "a", "rejected": "b"}
    with pytest.raises(DataError) as caught:
        tokenize_preferences([row], tokenizer, method="dpo", sequence_len=64, source="a.jsonl")
    assert caught.value.message == (
        "a.jsonl, row 1: 'prompt' is no text, and 'type: passthrough' takes finished text."
    )
