"""Rows to the samples that training takes: what is left out, why, and how many.

One batch of rows is one piece of work, done the same in this process or in another (`ft_core.data.workers`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ft_core.data.arrow import Block, to_block
from ft_core.data.files import MAX_LISTED, Skipped, skipped_by
from ft_core.data.labelled import Labelled
from ft_core.data.sample import Sample
from ft_core.data.tokenize import NumberedRow, batch_labeller
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

TOO_LONG = "longer than sequence_len"
NOTHING_TRAINED = "nothing trained"
EQUAL = "equal to an earlier sample"
BROKEN = "broken"

_SHORTEST = 2
"""A token is predicted from those before it, so one alone teaches nothing."""


def too_short(config: Config) -> str:
    """Return the reason for which short samples are left out."""
    return f"shorter than {_shortest(config)} tokens"


def drop_reason(config: Config, sample: Sample | Labelled) -> str | None:
    """Return why training leaves a sample out, or None where it does not."""
    if len(sample) > config.sequence_len:
        return TOO_LONG
    if len(sample) < _shortest(config):
        return too_short(config)
    # The first token is predicted from nothing, so a label there trains nothing.
    if not (sample.labels[1:] >= 0).any():
        return NOTHING_TRAINED
    return None


def _shortest(config: Config) -> int:
    return max(_SHORTEST, config.min_sample_len or 0)


@dataclass
class Tally:
    """What became of rows.

    Attributes
    ----------
    rows, samples
        Rows that were read, and samples of them that are kept.
    dropped
        Samples that are left out, by reason.
    rules
        Of those in which nothing is trained: how many each rule masked something of.
    broken
        The first ten rows that could not be read or did not fit their type, each with its place and the reason.
    """

    rows: int = 0
    samples: int = 0
    dropped: Counter[str] = field(default_factory=Counter[str])
    rules: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])

    def add(self, other: Tally) -> None:
        """Add what became of further rows."""
        self.rows += other.rows
        self.samples += other.samples
        self.dropped.update(other.dropped)
        self.rules.update(other.rules)
        self.broken = [*self.broken, *other.broken][:MAX_LISTED]

    def add_broken(self, skipped: Skipped) -> None:
        """Add rows that were left out."""
        if skipped.total:
            self.dropped[BROKEN] += skipped.total
            self.broken = [*self.broken, *skipped.first][:MAX_LISTED]


@dataclass(frozen=True)
class Sieved:
    """The samples of a batch that are kept, and what became of its rows."""

    block: Block
    tally: Tally


def batch_sieve(
    config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset
) -> Callable[[Sequence[NumberedRow]], Sieved]:
    """Return the function from a batch of rows to what training takes of it.

    The function raises a DataError for a row that does not fit the type, and for a sample that is too long under
    ``excess_length_strategy: raise``.
    """
    label_batch = batch_labeller(config, tokenizer, dataset)

    def sieve(batch: Sequence[NumberedRow]) -> Sieved:
        kept: list[Labelled] = []
        tally = Tally(rows=len(batch))
        skipped = skipped_by(config)
        for sample in label_batch(batch, skipped):
            reason = drop_reason(config, sample)
            if reason is None:
                kept.append(sample)
                continue
            if reason == TOO_LONG and config.excess_length_strategy == "raise":
                raise _too_long(sample, config.sequence_len)
            tally.dropped[reason] += 1
            if reason == NOTHING_TRAINED:
                tally.rules.update(sample.rules())
                if sample.cut:
                    tally.rules["truncation cut off what is trained"] += 1
        if skipped is not None:
            tally.add_broken(skipped)
        tally.samples = len(kept)
        return Sieved(to_block(kept), tally)

    return sieve


def require_some(tally: Tally, config: Config, purpose: str) -> None:
    """Raise where no sample is left, with the reasons.

    Parameters
    ----------
    tally
        What became of the rows.
    config
        What they were sieved by.
    purpose
        What the samples are for: ``to train on``.
    """
    if tally.samples:
        return
    most = tally.dropped.most_common()
    if most[0][0] == TOO_LONG:
        fix = f"Raise sequence_len (it is {config.sequence_len}), or set excess_length_strategy: truncate."
    elif most[0][0] == EQUAL:
        fix = "Give other rows for it, or remove dataset_exact_deduplication."
    elif most[0][0] == BROKEN:
        fix = f"The first: {tally.broken[0]}"
    elif config.min_sample_len and most[0][0] == too_short(config):
        fix = f"Lower min_sample_len (it is {config.min_sample_len})."
    else:
        rules = "; ".join(rule for rule, _ in tally.rules.most_common(3))
        fix = f"These rules decided: {rules}." if rules else "Check that the rows hold text."
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in most)
    raise DataError(f"No sample is left {purpose}: {reasons}.", fix)


def _too_long(sample: Labelled, sequence_len: int) -> DataError:
    return DataError(
        f"{sample.source}, row {sample.row + 1}: {len(sample):,} tokens are more than sequence_len ({sequence_len:,}).",
        "Raise sequence_len, or set excess_length_strategy to drop or truncate.",
    )
