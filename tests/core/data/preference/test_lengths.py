from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from ft_core.config import Config
from ft_core.data.preference import LimitedRows, limit_lengths
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]

END = "<|im_end|>"


@pytest.fixture(scope="module")
def words() -> Any:
    """Return a tokenizer of one token a word that puts ``<s>`` before a text and has ``</s>`` as EOS."""
    vocabulary = {word: number for number, word in enumerate(["<s>", "</s>", "<unk>", *"abcdefgh"])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def pair(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


@pytest.mark.parametrize(
    ("row", "fits"),
    [
        # <s> a b c </s>
        (pair("a b", " c", " d"), True),
        (pair("a b", " c d", " d"), False),
        (pair("a b", " d", " c d"), False),
        # BOS and EOS that the text brings are not counted twice.
        (pair("<s> a b", " c", " d"), True),
        (pair("a b", " c </s>", " d </s>"), True),
        (pair("a b", " c </s>", " c d </s>"), False),
        ({"prompt": "a b", "completion": " c", "label": True}, True),
        ({"prompt": "a b", "completion": " c d", "label": True}, False),
        # Not text, so TRL measures it.
        ({"prompt": [{"role": "user"}], "chosen": [{}], "rejected": [{}]}, True),
        ({"chosen": [{}], "rejected": [{}]}, True),
    ],
)
def test_prompt_and_each_answer_fit_or_the_row_is_dropped(
    row: dict[str, Any], fits: bool, make_config: MakeConfig, words: Any
) -> None:
    limited = limit_lengths(make_config(sequence_len=5), [row], words, source="pairs.jsonl")

    assert limited == (
        LimitedRows([row]) if fits else LimitedRows([], dropped={"longer than sequence_len": 1})
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (pair("a b", " c d e", " d"), pair("a b", " c d", " d")),
        (pair("a b", " d", " c d e"), pair("a b", " d", " c d")),
        (pair("a b", " c d e", " d e f"), pair("a b", " c d", " d e")),
        (pair("a b", " c d </s>", " d"), pair("a b", " c d", " d")),
        (pair("a b c d", " e", " f"), "prompt longer than sequence_len"),
        (pair("a b c d e f", " e", " f"), "prompt longer than sequence_len"),
        (pair("a b", " c d e", " c d f"), "chosen and rejected are alike within sequence_len"),
        ({"prompt": "a b", "completion": " c d e", "label": False}, {"prompt": "a b", "completion": " c d", "label": False}),
    ],
)  # fmt: skip
def test_truncating_cuts_the_answer_alone(
    row: dict[str, Any], expected: Any, make_config: MakeConfig, words: Any
) -> None:
    config = make_config(sequence_len=5, excess_length_strategy="truncate")
    before = dict(row)
    limited = limit_lengths(config, [row], words, source="pairs.jsonl")

    if isinstance(expected, str):
        assert limited == LimitedRows([], dropped={expected: 1})
    else:
        assert limited == LimitedRows([expected], truncated=1)
    assert row == before


def test_raising_counts_the_rows_and_names_the_longest(make_config: MakeConfig, words: Any) -> None:
    config = make_config(sequence_len=5, excess_length_strategy="raise")
    short, long, longest = pair("a", " b", " c"), pair("a", " b", " c d e f"), pair("a", " b c d e f", " c")
    rows = [short, long, longest, short]

    with pytest.raises(DataError) as caught:
        limit_lengths(config, rows, words, source="pairs.jsonl")

    assert caught.value.message == (
        "pairs.jsonl: 2 of 4 rows are longer than sequence_len (5) with an answer; the longest is row 3 with 8 tokens."
    )
    assert caught.value.fix == "Raise sequence_len, or set excess_length_strategy to drop or truncate."
    assert limit_lengths(config, [short], words, source="pairs.jsonl") == LimitedRows([short])


def test_of_equally_long_rows_the_first_is_named_wherever_it_stands(
    make_config: MakeConfig, words: Any
) -> None:
    config = make_config(sequence_len=5, excess_length_strategy="raise")
    short, long = pair("a", " b", " c"), pair("a", " b", " c d e f")

    with pytest.raises(DataError) as caught:
        limit_lengths(config, [*[short] * 299, long, long], words, source="pairs.jsonl")

    assert caught.value.message == (
        "pairs.jsonl: 2 of 301 rows are longer than sequence_len (5) with an answer; the longest is row 300 with 7 tokens."
    )


def test_the_reasons_are_counted_over_all_batches(make_config: MakeConfig, words: Any) -> None:
    config = make_config(sequence_len=5, excess_length_strategy="truncate")
    fits, cut, lost = pair("a", " b", " c"), pair("a b", " c d e", " d"), pair("a b c d e", " c", " d")
    rows = [row for _ in range(100) for row in (fits, cut, lost)]
    limited = limit_lengths(config, rows, words, source="pairs.jsonl")

    assert limited == LimitedRows(
        [fits, pair("a b", " c d", " d")] * 100, {"prompt longer than sequence_len": 100}, truncated=100
    )


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prompt=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    chosen=st.text(st.characters(codec="utf-8"), max_size=60),
    rejected=st.text(st.characters(codec="utf-8"), max_size=60),
    limit=st.integers(3, 40),
)
def test_what_is_kept_fits_and_begins_as_it_did(
    prompt: str, chosen: str, rejected: str, limit: int, make_config: MakeConfig, tokenizer: Any
) -> None:
    config = make_config(sequence_len=limit, excess_length_strategy="truncate")
    row = pair(prompt, chosen + END, rejected + END)
    limited = limit_lengths(config, [row], tokenizer, source="pairs.jsonl")

    assert len(limited.rows) + sum(limited.dropped.values()) == 1
    for kept in limited.rows:
        assert kept["prompt"] == prompt
        for name in ("chosen", "rejected"):
            assert row[name].startswith(kept[name])
            ids = tokenizer(prompt + kept[name], add_special_tokens=False)["input_ids"]
            assert len(ids) <= limit
            assert kept[name] == row[name] or len(kept[name]) < len(row[name])
