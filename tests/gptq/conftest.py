"""Tests with gptqmodel, which has an environment of its own: see tests/core/models/test_gptq.py, which starts them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.runs import Run, create_run

collect_ignore_glob = ["test_*.py"] if importlib.util.find_spec("gptqmodel") is None else []


@pytest.fixture(scope="session")
def quantise(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that quantises the model in a folder by GPTQ and returns the folder of the other."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GPTQConfig

    def to_gptq(folder: Path, **settings: Any) -> Path:
        random = torch.Generator().manual_seed(0)
        rows = [torch.randint(3, 40000, (1, 64), generator=random) for _ in range(4)]
        calibration = [{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in rows]
        tokenizer = AutoTokenizer.from_pretrained(folder)
        asked: dict[str, Any] = {"bits": 4, "group_size": 32, "model_seqlen": 64, "backend": "gptq_torch"}
        gptq = GPTQConfig(**(asked | settings), dataset=calibration, tokenizer=tokenizer)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, quantization_config=gptq, device_map={"": "cpu"}, dtype=torch.float32
        )
        model.config.quantization_config.dataset = None
        target = tmp_path_factory.mktemp("gptq") / folder.name
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        return target

    return to_gptq


@pytest.fixture(scope="session")
def gptq_model(untied_model: Path, quantise: Callable[..., Path]) -> Path:
    """Return the tiny Llama with an output head of its own, in 4 bit."""
    return quantise(untied_model)


@pytest.fixture
def make_config(gptq_model: Path, tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a config on the quantised model out of the keys that matter to a test."""
    rows = tmp_path / "rows.jsonl"
    text = "the quick brown fox jumps over a lazy dog while seven wizards box and vex"
    lengths = [9, 60, 25, 40, 12, 55, 30, 18, 50, 27, 70, 35]
    rows.write_text("".join(json.dumps({"text": text[:length]}) + "\n" for length in lengths))

    def make(**keys: Any) -> Config:
        defaults: dict[str, Any] = {
            "base_model": str(gptq_model),
            "datasets": [{"path": str(rows), "type": "completion"}],
            "adapter": "lora",
            "learning_rate": 1e-2,
            "lr_scheduler": "constant",
            "warmup_steps": 0,
            "sequence_len": 64,
            "micro_batch_size": 2,
            "max_steps": 4,
            "bf16": False,
        }
        return load_config({**defaults, **keys})

    return make


@pytest.fixture
def train(runs_root: Path) -> Callable[..., Run]:
    """Return a function that trains a config here, without a new process, and returns the completed run."""

    def train_here(config: Config, name: str | None = None) -> Run:
        from ft_core.train.worker import main

        text = config.to_yaml(absolute_paths=True)
        run = create_run(name, config_text=text, resolved_text=text, plan={})
        main(run.directory)
        assert run.state == "completed", run.events()[0][-1]
        return run

    return train_here
