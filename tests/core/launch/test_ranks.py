from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import DataError
from ft_core.launch import launch, ranks
from ft_core.runs import Run, create_run
from ft_core.runs.processes import job_processes
from ft_core.train.rank_failures import leave_word

BROKEN = """
import os
if os.environ.get("RANK") == "1":
    import ft_core.models.tokenizer as tokenizer

    def broken(config):
        raise RuntimeError("rank 1 is broken")

    tokenizer.load_vocabulary = broken
"""


def test_torchrun_meets_at_a_free_port() -> None:
    command = ranks.torchrun_command(Path("/runs/a"), 2)
    assert command[:4] == [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    assert command[4:6] == ["--nproc_per_node", "2"]
    assert command[-3:] == ["-m", "ft_core.train", "/runs/a"]


@pytest.fixture
def run(make_config: Callable[..., Config], runs_root: Path) -> Run:
    resolved = make_config().to_yaml(absolute_paths=True)
    return create_run("ranks", config_text="", resolved_text=resolved, plan={})


def fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*_: Any, **__: Any) -> int:
        return 1

    monkeypatch.setattr(subprocess, "call", call)


def test_ranks_that_were_killed_end_the_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch)
    before = [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)]
    assert ranks.main(run.directory, 2) == 1
    assert [signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)] == before
    assert run.error is not None
    assert (run.state, run.status().world_size) == ("failed", 2)
    assert run.error.message.startswith("A rank of this run was killed")


def test_the_word_that_a_rank_left_is_the_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(monkeypatch)
    leave_word(run.directory, 1, DataError("Row 7 is broken.", "Mend it."))
    ranks.main(run.directory, 2)
    assert run.error is not None
    assert (run.error.message, run.error.fix) == ("Row 7 is broken.", "Mend it.")


def test_a_rank_that_fails_ends_the_run_and_says_why(
    make_config: Callable[..., Config], started: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two real ranks: the first waits for the second, which never comes."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=":")
    run = launch(make_config(), gpus=2)
    started.append(run)
    assert run.wait(timeout=120) == "failed"
    assert run.error is not None
    assert run.error.message == "Rank 1 failed: RuntimeError: rank 1 is broken"
    assert 'raise RuntimeError("rank 1 is broken")' in run.log_tail(400)


def test_a_signal_to_every_process_of_a_job_is_a_stop(
    make_config: Callable[..., Config], started: list[Run]
) -> None:
    """Slurm signals every process of a job that it takes away, torchrun and its ranks among them."""
    run = launch(make_config(max_steps=500), gpus=2)
    started.append(run)
    until = time.monotonic() + 120
    while not any(event["type"] == "step" for event in run.events()[0]):
        assert time.monotonic() < until, run.log_tail()
        time.sleep(0.05)
    status = run.status()
    every = job_processes(run.directory, status.pid, status.pid_started)
    assert len(every) == 4  # this command, torchrun and two ranks
    for process in every:
        process.send_signal(signal.SIGTERM)
    assert run.wait(timeout=120) == "stopped", run.log_tail()
    steps = [event["step"] for event in run.events()[0] if event["type"] == "step"]
    assert [event["step"] for event in run.events()[0] if event["type"] == "checkpoint"] == [steps[-1]]
    assert (run.final / "adapter_model.safetensors").is_file()


def test_torchrun_does_not_hear_what_stops_a_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run.directory / "said.txt"
    asked = (
        "import pathlib, signal\n"
        "heard = [signal.getsignal(kind).name for kind in (signal.SIGTERM, signal.SIGINT)]\n"
        f"pathlib.Path({str(said)!r}).write_text(' '.join(heard))"
    )
    monkeypatch.setattr(ranks, "torchrun_command", lambda *_: [sys.executable, "-c", asked])
    assert ranks.main(run.directory, 2) == 0
    assert said.read_text() == "SIG_IGN SIG_IGN"
