from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data.packing_fit import Placement, best_fit_decreasing, bin_count, exact_fills, fit

UNLIMITED = 10**9


def contents(placements: list[Placement]) -> list[list[int]]:
    """Return the lengths in each bin, longest first."""
    bins: list[list[int]] = [[] for _ in range(bin_count(placements))]
    for length, first, count, each in placements:
        for one in bins[first : first + count]:
            one += [length] * each
    return [sorted(one, reverse=True) for one in bins]


def one_by_one(lengths: list[int], capacity: int) -> list[int]:
    """Best-fit decreasing as it is defined, a sample at a time; returns the rooms that are left, ascending."""
    rooms: list[int] = []
    for length in sorted(lengths, reverse=True):
        fitting = [room for room in rooms if room >= length]
        room = min(fitting, default=capacity)
        if fitting:
            rooms.remove(room)
        rooms.append(room - length)
    return sorted(rooms)


def grouped(lengths: list[int]) -> tuple[list[int], list[int]]:
    counts = Counter(lengths)
    different = sorted(counts, reverse=True)
    return different, [counts[length] for length in different]


@st.composite
def sets_of_lengths(draw: st.DrawFn) -> tuple[list[int], int]:
    """Return lengths of which many repeat, so that ranges of bins are split and taken up again."""
    capacity = draw(st.integers(1, 60))
    counts = draw(st.dictionaries(st.integers(1, capacity), st.integers(1, 20), max_size=8))
    return list(Counter(counts).elements()), capacity


def test_samples_of_one_length_are_placed_together() -> None:
    assert fit([300], [100_000], 4096, UNLIMITED) == [Placement(300, 0, 7692, 13), Placement(300, 7692, 1, 4)]
    assert fit([300], [100_000], 4096, 10) == [Placement(300, 0, 10_000, 10)]
    assert exact_fills([7, 3], [80, 90], 10, UNLIMITED) == (
        [Placement(7, 0, 80, 1), Placement(3, 0, 80, 1)],
        {3: 10},
    )


def test_a_length_goes_to_the_fullest_bin_that_takes_it() -> None:
    # 9 leaves a room of 3, 8 one of 4: the 3s go to the 9 and then to the 8, the last into a bin of its own.
    placements = best_fit_decreasing([9, 8, 3], [1, 1, 3], 12, UNLIMITED)

    assert placements == [
        Placement(9, 0, 1, 1),
        Placement(8, 1, 1, 1),
        Placement(3, 0, 1, 1),
        Placement(3, 1, 1, 1),
        Placement(3, 2, 1, 1),
    ]


def test_a_range_of_bins_splits_where_the_samples_run_out() -> None:
    placements = best_fit_decreasing([7, 2, 1], [3, 3, 6], 12, UNLIMITED)

    assert placements == [
        Placement(7, 0, 3, 1),
        Placement(2, 0, 1, 2),
        Placement(2, 1, 1, 1),
        Placement(1, 0, 1, 1),
        Placement(1, 1, 1, 3),
        Placement(1, 2, 1, 2),
    ]


def test_new_bins_are_numbered_from_the_first() -> None:
    assert best_fit_decreasing([6], [2], 10, UNLIMITED, first=5) == [Placement(6, 5, 2, 1)]


@given(given_set=sets_of_lengths())
def test_best_fit_decreasing_is_what_its_name_says(given_set: tuple[list[int], int]) -> None:
    lengths, capacity = given_set
    bins = contents(best_fit_decreasing(*grouped(lengths), capacity, UNLIMITED))

    assert sorted(capacity - sum(one) for one in bins) == one_by_one(lengths, capacity)


@pytest.mark.parametrize(
    ("lengths", "counts", "capacity", "limit", "expected", "rest"),
    [
        pytest.param([6, 4], [2, 3], 10, UNLIMITED, [[6, 4], [6, 4]], {4: 1}, id="one-more"),
        pytest.param([6, 3, 1], [1, 1, 1], 10, UNLIMITED, [[6, 3, 1]], {}, id="two-more"),
        pytest.param([4, 3], [2, 1], 10, UNLIMITED, [], {4: 2, 3: 1}, id="none"),
        pytest.param([10], [3], 10, UNLIMITED, [[10], [10], [10]], {}, id="alone"),
        pytest.param([4, 2], [1, 1], 8, UNLIMITED, [], {4: 1, 2: 1}, id="half-of-the-room-only-once"),
        pytest.param([5], [4], 10, UNLIMITED, [[5, 5], [5, 5]], {}, id="same-again"),
        pytest.param([2], [9], 10, UNLIMITED, [[2, 2, 2, 2, 2]], {2: 4}, id="same-five-times"),
        pytest.param([2], [9], 10, 5, [[2, 2, 2, 2, 2]], {2: 4}, id="as-many-as-the-limit"),
        pytest.param([2], [9], 10, 4, [], {2: 9}, id="more-than-the-limit"),
        pytest.param([6, 3, 1], [1, 1, 1], 10, 2, [], {6: 1, 3: 1, 1: 1}, id="two-more-than-the-limit"),
    ],
)
def test_exact_fills(
    lengths: list[int],
    counts: list[int],
    capacity: int,
    limit: int,
    expected: list[list[int]],
    rest: dict[int, int],
) -> None:
    placements, left = exact_fills(lengths, counts, capacity, limit)

    assert contents(placements) == expected
    assert left == rest


@given(given_set=sets_of_lengths(), limit=st.integers(1, 90))
def test_exact_fills_are_exact_and_lose_nothing(given_set: tuple[list[int], int], limit: int) -> None:
    lengths, capacity = given_set
    placements, rest = exact_fills(*grouped(lengths), capacity, limit)
    bins = contents(placements)

    assert all(sum(one) == capacity and len(one) <= limit for one in bins)
    assert sorted([*chain(*bins), *Counter(rest).elements()]) == sorted(lengths)
    assert list(rest) == sorted(rest, reverse=True)


@given(given_set=sets_of_lengths(), limit=st.integers(1, 90))
def test_fit_takes_every_sample_and_never_more_bins_than_best_fit_decreasing(
    given_set: tuple[list[int], int], limit: int
) -> None:
    lengths, capacity = given_set
    placements = fit(*grouped(lengths), capacity, limit)
    bins = contents(placements)

    assert sorted(chain(*bins)) == sorted(lengths)
    assert all(sum(one) <= capacity and 1 <= len(one) <= limit for one in bins)
    assert [placement.length for placement in placements] == sorted(
        (placement.length for placement in placements), reverse=True
    )
    assert len(bins) <= bin_count(best_fit_decreasing(*grouped(lengths), capacity, limit))


def test_fit_fills_exactly_where_best_fit_decreasing_needs_a_bin_more() -> None:
    lengths, counts = [4, 3, 2], [2, 2, 2]

    assert contents(best_fit_decreasing(lengths, counts, 9, UNLIMITED)) == [[4, 4], [3, 3, 2], [2]]
    assert contents(fit(lengths, counts, 9, UNLIMITED)) == [[4, 3, 2], [4, 3, 2]]
