"""Configs on the tiny model that run in processes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.runs import Run


@pytest.fixture
def make_config(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Return a function that makes a config on the tiny model out of the keys that matter to a test."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": "word " * length}) + "\n" for length in range(3, 15)))

    def make(**keys: Any) -> Config:
        defaults: dict[str, Any] = {
            "base_model": str(tiny_model),
            "datasets": [{"path": str(rows), "type": "completion"}],
            "adapter": "lora",
            "learning_rate": 1e-2,
            "sequence_len": 64,
            "micro_batch_size": 2,
            "max_steps": 100_000,
            "save_strategy": "no",
            "bf16": False,
        }
        return load_config({**defaults, **keys})

    return make


@pytest.fixture
def started(runs_root: Path) -> Iterator[list[Run]]:
    """Return a list for the runs that a test starts; those that still live are ended after it."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        if run.alive:
            run.stop(now=True)
