"""Tests for a machine with an NVIDIA GPU: `python -m pytest tests/gpu`. Skipped where there is none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def gpu() -> None:
    """Skip every test of this folder on a machine without an NVIDIA GPU."""
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no NVIDIA GPU here")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a random Llama of SmolLM2-135M's shape, with a tokenizer.

    The tokenizer is the demo model's, or the one in the folder that FT_TEST_TOKENIZER names (machines without a network).
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from ft_core.models.demo import demo_model

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(os.environ.get("FT_TEST_TOKENIZER") or demo_model())
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("models") / "small-llama"
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
