"""Datasets of the hub and folders that the datasets library saved. The hub is a stand-in that remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from ft_core.config import Config
from ft_core.data.sources import count_rows, open_rows, read_rows
from ft_core.data.sources.reading import find_source
from ft_core.data.streamed_rows import RowStream
from ft_core.errors import DataError

ROWS = {"en": ["one", "two", "three"], "fr": ["un", "deux"], None: ["a", "b", "c", "d"]}


@pytest.fixture
def dataset(make_config: Callable[..., Config]) -> Callable[..., Any]:
    """Return a function from keys to a hub dataset."""

    def make(**keys: Any) -> Any:
        return make_config({"type": "completion", "path": "org/data", **keys}).datasets[0]

    return make


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return the calls of ``load_dataset``, which gives ROWS by the configuration's name."""
    calls: list[tuple[Any, ...]] = []

    def load(path: str, name: str | None, **options: Any) -> datasets.Dataset:
        calls.append((path, name, options))
        return datasets.Dataset.from_dict({"text": ROWS[name]})

    monkeypatch.setattr(datasets, "load_dataset", load)
    return calls


def test_the_hub_is_asked_for_the_whole_split(dataset: Callable[..., Any], asked: list[Any]) -> None:
    assert list(read_rows(dataset(split="dev[1:3]"))) == [(1, {"text": "b"}), (2, {"text": "c"})]
    assert asked == [("org/data", None, {"split": "dev", "revision": None})]


@pytest.mark.parametrize(
    ("keys", "call"),
    [
        ({"name": "en"}, ("org/data", "en", {"split": "train", "revision": None})),
        ({"revision": "v1"}, ("org/data", None, {"split": "train", "revision": "v1"})),
        (
            {"data_files": ["a.jsonl", "b/*.jsonl"]},
            ("org/data", None, {"split": "train", "revision": None, "data_files": ["a.jsonl", "b/*.jsonl"]}),
        ),
        ({"path": "hf://datasets/org/other"}, ("org/other", None, {"split": "train", "revision": None})),
        ({"path": "hf://datasets/org/other@v2"}, ("org/other", None, {"split": "train", "revision": "v2"})),
        (
            {"path": "hf://datasets/org/other@refs%2Fpr%2F1/", "name": "fr"},
            ("org/other", "fr", {"split": "train", "revision": "refs/pr/1"}),
        ),
    ],
)
def test_what_the_hub_is_asked(
    keys: dict[str, Any], call: tuple[Any, ...], dataset: Callable[..., Any], asked: list[Any]
) -> None:
    list(read_rows(dataset(**keys)))
    assert asked == [call]


@pytest.mark.parametrize(("version", "sent"), [("3.6.0", True), ("4.0.0", False), ("5.2.0", False)])
def test_code_that_comes_with_a_dataset(
    version: str, sent: bool, dataset: Callable[..., Any], asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "__version__", version)
    list(read_rows(dataset(trust_remote_code=True)))
    assert asked[0][2].get("trust_remote_code", False) is sent


@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_slice_may_begin_anywhere(start: int, dataset: Callable[..., Any], asked: list[Any]) -> None:
    part = dataset(split=f"train[{start}:]")
    found = [(number, row["text"]) for number, row in read_rows(part)]
    assert found == list(enumerate("abcd"))[start:]
    rows = open_rows(part)
    assert [(rows[place][0], rows[place][1]["text"]) for place in range(len(rows))] == found


def test_a_list_of_names_is_an_entry_for_each(make_config: Callable[..., Config], asked: list[Any]) -> None:
    config = make_config({"type": "completion", "path": "org/data", "name": ["en", "fr"]})
    texts = [[row["text"] for _, row in read_rows(entry)] for entry in config.datasets]
    assert texts == [["one", "two", "three"], ["un", "deux"]]


def test_shares_of_the_hub(dataset: Callable[..., Any], asked: list[Any]) -> None:
    expected = datasets.Dataset.from_dict({"text": ROWS[None]}).shuffle(seed=3).shard(2, 1)["text"][:]
    assert [row["text"] for _, row in read_rows(dataset(shards=2, shards_idx=1), seed=3)] == expected


def test_rows_are_plain_whatever_the_format(
    dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = datasets.Dataset.from_dict({"ids": [[1, 2], [3]]}).with_format("numpy")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: table)
    assert list(read_rows(dataset())) == [(0, {"ids": [1, 2]}), (1, {"ids": [3]})]


