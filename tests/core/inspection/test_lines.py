"""Rows read in blocks, and lines that need not be read: the same rows as one by one, and no match lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.errors import DataError
from ft_core.inspection.lines import open_lines
from ft_core.inspection.rows import RowList
from ft_core.inspection.search import line_matcher, matcher

from .scanned import config_of

LINES = ['\ufeff{"n": 0}', "", '{"n": 1}\r', "{", "   ", '{"n": "ü"}', "[]", '{"n": 5}']


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with a byte order mark, blank lines, broken ones, and no line break at its end."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(LINES), encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("split", ["train", "train[1:]", "train[2:4]", "train[-2:]"])
def test_a_block_of_lines_is_the_rows_that_are_read_one_by_one(path: Path, split: str) -> None:
    config = config_of(path, {"split": split})
    rows, lines = RowList(config), open_lines(config.datasets[0])
    assert lines is not None
    raw = lines.raw(0, len(rows))
    assert raw is not None
    assert len(raw) == len(rows)

    def alone(place: int) -> Any:
        try:
            return rows.row(place)
        except DataError as error:
            return error.message

    given = [lines.parse(line, place) for place, line in enumerate(raw)]
    told = [each.message if isinstance(each, DataError) else each for each in given]
    assert told == [alone(place) for place in range(len(rows))]


def test_a_file_that_is_gone_is_told(path: Path) -> None:
    lines = open_lines(config_of(path).datasets[0])
    assert lines is not None
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        lines.raw(0, 1)


@pytest.mark.parametrize(
    ("name", "text", "dataset"),
    [
        ("rows.json", '[{"n": 1}]', {}),
        ("rows.csv", "n\n1\n", {}),
        ("rows.jsonl", '{"n": 1}\n{"n": 2}\n', {"weight": 0.5}),
        ("rows.jsonl", '{"n": 1}\n{"n": 2}\n', {"shards": 2}),
    ],
)
def test_other_rows_are_read_one_by_one(
    tmp_path: Path, name: str, text: str, dataset: dict[str, Any]
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert open_lines(config_of(path, dataset).datasets[0]) is None


TEXTS = st.text(st.sampled_from('aA sSkKß\u017f\u212aéÉ\\"/\n\t\u2028{}<'), max_size=6)


@given(TEXTS, TEXTS.filter(bool), st.booleans())
def test_no_row_that_holds_a_text_is_passed_over(text: str, wanted: str, ascii_only: bool) -> None:
    row = {"messages": [{"content": text}]}
    line = json.dumps(row, ensure_ascii=ascii_only).encode()
    if matcher(wanted)(row):
        assert line_matcher(wanted)(line)


@pytest.mark.parametrize("text", ["a \u212a in it", "so \u017f", "\u00c9"])
def test_letters_that_are_others_in_lower_case_are_looked_for_in_the_row_itself(text: str) -> None:
    assert line_matcher("k")(json.dumps({"a": text}, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("wanted", "row", "holds"),
    [
        ("four", {"a": [{"b": "Fourteen"}]}, True),
        ("b", {"a": [{"b": "Fourteen"}]}, False),
        ("14", {"a": 14}, False),
        ("É", {"a": "né"}, True),
        ('say "no"', {"a": 'They SAY "No".'}, True),
    ],
)
def test_texts_are_searched_and_keys_and_numbers_are_not(
    wanted: str, row: dict[str, Any], holds: bool
) -> None:
    assert matcher(wanted)(row) == holds
