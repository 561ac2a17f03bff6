"""Copies of remote files: kept by address, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_core.data.sources.copies import copies_folder, keep, known_copies
from ft_core.errors import DataError

ADDRESS = "https://example.org/rows.jsonl"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_copy_is_known_by_its_address() -> None:
    path = keep(ADDRESS, "rows.jsonl", "v1", 3, lambda half: half.write_text("one"))
    assert path.read_text() == "one"
    [copy] = known_copies(ADDRESS).values()
    assert (copy.path, copy.version) == (path, "v1")
    assert known_copies("https://example.org/other.jsonl") == {}


def test_files_of_one_address_are_kept_beside_each_other() -> None:
    keep(ADDRESS, "a/1.jsonl", "v1", None, lambda half: half.write_text("one"))
    keep(ADDRESS, "a/2.jsonl", "v1", None, lambda half: half.write_text("two"))
    keep(ADDRESS, "a/1.jsonl", "v2", None, lambda half: half.write_text("new"))
    found = {name: (copy.path.read_text(), copy.version) for name, copy in known_copies(ADDRESS).items()}
    assert found == {"a/1.jsonl": ("new", "v2"), "a/2.jsonl": ("two", "v1")}


def test_an_interrupt_leaves_the_old_copy_and_nothing_else(cache: Path) -> None:
    path = keep(ADDRESS, "rows.jsonl", "v1", 3, lambda half: half.write_text("one"))

    def stopped(half: Path) -> None:
        half.write_text("tw")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(ADDRESS, "rows.jsonl", "v2", 3, stopped)
    assert path.read_text() == "one"
    assert known_copies(ADDRESS)["rows.jsonl"].version == "v1"
    assert sorted(file.name for file in cache.rglob("*") if file.is_file()) == ["about.json", "rows.jsonl"]


def test_a_copy_that_was_deleted_is_not_known() -> None:
    keep(ADDRESS, "rows.jsonl", "v1", 3, lambda half: half.write_text("one")).unlink()
    assert known_copies(ADDRESS) == {}


@pytest.mark.parametrize("about", ["", "{", "[]", "{}", '{"files": 3}', '{"files": {"a": {}}}'])
def test_a_damaged_note_is_as_none(about: str) -> None:
    keep(ADDRESS, "rows.jsonl", "v1", 3, lambda half: half.write_text("one"))
    (copies_folder(ADDRESS) / "about.json").write_text(about)
    assert known_copies(ADDRESS) == {}


def test_a_disk_without_room_is_a_sentence(cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        keep(ADDRESS, "rows.jsonl", "v1", 10**18, lambda half: half.write_text("one"))
    assert caught.value.message.startswith(f"{ADDRESS} needs 1000000000.0 GB, and the disk of '{cache}")


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert copies_folder(ADDRESS).parent == tmp_path / "ft_jupyter" / "data"
