"""Entries of the cache are whole or not there, and written by one process at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import load_config
from ft_core.data import cache
from ft_core.data.cache import cache_folder, find, make_room, only_writer, publish
from ft_core.errors import DataError

KEY = "0123abcd"

KEYS = {
    "base_model": "some/model",
    "learning_rate": 1e-4,
    "datasets": [{"path": "some/rows", "type": "completion"}],
}


def write(folder: Path, key: str = KEY, data: bytes = b"samples") -> None:
    with only_writer(folder, key) as staging:
        (staging / "samples.arrow").write_bytes(data)
        publish(staging, folder, key, {"rows": 3})


def test_what_is_published_is_found(tmp_path: Path) -> None:
    assert find(tmp_path, KEY) is None
    write(tmp_path)
    assert find(tmp_path, KEY) == {"rows": 3, "bytes": 7}
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with only_writer(tmp_path, KEY) as staging:
            (staging / "samples.arrow").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "samples.arrow").write_bytes(b"sam"),
        lambda entry: (entry / "samples.arrow").unlink(),
        lambda entry: (entry / "about.json").unlink(),
        lambda entry: (entry / "about.json").write_text('{"rows": 3'),
        lambda entry: (entry / "about.json").write_text("{}"),
    ],
)
def test_a_damaged_entry_is_not_found_and_can_be_written_again(tmp_path: Path, damage: Any) -> None:
    write(tmp_path)
    damage(tmp_path / KEY)
    assert find(tmp_path, KEY) is None
    write(tmp_path, data=b"again")
    assert find(tmp_path, KEY) == {"rows": 3, "bytes": 5}


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from ft_core.data.cache import only_writer\n"
        "with only_writer(Path(sys.argv[1]), sys.argv[2]) as staging:\n"
        "    (staging / 'samples.arrow').write_bytes(b'half'); os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path), KEY], check=False)
    assert killed.returncode == -9
    assert [path.name for path in tmp_path.glob("*/*")] == ["samples.arrow"]
    with only_writer(tmp_path, KEY) as staging:
        assert list(staging.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("first_publishes", [True, False])
def test_the_second_writer_waits_for_the_first(tmp_path: Path, first_publishes: bool) -> None:
    told: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with only_writer(tmp_path, KEY) as staging:
            inside.set()
            go_on.wait(10)
            told.append("first")
            if first_publishes:
                (staging / "samples.arrow").write_bytes(b"samples")
                publish(staging, tmp_path, KEY, {"rows": 3})

    def second() -> None:
        with only_writer(tmp_path, KEY) as staging:
            told.append(f"second, {staging.is_dir()}, {find(tmp_path, KEY) is not None}")

    threads = [threading.Thread(target=each) for each in (first, second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(0.2)
    assert told == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert told == ["first", f"second, True, {first_publishes}"]
    assert [path.name for path in tmp_path.iterdir()] == ([KEY] if first_publishes else [])


def test_who_has_waited_for_a_folder_that_is_gone_waits_for_the_new_one(tmp_path: Path) -> None:
    """Between the end of one writer and the turn of the next, a third may have begun."""
    staging = tmp_path / f"{KEY}.writing"
    staging.mkdir()
    old = os.open(staging, os.O_RDONLY)
    cache.fcntl.flock(old, cache.fcntl.LOCK_EX)
    entered = threading.Event()

    def second() -> None:
        with only_writer(tmp_path, KEY):
            entered.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not entered.wait(0.2)
    staging.rename(tmp_path / "gone")
    staging.mkdir()
    new = os.open(staging, os.O_RDONLY)
    cache.fcntl.flock(new, cache.fcntl.LOCK_EX)
    os.close(old)
    assert not entered.wait(0.2)
    os.close(new)
    assert entered.wait(10)
    thread.join(10)


def test_without_locks_each_writes_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(cache.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(cache.fcntl, "flock", refuse)
    with only_writer(tmp_path, KEY) as one, only_writer(tmp_path, KEY) as two:
        assert one != two
        (one / "samples.arrow").write_bytes(b"samples")
        (two / "samples.arrow").write_bytes(b"samples")
        publish(one, tmp_path, KEY, {"rows": 3})
        publish(two, tmp_path, KEY, {"rows": 3})
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as caught, only_writer(tmp_path / "file" / "prepared", KEY):
        pass
    assert caught.value.message == (
        f"Prepared data cannot be written to '{tmp_path / 'file' / 'prepared'}': not a directory."
    )
    assert caught.value.fix == "Set dataset_prepared_path to a folder with room that you may write to."


class TestRoom:
    def fill(self, folder: Path, *ages: float) -> None:
        for number, age in enumerate(ages):
            write(folder, key=f"key-{number}")
            used = time.time() - age
            os.utime(folder / f"key-{number}" / "about.json", (used, used))

    def test_what_was_not_used_for_longest_goes_first(self, tmp_path: Path) -> None:
        self.fill(tmp_path, 20_000, 40_000, 30_000)
        make_room(tmp_path, limit=14)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["key-0", "key-2"]

    def test_what_was_used_lately_stays(self, tmp_path: Path) -> None:
        self.fill(tmp_path, 10, 20_000)
        make_room(tmp_path, limit=0)
        assert [path.name for path in tmp_path.iterdir()] == ["key-0"]

    def test_finding_is_a_use(self, tmp_path: Path) -> None:
        self.fill(tmp_path, 20_000, 30_000)
        assert find(tmp_path, "key-1") is not None
        make_room(tmp_path, limit=7)
        assert [path.name for path in tmp_path.iterdir()] == ["key-1"]


class TestFolder:
    def test_it_is_one_in_the_cache(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("FT_PREPARED_DIR")
        monkeypatch.setenv("FT_CACHE", "/cache")
        assert cache_folder(load_config(KEYS)) == Path("/cache/prepared")

    def test_the_environment_may_name_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FT_PREPARED_DIR", "/scratch")
        assert cache_folder(load_config(KEYS)) == Path("/scratch")

    def test_the_config_has_the_last_word(self) -> None:
        assert cache_folder(load_config({**KEYS, "dataset_prepared_path": "last_run_prepared"})) == Path(
            "last_run_prepared"
        )


def test_what_is_known_of_an_entry_is_json(tmp_path: Path) -> None:
    write(tmp_path)
    assert json.loads((tmp_path / KEY / "about.json").read_text()) == {"rows": 3, "bytes": 7}
