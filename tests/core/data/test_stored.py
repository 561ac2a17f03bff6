"""Samples that went into a file come out of it as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ft_core.data import Sample, Span
from ft_core.data.arrow import BlockWriter, to_block
from ft_core.data.document import Author, Authors
from ft_core.data.labelled import Labelled
from ft_core.data.stored import SampleTable, StoredSamples


def sample(ids: list[int], labels: list[int], *spans: Span, row: int = 0, cut: int = 0) -> Labelled:
    return Labelled(
        np.array(ids, np.int32),
        np.array(labels, np.int32),
        np.array([span.end for span in spans], np.int32),
        np.arange(len(spans), dtype=np.int32),
        Authors(tuple(Author(span.role, span.turn, span.trained, span.rule) for span in spans)),
        np.array([len(span.text) for span in spans], np.int32),
        "".join(span.text for span in spans),
        row,
        "rows.jsonl",
        cut,
    )


CHAT = sample(
    [1, 5, 6, 2],
    [-100, -100, 6, 2],
    Span(0, 2, "user", 0, False, "masked: role user is not in roles_to_train", "Ähm 😀"),
    Span(2, 4, "assistant", 1, True, "trained: role assistant is in roles_to_train", "4"),
    row=7,
    cut=3,
)
EMPTY = sample([], [], row=8)
STEPS = sample([3, 4], [-100, 1], Span(0, 2, "text", None, True, "trained: label of the step", ""), row=2**40)


def stored(*blocks: Sequence[Labelled], path: str = "rows.jsonl") -> SampleTable:
    buffer = pa.BufferOutputStream()
    writer = BlockWriter(buffer)
    for block in blocks:
        writer.write(to_block(block))
    reasons = writer.close()
    return SampleTable(buffer.getvalue(), reasons, path)


def facts(sample: Sample) -> tuple[Any, ...]:
    ids, labels = sample.input_ids.tolist(), sample.labels.tolist()
    return ids, labels, sample.spans, sample.row, sample.source, sample.cut


@pytest.mark.parametrize(
    "blocks",
    [
        [[CHAT, EMPTY, STEPS]],
        [[CHAT], [STEPS, CHAT], [EMPTY]],
        [[], [EMPTY, STEPS], [], [CHAT]],
        [[STEPS], [CHAT], [STEPS]],
        [],
    ],
)
def test_what_comes_out_is_what_went_in(blocks: list[list[Labelled]]) -> None:
    table = stored(*blocks)
    given = [each.sample() for block in blocks for each in block]

    assert [facts(table.sample(index)) for index in range(len(table))] == [facts(each) for each in given]
    assert table.lengths.tolist() == [len(each) for each in given]
    assert table.trained.tolist() == [each.trained for each in given]
    assert table.cut.tolist() == [each.cut for each in given]


def test_arrays_are_int32_and_cannot_be_written() -> None:
    out = stored([CHAT]).sample(0)

    assert (out.input_ids.dtype, out.labels.dtype) == (np.int32, np.int32)
    with pytest.raises(ValueError, match="read-only"):
        out.input_ids[0] = 9


def test_the_source_is_that_of_the_reader() -> None:
    """The same bytes may lie at another path."""
    assert stored([CHAT], path="copy.jsonl").sample(0).source == "copy.jsonl"


def test_a_file_that_was_not_written_to_its_end_is_refused() -> None:
    buffer = pa.BufferOutputStream()
    BlockWriter(buffer).write(to_block([CHAT]))

    with pytest.raises(pa.ArrowInvalid):
        SampleTable(buffer.getvalue(), (), "rows.jsonl")


class TestOrder:
    tables = (stored([CHAT], [EMPTY]), stored(), stored([STEPS], path="other.jsonl"))

    def test_all_tables_follow_each_other(self) -> None:
        samples = StoredSamples(self.tables)

        assert [(each.row, each.source) for each in samples] == [
            (7, "rows.jsonl"),
            (8, "rows.jsonl"),
            (2**40, "other.jsonl"),
        ]

    def test_it_may_be_another(self) -> None:
        samples = StoredSamples(self.tables, np.array([2, 0, 2, 1]))

        assert [each.row for each in samples] == [2**40, 7, 2**40, 8]
        assert samples.lengths.tolist() == [2, 4, 2, 0]
        assert samples.trained.tolist() == [1, 2, 1, 0]
        assert samples.cut.tolist() == [0, 3, 0, 0]
        assert [each.row for each in samples[1:3]] == [7, 2**40]
        assert [each.row for each in samples.take(np.array([3, 1]))] == [8, 7]
        assert (samples[-1].row, len(samples), len(samples[4:])) == (8, 4, 0)

    def test_there_is_an_end(self) -> None:
        with pytest.raises(IndexError):
            StoredSamples(self.tables)[3]
