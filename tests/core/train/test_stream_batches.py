"""Micro-batches of streamed rows: what is in them, where they end, and how a rank goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data.stream import SampleStream
from ft_core.errors import RunError
from ft_core.models.tokenizer import load_tokenizer
from ft_core.train.stream_batches import Position, StreamedRows, read_position

MakeConfig = Callable[..., Config]
Open = Callable[..., StreamedRows]

STREAM: dict[str, Any] = {"streaming": True, "streaming_multipack_buffer_size": 5, "max_steps": 4}


@pytest.fixture
def open_rows(make_config: MakeConfig) -> Open:
    """Return a function from keys to the streamed rows of twelve texts."""

    def make(rank: int = 0, world_size: int = 1, start: Position | None = None, **keys: Any) -> StreamedRows:
        config = make_config(**{**STREAM, **keys})
        stream = SampleStream(config, load_tokenizer(config), rank=rank, world_size=world_size)
        return StreamedRows(config, stream, pad_token_id=0, rank=rank, world_size=world_size, start=start)

    return make


def taken(rows: StreamedRows, count: int) -> list[list[Any]]:
    """Return the rows of the data in some micro-batches."""
    return [
        [[one.row for one in row] if isinstance(row, list) else row.row for row in batch]
        for batch in islice(rows, count)
    ]


def test_a_buffer_is_shuffled_by_the_seed(open_rows: Open) -> None:
    assert taken(open_rows(), 6) == taken(open_rows(), 6) != taken(open_rows(seed=7), 6)
    assert taken(open_rows(shuffle_merged_datasets=False), 4) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_every_pass_has_an_order_of_its_own(open_rows: Open) -> None:
    batches = taken(open_rows(micro_batch_size=1, streaming_multipack_buffer_size=12), 24)
    first, second = [[row for [row] in part] for part in (batches[:12], batches[12:])]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_pass_trains_every_row_once(open_rows: Open, packed: bool, world_size: int) -> None:
    """CORRECTNESS 21."""
    found: Counter[int] = Counter()
    for rank in range(world_size):
        rows = open_rows(
            rank,
            world_size,
            sample_packing=packed,
            sequence_len=32,
            micro_batch_size=1,
            pad_to_sequence_len=False,
        )
        for batch in rows:
            found.update(sample.row for row in batch for sample in (row if packed else [row]))
            if rows.position.place.passes:
                break
    assert found == Counter(range(12))


def test_packed_rows_are_no_longer_than_they_may_be(open_rows: Open) -> None:
    rows = open_rows(sample_packing=True, sequence_len=32, micro_batch_size=2, multipack_real_batches=True)
    for batch in islice(rows, 5):
        assert len(batch) == 2
        assert all(sum(map(len, row)) <= 32 for row in batch)
        assert rows.collate(batch)["input_ids"].shape == (2, 32)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3, 5, 8])
def test_the_next_batch_is_the_same_after_a_checkpoint(
    open_rows: Open, tmp_path: Path, make_config: MakeConfig, packed: bool, number: int
) -> None:
    """CORRECTNESS 16: in the middle of a buffer, at its end, and in a later pass."""
    keys = {"sample_packing": packed, "sequence_len": 32, "pad_to_sequence_len": False}
    whole = taken(open_rows(**keys), 12)
    rows = open_rows(**keys)
    assert taken(rows, number) == whole[:number]
    rows.save(tmp_path)
    start = read_position(tmp_path, make_config(**STREAM), rank=0, world_size=1)
    assert start == rows.position
    assert taken(open_rows(start=start, **keys), 12 - number) == whole[number:]


def test_a_position_at_the_end_of_a_buffer_needs_that_buffer_no_more(open_rows: Open) -> None:
    rows = open_rows(micro_batch_size=1)
    for count, _ in enumerate(islice(rows, 5), 1):
        assert (rows.position.place.buffers, rows.position.taken) == ((0, count) if count < 5 else (1, 0))


@pytest.mark.parametrize(
    ("rank", "world_size", "datasets", "message"),
    [
        (1, 2, 1, "does not say where in its stream rank 1 was."),
        (0, 2, 1, "was written by 1 ranks, and 2 would go on from it."),
        (0, 1, 2, "was written while 1 datasets were streamed, and the config names 2."),
    ],
)
def test_a_checkpoint_of_other_data(
    open_rows: Open,
    make_config: MakeConfig,
    rows: Path,
    tmp_path: Path,
    rank: int,
    world_size: int,
    datasets: int,
    message: str,
) -> None:
    open_rows().save(tmp_path)
    config = make_config(**STREAM, datasets=[{"path": str(rows), "type": "completion"}] * datasets)
    with pytest.raises(RunError) as caught:
        read_position(tmp_path, config, rank=rank, world_size=world_size)
    assert caught.value.message == f"'{tmp_path}' {message}"
