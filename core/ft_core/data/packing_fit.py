"""How many samples of which length go into which bins.

Lengths are small integers that repeat, so nothing here looks at a single sample: bins that hold the same are handled
together as one range of bin numbers, and a step places every sample of one length that such a range can take. The work
depends on how many different lengths there are, not on how many samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

# Above this many different lengths times bits of the longest, `exact_fills` would take longer than it is worth: lengths
# so diverse fill their bins well without it.
_MOST_EXACT_WORK = 2**27


class Placement(NamedTuple):
    """Samples of one length in neighbouring bins: `each` of them in every bin of ``[first, first + bins)``."""

    length: int
    first: int
    bins: int
    each: int


def fit(lengths: Sequence[int], counts: Sequence[int], capacity: int, limit: int) -> list[Placement]:
    """Return where the samples go, in as few bins as found.

    Best-fit decreasing comes within a few bins of the fewest possible where there are small samples to fill the gaps. Where
    it does not reach what the sum of the lengths allows, the bins that can be filled exactly are filled first.

    Parameters
    ----------
    lengths
        The different lengths, descending, each from 1 to `capacity`.
    counts
        How many samples there are of each.
    capacity
        Tokens a bin holds.
    limit
        The most samples a bin holds.

    Returns
    -------
        Placements by descending length; those of one length are in the order in which its samples are taken. Bins are
        numbered from 0 without gaps.
    """
    best = best_fit_decreasing(lengths, counts, capacity, limit)
    tokens = sum(length * count for length, count in zip(lengths, counts, strict=True))
    fewest = max(-(-tokens // capacity), -(-sum(counts) // limit))
    if bin_count(best) == fewest or len(lengths) * lengths[0] > _MOST_EXACT_WORK:
        return best
    exact, rest = exact_fills(lengths, counts, capacity, limit)
    others = best_fit_decreasing(list(rest), list(rest.values()), capacity, limit, first=bin_count(exact))
    both = sorted(exact + others, key=lambda placement: -placement.length)
    return min(best, both, key=bin_count)


def bin_count(placements: Sequence[Placement]) -> int:
    """Return how many bins the placements use."""
    return max((placement.first + placement.bins for placement in placements), default=0)


def best_fit_decreasing(
    lengths: Sequence[int], counts: Sequence[int], capacity: int, limit: int, *, first: int = 0
) -> list[Placement]:
    """Put each sample, longest first, into the fullest bin that still takes it, and into a new bin where none does.

    Bins are numbered from `first`; the other parameters are as in `fit`.

    Going through descending lengths, a bin waits until the length has come down to its room; then it is among the fitting
    ones, the fullest on top of a stack. Filled with as many as it takes, it waits again with less than half its room,
    so a range of bins is handled at most log2(capacity) times.
    """
    placements: list[Placement] = []
    # Ranges of bins that hold the same: (room or -room, first bin, bins, samples in each).
    waiting: list[tuple[int, int, int, int]] = []
    fitting: list[tuple[int, int, int, int]] = []
    unused = first
    for length, count in zip(lengths, counts, strict=True):
        while waiting and -waiting[0][0] >= length:
            negative_room, start, bins, held = heappop(waiting)
            fitting.append((-negative_room, start, bins, held))
        while count:
            if fitting:
                room, start, bins, held = fitting.pop()
            else:
                room, start, held = capacity, unused, 0
                bins = -(-count // min(capacity // length, limit))
                unused += bins
            each = min(room // length, limit - held)
            filled = min(bins, count // each)
            if filled:
                placements.append(Placement(length, start, filled, each))
                count -= filled * each
                if held + each < limit:
                    heappush(waiting, (each * length - room, start, filled, held + each))
            if filled < bins:
                start, bins = start + filled, bins - filled
                if count:  # fewer than `each` are left, for one bin
                    if bins > 1:
                        fitting.append((room, start + 1, bins - 1, held))
                    placements.append(Placement(length, start, 1, count))
                    room, bins, held, count = room - count * length, 1, held + count, 0
                fitting.append((room, start, bins, held))
    return placements


def exact_fills(
    lengths: Sequence[int], counts: Sequence[int], capacity: int, limit: int
) -> tuple[list[Placement], dict[int, int]]:
    """Fill bins to the last token, as far as that is found; the parameters are as in `fit`.

    A bin starts with the longest sample and takes the longest that fits, until one or two samples fill it exactly. Its
    content is repeated for as many bins as there are samples for. Where a length finds no such bin, its samples are left.

    Returns
    -------
    placements
        Of the full bins, numbered from 0.
    rest
        How many samples are left, by descending length.
    """
    stock = _Stock(lengths, counts, capacity)
    placements: list[Placement] = []
    rest: dict[int, int] = {}
    bins = 0
    for length in lengths:
        while count := stock.left[length]:
            content = _exact_content(length, stock, capacity, limit)
            if not content:
                rest[length] = count
                stock.take(length, count)
                break
            times = min(stock.left[one] // each for one, each in content.items())
            for one, each in content.items():
                placements.append(Placement(one, bins, times, each))
                stock.take(one, each * times)
            bins += times
    return placements, rest


class _Stock:
    """The samples that are left, and their lengths as bits of whole numbers, which finds a length in one operation."""

    def __init__(self, lengths: Sequence[int], counts: Sequence[int], capacity: int) -> None:
        self.left = dict(zip(lengths, counts, strict=True))
        self._capacity = capacity
        self._lengths = sum(1 << length for length in lengths)
        self._from_capacity = sum(1 << (capacity - length) for length in lengths)

    def take(self, length: int, count: int) -> None:
        """Take `count` samples out, or put them back where it is negative."""
        had = self.left[length] > 0
        self.left[length] -= count
        if had != (self.left[length] > 0):
            self._lengths ^= 1 << length
            self._from_capacity ^= 1 << (self._capacity - length)

    def one(self, room: int) -> tuple[int, ...]:
        """Return the longest length of at most `room`."""
        length = (self._lengths & ((2 << room) - 1)).bit_length() - 1
        return (length,) if length > 0 else ()

    def two(self, room: int) -> tuple[int, ...]:
        """Return two lengths that sum to `room`, as unlike as can be."""
        # Bit n of _from_capacity, shifted right by capacity - room, stands for the length room - n.
        longer = (self._lengths & (self._from_capacity >> (self._capacity - room))).bit_length() - 1
        if longer < 0 or (2 * longer == room and self.left[longer] < 2):
            return ()
        return longer, room - longer


def _exact_content(length: int, stock: _Stock, capacity: int, limit: int) -> Counter[int]:
    """Return how many of which lengths fill a bin exactly, `length` among them; empty where that is not found."""
    stock.take(length, 1)
    content = [length]
    room = capacity - length
    while room and len(content) < limit:
        found = stock.one(room)
        if found != (room,) and len(content) + 2 <= limit:
            found = stock.two(room) or found
        if not found:
            break
        for one in found:
            stock.take(one, 1)
        content += found
        room -= sum(found)
    for one in content:
        stock.take(one, -1)
    return Counter() if room else Counter(content)
