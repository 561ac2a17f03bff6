"""Configs on the tiny model, and runs that train inside the test's own process."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.launch.process import worker_environment
from ft_core.models import detect_hardware
from ft_core.runs import Run, create_run

WORDS = "the quick brown fox jumps over a lazy dog while seven wizards box and vex"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Return a file of twelve texts of very unequal length."""
    file = tmp_path / "rows.jsonl"
    words = WORDS.split()
    lengths = [3, 14, 5, 9, 2, 12, 7, 4, 11, 6, 13, 8]
    file.write_text("".join(json.dumps({"text": " ".join(words[:length])}) + "\n" for length in lengths))
    return file


@pytest.fixture
def make_config(tiny_model: Path, rows: Path) -> Callable[..., Config]:
    """Return a function that makes a config on the tiny model out of the keys that matter to a test."""

    def make(**keys: Any) -> Config:
        defaults: dict[str, Any] = {
            "base_model": str(tiny_model),
            "datasets": [{"path": str(rows), "type": "completion"}],
            "adapter": "lora",
            "learning_rate": 1e-2,
            "lr_scheduler": "constant",
            "warmup_steps": 0,
            "sequence_len": 64,
            "micro_batch_size": 2,
            "max_steps": 3,
            "save_strategy": "no",
            "bf16": False,
        }
        return load_config({key: value for key, value in {**defaults, **keys}.items() if value is not ...})

    return make


@pytest.fixture(scope="session")
def trainer_is_imported() -> None:
    """Import what every run does, and take it out of the collections of garbage that each run asks for."""
    import ft_core.train.generations
    import ft_core.train.trainer
    import ft_core.train.worker  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture
def train(trainer_is_imported: None, runs_root: Path) -> Callable[..., Run]:
    """Return a function that trains a config here, without a new process, and returns the finished run."""

    def train_here(config: Config, name: str | None = None) -> Run:
        from ft_core.train.worker import main

        run = create_run(name, config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})
        main(run.directory)
        return run

    return train_here


@pytest.fixture
def events() -> Callable[[Run, str], list[dict[str, Any]]]:
    """Return a function that gives a run's events of one type."""

    def of_type(run: Run, kind: str) -> list[dict[str, Any]]:
        return [event for event in run.events()[0] if event["type"] == kind]

    return of_type


@pytest.fixture
def on_two_ranks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a script of this folder on a run as two ranks, each a process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def launch(script: str, run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
        here = Path(__file__).parent
        return subprocess.run(
            [sys.executable, str(here / "ranks.py"), str(here / script), str(run.directory), *arguments],
            env=worker_environment(os.environ, run.directory, 2, detect_hardware()),
            capture_output=True,
            text=True,
            timeout=180,
        )

    return launch
