"""Tests for a machine with an NVIDIA GPU: `python -m pytest tests/gpu`. Skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.runs import Run, create_run


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
    return _random_llama(tmp_path_factory.mktemp("models") / "small-llama", layers=30)


@pytest.fixture(scope="session")
def shallow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same with four layers, whose steps take no time."""
    return _random_llama(tmp_path_factory.mktemp("models") / "shallow-llama", layers=4)


def _random_llama(folder: Path, *, layers: int) -> Path:
    """Save a random Llama as wide as SmolLM2-135M, and return where."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from ft_core.models.demo import demo_model

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(os.environ.get("FT_TEST_TOKENIZER") or demo_model())
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=layers,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def config_of(shallow_model: Path, dictionary: Path) -> Callable[..., Config]:
    """Return a function that makes a config on the shallow model out of the keys that matter to a test."""

    def make(**keys: Any) -> Config:
        defaults: dict[str, Any] = {
            "base_model": str(shallow_model),
            "datasets": [{"path": str(dictionary), "type": "chat_template"}],
            "adapter": "lora",
            "lora_r": 16,
            "learning_rate": 2e-3,
            "lr_scheduler": "constant",
            "sequence_len": 256,
            "micro_batch_size": 16,
            "max_steps": 6,
            "save_strategy": "no",
        }
        return load_config({**defaults, **keys})

    return make


@pytest.fixture
def train(runs_root: Path) -> Callable[..., Run]:
    """Return a function that trains a config here, without a new process, and returns the completed run."""

    def train_here(config: Config, name: str | None = None) -> Run:
        from ft_core.train.worker import main

        run = create_run(name, config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})
        main(run.directory)
        assert run.state == "completed", run.events()[0][-1]
        return run

    return train_here


@pytest.fixture
def events() -> Callable[[Run, str], list[dict[str, Any]]]:
    """Return a function that gives a run's events of one type."""

    def of_type(run: Run, kind: str) -> list[dict[str, Any]]:
        return [event for event in run.events()[0] if event["type"] == kind]

    return of_type
