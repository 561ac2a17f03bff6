from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ft_core.data.packing_rows import PackLayout
from ft_core.data.row_packing import pack_lengths, row_layout

LENGTHS = [3, 3, 3, 7, 7, 7]


def config(**keys: Any) -> Any:
    defaults = {
        "sequence_len": 10,
        "multipack_real_batches": True,
        "sample_packing_sequentially": False,
        "sample_packing_bin_size": 200,
    }
    return SimpleNamespace(**{**defaults, **keys})


@pytest.mark.parametrize(
    ("real_batches", "layout"),
    [(True, PackLayout(rows=4, capacity=10)), (False, PackLayout(rows=1, capacity=40))],
)
def test_rows_of_a_micro_batch(real_batches: bool, layout: PackLayout) -> None:
    assert row_layout(config(multipack_real_batches=real_batches), 4) == layout


@pytest.mark.parametrize(
    ("keys", "bins"),
    [
        ({}, [[0, 3], [1, 4], [2, 5]]),
        ({"sample_packing_sequentially": True}, [[0, 1, 2], [3], [4], [5]]),
        ({"sample_packing_bin_size": 1}, [[0], [1], [2], [3], [4], [5]]),
        ({"multipack_real_batches": False}, [[0, 1, 3, 4], [2, 5]]),
    ],
)
def test_samples_that_share_a_row(keys: dict[str, Any], bins: list[list[int]]) -> None:
    packing = pack_lengths(config(**keys), LENGTHS, batch_size=2)
    assert [each.tolist() for each in packing.bins] == bins
