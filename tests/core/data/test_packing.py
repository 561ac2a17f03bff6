from __future__ import annotations

import doctest
from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data import packing, packing_order, packing_rows
from ft_core.data.packing import Packing, pack, pack_sequentially

PACKERS = [pack, pack_sequentially]


def bins(packed: Packing) -> list[list[int]]:
    return [one.tolist() for one in packed.bins]


@pytest.mark.parametrize("module", [packing, packing_order, packing_rows], ids=lambda module: module.__name__)
def test_the_examples_of_the_docstrings_hold(module: object) -> None:
    failed, attempted = doctest.testmod(module)  # type: ignore[arg-type]
    assert failed == 0
    assert attempted > 1


@pytest.mark.parametrize(
    ("lengths", "capacity", "expected"),
    [
        pytest.param([4, 6, 5, 5, 3, 7, 2, 8], 10, [[0, 1], [2, 3], [4, 5], [6, 7]], id="pairs"),
        pytest.param([3, 3, 3, 7, 7, 7], 10, [[0, 3], [1, 4], [2, 5]], id="longest-first"),
        pytest.param([2, 2, 5, 4, 3], 8, [[0, 1, 3], [2, 4]], id="tightest-room"),
        pytest.param([5, 5, 5], 10, [[0, 1], [2]], id="equal-by-index"),
        pytest.param([6, 6, 6], 10, [[0], [1], [2]], id="all-over-half"),
        pytest.param([10, 10], 10, [[0], [1]], id="as-long-as-a-bin"),
        pytest.param([1, 1, 9, 1, 1], 10, [[0, 2], [1, 3, 4]], id="one-long-many-short"),
        pytest.param([4, 4, 3, 3, 2, 2], 9, [[0, 2, 4], [1, 3, 5]], id="exact-where-best-fit-is-not"),
        pytest.param([4], 10, [[0]], id="one"),
        pytest.param([], 10, [], id="none"),
        pytest.param([0, 10, 0], 10, [[0, 2], [1]], id="no-tokens"),
    ],
)
def test_pack(lengths: list[int], capacity: int, expected: list[list[int]]) -> None:
    assert bins(pack(lengths, capacity)) == expected


@pytest.mark.parametrize(
    ("lengths", "capacity", "expected"),
    [
        # What Axolotl's allocate_sequentially gives on the same lengths.
        pytest.param([4, 6, 5, 5, 3, 7, 2, 8], 10, [[0, 1], [2, 3], [4, 5], [6, 7]], id="pairs"),
        pytest.param([3, 3, 3, 7, 7, 7], 10, [[0, 1, 2], [3], [4], [5]], id="next-fit"),
        pytest.param([6, 3, 6, 1], 10, [[0, 1], [2, 3]], id="never-back"),
        pytest.param([10, 0, 10], 10, [[0, 1], [2]], id="no-tokens"),
        pytest.param([0, 0], 10, [[0, 1]], id="only-no-tokens"),
        pytest.param([4], 10, [[0]], id="one"),
        pytest.param([], 10, [], id="none"),
    ],
)
def test_pack_sequentially(lengths: list[int], capacity: int, expected: list[list[int]]) -> None:
    assert bins(pack_sequentially(lengths, capacity)) == expected


@pytest.mark.parametrize(
    ("packer", "max_samples", "expected"),
    [
        (pack, 1, [[0], [1], [2], [3], [4]]),
        (pack, 2, [[0, 1], [2, 3], [4]]),
        (pack, 4, [[0, 1, 2, 3], [4]]),
        (pack, 5, [[0, 1, 2, 3, 4]]),
        (pack, None, [[0, 1, 2, 3, 4]]),
        (pack_sequentially, 1, [[0], [1], [2], [3], [4]]),
        (pack_sequentially, 2, [[0, 1], [2, 3], [4]]),
        (pack_sequentially, None, [[0, 1, 2, 3, 4]]),
    ],
)
def test_a_bin_holds_no_more_samples_than_asked(
    packer: Callable[..., Packing], max_samples: int | None, expected: list[list[int]]
) -> None:
    assert bins(packer([1, 1, 1, 1, 1], 10, max_samples=max_samples)) == expected


def test_a_limit_of_samples_packs_as_axolotls_does() -> None:
    """Its sample_packing_bin_size 2, on the same lengths."""
    packed = pack([6, 3, 6, 3, 6, 3, 1, 1, 1], 10, max_samples=2)

    assert bins(packed) == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]


@pytest.mark.parametrize("packer", PACKERS)
def test_overlong_samples_are_listed(packer: Callable[..., Packing]) -> None:
    """CORRECTNESS 21: nothing is dropped in silence."""
    packed = packer([11, 6, 4, 12], 10)

    assert bins(packed) == [[1, 2]]
    assert packed.overlong.tolist() == [0, 3]
    assert (packed.tokens, packed.fill) == (10, 1.0)


