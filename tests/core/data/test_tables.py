"""Rows of a notebook's table: what the data path sees of them, and the file that a run gets."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ft_core.config import Config, Dataset, load_config
from ft_core.data import count_rows, read_rows, tokenize_rows
from ft_core.data.tables import table_rows
from ft_core.data.write_tables import write_tables
from ft_core.errors import DataError

ROWS = [{"text": "one", "n": 1}, {"text": "zwölf", "n": 12}, {"text": "three", "n": 3}]
CHATS = [
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo", "weight": 1}]},
    {"messages": [{"role": "user", "content": "So"}], "source": None},
]


def config_of(value: Any, **keys: Any) -> Config:
    """Return a config whose one dataset is the variable ``df``."""
    text = {
        "base_model": "a/b",
        "learning_rate": 1e-4,
        "datasets": [{"path": "$df", "type": "completion"} | keys],
    }
    return load_config(json.dumps(text), variables={"df": value})


def rows_of(value: Any) -> list[dict[str, Any]]:
    """Return the rows that the data path sees, after a check that their file gives the same."""
    config = config_of(value)
    rows = list(read_rows(config.datasets[0]))
    assert [number for number, _ in rows] == list(range(len(rows)))
    assert count_rows(config.datasets[0]) == len(rows)
    return [row for _, row in rows]


def written(config: Config, folder: Path) -> Config:
    """Return the config with its tables in files, loaded again from its YAML as a run loads it."""
    return load_config(write_tables(config, folder).to_yaml(absolute_paths=True))


class PolarsFrame:
    """What a frame of polars looks like."""

    columns = ("text", "n")

    def __len__(self) -> int:
        return len(ROWS)

    def to_dicts(self) -> list[dict[str, Any]]:
        return ROWS

    def iter_rows(self, *, named: bool) -> Any:
        assert named
        return iter(ROWS)


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS, index=[7, 7, 7]),
        pa.Table.from_pylist(ROWS),
        datasets.Dataset.from_list(ROWS),
        datasets.Dataset.from_list(ROWS).with_format("torch", columns=["n"]),
        datasets.Dataset.from_list(ROWS[::-1]).select([2, 1, 0]),
        datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS)),
        PolarsFrame(),
    ],
)
def test_every_kind_of_table_gives_the_same_rows(value: Any, tmp_path: Path) -> None:
    assert rows_of(value) == ROWS
    assert list(read_rows(written(config_of(value), tmp_path / "data").datasets[0])) == list(enumerate(ROWS))


def test_a_transform_of_a_dataset_makes_the_rows() -> None:
    dataset = datasets.Dataset.from_list(ROWS)
    dataset.set_transform(lambda batch: {"text": [text.upper() for text in batch["text"]]})
    assert rows_of(dataset) == [{"text": "ONE"}, {"text": "ZWÖLF"}, {"text": "THREE"}]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, None),
        (np.float32("nan"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (Decimal("nan"), None),
        (math.inf, math.inf),
        (True, True),
        (np.True_, True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.str_("a"), "a"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        # What pandas makes of the messages of a Parquet file.
        (np.array([{"role": "user", "n": np.nan}], dtype=object), [{"role": "user", "n": None}]),
        (("a", ["b", {"c": (1.5,)}]), ["a", ["b", {"c": [1.5]}]]),
        (dt.date(2020, 1, 2), "2020-01-02"),
        (pd.Timestamp("2020-01-02 03:04"), "2020-01-02T03:04:00"),
        (dt.time(3, 4), "03:04:00"),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a/b"), "a/b"),
        ("\ud800 half, \u2028 \n", "\ud800 half, \u2028 \n"),
        (2**64, 2**64),
    ],
)
def test_values_are_what_json_gives_back(value: Any, plain: Any, tmp_path: Path) -> None:
    [row] = rows_of([{"text": value}])
    assert row == {"text": plain}
    assert type(row["text"]) is type(plain)
    config = written(config_of([{"text": value}]), tmp_path / "data")
    assert list(read_rows(config.datasets[0])) == [(0, row)]


def test_missing_values_of_a_frame_are_null_in_every_kind_of_column() -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None],
            "float": [1.0, None],
            "whole": pd.array([1, None], dtype="Int64"),
            "time": [pd.Timestamp("2020-01-01"), None],
            "kind": pd.Categorical(["x", None]),
            "list": [["a"], np.nan],
        }
    )
    assert rows_of(frame) == [
        {"text": "a", "float": 1.0, "whole": 1, "time": "2020-01-01T00:00:00", "kind": "x", "list": ["a"]},
        dict.fromkeys(frame.columns),
    ]


def test_missing_keys_and_the_keys_of_each_message_stay_as_they_are(tmp_path: Path) -> None:
    assert rows_of(CHATS) == CHATS
    config = written(config_of(CHATS, type="chat_template"), tmp_path / "data")
    assert [row for _, row in read_rows(config.datasets[0])] == CHATS
    assert (tmp_path / "data" / "df.jsonl").read_text("utf-8") == "".join(
        f"{json.dumps(row)}\n" for row in CHATS
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), min_size=1, max_size=4))
def test_any_json_comes_back_from_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    assert rows_of(rows) == rows
    config = written(config_of(rows), tmp_path_factory.mktemp("run") / "data")
    assert [row for _, row in read_rows(config.datasets[0])] == rows


class Custom:
    pass


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a"}, "a set"),
        (b"a", "a bytes"),
        (Custom(), "a Custom"),
        ([{"a": [Custom()]}], "a Custom"),
        (torch.zeros(2), "a Tensor"),
        (dt.timedelta(1), "a timedelta"),
        (np.datetime64("2020-01-01"), "a datetime64"),
        (1j, "a complex"),
        ({1: "a"}, "the key 1, which is no text,"),
        (LOOP, "a value that is nested too deeply"),
        pytest.param(10**5000, "an integer of more than 4,300 digits", id="digits"),
    ],
)
def test_a_value_that_json_has_not_is_told_with_row_and_column(
    value: Any, words: str, tmp_path: Path
) -> None:
    config = config_of([{"text": "a"}, {"text": "b", "x": value}])
    for read in (
        lambda: list(read_rows(config.datasets[0])),
        lambda: write_tables(config, tmp_path / "data"),
    ):
        with pytest.raises(DataError) as caught:
            read()
        assert caught.value.message == f"$df, row 2, column 'x': {words} cannot be written as JSON."
        assert caught.value.fix == "Make it text, a number, a list or a dict, or drop the column."


def test_a_list_that_is_spoiled_after_the_config_was_loaded() -> None:
    rows: list[Any] = [{"text": "a"}]
    config = config_of(rows)
    rows.append("b")
    with pytest.raises(DataError, match=r"^\$df, row 2: this is a str, not a dict\."):
        list(read_rows(config.datasets[0]))


def test_only_what_is_asked_for_is_read() -> None:
    rows = [{"text": "a"}, {"text": "b", "x": {"a"}}]
    assert list(read_rows(config_of(rows).datasets[0], limit=1)) == [(0, {"text": "a"})]


@pytest.mark.parametrize(
    ("split", "numbers"),
    [
        ("train[:2]", [0, 1]),
        ("train[1:]", [1, 2]),
        ("train[-1:]", [2]),
        ("train[:67%]", [0, 1]),
        (" train ", [0, 1, 2]),
    ],
)
def test_a_part_of_the_rows(split: str, numbers: list[int], tmp_path: Path) -> None:
    config = config_of(ROWS, split=split)
    expected = [(number, ROWS[number]) for number in numbers]
    assert list(read_rows(config.datasets[0])) == expected
    assert count_rows(config.datasets[0]) == len(numbers)
    # Row numbers are those of the variable in the run too.
    again = written(config, tmp_path / "data").datasets[0]
    assert (again.split, list(read_rows(again))) == (split.strip(), expected)


def test_the_splits_of_a_datasetdict(tmp_path: Path) -> None:
    table = datasets.DatasetDict(
        train_sft=datasets.Dataset.from_list(ROWS[:2]), test=datasets.Dataset.from_list(ROWS[2:])
    )
    entry = {"path": "$df", "type": "completion"}
    text = {"base_model": "a/b", "learning_rate": 1e-4}
    text["datasets"] = [entry | {"split": "train_sft[1:]"}]
    text["test_datasets"] = [entry | {"split": "test"}]
    config = load_config(json.dumps(text), variables={"df": table})
    expected = [[(1, ROWS[1])], [(0, ROWS[2])]]
    assert [list(read_rows(entry)) for entry in config.all_datasets] == expected
    again = written(config, tmp_path / "data")
    assert [list(read_rows(entry)) for entry in again.all_datasets] == expected
    assert [(Path(entry.path).name, entry.split) for entry in again.all_datasets] == [
        ("df-train_sft.jsonl", "train[1:]"),
        ("df-test.jsonl", "train"),
    ]


@pytest.mark.parametrize("read", [lambda entry: list(read_rows(entry)), count_rows])
@pytest.mark.parametrize(
    ("value", "split", "message", "fix"),
    [
        (
            ROWS,
            "test[:1]",
            "'$df' is one table without splits, so it has no 'test'.",
            "Leave split out, or take a part of the rows, as in train[:100].",
        ),
        (
            datasets.DatasetDict(a=datasets.Dataset.from_list(ROWS), b=datasets.Dataset.from_list(ROWS)),
            "train",
            "'$df' has no split 'train'.",
            "Use one of: a, b.",
        ),
    ],
)
def test_a_split_that_is_not_there(
    read: Callable[[Dataset], object], value: Any, split: str, message: str, fix: str
) -> None:
    with pytest.raises(DataError) as caught:
        read(config_of(value, split=split).datasets[0])
    assert (caught.value.message, caught.value.fix) == (message, fix)


def test_an_empty_split_and_an_empty_part_have_no_rows(tmp_path: Path) -> None:
    some = datasets.Dataset.from_list(ROWS)
    table = datasets.DatasetDict(train=some.select([]), test=some)
    for config in (config_of(table), config_of(ROWS, split="train[3:]")):
        with pytest.raises(DataError, match=r"^There are no rows in '\$df'"):
            list(read_rows(config.datasets[0]))
    with pytest.raises(DataError, match=r"^There are no rows in '\$df' \(split train\)\."):
        write_tables(config_of(table), tmp_path / "data")


def test_a_table_is_written_once_and_each_file_has_its_own_name(tmp_path: Path) -> None:
    entries = [
        {"path": path, "type": "completion", "split": split}
        for path, split in (("$df", "train[:1]"), ("$same", "train[1:]"), ("$DF", "train"))
    ]
    text = {"base_model": "a/b", "learning_rate": 1e-4, "datasets": entries, "test_datasets": [entries[0]]}
    config = load_config(json.dumps(text), variables={"df": ROWS, "same": ROWS, "DF": CHATS})
    again = written(config, tmp_path / "data")
    assert [Path(entry.path).name for entry in again.all_datasets] == [
        "df.jsonl", "df.jsonl", "DF-2.jsonl", "df.jsonl",
    ]  # fmt: skip
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == ["DF-2.jsonl", "df.jsonl"]


def test_a_config_without_tables_is_left_alone(tmp_path: Path) -> None:
    text = {"base_model": "a/b", "learning_rate": 1e-4, "datasets": [{"path": "c/d", "type": "completion"}]}
    config = load_config(text)
    assert write_tables(config, tmp_path / "data") is config
    assert not (tmp_path / "data").exists()


def test_the_samples_of_the_variable_are_those_of_its_file(
    make_config: Callable[..., Config], tokenizer: Any, tmp_path: Path
) -> None:
    config = make_config({"path": pd.DataFrame(CHATS[:1])})
    again = written(config, tmp_path / "data")
    live, kept = (
        tokenize_rows(each, [row for _, row in read_rows(each.datasets[0])], tokenizer)
        for each in (config, again)
    )
    assert [sample.input_ids.tolist() for sample in live] == [sample.input_ids.tolist() for sample in kept]
    assert [sample.labels.tolist() for sample in live] == [sample.labels.tolist() for sample in kept]
    assert live[0].trained == 3


def test_a_column_that_the_type_needs_is_told_as_for_a_file(
    make_config: Callable[..., Config], tokenizer: Any
) -> None:
    config = make_config({"path": pd.DataFrame(ROWS)})
    with pytest.raises(DataError) as caught:
        tokenize_rows(config, [row for _, row in read_rows(config.datasets[0])], tokenizer)
    assert caught.value.message == (
        "$datasets_0, rows 1 to 3: there is no field 'messages', which type: chat_template needs; "
        "the fields are 'text', 'n'."
    )


def test_rows_are_made_as_they_are_asked_for() -> None:
    config = config_of(pd.DataFrame({"text": ["a"] * 100_000}))
    table = config.datasets[0].table
    assert table is not None
    assert next(table_rows(table, "train")) == {"text": "a"}
