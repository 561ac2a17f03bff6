from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data.packing_order import ByLength, PackOrder


def orders(packs: int, batch_size: int, world_size: int, seed: int | None) -> list[PackOrder]:
    return [PackOrder(packs, batch_size, rank, world_size, seed) for rank in range(world_size)]


@pytest.mark.parametrize(
    ("packs", "batch_size", "expected"),
    [
        pytest.param(8, 2, [[[0, 1], [4, 5]], [[2, 3], [6, 7]]], id="even"),
        pytest.param(7, 2, [[[0, 1], [4, 5]], [[2, 3], [6]]], id="short-last-batch"),
        pytest.param(5, 2, [[[0, 1], [4]], [[2, 3], []]], id="empty-last-batch"),
        pytest.param(3, 1, [[[0], [2]], [[1], []]], id="flat-rows"),
        pytest.param(1, 4, [[[0]], [[]]], id="one-pack"),
        pytest.param(0, 2, [[], []], id="none"),
    ],
)
def test_ranks_take_neighbouring_batches(
    packs: int, batch_size: int, expected: list[list[list[int]]]
) -> None:
    batches = [list(order.batches(epoch=3)) for order in orders(packs, batch_size, 2, None)]

    assert batches == expected


@pytest.mark.parametrize(("seed", "epoch"), [(42, 0), (42, 1), (7, 0)])
def test_the_order_depends_on_seed_and_epoch_alone(seed: int, epoch: int) -> None:
    order = np.random.default_rng([seed, epoch]).permutation(9).tolist()
    batches = [list(one.batches(epoch)) for one in orders(9, 2, 2, seed)]

    assert batches == [[order[0:2], order[4:6], order[8:9]], [order[2:4], order[6:8], []]]


def test_epochs_and_seeds_differ() -> None:
    drawn = [PackOrder(50, 50, 0, 1, seed).batches(epoch) for seed, epoch in [(42, 0), (42, 1), (7, 0)]]
    first, second, third = [next(batches) for batches in drawn]

    assert first != second
    assert first != third


SIZES = {
    "packs": st.integers(0, 50),
    "batch_size": st.integers(1, 5),
    "world_size": st.integers(1, 5),
    "seed": st.none() | st.integers(0, 9),
    "epoch": st.integers(0, 3),
}


@given(**SIZES)
def test_every_pack_is_trained_once_in_an_epoch_and_ranks_keep_step(
    packs: int, batch_size: int, world_size: int, seed: int | None, epoch: int
) -> None:
    ranks = orders(packs, batch_size, world_size, seed)
    batches = [list(order.batches(epoch)) for order in ranks]

    assert sorted(index for rank in batches for batch in rank for index in batch) == list(range(packs))
    assert {len(rank) for rank in batches} == {len(ranks[0])}
    assert all(len(order) == len(ranks[0]) for order in ranks)
    assert all(len(batch) <= batch_size for rank in batches for batch in rank)
    assert batches == [list(order.batches(epoch)) for order in ranks]


@given(**SIZES, start=st.integers(0, 60))
def test_an_epoch_is_taken_up_where_it_was_left(
    packs: int, batch_size: int, world_size: int, seed: int | None, epoch: int, start: int
) -> None:
    """CORRECTNESS 16: resuming in the middle of an epoch replays nothing and leaves nothing out."""
    for order in orders(packs, batch_size, world_size, seed):
        assert list(order.batches(epoch, start)) == list(order.batches(epoch))[start:]


@given(**SIZES)
def test_steps_take_the_same_packs_on_one_rank_and_on_many(
    packs: int, batch_size: int, world_size: int, seed: int | None, epoch: int
) -> None:
    (alone,) = orders(packs, batch_size * world_size, 1, seed)
    ranks = [order.batches(epoch) for order in orders(packs, batch_size, world_size, seed)]

    assert list(alone.batches(epoch)) == [list(chain(*step)) for step in zip(*ranks, strict=True)]


def test_packs_of_about_one_length_share_a_step() -> None:
    lengths = np.array([9, 1, 8, 2, 7, 3, 5])
    order = PackOrder(7, 1, 0, 1, 0, ByLength(lengths, step=2))
    steps = [sorted(lengths[batch[0]] for batch in pair) for pair in batched(list(order.batches(0)), 2)]
    assert sorted(steps[:-1]) == [[2, 3], [5, 7], [8, 9]]
    assert steps[-1] == [1]  # a last step that is not full stays the last


def test_the_order_by_length_follows_seed_and_epoch() -> None:
    by_length = ByLength(np.arange(40), step=2)
    first, again = (PackOrder(40, 1, 0, 1, 0, by_length) for _ in range(2))
    assert list(first.batches(0)) == list(again.batches(0))
    assert list(first.batches(0)) != list(first.batches(1))


def batched(batches: list[list[int]], size: int) -> list[list[list[int]]]:
    return [batches[start : start + size] for start in range(0, len(batches), size)]
