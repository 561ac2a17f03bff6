from __future__ import annotations

import errno
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ft_core.errors import RunError
from ft_core.runs import Run, create_run, next_name
from ft_core.runs.status import new_status, write_status


def test_a_new_run_holds_what_it_was_given(new_run: Callable[..., Run], runs_root: Path) -> None:
    run = new_run("poet", config_text="# mine\r\nlr: 1e-3\r\n", plan={"steps": 3, "gb": float("inf")})
    assert run.directory == runs_root / "poet"
    assert (run.directory / "config.yaml").read_bytes() == b"# mine\r\nlr: 1e-3\r\n"
    assert run.config_text == "# mine\r\nlr: 1e-3\r\n"
    assert (run.directory / "resolved.yaml").read_text() == "base_model: x\nseed: 42\n"
    assert run.plan == {"steps": 3, "gb": None}
    assert sorted(path.name for path in run.directory.iterdir()) == [
        "checkpoints", "config.yaml", "control", "plan.json", "resolved.yaml", "status.json",
    ]  # fmt: skip
    assert run.state == "starting"
    assert run.ended is None


@pytest.mark.parametrize("name", ["a", "7", "poet-7", "a.b_c-D", "x" * 80])
def test_good_names(new_run: Callable[..., Run], name: str) -> None:
    assert new_run(name).name == name


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("", "Choose a name such as 'run-1'."),
        ("..", "Choose a name such as 'run-1'."),
        (".hidden", "Write 'hidden'."),
        ("-x", "Write 'x'."),
        ("my run", "Write 'my-run'."),
        ("a/b", "Write 'a-b'."),
        ("a\n", "Write 'a'."),
        ("../../etc", "Write 'etc'."),
        ("é", "Choose a name such as 'run-1'."),
        ("x" * 81, f"Write '{'x' * 80}'."),
    ],
)
def test_bad_names_are_refused_with_a_good_one(
    new_run: Callable[..., Run], runs_root: Path, name: str, fix: str
) -> None:
    with pytest.raises(RunError, match="cannot name a run") as caught:
        new_run(name)
    assert caught.value.fix == fix
    assert not runs_root.exists()


def test_without_a_name_the_next_number_is_taken(new_run: Callable[..., Run], runs_root: Path) -> None:
    assert [new_run(None).name for _ in range(3)] == ["run-1", "run-2", "run-3"]
    (runs_root / "run-41").touch()
    (runs_root / "run-50x").touch()
    assert next_name() == "run-42"
    assert next_name(runs_root, stem="poet") == "poet-1"


def test_many_at_once_get_a_name_each(new_run: Callable[..., Run]) -> None:
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(new_run(None).name)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"run-{n}" for n in range(1, 9)]


def test_a_taken_name_says_what_has_it(new_run: Callable[..., Run]) -> None:
    new_run("poet")
    with pytest.raises(RunError) as caught:
        new_run("poet")
    assert caught.value.message == "There is already a run 'poet': starting, started just now."
    assert caught.value.fix == "Use another name, or stop it first: ft stop poet"


def test_a_taken_name_of_an_ended_run_offers_to_overwrite(new_run: Callable[..., Run]) -> None:
    end(new_run("poet"))
    with pytest.raises(RunError) as caught:
        new_run("poet")
    assert caught.value.message == "There is already a run 'poet': completed 2 minutes ago, step 3 of 3."
    assert (
        caught.value.fix == "Use another name, or overwrite it: option --overwrite, in Python overwrite=True."
    )


def test_overwrite_replaces_an_ended_run(new_run: Callable[..., Run], runs_root: Path) -> None:
    old = end(new_run("poet"))
    (old.directory / "final").mkdir()
    new = new_run("poet", overwrite=True)
    assert new.state == "starting"
    assert not new.final.exists()
    assert [path.name for path in runs_root.iterdir()] == ["poet"]


def test_what_the_resolved_yaml_names_is_written_into_the_run(new_run: Callable[..., Run]) -> None:
    def resolved(directory: Path) -> str:
        (directory / "data").mkdir()
        assert not (directory / "resolved.yaml").exists()
        return f"path: {directory / 'data'}\n"

    run = new_run("poet", resolved_text=resolved)
    assert (run.directory / "resolved.yaml").read_text() == f"path: {run.directory / 'data'}\n"
    assert (run.directory / "data").is_dir()