@pytest.mark.parametrize("packer", PACKERS)
def test_fill_is_the_share_of_tokens(packer: Callable[..., Packing]) -> None:
    assert packer([3, 4, 8], 10).fill == 0.75
    assert packer([], 10).fill == 1.0


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize(
    ("lengths", "capacity", "max_samples"), [([1, -1], 10, None), ([1], 0, None), ([1], 10, 0)]
)
def test_what_cannot_be_packed_is_refused(
    packer: Callable[..., Packing], lengths: list[int], capacity: int, max_samples: int | None
) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        packer(lengths, capacity, max_samples=max_samples)


@st.composite
def sets_of_lengths(draw: st.DrawFn) -> tuple[list[int], int, int | None]:
    capacity = draw(st.integers(1, 40))
    lengths = draw(st.lists(st.integers(0, capacity + 3), max_size=60))
    return lengths, capacity, draw(st.none() | st.integers(1, 6))


@pytest.mark.parametrize("packer", PACKERS)
@given(given_set=sets_of_lengths())
def test_every_sample_is_in_one_bin_that_has_room(
    packer: Callable[..., Packing], given_set: tuple[list[int], int, int | None]
) -> None:
    lengths, capacity, max_samples = given_set
    packed = packer(lengths, capacity, max_samples=max_samples)
    overlong = [index for index, length in enumerate(lengths) if length > capacity]

    assert packed.overlong.tolist() == overlong
    assert sorted([*chain(*bins(packed)), *overlong]) == list(range(len(lengths)))
    for one in bins(packed):
        assert sum(lengths[index] for index in one) <= capacity
        assert 1 <= len(one) <= (max_samples or len(lengths))
        assert one == sorted(one)
    assert [one[0] for one in bins(packed)] == sorted(one[0] for one in bins(packed))
    assert packed.tokens == sum(lengths) - sum(lengths[index] for index in overlong)


@pytest.mark.parametrize("packer", PACKERS)
@given(given_set=sets_of_lengths())
def test_the_same_lengths_give_the_same_bins(
    packer: Callable[..., Packing], given_set: tuple[list[int], int, int | None]
) -> None:
    lengths, capacity, max_samples = given_set
    first = packer(lengths, capacity, max_samples=max_samples)
    second = packer(np.array(lengths, np.int32), capacity, max_samples=max_samples)

    assert bins(first) == bins(second)


@given(given_set=sets_of_lengths())
def test_neighbours_stay_neighbours_when_packed_sequentially(
    given_set: tuple[list[int], int, int | None],
) -> None:
    lengths, capacity, max_samples = given_set
    packed = pack_sequentially(lengths, capacity, max_samples=max_samples)

    kept = [index for index, length in enumerate(lengths) if length <= capacity]
    assert list(chain(*bins(packed))) == kept
    for one, following in zip(packed.bins, packed.bins[1:], strict=False):
        size = sum(lengths[index] for index in one)
        assert size + lengths[following[0]] > capacity or len(one) == max_samples


def lognormal(count: int) -> np.ndarray:
    drawn = np.random.default_rng(0).lognormal(np.log(350) - 0.5, 1.0, count)
    return np.clip(drawn, 16, 4096).astype(np.int64)


def uniform(low: int, high: int, count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, count, endpoint=True)


@pytest.mark.parametrize(
    ("lengths", "capacity", "least"),
    [
        pytest.param(lognormal(100_000), 4096, 0.9999, id="lognormal"),
        pytest.param(lognormal(100_000), 8 * 4096, 0.9995, id="lognormal-flat-row"),
        pytest.param(lognormal(1_000), 4096, 0.99, id="lognormal-few"),
        pytest.param(uniform(50, 800, 100_000), 2048, 0.9999, id="uniform"),
        pytest.param(uniform(1, 4096, 100_000), 4096, 0.995, id="uniform-to-capacity"),
        pytest.param(np.r_[np.full(20, 4000), np.full(100_000, 1)], 4096, 0.998, id="few-huge-many-tiny"),
        pytest.param(np.random.default_rng(0).permutation(20_000) + 1, 65536, 0.999, id="all-different"),
        pytest.param(np.full(100_000, 4096), 4096, 1.0, id="all-as-long-as-a-bin"),
        pytest.param(np.full(100_000, 512), 4096, 1.0, id="all-equal"),
    ],
)
def test_bins_are_full(lengths: np.ndarray, capacity: int, least: float) -> None:
    packed = pack(lengths, capacity)

    assert packed.fill >= least
    assert np.array_equal(np.sort(np.concatenate(packed.bins)), np.arange(len(lengths)))
    assert max(int(lengths[one].sum()) for one in packed.bins) <= capacity
