"""``%ft preprocess``: the data of a config, ready and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_core.errors import DataError
from ft_jupyter.preprocess_card import Counting, PreprocessCard


def test_it_draws_what_there_is(shell: Any, config_of_four_rows: str) -> None:
    cell = shell.run(f"%ft preprocess {config_of_four_rows} --val-set-size 1")
    assert isinstance(cell.result, PreprocessCard)
    assert "4 rows, 4 samples, " in repr(cell.result)
    drawn = cell.result._repr_html_()
    assert "now kept in" in drawn
    assert drawn.count("<tr>") == 4
    assert "found in" in shell.run(f"%ft preprocess {config_of_four_rows}").result._repr_html_()


def test_a_variable_is_a_dataset(shell: Any, config_of_four_rows: str) -> None:
    shell.user_ns["numbers"] = [{"text": "<b>One two.</b>"}, {"text": "Three four."}]
    text = Path(config_of_four_rows).read_text()
    Path(config_of_four_rows).write_text(
        text[: text.index("datasets")] + "datasets:\n- path: $numbers\n  type: completion\n"
    )
    cell = shell.run(f"%ft preprocess {config_of_four_rows}")
    assert repr(cell.result).splitlines()[:2] == [
        "$numbers",
        "  2 rows, 2 samples, 14 tokens, 100.0% of them trained",
    ]


def test_a_wrong_row_is_a_sentence(shell: Any, config_of_four_rows: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": 5}\n')
    cell = shell.run(f"%ft preprocess {config_of_four_rows}")
    assert isinstance(cell.error, DataError)
    assert "Traceback" not in cell.printed


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((), "tokenizing 0 rows"),
        ((1500, None), "tokenizing 1,500 rows"),
        ((5, 10), "tokenizing 5 of 10 rows"),
    ],
)
def test_how_far_it_is(counts: tuple[int, ...], words: str) -> None:
    assert repr(Counting(*counts)) == words
    assert words in Counting(*counts)._repr_html_()