@pytest.mark.parametrize("failure", [RunError("no"), OSError(errno.EIO, "no"), KeyboardInterrupt()])
def test_a_run_that_cannot_be_made_leaves_the_one_it_would_replace(
    new_run: Callable[..., Run], runs_root: Path, failure: BaseException
) -> None:
    end(new_run("poet"))
    (runs_root / "poet" / "final").mkdir()

    def refuse(directory: Path) -> str:
        (directory / "half").write_text("")
        raise failure

    with pytest.raises((RunError, KeyboardInterrupt)):
        new_run("poet", overwrite=True, resolved_text=refuse)
    assert [path.name for path in runs_root.iterdir() if path.is_dir()] == ["poet"]
    assert Run(runs_root / "poet").state == "completed"
    assert (runs_root / "poet" / "final").is_dir()
    assert not (runs_root / "poet" / "half").exists()
    with pytest.raises((RunError, KeyboardInterrupt)):
        new_run("other", resolved_text=refuse)
    assert [path.name for path in runs_root.iterdir() if path.is_dir()] == ["poet"]


def test_overwrite_of_nothing_creates(new_run: Callable[..., Run]) -> None:
    assert new_run("poet", overwrite=True).state == "starting"


def test_overwrite_refuses_a_run_that_is_alive(new_run: Callable[..., Run]) -> None:
    run = new_run("poet")
    with pytest.raises(RunError, match="Run 'poet' is starting and cannot be overwritten"):
        new_run("poet", overwrite=True)
    assert run.state == "starting"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_run_is_never_touched(
    new_run: Callable[..., Run], runs_root: Path, overwrite: bool
) -> None:
    (runs_root / "thesis").mkdir(parents=True)
    (runs_root / "thesis" / "chapter-1").write_text("It was")
    with pytest.raises(RunError, match="is not a run"):
        new_run("thesis", overwrite=overwrite)
    assert (runs_root / "thesis" / "chapter-1").read_text() == "It was"


def test_overwrite_never_follows_a_link_out_of_the_root(
    new_run: Callable[..., Run], tmp_path: Path, runs_root: Path
) -> None:
    end(new_run("poet"))
    outside = tmp_path / "elsewhere"
    (runs_root / "poet").rename(outside)
    (runs_root / "poet").symlink_to(outside)
    assert new_run("poet", overwrite=True).state == "starting"
    assert (outside / "status.json").exists()


def test_delete(new_run: Callable[..., Run], runs_root: Path) -> None:
    run = new_run("poet")
    with pytest.raises(RunError, match="Run 'poet' is starting and cannot be deleted"):
        run.delete()
    end(run).delete()
    assert list(runs_root.iterdir()) == []


def test_the_root_is_a_file(runs_root: Path, new_run: Callable[..., Run]) -> None:
    runs_root.write_text("")
    with pytest.raises(RunError) as caught:
        new_run()
    assert caught.value.message == f"{runs_root} is a file, so it cannot hold runs."


def test_the_root_is_below_a_file(tmp_path: Path, new_run: Callable[..., Run]) -> None:
    (tmp_path / "note").write_text("")
    root = tmp_path / "note" / "runs"
    with pytest.raises(RunError) as caught:
        new_run(root=root)
    assert caught.value.message == f"Cannot create {root}: a file stands where a folder should be."


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your disk quota is used up"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_the_disk_refuses_is_a_sentence_and_leaves_nothing(
    runs_root: Path, new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, code: int, why: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(RunError) as caught:
            new_run("poet")
    assert caught.value.message == f"Cannot write {runs_root / 'poet'}: {why}."
    assert caught.value.fix
    assert list(runs_root.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="another user's folder needs root to make one")
def test_a_real_refusal() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            os.setuid(65534)
            try:
                create_run("poet", config_text="", resolved_text="", plan={}, root=Path(folder))
            except RunError as error:
                os.write(writing, error.message.encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        assert os.read(reading, 1000).decode() == f"Cannot create {folder}/poet: permission denied."


def test_the_status_is_written_last(
    runs_root: Path, new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who sees the status sees the rest."""
    seen: list[str] = []

    def look(directory: Path, status: object, *, durable: bool) -> None:
        seen.extend(sorted(path.name for path in directory.iterdir()))
        write_status(directory, status, durable=durable)  # type: ignore[arg-type]

    monkeypatch.setattr("ft_core.runs.create.write_status", look)
    new_run()
    assert seen == ["checkpoints", "config.yaml", "control", "plan.json", "resolved.yaml"]


def end(run: Run) -> Run:
    """Make `run` one that completed two minutes ago."""
    path = run.directory / "status.json"
    status = json.loads(path.read_text())
    status.update(state="completed", ended=status["started"] - 120, step=3, total_steps=3)
    path.write_text(json.dumps(status))
    return run


def test_a_run_whose_process_is_just_leaving_can_be_overwritten(
    new_run: Callable[..., Run], spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    run = new_run("poet", config_text="old: 1\n")
    process = spawn("print('here', flush=True); time.sleep(0.8)", run)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    write_status(run.directory, replace(new_status(), state="completed"), durable=False)
    assert new_run("poet", config_text="new: 1\n", overwrite=True).config_text == "new: 1\n"
    assert process.wait(timeout=5) == 0
