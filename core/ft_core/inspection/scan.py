"""What a pass over all rows finds: a few numbers for each sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Columns:
    """Of each sample, in the order of the places: arrays of shape ``[samples]``.

    A row that is no sample has one entry too, with a length of 0 and the flag ``broken``.

    Attributes
    ----------
    place, ordinal
        The row, and which of its samples this is, from 0; int32.
    length, trained, cut
        Tokens, those with a label, and those that were cut off its end; int32.
    flags
        Bit n stands for ``FLAGS[n]`` of `ft_core.inspection.flags`; uint32.
    dropped
        0 where training takes it; else the reason, as a number of `ft_core.inspection.scan.reasons`; uint8.
    digest, answer
        Of its ids and labels, and of what is trained alone; uint64.
    """

    place: NDArray[np.int32]
    ordinal: NDArray[np.int32]
    length: NDArray[np.int32]
    trained: NDArray[np.int32]
    cut: NDArray[np.int32]
    flags: NDArray[np.uint32]
    dropped: NDArray[np.uint8]
    digest: NDArray[np.uint64]
    answer: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.place)
