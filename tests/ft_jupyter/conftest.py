"""Run directories written by hand as their specification says, a shell, and comms that record."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import comm
import psutil
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from ft_jupyter.run import Run

BEGIN = 1_700_000_000.0
"""When hand-written runs begin, seconds since the epoch."""


@dataclass
class HandWritten:
    """A run directory that a test fills as a worker would; its worker is the test's own process."""

    directory: Path

    def status(self, state: str = "running", **fields: object) -> None:
        """Replace the status."""
        process = psutil.Process()
        status: dict[str, object] = {"state": state, "phase": "training", "pid": process.pid}
        status |= {
            "pid_started": process.create_time(),
            "host": socket.gethostname(),
            "heartbeat": time.time(),
        }
        status |= {"started": BEGIN, "ended": None}
        status |= {"step": 0, "total_steps": 10, "world_size": 1, "message": "", "fix": ""}
        temporary = self.directory / ".status.json"
        temporary.write_text(json.dumps(status | fields))
        temporary.replace(self.directory / "status.json")

    def emit(self, *events: dict[str, object]) -> None:
        """Append events."""
        with (self.directory / "events.jsonl").open("a") as file:
            file.writelines(json.dumps({"time": BEGIN} | event) + "\n" for event in events)

    def step(self, number: int, loss: float | None = None, **fields: object) -> None:
        """Append a step event: one second a step, loss 4, 3, 2 ... unless given."""
        event: dict[str, object] = {"type": "step", "time": BEGIN + number, "step": number, "total_steps": 10}
        event |= {"epoch": 0.1, "loss": 5.0 - number if loss is None else loss, "learning_rate": 0.001}
        event |= {"grad_norm": 1.5, "tokens": 64, "tokens_per_second": 640.0, "eta": 10.0 - number}
        self.emit(event | fields)

    def log(self, words: str) -> None:
        """Append to the log."""
        with (self.directory / "log.txt").open("a") as file:
            file.write(words)

    def end(self, state: str = "completed", **fields: object) -> None:
        """Write the end event and the final status."""
        self.emit({"type": "end", "state": state, "step": 3, "seconds": 42.0})
        self.status(state, phase="done", ended=BEGIN + 42, **fields)

    @property
    def run(self) -> Run:
        return Run(self.directory)


@pytest.fixture
def write_run(runs_root: Path) -> Callable[..., HandWritten]:
    """Return a function that makes a run directory with a status and no events."""

    def write(name: str = "joker", state: str = "running", **status: object) -> HandWritten:
        directory = runs_root / name
        for folder in (directory, directory / "control", directory / "checkpoints"):
            folder.mkdir(parents=True)
        for file in ("config.yaml", "resolved.yaml", "events.jsonl", "log.txt", "lock"):
            (directory / file).touch()
        (directory / "plan.json").write_text("{}")
        written = HandWritten(directory)
        written.status(state, **status)
        return written

    return write


class RecordingComm(comm.DummyComm):
    """A comm whose other end is a list."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any], list[bytes]]] = []
        super().__init__(*args, **keywords)

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        self.sent.append((msg_type, data or {}, list(buffers or [])))

    @property
    def custom(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        """The custom messages the page got, with their buffers."""
        return [
            (data["content"], buffers) for _, data, buffers in self.sent if data.get("method") == "custom"
        ]

    def receive(self, content: dict[str, Any]) -> None:
        """Deliver a custom message of the page."""
        self.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


@pytest.fixture(autouse=True)
def recording_comms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every widget of a test talk to a RecordingComm, its ``widget.comm``."""
    monkeypatch.setattr(comm, "create_comm", RecordingComm)


@dataclass
class Cell:
    """What one cell did: its displays as mime bundles, what it printed, and its error."""

    displays: list[dict[str, Any]] = field(default_factory=list)
    printed: str = ""
    result: Any = None
    error: BaseException | None = None

    @property
    def html(self) -> str:
        return "".join(data.get("text/html", "") for data in self.displays)


class Shell:
    """An IPython shell with the extension loaded."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.ip = shell

    @property
    def user_ns(self) -> dict[str, Any]:
        return self.ip.user_ns

    def run(self, source: str) -> Cell:
        """Run a cell the way a notebook would."""
        with capture_output() as captured:
            done = self.ip.run_cell(source)
        displays = [output.data for output in captured.outputs]
        return Cell(displays, captured.stdout + captured.stderr, done.result, done.error_in_exec)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Return a fresh shell; it is the process's one while the test runs, as in a kernel."""
    monkeypatch.setenv("IPYTHONDIR", os.devnull)
    InteractiveShell.clear_instance()
    ip = InteractiveShell.instance()
    ip.history_manager.enabled = False
    ip.run_line_magic("load_ext", "ft_jupyter")
    yield Shell(ip)
    ip.run_line_magic("unload_ext", "ft_jupyter")
    InteractiveShell.clear_instance()
