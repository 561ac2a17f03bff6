"""Configs on the tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config


@pytest.fixture
def make_config(tiny_model: Path, tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a config on the tiny model out of the keys that matter to a test."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "a row"}\n')

    def make(**keys: Any) -> Config:
        return load_config(
            {
                "base_model": str(tiny_model),
                "learning_rate": 1e-3,
                "datasets": [{"path": str(rows), "type": "completion"}],
                **keys,
            }
        )

    return make
