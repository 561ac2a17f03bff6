"""Tokenized samples on the hub. The hub is a folder that takes and gives what the libraries would send and ask for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

from ft_core.config import Config
from ft_core.data import load_samples
from ft_core.data.hub import push_samples
from ft_core.data.prepare import Samples
from ft_core.errors import DataError

REPOSITORY = "me/prepared"


class Hub:
    """A dataset of the hub, in a folder; what it was asked is in `calls`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[str] = []
        self.refusal: Exception | None = None

    def ask(self, call: str) -> None:
        self.calls.append(call)
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """Return an empty hub in place of the real one."""
    stand_in = Hub(tmp_path / "hub")
    load = datasets.load_dataset

    def push(self: datasets.Dataset, repository: str, *, config_name: str, private: bool) -> None:
        assert (repository, private) == (REPOSITORY, True)
        stand_in.ask(f"push {config_name}")
        stand_in.folder.mkdir(exist_ok=True)
        self.to_parquet(stand_in.folder / f"{config_name}.parquet")

    def upload(self: Any, *, path_or_fileobj: bytes, path_in_repo: str, repo_id: str, repo_type: str) -> None:
        assert (repo_id, repo_type) == (REPOSITORY, "dataset")
        stand_in.ask(f"upload {path_in_repo}")
        (stand_in.folder / path_in_repo).write_bytes(path_or_fileobj)

    def download(repository: str, name: str, *, repo_type: str) -> str:
        assert (repository, repo_type) == (REPOSITORY, "dataset")
        stand_in.ask(f"download {name}")
        if not stand_in.folder.exists():
            raise RepositoryNotFoundError("404", response=_response())
        if not (stand_in.folder / name).exists():
            raise EntryNotFoundError("404")
        return str(stand_in.folder / name)

    def load_from_hub(path: str, name: str | None = None, **options: Any) -> Any:
        if path != REPOSITORY:
            return load(path, name, **options)
        stand_in.ask(f"load {name}")
        files = str(stand_in.folder / f"{name}.parquet")
        return load("parquet", data_files=files, cache_dir=str(stand_in.folder), **options)

    monkeypatch.setattr(datasets.Dataset, "push_to_hub", push)
    monkeypatch.setattr(datasets, "load_dataset", load_from_hub)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_file", upload)
    monkeypatch.setattr(
        huggingface_hub.HfApi, "repo_exists", lambda self, name, **_: stand_in.folder.exists()
    )
    monkeypatch.setattr(
        huggingface_hub.HfApi,
        "file_exists",
        lambda self, name, file, **_: (stand_in.folder / file).exists(),
    )
    return stand_in


def _response() -> Any:
    import httpx

    return httpx.Response(404, request=httpx.Request("GET", "https://example.org"))


@pytest.fixture
def prepare(
    make_config: Callable[..., Config], tokenizer: Any, tmp_path: Path
) -> Callable[..., tuple[Samples, list[str]]]:
    """Return a function that prepares two chats and says what was told, with the hub named or not."""
    rows = tmp_path / "rows.jsonl"
    chats = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        for question, answer in (("Hé?", "Yes 😀."), ("Who?", "Me."), ("Long?", "word " * 100))
    ]
    rows.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))

    def run(**keys: Any) -> tuple[Samples, list[str]]:
        prepared = {"dataset_prepared_path": str(tmp_path / "prepared"), "sequence_len": 80}
        told: list[str] = []
        config = make_config({"path": str(rows)}, **prepared, **keys)
        return load_samples(config, tokenizer, on_wait=told.append), told

    return run


def test_samples_come_back_as_they_were(hub: Hub, prepare: Any, tmp_path: Path) -> None:
    made, _ = prepare()
    folder = made.entries[0].folder
    assert push_samples(REPOSITORY, folder)
    assert hub.calls == [f"push {folder.name}", f"upload {folder.name}.json"]
    before = [
        (one.input_ids.tolist(), one.labels.tolist(), one.spans, one.row, one.cut) for one in made.train
    ]
    shutil.rmtree(tmp_path / "prepared")
    hub.calls.clear()
    taken, told = prepare(push_dataset_to_hub=REPOSITORY)
    assert hub.calls == [f"download {folder.name}.json", f"load {folder.name}"]
    assert told == ["taking tokenized data from 'me/prepared'"]
    after = [
        (one.input_ids.tolist(), one.labels.tolist(), one.spans, one.row, one.cut) for one in taken.train
    ]
    assert after == before
    assert (taken.entries[0].found, taken.entries[0].tally) == (True, made.entries[0].tally)
    assert taken.dropped == {"longer than sequence_len": 1}


def test_what_is_there_is_not_sent_again(hub: Hub, prepare: Any) -> None:
    made, _ = prepare()
    assert push_samples(REPOSITORY, made.entries[0].folder)
    hub.calls.clear()
    assert not push_samples(REPOSITORY, made.entries[0].folder)
    assert hub.calls == []


def test_samples_that_are_not_there_are_made_here(hub: Hub, prepare: Any) -> None:
    made, told = prepare(push_dataset_to_hub=REPOSITORY)
    assert (made.entries[0].found, told) == (False, [])
    # Kept here now, they are not asked for again.
    hub.calls.clear()
    assert prepare(push_dataset_to_hub=REPOSITORY)[0].entries[0].found
    assert hub.calls == []


def test_other_settings_are_other_samples(hub: Hub, prepare: Any) -> None:
    made, _ = prepare()
    push_samples(REPOSITORY, made.entries[0].folder)
    other, told = prepare(push_dataset_to_hub=REPOSITORY, train_on_inputs=True)
    assert (other.entries[0].found, told) == (False, [])


def test_a_hub_that_does_not_answer(hub: Hub, prepare: Any) -> None:
    hub.refusal = ConnectionError("no route to host.")
    made, told = prepare(push_dataset_to_hub=REPOSITORY)
    assert not made.entries[0].found
    assert told == ["'me/prepared' cannot be read (no route to host): the data is tokenized here"]


def test_a_hub_that_refuses_is_told_without_the_token(hub: Hub, prepare: Any) -> None:
    made, _ = prepare()
    hub.refusal = PermissionError("403 for hf_abcdefghijklmnop.\nmore")
    with pytest.raises(DataError) as caught:
        push_samples(REPOSITORY, made.entries[0].folder)
    assert caught.value.message == "The hub did not take the tokenized data as 'me/prepared': 403 for hf_...."
    assert caught.value.fix == (
        "Log in with a token that may write there (hf auth login), or remove push_dataset_to_hub."
    )
