from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.errors import RunError
from ft_core.runs import Run, find_runs, open_run
from ft_core.runs import runs_root as default_root


def started(run: Run, when: float) -> Run:
    path = run.directory / "status.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "started": when}))
    return run


def test_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FT_RUNS_DIR", raising=False)
    assert default_root() == tmp_path / "runs"
    monkeypatch.setenv("FT_RUNS_DIR", "~/r")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_root() == Path("/home/ada/r")


def test_newest_first(new_run: Callable[..., Run]) -> None:
    for name, when in (("b", 30.0), ("a", 20.0), ("c", 40.0)):
        started(new_run(name), when)
    assert [run.name for run in find_runs()] == ["c", "b", "a"]


def test_no_root_no_runs(runs_root: Path) -> None:
    assert find_runs() == []


def test_damaged_runs_are_listed_and_strangers_are_not(new_run: Callable[..., Run], runs_root: Path) -> None:
    started(new_run("good"), 9e9)
    started(new_run("broken"), 5.0)
    (runs_root / "broken" / "status.json").write_text('{"state"')
    new_run("headless")
    (runs_root / "headless" / "status.json").unlink()
    (runs_root / "tensorboard").mkdir()
    (runs_root / "tensorboard" / "events.out.tfevents").touch()
    (runs_root / "empty").mkdir()
    (runs_root / "notes.txt").touch()
    (runs_root / ".poet.deleted-x").mkdir()
    (runs_root / ".poet.deleted-x" / "status.json").touch()
    (runs_root / "dangling").symlink_to(runs_root / "nowhere")
    os.mkfifo(runs_root / "pipe")
    assert {run.name: run.state for run in find_runs()} == {
        "good": "starting", "broken": "damaged", "headless": "damaged",
    }  # fmt: skip
    assert find_runs()[0].name == "good"


def test_a_run_deleted_while_we_look(new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run("poet")

    def vanish(directory: Path) -> bool:
        shutil.rmtree(directory)
        return True

    monkeypatch.setattr("ft_core.runs.find.looks_like_run", vanish)
    assert [found.state for found in find_runs()] == ["damaged"]
    assert not run.directory.exists()


def test_by_name_and_by_path(
    new_run: Callable[..., Run], runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = new_run("poet").directory
    assert open_run("poet").directory == directory
    assert open_run(directory).directory == directory
    assert open_run(str(directory)).directory == directory
    monkeypatch.chdir(tmp_path)
    assert open_run("runs/poet").directory == directory
    monkeypatch.chdir(runs_root)
    assert open_run("poet", root=tmp_path / "other").directory == directory
    monkeypatch.chdir(directory)
    assert open_run(".").directory == directory


@pytest.mark.parametrize(
    ("names", "asked", "fix"),
    [
        ([], "poet", "No run was started there yet."),
        (["alpha"], "poet", "There are: alpha."),
        (["poet-1"], "peot-1", "Did you mean 'poet-1'? There are: poet-1."),
        (
            ["r1", "r2", "r3", "r4", "r5", "r6", "r7"],
            "zz",
            "There are: r7, r6, r5, r4, r3 and 2 more (ft runs).",
        ),
    ],
)
def test_a_missing_name(
    new_run: Callable[..., Run], runs_root: Path, names: list[str], asked: str, fix: str
) -> None:
    for when, name in enumerate(names):
        started(new_run(name), float(when))
    with pytest.raises(RunError) as caught:
        open_run(asked)
    assert caught.value.message == f"There is no run '{asked}' in {runs_root}."
    assert caught.value.fix == fix


def test_what_is_no_run(new_run: Callable[..., Run], runs_root: Path, tmp_path: Path) -> None:
    new_run("poet")
    (runs_root / "thesis").mkdir()
    with pytest.raises(RunError) as caught:
        open_run("thesis")
    assert str(caught.value) == f"{runs_root / 'thesis'} is not a run.\nThere are: poet."
    with pytest.raises(RunError, match=f"^{tmp_path} is not a run"):
        open_run(tmp_path)
    with pytest.raises(RunError, match=f"^{tmp_path / 'no'} does not exist"):
        open_run(tmp_path / "no")
    with pytest.raises(RunError, match="does not exist"):
        open_run("../../etc/nothing")


def test_the_root_is_a_file(runs_root: Path) -> None:
    runs_root.write_text("")
    with pytest.raises(RunError) as caught:
        find_runs()
    assert caught.value.message == f"{runs_root} is a file, so it holds no runs."
