"""Toy preferences, and runs on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Return a file of nine pairs: the better answer ends politely, the worse one begins with a no."""
    file = tmp_path / "pairs.jsonl"
    rows = ({"question": f"Say {w}.", "chosen": f"{w} yes please", "rejected": f"no {w}"} for w in WORDS)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def verdicts(tmp_path: Path) -> Path:
    """Return a file of nine answers, every second of which is a good one."""
    file = tmp_path / "verdicts.jsonl"
    rows = (
        {"question": f"Say {w}.", "completion": f"{w} yes please" if good else f"no {w}", "label": good}
        for good, w in zip([False, True] * 5, WORDS, strict=False)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def prefer(make_config: Callable[..., Config], pairs: Path, verdicts: Path) -> Callable[..., Config]:
    """Return a function from a method to the config that trains it on the toy rows."""

    def make(method: str, **keys: Any) -> Config:
        path = verdicts if method == "kto" else pairs
        kind = "bradley_terry.chatml.intel" if method == "reward" else "chatml.intel"
        asked = {"reward_model": True} if method == "reward" else {"rl": method}
        return make_config(**{"datasets": [{"path": str(path), "type": kind}], **asked, **keys})

    return make
