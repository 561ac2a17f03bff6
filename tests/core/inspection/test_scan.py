"""What a pass keeps of samples, and what is said of them beside each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft_core.errors import DataError
from ft_core.inspection.marks import longest, places_of
from ft_core.inspection.scan import NAMED, Columns, Scanned, ScanTable, columns_of, join
from ft_core.inspection.scanner import cause_of
from ft_core.inspection.summary import Dropped, RoleTokens, Summary, histogram

from .scanned import chat, config_of, scan, write_rows


def entry(place: int, ordinal: int = 0, length: int = 1) -> tuple[int, ...]:
    """Return the figures of a sample."""
    return (place, ordinal, length, 1, 0, 0, 0, place, place)


def test_columns_are_small_and_empty_ones_too() -> None:
    expected = {
        **dict.fromkeys(("place", "ordinal", "length", "trained", "cut"), np.int32),
        "flags": np.uint32,
        "dropped": np.uint8,
        "digest": np.uint64,
        "answer": np.uint64,
    }
    for columns in (columns_of([]), columns_of([entry(1)]), join([])):
        assert {each.name: getattr(columns, each.name).dtype for each in fields(Columns)} == expected


def test_batches_come_in_any_order_and_lie_in_that_of_the_places() -> None:
    table = ScanTable()
    assert len(table.columns()) == 0
    table.add(256, Scanned(columns_of([entry(256), entry(257)]), Counter(user=3)))
    table.add(0, Scanned(columns_of([entry(0), entry(0, 1)]), Counter(user=1, assistant=2)))
    assert table.columns().place.tolist() == [0, 0, 256, 257]
    assert table.columns().ordinal.tolist() == [0, 1, 0, 0]
    assert table.totals.roles == {"user": 4, "assistant": 2}
    assert table.version == 2


def test_the_first_broken_rows_are_named_whichever_batch_came_first() -> None:
    table = ScanTable()
    for first in (256, 0):
        errors = tuple((place, DataError(f"row {place}")) for place in range(first, first + NAMED))
        table.add(first, Scanned(columns_of([]), broken=errors))
    assert [place for place, _ in table.totals.broken] == list(range(NAMED))


def test_what_was_told_before_does_not_change_with_later_batches() -> None:
    table = ScanTable()
    table.add(0, Scanned(columns_of([entry(0)])))
    before = table.columns()
    table.add(1, Scanned(columns_of([entry(1)])))
    assert before.place.tolist() == [0]


def test_rows_are_listed_once_and_the_longest_first() -> None:
    columns = columns_of([entry(0, 0, 5), entry(1, 0, 9), entry(1, 1, 2), entry(2, 0, 7), entry(3, 0, 7)])
    assert longest(columns).tolist() == [1, 2, 3, 0]
    assert places_of(columns, columns.length > 1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "rows.jsonl line 3: not valid JSON (expected value at column 12)",
            "not valid JSON (expected value at column …)",
        ),
        ("No place.", "No place."),
        ("a.jsonl, row 7: refuses: twice", "refuses: twice"),
        ("x: " + "y" * 1000, "y" * 300),
    ],
)
def test_rows_of_the_same_fault_have_the_same_cause(message: str, cause: str) -> None:
    assert cause_of(DataError(message)) == cause


@pytest.mark.parametrize(
    ("lengths", "edges", "counts"),
    [
        ([], (), ()),
        ([7], (7, 8), (1,)),
        ([10, 11, 11, 12], (10, 11, 12, 13), (1, 2, 1)),
        ([0, 80], tuple(range(0, 88, 5)), (1, *[0] * 15, 1)),
        ([3, 4_000_000], (*range(0, 4_000_001, 100_000), 4_100_000), (1, *[0] * 39, 1)),
    ],
)
def test_bars_are_of_round_width_and_hold_every_length(
    lengths: list[int], edges: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    assert histogram(np.array(lengths, np.int32)) == (edges, counts)


def test_a_set_in_figures(tmp_path: Path, tokenizer: Any) -> None:
    rows = [chat("Hi.", "Hello."), chat("Hi.", ""), chat("Hi.", "Hello. " * 99), "{"]
    config = config_of(
        write_rows(tmp_path / "rows.jsonl", rows), sequence_len=64, sample_packing=True, micro_batch_size=1
    )
    assert scan(config, tokenizer).summary == Summary(
        samples=3,
        tokens=36 + 34 + 233,
        trained=3 + 200,
        kept=1,
        longest=233,
        edges=tuple(range(30, 236, 5)),
        counts=(1, 1, *[0] * 38, 1),
        roles=(RoleTokens("assistant", 203, 203), RoleTokens("template", 91, 0), RoleTokens("user", 9, 0)),
        dropped=(Dropped("nothing trained", 1), Dropped("longer than sequence_len", 1), Dropped("broken", 1)),
        fill=36 / 64,
        packed_rows=1,
    )


def test_a_known_row_is_the_sum_of_its_samples(tmp_path: Path, tokenizer: Any) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": " ".join(map(str, range(40)))}, {"text": ""}])
    results = scan(config_of(path, {"type": "completion"}, sequence_len=32), tokenizer)
    known = results.of_place(0)
    assert known is not None
    assert (known.length, known.trained, known.flags) == (110, 110, ())
    assert results.of_place(2) is None
    assert results.rows == 2
