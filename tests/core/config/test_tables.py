"""Notebook variables that hold rows, as the path of a dataset."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from ft_core.config import Config, ConfigError, load_config
from ft_core.config.tables import Table, kind_of

TEXT = """\
base_model: org/model
learning_rate: 2e-4
datasets:
  - path: $df
    type: completion
"""
ROWS = [{"text": "one"}, {"text": "two"}]
FRAME = pd.DataFrame(ROWS)
DATASET = datasets.Dataset.from_list(ROWS)
USE = "use a pandas or polars DataFrame, a list of dicts, a datasets.Dataset or a pyarrow Table, or the path of a file"


class PolarsFrame:
    """What a frame of polars looks like."""

    columns = ("text",)

    def __len__(self):
        return 2

    def to_dicts(self):
        return ROWS

    def iter_rows(self, *, named):
        assert named
        return iter(ROWS)


class Frame(pd.DataFrame):
    """A frame with more to it, as geopandas makes one."""


@pytest.mark.parametrize("written", ["$df", "${df}", "'$df'"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (FRAME, "pandas"),
        (Frame(FRAME), "pandas"),
        (ROWS, "list"),
        (tuple(ROWS), "list"),
        (DATASET, "datasets"),
        (datasets.DatasetDict(train=DATASET), "splits"),
        (pa.Table.from_pylist(ROWS), "arrow"),
        (PolarsFrame(), "polars"),
    ],
)
def test_a_variable_with_rows_is_the_path_of_a_dataset(written, value, kind):
    config = load_config(TEXT.replace("$df", written), variables={"df": value})
    (dataset,) = config.datasets
    assert (dataset.path, dataset.table, kind_of(value)) == ("$df", Table("df", value), kind)
    assert config.origin("datasets[0].path").line == 4


def test_a_variable_with_text_is_a_path_as_before(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "one"}\n')
    for value in (file, str(file)):
        (dataset,) = load_config(TEXT, variables={"df": value}).datasets
        assert (dataset.path, dataset.table) == (str(file), None)


@pytest.mark.parametrize(
    ("value", "message", "fix"),
    [
        (3, "is an int, which is no table of rows", USE),
        (print, "is a builtin_function_or_method, which is no table of rows", USE),
        (torch.zeros(2, 2), "is a Tensor, which is no table of rows", USE),
        (np.zeros((2, 2)), "is a ndarray, which is no table of rows", USE),
        (FRAME["text"], "is a Series, which is no table of rows", USE),
        ({"text": ["one"]}, "is a dict, which is no table of rows", USE),
        (torch.utils.data.TensorDataset(), "is a TensorDataset, which is no table of rows", USE),
        (["a.jsonl"], "is a list whose row 1 is a str, not a dict", USE),
        ([ROWS[0], None], "is a list whose row 2 is a NoneType, not a dict", USE),
        (
            DATASET.to_iterable_dataset(),
            "is an IterableDataset, which streams its rows; that is not supported yet",
            "load it without streaming, or take rows from it: rows = list(stream.take(1000))",
        ),
        ([], "has no rows", "put at least one row into it"),
        (pd.DataFrame(), "has no rows", "put at least one row into it"),
        (FRAME[:0], "has no rows", "put at least one row into it"),
        (DATASET.select([]), "has no rows", "put at least one row into it"),
        (datasets.DatasetDict(train=DATASET.select([])), "has no rows", "put at least one row into it"),
        (
            pd.DataFrame([["a", "b"]]),
            "has a column that is called 0; the name of a column must be text",
            "rename it, or all of them: df.columns = [str(name) for name in df.columns]",
        ),
        (
            pd.DataFrame([["a"]], columns=pd.MultiIndex.from_tuples([("a", "b")])),
            "has a column that is called ('a', 'b'); the name of a column must be text",
            "rename it, or all of them: df.columns = [str(name) for name in df.columns]",
        ),
        (
            [ROWS[0], {7: "a"}],
            "has the key 7 in row 2; the name of a column must be text",
            "rename it",
        ),
        (
            pd.DataFrame([["a", "b"]], columns=["text", "text"]),
            "has 2 columns 'text'",
            "rename them, or drop all but one",
        ),
        (
            pa.table([["a"], ["b"]], names=["text", "text"]),
            "has 2 columns 'text'",
            "rename them, or drop all but one",
        ),
    ],
)
def test_what_is_no_table_is_told_at_its_line(errors, value, message, fix):
    assert errors(TEXT, variables={"df": value}, first_line=2) == [
        (5, 11, f"the variable 'df' {message}", fix)
    ]


def test_an_unknown_table_is_told_with_a_near_name(errors):
    assert errors(TEXT, variables={"dfs": FRAME}) == [
        (
            4,
            11,
            "there is no variable 'df'; did you mean 'dfs'?",
            "define df in an earlier cell, or write the value itself",
        )
    ]


@pytest.mark.parametrize("line", ["output_dir: $df", "lora_target_modules: [$df]"])
def test_a_table_has_no_business_elsewhere(errors, line):
    assert errors(f"{TEXT}adapter: lora\n{line}\n", variables={"df": FRAME}) == [
        (
            7,
            line.index("$") + 1,
            "the variable 'df' is a DataFrame, which a config cannot hold",
            "use a text, number, list or dict; a data frame or dataset can be the path of a dataset: '- path: $rows'",
        )
    ]


def test_a_table_cannot_stand_inside_text(errors):
    [(line, _, message, _)] = errors(TEXT.replace("$df", "x-${df}"), variables={"df": FRAME})
    assert (line, message) == (4, "the variable 'df' is a DataFrame, which a config cannot hold")


@pytest.mark.parametrize("key", ["name: en", "data_files: a.jsonl", "ds_type: json"])
def test_keys_that_say_where_rows_are_read_from_are_refused(errors, key):
    name = key.partition(":")[0]
    assert errors(f"{TEXT}    {key}\n", variables={"df": FRAME}) == [
        (
            6,
            5,
            f"'{name}' says where rows are read from, and 'path: $df' holds them already",
            "remove the line",
        )
    ]


def test_a_variable_that_an_alias_shows_again_is_each_time_what_its_place_needs():
    text = TEXT.replace("- path: $df", "- &rows\n    path: &path $df") + "test_datasets: [*rows]\n"
    config = load_config(text, variables={"df": FRAME})
    assert [(entry.path, entry.table) for entry in config.all_datasets] == [("$df", Table("df", FRAME))] * 2
    with pytest.raises(ConfigError) as caught:
        load_config(text + "output_dir: *path\n", variables={"df": FRAME})
    assert [problem.message for problem in caught.value.problems if problem.severity == "error"] == [
        "the variable 'df' is a DataFrame, which a config cannot hold"
    ]


def test_a_mapping_may_hold_the_rows_themselves():
    made = {"base_model": "org/model", "learning_rate": 1e-4}
    train, test = {"path": FRAME, "type": "completion"}, {"path": ROWS, "type": "completion"}
    config = load_config({**made, "datasets": [train], "test_datasets": [test]})
    assert [(entry.path, entry.table) for entry in config.all_datasets] == [
        ("$datasets_0", Table("datasets_0", FRAME)),
        ("$test_datasets_0", Table("test_datasets_0", ROWS)),
    ]
    assert load_config(config.to_yaml(), variables={"datasets_0": FRAME, "test_datasets_0": ROWS}) == config
    with pytest.raises(ConfigError) as caught:
        load_config({**made, "datasets": [{"path": print, "type": "completion"}]})
    assert caught.value.problems[0].message == (
        "the path of datasets[0] is a builtin_function_or_method, which is no table of rows"
    )


def test_an_override_may_be_rows_and_may_replace_them(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "one"}\n')
    over = load_config(TEXT, {"datasets[0].path": str(file)}, variables={"df": FRAME}).datasets[0]
    assert (over.path, over.table) == (str(file), None)
    # What is wrong with a variable that an override replaces does not matter.
    assert load_config(TEXT, {"datasets[0].path": str(file)}, variables={}).datasets[0].path == str(file)
    rows = load_config(TEXT, {"datasets[0].path": ROWS}, variables={"df": FRAME}).datasets[0]
    assert (rows.path, rows.table) == ("$datasets_0", Table("datasets_0", ROWS))


def load(value: object) -> Config:
    return load_config(TEXT, variables={"df": value})


def test_configs_are_equal_where_they_hold_the_same_object():
    config = load(FRAME)
    assert config == load(FRAME)
    assert hash(config) == hash(load(FRAME))
    assert config != load(FRAME.copy())
    # Nothing is read, so a table that is no longer as it was is the same still.
    assert {config, load(FRAME)} == {config}


def test_the_yaml_keeps_the_name_and_loads_where_the_variable_is(tmp_path, monkeypatch):
    config = load(FRAME)
    assert "- path: $df\n" in config.to_yaml()
    assert load_config(config.to_yaml(), variables={"df": FRAME}) == config
    # A file that is called like the variable is not meant.
    monkeypatch.chdir(tmp_path)
    Path("$df").write_text("")
    assert "- path: $df\n" in config.to_yaml(absolute_paths=True)
    # A path that only looks like a variable stays text.
    text = load_config(
        {"base_model": "a/b", "learning_rate": 1, "datasets": [{"path": "$df", "type": "alpaca"}]}
    )
    assert "- path: $$df\n" in text.to_yaml()
    assert load_config(text.to_yaml()) == text


def test_an_entry_that_is_wrong_elsewhere_keeps_its_other_problems(errors):
    text = TEXT.replace("type: completion", "type: completio") + "sequence_len: many\n"
    assert [line for line, *_ in errors(text, variables={"df": FRAME})] == [5, 6]


def test_no_library_of_tables_is_imported():
    code = (
        "import sys; from ft_core.config import load_config; from ft_core.data.write_tables import write_tables;"
        f"load_config({TEXT!r}, variables={{'df': [{{'text': 'a'}}]}});"
        "sys.exit(bool({'pandas', 'pyarrow', 'datasets', 'torch', 'polars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
