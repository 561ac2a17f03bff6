"""What ids stand for, for every kind of tokenizer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, ByT5Tokenizer, PreTrainedTokenizerFast

from ft_core.inspection.tokens import TokenTable
from tests.conformance.conftest import PACKAGES, tokenizer_folder
from tests.core.data.formats.conftest import OTHERS, prefix_space

TEXT = "Hello  world \U0001f926\U0001f3fd‍♀️ 日本語 né e\u0301 \x00\t\r\n\n <0xE2> ▁▁ Ġ"


@pytest.fixture(scope="module")
def load(demo_model: Any) -> Callable[[str], Any]:
    return lambda name: AutoTokenizer.from_pretrained(
        demo_model if name == "smollm2" else tokenizer_folder(name)
    )


@pytest.fixture(scope="module")
def merged(load: Callable[[str], Any]) -> Any:
    # SmolLM2 will not do: its vocabulary lacks some bytes, which it leaves out of a text.
    return load("llama3_1")


def joined(tokenizer: Any, text: str) -> str:
    table = TokenTable(tokenizer)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return b"".join(table.bytes_of(token) for token in ids).decode()


@pytest.mark.parametrize("name", ["smollm2", "llama3_1", "deepseek_v3", "qwen3"])
def test_the_bytes_of_all_tokens_are_those_of_the_text(load: Callable[[str], Any], name: str) -> None:
    tokenizer = load(name)
    text = f"{TEXT}{tokenizer.eos_token} x {tokenizer.eos_token}\n"
    normalizer = tokenizer.backend_tokenizer.normalizer
    assert joined(tokenizer, text) == (normalizer.normalize_str(text) if normalizer else text)


def test_a_sentencepiece_vocabulary_writes_a_space_as_its_mark(load: Callable[[str], Any]) -> None:
    # Gemma cannot tell its mark of a space from a space, so the text is given back but for that.
    assert joined(load("gemma3"), TEXT) == TEXT.replace("▁", " ")


TABLE = TokenTable(OTHERS["bytes"])


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@settings(max_examples=300)
def test_no_byte_of_any_text_is_lost(text: str) -> None:
    ids = OTHERS["bytes"](text, add_special_tokens=False)["input_ids"]
    assert b"".join(TABLE.bytes_of(token) for token in ids) == text.encode()


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_byte_is_lost_where_tokens_are_merged(merged: Any, text: str) -> None:
    assert joined(merged, text) == text


def test_a_character_in_several_tokens_is_told_byte_by_byte() -> None:
    tokenizer = OTHERS["bytes"]
    ids = tokenizer("aé", add_special_tokens=False)["input_ids"]
    vocabulary = TABLE.vocabulary(ids)
    order = [vocabulary.ids.index(token) for token in ids]
    assert [vocabulary.texts[at] for at in order] == ["a", "\\xc3", "\\xa9"]
    assert [vocabulary.bytes[at] for at in order] == ["61", "c3", "a9"]
    assert [vocabulary.partial[at] for at in order] == [False, True, True]
    assert vocabulary.special == (False, False, False)


def word_piece() -> Any:
    vocabulary = {"[UNK]": 0, "run": 1, "##ning": 2, "##": 3}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def suffixed() -> Any:
    backend = Tokenizer(models.BPE({"a": 0, "a</w>": 1}, [], end_of_word_suffix="</w>"))
    backend.decoder = decoders.BPEDecoder(suffix="</w>")
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def undecoded() -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"Ġa": 0}, unk_token="Ġa")))


PREFIX, UNIGRAM = OTHERS["prefix space, adds BOS"], OTHERS["unigram, adds BOS and EOS"]


@pytest.mark.parametrize(
    ("tokenizer", "token", "text", "raw", "special", "partial"),
    [
        (PREFIX, "<s>", "<s>", b"<s>", True, False),
        (PREFIX, "▁the", " the", b" the", False, False),
        (PREFIX, "▁", " ", b" ", False, False),
        (PREFIX, "<0xF0>", "\\xf0", b"\xf0", False, True),
        (PREFIX, "<0x0A>", "\n", b"\n", False, False),
        (UNIGRAM, "▁a", " a", b" a", False, False),
        (UNIGRAM, "he", "he", b"he", False, False),
        (word_piece(), "##ning", "ning", b"ning", False, False),
        (word_piece(), "run", "run", b"run", False, False),
        (word_piece(), "[UNK]", "[UNK]", b"[UNK]", True, False),
        (suffixed(), "a</w>", "a ", b"a ", False, False),
        (undecoded(), "Ġa", "Ġa", "Ġa".encode(), False, False),
    ],
)
def test_a_token_of_each_kind_of_vocabulary(
    tokenizer: Any, token: str, text: str, raw: bytes, special: bool, partial: bool
) -> None:
    vocabulary = TokenTable(tokenizer).vocabulary([tokenizer.convert_tokens_to_ids(token)])
    assert vocabulary.texts == (text,)
    assert vocabulary.bytes == (raw.hex(),)
    assert vocabulary.special == (special,)
    assert vocabulary.partial == (partial,)


@pytest.mark.parametrize(
    ("added", "special", "text"),
    [("<tool▁call>", True, "<tool▁call>"), ("Ġé9é", False, "Ġé9é"), ("  ", False, "  ")],
)
def test_an_added_token_of_a_byte_level_vocabulary_is_text_as_it_is(
    added: str, special: bool, text: str, demo_model: Any
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(demo_model)
    tokenizer.add_tokens([added], special_tokens=special)
    vocabulary = TokenTable(tokenizer).vocabulary([len(tokenizer) - 1])
    assert vocabulary.texts == (text,)
    assert vocabulary.special == (special,)


def test_a_special_token_keeps_a_mark_of_a_space_in_it() -> None:
    tokenizer = prefix_space()
    tokenizer.add_tokens(["<a▁b>"], special_tokens=True)
    assert TokenTable(tokenizer).texts([len(tokenizer) - 1]) == ("<a▁b>",)


def test_a_tokenizer_that_is_not_written_in_rust_gives_the_text_of_its_vocabulary() -> None:
    tokenizer = ByT5Tokenizer()
    [token] = tokenizer("a", add_special_tokens=False)["input_ids"]
    assert TokenTable(tokenizer).vocabulary([token]).texts == ("a",)


def test_ids_are_told_once_each_in_order_and_unknown_ones_are_empty() -> None:
    vocabulary = TABLE.vocabulary(np.array([5, 1, 5, 99_999], np.int32))
    assert vocabulary.ids == (1, 5, 99_999)
    assert vocabulary.texts[0] == "</s>"
    assert vocabulary.texts[2] == ""
    assert vocabulary.bytes[2] == ""
    assert vocabulary.special == (True, False, False)
    assert vocabulary.partial[2] is False
    assert TABLE.vocabulary([]).ids == ()


def test_texts_come_in_the_order_of_the_ids() -> None:
    ids = OTHERS["bytes"]("bab", add_special_tokens=False)["input_ids"]
    assert TABLE.texts(ids) == ("b", "a", "b")


@pytest.mark.parametrize("name", ["smollm2", *PACKAGES])
def test_a_long_sample_takes_no_time(load: Callable[[str], Any], name: str, dictionary: Any) -> None:
    tokenizer = load(name)
    table = TokenTable(tokenizer)
    ids = np.resize(np.array(tokenizer(dictionary.read_text("utf-8"))["input_ids"], np.int32), 65_536)
    seconds: list[float] = []
    for _ in range(3):
        began = time.process_time()
        table.vocabulary(ids)
        seconds.append(time.process_time() - began)
    # 20 to 40 ms with some 9,000 different ids; the slack is for a machine that does other things.
    assert min(seconds) < 0.15
