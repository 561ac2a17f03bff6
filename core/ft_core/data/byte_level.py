"""Byte-level tokenizers (GPT-2's and its heirs): the characters of each token, told by its own bytes.

The tokens of such a tokenizer, end to end, are the bytes of the text. So a text is encoded without offsets, which takes the
tokenizers library a third less time, and where each token stands follows from how long the ones before it are. Where the bytes
of the tokens are not those of the text (it was normalized, or a token swallowed white space), nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Place = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
"""Ids, and where the characters begin and end that each covers."""

_SPACE = "\u0120"
"""How the space is written in such a vocabulary."""

_PROBE = "The  quick\n\n  fox, 1234 of them\t(\u00e9\u00df\u65e5\u672c \U0001f98e)."


def byte_level(tokenizer: PreTrainedTokenizerBase) -> ByteLevel | None:
    """Return what encodes for a byte-level tokenizer; None for any other."""
    from tokenizers import decoders

    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.decoder, decoders.ByteLevel):
        return None
    encode = ByteLevel(tokenizer, backend, _trims(backend.post_processor), _TokenBytes(tokenizer, backend))
    [place] = encode([_PROBE])
    # A class of tokenizer may do more to a text than its backend does.
    whole = cast("list[int]", tokenizer(_PROBE, add_special_tokens=False)["input_ids"])
    return encode if place is not None and place[0].tolist() == whole else None


@dataclass(frozen=True)
class ByteLevel:
    """Encodes texts.

    Attributes
    ----------
    tokenizer, backend
        The tokenizer, and that of the tokenizers library in it.
    trims
        Whether it leaves spaces out of its offsets.
    token_bytes
        The bytes of each token, by its id.
    """

    tokenizer: PreTrainedTokenizerBase
    backend: Any
    trims: bool
    token_bytes: _TokenBytes

    def __call__(self, texts: Sequence[str]) -> list[Place | None]:
        """Return ids and offsets of each text; None where the tokens are not the bytes of the text."""
        # An earlier call of the tokenizer may have set another. One that cut or padded texts is found out by their bytes.
        split: bool = getattr(self.tokenizer, "split_special_tokens", False)
        if self.backend.encode_special_tokens != split:
            self.backend.encode_special_tokens = split
        encodings = self.backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [self._place(text, encoding.ids) for text, encoding in zip(texts, encodings, strict=True)]

    def _place(self, text: str, ids: list[int]) -> Place | None:
        if self.trims and text.startswith(" "):
            # It may take that space for one that it put there itself.
            return None
        raw = text.encode()
        if b"".join(map(self.token_bytes.__getitem__, ids)) != raw:
            return None
        numbers = np.array(ids, np.int32)
        ends = np.cumsum(self.token_bytes.lengths[numbers], dtype=np.int32)
        if len(raw) > len(text) and len(ids):
            # Of each byte, the number of its character; a token that ends within a character covers it.
            characters = np.cumsum((np.frombuffer(raw, np.uint8) & 0xC0) != 0x80, dtype=np.int32)
            firsts = characters[np.concatenate((_ZERO, ends[:-1]))] - 1
            ends = characters[ends - 1]
        else:
            firsts = np.concatenate((_ZERO, ends[:-1]))
        if self.trims:
            ends = ends - self.token_bytes.spaces_after[numbers]
        before = np.concatenate((_ZERO, ends[:-1]))
        return numbers, np.minimum(firsts, before)[: len(ids)], ends


class _TokenBytes(dict[int, bytes]):
    """The bytes of each token that has occurred, by its id.

    Attributes
    ----------
    lengths
        How many they are.
    spaces_after
        How many spaces end the token, where it is not spaces alone.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, backend: Any) -> None:
        super().__init__()
        self._backend = backend
        self._added = {
            number: token.content for number, token in cast("Any", tokenizer).added_tokens_decoder.items()
        }
        size = 1 + max((backend.get_vocab_size() - 1, *self._added))
        self.lengths = np.zeros(size, np.int32)
        self.spaces_after = np.zeros(size, np.int32)

    def __missing__(self, number: int) -> bytes:
        token: str | None = self._added.get(number)
        if token is not None:
            raw = token.encode()
        else:
            token = str(self._backend.id_to_token(number))
            try:
                raw = bytes(BYTES[character] for character in token)
            except KeyError:
                # No token of bytes: as no text holds it, the texts it is in are none of ours.
                raw = b"\xff"
        self.lengths[number] = len(raw)
        self.spaces_after[number] = spaces_after(token)
        # Last, for other threads that find it here.
        self[number] = raw
        return raw


def spaces_after(token: str) -> int:
    """Return how many spaces a tokenizer that trims offsets takes off the end of a token's.

    Of a token of nothing but spaces it moves the start, so that its end stays.
    """
    kept = len(token)
    while kept and (token[kept - 1] == _SPACE or token[kept - 1].isspace()):
        kept -= 1
    return len(token) - kept if kept else 0


def _trims(post_processor: Any) -> bool:
    """Return whether a post-processor leaves spaces out of offsets."""
    return post_processor is not None and b'"trim_offsets":true' in bytes(post_processor.__getstate__())


def _byte_of_characters() -> dict[str, int]:
    """Return which byte each character of a byte-level vocabulary stands for.

    Printable bytes are themselves; the others are, in order, the characters from 256 on (GPT-2's ``bytes_to_unicode``).
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}


BYTES = _byte_of_characters()
"""The byte that each character of a byte-level vocabulary stands for."""

_ZERO = np.zeros(1, np.int32)
