"""Samples are made once of the same bytes in the same way, and again of others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.data import Sample, entry, load_samples, tokenize_rows, workers
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]


def chat(number: int) -> dict[str, Any]:
    asked = {"role": "user", "content": f"What is {number}?"}
    return {"messages": [asked, {"role": "assistant", "content": "A number. 😀" * (number % 3)}]}


def write(path: str, count: int, first: int = 0) -> None:
    Path(path).write_text("".join(json.dumps(chat(number)) + "\n" for number in range(first, first + count)))


def facts(sample: Sample) -> tuple[Any, ...]:
    return (
        sample.input_ids.tolist(),
        sample.labels.tolist(),
        sample.spans,
        sample.row,
        sample.source,
        sample.cut,
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("rows.jsonl", 30)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the datasets whose samples are made, not found."""
    paths: list[str] = []
    original = entry.sieve_batches

    def counted(config: Any, tokenizer: Any, dataset: Any, batches: Any, *, processes: int) -> Any:
        paths.append(dataset.path)
        return original(config, tokenizer, dataset, batches, processes=processes)

    monkeypatch.setattr(entry, "sieve_batches", counted)
    return paths


ROWS = {"path": "rows.jsonl", "chat_template": "chatml"}


def test_samples_are_the_same_however_they_are_made(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("rows.jsonl", 1000)
    config = make_config(
        ROWS, sequence_len=24, excess_length_strategy="truncate", shuffle_merged_datasets=False
    )
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    expected = [facts(each) for each in tokenize_rows(config, rows, tokenizer) if each.trained]
    ways: dict[str, Any] = {}
    monkeypatch.setattr(workers, "PATIENCE", 0.0)
    monkeypatch.setattr(
        workers.Workers, "ready", property(lambda self: self._idle or self._receive({}, None) or True)
    )
    ways["two processes"] = load_samples(config, tokenizer, processes=2)
    ways["found"] = load_samples(config, tokenizer)
    ways["in memory"] = load_samples(
        config.model_copy(update={"dataset_keep_in_memory": True}), tokenizer, processes=1
    )
    monkeypatch.setenv("FT_PREPARED_DIR", "other")
    ways["one process"] = load_samples(config, tokenizer, processes=1)

    assert {way: samples.entries[0].found for way, samples in ways.items()} == {
        "two processes": False,
        "found": True,
        "in memory": True,
        "one process": False,
    }
    for way, samples in ways.items():
        assert [facts(each) for each in samples.train] == expected, way
        assert samples.dropped == {"nothing trained": 334}, way
        assert samples.truncated == ways["one process"].truncated > 0, way


def test_the_second_time_they_are_found(make_config: MakeConfig, tokenizer: Any, made: list[str]) -> None:
    seen: list[tuple[int, int | None]] = []
    config = make_config(ROWS, sequence_len=25)
    one = load_samples(config, tokenizer)
    two = load_samples(config, tokenizer, on_progress=lambda *counts: seen.append(counts))

    assert made == ["rows.jsonl"]
    assert [facts(each) for each in two.train] == [facts(each) for each in one.train]
    assert (two.dropped, two.entries[0].tally) == (one.dropped, one.entries[0].tally)
    assert two.entries[0].tally.rules == {
        "masked: role user is not in roles_to_train": 10,
        **one.entries[0].tally.rules,
    }
    assert seen == [(30, 30)]


@pytest.mark.parametrize(
    "keys", [{"seed": 7}, {"val_set_size": 3}, {"shuffle_merged_datasets": False}, {"learning_rate": 1e-3}]
)
def test_what_is_done_with_samples_makes_no_others(
    keys: dict[str, Any], make_config: MakeConfig, tokenizer: Any, made: list[str]
) -> None:
    load_samples(make_config(ROWS), tokenizer)
    keys = {"learning_rate": 1e-4, **keys}
    dataset = {"type": "chat_template", **ROWS}
    load_samples(
        load_config({"base_model": "a/b", "sequence_len": 2048, "datasets": [dataset], **keys}), tokenizer
    )
    assert made == ["rows.jsonl"]


def test_an_edited_file_is_read_again(make_config: MakeConfig, tokenizer: Any, made: list[str]) -> None:
    """Nor is one of the same size whose time was set back taken for the old one."""
    config = make_config(ROWS, shuffle_merged_datasets=False)
    load_samples(config, tokenizer)
    times = Path("rows.jsonl").stat()
    edited = Path("rows.jsonl").read_text().replace("What is 1?", "What is 9?")
    Path("rows.jsonl").write_text(edited)
    os.utime("rows.jsonl", ns=(times.st_atime_ns, times.st_mtime_ns))
    samples = load_samples(config, tokenizer)

    assert made == ["rows.jsonl", "rows.jsonl"]
    assert "What is 9?" in {span.text for span in samples.train[0].spans}


def test_a_copy_is_found_under_its_own_name(make_config: MakeConfig, tokenizer: Any, made: list[str]) -> None:
    load_samples(make_config(ROWS), tokenizer)
    Path("rows.jsonl").rename("copy.jsonl")
    samples = load_samples(make_config({**ROWS, "path": "copy.jsonl"}), tokenizer)
    assert made == ["rows.jsonl"]
    assert {each.source for each in samples.train} == {"copy.jsonl"}


def test_another_dataset_beside_it_changes_nothing(
    make_config: MakeConfig, tokenizer: Any, made: list[str]
) -> None:
    write("more.jsonl", 5, first=100)
    load_samples(make_config(ROWS), tokenizer)
    both = [{"type": "chat_template", **ROWS}, {"type": "chat_template", **ROWS, "path": "more.jsonl"}]
    samples = load_samples(make_config(datasets=both), tokenizer)
    assert made == ["rows.jsonl", "more.jsonl"]
    assert [each.found for each in samples.entries] == [True, False]


class TestFunctions:
    CODE = "def ask(row):\n    return 'Which?', 'One.'\n"

    def test_that_of_a_file_is_kept_with_its_code(
        self, make_config: MakeConfig, tokenizer: Any, made: list[str]
    ) -> None:
        Path("function.py").write_text(self.CODE)
        config = make_config({**ROWS, "type": "function.py:ask"})
        for _ in range(2):
            assert len(load_samples(config, tokenizer).train) == 30
        assert len(made) == 1
        Path("function.py").write_text(self.CODE.replace("One", "Two"))
        assert "Two." in {span.text for span in load_samples(config, tokenizer).train[0].spans}
        Path("beside.py").write_text("")
        load_samples(config, tokenizer)
        assert len(made) == 3

    def test_that_of_the_notebook_is_asked_each_time(
        self, make_config: MakeConfig, tokenizer: Any, prepared_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        original = entry.sieve_batches

        def counted(*arguments: Any, processes: int) -> Any:
            asked.append(processes)
            return original(*arguments, processes=1)

        monkeypatch.setattr(entry, "sieve_batches", counted)
        config = make_config({**ROWS, "type": {"python": self.CODE}})
        for _ in range(2):
            samples = load_samples(config, tokenizer, processes=8)
            assert (samples.entries[0].folder, samples.entries[0].found, len(samples.train)) == (
                None,
                False,
                30,
            )
        # Of several ranks, each does the whole work.
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
        load_samples(config, tokenizer, processes=8)
        assert asked == [8, 8, 2]
        assert [path.name for path in prepared_folder.iterdir()] == []


def test_the_config_may_name_the_folder(
    make_config: MakeConfig, tokenizer: Any, prepared_folder: Path
) -> None:
    config = make_config(ROWS, dataset_prepared_path="last_run_prepared")
    [kept] = load_samples(config, tokenizer).entries
    assert kept.folder is not None
    assert sorted(path.name for path in kept.folder.iterdir()) == ["about.json", "samples.arrow"]
    assert kept.folder.parent == Path("last_run_prepared")
    assert list(prepared_folder.iterdir()) == []


def test_broken_rows_are_told_of_each_time(make_config: MakeConfig, tokenizer: Any, made: list[str]) -> None:
    Path("rows.jsonl").write_text(Path("rows.jsonl").read_text() + "{broken\n")
    for _ in range(2):
        samples = load_samples(make_config(ROWS, broken_rows="skip"), tokenizer)
        assert samples.dropped == {"nothing trained": 10, "broken": 1}
        [warning] = samples.warnings
        assert warning == (
            "1 broken row is left out (broken_rows is skip): rows.jsonl line 31: not valid JSON "
            "(expected property name enclosed in double quotes at column 2)"
        )
    assert made == ["rows.jsonl"]
    with pytest.raises(DataError, match=r"rows\.jsonl line 31: not valid JSON"):
        load_samples(make_config(ROWS), tokenizer)


@pytest.mark.parametrize("error", [KeyboardInterrupt, DataError("no", "yes")])
def test_an_interrupt_leaves_nothing_behind(
    error: BaseException,
    make_config: MakeConfig,
    tokenizer: Any,
    prepared_folder: Path,
    made: list[str],
) -> None:
    write("rows.jsonl", 600)

    def interrupt(done: int, total: int | None) -> None:
        if done == 512:
            raise error

    with pytest.raises((KeyboardInterrupt, DataError)):
        load_samples(make_config(ROWS), tokenizer, on_progress=interrupt)
    assert list(prepared_folder.iterdir()) == []
    assert len(load_samples(make_config(ROWS), tokenizer).train) == 400
    assert made == ["rows.jsonl", "rows.jsonl"]


def test_a_file_that_changes_while_it_is_read_is_an_error(
    make_config: MakeConfig, tokenizer: Any, prepared_folder: Path
) -> None:
    write("rows.jsonl", 600)

    def edit(done: int, total: int | None) -> None:
        if done == 256:
            write("rows.jsonl", 601)

    with pytest.raises(DataError) as caught:
        load_samples(make_config(ROWS), tokenizer, on_progress=edit)
    assert caught.value.message == "'rows.jsonl' was changed while it was read."
    assert list(prepared_folder.iterdir()) == []


def test_a_full_disk_is_a_sentence(
    make_config: MakeConfig, tokenizer: Any, prepared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(entry.BlockWriter, "write", refuse)
    with pytest.raises(DataError) as caught:
        load_samples(make_config(ROWS), tokenizer)
    assert (
        caught.value.message
        == f"Prepared data cannot be written to '{prepared_folder}': no space left on device."
    )
    assert list(prepared_folder.iterdir()) == []


def test_only_the_users_own_cache_is_bounded(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidied: list[Path] = []
    monkeypatch.setattr(entry, "make_room", tidied.append)
    load_samples(make_config(ROWS, dataset_prepared_path="mine"), tokenizer)
    assert tidied == []
    load_samples(make_config(ROWS), tokenizer)
    assert len(tidied) == 1
