"""All the samples of a config: read, tokenised, sieved, mixed, and parted for training and evaluation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ft_core.data.formats import resolve_format
from ft_core.data.sample import Sample, Samples
from ft_core.data.sources import count_rows, read_rows
from ft_core.data.tokenize import iterate_samples
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

TOO_LONG = "longer than sequence_len"
TOO_SHORT = "shorter than 2 tokens"
NOTHING_TRAINED = "nothing trained"

# A token is predicted from those before it, so one alone teaches nothing.
_SHORTEST = 2

Progress = Callable[[int, "int | None"], None]


def drop_reason(config: Config, sample: Sample) -> str | None:
    """Return why training leaves a sample out, or None where it does not."""
    if len(sample) > config.sequence_len:
        return TOO_LONG
    if len(sample) < _SHORTEST:
        return TOO_SHORT
    # The first token is predicted from nothing, so a label there trains nothing.
    if not sample.trained or not (sample.labels[1:] >= 0).any():
        return NOTHING_TRAINED
    return None


def load_samples(
    config: Config, tokenizer: PreTrainedTokenizerBase, *, on_progress: Progress | None = None
) -> Samples:
    """Return what a run trains and evaluates on.

    The order depends on the seed alone: all samples are shuffled, and the last ones, as many as val_set_size says, are
    for evaluation. Where there are test_datasets, these are, and nothing is taken off.

    Parameters
    ----------
    config
        What says which datasets, and how.
    tokenizer
        As `ft_core.models.load_tokenizer` returns it.
    on_progress
        Called now and then with the rows read so far, and the rows in all (None where that is not known).

    Raises
    ------
    DataError
        A dataset cannot be read, a row does not fit its type, a sample is too long under ``excess_length_strategy:
        raise``, or no sample is left.
    """
    entries = (*config.datasets, *config.test_datasets)
    sieve = _Sieve(config, tokenizer, _Progress(on_progress, _total_rows(entries) if on_progress else None))
    train = [sample for entry in config.datasets for sample in sieve.pass_through(entry)]
    sieve.require_some(train, "to train on")
    if config.shuffle_merged_datasets:
        # The permutation that Dataset.shuffle(seed) of the datasets library gives, and so Axolotl's.
        order = np.random.default_rng(config.seed).permutation(len(train))
        train = [train[index] for index in order]
    if config.test_datasets:
        held_out = [sample for entry in config.test_datasets for sample in sieve.pass_through(entry)]
        sieve.require_some(held_out, "to evaluate on")
    else:
        count = _held_out(config.val_set_size, len(train))
        train, held_out = train[: len(train) - count], train[len(train) - count :]
    truncated = sum(1 for sample in (*train, *held_out) if sample.cut)
    warnings = (warning for entry in entries for warning in resolve_format(config, entry, tokenizer).warnings)
    return Samples(train, held_out, dict(sieve.dropped), truncated, tuple(dict.fromkeys(warnings)))


@dataclass
class _Progress:
    """Rows read so far, over all datasets."""

    report: Progress | None
    total: int | None
    done: int = 0

    def advance(self, row_count: int) -> None:
        self.done += row_count
        if self.report:
            self.report(self.done, self.total)


@dataclass
class _Sieve:
    """Reads datasets, and counts what it leaves out and which rules masked that."""

    config: Config
    tokenizer: PreTrainedTokenizerBase
    progress: _Progress
    dropped: Counter[str] = field(default_factory=Counter[str])
    rules: Counter[str] = field(default_factory=Counter[str])

    def pass_through(self, dataset: Dataset) -> list[Sample]:
        """Return the samples of a dataset that can be trained on."""
        kept: list[Sample] = []
        for batch in iterate_samples(self.config, read_rows(dataset), self.tokenizer, dataset):
            for sample in batch:
                reason = drop_reason(self.config, sample)
                if reason is None:
                    kept.append(sample)
                    continue
                if reason == TOO_LONG and self.config.excess_length_strategy == "raise":
                    raise _too_long(sample, self.config.sequence_len)
                self.dropped[reason] += 1
                if reason == NOTHING_TRAINED:
                    self.rules.update({span.rule for span in sample.spans if span.role != "template"})
                    self.rules["truncation cut off what is trained"] += bool(sample.cut)
            self.progress.advance(len({sample.row for sample in batch}))
        return kept

    def require_some(self, samples: Sequence[Sample], purpose: str) -> None:
        """Raise where no sample is left, with the reasons."""
        if samples:
            return
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.most_common())
        fix = (
            f"Raise sequence_len (it is {self.config.sequence_len}), or set excess_length_strategy: truncate."
        )
        if self.dropped.most_common(1)[0][0] != TOO_LONG:
            rules = "; ".join(rule for rule, count in self.rules.most_common(3) if count)
            fix = f"These rules decided: {rules}." if rules else "Check that the rows hold text."
        raise DataError(f"No sample is left {purpose}: {reasons}.", fix)


def _too_long(sample: Sample, sequence_len: int) -> DataError:
    return DataError(
        f"{sample.source}, row {sample.row + 1}: {len(sample):,} tokens are more than sequence_len ({sequence_len:,}).",
        "Raise sequence_len, or set excess_length_strategy to drop or truncate.",
    )


def _held_out(val_set_size: float, total: int) -> int:
    """Return how many of `total` samples are kept for evaluation: a share below 1 (rounded up), or a number."""
    count = math.ceil(val_set_size * total) if val_set_size < 1 else int(val_set_size)
    if count >= total:
        raise DataError(
            f"val_set_size: {val_set_size:g} leaves none of {total:,} samples to train on.",
            "Choose a smaller one.",
        )
    return count


def _total_rows(entries: Sequence[Dataset]) -> int | None:
    counts = [count_rows(entry) for entry in entries]
    return None if None in counts else sum(count for count in counts if count)
