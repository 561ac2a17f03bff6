"""Token ids to text as they come, without ever showing half a character."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer writes for bytes that are no whole UTF-8 character: an emoji may take four tokens."""


class Detokenizer:
    """Turns a growing list of ids into pieces of text that join to the text of all ids.

    A token's text can depend on the one before it (SentencePiece drops the first space of a text), so each is decoded
    together with the piece before, which is then taken off. That keeps the cost of an answer linear in its length.

    Parameters
    ----------
    tokenizer
        The model's tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._before = 0  # where the piece before begins
        self._shown = 0  # up to where ids have become text

    def add(self, token: int) -> str:
        """Return the text that `token` completes; empty in the middle of a character."""
        self._ids.append(token)
        return self._take(final=False)

    def finish(self) -> str:
        """Return what is left when no more tokens come: at most a broken character."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> str:
        known = self._decode(self._ids[self._before : self._shown])
        text = self._decode(self._ids[self._before :])
        if len(text) <= len(known) or (text.endswith(REPLACEMENT) and not final):
            return ""
        self._before, self._shown = self._shown, len(self._ids)
        return text[len(known) :]

    def _decode(self, ids: list[int]) -> str:
        # The clean-up of spaces before punctuation looks back at text that has been shown already.
        text = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text
