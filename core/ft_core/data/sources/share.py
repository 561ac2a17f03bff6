"""Which rows ``shards`` and ``weight`` leave of a dataset, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ft_core.config import Dataset


def takes_share(dataset: Dataset) -> bool:
    """Return whether `dataset` takes some of its rows by chance."""
    return bool(dataset.shards) or dataset.weight < 1


def share_of(numbers: range, dataset: Dataset, seed: int) -> NDArray[np.int64]:
    """Return which of the rows are taken, in the order in which they are.

    These are the rows that Axolotl takes by the same seed: ``Dataset.shuffle(seed)`` of the datasets library, cut into
    shards of neighbours; then shuffled again, and the first ones kept, as many as ``weight`` says (rounded down, one at
    least).

    Parameters
    ----------
    numbers
        The rows that the split names.
    dataset
        Whose shards, shards_idx and weight are meant.
    seed
        The seed of the config.
    """
    taken = np.arange(numbers.start, numbers.stop, dtype=np.int64)
    if dataset.shards:
        first, end = shard_bounds(len(taken), dataset.shards, dataset.shards_idx or 0)
        taken = taken[np.random.default_rng(seed).permutation(len(taken))[first:end]]
    if dataset.weight < 1:
        kept = _weighed(len(taken), dataset.weight)
        taken = taken[np.random.default_rng(seed).permutation(len(taken))[:kept]]
    return taken


def share_size(total: int, dataset: Dataset) -> int:
    """Return how many of `total` rows `share_of` takes."""
    if dataset.shards:
        first, end = shard_bounds(total, dataset.shards, dataset.shards_idx or 0)
        total = end - first
    return _weighed(total, dataset.weight) if dataset.weight < 1 else total


def shard_bounds(total: int, shards: int, index: int) -> tuple[int, int]:
    """Return first and end row of a shard; the first ones have one row more where they cannot be equal."""
    size, more = divmod(total, shards)
    first = size * index + min(index, more)
    return first, first + size + (index < more)


def _weighed(total: int, weight: float) -> int:
    return min(total, max(1, int(total * weight)))
