"""``type: pretrain``: overlapping windows. ``type: completion`` is in test_tokenize.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.data import Sample
from tests.core.data.formats.conftest import OTHERS

MakeSamples = Callable[..., list[Sample]]


def windows_of(tokenizer: Any, text: str, sequence_len: int) -> list[list[int]]:
    """Return the windows as the tokenizers library cuts them, each with EOS: what Axolotl does."""
    cut = tokenizer(
        text,
        truncation=True,
        max_length=sequence_len - 1,
        stride=min(256, (sequence_len - 1) // 2),
        return_overflowing_tokens=True,
    )
    return [[*ids, tokenizer.eos_token_id] for ids in cut["input_ids"]]


@pytest.mark.parametrize("name", ["bytes", "bytes, adds BOS", "prefix space, adds BOS"])
@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="abehl ", min_size=1, max_size=60), sequence_len=st.integers(5, 20))
def test_windows_are_those_of_the_tokenizers_library(
    name: str, text: str, sequence_len: int, samples: MakeSamples
) -> None:
    cut = samples("pretrain", {"text": text}, other=OTHERS[name], sequence_len=sequence_len)

    assert [sample.input_ids.tolist() for sample in cut] == windows_of(OTHERS[name], text, sequence_len)
    assert all(sample.labels.tolist() == sample.input_ids.tolist() for sample in cut)


def test_the_overlap_is_256_tokens_at_most(samples: MakeSamples) -> None:
    text = "abcdefgh" * 300
    cut = samples("pretrain", {"text": text}, other=OTHERS["bytes"], sequence_len=1001)

    assert [len(sample) for sample in cut] == [1001, 1001, 2400 - 2 * (1000 - 256) + 1]
    assert cut[0].input_ids[-257:-1].tolist() == cut[1].input_ids[:256].tolist()


def test_the_column_has_a_name(samples: MakeSamples) -> None:
    [sample] = samples({"type": "pretrain", "text_column": "body"}, {"body": "Hi"})

    assert [(span.text, span.rule) for span in sample.spans] == [
        ("Hi", "trained: text"), ("<|im_end|>", "trained: end of text after the text"),
    ]  # fmt: skip


def test_an_empty_text_is_an_empty_sample(samples: MakeSamples) -> None:
    assert [len(sample) for sample in samples("pretrain", {"text": ""}, {"text": None})] == [0, 0]
