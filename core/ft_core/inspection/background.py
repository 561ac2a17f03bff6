"""Passes over all rows, in processes of their own: started, followed, cancelled.

::

    Pass ── a thread ── connections ── process 0   batches 0, n, 2n, ...
                              └─────── process 1   batches 1, n + 1, ...

The processes are new ones, in a session of their own, and open the rows themselves. The thread waits for their frames, which
hold a few numbers for each row, so the notebook's process has next to nothing to do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.tokenize import BATCH
from ft_core.data.write_tables import write_tables
from ft_core.errors import FtError
from ft_core.inspection.background_process import Frame, PassName, Share
from ft_core.inspection.job import Job, JobState
from ft_core.inspection.rows import datasets_of

if TYPE_CHECKING:
    from ft_core.config import Config

MOST = 16
"""Processes of a pass at most."""

WORTH = 8
"""Batches that a further process is started for: to start one takes about as long as to tokenize so many."""

_ENDED = "A process that goes through the rows was ended from outside."
_START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = {path!r}; "
    "from ft_core.inspection.background_process import main; main({descriptor})"
)
"""What a process runs. Modules are found where this process finds them; a script that called us is not run again."""


class Pass:
    """One pass over all rows.

    Parameters
    ----------
    name, config, text
        As of `ft_core.inspection.background_process.Share`; the config may hold variables of the notebook.
    rows
        How many rows there are.
    receive
        Is given the first place of each batch and what was found, in a thread of the pass.
    """

    def __init__(
        self, name: PassName, config: Config, rows: int, receive: Callable[[int, Any], None], text: str = ""
    ) -> None:
        self._name: PassName = name
        self._config, self._rows, self._receive, self._text = config, rows, receive, text
        self._lock = Lock()
        self._state: JobState = "running"
        self._done = 0
        self._message = ""
        self._started = time.monotonic()
        self._seconds: float | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._thread = Thread(target=self._run, name=f"ft-{name}", daemon=True)
        self._thread.start()

    @property
    def job(self) -> Job:
        """How far it is."""
        with self._lock:
            seconds = time.monotonic() - self._started if self._seconds is None else self._seconds
            return Job(self._state, self._done, self._rows, seconds, self._message)

    def cancel(self) -> None:
        """End it, if it goes on; what was found stays."""
        self._end("cancelled")

    def wait(self, timeout: float | None = None) -> Job:
        """Wait until it has ended, and return how."""
        self._thread.join(timeout)
        return self.job

    def _end(self, state: JobState, message: str = "") -> None:
        """Settle how it ended, once, and end its processes."""
        with self._lock:
            if self._state != "running":
                return
            self._state, self._message = state, message
            self._seconds = time.monotonic() - self._started
            processes = list(self._processes)
        for process in processes:
            process.kill()

    def _run(self) -> None:
        try:
            with TemporaryDirectory(prefix="ft-inspect-") as folder, ExitStack() as resources:
                config = write_tables(self._config, Path(folder))
                connections = self._start(config, resources)
                self._follow(connections)
        except FtError as error:
            self._end("failed", str(error))
        except BrokenPipeError:
            self._end("failed", _ENDED)  # before it was given its share
        except OSError as error:
            self._end("failed", f"The pass cannot be started: {error}.")

    def _start(self, config: Config, resources: ExitStack) -> list[Connection]:
        """Start the processes, and give each its share."""
        processes = process_count(self._rows)
        names = {
            file.path: variable.path
            for (variable, _), (file, _) in zip(datasets_of(self._config), datasets_of(config), strict=True)
            if variable.table is not None
        }
        connections: list[Connection] = []
        for number in range(processes):
            ours, process = _start_process()
            resources.callback(process.wait)
            resources.callback(process.kill)
            resources.callback(ours.close)
            with self._lock:
                self._processes.append(process)
                if self._state != "running":
                    return []
            connections.append(ours)
            ours.send(Share(self._name, config, number, processes, names, self._text))
        return connections

    def _follow(self, connections: list[Connection]) -> None:
        """Take what comes until all processes are at their end."""
        open_ones = set(connections)
        while open_ones and self.job.state == "running":
            for ready in wait(list(open_ones)):
                connection = cast("Connection", ready)
                try:
                    given: Frame | FtError | None = connection.recv()
                except (EOFError, ConnectionResetError):
                    if self.job.state == "running":
                        self._end("failed", _ENDED)
                    return
                if given is None:
                    open_ones.discard(connection)
                elif isinstance(given, Frame):
                    self._receive(given.first, given.found)
                    with self._lock:
                        self._done += given.stop - given.first
                else:
                    raise given
        self._end("done")


def process_count(rows: int) -> int:
    """Return how many processes go through so many rows."""
    return max(1, min(MOST, _cores(), rows // (BATCH * WORTH)))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        # macOS has no such call.
        return os.cpu_count() or 1


def _start_process() -> tuple[Connection, subprocess.Popen[bytes]]:
    ours, theirs = Pipe()
    with theirs:
        descriptor = theirs.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", _START.format(path=sys.path, descriptor=descriptor)],
            stdin=subprocess.DEVNULL,
            pass_fds=[descriptor],
            start_new_session=True,
        )
    return ours, process
