"""All the preference rows of a config: read, tokenized, mixed, and parted for training and evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from ft_core.data.files import skipped_by
from ft_core.data.preference.lengths import limit_lengths
from ft_core.data.preference.rows import preference_rows
from ft_core.data.preference.task import Method
from ft_core.data.preference.tokens import TokenRow, count_tokens, tokenize_preferences
from ft_core.data.prepare import held_out_count, shuffled
from ft_core.data.sieve import BROKEN, EQUAL, Tally, require_some
from ft_core.data.sources import count_rows, read_rows
from ft_core.data.tokenize import BATCH
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset
    from ft_core.data.files import Skipped
    from ft_core.data.sources.reading import OnWait

Progress = Callable[[int, "int | None"], None]


class TokenRows(Sequence[TokenRow]):
    """Tokenized rows, with their lengths."""

    def __init__(self, rows: Sequence[TokenRow]) -> None:
        self._rows = list(rows)
        counts = [count_tokens(row) for row in rows]
        self.lengths: NDArray[np.int64] = np.array([total for total, _ in counts], np.int64)
        """Tokens that a model sees of each row: of a pair, prompt and answer of both."""
        self.trained: NDArray[np.int64] = np.array([answers for _, answers in counts], np.int64)
        """Tokens of each row's answers."""

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> TokenRow: ...
    @overload
    def __getitem__(self, index: slice) -> TokenRows: ...
    def __getitem__(self, index: int | slice) -> TokenRow | TokenRows:
        return TokenRows(self._rows[index]) if isinstance(index, slice) else self._rows[index]


@dataclass(frozen=True)
class Preferences:
    """All preference rows of a config.

    Attributes
    ----------
    train, eval
        What is trained and what is evaluated on.
    dropped
        How many rows were left out, by reason.
    truncated
        How many rows have an answer that lost its end.
    warnings
        What is doubtful about the data, as sentences.
    """

    train: TokenRows
    eval: TokenRows
    dropped: dict[str, int] = field(default_factory=dict[str, int])
    truncated: int = 0
    warnings: tuple[str, ...] = ()


def load_preferences(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    method: Method,
    *,
    on_progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> Preferences:
    """Return what a run trains and evaluates on, in the order that the seed gives, as `load_samples` does.

    Raises
    ------
    DataError
        A dataset cannot be read, a row does not fit its type, a row is too long under ``excess_length_strategy: raise``,
        or no row is left.
    """
    datasets = (*config.datasets, *config.test_datasets)
    counts = [count_rows(each) for each in datasets] if on_progress else [None]
    reading = _Reading(
        config,
        tokenizer,
        method,
        skipped_by(config),
        on_progress,
        None if None in counts else sum(count or 0 for count in counts),
        on_wait,
    )
    train = [reading.rows(each) for each in config.datasets]
    _require(reading, sum(map(len, train)), "to train on")
    rows = _mixed(config, train)
    tested = [row for each in config.test_datasets for row in reading.rows(each)]
    if config.dataset_exact_deduplication:
        seen: set[str] = set()
        rows = list(_without_equal(rows, seen, reading.dropped))
        tested = list(_without_equal(tested, seen, reading.dropped))
    if config.test_datasets:
        _require(reading, len(tested), "to evaluate on")
    else:
        count = held_out_count(config.val_set_size, len(rows))
        rows, tested = rows[: len(rows) - count], rows[len(rows) - count :]
    warnings: tuple[str, ...] = ()
    if reading.skipped is not None:
        warnings = reading.skipped.sentences()
    if reading.truncated:
        warnings = (*warnings, _told_of_cut(reading.truncated, config.sequence_len))
    return Preferences(TokenRows(rows), TokenRows(tested), dict(reading.dropped), reading.truncated, warnings)


@dataclass
class _Reading:
    """Reads datasets, and keeps what became of their rows."""

    config: Config
    tokenizer: PreTrainedTokenizerBase
    method: Method
    skipped: Skipped | None
    on_progress: Progress | None
    total: int | None
    on_wait: OnWait | None
    done: int = 0
    truncated: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])

    def rows(self, dataset: Dataset) -> list[TokenRow]:
        """Return the tokenized rows of `dataset` that fit."""
        config, made = self.config, list[TokenRow]()
        numbered = read_rows(dataset, seed=config.seed, skipped=self.skipped, on_wait=self.on_wait)
        while batch := list(islice(numbered, BATCH)):
            texts = [text for number, row in batch for text in self._text(dataset, number, row)]
            limited = limit_lengths(config, texts, self.tokenizer, source=dataset.path)
            made += tokenize_preferences(
                limited.rows,
                self.tokenizer,
                method=self.method,
                sequence_len=config.sequence_len,
                source=dataset.path,
            )
            self.dropped.update(limited.dropped)
            self.truncated += limited.truncated
            self.done += len(batch)
            if self.on_progress:
                self.on_progress(self.done, self.total)
        return made

    def _text(self, dataset: Dataset, number: int, row: dict[str, object]) -> list[dict[str, object]]:
        """Return the finished row, or nothing where it is broken and may be skipped."""
        try:
            return preference_rows(
                self.config, [row], self.tokenizer, method=self.method, dataset=dataset, first_row=number
            )
        except DataError as error:
            if self.skipped is None:
                raise
            self.skipped.add(dataset.path, error.message)
            return []


def _require(reading: _Reading, kept: int, purpose: str) -> None:
    """Raise where no row is left, with the reasons."""
    dropped = reading.dropped.copy()
    if reading.skipped is not None and reading.skipped.total:
        dropped[BROKEN] = reading.skipped.total
    if not kept and not dropped:
        raise DataError(f"No row is left {purpose}: the datasets are empty.", "Give a dataset with rows.")
    first = reading.skipped.first if reading.skipped else []
    require_some(Tally(reading.done, kept, dropped, Counter(), list(first)), reading.config, purpose)


def _mixed(config: Config, entries: Sequence[Sequence[TokenRow]]) -> list[TokenRow]:
    """Return the rows of all datasets in the order in which they are trained."""
    if config.shuffle_before_merging_datasets and len(entries) > 1:
        entries = [[rows[at] for at in shuffled(len(rows), config.seed)] for rows in entries]
    rows = [row for entry in entries for row in entry]
    return [rows[at] for at in shuffled(len(rows), config.seed)] if config.shuffle_merged_datasets else rows


def _without_equal(rows: Iterable[TokenRow], seen: set[str], dropped: Counter[str]) -> Iterator[TokenRow]:
    """Yield the rows whose ids are not in `seen` yet, and put them in there; count the others."""
    for row in rows:
        key = repr(row)
        if key in seen:
            dropped[EQUAL] += 1
            continue
        seen.add(key)
        yield row


def _told_of_cut(count: int, sequence_len: int) -> str:
    rows = "1 row has an answer" if count == 1 else f"{count:,} rows have answers"
    return f"{rows} cut to fit in sequence_len ({sequence_len:,}); such an answer has no EOS."
