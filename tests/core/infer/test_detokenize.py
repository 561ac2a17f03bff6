"""Text as it comes: whole characters, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ft_core.infer.detokenize import REPLACEMENT, Detokenizer


@pytest.fixture(scope="module")
def tokenizer(demo_model: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(demo_model)


def pieces(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*(detokenizer.add(token) for token in ids), detokenizer.finish()]


def test_an_emoji_of_several_tokens_comes_whole(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("a🦩b", add_special_tokens=False)["input_ids"]
    came = pieces(tokenizer, ids)
    assert len(ids) > 3
    assert [piece for piece in came if piece] == ["a", "🦩", "b"]


@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters=REPLACEMENT)))
@example(text="née 你好 नमस्ते 👩‍👩‍👧")
@settings(max_examples=60, deadline=None)
def test_the_pieces_join_to_the_text_and_none_is_half_a_character(
    tokenizer: PreTrainedTokenizerBase, text: str
) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    whole = tokenizer.decode(ids)
    came = pieces(tokenizer, ids)
    assert "".join(came) == whole
    # The vocabulary lacks a few bytes, so not every character survives it.
    assert whole != text or not any(REPLACEMENT in piece for piece in came)


def test_a_character_that_never_becomes_whole_comes_at_the_end(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("a🦩", add_special_tokens=False)["input_ids"]
    assert pieces(tokenizer, ids[:-1]) == ["a", *[""] * (len(ids) - 2), REPLACEMENT]


def test_special_tokens_are_not_text(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = tokenizer("a<|im_end|>b", add_special_tokens=False)["input_ids"]
    assert pieces(tokenizer, ids) == ["a", "", "b", ""]


def test_spaces_survive_a_tokenizer_that_drops_a_texts_first_one() -> None:
    from tokenizers import Tokenizer, decoders, models

    words = Tokenizer(models.WordLevel({"▁so": 0, "▁far": 1, "?": 2}, unk_token="?"))
    words.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    assert tokenizer.decode([1]) == "far"
    assert pieces(tokenizer, [0, 1, 0]) == ["so", " far", " so", ""]
