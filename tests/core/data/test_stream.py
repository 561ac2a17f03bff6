"""Samples as a stream: what a buffer holds, where it goes on, and that no row is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data import tokenize_rows
from ft_core.data.stream import Buffer, Place, SampleStream
from ft_core.errors import DataError

Open = Callable[..., SampleStream]

LENGTHS = {"a": 10, "b": 4}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that writes texts to a file of the working folder."""
    monkeypatch.chdir(tmp_path)

    def to_file(name: str, texts: list[str]) -> None:
        Path(f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))

    return to_file


@pytest.fixture
def open_stream(make_config: Callable[..., Config], tokenizer: Any, write: Callable[..., None]) -> Open:
    """Return a function that streams the files a (10 rows) and b (4 rows), two rows a window."""
    for name, count in LENGTHS.items():
        write(name, [f"{name}{number}" for number in range(count)])

    def make(
        names: str = "a", *, kind: Any = "completion", rank: int = 0, world_size: int = 1, **keys: Any
    ) -> SampleStream:
        entries = [{"path": f"{name}.jsonl", "type": kind} for name in names]
        keys = {"streaming": True, "max_steps": 5, "streaming_multipack_buffer_size": 2, **keys}
        config = make_config(datasets=entries, **keys)
        return SampleStream(config, tokenizer, rank=rank, world_size=world_size)

    return make


def names(buffer: Buffer) -> list[str]:
    """Return the samples of a buffer by dataset and row."""
    return [f"{sample.source[0]}{sample.row}" for sample in buffer.samples]


def first(stream: SampleStream, count: int, start: Place | None = None) -> list[Buffer]:
    return list(islice(stream.buffers(start or stream.begin), count))


def test_buffers_of_one_dataset(open_stream: Open) -> None:
    buffers = first(open_stream(streaming_multipack_buffer_size=4), 4)
    assert [names(each) for each in buffers] == [
        ["a0", "a1", "a2", "a3"],
        ["a4", "a5", "a6", "a7"],
        ["a8", "a9"],
        ["a0", "a1", "a2", "a3"],
    ]
    assert [(each.after.rows, each.after.passes, each.after.buffers) for each in buffers] == [
        ((4,), 0, 1),
        ((8,), 0, 2),
        ((0,), 1, 3),
        ((4,), 1, 4),
    ]
    assert [each.after.tally.samples for each in buffers] == [4, 8, 10, 14]


def test_datasets_are_read_side_by_side(open_stream: Open) -> None:
    buffers = first(open_stream("ab", streaming_multipack_buffer_size=3), 5)
    assert [names(each) for each in buffers] == [
        ["a0", "a1", "a2", "b0", "b1", "b2"],
        ["a3", "a4", "a5", "b3"],
        ["a6", "a7", "a8"],
        ["a9"],
        ["a0", "a1", "a2", "b0", "b1", "b2"],
    ]
    assert [each.after.rows for each in buffers] == [(3, 3), (6, None), (9, None), (0, 0), (3, 3)]


def test_datasets_that_are_not_mixed_follow_each_other(open_stream: Open) -> None:
    buffers = first(open_stream("ba", shuffle_merged_datasets=False, streaming_multipack_buffer_size=4), 4)
    assert [names(each) for each in buffers] == [
        ["b0", "b1", "b2", "b3"],
        ["a0", "a1", "a2", "a3"],
        ["a4", "a5", "a6", "a7"],
        ["a8", "a9"],
    ]


def test_every_place_gives_the_same_buffers_again(open_stream: Open) -> None:
    """CORRECTNESS 16."""
    stream = open_stream("ab", streaming_multipack_buffer_size=3)
    buffers = first(stream, 9)
    for number, buffer in enumerate(buffers):
        place = Place.from_dict(json.loads(json.dumps(buffer.before.to_dict())))
        again = first(stream, len(buffers) - number, place)
        assert [names(each) for each in again] == [names(each) for each in buffers[number:]]
        assert [each.after for each in again] == [each.after for each in buffers[number:]]


