from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data import Sample
from ft_core.train.batches import RankBatches, Rows


def ranks(
    rows: int, batch_size: int, world_size: int, *, seed: int | None = 7, epoch: int = 0
) -> list[list[list[int]]]:
    """Return every rank's micro-batches."""
    every: list[list[list[int]]] = []
    for rank in range(world_size):
        batches = RankBatches(rows, batch_size, rank=rank, world_size=world_size, seed=seed)
        batches.epoch = epoch
        every.append(list(batches))
        assert len(batches) == len(every[-1])
    return every


def steps(every: list[list[list[int]]], accumulation: int, rows: int) -> list[set[int]]:
    """Return the rows of each optimizer step, over all ranks, without the empty one."""
    count = len(every[0])
    return [
        {row for rank in every for batch in rank[start : start + accumulation] for row in batch} - {rows}
        for start in range(0, count, accumulation)
    ]


def test_the_picture_in_the_docstring() -> None:
    one, two = ranks(10, 2, 1, seed=None), ranks(10, 2, 2, seed=None)
    assert one == [[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]]
    assert two == [[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10]]]  # 10 is the empty row


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_every_row_once_and_every_rank_as_often(
    rows: int, batch_size: int, world_size: int, epoch: int
) -> None:
    every = ranks(rows, batch_size, world_size, epoch=epoch)
    assert len({len(rank) for rank in every}) == 1
    trained = sorted(row for rank in every for batch in rank for row in batch if row != rows)
    assert trained == list(range(rows))
    assert all(1 <= len(batch) <= batch_size for rank in every for batch in rank)


@given(st.integers(1, 60), st.integers(0, 3))
def test_steps_are_the_same_however_the_global_batch_is_cut(rows: int, epoch: int) -> None:
    """Rows by step, for a global batch of 8 as 1 x 8, 2 x 4, 8 x 1 on one rank, 2 x 2 on two and 1 x 2 on four."""
    cuts = [(1, 8, 1), (2, 4, 1), (8, 1, 1), (2, 2, 2), (1, 2, 4)]
    taken = [
        steps(ranks(rows, size, world, epoch=epoch), accumulation, rows) for size, accumulation, world in cuts
    ]
    assert all(other == taken[0] for other in taken)


def test_the_order_follows_seed_and_epoch() -> None:
    assert ranks(20, 20, 1, seed=1) == ranks(20, 20, 1, seed=1)
    assert ranks(20, 20, 1, seed=1) != ranks(20, 20, 1, seed=2)
    assert ranks(20, 20, 1, seed=1) != ranks(20, 20, 1, seed=1, epoch=1)


def test_the_empty_row_has_one_token_and_no_target() -> None:
    sample = Sample(np.array([5, 6]), np.array([-100, 6]), (), 0, "x")
    rows = Rows([sample], pad_token_id=2)
    assert len(rows) == 1
    assert rows[0] is sample
    assert (rows[1].input_ids.tolist(), rows[1].labels.tolist()) == ([2], [-100])
