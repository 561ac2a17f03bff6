"""``ft preprocess``: the data of a config, ready and told of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ft_core.cli.main import main


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> str:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"Number {number}."}) + "\n" for number in range(4)))
    file = tmp_path / "config.yml"
    file.write_text(
        f"base_model: {tiny_model}\nlearning_rate: 1e-4\ndatasets:\n- path: {rows}\n  type: completion\n"
    )
    return str(file)


def test_it_tells_what_there_is(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preprocess", config, "--val-set-size", "1"]) == 0
    first = capsys.readouterr()
    assert main(["preprocess", config, "--set", "val_set_size=1"]) == 0
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
    config: str, options: list[str], rows: int, with_ids: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preprocess", config, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(", row " in line for line in lines) == rows
    assert any(line.strip().replace(" ", "").isdigit() for line in lines) == with_ids


def test_a_wrong_row_is_a_sentence(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "One."}\n{"text": 5}\n')
    assert main(["preprocess", config]) == 1
    assert ", row 2: " in capsys.readouterr().err
