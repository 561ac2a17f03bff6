"""A real tokenizer, which every test of an inspection looks through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer


@pytest.fixture(scope="session")
def tokenizer(demo_model: Path) -> Any:
    """Return SmolLM2's tokenizer: byte-level, ChatML, BOS = ``<|im_start|>``, EOS = ``<|im_end|>``."""
    return AutoTokenizer.from_pretrained(demo_model)
