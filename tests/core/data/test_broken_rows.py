"""Broken rows on their way to training: an error that names the place, or left out, counted and told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data import load_samples, tokenize_rows
from ft_core.data.files import Skipped
from ft_core.errors import DataError

GOOD = json.dumps({"messages": [{"role": "user", "content": "2 + 2"}, {"role": "assistant", "content": "4"}]})
NO_LIST = '{"messages": 3}'
HALF = GOOD.replace("2 + 2", "\\ud83d 2")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def config_of(make_config: Callable[..., Config], *lines: str, **keys: Any) -> Config:
    Path("rows.jsonl").write_text("\n".join(lines) + "\n")
    return make_config({"path": "rows.jsonl"}, shuffle_merged_datasets=False, **keys)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("broken", "rows.jsonl line 2: not valid JSON (expected value at column 1)"),
        (NO_LIST, "rows.jsonl, row 2: 'messages' must be a list of messages, not a number."),
        (HALF, "rows.jsonl, row 2: A text holds \\ud83d, which is half of a character."),
    ],
)
def test_the_first_one_is_an_error(
    line: str, message: str, make_config: Callable[..., Config], tokenizer: Any
) -> None:
    with pytest.raises(DataError) as caught:
        load_samples(config_of(make_config, GOOD, line, GOOD), tokenizer)
    assert caught.value.message == message


@pytest.mark.parametrize("processes", [1, 2])
def test_or_they_are_left_out_counted_and_told(
    processes: int, make_config: Callable[..., Config], tokenizer: Any
) -> None:
    config = config_of(make_config, GOOD, "broken", GOOD, NO_LIST, HALF, GOOD, broken_rows="skip")
    for _ in ("made", "found in the cache"):
        samples = load_samples(config, tokenizer, processes=processes)
        assert [sample.row for sample in samples.train] == [0, 2, 5]
        assert samples.dropped == {"broken": 3}
        [warning] = samples.warnings[-1:]
        assert warning.startswith("3 broken rows are left out (broken_rows is skip): ")
        for place in ("rows.jsonl line 2: ", "rows.jsonl, row 4: ", "rows.jsonl, row 5: "):
            assert place in warning


def test_ten_are_told(make_config: Callable[..., Config], tokenizer: Any) -> None:
    config = config_of(make_config, GOOD, *["broken"] * 1000, *[NO_LIST] * 1000, broken_rows="skip")
    samples = load_samples(config, tokenizer)
    assert samples.dropped == {"broken": 2000}
    assert samples.warnings[-1].startswith("2,000 broken rows are left out")
    assert samples.warnings[-1].endswith(" ... and 1,990 more")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "broken",
            "There are no rows in 'rows.jsonl' (split train): all are broken, such as rows.jsonl line 2: ",
        ),
        (NO_LIST, "No sample is left to train on: 2 broken."),
    ],
)
def test_nothing_but_broken_rows_is_an_error(
    line: str, message: str, make_config: Callable[..., Config], tokenizer: Any
) -> None:
    with pytest.raises(DataError) as caught:
        load_samples(config_of(make_config, line, line, broken_rows="skip"), tokenizer)
    assert caught.value.message.startswith(message)


def test_the_policy_is_part_of_what_is_kept(make_config: Callable[..., Config], tokenizer: Any) -> None:
    lines = (GOOD, NO_LIST)
    load_samples(config_of(make_config, *lines, broken_rows="skip"), tokenizer)
    with pytest.raises(DataError, match="row 2"):
        load_samples(config_of(make_config, *lines), tokenizer)


def test_rows_that_are_looked_at(make_config: Callable[..., Config], tokenizer: Any) -> None:
    config, skipped = config_of(make_config, GOOD, broken_rows="skip"), Skipped()
    rows = [json.loads(line) for line in (GOOD, NO_LIST, GOOD)]
    samples = tokenize_rows(config, rows, tokenizer, first_row=7, skipped=skipped)
    assert [sample.row for sample in samples] == [7, 9]
    assert skipped.first[0].startswith("rows.jsonl, row 9: ")
