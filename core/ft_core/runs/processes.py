"""Which processes belong to a run, and ending them without ever hitting a stranger."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from ft_core.runs.paths import ENVIRONMENT_VARIABLE

SAME_START = 1.0
"""Seconds by which two readings of one process's start time may differ (Linux tells boot time to the second)."""

TERM_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

EXIT_GRACE = 10.0
"""Seconds that a process may take to exit after its run has ended: an interpreter full of libraries is not quick."""


def start_time(pid: int) -> float:
    """Return when process `pid` started, seconds since the epoch; 0.0 where there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def is_same_process(pid: int, started: float, directory: Path) -> bool:
    """Whether `pid` still is the process that started at `started` for the run in `directory`, and lives.

    A pid is used again after its process has ended, so the start time must agree. A clock that was set in between
    moves every start time; the run's mark in the environment then still tells the process. A zombie is dead.
    """
    process = _find(pid, started, directory)
    try:
        return process is not None and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def job_processes(directory: Path, pid: int = 0, pid_started: float = 0.0) -> list[psutil.Process]:
    """Return every living process of the run in `directory`, other than this one and its ancestors.

    They are the session that `pid` leads, if `pid` still is the process that started at `pid_started`, and all
    processes that carry the run's directory in their environment: torchrun gives each rank a process group of its
    own, and a killed torchrun leaves them behind.
    """
    session = pid if pid and _find(pid, pid_started, directory) else None
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        if process.pid in ours:
            continue
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if (session and os.getsid(process.pid) == session) or carries_run(process, directory):
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError, PermissionError):
            continue
    return found


def end_processes(processes: Sequence[psutil.Process], grace: float = TERM_GRACE) -> list[psutil.Process]:
    """Send SIGTERM, wait `grace` seconds, send SIGKILL, and return those that live even then.

    psutil compares the start time before each signal, so a pid that was used again in between is left alone.
    """
    _signal(processes, kill=False)
    alive = await_end(processes, grace)
    _signal(alive, kill=True)
    return await_end(alive, grace)


def carries_run(process: psutil.Process, directory: Path) -> bool:
    """Whether `process` was started for the run in `directory`; a process of another user counts as not."""
    try:
        mark = process.environ().get(ENVIRONMENT_VARIABLE)
    except (psutil.Error, OSError):
        return False
    return mark is not None and os.path.realpath(mark) == os.path.realpath(directory)


def _find(pid: int, started: float, directory: Path) -> psutil.Process | None:
    """Return the process, zombie or not, if it is the one meant."""
    if pid <= 0:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < SAME_START
    except psutil.Error:
        return None
    return process if same or carries_run(process, directory) else None


def _signal(processes: Sequence[psutil.Process], *, kill: bool) -> None:
    for process in processes:
        try:
            if kill:
                process.kill()
            else:
                process.terminate()
        except psutil.NoSuchProcess:  # noqa: PERF203 - each process may go on its own
            continue


def await_end(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all are dead, and return those that are not.

    psutil.wait_procs would reap our own children behind the back of the Popen that started them.
    """
    until = time.monotonic() + seconds
    while True:
        alive = [process for process in processes if _lives(process)]
        if not alive or time.monotonic() >= until:
            return alive
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
