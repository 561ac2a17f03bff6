"""What ids stand for: the text of each, its exact bytes, and whether it is special or a part of a character.

A vocabulary does not hold text as it is. Tokenizers of the GPT-2 family write each byte as a letter of its own (``Ġ`` is a
space), SentencePiece writes a space as ``▁`` and what it does not know as bytes (``<0xF0>``), WordPiece marks what goes on
within a word (``##ing``). How to get back is in the tokenizer's decoder, whose steps are taken here on one token at a time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from ft_core.data.byte_level import BYTES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True)
class Vocabulary:
    r"""What some ids stand for; the tuples go together.

    Attributes
    ----------
    ids
        Ascending, each once.
    texts
        The characters; bytes that are only a part of one are written as ``\xf0``. Empty for an id that the tokenizer
        does not have.
    bytes
        The exact bytes of the text that the token stands for, as hexadecimal digits.
    special
        Whether the token is a mark that stands for itself and for no text, such as ``<|im_end|>``.
    partial
        Whether the bytes are not whole characters.
    """

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    bytes: tuple[str, ...]
    special: tuple[bool, ...]
    partial: tuple[bool, ...]


class TokenTable:
    """What the ids of one tokenizer stand for.

    Parameters
    ----------
    tokenizer
        Any of Transformers; of one that is not written in Rust, the texts are those of its vocabulary.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._added = tokenizer.added_tokens_decoder
        self._steps = tuple(_decoding_steps(tokenizer))

    def vocabulary(self, ids: ArrayLike) -> Vocabulary:
        """Return what the different ones of `ids` stand for."""
        different = cast("list[int]", np.unique(np.asarray(ids)).tolist())
        pieces = [self.bytes_of(token) for token in different]
        return Vocabulary(
            tuple(different),
            tuple(piece.decode(errors="backslashreplace") for piece in pieces),
            tuple(piece.hex() for piece in pieces),
            tuple(self.is_special(token) for token in different),
            tuple(not _is_text(piece) for piece in pieces),
        )

    def bytes_of(self, token: int) -> bytes:
        """Return the bytes of the text that an id stands for; none for an id that the tokenizer does not have."""
        added = self._added.get(token)
        if added is not None and added.special:
            return added.content.encode()
        piece = self._tokenizer.convert_ids_to_tokens(token)
        if not isinstance(piece, str):
            return b""
        for step in self._steps:
            found = step(piece, added is not None)
            if isinstance(found, bytes):
                return found
            piece = found
        return piece.encode()

    def is_special(self, token: int) -> bool:
        """Whether an id is a mark that stands for itself and for no text."""
        added = self._added.get(token)
        return added is not None and added.special

    def texts(self, ids: ArrayLike) -> tuple[str, ...]:
        """Return the text of each of `ids`, in their order."""
        vocabulary = self.vocabulary(ids)
        text_of = dict(zip(vocabulary.ids, vocabulary.texts, strict=True))
        return tuple(text_of[token] for token in np.asarray(ids).tolist())


_Step = Callable[[str, bool], "str | bytes"]
"""From a piece, and whether it is an added token, to the next form of it; or to its bytes, where it is done."""


def _decoding_steps(tokenizer: PreTrainedTokenizerBase) -> Iterator[_Step]:
    """Yield what turns a piece of the vocabulary into text, out of the steps of the tokenizer's decoder.

    Steps that look at neighbours, such as dropping the space that begins a text, say nothing of a single token.
    """
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    decoder = None if backend is None else backend.decoder
    if decoder is None:
        return
    state: dict[str, Any] = json.loads(decoder.__getstate__())
    for step in state.get("decoders", [state]):
        kind = step["type"]
        if kind == "ByteLevel":
            yield _from_letters
        elif kind == "ByteFallback":
            yield _from_byte_name
        elif kind == "Replace" and "String" in step["pattern"]:
            yield partial(_replaced, step["pattern"]["String"], step["content"])
        elif kind == "Metaspace":
            yield partial(_replaced, step["replacement"], " ")
        elif kind == "WordPiece":
            yield partial(_without_prefix, step["prefix"])
        elif kind == "BPEDecoder":
            yield partial(_replaced, step["suffix"], " ")


def _from_letters(piece: str, added: bool) -> str | bytes:
    """Return the bytes that the letters of a byte-level vocabulary stand for; an added token is text as it is."""
    if added or not all(letter in BYTES for letter in piece):
        return piece
    return bytes(BYTES[letter] for letter in piece)


def _from_byte_name(piece: str, added: bool) -> str | bytes:  # noqa: ARG001
    named = _BYTE.fullmatch(piece)
    return bytes([int(named[1], 16)]) if named else piece


def _replaced(old: str, new: str, piece: str, added: bool) -> str:  # noqa: ARG001
    return piece.replace(old, new)


def _without_prefix(prefix: str, piece: str, added: bool) -> str:
    return piece if added else piece.removeprefix(prefix)


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True
