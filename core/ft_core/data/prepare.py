"""All the samples of a config: read and sieved or taken from the cache, mixed, and parted for training and evaluation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_core.data.entry import Entry, load_entry
from ft_core.data.files import told_of
from ft_core.data.formats import resolve_format
from ft_core.data.sieve import BROKEN, EQUAL, Tally, require_some
from ft_core.data.sources import count_rows
from ft_core.data.sources.reading import OnWait
from ft_core.data.sources.share import shard_bounds
from ft_core.data.stored import StoredSamples
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

NOT_TRAINED = ("stepwise_supervised",)
"""Types whose labels are no tokens, so that the loss of a language model does not fit them."""

Progress = Callable[[int, "int | None"], None]


@dataclass(frozen=True)
class Samples:
    """All samples of a config.

    Attributes
    ----------
    train, eval
        What is trained and what is evaluated on.
    entries
        What became of each dataset, those for evaluation last.
    dropped
        How many samples were left out, by reason.
    truncated
        How many samples of both lists lost their end.
    warnings
        What is doubtful about the data, as sentences.
    """

    train: StoredSamples
    eval: StoredSamples
    entries: tuple[Entry, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    truncated: int = 0
    warnings: tuple[str, ...] = ()


def load_samples(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    *,
    processes: int = 1,
    on_progress: Progress | None = None,
    on_wait: OnWait | None = None,
) -> Samples:
    """Return what a run trains and evaluates on.

    Samples that were made before, of the same bytes in the same way, are taken from the cache; others are put there.

    The order depends on the seed alone: all samples are shuffled, and the last ones, as many as val_set_size says, are
    for evaluation. Where there are test_datasets, these are, and nothing is taken off. With ``streaming`` there are only
    samples to evaluate on.

    Parameters
    ----------
    config
        What says which datasets, and how.
    tokenizer
        As `ft_core.models.load_tokenizer` returns it.
    processes
        How many processes tokenize at most, where the config does not say it.
    on_progress
        Called now and then with the rows read so far, and the rows in all (None where that is not known).
    on_wait
        Is told of downloads.

    Raises
    ------
    DataError
        A dataset cannot be read, a row does not fit its type, a sample is too long under ``excess_length_strategy:
        raise``, no sample is left, or the cache cannot be written.
    """
    require_trained_types(config)
    # Streamed rows are tokenized while training.
    to_train = () if config.streaming else config.datasets
    datasets = (*to_train, *config.test_datasets)
    progress = _Progress(on_progress, _total_rows(datasets) if on_progress else None)
    processes = config.dataset_num_proc or processes

    def load(these: Sequence[Dataset]) -> list[Entry]:
        return [load_entry(config, tokenizer, each, processes, progress.advance, on_wait) for each in these]

    trained = load(to_train)
    train_tally = _total(trained)
    if trained:
        require_some(train_tally, config, "to train on")
    tested = load(config.test_datasets)
    test_tally = _total(tested)
    train = StoredSamples([entry.table for entry in trained], _order(config, trained))
    held_out = StoredSamples([entry.table for entry in tested])
    if config.dataset_exact_deduplication:
        seen: set[bytes] = set()
        train = _without_equal(train, seen, train_tally)
        held_out = _without_equal(held_out, seen, test_tally)
    train = _part(train, config)
    if tested:
        require_some(test_tally, config, "to evaluate on")
    elif trained:
        count = held_out_count(config.val_set_size, len(train))
        train, held_out = train[: len(train) - count], train[len(train) - count :]
    warnings = [
        warning
        for each in config.all_datasets
        for warning in resolve_format(config, each, tokenizer).warnings
    ]
    total = _total([*trained, *tested])
    warnings += told_of(total.dropped[BROKEN], total.broken)
    return Samples(
        train,
        held_out,
        entries=(*trained, *tested),
        dropped=dict(train_tally.dropped + test_tally.dropped),
        truncated=int((train.cut > 0).sum() + (held_out.cut > 0).sum()),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def require_trained_types(config: Config) -> None:
    """Raise a DataError where a dataset is of a type whose labels are no tokens."""
    for dataset in config.all_datasets:
        if dataset.type in NOT_TRAINED:
            raise DataError(
                f"{dataset.path}: type: {dataset.type} cannot be trained yet; its rows can be inspected.",
                "Use another type, or remove the dataset.",
            )


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


def _total(entries: Iterable[Entry]) -> Tally:
    total = Tally()
    for entry in entries:
        total.add(entry.tally)
    return total


def _order(config: Config, entries: Sequence[Entry]) -> NDArray[np.int64]:
    """Return the order in which samples are trained; their numbers count through all entries.

    The permutations are those that ``Dataset.shuffle(seed)`` of the datasets library gives, and so Axolotl's.
    """
    sizes = [len(entry.table) for entry in entries]
    order = np.arange(sum(sizes))
    # As in Axolotl, where there is nothing to join this says nothing.
    if config.shuffle_before_merging_datasets and len(entries) > 1:
        starts = np.cumsum([0, *sizes[:-1]])
        parts = [start + shuffled(size, config.seed) for start, size in zip(starts, sizes, strict=True)]
        order = np.concatenate(parts)
    if config.shuffle_merged_datasets:
        order = order[shuffled(len(order), config.seed)]
    return order


def shuffled(size: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers below `size` in the order that `seed` gives."""
    return np.random.default_rng(seed).permutation(size)


def _without_equal(samples: StoredSamples, seen: set[bytes], tally: Tally) -> StoredSamples:
    """Return the samples whose ids and labels are not in `seen` yet, and put them in there; count the others."""
    first: list[int] = []
    for position, sample in enumerate(samples):
        digest = hashlib.blake2b(
            sample.input_ids.tobytes() + sample.labels.tobytes(), digest_size=16
        ).digest()
        if digest not in seen:
            seen.add(digest)
            first.append(position)
    if len(first) < len(samples):
        tally.dropped[EQUAL] += len(samples) - len(first)
        tally.samples -= len(samples) - len(first)
    return samples.take(np.array(first, np.int64))


def _part(samples: StoredSamples, config: Config) -> StoredSamples:
    """Return the part of the mixed samples that dataset_shard_idx names: neighbours, as ``Dataset.shard`` gives."""
    if config.dataset_shard_num is None or config.dataset_shard_idx is None:
        return samples
    first, end = shard_bounds(len(samples), config.dataset_shard_num, config.dataset_shard_idx)
    if first == end:
        raise DataError(
            f"dataset_shard_num: {config.dataset_shard_num} parts of {len(samples):,} samples leave none in part "
            f"{config.dataset_shard_idx}.",
            "Choose fewer parts.",
        )
    return samples[first:end]


def held_out_count(val_set_size: float, total: int) -> int:
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
