"""The digest of a file follows its bytes, whatever its times say."""

from __future__ import annotations

import os
from pathlib import Path

import datasets
import pytest

from ft_core.config import Dataset
from ft_core.data import content
from ft_core.data.content import content_of, file_digest
from ft_core.data.sources.reading import find_source
from ft_core.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "one"}\n')
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory"


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the times of files at once."""
    monkeypatch.setattr(content, "SETTLED", -1.0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list of the files that are read."""
    read: list[Path] = []
    original = content._read
    monkeypatch.setattr(content, "_read", lambda path: (read.append(path), original(path))[1])
    return read


def test_a_file_that_was_left_alone_is_read_once(
    file: Path, memory: Path, settled: None, reads: list[Path]
) -> None:
    assert file_digest(file, memory) == file_digest(file, memory)
    assert reads == [file]


def test_a_file_that_was_written_just_now_is_read_again(file: Path, memory: Path, reads: list[Path]) -> None:
    file_digest(file, memory)
    file_digest(file, memory)
    assert reads == [file, file]
    assert not memory.exists()


def test_an_edit_is_seen(file: Path, memory: Path, settled: None) -> None:
    before = file_digest(file, memory)
    file.write_text('{"text": "two"}\n')
    assert file_digest(file, memory) != before


def test_an_edit_of_the_same_size_whose_time_was_set_back_is_seen(
    file: Path, memory: Path, settled: None
) -> None:
    before, times = file_digest(file, memory), file.stat()
    file.write_text('{"text": "two"}\n')
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.stat().st_mtime_ns == times.st_mtime_ns
    assert file_digest(file, memory) != before


def test_an_edit_within_a_tick_of_the_clock_is_seen(
    file: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the file system says may then be as before."""
    monkeypatch.setattr(
        content, "_look", lambda path: [1, 16, *[file.stat().st_ctime_ns // 10**9 * 10**9] * 2]
    )
    before = file_digest(file, memory)
    file.write_text('{"text": "two"}\n')
    assert file_digest(file, memory) != before


def test_a_file_that_another_took_the_place_of_is_seen(file: Path, memory: Path, settled: None) -> None:
    before = file_digest(file, memory)
    other = file.with_name("other")
    other.write_text('{"text": "two"}\n')
    other.replace(file)
    assert file_digest(file, memory) != before


def test_a_file_is_known_by_inode_size_and_both_times(file: Path) -> None:
    about = file.stat()
    assert content._look(file) == [about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]


def test_a_copy_is_the_same(file: Path, memory: Path) -> None:
    copy = file.with_name("copy.jsonl")
    copy.write_bytes(file.read_bytes())
    assert file_digest(copy, memory) == file_digest(file, memory)


def test_a_damaged_memory_is_no_harm(file: Path, memory: Path, settled: None) -> None:
    before = file_digest(file, memory)
    [note] = memory.iterdir()
    note.write_text("{")
    assert file_digest(file, memory) == before


def test_a_change_while_reading_is_an_error(
    file: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_read", lambda path: file.write_text("longer than before"))
    with pytest.raises(DataError) as caught:
        file_digest(file, memory)
    assert caught.value.message == f"'{file}' was changed while it was read."


def test_a_file_that_is_gone_is_an_error(tmp_path: Path, memory: Path) -> None:
    with pytest.raises(DataError) as caught:
        file_digest(tmp_path / "gone", memory)
    assert caught.value.message == f"'{tmp_path / 'gone'}' cannot be read: No such file or directory."


class TestSources:
    def of(self, memory: Path, **keys: object) -> str | None:
        dataset = Dataset.model_validate({"type": "completion", **keys})
        return content_of(find_source(dataset, "train"), memory)

    def test_a_folder_is_its_files(self, tmp_path: Path, memory: Path) -> None:
        folder = tmp_path / "rows"
        folder.mkdir()
        (folder / "a.jsonl").write_text("{}\n")
        one = self.of(memory, path=str(folder))
        (folder / "b.jsonl").write_text("{}\n")
        assert one != self.of(memory, path=str(folder))
        (folder / "b.jsonl").unlink()
        assert one == self.of(memory, path=str(folder))

    def test_the_kind_that_a_file_is_read_as_matters(self, file: Path, memory: Path) -> None:
        assert self.of(memory, path=str(file)) != self.of(memory, path=str(file), ds_type="text")

    def test_a_saved_dataset_is_its_files(self, tmp_path: Path, memory: Path) -> None:
        for name, text in (("one", "a"), ("copy", "a"), ("two", "b")):
            datasets.Dataset.from_dict({"text": [text]}).save_to_disk(tmp_path / name)
        one, copy, two = (self.of(memory, path=str(tmp_path / name)) for name in ("one", "copy", "two"))
        assert one is not None
        assert one == copy != two
