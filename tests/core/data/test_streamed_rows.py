"""Rows as a stream: which rank gets which, and where reading goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.config.schema.dataset import Dataset
from ft_core.data.streamed_rows import RowStream, Window
from ft_core.errors import DataError

Stream = Callable[..., RowStream]


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stream:
    """Return a function from a number of rows and keys of the dataset to a stream of them."""
    monkeypatch.chdir(tmp_path)

    def make(count: int, *, rank: int = 0, world_size: int = 1, size: int = 2, **keys: Any) -> RowStream:
        Path("rows.jsonl").write_text(
            "".join(json.dumps({"text": str(number)}) + "\n" for number in range(count))
        )
        dataset = Dataset(**{"path": "rows.jsonl", "type": "completion", **keys})
        return RowStream(dataset, rank=rank, world_size=world_size, seed=42, size=size)

    return make


def told(window: Window) -> tuple[list[int], int, bool]:
    """Return a window as the numbers of its rows, its end, and whether it is the last."""
    assert [row["text"] for _, row in window.rows] == [str(number) for number, _ in window.rows]
    return [number for number, _ in window.rows], window.end, window.last


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (0, [([0, 2, 4, 6], 8, False), ([8], 10, True)]),
        (1, [([1, 3, 5, 7], 8, False), ([9], 10, True)]),
    ],
)
def test_ranks_take_turns(stream: Stream, rank: int, expected: list[Any]) -> None:
    assert [told(each) for each in stream(10, rank=rank, world_size=2, size=4).windows()] == expected


def test_a_pass_that_ends_with_a_window_has_an_empty_one_more(stream: Stream) -> None:
    assert [told(each) for each in stream(4).windows()] == [
        ([0, 1], 2, False),
        ([2, 3], 4, False),
        ([], 4, True),
    ]


def test_reading_goes_on_where_a_window_ended(stream: Stream) -> None:
    rows = stream(7)
    assert [told(each) for each in rows.windows(4)] == [told(each) for each in rows.windows()][2:]


@pytest.mark.parametrize(
    ("keys", "numbers"),
    [
        ({"skip": 3}, [3, 4, 5, 6, 7]),
        ({"split": "train[2:5]"}, [2, 3, 4]),
        ({"split": "train[2:5]", "skip": 1}, [3, 4]),
        ({"split": "train[:50%]"}, [0, 1, 2, 3]),
        ({"shards": 3}, [0, 3, 6]),
        ({"shards": 3, "shards_idx": 2}, [2, 5]),
        ({"weight": 0.5}, [0, 3, 7]),
    ],
)
def test_which_rows_are_streamed(stream: Stream, keys: dict[str, Any], numbers: list[int]) -> None:
    found = [number for each in stream(8, **keys).windows() for number, _ in each.rows]
    assert found == numbers


def test_shards_are_shared_among_ranks(stream: Stream) -> None:
    """Else every row of the even shard would be rank 0's."""
    found = [
        [
            number
            for each in stream(12, rank=rank, world_size=2, shards=2).windows()
            for number, _ in each.rows
        ]
        for rank in (0, 1)
    ]
    assert found == [[0, 4, 8], [2, 6, 10]]


def test_a_weight_leaves_out_about_its_share(stream: Stream) -> None:
    taken = sum(len(each.rows) for each in stream(4000, weight=0.25, size=100).windows())
    assert taken == pytest.approx(1000, rel=0.05)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 40),
    world_size=st.integers(1, 4),
    size=st.integers(1, 5),
    shards=st.integers(1, 3),
)
def test_ranks_share_all_rows(count: int, world_size: int, size: int, shards: int) -> None:
    """CORRECTNESS 21: no row is lost, none is trained twice, and every rank ends each window at the same row."""
    from ft_core.config.tables import Table

    values = [{"text": str(number)} for number in range(count)]
    table = Dataset(path="$rows", type="completion", shards=shards).with_table(Table("rows", values))
    passes = [
        list(RowStream(table, rank=rank, world_size=world_size, seed=1, size=size).windows())
        for rank in range(world_size)
    ]
    assert len({tuple((each.end, each.last) for each in windows) for windows in passes}) == 1
    found = sorted(number for windows in passes for each in windows for number, _ in each.rows)
    assert found == list(range(0, count, shards))


def test_parquet_is_read_in_groups(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"text": [str(number) for number in range(9)]}), file, row_group_size=2)
    rows = RowStream(Dataset(path=str(file), type="completion"), rank=0, world_size=1, seed=1, size=3)
    assert [told(each) for each in rows.windows(6)] == [([6, 7, 8], 9, False), ([], 9, True)]


@pytest.mark.parametrize(
    ("keys", "split", "fix"),
    [
        ({"split": "train[2:]"}, "train[2:]", "Lower skip, or check the split."),
        ({"skip": 2}, "train", "Lower skip, or check the split."),
        ({"split": "train[:0]"}, "train[:0]", "Check the path, the split and the file."),
    ],
)
def test_no_rows(stream: Stream, keys: dict[str, Any], split: str, fix: str) -> None:
    with pytest.raises(DataError) as caught:
        list(stream(2, **keys).windows())
    assert caught.value.message == f"There are no rows in 'rows.jsonl' (split {split})."
    assert caught.value.fix == fix


def test_a_broken_row_is_an_error_or_counted(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a"}\nno\n{"text": "b"}\nnor\n')
    dataset = Dataset(path=str(file), type="completion")
    with pytest.raises(DataError, match=r"rows.jsonl line 2: not valid JSON"):
        list(RowStream(dataset, rank=1, world_size=2, seed=1, size=4).windows())
    # The broken rows are rank 1's, and counted there alone.
    counts = []
    for rank in (0, 1):
        rows = RowStream(dataset, rank=rank, world_size=2, seed=1, size=4, skip_broken=True)
        counts.append(
            [(len(each.rows), each.skipped.total if each.skipped else None) for each in rows.windows()]
        )
    assert counts == [[(2, 0)], [(0, 2)]]
