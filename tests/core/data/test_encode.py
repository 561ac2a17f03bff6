from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ft_core.data.encode import encode, tokens_before_text
from ft_core.errors import DataError

TEXTS = st.text(alphabet=st.sampled_from("abc  \n\t.é🦎日本<|>{}"), max_size=12)


@pytest.fixture(scope="module")
def bytes_tokenizer() -> Any:
    """Return a tokenizer of single bytes that leaves spaces out of its offsets, as GPT-2's does, and puts BOS first."""
    alphabet = ["<s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)]),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")


def test_a_space_that_the_offsets_leave_out_belongs_to_its_token(bytes_tokenizer: Any) -> None:
    [encoded] = encode(bytes_tokenizer, ["a  b "])

    assert encoded.starts.tolist() == [0, 1, 2, 3, 4]
    assert encoded.ends.tolist() == [1, 2, 3, 4, 5]


def test_tokens_that_share_a_character_each_cover_it(bytes_tokenizer: Any) -> None:
    [encoded] = encode(bytes_tokenizer, ["aé🦎"])

    assert encoded.starts.tolist() == [0, 1, 1, 2, 2, 2, 2]
    assert encoded.ends.tolist() == [1, 2, 2, 3, 3, 3, 3]


def test_nothing_is_put_before_a_text(bytes_tokenizer: Any) -> None:
    assert bytes_tokenizer("a")["input_ids"][0] == 0
    assert encode(bytes_tokenizer, ["a", ""])[0].ids.tolist() == bytes_tokenizer("a")["input_ids"][1:]
    assert len(encode(bytes_tokenizer, ["a", ""])[1].ids) == 0


def test_what_a_tokenizer_puts_before_a_text_is_known(bytes_tokenizer: Any, tokenizer: Any) -> None:
    assert tokens_before_text(bytes_tokenizer) == [0]
    assert tokens_before_text(tokenizer) == []


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow(PreTrainedTokenizerBase):
        is_fast = False

    with pytest.raises(DataError, match="'some/slow' cannot tell which characters a token covers"):
        encode(Slow(name_or_path="some/slow"), ["Hi"])


@settings(deadline=None)
@given(text=TEXTS)
def test_characters_of_neighbouring_tokens_touch(text: str, tokenizer: Any) -> None:
    [encoded] = encode(tokenizer, [text])

    covered = [set(range(start, end)) for start, end in zip(encoded.starts, encoded.ends, strict=True)]
    assert set().union(*covered) == set(range(len(text)))
    assert all(start < end for start, end in zip(encoded.starts, encoded.ends, strict=True))
    # Each token's bytes are within the characters it covers.
    for token, start, end in zip(encoded.ids, encoded.starts, encoded.ends, strict=True):
        piece = tokenizer.decode([token])
        assert piece == text[start:end] or "�" in piece
