"""How long rows are in tokens, from a sample of them, before the tokenizer of the model is loaded. Torch-free.

An estimate for plans. What a row really becomes is decided by `ft_core.data`, and by nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ft_core.data import count_rows, read_rows
from ft_core.data.files import skipped_by
from ft_core.data.preference.task import method_of
from ft_core.train.light_tokenizer import LightTokenizer, turns
from ft_core.train.preference.needs import pair_text

if TYPE_CHECKING:
    from ft_core.config import Config, Dataset

_READ = 1000  # rows whose length in bytes is looked at
_TOKENIZED = 32  # of these, how many are really tokenized, for the bytes of a token
_BYTES_PER_TOKEN = 4.0  # of English text, where the tokenizer is not at hand
_TURN_TOKENS = 5  # what a chat template writes around a message
_ALPACA_TOKENS = 40  # what the alpaca prompt writes around a row

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class RowLengths:
    """The lengths of a sample of rows, as training will have them.

    Attributes
    ----------
    lengths
        Tokens of each sample, at most sequence_len.
    per_row
        Samples that a row gives: below 1 where long rows are dropped, above where long texts are cut into several.
    measured
        Whether the tokenizer told the bytes of a token; a guess else.
    trained_share
        The share of the text that is trained, 0 to 1; 1 where that cannot be told from a row.
    notes
        What to tell of broken rows among those that were read, as sentences.
    """

    lengths: tuple[int, ...]
    per_row: float
    measured: bool
    trained_share: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Tokens of a sample on average."""
        return sum(self.lengths) / len(self.lengths)

    def padded_mean(self, batch_size: int) -> float:
        """Return the tokens of a row on average when each batch is padded to its longest row."""
        return sum(max(batch) * len(batch) for batch in self._batches(batch_size)) / len(self.lengths)

    def largest_batch(self, batch_size: int) -> int:
        """Return the tokens of the largest batch, padding left out."""
        return max(sum(batch) for batch in self._batches(batch_size))

    def _batches(self, size: int) -> list[tuple[int, ...]]:
        return [self.lengths[start : start + size] for start in range(0, len(self.lengths), size)]


def sample_lengths(config: Config, tokenizer: LightTokenizer | None) -> RowLengths | None:
    """Return the lengths of the first rows of the training data, or None where these take long to get.

    Parameters
    ----------
    config
        The run's config.
    tokenizer
        Its tokenizer, if that is here.

    Raises
    ------
    DataError
        A dataset's file does not exist or cannot be read.
    """
    rows: list[tuple[Mapping[str, Any], Dataset]] = []
    skipped = skipped_by(config)
    for dataset in config.datasets:
        if count_rows(dataset) is None:
            return None
        share = max(1, _READ // len(config.datasets))
        rows += [
            (row, dataset) for _, row in read_rows(dataset, limit=share, seed=config.seed, skipped=skipped)
        ]
    if method_of(config):
        # What is compared is one text for each answer, with nothing masked that could be told from a row.
        rows = [
            ({"text": pair_text(row)}, dataset.model_copy(update={"type": "", "field": "text"}))
            for row, dataset in rows
        ]
    size = _Sizes(config, tokenizer, list(_spread(rows, _TOKENIZED)))
    lengths = [length for row, dataset in rows for length in _cut(size.of(row, dataset), config, dataset)]
    notes = skipped.sentences() if skipped else ()
    if not lengths:
        return None
    return RowLengths(
        tuple(lengths), len(lengths) / len(rows), size.measured, _trained_share(rows, config), notes
    )


class _Sizes:
    """Tells the tokens of rows by their bytes, once some of them have been tokenized."""

    def __init__(
        self,
        config: Config,
        tokenizer: LightTokenizer | None,
        some: Sequence[tuple[Mapping[str, Any], Dataset]],
    ) -> None:
        self._bytes_per_token = _BYTES_PER_TOKEN
        self._chat_tokens: float | None = None
        self.measured = False
        texts = [text for row, dataset in some if (text := _text(row, dataset))]
        if tokenizer is None or not texts:
            return
        tokens = sum(len(ids) for ids in tokenizer.ids(texts))
        if tokens:
            self._bytes_per_token = sum(len(text.encode()) for text in texts) / tokens
            self.measured = True
        chats = [(row, dataset) for row, dataset in some if dataset.type == "chat_template"]
        rendered = [
            written for row, dataset in chats if (written := tokenizer.render_chat(row, dataset, config))
        ]
        if rendered:
            around = [len(ids) for ids in tokenizer.ids(rendered)]
            inside = [len(ids) for ids in tokenizer.ids([_text(row, dataset) for row, dataset in chats])]
            self._chat_tokens = max(0.0, sum(around) / len(around) - sum(inside) / len(inside))

    def of(self, row: Mapping[str, Any], dataset: Dataset) -> int:
        """Return about how many tokens a row becomes; exactly, where it is tokenized already."""
        if not dataset.type and isinstance(ids := row.get("input_ids"), list):
            return max(1, len(cast("list[object]", ids)))
        tokens = len(_text(row, dataset).encode()) / self._bytes_per_token
        if dataset.type == "chat_template":
            tokens += (
                self._chat_tokens
                if self._chat_tokens is not None
                else _TURN_TOKENS * len(turns(row, dataset))
            )
        elif dataset.type == "alpaca":
            tokens += _ALPACA_TOKENS
        return max(1, round(tokens) + 1)


def _trained_share(rows: Sequence[tuple[Mapping[str, Any], Dataset]], config: Config) -> float:
    """Return the share of the rows' text that is trained: what was said by a trained role, or what answers a prompt."""
    if config.train_on_inputs:
        return 1.0
    total = trained = 0
    for row, dataset in rows:
        whole = len(_text(row, dataset).encode())
        total += whole
        if dataset.type == "chat_template":
            roles = {source: target for target, sources in dataset.roles.items() for source in sources}
            trained += sum(
                len(turn["content"].encode())
                for turn in turns(row, dataset)
                if roles.get(turn["role"], turn["role"]) in dataset.roles_to_train
            )
        elif dataset.type == "alpaca":
            trained += len(str(row.get("output") or "").encode())
        else:
            trained += whole
    return trained / total if total else 1.0


def _cut(tokens: int, config: Config, dataset: Dataset) -> list[int]:
    """Return the samples that a row of so many tokens gives."""
    limit = config.sequence_len * (1 if method_of(config) in (None, "kto") else 2)
    if tokens <= limit:
        return [tokens]
    if dataset.type in ("completion", "pretrain"):
        whole, rest = divmod(tokens, limit)
        return [limit] * whole + ([rest] if rest > 1 else [])
    return [limit] if config.excess_length_strategy == "truncate" else []


def _text(row: Mapping[str, Any], dataset: Dataset) -> str:
    """Return the text that a row brings."""
    if dataset.type == "completion":
        return str(row.get(dataset.field) or "")
    if dataset.type == "chat_template":
        return "\n".join(turn["content"] for turn in turns(row, dataset))
    return "\n".join(text for value in row.values() for text in _texts_in(value))


def _texts_in(value: object) -> Iterator[str]:
    """Yield the texts of a value, and those inside its lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts_in(item)


def _spread(rows: Sequence[_Row], count: int) -> Iterator[_Row]:
    """Return at most `count` of `rows`, evenly spread."""
    return islice(rows, 0, None, max(1, math.ceil(len(rows) / count)))
