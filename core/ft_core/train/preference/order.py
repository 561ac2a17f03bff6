"""Which rows each rank takes at each step, as many on every rank.

TRL averages over the rows of a micro-batch and gathers its figures from all ranks, so micro-batches must be of one size on
all of them. An epoch takes as many rows as the ranks share evenly; up to one less than there are ranks are left for another
epoch, whose order is another one::

    order              3 0 4 1 6 2 5 7 8              9 rows, global batch of 4
    1 rank, 2 x 2      3 0 . 4 1 | 6 2 . 5 7 | 8
    2 ranks, 1 x 2     3 . 0     | 6 . 2     |        rank 0
                       4 . 1     | 5 . 7     |        rank 1

Rows to evaluate on are never left out: those that are over come last, on every rank.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EvenOrder:
    """One rank's micro-batches.

    Attributes
    ----------
    rows
        How many rows there are.
    batch_size
        Rows of a micro-batch on one rank, at most.
    rank, world_size
        Which rank this is, of how many.
    accumulation
        Micro-batches of an optimizer step on one rank.
    seed
        Seed of the order; None keeps the rows in their own order (evaluation).
    """

    rows: int
    batch_size: int
    rank: int
    world_size: int
    accumulation: int
    seed: int | None

    @property
    def even(self) -> int:
        """Rows that the ranks share."""
        return self.rows - self.rows % self.world_size

    def __len__(self) -> int:
        """Return how many micro-batches an epoch has on each rank."""
        steps, rest = divmod(self.even, self._step)
        batches = steps * self.accumulation + -(-rest // (self.world_size * self.batch_size))
        return batches + (self.seed is None and self.even < self.rows)

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Yield the indices of the rows of each micro-batch.

        Examples
        --------
        >>> list(EvenOrder(rows=5, batch_size=2, rank=1, world_size=2, accumulation=1, seed=None).batches(epoch=0))
        [[2, 3], [4]]
        """
        order = np.arange(self.rows)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        for start in range(0, self.even, self._step):
            step = order[start : min(start + self._step, self.even)]
            mine = step.reshape(self.world_size, -1)[self.rank].tolist()
            for first in range(0, len(mine), self.batch_size):
                yield mine[first : first + self.batch_size]
        if self.seed is None and self.even < self.rows:
            yield order[self.even :].tolist()

    @property
    def _step(self) -> int:
        return self.batch_size * self.world_size * self.accumulation
