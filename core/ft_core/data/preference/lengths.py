"""Rows whose prompt and answer do not fit in sequence_len: dropped, cut, or an error.

Counted is what becomes of a row: prompt and answer tokenized in one go, with what the tokenizer puts before a text and the
EOS that ends an answer (`ft_core.data.preference.tokens`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ft_core.data.encode import Encoded, encode, tokens_before_text
from ft_core.data.preference.task import Example
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

TOO_LONG = "longer than sequence_len"
PROMPT_TOO_LONG = "prompt longer than sequence_len"
ALIKE = "chosen and rejected are alike within sequence_len"

_RESPONSES = ("chosen", "rejected", "completion")

# Enough rows for the tokenizer to work on many texts in one call, few enough to hold in memory.
_BATCH = 256


@dataclass(frozen=True)
class LimitedRows:
    """Rows that fit, and what became of the others.

    Attributes
    ----------
    rows
        What is trained on, in order.
    dropped
        How many rows were left out, by reason.
    truncated
        How many rows of `rows` have an answer that lost its end.
    """

    rows: list[Example]
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    truncated: int = 0


def limit_lengths(
    config: Config, rows: Sequence[Example], tokenizer: PreTrainedTokenizerBase, *, source: str
) -> LimitedRows:
    """Return the rows whose prompt fits in sequence_len with each of their answers, by excess_length_strategy.

    ``drop`` leaves the others out, ``truncate`` cuts the end off their answers, never off the prompt. A cut answer fills
    sequence_len, so TRL appends no EOS that the model would learn in the middle of a sentence. A row of ``passthrough``
    that is not text stays as it is.

    Parameters
    ----------
    config
        Its sequence_len and excess_length_strategy decide.
    rows
        What `preference_rows` returned.
    tokenizer
        The one that trains.
    source
        The path of the dataset, for the error.

    Raises
    ------
    DataError
        Rows are too long under ``excess_length_strategy: raise``.
    """
    measure = _Measure(tokenizer, config.sequence_len)
    kept: list[Example] = []
    dropped: Counter[str] = Counter()
    truncated = 0
    too_long: list[tuple[int, int]] = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        for number, (row, counts) in enumerate(zip(batch, measure.rows(batch), strict=True), start + 1):
            longest = max(counts.values(), default=0)
            if longest <= config.sequence_len:
                kept.append(row)
            elif config.excess_length_strategy == "raise":
                too_long.append((longest, number))
            elif config.excess_length_strategy == "drop":
                dropped[TOO_LONG] += 1
            else:
                result = measure.cut(row, counts)
                if isinstance(result, str):
                    dropped[result] += 1
                else:
                    kept.append(result)
                    truncated += 1
    if too_long:
        raise _too_long(too_long, len(rows), config.sequence_len, source)
    return LimitedRows(kept, dict(dropped), truncated)


class _Measure:
    """Counts tokens as TRL will, and cuts what is too long."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, limit: int) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._prefix = tokens_before_text(tokenizer)

    def rows(self, rows: Iterable[Example]) -> list[dict[str, int]]:
        """Return for each row the tokens of prompt and answer, by the answer's column."""
        named = [(at, name, row["prompt"] + row[name]) for at, row in enumerate(rows) for name in _texts(row)]
        counts: dict[int, dict[str, int]] = {}
        for (at, name, text), encoded in zip(
            named, encode(self._tokenizer, [text for _, _, text in named]), strict=True
        ):
            counts.setdefault(at, {})[name] = self._count(text, encoded)
        return [counts.get(at, {}) for at, _ in enumerate(rows)]

    def cut(self, row: Example, counts: Mapping[str, int]) -> Example | str:
        """Return the row with the answers cut that are too long, or why that leaves nothing to learn."""
        prompt: str = row["prompt"]
        shorter = dict(row)
        for name, count in counts.items():
            if count <= self._limit:
                continue
            text = self._shorten(prompt + row[name])
            if len(text) <= len(prompt):
                return PROMPT_TOO_LONG
            shorter[name] = text[len(prompt) :]
        if "chosen" in shorter and shorter["chosen"] == shorter["rejected"]:
            return ALIKE
        return shorter

    def _shorten(self, text: str) -> str:
        """Return the beginning of `text` that is no more than the limit, without the EOS that TRL would append."""
        while True:
            [encoded] = encode(self._tokenizer, [text])
            room = self._limit - self._added_before(encoded)
            if len(encoded.ids) <= room:
                return text
            # A word that is cut in two may have more tokens than its first half had, so this is looked at again.
            text = text[: int(encoded.starts[room])] if room > 0 else ""

    def _count(self, text: str, encoded: Encoded) -> int:
        eos = self._tokenizer.eos_token
        ends = bool(eos) and not text.endswith(str(eos))
        return self._added_before(encoded) + len(encoded.ids) + ends

    def _added_before(self, encoded: Encoded) -> int:
        """Return how many tokens the tokenizer puts before a text that does not bring them itself."""
        ids = encoded.ids[: len(self._prefix)].tolist()
        return 0 if ids == self._prefix else len(self._prefix)


def _texts(row: Example) -> list[str]:
    """Return the answers of a row that can be measured: text after a prompt that is text."""
    if not isinstance(row.get("prompt"), str):
        return []
    return [name for name in _RESPONSES if isinstance(row.get(name), str)]


def _too_long(rows: Sequence[tuple[int, int]], total: int, sequence_len: int, source: str) -> DataError:
    """Return the error that counts the rows and names the longest."""
    tokens, number = max(rows, key=lambda found: (found[0], -found[1]))
    are = "row is" if len(rows) == 1 else "rows are"
    return DataError(
        f"{source}: {len(rows):,} of {total:,} {are} longer than sequence_len ({sequence_len:,}) with an answer; "
        f"the longest is row {number:,} with {tokens:,} tokens.",
        "Raise sequence_len, or set excess_length_strategy to drop or truncate.",
    )
