"""Tokenizers that tell no offsets: places that are certain, or none."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.data.by_decoding import places_by_decoding
from ft_core.data.encode import encode
from ft_core.errors import DataError
from tests.conformance.families import OWN_CODE


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a tokenizer of Python code of its own, with a token for each byte."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizers") / "slow"
    shutil.copytree(OWN_CODE / "tokenizer", folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    assert not tokenizer.is_fast
    return tokenizer


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", []),
        ("ab", [(0, 1), (1, 2)]),
        ("é b", [(0, 1), (0, 1), (1, 2), (2, 3)]),
        ("a</s>\ufffd", [(0, 1), (1, 5), (5, 6), (5, 6), (5, 6)]),
        ("🦎", [(0, 1)] * 4),
    ],
)
def test_each_token_has_the_characters_that_it_decodes_to(
    slow: Any, text: str, places: list[tuple[int, int]]
) -> None:
    [encoded] = encode(slow, [text])
    assert list(zip(encoded.starts.tolist(), encoded.ends.tolist(), strict=True)) == places
    assert encoded.ids.tolist() == slow(text, add_special_tokens=False)["input_ids"]


@settings(deadline=None, max_examples=50)
@given(text=st.text(alphabet=st.sampled_from("ab \n\té🦎日\ufffd<|>"), max_size=12))
def test_every_character_is_covered_once(slow: Any, text: str) -> None:
    place = places_by_decoding(slow, text)
    assert place is not None
    _, starts, ends = place
    pieces = sorted(set(zip(starts.tolist(), ends.tolist(), strict=True)))
    assert "".join(text[start:end] for start, end in pieces) == text


@pytest.mark.parametrize(
    "broken", [str.lower, lambda text: text[:-1], lambda text: text + "b", lambda text: text[1:]]
)
def test_a_tokenizer_that_changes_the_text_is_refused(slow: Any, broken: Any) -> None:
    class Changing(type(slow)):
        def _tokenize(self, text: str, **others: Any) -> list[str]:
            return super()._tokenize(broken(text), **others)

    changing = Changing(name_or_path="some/slow")
    with pytest.raises(DataError, match="'some/slow' cannot tell which characters a token covers"):
        encode(changing, ["Hi there, and so on"])
