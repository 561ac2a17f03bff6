"""Text to ids, and to the characters that each id covers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_core.data.by_decoding import places_by_decoding
from ft_core.data.byte_level import byte_level
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Encoded:
    """Ids of a text, and for each the characters ``[start, end)`` it covers; int32 of shape ``[n]``."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Encoded]:
    """Return the ids of each text and the characters they cover, with nothing put before or after it.

    The characters of neighbouring tokens touch: the tokenizers of the GPT-2 family leave the space before a word out of
    its offsets, and here it belongs to the word's token again. Tokens that share one character (an emoji in bytes)
    each cover it.

    Raises
    ------
    DataError
        The tokenizer cannot tell which characters a token covers.
    """
    if not tokenizer.is_fast:
        return [_encode_slowly(tokenizer, text) for text in texts]
    if not texts:
        return []
    output = tokenizer(
        list(texts),
        add_special_tokens=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        padding=False,
        truncation=False,
        verbose=False,
    )
    encoded: list[Encoded] = []
    for ids, offsets in zip(output["input_ids"], output["offset_mapping"], strict=True):
        table = np.array(offsets, dtype=np.int32).reshape(-1, 2)
        ends = np.maximum.accumulate(table[:, 1]) if len(table) else table[:, 1]
        starts = np.minimum(table[:, 0], np.concatenate((np.zeros(1, np.int32), ends[:-1])))[: len(table)]
        encoded.append(Encoded(np.array(ids, dtype=np.int32), starts, ends))
    return encoded


def _encode_slowly(tokenizer: PreTrainedTokenizerBase, text: str) -> Encoded:
    """Encode as `encode` does, with a tokenizer that tells no offsets."""
    place = places_by_decoding(tokenizer, text)
    if place is None:
        raise DataError(
            f"The tokenizer '{tokenizer.name_or_path}' cannot tell which characters a token covers, "
            "so its labels could not be explained or trusted.",
            "Use a version of this tokenizer that has a tokenizer.json file.",
        )
    return Encoded(*place)


def encoder(tokenizer: PreTrainedTokenizerBase) -> Callable[[Sequence[str]], list[Encoded]]:
    """Return the function that encodes as `encode` does, faster where the tokens are the bytes of the text."""
    fast = byte_level(tokenizer)

    def encode_fast(texts: Sequence[str]) -> list[Encoded]:
        assert fast is not None
        places = fast(texts)
        others = iter(
            encode(tokenizer, [text for text, place in zip(texts, places, strict=True) if place is None])
        )
        return [Encoded(*place) if place is not None else next(others) for place in places]

    return encode_fast if fast else partial(encode, tokenizer)


def tokens_before_text(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the ids that `tokenizer` itself puts before a text: BOS, or nothing."""
    plain: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole: list[int] = tokenizer("a")["input_ids"]
    length = next((at for at in range(len(whole)) if whole[at : at + len(plain)] == plain), 0)
    return whole[:length]
