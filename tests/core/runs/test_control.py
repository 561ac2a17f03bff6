from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace

import psutil
import pytest

from ft_core.errors import RunError
from ft_core.runs import Run
from ft_core.runs import processes as processes_module
from ft_core.runs.processes import end_processes, job_processes
from ft_core.runs.status import new_status, write_status

SLEEPER = "print(os.getpid(), flush=True); sys.stdin.readline()"

JOB = """
    # As torchrun: each rank in a process group of its own, below the leader of the session; one left the session,
    # and one was started without an environment.
    import subprocess
    from ft_core.runs import RunWriter
    sleep = "import time; print(flush=True); time.sleep(600)"
    rank = subprocess.Popen([sys.executable, "-c", sleep], preexec_fn=os.setpgrp, stdout=subprocess.PIPE)
    alone = subprocess.Popen([sys.executable, "-c", sleep], start_new_session=True, stdout=subprocess.PIPE)
    bare = subprocess.Popen([sys.executable, "-c", sleep], env={}, stdout=subprocess.PIPE)
    rank.stdout.readline(), alone.stdout.readline(), bare.stdout.readline()
    writer = RunWriter(directory).__enter__()
    writer.emit("step", step=4, total_steps=9)
    print(rank.pid, alone.pid, bare.pid, flush=True)
    sys.stdin.readline()
"""


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start(
    spawn: Callable[..., subprocess.Popen[str]], code: str, run: Run, **options: bool
) -> tuple[int, list[int]]:
    process = spawn(code, run, **options)
    assert process.stdout
    return process.pid, [int(pid) for pid in process.stdout.readline().split()]


def test_stop_asks(run: Run) -> None:
    run.stop()
    run.stop()
    assert [path.name for path in (run.directory / "control").iterdir()] == ["stop"]
    assert run.state == "starting"


def test_what_has_ended_needs_no_stop_and_makes_no_checkpoint(run: Run) -> None:
    write_status(run.directory, replace(new_status(), state="completed"), durable=False)
    run.stop()
    run.stop(now=True)
    with pytest.raises(RunError, match="Run 'poet' can save no checkpoint: completed just now"):
        run.checkpoint()
    assert list((run.directory / "control").iterdir()) == []
    assert run.state == "completed"


def test_stop_now_ends_all_of_the_job(run: Run, spawn: Callable[..., subprocess.Popen[str]]) -> None:
    leader, ranks = start(spawn, JOB, run)
    run.stop()
    run.stop(now=True)
    assert [lives(pid) for pid in (leader, *ranks)] == [False] * 4
    status = run.status()
    assert (status.state, status.step) == ("stopped", 4)
    assert status.ended is not None
    events, _ = run.events()
    assert (events[-1]["type"], events[-1]["state"], events[-1]["step"]) == ("end", "stopped", 4)
    assert list((run.directory / "control").iterdir()) == []


def test_stop_now_ends_what_a_killed_leader_left(
    run: Run, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    leader, (*marked, bare) = start(spawn, JOB, run)
    os.kill(leader, signal.SIGKILL)
    os.waitpid(leader, 0)
    assert run.state == "lost"
    with pytest.raises(RunError, match=r"Run 'poet' has ended \(lost\), but processes of it still live"):
        run.delete()
    assert all(lives(pid) for pid in marked)
    run.stop(now=True)
    assert not any(lives(pid) for pid in marked)
    # Without a mark and without the leader of its session, nobody can tell whose this one is.
    assert lives(bare)
    os.kill(bare, signal.SIGKILL)
    assert run.state == "lost"
    run.delete()


def test_what_ignores_sigterm_is_killed(
    run: Run, spawn: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pid, _ = start(spawn, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEPER, run)
    write_status(
        run.directory,
        replace(new_status(), pid=pid, pid_started=psutil.Process(pid).create_time()),
        durable=False,
    )
    assert end_processes(job_processes(run.directory), grace=0.3) == []
    assert not lives(pid)


def test_a_worker_that_ends_itself_on_sigterm_keeps_its_word(
    run: Run, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    code = """
        import signal
        from ft_core.runs import RunWriter
        def leave(*_):
            raise ValueError("told to go")
        signal.signal(signal.SIGTERM, leave)
        with RunWriter(directory):
            print(flush=True)
            time.sleep(600)
    """
    start(spawn, code, run)
    run.stop(now=True)
    assert (run.state, run.status().message) == ("failed", "ValueError: told to go")


def test_a_pid_used_again_is_never_killed(run: Run, spawn: Callable[..., subprocess.Popen[str]]) -> None:
    """The run's process is long dead; a stranger with its own session now has the number."""
    stranger, _ = start(spawn, SLEEPER, run, marked=False)
    status = replace(
        new_status(), state="running", pid=stranger, pid_started=psutil.Process(stranger).create_time() - 500
    )
    write_status(run.directory, status, durable=False)
    assert run.state == "lost"
    run.stop(now=True)
    assert lives(stranger)


def test_another_run_is_never_killed(
    new_run: Callable[..., Run], spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    one, other = new_run("one"), new_run("one-2")
    pid, _ = start(spawn, SLEEPER, other)
    one.stop(now=True)
    assert lives(pid)
    assert [process.pid for process in job_processes(other.directory)] == [pid]


def test_who_stops_is_not_of_the_job(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook or shell in which FT_RUN happens to be set must survive its own stop."""
    mine = {os.getpid(), os.getppid()}
    monkeypatch.setattr(processes_module, "carries_run", lambda process, _: process.pid in mine)
    assert job_processes(run.directory) == []


def test_a_run_before_its_process_is_closed_at_once(run: Run) -> None:
    run.stop(now=True)
    assert run.state == "stopped"


def test_another_hosts_run_cannot_be_killed_from_here(run: Run) -> None:
    write_status(run.directory, replace(new_status(), state="running", pid=1, host="node7"), durable=False)
    with pytest.raises(RunError) as caught:
        run.stop(now=True)
    assert caught.value.message == "Run 'poet' is on node7, and only that host can end it at once."
    run.stop()
    assert (run.directory / "control" / "stop").exists()


def test_another_users_process(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise psutil.AccessDenied(77)

    monkeypatch.setattr("ft_core.runs.control.end_processes", refuse)
    with pytest.raises(RunError, match=r"a process of another user \(pid 77\)"):
        run.stop(now=True)


def test_a_process_that_does_not_die_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft_core.runs.control.end_processes", lambda _: [psutil.Process()])
    with pytest.raises(RunError, match=f"Run 'poet' does not die: pid {os.getpid()} ignores SIGKILL"):
        run.stop(now=True)
    assert run.state == "starting"


def test_requests_reach_a_run_whose_control_folder_is_gone(run: Run) -> None:
    (run.directory / "control").rmdir()
    run.checkpoint()
    assert (run.directory / "control" / "checkpoint").exists()


def test_half_a_line_of_the_killed_worker_is_closed(run: Run) -> None:
    (run.directory / "events.jsonl").write_bytes(b'{"type": "st')
    run.stop(now=True)
    assert [event["type"] for event in run.events()[0]] == ["warning", "end"]
