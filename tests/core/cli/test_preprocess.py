"""``ft preprocess``: the data of a config, ready and told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_core.cli.main import main


def test_it_tells_what_there_is(config_of_four_rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preprocess", config_of_four_rows, "--val-set-size", "1"]) == 0
    first = capsys.readouterr()
    assert main(["preprocess", config_of_four_rows, "--set", "val_set_size=1"]) == 0
    second = capsys.readouterr()

    lines = first.out.splitlines()
    assert lines[1].startswith("  4 rows, 4 samples, ")
    assert lines[2].startswith("  now kept in ")
    assert second.out.splitlines()[2] == lines[2].replace("now kept in", "found in")
    assert lines[3].startswith("to train on     3 samples, ")
    assert lines[4].startswith("to evaluate on  1 samples, ")
    assert first.err == ""


@pytest.mark.parametrize(
    ("options", "rows", "with_ids"),
    [
        ([], 0, False),
        (["--debug"], 4, True),
        (["--debug", "--debug-num-examples", "2"], 2, True),
        (["--debug", "--debug-text-only"], 4, False),
    ],
)
def test_debug_shows_samples(
    config_of_four_rows: str,
    options: list[str],
    rows: int,
    with_ids: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["preprocess", config_of_four_rows, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(", row " in line for line in lines) == rows
    assert any(line.strip().replace(" ", "").isdigit() for line in lines) == with_ids


def test_a_wrong_row_is_a_sentence(
    config_of_four_rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "One."}\n{"text": 5}\n')
    assert main(["preprocess", config_of_four_rows]) == 1
    assert ", row 2: " in capsys.readouterr().err
