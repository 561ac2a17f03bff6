"""The worker's side of a run: the one process that writes it.

::

    with RunWriter(directory) as writer:
        writer.phase("loading model")
        writer.emit("step", step=1, total_steps=100, loss=2.5)
        if writer.requested("stop"):
            ...  # save, and leave the block
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import traceback
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import psutil

from ft_core.errors import FtError, RunError
from ft_core.runs.disk import told_as
from ft_core.runs.events import encode
from ft_core.runs.lock import run_lock
from ft_core.runs.paths import CONTROL, ENVIRONMENT_VARIABLE, EVENTS
from ft_core.runs.processes import carries_run, is_same_process, start_time
from ft_core.runs.status import ENDED, Status, read_status, sync_folder, write_status

HEARTBEAT = 1.0
"""Seconds between two writes of status.json."""

LOCK_PATIENCE = 5.0
"""Seconds to wait for the launcher, which holds the lock while it notes the process it started."""

Request = Literal["stop", "checkpoint"]


class RunWriter:
    """Writes a run's status and events for as long as its block lasts. Thread-safe.

    Leaving the block ends the run: ``completed``; ``stopped`` where a stop was seen before the last step, or on
    Ctrl-C; ``failed`` where an exception leaves the block (it goes on to the caller). An FtError is the user's
    mistake and is told without a traceback.

    Parameters
    ----------
    directory
        A directory that `create_run` made.
    world_size
        Number of ranks of the job.

    Raises
    ------
    RunError
        On entering: the directory is no run, the run has ended, or another process writes it. On writing: the
        disk refused.
    """

    def __init__(self, directory: Path, *, world_size: int = 1) -> None:
        self.directory = Path(directory).absolute()
        self._world_size = world_size
        self._mutex = threading.RLock()
        self._done = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="ft-heartbeat", daemon=True)
        self._stop_seen = False
        self._resources = ExitStack()

    def __enter__(self) -> RunWriter:
        with ExitStack() as resources:
            resources.enter_context(run_lock(self.directory, patience=LOCK_PATIENCE))
            status = self._checked(read_status(self.directory))
            leader = _leader(self.directory)
            self._status = replace(
                status,
                state="running",
                phase="starting",
                pid=leader,
                pid_started=start_time(leader),
                worker_pid=os.getpid(),
                worker_started=start_time(os.getpid()),
                host=socket.gethostname(),
                world_size=self._world_size,
                ended=None,
                message="",
                fix="",
            )
            path = self.directory / EVENTS
            with told_as("open", path):
                self._events = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
                resources.callback(os.close, self._events)
                self._unfinished = _ends_unfinished(self._events)
            self._write_status(durable=True)
            self._resources = resources.pop_all()
        self._heart.start()
        return self

    def phase(self, name: str, **extra: Any) -> None:
        """Say what the run is doing now, or again with how far it is; `extra` goes into the event."""
        with self._mutex:
            begins = name != self._status.phase
            self._status = replace(self._status, phase=name)
            self.emit("phase", phase=name, **extra)
            if begins:
                self._write_status(durable=True)

    def emit(self, kind: str, /, **fields: Any) -> None:
        """Append one event of type `kind`, in one write.

        `step` and `total_steps` also go into the status, which readers see within a heartbeat.

        Raises
        ------
        RunError
            The disk refused.
        TypeError
            A field is nothing that JSON can hold.
        """
        line = encode({"type": kind, "time": time.time(), **fields})
        with self._mutex:
            self._append(line)
            # The best checkpoint lies behind: it says nothing of how far the run is.
            for name in ("step", "total_steps") if kind != "best" else ():
                if isinstance(value := fields.get(name), int):
                    self._status = replace(self._status, **{name: value})
            if kind == "checkpoint":
                # A checkpoint that is told of is one that a power cut leaves.
                os.fsync(self._events)

    def requested(self, name: Request) -> bool:
        """Whether somebody asks for `name`. A stop once seen shows as the state ``stopping``."""
        found = (self.directory / CONTROL / name).exists()
        if found and name == "stop" and not self._stop_seen:
            with self._mutex:
                self._stop_seen = True
                self._status = replace(self._status, state="stopping")
                self._write_status(durable=True)
        return found

    def clear(self, name: Request) -> None:
        """Remove a request that was served."""
        path = self.directory / CONTROL / name
        with told_as("remove", path):
            path.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._heart.join()
        with self._resources:
            try:
                self._end(error)
            except RunError as refused:
                if error is None:
                    raise
                # The error that leaves the block is the cause, most likely of this one too.
                print(f"ft: the end of the run could not be written: {refused}", file=sys.stderr)  # noqa: T201

    def _end(self, error: BaseException | None) -> None:
        state, message, fix = self._outcome(error)
        with self._mutex:
            if state == "failed":
                told = isinstance(error, FtError)
                text = None if told or error is None else "".join(traceback.format_exception(error))
                self.emit("error", message=message, fix=fix, traceback=text)
            now = time.time()
            self.emit("end", state=state, step=self._status.step, seconds=now - self._status.started)
            os.fsync(self._events)
            for name in ("stop", "checkpoint"):
                self.clear(name)
            phase = "done" if error is None else self._status.phase
            self._status = replace(
                self._status, state=state, phase=phase, message=message, fix=fix, ended=now
            )
            self._write_status(durable=True)
            sync_folder(self.directory)

    def _outcome(self, error: BaseException | None) -> tuple[str, str, str]:
        """Return the end state, and for a failure its message and fix."""
        if isinstance(error, FtError):
            return "failed", error.message, error.fix
        if isinstance(error, KeyboardInterrupt):
            return "stopped", "", ""
        if isinstance(error, SystemExit) and error.code not in (None, 0):
            return "failed", f"The worker exited with {error.code!r}.", "The end of log.txt may say why."
        if error is not None and not isinstance(error, SystemExit):
            said = str(error).strip()
            return "failed", f"{type(error).__name__}: {said}" if said else type(error).__name__, ""
        unfinished = self._status.step < self._status.total_steps or not self._status.total_steps
        return ("stopped" if self._stop_seen and unfinished else "completed"), "", ""

    def _checked(self, status: Status) -> Status:
        """Return `status` if this process may write the run."""
        if status.state == "damaged":
            raise RunError(
                f"'{self.directory.name}' is not a run that can be written: {status.message}", status.fix
            )
        if status.state in ENDED:
            raise RunError(
                f"Run '{self.directory.name}' has already ended ({status.state}).",
                "Start another run; one directory holds one run.",
            )
        # Matters only on a file system without locks.
        here = status.host == socket.gethostname()
        pid, started = status.worker_pid, status.worker_started
        if pid and (is_same_process(pid, started, self.directory) if here else status.alive):
            raise RunError(
                f"Another process (pid {pid} on {status.host}) writes run '{self.directory.name}'.",
                f"Wait until it has ended, or end it: ft stop {self.directory.name} --now",
            )
        return status

    def _append(self, line: bytes) -> None:
        if self._unfinished:
            line = b"\n" + line
        with told_as("write", self.directory / EVENTS):
            # A full disk may take half a line; the next one then starts afresh and the half reads as damaged.
            written = os.write(self._events, line)
            self._unfinished = written < len(line)
            if self._unfinished:
                os.write(self._events, line[written:])
                self._unfinished = False

    def _write_status(self, *, durable: bool) -> None:
        with self._mutex:
            self._status = replace(self._status, heartbeat=time.time())
            write_status(self.directory, self._status, durable=durable)

    def _beat(self) -> None:
        """Renew the status until the block ends; a refusing disk is told once and tried again."""
        told = False
        while not self._done.wait(HEARTBEAT):
            try:
                self._write_status(durable=False)
                told = False
            except RunError as refused:  # noqa: PERF203 - the loop sleeps
                if not told:
                    print(f"ft: {refused.message} {refused.fix}", file=sys.stderr, flush=True)  # noqa: T201
                told = True


def _leader(directory: Path) -> int:
    """Return the pid that leads this job: the session's leader if it was started for this run, else this process.

    Started by hand, the session is the user's shell, which no stop may ever end.
    """
    leader = os.getsid(0)
    try:
        ours = ENVIRONMENT_VARIABLE in os.environ and carries_run(psutil.Process(leader), directory)
    except psutil.Error:
        return os.getpid()
    return leader if ours else os.getpid()


def _ends_unfinished(descriptor: int) -> bool:
    """Whether the file's last line lacks its newline, because its writer was killed."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
