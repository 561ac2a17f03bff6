"""Which packs each rank trains on in each micro-batch.

The order of an epoch depends on the seed and the epoch alone, so every rank and every call agrees on it, and an epoch can
be taken up in the middle. The ranks take neighbouring micro-batches of it::

    order      3 0 4 1 6 2 5        7 packs, 2 ranks, 2 packs a micro-batch
    rank 0     3 0 | 6 2
    rank 1     4 1 | 5              the last global batch is not full

Every pack is trained once in an epoch. Where the last global batch is not full, its last micro-batch is shorter, and a rank
with nothing left takes an empty one: it keeps the ranks in step, and a row of padding with no target adds nothing to the
loss. Filling up from the epoch's beginning would train some packs twice, and leaving the last batch out would lose rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PackOrder:
    """One rank's micro-batches of packs, as many on every rank and in every epoch.

    Attributes
    ----------
    packs
        How many packs there are.
    batch_size
        Packs of a micro-batch on one rank.
    rank, world_size
        Which rank this is, of how many.
    seed
        Seed of the order; None keeps the packs in their own order (evaluation).
    """

    packs: int
    batch_size: int
    rank: int
    world_size: int
    seed: int | None

    def __len__(self) -> int:
        """Return how many micro-batches an epoch has on each rank."""
        return -(-self.packs // (self.batch_size * self.world_size))

    def batches(self, epoch: int, start: int = 0) -> Iterator[list[int]]:
        """Yield the indices of the packs of each micro-batch, from micro-batch `start` of the epoch on.

        Examples
        --------
        >>> in_order = PackOrder(packs=7, batch_size=2, rank=1, world_size=2, seed=None)
        >>> list(in_order.batches(epoch=0))
        [[2, 3], [6]]
        >>> list(in_order.batches(epoch=0, start=1))
        [[6]]
        """
        order = np.arange(self.packs)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.packs)
        for batch in range(start, len(self)):
            first = (batch * self.world_size + self.rank) * self.batch_size
            yield order[first : first + self.batch_size].tolist()
