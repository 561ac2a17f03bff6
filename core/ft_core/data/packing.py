"""Which samples lie together in one row.

Packing looks at all lengths of a set at once, so it wastes next to nothing and always gives the same bins::

    lengths  3 3 3 7 7 7     capacity 10

    pack                     3 7 | 3 7 | 3 7                            3 bins, full
    pack_sequentially        3 3 3 . | 7 . . . | 7 . . . | 7 . . .      4 bins, the samples in their order
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ft_core.data.packing_fit import Placement, fit


@dataclass(frozen=True, eq=False)
class Packing:
    """Bins of samples.

    Attributes
    ----------
    bins
        The samples of each bin as ascending indices into the lengths, int64; the bins by their first index.
    overlong
        The samples that no bin takes because they are longer than one, as ascending indices, int64.
    capacity
        Tokens a bin holds.
    tokens
        Tokens of all samples in bins.
    """

    bins: tuple[NDArray[np.int64], ...]
    overlong: NDArray[np.int64]
    capacity: int
    tokens: int

    @property
    def fill(self) -> float:
        """The share of the bins' room that samples take, 0 to 1; 1 where there are no bins."""
        return self.tokens / (len(self.bins) * self.capacity) if self.bins else 1.0


def pack(lengths: ArrayLike, capacity: int, *, max_samples: int | None = None) -> Packing:
    """Lay samples together so that few bins hold them all.

    The same lengths always give the same bins, and every sample is in one bin or in ``overlong``. Of samples that are
    equally long, the one with the smaller index is taken first. How the bins are found: `ft_core.data.packing_fit`.

    Parameters
    ----------
    lengths
        Tokens of each sample, shape ``[n]``. A sample of no tokens is counted as one.
    capacity
        Tokens a bin holds.
    max_samples
        The most samples in a bin. Default: as many as fit.

    Raises
    ------
    ValueError
        A length is negative, or `capacity` or `max_samples` is not positive.

    Examples
    --------
    >>> packing = pack([3, 3, 3, 7, 7, 7, 12], capacity=10)
    >>> [bin.tolist() for bin in packing.bins]
    [[0, 3], [1, 4], [2, 5]]
    >>> packing.overlong.tolist(), packing.fill
    ([6], 1.0)
    """
    sizes, limit = _checked(lengths, capacity, max_samples)
    kept = np.flatnonzero(sizes <= capacity)
    # Counted from the capacity down, so that ascending order is descending length.
    missing = capacity - np.maximum(sizes[kept], 1)
    counts = np.bincount(missing)
    present = np.flatnonzero(counts)
    placements = fit((capacity - present).tolist(), counts[present].tolist(), capacity, limit)
    bins = _by_bin(kept, _bin_of(missing, placements))
    return Packing(bins, np.flatnonzero(sizes > capacity), capacity, int(sizes[kept].sum()))


def pack_sequentially(lengths: ArrayLike, capacity: int, *, max_samples: int | None = None) -> Packing:
    """Lay neighbouring samples together, in their order: a bin ends where the next sample does not fit.

    Parameters, result and errors are those of `pack`.

    Examples
    --------
    >>> [bin.tolist() for bin in pack_sequentially([3, 3, 3, 7, 7, 7], capacity=10).bins]
    [[0, 1, 2], [3], [4], [5]]
    """
    sizes, limit = _checked(lengths, capacity, max_samples)
    kept = np.flatnonzero(sizes <= capacity)
    starts: list[int] = []
    room = free = 0
    for position, size in enumerate(sizes[kept].tolist()):
        if size > room or not free:
            starts.append(position)
            room, free = capacity, limit
        room -= size
        free -= 1
    return Packing(_cut(kept, starts), np.flatnonzero(sizes > capacity), capacity, int(sizes[kept].sum()))


def _checked(lengths: ArrayLike, capacity: int, max_samples: int | None) -> tuple[NDArray[np.int64], int]:
    """Return the lengths as an array, and the most samples a bin may hold."""
    sizes = np.asarray(lengths, dtype=np.int64)
    limit = max(len(sizes), 1) if max_samples is None else max_samples
    if capacity < 1 or limit < 1 or (sizes < 0).any():
        raise ValueError("lengths must not be negative, and capacity and max_samples must be positive")
    return sizes, limit


def _bin_of(missing: NDArray[np.int64], placements: Sequence[Placement]) -> NDArray[np.int64]:
    """Return the bin of each sample, given what each lacks of the capacity."""
    _, first, bins, each = np.fromiter(chain.from_iterable(placements), np.int64).reshape(-1, 4).T
    # For every placement the bins [first, first + bins), one after the other.
    used = np.arange(bins.sum()) + np.repeat(first - (np.cumsum(bins) - bins), bins)
    bin_of = np.empty(len(missing), np.int64)
    bin_of[_sorted_order(missing)] = np.repeat(used, np.repeat(each, bins))
    return bin_of


def _by_bin(samples: NDArray[np.int64], bin_of: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return the samples of each bin, ascending, the bins by their first sample."""
    samples = samples[_sorted_order(bin_of)]
    sizes = np.bincount(bin_of)
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(samples[starts])
    return tuple(
        samples[start : start + size]
        for start, size in zip(starts[order].tolist(), sizes[order].tolist(), strict=True)
    )


def _sorted_order(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices that sort `numbers`, equal ones in their order."""
    # NumPy sorts 16-bit numbers by radix, many times faster than wider ones.
    return np.argsort(numbers.astype(np.min_scalar_type(numbers.max(initial=0))), kind="stable")


def _cut(samples: NDArray[np.int64], starts: Sequence[int]) -> tuple[NDArray[np.int64], ...]:
    """Cut `samples` into the parts that begin at `starts`."""
    ends = [*starts, len(samples)][1:]
    return tuple(samples[start:end] for start, end in zip(starts, ends, strict=True))
