"""A variable of the notebook as a dataset, from the cell to a run that needs no notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

import ft_jupyter as ft
from ft_core.cli.main import main
from ft_core.config import ConfigError, load_config
from ft_core.errors import DataError
from ft_jupyter.widgets.inspector import InspectorView


@pytest.fixture
def rows(dictionary: Path) -> list[dict[str, Any]]:
    """Return twelve chats."""
    return [json.loads(line) for line in dictionary.read_text("utf-8").splitlines()[:12]]


@pytest.fixture
def yaml(yaml: str, dictionary: Path) -> str:
    """Return the YAML of a run that takes seconds, on the variable ``df``."""
    return yaml.replace(str(dictionary), "$df")


def told(shown: InspectorView) -> str:
    """Return the first samples as text, once there are some."""
    shown.wait()
    return repr(shown)


def plain(printed: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()


def test_plan_counts_and_inspect_shows_and_nothing_is_written(
    shell: Any, yaml: str, rows: list[dict[str, Any]], runs_root: Path, tmp_path: Path
) -> None:
    shell.user_ns["df"] = pd.DataFrame(rows)
    plan = shell.run(f"%%finetune --plan\n{yaml}").result
    assert "\nrows       12 (" in repr(plan)
    shown = shell.run(f"%%finetune --inspect\n{yaml}").result
    assert isinstance(shown, InspectorView)
    assert told(shown).startswith("First samples of $df: 12 rows · chat_template\nRow 1: ")

    file = tmp_path / "df.yml"
    file.write_text(yaml)
    assert repr(shell.run(f"%ft plan {file}").result) == repr(plan)
    assert told(shell.run(f"%ft inspect {file}").result) == told(shown)

    config = load_config(yaml, variables={"df": rows})
    assert repr(ft.plan(config)) == repr(plan)
    assert told(ft.inspect(config)) == told(shown)
    assert shown.findings.equals(ft.inspect(config).findings)
    assert not runs_root.exists()


def test_the_object_itself_is_the_path_in_python(yaml: str, rows: list[dict[str, Any]]) -> None:
    config = load_config(yaml, variables={"df": rows}).model_dump(include={"base_model", "learning_rate"})
    shown = ft.inspect({**config, "datasets": [{"path": rows, "type": "chat_template"}]})
    assert told(shown).startswith("First samples of $datasets_0: 12 rows · chat_template\nRow 1: ")


def test_what_is_no_table_is_told_with_the_cells_line(shell: Any, yaml: str, launches: Any) -> None:
    shell.user_ns["df"] = 3
    cell = shell.run(f"%%finetune\n{yaml}")
    assert isinstance(cell.error, ConfigError)
    assert plain(cell.printed)[:3] == [
        "line 4, column 11: the variable 'df' is an int, which is no table of rows",
        "      - path: $df",
        "              ^",
    ]
    assert launches.asked == []


def test_a_value_that_cannot_be_written_is_told_before_anything_starts(
    shell: Any, yaml: str, rows: list[dict[str, Any]], runs_root: Path
) -> None:
    shell.user_ns["df"] = [*rows, {"messages": rows[0]["messages"], "tags": {"a"}}]
    cell = shell.run(f"%%finetune joker\n{yaml}")
    assert isinstance(cell.error, DataError)
    assert plain(cell.printed)[0] == "$df, row 13, column 'tags': a set cannot be written as JSON."
    assert "joker" not in shell.user_ns
    assert not runs_root.exists()


def test_a_run_on_a_variable_is_whole_by_itself(
    shell: Any,
    yaml: str,
    rows: list[dict[str, Any]],
    runs_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell.user_ns.update(
        df=pd.DataFrame(rows), held=datasets.DatasetDict(test=datasets.Dataset.from_list(rows[:2]))
    )
    body = yaml + "test_datasets: [{path: $held, split: test, type: chat_template}]\n"
    shown = shell.run(f"%%finetune --inspect\n{body}").result
    cell = shell.run(f"%%finetune joker --wait\n{body}")
    assert cell.error is None
    run = shell.user_ns["joker"]
    assert (run.state, run.plan["train_rows"], run.plan["eval_rows"]) == ("completed", 12, 2)
    assert run.config_text == body
    data = run.directory / "data"
    assert [json.loads(line) for line in (data / "df.jsonl").read_text("utf-8").splitlines()] == rows
    resolved = load_config(run.directory / "resolved.yaml")
    assert [entry.path for entry in resolved.all_datasets] == [
        str(data / "df.jsonl"),
        str(data / "held-test.jsonl"),
    ]

    # Neither the variables nor the folder matter any more.
    monkeypatch.chdir(tmp_path)
    del shell.user_ns["df"], shell.user_ns["held"]
    again = shell.run("%ft inspect joker").result
    assert told(again).splitlines()[1:] == told(shown).splitlines()[1:]
    assert main(["train", str(run.directory / "resolved.yaml"), "--name", "again", "--max-steps", "1"]) == 0
    assert ft.attach("again").state == "completed"
