"""Tokenizers of Python code alone, which tell no offsets: the characters of each token, found by decoding the ids again.

Tokens are decoded in their order, and what comes out must be the text, from its first character to its last::

    text      caf   é  now          é is two bytes, a token each
    tokens    caf  C3 A9  ␣now
    decoded   caf    é    ␣now      C3 alone decodes to no character of the text, C3 and A9 together do

So every token's place is certain, or nothing is said of the text: a tokenizer that changes it (SentencePiece leaves out the space
before a word that is decoded alone) has no places to find.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TOKENS = 8
"""Tokens that may make up a character together; in bytes it has four, and others may be merged with those around them."""

_BROKEN = "\ufffd"
"""What bytes that are no whole character decode to."""

Place = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""Ids, and where the characters begin and end that each covers."""


def places_by_decoding(tokenizer: PreTrainedTokenizerBase, text: str) -> Place | None:
    """Return the ids of a text and the characters that each covers; None where decoding them does not give the text.

    Tokens that make up characters together each cover all of these.
    """
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    starts, ends = np.zeros((2, len(ids)), np.int32)
    at = first = 0
    for after in range(1, len(ids) + 1):
        piece = _decode(tokenizer, ids[first:after])
        if piece and text.startswith(piece, at):
            if (
                piece.endswith(_BROKEN)
                and after < len(ids)
                and _decode(tokenizer, ids[first : after + 1]) == piece
            ):
                continue  # the text has this character itself, and it is not whole yet
            starts[first:after], ends[first:after] = at, at + len(piece)
            at, first = at + len(piece), after
        elif after - first == _TOKENS:
            return None
    whole = first == len(ids) and at == len(text)
    return (np.array(ids, np.int32), starts, ends) if whole else None


def _decode(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """Return the text of `ids`, special tokens too, with nothing put between them."""
    text = tokenizer.decode(
        ids,
        skip_special_tokens=False,
        clean_up_tokenization_spaces=False,
        spaces_between_special_tokens=False,
    )
    assert isinstance(text, str)
    return text
