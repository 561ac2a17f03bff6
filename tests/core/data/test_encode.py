from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from ft_core.data.byte_level import spaces_after
from ft_core.data.encode import encode, encoder, tokens_before_text

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


def trimming(tokenizer: Any, **options: Any) -> Any:
    """Return `tokenizer` with spaces left out of its offsets."""
    changed = copy.deepcopy(tokenizer)
    changed.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True, **options)
    return changed


@pytest.fixture(scope="module")
def byte_levels(tokenizer: Any, bytes_tokenizer: Any) -> list[Any]:
    """Return byte-level tokenizers with merges and without, that leave spaces out of their offsets and that do not."""
    return [
        tokenizer,
        bytes_tokenizer,
        trimming(tokenizer),
        trimming(tokenizer, add_prefix_space=False),
    ]


WORDS = [
    "The",
    " dog",
    "\n",
    "\n\n  ",
    "   ",
    " \n",
    ".\n    return",
    "é",
    "e\u0301",
    "🦎",
    "日本",
    "\xa0",
    "<|im_end|>",
]


@settings(max_examples=300, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS) | TEXTS, max_size=10))
def test_the_encoder_gives_what_encode_gives(words: list[str], byte_levels: list[Any]) -> None:
    text = "".join(words)
    for each in byte_levels:
        [fast], [slow] = encoder(each)([text]), encode(each, [text])
        for name in ("ids", "starts", "ends"):
            assert getattr(fast, name).tolist() == getattr(slow, name).tolist()
            assert getattr(fast, name).dtype == np.int32


def test_the_encoder_of_byte_levels_takes_no_offsets_of_the_library(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode_texts = encoder(tokenizer)
    monkeypatch.setattr(
        "ft_core.data.encode.encode", lambda _, texts: pytest.fail(str(texts)) if texts else []
    )

    [encoded] = encode_texts(["é <|im_end|>"])

    assert tokenizer.decode(encoded.ids) == "é <|im_end|>"
    assert (encoded.starts.tolist(), encoded.ends.tolist()) == ([0, 1, 2], [1, 2, 12])


def test_a_text_that_is_normalized_has_the_offsets_of_the_library(tokenizer: Any) -> None:
    changed = copy.deepcopy(tokenizer)
    changed.backend_tokenizer.normalizer = normalizers.NFC()
    texts = ["e\u0301a", "ea"]

    for fast, slow in zip(encoder(changed)(texts), encode(changed, texts), strict=True):
        assert (fast.ids.tolist(), fast.starts.tolist()) == (slow.ids.tolist(), slow.starts.tolist())


def test_a_token_that_swallows_white_space_covers_it(tokenizer: Any) -> None:
    changed = copy.deepcopy(tokenizer)
    changed.add_special_tokens({"mask_token": AddedToken("<mask>", lstrip=True)})

    [encoded] = encoder(changed)(["a  <mask>b"])

    assert (encoded.starts.tolist(), encoded.ends.tolist()) == ([0, 1, 9], [1, 9, 10])


def test_limits_that_an_earlier_call_set_are_gone(tokenizer: Any) -> None:
    changed = copy.deepcopy(tokenizer)
    encode_texts = encoder(changed)
    changed(["a b c d"], truncation=True, max_length=2, padding="max_length")

    assert len(encode_texts(["a b c d"])[0].ids) == 4
    assert len(encode_texts(["a"])[0].ids) == 1


def test_that_an_earlier_call_split_special_tokens_is_forgotten(tokenizer: Any) -> None:
    changed = copy.deepcopy(tokenizer)
    encode_texts = encoder(changed)
    assert len(changed("<|im_end|>", split_special_tokens=True)["input_ids"]) > 1

    assert encode_texts(["<|im_end|>"])[0].ids.tolist() == [2]


def test_a_class_of_tokenizer_that_changes_texts_is_asked_itself(tokenizer: Any) -> None:
    class Lower(type(tokenizer)):
        def __call__(self, text: Any, **options: Any) -> Any:
            return super().__call__(
                [each.lower() for each in text] if isinstance(text, list) else text.lower(), **options
            )

    changed = copy.deepcopy(tokenizer)
    changed.__class__ = Lower

    assert encoder(changed)(["HI"])[0].ids.tolist() == tokenizer("hi")["input_ids"]


@pytest.mark.parametrize(
    ("token", "count"),
    [("\u0120", 0), ("\u0120\u0120", 0), ("\u010a\u0120\u0120", 2), ("a", 0), ("a\u0120", 1)],
)
def test_spaces_that_end_a_token_are_counted_unless_it_is_spaces_alone(token: str, count: int) -> None:
    assert spaces_after(token) == count
