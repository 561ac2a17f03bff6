"""Remote stores through fsspec; the store is one in memory that goes by the scheme ``s3``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from ft_core.config import Config
from ft_core.data.files import Skipped
from ft_core.data.sources import count_rows, open_rows, read_rows
from ft_core.data.sources.stores import list_store
from ft_core.errors import DataError, MissingExtra

ROWS = [{"text": "one"}, {"text": "two"}, {"text": "three"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


class Store(MemoryFileSystem):
    """What counts the files that are fetched from it."""

    protocol = "s3"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    cachable = False
    fetched: list[str] = []  # noqa: RUF012
    fault: Exception | None = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").strip("/")

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        if Store.fault:
            raise Store.fault
        return super().info(path)

    def get_file(self, rpath: str, lpath: Any, **_: Any) -> None:
        Store.fetched.append(rpath)
        super().get_file(rpath, lpath)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return an empty store under ``s3://``."""
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(_registry, "s3", Store)
    monkeypatch.setattr(Store, "store", {})
    monkeypatch.setattr(Store, "pseudo_dirs", [""])
    monkeypatch.setattr(Store, "fetched", [])
    return Store()


@pytest.fixture
def dataset(make_config: Callable[..., Config]) -> Callable[..., Any]:
    def make(path: str, **keys: Any) -> Any:
        return make_config({"type": "completion", "path": path, **keys}).datasets[0]

    return make


def test_a_file(store: Any, dataset: Callable[..., Any]) -> None:
    store.pipe("/bucket/rows.jsonl", LINES.encode())
    told: list[str] = []
    assert list(read_rows(dataset("s3://bucket/rows.jsonl"), on_wait=told.append)) == list(enumerate(ROWS))
    assert told == ["downloading s3://bucket/rows.jsonl (50 bytes)"]


def test_it_is_fetched_once_and_again_when_it_changed(store: Any, dataset: Callable[..., Any]) -> None:
    entry = dataset("s3://bucket/rows.jsonl")
    store.pipe("/bucket/rows.jsonl", LINES.encode())
    assert count_rows(entry) is None
    assert store.fetched == []
    assert [len(list(read_rows(entry))), count_rows(entry), len(open_rows(entry))] == [3, 3, 3]
    assert store.fetched == ["/bucket/rows.jsonl"]
    store.pipe("/bucket/rows.jsonl", LINES.encode()[:16])
    assert len(list(read_rows(entry))) == 1
    assert len(store.fetched) == 2


def test_a_broken_line_is_named_by_the_address(store: Any, dataset: Callable[..., Any]) -> None:
    store.pipe("/bucket/rows.jsonl", LINES.encode() + b"broken\n")
    skipped = Skipped()
    assert len(list(read_rows(dataset("s3://bucket/rows.jsonl"), skipped=skipped))) == 3
    assert skipped.first == ["s3://bucket/rows.jsonl line 4: not valid JSON (expected value at column 1)"]


