"""A real kernel in a process of its own, spoken to as a notebook does."""

from __future__ import annotations

import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from ft_core.runs import Run

PATIENCE = 120.0
"""Seconds until a kernel or a run that does nothing fails its test: first imports on a busy machine are slow."""


@dataclass
class Reply:
    """What a cell sent back."""

    messages: list[dict[str, Any]]
    status: str
    seconds: float

    def _data(self, kind: str) -> list[dict[str, Any]]:
        return [message["content"]["data"] for message in self.messages if message["msg_type"] == kind]

    @property
    def displays(self) -> list[dict[str, Any]]:
        return self._data("display_data")

    @property
    def updates(self) -> list[dict[str, Any]]:
        return self._data("update_display_data")

    @property
    def error(self) -> dict[str, Any]:
        [error] = [message["content"] for message in self.messages if message["msg_type"] == "error"]
        return error

    @property
    def printed(self) -> str:
        return "".join(
            message["content"]["text"] for message in self.messages if message["msg_type"] == "stream"
        )


@dataclass
class Kernel:
    """A running kernel and a client of it."""

    manager: KernelManager
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def start(self, code: str) -> str:
        """Send a cell and return the id of its messages."""
        return self.client.execute(code)

    def finish(self, sent: str, begin: float) -> Reply:
        """Wait for the end of a cell."""
        messages: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != sent:
                continue
            messages.append(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        seconds = time.perf_counter() - begin
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == sent:
                return Reply(messages, reply["content"]["status"], seconds)

    def run(self, code: str) -> Reply:
        """Run a cell to its end."""
        begin = time.perf_counter()
        return self.finish(self.start(code), begin)

    def until_message(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the next message of the kernel, of any cell or widget, that is wanted."""
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if wanted(message):
                return message
        raise AssertionError("the message did not come")

    def kill(self) -> None:
        """Kill the kernel as the system does when memory runs out."""
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def start_kernel(runs_root: Path, tmp_path: Path) -> Iterator[Callable[[], Kernel]]:
    """Return a function that starts kernels, all ended after the test."""
    kernels: list[Kernel] = []

    def start() -> Kernel:
        manager = KernelManager(kernel_name="python3")
        environment = os.environ | {
            "FT_RUNS_DIR": str(runs_root),
            "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
            "IPYTHONDIR": str(tmp_path / "ipython"),
        }
        manager.start_kernel(cwd=str(tmp_path), env=environment)
        kernels.append(Kernel(manager))
        kernels[-1].run("%load_ext ft_jupyter")
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.stop()
    if runs_root.exists():
        for directory in runs_root.iterdir():
            Run(directory).stop(now=True)


@pytest.fixture
def until_step(runs_root: Path) -> Callable[[str, int], Run]:
    """Return a function that waits until a run has done a step, and returns the run."""

    def wait(name: str, step: int) -> Run:
        run = Run(runs_root / name)
        limit = time.monotonic() + PATIENCE
        while run.status().step < step:
            assert run.alive, run.error
            assert time.monotonic() < limit, run.log_tail()
            time.sleep(0.05)
        return run

    return wait


@pytest.fixture
def yaml(tiny_model: Path, dictionary: Path) -> str:
    """Return the YAML of a run that takes many seconds unless it is stopped."""
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
micro_batch_size: 1
learning_rate: 1e-3
max_steps: 4000
save_strategy: "no"
""".lstrip()
