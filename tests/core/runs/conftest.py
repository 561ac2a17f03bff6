"""A run to read, and real processes to fill it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ft_core
from ft_core.runs import Run, create_run


@pytest.fixture
def new_run(runs_root: Path) -> Callable[..., Run]:
    def make(name: str | None = "poet", **options: object) -> Run:
        texts = {
            "config_text": "base_model: x\n",
            "resolved_text": "base_model: x\nseed: 42\n",
            "plan": {"steps": 3},
        }
        return create_run(name, **{**texts, **options})

    return make


@pytest.fixture
def run(new_run: Callable[..., Run]) -> Run:
    return new_run()


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python code with `directory` set to a run's, in a session of its own and marked as the run's."""
    processes: list[subprocess.Popen[str]] = []

    def start(code: str, run: Run, *, marked: bool = True) -> subprocess.Popen[str]:
        environment = dict(os.environ, PYTHONPATH=str(Path(ft_core.__file__).parents[1]))
        environment.pop("FT_RUN", None)
        if marked:
            environment["FT_RUN"] = str(run.directory)
        head = f"import sys, time, os\nfrom pathlib import Path\ndirectory = Path({str(run.directory)!r})\n"
        process = subprocess.Popen(
            [sys.executable, "-c", head + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=environment,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


WORKER = """
    from ft_core.runs import RunWriter
    with RunWriter(directory) as writer:
        writer.emit("step", step=1, total_steps=9, loss=2.5)
        print("ready", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def worker(spawn: Callable[..., subprocess.Popen[str]], run: Run) -> subprocess.Popen[str]:
    """A process that writes `run` until its stdin says so; it has taken one step."""
    process = spawn(WORKER, run)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process
