"""Which rows each rank trains on in each micro-batch.

The order of an epoch depends on the seed and the epoch alone, and step ``k`` takes the ``k``-th global batch of that
order, however the batch is cut::

    order              3 0 4 1 6 2 5 7 | 9 8            global batch of 8, 10 rows
    1 rank, 4 x 2      3 0 . 4 1 . 6 2 . 5 7 | 9 8 .
    2 ranks, 2 x 2     3 0 . 6 2             | 9 8      rank 0
                       4 1 . 5 7             | --       rank 1

So one rank and many, and few large micro-batches and many small ones, take the same steps. Where a rank has no row left,
it takes an empty row: one token and no target, which adds nothing to the loss but keeps the ranks in step. No row is
trained twice, which filling up from the epoch's beginning would do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Dataset, Sampler

from ft_core.data import IGNORE, Sample


class Rows(Dataset[Sample]):
    """The samples, and after them one empty row at index ``len(samples)``."""

    def __init__(self, samples: Sequence[Sample], pad_token_id: int) -> None:
        self._samples = samples
        self._empty = Sample(
            input_ids=np.array([pad_token_id], dtype=np.int32),
            labels=np.array([IGNORE], dtype=np.int32),
            spans=(),
            row=-1,
            source="",
        )

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._empty if index == len(self._samples) else self._samples[index]


class RankBatches(Sampler[list[int]]):
    """One rank's micro-batches of row indices, as many on every rank.

    Parameters
    ----------
    rows
        How many rows there are; index `rows` is the empty row.
    batch_size
        Rows of a micro-batch on one rank.
    rank, world_size
        Which rank this is, of how many.
    seed
        Seed of the order; None keeps the rows in their own order (evaluation).
    """

    def __init__(self, rows: int, batch_size: int, *, rank: int, world_size: int, seed: int | None) -> None:
        self._rows = rows
        self._batch_size = batch_size
        self._rank = rank
        self._world_size = world_size
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self._rows // (self._batch_size * self._world_size))

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self._rows)
        if self._seed is not None:
            order = np.random.default_rng([self._seed, self.epoch]).permutation(self._rows)
        stride = self._batch_size * self._world_size
        for start in range(self._rank * self._batch_size, len(self) * stride, stride):
            batch = [int(index) for index in order[start : start + self._batch_size]]
            yield batch or [self._rows]
