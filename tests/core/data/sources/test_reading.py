"""Rows of a dataset, wherever they are: in order, by number, how many, and which of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ft_core.config import Config
from ft_core.data.files import Skipped
from ft_core.data.sources import count_rows, open_rows, read_rows
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]
ROWS = [{"text": "one", "n": 1}, {"text": "zwölf", "n": 12}, {"text": "three", "n": 3}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


@pytest.fixture
def dataset(make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function from keys of a dataset to the dataset, in an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def make(path: str, **keys: Any) -> Any:
        # The config refuses a path that is not there; what reading says to it is tested here all the same.
        return make_config({"type": "completion"}).datasets[0].model_copy(update={"path": path, **keys})

    return make


def write_rows(name: str, rows: list[dict[str, Any]] = ROWS) -> None:
    """Write rows to a file of the kind that `name` says."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    match "".join(path.suffixes):
        case ".jsonl":
            path.write_text("\ufeff" + lines.replace("\n", "\n\n"), encoding="utf-8")
        case ".jsonl.gz":
            path.write_bytes(gzip.compress(lines.encode()))
        case ".json":
            path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
        case ".csv":
            path.write_text(
                "text,n\n" + "".join(f"{row['text']},{row['n']}\n" for row in rows), encoding="utf-8"
            )
        case ".parquet":
            pq.write_table(table, path)
        case ".arrow":
            with pa.OSFile(name, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
        case ".feather.arrow":
            with pa.OSFile(name, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
        case _:
            raise AssertionError(name)


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.csv", "a.parquet", "a.arrow", "a.feather.arrow"]
)
def test_a_file_gives_its_rows_and_their_number(name: str, dataset: Callable[..., Any]) -> None:
    write_rows(name)

    assert list(read_rows(dataset(name))) == list(enumerate(ROWS))
    assert count_rows(dataset(name)) == 3
    rows = open_rows(dataset(name))
    assert [rows[place] for place in (2, 0, 1)] == [(2, ROWS[2]), (0, ROWS[0]), (1, ROWS[1])]


def test_a_text_file_gives_its_lines(dataset: Callable[..., Any]) -> None:
    Path("a.txt").write_bytes("one\r\n\nzwölf".encode())

    assert list(read_rows(dataset("a.txt"))) == [
        (0, {"text": "one"}),
        (1, {"text": ""}),
        (2, {"text": "zwölf"}),
    ]
    assert count_rows(dataset("a.txt")) == 3


def test_an_empty_cell_is_null(dataset: Callable[..., Any]) -> None:
    Path("a.csv").write_text("text,n\none,\n,2\n")

    assert [row for _, row in read_rows(dataset("a.csv"))] == [
        {"text": "one", "n": None},
        {"text": None, "n": 2},
    ]


def test_ds_type_tells_what_the_suffix_does_not(dataset: Callable[..., Any]) -> None:
    Path("a.data").write_text(LINES)

    assert len(list(read_rows(dataset("a.data", ds_type="json")))) == 3
    with pytest.raises(DataError, match=r"a\.data: the suffix does not say what kind of file this is"):
        list(read_rows(dataset("a.data")))


@pytest.mark.parametrize(
    ("split", "numbers"),
    [
        ("train", [0, 1, 2]),
        ("train[:2]", [0, 1]),
        ("train[1:]", [1, 2]),
        ("train[1:2]", [1]),
        ("train[-1:]", [2]),
        ("train[:34%]", [0]),
        ("train[50%:]", [2]),
        ("train[:99]", [0, 1, 2]),
    ],
)
def test_a_split_may_be_a_slice(split: str, numbers: list[int], dataset: Callable[..., Any]) -> None:
    write_rows("a.jsonl")

    assert [number for number, _ in read_rows(dataset("a.jsonl", split=split))] == numbers
    assert count_rows(dataset("a.jsonl", split=split)) == len(numbers)
    rows = open_rows(dataset("a.jsonl", split=split))
    assert [rows[place][0] for place in range(len(rows))] == numbers


def test_a_limit_stops_before_a_broken_line(dataset: Callable[..., Any]) -> None:
    Path("a.jsonl").write_text(LINES + "broken")

    assert [number for number, _ in read_rows(dataset("a.jsonl"), limit=2)] == [0, 1]


class TestBrokenRows:
    """Line 2 is broken: row 1 of 3."""

    @pytest.fixture(autouse=True)
    def file(self, dataset: Callable[..., Any]) -> None:
        Path("a.jsonl").write_text('{"text": "one"}\nbroken\n{"text": "three"}\n')

    def test_the_first_one_is_an_error(self, dataset: Callable[..., Any]) -> None:
        rows = read_rows(dataset("a.jsonl"))
        assert next(rows) == (0, {"text": "one"})
        with pytest.raises(DataError) as caught:
            next(rows)
        assert caught.value.message == "a.jsonl line 2: not valid JSON (expected value at column 1)"
        assert caught.value.fix == "Write one JSON object a line, or one list of objects in the whole file."

    def test_or_it_is_left_out_and_counted_and_keeps_its_number(self, dataset: Callable[..., Any]) -> None:
        skipped = Skipped()
        assert list(read_rows(dataset("a.jsonl"), skipped=skipped)) == [
            (0, {"text": "one"}),
            (2, {"text": "three"}),
        ]
        assert skipped.counts == {"a.jsonl": 1}
        assert skipped.first == ["a.jsonl line 2: not valid JSON (expected value at column 1)"]

    @pytest.mark.parametrize(
        ("split", "numbers"),
        [("train[:2]", [0]), ("train[1:]", [2]), ("train[2:]", [2]), ("train[:67%]", [0])],
    )
    def test_a_slice_counts_it(self, split: str, numbers: list[int], dataset: Callable[..., Any]) -> None:
        rows = read_rows(dataset("a.jsonl", split=split), skipped=Skipped())
        assert [number for number, _ in rows] == numbers

    def test_a_limit_is_of_whole_rows(self, dataset: Callable[..., Any]) -> None:
        with Path("a.jsonl").open("a") as file:
            file.write('{"text": "four"}\n')
        assert [number for number, _ in read_rows(dataset("a.jsonl"), limit=2, skipped=Skipped())] == [0, 2]
        assert [number for number, _ in read_rows(dataset("a.jsonl"), limit=1)] == [0]

    def test_by_number_it_is_an_error_there(self, dataset: Callable[..., Any]) -> None:
        rows = open_rows(dataset("a.jsonl"))
        assert (len(rows), count_rows(dataset("a.jsonl"))) == (3, 3)
        assert rows[2] == (2, {"text": "three"})
        with pytest.raises(DataError, match=r"^a\.jsonl line 2: not valid JSON"):
            rows[1]

    def test_nothing_else_is_an_error_too(self, dataset: Callable[..., Any]) -> None:
        with pytest.raises(DataError) as caught:
            list(read_rows(dataset("a.jsonl", split="train[1:2]"), skipped=Skipped()))
        assert caught.value.message == (
            "There are no rows in 'a.jsonl' (split train[1:2]): all are broken, "
            "such as a.jsonl line 2: not valid JSON (expected value at column 1)."
        )


class TestShares:
    """The numbers are those that shuffle(seed), shard and select of the datasets library give."""

    @pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet", "a.arrow"])
    @pytest.mark.parametrize(
        "keys",
        [
            {"weight": 0.5},
            {"weight": 0.1},
            {"weight": 0.01},
            {"weight": 0.999},
            {"shards": 3},
            {"shards": 3, "shards_idx": 2},
            {"shards": 2, "shards_idx": 1, "weight": 0.5},
            {"split": "train[1:]", "weight": 0.5},
            {"split": "train[50%:]", "shards": 2},
        ],
    )
    def test_rows_and_their_order(self, name: str, keys: dict[str, Any], dataset: Callable[..., Any]) -> None:
        from datasets import Dataset

        rows = [{"text": "t" * n or "none", "n": n} for n in range(10)]
        write_rows(name, rows)
        first = {"train[1:]": 1, "train[50%:]": 5}.get(keys.get("split", "train"), 0)
        expected = Dataset.from_list(rows).select(range(first, 10))
        if "shards" in keys:
            expected = expected.shuffle(seed=7).shard(keys["shards"], keys.get("shards_idx", 0))
        if "weight" in keys:
            kept = max(1, int(len(expected) * keys["weight"]))
            expected = expected.shuffle(seed=7).select(range(kept))

        found = list(read_rows(dataset(name, **keys), seed=7))

        assert found == [(row["n"], row) for row in expected]
        assert count_rows(dataset(name, **keys)) == len(found)
        opened = open_rows(dataset(name, **keys), seed=7)
        assert [opened[place] for place in range(len(opened))] == found
        assert list(read_rows(dataset(name, **keys), seed=7, limit=2)) == found[:2]

    def test_another_seed_takes_others(self, dataset: Callable[..., Any]) -> None:
        Path("a.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(1000)))
        one, other = (
            {number for number, _ in read_rows(dataset("a.jsonl", weight=0.5), seed=seed)} for seed in (1, 2)
        )
        assert len(one) == len(other) == 500
        assert one != other

    def test_shards_share_no_row_and_lose_none(self, dataset: Callable[..., Any]) -> None:
        write_rows("a.jsonl")
        parts = [list(read_rows(dataset("a.jsonl", shards=2, shards_idx=index))) for index in (0, 1)]
        assert [len(part) for part in parts] == [2, 1]
        assert sorted(number for part in parts for number, _ in part) == [0, 1, 2]

    def test_a_shard_may_be_empty(self, dataset: Callable[..., Any]) -> None:
        write_rows("a.jsonl")
        with pytest.raises(DataError, match=r"There are no rows in 'a\.jsonl'"):
            list(read_rows(dataset("a.jsonl", shards=5, shards_idx=4)))
        assert count_rows(dataset("a.jsonl", shards=5, shards_idx=4)) == 0

    def test_a_broken_row_matters_where_it_is_taken(self, dataset: Callable[..., Any]) -> None:
        Path("a.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(9)) + "broken\n")
        taken = {}
        for seed in range(20):
            skipped = Skipped()
            rows = read_rows(dataset("a.jsonl", weight=0.5), seed=seed, skipped=skipped)
            taken[seed] = (len(list(rows)), skipped.total)
        assert set(taken.values()) == {(5, 0), (4, 1)}


class TestFolders:
    def test_its_data_files_follow_each_other_by_name(self, dataset: Callable[..., Any]) -> None:
        Path("data").mkdir()
        Path("data/b.jsonl").write_text('{"text": "b"}\n')
        Path("data/a.csv").write_text("text\na\n")
        Path("data/README.md").write_text("no data")
        Path("data/.hidden.jsonl").write_text('{"text": "hidden"}\n')

        assert list(read_rows(dataset("data"))) == [(0, {"text": "a"}), (1, {"text": "b"})]
        assert count_rows(dataset("data")) == 2

    def test_data_files_names_some_of_them(self, dataset: Callable[..., Any]) -> None:
        for name in ("a1", "a2", "b1"):
            write_rows(f"data/{name}.jsonl")

        assert count_rows(dataset("data", data_files=("a*.jsonl",))) == 6
        with pytest.raises(DataError, match=r"data_files: there is no file 'c\.jsonl' in 'data'"):
            list(read_rows(dataset("data", data_files=("c.jsonl",))))

    def test_a_kind_of_file_stands_for_data_files(self, dataset: Callable[..., Any]) -> None:
        write_rows("a.jsonl")

        assert count_rows(dataset("json", data_files=("a.jsonl",))) == 3

    def test_what_the_datasets_library_notes_is_no_data(self, dataset: Callable[..., Any]) -> None:
        write_rows("data/a.jsonl")
        Path("data/dataset_infos.json").write_text('{"default": {}}')

        assert count_rows(dataset("data")) == 3

    def test_the_same_rows_in_two_kinds_of_files_are_refused(self, dataset: Callable[..., Any]) -> None:
        write_rows("data/a.jsonl")
        write_rows("data/a.parquet")

        with pytest.raises(DataError) as caught:
            list(read_rows(dataset("data")))
        assert caught.value.message == (
            "The folder 'data' holds 'a.jsonl' and 'a.parquet', which look like the same rows twice."
        )
        assert count_rows(dataset("data", data_files=("a.parquet",))) == 3

    def test_files_with_other_columns_are_refused(self, dataset: Callable[..., Any]) -> None:
        write_rows("data/a.jsonl")
        Path("data/b.jsonl").write_text('{"text": "a", "more": 1}\n')
        Path("data/c.jsonl").write_text('{"instruction": "a"}\n')

        rows = read_rows(dataset("data"))
        assert [next(rows)[0] for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(DataError) as caught:
            next(rows)
        assert caught.value.message == (
            "data/c.jsonl has none of the columns of data/a.jsonl (text, n); its columns are instruction."
        )

    @pytest.mark.parametrize("start", range(8))
    def test_a_slice_may_begin_in_any_file(self, start: int, dataset: Callable[..., Any]) -> None:
        for name in ("a.jsonl", "b.csv", "c.parquet"):
            write_rows(f"data/{name}")
        numbers = list(range(9))[start:8]

        split = f"train[{start}:8]"
        found = list(read_rows(dataset("data", split=split)))
        assert found == [(number, ROWS[number % 3]) for number in numbers] if numbers else True
        rows = open_rows(dataset("data", split=split))
        assert [rows[place] for place in range(len(rows))] == found

    def test_files_of_another_split_are_left_out(self, dataset: Callable[..., Any]) -> None:
        Path("data").mkdir()
        for name in ("train-00000-of-00001", "test", "validation"):
            Path(f"data/{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")

        splits = {split: [row["text"] for _, row in read_rows(dataset("data", split=split))]
                  for split in ("train", "test", "validation")}  # fmt: skip
        assert splits == {"train": ["train-00000-of-00001"], "test": ["test"], "validation": ["validation"]}

    def test_without_a_train_file_the_rest_is_for_training(self, dataset: Callable[..., Any]) -> None:
        Path("data").mkdir()
        for name in ("part1", "part2", "test", "val"):
            Path(f"data/{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")

        assert [row["text"] for _, row in read_rows(dataset("data"))] == ["part1", "part2"]

    def test_a_split_that_no_file_names_is_refused(self, dataset: Callable[..., Any]) -> None:
        write_rows("a.jsonl")

        with pytest.raises(DataError, match=r"is of the split 'test': a\.jsonl"):
            list(read_rows(dataset("a.jsonl", split="test")))

    def test_what_the_datasets_library_saved_is_read(self, dataset: Callable[..., Any]) -> None:
        from datasets import Dataset, DatasetDict

        Dataset.from_list(ROWS).save_to_disk("saved")
        DatasetDict({"dev": Dataset.from_list(ROWS)}).save_to_disk("parts")

        assert list(read_rows(dataset("saved"))) == list(enumerate(ROWS))
        assert list(read_rows(dataset("parts", split="dev[1:]"))) == list(enumerate(ROWS))[1:]
        assert (count_rows(dataset("saved")), count_rows(dataset("parts", split="dev[1:]"))) == (3, 2)
        with pytest.raises(DataError, match="'parts' has no split 'train'"):
            list(read_rows(dataset("parts")))
        with pytest.raises(DataError, match="'saved' holds one split, and that is not 'test'"):
            list(read_rows(dataset("saved", split="test")))

    def test_a_folder_without_data_is_refused(self, dataset: Callable[..., Any]) -> None:
        Path("data").mkdir()

        with pytest.raises(DataError, match="There are no data files in the folder 'data'"):
            list(read_rows(dataset("data")))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": 1 "b": 2}\n', "a.jsonl line 2: not valid JSON (expected ',' at column 9)"),
        ("a.jsonl", '{"a": 1}\n\n{"a": \n', "a.jsonl line 3: not valid JSON (expected value at column 7)"),
        ("a.jsonl", '{"a": "x\n', "a.jsonl line 1: not valid JSON (unterminated string at column 7)"),
        ("a.jsonl", '{"a": 1}\n[1, 2]\n', "a.jsonl line 2: a row must be an object, not [1, 2]"),
        ("a.jsonl", '{"a": 1}\n"text"\n', 'a.jsonl line 2: a row must be an object, not "text"'),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}\n', "a.jsonl line 2: not UTF-8 text (byte 8 is 0xff)"),
        ("a.json", '[\n  {"a": 1},\n  {"a" 2}\n]', "a.json line 3: not valid JSON (expected ':' at column 8)"),
        ("a.json", '[{"a": 1}, 2]', "a.json item 2: a row must be an object, not 2"),
        ("a.jsonl", "", "There are no rows in 'a.jsonl' (split train)."),
        ("a.jsonl", "\n \n", "There are no rows in 'a.jsonl' (split train)."),
        ("a.csv", "", "There are no rows in 'a.csv' (split train)."),
        ("a.csv", "a,b\n1,2\n4,5,6\n", "a.csv line 3: 3 cells, and the first line names 2 columns"),
        ("a.jsonl.gz", "plain", "a.jsonl.gz cannot be read: Not a gzipped file (b'pl')."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_names_the_place(
    name: str, content: str | bytes, message: str, dataset: Callable[..., Any]
) -> None:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(DataError) as caught:
        list(read_rows(dataset(name)))

    assert caught.value.message == message


@pytest.mark.parametrize("path", ["a.jsonl", "./rows", "data/more/rows", "/nowhere/rows"])
def test_a_path_that_is_not_there_is_refused(path: str, dataset: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset(path)))

    assert caught.value.message == f"There is no file or folder '{path}' in {tmp_path}."


def test_a_hub_dataset_that_is_not_there_is_a_sentence(dataset: Callable[..., Any]) -> None:
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset("nobody/has-this")))

    assert caught.value.message.startswith(
        "'nobody/has-this' is no file here, and the Hugging Face hub gave no such dataset: "
    )
    assert count_rows(dataset("nobody/has-this")) is None


def test_a_split_that_cannot_be_read_is_refused(dataset: Callable[..., Any]) -> None:
    write_rows("a.jsonl")

    with pytest.raises(DataError, match=r"split: 'train\[a:b\]' cannot be read"):
        list(read_rows(dataset("a.jsonl", split="train[a:b]")))


def test_the_dictionary_of_the_examples_is_read(dictionary: Path, dataset: Callable[..., Any]) -> None:
    rows = list(read_rows(dataset(str(dictionary))))

    assert len(rows) == count_rows(dataset(str(dictionary))) == 817
    assert [message["role"] for message in rows[0][1]["messages"]] == ["user", "assistant"]
