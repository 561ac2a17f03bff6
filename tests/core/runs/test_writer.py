from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ft_core.errors import DataError, RunError
from ft_core.runs import Failure, Run, RunWriter
from ft_core.runs import writer as writer_module
from ft_core.runs.status import write_status


def kinds(run: Run) -> list[str]:
    return [event["type"] for event in run.events()[0]]


def last(run: Run) -> dict[str, object]:
    return run.events()[0][-1]


def test_a_run_from_start_to_end(run: Run) -> None:
    with RunWriter(run.directory, world_size=2) as writer:
        status = run.status()
        assert (status.state, status.phase, status.world_size) == ("running", "starting", 2)
        assert status.pid == status.worker_pid == os.getpid()
        writer.phase("training", total_steps=2)
        assert (run.status().phase, run.status().total_steps) == ("training", 2)
        writer.emit("step", step=1, total_steps=2, loss=float("nan"))
        writer.emit("step", step=2, total_steps=2, loss=0.5)
    status = run.status()
    assert (status.state, status.phase, status.step, status.total_steps) == ("completed", "done", 2, 2)
    assert status.ended is not None
    assert status.ended >= status.started
    events, _ = run.events()
    assert [event["type"] for event in events] == ["phase", "step", "step", "end"]
    assert events[1]["loss"] is None
    assert {key: events[3][key] for key in ("state", "step")} == {"state": "completed", "step": 2}
    assert events[3]["seconds"] == pytest.approx(status.ended - status.started, abs=0.1)
    assert run.error is None


def test_the_best_checkpoint_lies_behind(run: Run) -> None:
    with RunWriter(run.directory) as writer:
        writer.emit("step", step=8, total_steps=9)
        writer.emit("best", step=4, path="checkpoints/checkpoint-4", loss=1.5)
    assert (run.status().step, last(run)["step"]) == (8, 8)


def test_a_users_mistake_has_no_traceback(run: Run) -> None:
    with pytest.raises(DataError), RunWriter(run.directory) as writer:  # noqa: PT012
        writer.phase("tokenizing")
        raise DataError("Row 7 has no 'text'.", "Name the field.")
    assert (run.state, run.status().phase) == ("failed", "tokenizing")
    assert run.error == Failure("Row 7 has no 'text'.", "Name the field.", None)
    assert kinds(run) == ["phase", "error", "end"]
    assert last(run)["state"] == "failed"


def test_our_mistake_has_its_traceback(run: Run) -> None:
    with pytest.raises(ZeroDivisionError), RunWriter(run.directory):
        1 / 0  # noqa: B018
    assert run.error is not None
    assert run.error.message == "ZeroDivisionError: division by zero"
    assert run.error.traceback is not None
    assert "1 / 0" in run.error.traceback


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (KeyboardInterrupt(), "stopped", ""),
        (SystemExit(), "completed", ""),
        (SystemExit(0), "completed", ""),
        (SystemExit(3), "failed", "The worker exited with 3."),
        (AssertionError(), "failed", "AssertionError"),
    ],
)
def test_how_it_was_left_is_how_it_ended(run: Run, error: BaseException, state: str, message: str) -> None:
    with pytest.raises(type(error)), RunWriter(run.directory):
        raise error
    assert (run.state, run.status().message, last(run)["state"]) == (state, message, state)


@pytest.mark.parametrize(("step", "state"), [(1, "stopped"), (2, "completed")])
def test_a_stop_is_seen_served_and_cleared(run: Run, step: int, state: str) -> None:
    with RunWriter(run.directory) as writer:
        assert not writer.requested("stop")
        run.stop()
        run.checkpoint()
        assert run.state == "running"
        assert writer.requested("stop")
        assert run.state == "stopping"
        assert writer.requested("checkpoint")
        writer.clear("checkpoint")
        assert not writer.requested("checkpoint")
        assert writer.requested("stop")
        writer.emit("step", step=step, total_steps=2)
    assert run.state == state
    assert list((run.directory / "control").iterdir()) == []


def test_a_stop_before_the_worker_opened_is_kept(run: Run) -> None:
    run.stop()
    with RunWriter(run.directory) as writer:
        assert writer.requested("stop")
    assert run.state == "stopped"


def test_two_writers(run: Run, worker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LOCK_PATIENCE", 0.0)
    with pytest.raises(RunError) as caught, RunWriter(run.directory):
        pass
    assert caught.value.message == f"Another process (pid {worker.pid}) writes run 'poet'."
    assert caught.value.fix == "Wait until it has ended, or end it: ft stop poet --now"
    worker.communicate("\n")
    assert run.state == "completed"
    assert kinds(run) == ["step", "end"]


def test_two_writers_where_files_have_no_locks(
    run: Run, worker: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(RunError, match=rf"Another process \(pid {worker.pid} on "), RunWriter(run.directory):
        pass
    worker.communicate("\n")


def test_an_ended_run_is_not_written_again(run: Run) -> None:
    with RunWriter(run.directory):
        pass
    with pytest.raises(RunError, match="has already ended"), RunWriter(run.directory):
        pass
    assert kinds(run) == ["end"]


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("{")])
def test_only_a_run_is_written(run: Run, spoil: Callable[[Path], None]) -> None:
    spoil(run.directory / "status.json")
    with pytest.raises(RunError, match="'poet' is not a run that can be written"), RunWriter(run.directory):
        pass


