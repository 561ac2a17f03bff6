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
from numpy.typing import NDArray

_BATCHES_TOGETHER = 50
"""Steps whose packs are sorted by length together: enough for batches of about one length, few enough to stay mixed."""


@dataclass(frozen=True, eq=False)
class ByLength:
    """Puts packs of about the same length into one step, so that a batch needs little padding.

    Attributes
    ----------
    lengths
        Tokens of each pack.
    step
        Packs of an optimizer step, over all ranks and accumulated micro-batches.
    """

    lengths: NDArray[np.int64]
    step: int

    def grouped(self, order: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        """Return `order` with packs of about the same length together, the steps mixed; a last, smaller step stays last.

        Examples
        --------
        >>> lengths = np.array([9, 1, 8, 2, 7, 3, 5])
        >>> ByLength(lengths, step=2).grouped(np.arange(7), np.random.default_rng(0)).tolist()
        [5, 3, 0, 2, 4, 6, 1]
        """
        together = _BATCHES_TOGETHER * self.step
        chunks = [order[start : start + together] for start in range(0, len(order), together)]
        by_length = np.concatenate(
            [chunk[np.argsort(-self.lengths[chunk], kind="stable")] for chunk in chunks]
        )
        whole = len(order) // self.step * self.step
        steps = random.permutation(by_length[:whole].reshape(-1, self.step))
        return np.concatenate([steps.ravel(), by_length[whole:]])


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
    by_length
        What puts packs of about the same length together; None leaves that to chance.
    """

    packs: int
    batch_size: int
    rank: int
    world_size: int
    seed: int | None
    by_length: ByLength | None = None

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
            random = np.random.default_rng([self.seed, epoch])
            order = random.permutation(self.packs)
            if self.by_length is not None:
                order = self.by_length.grouped(order, random)
        for batch in range(start, len(self)):
            first = (batch * self.world_size + self.rank) * self.batch_size
            yield order[first : first + self.batch_size].tolist()