def test_counting_asks_no_hub(dataset: Callable[..., Any], asked: list[Any]) -> None:
    assert count_rows(dataset()) is None
    assert asked == []


@pytest.mark.parametrize(
    ("raised", "message", "fix"),
    [
        (
            ValueError("Unknown split \"dev\". Should be one of ['train', 'test']."),
            "'org/data' has no split 'dev'.",
            "Use one of ['train', 'test'].",
        ),
        (
            ValueError(
                "Config name is missing.\nPlease pick one among the available configs: ['en', 'fr']\nExample of usage:\n..."
            ),
            "'org/data' has several configurations, and none is named.",
            "Write one of ['en', 'fr'] under 'name'.",
        ),
        (
            RuntimeError("Dataset scripts are no longer supported, but found data.py"),
            "'org/data' is read by Python code of its own, which the datasets library no longer runs.",
            "Try its copy in Parquet: revision: refs/convert/parquet.",
        ),
        (
            ConnectionError("no answer.\nmore"),
            "'org/data' is no file here, and the Hugging Face hub gave no such dataset: no answer.",
            "Check the name, the network, and for a gated dataset that you are logged in (hf auth login).",
        ),
        (
            KeyError(),
            "'org/data' is no file here, and the Hugging Face hub gave no such dataset: KeyError.",
            None,
        ),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(
    raised: Exception,
    message: str,
    fix: str | None,
    dataset: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset()))
    assert caught.value.message == message
    assert fix is None or caught.value.fix == fix


def test_another_configuration_is_named(dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise ValueError("BuilderConfig 'de' not found. Available: ['en', 'fr']")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset(name="de")))
    assert caught.value.message == "'org/data' has no configuration 'de'."
    assert caught.value.fix == "Write one of ['en', 'fr'] under 'name'."


def test_what_the_library_says_is_what_is_looked_for(tmp_path: Path) -> None:
    """The sentences above are found by its words; this says when they change."""
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(ValueError, match=r"^Unknown split \"dev\"\. Should be one of \['train'\]\."):
        datasets.load_dataset(str(tmp_path), split="dev", cache_dir=str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"^BuilderConfig 'de' not found\. Available: \["):
        datasets.load_dataset(str(tmp_path), "de", cache_dir=str(tmp_path / "cache"))


def test_a_saved_set_is_counted_without_the_library(
    make_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = datasets.Dataset.from_dict({"text": [str(number) for number in range(50)]})
    datasets.DatasetDict({"train": rows.select(range(10, 40))}).save_to_disk(
        tmp_path / "saved", num_shards={"train": 3}
    )
    entry = make_config(
        {"type": "completion", "path": str(tmp_path / "saved"), "split": "train[5:]"}
    ).datasets[0]
    found = [(number, row["text"]) for number, row in read_rows(entry)]
    assert found == [(number, str(number + 10)) for number in range(5, 30)]
    monkeypatch.setattr(datasets, "load_from_disk", None)
    assert count_rows(entry) == 25


def test_a_hub_dataset_is_streamed(dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def load(path: str, name: str | None, **options: Any) -> datasets.IterableDataset:
        calls.append((path, name, options))
        return datasets.Dataset.from_dict({"text": ["a", "b", "c", "d"]}).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    for path in ("org/data", "hf://datasets/org/data"):
        source = find_source(dataset(path=path, name="en"), "train", streaming=True)
        assert list(source.read(2)) == [{"text": "c"}, {"text": "d"}]
        assert list(source.read()) == [{"text": text} for text in "abcd"]
        assert not source.is_random
    assert calls == [("org/data", "en", {"split": "train", "revision": None, "streaming": True})] * 2


def test_a_stream_has_no_number_of_rows(dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: object())
    with pytest.raises(DataError) as caught:
        RowStream(dataset(split="train[:10%]"), rank=0, world_size=1, seed=1, size=2)
    assert caught.value.message == "'org/data' (split train[:10%]): how many rows a stream has is not known."
    assert (
        caught.value.fix == "Write the slice in rows from the beginning, as in train[1000:] or train[:5000]."
    )


def test_a_stream_that_breaks_off(dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> Any:
        yield {"text": "a"}
        raise OSError("connection reset.")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows())
    read = find_source(dataset(), "train", streaming=True).read()
    assert next(read) == {"text": "a"}
    with pytest.raises(DataError) as caught:
        next(read)
    assert caught.value.message == "The stream of 'org/data' broke off: connection reset."
    assert caught.value.fix == "Check the network, and go on from the last checkpoint."
