from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.config import Config
from ft_core.data import Sample
from ft_core.data.collate import Collator, FlatCollator, PackCollator
from ft_core.data.packing_order import PackOrder
from ft_core.train.batches import PackedRows, RankBatches, Rows, make_rows

PAD = 2


def laid(config: Config, *lengths: int, evaluation: bool = False) -> Rows:
    return make_rows(config, samples(*lengths), lengths, pad_token_id=PAD, evaluation=evaluation)


def samples(*lengths: int) -> list[Sample]:
    return [Sample(np.arange(size), np.arange(size), (), row, "x") for row, size in enumerate(lengths)]


def ranks(
    rows: int, batch_size: int, world_size: int, *, seed: int | None = 7, epoch: int = 0
) -> list[list[list[int]]]:
    """Return every rank's micro-batches."""
    every: list[list[list[int]]] = []
    for rank in range(world_size):
        batches = RankBatches(PackOrder(rows, batch_size, rank, world_size, seed))
        batches.epoch = epoch
        every.append(list(batches))
        assert len(batches) == len(every[-1])
    return every


def steps(every: list[list[list[int]]], accumulation: int) -> list[set[int]]:
    """Return the rows of each optimizer step, over all ranks."""
    return [
        {row for rank in every for batch in rank[start : start + accumulation] for row in batch}
        for start in range(0, len(every[0]), accumulation)
    ]


def test_the_picture_in_the_docstring() -> None:
    one, two = ranks(10, 2, 1, seed=None), ranks(10, 2, 2, seed=None)
    assert one == [[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]]
    assert two == [[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], []]]


@given(st.integers(1, 60), st.integers(0, 3))
def test_steps_are_the_same_however_the_global_batch_is_cut(rows: int, epoch: int) -> None:
    """Rows by step, for a global batch of 8 as 1 x 8, 2 x 4, 8 x 1 on one rank, 2 x 2 on two and 1 x 2 on four."""
    cuts = [(1, 8, 1), (2, 4, 1), (8, 1, 1), (2, 2, 2), (1, 2, 4)]
    taken = [steps(ranks(rows, size, world, epoch=epoch), accumulation) for size, accumulation, world in cuts]
    assert all(other == taken[0] for other in taken)


def test_steps_of_rows_grouped_by_length_are_the_same_however_the_global_batch_is_cut() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1001)
    rows = samples(*lengths.tolist())
    taken: list[list[set[int]]] = []
    for size, accumulation, world_size in [(1, 8, 1), (8, 1, 1), (2, 2, 2)]:
        grouped = Rows(rows, size, Collator(PAD), lengths)
        every = [
            list(
                grouped.order(rank=rank, world_size=world_size, accumulation=accumulation, seed=1).batches(0)
            )
            for rank in range(world_size)
        ]
        taken.append(steps(every, accumulation))
    assert taken[0] == taken[1] == taken[2]
    assert sorted(row for step in taken[0] for row in step) == list(range(1001))
    spread = [max(lengths[row] for row in step) - min(lengths[row] for row in step) for step in taken[0]]
    assert max(spread) < 20  # of 99 at random
    longest = [max(lengths[row] for row in step) for step in taken[0]]
    assert longest != sorted(longest) != longest[::-1]


def test_an_order_of_evaluation_is_that_of_the_rows() -> None:
    grouped = Rows(samples(1, 9, 2), 1, Collator(PAD), np.array([1, 9, 2]))
    order = grouped.order(rank=0, world_size=1, accumulation=1, seed=None)
    assert list(order.batches(0)) == [[0], [1], [2]]


def test_rows_of_one_sample(make_config: Callable[..., Config]) -> None:
    rows = make_rows(make_config(), given := samples(3, 5), [3, 5], pad_token_id=PAD)
    assert rows.items is given
    assert (rows.batch_size, rows.collate, rows.lengths, rows.packing) == (2, Collator(PAD), None, None)


def lengths_of(rows: Rows) -> list[list[int]]:
    return [[len(sample) for sample in rows.items[index]] for index in range(len(rows.items))]


@pytest.mark.parametrize(
    ("keys", "batch_size", "length", "packed"),
    [
        ({}, 2, 64, [[30, 34], [20, 40, 4]]),
        ({"pad_to_sequence_len": False}, 2, 0, [[30, 34], [20, 40, 4]]),
        ({"sample_packing_sequentially": True}, 2, 64, [[30, 20], [40], [34, 4]]),
        ({"sample_packing_bin_size": 2}, 2, 64, [[30, 34], [20, 40], [4]]),
        ({"multipack_real_batches": False}, 1, 128, [[30, 20, 40, 34, 4]]),
    ],
)
def test_packed_rows(
    keys: dict[str, Any],
    batch_size: int,
    length: int,
    packed: list[list[int]],
    make_config: Callable[..., Config],
) -> None:
    rows = laid(make_config(sample_packing=True, **keys), 30, 20, 40, 34, 4)
    assert (rows.batch_size, rows.collate) == (batch_size, PackCollator(PAD, length))
    assert lengths_of(rows) == packed


def test_a_sample_longer_than_a_row_has_a_row_of_its_own(make_config: Callable[..., Config]) -> None:
    """CORRECTNESS 21: nothing is lost, whatever comes."""
    rows = laid(make_config(sample_packing=True), 30, 70, 20)
    assert lengths_of(rows) == [[30, 20], [70]]


@pytest.mark.parametrize(
    ("keys", "batch_size", "packed"),
    [
        ({"sample_packing": True}, 2, True),
        ({"sample_packing": True, "eval_sample_packing": False}, 2, False),
        ({"eval_sample_packing": True}, 2, True),
        ({"sample_packing": True, "eval_batch_size": 3}, 3, True),
    ],
)
def test_rows_to_evaluate_on(
    keys: dict[str, Any], batch_size: int, packed: bool, make_config: Callable[..., Config]
) -> None:
    rows = laid(make_config(**keys), 3, 5, evaluation=True)
    assert (rows.batch_size, isinstance(rows.items, PackedRows)) == (batch_size, packed)


def test_flat_rows(make_config: Callable[..., Config]) -> None:
    rows = make_rows(make_config(batch_flattening=True), given := samples(3, 5), [3, 5], pad_token_id=PAD)
    assert rows.items is given
    assert (rows.batch_size, rows.collate) == (2, FlatCollator(PackCollator(PAD, 0)))


def test_rows_grouped_by_length(make_config: Callable[..., Config]) -> None:
    rows = laid(make_config(group_by_length=True), 3, 5)
    assert rows.lengths is not None
    assert rows.lengths.tolist() == [3, 5]