def test_a_killed_writer_is_lost_and_its_run_can_be_taken_up(run: Run, worker: subprocess.Popen[str]) -> None:
    worker.send_signal(signal.SIGKILL)
    assert run.wait(timeout=10) == "lost"
    # Nobody has waited for it: it is a zombie.
    assert psutil.Process(worker.pid).status() == psutil.STATUS_ZOMBIE
    with (run.directory / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "step", "ti')
    with RunWriter(run.directory) as writer:
        assert run.state == "running"
        writer.emit("step", step=2, total_steps=9, loss=2.0)
    assert kinds(run) == ["step", "warning", "step", "end"]
    assert run.metrics["loss"].to_dict() == {1: 2.5, 2: 2.0}


def test_the_heart_beats_by_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[bool] = []
    enough = threading.Event()

    def write(directory: Path, status: object, *, durable: bool) -> None:
        write_status(directory, status, durable=durable)  # type: ignore[arg-type]
        if threading.current_thread().name == "ft-heartbeat":
            beats.append(durable)
            if len(beats) == 3:
                enough.set()

    monkeypatch.setattr(writer_module, "HEARTBEAT", 0.01)
    monkeypatch.setattr(writer_module, "write_status", write)
    with RunWriter(run.directory) as writer:
        first = run.status().heartbeat
        writer.emit("step", step=5, total_steps=9)
        assert enough.wait(10)
        assert run.status().heartbeat > first
        assert run.status().step == 5
    assert beats[:3] == [False, False, False]
    assert not any(thread.name == "ft-heartbeat" for thread in threading.enumerate())


def test_a_heartbeat_is_at_most_two_seconds() -> None:
    assert writer_module.HEARTBEAT <= 2.0


def test_the_heart_outlives_a_full_disk(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tries = 0
    recovered = threading.Event()

    def write(directory: Path, status: object, *, durable: bool) -> None:
        nonlocal tries
        if threading.current_thread().name == "ft-heartbeat":
            tries += 1
            if tries <= 3:
                raise RunError("Cannot write status.json: the disk is full.", "Free some space.")
            recovered.set()
        write_status(directory, status, durable=durable)  # type: ignore[arg-type]

    monkeypatch.setattr(writer_module, "HEARTBEAT", 0.01)
    monkeypatch.setattr(writer_module, "write_status", write)
    with RunWriter(run.directory):
        assert recovered.wait(10)
    assert capfd.readouterr().err == "ft: Cannot write status.json: the disk is full. Free some space.\n"


def test_a_full_disk_stops_the_run_with_a_sentence(run: Run) -> None:
    (run.directory / "events.jsonl").symlink_to("/dev/full")
    with pytest.raises(RunError) as caught, RunWriter(run.directory) as writer:
        writer.emit("step", step=1)
    assert caught.value.message == f"Cannot write {run.directory / 'events.jsonl'}: the disk is full."


def test_half_a_line_on_a_full_disk_spoils_no_other(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with RunWriter(run.directory) as writer:
        calls = iter(
            [lambda fd, data: real(fd, data[:9]), lambda fd, data: (_ for _ in ()).throw(OSError(28, "full"))]
        )
        monkeypatch.setattr(os, "write", lambda fd, data: next(calls)(fd, data))
        with pytest.raises(RunError, match="the disk is full"):
            writer.emit("step", step=1)
        monkeypatch.setattr(os, "write", real)
        writer.emit("step", step=2)
    assert kinds(run) == ["warning", "step", "end"]


def test_the_cause_is_not_hidden_by_the_disk(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), RunWriter(run.directory):  # noqa: PT012
        (run.directory / ".status.json.tmp").symlink_to("/dev/full")
        1 / 0  # noqa: B018
    assert "ft: the end of the run could not be written: Cannot write" in capfd.readouterr().err


def test_an_event_is_one_write(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    writes: list[bytes] = []
    with RunWriter(run.directory) as writer:
        monkeypatch.setattr(os, "write", lambda fd, data: writes.append(bytes(data)) or real(fd, data))
        writer.emit("warning", message="a\nb" * 10_000, fix="")
        monkeypatch.setattr(os, "write", real)
    assert len(writes) == 1
    assert json.loads(writes[0])["message"] == "a\nb" * 10_000


def test_threads_may_share_a_writer(run: Run) -> None:
    with RunWriter(run.directory) as writer:
        threads = [
            threading.Thread(target=lambda n=n: [writer.emit("x", n=n, text="y" * 5000) for _ in range(50)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(event["n"] for event in run.events()[0][:-1]) == sorted(list(range(4)) * 50)


def test_the_leader_is_the_session_started_for_the_run(
    run: Run, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    """As torchrun starts ranks: the writer is a child of the session's leader."""
    child = "from ft_core.runs import RunWriter; RunWriter({!r}).__enter__(); import os; print(os.getpid()); os._exit(0)"
    code = f"import subprocess; subprocess.run([sys.executable, '-c', {child.format(str(run.directory))!r}])"
    leader = spawn(code, run)
    rank_0 = int(leader.communicate()[0])
    status = json.loads((run.directory / "status.json").read_text())
    assert (status["pid"], status["worker_pid"]) == (leader.pid, rank_0)


def test_started_by_hand_the_shell_is_not_the_leader(
    run: Run, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    child = "from ft_core.runs import RunWriter; RunWriter({!r}).__enter__(); import os; print(os.getpid()); os._exit(0)"
    code = f"import subprocess; subprocess.run([sys.executable, '-c', {child.format(str(run.directory))!r}])"
    shell = spawn(code, run, marked=False)
    worker = int(shell.communicate()[0])
    status = json.loads((run.directory / "status.json").read_text())
    assert (status["pid"], status["worker_pid"]) == (worker, worker)