class TestFolders:
    @pytest.fixture(autouse=True)
    def folder(self, store: Any, tmp_path: Path) -> None:
        for number, row in enumerate(ROWS):
            pq.write_table(pa.Table.from_pylist([row]), tmp_path / "rows.parquet")
            store.pipe(f"/bucket/data/train-{number}.parquet", (tmp_path / "rows.parquet").read_bytes())
        store.pipe("/bucket/data/more/test.jsonl", b'{"text": "test"}\n')
        store.pipe("/bucket/data/README.md", b"no data")

    def test_its_split(self, store: Any, dataset: Callable[..., Any]) -> None:
        told: list[str] = []
        rows = list(read_rows(dataset("s3://bucket/data/"), on_wait=told.append))
        assert rows == list(enumerate(ROWS))
        assert len(told) == 1
        assert told[0].startswith("downloading s3://bucket/data (3 files, ")
        assert list(read_rows(dataset("s3://bucket/data", split="test"))) == [(0, {"text": "test"})]
        assert len(store.fetched) == 4

    @pytest.mark.parametrize(
        ("patterns", "texts"),
        [
            ("train-1.parquet", ["two"]),
            (["train-2.parquet", "train-0.parquet"], ["three", "one"]),
            ("train-[12].parquet", ["two", "three"]),
            ("*.parquet", ["one", "two", "three"]),
        ],
    )
    def test_data_files(self, patterns: Any, texts: list[str], dataset: Callable[..., Any]) -> None:
        rows = read_rows(dataset("s3://bucket/data", data_files=patterns))
        assert [row["text"] for _, row in rows] == texts

    def test_a_name_that_is_not_there(self, dataset: Callable[..., Any]) -> None:
        with pytest.raises(DataError) as caught:
            list(read_rows(dataset("s3://bucket/data", data_files="other.parquet")))
        assert caught.value.message == "data_files: there is no file 'other.parquet' in 's3://bucket/data'."

    def test_no_data(self, store: Any, dataset: Callable[..., Any]) -> None:
        store.pipe("/empty/README.md", b"no data")
        with pytest.raises(DataError, match="There are no data files in the folder 's3://empty'"):
            list(read_rows(dataset("s3://empty")))

    def test_what_the_datasets_library_saved(
        self, store: Any, dataset: Callable[..., Any], tmp_path: Path
    ) -> None:
        from datasets import Dataset

        Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
        for path in (tmp_path / "saved").iterdir():
            store.pipe(f"/bucket/saved/{path.name}", path.read_bytes())
        assert list(read_rows(dataset("s3://bucket/saved"))) == list(enumerate(ROWS))

    def test_a_name_that_leads_elsewhere_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # All files of a folder that the datasets library saved are fetched.
        found = {f"/bucket/data/{name}": {"size": 1} for name in ("state.json", "../../outside.arrow")}
        monkeypatch.setattr(Store, "find", lambda *_, **__: found)
        assert list(list_store("s3://bucket/data").files) == ["state.json"]


def test_files_of_a_store_under_a_kind(store: Any, dataset: Callable[..., Any], tmp_path: Path) -> None:
    store.pipe("/bucket/a.data", LINES.encode())
    (tmp_path / "b.data").write_text('{"text": "here"}\n')
    entry = dataset("json", data_files=["s3://bucket/a.data", str(tmp_path / "b.data")])
    assert count_rows(entry) is None
    assert [row["text"] for _, row in read_rows(entry)] == ["one", "two", "three", "here"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (FileNotFoundError(), "There is nothing at 's3://bucket/rows.jsonl'."),
        (PermissionError("Forbidden"), "'s3://bucket/rows.jsonl' may not be read."),
        (
            RuntimeError("Unable to locate credentials.\nmore"),
            "'s3://bucket/rows.jsonl' cannot be read: Unable to locate credentials.",
        ),
        (RuntimeError(), "'s3://bucket/rows.jsonl' cannot be read: RuntimeError."),
    ],
)
def test_what_a_store_refuses_is_a_sentence(
    fault: Exception, message: str, store: Any, dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "fault", fault)
    monkeypatch.setattr(Store, "isfile", lambda self, path: bool(self.info(path)))
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset("s3://bucket/rows.jsonl")))
    assert caught.value.message == message


def test_nothing_there(store: Any, dataset: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"^There is nothing at 's3://bucket/rows\.jsonl'"):
        list(read_rows(dataset("s3://bucket/rows.jsonl")))


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("s3://bucket/rows.jsonl", "s3fs"),
        ("gs://bucket/rows.jsonl", "gcsfs"),
        ("az://container/rows.jsonl", "adlfs"),
        ("oci://bucket/rows.jsonl", "ocifs"),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    path: str, package: str, dataset: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as caught:
        list(read_rows(dataset(path)))
    assert caught.value.message == f"'{path}' needs the package '{package}', which is not installed."
    assert caught.value.fix == f"pip install {package}"


@pytest.mark.parametrize("path", ["ftp://host/rows.jsonl", "file:///etc/passwd", "ssh://host/a.jsonl"])
def test_other_addresses_are_refused(path: str, dataset: Callable[..., Any]) -> None:
    with pytest.raises(DataError) as caught:
        list(read_rows(dataset(path)))
    assert caught.value.message == f"'{path}' is no address that rows can be read from."
    assert caught.value.fix.startswith("Use one of https://, s3://, s3a://, gs://, ")
