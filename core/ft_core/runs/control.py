"""What others tell a run: requests it serves, and the end it cannot refuse."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import psutil

from ft_core.errors import RunError
from ft_core.runs.disk import told_as
from ft_core.runs.events import encode, last_event
from ft_core.runs.lock import run_lock
from ft_core.runs.paths import CONTROL, EVENTS
from ft_core.runs.processes import TERM_GRACE, end_processes, job_processes, start_time
from ft_core.runs.status import Status, read_status, write_status
from ft_core.runs.writer import Request


def request(directory: Path, name: Request) -> None:
    """Ask the worker for `name`, which it serves at the end of its step."""
    path = directory / CONTROL / name
    with told_as("write", path):
        path.parent.mkdir(exist_ok=True)
        path.touch()


def record_process(directory: Path, pid: int, *, world_size: int = 1) -> None:
    """Note which process the launcher started for a run, so that its death before it writes is seen at once.

    Does nothing where the worker was quicker, or has already ended: it names its process itself.

    Parameters
    ----------
    directory
        The run's directory.
    pid
        The process that leads the job's session: the worker, or torchrun.
    world_size
        Number of ranks.
    """
    started = start_time(pid)
    try:
        with run_lock(directory):
            status = read_status(directory)
            if status.state == "starting" and not status.pid:
                status = replace(
                    status, pid=pid, pid_started=started, world_size=world_size, heartbeat=time.time()
                )
                write_status(directory, status, durable=True)
    except RunError:
        if read_status(directory).worker_pid:
            return
        raise


def end_now(directory: Path) -> None:
    """End every process of a run at once (SIGTERM, 5 s later SIGKILL) and close the run as ``stopped``.

    Does nothing to a run that has ended and left no process behind.

    Raises
    ------
    RunError
        The run is on another host, belongs to another user, or does not die.
    """
    status = read_status(directory)
    if status.alive and status.host != socket.gethostname():
        raise RunError(
            f"Run '{directory.name}' is on {status.host}, and only that host can end it at once.",
            f"Run there: ft stop {directory.name} --now. Or let it stop after its step: ft stop {directory.name}",
        )
    try:
        survivors = end_processes(job_processes(directory, status.pid, status.pid_started))
    except psutil.AccessDenied as denied:
        raise RunError(
            f"Run '{directory.name}' has a process of another user (pid {denied.pid}).",
            "Ask its owner to stop it.",
        ) from denied
    if survivors:
        pids = ", ".join(str(process.pid) for process in survivors)
        raise RunError(
            f"Run '{directory.name}' does not die: pid {pids} ignores SIGKILL, most likely waiting for a disk.",
            "Try again once the disk answers.",
        )
    if status.alive:
        _close(directory)


def _close(directory: Path) -> None:
    """Write the end that the killed worker could not write; its lock is free, so nobody else writes."""
    # A process that was just killed may hold the lock until the system has cleared it away.
    with run_lock(directory, patience=TERM_GRACE):
        status = read_status(directory)
        if status.state not in ("lost", "starting"):
            return
        now = time.time()
        # The last heartbeat may be older than the last step.
        newest = last_event(directory, "step") or {}
        known = {
            name: value for name in ("step", "total_steps") if isinstance(value := newest.get(name), int)
        }
        status = replace(status, **known)
        end = {
            "type": "end",
            "time": now,
            "state": "stopped",
            "step": status.step,
            "seconds": now - status.started,
        }
        path = directory / EVENTS
        with told_as("write", path), path.open("ab") as events:
            # The killed worker may have left half a line.
            events.write((b"\n" if _half_line(path) else b"") + encode(end))
        (directory / CONTROL / "stop").unlink(missing_ok=True)
        ended: Status = replace(status, state="stopped", ended=now, heartbeat=now, message="", fix="")
        write_status(directory, ended, durable=True)


def _half_line(path: Path) -> bool:
    data = path.read_bytes()
    return bool(data) and not data.endswith(b"\n")