def test_samples_are_those_of_the_one_data_path(open_stream: Open, tokenizer: Any, make_config: Any) -> None:
    [buffer] = first(open_stream(streaming_multipack_buffer_size=10), 1)
    config = make_config({"type": "completion", "path": "a.jsonl"})
    expected = tokenize_rows(config, [{"text": f"a{number}"} for number in range(10)], tokenizer)
    for sample, other in zip(buffer.samples, expected, strict=True):
        assert sample.input_ids.tolist() == other.input_ids.tolist()
        assert sample.labels.tolist() == other.labels.tolist()
        assert (sample.spans, sample.row, sample.source) == (other.spans, other.row, other.source)


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_a_pass(open_stream: Open, world_size: int) -> None:
    """CORRECTNESS 21: every row of every dataset is some rank's, once in a pass."""
    found: Counter[str] = Counter()
    for rank in range(world_size):
        stream = open_stream("ab", rank=rank, world_size=world_size)
        for buffer in stream.buffers(stream.begin):
            if buffer.before.passes:
                break
            found.update(names(buffer))
    assert found == Counter([*(f"a{number}" for number in range(10)), *(f"b{number}" for number in range(4))])


def test_what_is_left_out_is_counted(open_stream: Open, write: Callable[..., None]) -> None:
    long = " ".join(["word"] * 20)
    write("a", ["one two", long, "", "three four", long])
    Path("a.jsonl").write_text(Path("a.jsonl").read_text() + "no\n")
    kind = {"field_instruction": "text", "field_output": "text", "format": "{instruction}"}
    stream = open_stream(kind=kind, sequence_len=16, broken_rows="skip", streaming_multipack_buffer_size=4)
    buffers = first(stream, 2)
    assert [[sample.row for sample in each.samples] for each in buffers] == [[0, 3], [0, 3]]
    tally = buffers[0].after.tally
    assert (tally.rows, tally.samples) == (5, 2)
    assert dict(tally.dropped) == {"longer than sequence_len": 2, "shorter than 2 tokens": 1, "broken": 1}
    assert tally.broken == ["a.jsonl line 6: not valid JSON (expected value at column 1)"]
    assert buffers[1].after.tally.rows == 10


@pytest.mark.parametrize(
    ("texts", "keys", "message", "fix"),
    [
        (
            ["", ""],
            {},
            "No sample is left to train on: 2 shorter than 2 tokens.",
            "Check that the rows hold text.",
        ),
        (
            ["one", "two"],
            {"world_size": 3, "rank": 2},
            "No row of 'a.jsonl' is left for rank 2 of 3.",
            "Train on fewer ranks, raise weight, or do without streaming.",
        ),
    ],
)
def test_nothing_to_train_on(
    open_stream: Open,
    write: Callable[..., None],
    texts: list[str],
    keys: dict[str, Any],
    message: str,
    fix: str,
) -> None:
    write("a", texts)
    with pytest.raises(DataError) as caught:
        first(open_stream(**keys), 1)
    assert (caught.value.message, caught.value.fix) == (message, fix)


def test_a_row_that_does_not_fit_is_named(open_stream: Open, write: Callable[..., None]) -> None:
    write("a", ["fine"])
    Path("a.jsonl").write_text('{"text": "fine"}\n{"text": 3}\n')
    with pytest.raises(DataError, match=r"a\.jsonl, row 2: 'text' must be text, not a number"):
        first(open_stream(), 1)


def test_all_rows_broken(open_stream: Open) -> None:
    Path("a.jsonl").write_text("no\n")
    with pytest.raises(DataError) as caught:
        first(open_stream(broken_rows="skip"), 1)
    assert caught.value.message == (
        "There are no rows in 'a.jsonl': all are broken, such as a.jsonl line 1: not valid JSON (expected value at column 1)."
    )


def test_a_closed_stream_ends(open_stream: Open) -> None:
    stream = open_stream()
    buffers = stream.buffers(stream.begin)
    next(buffers)
    stream.close()
    assert list(buffers) == []


def test_it_reads_no_further_than_it_must(open_stream: Open) -> None:
    """A second row of a stream that has no end is never asked for before the first is trained on."""
    with Path("a.jsonl").open("w") as file:
        file.write('{"text": "one"}\n{"text": "two"}\nno\n')
    assert names(first(open_stream(), 1)[0]) == ["a0", "a1"]
