from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ft_core.errors import RunError
from ft_core.runs import Run, record_process
from ft_core.runs.status import Status, new_status, read_status, write_status

ME = os.getpid()
MY_START = psutil.Process().create_time()


def put(run: Run, **fields: object) -> None:
    write_status(run.directory, replace(new_status(), **fields), durable=False)  # type: ignore[arg-type]


def test_what_is_written_is_read(run: Run) -> None:
    status = Status(
        state="failed", phase="training", pid=7, pid_started=1.5, worker_pid=8, worker_started=2.5, host="h",
        heartbeat=3.5, started=1.0, ended=4.0, step=3, total_steps=9, world_size=2, message="m", fix="f",
    )  # fmt: skip
    write_status(run.directory, status, durable=True)
    assert read_status(run.directory) == status
    assert json.loads((run.directory / "status.json").read_text())["world_size"] == 2
    assert not list(run.directory.glob(".status*"))


@pytest.mark.parametrize("state", ["starting", "running", "stopping"])
@pytest.mark.parametrize("who", ["pid", "worker_pid"])
def test_alive_while_either_process_lives(run: Run, state: str, who: str) -> None:
    mine = {"pid": 2**22 + 1, "pid_started": 1.0, who: ME, who.replace("pid", "pid_started"): MY_START}
    if who == "worker_pid":
        mine = {"pid": 2**22 + 1, "pid_started": 1.0, "worker_pid": ME, "worker_started": MY_START}
    put(run, state=state, **mine)
    assert (run.state, run.alive) == (state, True)


def test_a_pid_used_again_is_another_process(run: Run) -> None:
    put(run, state="running", pid=ME, pid_started=MY_START - 100)
    assert run.state == "lost"


def test_a_clock_set_meanwhile_loses_no_run(run: Run, spawn: Callable[..., subprocess.Popen[str]]) -> None:
    """Every start time moves with the clock; the mark in the environment does not."""
    process = spawn("print(flush=True); sys.stdin.readline()", run)
    assert process.stdout
    process.stdout.readline()
    put(run, state="running", pid=process.pid, pid_started=psutil.Process(process.pid).create_time() - 3600)
    assert run.state == "running"


def test_lost_says_what_is_known(run: Run) -> None:
    put(run, state="running", pid=2**22 + 1, pid_started=1.0, heartbeat=1000.0, step=4, total_steps=9)
    status = run.status()
    assert (status.state, status.ended, status.step) == ("lost", 1000.0, 4)
    assert status.message == (
        "The training process (pid 4194305) is gone and did not say why: it was killed, ran out of memory, "
        "or the machine restarted."
    )
    assert run.error is not None
    assert run.error.message == status.message
    assert json.loads((run.directory / "status.json").read_text())["state"] == "running"


@pytest.mark.parametrize(("age", "state"), [(59, "running"), (61, "lost")])
def test_on_another_host_the_heartbeat_decides(run: Run, age: float, state: str) -> None:
    put(run, state="running", pid=ME, pid_started=MY_START, host="elsewhere", heartbeat=time.time() - age)
    assert run.state == state


@pytest.mark.parametrize(("age", "state"), [(59, "starting"), (61, "lost")])
def test_a_run_that_nobody_starts_is_lost(run: Run, age: float, state: str) -> None:
    put(run, heartbeat=time.time() - age)
    assert run.state == state


@pytest.mark.parametrize("state", ["completed", "stopped", "failed"])
def test_an_ended_run_needs_no_process(run: Run, state: str) -> None:
    put(run, state=state)
    assert (run.state, run.alive) == (state, False)


def test_the_end_may_come_between_two_looks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker writes its end and exits after we read 'running' and before we look for it."""
    put(run, state="running", pid=1234567, pid_started=1.0)

    def gone(*_: object) -> bool:
        put(run, state="completed")
        return False

    monkeypatch.setattr("ft_core.runs.status.is_same_process", gone)
    assert run.state == "completed"


GOOD = '{"state": "completed", "pid": 1, "host": "h"'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not valid JSON."),
        (GOOD, "is not valid JSON."),
        ("\0" * 40, "is not valid JSON."),
        ("[" * 100_000, "is not valid JSON."),
        ("[1]", "is not a JSON object."),
        ("{}", "names no known state."),
        (GOOD + ', "state": "lost"}', "names no known state."),
        (GOOD + ', "pid": "7"}', "has a wrong value for 'pid'."),
        (GOOD + ', "pid": true}', "has a wrong value for 'pid'."),
        (GOOD + ', "heartbeat": null}', "has a wrong value for 'heartbeat'."),
        (GOOD + ', "message": 3}', "has a wrong value for 'message'."),
    ],
)
def test_a_damaged_file_is_a_state(run: Run, text: str, why: str) -> None:
    path = run.directory / "status.json"
    path.write_text(text)
    status = run.status()
    assert (status.state, status.alive, status.message) == ("damaged", False, f"{path} {why}")
    assert run.summary() == f"damaged, {path} {why[:-1]}"
    assert run.started == pytest.approx(run.directory.stat().st_mtime)


def test_a_missing_file_is_a_state(run: Run) -> None:
    path = run.directory / "status.json"
    path.unlink()
    assert run.status().message == f"{path} is missing."


def test_fields_of_a_later_version_are_ignored(run: Run) -> None:
    (run.directory / "status.json").write_text(GOOD + ', "gpus": [1], "ended": null, "heartbeat": 3}')
    assert run.status() == Status(state="completed", pid=1, host="h", heartbeat=3)


def test_a_reader_never_sees_half_a_status(run: Run, spawn: Callable[..., subprocess.Popen[str]]) -> None:
    writer = spawn(
        """
        from ft_core.runs.status import new_status, write_status
        from dataclasses import replace
        status = replace(new_status(), pid=os.getpid(), message="x" * 20000)
        for step in range(500):
            write_status(directory, replace(status, step=step), durable=False)
        """,
        run,
    )
    states = {run.status().state}
    while writer.poll() is None:
        states.add(json.loads((run.directory / "status.json").read_text())["state"])
    assert states == {"starting"}
    assert run.status().step == 499


def test_the_launcher_notes_its_process(run: Run) -> None:
    record_process(run.directory, ME, world_size=2)
    status = run.status()
    assert (status.state, status.pid, status.world_size) == ("starting", ME, 2)
    assert status.pid_started == pytest.approx(MY_START)
    put(run, state="starting", pid=2**22 + 1, pid_started=1.0)
    assert run.state == "lost"


def test_a_quicker_worker_has_the_last_word(run: Run, worker: subprocess.Popen[str]) -> None:
    record_process(run.directory, ME)
    assert run.status().pid == worker.pid
    worker.communicate("\n")
    record_process(run.directory, ME)
    assert (run.status().pid, run.state) == (worker.pid, "completed")


def test_a_full_disk_is_a_sentence_and_keeps_the_old_status(run: Run) -> None:
    put(run, state="completed")
    (run.directory / ".status.json.tmp").symlink_to("/dev/full")
    with pytest.raises(RunError) as caught:
        put(run, state="failed")
    assert caught.value.message == f"Cannot write {run.directory / 'status.json'}: the disk is full."
    assert run.state == "completed"


def test_the_host_is_this_one(run: Run) -> None:
    assert run.status().host == socket.gethostname()


def test_a_folder_that_vanishes_is_damaged(tmp_path: Path) -> None:
    assert read_status(tmp_path / "gone").started == 0.0
