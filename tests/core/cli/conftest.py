"""Runs to list, follow and stop."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ft_core
from ft_core.runs import Run, RunWriter, create_run

SOURCE = str(Path(ft_core.__file__).parents[1])


@pytest.fixture
def new_run(runs_root: Path) -> Callable[..., Run]:
    def make(name: str = "poet") -> Run:
        return create_run(name, config_text="", resolved_text="", plan={"warnings": []})

    return make


@pytest.fixture
def done_run(new_run: Callable[..., Run]) -> Run:
    """A run that took three steps and completed."""
    run = new_run()
    (run.directory / "log.txt").write_text("loading\n\x1b[32mstep 1\x1b[0m\n10%\r100%\nbye")
    with RunWriter(run.directory) as writer:
        writer.phase("training")
        for step in (1, 2, 3):
            writer.emit(
                "step", step=step, total_steps=3, loss=3.0 / step, tokens_per_second=1234.5, eta=3.0 - step
            )
        writer.emit("checkpoint", step=3, path="checkpoints/checkpoint-3")
        run.final.mkdir()
    return run


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a process with `arguments` after ``python``, in a session of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **options: object) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": SOURCE, **options.pop("env", {})}  # type: ignore[dict-item]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        process = subprocess.Popen(
            [sys.executable, *arguments], text=True, start_new_session=True, env=environment, **pipes
        )  # type: ignore[call-overload]
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


WORKER = """
    import sys, time
    from ft_core.runs import RunWriter
    with RunWriter({!r}) as writer:
        writer.phase("training")
        writer.emit("step", step=1, total_steps=9, loss=2.5, tokens_per_second=100.0, eta=75)
        print("ready", flush=True)
        while not writer.requested("stop"):
            time.sleep(0.02)
        if {!r}:
            time.sleep(600)
        writer.emit("step", step=2, total_steps=9, loss=2.25, tokens_per_second=100.0, eta=70)
"""


@pytest.fixture
def start_worker(spawn: Callable[..., subprocess.Popen[str]]) -> Callable[..., subprocess.Popen[str]]:
    """Start a worker that trains until asked to stop, or that then hangs, and wait for its first step."""

    def start(run: Run, *, hangs: bool = False) -> subprocess.Popen[str]:
        code = textwrap.dedent(WORKER).format(str(run.directory), hangs)
        process = spawn("-c", code, env={"FT_RUN": str(run.directory)})
        assert process.stdout.readline() == "ready\n"  # type: ignore[union-attr]
        return process

    return start
