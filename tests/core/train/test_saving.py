from __future__ import annotations

import os
from pathlib import Path

import pytest

from ft_core.train.saving import copy_to, list_checkpoints, publish


def folder(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_checkpoints_are_listed_by_step_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-x", ".writing", "checkpoint-100"):
        folder(tmp_path / name)
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "checkpoint-9",
        "checkpoint-10",
        "checkpoint-100",
    ]


def test_a_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    folder(tmp_path / "final", old="1", both="1")
    publish(folder(tmp_path / "staged", new="2", both="2"), tmp_path / "final")
    assert {path.name: path.read_text() for path in (tmp_path / "final").iterdir()} == {
        "new": "2",
        "both": "2",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["final"]


def test_copies_share_their_bytes_and_leave_other_files(tmp_path: Path) -> None:
    final = folder(tmp_path / "final", weights="w")
    folder(final / "sub", part="p")
    target = folder(tmp_path / "out", mine="m", weights="old")
    copy_to(final, target)
    assert {
        str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()
    } == {
        "mine": "m",
        "weights": "w",
        "sub/part": "p",
    }
    assert (target / "weights").samefile(final / "weights")


def test_copies_work_across_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    copy_to(folder(tmp_path / "final", weights="w"), tmp_path / "out")
    assert (tmp_path / "out" / "weights").read_text() == "w"
