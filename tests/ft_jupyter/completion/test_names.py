"""Variables, files, the hub's cache, runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ft_jupyter.completion.names import MOST, cached_models, demo_models, files, run_names, variables


def test_variables_are_the_notebooks_own_values() -> None:
    names: dict[str, Any] = {
        "lr": 0.1,
        "rows": [1],
        "_private": 1,
        "f": len,
        "kind": int,
        "module": pytest,
        "In": ["x"],
    }
    names["frame"] = SimpleNamespace()
    found = variables(names, {"In": names["In"]}, braces=False)
    assert [(offer.text, offer.kind) for offer in found] == [
        ("$frame", "SimpleNamespace"),
        ("$lr", "float"),
        ("$rows", "list"),
    ]
    assert [offer.text for offer in variables({"lr": 1}, {}, braces=True)] == ["${lr}"]


def test_a_name_that_hides_one_of_ipythons_is_the_notebooks() -> None:
    assert [offer.text for offer in variables({"In": 3}, {"In": []}, braces=False)] == ["$In"]


def test_files_go_on_from_the_typed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    for name in ("b.jsonl", "a.yml", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "data" / "x.csv").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = [(offer.text, offer.kind) for offer in files("")]
    assert found == [("data/", "folder"), ("a.yml", "file"), ("b.jsonl", "file")]
    assert [offer.text for offer in files("b", (".yml",))] == ["data/", "a.yml"]
    assert [offer.text for offer in files("data/")] == ["data/x.csv"]
    assert [offer.text for offer in files("~/data/x")] == ["~/data/x.csv"]
    assert [offer.text for offer in files(f"{tmp_path}/data/")] == [f"{tmp_path}/data/x.csv"]
    assert ".hidden" in [offer.text for offer in files(".h")]


@pytest.mark.parametrize("fragment", ["no/such/", "\0/", "~nobody-of-this-name/x", "a.yml/"])
def test_a_folder_that_is_none_has_no_files(
    fragment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yml").touch()
    monkeypatch.chdir(tmp_path)
    assert files(fragment) == []


def test_a_huge_folder_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(MOST + 20):
        (tmp_path / f"{number}").touch()
    monkeypatch.chdir(tmp_path)
    assert len(files("")) == MOST


def test_the_hubs_cache_is_listed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("models--org--net-1", "models--gpt2", "datasets--org--rows", "version.txt"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert [offer.text for offer in cached_models("models")] == ["gpt2", "org/net-1"]
    assert [(offer.text, offer.kind) for offer in cached_models("datasets")] == [
        ("org/rows", "in the hub's cache")
    ]


@pytest.mark.parametrize(
    ("variable", "under"),
    [
        ("HF_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
        ("HOME", ".cache/huggingface/hub"),
    ],
)
def test_the_hubs_cache_is_found_as_the_hub_finds_it(
    variable: str, under: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert [offer for offer in cached_models("models") if offer.text == "org/here"] == []
    monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / under / "models--org--here").mkdir(parents=True)
    assert [offer.text for offer in cached_models("models")] == ["org/here"]


def test_no_cache_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "missing"))
    assert cached_models("models") == []


def test_the_demo_model_is_offered_once_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FT_CACHE", str(tmp_path))
    assert demo_models() == []
    folder = tmp_path / "SmolLM2-135M-Instruct"
    folder.mkdir()
    (folder / "config.json").touch()
    [offer] = demo_models()
    assert (offer.text, offer.kind, offer.name) == (str(folder), "demo model", "SmolLM2-135M-Instruct")


def test_runs_newest_first_then_variables_that_hold_one(write_run: Any, runs_root: Path) -> None:
    old, new = write_run("old"), write_run("new")
    old.end(started=1.0)
    found = run_names(None, {"mine": new.run, "old": old.run, "_": new.run, "x": 3})
    assert [(offer.text, offer.kind) for offer in found] == [
        ("new", "running"),
        ("old", "completed"),
        ("mine", "variable"),
    ]


def test_a_file_in_place_of_the_runs_folder_holds_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run_names(tmp_path / "file", {}) == []
