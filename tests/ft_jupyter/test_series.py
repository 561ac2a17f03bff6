"""Columns of a run: what is kept, what is thinned, what goes over the wire."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from ft_jupyter.widgets.series import STEP_COLUMNS, Series, buffers, thin


def test_a_row_holds_what_the_event_has_and_nan_for_the_rest() -> None:
    series = Series(STEP_COLUMNS)
    series.append({"type": "step", "step": 1, "loss": 2.5, "learning_rate": None, "tokens_per_second": 100})
    row = series.table()[:, 0].tolist()
    assert row[:2] == [1.0, 2.5]
    assert math.isnan(row[2])
    assert math.isnan(row[3])
    assert row[4] == 100.0


def test_the_table_can_start_at_a_later_row() -> None:
    series = Series(("step", "loss"))
    for step in range(4):
        series.append({"step": step, "loss": step * 10})
    assert series.table(2).tolist() == [[2.0, 3.0], [20.0, 30.0]]
    assert series.table(4).shape == (2, 0)


def test_a_step_taken_again_replaces_what_came_after_it() -> None:
    series = Series(("step", "loss"))
    assert [series.append({"step": step, "loss": step}) for step in (1, 2, 3)] == [False, False, False]
    assert series.append({"step": 2, "loss": 9}) is True
    assert series.table().tolist() == [[1.0, 2.0], [1.0, 9.0]]


def test_buffers_are_little_endian_float32_one_a_column() -> None:
    table = np.array([[1, 2], [0.5, np.nan]], dtype="f4")
    first, second = buffers(table)
    assert first == struct.pack("<2f", 1, 2)
    assert second[:4] == struct.pack("<f", 0.5)
    assert len(second) == 8


def test_a_short_table_is_not_thinned() -> None:
    table = np.arange(20, dtype="f4").reshape(2, 10)
    assert thin(table, 10) is table


@pytest.mark.parametrize("rows", [5001, 20_000, 100_000])
def test_thinning_keeps_every_columns_spike_and_both_ends_within_the_limit(rows: int) -> None:
    rng = np.random.default_rng(rows)
    table = rng.random((5, rows)).astype("f4")
    table[0] = np.arange(rows)
    places = {1: 1234, 2: 77, 3: rows - 2, 4: rows // 2}
    for column, place in places.items():
        table[column, place] = 50 + column
    kept = thin(table, 5000)
    assert kept.shape[1] <= 5000
    assert kept.shape[1] > 3000
    assert kept[0, 0] == 0
    assert kept[0, -1] == rows - 1
    assert (np.diff(kept[0]) > 0).all()
    for column, place in places.items():
        assert place in kept[0]
        assert kept[column].max() == 50 + column


def test_thinning_ignores_nan_and_survives_a_column_of_nothing_else() -> None:
    table = np.full((3, 100), np.nan, dtype="f4")
    table[0] = np.arange(100)
    table[1, 40:43] = 5, 9, 1
    kept = thin(table, 10)
    assert {41, 42} <= set(kept[0].tolist())
    assert kept.shape[1] <= 10
