"""Places: the rows of all datasets under one count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ft_core.errors import DataError
from ft_core.inspection.rows import Batch, RowList, batches, one_line

from .scanned import chat, config_of, write_rows


@pytest.fixture
def rows(tmp_path: Path) -> RowList:
    """Return three rows to train on, of two files, and two to evaluate on, of which one is broken."""
    first = write_rows(tmp_path / "first.jsonl", [chat("One?", "1"), chat("Two?", "2")])
    second = write_rows(tmp_path / "second.jsonl", [chat("Three?", "3")])
    last = write_rows(tmp_path / "last.jsonl", [chat("Four?", "4"), "{"])
    datasets = [{"path": str(path), "type": "chat_template"} for path in (first, second)]
    config = config_of(
        first, datasets=datasets, test_datasets=[{"path": str(last), "type": "chat_template"}], val_set_size=0
    )
    return RowList(config)


def test_places_count_through_all_datasets_those_for_evaluation_last(rows: RowList) -> None:
    assert len(rows) == 5
    assert [(each.purpose, each.first, each.count) for each in rows.datasets] == [
        ("train", 0, 2),
        ("train", 2, 1),
        ("evaluate", 3, 2),
    ]
    assert [rows.locate(place) for place in range(5)] == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]
    assert [rows.row(place) for place in (1, 3)] == [(1, chat("Two?", "2")), (0, chat("Four?", "4"))]


@pytest.mark.parametrize("place", [-1, 5])
def test_a_place_beyond_the_rows_is_none(rows: RowList, place: int) -> None:
    with pytest.raises(IndexError):
        rows.row(place)


def test_a_broken_row_says_why_and_leaves_the_others_alone(rows: RowList) -> None:
    with pytest.raises(DataError, match="line 2: not valid JSON"):
        rows.row(4)
    assert rows.preview(3) == "Four?"


def test_batches_are_those_that_training_reads_and_never_cross_datasets(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [chat("Why?", str(n)) for n in range(300)])
    datasets = [{"path": str(path), "type": "chat_template"}] * 2
    assert batches(RowList(config_of(path, datasets=datasets))) == [
        Batch(0, 0, 256),
        Batch(0, 256, 300),
        Batch(1, 300, 556),
        Batch(1, 556, 600),
    ]


@pytest.mark.parametrize(
    ("row", "preview"),
    [
        (chat("Why\n\tso?", "So."), "Why so?"),
        ({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]}, "U"),
        ({"messages": [{"role": "assistant", "content": "A"}]}, "A"),
        ({"messages": [{"from": "human", "value": "H"}]}, "H"),
        ({"messages": [{"role": "user", "content": [{"text": "é"}]}]}, '[{"text": "é"}]'),
        ({"messages": [], "other": "O"}, "O"),
        ({"instruction": "Do", "output": "Done"}, "Do"),
        ({"text": "  ", "note": "N"}, "N"),
        ({"n": 1}, '{"n": 1}'),
        ({"text": "<script>alert(1)</script>\u001b[31m\u202e"}, "<script>alert(1)</script>\u001b[31m\u202e"),
        ({"text": "half \ud83d of one"}, "half \ud83d of one"),
        ({}, "{}"),
    ],
)
def test_a_preview_is_what_a_row_is_about(tmp_path: Path, row: dict[str, Any], preview: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [json.dumps(row)])
    assert RowList(config_of(path)).preview(0) == preview


@pytest.mark.parametrize(
    ("text", "width", "line"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("two words", 6, "two w…"),
        ("x" * 10_000_000, 4, "xxx…"),
        (" " * 10_000 + "x", 4, "…"),
    ],
)
def test_a_line_is_at_most_so_wide(text: str, width: int, line: str) -> None:
    assert one_line(text, width) == line
