"""status.json: what a run is doing now, replaced atomically."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import cast

from ft_core.runs.disk import told_as
from ft_core.runs.paths import STATUS
from ft_core.runs.processes import is_same_process

ALIVE = ("starting", "running", "stopping")
ENDED = ("completed", "stopped", "failed")

HEARTBEAT_LIMIT = 60.0
"""Seconds without a heartbeat after which a run that cannot be looked at (another host) counts as lost."""


@dataclass(frozen=True)
class Status:
    """What status.json says; the fields are documented in docs/reference/run-directory.md.

    `state` may also be ``lost`` or ``damaged``: a reader's judgement, never in the file.
    """

    state: str
    phase: str = "starting"
    pid: int = 0
    pid_started: float = 0.0
    worker_pid: int = 0
    worker_started: float = 0.0
    host: str = ""
    heartbeat: float = 0.0
    started: float = 0.0
    ended: float | None = None
    step: int = 0
    total_steps: int = 0
    world_size: int = 1
    message: str = ""
    fix: str = ""

    @property
    def alive(self) -> bool:
        """Whether the run is still going on."""
        return self.state in ALIVE


def new_status() -> Status:
    """Return the status of a run that was just created, on this host."""
    now = time.time()
    return Status(state="starting", host=socket.gethostname(), heartbeat=now, started=now)


def read_status(directory: Path) -> Status:
    """Return what a run is doing, judged by its file and its processes.

    Never raises for a bad file: its state is then ``damaged`` and its `message` says why. A run whose file says
    that it is alive, but whose processes are gone, is ``lost``.
    """
    status = _read_file(directory)
    if not status.alive or _is_alive(status, directory):
        return status
    # Its last act may have been to write its end, between our two looks.
    status = _read_file(directory)
    if not status.alive:
        return status
    who = f" (pid {status.pid})" if status.pid else ""
    place = "" if status.host == socket.gethostname() else f" on {status.host}"
    return replace(
        status,
        state="lost",
        ended=status.heartbeat,
        message=f"The training process{who}{place} is gone and did not say why: it was killed, ran out of memory, "
        "or the machine restarted.",
        fix="Look at the end of log.txt; what was saved is in checkpoints.",
    )


def write_status(directory: Path, status: Status, *, durable: bool) -> None:
    """Replace status.json, so that a reader sees the old one or the new one and nothing between.

    Parameters
    ----------
    directory
        The run's directory.
    status
        What to write.
    durable
        Whether it must survive a power cut (a change of state); a heartbeat need not wait for the disk.

    Raises
    ------
    RunError
        The disk refused.
    """
    path = directory / STATUS
    # One fixed name: only the holder of the run's lock writes, and a kill then leaves one stray file, not many.
    temporary = directory / f".{STATUS}.tmp"
    with told_as("write", path):
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(asdict(status), file, indent=1)
            file.write("\n")
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
        if durable:
            sync_folder(directory)


def sync_folder(directory: Path) -> None:
    """Wait until the names in `directory` are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_alive(status: Status, directory: Path) -> bool:
    if status.host != socket.gethostname() or not status.pid:
        # Another host, or the launcher has not yet said which process it started.
        return time.time() - status.heartbeat < HEARTBEAT_LIMIT
    # torchrun leads the session of several ranks; killed, it leaves rank 0 training and writing.
    return is_same_process(status.pid, status.pid_started, directory) or is_same_process(
        status.worker_pid, status.worker_started, directory
    )


def _read_file(directory: Path) -> Status:
    path = directory / STATUS
    try:
        loaded: object = json.loads(path.read_bytes())
    except FileNotFoundError:
        return _damaged(directory, f"{path} is missing.")
    except OSError as error:
        return _damaged(directory, f"{path} cannot be read: {error.strerror or error}.")
    except (ValueError, RecursionError):
        return _damaged(directory, f"{path} is not valid JSON.")
    if not isinstance(loaded, dict):
        return _damaged(directory, f"{path} is not a JSON object.")
    given = cast("dict[str, object]", loaded)
    values: dict[str, object] = {}
    for field in fields(Status):
        if field.name not in given:
            continue
        value = given[field.name]
        if not _fits(field.type, value):
            return _damaged(directory, f"{path} has a wrong value for '{field.name}'.")
        values[field.name] = value
    if values.get("state") not in (*ALIVE, *ENDED):
        return _damaged(directory, f"{path} names no known state.")
    return Status(**values)  # type: ignore[arg-type]


def _fits(declared: object, value: object) -> bool:
    """Whether a JSON value has the type that the field declares (annotations are strings here)."""
    if isinstance(value, bool):
        return False
    if declared == "str":
        return isinstance(value, str)
    if declared == "int":
        return isinstance(value, int)
    return isinstance(value, (int, float)) or (value is None and declared == "float | None")


def _damaged(directory: Path, why: str) -> Status:
    try:
        changed = directory.stat().st_mtime
    except OSError:
        # Gone; a run may be deleted while somebody looks.
        changed = 0.0
    fix = "The run cannot be followed; its other files can still be read."
    return Status(state="damaged", started=changed, message=why, fix=fix)
