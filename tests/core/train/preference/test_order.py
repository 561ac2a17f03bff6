"""Which rows each rank takes: as many on every rank, each once, and the same steps however they are cut."""

from __future__ import annotations

import pytest

from ft_core.train.preference.order import EvenOrder


def order(
    rows: int, batch_size: int, world_size: int, accumulation: int, seed: int | None = 7
) -> list[EvenOrder]:
    return [EvenOrder(rows, batch_size, rank, world_size, accumulation, seed) for rank in range(world_size)]


@pytest.mark.parametrize(
    ("rows", "batch_size", "world_size", "accumulation"),
    [(9, 2, 1, 2), (9, 2, 2, 1), (9, 1, 4, 2), (8, 3, 2, 1), (3, 8, 2, 2), (2, 1, 2, 1)],
)
def test_ranks_take_as_many_and_each_row_once(
    rows: int, batch_size: int, world_size: int, accumulation: int
) -> None:
    each = [list(one.batches(0)) for one in order(rows, batch_size, world_size, accumulation)]
    sizes = [[len(batch) for batch in batches] for batches in each]
    assert all(of_rank == sizes[0] for of_rank in sizes)
    assert len(sizes[0]) == len(order(rows, batch_size, world_size, accumulation)[0])
    taken = [row for batches in each for batch in batches for row in batch]
    assert len(taken) == len(set(taken)) == rows - rows % world_size


def test_a_step_takes_the_same_rows_on_one_rank_and_on_two() -> None:
    [alone] = [list(one.batches(3)) for one in order(8, 4, 1, 1)]
    first, second = (list(one.batches(3)) for one in order(8, 1, 2, 2))
    steps = [first[at] + first[at + 1] + second[at] + second[at + 1] for at in (0, 2)]
    assert [sorted(step) for step in steps] == [sorted(batch) for batch in alone]


def test_an_epoch_has_an_order_of_its_own() -> None:
    [one] = order(20, 20, 1, 1)
    assert list(one.batches(0)) != list(one.batches(1))
    assert list(one.batches(1)) == list(one.batches(1))


def test_no_row_to_evaluate_on_is_left_out() -> None:
    first, second = (list(one.batches(0)) for one in order(5, 2, 2, 1, seed=None))
    assert (first, second) == ([[0, 1], [4]], [[2, 3], [4]])
