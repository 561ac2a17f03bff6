"""Run directories written by hand as their specification says, a shell, and comms that record."""

from __future__ import annotations

import atexit
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comm
import psutil
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from ft_core.runs import create_run
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
        event |= {
            "grad_norm": 1.5,
            "tokens": 64,
            "tokens_per_second": 640.0,
            "eta": 10.0 - number,
            "gpu_memory": 1.25,
        }
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


@pytest.fixture
def yaml(tiny_model: Path, dictionary: Path) -> str:
    """Return the YAML of a run that takes seconds."""
    return f"""
base_model: {tiny_model}
datasets:
  - path: {dictionary}
    type: chat_template
adapter: lora
lora_target_linear: true
lora_r: 4
lora_alpha: 8
sequence_len: 256
micro_batch_size: 2
learning_rate: 1e-3
max_steps: 4
""".lstrip()


@dataclass
class Launches:
    """What was asked of a launcher that starts nothing; its runs seem to live in the test's own process."""

    asked: list[dict[str, Any]]

    def __call__(
        self, config: Any, name: str | None, *, gpus: Any, root: Any, overwrite: bool, plan: Any
    ) -> Any:
        self.asked.append(
            {"config": config, "name": name, "gpus": gpus, "root": root, "overwrite": overwrite, "plan": plan}
        )
        made = create_run(
            name,
            config_text=config.source,
            resolved_text=config.to_yaml(),
            plan={},
            root=root,
            overwrite=overwrite,
        )
        HandWritten(made.directory).status("starting", phase="starting", total_steps=0)
        return made


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    """Replace the launcher of the magic; what it would have been asked is in ``asked``."""
    from ft_jupyter.magics import finetune

    fake = Launches([])
    monkeypatch.setattr(finetune, "launch", fake)
    return fake


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
    """What one cell did: what it displayed, what it printed, what it returned, and its error."""

    outputs: list[dict[str, Any]]
    printed: str
    result: Any
    error: BaseException | None

    @property
    def displays(self) -> list[dict[str, Any]]:
        """The mime bundles that were displayed, in order, updates excluded."""
        return [output["data"] for output in self.outputs if not output["update"]]

    @property
    def html(self) -> str:
        return "".join(data.get("text/html", "") for data in self.displays)


class Shell:
    """An IPython shell with the extension loaded, whose displays are recorded like a notebook's."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.ip = shell
        self.published = CapturingDisplayPublisher(shell=shell)
        self.ip.display_pub = self.published

    @property
    def user_ns(self) -> dict[str, Any]:
        return self.ip.user_ns

    def run(self, source: str) -> Cell:
        """Run a cell the way a notebook would."""
        before = len(self.published.outputs)
        with capture_output(display=False) as captured:
            done = self.ip.run_cell(source)
        outputs = self.published.outputs[before:]
        return Cell(outputs, captured.stdout + captured.stderr, done.result, done.error_in_exec)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runs_root: Path) -> Iterator[Shell]:
    """Return a fresh shell; it is the process's one while the test runs, as in a kernel."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    ip = InteractiveShell.instance()
    ip.history_manager.enabled = False
    ip.run_line_magic("load_ext", "ft_jupyter")
    yield Shell(ip)
    ip.run_line_magic("unload_ext", "ft_jupyter")
    atexit.unregister(ip.atexit_operations)
    ip.atexit_operations()
    InteractiveShell.clear_instance()
