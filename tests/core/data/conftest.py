"""A real tokenizer, and configs that differ from the smallest one in what a test is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ft_core.config import Config, load_config


@pytest.fixture(scope="session")
def tokenizer(demo_model: Path) -> Any:
    """Return SmolLM2's tokenizer: byte-level, ChatML, EOS = PAD = ``<|im_end|>``, nothing put before a text."""
    return AutoTokenizer.from_pretrained(demo_model)


@pytest.fixture(scope="session")
def make_config() -> Callable[..., Config]:
    """Return a function from keys of the config, and of its one dataset, to a config."""

    def make(dataset: dict[str, Any] | None = None, **keys: Any) -> Config:
        entry = {"path": "some/rows", "type": "chat_template", **(dataset or {})}
        keys = {"datasets": [entry], "sequence_len": 2048, **keys}
        return load_config({"base_model": "some/model", "learning_rate": 1e-4, **keys})

    return make
