"""One row: the samples that training makes of it, or why there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft_core.data.prepare import load_samples
from ft_core.inspection.look import Looked, Looker
from ft_core.inspection.rows import RowList

from .scanned import chat, config_of, write_rows


def look_at(path: Path, tokenizer: Any, place: int, dataset: Any = None, **keys: Any) -> Looked:
    """Return a row of a file."""
    config = config_of(path, dataset, **keys)
    return Looker(config, tokenizer, RowList(config)).look(place)


def test_the_samples_are_those_that_training_gets(dictionary: Path, tokenizer: Any) -> None:
    config = config_of(dictionary, shuffle_merged_datasets=False, val_set_size=0)
    looker = Looker(config, tokenizer, RowList(config))
    trained = load_samples(config, tokenizer, processes=1).train
    for place in range(0, 817, 51):
        [looked] = looker.look(place).samples
        assert looked.dropped is None
        np.testing.assert_array_equal(looked.sample.input_ids, trained[place].input_ids)
        np.testing.assert_array_equal(looked.sample.labels, trained[place].labels)


def test_a_row_comes_with_its_number_its_dataset_and_its_flags(tmp_path: Path, tokenizer: Any) -> None:
    rows = [chat("Hi.", "Hello."), chat("Hi.", "")]
    looked = look_at(write_rows(tmp_path / "rows.jsonl", rows), tokenizer, 1)
    assert (looked.place, looked.dataset, looked.number, looked.row) == (1, 0, 1, rows[1])
    [sample] = looked.samples
    assert sample.dropped == "nothing trained"
    assert sample.flags == ("nothing_trained", "empty_turn")


def test_a_long_text_is_several_samples(tmp_path: Path, tokenizer: Any) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"text": " ".join(map(str, range(40)))}])
    looked = look_at(path, tokenizer, 0, {"type": "completion"}, sequence_len=32)
    assert [len(each.sample) for each in looked.samples] == [32, 32, 32, 14]


@pytest.mark.parametrize(
    ("line", "number", "message"),
    [
        ("{", None, "line 1: not valid JSON"),
        (json.dumps({"text": "x"}), 0, "there is no field 'messages'"),
        (json.dumps({"messages": "x"}), 0, "row 1: 'messages' is text that is not valid JSON"),
        (json.dumps(chat("\ud83d", "x")), 0, "half of a character"),
    ],
)
def test_a_row_that_is_none_comes_with_the_reason(
    tmp_path: Path, tokenizer: Any, line: str, number: int | None, message: str
) -> None:
    looked = look_at(write_rows(tmp_path / "rows.jsonl", [line, line]), tokenizer, 0)
    assert looked.samples == ()
    assert looked.number == number
    assert (looked.row is None) == (number is None)
    assert looked.error is not None
    assert message in looked.error.message


def test_a_row_that_lacks_a_column_which_others_have_is_read_as_training_reads_it(
    tmp_path: Path, tokenizer: Any
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"note": "x"}, {"text": "y"}])
    looked = look_at(path, tokenizer, 0, {"type": "completion"})
    assert looked.error is None
    assert [len(each.sample) for each in looked.samples] == [0]


def test_a_function_of_the_user_that_fails_is_the_rows_error(tmp_path: Path, tokenizer: Any) -> None:
    code = tmp_path / "reads.py"
    code.write_text("def read(row):\n    return {'text': row['n'] / 0}\n", encoding="utf-8")
    path = write_rows(tmp_path / "rows.jsonl", [{"n": 1}])
    looked = look_at(path, tokenizer, 0, {"type": f"{code}:read"})
    assert looked.samples == ()
    assert looked.error is not None
    assert "division by zero" in looked.error.message
